"""Curated calibrations: taken from the field's data package unchanged and certified by the dates of their names."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.curated import WriteCuratedCalibrations
from calibstore.commands.fields import to_line
from calibstore.commands.states import Undo
from calibstore.datastore.calib_tables import encode_calib_tables
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.curated import CuratedFile, CuratedTree, read_curated
from calibstore.datastore.foreign_products import file_checksums
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.counting import counted
from calibstore.model.name_grammar import validate_ticket
from calibstore.model.names import find_name, top_chain_of
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.certify_checks import split_batch
from calibstore.services.context import Context
from calibstore.services.layout import data_keys_text, listed
from calibstore.services.native import butler
from calibstore.services.product_files import (
    CURATED,
    BroughtFiles,
    live_warnings,
    product_record,
    split_known,
    unit_of_tables,
)
from calibstore.services.registering import check_new_name

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class _Staged:
    """A tree that was read, and its files in the repository."""

    tree: CuratedTree
    camera: Camera
    ticket: str
    records: tuple[DatasetRecord, ...]
    """One a file, in the same order."""
    bodies: dict[str, bytes]
    """Dataset id to the file of one that is kept as FITS; the others are copied."""
    brought: BroughtFiles

    def discard(self) -> None:
        """Remove what was brought in and is not referred to."""
        self.brought.discard()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What is new of it."""

    types: tuple[DatasetTypeRecord, ...]
    filters: tuple[str, ...]
    runs: tuple[str, ...]
    datasets: tuple[DatasetRecord, ...]
    certified: dict[tuple[str, Timespan], tuple[DatasetRecord, ...]]
    warnings: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether everything is there already."""
        return not (self.types or self.datasets or self.certified)


def _prepare(command: WriteCuratedCalibrations, context: Context, dry_run: bool) -> _Staged:
    ticket = _ticket(command)
    with context.unit_of_work() as uow:
        camera = uow.repository.camera(command.instrument)
    tree = read_curated(Path(command.folder).expanduser().absolute(), camera)
    context.narrate(f"{counted(len(tree.files), 'file')} read from {tree.folder}")
    now = context.clock()
    made = [_record(one, camera, ticket, tree.folder, now) for one in tree.files]
    records = tuple(record for record, _ in made)
    staged = _Staged(
        tree=tree,
        camera=camera,
        ticket=ticket,
        records=records,
        bodies={record.id: body for record, body in made if body},
        brought=BroughtFiles(context),
    )
    if dry_run:
        return staged
    with context.unit_of_work() as uow:
        fresh = {one.id for one in _find(command, uow, staged).datasets}
    try:
        for one, record in zip(tree.files, records, strict=True):
            if record.id in fresh and record.id in staged.bodies:
                staged.brought.put(staged.bodies[record.id], record)
            elif record.id in fresh:
                staged.brought.bring(one.path, record)
    except BaseException:
        staged.discard()
        raise
    return staged


def _ticket(command: WriteCuratedCalibrations) -> str:
    parsed = find_name(command.collection) if command.collection else None
    own = parsed.ticket if parsed else ""
    if not own and command.collection:
        parts = command.collection.removeprefix(f"{command.instrument}/calib/").split("/")
        above = find_name(f"{command.instrument}/calib/{parts[0]}")
        own = above.ticket if above else ""
    if command.label and own and own != command.label:
        raise UserInputError(
            f"--label {command.label} and --collection {command.collection} name two tickets",
            hint="leave one of them out",
            code="E-OTHERTICKET",
        )
    ticket = command.label or own
    if not ticket:
        top = top_chain_of(command.instrument)
        raise UserInputError(
            f"no ticket is named: {top} is the top chain, which lists collections and holds nothing itself",
            hint="give a ticket of its own: --label DM-48521",
            code="E-NAME",
        )
    return validate_ticket(ticket)


def _run_of(one: CuratedFile, camera: Camera, ticket: str) -> str:
    return f"{camera.instrument}/calib/{ticket}/curated/{one.stamp}Z"


def _record(
    one: CuratedFile, camera: Camera, ticket: str, folder: Path, now_tai_ns: int
) -> tuple[DatasetRecord, bytes]:
    """Return the row of a file, and its body where it is not the file itself."""
    source = sha256_of_file(one.path)
    if one.kind.is_kept_as_text:
        body, sums = b"", file_checksums(one.path, one.content)
    else:
        body, sums = encode_calib_tables(one.content, is_text=False)
    record = product_record(
        camera,
        dataset_type=one.kind.dataset_type,
        run=_run_of(one, camera, ticket),
        detector=one.detector,
        physical_filter=one.physical_filter,
        sums=sums,
        suffix=".fits" if body else one.path.suffix,
        origin=CURATED,
        created_tai_ns=now_tai_ns,
        provenance={"curated_from": str(one.path.relative_to(folder)), "source_sha256": source},
        unit=unit_of_tables(one.kind.dataset_type),
        transfer="written" if body else "copy",
    )
    return record, body


def _target(command: WriteCuratedCalibrations, staged: _Staged) -> str:
    return command.collection or f"{top_chain_of(staged.camera.instrument)}/{staged.ticket}"


def _find(command: WriteCuratedCalibrations, uow: "UnitOfWork", staged: _Staged) -> _Found:
    target = _target(command, staged)
    into = uow.collections.find(target)
    if into is not None and into.type is not CollectionType.CALIBRATION:
        raise ConflictError(
            f"{target} is a {into.type} collection, not CALIBRATION",
            hint=f"a chain lists collections: --collection {target}/curated, then cabstand collection-chain {target} "
            f"{target}/curated --mode extend; or use a ticket of its own"
            if into.type is CollectionType.CHAINED
            else "choose another name; a collection keeps its type",
            code="E-COLLECTIONTYPE",
        )
    warnings = live_warnings(uow, target)
    known = uow.repository.dataset_types()
    types: dict[str, DatasetTypeRecord] = {}
    for one in staged.tree.files:
        name = one.kind.dataset_type
        if name not in known:
            types[name] = one.kind.record
        elif set(known[name].dimensions) != set(one.kind.dimensions):
            raise ConflictError(
                f"dataset type {name} is of {', '.join(known[name].dimensions)} here, and curated files are of "
                f"{', '.join(one.kind.dimensions)}",
                hint="take them in at a repository where it is the field's type",
                code="E-DATASETTYPE",
            )
    runs = tuple(dict.fromkeys(one.run for one in staged.records))
    made = [name for name in runs if uow.collections.find(name) is None]
    for name in (*made, *([target] if into is None else [])):
        is_run = name != target
        warnings += check_new_name(uow, name, CollectionType.RUN if is_run else CollectionType.CALIBRATION)
    fresh = split_known(uow, staged.records)
    groups: dict[tuple[str, Timespan], list[DatasetRecord]] = {}
    for one, record in zip(staged.tree.files, staged.records, strict=True):
        groups.setdefault((record.dataset_type, one.timespan), []).append(record)
    certified = {}
    for (kind, timespan), batch in sorted(groups.items()):
        existing = uow.certifications.overlapping(into, kind, timespan) if into else ()
        new, _same = split_batch(batch, timespan, existing, into=target)
        if new:
            certified[kind, timespan] = new
    filters = {one.name for one in staged.camera.filters}
    return _Found(
        types=tuple(types.values()),
        filters=tuple(sorted({one.physical_filter for one in staged.tree.files if one.physical_filter} - filters)),
        runs=tuple(made),
        datasets=fresh,
        certified=certified,
        # Dates stand in the names of all RUNs: they are not slips of one another.
        warnings=tuple(one for one in dict.fromkeys(warnings) if not one.startswith("W-NEARNAME")),
    )


def plan_curated(command: WriteCuratedCalibrations, context: Context, uow: "UnitOfWork", staged: _Staged) -> Plan:
    """Plan taking curated calibrations in; see `calibstore.services.actions.Handler`."""
    found = _find(command, uow, staged)
    target = _target(command, staged)
    effect = _effect(command, context, staged, found, target)
    if found.is_empty:
        return Plan(effect=effect)

    def apply(uow: "UnitOfWork", state: int) -> None:
        for type_ in found.types:
            uow.repository.register_dataset_type(type_, state=state)
        for name in found.filters:
            uow.repository.register_filter(staged.camera.instrument, name, "")
        by_run: dict[str, list[DatasetRecord]] = {}
        for record in found.datasets:
            by_run.setdefault(record.run, []).append(record)
        for run, records in sorted(by_run.items()):
            made = uow.collections.register(run, CollectionType.RUN, state=state, origin=CURATED)
            uow.datasets.insert(made, records, state=state)
        into = uow.collections.register(target, CollectionType.CALIBRATION, state=state, origin=CURATED)
        for (_, timespan), batch in found.certified.items():
            rows = [(one.dataset_type, one.data_key, one.id) for one in batch]
            uow.certifications.insert(into, rows, timespan, state=state)

    def after(done: Effect) -> Effect:
        return replace(done, inverse=(to_line(Undo(state=done.state)),))

    return Plan(effect=effect, apply=apply, after=after)


def _effect(command: WriteCuratedCalibrations, context: Context, staged: _Staged, found: _Found, target: str) -> Effect:
    kinds = Counter(one.dataset_type for one in found.datasets)
    data: dict[str, object] = {
        "collection": target,
        "ticket": staged.ticket,
        "files": len(staged.tree.files),
        "ignored": list(staged.tree.ignored),
        "datasets": [{"dataset_type": name, "new": kinds[name]} for name in sorted(kinds)],
        "runs": sorted({one.run for one in staged.records}),
        "certified": [
            {
                "dataset_type": kind,
                "begin_tai_ns": timespan.begin_tai_ns,
                "end_tai_ns": timespan.end_tai_ns,
                "data_ids": [one.data_key for one in batch],
            }
            for (kind, timespan), batch in found.certified.items()
        ],
        "is_same": found.is_empty,
    }
    n_files = counted(len(staged.tree.files), "curated file")
    if found.is_empty:
        told = f"nothing to do: {n_files} of {staged.camera.instrument} are certified exactly so in {target}"
        return Effect(summary=told, data=data, ticket=staged.ticket)
    n_ranges = sum(len(batch) for batch in found.certified.values())
    lines = [
        f"this does not make it live: it is found through {target} only",
        *(f"dataset type {one.name} is new: {' '.join(one.dimensions)}, {one.storage_class}" for one in found.types),
        *(f"filter {name} is new here" for name in found.filters),
    ]
    for (kind, timespan), batch in found.certified.items():
        lines += [f"{kind} {data_keys_text([one.data_key for one in batch])}", f"  {timespan_text(timespan)}"]
    if staged.tree.ignored:
        lines.append(f"passed over, not named as a date: {listed(staged.tree.ignored, 4)}")
    options = ["--collection", target, "--label", staged.ticket]
    name = staged.camera.class_name or staged.camera.instrument
    return Effect(
        summary=f"take {n_files} of {staged.camera.instrument} in and certify {counted(n_ranges, 'range')} in {target}",
        lines=tuple(lines),
        warnings=found.warnings,
        native=(butler("write-curated-calibrations", context.root, name, *options),),
        next=(f"cabstand collection-chain {top_chain_of(staged.camera.instrument)} {target} --mode prepend --dry-run",),
        ask=True,
        data=data,
        ticket=staged.ticket,
        after={"collection": target, "datasets": [one.id for one in found.datasets], "ranges": n_ranges},
    )


HANDLERS = {"write-curated-calibrations": Handler(plan=plan_curated, prepare=_prepare)}
