"""The Collections screen by keys."""

from collections.abc import Callable
from typing import Any

import pytest

from tui.places import parse_place
from tui.spans import text_of
from tui.views import following

BASE = "LATISS/calib/DM-1/t"


@pytest.fixture(autouse=True)
def follows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FOLLOW_S", 0.0)


@pytest.fixture
def repo(loose_repo: Any) -> Any:
    exposures = loose_repo.add_exposures(["2024-01-01T20:00:00"])
    loose_repo.add_raw(exposures[0])
    loose_repo.live("DM-1", "2024-01-01T00:00:00")
    return loose_repo


def seen(widget: Any) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


async def test_the_tree_is_in_search_order_and_the_details_follow(
    repo: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(repo.root, "collections")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        tree, pane = app.query_one("#list"), app.query_one("#detail")
        rows = seen(tree)
        assert rows[2].split() == [">", "▾", "LATISS/calib", "CHAINED", "1", "2025-06-01"]
        assert rows[4].split()[:3] == ["t/bias.20240101a", "CALIBRATION", "1"]
        await pilot.press("j", "j")
        await settled(pilot)
        assert app.view.thing() == f"{BASE}/bias.20240101a"
        assert any("valid [2024-01-01T00:00:00, ∞)" in row for row in seen(pane))
        assert "query-collections" in app.view.native()[0]
        await pilot.press("enter")
        await settled(pilot)
        assert pane.has_focus
        assert not tree.region
        await pilot.press("q")
        await settled(pilot)
        assert tree.has_focus
        assert app.view.thing() == f"{BASE}/bias.20240101a"


async def test_type_filter_and_words_narrow_and_flat_keeps_the_cursor(
    repo: Any, app_of: Callable[..., Any], settled: Any
) -> None:
    app = app_of(repo.root, "collections")
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        tree = app.query_one("#list")
        await pilot.press(".", ".")
        assert app.view.thing() == f"{BASE}/bias.20240101a"
        await pilot.press("T")
        assert tree.row_total() == 1
        await pilot.press("T")
        assert app.view.thing() == f"{BASE}/bias.20240101a"
        await pilot.press(".", ".", ".")
        app.view.filtered("gen")
        assert app.view.thing() == f"{BASE}/biasGen.20240101a"
        app.view.filtered("nothing-like-it")
        assert any("no collection matches" in row for row in seen(tree))
        app.view.filtered("")
        await settled(pilot)
        assert tree.row_total() == 6
        await pilot.press("g", "space")
        app.view.filtered("bias")
        assert tree.row_total() > 3
        app.view.filtered("")
        assert tree.row_total() == 4, "the filter leaves the tree as it was"


async def test_one_key_leads_to_forms_and_other_screens(
    repo: Any, app_of: Callable[..., Any], settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(repo.root, f"collections {BASE}/biasGen.20240101a")
    went: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        monkeypatch.setattr(app, "go", lambda place: went.append(place.text))
        monkeypatch.setattr(app, "fill_in", lambda verb, given, reason="": went.append(f"{verb} {dict(given)}"))
        assert app.view.thing() == f"{BASE}/biasGen.20240101a"
        await pilot.press("m", "d", "t", "c")
        await settled(pilot)
    assert went[0].startswith("metrics DM-1 --type bias")
    assert went[1] == f"data bias --run {BASE}/biasGen.20240101a"
    assert went[2] == "timeline bias"
    assert went[3].startswith("certify-calibrations")
    assert f"{BASE}/bias.20240101a" in went[3]


@pytest.mark.parametrize("size", [(40, 12), (0, 0), (300, 100)])
async def test_odd_sizes_do_no_harm(repo: Any, app_of: Callable[..., Any], settled: Any, size: tuple[int, int]) -> None:
    app = app_of(repo.root, "collections")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.resize_terminal(*size)
        await pilot.press("j", "G", "space", "enter", "T", ".")
        await settled(pilot)
        assert not app.errors


async def test_a_collection_leads_to_its_chain_its_states_and_the_forms_that_undo_and_remove(
    repo: Any, app_of: Callable[..., Any], settled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_of(repo.root, f"collections {BASE}/bias.20240101a")
    went: list[str] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "metrics" in text_of(app.query_one("#keys").shown)
        monkeypatch.setattr(app, "go", lambda place: went.append(place.text))
        monkeypatch.setattr(app, "fill_in", lambda verb, given, reason="": went.append(f"{verb} {dict(given)}"))
        await pilot.press("e", "s", "u", "X")
        await settled(pilot)
        app.view.open(parse_place(["collections", f"{BASE}/biasGen.20240101a"]))
        await settled(pilot)
        assert any("protected 1 link from" in row for row in seen(app.query_one("#detail")))
        await pilot.press("X")
        await settled(pilot)
    assert went[0].startswith("chains LATISS/calib/DM-1")
    assert went[1] == f"states --of {BASE}/bias.20240101a"
    assert went[2].startswith("undo {'state': ")
    assert went[3] == f"remove-collections {{'glob': '{BASE}/bias.20240101a'}}"
    assert went[4] == f"remove-runs {{'glob': '{BASE}/biasGen.20240101a'}}"
