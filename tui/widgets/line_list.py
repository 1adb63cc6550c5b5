"""A pane with a cursor: what tables and trees have in common."""

from typing import ClassVar

from textual import events
from textual.message import Message

from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, padded, text_of
from tui.widgets.line_pane import MOVES, LinePane

CHOOSING = (
    Entry(id="list.choose", keys="enter", action="choose", title="Open", help="Open the row under the cursor."),
    Entry(id="list.mark", keys="space", action="mark", title="Mark", help="Mark the row, or take the mark off."),
)
GUTTER = 2
"""Cells before a row: cursor and mark."""


class LineList(LinePane):
    """Rows with keys, one of them under the cursor; a move draws two rows again and no more."""

    DEFAULT_CSS = "LineList { width: 1fr; height: 1fr; }"
    BINDINGS = bindings(CHOOSING)
    ENTRIES: ClassVar[tuple[Entry, ...]] = (*MOVES, *CHOOSING)

    class RowHighlighted(Message):
        """The cursor stands on another row."""

        def __init__(self, control: "LineList", key: str, index: int) -> None:
            super().__init__()
            self.list = control
            self.key = key
            """Key of the row; empty while the row is on its way or where there is none."""
            self.index = index

        @property
        def control(self) -> "LineList":
            """The table or tree."""
            return self.list

    class RowSelected(RowHighlighted):
        """Enter, or a click on the row under the cursor."""

    class RowsMarked(Message):
        """Marks changed."""

        def __init__(self, control: "LineList", keys: frozenset[str]) -> None:
            super().__init__()
            self.list = control
            self.keys = keys

        @property
        def control(self) -> "LineList":
            """The table or tree."""
            return self.list

    def __init__(
        self, *, title: str = "", can_mark: bool = False, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(title=title, id=id, classes=classes)
        self._cursor_row = 0
        self._marks: frozenset[str] = frozenset()
        self._can_mark = can_mark
        self._empty_lines: tuple[Line, ...] = ()
        self._told: tuple[str, int] | None = None

    # What a subclass gives.

    def row_key(self, index: int) -> str:
        """Return the key of a row; empty while it is on its way."""
        raise NotImplementedError

    def cells_line(self, index: int, width: int) -> Line:
        """Draw a row without cursor and marks."""
        raise NotImplementedError

    # What the list does.

    @property
    def cursor_row(self) -> int:
        """Index of the row under the cursor."""
        return self._cursor_row

    @property
    def cursor_key(self) -> str:
        """Key of the row under the cursor; empty where there is none."""
        return self.row_key(self._cursor_row) if self._cursor_row < self.row_total() else ""

    @property
    def marks(self) -> frozenset[str]:
        """Keys of the marked rows."""
        return self._marks

    def set_marks(self, keys: "frozenset[str] | set[str]") -> None:
        """Mark these rows and no others."""
        if frozenset(keys) != self._marks:
            self._marks = frozenset(keys)
            self.refresh()
            self.post_message(self.RowsMarked(self, self._marks))

    def move_to(self, index: int) -> None:
        """Put the cursor on a row and bring it into view."""
        index = max(0, min(index, self.row_total() - 1))
        before, self._cursor_row = self._cursor_row, index
        if index != before:
            self.refresh_row(before)
            self.refresh_row(index)
        page = self.page_rows
        if index < self._top_row:
            self.scroll_rows_to(index)
        elif index >= self._top_row + page:
            self.scroll_rows_to(index - page + 1)
        self.tell_cursor()

    def tell_cursor(self) -> None:
        """Post `RowHighlighted` if the row under the cursor is another one than last told."""
        now = (self.cursor_key, self._cursor_row)
        if now != self._told:
            self._told = now
            self.post_message(self.RowHighlighted(self, *now))

    def move_rows(self, delta: int) -> None:
        """Move the cursor; a page or more takes the view along."""
        if abs(delta) >= self.page_rows:
            top = max(0, min(self._top_row + delta, self.row_total() - self.page_rows))
            if top != self._top_row:
                self._top_row = top
                self.refresh()
                self.move_to(self._cursor_row + delta)
                self.rows_seen()
                return
        self.move_to(self._cursor_row + delta)

    def row_line(self, index: int, width: int) -> Line:
        """Draw a row; the one under the cursor in one colour, with a pointer that is seen without colours."""
        is_cursor = index == self._cursor_row
        is_marked = bool(self._marks) and self.row_key(index) in self._marks
        drawn = self.cells_line(index, max(0, width - GUTTER))
        gutter = (">" if is_cursor else " ") + ("*" if is_marked else " ")
        if is_cursor:
            role = Role.CURSOR if self.has_focus else Role.CURSOR_IDLE
            return (Span(padded(gutter + text_of(drawn), width), role),)
        if is_marked:
            return (Span(gutter, Role.SELECTED), *drawn)
        return (Span(gutter), *drawn)

    def blank_line(self, offset: int, width: int) -> Line:
        """Draw what to do where there is no row at all."""
        del width
        return self._empty_lines[offset] if not self.row_total() and offset < len(self._empty_lines) else ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the mark key to others where rows are not marked."""
        del parameters
        return self._can_mark if action == "mark" else True

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.row_total():
            self.post_message(self.RowSelected(self, self.cursor_key, self._cursor_row))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or take its mark off, and go on to the next."""
        key = self.cursor_key
        if key:
            self._marks ^= {key}
            self.refresh_row(self._cursor_row)
            self.post_message(self.RowsMarked(self, self._marks))
            self.move_to(self._cursor_row + 1)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row clicked; a click on the cursor opens."""
        index = self._top_row + event.y - self._head_rows()
        if event.y < self._head_rows() or index >= self.row_total():
            return
        if index == self._cursor_row:
            self.action_choose()
        else:
            self.move_to(index)

    def reset_rows(self, cursor: int, *, keep_place: bool) -> None:
        """Take new rows into view: the cursor at a row, the view where it was or around the cursor."""
        total, page = self.row_total(), self.page_rows
        self._cursor_row = max(0, min(cursor, total - 1))
        top = self._top_row if keep_place else 0
        top = min(max(top, self._cursor_row - page + 1), self._cursor_row)
        self._top_row = max(0, min(top, total - page))
        self._told = None
        self.refresh()
        self.rows_seen()
        self.tell_cursor()
