"""What a linearizer is solved from: the ramp of a photon transfer curve, the light's normalisation and correction."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from calibstore.model.camera import Detector
from kernels.arrays import Vector
from kernels.linearity_solve import Ramp
from kernels.ptc_records import PhotonTransfer

NORMALIZATION: Final = "linearizerNormalization"
"""OBSTYPE of the normalisation over detectors; its dataset types begin with ``cpLinearizerNormalization``."""
PD_CORRECTION: Final = "PHOTODIODE_CORRECTION"
PD_SCHEMA: Final = "Photodiode correction"
PD_VERSION: Final = "1.1"
PD_CLASS: Final = "lsst.ip.isr.PhotodiodeCorrection"


def ramp_of(
    curve: PhotonTransfer,
    detector: Detector,
    *,
    has_photodiode: bool = True,
    normalization: Mapping[int, float] | None = None,
    correction: Mapping[int, float] | None = None,
    temperatures: Mapping[int, float] | None = None,
) -> tuple[Ramp, list[int]]:
    """Return the ramp a linearizer is solved from.

    Parameters
    ----------
    curve : PhotonTransfer
        Levels, gains and turnoffs.
    detector : Detector
        Places of the amplifiers.
    has_photodiode : bool
        Whether the photodiode gives the light, where it was read; else the exposure time.
    normalization, correction : mapping of int to float, optional
        By first exposure: what the light is multiplied by; what is added to the photodiode's reading.
    temperatures : mapping of int to float, optional
        By first exposure.

    Returns
    -------
    ramp : Ramp
        In the order of the curve's pairs.
    uncorrected : list of int
        First exposures of pairs for which a correction was given for others but not for them.
    """
    measured = curve.measured
    firsts = [int(pair[0]) for pair in measured.exposure_pairs]
    charges = measured.photo_charges if has_photodiode and np.isfinite(measured.photo_charges).any() else None
    uncorrected: list[int] = []
    if charges is not None and correction:
        uncorrected = [one for one in firsts if one not in correction]
        charges = charges + np.array([correction.get(one, 0.0) for one in firsts])
    boxes = {
        one.name: (one.detector_x0, one.detector_y0, one.data.width, one.data.height) for one in detector.amplifiers
    }

    def by_exposure(values: Mapping[int, float] | None, missing: float) -> Vector | None:
        return np.array([values.get(one, missing) for one in firsts]) if values else None

    ramp = Ramp(
        names=measured.amplifiers,
        exposures=np.array(firsts, np.int64),
        exposure_time_s=measured.exposure_time_s,
        signal_adu=measured.means_adu,
        is_used=np.isfinite(measured.means_adu),
        gain_e_per_adu=curve.gain_e_per_adu,
        noise_e=curve.noise_e,
        ptc_turnoff_adu=curve.turnoff_adu,
        photo_charge=charges,
        mjd=measured.mjd_start,
        temperature=by_exposure(temperatures, float("nan")),
        normalization=by_exposure(normalization, 1.0),
        boxes=tuple(boxes.get(name, (0, 0, 0, 0)) for name in measured.amplifiers),
        reasons=curve.reasons,
    )
    return ramp, uncorrected


def normalization_tables(
    exposures: NDArray[np.int64], normalization: Vector, metadata: Mapping[str, CardValue]
) -> CalibTables:
    """Return a normalisation of the light as a table.

    Parameters
    ----------
    exposures : ndarray of shape (n,), int64
        First of each pair.
    normalization : ndarray of shape (n,), float64
        What the light is multiplied by [1].
    metadata : mapping of str to card value
        Of the file.
    """
    table = CalibTable(columns={"EXPOSURE": exposures, "NORMALIZATION": normalization})
    return CalibTables(
        obstype=NORMALIZATION, schema="", version="", calib_class="", tables=(table,), metadata=dict(metadata)
    )


def read_normalization(path: Path) -> dict[int, float]:
    """Read a normalisation of the light, by first exposure.

    Raises
    ------
    StoreError
        If it cannot be read, or is none.
    """
    exposures, values = _columns(path, "EXPOSURE", "NORMALIZATION")
    return dict(zip((int(one) for one in exposures), (float(one) for one in values), strict=True))


def correction_tables(
    pairs: Mapping[int, tuple[int, ...]],
    exposures: NDArray[np.int64],
    corrections: Vector,
    metadata: Mapping[str, CardValue],
) -> CalibTables:
    """Return photodiode corrections as a table of the field: a pair and what is added to its reading.

    Parameters
    ----------
    pairs : mapping of int to tuple of int
        Both exposures of a pair by the first; a first exposure that is not there stands alone.
    exposures : ndarray of shape (n,), int64
        First of each pair.
    corrections : ndarray of shape (n,), float64
        In units of the reading.
    metadata : mapping of str to card value
        Of the file.
    """
    names = [str(list(pairs.get(int(one), (int(one),)))) for one in exposures]
    table = CalibTable(columns={"PAIR": np.array(names), "PD_CORR": corrections})
    return CalibTables(
        obstype=PD_CORRECTION,
        schema=PD_SCHEMA,
        version=PD_VERSION,
        calib_class=PD_CLASS,
        tables=(table,),
        metadata=dict(metadata),
    )


def read_pd_correction(path: Path) -> dict[int, float]:
    """Read photodiode corrections, by the first exposure of each pair.

    Parameters
    ----------
    path : Path
        With the columns PAIR and PD_CORR; a pair is any text with its exposure numbers in it.

    Raises
    ------
    StoreError
        If it cannot be read, is none, or a pair has no number.
    """
    pairs, values = _columns(path, "PAIR", "PD_CORR")
    found = {}
    for pair, value in zip(pairs, values, strict=True):
        numbers = re.findall(r"\d+", str(pair))
        if not numbers:
            raise StoreError(f"{path}: pair {pair!r} names no exposure", hint="measure it again", code="E-FORMAT")
        found[int(numbers[0])] = float(value)
    return found


def _columns(path: Path, first: str, second: str) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    columns = read_calib_tables(path).tables[0].columns
    if first not in columns or second not in columns:
        raise StoreError(
            f"{path}: its columns are {', '.join(columns)}",
            hint=f"it should have {first} and {second}",
            code="E-FORMAT",
        )
    return columns[first], columns[second]
