"""The numbers the bias tests judge, from the statistics of one amplifier; no limit is known here.

Names in capitals are the peers' (verification.md 2.1), the others ours (3.1). Ratios are differences from one.
"""

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from kernels.arrays import BoolImage, Image
from kernels.residuals import CORNER_SIZE, NOISE_CLIP_SIGMA, AmplifierStatistics
from kernels.statistics import clipped_statistics
from kernels.verify_noise import NoiseModel

METRIC_UNITS: Final = MappingProxyType(
    {
        "MEAN": "electron",
        "NOISE": "electron",
        "CR_NOISE": "electron",
        "AMP_CORNER": "electron",
        "NOISE_EXCESS": "1",
        "CR_NOISE_EXCESS": "1",
        "READ_NOISE_EXCESS": "1",
        "PROCESSING": "1",
        "resid_mean": "electron",
        "resid_mean_error": "electron",
        "resid_mean_z": "1",
        "noise_ratio": "1",
        "noise_ratio_error": "1",
        "noise_floor": "electron",
        "cr_ratio": "1",
        "row_struct": "1",
        "col_struct": "1",
        "corner_mean": "electron",
        "corner_mean_error": "electron",
        "level_drift": "adu",
    }
)
"""Unit of each number of `exposure_metrics`."""

HALF_METRICS: Final = ("evenodd_mean_z", "evenodd_noise_ratio", "evenodd_noise_error")
"""Names of `half_metrics`."""

TOO_MANY_COSMIC_RAY_PIXELS: Final = 10000
"""The peers' finder gives up beyond this; here the PROCESSING test says so."""

MIN_EXPOSURES_FOR_STABILITY: Final = 3


def exposure_metrics(
    statistics: AmplifierStatistics,
    *,
    shape: tuple[int, int],
    noise: NoiseModel,
    factor: float,
    gain_e_per_adu: float,
    overscan_noise_adu: float = math.nan,
) -> dict[str, float]:
    """Return the metrics of one amplifier in one exposure.

    Parameters
    ----------
    statistics : AmplifierStatistics
        Figures of the residual [electron].
    shape : tuple of int
        ``(ny, nx)`` of the amplifier.
    noise : NoiseModel
        What one frame should have.
    factor : float
        Expected noise of the residual over that of one frame (`residual_factor`) [1].
    gain_e_per_adu : float
        Gain [electron/adu].
    overscan_noise_adu : float
        Standard deviation of the serial overscan left after its correction [adu]; NaN: none.

    Returns
    -------
    dict of str to float
        By metric id; NaN where it cannot be measured.

    Notes
    -----
    ``NOISE_EXCESS`` and ``READ_NOISE_EXCESS`` compare with the read noise alone, as published; ``noise_ratio``,
    ``row_struct`` and ``col_struct`` with the noise expected of a residual, overscan levels included.
    """
    n_rows, n_columns = shape
    got = statistics
    read_noise_e = noise.read_noise_e
    mean_error_e = factor * noise.mean_sigma_e(n_rows, n_columns)
    return {
        "MEAN": got.mean_e,
        "NOISE": got.noise_e,
        "CR_NOISE": got.cr_noise_e,
        "AMP_CORNER": got.corner_e,
        "NOISE_EXCESS": _excess(got.noise_e, read_noise_e),
        "CR_NOISE_EXCESS": abs(_excess(got.noise_e, got.cr_noise_e)),
        "READ_NOISE_EXCESS": _excess(overscan_noise_adu * gain_e_per_adu, read_noise_e),
        "PROCESSING": _flag(got),
        "resid_mean": got.clean_mean_e,
        "resid_mean_error": mean_error_e,
        "resid_mean_z": _over(got.clean_mean_e, mean_error_e),
        "noise_ratio": _excess(got.noise_e, factor * noise.pixel_sigma_e()),
        "noise_ratio_error": noise.pixel_sigma_error(n_rows, n_columns),
        "noise_floor": got.noise_e,
        "cr_ratio": abs(_excess(got.noise_e, got.cr_noise_e)),
        "row_struct": _over(got.row_rms_e, factor * noise.row_sigma_e(n_columns)),
        "col_struct": _over(got.column_rms_e, factor * noise.column_sigma_e(n_rows)),
        "corner_mean": got.clean_corner_e,
        "corner_mean_error": factor * noise.mean_sigma_e(min(n_rows, CORNER_SIZE), min(n_columns, CORNER_SIZE)),
        "level_drift": _over(got.clean_mean_e, gain_e_per_adu),
    }


