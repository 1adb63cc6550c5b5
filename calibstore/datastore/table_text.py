"""Calibration tables as text that people edit: ECSV, one box or one coefficient a line; every bad line is named.

A crosstalk table is one row of square matrices; it is edited with a line for each pair of amplifiers.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, ecsv_text
from calibstore.errors import UserInputError

BOX: Final = ("x0", "y0", "width", "height")
"""Columns of a table of boxes."""
_PAIR: Final = ("i", "j")
_LOGICALS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Differences:
    """What an edit did, in words: rows with their values."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both tables say the same."""
        return not (self.added or self.removed or self.changed)

    def lines(self) -> tuple[str, ...]:
        """Return a line for each, as a diff has them."""
        marked = (("+", self.added), ("-", self.removed), ("~", self.changed))
        return tuple(f"{mark} {text}" for mark, texts in marked for text in texts)


def edited_form(content: CalibTables) -> CalibTables:
    """Return a table product as it is edited and shown: matrices of a single row unfolded, boxes in whole numbers.

    Parameters
    ----------
    content : CalibTables
        As read.
    """
    table = content.tables[0]
    side = _matrix_side(table)
    if side:
        row, column = np.divmod(np.arange(side * side), side)
        columns: dict[str, NDArray[Any]] = {_PAIR[0]: row, _PAIR[1]: column}
        columns |= {name: one[0].ravel() for name, one in table.columns.items() if one[0].size == side * side}
        table = CalibTable(columns=columns)
    elif set(BOX) <= set(table.columns):
        # An empty table of boxes has lost its types on its way through text.
        whole = {name: one.astype(np.int64) if name in BOX else one for name, one in table.columns.items()}
        table = replace(table, columns=whole)
    return replace(content, tables=(table,))


def folded_back(edited: CalibTables, base: CalibTables) -> CalibTables:
    """Return what was edited in the form of the field; the inverse of `edited_form`.

    Parameters
    ----------
    edited : CalibTables
        From `read_text_table`.
    base : CalibTables
        What was edited, as read: gives metadata, units and what was not shown.
    """
    table, first = edited.tables[0], base.tables[0]
    if not _matrix_side(first):
        return replace(base, tables=(replace(first, columns=table.columns), *base.tables[1:]))
    columns = {
        name: table.columns[name].reshape(one.shape).astype(one.dtype) if name in table.columns else one
        for name, one in first.columns.items()
    }
    return replace(base, tables=(replace(first, columns=columns), *base.tables[1:]))


def draft_text(content: CalibTables) -> str:
    """Return the text that is edited: ECSV of `edited_form`."""
    return ecsv_text(edited_form(content))


def read_text_table(text: str, base: CalibTables, *, name: str, width: int, height: int) -> CalibTables:
    """Read edited text strictly; metadata are those of what was edited, whatever the text says.

    Parameters
    ----------
    text : str
        The draft.
    base : CalibTables
        What was edited, as read.
    name : str
        How messages call the text.
    width, height : int
        Of the detector [pixel]; a box must lie inside.

    Returns
    -------
    CalibTables
        In the form of `edited_form`.

    Raises
    ------
    UserInputError
        E-EDIT, with the number of the first bad line.
    """
    wanted = edited_form(base).tables[0]
    names = list(wanted.columns)
    rows: list[list[Any]] = []
    seen: dict[tuple[Any, ...], int] = {}
    n_keys = 2 if names[:2] == list(_PAIR) else len(names)
    header_at = 0
    for at, line in _lines(text):
        words = _words(line, name, at)
        if not header_at:
            if words != names:
                raise _bad(name, at, f"columns are {' '.join(words)}, not {' '.join(names)}")
            header_at = at
            continue
        if len(words) != len(names):
            raise _bad(name, at, f"has {len(words)} values, {len(names)} are wanted ({' '.join(names)})")
        pairs = zip(names, words, strict=True)
        values = [_value(word, wanted.columns[one], f"{one}={word}", name, at) for one, word in pairs]
        if set(BOX) <= set(names):
            _check_box(dict(zip(names, values, strict=True)), name, at, width, height)
        key = tuple(map(str, values[:n_keys]))
        if key in seen:
            raise _bad(name, at, f"repeats line {seen[key]}")
        seen[key] = at
        rows.append(values)
    if not header_at:
        raise _bad(name, text.count("\n") + 1, f"no line of column names: {' '.join(names)}")
    if names[:2] == list(_PAIR):
        rows = _every_pair(rows, wanted.n_rows, name, text.count("\n"))
    columns = {
        one: np.array([row[n] for row in rows], dtype=values.dtype).reshape(len(rows), *values.shape[1:])
        for n, (one, values) in enumerate(wanted.columns.items())
    }
    return replace(base, tables=(replace(wanted, columns=columns),))


