"""What collections hold: the rows that look-up, previews and fingerprints read in bulk."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import certification, chain_edge, collection, dataset, tag_member
from calibstore.model.collections import CollectionType
from calibstore.model.search_path import Association, CollectionTree
from calibstore.model.timespan import Timespan

_CHUNK: Final = 400
_run = collection.alias("run")
_child = collection.alias("child")
_NAMES: sa.BindParameter[Any] = sa.bindparam("names", expanding=True)
_TYPES: sa.BindParameter[Any] = sa.bindparam("types", expanding=True)
_STATE: sa.BindParameter[Any] = sa.bindparam("state")
_IsOpen = Callable[[Any], sa.ColumnElement[bool]]
"""Says whether a row of a table exists: now, or at a state."""


def _now(table: Any) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = table.c.closed_state.is_(None)
    return condition


def _then(table: Any) -> sa.ColumnElement[bool]:
    closed = table.c.closed_state
    return sa.and_(table.c.opened_state <= _STATE, sa.or_(closed.is_(None), closed > _STATE))


def _whole(is_open: _IsOpen) -> Any:
    return sa.select(collection.c.name, collection.c.type).where(is_open(collection))


def _edges(is_open: _IsOpen) -> Any:
    return (
        sa.select(collection.c.name, _child.c.name.label("child"))
        .join(chain_edge, chain_edge.c.chain_id == collection.c.id)
        .join(_child, _child.c.id == chain_edge.c.child_id)
        .where(is_open(chain_edge), is_open(collection))
        .order_by(collection.c.name, chain_edge.c.position)
    )


def _linked(link: Any, is_open: _IsOpen) -> Any:
    return (
        sa.select(
            collection.c.name.label("collection"),
            link.c.dataset_type,
            link.c.data_key,
            link.c.dataset_id,
            _run.c.name.label("run"),
            dataset.c.content_sha256,
            *((link.c.begin_tai_ns, link.c.end_tai_ns, link.c.id) if link is certification else ()),
        )
        .join(collection, collection.c.id == link.c.collection_id)
        .join(dataset, dataset.c.id == link.c.dataset_id)
        .join(_run, _run.c.id == dataset.c.run_id)
        .where(
            collection.c.name.in_(_NAMES),
            is_open(collection),
            link.c.dataset_type.in_(_TYPES),
            is_open(link),
        )
        .order_by(collection.c.name, link.c.dataset_type, link.c.data_key, link.c.id)
    )


def _born(is_open: _IsOpen) -> Any:
    return (
        sa.select(
            _run.c.name.label("collection"),
            dataset.c.dataset_type,
            dataset.c.data_key,
            dataset.c.id.label("dataset_id"),
            _run.c.name.label("run"),
            dataset.c.content_sha256,
        )
        .join(_run, _run.c.id == dataset.c.run_id)
        .where(
            _run.c.name.in_(_NAMES),
            is_open(_run),
            dataset.c.dataset_type.in_(_TYPES),
            is_open(dataset),
        )
        .order_by(_run.c.name, dataset.c.dataset_type, dataset.c.data_key)
    )


@dataclass(frozen=True, slots=True)
class _Queries:
    """What is read, now or at a state."""

    whole: Any
    edges: Any
    links: Mapping[CollectionType, Any]


def _queries(is_open: _IsOpen) -> _Queries:
    links = {
        CollectionType.CALIBRATION: _linked(certification, is_open),
        CollectionType.TAGGED: _linked(tag_member, is_open),
        CollectionType.RUN: _born(is_open),
    }
    return _Queries(_whole(is_open), _edges(is_open), links)


_NOW: Final = _queries(_now)
_THEN: Final = _queries(_then)


class Associations:
    """Links of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tree(self, *, at_state: int | None = None) -> CollectionTree:
        """Return all collections and the lists of all chains; now, or as they were at a state."""
        queries, state = (_NOW, {}) if at_state is None else (_THEN, {"state": at_state})
        types = {row.name: CollectionType(row.type) for row in self._connection.execute(queries.whole, state)}
        lists: dict[str, list[str]] = {name: [] for name, type_ in types.items() if type_ is CollectionType.CHAINED}
        for row in self._connection.execute(queries.edges, state):
            lists[row.name].append(row.child)
        return CollectionTree(types, {name: tuple(children) for name, children in lists.items()})

    def rows(
        self, names: Iterable[str], tree: CollectionTree, *, dataset_types: Iterable[str], at_state: int | None = None
    ) -> dict[str, tuple[Association, ...]]:
        """Return what some collections hold of some dataset types, by collection.

        Parameters
        ----------
        names : iterable of str
            RUN, TAGGED and CALIBRATION collections; others hold nothing.
        tree : CollectionTree
            Tells their types.
        dataset_types : iterable of str
            Only these.
        at_state : int, optional
            As they were at that state; by default now.
        """
        queries, state = (_NOW, {}) if at_state is None else (_THEN, {"state": at_state})
        wanted_types = sorted(set(dataset_types))
        found: dict[str, list[Association]] = {}
        by_type: dict[CollectionType, list[str]] = {}
        for name in sorted(set(names)):
            if name in tree.types:
                by_type.setdefault(tree.types[name], []).append(name)
        for type_, query in queries.links.items():
            known = by_type.get(type_, [])
            for start in range(0, len(known), _CHUNK):
                chunk: dict[str, Any] = {"names": known[start : start + _CHUNK], "types": wanted_types, **state}
                for row in self._connection.execute(query, chunk):
                    found.setdefault(row[0], []).append(_association(row, type_))
        return {name: tuple(rows) for name, rows in found.items()}


def _association(row: Any, type_: CollectionType) -> Association:
    # By place: a camera's certifications are thousands of rows, and names of columns cost as much as the row itself.
    is_certified = type_ is CollectionType.CALIBRATION
    return Association(
        collection=row[0],
        dataset_type=row[1],
        data_key=row[2],
        dataset_id=row[3],
        run=row[4],
        content_sha256=row[5],
        timespan=Timespan(row[6], row[7]) if is_certified else None,
        certification=row[8] if is_certified else 0,
    )
