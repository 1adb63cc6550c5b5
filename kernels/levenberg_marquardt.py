"""Least squares of many small problems of one kind at once, within bounds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector

Model: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Abscissas (m, n_points) and parameters (m, p) to values (m, n_points) and derivatives (m, p, n_points)."""

_CHUNK: Final = 192
"""Problems worked on together: their arrays stay in the cache."""
_FIRST_DAMPING: Final = 1e-3
_LARGEST_DAMPING: Final = 1e12


@dataclass(frozen=True, slots=True)
class BatchFit:
    """Solutions, one row each problem."""

    parameters: NDArray[np.float64]
    """Shape (m, p)."""
    covariance: NDArray[np.float64]
    """Inverse of the normal matrix, shape (m, p, p); NaN where it has none. A parameter at a bound has no error."""
    chi2: Vector
    """Sum of the squared weighted residuals."""
    is_converged: NDArray[np.bool_]


def fit_batch(
    model: Model,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sqrt_weights: NDArray[np.float64],
    start: NDArray[np.float64],
    *,
    lower: Vector,
    upper: Vector,
    max_iter: int = 80,
) -> BatchFit:
    """Minimise ``sum((sqrt_weights (y - model(x)))^2)`` for each problem.

    Parameters
    ----------
    model : callable
        See `Model`.
    x, y : ndarray of shape (m, n_points), float64
        Points; anything finite where the weight is 0.
    sqrt_weights : ndarray of shape (m, n_points), float64
        Inverse errors; 0 leaves a point out.
    start : ndarray of shape (m, p), float64
        First guess.
    lower, upper : ndarray of shape (p,), float64
        Bounds; the start is moved inside.
    max_iter : int
        Largest number of steps.

    Returns
    -------
    BatchFit
        Converged where a step promises less than 1e-14 of the sum, or changes no parameter by 1e-11 of itself.

    Notes
    -----
    Levenberg-Marquardt with Marquardt's scaling and a damping of its own for each problem; a parameter at a bound that
    wants to leave it is held for that step (projected steps).
    """
    m, p = start.shape
    parameters = np.empty((m, p))
    covariance = np.empty((m, p, p))
    chi2, is_converged = np.empty(m), np.empty(m, np.bool_)
    for first in range(0, m, _CHUNK):
        rows = slice(first, first + _CHUNK)
        part = _Chunk(model, x[rows], y[rows], sqrt_weights[rows], start[rows], lower, upper)
        part.run(max_iter)
        parameters[rows], covariance[rows] = part.parameters, part.inverse_normal()
        chi2[rows], is_converged[rows] = part.cost, part.is_done
    return BatchFit(parameters, covariance, chi2, is_converged)


class _Chunk:
    """Problems in hand; all arrays have them along the first axis."""

    def __init__(  # noqa: PLR0917 - the arguments of fit_batch
        self,
        model: Model,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        sqrt_weights: NDArray[np.float64],
        start: NDArray[np.float64],
        lower: Vector,
        upper: Vector,
    ) -> None:
        self._model, self._lower, self._upper = model, lower, upper
        self._x, self._y, self._weights = x, y, sqrt_weights
        self.parameters = np.clip(start, lower, upper)
        self._damping = np.full(len(start), _FIRST_DAMPING)
        self.is_done = np.zeros(len(start), np.bool_)
        self.cost, self._normal, self._gradient = self._evaluate(np.arange(len(start)), self.parameters)

    def run(self, max_iter: int) -> None:
        for _ in range(max_iter):
            active = np.flatnonzero(~self.is_done & (self._damping < _LARGEST_DAMPING))
            if not active.size:
                return
            self._step(active)

    def inverse_normal(self) -> NDArray[np.float64]:
        """Return the inverse normal matrices, NaN in rows and columns of parameters held at a bound."""
        held = self._held(np.arange(len(self.parameters)))
        scale, scaled = _scaled(self._normal, held)
        found = np.full(self._normal.shape, np.nan)
        is_good: NDArray[np.bool_] = np.asarray(np.isfinite(scaled).all(axis=(1, 2)))
        is_good[is_good] = np.linalg.matrix_rank(scaled[is_good]) == scaled.shape[1]
        found[is_good] = np.linalg.inv(scaled[is_good])
        found /= scale[:, :, None] * scale[:, None, :]
        found[held] = np.nan
        found.transpose(0, 2, 1)[held] = np.nan
        return found

    def _evaluate(
        self, rows: NDArray[np.intp], parameters: NDArray[np.float64]
    ) -> tuple[Vector, NDArray[np.float64], NDArray[np.float64]]:
        """Return the sum of squares, the normal matrix, and minus half the gradient."""
        whole = rows.size == len(self._x)
        x, y, weights = (a if whole else a[rows] for a in (self._x, self._y, self._weights))
        values, derivatives = self._model(x, parameters)
        np.subtract(y, values, out=values)
        values *= weights
        derivatives *= weights[:, None, :]
        cost = np.einsum("ij,ij->i", values, values)
        return (
            cost,
            np.matmul(derivatives, derivatives.transpose(0, 2, 1)),
            np.matmul(derivatives, values[:, :, None])[:, :, 0],
        )

    def _held(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        here, down = self.parameters[rows], self._gradient[rows]
        return ((here <= self._lower) & (down <= 0)) | ((here >= self._upper) & (down >= 0))

    def _step(self, rows: NDArray[np.intp]) -> None:
        held = self._held(rows)
        gradient = np.where(held, 0.0, self._gradient[rows])
        scale, scaled = _scaled(self._normal[rows], held)
        diagonal = np.arange(scaled.shape[1])
        scaled[:, diagonal, diagonal] += self._damping[rows, None]
        step = np.linalg.solve(scaled, (gradient / scale)[:, :, None])[:, :, 0] / scale
        trial = np.clip(self.parameters[rows] + step, self._lower, self._upper)
        step = trial - self.parameters[rows]
        cost, normal, down = self._evaluate(rows, trial)
        old = self.cost[rows]
        promised = np.abs(np.einsum("ij,ij->i", step, gradient))
        is_better = cost <= old
        is_small = (promised <= 1e-14 * old) | (np.abs(step) <= 1e-11 * np.abs(trial) + 1e-300).all(axis=1)
        better = rows[is_better]
        self.parameters[better] = trial[is_better]
        self.cost[better], self._normal[better], self._gradient[better] = (
            part[is_better] for part in (cost, normal, down)
        )
        self._damping[rows] = np.where(
            is_better, np.maximum(self._damping[rows] * 0.05, 1e-15), self._damping[rows] * 10
        )
        self.is_done[rows] = is_small


def _scaled(normal: NDArray[np.float64], held: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the roots of the diagonals and the matrices scaled to a diagonal of 1, held parameters cut off."""
    diagonal = np.arange(normal.shape[1])
    scale = np.sqrt(normal[:, diagonal, diagonal])
    scale[~(scale > 0)] = 1.0
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    scaled[held] = 0.0
    scaled.transpose(0, 2, 1)[held] = 0.0
    scaled[:, diagonal, diagonal] = 1.0
    return scale, scaled
