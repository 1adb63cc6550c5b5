"""The light of an exposure from the photodiode's current against time."""

from enum import StrEnum
from typing import Final

import numpy as np

from kernels.arrays import Vector
from kernels.errors import KernelError, NotEnoughDataError
from kernels.statistics import clipped_statistics

BASELINE_SHARE: Final = 0.2
"""Samples below this share of the range are dark [1]."""


class IntegrationMethod(StrEnum):
    """How a current becomes a charge."""

    DIRECT_SUM = "DIRECT_SUM"
    """Trapezoids of the current."""
    TRIMMED_SUM = "TRIMMED_SUM"
    """Trapezoids of the current above its dark level."""
    CHARGE_SUM = "CHARGE_SUM"
    """The samples are charges already: their sum."""
    MEAN = "MEAN"
    """Mean current times exposure time."""


def integrated_charge(
    time_s: Vector,
    current_a: Vector,
    *,
    method: IntegrationMethod | str = IntegrationMethod.TRIMMED_SUM,
    exposure_time_s: float = float("nan"),
    scale: float = -1.0,
) -> float:
    """Return the charge a photodiode collected.

    Parameters
    ----------
    time_s : ndarray of shape (n,), float64
        Times of the samples, ascending [s].
    current_a : ndarray of shape (n,), float64
        Currents [A]; samples that are not finite are left out.
    method : IntegrationMethod or str
        How.
    exposure_time_s : float
        For `MEAN` [s].
    scale : float
        What the charge is multiplied by: light makes the field's current negative, so -1.

    Returns
    -------
    float
        Charge [C].

    Raises
    ------
    NotEnoughDataError
        If there are fewer than two samples, or times that do not rise.
    KernelError
        If the method is unknown, or `MEAN` has no exposure time.

    Notes
    -----
    The dark level is the clipped mean of the samples in the darkest fifth of the range, with the sign of the light.
    """
    try:
        method = IntegrationMethod(method)
    except ValueError:
        raise KernelError(f"integration {method!r}: one of {', '.join(IntegrationMethod)}") from None
    finite = np.isfinite(time_s) & np.isfinite(current_a)
    times, current = time_s[finite], current_a[finite] * scale
    if times.size < 2 or (np.diff(times) < 0).any():
        raise NotEnoughDataError(f"{times.size} samples of a photodiode: it takes two or more, in the order of time")
    if method is IntegrationMethod.CHARGE_SUM:
        return float(current.sum())
    if method is IntegrationMethod.MEAN:
        if not np.isfinite(exposure_time_s):
            raise KernelError("the mean of a photodiode takes an exposure time")
        return float(current.mean() * exposure_time_s)
    if method is IntegrationMethod.TRIMMED_SUM:
        low, span = float(current.min()), float(np.ptp(current))
        dark = current[current <= low + BASELINE_SHARE * span]
        current = current - clipped_statistics(dark).mean
    return float(np.trapezoid(current, times))
