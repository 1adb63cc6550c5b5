"""The points of photon transfer curves: which of them count, where the curves turn off, which amplifiers have none."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.levenberg_marquardt import BatchFit, fit_batch
from kernels.ptc_fit_rule import LOWER, START, UPPER, PtcFitRule
from kernels.ptc_models import exp_approximation, rolled_off
from kernels.ptc_records import PtcMeasurements, Table2

_FEWEST_POINTS: Final = 4
_ROLLOFF_BOUNDS: Final = (-10_000.0, -100.0)
_ROLLOFF_START: Final = -1200.0
_LARGEST_GAIN_ERROR: Final = 0.1


class CurvePoints:
    """The points of all amplifiers, which of them count, and why an amplifier has none."""

    def __init__(self, measured: PtcMeasurements, rule: PtcFitRule, bad: Sequence[str]) -> None:
        self.measured, self.rule = measured, rule
        self.reasons = ["marked bad" if name in bad else "" for name in measured.amplifiers]
        means, variances = measured.means_adu, measured.variances_adu2
        n_pixels = measured.n_pixels[:, :, 0, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            valid = np.isfinite(means) & np.isfinite(variances) & (variances > 0) & (n_pixels > 1)
            # a pair without light has a mean of zero give or take the error of the overscan's level
            valid &= (means >= rule.min_mean_adu - 0.5 * np.sqrt(variances)) & (means <= rule.max_mean_adu)
            valid &= ~(measured.ks_pvalues < rule.min_ks_pvalue)
        self.valid = valid
        self.x = np.where(valid, means, 0.0)
        self.y = np.where(valid, variances, 1.0)
        weights = measured.sqrt_weights[:, :, 0, 0]
        self.weights = np.where(valid & np.isfinite(weights), weights, 0.0)
        self.kept = valid.copy()
        self._refuse_hopeless()
        self.gain_guess = np.array([self._guess(amp) for amp in range(len(means))])
        self.rolloff_kept = np.zeros_like(valid)
        self.turnoff = np.full(len(means), np.nan)
        self.rolloff: BatchFit | None = None

    def drop(self, amp: int, reason: str) -> None:
        """Set an amplifier aside, for the first reason given."""
        self.reasons[amp] = self.reasons[amp] or reason
        self.kept[amp] = False

    @property
    def good(self) -> NDArray[np.intp]:
        """Amplifiers still in the running."""
        return np.array([amp for amp, reason in enumerate(self.reasons) if not reason], np.intp)

    def reject_and_fit(self) -> BatchFit:
        """Fit low signals, set outliers and what lies above a jump aside, and fit the rest by its errors."""
        unit = np.ones_like(self.gain_guess) if self.rule.is_in_adu else self.gain_guess
        # The scale residuals are judged by. Nothing is weighted by its own error yet, but neither is everything alike:
        # then the low levels, which alone tell the read noise, would be thrown out by errors of the high ones.
        errors = np.divide(1.0, self.weights, out=np.zeros_like(self.y), where=self.weights > 0)
        scale = np.sqrt(self.y + errors**2)
        first = self.valid & (self.x <= (self.rule.first_max_signal / unit)[:, None])
        chosen = np.where((first.sum(axis=1) >= _FEWEST_POINTS)[:, None], first, self.valid)
        for _ in range(max(self.rule.max_iter, 1)):
            fit = self._fit(np.where(chosen, 1.0 / scale, 0.0))
            values, _ = exp_approximation(self.x, fit.parameters)
            self.kept = self.valid & (np.abs(self.y - values) <= self.rule.n_sigma * scale)
            self.kept = _before_jump(self.x, self.kept, self.valid, self.rule.max_jump / unit)
            enough = self.kept.sum(axis=1) >= _FEWEST_POINTS
            if (self.kept[enough] == chosen[enough]).all():
                break
            chosen = np.where(enough[:, None], self.kept, chosen)
        for amp, n in enumerate(self.kept.sum(axis=1)):
            if n < _FEWEST_POINTS:
                self.drop(amp, f"{n} pairs of {int(self.valid[amp].sum())} lie on a curve, {_FEWEST_POINTS} are needed")
        fit = self._fit(np.where(self.kept, self.weights, 0.0))
        self._find_turnoffs()
        return fit

    def rolloff_and_fit(self, fit: BatchFit) -> BatchFit:
        """Fit the roll-off where it is asked for, take the turnoff from it, and fit what lies below again."""
        if not self.rule.has_rolloff or not self.good.size:
            return fit
        limit = self.turnoff + self.rule.rolloff_span_adu
        at_turnoff = np.array([self.y[amp][self.kept[amp]].max(initial=0.0) for amp in range(len(self.y))])
        chosen = self.valid & (self.x <= limit[:, None]) & (self.y <= at_turnoff[:, None])
        self.rolloff_kept = (chosen | self.kept) & np.isfinite(self.turnoff)[:, None]
        n = len(self.x)
        start = np.concatenate(
            [fit.parameters, np.nan_to_num(self.turnoff)[:, None], np.full((n, 1), _ROLLOFF_START)], axis=1
        )
        low = np.array([*LOWER, 0.0, _ROLLOFF_BOUNDS[0]])
        high = np.array([*UPPER, self.rule.max_mean_adu, _ROLLOFF_BOUNDS[1]])
        weights = np.where(self.rolloff_kept, self.weights, 0.0)
        self.rolloff = fit_batch(rolled_off, self.x, self.y, weights, start, lower=low, upper=high)
        whole, _ = rolled_off(self.x, self.rolloff.parameters)
        plain, _ = exp_approximation(self.x, self.rolloff.parameters[:, :3])
        follows = self.kept & (np.abs(whole / np.where(plain > 0, plain, 1.0) - 1.0) <= self.rule.max_rolloff_deviation)
        for amp in self.good:
            if follows[amp].sum() >= _FEWEST_POINTS:
                last = self.x[amp][follows[amp]].max()
                self.kept[amp] &= self.x[amp] <= last
        again = self._fit(np.where(self.kept, self.weights, 0.0))
        self._find_turnoffs()
        return again

    def judge(self, fit: BatchFit) -> None:
        """Set amplifiers aside whose fit says nothing."""
        errors = np.sqrt(np.einsum("ijj->ij", fit.covariance))
        for amp in self.good:
            gain, error = fit.parameters[amp, 1], errors[amp, 1]
            if not fit.is_converged[amp]:
                self.drop(amp, "the fit of the curve does not converge")
            elif not LOWER[1] < gain < UPPER[1]:
                self.drop(amp, f"gain {gain:g} e/adu at its bound: no photon transfer curve")
            elif not error <= _LARGEST_GAIN_ERROR * gain:
                self.drop(amp, f"gain {gain:.3g} +- {error:.3g} e/adu: the pairs do not tell it")

    def _fit(self, weights: Table2) -> BatchFit:
        start = np.tile(START, (len(self.x), 1))
        start[:, 1] = self.gain_guess
        start[:, 2] = np.clip(25.0, LOWER[2], UPPER[2])
        return fit_batch(
            exp_approximation, self.x, self.y, weights, start, lower=np.array(LOWER), upper=np.array(UPPER)
        )

    def _guess(self, amp: int) -> float:
        """Return the median of mean by variance of the lit pairs, inside the bounds."""
        ratio = (self.x[amp] / self.y[amp])[self.valid[amp] & (self.x[amp] > 5 * np.sqrt(self.y[amp]))]
        return float(np.clip(np.median(ratio), 2 * LOWER[1], UPPER[1] / 2)) if ratio.size else START[1]

    def _refuse_hopeless(self) -> None:
        for amp, name in enumerate(self.measured.amplifiers):
            n = int(self.valid[amp].sum())
            told = self.measured.reasons[amp]
            if n < _FEWEST_POINTS:
                self.drop(amp, f"{n} usable pairs, {_FEWEST_POINTS} are needed" + (f": {told}" if told else ""))
                continue
            x, y = self.x[amp][self.valid[amp]], self.y[amp][self.valid[amp]]
            if x.max() <= 5 * np.sqrt(y.max()):
                self.drop(amp, f"no light: the brightest pair has {x.max():.3g} adu")
            elif x.max() - x.min() <= 0.05 * x.max() and self._light_rises(amp):
                self.drop(amp, f"stays at {x.max():.6g} adu while the others rise: saturated or stuck")
            del name

    def _light_rises(self, amp: int) -> bool:
        others = np.delete(self.x, amp, axis=0)[:, self.valid[amp]]
        if not others.size:
            return False
        typical = np.median(others, axis=0)
        return bool(typical.max() - typical.min() > 0.5 * typical.max())

    def _find_turnoffs(self) -> None:
        for amp in range(len(self.x)):
            kept = self.x[amp][self.kept[amp]]
            self.turnoff[amp] = kept.max() if kept.size else np.nan


def _before_jump(x: Table2, kept: NDArray[np.bool_], valid: NDArray[np.bool_], max_jump: Vector) -> NDArray[np.bool_]:
    """Drop all above the first gap wider than `max_jump` in which a pair was rejected."""
    result = kept.copy()
    for amp in np.flatnonzero((kept != valid).any(axis=1)):
        order = np.argsort(np.where(valid[amp], x[amp], np.inf), kind="stable")[: valid[amp].sum()]
        good = np.flatnonzero(kept[amp][order])
        gaps = np.diff(x[amp][order][good])
        wide = np.flatnonzero((gaps > max_jump[amp]) & (np.diff(good) > 1))
        if wide.size:
            result[amp, order[good[wide[0]] + 1 :]] = False
    return result
