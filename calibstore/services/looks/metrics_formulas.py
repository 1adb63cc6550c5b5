"""How each judged number is computed, in one line; the kernels have the whole story."""

from typing import Final

FORMULAS: Final = {
    "MEAN": "mean of the residual (exposure - bias), known bad pixels left out",
    "NOISE": "standard deviation of the residual, clipped at 5 sigma, 3 times",
    "NOISE_EXCESS": "(noise - RN) / RN; noise clipped at 5 sigma, RN the nominal read noise of the camera file",
    "CR_NOISE_EXCESS": "|noise - CR noise| / CR noise; CR noise unclipped, after removing cosmic rays",
    "PROCESSING": "1 when the cosmic-ray step came to an end, else 0",
    "READ_NOISE_EXCESS": "(gain x noise in the serial overscan - RN) / RN",
    "resid_mean": "mean of the residual without cosmic rays and outliers",
    "level_drift": "mean level of the exposure less that of the bias",
    "level_range": "largest less smallest level of the exposures verified",
    "noise_ratio": "noise / (RN x f) - 1; f = sqrt(1 - k/N) for an exposure of the build, sqrt(1 + k/N) for another "
    "one, N inputs, k 1 for a mean, 1.07 for a clipped mean, 1.57 for a median",
    "noise_floor": "standard deviation of the residual, clipped at 5 sigma",
    "cr_ratio": "|noise - CR noise| / CR noise",
    "row_struct": "rms of the row means / what the noise alone makes of them",
    "col_struct": "rms of the column means / what the noise alone makes of them",
    "corner_mean": "mean of the residual in the 200 x 200 pixels at the readout corner",
    "stability_d": "95th less 5th percentile of the level over the exposures verified",
    "calib_median": "median of the calibration itself",
    "evenodd_mean_z": "mean of (bias of even inputs - bias of odd inputs) / its statistical error",
    "evenodd_noise_ratio": "noise of (even - odd) / (noise of a frame x sqrt(1/n_even + 1/n_odd)) - 1",
    "eff_noise_penalty": "sqrt(1 + k/N) - 1: how much subtracting the bias raises the noise of an exposure",
}
"""Metric id -> formula."""


def formula_of(metric: str) -> str:
    """Return how a metric is computed; says so where it is not told here."""
    return FORMULAS.get(metric, "not described here")
