"""The dependency graph on the screen: arrows follow the cursor, enter builds, what is at work is shown."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calibstore.services.looks.graph import GraphLook, NodeWork, graph_look
from tests.emulator.twin import twin_run
from tui.forms.place import place_of_line
from tui.paint import graph as paint
from tui.places import Place, parse_place
from tui.spans import Role, length_of, plain_text
from tui.views import following
from tui.views.graph import GraphView
from tui.widgets.line_table import LineTable
from tui.widgets.text_pane import TextPane

Settled = Callable[[Any], Awaitable[None]]


@pytest.fixture(autouse=True)
def follows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details need not wait for the cursor to rest."""
    monkeypatch.setattr(following, "FOLLOW_S", 0)


@pytest.fixture
def repo(bias_repo: Any) -> Any:
    return bias_repo()


@pytest.fixture
def look(repo: Any) -> GraphLook:
    return graph_look(repo.context, "LATISS", ticket="DM-1")


def changed(look: GraphLook, name: str, **values: Any) -> GraphLook:
    return replace(look, nodes=tuple(replace(one, **values) if one.name == name else one for one in look.nodes))


def test_arrows_lead_from_what_a_type_is_made_with_to_what_it_gives(look: GraphLook) -> None:
    lane = paint.lane(look, "darkBootstrap")
    assert (lane["biasBootstrap"], lane["darkBootstrap"], lane["flatBootstrap"]) == ("┌─ ", "├▶ ", "├▶ ")
    assert lane["defects"] == "└▶ "
    assert "bias" not in lane
    assert paint.lane(look, "biasBootstrap")["biasBootstrap"] == "┌─ "
    assert paint.lane(look, "dark")["ptc"] == "├╌ "  # better with, not needed
    assert paint.lane(look, "manual_defects") == {}


def test_every_state_is_told_in_words(look: GraphLook) -> None:
    def told(**values: Any) -> str:
        node = changed(look, "bias", **values).node("bias")
        assert node is not None
        return f"{paint.status_span(node).text}|{paint.where(node)}"

    work = NodeWork(job="20250601-0001", status="running", n_done=3, n_failed=0, n_quanta=10)
    assert told() == " · missing|can be built now"
    assert told(waits=("ptc",)) == " · missing|waits for ptc"
    assert told(state="stale", reasons=("ptc changed: was a, now b",)) == "WARN stale|ptc changed: was a, now b"
    assert told(work=work) == "▶ in work 3/10|job 20250601-0001"
    assert told(work=replace(work, status="dead")) == "FAIL runner died|job 20250601-0001 dead"
    run = "LATISS/calib/DM-1/test/biasGen.20250601a"
    made = {"run": run, "ticket": "DM-1", "n_detectors": 1, "n_wanted": 1}
    assert told(state="made", **made) == "ok made|DM-1 20250601a"
    assert told(is_to_certify=True, **made) == "WARN to certify|DM-1 20250601a"
    stale = changed(look, "bias", state="stale", reasons=("ptc changed: was a, now b",)).node("bias")
    assert stale is not None
    lines = paint.about_lines(look, stale, 60, is_whole=True)
    text = plain_text(lines)
    assert "! ptc changed: was a, now b" in text
    assert "The new scheme" in text
    assert "n_sigma=3" in text
    assert all(length_of(one) <= 60 for one in lines if not any(part.role is Role.CODE for part in one))


def test_what_to_begin_with_is_told_where_a_type_waits(look: GraphLook) -> None:
    node = look.node("linearizer")
    assert node is not None
    assert "begin with biasBootstrap" in plain_text(paint.next_lines(look, node, 100))


def test_a_line_of_the_graph_leads_to_the_screen() -> None:
    assert place_of_line("cabstand generate dark --graph --ticket DM-1") == parse_place(
        ["graph", "dark", "--ticket", "DM-1"]
    )
    assert place_of_line("cabstand generate dark DM-1") == Place("do", ("generate", "dark", "DM-1"))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
async def test_the_graph_is_walked_and_leads_to_the_form(
    app_of: Any, settled: Settled, repo: Any, size: tuple[int, int]
) -> None:
    app = app_of(Path(repo.root), "graph --ticket DM-1", is_writable=True)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        table = app.query_one("#nodes", LineTable)
        assert table.cursor_key == "biasBootstrap"  # what can be built now
        assert app.place.words == ("biasBootstrap",)
        await pilot.press("down")
        await settled(pilot)
        assert app.query_one("#node", TextPane).pane_title == "darkBootstrap"
        row = table.row_at(table.cursor_row - 1)
        assert row is not None
        assert "┌─ " in plain_text([row.cells[0]])
        await pilot.press("w", "e", "e", "w", "up", "enter")
        await settled(pilot)
        assert app.place.text == "do generate biasBootstrap DM-1"
        await pilot.press("escape")
        await settled(pilot)
        assert app.place.text == "graph biasBootstrap --ticket DM-1"


async def test_the_checklist_and_home_lead_to_the_graph(app_of: Any, settled: Settled, repo: Any) -> None:
    app = app_of(Path(repo.root), "checklist DM-1")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("b")
        await settled(pilot)
        assert (app.place.view, app.place.option("ticket")) == ("graph", "DM-1")
        await pilot.press("1")
        await settled(pilot)
        await pilot.press("b")
        await settled(pilot)
        assert app.place.view == "graph"
        await pilot.press("o")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert app.place.option("ticket") == "DM-1"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_move_in_the_graph_costs_little(
    app_of: Any, settled: Settled, repo: Any, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrows follow at once, details when the cursor rests: the details are told here by hand."""
    resting: list[Callable[[], None]] = []
    monkeypatch.setattr(GraphView, "when_resting", lambda _view, act: resting.append(act))
    app = app_of(Path(repo.root), "home")
    async with twin_run(app, size) as (pilot, twin):
        await settled(pilot)
        twin.spent()
        await pilot.press("b")
        await settled(pilot)
        opened = twin.spent()[0]
        moves, details = [], []
        for key in ("down",) * 8 + ("up",) * 3:
            await pilot.press(key)
            await settled(pilot)
            moves.append(twin.spent()[0])
            resting[-1]()
            await settled(pilot)
            details.append(twin.spent()[0])
        assert len(resting) == len(moves)
        twin.check()
        await pilot.press("1")
        await settled(pilot)
        left = twin.spent()[0]
    assert max(opened, left) <= 12_000
    assert max(moves) <= 600, moves
    assert 0 < max(details) <= 1000, details


async def test_the_cursor_stays_in_view_when_the_details_take_the_room(
    app_of: Any, settled: Settled, repo: Any
) -> None:
    app = app_of(Path(repo.root), "graph flat --ticket DM-1")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("e")
        await settled(pilot)
        table = app.query_one("#nodes", LineTable)
        assert table.cursor_key == "flat"
        assert table.top_row <= table.cursor_row < table.top_row + table.page_rows


@pytest.mark.parametrize(
    ("name", "verb"), [("photodiode", "ingest-photodiode"), ("illuminationCorrection", "ingest-files")]
)
async def test_enter_on_what_is_brought_in_opens_what_brings_it(
    app_of: Any, settled: Settled, repo: Any, name: str, verb: str
) -> None:
    app = app_of(Path(repo.root), f"graph {name} --ticket DM-1")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        asked: list[str] = []
        app.view.fill_in = lambda wanted, _given, **_more: asked.append(wanted)
        await pilot.press("enter")
        assert asked == [verb]
        assert verb in app.view._node.next
