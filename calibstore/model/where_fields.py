"""The names a selection may use, their kinds, and what every selection must say.

`check_where` is to be called on every parsed selection before it is used.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calibstore.model.where_ast import (
    And,
    Arithmetic,
    Comparison,
    Expression,
    Glob,
    Identifier,
    Item,
    Leaf,
    Membership,
    Number,
    Operand,
    Or,
    Range,
    Text,
    Time,
    Uuid,
    leaves,
    names_in,
    operands,
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
    ID = "dataset id"
    """UUID('...')."""


@dataclass(frozen=True, slots=True)
class WhereField:
    """A field that selections may name."""

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
"""Every name a selection of exposures may use, with the field it stands for."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that selections of one kind of row may use."""

    fields: Mapping[str, WhereField]
    must_name_instrument: bool = True
    """Even where no name in it depends on the instrument."""


EXPOSURES: Final = Vocabulary(KNOWN_FIELDS)
_INSTRUMENT: Final = WhereField("instrument", "instrument", FieldKind.TEXT)
_DETECTOR_FIELDS: Final = {
    "detector": WhereField("detector", "detector", FieldKind.INTEGER),
    "detector.id": WhereField("detector", "detector", FieldKind.INTEGER),
    **{
        f"detector.{name}": WhereField(f"detector.{name}", f"detector_{name}", FieldKind.TEXT)
        for name in ("full_name", "raft", "name_in_raft", "purpose")
    },
}
_FILTER_FIELDS: Final = {
    "physical_filter": WhereField("physical_filter", "physical_filter", FieldKind.TEXT),
    "band": WhereField("band", "band", FieldKind.TEXT),
}
_DATASET_FIELDS: Final = (
    ("dataset_id", "dataset_id", FieldKind.ID),
    ("run", "run", FieldKind.TEXT),
    ("collection", "collection", FieldKind.TEXT),
    ("ingest_date", "created_tai_ns", FieldKind.TIME),
    ("timespan.begin", "begin_tai_ns", FieldKind.TIME),
    ("timespan.end", "end_tai_ns", FieldKind.TIME),
)
_FREE: Final = frozenset({"instrument", *(column for _, column, _ in _DATASET_FIELDS)})
"""Columns that do not depend on the instrument."""
RECORDS: Final = {
    "instrument": Vocabulary({"instrument": _INSTRUMENT}, must_name_instrument=False),
    "detector": Vocabulary({"instrument": _INSTRUMENT, **_DETECTOR_FIELDS}, must_name_instrument=False),
    "physical_filter": Vocabulary({"instrument": _INSTRUMENT, **_FILTER_FIELDS}, must_name_instrument=False),
    "exposure": EXPOSURES,
}
"""Names for selections of dimension records, by element."""


def dataset_vocabulary(dataset_types: Iterable[str]) -> Vocabulary:
    """Return the names for selections of datasets.

    Parameters
    ----------
    dataset_types : iterable of str
        ``bias.timespan`` and the like are known for these.
    """
    own = {name: WhereField(name, column, kind) for name, column, kind in _DATASET_FIELDS}
    qualified = {f"{one}.{name}": field for one in dataset_types for name, field in own.items()}
    exposure = WhereField("exposure", "exposure", FieldKind.INTEGER)
    fields = {"instrument": _INSTRUMENT, "exposure": exposure, **_DETECTOR_FIELDS, **_FILTER_FIELDS, **own}
    return Vocabulary({**qualified, **fields}, must_name_instrument=False)


def check_where(expression: Expression, text: str, *, instrument: str = "", known: Vocabulary = EXPOSURES) -> None:
    """Check names, kinds of values, and that the instrument is given.

    Parameters
    ----------
    expression : Expression
        From `parse_where`.
    text : str
        Its text, shown in messages.
    instrument : str
        An instrument to propose when none is given.
    known : Vocabulary
        The names there are; by default those of exposures.

    Raises
    ------
    WhereError
        At the first unknown name, misfitting value, or when no instrument is given (code ``E-NOINSTRUMENT``).
    """
    is_dependent = known.must_name_instrument
    for leaf in leaves(expression):
        _check_leaf(leaf, text, known)
        names = [name for side in operands(leaf) for name in names_in(side)]
        is_dependent = is_dependent or any(known.fields[name.name].column not in _FREE for name in names)
    if is_dependent and not constrains_instrument(expression):
        raise WhereError(
            "the selection does not say which instrument",
            text,
            0,
            hint=f"put before it: instrument = '{instrument or 'LATISS'}' and",
            code="E-NOINSTRUMENT",
        )


