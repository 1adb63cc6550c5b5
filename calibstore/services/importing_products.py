"""Products made elsewhere: held against their data ID, taken in with their origin, never in place of another."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.curated import IngestFiles
from calibstore.commands.fields import quoted, to_line
from calibstore.commands.states import Undo
from calibstore.datastore.calib_file_kinds import FILE_KINDS, FileKind, check_cards
from calibstore.datastore.calib_tables import ECSV_SUFFIX, encode_calib_tables
from calibstore.datastore.foreign_products import ForeignProduct, read_foreign
from calibstore.errors import ConflictError, NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.counting import counted
from calibstore.model.data_id import DataId
from calibstore.model.names import find_name
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.layout import data_keys_text
from calibstore.services.native import butler
from calibstore.services.product_files import (
    IMPORTED,
    BroughtFiles,
    find_detector,
    live_warnings,
    product_record,
    split_known,
    unit_of_tables,
)
from calibstore.services.registering import check_new_name

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_IMAGES: Final = ("Exposure", "Image")
"""How the storage classes of images begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    """Files read and held against their data IDs, and their copies."""

    type_: DatasetTypeRecord
    camera: Camera
    records: tuple[DatasetRecord, ...]
    bodies: dict[str, bytes]
    """Dataset id to the file of a text that is kept as FITS."""
    brought: BroughtFiles

    def discard(self) -> None:
        """Remove what was brought in and is not referred to."""
        self.brought.discard()


def _prepare(command: IngestFiles, context: Context, dry_run: bool) -> _Staged:
    with context.unit_of_work() as uow:
        type_ = _type(uow, command.dataset_type)
        camera = uow.repository.camera(one_instrument(uow, command.instrument))
    kind = FILE_KINDS.get(type_.name) or FileKind(
        dataset_type=type_.name, dimensions=type_.dimensions, storage_class=type_.storage_class
    )
    kind = replace(kind, dimensions=type_.dimensions, storage_class=type_.storage_class)
    if command.detector is not None and len(command.files) > 1:
        raise UserInputError(
            f"--detector {command.detector} is one, and {len(command.files)} files are given",
            hint="leave --detector out: each file says its own",
            code="E-CALIBFILE",
        )
    is_table = not type_.storage_class.startswith(_IMAGES)
    records: list[DatasetRecord] = []
    bodies: dict[str, bytes] = {}
    for name in command.files:
        found = read_foreign(Path(name).expanduser().absolute(), is_table=is_table)
        found, body = _as_kept(found, kind, command.transfer)
        records.append(_record(command, context, camera, kind, found))
        bodies |= {records[-1].id: body} if body else {}
    brought = BroughtFiles(context)
    staged = _Staged(type_=type_, camera=camera, records=tuple(records), bodies=bodies, brought=brought)
    _refuse_twice(staged.records)
    if dry_run:
        return staged
    with context.unit_of_work() as uow:
        fresh = {one.id for one in split_known(uow, staged.records)}
    try:
        for name, record in zip(command.files, staged.records, strict=True):
            if record.id in fresh and record.id in bodies:
                staged.brought.put(bodies[record.id], record)
            elif record.id in fresh:
                staged.brought.bring(Path(name).expanduser().absolute(), record)
    except BaseException:
        staged.discard()
        raise
    return staged


def _type(uow: "UnitOfWork", name: str) -> DatasetTypeRecord:
    known = uow.repository.dataset_types()
    if name in known:
        if "exposure" in known[name].dimensions:
            raise UserInputError(
                f"{name} is a type of single exposures", hint="raw frames: cabstand ingest PATH", code="E-DATASETTYPE"
            )
        return known[name]
    if name in FILE_KINDS:
        return FILE_KINDS[name].record
    near = did_you_mean(name, {*known, *FILE_KINDS})
    raise NotFoundError(
        f"no dataset type {name!r}",
        hint=f"did you mean {near}?"
        if near
        else "make it: cabstand register-dataset-type NAME STORAGE_CLASS instrument detector --is-calibration",
        code="E-DATASETTYPE",
    )


def _as_kept(found: ForeignProduct, kind: FileKind, transfer: str) -> tuple[ForeignProduct, bytes]:
    """Return a product as it is kept, with its body where that is not the file itself."""
    is_text = found.path.suffix == ECSV_SUFFIX
    if found.content is None or not is_text or kind.is_kept_as_text:
        return found, b""
    if transfer != "copy":
        raise UserInputError(
            f"{found.path}: a {kind.dataset_type} is kept as FITS, since the Butler reads no ECSV of it",
            hint="--transfer copy writes it so",
            code="E-CALIBFILE",
        )
    body, sums = encode_calib_tables(found.content, is_text=False)
    return replace(found, sums=sums), body


