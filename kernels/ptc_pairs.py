"""What one pair of flats tells of one amplifier: means, variance, covariances, gain, and how Gaussian its noise is."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Image, Vector
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.covariances import covariances
from kernels.errors import KernelError, NotEnoughDataError
from kernels.pair_gain import GainCorrection, pair_gain, pair_ratio

_SAMPLE_PIXELS: Final = 20_000
_FAINT_SIGMAS: Final = 5.0
_HISTOGRAM_BINS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule:
    """How pairs are measured (generation.md 5.1)."""

    n_lags: int = 10
    n_sigma: float = 5.5
    """Clip of means and differences [sigma]."""
    max_iter: int = 3
    min_pixels: int = 10_000
    """Fewest usable pixels of a difference."""
    edge_px: int = 20
    """Pixels along every edge of an amplifier that are left out."""
    gain_correction: str = GainCorrection.FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMeasurement:
    """One pair, one amplifier; NaN throughout and a reason where nothing could be measured."""

    reason: str = ""
    """Why there is no measurement; empty when there is one."""
    mean_1_adu: float = math.nan
    mean_2_adu: float = math.nan
    mean_adu: float = math.nan
    variance_adu2: float = math.nan
    """Half the clipped variance of the difference, made good for the clip [adu^2]."""
    row_mean_variance_adu2: float = math.nan
    """Clipped variance of the means of the rows of the difference [adu^2]."""
    n_used: int = 0
    gain_e_per_adu: float = math.nan
    gain_error: float = math.nan
    histogram_variance_adu2: float = math.nan
    """Half the variance of the Gaussian with the difference's quartiles [adu^2]."""
    histogram_chi2: float = math.nan
    """Reduced chi-square of the histogram of the difference against that Gaussian [1]."""
    ks_pvalue: float = math.nan
    """Kolmogorov-Smirnov probability that the difference is Gaussian [1]."""
    covariances_adu2: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    """Shape (n_lags, n_lags), [serial, parallel], of one frame [adu^2]."""
    sqrt_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    """Inverse errors of the covariances [1/adu^2]."""
    n_pixels: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    """Pixel pairs behind the covariances."""

    @property
    def delta_adu(self) -> float:
        """Second mean less the first [adu]."""
        return self.mean_2_adu - self.mean_1_adu


def measure_pair(
    first: Image, second: Image, is_used: BoolImage, *, rule: PairRule | None = None, read_noise_adu: float = 0.0
) -> PairMeasurement:
    """Measure a pair of flats of equal light.

    Parameters
    ----------
    first, second : ndarray of shape (ny, nx), float32
        One amplifier, offset free [adu]; unused pixels may be anything.
    is_used : ndarray of shape (ny, nx), bool
        Pixels free of masks in both.
    rule : PairRule, optional
        Default: the published figures.
    read_noise_adu : float
        For the gain of the pair [adu].

    Returns
    -------
    PairMeasurement
        With a reason instead of values where too few pixels are left, or the two frames are the same.
    """
    rule = rule or PairRule()
    if min(first.shape) <= 2 * rule.edge_px:
        return nothing_measured(
            rule, f"{first.shape[0]} x {first.shape[1]} pixels less {rule.edge_px} along each edge: none"
        )
    inner = (slice(rule.edge_px, first.shape[0] - rule.edge_px), slice(rule.edge_px, first.shape[1] - rule.edge_px))
    first, second, is_used = first[inner], second[inner], is_used[inner]
    is_used = is_used & np.isfinite(first) & np.isfinite(second)
    try:
        return _measured(first, second, is_used, rule, read_noise_adu)
    except KernelError as fault:
        return nothing_measured(rule, str(fault))


def clip_factor(n_sigma: float) -> float:
    """Return the factor by which a clip of a Gaussian shrinks its standard deviation, inverted [1].

    ``1/sqrt(1 - 2 n phi(n)/(Phi(n) - Phi(-n)))`` (generation.md 5.1).

    Examples
    --------
    >>> round(clip_factor(3.0), 4)
    1.0136
    """
    density = math.exp(-0.5 * n_sigma**2) / math.sqrt(2 * math.pi)
    return 1.0 / math.sqrt(1.0 - 2.0 * n_sigma * density / math.erf(n_sigma / math.sqrt(2)))


