"""``?``: the keys of this screen, found by typing."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.dialogs.base import Dialog
from tui.registry import Entry, key_name
from tui.spans import Line, Role, Span, line, padded, wrapped
from tui.widgets.pick_list import PickList
from tui.widgets.text_pane import TextPane


class KeysDialog(Dialog[None]):
    """Keys by section; typing narrows them."""

    DEFAULT_CSS = """
    KeysDialog PickList { height: 15; }
    KeysDialog TextPane { height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-16)", show=False),
        Binding("pagedown", "move(16)", show=False),
    ]

    def __init__(self, sections: Sequence[tuple[str, Sequence[Entry]]], changed: Mapping[str, str]) -> None:
        super().__init__()
        self._title = sections[0][0]
        self._rows: list[tuple[str, Line, str]] = []
        """What is searched, the row, and the whole help with the id for key maps."""
        self._found = self._rows
        for head, entries in sections:
            if not entries:
                continue
            self._rows.append((head, line(Span(f" {head}", Role.TITLE)), ""))
            for one in entries:
                keys = changed.get(one.id, one.keys)
                self._add(key_name(keys) if keys else f":{one.word}", one)

    def compose(self) -> ComposeResult:
        """Mount the field and the list."""
        with Vertical(id="box"):
            yield self.title_strip(f"KEYS: {self._title}")
            yield Input(placeholder="type to find a key", compact=True)
            yield PickList()
            told = TextPane()
            told.can_focus = False
            yield told
            yield self.keys_strip(("↑↓", "scroll"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show all."""
        self.query_one(Input).cursor_blink = False
        self._narrow("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        event.stop()
        self._narrow(event.value.lower().strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close."""
        event.stop()
        self.dismiss(None)

    def action_move(self, step: int) -> None:
        """Scroll, and tell the row in full."""
        self.query_one(PickList).move(step)
        self._tell()

    def _narrow(self, wanted: str) -> None:
        self._found = [one for one in self._rows if wanted in one[0].lower()]
        self.query_one(PickList).show([row for _text, row, _told in self._found])
        self._tell()

    def _tell(self) -> None:
        cursor = self.query_one(PickList).cursor
        told = self._found[cursor][2] if cursor < len(self._found) else ""
        self.query_one(TextPane).show(wrapped(told, 76, role=Role.LABEL, first=" ", rest=" ") if told else [])

    def _add(self, key: str, entry: Entry) -> None:
        row = line(
            Span(" "),
            Span(padded(key, 7), Role.KEY),
            Span(padded(entry.title, 18), Role.STRONG),
            Span(entry.help, Role.DIM),
        )
        self._rows.append((f"{key} {entry.title} {entry.help}", row, f"{entry.help} [{entry.id}]"))
