"""Processing one exposure with the calibrations in use: a self-check that the look-up gives what people expect."""

import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstore.commands.fields import to_line
from calibstore.commands.generation import Process
from calibstore.commands.store import Explain
from calibstore.errors import NotFoundError
from calibstore.model.calib_types import POST_ISR_IMAGE
from calibstore.model.camera import Camera, Detector
from calibstore.model.exposure import Exposure
from calibstore.model.names import raw_of, top_chain_of
from calibstore.model.records import DatasetRecord
from calibstore.model.times import describe
from calibstore.pipelines.process_exposure import applied_types, process_exposure
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.job_plans import calib_input, placed, raw_inputs
from calibstore.services.lookup import find_first

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

PROCESSED_FOLDER = "processed"
"""Corrected images, inside the repository, unless the user says where."""

_SWITCHES = {
    "ptc": "doApplyGains",
    "gain_correction": "doCorrectGains",
    "crosstalk": "doCrosstalk",
    "linearizer": "doLinearize",
    "cti": "doDeferredCharge",
    "bias": "doBias",
    "dark": "doDark",
    "defects": "doDefect",
    "bfk": "doBrighterFatter",
    "flat": "doFlat",
}
"""Switch of the observatory's own task for each type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One detector of the exposure."""

    quantum: Quantum
    is_new: bool
    outcome: Outcome | None = None
    """None on a dry run."""

    @property
    def detector(self) -> Detector:
        """Whose image it is."""
        assert self.quantum.detector is not None
        return self.quantum.detector

    @property
    def path(self) -> Path:
        """Where the corrected image is."""
        return Path(self.quantum.outputs[0].path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Processed:
    instrument: str
    collection: str
    when: str
    types: tuple[str, ...]
    """Looked up, in the order of their steps."""
    pieces: tuple[_Piece, ...]

    def discard(self) -> None:
        """Remove the images: nothing tells of them."""
        for piece in self.pieces:
            if piece.outcome is not None and piece.is_new:
                piece.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is processed, as the store knows it."""

    camera: Camera
    exposure: Exposure
    collection: str
    when: str
    types: tuple[str, ...]


def _prepare(command: Process, context: Context, dry_run: bool) -> _Processed:
    with context.unit_of_work() as uow:
        subject = _subject(command, uow)
        quanta = [
            placed(_quantum(command, context, uow, subject, raw), context.root) for raw in _raws(command, uow, subject)
        ]
    done = _Processed(
        instrument=subject.camera.instrument,
        collection=subject.collection,
        when=subject.when,
        types=subject.types,
        pieces=tuple(_Piece(quantum=one, is_new=not Path(one.outputs[0].path).exists()) for one in quanta),
    )
    if dry_run:
        return done
    pieces: list[_Piece] = []
    try:
        for piece in done.pieces:
            outcome = process_exposure(piece.quantum)
            pieces.append(_Piece(quantum=piece.quantum, is_new=piece.is_new, outcome=outcome))
    except BaseException:
        _with_pieces(done, pieces).discard()
        raise
    return _with_pieces(done, pieces)


def _with_pieces(done: _Processed, pieces: list[_Piece]) -> _Processed:
    return _Processed(
        instrument=done.instrument, collection=done.collection, when=done.when, types=done.types, pieces=tuple(pieces)
    )


def _subject(command: Process, uow: "UnitOfWork") -> _Subject:
    instrument = one_instrument(uow, command.instrument)
    camera = uow.repository.camera(instrument)
    found = uow.exposures.by_ids(instrument, [command.exposure])
    if not found:
        raise NotFoundError(
            f"no exposure {command.exposure} of {instrument}", hint="cabstand exposures lists them", code="E-EXPOSURE"
        )
    return _Subject(
        camera=camera,
        exposure=found[0],
        collection=command.collection or top_chain_of(instrument),
        when=describe(found[0].timespan.begin_tai_ns, camera.time_zone, camera.day_obs_offset_h),
        types=applied_types(instrument, command.without),
    )


def _raws(command: Process, uow: "UnitOfWork", subject: _Subject) -> list[DatasetRecord]:
    """Return one raw frame for each detector that is processed."""
    wanted = None if command.detector is None else _detector(command.detector, subject.camera.detectors).id
    by_detector: dict[int, DatasetRecord] = {}
    for raw in uow.datasets.raws(subject.camera.instrument, [subject.exposure.id]):
        if raw.detector is not None and (wanted is None or raw.detector == wanted):
            by_detector.setdefault(raw.detector, raw)
    if not by_detector:
        of = "" if wanted is None else f" detector {wanted}"
        raise NotFoundError(
            f"no raw frame of exposure {subject.exposure.id}{of}", hint="cabstand ingest PATH...", code="E-NORAW"
        )
    return [by_detector[detector] for detector in sorted(by_detector)]


def _quantum(command: Process, context: Context, uow: "UnitOfWork", subject: _Subject, raw: DatasetRecord) -> Quantum:
    exposure, camera = subject.exposure, subject.camera
    detector = _detector(raw.detector if raw.detector is not None else -1, camera.detectors)
    calibs = _calibs(uow, subject, detector)
    if "bias" in subject.types and not any(calib.dataset_type == "bias" for calib in calibs):
        raise NotFoundError(
            f"no bias in {subject.collection} applies to exposure {exposure.id} detector {detector.id} "
            f"({subject.when}); nothing was processed",
            hint=to_line(
                Explain(
                    exposure=str(exposure.id), detector=detector.id, dataset_type="bias", collection=subject.collection
                )
            ),
            code="E-NOBIAS",
        )
    folder = Path(command.out).expanduser().absolute() if command.out else context.root / PROCESSED_FOLDER
    name = f"{POST_ISR_IMAGE.name}_{camera.instrument}_{exposure.id}_{detector.full_name}.fits"
    return Quantum(
        label=f"process:{exposure.id}:{detector.id}",
        task="process",
        instrument=camera.instrument,
        detector=detector,
        raws=raw_inputs([raw], {exposure.id: exposure}),
        calibs=calibs,
        outputs=(OutputFile(dataset_type=POST_ISR_IMAGE.name, dataset_id="", run="", path=str(folder / name)),),
        parameters={
            "software": software(),
            "without": list(command.without),
            "compared_keywords": list(camera.compared_keywords),
        },
    )


def _calibs(uow: "UnitOfWork", subject: _Subject, detector: Detector) -> tuple[CalibInput, ...]:
    """Return every calibration that applies, of the types that processing takes."""
    registered = uow.repository.dataset_types()
    found = []
    for dataset_type in subject.types:
        if dataset_type not in registered:
            continue
        winner = find_first(
            uow,
            dataset_type=dataset_type,
            instrument=subject.camera.instrument,
            detector=detector.id,
            timespan=subject.exposure.timespan,
            collections=[subject.collection],
            physical_filter=subject.exposure.physical_filter or "none",
        )
        if winner is not None:
            found.append(calib_input(uow.datasets.get(winner.dataset_id)))
    return tuple(found)


def software() -> str:
    """Return name and version of this software, as files it makes say."""
    try:
        return f"Cabstand {version('cabstand')}"
    except PackageNotFoundError:
        return "Cabstand"


def _detector(number: int, detectors: tuple[Detector, ...]) -> Detector:
    for detector in detectors:
        if detector.id == number:
            return detector
    raise NotFoundError(
        f"no detector {number}",
        hint=f"detectors: {', '.join(str(one.id) for one in detectors[:12])}{' ...' if len(detectors) > 12 else ''}",
        code="E-DETECTOR",
    )


def _plan(command: Process, context: Context, _uow: "UnitOfWork", done: _Processed) -> Plan:
    first = done.pieces[0]
    facts: dict[str, object] = {
        "exposure": command.exposure,
        "detector": command.detector,
        "collection": done.collection,
        "is_self_check": True,
        "products": [_facts(piece, done) for piece in done.pieces],
    }
    facts |= {key: value for key, value in _facts(first, done).items() if key in _OF_THE_FIRST}
    lines = [f"exposure    {command.exposure}, {done.when}"]
    for piece in done.pieces:
        lines += _lines(piece, done)
    applied = [one for one in done.types if any(calib.dataset_type == one for calib in first.quantum.calibs)]
    which = f"detector {first.detector.id}" if len(done.pieces) == 1 else f"{len(done.pieces)} detectors"
    effect = Effect(
        summary=f"process exposure {command.exposure} {which}: {', '.join(['overscan', 'gain', *applied])}",
        lines=tuple(lines),
        warnings=tuple(_warnings(command, done)),
        native=(_native(done, context, command),),
        data=facts,
        after=facts,
    )
    return Plan(effect=effect, apply=lambda _writing, _state: None)


_OF_THE_FIRST = frozenset({"path", "bias", "bias_run", "applied_id", "sha256"})
"""Facts of the first detector that stand beside those of all."""


def _facts(piece: _Piece, done: _Processed) -> dict[str, object]:
    calibs = {calib.dataset_type: calib for calib in piece.quantum.calibs}
    facts: dict[str, object] = {
        "detector": piece.detector.id,
        "path": str(piece.path),
        "calibs": [{"type": one.dataset_type, "id": one.dataset_id, "run": one.run} for one in piece.quantum.calibs],
        "not_applied": _absent(piece, done),
    }
    if "bias" in calibs:
        facts |= {"bias": calibs["bias"].dataset_id, "bias_run": calibs["bias"].run}
    if piece.outcome is not None:
        details = piece.outcome.details
        facts |= {key: details[key] for key in ("applied", "applied_id", "gain_source", "bad_amplifiers")}
        facts["sha256"] = piece.outcome.files[0].sha256
    return facts


def _lines(piece: _Piece, done: _Processed) -> list[str]:
    lines = [f"detector    {piece.detector.id} ({piece.detector.full_name})"] if len(done.pieces) > 1 else []
    for calib in piece.quantum.calibs:
        lines += [f"{calib.dataset_type:<11} {calib.dataset_id}", f"of          {calib.run}"]
    lines += [f"found in    {done.collection}", f"image       {piece.path}"]
    if piece.outcome is not None:
        lines.append(f"median      {piece.outcome.details['median']:.3f} electron")
        bad: Any = piece.outcome.details["bad_amplifiers"]
        lines += [f"bad         {name}: {reason}" for name, reason in sorted(bad.items())]
    return lines


def _absent(piece: _Piece, done: _Processed) -> list[str]:
    there = {calib.dataset_type for calib in piece.quantum.calibs}
    return [one for one in done.types if one not in there]


def _warnings(command: Process, done: _Processed) -> list[str]:
    """Return what people must know: what it proves not, what was not applied, and what does not fit together."""
    told = ["W-SELFCHECK made by Cabstand's own signature removal: it checks the look-up, it proves no site's use"]
    if command.without:
        told.append(f"W-NOTAPPLIED left out as asked: {', '.join(command.without)}")
    lacking: dict[tuple[str, ...], list[int]] = {}
    for piece in done.pieces:
        lacking.setdefault(tuple(_absent(piece, done)), []).append(piece.detector.id)
    for types, detectors in lacking.items():
        if types:
            of = f"detector {', '.join(str(one) for one in detectors[:10])}{' ...' if len(detectors) > 10 else ''}"
            told.append(f"W-NOTAPPLIED none in {done.collection} applies to {of}: {', '.join(types)}")
    seen: dict[str, None] = {}
    for piece in done.pieces:
        if piece.outcome is not None:
            seen |= dict.fromkeys(_doubts(piece, piece.outcome))
    return [*told, *seen]


def _doubts(piece: _Piece, outcome: Outcome) -> list[str]:
    details: Any = outcome.details
    looked_up = {calib.dataset_type: calib.dataset_id for calib in piece.quantum.calibs}
    told = [
        f"W-UUID the file of the {one['type']} says it is {one['id']}"
        for one in details["applied"]
        if looked_up.get(one["type"]) != one["id"]
    ]
    told += [f"W-NOTAPPLIED alike: the {text}" for text in details["mismatches"]]
    told += [f"W-STATE {key} was taken in another state of the camera" for key in details["state_mismatches"]]
    return told


def _native(done: _Processed, context: Context, command: Process) -> str:
    query = f"instrument='{done.instrument}' and exposure={command.exposure}"
    query += f" and detector={command.detector}" if command.detector is not None else ""
    inputs = f"{done.collection},{raw_of(done.instrument)}"
    words = ["pipetask", "run", "-b", str(context.root), "-p", "isr.yaml", "-i", inputs, "-d", query]
    for one in command.without:
        words += ["-c", f"isr:{_SWITCHES[one]}=False"]
    return shlex.join(words)


HANDLERS = {"process": Handler(plan=_plan, prepare=_prepare)}
