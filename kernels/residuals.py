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
from kernels.statistics import clipped_statistics

CORNER_SIZE: Final = 200
"""Side of the box at the readout corner [pixel]."""

NOISE_CLIP_SIGMA: Final = 5.0
"""Clip of the noise, done three times."""


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
    noise_e = clipped_statistics(values, n_sigma=NOISE_CLIP_SIGMA).stdev if n_good else math.nan
    rays = cosmic_ray_mask(image, noise=noise_e, bad=~good)
    used = good & ~rays
    clean = image[used]
    corner = corner_box(image.shape, is_readout_right=is_readout_right, is_readout_top=is_readout_top)
    statistics = AmplifierStatistics(
        n_good=n_good,
        mean_e=_mean(values),
        noise_e=noise_e,
        cr_noise_e=float(clean.std(dtype=np.float64, ddof=1)) if clean.size > 1 else math.nan,
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


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else math.nan
