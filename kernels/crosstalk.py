"""Crosstalk between the amplifiers of a detector: taken off, put on, and its ratios carried from unit to unit.

Coefficients are indexed [source, target]; arrays hold all amplifiers in readout order, so that pixels read at the same
moment have the same index.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Cube, Image, Vector
from kernels.errors import KernelError

TILE_PIXELS: Final = 8192
"""Pixels of each amplifier multiplied at a time: sources and signal of sixteen amplifiers stay in the cache."""

_PRODUCT_PIXELS: Final = 1024
"""Columns of one matrix product: larger ones are handed to other threads, which on a busy machine costs far more."""


def apply_crosstalk(
    amps: Cube,
    coefficients: NDArray[np.floating],
    quadratic: NDArray[np.floating] | None = None,
    *,
    bad: NDArray[np.bool_] | None = None,
    out: Cube | None = None,
) -> Cube:
    """Take the crosstalk off all amplifiers of a detector.

    Parameters
    ----------
    amps : ndarray of shape (n_amp, ny, nx), float32
        Same rows of every amplifier in readout order; the unit must be that of the coefficients.
    coefficients : ndarray of shape (n_amp, n_amp)
        Ratio [source, target].
    quadratic : ndarray of shape (n_amp, n_amp), optional
        Coefficient of the squared source [source, target, 1/unit].
    bad : ndarray of shape (n_amp,), bool, optional
        Amplifiers that neither give nor take.
    out : ndarray of shape (n_amp, ny, nx), float32, optional
        Where to put the result; may be `amps`.

    Returns
    -------
    ndarray of shape (n_amp, ny, nx), float32
        ``I_t - sum_s (c0[s,t] I_s + c1[s,t] I_s**2)``; the sources are the uncorrected images, and a source pixel that
        is not finite gives nothing.

    Raises
    ------
    KernelError
        If the coefficients do not fit the amplifiers.

    Examples
    --------
    >>> amps = np.array([[[1000.0]], [[0.5]]], np.float32)
    >>> apply_crosstalk(amps, np.array([[0, 5e-4], [0, 0]])).ravel().tolist()
    [1000.0, 0.0]
    """
    return apply_matrix(amps, crosstalk_matrix(amps.shape[0], coefficients, quadratic, bad=bad), out=out)


def apply_matrix(amps: Cube, matrix: NDArray[np.float32], *, out: Cube | None = None) -> Cube:
    """Take the crosstalk off as `apply_crosstalk` does, with the matrix of `crosstalk_matrix`, made once for a frame.

    Parameters
    ----------
    amps, out
        As for `apply_crosstalk`.
    matrix : ndarray of shape (n_amp, n_amp) or (n_amp, 2 n_amp), float32
        For these amplifiers.
    """
    return _combine(amps, matrix, np.subtract, out)


def add_crosstalk(
    amps: Cube,
    coefficients: NDArray[np.floating],
    quadratic: NDArray[np.floating] | None = None,
    *,
    out: Cube | None = None,
) -> Cube:
    """Put crosstalk on clean amplifiers: the forward model of the simulator.

    Parameters
    ----------
    amps, coefficients, quadratic, out
        As for `apply_crosstalk`.

    Returns
    -------
    ndarray of shape (n_amp, ny, nx), float32
        ``I_t + sum_s (c0[s,t] I_s + c1[s,t] I_s**2)``.

    Raises
    ------
    KernelError
        If the coefficients do not fit the amplifiers.
    """
    return _combine(amps, crosstalk_matrix(amps.shape[0], coefficients, quadratic), np.add, out)


def crosstalk_signal(
    amps: Cube, coefficients: NDArray[np.floating], quadratic: NDArray[np.floating] | None = None
) -> Cube:
    """Return the crosstalk itself, e.g. to flag the pixels it changes.

    Parameters
    ----------
    amps, coefficients, quadratic
        As for `apply_crosstalk`.

    Returns
    -------
    ndarray of shape (n_amp, ny, nx), float32
        ``sum_s (c0[s,t] I_s + c1[s,t] I_s**2)`` for each target.

    Raises
    ------
    KernelError
        If the coefficients do not fit the amplifiers.
    """
    return _combine(amps, crosstalk_matrix(amps.shape[0], coefficients, quadratic), _keep_signal, None)


def convert_ratios(
    coefficients: NDArray[np.floating], gains: Vector, *, to: str, order: int = 1
) -> NDArray[np.float64]:
    """Carry coefficients from electrons to adu or back.

    Parameters
    ----------
    coefficients : ndarray of shape (n_amp, n_amp)
        [source, target].
    gains : ndarray of shape (n_amp,), float64
        Gains [e-/adu]; an amplifier whose gain is not known (NaN, or not above zero) neither gives nor takes.
    to : str
        ``adu`` or ``electron``: the unit of the images they are to serve.
    order : int
        1 for ratios, 2 for coefficients of the squared source.

    Returns
    -------
    ndarray of shape (n_amp, n_amp), float64

    Raises
    ------
    KernelError
        If `to` is another unit, or gains are given and none is above zero.

    Examples
    --------
    >>> convert_ratios(np.array([[0, 1e-4], [1e-4, 0]]), np.array([1.0, 2.0]), to="adu").tolist()
    [[0.0, 5e-05], [0.0002, 0.0]]
    """
    if to not in ("adu", "electron"):
        raise KernelError(f"crosstalk ratios are in adu or electron, not {to!r}")
    known = np.isfinite(gains) & (np.asarray(gains) > 0)
    if not known.any() and not np.isnan(gains).all():
        raise KernelError(f"gains {np.asarray(gains).tolist()} cannot carry crosstalk ratios to {to}")
    usable = np.where(known, gains, 1.0)
    factor = usable[:, None] ** order / usable[None, :]
    carried = np.asarray(coefficients, np.float64) * (factor if to == "adu" else 1 / factor)
    return np.where(known[:, None] & known[None, :], carried, 0.0)


def _keep_signal(_amps: Cube, signal: Cube, *, out: Cube) -> None:
    out[...] = signal


def _combine(amps: Cube, weights: NDArray[np.float32], operation: Callable[..., object], out: Cube | None) -> Cube:
    n_amp = amps.shape[0]
    result = np.empty(amps.shape, np.float32) if out is None else out
    target = result if result.flags.c_contiguous else np.empty(amps.shape, np.float32)
    pixels, written = amps.reshape(n_amp, -1), target.reshape(n_amp, -1)
    tile = min(TILE_PIXELS, pixels.shape[1])
    powers = np.empty((weights.shape[1], tile), np.float32)
    products = np.empty((n_amp, tile), np.float32)
    for first in range(0, pixels.shape[1], tile):
        band = pixels[:, first : first + tile]
        sources, signal = _sources(band, powers[:, : band.shape[1]]), products[:, : band.shape[1]]
        for x0 in range(0, band.shape[1], _PRODUCT_PIXELS):
            columns = slice(x0, x0 + _PRODUCT_PIXELS)
            np.matmul(weights, sources[:, columns], out=signal[:, columns])
        operation(band, signal, out=written[:, first : first + tile])
    if target is not result:
        result[...] = target
    return result


def _sources(band: Image, powers: Image) -> Image:
    """Return what is multiplied: the pixels themselves where all are finite and no squares are asked for."""
    n_amp = band.shape[0]
    # both extremes are NaN where one pixel is: cheaper than looking at each
    is_finite = math.isfinite(np.minimum.reduce(band, axis=None)) and math.isfinite(np.maximum.reduce(band, axis=None))
    if is_finite and powers.shape[0] == n_amp:
        return band
    powers[:n_amp] = band
    if not is_finite:
        np.nan_to_num(powers[:n_amp], copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if powers.shape[0] > n_amp:
        np.multiply(powers[:n_amp], powers[:n_amp], out=powers[n_amp:])
    return powers


def crosstalk_matrix(
    n_amp: int,
    coefficients: NDArray[np.floating],
    quadratic: NDArray[np.floating] | None = None,
    *,
    bad: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Return one matrix of target by source and squared source, so that one product gives both terms.

    Parameters
    ----------
    n_amp : int
        Amplifiers.
    coefficients, quadratic, bad
        As for `apply_crosstalk`.

    Raises
    ------
    KernelError
        If the coefficients do not fit the amplifiers.
    """
    parts = []
    for part in (coefficients, quadratic):
        if part is None:
            continue
        if part.shape != (n_amp, n_amp):
            raise KernelError(f"crosstalk coefficients of shape {part.shape} do not fit {n_amp} amplifiers")
        matrix = np.where(np.isfinite(part), part, 0.0)
        if bad is not None:
            matrix[bad, :] = matrix[:, bad] = 0.0
        parts.append(matrix.T)
    return np.ascontiguousarray(np.hstack(parts), np.float32)
