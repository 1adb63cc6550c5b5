"""What signature removal knows of each amplifier before a pixel is corrected: gain, noise, levels, and what is bad."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.fits_headers import read_headers
from calibstore.errors import ExecutionError
from calibstore.model.camera import Detector
from calibstore.pipelines.bad_amplifiers import dead_fault, nothing_usable, overscan_noise_adu
from calibstore.pipelines.detector_frames import AmplifierLevels, DetectorFrame
from calibstore.pipelines.isr_calibs import IsrCalibs
from calibstore.pipelines.isr_flags import GainSource, IsrFlags
from calibstore.pipelines.quantum import RawInput
from kernels.arrays import Vector
from kernels.isr_levels import LevelLimits, amplifier_fault

Coefficients: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64] | None]
"""Crosstalk ratios, and coefficients of the squared source, [source, target]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierState:
    """What is known of one amplifier in one exposure."""

    index: int
    name: str
    gain_e_per_adu: float
    """Gain with its correction [electron/adu]; also known where the image stays in adu."""
    read_noise_e: float
    saturation_adu: float
    suspect_adu: float
    turnoff_adu: float
    """Of the photon transfer curve; NaN without one."""
    is_bad: bool
    reason: str
    """Why it is bad; empty when it is not."""
    levels: AmplifierLevels
    noise_e: float
    """Of the serial overscan after its correction [electron]; NaN without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAmplifiers:
    """The amplifiers of a detector under its calibrations, the same for every exposure."""

    gain_source: GainSource
    gains: Vector
    """With their correction [electron/adu]."""
    reasons: tuple[str, ...]
    """Why each amplifier is bad: its gain, its tables, a defect that covers it; empty when it is not."""
    crosstalk: Coefficients | None
    """For images in adu."""

    @property
    def is_bad(self) -> NDArray[np.bool_]:
        """Amplifiers that neither give nor take crosstalk."""
        return np.array([bool(reason) for reason in self.reasons])


def known_amplifiers(detector: Detector, calibs: IsrCalibs, flags: IsrFlags) -> KnownAmplifiers:
    """Return what the calibrations say of the amplifiers.

    Parameters
    ----------
    detector : Detector
        Gains of the camera file, for what no calibration gives.
    calibs : IsrCalibs
        Opened calibrations.
    flags : IsrFlags
        Steps that are on.
    """
    source, gains = _gains(detector, calibs, flags)
    return KnownAmplifiers(
        gain_source=source,
        gains=gains,
        reasons=tuple(_known_reasons(detector, calibs, flags, gains)),
        crosstalk=_crosstalk_in_adu(calibs, gains, flags),
    )


def amplifier_states(
    detector: Detector, frame: DetectorFrame, known: KnownAmplifiers, calibs: IsrCalibs, flags: IsrFlags
) -> tuple[AmplifierState, ...]:
    """Return the state of each amplifier in one exposure, in HDU order."""
    return tuple(_state(index, detector, frame, known, (calibs, flags)) for index in range(len(detector.amplifiers)))


def _state(
    index: int, detector: Detector, frame: DetectorFrame, known: KnownAmplifiers, work: tuple[IsrCalibs, IsrFlags]
) -> AmplifierState:
    (calibs, flags), amplifier, levels = work, detector.amplifiers[index], frame.levels[index]
    gain, ptc = float(known.gains[index]), calibs.tables.ptc
    noise_adu = overscan_noise_adu(frame, index)
    read_noise = _read_noise(index, detector, known, (calibs, flags), noise_adu * gain)
    turnoff = math.nan if ptc is None else float(ptc.turnoff_adu[index])
    saturation = turnoff if math.isfinite(turnoff) else amplifier.saturation_adu
    reason = frame.faults.get(amplifier.name, "") or known.reasons[index]
    if not reason and flags.check_levels and levels.serial is not None:
        reason = amplifier_fault(
            gain_e_per_adu=gain,
            noise_adu=noise_adu,
            expected_noise_e=read_noise,
            level_adu=levels.serial.median + levels.zero_adu,
            reference_level_adu=math.nan if ptc is None else float(ptc.overscan_adu[index]),
            reference_sigma_adu=math.nan if ptc is None else float(ptc.overscan_sigma_adu[index]),
            limits=LevelLimits(noise_limit_e=flags.noise_limit_e, shift_limit_sigma=flags.level_limit_sigma),
        )
    if not reason:
        reason = dead_fault(detector, frame, index, gain_e_per_adu=gain)
    return AmplifierState(
        index=index,
        name=amplifier.name,
        gain_e_per_adu=gain,
        read_noise_e=read_noise,
        saturation_adu=saturation,
        suspect_adu=saturation,
        turnoff_adu=turnoff,
        is_bad=bool(reason),
        reason=reason,
        levels=levels,
        noise_e=noise_adu * gain,
    )


def _read_noise(
    index: int, detector: Detector, known: KnownAmplifiers, work: tuple[IsrCalibs, IsrFlags], measured_e: float
) -> float:
    """Return the read noise: of the gains' own source, measured where that gives none [electron]."""
    calibs, flags = work
    ptc = calibs.tables.ptc
    if known.gain_source is GainSource.PTC and ptc is not None and math.isfinite(ptc.noise_e[index]):
        return float(ptc.noise_e[index])
    is_measured = flags.is_bootstrap or known.gain_source is GainSource.LINEARIZER
    if is_measured and math.isfinite(measured_e):
        return measured_e
    return detector.amplifiers[index].read_noise_e or measured_e


