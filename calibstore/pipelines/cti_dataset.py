"""The file of deferred charge: two tables, columns and names as the field's tools read them (CTI 1.3).

Signals are in electrons; units are written where FITS has them: it has no electron, and readers warn of one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, find_card, read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import StoreError
from calibstore.pipelines.calib_identity import REASON_KEY
from kernels.arrays import Vector
from kernels.deferred_charge import CtiAmplifier, SerialTrap, TrapType
from kernels.deferred_charge_result import MeasuredCti
from kernels.errors import KernelError

OBSTYPE: Final = "CTI"
SCHEMA: Final = "Deferred Charge"
VERSION: Final = "1.3"
CALIB_CLASS: Final = "lsst.ip.isr.deferredCharge.DeferredChargeCalib"
NO_TRAP: Final = (0.0, 200_000.0, 0.0, 0.0)
"""Spline of a trap that takes nothing: the field's form of no trap."""

_VECTORS: Final = {"SIGNALS": "signals", "SERIAL_EPER": "serial_eper", "PARALLEL_EPER": "parallel_eper"}
_NUMBERS: Final = {
    "INPUT_GAIN": "input_gain",
    "SERIAL_CTI_TURNOFF": "serial_turnoff",
    "PARALLEL_CTI_TURNOFF": "parallel_turnoff",
    "SERIAL_CTI_TURNOFF_SAMPLING_ERR": "serial_turnoff_error",
    "PARALLEL_CTI_TURNOFF_SAMPLING_ERR": "parallel_turnoff_error",
}
_UNITS: Final = {"DECAY_TIME": "pix"}


def to_tables(amplifiers: Sequence[MeasuredCti], metadata: Mapping[str, CardValue]) -> CalibTables:
    """Return measured deferred charge as tables.

    Parameters
    ----------
    amplifiers : sequence of MeasuredCti
        Of one detector.
    metadata : mapping of str to card value
        See `calibstore.pipelines.calib_identity.identity_metadata`.

    Returns
    -------
    CalibTables
        One row per amplifier, and a second table of their traps; coefficients shorter than the longest end in NaN.
    """
    models = [one.model for one in amplifiers]
    columns: dict[str, NDArray[Any]] = {
        "AMPLIFIER": np.array([one.name for one in amplifiers]),
        "DRIFT_SCALE": np.array([np.nan if model is None else model.drift_scale for model in models]),
        "DECAY_TIME": np.array([np.nan if model is None else model.decay_time for model in models]),
        "GLOBAL_CTI": np.array([np.nan if model is None else model.global_cti for model in models]),
    }
    for key, name in _VECTORS.items():
        columns[key] = _padded([getattr(one, name) for one in amplifiers])
    for key, name in _NUMBERS.items():
        columns[key] = np.array([getattr(one, name) for one in amplifiers], np.float64)
    traps = [(model.trap if model is not None else None) or SerialTrap() for model in models]
    trap_columns: dict[str, NDArray[Any]] = {
        "AMPLIFIER": columns["AMPLIFIER"],
        "SIZE": np.array([trap.size_e for trap in traps]),
        "EMISSION_TIME": np.array([trap.emission_time for trap in traps]),
        "PIXEL": np.array([trap.pixel for trap in traps], np.int64),
        "TYPE": np.array([str(trap.kind) for trap in traps]),
        "COEFFS": _padded([np.array(trap.coefficients or NO_TRAP) for trap in traps]),
    }
    reasons: dict[str, CardValue] = {REASON_KEY + one.name: one.reason for one in amplifiers if one.reason}
    return CalibTables(
        obstype=OBSTYPE,
        schema=SCHEMA,
        version=VERSION,
        calib_class=CALIB_CLASS,
        tables=(
            CalibTable(columns=columns, units=_UNITS),
            CalibTable(columns=trap_columns, units={"EMISSION_TIME": "pix"}),
        ),
        metadata={**metadata, **reasons},
    )


def read_cti(path: Path) -> tuple[MeasuredCti, ...]:
    """Read deferred charge of a detector, ours or the field's.

    Parameters
    ----------
    path : Path
        FITS.

    Raises
    ------
    StoreError
        If the file cannot be read, or is none of deferred charge.
    """
    content = read_calib_tables(path)
    columns = content.tables[0].columns
    wanted = ("AMPLIFIER", "DRIFT_SCALE", "DECAY_TIME", "GLOBAL_CTI")
    if any(key not in columns for key in wanted) or len(content.tables) < 2:
        raise StoreError(
            f"{path}: no deferred charge: {len(content.tables)} tables, the first with {', '.join(columns)}",
            hint=f"it has the columns {', '.join(wanted)}, and traps in a second table",
            code="E-FORMAT",
        )
    try:
        traps = _traps(content.tables[1].columns)
        return tuple(_amplifier(columns, row, traps, content.metadata) for row in range(content.tables[0].n_rows))
    except (KeyError, ValueError, KernelError) as fault:
        raise StoreError(
            f"{path}: deferred charge cannot be understood: {fault}", hint="measure it again", code="E-FORMAT"
        ) from fault


def _traps(columns: Mapping[str, NDArray[Any]]) -> dict[str, SerialTrap]:
    found = {}
    for row, name in enumerate(columns["AMPLIFIER"]):
        coefficients = np.atleast_1d(columns["COEFFS"][row]).astype(np.float64)
        found[str(name)] = SerialTrap(
            size_e=float(columns["SIZE"][row]),
            emission_time=float(columns["EMISSION_TIME"][row]),
            pixel=int(columns["PIXEL"][row]),
            kind=TrapType(str(columns["TYPE"][row]).strip()),
            coefficients=tuple(float(one) for one in coefficients[np.isfinite(coefficients)]),
        )
    return found


def _amplifier(
    columns: Mapping[str, NDArray[Any]], row: int, traps: Mapping[str, SerialTrap], cards: Mapping[str, CardValue]
) -> MeasuredCti:
    name = str(columns["AMPLIFIER"][row])
    drift, decay, cti = (float(columns[key][row]) for key in ("DRIFT_SCALE", "DECAY_TIME", "GLOBAL_CTI"))
    reason = str(find_card(cards, REASON_KEY + name) or "")
    if not reason and not np.isfinite((drift, decay, cti)).all():
        reason = "its numbers are not finite"
    trap = traps.get(name)
    has_trap = trap is not None and trap.coefficients != NO_TRAP
    model = None
    if not reason:
        model = CtiAmplifier(drift_scale=drift, decay_time=decay, global_cti=cti, trap=trap if has_trap else None)
    found: dict[str, Any] = {
        field: np.atleast_1d(columns[key][row]).astype(np.float64) for key, field in _VECTORS.items() if key in columns
    }
    found |= {field: float(columns[key][row]) for key, field in _NUMBERS.items() if key in columns}
    return MeasuredCti(name=name, model=model, reason=reason, **found)


def _padded(rows: Sequence[Vector]) -> NDArray[np.float64]:
    width = max((row.size for row in rows), default=0) or 1
    out = np.full((len(rows), width), np.nan)
    for target, row in zip(out, rows, strict=True):
        target[: row.size] = row
    return out
