"""Flats of two lamps blended into one: the response to light of both colours, and what neither shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import create_product, image_planes, read_header, read_plane
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.lamps import LAMP_PAIRS
from calibstore.pipelines.combine import combine
from calibstore.pipelines.combine_anaglyph import combine_anaglyph
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum
from calibstore.pipelines.run_quantum import run_quantum
from kernels.anaglyph import blended
from kernels.arrays import MASK_PLANES, plane_bit
from kernels.combine import Combined
from kernels.errors import KernelError
from kernels.simulate import flat_frame
from tests.support.raw_detector import SimulatedDetector, build_simulated
from tests.support.truth_products import true_bias_and_dark, write_truth

N, LIGHT_E = 8, 40_000.0


def lamp_flat(simulated: SimulatedDetector, product: str, seed: int, first: int, factor: float) -> CalibInput:
    """Make the flat of one lamp, for which the pixels' response scatters `factor` times as much."""
    response = (1 + (simulated.truth.response - 1) * factor).astype(np.float32)
    lamp = replace(simulated, truth=replace(simulated.truth, response=response))
    raws = [
        lamp.write(
            flat_frame(lamp.truth, np.random.default_rng([seed, number]), illumination_e=LIGHT_E), number, seconds=2.0
        )
        for number in range(first, first + N)
    ]
    combine(simulated.quantum(product, raws, true_bias_and_dark(simulated), like="flat"))
    return CalibInput(
        dataset_type=product, dataset_id=f"id-{product}", run="r", path=str(simulated.product_path(product))
    )


