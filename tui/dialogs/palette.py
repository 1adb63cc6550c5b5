"""Ctrl+P: anything that can be done, found by a few letters."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from tui.command_words import verb_rows
from tui.dialogs.base import Dialog
from tui.registry import Entry, key_name
from tui.spans import Line, Role, Span, line, padded
from tui.widgets.pick_list import PickList

ROWS = 12


class PaletteDialog(Dialog["Entry | str"]):
    """Entries of the registry and verbs of the command line; gives the entry, or the line to type."""

    DEFAULT_CSS = f"PaletteDialog PickList {{ height: {ROWS}; }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("ctrl+p", "move(-1)", show=False, priority=True),
        Binding("ctrl+n", "move(1)", show=False),
        Binding("pageup", f"move(-{ROWS})", show=False),
        Binding("pagedown", f"move({ROWS})", show=False),
    ]

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._all: list[tuple[str, str, str, Entry | str]] = [
            (one.title, key_name(one.keys) if one.keys else f":{one.word}", one.help, one) for one in entries
        ]
        self._all += [(verb, ":", summary, verb) for verb, summary in verb_rows()]
        self._found = self._all

    def compose(self) -> ComposeResult:
        """Mount the field and the list."""
        with Vertical(id="box"):
            yield self.title_strip("DO ANYTHING")
            yield Input(placeholder="a few letters", compact=True)
            yield PickList()
            yield self.keys_strip(("↑↓", "choose"), ("enter", "do it"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show everything first."""
        self.query_one(Input).cursor_blink = False
        self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        event.stop()
        text = event.value.strip()
        if not text:
            self._found = self._all
        else:
            matcher = Matcher(text)
            scored = [
                (matcher.match(title) * 2 + matcher.match(help_text) * 0.5, index)
                for index, (title, _key, help_text, _do) in enumerate(self._all)
            ]
            self._found = [self._all[index] for score, index in sorted(scored, key=lambda one: -one[0]) if score > 0]
        self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give what is under the cursor."""
        event.stop()
        cursor = self.query_one(PickList).cursor
        self.dismiss(self._found[cursor][3] if cursor < len(self._found) else None)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.query_one(PickList).move(step)

    def _show(self) -> None:
        self.query_one(PickList).show([_row(title, key, help_text) for title, key, help_text, _do in self._found])


def _row(title: str, key: str, help_text: str) -> Line:
    return line(
        Span(" "), Span(padded(title, 20), Role.STRONG), Span(padded(key, 7), Role.KEY), Span(help_text, Role.DIM)
    )
