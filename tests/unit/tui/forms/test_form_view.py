"""Forms driven by keys on a real repository: draft, checks, effect, question, result."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widgets import Input

from calibstore.commands.campaigns import CampaignList
from tui.app import CabstandApp
from tui.dialogs.confirm import ConfirmDialog
from tui.forms import live_effect
from tui.forms.field_list import FieldList
from tui.forms.view import FormView
from tui.places import Place
from tui.spans import plain_text
from tui.widgets.buttons import ButtonRow
from tui.widgets.line_table import LineTable
from tui.widgets.text_pane import TextPane

RUN = "LATISS/calib/DM-1/test/biasGen.20250601a"
INTO = "LATISS/calib/DM-1/test/bias.20250601a"
NEW = "do campaign new LATISS DM-2 warmUp"


class Screen:
    """The form of an application under test."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        self.pilot = pilot

    @property
    def app(self) -> CabstandApp:
        assert isinstance(self.pilot.app, CabstandApp)
        return self.pilot.app

    @property
    def form(self) -> FormView:
        view = self.app.view
        assert isinstance(view, FormView)
        return view

    @property
    def pane(self) -> TextPane:
        return self.form.query_one("#effect", TextPane)

    @property
    def effect(self) -> str:
        return self.pane.pane_title + "\n" + plain_text(self.pane.shown)

    @property
    def fields(self) -> FieldList:
        return self.form.query_one(FieldList)

    @property
    def rows(self) -> str:
        return plain_text([self.fields.row_line(n, self.fields.size.width) for n in range(self.fields.row_total())])

    async def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(400):
            if is_so():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it never came to this; now: {self.effect}")

    async def ready(self, title: str = "EFFECT: nothing is written yet") -> None:
        await self.until(lambda: isinstance(self.app.view, FormView) and self.form.is_mounted)
        await self.until(lambda: self.form.display and self.pane.pane_title.startswith(title))

    async def keys(self, *keys: str) -> None:
        """Press keys as fast as a line brings them: nobody waits between two of them."""
        for key in keys:
            if len(key) > 1 and key not in FORM_KEYS:
                for character in key:
                    self.app.post_message(events.Key(_character_to_key(character), character))
            else:
                character = key if len(key) == 1 else None
                self.app.post_message(events.Key(key, character))
        await self.pilot.pause()


FORM_KEYS = frozenset("tab shift+tab enter up down left right home end backspace pagedown".split())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_effect, "QUIET_S", 0.01)


def place_of(text: str) -> Place:
    return Place("do", tuple(shlex.split(text)[1:]))


async def test_a_form_is_filled_in_by_keys_and_run(app_of: Any, strict_repo: Any, tmp_path: Path) -> None:
    app = app_of(strict_repo.root, is_writable=True)
    app.place = place_of("do campaign new LATISS")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready("EFFECT: not yet")
        assert "Still needed: ticket, tag" in screen.effect
        assert screen.fields.here is not None
        assert screen.fields.here.name == "ticket"
        await screen.keys("DM-2", "enter", "warmUpp", "backspace", "tab")
        await screen.ready()
        assert "warmUp" in screen.effect
        assert "To take it back" not in screen.effect or "cabstand" in screen.effect
        draft = app.drafts.load("form/campaign new/LATISS")
        assert draft is not None
        assert draft.content["fields"] == {"ticket": "DM-2", "tag": "warmUp"}
        await pilot.press("ctrl+r")  # it does not ask: it is done at once
        await screen.ready("DONE")
        assert "state" in screen.pane.pane_title
        assert app.drafts.load("form/campaign new/LATISS") is None
        assert [one["ticket"] for one in strict_repo.ask(CampaignList()).data] == ["DM-2"]
        table = screen.form.query_one("#next", LineTable)
        assert table.display
        assert table.cursor_key.startswith("cabstand campaign inputs DM-2")
        await pilot.press("enter")
        await screen.until(lambda: app.place.words[:2] == ("campaign", "inputs"))
        assert place_of("do campaign new LATISS") not in app.history  # what is done is not gone back to


