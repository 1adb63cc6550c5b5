"""One line that a view asks something on: a label, a field, and a line that says what is thought of it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class AskLine(Horizontal):
    """Hidden until `ask`; Enter gives the text, Escape puts it away, up and down bring back former texts."""

    DEFAULT_CSS = """
    AskLine { height: 1; width: 1fr; display: none; }
    AskLine > Static { width: auto; height: 1; }
    AskLine > Input { border: none; height: 1; padding: 0; width: 1fr; }
    AskLine > Input:focus { border: none; background: $background; background-tint: $background 0%; }
    """
    BINDINGS: ClassVar = [
        Binding("escape", "put_away", "Close", show=False),
        Binding("up", "recall(-1)", "Older", show=False),
        Binding("down", "recall(1)", "Newer", show=False),
    ]

    class Typed(Message):
        """The text changed."""

        def __init__(self, topic: str, text: str) -> None:
            super().__init__()
            self.topic, self.text = topic, text

    class Given(Typed):
        """Enter was pressed; the line stays open until `close`."""

    class PutAway(Typed):
        """Escape was pressed; the line is closed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.disabled = True  # what is not seen must not take the focus
        self.topic = ""
        self._former: tuple[str, ...] = ()
        self._at = 0

    def compose(self) -> ComposeResult:
        """Mount label and field."""
        yield Static("", markup=False)
        yield Input(compact=True, select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether something is asked."""
        return bool(self.display)

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.query_one(Input).value

    def ask(
        self, topic: str, label: str, text: str = "", *, placeholder: str = "", former: tuple[str, ...] = ()
    ) -> None:
        """Ask for a text and take the focus.

        Parameters
        ----------
        topic : str
            Comes back with what is typed.
        label : str
            Stands before the field.
        text : str
            Stands in the field at first.
        placeholder : str
            Shown while the field is empty.
        former : tuple of str
            What up and down bring, oldest first.
        """
        self.topic, self._former, self._at = topic, former, len(former)
        self.query_one(Static).update(f"{label} ")
        field = self.query_one(Input)
        field.cursor_blink = False
        field.placeholder = placeholder
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.display, self.disabled = True, False
        field.focus()

    def close(self) -> None:
        """Put the line away."""
        self.display, self.disabled = False, True

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed."""
        event.stop()
        if self.is_open:
            self.post_message(self.Typed(self.topic, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the text."""
        event.stop()
        self.post_message(self.Given(self.topic, event.value))

    def action_put_away(self) -> None:
        """Close without giving anything."""
        self.close()
        self.post_message(self.PutAway(self.topic, self.text))

    def action_recall(self, step: int) -> None:
        """Bring back a former text."""
        if not self._former:
            return
        self._at = max(0, min(len(self._former), self._at + step))
        field = self.query_one(Input)
        field.value = self._former[self._at] if self._at < len(self._former) else ""
        field.cursor_position = len(field.value)
