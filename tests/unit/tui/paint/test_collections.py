"""Collections as lines: wrong names are underlined, nothing is wider than the pane."""

from typing import Any

import pytest

from calibstore.services.looks.collections import collection_look
from tui.paint import collections as paint
from tui.paint.folding import folded
from tui.places import Place, parse_place
from tui.spans import length_of, plain_text, text_of

BASE = "LATISS/calib/DM-1/t"


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    loose_repo.add_exposures(["2024-01-01T20:00:00"])
    loose_repo.live("DM-1", "2024-01-01T00:00:00")
    loose_repo.add_run("LATISS/calib/DM-1/t/bais.20240101a", [0])
    return loose_repo


def test_the_page_shows_the_tree_in_search_order(repo: Any) -> None:
    page = plain_text(paint.page(paint.look(repo.context, Place("collections"), "LATISS"), 80)).splitlines()

    assert [row.split()[:2] for row in page[1:4]] == [
        ["LATISS/calib", "CHAINED"],
        ["DM-1", "CHAINED"],
        ["t/bias.20240101a", "CALIBRATION"],
    ]
    assert "DM-1: outside any chain" in page
    assert page[-1] == "6 collections"


def test_a_place_names_a_collection(repo: Any) -> None:
    place = parse_place(["collections", f"{BASE}/bias.20240101a"])
    page = plain_text(paint.page(paint.look(repo.context, place, "LATISS"), 80))

    assert "in chains LATISS/calib/DM-1 (1 of 1)" in page
    assert "LATISS/calib (via DM-1)" in page
    assert "bias 1 valid [2024-01-01T00:00:00, ∞) TAI" in page
    assert "no decision on DM-1 yet" in page


def test_the_wrong_part_of_a_name_is_underlined_and_explained(repo: Any) -> None:
    lines = paint.detail_lines(collection_look(repo.context, f"{BASE}/bais.20240101a"), 80)

    assert [text_of(one) for one in lines[:2]] == [f"{BASE}/bais.20240101a", " " * len(f"{BASE}/") + "^^^^"]
    assert "did you mean" in plain_text(lines)


@pytest.mark.parametrize("width", [30, 46, 80])
def test_nothing_is_wider_than_the_pane(repo: Any, width: int) -> None:
    for name in (f"{BASE}/bias.20240101a", f"{BASE}/biasGen.20240101a", f"{BASE}/bais.20240101a", "LATISS/calib"):
        lines = paint.detail_lines(collection_look(repo.context, name), width)
        assert max(length_of(one) for one in lines) <= width


def test_long_words_are_broken_where_they_may_be() -> None:
    assert folded("see LATISS/calib/DM-1/sequencer26/biasGen.20240101a now", 24, rest="  ") == [
        "see LATISS/calib/DM-1/",
        "  sequencer26/",
        "  biasGen.20240101a now",
    ]
    assert "".join(folded("x" * 50, 20)) == "x" * 50
    assert folded("", 20) == [""]


def test_counts_say_where_counting_stopped() -> None:
    assert [paint.number_text(one) for one in (None, 0, 15_309, 100_000)] == ["", "0", "15 309", ">99 999"]
