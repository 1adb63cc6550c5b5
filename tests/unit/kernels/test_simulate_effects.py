"""Each effect follows its law with the numbers its truth states, and is absent where its strength is nought."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from kernels.arrays import Cube
from kernels.crosstalk import apply_crosstalk
from kernels.deferred_charge import correct_deferred_charge
from kernels.linearity import LinearityTable, apply_linearity
from kernels.simulate import (
    DetectorLayout,
    DetectorTruth,
    FailingAmplifier,
    FrameConditions,
    FrameLight,
    detector_truth,
    exposure_rng,
    simulated_frame,
    truth_rng,
)
from kernels.simulate_charge import cosmic_ray_worms
from kernels.simulate_conditions import FrameBefore
from kernels.simulate_effects import SimulatedEffects, published_effects
from kernels.simulate_effects_truth import DEFECT_KINDS, EffectsTruth, effects_truth
from kernels.simulate_light import (
    FocalPlace,
    PointSources,
    illumination_pattern,
    photodiode_trace,
    random_sources,
    source_light,
)
from kernels.simulate_readout import expected_light

NY, NX, PRESCAN, SERIAL, PARALLEL = 100, 120, 4, 64, 16
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
GAIN, NOISE_E, FULL_WELL_E = 1.4, 5.0, 120_000.0
SEEDS = (1, 2, 3)
OVERSCAN = np.s_[:, :NY, PRESCAN + NX :]


def make_truth(seed: int = 1, **changes: object) -> DetectorTruth:
    arguments: dict[str, object] = {
        "gain_e_per_adu": [GAIN] * 4,
        "read_noise_e": [NOISE_E] * 4,
        "full_well_e": [FULL_WELL_E] * 4,
        "hot_fraction": 0.0,
        "fixed_pattern_rms_e": 0.01,
    }
    return detector_truth(truth_rng(seed, 0), LAYOUT, **(arguments | changes))  # type: ignore[arg-type]


def make_effects(seed: int, truth: DetectorTruth, effects: SimulatedEffects) -> EffectsTruth:
    return effects_truth(seed, 0, LAYOUT, effects, gain_e_per_adu=truth.gain_e_per_adu, full_well_e=truth.full_well_e)


def raw_signal(truth: DetectorTruth, frame_raw: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return all raw pixels less bias level, ramp and the pattern of the imaging pixels [electron]."""
    signal = frame_raw - truth.bias_level_adu[:, None, None] - truth.row_ramp_adu
    signal[(slice(None), *LAYOUT.data)] -= truth.edge_pattern_adu
    # The last overscan columns hold no charge: what is left there drifts with the rows.
    signal -= np.median(signal[:, :, -48:], axis=2, keepdims=True)
    signal *= truth.gain_e_per_adu[:, None, None]
    return signal


def mean_signal(
    truth: DetectorTruth, effects: EffectsTruth | None, conditions: FrameConditions, n_frames: int = 8
) -> NDArray[np.float64]:
    frames = [simulated_frame(truth, exposure_rng(9, 0, i), conditions, effects) for i in range(n_frames)]
    mean: NDArray[np.float64] = np.mean([raw_signal(truth, frame.raw) for frame in frames], axis=0)
    return mean


def lit(illumination_e: float, **more: object) -> FrameConditions:
    light = FrameLight(illumination_e=illumination_e, **more)  # type: ignore[arg-type]
    return FrameConditions(light=light, cosmic_ray_rate_per_px_s=0.0)


def test_without_strengths_nothing_is_added() -> None:
    truth = make_truth()
    effects = make_effects(1, truth, SimulatedEffects())
    for conditions in (FrameConditions(), FrameConditions(dark_time_s=100.0)):
        plain = simulated_frame(truth, exposure_rng(1, 0, 1), conditions)
        same = simulated_frame(truth, exposure_rng(1, 0, 1), conditions, effects)
        assert_array_equal(plain.raw, same.raw)
    assert not effects.defect_kind.any()
    assert_array_equal(effects.pattern, 1)
    assert effects.crosstalk is None
    assert effects.cti is None
    assert effects.distortion is None


def test_frames_are_the_same_in_any_order_with_every_effect() -> None:
    truth = make_truth()
    conditions = lit(2_000.0, band="r")

    def frames(order: tuple[int, ...]) -> dict[int, NDArray[np.int32]]:
        effects = make_effects(1, truth, published_effects("LSSTCam", "E2V", is_mini=True))
        return {number: simulated_frame(truth, exposure_rng(1, 0, number), conditions, effects).raw for number in order}

    forward, backward = frames((1, 2, 3)), frames((3, 1, 2))
    for number in (1, 2, 3):
        assert_array_equal(forward[number], backward[number])
    assert np.any(forward[1] != forward[2])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("band", ["u", "r"])
