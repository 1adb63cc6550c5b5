"""Takes the tokens of a selection one by one, and says in plain words which one does not fit."""

import math
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.where_ast import Range, Time
from calibstore.model.where_lexer import Token, TokenKind, WhereError, tokenize
from calibstore.model.where_times import read_where_time

MAX_DEPTH: Final = 60
"""Deepest nesting of parentheses and nots."""
MAX_NUMBER: Final = 2**63 - 1
"""Largest number that a store can compare with."""
EXAMPLE: Final = "instrument = 'LATISS' and exposure.day_obs = 20250401 and exposure.seq_num in (1..20)"

OTHER_LANGUAGES: Final = {
    "like": "LIKE is not known here; write glob(x, 'pat*')",
    "between": "BETWEEN is not known here; write x >= 1 and x <= 5, or x in (1..5)",
    "is": "IS is not known here; every field has a value, compare with = or !=",
    "where": "leave the word 'where' out and begin with the condition",
}


class Reader:
    """The tokens of one selection and the place in them.

    Parameters
    ----------
    text : str
        The selection.

    Raises
    ------
    WhereError
        At the first character that belongs to no token.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.index]

    @property
    def previous(self) -> Token | None:
        """The token taken last."""
        return self.tokens[self.index - 1] if self.index else None

    def take(self) -> Token:
        """Go on by a token and return it; the end stays."""
        token = self.token
        self.index += token.kind is not TokenKind.END
        return token

    def is_next(self, *values: str) -> bool:
        """Tell whether a word or sign of some comes next."""
        return self.token.kind in (TokenKind.WORD, TokenKind.SYMBOL) and self.token.value in values

    def fail(self, what: str, token: Token, hint: str = "") -> WhereError:
        """Return the error of a token."""
        return WhereError(what, self.text, token.position, hint=hint or f"such as: {EXAMPLE}")

    def deeper(self, token: Token) -> None:
        """Count a level of nesting, up to a limit."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"parentheses are nested deeper than {MAX_DEPTH}", token)

    def close(self, opening: Token, wanted: str) -> None:
        """Take the parenthesis that closes another one."""
        if self.is_next(")"):
            self.take()
            return
        if self.token.kind is TokenKind.END:
            raise self.fail("this parenthesis is never closed", opening, "add a )")
        raise self.unexpected(wanted)

    def range(self, token: Token) -> Range:
        """Return the range a token is."""
        ends, _, stride = token.value.partition(":")
        begin, _, end = ends.partition("..")
        found = Range(int(begin), int(end), int(stride or 1), token.position)
        if max(abs(found.begin), abs(found.end), found.stride) > MAX_NUMBER:
            raise self.fail("a number of this range is too large", token)
        if found.stride < 1:
            raise self.fail("the stride of a range is at least 1", token, f"write {found.begin}..{found.end}")
        if found.begin > found.end:
            raise self.fail(
                f"the range ends before it begins: {found.begin} > {found.end}",
                token,
                f"write {found.end}..{found.begin}",
            )
        return found

    def number(self, token: Token) -> int | float:
        """Return the number a token is."""
        value = int(token.value) if token.value.isdigit() else float(token.value)
        if math.isinf(value) or (isinstance(value, int) and value > MAX_NUMBER):
            raise self.fail(f"the number {token} is too large", token)
        return value

    def time(self, token: Token) -> Time:
        """Return the time a token is."""
        value = token.value.strip()
        if value.isdigit() and len(value) == 8:
            raise self.fail(f"T'{value}' is no time", token, f"write exposure.day_obs = {value}")
        try:
            parsed = read_where_time(value)
        except UserInputError as problem:
            raise WhereError(problem.message, self.text, token.position, hint=problem.hint, code=problem.code) from None
        return Time(parsed.tai_ns, parsed.understood_as, token.position)

    def unexpected(self, wanted: str) -> WhereError:
        """Return the error of what comes next, where something else was wanted."""
        token, previous = self.token, self.previous
        if token.kind is TokenKind.NAME and token.value.lower() in OTHER_LANGUAGES:
            return self.fail(OTHER_LANGUAGES[token.value.lower()], token)
        if previous is not None and previous.kind is TokenKind.WORD and token.kind is TokenKind.WORD:
            twice = "twice in a row" if token.value == previous.value else f"after '{previous.value}'"
            return self.fail(f"'{token.value}' stands {twice}", token, "take one of them out")
        if previous is None or previous.value == "(":
            return self.fail(f"{token} stands where {wanted} should", token)
        return self.fail(f"{wanted} is missing after {previous}; found {token}", token)
