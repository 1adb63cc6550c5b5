"""The Data screen as lines: numbers with the decimals they deserve, scales, tables, histograms, advice."""

from dataclasses import replace
from typing import Any

import pytest

from calibstore.services.looks.data import AmplifierRow, Compared, DataLook, DetectorRow, Picture
from kernels.display_colors import ColorMap
from kernels.display_stretch import Stretch
from tui.paint import data, picture
from tui.places import parse_place
from tui.spans import length_of, plain_text

RUN = "LATISS/calib/DM-1/t/biasGen.20250601b"


def a_picture(**more: Any) -> Picture:
    values: dict[str, Any] = {
        "key": (), "columns": 4, "rows": 1, "mode": "ramp", "color_map": "viridis", "stretch": "mad", "glyphs": ".:x ",
        "inks": b"", "papers": b"", "colors": (), "low": -8.0, "high": 12.0, "ticks": (-8.0, -3.0, 2.0, 7.0, 12.0),
        "n_steps": 0, "tolerance": 0.5, "boxes": (), "block": 8, "n_blocks": 1536, "median": 1.0, "mad": 2.0,
        "smallest": -9.0, "largest": 30.0, "histogram": (0, 1, 8, 4), "n_below": 1, "n_above": 2,
    }  # fmt: skip
    return Picture(**(values | more))


def a_look(**more: Any) -> DataLook:
    values: dict[str, Any] = {
        "instrument": "LATISS", "dataset_type": "bias", "run": RUN, "ticket": "DM-1",
        "rerun": "20250601b", "how": "the newest RUN", "runs": ("x", RUN),
        "is_one_detector": True, "unit": "electron", "n_inputs": 24, "exposures": (2025060100001, 2025060100024),
        "detectors": (
            DetectorRow(detector=0, name="RXX_S00", kind="ITL", median=1.3, z=0.0, n_failing=1, dataset_id="ab"),
        ),
        "amplifiers": (
            AmplifierRow(name="C10", median=1.32, width=6.2, z=-0.1),
            AmplifierRow(name="C04", median=1.78, width=7.75, z=3.1, tests=("noise_ratio 30",)),
        ),
        "picture": a_picture(), "compared": Compared(run="old", relation="the attempt before"),
    }  # fmt: skip
    return DataLook(**(values | more))


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [(24866.123, 71, "24 866.1"), (1.31991, 0.6, "1.320"), (-0.0004, 20, "-0.0"), (None, 1, "-"), (3, 1000, "3")],
)
def test_numbers_have_the_decimals_their_spread_deserves(value: float | None, spread: float, text: str) -> None:
    assert picture.number(value, spread) == text


def test_the_words_of_keys_are_those_of_the_kernels() -> None:
    assert set(picture.STRETCHES) == {str(one) for one in Stretch}
    assert set(picture.COLOR_MAPS) == {str(one) for one in ColorMap} - {"diverging"}
    assert set(picture.MODES) == set(picture.MODE_NAMES) == set(picture.SHORT_NAMES)


def test_a_scale_has_numbers_and_unit_at_any_width() -> None:
    for width in (8, 20, 80):
        before, after, _ = picture.scale_line(a_picture(), "electron", width)
        text = plain_text([(*before, *after)])
        assert text.startswith(" -8.0 ")
        assert text.endswith("12.0 e")
    colored = a_picture(colors=(17, 18), mode="palette")
    before, after, size = picture.scale_line(colored, "adu", 40)
    assert length_of(before) + size + length_of(after) <= 40
    assert size >= 20


def test_the_highest_bar_is_full_and_the_smallest_is_seen() -> None:
    rows = plain_text(picture.histogram_lines(a_picture(), "electron", 40, height=2)).split("\n")
    assert rows[0] == "     ██"
    assert rows[1].startswith("   ▂▂████")
    assert "1 below, 2 above" in rows[-1]


def test_failing_amplifiers_have_a_glyph_and_the_cursor_a_mark() -> None:
    rows = plain_text(data.amplifier_lines(a_look().amplifiers, "e", 60, at="C10")).split("\n")
    assert rows[0].split() == ["amp", "median", "e", "noise", "z", "failed", "tests"]
    assert rows[1].startswith("> C10")
    assert rows[2].endswith("+3.1  X noise_ratio 30")


def test_the_difference_is_offered_then_told_and_refused_with_a_reason() -> None:
    look = a_look()
    assert plain_text(data.difference_lines(look, 80)) == "D shows the difference to the attempt before, old"
    told = plain_text(data.difference_lines(replace(look, is_difference=True), 80))
    assert told.startswith("difference: median 1.0, MAD 2.0, largest 30.0 e")
    refused = replace(look, compared=Compared(run="old", relation="x", fault="adu here"))
    assert plain_text(data.difference_lines(refused, 80)) == "no difference: adu here"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_page_holds_everything_within_the_width(width: int) -> None:
    page = data.page(a_look(certified=("LATISS/calib/DM-1/t/bias.20250601b  [2025-06-01T00:00:00, ∞)",)), width)
    text = plain_text(page)
    for word in ("DM-1", "24 exposures", ".:x", "-8.0", "X noise_ratio 30", "the attempt before", "[2025-06-01"):
        assert word in text
    assert max(length_of(one) for one in page) <= width


def test_nothing_built_leads_on() -> None:
    empty = DataLook(instrument="LATISS", dataset_type="", missing="no bias was built", advice="7 opens the checklist")
    assert plain_text(data.page(empty, 80)) == "no bias was built.\n7 opens the checklist."


def test_a_missing_detector_is_named() -> None:
    rows = (
        DetectorRow(detector=0, name="R22_S00", kind="", median=1.0, z=None, n_failing=0, dataset_id="a"),
        DetectorRow(detector=1, name="R22_S01", kind="", median=None, z=None, n_failing=0, dataset_id=""),
    )
    text = plain_text(data.page(a_look(detectors=rows, is_one_detector=False), 80))
    assert "1 of 2 detectors" in text
    assert "no product" in text


def test_places_become_questions() -> None:
    place = parse_place("data bias --ticket DM-1 --detector 4 --compare in-use --stretch log --map nothing".split())
    asked = data.asked(place, "LATISS")
    assert (asked["dataset_type"], asked["ticket"], asked["detector"]) == ("bias", "DM-1", 4)
    assert (asked["is_difference"], asked["compare"]) == (True, "")
    assert data.style_of(place) == {"stretch": "log", "color_map": "viridis"}
