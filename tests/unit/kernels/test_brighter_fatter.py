"""The brighter-fatter correction: against a plain double-precision form, flux, holes, edges, and both axes."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from kernels import brighter_fatter
from kernels.brighter_fatter import correct_brighter_fatter
from kernels.errors import KernelError


def build_kernel(size: int = 9, strength: float = 1.5e-6) -> np.ndarray:
    """A kernel in [x lag, y lag] that is narrower along x."""
    x, y = np.mgrid[:size, :size] - size // 2
    return -strength / np.sqrt(2.0 * x**2 + y**2 + 1) * (np.hypot(x, y) < size // 2)


def star(shape=(61, 80), flux: float = 4e5, sigma: float = 1.6) -> np.ndarray:
    y, x = np.indices(shape)
    profile = np.exp(-((x - 40.3) ** 2 + (y - 30.1) ** 2) / (2 * sigma**2))
    return (300 + flux * profile / profile.sum()).astype(np.float32)


def plain_correction(image: np.ndarray, kernel: np.ndarray, n_iter: int) -> np.ndarray:
    """The product rule, pixel sums written out, kernel turned to (y, x)."""
    exact = image.astype(np.float64)
    current = exact
    for _ in range(n_iter):
        potential = convolve(current, kernel.T, mode="nearest")
        potential, charge = np.pad(potential, 1, mode="edge"), np.pad(current, 1, mode="edge")
        total = 0.0
        for axis in (0, 1):
            slope = (np.roll(potential, -1, axis) - np.roll(potential, 1, axis)) / 2
            change = (np.roll(charge, -1, axis) - np.roll(charge, 1, axis)) / 2
            curvature = np.roll(potential, -1, axis) - 2 * potential + np.roll(potential, 1, axis)
            total = total + (change * slope + charge * curvature)[1:-1, 1:-1]
        current = exact + total / 2
    return current


def test_equals_the_sums_written_out_whatever_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    image, kernel = star(), build_kernel()
    corrected, n_iter = correct_brighter_fatter(image, kernel, threshold=0.1)
    assert 2 <= n_iter < 10
    # float32 storage of pixels up to 3e4 e
    np.testing.assert_allclose(corrected, plain_correction(image, kernel, n_iter), atol=0.01)
    monkeypatch.setattr(brighter_fatter, "BAND_ROWS", 13)
    np.testing.assert_allclose(correct_brighter_fatter(image, kernel, threshold=0.1)[0], corrected, atol=0.01)


def test_charge_returns_to_the_peak_and_along_the_axis_of_the_kernel() -> None:
    image = star()
    y, x = np.indices(image.shape)

    def widths(pixels: np.ndarray) -> tuple[float, float]:
        weight = np.maximum(pixels.astype(np.float64) - 300, 0)
        return tuple(
            float((weight * (axis - (weight * axis).sum() / weight.sum()) ** 2).sum() / weight.sum()) for axis in (x, y)
        )

    corrected = correct_brighter_fatter(image, build_kernel(), threshold=1)[0]
    assert corrected.max() > image.max()
    before, after = widths(image), widths(corrected)
    # the kernel is steeper along x, which is its first index and the columns of the image
    assert before[0] - after[0] > 1.05 * (before[1] - after[1]) > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_conserving_form_keeps_the_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.poisson(star(flux=1e6)).astype(np.float32)
    corrected, _ = correct_brighter_fatter(image, build_kernel(), is_flux_conserving=True)
    # only the rounding of float32 pixels is left: 5000 pixels of a few e-5 e each
    assert abs(corrected.sum(dtype=np.float64) - image.sum(dtype=np.float64)) < 0.5
    assert np.abs(corrected - image).max() > 100


def test_a_flat_image_stays_as_it_is() -> None:
    image = np.full((40, 50), 5e4, np.float32)
    for is_conserving in (False, True):
        corrected, n_iter = correct_brighter_fatter(image, build_kernel(), is_flux_conserving=is_conserving)
        np.testing.assert_allclose(corrected, image, atol=0.01)
        assert n_iter == 1


def test_a_hole_stays_and_does_not_spread() -> None:
    image = star()
    image[5, 6] = np.nan
    corrected, _ = correct_brighter_fatter(image, build_kernel())
    assert np.isnan(corrected[5, 6])
    assert np.isfinite(corrected).sum() == image.size - 1


def test_unfit_kernels_are_refused() -> None:
    image = star()
    with pytest.raises(KernelError, match="square and odd"):
        correct_brighter_fatter(image, np.zeros((8, 8)))
    with pytest.raises(KernelError, match="not finite"):
        correct_brighter_fatter(image, np.full((9, 9), np.nan))
    with pytest.raises(KernelError, match="smaller than the kernel"):
        correct_brighter_fatter(image[:5], build_kernel())
