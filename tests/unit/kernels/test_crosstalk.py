"""Crosstalk taken off and put on: against a double-precision sum, in tiles, with holes, in either unit."""

import numpy as np
import pytest

from kernels.crosstalk import add_crosstalk, apply_crosstalk, convert_ratios, crosstalk_signal
from kernels.errors import KernelError


def build(seed: int, n: int = 5, shape=(70, 301)):
    rng = np.random.default_rng(seed)
    amps = rng.normal(1000, 300, (n, *shape)).astype(np.float32)
    amps[0, 10, 20:30] = 90_000
    linear, squared = rng.normal(0, 2e-4, (n, n)), rng.normal(0, 2e-10, (n, n))
    np.fill_diagonal(linear, 0)
    np.fill_diagonal(squared, 0)
    return amps, linear, squared


@pytest.mark.parametrize("seed", range(3))
def test_what_is_taken_off_is_the_sum_over_the_uncorrected_sources(seed: int) -> None:
    amps, linear, squared = build(seed)
    exact = amps.astype(np.float64)
    taken = np.einsum("st,syx->tyx", linear, exact)
    twice = taken + np.einsum("st,syx->tyx", squared, exact**2)
    # float32 pixels up to 9e4 e: half a unit in the last place is 4e-3 of them, 1e-4 of the crosstalk
    np.testing.assert_allclose(apply_crosstalk(amps, linear), exact - taken, atol=5e-3)
    np.testing.assert_allclose(apply_crosstalk(amps, linear, squared), exact - twice, atol=5e-3)
    np.testing.assert_allclose(add_crosstalk(amps, linear, squared), exact + twice, atol=5e-3)
    np.testing.assert_allclose(crosstalk_signal(amps, linear, squared), twice, atol=1e-3)


def test_correction_undoes_the_forward_model_to_second_order() -> None:
    amps, linear, squared = build(4)
    contaminated = add_crosstalk(amps, linear, squared)
    left = apply_crosstalk(contaminated, linear, squared) - amps
    # the source is the contaminated image, so 1e-4 of the 10-30 e of crosstalk stays
    assert np.abs(left).max() < 0.02
    assert np.abs(contaminated - amps).max() > 10


def test_in_place_and_in_bands_give_the_same_pixels() -> None:
    amps, linear, squared = build(1)
    whole = apply_crosstalk(amps, linear, squared)
    bands = np.concatenate([apply_crosstalk(amps[:, y : y + 7], linear, squared) for y in range(0, 70, 7)], axis=1)
    np.testing.assert_array_equal(bands, whole)
    same = amps.copy()
    assert apply_crosstalk(same, linear, squared, out=same) is same
    np.testing.assert_array_equal(same, whole)


def test_a_hole_in_a_source_does_not_spread() -> None:
    amps, linear, _ = build(2)
    amps[1, 3, 4], amps[2, 3, 4] = np.nan, np.inf
    corrected = apply_crosstalk(amps, linear)
    assert np.isnan(corrected[1, 3, 4])
    assert np.isfinite(corrected[[0, 3, 4], 3, 4]).all()


def test_a_bad_amplifier_neither_gives_nor_takes() -> None:
    amps, linear, squared = build(3)
    bad = np.array([True, False, False, False, False])
    corrected = apply_crosstalk(amps, linear, squared, bad=bad)
    np.testing.assert_array_equal(corrected[0], amps[0])
    linear[0] = squared[0] = 0
    np.testing.assert_allclose(corrected[1:], apply_crosstalk(amps, linear, squared)[1:], atol=1e-3)


def test_ratios_follow_the_unit_of_the_image() -> None:
    amps, linear, squared = build(5)
    gains = np.array([1.0, 1.4, 1.7, 0.8, 1.2])
    in_electrons = apply_crosstalk(amps, linear, squared)
    adu = (amps / gains[:, None, None]).astype(np.float32)
    own = convert_ratios(linear, gains, to="adu"), convert_ratios(squared, gains, to="adu", order=2)
    np.testing.assert_allclose(apply_crosstalk(adu, *own) * gains[:, None, None], in_electrons, rtol=1e-6, atol=2e-2)
    np.testing.assert_allclose(convert_ratios(own[0], gains, to="electron"), linear)
    np.testing.assert_allclose(convert_ratios(own[1], gains, to="electron", order=2), squared)
    with pytest.raises(KernelError, match="'volt'"):
        convert_ratios(linear, gains, to="volt")
    with pytest.raises(KernelError, match="cannot carry"):
        convert_ratios(linear, np.zeros(5), to="electron")


@pytest.mark.parametrize("gain", [np.nan, 0.0, -1.4, np.inf])
def test_a_dead_amplifier_leaves_the_ratios_of_the_others(gain: float) -> None:
    """One amplifier without a gain is no reason to lose the detector."""
    _, linear, squared = build(5)
    gains = np.array([1.0, 1.4, 1.7, 0.8, 1.2])
    dead = gains.copy()
    dead[2] = gain
    others = np.ix_([0, 1, 3, 4], [0, 1, 3, 4])
    for coefficients, order in ((linear, 1), (squared, 2)):
        carried = convert_ratios(coefficients, dead, to="adu", order=order)
        np.testing.assert_array_equal(
            carried[others], convert_ratios(coefficients, gains, to="adu", order=order)[others]
        )
        assert not carried[2].any()
        assert not carried[:, 2].any()


def test_a_dead_detector_has_no_ratios() -> None:
    """What is wrong with it is told where its gains are judged."""
    assert not convert_ratios(build(5)[1], np.full(5, np.nan), to="adu").any()


def test_coefficients_of_another_detector_are_refused() -> None:
    amps, linear, _ = build(0)
    with pytest.raises(KernelError, match=r"\(4, 4\) do not fit 5"):
        apply_crosstalk(amps, linear[:4, :4])
