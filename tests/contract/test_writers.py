"""Two who write at once: the second one waits, then sees what the first one did; who waits too long is told."""

import threading
from typing import Any

import pytest

from calibstore.errors import StoreError
from calibstore.model.collections import CollectionType
from calibstore.services.context import forget_engines


def test_the_second_writer_waits_and_sees_what_the_first_wrote(loose_repo: Any) -> None:
    context = loose_repo.context
    began, seen = threading.Event(), []

    def second() -> None:
        began.set()
        with context.unit_of_work(write=True) as uow:
            found = uow.collections.find("u/x/first")
            seen.append(found)
            uow.collections.register("u/x/second", CollectionType.RUN, state=uow.journal.last_state())
            uow.commit()

    with context.unit_of_work(write=True) as uow:
        thread = threading.Thread(target=second)
        thread.start()
        began.wait()
        uow.collections.register("u/x/first", CollectionType.RUN, state=uow.journal.last_state())
        thread.join(0.2)
        assert thread.is_alive()
        assert seen == []
        uow.commit()
    thread.join(30)
    assert seen[0] is not None
    with context.unit_of_work() as uow:
        assert uow.collections.find("u/x/second") is not None


def test_who_waits_too_long_is_told(loose_repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_engines()
    monkeypatch.setattr("calibstore.db.engine.BUSY_TIMEOUT_MS", 1)
    with loose_repo.context.unit_of_work(write=True):
        with pytest.raises(StoreError) as caught, loose_repo.context.unit_of_work(write=True):
            pass
        # A reader passes meanwhile.
        with loose_repo.context.unit_of_work() as uow:
            assert uow.repository.instruments() == ("LATISS",)
    assert caught.value.code == "E-LOCKED"
    assert caught.value.hint
    with loose_repo.context.unit_of_work(write=True) as uow:
        uow.commit()
    forget_engines()


def test_many_writers_number_their_states_without_a_gap(loose_repo: Any) -> None:
    problems: list[Exception] = []

    def write(number: int) -> None:
        try:
            for turn in range(4):
                name = f"u/x/{number}-{turn}"
                loose_repo.write(
                    lambda uow, state, name=name: uow.collections.register(name, CollectionType.RUN, state=state)
                )
        except Exception as problem:
            problems.append(problem)

    with loose_repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems == []
    with loose_repo.context.unit_of_work() as uow:
        assert uow.journal.last_state() == before + 16
        assert uow.journal.first_altered() is None
