"""Linearizers of simulated ramps: the injected nonlinearity is taken away, and fits are those of scipy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from kernels.errors import NotEnoughDataError
from kernels.linearity import LinearityType, apply_linearity, nonlinearity_model
from kernels.linearity_fit import FitRule, fit_polynomial, fit_spline, signal_error
from kernels.linearity_light import light_corrections, normalized_light
from kernels.linearity_nodes import NodeRule, illumination_groups, linearity_range, spline_nodes, supported_nodes
from kernels.linearity_solve import LinearityRule, Ramp, reference_amplifier, solve_linearity
from kernels.linearity_spline import SplineProblem

GAINS = np.array([1.45, 1.52, 1.48, 1.50])
KNEE = np.array([92_000.0, 95_000.0, 93_000.0, 90_000.0])
N_PIXELS = 2e6


def measured(true_adu: np.ndarray, amp: int) -> np.ndarray:
    """Low bump of half a per cent at 3000 adu, a quadratic loss (worse in later amplifiers), saturation."""
    loss = 0.004 * true_adu * np.exp(-(((true_adu - 3000) / 2500) ** 2)) + (1 + 0.2 * amp) * 1e-7 * true_adu**2
    out = true_adu - loss
    return np.where(out > KNEE[amp], KNEE[amp] + 0.3 * (out - KNEE[amp]), out)


def build_ramp(
    seed: int, *, n: int = 120, light_error: np.ndarray | None = None, n_amps: int = 4, is_dense: bool = False
) -> Ramp:
    rng = np.random.default_rng(seed)
    time_s = (
        np.geomspace(0.1, 220.0, n)
        if not is_dense
        else np.sort(np.concatenate((np.geomspace(0.1, 10, n // 4), np.linspace(2, 220, n - n // 4))))
    )
    charge = time_s * 500.0  # true adu of the first amplifier's gain
    signal = np.stack([measured(charge * GAINS[0] / GAINS[amp], amp) for amp in range(n_amps)])
    for amp in range(n_amps):
        error = signal_error(signal[amp], gain_e_per_adu=GAINS[amp], noise_e=5.0, n_pixels=N_PIXELS)
        signal[amp] *= 1 + error * rng.standard_normal(n)
    light = charge * (1.0 if light_error is None else 1 - light_error) * 1e-12
    return Ramp(
        names=tuple(f"C0{amp}" for amp in range(n_amps)),
        exposures=np.arange(n) * 2 + 2024_00001,
        exposure_time_s=time_s,
        signal_adu=signal,
        is_used=np.ones((n_amps, n), np.bool_),
        gain_e_per_adu=GAINS[:n_amps],
        noise_e=np.full(n_amps, 5.0),
        ptc_turnoff_adu=KNEE[:n_amps] * 0.98,
        photo_charge=np.tile(light, (n_amps, 1)),
        mjd=60_000 + np.arange(n) / 1440,
    )


def residual_nonlinearity(linearizer, amp: int, turnoff_adu: float) -> float:
    """Largest departure from a straight line through zero, from 1000 adu to the turnoff."""
    true_adu = np.geomspace(1000, turnoff_adu / 0.98, 400)
    signal = measured(true_adu, amp)
    inside = signal <= turnoff_adu
    table = linearizer.table_of(f"C0{amp}")
    corrected = apply_linearity(signal.astype(np.float32), table).astype(np.float64)
    ratio = (corrected / true_adu)[inside]
    return float(np.abs(ratio / np.median(ratio) - 1).max())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["Spline", "DoubleSpline", "LookupTable"])
def test_what_is_left_is_below_a_tenth_of_a_per_cent(seed: int, kind: str) -> None:
    ramp = build_ramp(seed)
    found = solve_linearity(ramp, LinearityRule(kind=LinearityType(kind), n_pixels=N_PIXELS))
    for amp, row in enumerate(found.amplifiers):
        assert not row.reason
        # turnoff within one sampling step of 7 per cent
        assert 0.9 * KNEE[amp] < row.linearity_turnoff < 1.02 * KNEE[amp]
        assert residual_nonlinearity(found, amp, 0.95 * KNEE[amp]) < 1e-3
        assert row.residual_sigma < 5e-4
    if kind == "DoubleSpline":
        assert found.absolute_reference == "C01"


def test_without_a_linearizer_the_same_measure_fails() -> None:
    found = solve_linearity(build_ramp(0), LinearityRule(kind=LinearityType.PROPORTIONAL))
    assert residual_nonlinearity(found, 0, 0.95 * KNEE[0]) > 3e-3


@pytest.mark.parametrize("seed", range(3))
def test_polynomial_finds_its_coefficients(seed: int) -> None:
    ramp = build_ramp(seed)
    true_adu = np.geomspace(200, 80_000, 120)
    wanted = np.array([1.2e-7, -3e-13])
    signal = true_adu.copy()
    for _ in range(60):  # invert x + sum c x^(i+2) = true
        signal = true_adu - signal**2 * wanted[0] - signal**3 * wanted[1]
    error = signal_error(signal, gain_e_per_adu=1.5, noise_e=5.0, n_pixels=N_PIXELS)
    noisy = signal * (1 + error * np.random.default_rng(seed).standard_normal(120))
    ramp = replace(ramp, signal_adu=np.tile(noisy, (4, 1)), photo_charge=np.tile(true_adu, (4, 1)))
    ramp = replace(ramp, exposure_time_s=true_adu / 500, ptc_turnoff_adu=np.full(4, 9e4))
    rule = LinearityRule(kind=LinearityType.POLYNOMIAL, polynomial_order=3, n_pixels=N_PIXELS)
    row = solve_linearity(ramp, rule).amplifiers[0]
    # five sigma of the fit's own errors, which are a few 1e-9 and 1e-13
    assert np.all(np.abs(row.coefficients - wanted) < 5 * row.parameter_errors[:2])
    assert row.reduced_chi_squared == pytest.approx(1.0, abs=0.5)  # 3.8 sigma of chi2 with 115 degrees
    assert row.line[1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_spline_fit_is_as_good_as_scipy_with_a_numerical_jacobian(seed: int) -> None:
    ramp = build_ramp(seed, n=60)
    signal, light = ramp.signal_adu[0], ramp.light(0)
    used = signal < 85_000
    nodes = supported_nodes(spline_nodes(85_000.0, np.nan, NodeRule()), signal[used])
    fit = fit_spline(
        light,
        signal,
        np.zeros(60, np.int64),
        used,
        nodes,
        rule=FitRule(max_iter=1, has_offset=True),
        mean_zero_below_adu=85_000.0,
    )
    problem = SplineProblem(
        light=light[used],
        signal=signal[used],
        group=np.zeros(int(used.sum()), np.intp),
        drifts=(),
        weights=np.ones(int(used.sum())),
        nodes=nodes,
        has_offset=True,
        mean_zero_below_adu=85_000.0,
    )
    scale = np.concatenate((np.full(nodes.size - 1, 100.0), fit.slopes, [1.0]))
    peer = least_squares(
        lambda p: problem.residuals(p * scale),
        problem.start() / scale,
        method="lm",
        xtol=1e-14,
        ftol=1e-14,
        gtol=1e-14,
        max_nfev=200_000,
    )
    # as good as the peer: Akima's slopes have corners, about which solvers stop some 1e-3 of the cost apart
    assert float((problem.residuals(fit.parameters[1:]) ** 2).sum()) <= 2 * peer.cost * (1 + 5e-3)
    x = np.linspace(1000, 84_000, 200)
    own = x - nonlinearity_model("Spline", [*fit.nodes, *fit.values])(x)
    other = x - nonlinearity_model("Spline", [*nodes, *np.concatenate(([0.0], (peer.x * scale)[: nodes.size - 1]))])(x)
    # 1e-4 is what photon noise decides: the same curve
    np.testing.assert_allclose(own, other, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_jacobian_is_that_of_differences(seed: int) -> None:
    ramp = build_ramp(seed, n=40)
    rng = np.random.default_rng(seed)
    problem = SplineProblem(
        light=ramp.light(0),
        signal=ramp.signal_adu[0],
        group=(np.arange(40) % 2).astype(np.intp),
        drifts=(rng.normal(size=40),),
        weights=rng.uniform(1, 2, 40),
        nodes=np.array([0.0, 100, 5000, 20_000, 50_000, 110_000]),
        has_offset=True,
        mean_zero_below_adu=9e4,
    )
    p = problem.start()
    p[:5] = rng.normal(0, 50, 5)
    p[-2:] = 3.0, 1e-4
    found = problem.jacobian(p)
    for index in range(p.size):
        step = np.zeros(p.size)
        step[index] = max(abs(p[index]) * 1e-5, 1e-7)
        wanted = (problem.residuals(p + step) - problem.residuals(p - step)) / (2 * step[index])
        np.testing.assert_allclose(found[:, index], wanted, rtol=2e-3, atol=1e-5 * np.abs(wanted).max())


def test_polynomial_fit_is_that_of_scipy() -> None:
    ramp = build_ramp(1)
    signal, light = ramp.signal_adu[0], ramp.light(0)
    used = (signal > 500) & (signal < 80_000)
    fit = fit_polynomial(light, signal, np.zeros(120, np.int64), used, order=3, rule=FitRule(max_iter=1))

    def residuals(p: np.ndarray) -> np.ndarray:
        x = signal[used]
        return (p[0] * 1e16 * light[used] - p[1] * 1e-7 * x**2 - p[2] * 1e-13 * x**3) / x - 1

    peer = least_squares(residuals, [1.0, 0.0, 0.0], method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    np.testing.assert_allclose([fit.slopes[0], *fit.values], peer.x * [1e16, 1e-7, 1e-13], rtol=1e-6)


def test_groups_are_parted_by_brightness_and_saturation_makes_none() -> None:
    time_s = np.concatenate((np.linspace(1, 10, 30), np.linspace(1, 60, 40)))
    signal = np.where(np.arange(70) < 30, 4000.0, 800.0) * time_s
    signal = np.where(signal > 39_000, 39_000 + 0.2 * (signal - 39_000), signal)
    signal[5] = np.nan
    groups = illumination_groups(signal, time_s)
    assert groups[5] == -1
    low, high = groups[40], groups[10]
    assert low != high
    assert set(groups[np.arange(70) != 5]) == {low, high}
    assert (groups[30:60] == low).all()


def test_slopes_of_groups_take_up_a_step_of_the_lamp() -> None:
    ramp = build_ramp(0)
    light = ramp.light(0) * np.where(np.arange(120) % 2, 1.3, 1.0)
    ramp = replace(ramp, photo_charge=np.tile(light, (4, 1)))
    ramp = replace(ramp, exposure_time_s=ramp.exposure_time_s * np.where(np.arange(120) % 2, 1.3, 1.0))
    found = solve_linearity(ramp, LinearityRule(kind=LinearityType.SPLINE, n_pixels=N_PIXELS))
    assert set(found.amplifiers[0].input_group) == {0, 1}
    assert residual_nonlinearity(found, 0, 0.95 * KNEE[0]) < 1e-3


def test_end_of_linearity_and_largest_signal() -> None:
    light = np.linspace(1, 100, 100)
    signal = np.where(light < 80, light * 1000, 80_000 + 200 * (light - 80))
    groups, used = np.zeros(100, np.int64), np.ones(100, np.bool_)
    found = linearity_range(light, signal, groups, used, ptc_turnoff_adu=78_000.0)
    assert found.slopes[0] == pytest.approx(1000, rel=1e-3)
    assert 79_000 <= found.turnoff_adu <= 81_500
    assert 83_000 < found.max_signal_adu < 84_000


def test_nodes_follow_the_published_distances_and_the_number_allowed() -> None:
    nodes = spline_nodes(100_000.0, 90_000.0, NodeRule())
    assert nodes[:3].tolist() == [0.0, 100.0, pytest.approx(5000 / 7)]
    assert np.diff(nodes[nodes <= 90_000])[-1] == pytest.approx(5000)
    assert np.diff(nodes)[-1] == pytest.approx(2000)
    assert nodes[-1] == 100_000
    assert (np.diff(nodes) > 0).all()


def test_nodes_that_no_exposure_decides_are_left_out() -> None:
    nodes, signal = np.arange(0.0, 101.0, 10.0), np.array([12.0, 13, 14, 31, 32, 55, 57, 81, 82, 99])
    kept = supported_nodes(nodes, signal)
    assert kept[[0, -1]].tolist() == [0, 100]
    assert np.histogram(signal, kept)[0].min() >= 2
    np.testing.assert_array_equal(supported_nodes(nodes, np.linspace(0, 100, 50)), nodes)


@pytest.mark.parametrize("what", ["offset", "temporal", "temperature"])
def test_upstream_defect_16_a_change_with_temperature_can_be_fitted_as_one_with_time(what: str) -> None:
    ramp = build_ramp(3)
    rng = np.random.default_rng(3)
    order = rng.permutation(120)  # light and time are not the same thing
    days, kelvin = order / 1440, rng.normal(0, 2, 120)
    signal = ramp.signal_adu.copy()
    if what == "offset":
        signal += 12.0
    if what == "temporal":
        signal /= 1 + 0.02 * (days - np.median(days))
    if what == "temperature":
        signal /= 1 + 2e-4 * (kelvin - np.median(kelvin))
    ramp = replace(ramp, signal_adu=signal, mjd=60_000 + days, temperature=kelvin)
    rule = FitRule(has_offset=what == "offset", has_temporal=what == "temporal", has_temperature=what == "temperature")
    found = solve_linearity(ramp, LinearityRule(kind=LinearityType.SPLINE, fit=rule, n_pixels=N_PIXELS))
    row = found.amplifiers[0]
    wanted = {"offset": 12.0, "temporal": 0.02, "temperature": 2e-4}[what]
    # five of the fit's own sigmas, and what the nodes leave of the bump for the offset
    assert row.parameters[-1] == pytest.approx(wanted, abs=5 * row.parameter_errors[-1] + 0.05 * wanted)
    assert residual_nonlinearity(found, 0, 0.95 * KNEE[0]) < 1e-3


def test_a_temperature_that_is_not_known_is_not_fitted() -> None:
    rule = LinearityRule(kind=LinearityType.SPLINE, fit=FitRule(has_temperature=True))
    with pytest.raises(NotEnoughDataError, match="temperature"):
        solve_linearity(build_ramp(0), rule)


def test_outliers_are_rejected() -> None:
    ramp = build_ramp(0)
    signal = ramp.signal_adu.copy()
    signal[:, [30, 50, 70]] *= 1.008
    found = solve_linearity(replace(ramp, signal_adu=signal), LinearityRule(kind=LinearityType.SPLINE, n_pixels=2e6))
    assert np.isnan(found.amplifiers[0].residuals[[30, 50, 70]]).all()
    assert np.isfinite(found.amplifiers[0].residuals_unmasked[[30, 50, 70]]).all()
    assert residual_nonlinearity(found, 0, 0.95 * KNEE[0]) < 1e-3


@pytest.mark.parametrize("kind", ["Spline", "DoubleSpline", "Polynomial"])
def test_dead_saturated_and_empty_amplifiers_have_nan_and_a_reason(kind: str) -> None:
    ramp = build_ramp(0)
    signal, gain = ramp.signal_adu.copy(), ramp.gain_e_per_adu.copy()
    signal[0] = 0.3  # dead
    signal[2] = 90_000.0  # saturated throughout: never proportional
    signal[3] = np.nan
    found = solve_linearity(
        replace(ramp, signal_adu=signal, gain_e_per_adu=gain), LinearityRule(kind=LinearityType(kind), n_pixels=2e6)
    )
    for amp in (0, 2, 3):
        row = found.amplifiers[amp]
        assert row.reason, amp
        assert np.isnan(row.coefficients).all()
        assert np.isnan(row.linearity_turnoff)
        assert found.table_of(row.name) is None
    assert not found.amplifiers[1].reason
    assert residual_nonlinearity(found, 1, 0.95 * KNEE[1]) < (1e-3 if kind != "Polynomial" else 5e-3)


def test_a_detector_without_any_good_amplifier_is_refused() -> None:
    ramp = build_ramp(0)
    with pytest.raises(NotEnoughDataError, match="C02: no exposure has a signal"):
        solve_linearity(replace(ramp, signal_adu=np.full((4, 120), np.nan)))


def test_reference_is_the_quiet_amplifier_with_the_largest_turnoff() -> None:
    ramp = replace(build_ramp(0), noise_e=np.array([5.0, 20.0, 5.0, 5.0]))
    assert reference_amplifier(ramp, np.array([1e4, 9e4, 8e4, np.nan])) == 2


@pytest.mark.parametrize("seed", range(3))
def test_normalization_over_detectors_finds_the_error_of_the_light(seed: int) -> None:
    n = 240  # five exposures and more between nodes, so that a spline cannot follow their errors
    truth = 2e-3 * np.random.default_rng(seed).standard_normal(n)
    known: dict[int, float] = {}
    rule = LinearityRule(kind=LinearityType.SPLINE, n_pixels=N_PIXELS, fit=FitRule(max_iter=3))
    spreads = []
    for _ in range(3):
        norm = None if not known else np.array(list(known.values()))
        found = {
            detector: solve_linearity(
                replace(
                    build_ramp(10 * seed + detector, n=n, light_error=truth, n_amps=2, is_dense=True),
                    normalization=norm,
                ),
                rule,
            )
            for detector in range(3)
        }
        spreads.append(found[0].amplifiers[0].residual_sigma)
        exposures, values = normalized_light(found, range(3), previous=known)
        known = dict(zip(exposures.tolist(), values.tolist(), strict=True))
    middle = slice(80, 190)  # where photon noise is below 1e-4 and the amplifiers are linear
    assert np.std((values * (1 - truth))[middle]) < 0.5 * np.std(truth[middle])
    # the spread of the residuals falls to that of photon noise
    assert spreads[0] > 1e-3
    assert spreads[-1] < 3e-4


@pytest.mark.parametrize("seed", range(3))
def test_correction_is_added_to_the_reading(seed: int) -> None:
    truth = np.zeros(120)
    truth[[60, 80, 95]] = 2e-3, -3e-3, 1.5e-3  # the reading is too small by this share
    ramps = [build_ramp(10 * seed + detector, light_error=truth) for detector in range(3)]
    rule = LinearityRule(kind=LinearityType.SPLINE, n_pixels=N_PIXELS, fit=FitRule(n_sigma=100.0))
    exposures, corrections = light_corrections([solve_linearity(ramp, rule) for ramp in ramps])
    np.testing.assert_array_equal(exposures, ramps[0].exposures)
    reading = ramps[0].photo_charge[0]
    for index in (60, 80, 95):
        added = (reading[index] + corrections[index]) / (reading[index] / (1 - truth[index])) - 1
        subtracted = (reading[index] - corrections[index]) / (reading[index] / (1 - truth[index])) - 1
        assert abs(added) < 0.5 * abs(truth[index])
        assert abs(subtracted) > abs(truth[index])
