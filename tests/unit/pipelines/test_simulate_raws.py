"""A plan gives the same files whole or in parts, and a rehearsal holds what people must find in it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from calibstore.datastore.raw_headers import translate
from calibstore.errors import StoreError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.lsst_cameras import camera
from calibstore.model.times import day_obs_timespan
from calibstore.pipelines.rehearsal_plan import (
    BAD_BIAS_SEQ_NUM,
    BUILD_NIGHT,
    FAILING_AMPLIFIER,
    INDEPENDENT_NIGHT,
    OLD_NIGHT,
)
from calibstore.pipelines.simulate_raws import (
    SimulatedExposure,
    SimulationPlan,
    rehearsal_plan,
    simulate_raws,
    simulated_truth,
)

NIGHT = 20250408
BEGIN = day_obs_timespan(NIGHT).begin_tai_ns


@pytest.fixture(scope="module")
def latiss() -> Camera:
    return camera("LATISS", mini=True)


@pytest.fixture(scope="module")
def rehearsal(latiss: Camera, tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulationPlan, list[Path]]:
    plan = rehearsal_plan(latiss, 1, tmp_path_factory.mktemp("raws"))
    return plan, simulate_raws(plan)


def small_plan(latiss: Camera, directory: Path, **changes: object) -> SimulationPlan:
    exposures = tuple(
        SimulatedExposure(
            day_obs=NIGHT,
            seq_num=number,
            observation_type=kind,
            exposure_time_s=seconds,
            physical_filter="SDSSr_65mm~empty",
            begin_tai_ns=BEGIN + number * 60_000_000_000,
            illumination_e=light,
        )
        for number, (kind, seconds, light) in enumerate(
            [("bias", 0.0, 0.0), ("dark", 10.0, 0.0), ("flat", 2.0, 5_000.0), ("flat", 2.0, 5_000.0)], start=1
        )
    )
    plan = SimulationPlan(camera=latiss, seed=3, directory=directory, exposures=exposures, pixel_type="uint16")
    return replace(plan, **changes)  # type: ignore[arg-type]


def imaging_pixels(path: Path, latiss: Camera) -> NDArray[np.float64]:
    """Return the imaging pixels of each amplifier less the mean of its overscan rows [adu]."""
    frames = []
    with fits.open(path) as hdus:
        for amp, hdu in zip(latiss.detectors[0].amplifiers, hdus[1:], strict=True):
            raw = hdu.data.astype(np.float64)
            assert amp.serial_overscan is not None
            raw -= raw[:, amp.serial_overscan.x0 : amp.serial_overscan.x1].mean(axis=1, keepdims=True)
            frames.append(raw[amp.data.y0 : amp.data.y1, amp.data.x0 : amp.data.x1])
    return np.array(frames)


def test_a_part_of_a_plan_gives_the_same_bytes_as_the_whole(latiss: Camera, tmp_path: Path) -> None:
    whole = simulate_raws(small_plan(latiss, tmp_path / "whole"))
    plan = small_plan(latiss, tmp_path / "part")
    part = simulate_raws(replace(plan, exposures=plan.exposures[:1:-1]))
    assert [path.name for path in part] == [path.name for path in whole[:1:-1]]
    for one, other in zip(part, whole[:1:-1], strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert whole[2].read_bytes() != whole[3].read_bytes()


def test_another_seed_gives_other_pixels(latiss: Camera, tmp_path: Path) -> None:
    first = simulate_raws(small_plan(latiss, tmp_path / "a"))
    second = simulate_raws(small_plan(latiss, tmp_path / "b", seed=4))
    assert all(one.read_bytes() != other.read_bytes() for one, other in zip(first, second, strict=True))


def test_progress_is_told_after_each_frame(latiss: Camera, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    paths = simulate_raws(small_plan(latiss, tmp_path), lambda done, total, name: told.append((done, total, name)))
    assert told == [(number, 4, path.name) for number, path in enumerate(paths, start=1)]


def test_types_hold_their_light(latiss: Camera, tmp_path: Path) -> None:
    bias, dark, flat, _ = simulate_raws(small_plan(latiss, tmp_path))
    gain = simulated_truth(small_plan(latiss, tmp_path), latiss.detectors[0]).gain_e_per_adu
    levels = [np.median(imaging_pixels(path, latiss), axis=(1, 2)) * gain for path in (bias, dark, flat)]
    assert np.abs(levels[0]).max() < 5
    assert np.abs(levels[1]).max() < 5
    assert_allclose(levels[2], 5_000, rtol=0.01)
    assert [fits.getval(path, "DARKTIME") for path in (bias, dark)] == [0.0, 10.24]
    assert fits.getval(flat, "IMGTYPE") == "FLAT"


def test_int32_frames_go_past_16_bits(latiss: Camera, tmp_path: Path) -> None:
    plan = small_plan(latiss, tmp_path, pixel_type="int32")
    bright = replace(plan.exposures[2], illumination_e=90_000.0)
    (path,) = simulate_raws(replace(plan, exposures=(bright,)))
    with fits.open(path) as hdus:
        assert hdus[1].header["BITPIX"] == 32
        assert hdus[1].data.max() > 90_000


def test_comcam_has_nine_detectors_each_with_its_own_truth(tmp_path: Path) -> None:
    comcam = camera("LSSTComCam", mini=True)
    plan = small_plan(comcam, tmp_path)
    paths = simulate_raws(replace(plan, exposures=(replace(plan.exposures[0], physical_filter="r_03"),)))
    assert [path.name for path in paths] == [
        f"CC_O_20250408_000001_R22_S{r}{c}.fits" for r in range(3) for c in range(3)
    ]
    assert len({path.read_bytes()[5760:] for path in paths}) == 9
    assert len(list(tmp_path.glob("truth_R22_S*.npz"))) == 9


def test_a_contradicting_plan_is_refused_before_anything_is_written(latiss: Camera, tmp_path: Path) -> None:
    plan = small_plan(latiss, tmp_path / "raws")
    first = plan.exposures[0]
    faults = {
        "planned twice": (first, first),
        "begins on day_obs 20250407": (replace(first, begin_tai_ns=BEGIN - 1),),
        "'spot' cannot be simulated": (replace(first, observation_type="spot"),),
    }
    for message, exposures in faults.items():
        with pytest.raises(UserInputError, match=message):
            simulate_raws(replace(plan, exposures=exposures))
    with pytest.raises(UserInputError, match="seed -1"):
        simulate_raws(replace(plan, seed=-1))
    assert not (tmp_path / "raws").exists()


def test_a_folder_that_cannot_be_made_is_a_store_fault(latiss: Camera, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        simulate_raws(small_plan(latiss, tmp_path / "file" / "raws"))


def test_a_rehearsal_has_nights_to_build_judge_and_look_up(rehearsal: tuple[SimulationPlan, list[Path]]) -> None:
    plan, paths = rehearsal
    headers = [fits.getheader(path) for path in paths]
    n_biases = {
        night: sum(h["IMGTYPE"] == "BIAS" and h["DAYOBS"] == str(night) for h in headers)
        for night in (OLD_NIGHT, BUILD_NIGHT, INDEPENDENT_NIGHT)
    }
    assert n_biases == {OLD_NIGHT: 3, BUILD_NIGHT: 25, INDEPENDENT_NIGHT: 6}
    science_days = {h["DAYOBS"] for h in headers if h["IMGTYPE"] == "OBJECT"}
    assert min(science_days) < str(BUILD_NIGHT) < max(science_days)
    state = [tuple(h[keyword] for keyword in plan.camera.state_keywords) for h in headers]
    assert len(set(state)) == 2
    begins = [h["DATE-BEG"] for h in headers]
    ends = [h["DATE-END"] for h in headers]
    assert begins == sorted(begins)
    assert all(end <= begin for end, begin in zip(ends[:-1], begins[1:], strict=True))
    changes = [index for index in range(1, len(state)) if state[index] != state[index - 1]]
    assert [headers[index]["DAYOBS"] for index in changes] == [str(BUILD_NIGHT)]


def test_simulated_frames_are_read_like_real_ones(rehearsal: tuple[SimulationPlan, list[Path]]) -> None:
    plan, paths = rehearsal
    for planned, path in zip(plan.exposures, paths, strict=True):
        exposure, detector = translate(path, plan.camera)
        assert detector == 0
        assert exposure.id == planned.day_obs * 100_000 + planned.seq_num
        assert (exposure.day_obs, exposure.seq_num) == (planned.day_obs, planned.seq_num)
        assert exposure.observation_type == planned.observation_type
        assert exposure.observation_reason == planned.reason
        assert exposure.science_program == planned.program
        assert exposure.physical_filter == planned.physical_filter
        assert exposure.exposure_time_s == planned.exposure_time_s
        assert exposure.camera_state == planned.camera_state
        assert exposure.timespan.begin_tai_ns == planned.begin_tai_ns


def test_a_rehearsal_is_small(rehearsal: tuple[SimulationPlan, list[Path]]) -> None:
    plan, _ = rehearsal
    assert sum(path.stat().st_size for path in plan.directory.iterdir()) < 60e6


def test_exposure_six_and_one_amplifier_stand_out_in_a_rehearsal(
    rehearsal: tuple[SimulationPlan, list[Path]], latiss: Camera
) -> None:
    _, paths = rehearsal
    biases = [path for path in paths if f"_{BUILD_NIGHT}_" in path.name and fits.getval(path, "IMGTYPE") == "BIAS"]
    frames = np.array([imaging_pixels(path, latiss) for path in biases])
    residual = frames - np.median(frames, axis=0)
    exposure_mean = np.abs(residual.mean(axis=(1, 2, 3)))
    worst = int(np.argmax(exposure_mean))
    assert worst + 1 == BAD_BIAS_SEQ_NUM
    assert exposure_mean[worst] > 5 * np.delete(exposure_mean, worst).max()
    scatter = residual.std(axis=(2, 3))
    noise_e = np.median(np.delete(scatter, worst, axis=0), axis=0) * latiss.detectors[0].amplifiers[0].gain_e_per_adu
    names = [amp.name for amp in latiss.detectors[0].amplifiers]
    failing = names.index(FAILING_AMPLIFIER)
    assert noise_e[failing] / latiss.detectors[0].amplifiers[failing].read_noise_e > 2
    assert np.delete(noise_e, failing).max() < 1.15 * latiss.detectors[0].amplifiers[0].read_noise_e


def test_the_truth_lies_beside_the_frames(rehearsal: tuple[SimulationPlan, list[Path]], latiss: Camera) -> None:
    plan, _ = rehearsal
    truth = simulated_truth(plan, latiss.detectors[0])
    with np.load(plan.directory / "truth_RXX_S00.npz") as stored:
        assert_allclose(stored["bias_structure_e"], truth.bias_structure_e)
        assert_allclose(stored["gain_e_per_adu"], truth.gain_e_per_adu)
    summary = json.loads((plan.directory / "truth_RXX_S00.json").read_text(encoding="utf-8"))
    assert summary["failing_amplifiers"] == [FAILING_AMPLIFIER]
    assert list(summary["bad_exposures"]) == [f"{BUILD_NIGHT}{BAD_BIAS_SEQ_NUM:05d}"]
    assert [amp["name"] for amp in summary["amplifiers"]] == [amp.name for amp in latiss.detectors[0].amplifiers]
