"""What it takes to take one state back: which rows go, which come again, and what since then stands in the way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.db.states import CollectionRow, LinkRow, StateRows, StateSummary
from calibstore.errors import ConflictError, WorkflowError
from calibstore.model.collections import CollectionType
from calibstore.model.names import top_chain_of
from calibstore.model.records import JournalEntry
from calibstore.model.search_path import Association, CollectionTree
from calibstore.model.timespan import Timespan
from calibstore.services.segments import View, load_view
from calibstore.services.state_ledger import Ledger

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 5
_KINDS: Final = ("certification", "tag_member")
_BESIDES: Final = frozenset({"dataset_type", "deployment", "destination"})
"""Tables a state may have written besides: a row follows that says it is over, or nothing is looked up by them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """One state taken back, read and checked."""

    entry: JournalEntry
    """The state that people mean."""
    rows: StateRows
    """Of the state whose rows are in force for it."""
    closing: dict[str, tuple[int, ...]]
    """Kind of link to row numbers that are open now and go."""
    lists: dict[str, tuple[str, ...]]
    """Chain to the list it gets; chains that go are not among them."""
    former: dict[str, tuple[str, ...]]
    """Chain to the list it has; empty for one that comes again."""
    before: View
    after: View
    tops: tuple[str, ...]

    @property
    def touched(self) -> tuple[str, ...]:
        """Names of everything that changes, lists first."""
        links = (one.collection for one in (*self.rows.opened, *self.rows.closed))
        collections = (one.name for one in (*self.rows.made, *self.rows.removed))
        return tuple(dict.fromkeys((*self.rows.chains, *sorted(links), *collections)))


def read_reversal(uow: "UnitOfWork", ledger: Ledger, entry: JournalEntry, *, base: int) -> Reversal:
    """Read what taking a state back means, and refuse it where something since depends on it.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    ledger : Ledger
        What was taken back so far.
    entry : JournalEntry
        The state that people mean.
    base : int
        The state whose rows are taken back: itself, or the undo or redo of it that is in force.

    Raises
    ------
    WorkflowError
        E-NOUNDO: it did what cannot be taken back here. E-LATER: a later state touched the same.
    """
    rows = uow.states.rows_of(base)
    _check_kind(entry, rows)
    lists, former = _lists(uow, rows)
    _check_later(uow, ledger, entry, rows, base)
    closing = _closing(uow, entry, rows)
    _check_data(uow, entry, rows)
    _check_place(uow, entry, rows, lists)
    before, after = _views(uow, rows, lists, base)
    return Reversal(
        entry=entry,
        rows=rows,
        closing=closing,
        lists=lists,
        former=former,
        before=before,
        after=after,
        tops=tuple(top_chain_of(instrument) for instrument in uow.repository.instruments()),
    )


def apply_reversal(uow: "UnitOfWork", reversal: Reversal, *, state: int) -> None:
    """Write the rows of a reversal."""
    rows = reversal.rows
    uow.certifications.close(reversal.closing["certification"], state=state)
    uow.tags.close(reversal.closing["tag_member"], state=state)
    gone = {one.name for one in rows.made}
    for name in rows.chains:
        if name in gone:
            uow.collections.set_children(uow.collections.get(name), (), state=state)
    for one in rows.removed:
        uow.collections.register(one.name, one.type, state=state, doc=one.doc, origin=one.origin)
    for name, children in reversal.lists.items():
        members = tuple(uow.collections.get(child) for child in children)
        uow.collections.set_children(uow.collections.get(name), members, state=state)
    if rows.made:
        uow.states.close_collections([uow.collections.get(one.name).id for one in rows.made], state=state)
    for (kind, name, begin, end, batch), links in _batches(rows.closed).items():
        into = uow.collections.get(name)
        entries = [(one.dataset_type, one.data_key, one.dataset_id) for one in links]
        if kind == "tag_member":
            uow.tags.insert(into, entries, state=state)
        else:
            uow.certifications.insert(into, entries, Timespan(begin, end), state=state, batch=batch)


def why_not(verb_is_undoable: bool, rows: StateRows | StateSummary) -> str:
    """Return why a state cannot be taken back; empty when it can."""
    # Datasets of a RUN made in the same state go with it, and come again with it.
    if rows.datasets_made and not (verb_is_undoable and not rows.datasets_elsewhere):
        return f"it brought {rows.datasets_made} datasets in"
    if rows.datasets_removed:
        return f"it removed {rows.datasets_removed} datasets"
    other = [name for name in rows.others if name not in _BESIDES]
    if other or not verb_is_undoable:
        return f"it wrote {', '.join(other)}" if other else "it is no change of chains, ranges or tags"
    if rows.is_empty:
        return "it changed no chain, range or tag of this repository"
    return ""


