"""Laws of the clipped mean."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kernels.combine import clipped_mean

counts = hnp.arrays(np.int32, st.tuples(st.integers(5, 12), st.just(3), st.just(4)), elements=st.integers(-100, 100))


@settings(max_examples=60, deadline=None)
@given(cube=counts, data=st.data())
def test_combining_does_not_depend_on_exposure_order(cube, data) -> None:
    order = data.draw(st.permutations(range(len(cube))))
    frames = cube.astype(np.float32)  # whole adu: every sum is exact, so even the last bit must agree
    first, second = clipped_mean(frames), clipped_mean(frames[order])
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.variance, second.variance)
    np.testing.assert_array_equal(first.count, second.count)


@settings(max_examples=40, deadline=None)
@given(cube=counts)
def test_result_lies_between_the_extremes_and_counts_within_the_frames(cube) -> None:
    found = clipped_mean(cube.astype(np.float32))
    assert (found.mean >= cube.min(axis=0)).all()
    assert (found.mean <= cube.max(axis=0)).all()
    assert ((found.count >= 1) & (found.count <= len(cube))).all()


@settings(max_examples=40, deadline=None)
@given(cube=counts, factor=st.sampled_from([0.5, 2.0, 4.0]), shift=st.integers(-1000, 1000))
def test_gain_and_level_pass_through(cube, factor, shift) -> None:
    frames = cube.astype(np.float32)
    plain, changed = clipped_mean(frames), clipped_mean(frames * np.float32(factor) + np.float32(shift))
    np.testing.assert_array_equal(changed.count, plain.count)
    np.testing.assert_allclose(changed.mean, plain.mean * factor + shift, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(changed.variance, plain.variance * factor**2, rtol=1e-4, atol=1e-6)
