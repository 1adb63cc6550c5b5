"""A calibration night has what every product needs, its truth is complete, and its light is where it says."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import read_calib_tables
from calibstore.datastore.raw_headers import translate
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.calibration_night import (
    CALIBRATION_NIGHT,
    RESTART_NIGHT,
    calibration_night_plan,
    ramp_levels,
)
from calibstore.pipelines.simulate_raws import simulate_raws, simulated_effects, simulated_truth
from calibstore.pipelines.simulation_plan import SimulatedExposure, SimulationPlan
from kernels.simulate import FailingAmplifier
from kernels.simulate_effects import SimulatedEffects, published_effects
from kernels.simulate_effects_truth import DEFECT_KINDS

NONE = SimulatedEffects()
SMALL = {
    "n_bias": 2,
    "n_dark": 1,
    "n_flats": 2,
    "n_pairs": 5,
    "n_fringe": 1,
    "n_science": 1,
    "n_spots": 1,
    "n_gain_flats": 2,
    "n_old_biases": 1,
}


@pytest.fixture(scope="module")
def latiss() -> Camera:
    return camera("LATISS", mini=True)


@pytest.fixture(scope="module")
def night(latiss: Camera, tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulationPlan, list[Path]]:
    plan = calibration_night_plan(latiss, 3, tmp_path_factory.mktemp("night"), bands=("r", "y"), **SMALL)  # type: ignore[arg-type]
    return plan, simulate_raws(plan)


def signal(path: Path, latiss: Camera) -> NDArray[np.float64]:
    """Return the imaging pixels less the median of their overscan rows [adu]."""
    frames = []
    with fits.open(path) as hdus:
        for amp, hdu in zip(latiss.detectors[0].amplifiers, hdus[1:], strict=True):
            raw = hdu.data.astype(np.float64)
            assert amp.serial_overscan is not None
            raw -= np.median(raw[:, amp.serial_overscan.x0 + 16 : amp.serial_overscan.x1], axis=1, keepdims=True)
            frames.append(raw[amp.data.y0 : amp.data.y1, amp.data.x0 : amp.data.x1])
    return np.array(frames)


def test_a_night_has_the_exposures_of_every_product(latiss: Camera, tmp_path: Path) -> None:
    plan = calibration_night_plan(latiss, 1, tmp_path, bands=("r", "z", "y"))
    counted = Counter((one.day_obs, one.observation_type, one.observation_reason) for one in headers_of(plan))
    assert counted == {
        (20250401, "bias", "bias"): 2,
        (CALIBRATION_NIGHT, "bias", "bias"): 20,
        (CALIBRATION_NIGHT, "dark", "dark"): 20,
        (CALIBRATION_NIGHT, "flat", "flat"): 60,
        (CALIBRATION_NIGHT, "flat", "daily_PTC"): 80,
        (CALIBRATION_NIGHT, "science", "crosstalk_spots"): 12,
        (CALIBRATION_NIGHT, "science", "fringe"): 20,
        (CALIBRATION_NIGHT, "science", "field_survey_science"): 2,
        (CALIBRATION_NIGHT, "flat", "gain_flat"): 4,
        (RESTART_NIGHT, "flat", "gain_flat"): 4,
    }
    bands = {latiss.band(one.physical_filter) for one in plan.exposures if one.observation_type == "flat"}
    assert bands == {"r", "z", "y"}
    begins = [one.begin_tai_ns for one in plan.exposures]
    ends = [one.begin_tai_ns + round((one.exposure_time_s + 0.3) * 1e9) for one in plan.exposures]
    assert all(end <= begin for end, begin in zip(ends[:-1], begins[1:], strict=True))
    assert {one.gain_epoch for one in plan.exposures if one.day_obs == RESTART_NIGHT} == {1}
    states = [one.camera_state["SEQNAME"] for one in plan.exposures]
    assert states[0] != states[2]


def headers_of(plan: SimulationPlan) -> list["Planned"]:
    return [Planned(one) for one in plan.exposures]


class Planned:
    """A planned exposure under the names of the exposure record."""

    def __init__(self, planned: SimulatedExposure) -> None:
        self.day_obs = planned.day_obs
        self.observation_type = planned.observation_type
        self.observation_reason = planned.reason


@pytest.mark.parametrize("n_pairs", [5, 40, 100])
def test_a_ramp_goes_from_read_noise_to_beyond_the_full_well(n_pairs: int) -> None:
    levels = ramp_levels(130_000.0, n_pairs)
    assert len(levels) == n_pairs
    assert levels[0] == 100
    assert sum(level <= 1_000.001 for level in levels) >= 4
    assert_allclose(levels[-1], 1.2 * 130_000)
    assert np.all(np.diff(levels) > 0)


def test_pairs_share_their_time_and_no_other_pair_is_near(latiss: Camera, tmp_path: Path) -> None:
    plan = calibration_night_plan(latiss, 1, tmp_path, n_pairs=100, n_odd=1, lamp_drift=0.02, warming_k=3.0)
    ramp = [one for one in plan.exposures if one.reason == "daily_PTC"]
    times = Counter(one.exposure_time_s for one in ramp)
    assert sorted(times.values()) == [2] * 99 + [3]
    assert np.diff(sorted(times)).min() > 5e-3
    light_per_s = [one.illumination_e / one.exposure_time_s for one in ramp]
    assert_allclose(light_per_s[-1] / light_per_s[0], 1.02, rtol=1e-3)
    assert (ramp[0].warmer_k, round(ramp[-1].warmer_k, 1)) == (0.0, 3.0)
    current = [one.photodiode_current_a for one in ramp]
    assert_allclose(np.array(current) / light_per_s, current[0] / light_per_s[0])


def test_faulty_flats_are_among_the_good_ones(latiss: Camera, tmp_path: Path) -> None:
    plan = calibration_night_plan(latiss, 1, tmp_path, n_lamp_off=1, n_outlier_flats=2)
    light = [one.illumination_e for one in plan.exposures if one.reason == "flat"]
    assert light.count(0.0) == 1
    assert sum(value > 1.4 * light[0] for value in light) == 2


def test_amplifiers_scatter_as_published_only_with_effects(latiss: Camera, tmp_path: Path) -> None:
    nominal = np.array([amp.gain_e_per_adu for amp in latiss.detectors[0].amplifiers])
    scatter = {}
    for name, effects in (("published", None), ("none", {})):
        plan = calibration_night_plan(latiss, 1, tmp_path, effects=effects)
        scatter[name] = (simulated_truth(plan, latiss.detectors[0]).gain_e_per_adu / nominal - 1).std()
    # Sixteen values know their scatter to 18 %; both are the same draws times their strength.
    assert_allclose(scatter["published"] / scatter["none"], 0.017 / 0.005)
    assert 0.5 * 0.017 < scatter["published"] < 1.5 * 0.017


def test_a_camera_without_the_band_is_refused(latiss: Camera, tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="no filter of band 'u'"):
        calibration_night_plan(latiss, 1, tmp_path, bands=("u",))


def test_frames_are_read_like_real_ones(night: tuple[SimulationPlan, list[Path]]) -> None:
    plan, paths = night
    assert len(paths) == len(plan.exposures)
    for planned, path in zip(plan.exposures, paths, strict=True):
        exposure, detector = translate(path, plan.camera)
        assert detector == 0
        assert exposure.observation_reason == planned.reason.lower()
        assert exposure.exposure_time_s == planned.exposure_time_s
        assert exposure.observation_type == planned.observation_type


def test_photodiode_files_hold_the_light_of_their_exposure(night: tuple[SimulationPlan, list[Path]]) -> None:
    plan, paths = night
    readings = sorted(plan.directory.glob("*_photodiode.ecsv"))
    ramp = [(one, path) for one, path in zip(plan.exposures, paths, strict=True) if one.reason == "daily_PTC"]
    assert [path.name for path in readings] == sorted(
        path.name.replace("_R00_S00.fits", "_photodiode.ecsv") for _, path in ramp
    )
    for planned, path in ramp:
        tables = read_calib_tables(path.with_name(path.name.replace("_R00_S00.fits", "_photodiode.ecsv")))
        assert (tables.obstype, tables.calib_class) == ("PHOTODIODE", "lsst.ip.isr.PhotodiodeCalib")
        assert (tables.metadata["DAY_OBS"], tables.metadata["SEQ_NUM"]) == (planned.day_obs, planned.seq_num)
        columns = tables.tables[0].columns
        current = columns["CURRENT"] - np.median(np.sort(columns["CURRENT"])[:40])
        assert_allclose(np.trapezoid(current, columns["TIME"]), planned.illumination_e * 2e-13, rtol=2e-3)


def test_the_truth_of_every_effect_lies_beside_the_frames(
    night: tuple[SimulationPlan, list[Path]], latiss: Camera
) -> None:
    plan, _ = night
    shape = (16, 96, 64)
    with np.load(plan.directory / "truth_RXX_S00.npz") as stored:
        truth = dict(stored)
    images = ("bias_structure_e", "dark_rate_e_per_s", "flat_r", "flat_y", "fringe_y", "defect_kind")
    assert {name: truth[name].shape for name in images} == dict.fromkeys(images, shape)
    for name in ("gain_e_per_adu", "read_noise_e", "global_cti", "drift_scale", "decay_time_px", "turnoff_adu"):
        assert truth[name].shape == (16,)
        assert np.all(truth[name] > 0)
    assert truth["a_matrix"].shape == (8, 8)
    assert truth["a_matrix"][0, 1] > truth["a_matrix"][1, 0] > 0 > truth["a_matrix"][0, 0]
    assert truth["crosstalk"].shape == (16, 16)
    assert truth["nonlinearity_adu"].shape == (16, len(truth["nonlinearity_x_adu"]))
    assert truth["gain_epochs"].shape[1] == 16
    assert "fringe_r" not in truth
    kinds = set(np.unique(truth["defect_kind"])) - {0}
    assert {DEFECT_KINDS[kind] for kind in kinds} >= {"hot column", "cold column", "blinking column", "cold pixel"}
    summary = json.loads((plan.directory / "truth_RXX_S00.json").read_text(encoding="utf-8"))
    assert summary["defect_kinds"] == list(DEFECT_KINDS)
    assert summary["effects"]["a00"] == -3.5e-6
    assert len(summary["exposures"]) == len(plan.exposures)
    effects = simulated_effects(plan, latiss.detectors[0], simulated_truth(plan, latiss.detectors[0]))
    assert effects is not None
    assert_array_equal(effects.pattern * 0 + effects.band_response(truth["response"], "r"), truth["flat_r"])


def test_flats_are_as_bright_as_their_truth_says(night: tuple[SimulationPlan, list[Path]], latiss: Camera) -> None:
    plan, paths = night
    with np.load(plan.directory / "truth_RXX_S00.npz") as stored:
        truth = dict(stored)
    for planned, path in zip(plan.exposures, paths, strict=True):
        if planned.reason not in {"flat", "gain_flat"}:
            continue
        gain = truth["gain_e_per_adu"] * truth["gain_epochs"][planned.gain_epoch]
        measured = np.median(signal(path, latiss), axis=(1, 2))
        linear = measured - [
            np.interp(measured[amp], truth["nonlinearity_x_adu"], truth["nonlinearity_adu"][amp]) for amp in range(16)
        ]
        response = np.median(truth[f"flat_{latiss.band(planned.physical_filter)}"], axis=(1, 2))
        expected = planned.illumination_e * response * (1 + truth["crosstalk"].sum(axis=0) + truth["drift_scale"])
        # A median of 6144 pixels of 180 e scatter: 3 e in 32 ke; the rows' levels and the raised columns: 10 e.
        assert_allclose(linear * gain, expected, rtol=8e-4)


def test_the_variance_turns_off_within_the_ramp(latiss: Camera, tmp_path: Path) -> None:
    plan = calibration_night_plan(latiss, 1, tmp_path, n_pairs=40, effects=replace(NONE, full_well_scatter=0.05))
    ramp = [one for one in plan.exposures if one.reason == "daily_PTC" and one.illumination_e > 80_000]
    paths = simulate_raws(replace(plan, exposures=tuple(ramp)))
    truth = simulated_truth(plan, latiss.detectors[0])
    variance, mean = [], []
    for first, second in zip(paths[::2], paths[1::2], strict=True):
        pair = signal(first, latiss), signal(second, latiss)
        variance.append([np.var((pair[0] - pair[1])[amp]) / 2 for amp in range(16)])
        mean.append(pair[0].mean(axis=(1, 2)))
    turnoff = np.array(mean)[np.argmax(variance, axis=0), np.arange(16)] * truth.gain_e_per_adu
    step = ramp[2].illumination_e - ramp[0].illumination_e
    # The variance of 6144 pixels is known to 1.8 %, half of what a step adds: two steps either way, not the wells' 5 %.
    assert_allclose(turnoff, truth.full_well_e, atol=2.2 * step)
    assert abs((turnoff - truth.full_well_e).mean()) < step
    assert np.corrcoef(turnoff, truth.full_well_e)[0, 1] > 0.5


def test_an_amplifier_that_is_not_a_number_is_kept_in_floating_point(latiss: Camera, tmp_path: Path) -> None:
    plan = calibration_night_plan(
        latiss, 1, tmp_path, effects=NONE, failing_amplifiers={0: (FailingAmplifier(amp=2, is_nan=True),)}
    )
    (path,) = simulate_raws(replace(plan, exposures=plan.exposures[:1], pixel_type="float32"))
    with fits.open(path) as hdus:
        is_nan = [bool(np.isnan(hdu.data).any()) for hdu in hdus[1:]]
        assert hdus[1].header["BITPIX"] == -32
    assert is_nan == [index == 2 for index in range(16)]


def test_persistence_remembers_the_exposure_before(latiss: Camera, tmp_path: Path) -> None:
    strong = replace(NONE, persistence=0.05)
    plan = calibration_night_plan(latiss, 1, tmp_path, effects=strong, **(SMALL | {"n_dark": 3}))  # type: ignore[arg-type]
    flat = next(one for one in plan.exposures if one.reason == "flat")
    first, _, second = (one for one in plan.exposures if one.observation_type == "dark")
    bright = replace(flat, seq_num=900, begin_tai_ns=second.begin_tai_ns - 17_000_000_000)
    paths = simulate_raws(replace(plan, exposures=(first, bright, second)))
    gain = simulated_truth(plan, latiss.detectors[0]).gain_e_per_adu
    charge = [np.median(signal(paths[index], latiss), axis=(1, 2)) * gain for index in (0, 2)]
    gap_s = (second.begin_tai_ns - bright.begin_tai_ns) / 1e9 - bright.exposure_time_s - 0.24
    expected = 0.05 * bright.illumination_e * np.exp(-gap_s / 60) * (1 - np.exp(-30.24 / 60))
    assert_allclose(charge[1] - charge[0], expected, rtol=0.03)


def test_each_vendor_has_its_effects_and_corners_their_shade(tmp_path: Path) -> None:
    lsstcam = camera("LSSTCam", mini=True)
    plan = calibration_night_plan(lsstcam, 1, tmp_path)
    assert plan.effects["E2V"] == published_effects("LSSTCam", "E2V", is_mini=True)
    assert plan.effects["ITL"].midline_dip == 0
    mean = {}
    for name in ("R22_S11", "R01_S00", "R44_SW0"):
        detector = next(one for one in lsstcam.detectors if one.full_name == name)
        truth = simulated_truth(plan, detector)
        effects = simulated_effects(plan, detector, truth)
        assert effects is not None
        mean[name] = float(np.median(effects.pattern))
        assert (DEFECT_KINDS.index("midline") in effects.defect_kind) == (detector.kind == "E2V")
    assert mean["R22_S11"] > 0.99
    # R01_S00 lies 169 + 254 mm off the axis at the farthest: about 340 mm, in the shade.
    assert mean["R01_S00"] < 0.9
    assert mean["R44_SW0"] < 0.5
