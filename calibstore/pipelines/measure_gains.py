"""Gains and read noise from a few flat pairs, as measured daily."""

import math
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.errors import UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.flat_pairs import measured_amplifiers, open_pairs, pair_flags, pairs_of, read_noise_adu
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.pair_gain import GainCorrection, combined_gain
from kernels.ptc_pairs import PairRule

OBSTYPE: Final = "GAIN"
CALIB_CLASS: Final = "calibstore.pipelines.measure_gains"


def measure_gains(quantum: Quantum) -> Outcome:
    """Measure the gains of one detector from flat pairs.

    Parameters
    ----------
    quantum : Quantum
        `detector`, `raws`, calibrations to apply. One output, a table. Parameters: ``pairs`` (default: neighbours), the
        fields of `kernels.ptc_pairs.PairRule` (``gain_correction``: FULL, SIMPLE or NONE), ``verify_checksums``,
        ``existing``.

    Returns
    -------
    Outcome
        One row per amplifier: AMPLIFIER_NAME GAIN GAIN_ERR NOISE N_PAIRS, and for each pair EXP_ID_PAIRS MEANS
        GAIN_LIST GAIN_ERR_LIST. NaN and a reason where nothing was measured. details: n_pairs, amplifiers (gain,
        gain_error, noise_e, n_pairs, reason), bad_amplifiers.

    Raises
    ------
    UserInputError
        If there is no pair, an exposure of one is missing, or a parameter is wrong.
    StoreError, ConflictError
        As `calibstore.pipelines.corrected_frames.open_corrected`.
    """
    if len(quantum.outputs) != 1:
        raise UserInputError(f"{quantum.label}: gains go to one table", hint="plan it again", code="E-OUTPUTS")
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    pairs = pairs_of(quantum)
    assert quantum.detector is not None
    rule = rule_of(PairRule(n_lags=1), quantum.parameters, quantum.label)
    if rule.gain_correction not in tuple(GainCorrection):
        raise UserInputError(
            f"{quantum.label}: gain correction {rule.gain_correction!r}",
            hint=f"one of {', '.join(GainCorrection)}",
            code="E-PARAMETER",
        )
    flags = pair_flags("gain", quantum.instrument, quantum.detector)
    with open_pairs(quantum, pairs, flags) as opened:
        found = [measured_amplifiers(pair, rule) for pair in opened]
        names = [state.name for state in opened[0][0].amplifiers]
        noises = [[read_noise_adu(pair, amp) for amp in range(len(names))] for pair in opened]
    gains = np.array([[one.gain_e_per_adu for one in pair] for pair in found]).T
    errors = np.array([[one.gain_error for one in pair] for pair in found]).T
    means = np.array([[one.mean_adu for one in pair] for pair in found]).T
    both = [combined_gain(*rows) for rows in zip(gains, errors, strict=True)]
    reasons = [_reason([pair[amp].reason for pair in found], both[amp][0]) for amp in range(len(names))]
    gain = np.array([value for value, _ in both])
    noise_e = np.where(np.isfinite(gain), np.nanmean(np.array(noises), axis=0) * gain, np.nan)
    table = CalibTable(
        columns={
            "AMPLIFIER_NAME": np.array(names),
            "GAIN": gain,
            "GAIN_ERR": np.array([error for _, error in both]),
            "NOISE": noise_e,
            "N_PAIRS": np.isfinite(gains).sum(axis=1).astype(np.int64),
            "EXP_ID_PAIRS": np.broadcast_to(np.array(pairs, np.int64), (len(names), len(pairs), 2)).copy(),
            "MEANS": means,
            "GAIN_LIST": gains,
            "GAIN_ERR_LIST": errors,
        },
        units={"MEANS": "adu"},
    )
    told = {f"CAB BAD AMP {name}": reason for name, reason in zip(names, reasons, strict=True) if reason}
    content = CalibTables(
        obstype=OBSTYPE,
        schema="gains of flat pairs",
        version="1.0",
        calib_class=CALIB_CLASS,
        tables=(table,),
        metadata={**identity_metadata(quantum, output, OBSTYPE), "CAB GAIN CORRECTION": rule.gain_correction, **told},
    )
    sums = write_calib_tables(Path(output.path), content)
    details: dict[str, object] = {
        "n_pairs": len(pairs),
        "amplifiers": {
            name: {
                "gain": _plain(both[amp][0]),
                "gain_error": _plain(both[amp][1]),
                "noise_e": _plain(float(noise_e[amp])),
                "n_pairs": int(np.isfinite(gains[amp]).sum()),
                "reason": reasons[amp],
            }
            for amp, name in enumerate(names)
        },
        "bad_amplifiers": {name: reason for name, reason in zip(names, reasons, strict=True) if reason},
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def _reason(reasons: list[str], gain: float) -> str:
    if math.isfinite(gain):
        return ""
    return next((reason for reason in reasons if reason), "no light, or more noise than light explains")


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
