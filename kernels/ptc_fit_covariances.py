"""The full-covariance fit: a, b and noise of every lag and the gain, from the covariances of all levels.

Each covariance is a polynomial of the fourth degree in the mean signal, so the levels of a lag are first replaced by
the triangle of a QR decomposition of its weighted powers: five numbers say all that hundreds of levels do. The noise
stands in the first row alone and drops out with it; c = a b enters linearly and is solved for at each step (variable
projection); what is left to iterate on is a and the gain.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import KernelError, NotEnoughDataError
from kernels.ptc_models import convolution_matrix, convolved, covariance_coefficients, full_covariance

_N_POWERS: Final = 5
_MAX_STEPS: Final = 1000
"""Few pixels and many lags leave long valleys: ten lags of 5000 pixels take 300 to 500 steps, of 1e6 pixels 60."""
_CLIPS: Final = 3
_CLIP_SIGMA: Final = 5.0
_FIRST_PARABOLAS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CovarianceFit:
    """The full-covariance fit of one amplifier; matrices of shape (r, r), [serial, parallel]."""

    gain: float
    gain_error: float
    a_matrix: NDArray[np.float64]
    """[1/electron]."""
    a_errors: NDArray[np.float64]
    c_matrix: NDArray[np.float64]
    """a times b [1/electron^2]."""
    c_errors: NDArray[np.float64]
    noise_matrix: NDArray[np.float64]
    """[electron^2]."""
    noise_errors: NDArray[np.float64]
    reduced_chi2: float
    n_rejected: int
    """Covariances that were clipped."""

    @property
    def b_matrix(self) -> NDArray[np.float64]:
        """c/a [1/electron]."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.a_matrix != 0, self.c_matrix / self.a_matrix, np.nan)

    def model(self, means_adu: Vector) -> NDArray[np.float64]:
        """Return the covariances at mean signals, shape (n_points, r, r) [adu^2]."""
        return full_covariance(means_adu, self.gain, self.a_matrix, self.c_matrix, self.noise_matrix)


def fit_covariances(
    means_adu: Vector,
    covariances_adu2: NDArray[np.float64],
    sqrt_weights: NDArray[np.float64],
    *,
    gain: float,
    has_b: bool = True,
) -> CovarianceFit:
    """Fit the full-covariance model (Astier et al. 2019, eq. 20) to one amplifier.

    Parameters
    ----------
    means_adu : ndarray of shape (n_points,), float64
        Mean signals [adu].
    covariances_adu2, sqrt_weights : ndarray of shape (n_points, r, r), float64
        Measured covariances and their inverse errors; 0 leaves one out.
    gain : float
        First guess [electron/adu].
    has_b : bool
        Whether b is fitted; else it is 0.

    Returns
    -------
    CovarianceFit
        After three clips at five sigma of single covariances.

    Raises
    ------
    KernelError
        If there are fewer levels than parameters of a lag, or no fit is found.
    """
    n_points, r = covariances_adu2.shape[:2]
    if n_points < _N_POWERS:
        raise NotEnoughDataError(f"{n_points} pairs for a full-covariance fit, {_N_POWERS} are needed")
    weights = np.where(np.isfinite(covariances_adu2), sqrt_weights, 0.0)
    values = np.where(weights > 0, covariances_adu2, 0.0)
    start = None
    for clip in range(_CLIPS + 1):
        problem = _Problem(means_adu, values, weights, has_b=has_b)
        a_matrix, found_gain = problem.solve(*(start or (problem.parabolas(gain), gain)))
        start = (a_matrix, found_gain)
        c_matrix, noise = problem.linear_part(a_matrix, found_gain)
        residuals = weights * (values - full_covariance(means_adu, found_gain, a_matrix, c_matrix, noise))
        scale = max(1.0, 1.4826 * float(np.median(np.abs(residuals[weights > 0]))))
        outside = np.abs(residuals) > _CLIP_SIGMA * scale
        if clip == _CLIPS or not outside.any():
            break
        weights = np.where(outside, 0.0, weights)
        if ((weights > 0).sum(axis=0) < _N_POWERS).any():
            raise NotEnoughDataError("the clip leaves too few covariances of some lag")
    errors = problem.errors(a_matrix, c_matrix, noise, found_gain)
    n_parameters = (3 if has_b else 2) * r**2 + 1
    n_left = int((weights > 0).sum())
    return CovarianceFit(
        gain=found_gain,
        gain_error=errors[3],
        a_matrix=a_matrix,
        a_errors=errors[0],
        c_matrix=c_matrix,
        c_errors=errors[1],
        noise_matrix=noise,
        noise_errors=errors[2],
        reduced_chi2=float((residuals**2 * (weights > 0)).sum()) / max(n_left - n_parameters, 1),
        n_rejected=int((sqrt_weights > 0).sum()) - n_left,
    )


