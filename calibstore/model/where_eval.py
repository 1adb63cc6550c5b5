"""Applies a parsed selection to one row: the reference the store's own selection is tested against."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

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
    Operand,
    Or,
    Range,
    Text,
    Time,
    leaves,
    names_in,
    operands,
)
from calibstore.model.where_fields import EXPOSURES, KNOWN_FIELDS, Vocabulary

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(expression: Expression, row: Mapping[str, object], known: Vocabulary = EXPOSURES) -> bool:
    """Tell whether a row fits a selection.

    Parameters
    ----------
    expression : Expression
        Checked by `calibstore.model.where_fields.check_where`.
    row : mapping
        Values by column (`WhereField.column`); None is unknown, as NULL in SQL: a condition on it neither holds nor
        fails, and a row whose result is unknown does not fit.
    known : Vocabulary
        The names `check_where` was given.

    Raises
    ------
    KeyError
        If the row lacks a column.
    """
    return _truth(expression, row, known) is True


def identifiers(expression: Expression) -> tuple[str, ...]:
    """Return the names a selection uses, each once, in order."""
    sides = (side for leaf in leaves(expression) for side in operands(leaf))
    return tuple(dict.fromkeys(one.name for side in sides for one in names_in(side)))


def columns(expression: Expression) -> tuple[str, ...]:
    """Return the columns a selection needs, each once, in order."""
    return tuple(dict.fromkeys(KNOWN_FIELDS[name].column for name in identifiers(expression)))


def string_values(expression: Expression) -> tuple[tuple[str, str], ...]:
    """Return (name, text) of every equality and list, so that a caller can warn of values that do not occur.

    Negated ones (``!=``, ``not in``) are left out: they select something even when the value occurs nowhere.
    """
    pairs: list[tuple[str, str]] = []
    for leaf in leaves(expression):
        match leaf:
            case Comparison(Identifier(name), "=", Text(value)) | Comparison(Text(value), "=", Identifier(name)):
                pairs.append((name, value))
            case Membership(Identifier(name), items, False):
                pairs += [(name, item.value) for item in items if isinstance(item, Text)]
    return tuple(pairs)


def times_of(expression: Expression) -> tuple[Time, ...]:
    """Return the times a selection names, to echo how they were read."""
    return tuple(side for leaf in leaves(expression) for side in operands(leaf) if isinstance(side, Time))


def glob_pattern(pattern: str) -> re.Pattern[str]:
    """Return what a glob matches: ``*`` any text, ``?`` one character, everything else itself."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(one, re.escape(one)) for one in pattern), re.DOTALL)


def _truth(expression: Expression, row: Mapping[str, object], known: Vocabulary) -> bool | None:
    match expression:
        case And(terms):
            found = [_truth(term, row, known) for term in terms]
            return False if False in found else (None if None in found else True)
        case Or(terms):
            found = [_truth(term, row, known) for term in terms]
            return True if True in found else (None if None in found else False)
        case Not(term):
            inner = _truth(term, row, known)
            return None if inner is None else not inner
        case Membership(identifier, items, is_negated):
            value = _value(identifier, row, known)
            if value is None:
                return None
            return is_negated != any(_holds(item, value) for item in items)
        case Glob(identifier, pattern):
            text = _value(identifier, row, known)
            return None if text is None else glob_pattern(pattern).fullmatch(str(text)) is not None
        case Comparison(left, sign, right):
            one, other = _value(left, row, known), _value(right, row, known)
            return None if one is None or other is None else _OPERATORS[sign](one, other)


def _value(operand: Operand, row: Mapping[str, object], known: Vocabulary) -> object:
    match operand:
        case Identifier(name):
            return row[known.fields[name].column]
        case Arithmetic(left, sign, right):
            return _calculated(_value(left, row, known), sign, _value(right, row, known))
    return _literal(operand)


def _calculated(one: Any, sign: str, other: Any) -> int | float | None:
    if one is None or other is None or (sign in "/%" and other == 0):
        return None  # as SQL has it
    return _ARITHMETIC[sign](one, other)  # type: ignore[no-any-return]


def _remainder(one: int, other: int) -> int:
    left = abs(one) % abs(other)
    return left if one >= 0 else -left


_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": _remainder,
}


def _holds(item: Item, value: object) -> bool:
    return item.contains(value) if isinstance(item, Range) else _literal(item) == value


def _literal(literal: Literal) -> object:
    return literal.tai_ns if isinstance(literal, Time) else literal.value
