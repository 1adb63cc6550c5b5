"""Bundles: whole, readable, checked; and what stands against writing one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.sites import ExportCalibs
from calibstore.errors import ConflictError, NotFoundError, StoreError, UserInputError
from calibstore.model.timespan import Timespan
from calibstore.sites.butler_yaml_reader import read_export

BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/t/biasGen.20250101a"
CERTIFIED = f"{BASE}/t/bias.20250101a"


@pytest.fixture
def repo(strict_repo: Any, real_product: Any) -> Any:
    real_product(strict_repo, RUN)
    strict_repo.certify(RUN, CERTIFIED, "2024-01-02T00:00:00.123456789", "2026-01-01T00:00:00")
    return strict_repo


def test_a_ticket_chain_brings_members_runs_and_files(repo: Any, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    effect = repo.do(ExportCalibs(directory=str(folder), collections=(BASE,)))
    exchange = read_export(folder / "export.yaml")
    assert [one.name for one in exchange.collections] == [CERTIFIED, RUN, BASE]
    assert exchange.collections[-1].children == (CERTIFIED,)
    (known,) = exchange.ranges
    assert known.timespan == Timespan(1_704_153_600_123_456_789, 1_767_225_600_000_000_000)
    (dataset,) = exchange.datasets
    assert dataset.path == f"{RUN}/bias/bias_LATISS_RXX_S00_{RUN.replace('/', '_').replace('.', '_')}.fits"
    assert dataset.formatter == "lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter"
    assert exchange.instruments[0].class_name == "lsst.obs.lsst.Latiss"
    assert effect.native == (f"butler export-calibs {repo.root} {folder} {BASE}",)
    assert effect.ticket == "DM-1"
    assert not list(tmp_path.glob("*cabstand-tmp*"))


def test_sha256sum_agrees_and_everybody_can_read(repo: Any, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    repo.do(ExportCalibs(directory=str(folder), collections=(BASE,)))
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "MANIFEST.sha256"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": OK") == 3
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_facts_hold_what_the_butler_does_not_carry(repo: Any, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    repo.do(ExportCalibs(directory=str(folder), collections=(BASE,)))
    facts = json.loads((folder / "cabstand.json").read_text())
    with repo.context.unit_of_work() as uow:
        record = uow.repository.record()
        last = uow.journal.last_state()
    assert facts["repository"]["id"] == record.id
    assert facts["state"] == last - 1
    assert facts["datasets"][0]["unit"] == "electron"
    assert len(facts["fingerprints"][BASE]["effective"]) == 64
    assert facts["cameras"]["LATISS"]["simulated"] is True
    assert facts["decisions"] == []


def test_one_journal_entry_and_none_for_a_dry_run(repo: Any, tmp_path: Path) -> None:
    command = ExportCalibs(directory=str(tmp_path / "bundle"), collections=(BASE,))
    with repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    repo.do(command, dry_run=True)
    assert not (tmp_path / "bundle").exists()
    repo.do(command)
    with repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before + 1
        assert uow.journal.entries(ticket="DM-1")[-1].verb == "export-calibs"


def test_an_existing_folder_is_refused_with_the_next_letter(repo: Any, tmp_path: Path) -> None:
    taken = tmp_path / "LATISS.calibs.20250601a"
    taken.mkdir()
    with pytest.raises(ConflictError) as caught:
        repo.do(ExportCalibs(directory=str(taken), collections=(BASE,)))
    assert caught.value.hint == f"use {tmp_path}/LATISS.calibs.20250601b"


def test_a_file_others_cannot_read_is_refused_with_the_chmod_line(repo: Any, tmp_path: Path) -> None:
    path = next((repo.root / "data").glob("*.fits"))
    path.chmod(0o600)
    with pytest.raises(StoreError) as caught:
        repo.do(ExportCalibs(directory=str(tmp_path / "bundle"), collections=(BASE,)))
    assert caught.value.hint == f"chmod a+r {path}"
    assert not (tmp_path / "bundle").exists()


def test_a_changed_or_missing_file_is_refused_and_leaves_nothing(repo: Any, tmp_path: Path) -> None:
    path = next((repo.root / "data").glob("*.fits"))
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    with pytest.raises(StoreError, match="the store knows it as"):
        repo.do(ExportCalibs(directory=str(tmp_path / "bundle"), collections=(BASE,)))
    path.unlink()
    with pytest.raises(StoreError, match="1 files are missing"):
        repo.do(ExportCalibs(directory=str(tmp_path / "bundle"), collections=(BASE,)))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["repo"]


def test_single_collections_are_warned_about(repo: Any, tmp_path: Path) -> None:
    effect = repo.do(ExportCalibs(directory=str(tmp_path / "b"), collections=(CERTIFIED,)), dry_run=True)
    assert effect.warnings[0].startswith("W-SINGLE")
    assert BASE in effect.warnings[0]


def test_what_cannot_be_exported(repo: Any, tmp_path: Path) -> None:
    for names, kind in (((RUN,), UserInputError), (("LATISS/calib",), UserInputError), (("none",), NotFoundError)):
        with pytest.raises(kind):
            repo.do(ExportCalibs(directory=str(tmp_path / "b"), collections=names))
    with pytest.raises(UserInputError, match="is no folder"):
        repo.do(ExportCalibs(directory=str(tmp_path / "no" / "b"), collections=(BASE,)))
