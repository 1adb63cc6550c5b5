"""The multi-step filling gives the variance and covariance curves of its matrix; a 1-step filling only at low light."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from kernels.errors import KernelError
from kernels.simulate_brighter_fatter import brighter_fatter_flat, distortion_matrix, quarter_matrix

GAIN = 1.48
NOISE_E = 5.4
A00 = -3.516e-6
LEVELS_E = (0.0, 100.0, 400.0, 1e3, 2e3, 5e3, 1e4, 2e4, 3e4, 4.5e4, 6e4, 7.5e4, 9e4, 1e5)
SHAPE = (400, 400)


def matrix() -> NDArray[np.float64]:
    return distortion_matrix(A00, a01=5.32e-7, a10=1.508e-7)


def fitted_ramp(seed: int, lag_factor: float | None = None) -> tuple[float, float, float]:
    """Return gain, a00 and noise [electron/adu, 1/electron, electron] of a ramp's pairs."""
    from scipy.optimize import curve_fit

    rng = np.random.default_rng(seed)
    means, variances = [], []
    for level in LEVELS_E:
        pair = []
        for _ in range(2):
            charge = brighter_fatter_flat(rng, level, SHAPE, matrix(), lag_factor=lag_factor)
            pair.append(np.rint((charge + rng.normal(0, NOISE_E, SHAPE)) / GAIN))
        means.append((pair[0].mean() + pair[1].mean()) / 2)
        variances.append((pair[0] - pair[1]).var() / 2 - 1 / 12)

    def model(mean: NDArray[np.float64], a00: float, gain: float, noise: float) -> NDArray[np.float64]:
        return np.expm1(2 * a00 * mean * gain) / (2 * a00 * gain**2) + noise / gain**2

    weight = np.asarray(variances)
    found, _ = curve_fit(model, np.asarray(means), weight, p0=(-2e-6, 1.4, 25.0), sigma=weight)
    return float(found[1]), float(found[0]), float(np.sqrt(abs(found[2])))


def test_the_matrix_has_its_near_lags_and_no_sum() -> None:
    plane = matrix()
    assert plane.shape == (15, 15)
    assert abs(plane.sum()) < 1e-18
    assert_array_equal(plane, plane[::-1])
    assert_array_equal(plane, plane[:, ::-1])
    quarter = quarter_matrix(plane)
    assert_allclose((quarter[0, 0], quarter[0, 1], quarter[1, 0]), (A00, 5.32e-7, 1.508e-7))
    # The tail that makes the sum zero: the published first diagonal lag is 1.44e-7.
    assert_allclose(quarter[1, 1], 1.44e-7, rtol=0.05)
    assert_allclose(quarter[4, 0] / quarter[2, 0], 2**-2.7)


def test_near_lags_that_hold_too_much_are_refused() -> None:
    with pytest.raises(KernelError, match="less than what its four neighbours hold"):
        distortion_matrix(-1e-6, a01=5e-7, a10=1e-7)
    with pytest.raises(KernelError, match="0 steps"):
        brighter_fatter_flat(np.random.default_rng(0), 10.0, (4, 4), matrix(), n_steps=0)
    with pytest.raises(KernelError, match=r"shape \(3, 3\)"):
        brighter_fatter_flat(np.random.default_rng(0), np.ones((3, 3)), (4, 4), matrix())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_ramp_of_eight_steps_gives_gain_noise_and_a00_back(seed: int) -> None:
    gain, a00, noise_e = fitted_ramp(seed)
    # 160000 pixels and 14 levels: about 0.2 % in the gain and 1.5 % in a00, three times that.
    assert_allclose(gain, GAIN, rtol=0.006)
    assert_allclose(a00, A00, rtol=0.045)
    assert_allclose(noise_e, NOISE_E, rtol=0.01)


def test_without_the_lag_factor_the_field_is_seven_eighths() -> None:
    found = np.mean([fitted_ramp(seed, lag_factor=1.0)[1] for seed in (1, 2)])
    # The mean of two has an error of about 1.1 %, and 7/8 is 12.5 % away from 1.
    assert_allclose(found / A00, 7 / 8, atol=0.03)


