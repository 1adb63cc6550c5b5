"""What the Collections screen reads: every collection in search order, and one with all that is known of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.calib_types import find_calib_name
from calibstore.model.collections import CollectionType
from calibstore.model.hailing import HailingState
from calibstore.model.names import CollectionName, NameKind, find_name, top_chain_of
from calibstore.model.timespan import Timespan
from calibstore.services.context import Context
from calibstore.services.looks.name_check import NameCheck, check_name
from calibstore.services.native import place as native_place

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.model.records import CollectionRecord

MOST_COUNTED: Final = 100_000
"""Counting stops here: a RUN of all raws would take a second, and the screen says "more than"."""
_HISTORY: Final = 12


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection in the list."""

    name: str
    type: str
    created_tai_ns: int
    n_children: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionsLook:
    """Every collection of a repository, those of one instrument's top chain first."""

    rows: dict[str, CollectionRow]
    children: dict[str, tuple[str, ...]]
    """Members of each chain in search order."""
    roots: tuple[str, ...]
    """Chains that stand in no chain; the instrument's top chain first."""
    loose: tuple[tuple[str, tuple[str, ...]], ...]
    """(ticket, collections) outside any chain, those without ticket under an empty one, the newest ticket first."""
    counts: dict[str, int]
    """How much each holds, as far as counted."""
    detail: "CollectionLook | None" = None


@dataclass(frozen=True, slots=True)
class Membership:
    """A chain a collection is found through."""

    chain: str
    place: int
    """From 1 on; 0 where it is reached through another chain."""
    n_members: int
    via: str = ""


@dataclass(frozen=True, slots=True)
class HeldType:
    """Datasets of one type."""

    dataset_type: str
    n_data_ids: int
    timespan: Timespan | None = None
    run: str = ""


@dataclass(frozen=True, slots=True)
class InputLook:
    """What it was made from."""

    dataset_type: str
    n_inputs: int
    first_exposure: int | None
    last_exposure: int | None


@dataclass(frozen=True, slots=True)
class VerdictLook:
    """What a verification said."""

    verify_run: str
    profile: str
    verdict: str
    n_in_build: int
    n_independent: int


@dataclass(frozen=True, slots=True)
class EventLook:
    """A journal entry that touched it."""

    state: int
    at_tai_ns: int
    user: str
    verb: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionLook:
    """One collection with all that is known of it."""

    name: str
    type: str
    origin: str
    doc: str
    created_tai_ns: int
    instrument: str
    ticket: str
    calib_type: str
    """Dataset type of the name, or the only one it holds."""
    rerun: str
    name_check: NameCheck
    memberships: tuple[Membership, ...]
    children: tuple[tuple[str, str], ...]
    """(name, type) in search order."""
    held: tuple[HeldType, ...]
    sources: tuple[str, ...]
    """RUNs that hold what is certified or tagged here."""
    linked_by: tuple[tuple[str, int], ...]
    """(collection, links) to datasets of this RUN: it is protected."""
    inputs: tuple[InputLook, ...]
    verdicts: tuple[VerdictLook, ...]
    certified: tuple[EventLook, ...]
    """Acts that certified what is here."""
    decision: str
    """What the board said last; empty before."""
    is_adopted: bool
    certify: dict[str, object]
    """Fields of the certify form that are known here; empty where nothing can be certified."""
    add_to: str
    """Chain this would be added to by custom; empty where there is none."""
    history: tuple[EventLook, ...]
    native: tuple[str, ...]

    @property
    def n_links(self) -> int:
        """Links of other collections to its datasets."""
        return sum(n for _, n in self.linked_by)

    @property
    def is_protected(self) -> bool:
        """Whether its datasets are linked elsewhere, so that it may not be removed."""
        return bool(self.linked_by)


