"""The planes of a combined image: written in bands, completed where no frame had a value, summed up per amplifier."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import ProductWriter
from calibstore.errors import ExecutionError
from calibstore.model.camera import Box, Detector
from calibstore.pipelines.bias_header import distribution_cards
from kernels.arrays import Image, Mask, plane_bit
from kernels.combine import Combined
from kernels.statistics import percentiles, streamed_median

_STATISTICS_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VignettedField:
    """Where the focal plane is no longer lit."""

    dark_radius_mm: float
    """Beyond it a pixel has no value: 0, NO_DATA and VIGNETTED [mm]."""
    partly_radius_mm: float
    """Beyond it a pixel is PARTLY_VIGNETTED [mm]."""
    pixel_size_mm: float = 0.01

    def bits(self, detector: Detector, y0: int, y1: int) -> Mask:
        """Return the mask planes of some rows of a detector, shape (y1 - y0, width), int32."""
        x = (np.arange(detector.width) + 0.5 - detector.width / 2) * self.pixel_size_mm
        y = (np.arange(y0, y1) + 0.5 - detector.height / 2) * self.pixel_size_mm
        turned = (x[None, :] + 1j * y[:, None]) * 1j ** (detector.quarter_turns % 4)
        radius_mm = np.abs(turned + complex(detector.center_x_mm, detector.center_y_mm))
        dark = np.where(radius_mm > self.dark_radius_mm, plane_bit("NO_DATA") | plane_bit("VIGNETTED"), 0)
        bits: Mask = np.where(radius_mm > self.partly_radius_mm, dark | plane_bit("PARTLY_VIGNETTED"), dark).astype(
            np.int32
        )
        return bits

    def reaches(self, detector: Detector) -> bool:
        """Tell whether any pixel of a detector lies beyond the inner radius."""
        half_diagonal_mm = np.hypot(detector.width, detector.height) / 2 * self.pixel_size_mm
        return bool(np.hypot(detector.center_x_mm, detector.center_y_mm) + half_diagonal_mm > self.partly_radius_mm)


def write_bands(writer: ProductWriter, bands: Iterable[tuple[int, Combined]]) -> list[tuple[int, int]]:
    """Write the planes; return the row ranges that hold a pixel without value or variance.

    Parameters
    ----------
    writer : ProductWriter
        Open product with planes IMAGE, VARIANCE and COUNT.
    bands : iterable of tuple of int and Combined
        First row and whole assembled rows.
    """
    incomplete = []
    for y0, combined in bands:
        writer.write_rows("IMAGE", y0, combined.mean)
        writer.write_rows("VARIANCE", y0, combined.variance)
        writer.write_rows("COUNT", y0, combined.count)
        # one sum finds a NaN in either plane without a pass of isfinite over each
        if not np.isfinite(np.add.reduce(combined.mean, axis=None) + np.add.reduce(combined.variance, axis=None)):
            incomplete.append((y0, y0 + combined.mean.shape[0]))
    return incomplete


def fill_bad_pixels(
    writer: ProductWriter, detector: Detector, incomplete: list[tuple[int, int]], path: str
) -> dict[str, int]:
    """Give pixels without a valid input the detector's median and the plane BAD; return their number per amplifier.

    Parameters
    ----------
    writer : ProductWriter
        Open product, all bands written.
    detector : Detector
        Amplifiers.
    incomplete : list of tuple of int
        From `write_bands`.
    path : str
        Name for messages.

    Raises
    ------
    ExecutionError
        If no pixel has a valid input.
    """
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


def mask_vignetted(writer: ProductWriter, detector: Detector, field: VignettedField) -> int:
    """Mark what the light does not reach: no value and NO_DATA beyond the outer radius; return the pixels without.

    Parameters
    ----------
    writer : ProductWriter
        Open product, all bands written and filled.
    detector : Detector
        Place on the focal plane.
    field : VignettedField
        Radii.
    """
    n_dark = 0
    for y0 in range(0, detector.height, _STATISTICS_ROWS):
        y1 = min(y0 + _STATISTICS_ROWS, detector.height)
        bits = field.bits(detector, y0, y1)
        if not bits.any():
            continue
        dark = (bits & plane_bit("NO_DATA")) != 0
        n_dark += int(dark.sum())
        for name in ("IMAGE", "VARIANCE"):
            rows = writer.read_rows(name, y0, y1)
            rows[dark] = 0
            writer.write_rows(name, y0, rows)
        writer.write_rows("MASK", y0, writer.read_rows("MASK", y0, y1).astype(np.int32) | bits)
    return n_dark


def summed_up(
    writer: ProductWriter, detector: Detector, obstype: str, n_bad: Mapping[str, int], *, has_holes: bool
) -> tuple[dict[str, CardValue], dict[str, object]]:
    """Return the distribution cards of each amplifier, and its median and width as details.

    Parameters
    ----------
    writer : ProductWriter
        Open product, complete.
    detector : Detector
        Amplifiers.
    obstype : str
        bias, dark or flat.
    n_bad : mapping of str to int
        Pixels without a valid input, by amplifier.
    has_holes : bool
        Whether pixels are NO_DATA too.
    """
    found: dict[str, list[float]] = {}
    hidden = plane_bit("BAD") | plane_bit("NO_DATA")
    for amplifier in detector.amplifiers:
        place = amplifier.place
        columns = place.slices[1]
        pixels = np.empty((place.height, place.width), np.float32)
        for first in range(place.y0, place.y1, _STATISTICS_ROWS):
            last = min(first + _STATISTICS_ROWS, place.y1)
            rows = writer.read_rows("IMAGE", first, last, columns)
            if n_bad[amplifier.name] or has_holes:
                bad = (writer.read_rows("MASK", first, last, columns).astype(np.int32) & hidden) != 0
                rows[bad] = np.nan
            pixels[first - place.y0 : last - place.y0] = rows
        found[amplifier.name] = [float(value) for value in percentiles(pixels)]
    # of an amplifier without a good pixel nothing is known
    known = {name: values for name, values in found.items() if np.isfinite(values[3])}
    details: dict[str, object] = {
        "amplifiers": {
            name: {"median": values[3], "half_width_16_84": (values[4] - values[2]) / 2}
            for name, values in known.items()
        }
    }
    medians = [values[3] for values in known.values()]
    details["median_of_amplifiers"] = float(np.median(medians)) if medians else None
    return distribution_cards(detector, obstype, known, n_bad), details


def _plane_bands(writer: ProductWriter, name: str, height: int) -> Iterator[Image]:
    for y0 in range(0, height, _STATISTICS_ROWS):
        yield writer.read_rows(name, y0, min(y0 + _STATISTICS_ROWS, height)).astype(np.float32, copy=False)


def _part_in_rows(box: Box, y0: int, y1: int) -> tuple[slice, slice]:
    """Return the part of a box that lies in rows y0..y1-1, counted from y0."""
    first = max(box.y0, y0) - y0
    return slice(first, max(min(box.y1, y1) - y0, first)), box.slices[1]
