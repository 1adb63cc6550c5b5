"""Readings of the photodiode: each with its exposure, none without, kept as they are where they say whose they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.raws import Ingest, IngestPhotodiode
from calibstore.commands.states import Undo
from calibstore.datastore.calib_tables import read_calib_tables
from calibstore.errors import CabstandError
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.records import DatasetRecord
from tests.support.photodiode_files import ecsv_reading, text_reading

DAY = 20250408
RUN = "LATISS/calib/photodiode"


@pytest.fixture
def repo(make_repo: Callable[..., Any], simulated_biases: Callable[..., Path]) -> Any:
    repo = make_repo(kind="test", name="lamp", now="2025-06-01T12:00:00")
    repo.do(Ingest(paths=(str(simulated_biases("LATISS:mini", 3, 0, 1)),)))
    return repo


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    folder = tmp_path / "readings"
    folder.mkdir()
    return folder


def take(repo: Any, *places: Path, how: str = "copy", **more: Any) -> Any:
    locations = tuple(str(one) for one in places)
    return repo.do(IngestPhotodiode(instrument="LATISS", locations=locations, transfer=how), **more)


def refused(repo: Any, *places: Path) -> CabstandError:
    with pytest.raises(CabstandError) as caught:
        take(repo, *places)
    assert rows(repo) == {}
    return caught.value


def rows(repo: Any) -> dict[int, DatasetRecord]:
    with repo.context.unit_of_work() as uow:
        run = uow.collections.find(RUN)
        return {one.exposure: one for one in uow.datasets.in_run(run)} if run else {}


def test_a_reading_that_names_its_exposure_is_copied_unchanged(repo: Any, lamp: Path) -> None:
    path = ecsv_reading(lamp, f"AT_O_{DAY}_000001", OBS_ID=f"AT_O_{DAY}_000001", DAY_OBS=DAY, SEQ_NUM=1)
    effect = take(repo, lamp)
    assert effect.summary == "1 reading of the photodiode recorded"
    one = rows(repo)[DAY * 100_000 + 1]
    assert (one.dataset_type, one.transfer) == ("photodiode", "copy")
    assert repo.context.absolute(one.path).read_bytes() == path.read_bytes()
    assert "butler ingest-photodiode" in effect.native[0]
    assert take(repo, lamp).summary == "nothing to do: 1 reading known already"


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("a", {"DAY_OBS": DAY, "SEQ_NUM": 2}),
        ("b", {"OBSID": f"AT_O_{DAY}_000002"}),
        ("c", {"dayobs": str(DAY), "seqnum": "2"}),
        (f"AT_O_{DAY}_000002", {}),
        (f"reading_{DAY}_00002", {}),
    ],
)
def test_it_is_matched_by_metadata_or_name(repo: Any, lamp: Path, name: str, metadata: dict[str, Any]) -> None:
    ecsv_reading(lamp, name, **metadata)
    take(repo, lamp)
    (one,) = rows(repo).values()
    assert one.exposure == DAY * 100_000 + 2
    cards = read_calib_tables(repo.context.absolute(one.path)).metadata
    assert (int(cards["DAY_OBS"]), int(cards["SEQ_NUM"])) == (DAY, 2)


def test_text_is_written_as_a_table_and_other_files_are_left_alone(repo: Any, lamp: Path) -> None:
    text_reading(lamp, f"Photodiode_Readings_{DAY}_000003.txt")
    text_reading(lamp, "notes.txt")
    effect = take(repo, lamp)
    assert any("1 written as ECSV" in line for line in effect.lines)
    one = rows(repo)[DAY * 100_000 + 3]
    assert one.transfer == "written"
    content = read_calib_tables(repo.context.absolute(one.path))
    assert content.tables[0].columns["CURRENT"].tolist() == [0.0, 2e-9, 2e-9, 0.0]
    assert set(content.tables[0].units.values()) == {"s", "A"}


def test_a_reading_without_its_exposure_is_an_error_and_nothing_is_taken(repo: Any, lamp: Path) -> None:
    ecsv_reading(lamp, f"AT_O_{DAY}_000001")
    ecsv_reading(lamp, f"AT_O_{DAY}_000099")
    problem = refused(repo, lamp)
    assert problem.code == "E-EXPOSURE"
    assert f"AT_O_{DAY}_000099_photodiode.ecsv" in problem.message
    assert "ingest the raw frames first" in problem.hint


def test_what_is_no_reading_is_refused(repo: Any, lamp: Path) -> None:
    assert refused(repo, lamp).code == "E-NOFILES"
    (lamp / f"AT_O_{DAY}_000001_photodiode.ecsv").write_text("nothing", encoding="ascii")
    assert refused(repo, lamp).hint


def test_two_readings_of_one_exposure_are_refused(repo: Any, lamp: Path) -> None:
    ecsv_reading(lamp, f"AT_O_{DAY}_000001")
    text_reading(lamp, f"Photodiode_Readings_{DAY}_000001.txt")
    assert refused(repo, lamp).code == "E-RUNEXISTS"


def test_another_reading_of_a_known_exposure_is_refused(repo: Any, lamp: Path) -> None:
    ecsv_reading(lamp, "a", DAY_OBS=DAY, SEQ_NUM=1)
    take(repo, lamp)
    ecsv_reading(lamp, "a", DAY_OBS=DAY, SEQ_NUM=1, NOTE="other")
    (lamp / "a_photodiode.ecsv").write_text(
        (lamp / "a_photodiode.ecsv").read_text(encoding="ascii").replace("2e-09", "3e-09"), encoding="ascii"
    )
    with pytest.raises(CabstandError) as caught:
        take(repo, lamp)
    assert caught.value.code == "E-RUNEXISTS"


def test_a_dry_run_leaves_nothing_and_undo_takes_it_back(repo: Any, lamp: Path) -> None:
    ecsv_reading(lamp, "a", DAY_OBS=DAY, SEQ_NUM=1)
    assert take(repo, lamp, dry_run=True).data["recorded"]
    assert rows(repo) == {}
    done = take(repo, lamp, how="direct")
    assert rows(repo)[DAY * 100_000 + 1].path == str(lamp / "a_photodiode.ecsv")
    repo.do(Undo(state=done.state))
    assert rows(repo) == {}
    assert (lamp / "a_photodiode.ecsv").exists()


def test_a_build_finds_the_readings_of_its_exposures(repo: Any, lamp: Path) -> None:
    from calibstore.model.calib_types import find_calib_type
    from calibstore.services.prerequisites import _readings

    ecsv_reading(lamp, "a", DAY_OBS=DAY, SEQ_NUM=1)
    take(repo, lamp)
    campaign = CampaignRecord(ticket="DM-1", instrument="LATISS", tag="t", calib_types=("ptc",))
    assert "photodiode" in find_calib_type("ptc").parents.takes
    with repo.context.unit_of_work() as uow:
        found = uow.exposures.by_ids("LATISS", [DAY * 100_000 + 1, DAY * 100_000 + 2])
        occasion = type("O", (), {"campaign": campaign, "exposures": found})()
        assert set(_readings(uow, "photodiode", occasion)) == {DAY * 100_000 + 1}


def test_ingest_proposes_it_where_readings_lie_beside_the_frames(
    make_repo: Callable[..., Any], simulated_biases: Callable[..., Path], tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "night"
    shutil.copytree(simulated_biases("LATISS:mini", 3, 0, 1), folder)
    ecsv_reading(folder, f"AT_O_{DAY}_000001")
    effect = make_repo(kind="test", name="beside").do(Ingest(paths=(str(folder),)))
    assert effect.next[-1] == f"cabstand ingest-photodiode LATISS {folder}"
