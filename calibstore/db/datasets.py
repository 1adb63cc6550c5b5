"""Datasets, their files and what they were made from."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import collection, dataset, dataset_file, dataset_input
from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.codec import canonical_json
from calibstore.model.records import CollectionRecord, DatasetRecord

_EVER = (
    sa.select(
        dataset,
        collection.c.name.label("run"),
        dataset_file.c.path,
        dataset_file.c.transfer,
        dataset_file.c.size_bytes,
        dataset_file.c.sha256,
    )
    .join(collection, collection.c.id == dataset.c.run_id)
    .outerjoin(dataset_file, dataset_file.c.dataset_id == dataset.c.id)
)
_OPEN = _EVER.where(dataset.c.closed_state.is_(None), collection.c.closed_state.is_(None))
_ORDER = (dataset.c.dataset_type, collection.c.name, dataset.c.detector, dataset.c.data_key)


class Datasets:
    """Datasets that exist now: neither they nor their RUN were removed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def insert(self, run: CollectionRecord, records: Sequence[DatasetRecord], *, state: int) -> int:
        """Store datasets of one RUN; return how many are new.

        A dataset that is there already with the same content is left alone.

        Raises
        ------
        ConflictError
            If an id or data ID of the RUN is taken by other content.
        """
        known = self.by_ids(record.id for record in records)
        fresh = [record for record in records if not _is_same(known.get(record.id), record)]
        if not fresh:
            return 0
        self._connection.execute(sa.insert(dataset), [_row(record, run, state) for record in fresh])
        self._connection.execute(
            sa.insert(dataset_file),
            [
                {
                    "dataset_id": record.id,
                    "path": record.path,
                    "transfer": record.transfer,
                    "size_bytes": record.size_bytes,
                    "sha256": record.sha256,
                }
                for record in fresh
            ],
        )
        edges = [
            {"dataset_id": record.id, "input_id": input_id, "role": role}
            for record in fresh
            for input_id, role in record.inputs
        ]
        if edges:
            self._connection.execute(sa.insert(dataset_input), edges)
        return len(fresh)

    def get(self, dataset_id: str) -> DatasetRecord:
        """Return one dataset.

        Raises
        ------
        NotFoundError
            If there is none with this id.
        """
        row = self._connection.execute(_OPEN.where(dataset.c.id == dataset_id)).first()
        if row is None:
            raise NotFoundError(f"no dataset {dataset_id}", hint="cabstand query-datasets lists them")
        return _record(row)

    def by_prefix(self, prefix: str, *, most: int) -> tuple[DatasetRecord, ...]:
        """Return datasets whose id begins so, sorted by id; no more than asked for."""
        query = _OPEN.where(dataset.c.id.startswith(prefix, autoescape=True)).order_by(dataset.c.id).limit(most)
        return tuple(_record(row) for row in self._connection.execute(query))

    def by_ids(self, ids: Iterable[str], *, also_removed: bool = False) -> dict[str, DatasetRecord]:
        """Return datasets by id; unknown ids are left out, and those removed since unless they are wanted too."""
        query = _EVER if also_removed else _OPEN
        wanted = sorted(set(ids))
        found: dict[str, DatasetRecord] = {}
        for start in range(0, len(wanted), 500):
            rows = self._connection.execute(query.where(dataset.c.id.in_(wanted[start : start + 500])))
            found.update((row.id, _record(row)) for row in rows)
        return found

    def removed(self, ids: Iterable[str]) -> dict[str, int]:
        """Return those ids that were here once, with the state that removed them."""
        wanted = sorted(set(ids))
        found: dict[str, int] = {}
        for start in range(0, len(wanted), 500):
            query = (
                sa.select(dataset.c.id, sa.func.coalesce(dataset.c.closed_state, collection.c.closed_state))
                .join(collection, collection.c.id == dataset.c.run_id)
                .where(dataset.c.id.in_(wanted[start : start + 500]))
                .where(sa.or_(dataset.c.closed_state.is_not(None), collection.c.closed_state.is_not(None)))
            )
            found.update((row[0], row[1]) for row in self._connection.execute(query))
        return found

    def in_run(self, run: CollectionRecord, *, dataset_type: str = "") -> tuple[DatasetRecord, ...]:
        """Return a RUN's datasets, of one type or all."""
        query = _OPEN.where(dataset.c.run_id == run.id).order_by(*_ORDER)
        if dataset_type:
            query = query.where(dataset.c.dataset_type == dataset_type)
        return tuple(_record(row) for row in self._connection.execute(query))

    def count(self, dataset_types: Sequence[str]) -> int:
        """Return how many datasets of some types there are."""
        open_runs = sa.select(collection.c.id).where(collection.c.closed_state.is_(None))
        query = sa.select(sa.func.count()).where(
            dataset.c.dataset_type.in_(dataset_types), dataset.c.closed_state.is_(None), dataset.c.run_id.in_(open_runs)
        )
        return self._connection.scalar(query) or 0

    def types_in(self, run: CollectionRecord) -> tuple[str, ...]:
        """Return the dataset types present in a RUN."""
        query = (
            sa.select(dataset.c.dataset_type)
            .distinct()
            .where(dataset.c.run_id == run.id, dataset.c.closed_state.is_(None))
        )
        return tuple(sorted(self._connection.scalars(query)))

    def raws(self, instrument: str, exposures: Sequence[int]) -> tuple[DatasetRecord, ...]:
        """Return the raw datasets of some exposures, by exposure and detector."""
        found: list[DatasetRecord] = []
        for start in range(0, len(exposures), 500):
            query = _OPEN.where(
                dataset.c.dataset_type == "raw",
                dataset.c.instrument == instrument,
                dataset.c.exposure.in_(exposures[start : start + 500]),
            )
            found.extend(_record(row) for row in self._connection.execute(query))
        return tuple(sorted(found, key=lambda record: (record.exposure or 0, record.detector or 0)))

    def kept_of_raws(
        self, instrument: str, exposures: Sequence[int], detectors: Sequence[int], name: str
    ) -> dict[int, list[dict[str, float]]]:
        """Return what the raw frames of some exposures keep under a name, by exposure, in the order of detectors.

        Parameters
        ----------
        instrument : str
            The instrument.
        exposures, detectors : sequence of int
            Which frames.
        name : str
            Of the entry; frames without it are left out.
        """
        found: dict[int, list[dict[str, float]]] = {}
        for start in range(0, len(exposures), 500):
            query = (
                sa.select(dataset.c.exposure, dataset.c.provenance_json)
                .where(
                    dataset.c.dataset_type == "raw",
                    dataset.c.instrument == instrument,
                    dataset.c.closed_state.is_(None),
                    dataset.c.exposure.in_(exposures[start : start + 500]),
                    dataset.c.detector.in_(detectors),
                )
                .order_by(dataset.c.exposure, dataset.c.detector)
            )
            for row in self._connection.execute(query):
                if kept := json.loads(row.provenance_json).get(name):
                    found.setdefault(row.exposure, []).append(kept)
        return found

    def all_with_files(self) -> tuple[DatasetRecord, ...]:
        """Return every dataset; `doctor` compares them with the disk."""
        return tuple(_record(row) for row in self._connection.execute(_OPEN.order_by(*_ORDER)))

    def all_ids(self) -> frozenset[str]:
        """Return the ids of all datasets."""
        query = _OPEN.with_only_columns(dataset.c.id, maintain_column_froms=True)
        return frozenset(self._connection.scalars(query))

    def made_from(self, input_id: str) -> tuple[DatasetRecord, ...]:
        """Return the datasets that were made from one."""
        query = _OPEN.join(dataset_input, dataset_input.c.dataset_id == dataset.c.id).where(
            dataset_input.c.input_id == input_id
        )
        return tuple(_record(row) for row in self._connection.execute(query.order_by(*_ORDER)))

    def calibration_inputs(self, ids: Iterable[str]) -> tuple[tuple[str, str, str, str], ...]:
        """Return (dataset id, input id, dataset type, data key) of the calibrations some datasets were made with."""
        wanted = sorted(set(ids))
        of_input = sa.and_(dataset.c.id == dataset_input.c.input_id, dataset.c.exposure.is_(None))
        columns = (dataset_input.c.dataset_id, dataset_input.c.input_id, dataset.c.dataset_type, dataset.c.data_key)
        found: list[tuple[str, str, str, str]] = []
        for start in range(0, len(wanted), 500):
            query = (
                sa.select(*columns)
                .join(dataset, of_input)
                .where(dataset_input.c.dataset_id.in_(wanted[start : start + 500]))
                .order_by(dataset.c.dataset_type, dataset.c.data_key, dataset_input.c.dataset_id)
            )
            found.extend((row[0], row[1], row[2], row[3]) for row in self._connection.execute(query))
        return tuple(found)

    def inputs_of(self, ids: Iterable[str]) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return (input id, role) by dataset; nothing for those made from nothing."""
        wanted = sorted(set(ids))
        found: dict[str, list[tuple[str, str]]] = {}
        for start in range(0, len(wanted), 500):
            query = (
                sa.select(dataset_input)
                .where(dataset_input.c.dataset_id.in_(wanted[start : start + 500]))
                .order_by(dataset_input.c.role, dataset_input.c.input_id)
            )
            for row in self._connection.execute(query):
                found.setdefault(row.dataset_id, []).append((row.input_id, row.role))
        return {one: tuple(pairs) for one, pairs in found.items()}

    def inputs(self, dataset_id: str) -> tuple[tuple[str, str], ...]:
        """Return (input id, role) of what a dataset was made from."""
        query = (
            sa.select(dataset_input.c.input_id, dataset_input.c.role)
            .where(dataset_input.c.dataset_id == dataset_id)
            .order_by(dataset_input.c.role, dataset_input.c.input_id)
        )
        return tuple((row.input_id, row.role) for row in self._connection.execute(query))


def _is_same(known: DatasetRecord | None, record: DatasetRecord) -> bool:
    if known is None:
        return False
    if known.data_key != record.data_key or known.dataset_type != record.dataset_type:
        raise ConflictError(
            f"dataset id {record.id} is {known.dataset_type} {known.data_key} here, not {record.dataset_type} "
            f"{record.data_key}",
            code="E-DATASETID",
        )
    if known.sha256 != record.sha256:
        raise ConflictError(
            f"{record.run}: {record.dataset_type} {record.data_key} exists with other content "
            f"(sha256 {known.sha256[:12]}, new {record.sha256[:12]})",
            hint="a RUN keeps what was made in it; use the next rerun letter",
            code="E-RUNEXISTS",
        )
    return True


def _row(record: DatasetRecord, run: CollectionRecord, state: int) -> dict[str, Any]:
    return {
        "id": record.id,
        "dataset_type": record.dataset_type,
        "run_id": run.id,
        "data_key": record.data_key,
        "instrument": record.instrument,
        "detector": record.detector,
        "exposure": record.exposure,
        "physical_filter": record.physical_filter,
        "unit": record.unit,
        "origin": record.origin,
        "content_sha256": record.content_sha256,
        "provenance_json": canonical_json(record.provenance),
        "job_id": record.job_id,
        "created_tai_ns": record.created_tai_ns,
        "opened_state": state,
    }


def _record(row: Any) -> DatasetRecord:
    return DatasetRecord(
        id=row.id,
        dataset_type=row.dataset_type,
        run=row.run,
        data_key=row.data_key,
        instrument=row.instrument,
        detector=row.detector,
        exposure=row.exposure,
        physical_filter=row.physical_filter,
        unit=row.unit,
        origin=row.origin,
        content_sha256=row.content_sha256,
        provenance=json.loads(row.provenance_json),
        job_id=row.job_id,
        created_tai_ns=row.created_tai_ns,
        path=row.path or "",
        transfer=row.transfer or "written",
        size_bytes=row.size_bytes or 0,
        sha256=row.sha256 or "",
    )
