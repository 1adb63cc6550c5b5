"""What screens read of collections: all of them at once, and one in detail, by few statements."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import certification, chain_edge, collection, dataset, dataset_input, journal, tag_member
from calibstore.model.collections import CollectionType
from calibstore.model.records import CollectionRecord

_CHUNK: Final = 400
_MEMBERS: Final = {
    CollectionType.RUN: (dataset, dataset.c.run_id),
    CollectionType.TAGGED: (tag_member, tag_member.c.collection_id),
    CollectionType.CALIBRATION: (certification, certification.c.collection_id),
    CollectionType.CHAINED: (chain_edge, chain_edge.c.chain_id),
}
_FEW_DATASETS: Final = 400
"""Datasets whose inputs are looked up: more of one RUN share theirs."""
_run = collection.alias("run")


@dataclass(frozen=True, slots=True)
class Listed:
    """A collection in the list of all."""

    name: str
    type: CollectionType
    origin: str
    created_tai_ns: int


@dataclass(frozen=True, slots=True)
class Certified:
    """Data IDs of a CALIBRATION collection that share type, range, RUN and the act that certified them."""

    dataset_type: str
    begin_tai_ns: int
    end_tai_ns: int
    run: str
    n_data_ids: int
    opened_state: int


@dataclass(frozen=True, slots=True)
class InputGroup:
    """What some datasets were made from, of one dataset type."""

    dataset_type: str
    n_inputs: int
    first_exposure: int | None
    last_exposure: int | None


class Holdings:
    """Reads of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed(self) -> tuple[Listed, ...]:
        """Return every collection with the time it was made, sorted by name."""
        query = (
            sa.select(collection.c.name, collection.c.type, collection.c.origin, journal.c.at_tai_ns)
            .join(journal, journal.c.state == collection.c.opened_state)
            .where(collection.c.closed_state.is_(None))
            .order_by(collection.c.name)
        )
        return tuple(Listed(row[0], CollectionType(row[1]), row[2], row[3]) for row in self._connection.execute(query))

    def count(self, of: CollectionRecord, *, most: int) -> int:
        """Return how many datasets, data IDs or children a collection holds; counting stops at `most`."""
        table, column = _MEMBERS[of.type]
        few = sa.select(sa.literal(1)).where(column == of.id, table.c.closed_state.is_(None)).limit(most).subquery()
        return self._connection.scalar(sa.select(sa.func.count()).select_from(few)) or 0

    def types_in_run(self, run: CollectionRecord, *, most: int) -> tuple[tuple[str, int], ...]:
        """Return (dataset type, how many) of a RUN; counting stops at `most` of a type."""
        names = self._connection.scalars(
            sa.select(dataset.c.dataset_type).distinct().where(dataset.c.run_id == run.id)
        ).all()
        found = []
        for name in sorted(names):
            few = (
                sa.select(sa.literal(1))
                .where(dataset.c.run_id == run.id, dataset.c.dataset_type == name, dataset.c.closed_state.is_(None))
                .limit(most)
                .subquery()
            )
            found.append((name, self._connection.scalar(sa.select(sa.func.count()).select_from(few)) or 0))
        return tuple((name, number) for name, number in found if number)

    def tagged_types(self, tagged: CollectionRecord) -> tuple[tuple[str, int], ...]:
        """Return (dataset type, how many) of a TAGGED collection."""
        query = (
            sa.select(tag_member.c.dataset_type, sa.func.count())
            .where(tag_member.c.collection_id == tagged.id, tag_member.c.closed_state.is_(None))
            .group_by(tag_member.c.dataset_type)
            .order_by(tag_member.c.dataset_type)
        )
        return tuple((row[0], row[1]) for row in self._connection.execute(query))

    def certified_in(self, into: CollectionRecord) -> tuple[Certified, ...]:
        """Return what is certified in a CALIBRATION collection, in groups, by type and begin."""
        key = (
            certification.c.dataset_type,
            certification.c.begin_tai_ns,
            certification.c.end_tai_ns,
            _run.c.name,
            certification.c.opened_state,
        )
        query = (
            sa.select(*key[:4], sa.func.count(), key[4])
            .join(dataset, dataset.c.id == certification.c.dataset_id)
            .join(_run, _run.c.id == dataset.c.run_id)
            .where(certification.c.collection_id == into.id, certification.c.closed_state.is_(None))
            .group_by(*key)
            .order_by(*key)
        )
        return tuple(Certified(*row) for row in self._connection.execute(query))

    def inputs_of_runs(self, runs: Iterable[str]) -> tuple[InputGroup, ...]:
        """Return what the datasets of some RUNs were made from, the RUNs themselves apart, by dataset type."""
        ids = [
            row.id
            for name in runs
            for row in self._connection.execute(
                sa.select(dataset.c.id)
                .join(_run, _run.c.id == dataset.c.run_id)
                .where(_run.c.name == name, dataset.c.closed_state.is_(None), dataset.c.exposure.is_(None))
                .limit(_FEW_DATASETS)
            )
        ]
        made_of = dataset.alias("made_of")
        seen: dict[str, set[tuple[str, int | None]]] = {}
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            query = (
                sa.select(made_of.c.dataset_type, made_of.c.id, made_of.c.exposure)
                .distinct()
                .join(dataset_input, dataset_input.c.input_id == made_of.c.id)
                .join(dataset, dataset.c.id == dataset_input.c.dataset_id)
                .where(dataset_input.c.dataset_id.in_(chunk), made_of.c.run_id != dataset.c.run_id)
            )
            for row in self._connection.execute(query):
                seen.setdefault(row.dataset_type, set()).add((row.id, row.exposure))
        found = []
        for dataset_type in sorted(seen):
            exposures = sorted(exposure for _, exposure in seen[dataset_type] if exposure is not None)
            number = len(set(exposures)) or len(seen[dataset_type])
            found.append(
                InputGroup(
                    dataset_type,
                    number,
                    exposures[0] if exposures else None,
                    exposures[-1] if exposures else None,
                )
            )
        return tuple(found)

    def states_of(self, of: CollectionRecord, *, last: int) -> tuple[int, ...]:
        """Return the numbers of the last states that changed a collection or its place in chains, the newest first."""
        sources: list[tuple[Any, Any]] = [
            (chain_edge, chain_edge.c.child_id),
            (chain_edge, chain_edge.c.chain_id),
            (certification, certification.c.collection_id),
        ]
        states = {of.opened_state}
        for table, column in sources:
            for state in (table.c.opened_state, table.c.closed_state):
                query = sa.select(state).distinct().where(column == of.id, state.is_not(None)).order_by(state.desc())
                states |= set(self._connection.scalars(query.limit(last)))
        return tuple(sorted(states, reverse=True)[:last])
