"""Readings of the photodiode in files: the field's tables (PHOTODIODE 1.0) and the electrometer's text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from kernels.arrays import Vector

OBSTYPE: Final = "PHOTODIODE"
SCHEMA: Final = "Photodiode"
VERSION: Final = "1.0"
CALIB_CLASS: Final = "lsst.ip.isr.photodiode.PhotodiodeCalib"
_MAX_TEXT_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotodiodeReading:
    """Current of the photodiode during one exposure."""

    time_s: Vector
    """Of shape (n,) [s]."""
    current_a: Vector
    """Of shape (n,) [A]."""
    metadata: Mapping[str, CardValue] = field(default_factory=dict)


def to_tables(reading: PhotodiodeReading, metadata: Mapping[str, CardValue] | None = None) -> CalibTables:
    """Return a reading as a table.

    Parameters
    ----------
    reading : PhotodiodeReading
        Of one exposure.
    metadata : mapping of str to card value, optional
        Added to its own.
    """
    table = CalibTable(
        columns={"TIME": reading.time_s, "CURRENT": reading.current_a}, units={"TIME": "s", "CURRENT": "A"}
    )
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(table,),
        metadata={**reading.metadata, **(metadata or {})},
    )


def read_photodiode(path: Path) -> PhotodiodeReading:
    """Read a photodiode's reading: FITS or ECSV with TIME and CURRENT, or text of two columns.

    Parameters
    ----------
    path : Path
        ``.txt``: time [s] and current [A] in each line, ``#`` before comments.

    Raises
    ------
    StoreError
        If the file is missing, or holds no reading.
    """
    if path.suffix == ".txt":
        return _read_text(path)
    content = read_calib_tables(path)
    columns = {name.upper(): values for name, values in content.tables[0].columns.items()}
    if "TIME" not in columns or "CURRENT" not in columns:
        raise _no_reading(path, f"its columns are {', '.join(columns)}")
    return PhotodiodeReading(
        time_s=np.asarray(columns["TIME"], np.float64).reshape(-1),
        current_a=np.asarray(columns["CURRENT"], np.float64).reshape(-1),
        metadata=dict(content.metadata),
    )


def _read_text(path: Path) -> PhotodiodeReading:
    rows = []
    try:
        with path.open("rb") as file:
            lines = file.read(_MAX_TEXT_BYTES).decode("ascii", "replace").splitlines()
    except OSError as fault:
        raise _no_reading(path, f"it cannot be read: {fault.strerror}") from fault
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            rows.append((float(words[0]), float(words[1])))
        except (ValueError, IndexError) as fault:
            raise _no_reading(path, f"line {number} is {line.strip()[:40]!r}") from fault
    if not rows:
        raise _no_reading(path, "it has no line of numbers")
    values = np.array(rows)
    return PhotodiodeReading(time_s=values[:, 0], current_a=values[:, 1])


def _no_reading(path: Path, told: str) -> StoreError:
    return StoreError(
        f"{path}: no reading of a photodiode: {told}",
        hint="a reading has a time [s] and a current [A] in each row",
        code="E-FORMAT",
    )
