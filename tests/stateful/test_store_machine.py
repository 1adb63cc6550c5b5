"""The store through its doors against a model of plain dictionaries: the same answers and refusals, step after step.

A driver of its own instead of hypothesis: worlds of a few hundred steps, the same ones for the same seed.
"""

import fnmatch
import functools
import itertools
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from calibstore.commands import Command
from calibstore.commands.collections import Associate, Disassociate, RegisterCollection, RegisterDatasetType
from calibstore.commands.ranges import Recertify
from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.repository import ShowJournal
from calibstore.commands.states import Redo, Restore, Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services import context as surroundings
from calibstore.services.fingerprinting import fingerprint_of
from calibstore.services.lookup import find_first
from calibstore.services.segments import Placed, load_view
from tests.support.store_model import CALIBRATION, CHAINED, FIRST, LAST, RUN, TAGGED, Cells, Model, RefusedError

WANTED = int(os.environ.get("CABSTAND_MACHINE_STEPS", "20000"))
"""Steps of all seeds together."""
SEEDS = range(8)
WORLD = 160
"""Steps in one repository."""
DAY = 86_400_000_000_000
CAMERA = "LSSTComCam"
TICKET = f"{CAMERA}/calib/DM-1"
PATTERNED = f"{TICKET}/t/bias.20250101a"
RUNS = ("u/ada/r0", "u/ada/r1", "u/ada/r2")
CHAINS = ("u/ada/c0", "u/ada/c1", "u/ada/c2", "u/ada/c3", TICKET)
TAGS = ("u/ada/t0", "u/ada/t1")
INTOS = ("u/ada/k0", "u/ada/k1", PATTERNED)
ANY = ("u/ada/x0", "u/ada/x1")
WRONG = ("u/ada/nothing", "u/ada//x", "two words", "u/ada/é", "")
NAMES = (*RUNS, *CHAINS, *TAGS, *INTOS, *ANY)
TYPES = {RUN: RUNS, CHAINED: CHAINS, TAGGED: TAGS, CALIBRATION: INTOS}
KINDS = ("bias", "dark")
UNITS = {"bias": "electron", "dark": "electron/s"}
PRINTS: dict[object, tuple[str, str]] = {}
"""What was seen below a collection -> its fingerprints, in any world of this process."""


def instant(day: int) -> int:
    return {FIRST: MIN_TAI_NS, LAST: MAX_TAI_NS}.get(day, (20_000 + day) * DAY)


def word(day: int | None) -> str:
    """Return a day as an option; empty when it is left out."""
    return "" if day is None else "unbounded" if day in (FIRST, LAST) else ns_to_iso(instant(day))


