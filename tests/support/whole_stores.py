"""What is on disk, in values that compare, and what must hold of it whatever happened."""

import functools
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from calibstore.commands.repository import Doctor
from calibstore.datastore.atomic_files import is_temporary
from calibstore.datastore.checksums import sha256_of_file
from calibstore.services.context import Context
from calibstore.services.doors import ask

EMPTY = "a store without a table"
"""What a store is whose creation was interrupted."""


def dump_of(store: Path) -> str:
    """Return every row of a SQLite store, checked to be sound."""
    connection = sqlite3.connect(store)
    try:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        return "\n".join(connection.iterdump())
    finally:
        connection.close()


def contents_of(place: Path) -> dict[str, str]:
    """Return every folder, file and store below a place: a hash of each file, of each store a hash of its rows."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.name.endswith(("-wal", "-shm", "-journal")):
            continue
        found[name] = "folder" if path.is_dir() else _content(path, _stamp(path), _stamp(Path(f"{path}-wal")))
    return found


@functools.lru_cache(maxsize=4096)
def _content(path: Path, _stamp: object, _stamp_of_log: object) -> str:
    """Return a hash of a file or of a store's rows; one that was not touched is not read again."""
    if path.suffix != ".sqlite3" or is_temporary(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    rows = dump_of(path)
    return EMPTY if rows == "BEGIN TRANSACTION;\nCOMMIT;" else hashlib.sha256(rows.encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, ...]:
    if not path.exists():
        return ()
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def check_whole(context: Context) -> None:
    """Check what must hold of any repository: journal, ranges, rows with whole files."""
    with context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
        rows = uow.certifications.in_collections(uow.collections.list())
        last = uow.journal.last_state()
        records = uow.datasets.all_with_files()
        is_mirror = uow.repository.record().authority == "butler"
    by_key: dict[Any, list[Any]] = {}
    for row in rows:
        assert row.opened_state <= last
        by_key.setdefault((row.collection, row.dataset_type, row.data_key), []).append(row.timespan)
    for spans in by_key.values():
        for place, span in enumerate(spans):
            assert not any(span.overlaps(other) for other in spans[place + 1 :])
    for record in () if is_mirror else records:
        path = context.absolute(record.path)
        assert path.stat().st_size == record.size_bytes, path
        assert sha256_of_file(path) == record.sha256, path


def complaints_of(context: Context) -> set[str]:
    """Return what the doctor has against a repository, files read again."""
    found: Any = ask(Doctor(checksums=True), context).data
    return {f"{one['level']} {one['text']}" for one in found["symptoms"] if one["level"] != "ok"}
