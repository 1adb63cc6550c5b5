"""Defects as boxes: the fewest rectangles of a mask, and the mask of boxes."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage

Boxes: TypeAlias = NDArray[np.int32]
"""Boxes of shape (n, 4), int32: x0, y0, width, height [pixel], 0-based, sorted by x0, then y0."""


def mask_to_boxes(mask: BoolImage) -> Boxes:
    """Return boxes that cover exactly the marked pixels, without overlap.

    Parameters
    ----------
    mask : ndarray of shape (ny, nx), bool
        True where a pixel is defective.

    Returns
    -------
    ndarray of shape (n, 4), int32
        Runs along rows merged over rows, or runs along columns merged over columns: whichever are fewer.

    Examples
    --------
    >>> mask = np.zeros((5, 6), bool); mask[1:4, 2] = True; mask[2, 3] = True
    >>> mask_to_boxes(mask).tolist()
    [[2, 1, 1, 3], [3, 2, 1, 1]]
    """
    n_rows, n_columns = mask.shape
    pixels = np.flatnonzero(mask)
    along_rows = _merged_runs(pixels, n_columns)
    y, x = np.divmod(pixels, n_columns)
    by_column = x * n_rows + y
    by_column.sort()
    along_columns = _merged_runs(by_column, n_rows)[:, [1, 0, 3, 2]]
    boxes = along_columns if len(along_columns) < len(along_rows) else along_rows
    return boxes[np.lexsort((boxes[:, 1], boxes[:, 0]))].astype(np.int32)


def boxes_to_mask(boxes: NDArray[np.integer], shape: tuple[int, int], *, out: BoolImage | None = None) -> BoolImage:
    """Return the mask of boxes.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), int
        x0, y0, width, height; parts outside the image are left out.
    shape : tuple of int
        (ny, nx) of the image.
    out : ndarray of shape (ny, nx), bool, optional
        Mask to add to.

    Returns
    -------
    ndarray of shape (ny, nx), bool
    """
    mask = np.zeros(shape, np.bool_) if out is None else out
    for x0, y0, width, height in boxes.tolist():
        mask[max(y0, 0) : max(y0 + height, 0), max(x0, 0) : max(x0 + width, 0)] = True
    return mask


def _merged_runs(positions: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return runs of successive positions inside lines of a length, equal runs of successive lines made one box."""
    if positions.size == 0:
        return np.empty((0, 4), np.int64)
    starts_line = positions[1:] % length == 0
    breaks = np.flatnonzero((np.diff(positions) != 1) | starts_line) + 1
    first = positions[np.concatenate([[0], breaks])]
    last = positions[np.concatenate([breaks - 1, [positions.size - 1]])]
    line, begin = np.divmod(first, length)
    run = last - first + 1
    order = np.lexsort((line, run, begin))
    line, begin, run = line[order], begin[order], run[order]
    is_new = np.ones(line.size, np.bool_)
    is_new[1:] = (np.diff(begin) != 0) | (np.diff(run) != 0) | (np.diff(line) != 1)
    heads = np.flatnonzero(is_new)
    heights = np.diff(np.concatenate([heads, [line.size]]))
    return np.stack([begin[heads], line[heads], run[heads], heights], axis=1)
