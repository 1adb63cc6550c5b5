"""Limits and curves against astropy, which has the same; differences and gaps, which it has not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.display_stretch import (
    Stretch,
    limits,
    mad_limits,
    symmetric_limits,
    unit_levels,
    value_at,
    zscale_limits,
)


def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    sky = rng.normal(1000, 12, 4000)
    stars = sky.copy()
    stars[rng.integers(0, 4000, 300)] += rng.exponential(3000, 300)
    return [sky, stars, np.linspace(-5, 20, 777), np.repeat([1.0, 2.0], 400), rng.normal(size=7)]


@pytest.mark.parametrize("index", range(5))
def test_zscale_finds_the_limits_of_astropy(index: int) -> None:
    from astropy.visualization import ZScaleInterval

    values = frames()[index]
    expected = ZScaleInterval(n_samples=1000).get_limits(values)
    assert zscale_limits(values) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_curves_are_those_of_astropy() -> None:
    from astropy.visualization import AsinhStretch, LogStretch

    shares = np.linspace(0, 1, 101)
    values = (20 + 80 * shares).astype(np.float32)
    for stretch, peer in ((Stretch.ASINH, AsinhStretch(a=0.1)), (Stretch.LOG, LogStretch(a=1000))):
        np.testing.assert_allclose(unit_levels(values, stretch, low=20, high=100), peer(shares), atol=2e-6)


@given(level=st.floats(0, 1), stretch=st.sampled_from(list(Stretch)))
def test_the_scale_tells_the_value_that_has_a_level(level: float, stretch: Stretch) -> None:
    value = np.array([value_at(level, stretch, low=-3, high=7)], np.float32)
    assert unit_levels(value, stretch, low=-3, high=7)[0] == pytest.approx(level, abs=2e-3)


def test_the_default_scale_is_five_deviations_about_the_median_and_ignores_gaps() -> None:
    values = np.array([1, 2, 3, 4, 5, np.nan, 1e6], np.float32)
    assert limits(values, Stretch.MAD) == pytest.approx((3.5 - 5 * 1.5, 3.5 + 5 * 1.5))
    # Where most values are equal there is no deviation: everything is shown.
    assert mad_limits(np.array([7.0, 7.0, 7.0, 9.0])) == (7.0, 9.0)


@pytest.mark.parametrize("stretch", list(Stretch))
def test_limits_are_apart_even_where_nothing_varies_or_nothing_is_there(stretch: Stretch) -> None:
    for values in (np.full(9, 4.0, np.float32), np.full(9, np.nan, np.float32), np.zeros(0, np.float32)):
        low, high = limits(values, stretch)
        assert high > low


def test_a_difference_has_zero_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    low, high = symmetric_limits(rng.normal(-3, 0.1, 5000).astype(np.float32))
    assert low == -high
    assert high == pytest.approx(3 + 5 * 0.1 * 0.6745, rel=0.02)
    assert symmetric_limits(np.zeros(5, np.float32)) == (-0.5, 0.5)


def test_what_is_not_finite_stays_so() -> None:
    levels = unit_levels(np.array([np.nan, 5.0, -9.0], np.float32), Stretch.LINEAR, low=0, high=1)
    assert np.isnan(levels[0])
    assert levels[1:].tolist() == [1.0, 0.0]
