"""Pictures for a terminal: pixels stretched, cut into steps and packed as bytes.

A widget gets bytes and plain numbers from here and never an array.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.png import write_png
from calibstore.errors import ConflictError, UserInputError
from calibstore.pipelines.screen_planes import Plane, Scene, load_plane, scene_key
from kernels.arrays import Image
from kernels.display_cells import (
    NO_DATA,
    dither_text,
    line_cost,
    packed_cells,
    ramp_text,
    resampled,
    steps_of,
)
from kernels.display_colors import ColorMap, color_table, grey_table, palette_table
from kernels.display_layout import Box, Place, cell_boxes
from kernels.display_stretch import Stretch, limits, symmetric_limits, unit_levels, value_at
from kernels.statistics import percentiles

HALF_MODES: Final = ("palette", "truecolor", "grey")
MODES: Final = (*HALF_MODES, "ramp", "dither")
"""How cells are drawn: half blocks in 256 colours, truecolor or greys; one character, or eight dots a cell."""

_TRUECOLOR_STEPS: Final = 64
_QUALITIES: Final = (
    (24, 0.5),
    (24, 0.75),
    (16, 0.5),
    (16, 0.75),
    (12, 0.5),
    (12, 0.75),
    (8, 0.5),
    (8, 0.75),
    (8, 1.25),
)
"""Steps of the scale and tolerance [step], the best first: what a picture is drawn with where it must be cheaper."""
_BYTES_PER_CELL: Final = 8.5
"""60 x 30 cells take about 15 kB on the line at most, 17 where structure is as fine as the cells."""
_LEAST_COVER: Final = 0.5
"""Share of a cell's half that lies in a detector, from which it counts as one without values."""
_MOST_STRETCHED: Final = 2.0
_N_BINS: Final = 32
_LEAST_PNG: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a picture is to look."""

    columns: int
    rows: int
    """Most cells."""
    mode: str = "palette"
    color_map: str = "viridis"
    stretch: str = "mad"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellBox:
    """Cells of a detector or amplifier, half-open, row 0 on top."""

    detector: int
    name: str
    """Of the detector, or of the amplifier."""
    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture packed for a terminal, with the numbers that belong to it."""

    key: tuple[object, ...]
    """Equal for equal pictures."""
    columns: int
    rows: int
    mode: str
    color_map: str
    stretch: str
    glyphs: str
    """One character a cell."""
    inks: bytes
    """Step of the glyph, a cell; empty for modes without colours."""
    papers: bytes
    """Step behind it, a cell; 255 is the background of the screen."""
    colors: tuple[int, ...]
    """Of each step: entry of the 256-colour palette, or 0xRRGGBB in mode ``truecolor``."""
    low: float
    high: float
    """Values shown darkest and brightest."""
    ticks: tuple[float, ...]
    """Values at 0, 1/4, 1/2, 3/4 and 1 of the scale."""
    n_steps: int
    tolerance: float
    """Farthest distance of a cell's colour from its value [step]."""
    boxes: tuple[CellBox, ...]
    block: int
    """Side of the pixel blocks the picture is made of [pixel]."""
    n_blocks: int
    """Blocks with a value."""
    median: float
    mad: float
    """Median absolute deviation of the blocks."""
    smallest: float
    largest: float
    histogram: tuple[int, ...]
    """Blocks by value between low and high."""
    n_below: int
    n_above: int


