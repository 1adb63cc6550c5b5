"""Headers of a FITS file without its pixels: cards, the shape of every HDU, and whether the bytes are all there.

A small reader of its own, because ingest must name the fault of a broken file (truncated, unparsable card, no FITS at
all) without a warning, and must not decompress or map pixels to learn a shape.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from calibstore.errors import StoreError

BLOCK: Final = 2880
CARD: Final = 80
GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_HEADER_BLOCKS: Final = 2000
"""A header longer than this (72 000 cards) is taken for garbage."""

CardValue = str | int | float | bool | None
Cards = dict[str, CardValue]

_STRING = re.compile(r"\s*'(?P<text>(?:[^']|'')*)'\s*(?:/.*)?")
_LOGICAL = re.compile(r"\s*(?P<text>[TF])\s*(?:/.*)?")
_NUMBER = re.compile(r"\s*(?P<text>[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?)\s*(?:/.*)?")
_COMPLEX = re.compile(r"\s*(?P<text>\([^()]*,[^()]*\))\s*(?:/.*)?")
_EMPTY = re.compile(r"\s*(?:/.*)?")
_COMMENTARY: Final = frozenset({"", "COMMENT", "HISTORY", "END"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HduFacts:
    """What ingest needs to know of one HDU."""

    index: int
    name: str
    """EXTNAME, or empty."""
    is_image: bool
    """Whether it holds a two-dimensional image, compressed or not."""
    width: int = 0
    """Columns of the image [pixel]; of the uncompressed image for a compressed one."""
    height: int = 0
    """Rows of the image [pixel]."""
    is_compressed: bool = False
    data_section: str = ""
    """DATASEC as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHeaders:
    """Headers of one file."""

    path: Path
    primary: Cards
    """Cards of the primary header; the first of a repeated keyword."""
    image: Cards = field(default_factory=dict)
    """Cards of the first HDU with an image (the primary header itself where that holds it)."""
    hdus: tuple[HduFacts, ...]

    @property
    def cards(self) -> Cards:
        """Primary cards, completed by those of the first image (compressing tools move them there)."""
        return {**self.image, **self.primary}

    @property
    def images(self) -> tuple[HduFacts, ...]:
        """The HDUs with an image, in file order."""
        return tuple(hdu for hdu in self.hdus if hdu.is_image)


def read_headers(path: Path) -> RawHeaders:
    """Read the headers of a FITS file, plain, ``.gz`` or tile-compressed ``.fz``.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    StoreError
        If the file cannot be read, is no FITS file, ends too early, or has a card that cannot be parsed (in the primary
        header or that of the first image).
    """
    try:
        with path.open("rb") as file:
            is_gzip = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if not is_gzip:
                return _scan(path, file, path.stat().st_size)
        with gzip.open(path) as unpacked:
            return _scan(path, unpacked, None)  # type: ignore[arg-type]  # GzipFile reads and seeks like a BinaryIO
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise truncated(path, f"its gzip stream is broken ({problem})") from problem
    except OSError as problem:
        raise StoreError(
            f"{path.name}: cannot be read ({problem.strerror or problem})",
            hint=f"check that the file exists and is readable: ls -l {path}",
            code="E-RAW-READ",
        ) from problem


def parse_cards(text: str) -> Cards:
    """Return keyword and value of every value card; the first of a repeated keyword.

    Parameters
    ----------
    text : str
        Header text, a multiple of 80 characters.

    Raises
    ------
    ValueError
        With the offending card, if a value cannot be parsed.
    """
    cards: Cards = {}
    open_key = ""
    for card in _split(text):
        if card.startswith("CONTINUE") and open_key:
            value, previous = _string(card, 8), cards[open_key]
            if value is None or not isinstance(previous, str):
                raise ValueError(card.rstrip())
            cards[open_key] = previous[:-1] + value
            open_key = open_key if value.endswith("&") else ""
            continue
        found = _key_and_value(card)
        if found is None:
            continue
        key, value_text = found
        value_parsed = parse_value(value_text, card)
        if key in cards:
            open_key = ""
            continue
        cards[key] = value_parsed
        open_key = key if isinstance(value_parsed, str) and value_parsed.endswith("&") else ""
    return cards


