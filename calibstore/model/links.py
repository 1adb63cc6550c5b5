"""Rows of collections in columns: plain tuples as the store gives them, objects only of what is looked at.

A camera's chain holds tens of thousands of rows, and nearly all of them come by the hundred with one range for a whole
focal plane. What shares its ranges is one block, so that a search path is resolved once for all its data IDs.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Final, Protocol

from calibstore.model.search_path import Association
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan

Link = tuple[int, str, str, str, int, int, int | None]
"""A row of the store: (collection number, dataset type, data key, dataset id, begin, end [TAI ns], certification).

Without certification it is valid at any time.
"""
Range = tuple[int, int]
"""Begin and end [TAI ns], half-open."""

_TYPE: Final = itemgetter(1)
_RANGE: Final = itemgetter(4, 5)


class Facts(Protocol):
    """What the store knows of datasets and never changes."""

    def of(self, dataset_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Return RUN and pixel checksum of some datasets at least, by id."""
        ...


class NoFacts:
    """Facts of rows that brought their own."""

    def of(self, dataset_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
        """Return nothing known."""
        return dict.fromkeys(dataset_ids, ("", ""))


class KeySet:
    """Data keys that occur together; equal ones of a view are one object."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys

    @cached_property
    def places(self) -> dict[str, int]:
        """Return where each data key stands."""
        return {key: place for place, key in enumerate(self.keys)}


class Block:
    """What one collection holds of one dataset type for data keys with the same ranges."""

    __slots__ = ("dataset_ids", "dataset_type", "is_always", "key_set", "ranges", "rows")

    def __init__(
        self,
        dataset_type: str,
        key_set: KeySet,
        ranges: tuple[Range, ...],
        *,
        rows: tuple[Sequence[int], ...],
        dataset_ids: tuple[Sequence[str], ...],
        is_always: tuple[bool, ...],
    ) -> None:
        self.dataset_type, self.key_set, self.ranges = dataset_type, key_set, ranges
        self.rows, self.dataset_ids, self.is_always = rows, dataset_ids, is_always


class HeldLinks(Mapping[str, tuple[Association, ...]]):
    """What collections hold, by name.

    Parameters
    ----------
    links : mapping of str to sequence of Link
        Rows by collection; those of one dataset type stand together.
    facts : Facts
        Tells the RUNs and checksums of datasets when they are asked for.
    """

    def __init__(self, links: Mapping[str, Sequence[Link]], facts: Facts) -> None:
        self._links = links
        self._facts = facts
        self._made: dict[str, tuple[Association, ...]] = {}
        self._blocks: dict[str, tuple[Block, ...]] = {}
        self._key_sets: dict[tuple[str, ...], KeySet] = {}

    @classmethod
    def of(cls, rows: Mapping[str, tuple[Association, ...]]) -> "HeldLinks":
        """Return rows given as objects in this form; what has it already as it is."""
        if isinstance(rows, cls):
            return rows
        held = cls({name: _links_of(some) for name, some in rows.items()}, NoFacts())
        held._made.update({name: _by_type(some) for name, some in rows.items()})
        return held

    def with_rows(self, collection: str, rows: Iterable[Association]) -> "HeldLinks":
        """Return these with other rows in one collection, which may be new."""
        ordered = _by_type(rows)
        other = HeldLinks({**self._links, collection: _links_of(ordered)}, self._facts)
        other._made = {**self._made, collection: ordered}
        other._blocks = {name: blocks for name, blocks in self._blocks.items() if name != collection}
        other._key_sets = self._key_sets
        return other

    def links(self, collection: str) -> Sequence[Link]:
        """Return the rows of a collection as the store gave them."""
        return self._links.get(collection, ())

    def blocks(self, collection: str) -> tuple[Block, ...]:
        """Return what a collection holds, data keys with the same ranges together."""
        found = self._blocks.get(collection)
        if found is None:
            found = self._blocks[collection] = tuple(self._made_blocks(self._links.get(collection, ())))
        return found

    def associations(self, places: Sequence[tuple[str, int]]) -> tuple[Association, ...]:
        """Return some rows as objects.

        Parameters
        ----------
        places : sequence of (str, int)
            Collections and the numbers of their rows.
        """
        missing = [self._links[name][row][3] for name, row in places if name not in self._made]
        facts = self._facts.of(missing) if missing else {}
        return tuple(
            self._made[name][row] if name in self._made else _association(name, self._links[name][row], facts)
            for name, row in places
        )

    def contents(self, collection: str, rows: Sequence[int]) -> list[str]:
        """Return the pixel checksums of some rows of a collection."""
        if collection in self._made:
            return [self._made[collection][row].content_sha256 for row in rows]
        links = self._links[collection]
        ids = [links[row][3] for row in rows]
        facts = self._facts.of(ids)
        return [facts[one][1] for one in ids]

    def read_facts(self, dataset_ids: Iterable[str]) -> None:
        """Read RUNs and checksums of some datasets before they are asked for one by one."""
        self._facts.of(list(dataset_ids))

    def __getitem__(self, collection: str) -> tuple[Association, ...]:
        if collection not in self._made:
            links = self._links[collection]
            facts = self._facts.of([link[3] for link in links])
            self._made[collection] = tuple(_association(collection, link, facts) for link in links)
        return self._made[collection]

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def _made_blocks(self, links: Sequence[Link]) -> Iterator[Block]:
        start = 0
        for dataset_type, some in itertools.groupby(links, _TYPE):
            held = list(some)
            keys = tuple([link[2] for link in held])
            if len(set(map(_RANGE, held))) == 1 and len(set(keys)) == len(keys):
                first = held[0]
                yield Block(
                    dataset_type,
                    self._key_set(keys),
                    ((first[4], first[5]),),
                    rows=(range(start, start + len(held)),),
                    dataset_ids=([link[3] for link in held],),
                    is_always=(first[6] is None,),
                )
            else:
                yield from self._uneven_blocks(dataset_type, held, start)
            start += len(held)

    def _uneven_blocks(self, dataset_type: str, held: Sequence[Link], start: int) -> Iterator[Block]:
        rows_of: dict[str, list[int]] = {}
        for row, link in enumerate(held):
            rows_of.setdefault(link[2], []).append(row)
        alike: dict[tuple[tuple[int, int, bool], ...], list[str]] = {}
        for key, rows in rows_of.items():
            rows.sort(key=lambda row: _RANGE(held[row]))
            alike.setdefault(tuple((*_RANGE(held[row]), held[row][6] is None) for row in rows), []).append(key)
        for ranges, keys in alike.items():
            columns = list(zip(*(rows_of[key] for key in keys), strict=True))
            yield Block(
                dataset_type,
                self._key_set(tuple(keys)),
                tuple((begin, end) for begin, end, _ in ranges),
                rows=tuple([start + row for row in column] for column in columns),
                dataset_ids=tuple([held[row][3] for row in column] for column in columns),
                is_always=tuple(always for _, _, always in ranges),
            )

    def _key_set(self, keys: tuple[str, ...]) -> KeySet:
        return self._key_sets.setdefault(keys, KeySet(keys))


def _by_type(rows: Iterable[Association]) -> tuple[Association, ...]:
    """Return rows with those of one dataset type together, otherwise as they were."""
    return tuple(sorted(rows, key=lambda row: row.dataset_type))


def _links_of(rows: Iterable[Association]) -> list[Link]:
    return [
        (0, row.dataset_type, row.data_key, row.dataset_id, MIN_TAI_NS, MAX_TAI_NS, None)
        if row.timespan is None
        else (
            0,
            row.dataset_type,
            row.data_key,
            row.dataset_id,
            row.timespan.begin_tai_ns,
            row.timespan.end_tai_ns,
            row.certification,
        )
        for row in _by_type(rows)
    ]


def _association(collection: str, link: Link, facts: Mapping[str, tuple[str, str]]) -> Association:
    _, dataset_type, data_key, dataset_id, begin, end, certification = link
    run, content = facts[dataset_id]
    return Association(
        collection=collection,
        dataset_type=dataset_type,
        data_key=data_key,
        dataset_id=dataset_id,
        run=run,
        content_sha256=content,
        timespan=None if certification is None else Timespan(begin, end),
        certification=certification or 0,
    )
