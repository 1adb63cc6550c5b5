"""Whether the journal and the rows of the store still say the same: seals, order, and what each entry left."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from calibstore.db.journal import entry_hash
from calibstore.model.records import JournalEntry

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_RANGES: Final = ("decertify", "recertify")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not fit."""

    state: int
    what: str


def check_journal(uow: "UnitOfWork") -> tuple[Fault, ...]:
    """Return everything that does not fit, by state.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.

    Notes
    -----
    The seals tell an altered, removed or reordered entry; rows of a state without entry tell that the last entries
    were removed; lists and counts that an entry left tell that rows were altered behind its back.
    """
    entries = uow.journal.entries()
    found = _seals(entries)
    known = {entry.state for entry in entries}
    found += [
        Fault(state, f"{table} has rows of it ({column}), but the journal has no such entry")
        for table, column, state in uow.states.orphans()
        if state not in known
    ]
    return tuple(sorted([*found, *_rows(uow, entries)], key=lambda one: one.state))


def _seals(entries: tuple[JournalEntry, ...]) -> list[Fault]:
    found: list[Fault] = []
    place = {entry.hash: entry.state for entry in entries}
    previous, expected = "", 1
    for entry in entries:
        if entry.state != expected:
            gap = f"{expected}" if entry.state == expected + 1 else f"{expected} to {entry.state - 1}"
            found.append(Fault(expected, f"entry {gap} is missing: entry {entry.state} follows {expected - 1}"))
        elif entry_hash(entry) != entry.hash:
            found.append(Fault(entry.state, f"the entry was altered: {entry.line}"))
        elif entry.previous_hash != previous:
            other = place.get(entry.previous_hash)
            told = f"stands behind entry {other}, not {expected - 1}" if other else "does not follow the one before it"
            found.append(Fault(entry.state, f"the entry is in another order: by its seal it {told}: {entry.line}"))
        previous, expected = entry.hash, entry.state + 1
    return found


def _rows(uow: "UnitOfWork", entries: tuple[JournalEntry, ...]) -> list[Fault]:
    lists = uow.states.lists()
    counts = {
        (table, column): uow.states.counts(table, f"{column}_state")
        for table in ("certification", "tag_member")
        for column in ("opened", "closed")
    }
    found = []
    for entry in entries:
        for chain, told in _told_lists(entry).items():
            there = lists.at(chain, entry.state)
            if list(there) != list(told):
                found.append(Fault(entry.state, f"{chain} lists {_names(there)}, the entry says {_names(told)}"))
        for column, (tables, told_count) in _told_counts(entry).items():
            count = sum(counts[table, column].get(entry.state, 0) for table in tables)
            if count != told_count:
                what = " and ".join(tables)
                found.append(Fault(entry.state, f"{count} rows of {what} were {column}, the entry says {told_count}"))
    return found


def _told_lists(entry: JournalEntry) -> dict[str, list[str]]:
    after: dict[str, Any] = entry.after
    if isinstance(after.get("chain"), str) and isinstance(after.get("children"), list):
        return {after["chain"]: after["children"]}
    chains = after.get("chains")
    return dict(chains) if isinstance(chains, dict) else {}


def _told_counts(entry: JournalEntry) -> dict[str, tuple[tuple[str, ...], int]]:
    """Return what an entry says of the rows it opened and closed, where it does."""
    before: dict[str, Any] = entry.before
    after: dict[str, Any] = entry.after
    ranges = ("certification",)
    if entry.verb == "certify-calibrations" and isinstance(after.get("datasets"), list):
        return {"opened": (ranges, len(after["datasets"])), "closed": (ranges, 0)}
    if entry.verb in _RANGES and isinstance(before.get("certified"), list) and isinstance(after.get("certified"), list):
        return {"opened": (ranges, len(after["certified"])), "closed": (ranges, len(before["certified"]))}
    if isinstance(after.get("about"), int) and isinstance(after.get("opened"), int):
        both = ("certification", "tag_member")
        return {"opened": (both, after["opened"]), "closed": (both, int(after.get("closed", 0)))}
    return {}


def _names(names: Any) -> str:
    return ", ".join(names) or "nothing"
