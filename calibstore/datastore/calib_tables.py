"""Calibration tables as the field keeps them: FITS (one BINTABLE per table) or ECSV (one table), metadata in both.

The field's readers take the metadata, the class among it, from the header of the first table; the empty primary header
repeats it, so that a look at the primary header alone says what a file is. The content checksum is over columns and
metadata that describe them: the same for both forms, and for two makings of the same values.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.atomic_files import write_atomically
from calibstore.datastore.checksums import Checksums, unreadable
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import append_cards
from calibstore.errors import StoreError

if TYPE_CHECKING:
    from astropy.table import Table

ECSV_SUFFIX: Final = ".ecsv"
FITS_SUFFIXES: Final = (".fits", ".fit", ".fits.gz")
CLASS_KEY: Final = "CALIBCLS"

_FITS_MAGIC: Final = (b"SIMPLE", b"\x1f\x8b")
_ECSV_MAGIC: Final = b"# %ECSV"
_MAX_ECSV_BYTES: Final = 64 << 20
_KINDS: Final = "biufU"
_STRUCTURE: Final = re.compile(
    r"XTENSION|SIMPLE|EXTEND|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|CHECKSUM|DATASUM|EXTNAME|EXTVER|EXTLEVEL"
    r"|T(TYPE|FORM|UNIT|DIM|NULL|SCAL|ZERO|DISP|BCOL)\d+"
)
_KIND: Final = r"OBSTYPE|CALIBCLS|(.*_)?(SCHEMA|VERSION)"
_NOT_CONTENT: Final = re.compile(
    rf"{_KIND}|CALIB_CREATION_.*|CALIBDATE|CALIB_ID|DATE|CAB .*|LSST CALIB (RUN|UUID|DATE) .*|CPP_INPUT_.*"
)
_LIST: Final = re.compile(r"[\[(]\s*-?\d+\s*(,\s*-?\d+\s*)*,?\s*[\])]")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibTable:
    """One table: columns whose first axis is the row."""

    columns: Mapping[str, NDArray[Any]]
    """Numbers, logicals or text (dtype U), of any further shape."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Of the columns that have one, in FITS spelling (electron, adu, s, pix)."""
    name: str = ""
    """EXTNAME in FITS."""
    metadata: Mapping[str, CardValue] = field(default_factory=dict)
    """Of this table alone; FITS only, the metadata of an ECSV are those of the file."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return next((len(column) for column in self.columns.values()), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibTables:
    """A table product: what it is, its tables, and the metadata of the whole file."""

    obstype: str
    """OBSTYPE, as the field writes it (``LINEARIZER``, ``defects``)."""
    schema: str
    version: str
    """Of the schema; written as a number where it is one."""
    calib_class: str
    """CALIBCLS, the class path by which the field's reader chooses the class."""
    tables: tuple[CalibTable, ...]
    metadata: Mapping[str, CardValue] = field(default_factory=dict)


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
    try:
        with path.open("rb") as file:
            start = file.read(len(_ECSV_MAGIC))
            if start == _ECSV_MAGIC:
                return parse_ecsv(_text(path, start + file.read(_MAX_ECSV_BYTES + 1)), name=str(path))
    except OSError as fault:
        raise unreadable(path, fault) from fault
    if not start.startswith(_FITS_MAGIC):
        raise _no_table(str(path), "is neither FITS nor ECSV")
    return _read_fits(path)


def content_sha256(content: CalibTables) -> str:
    """Return the checksum of what a table product says, whenever, wherever and in whichever form it was written.

    Parameters
    ----------
    content : CalibTables
        Left out are cards on the making: creation time, dataset id, RUN, ids of calibrations and exposures.
    """
    digest = hashlib.sha256()

    def take(*parts: object) -> None:
        for part in parts:
            text = repr(part).encode()
            digest.update(len(text).to_bytes(8, "little") + text)

    take(content.obstype.upper(), content.calib_class)
    # An ECSV has neither a name of its table nor metadata of that table alone.
    first = dict(content.tables[0].metadata) if content.tables else {}
    for number, table in enumerate(content.tables):
        take(_content_cards(table.metadata if number else {}), table.n_rows)
        for name, column in table.columns.items():
            plain = _canonical(column)
            take(name, table.units.get(name, ""), plain.shape, plain.dtype.str)
            digest.update(plain.tobytes())
    take(_content_cards({**content.metadata, **first}))
    return digest.hexdigest()


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


