"""The questions of new staff: each answer three keys from Home at most, and Enter shows the thing itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import Config
from tests.support.stages import NOW_TAI_NS
from tui.app import CabstandApp, Opening
from tui.how_do_i import ANSWERS
from tui.places import Place
from tui.plain import screen_text
from tui.testing import settle

ANSWERS_SHOWN = {
    "list the calibrations there are?": (
        "in the order in which they are searched",
        "first/bias.20261120a",
        "LATISS/raw/all",
    ),
    "get at the metrics and the plots?": ("tests of a verification with limits", "> DM-1", "No verification yet"),
    "know which calibrations are, or were, used?": ("which certification wins", "bias  DM-1", "NOTHING IS VALID"),
    "apply calibrations to an exposure?": ("finds them by itself", "Form > process", "Form > process"),
    "make a new calibration?": ("Open a ticket in view 7 (n)", "CAMPAIGNS", "No campaign yet"),
    "validate one?": ("Item 4 of the checklist", "DM-1 first > 4 Verify", "No campaign yet"),
    "certify one?": ("with every name filled in", "DM-1 first > - Certify", "No campaign yet"),
    "export it, and import it elsewhere?": ("Item 8 of the checklist", "DM-1 first > 8 Export", "No campaign yet"),
    "undo a change?": ("whether it can be taken back", "STATES", "STATES"),
}
"""Question: words of the answer; what the screen shows to which Enter leads, with a live bias and with raws alone."""


@pytest.fixture
def at_home(tmp_path: Path) -> Callable[[Path], CabstandApp]:
    """Open the interface at Home."""

    def make(root: Path) -> CabstandApp:
        config = Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state")
        return CabstandApp(
            Opening(
                root=root,
                config=config,
                clock=lambda: NOW_TAI_NS,
                user="jane",
                host="bench",
                environment={},
                place=Place("home"),
            )
        )

    return make


async def press(pilot: Any, *keys: str) -> str:
    """Press keys; return the screen."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)
    return screen_text(pilot.app)


async def ask_all(app: CabstandApp, column: int) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for number, one in enumerate(ANSWERS, start=1):
            texts = ANSWERS_SHOWN[one.question]
            assert f"{number} {one.question}" in await press(pilot, "f1")
            assert texts[0] in " ".join((await press(pilot, str(number))).split())
            shown = await press(pilot, "enter")
            assert "HOW DO I" not in shown
            assert texts[column] in shown, shown
            assert app.errors == []
            app.go(Place("home"))
            await settle(pilot)


@pytest.mark.slow
async def test_every_answer_is_three_keys_from_home(
    kept_stage: Callable[[str], Path], at_home: Callable[[Path], CabstandApp]
) -> None:
    assert [one.question for one in ANSWERS] == list(ANSWERS_SHOWN)
    await ask_all(at_home(kept_stage("live")), 1)


@pytest.mark.slow
async def test_without_a_campaign_the_answers_lead_to_where_one_begins(
    kept_stage: Callable[[str], Path], at_home: Callable[[Path], CabstandApp]
) -> None:
    await ask_all(at_home(kept_stage("raws")), 2)