def _gains(detector: Detector, calibs: IsrCalibs, flags: IsrFlags) -> tuple[GainSource, Vector]:
    """Return where the gains come from, and they with their correction [electron/adu]."""
    tables = calibs.tables
    gains = np.array([one.gain_e_per_adu for one in detector.amplifiers])
    source = GainSource.CAMERA
    if flags.gain_source is GainSource.PTC and tables.ptc is not None:
        source, gains = GainSource.PTC, tables.ptc.gain.copy()
    elif flags.gain_source is GainSource.LINEARIZER and tables.input_gain is not None:
        source, gains = GainSource.LINEARIZER, tables.input_gain.copy()
    if flags.gain_correction and tables.gain_ratio is not None:
        gains = gains * tables.gain_ratio
    return source, gains


def _known_reasons(detector: Detector, calibs: IsrCalibs, flags: IsrFlags, gains: Vector) -> list[str]:
    """Return why each amplifier is bad before a pixel is read: its gain, its tables, a defect that covers it."""
    tables = calibs.tables
    reasons = []
    for index, amplifier in enumerate(detector.amplifiers):
        reason = "" if flags.is_bootstrap else amplifier_fault(gain_e_per_adu=float(gains[index]), noise_adu=math.nan)
        if reason and amplifier.name in tables.reasons:
            reason = f"{reason} ({tables.reasons[amplifier.name]})"
        without_model = (flags.linearize and tables.linearity and tables.linearity[index] is None) or (
            flags.cti and tables.cti and tables.cti[index] is None
        )
        if not reason and without_model:
            reason = tables.reasons.get(amplifier.name, "no model in a table")
        n_pixels = amplifier.data.width * amplifier.data.height
        if not reason and flags.defects and tables.defects and tables.defects[index].size == n_pixels:
            reason = "a defect covers all of it"
        reasons.append(reason)
    return reasons


def _crosstalk_in_adu(calibs: IsrCalibs, gains: Vector, flags: IsrFlags) -> Coefficients | None:
    """Return the coefficients for images in adu."""
    found = calibs.tables.crosstalk
    if not flags.crosstalk or found is None:
        return None
    from kernels.crosstalk import convert_ratios

    quadratic = found.quadratic if flags.crosstalk_quadratic else None
    return (
        convert_ratios(found.ratios, gains, to="adu"),
        None if quadratic is None else convert_ratios(quadratic, gains, to="adu", order=2),
    )


def require_usable(detector: Detector, raw: RawInput, amplifiers: Sequence[AmplifierState], flags: IsrFlags) -> None:
    """Refuse to process an exposure of which nothing would be left."""
    if flags.is_plain and all(state.is_bad for state in amplifiers):
        raise nothing_usable(detector, raw, {state.name: state.reason for state in amplifiers})


def require_dark_time(raw: RawInput) -> float:
    """Return the time in which dark current gathered in an exposure [s].

    Raises
    ------
    ExecutionError
        If neither its dark time nor its exposure time is above zero.
    """
    seconds = raw.dark_seconds
    if not seconds > 0:
        raise ExecutionError(
            f"{raw.path}: exposure {raw.exposure} has a dark time of {seconds:g} s",
            hint=f"leave exposure {raw.exposure} out, or correct its DARKTIME and ingest it again",
            code="E-DARKTIME",
        )
    return seconds


def require_powered(raw: RawInput, flags: IsrFlags) -> None:
    """Refuse an exposure of a detector that was off."""
    cards = read_headers(Path(raw.path)).cards
    voltage, switch = cards.get("BSSVBS"), str(cards.get("HVBIAS") or "").strip().upper()
    is_low = isinstance(voltage, int | float) and abs(voltage) < flags.bias_voltage_minimum_v
    if flags.bias_voltage_minimum_v > 0 and (is_low or switch == "OFF"):
        raise ExecutionError(
            f"{raw.path}: the detector had no bias voltage (BSSVBS {voltage}, HVBIAS {switch or 'not given'}; at "
            f"least {flags.bias_voltage_minimum_v:g} V is asked for)",
            hint=f"leave exposure {raw.exposure} out",
            code="E-NOVOLTAGE",
        )
