"""Search paths resolved once for all data IDs that look alike, whatever their number."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from calibstore.model.links import Block, HeldLinks, KeySet, Range
from calibstore.model.timespan import MIN_TAI_NS

if TYPE_CHECKING:
    from calibstore.model.search_path import Member


class Slot(NamedTuple):
    """One range of one collection on the search path, with a dataset for each data key of its block."""

    order: int
    """Place of its collection, from 1 on."""
    range: Range
    member: "Member"
    block: Block
    column: int
    """Which of the block's ranges."""

    @property
    def is_always(self) -> bool:
        """Whether it is valid at any time, as in a RUN or TAGGED collection."""
        return self.block.is_always[self.column]

    def place_of(self, key: str) -> tuple[str, int]:
        """Return collection and row number of one data key."""
        return self.member.name, self.block.rows[self.column][self.block.key_set.places[key]]


class Stretches(NamedTuple):
    """Who owns which stretch of time."""

    begins: tuple[int, ...]
    """First instant of each stretch [TAI ns]; each ends where the next begins."""
    owners: tuple[int, ...]
    """Numbers of ranges; -1 where nothing is valid."""


class Group:
    """Data keys of one dataset type for which the search path holds the same ranges in the same places."""

    def __init__(self, dataset_type: str, keys: tuple[str, ...], slots: tuple[Slot, ...]) -> None:
        self.dataset_type, self.keys, self.slots = dataset_type, keys, slots

    @cached_property
    def stretches(self) -> Stretches:
        """Return who owns which stretch of time, by slot."""
        return flatten_ranges([slot.range for slot in self.slots])

    def dataset_ids(self, slot: Slot, keys: Sequence[str]) -> Sequence[str]:
        """Return the datasets of a slot for some of the data keys."""
        column = slot.block.dataset_ids[slot.column]
        if keys is slot.block.key_set.keys:
            return column
        places = slot.block.key_set.places
        return [column[places[key]] for key in keys]

    def row_numbers(self, number: int) -> Sequence[int]:
        """Return the rows of a slot for all data keys of the group."""
        slot = self.slots[number]
        column = slot.block.rows[slot.column]
        if self.keys is slot.block.key_set.keys:
            return column
        places = slot.block.key_set.places
        return [column[places[key]] for key in self.keys]


def flatten_ranges(ranges: Sequence[Range]) -> Stretches:
    """Resolve priorities: the first range in the list that is valid owns a stretch.

    Notes
    -----
    A sweep over begins and ends with a heap of what is valid: O(n log n).
    """
    starting = sorted(range(len(ranges)), key=lambda at: ranges[at][0])
    edges = {MIN_TAI_NS}
    for begin, end in ranges:
        edges.add(begin)
        edges.add(end)
    begins: list[int] = []
    owners: list[int] = []
    valid: list[int] = []
    following = 0
    for edge in sorted(edges):
        while following < len(starting) and ranges[starting[following]][0] == edge:
            heapq.heappush(valid, starting[following])
            following += 1
        while valid and ranges[valid[0]][1] <= edge:
            heapq.heappop(valid)
        owner = valid[0] if valid else -1
        if not owners or owner != owners[-1]:
            begins.append(edge)
            owners.append(owner)
    return Stretches(tuple(begins), tuple(owners))


def group(members: "Sequence[Member]", held: HeldLinks) -> tuple[Group, ...]:
    """Return what a search path holds, data keys that look alike together.

    Parameters
    ----------
    members : sequence of Member
        In search order.
    held : HeldLinks
        What they hold.
    """
    lanes: dict[str, list[tuple[int, Member, Block]]] = {}
    for order, member in enumerate(members, start=1):
        for block in held.blocks(member.name):
            lanes.setdefault(block.dataset_type, []).append((order, member, block))
    return tuple(
        Group(dataset_type, keys, tuple(_slots(lane, numbers)))
        for dataset_type, lane in lanes.items()
        for keys, numbers in _alike(lane).items()
    )


def _slots(lane: "Sequence[tuple[int, Member, Block]]", numbers: Sequence[int]) -> Iterator[Slot]:
    for number in numbers:
        order, member, block = lane[number]
        for column, range_ in enumerate(block.ranges):
            yield Slot(order, range_, member, block, column)


def _alike(lane: "Sequence[tuple[int, Member, Block]]") -> Mapping[tuple[str, ...], Sequence[int]]:
    """Return, by data keys, the blocks in which all of them occur and no others."""
    key_sets: list[KeySet] = [block.key_set for _, _, block in lane]
    if all(one is key_sets[0] for one in key_sets):
        return {key_sets[0].keys: range(len(lane))}
    found: dict[str, list[int]] = {}
    for number, key_set in enumerate(key_sets):
        for key in key_set.keys:
            found.setdefault(key, []).append(number)
    alike: dict[tuple[int, ...], list[str]] = {}
    for key, numbers in found.items():
        alike.setdefault(tuple(numbers), []).append(key)
    return {tuple(keys): numbers for numbers, keys in alike.items()}
