"""Text taken apart into cells: what stands in each, how wide it is, and whether terminals agree on that."""

import re
from functools import lru_cache
from typing import Final

from rich.cells import cell_len, split_graphemes

STUB: Final = ""
"""The right half of a wide character."""

_AGREED: Final = re.compile(
    "[\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u0370-\u0482"  # Latin, Greek, Cyrillic
    "\u2010-\u2027\u2030-\u205e\u2070-\u209c\u20a0-\u20bf"  # punctuation, superscripts, currencies
    "\u2190-\u2199\u2200-\u22ff\u2500-\u25fc\u2800-\u28ff"  # arrows, mathematics, boxes, braille
    "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff60]*"  # kana, Chinese, Korean, full width
)


def is_agreed(text: str) -> bool:
    """Return whether every terminal gives these characters the same width.

    Emoji, combining marks and joined sequences are drawn one or two cells wide by different terminals; after them
    the cursor is set anew.
    """
    return text.isascii() or _AGREED.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def split_cells(text: str) -> tuple[str, ...]:
    """Return the cells of a text without control characters.

    Parameters
    ----------
    text : str
        Printable text.

    Returns
    -------
    tuple of str
        One entry per cell: a character with the marks that combine with it, and `STUB` after a wide one. Marks
        that begin the text belong to the cell before it (`leading_marks`) and are left out.
    """
    if text.isascii():
        return tuple(text)
    cells: list[str] = []
    spans, _ = split_graphemes(text)
    for start, end, width in spans:
        if width == 0:
            continue
        cells.append(text[start:end])
        if width == 2:
            cells.append(STUB)
    return tuple(cells)


def leading_marks(text: str) -> str:
    """Return the combining marks a text begins with: they change the cell to their left."""
    if text.isascii():
        return ""
    n_marks = 0
    while n_marks < len(text) and cell_len(text[: n_marks + 1]) == 0:
        n_marks += 1
    return text[:n_marks]
