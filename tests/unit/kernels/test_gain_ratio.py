"""Gains made to agree between amplifiers: injected errors come back, whatever the light looks like."""

import numpy as np
import pytest

from kernels.errors import KernelError, NotEnoughDataError
from kernels.gain_ratio import BinnedFlat, GainRatioRule, adjusted_gains, amplifier_ratios, reference_amplifier

N_X, N_Y, SIDE = 8, 2, 20
N_AMPS = N_X * N_Y


def flat(
    rng: np.random.Generator,
    errors: np.ndarray,
    *,
    slope: tuple[float, float] = (0.08, -0.05),
    fall: float = 0.0,
    noise: float = 2e-3,
) -> BinnedFlat:
    """Sixteen amplifiers of 20 x 20 bins; `fall` is the loss of light at the largest radius."""
    y, x = np.mgrid[: N_Y * SIDE, : N_X * SIDE] + 0.5
    amplifier = (y // SIDE).astype(int) * N_X + (x // SIDE).astype(int)
    radius = np.hypot(x / 10 + 30, y / 10 + 10)
    light = 1 + slope[0] * (x / x.max() - 0.5) + slope[1] * (y / y.max() - 0.5)
    light = light * (1 - fall * ((radius - radius.min()) / np.ptp(radius)) ** 3)
    values = 1e4 * light * errors[amplifier] * (1 + noise * rng.standard_normal(x.shape))
    return BinnedFlat(
        values=values.ravel(),
        amplifier=amplifier.ravel(),
        x_px=x.ravel() * 8,
        y_px=y.ravel() * 8,
        radius=radius.ravel() if fall else None,
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("fall", [0.0, 0.06])
def test_injected_gain_errors_come_back(seed: int, fall: float) -> None:
    rng = np.random.default_rng(seed)
    errors = 1 + 0.01 * rng.standard_normal(N_AMPS)
    rule = GainRatioRule(n_radial=8 if fall else 0)
    ratios = np.array(
        [amplifier_ratios(flat(rng, errors, fall=fall), n_amps=16, reference=5, rule=rule) for _ in range(10)]
    )
    true_gains = np.full(N_AMPS, 1.5)
    gains, corrections = adjusted_gains(ratios, true_gains * errors)
    relative = gains / true_gains
    relative /= np.median(relative)
    # 400 bins of 0.2 %: 1e-4 a flat; the light's slope across the detector is known from 20 bins an amplifier to a few
    # 1e-4 and is shared by all: 1e-3 in all, a tenth of what was injected
    np.testing.assert_allclose(relative, 1, atol=1.0e-3 if not fall else 2.5e-3)
    np.testing.assert_allclose(corrections, errors / np.median(errors), atol=2e-3 if not fall else 4e-3)


def test_an_amplifier_far_off_takes_no_part_and_keeps_its_gain() -> None:
    rng = np.random.default_rng(4)
    errors = 1 + 0.005 * rng.standard_normal(N_AMPS)
    errors[3] = 1.12
    made = flat(rng, errors)
    ratios = amplifier_ratios(made, n_amps=16, reference=0, rule=GainRatioRule(n_radial=0))
    assert np.isnan(ratios[3])
    assert np.isfinite(np.delete(ratios, 3)).all()
    np.testing.assert_allclose(np.delete(ratios, 3), np.delete(errors / errors[0], 3), atol=2e-3)
    gains, corrections = adjusted_gains(ratios[None], np.full(16, 1.4))
    assert gains[3] == 1.4
    assert corrections[3] == 1.0


def test_amplifiers_without_gain_stay_without() -> None:
    gains = np.array([1.5, np.nan, 1.6])
    adjusted, _ = adjusted_gains(np.array([[1.0, np.nan, 1.02]]), gains)
    assert np.isnan(adjusted[1])
    assert adjusted[2] < 1.6
    same, corrections = adjusted_gains(np.empty((0, 3)), gains)
    np.testing.assert_array_equal(same, gains)
    assert corrections.tolist() == [1, 1, 1]


def test_the_reference_has_the_median_gain_of_the_quiet_and_deep() -> None:
    gains = np.array([1.4, 1.5, 1.45, 9.0, np.nan])
    noises = np.array([5.0, 5.0, 5.0, 30.0, np.nan])
    turnoffs = np.array([9e4, 9e4, 2e4, 9e4, np.nan])
    assert reference_amplifier(gains, noises, turnoffs) == 0
    assert reference_amplifier(gains, noises, np.full(5, np.nan)) == 2
    with pytest.raises(NotEnoughDataError):
        reference_amplifier(np.full(2, np.nan), noises[:2], turnoffs[:2])


def test_a_flat_without_light_or_reference_is_refused() -> None:
    made = flat(np.random.default_rng(5), np.ones(N_AMPS))
    dark = BinnedFlat(values=-made.values, amplifier=made.amplifier, x_px=made.x_px, y_px=made.y_px)
    with pytest.raises(NotEnoughDataError):
        amplifier_ratios(dark, n_amps=16, reference=0)
    with pytest.raises(KernelError, match="reference"):
        amplifier_ratios(made, n_amps=17, reference=16, rule=GainRatioRule(n_radial=0))
