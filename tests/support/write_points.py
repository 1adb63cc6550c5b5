"""Write points of an action: statements that write, commits, writes of files; something happens at one of them."""

import builtins
import errno
import io
import os
import signal
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from sqlalchemy.engine.default import DefaultDialect

import calibstore.db.backup
from calibstore.services.context import forget_engines

_BEGIN, _LOCK = "BEGIN IMMEDIATE", "SELECT PG_ADV"
_WRITING: Final = (
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "CREATE",
    "ALTER",
    "DROP",
    "BEGIN IMMEDIATE",
    "SELECT PG_ADV",
)
_STATEMENTS: Final = ("do_execute", "do_executemany", "do_execute_no_params")
_CALLS: Final = (
    "pwrite", "write", "fsync", "fdatasync", "fchmod", "chmod", "replace", "rename", "link", "symlink",
    "ftruncate", "copy_file_range", "sendfile",
)  # fmt: skip
_REMOVALS: Final = ("unlink", "remove", "rmdir")
NEVER_FAIL: Final = (*_REMOVALS, "committed")
"""What a full disk does not stop; a kill comes there too."""


@dataclass
class WritePoints:
    """Counts the write points of an action; at one of them something else happens."""

    at: int = 0
    """Which one, from 1; 0: none."""
    act: Callable[[str, Any], None] = lambda _kind, _cursor: None
    """(kind, database cursor or None); returns for the write to happen after all."""
    kinds: list[str] = field(default_factory=list)
    """The points that were passed."""
    _writing: set[int] = field(default_factory=set)
    """Connections whose transaction writes: readers commit, too."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_by(self, kind: str, cursor: Any = None) -> None:
        """Count a point."""
        with self._lock:
            self.kinds.append(kind)
            is_here = len(self.kinds) == self.at
        if is_here:
            self.act(kind, cursor)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what this process writes."""
        with pytest.MonkeyPatch.context() as patch:
            for name in _STATEMENTS:
                patch.setattr(DefaultDialect, name, self._statement(getattr(DefaultDialect, name)))
            patch.setattr(DefaultDialect, "do_commit", self._commit(DefaultDialect.do_commit))
            patch.setattr(os, "mkdir", self._mkdir(os.mkdir))
            for name in (*_CALLS, *_REMOVALS):
                patch.setattr(os, name, self._call(name, getattr(os, name)))
            patch.setattr(os, "open", self._open(os.open, lambda words: bool(words[1] & (os.O_CREAT | os.O_TRUNC))))
            for module in (io, builtins):
                patch.setattr(module, "open", self._open(io.open, _opens_to_write))
            backup = calibstore.db.backup._copy_sqlite
            patch.setattr(calibstore.db.backup, "_copy_sqlite", self._call("backup", backup))
            yield

    def _statement(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(dialect: Any, cursor: Any, statement: str, *words: Any, **named: Any) -> Any:
            text = statement.lstrip().upper()
            if text.startswith(_WRITING):
                self._writing.add(id(cursor.connection))
                self.pass_by("begin" if text.startswith((_BEGIN, _LOCK)) else "statement", cursor)
            return real(dialect, cursor, statement, *words, **named)

        return run

    def _commit(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(dialect: Any, connection: Any) -> None:
            if id(plain_connection(connection)) not in self._writing:
                real(dialect, connection)
                return
            self.pass_by("commit", connection)
            real(dialect, connection)
            self._writing.discard(id(plain_connection(connection)))
            self.pass_by("committed", connection)

        return run

    def _call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(*words: Any, **named: Any) -> Any:
            self.pass_by(name)
            return real(*words, **named)

        return run

    def _mkdir(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(path: Any, *words: Any, **named: Any) -> None:
            # One that is there is no write; pathlib tries all the same.
            if not os.path.isdir(path):  # noqa: PTH112  os.mkdir takes any path
                self.pass_by("mkdir")
            real(path, *words, **named)

        return run

    def _open(self, real: Callable[..., Any], writes: Callable[[tuple[Any, ...]], bool]) -> Callable[..., Any]:
        def run(*words: Any, **named: Any) -> Any:
            if writes((*words, *named.values())):
                self.pass_by("open")
            return real(*words, **named)

        return run


def plain_connection(connection: Any) -> Any:
    """Return the driver's own connection behind the one that SQLAlchemy pools."""
    return getattr(connection, "dbapi_connection", connection)


def _opens_to_write(words: tuple[Any, ...]) -> bool:
    return any(isinstance(word, str) and set(word) & set("wax+") for word in words[1:2])


def disk_full(kind: str, _cursor: Any) -> None:
    """Fail as a full disk does."""
    if kind in NEVER_FAIL:
        return
    if kind in ("begin", "statement", "commit"):
        raise sqlite3.OperationalError("database or disk is full")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def locked(kind: str, _cursor: Any) -> None:
    """Fail as a store does that another process holds; files are not touched by that."""
    if kind in ("begin", "statement", "commit"):
        raise sqlite3.OperationalError("database is locked")


def killed(_kind: str, _cursor: Any) -> None:
    """Die at once; nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_child(action: Callable[[], object]) -> int:
    """Carry an action out in a forked process; return its wait status."""
    forget_engines()
    with warnings.catch_warnings():
        # The threads that newer Pythons warn of hold nothing the child needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