class Machine:
    """One repository and its model, driven at random."""

    def __init__(self, repo: Any, random_: random.Random) -> None:
        self.repo, self.random = repo, random_
        self.n_done = self.n_refused = self.n_same = 0
        births: dict[str, dict[tuple[str, int], str]] = {name: {} for name in RUNS}
        for kind in KINDS:
            repo.do(
                RegisterDatasetType(
                    name=kind, storage_class="ExposureF", dimensions=("instrument", "detector"), is_calibration=True
                )
            )
        for run, kind in itertools.product(RUNS, KINDS):
            keys = (0, 1) if kind == "bias" else (0,)
            if (run, kind) != ("u/ada/r2", "dark"):
                for key, one in zip(keys, repo.add_run(run, keys, dataset_type=kind, unit=UNITS[kind]), strict=True):
                    births[run][kind, key] = one.id
        cells, state = self.stored(None)
        self.model = Model(cells, births, state)

    # --- one step ------------------------------------------------------------------------------------------------

    def step(self) -> None:
        maker = self.random.choice(
            [self.chain] * 6 + [self.certify] * 4 + [self.associate] * 2 + [self.undo] * 4 + [self.redo] * 2
            + [self.register, self.disassociate, self.recertify, self.recertify, self.decertify, self.decertify]
            + [self.remove, self.restore]
        )  # fmt: skip
        command, says, told = maker()
        before = self.model.state
        expected: Cells | None
        about = 0
        code = ""
        try:
            answer = says()
            expected, about = answer if isinstance(answer, tuple) else (answer, 0)
        except RefusedError as refused:
            expected, code = None, str(refused)
        dry_code = self.refusal(command, told, dry_run=True) if self.random.random() < 0.2 else None
        found = self.refusal(command, told)
        assert found == code, f"{command}: the model says {code or 'yes'}, the store {found or 'yes'}"
        if dry_code is not None and code not in ("E-REASON", "E-CONFIRM"):
            assert dry_code == code, f"{command}: as a dry run {dry_code or 'yes'}, then {code or 'yes'}"
        if expected is not None:
            self.model.commit(command.verb, expected, about)
        state = self.state()
        assert state == self.model.state == before + (expected is not None), f"{command}: state {state}"
        if expected is not None:
            stored, _ = self.stored(None)
            assert stored == self.model.now, f"{command}: {differences(stored, self.model.now)}"
        self.n_done += expected is not None
        self.n_refused += bool(code)
        self.n_same += expected is None and not code

    def refusal(self, command: Command, told: dict[str, str], *, dry_run: bool = False) -> str:
        """Carry a command out; return the code of its refusal."""
        refused = None
        try:
            self.repo.do(command, dry_run=dry_run, **told)
        except CabstandError as problem:
            refused = problem
        if refused is None:
            return ""
        assert refused.hint, f"{command}: {refused.code} tells no way out"
        return refused.code

    def state(self) -> int:
        with self.repo.context.unit_of_work() as uow:
            return int(uow.journal.last_state())

    def stored(self, at_state: int | None) -> tuple[Cells, int]:
        """Return what the store holds, as the model writes it."""
        with self.repo.context.unit_of_work() as uow:
            tree = uow.associations.tree(at_state=at_state)
            rows = uow.associations.rows(list(tree.types), tree, dataset_types=KINDS, at_state=at_state)
            state = uow.journal.last_state()
        cells: Cells = {("c", name): str(type_) for name, type_ in tree.types.items()}
        cells |= {("l", name): members for name, members in tree.children.items() if members}
        for name, held in rows.items():
            for row in held:
                key = int(DataId.parse(row.data_key)["detector"])
                if tree.types[name] is CollectionType.TAGGED:
                    assert ("t", name, row.dataset_type, key) not in cells
                    cells["t", name, row.dataset_type, key] = row.dataset_id
                elif row.timespan is not None:
                    cell = ("k", name, row.dataset_type, key)
                    span = (day_of(row.timespan.begin_tai_ns), day_of(row.timespan.end_tai_ns))
                    assert not any(one[1] < span[1] and span[0] < one[2] for one in cells.get(cell, ())), "overlap"
                    cells[cell] = cells.get(cell, frozenset()) | {(row.dataset_id, *span)}
        return cells, state

    # --- commands ------------------------------------------------------------------------------------------------

    def name(self, type_: str) -> str:
        """Return a name, mostly of a type; now and then any, or one that is none."""
        dice = self.random.random()
        if dice < 0.02:
            return self.random.choice(WRONG[:-1])
        there = [name for name in TYPES[type_] if ("c", name) in self.model.now]
        return self.random.choice(NAMES if dice < 0.06 else there if there and dice < 0.8 else TYPES[type_])

    def keys(self) -> tuple[int, ...]:
        return self.random.choice([()] * 6 + [(0,)] * 4 + [(1,), (0, 1), (2,)])

    def kind(self) -> str:
        return self.random.choice([*KINDS, *KINDS, "bias", "bias", "flaat"] if self.random.random() < 0.2 else KINDS)

    def days(self) -> tuple[int, int]:
        begin = FIRST if self.random.random() < 0.08 else self.random.randrange(12)
        end = LAST if self.random.random() < 0.15 else max(begin, 0) + self.random.choice([1, 1, 2, 3, 0, -1])
        return begin, max(end, 0)

    def register(self) -> Any:
        type_ = self.random.choice(list(TYPES))
        name = self.random.choice([self.name(type_), self.random.choice(ANY)])
        return RegisterCollection(name=name, type=type_.lower()), lambda: self.model.register(name, type_), {}

    def chain(self) -> Any:
        pick = self.random
        parent = self.name(CHAINED)
        mode = pick.choice(
            ["prepend", "prepend", "extend", "remove", "pop", "redefine", "" if pick.random() < 0.1 else "extend"]
        )
        members = self.model.now.get(("l", parent), ())
        if mode == "pop":
            children = tuple(str(pick.randrange(-4, 4)) for _ in range(pick.randrange(3)))
        elif mode == "remove" and members and pick.random() < 0.8:
            children = tuple(pick.sample(members, pick.randrange(1, len(members) + 1)))
        else:
            pool = [*RUNS, *INTOS, *TAGS, *CHAINS, *ANY]
            if pick.random() < 0.85:
                pool = [name for name in pool if ("c", name) in self.model.now and name > parent] or pool
            children = tuple(pick.choice(pool) for _ in range(pick.choice([1, 1, 2, 3])))
            if pick.random() < 0.03:
                children = pick.choice([(), (pick.choice(WRONG[:1]),)])
        drop = (pick.choice(members if members and pick.random() < 0.9 else NAMES),) if pick.random() < 0.15 else ()
        flatten = pick.random() < 0.1
        create = pick.random() < 0.6
        base = pick.randrange(self.model.state - 3, self.model.state + 2) if pick.random() < 0.2 else None
        command = CollectionChain(
            parent=parent, children=children, mode=mode, drop=drop, flatten=flatten, create=create, base_state=base
        )
        return (
            command,
            lambda: self.model.chain(parent, children, mode, drop=drop, flatten=flatten, create=create, base=base),
            {},
        )

    def sources(self) -> tuple[str, ...]:
        return tuple(self.name(self.random.choice(list(TYPES))) for _ in range(self.random.choice([1, 1, 2])))

    def associate(self) -> Any:
        into, sources, kind, create = self.name(TAGGED), self.sources(), self.kind(), self.random.random() < 0.8
        command = Associate(collection=into, collections=sources, dataset_type=(kind,), create=create)
        return command, lambda: self.model.associate(into, sources, kind, create), {}

    def disassociate(self) -> Any:
        tagged, kind = self.name(TAGGED), self.kind()
        sources = self.sources() if self.random.random() < 0.4 else ()
        command = Disassociate(collection=tagged, collections=sources, dataset_type=(kind,))
        return command, lambda: self.model.disassociate(tagged, sources, kind), {}

    def certify(self) -> Any:
        run, into, kind, keys = self.name(RUN), self.name(CALIBRATION), self.kind(), self.keys()
        begin, end = self.days()
        unbounded = (begin == FIRST) != (self.random.random() < 0.1)
        # A name that tells its ticket puts the collection into the ticket's chain.
        chain = TICKET if into == PATTERNED else ""
        command = CertifyCalibrations(
            run=run, collection=into, dataset_type=kind, detector=keys, unbounded_begin=unbounded,
            begin_date="" if begin == FIRST else word(begin), end_date="" if end == LAST else word(end),
        )  # fmt: skip
        return (
            command,
            lambda: self.model.certify(
                run, into, kind, begin=begin, end=end, keys=keys, unbounded=unbounded, chain=chain
            ),
            {},
        )

    def decertify(self) -> Any:
        into, kind, keys, (begin, end) = self.name(CALIBRATION), self.kind(), self.keys(), self.days()
        command = Decertify(
            collection=into, dataset_type=kind, detector=keys, begin_date="" if begin == FIRST else word(begin),
            end_date="" if end == LAST else word(end),
        )  # fmt: skip
        return command, lambda: self.model.decertify(into, kind, begin, end, keys), {}

    def recertify(self) -> Any:
        into, kind, keys, days = self.name(CALIBRATION), self.kind(), self.keys(), self.days()
        begin, end = (day if self.random.random() < 0.7 else None for day in days)
        rows = [row for cell, value in self.model.now.items() if cell[:3] == ("k", into, kind) for row in value]
        of_begin = None
        if self.random.random() < 0.5:
            of_begin = self.random.choice(sorted(rows))[1] if rows else 3
        command = Recertify(
            collection=into, dataset_type=kind, detector=keys, begin_date=word(begin), end_date=word(end),
            of_begin=word(of_begin),
        )  # fmt: skip
        return command, lambda: self.model.recertify(into, kind, begin=begin, end=end, keys=keys, of_begin=of_begin), {}

    def remove(self) -> Any:
        of_runs, force = self.random.random() < 0.35, self.random.random() < 0.6
        type_ = RUN if of_runs else self.random.choice([CHAINED, TAGGED, CALIBRATION])
        glob = self.random.choice([self.name(type_)] * 4 + [f"u/ada/{self.random.choice('rckt')}[01]"])
        if not of_runs:
            command: Command = RemoveCollections(glob=glob, remove_from_parents=force)
            return command, lambda: self.model.remove(glob, False, force), {}
        how = self.random.choice(["", "", "", "", "E-REASON", "E-CONFIRM"]) if force else ""

        def says() -> Cells:
            cells = self.model.remove(glob, True, force)
            if how:
                raise RefusedError(how)
            return cells

        matching = [cell[1] for cell, type_ in self.model.now.items() if cell[0] == "c" and type_ == RUN]
        alone = [name for name in matching if fnmatch.fnmatchcase(name, glob)]
        name = alone[0] if len(alone) == 1 else glob
        told = {"reason": "" if how == "E-REASON" else "because", "confirmed": name if not how and force else ""}
        return RemoveRuns(glob=glob, force=force), says, told

    def undo(self) -> Any:
        state = None
        if self.random.random() < 0.55:
            state = max(self.model.state + 1 - int(self.random.expovariate(0.2)), 0)
        return Undo(state=state), lambda: self.model.undo(state), {}

    def redo(self) -> Any:
        return Redo(), self.model.redo, {}

    def restore(self) -> Any:
        chain, state = self.name(CHAINED), self.random.randrange(self.model.state + 3)
        return Restore(chain=chain, to_state=state), lambda: self.model.restore(chain, state), {}

    # --- laws -----------------------------------------------------------------------------------------------------

    def check_look_ups(self) -> None:
        """Compare every look-up through one collection: at each edge, across edges, without time; both ways."""
        now = self.model.now
        names = sorted(cell[1] for cell in now if cell[0] == "c")
        top = self.random.choice([name for name in names if now["c", name] == CHAINED] or names)
        edges = sorted({day for cell, rows in now.items() if cell[0] == "k" for row in rows for day in row[1:]})
        edges = [day for day in edges if day not in (FIRST, LAST)]
        spans: list[tuple[int, int] | None] = [None, (FIRST, LAST)]
        instants = [(instant(day) - 1, instant(day)) for day in edges] + [
            (instant(day), instant(day) + 1) for day in edges
        ]
        across = [(instant(day) - 1, instant(day) + 1) for day in edges]
        with self.repo.context.unit_of_work() as uow:
            view = load_view(uow, names)
            segments = view.segments([top])
            assert [member.name for member in segments.members] == self.model.leaves([top])
            for kind, key in itertools.product(KINDS, (0, 1)):
                data_key = str(DataId.of(instrument=CAMERA, detector=key))
                for timespan, span in [
                    *((None if span is None else Timespan(MIN_TAI_NS, MAX_TAI_NS), span) for span in spans),
                    *((Timespan(*both), as_days(both)) for both in [*instants, *across]),
                ]:
                    found = self.model.find_first(top, kind, key, span)
                    expected = found if len(found) < 2 else ["E-AMBIGUOUS"]
                    ways = [functools.partial(segments.find_first, kind, data_key, timespan)]
                    if self.random.random() < 0.2:
                        asked = {"dataset_type": kind, "instrument": CAMERA, "detector": key, "timespan": timespan}
                        ways.append(functools.partial(find_first, uow, collections=[top], **asked))
                    for way in ways:
                        assert answer_of(way) == expected, f"{kind} {key} {span} through {top}"
            self.check_prints(view, top)

    def check_prints(self, view: Any, top: str) -> None:
        found = fingerprint_of(view, top)
        inside = sorted(
            (cell, sorted(value) if cell[0] == "k" else value)
            for name in self.below(top)
            for cell, value in self.model.now.items()
            if cell[1] == name and cell[0] != "c"
        )
        types = sorted((name, self.model.now["c", name]) for name in self.below(top))
        born = sorted((name, sorted(self.model.births.get(name, {}).items())) for name in self.below(top))
        content = repr((top, inside, types, born))
        both = (found.structural, found.effective)
        assert PRINTS.setdefault(content, both) == both

    def below(self, top: str) -> set[str]:
        return {top}.union(*(self.below(name) for name in self.model.now.get(("l", top), ())))

    def check_past(self) -> None:
        """Compare the whole repository at an earlier state."""
        at = self.random.randrange(1, self.model.state + 1)
        if self.model.verbs[at][0] == "setup":
            return
        stored, _ = self.stored(at)
        assert stored == self.model.history[at], f"at state {at}: {differences(stored, self.model.history[at])}"

    def check_all(self, *, is_replayed: bool) -> None:
        """Compare every seal, and the fingerprints of a replay."""
        self.repo.ask(ShowJournal(verify=True))
        if is_replayed:
            again = self.repo.root.parent / "again"
            answer = self.repo.ask(ShowJournal(replay=str(again)))
            assert answer.data["states"] == self.model.state
            assert answer.warnings == ()
            shutil.rmtree(again)
        with self.repo.context.unit_of_work() as uow:
            assert uow.journal.first_altered() is None


