"""Recording raw frames: every file is taken, known already, or refused by name with its reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.raws import Ingest, IngestPhotodiode, ShowExposures
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.file_copy import copy_file, link_file, remove_brought
from calibstore.datastore.raw_headers import check_observation_type
from calibstore.errors import CabstandError, StoreError
from calibstore.model.calib_types import calib_types
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure, RawFile
from calibstore.model.frame_levels import KEPT_AS
from calibstore.model.records import CollectionRecord, DatasetRecord
from calibstore.services import native
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.photodiode_ingest import has_readings
from calibstore.services.raw_comparison import (
    Refusal,
    SortedFiles,
    compare,
    data_id_of,
    frame_of,
    identity_of,
    raw_run,
)
from calibstore.services.raw_intake import find_files, printable, read_raw

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 40
"""Refusals, or warnings, shown one by one."""
_NARRATED: Final = 50


@dataclass(slots=True)
class _Batch:
    """What the files turned out to be, before anything is written."""

    context: Context
    read: list[RawFile] = field(default_factory=list)
    n_repeated: int = 0
    """Files met again under another name, with the same content."""
    refused: list[Refusal] = field(default_factory=list)
    fruitless: tuple[str, ...] = ()
    brought: dict[Path, str] = field(default_factory=dict)
    """Copies and links made in the repository -> dataset ids."""
    places: dict[str, str] = field(default_factory=dict)
    """Path as found -> path as stored."""
    statistics: dict[str, dict[str, float]] = field(default_factory=dict)
    """Path as found -> what a few of its rows tell."""

    def refuse(self, path: str, reason: str, code: str, hint: str) -> None:
        """Leave a file out, for a reason that need not repeat its name."""
        self.refused.append(Refusal(printable(path), reason, code, hint))

    def discard(self) -> None:
        """Remove the copies no row points at; another ingest may have recorded them meanwhile."""
        try:
            with self.context.unit_of_work() as uow:
                rows = uow.datasets.by_ids(self.brought.values())
        except CabstandError:
            return  # better a file too many than one too few: `doctor` names files without a row
        recorded = {self.context.absolute(row.path) for row in rows.values()}
        for path in self.brought.keys() - recorded:
            remove_brought(path, below=self.context.root)


def _prepare(command: Ingest, context: Context, dry_run: bool) -> _Batch:
    check_observation_type(command.observation_type or None)
    with context.unit_of_work() as uow:
        names = (command.instrument,) if command.instrument else uow.repository.instruments()
        cameras = tuple(uow.repository.camera(name) for name in names)
    found = find_files(command.paths)
    batch = _Batch(context=context, fruitless=found.fruitless)
    seen: dict[str, RawFile] = {}
    for number, path in enumerate(found.files, start=1):
        if number % _NARRATED == 0:
            context.narrate(f"{number} of {len(found.files)} files read")
        try:
            raw = read_raw(path, cameras, observation_type=command.observation_type, reason=context.reason)
        except CabstandError as problem:
            batch.refuse(str(path), _without_name(problem.message, path), problem.code, problem.hint)
            continue
        first = seen.setdefault(identity_of(raw), raw)
        if first is raw:
            batch.read.append(raw)
        elif first.sha256 == raw.sha256:
            batch.n_repeated += 1
        else:
            reason = f"{frame_of(raw)} is in this batch with other content: {first.path}"
            batch.refuse(raw.path, reason, "E-RAW-CONTENT", "leave out the one that is not the original")
    with context.unit_of_work() as uow:
        fresh = compare(uow, batch.read, command.observation_type)
    if not dry_run:
        batch.statistics = _statistics(fresh.taken, {one.instrument: one for one in cameras}, context)
        try:
            _bring_in(batch, fresh.taken, command.transfer, context)
        except BaseException:
            batch.discard()
            raise
    return batch


def _statistics(
    taken: Sequence[RawFile], cameras: Mapping[str, Camera], context: Context
) -> dict[str, dict[str, float]]:
    """Return what a few rows of each new frame tell: what a selection is judged by later."""
    from calibstore.pipelines.frame_statistics import measure_frame

    found: dict[str, dict[str, float]] = {}
    for number, raw in enumerate(taken, start=1):
        if number % _NARRATED == 0:
            context.narrate(f"{number} of {len(taken)} frames sampled")
        found[raw.path] = measure_frame(Path(raw.path), cameras[raw.exposure.instrument].detector(raw.detector))
    return found


def _without_name(message: str, path: Path) -> str:
    for shown in (f"{printable(path.name)}: ", f"{path}: "):
        message = message.removeprefix(shown)
    return " ".join(message.splitlines())


def _bring_in(batch: _Batch, taken: Sequence[RawFile], transfer: str, context: Context) -> None:
    lost: set[str] = set()
    for number, raw in enumerate(taken, start=1):
        if transfer == "direct":
            batch.places[raw.path] = _direct_place(Path(raw.path), context.root)
            continue
        if number % _NARRATED == 0:
            context.narrate(f"{number} of {len(taken)} files brought in ({transfer})")
        target, is_there = _free_place(raw, context.root)
        batch.places[raw.path] = str(target.relative_to(context.root))
        if is_there:
            continue
        batch.brought[target] = identity_of(raw)
        reason = _transferred(raw, target, transfer)
        if reason:
            remove_brought(target, below=context.root)
            batch.refuse(raw.path, reason, "E-READ", "ingest it again when it is complete and readable")
            lost.add(raw.path)
    batch.read = [raw for raw in batch.read if raw.path not in lost]


def _direct_place(path: Path, root: Path) -> str:
    """Return the path to store: relative inside the repository, so that it may be moved."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _free_place(raw: RawFile, root: Path) -> tuple[Path, bool]:
    """Return where a file goes, and whether it is there already (left by an interrupted ingest).

    Cameras that number their files anew in every folder give equal names to different exposures.
    """
    folder = root / "data" / raw.exposure.instrument / "raw" / "all" / str(raw.exposure.day_obs)
    name = Path(raw.path).name
    target = folder / name
    if target.exists() and sha256_of_file(target) != raw.sha256:
        target = folder / f"{raw.exposure.id}-{raw.detector:03d}-{name}"
    return target, target.exists() and sha256_of_file(target) == raw.sha256


