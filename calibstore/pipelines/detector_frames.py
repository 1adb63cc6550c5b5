"""Raw exposures of one detector as overscan-subtracted rows.

The levels of the overscan regions are found first, from those pixels alone; afterwards any rows can be read in any
order, so that twenty full-size frames are combined with a few rows of each in memory.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.raw_pixels import ImagePlane, PixelReader
from calibstore.errors import ExecutionError, StoreError
from calibstore.model.camera import Amplifier, Detector
from calibstore.pipelines.quantum import RawInput
from kernels.arrays import Image
from kernels.assembly import AmplifierPlacement, place_amplifier
from kernels.errors import NotEnoughDataError
from kernels.isr_pixels import dither_rows
from kernels.overscan import PARALLEL, SERIAL, OverscanLevels, OverscanRule, overscan_levels

ADU: Final = "adu"
ELECTRON: Final = "electron"

Regions: TypeAlias = list[Image | None]
"""Parallel overscan of each amplifier after the serial one, None where there is none [adu]."""

_PREPASS_ROWS: Final = 256
_DATA, _SERIAL, _PARALLEL = range(3)
_SATURATED_SHARE: Final = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierLevels:
    """What is subtracted from one amplifier of one exposure, and how its overscans were [adu]."""

    name: str
    serial: OverscanLevels | None
    """None where the amplifier has no serial overscan."""
    parallel: OverscanLevels | None
    """After the serial one; None where there is none."""
    zero_adu: float
    """Constant that the stored values leave out; add it to levels of `serial` for true adu."""


class DetectorFrame:
    """One exposure of a detector, open for reading, with its overscan levels.

    Parameters
    ----------
    detector : Detector
        Geometry.
    raw : RawInput
        The file.
    instrument : str
        Butler name; LATISS clips its parallel overscan on both sides.
    verify_checksum : bool
        Whether to compare the file's SHA-256 where one is recorded.
    before_parallel : callable, optional
        Corrects the parallel overscans of all amplifiers in place, before their levels are found: crosstalk reaches
        them as it reaches the image.
    is_lenient : bool
        Whether an amplifier without a usable overscan is all NaN and named in `faults`, instead of an error.
    is_dithered : bool
        Whether whole numbers of the converter are spread by U(-0.5, 0.5), overscans too, alike at every reading.

    Raises
    ------
    StoreError
        If the file is missing, truncated, changed since it was ingested, or of another geometry.
    ExecutionError
        If an overscan has no usable pixel.
    """

    def __init__(
        self,
        detector: Detector,
        raw: RawInput,
        *,
        instrument: str = "",
        verify_checksum: bool = False,
        before_parallel: Callable[[Regions], None] | None = None,
        is_lenient: bool = False,
        is_dithered: bool = False,
    ) -> None:
        self.raw = raw
        self.faults: dict[str, str] = {}
        """Amplifiers without a level, and why; always empty unless `is_lenient`."""
        self._is_lenient = is_lenient
        self._detector = detector
        self._sum, self._n_read = 0.0, 0
        _require_unchanged(raw, verify_checksum=verify_checksum)
        self._reader = PixelReader(Path(raw.path))
        try:
            self._planes = [self._plane(amplifier) for amplifier in detector.amplifiers]
            self._whole_zeros = [_whole_zero(plane) for plane in self._planes]
            self.is_dithered = is_dithered and self.is_quantised
            self._buffer = np.empty(0, np.uint8)
            self._row_offsets: list[Image] = []
            self._column_offsets: list[Image | None] = []
            self.levels = self._find_levels(instrument, before_parallel)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    @property
    def is_quantised(self) -> bool:
        """Whether the stored values are whole numbers of adu."""
        return all(np.dtype(plane.dtype).kind in "iu" and plane.scale == 1.0 for plane in self._planes)

    @property
    def mean_so_far_adu(self) -> float:
        """Mean of the imaging pixels read until now, overscan subtracted [adu]: tells a frame unlike the others."""
        return self._sum / self._n_read if self._n_read else float("nan")

    def column_offset(self, index: int) -> Image | None:
        """Return what the parallel overscan takes from each imaging column, (data width,) [adu]; None: nothing."""
        return self._column_offsets[index]

    def read_data(self, index: int, y0: int, y1: int, *, out: Image, with_columns: bool = True) -> Image:
        """Read rows of an amplifier's imaging pixels, overscan subtracted, in readout order [adu].

        Parameters
        ----------
        index : int
            Number of the amplifier in the detector.
        y0, y1 : int
            Half-open range of raw rows.
        out : ndarray of shape (y1 - y0, data width), float32
            Written and returned.
        with_columns : bool
            Whether the parallel overscan is subtracted too; if not, the caller does so with `column_offset`, and the
            rows are not counted in `mean_so_far_adu`.

        Raises
        ------
        StoreError
            If they cannot be read in full.
        """
        box, plane = self._detector.amplifiers[index].data, self._planes[index]
        stored = self._stored(index, y0, y1)[:, box.x0 : box.x1]
        offset = self._row_offsets[index][y0:y1, None]
        if plane.scale == 1.0:
            np.subtract(stored, offset, out=out, dtype=np.float32, casting="unsafe")
        else:
            np.multiply(stored, np.float32(plane.scale), out=out, dtype=np.float32, casting="unsafe")
            np.subtract(out, offset, out=out)
        if self.is_dithered:
            out += dither_rows(self.raw.exposure, self._channel(index, _DATA), y0, y1, box.width)
        columns = self._column_offsets[index]
        if not with_columns:
            return out
        if columns is not None:
            np.subtract(out, columns, out=out)
        total = float(np.add.reduce(out, axis=None))
        if math.isfinite(total):
            self._n_read += out.size
        else:
            finite = out[np.isfinite(out)]
            total = float(np.add.reduce(finite))
            self._n_read += finite.size
        self._sum += total
        return out

    def _plane(self, amplifier: Amplifier) -> ImagePlane:
        plane = self._reader.plane(amplifier.extension)
        if (plane.width, plane.height) != (amplifier.raw_width, amplifier.raw_height):
            raise StoreError(
                f"{self.raw.path}: amplifier {amplifier.name} is {plane.width} x {plane.height} pixels, "
                f"the camera says {amplifier.raw_width} x {amplifier.raw_height}",
                hint="check that the file belongs to this camera; a binned or windowed readout cannot be combined",
                code="E-GEOMETRY",
            )
        return plane

    def _stored(self, index: int, y0: int, y1: int) -> NDArray[np.generic]:
        plane, added = self._planes[index], self._whole_zeros[index]
        n_bytes = (y1 - y0) * plane.row_bytes
        if self._buffer.size < n_bytes:
            self._buffer = np.empty(n_bytes, np.uint8)
        stored = self._reader.read_rows(plane, y0, y1, buffer=self._buffer)
        return np.add(stored, added, dtype=np.int64, casting="unsafe") if added else stored

    def _channel(self, index: int, part: int) -> int:
        """Return the number of the dither's stream for a part of an amplifier."""
        return (self._detector.id << 16) | (index << 2) | part

    def _region(self, index: int, part: int, rows: tuple[int, int], columns: tuple[int, int]) -> Image:
        plane = self._planes[index]
        region = np.empty((rows[1] - rows[0], columns[1] - columns[0]), np.float32)
        for y0 in range(rows[0], rows[1], _PREPASS_ROWS):
            y1 = min(y0 + _PREPASS_ROWS, rows[1])
            region[y0 - rows[0] : y1 - rows[0]] = self._stored(index, y0, y1)[:, columns[0] : columns[1]]
        if plane.scale != 1.0:
            region *= np.float32(plane.scale)
        if self.is_dithered:
            region += dither_rows(self.raw.exposure, self._channel(index, part), *rows, columns[1] - columns[0])
        return region

    def _find_levels(
        self, instrument: str, before_parallel: Callable[[Regions], None] | None
    ) -> tuple[AmplifierLevels, ...]:
        amplifiers = self._detector.amplifiers
        serial = [self._serial_levels(index) for index in range(len(amplifiers))]
        self._row_offsets = [self._row_offset(index, found) for index, found in enumerate(serial)]
        if before_parallel is None:  # one region at a time
            parallel = [self._parallel_levels(i, self._parallel_region(i), instrument) for i in range(len(amplifiers))]
        else:
            regions = [self._parallel_region(i) for i in range(len(amplifiers))]
            before_parallel(regions)
            parallel = [self._parallel_levels(i, region, instrument) for i, region in enumerate(regions)]
        self._column_offsets = [None if found is None else found.level for found in parallel]
        return tuple(
            AmplifierLevels(name=one.name, serial=serial[i], parallel=parallel[i], zero_adu=_left_out(self._planes[i]))
            for i, one in enumerate(amplifiers)
        )

    def _serial_levels(self, index: int) -> OverscanLevels | None:
        amplifier = self._detector.amplifiers[index]
        box = amplifier.serial_overscan
        if box is None:
            return None
        return self._levels(
            amplifier, self._region(index, _SERIAL, (0, amplifier.raw_height), (box.x0, box.x1)), SERIAL
        )

    def _parallel_region(self, index: int) -> Image | None:
        amplifier = self._detector.amplifiers[index]
        box = amplifier.parallel_overscan
        if box is None:
            return None
        region = self._region(index, _PARALLEL, (box.y0, box.y1), (amplifier.data.x0, amplifier.data.x1))
        region -= self._row_offsets[index][box.y0 : box.y1, None]
        return region

    def _parallel_levels(self, index: int, region: Image | None, instrument: str) -> OverscanLevels | None:
        if region is None:
            return None
        amplifier = self._detector.amplifiers[index]
        rule = _parallel_rule(instrument, amplifier.saturation_adu)
        return self._levels(amplifier, np.ascontiguousarray(region.T), rule)

    def _levels(self, amplifier: Amplifier, box: Image, rule: OverscanRule) -> OverscanLevels | None:
        try:
            return overscan_levels(box, rule=rule)
        except NotEnoughDataError as fault:
            if self._is_lenient:
                self.faults.setdefault(amplifier.name, str(fault))
                return None
            raise ExecutionError(
                f"{self.raw.path}: amplifier {amplifier.name}: {fault}",
                hint=f"leave exposure {self.raw.exposure} out",
                code="E-OVERSCAN",
            ) from fault

    def _row_offset(self, index: int, found: OverscanLevels | None) -> Image:
        if found is not None:
            return found.level
        # the zero of the stored values cancels in every difference, so it is not added to a pixel
        level = math.nan if self._detector.amplifiers[index].name in self.faults else -_left_out(self._planes[index])
        return np.full(self._planes[index].height, level, np.float32)


