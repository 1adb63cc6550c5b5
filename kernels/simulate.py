"""Simulated raw frames: charge, electronics and quantisation of one detector, with the truth kept.

The order is that of the camera: light and dark current, cosmic rays, photon noise, full wells, late charge, crosstalk,
gain and nonlinearity, bias and read noise, quantisation. Without `EffectsTruth` only the plain ones of these happen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import BoolImage, Cube, Image, Vector
from kernels.simulate_charge import (
    COSMIC_RAY_RATE_PER_PX_S,
    cosmic_ray_tracks,
    cosmic_ray_worms,
    spill_full_wells,
)
from kernels.simulate_conditions import BadExposure, FrameConditions, FrameLight
from kernels.simulate_effects_truth import EffectsTruth
from kernels.simulate_readout import collected_charge, distorted, expected_light, read_out, released
from kernels.simulate_truth import (
    ADC_MAX_16_BIT,
    ADC_MAX_18_BIT,
    DetectorLayout,
    DetectorTruth,
    FailingAmplifier,
    detector_truth,
    exposure_rng,
    truth_rng,
)

__all__ = [
    "ADC_MAX_16_BIT",
    "ADC_MAX_18_BIT",
    "COSMIC_RAY_RATE_PER_PX_S",
    "BadExposure",
    "DetectorLayout",
    "DetectorTruth",
    "FailingAmplifier",
    "FrameConditions",
    "FrameLight",
    "SimulatedFrame",
    "bias_frame",
    "dark_frame",
    "detector_truth",
    "exposure_rng",
    "flat_frame",
    "flat_pair",
    "simulated_frame",
    "truth_rng",
]

_READOUT_S = 2.0
_ROW_DRIFT_MEMORY = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFrame:
    """Raw arrays of one detector and what was injected into this frame alone."""

    raw: NDArray[np.int32]
    """Of shape (n_amp, raw_ny, raw_nx) [adu], prescan and overscans included."""
    is_cosmic_ray: BoolImage
    """Of shape (n_amp, ny, nx): imaging pixels hit by a track."""
    is_saturated: BoolImage
    """Of shape (n_amp, ny, nx): imaging pixels at the full well or at the converter's end."""


def bias_frame(
    truth: DetectorTruth,
    rng: np.random.Generator,
    *,
    cosmic_ray_rate_per_px_s: float = COSMIC_RAY_RATE_PER_PX_S,
    fault: BadExposure | None = None,
) -> SimulatedFrame:
    """Simulate a bias.

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    rng : numpy.random.Generator
        Source of randomness, see `exposure_rng`.
    cosmic_ray_rate_per_px_s : float
        Tracks per pixel and second; a bias collects them while it is read.
    fault : BadExposure, optional
        Planted fault.

    Returns
    -------
    SimulatedFrame
        Raw arrays [adu].
    """
    return simulated_frame(truth, rng, FrameConditions(cosmic_ray_rate_per_px_s=cosmic_ray_rate_per_px_s, fault=fault))


def dark_frame(
    truth: DetectorTruth,
    rng: np.random.Generator,
    *,
    dark_time_s: float,
    cosmic_ray_rate_per_px_s: float = COSMIC_RAY_RATE_PER_PX_S,
    fault: BadExposure | None = None,
) -> SimulatedFrame:
    """Simulate a dark: bias, dark current, hot pixels and cosmic rays.

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    rng : numpy.random.Generator
        Source of randomness, see `exposure_rng`.
    dark_time_s : float
        Time the charge collects [s].
    cosmic_ray_rate_per_px_s : float
        Tracks per pixel and second.
    fault : BadExposure, optional
        Planted fault.

    Returns
    -------
    SimulatedFrame
        Raw arrays [adu].
    """
    conditions = FrameConditions(
        dark_time_s=dark_time_s, cosmic_ray_rate_per_px_s=cosmic_ray_rate_per_px_s, fault=fault
    )
    return simulated_frame(truth, rng, conditions)


