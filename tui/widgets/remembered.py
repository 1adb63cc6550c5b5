"""What the body showed when the program was left, drawn before anything is read."""

from textual.strip import Strip
from textual.widget import Widget

from tui.memory import RememberedFrame
from tui.spans import Line, Role, Span, line
from tui.widgets.strips import to_strip


class RememberedBody(Widget, can_focus=False):
    """Lies over the first view until that has its answer: the remembered body, marked with its time."""

    DEFAULT_CSS = "RememberedBody { height: 100%; width: 100%; layer: remembered; }"

    def __init__(self, frame: RememberedFrame | None) -> None:
        super().__init__()
        self._frame = frame
        self._lines: tuple[Line, ...] = ()

    def show_for(self, place: str) -> bool:
        """Take the remembered lines where they are of this place and width; return whether they are."""
        frame = self._frame
        loading = line(Span(" reading the store ...", Role.DIM))
        if frame is None or frame.place != place or frame.width != self.app.size.width:
            self._lines = ((), loading)
            return False
        mark = line(Span(f" as of {frame.at_text}; reading the store ...", Role.WARN))
        self._lines = (mark, *frame.lines[1:])
        return True

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        return to_strip(self, self._lines[y] if y < len(self._lines) else (), self.size.width)
