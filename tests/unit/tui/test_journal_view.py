"""The Journal screen by keys."""

from collections.abc import Callable
from typing import Any

import pytest

from tui.views import following


@pytest.fixture(autouse=True)
def follows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FOLLOW_S", 0.0)


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    loose_repo.live("DM-1", "2024-01-01T00:00:00")
    for number in range(4):
        loose_repo.write(lambda _uow, _state: None, verb=f"verb-{number}")
    return loose_repo


def seen(widget: Any) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


async def test_the_newest_is_first_and_the_entry_follows(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "journal")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        table, pane = app.query_one("#entries"), app.query_one("#entry")
        assert "verb-3" in seen(table)[2]
        await pilot.press("G")
        await settled(pilot)
        assert table.cursor_key == "1"
        assert app.view.thing().startswith("cabstand init")
        assert app.view.native()[0].startswith("butler create")
        assert any("1 init" in row for row in seen(pane))
        await pilot.press("v")
        await settled(pilot)
        assert "none altered" in app._status
        await pilot.press("enter")
        await settled(pilot)
        assert pane.has_focus
        await pilot.press("q")
        await settled(pilot)
        assert table.cursor_key == "1"


async def test_words_and_ticket_narrow(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "journal")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        table = app.query_one("#entries")
        app.view.filtered("certify")
        await settled(pilot)
        assert table.row_total() == 1
        await pilot.press("o")
        await settled(pilot)
        assert app.view.crumb() == "only DM-1"
        app.view.filtered("no such word")
        await settled(pilot)
        assert any("no entry holds" in row for row in seen(table))
        await pilot.press("o")
        app.view.filtered("")
        await settled(pilot)
        assert table.row_total() > 4


async def test_a_deep_link_puts_the_cursor_on_an_entry(repo: Any, app_of: Callable[..., Any], settled: Any) -> None:
    app = app_of(repo.root, "journal 2")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.query_one("#entries").cursor_key == "2"
        await pilot.resize_terminal(40, 12)
        await pilot.resize_terminal(0, 0)
        await pilot.press("j", "enter", "o")
        await settled(pilot)
        assert not app.errors
