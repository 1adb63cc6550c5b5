"""Opening a store on PostgreSQL, and what its errors mean.

The same rules as on SQLite: one writer at a time (an advisory lock, taken first), readers that are never blocked and
keep one view, a read-only connection that the server itself refuses to let write. No message shows a password: the
URL holds none (`calibstore.config.check_database_url`), and libpq tells none.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine

from calibstore.config import check_database_url
from calibstore.errors import NotFoundError, StoreError

WRITER_LOCK: Final = 0x6361627374616E64
"""Key of the advisory lock every writer of a database takes first; the letters ``cabstand``."""

_CONNECT_TIMEOUT_S: Final = 10


def open_postgresql(url: str, *, read_only: bool, lock_timeout_ms: int, is_pooled: bool = True) -> Engine:
    """Open a store on a server; nothing is asked of the server yet.

    Parameters
    ----------
    url : str
        ``postgresql+psycopg://...`` without a password.
    read_only : bool
        Let the server refuse to write.
    lock_timeout_ms : int
        How long a writer waits for another one [ms].
    is_pooled : bool
        Keep connections for the next transaction.

    Raises
    ------
    UserInputError
        If the URL cannot serve.
    StoreError
        If the driver is not installed.
    """
    check_database_url(url, where="database")
    parsed = sa.make_url(url)
    told = {"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "cabstand", "client_encoding": "utf8"}
    arguments = {name: value for name, value in told.items() if name not in parsed.query}
    # A session of the terminal UI lives for days: a connection that died meanwhile is replaced before it is used.
    pool: dict[str, Any] = {"pool_size": 2, "pool_pre_ping": True} if is_pooled else {"poolclass": sa.pool.NullPool}
    try:
        engine = sa.create_engine(parsed, connect_args=arguments, **pool)
    except ModuleNotFoundError as problem:
        raise StoreError(
            "the store is on PostgreSQL, and its driver (psycopg) is not installed",
            hint="pip install 'cabstand[postgres]'",
            code="E-NODRIVER",
        ) from problem
    except ImportError as problem:
        raise StoreError(
            f"the driver of PostgreSQL cannot be loaded: {' '.join(str(problem).split())}",
            hint="pip install --force-reinstall 'cabstand[postgres]'",
            code="E-NODRIVER",
        ) from problem

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {int(lock_timeout_ms)}")
        if read_only:
            connection.execute("SET default_transaction_read_only = on")
        connection.autocommit = False

    first_pool = engine.pool

    @event.listens_for(engine, "checkin")
    def _close(_connection: Any, record: Any) -> None:
        if engine.pool is not first_pool:
            # Given back after the store was closed, by a thread that was still looking: nobody else would close it.
            record.invalidate()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("cabstand_write", False):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif read_only:
            raise _read_only()
        else:
            # Read committed: what the writer before us wrote is seen once the lock is ours.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    return engine


def may_write(connection: Connection) -> bool:
    """Tell whether the server lets this user write: not on a standby, not without the right."""
    return bool(
        connection.exec_driver_sql(
            "SELECT NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'"
            " AND has_table_privilege('journal', 'INSERT')"
        ).scalar()
    )


def relations(connection: Connection) -> tuple[str, ...]:
    """Return the names of what stands in the schema a new table would go to."""
    return tuple(
        connection.exec_driver_sql(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1"
        ).scalars()
    )


def check_encoding(connection: Connection) -> None:
    """Refuse a database that cannot hold every character.

    Raises
    ------
    StoreError
        If its encoding is not UTF-8.
    """
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise StoreError(
            f"the database's encoding is {encoding}, a store needs UTF8",
            hint="createdb --template template0 --encoding UTF8 NAME",
            code="E-DATABASE",
        )


def faults(connection: Connection) -> tuple[str, ...]:
    """Return what the server finds wrong in a store; every table is read to its end."""
    found = [
        f"index {name} is not valid"
        for name in connection.exec_driver_sql(
            "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready) ORDER BY 1"
        ).scalars()
    ]
    found += [
        f"constraint {name} was never checked"
        for name in connection.exec_driver_sql(
            "SELECT k.conname FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace"
            " WHERE n.nspname = current_schema() AND NOT k.convalidated ORDER BY 1"
        ).scalars()
    ]
    for name in relations(connection):
        quoted = connection.dialect.identifier_preparer.quote(name)
        connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar()
    return tuple(found)


def _read_only() -> StoreError:
    return StoreError("the store is open read-only", hint="leave out --read-only", code="E-READONLY")


_BY_STATE: Final = {
    "55P03": ("another process holds the store", "wait a moment and repeat", "E-LOCKED"),
    "40P01": ("another process holds the store", "wait a moment and repeat", "E-LOCKED"),
    "40001": ("another process changed the store", "wait a moment and repeat", "E-LOCKED"),
    "25006": (
        "the store is open read-only",
        "leave out --read-only; if it was not given, the server is a standby or does not let you write",
        "E-READONLY",
    ),
    "42501": (
        "the database does not let you do this",
        "ask its owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES, and USAGE ON ALL SEQUENCES",
        "E-DBACCESS",
    ),
    "53100": (
        "no space left for the store",
        "free some disk there and repeat; nothing was written",
        "E-DISKFULL",
    ),
    "53300": ("the database server has no connection left", "wait a moment and repeat, or ask its owner", "E-DBSERVER"),
    "57P01": ("the database server was stopped", "wait until it runs again and repeat", "E-DBSERVER"),
    "57P03": ("the database server is starting or stopping", "wait a moment and repeat", "E-DBSERVER"),
}
# libpq tells why a connection failed in words only; longest-lived parts of its messages.
_BY_WORDS: Final = (
    ("too many connections", *_BY_STATE["53300"]),
    ("too many clients", *_BY_STATE["53300"]),
    ("connection slots", *_BY_STATE["53300"]),
    ("starting up", *_BY_STATE["57P03"]),
    ("shutting down", *_BY_STATE["57P03"]),
    ("extension control file", "the server lacks btree_gist", "install postgresql-contrib there", "E-DATABASE"),
)  # fmt: skip


def explained(problem: sa.exc.DBAPIError, url: URL) -> StoreError | NotFoundError:
    """Return what an error of the driver means to a user.

    Parameters
    ----------
    problem : DBAPIError
        As SQLAlchemy raised it.
    url : URL
        Of the database.
    """
    told = one_line(problem)
    state = getattr(problem.orig, "sqlstate", None) or ""
    if state in _BY_STATE:
        what, hint, code = _BY_STATE[state]
        return StoreError(f"{what}: {told}", hint=hint, code=code)
    for words, what, hint, code in _BY_WORDS:
        if words in told:
            return StoreError(f"{what}: {told}", hint=hint, code=code)
    if not state and isinstance(problem, sa.exc.OperationalError):
        return _unconnected(told, url)
    return StoreError(f"the store failed: {told}", hint="cabstand doctor")


def _unconnected(told: str, url: URL) -> StoreError | NotFoundError:
    where = f"{url.host or url.query.get('host') or 'the local socket'}"
    if "database" in told and "does not exist" in told:
        return NotFoundError(
            f"there is no database {url.database!r} at {where}",
            hint=f"make it: createdb {url.database}; then cabstand init PATH --camera NAME --database URL",
            code="E-NODATABASE",
        )
    if any(words in told for words in ("password", "authentication", "pg_hba", "role")):
        return StoreError(
            f"the database at {where} did not let {url.username or 'you'} in: {told}",
            hint="check the user, and the password in ~/.pgpass (chmod 600) or PGPASSFILE; try: psql",
            code="E-DBLOGIN",
        )
    return StoreError(
        f"the database server at {where} cannot be reached: {told}",
        hint="start it, or check host and port in cabstand.toml; try: pg_isready",
        code="E-DBSERVER",
    )


def one_line(problem: Exception) -> str:
    """Return the driver's own words of a database error, on one line."""
    origin = getattr(problem, "orig", None) or problem
    return " ".join(str(origin).split())
