"""The question before something is changed: what it does, Cancel first, Enter alone does nothing."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.chrome import LineStrip
from tui.dialogs.base import Dialog
from tui.spans import Line, Role, Span, line
from tui.widgets.buttons import ButtonRow
from tui.widgets.text_pane import TextPane

CANCEL = "Cancel"


class ConfirmDialog(Dialog[str | None]):
    """Ask before a change; gives None for no, else what was typed (empty where nothing had to be).

    Parameters
    ----------
    title : str
        What is about to be done, e.g. its verb.
    painter : callable
        Width to the lines of its effect; they scroll by page up and page down.
    yes : str
        Label of the button that does it.
    confirm : str
        What must be typed exactly first; empty when nothing must.
    """

    DEFAULT_CSS = """
    ConfirmDialog > #box { width: 100; padding: 0 1; }
    ConfirmDialog TextPane { height: auto; }
    ConfirmDialog Input { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("up", "row(-1)", show=False),
        Binding("down", "row(1)", show=False),
    ]

    def __init__(self, title: str, painter: Callable[[int], Sequence[Line]], *, yes: str, confirm: str = "") -> None:
        super().__init__()
        self._title, self._painter, self._yes, self._confirm = title, painter, yes, confirm

    def compose(self) -> ComposeResult:
        """Mount the effect, the field and the buttons."""
        with Vertical(id="box"):
            yield TextPane(self._painter(min(100, self.app.size.width) - 2), title=self._title)
            if self._confirm:
                yield LineStrip(id="ask")
                yield Input(compact=True, select_on_focus=False, id="typed")
            yield ButtonRow((CANCEL, self._yes), id="answer")
            yield self.keys_strip(("tab", "on"), ("←→", "choose"), ("enter", "press"), ("esc", "cancel"))

    def on_mount(self) -> None:
        """Stand on Cancel, or in the field where something must be typed."""
        self.query_one(TextPane).can_focus = False
        if not self._confirm:
            self._buttons.focus()
            return
        ask = line(Span(" Type ", Role.WARN), Span(self._confirm, Role.STRONG), Span(" exactly to go on:", Role.WARN))
        self.query_one("#ask", LineStrip).show(ask)
        field = self.query_one(Input)
        field.cursor_blink = False
        field.focus()

    def on_resize(self) -> None:
        """Leave rows of the form in sight."""
        self.limit_height(self.query_one(TextPane), 8)

    @property
    def _buttons(self) -> ButtonRow:
        return self.query_one(ButtonRow)

    @property
    def _typed(self) -> str:
        return self.query_one(Input).value.strip() if self._confirm else ""

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say whether it is typed right so far."""
        event.stop()
        is_right = event.value.strip() == self._confirm
        self._buttons.note("typed right" if is_right else "", Role.OK)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the buttons; they begin at Cancel."""
        event.stop()
        self._buttons.show((CANCEL, self._yes), chosen=CANCEL)
        self._buttons.focus()

    def on_button_row_pressed(self, event: ButtonRow.Pressed) -> None:
        """Answer."""
        event.stop()
        if event.label == CANCEL:
            self.dismiss(None)
        elif self._typed == self._confirm:
            self.dismiss(self._typed)
        else:
            self._buttons.note(f"first type {self._confirm}", Role.FAIL)
            self.query_one(Input).focus()

    def action_scroll(self, pages: int) -> None:
        """Scroll the effect."""
        self.query_one(TextPane).action_by_pages(pages)

    def action_row(self, rows: int) -> None:
        """Scroll the effect by a row."""
        self.query_one(TextPane).action_by_rows(rows)
