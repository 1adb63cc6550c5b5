"""Kernels of signature removal: dither, flags, variance, flats, repair and levels against plain arithmetic."""

import numpy as np
import pytest

from kernels.arrays import plane_bit
from kernels.isr_levels import LevelLimits, amplifier_fault, amplifier_pedestals, image_levels
from kernels.isr_pixels import (
    dither_rows,
    divide_flat,
    flag_missing,
    flag_saturation,
    photon_variance,
    reciprocal_flat,
)
from kernels.isr_repair import grow, repair_rows

EXPOSURE = 2025041100001


def test_dither_is_uniform_and_the_same_for_a_row_however_it_is_asked_for() -> None:
    whole = dither_rows(EXPOSURE, 3, 0, 400, 101)
    assert whole.dtype == np.float32
    assert whole.min() >= -0.5
    assert whole.max() < 0.5
    # 40 000 numbers: the mean is good to 0.0014, the variance to 1 %
    assert abs(whole.mean()) < 0.006
    assert whole.var() == pytest.approx(1 / 12, rel=0.04)
    np.testing.assert_array_equal(dither_rows(EXPOSURE, 3, 57, 60, 101), whole[57:60])
    for other in (dither_rows(EXPOSURE, 4, 0, 400, 101), dither_rows(EXPOSURE + 1, 3, 0, 400, 101)):
        assert abs(np.corrcoef(whole.ravel(), other.ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(whole[1:].ravel(), whole[:-1].ravel())[0, 1]) < 0.03


def test_an_exposure_is_known_to_the_dither_by_its_lower_32_bits() -> None:
    np.testing.assert_array_equal(dither_rows(EXPOSURE, 0, 0, 2, 9), dither_rows(EXPOSURE & 0xFFFFFFFF, 0, 0, 2, 9))


def test_saturation_and_suspect_are_set_from_their_levels_on() -> None:
    image = np.array([[99.9, 100.0, 150.0, 200.0, np.nan, np.inf]], np.float32)
    mask = np.zeros(image.shape, np.int32)
    flag_saturation(image, mask, saturation=150.0, suspect=100.0)
    sat, suspect = plane_bit("SAT"), plane_bit("SUSPECT")
    assert mask.tolist() == [[0, suspect, sat | suspect, sat | suspect, 0, sat | suspect]]
    mask[:] = 0
    flag_saturation(image, mask, saturation=float("nan"), suspect=float("inf"))
    assert not mask.any()


def test_missing_values_are_flagged() -> None:
    image = np.array([[1.0, np.nan], [np.inf, -np.inf]], np.float32)
    mask = np.zeros(image.shape, np.int32)
    assert flag_missing(image, mask)
    assert (mask != 0).tolist() == [[False, True], [True, True]]
    assert not flag_missing(np.ones((2, 2), np.float32), mask)


def test_variance_is_that_of_drawn_frames() -> None:
    rng = np.random.default_rng(3)
    light, gain, noise = 400.0, np.array([1.5, 0.8]), np.array([6.0, 9.0])
    drawn = (rng.poisson(light, (2, 200_000)) + noise[:, None] * rng.standard_normal((2, 200_000))) / gain[:, None]
    mean = (np.full((2, 1), light) / gain[:, None]).astype(np.float32)
    stated = photon_variance(mean, gain_e_per_adu=gain[:, None], read_noise_e=noise[:, None])
    # the variance of 200 000 samples is good to 0.3 %
    np.testing.assert_allclose(drawn.var(axis=1), stated[:, 0], rtol=0.015)


def test_flats_are_divided_out_with_their_variance() -> None:
    rng = np.random.default_rng(5)
    flat = rng.uniform(0.5, 1.5, (4, 5)).astype(np.float32)
    image = rng.uniform(100, 200, (4, 5)).astype(np.float32)
    spread, own = np.full((4, 5), 50.0, np.float32), np.full((4, 5), 1e-4, np.float32)
    wanted = image / flat
    wanted_spread = spread / flat**2 + image**2 * own / flat**4
    divide_flat(image, reciprocal_flat(flat), variance=spread, flat_variance=own)
    np.testing.assert_allclose(image, wanted, rtol=1e-6)
    np.testing.assert_allclose(spread, wanted_spread, rtol=1e-5)


def test_a_flat_without_light_gives_no_value() -> None:
    found = reciprocal_flat(np.array([2.0, 0.0, -1.0, np.nan], np.float32))
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()


def test_rows_are_repaired_between_good_neighbours_and_long_gaps_are_left() -> None:
    image = np.tile(np.arange(100, dtype=np.float32), (3, 1))
    mask = np.zeros(image.shape, np.int32)
    mask[0, [10, 11]] = plane_bit("BAD")
    image[0, [10, 11]] = 9_999
    mask[1, 0] = plane_bit("UNMASKEDNAN")
    image[1, 0] = np.nan
    mask[2, 20:90] = plane_bit("BAD")
    image[2, 20:90] = np.nan
    assert repair_rows(image, mask, max_gap=64) == 3
    np.testing.assert_allclose(image[0], np.arange(100))
    assert image[1, 0] == 1.0
    assert np.isnan(image[2, 20:90]).all()
    assert mask[0, 10] == plane_bit("BAD") | plane_bit("INTRP")
    assert not (mask[2] & plane_bit("INTRP")).any()


def test_what_spilled_from_saturated_pixels_is_repaired_too() -> None:
    image, mask = np.full((5, 9), 7.0, np.float32), np.zeros((5, 9), np.int32)
    mask[2, 4] = plane_bit("SAT")
    image[1:4, 3:6] = 500.0
    assert grow(mask != 0, 2).sum() == 25
    assert repair_rows(image, mask) == 9
    assert (image == 7.0).all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"gain_e_per_adu": float("nan"), "noise_adu": 5.0}, "gain is nan"),
        ({"gain_e_per_adu": 0.0, "noise_adu": 5.0}, "gain is 0"),
        ({"gain_e_per_adu": 1.5, "noise_adu": 17.0}, "over the limit of 25"),
        ({"gain_e_per_adu": 1.5, "noise_adu": 0.01, "expected_noise_e": 6.0}, "dead"),
        ({"gain_e_per_adu": 1.5, "noise_adu": 4.0}, ""),
        ({"gain_e_per_adu": 1.5, "noise_adu": float("nan")}, ""),
        (
            {"level_adu": 20_100.0, "reference_level_adu": 20_000.0, "reference_sigma_adu": 10.0}
            | {"gain_e_per_adu": 1.5, "noise_adu": 4.0},
            "10.0 sigma",
        ),
    ],
)
def test_amplifiers_that_cannot_be_used_say_why(given: dict[str, float], told: str) -> None:
    found = amplifier_fault(**given, limits=LevelLimits(shift_limit_sigma=5.0))
    assert (told in found) if told else found == ""


