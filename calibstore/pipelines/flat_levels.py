"""How bright each flat exposure is on one detector: clipped mean and pixels, a small table for the focal plane to use.

The mean is of evenly spread rows, about a million pixels of a full-size detector: a pixel-to-pixel scatter of one per
cent then leaves 1e-5, and the same rows are taken of every exposure, so that what they miss cancels in the scales.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTable, CalibTables, write_calib_tables
from calibstore.errors import ExecutionError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.combined_product import VignettedField
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.detector_frames import ELECTRON
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.quantum import Outcome, Quantum
from kernels.arrays import Vector, plane_bit
from kernels.errors import NotEnoughDataError
from kernels.flat_scales import LIT_SHARE
from kernels.statistics import ClippedStatistics, clipped_statistics

LEVELS_CLASS: Final = "calibstore.pipelines.flat_levels"
UNUSABLE_PLANES: Final = ("DETECTED", "BAD", "NO_DATA")
"""Pixels under them take no part in the level."""

_SAMPLES: Final = 1_000_000
_GROUP_ROWS: Final = 4
_JUDGED_GROUPS: Final = 5


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
        If it is not above the read noise of a pixel, or no pixel is usable: the lamp was off, or nothing came out.
    """
    found = _level_or_none(frame)
    if found is None or not found.mean > _read_noise(frame):
        told = "no usable pixel" if found is None else f"a mean of {found.mean:.3g} {frame.flags.units}"
        raise ExecutionError(
            f"{frame.raw.path}: exposure {frame.raw.exposure} has {told}: no flat can be made of it",
            hint=f"leave exposure {frame.raw.exposure} out",
            code="E-LEVEL",
        )
    return found.mean


def dark_amplifiers(
    detector: Detector, frames: Sequence[CorrectedFrame], scales: Sequence[float], field: VignettedField | None
) -> dict[str, str]:
    """Return the amplifiers no light is seen by, and what is seen instead.

    Parameters
    ----------
    detector : Detector
        Geometry.
    frames : sequence of CorrectedFrame
        Open flats.
    scales : sequence of float
        What each is divided by: of the focal plane, or of the detector [unit of the frames].
    field : VignettedField or None
        Amplifiers it leaves partly in the dark are not judged.
    """
    levels = np.array([_amplifier_levels(frame) / scale for frame, scale in zip(frames, scales, strict=True)])
    told = {}
    for index, amplifier in enumerate(detector.amplifiers):
        box = amplifier.place
        usual = levels[np.isfinite(levels[:, index]), index]
        if usual.size == 0 or not float(np.median(usual)) < LIT_SHARE:
            continue
        bits = 0 if field is None else field.bits(detector, box.y0, box.y1)[:, box.slices[1]] & plane_bit("NO_DATA")
        if not np.any(bits):
            told[amplifier.name] = f"level of {float(np.median(usual)):.2g} of the usual light: it sees none"
    return told


def _amplifier_levels(frame: CorrectedFrame) -> Vector:
    """Return the level of each amplifier, that of its brightest rows of a few; NaN of a bad one."""
    height = frame.band_height
    found = np.full((_JUDGED_GROUPS, len(frame.amplifiers)), -np.inf)
    for group, y0 in enumerate(np.linspace(0, max(height - _GROUP_ROWS, 0), _JUDGED_GROUPS).astype(int).tolist()):
        image, _ = frame.read_band(y0, min(y0 + _GROUP_ROWS, height))
        for index, pixels in enumerate(image):
            values = pixels[np.isfinite(pixels)]
            if values.size:
                found[group, index] = np.median(values)
    levels: Vector = found.max(axis=0)
    levels[[state.is_bad for state in frame.amplifiers]] = np.nan
    return levels


def _read_noise(frame: CorrectedFrame) -> float:
    """Return the read noise of the usual amplifier in the unit of the frame; 0 where it is not known."""
    is_electron = frame.flags.units == ELECTRON
    found = [one.read_noise_e / (1.0 if is_electron else one.gain_e_per_adu) for one in frame.amplifiers]
    known = [noise for noise in found if np.isfinite(noise)]
    return float(np.median(known)) if known else 0.0


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
