"""The clipped combination of open exposures of one detector, in row bands.

Work is done in adu; the gain is applied to the result, which is the same for a clipped mean and costs one product
instead of twenty.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from calibstore.model.camera import Detector
from calibstore.pipelines.bad_amplifiers import BadAmplifiers, dead_amplifiers
from calibstore.pipelines.clip_rule import frame_combiner
from calibstore.pipelines.detector_frames import ELECTRON, DetectorFrame, placements_of
from kernels.arrays import Image
from kernels.assembly import AmplifierPlacement, oriented, row_bands
from kernels.combine import Combined

_QUANTISATION_ADU: Final = 0.5


def combined_bands(
    detector: Detector,
    frames: Sequence[DetectorFrame],
    *,
    units: str = ELECTRON,
    n_sigma: float | None = 3.0,
    max_iter: int = 3,
    band_rows: int = 32,
    bad: BadAmplifiers | None = None,
) -> Iterator[tuple[int, Combined]]:
    """Combine open frames band by band.

    Parameters
    ----------
    detector : Detector
        Geometry, gains and read noise.
    frames : sequence of DetectorFrame
        Open exposures.
    units : {"electron", "adu"}
        Unit of the result.
    n_sigma, max_iter
        As in `kernels.combine.clipped_mean`.
    band_rows : int
        Rows of each frame held in memory.
    bad : BadAmplifiers, optional
        Amplifiers that take no part; by default those that are dead.

    Yields
    ------
    tuple of int and Combined
        First row and whole assembled rows, as the detector shows them (flips done), from the bottom up. The arrays are
        overwritten by the next band. Pixels of no amplifier, and those without a finite sample, are NaN with count 0.

    Raises
    ------
    UserInputError
        If the clip could never reject anything for this number of frames, or there is no frame.
    StoreError
        If a file cannot be read in full.
    """
    placements = placements_of(detector)
    found = dead_amplifiers(detector, frames) if bad is None else bad
    left_out = [set(found.indices(number)) for number in range(len(frames))]
    gains = np.array([a.gain_e_per_adu if units == ELECTRON else 1.0 for a in detector.amplifiers], np.float32)
    is_quantised = all(frame.is_quantised for frame in frames)
    combiner = frame_combiner(
        len(frames), n_sigma=n_sigma, max_iter=max_iter, minimum_sigma=_QUANTISATION_ADU if is_quantised else 0.0
    )
    width = detector.width
    stack = np.full((len(frames), band_rows, width), np.nan, np.float32)
    planes = Combined(
        np.empty((band_rows, width), np.float32),
        np.empty((band_rows, width), np.float32),
        np.empty((band_rows, width), np.int16),
    )
    for y0, y1 in row_bands(placements, detector_height=detector.height, band_rows=band_rows):
        inside = [i for i, p in enumerate(placements) if p.detector_y0 <= y0 and y1 <= p.detector_y0 + p.height]
        band = stack[:, : y1 - y0]
        if sum(placements[i].width for i in inside) < width:
            band[...] = np.nan
        for index in inside:
            rows, columns = placements[index].raw_rows(y0, y1), placements[index].detector_columns
            for frame, pixels, bad_here in zip(frames, band, left_out, strict=True):
                frame.read_data(index, *rows, out=pixels[:, columns])
                if index in bad_here:
                    pixels[:, columns] = np.nan
        out = Combined(planes.mean[: y1 - y0], planes.variance[: y1 - y0], planes.count[: y1 - y0])
        combiner.combine(list(band), frame_variance=_frame_variance(detector, frames, inside), out=out)
        for index in inside:
            _finish_amplifier(out, placements[index], gains[index])
        yield y0, out


def _frame_variance(detector: Detector, frames: Sequence[DetectorFrame], inside: Sequence[int]) -> Image:
    """Return the variance of one sample per column [adu^2]: read noise of the camera file, else of the overscan."""
    columns = np.full((1, detector.width), np.nan, np.float32)
    for index in inside:
        amplifier = detector.amplifiers[index]
        sigma = amplifier.read_noise_e / amplifier.gain_e_per_adu
        measured = [frame.levels[index].serial for frame in frames]
        if sigma == 0.0:
            found = [levels.residual_stdev for levels in measured if levels is not None]
            sigma = float(np.median(found)) if found else float("nan")
        columns[:, amplifier.place.slices[1]] = sigma**2
    return columns


def _finish_amplifier(out: Combined, placement: AmplifierPlacement, gain: np.float32) -> None:
    columns = placement.detector_columns
    for plane in (out.mean, out.variance, out.count):
        block = plane[:, columns]
        if placement.is_flipped_x or placement.is_flipped_y:
            turned = oriented(block, is_flipped_x=placement.is_flipped_x, is_flipped_y=placement.is_flipped_y)
            block[...] = turned.copy()
    if gain != 1.0:
        out.mean[:, columns] *= gain
        out.variance[:, columns] *= gain * gain
