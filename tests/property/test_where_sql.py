"""The store's selection is the reference evaluation of the same expression, whatever both are given."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from calibstore.db.exposures import Exposures
from calibstore.db.schema import exposure, metadata, physical_filter
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan
from calibstore.model.where import (
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
    Or,
    Range,
    Text,
    Time,
)
from calibstore.model.where_eval import evaluate
from calibstore.model.where_fields import KNOWN_FIELDS, FieldKind

FILTERS = {"g_01": "g", "SDSSr~empty": "r", "unknown": "", "ü\N{GREEK SMALL LETTER BETA}": "r"}
"""Physical filter -> band; a band nobody knows is NULL in a selection."""
TEXTS = ("bias", "BIAS", "dark", "LATISS", "", "g", "r", " ", "O'Brien".replace("'", ""), *FILTERS)
NUMBERS = (-1, 0, 1, 2, 3, 5, 8, 20250401, 2**53 + 1, 2**63 - 1)
REALS = (0.0, -0.5, 0.1, 0.30000000000000004, 1.0, 2.0, 1e300, 5e-324)

texts = st.sampled_from(TEXTS)
integers = st.sampled_from(NUMBERS)
reals = st.sampled_from(REALS)
moments = st.integers(0, 6)

exposures = st.builds(
    lambda number, **more: Exposure(id=number, timespan=Timespan(more.pop("begin"), 10), **more),
    number=integers,
    instrument=st.sampled_from(["LATISS", "LSSTCam"]),
    obs_id=texts,
    day_obs=st.sampled_from(NUMBERS[:8]),
    seq_num=st.sampled_from(NUMBERS[:8]),
    physical_filter=st.sampled_from(sorted(FILTERS)),
    observation_type=texts,
    observation_reason=texts,
    science_program=texts,
    exposure_time_s=reals,
    dark_time_s=reals,
    begin=moments,
    target_name=texts,
    group=texts,
)

BY_KIND: dict[FieldKind, list[str]] = {
    kind: [name for name, field in KNOWN_FIELDS.items() if field.kind is kind and field.column != "detector"]
    for kind in FieldKind
    if kind is not FieldKind.ID
}
signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
numbers = st.builds(Number, integers | reals)
LITERALS: dict[FieldKind, st.SearchStrategy[Literal]] = {
    FieldKind.TEXT: st.builds(Text, texts),
    FieldKind.INTEGER: numbers,
    FieldKind.REAL: numbers,
    FieldKind.TIME: st.builds(Time, moments),
}
ranges = st.tuples(st.integers(-3, 9), st.integers(0, 12), st.integers(1, 4)).map(
    lambda t: Range(t[0], t[0] + t[1], t[2])
)


def _leaf(kind: FieldKind) -> st.SearchStrategy[Expression]:
    name = st.builds(Identifier, st.sampled_from(BY_KIND[kind]))
    literal: st.SearchStrategy[Any] = LITERALS[kind]
    item: st.SearchStrategy[Item] = literal | ranges if kind is FieldKind.INTEGER else literal
    items = st.lists(item, min_size=1, max_size=4).map(tuple)
    compared = st.builds(Comparison, name, signs, literal | name) | st.builds(Comparison, literal, signs, name)
    if kind is FieldKind.TEXT:
        compared |= st.builds(
            Glob, name, st.sampled_from(["*", "b*s", "?", "SDSS?~*", "[b]*", "*%", "_*", "*\\\\*", "BIAS"])
        )
    if kind is FieldKind.INTEGER:
        small = st.builds(Identifier, st.sampled_from(["exposure.seq_num", "exposure.day_obs"]))
        value = st.builds(Number, st.integers(-3, 9))
        inner = st.builds(Arithmetic, small | value, st.sampled_from("+-*%"), small | value)
        whole = st.builds(Arithmetic, inner | small, st.sampled_from("+-*/%"), inner | small | value)
        compared |= st.builds(Comparison, whole, signs, value | small)
    return compared | st.builds(Membership, name, items, st.booleans())


def _joined(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, children) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(st.sampled_from(list(BY_KIND)).flatmap(_leaf), _joined, max_leaves=6)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine, tables=[exposure, physical_filter])
    with engine.connect() as made:
        made.execute(
            sa.insert(physical_filter),
            [
                {"instrument": instrument, "name": name, "band": band}
                for instrument in ("LATISS", "LSSTCam")
                for name, band in FILTERS.items()
            ],
        )
        yield made
    engine.dispose()


def row_of(one: Exposure) -> dict[str, object]:
    """Return an exposure as the reference evaluation wants it."""
    plain = {field.column: getattr(one, field.column, None) for field in KNOWN_FIELDS.values()}
    return plain | {
        "group_name": one.group,
        "begin_tai_ns": one.timespan.begin_tai_ns,
        "end_tai_ns": one.timespan.end_tai_ns,
        "band": FILTERS[one.physical_filter] or None,
    }


def bare_exposure(number: int, physical_filter: str) -> Exposure:
    return Exposure(
        instrument="LATISS",
        id=number,
        obs_id="",
        day_obs=1,
        seq_num=1,
        physical_filter=physical_filter,
        observation_type="flat",
        exposure_time_s=1.0,
        dark_time_s=1.0,
        timespan=Timespan(1, 2),
    )


@given(expressions, st.lists(exposures, max_size=6, unique_by=lambda one: (one.instrument, one.id)))
def test_the_store_selects_what_the_reference_selects(
    connection: Connection, expression: Expression, stored: list[Exposure]
) -> None:
    rows = Exposures(connection)
    connection.execute(sa.delete(exposure))
    for instrument in ("LATISS", "LSSTCam"):
        of_instrument = [one for one in stored if one.instrument == instrument]
        rows.insert(of_instrument, state=1, is_type_by_operator=False)
    expected = [one for one in stored if evaluate(expression, row_of(one))]
    expected.sort(key=lambda one: (one.timespan.begin_tai_ns, one.id))
    found = rows.select(expression)
    assert [one.id for one in found] == [one.id for one in expected]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_a_range_holds_its_ends_and_its_steps_only(connection: Connection, stride: int) -> None:
    rows = Exposures(connection)
    connection.execute(sa.delete(exposure))
    rows.insert([bare_exposure(number, "g_01") for number in range(-6, 20)], state=1, is_type_by_operator=False)
    for begin, end in ((0, 12), (-5, 4), (3, 3), (19, 40)):
        chosen = Membership(Identifier("exposure"), (Range(begin, end, stride),))
        assert [one.id for one in rows.select(chosen)] == [n for n in range(begin, end + 1, stride) if n < 20]


def test_an_unknown_band_neither_holds_nor_fails(connection: Connection) -> None:
    rows = Exposures(connection)
    connection.execute(sa.delete(exposure))
    rows.insert(
        [bare_exposure(number, name) for number, name in enumerate(FILTERS)], state=1, is_type_by_operator=False
    )
    band = Identifier("band")
    assert [one.physical_filter for one in rows.select(Comparison(band, "=", Text("g")))] == ["g_01"]
    assert "unknown" not in [one.physical_filter for one in rows.select(Comparison(band, "!=", Text("g")))]
    assert "unknown" not in [one.physical_filter for one in rows.select(Membership(band, (Text("g"),), True))]


def test_a_list_of_thousands_of_exposures_is_one_condition(connection: Connection) -> None:
    items = tuple(Number(number) for number in range(5000))
    assert Exposures(connection).select(Membership(Identifier("exposure"), items, True)) is not None
