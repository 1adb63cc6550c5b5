"""The selection language: what it reads, and how it says what is wrong."""

import pytest

from calibstore.model.times import iso_to_ns
from calibstore.model.where import (
    And,
    Arithmetic,
    Comparison,
    Identifier,
    Membership,
    Not,
    Number,
    Or,
    Range,
    Text,
    Time,
    WhereError,
    parse_where,
)
from calibstore.model.where_ast import Expression
from calibstore.model.where_eval import columns, evaluate, identifiers, string_values, times_of
from calibstore.model.where_fields import KNOWN_FIELDS, check_where, constrains_instrument

BIAS = (
    "instrument='LATISS' AND exposure.observation_type = 'bias' and exposure.day_obs in (20250401, 20250403..20250405)"
    " and exposure.seq_num != 6"
)
ROW = {
    "instrument": "LATISS",
    "id": 2025040100006,
    "obs_id": "AT_O_20250401_000006",
    "day_obs": 20250401,
    "seq_num": 6,
    "physical_filter": "SDSSr_65mm~empty",
    "band": "r",
    "observation_type": "bias",
    "observation_reason": "calibration",
    "science_program": "unknown",
    "exposure_time_s": 0.0,
    "dark_time_s": 0.03,
    "target_name": "",
    "group_name": "g1",
    "begin_tai_ns": iso_to_ns("2025-04-01T20:00:37"),
    "end_tai_ns": iso_to_ns("2025-04-01T20:00:38"),
    "detector": 0,
}


def fits(text: str, **changes: object) -> bool:
    expression = parse_where(text)
    check_where(parse_where(f"instrument = 'LATISS' and ({text})"), text)
    return evaluate(expression, ROW | changes)


def test_a_bias_selection_is_read_part_by_part() -> None:
    assert parse_where(BIAS) == And(
        (
            Comparison(Identifier("instrument"), "=", Text("LATISS")),
            Comparison(Identifier("exposure.observation_type"), "=", Text("bias")),
            Membership(Identifier("exposure.day_obs"), (Number(20250401), Range(20250403, 20250405))),
            Comparison(Identifier("exposure.seq_num"), "!=", Number(6)),
        )
    )


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison(Identifier("detector"), "=", Number(n)) for n in (1, 2, 3))
    assert parse_where("detector=1 or detector=2 and detector=3") == Or((a, And((b, c))))
    assert parse_where("(detector=1 or detector=2) and detector=3") == And((Or((a, b)), c))
    assert parse_where("NOT (detector=1) and detector=2") == And((Not(a), b))
    assert parse_where("not not (detector=1)") == Not(Not(a))
    assert parse_where("not detector=1 and detector=2") == And((Not(a), b))


def test_arithmetic_binds_as_in_sql() -> None:
    a, b, c = Identifier("detector"), Identifier("exposure.seq_num"), Number(2)
    assert parse_where("detector - exposure.seq_num * 2 = 2") == Comparison(
        Arithmetic(a, "-", Arithmetic(b, "*", c)), "=", c
    )
    assert parse_where("(detector - exposure.seq_num) * 2 = 2") == Comparison(
        Arithmetic(Arithmetic(a, "-", b), "*", c), "=", c
    )
    assert parse_where("detector - exposure.seq_num - 2 = -2") == Comparison(
        Arithmetic(Arithmetic(a, "-", b), "-", c), "=", Number(-2)
    )
    assert parse_where("-detector = (2)") == Comparison(Arithmetic(Number(0), "-", a), "=", c)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("T'60310.5'", "T'2024-01-01T12:00:00/tai'"),
        ("T'mjd/60310.5'", "T'2024-01-01T12:00:00/tai'"),
        ("T'jd/2460311'", "T'2024-01-01T12:00:00/tai'"),
        ("T'yday/2024:001'", "T'2024-01-01'"),
        ("T'2024:060:06:07:08.5'", "T'2024-02-29T06:07:08.5'"),
        ("T'unix/1704067200'", "T'2024-01-01T00:00:00/utc'"),
        ("T'cxcsec/0'", "T'1997-12-31T23:59:27.816/tai'"),
        ("T'2024-01-01T00:00:32.184/tt'", "T'2024-01-01T00:00:00/tai'"),
        ("T'iso/2024-01-01 00:00:00/TAI'", "T'2024-01-01T00:00:00/tai'"),
    ],
)
def test_times_in_every_format_of_the_butler(written: str, same: str) -> None:
    one, other = (parse_where(f"exposure.timespan.begin > {text}") for text in (written, same))
    assert one == other


