"""A tree drawn as a table of the rows that are unfolded; children may be read when first unfolded."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from textual.message import Message

from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, fitted
from tui.widgets.line_list import CHOOSING, LineList
from tui.widgets.line_pane import MOVES
from tui.widgets.line_table import Cell, Column, Row, cell_line, column_widths

FOLDING = (
    Entry(id="tree.fold", keys="space", action="fold", title="Fold", help="Fold or unfold the row under the cursor."),
    Entry(
        id="tree.left",
        keys="left,h",
        action="inward(-1)",
        title="Fold / to parent",
        help="Fold the row; on a folded one go to its parent.",
    ),
    Entry(
        id="tree.right",
        keys="right,l",
        action="inward(1)",
        title="Unfold / to child",
        help="Unfold the row; on an unfolded one go to its first child.",
    ),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A row that may have rows below it."""

    key: str
    """Unique in the tree: the same thing below two parents has two keys."""
    cells: "tuple[Cell, ...] | Callable[[], tuple[Cell, ...]]"
    """One per column, or who makes them when the row is drawn; the column without width is the one indented."""
    children: "tuple[Node, ...] | None" = ()
    """None: asked of `load` when first unfolded."""

    def drawn_cells(self) -> tuple[Cell, ...]:
        """Return the cells."""
        return self.cells() if callable(self.cells) else self.cells


Load: TypeAlias = Callable[[str, Callable[[Sequence[Node]], None]], None]
"""Asks for the children of a key, and who gets them on the event loop."""


class _Flat(NamedTuple):
    node: Node
    depth: int
    parent: int
    """Index of the parent's row; -1 at the top."""


