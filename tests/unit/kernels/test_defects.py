"""Defects: limits, thresholds, columns with their unit vectors, borders, merging, boxes; truth found."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from kernels.defect_boxes import boxes_to_mask, mask_to_boxes
from kernels.defect_columns import dilate_along_rows, fill_amplifier_columns, fill_blinking_columns, mask_border
from kernels.defect_flats import midline_rows, radial_shape, vampire_pixels
from kernels.defects import DefectRule, MergeMode, amplifier_limits, merge_masks, threshold_bands
from kernels.errors import KernelError, NotEnoughDataError

PLACES = [(slice(y, y + 100), slice(x, x + 64)) for y in (0, 100) for x in (0, 64, 128)]
SHAPE = (200, 192)


def column(*runs: tuple[int, int], height: int = 200) -> np.ndarray:
    mask = np.zeros((height, 9), bool)
    for y0, y1 in runs:
        mask[y0:y1, 4] = True
    return mask


def segments(mask: np.ndarray) -> list[tuple[int, int]]:
    return [(y0, y0 + height) for _, y0, _, height in mask_to_boxes(mask).tolist()]


@pytest.mark.parametrize(
    ("runs", "wanted"),
    [
        pytest.param(((0, 50), (100, 150)), [(0, 50), (100, 150)], id="gap of 51 stays"),
        pytest.param(((0, 50), (69, 119)), [(0, 119)], id="gap of 20 is filled"),
        pytest.param(((0, 49), (60, 60)), [(0, 49)], id="49 pixels: no fill"),
        pytest.param(((0, 25), (40, 64)), [(0, 25), (40, 64)], id="49 pixels on and off: no fill"),
        pytest.param(((0, 25), (54, 79)), [(0, 25), (54, 79)], id="difference of 30 stays"),
        pytest.param(((0, 25), (53, 78)), [(0, 78)], id="difference of 29 is filled"),
        pytest.param(((10, 30), (40, 60), (150, 160)), [(10, 60), (150, 160)], id="far segment counts and stays"),
    ],
)
def test_column_unit_vectors(runs, wanted) -> None:
    mask = column(*runs)
    fill_blinking_columns(mask)
    assert segments(mask) == wanted


def test_a_column_is_counted_over_the_detector_and_others_stay() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[80:120:2, 7] = mask[130:190:2, 7] = True  # 20 + 30 pixels on both sides of the amplifiers' border
    mask[10:100:2, 20] = True  # 45 pixels: too few
    before = mask[:, 20].copy()
    assert fill_blinking_columns(mask) == 1
    assert mask[80:189, 7].all()
    np.testing.assert_array_equal(mask[:, 20], before)
    assert fill_blinking_columns(np.zeros(SHAPE, bool)) == 0


def test_saturated_columns_widen_and_amplifier_columns_fill() -> None:
    saturated = np.zeros(SHAPE, bool)
    saturated[30:55, 70] = saturated[5, 0] = saturated[150, 191] = True
    wide = dilate_along_rows(saturated, 2)
    np.testing.assert_array_equal(wide, binary_dilation(saturated, np.ones((1, 5), bool)))
    np.testing.assert_array_equal(dilate_along_rows(saturated, 0), saturated)
    mask = np.zeros(SHAPE, bool)
    assert fill_amplifier_columns(mask, wide, PLACES, min_pixels=20) == [0, 5, 0, 0, 0, 0]
    assert mask[:100, 68:73].all()
    assert mask.sum() == 500
    assert fill_amplifier_columns(mask, wide, PLACES, min_pixels=-1) == [0] * 6


def test_border() -> None:
    mask = np.zeros((20, 30), bool)
    mask_border(mask, rows=7, columns=8)
    assert not mask[7:13, 8:22].any()
    assert mask.sum() == 600 - 6 * 14
    untouched = np.zeros((20, 30), bool)
    mask_border(untouched, rows=0, columns=0)
    assert not untouched.any()


@pytest.mark.parametrize("seed", range(4))
def test_every_pixel_well_above_its_limit_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(0.05, 0.02, SHAPE).astype(np.float32)
    image += np.repeat(np.repeat(rng.normal(0, 1, (2, 3)), 100, 0), 64, 1).astype(np.float32)  # levels of amplifiers
    truth = rng.random(SHAPE) < 0.01
    image[truth] += rng.uniform(4.0, 300.0, truth.sum())  # twice the threshold of 2 and more
    limits = amplifier_limits(image, PLACES, DefectRule(hot_offset=2.0))
    mask, n_hot, n_cold = threshold_bands(image, limits)
    assert (mask & truth).sum() >= 0.99 * truth.sum()
    assert not (mask & ~truth).any()
    assert n_hot.sum() == mask.sum()
    assert not n_cold.any()


@pytest.mark.parametrize("seed", range(3))
def test_sigma_limits_follow_the_clipped_spread_of_each_amplifier(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(1.0, 0.01, SHAPE).astype(np.float32)
    image[:100, :64] = 1 + (image[:100, :64] - 1) * 5
    image[::20, ::16] = 40.0  # the spread of all pixels would be 30 times wider
    rule = DefectRule(hot_sigma=4.8, cold_sigma=5.0)
    limits = amplifier_limits(image, PLACES, rule)
    for one, sigma in zip(limits, [0.05] + [0.01] * 5, strict=True):
        # a 3 sigma clip narrows a normal law by 1.3 %; its error with 6400 pixels is 0.9 %
        assert one.stdev == pytest.approx(0.987 * sigma, rel=0.04)
        assert one.high == pytest.approx(one.center + 4.8 * one.stdev)
        assert one.low == pytest.approx(one.center - 5.0 * one.stdev)
    mask, n_hot, _ = threshold_bands(image, limits)
    assert mask[::20, ::16].all()
    assert n_hot.sum() >= 120


def test_cold_fraction_and_missing_values() -> None:
    image = np.full(SHAPE, 2.0, np.float32)
    image[10, 10], image[110, 70], image[20, 20], image[30, 30] = 1.79, 1.81, np.nan, np.inf
    mask, _, n_cold = threshold_bands(image, amplifier_limits(image, PLACES, DefectRule(cold_fraction=0.9)))
    assert np.argwhere(mask).tolist() == [[10, 10], [20, 20], [30, 30]]
    assert n_cold.tolist() == [1, 0, 0, 0, 0, 0]


def test_dead_and_unusable_amplifiers_are_defective_as_a_whole() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(1.0, 0.01, SHAPE).astype(np.float32)
    image[PLACES[0]], image[PLACES[1]] = np.nan, 0.01
    image[100:180, :64] = np.nan
    ignore = np.zeros(SHAPE, bool)
    ignore[PLACES[5]] = True
    limits = amplifier_limits(image, PLACES, DefectRule(cold_fraction=0.9), ignore=ignore, dead_fraction=0.1)
    mask, n_hot, n_cold = threshold_bands(image, limits)
    assert [mask[place].all() for place in PLACES] == [True, True, False, True, False, True]
    assert not mask[PLACES[2]].any()
    assert [limits[i].reason for i in (0, 5)] == ["no finite pixel"] * 2
    assert "median amplifier has" in limits[1].reason
    assert limits[3].reason == "only 1280 of 6400 pixels are usable"
    assert all(np.isnan(limits[i].center) for i in (0, 1, 3, 5))
    assert not n_hot.any()
    assert not n_cold.any()


def test_upstream_defect_11_and_merges_what_all_frames_have() -> None:
    masks = [np.array([[True, True, False]]), np.array([[True, False, False]])]
    assert merge_masks(masks, MergeMode.AND).tolist() == [[True, False, False]]
    assert merge_masks(masks, MergeMode.OR).tolist() == [[True, True, False]]
    assert merge_masks(masks, MergeMode.FRACTION, fraction=1.0).tolist() == [[True, False, False]]


def test_merge_by_fraction_counts_frames() -> None:
    masks = [np.array([[k < 7, k < 6]]) for k in range(10)]
    assert merge_masks(masks, fraction=0.7).tolist() == [[True, False]]
    with pytest.raises(KernelError):
        merge_masks([])
    with pytest.raises(KernelError):
        merge_masks(masks, fraction=0.0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("density", [0.0, 0.003, 0.2, 0.9, 1.0])
def test_boxes_cover_the_mask_exactly_once(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((int(rng.integers(1, 60)), int(rng.integers(1, 60)))) < density
    if seed % 2 and mask.size > 30:
        mask[:, 3 % mask.shape[1]] = True
    boxes = mask_to_boxes(mask)
    np.testing.assert_array_equal(boxes_to_mask(boxes, mask.shape), mask)
    assert (boxes[:, 2].astype(int) * boxes[:, 3]).sum() == mask.sum()
    assert boxes.tolist() == sorted(boxes.tolist())


def test_boxes_are_few() -> None:
    mask = np.zeros((400, 300), bool)
    mask[10:390, 40] = mask[50:60, 100:140] = mask[200, 41] = mask[5, 5] = mask[300, 10:200] = True
    # along columns: the row falls into what is left and right of the column, which stays whole
    assert len(mask_to_boxes(mask)) == 6
    column_beside = np.zeros((400, 300), bool)
    column_beside[10:390, 40] = column_beside[200, 41] = column_beside[100, 39] = True
    assert mask_to_boxes(column_beside).tolist() == [[39, 100, 1, 1], [40, 10, 1, 380], [41, 200, 1, 1]]


def test_boxes_outside_the_image_are_cut() -> None:
    mask = boxes_to_mask(np.array([[-2, -2, 4, 4], [8, 3, 5, 1], [20, 20, 3, 3], [-9, -9, 2, 2]]), (5, 10))
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [3, 8], [3, 9]]


def test_vampires_take_a_disk_with_them() -> None:
    flat = np.ones((60, 60), np.float32)
    flat[30, 30], flat[0, 59], flat[10, 10] = 2.5, 2.0, 1.5
    mask, n = vampire_pixels(flat, radius=8)
    y, x = np.indices(flat.shape)
    wanted = ((y - 30) ** 2 + (x - 30) ** 2 <= 64) | (y**2 + (x - 59) ** 2 <= 64)
    assert n == 2
    np.testing.assert_array_equal(mask, wanted)


def test_midline_is_one_row_of_each_amplifier() -> None:
    rows = midline_rows(PLACES)
    assert [(row.start, row.stop) for row, _ in rows] == [(99, 100)] * 3 + [(100, 101)] * 3
    assert midline_rows(PLACES[:3]) == []


@pytest.mark.parametrize("seed", range(3))
def test_radial_shape_divides_vignetting_out_so_that_it_is_no_defect(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.indices((400, 128))
    radius = np.hypot(y + 900, x - 300)
    shape = 1 - 0.35 * ((radius - 900) / 500) ** 2
    image = (shape * rng.normal(1, 0.004, shape.shape)).astype(np.float32)
    image[100, 40], image[200:330, 60] = 0.5 * shape[100, 40], 0.7 * shape[200:330, 60]
    truth = np.zeros(image.shape, bool)
    truth[100, 40] = truth[200:330, 60] = True
    place = [(slice(0, 400), slice(0, 128))]
    flat = image / radial_shape(image, center=(-900.0, 300.0))
    found = threshold_bands(flat, amplifier_limits(flat, place, DefectRule(cold_fraction=0.9)))[0]
    np.testing.assert_array_equal(found, truth)
    raw = threshold_bands(image, amplifier_limits(image, place, DefectRule(cold_fraction=0.9)))[0]
    assert raw.sum() > 1000  # without it the dark corner is taken for defects
    with pytest.raises(NotEnoughDataError):
        radial_shape(np.full((400, 128), np.nan, np.float32), center=(0.0, 0.0))
