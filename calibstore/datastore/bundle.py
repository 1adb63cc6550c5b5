"""Bundles: a folder of exported files with a checksum manifest, written beside its place and renamed when complete.

A file enters or leaves a bundle only with the checksum the store knows it by.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.datastore.atomic_files import (
    FILE_MODE,
    TEMPORARY_MARK,
    make_folder,
    sync_directory,
    temporary_path,
    write_atomically,
)
from calibstore.datastore.checksums import sha256_of_file, unreadable
from calibstore.datastore.threads import in_threads
from calibstore.errors import StoreError

EXPORT_FILE: Final = "export.yaml"
FACTS_FILE: Final = "cabstand.json"
MANIFEST_FILE: Final = "MANIFEST.sha256"
FOLDER_MODE: Final = 0o755

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCopy:
    """One file to copy."""

    source: Path
    path: str
    """Relative to the folder it goes to."""
    size_bytes: int
    sha256: str
    """What the file must have; empty for unknown."""


def write_bundle(folder: Path, copies: Sequence[FileCopy], texts: Mapping[str, str]) -> Path:
    """Write a bundle into an unfinished folder beside its place.

    Parameters
    ----------
    folder : Path
        Where it will be; see `publish`.
    copies : sequence of FileCopy
        Files of datasets.
    texts : mapping
        File name to content, such as export.yaml.

    Returns
    -------
    Path
        The unfinished folder.

    Raises
    ------
    StoreError
        If a file is missing, has other content than the store knows, or cannot be written. Nothing is left.
    """
    unfinished = temporary_path(folder)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        targets = [unfinished / one.path for one in copies]
        sums = copy_files(copies, targets)
        for target in targets:
            os.replace(temporary_path(target), target)  # noqa: PTH105  as in atomic_files
        manifest = [(one.path, sha256) for one, sha256 in zip(copies, sums, strict=True)]
        for name, text in texts.items():
            content = text.encode()
            write_atomically(unfinished / name, content)
            manifest.append((name, hashlib.sha256(content).hexdigest()))
        lines = "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(manifest))
        write_atomically(unfinished / MANIFEST_FILE, lines.encode())
        for place in (unfinished, *(one for one in unfinished.rglob("*") if one.is_dir())):
            place.chmod(FOLDER_MODE)
            sync_directory(place)
    except OSError as fault:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise _unwritable(folder, fault) from fault
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return unfinished


def publish(unfinished: Path, folder: Path) -> None:
    """Give a complete bundle its name.

    Raises
    ------
    StoreError
        If something of that name came to be meanwhile.
    """
    try:
        if folder.exists():
            raise StoreError(f"{folder} exists", hint="choose another folder", code="E-EXISTS")
        os.rename(unfinished, folder)  # noqa: PTH104  as in atomic_files
        sync_directory(folder.parent)
    except OSError as fault:
        raise _unwritable(folder, fault) from fault


def copy_files(copies: Sequence[FileCopy], targets: Sequence[Path]) -> tuple[str, ...]:
    """Copy files to the unfinished names of their targets, several at a time; return their SHA-256 in order.

    Raises
    ------
    StoreError
        As `copy_file`; copies that were complete by then stay under their unfinished names.
    """
    for folder in dict.fromkeys(target.parent for target in targets):
        try:
            make_folder(folder)
        except OSError as fault:
            raise _unwritable(folder, fault) from fault
    return in_threads(lambda pair: copy_file(*pair), zip(copies, targets, strict=True))


def copy_file(one: FileCopy, target: Path) -> str:
    """Copy a file to the unfinished name of its target; return its SHA-256.

    Parameters
    ----------
    one : FileCopy
        Source and what it must be.
    target : Path
        Final place; the copy has `temporary_path(target)` until it is renamed.

    Raises
    ------
    StoreError
        If the source is missing, unreadable or has other content, or the copy cannot be written.
    """
    unfinished = temporary_path(target)
    try:
        source = one.source.open("rb")
    except OSError as fault:
        raise unreadable(one.source, fault) from fault
    digest = hashlib.sha256()
    try:
        with source:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
            with os.fdopen(descriptor, "wb") as copy:
                while block := source.read(_CHUNK):
                    digest.update(block)
                    copy.write(block)
                copy.flush()
                os.fchmod(copy.fileno(), FILE_MODE)
                os.fsync(copy.fileno())
    except OSError as fault:
        unfinished.unlink(missing_ok=True)
        raise _unwritable(target, fault) from fault
    if one.sha256 and digest.hexdigest() != one.sha256:
        unfinished.unlink(missing_ok=True)
        raise StoreError(
            f"{one.source}: has sha256 {digest.hexdigest()[:12]}, the store knows it as {one.sha256[:12]}",
            hint="the file was changed or damaged: cabstand doctor",
            code="E-CHECKSUM",
        )
    return digest.hexdigest()


def finish_copies(targets: Sequence[Path]) -> None:
    """Give waiting copies their names, and make that durable.

    Raises
    ------
    StoreError
        If a copy is gone or cannot be renamed.
    """
    for target in targets:
        try:
            os.replace(temporary_path(target), target)  # noqa: PTH105  as in atomic_files
        except OSError as fault:
            raise _unwritable(target, fault) from fault
    for folder in sorted({target.parent for target in targets}):
        try:
            sync_directory(folder)
        except OSError as fault:
            raise _unwritable(folder, fault) from fault


def remove_stale(targets: Sequence[Path]) -> None:
    """Remove the unfinished copies that dead processes left of some files."""
    names: dict[Path, set[str]] = {}
    for target in targets:
        names.setdefault(target.parent, set()).add(target.name)
    for folder, wanted in names.items():
        for path in folder.glob(f"*{TEMPORARY_MARK}*"):
            name, _, pid = path.name.rpartition(TEMPORARY_MARK)
            if name in wanted and (not pid.isdecimal() or not _is_alive(int(pid))):
                path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def read_manifest(folder: Path) -> dict[str, str]:
    """Return relative path to SHA-256 of a bundle's manifest; empty where there is none.

    Raises
    ------
    StoreError
        If it cannot be read or has a line that `sha256sum` would not write.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise StoreError(f"{path}: cannot be read: {fault}", hint="fetch the bundle again", code="E-READ") from fault
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        sha256, gap, name = line[:64], line[64:66], line[66:]
        if gap not in ("  ", " *") or not name or not set(sha256) <= set("0123456789abcdef"):
            raise StoreError(
                f"{path}:{number}: is no line of a checksum list", hint="fetch the bundle again", code="E-MANIFEST"
            )
        found[name] = sha256
    return found


