"""Why this calibration: every candidate of a look-up in search order, and what decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.data_id import DataId
from calibstore.model.search_path import Association, Member
from calibstore.model.times import NS_PER_DAY, NS_PER_S, ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.services.moments import Moment, read_moment, require_collection
from calibstore.services.segments import Key, KeySegments, Segments, View, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

WINS: Final = "WINS"
SHADOWED: Final = "SHADOWED"
OUTSIDE: Final = "OUTSIDE"
OTHER: Final = "OTHER"
EMPTY: Final = "EMPTY"
AMBIGUOUS: Final = "AMBIGUOUS"
NOT_SEARCHED: Final = "NOT SEARCHED"
"""Verdict of what exists in the repository and is not reached from where the search began."""
REMOVED: Final = "REMOVED"
"""Verdict of what was certified where the search comes by, and was taken out by a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing that a look-up could have taken."""

    order: int
    """Place in the list, from 1 on; 0 for what is not searched."""
    path: tuple[str, ...]
    """Chains from the top down, the collection last."""
    collection: str
    collection_type: str
    dataset_id: str
    """Empty where the collection holds nothing for this data ID."""
    run: str
    data_key: str
    timespan: Timespan | None
    """None: always valid, or nothing there."""
    verdict: str
    """WINS, SHADOWED, OUTSIDE, OTHER, EMPTY, AMBIGUOUS, NOT SEARCHED or REMOVED."""
    reason: str


@dataclass(frozen=True, slots=True)
class Boundary:
    """An instant inside an exposure at which another calibration begins to apply."""

    tai_ns: int
    before: Association | None
    """What owns the time before it; None: nothing is valid there."""
    after: Association | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A look-up with everything it passed over."""

    candidates: tuple[Candidate, ...]
    winner: Candidate | None
    """None where nothing applies, or the answer is ambiguous."""
    elsewhere: tuple[Candidate, ...] = ()
    """What would match and is not searched: not certified, in no chain on the way, or taken out since."""
    boundaries: tuple[Boundary, ...] = ()
    """Changes of what is valid inside the exposure."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether the look-up fails because it cannot choose."""
        return any(candidate.verdict == AMBIGUOUS for candidate in self.candidates)


def data_key_of(
    uow: "UnitOfWork", *, dataset_type: str, instrument: str, detector: int | None, physical_filter: str = ""
) -> str:
    """Return the data key under which a dataset type is looked up.

    Raises
    ------
    NotFoundError
        If the dataset type is unknown.
    UserInputError
        If a dimension it needs is not given.
    """
    dimensions = uow.repository.dimensions(dataset_type)
    if dimensions is None:
        known = uow.repository.dataset_types()
        near = did_you_mean(dataset_type, known)
        raise NotFoundError(
            f"no dataset type {dataset_type!r}",
            hint=f"did you mean {near}?" if near else f"known: {', '.join(sorted(known))}",
            code="E-DATASETTYPE",
        )
    given: dict[str, int | str | None] = {
        "instrument": instrument,
        "detector": detector,
        "physical_filter": physical_filter or None,
    }
    values: dict[str, int | str] = {}
    for dimension in dimensions:
        value = given.get(dimension)
        if value is None:
            raise UserInputError(
                f"{dataset_type} is looked up by {', '.join(dimensions)}; {dimension} is not given",
                hint="choose a calibration type, such as bias",
                code="E-DATAID",
            )
        values[dimension] = value
    return str(DataId.of(**values))


def explain_lookup(
    uow: "UnitOfWork",
    *,
    dataset_type: str,
    instrument: str,
    detector: int,
    timespan: Timespan | None,
    collections: Sequence[str],
    physical_filter: str = "",
    with_elsewhere: bool = False,
    at_state: int | None = None,
) -> Explanation:
    """Return every candidate of a look-up in search order with its verdict.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    dataset_type, instrument, detector, physical_filter
        What is looked for.
    timespan : Timespan or None
        The whole exposure; None skips CALIBRATION collections, as in the Butler.
    collections : sequence of str
        Where the search begins, in order.
    with_elsewhere : bool
        Also name matches that the search does not reach.
    at_state : int, optional
        As the repository was at that state; by default as it is now.

    Raises
    ------
    NotFoundError
        If a collection or the dataset type is unknown.
    """
    view = load_view(uow, collections, dataset_types=[dataset_type], at_state=at_state)
    moment = read_moment(uow, at_state)
    for name in collections:
        require_collection(view.tree, name, moment)
    key = data_key_of(
        uow, dataset_type=dataset_type, instrument=instrument, detector=detector, physical_filter=physical_filter
    )
    segments = view.segments(collections)
    candidates = _candidates(segments, dataset_type, key, timespan)
    winners = [one for one in candidates if one.verdict == WINS]
    elsewhere: tuple[Candidate, ...] = ()
    if with_elsewhere:
        elsewhere = _elsewhere(uow, segments, (dataset_type, key), timespan, moment)
    found = Explanation(candidates, winners[0] if winners else None, elsewhere)
    return replace(found, boundaries=boundaries_inside(segments.of(dataset_type, key), timespan))


