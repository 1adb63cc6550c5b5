"""Pixels of FITS images in row bands, as stored: own reader for plain images, fitsio or astropy for compressed ones.

A compressed file is expanded once, into an unnamed temporary file that lives as long as the reader; after that both
kinds are read alike. Every array is a view of a buffer the caller owns and reuses.
"""

import importlib
import io
import os
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.checksums import unreadable
from calibstore.datastore.fits_structure import GZIP_MAGIC, Hdu, truncated, walk_hdus
from calibstore.errors import StoreError

_UINT16_MAX: Final = 0xFFFF
_DTYPES: Final = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlane:
    """Where one two-dimensional image lies in a file and how its values are stored."""

    name: str
    """EXTNAME, empty when there is none."""
    index: int
    """Number of the HDU."""
    width: int
    height: int
    dtype: str
    """Numpy type of the stored values; big-endian in a FITS file."""
    offset: int
    """First byte of the data unit; -1 while it is compressed."""
    zero: float = 0.0
    scale: float = 1.0
    """True value = stored * scale + zero."""

    @property
    def row_bytes(self) -> int:
        """Length of one row."""
        return self.width * int(self.dtype[-1])  # every stored type ends in its size

    @property
    def n_bytes(self) -> int:
        """Length of the data without padding."""
        return self.height * self.row_bytes


