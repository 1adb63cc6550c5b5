"""Gain corrections: steps injected into raw flats come back, and signature removal takes them off again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.combine import combine
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.gain_correction_dataset import read_gain_correction
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.measure_gain_correction import measure_gain_correction
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from calibstore.pipelines.run_quantum import run_quantum
from kernels.simulate import bias_frame, dark_frame, flat_frame
from tests.support.raw_detector import SimulatedDetector, build_simulated

N_AMPS = 8
LIGHT_E = 40_000.0
MINI = {"edge_px": 4, "bin_px": 4}


def calib(simulated: SimulatedDetector, product: str) -> CalibInput:
    return CalibInput(
        dataset_type=product, dataset_id=f"id-{product}", run="r", path=str(simulated.product_path(product))
    )


def make_calibs(simulated: SimulatedDetector, seed: int) -> tuple[CalibInput, ...]:
    """Make bias, dark and the certified flat of before the restart."""
    truth = simulated.truth
    biases = [simulated.write(bias_frame(truth, np.random.default_rng([seed, n])), n) for n in range(8)]
    combine(simulated.quantum("bias", biases))
    darks = [
        simulated.write(dark_frame(truth, np.random.default_rng([seed, n]), dark_time_s=30.0), n, seconds=30.0)
        for n in range(100, 108)
    ]
    made: tuple[CalibInput, ...] = (calib(simulated, "bias"),)
    combine(simulated.quantum("dark", darks, made))
    made = (*made, calib(simulated, "dark"))
    combine(simulated.quantum("flat", flats(simulated, seed, 200, 10), made))
    return (*made, calib(simulated, "flat"))


def flats(
    simulated: SimulatedDetector, seed: int, first: int, n: int, steps: NDArray[np.float64] | None = None
) -> list[RawInput]:
    """Write flats; `steps` multiply the gains: the same charge makes fewer adu."""
    truth = simulated.truth
    if steps is not None:
        truth = replace(truth, gain_e_per_adu=truth.gain_e_per_adu * steps)
    raws = []
    for number in range(first, first + n):
        light_e = LIGHT_E * (1 + 0.01 * (number - first))
        frame = flat_frame(truth, np.random.default_rng([seed, number]), illumination_e=light_e)
        raws.append(simulated.write(frame, number, seconds=2.0))
    return raws


def quantum(
    simulated: SimulatedDetector, raws: list[RawInput], calibs: tuple[CalibInput, ...], **more: object
) -> Quantum:
    path = str(simulated.product_path("gain_correction"))
    output = OutputFile(dataset_type="gain_correction", dataset_id="id-gc", run="r", path=path)
    return Quantum(
        label="gain_correction:0", task="measure_gain_correction", instrument="LSSTComCam",
        detector=simulated.detector, raws=tuple(raws), calibs=calibs, outputs=(output,), parameters={**MINI, **more},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_step_of_one_per_cent_comes_back_to_a_tenth(tmp_path: Path, seed: int) -> None:
    simulated = build_simulated(tmp_path, seed=seed, response_rms=0.01)
    calibs = make_calibs(simulated, seed)
    steps = np.ones(N_AMPS)
    steps[seed], steps[seed + 3] = 1.01, 0.985
    outcome = run_quantum(quantum(simulated, flats(simulated, seed, 300, 4, steps), calibs))
    assert outcome.is_done, outcome.error
    found = np.array([*read_gain_correction(simulated.product_path("gain_correction")).values()])
    # 56 x 88 pixels of 40 000 electrons and a plane over them: 3e-4 in one flat, half of it in four; the flat's own
    # noise, the same in all, is 2e-4
    np.testing.assert_allclose(found / np.median(found), steps / np.median(steps), atol=1e-3)
    assert outcome.details["n_flats"] == 4
    assert outcome.details["not_adjusted"] == {}


def test_signature_removal_with_it_sees_one_level_again(tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=5)
    calibs = make_calibs(simulated, 5)
    steps = np.linspace(0.98, 1.02, N_AMPS)
    raws = flats(simulated, 5, 300, 4, steps)
    measure_gain_correction(quantum(simulated, raws, calibs))
    flags = replace(flags_for("flat", "LSSTComCam"), flat=True, gain_correction=True)
    spread = []
    for applied in (calibs, (*calibs, calib(simulated, "gain_correction"))):
        with open_corrected(simulated.detector, raws[:1], applied, flags=flags, instrument="LSSTComCam") as (frame,):
            medians = [np.median(frame.read_amplifier(amp)[0]) for amp in range(N_AMPS)]
        spread.append(np.ptp(medians) / np.median(medians))
    assert spread[0] > 0.03
    # medians of 6144 pixels of 0.5 per cent scatter: 1e-4 each
    assert spread[1] < 2e-3


def test_what_is_too_far_keeps_its_gain_and_what_is_dark_has_none(tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=6)
    calibs = make_calibs(simulated, 6)
    steps = np.ones(N_AMPS)
    steps[2], steps[5] = 1.08, 1.01
    truth = replace(simulated.truth, response=simulated.truth.response.copy())
    truth.response[7] = 0
    raws = flats(replace(simulated, truth=truth), 6, 300, 3, steps)
    outcome = measure_gain_correction(quantum(simulated, raws, calibs))
    names = [amplifier.name for amplifier in simulated.detector.amplifiers]
    found = read_gain_correction(simulated.product_path("gain_correction"))
    assert found[names[2]] == 1.0
    assert np.isnan(found[names[7]])
    assert found[names[5]] == pytest.approx(1.01, abs=1e-3)
    assert outcome.details["not_adjusted"] == {names[2]: "off by more than 5%", names[7]: "no light"}


def test_two_makings_are_one_and_bad_input_is_named(tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=7)
    calibs = make_calibs(simulated, 7)
    raws = flats(simulated, 7, 300, 2)
    one = measure_gain_correction(quantum(simulated, raws, calibs))
    other = measure_gain_correction(quantum(simulated, raws[::-1], calibs))
    assert one.files[0].content_sha256 == other.files[0].content_sha256
    kept = measure_gain_correction(quantum(simulated, raws, calibs, existing={"gain_correction": one.files[0].sha256}))
    assert kept.details == {"kept": ["gain_correction"]}
    with pytest.raises(UserInputError, match="no flat to apply"):
        measure_gain_correction(quantum(simulated, raws, calibs[:2]))
    with pytest.raises(UserInputError, match="one detector's flats"):
        measure_gain_correction(quantum(simulated, [], calibs))
    with pytest.raises(UserInputError, match="bin_px"):
        measure_gain_correction(quantum(simulated, raws, calibs, bin_px=2.5))
    dark = replace(simulated.truth, response=np.zeros_like(simulated.truth.response))
    dark = replace(dark, fixed_pattern_e=dark.fixed_pattern_e - 50)
    lamp_off = flats(replace(simulated, truth=dark), 7, 400, 1)
    with pytest.raises(ExecutionError, match="no amplifier has light"):
        measure_gain_correction(quantum(simulated, lamp_off, calibs))
