"""What the Journal screen reads: windows of entries, one entry whole, and whether the seals hold."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.errors import NotFoundError
from calibstore.model.times import describe
from calibstore.services.context import Context
from calibstore.services.journal_check import check_journal

if TYPE_CHECKING:
    from calibstore.model.records import JournalEntry

_MOST_CHARACTERS: Final = 2_000
"""So much of one value of before and after is shown."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry in the table."""

    state: int
    at_tai_ns: int
    user: str
    verb: str
    ticket: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLook:
    """One entry whole."""

    row: EntryRow
    at_text: str
    """The instant in TAI, UTC and day_obs."""
    host: str
    line: str
    reason: str
    before: tuple[tuple[str, str], ...]
    after: tuple[tuple[str, str], ...]
    native: tuple[str, ...]
    seal: str
    previous_seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLook:
    """How many entries there are, the newest ones, and one of them whole."""

    n_entries: int
    """As narrowed."""
    n_all: int
    holding: str
    ticket: str
    is_one: bool = False
    """An entry was asked for by its number."""
    place: int
    """Row of the entry shown whole, the newest entry being row 0."""
    rows: tuple[EntryRow, ...] = ()
    """Only where asked for, else the screen reads windows."""
    detail: EntryLook | None = None


@dataclass(frozen=True, slots=True)
class SealLook:
    """Whether every entry fits its seal."""

    is_whole: bool
    n_entries: int
    text: str


def journal_look(
    context: Context, *, holding: str = "", ticket: str = "", state: int = 0, with_rows: bool = False
) -> JournalLook:
    """Read how many entries there are, and one whole.

    Parameters
    ----------
    context : Context
        The repository.
    holding : str
        Only entries that hold these words.
    ticket : str
        Only entries of a ticket.
    state : int
        The entry to show whole; 0: the newest one.
    with_rows : bool
        Read all rows too.

    Raises
    ------
    NotFoundError
        If there is no entry of that state.
    """
    with context.unit_of_work() as uow:
        n_entries = uow.journal.count(holding=holding, ticket=ticket)
        n_all = uow.journal.count()
        found = uow.journal.newest(0, n_entries if with_rows and not state else 1, holding=holding, ticket=ticket)
        entry = uow.journal.entry(state) if state else next(iter(found), None)
        if state and entry is None:
            raise NotFoundError(f"the journal has no entry {state}", hint=f"it has 1 to {n_all}", code="E-STATE")
        place = uow.journal.place_of(state, holding=holding, ticket=ticket) if state else 0
    return JournalLook(
        n_entries=n_entries,
        n_all=n_all,
        holding=holding,
        ticket=ticket,
        is_one=bool(state),
        place=place,
        rows=tuple(entry_row(one) for one in found) if with_rows else (),
        detail=_whole(entry) if entry is not None else None,
    )


def journal_window(
    context: Context, offset: int, limit: int, *, holding: str = "", ticket: str = ""
) -> tuple[EntryRow, ...]:
    """Read some rows, the newest first."""
    with context.unit_of_work() as uow:
        return tuple(entry_row(one) for one in uow.journal.newest(offset, limit, holding=holding, ticket=ticket))


def entry_look(context: Context, state: int) -> EntryLook | None:
    """Read one entry whole; None where there is none."""
    with context.unit_of_work() as uow:
        entry = uow.journal.entry(state)
    return _whole(entry) if entry is not None else None


def seal_look(context: Context) -> SealLook:
    """Check every entry against its seal."""
    with context.unit_of_work() as uow:
        faults, n_entries = check_journal(uow), uow.journal.count()
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        text = (
            f"state {faults[0].state}: {faults[0].what}{more}: compare with a backup of the store; "
            "what follows this state cannot be trusted"
        )
        return SealLook(False, n_entries, text)
    return SealLook(True, n_entries, f"{n_entries} entries, none altered")


def entry_row(entry: "JournalEntry") -> EntryRow:
    """Return an entry as a row of a table."""
    summary = " ".join(entry.summary.split())
    return EntryRow(entry.state, entry.at_tai_ns, entry.user, entry.verb, entry.ticket, summary)


def _whole(entry: "JournalEntry") -> EntryLook:
    return EntryLook(
        row=entry_row(entry),
        at_text=describe(entry.at_tai_ns),
        host=entry.host,
        line=entry.line,
        reason=entry.reason,
        before=_values(entry.before),
        after=_values(entry.after),
        native=entry.native,
        seal=entry.hash,
        previous_seal=entry.previous_hash,
    )


def _values(values: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(value)) for name, value in sorted(values.items()))


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}… ({len(text)} characters)"