def test_one_step_is_right_at_low_light_only() -> None:
    def variance_ratio(level: float) -> float:
        rngs = [np.random.default_rng(seed) for seed in (1, 2)]
        variance = np.mean([brighter_fatter_flat(rng, level, SHAPE, matrix(), n_steps=1).var() for rng in rngs])
        x = A00 * level
        return float(variance / (level * np.expm1(2 * x) / (2 * x)))

    # Error of the variance of 320000 values: 0.25 %; expected shortfall 0.42 (a00 mean)^2: 0.02 % and 5.2 %.
    assert_allclose(variance_ratio(5e3), 1.0, atol=0.0075)
    assert_allclose(1 - variance_ratio(1e5), 0.05, atol=0.02)


def test_the_variance_has_the_higher_orders_of_the_whole_matrix() -> None:
    plane, level, n_frames = matrix(), 6e4, 12
    twice = fftconvolve(plane, plane)
    thrice = fftconvolve(twice, plane)
    own = [
        float(one[len(one) // 2, len(one) // 2]) * level**order for order, one in enumerate((plane, twice, thrice), 1)
    ]
    # The series of the full covariance model; what it leaves out is 2/15 of the fourth power.
    expected = 1 + own[0] + 2 / 3 * own[1] + 1 / 3 * own[2] + 2 / 15 * own[0] ** 4
    rngs = [np.random.default_rng(seed) for seed in range(n_frames)]
    measured = np.mean([brighter_fatter_flat(rng, level, SHAPE, plane).var() for rng in rngs]) / level
    # 1.9 million pixels: 0.1 % of the variance; eight steps have six sevenths of the second order, 0.4 % here.
    assert_allclose(measured, expected, atol=0.005)
    assert abs(measured - (1 + own[0])) > 0.02


@pytest.mark.parametrize("is_scene", [False, True])
def test_neighbours_covary_by_the_matrix(is_scene: bool) -> None:
    level, quarter = 5e4, quarter_matrix(matrix())
    mean: float | NDArray[np.float64] = np.full(SHAPE, level) if is_scene else level
    sums = np.zeros(2)
    for seed in range(4):
        charge = brighter_fatter_flat(np.random.default_rng(seed), mean, SHAPE, matrix()).astype(np.float64) - level
        sums += (charge[1:] * charge[:-1]).mean(), (charge[:, 1:] * charge[:, :-1]).mean()
    # First order a mu^2; the next, -2 |a00| a mu^3 and the matrix with itself, takes off about a sixth at 50 ke.
    expected = np.array([quarter[0, 1], quarter[1, 0]]) * level**2
    error = level / np.sqrt(4 * SHAPE[0] * SHAPE[1])
    assert np.all(np.abs(sums / 4 - expected) < 0.25 * expected + 4 * error)
    assert sums[0] > 2 * sums[1]


def test_edges_hold_as_much_as_the_middle() -> None:
    level = 8e4
    mean = np.mean(
        [brighter_fatter_flat(np.random.default_rng(seed), level, (64, 96), matrix()) for seed in range(20)], axis=0
    )
    error = np.sqrt(level / 20 / 64)
    for edge in (mean[0], mean[-1], mean[:, 0], mean[:, -1]):
        assert abs(edge.mean() - level) < 5 * error


def test_stars_widen_with_their_light_and_lose_none() -> None:
    y, x = np.mgrid[0:48, 0:64]
    star = np.exp(-((y - 24) ** 2 + (x - 32) ** 2) / (2 * 2.0**2))
    width = {}
    for peak in (2e3, 1e5):
        rngs = [np.random.default_rng(seed) for seed in range(40)]
        frames = [brighter_fatter_flat(rng, peak * star + 1.0, (48, 64), matrix()) for rng in rngs]
        charge = np.mean(frames, axis=0)[9:40, 17:48] - 1.0
        box = star[9:40, 17:48]
        assert_allclose(charge.sum(), peak * box.sum(), rtol=5 / np.sqrt(40 * peak * box.sum()))
        width[peak] = np.sqrt((charge * (x[9:40, 17:48] - 32) ** 2).sum() / charge.sum())
    # The published size: one to two per cent near the full well.
    assert 0.005 < width[1e5] / width[2e3] - 1 < 0.03


def test_a_scalar_draws_every_pixel_on_its_own() -> None:
    for n_steps in (1, 8):
        charge = brighter_fatter_flat(np.random.default_rng(3), 50.0, SHAPE, matrix(), n_steps=n_steps)
        # One common number in the first of eight steps would lose an eighth; the error is 0.35 %.
        assert_allclose(charge.var(), 50.0, rtol=0.015)
