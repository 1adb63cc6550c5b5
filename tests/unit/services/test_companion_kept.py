"""A first reading that fails takes away what it made itself, and nothing that another process wrote meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from calibstore.config import REPOSITORY_FILE, STORE_FILE
from calibstore.services.mirroring import _NewCompanion


@pytest.mark.parametrize("is_there", [False, True])
def test_a_failed_first_reading_leaves_the_store_of_another_process(tmp_path: Path, is_there: bool) -> None:
    root = tmp_path / "companion"
    if is_there:
        root.mkdir()
    made = _NewCompanion(root, "/repo/main")
    made.create()
    with closing(sqlite3.connect(root / STORE_FILE)) as other, other:
        other.execute("CREATE TABLE journal (state INTEGER)")
    made.discard()
    assert (root / STORE_FILE).stat().st_size
    assert (root / REPOSITORY_FILE).exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_what_it_began_itself_goes(tmp_path: Path, is_there: bool) -> None:
    root = tmp_path / "companion"
    if is_there:
        root.mkdir()
    made = _NewCompanion(root, "/repo/main")
    made.create()
    (root / STORE_FILE).touch()
    made.discard()
    assert root.exists() == is_there
    assert not (root / STORE_FILE).exists()


def test_a_store_that_another_process_is_laying_stays(tmp_path: Path) -> None:
    root = tmp_path / "companion"
    made = _NewCompanion(root, "/repo/main")
    made.create()
    with closing(sqlite3.connect(root / STORE_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE journal (state INTEGER)")
        made.discard()
        other.execute("COMMIT")
    assert (root / STORE_FILE).stat().st_size
