"""What a calibration table file holds, whatever its form: tables, metadata, and a checksum of what they say."""

import hashlib
import importlib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError

CLASS_KEY: Final = "CALIBCLS"
COLUMN_KINDS: Final = "biufU"
"""Kinds of columns a file keeps: logicals, whole and real numbers, text."""

_KIND: Final = r"OBSTYPE|CALIBCLS|(.*_)?(SCHEMA|VERSION)"
_NOT_CONTENT: Final = re.compile(
    rf"{_KIND}|CALIB_CREATION_.*|CALIBDATE|CALIB_ID|DATE|CAB .*|LSST CALIB (RUN|UUID|DATE) .*|CPP_INPUT_.*"
)
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


def load_astropy() -> None:
    """Import astropy without its remarks on the user's folders, which are nothing to those who ask for a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("astropy.io.fits")
        importlib.import_module("astropy.table")


def find_card(cards: Mapping[str, CardValue], key: str) -> CardValue:
    """Return a metadata value whatever the case of its key; None when absent."""
    if key in cards:
        return cards[key]
    return next((value for known, value in cards.items() if known.upper() == key.upper()), None)


def file_cards(content: CalibTables) -> dict[str, CardValue]:
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


def content_of(cards: dict[str, CardValue], tables: tuple[CalibTable, ...]) -> CalibTables:
    """Return the content of a file from its metadata and tables."""

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


def native(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column in the byte order of this machine."""
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))


def no_table(name: str, told: str) -> StoreError:
    """Return the error for a file that is no calibration table."""
    return StoreError(
        f"{name}: {told}",
        hint="give a FITS file with a table, or an ECSV file; copy it again from its source",
        code="E-CALIBTABLE",
    )


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
