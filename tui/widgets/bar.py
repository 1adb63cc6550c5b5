"""The line one types into: ``:`` commands with history and completion, ``/`` filters as one types."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static


class WordSuggester(Suggester):
    """Completes the first word, or a whole line typed before."""

    def __init__(self, words: Iterable[str], typed: Iterable[str]) -> None:
        super().__init__(use_cache=False)
        self._candidates = [*reversed(list(typed)), *sorted(set(words))]

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first candidate that begins so."""
        return next((one for one in self._candidates if one.startswith(value) and one != value), None)


class CommandBar(Horizontal):
    """Hidden until `begin`; takes the place of the status line while it is typed into."""

    DEFAULT_CSS = """
    CommandBar { height: 1; width: 1fr; display: none; }
    CommandBar > Static { width: 2; height: 1; }
    CommandBar > Input { border: none; height: 1; padding: 0; width: 1fr; }
    CommandBar > Input:focus { border: none; background: $background; background-tint: $background 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "put_away", "Close", show=False),
        Binding("up", "older", "Older", show=False),
        Binding("down", "newer", "Newer", show=False),
    ]

    class Typed(Message):
        """Something was typed."""

        def __init__(self, kind: str, text: str, *, is_final: bool) -> None:
            super().__init__()
            self.kind, self.text, self.is_final = kind, text, is_final

    def __init__(self) -> None:
        super().__init__()
        self._kind = ":"
        self._typed: list[str] = []
        self._at = 0

    def compose(self) -> ComposeResult:
        """Mount the sign and the field."""
        yield Static(":", markup=False)
        yield Input(compact=True, select_on_focus=False)

    def begin(self, kind: str, text: str) -> None:
        """Show the line and take the focus."""
        from tui.command_words import known_words

        memory = getattr(self.app, "memory", None)
        self._typed = memory.typed() if memory is not None else []
        self._at = len(self._typed)
        self._kind = kind
        self.query_one(Static).update(kind)
        field = self.query_one(Input)
        field.cursor_blink = False
        field.suggester = WordSuggester(known_words(), self._typed) if kind == ":" else None
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.app.query_one("#status").display = False
        self.display = True
        self.screen.set_focus(field)  # at once: the next key may be in the same packet

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as one types."""
        event.stop()
        if self.display and self._kind == "/":
            self.post_message(self.Typed("/", event.value, is_final=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the line."""
        event.stop()
        text = event.value
        self._hide()
        memory = getattr(self.app, "memory", None)
        if self._kind == ":" and text.strip() and memory is not None:
            memory.keep_typed([*(one for one in self._typed if one != text), text])
        self.post_message(self.Typed(self._kind, text, is_final=True))

    def action_put_away(self) -> None:
        """Close; a filter is cleared."""
        self._hide()
        self.post_message(self.Typed(self._kind, "", is_final=True))

    def action_older(self) -> None:
        """Bring back an older line."""
        self._recall(-1)

    def action_newer(self) -> None:
        """Bring back a newer line."""
        self._recall(1)

    def _recall(self, step: int) -> None:
        if self._kind != ":" or not self._typed:
            return
        self._at = max(0, min(len(self._typed), self._at + step))
        field = self.query_one(Input)
        field.value = self._typed[self._at] if self._at < len(self._typed) else ""
        field.cursor_position = len(field.value)

    def _hide(self) -> None:
        self.display = False
        self.app.query_one("#status").display = True
