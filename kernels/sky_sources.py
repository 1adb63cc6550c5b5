"""Stars and holes in a frame of the sky: pixels that say nothing of the sky itself."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels.arrays import BoolImage, Image
from kernels.clip_bounds import IQR_TO_SIGMA
from kernels.crosstalk_measure import background
from kernels.isr_repair import grow

_ROUNDS: Final = 2
"""The second background is that between the sources of the first."""
_MOST_SAMPLES: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRule:
    """What stands out of the sky."""

    n_sigma: float = 5.0
    """Above or below the smoothed sky [sigma of the smoothed image]."""
    psf_sigma_px: float = 1.0
    """Width of the Gaussian the image is smoothed with [pixel]."""
    grow_px: int = 3
    """Neighbours of a detected pixel that belong to it [pixel]."""
    block_px: int = 64
    """Side of the blocks whose means are the sky; 0: one level [pixel]."""


def source_masks(image: Image, unusable: BoolImage, rule: SourceRule | None = None) -> tuple[BoolImage, BoolImage]:
    """Find pixels that stand above or below the sky.

    Parameters
    ----------
    image : ndarray of shape (ny, nx), float32
        Any unit.
    unusable : ndarray of shape (ny, nx), bool
        Pixels without a value to trust; never found, and not looked at.
    rule : SourceRule, optional
        Threshold and scales.

    Returns
    -------
    above, below : ndarray of shape (ny, nx), bool
        Sources and holes, grown.

    Notes
    -----
    The image less its background is smoothed with the shape of a star, missing pixels weighing nothing; the scatter is
    that of the quartiles of the smoothed image, so that neither stars nor fringes of one frame hide themselves.
    """
    from scipy.ndimage import gaussian_filter

    rule = rule or SourceRule()
    missing = unusable | ~np.isfinite(image)
    above, below = np.zeros(image.shape, np.bool_), np.zeros(image.shape, np.bool_)
    if missing.all():
        return above, below
    weight = gaussian_filter((~missing).astype(np.float32), rule.psf_sigma_px, truncate=3.0)
    is_seen = (weight > 0.5) & ~missing
    if not is_seen.any():
        return above, below
    for _ in range(_ROUNDS):
        sky = background(image, missing | above | below, rule.block_px)
        rest = np.where(missing, np.float32(0.0), image - sky)
        smooth = gaussian_filter(rest, rule.psf_sigma_px, truncate=3.0)
        np.divide(smooth, weight, out=smooth, where=is_seen)
        sample = smooth[is_seen]
        lower, middle, upper = np.percentile(sample[:: max(1, sample.size // _MOST_SAMPLES)], (25, 50, 75))
        limit = rule.n_sigma * IQR_TO_SIGMA * float(upper - lower)
        if not np.isfinite(limit):
            break
        above = grow((smooth > middle + limit) & is_seen, rule.grow_px) & ~missing
        below = grow((smooth < middle - limit) & is_seen, rule.grow_px) & ~missing
    return above, below
