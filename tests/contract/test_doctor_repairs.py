"""What the doctor finds in rows and files, and what it repairs: the same on both databases."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from calibstore.commands.lines import read_line
from calibstore.commands.removal import RemoveRuns
from calibstore.commands.repository import Doctor, Repair, ShowJournal
from calibstore.config import Config
from calibstore.db.engine import open_engine
from calibstore.errors import CabstandError
from calibstore.model.collections import CollectionType
from calibstore.model.job_records import JobRecord
from calibstore.services import file_health
from calibstore.services.runner import held_lock

INTO = "LATISS/calib/DM-1/t/bias.20240101a"
RUN = "LATISS/calib/DM-1/t/biasGen.20240101a"


@pytest.fixture
def repo(make_repo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A repository with one live bias; files are old at once."""
    monkeypatch.setattr(file_health, "WRITING_S", -1e9)
    monkeypatch.setattr(file_health, "BRINGING_S", -1e9)
    made = make_repo()
    made.live("DM-1", "2024-01-01T00:00:00")
    content = (made.root / RUN / "0.fits").read_bytes()
    true = f"size_bytes = {len(content)}, sha256 = '{hashlib.sha256(content).hexdigest()}'"
    sql(made, f"UPDATE dataset_file SET {true}")
    return made


def sql(repo: Any, *statements: str) -> None:
    """Change rows behind the back of everything."""
    engine = open_engine(repo.context.store, is_pooled=False)
    with engine.connect().execution_options(cabstand_write=True) as connection:
        if engine.dialect.name == "sqlite":
            # Not heeded within a transaction, so it is set on the driver's connection.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        for one in statements:
            connection.execute(sa.text(one))
        connection.commit()
    engine.dispose()


def said(repo: Any, level: str = "", **more: Any) -> list[str]:
    symptoms = repo.ask(Doctor(**more)).data["symptoms"]
    told = [one for one in symptoms if one["level"] == level or (not level and one["level"] != "ok")]
    return [f"{one['text']} -- {one['remedy']}" for one in told]


def only(repo: Any, level: str, **more: Any) -> str:
    (told,) = [one for one in said(repo, level, **more) if "free at" not in one and "logind" not in one]
    return told


