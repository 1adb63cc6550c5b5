"""SHA-256 of whole files and of parts of them."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.errors import StoreError

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Checksums:
    """Size and sums of a finished product."""

    size_bytes: int
    sha256: str
    content_sha256: str
    """Of the data units alone, in file order, without padding."""


def sha256_of_file(path: Path) -> str:
    """Return the hex SHA-256 of a file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise unreadable(path, fault) from fault


def sha256_whole_and_parts(descriptor: int, parts: Iterable[tuple[int, int]]) -> tuple[str, str]:
    """Return the hex SHA-256 of an open file and that of some byte ranges of it, reading once.

    Parameters
    ----------
    descriptor : int
        Open file.
    parts : iterable of tuple of int
        (offset, length) of each range, in ascending order, without overlap.
    """
    whole, content = hashlib.sha256(), hashlib.sha256()
    size = os.fstat(descriptor).st_size
    edges: list[tuple[int, int, bool]] = []
    position = 0
    for offset, length in parts:
        edges += [(position, offset, False), (offset, offset + length, True)]
        position = offset + length
    edges.append((position, size, False))
    buffer = memoryview(bytearray(_CHUNK))
    for begin, end, is_content in edges:
        offset = begin
        while offset < end:
            n_read = os.preadv(descriptor, [buffer[: min(_CHUNK, end - offset)]], offset)
            if n_read == 0:
                raise OSError(f"file ends at byte {offset} of {size}")
            whole.update(buffer[:n_read])
            if is_content:
                content.update(buffer[:n_read])
            offset += n_read
    return whole.hexdigest(), content.hexdigest()


def unreadable(path: Path, fault: OSError) -> StoreError:
    """Return the error for a file that cannot be opened or read."""
    return StoreError(
        f"{path}: cannot be read: {fault.strerror or fault}",
        hint="check that the file is there and readable: ls -l",
        code="E-READ",
    )
