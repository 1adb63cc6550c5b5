"""Deferred charge of a detector, measured from a ramp of flats with their overscans."""

import math
from pathlib import Path

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.cti_dataset import OBSTYPE, to_tables
from calibstore.pipelines.isr_tables import IsrTables, load_table
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Outcome, Quantum
from calibstore.pipelines.trail_frames import read_trails
from kernels.deferred_charge_fit import DeferredChargeRule, TrailStatistics
from kernels.deferred_charge_fit import measure_cti as measure_amplifier
from kernels.deferred_charge_result import MeasuredCti

_NO_TRAP_KIND = "E2V"


def measure_cti(quantum: Quantum) -> Outcome:
    """Measure the deferred charge of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; `raws`: flats of rising light; calibs: linearizer (its gains and linearity), and defects where
        there are some. One output, a table. Parameters: ``has_trap`` (default: false for E2V), ``drift_columns``,
        ``global_columns``, ``trap_columns`` (first and last, from 1), the other fields of `DeferredChargeRule`,
        ``existing``.

    Returns
    -------
    Outcome
        details: n_exposures, amplifiers (drift_scale, decay_time, global_cti, has_trap, serial_eper, parallel_eper
        (medians), serial_turnoff_e, parallel_turnoff_e, reason), bad_amplifiers.

    Raises
    ------
    UserInputError
        If there is no flat or no linearizer, an amplifier has no overscan, or a parameter is wrong.
    ExecutionError
        If no amplifier could be measured.
    StoreError
        If a file is missing or damaged.
    """
    detector = quantum.detector
    if detector is None or not quantum.raws or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: deferred charge needs a detector, flats and one output",
            hint="select a ramp of flats",
            code="E-EMPTY",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    tables = _tables(quantum, detector)
    has_trap = bool(quantum.parameters.get("has_trap", detector.kind != _NO_TRAP_KIND))
    measured = _measured(quantum, detector, tables, rule=_rule(quantum), has_trap=has_trap)
    if all(one.reason for one in measured):
        raise ExecutionError(
            f"{quantum.label}: no amplifier could be measured: "
            + "; ".join(f"{one.name}: {one.reason}" for one in measured),
            hint="select flats from a few hundred electrons on",
            code="E-NODATA",
        )
    metadata = identity_metadata(quantum, output, OBSTYPE)
    sums = write_calib_tables(Path(output.path), to_tables(measured, metadata))
    details: dict[str, object] = {
        "n_exposures": len(quantum.raws),
        "amplifiers": {one.name: _facts(one) for one in measured},
        "bad_amplifiers": {one.name: one.reason for one in measured if one.reason},
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def _measured(
    quantum: Quantum, detector: Detector, tables: IsrTables, *, rule: DeferredChargeRule, has_trap: bool
) -> list[MeasuredCti]:
    gains = tuple(float(one) for one in tables.input_gain) if tables.input_gain is not None else ()
    flats: list[list[TrailStatistics]] = [[] for _ in detector.amplifiers]
    for raw in sorted(quantum.raws, key=lambda one: (one.exposure, one.path)):
        trails = read_trails(
            raw, detector.amplifiers, gains_e_per_adu=gains, linearity=tables.linearity, defects=tables.defects
        )
        for mine, trail in zip(flats, trails, strict=True):
            mine.append(trail)
    found = []
    for amplifier, mine, gain in zip(detector.amplifiers, flats, gains, strict=True):
        reason = tables.reasons.get(amplifier.name, "")
        if reason:
            found.append(MeasuredCti(name=amplifier.name, input_gain=gain, reason=reason))
            continue
        found.append(
            measure_amplifier(
                amplifier.name,
                mine,
                n_columns=amplifier.data.width,
                n_prescan=amplifier.data.x0,
                n_rows=amplifier.data.height,
                gain_e_per_adu=gain,
                has_trap=has_trap,
                rule=rule,
            )
        )
    return found


def _tables(quantum: Quantum, detector: Detector) -> IsrTables:
    tables = IsrTables()
    steps = {"linearizer": "linearize", "defects": "defects"}
    for calib in quantum.calibs:
        if calib.dataset_type in steps:
            load_table(steps[calib.dataset_type], Path(calib.path), detector, tables)
    if tables.input_gain is None:
        raise UserInputError(
            f"{quantum.label}: no linearizer, deferred charge is measured with its gains",
            hint="generate and certify a linearizer: cabstand generate linearizer TICKET",
            code="E-INPUTS",
        )
    return tables


def _rule(quantum: Quantum) -> DeferredChargeRule:
    plain = {key: one for key, one in quantum.parameters.items() if not key.endswith("_columns")}
    rule = rule_of(DeferredChargeRule(), plain, quantum.label)
    changes: dict[str, tuple[int, int]] = {}
    for key in ("drift_columns", "global_columns", "trap_columns"):
        given = quantum.parameters.get(key)
        if given is None:
            continue
        if not (
            isinstance(given, list | tuple)
            and len(given) == 2
            and all(isinstance(one, int) and not isinstance(one, bool) for one in given)
            and 1 <= given[0] < given[1]
        ):
            raise UserInputError(
                f"{quantum.label}: parameter {key} is {given!r}",
                hint="give the first and the last overscan column, from 1",
                code="E-PARAMETER",
            )
        changes[key] = (given[0], given[1])
    fields = {name: getattr(rule, name) for name in DeferredChargeRule.__dataclass_fields__}
    return DeferredChargeRule(**(fields | changes))


def _facts(one: MeasuredCti) -> dict[str, object]:
    model = one.model
    return {
        "drift_scale": None if model is None else model.drift_scale,
        "decay_time": None if model is None else model.decay_time,
        "global_cti": None if model is None else model.global_cti,
        "has_trap": model is not None and model.trap is not None,
        "serial_eper": _median(one.serial_eper),
        "parallel_eper": _median(one.parallel_eper),
        "serial_turnoff_e": one.serial_turnoff if math.isfinite(one.serial_turnoff) else None,
        "parallel_turnoff_e": one.parallel_turnoff if math.isfinite(one.parallel_turnoff) else None,
        "reason": one.reason,
    }


def _median(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
