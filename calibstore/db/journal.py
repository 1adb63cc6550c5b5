"""The hash-chained journal: each entry is a numbered state and seals the one before it."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calibstore.db.schema import journal
from calibstore.model.codec import canonical_json, sha256_of
from calibstore.model.records import JournalEntry

_LAST = sa.select(journal.c.state, journal.c.hash).order_by(journal.c.state.desc()).limit(1)


def entry_hash(entry: JournalEntry) -> str:
    """Return the SHA-256 that seals an entry: over everything in it, its number and the previous hash."""
    return sha256_of(
        {
            "state": entry.state,
            "at_tai_ns": entry.at_tai_ns,
            "user": entry.user,
            "host": entry.host,
            "verb": entry.verb,
            "line": entry.line,
            "command": entry.command,
            "reason": entry.reason,
            "ticket": entry.ticket,
            "summary": entry.summary,
            "before": entry.before,
            "after": entry.after,
            "native": entry.native,
            "previous_hash": entry.previous_hash,
        }
    )


class Journal:
    """Entries of one transaction's view."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_state(self) -> int:
        """Return the number of the newest state; 0 before the first."""
        row = self._connection.execute(_LAST).first()
        return row.state if row else 0

    def append(self, entry: JournalEntry) -> JournalEntry:
        """Seal and store an entry; return it with its number and hash."""
        row = self._connection.execute(_LAST).first()
        numbered = replace(entry, state=(row.state if row else 0) + 1, previous_hash=row.hash if row else "")
        sealed = replace(numbered, hash=entry_hash(numbered))
        self._connection.execute(
            sa.insert(journal).values(
                state=sealed.state,
                at_tai_ns=sealed.at_tai_ns,
                user=sealed.user,
                host=sealed.host,
                verb=sealed.verb,
                line=sealed.line,
                command_json=canonical_json(sealed.command),
                reason=sealed.reason,
                ticket=sealed.ticket,
                summary=sealed.summary,
                before_json=canonical_json(sealed.before),
                after_json=canonical_json(sealed.after),
                native_json=canonical_json(sealed.native),
                previous_hash=sealed.previous_hash,
                hash=sealed.hash,
            )
        )
        return sealed

    def entries(self, *, ticket: str = "", last: int | None = None) -> tuple[JournalEntry, ...]:
        """Return entries, oldest first; of one ticket, or the last few."""
        query = sa.select(journal).order_by(journal.c.state.desc())
        if ticket:
            query = query.where(journal.c.ticket == ticket)
        if last is not None:
            query = query.limit(last)
        return tuple(_entry(row) for row in reversed(self._connection.execute(query).all()))

    def entry(self, state: int) -> JournalEntry | None:
        """Return the entry of a state, or None."""
        row = self._connection.execute(sa.select(journal).where(journal.c.state == state)).first()
        return _entry(row) if row else None

    def of_verbs(self, verbs: Iterable[str]) -> tuple[tuple[int, str, dict[str, Any]], ...]:
        """Return (state, verb, what it left) of the entries of some verbs, the oldest first."""
        query = (
            sa.select(journal.c.state, journal.c.verb, journal.c.after_json)
            .where(journal.c.verb.in_(sorted(verbs)))
            .order_by(journal.c.state)
        )
        return tuple((row.state, row.verb, json.loads(row.after_json)) for row in self._connection.execute(query))

    def states_of_verbs(self, verbs: Iterable[str]) -> tuple[int, ...]:
        """Return the states of some verbs, the oldest first."""
        query = sa.select(journal.c.state).where(journal.c.verb.in_(sorted(verbs))).order_by(journal.c.state)
        return tuple(self._connection.scalars(query))

    def count(self, *, holding: str = "", ticket: str = "") -> int:
        """Return how many entries there are, of a ticket, or holding a text."""
        return (
            self._connection.scalar(sa.select(sa.func.count()).select_from(journal).where(*_told(holding, ticket))) or 0
        )

    def newest(self, offset: int, limit: int, *, holding: str = "", ticket: str = "") -> tuple[JournalEntry, ...]:
        """Return some entries, the newest first; those that hold a text in line, summary, who, verb, ticket, reason."""
        query = sa.select(journal).where(*_told(holding, ticket)).order_by(journal.c.state.desc())
        return tuple(_entry(row) for row in self._connection.execute(query.offset(offset).limit(limit)))

    def place_of(self, state: int, *, holding: str = "", ticket: str = "") -> int:
        """Return how many entries of `newest` come before a state."""
        query = sa.select(sa.func.count()).select_from(journal)
        return self._connection.scalar(query.where(journal.c.state > state, *_told(holding, ticket))) or 0

    def state_at(self, tai_ns: int) -> int:
        """Return the number of the newest state at an instant [TAI ns]; 0 before the first."""
        return (
            self._connection.scalar(sa.select(sa.func.max(journal.c.state)).where(journal.c.at_tai_ns <= tai_ns)) or 0
        )

    def recent_tickets(self, last: int) -> dict[str, int]:
        """Return the tickets of the last few entries with the newest state of each, the newest first."""
        query = sa.select(journal.c.state, journal.c.ticket).order_by(journal.c.state.desc()).limit(last)
        found: dict[str, int] = {}
        for row in self._connection.execute(query):
            if row.ticket:
                found.setdefault(row.ticket, row.state)
        return found

    def first_altered(self) -> int | None:
        """Return the number of the first entry that does not fit its seal, or None."""
        previous_hash, expected = "", 1
        for entry in self.entries():
            if entry.state != expected or entry.previous_hash != previous_hash or entry_hash(entry) != entry.hash:
                return entry.state
            previous_hash, expected = entry.hash, expected + 1
        return None


def _told(holding: str, ticket: str) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if ticket:
        conditions.append(journal.c.ticket == ticket)
    for word in holding.split():
        columns = (
            journal.c.line,
            journal.c.summary,
            journal.c.user,
            journal.c.verb,
            journal.c.ticket,
            journal.c.reason,
        )
        conditions.append(sa.or_(*(column.icontains(word, autoescape=True) for column in columns)))
    return conditions


def _entry(row: Any) -> JournalEntry:
    return JournalEntry(
        state=row.state,
        at_tai_ns=row.at_tai_ns,
        user=row.user,
        host=row.host,
        verb=row.verb,
        line=row.line,
        command=json.loads(row.command_json),
        reason=row.reason,
        ticket=row.ticket,
        summary=row.summary,
        before=json.loads(row.before_json),
        after=json.loads(row.after_json),
        native=tuple(json.loads(row.native_json)),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
