"""Combined darks and flats at their limits: few frames, too many rays, no dark time, vignetting, empty rows."""

from dataclasses import replace

import numpy as np
import pytest

from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.combine import combine
from calibstore.pipelines.combined_product import VignettedField
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.dark_cosmic_rays import FrameRays
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.quantum import CalibInput, RawInput
from kernels.arrays import plane_bit
from kernels.simulate import bias_frame, dark_frame, flat_frame
from tests.support.raw_detector import HEIGHT, SimulatedDetector, build_simulated


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedDetector:
    return build_simulated(tmp_path_factory.mktemp("raws"), seed=5, n_amps=4)


@pytest.fixture(scope="module")
def bias(simulated: SimulatedDetector) -> CalibInput:
    raws = [simulated.write(bias_frame(simulated.truth, np.random.default_rng([5, i])), i) for i in range(8)]
    for product in ("bias", "biasBootstrap"):
        combine(simulated.quantum(product, raws))
    return calib(simulated, "bias")


@pytest.fixture(scope="module")
def darks(simulated: SimulatedDetector) -> list[RawInput]:
    return [
        simulated.write(
            dark_frame(simulated.truth, np.random.default_rng([6, i]), dark_time_s=20.0), 50 + i, seconds=20.0
        )
        for i in range(6)
    ]


@pytest.fixture(scope="module")
def flats(simulated: SimulatedDetector) -> list[RawInput]:
    return [
        simulated.write(
            flat_frame(simulated.truth, np.random.default_rng([7, i]), illumination_e=40_000.0), 80 + i, seconds=2.0
        )
        for i in range(6)
    ]


def calib(simulated: SimulatedDetector, product: str) -> CalibInput:
    path = str(simulated.product_path(product))
    return CalibInput(dataset_type=product, dataset_id=f"id-{product}", run="r", path=path)


def test_four_darks_take_their_variance_from_noise_and_light(simulated, bias, darks) -> None:
    combine(simulated.quantum("dark", darks[:4], (bias,)))
    path = simulated.product_path("dark")
    variance, count = (read_plane(path, name) for name in ("VARIANCE", "COUNT"))
    whole = count == 4
    expected = simulated.per_amplifier(simulated.truth.read_noise_e**2) / 4 / 20.0**2
    # the dark current of 0.4 e, and the part of the noise that looks like light
    assert np.median(variance[whole] / expected[whole]) == pytest.approx(
        1.02, abs=0.03
    )  # 0.4 e of dark, and noise above it


def test_upstream_defect_1_a_dark_bootstrap_has_its_bias_subtracted(simulated, bias, darks) -> None:
    """The published pipeline sets a bare name instead of the option, and leaves the bias in."""
    assert bias.dataset_type == "bias"
    combine(simulated.quantum("darkBootstrap", darks, (calib(simulated, "biasBootstrap"),)))
    path = simulated.product_path("darkBootstrap")
    header, image = read_header(path), read_plane(path)
    assert header["LSST ISR BIAS APPLIED"] is True
    assert header["LSST ISR UNITS"] == "adu"
    structure = simulated.assembled(simulated.truth.bias_structure_e)
    strong = structure > 20
    assert strong.sum() > 100
    assert abs(np.median(image[strong])) < 0.1  # about 1 adu/s where the bias is left in
    with pytest.raises(UserInputError):
        combine(simulated.quantum("darkBootstrap", darks))


def test_too_many_rays_are_told_and_left_to_the_clip(simulated, bias, darks) -> None:
    outcome = combine(simulated.quantum("dark", darks, (bias,), cr_minimum_e=1.0, cr_n_sigma=2.5, cr_most_pixels=50))
    found = outcome.details["cosmic_rays"]
    assert all(one["is_given_up"] and one["n_pixels"] > 50 for one in found)
    assert (read_plane(simulated.product_path("dark"), "COUNT") >= 4).mean() > 0.99
    assert "cosmic_rays" not in combine(simulated.quantum("dark", darks, (bias,), mask_cosmic_rays=False)).details


def test_rays_are_grown_across_bands() -> None:
    n_amps, width = 2, 30
    rays = FrameRays(exposure=1, pixels=np.array([(10 * n_amps + 1) * width + 5]), n_found=1)
    whole = rays.mask(0, 20, n_amps, width)
    assert whole is not None
    assert whole[1].sum() == 13
    assert not whole[0].any()
    for y0, y1 in ((0, 9), (9, 11), (11, 20)):
        part = rays.mask(y0, y1, n_amps, width)
        np.testing.assert_array_equal(part, whole[:, y0:y1])
    assert rays.mask(13, 20, n_amps, width) is None


def test_a_dark_without_dark_time_is_named(simulated, bias, darks) -> None:
    odd = replace(darks[0], exposure_time_s=0.0, dark_time_s=0.0)
    with pytest.raises(ExecutionError, match=f"exposure {odd.exposure} has a dark time of 0 s") as caught:
        combine(simulated.quantum("dark", [odd, *darks[1:]], (bias,)))
    assert caught.value.code == "E-DARKTIME"


