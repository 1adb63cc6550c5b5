"""Statistics of a residual amplifier and the bias metrics made of them, against injected truth."""

import math

import numpy as np
import pytest

from kernels.residuals import (
    AmplifierStatistics,
    amplifier_statistics,
    corner_box,
    profile_rms,
)
from kernels.verify_bias import add_residual, exposure_metrics, half_metrics, stability_metrics
from kernels.verify_noise import NoiseModel, median_variance, residual_factor


def normal(shape: tuple[int, int], *, seed: int, mean: float = 0.0, sigma: float = 6.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, sigma, shape).astype(np.float32)


def metrics(statistics: AmplifierStatistics, shape: tuple[int, int], **changes: float) -> dict[str, float]:
    given = {"factor": 1.0, "gain_e_per_adu": 2.0} | changes
    return exposure_metrics(statistics, shape=shape, noise=NoiseModel(read_noise_e=6.0), **given)


def test_figures_are_exact_on_a_given_array() -> None:
    image = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], np.float32)
    got, used = amplifier_statistics(image)
    assert used.all()
    assert (got.n_good, got.mean_e, got.corner_e) == (12, 6.5, 6.5)
    assert got.noise_e == got.cr_noise_e == pytest.approx(math.sqrt(13))
    assert got.row_rms_e == pytest.approx(math.sqrt(32 / 3))
    assert got.column_rms_e == pytest.approx(math.sqrt(1.25))


@pytest.mark.parametrize("is_right", [False, True])
@pytest.mark.parametrize("is_top", [False, True])
def test_the_corner_follows_the_flips(is_right: bool, is_top: bool) -> None:
    image = np.zeros((300, 260), np.float32)
    image[200:, 60:] = 1.0  # the box at the upper right
    box = corner_box(image.shape, is_readout_right=is_right, is_readout_top=is_top)
    assert image[box].shape == (200, 200)
    got, _ = amplifier_statistics(image, is_readout_right=is_right, is_readout_top=is_top)
    overlap_rows, overlap_columns = (100 if is_top else 0), (200 if is_right else 140)
    assert got.corner_e == pytest.approx(overlap_rows * overlap_columns / 200**2)


def test_small_amplifiers_and_lost_pixels() -> None:
    image = normal((64, 96), seed=4)
    image[3] = np.nan
    bad = np.zeros(image.shape, bool)
    bad[:, 10] = True
    image[:, 10] = 1e6
    got, used = amplifier_statistics(image, bad=bad)
    assert got.n_good == 63 * 95
    assert got.noise_e == pytest.approx(6.0, rel=0.05)
    assert not used[3].any()
    assert math.isfinite(got.row_rms_e)
    nothing, _ = amplifier_statistics(np.full((64, 96), np.nan, np.float32))
    assert nothing.n_good == 0
    found = metrics(nothing, (64, 96))
    assert all(math.isnan(value) for name, value in found.items() if not name.endswith("_error"))


def test_a_ray_does_not_look_like_banding_or_an_offset() -> None:
    image = normal((2000, 509), seed=5)
    clean, _ = amplifier_statistics(image)
    image[700, 100:104] = 60000.0
    got, _ = amplifier_statistics(image)
    assert got.n_cosmic_ray_pixels == 4
    assert got.mean_e > clean.mean_e + 0.2
    assert got.clean_mean_e == pytest.approx(clean.clean_mean_e, abs=1e-3)
    assert got.row_rms_e == pytest.approx(clean.row_rms_e, rel=1e-2)
    assert got.cr_noise_e == pytest.approx(clean.cr_noise_e, rel=1e-3)


def test_profiles_of_the_published_gradient() -> None:
    image = normal((2000, 509), seed=6) + np.linspace(-2, 2, 2000, dtype=np.float32)[:, None]
    used = np.ones(image.shape, bool)
    assert profile_rms(image, used, axis=1) == pytest.approx(1.19, abs=0.02)
    assert NoiseModel(read_noise_e=6.0).row_sigma_e(509) == pytest.approx(0.27, abs=0.01)
    got, _ = amplifier_statistics(image)
    found = metrics(got, image.shape)
    assert found["NOISE_EXCESS"] == pytest.approx(0.018, abs=0.003)
    assert found["row_struct"] == pytest.approx(4.5, abs=0.1)
    assert found["col_struct"] == pytest.approx(1.0, abs=0.1)


def test_metrics_are_the_formulas() -> None:
    got = AmplifierStatistics(
        n_good=4,
        mean_e=0.4,
        noise_e=6.3,
        cr_noise_e=7.0,
        corner_e=2.0,
        n_cosmic_ray_pixels=10001,
        clean_mean_e=0.3,
        clean_corner_e=1.0,
        row_rms_e=3.0,
        column_rms_e=6.0,
    )
    found = metrics(got, (100, 25), overscan_noise_adu=3.3)
    assert found["NOISE_EXCESS"] == pytest.approx(0.05)
    assert found["CR_NOISE_EXCESS"] == pytest.approx(0.1)
    assert found["READ_NOISE_EXCESS"] == pytest.approx(0.1)
    assert (found["MEAN"], found["AMP_CORNER"], found["PROCESSING"]) == (0.4, 2.0, 0.0)
    assert (found["resid_mean"], found["corner_mean"], found["level_drift"]) == (0.3, 1.0, 0.15)
    assert found["resid_mean_z"] == pytest.approx(0.3 / (6.0 / 50))
    assert found["row_struct"] == pytest.approx(3.0 / (6.0 / 5))
    assert found["col_struct"] == pytest.approx(6.0 / (6.0 / 10))


