"""What a job will do, resolved and plain: stages of quanta, the names of their outputs and where those go.

A plan is stored with its job, so that a runner needs nothing else and a dead job can be resumed.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from calibstore.model.camera import Detector
from calibstore.model.codec import canonical_json, from_plain
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.engine_spec import EngineSpec
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetRecord
from calibstore.model.times import utc_text
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput

DATA_FOLDER = "data"
"""Products, inside the repository."""
_UNFIT = re.compile(r"[^A-Za-z0-9_.+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """Everything a runner needs."""

    kind: str
    """generate or verify."""
    ticket: str
    calib_type: str
    instrument: str
    run: str
    engine: EngineSpec = field(default_factory=EngineSpec)
    """Where its quanta run."""
    processes: int = 0
    """Workers asked for; 0: as many as the engine has."""
    created_tai_ns: int
    """Creation time written to headers: the same when a job is resumed."""
    stages: tuple[tuple[Quantum, ...], ...]
    """A stage begins when all quanta of the one before are done."""
    inputs: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """(dataset id, role) of what a quantum's outputs are made from, by label."""
    units: dict[str, str] = field(default_factory=dict)
    """Pixel unit by dataset type."""
    data_keys: dict[str, str] = field(default_factory=dict)
    """Data ID by dataset id, of outputs that have more dimensions than instrument and detector, or fewer."""

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


def placed(quantum: Quantum, root: Path, existing: Mapping[str, str] | None = None, *, log: str = "") -> Quantum:
    """Return a stored quantum with absolute paths.

    Parameters
    ----------
    quantum : Quantum
        Paths inside the repository are relative.
    root : Path
        The repository as it lies now.
    existing : mapping, optional
        Recorded SHA-256 by dataset type of outputs that may be kept.
    log : str
        File that takes what its worker prints.
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
        log_path=log,
    )


def output_of(
    dataset_type: str,
    run: str,
    instrument: str,
    detector: Detector | None,
    *,
    physical_filter: str = "",
    exposure: int | None = None,
    suffix: str = "",
) -> OutputFile:
    """Return the output of a dataset type: its reproducible id and its place inside the repository.

    Parameters
    ----------
    dataset_type : str
        E.g. ``biasBin8``.
    run : str
        RUN it is born in.
    instrument : str
        Instrument.
    detector : Detector or None
        None for a dataset of the whole focal plane.
    physical_filter : str
        Of types that have one.
    exposure : int, optional
        Of types that have one.
    suffix : str
        Of the file; by default png for what ends in ``Thumbnail``, else fits.
    """
    words = [dataset_type, instrument, *([detector.full_name] if detector else [])]
    words += [_UNFIT.sub("-", physical_filter)] if physical_filter else []
    words += [str(exposure)] if exposure is not None else []
    name = "_".join([*words, run.replace("/", "_").replace(".", "_")])
    ending = suffix or ("png" if dataset_type.endswith("Thumbnail") else "fits")
    data_id = data_id_of(instrument, detector, physical_filter=physical_filter, exposure=exposure)
    return OutputFile(
        dataset_type=dataset_type,
        dataset_id=dataset_uuid(dataset_type, run, data_id),
        run=run,
        path=f"{DATA_FOLDER}/{run}/{dataset_type}/{name}.{ending}",
    )


def data_id_of(
    instrument: str, detector: Detector | None, *, physical_filter: str = "", exposure: int | None = None
) -> DataId:
    """Return the data ID of a product."""
    values: dict[str, int | str] = {"instrument": instrument}
    values |= {"detector": detector.id} if detector is not None else {}
    values |= {"physical_filter": physical_filter} if physical_filter else {}
    values |= {"exposure": exposure} if exposure is not None else {}
    return DataId.of(**values)


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
        sha256=record.sha256,
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