def test_a_missing_dark_time_is_the_exposure_time_everywhere(simulated, bias, darks, flats) -> None:
    combine(simulated.quantum("dark", darks, (bias,)))
    dark = calib(simulated, "dark")
    calibs, flags = (bias, dark), flags_for("flat")
    images = {}
    for seconds in (2.0, 0.0):
        raw = replace(flats[0], dark_time_s=seconds)
        with open_corrected(simulated.detector, [raw], calibs, flags=flags, instrument="LSSTComCam") as (frame,):
            images[seconds] = frame.read_image()
            assert frame.cards()["LSST ISR DARK APPLIED"] is True
    np.testing.assert_array_equal(images[0.0], images[2.0])
    timeless = replace(flats[0], dark_time_s=0.0, exposure_time_s=0.0)
    with pytest.raises(ExecutionError) as caught:
        combine(simulated.quantum("flat", [timeless, *flats[1:]], calibs))
    assert caught.value.code == "E-DARKTIME"
    # what is only looked at, as a bias, has no dark current: none is taken off and none is claimed
    flags = replace(flags_for("process"), needs=frozenset(), flat=False)
    with open_corrected(simulated.detector, [timeless], calibs, flags=flags, instrument="LSSTComCam") as (frame,):
        cards = frame.cards()
    assert cards["LSST ISR DARK APPLIED"] is False
    assert "LSST CALIB UUID DARK" not in cards
    assert cards["LSST ISR BIAS APPLIED"] is True


def test_an_amplifier_that_sees_no_light_has_no_flat(simulated, bias, darks) -> None:
    combine(simulated.quantum("dark", darks, (bias,)))
    lit = [flat_frame(simulated.truth, np.random.default_rng([9, i]), illumination_e=40_000.0) for i in range(6)]
    dim = [bias_frame(simulated.truth, np.random.default_rng([10, i])) for i in range(6)]
    for bright, dead in zip(lit, dim, strict=True):
        bright.raw[1] = dead.raw[1]  # its noise is alive
    raws = [simulated.write(frame, 120 + i, seconds=2.0) for i, frame in enumerate(lit)]
    calibs = (bias, calib(simulated, "dark"))
    outcome = combine(simulated.quantum("flat", raws, calibs))
    name, path = simulated.detector.amplifiers[1].name, simulated.product_path("flat")
    assert list(outcome.details["bad_amplifiers"]) == [name]
    assert name not in outcome.details["amplifiers"]
    header, image, mask = read_header(path), read_plane(path), read_plane(path, "MASK")
    assert "sees none" in header[f"CAB BAD AMP {name}"]
    assert header.get(f"LSST CALIB FLAT {name} DISTRIBUTION 50-PCT") is None
    box = simulated.detector.amplifiers[1].place.slices
    assert (mask[box] == plane_bit("BAD")).all()
    assert (image[box] > 0.9).all()  # the median of the others
    dark = [simulated.write(frame, 140 + i, seconds=2.0) for i, frame in enumerate(dim)]
    with pytest.raises(ExecutionError) as caught:
        combine(simulated.quantum("flat", dark, calibs))
    assert caught.value.code == "E-LEVEL"


def test_where_no_light_falls_a_flat_has_no_value(simulated, bias, darks, flats) -> None:
    combine(simulated.quantum("dark", darks, (bias,)))
    calibs = (bias, calib(simulated, "dark"))
    outcome = combine(simulated.quantum("flat", flats, calibs, vignetted_mm=[1.0, 0.9]))
    path = simulated.product_path("flat")
    image, mask, variance = (read_plane(path, name) for name in ("IMAGE", "MASK", "VARIANCE"))
    y, x = np.indices(image.shape)
    radius_mm = np.hypot(y + 0.5 - image.shape[0] / 2, x + 0.5 - image.shape[1] / 2) * 0.01
    no_value, partly = (plane_bit("NO_DATA") | plane_bit("VIGNETTED")), plane_bit("PARTLY_VIGNETTED")
    expected = np.where(radius_mm > 1.0, no_value | partly, np.where(radius_mm > 0.9, partly, 0))
    np.testing.assert_array_equal(mask, expected)
    assert outcome.details["n_vignetted_pixels"] == (radius_mm > 1.0).sum() > 1000
    assert not image[radius_mm > 1.0].any()
    assert not variance[radius_mm > 1.0].any()
    assert image[radius_mm < 1.0].min() > 0.9
    assert read_header(path)["LSST CALIB FLAT C00 DISTRIBUTION 0-PCT"] > 0.9
    assert "BUNIT" not in read_header(path)


def test_the_field_turns_with_its_detector(simulated) -> None:
    field = VignettedField(dark_radius_mm=5.0, partly_radius_mm=4.0)
    aside = replace(simulated.detector, center_x_mm=4.5)
    turned = replace(aside, quarter_turns=1)
    assert field.reaches(aside)
    assert not VignettedField(dark_radius_mm=90.0, partly_radius_mm=80.0).reaches(aside)
    # turned counter-clockwise, the low rows of the detector point outwards
    assert (field.bits(turned, 0, 1) & plane_bit("NO_DATA")).any()
    assert not (field.bits(turned, 2 * HEIGHT - 1, 2 * HEIGHT) & plane_bit("NO_DATA")).any()


def test_bands_and_order_do_not_show_in_corrected_frames(simulated, bias, darks) -> None:
    combine(simulated.quantum("dark", darks, (bias,)))
    whole = read_plane(simulated.product_path("dark"))
    combine(simulated.quantum("dark", darks[::-1], (bias,), band_rows=7))
    np.testing.assert_allclose(read_plane(simulated.product_path("dark")), whole, atol=1e-6)


def test_a_row_without_amplifier_has_no_value(simulated, bias, darks) -> None:
    taller = replace(simulated.detector, height=simulated.detector.height + 3)
    raised = replace(simulated, detector=taller)
    raws = [replace(raw) for raw in darks]
    combine(raised.quantum("bias", raws))
    image, mask = (read_plane(simulated.product_path("bias"), name) for name in ("IMAGE", "MASK"))
    assert image.shape[0] == 2 * HEIGHT + 3
    assert (mask[-3:] == plane_bit("BAD")).all()
