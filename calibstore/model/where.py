"""Reads the selection language: the Butler's where, without its regions on the sky.

Precedence from low to high: or; and; not; comparisons, overlaps and ``in``; ``+ -``; ``* / %``; signs. Times are
``T'...'``, UTC unless they say otherwise. `check_where` in `calibstore.model.where_fields` knows the names.
"""

import uuid
from typing import Final, TypeAlias, cast

from calibstore.model.where_ast import (
    And,
    Arithmetic,
    Comparison,
    Expression,
    Glob,
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
    Uuid,
)
from calibstore.model.where_lexer import Token, TokenKind, WhereError
from calibstore.model.where_reader import EXAMPLE, OTHER_LANGUAGES, Reader

__all__ = [
    "And",
    "Arithmetic",
    "Comparison",
    "Expression",
    "Glob",
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
    "Uuid",
    "WhereError",
    "parse_where",
]

COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_SKY: Final = frozenset({"point", "circle", "box", "polygon", "region"})
_TIMESPAN_HINT: Final = "write exposure.timespan overlaps (T'...', T'...')"

_Span: TypeAlias = tuple[Operand | None, Operand | None]
"""Begin and end; None is open."""
_Inside: TypeAlias = Operand | Expression
_Side: TypeAlias = _Inside | _Span
_Conditions = Comparison | Membership | Glob | Not | And | Or


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


