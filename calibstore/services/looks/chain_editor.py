"""What the chain editor reads: a chain's list as it is and as drafted, and what the draft would change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, ConflictError, NotFoundError
from calibstore.model.chain_lists import change_between, rebased
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.data_id import DataId
from calibstore.model.names import find_name, top_chain_of
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.context import Context
from calibstore.services.doors import execute

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.model.records import CollectionRecord
    from calibstore.model.search_path import CollectionTree
    from calibstore.services.actions import Effect

MOST_CANDIDATES: Final = 2_000
"""So many collections are offered to be put in, the newest names first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A member of a list."""

    name: str
    type: str
    tag: str = ""
    """Short tags of what it leads to, e.g. ``gainFixup``."""
    n_below: int = 0
    """Collections it leads to; itself where it is no chain."""
    place: int = 0
    """From 1 on; 0 in the draft for one that goes out."""
    mark: str = ""
    """In the draft: ``+`` comes in, ``-`` goes out, ``~`` moves."""
    moved: int = 0
    """Places it moves up among those that stay; negative: down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """A stretch of time in which another calibration would apply."""

    dataset_type: str
    physical_filter: str
    detectors: str
    timespan: str
    before: str
    after: str
    """Collections; empty: nothing."""
    n_exposures: int
    """Exposures that began in the stretch."""

    @property
    def is_lost(self) -> bool:
        """Whether nothing would apply any more."""
        return not self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a draft cannot be applied, or must be asked for."""

    code: str
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEditorLook:
    """One chain under work."""

    chain: str
    version: int
    """State that last changed the list."""
    version_text: str
    """Who that was and when."""
    base_state: int
    """State of the list the draft was made for; another one than `version` where somebody changed it since."""
    changed_by: str = ""
    """Who changed the list since; empty: nobody."""
    rebased: tuple[str, ...] = ()
    """The draft as it would be on the list as it is now, where somebody changed it."""
    now: tuple[MemberRow, ...]
    draft: tuple[MemberRow, ...]
    """Members that go out stand where they were."""
    candidates: tuple[str, ...]
    """Collections that may be put in."""
    is_live: bool
    """Whether processing searches this list."""
    is_changed: bool
    is_counted: bool = True
    """Whether the effect was looked for; nothing below is told where it was not."""
    effects: tuple[EffectRow, ...] = ()
    past: int = 0
    tonight: int = 0
    future: int = 0
    """Exposures that get another answer through live chains, else through the list."""
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None
    """Why it is refused."""
    confirm: str = ""
    """What must be typed."""
    line: str = ""
    native: tuple[str, ...] = ()
    inverse: tuple[str, ...] = ()
    given: tuple[tuple[str, Any], ...] = ()
    """Fields of the command, for its form."""

    @property
    def n_marks(self) -> tuple[int, int, int]:
        """How many come in, go out, move."""
        marks = [one.mark for one in self.draft]
        return marks.count("+"), marks.count("-"), marks.count("~")


def chain_editor_look(
    context: Context,
    chain: str,
    *,
    draft: Sequence[str] | None = None,
    base_state: int = 0,
    with_effect: bool = True,
) -> ChainEditorLook:
    """Read a chain and what a draft of its list would change; nothing is written.

    Parameters
    ----------
    context : Context
        The repository.
    chain : str
        Its name.
    draft : sequence of str, optional
        Members in search order; by default as it is.
    base_state : int
        State of the list the draft was made for; 0: as it is now.
    with_effect : bool
        Look for what would change, too.

    Raises
    ------
    NotFoundError
        E-NOPARENT: there is no such chain.
    ConflictError
        E-COLLECTIONTYPE: it is a collection of another type.
    """
    with context.unit_of_work() as uow:
        found = _read(uow, chain, draft, base_state)
    command = _command(found, draft)
    if command is None:
        return found
    found = replace(found, is_counted=with_effect, line=to_line(command, reason=context.reason), given=_given(command))
    if not with_effect:
        return found
    try:
        effect = execute(replace(command, base_state=None), context, dry_run=True)
    except CabstandError as problem:
        return replace(found, problem=Problem(code=problem.code, text=problem.message, hint=problem.hint))
    return _with_effect(context, found, effect)


def default_chain(context: Context, instrument: str) -> str:
    """Return the top chain of an instrument, else of the first one there is."""
    with context.unit_of_work() as uow:
        return top_chain_of(instrument or next(iter(uow.repository.instruments()), ""))


def chain_names(context: Context, instrument: str) -> tuple[str, ...]:
    """Return every chain: the instrument's top chain, those of the others, then by name."""
    with context.unit_of_work() as uow:
        names = uow.associations.tree().children
        tops = [top_chain_of(one) for one in (instrument, *uow.repository.instruments()) if one]
    return tuple(dict.fromkeys([*(one for one in tops if one in names), *sorted(names)]))


