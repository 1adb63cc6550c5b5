"""``:walk``: the whole story of the guided walk, with marks; begins it anew."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.dialogs.base import Dialog
from tui.spans import Line, Role, Span, line
from tui.widgets.text_pane import TextPane

ANEW, OPEN = "anew", "open"


class WalkDialog(Dialog[str]):
    """Answers `ANEW` when the walk is to begin anew, `OPEN` when the form of the present step is wanted.

    Parameters
    ----------
    lines : sequence of Line
        The story.
    here : int
        Row of the present step.
    has_form : bool
        Whether the present step has a form with everything filled in.
    """

    DEFAULT_CSS = "WalkDialog TextPane { height: 18; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R,shift+r", "again", show=False),
        Binding("y", "yes", show=False),
        Binding("enter", "open_form", show=False),
        Binding("q", "close", show=False),
    ]

    def __init__(self, lines: Sequence[Line], *, here: int = 0, has_form: bool = False) -> None:
        super().__init__()
        self._lines = lines
        self._here, self._has_form = here, has_form
        self._is_asked = False

    def compose(self) -> ComposeResult:
        """Mount the text."""
        with Vertical(id="box"):
            yield self.title_strip("THE WHOLE WALK")
            yield TextPane()
            form = (("enter", "form of this step"),) if self._has_form else ()
            yield self.keys_strip(*form, ("↑↓", "scroll"), ("R", "begin anew"), ("esc", "close"))

    def on_mount(self) -> None:
        """Show it, the present step in sight."""
        pane = self.query_one(TextPane)
        pane.show(self._lines)
        pane.focus()
        self.call_after_refresh(pane.action_by_rows, max(0, self._here - 4))

    def action_again(self) -> None:
        """Ask before the practised work is thrown away."""
        self._is_asked = True
        question = line(Span(" Throw this rehearsal away and begin anew?  y", Role.WARN), " yes   esc no")
        self.query_one(TextPane).show([question])

    def action_yes(self) -> None:
        """Begin anew."""
        if self._is_asked:
            self.dismiss(ANEW)

    def action_open_form(self) -> None:
        """Open the form of the present step."""
        if self._has_form and not self._is_asked:
            self.dismiss(OPEN)