def draw_picture(scene: Scene, wish: Wish, *, minus: Scene | None = None) -> Picture:
    """Draw the products of some detectors, or how they differ from others.

    Parameters
    ----------
    scene : Scene
        What is shown.
    wish : Wish
        Size and looks; a difference is always shown linear, in the diverging map.
    minus : Scene, optional
        Subtracted: the same detectors of another product.

    Returns
    -------
    Picture
        Boxes are those of the amplifiers for one upright detector, else of the detectors.

    Raises
    ------
    ConflictError
        If the products to compare have different sizes.
    StoreError
        If a file is missing or damaged.
    UserInputError
        If nothing can be drawn: no detector, or too many without binned pictures.
    """
    plane = load_plane(scene, columns=wish.columns, rows=wish.rows)
    image = plane.image
    if minus is not None:
        other = load_plane(minus, columns=wish.columns, rows=wish.rows, block=plane.block)
        if other.image.shape != image.shape:
            raise ConflictError(f"the images differ in size, {_size(image)} and {_size(other.image)}: not compared")
        image = image - other.image
    stretch = Stretch.MAD if minus is not None else Stretch(wish.stretch)
    color_map = ColorMap.DIVERGING if minus is not None else ColorMap(wish.color_map)
    low, high = symmetric_limits(image) if minus is not None else limits(image, stretch)
    columns, rows = _fitted(plane, wish)
    packed = pack(
        image,
        plane.footprint,
        stretch=stretch,
        between=(low, high),
        color_map=color_map,
        mode=wish.mode,
        columns=columns,
        rows=rows,
    )
    values = np.sort(image[np.isfinite(image)])
    smallest, median, largest = (float(one) for one in percentiles(values, (0, 50, 100)))
    edges = np.linspace(low, high, _N_BINS + 1)
    below = np.append(np.searchsorted(values, edges[:-1]), np.searchsorted(values, high, "right"))
    return Picture(
        key=(*scene_key(scene), *(scene_key(minus) if minus else ()), columns, rows, wish.mode, color_map, stretch),
        columns=columns,
        rows=rows,
        mode=wish.mode,
        color_map=str(color_map),
        stretch=str(stretch),
        glyphs=packed.glyphs,
        inks=packed.inks,
        papers=packed.papers,
        colors=packed.colors,
        low=low,
        high=high,
        ticks=tuple(value_at(at / 4, stretch, low=low, high=high) for at in range(5)),
        n_steps=len(packed.colors),
        tolerance=packed.tolerance,
        boxes=_cell_boxes(scene, plane, columns, rows),
        block=plane.block,
        n_blocks=values.size,
        median=median,
        mad=float(percentiles(np.abs(values - np.float32(median)), (50,))[0]),
        smallest=smallest,
        largest=largest,
        histogram=tuple(int(count) for count in np.diff(below)),
        n_below=int(below[0]),
        n_above=values.size - int(below[-1]),
    )


