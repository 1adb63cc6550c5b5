"""Tables as text: every bad line is named, and the diff says what was done."""

from typing import Any

import numpy as np
import pytest

from calibstore.datastore.calib_tables import CalibTables, content_sha256, parse_ecsv
from calibstore.datastore.table_text import (
    Differences,
    differences,
    draft_text,
    edited_form,
    folded_back,
    read_text_table,
)
from calibstore.errors import UserInputError
from tests.support.curated_files import boxes_text, crosstalk_text

BOXES = ((1, 2, 3, 4), (10, 20, 1, 30))


def content(text: str) -> CalibTables:
    return parse_ecsv(text, name="base")


def read(text: str, base: CalibTables) -> CalibTables:
    return read_text_table(text, base, name="draft", width=100, height=200)


def diff(text: str, base: CalibTables) -> Differences:
    return differences(edited_form(base), read(text, base))


@pytest.mark.parametrize("text", [boxes_text(*BOXES), boxes_text(), crosstalk_text()])
def test_a_draft_left_as_it_is_says_the_same(text: str) -> None:
    base = content(text)
    draft = draft_text(base)
    assert diff(draft, base).is_empty
    back = folded_back(read(draft, base), base)
    for name, values in base.tables[0].columns.items():
        np.testing.assert_array_equal(back.tables[0].columns[name], values)
    if base.tables[0].n_rows:
        assert content_sha256(back) == content_sha256(base)


def test_boxes_added_removed_and_changed() -> None:
    base = content(boxes_text(*BOXES, (50, 60, 2, 2)))
    draft = draft_text(base).replace("1 2 3 4\n", "").replace("10 20 1 30", "10 20 5 30") + "7 8 9 10\n"
    found = diff(draft, base)
    assert found.added == ("x0=7 y0=8 width=9 height=10",)
    assert found.removed == ("x0=1 y0=2 width=3 height=4",)
    assert found.changed == ("x0=10 y0=20: width 1 -> 5",)
    assert [line[0] for line in found.lines()] == ["+", "-", "~"]
    assert read(draft, base).tables[0].columns["x0"].tolist() == [10, 50, 7]


def test_an_empty_table_of_boxes_takes_boxes() -> None:
    base = content(boxes_text())
    edited = read(draft_text(base) + "5 6 7 8\n", base)
    back = folded_back(edited, base)
    assert {name: one.tolist() for name, one in back.tables[0].columns.items()} == {
        "x0": [5], "y0": [6], "width": [7], "height": [8],
    }  # fmt: skip
    assert back.tables[0].columns["x0"].dtype == np.int64


def test_crosstalk_is_edited_by_pairs_of_amplifiers() -> None:
    base = content(crosstalk_text(4))
    lines = draft_text(base).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("2 3 "))
    words = lines[at].split()
    lines[at] = " ".join([*words[:2], "0.5", *words[3:-1], "False"])
    edited = read("\n".join(lines), base)
    assert differences(edited_form(base), edited).changed == (
        f"i=2 j=3: CT_COEFFS {float(words[2]):.6g} -> 0.5, CT_VALID True -> False",
    )
    back = folded_back(edited, base).tables[0].columns
    truth = base.tables[0].columns["CT_COEFFS"].copy()
    truth[0, 2 * 4 + 3] = 0.5
    np.testing.assert_array_equal(back["CT_COEFFS"], truth)
    assert not back["CT_VALID"][0, 11]
    np.testing.assert_array_equal(back["CT_FIT_GAINS"], base.tables[0].columns["CT_FIT_GAINS"])


BAD: list[tuple[Any, str]] = [
    (lambda text: text + "1 2 3\n", "3 values"),
    (lambda text: text + "1 2 3 4 5\n", "5 values"),
    (lambda text: text + "1 2 three 4\n", "width=three"),
    (lambda text: text + "1 2 3.5 4\n", "whole number"),
    (lambda text: text + "1 2 0 4\n", "at least one pixel"),
    (lambda text: text + "99 2 3 4\n", "outside 0..99"),
    (lambda text: text + "1 -2 3 4\n", "outside"),
    (lambda text: text + "10 20 1 30\n", "repeats line"),
    (lambda text: text + '1 2 "3 4\n', "draft:"),
    (lambda text: text.replace("x0 y0 width height\n1", "x0 y0 w h\n1"), "columns are x0 y0 w h"),
    (lambda text: "# nothing\n", "no line of column names"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=[words for _, words in BAD])
def test_a_bad_line_is_named(spoil: Any, words: str) -> None:
    base = content(boxes_text(*BOXES))
    text = spoil(draft_text(base))
    with pytest.raises(UserInputError) as caught:
        read(text, base)
    problem = caught.value
    assert problem.code == "E-EDIT"
    assert words in problem.message
    at = int(problem.message.split(":")[1])
    assert 1 <= at <= len(text.splitlines()) + 1
    if text.startswith("# %ECSV") and "columns" not in words:
        assert at == len(text.splitlines())


def test_every_pair_is_wanted_once() -> None:
    base = content(crosstalk_text(2))
    text = draft_text(base)
    lines = text.splitlines()
    with pytest.raises(UserInputError, match="i=1 j=1 is missing"):
        read("\n".join(lines[:-1]), base)
    with pytest.raises(UserInputError, match="go to 1"):
        read("\n".join([*lines, "5 5 0.0 0.0 1 True"]), base)
    with pytest.raises(UserInputError, match="CT_VALID=maybe is not True or False"):
        read("\n".join([*lines[:-1], "1 1 0.0 0.0 1 maybe"]), base)
