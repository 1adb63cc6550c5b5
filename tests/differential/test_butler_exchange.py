"""Our export in a real Butler, a real Butler's export here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.sites import ExportCalibs, Import
from calibstore.errors import ConflictError
from calibstore.sites.butler_yaml import export_text
from calibstore.sites.butler_yaml_reader import read_export
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
        [("LSSTComCam", "r_03", "r"), ("LSSTComCam", "N708", "narrow")],
    )
    real_butler.import_export(butler, exported, command=command)
    ours = real_butler.own_holdings(source.context, ["LSSTComCam/calib/DM-1"])
    theirs = real_butler.holdings(butler)
    assert theirs == ours
    assert len(ours.datasets) == 54
    assert len(ours.types) == 12


@pytest.fixture
def butler(source: Any, exported: Path, tmp_path: Path) -> Path:
    """A real Butler that took our export."""
    folder = real_butler.make_butler(
        tmp_path / "butler",
        [camera_of(source)],
        [("LSSTComCam", "r_03", "r"), ("LSSTComCam", "N708", "narrow")],
    )
    real_butler.import_export(folder, exported)
    return folder


NESTED = "LSSTComCam/calib/DM-1/t/nested"


@pytest.mark.parametrize("command", [False, True])
def test_a_real_export_comes_here_and_back_the_same(
    make_repo: Any, butler: Path, tmp_path: Path, command: bool
) -> None:
    folder, again = tmp_path / "theirs", tmp_path / "again"
    real_butler.export_calibs(butler, folder, [NESTED], command=command)
    # Not the simulated camera: a Butler cannot say that it is.
    repo = make_repo(camera="LSSTComCam", kind="user", name="target")
    effect = repo.do(Import(directory=str(folder)), dry_run=True)
    assert effect.data["new_datasets"] == 36
    assert any(line.startswith("new filter") and "N708" in line for line in effect.lines)
    repo.do(Import(directory=str(folder)))
    assert real_butler.own_holdings(repo.context, [NESTED]) == real_butler.holdings(butler, NESTED)
    repo.do(ExportCalibs(directory=str(again), collections=(NESTED,)))
    theirs, ours = read_export(folder / "export.yaml"), read_export(again / "export.yaml")
    assert ours == theirs
    assert (again / "export.yaml").read_text() == export_text(theirs)
    state = repo.do(Import(directory=str(folder))).state
    assert state is None


def test_a_real_export_without_the_members_of_a_chain_is_explained(
    make_repo: Any, butler: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    real_butler.export_calibs(butler, folder, ["LSSTComCam/calib/DM-1"])
    repo = make_repo(camera="LSSTComCam", kind="user", name="target")
    with pytest.raises(ConflictError, match="lists LSSTComCam/calib/DM-1/t/defectsGen") as caught:
        repo.do(Import(directory=str(folder)))
    assert caught.value.code == "E-IMPORT"
    assert "a Butler exports no RUN or TAGGED members" in caught.value.hint
    # The Butler's own import does not take it either.
    other = real_butler.make_butler(tmp_path / "other", [camera_of(repo)], [("LSSTComCam", "r_03", "r")])
    with pytest.raises(Exception, match="defectsGen"):
        real_butler.import_export(other, folder)


def test_our_own_bundle_brings_runs_and_tags_here_too(
    source: Any, make_repo: Any, exported: Path, tmp_path: Path
) -> None:
    repo = make_repo(camera="LSSTComCam:mini", kind="test", name="target")
    repo.do(Import(directory=str(exported)))
    base = ["LSSTComCam/calib/DM-1"]
    assert real_butler.own_holdings(repo.context, base) == real_butler.own_holdings(source.context, base)
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    assert repo.do(Import(directory=str(exported))).state is None
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before
    repo.do(ExportCalibs(directory=str(tmp_path / "again"), collections=tuple(base)))
    assert (tmp_path / "again" / "export.yaml").read_text() == (exported / "export.yaml").read_text()


def test_members_that_a_butler_would_leave_out_are_told(source: Any, tmp_path: Path) -> None:
    effect = source.do(
        ExportCalibs(directory=str(tmp_path / "b"), collections=("LSSTComCam/calib/DM-1",)), dry_run=True
    )
    (warning,) = [one for one in effect.warnings if one.startswith("W-RUNMEMBER")]
    assert "best.20240102a" in warning
    assert "defectsGen.20240102a" in warning
