"""Ramps of flat pairs with known gain, noise and repelling charge: from the law alone, or drawn pixel by pixel."""

from collections.abc import Sequence

import numpy as np

from kernels.ptc_models import exp_approximation, full_covariance
from kernels.ptc_pairs import PairMeasurement, PairRule, measure_pair
from kernels.ptc_records import PtcMeasurements
from kernels.simulate_brighter_fatter import brighter_fatter_flat, distortion_matrix

GAIN, NOISE_E, A00 = 1.48, 5.4, -3.516e-6
LEVELS_E = (0.0, 100.0, 400.0, 1000.0, *np.linspace(2e3, 1e5, 10))
"""The ramp of generation.md 11, last row: four faint levels, which tell the read noise, and ten up to 100 000 e."""


def matrix() -> np.ndarray:
    return distortion_matrix(a00=A00, a01=5.32e-7, a10=1.508e-7)


def drawn_ramp(
    seed: int,
    shape: tuple[int, int],
    *,
    levels_e: Sequence[float] = LEVELS_E,
    full_well_e: float = np.inf,
    rule: PairRule | None = None,
) -> list[PairMeasurement]:
    """Measure one pair for each level, filled by the multi-step scheme."""
    rng = np.random.default_rng(seed)
    found = []
    for level in levels_e:
        frames = []
        for _ in range(2):
            charge = np.minimum(brighter_fatter_flat(rng, level, shape, matrix()), full_well_e)
            frames.append(((charge + rng.normal(0, NOISE_E, shape)) / GAIN).astype(np.float32))
        rule = rule or PairRule(edge_px=0, n_lags=4)
        found.append(
            measure_pair(frames[0], frames[1], np.ones(shape, np.bool_), rule=rule, read_noise_adu=NOISE_E / GAIN)
        )
    return found


def gathered(amplifiers: Sequence[Sequence[PairMeasurement]]) -> PtcMeasurements:
    """Put measured pairs of several amplifiers into one record."""

    def table(name: str) -> np.ndarray:
        return np.array([[getattr(pair, name) for pair in pairs] for pairs in amplifiers])

    means = table("mean_adu")
    n_amps, n_pairs = means.shape
    nothing = np.full(means.shape, np.nan)
    return PtcMeasurements(
        amplifiers=tuple(f"C{amp:02d}" for amp in range(n_amps)),
        exposure_pairs=np.arange(2 * n_pairs).reshape(n_pairs, 2),
        mjd_start=60_000.0 + np.arange(n_pairs) / 1440,
        exposure_time_s=np.ones(n_pairs),
        means_adu=means,
        variances_adu2=table("variance_adu2"),
        deltas_adu=table("delta_adu"),
        row_mean_variances_adu2=table("row_mean_variance_adu2"),
        histogram_variances_adu2=table("histogram_variance_adu2"),
        histogram_chi2=table("histogram_chi2"),
        ks_pvalues=table("ks_pvalue"),
        gains_e_per_adu=table("gain_e_per_adu"),
        overscan_medians_adu=nothing,
        noises_adu=nothing,
        photo_charges=nothing,
        photo_charge_deltas=nothing,
        amp_offsets_adu=nothing,
        covariances_adu2=table("covariances_adu2"),
        sqrt_weights=table("sqrt_weights"),
        n_pixels=table("n_pixels"),
        reasons=tuple(next((pair.reason for pair in pairs if pair.reason), "") for pairs in amplifiers),
    )


def lawful_pairs(
    rng: np.random.Generator,
    levels_e: Sequence[float],
    *,
    gain: float = GAIN,
    noise_e: float = NOISE_E,
    a_matrix: np.ndarray | None = None,
    b: float = 0.0,
    n_pixels: float = 1e6,
    n_lags: int = 2,
    full_well_e: float = np.inf,
) -> list[PairMeasurement]:
    """Give pairs straight from the models, with the sampling noise of so many pixels."""
    means = np.asarray(levels_e, np.float64) / gain
    noise = np.zeros((n_lags, n_lags))
    noise[0, 0] = noise_e**2
    if a_matrix is None:
        values = np.zeros((means.size, n_lags, n_lags))
        values[:, 0, 0] = exp_approximation(means[None], np.array([[A00, gain, noise_e**2]]))[0][0]
    else:
        values = full_covariance(means, gain, a_matrix, a_matrix * b, noise)
    errors = values[:, :1, :1] / np.sqrt(n_pixels) * np.ones((n_lags, n_lags))
    errors[:, 0, 0] *= np.sqrt(2)
    values = values + errors * rng.standard_normal(values.shape)
    pairs = []
    for mean, value, error in zip(means, values, errors, strict=True):
        is_full = mean * gain > full_well_e
        value[0, 0] *= 0.02 if is_full else 1.0  # at full well all pixels hold the same
        pairs.append(
            PairMeasurement(
                mean_1_adu=min(mean, full_well_e / gain),
                mean_2_adu=min(mean, full_well_e / gain),
                mean_adu=min(mean, full_well_e / gain),
                variance_adu2=float(value[0, 0]),
                ks_pvalue=0.5,
                covariances_adu2=value,
                sqrt_weights=1 / error,
                n_pixels=np.full((n_lags, n_lags), n_pixels),
            )
        )
    return pairs
