"""What every connection promises: durability, foreign keys, waiting, read-only at the database."""

import gc
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from calibstore.db.engine import BUSY_TIMEOUT_MS, check_version, open_engine, transaction
from calibstore.db.unit_of_work import UnitOfWork
from calibstore.errors import NotFoundError, StoreError
from calibstore.model.collections import CollectionType
from calibstore.services.context import forget_engines


@pytest.fixture
def path(strict_repo: Any) -> Path:
    return strict_repo.context.store_path


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("foreign_keys", 1), ("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", BUSY_TIMEOUT_MS)],
)
def test_pragmas_of_a_real_connection(path: Path, pragma: str, value: object) -> None:
    engine = open_engine(path)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()


def test_foreign_keys_are_enforced(strict_repo: Any) -> None:
    def orphan(uow: Any, state: int) -> None:
        uow.collections._connection.exec_driver_sql(
            f"insert into chain_edge (chain_id, position, child_id, opened_state) values (998, 0, 999, {state})"
        )

    with pytest.raises(StoreError) as caught:
        strict_repo.write(orphan)
    assert caught.value.code == "E-INTEGRITY"


def test_read_only_store_refuses_to_write(path: Path) -> None:
    engine = open_engine(path, read_only=True)
    check_version(engine)
    with pytest.raises(StoreError) as caught, transaction(engine, write=True) as connection:
        connection.exec_driver_sql("delete from journal")
    assert caught.value.code == "E-READONLY"
    engine.dispose()


def test_a_missing_store_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no repository"):
        open_engine(tmp_path / "none" / "cabstand.sqlite3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"SIMPLE  =                    T" * 200])
def test_another_file_is_no_store(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "cabstand.sqlite3"
    other.write_bytes(content)
    with pytest.raises(StoreError, match="not a Cabstand store"):
        check_version(open_engine(other, read_only=True))


def test_newer_schema_is_refused_with_the_remedy(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("update alembic_version set version_num = '9999'")
    connection.commit()
    connection.close()
    engine = open_engine(path)
    with pytest.raises(StoreError) as caught:
        check_version(engine)
    engine.dispose()
    assert caught.value.code == "E-SCHEMA"
    assert "9999" in caught.value.message
    assert "pip install --upgrade" in caught.value.hint


def test_second_writer_waits_and_sees_what_the_first_wrote(path: Path) -> None:
    engine = open_engine(path)
    began, seen = threading.Event(), []

    def second() -> None:
        began.set()
        with UnitOfWork(engine, write=True) as uow:
            seen.append(uow.collections.find("first"))

    with UnitOfWork(engine, write=True) as uow:
        thread = threading.Thread(target=second)
        thread.start()
        began.wait()
        state = uow.journal.last_state()
        uow.collections.register("first", CollectionType.RUN, state=state)
        assert seen == []
        uow.commit()
    thread.join()
    assert seen[0] is not None
    engine.dispose()


def test_a_writer_who_waits_too_long_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calibstore.db.engine.BUSY_TIMEOUT_MS", 1)
    engine = open_engine(path)
    with (
        UnitOfWork(engine, write=True),
        pytest.raises(StoreError) as caught,
        UnitOfWork(engine, write=True),
    ):
        pass
    assert caught.value.code == "E-LOCKED"
    engine.dispose()


def test_readers_are_not_blocked_and_keep_their_view(path: Path) -> None:
    engine = open_engine(path)
    with UnitOfWork(engine, write=False) as reader:
        before = len(reader.collections.list())
        with UnitOfWork(engine, write=True) as writer:
            writer.collections.register("new", CollectionType.RUN, state=writer.journal.last_state())
            writer.commit()
        assert len(reader.collections.list()) == before
    with UnitOfWork(engine, write=False) as reader:
        assert len(reader.collections.list()) == before + 1
    engine.dispose()


def test_without_commit_nothing_stays(path: Path) -> None:
    engine = open_engine(path)
    with UnitOfWork(engine, write=True) as uow:
        uow.collections.register("gone", CollectionType.RUN, state=uow.journal.last_state())
    with UnitOfWork(engine, write=False) as uow:
        assert uow.collections.find("gone") is None
    engine.dispose()


def test_a_failed_statement_rolls_ddl_back_too(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "x.sqlite3", must_exist=False)

    def half() -> None:
        with transaction(engine, write=True) as connection:
            connection.exec_driver_sql("create table half (id integer)")
            connection.exec_driver_sql("not SQL")

    with pytest.raises(StoreError):
        half()
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()


def test_a_folder_that_nobody_may_write_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_engines()
    gc.collect()
    raw = sqlite3.connect(path)
    raw.execute("pragma wal_checkpoint(truncate)")
    raw.close()
    for other in path.parent.glob(f"{path.name}-*"):
        other.unlink()
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    engine = open_engine(path, read_only=True)
    with UnitOfWork(engine, write=False) as uow:
        assert uow.repository.instruments() == ("LATISS",)
    engine.dispose()
    assert not list(path.parent.glob(f"{path.name}-*"))