def test_overlaps_takes_two_timespans_in_either_order() -> None:
    one = parse_where("exposure.timespan overlaps (T'2024-01-01', T'2024-01-02')")
    other = parse_where("(T'2024-01-01', T'2024-01-02') overlaps exposure.timespan")
    assert isinstance(one, And)
    assert isinstance(other, And)
    flipped = {">": "<", "<": ">"}
    swapped = {(leaf.right, flipped[leaf.operator], leaf.left) for leaf in other.terms if isinstance(leaf, Comparison)}
    assert {(leaf.left, leaf.operator, leaf.right) for leaf in one.terms if isinstance(leaf, Comparison)} == swapped
    assert str(parse_where("bias.timespan overlaps exposure.timespan")) == (
        "bias.timespan.end > exposure.timespan.begin and bias.timespan.begin < exposure.timespan.end"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exposure.seq_num in (1..10)", True),
        ("seq_num in (1..10:2)", False),
        ("seq_num in (2..10:2)", True),
        ("seq_num not in (2..10:2)", False),
        ("seq_num in (5, 6)", True),
        ("6 >= seq_num", True),
        ("5 > seq_num", False),
        ("exposure.dark_time < 3.5e-1", True),
        ("exposure.exposure_time > -1", True),
        ("observation_x", None),
        ("exposure.observation_type = 'Bias'", False),
        ("exposure = 2025040100006", True),
        ("exposure.id = exposure", True),
        ("exposure.timespan.begin = T'2025-04-01T20:00:00'", True),
        ("exposure.timespan.begin = T'2025-04-01T20:00:00Z'", True),
        ("exposure.timespan.begin = T'2025-04-01T20:00:37/tai'", True),
        ("exposure.timespan.begin = T'2025-04-01T20:00:37'", False),
        ("exposure.timespan.end <= T'mjd/60767'", True),
        ("exposure.timespan overlaps T'2025-04-01T20:00:00'", True),
        ("exposure.timespan overlaps T'2025-04-01T20:00:01'", False),
        ("exposure.timespan overlaps (null, T'2025-04-01T20:00:00')", False),
        ("exposure.timespan OVERLAPS (T'2025-04-01T20:00:00.5', null)", True),
        ("exposure.timespan overlaps (T'2025-04-01', T'2025-04-02')", True),
        ("not (detector = 0 or band = 'g')", False),
        ("physical_filter = 'SDSSr_65mm~empty' and group = 'g1'", True),
        ("glob(physical_filter, 'SDSS?_*~*')", True),
        ("GLOB(physical_filter, 'sdss*')", False),
        ("glob(physical_filter, '*[~]*')", False),
        ("not detector = 1", True),
        ("detector * 2 + 1 = 1 and 1 / (detector + 2) = 0.5", True),
        ("1 / detector = 1 or detector = 1", False),
        ("detector % 2 in (0, 1)", True),
        ("exposure.dark_time % 2 = 1", None),
        ("band * 2 = 4", None),
        ("glob(detector, '1*')", None),
    ],
)
def test_conditions_hold_or_not(text: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(WhereError):
            fits(text)
    else:
        assert fits(text) is expected


def test_an_unknown_value_neither_holds_nor_fails() -> None:
    for text in ("band = 'r'", "band != 'r'", "band in ('r')", "band not in ('r')", "not (band = 'r')"):
        assert fits(text, band=None) is False
    assert fits("band = 'r' or detector = 0", band=None) is True


@pytest.mark.parametrize(
    ("text", "place", "what", "hint"),
    [
        ("detector = 0 and and band = 'r'", 17, "'and' stands twice in a row", "take one"),
        ("detector = 0 and or band = 'r'", 17, "'or' stands after 'and'", "take one"),
        ("detector = 0 and", 16, "missing after and; found the end", ""),
        ("and detector = 0", 0, "and stands where a condition should", ""),
        ("instrument = 'LATISS and detector = 0", 13, "never closed", "'bias'"),
        ("detector == 0", 9, "no '=='", "single ="),
        ('instrument = "LATISS"', 13, "single quotes", "'bias'"),
        ("instrument = \u2018LATISS\u2019", 13, "straight single quotes", ""),
        ("detector <> 0", 9, "no '<>'", "!="),
        ("detector = 0 && band = 'r'", 13, "no '&'", "and"),
        ("detector = 0 || band = 'r'", 13, "no '|'", "or"),
        ("!(detector = 0)", 0, "no '!'", "not"),
        ("target_name like 'x%'", 12, "LIKE is not known", ""),
        ("seq_num between 1 and 5", 8, "BETWEEN is not known", ""),
        ("band is null", 5, "IS is not known", ""),
        ("GLOB(target_name)", 16, "a name and a pattern", "BLOCK-*"),
        ("glob('x*', target_name)", 5, "takes a name first", "BLOCK-*"),
        ("glob(target_name, 5)", 18, "pattern in quotes", "BLOCK-*"),
        ("UUID('12')= dataset_id", 5, "'12' is no UUID", "32 hexadecimal"),
        ("CIRCLE(1, 2, 3) overlaps x", 0, "regions on the sky", "no place"),
        ("where detector = 0", 0, "leave the word 'where' out", ""),
        ("lower(band) = 'r'", 0, "no function lower", ""),
        ("detector", 0, "detector alone is no condition", "detector = ..."),
        ("detector 5", 9, "comparison is missing between detector and 5", ""),
        ("detector =", 10, "a value is missing after =", ""),
        ("1 = 1", 0, "two constants", ""),
        ("1 < seq_num < 5", 12, "do not chain", "join"),
        ("(detector = 0", 0, "never closed", ""),
        ("detector = 0)", 12, "never opened", ""),
        ("detector in 5", 12, "list in parentheses is missing", ""),
        ("detector in ()", 12, "list is empty", ""),
        ("detector in (1, 2", 12, "never closed", ""),
        ("detector in (1 2)", 15, "a comma or ) is missing after 1", ""),
        ("detector not (1)", 13, "'in' is missing", ""),
        ("band in (r, g)", 9, "r is no value", "'r'"),
        ("5 in (1, 2)", 0, "a name must stand", ""),
        ("seq_num in (9..1)", 12, "ends before it begins", "1..9"),
        ("seq_num in (1..9:0)", 12, "stride", ""),
        ("seq_num in (1...9)", 12, "two whole numbers", ""),
        ("seq_num = 1..9", 10, "inside in", ""),
        ("seq_num = 3 +", 13, "a value is missing after +", ""),
        ("seq_num = -'3'", 11, "a number is missing after -", ""),
        ("seq_num + 'a' = 3", 8, "takes numbers, 'a' is none", ""),
        ("seq_num + (band = 'r') = 3", 8, "takes values, not conditions", ""),
        ("(band = 'r') = (band = 'g')", 13, "a condition cannot be compared", "and, or"),
        ("(seq_num)", 0, "seq_num alone is no condition", ""),
        ("(seq_num + 1) and band = 'r'", 0, "alone is no condition", ""),
        ("exposure.timespan.begin > (T'2025-04-01', null)", 24, "beside overlaps", ""),
        ("day_obs = 20250401a", 10, "begin with a digit", ""),
        ("seq_num = 9223372036854775808", 10, "too large", ""),
        ("exposure.dark_time < 1e999", 21, "too large", ""),
        ("exposure.timespan.begin > T'20250401'", 26, "is no time", "day_obs = 20250401"),
        ("exposure.timespan.begin > T'2025-02-30'", 26, "there is no day", ""),
        ("exposure.timespan.begin > t'2025-02-20'", 26, "capital T", ""),
        ("exposure.timespan overlaps 5", 27, "between two timespans", "T'...'"),
        ("detector overlaps T'2025-04-01'", 0, "between two timespans", "exposure.timespan"),
        ("T'2025-04-01' overlaps (T'2025-04-01', null)", 0, "two constants", ""),
        ("exposure.timespan.begin > T'julian/5'", 26, "no time format 'julian'", "isot"),
        ("exposure.timespan.begin > T'2025-04-01/ut1'", 26, "no time scale 'ut1'", "utc"),
        ("exposure.timespan.begin > T'yday/2025:366'", 26, "2025 has no day 366", ""),
        ("exposure.timespan.begin > T'unix/1e9'", 26, "is no number", ""),
        ("exposure.timespan overlaps (T'2025-04-02', T'2025-04-01')", 27, "not before", ""),
        ("exposure.timespan overlaps (null, null)", 18, "both ends are open", ""),
        ("detector = :d", 11, "named values", ""),
        ("detector = 0; drop", 12, "one expression", ""),
        ("detector = \u00a7", 11, "does not belong", ""),
        ("", 0, "selection is empty", "such as"),
        ("   ", 0, "selection is empty", "such as"),
        ("(" * 200, 60, "nested deeper", ""),
    ],
)
def test_faults_are_shown_with_a_caret(text: str, place: int, what: str, hint: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse_where(text)
    error = caught.value
    assert what in error.what
    assert hint in error.hint
    assert error.hint
    assert error.code.startswith("E-")
    assert error.position == place
    shown, caret = error.diagram.split("\n")
    assert caret.strip() == "^"
    if place < len(text):
        assert shown[caret.index("^")] == text[place]


def test_the_message_ends_with_line_and_caret() -> None:
    with pytest.raises(WhereError) as caught:
        parse_where("detector = 0\n  and and band = 'r'")
    assert str(caught.value) == "'and' stands twice in a row\n    and and band = 'r'\n        ^"


def test_a_long_line_is_cut_around_the_caret() -> None:
    text = " and ".join(["detector = 0"] * 30) + " and and " + " and ".join(["detector = 0"] * 30)
    with pytest.raises(WhereError) as caught:
        parse_where(text)
    shown, caret = caught.value.diagram.split("\n")
    assert len(shown) < 140
    assert shown[caret.index("^") :].startswith("and detector")
    assert shown.strip().startswith("...")
    assert shown.endswith("...")


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("instrument = 'X' and exposure.sequm = 1", "no field exposure.sequm", "exposure.seq_num"),
        ("instrument = 'X' and Detector = 1", "no field Detector", "detector"),
        ("instrument = 'X' and observation_type = 'bias'", "no field observation_type", "exposure.observation_type"),
        ("instrument = LATISS", "no field LATISS", "'LATISS'"),
        ("instrument = 'X' and detector = '0'", "detector is a whole number", "without quotes"),
        ("instrument = 'X' and band = 5", "band is a text", "'5'"),
        ("instrument = 'X' and exposure.dark_time in (1..5)", "is a number", ""),
        ("instrument = 'X' and exposure.timespan.begin > '2025-04-01'", "is a time", "T'"),
        ("instrument = 'X' and detector = T'2025-04-01'", "detector is a whole number", ""),
        ("instrument = 'X' and exposure.timespan = T'2025-04-01'", "no single time", "overlaps"),
        ("instrument = 'X' and band = detector", "cannot be compared", ""),
        ("instrument = 'X' and band in ('r', 5)", "band is a text", ""),
    ],
)
def test_names_and_kinds_are_checked(text: str, what: str, hint: str) -> None:
    with pytest.raises(WhereError) as caught:
        check_where(parse_where(text), text)
    assert what in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "is_given"),
    [
        (BIAS, True),
        ("'X' = instrument", True),
        ("instrument in ('X', 'Y')", True),
        ("(instrument = 'X' and detector = 0) or instrument = 'Y'", True),
        ("detector = 0", False),
        ("instrument != 'X'", False),
        ("instrument = 'X' or detector = 0", False),
        ("not (instrument = 'X')", False),
        ("instrument not in ('X')", False),
    ],
)
def test_the_instrument_must_be_given(text: str, is_given: bool) -> None:
    expression = parse_where(text)
    assert constrains_instrument(expression) is is_given
    if is_given:
        check_where(expression, text)
    else:
        with pytest.raises(WhereError) as caught:
            check_where(expression, text, instrument="LSSTComCam")
        assert caught.value.code == "E-NOINSTRUMENT"
        assert "instrument = 'LSSTComCam' and" in caught.value.hint


