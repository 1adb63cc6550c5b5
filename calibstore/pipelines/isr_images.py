"""Image calibrations in bands of raw rows of all amplifiers, in readout order: no frame of them is held whole."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.raw_pixels import PixelReader
from calibstore.errors import ConflictError
from calibstore.model.camera import Detector
from kernels.arrays import Cube, Mask
from kernels.assembly import AmplifierPlacement


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
    transform : callable, optional
        Changes a band in place, once for all frames that read it.

    Raises
    ------
    ConflictError
        If it has another shape than the detector.
    StoreError
        If the file or the plane is missing or damaged.
    """

    def __init__(
        self,
        path: Path,
        detector: Detector,
        placements: Sequence[AmplifierPlacement],
        name: str = "IMAGE",
        *,
        transform: Callable[[Cube], object] | None = None,
    ) -> None:
        self._placements = placements
        self._views = [_readout_view(place) for place in placements]
        self._transform = transform
        self._reader = PixelReader(path)
        self._buffer = np.empty(0, np.uint8)
        self._band: tuple[tuple[object, ...], Cube] | None = None
        self._flags: tuple[tuple[object, ...], Mask | None] | None = None
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
        shape = (len(key[0]), y1 - y0, self._placements[indices[0]].width)
        cube = self._band[1] if self._band is not None and self._band[1].shape == shape else np.empty(shape, np.float32)
        for first, last, numbers in self._ranges(indices, y0, y1):
            stored = self._stored(first, last)
            for number in numbers:
                cube[number] = stored[self._views[indices[number]]]
        if self._transform is not None:
            self._transform(cube)
        self._band = (key, cube)
        return cube

    def read_flags(self, indices: Sequence[int], y0: int, y1: int) -> Mask | None:
        """Return the bits of imaging rows of a mask plane, in readout order; None where none is set.

        Parameters
        ----------
        indices, y0, y1
            As for `read_band`.

        Raises
        ------
        StoreError
            If they cannot be read in full.
        """
        key = (tuple(indices), y0, y1)
        if self._flags is not None and self._flags[0] == key:
            return self._flags[1]
        cube: Mask | None = None
        for first, last, numbers in self._ranges(indices, y0, y1):
            stored = self._stored(first, last)
            if not stored.any():  # the usual case costs one look at the bytes
                continue
            if cube is None:
                cube = np.zeros((len(key[0]), y1 - y0, self._placements[indices[0]].width), np.int32)
            for number in numbers:
                cube[number] = stored[self._views[indices[number]]]
        self._flags = (key, cube)
        return cube

    def _ranges(self, indices: Sequence[int], y0: int, y1: int) -> list[tuple[int, int, list[int]]]:
        """Return the ranges of detector rows to read, each once, and which of the amplifiers they show."""
        ranges: dict[tuple[int, int], list[int]] = {}
        for number, index in enumerate(indices):
            ranges.setdefault(_detector_rows(self._placements[index], y0, y1), []).append(number)
        return [(*rows, numbers) for rows, numbers in sorted(ranges.items())]

    def _stored(self, first: int, last: int) -> NDArray[np.generic]:
        n_bytes = (last - first) * self._plane.row_bytes
        if self._buffer.size < n_bytes:
            self._buffer = np.empty(n_bytes, np.uint8)
        return self._reader.read_rows(self._plane, first, last, buffer=self._buffer)


def _readout_view(place: AmplifierPlacement) -> tuple[slice, slice]:
    """Return what takes an amplifier out of whole rows, in readout order."""
    columns = place.detector_columns
    rows = slice(None, None, -1 if place.is_flipped_y else 1)
    if not place.is_flipped_x:
        return rows, columns
    return rows, slice(columns.stop - 1, columns.start - 1 if columns.start else None, -1)


def _detector_rows(place: AmplifierPlacement, y0: int, y1: int) -> tuple[int, int]:
    """Return the rows of the detector that show imaging rows y0..y1-1 of an amplifier."""
    if place.is_flipped_y:
        return place.detector_y0 + place.height - y1, place.detector_y0 + place.height - y0
    return place.detector_y0 + y0, place.detector_y0 + y1
