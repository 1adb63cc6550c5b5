"""The history of states by keys: what can be undone, an earlier list, the timeline then."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.store import CollectionChain
from tui.spans import plain_text
from tui.views import following

TOP = "LATISS/calib"
A, B = f"{TOP}/DM-1", f"{TOP}/DM-2"


@pytest.fixture(autouse=True)
def follows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FOLLOW_S", 0.0)


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    loose_repo.live("DM-1", "2024-01-01T00:00:00")
    loose_repo.live("DM-2", "2024-03-01T00:00:00", rerun="20240301a")
    loose_repo.do(CollectionChain(parent=TOP, children=(A,), mode="prepend"))
    loose_repo.do(CollectionChain(parent=TOP, children=(B,), mode="remove"))
    return loose_repo


def names(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(TOP))]


def body(app: Any) -> str:
    return plain_text(app.view.body_lines())


async def test_a_state_is_undone_by_its_form(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "states", is_writable=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "u takes it back in a new state" in body(app)
        await pilot.press("u")
        await settled(pilot)
        assert app.place.text.startswith("do undo")
        await pilot.press("ctrl+r")
        await settled(pilot)
        await pilot.press("right", "enter")
        await settled(pilot)
        assert names(repo) == [A, B]


async def test_a_chain_gets_an_earlier_list_again(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, f"states --of {TOP}", is_writable=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("R")
        await settled(pilot)
        assert app.place.view == "states"
        assert "has that list now" in app._status
        await pilot.press("j", "j")
        await settled(pilot)
        shown = body(app)
        assert "R restores it" in shown
        assert "+   1  DM-2" in shown
        await pilot.press("R")
        await settled(pilot)
        assert app.place.text.startswith(f"do restore {TOP}")


async def test_the_timeline_as_it_was(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, f"states --of {TOP}")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        now = body(app)
        await pilot.press("q", "j", "j")
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        assert "DM-2" in body(app)
        assert "DM-2" not in now


async def test_a_form_is_of_the_row_under_the_cursor_before_its_details_have_come(
    repo: Any, app_of: Callable[..., Any], settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(repo.root, f"states --of {TOP}")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        monkeypatch.setattr(following, "FOLLOW_S", 60.0)
        await pilot.press("j")
        wanted = app.view.thing()
        await pilot.press("R")
        await settled(pilot)
        assert app.place.text == f"do restore {TOP} --to-state {wanted}"


async def test_states_of_nothing_show_nothing_of_others(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "states")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.type_line("states --of nothing")
        await settled(pilot)
        assert [one.code for one in app.errors] == ["E-COLLECTION"]
        await pilot.press("u", "R", "t")
        await settled(pilot)
        assert "undo" not in body(app)