def boundaries_inside(found: KeySegments, timespan: Timespan | None) -> tuple[Boundary, ...]:
    """Return the changes of what is valid inside an exposure, in time order.

    Parameters
    ----------
    found : KeySegments
        Of one dataset type and data ID.
    timespan : Timespan or None
        The whole exposure.
    """
    if timespan is None:
        return ()
    inside = [at for at, begin in enumerate(found.begins) if timespan.begin_tai_ns < begin < timespan.end_tai_ns]
    rows = [owner.row if owner else None for owner in found.owners]
    return tuple(Boundary(found.begins[at], rows[at - 1], rows[at]) for at in inside)


def explain_rows(segments: Segments, dataset_type: str, key: str, timespan: Timespan | None) -> tuple[Candidate, ...]:
    """Return the verdicts of a look-up on segments read already, without collections that hold nothing for it.

    Parameters
    ----------
    segments : Segments
        Of the search path.
    dataset_type, key : str
        What is looked for.
    timespan : Timespan or None
        The whole exposure, or an instant.
    """
    return _candidates(segments, dataset_type, key, timespan, only_holding=True)


def _candidates(
    segments: Segments,
    dataset_type: str,
    key: str,
    timespan: Timespan | None,
    *,
    only_holding: bool = False,
) -> tuple[Candidate, ...]:
    found = segments.of(dataset_type, key)
    winners = found.winners(timespan)
    winning_ids = {one.row.dataset_id for one in winners}
    winning_order = winners[0].order if winners else None
    made: list[Candidate] = []
    shadow = 0
    held: dict[int, list[Association]] = {}
    for one in found.placed:
        held.setdefault(one.order, []).append(one.row)
    for place, member in enumerate(segments.members, start=1):
        own = held.get(place, [])
        if not own and only_holding:
            continue
        if not own:
            made.append(_nothing_here(len(made) + 1, member, segments, dataset_type, key))
            continue
        for row in sorted(own, key=lambda row: row.timespan or Timespan()):
            number = len(made) + 1
            miss = _outside(row, timespan)
            if miss:
                made.append(_candidate(number, member, row, OUTSIDE, miss))
            elif place == winning_order and row.dataset_id in winning_ids:
                shadow = shadow or number
                made.append(_winner(number, member, row, found, timespan, n_winners=len(winners)))
            else:
                made.append(
                    _candidate(number, member, row, SHADOWED, f"would apply, but #{shadow} comes first in search order")
                )
    return tuple(made)


def _winner(
    number: int, member: Member, row: Association, found: KeySegments, timespan: Timespan | None, *, n_winners: int
) -> Candidate:
    if n_winners > 1:
        reason = (
            f"the exposure reaches into {n_winners} ranges of this collection, so the look-up fails instead of choosing"
        )
        return _candidate(number, member, row, AMBIGUOUS, reason)
    is_alone = len({one.row.dataset_id for one in found.placed}) == 1
    return _candidate(number, member, row, WINS, reason_to_win(member, row, timespan, is_alone=is_alone))


def reason_to_win(member: Member, row: Association, timespan: Timespan | None, *, is_alone: bool = False) -> str:
    """Return why a look-up takes a dataset; `is_alone` where nothing else is there for its data ID."""
    why = "valid for the exposure" if row.timespan else f"in a {member.type} collection, so valid at any time"
    reason = f"{why}; the only candidate" if is_alone else f"the first in search order that is {why}"
    if row.timespan and timespan and not (row.timespan.contains(timespan.begin_tai_ns) and _covers_end(row, timespan)):
        reason += "; its range covers only a part of the exposure, which is enough"
    return reason


def _covers_end(row: Association, timespan: Timespan) -> bool:
    return row.timespan is None or row.timespan.contains(timespan.end_tai_ns - 1)


def _outside(row: Association, timespan: Timespan | None) -> str:
    if row.timespan is None:
        return ""
    if timespan is None:
        return "has a validity range, and no time was given to compare with it"
    if row.timespan.overlaps(timespan):
        return ""
    if timespan.end_tai_ns <= row.timespan.begin_tai_ns:
        return f"begins {_distance(row.timespan.begin_tai_ns - timespan.end_tai_ns)} after the exposure"
    return f"ended {_distance(timespan.begin_tai_ns - row.timespan.end_tai_ns)} before the exposure"


def _distance(gap_ns: int) -> str:
    """Return a gap in the unit that people would use."""
    if gap_ns >= NS_PER_DAY:
        return f"{gap_ns / NS_PER_DAY:.1f} d"
    if gap_ns >= 3600 * NS_PER_S:
        return f"{gap_ns / NS_PER_S / 3600:.1f} h"
    return f"{gap_ns / NS_PER_S:.3g} s" if gap_ns else "0 s (ranges are half-open)"


