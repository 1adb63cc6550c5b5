"""Where the HDUs of a FITS file lie and what shape they have, and whether the bytes are all there.

No pixel is decompressed or mapped to learn a shape; a broken file (cut short, no size, no FITS at all) is named with
its fault.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from calibstore.datastore.fits_cards import CARD, Cards, parse_value, split_cards
from calibstore.errors import StoreError

BLOCK: Final = 2880
GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_HEADER_BLOCKS: Final = 2000
"""A header longer than this (72 000 cards) is taken for garbage."""

_BITPIX: Final = frozenset({8, 16, 32, 64, -32, -64})
_MAX_AXES: Final = 999
_KEYS: Final = frozenset(
    ["SIMPLE", "XTENSION", "BITPIX", "PCOUNT", "GCOUNT", "BZERO", "BSCALE", "EXTNAME", "ZIMAGE", "DATASEC", "TFIELDS"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hdu:
    """One HDU: its header as text, and where its data lie."""

    index: int
    text: str
    """All cards of the header, padding included."""
    structure: Cards
    """The cards that tell kind, shape, scale and name."""
    data_offset: int
    """First byte of the data unit."""
    data_bytes: int
    """Length of the data unit without padding [byte]."""

    @property
    def name(self) -> str:
        """EXTNAME, or empty."""
        return str(self.structure.get("EXTNAME") or "")

    @property
    def is_compressed(self) -> bool:
        """Whether it is a table that holds an image in compressed tiles."""
        return self.structure.get("ZIMAGE") is True

    @property
    def is_image(self) -> bool:
        """Whether it holds a two-dimensional image, compressed or not."""
        is_array = self.is_compressed or self.structure.get("XTENSION", "IMAGE") == "IMAGE"
        return is_array and self._integer("NAXIS") == 2 and self.width > 0 and self.height > 0

    @property
    def width(self) -> int:
        """Columns of the (uncompressed) image [pixel]."""
        return self._integer("NAXIS1")

    @property
    def height(self) -> int:
        """Rows of the (uncompressed) image [pixel]."""
        return self._integer("NAXIS2")

    def _integer(self, key: str) -> int:
        value = self.structure.get(f"Z{key}" if self.is_compressed else key)
        return value if isinstance(value, int) else 0


def walk_hdus(file: IO[bytes], *, shown: str, size: int | None) -> Iterator[Hdu]:
    """Yield the HDUs of an open file, each after its header was read and before its data are passed over.

    Parameters
    ----------
    file : binary file
        At its first byte.
    shown : str
        How messages call it.
    size : int or None
        Its length [byte]; None where only reading tells (a gzip stream).

    Yields
    ------
    Hdu
        In file order; special records after the last HDU are left out.

    Raises
    ------
    StoreError
        If it is no FITS file (E-NOTFITS), ends too early (E-TRUNCATED), or a card that tells its shape makes no sense
        (E-RAW-CARD).
    """
    index = offset = 0
    while (text := _header_text(file, shown, index)) is not None:
        offset += len(text)
        structure = _structure(text, shown, index)
        n_bytes = _data_bytes(structure, shown, index)
        hdu = Hdu(index=index, text=text, structure=structure, data_offset=offset, data_bytes=n_bytes)
        yield hdu
        offset += _skip_data(file, shown, hdu, room=None if size is None else size - offset)
        index += 1


def truncated(shown: str, reason: str) -> StoreError:
    """Return the error of a file that ends too early."""
    return StoreError(
        f"{shown}: truncated file: {reason}",
        hint="fetch the file again from where it came from",
        code="E-TRUNCATED",
    )


def unparsable(shown: str, card: str, index: int) -> StoreError:
    """Return the error of a card that makes no sense."""
    printed = "".join(letter if letter.isprintable() else "?" for letter in card)
    return StoreError(
        f"{shown}: HDU {index} has a card that cannot be parsed: {printed}",
        hint="mend the card in a copy (a string needs quotes, a number a decimal point) and take the copy",
        code="E-RAW-CARD",
    )


def _header_text(file: IO[bytes], shown: str, index: int) -> str | None:
    """Return the next header's text up to its last block, None at the end of the file."""
    first = file.read(BLOCK)
    if not first.startswith(b"SIMPLE  =" if index == 0 else b"XTENSION="):
        if index == 0:
            raise StoreError(
                f"{shown}: is not a FITS file" + ("" if first else " (it is empty)"),
                hint="FITS files are taken, also as .fits.gz and .fits.fz",
                code="E-NOTFITS",
            )
        return None  # FITS allows special records after the last HDU
    blocks = [first]
    while not _has_end(blocks[-1]):
        block = file.read(BLOCK)
        if len(blocks[-1]) < BLOCK or not block or len(blocks) > MAX_HEADER_BLOCKS:
            raise truncated(shown, f"the header of HDU {index} has no END card")
        blocks.append(block)
    if len(blocks[-1]) < BLOCK:
        raise truncated(shown, f"the header of HDU {index} ends inside a block")
    return b"".join(blocks).decode("latin-1")


def _has_end(block: bytes) -> bool:
    return any(block[start : start + 8] == b"END     " for start in range(0, len(block), CARD))


def _structure(text: str, shown: str, index: int) -> Cards:
    wanted: Cards = {}
    for card in split_cards(text):
        key = card[:8].rstrip()
        if key not in wanted and (key in _KEYS or key.startswith(("NAXIS", "ZNAXIS"))) and card[8:9] == "=":
            try:
                wanted[key] = parse_value(card[10:], card)
            except ValueError as problem:
                raise unparsable(shown, str(problem), index) from problem
    return wanted


def _data_bytes(structure: Cards, shown: str, index: int) -> int:
    """Return the size of the data unit [byte], FITS standard 4.4.1."""

    def whole(key: str, default: int | None = None) -> int:
        value = structure.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or (value < 0 and key != "BITPIX"):
            raise unparsable(shown, f"{key} = {value}", index)
        return value

    bitpix, n_axes = whole("BITPIX"), whole("NAXIS")
    if bitpix not in _BITPIX or n_axes > _MAX_AXES:
        raise unparsable(shown, f"BITPIX = {bitpix}, NAXIS = {n_axes}", index)
    if n_axes == 0:
        return 0
    n_elements = math.prod(whole(f"NAXIS{axis}") for axis in range(1, n_axes + 1))
    return abs(bitpix) // 8 * max(1, whole("GCOUNT", 1)) * (whole("PCOUNT", 0) + n_elements)


def _skip_data(file: IO[bytes], shown: str, hdu: Hdu, *, room: int | None) -> int:
    """Pass over a data unit; the padding of the last one may be missing."""
    n_bytes = hdu.data_bytes
    padded = -(-n_bytes // BLOCK) * BLOCK
    where = f"HDU {hdu.index}" + (f" ({hdu.name})" if hdu.name else "")
    if room is not None:
        if room < n_bytes:
            raise truncated(shown, f"{where} needs {n_bytes} bytes of data, {max(room, 0)} are there")
        file.seek(padded, 1)
        return padded
    left = n_bytes
    while left > 0:
        chunk = file.read(min(left, 1 << 20))
        if not chunk:
            raise truncated(shown, f"{where} needs {n_bytes} bytes of data, {n_bytes - left} are there")
        left -= len(chunk)
    file.read(padded - n_bytes)
    return padded
