"""Creating and upgrading the schema with alembic; the only module that imports it."""

import logging
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine

from calibstore.db.engine import refuse_newer, transaction
from calibstore.db.journal import Journal
from calibstore.db.postgresql import one_line
from calibstore.db.schema import SCHEMA_VERSION
from calibstore.errors import StoreError

PROJECT_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, *, scripts: Path = PROJECT_SCRIPTS, revision: str = "head") -> None:
    """Bring a store to a schema revision inside one transaction.

    A migration that fails half-way leaves the store as it was.

    Parameters
    ----------
    engine : Engine
        The store.
    scripts : Path
        Folder of migration scripts.
    revision : str
        Where to go.
    """
    with transaction(engine, write=True) as connection:
        upgrade_within(connection, scripts=scripts, revision=revision)
        connection.commit()


def upgrade_within(connection: Connection, *, scripts: Path = PROJECT_SCRIPTS, revision: str = "head") -> None:
    """Bring a store to a schema revision inside a write transaction that the caller commits.

    Parameters
    ----------
    connection : Connection
        Holds the transaction.
    scripts : Path
        Folder of migration scripts.
    revision : str
        Where to go.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def migrate_within(
    connection: Connection, *, before: Callable[[int, str], None], scripts: Path = PROJECT_SCRIPTS
) -> str:
    """Upgrade a store of an older schema inside a write transaction; return the schema it had.

    Parameters
    ----------
    connection : Connection
        Holds the transaction; whoever commits it makes the upgrade durable.
    before : callable
        Told the newest state and the schema under the writer's lock, before anything is changed: makes the backup.
        Not called for a store that is up to date.
    scripts : Path
        Folder of migration scripts.

    Raises
    ------
    StoreError
        E-SCHEMA for a newer store, E-MIGRATE where a script fails, E-JOURNAL where the journal does not come through
        whole. Roll back: the store is as it was.
    """
    found = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
    refuse_newer(found)
    if found == SCHEMA_VERSION:
        return found
    newest = _newest(connection)
    before(newest[0], found)
    try:
        upgrade_within(connection, scripts=scripts, revision=SCHEMA_VERSION)
    except (sa.exc.SQLAlchemyError, CommandError, ArithmeticError, LookupError, TypeError, ValueError) as problem:
        raise StoreError(
            f"migrating schema {found} to {SCHEMA_VERSION} failed, the store is as it was: {one_line(problem)}",
            hint="go on with the release that wrote it, and report this",
            code="E-MIGRATE",
        ) from problem
    altered = Journal(connection).first_altered()
    if altered is not None or _newest(connection) != newest:
        raise StoreError(
            f"the journal does not fit its seals from state {altered or newest[0]} on; the store is as it was",
            hint="somebody changed it: restore a backup whose journal is whole",
            code="E-JOURNAL",
        )
    return found


def _newest(connection: Connection) -> tuple[int, str]:
    # In words of SQL that every schema understands.
    row = connection.exec_driver_sql("SELECT state, hash FROM journal ORDER BY state DESC LIMIT 1").first()
    return (row[0], row[1]) if row else (0, "")
