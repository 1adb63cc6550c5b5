"""Laws of the cosmic-ray finder, against a plain definition and injected truth."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kernels.cosmic_rays import cosmic_ray_mask, median_3x3


def plain_median_3x3(image: np.ndarray) -> np.ndarray:
    padded = np.pad(image, 1, mode="edge")
    shifts = [padded[y : y + image.shape[0], x : x + image.shape[1]] for y in range(3) for x in range(3)]
    return np.median(np.stack(shifts), axis=0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (64, 5), (65, 9), (130, 66)])
def test_the_network_is_the_median_of_nine(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    assert_array_equal(median_3x3(image), plain_median_3x3(image).astype(np.float32))


def test_injected_rays_are_found_and_nothing_else() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(0, 6, (1000, 509)).astype(np.float32)
    rays = np.zeros(image.shape, bool)
    rays[rng.integers(2, 998, 300), rng.integers(2, 507, 300)] = True
    image[rays] += 90.0
    found = cosmic_ray_mask(image, noise=6.0)
    assert (found & rays).sum() >= 0.98 * rays.sum()
    assert (found & ~rays).sum() <= 1e-5 * image.size + 10  # growing may take a noise peak beside a ray


def test_a_track_is_followed_along_its_faint_end() -> None:
    image = np.random.default_rng(3).normal(0, 1, (60, 60)).astype(np.float32)
    image[30, 20:24] = (100.0, 60.0, 8.0, 5.0)
    found = cosmic_ray_mask(image, noise=1.0)
    assert found[30, 20:24].all()


def test_pixels_without_value_are_neither_marked_nor_spread() -> None:
    image = np.zeros((9, 9), np.float32)
    image[4, 4], image[2, 2], image[6, 6] = np.nan, 1000.0, 1000.0
    bad = np.zeros(image.shape, bool)
    bad[2, 2] = True
    found = cosmic_ray_mask(image, noise=1.0, bad=bad)
    assert np.argwhere(found).tolist() == [[6, 6]]


def test_an_empty_or_noiseless_frame_has_no_rays() -> None:
    assert not cosmic_ray_mask(np.full((5, 5), np.nan, np.float32), noise=1.0).any()
    assert not cosmic_ray_mask(np.ones((5, 5), np.float32), noise=0.0).any()
    assert not cosmic_ray_mask(np.ones((5, 5), np.float32), noise=float("nan")).any()
