"""The file of a linearizer: columns and names as the field's tools read them (LINEARIZER 1.8).

Units are written where FITS has them: it has no electron, and readers warn of one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, find_card, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from calibstore.pipelines.calib_identity import REASON_KEY
from kernels.errors import KernelError
from kernels.linearity import LinearityType, nonlinearity_model
from kernels.linearizer import Linearizer, LinearizerAmplifier

OBSTYPE: Final = "LINEARIZER"
SCHEMA: Final = "Gen3 Linearizer"
VERSION: Final = "1.8"
CALIB_CLASS: Final = "lsst.ip.isr.linearize.Linearizer"

_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "COEFFS": ("coefficients", ""),
    "INP_EXPOSURE": ("input_exposure", ""),
    "INP_ABSCISSA": ("input_abscissa", ""),
    "INP_ORDINATE": ("input_ordinate", "adu"),
    "INP_MASK": ("input_mask", ""),
    "INP_GROUPING_INDEX": ("input_group", ""),
    "INP_NORMALIZATION": ("input_normalization", ""),
    "FIT_PARAMS": ("parameters", ""),
    "FIT_PARAMS_ERR": ("parameter_errors", ""),
    "FIT_RES": ("residuals", "adu"),
    "FIT_RES_UNMASKED": ("residuals_unmasked", "adu"),
    "FIT_RES_MODEL": ("residuals_model", "adu"),
    "LIN_FIT": ("line", ""),
}
_NUMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "INPUT_GAIN": ("input_gain", ""),
    "INPUT_TURNOFF": ("input_turnoff", "adu"),
    "RED_CHI_SQ": ("reduced_chi_squared", ""),
    "FIT_RES_SIGMAD": ("residual_sigma", ""),
    "LINEARITY_TURNOFF": ("linearity_turnoff", "adu"),
    "LINEARITY_MAX_SIGNAL": ("max_signal", "adu"),
}
_PADDING: Final = {"b": False, "i": -1, "f": np.nan}


def to_tables(linearizer: Linearizer, metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return a linearizer as tables.

    Parameters
    ----------
    linearizer : Linearizer
        Of one detector.
    metadata : mapping of str to card value
        See `calibstore.pipelines.calib_identity.identity_metadata`.

    Returns
    -------
    CalibTables
        One row per amplifier, and a second table of look-up values where there are some. Vectors are padded to one
        length: coefficients with zeros (nothing reads them), exposures with NaN, -1 and False.

    Raises
    ------
    ValueError
        If plain splines have unlike numbers of nodes.
    """
    amplifiers = linearizer.amplifiers
    sizes = {one.coefficients.size for one in amplifiers if one.kind is LinearityType.SPLINE and not one.reason}
    if len(sizes) > 1:
        raise ValueError(f"splines of {sorted(sizes)} coefficients in one table: halves of a padded row are no spline")
    columns: dict[str, NDArray[Any]] = {
        "AMPLIFIER_NAME": np.array([one.name for one in amplifiers]),
        "TYPE": np.array([str(one.kind) for one in amplifiers]),
    }
    for place, key in enumerate(("BBOX_X0", "BBOX_Y0", "BBOX_DX", "BBOX_DY")):
        columns[key] = np.array([one.box[place] for one in amplifiers], np.int64)
    for key, (name, _) in _NUMBERS.items():
        columns[key] = np.array([getattr(one, name) for one in amplifiers], np.float64)
    for key, (name, _) in _ROWS.items():
        columns[key] = _padded([np.asarray(getattr(one, name)) for one in amplifiers], is_zero=key == "COEFFS")
    columns["ABS_REF_AMP"] = np.array([linearizer.absolute_reference or " "] * len(amplifiers))
    reasons: dict[str, CardValue] = {REASON_KEY + one.name: one.reason for one in amplifiers if one.reason}
    tables = [
        CalibTable(columns=columns, units={key: unit for key, (_, unit) in {**_NUMBERS, **_ROWS}.items() if unit}),
    ]
    if linearizer.lookup is not None:
        tables.append(CalibTable(columns={"LOOKUP_VALUES": linearizer.lookup}, units={"LOOKUP_VALUES": "adu"}))
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=tuple(tables),
        metadata={**metadata, "HAS_LINEARITY": True, "LINEARITY_UNITS": "adu", **reasons},
    )


