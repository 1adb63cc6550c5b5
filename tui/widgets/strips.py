"""From lines with roles to strips of cells, by the theme of the application."""

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip

from tui.glyphs import asciified
from tui.spans import Line, Span, fitted
from tui.themes import DARK, RoleStyles

if TYPE_CHECKING:
    from textual.widget import Widget


def styles_for(widget: "Widget") -> RoleStyles:
    """Return the styles of the widget's application; dark where it has none of its own (small test apps)."""
    return getattr(widget.app, "role_styles", DARK)


def draws_ascii(widget: "Widget") -> bool:
    """Tell whether only ASCII may be drawn."""
    return bool(getattr(widget.app, "is_ascii", False))


def to_strip(widget: "Widget", spans: Line, width: int) -> Strip:
    """Return a line as a strip of exactly `width` cells.

    Neighbours of one role become one segment: fewer colour codes on the line.
    """
    if draws_ascii(widget):
        spans = tuple(Span(asciified(text), role) for text, role in spans)
    styles = styles_for(widget)
    segments: list[Segment] = []
    text, role = "", None
    shown = fitted(spans, width)
    if draws_ascii(widget):  # again: cutting puts an ellipsis
        shown = tuple(Span(asciified(text), role) for text, role in shown)
    for span in shown:
        if span.role is role:
            text += span.text
            continue
        if role is not None and text:
            segments.append(Segment(text, styles[role]))
        text, role = span.text, span.role
    if role is not None and text:
        segments.append(Segment(text, styles[role]))
    return Strip(segments, width)
