"""Headers of a raw file without its pixels: the cards of the primary and of the first image, every HDU's shape."""

import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from calibstore.datastore.fits_cards import Cards, CardValue, parse_cards
from calibstore.datastore.fits_structure import GZIP_MAGIC, Hdu, truncated, unparsable, walk_hdus
from calibstore.errors import StoreError

__all__ = ["CardValue", "Cards", "HduFacts", "RawHeaders", "read_headers"]


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
            return _scan(path, cast(IO[bytes], unpacked), None)
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise truncated(path.name, f"its gzip stream is broken ({problem})") from problem
    except OSError as problem:
        raise StoreError(
            f"{path.name}: cannot be read ({problem.strerror or problem})",
            hint=f"check that the file exists and is readable: ls -l {path}",
            code="E-RAW-READ",
        ) from problem


def _scan(path: Path, file: IO[bytes], size: int | None) -> RawHeaders:
    facts: list[HduFacts] = []
    primary: Cards = {}
    image: Cards = {}
    for hdu in walk_hdus(file, shown=path.name, size=size):
        facts.append(_facts(hdu))
        is_first_image = hdu.is_image and not image
        if hdu.index == 0 or is_first_image:
            cards = _parse_or_refuse(path, hdu)
            primary = cards if hdu.index == 0 else primary
            image = cards if is_first_image else image
    return RawHeaders(path=path, primary=primary, image=image, hdus=tuple(facts))


def _facts(hdu: Hdu) -> HduFacts:
    return HduFacts(
        index=hdu.index,
        name=hdu.name,
        is_image=hdu.is_image,
        width=hdu.width if hdu.is_image else 0,
        height=hdu.height if hdu.is_image else 0,
        is_compressed=hdu.is_compressed,
        data_section=str(hdu.structure.get("DATASEC") or ""),
    )


def _parse_or_refuse(path: Path, hdu: Hdu) -> Cards:
    try:
        return parse_cards(hdu.text)
    except ValueError as problem:
        raise unparsable(path.name, str(problem), hdu.index) from problem
