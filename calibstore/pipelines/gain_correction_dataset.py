"""Gain corrections as a file: a row per amplifier, as the field reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from kernels.gain_correction import GainCorrection

OBSTYPE: Final = "gainCorrection"
CALIB_CLASS: Final = "lsst.ip.isr.gainCorrection.GainCorrection"
SCHEMA: Final = "Gain Correction"
VERSION: Final = "1.0"


def to_tables(found: GainCorrection, names: Sequence[str], metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return a gain correction as a table.

    Parameters
    ----------
    found : GainCorrection
        One adjustment per amplifier; why one was not adjusted goes to the metadata.
    names : sequence of str
        Amplifiers.
    metadata : mapping
        Identity of the product.
    """
    told: dict[str, CardValue] = {"CAB N FLATS": found.n_flats}
    for name, error, reason in zip(names, found.errors, found.reasons, strict=True):
        if np.isfinite(error):
            told[f"CAB GAIN ADJUSTMENT ERROR {name}"] = float(error)
        if reason:
            told[f"CAB NOT ADJUSTED {name}"] = reason
    columns = {"AMP_NAME": np.array(names), "GAIN_ADJUSTMENT": np.asarray(found.adjustments, np.float64)}
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(CalibTable(columns=columns),),
        metadata={**metadata, **told},
    )


def read_gain_correction(path: Path) -> dict[str, float]:
    """Return what the gain of each amplifier is multiplied by.

    Parameters
    ----------
    path : Path
        FITS or ECSV, ours or the field's.

    Raises
    ------
    StoreError
        If it is missing, unreadable, or no gain correction.
    """
    columns = read_calib_tables(path).tables[0].columns
    if "AMP_NAME" not in columns or "GAIN_ADJUSTMENT" not in columns:
        raise StoreError(
            f"{path}: no gain correction: it has no columns AMP_NAME and GAIN_ADJUSTMENT",
            hint="check that the file is of this type",
            code="E-FORMAT",
        )
    pairs = zip(columns["AMP_NAME"], columns["GAIN_ADJUSTMENT"], strict=True)
    return {str(name).strip(): float(value) for name, value in pairs}
