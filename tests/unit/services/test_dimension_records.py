"""Dimension records by selection."""

from typing import Any

import pytest

from calibstore.commands.raws import QueryDimensionRecords
from calibstore.errors import UserInputError


def listed(repo: Any, element: str, where: str = "", **more: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = repo.ask(QueryDimensionRecords(element=element, where=where, **more)).data
    return data


def test_detectors_by_what_they_are(comcam_repo: Any) -> None:
    assert [one["id"] for one in listed(comcam_repo, "detector")] == list(range(9))
    where = "instrument = 'LSSTComCam' and glob(detector.full_name, '*S?0') and detector.raft = 'R22'"
    assert [one["full_name"] for one in listed(comcam_repo, "detector", where)] == ["R22_S00", "R22_S10", "R22_S20"]
    assert listed(comcam_repo, "instrument", "instrument = 'LSSTCam'") == []


def test_filters_and_exposures(comcam_repo: Any) -> None:
    ids = comcam_repo.add_exposures(["2024-01-01T00:00:00", "2024-01-02T00:00:00", "2024-01-03T00:00:00"])
    assert {
        one["band"] for one in listed(comcam_repo, "physical_filter", "instrument = 'LSSTComCam' and band = 'r'")
    } == {"r"}
    where = f"instrument = 'LSSTComCam' and exposure >= {ids[1]}"
    assert [one["id"] for one in listed(comcam_repo, "exposure", where)] == ids[1:]
    answer = comcam_repo.ask(QueryDimensionRecords(element="exposure", limit=1))
    assert [one["id"] for one in answer.data] == ids[:1]
    assert answer.lines[-1] == "1 of 3 shown; --limit 3 shows all"


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("detector = 1", "E-NOINSTRUMENT"),
        ("instrument = 'LSSTComCam' and seq_num = 1", "E-WHERE"),
        ("detector =", "E-WHERE"),
    ],
)
def test_a_fault_is_told(comcam_repo: Any, where: str, code: str) -> None:
    with pytest.raises(UserInputError) as caught:
        listed(comcam_repo, "detector", where)
    assert caught.value.code == code
