"""One process that hammers on a store, or reads it all the while: ``python -m tests.support.hammer ROLE ROOT SEED S``.

Prints what it did as JSON. What is not a refusal with a code ends it with a traceback.
"""

import contextlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from calibstore.commands import Command
from calibstore.commands.collections import Associate, Disassociate, RegisterCollection
from calibstore.commands.ranges import Recertify
from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.states import Redo, Restore, Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.config import Config
from calibstore.db import engine
from calibstore.errors import CabstandError
from calibstore.model.times import ns_to_iso, parse_time
from calibstore.services.context import Context
from calibstore.services.doors import execute

RUNS = ("u/ada/r0", "u/ada/r1", "u/ada/r2")
CHAINS = ("u/ada/c0", "u/ada/c1", "u/ada/c2")
INTOS = ("u/ada/k0", "u/ada/k1", "LATISS/calib/DM-1/t/bias.20250101a")
TAG = "u/ada/t0"
SHORT_WAIT_MS = 60
"""How long these writers wait for the lock, so that they are refused it now and then."""
NO_WAIT_MS = 1
"""How long the reader does: who is blocked at all is told E-LOCKED."""
AT_LEAST = 40
"""States a writer makes and views the reader sees, however slow the machine is."""


def command(pick: random.Random) -> Command:
    begin = pick.randrange(20)
    dates = {"begin_date": _day(begin), "end_date": _day(begin + pick.randrange(1, 5))}
    chain, into, run = pick.choice(CHAINS), pick.choice(INTOS), pick.choice(RUNS)
    ranges: dict[str, Any] = {"collection": into, "dataset_type": "bias"}
    makers: list[tuple[int, Callable[[], Command]]] = [
        (6, lambda: CertifyCalibrations(run=run, **ranges, **dates)),
        (3, lambda: Decertify(**ranges, **dates)),
        (1, lambda: Recertify(**ranges, of_begin=_day(begin), end_date=dates["end_date"])),
        (6, lambda: _listed(chain, pick, pick.choice(["prepend", "prepend", "extend", "redefine"]))),
        (3, lambda: _listed(chain, pick, "remove")),
        (2, lambda: CollectionChain(parent=chain, mode="pop")),
        (4, Undo),
        (2, Redo),
        (1, lambda: Restore(chain=chain, to_state=pick.randrange(10, 60))),
        (1, lambda: Associate(collection=TAG, collections=(run,), dataset_type=("bias",), create=True)),
        (1, lambda: Disassociate(collection=TAG, dataset_type=("bias",))),
        (1, lambda: RegisterCollection(name=run, type="run")),
        (1, lambda: RemoveCollections(glob=pick.choice([chain, into, TAG]), remove_from_parents=True)),
        (1, lambda: RemoveRuns(glob=run, force=pick.random() < 0.5)),
    ]
    return pick.choices([make for _, make in makers], [weight for weight, _ in makers])[0]()


def _day(number: int) -> str:
    return ns_to_iso((20_000 + number) * 86_400_000_000_000)


def _listed(chain: str, pick: random.Random, mode: str) -> CollectionChain:
    names = pick.sample((*RUNS, *INTOS, *CHAINS, TAG), pick.choice([1, 1, 2]))
    return CollectionChain(parent=chain, children=tuple(names), mode=mode, create=mode != "remove")


def context_of(root: Path, user: str, **told: Any) -> Context:
    now = parse_time("2025-06-01").tai_ns
    config = Config(data_dir=root.parent / "data", state_dir=root.parent / "state")
    return Context(root=root, clock=lambda: now, user=user, host="here", config=config, **told)


def write(root: Path, seed: int, seconds: float) -> dict[str, Any]:
    """Change the store at random until time is up."""
    engine.BUSY_TIMEOUT_MS = SHORT_WAIT_MS  # type: ignore[misc]
    pick, done, refused = random.Random(seed), Counter[str](), Counter[str]()
    for made in (command(random.Random(warm)) for warm in range(30)):
        with contextlib.suppress(CabstandError):
            execute(made, context_of(root, "warm"), dry_run=True)
    _wait_for_the_others()
    until = time.monotonic() + seconds
    while time.monotonic() < until or done.total() < AT_LEAST:
        made = command(pick)
        confirmed = made.glob if isinstance(made, RemoveRuns) and made.force else ""
        try:
            effect = execute(made, context_of(root, f"user{seed}", reason="hammering", confirmed=confirmed))
            done[made.verb if effect.state is not None else "nothing to do"] += 1
        except CabstandError as problem:
            refused[problem.code] += 1
        time.sleep(pick.random() * 0.004)
    return {"done": done, "refused": refused}


def read(root: Path, seed: int, seconds: float) -> dict[str, Any]:
    """Read one view of the store twice, and once as of its state, until time is up: all three are the same."""
    engine.BUSY_TIMEOUT_MS = NO_WAIT_MS  # type: ignore[misc]
    context = context_of(root, f"reader{seed}")
    states, problems, longest_s = set(), Counter[str](), 0.0
    n = 0
    with context.unit_of_work() as uow:
        _view(uow, None)
    _wait_for_the_others()
    until = time.monotonic() + seconds
    while time.monotonic() < until or n < AT_LEAST:
        began = time.monotonic()
        try:
            with context.unit_of_work() as uow:
                state = uow.journal.last_state()
                first = _view(uow, None)
                longest_s = max(longest_s, time.monotonic() - began)
                time.sleep(0.02)
                if (uow.journal.last_state(), _view(uow, None)) != (state, first):
                    problems["the view moved"] += 1
                if _view(uow, state) != first:
                    problems["not the view of its state"] += 1
        except CabstandError as problem:
            problems[problem.code] += 1
        states.add(state)
        n += 1
    return {"reads": n, "states": len(states), "problems": problems, "longest_s": round(longest_s, 3)}


def _wait_for_the_others() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _view(uow: Any, at_state: int | None) -> Any:
    tree = uow.associations.tree(at_state=at_state)
    held = uow.associations.rows(sorted(tree.types), tree, dataset_types=["bias"], at_state=at_state)
    rows = {name: sorted((one.data_key, one.dataset_id, str(one.timespan)) for one in held[name]) for name in held}
    return dict(tree.types), dict(tree.children), {name: some for name, some in rows.items() if some}


if __name__ == "__main__":
    _, role, where, number, length = sys.argv
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps({"write": write, "read": read}[role](Path(where), int(number), float(length))))
