"""What a k-sigma clip can and cannot reject: one value widens the very sigma it is judged by."""

import math
from typing import Final, Literal

from kernels.errors import ClipCannotRejectError

IQR_TO_SIGMA: Final = 0.7413
"""Standard deviation of a normal distribution over its interquartile range."""

SMALLEST_SIGMA: Final = 1.5
"""A tighter clip may empty a pixel: fewer than half of good samples lie inside 0.67 sigma."""

Rule = Literal["std", "median_iqr"]


def max_rejectable_sigma(n_frames: int, rule: Rule = "median_iqr") -> float:
    """Return the largest deviation one outlier can have, in its own sigma.

    Parameters
    ----------
    n_frames : int
        Samples, the outlier included.
    rule : {"std", "median_iqr"}
        ``std``: about the mean in (population) standard deviations. ``median_iqr``: about the median in 0.7413 times
        the interquartile range (linear between ranks).

    Returns
    -------
    float
        A clip at or above this many sigma can reject nothing; `inf` where there is no bound.

    Notes
    -----
    std: with one value at D and N-1 at 0 the mean is D/N and the deviation sqrt(N-1) sigma, the largest there is.
    median_iqr: the quartile ranks reach the extreme value only for N <= 4. With the others at 0 the pair
    (deviation, IQR) is (D/2, D/2), (D, D/2), (D, D/4) for N = 2, 3, 4.

    Examples
    --------
    >>> round(max_rejectable_sigma(20, "std"), 3)
    4.359
    >>> [round(max_rejectable_sigma(n), 2) for n in (2, 3, 4, 5)]
    [1.35, 2.7, 5.4, inf]
    """
    if n_frames < 2:
        return 0.0
    if rule == "std":
        return math.sqrt(n_frames - 1)
    return {2: 1.0, 3: 2.0, 4: 4.0}.get(n_frames, math.inf) / IQR_TO_SIGMA


def require_rejectable(n_frames: int, n_sigma: float, rule: Rule = "median_iqr") -> None:
    """Refuse a clip that could never reject a single outlier.

    Parameters
    ----------
    n_frames : int
        Frames to combine.
    n_sigma : float
        Clip [sigma].
    rule : {"std", "median_iqr"}
        As in `max_rejectable_sigma`.

    Raises
    ------
    ClipCannotRejectError
        If no single value can deviate by more than `n_sigma`.
    """
    bound = max_rejectable_sigma(n_frames, rule)
    if n_sigma < bound:
        return
    needed = next(n for n in range(2, 100_000_000) if n_sigma < max_rejectable_sigma(n, rule))
    raise ClipCannotRejectError(n_frames=n_frames, n_sigma=n_sigma, bound_sigma=bound, needed_frames=needed)
