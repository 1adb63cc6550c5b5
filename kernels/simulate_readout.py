"""The effects on one simulated frame: from expected light to the signals the converter sees."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Image
from kernels.crosstalk import add_crosstalk
from kernels.deferred_charge import CtiAmplifier, add_deferred_charge
from kernels.linearity import apply_linearity
from kernels.simulate_brighter_fatter import brighter_fatter_flat, draw_electrons
from kernels.simulate_conditions import FrameBefore, FrameConditions, FrameLight
from kernels.simulate_effects_truth import EffectsTruth
from kernels.simulate_light import light_gradient, source_light
from kernels.simulate_truth import DetectorLayout, DetectorTruth


def expected_light(truth: DetectorTruth, amp: int, light: FrameLight, effects: EffectsTruth) -> NDArray[np.float64]:
    """Return the charge that light is expected to free in one amplifier, (ny, nx) [electron].

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    amp : int
        Index of the amplifier.
    light : FrameLight
        What falls on it.
    effects : EffectsTruth
        Pattern and fringes.
    """
    expected = np.full(truth.layout.data_shape, light.illumination_e, dtype=np.float64)
    if not light.illumination_e and light.sources is None:
        return expected
    if any(light.gradient):
        expected *= light_gradient(truth.layout, amp, light.gradient)
    fringe = effects.effects.fringe_by_band.get(light.band, 0.0) if light.is_sky else 0.0
    if fringe and effects.fringe is not None:
        expected *= 1 + fringe * effects.fringe[amp]
    if light.sources is not None:
        expected += source_light(truth.layout, amp, light.sources)
    factor = effects.effects.prnu_by_band.get(light.band, 1.0)
    expected *= effects.pattern[amp] * (1 + (truth.response[amp] - 1) * np.float32(factor))
    return expected


def collected_charge(
    rng: np.random.Generator, expected_e: NDArray[np.float64], light: FrameLight, effects: EffectsTruth
) -> Image:
    """Draw the charge collected in one amplifier, (ny, nx) [electron].

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    expected_e : ndarray of shape (ny, nx), float64
        Expected charge [electron].
    light : FrameLight
        Tells whether pixels fill enough to repel charge.
    effects : EffectsTruth
        With the distortion matrix.
    """
    if not expected_e.any():
        return expected_e.astype(np.float32)
    is_lit = light.illumination_e > 0 or light.sources is not None
    shape = (expected_e.shape[0], expected_e.shape[1])
    if effects.distortion is None or not is_lit:
        return draw_electrons(rng, expected_e, shape).astype(np.float32)
    is_bright = light.sources is not None or light.illumination_e > effects.effects.brighter_fatter_above_e
    return brighter_fatter_flat(
        rng,
        expected_e,
        shape,
        effects.distortion,
        n_steps=effects.effects.brighter_fatter_steps if is_bright else 1,
    )


def released(
    truth: DetectorTruth, amp: int, conditions: FrameConditions, before: FrameBefore, effects: EffectsTruth
) -> NDArray[np.float64]:
    """Return the charge of the exposure before that is released while this one collects, (ny, nx) [electron]."""
    tau = effects.effects.persistence_s
    left = np.minimum(expected_light(truth, amp, before.light, effects), truth.full_well_e[amp])
    share = np.exp(-before.gap_s / tau) * -np.expm1(-conditions.dark_time_s / tau)
    charge: NDArray[np.float64] = effects.effects.persistence * share * left
    return charge


def read_out(layout: DetectorLayout, charges: Iterator[Image], effects: EffectsTruth) -> Iterator[Image]:
    """Read charges out: late charge in the overscans, then crosstalk between amplifiers read at the same time.

    Parameters
    ----------
    layout : DetectorLayout
        Geometry.
    charges : iterator of ndarray of shape (ny, nx), float32
        Charge held by each amplifier [electron].
    effects : EffectsTruth
        Inefficiencies and coefficients.

    Yields
    ------
    ndarray of shape (raw_ny, raw_nx), float32
        Signal of each raw pixel [electron].
    """
    signals = (_read_amplifier(layout, charge, amp, effects) for amp, charge in enumerate(charges))
    if effects.crosstalk is None:
        yield from signals
        return
    together = np.empty((layout.n_amps, *layout.raw_shape), dtype=np.float32)
    for amp, signal in enumerate(signals):
        together[amp] = signal
    yield from add_crosstalk(together, effects.crosstalk, effects.crosstalk_quadratic, out=together)


def distorted(signal_adu: Image, amp: int, effects: EffectsTruth) -> Image:
    """Return a linear signal as the amplifier's nonlinear electronics give it [adu].

    Parameters
    ----------
    signal_adu : ndarray of shape (raw_ny, raw_nx), float32
        Signal above bias; changed in place [adu].
    amp : int
        Index of the amplifier.
    effects : EffectsTruth
        With S(x).
    """
    table = effects.distortion_tables[amp] if effects.distortion_tables else None
    return signal_adu if table is None else apply_linearity(signal_adu, table, out=signal_adu)


def _read_amplifier(layout: DetectorLayout, charge: Image, amp: int, effects: EffectsTruth) -> Image:
    """Set the charge of one amplifier into its raw frame, what comes late into its overscans."""
    ny, nx = layout.data_shape
    raw_ny, raw_nx = layout.raw_shape
    n_rows, n_columns = raw_ny - layout.data_y0 - ny, raw_nx - layout.data_x0 - nx
    if effects.effects.parallel_cti:
        slow = CtiAmplifier(global_cti=effects.effects.parallel_cti)
        charge = add_deferred_charge(charge.T, slow, n_prescan=layout.data_y0, n_overscan=n_rows).T
    if effects.cti is not None:
        charge = add_deferred_charge(charge, effects.cti[amp], n_prescan=layout.data_x0, n_overscan=n_columns)
    signal = np.zeros(layout.raw_shape, dtype=np.float32)
    signal[layout.data_y0 : layout.data_y0 + len(charge), layout.data_x0 : layout.data_x0 + charge.shape[1]] = charge
    return signal
