"""Criteria as data: limits, unknown is not passed, camera overrides, hashes."""

import dataclasses
import math
import subprocess
import sys

import pytest

from calibstore.errors import UserInputError
from calibstore.model.camera import Amplifier, Box, Camera, Detector
from calibstore.model.codec import from_plain, to_plain
from calibstore.model.criteria import Criterion, Direction, Profile, Scope, Verdict
from calibstore.model.profiles import load_profile


def criterion(direction: Direction, **changes: object) -> Criterion:
    values: dict[str, object] = {
        "test": "t",
        "metric": "m",
        "scope": Scope.AMP,
        "unit": "electron",
        "direction": direction,
        "source": "here",
        "why": "Because.",
    }
    return Criterion(**(values | changes))  # type: ignore[arg-type]


def camera(*, has_overscan: bool = True, **changes: object) -> Camera:
    overscan = Box(10, 0, 4, 10) if has_overscan else None
    amplifier = Amplifier(
        name="C00", extension="", raw_width=14, raw_height=10, data=Box(0, 0, 10, 10), serial_overscan=overscan
    )
    detector = Detector(
        id=0, full_name="R22_S11", raft="R22", name_in_raft="S11", width=10, height=10, amplifiers=(amplifier,)
    )
    made = Camera(instrument="TestCam", detectors=(detector,), translator="generic")
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", list(Direction))
def test_what_was_not_measured_is_unknown(value: float | None, direction: Direction) -> None:
    limits = (-1.0, 1.0) if direction is Direction.RANGE else (1.0,)
    assert criterion(direction, warn=limits, fail=limits).judge(value) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("direction", "warn", "fail", "value", "verdict"),
    [
        (Direction.HIGH, (1.0,), (2.0,), -9.0, Verdict.PASS),
        (Direction.HIGH, (1.0,), (2.0,), 1.0, Verdict.PASS),
        (Direction.HIGH, (1.0,), (2.0,), 1.5, Verdict.WARN),
        (Direction.HIGH, (1.0,), (2.0,), 2.0, Verdict.WARN),
        (Direction.HIGH, (1.0,), (2.0,), 2.1, Verdict.FAIL),
        (Direction.LOW, (), (0.5,), 0.5, Verdict.PASS),
        (Direction.LOW, (), (0.5,), 0.49, Verdict.FAIL),
        (Direction.TWO_SIDED, (0.1,), (0.5,), -0.2, Verdict.WARN),
        (Direction.TWO_SIDED, (0.1,), (0.5,), -0.6, Verdict.FAIL),
        (Direction.RANGE, (-0.05, 0.05), (-0.15, 0.1), -0.1, Verdict.WARN),
        (Direction.RANGE, (-0.05, 0.05), (-0.15, 0.1), 0.12, Verdict.FAIL),
        (Direction.RANGE, (-0.05, 0.05), (-0.15, 0.1), -0.2, Verdict.FAIL),
        (Direction.IS_TRUE, (), (), 1.0, Verdict.PASS),
        (Direction.IS_TRUE, (), (), 0.0, Verdict.FAIL),
        (Direction.TWO_SIDED, (5.0,), (), 6.0, Verdict.WARN),
        (Direction.HIGH, (), (), 1e9, Verdict.PASS),
    ],
)
def test_limits(
    direction: Direction, warn: tuple[float, ...], fail: tuple[float, ...], value: float, verdict: Verdict
) -> None:
    assert criterion(direction, warn=warn, fail=fail).judge(value) is verdict


def test_peer_mean_is_compared_with_the_noise_of_the_same_amplifier() -> None:
    mean = load_profile("peer").criterion("MEAN")
    assert mean is not None
    assert mean.judge(5.9, limit=6.0) is Verdict.PASS
    assert mean.judge(-6.0, limit=6.0) is Verdict.FAIL  # published as "smaller than"
    assert mean.judge(0.0, limit=None) is Verdict.UNKNOWN
    assert mean.judge(0.0, limit=math.nan) is Verdict.UNKNOWN


