"""A short list in memory with a cursor, for dialogs."""

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from tui.spans import Line, Role, Span, fitted, text_of
from tui.widgets.strips import to_strip


class PickList(Widget, can_focus=False):
    """Lines of which one is chosen; the dialog moves the cursor."""

    DEFAULT_CSS = "PickList { height: 1fr; width: 1fr; }"

    def __init__(self, rows: Sequence[Line] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Line] = list(rows)
        self.cursor = 0
        self._top = 0

    def show(self, rows: Sequence[Line]) -> None:
        """Show other rows; the cursor goes to the first."""
        self._rows = list(rows)
        self.cursor = self._top = 0
        self.refresh()

    def move(self, step: int) -> None:
        """Move the cursor, by rows."""
        self.cursor = max(0, min(len(self._rows) - 1, self.cursor + step))
        height = max(1, self.size.height)
        self._top = max(min(self._top, self.cursor), self.cursor - height + 1)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a row."""
        index = self._top + y
        if index >= len(self._rows):
            return to_strip(self, (), self.size.width)
        row = fitted(self._rows[index], self.size.width)
        if index == self.cursor:
            row = (Span(">" + text_of(fitted(row, self.size.width))[1:].ljust(self.size.width - 1), Role.CURSOR),)
        return to_strip(self, row, self.size.width)
