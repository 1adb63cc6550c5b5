"""A checked selection as SQL on the exposures."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from calibstore.db.schema import exposure, physical_filter
from calibstore.model.where_ast import (
    And,
    Comparison,
    Expression,
    Identifier,
    Item,
    Literal,
    Membership,
    Not,
    Operand,
    Or,
    Range,
    Time,
)
from calibstore.model.where_fields import KNOWN_FIELDS

_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

# An unknown band is no band: NULL, so that a condition on it neither holds nor fails.
_BAND: Final = (
    sa.select(sa.func.nullif(physical_filter.c.band, ""))
    .where(physical_filter.c.instrument == exposure.c.instrument, physical_filter.c.name == exposure.c.physical_filter)
    .correlate(exposure)
    .scalar_subquery()
)


def where_clause(expression: Expression) -> sa.ColumnElement[bool]:
    """Return the SQL condition of a selection.

    Parameters
    ----------
    expression : Expression
        Checked by `calibstore.model.where_fields.check_where`; without ``detector``.

    See Also
    --------
    calibstore.model.where_eval.evaluate : the same on one row, which this is tested against.
    """
    match expression:
        case And(terms):
            return sa.and_(*(where_clause(term) for term in terms))
        case Or(terms):
            return sa.or_(*(where_clause(term) for term in terms))
        case Not(term):
            return sa.not_(where_clause(term))
        case Membership(identifier, items, is_negated):
            member = sa.or_(*_is_any(column(identifier.name), items))
            return sa.not_(member) if is_negated else member
        case Comparison(left, sign, right):
            return _condition(_OPERATORS[sign](_operand(left), _operand(right)))


def column(name: str) -> sa.ColumnElement[Any]:
    """Return the column a selection's name stands for."""
    known = KNOWN_FIELDS[name].column
    return _BAND if known == "band" else exposure.c[known]


def _operand(operand: Operand) -> Any:
    if isinstance(operand, Identifier):
        return column(operand.name)
    return sa.literal(_value(operand))


def _is_any(value: Any, items: Sequence[Item]) -> Iterator[sa.ColumnElement[bool]]:
    # One IN for all single values: SQLite refuses chains of a thousand ORs.
    single = [_value(item) for item in items if not isinstance(item, Range)]
    if single:
        yield _condition(value.in_(single))
    for item in items:
        if isinstance(item, Range):
            inside = _condition(value.between(item.begin, item.end))
            yield inside if item.stride == 1 else sa.and_(inside, (value - item.begin) % item.stride == 0)


def _value(literal: Literal) -> object:
    return literal.tai_ns if isinstance(literal, Time) else literal.value


def _condition(made: Any) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = made
    return condition