def save_picture(path: Path, scene: Scene, wish: Wish, *, minus: Scene | None = None) -> tuple[int, int]:
    """Write a picture as a colour PNG, small ones enlarged by whole factors.

    Parameters
    ----------
    path : Path
        Final name.
    scene, wish, minus
        As `draw_picture`.

    Returns
    -------
    tuple of int
        Width and height [pixel].

    Raises
    ------
    ConflictError, StoreError, UserInputError
        As `draw_picture`; also if the file cannot be written.
    """
    plane = load_plane(scene, columns=wish.columns, rows=wish.rows)
    image = plane.image
    if minus is not None:
        image = image - load_plane(minus, columns=wish.columns, rows=wish.rows, block=plane.block).image
    stretch = Stretch.MAD if minus is not None else Stretch(wish.stretch)
    low, high = symmetric_limits(image) if minus is not None else limits(image, stretch)
    table = color_table(ColorMap.DIVERGING if minus is not None else ColorMap(wish.color_map), 256)
    levels = unit_levels(image, stretch, low=low, high=high)
    finite = np.isfinite(levels)
    colors = table[np.rint(np.where(finite, levels, 0) * 255).astype(np.uint8)]
    colors[~finite] = 0
    zoom = max(1, -(-_LEAST_PNG // max(image.shape)))
    pixels: NDArray[np.uint8] = colors.repeat(zoom, axis=0).repeat(zoom, axis=1)
    write_png(path, pixels)
    return pixels.shape[1], pixels.shape[0]


@dataclass(frozen=True, slots=True)
class Packed:
    """Cells of a picture, as `Picture` keeps them."""

    glyphs: str
    inks: bytes = b""
    papers: bytes = b""
    colors: tuple[int, ...] = ()
    tolerance: float = 0.0


def pack(
    image: Image,
    footprint: NDArray[np.bool_],
    *,
    stretch: Stretch,
    between: tuple[float, float],
    color_map: ColorMap,
    mode: str,
    columns: int,
    rows: int,
) -> Packed:
    """Stretch an image, resample it to cells and pack these.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Any unit.
    footprint : ndarray of shape (ny, nx), bool
        Where something is, with or without values; the rest is the background of the screen.
    stretch, between, color_map, mode
        How values become colours: rule, darkest and brightest value, map, one of `MODES`.
    columns, rows : int
        Cells.

    Raises
    ------
    UserInputError
        If no such mode is known.
    """
    if mode not in MODES:
        raise UserInputError(f"no way to draw pictures is named {mode!r}", hint=f"one of {', '.join(MODES)}")
    per_row, per_column = (4, 2) if mode == "dither" else (2, 1)
    small = resampled(image, rows * per_row, columns * per_column)
    levels = unit_levels(small, stretch, low=between[0], high=between[1])
    covered = resampled(footprint.astype(np.float32), rows * per_row, columns * per_column)
    empty = (covered < _LEAST_COVER) & ~np.isfinite(levels)
    if mode == "ramp":
        return Packed(ramp_text(levels, empty))
    if mode == "dither":
        return Packed(dither_text(levels, empty))
    if mode == "truecolor":
        n_steps = _TRUECOLOR_STEPS
        colors = color_table(color_map, n_steps).astype(int)
        steps = steps_of(levels, n_steps)
        steps[empty] = NO_DATA
        hexes = tuple(int(red << 16 | green << 8 | blue) for red, green, blue in colors)
        return Packed(*packed_cells(steps), hexes, 0.5)
    return _affordable(levels, empty, mode, color_map)


def _affordable(levels: Image, empty: NDArray[np.bool_], mode: str, color_map: ColorMap) -> Packed:
    """Pack with the best quality that the line can take: noise costs a change of colour at every cell."""
    columns = levels.shape[1]
    most_bytes = _BYTES_PER_CELL * levels.size / 2
    low, high = 0, len(_QUALITIES) - 1
    best: Packed | None = None
    while low <= high:
        middle = (low + high) // 2 if best or low else 0
        n_steps, tolerance = _QUALITIES[middle]
        entries = grey_table(n_steps) if mode == "grey" else palette_table(color_map, n_steps)
        steps = steps_of(levels, n_steps, tolerance=tolerance)
        steps[empty] = NO_DATA
        cells = packed_cells(steps)
        if line_cost(*cells, columns=columns, colors=entries) <= most_bytes or middle == len(_QUALITIES) - 1:
            best, high = Packed(*cells, tuple(int(one) for one in entries), tolerance), middle - 1
        else:
            low = middle + 1
    assert best is not None
    return best


def _fitted(plane: Plane, wish: Wish) -> tuple[int, int]:
    """Return columns and rows that keep the shape, or come near it where it is far from the screen's."""
    # Detectors drawn together keep the shape of the focal plane, not that of their few pixels.
    nx, ny = plane.image.shape[1] / plane.shrink[0], plane.image.shape[0] / plane.shrink[1]
    wide, high = max(1, wish.columns), max(2, 2 * wish.rows)
    scale = min(wide / nx, high / ny)
    columns, pixels_high = nx * scale, ny * scale
    if max(nx, ny) >= _MOST_STRETCHED * min(nx, ny):
        columns = min(wide, columns * _MOST_STRETCHED)
        pixels_high = min(high, pixels_high * _MOST_STRETCHED)
    return max(1, round(columns)), max(1, round(pixels_high / 2))


def _boxes(plane: Plane, columns: int, rows: int) -> tuple[Box, ...]:
    return cell_boxes(plane.places, pixel_size_mm=plane.pixel_size_mm, shrink=plane.shrink, columns=columns, rows=rows)


def _cell_boxes(scene: Scene, plane: Plane, columns: int, rows: int) -> tuple[CellBox, ...]:
    if not scene.is_upright:
        boxes = _boxes(plane, columns, rows)
        pairs = [(one.detector.id, one.detector.full_name) for one in scene.images]
    else:
        detector = scene.images[0].detector
        places = [
            Place(
                center_x_mm=amplifier.place.x0 + amplifier.place.width / 2,
                center_y_mm=amplifier.place.y0 + amplifier.place.height / 2,
                width=amplifier.place.width,
                height=amplifier.place.height,
            )
            for amplifier in detector.amplifiers
        ]
        boxes = cell_boxes(places, pixel_size_mm=1.0, shrink=(1.0, 1.0), columns=columns, rows=rows)
        pairs = [(detector.id, amplifier.name) for amplifier in detector.amplifiers]
    return tuple(
        CellBox(detector=number, name=name, x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1)
        for (number, name), box in zip(pairs, boxes, strict=True)
    )


def _size(image: Image) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
