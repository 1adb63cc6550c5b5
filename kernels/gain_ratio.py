"""Gains of the amplifiers of a detector against each other, from flats: light does not know where amplifiers end.

The light over the detector is a smooth surface; what is left between amplifiers is the error of their gains. Surface
and steps are found together: within an amplifier only the surface changes, so its coefficients follow from pixels less
their amplifier's mean, and the steps are medians of what it leaves.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import KernelError, NotEnoughDataError

_STEPS: Final = 8
_FEWEST_BINS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class GainRatioRule:
    """How gains are compared (generation.md 5.2 (5))."""

    order: int = 1
    """Degree of the Chebyshev surface."""
    n_radial: int = 20
    """Nodes of the radial spline; 0: none."""
    low_share: float = 0.8
    """Bins below this share of the 5th percentile are left out."""
    high_share: float = 1.2
    """Bins above this multiple of the 95th percentile are left out."""
    max_deviation: float = 0.05
    """Amplifiers off by more than this take no part and keep their gain."""
    max_noise_e: float = 12.0
    """Largest read noise of the reference amplifier [electron]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedFlat:
    """Binned pixels of one flat, all amplifiers one after the other, float64 arrays of shape (n_bins,)."""

    values: Vector
    """Adu times the gain to be checked [electron]."""
    amplifier: NDArray[np.int64]
    """Number of the amplifier."""
    x_px: Vector
    """Place in the assembled detector [pixel]."""
    y_px: Vector
    radius: Vector | None = None
    """Distance from the middle of the focal plane [mm]; None: no radial part."""


