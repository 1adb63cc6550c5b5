"""Amplifiers that give nothing: told from a frame's own pixels, and listed over the frames of a build.

An amplifier that is noisy is alive and stays. One whose serial overscan has no noise at all is dead or pegged to an end
of the converter's scale, and what is left after the overscan is a plausible zero.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import ExecutionError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import REASON_KEY
from calibstore.pipelines.detector_frames import DetectorFrame, placements_of
from calibstore.pipelines.quantum import RawInput
from kernels.isr_levels import DEAD_NOISE_ADU, LevelLimits, amplifier_fault
from kernels.isr_pixels import DITHER_VARIANCE
from kernels.statistics import clipped_statistics

_UNLIMITED: Final = LevelLimits(noise_limit_e=math.inf, shift_limit_sigma=math.inf)
_OF_TABLE: Final = re.compile(r"(?:^|\()(ptc|linearizer|cti): ")
"""How a reason begins that a table gives."""
_SAMPLED_ROWS: Final = 16
_CONVERTER_ENDS_ADU: Final = (2.0**16 - 1, 2.0**18 - 1)


def overscan_noise_adu(frame: DetectorFrame, index: int) -> float:
    """Return the noise of an amplifier's serial overscan without what a dither adds [adu]; NaN where it has none."""
    levels = frame.levels[index]
    return math.nan if levels.serial is None else _without_dither(frame, levels.serial.residual_stdev)


def dead_fault(detector: Detector, frame: DetectorFrame, index: int, *, gain_e_per_adu: float) -> str:
    """Say that an amplifier of an exposure is dead, however it is processed.

    Parameters
    ----------
    detector : Detector
        Read noise of the camera file: tells a quiet amplifier from a dead one.
    frame : DetectorFrame
        Open exposure.
    index : int
        Number of the amplifier.
    gain_e_per_adu : float
        Gain; one that is not known is no fault here.

    Returns
    -------
    str
        Empty where the amplifier lives, or has no serial overscan to tell it by.
    """
    amplifier, serial = detector.amplifiers[index], frame.levels[index].serial
    noise_adu = overscan_noise_adu(frame, index)
    if serial is None or not noise_adu < DEAD_NOISE_ADU:
        return ""
    fault = amplifier_fault(
        gain_e_per_adu=gain_e_per_adu if gain_e_per_adu > 0 else 1.0,
        noise_adu=noise_adu,
        expected_noise_e=amplifier.read_noise_e or math.nan,
        limits=_UNLIMITED,
    )
    level_adu = serial.median + frame.levels[index].zero_adu
    is_pegged = level_adu <= 0 or level_adu >= amplifier.saturation_adu or level_adu in _CONVERTER_ENDS_ADU
    # light or a pattern in the image is a sign of life, unless the zero it is counted from is cut off
    return fault if is_pegged or not _image_noise_adu(detector, frame, index) >= DEAD_NOISE_ADU else ""


def _image_noise_adu(detector: Detector, frame: DetectorFrame, index: int) -> float:
    """Return the clipped scatter of an amplifier's imaging pixels, from rows spread over it [adu]."""
    place = placements_of(detector)[index]
    rows = np.unique(np.linspace(0, place.height - 1, _SAMPLED_ROWS).astype(int)) + place.data_y0
    out = np.empty((rows.size, place.width), np.float32)
    for number, y in enumerate(rows.tolist()):
        frame.read_data(index, y, y + 1, out=out[number : number + 1], with_columns=False)
    if not np.isfinite(out).any():
        return math.nan
    return _without_dither(frame, float(clipped_statistics(out).stdev))


def _without_dither(frame: DetectorFrame, noise_adu: float) -> float:
    return math.sqrt(max(noise_adu**2 - DITHER_VARIANCE, 0.0)) if frame.is_dithered else noise_adu


