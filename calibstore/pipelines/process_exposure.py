"""Signature removal of one exposure with every calibration at hand: a self-check of look-up and products, marked so."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.errors import UserInputError
from calibstore.model.times import ns_to_iso
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected, without_steps
from calibstore.pipelines.given_calibs import require_given_calibs
from calibstore.pipelines.isr_calibs import types_of, wanted_steps
from calibstore.pipelines.isr_flags import CALIB_STEPS, IsrFlags, flags_for
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.arrays import MASK_PLANES

SELF_CHECK_KEY: Final = "CAB ISR SELFCHECK"
"""True in a file made by Cabstand's own signature removal: it never proves what a site uses."""

SOFTWARE_KEY: Final = "CAB ISR SOFTWARE"


def process_exposure(quantum: Quantum) -> Outcome:
    """Correct one exposure of one detector with the calibrations that apply to it.

    Parameters
    ----------
    quantum : Quantum
        `detector`, one raw, its calibrations, one output. Parameters: ``software`` (name and version), ``without``
        (dataset types to leave out), ``compared_keywords`` (camera-state keywords compared with the calibrations).

    Returns
    -------
    Outcome
        One file with image, mask and variance [electron]; details: applied (type, step, run, id read from the
        calibration itself), applied_id (of the bias), not_applied (type, step, why), steps_applied, gain_source,
        mismatches, state_mismatches, bad_amplifiers, median.

    Raises
    ------
    ConflictError
        If a calibration is in a unit its step cannot take, or does not fit the detector.
    ExecutionError
        If no amplifier can be used.
    StoreError
        If a file is missing or damaged, or cannot be written.
    UserInputError
        If there is no bias and none was left out: nothing is silently left uncorrected.
    """
    detector = quantum.detector
    if detector is None or len(quantum.raws) != 1 or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: processing takes one raw, its calibrations and one output",
            hint="plan it again",
            code="E-INPUTS",
        )
    flags, left_out = process_flags(
        quantum.instrument, _texts(quantum, "without"), _texts(quantum, "compared_keywords")
    )
    output = quantum.outputs[0]
    require_given_calibs(quantum)
    with open_corrected(detector, quantum.raws, quantum.calibs, flags=flags, instrument=quantum.instrument) as (frame,):
        image, mask, variance = frame.read_assembled()
        planes = tuple(plane for plane in image_planes(flags.units, MASK_PLANES) if plane.name != "COUNT")
        with create_product(
            Path(output.path),
            height=detector.height,
            width=detector.width,
            planes=planes,
            cards=_identity(quantum, frame) | frame.cards() | _mark(quantum),
        ) as writer:
            for name, plane in (("IMAGE", image), ("MASK", mask), ("VARIANCE", variance)):
                writer.write_rows(name, 0, plane)
            sums = writer.checksums()
        details = _details(frame, flags, left_out)
    details["median"] = float(np.nanmedian(image))
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def process_flags(
    instrument: str, without: Sequence[str] = (), compared_keywords: Sequence[str] = ()
) -> tuple[IsrFlags, tuple[str, ...]]:
    """Return the flags of processing an exposure, and the steps that were left out.

    Parameters
    ----------
    instrument : str
        Butler name.
    without : sequence of str
        Dataset types to leave out, e.g. ``dark``.
    compared_keywords : sequence of str
        Camera-state keywords compared with the calibrations.

    Raises
    ------
    UserInputError
        If a type to leave out takes part in no step.
    """
    flags = flags_for("process", instrument)
    known = {types_of(step)[0]: step for step in wanted_steps(flags)}
    unknown = [one for one in without if one not in known]
    if unknown:
        raise UserInputError(
            f"no step of {instrument or 'this camera'} applies a '{unknown[0]}'",
            hint=f"one of {', '.join(known)}",
            code="E-CALIBTYPE",
        )
    left_out = tuple(known[one] for one in without)
    return replace(without_steps(flags, left_out), compared_keywords=tuple(compared_keywords)), left_out


def applied_types(instrument: str, without: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the dataset types that processing looks up, in the order of their steps."""
    flags, _ = process_flags(instrument, without)
    return tuple(types_of(step)[0] for step in wanted_steps(flags))


def _texts(quantum: Quantum, name: str) -> tuple[str, ...]:
    given = quantum.parameters.get(name, ())
    return tuple(str(one) for one in given) if isinstance(given, list | tuple) else ()


def _details(frame: CorrectedFrame, flags: IsrFlags, left_out: Sequence[str]) -> dict[str, object]:
    used = frame.calibs.used
    absent = [step for step in wanted_steps(flags) if step not in used]
    not_applied = [{"type": types_of(step)[0], "step": step, "why": "left out"} for step in left_out]
    not_applied += [{"type": types_of(step)[0], "step": step, "why": "none applies"} for step in absent]
    return {
        "applied": [
            {"type": one.calib.dataset_type, "step": step, "run": one.calib.run, "id": one.dataset_id}
            for step, one in used.items()
        ],
        "applied_id": used["bias"].dataset_id if "bias" in used else "",
        "not_applied": not_applied,
        "steps_applied": [CALIB_STEPS[step][0] for step in used if step in CALIB_STEPS],
        "gain_source": str(frame.gain_source),
        "mismatches": frame.calibs.mismatches(),
        "state_mismatches": frame.calibs.state_mismatches(frame.raw.header_state, flags.compared_keywords),
        "bad_amplifiers": frame.bad_amplifiers,
    }


def _identity(quantum: Quantum, frame: CorrectedFrame) -> dict[str, CardValue]:
    raw, detector = frame.raw, quantum.detector
    cards: dict[str, CardValue] = {"INSTRUME": quantum.instrument, "EXPID": raw.exposure}
    if detector is not None:
        cards |= {
            "DETECTOR": detector.id,
            "DET_NAME": detector.full_name,
            "RAFTNAME": detector.raft,
            "SLOTNAME": detector.name_in_raft,
        }
    return cards | {
        "TIMESYS": "TAI",
        "DATE-BEG": ns_to_iso(raw.begin_tai_ns, 3),
        "DATE-END": ns_to_iso(raw.end_tai_ns, 3),
        "EXPTIME": raw.exposure_time_s,
        "DARKTIME": raw.dark_seconds,
    }


def _mark(quantum: Quantum) -> dict[str, CardValue]:
    return {SELF_CHECK_KEY: True, SOFTWARE_KEY: str(quantum.parameters.get("software", "Cabstand"))}
