"""The chain editor by keys."""

from collections.abc import Callable
from typing import Any

import pytest

from calibstore.commands.store import CollectionChain
from tui.spans import Role, text_of
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
    loose_repo.add_exposures(["2024-02-01T00:00:00", "2024-04-01T00:00:00"])
    return loose_repo


def seen(widget: Any) -> str:
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))


def names(repo: Any) -> list[str]:
    with repo.context.unit_of_work() as uow:
        return [one.name for one in uow.collections.children(uow.collections.get(TOP))]


async def test_a_move_is_drafted_shown_and_applied(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "chains", is_writable=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.query_one("#draft").has_focus
        await pilot.press("J")
        await settled(pilot)
        assert "~   1 DM-1" in seen(app.query_one("#draft"))
        assert "1 past" in seen(app.query_one("#effect"))
        assert names(repo) == [B, A]
        await pilot.press("t")
        await settled(pilot)
        assert any("THEN draft" in text_of(one) for one in app.view.body_lines())
        await pilot.press("q")
        await settled(pilot)
        await pilot.press("A")
        await settled(pilot)
        await pilot.press("ctrl+r")
        await settled(pilot)
        await pilot.press("right", "enter")
        await settled(pilot)
        assert names(repo) == [A, B]
        await pilot.press("q")
        await settled(pilot)
        assert "no draft" in seen(app.query_one("#effect"))
        assert app.drafts.load(f"chain/{TOP}") is None


async def test_a_draft_comes_back_and_meets_the_change_of_another(
    repo: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(repo.root, "chains")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("x")
        await settled(pilot)
        assert "-   . DM-2" in seen(app.query_one("#draft"))
    repo.do(CollectionChain(parent=TOP, children=(f"{B}/t/bias.20240301a",), mode="extend"))
    app = app_of(repo.root, "chains")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert "changed since this draft was begun" in seen(app.query_one("#effect"))
        await pilot.press("A")
        await settled(pilot)
        assert app.place.view == "chains"
        await pilot.press("b")
        await settled(pilot)
        draft = seen(app.query_one("#draft"))
        assert "-   . DM-2" in draft
        assert "DM-2/t/bias.20240301a" in draft
        await pilot.press("u")
        await settled(pilot)
        assert "changed since this draft was begun" in seen(app.query_one("#effect")), "the step before is of then"
        await pilot.press("Z")
        await settled(pilot)
        assert "no draft" in seen(app.query_one("#effect"))


async def test_a_member_is_put_in_by_a_part_of_its_name(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    repo.add_chain(f"{TOP}/DM-9", [])
    app = app_of(repo.root, "chains")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("a")
        await settled(pilot)
        await pilot.press("m", "minus", "9", "enter")
        await settled(pilot)
        assert "+   1 DM-9" in seen(app.query_one("#draft"))
        await pilot.press("u")
        await settled(pilot)
        assert "DM-9" not in seen(app.query_one("#draft"))
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert "DM-9" in seen(app.query_one("#draft"))


async def test_a_chain_that_is_not_there_shows_nothing_of_another(
    repo: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(repo.root, "chains")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.type_line(f"chains {TOP}s")
        await settled(pilot)
        assert [one.code for one in app.errors] == ["E-NOPARENT"]
        assert "DM-1" not in seen(app.query_one("#draft"))
        assert f"there is no chain {TOP}s" in seen(app.query_one("#effect"))
        await pilot.press("J", "x", "A", "u", "escape", "o")
        await settled(pilot)
        assert app.drafts.load(f"chain/{TOP}s") is None
        await pilot.press("enter")
        await settled(pilot)
        assert "DM-1" in seen(app.query_one("#draft"))


async def test_keys_typed_ahead_move_one_member_through_the_list(
    repo: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    for name in ("DM-3", "DM-4"):
        repo.add_chain(f"{TOP}/{name}", [])
    repo.do(CollectionChain(parent=TOP, children=(f"{TOP}/DM-3", f"{TOP}/DM-4"), mode="extend"))
    app = app_of(repo.root, "chains")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.view.action_move(1)
        app.view.action_move(1)
        app.view.action_move(1)
        await settled(pilot)
        assert app.drafts.load(f"chain/{TOP}").content["draft"] == [A, f"{TOP}/DM-3", f"{TOP}/DM-4", B]
        assert app.view.thing() == B


async def test_read_only_strikes_apply_out_and_the_form_says_so(
    repo: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(repo.root, "chains")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("J")
        await settled(pilot)
        keys = app.query_one("#keys").shown
        assert [one.text for one in keys if one.role is Role.OFF] == ["A apply.."]
        await pilot.press("A")
        await settled(pilot)
        assert app.place.text.startswith("do collection-chain")
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert names(repo) == [B, A]
        app.action_allow_writing()
        app.back()
        await settled(pilot)
        assert [one.text for one in app.query_one("#keys").shown if one.role is Role.OFF] == []
