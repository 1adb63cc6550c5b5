"""Whether the rows of a store fit one another, and closing or writing again those that do not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import (
    camera_event,
    certification,
    chain_edge,
    collection,
    dataset,
    dataset_file,
    tag_member,
)
from calibstore.model.collections import CollectionType
from calibstore.model.timespan import Timespan

_CHUNK = 400
_run = collection.alias("run")
_child = collection.alias("child")
_LINKS = {"certified": certification, "tagged": tag_member}


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two open ranges of one data ID in one collection that share an instant."""

    collection: str
    dataset_type: str
    data_key: str
    first: Timespan
    second: Timespan


@dataclass(frozen=True, slots=True)
class LooseEdge:
    """A member of a chain that is not there, or of a chain that is not there."""

    id: int
    chain: str
    child: str
    closed_state: int
    """State that removed it."""


@dataclass(frozen=True, slots=True)
class LooseLink:
    """A certification or tag of a dataset, or in a collection, that was removed."""

    kind: str
    """certified or tagged."""
    collection: str
    dataset_type: str
    data_key: str
    dataset_id: str
    run: str
    closed_state: int


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as its row knows it."""

    dataset_id: str
    path: str
    size_bytes: int
    sha256: str


class Soundness:
    """What does not fit in one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def missing_references(self) -> tuple[str, ...]:
        """Return rows that point at rows which are not there; a PostgreSQL server lets none be."""
        if self._connection.dialect.name == "postgresql":
            return ()
        found = self._connection.exec_driver_sql("PRAGMA foreign_key_check")
        return tuple(f"row {row[1]} of {row[0]} points at a missing row of {row[2]}" for row in found)

    def overlaps(self) -> tuple[Overlap, ...]:
        """Return ranges that overlap the one before them, in order of their begins: none is all right."""
        key = (certification.c.collection_id, certification.c.dataset_type, certification.c.data_key)
        in_time = (certification.c.begin_tai_ns, certification.c.id)
        lagged = {
            name: sa.func.lag(certification.c[name]).over(partition_by=key, order_by=in_time).label(f"before_{name}")
            for name in ("begin_tai_ns", "end_tai_ns")
        }
        every = sa.select(certification, *lagged.values()).where(certification.c.closed_state.is_(None)).subquery()
        query = (
            sa.select(collection.c.name.label("name"), every)
            .join(every, every.c.collection_id == collection.c.id)
            .where(every.c.before_end_tai_ns > every.c.begin_tai_ns)
            .order_by(collection.c.name, every.c.dataset_type, every.c.data_key, every.c.begin_tai_ns)
        )
        return tuple(
            Overlap(
                row.name,
                row.dataset_type,
                row.data_key,
                Timespan(row.before_begin_tai_ns, row.before_end_tai_ns),
                Timespan(row.begin_tai_ns, row.end_tai_ns),
            )
            for row in self._connection.execute(query)
        )

    def loose_edges(self) -> tuple[LooseEdge, ...]:
        """Return members of chains where member or chain was removed."""
        removed = sa.func.coalesce(_child.c.closed_state, collection.c.closed_state)
        query = (
            sa.select(chain_edge.c.id, collection.c.name, _child.c.name, removed)
            .select_from(chain_edge)
            .join(collection, collection.c.id == chain_edge.c.chain_id)
            .join(_child, _child.c.id == chain_edge.c.child_id)
            .where(chain_edge.c.closed_state.is_(None), removed.is_not(None))
            .order_by(chain_edge.c.id)
        )
        return tuple(LooseEdge(*row) for row in self._connection.execute(query))

    def false_chains(self) -> tuple[str, ...]:
        """Return collections that list members although they are no chains."""
        query = (
            sa.select(collection.c.name)
            .distinct()
            .join(chain_edge, chain_edge.c.chain_id == collection.c.id)
            .where(chain_edge.c.closed_state.is_(None), collection.c.type != str(CollectionType.CHAINED))
            .order_by(collection.c.name)
        )
        return tuple(self._connection.scalars(query))

    def crowded_chains(self) -> tuple[str, ...]:
        """Return chains with two members at one position: which is searched first is chance."""
        query = (
            sa.select(collection.c.name)
            .distinct()
            .join(chain_edge, chain_edge.c.chain_id == collection.c.id)
            .where(chain_edge.c.closed_state.is_(None), collection.c.closed_state.is_(None))
            .group_by(collection.c.name, chain_edge.c.chain_id, chain_edge.c.position)
            .having(sa.func.count() > 1)
            .order_by(collection.c.name)
        )
        return tuple(self._connection.scalars(query))

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """Return chains that contain themselves, each as the path that leads back."""
        query = (
            sa.select(collection.c.name, _child.c.name)
            .select_from(chain_edge)
            .join(collection, collection.c.id == chain_edge.c.chain_id)
            .join(_child, _child.c.id == chain_edge.c.child_id)
            .where(chain_edge.c.closed_state.is_(None))
            .order_by(collection.c.name, chain_edge.c.position, chain_edge.c.id)
        )
        lists: dict[str, list[str]] = {}
        for row in self._connection.execute(query):
            lists.setdefault(row[0], []).append(row[1])
        return _cycles(lists)

    def loose_links(self) -> tuple[LooseLink, ...]:
        """Return certifications and tags whose dataset, its RUN or whose own collection was removed."""
        found: list[LooseLink] = []
        for kind, table in _LINKS.items():
            removed = sa.func.coalesce(dataset.c.closed_state, _run.c.closed_state, collection.c.closed_state)
            query = (
                sa.select(
                    collection.c.name, table.c.dataset_type, table.c.data_key, table.c.dataset_id, _run.c.name, removed
                )
                .select_from(table)
                .join(collection, collection.c.id == table.c.collection_id)
                .join(dataset, dataset.c.id == table.c.dataset_id)
                .join(_run, _run.c.id == dataset.c.run_id)
                .where(table.c.closed_state.is_(None), removed.is_not(None))
                .order_by(collection.c.name, table.c.dataset_type, table.c.data_key)
            )
            found += [LooseLink(kind, *row) for row in self._connection.execute(query)]
        return tuple(found)

    def false_links(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return (collection, dataset type, data key, dataset id) of links under another name than the dataset's."""
        found: list[tuple[str, str, str, str]] = []
        for table in _LINKS.values():
            query = (
                sa.select(collection.c.name, table.c.dataset_type, table.c.data_key, table.c.dataset_id)
                .join(table, table.c.collection_id == collection.c.id)
                .join(dataset, dataset.c.id == table.c.dataset_id)
                .where(
                    table.c.closed_state.is_(None),
                    sa.or_(table.c.dataset_type != dataset.c.dataset_type, table.c.data_key != dataset.c.data_key),
                )
                .order_by(collection.c.name, table.c.dataset_type, table.c.data_key)
            )
            found += [(row[0], row[1], row[2], row[3]) for row in self._connection.execute(query)]
        return tuple(found)

    def files(self) -> tuple[FileRow, ...]:
        """Return every file a row names, also those of datasets that were removed: an undo needs them."""
        columns = (dataset_file.c.dataset_id, dataset_file.c.path, dataset_file.c.size_bytes, dataset_file.c.sha256)
        query = sa.select(*columns).order_by(dataset_file.c.path, dataset_file.c.dataset_id)
        return tuple(FileRow(*row) for row in self._connection.execute(query))

    def without_file_row(self) -> tuple[tuple[str, str, str], ...]:
        """Return (dataset type, data key, RUN) of datasets for which no file is recorded."""
        query = (
            sa.select(dataset.c.dataset_type, dataset.c.data_key, _run.c.name)
            .join(_run, _run.c.id == dataset.c.run_id)
            .outerjoin(dataset_file, dataset_file.c.dataset_id == dataset.c.id)
            .where(dataset.c.closed_state.is_(None), _run.c.closed_state.is_(None), dataset_file.c.dataset_id.is_(None))
            .order_by(dataset.c.dataset_type, _run.c.name, dataset.c.data_key)
        )
        return tuple((row[0], row[1], row[2]) for row in self._connection.execute(query))

    def count_events(self, instrument: str) -> int:
        """Return how many camera events are stored of an instrument."""
        query = sa.select(sa.func.count()).select_from(camera_event).where(camera_event.c.instrument == instrument)
        return self._connection.scalar(query) or 0

    def close_edges(self, ids: Sequence[int], *, state: int) -> None:
        """Take members out of their chains."""
        for start in range(0, len(ids), _CHUNK):
            mine = chain_edge.c.id.in_(ids[start : start + _CHUNK])
            self._connection.execute(sa.update(chain_edge).where(mine).values(closed_state=state))

    def number_anew(self, chain: str, *, state: int) -> None:
        """Give the members of a chain positions of their own; those at one position stay in the order of their rows."""
        named = sa.select(collection.c.id).where(collection.c.name == chain, collection.c.closed_state.is_(None))
        query = (
            sa.select(chain_edge)
            .where(chain_edge.c.chain_id == named.scalar_subquery(), chain_edge.c.closed_state.is_(None))
            .order_by(chain_edge.c.position, chain_edge.c.id)
        )
        edges = self._connection.execute(query).all()
        self.close_edges([edge.id for edge in edges], state=state)
        rows: list[dict[str, Any]] = [
            {"chain_id": edge.chain_id, "child_id": edge.child_id, "position": position, "opened_state": state}
            for position, edge in enumerate(edges)
        ]
        if rows:
            self._connection.execute(sa.insert(chain_edge), rows)

    def record_checksums(self, sums: Iterable[tuple[str, str]]) -> None:
        """Record (dataset id, SHA-256) of files for which none is recorded."""
        for dataset_id, sha256 in sums:
            mine = sa.and_(dataset_file.c.dataset_id == dataset_id, dataset_file.c.sha256 == "")
            self._connection.execute(sa.update(dataset_file).where(mine).values(sha256=sha256))


def _cycles(lists: dict[str, list[str]]) -> tuple[tuple[str, ...], ...]:
    """Return one path back for each chain that leads to itself; each cycle once."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for top in lists:
        path: list[str] = []
        # Names still to be looked at; None closes the chain at the end of the path.
        waiting: list[str | None] = [top]
        while waiting:
            name = waiting.pop()
            if name is None:
                done.add(path.pop())
            elif name in path:
                found.append((*path[path.index(name) :], name))
            elif name not in done:
                path.append(name)
                waiting += [None, *reversed(lists.get(name, []))]
    return tuple(found)