def states(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def unguarded(repo: Any) -> None:
    """Take away what refuses overlaps, as in a store made before there was a guard."""
    if isinstance(repo.context.store, Path):
        sql(repo, "DROP TRIGGER tr_certification_overlap")
    else:
        sql(repo, "ALTER TABLE certification DROP CONSTRAINT ex_certification_overlap")


COPY = (
    "INSERT INTO certification (collection_id, dataset_type, data_key, dataset_id, begin_tai_ns, end_tai_ns, batch,"
    " opened_state) SELECT collection_id, dataset_type, data_key, dataset_id, begin_tai_ns + 1000000000000000,"
    " end_tai_ns, batch, opened_state FROM certification WHERE closed_state IS NULL"
)


def test_a_sound_repository_has_nothing_to_repair(repo: Any) -> None:
    assert said(repo, "fail", checksums=True) == []
    effect = repo.do(Repair())
    assert effect.summary == "nothing to repair"
    assert effect.state is None


def test_overlapping_ranges_are_found_and_left_to_people(repo: Any) -> None:
    unguarded(repo)
    sql(repo, COPY)
    told = only(repo, "fail")
    assert f"{INTO} certifies two bias for detector=0 instrument=LATISS" in told
    effect = repo.do(Repair())
    assert effect.summary == "nothing that can be repaired safely"
    assert effect.state is None
    assert "left to you:" in effect.lines
    line = told.rpartition(": ")[2]
    repo.do(read_line(line).build(), confirmed="DM-1")
    assert said(repo, "fail") == []


def test_a_member_that_was_removed_is_taken_out_of_its_chain(repo: Any) -> None:
    state = states(repo)
    repo.add_chain("some/chain", [INTO])
    repo.write(lambda uow, now: uow.collections.register("gone", CollectionType.CALIBRATION, state=now))
    repo.add_chain("other/chain", ["gone", INTO])
    sql(repo, f"UPDATE collection SET closed_state = {state} WHERE name = 'gone'")
    assert f"other/chain lists gone, but one of them was removed by state {state}" in only(repo, "fail")
    before = states(repo)
    effect = repo.do(Repair())
    assert effect.state == before + 1 == states(repo)
    assert said(repo, "fail") == []
    with repo.context.unit_of_work() as uow:
        assert [one.name for one in uow.collections.children(uow.collections.get("other/chain"))] == [INTO]
        entry = uow.journal.entry(effect.state)
    assert entry.line == "cabstand doctor --repair"
    assert entry.after == {"repaired": {"take removed members out of chains": ["gone out of other/chain"]}}
    assert repo.ask(ShowJournal(verify=True)).exit_code == 0


def test_two_members_at_one_position_are_numbered_anew(repo: Any) -> None:
    def make(uow: Any, state: int) -> None:
        for name in "ab":
            uow.collections.register(name, CollectionType.CALIBRATION, state=state)

    repo.write(make)
    repo.add_chain("some/chain", ["a", "b"])
    sql(repo, "UPDATE chain_edge SET position = 7 WHERE chain_id = (SELECT id FROM collection WHERE name='some/chain')")
    assert "some/chain has two members at one position" in only(repo, "fail")
    repo.do(Repair())
    assert said(repo, "fail") == []
    with repo.context.unit_of_work() as uow:
        assert [one.name for one in uow.collections.children(uow.collections.get("some/chain"))] == ["a", "b"]


def test_a_cycle_is_named_with_the_line_that_breaks_it(repo: Any) -> None:
    repo.add_chain("inner", [INTO])
    repo.add_chain("outer", ["inner"])
    sql(
        repo,
        "INSERT INTO chain_edge (chain_id, position, child_id, opened_state) SELECT i.id, 9, o.id, i.opened_state"
        " FROM collection i, collection o WHERE i.name = 'inner' AND o.name = 'outer'",
    )
    told = only(repo, "fail")
    assert "inner contains itself: inner > outer > inner" in told
    assert repo.do(Repair()).state is None
    repo.do(read_line(told.rpartition(": ")[2]).build())
    assert said(repo, "fail") == []


def test_a_list_of_what_is_no_chain_is_found(repo: Any) -> None:
    sql(
        repo,
        f"INSERT INTO chain_edge (chain_id, position, child_id, opened_state) SELECT i.id, 0, o.id, i.opened_state"
        f" FROM collection i, collection o WHERE i.name = '{INTO}' AND o.name = '{RUN}'",
    )
    assert f"{INTO} lists members, but it is no chain" in only(repo, "fail")


def test_a_certified_dataset_whose_run_was_closed_is_found(repo: Any) -> None:
    state = states(repo)
    sql(repo, f"UPDATE collection SET closed_state = {state} WHERE name = '{RUN}'")
    told = only(repo, "fail")
    assert f"of {RUN} is certified in {INTO}" in told
    assert told.endswith(f"cabstand undo {state}")
    assert repo.do(Repair()).state is None


def test_a_link_under_another_name_is_found(repo: Any) -> None:
    sql(repo, "UPDATE certification SET data_key = 'detector=1 instrument=LATISS'")
    assert f"{INTO} holds detector=1 instrument=LATISS as bias, but dataset" in only(repo, "fail")


def test_rows_of_a_state_the_journal_has_not_are_found(repo: Any, database_kind: str) -> None:
    if database_kind == "postgresql":
        pytest.skip("the server itself refuses a row without its state")
    sql(repo, "UPDATE certification SET opened_state = 99")
    told = said(repo, "fail")
    assert any("certification has rows of state 99 (opened_state)" in one for one in told)
    assert any("points at a missing row of journal" in one for one in told)


def test_a_member_that_never_was_is_found(repo: Any, database_kind: str) -> None:
    if database_kind == "postgresql":
        pytest.skip("the server itself refuses a row that points nowhere")
    sql(repo, "UPDATE chain_edge SET child_id = 4711")
    assert any("row 1 of chain_edge points at a missing row of collection" in one for one in said(repo, "fail"))


def test_an_altered_journal_is_never_repaired(repo: Any) -> None:
    sql(repo, "UPDATE journal SET reason = 'forged' WHERE state = 2")
    sql(repo, "UPDATE chain_edge SET position = 7")
    assert any("state 2 does not fit its seal" in one for one in said(repo, "fail"))
    with pytest.raises(CabstandError) as caught:
        repo.do(Repair())
    assert caught.value.code == "E-JOURNAL"


def test_camera_events_are_derived_again(repo: Any) -> None:
    repo.add_exposures(["2024-03-01T00:00:00"], camera_state={"SEQNAME": "a"})
    repo.add_exposures(["2024-03-02T00:00:00"], camera_state={"SEQNAME": "b"})
    assert said(repo, "warn") == []
    sql(repo, "DELETE FROM camera_event")
    assert "the camera events of LATISS are not those its exposures tell of" in only(repo, "warn")
    repo.do(Repair())
    assert said(repo, "warn") == []
    with repo.context.unit_of_work() as uow:
        assert [one.new_value for one in uow.exposures.camera_events("LATISS")] == ["b"]


def test_missing_and_altered_files_are_named_and_never_repaired(repo: Any) -> None:
    path = repo.root / RUN / "0.fits"
    content = path.read_bytes()
    path.write_bytes(content[::-1])
    assert said(repo, "fail") == []
    assert "has another checksum than recorded" in only(repo, "fail", checksums=True)
    path.write_bytes(content + b"x")
    assert f"has {len(content) + 1} bytes, {len(content)} were recorded" in only(repo, "fail")
    path.unlink()
    assert "0.fits is missing" in only(repo, "fail")
    assert repo.do(Repair()).state is None


def test_a_dataset_without_a_file_is_found(repo: Any) -> None:
    sql(repo, "DELETE FROM dataset_file")
    assert f"datasets without a file: 1, such as bias detector=0 instrument=LATISS of {RUN}" in only(repo, "fail")


def test_missing_checksums_are_recorded(repo: Any) -> None:
    path = repo.root / RUN / "0.fits"
    sql(repo, "UPDATE dataset_file SET sha256 = ''")
    assert "1 files have no checksum recorded" in only(repo, "warn", checksums=True)
    repo.do(Repair())
    assert said(repo, checksums=True) == []
    path.write_bytes(path.read_bytes()[::-1])
    assert "has another checksum than recorded" in only(repo, "fail", checksums=True)


def _files(repo: Any) -> tuple[Path, Path]:
    data = repo.root / "data" / "here"
    data.mkdir(parents=True)
    stray, unfinished = data / "lost.fits", data / "half.fits.cabstand-tmp-999999999"
    stray.write_bytes(b"lost")
    unfinished.write_bytes(b"half")
    return stray, unfinished


def test_files_without_a_row_are_set_aside_and_unfinished_ones_deleted(repo: Any) -> None:
    stray, unfinished = _files(repo)
    told = said(repo, "warn")
    assert any(f"files without a row: {stray}" in one for one in told)
    assert any(f"unfinished files of interrupted work: {unfinished}" in one for one in told)
    looked = repo.do(Repair(), dry_run=True)
    assert "  data/here/lost.fits" in looked.lines
    assert stray.exists()
    assert unfinished.exists()
    (repo.root / "unclaimed" / "data" / "here").mkdir(parents=True)
    (repo.root / "unclaimed" / "data" / "here" / "lost.fits").write_bytes(b"an earlier one")
    effect = repo.do(Repair())
    assert effect.state == states(repo)
    assert not stray.exists()
    assert not unfinished.exists()
    aside = repo.root / "unclaimed" / "data" / "here"
    assert {one.name: one.read_bytes() for one in aside.iterdir()} == {
        "lost.fits": b"an earlier one",
        "lost.fits.2": b"lost",
    }
    assert said(repo, "warn") == []


def test_files_of_a_removed_run_stay_where_an_undo_needs_them(repo: Any) -> None:
    repo.add_run("data/u/ada/try", [0])
    path = repo.root / "data/u/ada/try/0.fits"
    repo.do(RemoveRuns(glob="data/u/ada/try"))
    assert repo.do(Repair()).state is None
    assert path.exists()
    assert any("files of datasets that were removed" in one for one in said(repo, "ok"))


def test_young_files_and_those_of_a_living_writer_are_left_alone(repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stray, unfinished = _files(repo)
    ours = unfinished.with_name(f"ours.fits.cabstand-tmp-{os.getpid()}")
    ours.write_bytes(b"being written")
    repo.do(Repair())
    assert ours.exists()
    monkeypatch.undo()
    stray.write_bytes(b"again")
    unfinished.write_bytes(b"again")
    assert repo.do(Repair()).state is None
    told = said(repo, "warn")
    assert any("new files without a row" in one for one in told)
    assert any("unfinished files that somebody may be writing: 2" in one for one in told)


def _job(repo: Any, **more: Any) -> str:
    plan = '{"stages": [[{"outputs": [{"path": "data/mine.fits"}]}]]}'
    job = JobRecord(
        id="20240101-0001", kind="generate", ticket="DM-1", calib_type="bias", run=RUN, status="running", host="here",
        submitted_tai_ns=0, plan_json=plan, **more,
    )  # fmt: skip
    repo.write(lambda uow, state: uow.jobs.insert(job, ["one"], state=state))
    (repo.root / "data").mkdir()
    (repo.root / "data" / "mine.fits").write_bytes(b"made")
    return job.id


def test_a_dead_job_is_marked_and_its_files_wait_for_it(repo: Any) -> None:
    job_id = _job(repo)
    with held_lock(repo.context, job_id):
        (repo.root / "data" / "half.fits.cabstand-tmp-999999999").write_bytes(b"half")
        assert repo.do(Repair()).state is None
    told = said(repo, "warn")
    assert any(f"job {job_id}: its runner died" in one for one in told)
    repo.do(Repair())
    with repo.context.unit_of_work() as uow:
        assert (uow.jobs.get(job_id).status, uow.jobs.get(job_id).error) == ("failed", "its runner died")
    assert (repo.root / "data" / "mine.fits").exists()
    assert not list((repo.root / "data").glob("*tmp*"))


def test_a_job_of_another_machine_is_not_called_dead(repo: Any) -> None:
    job_id = _job(repo)
    assert not any(job_id in one for one in said(replaced(repo, host="elsewhere"), "warn"))


def replaced(repo: Any, **more: Any) -> Any:
    return type(repo)(replace(repo.context, **more), repo.instrument)


def test_folders_of_jobs_that_no_row_knows_are_named(repo: Any) -> None:
    (repo.root / "jobs" / "20230101-0001").mkdir(parents=True)
    assert "folders of jobs that no row knows: 1" in only(repo, "warn")


def test_repairing_is_writing(repo: Any) -> None:
    _files(repo)
    with pytest.raises(CabstandError) as caught:
        repo.do(Repair(), is_read_only=True)
    assert caught.value.code == "E-READONLY"
    roles = {"viewer": ("ada",), "builder": ("bob",)}
    with pytest.raises(CabstandError) as caught:
        repo.do(Repair(), config=Config(data_dir=repo.root, state_dir=repo.root, roles=roles))
    assert caught.value.code == "E-ROLE"
    assert (repo.root / "data" / "here" / "lost.fits").exists()


def test_backups_are_wanted_of_a_main_repository(make_repo: Callable[..., Any]) -> None:
    main = make_repo(camera="LATISS", kind="main", name="main")
    assert "no backup of the store" in only(main, "warn")
    (main.root / "backups").mkdir()
    kept = main.root / "backups" / "cabstand-1-0002.sqlite3"
    kept.write_bytes(b"x")
    now = main.context.clock()
    os.utime(kept, ns=(now - 450_000_000_000_000, now - 450_000_000_000_000))
    assert any("1 backup, the newest 5 days old" in one for one in said(main, "ok"))
    os.utime(kept, ns=(0, 0))
    assert "pg_dump" in only(main, "warn") or "sqlite3" in only(main, "warn")
