"""Light and charge of simulated frames follow the laws of their effects, which are absent at a strength of nought."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from kernels.simulate import (
    FrameConditions,
    exposure_rng,
    simulated_frame,
)
from kernels.simulate_charge import cosmic_ray_worms
from kernels.simulate_effects import SimulatedEffects, published_effects
from kernels.simulate_effects_truth import DEFECT_KINDS
from kernels.simulate_light import (
    FocalPlace,
    PointSources,
    illumination_pattern,
    photodiode_trace,
    random_sources,
    source_light,
)
from tests.support.simulated_detector import (
    LAYOUT,
    NOISE_E,
    NX,
    NY,
    SEEDS,
    assemble,
    lit,
    make_effects,
    make_truth,
    mean_signal,
    raw_signal,
)


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
