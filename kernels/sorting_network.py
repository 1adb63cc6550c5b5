"""Batcher's odd-even merge network over whole rows, pruned to the ranks that are wanted.

Frames are rows; a comparator is one `minimum` and one `maximum` over a tile of pixels. Comparators (and halves of
them) whose result no wanted rank depends on are dropped, and buffers are exchanged instead of copied.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kernels.arrays import Image


@dataclass(frozen=True, slots=True)
class NetworkProgram:
    """A pruned network as straight-line code over numbered buffers."""

    n_rows: int
    """Inputs; buffers 0 .. n_rows-1 are the inputs and are never written."""
    n_scratch: int
    """Scratch buffers, numbered from `n_rows`."""
    steps: tuple[tuple[bool, int, int, int], ...]
    """(is_maximum, first operand, second operand, result) buffer numbers, in order."""
    rank_buffers: dict[int, int]
    """Buffer that holds each wanted rank at the end."""

    def run(self, rows: list[Image], scratch: Image) -> dict[int, Image]:
        """Sort each column far enough to know the wanted ranks.

        Parameters
        ----------
        rows : list of ndarray of shape (n_pixels,), float32
            One row per frame; unchanged. A NaN makes the ranks of its pixel NaN.
        scratch : ndarray of shape (>= n_scratch, >= n_pixels), float32
            Overwritten.

        Returns
        -------
        dict of int to ndarray of shape (n_pixels,), float32
            Value of each wanted rank (0 is the smallest); views of `scratch` or `rows`.
        """
        n_pixels = rows[0].shape[0]
        buffers = [*rows, *(scratch[i, :n_pixels] for i in range(self.n_scratch))]
        minimum, maximum = np.minimum, np.maximum
        for is_maximum, first, second, result in self.steps:
            (maximum if is_maximum else minimum)(buffers[first], buffers[second], out=buffers[result])
        return {rank: buffers[number] for rank, number in self.rank_buffers.items()}


def batcher_comparators(n_rows: int) -> list[tuple[int, int]]:
    """Return the comparators (low, high) of the odd-even merge sorting network.

    Parameters
    ----------
    n_rows : int
        Values to sort, any number >= 1.

    Returns
    -------
    list of tuple of int
        Pairs of positions, in order of execution.

    References
    ----------
    Batcher 1968, "Sorting networks and their applications"; Knuth, TAOCP 3, algorithm 5.2.2M.

    Examples
    --------
    >>> batcher_comparators(3)
    [(0, 2), (0, 1), (1, 2)]
    """
    comparators = []
    top = 1
    while top < n_rows:
        top *= 2
    p = top // 2
    while p > 0:
        q, r, d = top // 2, 0, p
        while d > 0:
            comparators += [(i, i + d) for i in range(n_rows - d) if i & p == r]
            d, q, r = q - p, q // 2, p
        p //= 2
    return comparators


@lru_cache(maxsize=64)
def network_program(n_rows: int, ranks: tuple[int, ...]) -> NetworkProgram:
    """Return the network of `n_rows` inputs pruned to the wanted ranks.

    Parameters
    ----------
    n_rows : int
        Frames.
    ranks : tuple of int
        Wanted ranks, each in [0, n_rows).

    Raises
    ------
    ValueError
        If a rank does not exist.
    """
    if not all(0 <= rank < n_rows for rank in ranks):
        raise ValueError(f"ranks {ranks} are not all within [0, {n_rows})")
    wanted = set(ranks)
    halves: list[tuple[int, int, bool, bool]] = []
    for low, high in reversed(batcher_comparators(n_rows)):
        needs_low, needs_high = low in wanted, high in wanted
        if needs_low or needs_high:
            halves.append((low, high, needs_low, needs_high))
            wanted |= {low, high}
    return _allocate(n_rows, ranks, halves[::-1])


def _allocate(n_rows: int, ranks: tuple[int, ...], halves: list[tuple[int, int, bool, bool]]) -> NetworkProgram:
    place = list(range(n_rows))
    free: list[int] = []
    n_buffers = n_rows
    steps: list[tuple[bool, int, int, int]] = []

    def scratch_buffer() -> int:
        nonlocal n_buffers
        if free:
            return free.pop()
        n_buffers += 1
        return n_buffers - 1

    for low, high, needs_low, needs_high in halves:
        first, second = place[low], place[high]
        owned = [number for number in (first, second) if number >= n_rows]
        if needs_low and needs_high:
            result = scratch_buffer()
            steps.append((False, first, second, result))
            other = owned.pop() if owned else scratch_buffer()  # the last reader of a buffer may overwrite it
            steps.append((True, first, second, other))
            place[low], place[high] = result, other
            free += owned
        else:
            result = owned.pop() if owned else scratch_buffer()
            steps.append((needs_high, first, second, result))
            place[high if needs_high else low] = result
            free += owned
    return NetworkProgram(
        n_rows=n_rows,
        n_scratch=n_buffers - n_rows,
        steps=tuple(steps),
        rank_buffers={rank: place[rank] for rank in ranks},
    )
