"""Opening the store: a SQLite file or a PostgreSQL database, every transaction begun explicitly, full durability.

Writers wait for one another (BEGIN IMMEDIATE, an advisory lock); readers keep one view and are never blocked.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from calibstore.db import postgresql
from calibstore.db.postgresql import one_line
from calibstore.db.schema import SCHEMA_VERSION
from calibstore.errors import NotFoundError, StoreError

BUSY_TIMEOUT_MS: Final = 10_000
"""How long a writer waits for another one [ms]."""


def open_engine(
    place: Path | str, *, read_only: bool = False, must_exist: bool = True, is_pooled: bool = True
) -> Engine:
    """Open a store.

    Parameters
    ----------
    place : Path or str
        The SQLite file, or the URL of a PostgreSQL database.
    read_only : bool
        Open so that the database itself refuses to write. So is a store that may not be written: it can be read.
    must_exist : bool
        Refuse a missing file; only `init` creates one.
    is_pooled : bool
        Keep connections for the next transaction; False for a store that is opened once.

    Raises
    ------
    NotFoundError
        If the file is missing.
    StoreError
        If it is empty: SQLite would make a store of it. If the driver of PostgreSQL is not installed.
    """
    if isinstance(place, str):
        return postgresql.open_postgresql(
            place, read_only=read_only, lock_timeout_ms=BUSY_TIMEOUT_MS, is_pooled=is_pooled
        )
    return _open_sqlite(place, read_only=read_only, must_exist=must_exist, is_pooled=is_pooled)


def _open_sqlite(path: Path, *, read_only: bool, must_exist: bool, is_pooled: bool) -> Engine:
    if must_exist and not path.exists():
        raise NotFoundError(f"no repository at {path.parent}", hint=_way_out(path.parent, path.name))
    if must_exist and path.stat().st_size == 0:
        raise StoreError(f"not a Cabstand store: {path} is empty", hint="check -R/--repo, or restore the last backup")
    read_only = read_only or (must_exist and not can_write(path))
    mode = _mode(path) if read_only else "rwc"

    def connect() -> sqlite3.Connection:
        # isolation_level None: Python's driver begins nothing on its own, so DDL rolls back too.
        uri = f"file:{_quoted(path)}?mode={mode}"
        return sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False
        )

    pool: dict[str, Any] = {"poolclass": sa.pool.QueuePool, "pool_size": 2}
    engine = sa.create_engine("sqlite://", creator=connect, **(pool if is_pooled else {"poolclass": sa.pool.NullPool}))

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if not read_only:
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writer = connection.get_execution_options().get("cabstand_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine


def memory_engine() -> Engine:
    """Open an empty store that is never on disk, for a dry run of what makes one."""
    return sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)


def has_tables(path: Path) -> bool:
    """Tell whether a SQLite file holds anything; one whose creation was interrupted holds nothing."""
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.DatabaseError:
        # Not a database, or one that cannot be read: somebody's file in any case.
        return True


def _way_out(folder: Path, store: str) -> str:
    if folder.exists() and not folder.is_dir():
        return "that is a file: give the folder of a repository with -R"
    inside = sorted(one.parent for one in folder.glob(f"*/{store}"))
    if inside:
        return f"did you mean {' or '.join(str(one) for one in inside[:3])}?"
    return f"make one: cabstand init {folder} --camera NAME"


def may_write(engine: Engine, place: Path | str) -> bool:
    """Tell whether the machine or the server lets a store be written."""
    if isinstance(place, Path):
        return can_write(place)
    with transaction(engine, write=False) as connection:
        return postgresql.may_write(connection)


def can_write(path: Path) -> bool:
    """Tell whether a SQLite store may be written: the file, and its folder for the log beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _mode(path: Path) -> str:
    # WAL needs a file beside the store even to read it; where none can be made and none is there, nobody writes.
    is_closed = not path.with_name(f"{path.name}-wal").exists()
    return "ro&immutable=1" if is_closed and not os.access(path.parent, os.W_OK) else "ro"


