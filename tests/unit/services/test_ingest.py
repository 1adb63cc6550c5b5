"""Raw frames are recorded once, where they are or brought in, and what contradicts the records is refused by name."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.raws import Ingest, ShowExposures
from calibstore.errors import StoreError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord
from calibstore.services import ingest as ingest_module

Repo = Any  # tests/conftest.py


@pytest.fixture
def frames(simulated_biases: Callable[..., Path]) -> list[Path]:
    """Three biases and one dark of LATISS."""
    return sorted(simulated_biases("LATISS:mini", 3, 0, 1).glob("*.fits"))


@pytest.fixture
def folder(frames: list[Path], tmp_path: Path) -> Path:
    """A copy of them that a test may change."""
    made = tmp_path / "night"
    made.mkdir()
    for path in frames:
        shutil.copy(path, made)
    return made


def tree(root: Path) -> dict[str, str]:
    """Return every file's checksum by path, the store's rows, and folders.

    The store's bytes may change without a row: whoever closes it last folds its log into it.
    """
    found = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(root.rglob("*"))
        if not path.name.startswith("cabstand.sqlite3")
    }
    with sqlite3.connect(root / "cabstand.sqlite3") as connection:
        return found | {"store": "\n".join(connection.iterdump())}


def rows(repo: Repo) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(repo.context.store_path) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {name: connection.execute(f"select * from {name}").fetchall() for name in tables}


def stored(repo: Repo) -> list[DatasetRecord]:
    with repo.context.unit_of_work() as uow:
        return list(uow.datasets.in_run(uow.collections.get(f"{repo.instrument}/raw/all")))


def types(repo: Repo) -> list[str]:
    return [one["observation_type"] for one in repo.ask(ShowExposures()).data["exposures"]]


def seed_product(repo: Repo, of: DatasetRecord) -> None:
    run = f"{repo.instrument}/calib/DM-1/t/biasGen.20250601a"
    data_id = DataId.of(instrument=repo.instrument, detector=0)

    def change(uow: Any, state: int) -> None:
        made = uow.collections.register(run, CollectionType.RUN, state=state)
        record = DatasetRecord(
            id=dataset_uuid("bias", run, data_id),
            dataset_type="bias",
            run=run,
            data_key=str(data_id),
            instrument=repo.instrument,
            detector=0,
            unit="electron",
            path="bias.fits",
            inputs=((of.id, "raw"),),
        )
        uow.datasets.insert(made, [record], state=state)

    repo.write(change)


@pytest.mark.parametrize("transfer", ["direct", "copy", "link"])
def test_size_checksum_and_place_are_kept(loose_repo: Repo, folder: Path, transfer: str) -> None:
    effect = loose_repo.do(Ingest(paths=(str(folder),), transfer=transfer))
    assert effect.summary == "4 files recorded (3 bias, 1 dark)"
    assert effect.exit_code == 0
    found = stored(loose_repo)
    assert len(found) == 4
    for record in found:
        source = folder / Path(record.path).name
        place = loose_repo.context.absolute(record.path)
        assert record.transfer == transfer
        assert record.size_bytes == source.stat().st_size
        assert record.sha256 == record.content_sha256 == hashlib.sha256(place.read_bytes()).hexdigest()
        assert (record.path == str(source)) is (transfer == "direct")
        assert place.samefile(source) is (transfer != "copy")
        if transfer != "direct":
            assert record.path.startswith("data/LATISS/raw/all/2025")
        if transfer == "copy":
            assert place.stat().st_mode & 0o777 == 0o644


def test_frames_inside_the_repository_move_with_it(loose_repo: Repo, folder: Path) -> None:
    inside = loose_repo.root / "incoming"
    shutil.copytree(folder, inside)
    loose_repo.do(Ingest(paths=(str(inside),)))
    assert {Path(record.path).parent for record in stored(loose_repo)} == {Path("incoming")}


@pytest.mark.parametrize("transfer", ["direct", "copy", "link"])
def test_ingesting_twice_changes_nothing(loose_repo: Repo, folder: Path, transfer: str) -> None:
    command = Ingest(paths=(str(folder),), transfer=transfer)
    assert loose_repo.do(command).state is not None
    before, files = rows(loose_repo), tree(loose_repo.root)
    again = loose_repo.do(command)
    assert again.state is None
    assert again.summary == "0 files recorded, 4 known already"
    assert again.exit_code == 0
    assert rows(loose_repo) == before
    assert tree(loose_repo.root) == files


@pytest.mark.parametrize("transfer", ["direct", "copy", "link"])
def test_a_dry_run_writes_nothing_at_all(loose_repo: Repo, folder: Path, transfer: str) -> None:
    before, database = tree(loose_repo.root), rows(loose_repo)
    effect = loose_repo.do(Ingest(paths=(str(folder),), transfer=transfer), dry_run=True)
    assert effect.summary == "4 files recorded (3 bias, 1 dark)"
    assert tree(loose_repo.root) == before
    assert rows(loose_repo) == database


def test_the_same_frame_from_another_path_is_known(loose_repo: Repo, folder: Path, tmp_path: Path) -> None:
    loose_repo.do(Ingest(paths=(str(folder),)))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    effect = loose_repo.do(Ingest(paths=(str(elsewhere),), transfer="copy"))
    assert (effect.state, effect.summary) == (None, "0 files recorded, 4 known already")
    assert not (loose_repo.root / "data").exists()


def test_the_same_frame_twice_in_a_batch_is_recorded_once(loose_repo: Repo, folder: Path, frames: list[Path]) -> None:
    shutil.copy(frames[0], folder / "same_again.fits")
    effect = loose_repo.do(Ingest(paths=(str(folder), str(folder))))
    assert effect.summary == "4 files recorded (3 bias, 1 dark), 1 known already"


def test_changed_content_of_a_recorded_frame_is_refused_by_name(loose_repo: Repo, folder: Path) -> None:
    loose_repo.do(Ingest(paths=(str(folder),)))
    victim = sorted(folder.iterdir())[0]
    content = bytearray(victim.read_bytes())
    content[-3000] ^= 1
    victim.write_bytes(content)
    effect = loose_repo.do(Ingest(paths=(str(folder),)))
    assert effect.summary == "0 files recorded, 3 known already, 1 refused"
    assert effect.exit_code == 2
    assert effect.state is None
    assert effect.lines[0].startswith(f"refused {victim.name}: exposure ")
    assert f"is recorded with other content: {victim}" in effect.lines[0]


def test_two_contents_of_one_frame_in_a_batch_keep_the_first(loose_repo: Repo, folder: Path) -> None:
    first = sorted(folder.iterdir())[0]
    content = bytearray(first.read_bytes())
    content[-3000] ^= 1
    (folder / f"x{first.name}").write_bytes(content)
    effect = loose_repo.do(Ingest(paths=(str(folder),)))
    assert effect.summary == "4 files recorded (3 bias, 1 dark), 1 refused"
    assert f"is in this batch with other content: {first}" in effect.lines[0]


def test_equal_names_of_different_frames_all_come_in(loose_repo: Repo, frames: list[Path], tmp_path: Path) -> None:
    for number, path in enumerate(frames[:3]):
        (tmp_path / f"run{number}").mkdir()
        shutil.copy(path, tmp_path / f"run{number}" / "bias.fits")
    pattern = str(tmp_path / "run*" / "bias.fits")
    assert loose_repo.do(Ingest(paths=(pattern,), transfer="copy")).summary == "3 files recorded (3 bias)"
    places = [loose_repo.context.absolute(record.path) for record in stored(loose_repo)]
    assert len(set(places)) == 3
    for record, place in zip(stored(loose_repo), places, strict=True):
        assert hashlib.sha256(place.read_bytes()).hexdigest() == record.sha256


def test_what_an_interrupted_ingest_left_is_adopted(loose_repo: Repo, folder: Path) -> None:
    loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"), dry_run=True)
    left = loose_repo.root / "data" / "LATISS" / "raw" / "all" / "20250408"
    first = sorted(folder.iterdir())[0]
    left = left.with_name(first.name[5:13])
    left.mkdir(parents=True)
    shutil.copy(first, left)
    loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
    files = [path for path in (loose_repo.root / "data").rglob("*") if path.is_file()]
    assert len(files) == len(stored(loose_repo)) == 4


def test_a_frame_that_changes_under_the_copy_is_left_out(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = sorted(folder.iterdir())[1]
    real = ingest_module.copy_file

    def copy(source: Path, target: Path) -> str:
        if source == growing:
            growing.write_bytes(growing.read_bytes() + bytes(2880))
        return real(source, target)

    monkeypatch.setattr(ingest_module, "copy_file", copy)
    effect = loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
    assert "1 refused" in effect.summary
    assert effect.lines[0].startswith(f"refused {growing.name}: changed while it was being copied")
    assert not list(loose_repo.root.rglob(growing.name))
    assert len(stored(loose_repo)) == 3


def test_a_full_disk_stops_the_ingest_and_leaves_nothing(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = ingest_module.copy_file, []

    def copy(source: Path, target: Path) -> str:
        calls.append(source)
        if len(calls) == 3:
            raise StoreError(f"{target}: cannot be written: No space left on device", code="E-WRITE")
        return real(source, target)

    before = tree(loose_repo.root)
    monkeypatch.setattr(ingest_module, "copy_file", copy)
    with pytest.raises(StoreError, match="No space left"):
        loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
    assert tree(loose_repo.root) == before


def test_giving_up_spares_what_another_ingest_recorded_meanwhile(loose_repo: Repo, folder: Path) -> None:
    command = Ingest(paths=(str(folder),), transfer="copy")
    slower = ingest_module._prepare(command, loose_repo.context, False)
    assert loose_repo.do(command).summary == "4 files recorded (3 bias, 1 dark)"
    slower.discard()
    assert all(loose_repo.context.absolute(record.path).is_file() for record in stored(loose_repo))


def test_copies_of_what_another_ingest_recorded_elsewhere_go_again(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ingest_module._bring_in

    def bring_late(batch: Any, *given: Any) -> None:
        real(batch, *given)
        monkeypatch.undo()
        loose_repo.do(Ingest(paths=(str(folder),)))

    monkeypatch.setattr(ingest_module, "_bring_in", bring_late)
    effect = loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
    assert (effect.state, effect.summary) == (None, "0 files recorded, 4 known already")
    assert not (loose_repo.root / "data").exists()


def test_a_copy_that_another_ingest_took_back_is_not_recorded(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ingest_module._bring_in

    def bring_and_lose(batch: Any, *given: Any) -> None:
        real(batch, *given)
        next(iter(batch.brought)).unlink()

    monkeypatch.setattr(ingest_module, "_bring_in", bring_and_lose)
    with pytest.raises(StoreError, match=r"AT_O_.* vanished") as caught:
        loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
    assert caught.value.hint == "repeat the ingest"
    assert stored(loose_repo) == []


class TestTheOperatorsWord:
    """What a header says is overruled with a reason only, and never once something was built."""

    def test_a_bias_is_not_called_a_flat_by_accident(self, loose_repo: Repo, folder: Path) -> None:
        effect = loose_repo.do(Ingest(paths=(str(folder),), observation_type="flat"))
        assert effect.summary == "0 files recorded, 4 refused"
        assert "its header says bias, not flat; to overrule it give --reason" in effect.lines[0]
        assert "its header says dark, not flat" in effect.lines[3]

    def test_with_a_reason_it_is_and_the_journal_tells(self, loose_repo: Repo, folder: Path) -> None:
        loose_repo.do(Ingest(paths=(str(folder),), observation_type="flat"), reason="the lamp was on")
        assert types(loose_repo) == ["flat"] * 4
        with loose_repo.context.unit_of_work() as uow:
            assert uow.journal.entries()[-1].reason == "the lamp was on"

    def test_afterwards_too_and_back_again(self, loose_repo: Repo, folder: Path) -> None:
        loose_repo.do(Ingest(paths=(str(folder),)))
        chosen = sorted(folder.iterdir())[:2]
        effect = loose_repo.do(
            Ingest(paths=tuple(map(str, chosen)), observation_type="science"), reason="the shutter was open"
        )
        assert effect.summary == "0 files recorded, 2 known already, 2 exposures now science"
        assert sorted(types(loose_repo)) == ["bias", "dark", "science", "science"]
        assert [one["recorded_as"] for one in effect.before["types"]] == ["bias", "bias"]
        assert "--observation-type bias" in effect.inverse[0]
        again = loose_repo.do(Ingest(paths=tuple(map(str, chosen)), observation_type="science"), reason="once more")
        assert again.state is None
        loose_repo.do(Ingest(paths=tuple(map(str, chosen)), observation_type="bias"))
        assert sorted(types(loose_repo)) == ["bias", "bias", "bias", "dark"]

    def test_a_plain_ingest_does_not_undo_it(self, loose_repo: Repo, folder: Path) -> None:
        loose_repo.do(Ingest(paths=(str(folder),), observation_type="flat"), reason="the lamp was on")
        assert loose_repo.do(Ingest(paths=(str(folder),))).state is None
        assert types(loose_repo) == ["flat"] * 4

    def test_a_frame_something_was_built_from_keeps_its_type(self, loose_repo: Repo, folder: Path) -> None:
        loose_repo.do(Ingest(paths=(str(folder),)))
        used = stored(loose_repo)[0]
        seed_product(loose_repo, used)
        effect = loose_repo.do(Ingest(paths=(str(folder),), observation_type="flat"), reason="the lamp was on")
        assert effect.summary == "0 files recorded, 3 known already, 1 refused, 3 exposures now flat"
        assert effect.lines[0] == (
            f"refused {Path(used.path).name}: exposure {used.exposure} stays bias: "
            "bias of LATISS/calib/DM-1/t/biasGen.20250601a was built from it"
        )
        assert sorted(types(loose_repo)) == ["bias", "flat", "flat", "flat"]

    def test_a_type_nobody_knows_is_refused_before_any_file_is_read(self, loose_repo: Repo) -> None:
        with pytest.raises(UserInputError, match="'biass' is not known"):
            loose_repo.do(Ingest(paths=("nowhere",), observation_type="biass"))


class TestSeveralDetectors:
    """An exposure has one type, whatever its detectors' files say."""

    @pytest.fixture
    def nine(self, simulated_biases: Callable[..., Path], tmp_path: Path) -> list[Path]:
        made = tmp_path / "nine"
        shutil.copytree(simulated_biases("LSSTComCam:mini", 1), made)
        return sorted(made.glob("*.fits"))

    def test_they_share_one_exposure(self, comcam_repo: Repo, nine: list[Path]) -> None:
        assert comcam_repo.do(Ingest(paths=tuple(map(str, nine)))).summary == "9 files recorded (9 bias)"
        assert types(comcam_repo) == ["bias"]
        assert [record.detector for record in stored(comcam_repo)] == list(range(9))

    def test_a_later_detector_follows_the_recorded_type(self, comcam_repo: Repo, nine: list[Path]) -> None:
        comcam_repo.do(Ingest(paths=tuple(map(str, nine[:2])), observation_type="flat"), reason="the lamp was on")
        effect = comcam_repo.do(Ingest(paths=tuple(map(str, nine[2:]))))
        assert len(effect.warnings) == 1
        assert effect.warnings[0].startswith("W-OBSTYPE exposure ")
        assert effect.warnings[0].endswith("stays flat as recorded before, not bias")
        assert types(comcam_repo) == ["flat"]

    def test_the_operators_word_with_a_later_detector_holds_for_all(self, comcam_repo: Repo, nine: list[Path]) -> None:
        comcam_repo.do(Ingest(paths=tuple(map(str, nine[:2]))))
        effect = comcam_repo.do(
            Ingest(paths=tuple(map(str, nine[2:])), observation_type="flat"), reason="the lamp was on"
        )
        assert effect.summary == "7 files recorded (7 flat), 1 exposure now flat"
        assert types(comcam_repo) == ["flat"]

    def test_another_exposure_of_the_same_number_is_refused(self, comcam_repo: Repo, nine: list[Path]) -> None:
        content = nine[1].read_bytes()
        said = b"OBSID   = 'CC_O_"
        assert said in content
        nine[1].write_bytes(content.replace(said, b"OBSID   = 'CC_X_"))
        effect = comcam_repo.do(Ingest(paths=tuple(map(str, nine[:2]))))
        assert effect.summary == "1 file recorded (1 bias), 1 refused"
        assert "is CC_O_" in effect.lines[0]
        assert "this file says CC_X_" in effect.lines[0]
        assert "E-RAW-EXPOSURE" in json.dumps(effect.data)


def test_only_this_batch_is_looked_up(loose_repo: Repo, frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from calibstore.db.datasets import Datasets

    def load_everything(*_args: object, **_named: object) -> None:
        raise AssertionError("ingest loads all raw frames of the repository")

    monkeypatch.setattr(Datasets, "in_run", load_everything)
    assert loose_repo.do(Ingest(paths=tuple(map(str, frames)))).summary == "4 files recorded (3 bias, 1 dark)"


def test_the_next_line_can_be_typed(loose_repo: Repo, frames: list[Path]) -> None:
    effect = loose_repo.do(Ingest(paths=tuple(map(str, frames))))
    assert effect.next == (
        "cabstand exposures --where \"instrument='LATISS' and exposure.day_obs=20250408 and "
        "exposure.observation_type='bias'\" --for bias  # can a bias be built from them?",
    )


def test_the_native_line_names_few_files_and_many_folders(loose_repo: Repo, frames: list[Path]) -> None:
    effect = loose_repo.do(Ingest(paths=tuple(map(str, frames)), transfer="link"), dry_run=True)
    assert effect.native[0].startswith(f"butler ingest-raws {loose_repo.root} -t hardlink {frames[0]} ")