def place_inside(folder: Path, relative: str) -> Path | None:
    """Return a file's place in a folder, or None when a link leads out of it."""
    place = folder / relative
    # realpath, unlike resolve, takes a loop of links for a name of its own.
    inside = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118  the trailing separator is the point
    return place if os.path.realpath(place).startswith(inside) else None


def file_problem(folder: Path, relative: str, *, size_bytes: int | None, sha256: str) -> str:
    """Tell what is wrong with a file of a bundle; empty when nothing is.

    Parameters
    ----------
    folder : Path
        The bundle.
    relative : str
        Path in it.
    size_bytes : int or None
        Size it must have [byte].
    sha256 : str
        Checksum it must have; empty for unknown.
    """
    place = place_inside(folder, relative)
    if place is None:
        return f"{relative}: a link leads out of the bundle"
    try:
        facts = place.stat()
    except OSError as fault:
        return f"{relative}: {'missing' if isinstance(fault, FileNotFoundError) else fault.strerror}"
    if not stat.S_ISREG(facts.st_mode):
        return f"{relative}: is no file"
    if size_bytes is not None and facts.st_size != size_bytes:
        return f"{relative}: has {facts.st_size} bytes, should have {size_bytes}"
    if sha256:
        try:
            found = sha256_of_file(place)
        except StoreError as fault:
            return f"{relative}: {fault.message}"
        if found != sha256:
            return f"{relative}: has sha256 {found[:12]}, should have {sha256[:12]}"
    return ""


def not_world_readable(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return those existing files and folders that others cannot read (and enter)."""
    closed = []
    for path in paths:
        if path.exists():
            mode = path.stat().st_mode
            wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
            if mode & wanted != wanted:
                closed.append(path)
    return tuple(closed)


def _unwritable(path: Path, fault: OSError) -> StoreError:
    return StoreError(
        f"{path}: cannot be written: {fault.strerror or fault}",
        hint="check free space and permissions of the folder: df -h, ls -ld",
        code="E-WRITE",
    )
