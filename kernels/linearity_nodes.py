"""What a linearity fit starts from: illumination groups, their slopes, where linearity ends, and the nodes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError

GROUP_GAP: Final = 0.1
"""Step of the brightness, relative to its median, at which another group begins [1]."""
GROUP_TOP: Final = 0.9
"""Share of the largest signal above which exposures belong to the largest group: saturation lowers their ratio [1]."""
SLOPE_MIN_ADU: Final = 1_000.0
SLOPE_MAX_TURNOFFS: Final = 1.3
"""Signals of the slope, from [adu] and up to [turnoff of the photon transfer curve]."""
LINEARITY_TOLERANCE: Final = 0.01
"""Departure from the median residual up to which an exposure counts as nearly linear [1]."""
LEAST_POINTS: Final = 4
"""A linearity takes more exposures than this."""

Groups = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRule:
    """Distances of spline nodes; the defaults are those of the relative spline."""

    low_adu: float = 750.0
    """Below the threshold [adu]."""
    mid_adu: float = 5_000.0
    """From the threshold to the turnoff of the photon transfer curve [adu]."""
    high_adu: float = 2_000.0
    """From there to the end of linearity [adu]."""
    threshold_adu: float = 5_000.0
    """Where the low part ends [adu]."""
    first_adu: float = 100.0
    """First node above zero; 0: none of its own [adu]."""


ABSOLUTE_NODES: Final = NodeRule(mid_adu=3_000.0, high_adu=3_000.0, first_adu=0.0)
"""Of the absolute spline: 3000 adu as published, but below the threshold as dense as the relative one.

