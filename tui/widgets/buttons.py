"""A row of buttons that takes one line: arrows choose, enter presses."""

from collections.abc import Sequence

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, cut, fitted, line, padded, width_of
from tui.widgets.strips import to_strip

BUTTON_KEYS = (
    Entry(id="buttons.left", keys="left,h", action="choose(-1)", title="Left", help="The button to the left."),
    Entry(id="buttons.right", keys="right,l", action="choose(1)", title="Right", help="The button to the right."),
    Entry(id="buttons.press", keys="enter,space", action="press", title="Press", help="Press the button."),
)


class ButtonRow(Widget, can_focus=True):
    """Buttons and, on their right, a note.

    Parameters
    ----------
    labels : sequence of str
        What stands on them; the label is also what `Pressed` tells.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "ButtonRow { height: 1; width: 1fr; }"
    BINDINGS = bindings(BUTTON_KEYS)
    ENTRIES = BUTTON_KEYS

    class Pressed(Message):
        """A button was pressed."""

        def __init__(self, label: str) -> None:
            super().__init__()
            self.label = label

    def __init__(self, labels: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._labels = tuple(labels)
        self._chosen = 0
        self._note: Line = ()

    @property
    def chosen(self) -> str:
        """Label of the button enter would press."""
        return self._labels[self._chosen]

    def show(self, labels: Sequence[str], *, chosen: str = "") -> None:
        """Show other buttons; the same one stays chosen where it still is there."""
        wanted = chosen or self.chosen
        self._labels = tuple(labels)
        self._chosen = self._labels.index(wanted) if wanted in self._labels else 0
        self.refresh()

    def note(self, text: str, role: Role = Role.DIM) -> None:
        """Write the note on the right."""
        note = line(Span(text, role))
        if note != self._note:
            self._note = note
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return one line."""
        del container, viewport, width
        return 1

    def render_line(self, y: int) -> Strip:
        """Draw the buttons."""
        del y
        width = self.size.width
        spans: list[Span] = [Span(" ")]
        for index, label in enumerate(self._labels):
            is_chosen = self.has_focus and index == self._chosen
            spans.append(Span(f"[>{label}<]" if is_chosen else f"[ {label} ]", Role.CURSOR if is_chosen else Role.KEY))
            spans.append(Span(" "))
        room = width - sum(width_of(span.text) for span in spans) - 1
        if self._note and room > 8:
            text, role = self._note[0]
            spans.append(Span(padded(cut(text, room), room, align=">"), role))
        return to_strip(self, fitted(tuple(spans), width), width)

    def action_choose(self, step: int) -> None:
        """Go to the next button."""
        self._chosen = max(0, min(len(self._labels) - 1, self._chosen + step))
        self.refresh()

    def action_press(self) -> None:
        """Press the chosen button."""
        self.post_message(self.Pressed(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Press the button under the mouse."""
        at = 1
        for index, label in enumerate(self._labels):
            end = at + width_of(label) + 4
            if at <= event.x < end:
                self._chosen = index
                self.refresh()
                self.action_press()
            at = end + 1
