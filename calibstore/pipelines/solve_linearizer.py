"""The linearizer of a detector from the photon transfer curve of its ramp of flats."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.linearizer_dataset import OBSTYPE, to_tables
from calibstore.pipelines.linearizer_inputs import ramp_of, read_normalization, read_pd_correction
from calibstore.pipelines.ptc_dataset import read_ptc
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.errors import KernelError
from kernels.linearity import LinearityType, apply_linearity
from kernels.linearity_fit import FitRule
from kernels.linearity_nodes import ABSOLUTE_NODES, LEAST_POINTS, NodeRule
from kernels.linearity_solve import LinearityRule, Ramp, solve_linearity
from kernels.linearizer import Linearizer

_LSSTCAM: Final = {"max_iter": 40}
_CURVES: Final = ("linearizerPtc", "ptc")
_NODE_PREFIX: Final = "absolute_"


def solve_linearizer(quantum: Quantum) -> Outcome:
    """Make the linearizer of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; calibs: linearizerPtc (or ptc), and where there are some ``cpLinearizerNormalization*`` and
        pdCorrection. `raws` only for their temperatures. One output, a table. Parameters: ``kind`` (Spline,
        DoubleSpline, Polynomial, Squared, LookupTable, Proportional), ``light`` (photodiode, where it was read, or
        exposure_time), ``is_grouped``, ``tolerance``, ``min_signal_adu``, ``n_uniform_nodes``, ``polynomial_order``,
        ``lookup_size``, ``n_pixels`` (0: all exposures weigh alike), the fields of `FitRule` and `NodeRule` (those of
        the absolute spline with ``absolute_`` before them), ``temperature_keyword``, ``existing``.

    Returns
    -------
    Outcome
        details: kind, n_exposures, n_groups, reference, amplifiers (turnoff_adu, max_signal_adu, residual_sigma, chi2,
        n_used, table_error_adu, reason), bad_amplifiers, light, normalized, pairs_without_correction.

    Raises
    ------
    UserInputError
        If there is no curve, or a parameter is wrong.
    ExecutionError
        If no amplifier has a linearity.
    StoreError
        If a file is missing or damaged.
    """
    detector = quantum.detector
    curve_input = _first(quantum.calibs, _CURVES)
    if detector is None or curve_input is None or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: a linearizer needs a detector, one output and the photon transfer curve of its ramp",
            hint="extract pairs of a ramp of flats and solve linearizerPtc first",
            code="E-EMPTY",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    rule = linearity_rule(quantum, detector)
    light = str(quantum.parameters.get("light", "photodiode"))
    if light not in ("photodiode", "exposure_time"):
        raise UserInputError(
            f"{quantum.label}: parameter light is {light!r}", hint="photodiode or exposure_time", code="E-PARAMETER"
        )
    norm, corrected = (
        next((one for one in quantum.calibs if one.dataset_type.startswith(start)), None)
        for start in ("cpLinearizerNormalization", "pdCorrection")
    )
    ramp, uncorrected = ramp_of(
        read_ptc(Path(curve_input.path)),
        detector,
        has_photodiode=light == "photodiode",
        normalization=None if norm is None else read_normalization(Path(norm.path)),
        correction=None if corrected is None else read_pd_correction(Path(corrected.path)),
        temperatures=_temperatures(quantum),
    )
    try:
        linearizer = solve_linearity(ramp, rule)
    except KernelError as fault:
        raise ExecutionError(f"{quantum.label}: {fault}", hint=_remedy(ramp, rule), code="E-NODATA") from fault
    tables = to_tables(linearizer, identity_metadata(quantum, output, OBSTYPE))
    sums = write_calib_tables(Path(output.path), tables)
    details = linearizer_details(linearizer) | {
        "kind": str(rule.kind),
        "n_exposures": int(ramp.exposures.size),
        "light": "exposure_time" if ramp.photo_charge is None else "photodiode",
        "normalized": norm is not None,
        "pairs_without_correction": uncorrected,
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def _remedy(ramp: Ramp, rule: LinearityRule) -> str:
    """Say how long a ramp must be, and how long this one is where it counts."""
    with np.errstate(invalid="ignore"):
        is_lit = ramp.is_used & (ramp.signal_adu > rule.min_signal_adu)
        is_lit &= ~(ramp.signal_adu > ramp.ptc_turnoff_adu[:, None])
    n_lit = int(np.median(is_lit.sum(axis=1)))
    if n_lit > LEAST_POINTS:
        return "look at the ramp; leave bad exposures out"
    return (
        f"add pairs to the ramp: {LEAST_POINTS + 1} between {rule.min_signal_adu:g} adu and the turnoff at least, in "
        f"steps the nonlinearity does not hide between; of the {ramp.exposures.size} here there lie {n_lit}"
    )


def linearity_rule(quantum: Quantum, detector: Detector) -> LinearityRule:
    """Return the rule a quantum's parameters give.

    Raises
    ------
    UserInputError
        If a value is of the wrong kind.
    """
    given: Mapping[str, object] = quantum.parameters
    default = FitRule()
    if quantum.instrument == "LSSTCam":
        default = rule_of(default, _LSSTCAM, quantum.label)
    absolute = {key.removeprefix(_NODE_PREFIX): one for key, one in given.items() if key.startswith(_NODE_PREFIX)}
    amplifier = detector.amplifiers[0]
    # both frames of a pair are behind a mean
    n_pixels = float(2 * amplifier.data.width * amplifier.data.height)
    rule = rule_of(LinearityRule(n_pixels=n_pixels), given, quantum.label)
    try:
        kind = LinearityType(rule.kind)
    except ValueError as fault:
        raise UserInputError(
            f"{quantum.label}: linearity of type {str(rule.kind)!r}",
            hint=f"one of {', '.join(LinearityType)}",
            code="E-PARAMETER",
        ) from fault
    return replace(
        rule,
        kind=kind,
        fit=rule_of(default, given, quantum.label),
        nodes=rule_of(NodeRule(), given, quantum.label),
        absolute_nodes=rule_of(ABSOLUTE_NODES, absolute, quantum.label),
    )


def linearizer_details(linearizer: Linearizer) -> dict[str, object]:
    """Return what people want to know of a linearizer, as plain values; None where there is none."""
    amplifiers: dict[str, object] = {}
    n_groups = 0
    for one in linearizer.amplifiers:
        table = linearizer.table_of(one.name)
        n_groups = max(n_groups, int(one.input_group.max(initial=-1)) + 1)
        corrected = None
        if table is not None and one.input_ordinate.size:
            signal = np.nan_to_num(one.input_ordinate).astype(np.float32)
            corrected = float(np.abs(signal - apply_linearity(signal, table)).max())
        amplifiers[one.name] = {
            "turnoff_adu": _plain(one.linearity_turnoff),
            "max_signal_adu": _plain(one.max_signal),
            "residual_sigma": _plain(one.residual_sigma),
            "chi2": _plain(one.reduced_chi_squared),
            "n_used": int(np.isfinite(one.residuals).sum()),
            "largest_correction_adu": corrected,
            "table_error_adu": None if table is None else table.error,
            "reason": one.reason,
        }
    return {
        "amplifiers": amplifiers,
        "n_groups": n_groups,
        "reference": linearizer.absolute_reference,
        "bad_amplifiers": {one.name: one.reason for one in linearizer.amplifiers if one.reason},
    }


def _first(calibs: tuple[CalibInput, ...], types: tuple[str, ...]) -> CalibInput | None:
    for dataset_type in types:
        for calib in calibs:
            if calib.dataset_type == dataset_type:
                return calib
    return None


def _temperatures(quantum: Quantum) -> dict[int, float] | None:
    """Return the temperature of each exposure from the header keyword that a parameter names."""
    keyword = str(quantum.parameters.get("temperature_keyword", "") or "")
    if not keyword:
        return None
    found = {}
    for raw in quantum.raws:
        try:
            found[raw.exposure] = float(raw.header_state.get(keyword, "nan"))
        except ValueError:
            found[raw.exposure] = math.nan
    return found


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
