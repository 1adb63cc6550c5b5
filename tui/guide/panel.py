"""The panel of the guided walk: a column beside wide screens, a strip under narrow ones."""

from typing import TYPE_CHECKING, Any, Final, cast

from textual import events
from textual.strip import Strip
from textual.widget import Widget

from tui.memory import Memory
from tui.paint import guide as paint
from tui.spans import Line
from tui.widgets.strips import to_strip

if TYPE_CHECKING:
    from calibstore.services.looks.guide import GuideLook
    from tui.app import CabstandApp

WIDE: Final = 112
"""From this width on the panel stands beside the view."""


READ_S: Final = 2.0
"""How often the store is asked how far the walk has come [s]."""


class GuidePanel(Widget, can_focus=False):
    """Why the present step is done, what to press, what to look at; marks what the store says is done."""

    DEFAULT_CSS = """
    GuidePanel { dock: bottom; width: 1fr; height: 6; }
    GuidePanel.-beside { dock: right; width: 38; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._look: GuideLook | None = None
        self._lines: tuple[Line, ...] = ()
        self._here = ""

    @property
    def _frame(self) -> "CabstandApp":
        return cast("CabstandApp", self.app)

    @property
    def _memory(self) -> Memory:
        return self._frame.memory

    def on_mount(self) -> None:
        """Read how far the walk has come, and again when a job may have ended: that is no new state of the store."""
        self._place()
        self.read()
        self.set_interval(READ_S, self.read)

    def visit(self, view: str) -> None:
        """Note which view is shown; it counts as looked at once it is left."""
        left, self._here = self._here, view
        seen = self._memory.visited()
        if left and left != view and left not in seen:
            self._memory.keep_visited([*seen, left])
            self.read()

    def read(self) -> None:
        """Read again."""
        visited = frozenset(self._memory.visited())

        def question(context: Any) -> "GuideLook":
            from calibstore.services.looks.guide import guide_look

            return guide_look(context, visited)

        self._frame.link.read(question, self._show, group="guide")

    @property
    def look(self) -> "GuideLook | None":
        """What is shown."""
        return self._look

    def _show(self, look: "GuideLook") -> None:
        if look != self._look:
            self._look = look
            self._paint()

    def on_resize(self, event: events.Resize) -> None:
        """Fit to the new size."""
        self._paint()

    def place_for(self, width: int) -> None:
        """Stand beside the view or under it."""
        self.set_class(width >= WIDE, "-beside")

    def _place(self) -> None:
        self.place_for(self.app.size.width)

    def _paint(self) -> None:
        width, height = self.size
        if self._look is None or width < 8:
            self._lines = ()
        elif self.has_class("-beside"):
            self._lines = paint.column(self._look, width, height)
        else:
            self._lines = paint.strip(self._look, width, height)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        return to_strip(self, self._lines[y] if y < len(self._lines) else (), self.size.width)
