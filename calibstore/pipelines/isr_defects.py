"""Defective pixels of a detector in the order of rows, so that a band of all amplifiers finds its own at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Mask

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DefectRows:
    """Defective pixels, sorted by row."""

    lines: Numbers
    """Imaging rows, from 0 at the readout side."""
    amplifiers: Numbers
    columns: Numbers
    n_amps: int

    @classmethod
    def of(cls, pixels: Sequence[NDArray[np.integer]], widths: Sequence[int]) -> Self:
        """Return them from pixels numbered row by row in each amplifier.

        Parameters
        ----------
        pixels : sequence of ndarray of int
            For each amplifier.
        widths : sequence of int
            Of its rows.
        """
        split = [np.divmod(one.astype(np.int64), width) for one, width in zip(pixels, widths, strict=True)]
        lines, columns = (np.concatenate(part) for part in zip(*split, strict=True))
        amplifiers = np.repeat(np.arange(len(pixels)), [one.size for one in pixels])
        order = np.argsort(lines, kind="stable")
        return cls(lines[order], amplifiers[order], columns[order], len(pixels))

    def flag(self, mask: Mask, indices: Sequence[int], y0: int, y1: int, bit: int) -> None:
        """Set a bit in rows of some amplifiers.

        Parameters
        ----------
        mask : ndarray of shape (n, y1 - y0, width), int32
            Changed in place.
        indices : sequence of int
            Numbers of its amplifiers.
        y0, y1 : int
            Half-open range of imaging rows.
        bit : int
            What is set.
        """
        part = slice(*np.searchsorted(self.lines, (y0, y1)))
        place = np.full(self.n_amps, -1)
        place[list(indices)] = np.arange(len(indices))
        numbers = place[self.amplifiers[part]]
        inside = numbers >= 0
        mask[numbers[inside], self.lines[part][inside] - y0, self.columns[part][inside]] |= bit
