"""What dialogs have in common: a title row, a body, a line of keys; Esc closes."""

from typing import ClassVar, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget

from tui.chrome import LineStrip
from tui.spans import Role, Span, cut, line, width_of
from tui.widgets.strips import to_strip

R = TypeVar("R")


class TitleStrip(LineStrip):
    """A title that is drawn out to the width of the box."""

    def __init__(self, text: str) -> None:
        super().__init__(id="title")
        self._text = text

    def render_line(self, y: int) -> Strip:
        """Draw the title."""
        width = self.size.width
        text = cut(f"── {self._text} ", width)
        return to_strip(self, line(Span(text + "─" * (width - width_of(text)), Role.TITLE)), width)


class Dialog(ModalScreen[R]):
    """Lies over the view, in the middle, as large as it needs to be."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #box { width: 80; max-width: 100%; height: auto; max-height: 100%; background: $background; padding: 0; }
    Dialog Input { border: none; height: 1; padding: 0 1; }
    Dialog Input:focus { border: none; background-tint: $background 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", show=False)]

    _is_answered = False

    def dismiss(self, result: R | None = None) -> AwaitComplete:
        """Close with an answer, once: a second Enter that was typed before the box was gone answers nothing."""
        if self._is_answered:
            return AwaitComplete()
        self._is_answered = True
        return super().dismiss(result)

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def limit_height(self, pane: Widget, beside: int) -> None:
        """Let a pane grow until the screen is full, `beside` rows of it being others'.

        Limits relative to the screen will not do: Textual gives a box of automatic height all rows for them.
        """
        pane.styles.max_height = max(3, self.app.size.height - beside)

    def title_strip(self, text: str) -> LineStrip:
        """Return a title row."""
        return TitleStrip(text)

    def keys_strip(self, *pairs: tuple[str, str]) -> LineStrip:
        """Return a row of keys."""
        strip = LineStrip(id="dialog-keys")
        spans = [part for key, what in pairs for part in (Span(f" {key}", Role.KEY), Span(f" {what} ", Role.DIM))]
        strip.show(tuple(spans))
        return strip