@dataclass(frozen=True, slots=True, kw_only=True)
class BadAmplifiers:
    """Which amplifiers of which frames take no part in a build, and why."""

    names: tuple[str, ...]
    """Of all amplifiers, in HDU order."""
    raws: tuple[RawInput, ...]
    by_frame: tuple[Mapping[str, str], ...]
    """Reasons by name, for each frame."""
    everywhere: Mapping[str, str] = field(default_factory=dict)
    """Reasons by name of those that are bad only by all frames together."""

    def indices(self, number: int) -> list[int]:
        """Return the amplifiers of a frame that take no part."""
        bad = {**self.by_frame[number], **self.everywhere}
        return [index for index, name in enumerate(self.names) if name in bad]

    @property
    def reasons(self) -> dict[str, str]:
        """Amplifiers that are bad in every frame, with the reason most frames give."""
        found = {}
        for name in self.names:
            told = [bad[name] for bad in self.by_frame if name in bad]
            if name in self.everywhere:
                found[name] = self.everywhere[name]
            elif len(told) == len(self.by_frame):
                found[name] = Counter(told).most_common(1)[0][0]
        return found

    def cards(self) -> dict[str, CardValue]:
        """Return one card for each amplifier without a value."""
        return {REASON_KEY + name: reason for name, reason in self.reasons.items()}

    def details(self) -> dict[str, object]:
        """Return bad_amplifiers (name to reason) and amplifiers_left_out (those of single exposures)."""
        whole = self.reasons
        return {
            "bad_amplifiers": whole,
            "amplifiers_left_out": [
                {"exposure": raw.exposure, "amplifier": name, "reason": reason}
                for raw, bad in zip(self.raws, self.by_frame, strict=True)
                for name, reason in bad.items()
                if name not in whole
            ],
        }

    def require_some(self, detector: Detector) -> None:
        """Refuse a build with a frame of which nothing is left.

        Parameters
        ----------
        detector : Detector
            Name for the message.

        Raises
        ------
        ExecutionError
            If all amplifiers of a frame are bad.
        """
        for number, raw in enumerate(self.raws):
            if len(self.indices(number)) == len(self.names):
                raise nothing_usable(detector, raw, {**self.by_frame[number], **self.everywhere})


def nothing_usable(detector: Detector, raw: RawInput, reasons: Mapping[str, str]) -> ExecutionError:
    """Return the error of an exposure without a usable amplifier: the remedy is that of what made most of them bad.

    Parameters
    ----------
    detector : Detector
        Name for the message.
    raw : RawInput
        The exposure.
    reasons : mapping of str to str
        Of all amplifiers.
    """
    name, reason = next(iter(reasons.items()))
    named = Counter(found[1] if (found := _OF_TABLE.search(told)) else "" for told in reasons.values())
    kind, n_lost = named.most_common(1)[0]
    hint = f"look at exposure {raw.exposure}, or leave it out"
    if kind:
        # every exposure is lost alike, leaving one out would only bring the next one up
        hint = (
            f"{kind} has no value for {n_lost} of {len(reasons)} amplifiers: make it again from more or better "
            f"exposures, cabstand generate {kind} TICKET, and certify it in place of this one"
        )
    return ExecutionError(
        f"{raw.path}: no amplifier of detector {detector.full_name} can be used ({name}: {reason})",
        hint=hint,
        code="E-NODATA",
    )


def dead_amplifiers(detector: Detector, frames: Sequence[DetectorFrame]) -> BadAmplifiers:
    """Return the dead amplifiers of frames that no calibration says anything of.

    Parameters
    ----------
    detector : Detector
        Gains and read noise of the camera file.
    frames : sequence of DetectorFrame
        Open exposures.
    """
    amplifiers = detector.amplifiers
    by_frame = []
    for frame in frames:
        faults = [
            dead_fault(detector, frame, index, gain_e_per_adu=one.gain_e_per_adu)
            for index, one in enumerate(amplifiers)
        ]
        by_frame.append({one.name: fault for one, fault in zip(amplifiers, faults, strict=True) if fault})
    return BadAmplifiers(
        names=tuple(one.name for one in amplifiers),
        raws=tuple(frame.raw for frame in frames),
        by_frame=tuple(by_frame),
    )
