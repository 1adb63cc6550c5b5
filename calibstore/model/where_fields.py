"""The names a selection may use, their kinds, and what every selection must say.

`check_where` is to be called on every parsed selection before it is used.
"""

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calibstore.model.where_ast import (
    And,
    Comparison,
    Expression,
    Identifier,
    Literal,
    Membership,
    Number,
    Or,
    Range,
    Text,
    Time,
    leaves,
)
from calibstore.model.where_lexer import WhereError


class FieldKind(StrEnum):
    """What a field is compared with."""

    TEXT = "text"
    """A text in single quotes."""
    INTEGER = "whole number"
    """A number without decimals."""
    REAL = "number"
    """Any number."""
    TIME = "time"
    """A time T'...'."""


@dataclass(frozen=True, slots=True)
class WhereField:
    """A field of an exposure that selections may name."""

    name: str
    """Canonical name, such as ``exposure.seq_num``."""
    column: str
    """Name in the store, such as ``seq_num``."""
    kind: FieldKind


_EXPOSURE_COLUMNS: Final = (
    ("id", "id", FieldKind.INTEGER),
    ("obs_id", "obs_id", FieldKind.TEXT),
    ("day_obs", "day_obs", FieldKind.INTEGER),
    ("seq_num", "seq_num", FieldKind.INTEGER),
    ("physical_filter", "physical_filter", FieldKind.TEXT),
    ("observation_type", "observation_type", FieldKind.TEXT),
    ("observation_reason", "observation_reason", FieldKind.TEXT),
    ("science_program", "science_program", FieldKind.TEXT),
    ("exposure_time", "exposure_time_s", FieldKind.REAL),
    ("dark_time", "dark_time_s", FieldKind.REAL),
    ("target_name", "target_name", FieldKind.TEXT),
    ("group", "group_name", FieldKind.TEXT),
    ("timespan.begin", "begin_tai_ns", FieldKind.TIME),
    ("timespan.end", "end_tai_ns", FieldKind.TIME),
)
_DIMENSIONS: Final = (
    WhereField("instrument", "instrument", FieldKind.TEXT),
    WhereField("detector", "detector", FieldKind.INTEGER),
    WhereField("band", "band", FieldKind.TEXT),
)


def _known_fields() -> dict[str, WhereField]:
    fields = {
        f"exposure.{name}": WhereField(f"exposure.{name}", column, kind) for name, column, kind in _EXPOSURE_COLUMNS
    }
    fields |= {field.name: field for field in _DIMENSIONS}
    same = {
        "exposure": "exposure.id",
        "day_obs": "exposure.day_obs",
        "seq_num": "exposure.seq_num",
        "physical_filter": "exposure.physical_filter",
        "group": "exposure.group",
        "exposure.instrument": "instrument",
        "instrument.name": "instrument",
        "detector.id": "detector",
        "physical_filter.name": "exposure.physical_filter",
        "band.name": "band",
        "physical_filter.band": "band",
    }
    return fields | {other: fields[name] for other, name in same.items()}


KNOWN_FIELDS: Final = _known_fields()
"""Every name a selection may use, with the field it stands for."""


def check_where(expression: Expression, text: str, *, instrument: str = "") -> None:
    """Check names, kinds of values, and that the instrument is given.

    Parameters
    ----------
    expression : Expression
        From `parse_where`.
    text : str
        Its text, shown in messages.
    instrument : str
        An instrument to propose when none is given.

    Raises
    ------
    WhereError
        At the first unknown name, misfitting value, or when no instrument is given (code ``E-NOINSTRUMENT``).
    """
    for leaf in leaves(expression):
        if isinstance(leaf, Membership):
            field = find_field(leaf.identifier, text)
            for item in leaf.items:
                _check_value(field, item, text)
        else:
            _check_comparison(leaf, text)
    if not constrains_instrument(expression):
        raise WhereError(
            "the selection does not say which instrument",
            text,
            0,
            hint=f"put before it: instrument = '{instrument or 'LATISS'}' and",
            code="E-NOINSTRUMENT",
        )