def collections_look(context: Context, instrument: str, *, name: str = "", is_counted: bool = False) -> CollectionsLook:
    """Read every collection.

    Parameters
    ----------
    context : Context
        The repository.
    instrument : str
        Whose top chain comes first.
    name : str
        Collection to read in detail too; empty: none.
    is_counted : bool
        Count what each holds (the screen asks for what it sees by `collection_counts`).

    Raises
    ------
    NotFoundError
        If there is no collection `name`.
    """
    with context.unit_of_work() as uow:
        tree = uow.associations.tree()
        listed = uow.holdings.listed()
        counts = _counts(uow, tree.types) if is_counted else {}
        detail = _detail(uow, context, name) if name else None
    rows = {
        one.name: CollectionRow(one.name, str(one.type), one.created_tai_ns, len(tree.children.get(one.name, ())))
        for one in listed
    }
    held = {child for children in tree.children.values() for child in children}
    top = top_chain_of(instrument)
    roots = [one.name for one in listed if one.type is CollectionType.CHAINED and one.name not in held]
    loose = [one.name for one in listed if one.type is not CollectionType.CHAINED and one.name not in held]
    return CollectionsLook(
        rows=rows,
        children=dict(tree.children),
        roots=tuple(sorted(roots, key=lambda one: (one != top, one))),
        loose=_by_ticket(loose, rows),
        counts=counts,
        detail=detail,
    )


def collection_counts(context: Context, names: Iterable[str]) -> dict[str, int]:
    """Return how many datasets, data IDs or members some collections hold, counting no further than `MOST_COUNTED`."""
    with context.unit_of_work() as uow:
        return _counts(uow, names)