def ecsv_text(content: CalibTables) -> str:
    """Return a single table as ECSV text.

    Parameters
    ----------
    content : CalibTables
        Of one table.
    """
    from astropy.table import Column, Table

    table = content.tables[0]
    columns = [
        Column(_native(values), name=name, unit=table.units.get(name) or None) for name, values in table.columns.items()
    ]
    cards = {**_file_cards(content), **table.metadata}
    whole = Table(columns, meta={key: _yaml_value(value) for key, value in cards.items()})
    stream = io.StringIO()
    whole.write(stream, format="ascii.ecsv")
    return stream.getvalue()


def parse_ecsv(text: str, *, name: str) -> CalibTables:
    """Read a table product from ECSV text.

    Parameters
    ----------
    text : str
        All of it.
    name : str
        How messages call it.

    Raises
    ------
    StoreError
        If it is no ECSV.
    """
    import warnings

    import yaml
    from astropy.table import Table

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = Table.read(text.splitlines(), format="ascii.ecsv")
            columns = {str(one): _column_values(table, one, name) for one in table.colnames}
            stated = {str(one): getattr(table[one], "unit", None) for one in table.colnames}
            # astropy spells a quotient with blanks around the stroke
            units = {one: str(unit).replace(" / ", "/") for one, unit in stated.items() if unit}
    except (ValueError, TypeError, KeyError, IndexError, OSError, yaml.YAMLError) as fault:
        raise _no_table(name, f"cannot be read as ECSV: {' '.join(str(fault).split())}") from fault
    cards = {str(key): _plain_card(value) for key, value in table.meta.items() if key != "__serialized_columns__"}
    return _content(cards, (CalibTable(columns=columns, units=units),))


def find_card(cards: Mapping[str, CardValue], key: str) -> CardValue:
    """Return a metadata value whatever the case of its key; None when absent."""
    if key in cards:
        return cards[key]
    return next((value for known, value in cards.items() if known.upper() == key.upper()), None)


def _check(table: CalibTable) -> None:
    lengths = {name: len(column) for name, column in table.columns.items()}
    if not lengths or len(set(lengths.values())) != 1:
        raise ValueError(f"table {table.name!r}: columns of lengths {lengths}")
    unfit = {name: column.dtype.str for name, column in table.columns.items() if column.dtype.kind not in _KINDS}
    if unfit:
        raise ValueError(f"table {table.name!r}: no file keeps {unfit}")


def _native(column: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))


def _canonical(column: NDArray[Any]) -> NDArray[Any]:
    """Return values as the checksum takes them: text as UTF-8, numbers little endian."""
    if column.dtype.kind == "U":
        encoded = np.char.encode(column, "utf-8")
        width = max((len(one) for one in encoded.ravel().tolist()), default=0)
        return np.ascontiguousarray(encoded.astype(f"S{max(width, 1)}"))
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<"))


def _content_cards(cards: Mapping[str, CardValue]) -> list[tuple[str, str]]:
    kept = {key.upper(): value for key, value in cards.items() if not _NOT_CONTENT.fullmatch(key.upper())}
    return sorted((key, "" if _is_empty(value) else str(value).strip()) for key, value in kept.items())


def _is_empty(value: CardValue) -> bool:
    return value is None or (isinstance(value, float) and not np.isfinite(value))


