"""Rows about other places: destinations, what was deployed there, and proofs that it is used."""

from dataclasses import dataclass, field
from enum import StrEnum


class DeployStep(StrEnum):
    """What was done at a destination."""

    EXPORTED = "exported"
    """A bundle for it was written."""
    IMPORTED = "imported"
    """Its repository holds the datasets and ranges; not live."""
    LIVE = "live"
    """Its top chain begins with, or holds, the ticket chain."""
    REMOVED = "removed"
    """The ticket chain was taken out of its top chain."""


class SiteState(StrEnum):
    """How far a ticket is at a destination."""

    NOT_APPLICABLE = "not applicable"
    """The destination holds no data of the instrument."""
    PENDING = "pending"
    """Nothing was done there yet."""
    EXPORTED = "exported"
    """A bundle exists."""
    IMPORTED = "imported"
    """Imported, not live."""
    LIVE = "live"
    """Chained, use not proved."""
    PROVED = "proved"
    """A file of the site's own ISR shows its use."""
    REMOVED = "removed"
    """Was live, is so no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRecord:
    """One repository to which calibrations go."""

    name: str
    site: str
    repository: str
    """Its name at the site, such as ``/repo/main``."""
    location: str = ""
    """Folder of its Cabstand repository, when there is one."""
    instruments: tuple[str, ...]
    method: str
    """chain (here), copy (export and import) or rucio."""
    is_home: bool = False
    is_observing: bool = False
    """Whether observing goes on there; a change warns."""
    has_cleaning: bool = False
    """Whether files that no TAGGED collection holds are cleaned away there."""
    priority: int = 50
    """Smaller is served first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRecord:
    """One step done at a destination."""

    id: int = 0
    ticket: str
    destination: str
    step: DeployStep
    details: dict[str, object] = field(default_factory=dict)
    opened_state: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRow:
    """One calibration type of a processed file, compared with the look-up."""

    calib_type: str
    verdict: str
    """same, differs, header silent, or nothing valid here."""
    used_uuid: str = ""
    """As the header says."""
    expected_uuid: str = ""
    """As the look-up says."""
    used_run: str = ""
    expected_run: str = ""
    used_date: str = ""
    is_of_ticket: bool = False
    """Whether the look-up's winner stands in the ticket chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRecord:
    """One file held against the look-up of a destination."""

    id: int = 0
    ticket: str
    destination: str
    source: str
    """The file."""
    source_sha256: str
    exposure: int
    detector: int
    is_same: bool
    """Whether every type compared equal and the ticket's own calibrations were among them."""
    is_self_check: bool
    """Whether the file is of Cabstand's own ISR."""
    rows: tuple[ProofRow, ...]
    opened_state: int = 0
