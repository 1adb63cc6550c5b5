"""Which values are darkest and brightest on a screen, and the curve between them."""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image, Vector

_SAMPLES: Final = 40_000
ASINH_KNEE: Final = 0.1
LOG_RANGE: Final = 1000.0


class Stretch(StrEnum):
    """How values become levels."""

    MAD = "mad"
    """Linear, median +- 5 median absolute deviations: one scale for the whole focal plane."""
    ZSCALE = "zscale"
    """Linear, limits from a line through the sorted values."""
    LINEAR = "linear"
    """Linear, smallest to largest."""
    ASINH = "asinh"
    """Between the 1 and 99 per cent points, faint structure lifted."""
    LOG = "log"
    """Between the 1 and 99 per cent points, the darkest lifted most."""


def limits(image: Image, stretch: Stretch) -> tuple[float, float]:
    """Return the values to show as darkest and brightest.

    Parameters
    ----------
    image : ndarray, float32
        Any shape; values that are not finite take no part, of many about 40 000 evenly spaced ones are looked at.
    stretch : Stretch
        Which rule.

    Returns
    -------
    tuple of float
        Low and high, high > low; (0, 1) where nothing is finite.
    """
    values = _finite(image)
    if values.size == 0:
        return 0.0, 1.0
    if stretch is Stretch.LINEAR:
        return _apart(float(values.min()), float(values.max()))
    if stretch is Stretch.ZSCALE:
        return _apart(*zscale_limits(values))
    values = values[:: max(1, values.size // _SAMPLES)]
    if stretch is Stretch.MAD:
        return mad_limits(values)
    low, high = np.percentile(values, (1.0, 99.0))
    return _apart(float(low), float(high))


def mad_limits(values: NDArray[np.floating], *, n_mad: float = 5.0) -> tuple[float, float]:
    """Return median -+ some median absolute deviations.

    Parameters
    ----------
    values : ndarray
        Finite values, at least one.
    n_mad : float
        Half width [median absolute deviations].

    Returns
    -------
    tuple of float
        Where more than half of the values are equal, smallest and largest instead.
    """
    center = float(np.median(values))
    half = n_mad * float(np.median(np.abs(values - center)))
    if half > 0:
        return center - half, center + half
    return _apart(float(values.min()), float(values.max()))


def symmetric_limits(image: Image, *, n_mad: float = 5.0) -> tuple[float, float]:
    """Return limits of a difference: as far below zero as above.

    Parameters
    ----------
    image : ndarray, float32
        A difference; values that are not finite take no part.
    n_mad : float
        Width beyond the median [median absolute deviations].
    """
    values = _finite(image)
    if values.size == 0:
        return -1.0, 1.0
    values = values[:: max(1, values.size // _SAMPLES)]
    reach = max(abs(limit) for limit in mad_limits(values, n_mad=n_mad))
    return (-reach, reach) if reach > 0 else (-0.5, 0.5)


def zscale_limits(
    values: NDArray[np.floating],
    *,
    n_samples: int = 1000,
    contrast: float = 0.25,
    max_reject: float = 0.5,
    min_pixels: int = 5,
    n_sigma: float = 2.5,
    max_iterations: int = 5,
) -> tuple[float, float]:
    """Return limits from a straight line through the sorted values.

    Parameters
    ----------
    values : ndarray
        Finite values, at least one.
    n_samples : int
        Values looked at, evenly spaced.
    contrast : float
        The slope of the line is divided by this.
    max_reject : float
        Where more than this share is rejected, smallest and largest are returned.
    min_pixels : int
        Likewise where fewer are left.
    n_sigma : float
        Clip about the line [standard deviation].
    max_iterations : int
        Clips at most.

    Notes
    -----
    The rule of IRAF's display task: rejected samples also reject one per cent of the samples around them.
    """
    samples: Vector = values.reshape(-1)[:: max(1, values.size // n_samples)][:n_samples].astype(np.float64)
    samples.sort()
    n = samples.size
    least = max(min_pixels, int(n * max_reject))
    at = np.arange(n, dtype=np.float64)
    kept = np.ones(n, np.bool_)
    reach = np.ones(max(1, int(n * 0.01)), np.int64)
    slope = 0.0
    n_kept, n_before = n, n + 1
    for _ in range(max_iterations):
        if n_kept >= n_before or n_kept < least:
            break
        slope, offset = _line(at[kept], samples[kept])
        residual = samples - (slope * at + offset)
        threshold = n_sigma * float(residual[kept].std())
        rejected = ~kept | (np.abs(residual) > threshold)
        kept = np.convolve(rejected, reach, mode="same") == 0
        n_before, n_kept = n_kept, int(kept.sum())
    low, high = float(samples[0]), float(samples[-1])
    if n_kept < least:
        return low, high
    slope /= contrast
    middle = (n - 1) // 2
    median = float(np.median(samples))
    return max(low, median - (middle - 1) * slope), min(high, median + (n - middle) * slope)


def unit_levels(image: Image, stretch: Stretch, *, low: float, high: float) -> Image:
    """Return where each value lies on the scale.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Values.
    stretch : Stretch
        Which curve.
    low, high : float
        Values at 0 and 1.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        0 to 1; what is not finite stays so.
    """
    scaled = np.clip((image - np.float32(low)) / np.float32(high - low), 0, 1)
    return _CURVES.get(stretch, _straight)(scaled).astype(np.float32, copy=False)


def value_at(level: float, stretch: Stretch, *, low: float, high: float) -> float:
    """Return the value shown at a level between 0 and 1: the inverse of `unit_levels`."""
    if stretch is Stretch.ASINH:
        level = float(np.sinh(level * np.arcsinh(1 / ASINH_KNEE)) * ASINH_KNEE)
    elif stretch is Stretch.LOG:
        level = float(np.expm1(level * np.log1p(LOG_RANGE)) / LOG_RANGE)
    return low + level * (high - low)


def _straight(scaled: Image) -> Image:
    return scaled


def _asinh(scaled: Image) -> Image:
    lifted: Image = np.arcsinh(scaled / np.float32(ASINH_KNEE)) / np.float32(np.arcsinh(1 / ASINH_KNEE))
    return lifted


def _log(scaled: Image) -> Image:
    lifted: Image = np.log1p(np.float32(LOG_RANGE) * scaled) / np.float32(np.log1p(LOG_RANGE))
    return lifted


_CURVES: Final[dict[Stretch, Callable[[Image], Image]]] = {Stretch.ASINH: _asinh, Stretch.LOG: _log}


def _finite(image: Image) -> Image:
    values = image.reshape(-1)
    return values[np.isfinite(values)]


def _apart(low: float, high: float) -> tuple[float, float]:
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _line(x: Vector, y: Vector) -> tuple[float, float]:
    """Fit slope and offset by least squares."""
    x_mean, y_mean = float(x.mean()), float(y.mean())
    spread = float(((x - x_mean) ** 2).sum())
    slope = float(((x - x_mean) * (y - y_mean)).sum()) / spread if spread else 0.0
    return slope, y_mean - slope * x_mean
