"""Photon transfer curves fitted: gain, noise, turnoff and matrices read off the fits."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Vector
from kernels.errors import KernelError
from kernels.levenberg_marquardt import BatchFit
from kernels.ptc_fit_covariances import CovarianceFit, fit_covariances
from kernels.ptc_fit_points import CurvePoints
from kernels.ptc_fit_rule import FitType, PtcFitRule
from kernels.ptc_models import exp_approximation
from kernels.ptc_records import PhotonTransfer, PtcMeasurements, Table2

__all__ = ["FitType", "PtcFitRule", "fit_ptc", "unfitted"]

LOW_LEVEL_E: Final = 1000.0
"""A curve without pairs below this says nothing of the read noise [electron]."""
_NOISE_TOLERANCE: Final = 0.05
_BIAS_OF_B: Final = 90.0
"""Noise of many lags enters eq. 20 squared: with b free the gain reads high by about this times lags**1.5 by the pixels
of all pairs (ramps of 25 pairs of 5000 pixels drawn from the law: 0.3, 1.0 and 2.5 % with 3, 5 and 10 lags)."""
_LARGEST_BIAS: Final = 0.002


def fit_ptc(measured: PtcMeasurements, *, rule: PtcFitRule | None = None, bad: Sequence[str] = ()) -> PhotonTransfer:
    """Fit the photon transfer curves of a detector.

    Parameters
    ----------
    measured : PtcMeasurements
        Pairs of all amplifiers.
    rule : PtcFitRule, optional
        Default: EXPAPPROXIMATION with the published figures.
    bad : sequence of str
        Names of amplifiers not to fit.

    Returns
    -------
    PhotonTransfer
        Pairs sorted by their mean signal. An amplifier without a fit has NaN, no used pair, and a reason.

    Raises
    ------
    KernelError
        If the fit type is unknown or there is no pair.
    """
    rule = rule or PtcFitRule()
    if rule.fit_type not in tuple(FitType):
        raise KernelError(f"fit type {rule.fit_type!r} is none of {', '.join(FitType)}")
    if measured.means_adu.size == 0:
        raise KernelError("no measured pairs")
    measured = measured.taken(_by_signal(measured))
    if rule.fit_type == FitType.PARTIAL:
        return unfitted(measured)
    points = CurvePoints(measured, rule, bad)
    fit = points.reject_and_fit()
    points.judge(fit)
    fit = points.rolloff_and_fit(fit)
    return _Result(points, fit, rule).transfer()


def unfitted(measured: PtcMeasurements) -> PhotonTransfer:
    """Return measured pairs as a curve nothing was fitted to.

    Parameters
    ----------
    measured : PtcMeasurements
        Pairs.
    """
    return _empty(measured, FitType.PARTIAL)


def _empty(measured: PtcMeasurements, fit_type: str) -> PhotonTransfer:
    n, p = measured.means_adu.shape
    r = measured.n_lags
    nothing = {name: np.full(n, np.nan) for name in _SCALARS}
    return PhotonTransfer(
        measured=measured,
        fit_type=fit_type,
        is_used=np.isfinite(measured.means_adu) if fit_type == FitType.PARTIAL else np.zeros((n, p), np.bool_),
        is_used_in_rolloff=np.zeros((n, p), np.bool_),
        parameters=np.full((n, 3), np.nan),
        parameter_errors=np.full((n, 3), np.nan),
        a_matrix=np.full((n, r, r), np.nan),
        b_matrix=np.full((n, r, r), np.nan),
        noise_matrix=np.full((n, r, r), np.nan),
        covariances_model_adu2=np.full((n, p, r, r), np.nan),
        final_means_adu=np.full((n, p), np.nan),
        final_variances_adu2=np.full((n, p), np.nan),
        final_model_variances_adu2=np.full((n, p), np.nan),
        reasons=("",) * n,
        notes=("",) * n,
        **nothing,
    )


_SCALARS: Final = (
    "gain_e_per_adu",
    "gain_error",
    "gain_unadjusted",
    "noise_e",
    "noise_error",
    "reduced_chi2",
    "turnoff_adu",
    "turnoff_sampling_error_adu",
    "rolloff_adu",
    "rolloff_error_adu",
    "rolloff_tau_adu",
    "rolloff_tau_error_adu",
)


def _by_signal(measured: PtcMeasurements) -> NDArray[np.intp]:
    """Return the order of the mean signal over amplifiers; pairs nothing measured come last."""
    found = np.isfinite(measured.means_adu)
    counts = found.sum(axis=0)
    sums = np.where(found, measured.means_adu, 0.0).sum(axis=0)
    return np.argsort(np.where(counts > 0, sums / np.maximum(counts, 1), np.inf), kind="stable")


class _Result:
    """What is read off the fits."""

    def __init__(self, points: CurvePoints, fit: BatchFit, rule: PtcFitRule) -> None:
        self._points, self._fit, self._rule = points, fit, rule
        self._full: dict[int, CovarianceFit] = {}

    def transfer(self) -> PhotonTransfer:
        points, measured = self._points, self._points.measured
        if self._rule.fit_type != FitType.EXPAPPROXIMATION:
            self._fit_covariances()
        parameters, errors, chi2 = self._parameters()
        is_good = ~np.array([bool(reason) for reason in points.reasons], np.bool_)
        kept = points.kept & is_good[:, None]
        parameters[~is_good], errors[~is_good] = np.nan, np.nan
        chi2[~is_good] = np.nan
        noise = np.sqrt(np.abs(parameters[:, 2]))
        with np.errstate(invalid="ignore", divide="ignore"):
            noise_error = np.where(noise > 0, errors[:, 2] / (2 * noise), np.nan)
        turnoff = np.where(is_good, points.turnoff, np.nan)
        values: dict[str, NDArray[np.float64]] = {
            "gain_e_per_adu": parameters[:, 1].copy(),
            "gain_error": errors[:, 1].copy(),
            "gain_unadjusted": parameters[:, 1].copy(),
            "noise_e": noise,
            "noise_error": noise_error,
            "reduced_chi2": chi2,
            "turnoff_adu": turnoff,
            "turnoff_sampling_error_adu": self._sampling_errors(turnoff),
            **self._rolloff(is_good),
        }
        matrices = self._matrices(is_good)
        models = self._models(parameters, matrices, is_good)
        return PhotonTransfer(
            measured=measured,
            fit_type=self._rule.fit_type,
            is_used=kept,
            is_used_in_rolloff=points.rolloff_kept & is_good[:, None],
            parameters=parameters,
            parameter_errors=errors,
            a_matrix=matrices[0],
            b_matrix=matrices[1],
            noise_matrix=matrices[2],
            covariances_model_adu2=models,
            final_means_adu=np.where(kept, measured.means_adu, np.nan),
            final_variances_adu2=np.where(kept, measured.variances_adu2, np.nan),
            final_model_variances_adu2=np.where(kept, self._model_variances(parameters, models), np.nan),
            reasons=tuple(points.reasons),
            notes=tuple(self._notes(amp, values) if is_good[amp] else "" for amp in range(len(is_good))),
            **values,
        )

    def _fit_covariances(self) -> None:
        points, measured = self._points, self._points.measured
        r = self._rule.n_lags or measured.n_lags
        for amp in points.good:
            kept = points.kept[amp]
            try:
                self._full[amp] = fit_covariances(
                    measured.means_adu[amp, kept],
                    measured.covariances_adu2[amp, kept][:, :r, :r],
                    measured.sqrt_weights[amp, kept][:, :r, :r],
                    gain=float(self._fit.parameters[amp, 1]),
                    has_b=self._rule.fit_type == FitType.FULLCOVARIANCE,
                )
            except KernelError as fault:
                points.drop(amp, str(fault))

    def _parameters(self) -> tuple[NDArray[np.float64], NDArray[np.float64], Vector]:
        parameters = self._fit.parameters.copy()
        errors = np.sqrt(np.einsum("ijj->ij", self._fit.covariance))
        freedom = np.maximum(self._points.kept.sum(axis=1) - 3, 1)
        chi2 = self._fit.chi2 / freedom
        for amp, full in self._full.items():
            parameters[amp] = full.a_matrix[0, 0], full.gain, full.noise_matrix[0, 0]
            errors[amp] = full.a_errors[0, 0], full.gain_error, full.noise_errors[0, 0]
            chi2[amp] = full.reduced_chi2
        return parameters, errors, chi2

    def _sampling_errors(self, turnoff: Vector) -> Vector:
        """Return half the distance from each turnoff to the next level, or to the one before where it is the last."""
        found = np.full(turnoff.shape, np.nan)
        for amp in np.flatnonzero(np.isfinite(turnoff)):
            x = np.unique(self._points.x[amp][self._points.valid[amp]])
            above, below = x[x > turnoff[amp]], x[x < turnoff[amp]]
            step = above[0] - turnoff[amp] if above.size else turnoff[amp] - below[-1] if below.size else np.nan
            found[amp] = 0.5 * step
        return found

    def _rolloff(self, is_good: NDArray[np.bool_]) -> dict[str, Vector]:
        names = ("rolloff_adu", "rolloff_tau_adu", "rolloff_error_adu", "rolloff_tau_error_adu")
        fit = self._points.rolloff
        if fit is None:
            return {name: np.full(is_good.shape, np.nan) for name in names}
        errors = np.sqrt(np.einsum("ijj->ij", fit.covariance))
        columns = (fit.parameters[:, 3], fit.parameters[:, 4], errors[:, 3], errors[:, 4])
        return {name: np.where(is_good, column, np.nan) for name, column in zip(names, columns, strict=True)}

    def _matrices(self, is_good: NDArray[np.bool_]) -> NDArray[np.float64]:
        r = self._rule.n_lags or self._points.measured.n_lags
        side = r if self._full else self._points.measured.n_lags
        matrices = np.full((3, len(is_good), side, side), np.nan)
        for amp, full in self._full.items():
            matrices[:, amp] = full.a_matrix, full.b_matrix, full.noise_matrix
        return matrices

    def _models(
        self, parameters: NDArray[np.float64], matrices: NDArray[np.float64], is_good: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        measured = self._points.measured
        models = np.full(measured.covariances_adu2.shape, np.nan)
        side = matrices.shape[-1]
        for amp, full in self._full.items():
            models[amp, :, :side, :side] = full.model(measured.means_adu[amp])
        return models

    def _model_variances(self, parameters: NDArray[np.float64], models: NDArray[np.float64]) -> Table2:
        if self._full:
            return models[:, :, 0, 0]
        good = np.isfinite(parameters).all(axis=1)
        values = np.full(models.shape[:2], np.nan)
        values[good] = exp_approximation(self._points.measured.means_adu[good], parameters[good])[0]
        return values

    def _notes(self, amp: int, values: dict[str, NDArray[np.float64]]) -> str:
        points = self._points
        gain, noise = values["gain_e_per_adu"][amp], values["noise_e"][amp]
        notes = []
        n_low = int((points.x[amp][points.kept[amp]] * gain < LOW_LEVEL_E).sum())
        if n_low == 0:
            notes.append(f"no pair below {LOW_LEVEL_E:g} e: the read noise cannot be measured")
        overscan = points.measured.noises_adu[amp]
        overscan = overscan[np.isfinite(overscan)]
        if n_low and overscan.size:
            expected = gain * float(np.median(overscan))
            if abs(noise - expected) > _NOISE_TOLERANCE * expected:
                notes.append(f"noise {noise:.3g} e differs from that of the overscan, {expected:.3g} e")
        if amp in self._full and self._rule.fit_type == FitType.FULLCOVARIANCE:
            n_pixels = float(points.measured.n_pixels[amp][points.kept[amp], 0, 0].sum())
            lags = len(self._full[amp].a_matrix)
            bias = _BIAS_OF_B * lags**1.5 / n_pixels
            if bias > _LARGEST_BIAS:
                notes.append(
                    f"b of {lags} lags from {n_pixels:.0f} pixels in all: the gain may read {100 * bias:.1g} % high"
                )
        return "; ".join(notes)
