"""Axes: ticks at round numbers, and the middle and width of many values, which outliers do not move."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.errors import NotEnoughDataError

MAD_TO_SIGMA: Final = 1.4826
"""Standard deviation of a Gaussian in median absolute deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustSummary:
    """Middle and width of the finite ones of some values."""

    median: float
    sigma_mad: float
    """1.4826 times the median absolute deviation: the standard deviation, were they Gaussian."""
    n: int
    least: float
    most: float


def robust_summary(values: NDArray[np.floating]) -> RobustSummary:
    """Return median, robust standard deviation and number of the finite values.

    Parameters
    ----------
    values : ndarray, float32 or float64
        Any shape and unit.

    Returns
    -------
    RobustSummary
        NaN, and n = 0, where nothing is finite.

    Examples
    --------
    >>> robust_summary(np.array([1.0, 2.0, 3.0, 4.0, 900.0, np.nan])).sigma_mad
    1.4826
    """
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return RobustSummary(median=math.nan, sigma_mad=math.nan, n=0, least=math.nan, most=math.nan)
    median = float(np.median(finite))
    return RobustSummary(
        median=median,
        sigma_mad=MAD_TO_SIGMA * float(np.median(np.abs(finite - median))),
        n=int(finite.size),
        least=float(finite.min()),
        most=float(finite.max()),
    )


def round_step(low: float, high: float, *, most: int) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that gives at most so many ticks.

    Parameters
    ----------
    low, high : float
        Ends of the axis, high > low.
    most : int
        Ticks at most, at least 2.

    Raises
    ------
    NotEnoughDataError
        If there is no axis.

    Examples
    --------
    >>> round_step(0.0, 13.0, most=5)
    5.0
    """
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        raise NotEnoughDataError(f"no axis from {low:g} to {high:g}")
    power = math.floor(math.log10((high - low) / max(2, most)))
    for exponent in (power, power + 1, power + 2):
        for factor in (1, 2, 5):
            step = float(f"{factor}e{exponent}")
            if math.floor(high / step) - math.ceil(low / step) + 1 <= max(2, most):
                return step
    return high - low


def round_ticks(low: float, high: float, *, most: int) -> tuple[float, ...]:
    """Return ticks at round numbers inside an axis.

    Parameters
    ----------
    low, high : float
        Ends of the axis, high > low.
    most : int
        Ticks at most.

    Examples
    --------
    >>> round_ticks(-0.3, 1.2, most=4)
    (0.0, 0.5, 1.0)
    """
    step = round_step(low, high, most=most)
    # Multiples by decimal text: 3 * 0.1 is not 0.3.
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return tuple(float(f"{number * step:.12g}") for number in numbers)[:most]
