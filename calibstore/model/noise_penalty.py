"""How much a combined frame of few inputs adds to the noise of a science exposure, and what grade that gets."""

import math
from enum import StrEnum
from typing import Final

from calibstore.errors import UserInputError


class Statistic(StrEnum):
    """How frames are combined per pixel."""

    MEAN = "mean"
    """Plain mean."""
    CLIPPED_MEAN = "clipped_mean"
    """Mean after a clip at 3 sigma."""
    MEDIAN = "median"
    """Median."""


KAPPA: Final = {Statistic.MEAN: 1.0, Statistic.CLIPPED_MEAN: 1.07, Statistic.MEDIAN: math.pi / 2}
"""Variance of the combined value, times the number of frames, relative to the variance of one frame [1]."""
GREEN_LIMIT: Final = 0.025
"""Largest green penalty (DMTN-101) [1]."""
AMBER_LIMIT: Final = 0.05
"""Largest amber penalty [1]."""


class PenaltyGrade(StrEnum):
    """What the count of frames is worth."""

    GREEN = "green"
    """Enough frames."""
    AMBER = "amber"
    """Usable, with the reason shown."""
    RED = "red"
    """Too few frames."""


def noise_penalty(
    n_frames: int,
    statistic: Statistic | str = Statistic.CLIPPED_MEAN,
    *,
    read_noise_e: float,
    dark_rate_e_per_s: float = 0.0,
    t_sci_s: float,
    t_dark_s: float,
) -> float:
    """Return the noise penalty of a combined dark.

    Parameters
    ----------
    n_frames : int
        Frames combined.
    statistic : Statistic
        How they are combined.
    read_noise_e : float
        Read noise of one frame [electron].
    dark_rate_e_per_s : float
        Dark current [electron/s].
    t_sci_s : float
        Typical science exposure of the camera [s].
    t_dark_s : float
        Dark time of one frame [s].

    Returns
    -------
    float
        Relative rise of the effective read noise [1].

    Raises
    ------
    UserInputError
        If there is no frame, a noise or time is not above zero, or the dark current is below.

    Notes
    -----
    sqrt(1 + kappa (t_sci / t_dark)^2 (RN^2 + D t_dark) / (N RN^2)) - 1.

    References
    ----------
    DMTN-101, section 4.
    """
    for name, value in (("read noise", read_noise_e), ("science exposure", t_sci_s), ("dark time", t_dark_s)):
        if not value > 0:
            raise UserInputError(
                f"{name} {value} is not above zero", hint="look at the camera file and the exposures", code="E-PENALTY"
            )
    if not dark_rate_e_per_s >= 0:
        raise UserInputError(f"dark current {dark_rate_e_per_s} is below zero", hint="give 0 or more", code="E-PENALTY")
    one_frame = (t_sci_s / t_dark_s) ** 2 * (read_noise_e**2 + dark_rate_e_per_s * t_dark_s) / read_noise_e**2
    return _penalty(n_frames, statistic, one_frame)


def bias_noise_penalty(n_frames: int, statistic: Statistic | str = Statistic.CLIPPED_MEAN) -> float:
    """Return the noise penalty of a combined bias, which has neither time nor dark current.

    Parameters
    ----------
    n_frames : int
        Frames combined.
    statistic : Statistic
        How they are combined.

    Returns
    -------
    float
        sqrt(1 + kappa / N) - 1 [1].

    Raises
    ------
    UserInputError
        If there is no frame, or the statistic is unknown.
    """
    return _penalty(n_frames, statistic, 1.0)


def grade(penalty: float) -> PenaltyGrade:
    """Return the grade of a penalty; not a number is red."""
    if penalty <= GREEN_LIMIT:
        return PenaltyGrade.GREEN
    return PenaltyGrade.AMBER if penalty <= AMBER_LIMIT else PenaltyGrade.RED


def frames_needed(
    statistic: Statistic | str = Statistic.CLIPPED_MEAN, limit: float = GREEN_LIMIT, *, one_frame: float = 1.0
) -> int:
    """Return the smallest count of frames whose penalty is within a limit.

    Parameters
    ----------
    statistic : Statistic
        How they are combined.
    limit : float
        Largest penalty [1].
    one_frame : float
        Variance that one frame brings, relative to the squared read noise [1]; 1 for a bias.

    Raises
    ------
    UserInputError
        If the limit is not above zero, or the statistic is unknown.
    """
    if not limit > 0:
        raise UserInputError(f"penalty limit {limit} is not above zero", hint="0.025 is usual", code="E-PENALTY")
    n_frames = max(1, math.floor(_kappa(statistic) * one_frame / ((1 + limit) ** 2 - 1)))
    while _penalty(n_frames, statistic, one_frame) > limit:
        n_frames += 1
    return n_frames


def _penalty(n_frames: int, statistic: Statistic | str, one_frame: float) -> float:
    if n_frames < 1:
        raise UserInputError(f"{n_frames} frames cannot be combined", hint="select at least one", code="E-PENALTY")
    return math.sqrt(1 + _kappa(statistic) * one_frame / n_frames) - 1


def _kappa(statistic: Statistic | str) -> float:
    try:
        return KAPPA[Statistic(statistic)]
    except ValueError:
        raise UserInputError(
            f"unknown statistic '{statistic}'", hint=f"known: {', '.join(Statistic)}", code="E-PENALTY"
        ) from None
