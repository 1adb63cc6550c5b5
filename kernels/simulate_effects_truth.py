"""What the effects are on one simulated detector, drawn once from a seed of their own."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Cube, Vector
from kernels.deferred_charge import CtiAmplifier
from kernels.linearity import LinearityTable
from kernels.simulate_brighter_fatter import distortion_matrix
from kernels.simulate_effects import SimulatedEffects
from kernels.simulate_light import FocalPlace, detector_size, fringe_pattern, illumination_pattern
from kernels.simulate_truth import DetectorLayout

_EFFECTS_STREAM: Final = 3
N_GAIN_EPOCHS: Final = 8
COLD_LIMIT: Final = 0.85
COLD_COLUMN_RESPONSE: Final = 0.5
BLINKING_RESPONSE: Final = 0.3
BLINKING_BAD_PX: Final = 3
BLINKING_PERIOD_PX: Final = 5
_NONLINEARITY_STEP_ADU: Final = 8.0
_NONLINEARITY_START_ADU: Final = -1_024.0
_NONLINEARITY_END: Final = 1.3
"""Greatest signal of the tables, in full wells."""
_NONLINEARITY_ERROR_ADU: Final = 0.001
_TURNOFF_BEGINS: Final = 0.8
DEFECT_KINDS: Final = ("", "hot pixel", "cold pixel", "hot column", "cold column", "blinking column", "midline")
"""What the numbers of `EffectsTruth.defect_kind` mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectsTruth:
    """Everything the effects inject into the frames of one detector."""

    effects: SimulatedEffects
    pattern: Cube
    """Light and response relative to even light, (n_amp, ny, nx): vignetting, dust, rings, midline, cold pixels [1]."""
    fringe: Cube | None
    """Fringes of amplitude 1, (n_amp, ny, nx)."""
    extra_dark_e_per_s: Cube
    """Hot columns and glow, (n_amp, ny, nx) [electron/s]."""
    defect_kind: NDArray[np.uint8]
    """Index into `DEFECT_KINDS`, (n_amp, ny, nx); hot pixels of the detector itself are not among them."""
    distortion: NDArray[np.float64] | None
    """Brighter-fatter matrix of the plane, [y lag, x lag] [1/electron]."""
    cti: tuple[CtiAmplifier, ...] | None
    """Of each amplifier."""
    crosstalk: NDArray[np.float64] | None
    """[source, target] [electron/electron]."""
    crosstalk_quadratic: NDArray[np.float64] | None
    """[source, target] [1/electron]."""
    low_bump: Vector
    """Greatest S(x)/x of each amplifier at low signals [1]."""
    quadratic_per_adu: Vector
    """Quadratic part of S(x) [1/adu]."""
    turnoff_adu: Vector
    """Signal of the full well [adu]."""
    turnoff_part: Vector
    """Further S(x)/x at the full well [1]."""
    gain_epochs: NDArray[np.float64]
    """Gains relative to the first epoch, (epoch, n_amp) [1]."""
    distortion_tables: tuple[LinearityTable | None, ...] = ()
    """What takes the linear signals of each amplifier to the measured ones, when subtracted."""

    def nonlinearity_adu(self, amp: int, measured_adu: NDArray[np.floating]) -> Vector:
        """Return S(x), the signal too much at a measured signal x: what a perfect linearizer subtracts.

        Parameters
        ----------
        amp : int
            Index of the amplifier.
        measured_adu : ndarray
            Signal above bias [adu].

        Notes
        -----
        A linear part of S cannot be told from the gain; a measured one may differ by it.
        """
        x = np.maximum(np.asarray(measured_adu, dtype=np.float64), 0.0)
        low = x / self.effects.nonlinearity_low_adu
        shape = self.low_bump[amp] * low * np.exp(1 - low) + self.quadratic_per_adu[amp] * x
        begin, end = _TURNOFF_BEGINS * self.turnoff_adu[amp], self.turnoff_adu[amp]
        past = np.clip((x - begin) / (end - begin), 0.0, None)
        # Straight on past the full well, so that no signal is ambiguous.
        shape = shape + self.turnoff_part[amp] * np.where(past > 1, 2 * past - 1, past**2)
        signal: Vector = x * shape
        return signal

    def band_response(self, response: Cube, band: str) -> Cube:
        """Return the relative response of the pixels to even light of a band, (n_amp, ny, nx) [1].

        Parameters
        ----------
        response : ndarray of shape (n_amp, ny, nx), float32
            Of the pixels without effects, mean 1.
        band : str
            Name such as ``r``.
        """
        factor = np.float32(self.effects.prnu_by_band.get(band, 1.0))
        shown: Cube = self.pattern * (1 + (response - 1) * factor)
        return shown

    def gain_factor(self, epoch: int, warmer_k: float) -> Vector:
        """Return the gains relative to the first epoch at nominal temperature, (n_amp,) [1]."""
        factor: Vector = self.gain_epochs[epoch % N_GAIN_EPOCHS] * (1 + self.effects.gain_per_k * warmer_k)
        return factor


