"""How photon transfer curves are fitted: the published figures."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

START: Final = (-2e-6, 1.5, 25.0)
"""First guess of a00 [1/electron], gain [electron/adu] and noise squared [electron^2]."""
LOWER: Final = (-1e-4, 0.1, 0.0)
UPPER: Final = (0.0, 10.0, 2000.0)


class FitType(StrEnum):
    """How a curve is fitted."""

    PARTIAL = "PARTIAL"
    """Not at all: measured pairs alone."""
    EXPAPPROXIMATION = "EXPAPPROXIMATION"
    """Variances, exponential approximation."""
    FULLCOVARIANCE = "FULLCOVARIANCE"
    """All covariances."""
    FULLCOVARIANCE_NO_B = "FULLCOVARIANCE_NO_B"
    """All covariances, with b = 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PtcFitRule:
    """How curves are fitted (generation.md 5.2)."""

    fit_type: str = FitType.EXPAPPROXIMATION
    min_mean_adu: float = 0.0
    max_mean_adu: float = 1e6
    min_ks_pvalue: float = 0.01
    """Pairs whose difference is less likely a Gaussian than this take no part; 0: all do."""
    first_max_signal: float = 50_000.0
    """Signals of the first fit [electron, or adu where `is_in_adu`]."""
    max_jump: float = 9_000.0
    """A gap above this after a rejected pair ends the curve [electron, or adu where `is_in_adu`]."""
    is_in_adu: bool = False
    """Whether the two signals above are in adu, not scaled by the gain (LSSTCam)."""
    n_sigma: float = 5.0
    max_iter: int = 2
    """Rejections of outliers."""
    has_rolloff: bool = False
    max_rolloff_deviation: float = 0.01
    """Part of the variance the roll-off may take before the curve has turned off [1]."""
    rolloff_span_adu: float = 5_000.0
    """How far above the turnoff the roll-off is fitted [adu]."""
    n_lags: int = 0
    """Lags of a full-covariance fit; 0: all that were measured."""
