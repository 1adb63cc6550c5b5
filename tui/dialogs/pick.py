"""One of many texts, found by typing a part of it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.dialogs.base import Dialog
from tui.spans import Span, line
from tui.widgets.pick_list import PickList

ROWS = 12


class PickDialog(Dialog[str]):
    """Gives the text that was chosen, or None.

    Parameters
    ----------
    title : str
        What is chosen.
    choices : sequence of str
        In their order.
    """

    DEFAULT_CSS = f"PickDialog PickList {{ height: {ROWS}; }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", f"move(-{ROWS})", show=False),
        Binding("pagedown", f"move({ROWS})", show=False),
    ]

    def __init__(self, title: str, choices: Sequence[str]) -> None:
        super().__init__()
        self._title, self._all = title, list(choices)
        self._found = self._all

    def compose(self) -> ComposeResult:
        """Mount the field and the list."""
        with Vertical(id="box"):
            yield self.title_strip(self._title)
            yield Input(placeholder="a part of the name", compact=True)
            yield PickList()
            yield self.keys_strip(("↑↓", "choose"), ("enter", "take it"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show everything first."""
        self.query_one(Input).cursor_blink = False
        self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list to what holds every word."""
        event.stop()
        words = event.value.lower().split()
        self._found = [one for one in self._all if all(word in one.lower() for word in words)]
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give what is under the cursor."""
        event.stop()
        cursor = self.query_one(PickList).cursor
        self.dismiss(self._found[cursor] if cursor < len(self._found) else None)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(PickList).move(step)

    def _show(self) -> None:
        rows = [line(Span(" "), one) for one in self._found]
        self.query_one(PickList).show(rows or [line(" nothing holds that")])
