"""Replaying the journal: everything is done again in an empty repository, and both must answer the same.

What lies within the store is planned and written again under its own time, person and reason; what came from work
outside (raw frames, jobs, bundles) is copied state by state.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calibstore.commands.fields import Command, from_json
from calibstore.config import STORE_FILE
from calibstore.errors import CabstandError, ConflictError, StoreError
from calibstore.model.destination_table import HOME
from calibstore.model.records import JournalEntry
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.doors import repeat
from calibstore.services.fingerprinting import Fingerprint, fingerprint_of, first_difference
from calibstore.services.segments import load_view
from calibstore.services.state_ledger import REDO, UNDO, UNDOABLE

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(slots=True)
class _Replay:
    """How far it is."""

    numbers: dict[str, dict[int, int]] = field(default_factory=dict)
    n_again: int = 0
    n_copied: int = 0
    refused: list[str] = field(default_factory=list)
    """States whose command is refused by the rules of today, with the reason."""


def replay(context: Context, path: str) -> Answer:
    """Do everything again in a new repository.

    Parameters
    ----------
    context : Context
        The repository whose journal it is; it is only read.
    path : str
        Folder of the new one.

    Raises
    ------
    ConflictError
        E-EXISTS: there is something at the path.
    StoreError
        E-REPLAY, with the first state at which the two differ.
    """
    other = _new_store(context, path)
    made = _Replay()
    with context.unit_of_work() as uow:
        entries = uow.journal.entries()
        for entry in entries:
            _one(uow, other, entry, made, is_first=entry is entries[0])
        with other.unit_of_work(write=True) as there:
            uow.copy_to(there, made.numbers).end()
            there.commit()
        prints = _compare(uow, other, [entry.state for entry in entries])
    warnings = tuple(f"W-COPIED {told}: copied as it was" for told in made.refused)
    lines = (
        f"{len(entries)} states in {other.root}: {made.n_again} done again, {made.n_copied} copied",
        f"all {len(prints)} collections have equal fingerprints, structural and effective",
        *(f"  {name}: {one.effective[:12]}" for name, one in sorted(prints.items()) if name.endswith("/calib")),
    )
    data = {
        "path": str(other.root),
        "states": len(entries),
        "again": made.n_again,
        "copied": made.n_copied,
        "fingerprints": {name: one.effective for name, one in prints.items()},
    }
    return Answer(lines=lines, data=data, warnings=warnings)


def _new_store(context: Context, path: str) -> Context:
    from calibstore.db.engine import open_engine
    from calibstore.db.migrate import upgrade

    root = Path(path).expanduser().absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConflictError(f"{root} is not empty", hint="give the path of a new folder", code="E-EXISTS")
    root.mkdir(parents=True, exist_ok=True)
    upgrade(open_engine(root / STORE_FILE, must_exist=False))
    # Who might do it then is not asked again: whoever replays stands for all of them.
    config = replace(context.config, roles={})
    return replace(context, root=root, config=config, confirmed="", seen=None, is_read_only=False)


def _one(uow: "UnitOfWork", other: Context, entry: JournalEntry, made: _Replay, *, is_first: bool) -> None:
    command = _command(entry)
    if command is not None and not uow.states.rows_of(entry.state).datasets_made:
        told = _again(uow, other, entry, command, made)
        if not told:
            made.n_again += 1
            return
        made.refused.append(f"state {entry.state} ({entry.verb}): {told}")
    with other.unit_of_work(write=True) as there:
        copy = uow.copy_to(there, made.numbers)
        if is_first:
            copy.begin()
        there.journal.append(entry)
        copy.copy(entry.state)
        there.commit()
    made.n_copied += 1


def _command(entry: JournalEntry) -> Command | None:
    """Return the command of an entry whose effect lies within the store."""
    if entry.verb not in UNDOABLE | {UNDO, REDO}:
        return None
    try:
        command = from_json(entry.command)
    except (CabstandError, KeyError, TypeError, ValueError):
        return None
    if entry.verb == "deploy" and getattr(command, "destination", "") != HOME:
        return None
    return command


def _again(uow: "UnitOfWork", other: Context, entry: JournalEntry, command: Command, made: _Replay) -> str:
    """Do one command again; return why it is refused today, or nothing."""
    context = replace(other, clock=lambda: entry.at_tai_ns, user=entry.user, host=entry.host, reason=entry.reason)
    try:
        state = repeat(command, context)
    except CabstandError as problem:
        return f"{problem.code} {problem.message.splitlines()[0]}"
    with other.unit_of_work() as there:
        odd = uow.copy_to(there, made.numbers).match(entry.state)
    if state != entry.state or odd:
        raise _differs(entry, odd or f"it became state {state}")
    return ""


def _compare(uow: "UnitOfWork", other: Context, states: list[int]) -> dict[str, Fingerprint]:
    with other.unit_of_work() as there:
        ours, theirs = _prints(uow, None), _prints(there, None)
        if _same(ours, theirs):
            return ours
        for state in states:
            mine, others = _prints(uow, state), _prints(there, state)
            if not _same(mine, others):
                entry = uow.journal.entry(state)
                assert entry is not None
                raise _differs(entry, _difference(mine, others))
    raise StoreError(
        f"the replay answers otherwise: {_difference(ours, theirs)}", hint="cabstand journal --verify", code="E-REPLAY"
    )


def _prints(uow: "UnitOfWork", state: int | None) -> dict[str, Fingerprint]:
    names = list(uow.associations.tree(at_state=state).types)
    view = load_view(uow, names, at_state=state)
    return {name: fingerprint_of(view, name) for name in names}


def _same(ours: dict[str, Fingerprint], theirs: dict[str, Fingerprint]) -> bool:
    def short(prints: dict[str, Fingerprint]) -> dict[str, Any]:
        return {name: (one.structural, one.effective) for name, one in prints.items()}

    return short(ours) == short(theirs)


def _difference(ours: dict[str, Fingerprint], theirs: dict[str, Fingerprint]) -> str:
    for name in sorted(set(ours) | set(theirs)):
        if name not in ours or name not in theirs:
            return f"{name} is {'only in the replay' if name in theirs else 'missing in the replay'}"
        told = first_difference(ours[name], theirs[name])
        if told:
            return f"{name}: {told}"
    return "nothing"


def _differs(entry: JournalEntry, what: str) -> StoreError:
    return StoreError(
        f"the replay differs first at state {entry.state} ({entry.verb} by {entry.user}): {what}",
        hint="cabstand journal --verify tells whether rows were altered behind the journal's back",
        code="E-REPLAY",
    )
