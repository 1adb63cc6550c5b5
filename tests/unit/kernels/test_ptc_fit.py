"""Photon transfer curves against what was injected, against scipy, and with amplifiers that cannot have one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from kernels.errors import KernelError
from kernels.levenberg_marquardt import fit_batch
from kernels.ptc_fit import FitType, PtcFitRule, fit_ptc
from kernels.ptc_fit_covariances import fit_covariances
from kernels.ptc_models import convolved, exp_approximation, full_covariance, rolled_off
from kernels.ptc_pairs import PairMeasurement
from kernels.ptc_records import joined
from kernels.simulate_brighter_fatter import quarter_matrix
from tests.support.flat_pairs import A00, GAIN, LEVELS_E, NOISE_E, drawn_ramp, gathered, lawful_pairs, matrix

LOW, HIGH = np.array([-1e-4, 0.1, 0.0]), np.array([0.0, 10.0, 2000.0])
DENSE_E = (0.0, 100.0, 400.0, 1000.0, *np.geomspace(2e3, 1.2e5, 36))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gain_noise_and_a00_of_a_drawn_ramp(seed: int) -> None:
    """The acceptance of generation.md 11: 0.5 %, 1 %, 3 %."""
    measured = gathered([drawn_ramp(seed, (700, 420))])
    for fit_type in (FitType.EXPAPPROXIMATION, FitType.FULLCOVARIANCE_NO_B):
        fitted = fit_ptc(measured, rule=PtcFitRule(fit_type=fit_type))
        assert fitted.reasons == ("",)
        # Errors of this ramp (294 000 pixels a pair): gain 0.12 %, noise 0.19 %, a00 0.8 %: four sigma or more.
        assert fitted.gain_e_per_adu[0] == pytest.approx(GAIN, rel=5e-3)
        assert fitted.noise_e[0] == pytest.approx(NOISE_E, rel=1e-2)
        assert fitted.parameters[0, 0] == pytest.approx(A00, rel=3e-2)
        assert fitted.gain_error[0] < 0.002 * GAIN
        assert 0.3 < fitted.reduced_chi2[0] < 2.5
    # a01 and a10: the error of a covariance at 100 000 e is 4e-8/e; four sigma of the whole ramp
    assert fitted.a_matrix[0, 0, 1] == pytest.approx(5.32e-7, abs=1.2e-7)
    assert fitted.a_matrix[0, 1, 0] == pytest.approx(1.508e-7, abs=1.2e-7)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_batched_fits_equal_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    amps = [lawful_pairs(rng, DENSE_E, gain=rng.normal(1.5, 0.1), noise_e=rng.uniform(4, 9)) for _ in range(5)]
    measured = gathered(amps)
    x, y, weights = measured.means_adu, measured.variances_adu2, measured.sqrt_weights[:, :, 0, 0]
    start = np.tile([-2e-6, 1.5, 25.0], (5, 1))
    found = fit_batch(exp_approximation, x, y, weights, start, lower=LOW, upper=HIGH)
    assert found.is_converged.all()
    for amp in range(5):

        def residuals(p: np.ndarray, amp: int = amp) -> np.ndarray:
            return np.asarray(weights[amp] * (exp_approximation(x[amp : amp + 1], p[None])[0][0] - y[amp]))

        def slopes(p: np.ndarray, amp: int = amp) -> np.ndarray:
            return np.asarray(weights[amp] * exp_approximation(x[amp : amp + 1], p[None])[1][0]).T

        peer = least_squares(
            residuals, start[amp], slopes, x_scale="jac", bounds=(LOW, HIGH), ftol=1e-15, xtol=1e-15, gtol=1e-15
        )
        np.testing.assert_allclose(found.parameters[amp], peer.x, rtol=1e-6)
        normal = np.linalg.inv(peer.jac.T @ peer.jac)
        np.testing.assert_allclose(found.covariance[amp], normal, rtol=1e-4)


def test_a_parameter_at_its_bound_stays_there_and_has_no_error() -> None:
    x = np.geomspace(100, 5e4, 20)[None]
    y, _ = exp_approximation(x, np.array([[-3e-6, 1.5, 0.0]]))
    y -= 15.0  # less variance than light alone: the noise would be imaginary
    found = fit_batch(exp_approximation, x, y, 1 / y, np.array([[-2e-6, 1.4, 25.0]]), lower=LOW, upper=HIGH)
    assert found.is_converged[0]
    assert found.parameters[0, 2] == 0.0
    assert np.isnan(found.covariance[0, 2, 2])
    assert np.isfinite(found.covariance[0, 1, 1])


@pytest.mark.parametrize("model", [exp_approximation, rolled_off])
def test_derivatives_of_the_models(model) -> None:  # type: ignore[no-untyped-def]  # either of two functions
    x = np.array([[0.0, 1.0, 500.0, 3e4, 6e4, 6.6e4]])
    parameters = np.array([[-3e-6, 1.5, 30.0, 6.2e4, -1500.0]])[:, : 3 if model is exp_approximation else 5]
    _, slopes = model(x, parameters)
    for k in range(parameters.shape[1]):
        step = np.zeros_like(parameters)
        step[0, k] = 1e-5 * abs(parameters[0, k])
        numeric = (model(x, parameters + step)[0] - model(x, parameters - step)[0]) / (2 * step[0, k])
        np.testing.assert_allclose(slopes[0, k], numeric[0], rtol=2e-5, atol=1e-6 * np.abs(numeric).max() + 1e-12)


def test_convolution_of_quarter_planes_is_that_of_whole_planes() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 4, 4))

    def whole(quarter: np.ndarray) -> np.ndarray:
        lags = np.abs(np.arange(1 - len(quarter), len(quarter)))
        return quarter[lags[:, None], lags[None, :]]

    n = 13
    product = np.fft.ifft2(np.fft.fft2(whole(first), (n, n)) * np.fft.fft2(whole(second), (n, n))).real
    np.testing.assert_allclose(convolved(first, second, 7), product[6:13, 6:13], atol=1e-12)
    np.testing.assert_allclose(convolved(first, second, 3), product[6:9, 6:9], atol=1e-12)


@pytest.mark.parametrize("has_b", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_full_covariance_fit_equals_scipy(seed: int, has_b: bool) -> None:
    rng = np.random.default_rng(seed)
    r = 3
    truth = quarter_matrix(matrix())[:r, :r]
    pairs = lawful_pairs(rng, DENSE_E, a_matrix=truth, b=1.5e-6 if has_b else 0.0, n_lags=r)
    measured = gathered([pairs])
    x, values, weights = measured.means_adu[0], measured.covariances_adu2[0], measured.sqrt_weights[0]
    found = fit_covariances(x, values, weights, gain=1.4, has_b=has_b)
    assert found.n_rejected == 0
    n = r * r
    scale = np.concatenate([np.full(n, 1e-6), np.full(n, 1e-12) if has_b else [], np.full(n, 10.0), [1.0]])

    def model(p: np.ndarray) -> np.ndarray:
        q = p * scale
        a, noise = q[:n].reshape(r, r), q[-n - 1 : -1].reshape(r, r)
        c = q[n : 2 * n].reshape(r, r) if has_b else np.zeros((r, r))
        return np.asarray(weights * (full_covariance(x, q[-1], a, c, noise) - values)).ravel()

    start = np.concatenate([truth.ravel(), np.zeros(n) if has_b else [], np.full(n, 1.0), [1.4]]) / scale
    peer = least_squares(model, start, jac="3-point", method="trf", x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15)
    own = np.concatenate(
        [found.a_matrix.ravel(), found.c_matrix.ravel() if has_b else [], found.noise_matrix.ravel(), [found.gain]]
    )
    errors = np.sqrt(np.diag(np.linalg.inv(peer.jac.T @ peer.jac))) * scale
    # 1e-6 of each parameter, or of its error where noise alone makes its value
    np.testing.assert_array_less(np.abs(own - peer.x * scale), 1e-6 * np.abs(own) + 3e-6 * errors)
    assert found.gain_error == pytest.approx(errors[-1], rel=1e-4)
    np.testing.assert_allclose(found.a_errors.ravel(), errors[:n], rtol=1e-4)
    np.testing.assert_allclose(found.noise_errors.ravel(), errors[-n - 1 : -1], rtol=1e-4)
    np.testing.assert_array_less(np.abs(found.a_matrix - truth) / found.a_errors, 4.5)
    assert found.gain == pytest.approx(GAIN, abs=4 * found.gain_error)
    if has_b:
        assert found.b_matrix[0, 0] == pytest.approx(1.5e-6, abs=4 * found.c_errors[0, 0] / abs(A00))


def test_a_spoiled_covariance_is_clipped() -> None:
    rng = np.random.default_rng(7)
    truth = quarter_matrix(matrix())[:3, :3]
    measured = gathered([lawful_pairs(rng, DENSE_E, a_matrix=truth, n_lags=3)])
    measured.covariances_adu2[0, 20, 1, 1] *= 50
    found = fit_covariances(
        measured.means_adu[0], measured.covariances_adu2[0], measured.sqrt_weights[0], gain=1.5, has_b=False
    )
    assert found.n_rejected >= 1
    assert found.a_matrix[1, 1] == pytest.approx(truth[1, 1], abs=4 * found.a_errors[1, 1])


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("full_well_e", [6.3e4, 9.1e4])
def test_the_turnoff_lies_within_one_sampling_step(seed: int, full_well_e: float) -> None:
    levels = (0.0, 100.0, 400.0, 1000.0, *np.linspace(2e3, 1.3e5, 60))
    measured = gathered([lawful_pairs(np.random.default_rng(seed), levels, full_well_e=full_well_e) for _ in range(3)])
    fitted = fit_ptc(measured)
    step = (1.3e5 - 2e3) / 59 / GAIN
    assert fitted.reasons == ("",) * 3
    np.testing.assert_array_less(np.abs(fitted.turnoff_adu - full_well_e / GAIN), step)
    np.testing.assert_array_less(fitted.turnoff_sampling_error_adu, step)
    # the points above are no longer used: gain and noise are as without saturation (0.1 % and 0.2 % errors; 4 sigma)
    np.testing.assert_allclose(fitted.gain_e_per_adu, GAIN, rtol=5e-3)
    np.testing.assert_allclose(fitted.noise_e, NOISE_E, rtol=1e-2)
    assert np.isnan(fitted.final_means_adu[0, -1])
    np.testing.assert_allclose(
        fitted.final_model_variances_adu2[fitted.is_used], fitted.final_variances_adu2[fitted.is_used], rtol=0.01
    )


def test_an_outlier_is_left_out_and_nothing_beyond_a_jump_counts() -> None:
    pairs = lawful_pairs(np.random.default_rng(8), DENSE_E)
    pairs[20] = replace(pairs[20], variance_adu2=pairs[20].variance_adu2 * 1.3)
    gap = [replace(p, variance_adu2=p.variance_adu2 * (3 if 4e4 < p.mean_adu < 6e4 else 1)) for p in pairs]
    fitted = fit_ptc(gathered([pairs, gap]))
    assert fitted.is_used[0].sum() == len(pairs) - 1
    assert not fitted.is_used[0, 20]
    assert fitted.turnoff_adu[0] == pairs[-1].mean_adu
    assert fitted.turnoff_adu[1] < 4e4  # 20 000 adu without a good pair: what comes after is no continuation
    np.testing.assert_allclose(fitted.gain_e_per_adu, GAIN, rtol=5e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_rolloff_is_found_and_moves_the_turnoff(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = (0.0, 100.0, 400.0, 1000.0, *np.linspace(2e3, 1.1e5, 110))
    pairs = lawful_pairs(rng, levels)
    begin, tau = 6.0e4, -1500.0
    rolled = [
        replace(p, variance_adu2=p.variance_adu2 - max(np.exp(-(p.mean_adu - begin) / tau) - 1, 0)) for p in pairs
    ]
    rolled = [p for p in rolled if p.variance_adu2 > 0]
    measured = gathered([rolled])
    plain = fit_ptc(measured)
    fitted = fit_ptc(measured, rule=PtcFitRule(has_rolloff=True))
    assert np.isnan(plain.rolloff_adu[0])
    assert fitted.rolloff_adu[0] == pytest.approx(begin, abs=3 * fitted.rolloff_error_adu[0] + 700)
    assert fitted.rolloff_tau_adu[0] == pytest.approx(tau, rel=0.2)
    assert fitted.turnoff_adu[0] <= plain.turnoff_adu[0]
    loss = np.exp(-(fitted.turnoff_adu[0] - begin) / tau) / 3e4
    assert loss < 0.02  # of the variance; allowed 1 %, given the error of tau
    assert fitted.gain_e_per_adu[0] == pytest.approx(GAIN, rel=5e-3)


def test_amplifiers_without_a_curve_have_no_number_and_a_reason() -> None:
    rng = np.random.default_rng(9)
    good = lawful_pairs(rng, DENSE_E)
    missing = [
        PairMeasurement(
            reason="0 usable pixels of 10000",
            covariances_adu2=np.full((2, 2), np.nan),
            sqrt_weights=np.zeros((2, 2)),
            n_pixels=np.zeros((2, 2)),
        )
        for _ in good
    ]
    dark = [
        replace(p, mean_adu=0.3 * rng.standard_normal(), variance_adu2=13 + 0.02 * rng.standard_normal()) for p in good
    ]
    stuck = [replace(p, mean_adu=88_000 + rng.standard_normal(), variance_adu2=13.0) for p in good]
    noisy = [replace(p, variance_adu2=float(rng.uniform(1e4, 9e7))) for p in good]
    measured = gathered([good, missing, dark, stuck, noisy, good])
    fitted = fit_ptc(measured, bad=["C05"])
    assert fitted.is_bad.tolist() == [False, True, True, True, True, True]
    told = fitted.reasons
    assert "0 usable pairs" in told[1]
    assert "10000" in told[1]
    assert "no light" in told[2]
    assert "saturated or stuck" in told[3]
    assert told[4]
    assert told[5] == "marked bad"
    for name in ("gain_e_per_adu", "noise_e", "turnoff_adu", "parameters", "final_means_adu", "reduced_chi2"):
        values = getattr(fitted, name)
        assert np.isnan(values[1:]).all(), name
        assert np.isfinite(values[0]).any(), name
    assert not fitted.is_used[1:].any()
    full = fit_ptc(measured, rule=PtcFitRule(fit_type=FitType.FULLCOVARIANCE), bad=["C05"])
    assert full.is_bad.tolist() == fitted.is_bad.tolist()
    assert np.isnan(full.a_matrix[1:]).all()


def test_noise_that_cannot_be_measured_or_does_not_fit_the_overscan_is_noted() -> None:
    rng = np.random.default_rng(10)
    lit = gathered([lawful_pairs(rng, [level for level in DENSE_E if level > 1000])])
    assert "below 1000 e" in fit_ptc(lit).notes[0]
    whole = gathered([lawful_pairs(rng, DENSE_E)])
    assert fit_ptc(whole).notes == ("",)
    whole.noises_adu[:] = 6.0 / GAIN
    assert "overscan" in fit_ptc(whole).notes[0]


def test_pairs_unlike_a_gaussian_and_signals_out_of_range_take_no_part() -> None:
    measured = gathered([lawful_pairs(np.random.default_rng(11), DENSE_E)])
    measured.ks_pvalues[0, 10] = 1e-5
    fitted = fit_ptc(measured, rule=PtcFitRule(max_mean_adu=50_000))
    assert not fitted.is_used[0, 10]
    assert fitted.turnoff_adu[0] <= 50_000
    assert fit_ptc(measured, rule=PtcFitRule(min_ks_pvalue=0)).is_used[0, 10]


def test_parts_join_in_any_order_and_twice_the_same_pair_is_refused() -> None:
    whole = gathered([lawful_pairs(np.random.default_rng(12), LEVELS_E)])
    one, other = whole.taken(np.arange(5)), whole.taken(np.arange(5, 14))
    both = joined([other, one])
    np.testing.assert_array_equal(both.exposure_pairs, whole.exposure_pairs)
    np.testing.assert_array_equal(both.means_adu, whole.means_adu)
    with pytest.raises(KernelError, match="twice"):
        joined([one, one])
    with pytest.raises(KernelError):
        joined([])


def test_unknown_fits_are_refused() -> None:
    measured = gathered([lawful_pairs(np.random.default_rng(13), LEVELS_E)])
    with pytest.raises(KernelError, match="LINEAR"):
        fit_ptc(measured, rule=PtcFitRule(fit_type="LINEAR"))
    with pytest.raises(KernelError):
        fit_ptc(measured.taken(np.arange(0)))


def test_a_pair_without_light_counts_though_its_mean_is_a_little_below_zero() -> None:
    pairs = lawful_pairs(np.random.default_rng(14), DENSE_E)
    pairs[0] = replace(pairs[0], mean_adu=-0.4)
    below = replace(pairs[1], mean_adu=-30.0)
    fitted = fit_ptc(gathered([[*pairs, below]]))
    assert fitted.is_used[0].tolist() == [False] + [True] * len(pairs)
    # a level wrong by 0.4 adu is 0.6 of 29 electron^2 of noise: 1 %
    assert fitted.noise_e[0] == pytest.approx(NOISE_E, rel=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_turnoff_of_a_drawn_ramp_lies_within_one_sampling_step(seed: int) -> None:
    levels = (0.0, 100.0, 400.0, 1000.0, *np.linspace(5e3, 1e5, 20))
    full_well_e, step_e = 7.2e4, 5e3
    fitted = fit_ptc(gathered([drawn_ramp(seed, (250, 200), levels_e=levels, full_well_e=full_well_e)]))
    assert fitted.reasons == ("",)
    assert abs(fitted.turnoff_adu[0] * GAIN - full_well_e) < step_e
    assert fitted.turnoff_sampling_error_adu[0] * GAIN < step_e
    # 50 000 pixels a pair: 0.3 % on the gain; four sigma
    assert fitted.gain_e_per_adu[0] == pytest.approx(GAIN, rel=0.012)


SMALL_E = (100.0, 180.0, 320.0, 560.0, 1000.0, *np.linspace(6e3, 1.22e5, 20))


def small_amplifier(seed: int, n_lags: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, covariances and weights of a ramp of 5000 pixels a pair."""
    truth = quarter_matrix(matrix())[:n_lags, :n_lags]
    rng = np.random.default_rng(seed)
    measured = gathered([lawful_pairs(rng, SMALL_E, a_matrix=truth, n_lags=n_lags, n_pixels=5000.0)])
    return measured.means_adu[0], measured.covariances_adu2[0], measured.sqrt_weights[0]


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_full_fit_of_few_pixels_goes_on_to_its_minimum(seed: int) -> None:
    """Long valleys: the gain must not depend on where near it the fit began."""
    x, values, weights = small_amplifier(seed, 5)
    found = [fit_covariances(x, values, weights, gain=gain) for gain in (1.47, 1.5, 1.6)]
    for one in found[1:]:
        assert one.gain == pytest.approx(found[0].gain, abs=1e-3 * found[0].gain_error)


