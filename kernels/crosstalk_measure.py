"""Crosstalk measured: what each amplifier shows of bright pixels of another, and which detectors stand apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Cube, Image
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.errors import KernelError

CLIP_SIGMA: Final = 2.0
N_CLIPS: Final = 3
SCATTER_FACTOR: Final = 1.137
"""Standard deviation of a normal law over that of its values within 2 sigma."""

VALID_SIGMA: Final = 3.0
MIN_SAMPLES: Final = 10
BRIGHT_SHARE: Final = 0.1
"""Share of the threshold above the median from which a pixel belongs to a source, its wings included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrosstalkMatrix:
    """Crosstalk of a detector: arrays of shape (n_amp, n_amp), [source, target]."""

    coefficients: NDArray[np.float64]
    """Ratio of target to source; NaN where it could not be measured."""
    errors: NDArray[np.float64]
    """Scatter of one sample, as the field tabulates it; of the ratio it is this over the root of `counts`."""
    counts: NDArray[np.int64]
    """Samples used."""
    is_valid: NDArray[np.bool_]
    """Whether the ratio is three of its errors from zero."""
    quadratic: NDArray[np.float64]
    """Coefficient of the squared source [1/unit]; zero where it was not fitted."""
    quadratic_errors: NDArray[np.float64]
    gain_ratios: NDArray[np.float64]
    """Gain of the source over that of the target."""
    fit_gains: NDArray[np.float64]
    """Gains used, of shape (n_amp,) [electron/adu]."""
    unit: str = "electron"
    """Unit of the images the ratios are for: electron or adu."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Why an amplifier has no ratios, by index."""

    @property
    def errors_of_mean(self) -> NDArray[np.float64]:
        """Standard errors of the ratios."""
        return np.asarray(self.errors / np.sqrt(np.maximum(self.counts, 1)))


