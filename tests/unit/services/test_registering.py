"""Collections and dataset types are made once, under names that follow the rules."""

from typing import Any

import pytest

from calibstore.commands.collections import RegisterCollection, RegisterDatasetType
from calibstore.errors import CabstandError
from calibstore.model.collections import near_duplicates


def collection(name: str, type_: str = "calibration", **more: Any) -> RegisterCollection:
    return RegisterCollection(name=name, type=type_, **more)


def dataset_type(name: str, *dimensions: str, storage_class: str = "ExposureF", **more: Any) -> RegisterDatasetType:
    return RegisterDatasetType(name=name, storage_class=storage_class, dimensions=dimensions, **more)


def codes(effect: Any) -> list[str]:
    return [one.split()[0] for one in effect.warnings]


def refusal(repo: Any, command: Any) -> CabstandError:
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(command, dry_run=dry_run)
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("type_", ["run", "tagged", "chained", "calibration"])
def test_a_collection_is_made_once_with_its_doc(strict_repo: Any, type_: str) -> None:
    asked = collection("some/new", type_, doc="why it is there")
    effect = strict_repo.do(asked)
    assert f"collections.register('some/new', CollectionType.{type_.upper()}" in effect.native[0].replace(
        "'\"'\"'", "'"
    )
    with strict_repo.context.unit_of_work() as uow:
        made = uow.collections.get("some/new")
    assert (str(made.type), made.doc) == (type_.upper(), "why it is there")
    again = strict_repo.do(asked)
    assert (again.data["is_same"], again.state) == (True, None)
    assert strict_repo.do(collection("some/new", type_)).data["is_same"]


def test_type_and_doc_of_a_collection_stay(strict_repo: Any) -> None:
    strict_repo.do(collection("some/new", doc="one"))
    assert refusal(strict_repo, collection("some/new", "tagged")).code == "E-COLLECTIONTYPE"
    told = refusal(strict_repo, collection("some/new", doc="another"))
    assert told.code == "E-DOC"
    assert "one" in told.message


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "a b", "a,b", "a*", "../a", "a/./b", "ä"])
def test_names_outside_the_grammar_are_refused(strict_repo: Any, name: str) -> None:
    assert refusal(strict_repo, collection(name)).code == "E-COLLNAME"


def test_long_and_near_names_are_warned_about(strict_repo: Any) -> None:
    assert codes(strict_repo.do(collection("x" * 65))) == ["W-LONGNAME"]
    assert codes(strict_repo.do(collection("y" * 64))) == []
    for name in ("LATISS/Calib", "LATISS-calib", "LATISS/calibs"):
        assert codes(strict_repo.do(collection(name), dry_run=True)) == ["W-NEARNAME"]


@pytest.mark.parametrize(
    ("name", "is_near"),
    [
        ("LATISS/calib/DM-48520/newSeqencer", True),
        ("LATISS/calib/DM-48520/newSeuqencer", True),
        ("LATISS/calib/DM48520/newSequencer", True),
        ("LATISS/calib/DM-48521/newSequencer", False),
        ("LATISS/calib/DM-48520/newSequencer/flat-g.20250101a", False),
        ("LATISS/calib/DM-48520/otherTag", False),
    ],
)
def test_a_slip_is_told_from_another_number_or_word(name: str, is_near: bool) -> None:
    assert bool(near_duplicates(name, ["LATISS/calib/DM-48520/newSequencer", name])) == is_near


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("LATISS/calib/DM-1/t/bias.20250101a", "run"),
        ("LATISS/calib/DM-1/t/biasGen.20250101a", "calibration"),
        ("LATISS/calib_tagged/DM-1", "chained"),
        ("LATISS/defaults", "run"),
    ],
)
def test_a_type_in_the_wrong_place_is_refused_or_told(strict_repo: Any, loose_repo: Any, name: str, type_: str) -> None:
    assert refusal(strict_repo, collection(name, type_)).code == "E-NAME"
    assert "W-NAME" in codes(loose_repo.do(collection(name, type_)))


def test_a_dataset_type_is_made_once(strict_repo: Any) -> None:
    asked = dataset_type("flat", "detector", "physical_filter", "band", is_calibration=True)
    effect = strict_repo.do(asked)
    with strict_repo.context.unit_of_work() as uow:
        made = uow.repository.dataset_types()["flat"]
    assert made.dimensions == ("instrument", "detector", "physical_filter")
    assert made.is_calibration
    line = "flat ExposureF instrument detector physical_filter --is-calibration"
    assert effect.native == (f"butler register-dataset-type {strict_repo.root} {line}",)
    same = dataset_type("flat", "physical_filter", "instrument", "detector", is_calibration=True)
    assert strict_repo.do(same).data["is_same"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (dataset_type("bias", "instrument", "detector"), "E-DATASETTYPE"),
        (dataset_type("bias", "instrument", is_calibration=True), "E-DATASETTYPE"),
        (dataset_type("bias", "instrument", "detector", storage_class="ImageF", is_calibration=True), "E-DATASETTYPE"),
        (dataset_type("1bias", "instrument"), "E-DATASETTYPE"),
        (dataset_type("bias.wcs", "instrument"), "E-DATASETTYPE"),
        (dataset_type("b" * 129, "instrument"), "E-DATASETTYPE"),
        (dataset_type("flat", "instrument", "detecter"), "E-DIMENSION"),
        (dataset_type("flat", "instrument", storage_class="Exposure F"), "E-STORAGECLASS"),
    ],
)
def test_conflicts_and_slips_of_dataset_types_are_named(
    strict_repo: Any, command: RegisterDatasetType, code: str
) -> None:
    assert refusal(strict_repo, command).code == code


def test_a_conflict_says_what_is_there(strict_repo: Any) -> None:
    told = refusal(strict_repo, dataset_type("bias", "instrument", is_calibration=True)).message
    assert "ExposureF of instrument detector, calibration here, not ExposureF of instrument, calibration" in told


def test_near_dataset_types_and_unknown_classes_are_warned_about(strict_repo: Any) -> None:
    effect = strict_repo.do(dataset_type("Bias", "instrument", storage_class="Exposuref"))
    assert codes(effect) == ["W-NEARNAME", "W-STORAGECLASS"]
    assert "ExposureF" in effect.warnings[1]
