"""Curves as braille: dots joined to lines, axes that may be logarithmic, ticks for these."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.plots_scale import round_ticks

_LOG_STEPS: Final = ((1,), (1, 3), (1, 2, 5))
"""Ticks inside a decade, from few to many."""


def joined_dots(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the dots of a line through others: between neighbours every column and every row is filled.

    Parameters
    ----------
    columns, rows : ndarray of shape (n,), int64
        Dots in the order of the line; one with a negative place breaks it.

    Returns
    -------
    tuple of ndarray, int64
        Columns and rows.

    Examples
    --------
    >>> [dots.tolist() for dots in joined_dots(np.array([0, 2]), np.array([0, 4]))]
    [[0, 0, 1, 2, 2], [0, 1, 2, 3, 4]]
    """
    inside = (columns >= 0) & (rows >= 0)
    found_columns, found_rows = [columns[inside]], [rows[inside]]
    for start in np.flatnonzero(inside[:-1] & inside[1:]) if columns.size else ():
        across, up = columns[start : start + 2], rows[start : start + 2]
        n_steps = int(max(abs(across[1] - across[0]), abs(up[1] - up[0])))
        if n_steps > 1:
            share = np.arange(1, n_steps) / n_steps
            found_columns.append(np.rint(across[0] + share * (across[1] - across[0])).astype(np.int64))
            found_rows.append(np.rint(up[0] + share * (up[1] - up[0])).astype(np.int64))
    both = np.unique(np.stack([np.concatenate(found_columns), np.concatenate(found_rows)]), axis=1)
    return both[0], both[1]


def scaled(values: Vector, *, is_log: bool) -> Vector:
    """Return values as they lie on an axis: themselves, or log10; NaN where a logarithm has no value.

    Parameters
    ----------
    values : ndarray, float64
        Any shape and unit.
    is_log : bool
        Take the logarithm.

    Examples
    --------
    >>> scaled(np.array([-1.0, 100.0]), is_log=True).tolist()
    [nan, 2.0]
    """
    numbers = np.asarray(values, np.float64)
    if not is_log:
        return numbers
    return np.log10(np.where(numbers > 0, numbers, np.nan))


def log_ticks(low: float, high: float, *, most: int) -> tuple[float, ...]:
    """Return ticks at 1, 2, 5 (or 1, 3; or 1) of each decade; round ones where there is less than a decade.

    Parameters
    ----------
    low, high : float
        Ends of the axis, log10 of the values, high > low.
    most : int
        Ticks at most, at least 2.

    Returns
    -------
    tuple of float
        Values, not their logarithms.

    Examples
    --------
    >>> log_ticks(0.9, 3.1, most=4)
    (10.0, 100.0, 1000.0)
    """
    decades = range(math.floor(low), math.ceil(high) + 1)
    best: tuple[float, ...] = ()
    for factors in _LOG_STEPS:
        ticks = tuple(
            float(f"{factor}e{decade}")
            for decade in decades
            for factor in factors
            if low <= math.log10(factor) + decade <= high
        )
        if len(ticks) <= max(2, most):
            best = ticks
    if len(best) >= 2:
        return best
    many = tuple(float(f"1e{decade}") for decade in decades if low <= decade <= high)
    if len(many) > max(2, most):
        return many[:: -(-len(many) // max(2, most))]
    return tuple(tick for tick in round_ticks(10**low, 10**high, most=max(2, most)) if tick > 0)
