"""Reads the selection language: the part of the Butler's where that exposures need.

Precedence from low to high: or; and; comparisons and ``in``; not (which therefore takes parentheses). Times are
``T'...'``, UTC unless they say otherwise. `check_where` in `calibstore.model.where_fields` knows the names.
"""

import math
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.times import parse_time
from calibstore.model.where_ast import (
    And,
    Comparison,
    Expression,
    Identifier,
    Item,
    Literal,
    Membership,
    Not,
    Number,
    Operand,
    Or,
    Range,
    Text,
    Time,
)
from calibstore.model.where_lexer import Token, TokenKind, WhereError, tokenize

__all__ = [
    "And",
    "Comparison",
    "Expression",
    "Identifier",
    "Item",
    "Literal",
    "Membership",
    "Not",
    "Number",
    "Operand",
    "Or",
    "Range",
    "Text",
    "Time",
    "WhereError",
    "parse_where",
]

COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
MAX_DEPTH: Final = 100
"""Deepest nesting of parentheses and nots."""
MAX_NUMBER: Final = 2**63 - 1
"""Largest number that a store can compare with."""
EXAMPLE: Final = "instrument = 'LATISS' and exposure.day_obs = 20250401 and exposure.seq_num in (1..20)"

_OTHER_LANGUAGES: Final = {
    "like": "LIKE is not known here; compare with = or list the values: x in ('a', 'b')",
    "between": "BETWEEN is not known here; write x >= 1 and x <= 5, or x in (1..5)",
    "is": "IS is not known here; every field has a value, compare with = or !=",
    "glob": "GLOB is not known here; list the values: x in ('a', 'b')",
    "where": "leave the word 'where' out and begin with the condition",
}


def parse_where(text: str) -> Expression:
    """Read a selection.

    Parameters
    ----------
    text : str
        Such as ``instrument = 'LATISS' and exposure.seq_num in (1..20)``.

    Returns
    -------
    Expression
        Its conditions; ``str()`` of it reads the same again.

    Raises
    ------
    WhereError
        If the selection is empty or breaks the grammar, with the place.
    """
    if not text.strip():
        raise WhereError("the selection is empty: it would take every exposure", text, 0, hint=f"such as: {EXAMPLE}")
    parser = _Parser(text)
    expression = parser.parse_or()
    parser.require_end()
    return expression


