"""Binned images and thumbnails of a finished product, for people to look at."""

from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.checksums import Checksums, sha256_of_file
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.png import write_png
from calibstore.datastore.product_fits import read_header, read_plane_bands, write_image
from calibstore.errors import UserInputError
from calibstore.pipelines.quantum import OutputFile, WrittenFile
from kernels.arrays import Image
from kernels.binning import bin_mean
from kernels.errors import NotEnoughDataError
from kernels.mosaic import display_limits, stretch_to_uint8

BINNINGS: Final = {"Bin8": 8, "Bin64": 64}
"""Block side of each binned companion of a product [pixel]."""

_IDENTITY = (
    "OBSTYPE", "INSTRUME", "DETECTOR", "DET_NAME", "RAFTNAME", "SLOTNAME", "TIMESYS", "DATE-OBS", "LSST ISR UNITS",
    "CALIB_CREATION_DATETIME", "CALIB_CREATION_DATE", "CALIB_CREATION_TIME",
)  # fmt: skip


def binned_product(path: Path, factor: int) -> Image:
    """Bin the image plane of a product without holding it whole.

    Parameters
    ----------
    path : Path
        Product file.
    factor : int
        Block side [pixel].

    Returns
    -------
    ndarray of shape (ny // factor, nx // factor), float32
        Block means [unit of the product].

    Raises
    ------
    StoreError
        If the product cannot be read.
    UserInputError
        If the detector is smaller than one block.
    """
    band_rows = max(64 // factor, 1) * factor
    try:
        bands = [
            bin_mean(band.astype(np.float32, copy=False), factor)
            for _, band in read_plane_bands(path, band_rows=band_rows)
            if band.shape[0] >= factor
        ]
        return np.concatenate(bands)
    except (NotEnoughDataError, ValueError) as fault:
        raise UserInputError(
            f"{path}: smaller than one block of {factor} x {factor} pixels",
            hint=f"leave the Bin{factor} product of this camera out",
            code="E-BIN",
        ) from fault


def write_binned(output: OutputFile, product: Path, factor: int) -> WrittenFile:
    """Write a Bin8 or Bin64 product.

    Parameters
    ----------
    output : OutputFile
        Where it goes.
    product : Path
        The product it is made of.
    factor : int
        Block side [pixel].

    Raises
    ------
    StoreError
        If a file cannot be read or written.
    UserInputError
        If the detector is smaller than one block.
    """
    header = read_header(product)
    cards: dict[str, CardValue] = {key: header[key] for key in _IDENTITY if key in header}
    cards["BINNING"] = factor
    return write_fits_image(output, binned_product(product, factor), cards)


def write_derived(output: OutputFile, product: Path, stem: str) -> WrittenFile:
    """Write what is made of a finished product for looking at: Bin8, Bin64 or Thumbnail, as its dataset type says.

    Parameters
    ----------
    output : OutputFile
        Where it goes; its dataset type is the stem and one of these endings.
    product : Path
        The product.
    stem : str
        Dataset type of the product.

    Raises
    ------
    StoreError, UserInputError
        As `write_binned`.
    """
    suffix = output.dataset_type.removeprefix(stem)
    if suffix in BINNINGS:
        return write_binned(output, product, BINNINGS[suffix])
    return write_thumbnail(output, binned_product(product, BINNINGS["Bin8"]))


def write_fits_image(output: OutputFile, image: Image, cards: dict[str, CardValue]) -> WrittenFile:
    """Write one float plane as an output.

    Parameters
    ----------
    output : OutputFile
        Where it goes.
    image : ndarray of shape (ny, nx), float32
        Pixels.
    cards : dict
        Primary header.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    sums = write_image(Path(output.path), image, cards=cards, unit=str(cards.get("LSST ISR UNITS", "")))
    return output.written(sums)


def write_thumbnail(output: OutputFile, image: Image) -> WrittenFile:
    """Write an image as a grey PNG, asinh stretch between its 1 and 99 per cent points.

    Parameters
    ----------
    output : OutputFile
        Where it goes.
    image : ndarray of shape (ny, nx), float32
        Pixels, row 0 the lowest; NaN is black.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    low, high = display_limits(image)
    write_png(Path(output.path), stretch_to_uint8(image, low=low, high=high))
    return png_record(output)


def png_record(output: OutputFile) -> WrittenFile:
    """Return the record of an existing PNG; all of it is content."""
    path = Path(output.path)
    sha256 = sha256_of_file(path)
    return output.written(Checksums(size_bytes=path.stat().st_size, sha256=sha256, content_sha256=sha256))
