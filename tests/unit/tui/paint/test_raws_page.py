"""The page of raw exposures: the caret stands under the fault, nothing is wider than asked, marks are seen."""

from typing import Any

import pytest

from calibstore.services.looks.raws_rows import ExposureRow
from tui.paint.raws import caret_lines, look, page
from tui.paint.raws_table import HEADS, row_cells
from tui.places import Place
from tui.spans import Role, length_of, plain_text, text_of


@pytest.mark.parametrize("width", [40, 80, 118])
@pytest.mark.parametrize("position", [0, 5, 70, 149, 150])
def test_the_caret_stands_under_the_place(width: int, position: int) -> None:
    where = "".join(chr(ord("a") + one % 26) for one in range(150))

    shown, caret = (text_of(one) for one in caret_lines(where, position, width))

    assert len(shown) <= width
    column = caret.index("^")
    assert shown[column : column + 1] == where[position : position + 1]


def row(**more: Any) -> ExposureRow:
    values: dict[str, Any] = {
        "number": 1,
        "exposure": 7,
        "obs_id": "o",
        "begin": "2025-04-08T14:00:33",
        "exposure_time_s": 0.0,
        "observation_type": "bias",
        "physical_filter": "g",
        "reason": "",
        "program": "",
        "day_obs": 20250408,
        "state": "a6d8",
        "changes": (),
    }
    return ExposureRow(**(values | more))


@pytest.mark.parametrize(
    ("shown", "excluded", "proposed", "mark", "note"),
    [
        (row(), {7: "leak"}, {7: "mean 9 adu"}, "×", "out: leak"),
        (row(), {}, {7: "mean 9 adu"}, "?", "out? mean 9 adu"),
        (row(changes=("SEQNAME a → b",)), {}, {}, " ", "SEQNAME a → b"),
        (row(), {}, {}, " ", ""),
    ],
)
def test_a_row_says_why_it_is_marked(
    shown: ExposureRow, excluded: dict[int, str], proposed: dict[int, str], mark: str, note: str
) -> None:
    cells = [cell if isinstance(cell, str) else cell.text for cell in row_cells(shown, excluded, proposed, {})]

    assert len(cells) == len(HEADS)
    assert (cells[0], cells[-1]) == (mark, note)
    assert cells[6].startswith("▲") == bool(shown.changes)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_page_of_a_faulty_expression_holds_place_words_and_remedy(strict_repo: Any, width: int) -> None:
    place = Place("raws", (), {"where": "instrument='LATISS' and exposure.seqnum < 4"})

    found = look(strict_repo.context, place, "LATISS")
    shown = page(found, width)

    prose = [one for one in shown if all(span.role is not Role.CODE for span in one)]
    assert max(length_of(one) for one in prose) <= width
    text = plain_text(shown)
    assert "FAIL there is no field exposure.seqnum [E-WHERE]" in text
    assert "exposure.seq_num" in text
