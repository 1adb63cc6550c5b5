"""Overscan levels recover what was put in, whatever the cosmic rays, gaps and bright columns."""

from dataclasses import replace

import numpy as np
import pytest

from kernels.errors import NotEnoughDataError
from kernels.overscan import PARALLEL, SERIAL, overscan_levels

READ_NOISE = 6.0


def box(n_rows=400, n_columns=64, level=45_000.0, seed=0):
    """Rows of a drifting level with read noise, in whole adu above 32767."""
    truth = level + np.linspace(0, 8, n_rows) + 2 * np.sin(np.arange(n_rows) / 30)
    noise = np.random.default_rng(seed).normal(0, READ_NOISE, (n_rows, n_columns))
    return np.round(truth[:, None] + noise).astype(np.float32), truth


def test_level_follows_the_rows() -> None:
    pixels, truth = box()
    found = overscan_levels(pixels)
    error = found.level - truth
    assert found.level.dtype == np.float32
    assert abs(error.mean()) < 0.1
    assert error.std() < 1.4 * READ_NOISE / np.sqrt(58)
    assert found.residual_stdev == pytest.approx(READ_NOISE, rel=0.03)
    assert abs(found.residual_mean) < 0.1
    assert found.mean == pytest.approx(truth.mean(), abs=0.1)
    assert found.n_filled == 0


def test_equals_the_rule_row_by_row() -> None:
    pixels, _ = box(seed=4)
    pixels[np.random.default_rng(1).random(pixels.shape) < 0.02] += 400
    used = pixels[:, 3:-3].astype(np.float64)
    low, middle, high = np.percentile(used, [25, 50, 75], axis=1)
    sigma = 0.74 * (high - low)
    sigma = np.where(sigma > 2 * np.median(sigma), np.median(sigma), sigma)
    kept = np.abs(used - middle[:, None]) <= 3 * sigma[:, None]
    wanted = [np.median(row[keep]) for row, keep in zip(used, kept, strict=True)]
    np.testing.assert_allclose(overscan_levels(pixels).level, wanted, atol=0.01)


def test_skipped_columns_take_no_part() -> None:
    pixels, _ = box()
    wanted = overscan_levels(pixels).level
    pixels[:, :3], pixels[:, -3:] = 60_000, 0
    np.testing.assert_array_equal(overscan_levels(pixels).level, wanted)


def test_far_samples_and_gaps_take_no_part() -> None:
    pixels, truth = box()
    pixels[10, 5:30], pixels[11, 5:50], pixels[12, 7] = 65_000, 0, np.nan
    found = overscan_levels(pixels)
    assert np.abs(found.level[10:13] - truth[10:13]).max() < 4
    assert found.n_filled == 0


def test_a_row_without_samples_takes_the_median_of_its_neighbours() -> None:
    pixels, _ = box()
    pixels[100] = 65_000
    pixels[101] = np.nan
    found = overscan_levels(pixels)
    neighbours = [*range(95, 100), *range(102, 107)]
    assert found.n_filled == 2
    assert found.level[100] == np.median(found.level[neighbours])
    assert found.level[101] == found.level[100]


def test_parallel_keeps_what_lies_far_below_and_drops_what_lies_far_above() -> None:
    pixels = np.random.default_rng(2).normal(0, 3, (120, 46)).astype(np.float32)
    pixels[40, 3:30], pixels[60] = 300, -300
    found = overscan_levels(pixels, rule=PARALLEL)
    assert abs(found.level[40]) < 4
    assert found.level[60] == pytest.approx(-300)
    both = overscan_levels(pixels, rule=replace(PARALLEL, is_positive_only=False, outlier_adu=np.inf))
    assert abs(both.level[60]) < 3


def test_columns_under_a_saturated_source_are_filled_with_their_neighbourhood() -> None:
    pixels = np.random.default_rng(2).normal(0, 3, (120, 46)).astype(np.float32)
    pixels[50, 10] = 90_000
    found = overscan_levels(pixels, rule=replace(PARALLEL, bleed_adu=75_000.0))
    assert found.n_filled == 15


def test_a_bright_column_is_filled() -> None:
    pixels = np.random.default_rng(2).normal(0, 1, (120, 46)).astype(np.float32)
    pixels[70] += 20
    found = overscan_levels(pixels, rule=PARALLEL)
    assert found.n_filled == 5
    assert abs(found.level[70]) < 1
    pixels[2] += 20
    assert overscan_levels(pixels, rule=PARALLEL).level[2] > 15


def test_an_unusable_box_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="no column left"):
        overscan_levels(np.zeros((10, 6), np.float32), rule=SERIAL)
    with pytest.raises(NotEnoughDataError, match="no usable sample"):
        overscan_levels(np.full((10, 20), np.nan, np.float32))


@pytest.mark.parametrize("n_columns", [2, 4, 10])
def test_an_amplifier_narrower_than_what_is_grown_has_levels(n_columns: int) -> None:
    wide, _ = box(n_rows=n_columns, n_columns=20, level=100.0)
    levels = overscan_levels(wide, rule=replace(PARALLEL, bleed_adu=1000.0))
    assert levels.level.shape == (n_columns,)
    np.testing.assert_allclose(levels.level, np.median(wide[:, 3:-3], axis=1), atol=3.0)
