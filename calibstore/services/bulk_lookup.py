"""Many look-ups at once: whole nights of a whole camera by binary search on the segments that a single one reads."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from calibstore.errors import UserInputError
from calibstore.model.data_id import DataId
from calibstore.model.search_path import Member
from calibstore.model.timespan import Timespan
from calibstore.services.explaining import data_key_of
from calibstore.services.segment_groups import Group, Slot
from calibstore.services.segments import Segments, load_view

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from calibstore.db.unit_of_work import UnitOfWork

_DIMENSIONS: Final = frozenset({"instrument", "detector", "physical_filter"})


@dataclass(frozen=True, slots=True)
class Winners:
    """Answers to many look-ups, in columns."""

    dataset_types: tuple[str, ...]
    members: tuple[Member, ...]
    """The search path."""
    dataset_ids: tuple[str, ...]
    """Every dataset that occurs in the answers, once."""
    dataset: "npt.NDArray[np.int32]"
    """Number of the dataset, -1 where none applies or the answer is ambiguous; shape (types, times, detectors)."""
    order: "npt.NDArray[np.int32]"
    """Place of the winning collection from 1 on, 0 where nothing applies; same shape."""
    is_ambiguous: "npt.NDArray[np.bool_]"
    """Whether the exposure straddles two ranges of the winning collection; same shape."""

    def dataset_id(self, place: tuple[int, int, int]) -> str:
        """Return the dataset of one answer (type, time, detector); empty where there is none."""
        number = int(self.dataset[place])
        return self.dataset_ids[number] if number >= 0 else ""

    def collection(self, place: tuple[int, int, int]) -> str:
        """Return the collection that decided one answer; empty where nothing applies."""
        order = int(self.order[place])
        return self.members[order - 1].name if order else ""


def winners(
    uow: "UnitOfWork",
    top: str,
    dataset_types: Sequence[str],
    timespans: Sequence[Timespan | None],
    detectors: Sequence[int],
    *,
    instrument: str,
    physical_filters: Sequence[str] = (),
) -> Winners:
    """Return what applies to every detector at every time.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    top : str
        Where the search begins.
    dataset_types : sequence of str
        What is looked for.
    timespans : sequence of Timespan or None
        Whole exposures; None skips CALIBRATION collections.
    detectors : sequence of int
        Detector ids.
    instrument : str
        Name of the instrument.
    physical_filters : sequence of str
        Filter of each exposure, for types that have one.

    Raises
    ------
    NotFoundError
        If the collection or a dataset type is unknown.
    UserInputError
        E-DATAID: a dataset type needs a dimension that is not given.
    """
    uow.collections.get(top)
    asked = keys_asked(
        uow, dataset_types, detectors, instrument=instrument, n_times=len(timespans), physical_filters=physical_filters
    )
    return answer(load_view(uow, [top], dataset_types=dataset_types).segments([top]), asked, timespans)


@dataclass(frozen=True, slots=True)
class Asked:
    """One dataset type at some of the times: the data key of each detector."""

    dataset_type: str
    keys: tuple[str, ...]
    """By detector."""
    times: tuple[int, ...] | None = None
    """Numbers of the times; None for all."""


def keys_asked(
    uow: "UnitOfWork",
    dataset_types: Sequence[str],
    detectors: Sequence[int],
    *,
    instrument: str,
    n_times: int,
    physical_filters: Sequence[str] = (),
) -> tuple[Asked, ...]:
    """Return the data keys under which a bulk look-up asks.

    Raises
    ------
    NotFoundError
        If a dataset type is unknown.
    UserInputError
        E-DATAID: a dataset type needs a dimension that is not given, or filters and times differ in number.
    """
    if physical_filters and len(physical_filters) != n_times:
        raise UserInputError(
            f"{len(physical_filters)} filters are given for {n_times} times",
            hint="give the filter of each exposure, or none",
            code="E-DATAID",
        )
    known = uow.repository.dataset_types()
    asked: list[Asked] = []
    for name in dataset_types:
        dimensions = frozenset(known[name].dimensions) if name in known else frozenset()
        if not dimensions or not dimensions <= _DIMENSIONS or ("physical_filter" in dimensions and not n_times):
            # The one place that says what is wrong with it.
            data_key_of(uow, dataset_type=name, instrument=instrument, detector=0)
        if "physical_filter" not in dimensions:
            asked.append(Asked(name, _keys(dimensions, instrument, tuple(detectors), "")))
            continue
        if not physical_filters:
            data_key_of(uow, dataset_type=name, instrument=instrument, detector=0)
        for one in dict.fromkeys(physical_filters):
            times = tuple(number for number, other in enumerate(physical_filters) if other == one)
            asked.append(
                Asked(
                    name,
                    _keys(dimensions, instrument, tuple(detectors), one),
                    times if len(times) < n_times else None,
                )
            )
    return tuple(asked)


@functools.lru_cache(maxsize=64)
def _keys(
    dimensions: frozenset[str], instrument: str, detectors: tuple[int, ...], physical_filter: str
) -> tuple[str, ...]:
    found = []
    for detector in detectors:
        given: dict[str, str | int] = {
            "instrument": instrument,
            "detector": detector,
            "physical_filter": physical_filter,
        }
        found.append(str(DataId(tuple((name, given[name]) for name in dimensions))))
    return tuple(found)


def answer(segments: Segments, asked: Sequence[Asked], timespans: Sequence[Timespan | None]) -> Winners:
    """Return what applies, from segments read already.

    Parameters
    ----------
    segments : Segments
        Of the search path.
    asked : sequence of Asked
        What is looked for; all of one number of detectors.
    timespans : sequence of Timespan or None
        The times.
    """
    import numpy as np

    types = tuple(dict.fromkeys(one.dataset_type for one in asked))
    shape = (len(types), len(timespans), len(asked[0].keys) if asked else 0)
    made = _Columns([], np.full(shape, -1, np.int64), np.zeros(shape, np.int32), np.zeros(shape, np.bool_))
    # An empty stretch of time asks for what needs none.
    bounds = np.array([(one.begin_tai_ns, one.end_tai_ns) if one else (0, 0) for one in timespans], np.int64)
    bounds = bounds.reshape(-1, 2)
    timeless = np.array([one is None for one in timespans], np.bool_)
    group_of = {(group.dataset_type, key): group for group in segments.groups for key in group.keys}
    for one in asked:
        times = np.arange(len(timespans)) if one.times is None else np.array(one.times, np.int64)
        places: dict[int, list[int]] = {}
        groups: dict[int, Group] = {}
        for place, key in enumerate(one.keys):
            group = group_of.get((one.dataset_type, key))
            if group is not None:
                groups[id(group)] = group
                places.setdefault(id(group), []).append(place)
        number = types.index(one.dataset_type)
        for which, group in groups.items():
            part = _Part(group, [one.keys[place] for place in places[which]], number, places[which])
            dated = times[~timeless[times]]
            made.fill(part, dated, bounds[dated])
            made.fill_timeless(part, times[timeless[times]])
    return made.winners(types, segments.members)


@dataclass(frozen=True, slots=True)
class _Part:
    """Detectors of one type that share a group."""

    group: Group
    keys: Sequence[str]
    type_number: int
    places: Sequence[int]

    @property
    def is_whole(self) -> bool:
        return list(self.keys) == list(self.group.keys)

    def dataset_ids(self, slot: Slot) -> Sequence[str]:
        return self.group.dataset_ids(slot, self.group.keys if self.is_whole else self.keys)


@dataclass(slots=True)
class _Columns:
    """Answers while they are made; datasets are numbered by every place they are held in."""

    dataset_ids: list[str]
    dataset: Any
    order: Any
    is_ambiguous: Any

    def fill(self, part: _Part, times: Any, bounds: Any) -> None:
        """Answer some times: by the stretch they lie in, and one by one where a boundary is inside."""
        import numpy as np

        if not len(times):
            return
        stretches, slots = part.group.stretches, part.group.slots
        begins = np.array(stretches.begins, np.int64)
        first = np.searchsorted(begins, bounds[:, 0], "right") - 1
        last = np.searchsorted(begins, bounds[:, 1], "left") - 1
        numbers = self._numbers(part)
        table = np.array([numbers[owner] if owner >= 0 else self._nothing(part) for owner in stretches.owners])
        orders = np.array([slots[owner].order if owner >= 0 else 0 for owner in stretches.owners], np.int32)
        whole = first == last
        self._write(part, times[whole], table[first[whole]], orders[first[whole]][:, None])
        crossing = np.flatnonzero(~whole)
        if len(crossing):
            pairs, which = np.unique(np.stack([first[crossing], last[crossing]], axis=1), axis=0, return_inverse=True)
            which = which.reshape(-1)
            for number, (begin, end) in enumerate(pairs):
                owners = [one for one in stretches.owners[begin : end + 1] if one >= 0]
                self._choose(part, times[crossing[which == number]], owners, numbers)

    def fill_timeless(self, part: _Part, times: Any) -> None:
        """Answer where no time is given: the first collection in which things are always valid."""
        if len(times):
            always = [number for number, slot in enumerate(part.group.slots) if slot.is_always][:1]
            self._choose(part, times, always, {one: self._number(part, part.group.slots[one]) for one in always})

    def winners(self, types: tuple[str, ...], members: tuple[Member, ...]) -> Winners:
        """Return the answers with the datasets that occur in them, each under one number."""
        import numpy as np

        used = np.zeros(len(self.dataset_ids) + 1, np.bool_)
        used[self.dataset] = True
        used[-1] = False
        renumbered = np.full(len(used), -1, np.int32)
        numbers: dict[str, int] = {}
        for place in np.flatnonzero(used).tolist():
            renumbered[place] = numbers.setdefault(self.dataset_ids[place], len(numbers))
        return Winners(types, members, tuple(numbers), renumbered[self.dataset], self.order, self.is_ambiguous)

    def _choose(self, part: _Part, times: Any, owners: Sequence[int], numbers: dict[int, Any]) -> None:
        """Answer times that touch several stretches: the first collection counts, if it offers one range."""
        import numpy as np

        if not owners:
            return
        slots = part.group.slots
        order = min(slots[owner].order for owner in owners)
        offering = [owner for owner in dict.fromkeys(owners) if slots[owner].order == order]
        # Two ranges of one dataset are two: the Butler cannot choose between them either.
        is_unclear = len(offering) > 1
        chosen = self._nothing(part) if is_unclear else numbers[offering[0]]
        self._write(part, times, chosen[None, :], np.int32(order))
        self.is_ambiguous[part.type_number][np.ix_(times, part.places)] = is_unclear

    def _write(self, part: _Part, times: Any, datasets: Any, orders: Any) -> None:
        import numpy as np

        if not len(times):
            return
        where = np.ix_(times, part.places)
        self.dataset[part.type_number][where] = datasets
        self.order[part.type_number][where] = orders

    def _numbers(self, part: _Part) -> dict[int, Any]:
        owned = {owner for owner in part.group.stretches.owners if owner >= 0}
        return {owner: self._number(part, part.group.slots[owner]) for owner in sorted(owned)}

    def _number(self, part: _Part, slot: Slot) -> Any:
        import numpy as np

        start = len(self.dataset_ids)
        self.dataset_ids.extend(part.dataset_ids(slot))
        return np.arange(start, len(self.dataset_ids), dtype=np.int64)

    @staticmethod
    def _nothing(part: _Part) -> Any:
        import numpy as np

        return np.full(len(part.keys), -1, np.int64)
