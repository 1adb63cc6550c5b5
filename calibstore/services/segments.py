"""Chain and validity flattened: per dataset type and data ID, sorted stretches of time and who owns each.

The owner of a stretch is the first collection in search order that is valid there. An exposure takes the first
owner it touches; two datasets of that one collection inside an exposure are an ambiguity, as in the Butler.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, overload

from calibstore.errors import ConflictError
from calibstore.model.collections import CollectionType
from calibstore.model.links import HeldLinks
from calibstore.model.search_path import Association, CollectionTree, Member
from calibstore.model.times import timespan_text
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.segment_groups import Group, group

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

Key = tuple[str, str]
"""(dataset type, data key)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A dataset at its place in the search order."""

    order: int
    """Place of its collection, from 1 on."""
    member: Member
    row: Association

    @property
    def timespan(self) -> Timespan:
        """The range; unbounded on both sides in a RUN or TAGGED collection."""
        return self.row.timespan or _ALWAYS


_ALWAYS = Timespan()


@dataclass(frozen=True, slots=True)
class KeySegments:
    """The stretches of one dataset type and data ID."""

    placed: Sequence[Placed]
    """Everything the search path holds for it, in search order."""
    begins: tuple[int, ...]
    """First instant of each stretch [TAI ns]; each ends where the next begins."""
    owners: Sequence[Placed | None]
    pattern: object = field(default=None, repr=False, compare=False)
    """One object for data IDs with the same ranges in the same places: only their datasets differ."""

    def at(self, tai_ns: int) -> Placed | None:
        """Return the owner of an instant."""
        return self.owners[bisect_right(self.begins, tai_ns) - 1]

    def touched(self, timespan: Timespan) -> Iterator[Placed]:
        """Yield the owners of the stretches that share an instant with a range."""
        at = bisect_right(self.begins, timespan.begin_tai_ns) - 1
        while at < len(self.begins) and self.begins[at] < timespan.end_tai_ns:
            owner = self.owners[at]
            if owner is not None:
                yield owner
            at += 1

    def winners(self, timespan: Timespan | None) -> tuple[Placed, ...]:
        """Return what a look-up finds: nothing, one, or the several datasets between which it cannot choose.

        Parameters
        ----------
        timespan : Timespan or None
            The whole exposure; None skips CALIBRATION collections.
        """
        if timespan is None:
            return tuple(placed for placed in self.placed if placed.row.timespan is None)[:1]
        found = list(self.touched(timespan))
        if not found:
            return ()
        first = min(placed.order for placed in found)
        # Two ranges of one dataset are two: the Butler cannot choose between them either.
        distinct = {
            (placed.row.dataset_id, placed.timespan): placed for placed in reversed(found) if placed.order == first
        }
        return tuple(sorted(distinct.values(), key=lambda placed: placed.timespan.begin_tai_ns))

    def stretches(self) -> Iterator[tuple[Timespan, Placed]]:
        """Yield the owned stretches in time order."""
        for at, owner in enumerate(self.owners):
            end = self.begins[at + 1] if at + 1 < len(self.begins) else MAX_TAI_NS
            if owner is not None and self.begins[at] < end:
                yield Timespan(self.begins[at], end), owner


_NOTHING = KeySegments((), (MIN_TAI_NS,), (None,))


def unlike(found: Iterable[KeySegments]) -> tuple[KeySegments, ...]:
    """Return one of all that have the same ranges in the same places: it stands for the others."""
    return tuple({id(one) if one.pattern is None else id(one.pattern): one for one in found}.values())


class Won(NamedTuple):
    """A stretch of time with the dataset that applies."""

    dataset_type: str
    data_key: str
    begin_tai_ns: int
    end_tai_ns: int
    dataset_id: str
    content_sha256: str
    member: str
    """Collection it is taken from at the begin."""


@dataclass(frozen=True, slots=True)
class Segments:
    """All stretches of a search path."""

    members: tuple[Member, ...]
    by_key: Mapping[Key, KeySegments]
    groups: tuple[Group, ...] = field(default=(), repr=False, compare=False)
    """The same once for all data keys that look alike."""

    def keys_in(self, dataset_type: str, collection: str) -> list[str]:
        """Return the data keys of a dataset type that one collection of the search path holds."""
        return [
            key
            for one in self.groups
            if one.dataset_type == dataset_type and any(slot.member.name == collection for slot in one.slots)
            for key in one.keys
        ]

    def won(self) -> Iterator[Won]:
        """Yield the longest stretches with one dataset, of everything that can win; in columns, without objects."""
        if isinstance(self.by_key, _ByKey):
            self.by_key.read_facts()
            for one in self.groups:
                yield from self.by_key.won(one)

    def of(self, dataset_type: str, data_key: str) -> KeySegments:
        """Return the stretches of one dataset type and data ID; empty when there is none."""
        return self.by_key.get((dataset_type, data_key), _NOTHING)

    def find_first(self, dataset_type: str, data_key: str, timespan: Timespan | None) -> Placed | None:
        """Return what applies, or None.

        Raises
        ------
        ConflictError
            E-AMBIGUOUS: the range straddles two datasets of one collection.
        """
        winners = self.of(dataset_type, data_key).winners(timespan)
        if len(winners) > 1:
            raise ambiguity(dataset_type, data_key, winners)
        return winners[0] if winners else None


@dataclass(frozen=True, slots=True)
class View:
    """Rows and chains as they are, or as they would be after a change."""

    tree: CollectionTree
    rows: Mapping[str, tuple[Association, ...]]

    def with_children(self, chain: str, children: tuple[str, ...]) -> "View":
        """Return the view with another list for one chain."""
        return replace(self, tree=self.tree.with_children(chain, children))

    def with_rows(self, collection: str, rows: tuple[Association, ...]) -> "View":
        """Return the view with other rows in one CALIBRATION collection, which may be new."""
        tree = self.tree.with_collection(collection, CollectionType.CALIBRATION)
        return View(tree, {**self.rows, collection: rows})

    def segments(self, tops: Iterable[str]) -> Segments:
        """Flatten a search path.

        Parameters
        ----------
        tops : iterable of str
            Collections of any type, in search order.
        """
        members = self.tree.walk(tops)
        held = HeldLinks.of(self.rows)
        groups = group(members, held)
        return Segments(members, _ByKey(groups, held), groups)


class _ByKey(Mapping[Key, KeySegments]):
    """Stretches by key, made where one is looked at: a camera has thousands, a question is about one."""

    def __init__(self, groups: Sequence[Group], held: HeldLinks) -> None:
        self._held, self._groups_of_all = held, groups
        self._groups = {(one.dataset_type, key): one for one in groups for key in one.keys}
        self._made: dict[Key, KeySegments] = {}

    def __getitem__(self, key: Key) -> KeySegments:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._segments(self._groups[key], key[1])
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._groups

    def __iter__(self) -> Iterator[Key]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def read_facts(self) -> None:
        """Read checksums of all that can win at once: collection by collection is a statement each."""
        self._held.read_facts(
            dataset_id
            for one in self._groups_of_all
            for owner in sorted(set(one.stretches.owners) - {-1})
            for dataset_id in one.dataset_ids(one.slots[owner], one.keys)
        )

    def won(self, one: Group) -> Iterator[Won]:
        """Yield what wins of one group, data key by data key."""
        begins, owners = one.stretches
        ends = (*begins[1:], MAX_TAI_NS)
        columns: dict[int, tuple[str, Sequence[str], list[str]]] = {}
        for owner in sorted(set(owners) - {-1}):
            name, rows = one.slots[owner].member.name, one.row_numbers(owner)
            columns[owner] = (name, one.dataset_ids(one.slots[owner], one.keys), self._held.contents(name, rows))
        owned = [
            (begin, end, *columns[owner])
            for begin, end, owner in zip(begins, ends, owners, strict=True)
            if owner >= 0 and begin < end
        ]
        for place, key in enumerate(one.keys):
            last: Won | None = None
            for begin, end, member, dataset_ids, contents in owned:
                dataset_id = dataset_ids[place]
                if last is not None:
                    if last.end_tai_ns == begin and last.dataset_id == dataset_id:
                        last = last._replace(end_tai_ns=end)
                        continue
                    yield last
                last = Won(one.dataset_type, key, begin, end, dataset_id, contents[place], member)
            if last is not None:
                yield last

    def _segments(self, one: Group, data_key: str) -> KeySegments:
        placed = _Placed(one, self._held, data_key)
        begins, owners = one.stretches
        return KeySegments(placed, begins, _Owners(placed, owners), one)


class _Placed(Sequence[Placed]):
    """What a search path holds for one data ID; an object is made of what is looked at, and stays the same one."""

    def __init__(self, one: Group, held: HeldLinks, data_key: str) -> None:
        self._group, self._held, self._key = one, held, data_key
        self._made: dict[int, Placed] = {}

    @overload
    def __getitem__(self, at: int) -> Placed: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Placed]: ...

    def __getitem__(self, at: int | slice) -> Placed | Sequence[Placed]:
        numbers = range(len(self))[at]
        if isinstance(numbers, range):
            return tuple(self._make(numbers))
        return self._make([numbers])[0]

    def __iter__(self) -> Iterator[Placed]:
        return iter(self._make(range(len(self))))

    def __len__(self) -> int:
        return len(self._group.slots)

    def _make(self, numbers: Sequence[int]) -> list[Placed]:
        missing = [number for number in numbers if number not in self._made]
        if missing:
            slots = [self._group.slots[number] for number in missing]
            rows = self._held.associations([slot.place_of(self._key) for slot in slots])
            for number, slot, row in zip(missing, slots, rows, strict=True):
                # Another thread may have made it meanwhile: the first one counts.
                self._made.setdefault(number, Placed(slot.order, slot.member, row))
        return [self._made[number] for number in numbers]


class _Owners(Sequence[Placed | None]):
    """Owners of stretches, by their numbers."""

    def __init__(self, placed: _Placed, numbers: Sequence[int]) -> None:
        self._placed, self._numbers = placed, numbers

    @overload
    def __getitem__(self, at: int) -> Placed | None: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Placed | None]: ...

    def __getitem__(self, at: int | slice) -> Placed | Sequence[Placed | None] | None:
        if isinstance(at, slice):
            return _Owners(self._placed, self._numbers[at])
        number = self._numbers[at]
        return self._placed[number] if number >= 0 else None

    def __len__(self) -> int:
        return len(self._numbers)


def load_view(
    uow: "UnitOfWork",
    names: Iterable[str],
    *,
    dataset_types: Sequence[str] = (),
    at_state: int | None = None,
    data_key: str = "",
) -> View:
    """Read what is reachable from some collections.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    names : iterable of str
        Collections of any type; missing ones hold nothing.
    dataset_types : sequence of str
        Only these; by default every calibration type.
    at_state : int, optional
        As the repository was at that state; by default as it is now.
    data_key : str
        Only this one; by default every data ID.
    """
    types = dataset_types or [name for name, record in uow.repository.dataset_types().items() if record.is_calibration]
    tree = uow.associations.tree(at_state=at_state)
    members = {member.name for name in names for member in tree.walk([name])}
    return View(tree, uow.associations.rows(members, tree, dataset_types=types, at_state=at_state, data_key=data_key))


def ambiguity(dataset_type: str, data_key: str, winners: Sequence[Placed]) -> ConflictError:
    """Return the error of a range that straddles two datasets of one collection."""
    collection = winners[0].member.name
    told = " and ".join(f"{one.row.dataset_id[:8]} {timespan_text(one.timespan)} of {one.row.run}" for one in winners)
    first, second = winners[0], winners[1]
    return ConflictError(
        f"{dataset_type} {data_key}: the exposure straddles a boundary inside {collection}, which offers {told}; "
        "a look-up cannot choose",
        hint=f"let the ranges meet between two exposures: cabstand decertify {collection} {dataset_type}, then certify "
        f"{first.row.run} and {second.row.run} again with another boundary",
        code="E-AMBIGUOUS",
    )
