"""Our export in a real Butler, a real Butler's export here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.sites import ExportCalibs
from tests.support import real_butler

real_butler.require()
pytestmark = pytest.mark.butler


@pytest.fixture
def source(make_repo: Any, fill_ticket: Callable[[Any], str]) -> Any:
    repo = make_repo(camera="LSSTComCam:mini", kind="test", name="source")
    fill_ticket(repo)
    return repo


def camera_of(repo: Any) -> Any:
    with repo.context.unit_of_work() as uow:
        return uow.repository.camera(repo.instrument)


@pytest.fixture
def exported(source: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "LSSTComCam.calibs.20250601a"
    source.do(ExportCalibs(directory=str(folder), collections=("LSSTComCam/calib/DM-1",)))
    return folder


@pytest.mark.parametrize("command", [False, True])
def test_our_export_leaves_the_same_in_a_real_butler(
    source: Any, exported: Path, tmp_path: Path, command: bool
) -> None:
    butler = real_butler.make_butler(
        tmp_path / "butler",
        [camera_of(source)],
        [("LSSTComCam", "r_03", "r"), ("LSSTComCam", "i_06", "i")],
    )
    real_butler.import_export(butler, exported, command=command)
    ours = real_butler.own_holdings(source.context, ["LSSTComCam/calib/DM-1"])
    theirs = real_butler.holdings(butler)
    assert theirs == ours
    assert len(ours.datasets) == 54
    assert len(ours.types) == 12
