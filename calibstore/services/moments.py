"""Which state of the repository a question looks at: now, a numbered one, or the one of an instant."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import did_you_mean
from calibstore.model.search_path import CollectionTree
from calibstore.model.times import ns_to_iso, parse_time

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the repository."""

    at_state: int | None
    """None: as it is now."""
    number: int
    """The same as a number."""
    text: str
    """Such as ``state 12`` or ``state 7 of 12, written 2025-06-01T00:00:00 TAI by ada``."""

    @property
    def is_past(self) -> bool:
        """Whether a state was asked for."""
        return self.at_state is not None

    def lines(self) -> tuple[str, ...]:
        """Return the line that says so; nothing for the present."""
        return (f"as it was at {self.text}",) if self.is_past else ()


def read_moment(uow: "UnitOfWork", at_state: int | None = None, as_of: str = "") -> Moment:
    """Return the state that is meant.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    at_state : int, optional
        Its number.
    as_of : str
        An instant as people write it: the newest state by then is meant.

    Raises
    ------
    UserInputError
        E-STATE: both are given.
    NotFoundError
        E-STATE: there is no such state.
    """
    last = uow.journal.last_state()
    if at_state is None and not as_of:
        return Moment(None, last, f"state {last}")
    if at_state is not None and as_of:
        raise UserInputError(
            f"--at-state {at_state} and --as-of {as_of} both say when", hint="give one of them", code="E-STATE"
        )
    if as_of:
        instant = parse_time(as_of).tai_ns
        at_state = uow.journal.state_at(instant)
        if not at_state:
            first = uow.journal.entry(1)
            begun = f"its first state is of {ns_to_iso(first.at_tai_ns, 0)} TAI" if first else "it has no state"
            raise NotFoundError(
                f"the repository did not exist at {ns_to_iso(instant, 0)} TAI", hint=begun, code="E-STATE"
            )
    assert at_state is not None
    entry = uow.journal.entry(at_state)
    if entry is None:
        raise NotFoundError(
            f"the repository has no state {at_state}",
            hint=f"it has 1 to {last}: cabstand journal lists them",
            code="E-STATE",
        )
    return Moment(
        at_state, at_state, f"state {at_state} of {last}, {ns_to_iso(entry.at_tai_ns, 0)} TAI, by {entry.user}"
    )


def require_collection(tree: CollectionTree, name: str, moment: Moment) -> None:
    """Check that a collection exists at a moment.

    Raises
    ------
    NotFoundError
        E-COLLECTION: it does not; the hint offers the nearest name.
    """
    if name in tree.types:
        return
    near = did_you_mean(name, list(tree.types))
    when = f" at state {moment.number}" if moment.is_past else ""
    listing = f"cabstand query-collections lists them; a former one: cabstand history {name}"
    hint = f"did you mean {near}?" if near else listing
    raise NotFoundError(f"no collection {name!r}{when}", hint=hint, code="E-COLLECTION")


def require_order(begin_tai_ns: int, end_tai_ns: int) -> None:
    """Refuse a view that ends before it begins.

    Raises
    ------
    UserInputError
        E-TIMEORDER: with both times as they were understood.
    """
    if begin_tai_ns >= end_tai_ns:
        raise UserInputError(
            f"--from {ns_to_iso(begin_tai_ns)} TAI is not before --to {ns_to_iso(end_tai_ns)} TAI",
            hint="exchange them, or leave one out",
            code="E-TIMEORDER",
        )
