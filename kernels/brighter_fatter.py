"""The brighter-fatter correction with a kernel: charge goes back to where it would have landed without repulsion.

After Coulton et al. 2018 (AJ 155, 258): the kernel is the potential of a unit charge, found by
`kernels.brighter_fatter_kernel` from the covariances of flats.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image
from kernels.errors import KernelError

BAND_ROWS: Final = 256
"""Rows convolved at a time, with a halo: memory stays at a few bands beside the image and its next iterate."""


def correct_brighter_fatter(
    image: Image,
    kernel: NDArray[np.floating],
    *,
    max_iter: int = 10,
    threshold: float = 1000.0,
    is_flux_conserving: bool = False,
) -> tuple[Image, int]:
    """Correct an image for the brighter-fatter effect.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels [e-]. Pixels that are not finite stay so and take part as the median.
    kernel : ndarray of shape (n, n)
        Kernel [x lag, y lag, 1/e-], n odd, as a bfk dataset holds it: negative, least at the centre.
    max_iter : int
        Most iterations.
    threshold : float
        Stop when the sum of absolute changes of one iteration falls below [e-].
    is_flux_conserving : bool
        Move charge across pixel borders, so that the sum over the image stays the same; else the published product
        rule.

    Returns
    -------
    image : ndarray of shape (ny, nx), float32
        Corrected pixels [e-].
    n_iter : int
        Iterations made; `max_iter` where it did not converge before.

    Raises
    ------
    KernelError
        If the kernel is not square and odd, not finite, or the image is smaller than it.

    Notes
    -----
    ``I + 1/2 div(I grad(K*I))``, I being the corrected image of the iteration before. The conserving form moves
    ``1/2 grad(K*I)`` times the pixel the flow comes from across each border, of the image less its mean for the
    convolution; nothing crosses the image's edge.
    """
    _check(image, kernel)
    unusable = ~np.isfinite(image)
    has_holes = bool(unusable.any())
    original = np.where(unusable, np.float32(np.median(image[~unusable])), image) if has_holes else image
    current = original.copy()
    following = np.empty_like(current)
    convolver = _BandConvolver(np.asarray(kernel, np.float64).T, current.shape)
    change = _transported if is_flux_conserving else _product_rule
    n_iter = 0
    moved = np.inf
    while n_iter < max_iter and moved >= threshold:
        n_iter, moved = n_iter + 1, 0.0
        # A constant adds nothing to the gradient; without it the transform's rounding is that of the contrast alone.
        level = float(current.mean(dtype=np.float64))
        for y0 in range(0, current.shape[0], BAND_ROWS):
            y1 = min(y0 + BAND_ROWS, current.shape[0])
            pixels, potential = convolver.band(current, level, y0, y1)
            following[y0:y1] = original[y0:y1] + change(pixels, potential)
            moved += float(np.abs(following[y0:y1] - current[y0:y1]).sum(dtype=np.float64))
        current, following = following, current
    if has_holes:
        current[unusable] = image[unusable]
    return current, n_iter


class _BandConvolver:
    """Convolves bands of an image whose edge pixels repeat outward, by one planned transform."""

    def __init__(self, kernel: NDArray[np.float64], shape: tuple[int, int]) -> None:
        from scipy import fft

        self._fft = fft
        self._reach = kernel.shape[0] // 2
        pad = 2 * (self._reach + 1)
        rows = min(BAND_ROWS, shape[0]) + pad
        self._shape = tuple(fft.next_fast_len(size, real=True) for size in (rows, shape[1] + pad))
        self._transformed = fft.rfft2(kernel, self._shape)

    def band(self, image: Image, level: float, y0: int, y1: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return pixels and potential of rows y0..y1 with one more pixel on every side."""
        halo = self._reach + 1
        rows = np.clip(np.arange(y0 - halo, y1 + halo), 0, image.shape[0] - 1)
        padded = np.pad(image[rows].astype(np.float64), ((0, 0), (halo, halo)), mode="edge")
        spectrum = self._fft.rfft2(padded - level, self._shape) * self._transformed
        convolved = self._fft.irfft2(spectrum, self._shape)
        first = 2 * self._reach  # where output depends on given pixels alone
        height, width = y1 - y0 + 2, image.shape[1] + 2
        inner = padded[self._reach : self._reach + height, self._reach : self._reach + width]
        potential = convolved[first : first + height, first : first + width]
        # Level outside, so that nothing crosses the image's edge.
        potential[:, 0], potential[:, -1] = potential[:, 1], potential[:, -2]
        if y0 == 0:
            potential[0] = potential[1]
        if y1 == image.shape[0]:
            potential[-1] = potential[-2]
        return inner, potential


def _product_rule(pixels: NDArray[np.float64], potential: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (slice(1, -1), slice(1, -1))
    total = np.zeros((pixels.shape[0] - 2, pixels.shape[1] - 2))
    for before, after in (
        ((slice(None, -2), slice(1, -1)), (slice(2, None), slice(1, -1))),
        ((slice(1, -1), slice(None, -2)), (slice(1, -1), slice(2, None))),
    ):
        total += (pixels[after] - pixels[before]) * (potential[after] - potential[before]) / 4
        total += pixels[middle] * (potential[after] - 2 * potential[middle] + potential[before])
    return total / 2


def _transported(pixels: NDArray[np.float64], potential: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros((pixels.shape[0] - 2, pixels.shape[1] - 2))
    for axis in (0, 1):
        across = np.s_[:, 1:-1] if axis == 0 else np.s_[1:-1, :]
        charge, level = pixels[across], potential[across]
        lower, upper = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        slope = level[upper] - level[lower]
        # Charge moves down the potential: a positive slope takes it from the upper pixel.
        flow = np.where(slope > 0, charge[upper], charge[lower]) * slope / 2
        total += np.diff(flow, axis=axis)
    return total


def _check(image: Image, kernel: NDArray[np.floating]) -> None:
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.shape[0] % 2 == 0:
        raise KernelError(f"a brighter-fatter kernel is square and odd, not {kernel.shape}")
    if not np.isfinite(kernel).all():
        raise KernelError("the brighter-fatter kernel holds values that are not finite")
    if min(image.shape) < kernel.shape[0]:
        raise KernelError(f"an image of shape {image.shape} is smaller than the kernel {kernel.shape}")
