"""Every glyph beyond ASCII that screens draw, each with its ASCII twin.

Painters always write the Unicode glyph; `asciified` is applied once, where lines become cells or text.
"""

from typing import Final

ASCII_TWINS: Final = {
    "…": ".", "·": "-", "—": "-", "–": "-", "→": ">", "←": "<", "↑": "^", "↓": "v", "∞": "inf",
    "─": "-", "━": "=", "│": "|", "┃": "|", "┊": "|", "╌": "-", "╋": "+", "┼": "+", "┬": "+", "┴": "+",
    "├": "[", "┤": "]", "┣": "[", "┫": "]", "╂": "+", "┌": "+", "┐": "+", "└": "+", "┘": "+",
    "▶": ">", "◀": "<", "▲": "^", "▼": "v", "▸": ">", "▾": "v", "●": "*", "○": "o", "×": "x", "±": "+-",
    "▁": "_", "▂": "_", "▃": "-", "▄": "-", "▅": "=", "▆": "=", "▇": "#", "█": "#", "▀": "\"", "░": ".", "▒": ":",
    "▓": "#", "≤": "<=", "≥": ">=", "σ": "s", "µ": "u", "²": "2", "√": "sqrt", "✓": "v", "✗": "x", "‹": "<",
    "›": ">", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
"""Glyph -> ASCII. One cell for one cell wherever it may stand in a table."""

_TABLE: Final = str.maketrans(ASCII_TWINS)


def asciified(text: str) -> str:
    """Return a text in ASCII: known glyphs by their twins, braille by dots, anything else by a question mark."""
    if text.isascii():
        return text
    swapped = text.translate(_TABLE)
    if swapped.isascii():
        return swapped
    return "".join(_twin(character) for character in swapped)


def _twin(character: str) -> str:
    if character.isascii():
        return character
    code = ord(character)
    if 0x2800 <= code <= 0x28FF:  # braille: as many dots as the cell has
        return " .:+#"[min(4, ((code - 0x2800).bit_count() + 1) // 2)]
    return "?"
