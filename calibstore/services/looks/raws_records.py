"""What is asked and told about a selection of raw exposures."""

from dataclasses import dataclass

from calibstore.model.selection_rules import Finding, Proposal
from calibstore.model.where_quick import QuickFields
from calibstore.services.looks.raws_rows import ExposureRow, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class RawsQuestion:
    """What the screen asks for."""

    instrument: str
    """Empty: the only one, or that of the ticket."""
    ticket: str = ""
    """Empty: the newest campaign of the instrument."""
    calib_type: str = ""
    """Empty: the first type of the ticket that has no such selection yet."""
    purpose: str = "build"
    where: str | None = None
    """None: the stored selection, or a proposed one."""
    exclude: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLook:
    """One of the two sets of a ticket."""

    purpose: str
    n_exposures: int
    n_excluded: int
    days: tuple[int, ...]
    """Observing days, in order."""
    is_edited: bool
    """Whether it is the selection under work; else it is as stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLook:
    """The camera changed."""

    at: str
    """In all time scales."""
    changes: tuple[str, ...]
    exposure_before: int
    exposure_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStatistics:
    """What the newest verification measured in an exposure: the median over its amplifiers."""

    mean_e: float
    """Mean of what the calibration leaves [electron]."""
    noise_excess: float
    """Noise beyond what is expected, relative to it [1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawsLook:
    """A selection and everything known about it."""

    instrument: str
    ticket: str
    """Empty when there is no campaign."""
    tickets: tuple[str, ...]
    """Campaigns of the instrument."""
    calib_type: str
    calib_types: tuple[str, ...]
    purpose: str
    where: str
    source: str
    """stored, proposed, everything, or typed."""
    is_as_stored: bool
    """Whether the selection and its exclusions are exactly what is stored."""
    quick: QuickFields | None
    """None when the selection has a fault."""
    n_all: int
    """Exposures of the instrument."""
    n_matched: int
    fault: Fault | None
    excluded: tuple[tuple[int, str], ...]
    """Exclusions that fall into the selection."""
    excluded_elsewhere: tuple[tuple[int, str], ...]
    """Exclusions that the selection does not find; kept, without effect."""
    findings: tuple[Finding, ...]
    proposals: tuple[Proposal, ...]
    kinds: tuple[tuple[str, int], ...]
    """Observation types of what is kept, with counts."""
    sets: tuple[SetLook, ...]
    """Build and verify, as far as there are such."""
    n_shared: int | None
    """Exposures in both sets; None while there is one set only."""
    events: tuple[EventLook, ...]
    """Changes of the camera within the selection."""
    statistics: dict[int, FrameStatistics]
    """By exposure, as far as it was verified."""
    statistics_of: str
    """The verification they come from."""
    first_rows: tuple[ExposureRow, ...]
    last_rows: tuple[ExposureRow, ...]
    exports: tuple[str, ...]
    """Shell lines for the observatory's templates."""
    native: tuple[str, ...]
    """The line that lists the exposures with the Butler."""

    @property
    def n_kept(self) -> int:
        """Exposures without the excluded ones."""
        return self.n_matched - len(self.excluded)

    @property
    def is_usable(self) -> bool:
        """Whether the rules let it be stored."""
        return self.fault is None and self.n_kept > 0 and all(one.severity != "refuse" for one in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChoices:
    """What occurs in a field of the instrument's exposures."""

    field: str
    """Of `QuickFields`."""
    values: tuple[str, ...]
