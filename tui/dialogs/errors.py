"""``E``: the errors of this session, with hints and details to copy for a ticket."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from calibstore.errors import CabstandError
from tui.dialogs.base import Dialog
from tui.spans import Line, Role, Span, line, wrapped
from tui.widgets.text_pane import TextPane


class ErrorsDialog(Dialog[None]):
    """Newest first; ``y`` copies all."""

    DEFAULT_CSS = "ErrorsDialog TextPane { height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", show=False),
        Binding("q,E,shift+e", "close", "Close", show=False),
    ]

    def __init__(self, errors: Sequence[CabstandError]) -> None:
        super().__init__()
        self._errors = tuple(reversed(errors))

    def compose(self) -> ComposeResult:
        """Mount the text."""
        with Vertical(id="box"):
            yield self.title_strip("ERRORS OF THIS SESSION")
            yield TextPane()
            yield self.keys_strip(("↑↓", "scroll"), ("y", "copy for a ticket"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show them."""
        pane = self.query_one(TextPane)
        pane.show(_lines(self._errors))
        pane.focus()

    def on_resize(self) -> None:
        """Take the rows the screen has."""
        self.limit_height(self.query_one(TextPane), 4)

    def action_copy(self) -> None:
        """Copy all as text."""
        copy = getattr(self.app, "copy", None)
        if copy is not None:
            copy("\n".join(f"[{one.code}] {one.message}\n  remedy: {one.hint}" for one in self._errors))


def _lines(errors: Sequence[CabstandError]) -> list[Line]:
    if not errors:
        return [line(Span(" none", Role.DIM))]
    rows: list[Line] = []
    for one in errors:
        rows.append(line(Span(f" [{one.code}]", Role.FAIL)))
        for part in one.message.split("\n"):
            rows += wrapped(part, 72, first="   ", rest="   ")
        if one.hint:
            rows += wrapped(f"remedy: {one.hint}", 72, role=Role.ACCENT, first="   ", rest="   ")
        rows.append(())
    return rows
