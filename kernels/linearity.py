"""Nonlinearity of an amplifier: its models as S(x), one uniform table of it, and its subtraction.

Every model is brought to S(x), the signal too much at the measured signal x; the correction always subtracts it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.akima import akima_spline
from kernels.arrays import Vector
from kernels.errors import KernelError, NotEnoughDataError

Pixels: TypeAlias = NDArray[np.float32]
"""Pixels of any shape, float32."""
Model: TypeAlias = Callable[[Vector], Vector]
"""S(x) of measured signals, both in adu."""

CLIP_MARGIN_ADU: Final = 0.01
"""A spline holds its value from this far inside its outermost nodes on [adu]."""
DEFAULT_RANGE_ADU: Final = (-2_000.0, 270_000.0)
"""Signals a model without nodes is tabulated for: all an 18-bit converter gives, and noise below zero."""
TABLE_TOLERANCE_ADU: Final = 0.005
"""Error of the table below which it is not made finer [adu]."""
_LEAST_ENTRIES: Final = 1 << 10
_MOST_ENTRIES: Final = 1 << 16
_PIECE: Final = 1 << 13
_MOST_STEPS: Final = float(1 << 30)
"""Signals farther out than this have no number of an entry [table steps]."""


class LinearityType(StrEnum):
    """Models of the field's linearizers."""

    NONE = "None"
    """Nothing to correct."""
    PROPORTIONAL = "Proportional"
    """Nothing to correct: measured and true signal are proportional."""
    SQUARED = "Squared"
    """One coefficient c: the true signal is x + c x^2."""
    POLYNOMIAL = "Polynomial"
    """Coefficients c_i: the true signal is x + sum c_i x^(i+2)."""
    LOOKUP_TABLE = "LookupTable"
    """Row of a table and offset: the true signal is x + table[row, floor(x + offset)]."""
    SPLINE = "Spline"
    """Nodes, then values: the true signal is x - S(x)."""
    DOUBLE_SPLINE = "DoubleSpline"
    """Numbers of nodes, then a spline relative to a reference amplifier, then an absolute one after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearityTable:
    """S(x) on a uniform grid: one multiplication and two look-ups in place of a spline."""

    start: float
    """Signal of the first entry [adu, or electron when scaled]."""
    step: float
    """Distance of entries [same]."""
    values: Vector
    """S of shape (n,), float64 [same]; before the first and after the last entry it stays as there."""
    error: float
    """Largest difference from the model found between the entries [same]."""
    offsets: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    """S is offset + slope * x from one entry to the next; made once: bands of a frame come by the thousand."""
    slopes: NDArray[np.float32] = field(init=False, repr=False, compare=False)
    """Of shape (n + 1,), like `offsets`: the first and the last are those of the constants outside."""

    def __post_init__(self) -> None:
        """Make what is looked up."""
        values = np.asarray(self.values, np.float64)
        slopes = np.concatenate(([0.0], np.diff(values) / self.step, [0.0]))
        offsets = values[[0, *range(values.size)]] - slopes * (self.start + self.step * np.arange(-1, values.size))
        object.__setattr__(self, "offsets", offsets.astype(np.float32))
        object.__setattr__(self, "slopes", slopes.astype(np.float32))

    def scaled(self, gain_e_per_adu: float) -> Self:
        """Return the table for an image in electrons.

        Parameters
        ----------
        gain_e_per_adu : float
            Gain the image was multiplied with.
        """
        return type(self)(
            start=self.start * gain_e_per_adu,
            step=self.step * gain_e_per_adu,
            values=self.values * gain_e_per_adu,
            error=self.error * gain_e_per_adu,
        )


def apply_linearity(image: Pixels, table: LinearityTable, *, out: Pixels | None = None) -> Pixels:
    """Subtract S(x) from an amplifier.

    Parameters
    ----------
    image : ndarray of any shape, float32
        Pixels of one amplifier, in the unit of `table`; NaN and infinite pixels stay as they are.
    table : LinearityTable
        See `linearity_table` and `LinearityTable.scaled`.
    out : ndarray of the shape of `image`, float32, optional
        Written and returned; may be `image`.

    Returns
    -------
    ndarray of the shape of `image`, float32
    """
    out = np.empty(image.shape, np.float32) if out is None else out
    if image.ndim > 1 and not (image.flags.c_contiguous and out.flags.c_contiguous):
        for row, target in zip(image, out, strict=True):
            apply_linearity(row, table, out=target)
        return out
    offsets, slopes = table.offsets, table.slopes
    source, target = (image.reshape(-1), out.reshape(-1)) if image.ndim else (image[None], out[None])
    scale, shift = np.float32(1 / table.step), np.float32(1 - table.start / table.step)
    reach = _MOST_STEPS * table.step
    n = min(_PIECE, source.size)
    place, found, index = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.intp)
    for first in range(0, source.size, _PIECE):
        piece = source[first : first + _PIECE]
        x, s, k = place[: piece.size], found[: piece.size], index[: piece.size]
        signal = piece
        if not (np.minimum.reduce(piece) > -reach and np.maximum.reduce(piece) < reach):
            signal = np.fmin(np.fmax(piece, np.float32(-reach)), np.float32(reach))  # a NaN has a place in the table
        np.multiply(signal, scale, out=x)
        np.add(x, shift, out=x)
        np.copyto(k, x, casting="unsafe")
        np.take(slopes, k, out=s, mode="clip")
        np.multiply(signal, s, out=s)
        np.take(offsets, k, out=x, mode="clip")
        np.add(x, s, out=x)
        np.subtract(piece, x, out=target[first : first + _PIECE])
    return out


def linearity_table(
    kind: LinearityType | str,
    coefficients: Sequence[float] | NDArray[np.floating],
    *,
    lookup: NDArray[np.floating] | None = None,
    range_adu: tuple[float, float] = DEFAULT_RANGE_ADU,
    tolerance_adu: float = TABLE_TOLERANCE_ADU,
) -> LinearityTable:
    """Tabulate a model.

    Parameters
    ----------
    kind : LinearityType or str
        Which model.
    coefficients : sequence of float
        As the linearizer file holds them, see `LinearityType`.
    lookup : ndarray of shape (n_rows, n), float32 or float64, optional
        Look-up values of a `LOOKUP_TABLE` [adu].
    range_adu : tuple of float
        Signals a polynomial is tabulated for [adu].
    tolerance_adu : float
        Entries are doubled, up to 65536, until the error is below this [adu].

    Returns
    -------
    LinearityTable
        In adu, with its error.

    Raises
    ------
    KernelError
        If the model is unknown, or its coefficients are not finite or not of its form.
    """
    kind, numbers = _known_kind(kind), np.asarray(coefficients, np.float64)
    if kind in (LinearityType.NONE, LinearityType.PROPORTIONAL):
        return LinearityTable(start=0.0, step=1.0, values=np.zeros(2), error=0.0)
    if not np.isfinite(numbers).all():
        raise KernelError(f"linearizer of type {kind}: coefficients {numbers.tolist()} are not all finite")
    if kind is LinearityType.LOOKUP_TABLE:
        return _lookup_table(numbers, lookup)
    model, (low, high) = nonlinearity_model(kind, numbers), model_range(kind, numbers, range_adu)
    n = _LEAST_ENTRIES
    while True:
        grid = np.linspace(low, high, n + 1)
        values = model(grid)
        step = (high - low) / n
        # an interpolated cubic is farthest off near the middle; thirds catch a kink beside it
        error = max(
            float(np.abs(model(grid[:-1] + t * step) - ((1 - t) * values[:-1] + t * values[1:])).max())
            for t in (1 / 3, 1 / 2, 2 / 3)
        )
        if error <= tolerance_adu or n >= _MOST_ENTRIES:
            return LinearityTable(start=low, step=step, values=values, error=error)
        n *= 2


def nonlinearity_model(kind: LinearityType | str, coefficients: Sequence[float] | NDArray[np.floating]) -> Model:
    """Return S(x) of a model in float64, without a table.

    Parameters
    ----------
    kind : LinearityType or str
        Any but `LOOKUP_TABLE`, which is a table already.
    coefficients : sequence of float
        As the linearizer file holds them.

    Returns
    -------
    callable
        From measured signals to S, both float64 [adu].

    Raises
    ------
    KernelError
        If the coefficients are not of the model's form.
    """
    kind, numbers = _known_kind(kind), np.asarray(coefficients, np.float64)
    if kind in (LinearityType.NONE, LinearityType.PROPORTIONAL):
        return np.zeros_like
    if kind in (LinearityType.SQUARED, LinearityType.POLYNOMIAL):
        if numbers.size == 0:
            raise KernelError(f"linearizer of type {kind} without a coefficient")
        powers = numbers[:1] if kind is LinearityType.SQUARED else numbers
        return lambda x: _minus_polynomial(x, powers)
    if kind is LinearityType.SPLINE:
        return spline_model(*_halves(numbers))
    if kind is LinearityType.DOUBLE_SPLINE:
        relative, absolute = (spline_model(*nodes_values) for nodes_values in split_double(numbers))

        def both(x: Vector) -> Vector:
            first = relative(x)
            total: Vector = first + absolute(x - first)
            return total

        return both
    raise KernelError(f"a linearizer of type {kind} has no model besides its table")


def spline_model(nodes: NDArray[np.floating], values: NDArray[np.floating]) -> Model:
    """Return S(x) of spline nodes, held constant from 0.01 adu inside the outermost ones.

    Parameters
    ----------
    nodes, values : ndarray of shape (n,), float64
        Measured signals and S there [adu].

    Raises
    ------
    KernelError
        If they are not a spline.
    """
    spline = akima_spline(nodes, values)
    low, high = float(spline.nodes[0]) + CLIP_MARGIN_ADU, float(spline.nodes[-1]) - CLIP_MARGIN_ADU
    return lambda x: spline(np.clip(x, low, high))


def model_range(
    kind: LinearityType | str,
    coefficients: Sequence[float] | NDArray[np.floating],
    range_adu: tuple[float, float] = DEFAULT_RANGE_ADU,
) -> tuple[float, float]:
    """Return the signals outside which a model is constant; those of a polynomial are given.

    Parameters
    ----------
    kind : LinearityType or str
        Which model.
    coefficients : sequence of float
        As the linearizer file holds them.
    range_adu : tuple of float
        For models without an end of their own [adu].
    """
    kind, numbers = _known_kind(kind), np.asarray(coefficients, np.float64)
    if kind is LinearityType.SPLINE:
        nodes, _ = _halves(numbers)
        return float(nodes[0]), float(nodes[-1])
    if kind is LinearityType.DOUBLE_SPLINE:
        (relative, shifts), (absolute, _) = split_double(numbers)
        reach = float(np.abs(shifts).max())
        return min(float(relative[0]), float(absolute[0]) - reach), max(
            float(relative[-1]), float(absolute[-1]) + reach
        )
    return range_adu


def split_double(coefficients: NDArray[np.floating]) -> tuple[tuple[Vector, Vector], tuple[Vector, Vector]]:
    """Return (nodes, values) of the relative and of the absolute spline.

    Parameters
    ----------
    coefficients : ndarray of shape (n,), float64
        ``[n_relative, n_absolute, relative nodes, relative values, absolute nodes, absolute values, zeros]``.

    Raises
    ------
    NotEnoughDataError
        If there are fewer numbers than they say.
    """
    numbers = np.asarray(coefficients, np.float64)
    counts = [int(count) for count in numbers[:2]]
    if len(counts) < 2 or min(counts) < 2 or numbers.size < 2 + 2 * sum(counts):
        raise NotEnoughDataError(f"a double spline of {counts} nodes needs more than {numbers.size} coefficients")
    n_relative, n_absolute = counts
    parts = np.split(numbers[2 : 2 + 2 * sum(counts)], [n_relative, 2 * n_relative, 2 * n_relative + n_absolute])
    return (parts[0], parts[1]), (parts[2], parts[3])


def join_double(relative: tuple[Vector, Vector], absolute: tuple[Vector, Vector], *, size: int = 0) -> Vector:
    """Return the coefficients of two splines, the inverse of `split_double`.

    Parameters
    ----------
    relative, absolute : tuple of ndarray, float64
        Nodes and values.
    size : int
        Padded with zeros to this many coefficients.
    """
    numbers = np.concatenate(([relative[0].size, absolute[0].size], *relative, *absolute))
    return np.pad(numbers, (0, max(size - numbers.size, 0)))


def _known_kind(kind: LinearityType | str) -> LinearityType:
    try:
        return LinearityType(kind)
    except ValueError:
        known = ", ".join(LinearityType)
        raise KernelError(f"linearizer of type {kind!r}: the types are {known}") from None


def _minus_polynomial(x: Vector, powers: Vector) -> Vector:
    total = np.zeros_like(x)
    for coefficient in powers[::-1]:
        total = total * x + coefficient
    return -total * x * x


def _halves(numbers: Vector) -> tuple[Vector, Vector]:
    if numbers.size < 4 or numbers.size % 2:
        raise NotEnoughDataError(f"a spline of {numbers.size} coefficients: it takes as many values as nodes, two each")
    nodes, values = np.split(numbers, 2)
    return nodes, values


def _lookup_table(numbers: Vector, lookup: NDArray[np.floating] | None) -> LinearityTable:
    if lookup is None or numbers.size < 2 or not 0 <= int(numbers[0]) < lookup.shape[0]:
        shape = None if lookup is None else lookup.shape
        raise KernelError(f"look-up linearizer with coefficients {numbers.tolist()}: no such row in a table of {shape}")
    row = np.asarray(lookup[int(numbers[0])], np.float64)
    if row.size < 2:
        raise NotEnoughDataError(f"a look-up row of {row.size} entries")
    # entry k stands for the signals from k to k + 1: it is met in their middle, and half a step off at their ends
    return LinearityTable(
        start=0.5 - float(numbers[1]), step=1.0, values=-row, error=float(np.abs(np.diff(row)).max()) / 2
    )