def parse_value(text: str, card: str) -> CardValue:
    """Return the value of a card's value field.

    Raises
    ------
    ValueError
        With the card, if the field is no string, number, logical or blank.
    """
    if (found := _STRING.fullmatch(text)) is not None:
        return found["text"].replace("''", "'").rstrip()
    if _EMPTY.fullmatch(text) is not None:
        return None
    if (found := _LOGICAL.fullmatch(text)) is not None:
        return found["text"] == "T"
    if (found := _NUMBER.fullmatch(text)) is not None:
        digits = found["text"].upper().replace("D", "E")
        return float(digits) if any(mark in digits for mark in ".E") else int(digits)
    if (found := _COMPLEX.fullmatch(text)) is not None:
        return found["text"]
    raise ValueError(card.rstrip())


def truncated(path: Path, reason: str) -> StoreError:
    """Return the error of a file that ends too early."""
    return StoreError(
        f"{path.name}: truncated file: {reason}",
        hint="fetch the file again from where it came from",
        code="E-RAW-TRUNCATED",
    )


def _split(text: str) -> Iterator[str]:
    for start in range(0, len(text), CARD):
        yield text[start : start + CARD]


def _string(card: str, start: int) -> str | None:
    found = _STRING.fullmatch(card[start:])
    return None if found is None else found["text"].replace("''", "'").rstrip()


def _key_and_value(card: str) -> tuple[str, str] | None:
    """Return keyword and value field, None for a card without a value."""
    if card.startswith("HIERARCH ") and "=" in card:
        key, _, rest = card[9:].partition("=")
        return key.strip().upper(), rest
    key = card[:8].strip().upper()
    if key in _COMMENTARY or card[8:10] not in {"= ", "="}:
        return None
    return key, card[10:]


def _scan(path: Path, file: BinaryIO, size: int | None) -> RawHeaders:
    hdus: list[HduFacts] = []
    primary: Cards = {}
    image: Cards = {}
    offset = 0
    while (text := _read_header(path, file, index=len(hdus))) is not None:
        offset += len(text)
        structure = _structure(path, text, len(hdus))
        facts = _facts(structure, len(hdus))
        hdus.append(facts)
        is_first_image = facts.is_image and not image
        if facts.index == 0 or is_first_image:
            cards = _parse_or_refuse(path, text, facts.index)
            primary = cards if facts.index == 0 else primary
            image = cards if is_first_image else image
        n_bytes = _data_bytes(structure)
        offset += _skip_data(path, file, n_bytes, facts, room=None if size is None else size - offset)
    return RawHeaders(path=path, primary=primary, image=image, hdus=tuple(hdus))


def _read_header(path: Path, file: BinaryIO, *, index: int) -> str | None:
    """Return the next header's text up to its last block, None at the end of the file."""
    first = file.read(BLOCK)
    expected = b"SIMPLE  =" if index == 0 else b"XTENSION="
    if not first.startswith(expected):
        if index == 0:
            raise StoreError(
                f"{path.name}: is not a FITS file" + ("" if first else " (it is empty)"),
                hint="ingest takes FITS files, also as .fits.gz and .fits.fz",
                code="E-RAW-READ",
            )
        return None  # FITS allows special records after the last HDU
    blocks = [first]
    while not _has_end(blocks[-1]):
        block = file.read(BLOCK)
        if len(blocks[-1]) < BLOCK or not block or len(blocks) > MAX_HEADER_BLOCKS:
            raise truncated(path, f"the header of HDU {index} has no END card")
        blocks.append(block)
    if len(blocks[-1]) < BLOCK:
        raise truncated(path, f"the header of HDU {index} ends inside a block")
    return b"".join(blocks).decode("latin-1")


