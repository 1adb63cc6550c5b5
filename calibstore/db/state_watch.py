"""The number of the newest state, asked so cheaply that every cached answer can be checked before it is given."""

import threading
from typing import Any, Final

from sqlalchemy.engine import Engine

_LAST: Final = "SELECT state, hash FROM journal ORDER BY state DESC LIMIT 1"

Mark = tuple[int, str]
"""Newest state and its seal: a store that is put back from a backup reaches the same numbers by another history."""


class StateWatch:
    """A connection of its own that begins no transaction, so that it sees every commit at once.

    Parameters
    ----------
    engine : Engine
        The store.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._taken: Any = None

    def last(self) -> Mark:
        """Return the newest committed state; 0 before the first."""
        with self._lock:
            cursor = self._opened().execute(_LAST)
            row = cursor.fetchone()
        return (row[0], row[1]) if row else (0, "")

    def close(self) -> None:
        """Give the connection up; the next question opens another one."""
        with self._lock:
            if self._taken is not None:
                self._taken.close()
                self._taken = None

    def _opened(self) -> Any:
        if self._taken is None:
            self._taken = self._engine.raw_connection()
            # Out of the pool: it is never begun, rolled back or lent to anyone.
            self._taken.detach()
            if self._engine.dialect.name == "postgresql":
                self._taken.dbapi_connection.autocommit = True
        return self._taken.dbapi_connection
