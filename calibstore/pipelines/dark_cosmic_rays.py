"""Cosmic rays of the exposures of a dark, found before they are combined: one pass over each frame in row bands.

Only the numbers of the pixels found are kept, a few thousand per frame, and a count for each pixel of the detector. A
pixel that is high in many frames is no ray but a hot pixel: it stays in the dark. It need not be as high as a ray in
all of them, else those frames that make it so would be left out, and the dark be too low.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.detector_frames import ADU
from kernels.arrays import BoolImage, Image
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.cosmic_rays import DARK_RULE, CosmicRayRule, cosmic_ray_pixels, grown_mask
from kernels.statistics import percentiles

GROWTH_PX: Final = 2
"""Pixels around a ray that are left out too."""

_BAND_ROWS: Final = 40
_MARGIN_ROWS: Final = 5
"""Rows of the next band looked at: one for sharpness, three for following a track."""
_SKY_SAMPLES: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RayFinding:
    """What a search is told."""

    rule: CosmicRayRule = DARK_RULE
    most_pixels: int = 10_000
    """A frame with more is taken as it is: that many are no cosmic rays."""
    recurrence: float = 0.5
    """A pixel at half the height of a ray in this share of the frames, and in at least two, is a hot pixel [1]."""


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
    first = frames[0]
    shape = (first.band_height, len(first.amplifiers), first.band_width)
    n_high = np.zeros(shape, np.uint8 if len(frames) < 256 else np.uint16)
    found = [_frame_pixels(frame, finding.rule, n_high) for frame in frames]
    least = max(2.0, finding.recurrence * len(frames))
    rays = []
    times = n_high.reshape(-1)
    for frame, parts in zip(frames, found, strict=True):
        peaks, beside = (part[times[part] < least] for part in parts)
        own = _connected(peaks, beside, shape, finding.rule.growing_steps)
        is_given_up = own.size > finding.most_pixels
        kept = own[:0] if is_given_up else own
        rays.append(FrameRays(exposure=frame.raw.exposure, pixels=kept, n_found=int(own.size), is_given_up=is_given_up))
    return rays


def _frame_pixels(
    frame: CorrectedFrame, rule: CosmicRayRule, n_high: NDArray[np.unsignedinteger]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the peaks of rays of one frame, and all their pixels; add one to `n_high` where half as high as a ray."""
    height = frame.band_height
    n_amps = len(frame.amplifiers)
    none = np.zeros(0, np.int64)
    found = [(none, none)]
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
            half = np.float32(sky_e + max(rule.n_sigma * noise_e, rule.minimum_e) / 2)
            n_high[y0:y1, state.index] += image[y0 - low : y1 - low] > half
            hidden = bad if bad.any() else None
            parts = []
            for looked_for in (replace(rule, growing_steps=0), rule):
                index = cosmic_ray_pixels(image, sky_e=sky_e, noise_e=noise_e, rule=looked_for, bad=hidden)
                row, column = np.divmod(index, image.shape[1])
                row += low
                inside = (row >= y0) & (row < y1)
                parts.append((row[inside] * n_amps + state.index) * image.shape[1] + column[inside])
            found.append((parts[0], parts[1]))
    peaks, beside = (np.sort(np.concatenate(part)) for part in zip(*found, strict=True))
    return peaks, beside


def _connected(
    peaks: NDArray[np.int64], beside: NDArray[np.int64], shape: tuple[int, int, int], n_steps: int
) -> NDArray[np.int64]:
    """Return peaks and what hangs together with them: what hangs on a hot pixel alone is of no ray."""
    _, n_amps, width = shape
    found = edge = peaks
    for _ in range(n_steps):
        near = [edge + dy * n_amps * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
        reached = np.intersect1d(np.concatenate(near), beside)
        edge = np.setdiff1d(reached, found, assume_unique=True)
        found = np.union1d(found, edge)
    return found


def _sky(image: Image, bad: BoolImage, read_noise_e: float) -> tuple[float, float]:
    """Return the median of a band and the scatter of its pixels [electron].

    At least the noise of a pixel at that level; more where pixels differ in dark current, for a peak has to stand out
    among its neighbours.
    """
    step = max(1, image.size // _SKY_SAMPLES)
    values = image.reshape(-1)[::step][~bad.reshape(-1)[::step]]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return float("nan"), float("nan")
    lower, sky, upper = (float(value) for value in percentiles(values, (25, 50, 75)))
    noise_e = float(np.sqrt(read_noise_e**2 + max(sky, 0.0))) if np.isfinite(read_noise_e) else 0.0
    return sky, max(noise_e, IQR_TO_SIGMA * (upper - lower))