def read_linearizer(path: Path) -> Linearizer:
    """Read a linearizer, ours or the field's (also of earlier versions, with fewer columns).

    Parameters
    ----------
    path : Path
        FITS or ECSV.

    Raises
    ------
    StoreError
        If the file cannot be read, or is no linearizer.
    """
    content = read_calib_tables(path)
    columns = content.tables[0].columns
    wanted = ("AMPLIFIER_NAME", "TYPE", "COEFFS")
    if any(key not in columns for key in wanted):
        raise StoreError(
            f"{path}: no linearizer: its columns are {', '.join(columns)}",
            hint=f"a linearizer has the columns {', '.join(wanted)}",
            code="E-FORMAT",
        )
    try:
        amplifiers = tuple(_amplifier(columns, row, content.metadata) for row in range(content.tables[0].n_rows))
    except (ValueError, KernelError) as fault:
        raise StoreError(
            f"{path}: {fault}", hint="the types are " + ", ".join(LinearityType), code="E-FORMAT"
        ) from fault
    amplifiers = tuple(_judged(one, amplifiers) for one in amplifiers)
    lookup = content.tables[1].columns.get("LOOKUP_VALUES") if len(content.tables) > 1 else None
    reference = str(columns["ABS_REF_AMP"][0]).strip() if "ABS_REF_AMP" in columns and amplifiers else ""
    return Linearizer(
        amplifiers=amplifiers,
        lookup=None if lookup is None else np.asarray(lookup, np.float64),
        absolute_reference=reference,
    )


def _amplifier(columns: Mapping[str, NDArray[Any]], row: int, cards: Mapping[str, CardValue]) -> LinearizerAmplifier:
    name = str(columns["AMPLIFIER_NAME"][row])
    found: dict[str, Any] = {
        field: np.atleast_1d(columns[key][row]) for key, (field, _) in _ROWS.items() if key in columns
    }
    found |= {field: float(columns[key][row]) for key, (field, _) in _NUMBERS.items() if key in columns}
    boxes = ("BBOX_X0", "BBOX_Y0", "BBOX_DX", "BBOX_DY")
    if all(key in columns for key in boxes):
        found["box"] = tuple(int(columns[key][row]) for key in boxes)
    kind = LinearityType(str(columns["TYPE"][row]).strip())
    reason = str(find_card(cards, REASON_KEY + name) or "")
    if not reason and kind is not LinearityType.NONE and not np.isfinite(found["coefficients"]).all():
        reason = "its coefficients are not finite"
    return LinearizerAmplifier(name=name, kind=kind, reason=reason, **found)


def _judged(one: LinearizerAmplifier, all_of_them: Sequence[LinearizerAmplifier]) -> LinearizerAmplifier:
    """Return an amplifier, with a reason where the field filled the row of a bad one with zeros, or with no type."""
    if one.reason:
        return one
    try:
        if one.kind is not LinearityType.LOOKUP_TABLE:
            nonlinearity_model(one.kind, one.coefficients)
    except KernelError as fault:
        return replace(one, reason=f"it has no model: {fault}")
    is_without = one.kind is LinearityType.NONE or not one.coefficients.any() or not np.isfinite(one.coefficients).all()
    others = (other for other in all_of_them if math.isfinite(other.linearity_turnoff))
    if is_without and not math.isfinite(one.linearity_turnoff) and next(others, None) is not None:
        return replace(one, reason="it has no model and no turnoff, and others have")
    return one


def _padded(rows: Sequence[NDArray[Any]], *, is_zero: bool) -> NDArray[Any]:
    width = max((row.size for row in rows), default=0) or 1
    dtype = np.result_type(*rows)
    filler = 0.0 if is_zero else _PADDING[dtype.kind]
    out = np.full((len(rows), width), filler, dtype)
    for target, row in zip(out, rows, strict=True):
        target[: row.size] = row
        if is_zero and row.size and not np.isfinite(row).any():
            target[:] = np.nan
    return out
