"""What is judged and measured of whole amplifiers in signature removal: levels, noise, steps between neighbours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image, Mask, Vector, plane_bit
from kernels.statistics import clipped_statistics

DEAD_NOISE_ADU: Final = 0.2
"""Noise below that of rounding alone (0.29 adu): nothing is connected, or every value is at the end of the scale."""

_LEAST_EDGE_PIXELS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelLimits:
    """When the overscan of an amplifier says that the amplifier is not to be used."""

    noise_limit_e: float = 25.0
    """Largest read noise [electron]."""
    shift_limit_sigma: float = math.inf
    """Largest shift of the overscan median from that of the photon transfer curve [its sigma]."""


def amplifier_fault(
    *,
    gain_e_per_adu: float,
    noise_adu: float,
    expected_noise_e: float = math.nan,
    level_adu: float = math.nan,
    reference_level_adu: float = math.nan,
    reference_sigma_adu: float = math.nan,
    limits: LevelLimits | None = None,
) -> str:
    """Say why an amplifier is not to be used, from its gain and its serial overscan.

    Parameters
    ----------
    gain_e_per_adu : float
        Gain; one that is not finite and positive is a fault by itself.
    noise_adu : float
        Of the overscan after its correction [adu]; NaN: there is no overscan.
    expected_noise_e : float
        Read noise it should have [electron]; tells a quiet amplifier from a dead one.
    level_adu, reference_level_adu, reference_sigma_adu : float
        Median of the overscan, the usual one and its scatter [adu]; NaN: not known.
    limits : LevelLimits, optional
        By default the noise is not judged and a shift neither.

    Returns
    -------
    str
        Empty when there is no fault.

    Examples
    --------
    >>> amplifier_fault(gain_e_per_adu=1.5, noise_adu=20.0, limits=LevelLimits())
    'read noise of 30.0 electron is over the limit of 25'
    """
    if not (math.isfinite(gain_e_per_adu) and gain_e_per_adu > 0):
        return f"gain is {gain_e_per_adu:g}"
    if limits is None:
        return ""
    noise_e = noise_adu * gain_e_per_adu
    if noise_e > limits.noise_limit_e:
        return f"read noise of {noise_e:.1f} electron is over the limit of {limits.noise_limit_e:g}"
    if noise_adu < DEAD_NOISE_ADU and not noise_e > expected_noise_e / 4:
        return f"overscan noise of {noise_adu:.2f} adu: dead, or at the end of the converter's scale"
    shift = abs(level_adu - reference_level_adu) / reference_sigma_adu if reference_sigma_adu > 0 else math.nan
    if shift > limits.shift_limit_sigma:
        return (
            f"overscan median of {level_adu:.1f} adu is {shift:.1f} sigma from {reference_level_adu:.1f}: "
            f"over {limits.shift_limit_sigma:g}"
        )
    return ""


def image_levels(image: NDArray[np.float32], mask: Mask, *, excluded: Sequence[str]) -> tuple[float, float, float]:
    """Return clipped mean, median and standard deviation of the unflagged pixels; NaN where there are none.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Any unit.
    mask : ndarray of shape (ny, nx), int32
        Flags.
    excluded : sequence of str
        Planes whose pixels take no part.
    """
    bits = np.int32(sum(plane_bit(name) for name in excluded))
    used = image[((mask & bits) == 0) & np.isfinite(image)]
    if used.size == 0:
        return math.nan, math.nan, math.nan
    found = clipped_statistics(used)
    return float(found.mean), float(np.median(used)), float(found.stdev)


def amplifier_pedestals(
    image: Image, boxes: Sequence[tuple[slice, slice]], *, inset: int = 5, width: int = 10, limit: float = math.inf
) -> Vector:
    """Return the constant of each amplifier that takes the steps between neighbours away.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Assembled image, any unit; flagged pixels NaN.
    boxes : sequence of tuple of slice
        Place of each amplifier.
    inset : int
        Pixels left out on either side of a border [pixel].
    width : int
        Width of the strip compared on either side [pixel].
    limit : float
        Steps larger than this are no pedestals and take no part [unit].

    Returns
    -------
    ndarray of shape (n_amp,), float64
        Mean zero over the amplifiers that touch another; NaN for one that touches none.

    Notes
    -----
    Least squares of the median steps across all common borders, each weighted by its length.
    """
    n = len(boxes)
    normal, right = np.zeros((n, n)), np.zeros(n)
    for first in range(n):
        for second in range(n):
            step, length = _step(image, boxes[first], boxes[second], inset, width)
            if length < _LEAST_EDGE_PIXELS or not abs(step) <= limit:
                continue
            for one, other, sign in ((first, second, -1.0), (second, first, 1.0)):
                normal[one, one] += length
                normal[one, other] -= length
                right[one] += sign * length * step
    touching = np.diag(normal) > 0
    pedestals = np.full(n, np.nan)
    if touching.any():
        part = normal[np.ix_(touching, touching)]
        # the sum is free: the least-norm solution has mean zero
        pedestals[touching] = np.linalg.lstsq(part, right[touching], rcond=None)[0]
    return pedestals


def _step(
    image: Image, first: tuple[slice, slice], second: tuple[slice, slice], inset: int, width: int
) -> tuple[float, int]:
    """Return the median step from one box to its right or upper neighbour, and the length of their border."""
    for axis in (0, 1):
        along = 1 - axis
        begin = max(first[along].start, second[along].start)
        end = min(first[along].stop, second[along].stop)
        if first[axis].stop != second[axis].start or end <= begin:
            continue
        border = first[axis].stop
        lower, upper = slice(border - inset - width, border - inset), slice(border + inset, border + inset + width)
        part = slice(begin, end)
        before = image[lower, part] if axis == 0 else image[part, lower].T
        after = image[upper, part] if axis == 0 else image[part, upper].T
        steps = _column_medians(after) - _column_medians(before)
        steps = steps[np.isfinite(steps)]
        return (float(np.median(steps)) if steps.size else math.nan), int(steps.size)
    return math.nan, 0


def _column_medians(strip: Image) -> NDArray[np.float32]:
    medians = np.full(strip.shape[1], np.nan, np.float32)
    usable = np.isfinite(strip).all(axis=0)
    if strip.shape[0] and usable.any():
        medians[usable] = np.median(strip[:, usable], axis=0)
    return medians
