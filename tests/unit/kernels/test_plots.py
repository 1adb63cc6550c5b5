"""Injected dots, bars and levels come out where they were put."""

import numpy as np
import pytest

from kernels.errors import NotEnoughDataError
from kernels.plots import (
    braille_bits,
    dot_positions,
    eighths,
    extremes_per_column,
    histogram_counts,
    spark_levels,
)
from kernels.plots_scale import robust_summary, round_ticks


def test_every_dot_of_a_cell_has_its_own_bit_and_bottom_is_low() -> None:
    seen = 0
    for column in range(2):
        for row in range(4):
            bits = braille_bits(np.array([column]), np.array([row]), shape=(1, 1))
            seen |= int(bits[0, 0])
            assert int(bits[0, 0]).bit_count() == 1
    assert seen == 0xFF
    # The lowest left dot is U+2840, the highest right one U+2808.
    assert braille_bits(np.array([0]), np.array([0]), shape=(1, 1))[0, 0] == 0x40
    assert braille_bits(np.array([1]), np.array([3]), shape=(1, 1))[0, 0] == 0x08


def test_dots_of_one_cell_add_up_and_outside_ones_are_left_out() -> None:
    bits = braille_bits(np.array([4, 4, 5, -1, 99]), np.array([7, 7, 4, 0, 0]), shape=(2, 3))
    assert bits[0, 2] == 0x01 | 0x80
    assert np.count_nonzero(bits) == 1


def test_positions_leave_out_what_is_off_the_axis_or_no_number() -> None:
    values = np.array([np.nan, -1.0, 10.0, 15.0, 20.0, np.inf])
    assert dot_positions(values, low=10.0, high=20.0, n_dots=11).tolist() == [-1, -1, 0, 5, 10, -1]
    with pytest.raises(NotEnoughDataError):
        dot_positions(values, low=1.0, high=1.0, n_dots=8)


def test_a_planted_outlier_survives_the_thinning() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(0.0, 1.0, 20_000)
    values[12_345] = 40.0
    values[500] = np.nan
    columns = np.arange(20_000) // 250
    kept = extremes_per_column(columns, values, n_columns=80)
    assert 12_345 in kept
    assert kept.size <= 160
    assert all(np.nanmin(values[columns == c]) in values[kept] for c in range(80))


def test_histogram_loses_nothing_and_the_smallest_bar_shows() -> None:
    values = np.concatenate([np.full(1000, 0.5), [0.05], [-99.0, 99.0], [np.nan]])
    counts = histogram_counts(values, low=0.0, high=1.0, n_bins=10)
    assert counts.sum() == 1003
    assert counts[5] == 1000
    assert counts[0] == 2
    assert counts[-1] == 1
    bars = eighths(counts, n_rows=3)
    assert bars[:, 5].tolist() == [8, 8, 8]
    assert bars[:, 0].tolist() == [0, 0, 1]
    assert bars[:, 1].tolist() == [0, 0, 0]


def test_sparkline_groups_by_the_farthest_value() -> None:
    values = np.zeros(100)
    values[42] = 7.0
    levels = spark_levels(values, low=-7.0, high=7.0, width=10)
    assert levels.size == 10
    assert levels[4] == 7
    assert set(np.delete(levels, 4)) == {4}
    assert spark_levels(np.array([np.nan]), low=0.0, high=1.0, width=4).tolist() == [-1]
    assert spark_levels(np.array([]), low=0.0, high=1.0, width=4).size == 0


def test_robust_summary_finds_the_injected_width_under_outliers() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(3.53, 0.17, 3216)
    values[:40] = 900.0
    found = robust_summary(values)
    assert found.n == 3216
    assert found.median == pytest.approx(3.53, abs=0.02)
    assert found.sigma_mad == pytest.approx(0.17, rel=0.06)
    assert robust_summary(np.array([np.nan])).n == 0


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0.0, 1.0, 3, (0.0, 0.5, 1.0)),
        (-0.15, 0.1, 4, (-0.1, 0.0, 0.1)),
        (0.0, 13.0, 4, (0.0, 5.0, 10.0)),
        (1e-9, 9e-9, 5, (2e-9, 4e-9, 6e-9, 8e-9)),
        (1000.0, 1003.0, 4, (1000.0, 1001.0, 1002.0, 1003.0)),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, ticks: tuple[float, ...]) -> None:
    assert round_ticks(low, high, most=most) == pytest.approx(ticks)
