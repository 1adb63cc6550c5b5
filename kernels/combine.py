"""Clipped mean of a stack of frames with variance and count planes, in cache-sized tiles.

The rule (that of the observatory's MEANCLIP): the first clip is about the median with 0.7413 times the interquartile
range, so that one value can never hide behind the width it makes; every later one about the mean with the standard
deviation (population form) of what the last kept, always of all samples. NaN, infinite and masked samples take no part.

Most pixels need no clipping: one dense pass finds the median, quartiles, extremes and moments, and where both extremes
lie inside the first and the next limit the result is final. Only the others are gathered and iterated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Counts, Cube, Image
from kernels.clip_bounds import IQR_TO_SIGMA, SMALLEST_SIGMA, require_rejectable
from kernels.errors import KernelError, NotEnoughDataError
from kernels.sorting_network import network_program

MIN_FRAMES_FOR_SPREAD: Final = 5
"""From this many frames on the variance comes from the spread, below it from the input variance."""

TILE_PIXELS: Final = 16384
"""Pixels worked on at a time: twenty rows of them stay in the second-level cache."""

NETWORK_MAX_FRAMES: Final = 48
"""Above this many frames a transposed sort is faster than the network."""

_FAR_AWAY: Final = np.float32(3e38)
"""Stands for a missing sample in the iterations: finite, so that a weight of zero removes it."""

_Scalar = TypeVar("_Scalar", np.float32, np.bool_)


@dataclass(frozen=True, slots=True)
class Combined:
    """A combined image."""

    mean: Image
    """Clipped mean, shape (ny, nx), float32 [unit of the frames]; NaN without any valid sample."""
    variance: Image
    """Variance of that mean, shape (ny, nx), float32 [unit squared]; NaN where it cannot be told."""
    count: Counts
    """Samples kept, shape (ny, nx), int16."""


def clipped_mean(
    stack: Cube | Sequence[Image],
    *,
    n_sigma: float | None = 3.0,
    max_iter: int = 3,
    masks: Sequence[NDArray[np.generic] | None] | None = None,
    frame_variance: Image | float | None = None,
    minimum_sigma: float = 0.0,
    out: Combined | None = None,
) -> Combined:
    """Combine frames by a clipped mean.

    Parameters
    ----------
    stack : ndarray of shape (n, ny, nx) or sequence of n ndarrays of shape (ny, nx), float32
        Frames; unchanged.
    n_sigma : float or None
        Clip [sigma]; None for a plain mean.
    max_iter : int
        Clips.
    masks : sequence of ndarray of shape (ny, nx) or None, optional
        One per frame; a sample with a nonzero mask takes no part.
    frame_variance : float or ndarray of shape (ny, nx), float32, optional
        Variance of one sample [unit squared], needed below five frames.
    minimum_sigma : float
        Width never taken smaller than this, e.g. half the step of quantised data [unit].
    out : Combined, optional
        Planes to write, returned.

    Returns
    -------
    Combined
        Mean, variance of the mean and count.

    Raises
    ------
    ClipCannotRejectError
        If the clip could never reject one outlier among that many frames.
    KernelError
        If the clip is tighter than 1.5 sigma, or shapes differ.
    NotEnoughDataError
        If there is no frame, or fewer than five and no `frame_variance`.

    Notes
    -----
    Variance: from five frames on the sample variance of the kept samples over their number, below that the frame
    variance over that number. Sums are float32 about the median. Not thread-safe only in `out`.

    Examples
    --------
    >>> frames = np.zeros((6, 1, 2), np.float32) + np.arange(6, dtype=np.float32)[:, None, None]
    >>> frames[2, 0, 1] = 60_000
    >>> [round(float(value), 3) for value in clipped_mean(frames).mean[0]]
    [2.5, 2.6]
    """
    combiner = ClippedMeanCombiner(len(stack), n_sigma=n_sigma, max_iter=max_iter, minimum_sigma=minimum_sigma)
    return combiner.combine(stack, masks=masks, frame_variance=frame_variance, out=out)


class ClippedMeanCombiner:
    """A clipped mean of a fixed number of frames that keeps its scratch between bands.

    Parameters
    ----------
    n_frames : int
        Frames of every stack to come.
    n_sigma, max_iter, minimum_sigma
        As in `clipped_mean`.
    tile_pixels : int
        Pixels worked on at a time.

    Raises
    ------
    ClipCannotRejectError
        If the clip could never reject one outlier among that many frames.
    KernelError
        If the clip is tighter than 1.5 sigma or `max_iter` is below 1.
    NotEnoughDataError
        If there is no frame.
    """

    def __init__(
        self,
        n_frames: int,
        *,
        n_sigma: float | None = 3.0,
        max_iter: int = 3,
        minimum_sigma: float = 0.0,
        tile_pixels: int = TILE_PIXELS,
    ) -> None:
        if n_frames < 1:
            raise NotEnoughDataError("no frame to combine")
        if n_sigma is not None:
            if not n_sigma >= SMALLEST_SIGMA or max_iter < 1:
                raise KernelError(f"n_sigma={n_sigma!r}, max_iter={max_iter}: need >= {SMALLEST_SIGMA} and >= 1")
            require_rejectable(n_frames, n_sigma)
        self._n_frames = n_frames
        self._n_sigma = n_sigma
        self._max_iter = max_iter
        self._minimum_sigma = np.float32(minimum_sigma)
        self._tile_pixels = tile_pixels
        positions = [(n_frames - 1) * quantile for quantile in (0.25, 0.5, 0.75)]
        self._quartiles = [(int(p), min(int(p) + 1, n_frames - 1), np.float32(p - int(p))) for p in positions]
        self._ranks = tuple(sorted({0, n_frames - 1, *(rank for q in self._quartiles for rank in q[:2])}))
        is_network = n_frames <= NETWORK_MAX_FRAMES
        self._program = network_program(n_frames, self._ranks) if is_network else None
        n_scratch = self._program.n_scratch if self._program else 1
        self._scratch = np.empty((n_scratch, tile_pixels), np.float32)
        self._planes = np.empty((8, tile_pixels), np.float32)
        self._masked = np.empty((0, 0), np.float32)
        # fresh arrays of this size would be page-faulted in for every tile, which costs more than the work on them
        self._gathered = np.empty((3, n_frames * tile_pixels), np.float32)
        self._kept = np.empty((3, n_frames * tile_pixels), np.bool_)

    def combine(
        self,
        stack: Cube | Sequence[Image],
        *,
        masks: Sequence[NDArray[np.generic] | None] | None = None,
        frame_variance: Image | float | None = None,
        out: Combined | None = None,
    ) -> Combined:
        """Combine one stack or band.

        Parameters
        ----------
        stack, masks, frame_variance, out
            As in `clipped_mean`.

        Returns
        -------
        Combined
            Mean, variance of the mean and count.

        Raises
        ------
        KernelError
            If the number of frames or a shape differs.
        NotEnoughDataError
            If there are fewer than five frames and no `frame_variance`.
        """
        shape = stack[0].shape
        if len(stack) != self._n_frames or any(frame.shape != shape for frame in stack):
            raise KernelError(f"expected {self._n_frames} frames of shape {shape}, got {[f.shape for f in stack]}")
        rows = [np.ascontiguousarray(frame, dtype=np.float32).reshape(-1) for frame in stack]
        hides = [None if m is None else np.ascontiguousarray(m).reshape(-1) != 0 for m in masks] if masks else None
        propagated = None
        if self._n_frames < MIN_FRAMES_FOR_SPREAD:
            if frame_variance is None:
                raise NotEnoughDataError(f"{self._n_frames} frames show no spread: the variance of a frame is needed")
            propagated = np.ascontiguousarray(np.broadcast_to(np.float32(frame_variance), shape)).reshape(-1)
        result = out or Combined(np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int16))
        for start in range(0, rows[0].size, self._tile_pixels):
            part = slice(start, min(start + self._tile_pixels, rows[0].size))
            tile = [row[part] for row in rows]
            if hides is not None:
                tile = self._hide(tile, [None if hide is None else hide[part] for hide in hides])
            mean, variance, count = self._combine_tile(tile, None if propagated is None else propagated[part])
            result.mean.reshape(-1)[part] = mean
            result.variance.reshape(-1)[part] = variance
            result.count.reshape(-1)[part] = count
        return result

    def _hide(self, tile: list[Image], hides: list[BoolImage | None]) -> list[Image]:
        n_pixels = tile[0].size
        if self._masked.shape[1] < n_pixels:
            self._masked = np.empty((self._n_frames, self._tile_pixels), np.float32)
        hidden = []
        for copy, row, hide in zip(self._masked, tile, hides, strict=True):
            if hide is None:
                hidden.append(row)
                continue
            view = copy[:n_pixels]
            np.copyto(view, row)
            view[hide] = np.nan
            hidden.append(view)
        return hidden

    def _sorted_ranks(self, tile: list[Image]) -> dict[int, Image]:
        if self._program is not None:
            return self._program.run(tile, self._scratch)
        ordered = np.sort(np.stack(tile, axis=1), axis=1)
        return {rank: np.ascontiguousarray(ordered[:, rank]) for rank in self._ranks}

    def _combine_tile(self, tile: list[Image], propagated: Image | None) -> tuple[Image, Image, Counts]:
        n_pixels, n = tile[0].size, self._n_frames
        center, width, mean, variance, deviation, sum1, sum2, spread = (plane[:n_pixels] for plane in self._planes)
        with np.errstate(all="ignore"):
            ranks = self._sorted_ranks(tile)
            quartiles = []
            for low, high, fraction in self._quartiles:
                np.subtract(ranks[high], ranks[low], out=deviation)
                np.multiply(deviation, fraction, out=deviation)
                quartiles.append(np.add(deviation, ranks[low]))
            np.copyto(center, quartiles[1])
            np.subtract(quartiles[2], quartiles[0], out=width)
            width *= np.float32(IQR_TO_SIGMA)
            _moments(tile, center, deviation, sum1, sum2)
            np.multiply(sum1, np.float32(1 / n), out=sum1)
            np.multiply(sum2, np.float32(1 / n), out=sum2)
            np.multiply(sum1, sum1, out=deviation)
            np.subtract(sum2, deviation, out=sum2)
            np.maximum(sum2, np.float32(0), out=sum2)
            np.sqrt(sum2, out=spread)
            np.add(center, sum1, out=mean)
            smallest, largest = ranks[0], ranks[n - 1]
            clean = self._is_within(smallest, largest, center, width)
            clean &= self._is_within(smallest, largest, mean, spread)
            if n >= MIN_FRAMES_FOR_SPREAD:
                np.multiply(sum2, np.float32(1 / (n - 1)), out=variance)
            count = np.full(n_pixels, n, np.int16)
            dirty = np.flatnonzero(~clean)
            if dirty.size:
                samples = _as_rows(self._gathered[0], n, dirty.size)
                for row, sample in zip(tile, samples, strict=True):
                    np.take(row, dirty, out=sample, mode="clip")
                mean[dirty], variance[dirty], count[dirty] = self._combine_dirty(samples, center[dirty], width[dirty])
            if propagated is not None:
                np.divide(propagated, count, out=variance)
                variance[count == 0] = np.nan
        return mean, variance, count

    def _is_within(self, smallest: Image, largest: Image, center: Image, sigma: Image) -> BoolImage:
        if self._n_sigma is None:
            return np.isfinite(smallest) & np.isfinite(largest) & np.isfinite(center)
        limit = self._half_width(sigma)
        inside = (largest - center) <= limit
        inside &= (center - smallest) <= limit
        return inside

    def _half_width(self, sigma: Image) -> Image:
        if self._n_sigma is None:
            return np.full(sigma.shape, _FAR_AWAY / 2, np.float32)
        return np.maximum(sigma, self._minimum_sigma) * np.float32(self._n_sigma)

    def _combine_dirty(self, samples: Cube, center: Image, width: Image) -> tuple[Image, Image, Counts]:
        incomplete = np.flatnonzero(~np.isfinite(np.add.reduce(samples, axis=0)))
        if incomplete.size:
            part = samples[:, incomplete]
            part[~np.isfinite(part)] = np.nan
            center[incomplete], width[incomplete] = _quartiles_with_gaps(part)
            part[np.isnan(part)] = _FAR_AWAY
            samples[:, incomplete] = part
        samples -= center
        n, work = len(samples), self._gathered[1]
        source, target = self._gathered[0], self._gathered[2]
        kept = _as_rows(work, *samples.shape)
        np.abs(samples, out=kept)
        keep = np.less_equal(kept, self._half_width(width), out=_as_rows(self._kept[0], *samples.shape))
        mean, spread2, count = moments = _kept_moments(samples, keep, kept)
        active = np.arange(center.size)
        for _ in range(self._max_iter - 1 if self._n_sigma is not None else 0):
            limit = self._half_width(np.sqrt(moments[1] / moments[2]))
            np.subtract(samples, moments[0], out=kept)
            np.abs(kept, out=kept)
            kept_now = np.less_equal(kept, limit, out=_as_rows(self._kept[1], *samples.shape))
            # a pixel whose clip keeps what the last one kept is final
            changes = np.not_equal(kept_now, keep, out=_as_rows(self._kept[2], *samples.shape))
            changed = np.flatnonzero(np.logical_or.reduce(changes, axis=0))
            if changed.size == 0:
                break
            active = active[changed]
            samples = np.take(samples, changed, axis=1, out=_as_rows(target, n, changed.size), mode="clip")
            source, target = target, source
            keep = np.take(kept_now, changed, axis=1, out=_as_rows(self._kept[0], n, changed.size), mode="clip")
            kept = _as_rows(work, n, changed.size)
            moments = _kept_moments(samples, keep, kept)
            mean[active], spread2[active], count[active] = moments
        variance = spread2 / ((count - 1) * count)
        variance[count < 2] = np.nan  # one sample shows no spread
        return center + mean, variance, count.astype(np.int16)


def _as_rows(memory: NDArray[_Scalar], n_rows: int, n_columns: int) -> NDArray[_Scalar]:
    return memory[: n_rows * n_columns].reshape(n_rows, n_columns)


def _kept_moments(samples: Cube, keep: NDArray[np.bool_], kept: Cube) -> tuple[Image, Image, Image]:
    """Return mean, summed squares about it and number of the kept samples of each column, all float32."""
    count_type = np.uint8 if len(samples) < 256 else np.int16
    count = np.add.reduce(keep.view(np.uint8), axis=0, dtype=count_type).astype(np.float32)
    np.multiply(samples, keep, out=kept)
    mean = np.add.reduce(kept, axis=0) / count
    spread2 = np.einsum("ij,ij->j", kept, kept) - count * mean * mean
    return mean, np.maximum(spread2, np.float32(0)), count


def _moments(tile: list[Image], center: Image, deviation: Image, sum1: Image, sum2: Image) -> None:
    sum1.fill(0)
    sum2.fill(0)
    for row in tile:
        np.subtract(row, center, out=deviation)
        np.add(sum1, deviation, out=sum1)
        np.multiply(deviation, deviation, out=deviation)
        np.add(sum2, deviation, out=sum2)


def _quartiles_with_gaps(samples: Cube) -> tuple[Image, Image]:
    """Return the median and 0.7413 IQR of each column of finite values and NaN."""
    ordered = np.sort(samples, axis=0)
    last = np.isfinite(samples).sum(axis=0) - 1
    quartiles = []
    for quantile in (0.25, 0.5, 0.75):
        position = np.maximum(last, 0) * quantile
        low = position.astype(np.intp)
        high = np.minimum(low + 1, np.maximum(last, 0))
        fraction = (position - low).astype(np.float32)
        lower = np.take_along_axis(ordered, low[None], axis=0)[0]
        upper = np.take_along_axis(ordered, high[None], axis=0)[0]
        quartiles.append(lower + fraction * (upper - lower))
    return quartiles[1], (quartiles[2] - quartiles[0]) * np.float32(IQR_TO_SIGMA)
