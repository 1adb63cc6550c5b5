"""Rows of a campaign: its tickets, selections, spot checks, reports, hailings and decisions."""

from dataclasses import dataclass, field

from calibstore.model.hailing import HailingState
from calibstore.model.names import Names
from calibstore.model.waivers import Waiver

HERE = "here"
"""Origin of a decision recorded in this repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """One construction ticket and what is made under it."""

    ticket: str
    instrument: str
    tag: str
    title: str = ""
    why: str = "routine"
    """routine, camera_change or historical."""
    calib_types: tuple[str, ...] = ("bias",)
    user_prefix: str = ""
    opened_state: int = 0

    @property
    def names(self) -> Names:
        """Builder of the campaign's collection names."""
        return Names(self.instrument, self.ticket, self.tag, self.user_prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRecord:
    """Another ticket of a campaign."""

    role: str
    """hailing or deployment."""
    key: str
    opened_state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRecord:
    """The exposures chosen for a calibration, and everything left out with its reason."""

    ticket: str
    calib_type: str
    purpose: str
    """build or verify."""
    where: str
    exposures: tuple[int, ...]
    """Kept, in time order."""
    exclusions: tuple[tuple[int, str], ...] = ()
    """(exposure id, reason)."""
    findings: tuple[tuple[str, str, str], ...] = ()
    """(rule, severity, text) when it was stored."""
    opened_state: int = 0
    closed_state: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheckRecord:
    """What somebody saw in a product's mosaic."""

    ticket: str
    run: str
    dataset_type: str
    detectors: tuple[int, ...]
    """Detectors looked at."""
    is_ok: bool
    comment: str = ""
    redo_without: tuple[int, ...] = ()
    """Exposures to leave out next time."""
    opened_state: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """One verification report."""

    id: int = 0
    ticket: str
    verification_ids: tuple[int, ...]
    path: str
    """Folder; relative to the repository, or absolute when written elsewhere."""
    sha256: str
    """Over the data of all its types; the digest the tickets quote."""
    verdicts: dict[str, str] = field(default_factory=dict)
    """Verdict by ``<type>/<tier>``."""
    opened_state: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HailingRecord:
    """A campaign put before the board."""

    id: int = 0
    ticket: str
    key: str
    report_id: int
    text: str
    slot_tai_ns: int
    """Begin of the meeting [TAI ns]."""
    opened_state: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """What the board decided, and of what content."""

    id: int = 0
    ticket: str
    outcome: str
    """A `DecisionOutcome`."""
    status: str
    """The `HailingState` it led to."""
    people: tuple[str, ...]
    """As typed."""
    objections: str = ""
    report_sha256: str = ""
    reason: str = ""
    subject: dict[str, object] = field(default_factory=dict)
    """What was decided on: ``ticket_chain``, ``effective``, ``certified``, ``dataset_ids``, ``runs``."""
    origin: str = HERE
    """``here``, or ``imported from <repository>``."""
    decided_tai_ns: int = 0
    waivers: tuple[Waiver, ...] = ()
    opened_state: int = 0

    @property
    def is_adopted(self) -> bool:
        """Whether it allows the content to be put live."""
        return self.status == HailingState.ADOPTED

    @property
    def is_rejected(self) -> bool:
        """Whether it forbids the content."""
        return self.status == HailingState.REJECTED
