"""Statistics of a raw frame from a few of its rows, cheap enough to be taken of every frame that is ingested."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Final

from calibstore.datastore.raw_sample import sample_rows
from calibstore.errors import CabstandError
from calibstore.model.camera import Amplifier, Detector
from calibstore.model.frame_levels import BRIGHT_E
from kernels.arrays import Image
from kernels.frame_sample import AmplifierSample, sample_statistics

N_ROWS: Final = 8
"""Rows of each amplifier that are read: with them a level is known to a tenth of an adu."""
_DIGITS: Final = 6


def measure_frame(path: Path, detector: Detector) -> dict[str, float]:
    """Return what some rows of a raw frame tell of it, as it is kept with its row in the store.

    Parameters
    ----------
    path : Path
        The raw file.
    detector : Detector
        Its geometry, gains and saturation levels.

    Returns
    -------
    dict of str to float
        The numbers of `kernels.frame_sample.FrameSample` that are known; empty where the pixels cannot be read by
        rows: whether a frame is whole is judged elsewhere.
    """
    wanted = [(one.extension, _rows(one)) for one in detector.amplifiers]
    try:
        found = sample_rows(path, wanted)
    except (CabstandError, OSError, ValueError, IndexError):
        return {}
    if found is None:
        return {}
    samples = [
        _sample(rows, y_rows, one) for rows, (_, y_rows), one in zip(found, wanted, detector.amplifiers, strict=True)
    ]
    numbers = asdict(sample_statistics(samples, bright_e=BRIGHT_E))
    return {name: _short(value) for name, value in numbers.items() if math.isfinite(value)}


def _rows(amplifier: Amplifier) -> list[int]:
    box, n = amplifier.data, min(N_ROWS, amplifier.data.height)
    return [box.y0 + (2 * k + 1) * box.height // (2 * n) for k in range(n)]


def _sample(rows: Image, y_rows: list[int], amplifier: Amplifier) -> AmplifierSample:
    data, overscan = amplifier.data, amplifier.serial_overscan
    beside = overscan is not None and overscan.y0 <= y_rows[0] and y_rows[-1] < overscan.y1
    return AmplifierSample(
        data=rows[:, data.x0 : data.x1],
        overscan=rows[:, overscan.x0 : overscan.x1] if overscan is not None and beside else None,
        gain_e_per_adu=amplifier.gain_e_per_adu,
        saturation_adu=amplifier.saturation_adu,
    )


def _short(value: float) -> float:
    """Return a number as it is worth keeping; the sample knows no more digits."""
    return float(f"{value:.{_DIGITS}g}")
