"""Defective pixels of a detector: limits of each amplifier, thresholds, columns, borders, and merging frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image
from kernels.errors import KernelError, NotEnoughDataError
from kernels.statistics import clipped_statistics

BAND_ROWS: Final = 16
"""Rows compared at a time, so that they are read from memory once."""

MIN_GOOD_FRACTION: Final = 0.5
"""An amplifier with fewer usable pixels is defective as a whole: its statistics would be those of the exceptions."""

_LARGEST: Final = float(np.finfo(np.float32).max)


class MergeMode(StrEnum):
    """When a pixel found in some of several frames is a defect."""

    FRACTION = "FRACTION"
    AND = "AND"
    OR = "OR"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectRule:
    """Limits of one kind of frame, relative to the clipped mean c and standard deviation s of the amplifier."""

    hot_offset: float | None = None
    """Hot above c + this [image unit]; goes before `hot_sigma`."""
    hot_sigma: float | None = None
    """Hot above c + this * s."""
    cold_fraction: float | None = None
    """Cold below this * c; goes before `cold_sigma`."""
    cold_sigma: float | None = None
    """Cold below c - this * s."""

    def limits(self, center: float, stdev: float) -> tuple[float, float]:
        """Return the lowest and highest value of a good pixel."""
        low, high = -np.inf, np.inf
        if self.cold_fraction is not None:
            low = self.cold_fraction * center
        elif self.cold_sigma is not None:
            low = center - self.cold_sigma * stdev
        if self.hot_offset is not None:
            high = center + self.hot_offset
        elif self.hot_sigma is not None:
            high = center + self.hot_sigma * stdev
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierLimits:
    """What a good pixel of one amplifier is in one frame."""

    place: tuple[slice, slice]
    """Rows and columns of the amplifier in the frame."""
    low: float
    high: float
    center: float
    """Clipped mean [image unit]; NaN for a defective amplifier."""
    stdev: float
    reason: str = ""
    """Why the whole amplifier is defective; empty if it is not."""


def amplifier_limits(
    image: Image,
    places: Sequence[tuple[slice, slice]],
    rule: DefectRule,
    *,
    ignore: BoolImage | None = None,
    dead_fraction: float | None = None,
) -> list[AmplifierLimits]:
    """Measure what a good pixel is in each amplifier.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Combined frame.
    places : sequence of tuple of slice
        Rows and columns of each amplifier.
    rule : DefectRule
        Limits of this kind of frame.
    ignore : ndarray of shape (ny, nx), bool, optional
        Pixels that take no part in the statistics.
    dead_fraction : float, optional
        For flats: an amplifier whose mean is below this fraction of the median amplifier does not see light.

    Returns
    -------
    list of AmplifierLimits
        In the order of `places`; an amplifier that is mostly unusable or dead has a reason and limits nothing passes.
    """
    found = [_measured(image, place, rule, ignore) for place in places]
    centers = [limits.center for limits in found if not limits.reason]
    if dead_fraction is None or not centers:
        return found
    typical = float(np.median(centers))
    return [
        _defective(limits.place, f"mean {limits.center:.4g} where the median amplifier has {typical:.4g}")
        if not limits.reason and limits.center <= dead_fraction * typical
        else limits
        for limits in found
    ]


def threshold_bands(
    image: Image, limits: Sequence[AmplifierLimits], *, out: BoolImage | None = None
) -> tuple[BoolImage, NDArray[np.int64], NDArray[np.int64]]:
    """Mark the pixels outside the limits of their amplifier.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        The frame the limits are of.
    limits : sequence of AmplifierLimits
        Limits of amplifiers that share rows have the same rows.
    out : ndarray of shape (ny, nx), bool, optional
        Where to put the mask.

    Returns
    -------
    mask : ndarray of shape (ny, nx), bool
        True where a pixel is above, below or not finite.
    n_hot, n_cold : ndarray of shape (n_amp,), int64
        Pixels above and below by amplifier; none for an amplifier defective as a whole.
    """
    mask = np.zeros(image.shape, np.bool_) if out is None else out
    n_hot, n_cold = np.zeros(len(limits), np.int64), np.zeros(len(limits), np.int64)
    for rows in sorted({(one.place[0].start, one.place[0].stop) for one in limits}):
        members = [i for i, one in enumerate(limits) if (one.place[0].start, one.place[0].stop) == rows]
        low = np.full(image.shape[1], -_LARGEST, np.float32)
        high = np.full(image.shape[1], _LARGEST, np.float32)
        for i in members:
            # No limit is the largest number, so that an infinite pixel is outside.
            one = limits[i]
            low[one.place[1]] = np.inf if one.reason else max(one.low, -_LARGEST)
            high[one.place[1]] = -np.inf if one.reason else min(one.high, _LARGEST)
        for y0 in range(rows[0], rows[1], BAND_ROWS):
            band = image[y0 : min(y0 + BAND_ROWS, rows[1])]
            good = mask[y0 : y0 + band.shape[0]]
            np.less_equal(band, high, out=good)
            good &= band >= low
            np.logical_not(good, out=good)
    for i, one in enumerate(limits):
        marked = image[one.place][mask[one.place]]
        if not one.reason and marked.size:
            n_hot[i], n_cold[i] = int((marked > one.high).sum()), int((marked < one.low).sum())
    return mask, n_hot, n_cold


def merge_masks(
    masks: Sequence[BoolImage], mode: MergeMode = MergeMode.FRACTION, *, fraction: float = 0.7
) -> BoolImage:
    """Merge the masks of several frames of one kind.

    Parameters
    ----------
    masks : sequence of ndarray of shape (ny, nx), bool
        One for each frame.
    mode : MergeMode
        FRACTION: found in at least `fraction` of the frames; AND: in all; OR: in any.
    fraction : float
        In (0, 1].

    Returns
    -------
    ndarray of shape (ny, nx), bool

    Raises
    ------
    KernelError
        If there is no mask, or the fraction is outside (0, 1].

    Examples
    --------
    >>> masks = [np.array([[True, True]]), np.array([[True, False]])]
    >>> merge_masks(masks, MergeMode.AND).tolist()
    [[True, False]]
    """
    if not masks or not 0 < fraction <= 1:
        raise KernelError(f"cannot merge {len(masks)} masks by a fraction of {fraction:g}")
    if mode is MergeMode.OR or len(masks) == 1:
        return np.asarray(np.logical_or.reduce(masks), np.bool_)
    if mode is MergeMode.AND:
        return np.asarray(np.logical_and.reduce(masks), np.bool_)
    count = np.add.reduce([mask.astype(np.uint16) for mask in masks], axis=0)
    # As counts: 0.7 * 10 is not 7 in floating point.
    return np.asarray(count >= int(np.ceil(fraction * len(masks) - 1e-9)), np.bool_)


def _measured(image: Image, place: tuple[slice, slice], rule: DefectRule, ignore: BoolImage | None) -> AmplifierLimits:
    pixels = image[place]
    usable = pixels if ignore is None or not ignore[place].any() else pixels[~ignore[place]]
    try:
        statistics = clipped_statistics(usable)
    except NotEnoughDataError:
        return _defective(place, "no finite pixel")
    n_finite = int(np.isfinite(usable).sum())
    if n_finite < MIN_GOOD_FRACTION * pixels.size:
        return _defective(place, f"only {n_finite} of {pixels.size} pixels are usable")
    low, high = rule.limits(statistics.mean, statistics.stdev)
    return AmplifierLimits(place=place, low=low, high=high, center=statistics.mean, stdev=statistics.stdev)


def _defective(place: tuple[slice, slice], reason: str) -> AmplifierLimits:
    # Between these limits lies no value, so the threshold marks every pixel.
    return AmplifierLimits(place=place, low=np.inf, high=-np.inf, center=np.nan, stdev=np.nan, reason=reason)
