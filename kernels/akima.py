"""Akima's classic interpolating spline: cubic pieces whose slopes weigh down a wild neighbour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError


@dataclass(frozen=True, slots=True)
class AkimaSpline:
    """Nodes, values and slopes of a spline.

    Attributes
    ----------
    nodes, values, slopes : ndarray of shape (n,), float64
        Abscissae (increasing), ordinates, and derivatives there.
    """

    nodes: Vector
    values: Vector
    slopes: Vector

    def __call__(self, x: NDArray[np.floating]) -> Vector:
        """Return the spline at any abscissae; outside the nodes, the value of the nearest one.

        Parameters
        ----------
        x : ndarray, float32 or float64
            Any shape.

        Returns
        -------
        ndarray of the shape of `x`, float64
            NaN where `x` is NaN.
        """
        flat = np.asarray(x, np.float64).reshape(-1)
        inside = np.clip(flat, self.nodes[0], self.nodes[-1])
        low = np.clip(np.searchsorted(self.nodes, inside, "right") - 1, 0, self.nodes.size - 2)
        found: Vector = _hermite(self.nodes, self.values[None], self.slopes[None], inside, low)[0]
        return found.reshape(np.shape(x))


def akima_spline(nodes: NDArray[np.floating], values: NDArray[np.floating]) -> AkimaSpline:
    """Return the spline through nodes.

    Parameters
    ----------
    nodes : ndarray of shape (n,), float64
        Increasing, at least two.
    values : ndarray of shape (n,), float64
        Ordinates.

    Returns
    -------
    AkimaSpline

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two nodes, they do not increase, or a number is not finite.

    Notes
    -----
    Akima (1970), J. ACM 17, 589: the slope at a node is the mean of the chords on either side, each weighted by how
    much the two chords beyond the *other* side differ; two chords are extrapolated at each end.
    """
    x, y = np.asarray(nodes, np.float64), np.asarray(values, np.float64)
    if x.size < 2 or x.size != y.size or not (np.isfinite(x).all() and np.isfinite(y).all() and (np.diff(x) > 0).all()):
        raise NotEnoughDataError(f"{x.size} nodes and {y.size} values: a spline needs two increasing, finite nodes")
    return AkimaSpline(x, y, _slopes(x, y))


def stacked_akima(nodes: Vector, values: Vector, x: Vector) -> Vector:
    """Return many splines on the same nodes at the same abscissae, as a numerical Jacobian wants them.

    Parameters
    ----------
    nodes : ndarray of shape (n,), float64
        Increasing.
    values : ndarray of shape (p, n), float64
        Ordinates of each spline.
    x : ndarray of shape (m,), float64
        Abscissae; outside the nodes the value of the nearest one holds.

    Returns
    -------
    ndarray of shape (p, m), float64
    """
    inside = np.clip(x, nodes[0], nodes[-1])
    low = np.clip(np.searchsorted(nodes, inside, "right") - 1, 0, nodes.size - 2)
    return _hermite(nodes, values, _slopes(nodes, values), inside, low)


def _hermite(nodes: Vector, values: Vector, slopes: Vector, inside: Vector, low: NDArray[np.intp]) -> Vector:
    width = np.diff(nodes)[low]
    t = (inside - nodes[low]) / width
    start = values[:, low] * (1 + 2 * t) + slopes[:, low] * (width * t)
    end = values[:, low + 1] * (3 - 2 * t) + slopes[:, low + 1] * (width * (t - 1))
    splines: Vector = start * (1 - t) ** 2 + end * t**2
    return splines


def _slopes(x: Vector, y: Vector) -> Vector:
    """Return the slopes at the nodes; further axes of `y` come first."""
    chords = np.diff(y) / np.diff(x)
    if chords.shape[-1] == 1:
        return np.repeat(chords, 2, axis=-1)
    before, after = 2 * chords[..., :1] - chords[..., 1:2], 2 * chords[..., -1:] - chords[..., -2:-1]
    first, last = 2 * before - chords[..., :1], 2 * after - chords[..., -1:]
    m = np.concatenate((first, before, chords, after, last), axis=-1)
    turn = np.abs(np.diff(m))
    left, right = turn[..., 2:], turn[..., :-2]
    total = left + right
    is_bent = total > 1e-9 * np.maximum(total.max(axis=-1, keepdims=True), 1e-300)
    weighed = left * m[..., 1:-2] + right * m[..., 2:-1]
    slopes: Vector = np.where(is_bent, weighed / np.where(is_bent, total, 1.0), (m[..., 3:] + m[..., :-3]) / 2)
    return slopes
