"""Combined biases: `biasBootstrap` in adu, and `bias` in electrons.

Raw frames in, one product file with image, mask, variance and count planes out, and its binned images and thumbnail.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import ProductWriter, create_product, image_planes
from calibstore.errors import ExecutionError, UserInputError
from calibstore.model.camera import Box, Detector
from calibstore.pipelines.bias_header import STEPS, bias_cards, differing_state, distribution_cards
from calibstore.pipelines.binned_images import binned_product, write_binned, write_thumbnail
from calibstore.pipelines.combined_bands import combined_bands
from calibstore.pipelines.detector_frames import ADU, ELECTRON, DetectorFrame, open_frames
from calibstore.pipelines.kept_outputs import kept_file
from calibstore.pipelines.quantum import Outcome, OutputFile, Quantum, WrittenFile
from kernels.arrays import MASK_PLANES, Image, plane_bit
from kernels.combine import Combined
from kernels.statistics import percentiles, stands_apart, streamed_median

UNITS: Final = {"biasBootstrap": ADU, "bias": ELECTRON}
"""Unit of each product this pipeline makes."""

BINNINGS: Final = {"Bin8": 8, "Bin64": 64}

_STATISTICS_ROWS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineParameters:
    """What a quantum says about how to combine."""

    product: str
    n_sigma: float | None = 3.0
    max_iter: int = 3
    band_rows: int = 32
    verify_checksums: bool = False
    existing: Mapping[str, str] = field(default_factory=dict)
    """Recorded SHA-256 by dataset type of outputs that may be there already."""

    @property
    def units(self) -> str:
        """Unit of the product."""
        return UNITS[self.product]


def combine_bias(quantum: Quantum) -> Outcome:
    """Build a combined bias of one detector and what is derived from it.

    Parameters
    ----------
    quantum : Quantum
        `detector` and `raws` set. Outputs by dataset type: the product, ``<product>Bin8``, ``<product>Bin64``,
        ``<product>Thumbnail``; only those present are written. Parameters: ``product`` (biasBootstrap or bias),
        ``n_sigma`` (None: plain mean), ``max_iter``, ``band_rows``, ``verify_checksums``, ``existing`` (dataset type
        to recorded SHA-256: such an output is kept), ``calib_creation_datetime``, ``_date`` and ``_time`` (header
        only).

    Returns
    -------
    Outcome
        Files in the order of the outputs; details: n_inputs, units, gain_source, steps_not_applied, n_bad_pixels,
        state_differs, frames_apart (exposures whose mean level is unlike the others'), amplifiers (median and 16-84
        per cent half width), kept (dataset types not made again).

    Raises
    ------
    UserInputError
        If there is no raw, an unknown product, or a clip that could never reject anything.
    StoreError
        If a raw is missing, truncated or changed, or an output cannot be written.
    ExecutionError
        If no pixel has a valid input, or an overscan is unusable.
    """
    parameters = _parameters(quantum)
    detector = quantum.detector
    if detector is None or not quantum.raws:
        raise UserInputError(
            f"{quantum.label}: no raw frames to combine", hint="select exposures first", code="E-EMPTY"
        )
    outputs = {output.dataset_type: output for output in quantum.outputs}
    known = {parameters.product, f"{parameters.product}Thumbnail", *(parameters.product + name for name in BINNINGS)}
    if parameters.product not in outputs or set(outputs) - known:
        raise UserInputError(
            f"{quantum.label}: outputs {sorted(outputs)} do not fit product {parameters.product}", code="E-OUTPUTS"
        )
    main = outputs[parameters.product]
    details: dict[str, object] = {}
    found = {name: kept_file(output, parameters.existing) for name, output in outputs.items()}
    files = {name: file for name, file in found.items() if file is not None}
    details["kept"] = sorted(files)
    if main.dataset_type not in files:
        files[main.dataset_type] = _write_product(quantum, detector, parameters, main, details)
    for name, output in outputs.items():
        if name not in files:
            files[name] = _write_derived(output, Path(main.path), parameters.product)
    return Outcome(
        label=quantum.label, is_done=True, files=tuple(files[o.dataset_type] for o in quantum.outputs), details=details
    )


def _parameters(quantum: Quantum) -> CombineParameters:
    given = quantum.parameters
    product = str(given.get("product", ""))
    if product not in UNITS:
        raise UserInputError(f"{quantum.label}: product {product!r} is not one of {', '.join(UNITS)}", code="E-PRODUCT")
    n_sigma, existing = given.get("n_sigma", 3.0), given.get("existing", {})
    return CombineParameters(
        product=product,
        n_sigma=None if n_sigma is None else float(str(n_sigma)),
        max_iter=int(str(given.get("max_iter", 3))),
        band_rows=int(str(given.get("band_rows", 32))),
        verify_checksums=bool(given.get("verify_checksums", False)),
        existing={str(k): str(v) for k, v in existing.items()} if isinstance(existing, Mapping) else {},
    )


def _write_derived(output: OutputFile, product: Path, stem: str) -> WrittenFile:
    suffix = output.dataset_type.removeprefix(stem)
    if suffix in BINNINGS:
        return write_binned(output, product, BINNINGS[suffix])
    return write_thumbnail(output, binned_product(product, BINNINGS["Bin8"]))


def _write_product(
    quantum: Quantum,
    detector: Detector,
    parameters: CombineParameters,
    output: OutputFile,
    details: dict[str, object],
) -> WrittenFile:
    units = parameters.units
    with open_frames(
        detector, quantum.raws, instrument=quantum.instrument, verify_checksums=parameters.verify_checksums
    ) as frames:
        cards = bias_cards(quantum, detector, frames, units)
        cards |= {"CAB DATASET ID": output.dataset_id, "CAB RUN": output.run}
        bands = combined_bands(
            detector,
            frames,
            units=units,
            n_sigma=parameters.n_sigma,
            max_iter=parameters.max_iter,
            band_rows=parameters.band_rows,
        )
        with create_product(
            Path(output.path),
            height=detector.height,
            width=detector.width,
            planes=image_planes(units, MASK_PLANES),
            cards=cards,
        ) as writer:
            incomplete = _write_bands(writer, bands)
            n_bad = _fill_bad_pixels(writer, detector, incomplete, str(output.path))
            cards |= _distributions(writer, detector, n_bad, details)
            writer.complete_header(cards)
            sums = writer.checksums()
        details |= _facts(frames, units, n_bad)
    return output.written(sums)


def _write_bands(writer: ProductWriter, bands: Iterator[tuple[int, Combined]]) -> list[tuple[int, int]]:
    """Write the planes; return the row ranges that hold a pixel without value or variance."""
    incomplete = []
    for y0, combined in bands:
        writer.write_rows("IMAGE", y0, combined.mean)
        writer.write_rows("VARIANCE", y0, combined.variance)
        writer.write_rows("COUNT", y0, combined.count)
        # one sum finds a NaN in either plane without a pass of isfinite over each
        if not np.isfinite(np.add.reduce(combined.mean, axis=None) + np.add.reduce(combined.variance, axis=None)):
            incomplete.append((y0, y0 + combined.mean.shape[0]))
    return incomplete


def _fill_bad_pixels(
    writer: ProductWriter, detector: Detector, incomplete: list[tuple[int, int]], path: str
) -> dict[str, int]:
    """Give pixels without a valid input the detector's median and the plane BAD; return their number per amplifier."""
    n_bad = {amplifier.name: 0 for amplifier in detector.amplifiers}
    if not incomplete:
        return n_bad
    image_median = streamed_median(lambda: _plane_bands(writer, "IMAGE", detector.height))
    variance_median = streamed_median(lambda: _plane_bands(writer, "VARIANCE", detector.height))
    if not np.isfinite(image_median):
        raise ExecutionError(
            f"{path}: no pixel of detector {detector.full_name} has a valid input",
            hint="look at the raw frames; leave empty ones out",
            code="E-NODATA",
        )
    for y0, y1 in incomplete:
        image = writer.read_rows("IMAGE", y0, y1)
        variance = writer.read_rows("VARIANCE", y0, y1)
        bad = ~np.isfinite(image)
        image[bad] = image_median
        variance[~np.isfinite(variance)] = variance_median
        writer.write_rows("IMAGE", y0, image)
        writer.write_rows("VARIANCE", y0, variance)
        writer.write_rows("MASK", y0, np.where(bad, plane_bit("BAD"), 0))
        for amplifier in detector.amplifiers:
            n_bad[amplifier.name] += int(bad[_part_in_rows(amplifier.place, y0, y1)].sum())
    return n_bad


