"""Header cards of corrected frames: calibrations applied, state of each step, amplifiers (generation.md 2.3)."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.model.camera import Detector
from calibstore.pipelines.detector_frames import ELECTRON
from calibstore.pipelines.isr_flags import CALIB_STEPS, IsrFlags
from calibstore.pipelines.quantum import RawInput
from kernels.arrays import Image, Mask, plane_bit
from kernels.isr_levels import amplifier_pedestals, image_levels
from kernels.overscan import OverscanLevels

if TYPE_CHECKING:
    from calibstore.pipelines.corrected_frames import AmplifierState
    from calibstore.pipelines.isr_calibs import AppliedCalib, IsrCalibs

COUNTED_PLANES: Final = ("SAT", "BAD", "SUSPECT")
_NOT_IN_STATISTICS: Final = ("SAT", "BAD", "NO_DATA", "UNMASKEDNAN", "CR")
_PEDESTAL_LIMIT: Final = 1e5
_PEDESTAL_INSET: Final = 10
BF_METHOD: Final = "COULTON18"


def isr_cards(
    raw: RawInput, flags: IsrFlags, gain_source: str, amplifiers: Sequence["AmplifierState"], calibs: "IsrCalibs"
) -> dict[str, CardValue]:
    """Return the provenance and state cards of one corrected exposure.

    Parameters
    ----------
    raw : RawInput
        The exposure.
    flags : IsrFlags
        Steps that were on.
    gain_source : str
        Where the gains came from in fact.
    amplifiers : sequence of AmplifierState
        In HDU order.
    calibs : IsrCalibs
        Calibrations applied.
    """
    # without a time in the dark nothing was taken off: a bias has no dark current
    used = {step: one for step, one in calibs.used.items() if step != "dark" or raw.dark_seconds > 0}
    cards: dict[str, CardValue] = {}
    for one in used.values():
        cards |= calib_cards(one)
    cards["LSST ISR UNITS"] = flags.units
    cards["LSST ISR BOOTSTRAP"] = flags.is_bootstrap
    is_in_electron = flags.units == ELECTRON
    cards["LSST ISR GAIN SOURCE"] = str(gain_source) if is_in_electron else "NONE"
    cards |= {f"LSST ISR {name} APPLIED": step in used for step, (name, _) in CALIB_STEPS.items()}
    cards["LSST ISR OVERSCANLEVEL CHECKED"] = flags.check_levels and math.isfinite(flags.level_limit_sigma)
    cards["LSST ISR NOISE CHECKED"] = flags.check_levels
    if "brighter_fatter" in used:
        cards["LSST ISR BF CORR METHOD"] = BF_METHOD
    if "flat" in used:
        cards["LSST ISR FLAT SOURCE"] = str(used["flat"].header.get("FLATSRC") or "DOME")
    for key in calibs.state_mismatches(raw.header_state, flags.compared_keywords):
        cards[f"ISR {key} SEQUENCER MISMATCH"] = True
    cards["LSST ISR READNOISE UNITS"] = ELECTRON
    for state in amplifiers:
        cards |= _amplifier_cards(state, is_in_electron=is_in_electron)
    return cards


def calib_cards(used: "AppliedCalib") -> dict[str, CardValue]:
    """Return run, UUID and date of one calibration."""
    return {
        f"LSST CALIB RUN {used.key}": used.calib.run,
        f"LSST CALIB UUID {used.key}": used.dataset_id,
        f"LSST CALIB DATE {used.key}": used.calib.created,
    }


def measured_cards(detector: Detector, flags: IsrFlags, image: Image, mask: Mask) -> dict[str, CardValue]:
    """Return what is counted and measured in a corrected exposure.

    Parameters
    ----------
    detector : Detector
        Places of the amplifiers.
    flags : IsrFlags
        Whether the steps between amplifiers are measured.
    image : ndarray of shape (height, width), float32
        In `flags.units`.
    mask : ndarray of shape (height, width), int32
        Flags.
    """
    cards: dict[str, CardValue] = {}
    for amplifier in detector.amplifiers:
        box = amplifier.place.slices
        bits = mask[box]
        for plane in COUNTED_PLANES:
            cards[f"LSST ISR MASK {plane} {amplifier.name}"] = int(np.count_nonzero(bits & plane_bit(plane)))
        found = image_levels(image[box], bits, excluded=_NOT_IN_STATISTICS)
        for name, value in zip(("MEAN", "MEDIAN", "STDEV"), found, strict=True):
            cards[f"LSST ISR FINAL {name} {amplifier.name}"] = value
    if flags.amp_offset:
        boxes = [amplifier.place.slices for amplifier in detector.amplifiers]
        excluded = np.int32(sum(plane_bit(name) for name in _NOT_IN_STATISTICS))
        clean = np.where((mask & excluded) == 0, image, np.float32(np.nan))
        pedestals = amplifier_pedestals(clean, boxes, inset=_PEDESTAL_INSET, limit=_PEDESTAL_LIMIT)
        for amplifier, pedestal in zip(detector.amplifiers, pedestals, strict=True):
            cards[f"LSST ISR AMPOFFSET PEDESTAL {amplifier.name}"] = float(pedestal)
    return cards


def _amplifier_cards(state: "AmplifierState", *, is_in_electron: bool) -> dict[str, CardValue]:
    name, gain = state.name, state.gain_e_per_adu if is_in_electron else 1.0
    cards: dict[str, CardValue] = {
        f"LSST ISR GAIN {name}": gain,
        f"LSST ISR READNOISE {name}": state.read_noise_e,
        f"LSST ISR SATURATION LEVEL {name}": state.saturation_adu * gain,
        f"LSST ISR SUSPECT LEVEL {name}": state.suspect_adu * gain,
    }
    if math.isfinite(state.turnoff_adu):
        cards[f"LSST ISR PTCTURNOFF {name}"] = state.turnoff_adu * state.gain_e_per_adu
    levels = state.levels
    if levels.serial is not None:
        cards |= overscan_cards("SERIAL", name, levels.serial, zero_adu=levels.zero_adu)
    if levels.parallel is not None:
        cards |= overscan_cards("PARALLEL", name, levels.parallel, zero_adu=0.0)
    if state.is_bad:
        cards[f"CAB ISR BAD {name}"] = state.reason
    return cards


def overscan_cards(kind: str, name: str, levels: OverscanLevels, *, zero_adu: float) -> dict[str, CardValue]:
    """Return the statistics of one overscan [adu].

    Parameters
    ----------
    kind : {"SERIAL", "PARALLEL"}
        Which overscan.
    name : str
        Of the amplifier.
    levels : OverscanLevels
        Its levels.
    zero_adu : float
        Constant the levels leave out.
    """
    return {
        f"LSST ISR OVERSCAN {kind} UNITS {name}": "adu",
        f"LSST ISR OVERSCAN {kind} MEAN {name}": levels.mean + zero_adu,
        f"LSST ISR OVERSCAN {kind} MEDIAN {name}": levels.median + zero_adu,
        f"LSST ISR OVERSCAN {kind} STDEV {name}": levels.stdev,
        f"LSST ISR OVERSCAN RESIDUAL {kind} MEAN {name}": levels.residual_mean,
        f"LSST ISR OVERSCAN RESIDUAL {kind} MEDIAN {name}": levels.residual_median,
        f"LSST ISR OVERSCAN RESIDUAL {kind} STDEV {name}": levels.residual_stdev,
    }
