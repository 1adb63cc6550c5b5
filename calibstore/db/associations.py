"""What collections hold: the rows that look-up, previews and fingerprints read in bulk.

Rows come as the driver gives them: tens of thousands are read at once, and an object for each would cost as much as
SQLite itself.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.offers import Offer, first_offers
from calibstore.db.schema import certification, chain_edge, collection, dataset, exposure, journal, tag_member
from calibstore.db.state_watch import Mark, StateWatch
from calibstore.model.collections import CollectionType
from calibstore.model.links import HeldLinks, Link
from calibstore.model.search_path import CollectionTree
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan

_CHUNK: Final = 1000
_ROWS_PER_QUESTION: Final = 75
"""Facts that are read in bulk in the time that one question takes."""
# Written out, not bound: a thousand ids are then one short text, and more than any database's limit of parameters.
_IDS: Final[sa.BindParameter[Any]] = sa.bindparam("ids", expanding=True, literal_execute=True, type_=sa.BigInteger)
_TYPES: Final[sa.BindParameter[Any]] = sa.bindparam("types", expanding=True)
_STATE: Final[sa.BindParameter[Any]] = sa.bindparam("state", type_=sa.BigInteger)
_IsOpen = Callable[[Any], sa.ColumnElement[bool]]
"""Says whether a row of a table exists: now, or at a state."""


def _now(table: Any) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = table.c.closed_state.is_(None)
    return condition


def _then(table: Any) -> sa.ColumnElement[bool]:
    closed = table.c.closed_state
    return sa.and_(table.c.opened_state <= _STATE, sa.or_(closed.is_(None), closed > _STATE))


def _whole(is_open: _IsOpen) -> Any:
    return sa.select(collection.c.id, collection.c.name, collection.c.type).where(is_open(collection))


def _edges(is_open: _IsOpen) -> Any:
    return (
        sa.select(chain_edge.c.chain_id, chain_edge.c.child_id)
        .where(is_open(chain_edge))
        .order_by(chain_edge.c.chain_id, chain_edge.c.position)
    )


def _linked(link: Any, is_open: _IsOpen) -> Any:
    is_certified = link is certification
    return (
        sa.select(
            link.c.collection_id,
            link.c.dataset_type,
            link.c.data_key,
            link.c.dataset_id,
            *((link.c.begin_tai_ns, link.c.end_tai_ns, link.c.id) if is_certified else _ALWAYS),
        )
        .where(link.c.collection_id.in_(_IDS), link.c.dataset_type.in_(_TYPES), is_open(link))
        .order_by(
            link.c.collection_id,
            link.c.dataset_type,
            link.c.data_key,
            *((link.c.begin_tai_ns,) if is_certified else ()),
        )
    )


def _born(is_open: _IsOpen) -> Any:
    return (
        sa.select(dataset.c.run_id, dataset.c.dataset_type, dataset.c.data_key, dataset.c.id, *_ALWAYS)
        .where(dataset.c.run_id.in_(_IDS), dataset.c.dataset_type.in_(_TYPES), is_open(dataset))
        .order_by(dataset.c.run_id, dataset.c.dataset_type, dataset.c.data_key)
    )


_ALWAYS: Final = (
    sa.literal_column(str(MIN_TAI_NS), sa.BigInteger).label("begin_tai_ns"),
    sa.literal_column(str(MAX_TAI_NS), sa.BigInteger).label("end_tai_ns"),
    sa.null().label("id"),
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

_FACT_COLUMNS: Final = (dataset.c.id, collection.c.name, dataset.c.content_sha256)
_FACTS: Final = (
    sa.select(*_FACT_COLUMNS)
    .join(collection, collection.c.id == dataset.c.run_id)
    .where(dataset.c.id.in_(sa.bindparam("datasets", expanding=True)))
)
_ALL_FACTS: Final = {
    CollectionType.CALIBRATION: (
        sa.select(*_FACT_COLUMNS)
        .select_from(certification)
        .join(dataset, dataset.c.id == certification.c.dataset_id)
        .join(collection, collection.c.id == dataset.c.run_id)
        .where(certification.c.collection_id.in_(_IDS), certification.c.dataset_type.in_(_TYPES))
    ),
    CollectionType.TAGGED: (
        sa.select(*_FACT_COLUMNS)
        .select_from(tag_member)
        .join(dataset, dataset.c.id == tag_member.c.dataset_id)
        .join(collection, collection.c.id == dataset.c.run_id)
        .where(tag_member.c.collection_id.in_(_IDS), tag_member.c.dataset_type.in_(_TYPES))
    ),
    CollectionType.RUN: (
        sa.select(*_FACT_COLUMNS)
        .join(collection, collection.c.id == dataset.c.run_id)
        .where(dataset.c.run_id.in_(_IDS), dataset.c.dataset_type.in_(_TYPES))
    ),
}

_ONE_END: Final[sa.BindParameter[Any]] = sa.bindparam("end_tai_ns", type_=sa.BigInteger)
_ONE_BEGIN: Final[sa.BindParameter[Any]] = sa.bindparam("begin_tai_ns", type_=sa.BigInteger)


_SPANS: Final = (
    sa.select(exposure.c.id, exposure.c.begin_tai_ns, exposure.c.end_tai_ns)
    .where(
        exposure.c.instrument == sa.bindparam("instrument"),
        exposure.c.begin_tai_ns < _ONE_END,
        exposure.c.end_tai_ns > _ONE_BEGIN,
    )
    .order_by(exposure.c.begin_tai_ns, exposure.c.id)
)
_LAST: Final = sa.select(sa.func.max(journal.c.state))
_NEWEST: Final = sa.select(journal.c.state, journal.c.hash).order_by(journal.c.state.desc()).limit(1)


class Associations:
    """Links of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: dict[int | None, dict[str, int]] = {}

    def last_state(self) -> int:
        """Return the number of the newest state; 0 before the first."""
        return self._connection.scalar(_LAST) or 0

    def last(self) -> Mark:
        """Return the newest state of this transaction's view and its seal."""
        row = self._connection.execute(_NEWEST).first()
        return (row[0], row[1]) if row is not None else (0, "")

    def watch(self) -> StateWatch:
        """Return what tells the newest committed state, also after this transaction."""
        return StateWatch(self._connection.engine)

    def tree(self, *, at_state: int | None = None) -> CollectionTree:
        """Return all collections and the lists of all chains; now, or as they were at a state."""
        queries, state = (_NOW, {}) if at_state is None else (_THEN, {"state": at_state})
        rows = _fetch(self._connection, queries.whole, state)
        types = {type_: CollectionType(type_) for type_ in {row[2] for row in rows}}
        names = {row[0]: row[1] for row in rows}
        self._ids[at_state] = {row[1]: row[0] for row in rows}
        lists: dict[str, list[str]] = {name: [] for _, name, type_ in rows if type_ == CollectionType.CHAINED}
        for chain, some in itertools.groupby(_fetch(self._connection, queries.edges, state), _FIRST):
            if chain in names:
                lists[names[chain]] = [names[child] for _, child in some if child in names]
        return CollectionTree(
            {row[1]: types[row[2]] for row in rows}, {name: tuple(children) for name, children in lists.items()}
        )

    def rows(
        self,
        names: Iterable[str],
        tree: CollectionTree,
        *,
        dataset_types: Iterable[str],
        at_state: int | None = None,
        data_key: str = "",
    ) -> HeldLinks:
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
        data_key : str
            Only this one; by default every data ID.
        """
        queries, state = (_NOW, {}) if at_state is None else (_THEN, {"state": at_state})
        if at_state not in self._ids:
            self.tree(at_state=at_state)
        ids = self._ids[at_state]
        types = sorted(set(dataset_types))
        found: dict[str, list[Link]] = {}
        read: dict[CollectionType, list[int]] = {}
        wanted = sorted({name for name in names if name in tree.types and name in ids})
        for type_, whole in queries.links.items():
            query = whole.where(whole.selected_columns.data_key == data_key) if data_key else whole
            named = {ids[name]: name for name in wanted if tree.types[name] is type_}
            if type_ is CollectionType.RUN and at_state is not None:
                named = self._rows_of_runs(named)
            read[type_] = sorted(named)
            for chunk in _chunks(read[type_]):
                rows = _fetch(self._connection, query, {"ids": chunk, "types": types, **state})
                for collection_id, some in itertools.groupby(rows, _FIRST):
                    found[named[collection_id]] = list(some)
        n_links = sum(map(len, found.values()))
        return HeldLinks(found, _StoredFacts(self._connection, read, types, data_key=data_key, n_links=n_links))

    def _rows_of_runs(self, named: Mapping[int, str]) -> dict[int, str]:
        """Return every row of some RUNs: one removed and opened again has several, and its datasets are of the last."""
        query = sa.select(collection.c.id, collection.c.name).where(collection.c.type == str(CollectionType.RUN))
        names = set(named.values())
        return {row[0]: row[1] for row in _fetch(self._connection, query, {}) if row[1] in names}

    def offers(
        self, dataset_type: str, data_key: str, timespan: Timespan | None, tops: Sequence[str]
    ) -> tuple[Offer, ...]:
        """Return what one look-up finds; see `calibstore.db.offers.first_offers`."""
        return first_offers(self._connection, dataset_type, data_key, timespan, tops)

    def spans(self, instrument: str, timespan: Timespan) -> list[tuple[int, int, int]]:
        """Return (id, begin, end [TAI ns]) of the exposures that share an instant with a range, in time order."""
        asked = {
            "instrument": instrument,
            "begin_tai_ns": timespan.begin_tai_ns,
            "end_tai_ns": timespan.end_tai_ns,
        }
        return _fetch(self._connection, _SPANS, asked)


class _StoredFacts:
    """RUNs and checksums of the datasets of a view, read when asked for.

    A dataset keeps them for ever, so they may be read after the transaction in which the view was.
    """

    def __init__(
        self,
        connection: Connection,
        collections: Mapping[CollectionType, Sequence[int]],
        types: Sequence[str],
        *,
        data_key: str,
        n_links: int,
    ) -> None:
        self._connection, self._engine = connection, connection.engine
        self._collections, self._types, self._data_key = collections, types, data_key
        self._known: dict[str, tuple[str, str]] = {}
        self._n_links, self._spent = n_links, 0

    def of(self, dataset_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Return RUN and pixel checksum of some datasets at least, by id."""
        missing = [one for one in dict.fromkeys(dataset_ids) if one not in self._known]
        if missing and self._connection.closed:
            with self._engine.connect() as connection:
                self._read(connection, missing)
        elif missing:
            self._read(self._connection, missing)
        return self._known

    def _read(self, connection: Connection, missing: Sequence[str]) -> None:
        # Asking for a few at a time goes on until it has cost as much as reading all.
        self._spent += _ROWS_PER_QUESTION + len(missing)
        if self._spent <= self._n_links and len(missing) <= _CHUNK:
            self._keep(_fetch(connection, _FACTS, {"datasets": list(missing)}))
            return
        for type_, ids in self._collections.items():
            query = _ALL_FACTS[type_]
            query = query.where(dataset.c.data_key == self._data_key) if self._data_key else query
            for chunk in _chunks(ids):
                self._keep(_fetch(connection, query, {"ids": chunk, "types": self._types}))

    def _keep(self, rows: Iterable[tuple[str, str, str]]) -> None:
        self._known.update((row[0], (row[1], row[2])) for row in rows)


_FIRST: Final = itemgetter(0)


def _fetch(connection: Connection, statement: Any, asked: Mapping[str, Any]) -> list[Any]:
    """Return plain tuples of the driver: SQLAlchemy compiles and sends, and makes no row objects."""
    cursor: Any = connection.execute(statement, asked).cursor
    rows: list[Any] = cursor.fetchall()
    return rows


def _chunks(ids: Sequence[int]) -> Iterable[list[int]]:
    return (list(ids[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK))
