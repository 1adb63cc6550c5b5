"""A flat given the light of the sky: the lamp's own slope and radial shape replaced by those of the reference."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import read_header, read_plane_bands
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.assembled_product import product_outputs, with_derived, write_assembled
from calibstore.pipelines.bias_header import creation_cards
from calibstore.pipelines.binned_flats import focal_mm
from calibstore.pipelines.calib_identity import used_calib_cards
from calibstore.pipelines.combine_parameters import vignetted_field
from calibstore.pipelines.flat_gradient_dataset import read_flat_gradient
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum
from kernels.arrays import plane_bit
from kernels.combine import Combined
from kernels.flat_gradient import FlatGradient, gradient_factor

REFERENCE: Final = "flat_gradient_reference"
OWN: Final = "flatGradient"
UNCORRECTED: Final = "flatUncorrected"

_BAND_ROWS: Final = 64
_PLANES: Final = ("IMAGE", "VARIANCE", "MASK", "COUNT")
_WRITTEN_HERE: Final = ("SIMPLE", "BITPIX", "NAXIS", "EXTEND", "LSST CALIB FLAT C", "CAB DATASET ID", "CAB RUN")


def apply_flat_gradient(quantum: Quantum) -> Outcome:
    """Replace the shape of the light in a flat.

    Parameters
    ----------
    quantum : Quantum
        `detector`; calibs: the flat (``flatUncorrected``), the shape of its own light (``flatGradient``), and the
        ``flat_gradient_reference`` where there is one; without it the flat stays as it is. Outputs: the product, and
        its Bin8, Bin64, Thumbnail where asked for. Parameters: ``product`` (flat), ``pixel_size_mm``, ``vignetted_mm``,
        ``existing``, ``calib_creation_*``.

    Returns
    -------
    Outcome
        details: is_applied, n_bad_pixels, n_vignetted_pixels, amplifiers, kept.

    Raises
    ------
    UserInputError
        If the flat or its shape is missing.
    ConflictError
        If the flat is not of this detector's size.
    StoreError
        If a file is missing or damaged.
    """
    given = {calib.dataset_type: calib for calib in quantum.calibs}
    detector = quantum.detector
    missing = [name for name in (UNCORRECTED, OWN) if name not in given]
    if detector is None or missing:
        raise UserInputError(
            f"{quantum.label}: no {' and no '.join(missing) or 'detector'}",
            hint="combine the flats and fit their light first",
            code="E-INPUTS",
        )
    product, outputs, files = product_outputs(quantum, "flat")
    flat, reference = given[UNCORRECTED], given.get(REFERENCE)
    details: dict[str, object] = {"is_applied": reference is not None, "kept": sorted(files)}
    if product not in files:
        shapes = None
        if reference is not None:
            shapes = read_flat_gradient(Path(given[OWN].path)), read_flat_gradient(Path(reference.path))
        cards: dict[str, CardValue] = {
            key: value for key, value in read_header(Path(flat.path)).items() if not key.startswith(_WRITTEN_HERE)
        }
        cards |= creation_cards(quantum.parameters) | used_calib_cards([reference] if reference is not None else [])
        cards["CAB FLAT GRADIENT APPLIED"] = reference is not None
        pixel_size_mm = float(str(quantum.parameters.get("pixel_size_mm", 0.01)))
        files[product], told = write_assembled(
            outputs[product],
            detector,
            _bands(flat, detector, shapes, pixel_size_mm),
            obstype="flat",
            cards=cards,
            field_mm=vignetted_field(quantum.parameters, quantum.instrument),
        )
        details |= told
    return Outcome(
        label=quantum.label, is_done=True, files=with_derived(quantum.outputs, product, files), details=details
    )


def _bands(
    flat: CalibInput, detector: Detector, shapes: tuple[FlatGradient, FlatGradient] | None, pixel_size_mm: float
) -> Iterator[tuple[int, Combined]]:
    path, x_px, done = Path(flat.path), np.arange(detector.width) + 0.5, 0
    planes = [read_plane_bands(path, name, band_rows=_BAND_ROWS) for name in _PLANES]
    for (y0, image), (_, variance), (_, mask), (_, count) in zip(*planes, strict=True):
        n = image.shape[0]
        done += n
        if image.shape[1] != detector.width or done > detector.height:
            break
        factor = np.ones((1, 1), np.float32)
        if shapes is not None:
            x, y = np.broadcast_arrays(x_px[None, :], (np.arange(y0, y0 + n) + 0.5)[:, None])
            factor = gradient_factor(*shapes, *focal_mm(detector, x, y, pixel_size_mm)).astype(np.float32)
        is_bad = (mask.astype(np.int32) & plane_bit("BAD")) != 0
        yield (
            y0,
            Combined(
                np.where(is_bad, np.float32(np.nan), image.astype(np.float32) * factor),
                np.where(is_bad, np.float32(np.nan), variance.astype(np.float32) * factor**2),
                count.astype(np.int16),
            ),
        )
    if done != detector.height:
        raise ConflictError(
            f"{path}: not of the size of detector {detector.full_name}, {detector.height} x {detector.width}",
            hint="check the inputs of the step",
            code="E-GEOMETRY",
        )
