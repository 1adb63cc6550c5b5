"""How bright each flat exposure is on one detector: clipped mean and pixels, a small table for the focal plane to use.

The mean is of evenly spread rows, about a million pixels of a full-size detector: a pixel-to-pixel scatter of one per
cent then leaves 1e-5, and the same rows are taken of every exposure, so that what they miss cancels in the scales.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.arrays import plane_bit
from kernels.errors import NotEnoughDataError
from kernels.statistics import ClippedStatistics, clipped_statistics

LEVELS_CLASS: Final = "calibstore.pipelines.flat_levels"
UNUSABLE_PLANES: Final = ("DETECTED", "BAD", "NO_DATA")
"""Pixels under them take no part in the level."""

_SAMPLES: Final = 1_000_000
_GROUP_ROWS: Final = 4


def flat_levels(quantum: Quantum) -> Outcome:
    """Measure the level of each flat exposure of one detector.

    Parameters
    ----------
    quantum : Quantum
        `detector`, `raws`, the calibrations to apply. One output, a table. Parameters: ``product`` (flat),
        ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        One table with EXPOSURE, MEAN, STDEV, N_PIXELS; details: n_inputs, levels (by exposure), unusable (exposures
        without a level).

    Raises
    ------
    UserInputError
        If there is no raw, or not one output.
    StoreError, ConflictError
        As `open_corrected`.
    """
    detector = quantum.detector
    if detector is None or not quantum.raws or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: levels are of one detector's flats and go to one table",
            hint="select exposures first",
            code="E-EMPTY",
        )
    product = str(quantum.parameters.get("product", "flat"))
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    with open_corrected(
        detector,
        quantum.raws,
        quantum.calibs,
        flags=flags_for(product, quantum.instrument),
        instrument=quantum.instrument,
        verify_checksums=bool(quantum.parameters.get("verify_checksums", False)),
    ) as frames:
        found = [_level_or_none(frame) for frame in frames]
        exposures = [frame.raw.exposure for frame in frames]
        units = frames[0].flags.units
    means = np.array([np.nan if one is None else one.mean for one in found])
    columns: dict[str, NDArray[np.generic]] = {
        "EXPOSURE": np.array(exposures, np.int64),
        "MEAN": means,
        "STDEV": np.array([np.nan if one is None else one.stdev for one in found]),
        "N_PIXELS": np.array([0 if one is None else one.count for one in found], np.int64),
    }
    content = CalibTables(
        obstype=output.dataset_type,
        schema="flat levels of one detector",
        version="1.0",
        calib_class=LEVELS_CLASS,
        tables=(CalibTable(columns=columns, units={"MEAN": units, "STDEV": units}),),
        metadata=identity_metadata(quantum, output, output.dataset_type),
    )
    sums = write_calib_tables(Path(output.path), content)
    details: dict[str, object] = {
        "n_inputs": len(exposures),
        "levels": {str(exposure): float(mean) for exposure, mean in zip(exposures, means, strict=True) if mean > 0},
        "unusable": [exposure for exposure, mean in zip(exposures, means, strict=True) if not mean > 0],
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def frame_level(frame: CorrectedFrame) -> ClippedStatistics:
    """Return the clipped mean of evenly spread rows of a frame, all amplifiers together.

    Parameters
    ----------
    frame : CorrectedFrame
        Open exposure.

    Raises
    ------
    NotEnoughDataError
        If no pixel is usable.
    StoreError
        If it cannot be read in full.
    """
    unusable = np.int32(sum(plane_bit(name) for name in UNUSABLE_PLANES))
    height = frame.band_height
    values = []
    for y0 in _first_rows(height, len(frame.amplifiers), frame.band_width):
        image, mask = frame.read_band(y0, min(y0 + _GROUP_ROWS, height))
        values.append(image[(mask & unusable) == 0] if mask.any() else image.reshape(-1))
    return clipped_statistics(np.concatenate(values))


def usable_level(frame: CorrectedFrame) -> float:
    """Return the clipped mean of a frame, to divide it by.

    Raises
    ------
    ExecutionError
        If it is not positive, or no pixel is usable: the lamp was off, or nothing came out.
    """
    found = _level_or_none(frame)
    if found is None or not found.mean > 0:
        told = "no usable pixel" if found is None else f"a mean of {found.mean:.3g} {frame.flags.units}"
        raise ExecutionError(
            f"{frame.raw.path}: exposure {frame.raw.exposure} has {told}: no flat can be made of it",
            hint=f"leave exposure {frame.raw.exposure} out",
            code="E-LEVEL",
        )
    return found.mean


def _level_or_none(frame: CorrectedFrame) -> ClippedStatistics | None:
    try:
        return frame_level(frame)
    except NotEnoughDataError:
        return None


def _first_rows(height: int, n_amps: int, width: int) -> list[int]:
    """Return the first rows of evenly spread groups, centred in equal parts of the height."""
    n_groups = max(1, min(-(-height // _GROUP_ROWS), _SAMPLES // (_GROUP_ROWS * n_amps * width)))
    if n_groups * _GROUP_ROWS >= height:
        return list(range(0, height, _GROUP_ROWS))
    return [round((group + 0.5) * height / n_groups - _GROUP_ROWS / 2) for group in range(n_groups)]
