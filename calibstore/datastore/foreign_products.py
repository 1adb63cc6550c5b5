"""Reading what a product file made elsewhere says of itself: tables by their class, images by their header."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.datastore.calib_tables import (
    ECSV_SUFFIX,
    CalibTables,
    content_sha256,
    find_card,
    load_astropy,
    read_calib_tables,
)
from calibstore.datastore.checksums import Checksums, sha256_of_file, unreadable
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import product_checksums, read_header
from calibstore.datastore.raw_pixels import PixelReader
from calibstore.errors import StoreError

_UNIT_KEYS: Final = ("LSST ISR UNITS", "BUNIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignProduct:
    """One file."""

    path: Path
    cards: Mapping[str, CardValue]
    sums: Checksums
    unit: str
    """Of the pixels; empty for tables and where it is not said."""
    content: CalibTables | None = None
    """Of a table."""

    @property
    def detector(self) -> int | None:
        """Detector it names; None when it names none."""
        text = str(find_card(self.cards, "DETECTOR"))
        return int(text) if text.isdecimal() else None

    @property
    def physical_filter(self) -> str:
        """Filter it names."""
        return str(find_card(self.cards, "FILTER") or "")


def read_foreign(path: Path, *, is_table: bool) -> ForeignProduct:
    """Read a product file whole, so that a damaged one is refused.

    Parameters
    ----------
    path : Path
        FITS or ECSV.
    is_table : bool
        Whether its type is a table; else an image.

    Raises
    ------
    StoreError
        If it cannot be read as that.
    """
    if not is_table and path.suffix != ECSV_SUFFIX:
        load_astropy()
        header = read_header(path)
        with PixelReader(path) as reader:
            if not reader.planes:
                raise StoreError(f"{path}: holds no image", hint="copy it again from its source", code="E-READ")
        unit = next((str(header[key]) for key in _UNIT_KEYS if header.get(key)), "")
        return ForeignProduct(path=path, cards=header, sums=product_checksums(path), unit=unit)
    content = read_calib_tables(path)
    return ForeignProduct(
        path=path, cards=content.metadata, sums=file_checksums(path, content), unit="", content=content
    )


def file_checksums(path: Path, content: CalibTables) -> Checksums:
    """Return the checksums of a table file whose content was read.

    Raises
    ------
    StoreError
        If the file cannot be read.
    """
    try:
        size = path.stat().st_size
    except OSError as fault:
        raise unreadable(path, fault) from fault
    return Checksums(size_bytes=size, sha256=sha256_of_file(path), content_sha256=content_sha256(content))
