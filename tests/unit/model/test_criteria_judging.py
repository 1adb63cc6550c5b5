"""Laws of judging: nothing unknown passes, evidence is kept apart, waivers have a scope."""

import dataclasses
import math

import pytest

from calibstore.model.codec import from_plain, to_plain
from calibstore.model.criteria import Criterion, Direction, Profile, Scope, Verdict
from calibstore.model.judging import judge_metrics
from calibstore.model.profiles import load_profile
from calibstore.model.times import parse_time
from calibstore.model.verdicts import Evidence, Expected, Judgement, Measured, Overall, ScoreLine
from calibstore.model.waivers import Waiver

NEW_YEAR = parse_time("2026-01-01T12:00:00").tai_ns


def waiver(**changes: str) -> Waiver:
    given = {"test": "SIGMA_TEST", "reason": "known hot amplifier", "who": "C. Reviewer", "expires": "2026-12-31"}
    return Waiver(**(given | changes))


def profile(**changes: object) -> Profile:
    values: dict[str, object] = {
        "test": "SIGMA_TEST",
        "metric": "sigma",
        "scope": Scope.AMP,
        "unit": "electron",
        "direction": Direction.HIGH,
        "warn": (1.0,),
        "fail": (2.0,),
        "source": "here",
        "why": "Because.",
    }
    made = Criterion(**(values | changes))  # type: ignore[arg-type]
    return Profile(id="test", tier="test", sha256="0" * 64, calib_type="bias", criteria=(made,))


def value(number: float | None = 0.0, **changes: object) -> Measured:
    given: dict[str, object] = {
        "metric": "sigma",
        "unit": "electron",
        "detector": 4,
        "amplifier": "C00",
        "exposure": 1,
        "in_build": False,
        "applied_id": "cand",
    }
    return Measured(value=number, **(given | changes))  # type: ignore[arg-type]


def judge(*rows: Measured, waivers: tuple[Waiver, ...] = (), **changes: object) -> Judgement:
    return judge_metrics(rows, profile(**changes), {4: "cand"}, waivers, at_tai_ns=NEW_YEAR)


@pytest.mark.parametrize("number", [None, math.nan, math.inf])
def test_not_measured_is_unknown_overall(number: float | None) -> None:
    found = judge(value(), value(number, amplifier="C01", note="raw is truncated"))
    assert found.verdict is Overall.UNKNOWN
    assert [(row.amplifier, row.reason) for row in found.exceptions] == [("C01", "raw is truncated")]


def test_nothing_at_all_is_unknown() -> None:
    assert judge().verdict is Overall.UNKNOWN
    assert judge_metrics((), load_profile("strict"), {}).verdict is Overall.UNKNOWN


def test_another_calibration_applied_is_unknown_however_good() -> None:
    found = judge(value(applied_id="other"))
    assert found.verdict is Overall.UNKNOWN
    assert found.rows[0].reason == "applied other, the candidate is cand"
    assert any("applied other" in note for note in found.notes)
    assert judge(value(applied_id="")).rows[0].reason == "applied nothing, the candidate is cand"
    assert judge(value(detector=5)).verdict is Overall.UNKNOWN


def test_a_number_in_another_unit_is_unknown() -> None:
    assert judge(value(unit="adu")).rows[0].reason == "measured in adu, the limit is in electron"


def test_a_hole_in_the_grid_is_unknown_not_dropped() -> None:
    found = judge(value(), value(amplifier="C01"), value(exposure=2))
    assert [(row.amplifier, row.exposure) for row in found.exceptions] == [("C01", 2)]
    assert found.verdict is Overall.UNKNOWN


def test_expected_amplifiers_and_exposures_must_come() -> None:
    expected = Expected(amplifiers={4: ("C00",), 5: ("C00",)}, exposures={1: False, 7: True})
    found = judge_metrics([value()], profile(), {4: "cand", 5: "five"}, expected=expected)
    assert {(row.detector, row.exposure) for row in found.exceptions} == {(4, 7), (5, 1), (5, 7)}
    assert all(row.measured_verdict is Verdict.UNKNOWN for row in found.exceptions)


