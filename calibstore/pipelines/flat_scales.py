"""Scales of flat exposures from the levels of all detectors: one number per exposure for the whole focal plane."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, read_calib_tables, write_calib_tables
from calibstore.errors import ConflictError, ExecutionError, UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.flat_levels import LEVELS_CLASS
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.errors import NotEnoughDataError
from kernels.flat_scales import FlatScales, solve_flat_scales

SCALES_CLASS: Final = "calibstore.pipelines.flat_scales"

_APART: Final = 0.02
"""Residual from which a level is told to people: no lamp and no filter changes one detector by that much [1]."""


def flat_scales(quantum: Quantum) -> Outcome:
    """Solve for the scale of each exposure over the focal plane.

    Parameters
    ----------
    quantum : Quantum
        `calibs`: the tables of `flat_levels`, one per detector. One output, a table. Parameters: ``n_iterations`` (10),
        ``existing``.

    Returns
    -------
    Outcome
        Two tables: EXPOSURE, SCALE, N_DETECTORS and DETECTOR, RESPONSE, N_EXPOSURES; details: n_detectors,
        n_exposures, largest_residual, levels_apart (detector, exposure and residual of levels off by more than 2 %),
        unusable (exposures without a scale), dark_detectors (those that see no light).

    Raises
    ------
    UserInputError
        If there are no levels, or not one output.
    ConflictError
        If levels are given twice for a detector, or in different units.
    ExecutionError
        If no level is usable.
    StoreError
        If a table cannot be read, or the output not written.
    """
    if not quantum.calibs or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: scales need the levels of at least one detector and go to one table",
            hint="measure the levels first",
            code="E-EMPTY",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    detectors, exposures, levels, weights = _levels_of(quantum.calibs)
    try:
        found = solve_flat_scales(levels, weights, n_iterations=int(str(quantum.parameters.get("n_iterations", 10))))
    except NotEnoughDataError as fault:
        raise ExecutionError(
            f"{quantum.label}: {fault}", hint="look at the flats: was the lamp on?", code="E-LEVEL"
        ) from fault
    is_used = np.isfinite(found.residual)
    tables = (
        CalibTable(
            name="EXPOSURES",
            columns={"EXPOSURE": exposures, "SCALE": found.scale, "N_DETECTORS": is_used.sum(axis=0)},
        ),
        CalibTable(
            name="DETECTORS",
            columns={"DETECTOR": detectors, "RESPONSE": found.response, "N_EXPOSURES": is_used.sum(axis=1)},
        ),
    )
    content = CalibTables(
        obstype=output.dataset_type,
        schema="flat scales of a focal plane",
        version="1.0",
        calib_class=SCALES_CLASS,
        tables=tables,
        metadata=identity_metadata(quantum, output, output.dataset_type),
    )
    sums = write_calib_tables(Path(output.path), content)
    return Outcome(
        label=quantum.label,
        is_done=True,
        files=(output.written(sums),),
        details=_facts(found, detectors, exposures),
    )


def read_flat_scales(path: Path) -> dict[int, float]:
    """Return the scale of each exposure.

    Parameters
    ----------
    path : Path
        Table of `flat_scales`.

    Raises
    ------
    ConflictError
        If the file is another kind of table.
    StoreError
        If it cannot be read.
    """
    table = _read(path, SCALES_CLASS)
    return {
        int(exposure): float(scale)
        for exposure, scale in zip(table.columns["EXPOSURE"], table.columns["SCALE"], strict=True)
    }


def _levels_of(
    calibs: Sequence[CalibInput],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return detectors, exposures, levels and weights, the last two of shape (n_detectors, n_exposures)."""
    found: dict[int, dict[int, tuple[float, float]]] = {}
    units: dict[str, str] = {}
    for calib in calibs:
        path = Path(calib.path)
        content = read_calib_tables(path)
        table = _read(path, LEVELS_CLASS)
        detector = int(str(content.metadata.get("DETECTOR", -1)))
        if detector in found:
            raise ConflictError(f"{path}: levels of detector {detector} are given twice", code="E-INPUTS")
        units[str(table.units.get("MEAN", ""))] = calib.path
        rows = zip(*(table.columns[name] for name in ("EXPOSURE", "MEAN", "N_PIXELS")), strict=True)
        found[detector] = {int(exposure): (float(mean), float(n)) for exposure, mean, n in rows}
    if len(units) > 1:
        raise ConflictError(
            f"levels in {' and '.join(sorted(units))} do not go together: {', '.join(sorted(units.values()))}",
            hint="measure the levels of all detectors alike",
            code="E-UNITS",
        )
    detectors = sorted(found)
    exposures = sorted({exposure for levels in found.values() for exposure in levels})
    missing = (float("nan"), 0.0)
    pairs = np.array([[found[d].get(exposure, missing) for exposure in exposures] for d in detectors])
    return np.array(detectors, np.int64), np.array(exposures, np.int64), pairs[:, :, 0], pairs[:, :, 1]


def _read(path: Path, wanted: str) -> CalibTable:
    content = read_calib_tables(path)
    if content.calib_class != wanted:
        raise ConflictError(
            f"{path}: a table of {content.obstype or 'another kind'}, not one of {wanted.rpartition('.')[2]}",
            hint="check the inputs of the step",
            code="E-INPUTS",
        )
    return content.tables[0]


def _facts(found: FlatScales, detectors: NDArray[np.int64], exposures: NDArray[np.int64]) -> dict[str, object]:
    residual = np.abs(found.residual)
    apart = np.argwhere(residual > _APART)
    return {
        "n_detectors": int(detectors.size),
        "n_exposures": int(exposures.size),
        "largest_residual": float(np.nanmax(residual)),
        "levels_apart": [
            {"detector": int(detectors[d]), "exposure": int(exposures[k]), "residual": float(found.residual[d, k])}
            for d, k in apart
        ],
        "dark_detectors": [
            int(detector) for detector, one in zip(detectors, found.response, strict=True) if not one > 0
        ],
        "unusable": [int(exposure) for exposure, scale in zip(exposures, found.scale, strict=True) if not scale > 0],
    }
