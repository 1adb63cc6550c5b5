"""From every released schema forward: a backup first, contents equal, or the store as it was."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import calibstore.db.backup
from calibstore.commands.repository import Migrate
from calibstore.config import REPOSITORY_FILE, STORE_FILE
from calibstore.db import migrate as migrate_module
from calibstore.db.engine import check_version, open_engine, schema_of
from calibstore.db.migrate import PROJECT_SCRIPTS, upgrade
from calibstore.db.schema import SCHEMA_VERSION
from calibstore.errors import ConflictError, StoreError
from calibstore.model.timespan import Timespan
from calibstore.services.context import forget_engines
from tests.conftest import Repo, context_of
from tests.support.old_stores import copy_rows, rows_of

BROKEN = """
import sqlalchemy as sa
from alembic import op
revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("update journal set summary = 'lost'")
    {last}
"""


@pytest.fixture
def old_repo(make_repo: Callable[..., Repo], database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A repository of schema 0001, laid by the released script, with a certified and live bias."""
    today = make_repo(kind="test", name="today")
    today.live("DM-1", "2025-01-01")
    folder = tmp_path / "old"
    folder.mkdir()
    place: Path | str = folder / STORE_FILE
    name = ""
    if database_kind == "postgresql":
        server = request.getfixturevalue("postgres")
        name = server.create()
        place = server.url(name)
        (folder / REPOSITORY_FILE).write_text(f'database = "{place}"\n')
    upgrade(open_engine(place, must_exist=False, is_pooled=False), revision="0001")
    copy_rows(today.context.store, place)
    yield Repo(context_of(folder, "2025-06-01T00:00:00"), "LATISS")
    forget_engines()
    if name:
        server.drop(name)


def test_an_older_store_names_the_remedy(old_repo: Repo) -> None:
    with pytest.raises(StoreError) as caught, old_repo.context.unit_of_work():
        pass
    assert caught.value.code == "E-SCHEMA"
    assert "cabstand migrate" in caught.value.hint


def test_a_dry_run_changes_nothing(old_repo: Repo) -> None:
    before = rows_of(old_repo.context.store)
    effect = old_repo.do(Migrate(), dry_run=True)
    assert f"0001 -> {SCHEMA_VERSION}" in effect.summary
    assert rows_of(old_repo.context.store) == before
    assert not (old_repo.root / "backups").exists()


def test_contents_come_through_and_a_backup_is_kept(old_repo: Repo, database_kind: str) -> None:
    before = rows_of(old_repo.context.store)
    effect = old_repo.do(Migrate(), reason="new release")
    after = rows_of(old_repo.context.store)
    entry = after["journal"].pop()
    assert after == before
    assert entry[0] == effect.state == len(before["journal"]) + 1
    engine = open_engine(old_repo.context.store, read_only=True, is_pooled=False)
    check_version(engine)
    with old_repo.context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
        newest = uow.journal.entry(effect.state)
        assert newest is not None
        assert (newest.verb, newest.before, newest.reason) == ("migrate", {"schema": "0001"}, "new release")
    (backup,) = (old_repo.root / "backups").iterdir()
    assert str(backup) == effect.data["backup"]
    if database_kind == "sqlite":
        assert rows_of(backup) == before
        assert schema_of(open_engine(backup, read_only=True, is_pooled=False)) == "0001"


def test_what_the_new_schema_refuses_is_refused_after_it(old_repo: Repo) -> None:
    old_repo.do(Migrate())
    into = "LATISS/calib/DM-1/t/bias.20240101a"
    with old_repo.context.unit_of_work() as uow:
        (row,) = uow.certifications.in_collections([uow.collections.get(into)])
    with pytest.raises(ConflictError) as caught:
        old_repo.write(
            lambda uow, state: uow.certifications.insert(
                uow.collections.get(into),
                [(row.dataset_type, row.data_key, row.dataset_id)],
                Timespan(row.timespan.begin_tai_ns + 1, row.timespan.begin_tai_ns + 2),
                state=state,
            )
        )
    assert caught.value.code == "E-VALIDITY"


def test_a_store_of_today_needs_nothing(make_repo: Callable[..., Repo]) -> None:
    repo = make_repo(kind="test")
    effect = repo.do(Migrate())
    assert "already" in effect.summary
    assert effect.state is None
    assert not (repo.root / "backups").exists()


