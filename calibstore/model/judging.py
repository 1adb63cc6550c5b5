"""Judges measured numbers by a profile: rows, scoreboard and the overall verdict.

The laws: a number of another calibration, in another unit, missing or not finite is UNKNOWN; nothing expected is
dropped; exposures of the build and independent ones are counted apart.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from calibstore.model.criteria import Criterion, Profile, Scope, Verdict
from calibstore.model.scoring import evidence_sentence, failure_strings, overall_verdict, scoreboard
from calibstore.model.verdicts import Evidence, Expected, JudgedRow, Judgement, Measured
from calibstore.model.waivers import Waiver
from calibstore.model.waiving import find_waiver

Key = tuple[int, str, int | None]
"""Detector, amplifier, exposure."""


def judge_metrics(
    metrics: Sequence[Measured],
    profile: Profile,
    candidate_ids: Mapping[int, str],
    waivers: Sequence[Waiver] = (),
    *,
    expected: Expected | None = None,
    detector_names: Mapping[int, str] | None = None,
    at_tai_ns: int | None = None,
) -> Judgement:
    """Judge what was measured of a calibration.

    Parameters
    ----------
    metrics : sequence of Measured
        All numbers of one verification.
    profile : Profile
        The tests.
    candidate_ids : mapping of int to str
        UUID of the candidate by detector; a number taken with another one applied is UNKNOWN.
    waivers : sequence of Waiver
        Accepted exceptions.
    expected : Expected, optional
        Amplifiers and exposures that must be there; without it, those seen anywhere in `metrics`.
    detector_names : mapping of int to str, optional
        Names for people; the number serves otherwise.
    at_tai_ns : int, optional
        When the waivers are looked at [TAI ns]; needed with waivers, for they expire.

    Returns
    -------
    Judgement
        Rows sorted by test, detector, amplifier and exposure.

    Raises
    ------
    ValueError
        If there are waivers and no instant.
    """
    if waivers and at_tai_ns is None:
        raise ValueError("waivers expire: tell at which instant they are looked at")
    judge = _Judge(
        profile=profile,
        candidate_ids=candidate_ids,
        waivers=waivers,
        names=detector_names or {},
        at_tai_ns=at_tai_ns or 0,
        values=_by_metric(metrics),
        grid=_grid(metrics, candidate_ids, expected or Expected()),
    )
    rows = tuple(row for criterion in profile.criteria for row in judge.rows(criterion))
    lines = scoreboard(rows, profile)
    verdict, reasons = overall_verdict(rows, profile)
    n_in_build = _n_exposures(rows, Evidence.IN_BUILD)
    n_independent = _n_exposures(rows, Evidence.INDEPENDENT)
    supports, sentence = evidence_sentence(rows, n_in_build=n_in_build, n_independent=n_independent)
    return Judgement(
        calib_type=profile.calib_type,
        profile_id=profile.id,
        profile_sha256=profile.sha256,
        tier=profile.tier,
        verdict=verdict,
        reasons=reasons,
        rows=rows,
        scoreboard=lines,
        failures=failure_strings(rows),
        notes=_notes(profile, n_in_build, n_independent, rows),
        n_in_build=n_in_build,
        n_independent=n_independent,
        supports_validity=supports,
        evidence=sentence,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Every place a value is expected at."""

    amplifiers: dict[int, list[str]]
    exposures: dict[int, bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    profile: Profile
    candidate_ids: Mapping[int, str]
    waivers: Sequence[Waiver]
    names: Mapping[int, str]
    at_tai_ns: int
    values: Mapping[str, Mapping[Key, Measured]]
    grid: _Grid
    nothing: Mapping[Key, Measured] = field(default_factory=dict)

    def rows(self, criterion: Criterion) -> Iterable[JudgedRow]:
        found = self.values.get(criterion.metric, self.nothing)
        # Few errors differ between exposures, and a test with other limits is slow to make.
        eased: dict[float | None, Criterion] = {}
        for key in self._keys(criterion):
            error = self._other(criterion.error_metric, key)
            if error not in eased:
                eased[error] = criterion.eased(error)
            yield self._row(eased[error], key, found.get(key))

    def _keys(self, criterion: Criterion) -> list[Key]:
        exposures: list[int | None] = [None]
        if criterion.scope is Scope.AMP and self.grid.exposures:
            exposures = [*sorted(self.grid.exposures)]
        keys: list[Key] = []
        for detector, amplifiers in sorted(self.grid.amplifiers.items()):
            places = [""] if criterion.per == "detector" else amplifiers or [""]
            keys += [(detector, amplifier, exposure) for amplifier in places for exposure in exposures]
        return keys or [(-1, "", None)]

    def _row(self, criterion: Criterion, key: Key, measured: Measured | None) -> JudgedRow:
        detector, amplifier, exposure = key
        verdict, reason = self._judge(criterion, key, measured)
        name = self.names.get(detector, str(detector) if detector >= 0 else "")
        waiver = find_waiver(
            self.waivers,
            verdict=verdict,
            test=criterion.test,
            detector=detector,
            detector_name=name,
            amplifier=amplifier,
            at_tai_ns=self.at_tai_ns,
        )
        if waiver is not None:
            instead = f"; looked at instead: {waiver.instead_of}" if verdict is Verdict.UNKNOWN else ""
            reason = f"waived by {waiver.who}, until {waiver.expires}: {waiver.reason}{instead}"
        return JudgedRow(
            test=criterion.test,
            metric=criterion.metric,
            detector=detector,
            detector_name=name,
            amplifier=amplifier,
            exposure=exposure,
            evidence=_evidence(measured, exposure, self.grid),
            value=_finite(measured),
            unit=criterion.unit,
            limit=criterion.limit_text(),
            measured_verdict=verdict,
            verdict=verdict if waiver is None else Verdict.WAIVED,
            is_gating=criterion.gating,
            reason=reason,
        )

    def _judge(self, criterion: Criterion, key: Key, measured: Measured | None) -> tuple[Verdict, str]:
        if measured is None:
            return Verdict.UNKNOWN, "not measured"
        candidate = self.candidate_ids.get(measured.detector, "")
        if not candidate:
            return Verdict.UNKNOWN, f"no candidate for detector {measured.detector}"
        if measured.applied_id != candidate:
            return Verdict.UNKNOWN, f"applied {measured.applied_id or 'nothing'}, the candidate is {candidate}"
        if measured.unit != criterion.unit:
            return Verdict.UNKNOWN, f"measured in {measured.unit}, the limit is in {criterion.unit}"
        verdict = criterion.judge(measured.value, limit=self._other(criterion.limit_metric, key))
        if verdict is not Verdict.UNKNOWN:
            return verdict, ""
        missing = f"{criterion.limit_metric} is missing" if measured.value is not None else "not measured"
        return verdict, measured.note or missing

    def _other(self, metric: str, key: Key) -> float | None:
        """Return another metric of the same place, if it is of the same candidate."""
        found = self.values.get(metric, self.nothing).get(key)
        return found.value if found is not None and found.applied_id == self.candidate_ids.get(key[0]) else None


def _by_metric(metrics: Sequence[Measured]) -> dict[str, dict[Key, Measured]]:
    values: dict[str, dict[Key, Measured]] = {}
    for measured in metrics:
        key = (measured.detector, measured.amplifier, measured.exposure)
        values.setdefault(measured.metric, {})[key] = measured
    return values


def _grid(metrics: Sequence[Measured], candidate_ids: Mapping[int, str], expected: Expected) -> _Grid:
    amplifiers: dict[int, set[str]] = {detector: set(names) for detector, names in expected.amplifiers.items()}
    exposures: dict[int, bool | None] = dict(expected.exposures)
    for detector in candidate_ids:
        amplifiers.setdefault(detector, set())
    for measured in metrics:
        found = amplifiers.setdefault(measured.detector, set())
        if measured.amplifier:
            found.add(measured.amplifier)
        if measured.exposure is not None:
            exposures.setdefault(measured.exposure, measured.in_build)
    return _Grid({detector: sorted(names) for detector, names in amplifiers.items()}, exposures)


def _finite(measured: Measured | None) -> float | None:
    if measured is None or measured.value is None or not math.isfinite(measured.value):
        return None
    return measured.value


def _evidence(measured: Measured | None, exposure: int | None, grid: _Grid) -> Evidence:
    if exposure is None:
        return Evidence.PRODUCT
    in_build = grid.exposures.get(exposure) if measured is None else measured.in_build
    return Evidence.INDEPENDENT if in_build is False else Evidence.IN_BUILD


def _n_exposures(rows: Sequence[JudgedRow], evidence: Evidence) -> int:
    usable = (row for row in rows if row.evidence is evidence and row.measured_verdict is not Verdict.UNKNOWN)
    return len({row.exposure for row in usable})


def _notes(profile: Profile, n_in_build: int, n_independent: int, rows: Sequence[JudgedRow]) -> tuple[str, ...]:
    notes = []
    if not n_in_build:
        notes.append("WARNING: no exposure of the build was verified; the published procedure wants them in the set")
    if not n_independent:
        notes.append("WARNING: no independent exposure was verified; the build alone supports no validity range")
    others = {row.reason for row in rows if row.reason.startswith("applied ")}
    if others:
        notes.append(f"WARNING: {'; '.join(sorted(others))}: those rows are UNKNOWN")
    if profile.tier == "peer":
        notes.append(f"peer tier: {profile.note}")
    return tuple(notes)
