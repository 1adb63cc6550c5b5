"""What the Data screen gets of a product that is a table: rows of numbers, pages of plots and grids, all ready."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from calibstore.pipelines.screen_curves import PlotCells
from calibstore.pipelines.screen_images import Picture
from calibstore.pipelines.screen_rasters import Raster

Value: TypeAlias = float | int | str | None

OK, WARN, FAIL = "ok", "WARN", "FAIL"
AXIS_CELLS: Final = 8
"""Cells left of a plot that the painter needs for its numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueColumn:
    """A column of numbers."""

    name: str
    spec: str = ""
    """Format of its numbers; empty: text."""
    width: int = 7
    unit: str = ""
    """Said where a row is told in words."""
    from_width: int = 0
    """Shown only in tables at least this wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRow:
    """One amplifier, pair of amplifiers, or box."""

    key: str
    values: tuple[Value, ...]
    state: str = OK
    reason: str = ""
    """Why it is not ok, or what else is to be known."""
    place: str = ""
    """Name of its place in the picture; empty: the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Numbers in rows and columns."""

    title: str
    heads: tuple[str, ...]
    """The first is that of the labels."""
    rows: tuple[tuple[str, ...], ...]
    """Labels, then numbers."""
    marked: tuple[int, int] = (-1, -1)
    """Row and column of numbers to point out."""


Panel: TypeAlias = PlotCells | Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Cells for what is drawn beside the table."""

    columns: int
    rows: int
    mode: str = "palette"
    color_map: str = "viridis"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWish:
    """What of a table is looked at."""

    page: str = ""
    """Empty: the first."""
    selected: str = ""
    """Key of a row; empty: the first."""
    is_log: bool = False
    room: Room | None = None
    """None: nothing is drawn."""


class Content(Protocol):
    """A table product that was read."""

    @property
    def title(self) -> str:
        """What it is, in a few words."""

    @property
    def pages(self) -> tuple[str, ...]:
        """Ways to look at it."""

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return the columns of its table."""

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return the rows of its table."""

    def facts(self, other: Any) -> tuple[tuple[str, str], ...]:
        """Return what is to be known of the whole; of how it differs from another."""

    def raster(self, page: str, selected: str, other: Any) -> Raster | None:
        """Return what is drawn as a picture, less the same of another."""

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: Any
    ) -> tuple[Panel | None, ...]:
        """Return what is drawn as plots and grids for a row; another's is drawn too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLook:
    """A table product, ready to be painted."""

    title: str
    pages: tuple[str, ...]
    page: str
    columns: tuple[ValueColumn, ...]
    rows: tuple[ValueRow, ...]
    """Of a difference: this less the other; text columns stay."""
    selected: str
    is_log: bool = False
    can_log: bool = False
    """A plot is shown, whose axes may be logarithmic."""
    is_difference: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    picture: Picture | None = None
    unit: str = ""
    """Of the picture."""
    panels: tuple[Panel, ...] = ()
    n_bad: int = 0
    """Rows that are not ok."""

    def row(self, key: str) -> ValueRow | None:
        """Return the row with a key."""
        return next((one for one in self.rows if one.key == key), None)


def finite(value: float) -> float | None:
    """Return a number, or None where there is none."""
    return float(value) if math.isfinite(value) else None


def less(rows: Sequence[ValueRow], others: Sequence[ValueRow]) -> tuple[ValueRow, ...]:
    """Return rows less those with the same keys; one that is only here says so, and so does one that is gone."""
    known = {one.key: one for one in others}
    found = []
    for row in rows:
        other = known.pop(row.key, None)
        if other is None:
            found.append(ValueRow(key=row.key, values=row.values, state=WARN, reason="only here", place=row.place))
            continue
        values = tuple(_less(here, there) for here, there in zip(row.values, other.values, strict=False))
        reason = row.reason or (other.reason and f"there: {other.reason}")
        state = row.state if row.state == other.state else WARN
        found.append(ValueRow(key=row.key, values=values, state=state, reason=reason, place=row.place))
    for key, gone in known.items():
        none = tuple(value if isinstance(value, str) else None for value in gone.values)
        found.append(ValueRow(key=key, values=none, state=WARN, reason="only there", place=gone.place))
    return tuple(found)


def _less(here: Value, there: Value) -> Value:
    if isinstance(here, str) or isinstance(there, str):
        return here
    return None if here is None or there is None else here - there
