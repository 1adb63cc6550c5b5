"""Bringing a file into the repository: copied or hard-linked, whole or not at all."""

import os
import shutil
from pathlib import Path

from calibstore.datastore.atomic_files import create_atomically, sync_directory
from calibstore.errors import StoreError


def copy_file(source: Path, target: Path) -> None:
    """Copy a file under its final name, synced; an existing target is replaced.

    Parameters
    ----------
    source, target : Path
        From and to; missing folders are made.

    Raises
    ------
    StoreError
        If the source cannot be read or the target not written.
    """
    with create_atomically(target) as descriptor:
        try:
            reader = source.open("rb")
        except OSError as fault:
            raise _unreadable(source, fault) from fault
        with reader, os.fdopen(os.dup(descriptor), "wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name (hard link) in the repository.

    Parameters
    ----------
    source, target : Path
        From and to; missing folders are made.

    Raises
    ------
    StoreError
        If the file system cannot link (other disk, permissions).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as fault:
        raise StoreError(
            f"{source} cannot be linked to {target}: {fault.strerror or fault}",
            hint="links need the same disk; take --transfer copy or direct",
            code="E-LINK",
        ) from fault
    sync_directory(target.parent)


def _unreadable(source: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"{source}: cannot be read: {fault.strerror or fault}", hint="check the file: ls -l", code="E-READ"
    )
