"""What the state history screen reads: windows of states with what each changed, and which can be taken back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.errors import NotFoundError
from calibstore.model.collections import CollectionType
from calibstore.services.context import Context
from calibstore.services.looks.journal import EntryRow, entry_row
from calibstore.services.reversal import why_not
from calibstore.services.state_ledger import REDO, UNDO, UNDOABLE, Ledger, load_ledger

if TYPE_CHECKING:
    from calibstore.db.states import StateSummary
    from calibstore.db.unit_of_work import UnitOfWork

MOST_STATES: Final = 2_000
"""So many states of one collection are listed, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A state in the table."""

    entry: EntryRow
    chains: tuple[str, ...] = ()
    """Chains whose list became another one."""
    collections: tuple[str, ...] = ()
    """Collections whose ranges or tags changed, or that were made or removed."""
    n_opened: int = 0
    """Certifications and tags."""
    n_closed: int = 0
    undone_by: int | None = None
    """State that took it back, while it is so."""
    about: int | None = None
    """Of an undo or redo: the state it is about."""
    why_not: str = ""
    """Why it cannot be undone; empty where it can, as far as its own rows tell."""

    @property
    def is_undoable(self) -> bool:
        """Whether undo may be offered."""
        return not self.why_not


@dataclass(frozen=True, slots=True, kw_only=True)
class StatesLook:
    """How many states there are, and what undo and redo would act on."""

    n_states: int
    """As narrowed."""
    last_state: int
    next_undo: int | None = None
    next_redo: int | None = None
    of: str = ""
    """Collection the states are narrowed to."""
    is_chain: bool = False
    """Whether that is a chain: only states that changed its list are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListThen:
    """A chain's list at a state beside the one it has."""

    chain: str
    state: int
    then: tuple[str, ...]
    now: tuple[str, ...]
    line: str
    """What restores it; empty where nothing differs."""


def states_look(context: Context, *, of: str = "") -> StatesLook:
    """Read how many states there are.

    Parameters
    ----------
    context : Context
        The repository.
    of : str
        Only states that changed the list of this chain, or this collection.

    Raises
    ------
    NotFoundError
        E-COLLECTION: there is no such collection.
    """
    with context.unit_of_work() as uow:
        ledger = load_ledger(uow)
        undoable = (
            state
            for state in reversed(ledger.done)
            if ledger.is_in_force(state) and not why_not(True, uow.states.summaries([state])[state])
        )
        states = _states_of(uow, of)
        return StatesLook(
            n_states=uow.journal.count() if states is None else len(states),
            last_state=uow.journal.last_state(),
            next_undo=next(undoable, None),
            next_redo=ledger.next_redo(),
            of=of,
            is_chain=bool(of) and uow.collections.get(of).type is CollectionType.CHAINED,
        )


def states_window(context: Context, offset: int, limit: int, *, of: str = "") -> tuple[StateRow, ...]:
    """Read some states, the newest first."""
    with context.unit_of_work() as uow:
        ledger = load_ledger(uow)
        states = _states_of(uow, of)
        if states is None:
            entries = list(uow.journal.newest(offset, limit))
        else:
            wanted = states[offset : offset + limit]
            entries = [entry for state in wanted if (entry := uow.journal.entry(state)) is not None]
        rows = uow.states.summaries([entry.state for entry in entries])
        return tuple(_row(entry_row(entry), rows[entry.state], ledger) for entry in entries)


def _states_of(uow: "UnitOfWork", name: str) -> tuple[int, ...] | None:
    """Return the states that changed a chain's list or another collection, the newest first; None: all."""
    if not name:
        return None
    record = uow.collections.get(name)
    if record.type is CollectionType.CHAINED:
        return tuple(reversed(uow.collections.changed_states(name, after=0)))
    return uow.holdings.states_of(record, last=MOST_STATES)


def list_then(context: Context, chain: str, state: int) -> ListThen:
    """Read a chain's list at a state, for a screen that offers to restore it.

    Raises
    ------
    NotFoundError
        E-NOPARENT: there was no such chain then.
    """
    from calibstore.commands.fields import to_line
    from calibstore.commands.states import Restore
    from calibstore.services.restoring import chain_at

    with context.unit_of_work() as uow:
        then, now = chain_at(uow, chain, state), _now(uow, chain)
    line = to_line(Restore(chain=chain, to_state=state)) if then != now else ""
    return ListThen(chain=chain, state=state, then=then, now=now, line=line)


def _now(uow: "UnitOfWork", chain: str) -> tuple[str, ...]:
    found = uow.associations.tree().children.get(chain)
    if found is None:
        raise NotFoundError(f"there is no chain {chain!r}", hint=f"cabstand history {chain}", code="E-NOPARENT")
    return found


def _row(entry: EntryRow, rows: "StateSummary", ledger: Ledger) -> StateRow:
    return StateRow(
        entry=entry,
        chains=rows.chains,
        collections=rows.collections,
        n_opened=rows.n_opened,
        n_closed=rows.n_closed,
        undone_by=ledger.undone_by(entry.state),
        about=ledger.about(entry.state) if entry.verb in (UNDO, REDO) else None,
        why_not=_why_not(entry, rows, ledger),
    )


def _why_not(entry: EntryRow, rows: "StateSummary", ledger: Ledger) -> str:
    if entry.verb in (UNDO, REDO):
        return f"it is the {entry.verb} of state {ledger.about(entry.state)}"
    by = ledger.undone_by(entry.state)
    if by is not None:
        return f"it is undone, by state {by}"
    return why_not(entry.verb in UNDOABLE, rows)
