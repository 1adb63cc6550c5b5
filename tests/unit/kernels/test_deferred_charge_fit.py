"""Deferred charge of simulated flats: trails, turnoffs, memory, transfers and trap come out as they went in."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from kernels.deferred_charge import CtiAmplifier, SerialTrap, add_deferred_charge, correct_deferred_charge
from kernels.deferred_charge_fit import (
    TrailStatistics,
    eper,
    fit_drift,
    measure_cti,
    trail_statistics,
    trail_turnoff,
)

N_COLUMNS, N_PRESCAN, N_ROWS, N_OVERSCAN = 509, 3, 300, 20
LEVELS = np.concatenate((np.geomspace(500, 9500, 12), np.linspace(2e4, 1.3e5, 12)))


def flat(rng: np.random.Generator, level: float, model: CtiAmplifier, *, corrected_by: CtiAmplifier | None = None):
    charge = rng.poisson(level, (N_ROWS, N_COLUMNS)).astype(np.float32)
    read = add_deferred_charge(charge, model, n_prescan=N_PRESCAN, n_overscan=N_OVERSCAN)
    read += rng.normal(0, 5.4, read.shape).astype(np.float32)
    if corrected_by is not None:
        read = correct_deferred_charge(read, corrected_by, n_prescan=N_PRESCAN)
    parallel = rng.normal(0, 5.4, (16, N_COLUMNS)).astype(np.float32)
    parallel[0] += np.float32(level * N_ROWS * 2e-6)
    return trail_statistics(read[:, :N_COLUMNS], read[:, N_COLUMNS:], parallel)


def measure(seed: int, model: CtiAmplifier, *, levels: np.ndarray = LEVELS, has_trap: bool = True):
    rng = np.random.default_rng(seed)
    flats = [flat(rng, level, model) for level in levels]
    return flats, measure_cti(
        "C00", flats, n_columns=N_COLUMNS, n_prescan=N_PRESCAN, n_rows=N_ROWS, gain_e_per_adu=1.5, has_trap=has_trap
    )


@pytest.mark.parametrize("seed", range(3))
def test_memory_and_transfers_come_out_as_they_went_in(seed: int) -> None:
    truth = CtiAmplifier(drift_scale=2e-4, decay_time=2.4, global_cti=3e-6)
    _, found = measure(seed, truth)
    assert not found.reason
    # read noise of a column mean is 0.3 e, the memory leaves 7 e in the third column of the brightest flat; scale and
    # time trade off against each other, about 4 per cent each: four sigma
    assert found.model.drift_scale == pytest.approx(2e-4, rel=0.16)
    assert found.model.decay_time == pytest.approx(2.4, rel=0.16)
    # 3e-6 leaves 14 e at 9500 e, and 12 flats: five sigma of 0.3 e / sqrt(12) over 40 e in all
    assert found.model.global_cti == pytest.approx(3e-6, rel=0.03)
    assert found.model.trap is None
    assert found.input_gain == 1.5
    np.testing.assert_allclose(found.signals, LEVELS, rtol=0.01)
    # with the memory of the amplifier on top
    assert (found.serial_eper[-8:] > 3e-6).all()
    assert np.median(found.parallel_eper) == pytest.approx(2e-6, rel=0.05)
    rng = np.random.default_rng(100 + seed)
    before, after = flat(rng, 5e4, truth), flat(rng, 5e4, truth, corrected_by=found.model)
    n = N_COLUMNS + N_PRESCAN
    assert eper(before.serial, before.image_mean, n) > 3e-6
    assert abs(eper(after.serial, after.image_mean, n)) < 3e-7


def test_eper_of_transfers_alone_is_three_millionths() -> None:
    read = add_deferred_charge(
        np.full((2, 512), 5e4, np.float32), CtiAmplifier(global_cti=3e-6), n_prescan=3, n_overscan=9
    )
    overscan = read[:, 512:].mean(axis=0, dtype=np.float64)
    assert eper(overscan, 5e4, 515) == pytest.approx(2.9999988e-6, abs=2e-13)


@pytest.mark.parametrize("seed", range(2))
def test_a_trap_is_found_and_taken_away(seed: int) -> None:
    trap = SerialTrap(coefficients=(0.0, 400.0, 2e5, 0.0, 12.0, 12.0))
    truth = CtiAmplifier(drift_scale=2e-4, decay_time=2.4, global_cti=1e-6, trap=trap)
    _, found = measure(seed, truth)
    assert found.model.trap is not None
    rng = np.random.default_rng(100 + seed)
    n = N_COLUMNS + N_PRESCAN
    for level in (2000.0, 8000.0, 5e4):
        before, after = flat(rng, level, truth), flat(rng, level, truth, corrected_by=found.model)
        # of 12 e and the transfers at most 3 e stay: 1.4 e is the noise of the 20 columns a trap is read from
        assert abs(after.serial[:2].sum()) < 3.0 < before.serial[:2].sum()
        if level > 4e4:
            assert abs(eper(after.serial, after.image_mean, n)) < 3e-7
    _, without = measure(seed, truth, has_trap=False)
    assert without.model.trap is None


def test_drift_is_that_of_scipy() -> None:
    flats, found = measure(4, CtiAmplifier(drift_scale=2e-4, decay_time=2.4, global_cti=1e-6))
    columns = np.arange(3, 14)
    used = sorted(flats, key=lambda one: one.image_mean)
    signals = np.repeat([one.last_column for one in used], columns.size)
    x = np.tile(columns, len(used))
    values = np.concatenate([one.serial[2:13] for one in used])

    def model(_: np.ndarray, scale: float, decay: float) -> np.ndarray:
        return signals * (scale * 1e-4 * np.exp(-x / decay) + 512e-6**x * 0)

    peer, _ = curve_fit(model, x, values, p0=(2.2, 2.4), xtol=1e-13, ftol=1e-13, gtol=1e-13)
    drift, decay = fit_drift(used, n_transfers=512)
    np.testing.assert_allclose([drift, decay], peer * [1e-4, 1.0], rtol=1e-6)
    assert found.model.drift_scale == drift


def test_turnoff_is_the_last_signal_of_one_law() -> None:
    signals = np.linspace(1e3, 1e5, 50)
    trails = np.where(signals < 8e4, 1e-6 + 1e-13 * signals, 1e-6 + 8e-9 + 5e-10 * (signals - 8e4))
    trails += 1e-9 * np.random.default_rng(0).standard_normal(50)
    found, error = trail_turnoff(signals, trails)
    # one sigma five times keeps about a tenth of noise-free slopes: the last kept lies some steps below the knee
    assert 5.5e4 < found < 8.4e4
    assert error == pytest.approx((signals[1] - signals[0]) / 2)


def test_trails_over_the_limit_take_no_part() -> None:
    signals = np.linspace(1e3, 1e5, 20)
    found, _ = trail_turnoff(signals, np.where(signals > 5e4, 2e-5, 1e-6))
    assert found <= 5e4
    assert all(np.isnan(trail_turnoff(signals, np.full(20, 1e-4))))


def test_upstream_defect_9_the_parallel_trail_is_that_of_the_parallel_overscan() -> None:
    imaging = np.full((40, 30), 1e4, np.float32)
    serial, parallel = np.full((40, 8), 7.0, np.float32), np.full((6, 30), 0.5, np.float32)
    found = trail_statistics(imaging, serial, parallel)
    assert found.parallel.tolist() == [0.5] * 6
    assert found.serial.tolist() == [7.0] * 8
    row = measure_cti("C00", [found] * 3, n_columns=30, n_prescan=3, n_rows=40)
    assert row.parallel_eper[0] == pytest.approx(1.0 / (40 * 1e4))
    assert row.serial_eper[0] == pytest.approx(14.0 / (33 * 1e4))


def test_outliers_and_missing_pixels_take_no_part() -> None:
    rng = np.random.default_rng(0)
    imaging = rng.normal(1e4, 100, (200, 30)).astype(np.float32)
    serial = rng.normal(10, 5, (200, 8)).astype(np.float32)
    serial[3, 0] = 60_000
    imaging[5, 5], imaging[7, -1] = np.nan, 1e6
    found = trail_statistics(imaging, serial, np.zeros((0, 30), np.float32))
    assert found.serial[0] == pytest.approx(10, abs=2)
    assert found.last_column == pytest.approx(1e4, abs=40)
    assert found.parallel.size == 0


@pytest.mark.parametrize("level", [0.0, np.nan])
def test_an_amplifier_without_signal_has_a_reason(level: float) -> None:
    empty = TrailStatistics(
        image_mean=level, first_column=level, last_column=level, serial=np.zeros(20), parallel=np.zeros(10)
    )
    found = measure_cti("C00", [empty] * 5, n_columns=30, n_prescan=3, n_rows=40)
    assert "0 of 5 exposures" in found.reason
    assert found.model is None


def test_flats_that_are_all_bright_have_a_reason() -> None:
    _, found = measure(0, CtiAmplifier(), levels=np.array([2e4, 3e4, 5e4]))
    assert "no exposure below 10000 e" in found.reason
    assert np.isfinite(found.serial_eper).all()
