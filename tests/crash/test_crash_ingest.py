"""Interrupted at any write, an ingest leaves the repository as it was, and the next one completes it."""

import errno
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.raws import Ingest
from calibstore.errors import CabstandError
from calibstore.services.context import forget_engines

Repo = Any  # tests/conftest.py

_CALLS = ("open", "pwrite", "fchmod", "fsync", "replace", "link")
N_WRITES = 23
"""Three frames of one chunk: create, write, mode, sync, rename, sync of the folder; five new folders synced."""


@pytest.fixture
def folder(simulated_biases: Callable[..., Path], tmp_path: Path) -> Path:
    made = tmp_path / "night"
    made.mkdir()
    for path in sorted(simulated_biases("LATISS:mini", 3, 0, 1).glob("*.fits"))[:3]:
        shutil.copy(path, made)
    return made


class Interrupter:
    """Fails the nth write of the process, by whatever call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail_at: int) -> None:
        self.fail_at, self.count = fail_at, 0
        for name in _CALLS:
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **named)
            self.count += 1
            if self.count == self.fail_at:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(*args, **named)

        return call


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(root.rglob("*"))
        if not path.name.startswith("cabstand.sqlite3")
    }


def rows(repo: Repo) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(repo.context.store_path) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        return {name: connection.execute(f"select * from {name}").fetchall() for name in tables}


def test_the_frames_need_as_many_writes_as_are_failed_below(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Interrupter(monkeypatch, 0)
    loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
    assert counted.count == N_WRITES


@pytest.mark.parametrize("fail_at", range(1, N_WRITES + 1))
def test_a_copy_failing_at_any_write_leaves_nothing(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    command = Ingest(paths=(str(folder),), transfer="copy")
    before, database = tree(loose_repo.root), rows(loose_repo)
    with monkeypatch.context() as patched:
        Interrupter(patched, fail_at)
        with pytest.raises(CabstandError, match="cannot be written"):
            loose_repo.do(command)
    assert tree(loose_repo.root) == before
    assert rows(loose_repo) == database
    assert loose_repo.do(command).summary == "3 files recorded (3 bias)"


@pytest.mark.parametrize("fail_at", range(1, 7))
def test_a_link_failing_leaves_nothing(
    loose_repo: Repo, folder: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    before, database = tree(loose_repo.root), rows(loose_repo)
    with monkeypatch.context() as patched:
        Interrupter(patched, fail_at)
        with pytest.raises(CabstandError, match="cannot be linked"):
            loose_repo.do(Ingest(paths=(str(folder),), transfer="link"))
    assert tree(loose_repo.root) == before
    assert rows(loose_repo) == database


@pytest.mark.parametrize("statement", range(1, 12))
def test_a_store_failing_at_any_statement_leaves_no_copy(loose_repo: Repo, folder: Path, statement: int) -> None:
    """Rows are inserted in one transaction; whichever insert fails, the copies go too."""
    import sqlalchemy as sa
    from sqlalchemy.engine import Engine

    count = 0

    def fail(_connection: Any, _cursor: Any, text: str, *_more: Any) -> None:
        nonlocal count
        if not text.startswith(("INSERT", "DELETE", "UPDATE")):
            return
        count += 1
        if count == statement:
            raise sqlite3.OperationalError("database or disk is full")

    before, database = tree(loose_repo.root), rows(loose_repo)
    sa.event.listen(Engine, "before_cursor_execute", fail)
    try:
        loose_repo.do(Ingest(paths=(str(folder),), transfer="copy"))
        is_done = True
    except (CabstandError, sqlite3.OperationalError):
        is_done = False
    finally:
        sa.event.remove(Engine, "before_cursor_execute", fail)
    if is_done:
        assert 5 <= count < statement
        return
    assert tree(loose_repo.root) == before
    assert rows(loose_repo) == database


@pytest.mark.parametrize("fail_at", [2, 5, 9, 14, N_WRITES])
def test_killed_at_a_write_the_next_ingest_completes_it(loose_repo: Repo, folder: Path, fail_at: int) -> None:
    """No exception handler runs after SIGKILL: what lies about has no row, and does no harm."""
    database = rows(loose_repo)
    forget_engines()
    script = f"""
        import os, signal
        from pathlib import Path
        from calibstore.commands.raws import Ingest
        from calibstore.config import Config
        from calibstore.services.context import Context
        from calibstore.services.doors import execute

        count = 0
        def wrapped(name, real):
            def call(*args, **named):
                global count
                if name != "open" or args[1] & os.O_CREAT:
                    count += 1
                    if count == {fail_at}:
                        os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **named)
            return call
        for name in {_CALLS!r}:
            setattr(os, name, wrapped(name, getattr(os, name)))
        root = Path({str(loose_repo.root)!r})
        context = Context(root=root, clock=lambda: 1, user="ada", host="here",
                          config=Config(data_dir=root.parent, state_dir=root.parent))
        execute(Ingest(paths=({str(folder)!r},), transfer="copy"), context)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert rows(loose_repo) == database
    assert loose_repo.do(Ingest(paths=(str(folder),), transfer="copy")).summary == "3 files recorded (3 bias)"
    with loose_repo.context.unit_of_work() as uow:
        stored = uow.datasets.in_run(uow.collections.get("LATISS/raw/all"))
    assert len(stored) == 3
    for record in stored:
        content = loose_repo.context.absolute(record.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record.sha256
    finished = list((loose_repo.root / "data").rglob("*.fits"))
    assert len(finished) == 3