def _chain(uow: "UnitOfWork", name: str) -> "CollectionRecord":
    record = uow.collections.find(name)
    if record is not None and record.type is CollectionType.CHAINED:
        return record
    if record is not None:
        raise ConflictError(
            f"{name} is a {record.type} collection; only CHAINED ones list others",
            hint="o chooses a chain, or cabstand query-collections --collection-type chained",
            code="E-COLLECTIONTYPE",
        )
    near = did_you_mean(name, [one.name for one in uow.collections.list(types=(CollectionType.CHAINED,))])
    hint = f"did you mean {near}?" if near else "o chooses one, or cabstand query-collections --collection-type chained"
    raise NotFoundError(f"no chain {name!r}", hint=hint, code="E-NOPARENT")


def _read(uow: "UnitOfWork", chain: str, draft: Sequence[str] | None, base_state: int) -> ChainEditorLook:
    record = _chain(uow, chain)
    tree = uow.associations.tree()
    old = tree.children.get(chain, ())
    version = uow.collections.last_change(record)
    base = base_state or version
    since = uow.collections.changed_states(chain, after=base)
    then = uow.associations.tree(at_state=base).children.get(chain, ()) if since else old
    wanted = tuple(draft) if draft is not None else old
    tops = [top_chain_of(one) for one in uow.repository.instruments()]
    entry = uow.journal.entry(version)
    who = [found for state in since if (found := uow.journal.entry(state)) is not None]
    return ChainEditorLook(
        chain=chain,
        version=version,
        version_text=f"state {version}, {entry.user}: {entry.summary}" if entry else f"state {version}",
        base_state=base,
        changed_by="; ".join(f"state {one.state} by {one.user}: {one.summary}" for one in who),
        rebased=_rebased(then, old, wanted) if since and draft is not None else (),
        now=tuple(_row(tree, name, place) for place, name in enumerate(old, 1)),
        draft=_drafted(tree, then, wanted),
        candidates=_candidates(tree, chain, wanted),
        is_live=bool(tree.live_through(chain, tops)),
        is_changed=wanted != then,
    )


