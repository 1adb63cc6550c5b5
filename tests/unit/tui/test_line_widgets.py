"""The own tables and trees: which rows are read, which are drawn again, what is seen without colours."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region

from tui.spans import Line, Role, Span, line
from tui.widgets.line_list import LineList
from tui.widgets.line_table import KEPT_WINDOWS, WINDOW_ROWS, Column, Deliver, LineTable, Row
from tui.widgets.line_tree import LineTree, Node
from tui.widgets.text_pane import TextPane

COLUMNS = (Column(name="name"), Column(name="n", width=8, align=">"))


class Shows(App[None]):
    """One widget, and what it said."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, widget: Any) -> None:
        super().__init__()
        self.widget = widget
        self.heard: list[LineList.RowHighlighted] = []

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        self.widget.focus()

    def on_line_list_row_highlighted(self, message: LineList.RowHighlighted) -> None:
        self.heard.append(message)

    def on_line_list_row_selected(self, message: LineList.RowSelected) -> None:
        self.heard.append(message)


class Counting:
    """A source of any length that counts what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.held: list[tuple[int, int, Deliver]] = []

    def fetch(self, offset: int, limit: int, deliver: Deliver) -> None:
        self.asked.append((offset, limit))
        self.held.append((offset, limit, deliver))

    def answer(self) -> None:
        held, self.held = self.held, []
        for offset, limit, deliver in held:
            deliver([Row(f"k{index}", (f"row {index}", str(index))) for index in range(offset, offset + limit)])


def seen(widget: Any) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


@pytest.fixture
def redrawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Region, ...]]]:
    """Which regions a widget asks to be drawn again; empty tuple: all of it."""
    calls: list[tuple[Region, ...]] = []
    real = LineTable.refresh

    def refresh(self: Any, *regions: Region, **options: Any) -> Any:
        calls.append(regions)
        return real(self, *regions, **options)

    monkeypatch.setattr(LineTable, "refresh", refresh)
    return calls


async def test_a_hundred_thousand_rows_read_only_what_is_near() -> None:
    source, table = Counting(), LineTable(COLUMNS, title="ROWS")
    app = Shows(table)
    async with app.run_test(size=(40, 12)) as pilot:
        table.show_source(100_000, source.fetch)
        await pilot.pause()
        assert source.asked == [(0, WINDOW_ROWS)]
        assert seen(table)[2] == "> ···"
        source.answer()
        assert seen(table)[0].startswith("━━ ROWS ─")
        assert "1-10 of 100000" in seen(table)[0]
        assert seen(table)[2].split() == [">", "row", "0", "0"]
        await pilot.press("G")
        assert source.asked[1:] == [(99_800, 200)]
        assert table.cursor_row == 99_999
        assert table.cursor_key == ""
        source.answer()
        assert table.cursor_key == "k99999"
        assert seen(table)[-1].split() == [">", "row", "99999", "99999"]
        for page in range(30):
            table.move_to(page * WINDOW_ROWS + 50)
            source.answer()
        assert len(table._windows) <= KEPT_WINDOWS
        assert len(source.asked) <= 34
    assert next(one.key for one in app.heard if one.key) == "k0"


async def test_an_answer_to_what_was_shown_before_is_dropped() -> None:
    source, table = Counting(), LineTable(COLUMNS)
    async with Shows(table).run_test(size=(40, 12)) as pilot:
        table.show_source(500, source.fetch)
        await pilot.pause()
        table.show_rows([Row("a", ("new", "1"))])
        source.answer()
        assert table.cursor_key == "a"
        assert table.row_total() == 1


async def test_a_move_of_the_cursor_draws_two_rows(redrawn: list[tuple[Region, ...]]) -> None:
    table = LineTable(COLUMNS, title="T")
    app = Shows(table)
    async with app.run_test(size=(40, 12)) as pilot:
        table.show_rows([Row(f"k{n}", (f"row {n}", str(n))) for n in range(50)])
        await pilot.pause()
        redrawn.clear()
        await pilot.press("j")
        regions = [one for call in redrawn for one in call]
        assert all(redrawn), "nothing is drawn as a whole"
        assert sorted(one.y for one in regions) == [2, 3]
        assert [one.height for one in regions] == [1, 1]
        await pilot.press("pagedown")
        assert (table.top_row, table.cursor_row) == (10, 11)
        await pilot.press("ctrl+u", "G", "home")
        assert (table.top_row, table.cursor_row) == (0, 0)
        await pilot.press("enter")
    assert isinstance(app.heard[-1], LineList.RowSelected)
    assert app.heard[-1].key == "k0"


async def test_marks_and_cursor_are_seen_without_colours() -> None:
    table = LineTable(COLUMNS, can_mark=True)
    async with Shows(table).run_test(size=(30, 5)) as pilot:
        table.show_rows([Row(f"k{n}", (line("row ", Span(str(n), Role.OK)), str(n))) for n in range(4)])
        await pilot.press("space", "space")
        assert table.marks == {"k0", "k1"}
        assert [one[:7] for one in seen(table)[1:4]] == [" *row 0", " *row 1", "> row 2"]
        # a second look at the same things keeps cursor and marks by key
        table.show_rows([Row(f"k{n}", (f"row {n}", str(n))) for n in range(3, -1, -1)])
        assert (table.cursor_key, table.cursor_row) == ("k2", 1)


async def test_an_empty_table_says_what_to_do() -> None:
    table = LineTable(COLUMNS, empty=[line("no certification yet: 7 opens the checklist")])
    app = Shows(table)
    async with app.run_test(size=(60, 5)) as pilot:
        table.show_rows([])
        await pilot.press("j", "G", "enter", "pagedown")
        assert seen(table)[1] == "no certification yet: 7 opens the checklist"
        await pilot.resize_terminal(0, 0)
        await pilot.resize_terminal(3, 1)
        await pilot.press("j")


def forest(chains: int, members: int) -> list[Node]:
    return [
        Node(f"c{chain}", (f"chain {chain}", ""), tuple(Node(f"c{chain}>m{n}", (f"m{n}", "1")) for n in range(members)))
        for chain in range(chains)
    ]


async def test_folding_keeps_cursor_and_what_was_unfolded() -> None:
    tree = LineTree(COLUMNS, title="TREE")
    async with Shows(tree).run_test(size=(40, 12)) as pilot:
        tree.show_nodes(forest(3, 4))
        assert tree.row_total() == 3
        await pilot.press("j", "space", "l", "j")
        assert tree.cursor_key == "c1>m1"
        assert [one.rstrip("1 ") for one in seen(tree)[2:6]] == ["  ▸ chain 0", "  ▾ chain", "      m0", ">     m"]
        tree.show_nodes(forest(3, 4))
        assert tree.cursor_key == "c1>m1"
        assert tree.unfolded == {"c1"}
        await pilot.press("h")
        assert tree.cursor_key == "c1"
        await pilot.press("h")
        assert tree.row_total() == 3


async def test_children_are_read_when_unfolded_and_once() -> None:
    asked: list[str] = []
    answers: list[Any] = []

    def load(key: str, deliver: Any) -> None:
        asked.append(key)
        answers.append(deliver)

    tree = LineTree(COLUMNS, load=load)
    async with Shows(tree).run_test(size=(40, 12)) as pilot:
        tree.show_nodes([Node("a", ("a", ""), None), Node("b", ("b", ""), None)])
        await pilot.pause()
        assert asked == []
        await pilot.press("space")
        assert seen(tree)[1] == "> … a"
        answers[0]([Node("a>x", ("x", ""))])
        assert [one.strip() for one in seen(tree)[1:4]] == ["> ▾ a", "x", "▸ b"]
        await pilot.press("space", "space")
        assert asked == ["a"]


async def test_four_thousand_nodes_unfold_at_once() -> None:
    tree = LineTree(COLUMNS)
    async with Shows(tree).run_test(size=(40, 12)):
        nodes = forest(40, 100)
        tree.show_nodes(nodes, unfolded=[node.key for node in nodes])
        assert tree.row_total() == 4_040


def long_lines(n: int) -> Sequence[Line]:
    return [line(f"line {number} " + "x" * 50) for number in range(n)]


async def test_text_scrolls_both_ways_and_shows_where_it_is() -> None:
    pane = TextPane(long_lines(30), title="DETAIL")
    async with Shows(pane).run_test(size=(40, 11)) as pilot:
        assert seen(pane)[0] == "━━ DETAIL ──────────────── 1-10 of 30 ──"
        await pilot.press("G", "l")
        assert "21-30 of 30" in seen(pane)[0]
        assert seen(pane)[-1].startswith("xxx")
        pane.show(long_lines(30), keep_place=True)
        assert pane.top_row == 20
        pane.show(long_lines(3))
        assert pane.top_row == 0
        assert "of" not in seen(pane)[0]