class _Parser(Reader):
    """Recursive descent over the tokens of one selection."""

    def parse_or(self) -> Expression:
        """Read conditions."""
        return cast("Expression", self._parse_or(is_inside=False))

    # What follows may be read inside parentheses, which hold conditions or a bare value.

    def _parse_or(self, *, is_inside: bool) -> _Inside:
        first = self._parse_and(is_inside=is_inside)
        terms = [first]
        while self.is_next("or"):
            self.take()
            terms.append(self._parse_and(is_inside=False))
        return first if len(terms) == 1 else Or(tuple(cast("list[Expression]", terms)))

    def _parse_and(self, *, is_inside: bool) -> _Inside:
        first = self._parse_not(is_inside=is_inside)
        terms = [first]
        while self.is_next("and"):
            self.take()
            terms.append(self._parse_not(is_inside=False))
        return first if len(terms) == 1 else And(tuple(cast("list[Expression]", terms)))

    def _parse_not(self, *, is_inside: bool) -> _Inside:
        if not self.is_next("not"):
            return self._parse_condition(is_inside=is_inside)
        self.deeper(self.take())
        found = Not(cast("Expression", self._parse_not(is_inside=False)))
        self.depth -= 1
        return found

    # Conditions.

    def _parse_condition(self, *, is_inside: bool) -> _Inside:
        start = self.token
        left = self._parse_side("a condition")
        if self.is_next("overlaps"):
            return self._parse_overlaps(left, start)
        if isinstance(left, tuple):
            raise self.fail("a pair of times stands beside overlaps", start, _TIMESPAN_HINT)
        if isinstance(left, _Conditions):
            if self.is_next("in", *COMPARISONS):
                raise self.fail("a condition cannot be compared", self.token, "join conditions with and, or")
            return left
        if self.is_next("not", "in"):
            return self._parse_membership(left, start)
        if is_inside and self.is_next(")"):
            return left
        if not self.is_next(*COMPARISONS):
            raise self._no_comparison(left, start)
        operator = self.take()
        right = self._as_operand(self._parse_side("a value"), operator)
        if _is_constant(left) and _is_constant(right):
            raise self.fail("this compares two constants", start, "one side must be a name such as exposure.seq_num")
        if self.is_next(*COMPARISONS):
            raise self.fail("comparisons do not chain", self.token, "join two of them: 1 <= x and x <= 5")
        return Comparison(left, operator.value, right, operator.position)

    def _parse_membership(self, left: Operand, start: Token) -> Membership:
        if not isinstance(left, Identifier | Arithmetic) or _is_constant(left):
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
        self.close(opening, "a comma or )")
        return Membership(left, tuple(items), is_negated, operator.position)

    def _parse_item(self, opening: Token) -> Item:
        token = self.token
        if token.kind is TokenKind.RANGE:
            self.take()
            return self.range(token)
        if token.kind is TokenKind.NAME and token.value.lower() != "uuid":
            raise self.fail(f"{token} is no value", token, f"texts stand in single quotes: '{token}'")
        if token.kind is TokenKind.END:
            raise self.fail("this parenthesis is never closed", opening, "add a )")
        found = self._parse_signed("a value")
        if not isinstance(found, Literal):
            raise self.fail("a list holds values only", token, "write detector in (0, 1)")
        return found

    def _parse_overlaps(self, left: _Side, start: Token) -> Expression:
        """Read two timespans that share an instant: each begins before the other ends."""
        operator = self.take()
        following = self.token
        spans = self._span(left, start), self._span(self._parse_side("T'...' or (T'...', T'...')"), following)
        if all(_is_constant(bound) for span in spans for bound in span if bound is not None):
            raise self.fail("this compares two constants", start, _TIMESPAN_HINT)
        conditions: list[Expression] = []
        (one_begin, one_end), (other_begin, other_end) = spans
        if one_end is not None and other_begin is not None:
            conditions.append(Comparison(one_end, ">", other_begin, operator.position))
        if one_begin is not None and other_end is not None:
            conditions.append(Comparison(one_begin, "<", other_end, operator.position))
        if not conditions:
            raise self.fail("both ends are open: everything overlaps", operator, "leave the condition out")
        return conditions[0] if len(conditions) == 1 else And(tuple(conditions))

    def _span(self, side: _Side, token: Token) -> _Span:
        match side:
            case (begin, end):
                if isinstance(begin, Time) and isinstance(end, Time) and begin.tai_ns >= end.tai_ns:
                    raise self.fail(
                        "the begin is not before the end", token, "the end is the first instant after the range"
                    )
                return begin, end
            case Time(tai_ns, understood_as, position):
                return side, Time(tai_ns + 1, understood_as, position)
            case Identifier(name, position) if name.split(".")[-1] in ("timespan", "day_obs", "exposure"):
                stem = name if name.endswith("timespan") else f"{name}.timespan"
                return Identifier(f"{stem}.begin", position), Identifier(f"{stem}.end", position)
        raise self.fail("overlaps stands between two timespans", token, _TIMESPAN_HINT)

    # Values.

    def _parse_side(self, wanted: str) -> _Side:
        """Read sums of products; a condition or a pair of times where parentheses hold one."""
        left = self._parse_product(wanted)
        while self.is_next("+", "-"):
            operator = self.take()
            left = self._arithmetic(left, operator, self._parse_product("a value"))
        return left

    def _parse_product(self, wanted: str) -> _Side:
        left = self._parse_signed(wanted)
        while self.is_next("*", "/", "%"):
            operator = self.take()
            left = self._arithmetic(left, operator, self._parse_signed("a value"))
        return left

    def _arithmetic(self, left: _Side, operator: Token, right: _Side) -> Arithmetic:
        sides = self._as_operand(left, operator), self._as_operand(right, operator)
        for side in sides:
            if isinstance(side, Text | Time | Uuid):
                raise self.fail(f"{operator} takes numbers, {side} is none", operator)
        return Arithmetic(sides[0], operator.value, sides[1], operator.position)

    def _as_operand(self, side: _Side, operator: Token) -> Operand:
        if isinstance(side, tuple):
            raise self.fail("a pair of times stands beside overlaps", operator, _TIMESPAN_HINT)
        if isinstance(side, _Conditions):
            raise self.fail(f"{operator} takes values, not conditions", operator, "join conditions with and, or")
        return side

    def _parse_signed(self, wanted: str) -> _Side:
        if not self.is_next("+", "-"):
            return self._parse_primary(wanted)
        sign = self.take()
        self.deeper(sign)
        if self.token.kind is TokenKind.RANGE:
            raise self.fail("a sign stands before one number", sign, "write x in (-5..5)")
        if self.token.kind in (TokenKind.END, TokenKind.TEXT, TokenKind.TIME) or self.is_next(")", ","):
            raise self.fail(f"a number is missing after {sign}", self.token)
        value = self._as_operand(self._parse_signed(f"a number after {sign}"), sign)
        self.depth -= 1
        if isinstance(value, Number):
            return Number(-value.value if sign.value == "-" else value.value, sign.position)
        return value if sign.value == "+" else self._arithmetic(Number(0, sign.position), sign, value)

    def _parse_primary(self, wanted: str) -> _Side:
        token = self.token
        match token.kind:
            case TokenKind.NUMBER:
                return Number(self.number(self.take()), token.position)
            case TokenKind.TEXT:
                self.take()
                return Text(token.value, token.position)
            case TokenKind.TIME:
                return self.time(self.take())
            case TokenKind.RANGE:
                raise self.fail("a range stands inside in (...)", token, f"write x in ({token.value})")
            case TokenKind.NAME:
                return self._parse_name()
            case TokenKind.SYMBOL if token.value == "(":
                return self._parse_group()
            case _:
                raise self.unexpected(wanted)

    def _parse_name(self) -> "Operand | Glob":
        if self.token.value.lower() in OTHER_LANGUAGES:
            raise self.fail(OTHER_LANGUAGES[self.token.value.lower()], self.token)
        token = self.take()
        if self.is_next("("):
            return self._parse_function(token)
        following = self.token
        if token.value == "t" and following.kind is TokenKind.TEXT and following.position == token.position + 1:
            raise self.fail("a time begins with a capital T", token, f"write T{following}")
        return Identifier(token.value, token.position)

    def _parse_function(self, name: Token) -> "Uuid | Glob":
        opening, kind = self.take(), name.value.lower()
        if kind in _SKY:
            raise self.fail(f"regions on the sky ({name}) are not known here", name, "calibrations have no place there")
        if kind == "uuid":
            given = self._text_argument("UUID takes a text", "write UUID('01a1fb5e-487b-791d-8115-ad001776e666')")
            self.close(opening, ")")
            try:
                return Uuid(str(uuid.UUID(given.value)), name.position)
            except ValueError:
                hint = "32 hexadecimal digits, with or without hyphens"
                raise self.fail(f"'{given.value}' is no UUID", given, hint) from None
        if kind != "glob":
            raise self.fail(f"there is no function {name}", name, "there are glob(x, 'pat*') and UUID('...')")
        hint = "write glob(exposure.science_program, 'BLOCK-*')"
        if self.token.kind is not TokenKind.NAME:
            raise self.fail("glob takes a name first", self.token, hint)
        field = self.take()
        if not self.is_next(","):
            raise self.fail("glob takes a name and a pattern", self.token, hint)
        self.take()
        pattern = self._text_argument("glob takes a pattern in quotes", hint)
        self.close(opening, ")")
        return Glob(Identifier(field.value, field.position), pattern.value, name.position)

    def _text_argument(self, what: str, hint: str) -> Token:
        if self.token.kind is not TokenKind.TEXT:
            raise self.fail(what, self.token, hint)
        return self.take()

    def _parse_group(self) -> _Side:
        """Read what parentheses hold: conditions, a value, or a pair of times."""
        opening = self.take()
        self.deeper(opening)
        found = self._parse_pair(opening) if self._is_pair() else self._parse_or(is_inside=True)
        if not isinstance(found, tuple):
            self.close(opening, "and, or, or )")
        self.depth -= 1
        return found

    def _is_pair(self) -> bool:
        bound, comma = self.token, self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        return (bound.kind is TokenKind.TIME or self.is_next("null")) and (
            comma.kind is TokenKind.SYMBOL and comma.value == ","
        )

    def _parse_pair(self, opening: Token) -> _Span:
        begin = self._parse_bound()
        self.take()
        end = self._parse_bound()
        self.close(opening, ")")
        return begin, end

    def _parse_bound(self) -> Time | None:
        if self.is_next("null"):
            self.take()
            return None
        if self.token.kind is not TokenKind.TIME:
            raise self.unexpected("T'...' or null")
        return self.time(self.take())

    # What is wrong.

    def require_end(self) -> None:
        if self.is_next(")"):
            raise self.fail("this parenthesis was never opened", self.token, "take it out, or add a ( before")
        if self.token.kind is not TokenKind.END:
            raise self.unexpected("and, or, or the end")

    def _no_comparison(self, left: Operand, start: Token) -> WhereError:
        word = self.token.value.lower()
        if self.token.kind is TokenKind.NAME and word in OTHER_LANGUAGES:
            return self.fail(OTHER_LANGUAGES[word], self.token)
        if self.token.kind in (TokenKind.NUMBER, TokenKind.TEXT, TokenKind.TIME, TokenKind.NAME, TokenKind.RANGE):
            return self.fail(
                f"a comparison is missing between {left} and {self.token}", self.token, f"write {left} = ..."
            )
        return self.fail(f"{left} alone is no condition", start, f"compare it: {left} = ...")


def _is_constant(operand: Operand) -> bool:
    match operand:
        case Identifier():
            return False
        case Arithmetic(left, _, right):
            return _is_constant(left) and _is_constant(right)
    return True
