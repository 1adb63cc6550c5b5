"""The clipped mean against a plain float64 loop of the same rule, and what it refuses."""

import numpy as np
import pytest

from kernels.clip_bounds import max_rejectable_sigma, require_rejectable
from kernels.combine import (
    IQR_TO_SIGMA,
    ClippedMeanCombiner,
    Combined,
    clipped_mean,
)
from kernels.errors import ClipCannotRejectError, KernelError, NotEnoughDataError


def reference(cube, n_sigma=3.0, max_iter=3, frame_variance=None):
    """Loop over pixels in float64: median and IQR first, then mean and standard deviation."""
    n, ny, nx = cube.shape
    mean, variance, count = np.full((ny, nx), np.nan), np.full((ny, nx), np.nan), np.zeros((ny, nx), int)
    for y, x in np.ndindex(ny, nx):
        values = cube[:, y, x].astype(np.float64)
        values = values[np.isfinite(values)]
        if values.size == 0:
            continue
        low, center, high = np.percentile(values, [25, 50, 75])
        width = IQR_TO_SIGMA * (high - low)
        for _ in range(max_iter):
            kept = values[np.abs(values - center) <= n_sigma * width]
            center, width = kept.mean(), kept.std()
        mean[y, x], count[y, x] = center, kept.size
        if n < 5:
            variance[y, x] = frame_variance / kept.size
        elif kept.size > 1:
            variance[y, x] = kept.var(ddof=1) / kept.size
    return mean, variance, count


def frames(n, *, shape=(20, 30), level=1000.0, seed=0):
    rng = np.random.default_rng(seed)
    cube = rng.normal(level, 10.0, (n, *shape)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.01] += 3000
    return cube


@pytest.mark.parametrize("n", [4, 5, 7, 20, 60])
def test_equals_the_float64_rule_with_outliers_and_gaps(n: int) -> None:
    cube = frames(n)
    cube[np.random.default_rng(5).random(cube.shape) < 0.03] = np.nan
    cube[:, 3, 3], cube[0, 5, 5] = np.nan, np.inf
    found = clipped_mean(cube, frame_variance=100.0)
    mean, variance, count = reference(cube, frame_variance=100.0)
    np.testing.assert_array_equal(found.count, count)
    np.testing.assert_allclose(found.mean, mean, atol=3e-4)
    np.testing.assert_allclose(found.variance, variance, rtol=2e-5)
    assert (found.mean.dtype, found.variance.dtype, found.count.dtype) == (np.float32, np.float32, np.int16)
    assert np.isnan(found.mean[3, 3])
    assert found.count[3, 3] == 0


@pytest.mark.parametrize("max_iter", [1, 2, 4, 8])
def test_any_number_of_clips_equals_the_float64_rule(max_iter: int) -> None:
    cube = frames(9, shape=(60, 60), seed=2)
    cube += np.random.default_rng(3).exponential(30, cube.shape).astype(np.float32)  # long tails: many rounds
    found = clipped_mean(cube, n_sigma=2.0, max_iter=max_iter)
    mean, _, count = reference(cube, n_sigma=2.0, max_iter=max_iter)
    assert (found.count != count).mean() < 1e-3  # a sample may sit on the limit
    same = found.count == count
    np.testing.assert_allclose(found.mean[same], mean[same], atol=1e-2)


def test_tiles_do_not_show() -> None:
    cube = frames(9)
    whole = clipped_mean(cube)
    tiled = ClippedMeanCombiner(9, tile_pixels=37).combine(list(cube))
    np.testing.assert_array_equal(tiled.mean, whole.mean)
    np.testing.assert_array_equal(tiled.count, whole.count)
    np.testing.assert_allclose(tiled.variance, whole.variance, rtol=1e-6)


def test_level_far_above_zero_keeps_its_digits() -> None:
    cube = frames(20, level=60_000.0)
    mean, variance, _ = reference(cube)
    found = clipped_mean(cube)
    np.testing.assert_allclose(found.mean, mean, atol=0.01)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-4)


