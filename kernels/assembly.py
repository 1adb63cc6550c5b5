"""Amplifier data to detector pixels and back: flips and places, nothing else."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierPlacement:
    """Where an amplifier's imaging rows lie in the raw array, and its pixels on the detector [pixel]."""

    data_y0: int
    width: int
    height: int
    detector_x0: int
    detector_y0: int
    is_flipped_x: bool
    is_flipped_y: bool

    @property
    def detector_columns(self) -> slice:
        """Columns of the assembled image."""
        return slice(self.detector_x0, self.detector_x0 + self.width)

    def raw_rows(self, detector_y0: int, detector_y1: int) -> tuple[int, int]:
        """Return the half-open range of raw rows shown in a range of assembled rows.

        Parameters
        ----------
        detector_y0, detector_y1 : int
            Half-open range of assembled rows inside this amplifier.
        """
        first, last = detector_y0 - self.detector_y0, detector_y1 - self.detector_y0
        if self.is_flipped_y:
            first, last = self.height - last, self.height - first
        return self.data_y0 + first, self.data_y0 + last


def row_bands(placements: list[AmplifierPlacement], *, detector_height: int, band_rows: int) -> list[tuple[int, int]]:
    """Cut the assembled rows into bands that never cross the edge of an amplifier.

    Parameters
    ----------
    placements : list of AmplifierPlacement
        All amplifiers of the detector.
    detector_height : int
        Rows of the assembled image [pixel].
    band_rows : int
        Most rows of a band.

    Returns
    -------
    list of tuple of int
        Half-open ranges that cover 0 .. detector_height, in order.
    """
    edges = {0, detector_height}
    for placement in placements:
        edges |= {placement.detector_y0, placement.detector_y0 + placement.height}
    cuts = sorted(edge for edge in edges if 0 <= edge <= detector_height)
    return [
        (first, min(first + band_rows, end)) for begin, end in pairwise(cuts) for first in range(begin, end, band_rows)
    ]


def oriented(block: NDArray[np.generic], *, is_flipped_x: bool, is_flipped_y: bool) -> NDArray[np.generic]:
    """Return a view of amplifier pixels turned the way the detector shows them (its own inverse).

    Parameters
    ----------
    block : ndarray of shape (ny, nx)
        Imaging pixels in readout order.
    is_flipped_x, is_flipped_y : bool
        Whether columns, rows are reversed.
    """
    return block[:: -1 if is_flipped_y else 1, :: -1 if is_flipped_x else 1]


def place_amplifier(data: NDArray[np.generic], placement: AmplifierPlacement, *, out: Image) -> Image:
    """Copy the imaging pixels of an amplifier to their place on the detector.

    Parameters
    ----------
    data : ndarray of shape (height, width)
        Imaging pixels of the amplifier, in readout order.
    placement : AmplifierPlacement
        Its place and flips.
    out : ndarray of shape (ny, nx), float32
        Assembled image; only this amplifier's part is written.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        `out`.
    """
    rows = slice(placement.detector_y0, placement.detector_y0 + placement.height)
    out[rows, placement.detector_columns] = oriented(
        data, is_flipped_x=placement.is_flipped_x, is_flipped_y=placement.is_flipped_y
    )
    return out