def clipped_moments(values: Vector | NDArray[np.float32], *, n_sigma: float, max_iter: int) -> tuple[float, float, int]:
    """Return mean, standard deviation and number of the values a clip keeps.

    Parameters
    ----------
    values : ndarray of shape (n,), float32 or float64
        Finite.
    n_sigma : float
        Clip [sigma].
    max_iter : int
        Clips: the first about the median of a sample with 0.7413 of its quartiles' distance, later ones about the mean.

    Raises
    ------
    NotEnoughDataError
        If there is no value.

    Notes
    -----
    One pass where nothing lies outside; the sample is every n-th value, so the result is reproducible.
    """
    if values.size == 0:
        raise NotEnoughDataError("no usable pixel")
    sample = np.sort(values[:: max(values.size // _SAMPLE_PIXELS, 1)])
    quartiles = np.interp(
        np.array([0.25, 0.5, 0.75]) * (sample.size - 1), np.arange(sample.size), sample.astype(np.float64)
    )
    center, width = float(quartiles[1]), IQR_TO_SIGMA * float(quartiles[2] - quartiles[0])
    smallest, largest = float(values.min()), float(values.max())
    kept = values
    for _ in range(max_iter):
        low, high = center - n_sigma * width, center + n_sigma * width
        kept = values
        if smallest < low or largest > high:
            kept = values[(values >= low) & (values <= high)]
        if kept.size == 0:
            raise NotEnoughDataError("a clip leaves no pixel")
        mean, deviation = _moments(kept)
        if (mean, deviation) == (center, width):
            break
        center, width = mean, deviation
    return center, width, kept.size


def _moments(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return mean and standard deviation: pairwise float32 sums of values near zero, error below 1e-6."""
    shift = float(values.mean(dtype=np.float32))
    rest = values - np.asarray(shift, values.dtype)
    mean = float(rest.mean())
    return shift + mean, math.sqrt(max(float(np.square(rest, out=rest).mean()) - mean**2, 0.0))


def _measured(
    first: Image, second: Image, is_used: BoolImage, rule: PairRule, read_noise_adu: float
) -> PairMeasurement:
    n_used = int(np.count_nonzero(is_used))
    if n_used < rule.min_pixels:
        raise NotEnoughDataError(f"{n_used} usable pixels of {rule.min_pixels}")
    mean_1, sigma_1, _ = clipped_moments(first[is_used], n_sigma=rule.n_sigma, max_iter=rule.max_iter)
    mean_2, _, _ = clipped_moments(second[is_used], n_sigma=rule.n_sigma, max_iter=rule.max_iter)
    mean = 0.5 * (mean_1 + mean_2)
    if mean > _FAINT_SIGMAS * sigma_1:
        difference = first * np.float32(mean_2 / mean)
        difference -= second * np.float32(mean_1 / mean)
    else:  # so faint that the ratio of the means is noise, and no pattern scales with it
        difference = first - second
    center, sigma, _ = clipped_moments(difference[is_used], n_sigma=rule.n_sigma, max_iter=rule.max_iter)
    if not sigma > 0:
        raise NotEnoughDataError("the two frames do not differ: no noise in them")
    with np.errstate(invalid="ignore"):
        is_used &= np.abs(difference - np.float32(center)) <= np.float32(rule.n_sigma * sigma)
    n_used = int(np.count_nonzero(is_used))
    if n_used < rule.min_pixels:
        raise NotEnoughDataError(f"{n_used} usable pixels of {rule.min_pixels} after the clip")
    found = covariances(difference, is_used, n_lags=rule.n_lags)
    values, weights, variance = _corrected(found.values, found.n_pixels, sigma, rule)
    ratio, ratio_error = pair_ratio(difference[is_used], (first + second)[is_used])
    gain = pair_gain(ratio, mean, read_noise_adu, correction=rule.gain_correction)
    histogram = _normality(difference[is_used], center, sigma)
    return PairMeasurement(
        mean_1_adu=mean_1,
        mean_2_adu=mean_2,
        mean_adu=mean,
        variance_adu2=variance,
        row_mean_variance_adu2=_row_mean_variance(difference, is_used, rule),
        n_used=n_used,
        gain_e_per_adu=gain,
        gain_error=gain * ratio_error / ratio if math.isfinite(gain) else math.nan,
        histogram_variance_adu2=histogram[0],
        histogram_chi2=histogram[1],
        ks_pvalue=histogram[2],
        covariances_adu2=values,
        sqrt_weights=weights,
        n_pixels=found.n_pixels,
    )


def _corrected(
    both: NDArray[np.float64], n_pixels: NDArray[np.float64], sigma: float, rule: PairRule
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return covariances of one frame, their inverse errors, and the variance, made good for the clip."""
    factor = clip_factor(rule.n_sigma) ** 2
    variance = 0.5 * sigma**2 * factor
    values = 0.5 * both * factor**2
    values[0, 0] = 0.5 * both[0, 0] * factor
    weights = np.sqrt(n_pixels) / values[0, 0]
    weights[0, 0] /= math.sqrt(2.0)
    return values, weights, variance


def _row_mean_variance(difference: Image, is_used: BoolImage, rule: PairRule) -> float:
    counts = np.count_nonzero(is_used, axis=1)
    rows = counts > 0
    sums = np.add.reduce(difference, axis=1, where=is_used, dtype=np.float64)
    _, sigma, _ = clipped_moments(sums[rows] / counts[rows], n_sigma=rule.n_sigma, max_iter=rule.max_iter)
    return sigma**2


def _normality(values: NDArray[np.float32], center: float, sigma: float) -> tuple[float, float, float]:
    """Return half the variance told by the quartiles, chi-square per degree, and the Kolmogorov-Smirnov probability.

    Judged on every n-th pixel. Whole numbers of adu would never be Gaussian: they are spread over the step they stand
    for, always in the same way.
    """
    sample = values[:: max(values.size // _SAMPLE_PIXELS, 1)].astype(np.float64)
    n = sample.size
    place = np.arange(n)  # multiples of irrational numbers fill the step evenly, in an order that knows nothing of it
    sample += (place * (math.sqrt(5) / 2) % 1.0) + (place * math.sqrt(2) % 1.0) - 1.0
    sigma = math.sqrt(sigma**2 + 1 / 6)
    sample.sort()
    scaled = (sample - center) / sigma
    below = _normal_cdf(scaled)
    steps = np.arange(n + 1) / n
    distance = float(max((steps[1:] - below).max(), (below - steps[:-1]).max()))
    edges = _normal_quantiles(_HISTOGRAM_BINS)
    observed = np.diff(np.concatenate([[0], np.searchsorted(scaled, edges), [n]]))
    expected = n / _HISTOGRAM_BINS
    chi2 = float(((observed - expected) ** 2).sum()) / expected / (_HISTOGRAM_BINS - 3)
    width = IQR_TO_SIGMA * float(sample[(3 * n) // 4] - sample[n // 4])
    return 0.5 * (width**2 - 1 / 6), chi2, _kolmogorov(distance, n)


def _kolmogorov(distance: float, n: int) -> float:
    """Return the probability of a larger distance (Stephens' form of the asymptotic law)."""
    root = math.sqrt(n)
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return 1.0
    terms = np.arange(1, 101)
    return float(np.clip(2.0 * np.sum((-1.0) ** (terms - 1) * np.exp(-2.0 * (terms * scaled) ** 2)), 0.0, 1.0))


def _normal_cdf(values: Vector) -> Vector:
    from scipy.special import ndtr

    below: Vector = ndtr(values)
    return below


def _normal_quantiles(n_bins: int) -> Vector:
    from scipy.special import ndtri

    edges: Vector = ndtri(np.arange(1, n_bins) / n_bins)
    return edges


def nothing_measured(rule: PairRule, reason: str) -> PairMeasurement:
    """Return a measurement that says why there is none."""
    missing = np.full((rule.n_lags, rule.n_lags), np.nan)
    return PairMeasurement(
        reason=reason,
        covariances_adu2=missing,
        sqrt_weights=np.zeros_like(missing),
        n_pixels=np.zeros_like(missing),
    )