def answer_of(look_up: Callable[[], Any]) -> list[str]:
    """Return the dataset that a look-up finds, nothing, or that it cannot choose."""
    try:
        won = look_up()
    except CabstandError as refused:
        return [refused.code]
    return [] if won is None else [won.row.dataset_id if isinstance(won, Placed) else won.dataset_id]


def day_of(tai_ns: int) -> int:
    return {MIN_TAI_NS: FIRST, MAX_TAI_NS: LAST}.get(tai_ns, tai_ns // DAY - 20_000)


def as_days(both: tuple[int, int]) -> Any:
    """Return a span in days; fractions are exact enough, as edges are whole days and spans two instants wide."""
    return tuple((one - 20_000 * DAY) / DAY for one in both)


def differences(found: Cells, expected: Cells) -> str:
    cells = [cell for cell in found.keys() | expected.keys() if found.get(cell) != expected.get(cell)]
    return "; ".join(f"{cell} is {found.get(cell)}, the model says {expected.get(cell)}" for cell in cells[:4])


def quicken(repo: Any) -> None:
    """Let SQLite not wait for the disk: this machine tests rows, not power cuts."""
    if isinstance(repo.context.store, Path):
        engine = surroundings._engine(repo.context.store, False)
        engine.dispose()
        sa.event.listen(engine, "connect", lambda one, _: one.execute("PRAGMA synchronous = OFF").close())


def drive(make: Callable[[str], Any], seed: int, wanted: int) -> Machine:
    """Take steps in one world after the other; return the last machine with the counts of all."""
    began, done, refused, same, steps = time.monotonic(), 0, 0, 0, 0
    for number in itertools.count():
        repo = make(f"world{number}")
        quicken(repo)
        pick = random.Random(f"{seed} {number}")
        machine = Machine(repo, pick)
        for turn in range(min(WORLD, wanted - steps)):
            try:
                machine.step()
                if turn % 8 == 7:
                    machine.check_look_ups()
                    machine.check_past()
            except AssertionError as problem:
                raise AssertionError(f"seed {seed}, world {number}, step {turn}: {problem}") from problem
            steps += 1
        machine.check_all(is_replayed=number == 0)
        done, refused, same = done + machine.n_done, refused + machine.n_refused, same + machine.n_same
        surroundings.forget_engines()
        shutil.rmtree(repo.root)
        if steps >= wanted:
            break
    print(
        f"\nseed {seed}: {steps:,} steps ({done:,} states, {refused:,} refusals, {same:,} nothing to do) in "
        f"{number + 1} worlds, {time.monotonic() - began:.0f} s"
    )
    machine.n_done, machine.n_refused, machine.n_same = done, refused, same
    return machine


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_store_and_model_agree(seed: int, make_repo: Callable[..., Any]) -> None:
    wanted = -(-WANTED // len(SEEDS))
    made = drive(lambda name: make_repo(camera=f"{CAMERA}:mini", kind="test", name=name), seed, wanted)
    assert made.n_done + made.n_refused + made.n_same >= wanted
    assert len(SEEDS) * wanted >= WANTED
    # Neither side of the gate may be all there is.
    assert made.n_done > wanted // 5
    assert made.n_refused > wanted // 5


class TestPostgresql:
    """The same, with fewer steps."""

    @pytest.fixture
    def database_kind(self) -> str:
        return "postgresql"

    @pytest.mark.pg
    @pytest.mark.slow
    def test_store_and_model_agree(self, make_repo: Callable[..., Any]) -> None:
        wanted = max(WANTED // 40, 200)
        made = drive(lambda name: make_repo(camera=f"{CAMERA}:mini", kind="test", name=name), 100, wanted)
        assert made.n_done + made.n_refused + made.n_same == wanted
