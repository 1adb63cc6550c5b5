"""Rules of a recipe tried on made-up selections: each finding by its id, each proposal with its number."""

from typing import Any

import pytest

from calibstore.datastore.camera_file import load_camera
from calibstore.errors import UserInputError
from calibstore.model.calib_types import calib_types, find_calib_type
from calibstore.model.catalogue import with_declared
from calibstore.model.exposure import Exposure
from calibstore.model.frame_levels import FrameLevel, asked_detectors, camera_numbers, frame_levels, robust_z
from calibstore.model.selection_judging import Judged, judge_selection, selection_proposals
from calibstore.model.selection_rules import Finding, Proposal, SelectionRules, read_rules
from calibstore.model.timespan import Timespan

CAMERA = load_camera("LATISS:mini")
DAY = 20250408
FILTER, OTHER = "SDSSr_65mm~empty", "SDSSz_65mm~empty"
Level = tuple[float, float] | float


def frame(seq: int, kind: str, time_s: float, **more: Any) -> Exposure:
    return Exposure(
        instrument="LATISS", id=DAY * 100_000 + seq, obs_id=f"AT_O_{DAY}_{seq:06d}", day_obs=DAY, seq_num=seq,
        observation_type=kind, exposure_time_s=time_s, dark_time_s=more.pop("dark_s", time_s + 0.24 if time_s else 0.0),
        timespan=Timespan(seq * 10**11, seq * 10**11 + 10**9), **{"physical_filter": FILTER, **more},
    )  # fmt: skip


def judged(
    calib_type: str, kept: list[Exposure], levels: dict[int, FrameLevel] | None = None, **more: Any
) -> tuple[dict[str, Finding], tuple[Proposal, ...]]:
    made = find_calib_type(calib_type, "LATISS", "mini")
    one = Judged(
        kept=tuple(kept), made=made, camera=CAMERA, levels=levels or {},
        **{"last_change": "", "states_filter": True, **more},
    )  # fmt: skip
    proposals = selection_proposals(one)
    return {told.rule: told for told in judge_selection(one, proposals)}, proposals


def lit(frames: list[Exposure], levels_e: list[float], **more: float) -> dict[int, FrameLevel]:
    return {one.id: FrameLevel(level_e=level, **more) for one, level in zip(frames, levels_e, strict=True)}


def ramp(n_pairs: int, *, lowest_s: float = 0.05, highest_s: float = 26.0) -> list[Exposure]:
    step = (highest_s - lowest_s) / (n_pairs - 1)
    times = [round(lowest_s + step * number, 3) for number in range(n_pairs)]
    return [frame(2 * number + side, "flat", time) for number, time in enumerate(times) for side in (1, 2)]


def test_darks_are_counted_with_dark_current_and_science_time() -> None:
    """sqrt(1 + 1.07 (30/30.24)^2 (RN^2 + 0.02 * 30.24) / (N RN^2)) - 1: rules.md 11, by hand for RN 7.9 e."""
    told, _ = judged("dark", [frame(seq, "dark", 30.0) for seq in range(1, 21)])
    noise = camera_numbers(CAMERA).read_noise_e
    one = 1.07 * (30 / 30.24) ** 2 * (noise**2 + 0.02 * 30.24) / noise**2
    assert f"by {100 * ((1 + one / 20) ** 0.5 - 1):.2f} % (amber)" in told["W-COUNT"].text
    assert "20 frames of 30.2 s" in told["W-COUNT"].text
    enough, _ = judged("dark", [frame(seq, "dark", 30.0) for seq in range(1, 41)])
    assert enough["N-COUNT"].text.endswith("(green)")


def test_short_darks_and_long_biases_are_told() -> None:
    told, _ = judged("dark", [frame(seq, "dark", 30.0 if seq > 3 else 1.0) for seq in range(1, 31)])
    assert told["W-DARKTIME"].text.startswith("3 of 30 have a dark time below 30 s (shortest 1.24 s)")
    assert "exposure times 30 s (27), 1 s (3)" in told["W-MIXED"].text
    biases = [frame(seq, "bias", 0.5 if seq == 2 else 0.0) for seq in range(1, 26)]
    told, _ = judged("bias", biases)
    assert told["W-DARKTIME"].text == "1 exposure has an exposure time: 2025040800002 (0.5 s); a bias has none"


def test_fifteen_flats_are_usual() -> None:
    flats = [frame(seq, "flat", 5.0) for seq in range(1, 16)]
    assert judged("flat", flats)[0]["N-COUNT"].text == "15 frames; 15 or more are usual"
    assert judged("flat", flats[:14])[0]["W-COUNT"].text == "14 frames for flat; 15 or more are usual"


