"""A few rows of raw images: of compressed files only the tiles with these rows are expanded."""

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.fits_structure import GZIP_MAGIC
from calibstore.datastore.raw_pixels import ImagePlane, PixelReader


def sample_rows(path: Path, wanted: Sequence[tuple[str, Sequence[int]]]) -> list[NDArray[np.float32]] | None:
    """Return rows of images as true values.

    Parameters
    ----------
    path : Path
        A FITS file.
    wanted : sequence of (str, sequence of int)
        EXTNAME (or empty for the first image) and the rows of it.

    Returns
    -------
    list of ndarray of shape (rows, width), float32, or None
        None for a file that must be expanded whole.

    Raises
    ------
    StoreError
        If the file cannot be read or has no such image.
    """
    with path.open("rb") as file:
        if file.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
            return None
    with PixelReader(path) as reader:
        planes = [_plane(reader, extension) for extension, _ in wanted]
        if all(plane is not None and plane.offset >= 0 for plane in planes):
            return [
                _true(np.concatenate([reader.read_rows(plane, y, y + 1) for y in rows]), plane.zero, plane.scale)
                for plane, (_, rows) in zip(planes, wanted, strict=True)
                if plane is not None
            ]
    if any(plane is None for plane in planes):
        return None
    return _expanded(path, [plane.index for plane in planes if plane is not None], [rows for _, rows in wanted])


def _plane(reader: PixelReader, extension: str) -> ImagePlane | None:
    for plane in reader.planes:
        if not extension or plane.name.upper() == extension.upper():
            return plane
    return None


def _true(stored: NDArray[Any], zero: float, scale: float) -> NDArray[np.float32]:
    return (stored.astype(np.float64) * scale + zero).astype(np.float32)


def _expanded(path: Path, places: Sequence[int], wanted: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
    """Return rows of compressed images, by fitsio where there is one."""
    try:
        fitsio: Any = importlib.import_module("fitsio")
    except ImportError:
        return _expanded_by_astropy(path, places, wanted)
    with fitsio.FITS(str(path)) as hdus:
        return [
            np.concatenate([np.atleast_2d(hdus[place][y : y + 1, :]) for y in rows]).astype(np.float32)
            for place, rows in zip(places, wanted, strict=True)
        ]


def _expanded_by_astropy(
    path: Path, places: Sequence[int], wanted: Sequence[Sequence[int]]
) -> list[NDArray[np.float32]]:
    from astropy.io import fits

    with warnings.catch_warnings(), fits.open(path, memmap=False) as hdus:
        warnings.simplefilter("ignore")
        return [
            np.concatenate([np.atleast_2d(hdus[place].section[y : y + 1, :]) for y in rows]).astype(np.float32)
            for place, rows in zip(places, wanted, strict=True)
        ]