def _left_out(plane: ImagePlane) -> float:
    """Return the part of the zero that no pixel read here holds."""
    return plane.zero - _whole_zero(plane)


def _whole_zero(plane: ImagePlane) -> int:
    """Return the zero to add while values are whole: unsigned 32-bit ones lie near -2**31, too far for float32."""
    is_wide = np.dtype(plane.dtype).kind == "i" and np.dtype(plane.dtype).itemsize > 2
    return int(plane.zero) if is_wide and plane.scale == 1.0 and plane.zero.is_integer() else 0


@contextmanager
def open_frames(
    detector: Detector, raws: Sequence[RawInput], *, instrument: str = "", verify_checksums: bool = False
) -> Iterator[list[DetectorFrame]]:
    """Open exposures of one detector, in the order of their numbers, and close them at the end.

    Parameters
    ----------
    detector : Detector
        Geometry.
    raws : sequence of RawInput
        Files.
    instrument : str
        Butler name.
    verify_checksums : bool
        Whether to compare recorded SHA-256 sums.

    Yields
    ------
    list of DetectorFrame
        Sorted by exposure, so that a result never depends on the order of selection.

    Raises
    ------
    StoreError, ExecutionError
        As `DetectorFrame`, for the first file at fault.
    """
    with ExitStack() as stack:
        frames = []
        for raw in sorted(raws, key=lambda item: (item.exposure, item.path)):
            frame = DetectorFrame(detector, raw, instrument=instrument, verify_checksum=verify_checksums)
            stack.callback(frame.close)
            frames.append(frame)
        yield frames