class _Parser:
    """Recursive descent over the tokens of one selection."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    @property
    def previous(self) -> Token | None:
        return self.tokens[self.index - 1] if self.index else None

    def take(self) -> Token:
        token = self.token
        self.index += token.kind is not TokenKind.END
        return token

    def is_next(self, *values: str) -> bool:
        return self.token.kind in (TokenKind.WORD, TokenKind.SYMBOL) and self.token.value in values

    def fail(self, what: str, token: Token, hint: str = "") -> WhereError:
        return WhereError(what, self.text, token.position, hint=hint or f"such as: {EXAMPLE}")

    def parse_or(self) -> Expression:
        terms = [self.parse_and()]
        while self.is_next("or"):
            self.take()
            terms.append(self.parse_and())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def parse_and(self) -> Expression:
        terms = [self.parse_term()]
        while self.is_next("and"):
            self.take()
            terms.append(self.parse_term())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def parse_term(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"parentheses are nested deeper than {MAX_DEPTH}", self.token)
        try:
            if self.is_next("not"):
                return self._parse_not()
            if self.is_next("("):
                return self._parse_group()
            return self._parse_condition()
        finally:
            self.depth -= 1

    def _parse_not(self) -> Expression:
        self.take()
        if not self.is_next("(", "not"):
            raise self.fail(
                "not takes a condition in parentheses", self.token, "write not (a = 1), a != 1, or a not in (1, 2)"
            )
        return Not(self.parse_term())

    def _parse_group(self) -> Expression:
        opening = self.take()
        expression = self.parse_or()
        if not self.is_next(")"):
            if self.token.kind is TokenKind.END:
                raise self.fail("this parenthesis is never closed", opening, "add a )")
            raise self._unexpected("and, or, or )")
        self.take()
        return expression

    def _parse_condition(self) -> Expression:
        start = self.token
        left = self._parse_operand("a condition")
        if self.is_next("not", "in"):
            return self._parse_membership(left, start)
        if self.is_next("overlaps"):
            return self._parse_overlaps(left, start)
        if not (self.token.kind is TokenKind.SYMBOL and self.token.value in COMPARISONS):
            raise self._no_comparison(left, start)
        operator = self.take()
        right = self._parse_operand("a value")
        if not isinstance(left, Identifier) and not isinstance(right, Identifier):
            raise self.fail("this compares two constants", start, "one side must be a name such as exposure.seq_num")
        if self.token.kind is TokenKind.SYMBOL and self.token.value in COMPARISONS:
            raise self.fail("comparisons do not chain", self.token, "join two of them: 1 <= x and x <= 5")
        return Comparison(left, operator.value, right, operator.position)

    def _parse_operand(self, wanted: str) -> Operand:
        if self.token.kind is not TokenKind.NAME:
            return self._parse_literal(wanted)
        if self.token.value.lower() in _OTHER_LANGUAGES:
            raise self.fail(_OTHER_LANGUAGES[self.token.value.lower()], self.token)
        token = self.take()
        following = self.tokens[self.index]
        if token.value == "t" and following.kind is TokenKind.TEXT and following.position == token.position + 1:
            raise self.fail("a time begins with a capital T", token, f"write T{following}")
        return Identifier(token.value, token.position)

    def _parse_literal(self, wanted: str) -> Literal:
        token = self.token
        match token.kind:
            case TokenKind.NUMBER:
                self.take()
                return Number(self._number(token), token.position)
            case TokenKind.TEXT:
                self.take()
                return Text(token.value, token.position)
            case TokenKind.TIME:
                self.take()
                return self._time(token)
            case TokenKind.RANGE:
                raise self.fail("a range stands inside in (...)", token, f"write x in ({token.value})")
            case TokenKind.SYMBOL if token.value in "+-":
                return self._parse_signed()
            case _:
                raise self._unexpected(wanted)

    def _parse_signed(self) -> Number:
        sign = self.take()
        if self.token.kind is not TokenKind.NUMBER:
            raise self.fail(f"a number is missing after {sign}", self.token)
        value = self._number(self.take())
        return Number(-value if sign.value == "-" else value, sign.position)

    def _number(self, token: Token) -> int | float:
        value = int(token.value) if token.value.isdigit() else float(token.value)
        if math.isinf(value) or (isinstance(value, int) and value > MAX_NUMBER):
            raise self.fail(f"the number {token} is too large", token)
        return value

    def _parse_membership(self, left: Operand, start: Token) -> Membership:
        if not isinstance(left, Identifier):
            raise self.fail(f"a name must stand before {self.token}", start, "write detector in (0, 1)")
        operator = self.take()
        is_negated = operator.value == "not"
        if is_negated:
            if not self.is_next("in"):
                raise self.fail("'in' is missing after not", self.token, "write x not in (1, 2), or not (x = 1)")
            self.take()
        if not self.is_next("("):
            raise self.fail("a list in parentheses is missing after in", self.token, "write detector in (0, 1)")
        opening = self.take()
        if self.is_next(")"):
            raise self.fail("the list is empty: it selects nothing", opening, "write detector in (0, 1)")
        items = [self._parse_item(opening)]
        while self.is_next(","):
            self.take()
            items.append(self._parse_item(opening))
        if not self.is_next(")"):
            if self.token.kind is TokenKind.END:
                raise self.fail("this parenthesis is never closed", opening, "add a )")
            raise self._unexpected("a comma or )")
        self.take()
        return Membership(left, tuple(items), is_negated, operator.position)

    def _parse_item(self, opening: Token) -> Item:
        token = self.token
        if token.kind is TokenKind.RANGE:
            self.take()
            return self._range(token)
        if token.kind is TokenKind.NAME:
            raise self.fail(f"{token} is no value", token, f"texts stand in single quotes: '{token}'")
        if token.kind is TokenKind.END:
            raise self.fail("this parenthesis is never closed", opening, "add a )")
        return self._parse_literal("a value")

    def _range(self, token: Token) -> Range:
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

    def _parse_overlaps(self, left: Operand, start: Token) -> Expression:
        """Read ``x.timespan overlaps T'..'`` or ``(T'..', T'..')`` as comparisons of begin and end."""
        if not isinstance(left, Identifier) or not left.name.endswith("timespan"):
            raise self.fail(
                "overlaps takes a timespan before it", start, "write exposure.timespan overlaps (T'...', T'...')"
            )
        operator = self.take()
        begin, end = self._parse_bounds()
        conditions: list[Expression] = []
        if begin is not None:
            name = Identifier(f"{left.name}.end", left.position)
            conditions.append(Comparison(name, ">", begin, operator.position))
        if end is not None:
            name = Identifier(f"{left.name}.begin", left.position)
            conditions.append(Comparison(name, "<", end, operator.position))
        if not conditions:
            raise self.fail("both ends are open: every exposure overlaps", operator, "leave the condition out")
        return conditions[0] if len(conditions) == 1 else And(tuple(conditions))

    def _parse_bounds(self) -> tuple[Time | None, Time | None]:
        if self.token.kind is TokenKind.TIME:
            instant = self._time(self.take())
            return instant, Time(instant.tai_ns + 1, instant.understood_as, instant.position)
        if not self.is_next("("):
            raise self._unexpected("T'...' or (T'...', T'...')")
        opening = self.take()
        begin = self._parse_bound()
        if not self.is_next(","):
            raise self._unexpected("a comma")
        self.take()
        end = self._parse_bound()
        if not self.is_next(")"):
            raise self._unexpected(")")
        self.take()
        if begin is not None and end is not None and begin.tai_ns >= end.tai_ns:
            raise self.fail("the begin is not before the end", opening, "the end is the first instant after the range")
        return begin, end

    def _parse_bound(self) -> Time | None:
        if self.is_next("null"):
            self.take()
            return None
        if self.token.kind is not TokenKind.TIME:
            raise self._unexpected("T'...' or null")
        return self._time(self.take())

    def _time(self, token: Token) -> Time:
        value = token.value.strip()
        for prefix in ("isot/", "iso/"):
            value = value.removeprefix(prefix)
        if value.isdigit() and len(value) == 8:
            raise self.fail(f"T'{value}' is no time", token, f"write exposure.day_obs = {value}")
        try:
            parsed = parse_time(value, default_scale="utc")
        except UserInputError as problem:
            raise WhereError(problem.message, self.text, token.position, hint=problem.hint, code=problem.code) from None
        return Time(parsed.tai_ns, parsed.understood_as, token.position)

    def require_end(self) -> None:
        if self.is_next(")"):
            raise self.fail("this parenthesis was never opened", self.token, "take it out, or add a ( before")
        if self.token.kind is not TokenKind.END:
            raise self._unexpected("and, or, or the end")

    def _no_comparison(self, left: Operand, start: Token) -> WhereError:
        word = self.token.value.lower()
        if self.token.kind is TokenKind.NAME and word in _OTHER_LANGUAGES:
            return self.fail(_OTHER_LANGUAGES[word], self.token)
        if self.token.kind is TokenKind.SYMBOL and self.token.value in "+-":
            return self.fail("arithmetic is not known here", self.token, "write the value itself")
        if self.token.kind is TokenKind.SYMBOL and self.token.value == "(" and isinstance(left, Identifier):
            return self.fail(f"there is no function {left}", start)
        if self.token.kind in (TokenKind.NUMBER, TokenKind.TEXT, TokenKind.TIME, TokenKind.NAME, TokenKind.RANGE):
            return self.fail(
                f"a comparison is missing between {left} and {self.token}", self.token, f"write {left} = ..."
            )
        return self.fail(f"{left} alone is no condition", start, f"compare it: {left} = ...")

    def _unexpected(self, wanted: str) -> WhereError:
        token, previous = self.token, self.previous
        if token.kind is TokenKind.NAME and token.value.lower() in _OTHER_LANGUAGES:
            return self.fail(_OTHER_LANGUAGES[token.value.lower()], token)
        if previous is not None and previous.kind is TokenKind.WORD and token.kind is TokenKind.WORD:
            twice = "twice in a row" if token.value == previous.value else f"after '{previous.value}'"
            return self.fail(f"'{token.value}' stands {twice}", token, "take one of them out")
        if previous is None or previous.value == "(":
            return self.fail(f"{token} stands where {wanted} should", token)
        return self.fail(f"{wanted} is missing after {previous}; found {token}", token)
