"""One acceptance test of a verification, judged detector by detector: sums, amplifiers, exposures.

A verification of a large camera holds millions of numbers; only those of one test and one detector are in memory at
once, and what is kept of them is one record an amplifier.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from calibstore.model.camera import Camera, Detector
from calibstore.model.criteria import Criterion, Direction, Profile, Verdict
from calibstore.model.judging import judge_metrics
from calibstore.model.verdicts import Evidence, Expected, JudgedRow, Judgement, Measured
from calibstore.model.verification_records import VerificationRecord
from calibstore.model.waivers import Waiver

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_REACH = 4.0
"""Robust standard deviations from the median to either end of a sparkline."""
_WORST_FIRST = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.WARN, Verdict.WAIVED, Verdict.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Results of one kind of evidence."""

    n: int = 0
    n_pass: int = 0
    n_warn: int = 0
    n_fail: int = 0
    n_unknown: int = 0
    n_waived: int = 0

    @property
    def verdict(self) -> Verdict:
        """The worst there is; PASS only where everything was measured and passed."""
        counts = (self.n_fail, self.n_unknown, self.n_warn, self.n_waived)
        found = [verdict for verdict, count in zip(_WORST_FIRST, counts, strict=False) if count]
        return found[0] if found else Verdict.PASS if self.n else Verdict.UNKNOWN

    @property
    def n_against(self) -> int:
        """Failed or unknown, and not waived."""
        return self.n_fail + self.n_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """One amplifier (or detector) over all exposures of one test."""

    detector: int
    detector_name: str
    amplifier: str
    tally: Tally
    worst: float | None
    """The value a reader should see first; None where nothing was measured."""
    margin: float | None
    """Room between worst value and failing limit, as a share of the limit; negative beyond it [1]."""
    median: float | None
    trend: str
    """Sparkline of the values in the order of the exposures."""
    reason: str = ""
    """Why a result is unknown or waived."""

    @property
    def name(self) -> str:
        """Detector and amplifier."""
        return " ".join(part for part in (self.detector_name, self.amplifier) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureRow:
    """One exposure over all amplifiers of one test."""

    exposure: int
    day_obs: int
    in_build: bool
    tally: Tally
    worst: float | None
    worst_name: str
    """Amplifier of the worst value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedTest:
    """One test, judged."""

    tallies: Mapping[Evidence, Tally]
    places: tuple[PlaceRow, ...]
    """Worst first."""
    exposures: tuple[ExposureRow, ...]
    """Those with a result against them, worst first; empty for a test that is not per exposure."""
    values: tuple[float, ...] = field(repr=False)
    """Every value that was measured of the candidate."""
    typical: Criterion
    """The test with the limits that its typical error leaves it."""


def rows_of_test(
    uow: "UnitOfWork",
    verification: VerificationRecord,
    camera: Camera,
    profile: Profile,
    criterion: Criterion,
    *,
    waivers: Sequence[Waiver] = (),
    now_tai_ns: int = 0,
    detector: int | None = None,
    amplifier: str | None = None,
) -> Iterator[tuple[Detector, Judgement, tuple[Measured, ...]]]:
    """Yield one test's judgement detector by detector, with the numbers it rests on.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    verification : VerificationRecord
        What was measured.
    camera : Camera
        Its camera.
    profile : Profile
        The tests it was judged by.
    criterion : Criterion
        The one test.
    waivers : sequence of Waiver
        Accepted exceptions.
    now_tai_ns : int
        When they are looked at [TAI ns].
    detector, amplifier : int and str, optional
        Only these.
    """
    one_test = replace(profile, criteria=(criterion,))
    names = [name for name in (criterion.metric, criterion.limit_metric, criterion.error_metric) if name]
    wanted = [one for one in camera.detectors if one.id in verification.candidates and detector in (None, one.id)]
    found = uow.verifications.metrics_of(verification.id, names, detector=detector, amplifier=amplifier)
    measured = next(found, None)
    for one in sorted(wanted, key=lambda one: one.id):
        while measured is not None and measured[0] < one.id:
            measured = next(found, None)
        numbers = measured[1] if measured is not None and measured[0] == one.id else ()
        amplifiers = tuple(known.name for known in one.amplifiers if amplifier in (None, known.name))
        judgement = judge_metrics(
            numbers,
            one_test,
            {one.id: verification.candidates[one.id]},
            waivers,
            expected=Expected(amplifiers={one.id: amplifiers}, exposures=verification.exposures),
            detector_names={one.id: one.full_name},
            at_tai_ns=now_tai_ns,
        )
        yield one, judgement, numbers


def judged_test(
    uow: "UnitOfWork",
    verification: VerificationRecord,
    camera: Camera,
    profile: Profile,
    criterion: Criterion,
    *,
    waivers: Sequence[Waiver] = (),
    now_tai_ns: int = 0,
) -> JudgedTest:
    """Return one test summed up by evidence, amplifier and exposure; parameters as `rows_of_test`."""
    from calibstore.pipelines.screen_plots import sparkline, summarized

    counts: dict[Evidence, Counter[Verdict]] = {}
    per_exposure: dict[int, _ExposureSum] = {}
    places: list[tuple[PlaceRow, list[float | None]]] = []
    values: list[float] = []
    errors: list[float | None] = []
    bounds: list[float | None] = []
    for _, judgement, numbers in rows_of_test(
        uow, verification, camera, profile, criterion, waivers=waivers, now_tai_ns=now_tai_ns
    ):
        others = {(one.metric, one.amplifier, one.exposure): one.value for one in numbers}
        errors += [one.value for one in numbers if one.metric == criterion.error_metric][:1]
        bounds += [one.value for one in numbers if one.metric == criterion.limit_metric][:1]
        by_place: dict[str, list[JudgedRow]] = {}
        for row in judgement.rows:
            counts.setdefault(row.evidence, Counter())[row.verdict] += 1
            by_place.setdefault(row.amplifier, []).append(row)
            if row.exposure is not None:
                per_exposure.setdefault(row.exposure, _ExposureSum()).add(row, criterion)
        for rows in by_place.values():
            usable = [None if row.measured_verdict is Verdict.UNKNOWN else row.value for row in rows]
            places.append((place_of(rows, criterion, others), usable))
            values += [value for value in usable if value is not None]
    spread = summarized(values)
    low, high = spread.median - _REACH * spread.sigma_mad, spread.median + _REACH * spread.sigma_mad
    drawn = (replace(place, trend=sparkline(shown, low=low, high=high, width=16)) for place, shown in places)
    days = {one.id: one.day_obs for one in uow.exposures.by_ids(camera.instrument, sorted(per_exposure))}
    return JudgedTest(
        tallies={evidence: tally(count) for evidence, count in counts.items()},
        places=tuple(sorted(drawn, key=lambda place: worst_first(place.tally.verdict, place.margin))),
        exposures=tuple(
            sorted(
                (
                    one.row(exposure, days.get(exposure, 0), verification.exposures.get(exposure, False))
                    for exposure, one in per_exposure.items()
                    if one.count[Verdict.PASS] < one.count.total()
                ),
                key=lambda row: (-row.tally.n_fail, -row.tally.n_unknown, -row.tally.n_warn, row.exposure),
            )
        ),
        values=tuple(values),
        typical=eased_typically(criterion, errors=errors, limits=bounds),
    )


def eased_typically(
    criterion: Criterion, *, errors: Sequence[float | None], limits: Sequence[float | None]
) -> Criterion:
    """Return a test with limits as its median error, or the median of its limit metric, makes them: for drawing."""
    bound = _median(sorted(one for one in limits if one is not None))
    if criterion.limit_metric:
        return replace(criterion, fail=() if bound is None else (bound,))
    return criterion.eased(_median(sorted(one for one in errors if one is not None)))


def limit_lines(criterion: Criterion) -> tuple[tuple[float, str], ...]:
    """Return the values at which lines are drawn, each with its word."""
    lines = []
    for word, limits in (("fail", criterion.fail), ("warn", criterion.warn)):
        both = criterion.direction is Direction.TWO_SIDED
        lines += [(limit, word) for limit in ({-limits[0], limits[0]} if both and limits else limits)]
    return tuple(sorted(lines))


def tally(count: Mapping[Verdict, int]) -> Tally:
    """Return counted verdicts as a record."""
    return Tally(
        n=sum(count.values()),
        n_pass=count.get(Verdict.PASS, 0),
        n_warn=count.get(Verdict.WARN, 0),
        n_fail=count.get(Verdict.FAIL, 0),
        n_unknown=count.get(Verdict.UNKNOWN, 0),
        n_waived=count.get(Verdict.WAIVED, 0),
    )


def summed(tallies: Sequence[Tally]) -> Tally:
    """Return several kinds of evidence as one."""
    return Tally(
        n=sum(one.n for one in tallies),
        n_pass=sum(one.n_pass for one in tallies),
        n_warn=sum(one.n_warn for one in tallies),
        n_fail=sum(one.n_fail for one in tallies),
        n_unknown=sum(one.n_unknown for one in tallies),
        n_waived=sum(one.n_waived for one in tallies),
    )


def worst_first(verdict: Verdict, margin: float | None) -> tuple[int, float]:
    """Return a sorting key: failed before unknown before warned, then the least room first."""
    return _WORST_FIRST.index(verdict), math.inf if margin is None else margin


def margin_of(criterion: Criterion, value: float | None, *, limit: float | None = None) -> float | None:
    """Return the room between a value and its failing limit, as a share of the limit.

    Parameters
    ----------
    criterion : Criterion
        The test, eased where the value has a statistical error.
    value : float or None
        The value, in the unit of the test.
    limit : float, optional
        Value of the test's `limit_metric`.

    Returns
    -------
    float or None
        1 at zero, 0 at the limit, negative beyond [1]; None where there is no number or no limit. A test that only
        warns is taken by its warning limit.
    """
    if value is None or not math.isfinite(value) or criterion.direction is Direction.IS_TRUE:
        return None
    limits = criterion.fail or criterion.warn
    if criterion.limit_metric:
        limits = () if limit is None else (limit,)
    if not limits:
        return None
    bound = limits[-1] if criterion.direction is not Direction.RANGE or value >= 0 else limits[0]
    if not bound:
        return None
    if criterion.direction is Direction.LOW:
        return value / bound - 1
    return 1 - (abs(value) / abs(bound) if criterion.direction is not Direction.HIGH else value / bound)


class _ExposureSum:
    """What one exposure's results come to, row by row."""

    __slots__ = ("badness", "count", "worst", "worst_name")

    def __init__(self) -> None:
        self.count: Counter[Verdict] = Counter()
        self.badness = -math.inf
        self.worst: float | None = None
        self.worst_name = ""

    def add(self, row: JudgedRow, criterion: Criterion) -> None:
        self.count[row.verdict] += 1
        badness = criterion.badness(row.value)
        if badness > self.badness or not self.worst_name:
            self.badness, self.worst = badness, row.value
            self.worst_name = " ".join(part for part in (row.detector_name, row.amplifier) if part)

    def row(self, exposure: int, day_obs: int, in_build: bool) -> ExposureRow:
        return ExposureRow(
            exposure=exposure,
            day_obs=day_obs,
            in_build=in_build,
            tally=tally(self.count),
            worst=self.worst,
            worst_name=self.worst_name,
        )


def place_of(
    rows: Sequence[JudgedRow], criterion: Criterion, others: Mapping[tuple[str, str, int | None], float | None]
) -> PlaceRow:
    """Return one amplifier's results summed up.

    Parameters
    ----------
    rows : sequence of JudgedRow
        At least one, all of one test and amplifier.
    criterion : Criterion
        The test.
    others : mapping
        Numbers by metric, amplifier and exposure: the errors and limits among them.
    """
    usable = [row for row in rows if row.value is not None and row.measured_verdict is not Verdict.UNKNOWN]
    worst = max(usable, key=lambda row: criterion.badness(row.value), default=None)
    margin = None
    if worst is not None:
        key = (worst.amplifier, worst.exposure)
        eased = criterion.eased(others.get((criterion.error_metric, *key)))
        margin = margin_of(eased, worst.value, limit=others.get((criterion.limit_metric, *key)))
    ordered = sorted(row.value for row in usable if row.value is not None)
    first = rows[0]
    return PlaceRow(
        detector=first.detector,
        detector_name=first.detector_name,
        amplifier=first.amplifier,
        tally=tally(Counter(row.verdict for row in rows)),
        worst=None if worst is None else worst.value,
        margin=margin,
        median=_median(ordered),
        trend="",
        reason=next((row.reason for row in rows if row.reason), ""),
    )


def _median(ordered: Sequence[float]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
