"""Find cosmic rays in frames without stars: sharp peaks over the median of their 3x3 neighbourhood.

Valid for calibration frames (bias, dark, flat) only: on the sky the core of a star is such a peak too.
"""

from typing import Final

import numpy as np

from kernels.arrays import BoolImage, Image

BAND_ROWS: Final = 64
"""Rows filtered at a time, so that the working set stays in the processor cache."""

GROWING_STEPS: Final = 3


def median_3x3(image: Image) -> Image:
    """Return the median of each pixel's 3x3 neighbourhood.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Finite pixels.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Medians; outside the border the nearest pixel is repeated.

    Notes
    -----
    Each vertical triple is sorted once and shared by its three horizontal neighbours; the median of nine is then the
    median of (largest low, middle middle, smallest high).

    Examples
    --------
    >>> spike = np.zeros((3, 3), np.float32); spike[1, 1] = 9
    >>> float(median_3x3(spike)[1, 1])
    0.0
    """
    n_rows = image.shape[0]
    result = np.empty(image.shape, np.float32)
    for start in range(0, n_rows, BAND_ROWS):
        stop = min(start + BAND_ROWS, n_rows)
        rows = np.clip(np.arange(start - 1, stop + 1), 0, n_rows - 1)
        band = np.pad(image[rows], ((0, 0), (1, 1)), mode="edge")
        low, middle, high = _sort_three(band[:-2], band[1:-1], band[2:])
        low_max = np.maximum(np.maximum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
        high_min = np.minimum(np.minimum(high[:, :-2], high[:, 1:-1]), high[:, 2:])
        middle_median = _sort_three(middle[:, :-2], middle[:, 1:-1], middle[:, 2:])[1]
        result[start:stop] = _sort_three(low_max, middle_median, high_min)[1]
    return result


def cosmic_ray_mask(
    image: Image,
    *,
    noise: float,
    n_sigma: float = 6.0,
    n_sigma_neighbour: float = 3.0,
    bad: BoolImage | None = None,
) -> BoolImage:
    """Mark pixels that stand above the median of their neighbourhood.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        A frame without stars, any unit.
    noise : float
        Standard deviation of its pixels, same unit.
    n_sigma : float
        A peak exceeds the local median by more than this many `noise` [1].
    n_sigma_neighbour : float
        Pixels beside a marked one need only this much [1]; applied three times, so tracks are followed.
    bad : ndarray of shape (ny, nx), bool, optional
        Pixels to leave out: never marked, and replaced by the frame's median when filtering.

    Returns
    -------
    ndarray of shape (ny, nx), bool
        True where a cosmic ray is.

    Notes
    -----
    ``n_sigma`` of 6 and three growing steps are those of the peers' finder; its minimum of 150 e- and its test against
    the shape of a star are left out: a bias residual holds no star, and a weak ray counts too.
    """
    unusable = ~np.isfinite(image) if bad is None else bad | ~np.isfinite(image)
    if unusable.all() or not np.isfinite(noise):
        return np.zeros(image.shape, np.bool_)
    filled = np.where(unusable, np.float32(np.median(image[~unusable])), image) if unusable.any() else image
    excess = filled - median_3x3(filled)
    marked = (excess > n_sigma * noise) & ~unusable
    if not marked.any():
        return marked
    candidates = (excess > n_sigma_neighbour * noise) & ~unusable
    for _ in range(GROWING_STEPS):
        grown = _dilate(marked) & candidates
        if (grown == marked).all():
            break
        marked |= grown
    return marked


def _sort_three(first: Image, second: Image, third: Image) -> tuple[Image, Image, Image]:
    small, large = np.minimum(first, second), np.maximum(first, second)
    rest = np.minimum(large, third)
    return np.minimum(small, rest), np.maximum(small, rest), np.maximum(large, third)


def _dilate(mask: BoolImage) -> BoolImage:
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    high = wide.copy()
    high[1:] |= wide[:-1]
    high[:-1] |= wide[1:]
    return high