def flat_frame(
    truth: DetectorTruth,
    rng: np.random.Generator,
    *,
    illumination_e: float,
    dark_time_s: float = 0.0,
    cosmic_ray_rate_per_px_s: float = COSMIC_RAY_RATE_PER_PX_S,
    fault: BadExposure | None = None,
) -> SimulatedFrame:
    """Simulate an evenly lit frame: a flat, or an empty sky.

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    rng : numpy.random.Generator
        Source of randomness, see `exposure_rng`.
    illumination_e : float
        Mean charge from light in a pixel [electron].
    dark_time_s : float
        Time the dark current collects [s].
    cosmic_ray_rate_per_px_s : float
        Tracks per pixel and second.
    fault : BadExposure, optional
        Planted fault.

    Returns
    -------
    SimulatedFrame
        Raw arrays [adu].
    """
    conditions = FrameConditions(
        light=FrameLight(illumination_e=illumination_e),
        dark_time_s=dark_time_s,
        cosmic_ray_rate_per_px_s=cosmic_ray_rate_per_px_s,
        fault=fault,
    )
    return simulated_frame(truth, rng, conditions)


def flat_pair(
    truth: DetectorTruth,
    first_rng: np.random.Generator,
    second_rng: np.random.Generator,
    *,
    illumination_e: float,
    dark_time_s: float = 0.0,
    cosmic_ray_rate_per_px_s: float = COSMIC_RAY_RATE_PER_PX_S,
) -> tuple[SimulatedFrame, SimulatedFrame]:
    """Simulate two flats of equal light, as gain and PTC measurements want.

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    first_rng, second_rng : numpy.random.Generator
        One independent source for each flat.
    illumination_e : float
        Mean charge from light in a pixel [electron].
    dark_time_s : float
        Time the dark current collects [s].
    cosmic_ray_rate_per_px_s : float
        Tracks per pixel and second.

    Returns
    -------
    tuple of SimulatedFrame
        The pair.
    """
    first, second = (
        flat_frame(
            truth,
            rng,
            illumination_e=illumination_e,
            dark_time_s=dark_time_s,
            cosmic_ray_rate_per_px_s=cosmic_ray_rate_per_px_s,
        )
        for rng in (first_rng, second_rng)
    )
    return first, second


def simulated_frame(
    truth: DetectorTruth,
    rng: np.random.Generator,
    conditions: FrameConditions,
    effects: EffectsTruth | None = None,
) -> SimulatedFrame:
    """Simulate a frame under any conditions.

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    rng : numpy.random.Generator
        Source of randomness, see `exposure_rng`.
    conditions : FrameConditions
        Light, times and state.
    effects : EffectsTruth, optional
        What the detector does beyond bias, dark current, photon noise and electronics.

    Returns
    -------
    SimulatedFrame
        Raw arrays [adu].

    Notes
    -----
    Every amplifier in turn, with the working memory of one; with crosstalk the charge of all of them is held at once.
    """
    layout = truth.layout
    shape = (layout.n_amps, *layout.data_shape)
    raw = np.empty((layout.n_amps, *layout.raw_shape), dtype=np.int32)
    is_cosmic_ray = np.zeros(shape, dtype=np.bool_)
    is_saturated = np.zeros(shape, dtype=np.bool_)
    # Charge collected during readout stays for half of it on average.
    collecting_s = conditions.dark_time_s + _READOUT_S / 2
    n_tracks = rng.poisson(conditions.cosmic_ray_rate_per_px_s * collecting_s * shape[1] * shape[2], size=shape[0])
    level_drift_adu = rng.normal(0.0, 1.0)
    gain = truth.gain_e_per_adu
    if effects is not None:
        gain = gain * effects.gain_factor(conditions.gain_epoch, conditions.warmer_k)

    def collected() -> Iterator[Image]:
        """Give the charge of each amplifier as it is held, drawn when it is asked for."""
        for amp in range(layout.n_amps):
            tracks_e = _tracks(rng, layout, int(n_tracks[amp]), effects)
            is_cosmic_ray[amp] = tracks_e > 0
            charge_e = _charge(truth, rng, amp, conditions, effects, tracks_e=tracks_e)
            charge_e = spill_full_wells(charge_e, full_well_e=float(truth.full_well_e[amp]))
            if truth.is_dead[amp]:
                charge_e = np.zeros_like(charge_e)
            is_saturated[amp] = charge_e >= np.float32(truth.full_well_e[amp])
            yield charge_e

    arriving = collected() if effects is None else read_out(layout, collected(), effects)
    for amp, signal_e in enumerate(arriving):
        volts = _electronics(
            truth, rng, amp=amp, gain=np.float32(gain[amp]), level_drift_adu=level_drift_adu, fault=conditions.fault
        )
        if effects is None:
            volts[layout.data] += signal_e / np.float32(gain[amp])
        else:
            volts += distorted(signal_e / np.float32(gain[amp]), amp, effects)
        raw[amp] = truth.adc_max_adu if truth.is_saturated[amp] else np.clip(np.rint(volts), 0, truth.adc_max_adu)
        is_saturated[amp] |= raw[amp][layout.data] >= truth.adc_max_adu
    return SimulatedFrame(raw=raw, is_cosmic_ray=is_cosmic_ray, is_saturated=is_saturated)


