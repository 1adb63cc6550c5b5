"""A pane of ready lines that scrolls by keys."""

from collections.abc import Sequence
from typing import ClassVar

from textual.message import Message

from tui.registry import Entry, bindings
from tui.spans import Line, Span, width_of
from tui.widgets.line_pane import MOVES, LinePane

SIDEWAYS = (
    Entry(id="pane.left", keys="left,h", action="sideways(-8)", title="Left", help="Show what lies to the left."),
    Entry(id="pane.right", keys="right,l", action="sideways(8)", title="Right", help="Show what lies to the right."),
)


class TextPane(LinePane):
    """Lines of a painter; `show` replaces them.

    Parameters
    ----------
    lines : sequence of Line
        What is shown first.
    title : str
        Title row; empty: none.
    """

    DEFAULT_CSS = "TextPane { width: 1fr; height: 1fr; }"
    BINDINGS = bindings(SIDEWAYS)
    ENTRIES: ClassVar[tuple[Entry, ...]] = (*MOVES, *SIDEWAYS)

    def __init__(
        self, lines: Sequence[Line] = (), *, title: str = "", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(title=title, id=id, classes=classes)
        self._shown: tuple[Line, ...] = tuple(lines)
        self._left_cell = 0
        self._asked_width = 0

    @property
    def shown(self) -> tuple[Line, ...]:
        """The lines shown now."""
        return self._shown

    class Refitted(Message):
        """The pane has another width: what was painted for it before may not fit."""

    def on_resize(self) -> None:
        """Ask for other lines when the width changed."""
        super().on_resize()
        if self.size.width != self._asked_width:
            self._asked_width = self.size.width
            self.post_message(self.Refitted())

    def show(self, lines: Sequence[Line], *, title: str | None = None, keep_place: bool = False) -> None:
        """Show other lines.

        Parameters
        ----------
        lines : sequence of Line
            Painted for `content_width` cells.
        title : str, optional
            Another title row.
        keep_place : bool
            Stay at the row scrolled to (the same thing painted again) instead of going to the top.
        """
        self._shown = tuple(lines)
        self._left_cell = 0
        if title is not None:
            self._title_text = title
        self._top_row = max(0, min(self._top_row, len(self._shown) - self.page_rows)) if keep_place else 0
        self.refresh(layout=self.styles.is_auto_height)

    @property
    def content_width(self) -> int:
        """Cells a painter may fill."""
        return max(1, self.size.width)

    def row_total(self) -> int:
        """Return how many lines there are."""
        return len(self._shown)

    def row_line(self, index: int, width: int) -> Line:
        """Draw a line, from the cell scrolled to."""
        del width
        return _without(self._shown[index], self._left_cell) if self._left_cell else self._shown[index]

    def action_sideways(self, cells: int) -> None:
        """Shift what is seen, as far as there is text."""
        longest = max((sum(width_of(span.text) for span in one) for one in self._shown), default=0)
        left = max(0, min(self._left_cell + cells, longest - self.size.width))
        if left != self._left_cell:
            self._left_cell = left
            self.refresh()


def _without(spans: Line, cells: int) -> Line:
    """Return a line less its first cells."""
    kept: list[Span] = []
    for span in spans:
        if cells <= 0:
            kept.append(span)
            continue
        text = span.text
        while text and cells > 0:
            cells -= width_of(text[0])
            text = text[1:]
        if text:
            kept.append(Span(text, span.role))
    return tuple(kept)
