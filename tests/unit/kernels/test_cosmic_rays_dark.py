"""Cosmic rays of darks: found by height and sharpness, against the tracks the simulator injected."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kernels.cosmic_rays import CosmicRayRule, cosmic_ray_pixels, grown_mask
from kernels.simulate_charge import cosmic_ray_tracks

NOISE_E, SKY_E = 5.4, 0.6


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_injected_tracks_are_masked_and_hardly_anything_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracks = cosmic_ray_tracks(rng, shape=(1000, 509), n_tracks=60)
    image = rng.poisson(SKY_E + tracks).astype(np.float32)
    image += rng.normal(0, NOISE_E, image.shape).astype(np.float32)
    found = cosmic_ray_pixels(image, sky_e=SKY_E, noise_e=NOISE_E)
    mask = grown_mask(found, image.shape)
    hit = tracks > 10 * NOISE_E
    assert hit.sum() > 300
    assert mask[hit].mean() >= 0.99
    # what is masked far from every track is false: growth beside a track is wanted
    near = grown_mask(np.flatnonzero(tracks > 0), image.shape, radius=4)
    assert (mask & ~near).mean() < 1e-5


def test_a_star_is_no_cosmic_ray_and_a_point_is() -> None:
    y, x = np.mgrid[0:41, 0:41]
    for width_px in (3.0, 3.6, 5.0):
        sigma = width_px / 2.3548
        star = (20_000 * np.exp(-((y - 20) ** 2 + (x - 20) ** 2) / (2 * sigma**2))).astype(np.float32)
        assert cosmic_ray_pixels(star, sky_e=0, noise_e=5).size == 0
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 151
    assert_array_equal(cosmic_ray_pixels(point, sky_e=0, noise_e=5), [20 * 41 + 20])
    point[20, 20] = 149
    assert cosmic_ray_pixels(point, sky_e=0, noise_e=5).size == 0
    assert cosmic_ray_pixels(point, sky_e=0, noise_e=5, rule=CosmicRayRule(minimum_e=100)).size == 1
    assert cosmic_ray_pixels(point, sky_e=0, noise_e=30, rule=CosmicRayRule(minimum_e=100)).size == 0


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (1, 1), (1, -1)])
def test_a_long_track_along_each_axis_is_sharp_across_it(step: tuple[int, int]) -> None:
    image = np.random.default_rng(5).normal(0, 5, (50, 50)).astype(np.float32)
    pixels = [(25 + i * step[0], 25 + i * step[1]) for i in range(-9, 10)]
    for y, x in pixels:
        image[y, x] += 800
    found = set(cosmic_ray_pixels(image, sky_e=0, noise_e=5).tolist())
    assert {y * 50 + x for y, x in pixels} <= found


def test_faint_parts_beside_a_found_pixel_are_followed_a_few_steps() -> None:
    image = np.zeros((9, 30), np.float32)
    image[4, 5:16] = 40.0
    image[4, 5] = 900.0
    found = cosmic_ray_pixels(image, sky_e=0, noise_e=5)
    assert_array_equal(found, 4 * 30 + np.arange(5, 9))


def test_edges_bad_pixels_and_missing_values() -> None:
    image = np.zeros((6, 7), np.float32)
    image[0, 0] = image[5, 6] = image[3, 3] = 500
    image[3, 4] = np.nan
    assert_array_equal(cosmic_ray_pixels(image, sky_e=0, noise_e=5), [0, 3 * 7 + 3, 5 * 7 + 6])
    bad = np.zeros(image.shape, bool)
    bad[3, 3] = True
    assert_array_equal(cosmic_ray_pixels(image, sky_e=0, noise_e=5, bad=bad), [0, 41])
    assert cosmic_ray_pixels(np.full((3, 3), np.nan, np.float32), sky_e=0, noise_e=5).size == 0


def test_growth_is_round_and_stays_inside() -> None:
    mask = grown_mask(np.array([2 * 7 + 3, 0]), (5, 7), radius=2)
    expected = [
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
    ]
    assert_array_equal(mask.astype(int), expected)
    assert not grown_mask(np.array([], np.intp), (3, 3)).any()