class CrosstalkSamples:
    """Ratios gathered over exposures of one detector.

    Parameters
    ----------
    n_amp : int
        Amplifiers.
    threshold : float
        Least signal of a source pixel [unit of the images].
    max_samples : int
        Most samples of each source and exposure; more are thinned evenly.
    grow_px : int
        Pixels about bright and masked ones that say nothing of the background, nor of crosstalk.
    block_px : int
        Side of the blocks whose means are the background; 0: one median for each amplifier.
    """

    def __init__(
        self,
        n_amp: int,
        *,
        threshold: float = 30_000.0,
        max_samples: int = 20_000,
        grow_px: int = 20,
        block_px: int = 64,
    ) -> None:
        self._n_amp = n_amp
        self._threshold = threshold
        self._max_samples = max_samples
        self._grow_px = grow_px
        self._block_px = block_px
        self._ratios: list[list[NDArray[np.float32]]] = [[] for _ in range(n_amp)]
        self._fluxes: list[list[NDArray[np.float32]]] = [[] for _ in range(n_amp)]

    def add(self, amps: Cube, unusable: NDArray[np.bool_]) -> list[int]:
        """Take the samples of one exposure.

        Parameters
        ----------
        amps : ndarray of shape (n_amp, ny, nx), float32
            Pixels of all amplifiers in readout order.
        unusable : ndarray of shape (n_amp, ny, nx), bool
            Pixels that are neither source nor target.

        Returns
        -------
        list of int
            Source pixels taken, by amplifier.
        """
        n = self._n_amp
        is_bright = np.empty(amps.shape, np.bool_)
        for i in range(n):
            is_bright[i] = self._bright(amps[i], unusable[i])
        n_bright = np.add.reduce(is_bright, axis=0, dtype=np.int16)
        # Two sources on one pixel would each be charged with the ghost of the other.
        sources = [self._sources(amps[i], unusable[i] | (n_bright > 1)) for i in range(n)]
        gathered = [np.empty((n, pixels.size), np.float32) for pixels in sources]
        signals = []
        # Where any amplifier is bright the others hold its ghost: that is no background.
        is_ghosted = n_bright > 0
        for i in range(n):
            is_missing = unusable[i] | ~np.isfinite(amps[i])
            excluded = grown(is_bright[i] | is_missing, self._grow_px)
            level = background(amps[i], excluded | is_ghosted, self._block_px)
            above = np.where(excluded, np.float32(np.nan), amps[i] - level).ravel()
            for target, pixels in zip(gathered, sources, strict=True):
                target[i] = above[pixels]
            signal, below = amps[i].ravel()[sources[i]], level.ravel()[sources[i]]
            signals.append(signal - below)
            # c0 (I - b) + c1 (I^2 - b^2) over (I - b) is c0 + c1 (I + b)
            self._fluxes[i].append(signal + below)
        for i in range(n):
            self._ratios[i].append(gathered[i] / signals[i])
        return [int(pixels.size) for pixels in sources]

    def _bright(self, image: Image, unusable: BoolImage) -> BoolImage:
        """Mark a source with its wings."""
        usable = image[~unusable & np.isfinite(image)]
        limit = BRIGHT_SHARE * self._threshold + (float(np.median(usable)) if usable.size else 0.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(image > limit, np.bool_)

    def _sources(self, image: Image, unusable: BoolImage) -> NDArray[np.int64]:
        with np.errstate(invalid="ignore"):
            pixels = np.flatnonzero((image > self._threshold) & ~unusable & np.isfinite(image))
        return pixels[:: max(1, -(-pixels.size // self._max_samples))]

    def solve(self, gains: NDArray[np.floating], *, flux_order: int = 0, unit: str = "electron") -> CrosstalkMatrix:
        """Return the crosstalk that the samples show.

        Parameters
        ----------
        gains : ndarray of shape (n_amp,)
            Gains of the amplifiers [electron/adu]; one that is not finite has no ratios.
        flux_order : int
            0: ratios alone; 1: also the coefficients of the squared source.
        unit : str
            Unit of the images.

        Returns
        -------
        CrosstalkMatrix
            NaN with zero counts for pairs of fewer than ten samples.

        Notes
        -----
        Three times, samples further than 2 x 0.741 IQR from the median are left out; then the mean. With `flux_order`
        1 it is a line over the flux, weighted and clipped by the signal of the target: with ratios clipped as they are,
        those of faint sources, which scatter most, would be drawn towards the median and flatten the line.
        """
        n = self._n_amp
        shape = (n, n)
        values, errors = np.full((2, *shape), np.nan), np.full((2, *shape), np.nan)
        values[1], errors[1] = 0.0, 0.0
        counts = np.zeros(shape, np.int64)
        for source in range(n):
            if not self._ratios[source]:
                continue
            fluxes = np.concatenate(self._fluxes[source]).astype(np.float64)
            ratios = np.concatenate(self._ratios[source], axis=1)
            for target in range(n):
                if target != source:
                    found = _fitted(ratios[target].astype(np.float64), fluxes, flux_order)
                    values[:, source, target], errors[:, source, target], counts[source, target] = found
        reasons = self._drop_unusable(values, errors, counts, gains)
        diagonal = np.eye(n, dtype=np.bool_)
        values[:, diagonal], errors[:, diagonal] = 0.0, 0.0
        with np.errstate(invalid="ignore"):
            is_valid = np.abs(values[0]) > VALID_SIGMA * errors[0] / np.sqrt(np.maximum(counts, 1))
        return CrosstalkMatrix(
            coefficients=values[0],
            errors=errors[0],
            counts=counts,
            is_valid=is_valid & (counts > 0),
            quadratic=values[1],
            quadratic_errors=errors[1],
            gain_ratios=np.asarray(gains, np.float64)[:, None] / np.asarray(gains, np.float64)[None, :],
            fit_gains=np.asarray(gains, np.float64),
            unit=unit,
            reasons=reasons,
        )

    def _drop_unusable(
        self,
        values: NDArray[np.float64],
        errors: NDArray[np.float64],
        counts: NDArray[np.int64],
        gains: NDArray[np.floating],
    ) -> dict[int, str]:
        reasons = {}
        for i in range(self._n_amp):
            if not np.isfinite(gains[i]):
                reasons[i] = "no gain"
                for array in (values, errors):
                    array[:, i, :] = array[:, :, i] = np.nan
                counts[i, :] = counts[:, i] = 0
            elif not counts[i].any():
                reasons[i] = f"no usable pixel above {self._threshold:g} that is bright in it alone"
        return reasons


def filter_detectors(
    matrices: Sequence[CrosstalkMatrix], *, n_sigma: float = 3.0, n_sigma_quadratic: float = 6.0
) -> tuple[list[CrosstalkMatrix], list[list[tuple[int, int]]]]:
    """Replace coefficients unlike those of the other detectors of a vendor by the median of them all.

    Parameters
    ----------
    matrices : sequence of CrosstalkMatrix
        One of each detector, of one vendor, and of one unit.
    n_sigma, n_sigma_quadratic : float
        Distance from the median that is too much for ratios and for quadratic coefficients, in 1.4826 MAD, but at
        least in their own errors.

    Returns
    -------
    filtered : list of CrosstalkMatrix
        In the same order; a coefficient that is NaN takes the median too.
    replaced : list of list of tuple of int
        (source, target) replaced in each.

    Raises
    ------
    KernelError
        If they are of unlike size or unit.
    """
    if len({(matrix.coefficients.shape, matrix.unit) for matrix in matrices}) > 1:
        raise KernelError("crosstalk of detectors of unlike amplifiers or units cannot be compared")
    if len(matrices) < 3:
        return list(matrices), [[] for _ in matrices]
    linear = np.stack([matrix.coefficients for matrix in matrices])
    squared = np.stack([np.where(np.isfinite(m.coefficients), m.quadratic, np.nan) for m in matrices])
    of_mean = np.stack([matrix.errors_of_mean for matrix in matrices])
    of_mean_squared = np.stack([m.quadratic_errors / np.sqrt(np.maximum(m.counts, 1)) for m in matrices])
    is_apart = _apart(linear, of_mean, n_sigma) | _apart(squared, of_mean_squared, n_sigma_quadratic)
    typical, typical_squared = _finite_median(linear), _finite_median(squared)
    filtered, replaced = [], []
    for matrix, apart in zip(matrices, is_apart & np.isfinite(typical), strict=True):
        new = np.where(apart, typical, matrix.coefficients)
        filtered.append(
            replace(
                matrix,
                coefficients=new,
                quadratic=np.where(apart, typical_squared, matrix.quadratic),
                is_valid=np.where(apart, np.abs(typical) > 0, matrix.is_valid),
            )
        )
        replaced.append([(int(s), int(t)) for s, t in np.argwhere(apart)])
    return filtered, replaced


def background(image: Image, excluded: BoolImage, block_px: int) -> Image:
    """Return the background of an amplifier: a plane and clipped means of blocks about it, linear between.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Pixels.
    excluded : ndarray of shape (ny, nx), bool
        Pixels that take no part.
    block_px : int
        Side of a block; 0: one median.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        NaN everywhere where all pixels are excluded.
    """
    usable = image[~excluded]
    whole = np.float32(np.median(usable)) if usable.size else np.float32(np.nan)
    ny, nx = image.shape[0] // max(block_px, 1), image.shape[1] // max(block_px, 1)
    if block_px == 0 or ny < 2 or nx < 2 or usable.size == 0:
        return np.full(image.shape, whole, np.float32)
    means = block_means(image, excluded, block_px)
    y, x = (np.arange(size, dtype=np.float32) / block_px - 0.5 for size in image.shape)
    # A block half excluded has its pixels on one side: of a slope that would be another level, of its rest it is not.
    slope = _plane(means)
    plane = (slope[0] + slope[1] * y[:, None] + slope[2] * x[None, :]).astype(np.float32)
    rest = np.nan_to_num(block_means(image - plane, excluded, block_px), nan=0.0)
    rows, columns = (_linear_weights(size, block_px, n) for size, n in zip(image.shape, (ny, nx), strict=True))
    smooth: Image = (plane + rows @ rest @ columns.T).astype(np.float32)
    return smooth


def block_means(image: Image, excluded: BoolImage, block_px: int) -> NDArray[np.float64]:
    """Return clipped means of whole blocks, NaN where fewer pixels than a block's side are left."""
    ny, nx = image.shape[0] // block_px, image.shape[1] // block_px
    cut = np.where(excluded, np.float32(np.nan), image)[: ny * block_px, : nx * block_px]
    ordered = np.sort(cut.reshape(ny, block_px, nx, block_px).swapaxes(1, 2).reshape(ny, nx, -1), axis=-1)
    count = np.isfinite(ordered).sum(axis=-1)  # missing ones are sorted to the end
    lower, middle, upper = (
        np.take_along_axis(ordered, np.maximum((count - 1) * share // 4, 0)[..., None], -1) for share in (1, 2, 3)
    )
    # Clipped as the ratios are: of the skew law of few electrons each clip has another mean.
    kept = np.abs(ordered - middle) <= CLIP_SIGMA * IQR_TO_SIGMA * (upper - lower)
    total = np.add.reduce(np.where(kept, ordered, np.float32(0.0)), axis=-1, dtype=np.float64)
    return np.where(count >= block_px, total / np.maximum(kept.sum(axis=-1), 1), np.nan)


def _plane(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return level and slopes (per block, along y and x) of block means."""
    y, x = np.nonzero(np.isfinite(means))
    values = means[y, x]
    if values.size < 6:
        level = float(np.median(values)) if values.size else 0.0
        return np.array([level, 0.0, 0.0])
    design = np.stack([np.ones(values.size), y, x], axis=1)
    return np.asarray(np.linalg.lstsq(design, values, rcond=None)[0], np.float64)


def grown(mask: BoolImage, radius: int) -> BoolImage:
    """Return a mask widened by a square of half side `radius` [pixel]."""
    wide = mask
    for axis in (0, 1):
        sums = np.cumsum(wide, axis=axis, dtype=np.int32)
        sums = np.concatenate([np.zeros_like(np.take(sums, [0], axis)), sums], axis=axis)
        at = np.arange(mask.shape[axis])
        first, last = np.maximum(at - radius, 0), np.minimum(at + radius + 1, mask.shape[axis])
        wide = np.take(sums, last, axis) > np.take(sums, first, axis)
    return wide


def _linear_weights(size: int, block_px: int, n_blocks: int) -> NDArray[np.float64]:
    place = np.clip((np.arange(size) + 0.5) / block_px - 0.5, 0, n_blocks - 1)
    lower = np.minimum(place.astype(np.int64), n_blocks - 2)
    weights = np.zeros((size, n_blocks))
    weights[np.arange(size), lower] = 1 - (place - lower)
    weights[np.arange(size), lower + 1] = place - lower
    return weights


def _fitted(
    ratios: NDArray[np.float64], fluxes: NDArray[np.float64], flux_order: int
) -> tuple[tuple[float, float], tuple[float, float], int]:
    """Return coefficients, their scatter for one sample, and the number of samples kept."""
    usable = np.isfinite(ratios)
    usable[usable] = np.abs(ratios[usable]) < 1
    ratios, fluxes = ratios[usable], fluxes[usable]
    # The noise of a target is the same for all sources: over a bright one it is a smaller ratio.
    weights = np.ones(ratios.size) if flux_order == 0 else fluxes
    model = np.full(ratios.size, np.median(ratios)) if ratios.size else ratios
    fit = (np.nan, 0.0), (np.nan, 0.0)
    for _ in range(N_CLIPS):
        residual = (ratios - model) * weights
        lower, middle, upper = np.percentile(residual, (25, 50, 75)) if residual.size else (0.0, 0.0, 0.0)
        kept = np.abs(residual - middle) <= CLIP_SIGMA * IQR_TO_SIGMA * (upper - lower)
        ratios, fluxes, weights = ratios[kept], fluxes[kept], weights[kept]
        if ratios.size < MIN_SAMPLES:
            return (np.nan, 0.0), (np.nan, 0.0), 0
        if flux_order == 0 or float(np.ptp(fluxes)) == 0:
            value, scatter = float(ratios.mean()), float(ratios.std(ddof=1)) * SCATTER_FACTOR
            model, fit = np.full(ratios.size, np.median(ratios)), ((value, 0.0), (scatter, 0.0))
        else:
            fit = _line(ratios, fluxes, weights)
            model = fit[0][0] + fit[0][1] * fluxes
    return *fit, ratios.size


def _line(
    ratios: NDArray[np.float64], fluxes: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return value at zero flux and slope of a weighted line, and the scatter of each for one sample."""
    total = float((weights**2).sum())
    center, mean = float((weights**2 * fluxes).sum()) / total, float((weights**2 * ratios).sum()) / total
    spread = float((weights**2 * (fluxes - center) ** 2).sum())
    slope = float((weights**2 * (fluxes - center) * (ratios - mean)).sum()) / spread
    residual = (ratios - mean - slope * (fluxes - center)) * weights
    noise = float(residual.std(ddof=2)) * SCATTER_FACTOR
    n_root = float(np.sqrt(ratios.size))
    at_zero, of_slope = noise * np.sqrt(1 / total + center**2 / spread), noise / np.sqrt(spread)
    return (mean - slope * center, slope), (float(at_zero) * n_root, float(of_slope) * n_root)


def _finite_median(cube: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(cube.shape[1:], np.nan)
    some = np.isfinite(cube).any(axis=0)
    found[some] = np.nanmedian(cube[:, some], axis=0)
    return found


def _apart(cube: NDArray[np.float64], errors: NDArray[np.float64], n_sigma: float) -> NDArray[np.bool_]:
    distance = np.abs(cube - _finite_median(cube))
    width = np.maximum(1.4826 * _finite_median(distance), np.where(np.isfinite(errors), errors, 0.0))
    return ~(distance <= n_sigma * width)
