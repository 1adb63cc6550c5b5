"""The way to the store: off the event loop, newest question wins, errors are told and not raised."""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import Config
from calibstore.errors import CabstandError, NotFoundError
from tui.link import StoreLink


class Loop:
    """Takes what threads deliver and runs it when told, as the event loop would."""

    def __init__(self, tmp_path: Path) -> None:
        self.arrived: queue.Queue[Callable[[], None]] = queue.Queue()
        self.errors: list[CabstandError] = []
        self.link = StoreLink(
            root=tmp_path,
            clock=lambda: 0,
            user="jane",
            host="here",
            config=Config(data_dir=tmp_path, state_dir=tmp_path),
            is_read_only=True,
            deliver=self.arrived.put,
            report=self.errors.append,
            narrate=lambda text: None,
        )

    def drain(self) -> None:
        self.link.idle().result(timeout=30)
        while not self.arrived.empty():
            self.arrived.get()()


@pytest.fixture
def loop(tmp_path: Path) -> Any:
    made = Loop(tmp_path)
    yield made
    made.link.close()


def test_an_answer_comes_from_another_thread_and_arrives_on_the_loop(loop: Loop) -> None:
    seen: list[object] = []

    loop.link.read(lambda context: (threading.get_ident(), context.user), seen.append, group="home")
    loop.drain()

    ((thread, user),) = seen  # type: ignore[misc]
    assert thread != threading.get_ident()
    assert user == "jane"


def test_a_newer_question_makes_the_older_answer_void(loop: Loop) -> None:
    gate, seen = threading.Event(), []

    loop.link.read(lambda _context: gate.wait(30) and "old", seen.append, group="timeline")
    loop.link.read(lambda _context: "never asked", seen.append, group="timeline")
    loop.link.read(lambda _context: "new", seen.append, group="timeline")
    loop.link.read(lambda _context: "other", seen.append, group="jobs")
    gate.set()
    loop.drain()

    assert seen == ["new", "other"]


def test_errors_are_told_with_their_remedy(loop: Loop, tmp_path: Path) -> None:
    def refuse(_context: object) -> None:
        raise NotFoundError("no such thing", hint="look again")

    own: list[CabstandError] = []
    loop.link.read(refuse, lambda _answer: None, group="a")
    loop.link.read(refuse, lambda _answer: None, group="b", failed=own.append)
    loop.link.read(lambda _context: 1 // 0, lambda _answer: None, group="c")
    loop.drain()

    assert [one.hint for one in own] == ["look again"]
    assert [one.code for one in loop.errors][1] == "E-INTERNAL"
    assert "ZeroDivisionError" in (tmp_path / "last-crash.txt").read_text(encoding="utf-8")


def test_a_missing_repository_is_told_not_raised(loop: Loop) -> None:
    from calibstore.services.looks.repository import repository_look

    loop.link.read(repository_look, lambda _answer: None, group="repository")
    loop.drain()

    assert "no repository at" in loop.errors[0].message
