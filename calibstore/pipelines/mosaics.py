"""Focal-plane mosaics of binned products: FITS and PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.model.codec import from_plain
from calibstore.pipelines.bias_header import creation_cards
from calibstore.pipelines.binned_images import write_fits_image, write_thumbnail
from calibstore.pipelines.kept_outputs import kept_file
from calibstore.pipelines.quantum import CalibInput, Outcome, Quantum, WrittenFile
from kernels.arrays import Image
from kernels.mosaic import Tile, focal_plane_mosaic

_MOST_FOR_FINE_THUMBNAIL: Final = 16
"""More detectors than this would make a PNG of the finer mosaic wider than a screen."""


def mosaic(quantum: Quantum) -> Outcome:
    """Place the binned products of all detectors on the focal plane.

    Parameters
    ----------
    quantum : Quantum
        `calibs`: the ``<x>Bin8`` or ``<x>Bin64`` products (or both), each kind in the order of
        ``parameters["detectors"]``, the plain forms of the detectors. Outputs by dataset type: ``<x>Mosaic8``,
        ``<x>Mosaic64`` (FITS), ``<x>Thumbnail`` (PNG of the finer one, of the coarser for a large focal plane); only
        those present are written.
        Other parameters: ``pixel_size_mm`` (0.01), ``existing``, ``calib_creation_*`` as for `combine`.

    Returns
    -------
    Outcome
        Files in the order of the outputs; details: n_detectors, shapes by dataset type.

    Raises
    ------
    UserInputError
        If detectors and products do not pair up, or an output's kind is unknown.
    StoreError
        If a file cannot be read or written.
    """
    given = quantum.parameters
    plain, existing = given.get("detectors", ()), given.get("existing", {})
    detectors = [from_plain(Detector, item) for item in plain] if isinstance(plain, Sequence) else []
    recorded = {str(k): str(v) for k, v in existing.items()} if isinstance(existing, Mapping) else {}
    planes: dict[int, tuple[Image, dict[str, CardValue]]] = {}
    files: list[WrittenFile] = []
    shapes: dict[str, object] = {}
    for output in quantum.outputs:
        kept = kept_file(output, recorded)
        if kept is not None:
            files.append(kept)
            continue
        factor = _factor(output.dataset_type, len(detectors))
        if factor not in planes:
            planes[factor] = _compose(quantum, detectors, factor)
        image, cards = planes[factor]
        if output.dataset_type.endswith("Thumbnail"):
            files.append(write_thumbnail(output, image))
        else:
            files.append(write_fits_image(output, image, cards | {"BINNING": factor}))
        shapes[output.dataset_type] = list(image.shape)
    details: dict[str, object] = {"n_detectors": len(detectors), "shapes": shapes}
    return Outcome(label=quantum.label, is_done=True, files=tuple(files), details=details)


def _factor(dataset_type: str, n_detectors: int) -> int:
    if dataset_type.endswith("Thumbnail"):
        return 8 if n_detectors <= _MOST_FOR_FINE_THUMBNAIL else 64
    for factor in (64, 8):
        if dataset_type.endswith(f"Mosaic{factor}"):
            return factor
    raise UserInputError(f"{dataset_type}: not a mosaic (Mosaic8, Mosaic64, Thumbnail)", code="E-OUTPUTS")


def _compose(quantum: Quantum, detectors: list[Detector], factor: int) -> tuple[Image, dict[str, CardValue]]:
    inputs = [item for item in quantum.calibs if item.dataset_type.endswith(f"Bin{factor}")]
    if not detectors or len(inputs) != len(detectors):
        raise UserInputError(
            f"{quantum.label}: {len(inputs)} products binned by {factor} for {len(detectors)} detectors",
            hint="build the missing detectors first: cabstand jobs",
            code="E-MOSAIC",
        )
    tiles = [_tile(item, detector) for item, detector in zip(inputs, detectors, strict=True)]
    header = read_header(Path(inputs[0].path))
    cards = {key: header[key] for key in ("OBSTYPE", "INSTRUME", "LSST ISR UNITS") if key in header}
    size = float(str(quantum.parameters.get("pixel_size_mm", 0.01)))
    return focal_plane_mosaic(tiles, factor=factor, pixel_size_mm=size), cards | creation_cards(quantum.parameters)


def _tile(item: CalibInput, detector: Detector) -> Tile:
    return Tile(
        image=read_plane(Path(item.path)).astype(np.float32, copy=False),
        center_x_mm=detector.center_x_mm,
        center_y_mm=detector.center_y_mm,
        width=detector.width,
        height=detector.height,
        quarter_turns=detector.quarter_turns,
    )
