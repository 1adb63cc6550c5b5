"""The sky's shape on the detectors against the one that was injected."""

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.errors import NotEnoughDataError
from kernels.sky import sky_shape

NOISE = 1e-3
PITCH_MM, SIDE_MM, N_BLOCKS = 42.25, 40.0, 16
SEEDS = (1, 2, 3)


def blocks() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of the blocks of 3 x 3 detectors."""
    inside = (np.arange(N_BLOCKS) + 0.5) / N_BLOCKS * SIDE_MM - SIDE_MM / 2
    x, y = [], []
    for column in (-1, 0, 1):
        for row in (-1, 0, 1):
            one_x, one_y = np.meshgrid(PITCH_MM * column + inside, PITCH_MM * row + inside)
            x.append(one_x.ravel())
            y.append(one_y.ravel())
    return np.concatenate(x), np.concatenate(y)


def pattern(seed: int, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return waves of 8 mm: much finer than the cells of the smooth sky."""
    phase = np.random.default_rng([seed, 5]).uniform(0, 2 * np.pi, 2)
    waves: NDArray[np.float64] = 0.005 * (np.sin(2 * np.pi * x / 8 + phase[0]) + np.cos(2 * np.pi * y / 9 + phase[1]))
    return waves


def skies(seed: int, n: int = 20) -> NDArray[np.float64]:
    """Return skies of unlike level and slope, with stars that were missed, and blocks without sky."""
    rng = np.random.default_rng(seed)
    x, y = blocks()
    found = []
    for _ in range(n):
        slope = 1 + rng.uniform(-1e-3, 1e-3) * x + rng.uniform(-1e-3, 1e-3) * y
        sky = rng.uniform(200, 5_000) * (slope + pattern(seed, x, y) + NOISE * rng.standard_normal(x.size))
        starry = rng.random(x.size) < 0.02
        sky[starry] *= 1 + rng.uniform(0.02, 0.1, int(starry.sum()))
        sky[rng.random(x.size) < 0.05] = np.nan
        found.append(sky)
    return np.array(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shape_comes_back_whatever_level_and_slope(seed: int) -> None:
    x, y = blocks()
    found = sky_shape(x, y, skies(seed))
    wanted = pattern(seed, x, y)
    # 1e-3 in each of twenty exposures, a tenth more for the clip; what of the waves fits into cells, 1/5 of their
    # amplitude near the edge, is taken by the smooth sky
    slope = float(found.residual @ wanted / (wanted @ wanted))
    assert slope == pytest.approx(1, abs=0.05)
    rest = found.residual - slope * wanted
    assert np.abs(np.median(rest)) < 2e-4
    assert rest.std() < 8e-4
    assert np.sqrt(np.mean(found.variance)) == pytest.approx(NOISE / np.sqrt(18.6), rel=0.15)
    assert found.count.mean() == pytest.approx(18.5, abs=0.8)


def test_a_slope_is_no_shape_even_where_detectors_are_missing() -> None:
    x, y = blocks()
    is_there = np.abs(x) + np.abs(y) < 60
    sky = np.where(is_there, 800 * (1 + 2e-3 * x - 1e-3 * y), np.nan)
    found = sky_shape(x, y, np.tile(sky, (3, 1)))
    assert np.abs(found.residual[is_there]).max() < 1e-4
    assert np.isnan(found.residual[~is_there]).all()
    assert (found.count[~is_there] == 0).all()


def test_one_detector_has_a_shape_too() -> None:
    x, y = blocks()
    one = (np.abs(x) < 21) & (np.abs(y) < 21)
    found = sky_shape(x[one], y[one], skies(4)[:, one])
    wanted = pattern(4, x[one], y[one])
    assert float(found.residual @ wanted / (wanted @ wanted)) == pytest.approx(1, abs=0.1)


def test_exposures_without_sky_are_left_out() -> None:
    x, y = blocks()
    levels = skies(5, 4)
    levels[1], levels[2] = np.nan, -levels[2]
    found = sky_shape(x, y, levels)
    assert np.isfinite(found.scales).tolist() == [True, False, False, True]
    assert found.count.max() == 2
    with pytest.raises(NotEnoughDataError, match="no exposure has a sky"):
        sky_shape(x, y, levels[1:3])
