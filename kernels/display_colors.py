"""Colours of levels: four maps, as truecolor, as entries of the 256-colour palette, or as its greys.

Steps of the palette are chosen by distance in CIE L*a*b*, so that equal steps of a value look alike.
"""

import functools
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FIRST: Final = 16
"""First palette entry with a colour that does not depend on the user's terminal."""
_GREYS: Final = 232
N_GREYS: Final = 24


class ColorMap(StrEnum):
    """Colours of a scale."""

    VIRIDIS = "viridis"
    CIVIDIS = "cividis"
    """Looks nearly the same to people who do not tell red from green."""
    GREY = "grey"
    DIVERGING = "diverging"
    """Blue below zero, white at zero, orange above: for differences."""


_ANCHORS: Final = {
    ColorMap.VIRIDIS: "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725",
    ColorMap.CIVIDIS: "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
    ColorMap.GREY: "080808 eeeeee",
    ColorMap.DIVERGING: "08519c 3182bd 9ecae1 f7f7f7 fdbe85 e6550d a63603",
}
"""Colours at equal distances along each map."""

_WEIGHTS: Final = np.array([3.0, 1.0, 1.0])
"""Lightness counts more than hue: a palette of few dark colours would turn the order of dark values round."""
_TO_XYZ: Final = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175],
                           [0.0193339, 0.119192, 0.9503041]])  # fmt: skip
_WHITE: Final = _TO_XYZ.sum(axis=1)
_KNEE: Final = 6 / 29


def color_table(color_map: ColorMap, n_steps: int) -> NDArray[np.uint8]:
    """Return the colours of a map at equal steps.

    Parameters
    ----------
    color_map : ColorMap
        Which map.
    n_steps : int
        Colours wanted.

    Returns
    -------
    ndarray of shape (n_steps, 3), uint8
        sRGB, darkest value first; between anchors straight lines in L*a*b*.
    """
    words = _ANCHORS[color_map].split()
    anchors = lab(np.array([list(bytes.fromhex(word)) for word in words], np.float64))
    at = np.linspace(0, len(words) - 1, n_steps) if n_steps > 1 else np.array([0.0])
    mixed = np.stack([np.interp(at, np.arange(len(words)), anchors[:, axis]) for axis in range(3)], axis=1)
    return np.clip(np.rint(_srgb(mixed)), 0, 255).astype(np.uint8)


@functools.cache
def palette_table(color_map: ColorMap, n_steps: int) -> NDArray[np.uint8]:
    """Return the 256-colour palette entries that come nearest to a map at equal steps.

    Parameters
    ----------
    color_map : ColorMap
        Which map.
    n_steps : int
        Entries wanted; neighbours may be the same entry.

    Returns
    -------
    ndarray of shape (n_steps,), uint8
        Entries 16 to 255.
    """
    wanted = lab(color_table(color_map, n_steps).astype(np.float64))
    apart = (wanted[:, None, :] - _palette_lab()[None, :, :]) * _WEIGHTS
    distance = (apart**2).sum(axis=2)
    entries: NDArray[np.uint8] = (distance.argmin(axis=1) + _FIRST).astype(np.uint8)
    entries.flags.writeable = False  # shared by all callers
    return entries


def grey_table(n_steps: int) -> NDArray[np.uint8]:
    """Return entries of the palette's ramp of 24 greys, darkest first."""
    entries: NDArray[np.uint8] = (_GREYS + np.rint(np.linspace(0, N_GREYS - 1, n_steps))).astype(np.uint8)
    return entries


def palette_colors() -> NDArray[np.uint8]:
    """Return the colours of palette entries 16 to 255: a cube of 6 x 6 x 6 and 24 greys.

    Returns
    -------
    ndarray of shape (240, 3), uint8
        sRGB.
    """
    side = np.array([0, 95, 135, 175, 215, 255])
    cube = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    greys = np.repeat((8 + 10 * np.arange(N_GREYS))[:, None], 3, axis=1)
    return np.concatenate([cube, greys]).astype(np.uint8)


def lab(colors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIE L*a*b* (D65) of sRGB colours of 0 to 255, along the last axis.

    Examples
    --------
    >>> np.rint(lab(np.array([255.0, 255.0, 255.0]))).tolist()
    [100.0, 0.0, 0.0]
    """
    share = colors / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > _KNEE**3, np.cbrt(xyz), xyz / (3 * _KNEE**2) + 4 / 29)
    found = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    stacked: NDArray[np.float64] = np.stack(found, axis=-1)
    return stacked + 0.0


def _srgb(found: NDArray[np.float64]) -> NDArray[np.float64]:
    fy = (found[..., 0] + 16) / 116
    f = np.stack([fy + found[..., 1] / 500, fy, fy - found[..., 2] / 200], axis=-1)
    xyz = np.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29)) * _WHITE
    linear = np.clip(xyz @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    share: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return share * 255


@functools.cache
def _palette_lab() -> NDArray[np.float64]:
    return lab(palette_colors().astype(np.float64))
