"""Assembly, statistics, binning and mosaics against the obvious numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.assembly import AmplifierPlacement, oriented, place_amplifier, row_bands
from kernels.binning import bin_mean
from kernels.errors import NotEnoughDataError
from kernels.mosaic import Tile, display_limits, focal_plane_mosaic, stretch_to_uint8
from kernels.statistics import clipped_statistics, percentiles, streamed_median


def placement(**changes) -> AmplifierPlacement:
    values = {"data_y0": 1, "width": 5, "height": 4, "detector_x0": 10, "detector_y0": 4}
    return AmplifierPlacement(**(values | {"is_flipped_x": True, "is_flipped_y": True} | changes))


@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("flip_y", [False, True])
def test_bands_of_raw_rows_assemble_like_the_whole_amplifier(flip_x: bool, flip_y: bool) -> None:
    place = placement(is_flipped_x=flip_x, is_flipped_y=flip_y)
    raw = np.arange(8 * 12).reshape(8, 12)
    whole = place_amplifier(raw[1:5, 3:8], place, out=np.zeros((8, 20), np.float32))
    assert whole[4:, 10:15].sum() == raw[1:5, 3:8].sum()
    assert whole[7 if flip_y else 4, 14 if flip_x else 10] == raw[1, 3]
    banded = np.zeros_like(whole)
    for y0, y1 in [(4, 5), (5, 8)]:
        first, last = place.raw_rows(y0, y1)
        block = raw[first:last, 3:8]
        banded[y0:y1, place.detector_columns] = oriented(block, is_flipped_x=flip_x, is_flipped_y=flip_y)
    np.testing.assert_array_equal(banded, whole)


def test_row_bands_cover_every_row_once_and_stop_at_amplifier_edges() -> None:
    bands = row_bands([placement(), placement(detector_y0=0)], detector_height=9, band_rows=3)
    assert bands == [(0, 3), (3, 4), (4, 7), (7, 8), (8, 9)]


def test_clipped_statistics_ignore_outliers_and_gaps() -> None:
    values = np.random.default_rng(0).normal(50, 2, 20_000).astype(np.float32)
    values[:200], values[200:300] = 1e5, np.nan
    found = clipped_statistics(values)
    assert found.mean == pytest.approx(50, abs=0.06)
    assert found.stdev == pytest.approx(2, rel=0.03)
    assert found.median == pytest.approx(50, abs=0.06)
    assert 19_500 < found.count <= 19_700
    with pytest.raises(NotEnoughDataError):
        clipped_statistics(np.full(3, np.nan, np.float32))


def test_percentiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=(31, 17)).astype(np.float32)
    values[3, 3], values[0, 0] = np.nan, np.inf
    finite = values[np.isfinite(values)].astype(np.float64)
    np.testing.assert_allclose(percentiles(values, (0, 5, 50, 100)), np.percentile(finite, (0, 5, 50, 100)), rtol=1e-12)
    assert np.isnan(percentiles(np.full((2, 2), np.nan, np.float32))).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.floats(width=32), st.sampled_from([0.0, -0.0, 1e-40, -1e-40])), min_size=1, max_size=40))
def test_streamed_median_is_the_lower_median(values: list[float]) -> None:
    bands = np.array_split(np.array(values, np.float32), 3)
    finite = sorted(v for v in np.array(values, np.float32).tolist() if np.isfinite(v))
    found = streamed_median(lambda: bands)
    if not finite:
        assert np.isnan(found)
    else:
        assert found == finite[(len(finite) - 1) // 2]


@pytest.mark.parametrize("factor", [1, 8, 64])
def test_binning_is_the_mean_of_blocks_and_floors_the_shape(factor: int) -> None:
    image = np.random.default_rng(0).normal(1000, 5, (133, 203)).astype(np.float32)
    ny, nx = 133 // factor, 203 // factor
    blocks = image[: ny * factor, : nx * factor].astype(np.float64).reshape(ny, factor, nx, factor)
    np.testing.assert_allclose(bin_mean(image, factor), blocks.mean(axis=(1, 3)), rtol=2e-6)


def test_binning_leaves_gaps_out_of_their_blocks_only() -> None:
    image = np.ones((16, 24), np.float32)
    image[0, 0], image[3, 5], image[8:, 8:16] = np.nan, 50, np.inf
    binned = bin_mean(image, 8)
    assert binned[0, 0] == pytest.approx((62 + 50) / 63)
    assert np.isnan(binned[1, 1])
    assert binned[1, 2] == binned[0, 1] == 1
    with pytest.raises(NotEnoughDataError):
        bin_mean(image, 32)


def test_detectors_land_where_the_focal_plane_has_them() -> None:
    first, second = np.full((5, 10), 1, np.float32), np.full((5, 10), 2, np.float32)
    first[0, 0] = 7
    tiles = [
        Tile(image=first, center_x_mm=-1.0, center_y_mm=0, width=80, height=40),
        Tile(image=second, center_x_mm=1.0, center_y_mm=0.8, width=80, height=40),
    ]
    plane = focal_plane_mosaic(tiles, factor=8, pixel_size_mm=0.01)
    assert plane.shape == (15, 35)
    assert plane[0, 0] == 7
    assert plane[10, 25] == 2
    assert np.isnan(plane).sum() == 15 * 35 - 100


def test_a_quarter_turn_is_counter_clockwise_with_y_up() -> None:
    image = np.zeros((4, 6), np.float32)
    image[0, 5] = 1  # lower right
    tile = Tile(image=image, center_x_mm=0, center_y_mm=0, width=6, height=4, quarter_turns=1)
    plane = focal_plane_mosaic([tile], factor=1)
    assert plane.shape == (6, 4)
    assert plane[5, 3] == 1  # upper right


def test_stretch_rises_from_low_to_high_and_shows_gaps_black() -> None:
    image = np.linspace(-5, 105, 111, dtype=np.float32)[None]
    image[0, 50] = np.nan
    grey = stretch_to_uint8(image, low=0, high=100)
    assert grey[0, 50] == 0
    assert (grey[0, 0], grey[0, -1]) == (1, 255)
    assert (np.diff(np.delete(grey[0], 50).astype(int)) >= 0).all()
    low, high = display_limits(image)
    assert -5 <= low < high <= 105
    assert display_limits(np.full((3, 3), np.nan, np.float32)) == (0.0, 1.0)
    assert display_limits(np.full((3, 3), 4, np.float32)) == (3.5, 4.5)
