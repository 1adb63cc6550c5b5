"""A repository is made whole or not at all."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.repository import Init
from calibstore.config import STORE_FILE
from calibstore.errors import CabstandError, ConflictError, StoreError
from calibstore.services.context import forget_engines
from calibstore.services.looks.repository import repository_look
from tests.conftest import Repo, context_of


@pytest.fixture
def place(tmp_path: Path) -> Any:
    """A folder that is not there yet."""
    yield Repo(context_of(tmp_path / "new", "2025-06-01T00:00:00"), "LATISS")
    forget_engines()


def init(place: Repo, **more: Any) -> Any:
    return place.do(Init(path=str(place.root), camera=("LATISS:mini",), kind="test"), **more)


def test_a_dry_run_makes_no_folder(place: Repo) -> None:
    assert init(place, dry_run=True).of_state == 0
    assert not place.root.exists()


def test_a_store_whose_creation_was_interrupted_is_made_again(place: Repo) -> None:
    place.root.mkdir()
    connection = sqlite3.connect(place.root / STORE_FILE)
    connection.execute("pragma journal_mode = wal")
    connection.close()
    assert init(place).state == 1
    assert repository_look(place.context).state == 1


@pytest.mark.parametrize("content", [b"", b"somebody's own" * 500])
def test_a_file_of_somebody_else_stays(place: Repo, content: bytes) -> None:
    place.root.mkdir()
    (place.root / STORE_FILE).write_bytes(content)
    if not content:
        init(place)
        return
    with pytest.raises(ConflictError) as caught:
        init(place)
    assert caught.value.code == "E-EXISTS"
    assert (place.root / STORE_FILE).read_bytes() == content


def test_a_failure_leaves_neither_file_nor_folder(place: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("calibstore.services.destinations.seed_destinations", fail)
    with pytest.raises(StoreError):
        init(place)
    assert not place.root.exists()
    place.root.mkdir()
    with pytest.raises(StoreError):
        init(place)
    assert list(place.root.iterdir()) == []


def test_of_two_at_once_one_makes_it(place: Repo) -> None:
    told: list[object] = []

    def make() -> None:
        try:
            told.append(init(place).state)
        except CabstandError as problem:
            told.append(problem.code)

    threads = [threading.Thread(target=make) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(map(str, told)) == ["1", "E-EXISTS"]
    assert repository_look(place.context).state == 1
    with place.context.unit_of_work() as uow:
        assert uow.journal.last_state() == 1
