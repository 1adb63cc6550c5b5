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
        inside = np.clip(np.asarray(x, np.float64), self.nodes[0], self.nodes[-1])
        low = np.clip(np.searchsorted(self.nodes, inside, "right") - 1, 0, self.nodes.size - 2)
        width = np.diff(self.nodes)[low]
        t = (inside - self.nodes[low]) / width
        start = self.values[low] * (1 + 2 * t) + self.slopes[low] * width * t
        end = self.values[low + 1] * (3 - 2 * t) + self.slopes[low + 1] * width * (t - 1)
        spline: Vector = start * (1 - t) ** 2 + end * t**2
        return spline


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
    chords = np.diff(y) / np.diff(x)
    if chords.size == 1:
        return AkimaSpline(x, y, np.repeat(chords, 2))
    before, after = 2 * chords[0] - chords[1], 2 * chords[-1] - chords[-2]
    m = np.concatenate(([2 * before - chords[0], before], chords, [after, 2 * after - chords[-1]]))
    turn = np.abs(np.diff(m))
    left, right = turn[2:], turn[:-2]
    total = left + right
    slopes = (m[3:] + m[:-3]) / 2
    is_bent = total > 1e-9 * max(float(total.max()), 1e-300)
    slopes[is_bent] = (left * m[1:-2] + right * m[2:-1])[is_bent] / total[is_bent]
    return AkimaSpline(x, y, slopes)
