"""What the amplifiers' residuals say in common of the light: its normalisation over detectors, its correction.

A photodiode that reads a share too little leaves the same fractional residual in every amplifier: the signal says
there was more light. So the correction is added to the reading, and the normalisation multiplies it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import NotEnoughDataError
from kernels.linearizer import Linearizer, LinearizerAmplifier


def fractional_residuals(amplifier: LinearizerAmplifier) -> Vector:
    """Return corrected signal over slope times light, less one, of shape (n,).

    Parameters
    ----------
    amplifier : LinearizerAmplifier
        With its residuals; exposures that were not fitted give NaN.
    """
    signal, above = amplifier.input_ordinate, amplifier.residuals
    if amplifier.reason or above.size != signal.size:
        return np.full(signal.size, np.nan)
    line = signal - amplifier.residuals_model - above
    with np.errstate(divide="ignore", invalid="ignore"):
        fractions: Vector = np.where(line > 0, above / line, np.nan)
    return fractions


def normalized_light(
    linearizers: Mapping[int, Linearizer], chosen: Sequence[int], *, previous: Mapping[int, float] | None = None
) -> tuple[NDArray[np.int64], Vector]:
    """Return what the light of each exposure is to be multiplied by.

    Parameters
    ----------
    linearizers : mapping of int to Linearizer
        By detector, fitted with the normalisation so far.
    chosen : sequence of int
        Detectors that vote.
    previous : mapping of int to float, optional
        Normalisation so far by exposure; 1 where there is none. Without it, that recorded in the linearizers.

    Returns
    -------
    exposures : ndarray of shape (n,), int64
        Ascending.
    normalization : ndarray of shape (n,), float64
        ``previous / (1 - median)`` of the fractional residuals of all amplifiers of the chosen detectors; `previous`
        where none has the exposure.

    Raises
    ------
    NotEnoughDataError
        If none of the chosen detectors has a linearizer.
    """
    found = [linearizers[detector] for detector in chosen if detector in linearizers]
    if not found:
        raise NotEnoughDataError(
            f"none of the detectors {sorted(chosen)} has a linearizer: there are {sorted(linearizers)}"
        )
    known: dict[int, float] = {}
    for linearizer in linearizers.values():
        for amplifier in linearizer.amplifiers:
            known.update(zip(amplifier.input_exposure.tolist(), amplifier.input_normalization.tolist(), strict=True))
    known |= previous or {}
    votes: dict[int, list[float]] = {exposure: [] for exposure in known}
    for linearizer in found:
        for amplifier in linearizer.amplifiers:
            for exposure, fraction in zip(
                amplifier.input_exposure.tolist(), fractional_residuals(amplifier).tolist(), strict=True
            ):
                if np.isfinite(fraction):
                    votes[exposure].append(fraction)
    exposures = np.array(sorted(known), np.int64)
    values = [
        known[one] / (1 - float(np.median(votes[one]))) if votes[one] else known[one] for one in exposures.tolist()
    ]
    return exposures, np.array(values)


def light_corrections(linearizers: Sequence[Linearizer]) -> tuple[NDArray[np.int64], Vector]:
    """Return what is to be added to the photodiode's reading of each exposure.

    Parameters
    ----------
    linearizers : sequence of Linearizer
        Of all detectors, fitted to uncorrected readings.

    Returns
    -------
    exposures : ndarray of shape (n,), int64
        First of each pair, ascending.
    corrections : ndarray of shape (n,), float64
        Median over all amplifiers of residual over slope, in units of the reading; 0 where no amplifier tells.
    """
    votes: dict[int, list[float]] = {}
    for linearizer in linearizers:
        for amplifier in linearizer.amplifiers:
            light = amplifier.input_abscissa * amplifier.input_normalization
            told = fractional_residuals(amplifier) * light
            for exposure, value in zip(amplifier.input_exposure.tolist(), told.tolist(), strict=True):
                seen = votes.setdefault(exposure, [])
                if np.isfinite(value):
                    seen.append(value)
    exposures = np.array(sorted(votes), np.int64)
    medians = [float(np.median(votes[one])) if votes[one] else 0.0 for one in exposures.tolist()]
    return exposures, np.array(medians)