def test_flats_of_two_filters_are_refused_and_an_unstated_one_is_noted() -> None:
    flats = [frame(seq, "flat", 5.0, physical_filter=OTHER if seq > 12 else FILTER) for seq in range(1, 17)]
    told, _ = judged("flat", flats)
    assert told["E-BAND"].severity == "refuse"
    assert f"{FILTER} (12), {OTHER} (4)" in told["E-BAND"].text
    assert told["E-BAND"].remedy == f"add: and physical_filter='{FILTER}'"
    assert "N-FILTER" not in judged("flat", flats[:12])[0]
    assert "does not state" in judged("flat", flats[:12], states_filter=False)[0]["N-FILTER"].text
    told, _ = judged("ptc", flats)
    assert "E-BAND" not in told
    assert "physical filters" in told["W-MIXED"].text


def test_fringes_are_of_y_and_z_only() -> None:
    kept = [frame(seq, "science", 30.0) for seq in range(1, 12)]
    told, _ = judged("fringe", kept)
    assert told["E-BAND"].text.startswith("fringe is measured in y and z only")
    z = next(one.name for one in CAMERA.filters if one.band == "z")
    assert "E-BAND" not in judged("fringe", [frame(n, "science", 30.0, physical_filter=z) for n in range(1, 12)])[0]


def test_pairs_are_counted_and_odd_frames_proposed_with_the_reason() -> None:
    kept = ramp(100)
    told, proposals = judged("ptc", kept)
    assert told["N-PAIRS"].text == "100 pairs of flats"
    assert proposals == ()
    odd = frame(201, "flat", 26.0)
    told, proposals = judged("ptc", [*kept[:-2], odd])
    assert told["W-PAIRS"].text.startswith("99 pairs of flats; 100 or more are usual for ptc; 1 in none: 2025040800201")
    assert [(one.exposure, one.rule) for one in proposals] == [(odd.id, "P-ODD")]
    assert proposals[0].words == f"--exclude {odd.id}='in no pair: no neighbour of 26 s'"


@pytest.mark.parametrize("calib_type", ["linearizer", "ptc"])
def test_of_a_short_ramp_the_least_is_told(calib_type: str) -> None:
    """Some of its pairs are in the dark, some saturate: of twice the least too few may be left."""
    least = "a fit takes 5 in light (above 1000 adu) and below saturation at least"
    assert least in judged(calib_type, ramp(9))[0]["W-PAIRS"].text
    assert "a fit takes" not in judged(calib_type, ramp(20))[0]["W-PAIRS"].text


def test_a_ramp_without_low_levels_or_turnoff_is_told() -> None:
    well = camera_numbers(CAMERA).saturation_e
    kept = ramp(20, lowest_s=0.5)
    levels = lit(kept, [2_000 + 4_000.0 * one.exposure_time_s for one in kept])
    told, _ = judged("ptc", kept, levels)
    assert "no level below 1,000 e (lowest 4,000 e): the read noise cannot be measured" in told["W-LEVELS"].text
    assert f"below the expected turnoff of {well:,.0f} e" in told["W-LEVELS"].text
    kept = ramp(20)
    levels = lit(kept, [min(6_000.0 * one.exposure_time_s, well) for one in kept])
    told, _ = judged("ptc", kept, levels)
    assert told["N-LEVELS"].text.startswith("levels 300 to")
    assert told["N-LEVELS"].text.endswith("2 exposures below 1,000 e")
    assert "read noise" not in judged("linearizer", kept, levels)[0].get("W-LEVELS", Finding("", "", "")).text


def test_of_unknown_levels_nothing_is_said_but_that() -> None:
    kept = ramp(20)
    told, _ = judged("ptc", kept)
    assert told["N-LEVELS"].text == "the level of 40 of 40 exposures is not known; nothing is said of their light"
    assert "W-LEVELS" not in told


def test_flats_without_light_are_refused_with_the_words_that_leave_them_out() -> None:
    kept = [frame(seq, "flat", 5.0) for seq in range(1, 18)]
    levels = lit(kept, [30_000.0] * 16 + [1.2])
    told, proposals = judged("flat", kept, levels)
    assert told["E-LAMPOFF"].severity == "refuse"
    assert told["E-LAMPOFF"].remedy == "--exclude 2025040800017='no light: level 1.2 e, 30000 e expected'"
    assert [one.rule for one in proposals] == ["P-LAMPOFF"]
    told, _ = judged("flat", kept, lit(kept, [1.0] * 17))
    assert told["E-LAMPOFF"].text.startswith("17 exposures have no light")


