"""Somebody else writes to the repository while a form is open: nobody does what they have not seen."""

from typing import Any

from textual.pilot import Pilot

from calibstore.commands.store import QueryCollections
from tui.dialogs.confirm import ConfirmDialog
from tui.forms.view import FormView
from tui.spans import plain_text
from tui.testing import settle
from tui.widgets.text_pane import TextPane

RUN = "LATISS/calib/DM-1/test/biasGen.20250601a"
INTO = "LATISS/calib/DM-1/test/bias.20250601a"
CERTIFY = f"do certify-calibrations {RUN} {INTO} bias --begin-date 20250408"


def effect_of(pilot: Pilot[Any]) -> str:
    pane = pilot.app.query_one(FormView).query_one("#effect", TextPane)
    return pane.pane_title + "\n" + plain_text(pane.shown)


async def test_what_changed_behind_the_question_is_shown_and_asked_again(app_of: Any, loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    app = app_of(loose_repo.root, CERTIFY, is_writable=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = effect_of(pilot)
        await pilot.press("ctrl+r")
        assert isinstance(app.screen, ConfirmDialog)
        loose_repo.add_exposures(["2025-04-09T20:00:00"])  # the effect is another one now
        await pilot.press("right", "enter")
        await settle(pilot)
        assert INTO not in str(loose_repo.ask(QueryCollections(chains="table")).data)
        assert [one.code for one in app.errors] == ["E-CHANGED"]
        shown = effect_of(pilot)
        assert shown.startswith("EFFECT: nothing is written yet")
        assert shown != before
        await pilot.press("ctrl+r")
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("right", "enter")
        await settle(pilot)
        assert effect_of(pilot).startswith("DONE")
        assert INTO in str(loose_repo.ask(QueryCollections(chains="table")).data)