def _quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def schema_of(engine: Engine) -> str:
    """Return the schema version of a store.

    Raises
    ------
    StoreError
        If the place holds no store.
    """
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except sa.exc.DatabaseError as problem:
        if engine.dialect.name == "postgresql" and isinstance(problem, sa.exc.OperationalError):
            raise postgresql.explained(problem, engine.url) from problem
        if isinstance(problem, sa.exc.OperationalError) and is_locked(one_line(problem)):
            raise store_error(problem) from problem
        raise StoreError(f"not a Cabstand store: {_told(engine, problem)}", hint="check -R/--repo") from problem
    if found is None:
        raise StoreError("not a Cabstand store: its schema was never finished", hint="check -R/--repo")
    return str(found)


def _told(engine: Engine, problem: sa.exc.DatabaseError) -> str:
    if engine.dialect.name == "postgresql" and isinstance(problem, sa.exc.ProgrammingError):
        return f"the database {engine.url.database!r} has no table of one"
    return one_line(problem)


def check_version(engine: Engine) -> None:
    """Compare the schema's version row with this code.

    Raises
    ------
    StoreError
        If the place holds no store, or one of another schema version.
    """
    found = schema_of(engine)
    refuse_newer(found)
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"the store has schema {found}, this Cabstand reads schema {SCHEMA_VERSION}",
            hint="an older Cabstand wrote it: cabstand migrate (it makes a backup first)",
            code="E-SCHEMA",
        )


def refuse_newer(schema: str) -> None:
    """Refuse a schema version this code does not know yet.

    Raises
    ------
    StoreError
        E-SCHEMA.
    """
    if schema > SCHEMA_VERSION:
        raise StoreError(
            f"the store has schema {schema}, this Cabstand reads schema {SCHEMA_VERSION}",
            hint="a newer Cabstand wrote it: pip install --upgrade cabstand",
            code="E-SCHEMA",
        )


@contextlib.contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """Hold one transaction; roll back unless the caller commits.

    Raises
    ------
    StoreError
        If the database is locked, full, read-only or damaged.
    """
    try:
        with (
            engine.connect().execution_options(cabstand_write=write) as connection,
            _rolled_back(connection),
            connection.begin() as begun,
        ):
            yield connection
            if begun.is_active:
                begun.rollback()
    except sa.exc.IntegrityError as problem:
        raise StoreError(
            f"the store refused a row: {one_line(problem)}", hint="cabstand doctor", code="E-INTEGRITY"
        ) from problem
    except sa.exc.DBAPIError as problem:
        if engine.dialect.name == "postgresql":
            raise postgresql.explained(problem, engine.url) from problem
        raise store_error(problem) from problem


@contextlib.contextmanager
def _rolled_back(connection: Connection) -> Iterator[None]:
    """End the driver's transaction where a COMMIT failed: SQLAlchemy gives it back to the pool still open."""
    try:
        yield
    except BaseException:
        if not connection.invalidated and not connection.closed:
            connection.connection.rollback()
        raise


def is_locked(told: str) -> bool:
    """Tell whether SQLite's words say that another process holds the store."""
    return "locked" in told or "busy" in told


def store_error(problem: sa.exc.DBAPIError) -> StoreError:
    """Return what SQLite said as an error with a way out."""
    told = one_line(problem)
    if is_locked(told):
        return StoreError(f"another process holds the store: {told}", hint="wait a moment and repeat", code="E-LOCKED")
    if "readonly" in told:
        return StoreError(
            "the store is open read-only",
            hint="leave out --read-only; if it was not given, the file or its folder may not be written: ls -ld, mount",
            code="E-READONLY",
        )
    if "full" in told:
        return StoreError(
            f"no space left for the store: {told}",
            hint="free some disk and repeat; nothing was written",
            code="E-DISKFULL",
        )
    return StoreError(f"the store failed: {told}", hint="cabstand doctor")
