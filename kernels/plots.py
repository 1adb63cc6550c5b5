"""Numbers to cells of a terminal: braille dots, block eighths, sparkline levels.

Nothing here is a character: a caller makes text of bits and levels.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError

DOTS_PER_COLUMN: Final = 2
"""Dots of a braille cell, across."""
DOTS_PER_ROW: Final = 4
"""Dots of a braille cell, down."""

_BITS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
"""Bit of each dot of a braille cell, by row and column inside the cell."""


def dot_positions(values: Vector, *, low: float, high: float, n_dots: int) -> NDArray[np.int64]:
    """Return the dot each value falls on.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        Any unit.
    low, high : float
        Values of the middle of the first and of the last dot, high > low.
    n_dots : int
        Dots along the axis.

    Returns
    -------
    ndarray of shape (n,), int64
        0 to `n_dots` - 1; -1 for values that are not finite or off the axis.

    Examples
    --------
    >>> dot_positions(np.array([0.0, 0.5, 1.0, 2.0]), low=0.0, high=1.0, n_dots=5).tolist()
    [0, 2, 4, -1]
    """
    if not high > low or n_dots < 1:
        raise NotEnoughDataError(f"no axis of {n_dots} dots from {low:g} to {high:g}")
    with np.errstate(invalid="ignore"):
        place = np.rint((values - low) / (high - low) * (n_dots - 1))
        inside = np.isfinite(place) & (place >= 0) & (place < n_dots)
    return np.where(inside, place, -1).astype(np.int64)


def braille_bits(columns: NDArray[np.int64], rows: NDArray[np.int64], *, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the braille bits of every cell that dots fall in.

    Parameters
    ----------
    columns, rows : ndarray of shape (n,), int64
        Dots across from the left and **up from the bottom**; a dot with a negative place is left out.
    shape : tuple of int
        Cells down and across.

    Returns
    -------
    ndarray of shape `shape`, uint8
        Row 0 is the top one; U+2800 plus a cell's bits is its character.

    Examples
    --------
    >>> braille_bits(np.array([0, 1]), np.array([0, 3]), shape=(1, 1)).tolist()
    [[72]]
    """
    n_rows, n_columns = shape
    bits = np.zeros(shape, np.uint8)
    inside = (columns >= 0) & (rows >= 0)
    inside &= (columns < n_columns * DOTS_PER_COLUMN) & (rows < n_rows * DOTS_PER_ROW)
    across, down = columns[inside], n_rows * DOTS_PER_ROW - 1 - rows[inside]
    cells = (down // DOTS_PER_ROW, across // DOTS_PER_COLUMN)
    np.bitwise_or.at(bits, cells, _BITS[down % DOTS_PER_ROW, across % DOTS_PER_COLUMN])
    return bits


def extremes_per_column(columns: NDArray[np.int64], values: Vector, *, n_columns: int) -> NDArray[np.int64]:
    """Return the indices of the smallest and largest value of each column, so that no outlier is lost.

    Parameters
    ----------
    columns : ndarray of shape (n,), int64
        Column of each value; a negative one is left out.
    values : ndarray of shape (n,), float64
        Values that are not finite are left out.
    n_columns : int
        Columns.

    Returns
    -------
    ndarray of int64
        At most two for each column, increasing.

    Examples
    --------
    >>> extremes_per_column(np.array([0, 0, 0, 1]), np.array([2.0, 9.0, 1.0, 5.0]), n_columns=2).tolist()
    [1, 2, 3]
    """
    inside = np.flatnonzero((columns >= 0) & (columns < n_columns) & np.isfinite(values))
    order = inside[np.lexsort((values[inside], columns[inside]))]
    if order.size == 0:
        return order
    changes = np.flatnonzero(np.diff(columns[order])) + 1
    first = np.concatenate(([0], changes))
    last = np.concatenate((changes, [order.size])) - 1
    return np.unique(np.concatenate((order[first], order[last])))


def histogram_counts(values: Vector, *, low: float, high: float, n_bins: int) -> NDArray[np.int64]:
    """Return how many finite values fall in each of some equal bins; the ends take what lies beyond them.

    Parameters
    ----------
    values : ndarray of any shape, float64
        Any unit.
    low, high : float
        Ends of the axis, high > low.
    n_bins : int
        Bins.

    Returns
    -------
    ndarray of shape (n_bins,), int64

    Examples
    --------
    >>> histogram_counts(np.array([0.1, 0.9, 5.0, np.nan]), low=0.0, high=1.0, n_bins=2).tolist()
    [1, 2]
    """
    if not high > low or n_bins < 1:
        raise NotEnoughDataError(f"no axis of {n_bins} bins from {low:g} to {high:g}")
    finite = values[np.isfinite(values)]
    bins = np.clip(np.floor((finite - low) / (high - low) * n_bins), 0, n_bins - 1).astype(np.int64)
    return np.bincount(bins, minlength=n_bins)


def eighths(counts: NDArray[np.int64], *, n_rows: int) -> NDArray[np.uint8]:
    """Return bars in eighths of a cell; a bin that holds anything shows at least one eighth.

    Parameters
    ----------
    counts : ndarray of shape (n,), int64
        What each bar stands for.
    n_rows : int
        Cells of the highest bar.

    Returns
    -------
    ndarray of shape (n_rows, n), uint8
        0 to 8 in each cell, row 0 the top one.

    Examples
    --------
    >>> eighths(np.array([0, 1, 16]), n_rows=2).tolist()
    [[0, 0, 8], [0, 1, 8]]
    """
    most = max(1, int(counts.max(initial=0)))
    heights = np.rint(counts / most * n_rows * 8).astype(np.int64)
    heights = np.where(counts > 0, np.maximum(heights, 1), 0)
    floors = 8 * np.arange(n_rows - 1, -1, -1)[:, None]
    bars: NDArray[np.uint8] = np.clip(heights[None, :] - floors, 0, 8).astype(np.uint8)
    return bars


def spark_levels(values: Vector, *, low: float, high: float, width: int) -> NDArray[np.int64]:
    """Return the level of each cell of a sparkline.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        In order; more than `width` are grouped, and of each group the value farthest from the middle shows.
    low, high : float
        Values of level 0 and 7; what lies beyond shows as these.
    width : int
        Cells at most.

    Returns
    -------
    ndarray of shape (min(n, width),), int64
        0 to 7; -1 where nothing was finite.

    Examples
    --------
    >>> spark_levels(np.array([0.0, 1.0, np.nan, 7.0]), low=0.0, high=7.0, width=9).tolist()
    [0, 1, -1, 7]
    """
    n_cells = min(values.size, max(0, width))
    levels = np.full(n_cells, -1, np.int64)
    middle, span = (low + high) / 2, high - low
    for cell, group in enumerate(np.array_split(values, n_cells) if n_cells else ()):
        finite = group[np.isfinite(group)]
        if finite.size:
            shown = float(finite[np.argmax(np.abs(finite - middle))])
            place = (shown - low) / span * 7 if span > 0 else 3.0
            levels[cell] = round(min(7.0, max(0.0, place)))
    return levels
