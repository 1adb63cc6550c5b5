"""What each state opened and closed, row by row; and rows opened again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import certification, chain_edge, collection, dataset, journal, metadata, tag_member
from calibstore.model.collections import CollectionType

_CHUNK: Final = 400
_LINKS: Final = {"certification": certification, "tag_member": tag_member}
_CHANGEABLE: Final = (collection, chain_edge, certification, tag_member, dataset)


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A certification or a tag as one state opened or closed it."""

    kind: str
    """certification or tag_member."""
    collection: str
    dataset_type: str
    data_key: str
    dataset_id: str
    begin_tai_ns: int = 0
    end_tai_ns: int = 0
    batch: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What no two open rows may share for one instant."""
        return (self.kind, self.collection, self.dataset_type, self.data_key)

    @property
    def content(self) -> tuple[object, ...]:
        """What makes another row the same."""
        return (*self.key, self.dataset_id, self.begin_tai_ns, self.end_tai_ns)


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection as one state opened or closed it."""

    id: int
    name: str
    type: CollectionType
    doc: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRows:
    """Everything one state opened and closed."""

    state: int
    opened: tuple[LinkRow, ...] = ()
    closed: tuple[LinkRow, ...] = ()
    made: tuple[CollectionRow, ...] = ()
    removed: tuple[CollectionRow, ...] = ()
    chains: tuple[str, ...] = ()
    """Chains whose list became another one, by name."""
    datasets_made: int = 0
    datasets_elsewhere: int = 0
    """Those of them born in RUNs that were there before: they do not go and come with a RUN of this state."""
    datasets_removed: int = 0
    others: tuple[str, ...] = ()
    """Other tables with rows of this state."""

    @property
    def is_empty(self) -> bool:
        """Whether it changed no collection, list, range or tag."""
        return not (self.opened or self.closed or self.made or self.removed or self.chains)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateSummary:
    """What one state opened and closed, in numbers and names."""

    state: int
    chains: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    """Made or removed, or with other ranges or tags."""
    n_opened: int = 0
    n_closed: int = 0
    datasets_made: int = 0
    datasets_elsewhere: int = 0
    """Those of them born in RUNs that were there before: they do not go and come with a RUN of this state."""
    datasets_removed: int = 0
    others: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it changed no collection, list, range or tag."""
        return not (self.chains or self.collections)


@dataclass(frozen=True, slots=True)
class Lists:
    """Every edge there ever was, by the name of its chain."""

    edges: dict[str, list[tuple[int, str, int, int | None]]]
    """(position, child, opened, closed) in order of position."""

    def at(self, chain: str, state: int) -> tuple[str, ...]:
        """Return a chain's list right after a state."""
        return tuple(
            child
            for _, child, opened, closed in self.edges.get(chain, [])
            if opened <= state and (closed is None or closed > state)
        )


