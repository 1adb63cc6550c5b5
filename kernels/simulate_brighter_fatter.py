"""Charge that repels charge: simulated flats and scenes in which bright pixels shrink while they fill.

The electrons already collected move the borders of the pixels, so that later ones go elsewhere. The relative change of
a pixel's area is ``a (*) q``: the distortion matrix convolved with the charge. A frame is filled in steps, each under
the field of the steps before it.
"""

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image
from kernels.errors import KernelError

_SCENE_MARGIN_PX: Final = 8
"""Margin for the potential of a scene, which falls slowly (a quadrupole) outside the matrix [pixel]."""
_NORMAL_ABOVE_E: Final = 400.0
"""Pixels that expect more than this in a step are drawn from a normal law of the same mean and variance: a
Poisson law has a skewness below 0.05 there and costs ten times as much [electron]."""


def distortion_matrix(
    a00: float = -3.5e-6,
    a01: float = 5.3e-7,
    a10: float = 1.5e-7,
    *,
    size: int = 8,
    slope: float = -2.7,
) -> NDArray[np.float64]:
    """Return a distortion matrix of the whole plane, of zero sum.

    Parameters
    ----------
    a00 : float
        Relative change of a pixel's own area for each electron it holds, negative [1/electron].
    a01, a10 : float
        Change of the area by an electron one pixel away along y (parallel) and along x (serial) [1/electron].
    size : int
        Lags 0..size-1 along each axis.
    slope : float
        Power of the distance by which the other lags fall.

    Returns
    -------
    ndarray of shape (2 size - 1, 2 size - 1), float64
        Indexed as images are, [y lag, x lag], the own pixel in the middle; symmetric in both lags [1/electron].

    Raises
    ------
    KernelError
        If the near lags already hold more than `a00`, so that no falling tail makes the sum zero.
    """
    lag = np.arange(1 - size, size)
    distance = np.hypot(lag[:, None], lag[None, :])
    is_far = distance > 1
    matrix = np.zeros((2 * size - 1, 2 * size - 1))
    matrix[is_far] = distance[is_far] ** slope
    remaining = -a00 - 2 * (a01 + a10)
    if remaining < 0 or not is_far.any():
        raise KernelError(f"a00 {a00:g} is less than what its four neighbours hold, {2 * (a01 + a10):g}")
    matrix *= remaining / matrix.sum()
    middle = size - 1
    matrix[middle, middle] = a00
    matrix[[middle - 1, middle + 1], middle] = a01
    matrix[middle, [middle - 1, middle + 1]] = a10
    return matrix


