"""Creating and upgrading the schema with alembic; the only module that imports it."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Engine

from calibstore.db.engine import transaction


def upgrade(engine: Engine, *, scripts: Path | None = None, revision: str = "head") -> None:
    """Bring a store to a schema revision inside one transaction.

    A migration that fails half-way leaves the file as it was.

    Parameters
    ----------
    engine : Engine
        The store.
    scripts : Path, optional
        Folder of migration scripts; the project's own by default.
    revision : str
        Where to go.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts or Path(__file__).parent / "migrations"))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with transaction(engine, write=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