def _check_kind(entry: JournalEntry, rows: StateRows) -> None:
    told = why_not(True, rows)
    if told:
        hint = "what was removed with its RUN comes back by import or ingest: its files are still there"
        raise WorkflowError(
            f"state {entry.state} ({entry.verb} by {entry.user}) cannot be undone: {told}",
            hint=hint if rows.datasets_removed else f"cabstand journal shows what it did: {entry.line}",
            code="E-NOUNDO",
        )


def _lists(uow: "UnitOfWork", rows: StateRows) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    then = uow.associations.tree(at_state=rows.state - 1)
    now = uow.associations.tree()
    gone = {one.name for one in rows.made}
    lists = {name: then.children.get(name, ()) for name in rows.chains if name not in gone}
    lists |= {one.name: then.children.get(one.name, ()) for one in rows.removed if one.type is CollectionType.CHAINED}
    return lists, {name: now.children.get(name, ()) for name in (*lists, *rows.chains)}


def _check_later(uow: "UnitOfWork", ledger: Ledger, entry: JournalEntry, rows: StateRows, base: int) -> None:
    """Refuse where a later state that is still in force touched the same chain, key or collection."""
    found: dict[int, str] = {}
    for name in rows.chains:
        found |= dict.fromkeys(uow.collections.changed_states(name, after=base), f"the list of {name}")
    mine = {one.key for one in (*rows.opened, *rows.closed)}
    for kind in _KINDS:
        names = {key[1] for key in mine if key[0] == kind}
        for key, states in uow.states.touching(kind, names, after=base).items():
            if key in mine:
                found |= dict.fromkeys(states, f"{key[2]} {key[3]} of {key[1]}")
    for one in rows.made:
        found |= dict.fromkeys((at for at in uow.states.references(one) if at > base), f"{one.name}, made then")
    known = {at for at in found if not ledger.is_void_since(base, at) and ledger.about(at) != entry.state}
    # What is there counts whatever brought it back: a removal and its undo leave other rows of the same name.
    standing = _standing(uow, rows, base) | _taken_names(uow, rows)
    found |= standing
    later = sorted(known | standing.keys())
    if later:
        raise _later(uow, entry, later, found)


def _standing(uow: "UnitOfWork", rows: StateRows, base: int) -> dict[int, str]:
    """Return the states that would be left with rows that lead nowhere without the collections made then."""
    going = {(one.dataset_type, one.data_key, one.dataset_id, one.collection) for one in rows.opened}
    found: dict[int, str] = {}
    for one in rows.made:
        needing = uow.removals.needing(one.name, after=base, lists=rows.chains, links=going)
        found |= dict.fromkeys(needing, f"{one.name}, made then")
    return found


def _taken_names(uow: "UnitOfWork", rows: StateRows) -> dict[int, str]:
    found = {}
    for one in rows.removed:
        known = uow.collections.find(one.name)
        if known is not None:
            found[known.opened_state] = f"the name {one.name}"
    return found


def _later(uow: "UnitOfWork", entry: JournalEntry, later: Sequence[int], found: dict[int, str]) -> WorkflowError:
    told = []
    for state in later[-_SHOWN:]:
        one = uow.journal.entry(state)
        who = f"by {one.user}: {one.line}" if one is not None else ""
        told.append(f"state {state} {who} ({found[state]})")
    more = f" and {len(later) - _SHOWN} earlier ones" if len(later) > _SHOWN else ""
    chain = next((str(name) for name in (found[at].removeprefix("the list of ") for at in later[-1:])), "")
    restore = (
        f"; or bring the list back whatever happened since: cabstand restore {chain} --to-state {entry.state - 1}"
        if found[later[-1]].startswith("the list of ")
        else ""
    )
    return WorkflowError(
        f"state {entry.state} ({entry.verb} by {entry.user}) cannot be undone, something since touched the same: "
        f"{'; '.join(told)}{more}",
        hint=f"undo that first: cabstand undo {later[-1]}{restore}",
        code="E-LATER",
    )


def _closing(uow: "UnitOfWork", entry: JournalEntry, rows: StateRows) -> dict[str, tuple[int, ...]]:
    closing: dict[str, tuple[int, ...]] = {}
    for kind in _KINDS:
        wanted = [one for one in rows.opened if one.kind == kind]
        there = uow.states.open_links(kind, {one.collection for one in wanted})
        missing = [one for one in wanted if one.content not in there]
        if missing:
            raise WorkflowError(
                f"state {entry.state} cannot be undone: {missing[0].dataset_type} {missing[0].data_key} of "
                f"{missing[0].collection} is no more as it left it",
                hint="cabstand journal --verify; cabstand doctor",
                code="E-LATER",
            )
        closing[kind] = tuple(there[one.content] for one in wanted)
    return closing


