"""How bright each flat exposure was, seen by the whole focal plane: one scale per exposure, the same for all detectors.

The level of detector d in exposure k is modelled as exp(G_d + E_k). Dividing exposure k by exp(E_k) leaves the ratios
between detectors in the flat and makes its mean over the focal plane one.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError

LIT_SHARE: Final = 0.01
"""Least share of the usual light: a detector or an exposure with less shows noise, whose logarithm is anything [1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatScales:
    """Levels split into a part of the exposure and a part of the detector."""

    scale: Vector
    """What to divide exposure k by, shape (n_exposures,) [unit of the levels]; NaN without a usable level."""
    response: Vector
    """Level of detector d in the finished flat, shape (n_detectors,) [1]; its weighted mean is 1, NaN without a
    usable level."""
    residual: NDArray[np.float64]
    """log(level) - G_d - E_k, shape (n_detectors, n_exposures) [1]; NaN where no level is usable."""


def solve_flat_scales(
    levels: NDArray[np.float64], weights: NDArray[np.float64] | None = None, *, n_iterations: int = 10
) -> FlatScales:
    """Split flat levels into exposure scales and detector responses.

    Parameters
    ----------
    levels : ndarray of shape (n_detectors, n_exposures), float64
        Clipped mean of each detector in each exposure [adu or electron]; values that are not finite and positive take
        no part, nor do a detector with less than `LIT_SHARE` of the light of the brightest, and an exposure with less
        than that of the median one.
    weights : ndarray of shape (n_detectors, n_exposures), float64, optional
        For example the pixels each mean was made of; 0 leaves a level out.
    n_iterations : int
        Alternations between exposures and detectors.

    Returns
    -------
    FlatScales
        Scales, responses and residuals.

    Raises
    ------
    NotEnoughDataError
        If no level is usable.

    Notes
    -----
    E_k = avg_w(log m - G), G_d = avg_w(log m - E), each time normalised to avg_w(exp G) = 1, as the observatory's
    flat pipeline does; the weight of a detector is the mean of its weights. With every level there and equal weights
    the first alternation is already the answer; gaps need the others.

    Examples
    --------
    >>> found = solve_flat_scales(np.array([[90.0, 180.0], [110.0, 220.0]]))
    >>> np.round(found.scale, 6).tolist(), np.round(found.response, 6).tolist()
    ([100.0, 200.0], [0.9, 1.1])
    """
    level = np.asarray(levels, np.float64)
    weight = np.ones_like(level) if weights is None else np.asarray(weights, np.float64)
    is_used = np.isfinite(level) & (level > 0) & np.isfinite(weight) & (weight > 0)
    if not is_used.any():
        raise NotEnoughDataError("no flat level is finite and positive")
    of_detectors = _typical(level, is_used)
    is_used &= (of_detectors >= LIT_SHARE * np.nanmax(of_detectors))[:, None]
    of_exposures = _typical(level.T, is_used.T)
    is_used &= (of_exposures >= LIT_SHARE * np.nanmedian(of_exposures))[None, :]
    weight = np.where(is_used, weight, 0.0)
    log_level = np.log(np.where(is_used, level, 1.0))
    by_detector, by_exposure = weight.sum(axis=1), weight.sum(axis=0)
    # a detector missing from some exposures must not weigh less in the mean of the finished flat
    mean_weight = by_detector / np.maximum(is_used.sum(axis=1), 1)
    detector_log = np.zeros(level.shape[0])

    def exposures() -> Vector:
        found: Vector = _average(weight * (log_level - detector_log[:, None]), by_exposure, axis=0)
        return found

    for _ in range(n_iterations):
        exposure_log = exposures()
        detector_log = _average(weight * (log_level - exposure_log[None, :]), by_detector, axis=1)
        detector_log -= np.log(float((mean_weight * np.exp(detector_log)).sum() / mean_weight.sum()))
    exposure_log = exposures()
    residual = np.where(is_used, log_level - detector_log[:, None] - exposure_log[None, :], np.nan)
    return FlatScales(
        scale=np.where(by_exposure > 0, np.exp(exposure_log), np.nan),
        response=np.where(by_detector > 0, np.exp(detector_log), np.nan),
        residual=residual,
    )


def _typical(level: NDArray[np.float64], is_used: NDArray[np.bool_]) -> Vector:
    """Return the median of the usable levels of each row; NaN for a row without."""
    return np.array(
        [float(np.median(row[used])) if used.any() else np.nan for row, used in zip(level, is_used, strict=True)]
    )


def _average(weighted: NDArray[np.float64], total: Vector, *, axis: int) -> Vector:
    average: Vector = np.divide(weighted.sum(axis=axis), total, out=np.zeros(total.shape), where=total > 0)
    return average
