"""The store in plain dictionaries: what each verb does to collections, lists, ranges and tags, and when it refuses.

A world is a dictionary of cells: ("c", name) -> type; ("l", chain) -> members; ("k", collection, dataset type,
detector) -> {(dataset, begin, end)}; ("t", collection, dataset type, detector) -> dataset. An absent cell is empty.
"""

import fnmatch
import re
from typing import Any

Cells = dict[tuple[Any, ...], Any]
RUN, TAGGED, CHAINED, CALIBRATION = "RUN", "TAGGED", "CHAINED", "CALIBRATION"
FIRST, LAST = -1_000, 1_000
"""Stand for the unbounded ends of time."""
UNDOABLE_NOT = ("setup", "undo", "redo")


class RefusedError(Exception):
    """What the model refuses, by its code."""


def refuse_if(is_wrong: object, code: str) -> None:
    if is_wrong:
        raise RefusedError(code)


class Model:
    """Every state there was, and what the next command makes of the last one."""

    def __init__(self, cells: Cells, births: dict[str, dict[tuple[str, int], str]], states: int) -> None:
        self.births = births
        self.run_of = {one: run for run, made in births.items() for one in made.values()}
        self.types = {kind for made in births.values() for kind, _ in made}
        self.history: list[Cells] = [dict(cells) for _ in range(states + 1)]
        self.verbs: list[tuple[str, int]] = [("setup", at) for at in range(states + 1)]

    @property
    def now(self) -> Cells:
        return self.history[-1]

    @property
    def state(self) -> int:
        return len(self.history) - 1

    def commit(self, verb: str, cells: Cells, about: int = 0) -> None:
        self.history.append({cell: value for cell, value in cells.items() if value})
        self.verbs.append((verb, about or self.state))

    def changes(self, state: int) -> dict[tuple[Any, ...], Any]:
        """Return cell -> what it was before, of the cells that a state changed."""
        then, after = self.history[state - 1], self.history[state]
        return {cell: then.get(cell) for cell in then.keys() | after.keys() if then.get(cell) != after.get(cell)}

    # --- look-up -------------------------------------------------------------------------------------------------

    def leaves(self, tops: Any, cells: Cells | None = None) -> list[str]:
        cells = self.now if cells is None else cells
        found: dict[str, None] = {}
        for name in tops:
            if cells[("c", name)] == CHAINED:
                found.update(dict.fromkeys(self.leaves(cells.get(("l", name), ()), cells)))
            else:
                found[name] = None
        return list(found)

    def reaches(self, at: str, target: str, cells: Cells) -> bool:
        return at == target or any(self.reaches(one, target, cells) for one in cells.get(("l", at), ()))

    def held(self, name: str, cells: Cells | None = None) -> list[tuple[str, int, str, int | None, int | None]]:
        """Return (type, detector, dataset, begin, end) of what a collection holds itself."""
        cells = self.now if cells is None else cells
        if cells[("c", name)] == RUN:
            return [(kind, key, one, None, None) for (kind, key), one in self.births.get(name, {}).items()]
        rows = []
        for cell, value in cells.items():
            if cell[0] == "k" and cell[1] == name:
                rows += [(cell[2], cell[3], *one) for one in value]
            elif cell[0] == "t" and cell[1] == name:
                rows.append((cell[2], cell[3], value, None, None))
        return rows

    def find_first(self, top: str, kind: str, key: int, span: tuple[int, int] | None) -> list[str]:
        """Return the dataset of each row that fits, of the first collection that has any."""
        for name in self.leaves([top]):
            found = [
                one
                for held, detector, one, begin, end in self.held(name)
                if (held, detector) == (kind, key)
                and (begin is None or (span is not None and begin < span[1] and span[0] < end))
            ]
            if found:
                return found
        return []

    # --- verbs: each returns the cells it leaves, or None when there is nothing to do -------------------------------

    def check_name(self, name: str) -> None:
        refuse_if(not re.fullmatch(r"[\w.~+-]+(/[\w.~+-]+)*", name, re.ASCII), "E-COLLNAME")

    def get(self, name: str) -> str:
        refuse_if(("c", name) not in self.now, "E-COLLECTION")
        return str(self.now[("c", name)])

    def register(self, name: str, type_: str) -> Cells | None:
        if ("c", name) in self.now:
            refuse_if(self.get(name) != type_, "E-COLLECTIONTYPE")
            return None
        self.check_name(name)
        return {**self.now, ("c", name): type_}

    def chain(
        self,
        parent: str,
        children: tuple[str, ...],
        mode: str,
        *,
        drop: tuple[str, ...] = (),
        flatten: bool = False,
        create: bool = False,
        base: int | None = None,
    ) -> Cells | None:
        refuse_if(not mode, "E-NOMODE")
        refuse_if(drop and mode not in ("prepend", "extend"), "E-MODE")
        refuse_if(flatten and mode in ("remove", "pop"), "E-MODE")
        refuse_if(not children and not drop and mode != "pop", "E-CHILDREN")
        is_new = ("c", parent) not in self.now
        if is_new:
            refuse_if(not create or drop or mode in ("remove", "pop"), "E-NOPARENT")
            self.check_name(parent)
        else:
            refuse_if(self.get(parent) != CHAINED, "E-COLLECTIONTYPE")
            refuse_if(base is not None and not 0 <= base <= self.state, "E-STATE")
            for at in range(self.state if base is None else base, self.state):
                refuse_if({("l", parent), ("c", parent)} & self.changes(at + 1).keys(), "E-CHANGED")
        old = self.now.get(("l", parent), ())
        given = tuple(dict.fromkeys(children))
        if mode == "pop":
            places = [int(one) for one in given] or [0]
            refuse_if(any(not -len(old) <= one < len(old) for one in places), "E-PLACE")
            given = tuple(old[one] for one in places)
        for name in (*given, *drop):
            self.get(name)
        if flatten:
            given = tuple(self.leaves(given))
            refuse_if(bool(children) and not given, "E-CHILDREN")
        refuse_if(set(given if mode in ("remove", "pop") else drop) - set(old), "E-NOTMEMBER")
        refuse_if(set(given) & set(drop), "E-MODE")
        rest = tuple(name for name in old if name not in (*given, *drop))
        lists = {"prepend": given + rest, "extend": rest + given, "redefine": given}
        new = lists.get(mode, rest)
        if new == old and not is_new:
            return None
        refuse_if(any(self.reaches(name, parent, self.now) for name in new), "E-CYCLE")
        return {**self.now, ("c", parent): CHAINED, ("l", parent): new}

    def search(self, collections: tuple[str, ...], kind: str) -> dict[str, int]:
        """Return dataset -> detector of what some collections lead to."""
        for name in collections:
            self.get(name)
        rows = [row for name in self.leaves(collections) for row in self.held(name)]
        return {one: key for held, key, one, _, _ in rows if held == kind}

    def associate(self, into: str, collections: tuple[str, ...], kind: str, create: bool) -> Cells | None:
        is_new = ("c", into) not in self.now
        if is_new:
            refuse_if(not create, "E-COLLECTION")
            self.check_name(into)
        else:
            refuse_if(self.get(into) != TAGGED, "E-COLLECTIONTYPE")
        refuse_if(kind not in self.types, "E-DATASETTYPE")
        found = self.search(collections, kind)
        refuse_if(not found, "E-EMPTY")
        cells = {**self.now, ("c", into): TAGGED}
        for one, key in found.items():
            refuse_if(cells.setdefault(("t", into, kind, key), one) != one, "E-TAGCOLLISION")
        return cells if cells != self.now else None

    def disassociate(self, tagged: str, collections: tuple[str, ...], kind: str) -> Cells:
        refuse_if(self.get(tagged) != TAGGED, "E-COLLECTIONTYPE")
        refuse_if(kind not in self.types, "E-DATASETTYPE")
        inside = self.search(collections, kind) if collections else None
        gone = [
            cell
            for cell, one in self.now.items()
            if cell[:3] == ("t", tagged, kind) and (inside is None or one in inside)
        ]
        refuse_if(not gone, "E-EMPTY")
        return {cell: value for cell, value in self.now.items() if cell not in gone}

    def certify(
        self,
        run: str,
        into: str,
        kind: str,
        *,
        begin: int,
        end: int,
        keys: tuple[int, ...],
        unbounded: bool,
        chain: str,
    ) -> Cells | None:
        refuse_if(self.get(run) != RUN, "E-NOTRUN")
        refuse_if(kind not in self.types, "E-DATASETTYPE")
        self.check_name(into)
        refuse_if(self.now.get(("c", into), CALIBRATION) != CALIBRATION, "E-COLLECTIONTYPE")
        born = {key: one for (held, key), one in self.births.get(run, {}).items() if held == kind}
        refuse_if(not born or set(keys) - born.keys(), "E-NODATASETS")
        refuse_if(begin >= end, "E-TIMEORDER")
        refuse_if(begin == FIRST and not unbounded, "E-NOBEGIN")
        refuse_if(begin != FIRST and unbounded, "E-INPUT")
        cells = {**self.now, ("c", into): CALIBRATION}
        is_fresh = False
        for key in keys or born:
            there, new = cells.get(("k", into, kind, key), frozenset()), (born[key], begin, end)
            refuse_if(any(one != new and one[1] < end and begin < one[2] for one in there), "E-VALIDITY")
            is_fresh |= new not in there
            cells[("k", into, kind, key)] = there | {new}
        members = cells.get(("l", chain), ())
        if chain and into not in members:
            cells |= {("c", chain): CHAINED, ("l", chain): (into, *members)}
            is_fresh = True
        return cells if is_fresh else None

    def ranged(self, into: str, kind: str, keys: tuple[int, ...]) -> list[tuple[tuple[Any, ...], Any]]:
        """Return (cell, row) of what is certified of a type and some detectors."""
        refuse_if(self.get(into) != CALIBRATION, "E-COLLECTIONTYPE")
        cells = [cell for cell in self.now if cell[:3] == ("k", into, kind)]
        refuse_if(not cells, "E-NOTCERTIFIED")
        return [(cell, row) for cell in cells if not keys or cell[3] in keys for row in self.now[cell]]

    def decertify(self, into: str, kind: str, begin: int, end: int, keys: tuple[int, ...]) -> Cells:
        rows = self.ranged(into, kind, keys)
        refuse_if(begin >= end, "E-TIMEORDER")
        cells, hit = dict(self.now), [(cell, row) for cell, row in rows if row[1] < end and begin < row[2]]
        refuse_if(not hit, "E-NOTCERTIFIED")
        for cell, (one, low, high) in hit:
            pieces = {(one, low, min(begin, high)), (one, max(end, low), high)}
            cells[cell] = cells[cell] - {(one, low, high)} | {piece for piece in pieces if piece[1] < piece[2]}
        return cells

    def recertify(
        self, into: str, kind: str, *, begin: int | None, end: int | None, keys: tuple[int, ...], of_begin: int | None
    ) -> Cells | None:
        refuse_if(begin is None and end is None, "E-NORANGE")
        rows = [one for one in self.ranged(into, kind, keys) if of_begin is None or one[1][1] == of_begin]
        refuse_if(not rows, "E-NOTCERTIFIED")
        refuse_if(len({cell for cell, _ in rows}) < len(rows), "E-SEVERALRANGES")
        cells, is_overlapping = dict(self.now), False
        for cell, (one, low, high) in rows:
            new = (one, low if begin is None else begin, high if end is None else end)
            refuse_if(new[1] >= new[2], "E-TIMEORDER")
            staying = self.now[cell] - {(one, low, high)}
            is_overlapping |= new != (one, low, high) and any(row[1] < new[2] and new[1] < row[2] for row in staying)
            cells[cell] = staying | {new}
        refuse_if(is_overlapping, "E-VALIDITY")
        return cells if cells != self.now else None

    def remove(self, glob: str, of_runs: bool, force: bool) -> Cells:
        every = {cell[1]: type_ for cell, type_ in self.now.items() if cell[0] == "c"}
        matching = [name for name in every if fnmatch.fnmatchcase(name, glob)]
        names = {name for name in matching if (every[name] == RUN) == of_runs}
        refuse_if(not names, "E-COLLECTIONTYPE" if matching else "E-COLLECTION")
        cells = {cell: value for cell, value in self.now.items() if cell[1] not in names}
        is_used = False
        for cell, value in list(cells.items()):
            if cell[0] == "l":
                rest: Any = tuple(name for name in value if name not in names)
            elif cell[0] == "k":
                rest = frozenset(row for row in value if self.run_of[row[0]] not in names)
            else:
                rest = None if cell[0] == "t" and self.run_of[value] in names else value
            is_used |= rest != value
            cells[cell] = rest
        refuse_if(is_used and not force, "E-PROTECTED" if of_runs else "E-INCHAIN")
        return {cell: value for cell, value in cells.items() if value}

    def restore(self, chain: str, to_state: int) -> Cells | None:
        refuse_if(self.now.get(("c", chain)) != CHAINED, "E-NOPARENT")
        refuse_if(not 1 <= to_state <= self.state, "E-STATE")
        refuse_if(self.history[to_state].get(("c", chain)) != CHAINED, "E-NOPARENT")
        then = self.history[to_state].get(("l", chain), ())
        refuse_if(any(("c", name) not in self.now for name in then), "E-GONE")
        if then == self.now.get(("l", chain), ()):
            return None
        refuse_if(any(self.reaches(name, chain, self.now) for name in then), "E-CYCLE")
        return {**self.now, ("l", chain): then}

    # --- undo and redo ---------------------------------------------------------------------------------------------

    def moves(self, about: int, until: int | None = None) -> list[int]:
        """Return the states that did one, took it back and did it again."""
        last = self.state if until is None else until
        return [at for at in range(1, last + 1) if self.verbs[at][1] == about]

    def in_force(self, about: int, until: int | None = None) -> bool:
        own = self.moves(about, until)
        return bool(own) and self.verbs[own[-1]][0] != "undo"

    def undo(self, state: int | None) -> tuple[Cells, int]:
        if state is None:
            done = [at for at, (verb, _) in enumerate(self.verbs) if verb not in UNDOABLE_NOT and self.in_force(at)]
            refuse_if(not done, "E-NOUNDO")
            state = done[-1]
        refuse_if(not 1 <= state <= self.state, "E-STATE")
        refuse_if(self.verbs[state][0] in UNDOABLE_NOT, "E-NOUNDO")
        refuse_if(not self.in_force(state), "E-UNDONE")
        return self.reversed(state), state

    def redo(self) -> tuple[Cells, int]:
        undone = [at for at, (verb, about) in enumerate(self.verbs) if verb == "undo" and self.moves(about)[-1] == at]
        newest = max((at for at, (verb, _) in enumerate(self.verbs) if verb not in UNDOABLE_NOT), default=0)
        refuse_if(not undone or undone[-1] < newest, "E-NOREDO")
        about = self.verbs[undone[-1]][1]
        return self.reversed(about), about

    def reversed(self, about: int) -> Cells:
        """Return the world without what a state did; refuse where a later state in force depends on it."""
        base = self.moves(about)[-1]
        mine = self.changes(base)
        lists = {("c", cell[1]) for cell in mine if cell[0] == "l"}
        for at in range(base + 1, self.state + 1):
            other = self.verbs[at][1]
            if other != about and self.in_force(other, base) != self.in_force(other):
                touched = self.changes(at).keys()
                refuse_if(touched & ({cell for cell in mine if cell[0] != "c"} | lists), "E-LATER")
        refuse_if(any(cell[0] == "c" and not self.history[base].get(cell) and cell in self.now for cell in mine),
                  "E-LATER")  # fmt: skip
        cells = {cell: value for cell, value in {**self.now, **mine}.items() if value}
        there = {cell[1] for cell in cells if cell[0] == "c"}
        for cell, value in cells.items():
            named = {cell[1]}
            if cell[0] == "l":
                named |= set(value)
            elif cell[0] == "k":
                named |= {self.run_of[row[0]] for row in value}
            elif cell[0] == "t":
                named.add(self.run_of[value])
            refuse_if(named - there, "E-LATER")
            if cell[0] == "l":
                refuse_if(any(self.reaches(name, cell[1], cells) for name in value), "E-LATER")
        return cells