def _tracks(rng: np.random.Generator, layout: DetectorLayout, n_tracks: int, effects: EffectsTruth | None) -> Image:
    """Draw the cosmic rays of one amplifier [electron]."""
    n_worms = 0
    if effects is not None and effects.effects.worm_share:
        n_worms = int(rng.binomial(n_tracks, effects.effects.worm_share))
    tracks_e = cosmic_ray_tracks(rng, shape=layout.data_shape, n_tracks=n_tracks - n_worms)
    if n_worms:
        tracks_e += cosmic_ray_worms(rng, shape=layout.data_shape, n_worms=n_worms)
    return tracks_e


def _charge(
    truth: DetectorTruth,
    rng: np.random.Generator,
    amp: int,
    conditions: FrameConditions,
    effects: EffectsTruth | None,
    *,
    tracks_e: Image,
) -> Image:
    """Draw the charge of one amplifier before its wells are full, (ny, nx) [electron]."""
    layout, light, dark_time_s = truth.layout, conditions.light, conditions.dark_time_s
    if effects is None:
        expected_e = truth.response[amp].astype(np.float64) * light.illumination_e
    else:
        expected_e = expected_light(truth, amp, light, effects)
    if dark_time_s > 0:
        expected_e += truth.dark_rate_of_amp(amp) * dark_time_s
        if effects is not None:
            expected_e += effects.extra_dark_e_per_s[amp] * dark_time_s
    if conditions.fault is not None:
        expected_e += _light_leak(layout, amp, conditions.fault)
    expected_e += tracks_e
    if effects is None:
        counts: NDArray[np.float64] | NDArray[np.int64] = rng.poisson(expected_e) if expected_e.any() else expected_e
        return counts.astype(np.float32)
    if conditions.before is not None and effects.effects.persistence:
        expected_e += released(truth, amp, conditions, conditions.before, effects)
    return collected_charge(rng, expected_e, light, effects)


def _electronics(
    truth: DetectorTruth,
    rng: np.random.Generator,
    *,
    amp: int,
    gain: np.float32,
    level_drift_adu: float,
    fault: BadExposure | None,
) -> NDArray[np.float32]:
    """Return bias, patterns and read noise of one raw amplifier, (raw_ny, raw_nx) [adu]."""
    layout = truth.layout
    volts = rng.standard_normal(layout.raw_shape, dtype=np.float32)
    volts *= np.float32(truth.read_noise_e[amp]) / gain
    volts += np.float32(truth.bias_level_adu[amp] + level_drift_adu)
    volts += truth.row_ramp_adu[amp]
    volts += _row_drift(rng, layout.raw_shape[0])[:, None].astype(np.float32)
    volts[layout.data] += truth.fixed_pattern_e[amp] / gain + truth.edge_pattern_adu[0]
    if fault is not None:
        ny, nx = layout.raw_shape
        readout_px = np.arange(ny * nx, dtype=np.float64).reshape(ny, nx)
        volts += (fault.pickup_adu * np.sin(2 * np.pi * readout_px / fault.pickup_period_px)).astype(np.float32)
        volts[ny // 2 :] += np.float32(fault.baseline_jump_adu)
    return volts


def _row_drift(rng: np.random.Generator, n_rows: int) -> Vector:
    """Draw row offsets of 0.5 adu rms that remember the rows before (first-order autoregression)."""
    steps = rng.normal(0.0, 0.5 * np.sqrt(1 - _ROW_DRIFT_MEMORY**2), size=n_rows)
    drift = np.empty(n_rows)
    value = rng.normal(0.0, 0.5)
    for row in range(n_rows):
        value = _ROW_DRIFT_MEMORY * value + steps[row]
        drift[row] = value
    return drift


def _light_leak(layout: DetectorLayout, amp: int, fault: BadExposure) -> Cube:
    """Return the expected charge of the leak in one amplifier, (ny, nx) [electron]."""
    ny, nx = layout.data_shape
    diagonal = np.hypot(max(layout.detector_y0) + ny, max(layout.detector_x0) + nx)
    rows, columns = layout.detector_rows_columns(amp)
    distance = np.hypot(rows[:, None], columns[None, :])
    glow: Cube = (fault.light_leak_e * np.exp(-distance / (fault.light_leak_scale * diagonal))).astype(np.float32)
    return glow
