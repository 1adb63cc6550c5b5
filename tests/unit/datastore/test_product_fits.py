"""Products: standard FITS, streamed, whole or absent, with sums that ignore when they were made."""

import hashlib
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore import atomic_files
from calibstore.datastore.atomic_files import TEMPORARY_MARK, is_temporary, write_atomically
from calibstore.datastore.png import png_bytes, write_png
from calibstore.datastore.product_fits import (
    PlaneSpec,
    create_product,
    image_planes,
    product_checksums,
    read_header,
    read_plane,
    read_plane_bands,
    write_image,
)
from calibstore.errors import StoreError

LONG = "u/someone/LSSTComCam/calib/DM-12345/voltageChange/biasGen.20240102a/20240102T030405Z-and-more-of-it"
CARDS = {"OBSTYPE": "bias", "LSST CALIB RUN BIAS": LONG, "CPP_INPUT_0": 12, "X": float("nan"), "OK": True}


def build(path: Path, cards=CARDS, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    planes = {
        "IMAGE": rng.normal(size=(50, 23)).astype(np.float32),
        "VARIANCE": rng.random((50, 23)).astype(np.float32),
        "COUNT": rng.integers(0, 20, (50, 23)).astype(np.int16),
    }
    specs = image_planes("electron", {"BAD": 0, "DETECTED_NEGATIVE": 6})
    with create_product(path, height=50, width=23, planes=specs, cards=cards) as writer:
        for name, values in planes.items():
            for y0 in range(0, 50, 7):
                writer.write_rows(name, y0, values[y0 : y0 + 7])
        np.testing.assert_array_equal(writer.read_rows("IMAGE", 3, 9, slice(2, 5)), planes["IMAGE"][3:9, 2:5])
    return planes


def test_astropy_reads_what_was_streamed(tmp_path: Path) -> None:
    planes = build(tmp_path / "deep" / "bias.fits")
    with fits.open(tmp_path / "deep" / "bias.fits") as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus[1:]] == ["IMAGE", "MASK", "VARIANCE", "COUNT"]
        for name, values in planes.items():
            np.testing.assert_array_equal(hdus[name].data, values)
        assert hdus["MASK"].data.dtype == np.dtype(">i4")
        assert not hdus["MASK"].data.any()
        assert hdus["MASK"].header["MP_DETECTED_NEGATIVE"] == 6
        assert hdus["IMAGE"].header["BUNIT"] == "electron"
        assert hdus[0].header["LSST CALIB RUN BIAS"] == LONG


def test_our_readers_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "bias.fits"
    planes = build(path)
    header = read_header(path)
    assert {key: header[key] for key in CARDS if key != "X"} == {k: v for k, v in CARDS.items() if k != "X"}
    assert header["X"] is None
    np.testing.assert_array_equal(read_plane(path, "COUNT"), planes["COUNT"])
    bands = [band for _, band in read_plane_bands(path, "VARIANCE", band_rows=16)]
    np.testing.assert_array_equal(np.concatenate(bands), planes["VARIANCE"])
    assert bands[0].dtype.isnative


def test_sums_are_of_the_file_and_of_the_pixels_alone(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{i}.fits" for i in range(3))
    build(first, CARDS | {"CALIB_CREATION_DATE": "2026-01-01"})
    build(second, CARDS | {"CALIB_CREATION_DATE": "2027-12-31", "MORE": "x" * 5000})
    build(third, seed=1)
    sums = [product_checksums(path) for path in (first, second, third)]
    assert sums[0].sha256 == hashlib.sha256(first.read_bytes()).hexdigest()
    assert sums[0].size_bytes == first.stat().st_size
    assert sums[0].content_sha256 == sums[1].content_sha256 != sums[2].content_sha256
    assert sums[0].sha256 != sums[1].sha256
    with fits.open(first) as hdus:
        pixels = b"".join(hdu.data.tobytes() for hdu in hdus[1:])
    assert sums[0].content_sha256 == hashlib.sha256(pixels).hexdigest()


def test_products_are_world_readable_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_image(tmp_path / "a.fits", np.zeros((3, 3), np.float32), cards={})
    finally:
        os.umask(before)
    assert (tmp_path / "a.fits").stat().st_mode & 0o777 == 0o644


def write_half(path: Path) -> None:
    spec = (PlaneSpec(name="IMAGE", dtype="f4"),)
    with create_product(path, height=3, width=3, planes=spec, cards={}) as writer:
        writer.write_rows("IMAGE", 0, np.zeros((1, 3), np.float32))
        names = [found.name for found in path.parent.iterdir()]
        assert f"a.fits{TEMPORARY_MARK}{os.getpid()}" in names
        raise RuntimeError("half way")


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    write_image(path, np.ones((3, 3), np.float32), cards={})
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="half way"):
        write_half(path)
    assert path.read_bytes() == before
    assert not any(is_temporary(found) for found in tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"a\.fits: cannot be written") as caught:
        write_image(tmp_path / "file" / "a.fits", np.zeros((3, 3), np.float32), cards={})
    assert caught.value.code == "E-WRITE"


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    spec = (PlaneSpec(name="IMAGE", dtype="f4"),)
    with (
        pytest.raises(ValueError, match="do not fit"),
        create_product(tmp_path / "a.fits", height=3, width=3, planes=spec, cards={}) as writer,
    ):
        writer.write_rows("IMAGE", 2, np.zeros((2, 3), np.float32))


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.fits").write_text("no FITS")
    for name in ("notes.fits", "missing.fits"):
        with pytest.raises(StoreError, match=name):
            read_header(tmp_path / name)
        with pytest.raises(StoreError, match=name):
            read_plane(tmp_path / name)


def test_png_shows_row_zero_lowest_and_never_changes(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((4, 6), np.uint8)
    pixels[0, 1] = 255
    write_png(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as image:
        assert image.getpixel((1, 3)) == 255
        assert image.size == (6, 4)
    assert png_bytes(pixels) == (tmp_path / "a.png").read_bytes()
    assert png_bytes(np.zeros((2, 2, 3), np.uint8)).startswith(b"\x89PNG")


def test_write_atomically_replaces_whole_files(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.bin", b"x" * 10)
    write_atomically(tmp_path / "a.bin", b"yy")
    assert (tmp_path / "a.bin").read_bytes() == b"yy"


def test_folders_made_for_a_product_can_be_entered_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "a" / "b" / "c.txt", b"x")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o755, 0o755]


def test_new_folders_are_made_durable_before_the_file_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(atomic_files, "sync_directory", lambda path: synced.append(path.name))
    write_atomically(tmp_path / "a" / "b" / "c.txt", b"x")
    assert synced == [tmp_path.name, "a", "b"]
    write_atomically(tmp_path / "a" / "b" / "d.txt", b"x")
    assert synced[3:] == ["b"]
