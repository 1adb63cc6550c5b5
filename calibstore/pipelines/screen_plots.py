"""Plots as text cells: services hand numbers in and get characters, tick labels and marks back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels.arrays import Vector
from kernels.plots import (
    DOTS_PER_COLUMN,
    DOTS_PER_ROW,
    braille_bits,
    dot_positions,
    eighths,
    extremes_per_column,
    histogram_counts,
    spark_levels,
)
from kernels.plots_scale import RobustSummary, robust_summary, round_ticks

_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_BRAILLE: Final = 0x2800


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCells:
    """A plot of values in their order, ready to print."""

    rows: tuple[str, ...]
    """Braille text from top to bottom, blanks where nothing is."""
    bad: tuple[tuple[int, int], ...]
    """(row, column) of cells that hold a value to be marked."""
    limits: tuple[tuple[int, str], ...]
    """(row, label) of limit lines, from top to bottom."""
    y_ticks: tuple[tuple[int, str], ...]
    x_ticks: tuple[tuple[int, str], ...]
    """(column, label) where a group begins."""
    strip: str
    """One letter a column: the kind of the values there; blank between groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramCells:
    """A histogram, ready to print."""

    rows: tuple[str, ...]
    """Block eighths from top to bottom."""
    limits: tuple[int, ...]
    """Columns where a limit lies."""
    x_ticks: tuple[tuple[int, str], ...]
    most: int
    """Values in the highest bar."""


def summarized(values: Sequence[float | None]) -> RobustSummary:
    """Return median, robust width and number of the values that are there."""
    return robust_summary(_vector(values))


def sparkline(values: Sequence[float | None], *, low: float, high: float, width: int) -> str:
    """Return values in their order as block eighths; a blank where nothing was measured."""
    return "".join(
        _LEVELS[level] if level >= 0 else " "
        for level in spark_levels(_vector(values), low=low, high=high, width=width)
    )


def histogram(
    values: Sequence[float | None], *, limits: Sequence[float] = (), width: int, height: int
) -> HistogramCells | None:
    """Return the distribution of some values.

    Parameters
    ----------
    values : sequence of float or None
        Any unit; missing ones are left out.
    limits : sequence of float
        Values to mark on the axis.
    width, height : int
        Cells.

    Returns
    -------
    HistogramCells or None
        None where there is nothing to draw, or no room.
    """
    numbers = _vector(values)
    axis = _axis(numbers, limits)
    if axis is None or width < 8 or height < 1:
        return None
    low, high = axis
    counts = histogram_counts(numbers, low=low, high=high, n_bins=width)
    bars = eighths(counts, n_rows=height)
    return HistogramCells(
        rows=tuple("".join(_EIGHTHS[level] for level in row) for row in bars),
        limits=tuple(sorted({_cell(limit, low, high, width) for limit in limits})),
        x_ticks=tuple((_cell(tick, low, high, width), f"{tick:g}") for tick in round_ticks(low, high, most=width // 9)),
        most=int(counts.max(initial=0)),
    )


def series(
    values: Sequence[float | None],
    *,
    groups: Sequence[str],
    kinds: Sequence[str],
    is_bad: Sequence[bool],
    limits: Sequence[tuple[float, str]] = (),
    width: int,
    height: int,
) -> SeriesCells | None:
    """Return values in their order, with a gap between groups such as nights.

    Parameters
    ----------
    values : sequence of float or None
        Any unit; a missing one leaves its place empty.
    groups : sequence of str
        Label of the group each value belongs to; values of one group stand together.
    kinds : sequence of str
        One letter for each value, shown below the axis.
    is_bad : sequence of bool
        Values to be marked.
    limits : sequence of (float, str)
        Lines across, with their labels.
    width, height : int
        Cells.

    Returns
    -------
    SeriesCells or None
        None where there is nothing to draw, or no room.
    """
    numbers = _vector(values)
    axis = _axis(numbers, [limit for limit, _ in limits])
    if axis is None or width < 8 or height < 2:
        return None
    low, high = axis
    x, begins = _places(groups)
    n_across, n_up = width * DOTS_PER_COLUMN, height * DOTS_PER_ROW
    across = dot_positions(x, low=-0.5, high=float(x[-1]) + 0.5, n_dots=n_across)
    up = dot_positions(numbers, low=low, high=high, n_dots=n_up)
    kept = extremes_per_column(across, numbers, n_columns=n_across)
    dots, heights = across[kept], up[kept]
    if x.size <= width:  # few values: two dots side by side are easier to see
        dots, heights = np.concatenate((dots, dots ^ 1)), np.concatenate((heights, heights))
    bits = braille_bits(dots, heights, shape=(height, width))
    marked = [place for place in np.flatnonzero(np.asarray(is_bad, np.bool_)) if up[place] >= 0]
    strip = [" "] * width
    for place, kind in zip(across, kinds, strict=True):
        strip[int(place) // DOTS_PER_COLUMN] = kind
    return SeriesCells(
        rows=tuple("".join(chr(_BRAILLE + bit) if bit else " " for bit in row) for row in bits.tolist()),
        bad=tuple(sorted({(_row(int(up[p]), height), int(across[p]) // DOTS_PER_COLUMN) for p in marked})),
        limits=tuple(sorted((_level_row(limit, low, high, height), label) for limit, label in limits)),
        y_ticks=tuple(
            sorted(
                (_level_row(tick, low, high, height), f"{tick:g}")
                for tick in round_ticks(low, high, most=max(2, height // 2))
            )
        ),
        x_ticks=_group_ticks(begins, across, width),
        strip="".join(strip),
    )


def _vector(values: Sequence[float | None]) -> Vector:
    return np.array([math.nan if value is None else value for value in values], np.float64)


def _axis(numbers: Vector, limits: Sequence[float]) -> tuple[float, float] | None:
    """Return the ends of an axis that holds all values and limits, with some room."""
    finite = np.concatenate((numbers[np.isfinite(numbers)], np.asarray(limits, np.float64)))
    if not np.isfinite(numbers).any():
        return None
    low, high = float(finite.min()), float(finite.max())
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _places(groups: Sequence[str]) -> tuple[Vector, list[tuple[int, str]]]:
    """Return the place of each value on the axis, and where each group begins."""
    gap = max(1.0, 0.03 * len(groups))
    places, begins, shift = [], [], 0.0
    for index, group in enumerate(groups):
        if index == 0 or group != groups[index - 1]:
            begins.append((index, group))
            shift += gap if index else 0.0
        places.append(index + shift)
    return np.array(places, np.float64), begins


def _group_ticks(begins: list[tuple[int, str]], across: np.ndarray, width: int) -> tuple[tuple[int, str], ...]:
    ticks: list[tuple[int, str]] = []
    free = 0
    for index, label in begins:
        column = int(across[index]) // DOTS_PER_COLUMN
        column = min(column, width - len(label))
        if column >= free:
            ticks.append((column, label))
            free = column + len(label) + 1
    return tuple(ticks)


def _cell(value: float, low: float, high: float, width: int) -> int:
    return min(width - 1, max(0, math.floor((value - low) / (high - low) * width)))


def _level_row(value: float, low: float, high: float, height: int) -> int:
    dot = round((value - low) / (high - low) * (height * DOTS_PER_ROW - 1))
    return _row(min(height * DOTS_PER_ROW - 1, max(0, dot)), height)


def _row(dot: int, height: int) -> int:
    return height - 1 - dot // DOTS_PER_ROW
