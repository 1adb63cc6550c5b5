"""A checked selection as SQL on the exposures."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from calibstore.db.schema import exposure, physical_filter
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
            member = sa.or_(*_is_any(_operand(identifier), items))
            return sa.not_(member) if is_negated else member
        case Glob(identifier, pattern):
            return _Glob(column(identifier.name), pattern)
        case Comparison(left, sign, right):
            return _condition(_OPERATORS[sign](_operand(left), _operand(right)))


def column(name: str) -> sa.ColumnElement[Any]:
    """Return the column a selection's name stands for."""
    known = KNOWN_FIELDS[name].column
    return _BAND if known == "band" else exposure.c[known]


def _operand(operand: Operand) -> Any:
    match operand:
        case Identifier(name):
            return column(name)
        case Arithmetic(left, sign, right):
            return _calculated(_operand(left), sign, _operand(right))
    return sa.literal(_value(operand))


def _calculated(one: Any, sign: str, other: Any) -> Any:
    match sign:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
    # PostgreSQL refuses to divide by nothing; unknown is what SQLite says.
    divisor = sa.func.nullif(other, 0, type_=other.type)
    return one / divisor if sign == "/" else one % divisor


class _Glob(sa.ColumnElement[bool]):
    """A text that fits a pattern; case counts, in either database."""

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, text: sa.ColumnElement[Any], pattern: str) -> None:
        self.text, self.pattern = text, pattern


@compiles(_Glob, "sqlite")
def _glob_sqlite(glob: _Glob, compiler: Any, **options: Any) -> str:
    pattern = glob.pattern.replace("[", "[[]")  # brackets are letters here
    return str(compiler.process(glob.text.op("GLOB")(pattern), **options))


@compiles(_Glob)
def _glob_like(glob: _Glob, compiler: Any, **options: Any) -> str:
    escaped = glob.pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = glob.text.like(escaped.replace("*", "%").replace("?", "_"), escape="\\")
    return str(compiler.process(like, **options))


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
