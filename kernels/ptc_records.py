"""What a photon transfer curve holds: the measured pairs of a detector, and what was fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import KernelError

Table2 = NDArray[np.float64]
"""Values of shape (n_amps, n_pairs)."""

Table4 = NDArray[np.float64]
"""Values of shape (n_amps, n_pairs, n_lags, n_lags), lags [serial, parallel]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PtcMeasurements:
    """Pairs of one detector as measured; NaN where an amplifier gave nothing."""

    amplifiers: tuple[str, ...]
    exposure_pairs: NDArray[np.int64]
    """Exposure numbers, shape (n_pairs, 2)."""
    mjd_start: Vector
    """Begin of the first exposure of each pair, TAI [day]."""
    exposure_time_s: Vector
    means_adu: Table2
    variances_adu2: Table2
    deltas_adu: Table2
    """Second mean less the first [adu]."""
    row_mean_variances_adu2: Table2
    histogram_variances_adu2: Table2
    histogram_chi2: Table2
    ks_pvalues: Table2
    gains_e_per_adu: Table2
    """Of each pair alone."""
    overscan_medians_adu: Table2
    noises_adu: Table2
    """Of the overscans."""
    photo_charges: Table2
    """Light by the photodiode [C]."""
    photo_charge_deltas: Table2
    amp_offsets_adu: Table2
    covariances_adu2: Table4
    sqrt_weights: Table4
    """Inverse errors of the covariances [1/adu^2]."""
    n_pixels: Table4
    reasons: tuple[str, ...]
    """For each amplifier the first reason why a pair gave nothing; empty where all did."""

    @property
    def n_lags(self) -> int:
        """Lags along each axis."""
        return int(self.covariances_adu2.shape[-1])

    def taken(self, order: NDArray[np.intp]) -> "PtcMeasurements":
        """Return these pairs alone, in this order."""
        changes: dict[str, Any] = {
            item.name: getattr(self, item.name)[order]
            if item.name in _PAIR_FIELDS
            else getattr(self, item.name)[:, order]
            for item in fields(self)
            if item.name not in ("amplifiers", "reasons")
        }
        return replace(self, **changes)


_PAIR_FIELDS = ("exposure_pairs", "mjd_start", "exposure_time_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotonTransfer:
    """A fitted photon transfer curve of one detector; rows of bad amplifiers hold NaN."""

    measured: PtcMeasurements
    fit_type: str
    """PARTIAL, EXPAPPROXIMATION, FULLCOVARIANCE or FULLCOVARIANCE_NO_B."""
    is_used: NDArray[np.bool_]
    """Pairs of the fit, shape (n_amps, n_pairs)."""
    is_used_in_rolloff: NDArray[np.bool_]
    """Pairs of the fit with roll-off."""
    gain_e_per_adu: Vector
    gain_error: Vector
    gain_unadjusted: Vector
    noise_e: Vector
    noise_error: Vector
    parameters: NDArray[np.float64]
    """a00 [1/electron], gain [electron/adu], noise squared [electron^2]: shape (n_amps, 3)."""
    parameter_errors: NDArray[np.float64]
    reduced_chi2: Vector
    turnoff_adu: Vector
    turnoff_sampling_error_adu: Vector
    rolloff_adu: Vector
    rolloff_error_adu: Vector
    rolloff_tau_adu: Vector
    rolloff_tau_error_adu: Vector
    a_matrix: NDArray[np.float64]
    """Shape (n_amps, n_lags, n_lags) [1/electron]; NaN where it was not fitted."""
    b_matrix: NDArray[np.float64]
    """[1/electron]."""
    noise_matrix: NDArray[np.float64]
    """[electron^2]."""
    covariances_model_adu2: Table4
    final_means_adu: Table2
    """Means of the pairs of the fit; NaN elsewhere."""
    final_variances_adu2: Table2
    final_model_variances_adu2: Table2
    reasons: tuple[str, ...]
    """Why an amplifier is bad; empty where it is not."""
    notes: tuple[str, ...]
    """What else should be known of each amplifier."""

    @property
    def is_bad(self) -> NDArray[np.bool_]:
        """Which amplifiers have no result."""
        return np.array([bool(reason) for reason in self.reasons], np.bool_)

    @property
    def overscan_median_adu(self) -> Vector:
        """Median over the used pairs of the overscan's level [adu]."""
        return _masked_median(self.measured.overscan_medians_adu, self.is_used)

    @property
    def overscan_median_sigma_adu(self) -> Vector:
        """1.4826 times the median absolute deviation of the overscan's level [adu]."""
        levels = self.measured.overscan_medians_adu
        return 1.4826 * _masked_median(np.abs(levels - self.overscan_median_adu[:, None]), self.is_used)


def _masked_median(values: Table2, is_used: NDArray[np.bool_]) -> Vector:
    found = np.full(len(values), np.nan)
    for amp, row in enumerate(values):
        kept = row[is_used[amp] & np.isfinite(row)]
        if kept.size:
            found[amp] = np.median(kept)
    return found


def joined(parts: Sequence[PtcMeasurements]) -> PtcMeasurements:
    """Return the pairs of several parts of one detector, sorted by their first exposure.

    Parameters
    ----------
    parts : sequence of PtcMeasurements
        With the same amplifiers and lags.

    Raises
    ------
    KernelError
        If there is none, they do not fit, or one pair is in two of them.
    """
    if not parts:
        raise KernelError("no measured pairs")
    kinds = {(part.amplifiers, part.n_lags) for part in parts}
    if len(kinds) != 1:
        raise KernelError(f"measured pairs of {len(kinds)} kinds of amplifiers or lags cannot be joined")
    first = parts[0]
    changes: dict[str, Any] = {
        item.name: np.concatenate(
            [getattr(part, item.name) for part in parts], axis=0 if item.name in _PAIR_FIELDS else 1
        )
        for item in fields(first)
        if item.name not in ("amplifiers", "reasons")
    }
    reasons = tuple(
        next((part.reasons[amp] for part in parts if part.reasons[amp]), "") for amp in range(len(first.amplifiers))
    )
    whole = replace(first, reasons=reasons, **changes)
    firsts = whole.exposure_pairs[:, 0]
    if np.unique(firsts).size != firsts.size:
        raise KernelError("one pair of exposures is measured twice")
    return whole.taken(np.argsort(firsts, kind="stable"))
