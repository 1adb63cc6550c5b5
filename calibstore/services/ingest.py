"""Recording raw frames: every file is taken, known already, or refused by name with its reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.raws import Ingest
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.file_copy import copy_file, link_file
from calibstore.datastore.raw_headers import check_observation_type, translate
from calibstore.errors import CabstandError, ConflictError, NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.exposure import Exposure, RawFile
from calibstore.model.records import CollectionRecord, DatasetRecord
from calibstore.services import native
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_PATTERNS = ("*.fits", "*.fits.fz", "*.fits.gz", "*.fit", "*.fts")
_SHOWN_REFUSALS = 40


@dataclass(slots=True)
class _Batch:
    """What the files turned out to be, before anything is written."""

    taken: list[RawFile] = field(default_factory=list)
    reason: str = ""
    """Why, as the operator said it."""
    types: dict[str, dict[int, str]] = field(default_factory=dict)
    """Instrument -> exposure -> observation type recorded before."""
    known: int = 0
    retyped: dict[tuple[str, int], str] = field(default_factory=dict)
    """(instrument, exposure) the operator says to be of another type than recorded -> recorded type."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """(file, reason)."""
    brought: list[Path] = field(default_factory=list)
    """Copies and links made in the repository."""
    places: dict[str, str] = field(default_factory=dict)
    """Path as found -> path as stored."""

    def discard(self) -> None:
        """Remove the copies: their rows were not written."""
        for path in self.brought:
            path.unlink(missing_ok=True)


def _prepare(command: Ingest, context: Context, dry_run: bool) -> _Batch:
    check_observation_type(command.observation_type or None)
    files = _files(command.paths)
    with context.unit_of_work() as uow:
        names = (command.instrument,) if command.instrument else uow.repository.instruments()
        cameras = tuple(uow.repository.camera(name) for name in names)
        stored = {camera.instrument: _stored(uow, camera.instrument) for camera in cameras}
        types = {camera.instrument: uow.exposures.types(camera.instrument) for camera in cameras}
    batch = _Batch(reason=context.reason, types=types)
    for number, path in enumerate(files, start=1):
        if number % 50 == 0:
            context.narrate(f"{number} of {len(files)} files read")
        _take(path, cameras, command, batch, stored=stored)
    if not dry_run:
        try:
            _bring_in(batch, command.transfer, context)
        except BaseException:
            batch.discard()
            raise
    return batch


def _files(paths: Sequence[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for text in paths:
        path = Path(text).expanduser()
        if path.is_dir():
            inside = sorted(one for pattern in _PATTERNS for one in path.rglob(pattern))
            found.update(dict.fromkeys(one.absolute() for one in inside))
        elif any(mark in path.name for mark in "*?["):
            found.update(dict.fromkeys(one.absolute() for one in sorted(path.parent.glob(path.name))))
        else:
            # A file that is missing is refused by name below, like any other that cannot be read.
            found[path.absolute()] = None
    if not found:
        raise NotFoundError(
            f"no FITS files in {', '.join(paths)}", hint=f"names end in {', '.join(p[1:] for p in _PATTERNS)}"
        )
    return list(found)


def _stored(uow: "UnitOfWork", instrument: str) -> dict[str, tuple[str, str]]:
    run = uow.collections.find(f"{instrument}/raw/all")
    rows = uow.datasets.in_run(run) if run else ()
    return {row.id: (row.sha256, row.path) for row in rows}


def _take(
    path: Path,
    cameras: Sequence[Camera],
    command: Ingest,
    batch: _Batch,
    *,
    stored: dict[str, dict[str, tuple[str, str]]],
) -> None:
    try:
        raw = _read(path, cameras, command.observation_type)
        _check_overruled(path, cameras, command.observation_type, batch.reason)
    except CabstandError as problem:
        batch.refused.append((path.name, _without_name(problem.message, path.name)))
        return
    instrument = raw.exposure.instrument
    identity = _identity(raw)
    if identity in stored[instrument]:
        sha256, place = stored[instrument][identity]
        if sha256 == raw.sha256:
            batch.known += 1
            recorded = batch.types[instrument].get(raw.exposure.id, "")
            if command.observation_type and recorded and recorded != command.observation_type:
                batch.retyped[instrument, raw.exposure.id] = recorded
        else:
            batch.refused.append(
                (
                    path.name,
                    f"exposure {raw.exposure.id} detector {raw.detector} is recorded with other content: {place}",
                )
            )
        return
    stored[instrument][identity] = (raw.sha256, str(path))
    batch.taken.append(raw)


def _read(path: Path, cameras: Sequence[Camera], observation_type: str) -> RawFile:
    exposure, detector = _translated(path, cameras, observation_type)
    return RawFile(
        exposure=exposure,
        detector=detector,
        path=str(path),
        size_bytes=path.stat().st_size,
        sha256=sha256_of_file(path),
    )


def _translated(path: Path, cameras: Sequence[Camera], observation_type: str) -> tuple[Exposure, int]:
    problems: list[CabstandError] = []
    for camera in cameras:
        try:
            return translate(path, camera, observation_type=observation_type or None)
        except CabstandError as problem:
            problems.append(problem)
    # With several cameras the last reason is as good as any: the file fits none of them.
    raise problems[-1]


def _check_overruled(path: Path, cameras: Sequence[Camera], observation_type: str, reason: str) -> None:
    """Refuse to call a frame whose header says bias, dark or flat something else, unless a reason is given.

    Software labels frames "Light Frame" for want of better; one that says "bias" mostly is a bias.
    """
    if not observation_type or reason:
        return
    try:
        said = _translated(path, cameras, "")[0].observation_type
    except CabstandError:
        return
    if said in ("bias", "dark", "flat") and said != observation_type:
        raise UserInputError(f"its header says {said}, not {observation_type}; to overrule it give --reason")


def _without_name(message: str, name: str) -> str:
    return message.removeprefix(name).lstrip(": ")


def _identity(raw: RawFile) -> str:
    return dataset_uuid("raw", f"{raw.exposure.instrument}/raw/all", _data_id(raw))


def _data_id(raw: RawFile) -> DataId:
    return DataId.of(instrument=raw.exposure.instrument, detector=raw.detector, exposure=raw.exposure.id)


def _bring_in(batch: _Batch, transfer: str, context: Context) -> None:
    if transfer == "direct":
        return
    for raw in batch.taken:
        source = Path(raw.path)
        place = Path("raw") / raw.exposure.instrument / str(raw.exposure.day_obs) / source.name
        target = context.absolute(str(place))
        if target.exists() and sha256_of_file(target) != raw.sha256:
            raise UserInputError(f"{target} exists with other content than {source}", hint="move it away and repeat")
        if not target.exists():
            (copy_file if transfer == "copy" else link_file)(source, target)
            batch.brought.append(target)
        batch.places[raw.path] = str(place)


def _plan(command: Ingest, context: Context, uow: "UnitOfWork", batch: _Batch) -> Plan:
    by_type = Counter(raw.exposure.observation_type for raw in batch.taken)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(by_type.items()))
    conflicts = _type_conflicts(uow, batch.taken)
    _refuse_used(uow, batch)
    summary = f"{len(batch.taken)} files recorded" + (f" ({kinds})" if kinds else "")
    summary += f", {batch.known} known already" if batch.known else ""
    summary += f", {len(batch.refused)} refused" if batch.refused else ""
    summary += f", {len(batch.retyped)} exposures now {command.observation_type}" if batch.retyped else ""
    nights = sorted({raw.exposure.day_obs for raw in batch.taken})
    lines = [f"refused {name}: {reason}" for name, reason in batch.refused[:_SHOWN_REFUSALS]]
    if len(batch.refused) > _SHOWN_REFUSALS:
        lines.append(f"... and {len(batch.refused) - _SHOWN_REFUSALS} more refused; --json lists all")
    if nights:
        lines.append(f"day_obs {nights[0]} to {nights[-1]}, {len(nights)} night{'s' if len(nights) > 1 else ''}")
    effect = Effect(
        summary=summary,
        lines=tuple(lines),
        warnings=tuple(conflicts),
        native=_native(command, context, batch),
        next=('cabstand exposures --for bias --where "..."  # what can a bias be built from?',),
        data={
            "recorded": [
                {
                    "path": raw.path,
                    "exposure": raw.exposure.id,
                    "detector": raw.detector,
                    "observation_type": raw.exposure.observation_type,
                }
                for raw in batch.taken
            ],
            "known": batch.known,
            "refused": [{"file": name, "reason": reason} for name, reason in batch.refused],
        },
        after={
            "recorded": len(batch.taken),
            "known": batch.known,
            "refused": len(batch.refused),
            "refusals": [f"{name}: {reason}" for name, reason in batch.refused[:_SHOWN_REFUSALS]],
        },
        exit_code=2 if batch.refused else 0,
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        for instrument in sorted({raw.exposure.instrument for raw in batch.taken}):
            _write(uow, instrument, batch, command, state=state, at_tai_ns=context.clock())
        for instrument, exposure in sorted(batch.retyped):
            uow.exposures.correct_type(instrument, exposure, command.observation_type)

    return Plan(effect=effect, apply=apply if batch.taken or batch.retyped else None)


def _type_conflicts(uow: "UnitOfWork", taken: Sequence[RawFile]) -> list[str]:
    found: list[str] = []
    for instrument in sorted({raw.exposure.instrument for raw in taken}):
        said = {
            raw.exposure.id: raw.exposure.observation_type for raw in taken if raw.exposure.instrument == instrument
        }
        found += [
            f"W-OBSTYPE exposure {known.id} stays {known.observation_type} as recorded before, not {said[known.id]}"
            for known in uow.exposures.by_ids(instrument, sorted(said))
            if known.observation_type != said[known.id]
        ]
    return found


def _refuse_used(uow: "UnitOfWork", batch: _Batch) -> None:
    for instrument, exposure in sorted(batch.retyped):
        users = [user for raw in uow.datasets.raws(instrument, [exposure]) for user in uow.datasets.made_from(raw.id)]
        if users:
            raise ConflictError(
                f"exposure {exposure} is recorded as {batch.retyped[instrument, exposure]} and "
                f"{users[0].dataset_type} of {users[0].run} was built from it: its type stays",
                hint="leave that file out of the list",
                code="E-USED",
            )


def _write(uow: "UnitOfWork", instrument: str, batch: _Batch, command: Ingest, *, state: int, at_tai_ns: int) -> None:
    raws = [raw for raw in batch.taken if raw.exposure.instrument == instrument]
    for name in sorted({raw.exposure.physical_filter for raw in raws}):
        uow.repository.register_filter(instrument, name, "")
    uow.exposures.insert(
        [raw.exposure for raw in raws], state=state, is_type_by_operator=bool(command.observation_type)
    )
    uow.exposures.derive_camera_events(instrument)
    run: CollectionRecord = uow.collections.get(f"{instrument}/raw/all")
    uow.datasets.insert(run, [_record(raw, batch, command, run, at_tai_ns) for raw in raws], state=state)


def _record(raw: RawFile, batch: _Batch, command: Ingest, run: CollectionRecord, at_tai_ns: int) -> DatasetRecord:
    return DatasetRecord(
        id=_identity(raw),
        dataset_type="raw",
        run=run.name,
        data_key=str(_data_id(raw)),
        instrument=raw.exposure.instrument,
        detector=raw.detector,
        exposure=raw.exposure.id,
        physical_filter=raw.exposure.physical_filter,
        unit="adu",
        origin="raw",
        content_sha256=raw.sha256,
        created_tai_ns=at_tai_ns,
        path=batch.places.get(raw.path, raw.path),
        transfer=command.transfer,
        size_bytes=raw.size_bytes,
        sha256=raw.sha256,
    )


def _native(command: Ingest, context: Context, batch: _Batch) -> tuple[str, ...]:
    if not batch.taken:
        return ()
    folders = sorted({str(Path(raw.path).parent) for raw in batch.taken})
    return tuple(native.butler("ingest-raws", context.root, "-t", command.transfer, folder) for folder in folders)


HANDLERS = {"ingest": Handler(plan=_plan, prepare=_prepare)}
