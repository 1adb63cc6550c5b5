"""Late charge, crosstalk, nonlinearity and gains of simulated frames are what their truth states."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kernels.crosstalk import apply_crosstalk
from kernels.deferred_charge import correct_deferred_charge
from kernels.linearity import LinearityTable, apply_linearity
from kernels.simulate import (
    FailingAmplifier,
    FrameConditions,
    FrameLight,
    exposure_rng,
    simulated_frame,
)
from kernels.simulate_conditions import FrameBefore
from kernels.simulate_effects import SimulatedEffects, published_effects
from kernels.simulate_light import (
    PointSources,
    random_sources,
)
from kernels.simulate_readout import expected_light
from tests.support.simulated_detector import (
    FULL_WELL_E,
    LAYOUT,
    NOISE_E,
    NX,
    NY,
    OVERSCAN,
    PRESCAN,
    SEEDS,
    lit,
    make_effects,
    make_truth,
    mean_signal,
)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_overscan_columns_hold_what_transfers_left_behind(seed: int) -> None:
    truth = make_truth(seed, response_rms=0.0)
    effects = make_effects(seed, truth, SimulatedEffects(cti_range=(1e-6, 1e-5)))
    level_e = 80_000.0
    overscan = mean_signal(truth, effects, lit(level_e), 12)[OVERSCAN].mean(axis=1)
    assert effects.cti is not None
    found = overscan[:, :2].sum(axis=1) / ((NX + PRESCAN) * level_e)
    expected = [amp.global_cti for amp in effects.cti]
    # Twelve frames of a hundred rows: 0.2 e in two columns, of 12 to 120 e.
    assert_allclose(found, expected, atol=4 * 0.25 / ((NX + PRESCAN) * level_e))
    assert np.ptp(np.log(expected)) > 0.1


def test_the_amplifier_remembers_a_part_that_decays() -> None:
    truth = make_truth(response_rms=0.0)
    effects = make_effects(1, truth, SimulatedEffects(drift_scale=5e-4, drift_decay_px=2.4))
    level_e = 100_000.0
    overscan = mean_signal(truth, effects, lit(level_e), 12)[OVERSCAN].mean(axis=1)
    assert effects.cti is not None
    column = np.arange(1, 6)
    for amp, state in enumerate(effects.cti):
        expected = state.drift_scale * level_e * np.exp(-column / state.decay_time)
        assert_allclose(overscan[amp, :5], expected, atol=0.8)


def test_parallel_transfers_leave_charge_in_the_parallel_overscan() -> None:
    truth = make_truth(response_rms=0.0)
    effects = make_effects(1, truth, SimulatedEffects(parallel_cti=5e-6))
    signal = mean_signal(truth, effects, lit(80_000.0), 12)
    late = signal[:, NY : NY + 2, PRESCAN : PRESCAN + NX].sum(axis=1).mean()
    assert_allclose(late / (NY * 80_000.0), 5e-6, rtol=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_spots_ghost_into_the_other_amplifiers_by_the_matrix(seed: int) -> None:
    truth = make_truth(seed)
    strengths = SimulatedEffects(
        crosstalk_adjacent=1e-3, crosstalk_next=4e-4, crosstalk_far=1e-4, crosstalk_quadratic_per_e=-4e-9
    )
    effects = make_effects(seed, truth, strengths)
    assert effects.crosstalk is not None
    assert effects.crosstalk_quadratic is not None
    source = 1
    spot = PointSources(
        y=np.array([NY + 50.0]), x=np.array([NX + 60.0]), light_e=np.array([1e5]), size_px=12.0, is_spot=True
    )
    signal = mean_signal(truth, effects, lit(0.0, sources=spot), 12)[(slice(None), *LAYOUT.data)]
    is_spot = signal[source] > 9e4
    assert is_spot.sum() > 350
    level = signal[source][is_spot].mean()
    for target in (0, 2, 3):
        ghost = signal[target][is_spot].mean()
        expected = effects.crosstalk[source, target] * level + effects.crosstalk_quadratic[source, target] * level**2
        # 400 pixels in 12 frames: 0.07 e of noise; the row medians are common to the spot's rows: 0.2 e.
        assert_allclose(ghost, expected, atol=0.8)
        assert abs(signal[target][signal[source] < 50].mean()) < 0.4
    assert_array_equal(np.diag(effects.crosstalk), 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_subtracting_s_makes_the_signal_proportional_to_the_light(seed: int) -> None:
    truth = make_truth(seed, response_rms=0.0)
    strengths = SimulatedEffects(nonlinearity_low=-0.005, nonlinearity_per_e=-1.5e-7, nonlinearity_turnoff=-0.01)
    effects = make_effects(seed, truth, strengths)
    levels = np.array([500.0, 3e3, 1e4, 4e4, 8e4, 1.1e5])
    measured = np.array(
        [mean_signal(truth, effects, lit(level), 3)[(slice(None), *LAYOUT.data)].mean(axis=(1, 2)) for level in levels]
    )
    measured_adu = measured / truth.gain_e_per_adu
    linear_e = np.empty_like(measured)
    for amp in range(4):
        linear_e[:, amp] = truth.gain_e_per_adu[amp] * (
            measured_adu[:, amp] - effects.nonlinearity_adu(amp, measured_adu[:, amp])
        )
    assert_allclose(linear_e, np.repeat(levels[:, None], 4, axis=1), rtol=6e-4)
    off = measured / levels[:, None] - 1
    # The low bump near 3000 adu, and the loss at the full well.
    assert np.all(off[1] < -0.002)
    assert np.all(off[-1] < -0.012)


def test_the_table_of_the_nonlinearity_is_its_inverse() -> None:
    truth = make_truth()
    effects = make_effects(1, truth, published_effects("LSSTCam", "E2V"))
    measured = np.linspace(-500.0, 1.2 * effects.turnoff_adu[0], 4_001)
    linear = measured - effects.nonlinearity_adu(0, measured)
    assert np.all(np.diff(linear) > 0)
    table = effects.distortion_tables[0]
    assert table is not None
    grid = table.start + table.step * np.arange(len(table.values))
    assert_allclose(linear - np.interp(linear, grid, table.values), measured, atol=2e-3)


def test_restarts_and_warmth_change_the_gains() -> None:
    truth = make_truth(response_rms=0.0)
    strengths = SimulatedEffects(gain_step=-0.004, gain_step_scatter=0.01, gain_per_k=1e-2)
    effects = make_effects(1, truth, strengths)
    assert_array_equal(effects.gain_factor(0, 0.0), 1.0)
    data = (slice(None), *LAYOUT.data)
    light = lit(50_000.0)
    before = mean_signal(truth, effects, light, 3)[data].mean(axis=(1, 2))
    for changed, expected in (
        (replace(light, gain_epoch=1), effects.gain_epochs[1]),
        (replace(light, warmer_k=2.0), np.full(4, 1.02)),
    ):
        after = mean_signal(truth, effects, changed, 3)[data].mean(axis=(1, 2))
        # Fewer adu for more electrons a step; photon noise of 36000 pixels is 2e-5.
        assert_allclose(before / after, expected, rtol=2e-4)
    assert effects.gain_epochs[1].std() > 1e-3


def test_a_part_of_the_charge_before_is_released_later() -> None:
    truth = make_truth(response_rms=0.0)
    effects = make_effects(1, truth, SimulatedEffects(persistence=0.01, persistence_s=60.0))
    dark = FrameConditions(dark_time_s=30.0, cosmic_ray_rate_per_px_s=0.0)
    for light_e, left_e in ((50_000.0, 50_000.0), (10 * FULL_WELL_E, FULL_WELL_E)):
        before = FrameBefore(light=FrameLight(illumination_e=light_e), gap_s=20.0)
        charge = mean_signal(truth, effects, replace(dark, before=before))[(slice(None), *LAYOUT.data)].mean()
        charge -= 30.0 * truth.dark_current_e_per_s
        assert_allclose(charge, 0.01 * left_e * np.exp(-20 / 60) * (1 - np.exp(-30 / 60)), rtol=0.01)


def test_a_saturated_amplifier_is_at_the_converters_end_everywhere() -> None:
    truth = make_truth(failing=(FailingAmplifier(amp=3, is_saturated=True), FailingAmplifier(amp=0, is_nan=True)))
    frame = simulated_frame(truth, exposure_rng(1, 0, 1), FrameConditions())
    assert_array_equal(frame.raw[3], truth.adc_max_adu)
    assert frame.is_saturated[3].all()
    assert not frame.is_saturated[1].any()
    assert_array_equal(truth.is_nan, [True, False, False, False])


@pytest.mark.parametrize("seed", SEEDS)
def test_corrections_with_the_truths_numbers_give_the_light_back(seed: int) -> None:
    truth = make_truth(seed)
    strengths = replace(published_effects("LATISS", "ITL", is_mini=True), a00=0.0)
    effects = make_effects(seed, truth, strengths)
    sources = random_sources(np.random.default_rng(seed), LAYOUT, n_per_amp=4, light_e=(1e5, 8e5), size_px=2.0)
    light = FrameLight(illumination_e=5_000.0, band="r", sources=sources)
    n_frames = 6
    seen = mean_signal(truth, effects, FrameConditions(light=light, cosmic_ray_rate_per_px_s=0.0), n_frames)
    assert effects.crosstalk is not None
    assert effects.cti is not None
    signal = apply_crosstalk(seen.astype(np.float32), effects.crosstalk)
    for amp in range(4):
        expected = expected_light(truth, amp, light, effects)
        grid = np.arange(-1_000.0, 1e5, 8.0)
        table = LinearityTable(start=-1_000.0, step=8.0, values=effects.nonlinearity_adu(amp, grid), error=0.01)
        linear = apply_linearity(signal[amp], table.scaled(float(truth.gain_e_per_adu[amp])))
        rows = linear[LAYOUT.data[0], PRESCAN:]
        charge = correct_deferred_charge(rows, effects.cti[amp], n_prescan=PRESCAN)[:, :NX]
        error = np.sqrt((expected + NOISE_E**2) / n_frames)
        is_faint = expected < 9e4
        # The nonlinearity is applied to averages; its curvature and the rows' levels leave a tenth of an electron.
        assert_allclose(((charge - expected) / error)[is_faint].std(), 1.0, atol=0.05)
        assert abs((charge - expected)[is_faint].mean()) < 4 * error.mean() / np.sqrt(NY * NX) + 0.3
        assert abs((seen[amp][LAYOUT.data] - expected)[is_faint].mean()) > 10