def test_noise_of_overscan_levels_is_expected_of_rows_and_columns() -> None:
    rng = np.random.default_rng(7)
    shape, n_serial, n_parallel = (600, 300), 40, 30
    image = rng.normal(0, 6, shape)
    image -= np.median(rng.normal(0, 6, (600, n_serial)), axis=1)[:, None]
    image -= np.median(rng.normal(0, 6, (n_parallel, 300)), axis=0)[None, :]
    noise = NoiseModel(read_noise_e=6.0, n_serial=n_serial, n_parallel=n_parallel)
    got, _ = amplifier_statistics(image.astype(np.float32))
    found = exposure_metrics(got, shape=shape, noise=noise, factor=1.0, gain_e_per_adu=1.0)
    assert found["noise_ratio"] == pytest.approx(0.0, abs=0.01)
    assert found["row_struct"] == pytest.approx(1.0, abs=0.08)
    assert found["col_struct"] == pytest.approx(1.0, abs=0.12)
    assert abs(found["resid_mean_z"]) < 3.5
    blind = exposure_metrics(got, shape=shape, noise=NoiseModel(read_noise_e=6.0), factor=1.0, gain_e_per_adu=1.0)
    assert blind["row_struct"] > 3.0  # forgetting the overscan would fail good data


def test_the_error_of_a_mean_by_monte_carlo() -> None:
    rng = np.random.default_rng(9)
    n_trials, n_rows, n_columns, n_serial, n_parallel = 400, 40, 30, 10, 6
    means, sigmas = [], []
    for _ in range(n_trials):
        raw = rng.normal(0, 6, (n_rows + n_parallel, n_columns + n_serial))
        raw -= np.median(raw[:, n_columns:], axis=1)[:, None]
        image = raw[:n_rows, :n_columns] - np.median(raw[n_rows:, :n_columns], axis=0)
        means.append(image.mean())
        sigmas.append(image.std())
    noise = NoiseModel(read_noise_e=6.0, n_serial=n_serial, n_parallel=n_parallel)
    assert noise.mean_sigma_e(n_rows, n_columns) == pytest.approx(np.std(means), rel=0.12)
    scatter = np.std(sigmas) / np.mean(sigmas)
    assert noise.pixel_sigma_error(n_rows, n_columns) == pytest.approx(scatter, rel=0.15)


@pytest.mark.parametrize("n_values", [1, 2, 3, 4, 5, 10, 58])
def test_variance_of_a_median_by_monte_carlo(n_values: int) -> None:
    values = np.random.default_rng(10).normal(size=(60000, n_values))
    assert median_variance(n_values) == pytest.approx(np.median(values, axis=1).var(), rel=0.045)


@pytest.mark.parametrize("n_inputs", [10, 20])
def test_expected_residual_noise_by_monte_carlo(n_inputs: int) -> None:
    rng = np.random.default_rng(8)
    cube = rng.normal(0, 6, (n_inputs + 1, 60000))
    median = np.median(cube[:-1], axis=0)
    spread = 0.7413 * np.subtract(*np.percentile(cube[:-1], (75, 25), axis=0))
    centre, sigma = median, spread
    for _ in range(3):
        kept = np.where(np.abs(cube[:-1] - centre) <= 3 * sigma, cube[:-1], np.nan)
        centre, sigma = np.nanmean(kept, axis=0), np.nanstd(kept, axis=0)
    in_sample = np.std(cube[0] - centre) / 6
    independent = np.std(cube[-1] - centre) / 6
    assert independent == pytest.approx(residual_factor(n_inputs, is_in_build=False), rel=0.01)
    assert in_sample == pytest.approx(residual_factor(n_inputs, is_in_build=True), rel=0.01)
    assert in_sample < 1.0 < independent


def test_one_input_explains_itself() -> None:
    assert math.isnan(residual_factor(1, is_in_build=True))
    with pytest.raises(ValueError, match="at least one input"):
        residual_factor(0, is_in_build=False)


def test_stability_is_the_spread_of_levels() -> None:
    levels = list(np.linspace(0.0, 1.0, 21))
    found = stability_metrics([*levels, math.nan])
    assert found["stability_d"] == pytest.approx(0.9)
    assert found["level_range"] == pytest.approx(1.0)
    assert math.isnan(stability_metrics([0.0, 1.0])["stability_d"])


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (1.0, 1.0), (0.0, 1.3)])
def test_halves_show_an_injected_difference(offset: float, scale: float) -> None:
    shape, n_half, noise = (200, 300), 5, NoiseModel(read_noise_e=6.0)
    even, odd = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    used = np.ones(shape, bool)
    used[0, 0] = False
    for i in range(n_half):
        frame = normal(shape, seed=20 + i, sigma=6.0 * scale) + np.float32(offset)
        frame[0, 0] = 1e6  # an outlier adds nothing
        add_residual(even, frame, used)
        add_residual(odd, normal(shape, seed=40 + i, sigma=6.0 * scale), used)
    found = half_metrics(even, n_half, odd, n_half, noise=noise)
    sigma_of_mean = 6.0 * math.sqrt(2 / n_half) / math.sqrt(shape[0] * shape[1])
    assert found["evenodd_mean_z"] == pytest.approx(offset / sigma_of_mean, abs=3.5)
    assert found["evenodd_noise_ratio"] == pytest.approx(scale - 1.0, abs=0.02)
    assert math.isnan(half_metrics(even, 1, odd, 5, noise=noise)["evenodd_mean_z"])
