"""The split of flat levels into exposures and detectors, against injected truth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kernels.errors import NotEnoughDataError
from kernels.flat_scales import solve_flat_scales


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_levels_of_nine_detectors_and_twenty_exposures(seed: int) -> None:
    rng = np.random.default_rng(seed)
    response = rng.uniform(0.8, 1.2, 9)
    response /= response.mean()
    light = rng.uniform(5_000, 60_000, 20)
    levels = response[:, None] * light[None, :] * rng.normal(1, 1e-4, (9, 20))
    found = solve_flat_scales(levels)
    # 1e-4 of noise on each of 20 (9) levels averages to 2e-5 (3e-5): five times that for the worst of them
    assert_allclose(found.response, response, rtol=1.2e-4)
    assert_allclose(found.scale, light, rtol=1.7e-4)
    assert found.response.mean() == pytest.approx(1, abs=1e-9)
    assert np.nanstd(found.residual) == pytest.approx(1e-4, rel=0.3)


def test_weights_decide_what_the_mean_of_the_focal_plane_is() -> None:
    levels = np.array([[100.0, 200.0], [50.0, 100.0]])
    weights = np.array([[3.0, 3.0], [1.0, 1.0]])
    found = solve_flat_scales(levels, weights)
    assert (found.response * (3, 1)).sum() / 4 == pytest.approx(1)
    assert_allclose(found.response[0] / found.response[1], 2)


def test_gaps_are_bridged_by_what_the_others_say() -> None:
    rng = np.random.default_rng(4)
    response, light = np.array([0.9, 1.0, 1.1]), rng.uniform(1e4, 5e4, 8)
    levels = response[:, None] * light[None, :]
    levels[0, 3] = np.nan
    levels[1, 5] = 0.0
    weights = np.ones_like(levels)
    weights[2, 6] = 0.0
    found = solve_flat_scales(levels, weights, n_iterations=30)
    assert_allclose(found.response, response, rtol=1e-9)
    assert_allclose(found.scale, light, rtol=1e-9)
    assert np.isnan(found.residual[[0, 1, 2], [3, 5, 6]]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_of_a_dead_detector_and_of_a_lamp_that_was_off_is_no_light(seed: int) -> None:
    """Levels of a few tenths of an electron, some above zero: their logarithms would move the scales by per cents."""
    rng = np.random.default_rng(seed)
    response, light = rng.uniform(0.8, 1.2, 9), rng.uniform(20_000, 30_000, 20)
    response /= np.delete(response, 4).mean()
    levels = response[:, None] * light[None, :]
    levels[4] = rng.normal(0.3, 0.2, 20)
    levels[:, 7] = rng.normal(0.3, 0.2, 9)
    found = solve_flat_scales(levels)
    others, lit = np.arange(9) != 4, np.arange(20) != 7
    assert_allclose(found.response[others], response[others], rtol=1e-9)
    assert_allclose(found.scale[lit], light[lit], rtol=1e-9)
    assert np.isnan(found.response[4])
    assert np.isnan(found.scale[7])


def test_a_dead_detector_or_a_lamp_that_was_off_gives_nan() -> None:
    levels = np.array([[10.0, 20.0, 0.0], [np.nan, -1.0, 0.0]])
    found = solve_flat_scales(levels)
    assert np.isnan(found.response[1])
    assert np.isnan(found.scale[2])
    assert_allclose(found.scale[:2], [10.0, 20.0])
    with pytest.raises(NotEnoughDataError):
        solve_flat_scales(np.zeros((2, 3)))
