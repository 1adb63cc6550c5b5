"""Laws of selections: text and tree go both ways, no text makes another error, logic is logic."""

import string

from hypothesis import given
from hypothesis import strategies as st

from calibstore.errors import UserInputError
from calibstore.model.timespan import MAX_TAI_NS
from calibstore.model.where import (
    And,
    Arithmetic,
    Comparison,
    Expression,
    Glob,
    Identifier,
    Membership,
    Not,
    Number,
    Or,
    Range,
    Text,
    Time,
    Uuid,
    parse_where,
)
from calibstore.model.where_eval import evaluate

int64 = st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1)
names = st.sampled_from(["detector", "exposure.seq_num", "exposure.day_obs", "band", "exposure.timespan.begin"])
numbers = st.builds(Number, int64 | st.floats(allow_nan=False, allow_infinity=False, width=32))
texts = st.builds(Text, st.text(alphabet=string.ascii_letters + string.digits + " _~-.,()=", max_size=12))
moments = st.builds(Time, st.integers(min_value=0, max_value=MAX_TAI_NS))
ranges = st.tuples(int64, int64, st.integers(1, 9)).map(lambda t: Range(min(t[:2]), max(t[:2]), t[2]))
uuids = st.builds(Uuid, st.uuids().map(str))
literals = numbers | texts | moments | uuids
fields = st.builds(Identifier, names)
sums = st.recursive(
    fields, lambda inner: st.builds(Arithmetic, inner, st.sampled_from("+-*/%"), inner | numbers), max_leaves=4
)
globs = st.builds(Glob, fields, st.text(alphabet="ab*?[]%_~", max_size=6))
signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
comparisons = st.builds(Comparison, fields, signs, literals) | st.builds(Comparison, sums, signs, sums | numbers)
memberships = st.builds(
    Membership,
    sums,
    st.lists(literals | ranges, min_size=1, max_size=4).map(tuple),
    st.booleans(),
)


def _joined(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, children) | st.builds(And, several) | st.builds(Or, several)


expressions = st.recursive(comparisons | memberships | globs, _joined, max_leaves=8)

small = st.integers(0, 4)
small_leaves = st.builds(Comparison, st.just(Identifier("detector")), signs, st.builds(Number, small)) | st.builds(
    Membership,
    st.just(Identifier("exposure.seq_num")),
    st.lists(st.builds(Number, small), min_size=1, max_size=2).map(tuple),
    st.booleans(),
)
small_expressions = st.recursive(small_leaves, _joined, max_leaves=6)
rows = st.fixed_dictionaries({"detector": small | st.none(), "seq_num": small | st.none()})

words = [
    "and",
    "or",
    "not",
    "in",
    "overlaps",
    "null",
    "glob(",
    "UUID(",
    "*",
    "/",
    "%",
    "+",
    "(",
    ")",
    "=",
    "==",
    "'x'",
    "'",
    "T'2025'",
    "1..5",
    "5",
    ",",
    "band",
    ".",
    ":",
    "-",
]


@given(expressions)
def test_text_and_tree_go_both_ways(expression: Expression) -> None:
    assert parse_where(str(expression)) == expression


@given(st.text() | st.lists(st.sampled_from(words)).map(" ".join))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    problem = None
    try:
        parse_where(text)
    except UserInputError as error:
        problem = error
    assert problem is None or (problem.hint and problem.code)


@given(small_expressions, small_expressions, rows)
def test_logic(one: Expression, other: Expression, row: dict[str, object]) -> None:
    assert evaluate(Not(Not(one)), row) == evaluate(one, row)
    assert evaluate(Not(And((one, other))), row) == evaluate(Or((Not(one), Not(other))), row)
    assert evaluate(And((one, other)), row) == (evaluate(one, row) and evaluate(other, row))
    assert not (evaluate(one, row) and evaluate(Not(one), row))
    if None not in row.values():
        assert evaluate(one, row) or evaluate(Not(one), row)