def test_run_fails_by_one_amplifier_of_one_exposure() -> None:
    rows = [
        value(3.0 if (name, amp, exposure) == (4, "C:0,2", 2) else 0.0, detector=name, amplifier=amp, exposure=exposure)
        for name in (3, 4)
        for amp in ("C:0,1", "C:0,2")
        for exposure in (1, 2)
    ]
    names = {3: "R:1,0 S:0,0", 4: "R:1,0 S:1,0"}
    found = judge_metrics(rows, profile(), {3: "cand", 4: "cand"}, detector_names=names)
    assert found.verdict is Overall.FAIL
    assert found.failures == {"2": ("R:1,0 S:1,0 C:0,2 SIGMA_TEST",)}


def test_an_informational_failure_shows_only_beside_another() -> None:
    gating, informational = profile().criteria[0], profile(test="INFO", metric="info", gating=False).criteria[0]
    both = dataclasses.replace(profile(), criteria=(gating, informational))
    good = [value(0.0), value(9.0, metric="info")]
    bad = [value(9.0), value(9.0, metric="info")]
    passed, failed = (judge_metrics(rows, both, {4: "cand"}) for rows in (good, bad))
    assert (passed.verdict, passed.failures) == (Overall.PASS, {})
    assert failed.failures == {"1": ("4 C00 SIGMA_TEST", "4 C00 INFO")}


def test_in_sample_and_independent_are_counted_apart() -> None:
    found = judge(value(exposure=1, in_build=True), value(3.0, exposure=2), value(exposure=3))
    lines = {line.evidence: line for line in found.scoreboard}
    assert (lines[Evidence.IN_BUILD].n, lines[Evidence.IN_BUILD].n_fail) == (1, 0)
    assert (lines[Evidence.INDEPENDENT].n, lines[Evidence.INDEPENDENT].n_fail) == (2, 1)
    assert lines[Evidence.INDEPENDENT].counted == "1 amplifier x 2 exposures"
    assert (lines[Evidence.INDEPENDENT].worst, lines[Evidence.INDEPENDENT].worst_where) == (3.0, "4 C00 exposure 2")
    assert (found.n_in_build, found.n_independent) == (1, 2)


def test_the_build_alone_supports_no_validity() -> None:
    alone = judge(value(in_build=True))
    assert (alone.verdict, alone.supports_validity) == (Overall.PASS, False)
    assert "supports no validity range" in alone.evidence
    assert any("no independent exposure" in note for note in alone.notes)
    without_build = judge(value())
    assert without_build.supports_validity
    assert any("no exposure of the build" in note for note in without_build.notes)
    assert not judge(value(3.0), value(in_build=True, exposure=2)).supports_validity
    assert not judge(value(in_build=None)).supports_validity


def test_order_of_verdicts() -> None:
    assert judge(value()).verdict is Overall.PASS
    assert judge(value(1.5)).verdict is Overall.REVIEW
    assert judge(value(1.5), value(None, exposure=2)).verdict is Overall.UNKNOWN
    worst = judge(value(1.5), value(None, exposure=2), value(3.0, exposure=3))
    assert worst.verdict is Overall.FAIL
    assert worst.reasons[0] == "SIGMA_TEST: 1 of 3 failed"


def test_a_failing_share_may_ask_for_review() -> None:
    rows = [value(3.0 if i == 0 else 0.0, amplifier=f"C{i:02}") for i in range(10)]
    assert judge(*rows).verdict is Overall.FAIL
    assert judge(*rows, max_fail_frac_amps=0.1).verdict is Overall.REVIEW
    assert judge(*rows, max_fail_frac_amps=0.09).verdict is Overall.FAIL


