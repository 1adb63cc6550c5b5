"""Certified data IDs: opened and closed by states, never changed."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import certification, collection
from calibstore.errors import ConflictError
from calibstore.model.records import CertificationRecord, CollectionRecord
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan

_ROWS = sa.select(certification, collection.c.name.label("collection")).join(
    collection, collection.c.id == certification.c.collection_id
)


class Certifications:
    """Certifications of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(
        self,
        into: CollectionRecord,
        rows: Sequence[tuple[str, str, str]],
        timespan: Timespan,
        *,
        state: int,
        batch: int | None = None,
    ) -> None:
        """Open rows of (dataset type, data key, dataset id) for one timespan.

        Raises
        ------
        ConflictError
            E-VALIDITY: the database refused a row that overlaps an open one, or another one of the batch. The
            services look first and name every data ID; this is the last guard, whatever came before it.
        """
        if not rows:
            return
        try:
            self._connection.execute(
                sa.insert(certification),
                [
                    {
                        "collection_id": into.id,
                        "dataset_type": dataset_type,
                        "data_key": data_key,
                        "dataset_id": dataset_id,
                        "begin_tai_ns": timespan.begin_tai_ns,
                        "end_tai_ns": timespan.end_tai_ns,
                        "batch": state if batch is None else batch,
                        "opened_state": state,
                    }
                    for dataset_type, data_key, dataset_id in rows
                ],
            )
        except sa.exc.IntegrityError as problem:
            if not _is_overlap(problem):
                raise
            raise _overlap(into, rows, timespan) from problem

    def overlapping(
        self, into: CollectionRecord, dataset_type: str, timespan: Timespan
    ) -> tuple[CertificationRecord, ...]:
        """Return open rows of a collection and type that share an instant with a timespan."""
        query = _ROWS.where(
            certification.c.collection_id == into.id,
            certification.c.dataset_type == dataset_type,
            certification.c.begin_tai_ns < timespan.end_tai_ns,
            certification.c.end_tai_ns > timespan.begin_tai_ns,
            certification.c.closed_state.is_(None),
        ).order_by(certification.c.data_key, certification.c.begin_tai_ns)
        return tuple(_record(row) for row in self._connection.execute(query))

    def in_collections(
        self, collections: Iterable[CollectionRecord], *, dataset_types: tuple[str, ...] = ()
    ) -> tuple[CertificationRecord, ...]:
        """Return the open rows of some CALIBRATION collections, of some types or all."""
        ids = [record.id for record in collections]
        query = _ROWS.where(certification.c.collection_id.in_(ids), certification.c.closed_state.is_(None))
        if dataset_types:
            query = query.where(certification.c.dataset_type.in_(dataset_types))
        query = query.order_by(
            certification.c.collection_id,
            certification.c.dataset_type,
            certification.c.data_key,
            certification.c.begin_tai_ns,
        )
        return tuple(_record(row) for row in self._connection.execute(query))

    def close(self, ids: Sequence[int], *, state: int) -> None:
        """Close rows; their history stays readable."""
        for start in range(0, len(ids), 500):
            self._connection.execute(
                sa.update(certification)
                .where(certification.c.id.in_(ids[start : start + 500]), certification.c.closed_state.is_(None))
                .values(closed_state=state)
            )


def _is_overlap(problem: sa.exc.IntegrityError) -> bool:
    """Tell whether the trigger (SQLite) or the exclusion constraint (PostgreSQL) of migration 0002 spoke."""
    return "certification overlaps" in str(problem.orig) or getattr(problem.orig, "sqlstate", "") == "23P01"


def _overlap(into: CollectionRecord, rows: Sequence[tuple[str, str, str]], timespan: Timespan) -> ConflictError:
    seen: set[tuple[str, str]] = set()
    twice: set[tuple[str, str]] = set()
    for dataset_type, data_key, _ in rows:
        (twice if (dataset_type, data_key) in seen else seen).add((dataset_type, data_key))
    types = ", ".join(sorted({dataset_type for dataset_type, _, _ in rows}))
    told = f"a data ID of {types} has an open range that overlaps {timespan_text(timespan)}"
    if twice:
        told = f"in this batch twice: {', '.join(key for _, key in sorted(twice)[:3])}"
    return ConflictError(
        f"{into.name}: {told}",
        hint=f"end the old range first: cabstand decertify {into.name} {types}; nothing was written",
        code="E-VALIDITY",
    )


def _record(row: Any) -> CertificationRecord:
    return CertificationRecord(
        id=row.id,
        collection=row.collection,
        dataset_type=row.dataset_type,
        data_key=row.data_key,
        dataset_id=row.dataset_id,
        timespan=Timespan(row.begin_tai_ns, row.end_tai_ns),
        batch=row.batch,
        opened_state=row.opened_state,
        closed_state=row.closed_state,
    )