class PixelReader:
    """An open FITS file whose images are read in row bands.

    Parameters
    ----------
    path : Path
        Plain FITS, FITS with Rice (or other tile) compressed images, or either of them gzipped.

    Raises
    ------
    StoreError
        If the file is missing, unreadable, no FITS, or shorter than its headers promise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_unpacked = False
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as fault:
            raise unreadable(path, fault) from fault
        try:
            if self._file.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
                self._gunzip()
            self.planes = self._index()
        except OSError as fault:
            self.close()
            raise unreadable(path, fault) from fault
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        self._file.close()

    def plane(self, extension: str = "") -> ImagePlane:
        """Return an image by its EXTNAME (any case), or the first one for an empty name.

        Parameters
        ----------
        extension : str
            EXTNAME or empty.

        Raises
        ------
        StoreError
            If there is no such image, naming those there are.
        """
        for found in self.planes:
            if not extension or found.name.upper() == extension.upper():
                return self._plain(found)
        names = ", ".join(plane.name or f"HDU {plane.index}" for plane in self.planes) or "none"
        raise StoreError(
            f"{self.path}: no image {extension or 'HDU'} in the file (images: {names})",
            hint="check that the file belongs to this camera and is complete",
            code="E-HDU",
        )

    def read_rows(
        self, plane: ImagePlane, y0: int, y1: int, *, buffer: NDArray[np.uint8] | None = None
    ) -> NDArray[np.generic]:
        """Read rows of an image as stored (before zero and scale).

        Parameters
        ----------
        plane : ImagePlane
            From `plane`.
        y0, y1 : int
            Half-open range of rows.
        buffer : ndarray of uint8, optional
            Memory to read into, at least as long as the rows.

        Returns
        -------
        ndarray of shape (y1 - y0, plane.width), plane.dtype
            A view of `buffer` where one is given.

        Raises
        ------
        StoreError
            If the rows cannot be read in full.
        """
        row_bytes = plane.row_bytes
        length = (y1 - y0) * row_bytes
        memory = np.empty(length, np.uint8) if buffer is None else buffer[:length]
        offset, done = plane.offset + y0 * row_bytes, 0
        try:
            while done < length:
                n_read = os.preadv(self._file.fileno(), [memory[done:].data], offset + done)
                if n_read == 0:
                    what = f"rows {y0}..{y1 - 1} of {plane.name or 'the image'} end early"
                    raise truncated(str(self.path), what)
                done += n_read
        except OSError as fault:
            raise unreadable(self.path, fault) from fault
        return memory.view(plane.dtype).reshape(y1 - y0, plane.width)

    def _gunzip(self) -> None:
        import gzip

        target = _unnamed_file()
        try:
            with gzip.open(self.path) as compressed:
                shutil.copyfileobj(compressed, target, 1 << 20)
            target.flush()
        except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
            target.close()
            raise truncated(str(self.path), f"its gzip stream is broken ({fault})") from fault
        except BaseException:
            target.close()
            raise
        self._replace_file(target)

    def _replace_file(self, target: IO[bytes]) -> None:
        self._file.close()
        self._file, self._is_unpacked = target, True

    def _index(self) -> tuple[ImagePlane, ...]:
        self._file.seek(0)
        size = os.fstat(self._file.fileno()).st_size
        return tuple(
            ImagePlane(
                name=hdu.name,
                index=hdu.index,
                width=hdu.width,
                height=hdu.height,
                dtype=_DTYPES[cast(int, hdu.structure["BITPIX"])],
                offset=-1 if hdu.is_compressed else hdu.data_offset,
                zero=_number(hdu, "BZERO", 0.0),
                scale=_number(hdu, "BSCALE", 1.0),
            )
            for hdu in walk_hdus(self._file, shown=str(self.path), size=size)
            if hdu.is_image
        )

    def _plain(self, plane: ImagePlane) -> ImagePlane:
        """Return the plane, expanded once when it is compressed."""
        if plane.offset >= 0:
            return plane
        self._expand_tiles()
        return next(found for found in self.planes if found.index == plane.index)

    def _expand_tiles(self) -> None:
        """Decompress every image once: the overscans are read before the image, so that bands would do it twice."""
        target = _unnamed_file()
        planes = []
        try:
            for plane, image, true_zero, scale in self._expanded():
                stored, added = _narrowed(image)
                zero = true_zero + added * scale
                planes.append(
                    ImagePlane(
                        name=plane.name,
                        index=plane.index,
                        width=stored.shape[1],
                        height=stored.shape[0],
                        dtype=stored.dtype.str,
                        offset=target.tell(),
                        zero=zero,
                        scale=scale,
                    )
                )
                target.write(np.ascontiguousarray(stored).data)
            target.flush()
        except Exception as fault:  # damaged tiles surface as almost any error of the decoders
            target.close()
            raise StoreError(
                f"{self.path}: compressed image cannot be expanded: {' '.join(str(fault).split())}",
                hint="copy it again from its source",
                code="E-COMPRESSED",
            ) from fault
        self._replace_file(target)
        self.planes = tuple(planes)

    def _expanded(self) -> Iterator[tuple[ImagePlane, NDArray[np.generic], float, float]]:
        """Yield each image with its pixels, zero and scale; by fitsio where there is one, in half the time."""
        fitsio = _fitsio()
        if fitsio is None or self._is_unpacked:
            yield from self._expanded_by_astropy()
            return
        with fitsio.FITS(str(self.path)) as hdus:
            for plane in self.planes:
                stored = hdus[plane.index].read()
                if stored.shape != (plane.height, plane.width):
                    raise ValueError(f"image of shape {stored.shape}, its header says {(plane.height, plane.width)}")
                yield plane, stored, 0.0, 1.0  # the library has added zero and scale

    def _expanded_by_astropy(self) -> Iterator[tuple[ImagePlane, NDArray[np.generic], float, float]]:
        from astropy.io import fits

        source: Path | IO[bytes] = self.path
        if self._is_unpacked:
            self._file.seek(0)
            source = io.BytesIO(self._file.read())  # gzipped and compressed: rare, and small by then
        with warnings.catch_warnings(), fits.open(source, memmap=False, do_not_scale_image_data=True) as hdus:
            warnings.simplefilter("error", RuntimeWarning)
            for plane in self.planes:
                stored = hdus[plane.index].data
                header = hdus[plane.index].header
                yield plane, stored, float(header.get("BZERO", 0.0)), float(header.get("BSCALE", 1.0))
                hdus[plane.index].data = None


def _narrowed(image: NDArray[np.generic]) -> tuple[NDArray[np.generic], int]:
    """Return whole numbers less their smallest in 16 bits where they fit, and that smallest: half as much to move."""
    if image.dtype.kind not in "iu" or image.dtype.itemsize <= 2 or image.size == 0:
        return image, 0
    low = int(image.min())
    if int(image.max()) - low > _UINT16_MAX:
        return image, 0
    # both the cast and the difference wrap around at 16 bits, so that the difference is the true one
    stored = image.astype(np.uint16)
    if low & _UINT16_MAX:
        np.subtract(stored, np.uint16(low & _UINT16_MAX), out=stored)
    return stored, low


def _fitsio() -> Any:
    """Return the fitsio package, None where it is not installed."""
    try:
        return importlib.import_module("fitsio")
    except ImportError:
        return None


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="cabstand-")


def _number(hdu: Hdu, key: str, default: float) -> float:
    value = hdu.structure.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