def test_what_a_selection_names() -> None:
    text = BIAS + " and exposure.timespan.begin < T'2025-04-02' and band not in ('g') and physical_filter in ('r', 'z')"
    expression = parse_where(text)
    assert identifiers(expression)[:2] == ("instrument", "exposure.observation_type")
    assert "begin_tai_ns" in columns(expression)
    assert string_values(expression) == (
        ("instrument", "LATISS"),
        ("exposure.observation_type", "bias"),
        ("physical_filter", "r"),
        ("physical_filter", "z"),
    )
    assert [time.understood_as for time in times_of(expression)] == [
        "2025-04-02T00:00:37 TAI (= 2025-04-02T00:00:00 UTC; day_obs 20250401)"
    ]


def test_every_known_field_can_be_selected_by() -> None:
    values = {"text": "'x'", "whole number": "1", "number": "1.5", "time": "T'2025-04-01'"}
    for name, field in KNOWN_FIELDS.items():
        assert fits(f"{name} = {values[field.kind]}") in (True, False)


def test_a_time_keeps_its_text_in_both_scales() -> None:
    expression: Expression = parse_where("exposure.timespan.end > T'2025-04-01T20:00:00'")
    assert isinstance(expression, Comparison)
    assert expression.right == Time(iso_to_ns("2025-04-01T20:00:37"))
    assert str(expression) == "exposure.timespan.end > T'2025-04-01T20:00:37/tai'"
