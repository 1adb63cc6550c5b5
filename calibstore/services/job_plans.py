"""What a job will do, resolved and plain: stages of quanta, the names of their outputs and where those go.

A plan is stored with its job, so that a runner needs nothing else and a dead job can be resumed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.model.calib_types import find_calib_type
from calibstore.model.camera import Camera, Detector
from calibstore.model.codec import canonical_json, from_plain, to_plain
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetRecord
from calibstore.model.times import utc_text
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput

if TYPE_CHECKING:
    pass

DATA_FOLDER = "data"
"""Products, inside the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """Everything a runner needs."""

    kind: str
    """generate or verify."""
    ticket: str
    calib_type: str
    instrument: str
    run: str
    processes: int = 0
    created_tai_ns: int
    """Creation time written to headers: the same when a job is resumed."""
    stages: tuple[tuple[Quantum, ...], ...]
    """A stage begins when all quanta of the one before are done."""
    inputs: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """(dataset id, role) of what a quantum's outputs are made from, by label."""
    units: dict[str, str] = field(default_factory=dict)
    """Pixel unit by dataset type."""

    @property
    def quanta(self) -> tuple[Quantum, ...]:
        """All quanta, stage by stage."""
        return tuple(quantum for stage in self.stages for quantum in stage)


def plan_text(plan: JobPlan) -> str:
    """Return a plan as stored."""
    return canonical_json(plan)


def read_plan(text: str) -> JobPlan:
    """Return a stored plan."""
    return from_plain(JobPlan, json.loads(text))


def placed(quantum: Quantum, root: Path, existing: Mapping[str, str] | None = None) -> Quantum:
    """Return a stored quantum with absolute paths.

    Parameters
    ----------
    quantum : Quantum
        Paths inside the repository are relative.
    root : Path
        The repository as it lies now.
    existing : mapping, optional
        Recorded SHA-256 by dataset type of outputs that may be kept.
    """
    parameters = dict(quantum.parameters)
    if existing:
        parameters["existing"] = dict(existing)
    return replace(
        quantum,
        raws=tuple(replace(raw, path=str(root / raw.path)) for raw in quantum.raws),
        calibs=tuple(replace(calib, path=str(root / calib.path)) for calib in quantum.calibs),
        outputs=tuple(replace(output, path=str(root / output.path)) for output in quantum.outputs),
        parameters=parameters,
    )


def output_of(dataset_type: str, run: str, instrument: str, detector: Detector | None) -> OutputFile:
    """Return the output of a dataset type: its reproducible id and its place inside the repository.

    Parameters
    ----------
    dataset_type : str
        E.g. ``biasBin8``; one that ends in ``Thumbnail`` is a PNG, all others are FITS.
    run : str
        RUN it is born in.
    instrument : str
        Instrument.
    detector : Detector or None
        None for a dataset of the whole focal plane.
    """
    words = [dataset_type, instrument, *([detector.full_name] if detector else [])]
    name = "_".join([*words, run.replace("/", "_").replace(".", "_")])
    suffix = "png" if dataset_type.endswith("Thumbnail") else "fits"
    return OutputFile(
        dataset_type=dataset_type,
        dataset_id=dataset_uuid(dataset_type, run, data_id_of(instrument, detector)),
        run=run,
        path=f"{DATA_FOLDER}/{run}/{dataset_type}/{name}.{suffix}",
    )


def data_id_of(instrument: str, detector: Detector | None) -> DataId:
    """Return the data ID of a product."""
    return (
        DataId.of(instrument=instrument) if detector is None else DataId.of(instrument=instrument, detector=detector.id)
    )


def raw_inputs(
    raws: Iterable[DatasetRecord], exposures: Mapping[int, Exposure], *, build: frozenset[int] | None = None
) -> tuple[RawInput, ...]:
    """Return the raw files of one detector as a quantum reads them.

    Parameters
    ----------
    raws : iterable of DatasetRecord
        Raw datasets of the detector.
    exposures : mapping of int to Exposure
        Exposures by id.
    build : frozenset of int, optional
        Exposures the candidate was built from (verification); None marks all.
    """
    found = []
    for raw in raws:
        assert raw.exposure is not None
        exposure = exposures[raw.exposure]
        found.append(
            RawInput(
                exposure=exposure.id,
                path=raw.path,
                sha256=raw.sha256,
                size_bytes=raw.size_bytes,
                begin_tai_ns=exposure.timespan.begin_tai_ns,
                end_tai_ns=exposure.timespan.end_tai_ns,
                exposure_time_s=exposure.exposure_time_s,
                dark_time_s=exposure.dark_time_s,
                header_state=exposure.camera_state,
                in_build=build is None or exposure.id in build,
            )
        )
    return tuple(sorted(found, key=lambda raw: (raw.begin_tai_ns, raw.exposure)))


