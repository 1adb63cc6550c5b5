"""Curated calibrations taken in: RUNs by date, ranges end to end, never live by itself, and all of it taken back."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.collections import RegisterCollection
from calibstore.commands.curated import WriteCuratedCalibrations
from calibstore.commands.removal import RemoveRuns
from calibstore.commands.repository import Doctor, ShowJournal
from calibstore.commands.states import Redo, Undo
from calibstore.datastore.calib_tables import table_checksums
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.curated import begin_of
from calibstore.errors import CabstandError
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from tests.support.curated_files import boxes_text, crosstalk_text, latiss_tree, put

FOLDER = os.environ.get("CABSTAND_REALDATA", "")
TARGET = "LATISS/calib/DM-7"
OLD, NEW = f"{TARGET}/curated/19700101T000000Z", f"{TARGET}/curated/20180101T000000Z"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return latiss_tree(tmp_path / "package" / "latiss")


def write(folder: Path, **more: Any) -> WriteCuratedCalibrations:
    return WriteCuratedCalibrations(**({"instrument": "LATISS", "folder": str(folder), "label": "DM-7"} | more))


def files(root: Path) -> dict[str, str]:
    return {str(one.relative_to(root)): sha256_of_file(one) for one in (root / "data").rglob("*") if one.is_file()}


def ranges(repo: Any, target: str = TARGET) -> list[tuple[str, str, Timespan]]:
    with repo.context.unit_of_work() as uow:
        rows = uow.certifications.in_collections([uow.collections.get(target)])
        runs = uow.states.runs_of(one.dataset_id for one in rows)
    return sorted((one.dataset_type, runs[one.dataset_id], one.timespan) for one in rows)


def refusal(repo: Any, command: Any, **told: Any) -> CabstandError:
    before, state = files(repo.root), last(repo)
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(command, dry_run=dry_run, **told)
        assert caught.value.hint
    assert (files(repo.root), last(repo)) == (before, state)
    return caught.value


def last(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def test_files_go_into_runs_by_date_and_are_certified_end_to_end(strict_repo: Any, tree: Path) -> None:
    told = strict_repo.do(write(tree), dry_run=True)
    assert not files(strict_repo.root)
    effect = strict_repo.do(write(tree))
    assert told.summary == effect.summary
    changed = begin_of("20180101T000000")
    first = begin_of("19700101T000000")
    assert ranges(strict_repo) == [
        ("crosstalk", OLD, Timespan(first, MAX_TAI_NS)),
        ("defects", OLD, Timespan(first, changed)),
        ("defects", NEW, Timespan(changed, MAX_TAI_NS)),
    ]
    # kept as the Butler keeps them, with the content of the package
    with strict_repo.context.unit_of_work() as uow:
        kept = [one for run in (OLD, NEW) for one in uow.datasets.in_run(uow.collections.get(run))]
    for one in kept:
        source = tree / str(one.provenance["curated_from"])
        assert sha256_of_file(source) == one.provenance["source_sha256"]
        assert one.path.endswith(".fits")
        path = strict_repo.context.absolute(one.path)
        assert (table_checksums(path).sha256, table_checksums(path).content_sha256) == (one.sha256, one.content_sha256)
        assert table_checksums(source).content_sha256 == one.content_sha256
    assert "butler write-curated-calibrations" in effect.native[0]
    assert f"--collection {TARGET} --label DM-7" in effect.native[0]
    assert "README.md" in "\n".join(effect.lines)
    assert "does not make it live" in effect.lines[0]
    with strict_repo.context.unit_of_work() as uow:
        (one,) = uow.datasets.in_run(uow.collections.get(NEW))
        assert (one.origin, one.provenance["curated_from"]) == ("curated", "defects/rxx_s00/20180101T000000.ecsv")
        assert uow.repository.dataset_types()["crosstalk"].storage_class == "CrosstalkCalib"


def test_a_second_time_is_nothing_to_do(strict_repo: Any, tree: Path) -> None:
    state = strict_repo.do(write(tree)).state
    again = strict_repo.do(write(tree))
    assert (again.data["is_same"], again.state, last(strict_repo)) == (True, None, state)


def test_it_is_undone_and_done_again(strict_repo: Any, tree: Path) -> None:
    effect = strict_repo.do(write(tree))
    before, kept = ranges(strict_repo), files(strict_repo.root)
    assert effect.inverse == (f"cabstand undo {effect.state}",)
    strict_repo.do(Undo())
    with strict_repo.context.unit_of_work() as uow:
        assert uow.collections.find(TARGET) is None
        assert uow.collections.find(OLD) is None
    assert files(strict_repo.root) == kept
    strict_repo.do(Redo())
    assert ranges(strict_repo) == before
    strict_repo.do(Undo())
    # by hand, instead of a redo: the datasets come back with their RUNs
    strict_repo.do(write(tree))
    assert ranges(strict_repo) == before
    strict_repo.do(Undo())


def test_the_journal_is_replayed_and_the_doctor_finds_nothing(strict_repo: Any, tree: Path, tmp_path: Path) -> None:
    strict_repo.do(write(tree))
    strict_repo.do(Undo())
    # its files are those of a removed RUN: known, and not in the way
    assert strict_repo.ask(Doctor(checksums=True)).exit_code == 0
    strict_repo.do(Redo())
    assert strict_repo.ask(Doctor(checksums=True)).exit_code == 0
    assert strict_repo.ask(ShowJournal(replay=str(tmp_path / "again"))).data["states"] == last(strict_repo)
    assert strict_repo.ask(ShowJournal(verify=True)).exit_code == 0


def test_more_dates_later_say_what_stands_in_the_way(strict_repo: Any, tree: Path) -> None:
    strict_repo.do(write(tree))
    put(tree, "defects/rxx_s00/20200101T000000.ecsv", boxes_text(date="2020-01-01T00:00:00"))
    problem = refusal(strict_repo, write(tree))
    assert problem.code == "E-VALIDITY"
    assert "cabstand recertify" in problem.hint
    # another ticket of its own takes all of it
    strict_repo.do(write(tree, label="DM-8"))
    assert len(ranges(strict_repo, "LATISS/calib/DM-8")) == 4


def test_other_content_of_a_date_is_refused(strict_repo: Any, tree: Path) -> None:
    strict_repo.do(write(tree))
    put(tree, "defects/rxx_s00/19700101T000000.ecsv", boxes_text((5, 5, 5, 5)))
    assert refusal(strict_repo, write(tree)).code == "E-RUNEXISTS"
    strict_repo.do(Undo())
    assert refusal(strict_repo, write(tree)).code == "E-RUNEXISTS"


def test_never_into_the_top_chain(strict_repo: Any, tree: Path) -> None:
    problem = refusal(strict_repo, write(tree, label=""))
    assert (problem.code, "--label" in problem.hint) == ("E-NAME", True)
    assert refusal(strict_repo, write(tree, collection="LATISS/calib")).code in ("E-NAME", "E-COLLECTIONTYPE")
    strict_repo.do(RegisterCollection(name=TARGET, type="chained"))
    problem = refusal(strict_repo, write(tree))
    assert (problem.code, f"--collection {TARGET}/curated" in problem.hint) == ("E-COLLECTIONTYPE", True)
    strict_repo.do(write(tree, collection=f"{TARGET}/curated"))
    assert len(ranges(strict_repo, f"{TARGET}/curated")) == 3


def test_two_tickets_are_one_too_many(strict_repo: Any, tree: Path) -> None:
    assert refusal(strict_repo, write(tree, collection="LATISS/calib/DM-9")).code == "E-OTHERTICKET"
    assert refusal(strict_repo, write(tree, label="some words")).code


def test_what_is_live_is_not_added_to(strict_repo: Any, loose_repo: Any, tree: Path) -> None:
    for repo in (strict_repo, loose_repo):
        repo.do(RegisterCollection(name=TARGET, type="calibration"))
        with repo.context.unit_of_work() as uow:
            members = [one.name for one in uow.collections.children(uow.collections.get("LATISS/calib"))]
        repo.add_chain("LATISS/calib", [TARGET, *members])
    assert refusal(strict_repo, write(tree)).code == "E-LIVE"
    assert any(one.startswith("W-LIVE") for one in loose_repo.do(write(tree)).warnings)


def test_a_file_with_a_fault_leaves_nothing_behind(strict_repo: Any, tree: Path) -> None:
    put(tree, "crosstalk/rxx_s00/20240101T000000.ecsv", crosstalk_text())
    assert refusal(strict_repo, write(tree)).code == "E-CALIBFILE"
    put(tree, "crosstalk/rxx_s00/20240101T000000.ecsv", "no table")
    assert refusal(strict_repo, write(tree)).code == "E-CALIBTABLE"
    shutil.rmtree(tree)
    assert refusal(strict_repo, write(tree)).code == "E-CURATED"


def test_a_runs_removal_takes_its_ranges_too(strict_repo: Any, tree: Path) -> None:
    strict_repo.do(write(tree))
    strict_repo.do(RemoveRuns(glob=NEW, force=True), reason="wrong boxes", confirmed=NEW)
    assert len(ranges(strict_repo)) == 2
    with pytest.raises(CabstandError):
        strict_repo.do(Undo(state=last(strict_repo) - 1))


@pytest.mark.realdata
@pytest.mark.skipif(not FOLDER, reason="curated files are not shipped: set CABSTAND_REALDATA to the folder above them")
def test_the_real_files_of_nine_detectors(comcam_repo: Any) -> None:
    target = "LSSTComCam/calib/DM-48521"
    command = write(Path(FOLDER) / "curated", instrument="LSSTComCam", label="DM-48521")
    effect = comcam_repo.do(command)
    new = {one["dataset_type"]: one["new"] for one in effect.data["datasets"]}
    assert new == {"crosstalk": 9, "manual_defects": 9, "transmission_filter": 1}
    assert len(ranges(comcam_repo, target)) == 19
    assert comcam_repo.do(command).data["is_same"]
    # curves stay as they are; the other tables are kept as FITS
    kept = files(comcam_repo.root)
    assert [Path(one).suffix for one in kept if "transmission" in one] == [".ecsv"]
    assert {Path(one).suffix for one in kept if "transmission" not in one} == {".fits"}
    comcam_repo.do(Undo())
