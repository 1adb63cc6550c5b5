"""Changing a chain's list, with what it does to every look-up said first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.chain_lists import change_between
from calibstore.model.collections import CollectionType
from calibstore.model.names import find_name
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.chain_change import ChainChange, read_change
from calibstore.services.context import Context
from calibstore.services.gates import require_adopted
from calibstore.services.native import butler, butler_python
from calibstore.services.previews import Preview, preview_everywhere
from calibstore.services.registering import register_native

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

SAVED_CHAINS = "saved-chains"
"""Folder of the repository that keeps earlier lists of top chains outside the database."""


def plan_collection_chain(
    command: CollectionChain, context: Context, uow: "UnitOfWork", _prepared: object = None
) -> Plan:
    """Plan a change of a chain; see `calibstore.services.actions.Handler`."""
    change = read_change(command, uow)
    if change.parent is not None and change.new == change.old:
        same = f"nothing to do: {command.parent} lists {', '.join(change.old) or 'nothing'} already in that order"
        data = {"chain": list(change.old), "is_same": True, "base_state": change.version}
        return Plan(effect=Effect(summary=same, warnings=change.notes, data=data))
    change.after.tree.refuse_cycle(command.parent)
    warnings = [*change.notes, *_member_rules(change, context, uow), *_emptiness(change, uow)]
    previews = preview_everywhere(uow, change.before, change.after, changed=command.parent, now_tai_ns=context.clock())
    _refuse_rejected(change, previews)
    effect = _effect(change, context, warnings, previews)

    def apply(uow: "UnitOfWork", state: int) -> None:
        if change.is_top:
            # Before the change is durable: what cannot be saved is not changed.
            _save_list(change, context, state)
        chain = uow.collections.register(command.parent, CollectionType.CHAINED, state=state, doc=command.doc)
        known = {one.name: one for one in uow.collections.children(chain)}
        members = tuple(known.get(name) or uow.collections.get(name) for name in change.new)
        uow.collections.set_children(chain, members, state=state)

    def after(done: Effect) -> Effect:
        path = saved_path(context, command.parent, done.state or 0)
        return replace(done, lines=(*done.lines, f"the former list is kept in {path}"))

    return Plan(effect=effect, apply=apply, after=after if change.is_top else None)


def _member_rules(change: ChainChange, context: Context, uow: "UnitOfWork") -> list[str]:
    """Hold the change against the rules of official chains; return warnings."""
    command, added, types = change.command, change.added, change.after.tree.types
    warnings: list[str] = []
    if command.mode == "redefine" and change.is_strict and change.is_live:
        wanted = change_between(change.old, change.new)
        raise WorkflowError(
            f"{command.parent} is live: its list is not replaced as a whole",
            hint=f"the same, member by member: {change.line(wanted, base_state=change.version)}" if wanted else "",
            code="E-REDEFINE",
        )
    if change.is_taking_out_only:
        return warnings
    inside = [name for name in added if name in change.tops]
    if inside and "/calib" in command.parent:
        told = f"{inside[0]} is a top chain; in {command.parent} everything that is live would apply twice"
        if change.is_strict:
            hint = f"name the members instead: cabstand query-collections {inside[0]}"
            raise UserInputError(told, hint=hint, code="E-TOPCHAIN")
        warnings.append(f"W-TOPCHAIN {told}")
    private = [name for name in added if name.startswith("u/")]
    if private and not command.parent.startswith("u/"):
        told = f"{', '.join(private)} is somebody's own collection, {command.parent} an official chain"
        if change.is_strict:
            hint = "certify it under a ticket instead: <instrument>/calib/<ticket>/<tag>/<type>.<rerun>"
            raise UserInputError(told, hint=hint, code="E-USERCOL")
        warnings.append(f"W-USERCOL {told}")
    if change.is_top:
        warnings += [
            f"W-DIRECT {name} is a {types[name]} collection, listed directly: a ticket chain can be taken out in "
            "one piece"
            for name in added
            if types[name] is not CollectionType.CHAINED
        ]
    if change.is_live:
        tagged = [one.name for one in change.after.tree.walk(added) if one.type is CollectionType.TAGGED]
        warnings += [
            f"W-TAGGED {name} is a TAGGED collection: it has no ranges, so it applies to every exposure; "
            f"{command.parent} is searched by processing"
            for name in tagged
        ]
    if change.is_strict and (change.is_top or change.is_above_top):
        warnings += _require_adopted(change, context, uow)
    elif change.is_live and change.is_strict:
        raise WorkflowError(
            f"{command.parent} is live: its change would be live at once, before any decision on it",
            hint="use a new ticket, or take this one out first: cabstand collection-chain "
            f"{_live_tops(change)[0]} {command.parent} --mode remove",
            code="E-LIVE",
        )
    return warnings


def _emptiness(change: ChainChange, uow: "UnitOfWork") -> list[str]:
    """Return warnings about a list that leads nowhere, and about new members that hold nothing."""
    tree = change.after.tree
    below = {name: [member.name for member in tree.walk([name])] for name in change.added}
    holding = uow.collections.holding(leaf for leaves in below.values() for leaf in leaves)
    hollow = [name for name, leaves in below.items() if not holding.intersection(leaves)]
    warnings = [f"W-EMPTYMEMBER {name} holds nothing yet: a search passes it by" for name in hollow]
    if not change.new:
        warnings.append(f"W-EMPTYCHAIN {change.command.parent} lists nothing then: a search through it finds nothing")
    return warnings


def _require_adopted(change: ChainChange, context: Context, uow: "UnitOfWork") -> list[str]:
    warnings = []
    for name in change.gaining:
        if not change.is_top and (name in change.tops or not _holds_calibrations(change, name)):
            continue
        decision = require_adopted(uow, name, override=change.command.override, context=context)
        if decision is None:
            warnings.append(f"W-OVERRIDE {name} goes live against the board's gate: {context.reason}")
    return warnings


def _refuse_rejected(change: ChainChange, previews: Sequence[Preview]) -> None:
    """Refuse to bring in what the board rejected, also under the name of a ticket that it adopted.

    Taking out is never refused for what comes up then: that is told, and to be confirmed.
    """
    rejected = [one for preview in previews for one in preview.rejected]
    if rejected and change.is_strict and not change.is_taking_out_only and not change.command.override:
        raise WorkflowError(
            rejected[0].coming_up(),
            hint=f"see {rejected[0].collection} and {rejected[0].ticket}: cabstand campaign show {rejected[0].ticket}",
            code="E-REJECTED",
        )


def _holds_calibrations(change: ChainChange, name: str) -> bool:
    """Tell raw frames, sky maps and the like, which no board decides on, from calibrations and empty ticket chains."""
    parsed = find_name(name)
    members = change.after.tree.walk([name])
    return (parsed is not None and bool(parsed.ticket)) or any(
        member.type is CollectionType.CALIBRATION or change.after.rows.get(member.name) for member in members
    )


def _live_tops(change: ChainChange) -> list[str]:
    """Return the chains through which the list is live, those first that list it themselves."""
    tree, parent = change.after.tree, change.command.parent
    return sorted(tree.live_through(parent, change.tops), key=lambda name: parent not in tree.children.get(name, ()))


def _effect(change: ChainChange, context: Context, warnings: Sequence[str], previews: Sequence[Preview]) -> Effect:
    command = change.command
    live_taken = sum(preview.counts.taken for preview in previews if preview.is_live)
    any_taken = any(preview.counts.taken for preview in previews)
    lines = [
        *(line for preview in previews for line in preview.lines()),
        f"{command.parent} would list, in search order:" if change.new else f"{command.parent} would be empty",
        *(f"  {place:>2}  {name}{'' if name in change.old else '  (new)'}" for place, name in enumerate(change.new, 1)),
        *(f"   -  {name}  (out)" for name in change.gone),
    ]
    if change.parent is None:
        lines.insert(0, f"{command.parent} is new")
    all_warnings = [*warnings, *(one for preview in previews for one in preview.warnings())]
    if live_taken:
        all_warnings.append(f"W-PAST {live_taken} exposures already taken get another answer")
    named = (command.parent, *change.asked.children, *change.asked.drop)
    tickets = {parsed.ticket for name in named if (parsed := find_name(name)) and parsed.ticket}
    is_rejected = any(preview.rejected for preview in previews)
    is_marked = bool(live_taken) or is_rejected
    is_confirmed_by_name = (is_marked and change.is_strict) or (any_taken and command.mode == "redefine")
    back = change_between(change.new, change.old)
    return Effect(
        summary=_summary(change) + (f" ({live_taken} past exposures get another answer)" if live_taken else ""),
        lines=tuple(lines),
        warnings=tuple(all_warnings),
        native=_native(change, context),
        # Where the list was changed by somebody else meanwhile, this touches no more than the change did.
        inverse=(change.line(back),) if back else (),
        next=(f"cabstand fingerprint {command.parent}",),
        confirm=command.parent if is_confirmed_by_name else "",
        ask=True,
        data={
            "chain": list(change.new),
            "is_same": False,
            "is_live": change.is_live,
            "base_state": change.version,
            "past_exposures_changed": live_taken,
            "previews": [preview.data for preview in previews],
        },
        ticket=tickets.pop() if len(tickets) == 1 else "",
        before={"chain": command.parent, "children": list(change.old)},
        after={"chain": command.parent, "children": list(change.new), "override": command.override},
    )


def _summary(change: ChainChange) -> str:
    parent, asked = change.command.parent, change.asked
    out = f"take out of {parent}: {', '.join(asked.drop or asked.children)}"
    if asked.mode == "remove" or not (asked.children or change.command.empty):
        return out
    if asked.mode == "redefine":
        return f"replace the list of {parent} by: {', '.join(asked.children) or 'nothing'}"
    told = "put first in" if asked.mode == "prepend" else "put last in"
    also = f"; take out: {', '.join(asked.drop)}" if asked.drop else ""
    return f"{told} {parent}: {', '.join(asked.children)}{also}"


def _native(change: ChainChange, context: Context) -> tuple[str, ...]:
    """Return lines that name what is put in and taken out: places and flattening may mean something else elsewhere."""
    parent, asked = change.command.parent, change.asked
    if change.parent is None and not asked.children:
        return (register_native(context, parent, CollectionType.CHAINED, change.command.doc),)
    if asked.mode == "redefine" and not asked.children:
        return (butler_python(context.root, f"collections.redefine_chain({parent!r}, [])"),)
    doc = ("--doc", change.command.doc) if change.parent is None and change.command.doc else ()
    steps = [(asked.mode, asked.children), ("remove", asked.drop)]
    return tuple(
        butler("collection-chain", context.root, "--mode", mode, *(doc if mode != "remove" else ()), parent, *names)
        for mode, names in steps
        if names
    )


def saved_path(context: Context, chain: str, state: int) -> Path:
    """Return where the list that a top chain had before a state is kept."""
    return context.root / SAVED_CHAINS / f"{state}-{chain.replace('/', '_')}.txt"


def _save_list(change: ChainChange, context: Context, state: int) -> None:
    line = to_line(change.command, reason=context.reason)
    saved_list(context, change.command.parent, change.old, state=state, line=line)


def saved_list(context: Context, chain: str, old: Sequence[str], *, state: int, line: str) -> None:
    """Write the former list of a top chain beside the database, so that no fault of the store can lose it.

    Parameters
    ----------
    context : Context
        The repository.
    chain : str
        The top chain.
    old : sequence of str
        Its list before the change.
    state : int
        The state that changes it.
    line : str
        What changes it.
    """
    head = [
        f"# {chain} before state {state} of {context.root.name}, by {context.user}",
        f"# changed by: {line}",
        "# to have this list again without Cabstand, take out what is new and prepend these in order:",
    ]
    if old:
        head.append(f"# {butler('collection-chain', context.root, '--mode', 'prepend', chain, *old)}")
    write_atomically(saved_path(context, chain, state), ("\n".join([*head, *old]) + "\n").encode())


HANDLERS = {"collection-chain": Handler(plan=plan_collection_chain)}
