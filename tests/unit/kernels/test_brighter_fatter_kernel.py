"""Kernels: the Poisson equation against a sparse solution, pairs refused, validity, and what they repair on frames."""

import numpy as np
import pytest
from scipy.sparse import diags_array, eye_array, kron
from scipy.sparse.linalg import spsolve

from kernels.brighter_fatter import correct_brighter_fatter
from kernels.brighter_fatter_kernel import (
    KernelRule,
    KernelSource,
    amplifier_kernel,
    detector_kernel,
    kernel_fault,
    pair_correlations,
    solve_poisson,
    tiled,
)
from kernels.errors import KernelError
from kernels.ptc_models import full_covariance
from kernels.ptc_pairs import PairRule, measure_pair
from kernels.simulate_brighter_fatter import brighter_fatter_flat, distortion_matrix, quarter_matrix

MATRIX = distortion_matrix()
QUARTER = quarter_matrix(MATRIX)
R = len(QUARTER)
LEVELS = np.array([1000.0, 3000.0, 8000.0, 15_000.0, 25_000.0, 40_000.0])


def model(means: np.ndarray, noise_e: float = 6.0) -> np.ndarray:
    """Covariances to first order: mu delta + a mu^2 + n^2 delta."""
    covariances = QUARTER * (means**2)[:, None, None]
    covariances[:, 0, 0] += means + noise_e**2
    return covariances


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [3, 17, 21])
def test_the_poisson_solution_is_that_of_a_sparse_solver(seed: int, n: int) -> None:
    source = np.random.default_rng(seed).normal(0, 1e-6, (n, n))
    line = diags_array([np.ones(n - 1), -2 * np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1])
    laplacian = kron(line, eye_array(n)) + kron(eye_array(n), line)
    wanted = spsolve(laplacian.tocsc(), source.ravel()).reshape(n, n)
    # both exact but for rounding: the condition number of 21 x 21 is 200
    np.testing.assert_allclose(solve_poisson(source), wanted, atol=1e-13 * np.abs(wanted).max())


def test_the_poisson_solution_is_where_relaxation_ends() -> None:
    source = np.pad(-MATRIX, 1)
    kernel = np.zeros_like(source)
    y, x = np.indices(source.shape)
    for _ in range(400):
        for colour in (0, 1):
            padded = np.pad(kernel, 1)
            around = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2]
            change = (around - source) / 4 - kernel
            kernel = np.where((x + y) % 2 == colour, kernel + 1.7 * change, kernel)
    np.testing.assert_allclose(solve_poisson(source), kernel, atol=1e-12 * np.abs(kernel).max())
    with pytest.raises(KernelError, match="square"):
        solve_poisson(source[1:])


def test_exact_covariances_give_the_kernel_of_the_matrix() -> None:
    wanted = solve_poisson(np.pad(-MATRIX.T, 1))  # the matrix is [y, x], a kernel [x, y]
    for rule in (
        KernelRule(),
        KernelRule(is_weighted=True),
        KernelRule(source=KernelSource.A_MATRIX),
        KernelRule(source=KernelSource.QUADRATIC_FIT),
        KernelRule(source=KernelSource.MODEL),
    ):
        found = amplifier_kernel(LEVELS, model(LEVELS), noise_e=6.0, a_matrix=QUARTER, rule=rule)
        assert found.reason == ""
        np.testing.assert_allclose(found.kernel, wanted, atol=1e-9 * np.abs(wanted).max())
        np.testing.assert_allclose(found.mean_correlation.sum(), 0, atol=1e-18)
        assert found.kernel.shape == (2 * R + 1, 2 * R + 1)


def test_read_noise_is_no_correlation() -> None:
    noisy = pair_correlations(LEVELS, model(LEVELS, 20.0))
    clean = pair_correlations(LEVELS, model(LEVELS, 20.0), noise_e=20.0)
    np.testing.assert_allclose(clean, np.broadcast_to(-QUARTER, clean.shape), atol=1e-15)
    assert noisy[0, 0, 0] < 0  # 400 e^2 at 1000 e hide the effect: the pair would be refused or pull the mean


