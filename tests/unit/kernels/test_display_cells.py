"""Cells: means kept, rows turned over, gaps told apart, half blocks that decode to what was packed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kernels.display_cells import (
    NO_DATA,
    NOT_FINITE,
    dither_text,
    line_cost,
    packed_cells,
    ramp_text,
    resampled,
    steps_of,
)
from kernels.display_colors import ColorMap, color_table, grey_table, lab, palette_colors, palette_table
from kernels.display_layout import Box, Place, cell_boxes, drawn_together


def test_resampling_whole_factors_is_binning_and_keeps_the_mean() -> None:
    image = np.random.default_rng(2).normal(25_000, 3, (40, 60)).astype(np.float32)
    binned = resampled(image, 10, 12)
    np.testing.assert_allclose(binned, image.reshape(10, 4, 12, 5).mean(axis=(1, 3)), atol=5e-3)
    assert resampled(image, 7, 13).mean(dtype=np.float64) == pytest.approx(image.mean(dtype=np.float64), abs=5e-3)
    np.testing.assert_allclose(resampled(image, 80, 120)[::2, ::2], image, atol=5e-3)


def test_resampling_leaves_gaps_out_of_means_and_marks_what_is_mostly_gap() -> None:
    image = np.ones((4, 8), np.float32)
    image[:, 0] = np.nan
    image[:, 4:7] = np.nan
    small = resampled(image, 1, 2)
    assert small[0, 0] == 1.0
    assert np.isnan(small[0, 1])


@settings(max_examples=40)
@given(
    levels=arrays(np.float32, (6, 9), elements=st.floats(0, 1, width=32) | st.just(float("nan"))),
    n_steps=st.integers(2, 64),
    tolerance=st.sampled_from([0.5, 1.0, 1.5]),
)
def test_no_cell_is_farther_from_its_value_than_the_tolerance(
    levels: np.ndarray, n_steps: int, tolerance: float
) -> None:
    steps = steps_of(levels, n_steps, tolerance=tolerance)
    finite = np.isfinite(levels)
    assert ((steps == NOT_FINITE) == ~finite).all()
    apart = np.abs(steps[finite] - levels[finite] * (n_steps - 1))
    assert (apart <= tolerance + 1e-4).all()


def test_the_cost_is_that_of_the_codes_sent_and_tolerance_lowers_it() -> None:
    noise = np.random.default_rng(5).uniform(0, 1, (60, 60)).astype(np.float32)
    colors = palette_table(ColorMap.VIRIDIS, 24)
    costs = []
    for tolerance in (0.5, 1.5, 4.0):
        glyphs, inks, papers = packed_cells(steps_of(noise, 24, tolerance=tolerance))
        sent = ""
        for row in range(30):
            before: dict[int, int] = {}
            for cell in range(row * 60, row * 60 + 60):
                now = {3: int(colors[inks[cell]]) if inks[cell] < 24 else 15, 4: int(colors[papers[cell]])}
                codes = [f"{layer}8;5;{color}" for layer, color in now.items() if before.get(layer) != color]
                sent += f"\x1b[{';'.join(codes)}m" if codes else ""
                sent += glyphs[cell]
                before = now
        costs.append(line_cost(glyphs, inks, papers, columns=60, colors=colors))
        assert costs[-1] == pytest.approx(len(sent.encode()), rel=0.02)
    assert costs == sorted(costs, reverse=True)
    assert costs[2] < 0.85 * costs[0]


@settings(max_examples=60)
@given(steps=arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 3, NO_DATA, NOT_FINITE])))
def test_packed_cells_show_what_was_packed(steps: np.ndarray) -> None:
    glyphs, inks, papers = packed_cells(steps)
    turned = steps[::-1]
    for index, (glyph, ink, paper) in enumerate(zip(glyphs, inks, papers, strict=True)):
        row, column = divmod(index, 7)
        halves = (int(turned[2 * row, column]), int(turned[2 * row + 1, column]))
        if glyph == "×":
            assert NOT_FINITE in halves
            assert paper in {*halves, NO_DATA}
        else:
            shown = {" ": (paper, paper), "█": (ink, ink), "▀": (ink, paper), "▄": (paper, ink)}[glyph]
            assert shown == halves
            # The background of the screen can only be paper.
            assert glyph == " " or ink != NO_DATA


def test_rows_are_turned_over_and_gaps_have_glyphs_of_their_own() -> None:
    levels = np.array([[0.0, np.nan], [0.0, np.nan], [1.0, np.nan], [1.0, np.nan]], np.float32)
    empty = np.array([[False, False], [False, False], [False, True], [False, True]])
    assert ramp_text(levels, empty) == "@ .x"
    bright = np.full((4, 2), np.nan, np.float32)
    bright[3] = 1.0  # the upper row of dots
    assert dither_text(bright, np.isnan(bright)) == chr(0x2800 | 0x01 | 0x08)
    assert dither_text(np.full((4, 2), np.nan, np.float32), np.ones((4, 2), bool)) == " "


def test_more_dots_are_brighter() -> None:
    counts = []
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        text = dither_text(np.full((8, 8), level, np.float32), np.zeros((8, 8), bool))
        counts.append(sum((ord(one) - 0x2800).bit_count() for one in text))
    assert counts == [0, 16, 32, 48, 64]


@pytest.mark.parametrize("color_map", [ColorMap.VIRIDIS, ColorMap.CIVIDIS, ColorMap.GREY])
def test_maps_grow_lighter_all_the_way(color_map: ColorMap) -> None:
    lightness = lab(color_table(color_map, 24).astype(float))[:, 0]
    assert (np.diff(lightness) > 0).all()
    entries = palette_table(color_map, 24)
    assert entries.min() >= 16
    shown = lab(palette_colors()[entries - 16].astype(float))[:, 0]
    assert (np.diff(shown) > -2.5).all()
    assert shown[-1] - shown[0] > 50


def test_the_difference_map_is_white_in_the_middle_and_never_red_against_green() -> None:
    table = color_table(ColorMap.DIVERGING, 65).astype(float)
    shown = palette_colors()[palette_table(ColorMap.DIVERGING, 25) - 16].astype(float)
    for low, middle, high in ((table[4], table[32], table[-5]), (shown[3], shown[12], shown[-4])):
        assert middle.min() > 225
        assert low[2] > low[0]
        assert high[0] > high[2]
    assert lab(table)[:, 1].min() > -20


def test_palette_entries_are_the_nearest_by_eye() -> None:
    # Exact palette colours are found again, and greys stay on the ramp.
    known = palette_colors()
    cube = known[:216]
    chosen = cube[[0, 15, 100, 215]].astype(float)
    distance = ((lab(chosen)[:, None] - lab(known.astype(float))[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(known[distance.argmin(axis=1)], chosen)
    assert grey_table(24).tolist() == list(range(232, 256))


def test_small_detectors_far_apart_are_drawn_together_and_real_ones_left_alone() -> None:
    real = [
        Place(center_x_mm=42.25 * x, center_y_mm=42.25 * y, width=4072, height=4000) for x in (0, 1) for y in (0, 1)
    ]
    assert drawn_together(real) == (1.0, 1.0)
    small = [Place(center_x_mm=42.25 * x, center_y_mm=42.25 * y, width=512, height=192) for x in (0, 1) for y in (0, 1)]
    shrink = drawn_together(small)
    boxes = cell_boxes(small, pixel_size_mm=0.01, shrink=shrink, columns=20, rows=10)
    assert boxes == (Box(0, 5, 10, 10), Box(0, 0, 10, 5), Box(10, 5, 20, 10), Box(10, 0, 20, 5))