@pytest.mark.parametrize(
    ("scope", "is_waived"),
    [
        ({"detector": "4", "amplifier": "C00"}, True),
        ({"detector": "R22_S11"}, True),
        ({}, True),
        ({"detector": "5"}, False),
        ({"amplifier": "C01"}, False),
        ({"test": "OTHER"}, False),
        ({"test": "*"}, False),
        ({"expires": "2026-01-01"}, True),
        ({"expires": "2025-12-31"}, False),
    ],
)
def test_scope_of_a_waiver(scope: dict[str, str], is_waived: bool) -> None:
    found = judge_metrics(
        [value(3.0)],
        profile(),
        {4: "cand"},
        (waiver(**scope),),
        detector_names={4: "R22_S11"},
        at_tai_ns=NEW_YEAR,
    )
    assert found.verdict is (Overall.PASS_WITH_WAIVERS if is_waived else Overall.FAIL)
    assert found.rows[0].measured_verdict is Verdict.FAIL
    assert bool(found.failures) is not is_waived
    if is_waived:
        assert "C. Reviewer" in found.rows[0].reason


def test_waivers_need_the_instant_they_are_looked_at() -> None:
    with pytest.raises(ValueError, match="waivers expire"):
        judge_metrics([value(3.0)], profile(), {4: "cand"}, (waiver(),))


def test_waiving_unknown_says_what_was_looked_at() -> None:
    assert judge(value(None), waivers=(waiver(),)).verdict is Overall.UNKNOWN
    told = judge(value(None), waivers=(waiver(instead_of="the mosaic by eye"),))
    assert told.verdict is Overall.PASS_WITH_WAIVERS
    assert "the mosaic by eye" in told.rows[0].reason


def test_a_waiver_of_one_amplifier_does_not_hide_another() -> None:
    found = judge(value(3.0), value(3.0, amplifier="C01"), waivers=(waiver(amplifier="C00"),))
    assert found.verdict is Overall.FAIL
    assert found.failures == {"1": ("4 C01 SIGMA_TEST",)}


def test_order_of_the_numbers_does_not_matter() -> None:
    rows = [value(float(i % 3), amplifier=f"C{i % 4:02}", exposure=i // 4) for i in range(16)]
    assert judge(*rows) == judge(*reversed(rows))


def test_a_judgement_travels_as_plain_values() -> None:
    found = judge(value(3.0), value(None, exposure=2))
    assert from_plain(Judgement, to_plain(found)) == found
    assert from_plain(ScoreLine, to_plain(found.scoreboard[0])) == found.scoreboard[0]


@pytest.mark.parametrize(("error", "verdict"), [(None, "FAIL"), (0.1, "FAIL"), (0.4, "WARN"), (1.5, "PASS")])
def test_limits_are_not_tighter_than_the_error_of_the_value(error: float | None, verdict: str) -> None:
    rows = [value(2.2), value(error, metric="error", unit="electron")]
    found = judge_metrics(rows, profile(error_metric="error"), {4: "cand"})
    assert found.rows[0].verdict == verdict
    foreign = [value(2.2), value(1.5, metric="error", applied_id="other")]
    assert judge_metrics(foreign, profile(error_metric="error"), {4: "cand"}).rows[0].verdict is Verdict.FAIL


@pytest.mark.parametrize(("error", "verdict"), [(0.001, "FAIL"), (0.025, "WARN"), (0.05, "PASS")])
def test_ranges_are_eased_on_both_sides(error: float, verdict: str) -> None:
    changes: dict[str, object] = {
        "direction": Direction.RANGE,
        "warn": (-0.05, 0.05),
        "fail": (-0.1, 0.1),
        "error_metric": "error",
    }
    rows = [value(-0.12), value(0.12, amplifier="C01"), value(error, metric="error")]
    rows.append(value(error, metric="error", amplifier="C01"))
    assert {row.verdict for row in judge_metrics(rows, profile(**changes), {4: "cand"}).rows} == {verdict}
