"""What a few rows of a raw frame tell of it: level, noise, pedestal, and how much of it is saturated or bright."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels.arrays import Image, Vector

MAD_TO_SIGMA: Final = 1.4826
CLIP: Final = 4.0
"""Differences of neighbours beyond this are rays and edges [sigma]."""
SATURATED_FROM: Final = 0.98
"""A pixel at this part of the saturation level is saturated: read noise scatters about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierSample:
    """Some rows of one amplifier as stored."""

    data: Image
    """Imaging pixels of shape (rows, columns), float32 [adu]."""
    overscan: Image | None
    """Serial overscan of the same rows, (rows, columns), float32 [adu]; None where there is none."""
    gain_e_per_adu: float
    saturation_adu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSample:
    """Numbers of one frame of one detector; of levels and noises the median over its amplifiers."""

    level_adu: float
    """Above the overscan; above zero where there is none [adu]."""
    noise_adu: float
    """Of neighbouring pixels, with the noise of the light [adu]."""
    pedestal_adu: float
    """Level of the overscan [adu]; NaN where there is none."""
    saturated: float
    """Part of the pixels at the saturation level [1]."""
    bright: float
    """Part of the pixels above `bright_e` [1]."""


def sample_statistics(amplifiers: Sequence[AmplifierSample], *, bright_e: float) -> FrameSample:
    """Return what some rows tell of a frame.

    Parameters
    ----------
    amplifiers : sequence of AmplifierSample
        All of a detector; an amplifier without a finite pixel takes no part.
    bright_e : float
        Signal above which a pixel counts as bright [electron].

    Returns
    -------
    FrameSample
        All NaN when no amplifier takes part.

    Examples
    --------
    >>> rows = np.full((4, 8), 1200.0, np.float32)
    >>> one = AmplifierSample(data=rows, overscan=rows - 200, gain_e_per_adu=1.5, saturation_adu=900.0)
    >>> sample_statistics([one], bright_e=1e4)
    FrameSample(level_adu=200.0, noise_adu=0.0, pedestal_adu=1000.0, saturated=0.0, bright=0.0)
    """
    levels, noises, pedestals = [], [], []
    n_pixels = n_saturated = n_bright = 0
    for one in amplifiers:
        pixels = one.data[np.isfinite(one.data)]
        if not pixels.size:
            continue
        pedestal = _median(one.overscan) if one.overscan is not None else float("nan")
        signal = pixels - (pedestal if np.isfinite(pedestal) else 0.0)
        levels.append(float(np.median(signal)))
        noises.append(_noise(one.data))
        pedestals.append(pedestal)
        n_pixels += pixels.size
        n_saturated += int(np.count_nonzero(signal >= SATURATED_FROM * one.saturation_adu))
        n_bright += int(np.count_nonzero(signal * one.gain_e_per_adu > bright_e))
    return FrameSample(
        level_adu=_middle(levels),
        noise_adu=_middle(noises),
        pedestal_adu=_middle(pedestals),
        saturated=n_saturated / n_pixels if n_pixels else float("nan"),
        bright=n_bright / n_pixels if n_pixels else float("nan"),
    )


def _noise(data: Image) -> float:
    """Return the scatter of neighbours along rows: no structure of the detector is in it."""
    differences: Vector = np.diff(data.astype(np.float64), axis=1)
    found = differences[np.isfinite(differences)]
    if not found.size:
        return float("nan")
    found -= np.median(found)
    # The median of whole numbers is a whole number: it only finds the rays, the scatter is that of the others.
    limit = max(CLIP * MAD_TO_SIGMA * float(np.median(np.abs(found))), 1.0)
    return float(np.sqrt(np.mean(np.square(found[np.abs(found) <= limit])) / 2))


def _median(values: Image) -> float:
    found = values[np.isfinite(values)]
    return float(np.median(found)) if found.size else float("nan")


def _middle(values: list[float]) -> float:
    found = [value for value in values if np.isfinite(value)]
    return float(np.median(found)) if found else float("nan")