def _distributions(
    writer: ProductWriter, detector: Detector, n_bad: Mapping[str, int], details: dict[str, object]
) -> dict[str, CardValue]:
    found: dict[str, list[float]] = {}
    for amplifier in detector.amplifiers:
        place = amplifier.place
        columns = place.slices[1]
        pixels = np.empty((place.height, place.width), np.float32)
        for first in range(place.y0, place.y1, _STATISTICS_ROWS):
            last = min(first + _STATISTICS_ROWS, place.y1)
            rows = writer.read_rows("IMAGE", first, last, columns)
            if n_bad[amplifier.name]:
                bad = writer.read_rows("MASK", first, last, columns) != 0
                rows[bad] = np.nan
            pixels[first - place.y0 : last - place.y0] = rows
        found[amplifier.name] = [float(value) for value in percentiles(pixels)]
    details["amplifiers"] = {
        name: {"median": values[3], "half_width_16_84": (values[4] - values[2]) / 2} for name, values in found.items()
    }
    medians = [values[3] for values in found.values() if np.isfinite(values[3])]
    details["median_of_amplifiers"] = float(np.median(medians))
    return distribution_cards(detector, found, n_bad)


def _facts(frames: list[DetectorFrame], units: str, n_bad: Mapping[str, int]) -> dict[str, object]:
    return {
        "n_inputs": len(frames),
        "units": units,
        "gain_source": "NONE" if units == ADU else "CAMERA",
        "steps_not_applied": list(STEPS),
        "n_bad_pixels": sum(n_bad.values()),
        "has_overscan": all(levels.serial is not None for levels in frames[0].levels),
        "state_differs": differing_state([frame.raw for frame in frames]),
        "frames_apart": _frames_apart(frames),
    }


def _frames_apart(frames: list[DetectorFrame]) -> list[dict[str, object]]:
    """Name the frames whose mean level is not like that of the others: a person should look at them."""
    means = np.array([frame.mean_so_far_adu for frame in frames])
    return [
        {"exposure": frames[i].raw.exposure, "mean_adu": float(means[i]), "median_adu": float(np.median(means))}
        for i in np.flatnonzero(stands_apart(means))
    ]


def _plane_bands(writer: ProductWriter, name: str, height: int) -> Iterator[Image]:
    for y0 in range(0, height, _STATISTICS_ROWS):
        yield writer.read_rows(name, y0, min(y0 + _STATISTICS_ROWS, height)).astype(np.float32, copy=False)


def _part_in_rows(box: Box, y0: int, y1: int) -> tuple[slice, slice]:
    """Return the part of a box that lies in rows y0..y1-1, counted from y0."""
    first = max(box.y0, y0) - y0
    return slice(first, max(min(box.y1, y1) - y0, first)), box.slices[1]
