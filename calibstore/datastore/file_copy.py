"""Bringing a file into the repository: copied or hard-linked, whole or not at all."""

import hashlib
from pathlib import Path
from typing import BinaryIO, Final

from calibstore.datastore.atomic_files import create_atomically, make_folder, sync_directory, write_at
from calibstore.datastore.checksums import unreadable
from calibstore.errors import StoreError

_CHUNK: Final = 1 << 20


def copy_file(source: Path, target: Path) -> str:
    """Copy a file under its final name, synced; an existing target is replaced.

    Parameters
    ----------
    source, target : Path
        From and to; missing folders are made.

    Returns
    -------
    str
        Hex SHA-256 of what was copied: the source may have changed since somebody looked at it.

    Raises
    ------
    StoreError
        If the source cannot be read (E-READ) or the target not written (E-WRITE).
    """
    try:
        reader = source.open("rb")
    except OSError as fault:
        raise unreadable(source, fault) from fault
    digest = hashlib.sha256()
    with reader, create_atomically(target) as descriptor:
        offset = 0
        while chunk := _next_chunk(reader, source):
            digest.update(chunk)
            write_at(descriptor, memoryview(chunk), offset)
            offset += len(chunk)
    return digest.hexdigest()


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name (hard link) in the repository.

    Parameters
    ----------
    source, target : Path
        From and to; missing folders are made. Of a symbolic link the file behind it is linked.

    Raises
    ------
    StoreError
        If the file system cannot link (other disk, permissions).
    """
    try:
        make_folder(target.parent)
        target.hardlink_to(source.resolve())
        sync_directory(target.parent)
    except OSError as fault:
        raise StoreError(
            f"{source} cannot be linked to {target}: {fault.strerror or fault}",
            hint="links need the same disk; take --transfer copy or direct",
            code="E-LINK",
        ) from fault


def remove_brought(path: Path, *, below: Path) -> None:
    """Remove a copy or link that is not wanted after all, and the folders it leaves empty.

    Parameters
    ----------
    path : Path
        The file; it may be gone already.
    below : Path
        Folder that stays, and everything above it.
    """
    try:
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == below or not folder.is_relative_to(below):
                return
            folder.rmdir()
    except OSError:
        # A folder in use stays, and so does a file on a failing disk: `doctor` names files without a row.
        return


def _next_chunk(reader: BinaryIO, source: Path) -> bytes:
    try:
        return reader.read(_CHUNK)
    except OSError as fault:
        raise unreadable(source, fault) from fault
