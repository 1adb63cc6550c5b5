"""A few rows of a frame: level, noise and pedestal against injected truth, and what rays and dead pixels do to them."""

import numpy as np
import pytest

from kernels.frame_sample import AmplifierSample, FrameSample, sample_statistics

GAIN, WELL_ADU = 1.5, 60_000.0


def amplifier(seed: int, *, level: float, noise: float, pedestal: float = 20_000.0, **more: float) -> AmplifierSample:
    rng = np.random.default_rng(seed)
    data = np.rint(rng.normal(pedestal + level, noise, (8, 512)) + np.linspace(0, 3, 512))
    if share := more.get("rays", 0.0):
        data.reshape(-1)[rng.integers(0, data.size, int(share * data.size))] += 30_000
    return AmplifierSample(
        data=data.astype(np.float32),
        overscan=np.rint(rng.normal(pedestal, noise, (8, 64))).astype(np.float32),
        gain_e_per_adu=GAIN,
        saturation_adu=WELL_ADU,
    )


def sample(*amplifiers: AmplifierSample) -> FrameSample:
    return sample_statistics(amplifiers, bright_e=30_000.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_level_noise_and_pedestal_are_recovered(seed: int) -> None:
    """4096 pixels an amplifier: noise to 5 / sqrt(2 * 4096 * 4), level to half a whole number."""
    found = sample(*(amplifier(seed * 10 + n, level=101.5, noise=5.0, rays=0.005) for n in range(4)))
    assert found.level_adu == pytest.approx(101.5 + 1.5, abs=0.6)  # the slope adds its middle
    assert found.noise_adu == pytest.approx(5.0, rel=0.04)
    assert found.pedestal_adu == pytest.approx(20_000, abs=0.6)
    assert found.bright == pytest.approx(0.005, abs=0.001)
    assert found.saturated == 0.0


def test_saturated_pixels_are_counted_above_the_pedestal() -> None:
    full = amplifier(1, level=WELL_ADU, noise=5.0)
    empty = amplifier(2, level=0.0, noise=5.0)
    assert sample(full, empty).saturated == pytest.approx(0.5)
    assert sample(full, empty).bright == pytest.approx(0.5)


def test_a_dead_amplifier_takes_no_part_and_without_any_nothing_is_known() -> None:
    good = amplifier(1, level=50.0, noise=5.0)
    dead = AmplifierSample(
        data=np.full((8, 512), np.nan, np.float32), overscan=None, gain_e_per_adu=GAIN, saturation_adu=WELL_ADU
    )
    assert sample(good, dead) == sample(good)
    assert np.isnan([sample(dead).level_adu, sample(dead).noise_adu, sample(dead).saturated]).all()


def test_without_an_overscan_the_level_is_above_zero() -> None:
    one = amplifier(1, level=50.0, noise=5.0)
    bare = AmplifierSample(data=one.data, overscan=None, gain_e_per_adu=GAIN, saturation_adu=WELL_ADU)
    assert sample(bare).level_adu == pytest.approx(20_051.5, abs=0.6)
    assert np.isnan(sample(bare).pedestal_adu)
