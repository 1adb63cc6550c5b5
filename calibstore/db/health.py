"""What the database says of its own health."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from calibstore.db.engine import one_line, open_engine

if TYPE_CHECKING:
    from pathlib import Path


def database_faults(path: "Path") -> tuple[str, ...]:
    """Return what SQLite's own checks find wrong in a store; nothing when it is sound.

    Parameters
    ----------
    path : Path
        The database file; opened read-only.
    """
    engine = open_engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check") if row[0] != "ok"]
            found += [
                f"row {row[1]} of {row[0]} points at a missing row of {row[2]}"
                for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
            ]
        return tuple(found)
    except sa.exc.DBAPIError as problem:
        return (one_line(problem),)
    finally:
        engine.dispose()