def find_field(identifier: Identifier, text: str, known: Vocabulary = EXPOSURES) -> WhereField:
    """Return the field a name stands for.

    Parameters
    ----------
    identifier : Identifier
        The name and its place.
    text : str
        The whole selection, shown in messages.
    known : Vocabulary
        The names there are.

    Raises
    ------
    WhereError
        If there is no such field, with the nearest names.
    """
    name = identifier.name
    found = known.fields.get(name)
    if found is not None:
        return found
    stem = f"exposure.{name}" if f"exposure.{name}.begin" in known.fields else name
    if f"{stem}.begin" in known.fields:
        raise WhereError(
            f"{name} is no single time",
            text,
            identifier.position,
            hint=f"write {stem}.begin, {stem}.end, or {stem} overlaps (T'...', T'...')",
        )
    nearest = nearest_fields(name, known)
    if nearest:
        hint = f"did you mean {', '.join(nearest)}? a text stands in single quotes: '{name}'"
    else:
        names = sorted({field.name for field in known.fields.values()})
        hint = f"if it is a text, write '{name}'; names: {', '.join(names)}"
    raise WhereError(f"there is no field {name}", text, identifier.position, hint=hint)


def nearest_fields(name: str, known: Vocabulary = EXPOSURES) -> tuple[str, ...]:
    """Return up to three known names like this one, the likeliest first."""
    fields = known.fields
    same_but_for_case = [one for one in fields if one.lower() == name.lower()]
    qualified = [one for one in fields if one == f"exposure.{name.lower().rpartition('.')[2]}"]
    close = difflib.get_close_matches(name, fields, n=3, cutoff=0.7)
    close += difflib.get_close_matches(f"exposure.{name}", fields, n=3, cutoff=0.85)
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


def _check_leaf(leaf: Leaf, text: str, known: Vocabulary) -> None:
    match leaf:
        case Membership(identifier, items):
            kind, told = _kind(identifier, text, known), str(identifier)
            for item in items:
                _check_value(told, kind, item, text)
        case Glob(identifier):
            if (kind := find_field(identifier, text, known).kind) is not FieldKind.TEXT:
                raise WhereError(f"{identifier} is a {kind}; glob takes a text", text, identifier.position)
        case Comparison(left, _, right):
            _check_comparison(leaf, _constant_last(left, right), text, known)


def _constant_last(left: Operand, right: Operand) -> tuple[Operand, Operand]:
    return (left, right) if isinstance(left, Identifier | Arithmetic) else (right, left)


def _check_comparison(leaf: Comparison, sides: tuple[Operand, Operand], text: str, known: Vocabulary) -> None:
    one, other = sides
    kind = _kind(one, text, known)
    if not isinstance(other, Identifier | Arithmetic):
        _check_value(str(one), kind, other, text)
        return
    other_kind = _kind(other, text, known)
    if not _fits_together(kind, other_kind):
        raise WhereError(f"{one} ({kind}) cannot be compared with {other} ({other_kind})", text, leaf.position)


def _kind(operand: Operand | Item, text: str, known: Vocabulary) -> FieldKind:
    """Return what an operand is; arithmetic takes numbers and gives one."""
    match operand:
        case Identifier():
            return find_field(operand, text, known).kind
        case Arithmetic(left, operator, right):
            kinds = [_kind(side, text, known) for side in (left, right)]
            for side, kind in zip((left, right), kinds, strict=True):
                if kind not in (FieldKind.INTEGER, FieldKind.REAL):
                    raise WhereError(f"{operator} takes numbers, {side} is a {kind}", text, operand.position)
            is_whole = operator != "/" and all(kind is FieldKind.INTEGER for kind in kinds)
            if operator == "%" and not is_whole:
                raise WhereError("% takes whole numbers", text, operand.position)
            return FieldKind.INTEGER if is_whole else FieldKind.REAL
        case Number(value):
            return FieldKind.INTEGER if isinstance(value, int) else FieldKind.REAL
        case Range():
            return FieldKind.INTEGER
        case Text():
            return FieldKind.TEXT
        case Time():
            return FieldKind.TIME
        case Uuid():
            return FieldKind.ID


def _fits_together(one: FieldKind, other: FieldKind) -> bool:
    numbers = (FieldKind.INTEGER, FieldKind.REAL)
    return one is other or (one in numbers and other in numbers)


_FITTING: Final = {
    FieldKind.TEXT: (Text,),
    FieldKind.INTEGER: (Number, Range),
    FieldKind.REAL: (Number,),
    FieldKind.TIME: (Time,),
    FieldKind.ID: (Uuid,),
}


def _check_value(name: str, kind: FieldKind, value: Operand | Item, text: str) -> None:
    if isinstance(value, _FITTING[kind]):
        return
    hints = {
        FieldKind.TEXT: f"put the text in single quotes: '{value}'",
        FieldKind.INTEGER: "write the number without quotes",
        FieldKind.REAL: "write the number without quotes",
        FieldKind.TIME: "write a time as T'2025-04-01T20:00:00' (UTC) or T'2025-04-01T20:00:00/tai'",
        FieldKind.ID: "write UUID('01a1fb5e-487b-791d-8115-ad001776e666')",
    }
    raise WhereError(f"{name} is a {kind}, {value} is not", text, value.position, hint=hints[kind])
