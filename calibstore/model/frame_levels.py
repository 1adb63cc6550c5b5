"""Statistics of exposures as they were taken at ingest, and which of them are unlike the others."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from calibstore.model.camera import Camera

BRIGHT_E: Final = 30_000.0
"""Signal of a source whose crosstalk can be measured [electron]."""
KEPT_AS: Final = "frame"
"""Where a raw frame's row keeps them."""
MOST_DETECTORS: Final = 12
"""Detectors whose statistics are asked for: a frame unlike the others is so across the focal plane."""
_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLevel:
    """Statistics of one exposure: the median over detectors."""

    level_e: float
    """Above the overscan [electron]."""
    noise_adu: float = math.nan
    pedestal_adu: float = math.nan
    saturated: float = 0.0
    """Part of the pixels that are saturated [1]."""
    bright: float = 0.0
    """Part of the pixels brighter than `BRIGHT_E` [1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraNumbers:
    """Numbers of a camera file that stand for all its amplifiers: medians."""

    gain_e_per_adu: float
    read_noise_e: float
    saturation_e: float
    has_overscan: bool


def camera_numbers(camera: Camera) -> CameraNumbers:
    """Return what a camera file says of a typical amplifier."""
    amplifiers = [amp for one in camera.detectors for amp in one.amplifiers]
    return CameraNumbers(
        gain_e_per_adu=statistics.median(one.gain_e_per_adu for one in amplifiers),
        read_noise_e=statistics.median(one.read_noise_e for one in amplifiers),
        saturation_e=statistics.median(one.saturation_adu * one.gain_e_per_adu for one in amplifiers),
        has_overscan=camera.has_overscan,
    )


def asked_detectors(camera: Camera) -> tuple[int, ...]:
    """Return the detectors whose statistics stand for an exposure, spread over the focal plane."""
    known = [one.id for one in camera.detectors if one.purpose != "GUIDER"]
    step = max(1, math.ceil(len(known) / MOST_DETECTORS))
    return tuple(known[::step])


def frame_levels(kept: Mapping[int, Sequence[Mapping[str, float]]], camera: Camera) -> dict[int, FrameLevel]:
    """Return the statistics of exposures from what is kept of their frames; exposures without any are left out.

    Parameters
    ----------
    kept : mapping of int to sequence of mapping
        By exposure, the numbers of each detector's frame.
    camera : Camera
        Gives the gain.
    """
    gain = camera_numbers(camera).gain_e_per_adu
    found = {}
    for exposure, frames in kept.items():
        if any("level_adu" in one for one in frames):
            found[exposure] = FrameLevel(
                level_e=gain * _median_of(frames, "level_adu"),
                noise_adu=_median_of(frames, "noise_adu"),
                pedestal_adu=_median_of(frames, "pedestal_adu"),
                saturated=_median_of(frames, "saturated", missing=0.0),
                bright=max((one.get("bright", 0.0) for one in frames), default=0.0),
            )
    return found


def robust_z(values: Mapping[int, float], *, least: float) -> dict[int, float]:
    """Return how far each value is from the middle one, in units of the scatter of all.

    Parameters
    ----------
    values : mapping of int to float
        By exposure.
    least : float
        Smallest scatter that is believed, in the unit of the values: alike frames would make any other one stand out.

    Returns
    -------
    dict of int to float
        Nothing for fewer than four values: three cannot say which of them is wrong.
    """
    finite = {key: value for key, value in values.items() if math.isfinite(value)}
    if len(finite) < 4:
        return {}
    middle = statistics.median(finite.values())
    scatter = _MAD_TO_SIGMA * statistics.median(abs(value - middle) for value in finite.values())
    sigma = max(scatter, least)
    return {key: (value - middle) / sigma for key, value in finite.items()} if sigma > 0 else {}


def _median_of(frames: Sequence[Mapping[str, float]], name: str, *, missing: float = math.nan) -> float:
    values = [one[name] for one in frames if name in one]
    return statistics.median(values) if values else missing