def broken_scripts(folder: Path, last: str) -> Path:
    scripts = folder / "scripts"
    shutil.copytree(PROJECT_SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for one in (scripts / "versions").glob("000[2-9]*"):
        one.unlink()
    (scripts / "versions" / "0002_fails.py").write_text(BROKEN.format(last=last))
    return scripts


@pytest.mark.parametrize(
    ("last", "code"),
    [('op.execute("this is not SQL")', "E-MIGRATE"), ('raise ValueError("no")', "E-MIGRATE"), ("pass", "E-JOURNAL")],
)
def test_a_failed_migration_leaves_the_store_as_it_was(
    old_repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, code: str
) -> None:
    before = rows_of(old_repo.context.store)
    scripts, real = broken_scripts(tmp_path, last), migrate_module.upgrade_within
    monkeypatch.setattr(
        migrate_module, "upgrade_within", lambda connection, **more: real(connection, **{**more, "scripts": scripts})
    )
    with pytest.raises(StoreError) as caught:
        old_repo.do(Migrate())
    assert caught.value.code == code
    assert "the store is as it was" in caught.value.message
    assert rows_of(old_repo.context.store) == before
    assert schema_of(open_engine(old_repo.context.store, read_only=True, is_pooled=False)) == "0001"
    monkeypatch.undo()
    old_repo.do(Migrate())
    assert len(list((old_repo.root / "backups").iterdir())) == 2


def test_without_a_backup_nothing_is_changed_unless_a_reason_is_given(old_repo: Repo) -> None:
    (old_repo.root / "backups").write_text("in the way")
    before = rows_of(old_repo.context.store)
    with pytest.raises(StoreError) as caught:
        old_repo.do(Migrate())
    assert caught.value.code == "E-BACKUP"
    assert "--no-backup" in caught.value.hint
    assert rows_of(old_repo.context.store) == before
    effect = old_repo.do(Migrate(no_backup="the server's own backup of tonight"))
    assert effect.data["backup"] is None
    with old_repo.context.unit_of_work() as uow:
        entry = uow.journal.entry(effect.state)
        assert "the server's own backup" in entry.line


def test_a_damaged_copy_is_no_backup(old_repo: Repo, monkeypatch: pytest.MonkeyPatch, database_kind: str) -> None:
    """What is checked is the copy itself: one cut short is refused, and no file keeps its name."""
    if database_kind == "sqlite":

        def half(store: Path, path: Path) -> None:
            real(store, path)
            path.write_bytes(path.read_bytes()[:20_000])

        real = calibstore.db.backup._copy_sqlite
        monkeypatch.setattr(calibstore.db.backup, "_copy_sqlite", half)
    else:
        real_run = subprocess.run

        def cut(argv: list[str], **more: Any) -> Any:
            done = real_run(argv, **more)
            for one in argv:
                if str(one).startswith("--file="):
                    path = Path(one.partition("=")[2])
                    path.write_bytes(path.read_bytes()[:2000])
            return done

        monkeypatch.setattr(calibstore.db.backup.subprocess, "run", cut)
    with pytest.raises(StoreError) as caught:
        old_repo.do(Migrate())
    assert caught.value.code == "E-BACKUP"
    assert list((old_repo.root / "backups").iterdir()) == []
    assert schema_of(open_engine(old_repo.context.store, read_only=True, is_pooled=False)) == "0001"


def test_read_only_migrates_nothing(old_repo: Repo) -> None:
    with pytest.raises(StoreError) as caught:
        execute_read_only(old_repo)
    assert caught.value.code == "E-READONLY"


def execute_read_only(repo: Repo) -> None:
    repo.do(Migrate(), is_read_only=True)


def test_a_newer_store_is_not_migrated(make_repo: Callable[..., Repo]) -> None:
    repo = make_repo(kind="test")
    with repo.context.unit_of_work(write=True) as uow:
        uow.journal._connection.exec_driver_sql("update alembic_version set version_num = '9999'")
        uow.commit()
    forget_engines()
    for attempt in (lambda: repo.do(Migrate()), lambda: repo.do(Migrate(), dry_run=True)):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert caught.value.code == "E-SCHEMA"
        assert "pip install --upgrade" in caught.value.hint


@pytest.mark.pg
def test_no_pg_dump_is_told(
    old_repo: Repo, monkeypatch: pytest.MonkeyPatch, database_kind: str, tmp_path: Path
) -> None:
    if database_kind == "sqlite":
        pytest.skip("SQLite copies itself")
    monkeypatch.setattr(calibstore.db.backup, "_SERVERS", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(StoreError) as caught:
        old_repo.do(Migrate())
    assert caught.value.code == "E-BACKUP"
    assert "pg_dump is not installed" in caught.value.message
    old_repo.do(Migrate(no_backup="tonight's"))
