"""Image products as FITS: written in row bands under a temporary name, read back whole or in bands.

Pixel planes never depend on when a product was made: the content checksum covers their bytes alone.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.atomic_files import create_atomically, write_at
from calibstore.datastore.checksums import Checksums, sha256_whole_and_parts, unreadable
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.fits_structure import BLOCK
from calibstore.datastore.raw_pixels import PixelReader
from calibstore.errors import StoreError

_BITPIX: Final = {"f4": -32, "f8": -64, "i2": 16, "i4": 32, "u1": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSpec:
    """One image extension of a product."""

    name: str
    """EXTNAME: IMAGE, MASK, VARIANCE, COUNT."""
    dtype: str
    """f4, f8, i4, i2 or u1."""
    cards: Mapping[str, CardValue] = field(default_factory=dict)
    """Cards of its header, e.g. BUNIT or MP_<name>."""


def image_planes(unit: str, mask_planes: Mapping[str, int]) -> tuple[PlaneSpec, ...]:
    """Return the four planes of a combined product.

    Parameters
    ----------
    unit : str
        ``adu``, ``electron``, one of them ``/s``, or empty for a ratio.
    mask_planes : mapping of str to int
        Bit number of each mask plane.
    """
    squared = f"({unit})**2" if "/" in unit else f"{unit}**2"
    return (
        PlaneSpec(name="IMAGE", dtype="f4", cards={"BUNIT": unit} if unit else {}),
        PlaneSpec(name="MASK", dtype="i4", cards={f"MP_{name}": bit for name, bit in mask_planes.items()}),
        PlaneSpec(name="VARIANCE", dtype="f4", cards={"BUNIT": squared} if unit else {}),
        PlaneSpec(name="COUNT", dtype="i2"),
    )


class ProductWriter:
    """An unfinished product file: planes are written in bands, its header may be completed before the end.

    Not made directly: see `create_product`.
    """

    def __init__(
        self, descriptor: int, *, height: int, width: int, planes: Sequence[PlaneSpec], cards: Mapping[str, CardValue]
    ) -> None:
        self._descriptor = descriptor
        self._width = width
        self._planes = {plane.name: np.dtype(plane.dtype).newbyteorder(">") for plane in planes}
        self._offsets: dict[str, int] = {}
        self._height = height
        primary = _primary_header(cards)
        self._primary_bytes = len(primary)
        write_at(descriptor, memoryview(primary), 0)
        position = len(primary)
        for plane in planes:
            header = _image_header(plane, height, width)
            write_at(descriptor, memoryview(header), position)
            position += len(header)
            self._offsets[plane.name] = position
            position += -(-self._n_bytes(plane.name) // BLOCK) * BLOCK
        os.ftruncate(descriptor, position)

    def write_rows(self, name: str, y0: int, rows: NDArray[np.generic]) -> None:
        """Write whole rows of a plane; rows never written read as zero.

        Parameters
        ----------
        name : str
            EXTNAME.
        y0 : int
            First row.
        rows : ndarray of shape (n, width)
            Values, cast to the plane's type.
        """
        if rows.ndim != 2 or rows.shape[1] != self._width or not 0 <= y0 <= self._height - rows.shape[0]:
            raise ValueError(f"rows of shape {rows.shape} do not fit at row {y0} of {self._height} x {self._width}")
        stored = np.ascontiguousarray(rows.astype(self._planes[name]))
        write_at(self._descriptor, stored.data.cast("B"), self._row_offset(name, y0))

    def read_rows(self, name: str, y0: int, y1: int, columns: slice = slice(None)) -> NDArray[np.generic]:
        """Read back rows of a plane, in native byte order.

        Parameters
        ----------
        name : str
            EXTNAME.
        y0, y1 : int
            Half-open range of rows.
        columns : slice
            Columns to return.
        """
        dtype = self._planes[name]
        stored = np.empty((y1 - y0, self._width), dtype)
        memory = stored.data.cast("B")
        done = 0
        while done < memory.nbytes:
            n_read = os.preadv(self._descriptor, [memory[done:]], self._row_offset(name, y0) + done)
            if n_read == 0:
                raise OSError(f"rows {y0}..{y1 - 1} of {name} end early")
            done += n_read
        return stored[:, columns].astype(dtype.newbyteorder("="))

    def complete_header(self, cards: Mapping[str, CardValue]) -> None:
        """Replace the primary header by one of the same length.

        Parameters
        ----------
        cards : mapping
            All cards, those known at the start included.

        Raises
        ------
        ValueError
            If the header takes another number of blocks.
        """
        primary = _primary_header(cards)
        if len(primary) != self._primary_bytes:
            raise ValueError(f"header of {len(primary)} bytes cannot replace one of {self._primary_bytes}")
        write_at(self._descriptor, memoryview(primary), 0)

    def checksums(self) -> Checksums:
        """Return size and sums of the file as it is now."""
        parts = [(offset, self._n_bytes(name)) for name, offset in self._offsets.items()]
        whole, content = sha256_whole_and_parts(self._descriptor, parts)
        return Checksums(size_bytes=os.fstat(self._descriptor).st_size, sha256=whole, content_sha256=content)

    def _n_bytes(self, name: str) -> int:
        return self._height * self._width * self._planes[name].itemsize

    def _row_offset(self, name: str, y0: int) -> int:
        return self._offsets[name] + y0 * self._width * self._planes[name].itemsize


@contextmanager
def create_product(
    path: Path, *, height: int, width: int, planes: Sequence[PlaneSpec], cards: Mapping[str, CardValue]
) -> Iterator[ProductWriter]:
    """Open a new product; it takes its name when the block ends well, else nothing is left of it.

    Parameters
    ----------
    path : Path
        Final name.
    height, width : int
        Shape of every plane [pixel].
    planes : sequence of PlaneSpec
        Image extensions, in file order.
    cards : mapping of str to str, int, float, bool or None
        Cards of the primary header; long keywords become HIERARCH cards, long texts CONTINUE, None an undefined value.

    Yields
    ------
    ProductWriter
        The open product.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    with create_atomically(path) as descriptor:
        yield ProductWriter(descriptor, height=height, width=width, planes=planes, cards=cards)


