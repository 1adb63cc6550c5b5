"""The repository's own row, its instruments, detectors, filters and dataset types."""

import functools
import hashlib
import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db import schema as s
from calibstore.errors import ConflictError, NotFoundError, StoreError
from calibstore.model.camera import Camera
from calibstore.model.codec import canonical_json, from_plain
from calibstore.model.records import DatasetTypeRecord, RepositoryRecord

_DIMENSIONS = sa.select(s.dataset_type.c.dimensions_json).where(s.dataset_type.c.name == sa.bindparam("name"))


class Repository:
    """What the repository is and what it knows of cameras and dataset types."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self) -> RepositoryRecord:
        """Return the repository's row.

        Raises
        ------
        StoreError
            If the store was never initialised.
        """
        row = self._connection.execute(sa.select(s.repository)).first()
        if row is None:
            raise StoreError(
                "the store has no repository row", hint="its creation was interrupted: cabstand init again"
            )
        return RepositoryRecord(**row._mapping)

    def insert(self, record: RepositoryRecord) -> None:
        """Store the one repository row."""
        self._connection.execute(
            sa.insert(s.repository).values(
                id=record.id,
                name=record.name,
                kind=record.kind,
                authority=record.authority,
                site=record.site,
                created_tai_ns=record.created_tai_ns,
            )
        )

    def instruments(self) -> tuple[str, ...]:
        """Return the instruments' names, sorted."""
        return tuple(self._connection.scalars(sa.select(s.instrument.c.name).order_by(s.instrument.c.name)))

    def camera(self, instrument: str) -> Camera:
        """Return an instrument's camera.

        Raises
        ------
        NotFoundError
            If the repository has no such instrument.
        """
        found = self._connection.scalar(sa.select(s.instrument.c.camera_json).where(s.instrument.c.name == instrument))
        if found is None:
            known = ", ".join(self.instruments()) or "none"
            raise NotFoundError(
                f"no instrument {instrument!r} in this repository (known: {known})",
                hint="give it when creating the repository: cabstand init PATH --camera NAME",
                code="E-INSTRUMENT",
            )
        return _camera(found)

    def camera_sha256(self, instrument: str) -> str:
        """Return the SHA-256 of an instrument's camera, as `codec.sha256_of` gives it; empty where there is none."""
        found = self._connection.scalar(sa.select(s.instrument.c.camera_json).where(s.instrument.c.name == instrument))
        return hashlib.sha256(found.encode()).hexdigest() if found else ""

    def register_camera(self, camera: Camera, *, state: int) -> bool:
        """Store a camera with its detectors and filters; True if it is new.

        Raises
        ------
        ConflictError
            If the repository knows the instrument with another geometry.
        """
        plain = canonical_json(camera)
        known = self._connection.scalar(
            sa.select(s.instrument.c.camera_json).where(s.instrument.c.name == camera.instrument)
        )
        if known is not None:
            if known != plain:
                raise ConflictError(
                    f"instrument {camera.instrument} is known here with another camera description",
                    hint="use another repository for another camera description",
                    code="E-CAMERA",
                )
            return False
        self._connection.execute(
            sa.insert(s.instrument).values(
                name=camera.instrument, class_name=camera.class_name, camera_json=plain, opened_state=state
            )
        )
        self._connection.execute(
            sa.insert(s.detector),
            [
                {
                    "instrument": camera.instrument,
                    "id": d.id,
                    "full_name": d.full_name,
                    "raft": d.raft,
                    "name_in_raft": d.name_in_raft,
                    "purpose": d.purpose,
                }
                for d in camera.detectors
            ],
        )
        for known_filter in camera.filters:
            self.register_filter(camera.instrument, known_filter.name, known_filter.band)
        return True

    def register_filter(self, instrument: str, name: str, band: str) -> None:
        """Store a physical filter unless it is known."""
        table = s.physical_filter
        known = sa.select(table.c.name).where(table.c.instrument == instrument, table.c.name == name)
        if self._connection.scalar(known) is None:
            self._connection.execute(sa.insert(table).values(instrument=instrument, name=name, band=band))

    def filters(self, instrument: str) -> tuple[tuple[str, str], ...]:
        """Return (physical filter, band) of an instrument."""
        table = s.physical_filter
        query = sa.select(table.c.name, table.c.band).where(table.c.instrument == instrument).order_by(table.c.name)
        return tuple((row.name, row.band) for row in self._connection.execute(query))

    def dataset_types(self) -> dict[str, DatasetTypeRecord]:
        """Return all dataset types by name."""
        rows = self._connection.execute(sa.select(s.dataset_type).order_by(s.dataset_type.c.name))
        return {
            row.name: DatasetTypeRecord(
                name=row.name,
                dimensions=tuple(json.loads(row.dimensions_json)),
                storage_class=row.storage_class,
                is_calibration=row.is_calibration,
            )
            for row in rows
        }

    def dimensions(self, dataset_type: str) -> tuple[str, ...] | None:
        """Return the dimensions of a dataset type; None where there is none of this name."""
        found = self._connection.scalar(_DIMENSIONS, {"name": dataset_type})
        return None if found is None else tuple(json.loads(found))

    def register_dataset_type(self, record: DatasetTypeRecord, *, state: int) -> bool:
        """Store a dataset type; True if it is new.

        Raises
        ------
        ConflictError
            If the name is taken by another definition.
        """
        known = self.dataset_types().get(record.name)
        if known is not None:
            if known != record:
                raise ConflictError(
                    f"dataset type {record.name} is {known} here, not {record}",
                    hint="a dataset type is defined once; use another name",
                    code="E-DATASETTYPE",
                )
            return False
        self._connection.execute(
            sa.insert(s.dataset_type).values(
                name=record.name,
                dimensions_json=canonical_json(record.dimensions),
                storage_class=record.storage_class,
                is_calibration=record.is_calibration,
                opened_state=state,
            )
        )
        return True


@functools.lru_cache(maxsize=8)
def _camera(text: str) -> Camera:
    # 205 detectors take half a second to decode, and a camera never changes.
    return from_plain(Camera, json.loads(text))
