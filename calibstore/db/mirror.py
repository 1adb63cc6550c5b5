"""What a companion store mirrors of a Butler repository: rows opened and closed in bulk by one observed state.

Mirrored collections have the origin ``imported``; those that belong to this store alone have another one and are left
alone. A dataset that is back after it was gone has its one row opened again, since an id is born once; its ranges and
tags are new rows, so that look-ups at an earlier state stay what they were.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import (
    certification,
    chain_edge,
    collection,
    dataset,
    dataset_file,
    detector,
    exposure,
    instrument,
    journal,
    tag_member,
)
from calibstore.model.camera import Camera
from calibstore.model.codec import canonical_json
from calibstore.model.collections import CollectionType

MIRRORED: Final = "imported"
"""Origin of what is mirrored."""
OBSERVE: Final = "observe"
ACKNOWLEDGE: Final = "acknowledge"
_CHUNK: Final = 500

DatasetRow = tuple[str, str, str, str]
"""(id, dataset type, RUN, data key)."""
RangeRow = tuple[str, str, str, int, int]
"""(collection, dataset type, dataset id, begin, end) [TAI ns]."""
TagRow = tuple[str, str, str]
"""(collection, dataset type, dataset id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What is mirrored now, with the numbers of its rows."""

    collections: dict[str, tuple[int, CollectionType, str]]
    """Name to (row, type, doc)."""
    children: dict[str, tuple[str, ...]]
    datasets: frozenset[DatasetRow]
    ranges: dict[RangeRow, int]
    tags: dict[TagRow, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideEntry:
    """A journal entry of `observe` or `acknowledge`."""

    state: int
    at_tai_ns: int
    user: str
    verb: str
    summary: str
    after: dict[str, Any]


class Mirror:
    """Mirrored rows of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def entries(self) -> tuple[OutsideEntry, ...]:
        """Return what was observed and acknowledged, oldest first."""
        import json

        query = (
            sa.select(
                journal.c.state,
                journal.c.at_tai_ns,
                journal.c.user,
                journal.c.verb,
                journal.c.summary,
                journal.c.after_json,
            )
            .where(journal.c.verb.in_((OBSERVE, ACKNOWLEDGE)))
            .order_by(journal.c.state)
        )
        return tuple(
            OutsideEntry(
                state=row.state,
                at_tai_ns=row.at_tai_ns,
                user=row.user,
                verb=row.verb,
                summary=row.summary,
                after=json.loads(row.after_json),
            )
            for row in self._connection.execute(query)
        )

    def read(self) -> Mirrored:
        """Return what is mirrored now."""
        execute = self._connection.execute
        rows = execute(
            sa.select(collection.c.id, collection.c.name, collection.c.type, collection.c.doc).where(
                collection.c.origin == MIRRORED, collection.c.closed_state.is_(None)
            )
        ).all()
        names = {row.id: row.name for row in rows}
        edges = execute(
            sa.select(chain_edge.c.chain_id, collection.c.name)
            .join(collection, collection.c.id == chain_edge.c.child_id)
            .where(chain_edge.c.closed_state.is_(None))
            .order_by(chain_edge.c.chain_id, chain_edge.c.position)
        )
        children: dict[str, list[str]] = {row.name: [] for row in rows if row.type == CollectionType.CHAINED}
        for chain_id, child in edges:
            if chain_id in names:
                children[names[chain_id]].append(child)
        datasets = execute(
            sa.select(dataset.c.id, dataset.c.dataset_type, dataset.c.run_id, dataset.c.data_key).where(
                dataset.c.origin == MIRRORED, dataset.c.closed_state.is_(None)
            )
        )
        c, t = certification.c, tag_member.c
        ranges = execute(
            sa.select(c.id, c.collection_id, c.dataset_type, c.dataset_id, c.begin_tai_ns, c.end_tai_ns).where(
                c.closed_state.is_(None)
            )
        )
        tags = execute(sa.select(t.id, t.collection_id, t.dataset_type, t.dataset_id).where(t.closed_state.is_(None)))
        return Mirrored(
            collections={row.name: (row.id, CollectionType(row.type), row.doc) for row in rows},
            children={name: tuple(found) for name, found in children.items()},
            datasets=frozenset((id_, kind, names[run], key) for id_, kind, run, key in datasets if run in names),
            ranges={(names[at], kind, of, begin, end): id_ for id_, at, kind, of, begin, end in ranges if at in names},
            tags={(names[at], kind, of): id_ for id_, at, kind, of in tags if at in names},
        )

    def local_names(self) -> frozenset[str]:
        """Return the names of collections that belong to this store alone."""
        query = sa.select(collection.c.name).where(collection.c.origin != MIRRORED, collection.c.closed_state.is_(None))
        return frozenset(self._connection.scalars(query))

    def exposure_count(self, name: str) -> tuple[int, int | None]:
        """Return how many exposures of an instrument are stored, and the greatest id."""
        query = sa.select(sa.func.count(), sa.func.max(exposure.c.id)).where(exposure.c.instrument == name)
        row = self._connection.execute(query).one()
        return int(row[0]), row[1]

    def replace_camera(self, camera: Camera) -> None:
        """Store another description of an instrument, with the detectors it has more.

        Dimension records can only be added to, so nothing that refers to them changes.
        """
        known = set(
            self._connection.scalars(sa.select(detector.c.id).where(detector.c.instrument == camera.instrument))
        )
        self._connection.execute(
            sa.update(instrument)
            .where(instrument.c.name == camera.instrument)
            .values(class_name=camera.class_name, camera_json=canonical_json(camera))
        )
        rows = [
            {
                "instrument": camera.instrument,
                "id": one.id,
                "full_name": one.full_name,
                "raft": one.raft,
                "name_in_raft": one.name_in_raft,
                "purpose": one.purpose,
            }
            for one in camera.detectors
            if one.id not in known
        ]
        if rows:
            self._connection.execute(sa.insert(detector), rows)

    def close_collections(self, names: Sequence[str], *, state: int) -> None:
        """Close collections with everything that they hold or that leads to them."""
        ids = [row.id for row in self._by_name(names)]
        for table, column in (
            (chain_edge, chain_edge.c.chain_id),
            (chain_edge, chain_edge.c.child_id),
            (certification, certification.c.collection_id),
            (tag_member, tag_member.c.collection_id),
            (dataset, dataset.c.run_id),
            (collection, collection.c.id),
        ):
            self._close(table, column, ids, state)

    def open_collections(self, rows: Iterable[tuple[str, CollectionType, str]], *, state: int) -> None:
        """Open collections of (name, type, doc)."""
        self._insert(
            collection,
            [
                {"name": name, "type": str(type_), "doc": doc, "origin": MIRRORED, "opened_state": state}
                for name, type_, doc in rows
            ],
        )

    def set_doc(self, name: str, doc: str) -> None:
        """Keep a changed doc string; the journal says that it changed."""
        self._connection.execute(
            sa.update(collection).where(collection.c.name == name, collection.c.closed_state.is_(None)).values(doc=doc)
        )

    def set_children(self, chains: Mapping[str, tuple[str, ...]], *, state: int) -> None:
        """Make the lists of some chains these; all old ones are closed first, so that their order is no matter."""
        wanted = {name for chain, found in chains.items() for name in (chain, *found)}
        ids = {row.name: row.id for row in self._by_name(sorted(wanted))}
        self._close(chain_edge, chain_edge.c.chain_id, [ids[chain] for chain in chains], state)
        self._insert(
            chain_edge,
            [
                {"chain_id": ids[chain], "child_id": ids[child], "position": place, "opened_state": state}
                for chain, found in chains.items()
                for place, child in enumerate(found)
                if child in ids
            ],
        )

    def open_datasets(
        self, rows: Iterable[tuple[DatasetRow, Mapping[str, Any]]], files: Mapping[str, str], *, state: int, now: int
    ) -> None:
        """Open datasets with the values of their data IDs, and note where their files lie."""
        found = list(rows)
        runs = {row.name: row.id for row in self._by_name(sorted({one[2] for one, _ in found}))}
        again = self._closed_ids([one[0] for one, _ in found])
        self._insert(
            dataset,
            [
                {
                    "id": id_,
                    "dataset_type": kind,
                    "run_id": runs[run],
                    "data_key": key,
                    "instrument": values["instrument"],
                    "detector": values.get("detector"),
                    "exposure": None,
                    "physical_filter": values.get("physical_filter"),
                    "unit": "",
                    "origin": MIRRORED,
                    "content_sha256": "",
                    "provenance_json": "{}",
                    "job_id": "",
                    "created_tai_ns": now,
                    "opened_state": state,
                }
                for (id_, kind, run, key), values in found
                if id_ not in again
            ],
        )
        self._insert(
            dataset_file,
            [
                {"dataset_id": one[0], "path": files[one[0]], "transfer": "direct", "size_bytes": 0, "sha256": ""}
                for one, _ in found
                if one[0] in files and one[0] not in again
            ],
        )
        back = [{"back": id_, "to_run": runs[run], "to_key": key} for (id_, _, run, key), _ in found if id_ in again]
        if back:
            self._connection.execute(
                sa.update(dataset)
                .where(dataset.c.id == sa.bindparam("back"))
                .values(closed_state=None, run_id=sa.bindparam("to_run"), data_key=sa.bindparam("to_key")),
                back,
            )

    def close_datasets(self, ids: Sequence[str], *, state: int) -> None:
        """Close datasets."""
        self._close(dataset, dataset.c.id, ids, state)

    def open_ranges(self, rows: Iterable[RangeRow], keys: Mapping[str, str], *, state: int) -> None:
        """Certify; `keys` are the data keys by dataset id."""
        found = list(rows)
        ids = {row.name: row.id for row in self._by_name(sorted({one[0] for one in found}))}
        self._insert(
            certification,
            [
                {
                    "collection_id": ids[into],
                    "dataset_type": kind,
                    "data_key": keys[of],
                    "dataset_id": of,
                    "begin_tai_ns": begin,
                    "end_tai_ns": end,
                    "batch": state,
                    "opened_state": state,
                }
                for into, kind, of, begin, end in found
            ],
        )

    def close_ranges(self, rows: Sequence[int], *, state: int) -> None:
        """Close certifications by row."""
        self._close(certification, certification.c.id, rows, state)

    def open_tags(self, rows: Iterable[TagRow], keys: Mapping[str, str], *, state: int) -> None:
        """Tag; `keys` are the data keys by dataset id."""
        found = list(rows)
        ids = {row.name: row.id for row in self._by_name(sorted({one[0] for one in found}))}
        self._insert(
            tag_member,
            [
                {
                    "collection_id": ids[into],
                    "dataset_type": kind,
                    "data_key": keys[of],
                    "dataset_id": of,
                    "opened_state": state,
                }
                for into, kind, of in found
            ],
        )

    def close_tags(self, rows: Sequence[int], *, state: int) -> None:
        """Take tags off by row."""
        self._close(tag_member, tag_member.c.id, rows, state)

    def _closed_ids(self, ids: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        for start in range(0, len(ids), _CHUNK):
            query = sa.select(dataset.c.id).where(dataset.c.id.in_(ids[start : start + _CHUNK]))
            found |= set(self._connection.scalars(query))
        return frozenset(found)

    def _by_name(self, names: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(names), _CHUNK):
            query = sa.select(collection.c.id, collection.c.name).where(
                collection.c.name.in_(names[start : start + _CHUNK]), collection.c.closed_state.is_(None)
            )
            found += self._connection.execute(query).all()
        return found

    def _close(self, table: sa.Table, column: sa.ColumnElement[Any], values: Sequence[Any], state: int) -> None:
        for start in range(0, len(values), _CHUNK):
            self._connection.execute(
                sa.update(table)
                .where(column.in_(values[start : start + _CHUNK]), table.c.closed_state.is_(None))
                .values(closed_state=state)
            )

    def _insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(sa.insert(table), rows)
