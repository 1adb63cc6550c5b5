"""The shape of the light over a focal plane, from the combined flats of its detectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.calib_tables import write_calib_tables
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ConflictError, ExecutionError, StoreError, UserInputError
from calibstore.model.camera import Detector
from calibstore.model.codec import from_plain
from calibstore.pipelines.binned_flats import focal_mm
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.flat_gradient_dataset import OBSTYPE, to_tables
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.arrays import Vector, plane_bit
from kernels.binning import bin_mean
from kernels.errors import NotEnoughDataError
from kernels.flat_gradient import FlatGradient, FlatGradientRule
from kernels.flat_gradient import fit_flat_gradient as fitted

ITL: Final = "ITL"
_SCIENCE: Final = "SCIENCE"
_HOLES: Final = ("BAD", "NO_DATA", "VIGNETTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientParameters:
    """How flats are binned."""

    bin_px: int = 128
    edge_px: int = 10
    """Pixels along the edges of a detector that are left out."""
    pixel_size_mm: float = 0.01


def fit_flat_gradient(quantum: Quantum) -> Outcome:
    """Fit the shape of the light of one filter.

    Parameters
    ----------
    quantum : Quantum
        No detector; calibs: combined flats, one per detector, on a common scale. One output, a table. Parameters:
        ``detectors`` (their plain forms), the fields of `GradientParameters` and of
        `kernels.flat_gradient.FlatGradientRule` but the nodes, ``existing``. Guiders and wavefront sensors take no
        part.

    Returns
    -------
    Outcome
        details: n_detectors, n_bins, itl_ratio, center (x, y) [mm], gradient (x, y) [1/mm], values (S at the nodes).

    Raises
    ------
    UserInputError
        If there is no flat, or not one output.
    ConflictError
        If a flat is of a detector that is not told, or of another size.
    ExecutionError
        If too little of the focal plane can be used.
    StoreError
        If a file is missing or damaged.
    """
    if not quantum.calibs or len(quantum.outputs) != 1:
        raise UserInputError(
            f"{quantum.label}: a shape of the light needs the flats of a focal plane and goes to one table",
            hint="combine the flats first",
            code="E-INPUTS",
        )
    output = quantum.outputs[0]
    if (file := kept_file(output, recorded_sums(quantum.parameters))) is not None:
        return Outcome(label=quantum.label, is_done=True, files=(file,), details={"kept": [output.dataset_type]})
    given = rule_of(GradientParameters(), quantum.parameters, quantum.label)
    others = {key: value for key, value in quantum.parameters.items() if key != "nodes_mm"}
    rule = rule_of(FlatGradientRule(), others, quantum.label)
    detectors = told_detectors(quantum)
    parts = [_binned(calib, detectors, given) for calib in quantum.calibs]
    used = [part for part in parts if part is not None]
    if not used:
        raise ExecutionError(
            f"{quantum.label}: no flat of a science detector", hint="look at the flats", code="E-LEVEL"
        )
    x_mm, y_mm, values, is_itl = (np.concatenate([part[place] for part in used]) for place in range(4))
    try:
        found = fitted(x_mm, y_mm, values, is_itl > 0, rule=rule)
    except NotEnoughDataError as fault:
        raise ExecutionError(
            f"{quantum.label}: {fault}", hint="look at the flats, or give a smaller bin", code="E-LEVEL"
        ) from fault
    sums = write_calib_tables(Path(output.path), to_tables(found, identity_metadata(quantum, output, OBSTYPE)))
    details = _facts(found) | {"n_detectors": len(used), "n_bins": int(np.isfinite(values).sum())}
    return Outcome(label=quantum.label, is_done=True, files=(output.written(sums),), details=details)


def told_detectors(quantum: Quantum) -> dict[int, Detector]:
    """Return the detectors that a quantum of the whole instrument is told of, by number."""
    plain = quantum.parameters.get("detectors", ())
    found = [from_plain(Detector, item) for item in plain] if isinstance(plain, Sequence) else []
    return {detector.id: detector for detector in found}


def detector_of(calib: CalibInput, detectors: dict[int, Detector], number: object) -> Detector:
    """Return the detector a file says it is of.

    Raises
    ------
    ConflictError
        If it is none of those told.
    """
    known = detectors.get(int(str(number))) if isinstance(number, int) else None
    if known is None:
        raise ConflictError(
            f"{calib.path}: of detector {number}, which is none of the {len(detectors)} of this step",
            hint="check the inputs of the step",
            code="E-INPUTS",
        )
    return known


def _binned(
    calib: CalibInput, detectors: dict[int, Detector], given: GradientParameters
) -> tuple[Vector, Vector, Vector, Vector] | None:
    """Return places, values and whether they are of ITL, of one flat; None for a detector that takes no part."""
    path = Path(calib.path)
    detector = detector_of(calib, detectors, read_header(path).get("DETECTOR"))
    if detector.purpose != _SCIENCE:
        return None
    image = read_plane(path).astype(np.float32)
    if image.shape != (detector.height, detector.width):
        raise ConflictError(
            f"{path}: {image.shape[0]} x {image.shape[1]} pixels, detector {detector.full_name} has "
            f"{detector.height} x {detector.width}",
            hint="check the inputs of the step",
            code="E-GEOMETRY",
        )
    try:
        mask = read_plane(path, "MASK").astype(np.int32)
        image[(mask & np.int32(sum(plane_bit(name) for name in _HOLES))) != 0] = np.nan
    except StoreError:  # an image brought in may come without one
        pass
    edge = given.edge_px
    binned = bin_mean(image[edge : detector.height - edge, edge : detector.width - edge], given.bin_px)
    rows, columns = (edge + (np.arange(n) + 0.5) * given.bin_px for n in binned.shape)
    x_px, y_px = (plane.ravel() for plane in np.meshgrid(columns, rows))
    x_mm, y_mm = focal_mm(detector, x_px, y_px, given.pixel_size_mm)
    return x_mm, y_mm, binned.ravel().astype(np.float64), np.full(x_mm.size, float(detector.kind == ITL))


def _facts(found: FlatGradient) -> dict[str, object]:
    return {
        "itl_ratio": found.itl_ratio,
        "center": [found.center_x_mm + found.delta_x_mm, found.center_y_mm + found.delta_y_mm],
        "gradient": [found.gradient_x, found.gradient_y],
        "values": {f"{node:g}": float(value) for node, value in zip(found.nodes_mm, found.values, strict=True)},
    }