def _record(
    command: IngestFiles, context: Context, camera: Camera, kind: FileKind, found: ForeignProduct
) -> DatasetRecord:
    name = str(found.path)
    detector, physical_filter = None, ""
    if "detector" in kind.dimensions:
        number = found.detector if command.detector is None else command.detector
        if number is None:
            raise UserInputError(f"{name}: DETECTOR is missing", hint="name it: --detector N", code="E-CALIBFILE")
        detector = find_detector(camera, number)
    elif command.detector is not None:
        raise UserInputError(
            f"{kind.dataset_type} has no detector, but --detector {command.detector} was given",
            hint="leave it out",
            code="E-CALIBFILE",
        )
    if "physical_filter" in kind.dimensions:
        physical_filter = command.physical_filter or found.physical_filter
        if not physical_filter:
            raise UserInputError(f"{name}: FILTER is missing", hint="name it: --filter NAME", code="E-CALIBFILE")
    elif command.physical_filter:
        raise UserInputError(
            f"{kind.dataset_type} has no filter, but --filter {command.physical_filter} was given",
            hint="leave it out",
            code="E-CALIBFILE",
        )
    check_cards(
        found.cards,
        kind,
        camera,
        name=name,
        detector=None if detector is None else detector.id,
        physical_filter=physical_filter,
    )
    suffix = "".join(found.path.suffixes[-2:]) if found.path.suffix == ".gz" else found.path.suffix
    is_direct, is_image = command.transfer == "direct", kind.storage_class.startswith(_IMAGES)
    return product_record(
        camera,
        dataset_type=kind.dataset_type,
        run=command.run,
        detector=detector,
        physical_filter=physical_filter,
        sums=found.sums,
        suffix=".fits" if suffix == ECSV_SUFFIX and not kind.is_kept_as_text else suffix,
        origin=IMPORTED,
        created_tai_ns=context.clock(),
        provenance={"made_elsewhere": name},
        unit=found.unit if is_image else unit_of_tables(kind.dataset_type),
        transfer=command.transfer,
        path=name if is_direct else "",
    )


def _refuse_twice(records: tuple[DatasetRecord, ...]) -> None:
    seen: dict[str, DatasetRecord] = {}
    for one in records:
        first = seen.setdefault(one.id, one)
        if first is not one:
            raise ConflictError(
                f"{first.provenance['made_elsewhere']} and {one.provenance['made_elsewhere']} are both "
                f"{one.dataset_type} {one.data_key}",
                hint="give one of them",
                code="E-RUNEXISTS",
            )


def plan_ingest_files(command: IngestFiles, context: Context, uow: "UnitOfWork", staged: _Staged) -> Plan:
    """Plan taking products in; see `calibstore.services.actions.Handler`."""
    known = uow.collections.find(command.run)
    if known is not None and known.type is not CollectionType.RUN:
        raise ConflictError(
            f"{command.run} is a {known.type} collection, not RUN", hint="give a RUN", code="E-COLLECTIONTYPE"
        )
    fresh = split_known(uow, staged.records)
    is_new_type = staged.type_.name not in uow.repository.dataset_types()
    warnings = live_warnings(uow, command.run) if known else check_new_name(uow, command.run, CollectionType.RUN)
    parsed = find_name(command.run)
    ticket = parsed.ticket if parsed else ""
    data = {
        "run": command.run,
        "dataset_type": staged.type_.name,
        "datasets": [{"id": one.id, "data_id": one.data_key, "sha256": one.sha256} for one in fresh],
        "known": len(staged.records) - len(fresh),
        "is_same": not fresh,
    }
    if not fresh:
        told = f"nothing to do: {counted(len(staged.records), 'file')} of {staged.type_.name} are in {command.run}"
        return Plan(effect=Effect(summary=told, data=data, ticket=ticket))
    lines = [
        *((f"{command.run} is a new RUN",) if known is None else ()),
        *((f"dataset type {staged.type_.name} is new here",) if is_new_type else ()),
        f"{staged.type_.name} {data_keys_text([one.data_key for one in fresh])}",
        *(f"  {one.id}  made elsewhere: {one.provenance['made_elsewhere']}" for one in fresh),
        "this makes nothing valid: certify it",
    ]
    into = f"{parsed.user_prefix}{parsed.instrument}/calib/{ticket}/..." if parsed and ticket else "COLLECTION"
    effect = Effect(
        summary=f"take {counted(len(fresh), staged.type_.name)} into {command.run}",
        lines=tuple(lines),
        warnings=tuple(warnings),
        native=_native(command, context, staged, fresh, is_new_type=is_new_type),
        next=(f"cabstand certify-calibrations {command.run} {into} {staged.type_.name} --begin-date TIME",)
        if staged.type_.is_calibration
        else (f"cabstand query-datasets {staged.type_.name} --collections {command.run}",),
        data=data,
        ticket=ticket,
        after={"run": command.run, "datasets": [one.id for one in fresh]},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.repository.register_dataset_type(staged.type_, state=state)
        for one in fresh:
            if one.physical_filter:
                uow.repository.register_filter(one.instrument, one.physical_filter, "")
        run = uow.collections.register(command.run, CollectionType.RUN, state=state, origin=IMPORTED)
        uow.datasets.insert(run, fresh, state=state)

    def after(done: Effect) -> Effect:
        return replace(done, inverse=(to_line(Undo(state=done.state)),) if known is None else ())

    return Plan(effect=effect, apply=apply, after=after)


def _native(
    command: IngestFiles, context: Context, staged: _Staged, fresh: tuple[DatasetRecord, ...], *, is_new_type: bool
) -> tuple[str, ...]:
    """Return the Butler's lines: it reads files and data IDs from a table."""
    own = [name for name in staged.type_.dimensions if name != "instrument"]
    rows = [",".join(["file", *own])]
    for one in fresh:
        data_id = DataId.parse(one.data_key)
        rows.append(",".join([str(one.provenance["made_elsewhere"]), *(str(data_id[name]) for name in own)]))
    made = (staged.type_.name, staged.type_.storage_class, *staged.type_.dimensions, "--is-calibration")
    transfer = {"link": "hardlink"}.get(command.transfer, command.transfer)
    words = (staged.type_.name, command.run, "files.csv", "--data-id", f"instrument={staged.camera.instrument}")
    return (
        *((butler("register-dataset-type", context.root, *made),) if is_new_type else ()),
        f"printf '%s\\n' {' '.join(quoted(row) for row in rows)} > files.csv",
        butler("ingest-files", context.root, *words, "--transfer", transfer),
    )


HANDLERS = {"ingest-files": Handler(plan=plan_ingest_files, prepare=_prepare)}
