"""Thumbnails: grey or colour arrays to PNG files, y up, the same bytes for the same pixels."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.atomic_files import write_atomically


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of an image whose row 0 is the lowest.

    Parameters
    ----------
    pixels : ndarray of shape (ny, nx) or (ny, nx, 3), uint8
        Grey levels, or red, green and blue.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a PNG file, whole or not at all.

    Parameters
    ----------
    path : Path
        Final name.
    pixels : ndarray of shape (ny, nx) or (ny, nx, 3), uint8
        Grey levels, or red, green and blue; row 0 is the lowest.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    write_atomically(path, png_bytes(pixels))
