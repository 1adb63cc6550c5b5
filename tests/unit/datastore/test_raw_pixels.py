"""Raw images read in bands equal what astropy reads; damaged files are named."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.raw_pixels import ImagePlane, PixelReader
from calibstore.errors import StoreError

RNG = np.random.default_rng(0)
IMAGES = {
    "unsigned": RNG.integers(0, 65536, (40, 30)).astype(np.uint16),
    "long": RNG.integers(-(2**20), 2**20, (40, 30)).astype(np.int32),
    "real": RNG.normal(size=(40, 30)).astype(np.float32),
    "byte": RNG.integers(0, 255, (40, 30)).astype(np.uint8),
}


def write(path: Path, *, compressed: bool = False) -> Path:
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    images = [kind(data, name=name) for name, data in IMAGES.items() if not compressed or name in ("unsigned", "long")]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    return path


def true_image(reader: PixelReader, plane: ImagePlane) -> np.ndarray:
    return reader.read_rows(plane, 0, plane.height).astype(np.float32) * plane.scale + plane.zero


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_images_and_bands_are_those_written(tmp_path: Path, name: str) -> None:
    with PixelReader(write(tmp_path / "a.fits")) as reader:
        plane = reader.plane(name.upper())
        np.testing.assert_array_equal(true_image(reader, plane), IMAGES[name].astype(np.float32))
        buffer = np.empty(30 * 7 * 8, np.uint8)
        stored = reader.read_rows(plane, 5, 12, buffer=buffer)
        assert np.shares_memory(stored, buffer)
        np.testing.assert_array_equal(stored.astype(np.float64) + plane.zero, IMAGES[name][5:12])


@pytest.fixture(params=["fitsio", "astropy"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read compressed images by each of the two libraries."""
    if request.param == "fitsio":
        pytest.importorskip("fitsio", reason="read by astropy alone: pip install 'cabstand[fitsio]'")
    else:
        monkeypatch.setitem(sys.modules, "fitsio", None)
    return str(request.param)


@pytest.mark.usefixtures("library")
def test_compressed_and_gzipped_files_read_alike(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.fits")
    squeezed = write(tmp_path / "a.fits.fz", compressed=True)
    zipped, both = tmp_path / "a.fits.gz", tmp_path / "b.fits.fz.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    both.write_bytes(gzip.compress(squeezed.read_bytes()))
    for path in (squeezed, zipped, both):
        with PixelReader(path) as reader:
            for name in ("unsigned", "long"):
                plane = reader.plane(name)
                np.testing.assert_array_equal(true_image(reader, plane), IMAGES[name].astype(np.float32))


@pytest.mark.usefixtures("library")
def test_compressed_unsigned_and_real_images_have_true_values(tmp_path: Path) -> None:
    images = {"u2": IMAGES["unsigned"], "u4": IMAGES["unsigned"].astype(np.uint32) * 3, "f4": IMAGES["real"]}
    lossless = {"compression_type": "GZIP_2", "quantize_level": 0.0}  # Rice would round real numbers
    hdus = [fits.CompImageHDU(data, name=name, **(lossless if name == "f4" else {})) for name, data in images.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "a.fits.fz")
    with PixelReader(tmp_path / "a.fits.fz") as reader:
        for name, data in images.items():
            plane = reader.plane(name)
            stored = reader.read_rows(plane, 3, 9).astype(np.float64)
            np.testing.assert_array_equal(stored * plane.scale + plane.zero, data[3:9])


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("low", "high"), [(-40_000, 20_000), (65_500, 131_035), (-(2**31), 100 - 2**31), (0, 65_536), (1, 2)]
)
def test_compressed_wide_numbers_keep_their_values_whatever_their_range(tmp_path: Path, low: int, high: int) -> None:
    pixels = np.random.default_rng(1).integers(low, high, (40, 30)).astype(np.int32)
    pixels[0, :2] = low, high  # more than 16 bits hold for one of them, just as many for another
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(pixels, name="a")]
    fits.HDUList(hdus).writeto(tmp_path / "a.fits.fz")
    with PixelReader(tmp_path / "a.fits.fz") as reader:
        plane = reader.plane("a")
        stored = reader.read_rows(plane, 0, 40).astype(np.float64)
    np.testing.assert_array_equal(stored + plane.zero, pixels)


def test_an_empty_name_means_the_first_image(tmp_path: Path) -> None:
    fits.PrimaryHDU(IMAGES["unsigned"]).writeto(tmp_path / "a.fits")
    with PixelReader(tmp_path / "a.fits") as reader:
        np.testing.assert_array_equal(true_image(reader, reader.plane("")), IMAGES["unsigned"])


def test_scaled_images_have_true_values(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(IMAGES["long"].astype(np.int16))
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.5, 10.0
    hdu.writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus, PixelReader(tmp_path / "a.fits") as reader:
        np.testing.assert_allclose(true_image(reader, reader.plane("")), hdus[0].data)


@pytest.mark.parametrize("lost", [1, 2880, 6000, 20_000])
def test_a_truncated_file_is_named(tmp_path: Path, lost: int) -> None:
    path = write(tmp_path / "short.fits")
    last = 40 * 30  # bytes of the last image, padded to a block
    path.write_bytes(path.read_bytes()[: -(2880 - last) - lost])
    with pytest.raises(StoreError, match=r"short\.fits: truncated") as caught:
        PixelReader(path)
    assert caught.value.code == "E-TRUNCATED"


def test_other_damage_is_named(tmp_path: Path) -> None:
    cases = {
        "empty.txt": (b"nothing like FITS", "not a FITS"),
        "half.gz": (gzip.compress(write(tmp_path / "a.fits").read_bytes())[:-50], "gzip"),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreError, match=words) as caught:
            PixelReader(tmp_path / name)
        assert name in caught.value.message
    with pytest.raises(StoreError, match="cannot be read"):
        PixelReader(tmp_path / "missing.fits")
    with PixelReader(tmp_path / "a.fits") as reader, pytest.raises(StoreError, match="no image Segment99") as caught:
        reader.plane("Segment99")
    assert caught.value.code == "E-HDU"


@pytest.mark.usefixtures("library")
def test_damaged_compressed_tiles_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fits.fz", compressed=True)
    with fits.open(path, disable_image_compression=True) as hdus:
        first = hdus[1].fileinfo()["datLoc"]
    content = bytearray(path.read_bytes())
    content[first : first + 8 * 40] = b"\x7f" * 320  # descriptors of the tiles point outside
    path.write_bytes(bytes(content))
    with PixelReader(path) as reader, pytest.raises(StoreError, match="cannot be expanded") as caught:
        reader.plane("unsigned")
    assert caught.value.code == "E-COMPRESSED"


@pytest.mark.parametrize("card", ["BITPIX  =                    7", "NAXIS1  =                 many", "NAXIS1  ="])
def test_a_header_that_tells_no_shape_is_named(tmp_path: Path, card: str) -> None:
    path = tmp_path / "odd.fits"
    fits.PrimaryHDU(IMAGES["byte"]).writeto(path)
    content = path.read_bytes()
    start = content.index(card[:9].encode())
    path.write_bytes(content[:start] + card.ljust(80).encode() + content[start + 80 :])
    with pytest.raises(StoreError, match=r"odd\.fits"):
        PixelReader(path)