class LineTree(LineList):
    """Nodes in columns, folded and unfolded by keys; what is unfolded is kept by key.

    Parameters
    ----------
    columns : sequence of Column
        The one without width shows the tree.
    load : callable, optional
        Reads children that are None.
    """

    class RowsSeen(Message):
        """Other rows came into view."""

        def __init__(self, control: "LineTree") -> None:
            super().__init__()
            self.tree = control

        @property
        def control(self) -> "LineTree":
            """The tree."""
            return self.tree

    DEFAULT_CSS = "LineTree { width: 1fr; height: 1fr; }"
    BINDINGS = bindings(FOLDING)
    ENTRIES: ClassVar[tuple[Entry, ...]] = (*MOVES, CHOOSING[0], *FOLDING)

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        load: Load | None = None,
        title: str = "",
        empty: Sequence[Line] = (),
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, id=id, classes=classes)
        self._columns = tuple(columns)
        self._load = load
        self._empty_lines = tuple(empty)
        self._roots: tuple[Node, ...] = ()
        self._unfolded: set[str] = set()
        self._loaded: dict[str, tuple[Node, ...]] = {}
        self._waiting: set[str] = set()
        self._rows: list[_Flat] = []
        self._generation = 0

    def show_nodes(
        self,
        roots: Sequence[Node],
        *,
        unfolded: Iterable[str] | None = None,
        cursor_key: str = "",
        empty: Sequence[Line] | None = None,
    ) -> None:
        """Show a tree; by default what was unfolded stays so and the cursor stays on its key."""
        wanted = cursor_key or self.cursor_key
        if unfolded is not None:
            self._unfolded = set(unfolded)
        if empty is not None:
            self._empty_lines = tuple(empty)
        self._generation += 1
        self._roots = tuple(roots)
        self._loaded.clear()
        self._waiting.clear()
        self._flatten()
        place = self.index_of(wanted)
        self.reset_rows(max(0, place), keep_place=place >= 0)

    @property
    def unfolded(self) -> frozenset[str]:
        """Keys that are unfolded."""
        return frozenset(self._unfolded)

    def index_of(self, key: str) -> int:
        """Return the row of a key; -1 where it is not seen."""
        return next((index for index, row in enumerate(self._rows) if row.node.key == key), -1)

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on a key, if its row is unfolded."""
        place = self.index_of(key)
        if place >= 0:
            self.move_to(place)
        return place >= 0

    def rows_seen(self) -> None:
        """Tell that other rows are seen."""
        self.post_message(self.RowsSeen(self))

    def keys_seen(self) -> tuple[str, ...]:
        """Return the keys of the rows in view."""
        return tuple(row.node.key for row in self._rows[self._top_row : self._top_row + self.page_rows])

    def row_total(self) -> int:
        """Return how many rows are unfolded."""
        return len(self._rows)

    def row_key(self, index: int) -> str:
        """Return the key of a row."""
        return self._rows[index].node.key if 0 <= index < len(self._rows) else ""

    def row_at(self, index: int) -> Row | None:
        """Return a row's key and cells."""
        if not 0 <= index < len(self._rows):
            return None
        node = self._rows[index].node
        return Row(node.key, node.drawn_cells())

    def head_line(self, width: int) -> Line | None:
        """Draw the names of the columns."""
        spans = [Span("  ", Role.HEAD)]
        for _, column, cells in column_widths(self._columns, width - 2):
            spans += [*cell_line(column.name, column, cells, Role.HEAD), Span(" ", Role.HEAD)]
        return tuple(spans)

    def cells_line(self, index: int, width: int) -> Line:
        """Draw a row: the tree column with its depth and fold."""
        node, depth, _ = self._rows[index]
        fold = "  " if node.children == () else "▾ " if node.key in self._unfolded else "▸ "
        if node.key in self._waiting:
            fold = "… "
        spans: list[Span] = []
        drawn = node.drawn_cells()
        for place, column, cells in column_widths(self._columns, width):
            spans += [Span(" ")] if spans else []
            cell = drawn[place] if place < len(drawn) else ""
            if column.width:
                spans += cell_line(cell, column, cells)
                continue
            before = "  " * min(depth, max(0, cells // 4)) + fold
            spans += fitted((Span(before), *cell_line(cell, column, max(1, cells - len(before)))), cells)
        return tuple(spans)

    def action_fold(self) -> None:
        """Fold or unfold the row under the cursor."""
        self._set_unfolded(self._cursor_row, self.cursor_key not in self._unfolded)

    def action_inward(self, direction: int) -> None:
        """Unfold and go inward, or fold and go outward."""
        if not self._rows:
            return
        flat = self._rows[self._cursor_row]
        is_open = flat.node.key in self._unfolded and flat.node.children != ()
        if direction > 0 and is_open:
            self.move_to(self._cursor_row + 1)
        elif direction > 0:
            self._set_unfolded(self._cursor_row, True)
        elif is_open:
            self._set_unfolded(self._cursor_row, False)
        elif flat.parent >= 0:
            self.move_to(flat.parent)

    def _set_unfolded(self, index: int, is_open: bool) -> None:
        if not 0 <= index < len(self._rows) or self._rows[index].node.children == ():
            return
        key = self._rows[index].node.key
        (self._unfolded.add if is_open else self._unfolded.discard)(key)
        self._flatten()
        self.scroll_rows_to(self._top_row)
        self.refresh()
        self.rows_seen()
        self.tell_cursor()

    def _flatten(self) -> None:
        """Make the rows: an own stack, as deep trees must not end at Python's recursion."""
        rows: list[_Flat] = []
        stack = [(node, 0, -1) for node in reversed(self._roots)]
        while stack:
            node, depth, parent = stack.pop()
            rows.append(_Flat(node, depth, parent))
            if node.key in self._unfolded and node.children != ():
                below = self._children(node)
                stack += [(child, depth + 1, len(rows) - 1) for child in reversed(below)]
        self._rows = rows

    def _children(self, node: Node) -> tuple[Node, ...]:
        if node.children is not None:
            return node.children
        key = node.key
        if key not in self._loaded and key not in self._waiting and self._load is not None:
            self._waiting.add(key)
            self._load(key, self._taker(key))
        return self._loaded.get(key, ())

    def _taker(self, key: str) -> Callable[[Sequence[Node]], None]:
        generation = self._generation

        def deliver(children: Sequence[Node]) -> None:
            if generation != self._generation:
                return  # an answer to what was shown before
            self._waiting.discard(key)
            self._loaded[key] = tuple(children)
            under_cursor = self.cursor_key
            self._flatten()
            place = self.index_of(under_cursor)
            self._cursor_row = place if place >= 0 else self._cursor_row
            self.refresh()
            self.rows_seen()
            self.tell_cursor()

        return deliver
