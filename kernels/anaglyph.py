"""Two flats of unlike colour as one."""

import numpy as np

from kernels.combine import Combined
from kernels.errors import KernelError


def blended(blue: Combined, red: Combined, weight_blue: float) -> Combined:
    """Return the weighted mean of two images.

    Parameters
    ----------
    blue, red : Combined
        Images of shape (ny, nx) with variance and count; NaN without a value.
    weight_blue : float
        Share of the first, 0 to 1; the other has the rest.

    Returns
    -------
    Combined
        A pixel has a value where both have one; variances go with the squares of the shares, counts add up.

    Raises
    ------
    KernelError
        If the share is out of range or the images are of different shapes.

    Examples
    --------
    >>> def flat(value): return Combined(np.full((1, 1), value, "f4"), np.ones((1, 1), "f4"), np.ones((1, 1), "i2"))
    >>> mixed = blended(flat(1.0), flat(2.0), 0.75)
    >>> float(mixed.mean[0, 0]), float(mixed.variance[0, 0]), int(mixed.count[0, 0])
    (1.25, 0.625, 2)
    """
    if not 0.0 <= weight_blue <= 1.0 or blue.mean.shape != red.mean.shape:
        raise KernelError(f"shares of {weight_blue}, shapes {blue.mean.shape} and {red.mean.shape}")
    first, second = np.float32(weight_blue), np.float32(1.0 - weight_blue)
    return Combined(
        first * blue.mean + second * red.mean,
        first**2 * blue.variance + second**2 * red.variance,
        blue.count + red.count,
    )