def effects_truth(
    seed: int,
    detector: int,
    layout: DetectorLayout,
    effects: SimulatedEffects,
    *,
    gain_e_per_adu: Vector,
    full_well_e: Vector,
    place: FocalPlace | None = None,
) -> EffectsTruth:
    """Draw what the effects are on one detector.

    Parameters
    ----------
    seed : int
        Seed of the simulation.
    detector : int
        Detector number; the detector's own truth has another stream, so that effects do not change it.
    layout : DetectorLayout
        Geometry.
    effects : SimulatedEffects
        Strengths.
    gain_e_per_adu, full_well_e : ndarray of shape (n_amp,), float64
        True values [electron/adu], [electron].
    place : FocalPlace, optional
        Where the detector lies; in the middle by default.

    Returns
    -------
    EffectsTruth
        The same for every call.
    """
    rng = np.random.default_rng([seed, detector, _EFFECTS_STREAM])
    n_amps = layout.n_amps
    pattern = illumination_pattern(rng, layout, effects, place or FocalPlace())
    fringe = fringe_pattern(rng, layout) if effects.fringe_by_band else None
    kind = np.zeros(pattern.shape, dtype=np.uint8)
    if effects.midline_dip:
        middle = detector_size(layout)[0] // 2
        for amp in range(n_amps):
            rows, _ = layout.detector_rows_columns(amp)
            kind[amp][(rows == middle) | (rows == middle - 1)] = DEFECT_KINDS.index("midline")
    n_columns = effects.cold_columns + effects.blinking_columns + effects.hot_columns
    columns = rng.choice(n_amps * layout.data_shape[1], size=n_columns, replace=False)
    _plant_cold(rng, pattern, kind, effects, columns[: n_columns - effects.hot_columns])
    extra_dark = _extra_dark(rng, kind, effects, columns[n_columns - effects.hot_columns :])
    crosstalk, quadratic = _crosstalk(rng, n_amps, effects)
    spread = 1 + 0.2 * rng.uniform(-1, 1, size=(2, n_amps))
    truth = EffectsTruth(
        effects=effects,
        pattern=pattern,
        fringe=fringe,
        extra_dark_e_per_s=extra_dark,
        defect_kind=kind,
        distortion=distortion_matrix(effects.a00, effects.a01, effects.a10) if effects.a00 else None,
        cti=_cti(rng, n_amps, effects),
        crosstalk=crosstalk,
        crosstalk_quadratic=quadratic,
        low_bump=effects.nonlinearity_low * spread[0],
        quadratic_per_adu=effects.nonlinearity_per_e * spread[1] * gain_e_per_adu,
        turnoff_adu=full_well_e / gain_e_per_adu,
        turnoff_part=np.full(n_amps, effects.nonlinearity_turnoff),
        gain_epochs=_gain_epochs(rng, n_amps, effects),
    )
    return replace(truth, distortion_tables=tuple(_distortion_table(truth, amp) for amp in range(n_amps)))


def _distortion_table(truth: EffectsTruth, amp: int) -> LinearityTable | None:
    """Invert x - S(x) on a fine grid; None where there is nothing to distort."""
    if not (truth.low_bump[amp] or truth.quadratic_per_adu[amp] or truth.turnoff_part[amp]):
        return None
    end = _NONLINEARITY_END * float(truth.turnoff_adu[amp])
    measured = np.arange(_NONLINEARITY_START_ADU, end, _NONLINEARITY_STEP_ADU)
    linear = measured - truth.nonlinearity_adu(amp, measured)
    wanted = np.arange(_NONLINEARITY_START_ADU, linear[-1], _NONLINEARITY_STEP_ADU)
    return LinearityTable(
        start=float(wanted[0]),
        step=_NONLINEARITY_STEP_ADU,
        values=wanted - np.interp(wanted, linear, measured),
        error=_NONLINEARITY_ERROR_ADU,
    )


