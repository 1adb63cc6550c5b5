"""What the database says of its own health."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from calibstore.db import postgresql
from calibstore.db.engine import is_locked, open_engine, store_error
from calibstore.db.postgresql import one_line

if TYPE_CHECKING:
    from pathlib import Path


def database_faults(place: "Path | str") -> tuple[str, ...]:
    """Return what the database's own checks find wrong in a store; nothing when it is sound.

    Parameters
    ----------
    place : Path or str
        The database file or URL; opened read-only.

    Raises
    ------
    CabstandError
        If the file is missing, or the server cannot be asked.
    """
    engine = open_engine(place, read_only=True, is_pooled=False)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                return postgresql.faults(connection)
            rows = connection.exec_driver_sql("PRAGMA integrity_check")
            return tuple(row[0] for row in rows if row[0] != "ok")
    except sa.exc.DBAPIError as problem:
        if engine.dialect.name == "postgresql":
            raise postgresql.explained(problem, engine.url) from problem
        told = one_line(problem)
        if is_locked(told):
            raise store_error(problem) from problem
        return (told,)
    finally:
        engine.dispose()
