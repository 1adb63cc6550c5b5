"""Rows, groups of detectors and WINS lines of a timeline, made of the look-up's own segments."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.errors import NotFoundError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.names import find_name
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.layout import number_ranges
from calibstore.services.looks.in_use import keys_of
from calibstore.services.looks.timeline_parts import Stretch, TimelineLook, TimelineRow, Track
from calibstore.services.segments import KeySegments, Placed, View, unlike

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_EMPTY: Final = KeySegments((), (MIN_TAI_NS,), (None,))


def of_type(look: TimelineLook, camera: Camera, detector: int | None) -> TimelineLook:
    """Fill in rows and WINS lines of the look's dataset type.

    Raises
    ------
    NotFoundError
        If the camera has no such detector.
    """
    by_filter = keys_of(look.segments, look.dataset_type, camera.instrument)
    filters = tuple(sorted(by_filter))
    chosen = look.physical_filter if look.physical_filter in by_filter else (filters[0] if filters else "")
    by_detector = by_filter.get(chosen, {})
    if detector is not None and detector not in {one.id for one in camera.detectors}:
        numbers = [one.id for one in camera.detectors]
        raise NotFoundError(
            f"{camera.instrument} has no detector {detector}", hint=f"it has {min(numbers)} to {max(numbers)}"
        )
    shown = detector if detector is not None else next(iter(sorted(by_detector)), look.detectors[0])
    numbers_of = _row_numbers(by_detector)
    holders: dict[_Place, set[int]] = {}
    for other in unlike(by_detector.values()):
        alike = {holder for holder, one in by_detector.items() if one.pattern is other.pattern}
        for placed in other.placed:
            holders.setdefault(_place(placed), set()).update(alike)
    found = by_detector.get(shown, _EMPTY)
    owners = {_place(one): one for one in found.placed}
    rows = []
    for place, number in numbers_of.items():
        owner = owners.get(place)
        if owner is None:
            continue
        name = find_name(owner.member.name)
        wins = [(span.begin_tai_ns, span.end_tai_ns) for span, winner in found.stretches() if winner is owner]
        rows.append(
            TimelineRow(
                number=number,
                collection=owner.member.name,
                label=_label(owner.member.name),
                ticket=name.ticket if name else "",
                run=owner.row.run,
                begin_tai_ns=owner.timespan.begin_tai_ns,
                end_tai_ns=owner.timespan.end_tai_ns,
                is_always=owner.row.timespan is None,
                wins=tuple(wins),
                detectors=frozenset(holders[place]),
            )
        )
    groups = _groups(by_detector, numbers_of, look.detectors)
    data_id: dict[str, int | str] = {"instrument": camera.instrument, "detector": shown}
    data_id |= {"physical_filter": chosen} if chosen else {}
    return replace(
        look,
        detector=shown,
        physical_filter=chosen,
        filters=tuple(one for one in filters if one),
        rows=tuple(rows),
        wins=Track(label="WINS", stretches=_stretches(found, numbers_of)),
        groups=groups,
        data_key=str(DataId.of(**data_id)),
    )


_Place = tuple[int, str, Timespan]
"""Order and name of the collection, range."""


def _place(placed: Placed) -> _Place:
    return (placed.order, placed.member.name, placed.timespan)


def _row_numbers(by_detector: Mapping[int, KeySegments]) -> dict[_Place, int]:
    """Number the certifications of all detectors in search order; those of one collection by time."""
    places = sorted({_place(placed) for one in unlike(by_detector.values()) for placed in one.placed})
    return {place: number for number, place in enumerate(places, start=1)}


def _stretches(found: KeySegments | None, numbers: Mapping[_Place, int]) -> tuple[Stretch, ...]:
    if found is None:
        return (Stretch(MIN_TAI_NS, MAX_TAI_NS, 0),)
    ends = (*found.begins[1:], MAX_TAI_NS)
    made: list[Stretch] = []
    for begin, end, owner in zip(found.begins, ends, found.owners, strict=True):
        if begin < end:
            made.append(Stretch(begin, end, numbers[_place(owner)] if owner else 0))
    return tuple(made)


def _groups(
    by_detector: Mapping[int, KeySegments], numbers: Mapping[_Place, int], detectors: Sequence[int]
) -> tuple[Track, ...]:
    alike: dict[tuple[Stretch, ...], list[int]] = {}
    made = {id(one.pattern): _stretches(one, numbers) for one in unlike(by_detector.values())}
    for detector in sorted({*by_detector, *detectors}):
        one = by_detector.get(detector)
        alike.setdefault(_stretches(None, numbers) if one is None else made[id(one.pattern)], []).append(detector)
    ordered = sorted(alike.items(), key=lambda pair: (-len(pair[1]), pair[1][0]))
    return tuple(
        Track(
            label=f"det {number_ranges(members)}" if len(members) > 1 else f"det {members[0]}",
            stretches=stretches,
            detectors=tuple(members),
        )
        for stretches, members in ordered
    )


def _label(collection: str) -> str:
    """Return what tells a collection from the others of its chain: ticket and tag, or all but the instrument."""
    name = find_name(collection)
    if name is not None and name.ticket:
        return "/".join(part for part in (name.user_prefix.rstrip("/"), name.ticket, name.tag) if part)
    return collection


def overview(look: TimelineLook, types: Mapping[str, bool]) -> TimelineLook:
    """Fill in one WINS line per dataset type and filter."""
    legend: dict[str, int] = {}
    tracks = []
    for dataset_type in types:
        by_filter = keys_of(look.segments, dataset_type, look.instrument) or {"": {}}
        for physical_filter, by_detector in sorted(by_filter.items()):
            numbers = _row_numbers(by_detector)
            groups = _groups(by_detector, numbers, look.detectors)
            tickets = {number: _ticket(place[1]) for place, number in numbers.items()}
            stretches = [
                Stretch(
                    one.begin_tai_ns,
                    one.end_tai_ns,
                    legend.setdefault(tickets[one.row], len(legend) + 1) if one.row else 0,
                )
                for one in groups[0].stretches
            ]
            tracks.append(
                Track(
                    label=f"{dataset_type} {physical_filter}".strip(),
                    stretches=_joined(stretches),
                    dataset_type=dataset_type,
                    note=f"detectors differ; shown are {groups[0].label[4:]}" if len(groups) > 1 else "",
                )
            )
    return replace(look, tracks=tuple(tracks), legend=tuple(legend))


def _ticket(collection: str) -> str:
    name = find_name(collection)
    return name.ticket if name is not None and name.ticket else collection


def _joined(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    joined: list[Stretch] = []
    for one in stretches:
        if joined and joined[-1].row == one.row and joined[-1].end_tai_ns == one.begin_tai_ns:
            joined[-1] = Stretch(joined[-1].begin_tai_ns, one.end_tai_ns, one.row)
        else:
            joined.append(one)
    return tuple(joined)


def compared(
    uow: "UnitOfWork", look: TimelineLook, view: View, compare: str, draft: Sequence[str] | None = None
) -> TimelineLook:
    """Add the ticket chains that are not live, and what would win if one were put first, or with a drafted list."""
    listed = view.tree.children.get(look.top, ())
    pending = tuple(
        sorted(
            name
            for name, type_ in view.tree.types.items()
            if type_ is CollectionType.CHAINED and name not in listed and name.startswith(f"{look.instrument}/calib/")
        )
    )
    look = replace(look, pending=pending)
    if draft is not None:
        wanted, label = tuple(name for name in draft if name in view.tree.types), "THEN draft"
    elif compare:
        uow.collections.get(compare)
        wanted, label = (compare, *(one for one in listed if one != compare)), f"THEN {compare.rpartition('/')[2]}"
    else:
        return look
    after = view.with_children(look.top, wanted)
    found = after.segments([look.top]).of(look.dataset_type, look.data_key)
    now = {(row.collection, row.begin_tai_ns, row.end_tai_ns): row.number for row in look.rows}
    ends = (*found.begins[1:], MAX_TAI_NS)
    stretches = [
        Stretch(
            begin,
            end,
            now.get((owner.member.name, owner.timespan.begin_tai_ns, owner.timespan.end_tai_ns), -1) if owner else 0,
        )
        for begin, end, owner in zip(found.begins, ends, found.owners, strict=True)
        if begin < end
    ]
    track = Track(label=label, stretches=_joined(stretches))
    return replace(look, compared=compare or "draft", then=track)
