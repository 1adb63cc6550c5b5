"""Fail or be killed at every statement and every file operation of an import: nothing is there, or everything is."""

import hashlib
import itertools
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from calibstore.commands.sites import ExportCalibs, Import
from calibstore.errors import StoreError
from calibstore.services import context as surroundings
from calibstore.services.lookup import fingerprint

BASE = "LATISS/calib/DM-1"
OPERATIONS = ("open", "fsync", "replace", "fchmod")


class InjectedError(Exception):
    """The fault put in."""


@pytest.fixture
def source(strict_repo: Any, real_product: Any) -> Any:
    for letter, pixel in (("a", 1.0), ("b", 2.0)):
        real_product(strict_repo, f"{BASE}/t/biasGen.20250101{letter}", pixel=pixel)
    strict_repo.certify(f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a", "20240101")
    strict_repo.certify(f"{BASE}/t/biasGen.20250101b", f"{BASE}/t/bias.20250101b", "20250101")
    return strict_repo


@pytest.fixture
def bundle(source: Any, tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    source.do(ExportCalibs(directory=str(path), collections=(BASE,)))
    return path


@pytest.fixture
def target(make_repo: Any) -> Any:
    return make_repo(name="second")


def dump(repo: Any) -> str:
    connection = sqlite3.connect(repo.context.store_path)
    text = "\n".join(connection.iterdump())
    (check,) = connection.execute("pragma integrity_check").fetchone()
    broken = connection.execute("pragma foreign_key_check").fetchall()
    connection.close()
    assert (check, broken) == ("ok", [])
    return text


def files(repo: Any) -> list[str]:
    return sorted(str(path.relative_to(repo.root)) for path in (repo.root / "data").rglob("*"))


def check_complete(repo: Any, source: Any) -> None:
    with repo.context.unit_of_work() as uow, source.context.unit_of_work() as origin:
        assert uow.journal.first_altered() is None
        assert fingerprint(uow, BASE) == fingerprint(origin, BASE)
        records = uow.datasets.all_with_files()
        assert len(records) == 2
        for record in records:
            assert hashlib.sha256((repo.root / record.path).read_bytes()).hexdigest() == record.sha256
    on_disk = {one for one in files(repo) if (repo.root / one).is_file()}
    assert on_disk == {record.path for record in records}


def test_failing_at_every_statement_leaves_nothing(source: Any, target: Any, bundle: Path) -> None:
    before = dump(target)
    engine = surroundings._engine(target.context.store_path, False)
    left = [0]

    def count_down(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise InjectedError

    event.listen(engine, "before_cursor_execute", count_down)
    event.listen(engine, "commit", count_down)
    n_failed = 0
    try:
        while True:
            left[0] = n_failed + 1
            try:
                target.do(Import(directory=str(bundle)))
            except InjectedError:
                n_failed += 1
                assert dump(target) == before
                assert files(target) == []
                continue
            break
    finally:
        event.remove(engine, "before_cursor_execute", count_down)
        event.remove(engine, "commit", count_down)
    assert n_failed > 30
    check_complete(target, source)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_failing_at_every_file_operation_leaves_nothing(
    source: Any, target: Any, bundle: Path, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(target)
    real = getattr(os, operation)
    n_failed = 0
    for at in itertools.count(1):
        seen = itertools.count(1)

        def fail(*given: Any, at: int = at, seen: Any = seen, **named: Any) -> Any:
            if next(seen) == at:
                raise OSError(28, "No space left on device")
            return real(*given, **named)

        with monkeypatch.context() as patch:
            patch.setattr(os, operation, fail)
            try:
                target.do(Import(directory=str(bundle)))
                break
            except StoreError as problem:
                told = problem.message
        n_failed += 1
        assert "No space left" in told
        assert dump(target) == before
        assert files(target) == []
    assert n_failed >= 2
    check_complete(target, source)


def test_interrupted_after_the_commit_the_files_stay(
    source: Any, target: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibstore.db.unit_of_work import UnitOfWork

    real = UnitOfWork.commit

    def commit(uow: Any) -> None:
        real(uow)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(UnitOfWork, "commit", commit)
        with pytest.raises(KeyboardInterrupt):
            target.do(Import(directory=str(bundle)))
    check_complete(target, source)


def killed_at(context: Any, command: Import, point: int) -> bool:
    """Import in a process of its own that is killed at an operation; tell whether it was."""
    surroundings.forget_engines()
    child = os.fork()
    if child == 0:
        try:
            count = itertools.count(1)

            def patched(real: Callable[..., Any]) -> Callable[..., Any]:
                def run(*given: Any, **named: Any) -> Any:
                    if next(count) == point:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*given, **named)

                return run

            for operation in OPERATIONS:
                setattr(os, operation, patched(getattr(os, operation)))
            event.listen(surroundings._engine(context.store_path, False), "commit", patched(lambda *_: None))
            from calibstore.services.doors import execute

            execute(command, context)
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_anywhere_the_next_import_completes(source: Any, make_repo: Any, bundle: Path) -> None:
    command = Import(directory=str(bundle))
    for point in itertools.count(1):
        repo = make_repo(name=f"killed{point}")
        before = dump(repo)
        if not killed_at(repo.context, command, point):
            break
        assert dump(repo) == before
        repo.do(command)
        check_complete(repo, source)
    assert point > 8


def test_killed_after_the_commit_it_is_complete(source: Any, target: Any, bundle: Path) -> None:
    assert not killed_at(target.context, Import(directory=str(bundle)), -1)
    check_complete(target, source)
    assert target.do(Import(directory=str(bundle))).state is None
