"""The brighter-fatter kernel from covariances of flats: correlations of pairs, their mean, and the Poisson equation.

After Coulton et al. 2018 (AJ 155, 258). Everything is indexed [serial lag, parallel lag].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.errors import KernelError, NotEnoughDataError

EDGE_SHARE: Final = 0.05
"""Largest size of a kernel at its edge, in units of the centre's: beyond it the kernel is cut off too early."""

POSITIVE_SHARE: Final = 0.025
"""Largest positive value of a kernel, in units of the centre's size."""

REFERENCE_E: Final = 25_000.0
"""Signal at which a model's covariances are taken [electron]."""


class KernelSource(StrEnum):
    """What a kernel is made of."""

    MEAN = "MEAN"
    """Mean of the correlations of the pairs."""
    A_MATRIX = "A_MATRIX"
    """The fitted matrix a of the photon transfer curve."""
    QUADRATIC_FIT = "QUADRATIC_FIT"
    """Covariances fitted as a multiple of the squared signal."""
    MODEL = "MODEL"
    """Covariances of the fitted curve at one signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRule:
    """How a kernel is made (generation.md 5.4)."""

    source: KernelSource = KernelSource.MEAN
    n_sigma: float = 5.0
    """Clip of the mean over pairs [sigma]."""
    is_weighted: bool = False
    """Whether pairs count by the square of their signal, as their noise asks for: for small amplifiers."""
    sum_limit: float = 0.9
    """Largest size of the sum of a pair's correlations over the sum of their sizes: at 1 all have one sign, while
    charge that only moves has a sum of zero. (The published limit of 2 can never be passed.)"""
    is_zero_sum: bool = True
    subtract_noise: bool = True
    """Whether the read noise is taken off the variance: it is no loss of correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierKernel:
    """Kernel of one amplifier, or why it has none."""

    kernel: NDArray[np.float64]
    """Shape (2 r + 1, 2 r + 1) [1/electron]; NaN without one."""
    mean_correlation: NDArray[np.float64]
    """What the kernel solves for, of the same shape [1/electron]."""
    is_used: NDArray[np.bool_]
    """Pairs taken, of shape (n_pairs,)."""
    reason: str = ""
    """Why the kernel is not valid; empty when it is."""


def amplifier_kernel(
    means_e: NDArray[np.float64],
    covariances_e2: NDArray[np.float64],
    *,
    noise_e: float = 0.0,
    is_used: NDArray[np.bool_] | None = None,
    a_matrix: NDArray[np.float64] | None = None,
    rule: KernelRule | None = None,
) -> AmplifierKernel:
    """Make the kernel of an amplifier.

    Parameters
    ----------
    means_e : ndarray of shape (n_pairs,), float64
        Signals [electron].
    covariances_e2 : ndarray of shape (n_pairs, r, r), float64
        Covariances of one frame, [serial lag, parallel lag] [electron^2]; with the source MODEL those of the model.
    noise_e : float
        Read noise [electron].
    is_used : ndarray of shape (n_pairs,), bool, optional
        Pairs that may take part.
    a_matrix : ndarray of shape (r, r), float64, optional
        For the source A_MATRIX [1/electron].
    rule : KernelRule, optional
        Default: the published figures.

    Returns
    -------
    AmplifierKernel
        With a reason where the kernel is not valid.
    """
    rule = rule or KernelRule()
    n_lags = covariances_e2.shape[-1]
    kept = np.isfinite(means_e) & np.isfinite(covariances_e2).all(axis=(1, 2)) & (means_e > 0)
    kept = kept if is_used is None else kept & is_used
    try:
        quarter, kept = _correlation(means_e, covariances_e2, kept, noise_e=noise_e, a_matrix=a_matrix, rule=rule)
    except NotEnoughDataError as fault:
        nothing = np.full((2 * n_lags + 1, 2 * n_lags + 1), np.nan)
        return AmplifierKernel(
            kernel=nothing, mean_correlation=nothing.copy(), is_used=np.zeros_like(kept), reason=str(fault)
        )
    source = np.pad(tiled(quarter), 1)
    if rule.is_zero_sum:
        source[n_lags, n_lags] -= source.sum()
    kernel = solve_poisson(source)
    return AmplifierKernel(kernel=kernel, mean_correlation=source, is_used=kept, reason=kernel_fault(kernel))


def pair_correlations(
    means_e: NDArray[np.float64], covariances_e2: NDArray[np.float64], *, noise_e: float = 0.0
) -> NDArray[np.float64]:
    """Return what correlation the pixels of each pair lack.

    Parameters
    ----------
    means_e, covariances_e2, noise_e
        As for `amplifier_kernel`.

    Returns
    -------
    ndarray of shape (n_pairs, r, r), float64
        ``(mu delta - C)/mu^2`` [1/electron]: positive at lag zero, negative about it.
    """
    lacking = -covariances_e2.copy()
    lacking[:, 0, 0] += means_e + noise_e**2
    return np.asarray(lacking / (means_e**2)[:, None, None])


