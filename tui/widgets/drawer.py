"""The drawer that opens over the status line when something failed, and stays until it is put away."""

from textual.strip import Strip
from textual.widget import Widget

from calibstore.errors import CabstandError
from tui.spans import Line, Role, Span, line, padded, wrapped
from tui.widgets.strips import to_strip

MOST_LINES = 6


class ErrorDrawer(Widget, can_focus=False):
    """Message, hint and what to press."""

    DEFAULT_CSS = "ErrorDrawer { height: auto; max-height: 6; width: 1fr; display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self.waiting: CabstandError | None = None
        """The newest error that was not put away."""
        self._count = 0
        self._lines: list[Line] = []

    def show(self, problem: CabstandError, count: int) -> None:
        """Open with an error."""
        self.waiting, self._count = problem, count
        self._fold()
        self.display = True
        self.refresh(layout=True)

    def put_away(self) -> bool:
        """Close; return whether it was open."""
        was_open = self.display or self.waiting is not None
        self.display = False
        self.waiting = None
        return was_open

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return the number of lines at this width."""
        self._fold(width)
        return len(self._lines)

    def on_resize(self) -> None:
        """Fold anew."""
        self._fold()

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        width = self.size.width
        return to_strip(self, self._lines[y] if y < len(self._lines) else (), width)

    def _fold(self, width: int | None = None) -> None:
        problem, width = self.waiting, width or self.size.width or 80
        if problem is None:
            self._lines = []
            return
        head = f" ! ERROR [{problem.code}]" + (f"  ({self._count} this session)" if self._count > 1 else "")
        told = [
            one for part in problem.message.split("\n") for one in wrapped(part, width - 3, first="   ", rest="   ")
        ]
        hint = wrapped(f"remedy: {problem.hint}", width - 3, first="   ", rest="   ") if problem.hint else []
        keys = line(
            Span("   E", Role.KEY),
            Span(" details to copy   ", Role.DIM),
            Span("esc", Role.KEY),
            Span(" put away", Role.DIM),
        )
        room = MOST_LINES - 2 - len(hint)
        self._lines = [line(Span(padded(head, width), Role.FAIL)), *told[: max(1, room)], *hint, keys][:MOST_LINES]
