"""What noise a residual image should have: read noise, the overscan levels subtracted, and the combined frame.

All figures are standard deviations in electrons unless named otherwise.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseModel:
    """Noise of one frame after its overscan levels were subtracted."""

    read_noise_e: float
    """Read noise of a pixel [electron]."""
    n_serial: int = 0
    """Overscan columns whose median was subtracted from each row; 0: none."""
    n_parallel: int = 0
    """Overscan rows whose median was subtracted from each column; 0: none."""

    def pixel_sigma_e(self) -> float:
        """Return the noise of one pixel [electron]."""
        return self.read_noise_e * math.sqrt(1.0 + self._serial + self._parallel)

    def row_sigma_e(self, n_columns: int) -> float:
        """Return the noise of the mean of one row of `n_columns` pixels [electron]."""
        return self.read_noise_e * math.sqrt(1.0 / n_columns + self._serial)

    def column_sigma_e(self, n_rows: int) -> float:
        """Return the noise of the mean of one column of `n_rows` pixels [electron]."""
        return self.read_noise_e * math.sqrt(1.0 / n_rows + self._parallel)

    def mean_sigma_e(self, n_rows: int, n_columns: int) -> float:
        """Return the noise of the mean of ``n_rows * n_columns`` pixels [electron].

        The rows of the parallel overscan lose their own serial level first; what that level errs by goes into every
        column, and with it into the mean.
        """
        pixels, rows, columns = 1.0 / (n_rows * n_columns), self._serial / n_rows, self._parallel / n_columns
        common = self._serial / self.n_parallel if self.n_parallel else 0.0
        return self.read_noise_e * math.sqrt(pixels + rows + columns + common)

    def pixel_sigma_error(self, n_rows: int, n_columns: int) -> float:
        """Return the relative error of the pixel noise measured on ``n_rows * n_columns`` pixels [1].

        The level of an overscan is one value a row or column: there are few of them.
        """
        parts = ((1.0, n_rows * n_columns), (self._serial, n_rows), (self._parallel, n_columns))
        variance_error = math.sqrt(sum(2.0 * part**2 / count for part, count in parts))
        return variance_error / (2.0 * (1.0 + self._serial + self._parallel))

    @property
    def _serial(self) -> float:
        return median_variance(self.n_serial) if self.n_serial else 0.0

    @property
    def _parallel(self) -> float:
        return median_variance(self.n_parallel) if self.n_parallel else 0.0


def median_variance(n_values: int) -> float:
    """Return the variance of the median of normal values of variance one.

    Parameters
    ----------
    n_values : int
        How many values.

    Returns
    -------
    float
        ``pi / 2 / (n + c)``, exact for one and two values, within 3 % for others.

    Examples
    --------
    >>> [round(median_variance(n), 3) for n in (1, 2, 10)]
    [1.0, 0.5, 0.141]
    """
    correction = math.pi / 2 - 1.0 if n_values % 2 else math.pi - 2.0
    return math.pi / 2 / (n_values + correction)


def residual_factor(n_inputs: int, *, is_in_build: bool, variance_factor: float = 1.07) -> float:
    """Return the noise of a residual over that of its exposure [1].

    Parameters
    ----------
    n_inputs : int
        Exposures in the combined frame that was subtracted.
    is_in_build : bool
        Whether the exposure is one of them: then it took part of its own noise away.
    variance_factor : float
        k of the combining statistic: its variance over that of the mean [1].

    Returns
    -------
    float
        ``sqrt(1 - k/N)`` in the sample, ``sqrt(1 + k/N)`` outside it; NaN when the sample explains itself (N <= k).

    Raises
    ------
    ValueError
        If `n_inputs` is not positive.

    Notes
    -----
    For normal noise the variance in the sample is exactly ``1 - (2 - k)/N``; the rule's ``1 - k/N`` is the same for a
    mean and expects 0.4 % less noise at 20 inputs of a clipped mean, 1 % less at 10.

    Examples
    --------
    >>> round(residual_factor(20, is_in_build=False), 4), round(residual_factor(20, is_in_build=True), 4)
    (1.0264, 0.9729)
    """
    if n_inputs <= 0:
        raise ValueError(f"a combined frame has at least one input, not {n_inputs}")
    share = variance_factor / n_inputs
    squared = 1.0 - share if is_in_build else 1.0 + share
    return math.sqrt(squared) if squared > 0.0 else math.nan
