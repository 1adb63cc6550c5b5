"""Chains as people list them: who lists a collection, and what stands alone."""

from typing import Any

import pytest

from calibstore.commands.store import QueryCollections


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    strict_repo.live("DM-48520", "2024-01-01")
    strict_repo.live("DM-48600", "2024-06-01")
    return strict_repo


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("inverse-tree", ["LATISS/calib/DM-48520/t/bias.20240101a", "  LATISS/calib/DM-48520", "    LATISS/calib"]),
        ("inverse-table", ["LATISS/calib/DM-48520/t/bias.20240101a", "  in  LATISS/calib/DM-48520"]),
        ("no-children", ["LATISS/calib/DM-48520/t/bias.20240101a"]),
    ],
)
def test_inverse_modes_show_who_lists_a_collection(repo: Any, mode: str, told: list[str]) -> None:
    lines = repo.ask(QueryCollections(glob="*DM-48520/t/bias.*", chains=mode)).lines[1:]
    assert [line.removesuffix("CALIBRATION").removesuffix("CHAINED").rstrip() for line in lines] == told


def test_without_children_chains_stand_alone(repo: Any) -> None:
    lines = repo.ask(QueryCollections(glob="LATISS/calib", chains="no-children")).lines
    assert [line.split() for line in lines[1:]] == [["LATISS/calib", "CHAINED"]]
