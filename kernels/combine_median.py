"""The median of a stack of frames, equal to numpy's bit for bit, by a pruned sorting network in tiles."""

from collections.abc import Sequence

import numpy as np

from kernels.arrays import Cube, Image
from kernels.combine import NETWORK_MAX_FRAMES, TILE_PIXELS
from kernels.errors import KernelError, NotEnoughDataError
from kernels.sorting_network import network_program


def median_combine(stack: Cube | Sequence[Image], *, out: Image | None = None) -> Image:
    """Return the median of each pixel.

    Parameters
    ----------
    stack : ndarray of shape (n, ny, nx) or sequence of n ndarrays of shape (ny, nx), float32
        Frames; unchanged.
    out : ndarray of shape (ny, nx), float32, optional
        Written and returned.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Median, of an even number the mean of the middle two; NaN where a sample is NaN.

    Raises
    ------
    KernelError
        If shapes differ.
    NotEnoughDataError
        If there is no frame.

    Examples
    --------
    >>> median_combine(np.array([[[4.0]], [[1.0]], [[2.0]], [[9.0]]], np.float32)).tolist()
    [[3.0]]
    """
    if len(stack) == 0:
        raise NotEnoughDataError("no frame to combine")
    shape, n = stack[0].shape, len(stack)
    if any(frame.shape != shape for frame in stack):
        raise KernelError(f"frames of different shapes: {sorted({frame.shape for frame in stack})}")
    rows = [np.ascontiguousarray(frame, dtype=np.float32).reshape(-1) for frame in stack]
    result = np.empty(shape, np.float32) if out is None else out
    flat = result.reshape(-1)
    middle = tuple(sorted({(n - 1) // 2, n // 2}))
    program = network_program(n, middle) if n <= NETWORK_MAX_FRAMES else None
    scratch = np.empty((program.n_scratch if program else 1, TILE_PIXELS), np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, flat.size, TILE_PIXELS):
            part = slice(start, min(start + TILE_PIXELS, flat.size))
            tile = [row[part] for row in rows]
            if program is not None:
                ranks = program.run(tile, scratch)
                low, high = ranks[middle[0]], ranks[middle[-1]]
            else:
                ordered = np.sort(np.stack(tile, axis=1), axis=1)
                ordered[np.isnan(ordered[:, -1])] = np.nan
                low, high = ordered[:, middle[0]], ordered[:, middle[-1]]
            if n % 2:
                flat[part] = low
            else:
                np.add(low, high, out=flat[part])
                np.multiply(flat[part], np.float32(0.5), out=flat[part])
    return result
