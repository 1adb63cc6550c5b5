"""A store file that nobody uses: what an interrupted beginning leaves behind."""

import contextlib
import sqlite3
from pathlib import Path

from calibstore.db.engine import has_tables


def is_unused(path: Path) -> bool:
    """Tell whether a SQLite file holds nothing, and nobody is writing into it at this moment."""
    if has_tables(path):
        return False
    if not path.exists():
        return True
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError:
        return False
    return not has_tables(path)