def differences(old: CalibTables, new: CalibTables) -> Differences:
    """Tell what an edit added, removed and changed.

    Parameters
    ----------
    old, new : CalibTables
        In the form of `edited_form`. Boxes with one corner, and coefficients of one pair, are the same row; of other
        tables rows are compared by number.
    """
    before, after = (_rows_by_key(one.tables[0]) for one in (old, new))
    changed = []
    for key in before.keys() & after.keys():
        was, now = before[key], after[key]
        told = [f"{name} {_shown(was[name])} -> {_shown(now[name])}" for name in was if not _same(was[name], now[name])]
        if told:
            changed.append((key, f"{_key_text(key)}: {', '.join(told)}"))
    return Differences(
        added=tuple(_row_text(after[key]) for key in sorted(after.keys() - before.keys())),
        removed=tuple(_row_text(before[key]) for key in sorted(before.keys() - after.keys())),
        changed=tuple(text for _, text in sorted(changed)),
    )


def shown_rows(content: CalibTables) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of every table, long arrays by their shape, for people and for JSON."""
    for number, table in enumerate(edited_form(content).tables if len(content.tables) == 1 else content.tables):
        for row in range(table.n_rows):
            values = {name: _plain(column[row]) for name, column in table.columns.items()}
            yield {"table": table.name or number, **values} if len(content.tables) > 1 else values


def _matrix_side(table: CalibTable) -> int:
    """Return the side of the square matrices of a table of one row; 0 for other tables."""
    if table.n_rows != 1 or not all(name.startswith("CT_") for name in table.columns):
        return 0
    size = max(column[0].size for column in table.columns.values())
    side = math.isqrt(size)
    return side if side * side == size else 0


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for at, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield at, line


def _words(line: str, name: str, at: int) -> list[str]:
    try:
        return next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True, strict=True))
    except csv.Error as fault:
        raise _bad(name, at, str(fault)) from fault


def _value(word: str, column: NDArray[Any], shown: str, name: str, at: int) -> Any:
    kind = column.dtype.kind
    try:
        if column.ndim > 1:
            found = np.array(json.loads(word), dtype=column.dtype)
            if found.shape != column.shape[1:]:
                raise ValueError(f"has shape {found.shape}, not {column.shape[1:]}")
            return found
        if kind == "b":
            return _LOGICALS[word.lower()]
        if kind in "iu":
            return int(word)
        return float(word) if kind == "f" else word
    except (ValueError, KeyError, TypeError) as fault:
        wanted = {"b": "True or False", "i": "a whole number", "u": "a whole number", "f": "a number"}.get(kind, "text")
        raise _bad(name, at, f"{shown[:40]} is not {wanted}") from fault


def _check_box(box: Mapping[str, Any], name: str, at: int, width: int, height: int) -> None:
    for key in ("width", "height"):
        if box[key] < 1:
            raise _bad(name, at, f"{key}={box[key]}: a box has at least one pixel")
    for corner, size, limit in (("x0", "width", width), ("y0", "height", height)):
        if box[corner] < 0 or box[corner] + box[size] > limit:
            raise _bad(name, at, f"{corner}={box[corner]} {size}={box[size]} reaches outside 0..{limit - 1}")


def _every_pair(rows: list[list[Any]], n_wanted: int, name: str, last: int) -> list[list[Any]]:
    side = math.isqrt(n_wanted)
    found = {(row[0], row[1]): row for row in rows}
    missing = [(i, j) for i in range(side) for j in range(side) if (i, j) not in found]
    if missing or len(found) != n_wanted:
        told = f"the line of i={missing[0][0]} j={missing[0][1]} is missing" if missing else f"i and j go to {side - 1}"
        raise _bad(name, last, told)
    return [found[i, j] for i in range(side) for j in range(side)]


def _rows_by_key(table: CalibTable) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = list(table.columns)
    keys = _PAIR if names[:2] == list(_PAIR) else (BOX[:2] if set(BOX) <= set(names) else ())
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for number in range(table.n_rows):
        row = {name: column[number] for name, column in table.columns.items()}
        base = tuple((name, int(row[name])) for name in keys) or (("row", number + 1),)
        key, n = base, 1
        while key in found:  # two boxes may share a corner
            n += 1
            key = (*base, ("again", n))
        found[key] = row
    return found


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f"))


def _key_text(key: tuple[tuple[str, int], ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in key if name != "again")


def _row_text(row: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_shown(value)}" for name, value in row.items())


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"array of {'x'.join(map(str, value.shape))}"
    plain = _plain(value)
    return f"{plain:.6g}" if isinstance(plain, float) else str(plain)


def _plain(value: Any) -> Any:
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _bad(name: str, at: int, told: str) -> UserInputError:
    return UserInputError(f"{name}:{at}: {told}", hint="correct that line", code="E-EDIT")
