"""Copying what one state wrote from a store to another whose row numbers may be others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.collections import Collections
from calibstore.db.schema import (
    camera_event,
    certification,
    chain_edge,
    collection,
    journal,
    metadata,
    repository,
    tag_member,
)
from calibstore.model.collections import CollectionType

_CHUNK: Final = 400
_NUMBERED: Final = (collection, chain_edge, certification, tag_member)
"""Tables whose rows commands write again: their numbers are matched, not kept."""
_FIRST: Final = (repository,)
_LAST: Final = (camera_event,)
_OF_COLLECTION: Final = ("chain_id", "child_id", "collection_id", "run_id")
_PARENTS: Final = {
    "detector": ("instrument", "instrument", "name"),
    "physical_filter": ("instrument", "instrument", "name"),
    "dataset_file": ("dataset_id", "dataset", "id"),
    "dataset_input": ("dataset_id", "dataset", "id"),
    "quantum": ("job_id", "job", "id"),
    "metric": ("verification_id", "verification", "id"),
}
"""Table without states: its column, and table and column of the rows it goes with."""


class StateCopy:
    """Two stores that hold the same, state by state.

    Parameters
    ----------
    source, target : Connection
        Transactions on the store that is read and on the one that is written.
    numbers : mapping
        Table name to source row number to target row number; kept between states by the caller.
    """

    def __init__(self, source: Connection, target: Connection, numbers: dict[str, dict[int, int]]) -> None:
        self._source, self._target, self._numbers = source, target, numbers

    def begin(self) -> None:
        """Copy what belongs to no state and comes first."""
        for table in _FIRST:
            self._insert(table, self._rows(table))

    def end(self) -> None:
        """Copy what is derived and comes last."""
        for table in _LAST:
            self._insert(table, self._rows(table))

    def copy(self, state: int) -> None:
        """Open and close what a state opened and closed; its journal entry is there already."""
        closing = [table for table in metadata.sorted_tables if "closed_state" in table.c]
        for table in closing:
            ids = list(self._source.scalars(sa.select(table.c.id).where(table.c.closed_state == state)))
            self._close(table, ids, state)
        opened: dict[str, list[dict[str, Any]]] = {}
        for table in metadata.sorted_tables:
            if table is journal or table in (*_FIRST, *_LAST):
                continue
            if "opened_state" in table.c:
                rows = self._rows(table, table.c.opened_state == state)
                opened[table.name] = rows
                self._insert(table, rows)
            elif table.name in _PARENTS:
                column, parent, key = _PARENTS[table.name]
                values = sorted({row[key] for row in opened.get(parent, [])})
                for some in _chunks(values):
                    self._insert(table, self._rows(table, table.c[column].in_(some)))

    def match(self, state: int) -> str:
        """Pair the rows that a command wrote again with those it wrote first; return what differs, or nothing."""
        for table in _NUMBERED:
            for column in (table.c.opened_state, table.c.closed_state):
                mine = self._keyed(self._source, table, column == state)
                theirs = self._keyed(self._target, table, column == state)
                if sorted(mine) != sorted(theirs):
                    odd = sorted(set(mine) ^ set(theirs), key=str)
                    return f"{table.name}: {len(mine)} rows {column.name}, again {len(theirs)}" + (
                        f", such as {' '.join(str(one) for one in odd[0])}" if odd else ""
                    )
                if column.name == "opened_state":
                    self._numbers.setdefault(table.name, {}).update(
                        (number, theirs[key]) for key, number in mine.items()
                    )
        return ""

    def _keyed(self, connection: Connection, table: Any, condition: Any) -> dict[tuple[Any, ...], int]:
        """Return row number by what makes a row itself, collections by their names."""
        found: dict[tuple[Any, ...], int] = {}
        rows = connection.execute(sa.select(table).where(condition)).mappings().all()
        ids = {row[name] for row in rows for name in _OF_COLLECTION if name in row}
        names: dict[int, str] = {}
        for some in _chunks(sorted(ids)):
            query = sa.select(collection.c.id, collection.c.name).where(collection.c.id.in_(some))
            names.update((row[0], row[1]) for row in connection.execute(query))
        for row in rows:
            key = tuple(
                names[row[name]] if name in _OF_COLLECTION else row[name]
                for name in row
                if name not in ("id", "closed_state", "batch", "position")
            )
            found[key] = row["id"]
        return found

    def _rows(self, table: Any, condition: Any = None) -> list[dict[str, Any]]:
        query = sa.select(table) if condition is None else sa.select(table).where(condition)
        if "id" in table.c:
            query = query.order_by(table.c.id)
        return [dict(row) for row in self._source.execute(query).mappings()]

    def _insert(self, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        fresh = [self._translated(row) for row in rows]
        if table in _NUMBERED:
            numbers = self._numbers.setdefault(table.name, {})
            for row in fresh:
                old = row.pop("id")
                made = self._target.execute(sa.insert(table).values(**row)).inserted_primary_key
                numbers[old] = made[0] if made else 0
                if table is collection and row["type"] == CollectionType.RUN:
                    Collections(self._target).bring_back(row["name"], numbers[old])
        elif fresh:
            self._target.execute(sa.insert(table), fresh)

    def _translated(self, row: Mapping[str, Any]) -> dict[str, Any]:
        known = self._numbers.get(collection.name, {})
        new = {
            name: known.get(value) or known[self._earlier(value)] if name in _OF_COLLECTION else value
            for name, value in row.items()
        }
        if "closed_state" in new:
            new["closed_state"] = None
        return new

    def _earlier(self, number: int) -> int:
        """Return the row of a RUN in which datasets were born that belong by now to another one of its name."""
        known = self._numbers.get(collection.name, {})
        name = sa.select(collection.c.name).where(collection.c.id == number).scalar_subquery()
        same = sa.select(collection.c.id).where(collection.c.name == name).order_by(collection.c.id)
        numbers: list[int] = [one for one in self._source.scalars(same) if one in known]
        return numbers[-1]

    def _close(self, table: Any, ids: Sequence[Any], state: int) -> None:
        numbers = self._numbers.get(table.name, {})
        for some in _chunks(ids):
            own = [numbers[one] for one in some] if table in _NUMBERED else list(some)
            self._target.execute(sa.update(table).where(table.c.id.in_(own)).values(closed_state=state))


def _chunks(values: Sequence[Any]) -> Iterable[list[Any]]:
    return (list(values[start : start + _CHUNK]) for start in range(0, len(values), _CHUNK))