def _plant_cold(
    rng: np.random.Generator,
    pattern: Cube,
    kind: NDArray[np.uint8],
    effects: SimulatedEffects,
    columns: NDArray[np.int64],
) -> None:
    """Take light from pixels and columns, and mark them."""
    _, ny, nx = pattern.shape
    n_cold = int(rng.binomial(pattern.size, effects.cold_fraction))
    cold = rng.choice(pattern.size, size=n_cold, replace=False)
    pattern.reshape(-1)[cold] *= rng.uniform(0.0, COLD_LIMIT, size=n_cold).astype(np.float32)
    kind.reshape(-1)[cold] = DEFECT_KINDS.index("cold pixel")
    for amp, column in zip(*np.divmod(columns[: effects.cold_columns], nx), strict=True):
        pattern[amp, :, column] *= np.float32(COLD_COLUMN_RESPONSE)
        kind[amp, :, column] = DEFECT_KINDS.index("cold column")
    is_bad = np.arange(ny) % BLINKING_PERIOD_PX < BLINKING_BAD_PX
    for amp, column in zip(*np.divmod(columns[effects.cold_columns :], nx), strict=True):
        pattern[amp, is_bad, column] *= np.float32(BLINKING_RESPONSE)
        kind[amp, is_bad, column] = DEFECT_KINDS.index("blinking column")


def _extra_dark(
    rng: np.random.Generator, kind: NDArray[np.uint8], effects: SimulatedEffects, columns: NDArray[np.int64]
) -> Cube:
    """Draw hot columns, which are marked, and a glow, which is not: it is smooth and taken off as dark current."""
    n_amps, ny, nx = kind.shape
    rate = np.zeros(kind.shape, dtype=np.float32)
    for amp, column in zip(*np.divmod(columns, nx), strict=True):
        rate[amp, :, column] += np.float32(effects.hot_column_rate_e_per_s)
        kind[amp, :, column] = DEFECT_KINDS.index("hot column")
    if effects.amp_glow_e_per_s:
        distance = np.hypot(np.arange(ny)[:, None], np.arange(nx)[None, :])
        glow = effects.amp_glow_e_per_s * np.exp(-distance / effects.amp_glow_scale_px)
        rate[int(rng.integers(n_amps))] += glow.astype(np.float32)
    return rate


def _cti(rng: np.random.Generator, n_amps: int, effects: SimulatedEffects) -> tuple[CtiAmplifier, ...] | None:
    low, high = effects.cti_range
    if not (high or effects.drift_scale):
        return None
    inefficiency = np.exp(rng.uniform(np.log(low), np.log(high), size=n_amps)) if low else np.full(n_amps, high)
    drift = effects.drift_scale * (1 + 0.2 * rng.uniform(-1, 1, size=n_amps))
    decay = effects.drift_decay_px * (1 + 0.05 * rng.uniform(-1, 1, size=n_amps))
    return tuple(
        CtiAmplifier(drift_scale=float(drift[amp]), decay_time=float(decay[amp]), global_cti=float(inefficiency[amp]))
        for amp in range(n_amps)
    )


def _crosstalk(
    rng: np.random.Generator, n_amps: int, effects: SimulatedEffects
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Draw coefficients that fall with the distance of the channels, within 20 % of their nominal values."""
    if not (effects.crosstalk_adjacent or effects.crosstalk_next or effects.crosstalk_far):
        return None, None
    channel = np.arange(n_amps)
    distance = np.abs(channel[:, None] - channel[None, :])
    nominal = np.select(
        [distance == 0, distance == 1, distance == 2],
        [0.0, effects.crosstalk_adjacent, effects.crosstalk_next],
        effects.crosstalk_far,
    )
    coefficients = nominal * (1 + 0.2 * rng.uniform(-1, 1, size=nominal.shape))
    if not effects.crosstalk_quadratic_per_e:
        return coefficients, None
    return coefficients, np.where(distance == 1, effects.crosstalk_quadratic_per_e, 0.0)


def _gain_epochs(rng: np.random.Generator, n_amps: int, effects: SimulatedEffects) -> NDArray[np.float64]:
    """Draw the gains after each restart; a step is from the first epoch on, so that it does not add up."""
    epochs = 1 + effects.gain_step + effects.gain_step_scatter * rng.standard_normal((N_GAIN_EPOCHS, n_amps))
    epochs[0] = 1.0
    return epochs
