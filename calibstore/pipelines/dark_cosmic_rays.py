"""Cosmic rays of the exposures of a dark, found before they are combined: one pass over all frames in row bands.

Only the numbers of the pixels found are kept, a few thousand per frame, and a count for each pixel of a band. A
pixel that is high in many frames is no ray but a hot pixel: it stays in the dark. It need not be as high as a ray in
all of them, else those frames that make it so would be left out, and the dark be too low.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.detector_frames import ADU
from kernels.arrays import BoolImage, Cube, Image, Mask
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.cosmic_rays import DARK_RULE, CosmicRayRule, cosmic_ray_parts, grown_mask
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
    n_amps, width = len(first.amplifiers), first.band_width
    least = max(2.0, finding.recurrence * len(frames))
    founds = [_Found([], [], 0) for _ in frames]
    memory = _Memory.of((n_amps, min(_BAND_ROWS + 2 * _MARGIN_ROWS, first.band_height), width))
    for y0 in range(0, first.band_height, _BAND_ROWS):
        y1 = min(y0 + _BAND_ROWS, first.band_height)
        # the frames turn about band by band: so the calibrations of a band are read once, and counted in it alone
        n_high = np.zeros((y1 - y0, n_amps, width), np.uint8 if len(frames) < 256 else np.uint16)
        bands = [_band_pixels(frame, finding.rule, y0, n_high, memory) for frame in frames]
        times = n_high.reshape(-1)
        for found, parts in zip(founds, bands, strict=True):
            peaks, beside = (part[times[part - y0 * n_amps * width] < least] for part in parts)
            found.n_peaks += peaks.size
            if found.n_peaks > finding.most_pixels:  # a frame in the light would fill the memory
                found.peaks.clear()
                found.beside.clear()
                continue
            found.peaks.append(peaks)
            found.beside.append(beside)
    rays = []
    for frame, found in zip(frames, founds, strict=True):
        own, n_found = np.zeros(0, np.int64), found.n_peaks
        if n_found <= finding.most_pixels:
            peaks, beside = (np.sort(np.concatenate(part)) for part in (found.peaks, found.beside))
            own = _connected(peaks, beside, n_amps, width, finding.rule.growing_steps)
            n_found = int(own.size)
        is_given_up = n_found > finding.most_pixels
        kept = own[:0] if is_given_up else own
        rays.append(FrameRays(exposure=frame.raw.exposure, pixels=kept, n_found=n_found, is_given_up=is_given_up))
    return rays


@dataclass(slots=True)
class _Found:
    """Pixels of one frame, band by band."""

    peaks: list[NDArray[np.int64]]
    beside: list[NDArray[np.int64]]
    """All pixels of rays, peaks among them."""
    n_peaks: int


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a band is read into: fresh memory of this size costs as much as a step of the correction."""

    pixels: NDArray[np.float32]
    flags: NDArray[np.int32]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, shape: tuple[int, int, int]) -> Self:
        n_pixels = math.prod(shape)
        return cls(np.empty(n_pixels, np.float32), np.empty(n_pixels, np.int32), shape)

    def rows(self, n_rows: int) -> tuple[Cube, Mask]:
        """Return contiguous memory for so many rows."""
        shape = (self.shape[0], n_rows, self.shape[2])
        return self.pixels[: math.prod(shape)].reshape(shape), self.flags[: math.prod(shape)].reshape(shape)


def _band_pixels(
    frame: CorrectedFrame, rule: CosmicRayRule, y0: int, n_high: NDArray[np.unsignedinteger], memory: _Memory
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return peaks of rays in a band of one frame, and all pixels; add one to `n_high` where half as high as a ray."""
    y1, n_amps = y0 + n_high.shape[0], n_high.shape[1]
    low, high = max(y0 - _MARGIN_ROWS, 0), min(y1 + _MARGIN_ROWS, frame.band_height)
    none = np.zeros(0, np.int64)
    found = [(none, none)]
    out, flags = memory.rows(high - low)
    cube, masks = frame.read_band(low, high, out=out, mask=flags)
    for state, image, mask in zip(frame.amplifiers, cube, masks, strict=True):
        if state.is_bad:
            continue
        if frame.flags.units == ADU:
            np.multiply(image, np.float32(state.gain_e_per_adu), out=image)
        bad = mask != 0
        sky_e, noise_e = _sky(image, bad, state.read_noise_e)
        if not np.isfinite(sky_e):
            continue
        height = max(rule.n_sigma * noise_e, rule.minimum_e)
        half, highest = np.float32(sky_e + height / 2), np.fmax.reduce(image, axis=None)
        if not highest > half:
            continue
        n_high[:, state.index] += image[y0 - low : y1 - low] > half
        if not highest > np.float32(sky_e + height):
            continue
        hidden = bad if bad.any() else None
        parts = []
        for index in cosmic_ray_parts(image, sky_e=sky_e, noise_e=noise_e, rule=rule, bad=hidden):
            row, column = np.divmod(index, image.shape[1])
            row += low
            inside = (row >= y0) & (row < y1)
            parts.append((row[inside] * n_amps + state.index) * image.shape[1] + column[inside])
        found.append((parts[0], parts[1]))
    peaks, beside = (np.concatenate(part) for part in zip(*found, strict=True))
    return peaks, beside


def _connected(
    peaks: NDArray[np.int64], beside: NDArray[np.int64], n_amps: int, width: int, n_steps: int
) -> NDArray[np.int64]:
    """Return peaks and what hangs together with them: what hangs on a hot pixel alone is of no ray."""
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