def _rebased(then: tuple[str, ...], now: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    change = change_between(then, wanted)
    return rebased(change, then, now).applied(now) if change else now


def _row(tree: "CollectionTree", name: str, place: int) -> MemberRow:
    below = [member.name for member in tree.walk([name])]
    parsed = [found for one in (name, *below) if (found := find_name(one))]
    tags = tuple(dict.fromkeys(one.tag for one in parsed if one.tag))
    return MemberRow(
        name=name, type=str(tree.types.get(name, "missing")), tag=", ".join(tags), n_below=len(below), place=place
    )


def _drafted(tree: "CollectionTree", old: tuple[str, ...], new: tuple[str, ...]) -> tuple[MemberRow, ...]:
    """Return the drafted list with marks; who goes out stands behind the one it stood behind."""
    staying = [name for name in old if name in new]
    rank_before = {name: rank for rank, name in enumerate(staying)}
    rank_after = {name: rank for rank, name in enumerate(name for name in new if name in rank_before)}
    change = change_between(old, new)
    movers = set(change.children) if change and change.mode == "prepend" else set()
    rows: list[MemberRow] = []
    for place, name in enumerate(new, 1):
        row = _row(tree, name, place)
        if name not in rank_before:
            row = replace(row, mark="+")
        elif name in movers and rank_before[name] != rank_after[name]:
            row = replace(row, mark="~", moved=rank_before[name] - rank_after[name])
        rows.append(row)
    for at, name in enumerate(old):
        if name not in new:
            before = next((one for one in reversed(old[:at]) if any(row.name == one for row in rows)), None)
            index = next((i + 1 for i, row in enumerate(rows) if row.name == before), 0)
            rows.insert(index, replace(_row(tree, name, 0), mark="-"))
    return tuple(rows)


def _candidates(tree: "CollectionTree", chain: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    above = {chain, *tree.chains_above(chain)}
    kinds = (CollectionType.CHAINED, CollectionType.CALIBRATION)
    names = [name for name, kind in tree.types.items() if name not in wanted and name not in above]
    return tuple(
        sorted(names, key=lambda one: (tree.types[one] not in kinds, _newest_first(one), one))[:MOST_CANDIDATES]
    )


def _newest_first(name: str) -> int:
    parsed = find_name(name)
    number = parsed.ticket.rpartition("-")[2] if parsed and parsed.ticket else ""
    return -int(number) if number.isdecimal() else 0


def _command(found: ChainEditorLook, draft: Sequence[str] | None) -> CollectionChain | None:
    if draft is None or found.changed_by:
        return None
    change = change_between([one.name for one in found.now], draft)
    if change is None:
        return None
    return CollectionChain(
        parent=found.chain,
        children=change.children,
        mode=change.mode,
        drop=change.drop,
        base_state=found.base_state,
    )


def _given(command: CollectionChain) -> tuple[tuple[str, Any], ...]:
    given: dict[str, Any] = {
        "parent": command.parent,
        "children": list(command.children),
        "mode": command.mode,
        "drop": list(command.drop),
        "base_state": command.base_state,
    }
    return tuple((name, value) for name, value in given.items() if value not in (None, [], ""))


def _with_effect(context: Context, found: ChainEditorLook, effect: "Effect") -> ChainEditorLook:
    previews: Any = effect.data.get("previews", [])
    # The live chains' view is what counts; where none leads here, the list's own.
    seen = [one for one in previews if one["through"].endswith("(live)")] or previews[:1]
    with context.unit_of_work() as uow:
        effects = tuple(row for one in seen for row in _effect_rows(uow, one))
    counts = [one["exposures"] for one in seen]
    return replace(
        found,
        effects=effects,
        past=sum(one["past"] for one in counts),
        tonight=sum(one["tonight"] for one in counts),
        future=sum(one["future"] for one in counts),
        warnings=effect.warnings,
        confirm=effect.confirm,
        native=effect.native,
        inverse=effect.inverse,
    )


def _effect_rows(uow: "UnitOfWork", preview: Any) -> list[EffectRow]:
    rows = []
    for change in preview["changes"]:
        keys = [DataId.parse(one) for one in change["data_ids"]]
        timespan = Timespan(change["begin_tai_ns"], change["end_tai_ns"])
        instruments = {str(one.get("instrument", "")) for one in keys}
        filters = sorted({str(one["physical_filter"]) for one in keys if "physical_filter" in one})
        rows.append(
            EffectRow(
                dataset_type=change["dataset_type"],
                physical_filter=", ".join(filters),
                detectors=_detectors(keys),
                timespan=timespan_text(timespan),
                before=change["before"] or "",
                after=change["after"] or "",
                n_exposures=sum(uow.exposures.count_begun(one, timespan) for one in instruments if one),
            )
        )
    return rows


def _detectors(keys: Sequence[DataId]) -> str:
    numbers = {one["detector"] for one in keys if "detector" in one}
    if len(numbers) == 1:
        return f"det {next(iter(numbers))}"
    return f"{len(numbers)} det" if numbers else "-"
