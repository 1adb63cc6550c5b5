"""Playing a line with a fault at a write point, and judging what is left and what the next try makes of it."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from calibstore.errors import CabstandError
from calibstore.services.context import forget_engines
from tests.support.crash_scenarios import World
from tests.support.whole_stores import EMPTY, check_whole, complaints_of, contents_of
from tests.support.write_points import NEVER_FAIL, WritePoints, disk_full, in_a_child, killed, locked

EVERY_POINT = bool(os.environ.get("CABSTAND_CRASH_ALL"))
"""Fail and kill at every point; without it at some."""
_FEW = 4
"""A line that is failed at so few points is long, so it is killed at few, too."""
_SPREAD = 8
"""Points failed of a short line, spread over its work."""
DECLARED = ("unfinished", "without a row", "no row", "job")
"""What the doctor may say after a kill: of files that no row points at, of a job that died."""
struck: Counter[str] = Counter()
"""Faults put in so far, by fault and kind of write point."""


class Clean:
    """What the line does when nothing goes wrong."""

    def __init__(self, world: World) -> None:
        world.reset()
        self.before = contents_of(world.place)
        self.complaints = complaints_of(world.context) if is_readable(world) else set()
        points = WritePoints()
        with points.watched():
            world.do()
        self.kinds = tuple(points.kinds)
        self.after = contents_of(world.place)
        assert "commit" in self.kinds
        assert self.after != self.before
        check_whole(world.context)
        self.complaints |= complaints_of(world.context)

    @property
    def stores(self) -> set[str]:
        """Names of the stores that the line changes."""
        names = {name for name in self.after if name.endswith(".sqlite3") and "backups/" not in name}
        return {name for name in names if self.after[name] != self.before.get(name, EMPTY)}


def fail_everywhere(world: World, clean: Clean) -> None:
    """Fail the line at its write points, with a full disk and a locked store; at the end let it through."""
    world.reset()
    for fault in (disk_full, locked):
        for at in _chosen(fault, clean.kinds, world.scenario.n_failed):
            where = f"{fault.__name__} at write point {at} of {len(clean.kinds)} ({clean.kinds[at - 1]})"
            problem = _failed(world, at, fault, where)
            struck[f"{fault.__name__} {clean.kinds[at - 1]}"] += 1
            if contents_of(world.place) == clean.before:
                assert problem is not None, where
                continue
            _check_pieces(world, clean, at, where)
            world.reset()
    world.do()
    if world.scenario.is_exact:
        assert contents_of(world.place) == clean.after


def kill_here_and_there(world: World, clean: Clean) -> None:
    """Kill the line at some of its write points, those around the last commit among them."""
    for at in _sample(clean.kinds, world.scenario.n_failed):
        world.reset()
        where = f"killed at write point {at} of {len(clean.kinds)} ({clean.kinds[at - 1]})"
        assert os.WIFSIGNALED(in_a_child(lambda at=at: _kill(world, at))), where  # type: ignore[misc]
        struck[f"killed {clean.kinds[at - 1]}"] += 1
        _check_pieces(world, clean, at, where)


def is_readable(world: World) -> bool:
    """Tell whether there is a store of today: not before `init`, nor before `migrate`."""
    try:
        with world.context.unit_of_work():
            return True
    except CabstandError as problem:
        if problem.code not in ("E-SCHEMA", "E-NOTFOUND", "E-STORE"):
            raise
        return False
    finally:
        forget_engines()


def _kill(world: World, at: int) -> None:
    with WritePoints(at=at, act=killed).watched():
        world.do()


def _failed(world: World, at: int, fault: Callable[[str, Any], None], where: str) -> CabstandError | None:
    points, problem = WritePoints(at=at, act=fault), None
    try:
        with points.watched():
            world.do()
    except CabstandError as told:
        problem = told
    assert len(points.kinds) >= at, f"{where}: not reached"
    if problem is not None:
        assert "\n" not in problem.message, where
        assert problem.hint, where
    return problem


def _check_pieces(world: World, clean: Clean, at: int, where: str) -> None:
    """Check what a crash left, and that the next try brings it to the end it should have had."""
    scenario, found = world.scenario, contents_of(world.place)
    is_done = "commit" in clean.kinds[: at - 1]
    if scenario.is_whole:
        expected = clean.after if is_done else clean.before
        for name in clean.stores:
            is_same = found.get(name, EMPTY) == expected.get(name, EMPTY)
            is_changed = found.get(name, EMPTY) != clean.before.get(name, EMPTY)
            assert is_same or (is_done and is_changed and not scenario.is_exact), (where, name)
    if is_readable(world):
        check_whole(world.context)
        new = complaints_of(world.context) - clean.complaints
        assert not [one for one in new if not any(known in one for known in DECLARED)], (where, new)
    refusal = None
    try:
        world.do(scenario.again)
    except CabstandError as told:
        refusal = told
    if refusal is not None:
        # What is done is not done twice.
        assert is_done or refusal.code in scenario.leaves, (where, refusal.message)
        assert refusal.exit_code in (3, 4, 5), (where, refusal.message)
    check_whole(world.context)


def _chosen(fault: Callable[[str, Any], None], kinds: tuple[str, ...], n_most: int) -> list[int]:
    """Return the points where a fault can strike: all of them, or so many spread over the work."""
    places = list(enumerate(kinds, start=1))
    if fault is locked:
        first = kinds.index("statement") + 1
        found = [at for at, kind in places if kind in ("begin", "commit") or at == first]
    else:
        found = [at for at, kind in places if kind not in NEVER_FAIL]
    spread = n_most or _SPREAD
    if EVERY_POINT or len(found) <= spread:
        return found
    chosen = {found[(place + 1) * (len(found) - 1) // spread] for place in range(spread)}
    # Of a short line one of every kind besides.
    kinds_met = {} if n_most else {kinds[at - 1]: at for at in reversed(found)}
    return sorted({*chosen, *kinds_met.values()})


def _sample(kinds: tuple[str, ...], n_failed: int) -> list[int]:
    """Return the middle, the last, and the points around the last commit; of a long line two of these."""
    if EVERY_POINT:
        return list(range(1, len(kinds) + 1))
    commit = max(at for at, kind in enumerate(kinds, start=1) if kind == "commit")
    if 0 < n_failed <= _FEW:
        return [len(kinds) // 2, commit + 1][:n_failed]
    return sorted({len(kinds) // 2, commit, commit + 1, len(kinds)})
