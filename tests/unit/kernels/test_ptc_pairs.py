"""Pairs of flats: what is measured of one amplifier, and what is not when there is nothing to measure."""

import math

import numpy as np
import pytest

from kernels.errors import KernelError
from kernels.pair_gain import combined_gain, pair_gain, pair_ratio
from kernels.ptc_pairs import PairRule, clip_factor, clipped_moments, measure_pair
from kernels.statistics import clipped_statistics

GAIN, NOISE_E = 1.48, 5.4
SHAPE = (300, 260)
RULE = PairRule(edge_px=5, n_lags=4)


def flat(rng: np.random.Generator, mean_e: float, response: np.ndarray | float = 1.0) -> np.ndarray:
    charge = rng.poisson(mean_e * response, SHAPE) + rng.normal(0, NOISE_E, SHAPE)
    return (charge / GAIN).astype(np.float32)


def used() -> np.ndarray:
    return np.ones(SHAPE, np.bool_)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mean_e", [0.0, 300.0, 20_000.0])
def test_variance_and_covariances_of_a_pair_of_unlike_light(seed: int, mean_e: float) -> None:
    rng = np.random.default_rng(seed)
    response = 1 + 0.01 * rng.standard_normal(SHAPE)  # a pattern that the difference must not hold
    found = measure_pair(flat(rng, mean_e, response), flat(rng, mean_e * 1.02, response), used(), rule=RULE)
    truth = (mean_e * 1.01 + NOISE_E**2) / GAIN**2
    # 72 500 pixels: relative error of a variance sqrt(2/n) = 0.5 %, of a covariance 0.37 %; four sigma
    assert found.variance_adu2 == pytest.approx(truth, rel=0.021)
    assert found.covariances_adu2[0, 0] == pytest.approx(found.variance_adu2, rel=1e-3)
    off_axis = found.covariances_adu2.copy()
    off_axis[0, 0] = 0
    assert np.abs(off_axis).max() < 0.015 * truth
    assert found.sqrt_weights[0, 0] == pytest.approx(1 / (truth * math.sqrt(2 / found.n_pixels[0, 0])), rel=0.03)
    assert found.sqrt_weights[1, 2] == pytest.approx(math.sqrt(found.n_pixels[1, 2]) / truth, rel=0.03)
    assert found.row_mean_variance_adu2 == pytest.approx(2 * truth / 250, rel=0.4)
    assert found.delta_adu == pytest.approx(0.02 * mean_e / GAIN, abs=0.2 + 0.01 * mean_e**0.5)


def test_cosmic_rays_masked_pixels_and_nan_take_no_part() -> None:
    rng = np.random.default_rng(4)
    first, second = flat(rng, 5000.0), flat(rng, 5000.0)
    clean = measure_pair(first, second, used(), rule=RULE)
    is_used = used()
    first[50, 60:90] += 4000
    second[90, 100] = np.nan
    first[120:130, 200], is_used[120:130, 200] = np.inf, False
    found = measure_pair(first, second, is_used, rule=RULE)
    assert found.n_used == clean.n_used - 41
    assert found.variance_adu2 == pytest.approx(clean.variance_adu2, rel=2e-3)
    assert found.mean_1_adu == pytest.approx(clean.mean_1_adu, abs=0.5)


def test_a_gaussian_difference_passes_and_another_does_not() -> None:
    rng = np.random.default_rng(5)
    first, second = flat(rng, 5000.0), flat(rng, 5000.0)
    good = measure_pair(np.rint(first), np.rint(second), used(), rule=RULE)  # whole adu, as without a dither
    assert good.ks_pvalue > 0.01
    assert good.histogram_chi2 < 2
    assert good.histogram_variance_adu2 == pytest.approx(good.variance_adu2, rel=0.1)
    first[:, :130] += rng.normal(0, 150, (300, 130)).astype(np.float32)  # half of it much noisier
    bad = measure_pair(first, second, used(), rule=RULE)
    assert bad.ks_pvalue < 1e-3
    assert bad.histogram_chi2 > 3


@pytest.mark.parametrize(
    ("kind", "told"),
    [("dead", "do not differ"), ("nan", "usable pixels"), ("masked", "0 usable pixels of 10000"), ("small", "edge")],
)
def test_nothing_to_measure_is_told_and_gives_no_number(kind: str, told: str) -> None:
    rng = np.random.default_rng(6)
    first, second, is_used, rule = flat(rng, 100.0), flat(rng, 100.0), used(), RULE
    if kind == "dead":
        first[:], second[:] = 7.0, 7.0
    elif kind == "nan":
        first[:] = np.nan
    elif kind == "masked":
        is_used[:] = False
    else:
        rule = PairRule(edge_px=140)
    found = measure_pair(first, second, is_used, rule=rule)
    assert told in found.reason
    assert math.isnan(found.mean_adu)
    assert math.isnan(found.gain_e_per_adu)
    assert np.isnan(found.covariances_adu2).all()
    assert not found.sqrt_weights.any()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("correction", ["FULL", "SIMPLE"])
