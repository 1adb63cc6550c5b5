"""Two processes change chains at the same time: no cycle, and nobody's change is lost unseen."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError
from calibstore.model.collections import CollectionType
from calibstore.services.doors import execute

ROUNDS = 6


def _write(root: Path, commands: list[CollectionChain], barrier: Any, told: Any) -> None:
    from tests.conftest import context_of

    context = context_of(root, "2025-06-01T00:00:00")
    for command in commands:
        barrier.wait()
        try:
            execute(command, context)
            told.put((command.parent, ""))
        except CabstandError as problem:
            told.put((command.parent, problem.code))
        barrier.wait()


def race(root: Path, *lines: list[CollectionChain]) -> list[tuple[str, str]]:
    """Let processes carry out their lines side by side; return (parent, code of the refusal) of each."""
    spawn = multiprocessing.get_context("spawn")
    barrier, told = spawn.Barrier(len(lines)), spawn.Queue()
    writers = [spawn.Process(target=_write, args=(root, commands, barrier, told)) for commands in lines]
    for one in writers:
        one.start()
    answers = [told.get(timeout=120) for _ in range(sum(len(commands) for commands in lines))]
    for one in writers:
        one.join(timeout=60)
        assert one.exitcode == 0
    return answers


@pytest.fixture
def repo(strict_repo: Any) -> Any:
    def make(uow: Any, state: int) -> None:
        for number in range(ROUNDS):
            uow.collections.register(f"one/{number}", CollectionType.CHAINED, state=state)
            uow.collections.register(f"two/{number}", CollectionType.CHAINED, state=state)
            uow.collections.register(f"leaf/{number}", CollectionType.CALIBRATION, state=state)
            uow.collections.register(f"leaf/{number + ROUNDS}", CollectionType.CALIBRATION, state=state)
        uow.collections.register("both", CollectionType.CHAINED, state=state)

    strict_repo.write(make)
    return strict_repo


def _put(parent: str, child: str, **more: Any) -> CollectionChain:
    return CollectionChain(parent=parent, children=(child,), mode="prepend", **more)


def test_two_writers_cannot_close_a_cycle(repo: Any) -> None:
    one = [_put(f"one/{number}", f"two/{number}") for number in range(ROUNDS)]
    two = [_put(f"two/{number}", f"one/{number}") for number in range(ROUNDS)]
    answers = race(repo.root, one, two)
    assert sorted(code for _parent, code in answers) == [""] * ROUNDS + ["E-CYCLE"] * ROUNDS
    with repo.context.unit_of_work() as uow:
        tree = uow.associations.tree()
        assert uow.journal.first_altered() is None
    for number in range(ROUNDS):
        assert [tree.children[f"one/{number}"], tree.children[f"two/{number}"]].count(()) == 1


def test_of_two_changes_made_for_one_state_the_second_is_told(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        base = uow.journal.last_state()
    answers = race(repo.root, [_put("both", "leaf/0", base_state=base)], [_put("both", "leaf/1", base_state=base)])
    assert sorted(code for _parent, code in answers) == ["", "E-CHANGED"]
    with repo.context.unit_of_work() as uow:
        assert len(uow.collections.children(uow.collections.get("both"))) == 1


def test_prepends_without_a_state_are_all_kept(repo: Any) -> None:
    one = [_put("both", f"leaf/{number}") for number in range(ROUNDS)]
    two = [_put("both", f"leaf/{number + ROUNDS}") for number in range(ROUNDS)]
    assert {code for _parent, code in race(repo.root, one, two)} == {""}
    with repo.context.unit_of_work() as uow:
        names = [child.name for child in uow.collections.children(uow.collections.get("both"))]
    assert sorted(names) == sorted(f"leaf/{number}" for number in range(2 * ROUNDS))
