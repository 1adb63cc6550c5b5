"""Processing one exposure with the calibrations in use: a self-check that the look-up gives what people expect."""

import shlex
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.generation import Process
from calibstore.errors import NotFoundError
from calibstore.model.calib_types import POST_ISR_IMAGE
from calibstore.model.camera import Detector
from calibstore.model.names import raw_of, top_chain_of
from calibstore.model.times import describe
from calibstore.pipelines.process_exposure import process_exposure
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Processed:
    quantum: Quantum
    collection: str
    when: str
    outcome: Outcome | None
    """None on a dry run."""
    is_new: bool

    @property
    def bias(self) -> CalibInput:
        """The bias that applies."""
        return self.quantum.calibs[0]

    @property
    def path(self) -> Path:
        """Where the corrected image is."""
        return Path(self.quantum.outputs[0].path)

    def discard(self) -> None:
        """Remove the image: nothing tells of it."""
        if self.outcome is not None and self.is_new:
            self.path.unlink(missing_ok=True)


def _prepare(command: Process, context: Context, dry_run: bool) -> _Processed:
    with context.unit_of_work() as uow:
        instrument = one_instrument(uow, command.instrument)
        collection = command.collection or top_chain_of(instrument)
        quantum, when = _quantum(command, context, uow, instrument, collection)
    is_new = not Path(quantum.outputs[0].path).exists()
    outcome = None if dry_run else process_exposure(quantum)
    return _Processed(quantum=quantum, collection=collection, when=when, outcome=outcome, is_new=is_new)


def _quantum(
    command: Process, context: Context, uow: "UnitOfWork", instrument: str, collection: str
) -> tuple[Quantum, str]:
    camera = uow.repository.camera(instrument)
    detector = _detector(command, camera.detectors)
    found = uow.exposures.by_ids(instrument, [command.exposure])
    if not found:
        raise NotFoundError(
            f"no exposure {command.exposure} of {instrument}", hint="cabstand exposures lists them", code="E-EXPOSURE"
        )
    exposure = found[0]
    raws = [raw for raw in uow.datasets.raws(instrument, [exposure.id]) if raw.detector == detector.id]
    if not raws:
        raise NotFoundError(
            f"no raw frame of exposure {exposure.id} detector {detector.id}",
            hint="cabstand ingest PATH...",
            code="E-NORAW",
        )
    winner = find_first(
        uow,
        dataset_type="bias",
        instrument=instrument,
        detector=detector.id,
        timespan=exposure.timespan,
        collections=[collection],
    )
    when = describe(exposure.timespan.begin_tai_ns, camera.time_zone, camera.day_obs_offset_h)
    if winner is None:
        raise NotFoundError(
            f"no bias in {collection} applies to exposure {exposure.id} detector {detector.id} ({when}); "
            "nothing was processed",
            hint=f"cabstand explain bias {detector.id} {exposure.id} --collection {collection}",
            code="E-NOBIAS",
        )
    folder = Path(command.out).expanduser().absolute() if command.out else context.root / PROCESSED_FOLDER
    name = f"{POST_ISR_IMAGE.name}_{instrument}_{exposure.id}_{detector.full_name}.fits"
    quantum = Quantum(
        label=f"process:{exposure.id}:{detector.id}",
        task="process",
        instrument=instrument,
        detector=detector,
        raws=raw_inputs(raws[:1], {exposure.id: exposure}),
        calibs=(calib_input(uow.datasets.get(winner.dataset_id)),),
        outputs=(OutputFile(dataset_type=POST_ISR_IMAGE.name, dataset_id="", run="", path=str(folder / name)),),
        parameters={"software": software()},
    )
    return placed(quantum, context.root), when


def software() -> str:
    """Return name and version of this software, as files it makes say."""
    try:
        return f"Cabstand {version('cabstand')}"
    except PackageNotFoundError:
        return "Cabstand"


def _detector(command: Process, detectors: tuple[Detector, ...]) -> Detector:
    for detector in detectors:
        if detector.id == command.detector:
            return detector
    raise NotFoundError(
        f"no detector {command.detector}",
        hint=f"detectors: {', '.join(str(one.id) for one in detectors[:12])}{' ...' if len(detectors) > 12 else ''}",
        code="E-DETECTOR",
    )


def _plan(command: Process, context: Context, _uow: "UnitOfWork", done: _Processed) -> Plan:
    bias, outcome = done.bias, done.outcome
    facts: dict[str, object] = {
        "exposure": command.exposure,
        "detector": command.detector,
        "collection": done.collection,
        "bias": bias.dataset_id,
        "bias_run": bias.run,
        "path": str(done.path),
        "is_self_check": True,
    }
    lines = [
        f"exposure    {command.exposure}, {done.when}",
        f"bias        {bias.dataset_id}",
        f"of          {bias.run}",
        f"found in    {done.collection}",
        f"image       {done.path}",
    ]
    warnings = ["W-SELFCHECK made by Cabstand's own signature removal: it checks the look-up, it proves no site's use"]
    if outcome is not None:
        facts |= {"applied_id": outcome.details["applied_id"], "sha256": outcome.files[0].sha256}
        lines.append(f"median      {outcome.details['median']:.3f} electron")
        if outcome.details["applied_id"] != bias.dataset_id:
            warnings.append(f"W-UUID the file of the bias says it is {outcome.details['applied_id']}")
    effect = Effect(
        summary=f"process exposure {command.exposure} detector {command.detector}: overscan, gain, bias",
        lines=tuple(lines),
        warnings=tuple(warnings),
        native=(_native(done, context, command),),
        data=facts,
        after=facts,
    )
    return Plan(effect=effect, apply=lambda _writing, _state: None)


def _native(done: _Processed, context: Context, command: Process) -> str:
    instrument = done.quantum.instrument
    query = f"instrument='{instrument}' and exposure={command.exposure} and detector={command.detector}"
    inputs = f"{done.collection},{raw_of(instrument)}"
    words = ["pipetask", "run", "-b", str(context.root), "-p", "isr.yaml", "-i", inputs, "-d", query]
    return shlex.join(words)


HANDLERS = {"process": Handler(plan=_plan, prepare=_prepare)}
