"""Copies of a whole store, each checked before it is given its name."""

import contextlib
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from calibstore.errors import StoreError

_SERVERS: Final = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu keep the tools of each PostgreSQL release."""


def check_backup(store: Path | str) -> None:
    """Refuse where no backup of a store could be made.

    Raises
    ------
    StoreError
        E-BACKUP: the tool of the server is missing.
    """
    if isinstance(store, str):
        _tool("pg_dump")


def make_backup(store: Path | str, folder: Path, name: str) -> Path:
    """Copy a whole store as its readers see it now; return the checked copy.

    Parameters
    ----------
    store : Path or str
        SQLite file, or URL of a PostgreSQL database.
    folder : Path
        Where backups go; made when it is missing.
    name : str
        Without ending; a number is added where the name is taken.

    Raises
    ------
    StoreError
        E-BACKUP: it cannot be made, or is not whole.
    """
    ending = ".sqlite3" if isinstance(store, Path) else ".pgdump"
    unfinished = folder / f".{name}{ending}.unfinished"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as problem:
        raise _no_backup(" ".join(str(problem).split())) from problem
    try:
        unfinished.unlink(missing_ok=True)
        if isinstance(store, Path):
            _copy_sqlite(store, unfinished)
            _check_sqlite(unfinished)
        else:
            _dump_postgresql(store, unfinished)
        path = _free_name(folder, name, ending)
        unfinished.rename(path)
    except (OSError, sqlite3.Error) as problem:
        raise _no_backup(" ".join(str(problem).split())) from problem
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _free_name(folder: Path, name: str, ending: str) -> Path:
    path, number = folder / f"{name}{ending}", 2
    while path.exists():
        path, number = folder / f"{name}-{number}{ending}", number + 1
    return path


def _no_backup(told: str) -> StoreError:
    return StoreError(
        f"no backup could be made: {told}",
        hint="mend that and repeat; or make one yourself and give --no-backup REASON. Nothing was changed",
        code="E-BACKUP",
    )


def _copy_sqlite(store: Path, path: Path) -> None:
    # A reader of its own: the caller holds the writer's lock, so this is what the migration begins from.
    with (
        contextlib.closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(path)) as copy,
    ):
        source.backup(copy)
        # One file, no log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")


def _check_sqlite(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as copy:
        faults = [row[0] for row in copy.execute("PRAGMA integrity_check") if row[0] != "ok"]
    if faults:
        raise _no_backup(f"the copy is not whole: {faults[0]}")


def _dump_postgresql(url: str, path: Path) -> None:
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    _run([_tool("pg_dump"), "--no-password", "--format=custom", f"--file={path}", f"--dbname={plain}"])
    # Reads the table of contents to its end: a dump that was cut short has none.
    _run([_tool("pg_restore"), "--list", str(path)])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise _no_backup(f"{Path(argv[0]).name}: {' '.join(done.stderr.split())}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    # The newest one: pg_dump refuses servers newer than itself.
    newest = sorted(_SERVERS.glob(f"*/bin/{name}"), key=lambda one: float(one.parts[-3]))
    if newest:
        return str(newest[-1])
    raise StoreError(
        f"no backup of a PostgreSQL database can be made: {name} is not installed here",
        hint="apt install postgresql-client; or make a backup yourself and give --no-backup REASON",
        code="E-BACKUP",
    )