def tiled(quarter: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all four quadrants of a matrix of lags 0..r-1: shape (2 r - 1, 2 r - 1), lag zero in the middle."""
    half = np.concatenate([quarter[:0:-1], quarter])
    return np.concatenate([half[:, :0:-1], half], axis=1)


def solve_poisson(source: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the potential whose discrete Laplacian is a source, zero outside.

    Parameters
    ----------
    source : ndarray of shape (n, n), float64
        Right-hand side of the five-point Laplacian.

    Returns
    -------
    ndarray of shape (n, n), float64

    Raises
    ------
    KernelError
        If the source is not square.

    Notes
    -----
    The sine functions that vanish one pixel outside are its eigenvectors, so that two small matrix products there and
    two back solve it exactly; relaxation takes thousands of sweeps to the same.
    """
    n = len(source)
    if source.shape != (n, n):
        raise KernelError(f"the Poisson equation is solved on a square, not on {source.shape}")
    index = np.arange(1, n + 1)
    sine = np.sin(np.pi * np.outer(index, index) / (n + 1))
    eigenvalue = 2 * np.cos(np.pi * index / (n + 1)) - 2
    transformed = (sine @ source @ sine) / (eigenvalue[:, None] + eigenvalue[None, :])
    return np.asarray(sine @ transformed @ sine * (2 / (n + 1)) ** 2)


def kernel_fault(kernel: NDArray[np.float64]) -> str:
    """Say why a kernel is not valid.

    Parameters
    ----------
    kernel : ndarray of shape (n, n), float64
        Kernel.

    Returns
    -------
    str
        Empty for a valid one: least at its centre, nowhere above 2.5 % of the centre's size, and at its edge within
        5 % of it.
    """
    if not np.isfinite(kernel).all():
        return "the kernel holds values that are not finite"
    middle = len(kernel) // 2
    center = float(kernel[middle, middle])
    if center >= 0 or kernel.min() < center:
        return f"the kernel's least value {kernel.min():.3g} is not at its centre, where it is {center:.3g}"
    if kernel.max() > POSITIVE_SHARE * abs(center):
        return f"the kernel rises to {kernel.max() / abs(center):.3f} of its centre's size"
    edge = np.concatenate([kernel[[0, -1]].ravel(), kernel[:, [0, -1]].ravel()])
    if np.abs(edge).max() > EDGE_SHARE * abs(center):
        return f"the kernel is {np.abs(edge).max() / abs(center):.3f} of its centre at its edge: more lags are needed"
    return ""


def detector_kernel(kernels: Sequence[AmplifierKernel]) -> NDArray[np.float64]:
    """Return the mean of the valid kernels; NaN where none is."""
    valid = [one.kernel for one in kernels if not one.reason]
    if not valid:
        return np.full(kernels[0].kernel.shape, np.nan)
    return np.asarray(np.mean(valid, axis=0))


def _correlation(
    means_e: NDArray[np.float64],
    covariances_e2: NDArray[np.float64],
    kept: NDArray[np.bool_],
    *,
    noise_e: float,
    a_matrix: NDArray[np.float64] | None,
    rule: KernelRule,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return one quadrant of correlations and the pairs it comes from."""
    if rule.source is KernelSource.A_MATRIX:
        if a_matrix is None or not np.isfinite(a_matrix).all():
            raise NotEnoughDataError("the photon transfer curve has no fitted matrix a")
        return -a_matrix, kept
    noise = noise_e if rule.subtract_noise and np.isfinite(noise_e) else 0.0
    each = np.zeros_like(covariances_e2)
    each[kept] = pair_correlations(means_e[kept], covariances_e2[kept], noise_e=noise)
    lost = each[:, 0, 0] > 0  # a variance above the photons' own is no brighter-fatter effect
    kept = kept & lost
    whole = np.stack([tiled(one) for one in each]) if len(each) else np.empty((0, 1, 1))
    sizes = np.abs(whole).sum(axis=(1, 2))
    kept &= np.abs(whole.sum(axis=(1, 2))) <= rule.sum_limit * sizes
    if not kept.any():
        raise NotEnoughDataError("no pair has a variance below that of its photons and correlations of both signs")
    if rule.source is KernelSource.QUADRATIC_FIT:
        weights = means_e[kept] ** 4  # C - mu delta = -q mu^2, with equal errors
        return np.asarray(np.average(each[kept], axis=0, weights=weights)), kept
    if rule.source is KernelSource.MODEL:
        nearest = np.flatnonzero(kept)[np.argmin(np.abs(means_e[kept] - REFERENCE_E))]
        return each[nearest], kept
    weights = means_e[kept] ** 2 if rule.is_weighted else np.ones(int(kept.sum()))
    return _clipped_mean(each[kept], weights, rule.n_sigma), kept


def _clipped_mean(values: NDArray[np.float64], weights: NDArray[np.float64], n_sigma: float) -> NDArray[np.float64]:
    """Return the mean over the first axis without values far from the others, each element on its own."""
    weight = np.broadcast_to(weights[:, None, None], values.shape)
    # In units of each value's own noise, so that a faint pair is not thrown out for being noisy.
    scale = np.sqrt(weight)
    kept = np.ones(values.shape, np.bool_)
    mean = np.average(values, axis=0, weights=weights)
    for _ in range(3):
        residual = np.where(kept, (values - mean) * scale, np.nan)
        sigma = np.sqrt(np.nanmean(residual**2, axis=0))
        kept = np.abs((values - mean) * scale) <= n_sigma * sigma
        kept |= sigma == 0
        mean = (values * weight * kept).sum(axis=0) / (weight * kept).sum(axis=0)
    return np.asarray(mean)
