"""Somebody else writes to the repository while a form is open: nobody does what they have not seen."""

import shutil
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from calibstore.commands.store import QueryCollections
from calibstore.errors import StoreError
from calibstore.services.context import forget_engines
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


async def test_what_is_typed_ahead_after_the_colon_is_not_taken_for_keys(app_of: Any, loose_repo: Any) -> None:
    app = app_of(loose_repo.root, "home")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for character in ":journal DM-4":  # in one packet of the line; d and t would be keys of Home
            app.post_message(events.Key(_character_to_key(character), character))
        await settle(pilot)
        assert app.query_one("CommandBar Input", Input).value == "journal DM-4"
        assert app.place.view == "home"
        await pilot.press("enter")
        await settle(pilot)
        assert app.place.text == "journal DM-4"
        app.type_line("campaign new LATISS DM-5 tag --title x")
        await settle(pilot)
        await pilot.press(*["down"] * 4, "end", "colon", "slash")
        await settle(pilot)
        form = app.query_one(FormView)._form
        assert form is not None
        assert form.values["title"] == "x:/"  # in a field they are text


async def test_a_store_that_may_not_be_written_is_read_only_whatever_was_asked(
    app_of: Any, loose_repo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_engines()
    monkeypatch.setattr("calibstore.db.engine.can_write", lambda _path: False)
    app = app_of(loose_repo.root, "home", is_writable=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.type_line("write")
        await settle(pilot)
        assert {one.code for one in app.errors} == {"E-READONLY"}
        assert "READ-ONLY jane" in text_of(app.query_one("#top", LineStrip).shown)
        assert "IN USE NOW" in "\n".join(strip.text for strip in app.screen._compositor.render_strips())
    with pytest.raises(StoreError, match="read-only"):
        loose_repo.add_exposures(["2025-04-09T20:00:00"])
    forget_engines()
