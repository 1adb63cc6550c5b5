"""Somebody else writes to the repository while a form is open: nobody does what they have not seen."""

import shutil
from typing import Any

from textual.pilot import Pilot

from calibstore.commands.store import QueryCollections
from tui.chrome import LineStrip
from tui.dialogs.confirm import ConfirmDialog
from tui.forms.view import FormView
from tui.spans import plain_text, text_of
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


async def test_a_store_that_went_away_is_said_and_its_answers_are_not_shown_as_new(
    app_of: Any, loose_repo: Any, make_repo: Any
) -> None:
    app = app_of(loose_repo.root, "home")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        aside = loose_repo.root.rename(loose_repo.root.with_name("aside"))
        for _ in range(2):
            app._watch()
            await settle(pilot)
        assert len(app.errors) == 1  # said once, and it stays
        assert "no repository" in app.errors[0].message
        assert "NOT READ SINCE TAI" in text_of(app.query_one("#top", LineStrip).shown)
        aside.rename(loose_repo.root)
        app._watch()
        await settle(pilot)
        assert "NOT READ" not in text_of(app.query_one("#top", LineStrip).shown)


async def test_a_store_put_in_place_of_another_is_the_one_that_is_read(
    app_of: Any, loose_repo: Any, make_repo: Any
) -> None:
    other = make_repo(kind="test", name="other")
    other.live("DM-7", "2025-01-01")
    app = app_of(loose_repo.root, "home")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        loose_repo.root.rename(loose_repo.root.with_name("aside"))
        shutil.copytree(other.root, loose_repo.root)
        app._watch()
        await settle(pilot)
        assert "DM-7" in "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_a_theme_that_is_not_there_ends_nothing(app_of: Any, loose_repo: Any) -> None:
    app = app_of(loose_repo.root, "home")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.type_line("theme blue")
        await settle(pilot)
        assert [one.code for one in app.errors] == ["E-THEME"]
