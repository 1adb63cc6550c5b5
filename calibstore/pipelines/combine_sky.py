"""The shape of the sky on every detector of a focal plane: what is left of it beside its smooth part, as a fraction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import read_calib_tables
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.errors import ConflictError, ExecutionError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.binned_flats import focal_mm
from calibstore.pipelines.calib_identity import identity_metadata
from calibstore.pipelines.fit_flat_gradient import detector_of, told_detectors
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum, WrittenFile
from calibstore.pipelines.sky_levels import BLOCK_KEY, SKY_LEVELS_CLASS
from kernels.arrays import MASK_PLANES, Vector, plane_bit
from kernels.errors import NotEnoughDataError
from kernels.sky import SUPERPIXEL_MM, SkyShape, sky_shape

OBSTYPE: Final = "SKY"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyParameters:
    """Lengths on the focal plane."""

    superpixel_mm: float = SUPERPIXEL_MM
    pixel_size_mm: float = 0.01


@dataclass(frozen=True, slots=True)
class _Levels:
    """The table of one detector."""

    calib: CalibInput
    detector: Detector
    metadata: dict[str, CardValue]
    exposures: tuple[int, ...]
    levels: NDArray[np.float64]
    """Shape (n_exposures, n_rows, n_columns)."""
    x_mm: Vector
    y_mm: Vector


def combine_sky(quantum: Quantum) -> Outcome:
    """Make the sky's shape on all detectors.

    Parameters
    ----------
    quantum : Quantum
        No detector; calibs: tables of `sky_levels`, one per detector. Outputs: one image per detector, in the order of
        ``parameters["detectors"]``, the plain forms of the detectors. Other parameters: the fields of `SkyParameters`.
        Images that are there are written again: those of one sky belong together.

    Returns
    -------
    Outcome
        Binned images (BINNING in the header), a block without any exposure BAD and 0; details: n_detectors,
        n_exposures, scales (by vendor and exposure), largest (of the residuals), empty_blocks.

    Raises
    ------
    UserInputError
        If tables, detectors and outputs do not pair up.
    ConflictError
        If a table is another kind, of a detector that is not told, or of other exposures than the rest.
    ExecutionError
        If no exposure shows a sky.
    StoreError
        If a file is missing or damaged, or cannot be written.

    Notes
    -----
    Detectors of each vendor are taken by themselves: the colour of the sky has them answer unlike a lamp's.
    """
    detectors = told_detectors(quantum)
    if not quantum.calibs or not len(quantum.calibs) == len(quantum.outputs) == len(detectors):
        raise UserInputError(
            f"{quantum.label}: {len(quantum.calibs)} tables and {len(quantum.outputs)} images for {len(detectors)} "
            "detectors",
            hint="measure the sky on all detectors first",
            code="E-INPUTS",
        )
    given = rule_of(SkyParameters(), quantum.parameters, quantum.label)
    output_of = dict(zip(detectors, quantum.outputs, strict=True))
    tables = [_read(calib, detectors, given.pixel_size_mm) for calib in quantum.calibs]
    files: dict[int, WrittenFile] = {}
    scales: dict[str, dict[str, float]] = {}
    largest, n_empty = 0.0, 0
    for vendor in sorted({table.detector.kind for table in tables}):
        mine = [table for table in tables if table.detector.kind == vendor]
        exposures, shape = _shape(quantum, mine, given)
        scales[vendor or "all"] = {
            str(exposure): float(scale)
            for exposure, scale in zip(exposures, shape.scales, strict=True)
            if np.isfinite(scale)
        }
        largest = max(largest, float(np.nanmax(np.abs(shape.residual))))
        n_empty += int((shape.count == 0).sum())
        start = 0
        for table in mine:
            stop = start + table.x_mm.size
            part = SkyShape(
                residual=shape.residual[start:stop],
                variance=shape.variance[start:stop],
                count=shape.count[start:stop],
                scales=shape.scales,
            )
            files[table.detector.id] = _write(quantum, output_of[table.detector.id], table, part)
            start = stop
    details: dict[str, object] = {
        "n_detectors": len(tables),
        "n_exposures": len({exposure for table in tables for exposure in table.exposures}),
        "scales": scales,
        "largest": largest,
        "empty_blocks": n_empty,
    }
    return Outcome(
        label=quantum.label, is_done=True, files=tuple(files[number] for number in detectors), details=details
    )


def _read(calib: CalibInput, detectors: dict[int, Detector], pixel_size_mm: float) -> _Levels:
    path = Path(calib.path)
    content = read_calib_tables(path)
    if content.calib_class != SKY_LEVELS_CLASS:
        raise ConflictError(
            f"{path}: a table of {content.obstype or 'another kind'}, not of the sky's levels",
            hint="check the inputs of the step",
            code="E-INPUTS",
        )
    detector = detector_of(calib, detectors, content.metadata.get("DETECTOR"))
    levels = np.asarray(content.tables[0].columns["LEVELS"], np.float64)
    block_px = int(str(content.metadata[BLOCK_KEY]))
    rows, columns = ((np.arange(n) + 0.5) * block_px for n in levels.shape[1:])
    x_px, y_px = (plane.ravel() for plane in np.meshgrid(columns, rows))
    x_mm, y_mm = focal_mm(detector, x_px, y_px, pixel_size_mm)
    exposures = tuple(int(one) for one in content.tables[0].columns["EXPOSURE"])
    return _Levels(calib, detector, dict(content.metadata), exposures, levels, x_mm, y_mm)


def _shape(quantum: Quantum, tables: Sequence[_Levels], given: SkyParameters) -> tuple[list[int], SkyShape]:
    """Return the exposures and the shape on the blocks of some detectors, one after the other."""
    exposures = sorted({exposure for table in tables for exposure in table.exposures})
    place = {exposure: number for number, exposure in enumerate(exposures)}
    parts = []
    for table in tables:
        part = np.full((len(exposures), table.x_mm.size), np.nan)
        part[[place[exposure] for exposure in table.exposures]] = table.levels.reshape(len(table.exposures), -1)
        parts.append(part)
    x_mm, y_mm = (np.concatenate([getattr(table, name) for table in tables]) for name in ("x_mm", "y_mm"))
    try:
        shape = sky_shape(x_mm, y_mm, np.concatenate(parts, axis=1), superpixel_mm=given.superpixel_mm)
    except NotEnoughDataError as fault:
        raise ExecutionError(f"{quantum.label}: {fault}", hint="select exposures of the sky", code="E-LEVEL") from fault
    return exposures, shape


def _write(quantum: Quantum, output: OutputFile, table: _Levels, part: SkyShape) -> WrittenFile:
    shape = table.levels.shape[1:]
    own = replace(quantum, detector=table.detector, calibs=(table.calib,))
    cards: dict[str, CardValue] = {
        key: value
        for key, value in table.metadata.items()
        if key.startswith(("LSST ISR ", "LSST CALIB RUN ", "LSST CALIB UUID ", "LSST CALIB DATE "))
    }
    cards |= identity_metadata(own, output, OBSTYPE)
    cards |= {f"CPP_INPUT_{number}": exposure for number, exposure in enumerate(table.exposures)}
    cards["BINNING"] = table.metadata[BLOCK_KEY]
    is_empty = ~np.isfinite(part.residual)
    planes = {
        "IMAGE": np.where(is_empty, 0.0, part.residual),
        "VARIANCE": np.nan_to_num(part.variance, nan=0.0),
        "MASK": np.where(is_empty, plane_bit("BAD"), 0),
        "COUNT": part.count,
    }
    with create_product(
        Path(output.path), height=shape[0], width=shape[1], planes=image_planes("", MASK_PLANES), cards=cards
    ) as writer:
        for name, plane in planes.items():
            writer.write_rows(name, 0, plane.reshape(shape))
        sums = writer.checksums()
    return output.written(sums)