def _transferred(raw: RawFile, target: Path, transfer: str) -> str:
    """Copy or link a file; return why it cannot be taken, or nothing."""
    source = Path(raw.path)
    if transfer == "link":
        link_file(source, target)
        return ""
    try:
        copied = copy_file(source, target)
    except StoreError as problem:
        if problem.code != "E-READ":
            raise
        return _without_name(problem.message, source)
    return "" if copied == raw.sha256 else "changed while it was being copied"


def _plan(command: Ingest, context: Context, uow: "UnitOfWork", batch: _Batch) -> Plan:
    # Compared again inside the transaction: another ingest may have come first.
    found = compare(uow, batch.read, command.observation_type)
    _check_there(batch, found.taken)
    refused = [*batch.refused, *found.refused]
    effect = Effect(
        summary=_summary(command, batch, found, len(refused)),
        lines=tuple(_lines(batch, found, refused)),
        warnings=tuple(_capped(list(found.warnings), "more of these")),
        native=_native(command, context, found.taken),
        inverse=_retype_lines(command, found),
        next=_next(found.taken),
        data={
            "recorded": [
                {
                    "path": raw.path,
                    "instrument": raw.exposure.instrument,
                    "exposure": raw.exposure.id,
                    "detector": raw.detector,
                    "observation_type": raw.exposure.observation_type,
                }
                for raw in found.taken
            ],
            "known": found.n_known + batch.n_repeated,
            "retyped": _retyped(found),
            "refused": [
                {"file": one.name, "path": one.path, "code": one.code, "reason": one.reason, "hint": one.hint}
                for one in refused
            ],
        },
        before={"types": _retyped(found)} if found.retyped else {},
        after={
            "recorded": len(found.taken),
            "known": found.n_known + batch.n_repeated,
            "refused": len(refused),
            "refusals": [f"{one.name}: {one.reason}" for one in refused[:_SHOWN]],
        }
        | ({"retyped_to": command.observation_type} if found.retyped else {}),
        exit_code=2 if refused else 0,
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        for instrument in sorted({raw.exposure.instrument for raw in found.taken}):
            _write(uow, instrument, batch, found.taken, command, state=state, at_tai_ns=context.clock())
        for instrument, exposure in sorted(found.retyped):
            uow.exposures.correct_type(instrument, exposure, command.observation_type)

    def after(effect: Effect) -> Effect:
        if len(batch.brought) > len(found.taken):
            batch.discard()
        return effect

    return Plan(effect=effect, apply=apply if found.taken or found.retyped else None, after=after)


def _check_there(batch: _Batch, taken: Sequence[RawFile]) -> None:
    for raw in taken:
        place = batch.places.get(raw.path)  # none in a dry run
        if place and not batch.context.absolute(place).exists():
            raise StoreError(
                f"{batch.context.absolute(place)} vanished before it was recorded",
                hint="repeat the ingest",
                code="E-READ",
            )


def _summary(command: Ingest, batch: _Batch, found: SortedFiles, n_refused: int) -> str:
    by_type = Counter(raw.exposure.observation_type for raw in found.taken)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(by_type.items()))
    n_known = found.n_known + batch.n_repeated
    parts = [f"{_count(len(found.taken), 'file')} recorded" + (f" ({kinds})" if kinds else "")]
    parts += [f"{n_known} known already"] if n_known else []
    parts += [f"{n_refused} refused"] if n_refused else []
    parts += [f"{_count(len(found.retyped), 'exposure')} now {command.observation_type}"] if found.retyped else []
    return ", ".join(parts)


