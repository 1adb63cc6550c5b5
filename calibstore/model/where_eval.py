"""Applies a parsed selection to one row: the reference the store's own selection is tested against."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from calibstore.model.where_ast import (
    And,
    Comparison,
    Expression,
    Identifier,
    Item,
    Membership,
    Not,
    Number,
    Operand,
    Or,
    Range,
    Text,
    Time,
    leaves,
)
from calibstore.model.where_fields import KNOWN_FIELDS

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(expression: Expression, row: Mapping[str, object]) -> bool:
    """Tell whether a row fits a selection.

    Parameters
    ----------
    expression : Expression
        Checked by `calibstore.model.where_fields.check_where`.
    row : mapping
        Values by column (`WhereField.column`); None is unknown, as NULL in SQL: a condition on it neither holds nor
        fails, and a row whose result is unknown does not fit.

    Raises
    ------
    KeyError
        If the row lacks a column.
    """
    return _truth(expression, row) is True


def identifiers(expression: Expression) -> tuple[str, ...]:
    """Return the names a selection uses, each once, in order."""
    names: list[str] = []
    for leaf in leaves(expression):
        sides = (leaf.identifier,) if isinstance(leaf, Membership) else (leaf.left, leaf.right)
        names += [side.name for side in sides if isinstance(side, Identifier)]
    return tuple(dict.fromkeys(names))


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
    found: list[Time] = []
    for leaf in leaves(expression):
        sides = leaf.items if isinstance(leaf, Membership) else (leaf.left, leaf.right)
        found += [side for side in sides if isinstance(side, Time)]
    return tuple(found)


def _truth(expression: Expression, row: Mapping[str, object]) -> bool | None:
    match expression:
        case And(terms):
            found = [_truth(term, row) for term in terms]
            return False if False in found else (None if None in found else True)
        case Or(terms):
            found = [_truth(term, row) for term in terms]
            return True if True in found else (None if None in found else False)
        case Not(term):
            inner = _truth(term, row)
            return None if inner is None else not inner
        case Membership(identifier, items, is_negated):
            value = _value(identifier, row)
            if value is None:
                return None
            return is_negated != any(_holds(item, value) for item in items)
        case Comparison(left, sign, right):
            one, other = _value(left, row), _value(right, row)
            return None if one is None or other is None else _OPERATORS[sign](one, other)


def _value(operand: Operand, row: Mapping[str, object]) -> object:
    if isinstance(operand, Identifier):
        return row[KNOWN_FIELDS[operand.name].column]
    return _literal(operand)


def _holds(item: Item, value: object) -> bool:
    return item.contains(value) if isinstance(item, Range) else _literal(item) == value


def _literal(literal: Number | Text | Time) -> object:
    return literal.tai_ns if isinstance(literal, Time) else literal.value