def test_flats_show_the_response_of_their_band(seed: int, band: str) -> None:
    truth = make_truth(seed)
    strengths = SimulatedEffects(
        prnu_by_band={"u": 2.0},
        dust_donuts=5,
        dust_radius_px=8.0,
        tree_rings=0.005,
        midline_dip=0.2,
        cold_fraction=1e-3,
        cold_columns=2,
        blinking_columns=1,
    )
    effects = make_effects(seed, truth, strengths)
    light_e, n_frames = 60_000.0, 6
    flat = mean_signal(truth, effects, lit(light_e, band=band), n_frames)[(slice(None), *LAYOUT.data)] / light_e
    response = effects.band_response(truth.response, band)
    pull = (flat - response) / np.sqrt((np.maximum(response, 0.01) * light_e + NOISE_E**2) / n_frames) * light_e
    # 48000 pixels of unit scatter; overscan medians and quantisation add some per cent.
    assert_allclose(pull.std(), 1.0, atol=0.06)
    assert np.abs(pull).max() < 6.5
    scatter = response[effects.defect_kind == 0].std()
    assert (scatter > 0.0095) == (band == "u")
    kinds = [DEFECT_KINDS.index(name) for name in ("cold pixel", "cold column", "blinking column", "midline")]
    assert set(np.unique(effects.defect_kind)) >= set(kinds)
    cold = np.isin(effects.defect_kind, kinds[:3])
    assert response[cold].max() < 0.9
    assert response[effects.defect_kind == 0].min() > 0.9


def test_a_blinking_column_is_bad_on_and_off() -> None:
    truth = make_truth()
    effects = make_effects(1, truth, SimulatedEffects(blinking_columns=1))
    amp, _, column = (int(values[0]) for values in np.nonzero(effects.defect_kind))
    is_bad = effects.defect_kind[amp, :, column] > 0
    assert is_bad.sum() == 60
    gaps = np.diff(np.flatnonzero(is_bad))
    assert set(gaps) == {1, 3}
    assert np.count_nonzero(effects.defect_kind) == 60


def test_light_falls_between_the_vignetting_radii() -> None:
    strengths = SimulatedEffects(vignetting_floor=0.3)
    rng = np.random.default_rng(0)
    for center_mm, expected in ((200.0, 1.0), (325.0, 0.65), (400.0, 0.3)):
        place = FocalPlace(center_x_mm=center_mm)
        pattern = illumination_pattern(rng, LAYOUT, strengths, place)
        assert_allclose(pattern.mean(), expected, atol=0.003)
    # The +x side of a detector at the rim is darker; turned by a quarter it is the side that shows to +x.
    rim = FocalPlace(center_x_mm=325.0)
    assembled = {
        turns: assemble(illumination_pattern(rng, LAYOUT, strengths, replace(rim, quarter_turns=turns)))
        for turns in (0, 1)
    }
    assert assembled[0][:, -1].mean() < assembled[0][:, 0].mean()
    assert assembled[1][0].mean() < assembled[1][-1].mean()


def assemble(cube: Cube) -> NDArray[np.float64]:
    image = np.zeros((2 * NY, 2 * NX))
    for amp in range(4):
        rows, columns = LAYOUT.detector_rows_columns(amp)
        image[np.ix_(rows, columns)] = cube[amp]
    return image


