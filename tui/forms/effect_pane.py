"""The lower half of a form: an effect, an answer, an error or a result, painted anew when its width changes."""

from collections.abc import Callable, Sequence

from tui.spans import Line, Role, wrapped
from tui.widgets.text_pane import TextPane

Painter = Callable[[int], Sequence[Line]]
"""Width to lines."""
NARROWEST = 40


class EffectPane(TextPane):
    """Shows what a painter paints."""

    DEFAULT_CSS = "EffectPane { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(title="EFFECT", id=id)
        self._painter: Painter = lambda _width: ()

    def paint(self, painter: Painter, title: str) -> None:
        """Show something; the same kind of thing again stays scrolled to where it was."""
        is_same = self.pane_title.split(":")[0] == title.split(":", maxsplit=1)[0]
        self._painter = painter
        self.show(painter(self._paint_width()), title=title, keep_place=is_same)

    def tell(self, text: str, title: str) -> None:
        """Show a sentence."""
        self.paint(lambda width: wrapped(text, width, role=Role.DIM), title)

    def on_resize(self) -> None:
        """Fold the text anew."""
        self.show(self._painter(self._paint_width()), keep_place=True)
        super().on_resize()

    def _paint_width(self) -> int:
        return max(NARROWEST, self.size.width)
