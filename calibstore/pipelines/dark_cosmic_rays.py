"""Cosmic rays of the exposures of a dark, found before they are combined: one pass over each frame in row bands.

Only the numbers of the pixels found are kept, a few thousand per frame. A pixel found in many frames is no ray but a
hot pixel: it stays in the dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.detector_frames import ADU
from kernels.arrays import BoolImage, Image
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.cosmic_rays import DARK_RULE, CosmicRayRule, cosmic_ray_pixels, grown_mask

GROWTH_PX: Final = 2
"""Pixels around a ray that are left out too."""

_BAND_ROWS: Final = 100
_MARGIN_ROWS: Final = 5
"""Rows of the next band looked at: one for sharpness, three for following a track."""
_SKY_SAMPLES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RayFinding:
    """What a search is told."""

    rule: CosmicRayRule = DARK_RULE
    most_pixels: int = 10_000
    """A frame with more is taken as it is: that many are no cosmic rays."""
    recurrence: float = 0.2
    """Share of the frames, and at least two, in which a pixel found again is a hot pixel [1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRays:
    """Cosmic rays of one exposure, before growth."""

    exposure: int
    pixels: NDArray[np.int64]
    """Sorted, (row * n_amp + amplifier) * width + column, rows and columns in readout order; empty when given up."""
    n_found: int
    is_given_up: bool = False

    def mask(self, y0: int, y1: int, n_amps: int, width: int) -> BoolImage | None:
        """Return the pixels to leave out of a band, growth included.

        Parameters
        ----------
        y0, y1 : int
            Half-open range of imaging rows in readout order.
        n_amps, width : int
            Shape of a row.

        Returns
        -------
        ndarray of shape (n_amps, y1 - y0, width), bool, or None
            None where there is nothing.
        """
        low = max(y0 - GROWTH_PX, 0)
        first, last = np.searchsorted(self.pixels, [low * n_amps * width, (y1 + GROWTH_PX) * n_amps * width])
        if first == last:
            return None
        rest, column = np.divmod(self.pixels[first:last], width)
        row, amplifier = np.divmod(rest, n_amps)
        mask = np.zeros((n_amps, y1 - y0, width), np.bool_)
        height = y1 + GROWTH_PX - low
        for index in np.unique(amplifier):
            inside = amplifier == index
            part = grown_mask((row[inside] - low) * width + column[inside], (height, width), GROWTH_PX)
            mask[index] = part[y0 - low : y1 - low]
        return mask


def find_rays(frames: Sequence[CorrectedFrame], finding: RayFinding) -> list[FrameRays]:
    """Find the cosmic rays of each frame.

    Parameters
    ----------
    frames : sequence of CorrectedFrame
        Open exposures of one detector.
    finding : RayFinding
        What a ray is, and when to give up.

    Returns
    -------
    list of FrameRays
        In the order of the frames.

    Raises
    ------
    StoreError
        If a frame cannot be read in full.
    """
    found = [_frame_pixels(frame, finding.rule) for frame in frames]
    pixels, n_frames = np.unique(np.concatenate(found), return_counts=True)
    hot = pixels[n_frames >= max(2, finding.recurrence * len(frames))]
    rays = []
    for frame, part in zip(frames, found, strict=True):
        own = part[~np.isin(part, hot, assume_unique=True)]
        is_given_up = own.size > finding.most_pixels
        kept = own[:0] if is_given_up else own
        rays.append(FrameRays(exposure=frame.raw.exposure, pixels=kept, n_found=int(own.size), is_given_up=is_given_up))
    return rays


def _frame_pixels(frame: CorrectedFrame, rule: CosmicRayRule) -> NDArray[np.int64]:
    height = frame.band_height
    n_amps = len(frame.amplifiers)
    found: list[NDArray[np.int64]] = []
    for y0 in range(0, height, _BAND_ROWS):
        y1 = min(y0 + _BAND_ROWS, height)
        low, high = max(y0 - _MARGIN_ROWS, 0), min(y1 + _MARGIN_ROWS, height)
        cube, masks = frame.read_band(low, high)
        for state, image, mask in zip(frame.amplifiers, cube, masks, strict=True):
            if state.is_bad:
                continue
            if frame.flags.units == ADU:
                np.multiply(image, np.float32(state.gain_e_per_adu), out=image)
            bad = mask != 0
            sky_e, noise_e = _sky(image, bad, state.read_noise_e)
            if not np.isfinite(sky_e):
                continue
            index = cosmic_ray_pixels(image, sky_e=sky_e, noise_e=noise_e, rule=rule, bad=bad if bad.any() else None)
            row, column = np.divmod(index, image.shape[1])
            row += low
            inside = (row >= y0) & (row < y1)
            found.append((row[inside] * n_amps + state.index) * image.shape[1] + column[inside])
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _sky(image: Image, bad: BoolImage, read_noise_e: float) -> tuple[float, float]:
    """Return the median of a band and the noise of a pixel at that level [electron]."""
    step = max(1, image.size // _SKY_SAMPLES)
    values = image.reshape(-1)[::step][~bad.reshape(-1)[::step]]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return float("nan"), float("nan")
    lower, sky, upper = (float(value) for value in np.percentile(values, (25, 50, 75)))
    if np.isfinite(read_noise_e) and read_noise_e > 0:
        return sky, float(np.sqrt(read_noise_e**2 + max(sky, 0.0)))
    return sky, IQR_TO_SIGMA * (upper - lower)