def quarter_matrix(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lags 0.. of a plane matrix in the order of covariances, [serial lag, parallel lag].

    Parameters
    ----------
    matrix : ndarray of shape (2 r - 1, 2 r - 1), float64
        See `distortion_matrix`.

    Returns
    -------
    ndarray of shape (r, r), float64
        ``a[i, j]`` as a PTC tabulates it [1/electron].
    """
    middle = len(matrix) // 2
    return matrix[middle:, middle:].T.copy()


def brighter_fatter_flat(
    rng: np.random.Generator,
    mean_e: float | NDArray[np.floating],
    shape: tuple[int, int],
    matrix: NDArray[np.float64],
    *,
    n_steps: int = 8,
    lag_factor: float | None = None,
) -> Image:
    """Draw the charge of one frame whose pixels repel what comes later.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mean_e : float or ndarray of shape (ny, nx)
        Expected charge if nothing repelled anything [electron]. With an image, charge moves across the borders of the
        pixels and none is lost; with a number all borders see the same light, which is the same law and cheaper.
    shape : tuple of int
        (ny, nx) of the frame.
    matrix : ndarray of shape (2 r - 1, 2 r - 1), float64
        Zero-sum distortion matrix, [y lag, x lag] [1/electron].
    n_steps : int
        Steps the frame is filled in; 1 distorts a filled frame afterwards, which is cheap and fit for low light: its
        variance is short by 0.42 (a00 mean)^2.
    lag_factor : float, optional
        Factor of the field; ``n_steps/(n_steps - 1)`` by default, which makes up for the field of a step acting only
        from the next one on.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        Charge [electron]; whole electrons only where little is expected.

    Raises
    ------
    KernelError
        If `n_steps` is below 1, or an image has another shape.

    Notes
    -----
    ``q += Poisson(mu/M max(0, 1 + f (a (*) q)))``, M times. Beyond the edges the frame goes on with the charge expected
    at its edge: nothing wraps around.
    """
    if n_steps < 1:
        raise KernelError(f"{n_steps} steps: a frame is filled in at least one")
    mean = np.asarray(mean_e, dtype=np.float64)
    if mean.ndim and mean.shape != shape:
        raise KernelError(f"expected charge of shape {mean.shape} for a frame of {shape}")
    field = _Field(matrix, shape, mean)
    if n_steps == 1:
        charge = draw_electrons(rng, mean, shape)
        return (charge + 0.5 * field.change(charge, 1.0, light=charge)).astype(np.float32)
    factor = n_steps / (n_steps - 1) if lag_factor is None else lag_factor
    step_mean = mean / n_steps
    charge = draw_electrons(rng, step_mean, shape)
    for step in range(1, n_steps):
        rate = field.change(charge, step / n_steps)
        rate *= factor / n_steps
        rate += step_mean
        charge += draw_electrons(rng, np.maximum(rate, 0.0, out=rate), shape)
    return charge.astype(np.float32)


class _Field:
    """The convolution with one matrix, on a frame set into a margin."""

    def __init__(self, matrix: NDArray[np.float64], shape: tuple[int, int], mean: NDArray[np.float64]) -> None:
        reach = len(matrix) // 2
        self._is_scene = mean.ndim > 0
        # One more pixel than the field needs: a scene takes differences across its edges.
        self._margin = reach + (_SCENE_MARGIN_PX if self._is_scene else 0)
        self._shape = shape
        padded = tuple(length + 2 * self._margin for length in shape)
        fft_shape = (_smooth_length(padded[0]), _smooth_length(padded[1]))
        plane = np.asarray(matrix, np.float64).tobytes()
        self._transform = _transform(plane, len(matrix), fft_shape, is_scene=self._is_scene)
        # A zero-sum matrix does not feel a constant; without it single precision is plenty.
        self._offset = float(mean.mean())
        self._mean = mean
        self._around = np.zeros(fft_shape, dtype=np.float32)
        self._charge = np.zeros(fft_shape, dtype=np.float32)
        if self._is_scene:
            edge = np.pad(mean - self._offset, self._margin, mode="edge")
            self._around[: padded[0], : padded[1]] = edge
            self._borders = _borders(mean)

    def change(
        self, charge: NDArray[np.float64], share: float, *, light: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return how much more falls into each pixel under the field of `charge` [electron].

        Beyond the edges lies `share` of the expected charge; `light` is what falls, the expected charge by default.
        """
        margin, (ny, nx) = self._margin, self._shape
        np.multiply(self._around, np.float32(share), out=self._charge)
        np.subtract(
            charge,
            share * self._offset,
            out=self._charge[margin : margin + ny, margin : margin + nx],
            casting="same_kind",
        )
        field = np.fft.irfft2(np.fft.rfft2(self._charge) * self._transform, s=self._charge.shape)
        if not self._is_scene:
            falling = self._mean if light is None else light
            relative: NDArray[np.float64] = field[margin : margin + ny, margin : margin + nx] * falling
            return relative
        potential = field[margin - 1 : margin + ny + 1, margin - 1 : margin + nx + 1]
        along_y, along_x = self._borders if light is None else _borders(light)
        flow_y = along_y * np.diff(potential[:, 1:-1], axis=0)
        flow_x = along_x * np.diff(potential[1:-1], axis=1)
        change: NDArray[np.float64] = np.subtract(flow_y[:-1], flow_y[1:])
        change += flow_x[:, :-1]
        change -= flow_x[:, 1:]
        return change


# The amplifiers of a frame and its steps share one transform.
@functools.lru_cache(maxsize=4)
def _transform(matrix: bytes, side: int, fft_shape: tuple[int, int], *, is_scene: bool) -> NDArray[np.complex64]:
    """Return what the transform of the charge is multiplied with: the matrix, or for a scene its potential."""
    reach = side // 2
    kernel = np.zeros(fft_shape)
    lags = np.arange(-reach, reach + 1)
    kernel[np.ix_(lags, lags)] = np.frombuffer(matrix).reshape(side, side)
    transform = np.fft.rfft2(kernel)
    if is_scene:
        # The potential whose Laplacian is minus the matrix: its gradient tells how far each border moves.
        wave_y = 2 * np.pi * np.fft.fftfreq(fft_shape[0])
        wave_x = 2 * np.pi * np.fft.rfftfreq(fft_shape[1])
        laplacian = 2 * np.cos(wave_y)[:, None] + 2 * np.cos(wave_x)[None, :] - 4
        laplacian[0, 0] = -1.0
        transform = -transform / laplacian
        transform[0, 0] = 0.0
    return transform.astype(np.complex64)


def _borders(light: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the light at the borders between rows and between columns, the frame's own edges included [electron]."""
    around = np.pad(light, 1, mode="edge")
    rows, columns = around[:, 1:-1], around[1:-1]
    return 0.5 * (rows[1:] + rows[:-1]), 0.5 * (columns[:, 1:] + columns[:, :-1])


def draw_electrons(rng: np.random.Generator, mean: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw the electrons of every pixel on its own, also from one common mean.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mean : ndarray of shape () or (ny, nx), float64
        Expected charge [electron].
    shape : tuple of int
        (ny, nx) of the frame.

    Returns
    -------
    ndarray of shape (ny, nx), float64
        Charge [electron]; from a normal law where much is expected.
    """
    if mean.ndim == 0 and float(mean) < _NORMAL_ABOVE_E:
        return rng.poisson(mean, size=shape).astype(np.float64)
    is_faint = mean < _NORMAL_ABOVE_E
    if is_faint.all():
        return rng.poisson(mean).astype(np.float64)
    drawn = rng.standard_normal(shape, dtype=np.float32).astype(np.float64)
    drawn *= np.sqrt(mean)
    drawn += mean
    if is_faint.any():
        drawn[is_faint] = rng.poisson(mean[is_faint])
    return drawn


def _smooth_length(length: int) -> int:
    """Return the next length that has no prime factor above 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
