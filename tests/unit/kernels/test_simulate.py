"""What is injected into simulated frames can be measured from them with a few lines of numpy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from kernels.simulate import (
    ADC_MAX_16_BIT,
    BadExposure,
    DetectorLayout,
    DetectorTruth,
    FailingAmplifier,
    SimulatedFrame,
    bias_frame,
    dark_frame,
    detector_truth,
    exposure_rng,
    flat_frame,
    flat_pair,
    truth_rng,
)
from kernels.simulate_charge import cosmic_ray_tracks, spill_full_wells

NY, NX, PRESCAN, SERIAL, PARALLEL = 200, 160, 4, 64, 40
LAYOUT = DetectorLayout(
    raw_shape=(NY + PARALLEL, PRESCAN + NX + SERIAL),
    data_y0=0,
    data_x0=PRESCAN,
    data_shape=(NY, NX),
    detector_y0=(NY, NY, 0, 0),
    detector_x0=(0, NX, NX, 0),
    flip_y=(True, True, False, False),
    flip_x=(True, True, True, True),
)
NOISE_E = 8.0
NOMINAL_GAIN = 1.4
FULL_WELL_E = 90_000.0
N_FRAMES = 24


def make_truth(seed: int = 7, **changes: object) -> DetectorTruth:
    arguments: dict[str, object] = {
        "gain_e_per_adu": [NOMINAL_GAIN] * 4,
        "read_noise_e": [NOISE_E] * 4,
        "full_well_e": [FULL_WELL_E] * 4,
        "gain_scatter": 0.1,
        "hot_fraction": 2e-3,
    }
    return detector_truth(truth_rng(seed, 0), LAYOUT, **(arguments | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def truth() -> DetectorTruth:
    return make_truth()


def subtract_overscan(frame: SimulatedFrame, truth: DetectorTruth) -> NDArray[np.float64]:
    """Subtract the mean of the serial overscan row by row and give the imaging pixels in electrons."""
    raw = frame.raw.astype(np.float64)
    raw -= raw[:, :, PRESCAN + NX :].mean(axis=2, keepdims=True)
    return raw[(slice(None), *LAYOUT.data)] * truth.gain_e_per_adu[:, None, None]


def test_the_same_seed_gives_the_same_frame_in_any_order(truth: DetectorTruth) -> None:
    forward = [bias_frame(truth, exposure_rng(7, 0, exposure)).raw for exposure in (1, 2, 3)]
    backward = [bias_frame(make_truth(), exposure_rng(7, 0, exposure)).raw for exposure in (3, 2, 1)]
    for one, other in zip(forward, reversed(backward), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("other", [(8, 0, 1), (7, 1, 1), (7, 0, 2)])
def test_seed_detector_and_exposure_each_change_the_noise(truth: DetectorTruth, other: tuple[int, int, int]) -> None:
    first = subtract_overscan(bias_frame(truth, exposure_rng(7, 0, 1)), truth)
    second = subtract_overscan(bias_frame(truth, exposure_rng(*other)), truth)
    difference = (first - second).std() / np.sqrt(2)
    assert_allclose(difference, NOISE_E * np.sqrt(1 + 1 / SERIAL), rtol=0.02)


def test_truth_differs_by_detector() -> None:
    assert np.any(make_truth(seed=7).gain_e_per_adu != make_truth(seed=8).gain_e_per_adu)
    assert truth_rng(7, 0).random() != truth_rng(7, 1).random()


def test_gain_comes_back_from_the_variance_of_a_flat_pair(truth: DetectorTruth) -> None:
    first, second = flat_pair(
        truth, exposure_rng(7, 0, 1), exposure_rng(7, 0, 2), illumination_e=30_000, cosmic_ray_rate_per_px_s=0.0
    )
    unit = np.ones(4)
    for amp in range(4):
        a, b = (subtract_overscan(frame, truth)[amp] / truth.gain_e_per_adu[amp] for frame in (first, second))
        noise_adu = NOISE_E / truth.gain_e_per_adu[amp]
        # Means exclude the raised columns and rolled rows, which are bias and not light.
        flux_adu = (a + b)[12:, 20:].mean() / 2
        photon_variance = (a - b).var() / 2 - noise_adu**2 * (1 + 1 / SERIAL)
        unit[amp] = flux_adu / photon_variance
    # Relative error of a variance of n values: sqrt(2/n) = 0.8 %; four of them.
    assert_allclose(unit, truth.gain_e_per_adu, rtol=4 * np.sqrt(2 / (NY * NX)))
    assert np.abs(unit / NOMINAL_GAIN - 1).max() > 0.05


def test_light_is_the_asked_mean_with_the_pixels_response(truth: DetectorTruth) -> None:
    frames = [flat_frame(truth, exposure_rng(7, 0, i), illumination_e=40_000) for i in range(12)]
    charge = np.mean([subtract_overscan(frame, truth) for frame in frames], axis=0) - truth.bias_structure_e
    assert_allclose(charge.mean(axis=(1, 2)), 40_000, rtol=1e-3)
    assert np.corrcoef(charge.ravel(), truth.response.ravel())[0, 1] > 0.9


def test_read_noise_comes_back_from_the_overscan(truth: DetectorTruth) -> None:
    raw = bias_frame(truth, exposure_rng(7, 0, 1)).raw.astype(np.float64)
    overscan = raw[:, :, PRESCAN + NX :]
    overscan -= overscan.mean(axis=2, keepdims=True)
    noise_e = overscan.std(axis=(1, 2)) / np.sqrt(1 - 1 / SERIAL) * truth.gain_e_per_adu
    assert_allclose(noise_e, truth.read_noise_e, rtol=0.03)


def test_overscan_leaves_the_bias_structure_and_nothing_else(truth: DetectorTruth) -> None:
    frames = [subtract_overscan(bias_frame(truth, exposure_rng(7, 0, i)), truth) for i in range(N_FRAMES)]
    combined = np.median(frames, axis=0)
    residual = combined - truth.bias_structure_e
    # The median is sqrt(pi/2) times noisier than the mean.
    expected = NOISE_E * np.sqrt((1 + 1 / SERIAL) * np.pi / 2 / N_FRAMES)
    assert_allclose(residual.std(axis=(1, 2)), expected, rtol=0.05)
    assert np.abs(residual.mean(axis=(1, 2))).max() < 5 * expected / np.sqrt(NY)
    assert truth.bias_structure_e.std() > 2 * expected
    assert np.abs(np.median(truth.bias_structure_e)) < 5
    level_spread = truth.bias_level_adu.max() - truth.bias_level_adu.min()
    assert level_spread > 100


def test_patterns_have_their_stated_sizes(truth: DetectorTruth) -> None:
    assert_allclose(truth.fixed_pattern_e.std(axis=(1, 2)), 2.0, rtol=1e-4)
    assert_allclose(truth.fixed_pattern_e.mean(axis=(1, 2)), 0.0, atol=1e-5)
    columns = truth.edge_pattern_adu[0, -1]
    assert_allclose(columns[:20], 30 * np.exp(-np.arange(20) / 8), rtol=1e-6)
    assert_array_equal(columns[20:], 0)
    assert np.all(np.abs(truth.bias_level_adu - 20_000) <= 2_000)


def test_hot_pixels_show_in_darks_at_their_rates(truth: DetectorTruth) -> None:
    darks = [
        subtract_overscan(
            dark_frame(truth, exposure_rng(7, 0, i), dark_time_s=100.0, cosmic_ray_rate_per_px_s=0.0), truth
        )
        for i in range(5)
    ]
    charge = np.mean(darks, axis=0) - truth.bias_structure_e
    is_found = charge > 0.02 * 100 + 6 * np.sqrt((NOISE_E**2 + 2) / 5)
    n_pixels = 4 * NY * NX
    assert abs(len(truth.hot_pixel) - 2e-3 * n_pixels) < 4 * np.sqrt(2e-3 * n_pixels)
    assert_array_equal(is_found, truth.is_hot)
    hot_rate = charge.ravel()[truth.hot_pixel] / 100
    assert_allclose(hot_rate, truth.hot_rate_e_per_s, rtol=0.15)
    assert truth.hot_rate_e_per_s.min() >= 3
    assert truth.hot_rate_e_per_s.max() <= 500
    assert_allclose(np.median(charge[:, 20:, 20:]) / 100, 0.02, atol=0.02)


def test_biases_hold_no_dark_current(truth: DetectorTruth) -> None:
    charge = subtract_overscan(bias_frame(truth, exposure_rng(7, 0, 1), cosmic_ray_rate_per_px_s=0.0), truth)
    assert np.abs((charge - truth.bias_structure_e)[truth.is_hot]).max() < 6 * NOISE_E


def test_cosmic_rays_are_positive_outliers_where_they_are_marked(truth: DetectorTruth) -> None:
    quiet = make_truth(hot_fraction=0.0)
    frame = dark_frame(quiet, exposure_rng(7, 0, 1), dark_time_s=30.0, cosmic_ray_rate_per_px_s=1e-5)
    charge = subtract_overscan(frame, quiet) - quiet.bias_structure_e
    assert frame.is_cosmic_ray.any(axis=(1, 2)).all()
    hit = charge[frame.is_cosmic_ray]
    assert np.median(hit) > 100 * NOISE_E
    assert np.mean(hit > 5 * NOISE_E) > 0.95
    assert charge[~frame.is_cosmic_ray].max() < 6.5 * NOISE_E


def test_tracks_are_straight_and_hold_the_charge_of_their_path() -> None:
    n_checked = 0
    for seed in range(60):
        charge = cosmic_ray_tracks(np.random.default_rng(seed), shape=(400, 400), n_tracks=1)
        y, x = np.nonzero(charge)
        assert charge.sum() <= 80 * np.hypot(410, 100) * 1.01
        if len(y) < 8:
            continue
        spread = np.linalg.svd(np.stack([y - y.mean(), x - x.mean()]))[1]
        assert spread[1] / np.sqrt(len(y)) < 0.8
        n_checked += 1
    assert n_checked > 10


def test_no_tracks_no_charge() -> None:
    assert not cosmic_ray_tracks(np.random.default_rng(0), shape=(5, 6), n_tracks=0).any()


def test_saturation_stops_at_the_full_well(truth: DetectorTruth) -> None:
    frame = flat_frame(truth, exposure_rng(7, 0, 1), illumination_e=3 * FULL_WELL_E)
    charge = subtract_overscan(frame, truth) - truth.bias_structure_e
    assert frame.is_saturated.all()
    assert_allclose(np.median(charge, axis=(1, 2)), FULL_WELL_E, rtol=1e-3)
    assert charge.std() < 1.2 * NOISE_E
    below = flat_frame(truth, exposure_rng(7, 0, 1), illumination_e=0.5 * FULL_WELL_E)
    assert below.is_saturated.mean() < 1e-3


def test_a_16_bit_converter_clips_instead_of_wrapping() -> None:
    truth = make_truth(adc_max_adu=ADC_MAX_16_BIT)
    frame = flat_frame(truth, exposure_rng(7, 0, 1), illumination_e=3 * FULL_WELL_E)
    data = frame.raw[(slice(None), *LAYOUT.data)]
    # 20000 adu of bias and 90000 e at about 1.4 e/adu are past the end of the converter in most pixels.
    assert data.max() == ADC_MAX_16_BIT
    assert np.mean(data == ADC_MAX_16_BIT) > 0.5
    assert data.min() > 32_767
    assert frame.is_saturated[data == ADC_MAX_16_BIT].all()


def test_full_wells_spill_along_the_column_only() -> None:
    charge = np.full((21, 9), 100.0, dtype=np.float32)
    charge[10, 4] = 3_000.0
    held = spill_full_wells(charge, full_well_e=1_000.0)
    assert held.max() <= 1_000.0
    assert_allclose(held.sum(), charge.sum(), rtol=1e-6)
    changed_y, changed_x = np.nonzero(held != charge)
    assert set(changed_x) == {4}
    assert np.abs(changed_y - 10).max() <= 3
    assert charge[10, 4] == 3_000.0
    assert spill_full_wells(held, full_well_e=1_000.0) is held


def test_a_bad_exposure_stands_out_after_overscan(truth: DetectorTruth) -> None:
    frames = [subtract_overscan(bias_frame(truth, exposure_rng(7, 0, i)), truth) for i in range(6)]
    bad = bias_frame(truth, exposure_rng(7, 0, 6), fault=BadExposure())
    residual_means = [np.abs((frame - truth.bias_structure_e).mean(axis=(1, 2))).max() for frame in frames]
    bad_residual = subtract_overscan(bad, truth) - truth.bias_structure_e
    assert np.abs(bad_residual.mean(axis=(1, 2))).min() > 3 * max(residual_means)
    assert np.abs(bad_residual.mean(axis=(1, 2))).min() > 3.0
    brightest = np.unravel_index(np.argmax(bad_residual.mean(axis=(1, 2))), 4)[0]
    assert (LAYOUT.detector_y0[brightest], LAYOUT.detector_x0[brightest]) == (0, 0)
    overscan = bad.raw[:, :, PRESCAN + NX :].mean(axis=2)
    half = LAYOUT.raw_shape[0] // 2
    jump = overscan[:, half:].mean(axis=1) - overscan[:, 20:half].mean(axis=1)
    assert_allclose(jump, 40, atol=8)


def test_a_failing_amplifier_is_noisy_alone() -> None:
    truth = make_truth(failing=(FailingAmplifier(amp=2, read_noise_e=20.0),))
    charge = subtract_overscan(bias_frame(truth, exposure_rng(7, 0, 1)), truth) - truth.bias_structure_e
    ratio = charge.std(axis=(1, 2)) / NOISE_E
    assert_allclose(ratio, [1, 1, 2.5, 1], rtol=0.03)


def test_a_dead_amplifier_gives_neither_signal_nor_noise() -> None:
    truth = make_truth(failing=(FailingAmplifier(amp=0, is_dead=True),))
    frame = flat_frame(truth, exposure_rng(7, 0, 1), illumination_e=20_000)
    charge = subtract_overscan(frame, truth) - truth.bias_structure_e
    assert abs(charge[0].mean()) < 0.5
    assert charge[0].std() < 0.6
    assert charge[1].mean() > 19_000


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="read_noise_e has 3 values for 4 amplifiers"):
        make_truth(read_noise_e=[NOISE_E] * 3)
    with pytest.raises(ValueError, match=r"failing amplifiers \[4\]"):
        make_truth(failing=(FailingAmplifier(amp=4),))
