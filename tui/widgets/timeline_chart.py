"""A body of ready lines that sends again only the lines that changed; keys go to the view."""

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.spans import Line
from tui.widgets.strips import to_strip


class TimelineChart(Widget, can_focus=True):
    """Lines of the timeline's painter, without scrolling."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "TimelineChart { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[Line, ...] = ()

    @property
    def shown(self) -> tuple[Line, ...]:
        """The lines drawn now."""
        return self._shown

    def show(self, lines: Sequence[Line]) -> None:
        """Draw other lines; lines that are the same are not sent again."""
        before, self._shown = self._shown, tuple(lines)
        for y in range(max(len(before), len(self._shown))):
            old = before[y] if y < len(before) else ()
            new = self._shown[y] if y < len(self._shown) else ()
            if old != new:
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw a line."""
        return to_strip(self, self._shown[y] if y < len(self._shown) else (), self.size.width)
