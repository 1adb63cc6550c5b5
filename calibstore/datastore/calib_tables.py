"""Calibration tables as the field keeps them: FITS (one BINTABLE per table) or ECSV (one table), metadata in both.

The field's readers take the metadata, the class among it, from the header of the first table; the empty primary header
repeats it, so that a look at the primary header alone says what a file is. The content checksum is over columns and
metadata that describe them: the same for both forms, and for two makings of the same values.
"""

import hashlib
import io
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.atomic_files import write_atomically
from calibstore.datastore.calib_content import (
    CLASS_KEY,
    COLUMN_KINDS,
    CalibTable,
    CalibTables,
    content_of,
    content_sha256,
    file_cards,
    find_card,
    load_astropy,
    native,
    no_table,
)
from calibstore.datastore.calib_ecsv import ecsv_text, parse_ecsv
from calibstore.datastore.checksums import Checksums, unreadable
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import append_cards

__all__ = [
    "CLASS_KEY",
    "ECSV_SUFFIX",
    "CalibTable",
    "CalibTables",
    "content_sha256",
    "ecsv_text",
    "encode_calib_tables",
    "find_card",
    "load_astropy",
    "parse_ecsv",
    "read_calib_tables",
    "table_checksums",
    "write_calib_tables",
]

ECSV_SUFFIX: Final = ".ecsv"

_FITS_MAGIC: Final = (b"SIMPLE", b"\x1f\x8b")
_ECSV_MAGIC: Final = b"# %ECSV"
_MAX_ECSV_BYTES: Final = 64 << 20
_STRUCTURE: Final = re.compile(
    r"XTENSION|SIMPLE|EXTEND|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|CHECKSUM|DATASUM|EXTNAME|EXTVER|EXTLEVEL"
    r"|T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO|DISP|BCOL)\d+"
)


def write_calib_tables(path: Path, content: CalibTables) -> Checksums:
    """Write a table product; it appears whole or not at all.

    Parameters
    ----------
    path : Path
        Final name: ``.ecsv`` for a single table, else FITS.
    content : CalibTables
        Tables and metadata.

    Returns
    -------
    Checksums
        Size, SHA-256 of the file, and the content checksum of `content_sha256`.

    Raises
    ------
    ValueError
        As `encode_calib_tables`.
    StoreError
        If it cannot be written.
    """
    body, sums = encode_calib_tables(content, is_text=path.name.endswith(ECSV_SUFFIX))
    write_atomically(path, body)
    return sums


def encode_calib_tables(content: CalibTables, *, is_text: bool) -> tuple[bytes, Checksums]:
    """Return the bytes of a file and its checksums, before it has a place.

    Parameters
    ----------
    content : CalibTables
        Tables and metadata.
    is_text : bool
        ECSV, for a single table; else FITS.

    Raises
    ------
    ValueError
        If a table has no columns, columns of unlike length or of a type that no file keeps, or an ECSV more than one
        table.
    """
    for table in content.tables:
        _check(table)
    load_astropy()
    if is_text and len(content.tables) != 1:
        raise ValueError(f"{content.obstype}: ECSV keeps one table, not {len(content.tables)}")
    body = ecsv_text(content).encode() if is_text else _fits_bytes(content)
    return body, Checksums(
        size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), content_sha256=content_sha256(content)
    )


def read_calib_tables(path: Path) -> CalibTables:
    """Read a table product in either form, told apart by what it begins with.

    Parameters
    ----------
    path : Path
        FITS or ECSV, ours or the field's.

    Raises
    ------
    StoreError
        If it is missing, unreadable, or neither a FITS file with tables nor an ECSV.
    """
    load_astropy()
    try:
        with path.open("rb") as file:
            start = file.read(len(_ECSV_MAGIC))
            if start == _ECSV_MAGIC:
                return parse_ecsv(_text(path, start + file.read(_MAX_ECSV_BYTES + 1)), name=str(path))
    except OSError as fault:
        raise unreadable(path, fault) from fault
    if not start.startswith(_FITS_MAGIC):
        raise no_table(str(path), "is neither FITS nor ECSV")
    return _read_fits(path)


