"""Fits of nonlinearity: what is over the straight line of light and signal, as a spline or a polynomial.

The light source is known up to a factor for each illumination group, so that the factor is fitted too, and S(x) is
fixed against it by its mean being zero.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError
from kernels.linearity_nodes import Groups
from kernels.linearity_spline import Flags, SplineProblem

_PRECISION: Final = 1e-10
_MOST_STEPS: Final = 100
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRule:
    """How a fit is made; the defaults are those of the field."""

    n_sigma: float = 5.0
    """Rejection [1.4826 times the median absolute deviation]."""
    max_iter: int = 20
    """Fits at most."""
    max_rejected: int = 5
    """Exposures rejected after one fit."""
    has_offset: bool = False
    """Whether a constant signal from scattered light is fitted."""
    has_temporal: bool = False
    """Whether a drift with time is fitted."""
    has_temperature: bool = False
    """Whether a change with temperature is fitted."""
    is_relative: bool = False
    """Whether the light is the signal of another amplifier: then |S| is bounded by 10000 adu instead of a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearityFit:
    """A fitted nonlinearity."""

    nodes: Vector
    """Of a spline, of shape (n,) [adu]; empty for a polynomial."""
    values: Vector
    """S at the nodes [adu], or the coefficients of a polynomial."""
    slopes: Vector
    """Of each group [adu per unit of light]; NaN for a group without exposures."""
    offset_adu: float
    temporal_per_day: float
    temperature_per_k: float
    parameters: Vector
    """All of these in one: values, slopes, then what is fitted of offset, time and temperature."""
    errors: Vector
    reduced_chi_squared: float
    is_kept: Flags
    """Exposures the last fit used, of shape (n,)."""
    linearized: Vector
    """Signal corrected by the fit, of shape (n,) [adu]."""
    line: Vector
    """Slope times light, of shape (n,) [adu]; NaN without a slope."""

    @property
    def fractions(self) -> Vector:
        """Corrected signal over the line, less one, of shape (n,)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            fractions: Vector = self.linearized / self.line - 1
        return fractions


def fit_spline(
    light: Vector,
    signal: Vector,
    groups: Groups,
    is_used: Flags,
    nodes: Vector,
    *,
    rule: FitRule,
    mean_zero_below_adu: float,
    relative_error: Vector | None = None,
    mjd: Vector | None = None,
    temperature: Vector | None = None,
) -> LinearityFit:
    """Fit an Akima spline S(x) to a ramp of flats.

    Parameters
    ----------
    light : ndarray of shape (n,), float64
        Photodiode charge, exposure time, or signal of another amplifier.
    signal : ndarray of shape (n,), float64
        Mean of the amplifier [adu].
    groups : ndarray of shape (n,), int64
        Illumination groups, -1 for none.
    is_used : ndarray of shape (n,), bool
        Exposures offered to the fit.
    nodes : ndarray of shape (n_nodes,), float64
        The first is zero, where S is zero [adu].
    rule : FitRule
        What is fitted, and how exposures are rejected.
    mean_zero_below_adu : float
        S has mean zero from 0 to here [adu].
    relative_error : ndarray of shape (n,), float64, optional
        Of each signal [1]; without it all exposures weigh alike.
    mjd, temperature : ndarray of shape (n,), float64, optional
        Time [day] and temperature [K or C], for the fits that want them.

    Returns
    -------
    LinearityFit

    Raises
    ------
    NotEnoughDataError
        If there are fewer exposures than parameters, or a wanted time or temperature is not there.

    Notes
    -----
    Minimises ``sum w [(mu' - S(mu') - O) / (k_j D) - 1]^2`` with ``mu' = mu (1 + beta (t - median))``, as in
    Astier et al. (2019); exposures beyond `FitRule.n_sigma` are rejected, the worst first, and all is fitted again.
    """
    from scipy.optimize import least_squares

    drifts = _drifts(rule, mjd, temperature)
    usable = is_used & (groups >= 0) & np.isfinite(signal) & np.isfinite(light) & (light > 0)
    weights = np.ones(signal.size) if relative_error is None else 1 / relative_error
    kept, n_fits, last = usable.copy(), 0, np.empty(0)
    while True:
        members = np.unique(groups[kept])
        n_parameters = nodes.size - 1 + members.size + rule.has_offset + len(drifts)
        if int(kept.sum()) < members.size + 2 or int(kept.sum()) < min(n_parameters, nodes.size + 1):
            raise NotEnoughDataError(f"{int(kept.sum())} exposures for {n_parameters} parameters of a linearity")
        problem = SplineProblem(
            light=light[kept],
            signal=signal[kept],
            group=np.searchsorted(members, groups[kept]),
            drifts=tuple(one[kept] for one in drifts),
            weights=weights[kept],
            nodes=nodes,
            has_offset=rule.has_offset,
            mean_zero_below_adu=mean_zero_below_adu,
        )
        start = problem.start() if last.size != n_parameters else last
        bounds = problem.bounds(start, is_relative=rule.is_relative)
        found = least_squares(
            problem.residuals,
            np.clip(start, *bounds),
            jac=problem.jacobian,
            bounds=bounds,
            x_scale=problem.scale(start),
            ftol=_PRECISION,
            xtol=_PRECISION,
            gtol=_PRECISION,
            max_nfev=_MOST_STEPS,
        )
        whole = problem.for_all(light, signal, np.searchsorted(members, groups), np.isin(groups, members), drifts)
        linearized, line = whole(found.x)
        last = found.x
        rejected = _worst(linearized, line, kept, weights, rule)
        n_fits += 1
        if not rejected.size or n_fits >= rule.max_iter:
            break
        kept[rejected] = False
    slopes = np.full(int(groups.max()) + 1, np.nan)
    slopes[members] = problem.parts(found.x)[1]
    return _spline_result(problem, found.x, slopes, (linearized, line, kept), rule)


def fit_polynomial(
    light: Vector,
    signal: Vector,
    groups: Groups,
    is_used: Flags,
    *,
    order: int,
    rule: FitRule,
    relative_error: Vector | None = None,
) -> LinearityFit:
    """Fit ``x + sum c_i x^(i+2) = k_j D`` to a ramp of flats: linear in the c and k.

    Parameters
    ----------
    light, signal, groups, is_used, relative_error
        See `fit_spline`.
    order : int
        Of the polynomial, at least 2; below: the line alone.
    rule : FitRule
        How exposures are rejected.

    Returns
    -------
    LinearityFit
        `values` are the coefficients c_i.

    Raises
    ------
    NotEnoughDataError
        If there are fewer exposures than parameters.
    """
    usable = is_used & (groups >= 0) & np.isfinite(signal) & np.isfinite(light) & (light > 0) & (signal > 0)
    weights = np.ones(signal.size) if relative_error is None else 1 / relative_error
    kept, n_groups = usable.copy(), int(groups.max(initial=0)) + 1
    powers, n_fits = np.arange(2, order + 1), 0
    while True:
        members = np.unique(groups[kept])
        n_parameters = members.size + powers.size
        if int(kept.sum()) <= n_parameters:
            raise NotEnoughDataError(f"{int(kept.sum())} exposures for {n_parameters} parameters of a linearity")
        x = signal[kept]
        scale = x.max()
        # divided by x: the residual is that of the fraction
        design = np.zeros((x.size, n_parameters))
        design[np.arange(x.size), np.searchsorted(members, groups[kept])] = light[kept] / x
        design[:, members.size :] = -((x / scale)[:, None] ** (powers - 1))
        sizes = np.abs(design).max(axis=0)
        weighed = design / sizes * weights[kept][:, None]
        solution, *_ = np.linalg.lstsq(weighed, weights[kept], rcond=None)
        spread = weights[kept] - weighed @ solution
        covariance = np.linalg.pinv(weighed.T @ weighed)
        units = np.concatenate((sizes[: members.size], sizes[members.size :] * scale ** (powers - 1.0)))
        numbers, deviations = solution / units, np.sqrt(np.maximum(np.diag(covariance), 0)) / units
        slopes = np.full(n_groups, np.nan)
        slopes[members] = numbers[: members.size]
        values = numbers[members.size :]
        linearized = signal + (signal[:, None] ** powers @ values if powers.size else 0.0)
        line = np.where(groups >= 0, slopes[np.maximum(groups, 0)], np.nan) * light
        rejected = _worst(linearized, line, kept, weights, rule)
        n_fits += 1
        if not rejected.size or n_fits >= rule.max_iter:
            break
        kept[rejected] = False
    chi = float((spread**2).sum()) / max(int(kept.sum()) - n_parameters, 1)
    scatter = np.sqrt(chi) if relative_error is None else 1.0
    order_of = np.concatenate((np.arange(members.size, n_parameters), np.arange(members.size)))
    return LinearityFit(
        nodes=np.empty(0),
        values=values,
        slopes=slopes,
        offset_adu=0.0,
        temporal_per_day=0.0,
        temperature_per_k=0.0,
        parameters=numbers[order_of],
        errors=(deviations * scatter)[order_of],
        reduced_chi_squared=chi,
        is_kept=kept,
        linearized=linearized,
        line=line,
    )


def signal_error(signal: Vector, *, gain_e_per_adu: float, noise_e: float, n_pixels: float) -> Vector:
    """Return the relative error of a mean from photon and read noise, at least 1e-5.

    Parameters
    ----------
    signal : ndarray of shape (n,), float64
        Means [adu].
    gain_e_per_adu, noise_e : float
        Of the amplifier.
    n_pixels : float
        Pixels behind each mean.
    """
    charge = np.maximum(signal * gain_e_per_adu, 1.0)
    error: Vector = np.maximum(np.sqrt((charge + noise_e**2) / n_pixels) / charge, 1e-5)
    return error


def _drifts(rule: FitRule, mjd: Vector | None, temperature: Vector | None) -> tuple[Vector, ...]:
    drifts = []
    for is_wanted, values, name in (
        (rule.has_temporal, mjd, "time"),
        (rule.has_temperature, temperature, "temperature"),
    ):
        if not is_wanted:
            continue
        if values is None or not np.isfinite(values).any():
            raise NotEnoughDataError(f"the {name} of the exposures is not known, a change with it cannot be fitted")
        middle = np.nanmedian(values)
        drifts.append(np.where(np.isfinite(values), values - middle, 0.0))
    return tuple(drifts)


def _worst(linearized: Vector, line: Vector, kept: Flags, weights: Vector, rule: FitRule) -> NDArray[np.intp]:
    """Return the exposures to reject: beyond n sigma of the pulls, the worst few."""
    pulls = np.zeros(kept.size)
    pulls[kept] = (linearized[kept] / line[kept] - 1) * weights[kept]
    away = np.abs(pulls - np.median(pulls[kept]))
    limit = rule.n_sigma * _MAD_TO_SIGMA * float(np.median(away[kept]))
    beyond = np.flatnonzero(kept & (away > limit) & (limit > 0))
    worst: NDArray[np.intp] = beyond[np.argsort(-away[beyond], kind="stable")][: rule.max_rejected]
    return worst


def _spline_result(
    problem: SplineProblem, p: Vector, slopes: Vector, exposures: tuple[Vector, Vector, Flags], rule: FitRule
) -> LinearityFit:
    values, _, offset, coefficients = problem.parts(p)
    jacobian, spread = problem.jacobian(p), problem.residuals(p)
    n_data = problem.signal.size
    # the constraint fixes one of the values or slopes
    chi = float((spread[:n_data] ** 2).sum()) / max(n_data - (p.size - 1), 1)
    scatter = np.sqrt(chi) if np.ptp(problem.weights) == 0 else 1.0
    errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(jacobian.T @ jacobian)), 0)) * scatter
    drifts = list(coefficients)
    temporal = drifts.pop(0) if rule.has_temporal else 0.0
    temperature = drifts.pop(0) if rule.has_temperature else 0.0
    linearized, line, kept = exposures
    return LinearityFit(
        nodes=problem.nodes,
        values=values,
        slopes=slopes,
        offset_adu=offset,
        temporal_per_day=float(temporal),
        temperature_per_k=float(temperature),
        parameters=np.concatenate(([0.0], p)),
        errors=np.concatenate(([0.0], errors)),
        reduced_chi_squared=chi,
        is_kept=kept,
        linearized=linearized,
        line=line,
    )
