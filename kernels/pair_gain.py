"""Gain of a pair of equal flats, from how much they differ."""

import math
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.errors import KernelError

_DARK_SHARE: Final = 0.1
_DARK_PIXELS: Final = 0.01


class GainCorrection(StrEnum):
    """What is made good in the gain of a pair."""

    NONE = "NONE"
    """Nothing: the read noise counts as light."""
    SIMPLE = "SIMPLE"
    """Read noise and the second moment of the Poisson law, at the uncorrected gain."""
    FULL = "FULL"
    """The same, solved for the gain."""


def pair_gain(ratio: float, mean_adu: float, read_noise_adu: float, *, correction: str = GainCorrection.FULL) -> float:
    """Return the gain two flats tell.

    Parameters
    ----------
    ratio : float
        Mean of ``(I1 - I2)^2/(I1 + I2)`` over pixels [adu]; see `pair_ratio`.
    mean_adu : float
        Mean signal of the two flats [adu].
    read_noise_adu : float
        Read noise [adu].
    correction : {"FULL", "SIMPLE", "NONE"}
        What is made good.

    Returns
    -------
    float
        Gain [electron/adu]; NaN where the pair holds no light, or more noise than the light explains.

    Raises
    ------
    KernelError
        If the correction is unknown.

    Notes
    -----
    ``R = 1/g + (n^2 - 1/(2 g^2))/mu`` (generation.md 5.1). FULL solves it for g; SIMPLE puts the uncorrected gain 1/R
    into its right side, where the half is that of the *inverse* square of the gain.

    Examples
    --------
    >>> round(pair_gain(0.51, 1000.0, 3.0, correction="NONE"), 3)
    1.961
    """
    if correction not in tuple(GainCorrection):
        raise KernelError(f"gain correction {correction!r} is none of {', '.join(GainCorrection)}")
    values = (ratio, mean_adu, read_noise_adu)
    if not all(math.isfinite(value) for value in values[:2]) or ratio <= 0 or mean_adu <= 0:
        return math.nan
    if correction == GainCorrection.NONE:
        return 1.0 / ratio
    if not math.isfinite(read_noise_adu):
        return math.nan
    noise = read_noise_adu**2
    if correction == GainCorrection.SIMPLE:
        inverse = ratio - (noise - 0.5 * ratio**2) / mean_adu
        return 1.0 / inverse if inverse > 0 else math.nan
    below = ratio * mean_adu - noise
    root = mean_adu**2 - 2.0 * below
    return (mean_adu + math.sqrt(root)) / (2.0 * below) if below > 0 and root >= 0 else math.nan


def pair_ratio(difference: NDArray[np.floating], total: NDArray[np.floating]) -> tuple[float, float]:
    """Return the mean of ``(I1 - I2)^2/(I1 + I2)`` and its standard error [adu].

    Parameters
    ----------
    difference : ndarray of shape (n,), float32
        ``(I1 mu2 - I2 mu1)/mu`` of usable pixels [adu]: I1 - I2 for frames of unlike light, at the light of neither.
    total : ndarray of shape (n,), float32
        ``I1 + I2`` [adu].

    Returns
    -------
    ratio, error : float
        Over pixels with at least a tenth of the usual light: a dead pixel has no say. NaN where there are fewer than
        two, or more than one in a hundred is darker: then the light is too faint for a ratio.
    """
    if total.size < 2:
        return math.nan, math.nan
    is_lit = total > _DARK_SHARE * float(total.mean(dtype=np.float64))
    n_lit = int(np.count_nonzero(is_lit))
    if n_lit < 2 or total.size - n_lit > _DARK_PIXELS * total.size or not total.mean() > 0:
        return math.nan, math.nan
    if n_lit < total.size:
        difference, total = difference[is_lit], total[is_lit]
    values = np.square(difference)
    np.divide(values, total, out=values)
    mean = float(values.mean(dtype=np.float64))
    return mean, float(values.std()) / math.sqrt(values.size)


def combined_gain(gains: NDArray[np.float64], errors: NDArray[np.float64]) -> tuple[float, float]:
    """Return the weighted mean of the gains of several pairs and its error.

    Parameters
    ----------
    gains, errors : ndarray of shape (n,), float64
        Of each pair [electron/adu]; pairs without either take no part.

    Returns
    -------
    gain, error : float
        The error is the larger of that of the weights and that of the scatter; NaN where there is no pair.
    """
    good = np.isfinite(gains) & np.isfinite(errors) & (errors > 0)
    if not good.any():
        return math.nan, math.nan
    weights = 1.0 / errors[good] ** 2
    mean = float((weights * gains[good]).sum() / weights.sum())
    error = 1.0 / math.sqrt(float(weights.sum()))
    n = int(good.sum())
    if n > 1:
        scatter = float((weights * (gains[good] - mean) ** 2).sum()) / (n - 1)
        error *= max(1.0, math.sqrt(scatter))
    return mean, error