def test_fringes_are_in_the_sky_of_their_band_alone() -> None:
    truth = make_truth(response_rms=0.0)
    effects = make_effects(1, truth, SimulatedEffects(fringe_by_band={"y": 0.02}))
    assert effects.fringe is not None
    assert np.abs(effects.fringe).max() <= 1
    assert effects.fringe.std() > 0.3
    for band, is_sky, amplitude in (("y", True, 0.02), ("y", False, 0.0), ("r", True, 0.0)):
        sky = mean_signal(truth, effects, lit(20_000.0, band=band, is_sky=is_sky), 4)[(slice(None), *LAYOUT.data)]
        fringe = effects.fringe - effects.fringe.mean()
        found = (sky * fringe).sum() / (fringe**2).sum() / 20_000.0
        # Photon noise of 48000 pixels in four frames: 2e-5 over the rms of the pattern.
        assert_allclose(found, amplitude, atol=3e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_hot_columns_and_glow_collect_at_their_rates(seed: int) -> None:
    truth = make_truth(seed)
    effects = make_effects(seed, truth, SimulatedEffects(hot_columns=2, amp_glow_e_per_s=4.0, amp_glow_scale_px=12.0))
    conditions = FrameConditions(dark_time_s=50.0, cosmic_ray_rate_per_px_s=0.0)
    dark = mean_signal(truth, effects, conditions)[(slice(None), *LAYOUT.data)] / 50.0
    expected = truth.dark_rate_e_per_s + effects.extra_dark_e_per_s
    error = np.sqrt((expected * 50 + NOISE_E**2) / 8) / 50
    pull = (dark - expected) / error
    assert_allclose(pull.std(), 1.0, atol=0.06)
    is_column = effects.defect_kind == DEFECT_KINDS.index("hot column")
    assert is_column.sum() == 2 * NY
    assert_allclose(dark[is_column].mean(), 30.0, rtol=0.05)
    assert effects.extra_dark_e_per_s[:, 0, 0].max() >= 4.0


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


def test_stars_lose_no_light_where_amplifiers_meet() -> None:
    star = PointSources(y=np.array([NY - 0.3]), x=np.array([NX + 1.2]), light_e=np.array([1e5]), size_px=1.8)
    image = assemble(np.stack([source_light(LAYOUT, amp, star) for amp in range(4)]))
    assert_allclose(image.sum(), 1e5, rtol=1e-3)
    y, x = np.mgrid[0 : 2 * NY, 0 : 2 * NX]
    assert_allclose([(image * y).sum() / image.sum(), (image * x).sum() / image.sum()], [NY - 0.3, NX + 1.2], atol=1e-3)


def test_every_amplifier_gets_its_sources() -> None:
    sources = random_sources(np.random.default_rng(1), LAYOUT, n_per_amp=3, light_e=(10.0, 1e4), size_px=1.0)
    inside = [
        sum((sources.y // NY == y0 // NY) & (sources.x // NX == x0 // NX))
        for y0, x0 in zip(LAYOUT.detector_y0, LAYOUT.detector_x0, strict=True)
    ]
    assert inside == [3, 3, 3, 3]
    assert sources.light_e.min() >= 10
    assert sources.light_e.max() <= 1e4


def test_worms_bend_and_hold_their_charge() -> None:
    bent = 0
    for seed in range(30):
        charge = cosmic_ray_worms(np.random.default_rng(seed), shape=(200, 200), n_worms=1)
        assert charge.sum() <= 8_000 * 1.001
        y, x = np.nonzero(charge)
        if len(y) >= 8:
            spread = np.linalg.svd(np.stack([y - y.mean(), x - x.mean()]))[1]
            bent += int(spread[1] / np.sqrt(len(y)) > 0.8)
    assert bent > 5


def test_worms_take_their_share_of_the_cosmic_rays() -> None:
    truth = make_truth()
    dark = FrameConditions(dark_time_s=100.0, cosmic_ray_rate_per_px_s=2e-5)

    def hit_charge(share: float) -> float:
        effects = make_effects(1, truth, SimulatedEffects(worm_share=share))
        frame = simulated_frame(truth, exposure_rng(1, 0, 1), dark, effects)
        signal = raw_signal(truth, frame.raw)[(slice(None), *LAYOUT.data)]
        return float(np.median(signal[frame.is_cosmic_ray]))

    # A muon leaves ten thousand electrons or more in a few pixels, a worm a tenth of it.
    assert hit_charge(1.0) < 0.5 * hit_charge(0.0)


def test_a_saturated_amplifier_is_at_the_converters_end_everywhere() -> None:
    truth = make_truth(failing=(FailingAmplifier(amp=3, is_saturated=True), FailingAmplifier(amp=0, is_nan=True)))
    frame = simulated_frame(truth, exposure_rng(1, 0, 1), FrameConditions())
    assert_array_equal(frame.raw[3], truth.adc_max_adu)
    assert frame.is_saturated[3].all()
    assert not frame.is_saturated[1].any()
    assert_array_equal(truth.is_nan, [True, False, False, False])


def test_uneven_light_rises_to_the_far_edges() -> None:
    truth = make_truth(response_rms=0.0)
    effects = make_effects(1, truth, SimulatedEffects())
    signal = mean_signal(truth, effects, lit(20_000.0, gradient=(0.2, -0.1)), 2)[(slice(None), *LAYOUT.data)]
    image = assemble(signal.astype(np.float32)) / 20_000.0
    corners = [image[:10, :10].mean(), image[:10, -10:].mean(), image[-10:, :10].mean(), image[-10:, -10:].mean()]
    assert_allclose(corners, [0.915, 0.725, 1.275, 1.085], atol=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_photodiodes_trapezoid_sum_is_current_times_time(seed: int) -> None:
    time_s, current_a = photodiode_trace(np.random.default_rng(seed), current_a=1e-9, exposure_time_s=7.3)
    is_dark = current_a < current_a.min() + np.ptp(current_a) / 5
    charge = np.trapezoid(current_a - current_a[is_dark].mean(), time_s)
    # 1e-3 of noise a reading, 60 lit readings, a baseline of 40: 2.5e-4.
    assert_allclose(charge, 7.3e-9, rtol=1e-3)


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


@pytest.mark.parametrize(("instrument", "kind"), [("LATISS", "ITL"), ("LSSTCam", "E2V")])
def test_published_strengths_leave_frames_plausible(instrument: str, kind: str) -> None:
    strengths = published_effects(instrument, kind, is_mini=True)
    truth = make_truth()
    effects = make_effects(1, truth, strengths)
    assert (effects.crosstalk_quadratic is not None) == (kind == "E2V")
    frame = simulated_frame(truth, exposure_rng(1, 0, 1), lit(30_000.0, band="r"), effects)
    level = np.median(raw_signal(truth, frame.raw)[(slice(None), *LAYOUT.data)], axis=(1, 2))
    # Dust and nonlinearity take about a per cent.
    assert_allclose(level, 30_000.0, rtol=0.02)
