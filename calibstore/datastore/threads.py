"""Many small pieces of file work at a time: reading, hashing and syncing wait for the disk, not for each other."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
N_THREADS: Final = 8


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> tuple[_Result, ...]:
    """Do some work for each item, several at a time; return the results in the order of the items.

    A fault is raised when everything that had begun has ended; what had not begun is left out then.
    """
    with ThreadPoolExecutor(N_THREADS) as pool:
        return tuple(pool.map(work, items))
