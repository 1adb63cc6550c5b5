"""Two search paths compared: once for all data IDs that look alike on both, not once for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.services.segment_groups import Group
from calibstore.services.segments import Key, KeySegments, Placed, Segments

Changed = tuple[Timespan, Placed | None, Placed | None]
"""A stretch in which another dataset applies, with the owners before and after."""


@dataclass(frozen=True)
class Alike:
    """Data IDs for which two search paths hold the same ranges, and the same datasets in the same places.

    One data ID stands for all: only the names of datasets differ.
    """

    dataset_type: str
    data_keys: tuple[str, ...]
    before: KeySegments
    after: KeySegments

    @cached_property
    def changed(self) -> tuple[Changed, ...]:
        """Return the stretches in which another dataset applies, in order of time."""
        return tuple(changed_stretches(self.before, self.after))


def pairs_alike(before: Segments, after: Segments) -> Iterator[Alike]:
    """Yield every data ID of two search paths, those that look alike together.

    Parameters
    ----------
    before, after : Segments
        As it is, and as it would become.
    """
    for groups, keys in _meeting(before, after):
        kind = groups[0].dataset_type
        for data_keys in _by_pattern(groups, keys):
            key: Key = (kind, data_keys[0])
            one = Alike(kind, tuple(data_keys), before.of(*key), after.of(*key))
            # All of its rows are asked for at once: one by one is one statement each.
            _ = one.before.placed[:], one.after.placed[:]
            yield one


def changed_stretches(before: KeySegments, after: KeySegments) -> Iterator[Changed]:
    """Yield the stretches in which another dataset applies, neighbours with the same owners as one."""
    open_: Changed | None = None
    for begin, end, old, new in _side_by_side(before, after):
        is_same = (old.row.dataset_id if old else "") == (new.row.dataset_id if new else "")
        if open_ is not None:
            if not is_same and open_[0].end_tai_ns == begin and open_[1] is old and open_[2] is new:
                open_ = (Timespan(open_[0].begin_tai_ns, end), old, new)
                continue
            yield open_
            open_ = None
        if not is_same:
            open_ = (Timespan(begin, end), old, new)
    if open_ is not None:
        yield open_


def _side_by_side(before: KeySegments, after: KeySegments) -> Iterator[tuple[int, int, Placed | None, Placed | None]]:
    """Yield (begin, end, owner before, owner after) between any two boundaries of either."""
    at, then = 0, 0
    begin = max(before.begins[0], after.begins[0])
    while begin < MAX_TAI_NS:
        next_old = before.begins[at + 1] if at + 1 < len(before.begins) else MAX_TAI_NS
        next_new = after.begins[then + 1] if then + 1 < len(after.begins) else MAX_TAI_NS
        end = min(next_old, next_new)
        yield begin, end, before.owners[at], after.owners[then]
        at += next_old == end
        then += next_new == end
        begin = end


def _meeting(before: Segments, after: Segments) -> Iterator[tuple[tuple[Group, ...], Sequence[str]]]:
    """Yield groups of both that share data keys, with these; a group alone where the other side has none."""
    olds, news = _group_of(before), _group_of(after)
    met: dict[tuple[int, int], tuple[tuple[Group, ...], list[str]]] = {}
    for key in dict.fromkeys([*olds, *news]):
        old, new = olds.get(key), news.get(key)
        groups = tuple(one for one in (old, new) if one is not None)
        met.setdefault((id(old), id(new)), (groups, []))[1].append(key[1])
    for groups, keys in met.values():
        # The very tuple of a group lets its columns be taken whole.
        yield groups, next((one.keys for one in groups if list(one.keys) == keys), keys)


def _group_of(segments: Segments) -> dict[Key, Group]:
    return {(group.dataset_type, key): group for group in segments.groups for key in group.keys}


def _by_pattern(groups: Sequence[Group], keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield data keys apart whose datasets coincide in other places of the two paths."""
    slots = {(id(slot.block), slot.column): (group, slot) for group in groups for slot in group.slots}
    columns = [group.dataset_ids(slot, keys) for group, slot in slots.values()]
    patterns: dict[object, list[str]] = {}
    for key, dataset_ids in zip(keys, zip(*columns, strict=True), strict=True):
        patterns.setdefault(_numbered(dataset_ids), []).append(key)
    yield from patterns.values()


def _numbered(dataset_ids: tuple[str, ...]) -> object:
    """Return datasets as numbers by first appearance; in the common case all differ."""
    if len(set(dataset_ids)) == len(dataset_ids):
        return None
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(one, len(numbers)) for one in dataset_ids)
