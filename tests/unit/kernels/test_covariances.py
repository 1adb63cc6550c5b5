"""Covariances against a direct sum in float64: mild masks, heavy masks, edges, odd sizes, nothing to sum."""

import tracemalloc

import numpy as np
import pytest

from kernels.covariances import covariances
from kernels.errors import NotEnoughDataError


def direct(image: np.ndarray, is_used: np.ndarray, n_lags: int) -> tuple[np.ndarray, np.ndarray]:
    """The definition, pixel pair by pixel pair, in float64."""
    values, counts = np.zeros((2, n_lags, n_lags))
    pixels = np.where(is_used, image, 0).astype(np.float64)
    ny, nx = image.shape
    for i in range(n_lags):
        for j in range(n_lags):
            found = []
            for lag in {j, -j} if i else {j}:
                first = slice(max(0, -lag), ny - max(0, lag)), slice(0, nx - i)
                second = slice(max(0, lag), ny - max(0, -lag)), slice(i, nx)
                both = is_used[first] & is_used[second]
                a, b = pixels[first][both], pixels[second][both]
                found.append(((a * b).mean() - a.mean() * b.mean(), both.sum()))
            values[i, j], counts[i, j] = np.mean(found, axis=0)
    return values, counts


@pytest.mark.parametrize(
    ("shape", "masked"), [((64, 96), 0.0), ((61, 53), 0.003), ((64, 96), 0.015), ((40, 90), 0.3), ((12, 13), 0.05)]
)
@pytest.mark.parametrize("n_lags", [1, 8, 10])
@pytest.mark.parametrize("seed", [1, 2])
def test_covariances_equal_a_direct_sum(shape: tuple[int, int], masked: float, n_lags: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(40, 170, shape)
    image[:, 1:] += 0.3 * image[:, :-1]
    image[1:] -= 0.2 * image[:-1]
    is_used = rng.random(shape) >= masked
    is_used[0, :2] = masked == 0  # masked pixels at a corner and an edge too
    given = np.where(is_used, image, np.nan).astype(np.float32)  # an unused pixel may be anything
    found = covariances(given, is_used, n_lags=n_lags)
    values, counts = direct(given, is_used, n_lags)
    np.testing.assert_array_equal(found.n_pixels, counts)
    # issue: 1e-6 of the variance; sums of 500 float32 products err by about 1e-8
    np.testing.assert_allclose(found.values, values, rtol=0, atol=1e-6 * values[0, 0])


def test_each_lag_has_its_place() -> None:
    noise = np.random.default_rng(3).standard_normal((300, 200)).astype(np.float32)
    image = noise.copy()
    image[:, 2:] += 0.5 * noise[:, :-2]  # two columns apart: serial lag 2
    image[3:, 1:] += 0.4 * noise[:-3, :-1]  # three rows and one column: diagonal of one sign only
    found = covariances(image, np.ones(image.shape, np.bool_), n_lags=5).values
    # one diagonal holds 0.4, the other 0.5 x 0.4; sampling error of 60 000 pixels of variance 1.4: 0.006
    assert found[2, 0] == pytest.approx(0.5, abs=0.03)
    assert found[1, 3] == pytest.approx((0.4 + 0.5 * 0.4) / 2, abs=0.03)
    assert abs(found[0, 2]) < 0.03
    assert abs(found[3, 1]) < 0.03


@pytest.mark.parametrize("shape", [(9, 50), (50, 9)])
def test_an_image_smaller_than_its_lags_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(NotEnoughDataError, match="10 lags"):
        covariances(np.zeros(shape, np.float32), np.ones(shape, np.bool_))


def test_no_pixel_and_no_pair_are_refused() -> None:
    image, is_used = np.zeros((20, 20), np.float32), np.zeros((20, 20), np.bool_)
    with pytest.raises(NotEnoughDataError):
        covariances(image, is_used)
    is_used[5, 5] = True
    with pytest.raises(NotEnoughDataError, match="pixel pair"):
        covariances(image, is_used)


def test_memory_is_one_padded_amplifier() -> None:
    image = np.random.default_rng(4).standard_normal((1000, 500)).astype(np.float32)
    is_used = np.random.default_rng(5).random(image.shape) > 0.002
    tracemalloc.start()
    try:
        covariances(image, is_used, n_lags=10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # the padded copy, one byte-sized mask, a plane of masked neighbours, tiles
    assert peak < 2.6 * image.nbytes