def test_gain_of_a_pair_is_free_of_read_noise(seed: int, correction: str) -> None:
    rng = np.random.default_rng(seed)
    pixels = flat(rng, 2000.0).ravel(), flat(rng, 2000.0).ravel()
    ratio, error = pair_ratio(pixels[0] - pixels[1], pixels[0] + pixels[1])
    gain = pair_gain(ratio, 2000 / GAIN, NOISE_E / GAIN, correction=correction)
    # 78 000 pixels: sqrt(2/n) = 0.5 %; four sigma. Without the correction it is 1.4 % low.
    assert gain == pytest.approx(GAIN, rel=0.02)
    assert error / ratio == pytest.approx(math.sqrt(2 / SHAPE[0] / SHAPE[1]), rel=0.1)
    assert pair_gain(ratio, 2000 / GAIN, 0.0, correction="NONE") == pytest.approx(1 / ratio)


@pytest.mark.parametrize("gain", [0.5, 1.6, 3.0])
def test_upstream_defect_13_simple_gain_takes_the_inverse_square(gain: float) -> None:
    """The correction holds 1/(2 g^2); written as (1/2) g^2 it is wrong for every gain but 1."""
    mean, noise = 200.0, 4.0
    ratio = 1 / gain + (noise**2 - 1 / (2 * gain**2)) / mean  # exactly what such a pair gives
    full = pair_gain(ratio, mean, noise, correction="FULL")
    assert full == pytest.approx(gain, rel=1e-12)
    simple = pair_gain(ratio, mean, noise, correction="SIMPLE")
    assert simple == pytest.approx(1 / (ratio - (noise**2 - ratio**2 / 2) / mean), rel=1e-12)
    assert abs(simple / gain - 1) < 0.02
    wrong = 1 / (ratio - (noise**2 - 0.5 / ratio**2) / mean)
    assert abs(simple - gain) < abs(wrong - gain)


def test_no_gain_where_there_is_no_light_or_too_much_noise() -> None:
    assert math.isnan(pair_gain(0.7, 0.0, 3.0))
    assert math.isnan(pair_gain(0.7, math.nan, 3.0))
    assert math.isnan(pair_gain(0.7, 10.0, 20.0))
    assert math.isnan(pair_gain(0.7, 10.0, math.nan))
    assert math.isnan(pair_ratio(np.ones(5, np.float32), np.array([1, 1, 0, 1, 1], np.float32))[0])
    assert math.isnan(pair_ratio(np.ones(5, np.float32), np.full(5, -1, np.float32))[0])
    assert math.isnan(pair_ratio(np.ones(1, np.float32), np.ones(1, np.float32))[0])
    one_dead = np.array([10.0] * 200 + [0.0], np.float32)
    assert pair_ratio(np.ones(201, np.float32), one_dead)[0] == pytest.approx(0.1)
    with pytest.raises(KernelError, match="BEST"):
        pair_gain(0.7, 10.0, 2.0, correction="BEST")


def test_several_pairs_combine_by_weight_and_tell_their_scatter() -> None:
    gain, error = combined_gain(np.array([1.0, 1.2, np.nan]), np.array([0.01, 0.01, 0.01]))
    assert gain == pytest.approx(1.1)
    assert error == pytest.approx(0.1)
    assert combined_gain(np.array([1.0, 2.0]), np.array([0.01, np.nan])) == pytest.approx((1.0, 0.01))
    assert all(math.isnan(value) for value in combined_gain(np.array([np.nan]), np.array([1.0])))


@pytest.mark.parametrize("seed", [1, 2])
def test_clipped_moments_equal_the_full_clip(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(500, 20, 40_000).astype(np.float32)
    values[:60] += 3000
    wanted = clipped_statistics(values, n_sigma=4.0)
    mean, stdev, count = clipped_moments(values, n_sigma=4.0, max_iter=3)
    assert count == wanted.count
    assert mean == pytest.approx(wanted.mean, rel=1e-6)
    assert stdev == pytest.approx(wanted.stdev, rel=3e-5)  # n against n - 1
    assert clip_factor(5.5) == pytest.approx(1, abs=1e-6)
