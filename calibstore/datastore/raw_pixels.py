"""Pixels of FITS images in row bands, as stored: own reader for plain images, astropy for compressed ones.

A compressed file is expanded once, into an unnamed temporary file that lives as long as the reader; after that both
kinds are read alike. Every array is a view of a buffer the caller owns and reuses.
"""

import io
import os
import shutil
import tempfile
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.checksums import unreadable
from calibstore.errors import StoreError

BLOCK: Final = 2880
_CARD: Final = 80
_MAX_HEADER_BLOCKS: Final = 2000
_DTYPES: Final = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_WANTED: Final = frozenset(
    [
        "XTENSION",
        "BITPIX",
        "NAXIS",
        "NAXIS1",
        "NAXIS2",
        "NAXIS3",
        "PCOUNT",
        "GCOUNT",
        "BZERO",
        "BSCALE",
        "EXTNAME",
        "ZIMAGE",
    ]
)


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
    """Numpy type of the stored values, big-endian."""
    offset: int
    """First byte of the data unit; -1 while it is compressed."""
    zero: float = 0.0
    scale: float = 1.0
    """True value = stored * scale + zero."""
    header_offset: int = 0
    header_bytes: int = 0

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
        self._expanded: IO[bytes] | None = None
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as fault:
            raise unreadable(path, fault) from fault
        try:
            if os.pread(self._descriptor, 2, 0) == b"\x1f\x8b":
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
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._expanded is not None:
            self._expanded.close()
            self._expanded = None

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
        """Read rows of an image as stored (big-endian, before zero and scale).

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
        source = self._descriptor if self._expanded is None else self._expanded.fileno()
        offset, done = plane.offset + y0 * row_bytes, 0
        try:
            while done < length:
                n_read = os.preadv(source, [memory[done:].data], offset + done)
                if n_read == 0:
                    raise self._truncated(f"rows {y0}..{y1 - 1} of {plane.name or 'the image'}")
                done += n_read
        except OSError as fault:
            raise unreadable(self.path, fault) from fault
        return memory.view(plane.dtype).reshape(y1 - y0, plane.width)

    def read_image(self, plane: ImagePlane) -> NDArray[np.float32]:
        """Read a whole image as true values, float32.

        Parameters
        ----------
        plane : ImagePlane
            From `plane`.

        Raises
        ------
        StoreError
            If it cannot be read in full.
        """
        image = self.read_rows(plane, 0, plane.height).astype(np.float32)
        if plane.scale != 1.0:
            image *= np.float32(plane.scale)
        if plane.zero != 0.0:
            image += np.float32(plane.zero)
        return image

    def _truncated(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path}: truncated: the file ends before {what}",
            hint="copy it again from its source",
            code="E-TRUNCATED",
        )

    def _gunzip(self) -> None:
        import gzip

        self._expanded = _unnamed_file()
        try:
            with gzip.open(self.path) as compressed:
                shutil.copyfileobj(compressed, self._expanded, 1 << 20)
        except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
            raise StoreError(
                f"{self.path}: truncated or damaged gzip file: {fault}",
                hint="copy it again from its source",
                code="E-TRUNCATED",
            ) from fault
        self._expanded.flush()

    def _index(self) -> tuple[ImagePlane, ...]:
        source = self._descriptor if self._expanded is None else self._expanded.fileno()
        size = os.fstat(source).st_size
        planes: list[ImagePlane] = []
        position, number = 0, 0
        while position < size:
            cards, data = self._read_header(source, position, size, number)
            if not cards:
                break
            axes = [int(cards[f"NAXIS{i}"]) for i in range(1, int(cards.get("NAXIS", "0")) + 1) if f"NAXIS{i}" in cards]
            bitpix = int(cards["BITPIX"])
            n_values = int(np.prod(axes, dtype=np.int64)) if axes else 0
            n_bytes = abs(bitpix) // 8 * int(cards.get("GCOUNT", "1")) * (int(cards.get("PCOUNT", "0")) + n_values)
            if data + n_bytes > size:
                raise self._truncated(f"the {n_bytes} bytes of HDU {number} ({size} bytes in all)")
            is_image = "XTENSION" not in cards or cards["XTENSION"] == "IMAGE"
            is_compressed = cards.get("ZIMAGE") == "T"
            if is_compressed or (is_image and len(axes) == 2 and n_values):
                planes.append(
                    ImagePlane(
                        name=cards.get("EXTNAME", ""),
                        index=number,
                        width=0 if is_compressed else axes[0],
                        height=0 if is_compressed else axes[1],
                        dtype=_DTYPES[bitpix],
                        offset=-1 if is_compressed else data,
                        zero=float(cards.get("BZERO", "0").replace("D", "E")),
                        scale=float(cards.get("BSCALE", "1").replace("D", "E")),
                        header_offset=position,
                        header_bytes=data - position,
                    )
                )
            position = data + -(-n_bytes // BLOCK) * BLOCK
            number += 1
        return tuple(planes)

    def _read_header(self, source: int, position: int, size: int, number: int) -> tuple[dict[str, str], int]:
        """Return the wanted cards of the header at a position and where its data begin; no cards after the last HDU."""
        cards: dict[str, str] = {}
        for block_number in range(_MAX_HEADER_BLOCKS):
            block = os.pread(source, BLOCK, position + block_number * BLOCK)
            if block_number == 0 and not block.startswith((b"SIMPLE  =", b"XTENSION=")):
                if number == 0:
                    raise StoreError(f"{self.path}: not a FITS file", hint="leave it out", code="E-NOTFITS")
                return {}, position  # some writers leave a tail after the last HDU
            for start in range(0, len(block) - _CARD + 1, _CARD):
                key = block[start : start + 8].rstrip().decode("latin-1")
                if key == "END":
                    if "BITPIX" not in cards:
                        raise StoreError(
                            f"{self.path}: HDU {number} has no BITPIX", hint="leave it out", code="E-NOTFITS"
                        )
                    return cards, position + (block_number + 1) * BLOCK
                if key in _WANTED and block[start + 8 : start + 10] == b"= ":
                    cards[key] = _card_value(block[start + 10 : start + _CARD].decode("latin-1"))
            if len(block) < BLOCK:
                break
        raise self._truncated(f"the end of the header of HDU {number} ({size} bytes in all)")

    def _plain(self, plane: ImagePlane) -> ImagePlane:
        """Return the plane, expanded once when it is compressed."""
        if plane.offset >= 0:
            return plane
        self._expand_tiles()
        return next(found for found in self.planes if found.index == plane.index)

    def _expand_tiles(self) -> None:
        from astropy.io import fits

        source: Path | IO[bytes] = self.path
        if self._expanded is not None:
            self._expanded.seek(0)
            source = io.BytesIO(self._expanded.read())  # gzipped and compressed: rare, and small by then
        target = _unnamed_file()
        planes = []
        try:
            with (
                warnings.catch_warnings(),
                fits.open(source, memmap=False, do_not_scale_image_data=True) as hdus,
            ):
                warnings.simplefilter("error", RuntimeWarning)
                for plane in self.planes:
                    stored = np.ascontiguousarray(hdus[plane.index].data)
                    stored = stored.astype(stored.dtype.newbyteorder(">"), copy=False)
                    header = hdus[plane.index].header
                    planes.append(
                        ImagePlane(
                            name=plane.name,
                            index=plane.index,
                            width=stored.shape[1],
                            height=stored.shape[0],
                            dtype=stored.dtype.str,
                            offset=target.tell(),
                            zero=float(header.get("BZERO", 0.0)),
                            scale=float(header.get("BSCALE", 1.0)),
                        )
                    )
                    target.write(stored.data)
                    hdus[plane.index].data = None
            target.flush()
        except Exception as fault:  # damaged tiles surface as almost any error of the decoders
            target.close()
            raise StoreError(
                f"{self.path}: compressed image cannot be expanded: {fault}",
                hint="copy it again from its source",
                code="E-COMPRESSED",
            ) from fault
        if self._expanded is not None:
            self._expanded.close()
        self._expanded, self.planes = target, tuple(planes)


def _unnamed_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="cabstand-")


def _card_value(text: str) -> str:
    text = text.strip()
    if text.startswith("'"):
        end = text.find("'", 1)
        return text[1 : end if end > 0 else None].strip()
    return text.split("/", 1)[0].strip()