async def test_keys_typed_ahead_are_taken_in_their_order(app_of: Any, strict_repo: Any) -> None:
    app = app_of(strict_repo.root)
    app.place = place_of("do campaign inputs DM-2 bias --where x")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready("EFFECT: refused")
        await screen.keys("down", "down", "down", " ", "tab", "1=a", "enter", "2=bb", "backspace", "home", "x")
        model = screen.form._form
        assert model is not None
        assert (model.values["purpose"], model.values["exclude"]) == ("verify", ("1=a", "x2=b"))
        await screen.keys("end", "backspace", "backspace", "backspace", "backspace", "backspace")
        assert model.values["exclude"] == ("1=a",)


async def test_a_draft_is_found_again_and_thrown_away(app_of: Any, strict_repo: Any, tmp_path: Path) -> None:
    app = app_of(strict_repo.root)
    app.place = place_of(NEW)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        await screen.keys("down", "down", "down", "down", "After", " ", "warm-up", "tab", "c")
        app.leave(0)
    again = app_of(strict_repo.root)  # and where it was left
    async with again.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        assert again.place == place_of(NEW)
        model = screen.form._form
        assert model is not None
        assert model.changes() == {"title": "After warm-up", "why": "camera_change"}
        assert screen.fields.here is not None
        assert screen.fields.here.name == "why"
        assert "draft of 2037-" in screen.fields.pane_title
        assert "~title" in screen.rows
        await pilot.press("ctrl+x")
        assert model.changes() == {}
        again.leave(0)
    assert not list((tmp_path / "state").rglob("form_*.json"))


async def test_read_only_refuses_with_the_way_on(app_of: Any, strict_repo: Any) -> None:
    app = app_of(strict_repo.root)
    app.place = place_of(NEW)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        await pilot.press("ctrl+r")
        await screen.ready("READ-ONLY")
        assert "cabstand ui --write" in screen.effect
        assert "cabstand campaign new LATISS DM-2 warmUp" in screen.effect
        assert strict_repo.ask(CampaignList()).data == []
        app.action_allow_writing()
        await pilot.press("ctrl+r")
        await screen.ready("DONE")


async def test_what_asks_stands_on_cancel_and_enter_does_nothing(app_of: Any, loose_repo: Any) -> None:
    loose_repo.add_run(RUN, [0])
    app = app_of(loose_repo.root, is_writable=True)
    app.place = place_of(f"do certify-calibrations {RUN} {INTO} bias --begin-date 20250408")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        for answer in (("enter",), ("escape",)):
            await pilot.press("ctrl+r")
            assert isinstance(app.screen, ConfirmDialog)
            assert app.screen.query_one(ButtonRow).has_focus
            await pilot.press(*answer)
            assert not isinstance(app.screen, ConfirmDialog)
            assert "not done" in app._status
        assert "bias.20250601a" not in str(loose_repo.ask(_collections()).data)
        await pilot.press("ctrl+r", "right", "enter")
        await screen.ready("DONE")
        assert "bias.20250601a" in str(loose_repo.ask(_collections()).data)


async def test_what_must_be_typed_must_be_typed_exactly(app_of: Any, strict_repo: Any) -> None:
    strict_repo.add_exposures(["2025-04-08T20:00:00"])
    strict_repo.add_run(RUN, [0])
    app = app_of(strict_repo.root, is_writable=True)
    app.place = place_of(f"do certify-calibrations {RUN} {INTO} bias --unbounded-begin")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        assert "asks you to type DM-1" in screen.effect
        await pilot.press("ctrl+r")
        assert isinstance(app.screen, ConfirmDialog)
        assert app.screen.query_one(Input).has_focus
        await pilot.press("enter", "right", "enter")  # nothing typed: Do it goes back to the field
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("D", "M", "enter", "right", "enter")
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("minus", "1", "enter", "right", "enter")
        await screen.ready("DONE")
        assert "bias.20250601a" in str(strict_repo.ask(_collections()).data)


