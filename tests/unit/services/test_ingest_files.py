"""A file that is no good is named with its reason and never stops the rest; so is a folder that holds nothing."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.raws import Ingest
from calibstore.datastore.camera_file import load_camera
from calibstore.errors import CabstandError, NotFoundError
from calibstore.model.camera import Camera
from calibstore.services.raw_intake import find_files, read_raw

Repo = Any  # tests/conftest.py


@pytest.fixture
def frames(simulated_biases: Callable[..., Path]) -> list[Path]:
    return sorted(simulated_biases("LATISS:mini", 3, 0, 1).glob("*.fits"))


def with_card(content: bytes, card: str) -> bytes:
    """Return a FITS file whose first OBSID card reads otherwise."""
    at = content.index(b"OBSID   =")
    return content[:at] + card.ljust(80).encode("latin-1") + content[at + 80 :]


def test_bad_files_are_named_and_the_rest_is_ingested(loose_repo: Repo, frames: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "night"
    (folder / "folder.fits").mkdir(parents=True)
    content = frames[0].read_bytes()
    shutil.copy(frames[1], folder / "good.FITS")
    shutil.copy(frames[2], folder / "folder.fits" / "inside.fits")
    (folder / "truncated.fits").write_bytes(content[: len(content) // 2])
    (folder / "headless.fits").write_bytes(content[:1000])
    (folder / "empty.fits").touch()
    (folder / "words.fits").write_text("dear diary")
    (folder / "card.fits").write_bytes(with_card(content, "OBSID   = 'never closed"))
    (folder / "dangling.fits").symlink_to("nowhere.fits")
    (folder / "notes.txt").write_text("not looked at")
    os.mkfifo(folder / "pipe.fits")

    effect = loose_repo.do(Ingest(paths=(str(folder), str(folder / "notes.txt"), str(folder / "missing.fits"))))

    assert effect.summary == "2 files recorded (2 bias), 10 refused"
    assert effect.exit_code == 2
    told = {one["file"]: one["reason"] for one in effect.data["refused"]}
    assert told == {
        "card.fits": "HDU 0 has a card that cannot be parsed: OBSID   = 'never closed",
        "dangling.fits": "cannot be read (No such file or directory)",
        "empty.fits": "is not a FITS file (it is empty)",
        "folder.fits": "cannot be read (Is a directory)",
        "headless.fits": "truncated file: the header of HDU 0 has no END card",
        "missing.fits": "cannot be read (No such file or directory)",
        "notes.txt": "is not a FITS file",
        "pipe.fits": "is no regular file",
        "truncated.fits": told["truncated.fits"],
        "words.fits": "is not a FITS file",
    }
    assert told["truncated.fits"].startswith("truncated file: HDU ")
    assert all(f"refused {name}: {reason}" in effect.lines for name, reason in told.items())
    remedies = [line for line in effect.lines if line.startswith("what to do: ")]
    assert "what to do: fetch the file again from where it came from" in remedies
    assert len(remedies) == len(set(remedies)) < 5


def test_names_that_cannot_be_stored_are_refused_readably(loose_repo: Repo, frames: list[Path], tmp_path: Path) -> None:
    shutil.copy(frames[0], tmp_path / "new\nline.fits")
    shutil.copy(frames[0], os.fsencode(tmp_path) + b"/latin-\xff.fits")
    shutil.copy(frames[0], tmp_path / "fine-\N{GREEK SMALL LETTER BETA}.fits")
    effect = loose_repo.do(Ingest(paths=(str(tmp_path),)))
    assert effect.summary == "1 file recorded (1 bias), 2 refused"
    for line in effect.lines:
        assert line.encode("utf-8").isascii()
        assert "\n" not in line


def refusal_of(path: Path, camera: Camera) -> CabstandError | None:
    try:
        read_raw(path, (camera,))
    except CabstandError as problem:
        return problem
    return None


def test_a_header_full_of_noise_is_refused_in_one_line(frames: list[Path], tmp_path: Path) -> None:
    import random

    rng = random.Random(7)
    content = frames[0].read_bytes()
    camera = load_camera("LATISS:mini")
    outcomes = set()
    for number in range(200):
        noisy = bytearray(content)
        for _ in range(rng.randint(1, 30)):
            noisy[rng.randrange(8000)] = rng.choice([0, 10, 32, 39, 47, 48, 57, 69, 255, rng.randrange(256)])
        path = tmp_path / f"noisy{number}.fits"
        path.write_bytes(noisy)
        problem = refusal_of(path, camera)
        if problem is not None:
            assert problem.message.startswith(path.name), problem.message
            assert problem.message.isprintable()
        outcomes.add(problem.code if problem is not None else "taken")
    assert len(outcomes) > 3


def test_folders_without_frames_are_said(loose_repo: Repo, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    effect = loose_repo.do(Ingest(paths=(str(frames[0]), str(tmp_path / "nothing"), str(tmp_path / "a*b"))))
    assert f"no FITS files in {tmp_path / 'nothing'}" in effect.lines
    assert f"no FITS files in {tmp_path / 'a*b'}" in effect.lines
    with pytest.raises(NotFoundError, match=r"no FITS files in .*nothing"):
        loose_repo.do(Ingest(paths=(str(tmp_path / "nothing"),)))


def test_a_file_is_found_once_however_often_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "night").mkdir()
    (tmp_path / "night" / "a[1].fits").touch()
    (tmp_path / "night" / "b.FIT.txt").touch()
    (tmp_path / "night" / "c.Fit").touch()
    monkeypatch.chdir(tmp_path)
    night = tmp_path / "night"
    expected = (night / "a[1].fits", night / "c.Fit")
    assert find_files(["night", "night/../night", "./night/*.[Ff]it", "night/a[1].fits"]).files == expected
    assert find_files(["~no-such-user-here/x.fits"]).files == (tmp_path / "~no-such-user-here/x.fits",)


def test_of_several_cameras_the_one_that_knows_the_frame_gives_the_reason(frames: list[Path], tmp_path: Path) -> None:
    """LATISS, LSSTComCam and a camera file's camera: a simulated LATISS frame of wrong geometry is LATISS's affair."""
    cameras = tuple(load_camera(name) for name in ("LSSTComCam:mini", "sbig_stl1001", "LATISS"))
    with pytest.raises(CabstandError, match="the frame is simulated"):
        read_raw(frames[0], cameras)
    foreign = tmp_path / "foreign.fits"
    content = frames[0].read_bytes()
    at = content.index(b"INSTRUME=")
    foreign.write_bytes(content[:at] + b"INSTRUME= 'Foo'".ljust(80) + content[at + 80 :])
    with pytest.raises(CabstandError, match=r"^foreign\.fits: unknown camera: INSTRUME is Foo$"):
        read_raw(foreign, cameras)
    with pytest.raises(CabstandError, match=r"the file is of LATISS, this repository of LSSTComCam; .* SBIG-STL1001"):
        read_raw(frames[0], cameras[:2])


def test_refusals_are_kept_in_the_journal(loose_repo: Repo, frames: list[Path], tmp_path: Path) -> None:
    (tmp_path / "words.fits").write_text("dear diary")
    loose_repo.do(Ingest(paths=(str(frames[0]), str(tmp_path / "words.fits"))))
    with sqlite3.connect(loose_repo.context.store_path) as connection:
        (after,) = connection.execute("select after_json from journal order by state desc limit 1").fetchone()
    assert "words.fits: is not a FITS file" in after
