"""One change of a chain's list, read and checked: who comes, who goes, and what the list was when it was looked at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.errors import ConflictError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.chain_lists import (
    ADDITIVE,
    DROPPING,
    ListChange,
    change_between,
    is_taking_out_only,
    popped,
    rebased,
)
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.names import top_chain_of
from calibstore.model.records import CollectionRecord
from calibstore.services.registering import check_new_name, check_same
from calibstore.services.segments import View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN_STATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainChange:
    """One change of a list, read and checked."""

    command: CollectionChain
    parent: CollectionRecord | None
    """None: it is created."""
    asked: ListChange
    """In names, each once: places resolved, chains flattened where asked."""
    old: tuple[str, ...]
    new: tuple[str, ...]
    notes: tuple[str, ...]
    """Warnings about the line itself."""
    is_strict: bool
    before: View
    after: View
    tops: tuple[str, ...]
    """Top chains of the instruments."""
    version: int
    """State that last changed the list; 0 for a new one."""

    @property
    def added(self) -> tuple[str, ...]:
        """Members that come in."""
        return tuple(name for name in self.new if name not in self.old)

    @property
    def gone(self) -> tuple[str, ...]:
        """Members that go out."""
        return tuple(name for name in self.old if name not in self.new)

    @property
    def is_taking_out_only(self) -> bool:
        """Whether nothing comes in and nothing moves."""
        return is_taking_out_only(self.old, self.new)

    @property
    def is_top(self) -> bool:
        """Whether the list itself is a top chain."""
        return self.command.parent in self.tops

    @property
    def is_live(self) -> bool:
        """Whether a top chain leads to the list, or a chain that leads to a top chain."""
        return any(view.tree.live_through(self.command.parent, self.tops) for view in (self.before, self.after))

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
            if name not in old or (name in self.asked.children and set(self.new[place:]) & set(old) - later[name])
        )

    def line(self, change: ListChange, *, base_state: int | None = None) -> str:
        """Return the ``cabstand`` line of another change of the same list."""
        return to_line(
            CollectionChain(
                parent=self.command.parent,
                children=change.children,
                mode=change.mode,
                drop=change.drop,
                base_state=base_state,
            )
        )


def read_change(command: CollectionChain, uow: "UnitOfWork") -> ChainChange:
    """Read one change of a chain and refuse what it cannot mean.

    Raises
    ------
    CabstandError
        E-NOMODE, E-MODE, E-CHILDREN, E-PLACE, E-NOTMEMBER, E-NOPARENT, E-COLLECTIONTYPE, E-COLLECTION, E-DOC, E-STATE,
        E-CHANGED.
    """
    _check_words(command)
    parent = uow.collections.find(command.parent)
    notes = _check_parent(command, parent, uow)
    old = tuple(child.name for child in uow.collections.children(parent)) if parent else ()
    if parent is not None:
        _check_base(command, old, uow)
    given, more = _given(command, old, uow)
    asked = ListChange(
        mode="remove" if command.mode == "pop" else command.mode,
        children=given,
        drop=tuple(dict.fromkeys(command.drop)),
    )
    _check_members(command, asked, old)
    new = asked.applied(old)
    tops = tuple(top_chain_of(instrument) for instrument in uow.repository.instruments())
    listing = [chain.name for chain in uow.collections.parents(parent)] if parent else []
    before = load_view(uow, [*tops, *listing, command.parent, *given])
    return ChainChange(
        command=command,
        parent=parent,
        asked=asked,
        old=old,
        new=new,
        notes=(*notes, *more),
        is_strict=uow.repository.record().is_strict,
        before=before,
        after=before.with_children(command.parent, new),
        tops=tops,
        version=uow.collections.last_change(parent) if parent else 0,
    )


def _check_words(command: CollectionChain) -> None:
    mode, children = command.mode, command.children
    if not mode and (children or command.drop):
        raise UserInputError(
            "collection-chain has no default mode: the Butler's replaces the whole list",
            hint=f"to put the members first: {to_line(replace(command, mode='prepend'))}",
            code="E-NOMODE",
        )
    with_comma = [name for name in (*children, *command.drop) if "," in name]
    if with_comma:
        apart = " ".join(part for name in children for part in name.split(",") if part)
        raise UserInputError(
            f"{with_comma[0]!r} contains a comma; members are separated by blanks", hint=f"give them as: {apart}"
        )
    for is_given, option, modes in (
        (bool(command.drop), "--drop", DROPPING),
        (command.flatten, "--flatten", ADDITIVE),
        (command.empty, "--empty", ("redefine",)),
    ):
        if is_given and mode and mode not in modes:
            raise UserInputError(
                f"{option} does not go with --mode {mode}", hint=f"{option} goes with {', '.join(modes)}", code="E-MODE"
            )
    if children and command.empty:
        raise UserInputError(f"--empty, but {children[0]} is given", hint="give members, or --empty", code="E-MODE")
    if not children and not command.drop and not command.empty and mode != "pop":
        raise UserInputError(
            f"CHILDREN is missing: {mode or 'a change'} needs members",
            hint="to leave a chain empty on purpose: --mode redefine --empty"
            if mode == "redefine"
            else "cabstand collection-chain --help",
            code="E-CHILDREN",
        )


def _check_parent(command: CollectionChain, parent: CollectionRecord | None, uow: "UnitOfWork") -> list[str]:
    """Refuse a parent that is no chain or a slip; return warnings about a new one."""
    if parent is not None:
        if parent.type is not CollectionType.CHAINED:
            raise ConflictError(
                f"{command.parent} is a {parent.type} collection; only CHAINED ones list others",
                hint="cabstand query-collections --collection-type chained",
                code="E-COLLECTIONTYPE",
            )
        check_same(parent, CollectionType.CHAINED, doc=command.doc)
        return []
    can_be_new = command.mode in ADDITIVE and not command.drop
    if command.create and can_be_new:
        return check_new_name(uow, command.parent, CollectionType.CHAINED)
    near = did_you_mean(command.parent, [one.name for one in uow.collections.list(types=(CollectionType.CHAINED,))])
    create = "if it is really new, add --create" if can_be_new else ""
    guess = f"did you mean {near}?" if near else ""
    raise NotFoundError(
        f"no chain {command.parent!r}",
        hint="; ".join(part for part in (guess, create) if part)
        or "cabstand query-collections --collection-type chained",
        code="E-NOPARENT",
    )


def _given(
    command: CollectionChain, old: tuple[str, ...], uow: "UnitOfWork"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the members meant, each once, and warnings."""
    notes = []
    unique = tuple(dict.fromkeys(command.children))
    if len(unique) < len(command.children):
        twice = sorted({name for name in command.children if command.children.count(name) > 1})
        notes.append(f"W-TWICE {', '.join(twice)} is given more than once: the first place counts")
    if command.mode == "pop":
        return popped(old, unique, parent=command.parent), tuple(notes)
    for name in (*unique, *command.drop):
        uow.collections.get(name)
    if not command.flatten:
        return unique, tuple(notes)
    leaves = tuple(member.name for member in uow.associations.tree().walk(unique))
    if unique and not leaves:
        raise UserInputError(
            f"{', '.join(unique)} leads to nothing", hint="leave out --flatten, or name others", code="E-CHILDREN"
        )
    return leaves, tuple(notes)


