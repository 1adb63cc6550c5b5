"""Pixels without a trustworthy value, filled from their row: for looking and for statistics, always flagged."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image, Mask, plane_bit

REPAIRED_PLANES: Final = ("SAT", "BAD", "UNMASKEDNAN")
"""Planes whose pixels are filled."""
GROWN_PLANE: Final = "SAT"
"""Its neighbours are filled too: charge that spilled out of a saturated pixel."""
MAX_GAP: Final = 64
"""Columns across which a value is still a guess and not an invention [pixel]."""


def grow(selected: BoolImage, reach: int) -> BoolImage:
    """Select the neighbours of selected pixels too, in a square.

    Parameters
    ----------
    selected : ndarray of shape (ny, nx), bool
        Pixels to start from.
    reach : int
        Distance [pixel].
    """
    grown = selected.copy()
    for shift in range(1, reach + 1):
        grown[:, shift:] |= selected[:, :-shift]
        grown[:, :-shift] |= selected[:, shift:]
    wide = grown.copy()
    for shift in range(1, reach + 1):
        grown[shift:] |= wide[:-shift]
        grown[:-shift] |= wide[shift:]
    return grown


def repair_rows(image: Image, mask: Mask, *, reach: int = 1, max_gap: int = MAX_GAP) -> int:
    """Fill flagged pixels by straight lines along their rows, in place, and set INTRP.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Assembled image, any unit.
    mask : ndarray of shape (ny, nx), int32
        Flags; INTRP is added to pixels that were filled.
    reach : int
        How far saturated pixels are grown first [pixel].
    max_gap : int
        Longest run of flagged columns that is filled [pixel]; longer ones (a dead amplifier) keep what they have.

    Returns
    -------
    int
        Pixels filled. A run at the end of a row takes the one neighbour it has.
    """
    flagged = (mask & np.int32(sum(plane_bit(name) for name in REPAIRED_PLANES))) != 0
    saturated = (mask & np.int32(plane_bit(GROWN_PLANE))) != 0
    if saturated.any():
        flagged |= grow(saturated, reach)
    rows = np.flatnonzero(flagged.any(axis=1))
    n_filled = 0
    for row in rows:
        n_filled += _repair_row(image[row], mask[row], flagged[row], max_gap)
    return n_filled


def _repair_row(image: NDArray[np.float32], mask: NDArray[np.int32], flagged: NDArray[np.bool_], max_gap: int) -> int:
    good = np.flatnonzero(~flagged)
    bad = np.flatnonzero(flagged)
    if good.size == 0:
        return 0
    after = np.searchsorted(good, bad)
    left = np.where(after > 0, good[np.maximum(after - 1, 0)], -1)
    right = np.where(after < good.size, good[np.minimum(after, good.size - 1)], flagged.size)
    bad = bad[right - left - 1 <= max_gap]
    if bad.size == 0:
        return 0
    image[bad] = np.interp(bad, good, image[good])
    mask[bad] |= plane_bit("INTRP")
    return int(bad.size)