def _has_end(block: bytes) -> bool:
    return any(block[start : start + 8] == b"END     " for start in range(0, len(block), CARD))


def _structure(path: Path, text: str, index: int) -> Cards:
    """Return the cards that tell shape and size; they must parse in every HDU."""
    wanted: Cards = {}
    for card in _split(text):
        key = card[:8].rstrip()
        if key not in wanted and (key in _STRUCTURE or key.startswith(("NAXIS", "ZNAXIS"))) and card[8:9] == "=":
            try:
                wanted[key] = parse_value(card[10:], card)
            except ValueError as problem:
                raise _unparsable(path, str(problem), index) from problem
    return wanted


_STRUCTURE: Final = frozenset(
    {"SIMPLE", "XTENSION", "BITPIX", "PCOUNT", "GCOUNT", "EXTNAME", "ZIMAGE", "DATASEC", "TFIELDS"}
)


def _facts(structure: Mapping[str, CardValue], index: int) -> HduFacts:
    is_compressed = structure.get("ZIMAGE") is True
    prefix = "Z" if is_compressed else ""
    is_array = is_compressed or structure.get("XTENSION", "IMAGE") == "IMAGE"
    return HduFacts(
        index=index,
        name=str(structure.get("EXTNAME") or ""),
        is_image=is_array and _integer(structure, f"{prefix}NAXIS") == 2,
        width=_integer(structure, f"{prefix}NAXIS1") if is_array else 0,
        height=_integer(structure, f"{prefix}NAXIS2") if is_array else 0,
        is_compressed=is_compressed,
        data_section=str(structure.get("DATASEC") or ""),
    )


def _integer(structure: Mapping[str, CardValue], key: str, default: int = 0) -> int:
    value = structure.get(key, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _data_bytes(structure: Mapping[str, CardValue]) -> int:
    """Return the size of the data unit [byte], FITS standard 4.4.1."""
    n_axes = _integer(structure, "NAXIS")
    if n_axes == 0:
        return 0
    n_elements = 1
    for axis in range(1, n_axes + 1):
        n_elements *= _integer(structure, f"NAXIS{axis}")
    bits = abs(_integer(structure, "BITPIX", 8))
    return bits // 8 * max(1, _integer(structure, "GCOUNT", 1)) * (_integer(structure, "PCOUNT") + n_elements)


def _skip_data(path: Path, file: BinaryIO, n_bytes: int, facts: HduFacts, *, room: int | None) -> int:
    """Pass over a data unit; the padding of the last one may be missing."""
    padded = -(-n_bytes // BLOCK) * BLOCK
    where = f"HDU {facts.index}" + (f" ({facts.name})" if facts.name else "")
    if room is not None:
        if room < n_bytes:
            raise truncated(path, f"{where} needs {n_bytes} bytes of data, {max(room, 0)} are there")
        file.seek(padded, 1)
        return padded
    left = n_bytes
    while left > 0:
        chunk = file.read(min(left, 1 << 20))
        if not chunk:
            raise truncated(path, f"{where} needs {n_bytes} bytes of data, {n_bytes - left} are there")
        left -= len(chunk)
    file.read(padded - n_bytes)
    return padded


def _parse_or_refuse(path: Path, text: str, index: int) -> Cards:
    try:
        return parse_cards(text)
    except ValueError as problem:
        raise _unparsable(path, str(problem), index) from problem


def _unparsable(path: Path, card: str, index: int) -> StoreError:
    shown = "".join(letter if letter.isprintable() else "?" for letter in card)
    return StoreError(
        f"{path.name}: HDU {index} has a card that cannot be parsed: {shown}",
        hint="mend the card in a copy (a string needs quotes, a number a decimal point) and ingest the copy",
        code="E-RAW-CARD",
    )
