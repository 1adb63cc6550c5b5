"""Two products with a known difference."""

from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import write_image
from calibstore.pipelines.compare_products import compare_products

RNG = np.random.default_rng(5)
PRESENT = RNG.normal(0.0, 1.0, (96, 128)).astype(np.float32)


def _written(path: Path, image: np.ndarray) -> Path:
    write_image(path, image.astype(np.float32), cards={}, unit="electron")
    return path


def test_an_offset_and_a_bright_block_are_found(tmp_path: Path) -> None:
    new = PRESENT + 2.5
    new[8:16, 16:24] += 10.0
    apart = compare_products(_written(tmp_path / "new.fits", new), _written(tmp_path / "old.fits", PRESENT))
    assert apart is not None
    assert apart.median == pytest.approx(2.5, abs=1e-5)
    assert apart.half_width_16_84 == pytest.approx(0.0, abs=1e-5)
    assert apart.largest == pytest.approx(10.0, abs=1e-4)


def test_images_of_different_size_are_not_compared(tmp_path: Path) -> None:
    assert compare_products(_written(tmp_path / "a.fits", PRESENT), _written(tmp_path / "b.fits", PRESENT[:-1])) is None
