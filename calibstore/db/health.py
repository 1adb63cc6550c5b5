"""What the database says of its own health."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from calibstore.db import postgresql
from calibstore.db.engine import open_engine
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
            found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
            found += [
                f"row {row[1]} of {row[0]} points at a missing row of {row[2]}"
                for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
            ]
        return tuple(found)
    except sa.exc.DBAPIError as problem:
        if engine.dialect.name == "postgresql":
            raise postgresql.explained(problem, engine.url) from problem
        return (one_line(problem),)
    finally:
        engine.dispose()
