"""Names of collections: grammar, length, nearest name."""

import pytest

from calibstore.errors import UserInputError
from calibstore.model.collections import CollectionType, did_you_mean, validate_collection_name


@pytest.mark.parametrize("name", ["LATISS/calib", "u/some.one/LATISS/calib/DM-1", "a~b+c-d_e.f", "LATISS/raw/all"])
def test_good_names(name: str) -> None:
    assert validate_collection_name(name) == ()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "needs a name"),
        ("/LATISS", "empty part"),
        ("LATISS/", "empty part"),
        ("a//b", "empty part"),
        ("a b", "' '"),
        ("a,b", "','"),
        ("LATISS/calib/*", "'*'"),
        ("a/../b", "'..'"),
        ("a\nb", "'\\n'"),
        ("\N{GREEK SMALL LETTER ALPHA}", "contains"),
    ],
)
def test_bad_names_say_what_is_wrong(name: str, why: str) -> None:
    with pytest.raises(UserInputError) as caught:
        validate_collection_name(name)
    assert why in caught.value.message
    assert caught.value.hint


def test_long_names_are_warned_about() -> None:
    assert validate_collection_name("x" * 64) == ()
    assert "65 characters" in validate_collection_name("x" * 65)[0]


def test_nearest_name() -> None:
    known = ["LATISS/calib", "LATISS/raw/all", "LSSTComCam/calib"]
    assert did_you_mean("LATISS/calb", known) == "LATISS/calib"
    assert did_you_mean("latiss/CALIB", known) == "LATISS/calib"
    assert did_you_mean("nothing like it", known) is None
    assert did_you_mean("x", []) is None


def test_the_four_types() -> None:
    assert [kind.value for kind in CollectionType] == ["RUN", "TAGGED", "CHAINED", "CALIBRATION"]