async def test_a_refusal_in_the_doing_is_shown_and_nothing_typed_is_lost(
    app_of: Any, strict_repo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(strict_repo.root, is_writable=True)
    app.place = place_of("do campaign new LATISS")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready("EFFECT: not yet")
        await screen.keys("DM-3", "tab", "warmUp")
        await screen.ready()
        monkeypatch.setattr(app.link, "is_read_only", False)
        strict_repo.do(_campaign("DM-3"))  # somebody else was faster
        await pilot.press("ctrl+r")
        await screen.ready("NOT DONE")
        assert "DM-3" in screen.effect
        assert len(app.errors) == 1
        assert app.drafts.load("form/campaign new/LATISS") is not None
        model = screen.form._form
        assert model is not None
        assert model.values["ticket"] == "DM-3"


async def test_a_question_is_answered_in_the_form(app_of: Any, strict_repo: Any) -> None:
    app = app_of(strict_repo.root)
    app.place = place_of("do query-collections")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = Screen(pilot)
        await screen.ready("ANSWER")
        await pilot.press("ctrl+r")
        await screen.until(lambda: "LATISS/raw/all" in screen.effect or "no collection" in screen.effect)


async def test_every_field_that_is_wrong_says_so_at_once(app_of: Any, strict_repo: Any) -> None:
    app = app_of(strict_repo.root, is_writable=True)
    app.place = place_of("do verify bais --processes three")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Screen(pilot)
        await screen.ready("EFFECT: not yet")
        assert "Still needed: ticket" in screen.effect
        assert "did you mean bias?" in screen.effect
        assert "processes: 'three' is not a whole number" in screen.effect
        await pilot.press("ctrl+r")  # goes to the first of them
        assert screen.fields.here is not None
        assert screen.fields.here.name == "calib_type"
        assert "One of: bias" in screen.form.help_text


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (20, 4)])
async def test_fields_take_at_most_half_and_the_effect_scrolls_from_a_field(
    app_of: Any, strict_repo: Any, size: tuple[int, int]
) -> None:
    app = app_of(strict_repo.root)
    app.place = place_of(NEW)
    async with app.run_test(size=size) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        body = screen.form.size.height
        if body >= 8:
            assert screen.fields.size.height + screen.form.query_one("#note").size.height <= body // 2
            assert screen.form.query_one(ButtonRow).size.height == 1
        assert screen.fields.has_focus
        await pilot.press("pagedown")
        assert screen.pane.top_row > 0 or screen.pane.row_total() <= screen.pane.page_rows


def _collections() -> Any:
    from calibstore.commands.store import QueryCollections

    return QueryCollections(chains="table")


def _campaign(ticket: str) -> Any:
    from calibstore.commands.campaigns import CampaignNew

    return CampaignNew(instrument="LATISS", ticket=ticket, tag="other")


async def test_a_draft_does_not_silently_stand_over_what_is_proposed_now(app_of: Any, strict_repo: Any) -> None:
    app = app_of(strict_repo.root, is_writable=True)
    app.place = place_of(f"{NEW} --title first")
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        await screen.keys("down", "down", "down", "down", " typed")
        await screen.ready()
        assert "W-DRAFT" not in screen.effect
        app.go(place_of(f"{NEW} --title second"))
        await screen.until(lambda: app.place.words[-1] == "second")
        await screen.until(lambda: "W-DRAFT" in screen.effect)
        assert "title is first typed, from the draft of 2037-" in screen.effect
        assert "something else is proposed: second" in " ".join(screen.effect.split())
        await pilot.press("ctrl+r")  # what would be done at once is asked about
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("escape", "ctrl+x")
        await screen.ready()
        assert "W-DRAFT" not in screen.effect
        await pilot.press("ctrl+r")
        await screen.ready("DONE")


async def test_a_new_range_is_shown_in_the_place_it_would_get(app_of: Any, loose_repo: Any) -> None:
    loose_repo.live("DM-1", "2025-01-01T00:00:00")
    base = "LATISS/calib/DM-2/test"
    loose_repo.add_run(f"{base}/biasGen.20250601a", [0])
    app = app_of(loose_repo.root)
    line = f"do certify-calibrations {base}/biasGen.20250601a {base}/bias.20250601a bias --begin-date 2025-03-01"
    app.place = place_of(line)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Screen(pilot)
        await screen.ready()
        await screen.until(lambda: "WINS then" in screen.effect)
        assert "IN LATISS/calib" in screen.effect
        assert "N proposed" in screen.effect
        assert "SHADOWS row 1 LATISS/calib/DM-1/t/bias.20240101a [2025-01-01, inf)" in screen.effect
