"""The quick fields of a selection: what most selections say, taken out of its text and written back short.

Whatever else a selection says stays as it is, behind the quick fields.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from calibstore.errors import UserInputError
from calibstore.model.where import parse_where
from calibstore.model.where_ast import (
    And,
    Comparison,
    Expression,
    Identifier,
    Membership,
    Number,
    Or,
    Range,
    Text,
)
from calibstore.model.where_fields import KNOWN_FIELDS

TEXT_FIELDS: Final = {
    "instrument": "instrument",
    "observation_type": "exposure.observation_type",
    "observation_reason": "exposure.observation_reason",
    "science_program": "exposure.science_program",
    "physical_filter": "exposure.physical_filter",
}
"""Quick field -> its name in a selection, in the order they are written."""
_DAY: Final = "exposure.day_obs"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickFields:
    """A selection taken apart; an empty text or a zero stands for any."""

    instrument: str = ""
    observation_type: str = ""
    observation_reason: str = ""
    science_program: str = ""
    physical_filter: str = ""
    day_from: int = 0
    """First observing day, yyyymmdd."""
    day_to: int = 0
    """Last observing day, yyyymmdd."""
    rest: tuple[str, ...] = ()
    """Conditions that are no quick field, each as text."""

    @property
    def where(self) -> str:
        """The selection again; empty when nothing is asked for."""
        terms = [f"{name}='{value}'" for field, name in TEXT_FIELDS.items() if (value := getattr(self, field))]
        days = self._days()
        return " and ".join([*terms, *([days] if days else []), *self.rest])

    def _days(self) -> str:
        if self.day_from and self.day_from == self.day_to:
            return f"{_DAY}={self.day_from}"
        if self.day_from and self.day_to:
            return f"{_DAY} in ({self.day_from}..{self.day_to})"
        if self.day_from:
            return f"{_DAY}>={self.day_from}"
        return f"{_DAY}<={self.day_to}" if self.day_to else ""


def quick_fields(where: str) -> QuickFields:
    """Take a selection apart.

    Parameters
    ----------
    where : str
        A selection.

    Raises
    ------
    UserInputError
        If it has a syntax fault.
    """
    if not where.strip():
        return QuickFields()
    expression = parse_where(where)
    found = QuickFields()
    for term in expression.terms if isinstance(expression, And) else (expression,):
        found = _with_term(found, term)
    return found


def with_quick_field(where: str, field: str, value: str) -> str:
    """Return a selection with one quick field changed.

    Parameters
    ----------
    where : str
        A selection without syntax faults.
    field : str
        Of `QuickFields`.
    value : str
        Empty for any.

    Raises
    ------
    UserInputError
        If the selection has a syntax fault, a day is no yyyymmdd or before the first one, or a text has a quote in it.
    """
    fields = quick_fields(where)
    if field not in ("day_from", "day_to"):
        if "'" in value:
            raise UserInputError(
                f"{value}: a text in a selection cannot hold a quote", hint="choose it by another field"
            )
        return _with_text(fields, field, value.strip()).where
    day = _day(value)
    changed = replace(fields, day_from=day) if field == "day_from" else replace(fields, day_to=day)
    if changed.day_from and changed.day_to and changed.day_from > changed.day_to:
        changed = replace(changed, day_from=day, day_to=day)
    return changed.where


def _with_text(fields: QuickFields, field: str, value: str) -> QuickFields:
    changed: dict[str, Any] = {field: value}
    return replace(fields, **changed)


def _day(text: str) -> int:
    from calibstore.model.times import day_obs_timespan

    body = text.strip()
    if not body:
        return 0
    if not (body.isascii() and body.isdigit() and len(body) == 8):
        raise UserInputError(f"{body!r} is no day_obs", hint="a day_obs is yyyymmdd, such as 20250401", code="E-NODAY")
    day_obs_timespan(int(body))
    return int(body)


def _with_term(found: QuickFields, term: Expression) -> QuickFields:
    name, low, high = _days_of(term)
    if name and not (low and found.day_from) and not (high and found.day_to):
        return replace(found, day_from=low or found.day_from, day_to=high or found.day_to)
    match term:
        case Comparison(Identifier(asked), "=", Text(value)):
            canonical = KNOWN_FIELDS[asked].name if asked in KNOWN_FIELDS else asked
            for field, written in TEXT_FIELDS.items():
                if written == canonical and value and not getattr(found, field):
                    return _with_text(found, field, value)
    text = f"({term})" if isinstance(term, And | Or) else str(term)
    return replace(found, rest=(*found.rest, text))


def _days_of(term: Expression) -> tuple[str, int, int]:
    """Return (name, first day, last day) of a condition on the observing day; zeros are open."""
    name, low, high = "", 0, 0
    match term:
        case Comparison(Identifier(name), "=", Number(int(day))):
            low = high = day
        case Comparison(Identifier(name), ">=", Number(int(low))):
            pass
        case Comparison(Identifier(name), "<=", Number(int(high))):
            pass
        case Membership(Identifier(name), (Range(low, high, 1),), False):
            pass
        case _:
            return "", 0, 0
    known = KNOWN_FIELDS.get(name)
    is_day = known is not None and known.name == _DAY and all(one == 0 or len(str(one)) == 8 for one in (low, high))
    return (name, low, high) if is_day and (low or high) else ("", 0, 0)