class _Problem:
    """Levels compressed to triangles; signals in units of the largest."""

    def __init__(
        self, means_adu: Vector, values: NDArray[np.float64], weights: NDArray[np.float64], *, has_b: bool
    ) -> None:
        self._r = values.shape[1]
        self._has_b = has_b
        self._unit = float(np.abs(means_adu).max())
        powers = (means_adu[:, None] / self._unit) ** np.arange(_N_POWERS)
        w = weights.reshape(len(means_adu), -1).T
        design = w[:, :, None] * powers
        q, self._triangle = np.linalg.qr(design)
        self._target = np.einsum("lpk,lp->lk", q, w * values.reshape(len(means_adu), -1).T)
        self._scale = self._unit ** np.arange(_N_POWERS)[:, None]

    def parabolas(self, gain: float) -> NDArray[np.float64]:
        """Return a first guess of a: parabolas through each lag, of what the higher orders of the last guess leave."""
        r = self._r
        a_matrix = np.zeros((r, r))
        zero = np.zeros((r, r))
        free = [0, 2]
        for _ in range(_FIRST_PARABOLAS):
            known = (covariance_coefficients(gain, a_matrix, zero, zero).reshape(_N_POWERS, -1) * self._scale).T
            known[:, free] = 0.0
            left = self._target - np.einsum("lij,lj->li", self._triangle, known)
            design = self._triangle[:, :, free]
            normal = np.einsum("lik,lim->lkm", design, design)
            right = np.einsum("lik,li->lk", design, left)
            a_matrix = np.linalg.solve(normal, right[:, :, None])[:, 1, 0].reshape(r, r) / self._scale[2, 0]
        return a_matrix

    def solve(self, a_matrix: NDArray[np.float64], gain: float) -> tuple[NDArray[np.float64], float]:
        """Minimise over a and the gain; c and the noise follow them."""
        parameters = np.append(a_matrix.ravel(), gain)
        cost, residual, jacobian = self._projected(parameters)
        damping = 1e-3
        for _ in range(_MAX_STEPS):
            scale = np.sqrt(np.einsum("ij,ij->j", jacobian, jacobian))
            scale[scale == 0] = 1.0
            scaled = jacobian / scale
            normal, gradient = scaled.T @ scaled, scaled.T @ residual
            normal[np.diag_indices_from(normal)] += damping
            step = np.linalg.solve(normal, gradient)
            trial = parameters - step / scale
            if trial[-1] > 0:
                found = self._projected(trial)
                promised = float(gradient @ step)
                if found[0] <= cost:
                    drop = cost - found[0]
                    parameters, (cost, residual, jacobian) = trial, found
                    damping = max(damping * 0.1, 1e-14)
                    if promised <= 1e-13 * cost and drop <= 1e-13 * cost:
                        break
                    continue
                if promised <= 1e-11 * cost:
                    break  # no rounding step makes it smaller
            damping *= 10
            if damping > 1e10:
                raise KernelError("the full-covariance fit does not converge")
        else:
            raise KernelError(f"the full-covariance fit does not converge in {_MAX_STEPS} steps")
        return parameters[:-1].reshape(self._r, self._r), float(parameters[-1])

    def linear_part(
        self, a_matrix: NDArray[np.float64], gain: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return c and the noise that fit best with a and the gain."""
        r = self._r
        zero = np.zeros((r, r))
        c_matrix = zero
        base = self._residual_rows(a_matrix, zero, gain)
        if self._has_b:
            found = np.linalg.lstsq(self._c_design(a_matrix, gain), base.ravel(), rcond=None)[0]
            c_matrix = -np.asarray(found, np.float64).reshape(r, r)
        known = (covariance_coefficients(gain, a_matrix, c_matrix, zero).reshape(_N_POWERS, -1) * self._scale).T
        left = self._target[:, 0] - np.einsum("lj,lj->l", self._triangle[:, 0], known)
        return c_matrix, (left / self._triangle[:, 0, 0] * gain**2).reshape(r, r)

    def errors(
        self, a_matrix: NDArray[np.float64], c_matrix: NDArray[np.float64], noise: NDArray[np.float64], gain: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
        """Return the errors of a, c, noise (0 for a c that is not fitted) and gain."""
        r, n = self._r, self._r**2
        outer = self._outer_derivatives(a_matrix, c_matrix, gain)
        outer[:, 0, -1] -= 2.0 * noise.ravel() / gain**3
        columns = [outer]
        if self._has_b:
            columns.append(self._c_derivatives(a_matrix, gain))
        of_noise = np.zeros((n, _N_POWERS, n))
        of_noise[np.arange(n), 0, np.arange(n)] = 1.0 / gain**2
        columns.append(of_noise)
        coefficients = np.concatenate(columns, axis=2) * self._scale[None]
        jacobian = np.einsum("lij,ljk->lik", self._triangle, coefficients).reshape(n * _N_POWERS, -1)
        scale = np.sqrt(np.einsum("ij,ij->j", jacobian, jacobian))
        scaled = jacobian / scale
        try:
            inverse = np.linalg.inv(scaled.T @ scaled)
        except np.linalg.LinAlgError as fault:
            raise KernelError("the pairs do not tell all covariances apart") from fault
        errors = np.sqrt(np.maximum(np.diagonal(inverse), 0.0)) / scale
        a_errors, gain_error = errors[:n].reshape(r, r), float(errors[n])
        c_errors = errors[n + 1 : 2 * n + 1].reshape(r, r) if self._has_b else np.zeros((r, r))
        return a_errors, c_errors, errors[-n:].reshape(r, r), gain_error

    def _residual_rows(
        self, a_matrix: NDArray[np.float64], c_matrix: NDArray[np.float64], gain: float
    ) -> NDArray[np.float64]:
        """Return model less target in the rows that do not hold the noise, shape (r^2, 4)."""
        zero = np.zeros_like(a_matrix)
        known = (covariance_coefficients(gain, a_matrix, c_matrix, zero).reshape(_N_POWERS, -1) * self._scale).T
        rows: NDArray[np.float64] = np.einsum("lij,lj->li", self._triangle[:, 1:], known) - self._target[:, 1:]
        return rows

    def _c_derivatives(self, a_matrix: NDArray[np.float64], gain: float) -> NDArray[np.float64]:
        """Return the derivatives of the coefficients by c, shape (r^2, 5, r^2)."""
        n = self._r**2
        found = np.zeros((n, _N_POWERS, n))
        found[np.arange(n), 3, np.arange(n)] = gain * 2.0 / 3.0
        found[:, 4] = gain**2 * (5.0 / 6.0) * convolution_matrix(a_matrix, self._r, self._r)
        return found

    def _c_design(self, a_matrix: NDArray[np.float64], gain: float) -> NDArray[np.float64]:
        """Return the derivatives of the residual rows by c, shape (4 r^2, r^2)."""
        n = self._r**2
        third = self._triangle[:, 1:, 3] * (self._scale[3, 0] * gain * 2.0 / 3.0)
        fourth = self._triangle[:, 1:, 4] * (self._scale[4, 0] * gain**2 * (5.0 / 6.0))
        design: NDArray[np.float64] = fourth[:, :, None] * convolution_matrix(a_matrix, self._r, self._r)[:, None, :]
        design[np.arange(n), :, np.arange(n)] += third
        return design.reshape(n * (_N_POWERS - 1), n)

    def _outer_derivatives(
        self, a_matrix: NDArray[np.float64], c_matrix: NDArray[np.float64], gain: float
    ) -> NDArray[np.float64]:
        """Return the derivatives of the coefficients by a and the gain, shape (r^2, 5, r^2 + 1); noise left out."""
        r, n = self._r, self._r**2
        twice = convolved(a_matrix, a_matrix, 2 * r - 1)
        of_twice = 2.0 * convolution_matrix(a_matrix, r, r)
        of_thrice = 3.0 * convolution_matrix(twice, r, r)
        of_mixed = convolution_matrix(c_matrix, r, r)
        found = np.zeros((n, _N_POWERS, n + 1))
        found[np.arange(n), 2, np.arange(n)] = 1.0
        found[:, 3, :n] = gain * (2.0 / 3.0) * of_twice
        found[:, 4, :n] = gain**2 * (of_thrice / 3.0 + (5.0 / 6.0) * of_mixed)
        coefficients = covariance_coefficients(gain, a_matrix, c_matrix, np.zeros((r, r))).reshape(_N_POWERS, -1)
        found[:, 1, n] = -coefficients[1] / gain
        found[:, 3, n] = coefficients[3] / gain
        found[:, 4, n] = 2.0 * coefficients[4] / gain
        return found

    def _projected(self, parameters: NDArray[np.float64]) -> tuple[float, Vector, NDArray[np.float64]]:
        """Return cost, residual and derivatives with c at its best (Kaufman's form of the projection)."""
        r = self._r
        a_matrix, gain = parameters[:-1].reshape(r, r), float(parameters[-1])
        zero = np.zeros((r, r))
        residual = self._residual_rows(a_matrix, zero, gain).ravel()
        c_matrix = zero
        q = None
        if self._has_b:
            q, triangle = np.linalg.qr(self._c_design(a_matrix, gain))
            c_matrix = -np.linalg.solve(triangle, q.T @ residual).reshape(r, r)
            residual = residual - q @ (q.T @ residual)
        outer = self._outer_derivatives(a_matrix, c_matrix, gain) * self._scale[None]
        jacobian = np.matmul(self._triangle[:, 1:], outer).reshape(residual.size, -1)
        if q is not None:
            jacobian -= q @ (q.T @ jacobian)
        return float(residual @ residual), residual, jacobian