def test_a_full_fit_that_does_not_end_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.ptc_fit_covariances._MAX_STEPS", 10)
    x, values, weights = small_amplifier(3, 5)
    with pytest.raises(KernelError, match="does not converge in 10 steps"):
        fit_covariances(x, values, weights, gain=1.5)


def test_noise_of_many_lags_raises_the_gain_only_with_b_and_is_told() -> None:
    shifts = {has_b: [] for has_b in (True, False)}  # type: dict[bool, list[float]]
    for seed in range(10):
        x, values, weights = small_amplifier(seed, 5)
        for has_b, shift in shifts.items():
            shift.append(fit_covariances(x, values, weights, gain=1.5, has_b=has_b).gain / GAIN - 1)
    # 10 ramps of 1 % each: 0.3 % on the mean; of the difference, on the same noise, 0.15 %; 1 % is expected.
    assert np.mean(shifts[False]) == pytest.approx(0.0, abs=0.01)
    assert np.mean(shifts[True]) - np.mean(shifts[False]) > 0.004
    truth = quarter_matrix(matrix())[:5, :5]
    told = {}
    for n_pixels in (5e3, 1e6):
        rng = np.random.default_rng(1)
        measured = gathered([lawful_pairs(rng, SMALL_E, a_matrix=truth, n_lags=5, n_pixels=n_pixels)])
        for fit_type in (FitType.FULLCOVARIANCE, FitType.FULLCOVARIANCE_NO_B):
            told[n_pixels, fit_type] = fit_ptc(measured, rule=PtcFitRule(fit_type=fit_type)).notes[0]
    assert "b of 5 lags from 125000 pixels in all: the gain may read 0.8 % high" in told[5e3, FitType.FULLCOVARIANCE]
    assert sum("b of 5 lags" in note for note in told.values()) == 1
