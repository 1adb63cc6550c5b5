"""What dialogs have in common: a title row, a body, a line of keys; Esc closes."""

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.chrome import LineStrip
from tui.spans import Role, Span, line, padded

R = TypeVar("R")


class Dialog(ModalScreen[R]):
    """Lies over the view, in the middle, as large as it needs to be."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #box { width: 76; max-width: 100%; height: auto; max-height: 100%; background: $background; padding: 0; }
    Dialog Input { border: none; height: 1; padding: 0 1; }
    Dialog Input:focus { border: none; background-tint: $background 0%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close", show=False)]

    def action_close(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def title_strip(self, text: str) -> LineStrip:
        """Return a title row."""
        strip = LineStrip(id="title")
        strip.show(line(Span(padded(f"── {text} " + "─" * 120, 120), Role.TITLE)))
        return strip

    def keys_strip(self, *pairs: tuple[str, str]) -> LineStrip:
        """Return a row of keys."""
        strip = LineStrip(id="dialog-keys")
        spans = [part for key, what in pairs for part in (Span(f" {key}", Role.KEY), Span(f" {what} ", Role.DIM))]
        strip.show(tuple(spans))
        return strip
