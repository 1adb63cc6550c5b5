"""How far two products of the same detector are apart."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibstore.datastore.product_fits import read_plane
from kernels.binning import bin_mean
from kernels.statistics import percentiles

_BIN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDifference:
    """Statistics of new minus present, binned by 8 pixels so that read noise does not hide structure."""

    median: float
    """In the unit of the products."""
    half_width_16_84: float
    largest: float
    """Largest distance from the median."""


def compare_products(new: Path, present: Path) -> ProductDifference | None:
    """Compare the image planes of two products.

    Parameters
    ----------
    new, present : Path
        Product files of one detector.

    Returns
    -------
    ProductDifference or None
        None when the images have different sizes or share no finite pixel.

    Raises
    ------
    StoreError
        If a file is missing or damaged.
    """
    ours, theirs = (read_plane(path).astype(np.float32, copy=False) for path in (new, present))
    if ours.shape != theirs.shape:
        return None
    binned = bin_mean(ours - theirs, _BIN)
    if not np.isfinite(binned).any():
        return None
    low, middle, high = (float(value) for value in percentiles(binned, (16, 50, 84)))
    return ProductDifference(
        median=middle,
        half_width_16_84=(high - low) / 2,
        largest=float(np.nanmax(np.abs(binned - middle))),
    )
