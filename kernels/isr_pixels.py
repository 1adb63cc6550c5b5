"""Steps of signature removal that change each pixel by itself: dither, saturation, variance, flat, missing values.

Each takes arrays of any shape and writes into `out` where one is given. Flags are bits of `kernels.arrays.MASK_PLANES`.
"""

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Mask, plane_bit
from kernels.errors import KernelError

Pixels: TypeAlias = NDArray[np.float32]
Levels: TypeAlias = float | NDArray[np.float64]

DITHER_VARIANCE: Final = 1 / 12
"""Variance of what `dither_rows` adds [adu^2]."""

_SEED_BITS: Final = 0xFFFFFFFF
_DRAWS_PER_COUNTER: Final = 8
"""32-bit numbers of one step of the Philox counter."""


def dither_rows(exposure: int, channel: int, y0: int, y1: int, n_columns: int) -> Pixels:
    """Return what is added to whole numbers of the converter: uniform in [-0.5, 0.5).

    Parameters
    ----------
    exposure : int
        Exposure id; its lower 32 bits are the seed, so that a frame is always dithered alike.
    channel : int
        Number of the amplifier (and of the part of it), each with numbers of its own.
    y0, y1 : int
        Half-open range of rows.
    n_columns : int
        Columns of a row; part of the seed.

    Returns
    -------
    ndarray of shape (y1 - y0, n_columns), float32 [adu]
        The same for a row whatever rows are asked with it.

    Notes
    -----
    A counter-based generator (Philox): the numbers of a row follow from its place, not from what was drawn before.
    """
    per_row = -(-n_columns // _DRAWS_PER_COUNTER)
    generator = np.random.Philox(
        key=[exposure & _SEED_BITS, (n_columns << 32) | channel], counter=[y0 * per_row, 0, 0, 0]
    )
    raw = generator.random_raw((y1 - y0) * per_row * (_DRAWS_PER_COUNTER // 2))
    bits = np.asarray(raw, np.uint64).view(np.uint32).reshape(y1 - y0, -1)[:, :n_columns]
    # 24 bits are what a float32 holds exactly, so that the largest number stays below 0.5
    drawn = (bits >> np.uint32(8)).astype(np.float32)
    drawn *= np.float32(2.0**-24)
    drawn -= np.float32(0.5)
    return drawn


def flag_saturation(image: Pixels, mask: Mask, *, saturation: float, suspect: float) -> None:
    """Set SAT and SUSPECT where a pixel reaches a level.

    Parameters
    ----------
    image : ndarray, float32
        Pixels after the serial overscan, before any gain [adu].
    mask : ndarray of the same shape, int32
        Changed in place.
    saturation, suspect : float
        Levels [adu]; NaN or infinity: never.
    """
    lowest = min((level for level in (saturation, suspect) if math.isfinite(level)), default=math.inf)
    # fmax passes over NaN; one pass of it decides for nearly every band that nothing is to be done
    if not np.fmax.reduce(image, axis=None) >= lowest:
        return
    for level, plane in ((saturation, "SAT"), (suspect, "SUSPECT")):
        if math.isfinite(level):
            mask[image >= np.float32(level)] |= plane_bit(plane)


def flag_missing(image: Pixels, mask: Mask) -> bool:
    """Set UNMASKEDNAN where a pixel is not finite; tell whether there is one."""
    # both extremes are NaN where one pixel is: cheaper than a sum
    if math.isfinite(np.minimum.reduce(image, axis=None)) and math.isfinite(np.maximum.reduce(image, axis=None)):
        return False
    missing = ~np.isfinite(image)
    mask[missing] |= plane_bit("UNMASKEDNAN")
    return bool(missing.any())


def photon_variance(
    image: Pixels, *, gain_e_per_adu: Levels, read_noise_e: Levels, out: Pixels | None = None
) -> Pixels:
    """Return the variance of light and read noise.

    Parameters
    ----------
    image : ndarray, float32
        Bias- and dark-subtracted pixels [adu, or electron with a gain of 1].
    gain_e_per_adu : float or ndarray
        Gain of the image's unit [electron/unit]: 1 for an image in electron; an array of one for each amplifier.
    read_noise_e : float or ndarray
        Read noise [electron], likewise.
    out : ndarray of the same shape, float32, optional
        Written and returned.

    Returns
    -------
    ndarray, float32
        ``max(I, 0) / g + (rn / g)**2`` [unit^2]: nothing is there before, so that nothing is counted twice.

    Examples
    --------
    >>> photon_variance(np.array([100.0, -5.0], np.float32), gain_e_per_adu=1.0, read_noise_e=5.0).tolist()
    [125.0, 25.0]
    """
    variance = np.maximum(image, np.float32(0.0), out=out)
    gain = np.asarray(gain_e_per_adu, np.float64)
    if (gain != 1.0).any():
        variance *= (1.0 / gain).astype(np.float32)
    variance += ((np.asarray(read_noise_e) / gain) ** 2).astype(np.float32)
    return variance


def reciprocal_flat(flat: Pixels, *, out: Pixels | None = None) -> Pixels:
    """Return 1/flat, NaN where a flat has no light: a product is cheaper than a quotient.

    Parameters
    ----------
    flat : ndarray, float32
        Relative response [1].
    out : ndarray of the same shape, float32, optional
        Written and returned; may be `flat`.
    """
    with np.errstate(divide="ignore"):
        turned: Pixels = np.divide(np.float32(1.0), flat, out=out)
    # fmin passes over NaN: only a flat with a value of zero or below needs the second pass
    if not np.fmin.reduce(turned, axis=None) > 0 or not np.fmax.reduce(turned, axis=None) < np.inf:
        turned[~((turned > 0) & (turned < np.inf))] = np.nan
    return turned


def divide_flat(
    image: Pixels,
    reciprocal: Pixels,
    *,
    variance: Pixels | None = None,
    flat_variance: Pixels | None = None,
) -> None:
    """Divide an image by the flat, in place, and carry the variance.

    Parameters
    ----------
    image : ndarray, float32
        Any unit.
    reciprocal : ndarray of the same shape, float32
        Of `reciprocal_flat`.
    variance : ndarray of the same shape, float32, optional
        Of the image [unit^2]; changed in place to ``V/f^2 + I^2 Vf/f^4``.
    flat_variance : ndarray of the same shape, float32, optional
        Variance of the flat [1].
    """
    np.multiply(image, reciprocal, out=image)
    if variance is None:
        return
    if flat_variance is not None:
        part = image * image  # I^2/f^2 by now
        part *= flat_variance
        variance += part
    variance *= reciprocal
    variance *= reciprocal


def require_shape(image: Pixels, shape: tuple[int, ...], what: str) -> None:
    """Refuse an array of another shape.

    Raises
    ------
    KernelError
        Naming both shapes.
    """
    if image.shape != shape:
        raise KernelError(f"{what} of shape {image.shape} does not fit {shape}")
