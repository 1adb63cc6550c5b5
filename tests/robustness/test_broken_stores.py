"""Repositories that cannot be read, or not now: it is said with a remedy, nothing typed is lost, all goes on."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from calibstore.services.context import forget_engines
from tests.robustness.places import PLACES
from tests.support.screens import cabstand
from tests.support.walks import assert_whole, stay, tap
from tui.plain import screen_text
from tui.testing import settle

VIEWS = "123456789"
CERTIFY = PLACES["form"]


@pytest.fixture
def home(at_stage: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A live repository of one's own; nobody waits long for a lock."""
    forget_engines()
    monkeypatch.setattr("calibstore.db.engine.BUSY_TIMEOUT_MS", 100)
    yield at_stage("live")
    forget_engines()


@contextmanager
def store_of(home: Path) -> Iterator[sqlite3.Connection]:
    (path,) = home.glob("*.sqlite3")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


async def walk_all(pilot: Any) -> None:
    """Look at every view, and ask for what each would copy."""
    for key in VIEWS:
        await tap(pilot, (key, "down", "r", "y", "Y", "enter"))
    assert_whole(pilot.app)


async def test_another_schema_version_is_said_with_the_remedy(home: Path, tmp_path: Path) -> None:
    with store_of(home) as store:
        store.execute("UPDATE alembic_version SET version_num = '9999'")
    app = cabstand(home, state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "the store has schema 9999" in screen_text(app)
        assert "remedy: a newer Cabstand wrote it" in screen_text(app)
        await walk_all(pilot)
        assert {one.code for one in app.errors} == {"E-SCHEMA"}


@pytest.mark.parametrize("length", [0, 100, 5_000, 60_000])
async def test_a_truncated_store(length: int, home: Path, tmp_path: Path) -> None:
    with store_of(home) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (path,) = home.glob("*.sqlite3")
    with path.open("r+b") as stream:
        stream.truncate(length)
    app = cabstand(home, state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await walk_all(pilot)
        assert app.errors
        assert "remedy" in screen_text(app)


async def test_a_store_spoilt_while_it_is_looked_at(home: Path, tmp_path: Path) -> None:
    app = cabstand(home, state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        with store_of(home) as store:
            store.execute("DROP TABLE journal")
        await walk_all(pilot)
        assert app.errors


async def test_a_repository_that_vanished_and_came_back(home: Path, tmp_path: Path) -> None:
    app = cabstand(home, "collections", state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        aside = home.rename(home.with_name("aside"))
        await walk_all(pilot)
        assert {one.code for one in app.errors} <= {"E-NOTFOUND", "E-NOREPO", "E-FILE"}, app.errors
        aside.rename(home)
        app.errors.clear()
        await tap(pilot, ("2", "r"))
        assert "first/bias.20261120a" in screen_text(app)
        assert app.errors == []


async def test_products_and_logs_that_vanished(home: Path, tmp_path: Path) -> None:
    for path in [*home.rglob("*.fits"), *home.rglob("*.log"), *home.rglob("*.html"), *home.rglob("*.png")]:
        path.unlink()
    app = cabstand(home, "data bias", state_dir=tmp_path / "state")
    stay(app)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await walk_all(pilot)
        await tap(pilot, ("5", "r"))
        assert "biasGen" in screen_text(app)


async def test_a_store_held_by_another_writer_is_read_and_a_run_says_it(home: Path, tmp_path: Path) -> None:
    app = cabstand(home, CERTIFY, state_dir=tmp_path / "state", is_writable=True)
    stay(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        with store_of(home) as store:
            store.execute("BEGIN EXCLUSIVE")
            app.type_line("home")
            await tap(pilot, ("r",))
            assert "IN USE NOW" in screen_text(app)
            assert app.errors == []
            app.type_line("campaign new LATISS DM-9 tag")
            await settle(pilot)
            await tap(pilot, ("ctrl+r",))
            shown = screen_text(app)
            assert "another process holds the store" in shown
            assert "DM-9" in shown  # what was typed is still there
            store.execute("ROLLBACK")
        await tap(pilot, ("ctrl+r",))
        assert "DONE" in screen_text(app)
        assert_whole(app)


async def test_a_store_held_exclusively_says_so_and_is_read_later(home: Path, tmp_path: Path) -> None:
    with store_of(home) as store:
        store.execute("PRAGMA locking_mode = EXCLUSIVE")
        store.execute("BEGIN EXCLUSIVE")
        app = cabstand(home, state_dir=tmp_path / "state")
        stay(app)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            await tap(pilot, ("r", "2", "1"))
            assert {one.code for one in app.errors} == {"E-LOCKED"}
            assert "another process holds the store" in screen_text(app)
            assert_whole(app)
            store.execute("ROLLBACK")
            store.close()
            await tap(pilot, ("escape", "r"))
            assert "IN USE NOW" in screen_text(app)