def _check_data(uow: "UnitOfWork", entry: JournalEntry, rows: StateRows) -> None:
    """Refuse to link datasets that are no more."""
    known = uow.datasets.by_ids(one.dataset_id for one in rows.closed)
    # What the state itself removed comes back with its RUN.
    back = {one for one, at in uow.datasets.removed(one.dataset_id for one in rows.closed).items() if at == rows.state}
    lost = [one for one in rows.closed if one.dataset_id not in known and one.dataset_id not in back]
    if lost:
        raise WorkflowError(
            f"state {entry.state} cannot be undone: {len(lost)} of its datasets were removed since, such as "
            f"{lost[0].dataset_type} {lost[0].data_key} ({lost[0].dataset_id[:8]})",
            hint="cabstand journal tells who removed their RUN",
            code="E-LATER",
        )


def _check_place(uow: "UnitOfWork", entry: JournalEntry, rows: StateRows, lists: dict[str, tuple[str, ...]]) -> None:
    """Refuse lists and links whose collections were removed since, and lists that would contain themselves by now."""
    now = uow.associations.tree()
    types = {name: type_ for name, type_ in now.types.items() if name not in {one.name for one in rows.made}}
    types |= {one.name: one.type for one in rows.removed}
    needed = {name for members in lists.values() for name in members} | {one.collection for one in rows.closed}
    gone = sorted(needed - types.keys())
    if gone:
        raise WorkflowError(
            f"state {entry.state} cannot be undone: {', '.join(gone[:_SHOWN])}, which it needs, was removed since",
            hint=f"undo its removal first: cabstand history {gone[0]}",
            code="E-LATER",
        )
    tree = CollectionTree(types, {**now.children, **lists})
    for name in lists:
        try:
            tree.refuse_cycle(name)
        except ConflictError as problem:
            raise WorkflowError(
                f"state {entry.state} cannot be undone: {problem.message}, as the lists are by now",
                hint=f"take out what was put in since: cabstand history {name}",
                code="E-LATER",
            ) from problem


def _views(uow: "UnitOfWork", rows: StateRows, lists: dict[str, tuple[str, ...]], base: int) -> tuple[View, View]:
    tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
    links = sorted({one.collection for one in (*rows.opened, *rows.closed)})
    names = [*tops, *rows.chains, *links, *(name for children in lists.values() for name in children)]
    names += [one.name for one in (*rows.made, *rows.removed)]
    before = load_view(uow, names)
    then = load_view(uow, [*names, *links], at_state=base - 1)
    view = before
    for name in links:
        view = view.with_rows(name, _rows_after(name, rows, before, then))
    gone = {one.name for one in rows.made}
    types = {name: type_ for name, type_ in before.tree.types.items() if name not in gone}
    types |= {one.name: one.type for one in rows.removed}
    children = {name: one for name, one in before.tree.children.items() if name not in gone}
    held = {one.name: then.rows.get(one.name, ()) for one in rows.removed if one.type is not CollectionType.CHAINED}
    return before, View(CollectionTree(types, children | lists), {**view.rows, **held} if held else view.rows)


def _rows_after(name: str, rows: StateRows, before: View, then: View) -> tuple[Association, ...]:
    going = {_content(one) for one in rows.opened if one.collection == name}
    coming = {_content(one) for one in rows.closed if one.collection == name}
    kept = [row for row in before.rows.get(name, ()) if _of(row) not in going]
    return (*kept, *(row for row in then.rows.get(name, ()) if _of(row) in coming))


def _content(one: LinkRow) -> tuple[object, ...]:
    span = (one.begin_tai_ns, one.end_tai_ns) if one.kind == "certification" else (0, 0)
    return (one.dataset_type, one.data_key, one.dataset_id, *span)


def _of(row: Association) -> tuple[object, ...]:
    span = (row.timespan.begin_tai_ns, row.timespan.end_tai_ns) if row.timespan is not None else (0, 0)
    return (row.dataset_type, row.data_key, row.dataset_id, *span)


def _batches(links: Iterable[LinkRow]) -> dict[tuple[str, str, int, int, int], list[LinkRow]]:
    found: dict[tuple[str, str, int, int, int], list[LinkRow]] = {}
    for one in links:
        found.setdefault((one.kind, one.collection, one.begin_tai_ns, one.end_tai_ns, one.batch), []).append(one)
    return found


__all__ = ["CollectionRow", "Reversal", "apply_reversal", "read_reversal", "why_not"]
