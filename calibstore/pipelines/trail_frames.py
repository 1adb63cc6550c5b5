"""Raw flats with their overscans kept: what is measured of deferred charge needs what signal removal takes away.

The zero of a row is the median of the far half of its serial overscan, where no charge comes late any more; that of
a column of the parallel overscan is the median of its own far half.
"""

from pathlib import Path

import numpy as np

from calibstore.datastore.raw_pixels import PixelReader
from calibstore.errors import StoreError, UserInputError
from calibstore.model.camera import Amplifier, Box
from calibstore.pipelines.isr_tables import Indices
from calibstore.pipelines.quantum import RawInput
from kernels.arrays import Image
from kernels.deferred_charge_fit import TrailStatistics, trail_statistics
from kernels.linearity import LinearityTable, apply_linearity

_TRAILING_SKIP = 1


def read_trails(
    raw: RawInput,
    amplifiers: tuple[Amplifier, ...],
    *,
    gains_e_per_adu: tuple[float, ...],
    linearity: tuple[LinearityTable | None, ...] = (),
    defects: tuple[Indices, ...] = (),
) -> list[TrailStatistics]:
    """Measure every amplifier of one flat, one after the other.

    Parameters
    ----------
    raw : RawInput
        The file.
    amplifiers : tuple of Amplifier
        Geometry, in HDU order; both overscans are needed.
    gains_e_per_adu : tuple of float
        Of each amplifier [electron/adu].
    linearity : tuple of LinearityTable or None, optional
        S(x) of each amplifier [adu].
    defects : tuple of ndarray, optional
        Flat indices of the defects of each amplifier's imaging pixels.

    Returns
    -------
    list of TrailStatistics
        In electrons; NaN where the gain is NaN.

    Raises
    ------
    StoreError
        If the file is missing, damaged, or of another geometry.
    UserInputError
        If an amplifier has no overscan.
    """
    found = []
    with PixelReader(Path(raw.path)) as reader:
        for index, amplifier in enumerate(amplifiers):
            serial, parallel = _boxes(amplifier)
            pixels = _read(reader, raw, amplifier, serial)
            if linearity and (table := linearity[index]) is not None:
                apply_linearity(pixels, table, out=pixels)
            pixels *= np.float32(gains_e_per_adu[index])
            data = amplifier.data
            is_good = np.ones((data.height, data.width), np.bool_)
            if defects:
                is_good.reshape(-1)[defects[index]] = False
            beyond = pixels[parallel.y0 : parallel.y1, data.x0 : data.x1]
            beyond -= np.median(beyond[beyond.shape[0] // 2 :], axis=0).astype(np.float32)
            found.append(
                trail_statistics(
                    pixels[data.y0 : data.y1, data.x0 : data.x1],
                    pixels[data.y0 : data.y1, serial.x0 : serial.x1],
                    beyond,
                    is_good=is_good,
                )
            )
    return found


def _boxes(amplifier: Amplifier) -> tuple[Box, Box]:
    serial, parallel = amplifier.serial_overscan, amplifier.parallel_overscan
    if serial is None or parallel is None or serial.width < 4 or parallel.height < 4:
        raise UserInputError(
            f"amplifier {amplifier.name} has no serial and parallel overscan of four pixels and more",
            hint="deferred charge is measured in overscans; a camera without them has none to correct",
            code="E-GEOMETRY",
        )
    return serial, parallel


def _read(reader: PixelReader, raw: RawInput, amplifier: Amplifier, serial: Box) -> Image:
    """Return all of an amplifier's raw array, the zero of each row taken off [adu]."""
    plane = reader.plane(amplifier.extension)
    if (plane.width, plane.height) != (amplifier.raw_width, amplifier.raw_height):
        raise StoreError(
            f"{raw.path}: amplifier {amplifier.name} is {plane.width} x {plane.height} pixels, "
            f"the camera says {amplifier.raw_width} x {amplifier.raw_height}",
            hint="check that the file belongs to this camera",
            code="E-GEOMETRY",
        )
    # float64 until the zero is off: unsigned 32-bit values are stored near -2**31
    stored = reader.read_rows(plane, 0, plane.height).astype(np.float64) * plane.scale
    far = stored[:, serial.x0 + serial.width // 2 : serial.x1 - _TRAILING_SKIP]
    level = np.median(far, axis=1)
    return (stored - level[:, None]).astype(np.float32)