def _nothing_here(number: int, member: Member, segments: Segments, dataset_type: str, key: str) -> Candidate:
    others = sorted(segments.keys_in(dataset_type, member.name), key=_natural)
    if others:
        verdict, reason = OTHER, f"holds {dataset_type} for {_shortened(others, key)} only"
    else:
        is_calibration = member.type is CollectionType.CALIBRATION
        verdict, reason = (
            EMPTY,
            f"no {dataset_type} is certified in it" if is_calibration else f"holds no {dataset_type}",
        )
    return Candidate(
        order=number,
        path=(*member.path, member.name),
        collection=member.name,
        collection_type=str(member.type),
        dataset_id="",
        run="",
        data_key=key,
        timespan=None,
        verdict=verdict,
        reason=reason,
    )


def _natural(key: str) -> tuple[int, str]:
    detector = DataId.parse(key).get("detector", -1)
    return (int(detector), key)


def _shortened(keys: Sequence[str], asked: str) -> str:
    wanted = dict(DataId.parse(asked))
    different = []
    for key in keys:
        values = dict(DataId.parse(key))
        different.append(" ".join(f"{name} {value}" for name, value in values.items() if wanted.get(name) != value))
    shown = ", ".join(different[:4])
    return shown if len(different) <= 4 else f"{shown} and {len(different) - 4} more"


def _candidate(number: int, member: Member, row: Association, verdict: str, reason: str) -> Candidate:
    return Candidate(
        order=number,
        path=(*member.path, member.name),
        collection=member.name,
        collection_type=str(member.type),
        dataset_id=row.dataset_id,
        run=row.run,
        data_key=row.data_key,
        timespan=row.timespan,
        verdict=verdict,
        reason=reason,
    )


def _elsewhere(
    uow: "UnitOfWork", segments: Segments, wanted: Key, timespan: Timespan | None, moment: Moment
) -> tuple[Candidate, ...]:
    """Return matches that the search does not reach: certified ones, RUNs nobody certified, and what was taken out."""
    dataset_type, key = wanted
    searched = {member.name for member in segments.members}
    tree = uow.associations.tree(at_state=moment.at_state)
    view = load_view(uow, sorted(tree.types), dataset_types=[dataset_type], at_state=moment.at_state, data_key=key)
    made: list[Candidate] = []
    certified: set[str] = set()
    for name, rows in sorted(view.rows.items()):
        if view.tree.types[name] is not CollectionType.CALIBRATION:
            continue
        certified |= {row.dataset_id for row in rows}
        for row in rows:
            if name in searched or row.data_key != key or _outside(row, timespan):
                continue
            above = ", ".join(view.tree.chains_above(name))
            place = f"only {above} leads to it" if above else "no chain lists it"
            reason = f"would apply, but the search never comes here: {place}{_left_list(uow, name, searched, moment)}"
            made.append(_candidate(0, Member(name, view.tree.types[name]), row, NOT_SEARCHED, reason))
    for name, rows in sorted(view.rows.items()):
        if view.tree.types[name] is not CollectionType.RUN or name in searched:
            continue
        made += [
            _candidate(0, Member(name, CollectionType.RUN), row, NOT_SEARCHED, "made, but certified nowhere")
            for row in rows
            if row.data_key == key and row.dataset_id not in certified
        ]
    return (*made, *_removed(uow, view, wanted, timespan, moment))


def _left_list(uow: "UnitOfWork", name: str, searched: set[str], moment: Moment) -> str:
    """Say when a chain last ceased to list a collection; empty where none ever did."""
    ids = [one.id for one in uow.histories.collections(name)]
    left = [
        (one.closed_state, one.chain)
        for one in uow.histories.listings(ids)
        if one.closed_state is not None and one.closed_state <= moment.number
    ]
    still = {one.chain for one in uow.histories.listings(ids) if one.is_open_at(moment.number)}
    gone = [(state, chain) for state, chain in left if chain not in still]
    if not gone:
        return ""
    state, chain = max(gone)
    return f"; {chain} listed it until {_by_whom(uow, state)}"


def _removed(
    uow: "UnitOfWork", view: View, wanted: Key, timespan: Timespan | None, moment: Moment
) -> tuple[Candidate, ...]:
    """Return certifications that would match and were closed by then, where nothing like them is open."""
    dataset_type, key = wanted
    made = []
    for one in uow.histories.links(dataset_type=dataset_type, data_key=key):
        if one.timespan is None or one.closed_state is None or one.closed_state > moment.number:
            continue
        row = Association(
            collection=one.collection,
            dataset_type=dataset_type,
            data_key=key,
            dataset_id=one.dataset_id,
            run=one.run,
            timespan=one.timespan,
        )
        open_rows = [other for other in view.rows.get(one.collection, ()) if other.data_key == key]
        is_there = any(not _outside(other, timespan) and other.dataset_id == one.dataset_id for other in open_rows)
        if _outside(row, timespan) or is_there:
            continue
        reason = f"would have applied; taken out by {_by_whom(uow, one.closed_state)}"
        made.append(_candidate(0, Member(one.collection, CollectionType.CALIBRATION), row, REMOVED, reason))
    return tuple(made)


def _by_whom(uow: "UnitOfWork", state: int) -> str:
    entry = uow.journal.entry(state)
    return f"state {state} ({entry.user}, {ns_to_iso(entry.at_tai_ns, 0)} TAI)" if entry else f"state {state}"
