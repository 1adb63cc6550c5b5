"""Statistics of one amplifier of a residual image: what the bias tests of both tiers are made from.

Pixels in [electron]; every figure is NaN where no good pixel is left, never a number that looks measured.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image
from kernels.cosmic_rays import cosmic_ray_mask

CORNER_SIZE: Final = 200
"""Side of the box at the readout corner [pixel]."""

DISTRIBUTION_LEVELS: Final = (0.0, 5.0, 16.0, 50.0, 84.0, 95.0, 100.0)
"""Percentiles kept of a combined frame."""

QUARTILES_TO_SIGMA: Final = 0.741301109252801


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierStatistics:
    """Figures of one amplifier [electron]."""

    n_good: int
    mean_e: float
    """Of all good pixels."""
    noise_e: float
    """Standard deviation clipped at 5 sigma, 3 times."""
    cr_noise_e: float
    """Standard deviation, not clipped, without cosmic rays."""
    corner_e: float
    """Mean of the box at the readout corner."""
    n_cosmic_ray_pixels: int
    clean_mean_e: float
    """Mean without cosmic rays."""
    clean_corner_e: float
    """Mean of the corner box without cosmic rays."""
    row_rms_e: float
    """Scatter of the row means about their mean, without cosmic rays."""
    column_rms_e: float
    """Scatter of the column means about their mean, without cosmic rays."""


def clipped_moments(
    values: NDArray[np.float32], *, n_sigma: float = 5.0, max_iter: int = 3
) -> tuple[float, float, int]:
    """Return the mean and standard deviation of the values left after clipping.

    Parameters
    ----------
    values : ndarray, float32
        Finite values of any shape.
    n_sigma : float
        Values farther than this many sigma from the centre are left out [1].
    max_iter : int
        Clips done; the first is about the median with sigma from the quartiles, each later one about the mean kept.

    Returns
    -------
    mean, sigma : float
        Moments of the values kept; NaN without values.
    n_kept : int
        How many were kept.

    Examples
    --------
    >>> clipped_moments(np.array([1, 2, 3, 4, 1000], np.float32))[0]
    2.5
    """
    kept = values.ravel()
    if kept.size == 0:
        return math.nan, math.nan, 0
    low, centre, high = (float(q) for q in np.percentile(kept, (25.0, 50.0, 75.0)))
    sigma = QUARTILES_TO_SIGMA * (high - low)
    for _ in range(max_iter):
        inside = np.abs(values.ravel() - centre) <= n_sigma * sigma
        if not inside.any():
            break
        kept = values.ravel()[inside]
        centre = float(kept.mean(dtype=np.float64))
        sigma = float(kept.std(dtype=np.float64))
    return float(kept.mean(dtype=np.float64)), float(kept.std(dtype=np.float64)), int(kept.size)


def amplifier_statistics(
    image: Image, *, bad: BoolImage | None = None, is_readout_right: bool = False, is_readout_top: bool = False
) -> tuple[AmplifierStatistics, BoolImage]:
    """Measure one amplifier of a residual image.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Residual pixels as assembled [electron].
    bad : ndarray of shape (ny, nx), bool, optional
        Pixels to leave out; NaN and infinite ones are left out anyway.
    is_readout_right, is_readout_top : bool
        Where the first pixel read ended after the amplifier's flips.

    Returns
    -------
    statistics : AmplifierStatistics
        The figures.
    used : ndarray of shape (ny, nx), bool
        Good pixels without cosmic rays.
    """
    good = np.isfinite(image) if bad is None else np.isfinite(image) & ~bad
    n_good = int(np.count_nonzero(good))
    values = image[good]
    _, noise_e, _ = clipped_moments(values)
    rays = cosmic_ray_mask(image, noise=noise_e, bad=~good)
    used = good & ~rays
    clean = image[used]
    corner = corner_box(image.shape, is_readout_right=is_readout_right, is_readout_top=is_readout_top)
    statistics = AmplifierStatistics(
        n_good=n_good,
        mean_e=_mean(values),
        noise_e=noise_e,
        cr_noise_e=float(clean.std(dtype=np.float64)) if clean.size else math.nan,
        corner_e=_mean(image[corner][good[corner]]),
        n_cosmic_ray_pixels=int(np.count_nonzero(rays)),
        clean_mean_e=_mean(clean),
        clean_corner_e=_mean(image[corner][used[corner]]),
        row_rms_e=profile_rms(image, used, axis=1),
        column_rms_e=profile_rms(image, used, axis=0),
    )
    return statistics, used


def corner_box(
    shape: tuple[int, ...], *, is_readout_right: bool, is_readout_top: bool, size: int = CORNER_SIZE
) -> tuple[slice, slice]:
    """Return the box of `size` squared pixels at the readout corner, clipped to the amplifier.

    Parameters
    ----------
    shape : tuple of int
        ``(ny, nx)`` of the amplifier.
    is_readout_right, is_readout_top : bool
        The corner, after flips.
    size : int
        Side [pixel].

    Returns
    -------
    tuple of slice
        Rows and columns.

    Examples
    --------
    >>> corner_box((96, 509), is_readout_right=True, is_readout_top=False)
    (slice(0, 96, None), slice(309, 509, None))
    """
    n_rows, n_columns = shape
    height, width = min(size, n_rows), min(size, n_columns)
    rows = slice(n_rows - height, n_rows) if is_readout_top else slice(0, height)
    columns = slice(n_columns - width, n_columns) if is_readout_right else slice(0, width)
    return rows, columns


def profile_rms(image: Image, used: BoolImage, *, axis: int) -> float:
    """Return the scatter of the row (axis 1) or column (axis 0) means about their mean.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels [electron].
    used : ndarray of shape (ny, nx), bool
        Pixels to average; a row or column with fewer than half of its pixels is left out.
    axis : int
        The axis averaged over.

    Returns
    -------
    float
        Root mean square [electron]; NaN with fewer than two rows or columns.
    """
    counts = np.count_nonzero(used, axis=axis)
    enough = counts * 2 >= image.shape[axis]
    if np.count_nonzero(enough) < 2:
        return math.nan
    sums = np.where(used, image, np.float32(0.0)).sum(axis=axis, dtype=np.float64)
    return float(np.std(sums[enough] / counts[enough]))


def distribution(image: Image, *, bad: BoolImage | None = None) -> tuple[float, ...]:
    """Return the percentiles of a combined frame at `DISTRIBUTION_LEVELS`.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels, any unit.
    bad : ndarray of shape (ny, nx), bool, optional
        Pixels to leave out.

    Returns
    -------
    tuple of float
        One value a level; NaN without good pixels.
    """
    good = np.isfinite(image) if bad is None else np.isfinite(image) & ~bad
    values = image[good]
    if values.size == 0:
        return (math.nan,) * len(DISTRIBUTION_LEVELS)
    return tuple(float(value) for value in np.percentile(values, DISTRIBUTION_LEVELS))


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else math.nan
