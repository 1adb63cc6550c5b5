"""Product files that come from outside: their place in the repository, their rows, and what is undone when it fails."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.datastore.atomic_files import write_atomically
from calibstore.datastore.checksums import Checksums, sha256_of_file
from calibstore.datastore.file_copy import copy_file, link_file, remove_brought
from calibstore.errors import CabstandError, ConflictError, StoreError, UserInputError, WorkflowError
from calibstore.model.calib_types import dataset_types
from calibstore.model.camera import Camera, Detector
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.names import top_chain_of
from calibstore.model.records import DatasetRecord
from calibstore.services.context import Context
from calibstore.services.job_plans import DATA_FOLDER, created_text

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

IMPORTED: Final = "imported"
CURATED: Final = "curated"


class BroughtFiles:
    """Files put into the repository ahead of their rows."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._brought: dict[Path, str] = {}

    def bring(self, source: Path, record: DatasetRecord) -> None:
        """Copy or link a file to the place of its row; one that is there with this content stays.

        Raises
        ------
        ConflictError
            E-RUNEXISTS: another file is there.
        StoreError
            If it cannot be copied, or changed meanwhile.
        """
        if record.transfer == "direct" or self._is_there(record):
            return
        target = self._context.absolute(record.path)
        self._brought[target] = record.id
        if record.transfer == "link":
            link_file(source, target)
        elif copy_file(source, target) != record.sha256:
            raise StoreError(
                f"{source}: changed while it was being copied", hint="repeat it when it is complete", code="E-READ"
            )

    def put(self, body: bytes, record: DatasetRecord) -> None:
        """Write a file at the place of its row; one that is there with this content stays.

        Raises
        ------
        ConflictError, StoreError
            As `bring`.
        """
        if not self._is_there(record):
            target = self._context.absolute(record.path)
            self._brought[target] = record.id
            write_atomically(target, body)

    def discard(self) -> None:
        """Remove the files no row points at; another try may have recorded them meanwhile."""
        try:
            with self._context.unit_of_work() as uow:
                rows = uow.datasets.by_ids(self._brought.values())
        except CabstandError:
            return  # better a file too many than one too few: `doctor` names files without a row
        recorded = {self._context.absolute(row.path) for row in rows.values()}
        for path in self._brought.keys() - recorded:
            remove_brought(path, below=self._context.root)

    def _is_there(self, record: DatasetRecord) -> bool:
        target = self._context.absolute(record.path)
        if not target.exists():
            return False
        if sha256_of_file(target) == record.sha256:
            return True
        with self._context.unit_of_work() as uow:
            is_known = bool(uow.datasets.by_ids([record.id], also_removed=True))
        if is_known:
            raise _other_content(record)
        return False


def product_record(
    camera: Camera,
    *,
    dataset_type: str,
    run: str,
    detector: Detector | None,
    physical_filter: str,
    sums: Checksums,
    suffix: str,
    origin: str,
    created_tai_ns: int,
    provenance: dict[str, object],
    unit: str = "",
    inputs: tuple[tuple[str, str], ...] = (),
    transfer: str = "copy",
    path: str = "",
) -> DatasetRecord:
    """Return the row of a product file.

    Parameters
    ----------
    camera : Camera
        Its instrument.
    dataset_type, run : str
        What it is, and the RUN it is born in.
    detector : Detector or None
        None for types without one.
    physical_filter : str
        Empty for types without one.
    sums : Checksums
        Of the file.
    suffix : str
        Such as ``.ecsv``.
    origin : str
        `IMPORTED` or `CURATED`.
    created_tai_ns : int
        The clock.
    provenance : dict
        Where it is from.
    unit : str
        Of the pixels.
    inputs : tuple of (str, str)
        Dataset ids and roles of what it was made from.
    transfer : str
        copy, link, direct or written.
    path : str
        Where it is, for a file recorded in place.
    """
    data_id = _data_id(camera, detector, physical_filter)
    words = [dataset_type, camera.instrument, *([detector.full_name] if detector else [])]
    words += [physical_filter] if physical_filter else []
    name = "_".join([*words, run.replace("/", "_").replace(".", "_")])
    return DatasetRecord(
        id=dataset_uuid(dataset_type, run, data_id),
        dataset_type=dataset_type,
        run=run,
        data_key=str(data_id),
        instrument=camera.instrument,
        detector=detector.id if detector else None,
        physical_filter=physical_filter or None,
        unit=unit,
        origin=origin,
        content_sha256=sums.content_sha256,
        provenance={**provenance, "created": created_text(created_tai_ns)},
        created_tai_ns=created_tai_ns,
        path=path or f"{DATA_FOLDER}/{run}/{dataset_type}/{name}{suffix}",
        transfer=transfer,
        size_bytes=sums.size_bytes,
        sha256=sums.sha256,
        inputs=inputs,
    )


def unit_of_tables(dataset_type: str) -> str:
    """Return the unit in which tables of a type are, as the type says it; files have a unit for each column."""
    return next((one.unit for one in dataset_types() if one.name == dataset_type), "")


def split_known(uow: "UnitOfWork", records: Sequence[DatasetRecord]) -> tuple[DatasetRecord, ...]:
    """Return the datasets that are not there yet.

    Raises
    ------
    ConflictError
        E-RUNEXISTS: one is there, or was before its RUN was removed, with other content.
    """
    known = uow.datasets.by_ids((one.id for one in records), also_removed=True)
    for one in records:
        there = known.get(one.id)
        if there and there.sha256 != one.sha256 and there.content_sha256 != one.content_sha256:
            raise _other_content(one)
    present = uow.datasets.by_ids(one.id for one in records)
    return tuple(one for one in records if one.id not in present)


def live_warnings(uow: "UnitOfWork", name: str) -> list[str]:
    """Refuse on strict repositories what would put something into use at once; warn elsewhere.

    Raises
    ------
    WorkflowError
        E-LIVE.
    """
    tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    through = uow.associations.tree().live_through(name, tops)
    if not through:
        return []
    told = f"{name} is live through {through[0]}: this would be live at once, before any decision on it"
    if uow.repository.record().is_strict:
        first = f"cabstand collection-chain {through[0]} {name} --mode remove"
        raise WorkflowError(told, hint=f"use another ticket, or take it out first: {first}", code="E-LIVE")
    return [f"W-LIVE {told}"]


def find_detector(camera: Camera, number: int | None) -> Detector | None:
    """Return a detector of a camera; None when none is asked for.

    Raises
    ------
    UserInputError
        If there is no such detector.
    """
    if number is None:
        return None
    try:
        return camera.detector(number)
    except KeyError:
        last = max(one.id for one in camera.detectors)
        has = f"it has 0 to {last}" if last else "it has 0 only"
        raise UserInputError(f"{camera.instrument} has no detector {number}", hint=has, code="E-DETECTOR") from None


def _data_id(camera: Camera, detector: Detector | None, physical_filter: str) -> DataId:
    values: dict[str, int | str] = {"instrument": camera.instrument}
    values |= {"detector": detector.id} if detector else {}
    values |= {"physical_filter": physical_filter} if physical_filter else {}
    return DataId.of(**values)


def _other_content(record: DatasetRecord) -> ConflictError:
    return ConflictError(
        f"{record.run}: {record.dataset_type} {record.data_key} exists with other content",
        hint="a RUN keeps what was put into it; give another RUN, or another label",
        code="E-RUNEXISTS",
    )