def stability_metrics(levels_adu: Sequence[float], *, level_error_adu: float = math.nan) -> dict[str, float]:
    """Return how far the level of one amplifier wandered over the exposures.

    Parameters
    ----------
    levels_adu : sequence of float
        Mean residual of each exposure [adu]; NaN ones are left out.
    level_error_adu : float
        What noise alone makes of one level [adu].

    Returns
    -------
    dict of str to float
        ``stability_d`` = P95 - P5, ``level_range`` = max - min, and ``stability_error`` = twice the error of a level
        (noise alone gives a P95 - P5 of 3.3 errors) [adu]; NaN with fewer than three exposures.
    """
    measured = np.asarray([level for level in levels_adu if math.isfinite(level)], dtype=np.float64)
    if measured.size < MIN_EXPOSURES_FOR_STABILITY:
        return {"stability_d": math.nan, "stability_error": math.nan, "level_range": math.nan}
    low, high = np.percentile(measured, (5.0, 95.0))
    return {
        "stability_d": float(high - low),
        "stability_error": 2.0 * level_error_adu,
        "level_range": float(measured.max() - measured.min()),
    }


def add_residual(total: Image, residual: Image, used: BoolImage) -> Image:
    """Add one residual into the sum of its half; pixels not used count as equal to the frame subtracted.

    Parameters
    ----------
    total : ndarray of shape (ny, nx), float32
        Sum so far [electron]; changed and returned.
    residual : ndarray of shape (ny, nx), float32
        Residual of one exposure [electron].
    used : ndarray of shape (ny, nx), bool
        Good pixels without cosmic rays and outliers.

    Returns
    -------
    ndarray of shape (ny, nx), float32
        `total`.
    """
    np.add(total, residual, out=total, where=used)
    return total


def half_metrics(
    even_total: Image, n_even: int, odd_total: Image, n_odd: int, *, noise: NoiseModel
) -> dict[str, float]:
    """Return how the combined frames of the even and the odd inputs differ.

    Parameters
    ----------
    even_total, n_even : ndarray of shape (ny, nx), float32; int
        Sum of the residuals of the exposures of even place [electron], and their number; the frame subtracted cancels
        in the difference.
    odd_total, n_odd : ndarray of shape (ny, nx), float32; int
        Likewise of odd place.
    noise : NoiseModel
        What one frame should have.

    Returns
    -------
    dict of str to float
        ``evenodd_mean_z`` (mean over its own error) and ``evenodd_noise_ratio`` (against the noise of the difference)
        with its error; NaN unless each half has two exposures.

    References
    ----------
    DMTN-101 5.5 and 5.6.
    """
    if min(n_even, n_odd) < 2:
        return dict.fromkeys(HALF_METRICS, math.nan)
    difference = even_total / np.float32(n_even) - odd_total / np.float32(n_odd)
    found = clipped_statistics(difference, n_sigma=NOISE_CLIP_SIGMA)
    share = math.sqrt(1.0 / n_even + 1.0 / n_odd)
    n_rows, n_columns = difference.shape
    return {
        "evenodd_mean_z": _over(found.mean, share * noise.mean_sigma_e(n_rows, n_columns)),
        "evenodd_noise_ratio": _excess(found.stdev, share * noise.pixel_sigma_e()),
        "evenodd_noise_error": noise.pixel_sigma_error(n_rows, n_columns),
    }


def _excess(value: float, reference: float) -> float:
    return _over(value, reference) - 1.0


def _over(value: float, reference: float) -> float:
    return value / reference if reference > 0.0 else math.nan


def _flag(statistics: AmplifierStatistics) -> float:
    if statistics.n_good == 0:
        return math.nan
    return 0.0 if statistics.n_cosmic_ray_pixels > TOO_MANY_COSMIC_RAY_PIXELS else 1.0
