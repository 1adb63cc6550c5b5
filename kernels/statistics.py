"""Statistics of many pixels: clipped moments, exact percentiles, and a median that never holds them all."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image, Vector
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.errors import NotEnoughDataError

DISTRIBUTION_PERCENTS: Final = (0, 5, 16, 50, 84, 95, 100)
"""Percentiles recorded for each amplifier of a combined product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClippedStatistics:
    """Moments of the values a clip kept."""

    mean: float
    median: float
    stdev: float
    """Sample standard deviation of the kept values."""
    count: int
    """Values kept."""


def clipped_statistics(values: NDArray[np.floating], *, n_sigma: float = 3.0, max_iter: int = 3) -> ClippedStatistics:
    """Return mean, median and standard deviation after iterative clipping.

    Parameters
    ----------
    values : ndarray, float32 or float64
        Any shape; values that are not finite take no part.
    n_sigma : float
        Clip [sigma].
    max_iter : int
        Clips: the first about the median with 0.7413 IQR, later ones about the mean with the standard deviation.

    Raises
    ------
    NotEnoughDataError
        If no value is finite.

    Examples
    --------
    >>> clipped_statistics(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 900.0])).mean
    3.0
    """
    ordered = np.sort(values, axis=None)
    ordered = ordered[np.isfinite(ordered)]
    if ordered.size == 0:
        raise NotEnoughDataError("no finite value")
    lower, center, upper = (_sorted_percentile(ordered, p) for p in (25.0, 50.0, 75.0))
    width = IQR_TO_SIGMA * (upper - lower)
    kept = ordered
    for _ in range(max_iter):
        first = int(np.searchsorted(ordered, center - n_sigma * width, "left"))
        last = int(np.searchsorted(ordered, center + n_sigma * width, "right"))
        if last <= first:
            break
        kept = ordered[first:last]
        center, width = float(kept.mean(dtype=np.float64)), float(kept.std(dtype=np.float64))
    n = kept.size
    return ClippedStatistics(
        mean=float(kept.mean(dtype=np.float64)),
        median=_sorted_percentile(kept, 50.0),
        stdev=float(kept.std(dtype=np.float64, ddof=1)) if n > 1 else float("nan"),
        count=n,
    )


def percentiles(values: NDArray[np.floating], percents: Sequence[float] = DISTRIBUTION_PERCENTS) -> Vector:
    """Return exact percentiles, linear between ranks, of the finite values.

    Parameters
    ----------
    values : ndarray, float32 or float64
        Any shape.
    percents : sequence of float
        In [0, 100].

    Returns
    -------
    ndarray of shape (len(percents),), float64
        NaN where no value is finite.
    """
    ordered = np.sort(values, axis=None)
    ordered = ordered[np.isfinite(ordered)] if not np.isfinite(ordered[[0, -1]]).all() else ordered
    if ordered.size == 0:
        return np.full(len(percents), np.nan)
    return np.array([_sorted_percentile(ordered, percent) for percent in percents])


def stands_apart(values: Vector, *, n_sigma: float = 10.0, least: float = 2.0) -> NDArray[np.bool_]:
    """Tell which of a few values are unlike the others.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        For example the mean level of each frame; values that are not finite stand apart.
    n_sigma : float
        Distance from the median that is too much, in units of 1.4826 times the median absolute deviation [1].
    least : float
        Smallest distance that counts, in the unit of `values`: a drift of a fraction of an adu is no fault of a frame.

    Returns
    -------
    ndarray of shape (n,), bool

    Examples
    --------
    >>> stands_apart(np.array([1.0, 1.2, 0.9, 40.0, 1.1])).tolist()
    [False, False, False, True, False]
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.ones(values.shape, dtype=np.bool_)
    center = np.median(finite)
    limit = max(n_sigma * 1.4826 * float(np.median(np.abs(finite - center))), least)
    return ~(np.abs(values - center) <= limit)


def streamed_median(bands: Callable[[], Iterable[Image]]) -> float:
    """Return the exact lower median of the finite values of an image given in bands.

    Parameters
    ----------
    bands : callable
        Gives the bands (float32 arrays) afresh at each call; it is called twice.

    Returns
    -------
    float
        Median (of an even number the lower of the middle two); NaN where no value is finite.

    Notes
    -----
    Radix selection on the ordered bit patterns: the upper 16 bits in one pass, the lower in another.
    """
    histogram = np.zeros(1 << 16, np.int64)
    for band in bands():
        histogram += np.bincount(_ordered_keys(band) >> 16, minlength=1 << 16)
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    wanted = (total - 1) // 2
    sums = np.cumsum(histogram)
    upper = int(np.searchsorted(sums, wanted, "right"))
    wanted -= int(sums[upper - 1]) if upper else 0
    histogram = np.zeros(1 << 16, np.int64)
    for band in bands():
        keys = _ordered_keys(band)
        histogram += np.bincount(keys[keys >> 16 == upper] & 0xFFFF, minlength=1 << 16)
    lower = int(np.searchsorted(np.cumsum(histogram), wanted, "right"))
    key = upper << 16 | lower
    bits = key ^ 0x80000000 if key & 0x80000000 else key ^ 0xFFFFFFFF
    return float(np.array([bits], np.uint32).view(np.float32)[0])


def _ordered_keys(band: Image) -> NDArray[np.uint32]:
    values = np.ascontiguousarray(band, np.float32).reshape(-1)
    bits = values[np.isfinite(values)].view(np.uint32)
    return np.where(bits & np.uint32(0x80000000), ~bits, bits | np.uint32(0x80000000))


def _sorted_percentile(ordered: NDArray[np.floating], percent: float) -> float:
    position = (ordered.size - 1) * percent / 100
    low = int(position)
    high = min(low + 1, ordered.size - 1)
    lower = float(ordered[low])
    return lower + (position - low) * (float(ordered[high]) - lower)