class States:
    """What states did, of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows_of(self, state: int) -> StateRows:
        """Return everything one state opened and closed."""
        return self.rows_of_many([state])[state]

    def rows_of_many(self, states: Sequence[int]) -> dict[int, StateRows]:
        """Return everything some states opened and closed, each table read once."""
        wanted = sorted(set(states))
        opened, closed = self._links("opened_state", wanted), self._links("closed_state", wanted)
        made, removed = self._collections("opened_state", wanted), self._collections("closed_state", wanted)
        chains, others = self._chains(wanted), self._others(wanted)
        born, gone = self._datasets("opened_state", wanted), self._datasets("closed_state", wanted)
        own = self._born_with_run(wanted)
        return {
            state: StateRows(
                state=state,
                opened=tuple(opened.get(state, ())),
                closed=tuple(closed.get(state, ())),
                made=tuple(made.get(state, ())),
                removed=tuple(removed.get(state, ())),
                chains=tuple(sorted(chains.get(state, ()))),
                datasets_made=born.get(state, 0),
                datasets_elsewhere=born.get(state, 0) - own.get(state, 0),
                datasets_removed=gone.get(state, 0),
                others=tuple(others.get(state, ())),
            )
            for state in wanted
        }

    def summaries(self, states: Sequence[int]) -> dict[int, StateSummary]:
        """Return what some states did, counted by the database; for tables and for choosing among states."""
        wanted = sorted(set(states))
        names: dict[int, set[str]] = {}
        counts: dict[str, dict[int, int]] = {"opened_state": {}, "closed_state": {}}
        for column, counted in counts.items():
            for state, some in self._collections(column, wanted).items():
                names.setdefault(state, set()).update(one.name for one in some)
            for table in _LINKS.values():
                at = table.c[column]
                query = sa.select(at, table.c.collection_id, sa.func.count()).where(at.in_(wanted))
                groups = query.group_by(at, table.c.collection_id).subquery()
                named = sa.select(groups, collection.c.name).join(collection, collection.c.id == groups.c.collection_id)
                for state, _, number, name in self._connection.execute(named):
                    counted[state] = counted.get(state, 0) + number
                    names.setdefault(state, set()).add(name)
        chains, others = self._chains(wanted), self._others(wanted)
        born, gone = self._datasets("opened_state", wanted), self._datasets("closed_state", wanted)
        own = self._born_with_run(wanted)
        return {
            state: StateSummary(
                state=state,
                chains=tuple(sorted(chains.get(state, ()))),
                collections=tuple(sorted(names.get(state, ()))),
                n_opened=counts["opened_state"].get(state, 0),
                n_closed=counts["closed_state"].get(state, 0),
                datasets_made=born.get(state, 0),
                datasets_elsewhere=born.get(state, 0) - own.get(state, 0),
                datasets_removed=gone.get(state, 0),
                others=tuple(others.get(state, ())),
            )
            for state in wanted
        }

    def open_links(self, kind: str, names: Iterable[str]) -> dict[tuple[object, ...], int]:
        """Return content -> row number of the open rows of some collections.

        Parameters
        ----------
        kind : str
            certification or tag_member.
        names : iterable of str
            Of the collections.
        """
        table = _LINKS[kind]
        found: dict[tuple[object, ...], int] = {}
        wanted = sorted(set(names))
        for start in range(0, len(wanted), _CHUNK):
            query = _links_query(table).where(
                table.c.closed_state.is_(None),
                collection.c.closed_state.is_(None),
                collection.c.name.in_(wanted[start : start + _CHUNK]),
            )
            found.update((_link(row, kind).content, row.id) for row in self._connection.execute(query))
        return found

    def touching(self, kind: str, names: Iterable[str], *, after: int) -> dict[tuple[str, str, str, str], set[int]]:
        """Return, by key, the states after one that opened or closed a row of some collections.

        Parameters
        ----------
        kind : str
            certification or tag_member.
        names : iterable of str
            Of the collections.
        after : int
            State looked back to.
        """
        table = _LINKS[kind]
        found: dict[tuple[str, str, str, str], set[int]] = {}
        wanted = sorted(set(names))
        for start in range(0, len(wanted), _CHUNK):
            for column in (table.c.opened_state, table.c.closed_state):
                query = _links_query(table).where(column > after, collection.c.name.in_(wanted[start : start + _CHUNK]))
                for row in self._connection.execute(query):
                    found.setdefault(_link(row, kind).key, set()).add(getattr(row, column.name))
        return found

    def runs_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the names of the RUNs that datasets were born in, by dataset id, removed ones too."""
        wanted = sorted(set(ids))
        found: dict[str, str] = {}
        for start in range(0, len(wanted), _CHUNK):
            query = (
                sa.select(dataset.c.id, collection.c.name)
                .join(collection, collection.c.id == dataset.c.run_id)
                .where(dataset.c.id.in_(wanted[start : start + _CHUNK]), dataset.c.closed_state.is_(None))
            )
            found.update((row[0], row[1]) for row in self._connection.execute(query))
        return found

    def references(self, of: CollectionRow) -> tuple[int, ...]:
        """Return the states whose rows need a collection: members, lists it is in, datasets born in it, their links."""
        states: set[int] = set()
        for table, column in (
            (chain_edge, chain_edge.c.child_id),
            (chain_edge, chain_edge.c.chain_id),
            (certification, certification.c.collection_id),
            (tag_member, tag_member.c.collection_id),
            (dataset, dataset.c.run_id),
        ):
            query = sa.select(table.c.opened_state).distinct().where(column == of.id, table.c.closed_state.is_(None))
            states.update(self._connection.scalars(query))
        for link in _LINKS.values():
            query = (
                sa.select(link.c.opened_state)
                .distinct()
                .join(dataset, dataset.c.id == link.c.dataset_id)
                .where(dataset.c.run_id == of.id, link.c.closed_state.is_(None))
            )
            states.update(self._connection.scalars(query))
        return tuple(sorted(states))

    def close_collections(self, ids: Sequence[int], *, state: int) -> None:
        """Close collections; their history stays readable."""
        self._connection.execute(
            sa.update(collection)
            .where(collection.c.id.in_(ids), collection.c.closed_state.is_(None))
            .values(closed_state=state)
        )

    def orphans(self) -> tuple[tuple[str, str, int], ...]:
        """Return (table, column, state) of rows whose state is no entry of the journal."""
        found: list[tuple[str, str, int]] = []
        for table in metadata.sorted_tables:
            for name in ("opened_state", "closed_state"):
                if name not in table.c:
                    continue
                column = table.c[name]
                known = sa.select(journal.c.state).where(journal.c.state == column)
                query = sa.select(column).distinct().where(column.is_not(None), ~known.exists())
                found += [(table.name, name, state) for state in self._connection.scalars(query)]
        return tuple(sorted(found, key=lambda one: (one[2], one[0], one[1])))

    def lists(self) -> Lists:
        """Return every edge there ever was."""
        child = collection.alias("child")
        query = (
            sa.select(
                collection.c.name,
                chain_edge.c.position,
                child.c.name.label("child"),
                chain_edge.c.opened_state,
                chain_edge.c.closed_state,
            )
            .join(chain_edge, chain_edge.c.chain_id == collection.c.id)
            .join(child, child.c.id == chain_edge.c.child_id)
            .order_by(collection.c.name, chain_edge.c.position)
        )
        edges: dict[str, list[tuple[int, str, int, int | None]]] = {}
        for row in self._connection.execute(query):
            edges.setdefault(row[0], []).append((row[1], row[2], row[3], row[4]))
        return Lists(edges)

    def counts(self, name: str, column: str) -> dict[int, int]:
        """Return how many rows of a table each state opened or closed."""
        table = metadata.tables[name]
        states = table.c[column]
        query = sa.select(states, sa.func.count()).where(states.is_not(None)).group_by(states)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _links(self, column: str, states: Sequence[int]) -> dict[int, list[LinkRow]]:
        found: dict[int, list[LinkRow]] = {}
        for kind, table in _LINKS.items():
            query = _links_query(table).where(table.c[column].in_(states)).order_by(table.c.id)
            for row in self._connection.execute(query):
                found.setdefault(getattr(row, column), []).append(_link(row, kind))
        return found

    def _collections(self, column: str, states: Sequence[int]) -> dict[int, list[CollectionRow]]:
        found: dict[int, list[CollectionRow]] = {}
        query = sa.select(collection).where(collection.c[column].in_(states)).order_by(collection.c.id)
        for row in self._connection.execute(query):
            one = CollectionRow(row.id, row.name, CollectionType(row.type), row.doc, row.origin)
            found.setdefault(getattr(row, column), []).append(one)
        return found

    def _chains(self, states: Sequence[int]) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for column in (chain_edge.c.opened_state, chain_edge.c.closed_state):
            query = (
                sa.select(column, collection.c.name)
                .distinct()
                .join(collection, collection.c.id == chain_edge.c.chain_id)
                .where(column.in_(states))
            )
            for state, name in self._connection.execute(query):
                found.setdefault(state, set()).add(name)
        return found

    def _datasets(self, column: str, states: Sequence[int]) -> dict[int, int]:
        state = dataset.c[column]
        query = sa.select(state, sa.func.count()).where(state.in_(states)).group_by(state)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _born_with_run(self, states: Sequence[int]) -> dict[int, int]:
        """Return how many datasets each state made in RUNs that it made too, whichever row bears their name by now."""
        run, first = collection.alias("run"), collection.alias("first")
        query = (
            sa.select(dataset.c.opened_state, sa.func.count(sa.distinct(dataset.c.id)))
            .join(run, run.c.id == dataset.c.run_id)
            .join(first, sa.and_(first.c.name == run.c.name, first.c.opened_state == dataset.c.opened_state))
            .where(dataset.c.opened_state.in_(states), first.c.type == str(CollectionType.RUN))
            .group_by(dataset.c.opened_state)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _others(self, states: Sequence[int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for table in metadata.sorted_tables:
            if table in _CHANGEABLE or "opened_state" not in table.c:
                continue
            mine: set[int] = set()
            for name in ("opened_state", "closed_state"):
                if name in table.c:
                    column = table.c[name]
                    mine.update(self._connection.scalars(sa.select(column).distinct().where(column.in_(states))))
            for state in mine:
                found.setdefault(state, []).append(table.name)
        return found


def _links_query(table: Any) -> Any:
    return sa.select(table, collection.c.name.label("collection")).join(
        collection, collection.c.id == table.c.collection_id
    )


def _link(row: Any, kind: str) -> LinkRow:
    is_certified = kind == "certification"
    return LinkRow(
        kind=kind,
        collection=row.collection,
        dataset_type=row.dataset_type,
        data_key=row.data_key,
        dataset_id=row.dataset_id,
        begin_tai_ns=row.begin_tai_ns if is_certified else 0,
        end_tai_ns=row.end_tai_ns if is_certified else 0,
        batch=row.batch if is_certified else 0,
    )
