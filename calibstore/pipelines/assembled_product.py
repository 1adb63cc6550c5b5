"""Combined images written from whole assembled rows: planes, statistics and header, as every product has them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.bias_header import distribution_cards
from calibstore.pipelines.binned_images import BINNINGS, write_derived
from calibstore.pipelines.combined_product import (
    VignettedField,
    fill_bad_pixels,
    mask_vignetted,
    summed_up,
    write_bands,
)
from calibstore.pipelines.kept_outputs import kept_file, recorded_sums
from calibstore.pipelines.quantum import OutputFile, Quantum, WrittenFile
from kernels.arrays import MASK_PLANES
from kernels.combine import Combined


def write_assembled(
    output: OutputFile,
    detector: Detector,
    bands: Iterable[tuple[int, Combined]],
    *,
    obstype: str,
    cards: Mapping[str, CardValue],
    field_mm: VignettedField | None = None,
) -> tuple[WrittenFile, dict[str, object]]:
    """Write a relative image of a detector.

    Parameters
    ----------
    output : OutputFile
        Where it goes.
    detector : Detector
        Geometry.
    bands : iterable of tuple of int and Combined
        First row and whole assembled rows.
    obstype : str
        Observation type, for the distribution cards.
    cards : mapping
        All other cards of the primary header.
    field_mm : VignettedField, optional
        Where there is no light; None: everywhere is.

    Returns
    -------
    file : WrittenFile
    details : dict
        n_bad_pixels, n_vignetted_pixels, amplifiers (median and half width), median_of_amplifiers.

    Raises
    ------
    ExecutionError
        If no pixel has a value.
    StoreError
        If it cannot be written.
    """
    named = {**cards, "CAB DATASET ID": output.dataset_id, "CAB RUN": output.run}
    with create_product(
        Path(output.path),
        height=detector.height,
        width=detector.width,
        planes=image_planes("", MASK_PLANES),
        cards=named | distribution_cards(detector, obstype, {}, {}),
    ) as writer:
        incomplete = write_bands(writer, bands)
        n_bad = fill_bad_pixels(writer, detector, incomplete, output.path)
        is_edge = field_mm is not None and field_mm.reaches(detector)
        n_dark = mask_vignetted(writer, detector, field_mm) if field_mm is not None and is_edge else 0
        distributions, told = summed_up(writer, detector, obstype, n_bad, has_holes=n_dark > 0)
        writer.complete_header(named | distributions)
        sums = writer.checksums()
    return output.written(sums), told | {"n_bad_pixels": sum(n_bad.values()), "n_vignetted_pixels": n_dark}


def product_outputs(quantum: Quantum, default: str) -> tuple[str, dict[str, OutputFile], dict[str, WrittenFile]]:
    """Return the product of a quantum, its outputs by dataset type, and those that are there already.

    Parameters
    ----------
    quantum : Quantum
        Parameters ``product`` and ``existing``; outputs: the product, and its Bin8, Bin64 and Thumbnail.
    default : str
        Product where none is named.

    Raises
    ------
    UserInputError
        If the outputs are others.
    """
    product = str(quantum.parameters.get("product", default))
    outputs = {output.dataset_type: output for output in quantum.outputs}
    if product not in outputs or set(outputs) - {
        product,
        f"{product}Thumbnail",
        *(product + name for name in BINNINGS),
    }:
        raise UserInputError(
            f"{quantum.label}: outputs {sorted(outputs)} do not fit product {product}", code="E-OUTPUTS"
        )
    existing = recorded_sums(quantum.parameters)
    found = {name: kept_file(output, existing) for name, output in outputs.items()}
    return product, outputs, {name: file for name, file in found.items() if file is not None}


def with_derived(
    outputs: Sequence[OutputFile], product: str, files: Mapping[str, WrittenFile]
) -> tuple[WrittenFile, ...]:
    """Return all files of a quantum, those made of the finished product written now."""
    main = next(output for output in outputs if output.dataset_type == product)
    return tuple(
        files[output.dataset_type] if output.dataset_type in files else write_derived(output, Path(main.path), product)
        for output in outputs
    )
