"""Tables and trees: what a cursor key and an unfolding cost, however many rows there are."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult

from tui.widgets.line_table import Column, Deliver, LineTable, Row
from tui.widgets.line_tree import LineTree, Node

SLACK = 0.65
"""Shared runners: a goal counts as held at this share of the speed."""
COLUMNS = (Column(name="NAME"), Column(name="N", width=8, align=">"))


class Shows(App[None]):
    """One widget."""

    def __init__(self, widget: Any) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


def _best_ms(act: Callable[[], object], times: int = 5) -> float:
    best = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        act()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def _members(key: str) -> tuple[Node, ...]:
    return tuple(Node(f"{key}>{number}", (f"member {number}", "1")) for number in range(100))


@pytest.mark.bench
async def test_unfolding_four_thousand_nodes() -> None:
    tree = LineTree(COLUMNS)
    nodes = [
        Node(
            f"c{chain}", (f"chain {chain}", ""), tuple(Node(f"c{chain}>{n}", (f"member {n}", "1")) for n in range(100))
        )
        for chain in range(40)
    ]
    async with Shows(tree).run_test(size=(120, 40)):
        took_ms = _best_ms(lambda: tree.show_nodes(nodes, unfolded=[node.key for node in nodes]))
        assert tree.row_total() == 4_040
    print(f"\n4,040 nodes unfolded: {took_ms:.1f} ms")
    assert took_ms <= 100 / SLACK


@pytest.mark.bench
async def test_a_page_of_a_hundred_thousand_rows() -> None:
    def fetch(offset: int, limit: int, deliver: Deliver) -> None:
        deliver([Row(str(row), (f"row {row}", str(row))) for row in range(offset, offset + limit)])

    table = LineTable(COLUMNS)
    async with Shows(table).run_test(size=(120, 40)):
        opened_ms = _best_ms(lambda: table.show_source(100_000, fetch))
        table.move_to(50_000)
        drawn_ms = _best_ms(lambda: [table.render_line(y) for y in range(table.size.height)])
        moved_ms = _best_ms(lambda: (table.move_rows(1), table.render_line(3), table.render_line(4)))
    print(f"\nopen {opened_ms:.1f} ms, page {drawn_ms:.1f} ms, cursor {moved_ms:.2f} ms")
    assert opened_ms <= 50 / SLACK
    assert drawn_ms <= 40 / SLACK
    assert moved_ms <= 20 / SLACK
