"""Curves as text cells: measured points, lines, levels and uprights on axes that may be logarithmic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels.arrays import Vector
from kernels.plots import DOTS_PER_COLUMN, DOTS_PER_ROW, braille_bits, dot_positions
from kernels.plots_curves import joined_dots, log_ticks, scaled
from kernels.plots_scale import round_ticks

POINT, LINE, OTHER, OTHER_POINT, LEVEL, MARK, BAD = "p", "l", "o", "d", "t", "m", "x"
"""What a cell shows: measured points, a line, line and points of another product, a level across, an upright, a point
left out."""

_BRAILLE: Final = 0x2800
_LEAST_COLUMNS, _LEAST_ROWS = 8, 2
_CELLS_PER_TICK: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Values to draw."""

    x: Vector
    y: Vector
    ink: str = POINT
    """`LINE` and `OTHER` are joined, all others are single."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """How values lie on a plot."""

    is_log_x: bool = False
    is_log_y: bool = False
    x_range: tuple[float, float] | None = None
    """Fixed ends; None: of all values."""
    y_least: float = 0.0
    """Least distance of the ends of y: noise is not blown up to fill a plot."""
    x_unit: str = ""
    """Said behind the numbers below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotCells:
    """A plot, ready to print."""

    title: str
    rows: tuple[str, ...]
    """Text from top to bottom."""
    inks: tuple[str, ...]
    """One letter a cell, likewise."""
    y_ticks: tuple[tuple[int, str], ...]
    x_ticks: tuple[tuple[int, str], ...]
    x_unit: str = ""


def plot(
    title: str,
    curves: Sequence[Curve],
    *,
    width: int,
    height: int,
    axes: Axes | None = None,
    levels: Sequence[float] = (),
    uprights: Sequence[tuple[float, str]] = (),
) -> PlotCells | None:
    """Draw curves.

    Parameters
    ----------
    title : str
        What is shown, with its unit.
    curves : sequence of Curve
        Later ones over earlier ones; ends of y are those of all but the points left out.
    width, height : int
        Cells inside the axes.
    axes : Axes, optional
        Linear, and as far as values go, without.
    levels : sequence of float
        Lines across.
    uprights : sequence of (float, str)
        Lines up, with a letter at their head.

    Returns
    -------
    PlotCells or None
        None where there is nothing to draw, or no room.
    """
    axes = axes or Axes()
    if width < _LEAST_COLUMNS or height < _LEAST_ROWS:
        return None
    placed = [(scaled(one.x, is_log=axes.is_log_x), scaled(one.y, is_log=axes.is_log_y), one.ink) for one in curves]
    marks = scaled(np.array([at for at, _ in uprights], np.float64), is_log=axes.is_log_x)
    across = scaled(np.array(levels, np.float64), is_log=axes.is_log_y)
    firm = [(x, y) for x, y, ink in placed if ink != BAD] or [(x, y) for x, y, _ in placed]
    x_ends = _ends([*(x[np.isfinite(y)] for x, y, _ in placed), marks], 0.02, 0.0)
    y_ends = _ends([*(y for _, y in firm), across], 0.06, 0.0 if axes.is_log_y else axes.y_least)
    if axes.x_range is not None:
        x_ends = tuple(scaled(np.array(axes.x_range, np.float64), is_log=axes.is_log_x))
    if x_ends is None or y_ends is None or not all(map(math.isfinite, (*x_ends, *y_ends))):
        return None
    cells = _Cells(width, height, x_ends, y_ends)
    for level in across:
        cells.level(float(level))
    for at, (_, letter) in zip(marks, uprights, strict=True):
        cells.upright(float(at), letter)
    for x, y, ink in placed:
        cells.draw(x, y, ink)
    return PlotCells(
        title=title,
        rows=cells.text(),
        inks=tuple("".join(row) for row in cells.inks),
        y_ticks=_y_ticks(y_ends, height, is_log=axes.is_log_y),
        x_ticks=_x_ticks(x_ends, width, is_log=axes.is_log_x),
        x_unit=axes.x_unit,
    )


