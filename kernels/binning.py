"""Means of b x b blocks by two small matrix products."""

import numpy as np

from kernels.arrays import Image
from kernels.errors import NotEnoughDataError


def bin_mean(image: Image, factor: int) -> Image:
    """Return the mean of each block of `factor` x `factor` pixels.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels; those that are not finite take no part.
    factor : int
        Block side [pixel].

    Returns
    -------
    ndarray of shape (ny // factor, nx // factor), float32
        Block means, NaN where no pixel is finite; rows and columns beyond the last whole block are left out.

    Raises
    ------
    NotEnoughDataError
        If no whole block fits.

    Examples
    --------
    >>> bin_mean(np.arange(16, dtype=np.float32).reshape(4, 4), 2).tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    ny, nx = image.shape[0] // factor, image.shape[1] // factor
    if factor < 1 or ny == 0 or nx == 0:
        raise NotEnoughDataError(f"no block of {factor} x {factor} pixels fits in an image of shape {image.shape}")
    weights = np.full(factor, 1 / factor, np.float32)
    used = np.ascontiguousarray(image[: ny * factor], np.float32)
    rows = (weights[None, :] @ used.reshape(ny, factor, image.shape[1]))[:, 0, : nx * factor]
    binned: Image = (np.ascontiguousarray(rows).reshape(ny * nx, factor) @ weights).reshape(ny, nx)
    for y, x in zip(*np.nonzero(~np.isfinite(binned)), strict=True):
        block = used[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        finite = block[np.isfinite(block)]
        binned[y, x] = finite.mean(dtype=np.float64) if finite.size else np.nan
    return binned
