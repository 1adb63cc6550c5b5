"""Where nothing applies, and which exposures were taken there."""

from typing import Any

import pytest

from calibstore.commands.views import Gaps
from calibstore.errors import UserInputError
from tests.support.rows import put_certified, span

TOP = "LSSTComCam/calib"


@pytest.fixture
def repo(comcam_repo: Any) -> Any:
    """A gap of March for all detectors, longer for detector 2; detectors 7 and 8 never had any."""
    put_certified(comcam_repo, "first", "2024-01-01", "2024-03-01", detectors=range(7))
    put_certified(comcam_repo, "second", "2024-04-01", "2024-07-01", detectors=[0, 1, 3, 4, 5, 6])
    put_certified(comcam_repo, "late", "2024-05-01", "2024-07-01", detectors=[2])
    comcam_repo.add_chain(TOP, ["first", "second", "late"])
    return comcam_repo


def test_gaps_name_detectors_and_exposures(repo: Any) -> None:
    before, inside, straddling, of_two, open_end = repo.add_exposures(
        ["2023-12-01", "2024-03-15", "2024-03-31T23:59:45", "2024-04-15", "2024-08-01"]
    )
    answer = repo.ask(Gaps(dataset_type="bias"))
    (found,) = answer.data["through"]
    assert [(gap["detectors"], gap["exposures"]) for gap in found["gaps"]] == [
        ([0, 1, 3, 4, 5, 6], [inside]),
        ([2], [inside, straddling, of_two]),
        ([0, 1, 2, 3, 4, 5, 6], [open_end]),
    ]
    assert [gap["begin_tai_ns"] for gap in found["gaps"]] == [
        span(begin).begin_tai_ns for begin in ("2024-03-01", "2024-03-01", "2024-07-01")
    ]
    assert found["never"] == [{"dataset_type": "bias", "physical_filter": None, "detectors": [7, 8]}]
    assert all(before not in gap["exposures"] for gap in found["gaps"])
    assert answer.lines == (
        "through LSSTComCam/calib, 9 detectors of LSSTComCam",
        "  bias  [2024-03-01, 2024-04-01)",
        f"    detectors 0-1,3-6; 1 exposure without an answer: {inside}",
        "  bias  [2024-03-01, 2024-05-01)",
        f"    detector 2; 3 exposures without an answer: {inside}, {straddling},",
        f"      {of_two}",
        "  bias  [2024-07-01, ∞)",
        f"    detectors 0-6; 1 exposure without an answer: {open_end}",
        "  bias: detectors 7-8 never had any",
        "  4 exposures taken inside gaps in all",
    )


def test_limits_reach_before_the_first_certified_instant_and_cut_the_open_end(repo: Any) -> None:
    (early,) = repo.add_exposures(["2023-12-01"])
    (found,) = repo.ask(Gaps(dataset_type="bias", begin="2023-01-01", end="2024-03-10T00:00:00")).data["through"]
    assert [(gap["detectors"], gap["exposures"]) for gap in found["gaps"]] == [
        ([0, 1, 2, 3, 4, 5, 6], [early]),
        ([0, 1, 2, 3, 4, 5, 6], []),
    ]
    assert found["gaps"][1]["end_tai_ns"] == span("2024-03-10").begin_tai_ns
    with pytest.raises(UserInputError):
        repo.ask(Gaps(begin="2024-03-01", end="2024-02-01"))


def test_only_exposures_of_the_filter_count(comcam_repo: Any) -> None:
    put_certified(
        comcam_repo,
        "flats",
        "2024-01-01",
        "2024-02-01",
        dataset_type="flat",
        detectors=range(9),
        physical_filter="r_03",
    )
    comcam_repo.add_chain(TOP, ["flats"])
    comcam_repo.add_exposures(["2024-03-01"])
    (found,) = comcam_repo.ask(Gaps(dataset_type="flat")).data["through"]
    (gap,) = found["gaps"]
    assert (gap["physical_filter"], gap["exposures"]) == ("r_03", [])


def test_without_a_gap_it_says_so(comcam_repo: Any) -> None:
    put_certified(comcam_repo, "all", "2024-01-01", detectors=range(9))
    comcam_repo.add_chain(TOP, ["all"])
    assert comcam_repo.ask(Gaps(dataset_type="bias")).lines == (
        "through LSSTComCam/calib, 9 detectors of LSSTComCam",
        "  no gap since the first begin: what is certified follows on without a break",
    )
    assert comcam_repo.ask(Gaps(dataset_type="bias", at_state=1)).data["through"][0]["nothing_of"] == ["bias"]
