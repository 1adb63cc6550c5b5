"""Levels of overscan regions as vectors: one per row (serial) or per column (parallel).

Levels are computed from the overscan pixels alone, before the image is read, so that the image can be streamed in
bands. A serial box is passed as it lies (a row of overscan for each image row), a parallel box transposed.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image
from kernels.errors import NotEnoughDataError

Indices: TypeAlias = NDArray[np.intp]

_FILL_NEIGHBOURS = 5
_STATISTICS_SAMPLES = 20_000
_RESIDUAL_CLIP = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverscanRule:
    """How an overscan box becomes a level; the defaults are those of the serial overscan."""

    leading_skip: int = 3
    """Columns left out next to the image [pixel]."""
    trailing_skip: int = 3
    """Columns left out at the far end [pixel]."""
    n_sigma: float = 3.0
    """Clip about the row median [0.74 IQR of the row]."""
    max_deviation_adu: float = 1000.0
    """Samples farther than this from the median of the box take no part [adu]."""
    is_positive_only: bool = False
    """Whether only samples above the median can deviate too far."""
    grow: int = 0
    """Rows on each side of one with a sample above `bleed_adu` that are filled too."""
    bleed_adu: float = float("inf")
    """Level above which a sample is charge from a saturated source [adu]."""
    outlier_adu: float = float("inf")
    """A row whose level exceeds the running median of five rows by more is filled, with two more on each side [adu]."""


SERIAL = OverscanRule()
"""Median of each row, deviations of either sign up to 1000 adu."""

PARALLEL = OverscanRule(max_deviation_adu=100.0, is_positive_only=True, grow=7, outlier_adu=5.0)
"""Median of each column (pass the box transposed), positive deviations up to 100 adu."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverscanLevels:
    """Level of each row of an overscan box and what it was like."""

    level: Image
    """Level, shape (n_rows,), float32 [adu]."""
    n_filled: int
    """Rows without a usable sample, filled from their neighbours."""
    mean: float
    median: float
    stdev: float
    """Mean, median and standard deviation of `level` [adu]."""
    residual_mean: float
    residual_median: float
    residual_stdev: float
    """Those of the box after subtraction, within 5 typical row sigma [adu]; the median of about 20 000 samples."""


def overscan_levels(box: Image, *, rule: OverscanRule = SERIAL) -> OverscanLevels:
    """Return the clipped median of each row of an overscan box.

    Parameters
    ----------
    box : ndarray of shape (n_rows, n_columns), float32
        Overscan pixels [adu]; a parallel overscan transposed.
    rule : OverscanRule
        Skips, clip and largest deviation.

    Returns
    -------
    OverscanLevels
        Levels and statistics.

    Raises
    ------
    NotEnoughDataError
        If the skips leave no column, or no sample of the box is usable.

    Notes
    -----
    Per row sigma = 0.74 (q75 - q25), a row sigma above twice the median row sigma is replaced by that median; samples
    beyond `n_sigma` of it from the row median are dropped and the median of the rest is the level. A row without
    samples gets the median of the five valid rows on each side, else of all.
    """
    used = box[:, rule.leading_skip : box.shape[1] - rule.trailing_skip]
    if used.size == 0:
        raise NotEnoughDataError(
            f"overscan of shape {box.shape} has no column left after skipping {rule.leading_skip}+{rule.trailing_skip}"
        )
    ordered = np.sort(used.astype(np.float32, copy=False), axis=1)  # NaN last
    first, last, bled = _usable_range(ordered, rule)
    if not (last > first).any():
        raise NotEnoughDataError(f"overscan of shape {box.shape} has no usable sample")
    lower, level, upper = (_quantile(ordered, first, last, q) for q in (0.25, 0.5, 0.75))
    sigma = np.float32(0.74) * (upper - lower)
    typical = np.float32(np.median(sigma[last > first]))
    sigma = np.where(sigma > 2 * typical, typical, sigma)
    half_width = np.float32(rule.n_sigma) * sigma
    first, last = _clip_range(ordered, first, last, level, below=half_width, above=half_width)
    clipped = np.flatnonzero((first > 0) | (last < ordered.shape[1]))
    level[clipped] = _quantile(ordered[clipped], first[clipped], last[clipped], 0.5)
    invalid = (last <= first) | bled
    if np.isfinite(rule.outlier_adu):
        invalid |= _outlying(_fill(level, np.isnan(level)), rule.outlier_adu)
    filled = _fill(level, invalid)
    return OverscanLevels(
        level=filled,
        n_filled=int(invalid.sum()),
        mean=float(filled.mean(dtype=np.float64)),
        median=float(np.median(filled)),
        stdev=float(filled.std(dtype=np.float64)),
        **_residual_statistics(ordered, filled, float(typical)),
    )


