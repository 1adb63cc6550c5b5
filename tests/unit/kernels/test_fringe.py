"""Fringes in arrays: their amplitude, their removal, and what is no sky."""

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.errors import KernelError, NotEnoughDataError
from kernels.fringe import FringeRule, fringe_amplitude, sky_fraction, subtract_fringe
from kernels.isr_repair import grow
from kernels.sky_sources import SourceRule, source_masks

SHAPE = (200, 260)
SKY_E = 4_000.0
SEEDS = (1, 2, 3, 4)
NOTHING = np.zeros(SHAPE, np.bool_)


def pattern(seed: int) -> NDArray[np.float32]:
    phases = np.random.default_rng([seed, 9]).uniform(0, 2 * np.pi, 2)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    waves: NDArray[np.float32] = (
        0.01 * (np.sin(0.17 * y + 0.09 * x + phases[0]) + np.sin(0.2 * x + phases[1]))
    ).astype(np.float32)
    return waves


def sky(seed: int, amplitude: float = SKY_E, *, n_stars: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return a noisy frame with a slope, fringes and stars, and where the stars are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    light = SKY_E * (1 + 0.02 * (y / SHAPE[0] - 0.5) - 0.01 * (x / SHAPE[1] - 0.5)) + amplitude * pattern(seed)
    stars = np.zeros(SHAPE)
    for star_y, star_x, flux in zip(
        rng.uniform(0, SHAPE[0], n_stars),
        rng.uniform(0, SHAPE[1], n_stars),
        rng.uniform(2e3, 2e5, n_stars),
        strict=True,
    ):
        stars += flux / (2 * np.pi * 1.8**2) * np.exp(-((y - star_y) ** 2 + (x - star_x) ** 2) / (2 * 1.8**2))
    return rng.poisson(light + stars).astype(np.float32), stars > 60


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_amplitude_comes_back_within_its_error(seed: int, share: float) -> None:
    image, _ = sky(seed, share * SKY_E)
    found = fringe_amplitude(image, pattern(seed), NOTHING, seed=seed)
    # the boxes overlap: their errors are not independent, 30 000 of 7 x 7 pixels on 52 000 are 28 to a pixel
    assert found.amplitude == pytest.approx(share * SKY_E, abs=5.5 * 3 * found.error)
    assert found.amplitude == pytest.approx(share * SKY_E, rel=0.03)
    corrected = subtract_fringe(image, pattern(seed), found.amplitude)
    left = fringe_amplitude(corrected, pattern(seed), NOTHING, seed=seed + 1)
    assert abs(left.amplitude) < 0.03 * SKY_E


@pytest.mark.parametrize("seed", SEEDS)
def test_stars_are_found_and_do_not_move_the_amplitude(seed: int) -> None:
    image, is_star = sky(seed, n_stars=40)
    above, below = source_masks(image, NOTHING, SourceRule(block_px=20))
    # 60 electrons above a sky of noise 63 are no star to see; their smoothed cores of 5 x 18 are
    cores = is_star & (image > SKY_E * 1.1)
    assert (above & cores).sum() > 0.99 * cores.sum()
    # the wings of a star of 60 electrons, its smoothing and three pixels of growth: nothing beyond
    assert (above & ~grow(is_star, 6)).mean() < 0.005
    assert below.mean() < 1e-3
    fraction, level = sky_fraction(image, above | below)
    assert level == pytest.approx(SKY_E, rel=5e-3)
    assert np.isnan(fraction[above]).all()
    # a level unlike zero would be sky that is left
    assert np.nanmean(fraction) == pytest.approx(0, abs=1e-3)
    found = fringe_amplitude(fraction, pattern(seed), NOTHING, seed=seed)
    assert found.amplitude == pytest.approx(1, abs=0.05)


def test_holes_are_found_and_missing_pixels_are_not_looked_at() -> None:
    image, _ = sky(5)
    image[50:54, 60:64] -= 900
    image[100:120] = np.nan
    unusable = np.zeros(SHAPE, np.bool_)
    unusable[150, :] = True
    image[150] = 60_000
    above, below = source_masks(image, unusable, SourceRule(block_px=20))
    assert below[51:53, 61:63].all()
    assert not above[100:120].any()
    assert not above[150].any()
    # nothing of the unusable row leaks into its neighbours
    assert above[145:156].mean() < 0.02
    nowhere = source_masks(np.full(SHAPE, np.nan, np.float32), NOTHING)
    assert not nowhere[0].any()


def test_the_same_seed_is_the_same_measurement() -> None:
    image, _ = sky(6)
    rule = FringeRule(n_boxes=2_000)
    one, same, other = (
        fringe_amplitude(image, pattern(6), NOTHING, seed=seed, rule=rule).amplitude for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_what_shows_no_fringes_is_refused() -> None:
    image, _ = sky(7)
    with pytest.raises(NotEnoughDataError):
        fringe_amplitude(image, np.zeros(SHAPE, np.float32), NOTHING, seed=1)
    with pytest.raises(NotEnoughDataError):
        fringe_amplitude(image, pattern(7), ~NOTHING, seed=1)
    with pytest.raises(KernelError, match="boxes of 30 and 30"):
        fringe_amplitude(image, pattern(7), NOTHING, seed=1, rule=FringeRule(small_px=30))
    with pytest.raises(NotEnoughDataError, match="a sky of"):
        sky_fraction(-image, NOTHING)
    with pytest.raises(NotEnoughDataError):
        sky_fraction(image, ~NOTHING)