def test_the_published_limits_are_exact() -> None:
    peer = {found.test: found for found in load_profile("peer").criteria}
    assert list(peer) == ["MEAN", "NOISE", "CR_NOISE", "PROCESSING", "READ_NOISE_CONSISTENT"]
    for test in ("NOISE", "CR_NOISE", "READ_NOISE_CONSISTENT"):
        assert peer[test].judge(0.05) is Verdict.PASS
        assert peer[test].judge(0.0501) is Verdict.FAIL
    assert peer["NOISE"].judge(-0.99) is Verdict.PASS  # one-sided as published
    assert not peer["READ_NOISE_CONSISTENT"].gating
    assert "can fail good data" in load_profile("peer").note


@pytest.mark.parametrize("tier", ["peer", "strict"])
def test_every_test_says_unit_source_and_why(tier: str) -> None:
    for found in load_profile(tier).criteria:
        assert found.unit
        assert found.source
        assert found.why.endswith(".")
        assert found.limit_text()


def test_a_camera_without_overscan_has_a_drift_limit_instead() -> None:
    with_overscan = {found.test for found in load_profile("strict", camera=camera()).criteria}
    without = {found.test for found in load_profile("strict", camera=camera(has_overscan=False)).criteria}
    assert {"resid_mean", "corner_mean", "calib_median"} <= with_overscan - without
    assert {"level_drift", "level_range"} == without - with_overscan


def test_a_camera_brings_its_own_limits_and_the_hash_tells() -> None:
    plain = load_profile(camera=camera())
    own = load_profile(
        camera=camera(
            limits_profile="TestCam",
            limits={"resid_mean": {"warn": 1, "fail": 2.5, "source": "logbook"}, "noise_floor": 0.1, "cr_ratio": None},
        )
    )
    assert (own.id, own.tier) == ("TestCam", "strict")
    assert load_profile(camera=camera(limits={"cr_ratio": 0.2})).id == "strict+TestCam"
    assert own.sha256 != plain.sha256
    resid, floor = own.criterion("resid_mean"), own.criterion("noise_floor")
    assert resid is not None
    assert floor is not None
    assert (resid.warn, resid.fail, resid.source) == ((1.0,), (2.5,), "logbook")
    assert (floor.warn, floor.fail, floor.source) == ((), (0.1,), "camera TestCam")
    assert own.criterion("cr_ratio") is None
    assert load_profile("peer", camera=camera(limits={"noise_floor": 0.1})) == load_profile("peer", camera=camera())


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"resid_meen": 1.0}, "unknown test 'resid_meen'"),
        ({"resid_mean": {"fial": 1.0}}, "unknown keys fial"),
        ({"resid_mean": {"fail": 1.0, "unit": "adu"}}, "unit 'adu', not 'electron'"),
        ({"resid_mean": "much"}, "'much' is not a finite number"),
        ({"resid_mean": [1.0, 2.0]}, "takes 1 number"),
        ({"noise_ratio": 0.3}, "takes 2 number"),
        ({"resid_mean": True}, "True is not a finite number"),
        ({"resid_mean": {"gating": "no"}}, "gating is true or false"),
    ],
)
def test_a_wrong_limit_is_refused_by_name(limits: dict[str, object], words: str) -> None:
    with pytest.raises(UserInputError, match=words) as caught:
        load_profile(camera=camera(limits=limits))
    assert caught.value.code == "E-LIMITS"
    assert caught.value.hint


def test_unknown_profiles_and_types_are_refused() -> None:
    with pytest.raises(UserInputError, match="no acceptance profile 'lenient'") as caught:
        load_profile("lenient")
    assert caught.value.code == "E-PROFILE"
    with pytest.raises(UserInputError, match="no acceptance profile 'mine'"):
        load_profile(camera=camera(limits_profile="mine"))
    with pytest.raises(UserInputError, match="calibration type 'tiers'"):
        load_profile("strict", calib_type="tiers")


def test_a_profile_travels_as_plain_values() -> None:
    profile = load_profile("strict", camera=camera())
    assert from_plain(Profile, to_plain(profile)) == profile


def test_judging_imports_no_array_library() -> None:
    code = (
        "import sys; import calibstore.model.judging, calibstore.model.profiles as p; p.load_profile('strict');"
        "print([m for m in ('numpy', 'astropy', 'scipy', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
