"""Files come into the repository whole, with their content told, or not at all."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from calibstore.datastore import atomic_files
from calibstore.datastore.file_copy import copy_file, link_file, remove_brought
from calibstore.errors import StoreError

CONTENT = bytes(range(256)) * 9000  # more than two chunks


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "from" / "frame.fits"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    return path


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_copy_has_the_content_and_is_world_readable(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "to" / "deep" / "frame.fits"
    assert copy_file(source, target) == hashlib.sha256(CONTENT).hexdigest()
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode & 0o777 == 0o644
    assert tree(tmp_path / "to") == ["deep", "deep/frame.fits"]


def test_an_empty_file_is_copied_too(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert copy_file(tmp_path / "empty", tmp_path / "copy") == hashlib.sha256(b"").hexdigest()
    assert (tmp_path / "copy").read_bytes() == b""


def test_a_link_is_the_same_file(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "to" / "frame.fits"
    link_file(source, target)
    assert target.samefile(source)
    assert source.stat().st_nlink == 2


def test_of_a_symbolic_link_the_file_behind_it_is_linked(source: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias.fits"
    alias.symlink_to("from/frame.fits")
    link_file(alias, tmp_path / "to" / "frame.fits")
    assert not (tmp_path / "to" / "frame.fits").is_symlink()
    assert (tmp_path / "to" / "frame.fits").read_bytes() == CONTENT


def test_a_link_to_another_disk_says_what_to_do(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError, match=r"frame\.fits cannot be linked to .*: Invalid cross-device link") as caught:
        link_file(source, tmp_path / "to" / "frame.fits")
    assert caught.value.code == "E-LINK"
    assert "--transfer copy" in caught.value.hint


def test_a_source_that_cannot_be_read_is_blamed_itself(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone\.fits: cannot be read: No such file") as caught:
        copy_file(tmp_path / "gone.fits", tmp_path / "to" / "frame.fits")
    assert caught.value.code == "E-READ"
    assert tree(tmp_path) == []


def test_a_source_that_fails_half_way_is_blamed_itself(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __init__(self) -> None:
            self.left = [CONTENT[:1000]]

        def __enter__(self) -> "Failing":
            return self

        def __exit__(self, *_told: object) -> None:
            return None

        def read(self, _size: int) -> bytes:
            if self.left:
                return self.left.pop()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "open", lambda *_args, **_named: Failing())
    with pytest.raises(StoreError, match=r"from/frame\.fits: cannot be read: Input/output error"):
        copy_file(source, tmp_path / "to" / "frame.fits")
    assert tree(tmp_path / "to") == []


@pytest.mark.parametrize("call", ["open", "pwrite", "fchmod", "fsync", "replace"])
def test_a_disk_that_fails_at_any_write_leaves_no_file(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_args: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real: Callable[..., int] = os.open

    def fail_to_create(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            fail()
        return real(path, flags, mode)

    monkeypatch.setattr(atomic_files.os, call, fail_to_create if call == "open" else fail)
    with pytest.raises(StoreError, match=r"to/frame\.fits: cannot be written: No space left") as caught:
        copy_file(source, tmp_path / "to" / "frame.fits")
    monkeypatch.undo()
    assert caught.value.code == "E-WRITE"
    assert tree(tmp_path / "to") == []
    assert copy_file(source, tmp_path / "to" / "frame.fits")


def test_removing_takes_empty_folders_along_but_no_others(tmp_path: Path) -> None:
    for name in ("data/LATISS/night1/a.fits", "data/LATISS/night2/b.fits"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    remove_brought(tmp_path / "data/LATISS/night1/a.fits", below=tmp_path)
    assert tree(tmp_path) == ["data", "data/LATISS", "data/LATISS/night2", "data/LATISS/night2/b.fits"]
    remove_brought(tmp_path / "data/LATISS/night2/b.fits", below=tmp_path)
    remove_brought(tmp_path / "data/LATISS/night2/b.fits", below=tmp_path)
    assert tree(tmp_path) == []
