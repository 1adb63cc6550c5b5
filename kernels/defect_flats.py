"""What flats need before their defects are found: vampire pixels, midline of E2V detectors, slopes of amplifiers."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from kernels.arrays import BoolImage, Image
from kernels.binning import bin_mean
from kernels.errors import NotEnoughDataError

_CLIP_SIGMA: Final = 4.0
_TABLE_SIZE: Final = 2048


def vampire_pixels(flat: Image, *, threshold: float = 1.9, radius: int = 8) -> tuple[BoolImage, int]:
    """Mark pixels that draw charge from their surroundings, with these.

    Parameters
    ----------
    flat : ndarray of shape (ny, nx), float32
        Combined flat, about 1.
    threshold : float
        A brighter pixel is one [flat unit].
    radius : int
        Radius of the disk masked round it [pixel].

    Returns
    -------
    mask : ndarray of shape (ny, nx), bool
        The disks.
    n_pixels : int
        Pixels above the threshold.
    """
    mask = np.zeros(flat.shape, np.bool_)
    bright = np.argwhere(flat > threshold)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = np.argwhere(x * x + y * y <= radius * radius) - radius
    for dy, dx in disk:
        rows, columns = bright[:, 0] + dy, bright[:, 1] + dx
        inside = (rows >= 0) & (rows < flat.shape[0]) & (columns >= 0) & (columns < flat.shape[1])
        mask[rows[inside], columns[inside]] = True
    return mask, len(bright)


def midline_rows(places: Sequence[tuple[slice, slice]]) -> list[tuple[slice, slice]]:
    """Return the one row of each amplifier that touches the line between lower and upper amplifiers.

    Parameters
    ----------
    places : sequence of tuple of slice
        Rows and columns of each amplifier of a detector of two rows of amplifiers.

    Returns
    -------
    list of tuple of slice
        Rows and columns; empty where there is one row of amplifiers.
    """
    starts = sorted({rows.start for rows, _ in places})
    if len(starts) != 2:
        return []
    middle = starts[1]
    return [
        (slice(middle - 1, middle) if rows.start < middle else slice(middle, middle + 1), columns)
        for rows, columns in places
    ]


def radial_shape(
    amplifier: Image,
    *,
    center: tuple[float, float],
    ignore: BoolImage | None = None,
    n_nodes: int = 4,
    bin_px: int = 8,
    border_px: int = 20,
) -> Image:
    """Fit how the light on an amplifier depends on the distance from the middle of the focal plane.

    Parameters
    ----------
    amplifier : ndarray of shape (ny, nx), float32
        Part of a flat.
    center : tuple of float
        Row and column of the middle of the focal plane, counted from the amplifier's first pixel [pixel].
    ignore : ndarray of shape (ny, nx), bool, optional
        Pixels that take no part.
    n_nodes : int
        Nodes of the cubic spline, evenly spaced in radius.
    bin_px, border_px : int
        Size of the bins fitted, and width of the border left out [pixel].

    Returns
    -------
    ndarray of shape (ny, nx), float32
        The fitted shape, of mean 1.

    Raises
    ------
    NotEnoughDataError
        If fewer bins than nodes are usable.
    """
    from scipy.interpolate import CubicSpline

    y, x = np.indices(amplifier.shape, np.float32)
    radius = np.hypot(y - center[0], x - center[1])
    usable = np.isfinite(amplifier) if ignore is None else np.isfinite(amplifier) & ~ignore
    inner = np.s_[border_px : amplifier.shape[0] - border_px, border_px : amplifier.shape[1] - border_px]
    values = bin_mean(np.where(usable, amplifier, np.float32(np.nan))[inner], bin_px).ravel()
    at = bin_mean(radius[inner], bin_px).ravel()[np.isfinite(values)]
    values = values[np.isfinite(values)]
    if values.size <= n_nodes:
        raise NotEnoughDataError(f"{values.size} bins of {bin_px} pixels for {n_nodes} nodes")
    nodes = np.linspace(float(radius.min()), float(radius.max()), n_nodes)
    basis = CubicSpline(nodes, np.eye(n_nodes), bc_type="natural")
    design, kept = basis(at), np.ones(values.size, np.bool_)
    fitted = np.zeros(n_nodes)
    for _ in range(3):
        fitted = np.linalg.lstsq(design[kept], values[kept], rcond=None)[0]
        residual = values - design @ fitted
        width = 1.4826 * float(np.median(np.abs(residual[kept])))
        kept = np.abs(residual) <= max(_CLIP_SIGMA * width, 1e-9)
        if kept.sum() <= n_nodes:
            break
    grid = np.linspace(nodes[0], nodes[-1], _TABLE_SIZE)
    shape = np.interp(radius, grid, basis(grid) @ fitted)
    relative: Image = (shape / shape.mean()).astype(np.float32)
    return relative