def test_pairs_are_refused_for_a_reason() -> None:
    covariances = model(LEVELS)
    covariances[1, 0, 0] = 1.2 * LEVELS[1]  # a lamp that flickers
    covariances[3] = 0.0  # correlations of one sign: charge that vanishes
    covariances[3, 0, 0] = 0.9 * LEVELS[3]
    means = LEVELS.copy()
    means[5] = np.nan
    allowed = np.array([True, True, False, True, True, True])
    found = amplifier_kernel(means, covariances, noise_e=6.0, is_used=allowed)
    assert found.is_used.tolist() == [True, False, False, False, True, False]
    assert found.reason == ""
    nothing = amplifier_kernel(LEVELS, model(LEVELS), noise_e=6.0, is_used=np.zeros(6, bool))
    assert np.isnan(nothing.kernel).all()
    assert nothing.reason.startswith("no pair")
    missing = amplifier_kernel(LEVELS, model(LEVELS), rule=KernelRule(source=KernelSource.A_MATRIX))
    assert missing.reason == "the photon transfer curve has no fitted matrix a"


def test_an_outlying_pair_is_clipped() -> None:
    means = np.full(60, 20_000.0)
    covariances = model(means)
    rng = np.random.default_rng(0)
    covariances += rng.normal(0, 0.02, covariances.shape) * np.abs(QUARTER) * 4e8
    covariances[7, 2, 1] *= 50
    found = amplifier_kernel(means, covariances, noise_e=6.0)
    middle = R
    # the mean of 59 values of 2 %
    assert found.mean_correlation[middle + 2, middle + 1] == pytest.approx(-QUARTER[2, 1], rel=0.01)


def test_validity_means_what_it_says() -> None:
    good = solve_poisson(np.pad(-MATRIX, 1))
    assert kernel_fault(good) == ""
    assert "not finite" in kernel_fault(np.full_like(good, np.nan))
    assert "not at its centre" in kernel_fault(-good)
    assert "not at its centre" in kernel_fault(np.roll(good, 1, axis=0))
    raised = good.copy()
    raised[3, 3] = 0.03 * np.abs(good).max()
    assert "rises to 0.030" in kernel_fault(raised)
    raised[3, 3] = 0.02 * np.abs(good).max()
    assert kernel_fault(raised) == ""
    cut = good[R - 2 : R + 3, R - 2 : R + 3]  # an edge of a twelfth of the centre
    assert "at its edge: more lags are needed" in kernel_fault(cut)


def test_detector_kernel_is_the_mean_of_valid_ones() -> None:
    one = amplifier_kernel(LEVELS, model(LEVELS), noise_e=6.0)
    bad = amplifier_kernel(LEVELS, model(LEVELS), is_used=np.zeros(6, bool))
    np.testing.assert_array_equal(detector_kernel([one, bad, one]), one.kernel)
    assert np.isnan(detector_kernel([bad])).all()


def test_tiled_is_symmetric() -> None:
    np.testing.assert_array_equal(tiled(np.array([[1, 2], [3, 4]])), [[4, 3, 4], [2, 1, 2], [4, 3, 4]])
    np.testing.assert_allclose(tiled(QUARTER), MATRIX.T)


