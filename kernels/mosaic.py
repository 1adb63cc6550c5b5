"""Binned detectors to one focal-plane image, and images to grey levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image
from kernels.errors import NotEnoughDataError

_SAMPLES = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One detector of a mosaic."""

    image: Image
    """Binned pixels, y up, shape (ny, nx), float32."""
    center_x_mm: float
    center_y_mm: float
    width: int
    """Columns of the unbinned detector [pixel]."""
    height: int
    """Rows of the unbinned detector [pixel]."""
    quarter_turns: int = 0
    """Counter-clockwise quarter turns from detector to focal-plane axes."""


def focal_plane_mosaic(tiles: Sequence[Tile], *, factor: int, pixel_size_mm: float = 0.01) -> Image:
    """Place binned detectors by their focal-plane positions.

    Parameters
    ----------
    tiles : sequence of Tile
        Detectors, all binned by `factor`.
    factor : int
        Pixels per binned pixel, along each axis.
    pixel_size_mm : float
        Side of an unbinned pixel [mm].

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Focal plane, x right and y up (row 0 is the lowest), NaN where there is no detector.

    Raises
    ------
    NotEnoughDataError
        If there is no detector.

    Notes
    -----
    Positions are rounded to whole binned pixels; nothing is interpolated and no gap filled.
    """
    if not tiles:
        raise NotEnoughDataError("no detector to place in a mosaic")
    step_mm = pixel_size_mm * factor
    corners = []
    for tile in tiles:
        width, height = (tile.height, tile.width) if tile.quarter_turns % 2 else (tile.width, tile.height)
        corners.append(
            (tile.center_x_mm / step_mm - width / factor / 2, tile.center_y_mm / step_mm - height / factor / 2)
        )
    left, bottom = min(x for x, _ in corners), min(y for _, y in corners)
    # y is up and row 0 lowest: a counter-clockwise turn is a clockwise one for numpy, which draws row 0 on top
    turned = [np.rot90(tile.image, -tile.quarter_turns) for tile in tiles]
    places = [(round(x - left), round(y - bottom)) for x, y in corners]
    shape = (
        max(y + image.shape[0] for (_, y), image in zip(places, turned, strict=True)),
        max(x + image.shape[1] for (x, _), image in zip(places, turned, strict=True)),
    )
    plane = np.full(shape, np.nan, np.float32)
    for (x, y), image in zip(places, turned, strict=True):
        plane[y : y + image.shape[0], x : x + image.shape[1]] = image
    return plane


def display_limits(image: Image, *, low_percent: float = 1.0, high_percent: float = 99.0) -> tuple[float, float]:
    """Return the values to show as darkest and brightest.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels; at most about 40 000 evenly spaced ones are looked at.
    low_percent, high_percent : float
        Percentiles.

    Returns
    -------
    tuple of float
        Low and high, high > low; (0, 1) where no pixel is finite.
    """
    values = image.reshape(-1)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    sample = values[:: max(1, values.size // _SAMPLES)]
    low, high = (float(v) for v in np.percentile(sample, (low_percent, high_percent)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def stretch_to_uint8(image: Image, *, low: float, high: float, softening: float = 2.0) -> NDArray[np.uint8]:
    """Map values to grey levels by an asinh stretch.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels.
    low, high : float
        Values shown as 1 and 255.
    softening : float
        Strength of the stretch; near 0 it is linear.

    Returns
    -------
    ndarray of shape (ny, nx), uint8
        1..255; 0 where a pixel is not finite.
    """
    finite = np.isfinite(image)
    scaled = (np.where(finite, image, np.float32(low)) - np.float32(low)) / np.float32(high - low)
    np.clip(scaled, 0, 1, out=scaled)
    grey = np.arcsinh(np.float32(softening) * scaled) / np.float32(np.arcsinh(softening))
    return np.where(finite, (1 + 254 * grey + 0.5).astype(np.uint8), np.uint8(0))