def placements_of(detector: Detector) -> list[AmplifierPlacement]:
    """Return where each amplifier's imaging pixels go, in HDU order."""
    return [
        AmplifierPlacement(
            data_y0=amplifier.data.y0,
            width=amplifier.data.width,
            height=amplifier.data.height,
            detector_x0=amplifier.detector_x0,
            detector_y0=amplifier.detector_y0,
            is_flipped_x=amplifier.flip_x,
            is_flipped_y=amplifier.flip_y,
        )
        for amplifier in detector.amplifiers
    ]


def read_assembled(
    detector: Detector, raw: RawInput, *, instrument: str = "", units: str = ELECTRON, verify_checksum: bool = False
) -> tuple[Image, dict[str, AmplifierLevels]]:
    """Read one exposure, overscan subtracted and assembled.

    Parameters
    ----------
    detector : Detector
        Geometry and gains.
    raw : RawInput
        The file.
    instrument : str
        Butler name.
    units : {"electron", "adu"}
        Unit of the image.
    verify_checksum : bool
        Whether to compare a recorded SHA-256.

    Returns
    -------
    ndarray of shape (height, width), float32
        Assembled image; NaN where there is no amplifier.
    dict of str to AmplifierLevels
        Overscan levels and residual statistics [adu] by amplifier name.

    Raises
    ------
    StoreError, ExecutionError
        As `DetectorFrame`.
    """
    image = np.full((detector.height, detector.width), np.nan, np.float32)
    with open_frames(detector, (raw,), instrument=instrument, verify_checksums=verify_checksum) as (frame,):
        for index, (amplifier, placement) in enumerate(zip(detector.amplifiers, placements_of(detector), strict=True)):
            box = amplifier.data
            data = frame.read_data(index, box.y0, box.y1, out=np.empty((box.height, box.width), np.float32))
            if units == ELECTRON:
                data *= np.float32(amplifier.gain_e_per_adu)
            place_amplifier(data, placement, out=image)
        return image, {levels.name: levels for levels in frame.levels}


def _parallel_rule(instrument: str, saturation_adu: float) -> OverscanRule:
    rule = replace(PARALLEL, bleed_adu=_SATURATED_SHARE * saturation_adu)
    if instrument == "LATISS":
        return replace(rule, is_positive_only=False, outlier_adu=float("inf"))
    return rule


def _require_unchanged(raw: RawInput, *, verify_checksum: bool) -> None:
    path = Path(raw.path)
    try:
        size = path.stat().st_size
    except OSError as fault:
        raise StoreError(
            f"{raw.path}: raw file of exposure {raw.exposure} is not there: {fault.strerror}",
            hint="put it back, or ingest it again from its new place",
            code="E-MISSING",
        ) from fault
    if raw.size_bytes and size != raw.size_bytes:
        raise StoreError(
            f"{raw.path}: {size} bytes, {raw.size_bytes} when it was ingested",
            hint=f"restore the file or leave exposure {raw.exposure} out",
            code="E-SIZE",
        )
    if verify_checksum and raw.sha256 and sha256_of_file(path) != raw.sha256:
        raise StoreError(
            f"{raw.path}: its SHA-256 differs from that recorded when it was ingested",
            hint=f"restore the file or leave exposure {raw.exposure} out",
            code="E-CHECKSUM",
        )
