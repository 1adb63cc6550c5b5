"""The plan of a job from its recipe: stages of quanta by detector, pairs, exposure or instrument, outputs named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.calib_recipes import Granularity, Setting, Step
from calibstore.model.calib_types import CalibType, DatasetType
from calibstore.model.camera import Camera, Detector
from calibstore.model.codec import to_plain
from calibstore.model.engine_spec import EngineSpec
from calibstore.model.exposure import Exposure
from calibstore.model.lamps import LAMP_PAIRS
from calibstore.model.pairing import Pairing, pair_exposures
from calibstore.model.records import DatasetRecord
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum
from calibstore.services.job_plans import (
    JobPlan,
    calib_input,
    created_text,
    creation_parameters,
    data_id_of,
    output_of,
    raw_inputs,
)
from calibstore.services.prerequisites import Prerequisites

PAIRS_A_QUANTUM: Final = 10
"""A killed worker loses the work on these at most."""
_PAIR_MODE: Final = "pair_mode"
_PAIR_TOLERANCE: Final = "pair_tolerance_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is built from what."""

    made: CalibType
    ticket: str
    run: str
    camera: Camera
    detectors: Sequence[Detector]
    raws: Mapping[int, Sequence[DatasetRecord]] = field(default_factory=dict)
    exposures: Mapping[int, Exposure] = field(default_factory=dict)
    prerequisites: Prerequisites
    settings: Mapping[str, Setting]
    physical_filter: str = ""
    band: str = ""
    created_tai_ns: int
    processes: int = 0
    engine: EngineSpec = field(default_factory=EngineSpec)

    @property
    def has_pairs(self) -> bool:
        """Whether flats are paired."""
        return any(step.per is Granularity.PAIRS for step in self.made.steps) or _PAIR_MODE in self.settings

    def pairing(self) -> Pairing:
        """Return the pairs among the exposures."""
        return pair_exposures(
            self.exposures.values(),
            mode=str(self.settings.get(_PAIR_MODE, "TIME")),
            tolerance_s=float(self.settings.get(_PAIR_TOLERANCE, 5e-3)),
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """One unit of work of a step."""

    label: str
    detector: Detector | None
    raws: tuple[DatasetRecord, ...]
    exposure: int | None = None
    parameters: tuple[tuple[str, object], ...] = ()


@dataclass(slots=True)
class _Stock:
    """What steps make: for which detector, and the file; what a step makes only later steps read."""

    kinds: Mapping[str, DatasetType]
    made: dict[str, list[tuple[int | None, OutputFile]]] = field(default_factory=dict)
    fresh: dict[str, list[tuple[int | None, OutputFile]]] = field(default_factory=dict)
    data_keys: dict[str, str] = field(default_factory=dict)

    def end_step(self) -> None:
        """Let later steps read what this one makes."""
        for name, outputs in self.fresh.items():
            self.made.setdefault(name, []).extend(outputs)
        self.fresh = {}

    def of(self, dataset_type: str, detector: Detector | None) -> list[OutputFile]:
        """Return the files a quantum of a detector reads; without one all, in the order made."""
        return [
            output
            for owner, output in self.made.get(dataset_type, ())
            if detector is None or owner is None or owner == detector.id
        ]


def recipe_plan(build: Build) -> JobPlan:
    """Return the plan of a job.

    Parameters
    ----------
    build : Build
        What is built from what.

    Raises
    ------
    UserInputError
        E-PAIRS: flats are needed in pairs and there is none. E-EMPTY: a step finds no exposure of its kind.
    """
    stock, stages = _Stock({one.name: one for one in build.made.all_dataset_types}), []
    inputs: dict[str, tuple[tuple[str, str], ...]] = {}
    for step in build.made.steps:
        stage = []
        for piece in _pieces(build, step):
            quantum = _quantum(build, step, piece, stock)
            stage.append(quantum)
            inputs[quantum.label] = (
                *((raw.id, "raw") for raw in piece.raws),
                *((calib.dataset_id, calib.dataset_type) for calib in quantum.calibs),
            )
        stock.end_step()
        stages.append(tuple(stage))
    return JobPlan(
        kind="generate",
        ticket=build.ticket,
        calib_type=build.made.name,
        instrument=build.camera.instrument,
        run=build.run,
        processes=build.processes,
        engine=build.engine,
        created_tai_ns=build.created_tai_ns,
        stages=tuple(stages),
        inputs=inputs,
        units={one.name: one.unit for one in build.made.all_dataset_types},
        data_keys=stock.data_keys,
    )


def _pieces(build: Build, step: Step) -> Iterator[_Piece]:
    name = build.made.name
    # The product's own step is labelled by the type alone; others by their name too.
    own = name if build.made.dataset_type.name in step.outputs else f"{name}.{step.name}"
    if step.per is Granularity.INSTRUMENT:
        every = tuple(raw for one in build.detectors for raw in _raws(build, step, one))
        yield _Piece(label=f"{name}:{step.name}", detector=None, raws=every)
        return
    for detector in build.detectors:
        raws = _raws(build, step, detector)
        if step.per is Granularity.DETECTOR:
            pairs = (
                (("pairs", [list(pair) for pair in build.pairing().pairs]),) if step.raws and build.has_pairs else ()
            )
            yield _Piece(label=f"{own}:{detector.id}", detector=detector, raws=raws, parameters=pairs)
        elif step.per is Granularity.EXPOSURE:
            for raw in raws:
                yield _Piece(
                    label=f"{own}:{detector.id}:{raw.exposure}", detector=detector, raws=(raw,), exposure=raw.exposure
                )
        else:
            yield from _pair_pieces(build, own, detector, raws)


def _pair_pieces(build: Build, own: str, detector: Detector, raws: tuple[DatasetRecord, ...]) -> Iterator[_Piece]:
    there = {raw.exposure: raw for raw in raws}
    pairs = [pair for pair in build.pairing().pairs if pair[0] in there and pair[1] in there]
    if not pairs:
        raise UserInputError(
            f"{build.made.name} is made of pairs of flats; none of the {len(there)} exposures of detector "
            f"{detector.id} are a pair",
            hint=f"select flats taken two and two, or pair them otherwise: --set {_PAIR_MODE}=EXPID",
            code="E-PAIRS",
        )
    for number, start in enumerate(range(0, len(pairs), PAIRS_A_QUANTUM), start=1):
        chunk = pairs[start : start + PAIRS_A_QUANTUM]
        yield _Piece(
            label=f"{own}:{detector.id}:{number}",
            detector=detector,
            raws=tuple(there[one] for pair in chunk for one in pair),
            exposure=chunk[0][0],
            parameters=(("pairs", [list(pair) for pair in chunk]),),
        )


def _raws(build: Build, step: Step, detector: Detector) -> tuple[DatasetRecord, ...]:
    if not step.raws:
        return ()
    wanted = step.reason.format(**{**_lamps(build.band), **build.settings})
    found = tuple(
        raw
        for raw in build.raws.get(detector.id, ())
        if raw.exposure is not None
        and (not wanted or build.exposures[raw.exposure].observation_reason == wanted.lower())
    )
    if not found:
        reasons = ", ".join(sorted({one.observation_reason or "none" for one in build.exposures.values()}))
        raise UserInputError(
            f"{build.made.name}: step {step.name} is of exposures of the reason {wanted!r}; there are {reasons}",
            hint="select exposures of both lamps, or name the lamps: --set led_blue=... --set led_red=...",
            code="E-EMPTY",
        )
    return found


def _lamps(band: str) -> dict[str, str]:
    """Return the lamps of a band, as the reasons of their flats name them."""
    pair = LAMP_PAIRS.get(band)
    return {"led_blue": pair.blue, "led_red": pair.red} if pair else {"led_blue": "BLUE", "led_red": "RED"}


def _quantum(build: Build, step: Step, piece: _Piece, stock: _Stock) -> Quantum:
    outputs = []
    for name in step.outputs:
        kind = stock.kinds[name]
        own = [piece.detector] if piece.detector is not None or "detector" not in kind.dimensions else build.detectors
        for detector in own if "detector" in kind.dimensions else [None]:
            output, key = _output(build, kind, detector, piece.exposure)
            stock.data_keys[output.dataset_id] = key
            stock.fresh.setdefault(name, []).append((detector.id if detector is not None else None, output))
            outputs.append(output)
    return Quantum(
        label=piece.label,
        task=step.task,
        instrument=build.camera.instrument,
        detector=piece.detector,
        raws=raw_inputs(piece.raws, build.exposures),
        calibs=_calibs(build, step, piece, stock),
        outputs=tuple(outputs),
        parameters=_parameters(build, step, piece),
    )


def _output(build: Build, kind: DatasetType, detector: Detector | None, exposure: int | None) -> tuple[OutputFile, str]:
    physical_filter = build.physical_filter if "physical_filter" in kind.dimensions else ""
    exposure = exposure if "exposure" in kind.dimensions else None
    instrument = build.camera.instrument
    output = output_of(
        kind.name,
        build.run,
        instrument,
        detector,
        physical_filter=physical_filter,
        exposure=exposure,
        suffix=kind.suffix,
    )
    return output, str(data_id_of(instrument, detector, physical_filter=physical_filter, exposure=exposure))


def _calibs(build: Build, step: Step, piece: _Piece, stock: _Stock) -> tuple[CalibInput, ...]:
    found: dict[str, CalibInput] = {}
    if step.calibs:
        given = build.prerequisites
        rows = given.by_detector.get(piece.detector.id, ()) if piece.detector is not None else given.all
        readings = [row for raw in piece.raws for row in given.by_exposure.get(raw.exposure or 0, ())]
        found |= {row.id: calib_input(row) for row in (*rows, *readings)}
    created = created_text(build.created_tai_ns)
    for name in step.inputs:
        for output in stock.of(name, piece.detector):
            found[output.dataset_id] = CalibInput(
                dataset_type=name, dataset_id=output.dataset_id, run=build.run, path=output.path, created=created
            )
    return tuple(found.values())


def _is_of_detectors(build: Build, step: Step) -> bool:
    kinds = {one.name: one for one in build.made.all_dataset_types}
    return any("detector" in kinds[name].dimensions for name in step.outputs)


def _parameters(build: Build, step: Step, piece: _Piece) -> dict[str, object]:
    renamed = dict(step.renamed)
    found: dict[str, object] = {
        renamed.get(name, name): build.settings[name] for name in step.parameters if name in build.settings
    }
    found |= dict(step.fixed) | dict(piece.parameters)
    if step.raws:
        # A raw recorded in place may have been changed since: what is built must be of what was ingested.
        found["verify_checksums"] = True
    if build.physical_filter:
        found |= {"physical_filter": build.physical_filter, "band": build.band}
    if step.geometry:
        found["detectors"] = [to_plain(detector) for detector in build.detectors]
    elif step.per is Granularity.INSTRUMENT and _is_of_detectors(build, step):
        # Which detector each output is of, in their order.
        found["detectors"] = [detector.id for detector in build.detectors]
        found["vendors"] = {str(detector.id): detector.kind for detector in build.detectors if detector.kind}
    if step.per is Granularity.INSTRUMENT or build.made.dataset_type.storage_class == "ExposureF":
        found["pixel_size_mm"] = build.camera.pixel_size_mm
    return found | creation_parameters(build.created_tai_ns)
