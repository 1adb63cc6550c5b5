"""The electrostatic distortion matrix as a file: made elsewhere, imported and shown here (BF_DISTORTION_MATRIX 1.1).

What is shown are the shifts of a pixel's four borders by a charge some pixels away. Whatever else a file holds (fit
parameters, the matrix it was fitted to) is kept column by column, so that writing it again loses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError

OBSTYPE: Final = "BF_DISTORTION_MATRIX"
SCHEMA: Final = "Electrostatic brighter-fatter distortion matrix"
VERSION: Final = "1.1"
CALIB_CLASS: Final = "lsst.ip.isr.electrostaticBrighterFatter.ElectrostaticBrighterFatterDistortionMatrix"
BORDERS: Final = ("AN", "AS", "AE", "AW")
"""Columns of the shifts: north, south, east and west border."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistortionMatrix:
    """Shifts of pixel borders by charge, each of shape (r, r), [serial lag, parallel lag] [pixel/electron]."""

    north: NDArray[np.float64]
    south: NDArray[np.float64]
    east: NDArray[np.float64]
    west: NDArray[np.float64]
    others: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Further columns, of one row, by name."""
    units: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, CardValue] = field(default_factory=dict)

    @property
    def n_lags(self) -> int:
        """Lags along each axis."""
        return int(self.north.shape[0])


def to_tables(matrix: DistortionMatrix, metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return a distortion matrix as a table of one row.

    Parameters
    ----------
    matrix : DistortionMatrix
        Of one detector.
    metadata : mapping
        Identity of the product; goes before the matrix's own.
    """
    shifts = (matrix.north, matrix.south, matrix.east, matrix.west)
    columns: dict[str, NDArray[Any]] = dict(matrix.others)
    columns |= {name: values.reshape(1, -1) for name, values in zip(BORDERS, shifts, strict=True)}
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(CalibTable(columns=columns, units=matrix.units),),
        metadata={**matrix.metadata, **metadata},
    )


def read_distortion_matrix(path: Path) -> DistortionMatrix:
    """Read a distortion matrix.

    Parameters
    ----------
    path : Path
        FITS or ECSV.

    Raises
    ------
    StoreError
        If it is no such table, or a shift is not a square of finite numbers.
    """
    content = read_calib_tables(path)
    table = content.tables[0]
    named = {key.upper(): key for key in table.columns}
    missing = [name for name in BORDERS if name not in named]
    if missing or table.n_rows != 1:
        raise _unfit(path, f"no column {', '.join(missing)}" if missing else f"{table.n_rows} rows")
    shifts = [np.asarray(table.columns[named[name]], np.float64).ravel() for name in BORDERS]
    side = int(np.sqrt(shifts[0].size))
    for name, values in zip(BORDERS, shifts, strict=True):
        if values.size != side * side or side == 0:
            raise _unfit(path, f"{name} has {values.size} values, not a square of {side}")
        if not np.isfinite(values).all():
            raise _unfit(path, f"{name} holds values that are not finite")
    north, south, east, west = (values.reshape(side, side) for values in shifts)
    return DistortionMatrix(
        north=north,
        south=south,
        east=east,
        west=west,
        others={key: values for key, values in table.columns.items() if key.upper() not in BORDERS},
        units=dict(table.units),
        metadata=dict(content.metadata),
    )


def _unfit(path: Path, told: str) -> StoreError:
    return StoreError(
        f"{path}: no distortion matrix: {told}",
        hint=f"a distortion matrix is one row with {', '.join(BORDERS)}, r x r values each",
        code="E-CALIBTABLE",
    )
