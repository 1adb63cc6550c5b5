"""What defective pixels say about their columns: fill what blinks on and off, widen bleeds, mask whole columns."""

from collections.abc import Sequence

import numpy as np

from kernels.arrays import BoolImage


def fill_blinking_columns(mask: BoolImage, *, min_pixels: int = 50, good_gap: int = 30) -> int:
    """Fill columns whose pixels are defective on and off, in place.

    Parameters
    ----------
    mask : ndarray of shape (ny, nx), bool
        Defects of a whole detector: a column is counted over all its rows.
    min_pixels : int
        Least defective pixels of a column that is filled [pixel].
    good_gap : int
        Successive defective rows that differ by this or more keep the good pixels between them [pixel].

    Returns
    -------
    int
        Columns that had enough defective pixels.
    """
    n_rows, n_columns = mask.shape
    y, x = np.divmod(np.flatnonzero(mask), n_columns)
    is_busy = np.bincount(x, minlength=n_columns) >= min_pixels
    kept = is_busy[x]
    by_column = np.sort(x[kept] * n_rows + y[kept])
    steps = np.diff(by_column)
    same_column = by_column[1:] // n_rows == by_column[:-1] // n_rows if by_column.size else steps == 0
    gaps = np.flatnonzero(same_column & (steps > 1) & (steps < good_gap))
    lengths = steps[gaps] - 1
    ends = np.cumsum(lengths)
    between = np.arange(int(lengths.sum())) + np.repeat(by_column[gaps] + 1 - (ends - lengths), lengths)
    columns, rows = np.divmod(between, n_rows)
    mask[rows, columns] = True
    return int(is_busy.sum())


def dilate_along_rows(mask: BoolImage, radius: int) -> BoolImage:
    """Return a mask widened by pixels to the left and right, as saturated columns need.

    Parameters
    ----------
    mask : ndarray of shape (ny, nx), bool
        Saturated pixels.
    radius : int
        Pixels to each side; 0 leaves the mask as it is.

    Returns
    -------
    ndarray of shape (ny, nx), bool
    """
    wide = mask.copy()
    for shift in range(1, radius + 1):
        wide[:, shift:] |= mask[:, :-shift]
        wide[:, :-shift] |= mask[:, shift:]
    return wide


def fill_amplifier_columns(
    mask: BoolImage, counted: BoolImage, places: Sequence[tuple[slice, slice]], *, min_pixels: int
) -> list[int]:
    """Mask whole amplifier columns that hold many marked pixels, in place.

    Parameters
    ----------
    mask : ndarray of shape (ny, nx), bool
        Defects to add to.
    counted : ndarray of shape (ny, nx), bool
        What is counted: `mask` itself, or the saturated pixels.
    places : sequence of tuple of slice
        Rows and columns of each amplifier.
    min_pixels : int
        Least marked pixels of a column of an amplifier; negative: never.

    Returns
    -------
    list of int
        Columns masked, by amplifier.
    """
    if min_pixels < 0:
        return [0] * len(places)
    filled = []
    for place in places:
        busy = np.add.reduce(counted[place], axis=0, dtype=np.int32) >= max(min_pixels, 1)
        if busy.any():
            mask[place][:, busy] = True
        filled.append(int(busy.sum()))
    return filled


def mask_border(mask: BoolImage, *, rows: int, columns: int) -> None:
    """Mask the border of a detector, in place.

    Parameters
    ----------
    mask : ndarray of shape (ny, nx), bool
        Defects to add to.
    rows, columns : int
        Width at top and bottom, and at left and right [pixel].
    """
    n_rows, n_columns = mask.shape
    mask[: min(rows, n_rows)] = mask[max(n_rows - rows, 0) :] = True
    mask[:, : min(columns, n_columns)] = mask[:, max(n_columns - columns, 0) :] = True
