"""Header cards of a combined image: identity, inputs, times, state of each correction, amplifiers."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.model.camera import Amplifier, Detector
from calibstore.model.times import mjd_of, ns_to_iso
from calibstore.pipelines.detector_frames import ADU, AmplifierLevels, DetectorFrame
from calibstore.pipelines.quantum import Quantum, RawInput
from kernels.overscan import OverscanLevels
from kernels.statistics import DISTRIBUTION_PERCENTS

STEPS: Final = ("GAINCORRECTION", "CROSSTALK", "LINEARIZER", "CTI", "BIAS", "DARK", "BF", "FLAT", "DEFECTS")
"""Corrections whose state is recorded as ``LSST ISR <step> APPLIED``."""

_CREATION_KEYS: Final = ("CALIB_CREATION_DATETIME", "CALIB_CREATION_DATE", "CALIB_CREATION_TIME")
_MICROSECONDS: Final = 6


def combined_cards(
    quantum: Quantum, detector: Detector, raws: Sequence[RawInput], *, obstype: str, scales: Sequence[float]
) -> dict[str, CardValue]:
    """Return what the primary header of every combined image says: identity, times and inputs.

    Parameters
    ----------
    quantum : Quantum
        Instrument and parameters.
    detector : Detector
        Identity.
    raws : sequence of RawInput
        Inputs, in the order they were combined.
    obstype : str
        bias, dark or flat.
    scales : sequence of float
        What each input was divided by [1, s or the unit of the frames].
    """
    cards: dict[str, CardValue] = {
        "OBSTYPE": obstype,
        "INSTRUME": quantum.instrument,
        "DETECTOR": detector.id,
        "DET_NAME": detector.full_name,
        "RAFTNAME": detector.raft,
        "SLOTNAME": detector.name_in_raft,
    }
    cards |= creation_cards(quantum.parameters)
    cards |= _time_cards(raws, time_s=0.0 if obstype == "bias" else 1.0)
    cards |= common_state(raws)
    for number, (raw, scale) in enumerate(zip(raws, scales, strict=True)):
        begin = ns_to_iso(raw.begin_tai_ns, _MICROSECONDS)
        cards[f"CPP_INPUT_{number}"] = raw.exposure
        cards[f"CPP_INPUT_DATE_{number}"] = begin
        cards[f"CPP_INPUT_EXPT_{number}"] = raw.exposure_time_s
        cards[f"CPP_INPUT_SCALE_{number}"] = float(scale)
    return cards


def uncorrected_state(detector: Detector, frames: Sequence[DetectorFrame], units: str) -> dict[str, CardValue]:
    """Return the state of the corrections where only overscans and camera gains took part.

    Parameters
    ----------
    detector : Detector
        Amplifiers.
    frames : sequence of DetectorFrame
        Inputs, in the order they were combined.
    units : {"electron", "adu"}
        Unit of the image.
    """
    cards: dict[str, CardValue] = {"LSST ISR UNITS": units}
    cards["LSST ISR BOOTSTRAP"] = units == ADU
    cards["LSST ISR GAIN SOURCE"] = "NONE" if units == ADU else "CAMERA"
    cards |= {f"LSST ISR {step} APPLIED": False for step in STEPS}
    cards["LSST ISR READNOISE UNITS"] = "electron"
    for index, amplifier in enumerate(detector.amplifiers):
        cards |= _amplifier_cards(amplifier, [frame.levels[index] for frame in frames], units)
    return cards


def merged_state(states: Sequence[Mapping[str, CardValue]]) -> dict[str, CardValue]:
    """Return one state for frames that were corrected alike.

    Parameters
    ----------
    states : sequence of mapping
        Cards of each frame.

    Returns
    -------
    dict
        Cards equal in all frames as they are, numbers that differ as their median; what else differs is left out.
    """
    merged: dict[str, CardValue] = {}
    for key, value in states[0].items():
        values = [state.get(key) for state in states]
        if all(other == value for other in values):
            merged[key] = value
        elif all(isinstance(other, int | float) and not isinstance(other, bool) for other in values):
            merged[key] = float(np.median([float(str(other)) for other in values]))
    return merged


def distribution_cards(
    detector: Detector, obstype: str, percentiles: Mapping[str, Sequence[float]], n_bad: Mapping[str, int]
) -> dict[str, CardValue]:
    """Return the percentile and bad-pixel cards of each amplifier.

    Parameters
    ----------
    detector : Detector
        Amplifiers.
    obstype : str
        bias, dark or flat.
    percentiles : mapping of str to sequence of float
        At `DISTRIBUTION_PERCENTS`, by amplifier; missing ones are left undefined.
    n_bad : mapping of str to int
        Pixels without a valid input, by amplifier.
    """
    cards: dict[str, CardValue] = {}
    for amplifier in detector.amplifiers:
        stem = f"LSST CALIB {obstype.upper()} {amplifier.name}"
        values = percentiles.get(amplifier.name)
        for number, percent in enumerate(DISTRIBUTION_PERCENTS):
            cards[f"{stem} DISTRIBUTION {percent}-PCT"] = None if values is None else float(values[number])
        cards[f"{stem} BADPIX-NUM"] = n_bad.get(amplifier.name, 0)
    return cards


def creation_cards(parameters: Mapping[str, object]) -> dict[str, CardValue]:
    """Return the CALIB_CREATION_* cards that the parameters give (keys in lower case)."""
    return {key: str(parameters[key.lower()]) for key in _CREATION_KEYS if key.lower() in parameters}


def common_state(raws: Sequence[RawInput]) -> dict[str, CardValue]:
    """Return the camera-state cards that are the same in all inputs."""
    first = raws[0].header_state
    return {key: value for key, value in first.items() if all(raw.header_state.get(key) == value for raw in raws)}


def differing_state(raws: Sequence[RawInput]) -> dict[str, list[str]]:
    """Return the values of each camera-state keyword that is not the same in all inputs."""
    keys = sorted({key for raw in raws for key in raw.header_state})
    values = {key: sorted({raw.header_state.get(key, "") for raw in raws}) for key in keys}
    return {key: found for key, found in values.items() if len(found) > 1}


def _time_cards(raws: Sequence[RawInput], *, time_s: float) -> dict[str, CardValue]:
    begin, end = min(raw.begin_tai_ns for raw in raws), max(raw.end_tai_ns for raw in raws)
    instants = {"OBS": begin, "BEG": begin, "END": end, "AVG": (begin + end) // 2}
    cards: dict[str, CardValue] = {"TIMESYS": "TAI"}
    cards |= {f"DATE-{name}": ns_to_iso(instant, _MICROSECONDS) for name, instant in instants.items()}
    cards |= {f"MJD-{name}": mjd_of(instant) for name, instant in instants.items()}
    return cards | {"EXPTIME": time_s, "DARKTIME": time_s}


def _amplifier_cards(amplifier: Amplifier, levels: Sequence[AmplifierLevels], units: str) -> dict[str, CardValue]:
    gain = 1.0 if units == ADU else amplifier.gain_e_per_adu
    name = amplifier.name
    cards: dict[str, CardValue] = {
        f"LSST ISR GAIN {name}": gain,
        f"LSST ISR READNOISE {name}": amplifier.read_noise_e,
        f"LSST ISR SATURATION LEVEL {name}": amplifier.saturation_adu * gain,
    }
    serial = [found.serial for found in levels if found.serial is not None]
    parallel = [found.parallel for found in levels if found.parallel is not None]
    if serial:
        cards |= _overscan_cards("SERIAL", name, serial, zero_adu=levels[0].zero_adu)
    if parallel:
        cards |= _overscan_cards("PARALLEL", name, parallel, zero_adu=0.0)
    return cards


def _overscan_cards(kind: str, name: str, levels: Sequence[OverscanLevels], *, zero_adu: float) -> dict[str, CardValue]:
    """Return the statistics of one overscan, each the median over the exposures [adu]."""
    values = {
        f"LSST ISR OVERSCAN {kind} MEAN {name}": [found.mean + zero_adu for found in levels],
        f"LSST ISR OVERSCAN {kind} MEDIAN {name}": [found.median + zero_adu for found in levels],
        f"LSST ISR OVERSCAN {kind} STDEV {name}": [found.stdev for found in levels],
        f"LSST ISR OVERSCAN RESIDUAL {kind} MEAN {name}": [found.residual_mean for found in levels],
        f"LSST ISR OVERSCAN RESIDUAL {kind} MEDIAN {name}": [found.residual_median for found in levels],
        f"LSST ISR OVERSCAN RESIDUAL {kind} STDEV {name}": [found.residual_stdev for found in levels],
    }
    cards: dict[str, CardValue] = {f"LSST ISR OVERSCAN {kind} UNITS {name}": ADU}
    return cards | {key: float(np.median(found)) for key, found in values.items()}
