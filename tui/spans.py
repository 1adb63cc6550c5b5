"""Text with a meaning: what every screen is made of before a theme gives it colours.

A `Line` is drawn by the widgets, printed by ``--plain`` and compared by the golden tests; nothing here knows Textual.
"""

import textwrap
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a piece of text means; a theme says how that looks, never by colour alone."""

    PLAIN = "plain"
    DIM = "dim"
    STRONG = "strong"
    TITLE = "title"
    """The title of a pane."""
    HEAD = "head"
    """Column heads."""
    KEY = "key"
    """A key to press."""
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    BEYOND = "beyond"
    """In a plot: a limit that fails, and what is beyond it. Lines and glyphs, so never a block of colour."""
    ACCENT = "accent"
    """Where the eye should go: the winner, the active item."""
    CURSOR = "cursor"
    """The row or cell under the cursor of the focused pane."""
    CURSOR_IDLE = "cursor_idle"
    """The same in a pane without focus."""
    SELECTED = "selected"
    """Marked by the user."""
    CODE = "code"
    """A line to type in a shell."""
    BAR = "bar"
    """The top line of the frame."""
    TAB = "tab"
    TAB_ACTIVE = "tab_active"
    OFF = "off"
    """What cannot be done now; struck out."""
    LABEL = "label"
    """The name of a field."""


class Span(NamedTuple):
    """A piece of text with one role."""

    text: str
    role: Role = Role.PLAIN


Line = tuple[Span, ...]
"""One line of a screen, left to right."""

ELLIPSIS = "…"


def line(*parts: "str | Span") -> Line:
    """Make a line of texts and spans; empty ones are left out."""
    spans = (part if isinstance(part, Span) else Span(part) for part in parts)
    return tuple(span for span in spans if span.text)


def width_of(text: str) -> int:
    """Return how many terminal cells a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def text_of(spans: Line) -> str:
    """Return a line as text, trailing blanks removed."""
    return "".join(span.text for span in spans).rstrip()


def length_of(spans: Line) -> int:
    """Return how many terminal cells a line takes."""
    return sum(width_of(span.text) for span in spans)


def cut(text: str, width: int, *, keep: str = "begin") -> str:
    """Return a text in at most `width` cells; what was cut shows as an ellipsis.

    Parameters
    ----------
    text : str
        Any text without line ends.
    width : int
        Cells.
    keep : str
        ``"begin"``, ``"end"`` (collection names differ at their end) or ``"ends"`` (both).
    """
    if width_of(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    if keep == "end":
        return ELLIPSIS + _last(text, width - 1)
    if keep == "ends":
        after = (width - 1) // 2
        return _first(text, width - 1 - after) + ELLIPSIS + _last(text, after)
    return _first(text, width - 1) + ELLIPSIS


def padded(text: str, width: int, *, align: str = "<", keep: str = "begin") -> str:
    """Return a text in exactly `width` cells, cut or filled with blanks."""
    shown = cut(text, width, keep=keep)
    missing = width - width_of(shown)
    return " " * missing + shown if align == ">" else shown + " " * missing


def fitted(spans: Line, width: int) -> Line:
    """Return a line in exactly `width` cells."""
    out: list[Span] = []
    left = width
    for span in spans:
        size = width_of(span.text)
        if size > left:
            shown = cut(span.text, left)
            out.append(Span(shown, span.role))
            left -= width_of(shown)
            break
        out.append(span)
        left -= size
    if left > 0:
        out.append(Span(" " * left))
    return tuple(out)


def without(spans: Line, width: int) -> Line:
    """Return what stands in a line from a cell on."""
    out: list[Span] = []
    for span in spans:
        size = width_of(span.text)
        if width >= size:
            width -= size
        else:
            out.append(Span(_last(span.text, size - width), span.role) if width else span)
            width = 0
    return tuple(out)


def wrapped(text: str, width: int, *, role: Role = Role.PLAIN, first: str = "", rest: str = "") -> list[Line]:
    """Fold prose to `width`; words longer than a line are not broken but cut by who draws them."""
    folded = textwrap.wrap(
        text,
        max(8, width),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line(Span(one, role)) for one in folded or [first]]


def side_by_side(left: Sequence[Line], right: Sequence[Line], left_width: int, gap: str = "  ") -> list[Line]:
    """Return two blocks of lines beside each other."""
    rows = max(len(left), len(right))
    return [
        (
            *fitted(left[row] if row < len(left) else (), left_width),
            Span(gap),
            *(right[row] if row < len(right) else ()),
        )
        for row in range(rows)
    ]


def plain_text(lines: Iterable[Line]) -> str:
    """Return lines as text."""
    return "\n".join(text_of(one) for one in lines)


def _first(text: str, width: int) -> str:
    kept, size = "", 0
    for character in text:
        size += width_of(character)
        if size > width:
            break
        kept += character
    return kept


def _last(text: str, width: int) -> str:
    return _first(text[::-1], width)[::-1]
