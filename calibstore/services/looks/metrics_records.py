"""Records of the Metrics screen: plain values, ready to print."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.model.camera import Camera
from calibstore.model.criteria import Profile, Verdict
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.services.looks.metrics_judging import ExposureRow, PlaceRow, Tally, summed
from calibstore.services.looks.metrics_plane import PlaneMap

if TYPE_CHECKING:
    from calibstore.pipelines.screen_plots import HistogramCells, SeriesCells


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One verification to choose from."""

    ticket: str
    calib_type: str
    verify_run: str
    rerun: str
    candidate_run: str
    verdicts: tuple[tuple[str, str], ...]
    """(profile, verdict), the deciding one first."""
    n_in_build: int
    n_independent: int
    made: str
    """When it was begun, TAI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierVerdict:
    """What one tier says of the verification."""

    tier: str
    profile: str
    verdict: str
    decides: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRow:
    """One acceptance test of the chosen tier."""

    __test__ = False  # no test of pytest's

    test: str
    metric: str
    unit: str
    """``e``, ``adu``, or empty for a pure number."""
    limit: str
    """In a few characters."""
    limit_text: str
    """In full, as reports say it."""
    direction: str
    is_gating: bool
    verdict: Verdict
    build: Tally | None
    """Exposures of the build; None where the test has none."""
    independent: Tally | None
    product: Tally | None
    """The calibration itself, or several exposures together."""
    counted: str
    worst: float | None
    worst_name: str
    """Detector and amplifier."""
    worst_detector: int
    worst_amplifier: str
    margin: float | None
    """Room between the worst value and its limit, as a share of the limit [1]."""
    waiver: str
    """State of waivers: empty where none is needed."""
    source: str
    why: str

    @property
    def total(self) -> Tally:
        """All kinds of evidence together."""
        return summed([one for one in (self.build, self.independent, self.product) if one is not None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A verification judged by one tier."""

    ticket: str
    calib_type: str
    instrument: str
    tag: str
    verify_run: str
    rerun: str
    candidate_run: str
    n_amplifiers: int
    n_detectors: int
    tier: TierVerdict
    tiers: tuple[TierVerdict, ...]
    profile_sha256: str
    note: str
    """What to know of the tier."""
    tests: tuple[TestRow, ...]
    """Worst first."""
    reasons: tuple[str, ...]
    """Why the verdict is what it is."""
    evidence: str
    n_in_build: int
    n_independent: int
    n_nights: int
    """Nights of independent exposures."""
    report: str
    """SHA-256 of the newest report of this verification; empty: none."""
    decision: str
    """The board's last word; empty: none."""
    native: tuple[str, ...]
    """Lines of the observatory's own tools that measure the same."""
    warnings: tuple[str, ...]
    """For example that the newest product is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Median, robust width and number of values, requirement 61."""

    median: float | None
    sigma_mad: float | None
    n: int
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestLook:
    """One test in every place."""

    __test__ = False  # no test of pytest's

    row: TestRow
    numbers: Numbers
    """Over all amplifiers and exposures measured."""
    places: tuple[PlaceRow, ...]
    maps: tuple[PlaneMap, ...]
    exposures: tuple[ExposureRow, ...]
    histogram: "HistogramCells | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the words of a place lead to."""

    verification: VerificationRecord
    camera: Camera
    record: JudgementRecord
    profile: Profile
    tiers: tuple[TierVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRow:
    """One result of one amplifier."""

    exposure: int | None
    day_obs: int
    seq_num: int
    evidence: str
    """``build``, ``indep`` or ``product``."""
    value: float | None
    limit: str
    """In full, eased where the value has a statistical error."""
    margin: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """The same test of the same amplifier in another verification."""

    ticket: str
    rerun: str
    made: str
    """When, TAI."""
    tally: Tally
    worst: float | None
    median: float | None
    margin: float | None
    is_this: bool
    is_in_use: bool
    """Its calibration is the one that applies now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierLook:
    """One test of one amplifier, result by result."""

    test: str
    unit: str
    detector: int
    amplifier: str
    name: str
    limit: str
    numbers: Numbers
    values: tuple[ValueRow, ...]
    """In time order."""
    plot: "SeriesCells | None"
    history: tuple[HistoryRow, ...]
    """Oldest first."""
    in_use: str
    """What applies now, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsLook:
    """A whole screen: the verifications to choose from, or one of them."""

    instrument: str
    choices: tuple[Choice, ...]
    board: Board | None = None
    test: TestLook | None = None
    amplifier: AmplifierLook | None = None
