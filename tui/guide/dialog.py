"""``:walk``: the whole story of the guided walk, with marks; begins it anew."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.dialogs.base import Dialog
from tui.spans import Line, Role, Span, line
from tui.widgets.text_pane import TextPane


class WalkDialog(Dialog[bool]):
    """Gives True when the walk is to begin anew."""

    DEFAULT_CSS = "WalkDialog TextPane { height: 18; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R,shift+r", "again", show=False),
        Binding("y", "yes", show=False),
        Binding("q", "close", show=False),
    ]

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self._lines = lines
        self._is_asked = False

    def compose(self) -> ComposeResult:
        """Mount the text."""
        with Vertical(id="box"):
            yield self.title_strip("THE WHOLE WALK")
            yield TextPane()
            yield self.keys_strip(("↑↓", "scroll"), ("R", "begin anew"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show it."""
        self.query_one(TextPane).show(self._lines)
        self.query_one(TextPane).focus()

    def action_again(self) -> None:
        """Ask before the practised work is thrown away."""
        self._is_asked = True
        question = line(Span(" Throw this rehearsal away and begin anew?  y", Role.WARN), " yes   esc no")
        self.query_one(TextPane).show([question])

    def action_yes(self) -> None:
        """Begin anew."""
        if self._is_asked:
            self.dismiss(True)
