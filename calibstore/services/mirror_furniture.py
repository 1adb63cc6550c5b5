"""What a companion needs around its mirror: its own record, cameras, filters, dataset types and the table of sites."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.model.camera import NO_RAWS, Camera, Detector, PhysicalFilter
from calibstore.model.lsst_cameras import LSST_CAMERAS
from calibstore.model.records import DatasetTypeRecord, RepositoryRecord
from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.sites.butler_reading import ButlerReading, FoundInstrument


def insert_record(uow: "UnitOfWork", context: Context) -> None:
    """Store what the companion is."""
    butler = context.repository_file.butler
    name = Path(butler).name or butler
    uow.repository.insert(
        RepositoryRecord(
            id=str(uuid.uuid4()),
            name=name,
            kind="main",
            authority="butler",
            site="local",
            created_tai_ns=context.clock(),
        )
    )


def furnish(uow: "UnitOfWork", cameras: tuple[Camera, ...], *, state: int) -> None:
    """Give a new companion the table of sites, and the dataset types that campaigns need and the Butler lacks."""
    from calibstore.model.calib_types import all_dataset_types
    from calibstore.services.destinations import seed_destinations

    seed_destinations(uow, uow.repository.record(), cameras, state=state)
    register_types(uow, all_dataset_types(), state=state)


def register_types(uow: "UnitOfWork", types: Iterable[DatasetTypeRecord], *, state: int) -> None:
    """Store the dataset types that are not known yet."""
    known = uow.repository.dataset_types()
    for one in types:
        if one.name not in known:
            uow.repository.register_dataset_type(one, state=state)


def mirror_cameras(uow: "UnitOfWork", reading: "ButlerReading", *, state: int) -> tuple[Camera, ...]:
    """Store cameras, detectors and filters that are new; return the cameras as they are now."""
    known = uow.repository.instruments()
    made = []
    for one in reading.instruments:
        camera = camera_of(one)
        made.append(camera)
        if one.name not in known:
            uow.repository.register_camera(camera, state=state)
        elif {each.id for each in uow.repository.camera(one.name).detectors} != {each.id for each in camera.detectors}:
            uow.mirror.replace_camera(camera)
        for name, band in one.filters:
            uow.repository.register_filter(one.name, name, band)
    return tuple(made)


def camera_of(found: "FoundInstrument") -> Camera:
    """Return the camera of an instrument's records: ours where every detector of theirs is one of it.

    Parameters
    ----------
    found : FoundInstrument
        Its records.

    Notes
    -----
    A camera known by its records alone answers look-ups; having no amplifiers it takes no raw frames.
    """
    from calibstore.datastore.camera_file import load_camera

    filters = tuple(PhysicalFilter(name=name, band=band) for name, band in found.filters)
    if found.name in LSST_CAMERAS:
        shipped = load_camera(found.name)
        names = {one.id: one.full_name for one in shipped.detectors}
        if found.detectors and all(names.get(one.id) == one.full_name for one in found.detectors):
            present = {one.id for one in found.detectors}
            return replace(
                shipped,
                class_name=found.class_name or shipped.class_name,
                detectors=tuple(one for one in shipped.detectors if one.id in present),
                filters=filters or shipped.filters,
            )
    return Camera(
        instrument=found.name,
        class_name=found.class_name,
        detectors=tuple(
            Detector(
                id=one.id,
                full_name=one.full_name,
                raft=one.raft,
                name_in_raft=one.name_in_raft,
                purpose=one.purpose,
                width=0,
                height=0,
                amplifiers=(),
            )
            for one in found.detectors
        ),
        filters=filters,
        translator=NO_RAWS,
    )