def test_a_mask_takes_its_sample_out() -> None:
    cube = frames(8)
    masks = [None] * 8
    masks[2] = np.zeros(cube.shape[1:], np.int32)
    masks[2][4, 4] = 2
    gapped = cube.copy()
    gapped[2, 4, 4] = np.nan
    found, wanted = clipped_mean(cube, masks=masks), clipped_mean(gapped)
    np.testing.assert_array_equal(found.mean, wanted.mean)
    np.testing.assert_array_equal(found.count, wanted.count)


def test_bands_given_as_a_list_and_out_planes() -> None:
    cube = frames(6)
    planes = Combined(*(np.empty(cube.shape[1:], t) for t in (np.float32, np.float32, np.int16)))
    before = cube.copy()
    found = clipped_mean([frame[:10] for frame in cube], out=Combined(*(p[:10] for p in astuple(planes))))
    np.testing.assert_array_equal(planes.mean[:10], clipped_mean(cube).mean[:10])
    assert np.shares_memory(found.mean, planes.mean)
    np.testing.assert_array_equal(cube, before)


def astuple(planes: Combined):
    return planes.mean, planes.variance, planes.count


def test_no_clip_is_the_plain_mean() -> None:
    cube = frames(6)
    found = clipped_mean(cube, n_sigma=None)
    np.testing.assert_allclose(found.mean, cube.mean(axis=0, dtype=np.float64), rtol=1e-6)
    assert (found.count == 6).all()
    np.testing.assert_allclose(found.variance, cube.var(axis=0, ddof=1, dtype=np.float64) / 6, rtol=2e-5)
    cube[1, 0, 0] = np.nan
    assert clipped_mean(cube, n_sigma=None).count[0, 0] == 5


def test_quantised_frames_keep_neighbouring_steps() -> None:
    cube = np.full((7, 1, 1), 100.0, np.float32)
    cube[6] = 101.0
    assert clipped_mean(cube).count[0, 0] == 6
    assert clipped_mean(cube, minimum_sigma=0.5).count[0, 0] == 7


def test_one_cosmic_ray_in_twenty_is_rejected_by_the_first_pass_at_five_sigma() -> None:
    cube = frames(20, seed=3)
    cube[11] += 2000
    assert (clipped_mean(cube, n_sigma=5.0).count < 20).all()


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_bound_of_the_first_pass_is_reached_and_never_passed(n: int) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(20_000, n))
    samples[:, 0] += 10.0 ** rng.uniform(0, 6, 20_000)
    low, center, high = np.percentile(samples, [25, 50, 75], axis=1)
    reached = np.abs(samples[:, 0] - center) / (IQR_TO_SIGMA * (high - low))
    bound = max_rejectable_sigma(n)
    assert reached.max() <= bound * (1 + 1e-9)
    assert reached.max() > 0.999 * bound
    assert max_rejectable_sigma(5) == np.inf


def test_the_bound_of_the_standard_deviation() -> None:
    values = np.zeros(20)
    values[0] = 1e6
    assert (values[0] - values.mean()) / values.std() == pytest.approx(max_rejectable_sigma(20, "std"))
    with pytest.raises(ClipCannotRejectError) as caught:
        require_rejectable(20, 5.0, "std")
    assert caught.value.needed_frames == 27
    require_rejectable(27, 5.0, "std")


@pytest.mark.parametrize(("n", "n_sigma", "needed"), [(1, 3.0, 4), (2, 3.0, 4), (3, 3.0, 4), (4, 6.0, 5)])
def test_a_clip_that_cannot_reject_is_refused_with_the_reason(n: int, n_sigma: float, needed: int) -> None:
    with pytest.raises(ClipCannotRejectError, match="can never reject") as caught:
        clipped_mean(np.zeros((n, 2, 2), np.float32), n_sigma=n_sigma, frame_variance=1.0)
    assert caught.value.needed_frames == needed


def test_other_refusals() -> None:
    with pytest.raises(NotEnoughDataError, match="variance of a frame"):
        clipped_mean(np.zeros((4, 2, 2), np.float32))
    with pytest.raises(NotEnoughDataError, match="no frame"):
        clipped_mean([])
    with pytest.raises(KernelError, match=r"need >= 1\.5"):
        clipped_mean(np.zeros((6, 2, 2), np.float32), n_sigma=1.0)
    with pytest.raises(KernelError, match="expected 6 frames"):
        ClippedMeanCombiner(6).combine(np.zeros((5, 2, 2), np.float32))
