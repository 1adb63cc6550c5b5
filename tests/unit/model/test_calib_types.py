"""Calibration types: what is made, and the irregular names."""

import pytest

from calibstore.errors import UserInputError
from calibstore.model.calib_types import (
    CALIB_NAMES,
    CALIB_TYPES,
    DATASET_TYPES,
    all_dataset_types,
    find_calib_name,
    find_calib_type,
)


def test_the_types_of_a_bias() -> None:
    assert [known.name for known in CALIB_TYPES] == ["biasBootstrap", "bias"]
    bootstrap, bias = CALIB_TYPES
    assert (bootstrap.dataset_type.unit, bootstrap.is_certifiable) == ("adu", False)
    assert (bias.dataset_type.unit, bias.is_certifiable) == ("electron", True)
    assert bias.dataset_type.dimensions == ("instrument", "detector")
    assert [one.name for one in bias.companions] == [
        "biasBin8",
        "biasBin64",
        "biasMosaic8",
        "biasMosaic64",
        "biasThumbnail",
    ]
    assert not any(one.is_calibration for one in bias.companions)
    assert "ptc" in bias.wants


def test_names_are_unique() -> None:
    for attribute in ("dataset_type", "stem", "certified", "verification"):
        values = [value for known in CALIB_NAMES if (value := getattr(known, attribute))]
        assert len(values) == len(set(values))
    assert len({one.name for one in DATASET_TYPES}) == len(DATASET_TYPES)


@pytest.mark.parametrize(
    ("dataset_type", "stem", "certified", "verification"),
    [
        ("defects", "defectGen", "defects", "verifyDefects"),
        ("bias", "biasGen", "bias", "verifyBias"),
        ("flat", "flatGen", "flat", "verifyFlat"),
        ("biasBootstrap", "biasBootstrapGen", "", ""),
        ("ptc", "ptcGen", "ptc", "verifyPtc"),
        ("science", "", "", "verifyScience"),
    ],
)
def test_irregular_names(dataset_type: str, stem: str, certified: str, verification: str) -> None:
    found = find_calib_name(dataset_type)
    assert (found.stem, found.certified, found.verification) == (stem, certified, verification)


def test_unknown_types_get_the_nearest_name() -> None:
    with pytest.raises(UserInputError) as caught:
        find_calib_type("Bias")
    assert "did you mean 'bias'" in caught.value.hint
    with pytest.raises(UserInputError):
        find_calib_name("defect5")


def test_what_a_new_repository_registers() -> None:
    registered = {record.name: record for record in all_dataset_types()}
    assert list(registered) == [one.name for one in DATASET_TYPES]
    assert [name for name, record in registered.items() if record.is_calibration] == ["biasBootstrap", "bias"]
    assert registered["biasMosaic8"].dimensions == ("instrument",)