def test_a_lamp_that_was_off_in_a_ramp_is_proposed_though_the_first_levels_are_low() -> None:
    kept = ramp(20)
    levels = lit(kept, [0.8 if one.seq_num == 21 else 5_000 * one.exposure_time_s for one in kept])
    told, proposals = judged("ptc", kept, levels)
    assert [(one.exposure, one.rule) for one in proposals] == [(kept[20].id, "P-LAMPOFF")]
    assert "1 exposure is unlike the others: 2025040800021 (no light" in told["W-APART"].text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("level_e", 18.0, "level 18.0 e, the others 2.9 (z +23)"),
        ("noise_adu", 12.0, "noise 12.0 adu, the others 8.0 (z +17)"),
        ("pedestal_adu", 20_040.0, "bias level 20040.0 adu, the others 20001.0 (z +20)"),
    ],
)
def test_a_bias_unlike_the_others_is_proposed_with_its_number(name: str, value: float, reason: str) -> None:
    kept = [frame(seq, "bias", 0.0) for seq in range(1, 23)]
    plain = [{"level_e": 2.8 + 0.1 * (n % 3), "noise_adu": 8.0, "pedestal_adu": 20_000.0 + n % 3} for n in range(22)]
    plain[5][name] = value
    levels = {one.id: FrameLevel(**numbers) for one, numbers in zip(kept, plain, strict=True)}
    told, proposals = judged("bias", kept, levels)
    assert [(one.exposure, one.rule, one.reason) for one in proposals] == [(kept[5].id, "P-APART", reason)]
    assert told["W-APART"].severity == "warn"


def test_three_exposures_cannot_say_which_is_wrong() -> None:
    kept = [frame(seq, "bias", 0.0) for seq in range(1, 4)]
    assert judged("bias", kept, lit(kept, [0.0, 0.0, 500.0]))[1] == ()
    assert robust_z({1: 1.0, 2: 1.0, 3: 9.0}, least=0.1) == {}


def test_a_ramp_may_drift_but_no_frame_may_leave_it() -> None:
    kept = ramp(30, highest_s=15.0)
    drifting = [5_000 * one.exposure_time_s * (1 + 0.05 * number / 60) for number, one in enumerate(kept)]
    assert judged("ptc", kept, lit(kept, drifting))[1] == ()
    drifting[30] *= 1.3
    (one,) = judged("ptc", kept, lit(kept, drifting))[1]
    assert (one.exposure, one.rule) == (kept[30].id, "P-APART")
    assert "% off the light of its time (z +" in one.reason


def test_saturated_frames_are_proposed_but_two_levels_show_the_turnoff() -> None:
    kept = ramp(20, highest_s=40.0)
    well = camera_numbers(CAMERA).saturation_e
    levels = {
        one.id: FrameLevel(level_e=min(5_000 * one.exposure_time_s, well), saturated=float(one.exposure_time_s > 30))
        for one in kept
    }
    proposals = judged("ptc", kept, levels)[1]
    saturated = [one for one in kept if one.exposure_time_s > 30]
    assert [one.exposure for one in proposals] == [one.id for one in saturated[4:]]
    assert {one.rule for one in proposals} == {"P-SATURATED"}
    assert proposals[0].reason == "100 % of its pixels are saturated"


def test_crosstalk_needs_bright_sources() -> None:
    kept = [frame(seq, "science", 5.0) for seq in range(1, 5)]
    told, _ = judged("crosstalk", kept, lit(kept, [20.0] * 4))
    assert told["W-LEVELS"].text.startswith("no source above 30,000 e is seen")
    assert "W-LEVELS" not in judged("crosstalk", kept, lit(kept, [20.0] * 4, bright=1e-4))[0]


def test_a_gain_correction_is_for_flats_after_a_change() -> None:
    kept = [frame(seq, "flat", 5.0) for seq in range(1, 5)]
    assert "no change of the camera is known" in judged("gain_correction", kept)[0]["W-RESTART"].text
    told, _ = judged("gain_correction", kept, last_change="SEQFILE v1 -> v2, 2025-04-07T12:00:00 TAI")
    assert "W-RESTART" not in told
    assert "SEQFILE v1 -> v2" in told["N-RESTART"].text


def test_every_type_built_from_exposures_has_rules_and_a_site_may_change_them() -> None:
    without = {one.name for one in calib_types() if one.observation_type and one.rules == SelectionRules()}
    assert without == set()
    found = with_declared("new", {"ptc": {"rules": {"pairs": 20}}}).find("ptc")
    assert found is not None
    assert (found.rules.pairs, found.rules.low_e) == (20, 1000.0)


@pytest.mark.parametrize(
    "table", [{"pair": 1}, {"pairs": "many"}, {"lamp_off": "ignore"}, {"bands": "y"}, {"low_e": -1}]
)
def test_a_rule_that_is_none_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(UserInputError) as caught:
        read_rules(table, "mine")
    assert caught.value.code == "E-RECIPE"
    assert caught.value.hint


def test_statistics_are_the_median_over_detectors_in_electrons() -> None:
    gain = camera_numbers(CAMERA).gain_e_per_adu
    frames = [{"level_adu": 10.0, "bright": 0.0}, {"level_adu": 12.0, "bright": 0.1}, {"level_adu": 900.0}]
    found = frame_levels({1: frames, 2: [{"noise_adu": 3.0}]}, CAMERA)
    assert set(found) == {1}
    assert found[1].level_e == pytest.approx(12 * gain)
    assert found[1].bright == 0.1
    assert len(asked_detectors(load_camera("LSSTCam"))) <= 12
