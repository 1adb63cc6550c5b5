"""A stored text to read and to copy: the report, or what was sent to the board."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.dialogs.base import Dialog
from tui.spans import Line, Role, line, wrapped
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from tui.app import CabstandApp


class StoredTextDialog(Dialog[None]):
    """The whole text, folded to the screen; `y` copies it as it is stored.

    Parameters
    ----------
    title : str
        What it is.
    lines : sequence of str
        The text.
    """

    DEFAULT_CSS = """
    StoredTextDialog > #box { width: 100%; height: 100%; }
    StoredTextDialog TextPane { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", show=False),
        Binding("q", "close", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title, self._lines = title, tuple(lines)

    def compose(self) -> ComposeResult:
        """Mount the text."""
        with Vertical(id="box"):
            yield TextPane(title=self._title)
            yield self.keys_strip(("y", "copy all of it"), ("pgdn", "on"), ("←→", "sideways"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show it from the top."""
        self._fold()
        self.query_one(TextPane).focus()

    def on_resize(self) -> None:
        """Fold it anew."""
        self._fold()

    def action_copy(self) -> None:
        """Send all of it to the terminal's clipboard."""
        cast("CabstandApp", self.app).copy("\n".join(self._lines))
        self.dismiss(None)

    def _fold(self) -> None:
        width = max(20, self.app.size.width)
        rows: list[Line] = []
        for text in self._lines:
            role = Role.TITLE if text.startswith("#") else Role.PLAIN
            # Tables and lines to copy keep their shape; the pane goes sideways.
            if len(text) <= width or text.startswith(("|", "    ")):
                rows.append(line(text) if role is Role.PLAIN else (*wrapped(text, width, role=role),)[0])
                continue
            indent = " " * (len(text) - len(text.lstrip()))
            rows += wrapped(text.strip(), width, role=role, first=indent, rest=indent + "  ")
        self.query_one(TextPane).show(rows, keep_place=True)
