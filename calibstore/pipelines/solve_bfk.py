"""Brighter-fatter kernels of a detector from its photon transfer curve."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.bfk_dataset import OBSTYPE, BrighterFatterKernels, to_tables
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_dataset import read_ptc
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.brighter_fatter_kernel import (
    AmplifierKernel,
    KernelRule,
    KernelSource,
    amplifier_kernel,
    detector_kernel,
)
from kernels.ptc_records import PhotonTransfer

CURVE_TYPES: Final = ("bfkPtc", "bfkPtcUnadjusted", "ptc", "ptcUnadjusted")
"""Dataset types a kernel is made from: the first that is there."""


def solve_bfk(quantum: Quantum) -> Outcome:
    """Make the kernels of a detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; calibs: one of `CURVE_TYPES`. One output, FITS. Parameters: ``source`` (MEAN, A_MATRIX,
        QUADRATIC_FIT, MODEL), ``n_sigma`` (5), ``weighted`` (false), ``sum_limit`` (0.9), ``zero_sum`` (true),
        ``subtract_noise`` (true), ``max_signal_e`` (no limit), ``existing``.

    Returns
    -------
    Outcome
        details: n_valid, n_pairs_used (by amplifier), center (kernel of the detector at lag zero [1/electron]),
        defective_amplifiers (reason by name), source.

    Raises
    ------
    UserInputError
        If there is no curve, not one output, or a parameter is wrong.
    ExecutionError
        If no amplifier has a valid kernel.
    StoreError
        If the curve cannot be read.
    """
    curves = {calib.dataset_type: calib for calib in quantum.calibs if calib.dataset_type in CURVE_TYPES}
    if quantum.detector is None or not curves or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: a kernel needs a detector, its photon transfer curve and one output",
            hint="generate a ptc first",
            code="E-EMPTY",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    rule = _rule(quantum.label, quantum.parameters)
    curve = read_ptc(Path(next(curves[kind] for kind in CURVE_TYPES if kind in curves).path))
    max_signal = float(str(quantum.parameters.get("max_signal_e", np.inf)))
    found = [_amplifier(curve, i, rule, max_signal) for i in range(len(curve.measured.amplifiers))]
    reasons = {name: one.reason for name, one in zip(curve.measured.amplifiers, found, strict=True) if one.reason}
    if len(reasons) == len(found):
        raise ExecutionError(
            f"{quantum.label}: no amplifier has a valid kernel; {next(iter(reasons))}: {next(iter(reasons.values()))}",
            hint="look at the photon transfer curve; more pairs, or weighted = true for small amplifiers",
            code="E-NODATA",
        )
    kernels = BrighterFatterKernels(
        amplifiers=curve.measured.amplifiers,
        is_used=np.stack([one.is_used for one in found]),
        means_adu=curve.measured.means_adu,
        variances_adu2=curve.measured.variances_adu2,
        correlations_adu2=curve.measured.covariances_adu2,
        gain_e_per_adu=curve.gain_e_per_adu,
        noise_e=curve.noise_e,
        mean_correlations=np.stack([one.mean_correlation for one in found]),
        kernels=np.stack([one.kernel for one in found]),
        is_valid=np.array([not one.reason for one in found]),
        detector=quantum.detector.full_name,
        detector_kernel=detector_kernel(found),
        reasons=tuple(one.reason for one in found),
    )
    sums = write_calib_tables(Path(output.path), to_tables(kernels, identity_metadata(quantum, output, OBSTYPE)))
    middle = kernels.detector_kernel.shape[0] // 2
    return Outcome(
        label=quantum.label,
        is_done=True,
        files=(output.written(sums),),
        details={
            "n_valid": int(kernels.is_valid.sum()),
            "n_pairs_used": dict(zip(kernels.amplifiers, kernels.is_used.sum(axis=1).tolist(), strict=True)),
            "center": float(kernels.detector_kernel[middle, middle]),
            "defective_amplifiers": reasons,
            "source": str(rule.source),
        },
    )


def _amplifier(curve: PhotonTransfer, index: int, rule: KernelRule, max_signal_e: float) -> AmplifierKernel:
    gain = float(curve.gain_e_per_adu[index])
    covariances = curve.measured.covariances_adu2[index]
    if rule.source is KernelSource.MODEL:
        covariances = curve.covariances_model_adu2[index]
    means = curve.measured.means_adu[index] * gain
    n_lags = covariances.shape[-1]
    a_matrix = curve.a_matrix[index][:n_lags, :n_lags]
    found = amplifier_kernel(
        means,
        covariances * gain**2,
        noise_e=float(curve.noise_e[index]),
        is_used=curve.is_used[index] & (means <= max_signal_e),
        a_matrix=np.pad(a_matrix, (0, n_lags - len(a_matrix))),
        rule=rule,
    )
    if not curve.reasons[index]:
        return found
    nothing = np.full_like(found.kernel, np.nan)
    return AmplifierKernel(
        kernel=nothing,
        mean_correlation=nothing.copy(),
        is_used=np.zeros_like(found.is_used),
        reason=f"ptc: {curve.reasons[index]}",
    )


def _rule(label: str, given: Mapping[str, object]) -> KernelRule:
    try:
        return KernelRule(
            source=KernelSource(str(given.get("source", "MEAN")).upper()),
            n_sigma=float(str(given.get("n_sigma", 5.0))),
            is_weighted=bool(given.get("weighted", False)),
            sum_limit=float(str(given.get("sum_limit", 0.9))),
            is_zero_sum=bool(given.get("zero_sum", True)),
            subtract_noise=bool(given.get("subtract_noise", True)),
        )
    except ValueError as problem:
        raise UserInputError(f"{label}: {problem}", code="E-PARAMETER") from problem