class _Cells:
    """Cells on which curves are drawn one after the other."""

    def __init__(self, width: int, height: int, x_ends: tuple[float, float], y_ends: tuple[float, float]) -> None:
        self.width, self.height = width, height
        self.x_ends, self.y_ends = x_ends, y_ends
        self.bits = np.zeros((height, width), np.uint8)
        self.glyphs: dict[tuple[int, int], str] = {}
        self.inks = [[" "] * width for _ in range(height)]

    def draw(self, x: Vector, y: Vector, ink: str) -> None:
        """Draw dots or a line."""
        n_across, n_up = self.width * DOTS_PER_COLUMN, self.height * DOTS_PER_ROW
        columns = dot_positions(x, low=self.x_ends[0], high=self.x_ends[1], n_dots=n_across)
        rows = dot_positions(y, low=self.y_ends[0], high=self.y_ends[1], n_dots=n_up)
        if ink == BAD:
            for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
                if column >= 0 and row >= 0:
                    place = (self.height - 1 - row // DOTS_PER_ROW, column // DOTS_PER_COLUMN)
                    self._put(place, "×", BAD)
            return
        if ink in (LINE, OTHER):
            columns, rows = joined_dots(columns, rows)
        elif ink == POINT:  # two by two dots: a point is to be told from a line
            inside = (columns >= 0) & (rows >= 0)
            columns, rows = columns[inside], rows[inside]
            columns = np.concatenate([columns, columns ^ 1, columns, columns ^ 1])
            rows = np.concatenate([rows, rows, rows ^ 1, rows ^ 1])
        bits = braille_bits(columns, rows, shape=(self.height, self.width))
        for row, column in np.argwhere(bits):
            place = (int(row), int(column))
            if ink == POINT and self.glyphs.get(place) in ("╌", "┊"):
                del self.glyphs[place]
            if place not in self.glyphs:
                self.inks[place[0]][place[1]] = ink
        self.bits |= bits

    def level(self, value: float) -> None:
        """Draw a line across."""
        row = int(dot_positions(np.array([value]), low=self.y_ends[0], high=self.y_ends[1],
                                n_dots=self.height * DOTS_PER_ROW)[0])  # fmt: skip
        if row >= 0:
            for column in range(self.width):
                self._put((self.height - 1 - row // DOTS_PER_ROW, column), "╌", LEVEL)

    def upright(self, value: float, letter: str) -> None:
        """Draw a line up, with a letter at its head."""
        at = int(dot_positions(np.array([value]), low=self.x_ends[0], high=self.x_ends[1],
                               n_dots=self.width * DOTS_PER_COLUMN)[0])  # fmt: skip
        if at >= 0:
            for row in range(self.height):
                self._put((row, at // DOTS_PER_COLUMN), letter if row == 0 and letter else "┊", MARK)

    def text(self) -> tuple[str, ...]:
        """Return the rows."""
        return tuple(
            "".join(
                self.glyphs.get((row, column)) or (chr(_BRAILLE + bits) if bits else " ")
                for column, bits in enumerate(cells)
            )
            for row, cells in enumerate(self.bits.tolist())
        )

    def _put(self, place: tuple[int, int], glyph: str, ink: str) -> None:
        self.glyphs[place] = glyph
        self.inks[place[0]][place[1]] = ink


def compact(value: float) -> str:
    """Return a number in few characters: thousands as k, millions as M.

    Examples
    --------
    >>> [compact(one) for one in (0.0, 0.25, 20000.0, 2.5e6, 3e-7)]
    ['0', '0.25', '20k', '2.5M', '3e-07']
    """
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if abs(value) >= 1e4 else f"{value:g}"


def _ends(parts: Sequence[Vector], share: float, least: float) -> tuple[float, float] | None:
    numbers = np.concatenate([np.asarray(part, np.float64).ravel() for part in parts]) if parts else np.empty(0)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size:
        return None
    low, high = float(numbers.min()), float(numbers.max())
    if high - low < least:
        middle = (low + high) / 2
        low, high = middle - least / 2, middle + least / 2
    room = share * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _y_ticks(ends: tuple[float, float], height: int, *, is_log: bool) -> tuple[tuple[int, str], ...]:
    most = max(2, (height + 1) // 2)
    found: dict[int, str] = {}
    for tick in (log_ticks if is_log else round_ticks)(*ends, most=most):
        at = math.log10(tick) if is_log else tick
        dot = round((at - ends[0]) / (ends[1] - ends[0]) * (height * DOTS_PER_ROW - 1))
        found.setdefault(height - 1 - min(max(dot, 0) // DOTS_PER_ROW, height - 1), compact(tick))
    return tuple(sorted(found.items()))


def _x_ticks(ends: tuple[float, float], width: int, *, is_log: bool) -> tuple[tuple[int, str], ...]:
    most = max(2, width // _CELLS_PER_TICK)
    found = []
    for tick in (log_ticks if is_log else round_ticks)(*ends, most=most):
        at = math.log10(tick) if is_log else tick
        column = min(width - 1, max(0, math.floor((at - ends[0]) / (ends[1] - ends[0]) * width)))
        found.append((column, compact(tick)))
    return tuple(found)
