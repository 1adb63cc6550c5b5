"""Splits a selection into tokens, and says in plain words what does not belong there.

The error of a selection shows the line with a caret under the place.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from calibstore.errors import UserInputError

CONTEXT: Final = 60
"""Characters shown before and after the caret of a long line."""


class WhereError(UserInputError):
    """A selection cannot be read; the message ends with the text and a caret under the place.

    Parameters
    ----------
    what : str
        One line of message.
    text : str
        The whole selection.
    position : int
        Index of the place in `text`.
    hint : str
        How to write it.
    code : str, optional
        Stable identifier.
    """

    default_code: ClassVar[str] = "E-WHERE"

    def __init__(self, what: str, text: str, position: int, *, hint: str = "", code: str = "") -> None:
        self.what = what
        self.text = text
        self.position = min(max(position, 0), len(text))
        self.diagram = caret_diagram(text, self.position)
        super().__init__(f"{what}\n{self.diagram}", hint=hint, code=code)


class TokenKind(StrEnum):
    """What a token is."""

    NUMBER = "number"
    """Whole or decimal number."""
    RANGE = "range"
    """``a..b`` or ``a..b:s``."""
    TEXT = "text"
    """In single quotes; the value is without them."""
    TIME = "time"
    """``T'...'``; the value is what stands between the quotes."""
    NAME = "name"
    """Identifier."""
    WORD = "word"
    """``and``, ``or``, ``not``, ``in``, ``overlaps``, ``null``; the value is in lower case."""
    SYMBOL = "symbol"
    """Comparison, parenthesis, comma, sign of arithmetic."""
    END = "end"
    """After the last token."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token and its place."""

    kind: TokenKind
    value: str
    position: int

    def __str__(self) -> str:
        match self.kind:
            case TokenKind.END:
                return "the end"
            case TokenKind.TEXT:
                return f"'{self.value}'"
            case TokenKind.TIME:
                return f"T'{self.value}'"
            case _:
                return self.value


KEYWORDS: Final = frozenset({"and", "or", "not", "in", "overlaps", "null"})

_TOKENS = re.compile(
    r"(?P<blank>\s+)"
    r"|(?P<time>T'[^']*')"
    r"|(?P<text>'[^']*')"
    r"|(?P<range>-?\d+\s*\.\.\s*-?\d+(?:\s*:\s*\d+)?)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<symbol>!=|<=|>=|=(?!=)|<(?!>)|>|\(|\)|,|-|\+|\*|/|%)",
    re.ASCII,
)
_FOREIGN: Final = (
    ("==", "there is no '=='", "equality is a single ="),
    ("<>", "there is no '<>'", "write != for 'not equal'"),
    ('"', "texts stand in single quotes, not double ones", "write 'bias', not \"bias\""),
    ("\N{LEFT DOUBLE QUOTATION MARK}", "texts stand in straight single quotes", "write 'bias'"),
    ("\N{RIGHT DOUBLE QUOTATION MARK}", "texts stand in straight single quotes", "write 'bias'"),
    ("\N{LEFT SINGLE QUOTATION MARK}", "texts stand in straight single quotes", "write 'bias'"),
    ("\N{RIGHT SINGLE QUOTATION MARK}", "texts stand in straight single quotes", "write 'bias'"),
    ("'", "this quote is never closed", "look at every quote before it too; a text is 'bias'"),
    ("&", "there is no '&'", "write and"),
    ("|", "there is no '|'", "write or"),
    ("!", "there is no '!'", "write not (...), or != for 'not equal'"),
    (":", "named values (:name) are for programs, nothing gives them here", "write the value itself"),
    (";", "a selection is one expression", "join conditions with and, or"),
    ("[", "lists stand in round parentheses", "write detector in (0, 1)"),
    ("]", "lists stand in round parentheses", "write detector in (0, 1)"),
)


def tokenize(text: str) -> list[Token]:
    """Split a selection into tokens, an END last.

    Parameters
    ----------
    text : str
        The selection.

    Raises
    ------
    WhereError
        At the first character that belongs to no token.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = _TOKENS.match(text, position)
        if found is None:
            raise _foreign(text, position)
        if found.lastgroup != "blank":
            tokens.append(_token(found.lastgroup or "", found[0], position))
        position = found.end()
    tokens.append(Token(TokenKind.END, "", len(text.rstrip())))
    return tokens


def caret_diagram(text: str, position: int) -> str:
    """Return the line of a position, cut to a window, and a caret under it.

    Parameters
    ----------
    text : str
        Text of one or more lines.
    position : int
        Index into it, up to its length.
    """
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[begin : len(text) if end < 0 else end].replace("\t", " ")
    column = position - begin
    cut = max(0, column - CONTEXT)
    shown = line[cut : column + CONTEXT]
    left = "... " if cut else ""
    right = " ..." if column + CONTEXT < len(line) else ""
    return f"  {left}{shown}{right}\n  {' ' * (len(left) + column - cut)}^"


def _token(group: str, matched: str, position: int) -> Token:
    match group:
        case "time":
            return Token(TokenKind.TIME, matched[2:-1], position)
        case "text":
            return Token(TokenKind.TEXT, matched[1:-1], position)
        case "name" if matched.lower() in KEYWORDS:
            return Token(TokenKind.WORD, matched.lower(), position)
        case _:
            return Token(TokenKind(group), matched, position)


def _foreign(text: str, position: int) -> WhereError:
    for characters, what, hint in _FOREIGN:
        if text.startswith(characters, position):
            return WhereError(what, text, position, hint=hint)
    if re.compile(r"[\d.]+\.\.").match(text, position):
        return WhereError("a range is two whole numbers", text, position, hint="write 1..20 or 1..20:2")
    if text[position].isdigit():
        return WhereError(
            "a name cannot begin with a digit", text, position, hint="texts stand in single quotes: '20250401a'"
        )
    return WhereError(
        f"{text[position]!r} does not belong in a selection", text, position, hint="write conditions: detector = 0"
    )
