"""The median of frames is numpy's, bit for bit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kernels.combine import TILE_PIXELS
from kernels.combine_median import median_combine
from kernels.errors import KernelError, NotEnoughDataError


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 19, 20, 21, 48, 49, 60])
def test_it_equals_numpy_bit_for_bit(n: int) -> None:
    rng = np.random.default_rng(n)
    stack = rng.normal(50_000, 300, (n, 7, 61)).astype(np.float32)
    stack[:, 2, 3] = 65_535  # full unsigned 16-bit range
    stack[0, 4, 5] = np.inf
    expected = np.median(stack, axis=0)
    assert_array_equal(median_combine(stack), expected)
    out = np.zeros((7, 61), np.float32)
    assert median_combine(list(stack), out=out) is out
    assert_array_equal(out, expected)


@pytest.mark.parametrize("n", [5, 20, 50])
def test_a_missing_value_shows(n: int) -> None:
    stack = np.random.default_rng(1).normal(size=(n, 3, 40)).astype(np.float32)
    stack[n // 2, 1, 7] = np.nan
    found = median_combine(stack)
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 7]]


def test_more_than_one_tile_and_refusals() -> None:
    stack = np.random.default_rng(2).normal(size=(5, 3, TILE_PIXELS // 2)).astype(np.float32)
    assert_array_equal(median_combine(stack), np.median(stack, axis=0))
    with pytest.raises(NotEnoughDataError):
        median_combine([])
    with pytest.raises(KernelError):
        median_combine([stack[0], stack[0, :2]])