def test_levels_leave_flagged_pixels_out() -> None:
    image, mask = np.full((10, 10), 5.0, np.float32), np.zeros((10, 10), np.int32)
    image[0], mask[0] = 1e6, plane_bit("SAT")
    assert image_levels(image, mask, excluded=("SAT",)) == (5.0, 5.0, 0.0)
    assert np.isnan(image_levels(image, np.full_like(mask, 2), excluded=("SAT",))).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_steps_between_amplifiers_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    injected = np.array([3.0, -2.0, 0.5, 4.0, -1.0, -4.5])
    boxes = [(slice(60 * (i // 3), 60 * (i // 3 + 1)), slice(50 * (i % 3), 50 * (i % 3 + 1))) for i in range(6)]
    image = (np.linspace(0, 20, 150)[None, :] + rng.normal(1000, 5, (120, 150))).astype(np.float32)
    for level, box in zip(injected, boxes, strict=True):
        image[box] += level
    image[30:40, 60] = np.nan
    gradient = 20 / 149 * 20  # the strips compared are 20 columns apart, and the light rises over them
    found = amplifier_pedestals(image, boxes, inset=5, width=10)
    columns = np.tile([-gradient, 0.0, gradient], 2)
    # medians of 10 x 50 pixels of noise 5: 0.3 each
    np.testing.assert_allclose(found, injected - injected.mean() + columns, atol=1.0)
    assert np.isnan(amplifier_pedestals(image, boxes[:1])).all()
