"""The clipped combination of corrected exposures of one detector, in bands of raw rows of all amplifiers.

Each frame is divided by its scale as it is read; samples under a mask plane, and those of cosmic rays, become missing
values, so that the masks of twenty frames are never in memory together.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from calibstore.errors import ExecutionError
from calibstore.model.camera import Detector
from calibstore.pipelines.bad_amplifiers import BadAmplifiers
from calibstore.pipelines.clip_rule import frame_combiner
from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.dark_cosmic_rays import FrameRays
from calibstore.pipelines.detector_frames import ELECTRON, placements_of
from kernels.arrays import Counts, Cube, Image, Mask, plane_bit
from kernels.assembly import AmplifierPlacement, oriented
from kernels.combine import MIN_FRAMES_FOR_SPREAD, Combined

_QUANTISATION_ADU: Final = 0.5


class CorrectedStack:
    """Open frames read as one stack of samples, in bands.

    Parameters
    ----------
    detector : Detector
        Geometry.
    frames : sequence of CorrectedFrame
        Open exposures.
    scales : sequence of float
        What each frame is divided by.
    excluded : int
        Bits of the mask planes whose samples take no part.
    rays : sequence of FrameRays, optional
        Cosmic rays of each frame.
    bad : BadAmplifiers, optional
        Amplifiers that take no part; by default those that each frame calls bad.
    """

    def __init__(
        self,
        detector: Detector,
        frames: Sequence[CorrectedFrame],
        *,
        scales: Sequence[float],
        excluded: int,
        rays: Sequence[FrameRays] = (),
        bad: BadAmplifiers | None = None,
    ) -> None:
        self.detector = detector
        self.frames = frames
        self.placements = placements_of(detector)
        self.scales = [float(scale) for scale in scales]
        self._excluded = np.int32(excluded)
        self._rays = rays
        self._bad = corrected_faults(frames) if bad is None else bad
        self._mask: Mask | None = None
        self._sum = np.zeros(len(frames))
        self._n_read = np.zeros(len(frames), np.int64)

    @property
    def frame_means(self) -> list[float]:
        """Mean of each scaled frame over the pixels read until now [unit of the product]."""
        with np.errstate(invalid="ignore"):
            return [float(value) for value in self._sum / self._n_read]

    def read(self, y0: int, y1: int, out: Cube) -> None:
        """Read one band of every frame.

        Parameters
        ----------
        y0, y1 : int
            Half-open range of imaging rows in readout order.
        out : ndarray of shape (n_frames, n_amp * (y1 - y0), width), float32
            Written; NaN where a sample takes no part.

        Raises
        ------
        ExecutionError
            If a frame has pixels of NO_DATA.
        StoreError
            If a frame cannot be read in full.
        """
        n_amps, width = len(self.placements), out.shape[2]
        shape = (n_amps, y1 - y0, width)
        if self._mask is None or self._mask.shape != shape:
            self._mask = np.empty(shape, np.int32)
        for number, (frame, pixels) in enumerate(zip(self.frames, out, strict=True)):
            band = pixels.reshape(shape)
            _, mask = frame.read_band(y0, y1, out=band, mask=self._mask)
            if mask.any():
                if (mask & np.int32(plane_bit("NO_DATA"))).any():
                    raise ExecutionError(
                        f"{frame.raw.path}: exposure {frame.raw.exposure} has pixels without data",
                        hint=f"leave exposure {frame.raw.exposure} out",
                        code="E-NODATA",
                    )
                band[(mask & self._excluded) != 0] = np.nan
            if self._rays and (hit := self._rays[number].mask(y0, y1, n_amps, width)) is not None:
                band[hit] = np.nan
            band[self._bad.indices(number)] = np.nan
            if self.scales[number] != 1.0:
                np.multiply(pixels, np.float32(1.0 / self.scales[number]), out=pixels)
            self._count(number, pixels)

    def sample_variance(self, stack: Cube) -> Image:
        """Return the variance of one scaled sample, averaged over the frames, from light and read noise.

        Parameters
        ----------
        stack : ndarray of shape (n_frames, n_amp * n_rows, width), float32
            As `read` gives it.

        Returns
        -------
        ndarray of shape (n_amp * n_rows, width), float32
        """
        n_amps = len(self.placements)
        n_rows = stack.shape[1] // n_amps
        light, noise, n_kept = (np.zeros(stack.shape[1:], np.float32) for _ in range(3))
        for frame, pixels, scale in zip(self.frames, stack, self.scales, strict=True):
            is_electron = frame.flags.units == ELECTRON
            gains = [1.0 if is_electron else state.gain_e_per_adu for state in frame.amplifiers]
            reads = [state.read_noise_e / gain for state, gain in zip(frame.amplifiers, gains, strict=True)]
            gain, read_noise = (np.repeat(np.asarray(one, np.float32), n_rows)[:, None] for one in (gains, reads))
            is_kept = np.isfinite(pixels)
            light += np.where(is_kept, pixels / (gain * np.float32(scale)), np.float32(0.0))
            noise += np.where(is_kept, (read_noise / np.float32(scale)) ** 2, np.float32(0.0))
            n_kept += is_kept
        with np.errstate(invalid="ignore", divide="ignore"):
            # the light of all frames first: that of one is half noise, and its positive half alone is too much
            variance: Image = (np.maximum(light, np.float32(0.0)) + noise) / n_kept
        return variance

    @property
    def adu_per_unit(self) -> float:
        """What turns a value of the product into adu of a typical frame."""
        frame = self.frames[0]
        gain = float(np.nanmedian([state.gain_e_per_adu for state in frame.amplifiers]))
        step = gain if frame.flags.units == ELECTRON else 1.0
        return float(np.median(self.scales)) / step

    @property
    def half_step(self) -> float:
        """Half the step of the converter in the unit of the product; 0 for values that are no whole numbers."""
        is_quantised = all(frame.is_quantised for frame in self.frames)
        return _QUANTISATION_ADU / self.adu_per_unit if is_quantised else 0.0

    def _count(self, number: int, pixels: Image) -> None:
        total = float(np.add.reduce(pixels, axis=None))
        n_read = pixels.size
        if not np.isfinite(total):
            finite = pixels[np.isfinite(pixels)]
            total, n_read = float(np.add.reduce(finite)), finite.size
        self._sum[number] += total
        self._n_read[number] += n_read


def corrected_faults(frames: Sequence[CorrectedFrame], everywhere: Mapping[str, str] | None = None) -> BadAmplifiers:
    """Return the bad amplifiers of corrected frames.

    Parameters
    ----------
    frames : sequence of CorrectedFrame
        Open exposures.
    everywhere : mapping of str to str, optional
        More of them, by name, with the reason.
    """
    return BadAmplifiers(
        names=tuple(state.name for state in frames[0].amplifiers),
        raws=tuple(frame.raw for frame in frames),
        by_frame=tuple(frame.bad_amplifiers for frame in frames),
        everywhere=everywhere or {},
    )


def corrected_bands(
    stack: CorrectedStack, *, n_sigma: float | None = 3.0, max_iter: int = 3, band_rows: int = 20
) -> Iterator[tuple[int, Combined]]:
    """Combine corrected frames band by band.

    Parameters
    ----------
    stack : CorrectedStack
        Open frames.
    n_sigma, max_iter
        As in `kernels.combine.clipped_mean`.
    band_rows : int
        Raw rows of each frame held in memory, of all amplifiers.

    Yields
    ------
    tuple of int and Combined
        First row and whole assembled rows, as the detector shows them (flips done); not in order from the bottom up.
        The arrays are overwritten by what follows. Pixels of no amplifier, and those without a finite sample, are NaN
        with count 0.

    Raises
    ------
    UserInputError
        If the clip could never reject anything for this number of frames, or there is no frame.
    ExecutionError, StoreError
        As `CorrectedStack.read`.
    """
    placements, n_frames = stack.placements, len(stack.frames)
    n_amps, width, height = len(placements), placements[0].width, placements[0].height
    rows = min(height if _is_woven(placements) else band_rows, height)
    combiner = frame_combiner(n_frames, n_sigma=n_sigma, max_iter=max_iter, minimum_sigma=stack.half_step)
    samples = np.empty(n_frames * n_amps * rows * width, np.float32)
    whole = Combined(
        np.empty((rows, stack.detector.width), np.float32),
        np.empty((rows, stack.detector.width), np.float32),
        np.empty((rows, stack.detector.width), np.int16),
    )
    for y0 in range(0, height, rows):
        y1 = min(y0 + rows, height)
        cube = samples[: n_frames * n_amps * (y1 - y0) * width].reshape(n_frames, n_amps * (y1 - y0), width)
        stack.read(y0, y1, cube)
        variance = stack.sample_variance(cube) if n_frames < MIN_FRAMES_FOR_SPREAD else None
        combined = combiner.combine(list(cube), frame_variance=variance)
        yield from _assembled(combined, placements, y0, y1, whole)
    yield from _uncovered(stack.detector, placements, whole)


def _uncovered(
    detector: Detector, placements: Sequence[AmplifierPlacement], whole: Combined
) -> Iterator[tuple[int, Combined]]:
    """Yield the rows that belong to no amplifier."""
    is_covered = np.zeros(detector.height, np.bool_)
    for place in placements:
        is_covered[place.detector_y0 : place.detector_y0 + place.height] = True
    whole.mean[...] = whole.variance[...] = np.nan
    whole.count[...] = 0
    for y0 in np.flatnonzero(~is_covered):
        yield int(y0), Combined(whole.mean[:1], whole.variance[:1], whole.count[:1])


def _assembled(
    combined: Combined, placements: Sequence[AmplifierPlacement], y0: int, y1: int, whole: Combined
) -> Iterator[tuple[int, Combined]]:
    """Yield whole rows of the detector, each range of rows once."""
    ranges: dict[int, list[int]] = {}
    for index, place in enumerate(placements):
        first = place.height - y1 if place.is_flipped_y else y0
        ranges.setdefault(place.detector_y0 + first, []).append(index)
    shape = (len(placements), y1 - y0, placements[0].width)
    for detector_y0, indices in sorted(ranges.items()):
        out = Combined(whole.mean[: y1 - y0], whole.variance[: y1 - y0], whole.count[: y1 - y0])
        if sum(placements[index].width for index in indices) < out.mean.shape[1]:
            out.mean[...] = out.variance[...] = np.nan
            out.count[...] = 0
        for plane, source in zip(_planes(out), _planes(combined), strict=True):
            cube = source.reshape(shape)
            for index in indices:
                place = placements[index]
                plane[:, place.detector_columns] = oriented(
                    cube[index], is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y
                )
        yield detector_y0, out


def _planes(combined: Combined) -> tuple[Image | Counts, ...]:
    return combined.mean, combined.variance, combined.count


def _is_woven(placements: Sequence[AmplifierPlacement]) -> bool:
    """Tell whether amplifiers side by side are read from opposite ends, so that rows come together only at the end."""
    ends = {place.detector_y0: set[bool]() for place in placements}
    for place in placements:
        ends[place.detector_y0].add(place.is_flipped_y)
    return any(len(flips) > 1 for flips in ends.values())
