"""Photon transfer curves of a detector from its measured pairs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_dataset import OBSTYPE, read_ptc, to_tables
from calibstore.pipelines.ptc_parameters import names_of, rule_of
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.errors import KernelError
from kernels.ptc_fit import LOW_LEVEL_E, FitType, PtcFitRule, fit_ptc
from kernels.ptc_records import PhotonTransfer, joined

FIT_TYPES: Final = {
    "ptc": FitType.FULLCOVARIANCE,
    "ptcUnadjusted": FitType.FULLCOVARIANCE,
    "linearizerPtc": FitType.EXPAPPROXIMATION,
    "bfkPtcUnadjusted": FitType.EXPAPPROXIMATION,
}
"""Usual fit of each product."""

_LSSTCAM: Final = {
    "first_max_signal": 20_000.0,
    "max_jump": 1_000.0,
    "is_in_adu": True,
    "has_rolloff": True,
    "max_rolloff_deviation": 0.005,
}


def solve_ptc(quantum: Quantum) -> Outcome:
    """Fit the photon transfer curves of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; calibs: measured pairs (dataset types ending in ``Partial``) and nothing else. One output, a table.
        Parameters: ``product`` (ptcUnadjusted, linearizerPtc, bfkPtcUnadjusted or ptc), the fields of
        `kernels.ptc_fit_rule.PtcFitRule` (``fit_type``: FULLCOVARIANCE for a ptc, else EXPAPPROXIMATION; LSSTCam has
        its own figures), ``bad_amplifiers`` (names), ``existing``.

    Returns
    -------
    Outcome
        details: n_pairs, fit_type, has_low_levels, amplifiers (gain, gain_error, noise_e, turnoff_adu, a00, chi2,
        n_used, reason, note), bad_amplifiers (name to reason).

    Raises
    ------
    UserInputError
        If there is no measured pair, or a parameter is wrong.
    StoreError
        If a file is missing or damaged.
    """
    product = str(quantum.parameters.get("product", "ptcUnadjusted"))
    if product not in FIT_TYPES or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: curve of product {product!r} and {len(quantum.outputs)} outputs",
            hint=f"one output, and one of {', '.join(FIT_TYPES)}",
            code="E-PRODUCT",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    default = PtcFitRule(fit_type=FIT_TYPES[product])
    if quantum.instrument == "LSSTCam":
        default = rule_of(default, dict(_LSSTCAM), quantum.label)
    rule = rule_of(default, quantum.parameters, quantum.label)
    curve = fitted(quantum, partials_of(quantum.calibs), replace(rule, fit_type=str(rule.fit_type)))
    metadata = identity_metadata(quantum, output, OBSTYPE)
    sums = write_calib_tables(Path(output.path), to_tables(curve, metadata))
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=curve_details(curve))


def partials_of(calibs: Sequence[CalibInput]) -> list[CalibInput]:
    """Return the measured pairs among calibrations, in the order of their files."""
    return sorted((calib for calib in calibs if calib.dataset_type.endswith("Partial")), key=lambda calib: calib.path)


def fitted(quantum: Quantum, partials: Sequence[CalibInput], rule: PtcFitRule) -> PhotonTransfer:
    """Join measured pairs and fit them.

    Raises
    ------
    UserInputError
        If there is none, they do not belong together, or the fit is unknown.
    StoreError
        If a file is missing or damaged.
    """
    if not partials:
        raise UserInputError(f"{quantum.label}: no measured pairs", hint="extract pairs first", code="E-EMPTY")
    try:
        measured = joined([read_ptc(Path(calib.path)).measured for calib in partials])
        return fit_ptc(measured, rule=rule, bad=names_of(quantum.parameters, "bad_amplifiers"))
    except KernelError as fault:
        raise UserInputError(
            f"{quantum.label}: {fault}", hint="measure the pairs of this detector again, all alike", code="E-PARAMETER"
        ) from fault


def curve_details(curve: PhotonTransfer) -> dict[str, object]:
    """Return what people want to know of a curve, as plain values; None where there is none."""
    amplifiers = {}
    for amp, name in enumerate(curve.measured.amplifiers):
        amplifiers[name] = {
            "gain": _plain(curve.gain_e_per_adu[amp]),
            "gain_error": _plain(curve.gain_error[amp]),
            "noise_e": _plain(curve.noise_e[amp]),
            "turnoff_adu": _plain(curve.turnoff_adu[amp]),
            "a00": _plain(curve.parameters[amp, 0]),
            "chi2": _plain(curve.reduced_chi2[amp]),
            "n_used": int(curve.is_used[amp].sum()),
            "reason": curve.reasons[amp],
            "note": curve.notes[amp],
        }
    signal_e = curve.final_means_adu * curve.gain_e_per_adu[:, None]
    return {
        "n_pairs": len(curve.measured.exposure_pairs),
        "fit_type": str(curve.fit_type),
        "has_low_levels": bool((signal_e[np.isfinite(signal_e)] < LOW_LEVEL_E).any()),
        "amplifiers": amplifiers,
        "bad_amplifiers": {
            name: reason for name, reason in zip(curve.measured.amplifiers, curve.reasons, strict=True) if reason
        },
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