@pytest.mark.parametrize("seed", range(3))
def test_correlations_of_simulated_flats_are_those_of_the_matrix(seed: int) -> None:
    rng, matrix = np.random.default_rng(seed), distortion_matrix(size=4)
    shape, rule = (400, 400), PairRule(n_lags=4, min_pixels=1000)
    measured = []
    for level in (5000, 12_000, 20_000, 20_000):
        pair = [brighter_fatter_flat(rng, level, shape, matrix) for _ in range(2)]
        measured.append(measure_pair(*pair, np.ones(shape, bool), rule=rule))
    found = amplifier_kernel(
        np.array([one.mean_adu for one in measured]),
        np.stack([one.covariances_adu2 for one in measured]),
        rule=KernelRule(is_weighted=True, is_zero_sum=False),
    ).mean_correlation
    # 130 000 pixels and four pairs: 1.1e-7 at lag zero, 8e-8 beside it; to second order 2/3 |a00| mu, 4 %, is lost
    assert found[4, 4] == pytest.approx(0.96 * 3.5e-6, abs=3.5e-7)
    assert found[4, 5] == pytest.approx(-0.96 * 5.3e-7, abs=2.4e-7)
    assert found[5, 4] == pytest.approx(-0.96 * 1.5e-7, abs=2.4e-7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_corrected_flats_have_the_variance_of_their_photons(seed: int) -> None:
    # The kernel of a long ramp: its covariances without noise, since the zero sum takes the noise of all lags to the
    # centre, and only a hundred pairs of a full-size amplifier bring that below the tolerance.
    ramp, none = np.linspace(2000, 60_000, 30), np.zeros_like(QUARTER)
    found = amplifier_kernel(ramp, full_covariance(ramp, 1.0, QUARTER, none, none))
    assert found.reason == ""
    rng, shape = np.random.default_rng(seed), (600, 600)
    levels, before, after = (3000, 12_000, 24_000, 36_000, 48_000), [], []
    for level in levels:
        pair = [brighter_fatter_flat(rng, level, shape, MATRIX) for _ in range(2)]
        for ratios, frames in (
            (before, pair),
            (after, [correct_brighter_fatter(one, found.kernel)[0] for one in pair]),
        ):
            one = measure_pair(*frames, np.ones(shape, bool), rule=PairRule(n_lags=1, min_pixels=1000))
            ratios.append(one.variance_adu2 / one.mean_adu)
    assert before[-1] < 0.87
    # 0.5 % (generation.md 11) and three sigma of a variance of 310 000 pixels, 0.25 %
    np.testing.assert_allclose(after, 1.0, atol=0.005 + 3 * 0.0025)
    slopes = [np.polyfit(levels, ratios, 1)[0] * np.ptp(levels) for ratios in (before, after)]
    # the ends of a line through five of them are 0.4 % apart by noise
    assert abs(slopes[1]) < 0.005 + 0.004
    assert abs(slopes[1]) < 0.1 * abs(slopes[0])


@pytest.mark.parametrize("seed", range(3))
def test_stars_no_longer_grow_with_their_light(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = solve_poisson(np.pad(-MATRIX.T, 1))
    peaks = np.array([3000.0, 20_000.0, 40_000.0, 60_000.0])
    y, x = np.mgrid[:200, :200] % 25 - 12
    stars = np.exp(-(x**2 + y**2) / (2 * 2.0**2))
    widths = {"raw": [], "corrected": []}
    for peak in peaks:
        image = brighter_fatter_flat(rng, peak * stars + 50, (200, 200), MATRIX)
        for name, pixels in (("raw", image), ("corrected", correct_brighter_fatter(image, kernel, threshold=100)[0])):
            stamp = pixels.reshape(8, 25, 8, 25).mean((0, 2))
            stamp = stamp - np.median(stamp[[0, -1]])
            at = np.arange(25) - 12
            weight = np.exp(-(at[:, None] ** 2 + at**2) / (2 * 3.0**2)) * stamp
            moments = [(weight * at[:, None] ** 2).sum() / weight.sum(), (weight * at**2).sum() / weight.sum()]
            widths[name].append([np.sqrt(1 / (1 / moment - 1 / 9)) for moment in moments])
    before, after = (np.polyfit(peaks, np.array(widths[name]), 1)[0] for name in ("raw", "corrected"))
    assert (before > 3e-7).all()
    # down five times (generation.md 11) along both axes; photon noise of 64 stars moves a slope by 2e-8
    assert (np.abs(after) < before / 5).all()
    assert widths["raw"][-1][0] - widths["raw"][0][0] > 0.015
