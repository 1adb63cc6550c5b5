"""Rows of the store as the rest of the house sees them."""

from dataclasses import dataclass, field

from calibstore.model.collections import CollectionType
from calibstore.model.timespan import Timespan


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRecord:
    """What a repository is."""

    id: str
    name: str
    kind: str
    """main, user, test or rehearsal."""
    authority: str
    """cabstand or butler."""
    site: str
    created_tai_ns: int

    @property
    def is_strict(self) -> bool:
        """Whether rules refuse instead of warn."""
        return self.kind in ("main", "rehearsal")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One numbered state of the repository: who did what, when, why, and what changed."""

    state: int = 0
    at_tai_ns: int
    user: str
    host: str
    verb: str
    line: str
    """The exact `cabstand ...` line."""
    command: dict[str, object] = field(default_factory=dict)
    reason: str = ""
    ticket: str = ""
    summary: str = ""
    before: dict[str, object] = field(default_factory=dict)
    after: dict[str, object] = field(default_factory=dict)
    native: tuple[str, ...] = ()
    """Lines of the observatory's own tools that do the same."""
    previous_hash: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRecord:
    """One collection."""

    id: int
    name: str
    type: CollectionType
    doc: str = ""
    origin: str = "combined"
    opened_state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTypeRecord:
    """One dataset type."""

    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    is_calibration: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """One dataset and its file."""

    id: str
    dataset_type: str
    run: str
    data_key: str
    """Text form of the data ID."""
    instrument: str
    detector: int | None = None
    exposure: int | None = None
    physical_filter: str | None = None
    unit: str = ""
    origin: str = "combined"
    content_sha256: str = ""
    provenance: dict[str, object] = field(default_factory=dict)
    job_id: str = ""
    created_tai_ns: int = 0
    path: str = ""
    """As stored: relative to the repository, or absolute for files recorded in place."""
    transfer: str = "written"
    size_bytes: int = 0
    sha256: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    """(dataset id, role) of what it was made from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationRecord:
    """One certified data ID."""

    id: int = 0
    collection: str
    dataset_type: str
    data_key: str
    dataset_id: str
    timespan: Timespan
    batch: int = 0
    opened_state: int = 0
    closed_state: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRecord:
    """One dataset of a TAGGED collection."""

    id: int = 0
    collection: str
    dataset_type: str
    data_key: str
    dataset_id: str
    run: str
    opened_state: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEvent:
    """A change of a camera-state keyword between two exposures."""

    instrument: str
    at_tai_ns: int
    keyword: str
    old_value: str
    new_value: str
    exposure_before: int
    exposure_after: int
