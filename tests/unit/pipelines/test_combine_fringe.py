"""Fringe patterns from raw sky frames against those that were injected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.combine_fringe import combine_fringe
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from calibstore.pipelines.run_quantum import run_quantum
from kernels.simulate import exposure_rng, simulated_frame
from kernels.simulate_conditions import FrameConditions, FrameLight
from kernels.simulate_effects import SimulatedEffects
from kernels.simulate_effects_truth import EffectsTruth, effects_truth
from kernels.simulate_light import random_sources
from tests.support.raw_detector import SimulatedDetector, build_simulated
from tests.support.truth_products import true_bias_and_dark, write_truth

AMPLITUDE, SKY_E, N = 0.02, 4_000.0, 10


class Scene:
    """A detector that fringes in y, its calibrations, and frames of the sky with stars."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.simulated: SimulatedDetector = build_simulated(folder, seed=seed, response_rms=0.01)
        truth = self.simulated.truth
        self.effects: EffectsTruth = effects_truth(
            seed, 0, truth.layout, SimulatedEffects(fringe_by_band={"y": AMPLITUDE}),
            gain_e_per_adu=truth.gain_e_per_adu, full_well_e=truth.full_well_e,
        )  # fmt: skip
        flat = write_truth(self.simulated, "flat", self.simulated.assembled(truth.response), unit="")
        self.calibs: tuple[CalibInput, ...] = (*true_bias_and_dark(self.simulated), flat)

    @property
    def pattern(self) -> NDArray[np.floating]:
        """The pattern as it can be told from a slope of the sky: without its own plane."""
        assert self.effects.fringe is not None
        fringe = AMPLITUDE * self.simulated.assembled(self.effects.fringe).astype(np.float64)
        y, x = np.mgrid[0 : fringe.shape[0], 0 : fringe.shape[1]]
        design = np.stack([np.ones(fringe.size), y.ravel(), x.ravel()], axis=1)
        plane = design @ np.linalg.lstsq(design, fringe.ravel(), rcond=None)[0]
        flattened: NDArray[np.floating] = fringe - plane.reshape(fringe.shape)
        return flattened

    def raws(self, n: int = N, *, sky_e: float = SKY_E, first: int = 500) -> list[RawInput]:
        truth = self.simulated.truth
        found = []
        for number in range(first, first + n):
            rng = np.random.default_rng([self.seed, number])
            sources = random_sources(rng, truth.layout, n_per_amp=3, light_e=(3e3, 3e5), size_px=1.6)
            light = FrameLight(
                illumination_e=sky_e * rng.uniform(0.8, 1.2), band="y", is_sky=True, sources=sources,
                gradient=(rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02)),
            )  # fmt: skip
            conditions = FrameConditions(light=light, dark_time_s=30.0)
            frame = simulated_frame(truth, exposure_rng(self.seed, 0, number), conditions, self.effects)
            found.append(self.simulated.write(frame, number, seconds=30.0))
        return found

    def quantum(self, raws: list[RawInput], **parameters: object) -> Quantum:
        path = str(self.simulated.product_path("fringe"))
        output = OutputFile(dataset_type="fringe", dataset_id="id-fringe", run="r", path=path)
        return Quantum(
            label="fringe:0", task="combine_fringe", instrument="LSSTComCam", detector=self.simulated.detector,
            raws=tuple(raws), calibs=self.calibs, outputs=(output,), parameters={"block_px": 24, **parameters},
        )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_pattern_comes_back(tmp_path: Path, seed: int) -> None:
    scene = Scene(tmp_path, seed)
    raws = scene.raws()
    outcome = run_quantum(scene.quantum(raws))
    assert outcome.is_done, outcome.error
    path = scene.simulated.product_path("fringe")
    image, count = (read_plane(path, name).astype(np.float64) for name in ("IMAGE", "COUNT"))
    pattern = scene.pattern
    is_good = read_plane(path, "MASK") == 0
    assert is_good.mean() > 0.99
    slope = (image * pattern)[is_good].sum() / (pattern**2)[is_good].sum()
    # noise of 1.6 per cent of the sky in a frame on a pattern of 1: 0.2 per cent over 49 152 pixels of ten frames; the
    # wings of stars below the threshold are in the rest
    assert slope == pytest.approx(1, abs=0.02)
    residual = (image - slope * pattern)[is_good]
    # a tenth of the pattern would be 1e-3
    assert abs(np.median(residual)) < 5e-4
    # of the light alone, and 3 per cent for the clip; the clip of ten frames by their own quartiles takes one in ten,
    # and its spread with it, so that the variance plane promises 12 per cent less
    light = np.sqrt((SKY_E + 5.4**2) / SKY_E**2 / count[is_good].mean())
    assert residual.std() == pytest.approx(1.034 * light, rel=0.06)
    amplitudes = outcome.details["amplitudes"]
    assert isinstance(amplitudes, dict)
    # each frame is a tenth of what it is held against
    assert list(amplitudes.values()) == pytest.approx([1.0] * N, abs=0.25)
    assert np.mean(list(amplitudes.values())) == pytest.approx(1, abs=0.03)


def test_the_header_says_what_it_is_and_two_makings_are_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 4)
    raws = scene.raws(6)
    one = combine_fringe(scene.quantum(raws))
    other = combine_fringe(scene.quantum(raws[::-1]))
    assert one.files[0].content_sha256 == other.files[0].content_sha256
    header = read_header(scene.simulated.product_path("fringe"))
    assert header["OBSTYPE"] == "fringe"
    assert header["LSST ISR FLAT APPLIED"] is True
    assert header["LSST CALIB UUID FLAT"] == "id-flat"
    assert header["CPP_INPUT_SCALE_0"] == pytest.approx(SKY_E, rel=0.25)
    kept = combine_fringe(scene.quantum(raws, existing={"fringe": one.files[0].sha256}))
    assert kept.details["kept"] == ["fringe"]
    assert kept.files == one.files


def test_three_frames_have_the_variance_of_their_light(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 5)
    combine_fringe(scene.quantum(scene.raws(3), n_sigma=None))
    path = scene.simulated.product_path("fringe")
    variance, count = read_plane(path, "VARIANCE"), read_plane(path, "COUNT")
    # light of 4000 electrons and its read noise
    assert np.median(variance[count == 3]) == pytest.approx((SKY_E + 5.4**2) / SKY_E**2 / 3, rel=0.2)


def test_bad_input_is_named(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 6)
    raws = scene.raws(3)
    with pytest.raises(UserInputError, match="can never reject"):
        combine_fringe(scene.quantum(raws))
    with pytest.raises(UserInputError, match="no sky frames"):
        combine_fringe(scene.quantum([]))
    with pytest.raises(UserInputError, match="do not fit product other"):
        combine_fringe(scene.quantum(raws, product="other"))
    without = scene.quantum(raws, n_sigma=None)
    with pytest.raises(UserInputError, match="no flat to apply"):
        combine_fringe(replace(without, calibs=scene.calibs[:2]))
    scene.simulated.truth.fixed_pattern_e[...] -= 200
    night = scene.raws(1, sky_e=1e-3, first=900)
    with pytest.raises(ExecutionError, match="2024040100900 shows no sky") as caught:
        combine_fringe(scene.quantum(night, n_sigma=None))
    assert caught.value.code == "E-LEVEL"
