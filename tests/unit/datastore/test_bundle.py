"""Files enter and leave a bundle only whole, and only as the store knows them."""

import hashlib
from pathlib import Path

import pytest

from calibstore.datastore.atomic_files import temporary_path
from calibstore.datastore.bundle import (
    FileCopy,
    copy_file,
    file_problem,
    not_world_readable,
    publish,
    read_manifest,
    write_bundle,
)
from calibstore.errors import StoreError

CONTENT = b"pixels" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def one(tmp_path: Path) -> FileCopy:
    source = tmp_path / "source.fits"
    source.write_bytes(CONTENT)
    source.chmod(0o600)
    return FileCopy(source=source, path="a/b/c.fits", size_bytes=len(CONTENT), sha256=SHA256)


def test_a_bundle_appears_with_its_name_only_when_published(tmp_path: Path, one: FileCopy) -> None:
    folder = tmp_path / "bundle"
    unfinished = write_bundle(folder, [one], {"export.yaml": "a: 1\n"})
    assert not folder.exists()
    publish(unfinished, folder)
    assert not unfinished.exists()
    assert (folder / "a/b/c.fits").read_bytes() == CONTENT
    assert (folder / "a/b/c.fits").stat().st_mode & 0o777 == 0o644
    assert read_manifest(folder) == {
        "a/b/c.fits": SHA256,
        "export.yaml": hashlib.sha256(b"a: 1\n").hexdigest(),
    }


def test_nothing_is_left_of_a_bundle_that_failed(tmp_path: Path, one: FileCopy) -> None:
    bad = FileCopy(source=tmp_path / "none", path="x", size_bytes=0, sha256="")
    with pytest.raises(StoreError):
        write_bundle(tmp_path / "bundle", [one, bad], {})
    assert [path.name for path in tmp_path.iterdir()] == ["source.fits"]


def test_a_copy_waits_under_an_unfinished_name(tmp_path: Path, one: FileCopy) -> None:
    target = tmp_path / "deep" / "c.fits"
    assert copy_file(one, target) == SHA256
    assert not target.exists()
    assert temporary_path(target).read_bytes() == CONTENT


def test_a_copy_of_other_content_is_taken_back(tmp_path: Path, one: FileCopy) -> None:
    one.source.write_bytes(CONTENT + b"x")
    with pytest.raises(StoreError, match="the store knows it as"):
        copy_file(one, tmp_path / "c.fits")
    assert not temporary_path(tmp_path / "c.fits").exists()


def test_publish_never_replaces(tmp_path: Path, one: FileCopy) -> None:
    unfinished = write_bundle(tmp_path / "bundle", [one], {})
    (tmp_path / "bundle").mkdir()
    with pytest.raises(StoreError, match="exists"):
        publish(unfinished, tmp_path / "bundle")


def test_what_is_wrong_with_a_file(tmp_path: Path, one: FileCopy) -> None:
    name, size = one.source.name, len(CONTENT)
    assert file_problem(tmp_path, name, size_bytes=size, sha256=SHA256) == ""
    assert "missing" in file_problem(tmp_path, "none", size_bytes=None, sha256="")
    assert "should have 1" in file_problem(tmp_path, name, size_bytes=1, sha256="")
    assert "has sha256" in file_problem(tmp_path, name, size_bytes=size, sha256="0" * 64)
    assert "is no file" in file_problem(tmp_path.parent, tmp_path.name, size_bytes=None, sha256="")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(one.source)
    assert "leads out" in file_problem(tmp_path / "in", "link", size_bytes=None, sha256="")
    (tmp_path / "in" / "loop").symlink_to("loop")
    assert file_problem(tmp_path / "in", "loop", size_bytes=None, sha256="")


@pytest.mark.parametrize("line", ["abc  name", f"{'0' * 64} name", f"{'z' * 64}  name", f"{'0' * 64}  "])
def test_a_manifest_with_an_odd_line_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "MANIFEST.sha256").write_text(line + "\n")
    with pytest.raises(StoreError, match="is no line of a checksum list") as caught:
        read_manifest(tmp_path)
    assert caught.value.code == "E-MANIFEST"


def test_what_others_cannot_read(tmp_path: Path, one: FileCopy) -> None:
    tmp_path.chmod(0o711)
    assert not_world_readable([tmp_path, one.source, tmp_path / "none"]) == (tmp_path, one.source)
    tmp_path.chmod(0o755)
    one.source.chmod(0o604)
    assert not_world_readable([tmp_path, one.source]) == ()
