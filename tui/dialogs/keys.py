"""``?``: the keys of this screen, found by typing."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.dialogs.base import Dialog
from tui.registry import Entry, key_name
from tui.spans import Line, Role, Span, line, padded
from tui.widgets.pick_list import PickList

MOVING = (
    ("↑↓ jk", "one row"),
    ("pgup pgdn", "one page"),
    ("g G", "first, last"),
    ("tab", "next pane"),
    ("enter", "open"),
    ("spc", "mark, fold"),
)


class KeysDialog(Dialog[None]):
    """Keys by section; typing narrows them."""

    DEFAULT_CSS = "KeysDialog PickList { height: 16; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-16)", show=False),
        Binding("pagedown", "move(16)", show=False),
    ]

    def __init__(self, title: str, own: Sequence[Entry], frame: Sequence[Entry], views: Sequence[Entry]) -> None:
        super().__init__()
        self._title = title
        self._rows: list[tuple[str, Line]] = []
        for head, entries in ((title, own), ("Everywhere", frame), ("Views", views)):
            self._add_head(head)
            for one in entries:
                key = ", ".join(key_name(part) for part in one.keys.split(",")[:1]) if one.keys else f":{one.word}"
                self._add(key, one.title, one.help)
        self._add_head("Lists and tables")
        for key, what in MOVING:
            self._add(key, what, "")

    def compose(self) -> ComposeResult:
        """Mount the field and the list."""
        with Vertical(id="box"):
            yield self.title_strip(f"KEYS: {self._title}")
            yield Input(placeholder="type to find a key", compact=True)
            yield PickList([row for _text, row in self._rows])
            yield self.keys_strip(("↑↓", "scroll"), ("esc", "close"))

    def on_mount(self) -> None:
        """Keep the cursor still."""
        self.query_one(Input).cursor_blink = False

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        event.stop()
        wanted = event.value.lower().strip()
        self.query_one(PickList).show([row for text, row in self._rows if wanted in text.lower()])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close."""
        event.stop()
        self.dismiss(None)

    def action_move(self, step: int) -> None:
        """Scroll."""
        self.query_one(PickList).move(step)

    def _add_head(self, text: str) -> None:
        self._rows.append((text, line(Span(f" {text}", Role.TITLE))))

    def _add(self, key: str, title: str, help_text: str) -> None:
        row = line(
            Span(" "), Span(padded(key, 10), Role.KEY), Span(padded(title, 18), Role.STRONG), Span(help_text, Role.DIM)
        )
        self._rows.append((f"{key} {title} {help_text}", row))
