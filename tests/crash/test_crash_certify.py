"""Fail or kill at every statement of an action: the store is as it was before, or as it is after, never between."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from calibstore.commands import Command, to_json
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.services import context as surroundings

BASE = "LATISS/calib/DM-1/t"
TOP = "LATISS/calib"
ACTIONS = {
    "certify": CertifyCalibrations(
        run=f"{BASE}/biasGen.20250101b", collection=f"{BASE}/bias.20250101b", dataset_type="bias", begin_date="20250101"
    ),
    "decertify": Decertify(
        collection=f"{BASE}/bias.20250101a", dataset_type="bias", begin_date="20250301", end_date="20250401"
    ),
    "chain": CollectionChain(parent=TOP, children=("LATISS/calib/DM-2",), mode="remove"),
}


class InjectedError(Exception):
    """The fault put in."""


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    for letter in "ab":
        strict_repo.add_run(f"{BASE}/biasGen.20250101{letter}", [0])
    strict_repo.certify(f"{BASE}/biasGen.20250101a", f"{BASE}/bias.20250101a", "20240101")
    strict_repo.live("DM-2", "2024-01-01")
    return strict_repo


def dump(repo: Any) -> str:
    connection = sqlite3.connect(repo.context.store_path)
    text = "\n".join(connection.iterdump())
    (check,) = connection.execute("pragma integrity_check").fetchone()
    broken = connection.execute("pragma foreign_key_check").fetchall()
    connection.close()
    assert (check, broken) == ("ok", [])
    return text


def check_whole(repo: Any) -> None:
    """Check what must hold of any store: an unaltered journal, ranges that never overlap, no orphaned row."""
    with repo.context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
        rows = uow.certifications.in_collections(uow.collections.list())
        last = uow.journal.last_state()
    for one in rows:
        assert one.opened_state <= last
        for other in rows:
            same = (one.collection, one.dataset_type, one.data_key) == (
                other.collection,
                other.dataset_type,
                other.data_key,
            )
            assert one.id == other.id or not same or not one.timespan.overlaps(other.timespan)


@pytest.mark.parametrize("name", list(ACTIONS))
def test_failing_at_every_statement_changes_nothing(repo: Any, name: str) -> None:
    before = dump(repo)
    engine = surroundings._engine(repo.context.store_path, False)
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
                repo.do(ACTIONS[name])
            except InjectedError:
                n_failed += 1
                assert dump(repo) == before
                continue
            break
    finally:
        event.remove(engine, "before_cursor_execute", count_down)
        event.remove(engine, "commit", count_down)
    assert n_failed > 12
    assert dump(repo) != before
    check_whole(repo)


SCRIPT = """
import json, os, signal, sys
from pathlib import Path
from sqlalchemy import event
import calibstore.commands
from calibstore.commands import from_json
from calibstore.config import Config
from calibstore.services import context as surroundings
from calibstore.services.doors import execute

root, at, command = Path(sys.argv[1]), sys.argv[2], from_json(json.loads(sys.argv[3]))
made = surroundings.Context(root=root, clock=lambda: 1_750_000_000_000_000_000, user="ada", host="here",
                            config=Config(data_dir=root, state_dir=root))
engine = surroundings._engine(made.store_path, False)
seen = [0]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def count(*_):
    seen[0] += 1
    if at == str(seen[0]):
        die()

event.listen(engine, "before_cursor_execute", count)
if at == "commit":
    event.listen(engine, "commit", die)
execute(command, made)
if at == "after":
    die()
print(seen[0])
"""


def run_script(repo: Any, at: str, command: Command) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", SCRIPT, str(repo.root), at, json.dumps(to_json(command))]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_killed_before_the_commit_nothing_is_there(repo: Any, make_repo: Callable[..., Any], tmp_path: Path) -> None:
    import shutil

    surroundings.forget_engines()
    shutil.copytree(repo.root, tmp_path / "counted")
    counted = type(repo)(surroundings.Context(**{**_fields(repo.context), "root": tmp_path / "counted"}), "LATISS")
    whole = run_script(counted, "never", ACTIONS["certify"])
    assert whole.returncode == 0, whole.stderr
    n_statements = int(whole.stdout)
    before = dump(repo)
    for at in (n_statements // 2, n_statements - 2, n_statements, "commit"):
        killed = run_script(repo, str(at), ACTIONS["certify"])
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert dump(repo) == before
        check_whole(repo)


def test_killed_after_the_commit_everything_is_there(repo: Any) -> None:
    before = dump(repo)
    killed = run_script(repo, "after", ACTIONS["certify"])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert dump(repo) != before
    check_whole(repo)
    with repo.context.unit_of_work() as uow:
        into = uow.collections.get(f"{BASE}/bias.20250101b")
        assert len(uow.certifications.in_collections([into])) == 1
        assert [one.name for one in uow.collections.parents(into)] == ["LATISS/calib/DM-1"]
    assert repo.do(ACTIONS["certify"]).summary.startswith("nothing to do")


def _fields(context: surroundings.Context) -> dict[str, Any]:
    return {name: getattr(context, name) for name in ("root", "clock", "user", "host", "config")}
