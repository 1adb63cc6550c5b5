"""A pane of one-line rows that scrolls itself: what text panes, tables and trees have in common.

Rows are drawn by the Line API, without scrollbars (they would lay the screen out again when they come and go): the
title row says which rows are seen.
"""

from typing import ClassVar

from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, cut, line, width_of
from tui.widgets.strips import to_strip

MOVES = (
    Entry(id="pane.up", keys="up,k", action="by_rows(-1)", title="Up", help="One row up."),
    Entry(id="pane.down", keys="down,j", action="by_rows(1)", title="Down", help="One row down."),
    Entry(id="pane.page_up", keys="pageup", action="by_pages(-1)", title="Page up", help="One page up."),
    Entry(id="pane.page_down", keys="pagedown", action="by_pages(1)", title="Page down", help="One page down."),
    Entry(id="pane.half_up", keys="ctrl+u", action="by_halves(-1)", title="Half up", help="Half a page up."),
    Entry(id="pane.half_down", keys="ctrl+d", action="by_halves(1)", title="Half down", help="Half a page down."),
    Entry(id="pane.top", keys="g,home", action="to_top", title="Top", help="To the first row."),
    Entry(id="pane.bottom", keys="G,end", action="to_bottom", title="Bottom", help="To the last row."),
)
"""The keys every pane knows."""


def title_row(title: str, note: str, width: int, *, has_focus: bool) -> Line:
    """Return ``── TITLE ───── note ──`` in exactly `width` cells; a pane with focus has a heavy beginning."""
    begin = "━━" if has_focus else "──"
    shown = cut(title, max(0, width - 6))
    tail = f" {note} ──" if note and width_of(shown) + width_of(note) + 12 <= width else ""
    rule = max(0, width - 4 - width_of(shown) - width_of(tail))
    role = Role.TITLE if has_focus else Role.DIM
    return line(Span(begin, role), Span(f" {shown} ", Role.TITLE), Span("─" * rule + tail, Role.DIM))


class LinePane(Widget, can_focus=True):
    """Rows of one cell height below an optional title row and an optional line of heads.

    Subclasses say how many rows there are (`row_total`) and draw one (`row_line`).
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "LinePane { width: 1fr; height: 1fr; }"
    BINDINGS = bindings(MOVES)
    ENTRIES: ClassVar[tuple[Entry, ...]] = MOVES
    """What the key sheet lists when the pane has focus."""

    def __init__(self, *, title: str = "", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title_text = title
        self._top_row = 0

    # What a subclass gives.

    def row_total(self) -> int:
        """Return how many rows there are."""
        raise NotImplementedError

    def row_line(self, index: int, width: int) -> Line:
        """Draw the row at an index."""
        raise NotImplementedError

    def head_line(self, width: int) -> Line | None:
        """Draw the heads of columns; None: no such line."""
        del width
        return None

    def blank_line(self, offset: int, width: int) -> Line:
        """Draw the row `offset` rows after the last one."""
        del offset, width
        return ()

    # What the pane does.

    @property
    def pane_title(self) -> str:
        """The title; empty: no title row."""
        return self._title_text

    @pane_title.setter
    def pane_title(self, title: str) -> None:
        if title == self._title_text:
            return
        had_row, self._title_text = bool(self._title_text), title
        if had_row == bool(title):
            self.refresh(Region(0, 0, self.size.width, 1))
        else:
            self.refresh()

    @property
    def top_row(self) -> int:
        """Index of the first row seen."""
        return self._top_row

    @property
    def page_rows(self) -> int:
        """How many rows are seen at once."""
        return max(1, self.size.height - self._head_rows())

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return all there is: a pane has no width of its own."""
        del viewport
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the height of all rows, for panes of ``height: auto``."""
        del container, viewport, width
        return self._head_rows() + self.row_total()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the pane."""
        width = self.size.width
        if self._title_text:
            if y == 0:
                title = title_row(self._title_text, self._position(), width, has_focus=self.has_focus)
                return to_strip(self, title, width)
            y -= 1
        head = self.head_line(width)
        if head is not None:
            if y == 0:
                return to_strip(self, head, width)
            y -= 1
        index, total = self._top_row + y, self.row_total()
        drawn = self.row_line(index, width) if index < total else self.blank_line(index - total, width)
        return to_strip(self, drawn, width)

    def lines_seen(self) -> tuple[Line, ...]:
        """Return what is on the pane now, to be kept for the next start."""
        width, page = self.size.width, self.page_rows
        lines: list[Line] = []
        if self._title_text:
            lines.append(title_row(self._title_text, self._position(), width, has_focus=False))
        head = self.head_line(width)
        lines += [head] if head is not None else []
        last = min(self.row_total(), self._top_row + page)
        return (*lines, *(self.row_line(index, width) for index in range(self._top_row, last)))

    def scroll_rows_to(self, top: int) -> None:
        """Show rows from `top` on, as far as there are rows."""
        top = max(0, min(top, self.row_total() - self.page_rows))
        if top != self._top_row:
            self._top_row = top
            self.refresh()
            self.rows_seen()

    def rows_seen(self) -> None:
        """Other rows came into view."""

    def refresh_row(self, index: int) -> None:
        """Draw one row again, if it is seen."""
        y = index - self._top_row
        if 0 <= y < self.page_rows:
            self.refresh(Region(0, y + self._head_rows(), self.size.width, 1))

    def move_rows(self, delta: int) -> None:
        """Go up or down by rows."""
        self.scroll_rows_to(self._top_row + delta)

    def action_by_rows(self, delta: int) -> None:
        """Go up or down by rows."""
        self.move_rows(delta)

    def action_by_pages(self, pages: int) -> None:
        """Go up or down by pages."""
        self.move_rows(pages * self.page_rows)

    def action_by_halves(self, halves: int) -> None:
        """Go up or down by half pages."""
        self.move_rows(halves * max(1, self.page_rows // 2))

    def action_to_top(self) -> None:
        """Go to the first row."""
        self.move_rows(-self.row_total())

    def action_to_bottom(self) -> None:
        """Go to the last row."""
        self.move_rows(self.row_total())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll by the wheel."""
        event.stop()
        self.scroll_rows_to(self._top_row + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll by the wheel."""
        event.stop()
        self.scroll_rows_to(self._top_row - 3)

    def on_resize(self) -> None:
        """Keep rows in view when the pane grows."""
        self.scroll_rows_to(self._top_row)
        self.rows_seen()

    def _head_rows(self) -> int:
        return bool(self._title_text) + (self.head_line(max(1, self.size.width)) is not None)

    def _position(self) -> str:
        total, page = self.row_total(), self.page_rows
        if total <= page:
            return ""
        return f"{self._top_row + 1}-{min(total, self._top_row + page)} of {total}"
