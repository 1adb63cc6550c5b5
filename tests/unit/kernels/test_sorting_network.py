"""The pruned network gives the ranks a full sort gives."""

import numpy as np
import pytest

from kernels.sorting_network import batcher_comparators, network_program


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 8, 13, 20, 31, 48])
def test_every_rank_equals_that_of_a_full_sort(n_rows: int) -> None:
    rows = np.random.default_rng(n_rows).normal(size=(n_rows, 200)).astype(np.float32)
    program = network_program(n_rows, tuple(range(n_rows)))
    scratch = np.empty((program.n_scratch, 200), np.float32)
    found = program.run(list(rows.copy()), scratch)
    np.testing.assert_array_equal([found[rank] for rank in range(n_rows)], np.sort(rows, axis=0))


def test_inputs_are_not_changed() -> None:
    rows = np.random.default_rng(1).normal(size=(9, 50)).astype(np.float32)
    before = rows.copy()
    program = network_program(9, (0, 4, 8))
    program.run(list(rows), np.empty((program.n_scratch, 50), np.float32))
    np.testing.assert_array_equal(rows, before)


def test_pruning_drops_what_the_median_does_not_need() -> None:
    everything = len(network_program(20, tuple(range(20))).steps)
    assert everything == 2 * len(batcher_comparators(20))
    assert len(network_program(20, (9, 10)).steps) <= 0.75 * everything


def test_a_rank_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="not all within"):
        network_program(3, (3,))