def quantum(simulated: SimulatedDetector, calibs: tuple[CalibInput, ...], **parameters: object) -> Quantum:
    outputs = tuple(
        OutputFile(dataset_type=name, dataset_id=f"id-{name}", run="r", path=str(simulated.product_path(name)))
        for name in ("flat", "flatBin8")
    )
    return Quantum(
        label="flat:0", task="combine_anaglyph", instrument="LSSTComCam", detector=simulated.detector, calibs=calibs,
        outputs=outputs, parameters={"band": "g", **parameters},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_response_is_that_to_both_lamps(tmp_path: Path, seed: int) -> None:
    simulated = build_simulated(tmp_path, seed=seed, response_rms=0.01)
    lamps = lamp_flat(simulated, "flat_blue", seed, 200, 2.0), lamp_flat(simulated, "flat_red", seed, 300, 0.5)
    outcome = run_quantum(quantum(simulated, lamps))
    assert outcome.is_done, outcome.error
    assert outcome.details["weight_blue"] == LAMP_PAIRS["g"].weight_blue == 0.630
    image, variance, count = (
        read_plane(simulated.product_path("flat"), name).astype(np.float64) for name in ("IMAGE", "VARIANCE", "COUNT")
    )
    response = simulated.assembled(simulated.truth.response).astype(np.float64)
    expected = 1 + (response - 1) * (0.63 * 2.0 + 0.37 * 0.5)
    residual = image - expected / expected.mean()
    # noise of 40 000 electrons in eight frames, blended, and 3 per cent for the clip
    noise = np.sqrt((0.63**2 + 0.37**2) / (LIGHT_E * count.mean() / 2))
    assert residual.std() == pytest.approx(1.034 * noise, rel=0.08)
    # the spread of eight clipped frames promises a tenth less than there is
    assert np.sqrt(variance.mean()) == pytest.approx(noise, rel=0.15)
    slope = (residual * (expected - 1)).sum() / ((expected - 1) ** 2).sum()
    # 1.2e-3 of noise on 1.4e-2 of scatter over 49 152 pixels
    assert abs(slope) < 5 * 1.2e-3 / 1.4e-2 / np.sqrt(image.size) + 2e-3
    header = read_header(simulated.product_path("flat"))
    assert header["OBSTYPE"] == "flat"
    assert header["LSST ISR BIAS APPLIED"] is True
    assert header["LSST CALIB UUID FLAT_BLUE"] == "id-flat_blue"
    assert header["CAB WEIGHT BLUE"] == 0.63
    assert header["CAB DATASET ID"] == "id-flat"
    assert len(outcome.files) == 2


def test_a_pixel_bad_in_one_flat_is_bad_and_vignetting_stays(tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=4)
    shape = (simulated.detector.height, simulated.detector.width)
    blue = write_truth(simulated, "flat_blue", np.full(shape, 1.0), unit="")
    path = simulated.product_path("flat_red")
    with create_product(
        path, height=shape[0], width=shape[1], planes=image_planes("", MASK_PLANES), cards={"DETECTOR": 0}
    ) as writer:
        writer.write_rows("IMAGE", 0, np.full(shape, 2.0, np.float32))
        mask = np.zeros(shape, np.int32)
        mask[10, 20] = plane_bit("BAD")
        writer.write_rows("MASK", 0, mask)
    red = CalibInput(dataset_type="flat_red", dataset_id="id-red", run="r", path=str(path))
    outcome = combine_anaglyph(quantum(simulated, (red, blue), weight_blue=0.25, vignetted_mm=[1.4, 1.0]))
    image, bits = (read_plane(simulated.product_path("flat"), name) for name in ("IMAGE", "MASK"))
    assert outcome.details["n_bad_pixels"] == 1
    assert bits[10, 20] & plane_bit("BAD")
    assert image[10, 20] == image[60, 120] == 1.75
    # the corner of 256 x 192 pixels is 1.6 mm from the middle
    assert bits[0, 0] & plane_bit("NO_DATA")
    assert image[0, 0] == 0
    assert outcome.details["n_vignetted_pixels"] == int(((bits & plane_bit("NO_DATA")) != 0).sum()) > 0


def test_two_makings_are_one_and_bad_input_is_named(tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=5)
    shape = (simulated.detector.height, simulated.detector.width)
    lamps = tuple(write_truth(simulated, name, np.full(shape, 1.0), unit="") for name in ("flat_blue", "flat_red"))
    one, other = (combine_anaglyph(quantum(simulated, lamps)) for _ in range(2))
    assert [file.content_sha256 for file in one.files] == [file.content_sha256 for file in other.files]
    kept = combine_anaglyph(quantum(simulated, lamps, existing={"flat": other.files[0].sha256}))
    assert kept.details["kept"] == ["flat"]
    with pytest.raises(UserInputError, match="no flat_red to blend"):
        combine_anaglyph(quantum(simulated, lamps[:1]))
    with pytest.raises(UserInputError, match="published for band 'u'"):
        combine_anaglyph(quantum(simulated, lamps, band="u"))
    with pytest.raises(UserInputError, match=r"weight_blue is 1\.2"):
        combine_anaglyph(quantum(simulated, lamps, weight_blue=1.2))
    small = build_simulated(tmp_path / "small", seed=5, n_amps=4)
    stranger = write_truth(small, "flat_red", np.ones((small.detector.height, small.detector.width)), unit="")
    with pytest.raises(ConflictError, match="not of the size"):
        combine_anaglyph(quantum(simulated, (lamps[0], stranger)))
    elsewhere = write_truth(simulated, "flat_red", np.ones(shape), unit="", DETECTOR=7)
    with pytest.raises(ConflictError, match="of detector 7"):
        combine_anaglyph(quantum(simulated, (lamps[0], elsewhere)))


def test_shares_are_between_none_and_all() -> None:
    plane = Combined(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32), np.ones((2, 2), np.int16))
    assert blended(plane, plane, 1.0).mean[0, 0] == 1
    with pytest.raises(KernelError):
        blended(plane, plane, -0.1)
    with pytest.raises(KernelError):
        blended(plane, Combined(plane.mean[:1], plane.variance[:1], plane.count[:1]), 0.5)


def test_an_amplifier_without_light_of_one_lamp_is_bad_and_named(tmp_path: Path) -> None:
    simulated = build_simulated(tmp_path, seed=4)
    blind = np.array(simulated.truth.response)
    blind[1] = 0
    shaded = replace(simulated, truth=replace(simulated.truth, response=blind))
    blue = lamp_flat(shaded, "flat_blue", 4, 200, 1.0)
    lamps = blue, lamp_flat(simulated, "flat_red", 4, 300, 1.0)
    outcome = run_quantum(quantum(simulated, lamps))
    assert outcome.is_done, outcome.error
    name, path = simulated.detector.amplifiers[1].name, simulated.product_path("flat")
    (told,) = outcome.details["bad_amplifiers"].items()
    assert told[0] == name
    assert told[1].startswith("flat_blue: level of ")
    assert read_header(path)[f"CAB BAD AMP {name}"] == told[1]
    bad = (read_plane(path, "MASK") & plane_bit("BAD")) != 0
    assert bad[simulated.detector.amplifiers[1].place.slices].all()
    assert bad.mean() == pytest.approx(1 / 8, abs=0.01)
