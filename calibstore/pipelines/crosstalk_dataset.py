"""Crosstalk as a file: one row of flattened matrices, ECSV or FITS, as the field reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, find_card, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from kernels.crosstalk_measure import CrosstalkMatrix

OBSTYPE: Final = "CROSSTALK"
CALIB_CLASS: Final = "lsst.ip.isr.crosstalk.CrosstalkCalib"
SCHEMA: Final = "Gen3 Crosstalk"
VERSION: Final = "1.2"
UNITS_KEY: Final = "CROSSTALK_RATIOS_UNITS"


def to_tables(matrix: CrosstalkMatrix, metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return crosstalk as a table.

    Parameters
    ----------
    matrix : CrosstalkMatrix
        Coefficients [source, target]; those that were not measured are written as zero and not valid, so that no
        reader spreads a NaN over the target.
    metadata : mapping
        Identity of the product.
    """
    n = len(matrix.fit_gains)
    is_known = np.isfinite(matrix.coefficients)

    def row(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(values).reshape(1, -1)

    columns: dict[str, NDArray[np.generic]] = {
        "CT_COEFFS": row(np.where(is_known, matrix.coefficients, 0.0)),
        "CT_ERRORS": row(np.where(is_known, matrix.errors, 0.0)),
        "CT_COUNTS": row(np.where(is_known, matrix.counts, 0).astype(np.int64)),
        "CT_VALID": row(matrix.is_valid & is_known),
        "CT_COEFFS_SQR": row(np.where(is_known, matrix.quadratic, 0.0)),
        "CT_ERRORS_SQR": row(np.where(is_known, matrix.quadratic_errors, 0.0)),
        "CT_AMP_GAIN_RATIOS": row(matrix.gain_ratios),
        "CT_FIT_GAINS": row(matrix.fit_gains),
    }
    detector = {
        "DETECTOR_NAME": metadata.get("DET_NAME", ""),
        "DETECTOR_SERIAL": metadata.get("DET_SER", ""),
        "CROSSTALK_SHAPE": str([n, n]),
        "NAMP": n,
        "HAS_CROSSTALK": True,
        UNITS_KEY: matrix.unit,
    }
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(CalibTable(columns=columns),),
        metadata={**metadata, **detector},
    )


def read_crosstalk(path: Path) -> CrosstalkMatrix:
    """Read crosstalk in either form, ours or the field's.

    Parameters
    ----------
    path : Path
        ECSV or FITS.

    Returns
    -------
    CrosstalkMatrix
        Columns that older files lack are zero, gain ratios one. Crosstalk between detectors is not read.

    Raises
    ------
    StoreError
        If it is no table of crosstalk, or its matrices are not square.
    """
    return crosstalk_of(read_calib_tables(path), name=str(path))


def crosstalk_of(content: CalibTables, *, name: str) -> CrosstalkMatrix:
    """Return the crosstalk of a table that was read.

    Parameters
    ----------
    content : CalibTables
        The table.
    name : str
        How messages call it.

    Raises
    ------
    StoreError
        As `read_crosstalk`.
    """
    columns = {key.upper(): values for key, values in content.tables[0].columns.items()}
    if "CT_COEFFS" not in columns or len(columns["CT_COEFFS"]) != 1:
        raise _unfit(name, "has no single row with CT_COEFFS")
    size = int(np.asarray(columns["CT_COEFFS"]).size)
    n = int(np.sqrt(size))
    if n * n != size or n == 0:
        raise _unfit(name, f"{size} coefficients are not a square matrix")

    def matrix(
        key: str, default: float, kind: type = np.float64, shape: tuple[int, ...] = (n, n)
    ) -> NDArray[np.generic]:
        if key not in columns:
            return np.full(shape, default, kind)
        values = np.asarray(columns[key])
        if values.size != int(np.prod(shape)):
            raise _unfit(name, f"{key} has {values.size} values for {n} amplifiers")
        return values.reshape(shape).astype(kind)

    coefficients = np.asarray(matrix("CT_COEFFS", 0.0), np.float64)
    if not np.isfinite(coefficients).all():
        raise _unfit(name, "CT_COEFFS holds values that are not finite")
    return CrosstalkMatrix(
        coefficients=coefficients,
        errors=np.asarray(matrix("CT_ERRORS", 0.0), np.float64),
        counts=np.asarray(matrix("CT_COUNTS", 0, np.int64), np.int64),
        is_valid=np.asarray(matrix("CT_VALID", 1, np.bool_), np.bool_),
        quadratic=np.asarray(matrix("CT_COEFFS_SQR", 0.0), np.float64),
        quadratic_errors=np.asarray(matrix("CT_ERRORS_SQR", 0.0), np.float64),
        gain_ratios=np.asarray(matrix("CT_AMP_GAIN_RATIOS", 1.0), np.float64),
        fit_gains=np.asarray(matrix("CT_FIT_GAINS", 0.0, shape=(n,)), np.float64),
        unit=str(find_card(content.metadata, UNITS_KEY) or "adu").strip().lower(),
    )


def _unfit(name: str, told: str) -> StoreError:
    return StoreError(
        f"{name}: {told}",
        hint="crosstalk is one row: CT_COEFFS and its companions, n x n values each",
        code="E-CALIBTABLE",
    )
