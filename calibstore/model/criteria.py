"""Acceptance tests as data: what is measured, its limits, and the one way a number becomes a verdict.

A number that is missing or not finite is UNKNOWN, never PASS.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    """What one test says."""

    PASS = "PASS"
    """Measured and inside the limits."""
    WARN = "WARN"
    """Beyond the warning limit."""
    FAIL = "FAIL"
    """Beyond the failing limit."""
    UNKNOWN = "UNKNOWN"
    """Not measured, or not of the candidate."""
    WAIVED = "WAIVED"
    """Beyond a limit or unknown, and accepted by people with a reason."""


class Scope(StrEnum):
    """What one value of a metric belongs to."""

    AMP = "amp"
    """One amplifier (or detector) in one exposure."""
    RUN = "run"
    """One amplifier (or detector) over the exposures verified."""
    CALIB = "calib"
    """The calibration itself."""


class Direction(StrEnum):
    """On which side of its limits a number is bad."""

    HIGH = "high"
    """Above."""
    LOW = "low"
    """Below."""
    TWO_SIDED = "two_sided"
    """Farther from zero."""
    RANGE = "range"
    """Outside a range."""
    IS_TRUE = "is_true"
    """Zero."""


class Needs(StrEnum):
    """The cameras a test makes sense for."""

    ANY = "any"
    """Every camera."""
    OVERSCAN = "overscan"
    """Those with a serial overscan."""
    NO_OVERSCAN = "no_overscan"
    """Those without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One acceptance test."""

    test: str
    """Id shown and waived by."""
    metric: str
    """Id of the number judged."""
    calib_type: str = "bias"
    scope: Scope
    per: str = "amp"
    """``amp`` or ``detector``."""
    unit: str
    direction: Direction
    warn: tuple[float, ...] = ()
    """Warning limit: one number, two for a range, empty for none."""
    fail: tuple[float, ...] = ()
    """Failing limit, likewise."""
    limit_metric: str = ""
    """The failing limit is this metric of the same amplifier and exposure."""
    error_metric: str = ""
    """The statistical error of the value; the limits are never tighter than `warn_errors` and `fail_errors` of it."""
    warn_errors: float = 4.0
    fail_errors: float = 6.0
    """Three errors would warn of one good value in 400 by chance."""
    limit_counts: bool = True
    """Whether a value equal to the limit still passes."""
    gating: bool = True
    """Whether it decides the overall verdict."""
    needs: Needs = Needs.ANY
    max_fail_frac_amps: float = 0.0
    """Share of amplifiers that may fail before the test fails as a whole (review instead) [1]."""
    max_fail_frac_exposures: float = 0.0
    """Share of exposures that may have failures, likewise [1]."""
    source: str
    why: str
    """One plain sentence: what the test catches."""

    def judge(self, value: float | None, *, limit: float | None = None) -> Verdict:
        """Return what the test says of a value.

        Parameters
        ----------
        value : float or None
            The number measured, in `unit`; None or not finite: not measured.
        limit : float, optional
            Value of `limit_metric`, where the test has one.

        Returns
        -------
        Verdict
            PASS, WARN, FAIL or UNKNOWN.
        """
        if value is None or not math.isfinite(value):
            return Verdict.UNKNOWN
        if self.direction is Direction.IS_TRUE:
            return Verdict.PASS if value else Verdict.FAIL
        fail = self.fail
        if self.limit_metric:
            if limit is None or not math.isfinite(limit):
                return Verdict.UNKNOWN
            fail = (limit,)
        if fail and self._is_beyond(value, fail):
            return Verdict.FAIL
        if self.warn and self._is_beyond(value, self.warn):
            return Verdict.WARN
        return Verdict.PASS

    def eased(self, error: float | None) -> "Criterion":
        """Return the test with limits no tighter than the noise of the value itself.

        Parameters
        ----------
        error : float or None
            Value of `error_metric`; without a finite one the limits stay as they are.
        """
        if not self.error_metric or error is None or not math.isfinite(error):
            return self
        warn = tuple(_ease(limit, self.warn_errors * error) for limit in self.warn)
        fail = tuple(_ease(limit, self.fail_errors * error) for limit in self.fail)
        return replace(self, warn=warn, fail=fail, error_metric="")

    def badness(self, value: float | None) -> float:
        """Return a number that grows the worse a value is; only for ranking values of this test."""
        if value is None or not math.isfinite(value):
            return -math.inf
        match self.direction:
            case Direction.HIGH:
                return value
            case Direction.LOW | Direction.IS_TRUE:
                return -value
            case Direction.TWO_SIDED:
                return abs(value)
            case Direction.RANGE:
                return self._range_badness(value)

    def limit_text(self) -> str:
        """Return the limits in a few characters, e.g. ``|x| <= 0.5 (warn 0.1) electron``."""
        if self.direction is Direction.IS_TRUE:
            return "is true"
        comparison = "<=" if self.limit_counts else "<"
        if self.limit_metric:
            name = "|x|" if self.direction is Direction.TWO_SIDED else "x"
            return f"{name} {comparison} {self.limit_metric} {self._unit_text()}".rstrip()
        if not self.fail and not self.warn:
            return "none"
        text = self._bound_text(self.fail or self.warn)
        if self.fail and self.warn:
            text += f" (warn {_numbers(self.warn)})"
        elif self.warn:
            text += " (warn only)"
        text = f"{text} {self._unit_text()}".rstrip()
        if self.error_metric:
            text += f", or {self.fail_errors:g} ({self.warn_errors:g}) errors if more"
        return text

    def _is_beyond(self, value: float, limits: tuple[float, ...]) -> bool:
        match self.direction:
            case Direction.HIGH:
                excess = value - limits[0]
            case Direction.LOW:
                excess = limits[0] - value
            case Direction.TWO_SIDED:
                excess = abs(value) - limits[0]
            case _:
                excess = max(limits[0] - value, value - limits[1])
        return excess > 0.0 if self.limit_counts else excess >= 0.0

    def _range_badness(self, value: float) -> float:
        low, high = self.fail or self.warn or (-1.0, 1.0)
        bound = high if value >= 0.0 else low
        return abs(value / bound) if bound else abs(value)

    def _bound_text(self, limits: tuple[float, ...]) -> str:
        equal = "=" if self.limit_counts else ""
        match self.direction:
            case Direction.HIGH:
                return f"x <{equal} {limits[0]:g}"
            case Direction.LOW:
                return f"x >{equal} {limits[0]:g}"
            case Direction.TWO_SIDED:
                return f"|x| <{equal} {limits[0]:g}"
            case _:
                return f"{limits[0]:g} <{equal} x <{equal} {limits[1]:g}"

    def _unit_text(self) -> str:
        return "" if self.unit == "1" else self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The acceptance tests of one tier for one camera and calibration type."""

    id: str
    """``peer``, ``strict``, the name a camera file gives, or ``strict+<instrument>`` where it gives limits only."""
    tier: str
    sha256: str
    """Over all tests and limits: an old verdict can be made again."""
    calib_type: str
    criteria: tuple[Criterion, ...]
    note: str = ""
    """What to know of the tier."""

    def criterion(self, test: str) -> Criterion | None:
        """Return the test of that id, or None."""
        return next((found for found in self.criteria if found.test == test), None)


def _ease(limit: float, least: float) -> float:
    return math.copysign(max(abs(limit), least), limit)


def _numbers(limits: tuple[float, ...]) -> str:
    return f"{limits[0]:g}" if len(limits) == 1 else "[" + ", ".join(f"{limit:g}" for limit in limits) + "]"
