"""What the modes of a chain do to its list: a list in, a list out, and the way back.

The rules are the Butler's: what is given keeps its order, and a member that is there already moves.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from calibstore.errors import NotFoundError, UserInputError

Names = tuple[str, ...]

MODES = ("prepend", "extend", "remove", "pop", "redefine")
"""What can be done to a list; there is no default."""
ADDITIVE = ("prepend", "extend", "redefine")
"""Modes that put members in."""
DROPPING = ("prepend", "extend")
"""Modes that may take other members out in the same state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChange:
    """One change of a list, in names."""

    mode: str
    children: Names = ()
    drop: Names = ()
    """Taken out in the same state."""

    @property
    def is_nothing(self) -> bool:
        """Whether it asks for nothing; a redefined list may be empty on purpose."""
        return not self.children and not self.drop and self.mode != "redefine"

    def applied(self, old: Sequence[str]) -> Names:
        """Return the list after the change; names to be taken out that are not in it are passed over.

        Parameters
        ----------
        old : sequence of str
            Members in search order.
        """
        given = tuple(dict.fromkeys(self.children))
        rest = tuple(name for name in old if name not in given and name not in self.drop)
        match self.mode:
            case "prepend":
                return (*given, *rest)
            case "extend":
                return (*rest, *given)
            case "redefine":
                return given
            case _:
                return rest


def popped(old: Sequence[str], places: Iterable[str], *, parent: str = "the chain") -> Names:
    """Return the members at some places, all resolved on the list as it is.

    Parameters
    ----------
    old : sequence of str
        Members in search order.
    places : iterable of str
        Whole numbers from 0 on; negative ones count from the end. None means the first.
    parent : str
        Name of the chain, for messages.

    Raises
    ------
    UserInputError
        If a place is no whole number.
    NotFoundError
        If a place is outside the list.
    """
    found = []
    for text in tuple(places) or ("0",):
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
            raise UserInputError(
                f"{text!r} is no place in {parent}: pop takes whole numbers, 0 for the first and -1 for the last",
                hint=f"to take it out by its name: cabstand collection-chain {parent} {text} --mode remove",
                code="E-PLACE",
            )
        place = int(text)
        if not -len(old) <= place < len(old):
            there = f"places 0 to {len(old) - 1}, or -1 to -{len(old)} from the end" if old else "no members"
            raise NotFoundError(
                f"place {place} is out of range: {parent} has {there}",
                hint=f"cabstand query-collections {parent} --chains table",
                code="E-PLACE",
            )
        found.append(old[place])
    return tuple(dict.fromkeys(found))


def change_between(old: Sequence[str], new: Sequence[str]) -> ListChange | None:
    """Return the one change that makes a list of another, touching as few members as possible; None when equal.

    Parameters
    ----------
    old, new : sequence of str
        As it is, and as it shall become.

    Notes
    -----
    Members that leave are dropped, and the shortest head of the new list is put first behind which the rest stands
    in its order already: what does not move is not named, so that members that somebody else adds meanwhile stay.
    """
    if tuple(old) == tuple(new):
        return None
    place_of = {name: place for place, name in enumerate(old)}
    at, following = len(new), len(old)
    while at and place_of.get(new[at - 1], following) < following:
        at -= 1
        following = place_of[new[at]]
    head = tuple(new[:at])
    staying = set(new)
    gone = tuple(name for name in old if name not in staying)
    return ListChange(mode="prepend", children=head, drop=gone) if head else ListChange(mode="remove", children=gone)


def rebased(change: ListChange, base: Sequence[str], now: Sequence[str]) -> ListChange:
    """Return a change that was made for one list as it would be on the list that somebody else made of it.

    Parameters
    ----------
    change : ListChange
        What was wanted.
    base : sequence of str
        The list it was made for.
    now : sequence of str
        The list as it is.

    Notes
    -----
    What the other took out stays out, unless the change itself brings it in; what the other put in stays.
    """
    taken_out = set(base) - set(now)
    children = tuple(name for name in change.children if name not in taken_out)
    if change.mode == "remove":
        return ListChange(mode="remove", children=children)
    if change.mode != "redefine":
        return ListChange(mode=change.mode, children=children, drop=tuple(name for name in change.drop if name in now))
    merged = list(children)
    for place in range(len(now) - 1, -1, -1):
        name = now[place]
        if name in base or name in merged:
            continue
        merged.insert(
            min((merged.index(other) for other in now[place + 1 :] if other in merged), default=len(merged)), name
        )
    return ListChange(mode="redefine", children=tuple(merged))


def is_taking_out_only(old: Sequence[str], new: Sequence[str]) -> bool:
    """Tell whether nothing comes in and nothing moves."""
    return [name for name in old if name in new] == list(new)