def _usable_range(ordered: Image, rule: OverscanRule) -> tuple[Indices, Indices, BoolImage]:
    n_rows, n_columns = ordered.shape
    first = np.zeros(n_rows, np.intp)
    last = np.full(n_rows, n_columns, np.intp)
    if not np.isfinite(ordered[:, [0, -1]]).all():
        first = (ordered == -np.inf).sum(axis=1)
        last = n_columns - (~np.isfinite(ordered)).sum(axis=1) + first
    middles = _quantile(ordered, first, last, 0.5)
    if np.isnan(middles).all():
        return first, last, np.zeros(n_rows, np.bool_)
    middle = np.nanmedian(middles)
    low = -np.inf if rule.is_positive_only else middle - rule.max_deviation_adu
    center = np.full(n_rows, middle, np.float32)
    bled = np.zeros(n_rows, np.bool_)
    if rule.grow:
        bled = ordered[np.arange(n_rows), np.maximum(last, 1) - 1] > rule.bleed_adu
        bled = _grown(bled, rule.grow)
    above = np.full(n_rows, rule.max_deviation_adu, np.float32)
    return *_clip_range(ordered, first, last, center, below=center - np.float32(low), above=above), bled


def _clip_range(
    ordered: Image,
    first: Indices,
    last: Indices,
    center: Image,
    *,
    below: Image,
    above: Image,
) -> tuple[Indices, Indices]:
    """Narrow the ranges [first, last) of sorted rows to samples within the limits."""
    low, high = center - below, center + above
    rows = np.arange(ordered.shape[0])
    reached = np.minimum(np.maximum(last, first + 1), ordered.shape[1]) - 1
    outside = ~((ordered[rows, np.minimum(first, ordered.shape[1] - 1)] >= low) & (ordered[rows, reached] <= high))
    touched = np.flatnonzero(outside & (last > first))
    if touched.size == 0:
        return first, last
    part = ordered[touched]
    first, last = first.copy(), last.copy()
    first[touched] = np.maximum(first[touched], (part < low[touched, None]).sum(axis=1))
    last[touched] = np.minimum(last[touched], (part <= high[touched, None]).sum(axis=1))
    return first, last


def _quantile(ordered: Image, first: Indices, last: Indices, quantile: float) -> Image:
    """Return a quantile of each row's samples [first, last), linear between ranks; NaN for an empty range."""
    n_columns = ordered.shape[1]
    if not first.any() and (last == n_columns).all():
        rank, fraction = divmod((n_columns - 1) * quantile, 1)
        lowest: Image = ordered[:, int(rank)]
        return lowest + np.float32(fraction) * (ordered[:, min(int(rank) + 1, n_columns - 1)] - lowest)
    position = first + np.maximum(last - first - 1, 0) * quantile
    low = np.minimum(position.astype(np.intp), ordered.shape[1] - 1)
    high = np.minimum(low + 1, np.maximum(last - 1, low))
    rows = np.arange(ordered.shape[0])
    lower = ordered[rows, low]
    values: Image = lower + (position - low).astype(np.float32) * (ordered[rows, high] - lower)
    values[last <= first] = np.nan
    return values


def _outlying(level: Image, outlier_adu: float) -> BoolImage:
    """Select rows far above the running median, not within five of the ends, and two neighbours on each side."""
    outlying = np.zeros(level.size, np.bool_)
    if level.size > 2 * _FILL_NEIGHBOURS:
        running = np.median(np.lib.stride_tricks.sliding_window_view(level, 5), axis=1)
        outlying[2:-2] = level[2:-2] > running + outlier_adu
        outlying[:_FILL_NEIGHBOURS] = outlying[-_FILL_NEIGHBOURS:] = False
    return _grown(outlying, 2)


def _grown(selected: BoolImage, reach: int) -> BoolImage:
    """Select up to `reach` neighbours on each side too."""
    return np.convolve(selected, np.ones(2 * reach + 1))[reach : reach + selected.size] > 0


def _fill(level: Image, invalid: BoolImage) -> Image:
    if not invalid.any():
        return level
    valid = np.flatnonzero(~invalid)
    if valid.size == 0:
        raise NotEnoughDataError("no row of the overscan has a usable sample")
    filled = level.copy()
    for row in np.flatnonzero(invalid):
        place = int(np.searchsorted(valid, row))
        neighbours = valid[max(place - _FILL_NEIGHBOURS, 0) : place + _FILL_NEIGHBOURS]
        filled[row] = np.median(level[neighbours])
    return filled


def _residual_statistics(ordered: Image, level: Image, typical: float) -> dict[str, float]:
    residual = ordered - level[:, None]
    limit = max(_RESIDUAL_CLIP * typical, 1.0)
    count = residual.size
    if not (residual[:, 0].min() >= -limit and residual[:, -1].max() <= limit):
        outside = ~(np.abs(residual) <= limit)
        count -= int(outside.sum())
        residual[outside] = 0
    if count == 0:
        nothing = float("nan")
        return {"residual_mean": nothing, "residual_median": nothing, "residual_stdev": nothing}
    flat = residual.reshape(-1)
    mean = float(np.add.reduce(flat)) / count
    sum2 = float(np.dot(flat, flat))
    return {
        "residual_mean": mean,
        "residual_median": float(np.median(residual[:: max(1, residual.size // _STATISTICS_SAMPLES)])),
        "residual_stdev": float(np.sqrt(max(sum2 / count - mean * mean, 0.0))),
    }
