"""Gains after a restart of the electronics against those before, from flats divided by the certified flat.

A lamp does not tell how bright it was: what all amplifiers have in common stays unknown, and the middle one keeps its
gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from kernels.arrays import BoolImage, Vector
from kernels.errors import KernelError, NotEnoughDataError
from kernels.gain_ratio import BinnedFlat, GainRatioRule, amplifier_ratios

_MAD_TO_SIGMA: Final = 1.4826
_LIT_SHARE: Final = 0.1
"""An amplifier below this share of the middle one is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainCorrectionRule:
    """How flats are compared (generation.md 5.6)."""

    ratio: GainRatioRule = field(default_factory=GainRatioRule)
    n_sigma: float = 5.0
    """Bins farther from their amplifier's median are left out [sigma]."""
    min_sigma: float = 0.01
    """Smallest scatter of bins that clip goes by, relative [1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GainCorrection:
    """What the gains of a detector are to be multiplied by."""

    adjustments: Vector
    """One per amplifier [1]; 1 for one that is off by more than the rule allows, NaN for one without light."""
    errors: Vector
    """Of the mean over flats, from their scatter [1]; NaN with fewer than two flats."""
    n_flats: int
    reasons: tuple[str, ...]
    """Why an amplifier was not adjusted; empty where it was."""


def measure_gain_correction(
    flats: Sequence[BinnedFlat], *, n_amps: int, rule: GainCorrectionRule | None = None
) -> GainCorrection:
    """Return the changes of gain that make the ratio of flats continuous between amplifiers.

    Parameters
    ----------
    flats : sequence of BinnedFlat
        Flats in electrons of the old gains, divided by the certified flat.
    n_amps : int
        Amplifiers of the detector.
    rule : GainCorrectionRule, optional
        Cuts and surface.

    Returns
    -------
    GainCorrection
        Adjusted gains are old gains times `adjustments`.

    Raises
    ------
    NotEnoughDataError
        If no flat could be compared; the reasons are named.

    Notes
    -----
    An amplifier of gain g' that is read with gain g shows g/g' of the light; the surface of the light and the steps
    come from `kernels.gain_ratio.amplifier_ratios`. The reference is the amplifier of middle signal: one that stepped
    far cannot be it.
    """
    rule = rule or GainCorrectionRule()
    found, faults, is_lit = [], [], np.zeros(n_amps, np.bool_)
    for flat in flats:
        try:
            medians = _medians(flat, n_amps)
            reference = _middle_amplifier(medians)
            clipped = _clipped(flat, np.isfinite(medians), rule)
            ratios = amplifier_ratios(clipped, n_amps=n_amps, reference=reference, rule=rule.ratio)
            is_lit |= np.isfinite(medians)
            found.append(ratios / np.median(ratios[np.isfinite(ratios)]))
        except KernelError as fault:
            faults.append(str(fault))
    if not found:
        raise NotEnoughDataError("; ".join(dict.fromkeys(faults)) or "there is no flat")
    stack = np.array(found)
    n_used = np.isfinite(stack).sum(axis=0)
    adjustments, errors = np.where(is_lit, 1.0, np.nan), np.full(n_amps, np.nan)
    for amp in np.flatnonzero(n_used):
        ratios = stack[np.isfinite(stack[:, amp]), amp]
        middle = float(np.median(ratios))
        adjustments[amp] = 1.0 / middle
        if ratios.size > 1:
            errors[amp] = _MAD_TO_SIGMA * float(np.median(np.abs(ratios - middle))) / np.sqrt(ratios.size)
    is_far = np.abs(adjustments - 1.0) > rule.ratio.max_deviation
    adjustments[is_far] = 1.0
    far = f"off by more than {rule.ratio.max_deviation:.0%}"
    return GainCorrection(
        adjustments=adjustments,
        errors=np.where(is_far, np.nan, errors),
        n_flats=len(found),
        reasons=tuple(
            "no light" if not is_lit[amp] else far if is_far[amp] or not n_used[amp] else "" for amp in range(n_amps)
        ),
    )


def _clipped(flat: BinnedFlat, is_lit: BoolImage, rule: GainCorrectionRule) -> BinnedFlat:
    """Return a flat without dark amplifiers, and without the bins that are unlike the others of theirs."""
    is_kept: BoolImage = np.isfinite(flat.values) & is_lit[flat.amplifier]
    for amp in np.flatnonzero(is_lit):
        mine = np.flatnonzero(is_kept & (flat.amplifier == amp))
        values = flat.values[mine]
        middle = float(np.median(values))
        sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(values - middle))), rule.min_sigma * middle)
        is_kept[mine[np.abs(values - middle) > rule.n_sigma * sigma]] = False
    return replace(flat, values=np.where(is_kept, flat.values, np.nan))


def _medians(flat: BinnedFlat, n_amps: int) -> Vector:
    """Return the median of each amplifier, NaN where it is dark."""
    medians = np.full(n_amps, np.nan)
    for amp in range(n_amps):
        values = flat.values[(flat.amplifier == amp) & np.isfinite(flat.values)]
        if values.size:
            medians[amp] = np.median(values)
    with np.errstate(invalid="ignore"):
        medians[~(medians > 0)] = np.nan
        if np.isfinite(medians).any():
            medians[medians < _LIT_SHARE * np.nanmedian(medians)] = np.nan
    return medians


def _middle_amplifier(medians: Vector) -> int:
    lit = np.flatnonzero(np.isfinite(medians))
    if not lit.size:
        raise NotEnoughDataError("no amplifier has light")
    return int(lit[np.argsort(medians[lit], kind="stable")][(lit.size - 1) // 2])
