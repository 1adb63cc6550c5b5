"""What a judgement holds: judged rows, the scoreboard, and the overall verdict with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from calibstore.model.criteria import Verdict


class Overall(StrEnum):
    """The verdict on a calibration by one profile."""

    PASS = "PASS"
    """Every gating test was measured and passed."""
    PASS_WITH_WAIVERS = "PASS_WITH_WAIVERS"
    """What did not pass was waived."""
    REVIEW = "REVIEW"
    """Warnings, or failures within the share the tests allow: people must look."""
    FAIL = "FAIL"
    """A gating test failed."""
    UNKNOWN = "UNKNOWN"
    """A gating test could not be judged, or nothing was measured."""


class Evidence(StrEnum):
    """What kind of exposure a value comes from."""

    IN_BUILD = "in_build"
    """An exposure the calibration was made of."""
    INDEPENDENT = "independent"
    """Another exposure."""
    PRODUCT = "product"
    """The calibration itself, or several exposures together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measured number, not yet judged."""

    metric: str
    """Metric id, e.g. ``noise_ratio``."""
    value: float | None
    """None: not measured."""
    unit: str
    detector: int
    amplifier: str = ""
    """Empty for a detector-wide value."""
    exposure: int | None = None
    """None for a value of the product itself or of several exposures."""
    in_build: bool | None = None
    """True: exposure used in the build; False: independent; None: not per exposure."""
    applied_id: str = ""
    """UUID of the calibration really applied (read back from the file used)."""
    note: str = ""
    """Reason of a missing value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must have been measured: every combination that is missing becomes UNKNOWN."""

    amplifiers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Amplifiers by detector."""
    exposures: Mapping[int, bool] = field(default_factory=dict)
    """Exposures verified; true: used in the build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRow:
    """One value and what a test says of it."""

    test: str
    metric: str
    detector: int
    detector_name: str
    amplifier: str
    exposure: int | None
    evidence: Evidence
    value: float | None
    unit: str
    limit: str
    measured_verdict: Verdict
    """Before waivers."""
    verdict: Verdict
    is_gating: bool
    reason: str = ""
    """Why it is unknown, or why and by whom it is waived."""

    @property
    def where(self) -> str:
        """Detector, amplifier and exposure in words."""
        parts = [self.detector_name, self.amplifier, "" if self.exposure is None else f"exposure {self.exposure}"]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """One test over one kind of evidence."""

    test: str
    tier: str
    unit: str
    evidence: Evidence
    is_gating: bool
    n: int
    n_pass: int
    n_warn: int
    n_fail: int
    n_unknown: int
    n_waived: int
    worst: float | None
    worst_where: str
    limit: str
    counted: str
    """What was counted, e.g. ``16 amplifiers x 5 exposures``."""
    source: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A calibration judged by one profile."""

    calib_type: str
    profile_id: str
    profile_sha256: str
    tier: str
    verdict: Overall
    reasons: tuple[str, ...]
    """Why the verdict is what it is, one line a test."""
    rows: tuple[JudgedRow, ...]
    scoreboard: tuple[ScoreLine, ...]
    failures: Mapping[str, tuple[str, ...]]
    """Peers' strings ``<detector> <amplifier> <TEST>`` by exposure (``product`` for the calibration itself)."""
    notes: tuple[str, ...]
    n_in_build: int
    """Build exposures with a usable value."""
    n_independent: int
    """Other exposures with a usable value."""
    supports_validity: bool
    """Whether independent exposures were judged and none of them failed."""
    evidence: str
    """One sentence on what a validity range can rest on."""

    @property
    def exceptions(self) -> tuple[JudgedRow, ...]:
        """Rows that did not pass."""
        return tuple(row for row in self.rows if row.verdict is not Verdict.PASS)