def reference_amplifier(gains: Vector, noises_e: Vector, turnoffs_adu: Vector, *, max_noise_e: float = 12.0) -> int:
    """Return the amplifier of median gain among the good ones.

    Parameters
    ----------
    gains, noises_e, turnoffs_adu : ndarray of shape (n_amps,), float64
        NaN for bad amplifiers.
    max_noise_e : float
        Largest read noise [electron].

    Raises
    ------
    NotEnoughDataError
        If no amplifier has a gain.
    """
    good = np.isfinite(gains)
    if not good.any():
        raise NotEnoughDataError("no amplifier has a gain")
    with np.errstate(invalid="ignore"):
        quiet = good & (noises_e <= max_noise_e)
        turnoffs = turnoffs_adu[quiet & np.isfinite(turnoffs_adu)]
        far = quiet & (turnoffs_adu >= np.percentile(turnoffs, 25)) if turnoffs.size else quiet
    chosen = np.flatnonzero(far if far.any() else good)
    order = chosen[np.argsort(gains[chosen], kind="stable")]
    return int(order[(order.size - 1) // 2])


def amplifier_ratios(flat: BinnedFlat, *, n_amps: int, reference: int, rule: GainRatioRule | None = None) -> Vector:
    """Return how much brighter each amplifier of a flat is than the reference, the light's own shape taken out.

    Parameters
    ----------
    flat : BinnedFlat
        One flat.
    n_amps, reference : int
        Number of amplifiers and the one that is 1.
    rule : GainRatioRule, optional
        Surface, cuts.

    Returns
    -------
    ndarray of shape (n_amps,), float64
        [1]; NaN where an amplifier has no bin, or is off by more than the rule allows.

    Raises
    ------
    KernelError
        If the reference has no bin, or too few are left.
    """
    rule = rule or GainRatioRule()
    kept = np.isfinite(flat.values) & (flat.values > 0)
    if np.count_nonzero(kept) < _FEWEST_BINS:
        raise NotEnoughDataError(f"{np.count_nonzero(kept)} bins of a flat hold light")
    low, high = np.percentile(flat.values[kept], (5, 95))
    kept &= (flat.values >= rule.low_share * low) & (flat.values <= rule.high_share * high)
    for _ in range(n_amps):
        ratios = _ratios(flat, kept, n_amps, reference, rule)
        off = np.abs(ratios - 1.0) > rule.max_deviation
        off[reference] = False
        if not off.any():
            return ratios
        worst = int(np.nanargmax(np.where(off, np.abs(ratios - 1.0), np.nan)))
        kept = kept & (flat.amplifier != worst)
    return ratios


def adjusted_gains(ratios: NDArray[np.float64], gains: Vector) -> tuple[Vector, Vector]:
    """Return gains that make flats continuous, and the corrections they were divided by.

    Parameters
    ----------
    ratios : ndarray of shape (n_flats, n_amps), float64
        See `amplifier_ratios`.
    gains : ndarray of shape (n_amps,), float64
        Gains the flats were multiplied by [electron/adu].

    Returns
    -------
    gains, corrections : ndarray of shape (n_amps,), float64
        The correction is the median over flats, by the median over amplifiers; 1 where there is none.
    """
    found = np.full(gains.shape, np.nan)
    for amp, column in enumerate(ratios.T):
        finite = column[np.isfinite(column)]
        if finite.size and math.isfinite(gains[amp]):
            found[amp] = np.median(finite)
    if np.isfinite(found).any():
        found /= np.median(found[np.isfinite(found)])
    corrections = np.where(np.isfinite(found), found, 1.0)
    return gains / corrections, corrections


def _ratios(flat: BinnedFlat, kept: NDArray[np.bool_], n_amps: int, reference: int, rule: GainRatioRule) -> Vector:
    """Return the ratios of the kept bins."""
    amplifier = flat.amplifier[kept]
    counts = np.bincount(amplifier, minlength=n_amps)
    if counts[reference] == 0 or counts.sum() < _FEWEST_BINS:
        raise KernelError("the reference amplifier has no usable bin in a flat")
    smooth = _surface_basis(flat.x_px[kept], flat.y_px[kept], rule.order)
    radial = _radial_basis(flat.radius[kept], rule.n_radial) if flat.radius is not None and rule.n_radial else None
    logs = np.log(flat.values[kept])
    coefficients = np.zeros(smooth.shape[1])
    light = np.ones(logs.size)
    left = logs
    for _ in range(_STEPS):
        basis = smooth / light[:, None]
        if radial is not None:
            basis = np.concatenate([basis, radial], axis=1)
        # less the mean of its amplifier, nothing but the surface is left of either side
        design = basis - _amplifier_means(basis, amplifier, n_amps)[amplifier]
        left = logs - np.log(light)
        target = left - _amplifier_means(left[:, None], amplifier, n_amps)[amplifier, 0]
        step, *_ = np.linalg.lstsq(design, target, rcond=1e-10)
        change = step[: coefficients.size]
        coefficients = coefficients + change
        light = np.maximum(1.0 + smooth @ coefficients, 0.05)
        left = logs - np.log(light) - radial @ step[coefficients.size :] if radial is not None else logs - np.log(light)
        if np.abs(change).max(initial=0.0) < 1e-7:
            break
    medians = np.array([np.median(left[amplifier == amp]) if counts[amp] else np.nan for amp in range(n_amps)])
    ratios: Vector = np.exp(medians - medians[reference])
    return ratios


def _amplifier_means(values: NDArray[np.float64], amplifier: NDArray[np.int64], n_amps: int) -> NDArray[np.float64]:
    """Return the mean of each column over each amplifier, shape (n_amps, n_columns)."""
    counts = np.maximum(np.bincount(amplifier, minlength=n_amps), 1)
    sums = [np.bincount(amplifier, weights=column, minlength=n_amps) for column in values.T]
    means: NDArray[np.float64] = np.array(sums).T / counts[:, None]
    return means


def _surface_basis(x: Vector, y: Vector, order: int) -> NDArray[np.float64]:
    """Return Chebyshev products of a total degree from 1 to `order`, shape (n_bins, n_terms)."""
    scaled = [2 * (axis - axis.min()) / max(float(np.ptp(axis)), 1e-9) - 1 for axis in (x, y)]
    along_x, along_y = (np.polynomial.chebyshev.chebvander(axis, order) for axis in scaled)
    terms = [along_x[:, i] * along_y[:, j] for i in range(order + 1) for j in range(order + 1 - i) if i + j > 0]
    return np.stack(terms, axis=1) if terms else np.zeros((x.size, 0))


def _radial_basis(radius: Vector, n_nodes: int) -> NDArray[np.float64]:
    """Return hat functions between nodes at equal steps, shape (n_bins, n_nodes)."""
    nodes = np.linspace(radius.min(), radius.max() + 1e-9, n_nodes)
    hats: NDArray[np.float64] = np.maximum(1.0 - np.abs(radius[:, None] - nodes) / (nodes[1] - nodes[0]), 0.0)
    return hats
