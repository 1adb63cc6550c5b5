"""Calibration types: what is made, and the irregular names."""

import pytest

from calibstore.errors import UserInputError
from calibstore.model.calib_types import (
    CALIB_NAMES,
    GENERATED,
    all_dataset_types,
    calib_types,
    dataset_types,
    find_calib_name,
    find_calib_type,
)


def test_the_types_of_a_bias() -> None:
    bootstrap, bias = find_calib_type("biasBootstrap"), find_calib_type("bias")
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
    assert {"dark", "flat"} <= set(bias.gives)


def test_every_published_type_is_made_or_brought_in() -> None:
    made = [one.name for one in calib_types()]
    assert made == [name for name in GENERATED if name not in ("electroBfDistortionMatrix", "illuminationCorrection")]
    with pytest.raises(UserInputError, match="unknown calibration type"):
        find_calib_type("illuminationCorrection")


def test_a_flat_is_of_a_filter_and_its_collections_of_a_band() -> None:
    flat, blended = find_calib_type("flat"), find_calib_type("flatAnaglyph")
    assert flat.dataset_type.dimensions == ("instrument", "detector", "physical_filter")
    assert flat.has_band
    assert blended.dataset_type.name == "flat"
    assert blended.is_certifiable
    mosaic = next(one for one in flat.companions if one.name == "flatMosaic8")
    assert mosaic.dimensions == ("instrument", "physical_filter")


def test_names_are_unique() -> None:
    for attribute in ("dataset_type", "stem", "certified", "verification"):
        values = [value for known in CALIB_NAMES if (value := getattr(known, attribute))]
        assert len(values) == len(set(values))
    assert len({one.name for one in dataset_types()}) == len(dataset_types())


@pytest.mark.parametrize(
    ("dataset_type", "stem", "certified", "verification"),
    [
        ("defects", "defectGen", "defects", "verifyDefects"),
        ("bias", "biasGen", "bias", "verifyBias"),
        ("flat", "flatGen", "flat", "verifyFlat"),
        ("biasBootstrap", "biasBootstrapGen", "", ""),
        ("ptc", "ptcGen", "ptc", "verifyPtc"),
        ("electroBfDistortionMatrix", "electroBFDistortionMatrixGen", "electroBfDistortionMatrix", ""),
        ("gain_correction", "gainCorrectionGen", "gain_correction", ""),
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
    assert set(registered) < {one.name for one in dataset_types()}
    assert [name for name, record in registered.items() if record.is_calibration] == ["biasBootstrap", "bias"]
    assert registered["biasMosaic8"].dimensions == ("instrument",)
