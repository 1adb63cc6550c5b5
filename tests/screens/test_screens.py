"""Every view and dialog at both sizes, dark and mono: golden pages, and cell for cell what Textual itself would draw.

One run of the application gives all looks of a screen: the theme is changed in place.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import Config
from calibstore.services.context import Context
from tests.emulator.twin import twin_run
from tests.support.screens import cabstand, neutral, screen_page
from tests.support.stages import NOW_TAI_NS
from tui.drafts import Drafts
from tui.plain import page_text
from tui.spans import width_of
from tui.testing import settle

SIZES = ((80, 24), (120, 40))
TOP = "LATISS/calib"
EXAMPLE = (
    "do certify-calibrations LATISS/calib/DM-1/first/biasGen.20261120a LATISS/calib/DM-1/first/bias.20261120b bias"
)


@dataclass(frozen=True)
class Shot:
    """How to get at a screen."""

    stage: str
    place: str
    keys: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    draft: tuple[tuple[str, ...], int] | None = None
    """List kept for the top chain from an earlier session, and the state it was made for."""


SHOTS = {
    "home": Shot("live", "home"),
    "home-new": Shot("new", "home"),
    "collections": Shot("live", "collections"),
    "collection": Shot("live", "collections LATISS/calib/DM-1/first/bias.20261120a", ("enter",)),
    "timeline": Shot("live", "timeline"),
    "timeline-bias": Shot("live", "timeline bias"),
    "raws": Shot("generated", "raws"),
    "raws-fields": Shot("generated", "raws", ("b",)),
    "data": Shot("verified", "data bias"),
    "data-ptc": Shot("tables", "data ptc", ("down",)),
    "data-ptc-log": Shot("tables", "data ptc", ("L",)),
    "data-covariances": Shot("tables", "data ptc", ("v",)),
    "data-matrix": Shot("tables", "data ptc --page matrix"),
    "data-ptc-less": Shot("tables", "data ptc", ("D",)),
    "data-linearizer": Shot("tables", "data linearizer", ("a", "a", "a")),
    "data-crosstalk": Shot("tables", "data crosstalk"),
    "data-crosstalk-squared": Shot("tables", "data crosstalk", ("v",)),
    "data-defects": Shot("tables", "data defects"),
    "data-defects-boxes": Shot("tables", "data defects", ("v", "down")),
    "data-defects-less": Shot("tables", "data defects", ("D",)),
    "data-cti": Shot("tables", "data cti", ("L",)),
    "data-bfk": Shot("tables", "data bfk"),
    "data-gain": Shot("tables", "data gain"),
    "data-gain-correction": Shot("tables", "data gain_correction"),
    "data-keys": Shot("tables", "data ptc", ("question_mark",)),
    "metrics-list": Shot("verified", "metrics"),
    "metrics": Shot("verified", "metrics DM-1"),
    "checklist-list": Shot("verified", "checklist", ("c",)),
    "checklist": Shot("verified", "checklist DM-1"),
    "checklist-live": Shot("live", "checklist DM-1"),
    "jobs": Shot("verified", "jobs"),
    "journal": Shot("live", "journal", ("down",)),
    "chains": Shot("live", "chains"),
    "chains-draft": Shot("live", "chains", ("x",)),
    "chains-refused": Shot("live", "chains", draft=((f"{TOP}/DM-1", f"{TOP}/DM-7"), 0)),
    "chains-stale": Shot("live", "chains", draft=((f"{TOP}/DM-1/first/bias.20261120a",), 1)),
    "chains-absent": Shot("live", "chains LATISS/calibs"),
    "pick": Shot("live", "chains", ("a", "g", "e", "n")),
    "states": Shot("live", "states", ("down",)),
    "states-chain": Shot("live", f"states --of {TOP}", ("down",)),
    "timeline-past": Shot("tagged", "timeline bias --state 14"),
    "form": Shot("reported", EXAMPLE + " --begin-date 2025-04-08T14:00:00", more={"is_writable": True}),
    "confirm": Shot("reported", EXAMPLE + " --begin-date 2025-04-08T14:00:00", ("ctrl+r",), {"is_writable": True}),
    "generate": Shot("inputs", "do generate bias DM-1", ("down", "down", "down", "down", "5"), {"is_writable": True}),
    "generate-ptc": Shot("inputs", "do generate ptc DM-1", ("ctrl+t",), {"is_writable": True}),
    "generate-types": Shot("inputs", "do generate", (" ", "d", "a"), {"is_writable": True}),
    "graph": Shot("certified", "graph bias --ticket DM-1"),
    "graph-explained": Shot("certified", "graph dark --ticket DM-1", ("e",)),
    "graph-to-do": Shot("looked", "graph --ticket DM-1", ("w",)),
    "spot": Shot("generated", "checklist DM-1", ("s",)),
    "palette": Shot("live", "home", ("ctrl+p", "c", "e", "r")),
    "keys": Shot("live", "timeline bias", ("question_mark",)),
    "help": Shot("live", "home", ("f1",)),
    "answer": Shot("live", "home", ("f1", "3")),
    "drawer": Shot("live", "home", ("colon", "f", "l", "y", "enter")),
    "errors": Shot("live", "home", ("colon", "f", "l", "y", "enter", "E")),
    "guide": Shot("verified", "home", more={"is_guided": True}),
}


async def come_to_rest(pilot: Any) -> None:
    """Wait until nothing changes: details of a row are read a moment after the cursor came to it."""
    before = ""
    for _ in range(20):
        await settle(pilot, rounds=1)
        present = screen_page(pilot.app)
        if present == before:
            return
        before = present
        await asyncio.sleep(0.15)
    raise AssertionError(f"the screen never comes to rest:\n{before}")


def keep_draft(home: Path, state_dir: Path, names: tuple[str, ...], base_state: int) -> None:
    """Leave a draft of the top chain behind, as an earlier session does."""
    with Context(
        root=home,
        clock=lambda: NOW_TAI_NS,
        user="jane",
        host="bench",
        config=Config(data_dir=state_dir, state_dir=state_dir),
    ).unit_of_work() as uow:
        drafts = Drafts(state_dir, uow.repository.record().id)
    drafts.save(f"chain/{TOP}", {"draft": list(names), "base": base_state})
    drafts.flush()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SHOTS)
async def test_screen(
    name: str,
    size: tuple[int, int],
    home_at: Callable[[str], Path],
    golden: Callable[[str, str], None],
    tmp_path: Path,
) -> None:
    shot = SHOTS[name]
    home = home_at(shot.stage)
    if shot.draft is not None:
        keep_draft(home, tmp_path / "state", *shot.draft)
    app = cabstand(home, shot.place, state_dir=tmp_path / "state", **shot.more)
    pages = {}
    async with twin_run(app, size) as (pilot, twin):
        await settle(pilot)
        for key in shot.keys:
            await pilot.press(key)
            await settle(pilot, rounds=2)
        await come_to_rest(pilot)
        for theme in ("dark", "mono", *(("light", "ansi") if name == "home" else ())):
            status = app._status
            if theme != app.theme_name:
                app.take_theme(theme)
                app.say(status)
                await settle(pilot, rounds=1)
            twin.check()
            pages[theme] = screen_page(app)
    for theme, page in pages.items():
        golden(f"{name}-{size[0]}x{size[1]}-{theme}", page)


COMMAND = re.compile(r"\bcabstand |\bbutler |\bexport |--\w")
PAGES = {
    "home": ("live", "home"),
    "collections": ("live", "collections"),
    "timeline": ("live", "timeline"),
    "timeline-bias": ("live", "timeline bias"),
    "raws": ("verified", "raws"),
    "data": ("verified", "data bias"),
    "data-ptc": ("tables", "data ptc"),
    "data-crosstalk": ("tables", "data crosstalk"),
    "data-defects": ("tables", "data defects"),
    "metrics": ("verified", "metrics DM-1"),
    "checklist-list": ("live", "checklist"),
    "checklist": ("verified", "checklist DM-1"),
    "jobs": ("verified", "jobs"),
    "graph": ("certified", "graph --ticket DM-1"),
    "generate": ("inputs", "do generate ptc DM-1"),
    "journal": ("live", "journal"),
    "chains": ("live", "chains"),
    "states": ("live", "states"),
    "timeline-past": ("tagged", "timeline bias --state 14"),
    "form": ("reported", EXAMPLE),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_as_text(
    name: str,
    home_at: Callable[[str], Path],
    golden: Callable[[str, str], None],
    tmp_path: Path,
) -> None:
    stage, place = PAGES[name]
    opening = cabstand(home_at(stage), place, state_dir=tmp_path / "state").opening
    text = page_text(opening, opening.place, 80, is_ascii=False)
    in_ascii = page_text(opening, opening.place, 80, is_ascii=True)
    assert in_ascii.isascii()
    # What is copied is never folded; all else is.
    assert [row for row in text.splitlines() if width_of(row) > 80 and not COMMAND.search(row)] == []
    golden(f"page-{name}", "\n".join(neutral(row).rstrip() for row in text.splitlines()) + "\n")
    golden(f"page-{name}-ascii", "\n".join(neutral(row).rstrip() for row in in_ascii.splitlines()) + "\n")
