"""Covariances of neighbouring pixels of one image, masked pixels left out: every lag of a quarter plane at once.

Rows are taken in small tiles. The products of a tile with its neighbours at one serial lag are one matrix product,
whose diagonals hold all parallel lags of both signs. What masked pixels and edges take away from the number of pixel
pairs and from their means is found from the (short) list of masked pixels, not by more correlations.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image
from kernels.errors import NotEnoughDataError

_TILE_ROWS: Final = 16
_SPARSE_SHARE: Final = 0.02
"""Above this share of masked pixels two more correlations cost less than walking the list of them."""

_GATHERED: Final = 2048
"""Masked pixels whose surroundings are held at once."""


@dataclass(frozen=True, slots=True)
class Covariances:
    """Covariances of an image, index order [serial lag, parallel lag]."""

    values: NDArray[np.float64]
    """Shape (n_lags, n_lags) [unit of the image squared]; lags off both axes are the mean of both diagonals."""
    n_pixels: NDArray[np.float64]
    """Pixel pairs behind each value, shape (n_lags, n_lags); the mean of both diagonals."""


def covariances(image: Image, is_used: BoolImage, *, n_lags: int = 10) -> Covariances:
    """Return covariances of pixels up to ``n_lags - 1`` apart in both directions.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        For example the difference of two flats; values of unused pixels may be anything.
    is_used : ndarray of shape (ny, nx), bool
        Pixels that take part.
    n_lags : int
        Lags 0..n_lags - 1.

    Returns
    -------
    Covariances
        For each lag the mean product of pixel pairs less the product of the means of their first and second members,
        over pairs whose members are both used (generation.md 5.1).

    Raises
    ------
    NotEnoughDataError
        If the image is smaller than the lags, or some lag has no pixel pair.

    Notes
    -----
    Differs from a sum in float64 by less than 1e-6 of the variance. Beyond its arguments it holds one padded copy of
    the image (two where many pixels are masked).
    """
    ny, nx = image.shape
    if min(ny, nx) < n_lags or not is_used.any():
        raise NotEnoughDataError(f"{ny} x {nx} pixels cannot give {n_lags} lags")
    bad = np.flatnonzero(~is_used)
    padded = _padded(image, is_used, n_lags)
    products = _lag_sums(padded, padded, ny, nx, n_lags)
    if bad.size <= _SPARSE_SHARE * ny * nx:
        bad_y, bad_x = np.divmod(bad, nx)
        counts = _sparse_counts(ny, nx, bad_y, bad_x, n_lags)
        firsts, seconds = _sparse_sums(padded, (ny, nx), bad_y, bad_x, n_lags)
    else:
        used = _padded(is_used.astype(np.float32), is_used, n_lags, center=0.0)
        counts = _lag_sums(used, used, ny, nx, n_lags)
        firsts, seconds = _lag_sums(padded, used, ny, nx, n_lags), _lag_sums(used, padded, ny, nx, n_lags)
    if counts.min() < 1:
        raise NotEnoughDataError(f"some lag of {n_lags} has no pixel pair")
    both = products / counts - (firsts / counts) * (seconds / counts)
    return Covariances(_folded(both, n_lags), _folded(counts, n_lags))


def _folded(both: NDArray[np.float64], n_lags: int) -> NDArray[np.float64]:
    """Return the mean over both signs of the parallel lag of (n_lags, 2 n_lags - 1) values."""
    up, down = both[:, n_lags - 1 :], both[:, n_lags - 1 :: -1]
    folded = 0.5 * (up + down)
    folded[0] = up[0]
    return folded


def _padded(image: Image, is_used: BoolImage, n_lags: int, *, center: float | None = None) -> NDArray[np.float32]:
    """Return the image less about its mean, 0 where unused, with zeros around it: no product reaches over an edge.

    The mean may be a rough one: what it leaves goes out with the means of the members.
    """
    ny, nx = image.shape
    margin = n_lags - 1
    n_tiles = -(-ny // _TILE_ROWS)
    padded = np.zeros((n_tiles * _TILE_ROWS + 2 * margin, nx + 2 * margin), np.float32)
    if center is None:
        step = max(ny // 64, 1)
        some = image[::step][is_used[::step]]
        center = float(some.mean(dtype=np.float64)) if some.size else float(image[is_used].mean(dtype=np.float64))
    inner = padded[margin : margin + ny, margin : margin + nx]
    np.subtract(image, np.float32(center), out=inner, where=is_used)
    return padded


def _lag_sums(
    first: NDArray[np.float32], second: NDArray[np.float32], ny: int, nx: int, n_lags: int
) -> NDArray[np.float64]:
    """Return sum(first(y, x) * second(y + j, x + i)), shape (n_lags, 2 n_lags - 1): [i, j + n_lags - 1]."""
    margin = n_lags - 1
    span = _TILE_ROWS + 2 * margin
    total = np.zeros((n_lags, span, _TILE_ROWS))
    products = np.empty((n_lags, span, _TILE_ROWS), np.float32)
    row, column = second.strides
    second = second[:, margin:]
    for y0 in range(0, -(-ny // _TILE_ROWS) * _TILE_ROWS, _TILE_ROWS):
        here = first[y0 + margin : y0 + margin + _TILE_ROWS, margin : margin + nx]
        there = np.lib.stride_tricks.as_strided(second[y0:], (n_lags, span, nx), (column, row, column), writeable=False)
        np.matmul(there, here.T, out=products)
        total += products
    # row a of a tile meets row a + j at place a + j + margin
    return np.stack([np.trace(total, offset=-j - margin, axis1=1, axis2=2) for j in range(-margin, margin + 1)], axis=1)


def _sparse_counts(
    ny: int, nx: int, bad_y: NDArray[np.intp], bad_x: NDArray[np.intp], n_lags: int
) -> NDArray[np.float64]:
    """Return the pairs with both members used: all, less first bad, less second bad, plus both bad."""
    serial, parallel = np.arange(n_lags)[:, None], np.arange(1 - n_lags, n_lags)[:, None]
    counts: NDArray[np.float64] = ((nx - serial) * (ny - np.abs(parallel.T))).astype(np.float64)
    if not bad_y.size:
        return counts
    for sign in (1, -1):  # the masked pixel is the first member, then the second
        in_row = (bad_x + sign * serial >= 0) & (bad_x + sign * serial < nx)
        in_column = (bad_y + sign * parallel >= 0) & (bad_y + sign * parallel < ny)
        counts -= in_row.astype(np.float32) @ in_column.astype(np.float32).T
    margin = n_lags - 1
    is_bad = np.zeros((ny + 2 * margin, nx + 2 * margin), np.float32)
    is_bad[bad_y + margin, bad_x + margin] = 1
    _, second = _neighbour_sums(is_bad, bad_y, bad_x, n_lags)
    counts += second
    return counts


def _sparse_sums(
    padded: NDArray[np.float32],
    shape: tuple[int, int],
    bad_y: NDArray[np.intp],
    bad_x: NDArray[np.intp],
    n_lags: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of the first and of the second members over pairs with both members used."""
    ny, nx = shape
    margin = n_lags - 1
    inner = padded[margin : margin + ny, margin : margin + nx]
    firsts, seconds = np.empty((n_lags, 2 * n_lags - 1)), np.empty((n_lags, 2 * n_lags - 1))
    total = inner.sum(axis=0).astype(np.float64)
    top = np.concatenate([np.zeros((1, nx)), np.cumsum(inner[:margin], axis=0, dtype=np.float64)])
    bottom = np.concatenate([np.zeros((1, nx)), np.cumsum(inner[: -margin - 1 : -1], axis=0, dtype=np.float64)])
    for parallel in range(1 - n_lags, n_lags):
        lag = abs(parallel)
        low, high = total - top[lag], total - bottom[lag]
        # first members lie where the second, `parallel` rows further, is still inside
        first_rows, second_rows = (high, low) if parallel >= 0 else (low, high)
        for serial in range(n_lags):
            firsts[serial, parallel + margin] = first_rows[: nx - serial].sum()
            seconds[serial, parallel + margin] = second_rows[serial:].sum()
    if bad_y.size:  # members whose partner is masked; beyond the edges and at masked pixels the padded image is 0
        before, after = _neighbour_sums(padded, bad_y, bad_x, n_lags)
        firsts -= before
        seconds -= after
    return firsts, seconds


def _neighbour_sums(
    padded: NDArray[np.float32], bad_y: NDArray[np.intp], bad_x: NDArray[np.intp], n_lags: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums over masked pixels of the pixel each lag before and each lag after them."""
    margin = n_lags - 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * n_lags - 1, n_lags))
    before, after = np.zeros((2 * n_lags - 1, n_lags)), np.zeros((2 * n_lags - 1, n_lags))
    for first in range(0, bad_y.size, _GATHERED):
        y, x = bad_y[first : first + _GATHERED], bad_x[first : first + _GATHERED]
        before += windows[y, x].sum(axis=0, dtype=np.float64)
        after += windows[y, x + margin].sum(axis=0, dtype=np.float64)
    return before[::-1, ::-1].T, after.T
