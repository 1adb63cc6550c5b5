"""Lines of dots without gaps, axes that may be logarithmic, their ticks."""

import math

import numpy as np
import pytest

from kernels.plots_curves import joined_dots, log_ticks, scaled


@pytest.mark.parametrize("seed", range(5))
def test_a_line_has_no_gap_and_passes_through_its_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns, rows = np.sort(rng.choice(200, 12, replace=False)), rng.integers(0, 60, 12)
    across, up = joined_dots(columns, rows)
    dots = set(zip(across.tolist(), up.tolist(), strict=True))
    assert set(zip(columns.tolist(), rows.tolist(), strict=True)) <= dots
    reached, found = {min(dots)}, {min(dots)}
    while reached:  # from dot to neighbouring dot, diagonals too
        near = {(x + dx, y + dy) for x, y in reached for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
        reached = (near & dots) - found
        found |= reached
    assert found == dots


def test_a_value_off_the_axis_breaks_a_line() -> None:
    across, _ = joined_dots(np.array([0, -1, 8]), np.array([0, 3, 0]))
    assert across.tolist() == [0, 8]


def test_nothing_has_no_dots() -> None:
    assert joined_dots(np.array([], np.int64), np.array([], np.int64))[0].size == 0


def test_logarithms_of_what_has_none_are_left_out() -> None:
    assert np.isnan(scaled(np.array([0.0, -3.0, np.nan]), is_log=True)).all()


@pytest.mark.parametrize(("low", "high"), [(1.0, 5.0), (2.1, 2.4), (0.0, 1.0), (-7.5, -2.0), (3.99, 4.01)])
@pytest.mark.parametrize("most", [2, 3, 6, 12])
def test_ticks_are_few_and_inside(low: float, high: float, most: int) -> None:
    ticks = log_ticks(low, high, most=most)
    assert len(ticks) <= most
    assert all(low - 1e-9 <= math.log10(tick) <= high + 1e-9 for tick in ticks)
    assert list(ticks) == sorted(set(ticks))
