"""The journal as lines: what changed stands together, and an entry is whole."""

from typing import Any

import pytest

from calibstore.errors import UserInputError
from tui.paint import journal as paint
from tui.places import Place, parse_place
from tui.spans import length_of, plain_text


def test_rows_come_newest_first_with_reason_to_read_on(loose_repo: Any) -> None:
    loose_repo.live("DM-1", "2024-01-01T00:00:00")
    page = plain_text(paint.page(paint.look(loose_repo.context, Place("journal"), ""), 80)).splitlines()

    states = [int(row.split()[0]) for row in page if row[:5].strip().isdigit()]
    assert states == sorted(states, reverse=True)
    assert "certify-calibrations  DM-1" in plain_text(
        paint.page(paint.look(loose_repo.context, parse_place(["journal", "--ticket", "DM-1"]), ""), 80)
    )


@pytest.mark.parametrize("width", [40, 80, 120])
def test_an_entry_shows_before_and_after_in_any_width(loose_repo: Any, width: int) -> None:
    loose_repo.live("DM-1", "2024-01-01T00:00:00")
    looked = paint.look(loose_repo.context, parse_place(["journal", "3"]), "")
    assert looked.detail is not None

    lines = paint.entry_lines(looked.detail, width)

    assert max(length_of(one) for one in lines) <= width
    assert "the same without Cabstand" in plain_text(lines)
    assert "  + ticket_chain:" in plain_text(lines)


def test_a_place_that_is_no_number_says_so(loose_repo: Any) -> None:
    with pytest.raises(UserInputError, match="no number"):
        paint.look(loose_repo.context, parse_place(["journal", "abc"]), "")
