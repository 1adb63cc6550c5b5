"""What goes to a worker and what comes back: plain, resolved, without a database.

A quantum is idempotent: `run_quantum` keeps an output that exists with the recorded checksum.
"""

from dataclasses import dataclass, field

from calibstore.datastore.checksums import Checksums
from calibstore.model.camera import Detector
from calibstore.model.verdicts import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class RawInput:
    """One raw file a quantum reads."""

    exposure: int
    path: str
    """Absolute path."""
    sha256: str = ""
    size_bytes: int = 0
    begin_tai_ns: int
    end_tai_ns: int
    exposure_time_s: float = 0.0
    dark_time_s: float = 0.0
    header_state: dict[str, str] = field(default_factory=dict)
    """Camera-state keywords of this exposure."""
    in_build: bool = True
    """Verification only: whether this exposure was used to build the candidate."""

    @property
    def dark_seconds(self) -> float:
        """Time in which dark current gathered: the exposure time where a record gives no dark time [s]."""
        return self.dark_time_s if self.dark_time_s > 0 else self.exposure_time_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibInput:
    """One calibration a quantum applies."""

    dataset_type: str
    dataset_id: str
    """UUID."""
    run: str
    path: str
    created: str = "Unknown Unknown"
    """`date time` written to ``LSST CALIB DATE <TYPE>``."""
    n_inputs: int = 0
    """Number of frames combined in it."""
    sha256: str = ""
    """Recorded, of the file; empty where nothing is recorded yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One file a quantum must write."""

    dataset_type: str
    dataset_id: str
    run: str
    path: str
    """Absolute final path; written under a temporary name, synced and renamed."""

    def written(self, sums: Checksums) -> "WrittenFile":
        """Return the record of the finished file."""
        return WrittenFile(
            dataset_type=self.dataset_type,
            dataset_id=self.dataset_id,
            run=self.run,
            path=self.path,
            size_bytes=sums.size_bytes,
            sha256=sums.sha256,
            content_sha256=sums.content_sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantum:
    """One unit of work: a detector of a step, or a whole-focal-plane mosaic."""

    label: str
    """Unique inside its job, e.g. ``bias:0``."""
    task: str
    """Key of the pipeline function: combine, mosaic, verify_bias, process, ..."""
    instrument: str
    detector: Detector | None = None
    raws: tuple[RawInput, ...] = ()
    calibs: tuple[CalibInput, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    parameters: dict[str, object] = field(default_factory=dict)
    """Plain JSON values, each documented by the task."""
    log_path: str = ""
    """Absolute path of the file that takes what a worker prints meanwhile; empty: the worker's own output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """One file a quantum wrote."""

    dataset_type: str
    dataset_id: str
    run: str
    path: str
    size_bytes: int
    sha256: str
    """Of the file."""
    content_sha256: str
    """Of the pixel data only: equal for two builds of the same inputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one quantum did."""

    label: str
    is_done: bool
    files: tuple[WrittenFile, ...] = ()
    metrics: tuple[Measured, ...] = ()
    details: dict[str, object] = field(default_factory=dict)
    """Plain JSON values for people: medians, warnings, steps applied."""
    error: str = ""
    """One line; empty when done."""
    wall_s: float = 0.0
    peak_rss_bytes: int = 0
