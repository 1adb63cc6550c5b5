"""Members of TAGGED collections: opened and closed by states, never changed."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import collection, dataset, tag_member
from calibstore.model.records import CollectionRecord, TagRecord

_CHUNK: Final = 500
_run = collection.alias("run")
_ROWS = (
    sa.select(tag_member, _run.c.name.label("run"))
    .join(dataset, dataset.c.id == tag_member.c.dataset_id)
    .join(_run, _run.c.id == dataset.c.run_id)
)


class Tags:
    """Tagged datasets of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, into: CollectionRecord, rows: Sequence[tuple[str, str, str]], *, state: int) -> None:
        """Open rows of (dataset type, data key, dataset id)."""
        if rows:
            self._connection.execute(
                sa.insert(tag_member),
                [
                    {
                        "collection_id": into.id,
                        "dataset_type": dataset_type,
                        "data_key": data_key,
                        "dataset_id": dataset_id,
                        "opened_state": state,
                    }
                    for dataset_type, data_key, dataset_id in rows
                ],
            )

    def close(self, ids: Sequence[int], *, state: int) -> None:
        """Close rows; their history stays readable."""
        for start in range(0, len(ids), _CHUNK):
            self._connection.execute(
                sa.update(tag_member)
                .where(tag_member.c.id.in_(ids[start : start + _CHUNK]), tag_member.c.closed_state.is_(None))
                .values(closed_state=state)
            )

    def in_collection(self, tagged: CollectionRecord, *, dataset_types: Sequence[str] = ()) -> tuple[TagRecord, ...]:
        """Return the open rows of a TAGGED collection, of some types or all, by type and data ID."""
        query = _ROWS.where(tag_member.c.collection_id == tagged.id, tag_member.c.closed_state.is_(None))
        if dataset_types:
            query = query.where(tag_member.c.dataset_type.in_(dataset_types))
        query = query.order_by(tag_member.c.dataset_type, tag_member.c.data_key)
        return tuple(_record(row, tagged.name) for row in self._connection.execute(query))


def _record(row: Any, name: str) -> TagRecord:
    return TagRecord(
        id=row.id,
        collection=name,
        dataset_type=row.dataset_type,
        data_key=row.data_key,
        dataset_id=row.dataset_id,
        run=row.run,
        opened_state=row.opened_state,
    )
