"""Small tables of numbers as pictures: one element is a block of whole cells, so that its place can be pointed at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calibstore.pipelines.screen_images import CellBox, Packed, Picture, pack
from kernels.display_colors import ColorMap
from kernels.display_stretch import Stretch
from kernels.statistics import percentiles

_COLORLESS = ("ramp", "dither")
_WIDEST = 4
"""Columns of an element for each of its rows, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A part of a raster that the cursor can stand on, half-open, in elements; row 0 on top."""

    name: str
    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """Numbers to draw."""

    values: NDArray[np.float64]
    """Shape (ny, nx), row 0 on top; NaN is blank."""
    unit: str = ""
    is_signed: bool = True
    """Zero in the middle of the scale; without colours, magnitudes."""
    areas: tuple[Area, ...] = field(default=())
    is_map: bool = False
    """A picture of a place: it may be drawn in any size that keeps its shape."""
    is_rooted: bool = False
    """Colours go by the root of magnitudes: small ones are seen beside a large one."""


def draw_raster(
    raster: Raster, *, key: tuple[object, ...], columns: int, rows: int, mode: str, color_map: str
) -> Picture | None:
    """Draw numbers as a picture.

    Parameters
    ----------
    raster : Raster
        What is shown.
    key : tuple
        Equal for equal rasters.
    columns, rows : int
        Most cells.
    mode, color_map : str
        As `calibstore.pipelines.screen_images.Wish`; signed numbers are drawn in the diverging map.

    Returns
    -------
    Picture or None
        None where no element is finite, or there is no room.
    """
    values = raster.values
    finite = np.isfinite(values)
    if not finite.any():
        return None
    size = _cells(raster, columns, rows)
    if size is None:
        return None
    is_signed = raster.is_signed and mode not in _COLORLESS
    shown = values if is_signed or not raster.is_signed else np.abs(values)
    largest = float(np.abs(values[finite]).max()) or 1.0
    between = (-largest if is_signed else 0.0, largest)
    chosen = ColorMap.DIVERGING if is_signed else ColorMap(color_map)
    across, half_rows = size
    if raster.is_map:
        shown = _farthest(shown, size[1], size[0])
    drawn, ends = shown, between
    if raster.is_rooted:
        drawn = np.sign(shown) * np.sqrt(np.abs(shown))
        ends = (-math.sqrt(largest) if is_signed else 0.0, math.sqrt(largest))
    packed = _packed(drawn, ends, chosen, mode, size=size)
    numbers = np.sort(values[finite])
    smallest, median, most = (float(one) for one in percentiles(numbers.astype(np.float32), (0, 50, 100)))
    return Picture(
        key=(*key, across, half_rows, mode, color_map),
        columns=across,
        rows=half_rows // 2,
        mode=mode,
        color_map=str(chosen),
        stretch="root" if raster.is_rooted else "linear",
        glyphs=packed.glyphs,
        inks=packed.inks,
        papers=packed.papers,
        colors=packed.colors,
        low=between[0],
        high=between[1],
        ticks=tuple(between[0] + at / 4 * (between[1] - between[0]) for at in range(5)),
        n_steps=len(packed.colors),
        tolerance=packed.tolerance,
        boxes=_boxes(raster, across, half_rows),
        block=1,
        n_blocks=int(finite.sum()),
        median=median,
        mad=float(np.median(np.abs(numbers - median))),
        smallest=smallest,
        largest=most,
        histogram=(),
        n_below=0,
        n_above=0,
    )


def element_areas(names: Sequence[str], *, between: str = ">") -> tuple[Area, ...]:
    """Return an area for each element of a square of rows and columns with the same names, but its diagonal."""
    return tuple(
        Area(name=f"{row_name}{between}{column_name}", x0=x, y0=y, x1=x + 1, y1=y + 1)
        for y, row_name in enumerate(names)
        for x, column_name in enumerate(names)
        if x != y
    )


def _cells(raster: Raster, columns: int, rows: int) -> tuple[int, int] | None:
    """Return columns and half rows, even, of whole elements where they fit."""
    ny, nx = raster.values.shape
    if raster.is_map:
        scale = min(columns / nx, 2 * rows / ny)
        across, half_rows = round(nx * scale), round(ny * scale)
        return (across, half_rows - half_rows % 2) if across and half_rows >= 2 else None
    tall = rows // ny
    if tall:
        wide = min(columns // nx, _WIDEST * tall)
        return (wide * nx, 2 * tall * ny) if wide else None
    wide = min(columns // nx, _WIDEST // 2)
    return (wide * nx, ny + ny % 2) if wide and ny <= 2 * rows else None


def _farthest(values: NDArray[np.float64], ny: int, nx: int) -> NDArray[np.float64]:
    """Return in fewer elements the value farthest from zero of each: a mean would hide what is small."""
    for axis, wanted in ((0, ny), (1, nx)):
        size = values.shape[axis]
        if wanted < size:
            begins = np.arange(wanted) * size // wanted
            high, low = np.maximum.reduceat(values, begins, axis), np.minimum.reduceat(values, begins, axis)
            values = np.where(high >= -low, high, low)
    return values


def _packed(
    values: NDArray[np.float64], between: tuple[float, float], color_map: ColorMap, mode: str, *, size: tuple[int, int]
) -> Packed:
    columns, half_rows = size
    # An odd number of half rows leaves the last one empty.
    if half_rows == values.shape[0] + 1:
        values = np.vstack([values, np.full((1, values.shape[1]), np.nan)])
    image = np.ascontiguousarray(values[::-1], np.float32)
    return pack(
        image,
        np.isfinite(image),
        stretch=Stretch.LINEAR,
        between=between,
        color_map=color_map,
        mode=mode,
        columns=columns,
        rows=half_rows // 2,
    )


def _boxes(raster: Raster, columns: int, half_rows: int) -> tuple[CellBox, ...]:
    ny, nx = raster.values.shape
    per_x, per_y = columns / nx, (half_rows if half_rows % ny == 0 or raster.is_map else ny) / ny / 2
    boxes = []
    for area in raster.areas:
        x0, y0 = round(area.x0 * per_x), int(area.y0 * per_y)
        boxes.append(
            CellBox(
                detector=0,
                name=area.name,
                x0=x0,
                y0=y0,
                x1=max(x0 + 1, round(area.x1 * per_x)),
                y1=max(y0 + 1, int(area.y1 * per_y)),
            )
        )
    return tuple(boxes)
