"""The sky in blocks of one detector, of every exposure: a small table for the focal plane to use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.errors import UserInputError
from calibstore.pipelines.bias_header import STEPS, merged_state
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Outcome, Quantum
from calibstore.pipelines.sky_frames import sky_frames, source_rule
from kernels.crosstalk_measure import block_means
from kernels.sky_sources import SourceRule

SKY_LEVELS_CLASS: Final = "calibstore.pipelines.sky_levels"
BLOCK_KEY: Final = "CAB BLOCK PX"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyBlocks:
    """The blocks."""

    sky_block_px: int = 128
    """Side of a block [pixel]."""


def sky_levels(quantum: Quantum) -> Outcome:
    """Measure the sky in blocks of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`; `raws`: exposures of the sky through one filter; the calibrations to apply. One output, a table.
        Parameters: ``sky_block_px`` (128), ``detection_n_sigma`` (3), ``psf_sigma_px`` (1), ``grow_px`` (3),
        ``block_px`` (64: of the sky between sources), ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        One table with EXPOSURE and LEVELS (rows and columns of blocks), NaN where a block shows no sky; details:
        n_inputs, n_detected, levels (median by exposure), units, steps_not_applied.

    Raises
    ------
    UserInputError
        If there is no raw, not one output, a needed calibration missing, or the detector smaller than a block.
    StoreError, ConflictError
        As `open_corrected`.
    """
    detector = quantum.detector
    if detector is None or not quantum.raws or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: the sky is measured in exposures of one detector and goes to one table",
            hint="select exposures first",
            code="E-EMPTY",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    block_px = rule_of(SkyBlocks(), quantum.parameters, quantum.label).sky_block_px
    if not 0 < block_px <= min(detector.width, detector.height):
        raise UserInputError(
            f"{quantum.label}: no block of {block_px} pixels fits in {detector.width} x {detector.height}",
            hint="give a smaller one: --set sky_block_px=16",
            code="E-PARAMETER",
        )
    rule = source_rule(quantum, SourceRule(n_sigma=3.0))
    with open_corrected(
        detector,
        quantum.raws,
        quantum.calibs,
        flags=flags_for("sky", quantum.instrument),
        instrument=quantum.instrument,
        verify_checksums=bool(quantum.parameters.get("verify_checksums", False)),
    ) as frames:
        found, n_detected = [], []
        for sky in sky_frames(frames, rule):
            found.append(block_means(sky.image, sky.excluded, block_px))
            n_detected.append(sky.n_detected)
        state = merged_state([frame.cards() for frame in frames])
        exposures = [frame.raw.exposure for frame in frames]
    levels, units = np.array(found), str(state["LSST ISR UNITS"])
    kept = {key: value for key, value in state.items() if key.startswith("LSST ISR ") and key.count(" ") <= 3}
    content = CalibTables(
        obstype=output.dataset_type,
        schema="sky in blocks of one detector",
        version="1.0",
        calib_class=SKY_LEVELS_CLASS,
        tables=(
            CalibTable(columns={"EXPOSURE": np.array(exposures, np.int64), "LEVELS": levels}, units={"LEVELS": units}),
        ),
        metadata={**identity_metadata(quantum, output, output.dataset_type), **kept, BLOCK_KEY: block_px},
    )
    sums = write_calib_tables(Path(output.path), content)
    medians = [float(np.median(one[np.isfinite(one)])) if np.isfinite(one).any() else None for one in levels]
    details: dict[str, object] = {
        "n_inputs": len(exposures),
        "n_detected": {str(exposure): n for exposure, n in zip(exposures, n_detected, strict=True)},
        "levels": {str(exposure): level for exposure, level in zip(exposures, medians, strict=True)},
        "units": units,
        "steps_not_applied": [step for step in STEPS if state.get(f"LSST ISR {step} APPLIED") is not True],
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)
