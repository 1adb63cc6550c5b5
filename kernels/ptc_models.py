"""Models of the photon transfer curve, with their derivatives, for many amplifiers at once."""

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector

_SERIES_BELOW = 1e-2
"""Where (exp(x) - 1)/x loses digits; the series to x^5 is exact there."""
_LARGEST_POWER = 60.0


def exp_approximation(
    means_adu: NDArray[np.float64], parameters: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances of the exponential approximation and their derivatives.

    Parameters
    ----------
    means_adu : ndarray of shape (n_amps, n_points), float64
        Mean signals [adu].
    parameters : ndarray of shape (n_amps, 3), float64
        a00 [1/electron], gain [electron/adu], noise squared [electron^2].

    Returns
    -------
    variances : ndarray of shape (n_amps, n_points), float64
        ``[exp(2 a00 mu g) - 1]/(2 a00 g^2) + n/g^2`` [adu^2] (Astier et al. 2019, eq. 16).
    derivatives : ndarray of shape (n_amps, 3, n_points), float64
        By each parameter.
    """
    a00, gain, noise = (parameters[:, k, None] for k in range(3))
    phi, slope = _growth(2.0 * a00 * means_adu * gain)
    derivatives = np.empty((len(parameters), 3, means_adu.shape[1]))
    bent = 2.0 * slope
    bent *= means_adu
    bent *= means_adu
    derivatives[:, 0] = bent
    light = means_adu * phi
    light /= gain
    derivatives[:, 1] = bent * (a00 / gain) - light / gain - 2.0 * noise / gain**3
    derivatives[:, 2] = 1.0 / gain**2
    light += noise / gain**2
    return light, derivatives


def rolled_off(
    means_adu: NDArray[np.float64], parameters: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances of the exponential approximation with the roll-off before saturation.

    Parameters
    ----------
    means_adu : ndarray of shape (n_amps, n_points), float64
        Mean signals [adu].
    parameters : ndarray of shape (n_amps, 5), float64
        Those of `exp_approximation`, the signal where the roll-off begins, and its scale tau < 0 [adu].

    Returns
    -------
    variances : ndarray of shape (n_amps, n_points), float64
        Less ``exp(-(mu - mu_T)/tau) - 1`` from mu_T on [adu^2].
    derivatives : ndarray of shape (n_amps, 5, n_points), float64
    """
    values, inner = exp_approximation(means_adu, parameters[:, :3])
    begin, tau = parameters[:, 3, None], parameters[:, 4, None]
    power = np.minimum((begin - means_adu) / tau, _LARGEST_POWER)
    is_rolled = means_adu >= begin
    growth = np.where(is_rolled, np.exp(np.where(is_rolled, power, 0.0)), 1.0)
    values -= growth - 1.0
    derivatives = np.empty((len(parameters), 5, means_adu.shape[1]))
    derivatives[:, :3] = inner
    growth = np.where(is_rolled, growth, 0.0)
    derivatives[:, 3] = -growth / tau
    derivatives[:, 4] = growth * power / tau
    return values, derivatives


def full_covariance(
    means_adu: Vector,
    gain: float,
    a_matrix: NDArray[np.float64],
    c_matrix: NDArray[np.float64],
    noise_matrix: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return covariances of the full model (Astier et al. 2019, eq. 20).

    Parameters
    ----------
    means_adu : ndarray of shape (n_points,), float64
        Mean signals [adu].
    gain : float
        [electron/adu].
    a_matrix, c_matrix, noise_matrix : ndarray of shape (r, r), float64
        a [1/electron], c = a b [1/electron^2], noise [electron^2], lags [serial, parallel].

    Returns
    -------
    ndarray of shape (n_points, r, r), float64
        [adu^2].
    """
    coefficients = covariance_coefficients(gain, a_matrix, c_matrix, noise_matrix)
    powers = means_adu[:, None] ** np.arange(5)
    covariances: NDArray[np.float64] = np.einsum("pk,kij->pij", powers, coefficients)
    return covariances


def covariance_coefficients(
    gain: float, a_matrix: NDArray[np.float64], c_matrix: NDArray[np.float64], noise_matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what stands before mu^0..mu^4 in each covariance of `full_covariance`, shape (5, r, r).

    With * the convolution over the whole plane: ``n/g^2, delta/g, a, g (2/3)(a*a + c), g^2 [(1/3) a*a*a +
    (5/6) a*c]``.
    """
    r = len(a_matrix)
    twice = convolved(a_matrix, a_matrix, 2 * r - 1)
    thrice = convolved(a_matrix, twice, r)
    mixed = convolved(a_matrix, c_matrix, r)
    coefficients = np.zeros((5, r, r))
    coefficients[0] = noise_matrix / gain**2
    coefficients[1, 0, 0] = 1.0 / gain
    coefficients[2] = a_matrix
    coefficients[3] = gain * (2.0 / 3.0) * (twice[:r, :r] + c_matrix)
    coefficients[4] = gain**2 * (thrice / 3.0 + (5.0 / 6.0) * mixed)
    return coefficients


def convolved(first: NDArray[np.float64], second: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return lags 0..size - 1 of the convolution of two matrices that are symmetric in both lags.

    Parameters
    ----------
    first, second : ndarray of shape (r, r), float64
        Lags 0.. of each axis, [serial, parallel]; zero beyond.
    size : int
        Lags of the result along each axis.
    """
    flat = convolution_matrix(second, len(first), size) @ first.ravel()
    return flat.reshape(size, size)


def convolution_matrix(matrix: NDArray[np.float64], n_in: int, n_out: int) -> NDArray[np.float64]:
    """Return T with ``convolved(x, matrix, n_out).ravel() == T @ x.ravel()`` for x of (n_in, n_in) lags.

    Parameters
    ----------
    matrix : ndarray of shape (m, m), float64
        Lags 0.. of one factor.
    n_in, n_out : int
        Lags of the other factor and of the result.

    Returns
    -------
    ndarray of shape (n_out**2, n_in**2), float64
    """
    reach = n_in + n_out
    padded = np.zeros((reach, reach))
    size = min(len(matrix), reach)
    padded[:size, :size] = matrix[:size, :size]
    out, into = np.arange(n_out)[:, None], np.arange(n_in)[None, :]
    near, far = np.abs(out - into), out + into
    has_mirror = np.broadcast_to(into > 0, far.shape)
    # a lag other than 0 stands for itself and for its mirror image, along each axis
    rows = padded[near] + np.where(has_mirror[:, :, None], padded[far], 0.0)
    both = rows[:, :, near] + np.where(has_mirror[None, None], rows[:, :, far], 0.0)
    return np.ascontiguousarray(both.transpose(0, 2, 1, 3)).reshape(n_out**2, n_in**2)


def _growth(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (exp(x) - 1)/x and its derivative."""
    is_small = np.abs(x) < _SERIES_BELOW
    safe = np.where(is_small, 1.0, x)
    exponential = np.exp(safe)
    phi = exponential - 1.0
    phi /= safe
    slope = exponential
    slope -= phi
    slope /= safe
    if is_small.any():
        small = x[is_small]
        phi[is_small] = 1 + small / 2 * (1 + small / 3 * (1 + small / 4 * (1 + small / 5 * (1 + small / 6))))
        slope[is_small] = 1 / 2 + small * (1 / 3 + small * (1 / 8 + small * (1 / 30 + small * (1 / 144 + small / 840))))
    return phi, slope