def find_field(identifier: Identifier, text: str) -> WhereField:
    """Return the field a name stands for.

    Parameters
    ----------
    identifier : Identifier
        The name and its place.
    text : str
        The whole selection, shown in messages.

    Raises
    ------
    WhereError
        If there is no such field, with the nearest names.
    """
    known = KNOWN_FIELDS.get(identifier.name)
    if known is not None:
        return known
    if identifier.name in ("exposure.timespan", "timespan"):
        raise WhereError(
            f"{identifier.name} is no single time",
            text,
            identifier.position,
            hint="write exposure.timespan.begin, exposure.timespan.end, or exposure.timespan overlaps (T'...', T'...')",
        )
    nearest = nearest_fields(identifier.name)
    if nearest:
        hint = f"did you mean {', '.join(nearest)}? a text stands in single quotes: '{identifier.name}'"
    else:
        hint = f"if it is a text, write '{identifier.name}'; names: {', '.join(_canonical_names())}"
    raise WhereError(f"there is no field {identifier.name}", text, identifier.position, hint=hint)


def _canonical_names() -> list[str]:
    return sorted({field.name for field in KNOWN_FIELDS.values()})


def nearest_fields(name: str) -> tuple[str, ...]:
    """Return up to three known names like this one, the likeliest first."""
    same_but_for_case = [known for known in KNOWN_FIELDS if known.lower() == name.lower()]
    qualified = [known for known in KNOWN_FIELDS if known == f"exposure.{name.lower().rpartition('.')[2]}"]
    close = difflib.get_close_matches(name, KNOWN_FIELDS, n=3, cutoff=0.7)
    close += difflib.get_close_matches(f"exposure.{name}", KNOWN_FIELDS, n=3, cutoff=0.85)
    return tuple(dict.fromkeys(same_but_for_case + qualified + close))[:3]


def constrains_instrument(expression: Expression) -> bool:
    """Tell whether every exposure that fits is of a named instrument."""
    match expression:
        case And(terms):
            return any(constrains_instrument(term) for term in terms)
        case Or(terms):
            return all(constrains_instrument(term) for term in terms)
        case Comparison(Identifier(name), "=", Text()) | Comparison(Text(), "=", Identifier(name)):
            return _is_instrument(name)
        case Membership(Identifier(name), _, False):
            return _is_instrument(name)
        case _:
            return False


def _is_instrument(name: str) -> bool:
    field = KNOWN_FIELDS.get(name)
    return field is not None and field.column == "instrument"


def _check_comparison(leaf: Comparison, text: str) -> None:
    sides = [find_field(side, text) if isinstance(side, Identifier) else None for side in (leaf.left, leaf.right)]
    if sides[0] is not None and sides[1] is not None:
        if not _fits_together(sides[0].kind, sides[1].kind):
            raise WhereError(
                f"{sides[0].name} ({sides[0].kind}) cannot be compared with {sides[1].name} ({sides[1].kind})",
                text,
                leaf.position,
            )
    elif sides[0] is not None and not isinstance(leaf.right, Identifier):
        _check_value(sides[0], leaf.right, text)
    elif sides[1] is not None and not isinstance(leaf.left, Identifier):
        _check_value(sides[1], leaf.left, text)


def _fits_together(one: FieldKind, other: FieldKind) -> bool:
    numbers = (FieldKind.INTEGER, FieldKind.REAL)
    return one is other or (one in numbers and other in numbers)


def _check_value(field: WhereField, value: Literal | Range, text: str) -> None:
    fits = {
        FieldKind.TEXT: Text,
        FieldKind.INTEGER: Number | Range,
        FieldKind.REAL: Number,
        FieldKind.TIME: Time,
    }[field.kind]
    if isinstance(value, fits):
        return
    hints = {
        FieldKind.TEXT: f"put the text in single quotes: '{value}'",
        FieldKind.INTEGER: "write the number without quotes",
        FieldKind.REAL: "write the number without quotes",
        FieldKind.TIME: "write a time as T'2025-04-01T20:00:00' (UTC) or T'2025-04-01T20:00:00/tai'",
    }
    raise WhereError(f"{field.name} is a {field.kind}, {value} is not", text, value.position, hint=hints[field.kind])
