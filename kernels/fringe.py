"""Fringes of the sky: the shape from many frames, and how much of it is in one (generation.md 5.8)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image, Vector
from kernels.crosstalk_measure import block_means
from kernels.errors import KernelError, NotEnoughDataError
from kernels.statistics import clipped_statistics

_FEWEST_BOXES: Final = 10
_LEAST_FILLED: Final = 0.5
"""A box with less of its pixels usable says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FringeRule:
    """How the amplitude of fringes in one frame is measured."""

    n_boxes: int = 30_000
    small_px: int = 3
    """Half side of the box that is measured [pixel]."""
    large_px: int = 30
    """Half side of the box that is its background [pixel]."""
    n_clips: int = 20
    n_sigma: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FringeFit:
    """How much of a fringe pattern is in an image."""

    amplitude: float
    """What the pattern is multiplied by; of a pattern that is a fraction of the sky, about the sky itself [unit of the
    image]."""
    error: float
    """Of the amplitude, from the scatter of the boxes."""
    n_boxes: int
    """Boxes the clip kept."""


def sky_fraction(image: Image, excluded: BoolImage, *, block_px: int = 16) -> tuple[Image, float]:
    """Return what is left of a sky frame when its smooth part is taken off, as a fraction of the sky.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Sky frame, flat-fielded.
    excluded : ndarray of shape (ny, nx), bool
        Sources and pixels without a value.
    block_px : int
        Side of the blocks to which the plane is fitted [pixel].

    Returns
    -------
    fraction : ndarray of shape (ny, nx), float32
        (image - plane) / level [1]; NaN where excluded.
    level : float
        Clipped mean of the sky [unit of the image].

    Raises
    ------
    NotEnoughDataError
        If no pixel is left, or the sky is not positive.

    Notes
    -----
    The smooth part is a plane: what bends would take fringes with it, and moonlight over one detector does not.
    """
    missing = excluded | ~np.isfinite(image)
    level = clipped_statistics(image[~missing]).mean
    if not level > 0:
        raise NotEnoughDataError(f"a sky of {level:.3g}")
    ny, nx = image.shape
    means = block_means(image, missing, block_px) if min(ny, nx) >= 2 * block_px else np.empty((0, 0))
    y, x = np.nonzero(np.isfinite(means))
    plane: NDArray[np.float64] = np.full((ny, 1), level)
    if y.size >= _FEWEST_BOXES:
        design = np.stack([np.ones(y.size), (y + 0.5) * block_px / ny - 0.5, (x + 0.5) * block_px / nx - 0.5], axis=1)
        zero, along_y, along_x = np.linalg.lstsq(design, means[y, x], rcond=None)[0]
        rows, columns = ((np.arange(n) + 0.5) / n - 0.5 for n in (ny, nx))
        plane = zero + along_y * rows[:, None] + along_x * columns[None, :]
    fraction: Image = ((image - plane.astype(np.float32)) / np.float32(level)).astype(np.float32)
    fraction[missing] = np.nan
    return fraction, level


def fringe_amplitude(
    image: Image, fringe: Image, excluded: BoolImage, *, seed: int, rule: FringeRule | None = None
) -> FringeFit:
    """Measure how much of a fringe pattern is in an image.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Sky frame, any unit.
    fringe : ndarray of shape (ny, nx), float32
        Pattern, see `sky_fraction`.
    excluded : ndarray of shape (ny, nx), bool
        Pixels of either that take no part; those that are not finite never do.
    seed : int
        Of the places of the boxes, e.g. the exposure number: the same boxes at every run.
    rule : FringeRule, optional
        Boxes and clip.

    Returns
    -------
    FringeFit

    Raises
    ------
    NotEnoughDataError
        If too few boxes are usable, or the pattern is flat.

    Notes
    -----
    Of each box the mean less that of the large box around it, in image and pattern alike; least squares through zero,
    boxes beyond the clip left out up to `n_clips` times. Single mode: fringes of several sky lines whose strengths
    change apart are not told apart.
    """
    rule = rule or FringeRule()
    if image.shape != fringe.shape or min(rule.small_px, rule.large_px - rule.small_px, rule.n_boxes) < 1:
        raise KernelError(f"image {image.shape}, fringe {fringe.shape}, boxes of {rule.small_px} and {rule.large_px}")
    is_used = ~excluded & np.isfinite(image) & np.isfinite(fringe)
    rng = np.random.default_rng(seed)
    n_boxes = min(rule.n_boxes, image.size)
    y, x = (rng.integers(0, size, n_boxes) for size in image.shape)
    inner = _Boxes(y, x, rule.small_px, is_used)
    outer = _Boxes(y, x, rule.large_px, is_used)
    is_filled = (inner.filled >= _LEAST_FILLED) & (outer.filled >= _LEAST_FILLED)
    seen, known = (
        (inner.means(plane) - outer.means(plane))[is_filled]
        for plane in (np.where(is_used, image, np.float32(0.0)), np.where(is_used, fringe, np.float32(0.0)))
    )
    for _ in range(rule.n_clips + 1):
        power = float((known**2).sum())
        if seen.size < _FEWEST_BOXES or not power > 0:
            raise NotEnoughDataError(f"{seen.size} boxes show something of the fringes")
        amplitude = float((seen * known).sum()) / power
        residual = seen - amplitude * known
        sigma = float(residual.std(ddof=1))
        is_near = np.abs(residual) <= rule.n_sigma * sigma
        if is_near.all():
            break
        seen, known = seen[is_near], known[is_near]
    return FringeFit(amplitude=amplitude, error=sigma / float(np.sqrt(power)), n_boxes=int(seen.size))


def subtract_fringe(image: Image, fringe: Image, amplitude: float) -> Image:
    """Return an image without its fringes; pixels where the pattern has no value keep theirs.

    Parameters
    ----------
    image, fringe : ndarray of shape (ny, nx), float32
        Frame and pattern.
    amplitude : float
        See `fringe_amplitude` [unit of the image].
    """
    pattern = np.where(np.isfinite(fringe), fringe, np.float32(0.0))
    corrected: Image = (image - np.float32(amplitude) * pattern).astype(np.float32)
    return corrected


class _Boxes:
    """Means over many boxes of one size, from sums over rectangles that begin at the corner."""

    def __init__(self, y: NDArray[np.int64], x: NDArray[np.int64], half_px: int, is_used: BoolImage) -> None:
        ny, nx = is_used.shape
        self._y0, self._y1 = np.maximum(y - half_px, 0), np.minimum(y + half_px + 1, ny)
        self._x0, self._x1 = np.maximum(x - half_px, 0), np.minimum(x + half_px + 1, nx)
        self._counts = self._sums(is_used.astype(np.float32))
        self.filled = self._counts / ((self._y1 - self._y0) * (self._x1 - self._x0))

    def means(self, plane: Image) -> Vector:
        """Return the mean of each box; unused pixels of the plane are zero."""
        means: Vector = self._sums(plane) / np.maximum(self._counts, 1.0)
        return means

    def _sums(self, plane: Image) -> Vector:
        sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1))
        np.cumsum(plane, axis=0, dtype=np.float64, out=sums[1:, 1:])
        np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
        found: Vector = (
            sums[self._y1, self._x1] - sums[self._y0, self._x1] - sums[self._y1, self._x0] + sums[self._y0, self._x0]
        )
        return found