def _check_members(command: CollectionChain, asked: ListChange, old: tuple[str, ...]) -> None:
    leaving = asked.children if asked.mode == "remove" else asked.drop
    strangers = [name for name in leaving if name not in old]
    if strangers:
        raise NotFoundError(
            f"{', '.join(strangers)} is not in {command.parent}",
            hint=f"its members: {', '.join(old) or 'none'}",
            code="E-NOTMEMBER",
        )
    both = [name for name in asked.drop if name in asked.children]
    if both:
        raise UserInputError(
            f"{both[0]} is to be put in and taken out", hint="give it once: as a member or with --drop", code="E-MODE"
        )


def _check_base(command: CollectionChain, now: tuple[str, ...], uow: "UnitOfWork") -> None:
    """Refuse a change made for a list that is no more; say who changed it, and offer the change on the list as it is.

    Raises
    ------
    UserInputError
        E-STATE: there is no such state yet.
    WorkflowError
        E-CHANGED.
    """
    base = command.base_state
    if base is None:
        return
    last = uow.journal.last_state()
    if not 0 <= base <= last:
        raise UserInputError(
            f"--base-state {base}: there are states 0 to {last}",
            hint="give the state that was looked at, or leave it out",
            code="E-STATE",
        )
    states = uow.collections.changed_states(command.parent, after=base)
    if not states:
        return
    lists = uow.associations.tree(at_state=base).children
    then = lists.get(command.parent, ())
    entries = [entry for state in states[-_SHOWN_STATES:] if (entry := uow.journal.entry(state)) is not None]
    who = "; ".join(f"state {one.state} by {one.user}: {one.summary or one.line}" for one in entries)
    raise WorkflowError(
        f"{command.parent} changed since state {base} "
        f"({_difference(then, now) if command.parent in lists else 'it is new since'}): {who}; nothing was written",
        hint=_rebased_hint(command, then, now, states[-1]),
        code="E-CHANGED",
    )


def _rebased_hint(command: CollectionChain, then: tuple[str, ...], now: tuple[str, ...], state: int) -> str:
    if command.mode == "pop":
        try:
            wanted = ListChange(mode="remove", children=popped(then, command.children, parent=command.parent))
        except NotFoundError:
            # Not even then was there such a place; that the list changed is what must be told.
            return f"look at the list as it is: cabstand query-collections {command.parent} --chains table"
    else:
        wanted = ListChange(mode=command.mode, children=command.children, drop=command.drop)
    moved = rebased(wanted, then, now)
    if moved.is_nothing or (not command.flatten and moved.applied(now) == now):
        return "nothing of it is left to do"
    line = to_line(
        replace(command, mode=moved.mode, children=moved.children, drop=moved.drop, base_state=state, create=False)
    )
    return f"the same on the list as it is now: {line}"


def _difference(then: Sequence[str], now: Sequence[str]) -> str:
    change = change_between(then, now)
    if change is None:
        return "the same members in the same order again"
    words = [f"+{name}" for name in now if name not in then] + [f"-{name}" for name in then if name not in now]
    return " ".join(words) or "another order"