def write_image(path: Path, image: NDArray[np.float32], *, cards: Mapping[str, CardValue], unit: str = "") -> Checksums:
    """Write a product of one float plane.

    Parameters
    ----------
    path : Path
        Final name.
    image : ndarray of shape (ny, nx), float32
        Pixels.
    cards : mapping
        Cards of the primary header.
    unit : str
        BUNIT.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    height, width = image.shape
    plane = PlaneSpec(name="IMAGE", dtype="f4", cards={"BUNIT": unit} if unit else {})
    with create_product(path, height=height, width=width, planes=(plane,), cards=cards) as writer:
        writer.write_rows("IMAGE", 0, image)
        return writer.checksums()


def read_plane(path: Path, name: str = "IMAGE") -> NDArray[np.generic]:
    """Read one plane of a product, in native byte order.

    Parameters
    ----------
    path : Path
        Product file.
    name : str
        EXTNAME; empty for the first image.

    Returns
    -------
    ndarray of shape (ny, nx)
        float32, int32 or int16 as written.

    Raises
    ------
    StoreError
        If the file or the plane is missing or damaged.
    """
    with PixelReader(path) as reader:
        plane = reader.plane(name)
        stored = reader.read_rows(plane, 0, plane.height)
        return stored.astype(stored.dtype.newbyteorder("="))


def read_plane_bands(
    path: Path, name: str = "IMAGE", *, band_rows: int = 64
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Read one plane of a product in bands of whole rows.

    Parameters
    ----------
    path : Path
        Product file.
    name : str
        EXTNAME; empty for the first image.
    band_rows : int
        Most rows of a band.

    Yields
    ------
    tuple of int and ndarray of shape (n, nx)
        First row and values, in native byte order.

    Raises
    ------
    StoreError
        If the file or the plane is missing or damaged.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(PixelReader(path))
        plane = reader.plane(name)
        buffer = np.empty(band_rows * plane.row_bytes, np.uint8)
        for y0 in range(0, plane.height, band_rows):
            stored = reader.read_rows(plane, y0, min(y0 + band_rows, plane.height), buffer=buffer)
            yield y0, stored.astype(stored.dtype.newbyteorder("="))


def read_header(path: Path) -> dict[str, CardValue]:
    """Read the primary header: keywords in upper case, CONTINUE joined, comments left out.

    Parameters
    ----------
    path : Path
        FITS file.

    Raises
    ------
    StoreError
        If the file is missing, unreadable or no FITS.
    """
    from astropy.io import fits

    try:
        with path.open("rb") as file:
            header = fits.Header.fromfile(file, endcard=True)
        return {
            card.keyword.upper(): None if isinstance(card.value, fits.card.Undefined) else card.value
            for card in header.cards
            if card.keyword not in ("COMMENT", "HISTORY", "")
        }
    except OSError as fault:
        raise unreadable(path, fault) from fault
    except (ValueError, fits.VerifyError, EOFError) as fault:
        raise StoreError(f"{path}: header cannot be read: {fault}", hint="copy it again from its source") from fault


def product_checksums(path: Path) -> Checksums:
    """Return size, SHA-256 and content SHA-256 of an existing product.

    Parameters
    ----------
    path : Path
        Product file.

    Raises
    ------
    StoreError
        If it is missing, unreadable or truncated.
    """
    with PixelReader(path) as reader:
        parts = [(plane.offset, plane.n_bytes) for plane in reader.planes if plane.offset >= 0]
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as fault:
        raise unreadable(path, fault) from fault
    try:
        whole, content = sha256_whole_and_parts(descriptor, parts)
        return Checksums(size_bytes=os.fstat(descriptor).st_size, sha256=whole, content_sha256=content)
    except OSError as fault:
        raise unreadable(path, fault) from fault
    finally:
        os.close(descriptor)


def _primary_header(cards: Mapping[str, CardValue]) -> bytes:
    from astropy.io import fits

    header = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    append_cards(header, cards)
    text: str = header.tostring()
    return text.encode("ascii")


def _image_header(plane: PlaneSpec, height: int, width: int) -> bytes:
    from astropy.io import fits

    header = fits.Header(
        [
            ("XTENSION", "IMAGE"),
            ("BITPIX", _BITPIX[plane.dtype]),
            ("NAXIS", 2),
            ("NAXIS1", width),
            ("NAXIS2", height),
            ("PCOUNT", 0),
            ("GCOUNT", 1),
            ("EXTNAME", plane.name),
        ]
    )
    append_cards(header, plane.cards)
    text: str = header.tostring()
    return text.encode("ascii")


def append_cards(header: Any, cards: Mapping[str, CardValue]) -> None:
    """Add cards to an astropy header: long keywords as HIERARCH, NaN and infinity as undefined, text as ASCII."""
    from astropy.io import fits

    for key, value in cards.items():
        is_long = len(key) > 8 or " " in key or ("-" not in key.replace("_", "") and not key.replace("_", "").isalnum())
        keyword = f"HIERARCH {key}" if is_long else key
        plain = value
        if isinstance(value, float) and not np.isfinite(value):
            plain = None  # FITS has no card for NaN or infinity
        if isinstance(plain, str):
            plain = plain.encode("ascii", "replace").decode()
        header.append(fits.Card(keyword, plain), end=True)
