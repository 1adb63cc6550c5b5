"""Stores of the first schema, with the rows of a store of today."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from calibstore.config import STORE_FILE
from calibstore.db.engine import open_engine
from calibstore.db.migrate import upgrade


def make_older(home: Path, old: Path) -> None:
    """Make a repository of the first schema that holds what another one holds."""
    shutil.copytree(home, old, ignore=shutil.ignore_patterns(f"{STORE_FILE}*"))
    target = old / STORE_FILE
    upgrade(open_engine(target, must_exist=False, is_pooled=False), revision="0001")
    copy_rows(home / STORE_FILE, target)


def rows_of(place: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of a store, as a reader finds it."""
    engine = open_engine(place, read_only=True, is_pooled=False)
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in tables.sorted_tables
            if table.name != "alembic_version"
        }


def copy_rows(source: Path | str, target: Path | str) -> None:
    """Put the rows of a store of today into one of an older schema."""
    old, tables = open_engine(target, must_exist=False, is_pooled=False), sa.MetaData()
    rows = rows_of(source)
    with old.connect().execution_options(cabstand_write=True) as connection, connection.begin():
        tables.reflect(connection)
        if old.dialect.name == "sqlite":
            connection.exec_driver_sql("pragma defer_foreign_keys = on")
        for table in tables.sorted_tables:
            names = [column.name for column in table.columns]
            if rows.get(table.name):
                connection.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in rows[table.name]])
        if old.dialect.name == "postgresql":
            for table in tables.sorted_tables:
                if "id" in table.c and table.c.id.identity is None and table.c.id.server_default is not None:
                    connection.exec_driver_sql(
                        f"select setval(pg_get_serial_sequence('{table.name}', 'id'), coalesce(max(id), 0) + 1) "
                        f"from {table.name}"
                    )
