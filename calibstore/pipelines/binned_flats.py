"""Flats of a detector as binned pixels of all amplifiers, with their places: what gains are compared on."""

import numpy as np

from calibstore.model.camera import Detector
from calibstore.pipelines.corrected_frames import CorrectedFrame
from calibstore.pipelines.flat_pairs import amplifier_reader
from kernels.arrays import Vector
from kernels.binning import bin_mean
from kernels.gain_ratio import BinnedFlat


def binned_flat(
    detector: Detector,
    frame: CorrectedFrame,
    factors: Vector,
    *,
    bin_px: int,
    edge_px: int,
    pixel_size_mm: float,
    has_radius: bool,
) -> BinnedFlat:
    """Return the binned pixels of one flat.

    Parameters
    ----------
    detector : Detector
        Geometry.
    frame : CorrectedFrame
        Open exposure.
    factors : ndarray of shape (n_amp,), float64
        What each amplifier of the detector is multiplied by; NaN leaves it out, as does being bad.
    bin_px : int
        Side of a bin [pixel].
    edge_px : int
        Pixels along every edge of an amplifier that are left out.
    pixel_size_mm : float
        Side of a pixel [mm].
    has_radius : bool
        Whether the distance from the middle of the focal plane is wanted.
    """
    values, owners, xs, ys = [], [], [], []
    with amplifier_reader(frame) as reader:
        for index, (amplifier, state) in enumerate(zip(detector.amplifiers, frame.amplifiers, strict=True)):
            if state.is_bad or not np.isfinite(factors[index]):
                continue
            image, is_used = reader.read(index)
            height, width = image.shape
            inner = np.s_[edge_px : height - edge_px, edge_px : width - edge_px]
            binned = bin_mean(np.where(is_used, image, np.float32(np.nan))[inner], bin_px).astype(np.float64)
            rows, columns = (edge_px + (np.arange(n) + 0.5) * bin_px for n in binned.shape)
            x = amplifier.detector_x0 + (width - columns if amplifier.flip_x else columns)
            y = amplifier.detector_y0 + (height - rows if amplifier.flip_y else rows)
            values.append((binned * factors[index]).ravel())
            owners.append(np.full(binned.size, index, np.int64))
            xs.append(np.broadcast_to(x[None, :], binned.shape).ravel())
            ys.append(np.broadcast_to(y[:, None], binned.shape).ravel())
    if not values:
        nothing = np.empty(0)
        return BinnedFlat(values=nothing, amplifier=np.empty(0, np.int64), x_px=nothing, y_px=nothing)
    x_px, y_px = np.concatenate(xs), np.concatenate(ys)
    x_mm, y_mm = focal_mm(detector, x_px, y_px, pixel_size_mm)
    return BinnedFlat(
        values=np.concatenate(values),
        amplifier=np.concatenate(owners),
        x_px=x_px,
        y_px=y_px,
        radius=np.hypot(x_mm, y_mm) if has_radius else None,
    )


def focal_mm(detector: Detector, x_px: Vector, y_px: Vector, pixel_size_mm: float) -> tuple[Vector, Vector]:
    """Return places on the focal plane of places in the assembled detector; quarter turns are counter-clockwise.

    Parameters
    ----------
    detector : Detector
        Its middle and quarter turns.
    x_px, y_px : ndarray of any one shape, float64
        From the lower left corner of the assembled detector [pixel].
    pixel_size_mm : float
        Side of a pixel [mm].

    Returns
    -------
    x_mm, y_mm : ndarray of that shape, float64
    """
    x, y = (x_px - detector.width / 2) * pixel_size_mm, (y_px - detector.height / 2) * pixel_size_mm
    for _ in range(detector.quarter_turns % 4):
        x, y = -y, x
    return x + detector.center_x_mm, y + detector.center_y_mm
