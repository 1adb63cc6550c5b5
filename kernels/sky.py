"""What each detector adds to the sky over the focal plane, as a fraction of it (generation.md 5.10)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError

SUPERPIXEL_MM: Final = 40.96
"""Side of the cells of the smooth sky: that of a full-size detector."""

_STIFFNESS: Final = 1e-3
"""Weight of the bends of the smooth sky, beside that of a typical cell's blocks: cells without any are carried on."""
_CLIP_SIGMA: Final = 3.0
_N_CLIPS: Final = 3
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyShape:
    """Shape of the sky on the blocks of some detectors, arrays of shape (n_blocks,)."""

    residual: Vector
    """What is left of the sky without its smooth part, as a fraction of it [1]; NaN where no exposure has a value."""
    variance: Vector
    """Of the mean over exposures, from their scatter [1]; NaN with fewer than two."""
    count: NDArray[np.int64]
    """Exposures kept."""
    scales: Vector
    """Median sky of each exposure, shape (n_exposures,) [unit of the levels]; NaN for one that is left out."""


def sky_shape(
    x_mm: Vector, y_mm: Vector, levels: NDArray[np.float64], *, superpixel_mm: float = SUPERPIXEL_MM
) -> SkyShape:
    """Return what blocks of detectors show beyond a smooth sky, averaged over exposures.

    Parameters
    ----------
    x_mm, y_mm : ndarray of shape (n_blocks,), float64
        Middles of the blocks on the focal plane.
    levels : ndarray of shape (n_exposures, n_blocks), float64
        Sky in each block of each exposure; NaN where there is none.
    superpixel_mm : float
        Cells of the smooth sky.

    Returns
    -------
    SkyShape

    Raises
    ------
    NotEnoughDataError
        If no exposure has a positive sky.
    """
    basis = _Tents(x_mm, y_mm, superpixel_mm)
    residuals, scales = np.full(levels.shape, np.nan), np.full(len(levels), np.nan)
    for number, level in enumerate(levels):
        finite = np.isfinite(level)
        scale = float(np.median(level[finite])) if finite.any() else 0.0
        if scale > 0:
            scales[number] = scale
            residuals[number] = (level - basis.smooth(level)) / scale
    if not np.isfinite(scales).any():
        raise NotEnoughDataError("no exposure has a sky above zero")
    mean, variance, count = _clipped_over_exposures(residuals)
    return SkyShape(residual=mean, variance=variance, count=count, scales=scales)


def _clipped_over_exposures(
    residuals: NDArray[np.float64],
) -> tuple[Vector, Vector, NDArray[np.int64]]:
    kept = np.isfinite(residuals)
    filled = np.where(kept, residuals, 0.0)
    for _ in range(_N_CLIPS):
        seen = np.where(kept, residuals, np.nan)
        some = kept.any(axis=0)
        center, width = np.zeros(seen.shape[1]), np.full(seen.shape[1], np.inf)
        center[some] = np.nanmedian(seen[:, some], axis=0)
        width[some] = _MAD_TO_SIGMA * np.nanmedian(np.abs(seen[:, some] - center[some]), axis=0)
        # of two values neither is unlike the other
        width[kept.sum(axis=0) < 4] = np.inf
        kept &= np.abs(filled - center) <= _CLIP_SIGMA * width + 1e-15
    count = kept.sum(axis=0)
    total = np.where(kept, residuals, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    squares = np.where(kept, (filled - np.nan_to_num(mean)) ** 2, 0.0).sum(axis=0)
    variance = np.divide(squares, (count - 1) * count, out=np.full(count.shape, np.nan), where=count > 1)
    return mean, variance, count.astype(np.int64)


class _Tents:
    """Values at the corners of cells, straight between them, found by least squares.

    A sky that is a slope is followed exactly, also in cells that detectors fill in part only.
    """

    def __init__(self, x_mm: Vector, y_mm: Vector, step_mm: float) -> None:
        from scipy.sparse import csr_matrix

        places, sizes = [], []
        for axis in (x_mm, y_mm):
            # whole cells about the middle of the focal plane, as many as the detectors take
            first = np.floor(axis.min() / step_mm)
            place = axis / step_mm - first
            places.append(place)
            sizes.append(int(np.floor(place.max())) + 2)
        (across, up), (nx, ny) = places, sizes
        rows, columns, weights = [], [], []
        for dy in (0, 1):
            for dx in (0, 1):
                ix, iy = np.floor(across).astype(np.int64) + dx, np.floor(up).astype(np.int64) + dy
                rows.append(np.arange(x_mm.size))
                columns.append(iy * nx + ix)
                weights.append((1 - np.abs(across - ix)) * (1 - np.abs(up - iy)))
        placed = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
        self._design = csr_matrix(placed, shape=(x_mm.size, nx * ny))
        self._bends = _bends(nx, ny)

    def smooth(self, level: Vector) -> Vector:
        """Return the smooth sky under values; those that are NaN, or apart as missed stars are, take no part."""
        kept = np.isfinite(level)
        smooth = np.zeros(level.shape)
        for _ in range(_N_CLIPS + 1):
            used = self._design[kept]
            curvature = np.asarray((used.T @ used).todense(), np.float64)
            typical = float(np.trace(curvature)) / max(int(np.count_nonzero(np.diag(curvature))), 1)
            stiff = curvature + _STIFFNESS * typical * self._bends
            corners = np.linalg.lstsq(stiff, used.T @ level[kept], rcond=1e-12)[0]
            smooth = np.asarray(self._design @ corners, np.float64)
            rest = np.abs(level - smooth)
            width = _MAD_TO_SIGMA * float(np.median(rest[kept]))
            is_near = np.isfinite(level) & (rest <= _CLIP_SIGMA * width + 1e-12 * np.abs(smooth))
            if (is_near == kept).all() or not is_near.any():
                break
            kept = is_near
        return smooth


def _bends(nx: int, ny: int) -> NDArray[np.float64]:
    """Return the sum of squared second differences of corner values, and of their twist, as a matrix."""
    number = np.arange(nx * ny).reshape(ny, nx)
    rows = []
    for line in (*number, *number.T):
        for place in range(1, line.size - 1):
            row = np.zeros(nx * ny)
            row[line[place - 1 : place + 2]] = 1.0, -2.0, 1.0
            rows.append(row)
    for iy in range(ny - 1):
        for ix in range(nx - 1):
            row = np.zeros(nx * ny)
            row[number[iy : iy + 2, ix : ix + 2].ravel()] = 1.0, -1.0, -1.0, 1.0
            rows.append(row)
    if not rows:
        return np.zeros((nx * ny, nx * ny))
    bends = np.array(rows)
    square: NDArray[np.float64] = bends.T @ bends
    return square
