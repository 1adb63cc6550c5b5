"""Changing a chain's list: prepend, extend or remove, with what it does to every look-up said first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import ConflictError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.collections import CollectionType, did_you_mean, validate_collection_name
from calibstore.model.names import find_name, top_chain_of
from calibstore.model.records import CollectionRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.gates import require_adopted
from calibstore.services.native import butler
from calibstore.services.previews import Preview, preview_everywhere
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

SAVED_CHAINS = "saved-chains"
"""Folder of the repository that keeps earlier lists of top chains outside the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One change of a list, read and checked."""

    command: CollectionChain
    parent: CollectionRecord | None
    """None: it is created."""
    children: tuple[CollectionRecord, ...]
    """As given, duplicates dropped."""
    old: tuple[str, ...]
    new: tuple[str, ...]
    is_strict: bool
    before: View
    after: View
    tops: tuple[str, ...]
    """Top chains of the instruments."""

    @property
    def is_top(self) -> bool:
        """Whether the list itself is a top chain."""
        return self.command.parent in self.tops

    @property
    def is_live(self) -> bool:
        """Whether a top chain leads to the list, or a chain that leads to a top chain."""
        return bool(self.after.tree.live_through(self.command.parent, self.tops))

    @property
    def is_above_top(self) -> bool:
        """Whether the list leads to a top chain."""
        return any(self.command.parent in self.after.tree.chains_above(top) for top in self.tops)

    @property
    def gaining(self) -> tuple[str, ...]:
        """Members that come in, or before one that stood before them: what needs a decision in an official chain."""
        was_above = any(self.command.parent in self.before.tree.chains_above(top) for top in self.tops)
        old = self.old if self.is_top or was_above else ()
        later = {name: set(old[place:]) for place, name in enumerate(old)}
        return tuple(
            name
            for place, name in enumerate(self.new)
            if name not in old or (name in self.command.children and set(self.new[place:]) & set(old) - later[name])
        )


def plan_collection_chain(
    command: CollectionChain, context: Context, uow: "UnitOfWork", _prepared: object = None
) -> Plan:
    """Plan a change of a chain; see `calibstore.services.actions.Handler`."""
    change = _read(command, uow)
    if change.parent is not None and change.new == change.old:
        same = f"nothing to do: {command.parent} lists {', '.join(change.old) or 'nothing'} already in that order"
        return Plan(effect=Effect(summary=same, data={"chain": list(change.old), "is_same": True}))
    change.after.tree.refuse_cycle(command.parent)
    warnings = _member_rules(change, context, uow)
    previews = preview_everywhere(uow, change.before, change.after, changed=command.parent, now_tai_ns=context.clock())
    effect = _effect(change, context, warnings, previews)

    def apply(uow: "UnitOfWork", state: int) -> None:
        if change.is_top:
            # Before the change is durable: what cannot be saved is not changed.
            _save_list(change, context, state)
        chain = uow.collections.register(command.parent, CollectionType.CHAINED, state=state)
        uow.collections.set_children(chain, tuple(uow.collections.get(name) for name in change.new), state=state)

    def after(done: Effect) -> Effect:
        path = _saved_path(change, context, done.state or 0)
        return replace(done, lines=(*done.lines, f"the former list is kept in {path}"))

    return Plan(effect=effect, apply=apply, after=after if change.is_top else None)


def _read(command: CollectionChain, uow: "UnitOfWork") -> _Change:
    _check_words(command)
    parent = uow.collections.find(command.parent)
    if parent is None:
        _check_missing_parent(command, uow)
    elif parent.type is not CollectionType.CHAINED:
        raise ConflictError(
            f"{command.parent} is a {parent.type} collection; only CHAINED ones list others",
            hint="cabstand query-collections --collection-type chained",
            code="E-COLLECTIONTYPE",
        )
    children = tuple(uow.collections.get(name) for name in dict.fromkeys(command.children))
    tops = tuple(top_chain_of(instrument) for instrument in uow.repository.instruments())
    listing = [chain.name for chain in uow.collections.parents(parent)] if parent else []
    before = load_view(uow, [*tops, *listing, command.parent, *(child.name for child in children)])
    old = before.tree.children.get(command.parent, ())
    new = _new_list(command, old, tuple(child.name for child in children))
    return _Change(
        command=command,
        parent=parent,
        children=children,
        old=old,
        new=new,
        is_strict=uow.repository.record().is_strict,
        before=before,
        after=before.with_children(command.parent, new),
        tops=tops,
    )


def _check_words(command: CollectionChain) -> None:
    if not command.mode:
        shown = to_line(replace(command, mode="prepend"))
        raise UserInputError(
            "collection-chain has no default mode: the Butler's replaces the whole list",
            hint=f"to put the members first: {shown}",
            code="E-NOMODE",
        )
    with_comma = [name for name in command.children if "," in name]
    if with_comma:
        apart = " ".join(part for name in command.children for part in name.split(",") if part)
        raise UserInputError(
            f"{with_comma[0]!r} contains a comma; members are separated by blanks", hint=f"give them as: {apart}"
        )


def _check_missing_parent(command: CollectionChain, uow: "UnitOfWork") -> None:
    if command.create and command.mode != "remove":
        validate_collection_name(command.parent)
        return
    near = did_you_mean(command.parent, [one.name for one in uow.collections.list(types=(CollectionType.CHAINED,))])
    create = "" if command.mode == "remove" else "if it is really new, add --create"
    guess = f"did you mean {near}?" if near else ""
    raise NotFoundError(
        f"no chain {command.parent!r}",
        hint="; ".join(part for part in (guess, create) if part)
        or "cabstand query-collections --collection-type chained",
        code="E-NOPARENT",
    )


def _new_list(command: CollectionChain, old: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    rest = tuple(name for name in old if name not in given)
    if command.mode == "prepend":
        return (*given, *rest)
    if command.mode == "extend":
        return (*rest, *given)
    strangers = [name for name in given if name not in old]
    if strangers:
        raise NotFoundError(
            f"{', '.join(strangers)} is not in {command.parent}",
            hint=f"its members: {', '.join(old) or 'none'}",
            code="E-NOTMEMBER",
        )
    return rest


def _member_rules(change: _Change, context: Context, uow: "UnitOfWork") -> list[str]:
    """Hold the added members against the rules of official chains; return warnings."""
    command = change.command
    added = [child for child in change.children if child.name not in change.old]
    warnings: list[str] = []
    if command.mode == "remove":
        return warnings
    inside = [child.name for child in added if child.name in change.tops]
    if inside and "/calib" in command.parent:
        told = f"{inside[0]} is a top chain; in {command.parent} everything that is live would apply twice"
        if change.is_strict:
            hint = f"name the members instead: cabstand query-collections {inside[0]}"
            raise UserInputError(told, hint=hint, code="E-TOPCHAIN")
        warnings.append(f"W-TOPCHAIN {told}")
    private = [child.name for child in added if child.name.startswith("u/")]
    if private and not command.parent.startswith("u/"):
        told = f"{', '.join(private)} is somebody's own collection, {command.parent} an official chain"
        if change.is_strict:
            hint = "certify it under a ticket instead: <instrument>/calib/<ticket>/<tag>/<type>.<rerun>"
            raise UserInputError(told, hint=hint, code="E-USERCOL")
        warnings.append(f"W-USERCOL {told}")
    if change.is_top:
        direct = [child for child in added if child.type is not CollectionType.CHAINED]
        warnings += [
            f"W-DIRECT {child.name} is a {child.type} collection, listed directly: a ticket chain can be taken out in "
            "one piece"
            for child in direct
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


def _require_adopted(change: _Change, context: Context, uow: "UnitOfWork") -> list[str]:
    warnings = []
    for name in change.gaining:
        if not change.is_top and (name in change.tops or not _holds_calibrations(change, name)):
            continue
        decision = require_adopted(uow, name, override=change.command.override, context=context)
        if decision is None:
            warnings.append(f"W-OVERRIDE {name} goes live against the board's gate: {context.reason}")
    return warnings


def _holds_calibrations(change: _Change, name: str) -> bool:
    """Tell raw frames, sky maps and the like, which no board decides on, from calibrations and empty ticket chains."""
    parsed = find_name(name)
    members = change.after.tree.walk([name])
    return (parsed is not None and bool(parsed.ticket)) or any(
        member.type is CollectionType.CALIBRATION or change.after.rows.get(member.name) for member in members
    )


def _live_tops(change: _Change) -> list[str]:
    """Return the chains through which the list is live, those first that list it themselves."""
    tree, parent = change.after.tree, change.command.parent
    return sorted(tree.live_through(parent, change.tops), key=lambda name: parent not in tree.children.get(name, ()))


def _effect(change: _Change, context: Context, warnings: Sequence[str], previews: Sequence[Preview]) -> Effect:
    command = change.command
    live_taken = sum(preview.counts.taken for preview in previews if preview.is_live)
    given = tuple(child.name for child in change.children)
    told = {"prepend": "put first in", "extend": "put last in", "remove": "take out of"}[command.mode]
    lines = [
        *(line for preview in previews for line in preview.lines()),
        f"{command.parent} would list, in search order:" if change.new else f"{command.parent} would be empty",
        *(f"  {place:>2}  {name}{'' if name in change.old else '  (new)'}" for place, name in enumerate(change.new, 1)),
    ]
    if change.parent is None:
        lines.insert(0, f"{command.parent} is new")
    all_warnings = [*warnings, *(one for preview in previews for one in preview.warnings())]
    if live_taken:
        all_warnings.append(f"W-PAST {live_taken} exposures already taken get another answer")
    tickets = {parsed.ticket for name in (command.parent, *given) if (parsed := find_name(name)) and parsed.ticket}
    return Effect(
        summary=f"{told} {command.parent}: {', '.join(given)}"
        + (f" ({live_taken} past exposures get another answer)" if live_taken else ""),
        lines=tuple(lines),
        warnings=tuple(all_warnings),
        native=(butler("collection-chain", context.root, "--mode", command.mode, command.parent, *given),),
        inverse=_inverse(change, given),
        next=(f"cabstand fingerprint {command.parent}",),
        confirm=command.parent if live_taken and change.is_strict else "",
        ask=True,
        data={
            "chain": list(change.new),
            "is_same": False,
            "is_live": change.is_live,
            "past_exposures_changed": live_taken,
            "previews": [preview.data for preview in previews],
        },
        ticket=tickets.pop() if len(tickets) == 1 else "",
        before={"chain": command.parent, "children": list(change.old)},
        after={"chain": command.parent, "children": list(change.new), "override": command.override},
    )


def _inverse(change: _Change, given: tuple[str, ...]) -> tuple[str, ...]:
    if change.command.mode != "remove" and not set(given) & set(change.old):
        return (to_line(CollectionChain(parent=change.command.parent, children=given, mode="remove")),)
    if not change.old:
        return ()
    # Prepending the whole former list gives its order again, whatever moved or went.
    return (to_line(CollectionChain(parent=change.command.parent, children=change.old, mode="prepend")),)


def _saved_path(change: _Change, context: Context, state: int) -> Path:
    return context.root / SAVED_CHAINS / f"{state}-{change.command.parent.replace('/', '_')}.txt"


def _save_list(change: _Change, context: Context, state: int) -> None:
    """Write the former list of a top chain beside the database, so that no fault of the store can lose it."""
    command = change.command
    head = [
        f"# {command.parent} before state {state} of {context.root.name}, by {context.user}",
        f"# changed by: {to_line(command, reason=context.reason)}",
        "# to have this list again without Cabstand, take out what is new and prepend these in order:",
    ]
    if change.old:
        head.append(f"# {butler('collection-chain', context.root, '--mode', 'prepend', command.parent, *change.old)}")
    write_atomically(_saved_path(change, context, state), ("\n".join([*head, *change.old]) + "\n").encode())


HANDLERS = {"collection-chain": Handler(plan=plan_collection_chain)}