def _file_cards(content: CalibTables) -> dict[str, CardValue]:
    """Return all metadata of a file, what names its kind first."""
    cards: dict[str, CardValue] = {"OBSTYPE": content.obstype}
    known = {key.upper() for key in content.metadata}
    version: CardValue = float(content.version) if _NUMBER.fullmatch(content.version) else content.version
    named: tuple[tuple[str, CardValue], ...] = (("SCHEMA", content.schema), ("VERSION", version))
    for suffix, value in named:
        if value != "" and not any(f"_{key}".endswith(f"_{suffix}") for key in known):
            cards[f"{content.obstype}_{suffix}"] = value
    if content.calib_class:
        cards[CLASS_KEY] = content.calib_class
    return cards | {key: value for key, value in content.metadata.items() if key.upper() not in ("OBSTYPE", CLASS_KEY)}


def _content(cards: dict[str, CardValue], tables: tuple[CalibTable, ...]) -> CalibTables:
    def stated(suffix: str) -> str:
        key = next((key for key in cards if key.upper().endswith(f"_{suffix}")), suffix)
        value = cards.get(key)
        return "" if value is None else str(value)

    return CalibTables(
        obstype=str(find_card(cards, "OBSTYPE") or ""),
        schema=stated("SCHEMA"),
        version=stated("VERSION"),
        calib_class=str(find_card(cards, CLASS_KEY) or ""),
        tables=tables,
        metadata=cards,
    )


def _fits_bytes(content: CalibTables) -> bytes:
    from astropy.io import fits

    cards = _file_cards(content)
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
    return _native(values)


def _read_fits(path: Path) -> CalibTables:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            found = [one for one in hdus[1:] if isinstance(one, fits.BinTableHDU)]
            if not found:
                raise _no_table(str(path), "has no table extension")
            tables = tuple(_table_of(hdu, is_first=number == 0) for number, hdu in enumerate(found))
            cards = _header_cards(hdus[0].header) | _header_cards(found[0].header)
    except OSError as fault:
        raise unreadable(path, fault) from fault
    except (ValueError, TypeError, KeyError, IndexError, fits.VerifyError) as fault:
        raise _no_table(str(path), f"cannot be read: {' '.join(str(fault).split())}") from fault
    return _content(cards, tables)


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
    return _native(plain)


def _header_cards(header: Any) -> dict[str, CardValue]:
    from astropy.io import fits

    return {
        card.keyword.upper(): None if isinstance(card.value, fits.card.Undefined) else card.value
        for card in header.cards
        if card.keyword not in ("COMMENT", "HISTORY", "") and not _STRUCTURE.fullmatch(card.keyword)
    }


def _column_values(table: "Table", column: str, name: str) -> NDArray[Any]:
    values = table[column]
    mask = getattr(values, "mask", None)
    if mask is not None and np.any(mask):
        if values.dtype.kind not in "fU":
            raise ValueError(f"column {column} has an empty place and holds {values.dtype}")
        values = values.filled(np.nan if values.dtype.kind == "f" else "")
    plain = np.asarray(getattr(values, "value", values))
    if plain.dtype.kind not in _KINDS:
        raise ValueError(f"column {column} holds {plain.dtype}")
    return _native(plain)


def _plain_card(value: Any) -> CardValue:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return str(list(value))
    return str(value)


def _yaml_value(value: CardValue) -> Any:
    """Give a list back its form: metadata here are single values, the field's ECSV has lists of numbers."""
    if isinstance(value, str) and _LIST.fullmatch(value):
        return [int(part) for part in re.findall(r"-?\d+", value)]
    return value


def _text(path: Path, body: bytes) -> str:
    if len(body) > _MAX_ECSV_BYTES:
        raise _no_table(str(path), f"has more than the {_MAX_ECSV_BYTES} bytes that are read")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise _no_table(str(path), f"is no text: byte {fault.start} is no UTF-8") from fault


def _no_table(name: str, told: str) -> StoreError:
    return StoreError(
        f"{name}: {told}",
        hint="give a FITS file with a table, or an ECSV file; copy it again from its source",
        code="E-CALIBTABLE",
    )
