"""The first screen's lines: worst first, no empty promise, never wider than the screen."""

from typing import Any

import pytest

from calibstore.services.looks.home import Alarm, Branch, Fact, HomeLook, InUse, Work
from tui.paint import home as painter
from tui.spans import Role, length_of, plain_text


def home(**more: Any) -> HomeLook:
    settings: dict[str, Any] = {
        "repository": "main", "kind": "main", "authority": "cabstand", "site": "usdf", "instrument": "LATISS",
        "top": "LATISS/calib", "fingerprint": "abc", "at_tai_ns": 0, "at_text": "2025-01-22T14:03:11", "is_now": True,
        "state": 7, "read_text": "2025-01-22T14:03:11", "rows": (), "alarms": (), "works": (), "n_unread": 0,
        "facts": (), "tree": (Branch(depth=0, name="LATISS/calib"), Branch(depth=1, name="DM-48520")), "n_members": 1,
        "has_exposures": True, "has_campaigns": True,
    }  # fmt: skip
    return HomeLook(**(settings | more))


USED = InUse(
    dataset_type="bias", collection="LATISS/calib/DM-48520/DP1/bias.20250210a", run="r", ticket="DM-48520",
    ticket_chain="LATISS/calib/DM-48520", valid_from="2024-10-24", age_days=90, verify="ok", n_proved=3, n_sites=4,
    detectors=(0,), n_expected=1, unit="electron", not_applied=("CROSSTALK",), dataset_ids=("1",),
)  # fmt: skip
MISSING = InUse(
    dataset_type="dark", detectors=(0,), n_expected=1, verify="FAIL", verify_level="fail", level="fail", last="last: X"
)
WORK = Work(
    ticket="DM-48520", tag="DP1", title="", calib_types=("bias",), number=6, item="TAXICAB ticket", key="hail",
    waits="the board's decision on TAXICAB-23", board="Flagged",
)  # fmt: skip


def test_a_row_tells_everything_and_amber_what_was_not_applied() -> None:
    items = painter.items(home(rows=(USED,)), 80)
    text = plain_text(one.line for one in items)
    assert "bias    -      DM-48520 DP1/bias.20250210a" in text
    assert "2024-10-24    90d ok       3/4" in text
    amber = next(one.line for one in items if "not applied: CROSSTALK" in plain_text([one.line]))
    assert amber[0].role is Role.WARN
    row = next(one for one in items if one.key)
    assert (row.place_text, row.thing, row.run) == ("timeline bias --detector 0", USED.collection, "r")


def test_what_is_missing_is_a_fail_by_words_and_not_by_colour_alone() -> None:
    items = painter.items(home(rows=(MISSING,), alarms=(Alarm(level="fail", text="dark: none", place_text="x"),)), 110)
    line = next(one.line for one in items if one.key.startswith("use dark"))
    assert "NO CALIBRATION IN USE" in plain_text([line])
    narrow = plain_text(one.line for one in painter.items(home(rows=(MISSING,)), 70))
    assert "NONE IN USE" in narrow  # in words, not half of them
    assert "certified" not in narrow.splitlines()[2]
    assert "FAIL" in plain_text([line])
    assert "! FAIL dark: none" in plain_text(one.line for one in items)


def test_open_work_says_the_item_and_leads_to_its_checklist() -> None:
    items = painter.items(home(works=(WORK,), n_unread=3), 120)
    (work,) = [one for one in items if one.key == "work DM-48520"]
    assert "[#####....] 6/9" in plain_text([work.line])
    assert work.place_text == "checklist DM-48520"
    assert "and 3 older campaigns" in plain_text(one.line for one in items)


def test_empty_states_say_what_to_do_next() -> None:
    text = plain_text(one.line for one in painter.items(home(has_exposures=False, has_campaigns=False), 80))
    assert "cabstand ingest FOLDER" in text
    assert "n opens a new checklist" in text
    assert "cabstand init" in plain_text(one.line for one in painter.items(home(instrument=""), 80))
    assert "reading 5 campaigns" in plain_text(one.line for one in painter.items(home(is_whole=False, n_unread=5), 80))


@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 120, 200])
def test_no_line_is_wider_than_the_screen(width: int) -> None:
    facts = (Fact(title="last night", lines=("a long line " * 20, "b"), level="warn"),)
    alarms = (Alarm(level="warn", text="something that must be told in many words " * 5),)
    tree = tuple(Branch(depth=place % 3, name=f"a/long/name/of/a/collection/{place}") for place in range(80))
    look = home(rows=(USED, MISSING), works=(WORK,), facts=facts, alarms=alarms, tree=tree)
    lines = [one.line for one in painter.items(look, width)]
    assert max(length_of(one) for one in lines) <= max(width, 60)
    assert len(painter.page(look, width)) >= len(lines)


def test_the_chain_stands_at_the_right_of_wide_screens_only() -> None:
    look = home(rows=(USED,))
    assert "<- first" in plain_text(one.line for one in painter.items(look, 120))
    assert "<- first" not in plain_text(one.line for one in painter.items(look, 99))
    assert "<- first" in plain_text(painter.page(look, 80))