def collection_look(context: Context, name: str) -> CollectionLook:
    """Read one collection.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    with context.unit_of_work() as uow:
        return _detail(uow, context, name)


def _counts(uow: "UnitOfWork", names: Iterable[str]) -> dict[str, int]:
    records = ((name, uow.collections.find(name)) for name in names)
    return {name: uow.holdings.count(one, most=MOST_COUNTED) for name, one in records if one is not None}


def _by_ticket(names: list[str], rows: dict[str, CollectionRow]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    groups: dict[str, list[str]] = {}
    for name in names:
        parts = find_name(name)
        groups.setdefault(parts.ticket if parts is not None else "", []).append(name)
    newest = {ticket: max(rows[name].created_tai_ns for name in found) for ticket, found in groups.items()}
    order = sorted(groups, key=lambda ticket: (not ticket, -newest[ticket], ticket))
    return tuple((ticket, tuple(groups[ticket])) for ticket in order)


def _detail(uow: "UnitOfWork", context: Context, name: str) -> CollectionLook:
    record = uow.collections.get(name)
    parts = find_name(name)
    ticket = parts.ticket if parts is not None else ""
    held = _held(uow, record)
    sources = tuple(sorted({one.run for one in held if one.run}))
    linked_by = _linked_by(uow, record) if record.type is CollectionType.RUN else ()
    groups = uow.holdings.inputs_of_runs(sources or ((name,) if record.type is CollectionType.RUN else ()))
    states = uow.holdings.states_of(record, last=_HISTORY)
    calib_type = parts.calib_type if parts is not None else ""
    decisions = uow.campaigns.decisions(ticket) if ticket else ()
    last = decisions[-1] if decisions else None
    created = _event(uow, record.opened_state)
    return CollectionLook(
        name=name,
        type=str(record.type),
        origin=record.origin,
        doc=record.doc,
        created_tai_ns=created.at_tai_ns if created else 0,
        instrument=parts.instrument if parts is not None else "",
        ticket=ticket,
        calib_type=calib_type or _only(one.dataset_type for one in held),
        rerun=parts.rerun if parts is not None else "",
        name_check=check_name(name),
        memberships=_memberships(uow, record),
        children=tuple((one.name, str(one.type)) for one in uow.collections.children(record)),
        held=held,
        sources=sources,
        linked_by=linked_by,
        inputs=tuple(
            InputLook(one.dataset_type, one.n_inputs, one.first_exposure, one.last_exposure) for one in groups
        ),
        verdicts=_verdicts(uow, ticket, {name, *sources}),
        certified=_certified_events(uow, record),
        decision=f"{last.outcome} ({last.status}) by {', '.join(last.people)}" if last else "",
        is_adopted=last is not None and last.status == HailingState.ADOPTED,
        certify=_certify_fields(uow, context, record, sources, held),
        add_to=_usual_chain(parts),
        history=tuple(event for state in states if (event := _event(uow, state)) is not None),
        native=(f"butler query-collections {native_place(context.root)} '{name}' --chains TREE",),
    )


def _linked_by(uow: "UnitOfWork", record: "CollectionRecord") -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for one in uow.removals.links((record,), (record,)):
        if one.collection != record.name:
            counts[one.collection] = counts.get(one.collection, 0) + one.n
    return tuple(sorted(counts.items()))


def _held(uow: "UnitOfWork", record: "CollectionRecord") -> tuple[HeldType, ...]:
    if record.type is CollectionType.CALIBRATION:
        return tuple(
            HeldType(one.dataset_type, one.n_data_ids, Timespan(one.begin_tai_ns, one.end_tai_ns), one.run)
            for one in uow.holdings.certified_in(record)
        )
    if record.type is CollectionType.RUN:
        return tuple(HeldType(*one) for one in uow.holdings.types_in_run(record, most=MOST_COUNTED))
    if record.type is CollectionType.TAGGED:
        return tuple(HeldType(*one) for one in uow.holdings.tagged_types(record))
    return ()


def _memberships(uow: "UnitOfWork", record: "CollectionRecord") -> tuple[Membership, ...]:
    """Return the chains that lead to a collection, the nearest first, each once."""
    found: list[Membership] = []
    seen = {record.name}
    level = [(record, "")]
    while level:
        above: list[tuple[CollectionRecord, str]] = []
        for child, via in level:
            for parent in uow.collections.parents(child):
                if parent.name in seen:
                    continue
                seen.add(parent.name)
                members = [one.name for one in uow.collections.children(parent)]
                place = 0 if via else members.index(child.name) + 1
                found.append(Membership(parent.name, place, len(members), via))
                above.append((parent, parent.name))
        level = above
    return tuple(found)


def _verdicts(uow: "UnitOfWork", ticket: str, names: set[str]) -> tuple[VerdictLook, ...]:
    if not ticket:
        return ()
    return tuple(
        VerdictLook(one.verify_run, judged.profile, judged.verdict, one.n_in_build, one.n_independent)
        for one in reversed(uow.verifications.list(ticket))
        if names & {one.verify_run, one.candidate_run}
        for judged in uow.verifications.judgements(one.id)
    )


def _certified_events(uow: "UnitOfWork", record: "CollectionRecord") -> tuple[EventLook, ...]:
    if record.type is not CollectionType.CALIBRATION:
        return ()
    states = sorted({one.opened_state for one in uow.holdings.certified_in(record)})
    return tuple(event for state in states if (event := _event(uow, state)) is not None)


def _certify_fields(
    uow: "UnitOfWork",
    context: Context,
    record: "CollectionRecord",
    sources: tuple[str, ...],
    held: tuple[HeldType, ...],
) -> dict[str, object]:
    """Return what the certify form can be filled with; as the checklist proposes it where this is its newest RUN."""
    parts = find_name(record.name)
    if record.type is CollectionType.CALIBRATION and len(sources) == 1:
        return {"run": sources[0], "collection": record.name, "dataset_type": _only(one.dataset_type for one in held)}
    if parts is None or parts.kind is not NameKind.GENERATION or not find_calib_name(parts.calib_type).certified:
        return {}
    if uow.campaigns.find_campaign(parts.ticket) is not None:
        # The checklist's parts are many modules: not before they are needed.
        from calibstore.commands.lines import read_line
        from calibstore.services.next_lines import certify_line
        from calibstore.services.standing import standing

        found = standing(uow, parts.ticket, now_tai_ns=context.clock())
        newest = next((one for one in found.types if one.run == record.name), None)
        if newest is not None:
            return dict(read_line(certify_line(uow, found, newest)).given)
    certified = replace(parts, kind=NameKind.CERTIFIED, subrun="", run_number=None).text()
    return {"run": record.name, "collection": certified, "dataset_type": parts.calib_type}


def _usual_chain(parts: CollectionName | None) -> str:
    if parts is None:
        return ""
    ticket_chain = replace(parts, kind=NameKind.TICKET_CHAIN).text() if parts.ticket else ""
    return {NameKind.CERTIFIED: ticket_chain, NameKind.TICKET_CHAIN: top_chain_of(parts.instrument)}.get(parts.kind, "")


def _event(uow: "UnitOfWork", state: int) -> EventLook | None:
    entry = uow.journal.entry(state)
    if entry is None:
        return None
    return EventLook(state, entry.at_tai_ns, entry.user, entry.verb, " ".join(entry.summary.split()))


def _only(types: Iterable[str]) -> str:
    names = set(types)
    return names.pop() if len(names) == 1 else ""
