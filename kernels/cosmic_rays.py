"""Find cosmic rays in frames without stars: peaks sharper than light can make, or above their 3x3 neighbourhood.

Valid for calibration frames (bias, dark, flat) only: on the sky the core of a star is such a peak too.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image, Vector

Indices: TypeAlias = NDArray[np.intp]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmicRayRule:
    """What makes a peak a cosmic ray; the defaults are the published ones for darks."""

    n_sigma: float = 6.0
    """A peak exceeds the sky by this much noise [1] ..."""
    minimum_e: float = 150.0
    """... and by this charge [electron]."""
    psf_fwhm_px: float = 3.0
    """Width of the sharpest thing that light can make [pixel]."""
    sharpness: float = 0.6
    """Share of that image's fall-off a ray may reach [1]."""
    significance: float = 2.5
    """Noise allowed for in the comparison of a peak with its neighbours [1]."""
    n_sigma_neighbour: float = 3.0
    """Pixels beside a found one need only this much noise [1]."""
    growing_steps: int = GROWING_STEPS
    """How often such neighbours are looked for."""


DARK_RULE: Final = CosmicRayRule()
"""6 sigma and 150 electrons, sharper than a Gaussian of 3 pixels along one of four axes."""

_AXES: Final = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps (row, column) to one of the two opposite neighbours."""


def cosmic_ray_pixels(
    image: Image,
    *,
    sky_e: float,
    noise_e: float,
    rule: CosmicRayRule = DARK_RULE,
    bad: BoolImage | None = None,
) -> Indices:
    """Find the pixels of cosmic rays by their height and sharpness.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        A frame without stars [electron]; pixels that are not finite take no part.
    sky_e : float
        Its level [electron].
    noise_e : float
        Standard deviation of a pixel at that level [electron]; the noise of charge above it is added.
    rule : CosmicRayRule
        Heights and sharpness.
    bad : ndarray of shape (ny, nx), bool, optional
        Pixels to leave out: never found, and taken as sky beside others.

    Returns
    -------
    ndarray of shape (n,), intp
        Sorted indices into the flattened image.

    Notes
    -----
    With I the height of a peak above the sky and m the mean of two opposite neighbours at distance d, the peak is a ray
    when m < sharpness * exp(-d^2 / 2 s^2) * (I - significance * sigma_I) + significance * sigma_m along at least one of
    the four axes, s the width of the image of a star. Only pixels above the height are looked at, a few in a million,
    so the cost is one comparison per pixel. Growth by a number of pixels is `grown_mask`'s.
    """
    return cosmic_ray_parts(image, sky_e=sky_e, noise_e=noise_e, rule=rule, bad=bad)[1]


def cosmic_ray_parts(
    image: Image, *, sky_e: float, noise_e: float, rule: CosmicRayRule = DARK_RULE, bad: BoolImage | None = None
) -> tuple[Indices, Indices]:
    """Find the peaks of cosmic rays, and all their pixels as `cosmic_ray_pixels` does.

    Parameters
    ----------
    image, sky_e, noise_e, rule, bad
        As for `cosmic_ray_pixels`.

    Returns
    -------
    peaks, pixels : ndarray of shape (n,), intp
        Sorted indices into the flattened image; the peaks are among the pixels.
    """
    ny, nx = image.shape
    flat = image.reshape(-1)
    height = max(rule.n_sigma * noise_e, rule.minimum_e)
    hidden = None if bad is None else bad.reshape(-1)
    peaks = np.flatnonzero(flat > np.float32(sky_e + height))
    if hidden is not None:
        peaks = peaks[~hidden[peaks]]
    if peaks.size == 0:  # as in most bands of most frames
        return peaks, peaks

    def above_sky(rows: Indices, columns: Indices) -> Vector:
        is_inside = (rows >= 0) & (rows < ny) & (columns >= 0) & (columns < nx)
        index = np.where(is_inside, rows * nx + columns, 0)
        is_usable = is_inside & np.isfinite(flat[index])
        if hidden is not None:
            is_usable &= ~hidden[index]
        return np.where(is_usable, flat[index].astype(np.float64) - sky_e, 0.0)

    rows, columns = np.divmod(peaks, nx)
    peak = above_sky(rows, columns)
    peak_noise = np.sqrt(noise_e**2 + peak)
    is_sharp = np.zeros(peaks.size, np.bool_)
    star_sigma = rule.psf_fwhm_px / (2 * np.sqrt(2 * np.log(2)))
    for dy, dx in _AXES:
        fall = float(np.exp(-(dy * dy + dx * dx) / (2 * star_sigma**2)))
        beside = (above_sky(rows + dy, columns + dx) + above_sky(rows - dy, columns - dx)) / 2
        beside_noise = np.sqrt((noise_e**2 + np.maximum(beside, 0.0)) / 2)
        limit = rule.sharpness * fall * (peak - rule.significance * peak_noise) + rule.significance * beside_noise
        is_sharp |= beside < limit
    sharp, limit_e = peaks[is_sharp], np.float32(sky_e + rule.n_sigma_neighbour * noise_e)
    return sharp, _with_neighbours(sharp, image, hidden, limit_e, rule)


def grown_mask(indices: Indices, shape: tuple[int, int], radius: int = 2) -> BoolImage:
    """Return a mask of some pixels and all within a distance of them.

    Parameters
    ----------
    indices : ndarray of shape (n,), intp
        Into the flattened image.
    shape : tuple of int
        Rows and columns.
    radius : int
        Euclidean distance [pixel].

    Returns
    -------
    ndarray of `shape`, bool
    """
    ny, nx = shape
    mask = np.zeros(shape, np.bool_)
    rows, columns = np.divmod(indices, nx)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx <= radius * radius:
                y, x = rows + dy, columns + dx
                is_inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
                mask[y[is_inside], x[is_inside]] = True
    return mask


def _with_neighbours(
    found: Indices, image: Image, hidden: NDArray[np.bool_] | None, limit: np.float32, rule: CosmicRayRule
) -> Indices:
    """Add neighbours above a lower limit, step by step, so that faint parts of a track are followed."""
    ny, nx = image.shape
    flat = image.reshape(-1)
    edge = found
    for _ in range(rule.growing_steps):
        if edge.size == 0:
            break
        rows, columns = np.divmod(edge, nx)
        beside = [(rows + dy, columns + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
        y, x = (np.concatenate(part) for part in zip(*beside, strict=True))
        is_inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
        index = np.unique(y[is_inside] * nx + x[is_inside])
        index = index[flat[index] > limit]
        if hidden is not None:
            index = index[~hidden[index]]
        edge = np.setdiff1d(index, found, assume_unique=True)
        found = np.union1d(found, edge)
    return np.sort(found)


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