def table_checksums(path: Path) -> Checksums:
    """Return size, SHA-256 and content checksum of an existing table product.

    Raises
    ------
    StoreError
        As `read_calib_tables`.
    """
    content = read_calib_tables(path)
    try:
        body = path.read_bytes()
    except OSError as fault:
        raise unreadable(path, fault) from fault
    return Checksums(
        size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), content_sha256=content_sha256(content)
    )


def _check(table: CalibTable) -> None:
    lengths = {name: len(column) for name, column in table.columns.items()}
    if not lengths or len(set(lengths.values())) != 1:
        raise ValueError(f"table {table.name!r}: columns of lengths {lengths}")
    unfit = {name: column.dtype.str for name, column in table.columns.items() if column.dtype.kind not in COLUMN_KINDS}
    if unfit:
        raise ValueError(f"table {table.name!r}: no file keeps {unfit}")


def _fits_bytes(content: CalibTables) -> bytes:
    from astropy.io import fits

    cards = file_cards(content)
    primary = fits.PrimaryHDU()
    append_cards(primary.header, cards)
    hdus: list[Any] = [primary]
    for number, table in enumerate(content.tables):
        columns = {name: _fits_column(values) for name, values in table.columns.items()}
        dtype = np.dtype([(name, one.dtype, one.shape[1:]) for name, one in columns.items()])
        rows = np.empty(table.n_rows, dtype)
        for name, values in columns.items():
            rows[name] = values
        hdu = fits.BinTableHDU(rows, name=table.name or None)
        for name, unit in table.units.items():
            hdu.columns[name].unit = unit
        own = {**(cards if number == 0 else {}), **table.metadata}
        append_cards(hdu.header, own)
        hdus.append(hdu)
    stream = io.BytesIO()
    fits.HDUList(hdus).writeto(stream)
    return stream.getvalue()


def _fits_column(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "U":
        encoded = np.char.encode(values, "ascii", "replace")
        return encoded if encoded.dtype.itemsize else encoded.astype("S1")
    return native(values)


def _read_fits(path: Path) -> CalibTables:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            found = [one for one in hdus[1:] if isinstance(one, fits.BinTableHDU)]
            if not found:
                raise no_table(str(path), "has no table extension")
            tables = tuple(_table_of(hdu, is_first=number == 0) for number, hdu in enumerate(found))
            cards = _header_cards(hdus[0].header) | _header_cards(found[0].header)
    except OSError as fault:
        raise unreadable(path, fault) from fault
    except (ValueError, TypeError, KeyError, IndexError, fits.VerifyError) as fault:
        raise no_table(str(path), f"cannot be read: {' '.join(str(fault).split())}") from fault
    return content_of(cards, tables)


def _table_of(hdu: Any, *, is_first: bool) -> CalibTable:
    columns = {column.name: _from_fits(hdu.data[column.name]) for column in hdu.columns}
    return CalibTable(
        columns=columns,
        units={column.name: column.unit for column in hdu.columns if column.unit},
        name=hdu.name,
        metadata={} if is_first else _header_cards(hdu.header),
    )


def _from_fits(values: Any) -> NDArray[Any]:
    plain = np.asarray(values)
    if plain.dtype.kind in "SU":
        return np.char.rstrip(plain.astype(np.str_))
    return native(plain)


def _header_cards(header: Any) -> dict[str, CardValue]:
    from astropy.io import fits

    return {
        card.keyword.upper(): None if isinstance(card.value, fits.card.Undefined) else card.value
        for card in header.cards
        if card.keyword not in ("COMMENT", "HISTORY", "") and not _STRUCTURE.fullmatch(card.keyword)
    }


def _text(path: Path, body: bytes) -> str:
    if len(body) > _MAX_ECSV_BYTES:
        raise no_table(str(path), f"has more than the {_MAX_ECSV_BYTES} bytes that are read")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise no_table(str(path), f"is no text: byte {fault.start} is no UTF-8") from fault
