"""Deferred charge: the forward model against a readout step by step, the figures of the field, and the inverse."""

import numpy as np
import pytest

from kernels.deferred_charge import CtiAmplifier, SerialTrap, TrapType, add_deferred_charge, correct_deferred_charge
from kernels.errors import KernelError

TRAP = SerialTrap(coefficients=(0.0, 1000.0, 20_000.0, 200_000.0, 0.0, 8.0, 12.0, 20.0))


def eper(signals: np.ndarray, *, n_transfers: int, level_e: float) -> float:
    return float((signals[:, 0] + signals[:, 1]).mean(dtype=np.float64) / (n_transfers * level_e))


def read_step_by_step(row: np.ndarray, cti: float, n_prescan: int, n_overscan: int) -> np.ndarray:
    """Shift a register one cell at a time; each shift leaves a share of every cell behind."""
    register = np.concatenate((np.zeros(n_prescan), row, np.zeros(n_overscan)))
    read = []
    for _ in range(n_prescan + row.size + n_overscan):
        moved = register * (1 - cti)
        left = register * cti
        read.append(moved[0])
        register = np.append(moved[1:], 0.0) + left
    return np.array(read[n_prescan:])


@pytest.mark.parametrize("seed", range(3))
def test_transfers_are_those_of_a_register_shifted_cell_by_cell(seed: int) -> None:
    row = np.random.default_rng(seed).uniform(0, 90_000, 60)
    found = add_deferred_charge(row[None].astype(np.float32), CtiAmplifier(global_cti=1e-4), n_prescan=3, n_overscan=8)
    # what four columns leave out is (60 x 1e-4)^4/24 of 9e4 e = 5e-6 e; float32 holds 9e4 e to 0.008
    np.testing.assert_allclose(found[0], read_step_by_step(row, 1e-4, 3, 8), atol=0.01)


def test_uniform_light_shows_the_published_trail() -> None:
    level, n = 50_000.0, 515
    rows = np.full((2, 512), level, np.float32)
    read = add_deferred_charge(rows, CtiAmplifier(global_cti=3e-6), n_prescan=3, n_overscan=16)
    assert read[0, 512] == pytest.approx(77.2, abs=0.05)
    assert eper(read[:, 512:], n_transfers=n, level_e=level) == pytest.approx(2.9999988e-6, abs=2e-13)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("trap", [None, TRAP])
def test_eper_of_three_millionths_falls_below_a_tenth_of_that(seed: int, trap: SerialTrap | None) -> None:
    level, rng = 50_000.0, np.random.default_rng(seed)
    charge = rng.poisson(level, (400, 512)).astype(np.float32)
    amplifier = CtiAmplifier(global_cti=3e-6, drift_scale=2e-4, decay_time=2.4, trap=trap)
    read = add_deferred_charge(charge, amplifier, n_prescan=3, n_overscan=16)
    read += rng.normal(0, 5.4, read.shape).astype(np.float32)
    corrected = correct_deferred_charge(read, amplifier, n_prescan=3)
    assert eper(read[:, 512:], n_transfers=515, level_e=level) > 3e-6
    # the noise of two columns of 400 rows is 0.4 e of 2.6e7: 1.5e-8
    assert abs(eper(corrected[:, 512:], n_transfers=515, level_e=level)) < 5e-8
    # half an electron of 5e4: what the memory, read instead of true, and a trap that is never empty leave
    assert abs(float((corrected[:, :512] - charge).mean(dtype=np.float64))) < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_a_scene_comes_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = rng.uniform(50, 2000, (30, 200)).astype(np.float32)
    scene[:, ::17] += 60_000
    amplifier = CtiAmplifier(global_cti=5e-6, drift_scale=2e-4)
    read = add_deferred_charge(scene, amplifier, n_prescan=10)
    # 15 columns back a memory of 12 e is 0.02 e
    np.testing.assert_allclose(correct_deferred_charge(read, amplifier, n_prescan=10), scene, atol=0.05)


@pytest.mark.parametrize("kind", [(TrapType.LINEAR, (1e-3,)), (TrapType.LOGISTIC, (5e4, 1e-4))])
def test_a_trap_never_takes_more_than_passes_or_it_holds(kind: tuple[TrapType, tuple[float, ...]]) -> None:
    trap = SerialTrap(kind=kind[0], coefficients=kind[1], size_e=30.0)
    charge = np.array([-5.0, 0.0, 1e-3, 10.0, 1e5])
    taken = trap.captured(charge)
    assert (taken >= 0).all()
    assert (taken <= np.clip(charge, 0, 30)).all()


def test_charge_is_neither_made_nor_lost() -> None:
    rng = np.random.default_rng(5)
    scene = np.pad(rng.uniform(0, 9e4, (5, 100)), ((0, 0), (0, 30))).astype(np.float32)
    read = add_deferred_charge(scene, CtiAmplifier(global_cti=5e-6, trap=TRAP), n_prescan=3, n_overscan=5)
    np.testing.assert_allclose(read.sum(axis=1, dtype=np.float64), scene.sum(axis=1, dtype=np.float64), rtol=1e-7)


def test_bands_views_and_in_place_give_the_same() -> None:
    image = np.random.default_rng(0).uniform(0, 99_000, (300, 320)).astype(np.float32)
    amplifier = CtiAmplifier(global_cti=3e-6, drift_scale=2e-4, trap=TRAP)
    whole = correct_deferred_charge(image, amplifier, n_prescan=3)
    parts = [correct_deferred_charge(image[y : y + 7], amplifier, n_prescan=3) for y in range(0, 300, 7)]
    np.testing.assert_array_equal(np.vstack(parts), whole)
    np.testing.assert_array_equal(correct_deferred_charge(image[:, :200], amplifier, n_prescan=3), whole[:, :200])
    np.testing.assert_array_equal(correct_deferred_charge(image, amplifier, n_prescan=3, out=image), whole)


def test_nan_stays_and_spoils_no_neighbour() -> None:
    image = np.full((2, 40), 1000.0, np.float32)
    image[0, 10] = np.nan
    found = correct_deferred_charge(image, CtiAmplifier(global_cti=3e-6, drift_scale=2e-4), n_prescan=3)
    assert np.isnan(found[0, 10])
    assert np.isfinite(np.delete(found[0], 10)).all()


def test_an_ideal_amplifier_changes_nothing() -> None:
    image = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    np.testing.assert_array_equal(correct_deferred_charge(image, CtiAmplifier(), n_prescan=3), image)


@pytest.mark.parametrize("wrong", [{"drift_scale": -1.0}, {"decay_time": 0.0}, {"global_cti": float("nan")}])
def test_meaningless_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(KernelError):
        CtiAmplifier(**wrong)