The reference amplifier has its own features there, and the relative splines bring those to the others.
"""
_LEAST_MID: Final = 5
_LEAST_HIGH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearity:
    """How far a signal is nearly proportional to the light."""

    slopes: Vector
    """Of each group, of shape (n_groups,) [adu per unit of light]; NaN for a group without usable exposures."""
    turnoff_adu: float
    """Largest signal that is nearly linear [adu]."""
    max_signal_adu: float
    """Median of the signals above 0.99 of the largest [adu]."""
    is_linear: NDArray[np.bool_]
    """Of shape (n,)."""


def illumination_groups(signal: Vector, exposure_time_s: Vector, *, gap: float = GROUP_GAP) -> Groups:
    """Sort exposures into groups of one brightness.

    Parameters
    ----------
    signal : ndarray of shape (n,), float64
        Mean of each exposure [electron or adu]; NaN ones are in no group.
    exposure_time_s : ndarray of shape (n,), float64
        Its time [s].
    gap : float
        Step between neighbouring ratios that parts two groups, in units of the median ratio [1].

    Returns
    -------
    ndarray of shape (n,), int64
        Group of each exposure, 0 the faintest; -1 for none.
    """
    groups = np.full(signal.size, -1, np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = signal / exposure_time_s
    usable = np.isfinite(ratio) & (exposure_time_s > 0) & (signal > 0)
    if not usable.any():
        return groups
    relative = ratio / np.median(ratio[usable])
    is_top = usable & (signal > GROUP_TOP * signal[usable].max())
    body = usable & ~is_top if (usable & ~is_top).any() else usable
    chosen = np.flatnonzero(body)
    order = chosen[np.argsort(relative[chosen], kind="stable")]
    groups[order] = np.concatenate(([0], np.cumsum(np.diff(relative[order]) > gap)))
    counts = np.bincount(groups[order])
    groups[is_top & (groups < 0)] = int(np.argmax(counts))
    return groups


def linearity_range(
    light: Vector,
    signal: Vector,
    groups: Groups,
    is_used: NDArray[np.bool_],
    *,
    ptc_turnoff_adu: float,
    tolerance: float = LINEARITY_TOLERANCE,
    min_signal_adu: float = SLOPE_MIN_ADU,
) -> Linearity:
    """Find the slope of each group and the end of linearity.

    Parameters
    ----------
    light : ndarray of shape (n,), float64
        Photodiode charge or exposure time.
    signal : ndarray of shape (n,), float64
        Mean of the amplifier [adu].
    groups : ndarray of shape (n,), int64
        See `illumination_groups`.
    is_used : ndarray of shape (n,), bool
        Exposures that may take part.
    ptc_turnoff_adu : float
        Turnoff of the photon transfer curve [adu]; NaN where there is none.
    tolerance : float
        Largest departure of a nearly linear exposure from the median residual [1].
    min_signal_adu : float
        Least signal that takes part in a slope [adu].

    Returns
    -------
    Linearity

    Raises
    ------
    NotEnoughDataError
        If there are not more than four usable exposures, or not more than four are nearly proportional to the light.

    Notes
    -----
    Slope ``sum x / sum(x^2 / y)``: exact for proportional data, and a bright exposure weighs no more than its light.
    """
    usable = is_used & np.isfinite(light) & np.isfinite(signal) & (light > 0) & (signal > 0) & (groups >= 0)
    if int(usable.sum()) <= LEAST_POINTS:
        raise NotEnoughDataError(f"{int(usable.sum())} usable exposures: a linearity takes more than {LEAST_POINTS}")
    limit = SLOPE_MAX_TURNOFFS * ptc_turnoff_adu if np.isfinite(ptc_turnoff_adu) else np.inf
    n_groups = int(groups.max()) + 1
    slopes = np.full(n_groups, np.nan)
    is_linear = np.zeros(signal.size, np.bool_)
    for group in range(n_groups):
        chosen = np.flatnonzero(usable & (groups == group) & (signal > min_signal_adu) & (signal < limit))
        if chosen.size == 0:
            continue
        while True:
            slope = light[chosen].sum() / (light[chosen] ** 2 / signal[chosen]).sum()
            fraction = signal[chosen] / (slope * light[chosen]) - 1
            off = np.abs(fraction - np.median(fraction))
            if chosen.size <= LEAST_POINTS or off.max() <= tolerance:
                break
            chosen = np.delete(chosen, int(np.argmax(off)))
        slopes[group] = slope
        members = usable & (groups == group)
        departure = signal[members] / (slope * light[members]) - 1 - np.median(fraction)
        is_linear[members] = np.abs(departure) <= tolerance
    if int(is_linear.sum()) <= LEAST_POINTS:
        raise NotEnoughDataError(
            f"{int(is_linear.sum())} exposures are nearly proportional to the light: dead or saturated"
        )
    top = signal[usable].max()
    return Linearity(
        slopes=slopes,
        turnoff_adu=float(signal[is_linear].max()),
        max_signal_adu=float(np.median(signal[usable & (signal > 0.99 * top)])),
        is_linear=is_linear,
    )


def spline_nodes(linearity_turnoff_adu: float, ptc_turnoff_adu: float, rule: NodeRule) -> Vector:
    """Place the nodes of a spline, from zero to the end of linearity.

    Parameters
    ----------
    linearity_turnoff_adu : float
        Last node [adu].
    ptc_turnoff_adu : float
        Where the nodes become dense again [adu]; beyond the end of linearity, or NaN: nowhere.
    rule : NodeRule
        Distances.

    Returns
    -------
    ndarray of shape (n,), float64
        Increasing [adu].
    """
    end = linearity_turnoff_adu
    has_high = bool(np.isfinite(ptc_turnoff_adu)) and rule.threshold_adu < ptc_turnoff_adu < end - rule.high_adu
    knee = ptc_turnoff_adu if has_high else end
    threshold = min(rule.threshold_adu, 0.5 * knee)
    n_low = max(1, round(threshold / rule.low_adu))
    n_mid = max(_LEAST_MID, round((knee - threshold) / rule.mid_adu))
    parts = [np.linspace(0.0, threshold, n_low + 1), np.linspace(threshold, knee, n_mid + 1)[1:]]
    if has_high:
        n_high = max(_LEAST_HIGH, round((end - knee) / rule.high_adu))
        parts.append(np.linspace(knee, end, n_high + 1)[1:])
    nodes: Vector = np.concatenate(parts)
    if 0 < rule.first_adu < nodes[1]:
        nodes = np.insert(nodes, 1, rule.first_adu)
    return nodes


def supported_nodes(nodes: Vector, signal: Vector, *, n_points: int = 2) -> Vector:
    """Leave out nodes that no exposure decides.

    Parameters
    ----------
    nodes : ndarray of shape (n,), float64
        Increasing [adu].
    signal : ndarray of shape (m,), float64
        Signals of the exposures [adu].
    n_points : int
        Least exposures between two nodes that stay.

    Returns
    -------
    ndarray of shape (k,), float64
        The first and the last node, and of those between as many as have enough exposures on either side.
    """
    ordered = np.sort(signal[np.isfinite(signal)])
    below = np.searchsorted(ordered, nodes, "right")
    kept = [0]
    for index in range(1, nodes.size - 1):
        if below[index] - below[kept[-1]] >= n_points and below[-1] - below[index] >= n_points:
            kept.append(index)
    return nodes[[*kept, nodes.size - 1]]
