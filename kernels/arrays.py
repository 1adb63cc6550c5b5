"""Array aliases and the mask planes shared by all kernels."""

from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.float32]
"""Pixels of shape (ny, nx), float32."""

Cube: TypeAlias = NDArray[np.float32]
"""Frames of shape (n, ny, nx), float32."""

Mask: TypeAlias = NDArray[np.int32]
"""Mask planes of shape (ny, nx), int32 bits 0-30."""

Counts: TypeAlias = NDArray[np.int16]
"""Numbers of frames of shape (ny, nx), int16."""

Vector: TypeAlias = NDArray[np.float64]
"""One-dimensional float64 values."""

BoolImage: TypeAlias = NDArray[np.bool_]
"""Local selection of pixels of shape (ny, nx)."""

MASK_PLANES: Final = MappingProxyType(
    {
        "BAD": 0,
        "SAT": 1,
        "INTRP": 2,
        "CR": 3,
        "EDGE": 4,
        "DETECTED": 5,
        "DETECTED_NEGATIVE": 6,
        "SUSPECT": 7,
        "NO_DATA": 8,
        "CROSSTALK": 9,
        "UNMASKEDNAN": 10,
        "VIGNETTED": 11,
        "PARTLY_VIGNETTED": 12,
        "ITL_DIP": 13,
    }
)
"""Bit number of each mask plane, written to FITS as MP_<name>."""


def plane_bit(name: str) -> int:
    """Return the bit value of a mask plane.

    Parameters
    ----------
    name : str
        Plane name, e.g. ``"BAD"``.

    Returns
    -------
    int
        ``1 << plane number``.

    Raises
    ------
    KeyError
        If the plane is unknown.

    Examples
    --------
    >>> plane_bit("SAT")
    2
    """
    return 1 << MASK_PLANES[name]
