"""Files appear whole or not at all: temporary name, sync, rename, sync of the directory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from calibstore.errors import StoreError

TEMPORARY_MARK: Final = ".cabstand-tmp-"
"""Every unfinished file has this mark and the writer's process id at the end of its name."""

FILE_MODE: Final = 0o644
"""Products are world-readable whatever the writer's umask."""

FOLDER_MODE: Final = 0o755
"""So are the folders made for them; what the umask allows beyond that stays."""


def temporary_path(path: Path) -> Path:
    """Return the name a file has until it is complete."""
    return path.with_name(f"{path.name}{TEMPORARY_MARK}{os.getpid()}")


def is_temporary(path: Path) -> bool:
    """Tell whether a file is one that a crash left unfinished."""
    return TEMPORARY_MARK in path.name


@contextmanager
def create_atomically(path: Path) -> Iterator[int]:
    """Give a descriptor of a new file that takes its name when the block ends well.

    Parameters
    ----------
    path : Path
        Final name; an existing file is replaced. Missing folders are made.

    Yields
    ------
    int
        Descriptor open for reading and writing, closed at the end.

    Raises
    ------
    StoreError
        If the file cannot be made, written or renamed.
    """
    unfinished = temporary_path(path)
    descriptor, is_unfinished = -1, False
    try:
        make_folder(path.parent)
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        is_unfinished = True
        yield descriptor
        os.fchmod(descriptor, FILE_MODE)
        os.fsync(descriptor)
        os.close(descriptor)
        descriptor = -1
        os.replace(unfinished, path)  # noqa: PTH105  one spelling for the call the crash tests interrupt
        is_unfinished = False
        sync_directory(path.parent)
    except OSError as fault:
        raise StoreError(
            f"{path}: cannot be written: {fault.strerror or fault}",
            hint="check free space and permissions of the folder: df -h, ls -ld",
            code="E-WRITE",
        ) from fault
    finally:
        if descriptor >= 0:
            os.close(descriptor)
        if is_unfinished:
            unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file under its final name, or nothing.

    Parameters
    ----------
    path : Path
        Final name.
    content : bytes
        All of it.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    with create_atomically(path) as descriptor:
        write_at(descriptor, memoryview(content), 0)


def make_folder(path: Path) -> None:
    """Make a folder and its missing parents, durable and open to all readers; one that is there stays as it is.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(missing):
        folder.chmod(folder.stat().st_mode | FOLDER_MODE)
        sync_directory(folder.parent)


def write_at(descriptor: int, content: memoryview, offset: int) -> None:
    """Write all bytes at an offset, however many calls that takes."""
    while content.nbytes:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written


def sync_directory(path: Path) -> None:
    """Make a rename inside a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