def calib_input(record: DatasetRecord) -> CalibInput:
    """Return a product of the store as a quantum applies it."""
    exposures = record.provenance.get("exposures")
    return CalibInput(
        dataset_type=record.dataset_type,
        dataset_id=record.id,
        run=record.run,
        path=record.path,
        created=str(record.provenance.get("created") or "Unknown Unknown"),
        n_inputs=len(exposures) if isinstance(exposures, list) else 0,
    )


def creation_parameters(created_tai_ns: int) -> dict[str, object]:
    """Return the CALIB_CREATION_* parameters of a product (UTC)."""
    utc = utc_text(created_tai_ns, 0)
    return {
        "calib_creation_datetime": utc,
        "calib_creation_date": utc[:10],
        "calib_creation_time": utc[11:19],
    }


def created_text(created_tai_ns: int) -> str:
    """Return ``date time`` as ``LSST CALIB DATE`` writes it (UTC)."""
    return utc_text(created_tai_ns, 0).replace("T", " ")


def bias_plan(
    *,
    calib_type: str,
    ticket: str,
    run: str,
    camera: Camera,
    detectors: Sequence[Detector],
    raws: Mapping[int, Sequence[DatasetRecord]],
    exposures: Mapping[int, Exposure],
    n_sigma: float,
    max_iter: int,
    processes: int,
    created_tai_ns: int,
) -> JobPlan:
    """Return the plan of a combined bias: one quantum a detector, then the mosaics.

    Parameters
    ----------
    calib_type : str
        biasBootstrap or bias.
    ticket, run : str
        Where it belongs.
    camera : Camera
        The camera.
    detectors : sequence of Detector
        Those that are built.
    raws : mapping of int to sequence of DatasetRecord
        Raw datasets by detector.
    exposures : mapping of int to Exposure
        Exposures by id.
    n_sigma : float
        Clip [sigma].
    max_iter, processes : int
        Clips; worker processes.
    created_tai_ns : int
        Creation time.
    """
    made = find_calib_type(calib_type)
    per_detector = [calib_type, *(one.name for one in made.companions if "detector" in one.dimensions)]
    whole = [one.name for one in made.companions if "detector" not in one.dimensions]
    creation = creation_parameters(created_tai_ns)
    build = [
        Quantum(
            label=f"{calib_type}:{detector.id}",
            task="combine_bias",
            instrument=camera.instrument,
            detector=detector,
            raws=raw_inputs(raws[detector.id], exposures),
            outputs=tuple(output_of(name, run, camera.instrument, detector) for name in per_detector),
            # A raw recorded in place may have been changed since: what is built must be of what was ingested.
            parameters={
                "product": calib_type,
                "n_sigma": n_sigma,
                "max_iter": max_iter,
                "verify_checksums": True,
                **creation,
            },
        )
        for detector in detectors
    ]
    binned = [output for quantum in build for output in quantum.outputs if output.dataset_type != calib_type]
    mosaic = Quantum(
        label=f"{calib_type}:mosaic",
        task="mosaic",
        instrument=camera.instrument,
        calibs=tuple(
            CalibInput(dataset_type=one.dataset_type, dataset_id=one.dataset_id, run=run, path=one.path)
            for one in sorted(binned, key=lambda output: output.dataset_type)
        ),
        outputs=tuple(output_of(name, run, camera.instrument, None) for name in whole),
        parameters={
            "detectors": [to_plain(detector) for detector in detectors],
            "pixel_size_mm": camera.pixel_size_mm,
            **creation,
        },
    )
    inputs = {f"{calib_type}:{d.id}": tuple((raw.id, "raw") for raw in raws[d.id]) for d in detectors}
    inputs[mosaic.label] = tuple((calib.dataset_id, calib.dataset_type) for calib in mosaic.calibs)
    return JobPlan(
        kind="generate",
        ticket=ticket,
        calib_type=calib_type,
        instrument=camera.instrument,
        run=run,
        processes=processes,
        created_tai_ns=created_tai_ns,
        stages=(tuple(build), (mosaic,)),
        inputs=inputs,
        units={one.name: one.unit for one in (made.dataset_type, *made.companions)},
    )