def _lines(batch: _Batch, found: SortedFiles, refused: Sequence[Refusal]) -> Iterable[str]:
    often = {name for name, count in Counter(one.name for one in refused).items() if count > 1}
    told = [f"refused {one.path if one.name in often else one.name}: {one.reason}" for one in refused]
    yield from _capped(told, "more refused; --json lists all")
    remedies: dict[str, str] = {}
    for one in refused:
        remedies.setdefault(one.code, one.hint)
    yield from (f"what to do: {hint}" for hint in dict.fromkeys(remedies.values()) if hint)
    yield from (f"no FITS files in {text}" for text in batch.fruitless)
    nights = sorted({raw.exposure.day_obs for raw in found.taken})
    if len(nights) == 1:
        yield f"night of day_obs {nights[0]}"
    elif nights:
        yield f"{len(nights)} nights, day_obs {nights[0]} to {nights[-1]}"


def _capped(lines: list[str], more: str) -> list[str]:
    return lines[:_SHOWN] + ([f"... and {len(lines) - _SHOWN} {more}"] if len(lines) > _SHOWN else [])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _retyped(found: SortedFiles) -> list[dict[str, object]]:
    return [
        {"instrument": instrument, "exposure": exposure, "recorded_as": recorded}
        for (instrument, exposure), recorded in sorted(found.retyped.items())
    ]


def _retype_lines(command: Ingest, found: SortedFiles) -> tuple[str, ...]:
    """Return the line that gives exposures their old type back, where they all had the same."""
    before = set(found.retyped.values())
    if len(before) != 1 or found.taken:
        return ()
    back = replace(command, observation_type=before.pop())
    return (to_line(back, reason=f"they are not {command.observation_type} after all"),)


def _next(taken: Sequence[RawFile]) -> tuple[str, ...]:
    """Return the line that looks at the fullest night of frames some calibration can be built from."""
    # A bias is built first; of the others the last one is what people are after.
    known = {one.name: one for one in reversed(calib_types())}
    for calib_type in (known.pop("bias"), *known.values()):
        nights = Counter(
            (raw.exposure.instrument, raw.exposure.day_obs)
            for raw in taken
            if raw.exposure.observation_type == calib_type.observation_type
        )
        if nights:
            instrument, night = max(nights, key=lambda one: (nights[one], one))
            where = f"instrument='{instrument}' and exposure.day_obs={night}"
            where += f" and exposure.observation_type='{calib_type.observation_type}'"
            line = to_line(ShowExposures(for_=calib_type.name, where=where))
            return (f"{line}  # can a {calib_type.name} be built from them?", *_readings(taken))
    return _readings(taken)


def _readings(taken: Sequence[RawFile]) -> tuple[str, ...]:
    """Return the line that takes in what a photodiode read, where that lies beside the frames."""
    folders = sorted({(raw.exposure.instrument, Path(raw.path).parent) for raw in taken})
    return tuple(
        to_line(IngestPhotodiode(instrument=instrument, locations=(str(folder),)))
        for instrument, folder in folders[:_NARRATED]
        if has_readings(folder)
    )


def _write(
    uow: "UnitOfWork",
    instrument: str,
    batch: _Batch,
    taken: Sequence[RawFile],
    command: Ingest,
    *,
    state: int,
    at_tai_ns: int,
) -> None:
    raws = [raw for raw in taken if raw.exposure.instrument == instrument]
    exposures: dict[int, Exposure] = {}
    for raw in raws:
        exposures.setdefault(raw.exposure.id, raw.exposure)
    for name in sorted({exposure.physical_filter for exposure in exposures.values()}):
        uow.repository.register_filter(instrument, name, "")
    uow.exposures.insert(list(exposures.values()), state=state, is_type_by_operator=bool(command.observation_type))
    uow.exposures.derive_camera_events(instrument)
    run: CollectionRecord = uow.collections.get(raw_run(instrument))
    uow.datasets.insert(run, [_record(raw, batch, command, run, at_tai_ns) for raw in raws], state=state)


def _record(raw: RawFile, batch: _Batch, command: Ingest, run: CollectionRecord, at_tai_ns: int) -> DatasetRecord:
    return DatasetRecord(
        id=identity_of(raw),
        dataset_type="raw",
        run=run.name,
        data_key=str(data_id_of(raw)),
        instrument=raw.exposure.instrument,
        detector=raw.detector,
        exposure=raw.exposure.id,
        physical_filter=raw.exposure.physical_filter,
        unit="adu",
        origin="raw",
        content_sha256=raw.sha256,
        provenance={KEPT_AS: kept} if (kept := batch.statistics.get(raw.path)) else {},
        created_tai_ns=at_tai_ns,
        path=batch.places[raw.path],
        transfer=command.transfer,
        size_bytes=raw.size_bytes,
        sha256=raw.sha256,
    )


def _native(command: Ingest, context: Context, taken: Sequence[RawFile]) -> tuple[str, ...]:
    """Return the Butler's own line: files one by one while they are few, else their folders."""
    if not taken:
        return ()
    places = [raw.path for raw in taken]
    if len(places) > 8:
        places = sorted({str(Path(place).parent) for place in places})
    transfer = "hardlink" if command.transfer == "link" else command.transfer
    return (native.butler("ingest-raws", context.root, "-t", transfer, *places),)


HANDLERS = {"ingest": Handler(plan=_plan, prepare=_prepare)}
