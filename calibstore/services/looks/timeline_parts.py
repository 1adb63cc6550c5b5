"""What a timeline is made of: rows, stretches and WINS lines."""

from dataclasses import dataclass, field

from calibstore.services.segments import Segments


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time and the number of the row that wins in it; 0: nothing is valid."""

    begin_tai_ns: int
    end_tai_ns: int
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """One certification, at its place in the search order."""

    number: int
    """From 1 on; the smaller wins."""
    collection: str
    label: str
    """Ticket and tag, or the end of the name."""
    ticket: str
    run: str
    begin_tai_ns: int
    end_tai_ns: int
    is_always: bool = False
    """In a RUN or TAGGED collection: valid at any time."""
    wins: tuple[tuple[int, int], ...] = ()
    """Stretches in which it wins for the detector shown [TAI ns]."""
    detectors: frozenset[int] = frozenset()
    """Detectors it exists for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One WINS line."""

    label: str
    stretches: tuple[Stretch, ...]
    dataset_type: str = ""
    detectors: tuple[int, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLook:
    """A timeline, ready to be drawn at any zoom."""

    dataset_type: str
    """Empty: one WINS line per dataset type."""
    instrument: str
    top: str
    """Where the search begins."""
    detector: int
    physical_filter: str
    types: tuple[str, ...]
    """Every dataset type there is a timeline of."""
    filters: tuple[str, ...]
    detectors: tuple[int, ...]
    """Of the camera, guiders left out."""
    rows: tuple[TimelineRow, ...]
    """Of the detector shown; numbers are those of all detectors together."""
    wins: Track
    """Of the detector shown."""
    groups: tuple[Track, ...]
    """One line per group of detectors with equal answers, the largest first."""
    tracks: tuple[Track, ...] = ()
    """Without a dataset type: one line per type; rows are numbers in `legend`."""
    legend: tuple[str, ...] = ()
    """Tickets, in the order of their numbers."""
    pending: tuple[str, ...] = ()
    """Ticket chains that the top chain does not list."""
    compared: str = ""
    """The one of them that `then` is with."""
    then: Track | None = None
    """WINS line if the pending chain were put first; rows above the present ones count from the end."""
    at_tai_ns: int = 0
    """Where the cursor stands first."""
    until_tai_ns: int = 0
    """End of the exposure asked for; else one nanosecond after `at_tai_ns`."""
    exposure: int = 0
    exposure_text: str = ""
    begin_tai_ns: int | None = None
    """Asked-for begin of the view."""
    end_tai_ns: int | None = None
    now_tai_ns: int = 0
    at_state: int | None = None
    """State shown, where it is not the last one."""
    last_state: int = 0
    data_key: str = ""
    time_zone: str = "UTC"
    day_obs_offset_h: float = 12.0
    segments: Segments = field(repr=False, compare=False)
    """What `explain_at` asks; painters leave it alone."""

    @property
    def n_agreeing(self) -> int:
        """Detectors with the same answers as the one shown."""
        return next((len(one.detectors) for one in self.groups if self.detector in one.detectors), 0)
