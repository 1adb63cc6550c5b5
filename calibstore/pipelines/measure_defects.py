"""Defects of a detector: found in its bootstrap frames, merged, joined with the manual ones, written as boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.defect_parameters import DefectParameters, defect_parameters
from calibstore.pipelines.defects_dataset import OBSTYPE, read_defects, to_tables
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.arrays import BoolImage, Image, plane_bit
from kernels.defect_boxes import boxes_to_mask, mask_to_boxes
from kernels.defect_columns import dilate_along_rows, fill_amplifier_columns, fill_blinking_columns, mask_border
from kernels.defect_flats import midline_rows, radial_shape, vampire_pixels
from kernels.defects import AmplifierLimits, amplifier_limits, merge_masks, threshold_bands
from kernels.errors import NotEnoughDataError

FRAME_KINDS: Final = {
    "biasBootstrap": "bias",
    "darkBootstrap": "dark",
    "flatBootstrap": "flat",
    "bias": "bias",
    "dark": "dark",
    "flat": "flat",
}
"""Dataset types defects are found in, and which rule they fall under."""

MANUAL: Final = "manual_defects"
UNUSABLE_PLANES: Final = ("BAD", "NO_DATA")
"""Pixels without a valid input: defects wherever they stand."""


@dataclass(slots=True, kw_only=True)
class _Tally:
    """Counters of one amplifier."""

    hot: int = 0
    cold: int = 0
    columns: int = 0
    unusable: int = 0
    reasons: list[str] = field(default_factory=list)


def measure_defects(quantum: Quantum) -> Outcome:
    """Find the defects of a detector and write them as boxes.

    Parameters
    ----------
    quantum : Quantum
        `detector` set; calibs: any of biasBootstrap, darkBootstrap, flatBootstrap (at least one) and manual_defects.
        One output, ``.ecsv`` or ``.fits``. Parameters: the fields of `DefectParameters`, ``existing``.

    Returns
    -------
    Outcome
        details: n_boxes, n_pixels, fraction, n_manual_pixels, blinking_columns, frames (type, hot, cold), amplifiers
        (hot, cold, columns, unusable, pixels, fraction, reasons), defective_amplifiers.

    Raises
    ------
    UserInputError
        If there is no frame, or a parameter is wrong.
    ConflictError
        If a frame has another shape than the detector.
    StoreError
        If a file is missing or damaged.
    """
    detector = quantum.detector
    frames = [calib for calib in quantum.calibs if calib.dataset_type in FRAME_KINDS]
    if detector is None or not frames or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: defects need a detector, one output and a frame to look for them in",
            hint=f"generate one of {', '.join(list(FRAME_KINDS)[:3])} first",
            code="E-EMPTY",
        )
    parameters = defect_parameters(quantum.instrument, quantum.parameters)
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    mask = np.zeros((detector.height, detector.width), np.bool_)
    tallies = [_Tally() for _ in detector.amplifiers]
    facts: list[dict[str, object]] = []
    for kind in ("bias", "dark", "flat"):
        found = [
            _frame_defects(calib, kind, detector, parameters=parameters, tallies=tallies, facts=facts)
            for calib in _chosen(frames, kind)
        ]
        if found:
            mask |= merge_masks(found, parameters.mode, fraction=parameters.merge_fraction)
    n_manual = _add_manual(mask, [calib for calib in quantum.calibs if calib.dataset_type == MANUAL])
    if parameters.midline == "MASK" and detector.kind == "E2V":
        for row in midline_rows(_places(detector)):
            mask[row] = True
    if parameters.edges_as_defects:
        mask_border(mask, rows=parameters.edge_rows_px, columns=parameters.edge_columns_px)
    boxes = mask_to_boxes(mask)
    path = Path(output.path)
    metadata = identity_metadata(quantum, output, OBSTYPE)
    sums = write_calib_tables(path, to_tables(boxes, metadata, path=path))
    details = _details(detector, mask, tallies) | {
        "n_boxes": len(boxes),
        "n_manual_pixels": n_manual,
        "frames": facts,
    }
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def _chosen(frames: Sequence[CalibInput], kind: str) -> list[CalibInput]:
    """Return the frames of a kind in a fixed order; of several flats the one of most exposures."""
    members = sorted((c for c in frames if FRAME_KINDS[c.dataset_type] == kind), key=lambda c: (c.run, c.path))
    if kind == "flat" and len(members) > 1:
        return [max(members, key=lambda calib: calib.n_inputs)]
    return members


def _frame_defects(
    calib: CalibInput,
    kind: str,
    detector: Detector,
    *,
    parameters: DefectParameters,
    tallies: list[_Tally],
    facts: list[dict[str, object]],
) -> BoolImage:
    image, unusable, saturated, is_adu = _read_frame(calib, detector)
    places = _places(detector)
    ignore = unusable | saturated
    mask = np.zeros(image.shape, np.bool_)
    fact: dict[str, object] = {"dataset_type": calib.dataset_type, "dataset_id": calib.dataset_id}
    if kind == "flat":
        if parameters.midline == "NEVERMASK" and detector.kind == "E2V":
            _level_midline(image, places)
        if parameters.vampire_threshold is not None:
            vampires, n_vampires = vampire_pixels(
                image, threshold=parameters.vampire_threshold, radius=parameters.vampire_radius_px
            )
            ignore |= vampires
            mask |= vampires
            fact["vampires"] = n_vampires
        if parameters.fit_gradient:
            fact["gradients_not_fitted"] = _flatten(image, ignore, detector, parameters.gradient_border_px)
    limits = _limits(image, kind, detector, parameters, ignore, is_adu=is_adu)
    marked, hot, cold = threshold_bands(image, limits)
    mask |= marked
    mask |= unusable
    saturated = dilate_along_rows(saturated, parameters.saturated_dilation_px)
    fact["blinking_columns"] = fill_blinking_columns(
        mask, min_pixels=parameters.on_off_pixels, good_gap=parameters.good_gap_px
    )
    columns = [
        sum(pair)
        for pair in zip(
            fill_amplifier_columns(mask, mask, places, min_pixels=parameters.column_fill_pixels),
            fill_amplifier_columns(mask, saturated, places, min_pixels=parameters.saturated_fill_pixels),
            strict=True,
        )
    ]
    for i, (tally, one) in enumerate(zip(tallies, limits, strict=True)):
        tally.hot, tally.cold = tally.hot + int(hot[i]), tally.cold + int(cold[i])
        tally.columns += columns[i]
        tally.unusable += int(unusable[one.place].sum())
        if one.reason:
            tally.reasons.append(f"{calib.dataset_type}: {one.reason}")
    facts.append(fact | {"hot": int(hot.sum()), "cold": int(cold.sum())})
    return mask


def _limits(
    image: Image, kind: str, detector: Detector, parameters: DefectParameters, ignore: BoolImage, *, is_adu: bool
) -> list[AmplifierLimits]:
    if kind == "flat":
        rule = parameters.rule(kind, gain_e_per_adu=1.0, is_adu=is_adu)
        return amplifier_limits(image, _places(detector), rule, ignore=ignore, dead_fraction=parameters.dead_fraction)
    found = []
    for amplifier, place in zip(detector.amplifiers, _places(detector), strict=True):
        rule = parameters.rule(kind, gain_e_per_adu=amplifier.gain_e_per_adu, is_adu=is_adu)
        found += amplifier_limits(image, [place], rule, ignore=ignore)
    return found


def _read_frame(calib: CalibInput, detector: Detector) -> tuple[Image, BoolImage, BoolImage, bool]:
    path = Path(calib.path)
    image = read_plane(path, "IMAGE").astype(np.float32, copy=False)
    if image.shape != (detector.height, detector.width):
        raise ConflictError(
            f"{path}: {calib.dataset_type} of shape {image.shape} is not of detector {detector.full_name}, "
            f"{(detector.height, detector.width)}",
            code="E-GEOMETRY",
        )
    planes = read_plane(path, "MASK").astype(np.int32, copy=False)
    unusable = (planes & sum(plane_bit(name) for name in UNUSABLE_PLANES)) != 0
    return image, unusable, (planes & plane_bit("SAT")) != 0, read_header(path).get("LSST ISR UNITS") == "adu"


def _level_midline(image: Image, places: Sequence[tuple[slice, slice]]) -> None:
    for row, place in zip(midline_rows(places), places, strict=False):
        image[row] = np.nanmedian(image[place])


def _flatten(image: Image, ignore: BoolImage, detector: Detector, border_px: int) -> list[str]:
    """Divide each amplifier by its radial shape; return the names of those that have too few good pixels."""
    row0, column0 = _focal_plane_center(detector)
    not_fitted = []
    for amplifier, place in zip(detector.amplifiers, _places(detector), strict=True):
        try:
            shape = radial_shape(
                image[place],
                center=(row0 - place[0].start, column0 - place[1].start),
                ignore=ignore[place],
                border_px=border_px,
            )
        except NotEnoughDataError:
            not_fitted.append(amplifier.name)
        else:
            image[place] /= shape
    return not_fitted


def _focal_plane_center(detector: Detector, pixel_mm: float = 0.01) -> tuple[float, float]:
    """Return the row and column of the middle of the focal plane, in pixels of the detector."""
    x, y = -detector.center_x_mm / pixel_mm, -detector.center_y_mm / pixel_mm
    for _ in range(detector.quarter_turns % 4):  # back from focal-plane to detector axes
        x, y = y, -x
    return (detector.height - 1) / 2 + y, (detector.width - 1) / 2 + x


def _add_manual(mask: BoolImage, manual: Sequence[CalibInput]) -> int:
    added = np.zeros(mask.shape, np.bool_)
    for calib in manual:
        boxes_to_mask(read_defects(Path(calib.path)), mask.shape, out=added)
    mask |= added
    return int(added.sum())


def _places(detector: Detector) -> list[tuple[slice, slice]]:
    return [amplifier.place.slices for amplifier in detector.amplifiers]


def _details(detector: Detector, mask: BoolImage, tallies: Sequence[_Tally]) -> dict[str, object]:
    amplifiers = dict(_amplifier_facts(detector, mask, tallies))
    n_pixels = int(mask.sum())
    return {
        "n_pixels": n_pixels,
        "fraction": n_pixels / mask.size,
        "amplifiers": amplifiers,
        "defective_amplifiers": {name: facts["reasons"] for name, facts in amplifiers.items() if facts["reasons"]},
    }


def _amplifier_facts(
    detector: Detector, mask: BoolImage, tallies: Sequence[_Tally]
) -> Iterator[tuple[str, dict[str, object]]]:
    for amplifier, place, tally in zip(detector.amplifiers, _places(detector), tallies, strict=True):
        n_pixels = int(mask[place].sum())
        yield (
            amplifier.name,
            {
                "hot": tally.hot,
                "cold": tally.cold,
                "columns": tally.columns,
                "unusable": tally.unusable,
                "pixels": n_pixels,
                "fraction": n_pixels / max(mask[place].size, 1),
                "reasons": tally.reasons,
            },
        )
