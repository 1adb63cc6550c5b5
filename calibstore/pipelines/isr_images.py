"""Image calibrations in bands of raw rows of all amplifiers, in readout order: no frame of them is held whole."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibstore.datastore.raw_pixels import PixelReader
from calibstore.errors import ConflictError
from calibstore.model.camera import Detector
from kernels.arrays import Cube
from kernels.assembly import AmplifierPlacement, oriented


class CalibPlane:
    """One plane of a product, open for reading in the order of the raw frames.

    Parameters
    ----------
    path : Path
        Product file.
    detector : Detector
        The detector it must fit.
    placements : sequence of AmplifierPlacement
        Of its amplifiers.
    name : str
        EXTNAME of the plane.

    Raises
    ------
    ConflictError
        If it has another shape than the detector.
    StoreError
        If the file or the plane is missing or damaged.
    """

    def __init__(
        self, path: Path, detector: Detector, placements: Sequence[AmplifierPlacement], name: str = "IMAGE"
    ) -> None:
        self._placements = placements
        self._reader = PixelReader(path)
        self._buffer = np.empty(0, np.uint8)
        self._band: tuple[tuple[object, ...], Cube] | None = None
        try:
            self._plane = self._reader.plane(name)
            if (self._plane.width, self._plane.height) != (detector.width, detector.height):
                raise ConflictError(
                    f"{path}: {self._plane.width} x {self._plane.height} pixels, detector {detector.full_name} has "
                    f"{detector.width} x {detector.height}",
                    hint="check the detector of the product",
                    code="E-GEOMETRY",
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def read_band(self, indices: Sequence[int], y0: int, y1: int) -> Cube:
        """Return imaging rows of amplifiers, in readout order.

        Parameters
        ----------
        indices : sequence of int
            Numbers of the amplifiers.
        y0, y1 : int
            Half-open range of imaging rows, from 0 at the readout side.

        Returns
        -------
        ndarray of shape (n, y1 - y0, width), float32
            Overwritten by the next call; the same band asked again is not read again.

        Raises
        ------
        StoreError
            If they cannot be read in full.
        """
        key = (tuple(indices), y0, y1)
        if self._band is not None and self._band[0] == key:
            return self._band[1]
        places = [self._placements[index] for index in indices]
        shape = (len(places), y1 - y0, places[0].width)
        cube = self._band[1] if self._band is not None and self._band[1].shape == shape else np.empty(shape, np.float32)
        ranges = [_detector_rows(place, y0, y1) for place in places]
        for rows in sorted(set(ranges)):
            n_bytes = (rows[1] - rows[0]) * self._plane.row_bytes
            if self._buffer.size < n_bytes:
                self._buffer = np.empty(n_bytes, np.uint8)
            stored = self._reader.read_rows(self._plane, *rows, buffer=self._buffer)
            for place, found, pixels in zip(places, ranges, cube, strict=True):
                if found == rows:
                    block = stored[:, place.detector_columns]
                    pixels[...] = oriented(block, is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y)
        self._band = (key, cube)
        return cube


def _detector_rows(place: AmplifierPlacement, y0: int, y1: int) -> tuple[int, int]:
    """Return the rows of the detector that show imaging rows y0..y1-1 of an amplifier."""
    if place.is_flipped_y:
        return place.detector_y0 + place.height - y1, place.detector_y0 + place.height - y0
    return place.detector_y0 + y0, place.detector_y0 + y1
