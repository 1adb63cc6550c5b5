"""Collection names: the published examples, the irregular ones, every refusal."""

import pytest

from calibstore.errors import ConflictError, UserInputError
from calibstore.model.names import CollectionName, NameKind, Names, find_name, next_rerun, parse_name, rerun_warnings

NAMES = Names("LATISS", "DM-12345", "voltageChange")


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (NAMES.generation("bias", "20220915a"), "LATISS/calib/DM-12345/voltageChange/biasGen.20220915a"),
        (NAMES.verification("bias", "20220915a"), "LATISS/calib/DM-12345/voltageChange/verifyBias.20220915a"),
        (NAMES.certified("bias", "20220916b"), "LATISS/calib/DM-12345/voltageChange/bias.20220916b"),
        (NAMES.generation("defects", "20220915a"), "LATISS/calib/DM-12345/voltageChange/defectGen.20220915a"),
        (NAMES.certified("defects", "20220915a"), "LATISS/calib/DM-12345/voltageChange/defects.20220915a"),
        (NAMES.generation("flat", "20250207a", band="u"), "LATISS/calib/DM-12345/voltageChange/flatGen-u.20250207a"),
        (
            NAMES.verification("flat", "20250210a", band="r"),
            "LATISS/calib/DM-12345/voltageChange/verifyFlat-r.20250210a",
        ),
        (NAMES.certified("flat", "20250207a", band="g"), "LATISS/calib/DM-12345/voltageChange/flat-g.20250207a"),
        (
            NAMES.generation("biasBootstrap", "20250207a"),
            "LATISS/calib/DM-12345/voltageChange/biasBootstrapGen.20250207a/run1",
        ),
        (
            NAMES.generation("biasBootstrap", "20250207a", run_number=2),
            "LATISS/calib/DM-12345/voltageChange/biasBootstrapGen.20250207a/run2",
        ),
        (NAMES.verification("science", "20250207a"), "LATISS/calib/DM-12345/voltageChange/verifyScience.20250207a"),
        (NAMES.ticket_chain, "LATISS/calib/DM-12345"),
        (NAMES.top_chain, "LATISS/calib"),
        (NAMES.raw, "LATISS/raw/all"),
        (NAMES.defaults, "LATISS/defaults"),
        (NAMES.protection, "LATISS/calib_tagged/DM-12345"),
        (Names("LATISS", "DM-1", "t", "u/someone/").ticket_chain, "u/someone/LATISS/calib/DM-1"),
        (Names("LATISS", "DM-1", "t", "u/someone/").top_chain, "LATISS/calib"),
    ],
)
def test_names_as_published(built: str, expected: str) -> None:
    assert built == expected
    assert parse_name(built).text() == built


def test_parsing_tells_every_part() -> None:
    assert parse_name("u/someone/LSSTComCam/calib/DM-48520/DP1/verifyFlat-r.20250210a") == CollectionName(
        kind=NameKind.VERIFICATION,
        instrument="LSSTComCam",
        ticket="DM-48520",
        tag="DP1",
        calib_type="flat",
        band="r",
        rerun="20250210a",
        user_prefix="u/someone/",
    )
    batch = parse_name("LATISS/calib/DM-1/x/biasGen.20250401a/20250402T030405Z")
    assert (batch.calib_type, batch.subrun) == ("bias", "20250402T030405Z")


@pytest.mark.parametrize(
    "name",
    [
        "LATISS/calib/DM-41319/unbounded",
        "LATISS/calib/DM-1/x/biasGen.20250401",
        "LATISS/calib/DM-1/x/biasBootstrapGen.20250401a",
        "LATISS/calib/DM-1/x/biasGen.20250401a/run1",
        "LATISS/calib/DM-1/x/bias.20250401a/20250402T030405Z",
        "LATISS/calib/DM-1/x/flatGen.20250401a",
        "LATISS/calib/DM-1/x/bias-g.20250401a",
        "LATISS/calib/dm-1",
        "LATISS/calib/DM-1/x/y/bias.20250401a",
        "photos/2025",
        "",
    ],
)
def test_other_names_follow_no_pattern(name: str) -> None:
    assert find_name(name) is None
    with pytest.raises(UserInputError) as caught:
        parse_name(name)
    assert "<ticket>" in caught.value.hint


@pytest.mark.parametrize(
    ("instrument", "ticket", "tag", "prefix", "said"),
    [
        ("LATISS", "dm-1", "t", "", "ticket 'dm-1'"),
        ("LATISS", "DM1", "t", "", "ticket 'DM1'"),
        ("LATISS", "DM-1", "a b", "", "tag 'a b'"),
        ("LATISS", "DM-1", "a/b", "", "tag 'a/b'"),
        ("LATISS", "DM-1", "", "", "tag ''"),
        ("LATISS", "DM-1", "..", "", "tag '..'"),
        ("", "DM-1", "t", "", "instrument ''"),
        ("LATISS", "DM-1", "t", "u/someone", "no slash at its end"),
        ("LATISS", "DM-1", "t", "u//", "no user prefix"),
        ("LATISS", "DM-1", "t", "calib/", "no user prefix"),
    ],
)
def test_bad_parts_are_refused_in_one_line(instrument: str, ticket: str, tag: str, prefix: str, said: str) -> None:
    with pytest.raises(UserInputError) as caught:
        Names(instrument, ticket, tag, prefix)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_what_a_type_has_not_is_refused() -> None:
    for call in (
        lambda: NAMES.certified("biasBootstrap", "20250401a"),
        lambda: NAMES.verification("biasBootstrap", "20250401a"),
        lambda: NAMES.generation("bias", "20250401a", run_number=1),
        lambda: NAMES.generation("biasBootstrap", "20250401a", run_number=0),
        lambda: NAMES.generation("flat", "20250401a"),
        lambda: NAMES.generation("bias", "20250401a", band="g"),
        lambda: NAMES.generation("bias", "20250231a"),
        lambda: NAMES.generation("bias", "20250401"),
        lambda: NAMES.generation("bias", "20250401A"),
        lambda: NAMES.generation("science", "20250401a"),
        lambda: NAMES.generation("nothing", "20250401a"),
    ):
        with pytest.raises(UserInputError):
            call()


def test_next_rerun() -> None:
    assert next_rerun([], 20220915) == "20220915a"
    assert next_rerun(["20220915a"], 20220915) == "20220915b"
    assert next_rerun(["20220915a", "20220915c", "20220914z"], "20220915") == "20220915d"
    assert next_rerun(["20220915c"], 20220916) == "20220916a"
    with pytest.raises(ConflictError, match="26 reruns") as caught:
        next_rerun(["20220915z"], 20220915)
    assert caught.value.hint
    with pytest.raises(UserInputError):
        next_rerun([], 20250231)


def test_unusual_reruns_are_pointed_out() -> None:
    assert rerun_warnings("20220915a", [], 20220915) == ()
    assert rerun_warnings("20220915b", ["20220915a"], 20220915) == ()
    assert "today's date" in rerun_warnings("20220914a", [], 20220915)[0]
    assert "skips 20220915b" in rerun_warnings("20220915d", ["20220915a"], 20220915)[0]
    assert rerun_warnings("20220915a", ["20220915a"], 20220915) == ()
