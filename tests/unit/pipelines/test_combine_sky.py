"""The sky's shape on the detectors of a focal plane from raw frames against the one that was injected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import read_calib_tables, write_calib_tables
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ConflictError, ExecutionError, UserInputError
from calibstore.model.codec import to_plain
from calibstore.pipelines.combine_sky import combine_sky
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from calibstore.pipelines.run_quantum import run_quantum
from calibstore.pipelines.sky_levels import sky_levels
from kernels.binning import bin_mean
from kernels.simulate import exposure_rng, simulated_frame
from kernels.simulate_conditions import FrameConditions, FrameLight
from kernels.simulate_light import random_sources
from tests.support.raw_detector import SimulatedDetector, build_simulated
from tests.support.truth_products import true_bias_and_dark, write_truth

PIXEL_MM, BLOCK, SKY_E, N = 0.16, 16, 2_000.0, 6


class Scene:
    """Four small detectors of two vendors; the sky has waves that the flat does not know of."""

    def __init__(self, folder: Path, seed: int, n_detectors: int = 4) -> None:
        self.seed, self.folder = seed, folder
        self.detectors: list[SimulatedDetector] = []
        self.calibs: list[tuple[CalibInput, ...]] = []
        self.levels = np.random.default_rng([seed, 2]).uniform(0.8, 1.2, N)
        self.slopes = np.random.default_rng([seed, 3]).uniform(-1e-3, 1e-3, (N, 2))
        for number in range(n_detectors):
            made = build_simulated(folder, seed=seed, number=number, n_amps=4)
            x_mm, y_mm = 42.0 * (number % 2), 42.0 * (number // 2)
            detector = replace(made.detector, center_x_mm=x_mm, center_y_mm=y_mm, kind="ITL" if number < 2 else "E2V")
            simulated = replace(made, detector=detector)
            flat = write_truth(simulated, "flat", simulated.assembled(made.truth.response), unit="")
            self.detectors.append(simulated)
            self.calibs.append((*true_bias_and_dark(simulated), flat))

    def waves(self, number: int) -> NDArray[np.float64]:
        detector = self.detectors[number].detector
        y, x = np.mgrid[0 : detector.height, 0 : detector.width]
        phase = np.random.default_rng([self.seed, 4, number]).uniform(0, 2 * np.pi)
        waves: NDArray[np.float64] = 0.03 * np.sin(2 * np.pi * (x + 0.5 * y) / 64 + phase)
        return waves

    def raws(self, number: int) -> list[RawInput]:
        simulated = self.detectors[number]
        layout, detector = simulated.truth.layout, simulated.detector
        response = simulated.truth.response.copy()
        for amp in range(layout.n_amps):
            response[amp] *= 1 + self.waves(number)[np.ix_(*layout.detector_rows_columns(amp))].astype(np.float32)
        truth = replace(simulated.truth, response=response)
        found = []
        for exposure in range(N):
            rng = np.random.default_rng([self.seed, 5, number, exposure])
            slope = self.slopes[exposure]
            middle = 1 + slope[0] * detector.center_x_mm + slope[1] * detector.center_y_mm
            half = np.array([detector.height, detector.width]) * PIXEL_MM / 2
            light = FrameLight(
                illumination_e=SKY_E * self.levels[exposure] * middle, is_sky=True,
                gradient=(slope[1] * half[0] / middle, slope[0] * half[1] / middle),
                sources=random_sources(rng, layout, n_per_amp=2, light_e=(3e3, 1e5), size_px=1.6),
            )  # fmt: skip
            frame = simulated_frame(
                truth, exposure_rng(self.seed, number, exposure), FrameConditions(light=light, dark_time_s=30.0)
            )
            found.append(simulated.write(frame, 600 + exposure, seconds=30.0))
        return found

    def measured(self, number: int, **parameters: object) -> Quantum:
        output = OutputFile(
            dataset_type="skyLevels", dataset_id=f"l{number}", run="r", path=str(self.folder / f"l{number}.fits")
        )
        return Quantum(
            label=f"sky.levels:{number}", task="sky_levels", instrument="LSSTComCam",
            detector=self.detectors[number].detector, raws=tuple(self.raws(number)), calibs=self.calibs[number],
            outputs=(output,), parameters={"sky_block_px": BLOCK, "block_px": 24, **parameters},
        )  # fmt: skip

    def combined(self, numbers: range) -> Quantum:
        calibs = tuple(
            CalibInput(dataset_type="skyLevels", dataset_id=f"l{n}", run="r", path=str(self.folder / f"l{n}.fits"))
            for n in numbers
        )
        outputs = tuple(
            OutputFile(dataset_type="sky", dataset_id=f"s{n}", run="r", path=str(self.folder / f"sky{n}.fits"))
            for n in numbers
        )
        told = [to_plain(self.detectors[n].detector) for n in numbers]
        return Quantum(
            label="sky:combine", task="combine_sky", instrument="LSSTComCam", calibs=calibs, outputs=outputs,
            parameters={"detectors": told, "pixel_size_mm": PIXEL_MM},
        )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_the_waves_come_back_on_every_detector(tmp_path: Path, seed: int) -> None:
    scene = Scene(tmp_path, seed)
    for number in range(4):
        outcome = run_quantum(scene.measured(number))
        assert outcome.is_done, outcome.error
    outcome = run_quantum(scene.combined(range(4)))
    assert outcome.is_done, outcome.error
    assert len(outcome.files) == 4
    slopes = []
    for number in range(4):
        path = tmp_path / f"sky{number}.fits"
        image, bits = read_plane(path).astype(np.float64), read_plane(path, "MASK")
        wanted = bin_mean(scene.waves(number).astype(np.float32), BLOCK).astype(np.float64)
        assert image.shape == wanted.shape == (12, 8)
        assert not bits.any()
        centered = wanted - wanted.mean()
        slopes.append(float((image * centered).sum() / (centered**2).sum()))
        header = read_header(path)
        assert (header["DETECTOR"], header["BINNING"], header["OBSTYPE"]) == (number, BLOCK, "SKY")
        assert header["LSST ISR FLAT APPLIED"] is True
        assert header["LSST CALIB UUID FLAT"] == "id-flat"
    # waves of 10 mm in cells of 41: the smooth sky takes a little; noise of 1.6e-3 in a block, six times
    assert slopes == pytest.approx([1.0] * 4, abs=0.12)
    scales = outcome.details["scales"]
    assert isinstance(scales, dict)
    assert sorted(scales) == ["E2V", "ITL"]
    assert len(scales["ITL"]) == N


def test_two_makings_are_one_and_bad_input_is_named(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 3, n_detectors=1)
    levels = scene.measured(0)
    one = sky_levels(levels)
    kept = sky_levels(replace(levels, parameters=levels.parameters | {"existing": {"skyLevels": one.files[0].sha256}}))
    assert kept.details == {"kept": ["skyLevels"]}
    first, again = (combine_sky(scene.combined(range(1))) for _ in range(2))
    assert first.files[0].content_sha256 == again.files[0].content_sha256
    with pytest.raises(UserInputError, match="no block of 500 pixels"):
        sky_levels(replace(levels, parameters={"sky_block_px": 500}))
    with pytest.raises(UserInputError, match="exposures of one detector"):
        sky_levels(replace(levels, raws=()))
    with pytest.raises(UserInputError, match="no flat to apply"):
        sky_levels(replace(levels, calibs=scene.calibs[0][:2]))
    whole = scene.combined(range(1))
    with pytest.raises(UserInputError, match="1 tables and 0 images"):
        combine_sky(replace(whole, outputs=()))
    plain = [to_plain(replace(scene.detectors[0].detector, id=5))]
    with pytest.raises(ConflictError, match="of detector 0, which is none"):
        combine_sky(replace(whole, parameters={"detectors": plain}))
    flat = replace(whole.calibs[0], path=one.files[0].path)
    content = read_calib_tables(Path(flat.path))
    write_calib_tables(Path(flat.path), replace(content, calib_class="other"))
    with pytest.raises(ConflictError, match="not of the sky's levels"):
        combine_sky(whole)
    dark = replace(content.tables[0], columns={**content.tables[0].columns, "LEVELS": np.full((N, 12, 8), -1.0)})
    write_calib_tables(Path(flat.path), replace(content, tables=(dark,)))
    with pytest.raises(ExecutionError, match="no exposure has a sky"):
        combine_sky(whole)
