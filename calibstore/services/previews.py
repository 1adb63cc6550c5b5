"""What a change would do: which calibration applied before and which would after, and for how many exposures."""

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calibstore.model.data_id import DataId
from calibstore.model.names import top_chain_of
from calibstore.model.times import day_obs_of, day_obs_timespan, timespan_text
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.preview_groups import pairs_alike
from calibstore.services.rejections import RejectedInUse, newly_rejected
from calibstore.services.segments import Key, KeySegments, Placed, Segments, View

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

SHOWN: Final = 8
"""Changes listed one by one; the rest is counted."""
NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class WinnerChange:
    """A stretch of time in which another dataset applies, the same for several data IDs."""

    dataset_type: str
    timespan: Timespan
    before: str
    """Collection that wins now; empty for none."""
    after: str
    data_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureCounts:
    """Exposures for which another dataset applies, by the clock."""

    past: int = 0
    """Before tonight's observing day."""
    tonight: int = 0
    future: int = 0
    ambiguous: tuple[int, ...] = ()
    """Exposures whose look-up would newly fail."""

    @property
    def taken(self) -> int:
        """Exposures that exist and change."""
        return self.past + self.tonight

    def text(self) -> str:
        """Return the counts in words."""
        return f"{self.past} past, {self.tonight} of tonight, {self.future} future"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The effect of a change as seen from one collection."""

    top: str
    changes: tuple[WinnerChange, ...]
    counts: ExposureCounts
    unreachable: tuple[tuple[str, int], ...]
    """(collection, number of its entries that could win before and cannot after)."""
    is_live: bool = False
    data: dict[str, object] = field(default_factory=dict)
    rejected: tuple[RejectedInUse, ...] = ()
    """What the board rejected and would apply where it does not now; told of live paths only."""

    def lines(self) -> tuple[str, ...]:
        """Return the preview for people."""
        if not self.changes:
            return (f"through {self.top}: nothing changes",)
        lines = [f"through {self.top}:"]
        for change in self.changes[:SHOWN]:
            lines += [
                f"  {change.dataset_type}, {_counted(change.data_keys)}, {timespan_text(change.timespan)}",
                f"    now   {change.before or NOTHING}",
                f"    then  {change.after or NOTHING}",
            ]
        if len(self.changes) > SHOWN:
            lines.append(f"  and {len(self.changes) - SHOWN} more stretches")
        lines.append(f"  exposures that get another answer: {self.counts.text()}")
        lines += [
            f"  no longer reachable: {name} ({n} {'entry' if n == 1 else 'entries'})" for name, n in self.unreachable
        ]
        return tuple(lines)

    def warnings(self) -> tuple[str, ...]:
        """Return what must be seen."""
        rejected = tuple(f"W-REJECTED {one.coming_up()}" for one in self.rejected)
        if not self.counts.ambiguous:
            return rejected
        ids = ", ".join(str(one) for one in self.counts.ambiguous[:5])
        more = f" and {len(self.counts.ambiguous) - 5} more" if len(self.counts.ambiguous) > 5 else ""
        return (
            *rejected,
            f"W-AMBIGUOUS through {self.top} the look-up of exposure {ids}{more} would fail: it straddles two ranges",
        )


def preview_change(
    uow: "UnitOfWork",
    *,
    top: str,
    before: Segments,
    after: Segments,
    instrument: str,
    now_tai_ns: int,
    day_obs_offset_h: float,
    is_live: bool = False,
) -> Preview:
    """Compare two states of one search path.

    Parameters
    ----------
    uow : UnitOfWork
        Gives the exposures.
    top : str
        Name of the collection, for the text.
    before, after : Segments
        As it is, and as it would become.
    instrument : str
        Whose exposures are counted.
    now_tai_ns : int
        Tells past, tonight and future apart.
    day_obs_offset_h : float
        Hours after TAI midnight at which an observing day begins [h].
    is_live : bool
        Whether processing searches there.
    """
    changes = compare(before, after)
    counts = count_exposures(
        uow, before, after, instrument=instrument, now_tai_ns=now_tai_ns, day_obs_offset_h=day_obs_offset_h
    )
    unreachable = _unreachable(before, after)
    rejected = newly_rejected(uow, top.removesuffix(" (live)"), before, after) if is_live and changes else ()
    data: dict[str, object] = {
        "through": top,
        "changes": [
            {
                "dataset_type": change.dataset_type,
                "begin_tai_ns": change.timespan.begin_tai_ns,
                "end_tai_ns": change.timespan.end_tai_ns,
                "before": change.before or None,
                "after": change.after or None,
                "data_ids": list(change.data_keys),
            }
            for change in changes
        ],
        "exposures": {"past": counts.past, "tonight": counts.tonight, "future": counts.future},
        "ambiguous": list(counts.ambiguous),
        "unreachable": [{"collection": name, "entries": n} for name, n in unreachable],
    }
    return Preview(
        top=top,
        changes=changes,
        counts=counts,
        unreachable=unreachable,
        is_live=is_live,
        data=data,
        rejected=rejected,
    )


def preview_everywhere(
    uow: "UnitOfWork", before: View, after: View, *, changed: str, now_tai_ns: int
) -> tuple[Preview, ...]:
    """Compare two views through the changed collection, the chains that list it, and every top chain above it.

    Parameters
    ----------
    uow : UnitOfWork
        Gives instruments and exposures.
    before, after : View
        As it is, and as it would become.
    changed : str
        Collection whose list or ranges change.
    now_tai_ns : int
        Tells past, tonight and future apart.

    Notes
    -----
    The top chains come last; where none leads there, what is live changes only through chains above a top chain that
    lead there by another way.
    """
    previews = []
    tops = {top_chain_of(instrument) for instrument in uow.repository.instruments()}
    listing = sorted(chain for chain, children in before.tree.children.items() if changed in children)
    above = {*before.tree.chains_above(changed), *after.tree.chains_above(changed)}
    for instrument in uow.repository.instruments():
        offset_h = uow.repository.camera(instrument).day_obs_offset_h
        top = top_chain_of(instrument)
        starts = [name for name in (changed, *listing) if name not in tops or name == top]
        # Through the top chain itself they all change alike.
        aside = set() if top in above else above & {*before.tree.chains_above(top), *after.tree.chains_above(top)}
        for name in dict.fromkeys([*starts, *sorted(aside), *([top] if top in above else [])]):
            is_live = name == top or name in aside
            old, new = before.segments([name]), after.segments([name])
            if name != top and not _mentions(instrument, old, new):
                continue
            previews.append(
                preview_change(
                    uow,
                    top=f"{name} (live)" if is_live else name,
                    before=old,
                    after=new,
                    instrument=instrument,
                    now_tai_ns=now_tai_ns,
                    day_obs_offset_h=offset_h,
                    is_live=is_live,
                )
            )
    return tuple(sorted(previews, key=lambda preview: preview.is_live))


def _mentions(instrument: str, *found: Segments) -> bool:
    return any(_instrument(key) == instrument for one in found for _, key in one.by_key)


@functools.lru_cache(maxsize=10_000)
def _instrument(data_key: str) -> object:
    return DataId.parse(data_key).get("instrument")


def compare(before: Segments, after: Segments) -> tuple[WinnerChange, ...]:
    """Return the stretches in which another dataset applies, grouped over data IDs; in order of type and time."""
    groups: dict[tuple[str, Timespan, str, str], list[str]] = {}
    for alike in pairs_alike(before, after):
        for timespan, old, new in alike.changed:
            names = (old.member.name if old else "", new.member.name if new else "")
            groups.setdefault((alike.dataset_type, timespan, *names), []).extend(alike.data_keys)
    return tuple(
        WinnerChange(dataset_type=kind, timespan=timespan, before=old, after=new, data_keys=tuple(sorted(keys)))
        for (kind, timespan, old, new), keys in sorted(groups.items())
    )


def count_exposures(
    uow: "UnitOfWork",
    before: Segments,
    after: Segments,
    *,
    instrument: str,
    now_tai_ns: int,
    day_obs_offset_h: float,
) -> ExposureCounts:
    """Count the exposures for which at least one look-up gives another answer.

    Notes
    -----
    Interval arithmetic first, exposures only where something changed; data IDs whose stretches look alike are asked
    once, so the work grows with the exposures touched and not with the detectors.
    """
    alike: dict[object, tuple[KeySegments, KeySegments]] = {}
    spans: set[Timespan] = set()
    for one in pairs_alike(before, after):
        if not any(_instrument(key) == instrument for key in one.data_keys):
            continue
        pair = (one.before, one.after)
        signature = _signature(*pair)
        if signature in alike or signature[0] == signature[1]:
            continue
        alike[signature] = pair
        spans |= {timespan for timespan, _, _ in one.changed} | _edges(pair)
    tonight = day_obs_timespan(day_obs_of(now_tai_ns, day_obs_offset_h), day_obs_offset_h)
    past = now = future = 0
    ambiguous: list[int] = []
    steps = _Steps(list(alike.values()))
    for exposure, begin, end in _touched(uow, instrument, spans):
        is_changed = steps.within(begin, end)
        if is_changed is None:
            timespan = Timespan(begin, end)
            answers = [(_ids(old, timespan), _ids(new, timespan)) for old, new in alike.values()]
            if any(len(new) > 1 >= len(old) for old, new in answers):
                ambiguous.append(exposure)
            is_changed = any(old != new for old, new in answers)
        if is_changed:
            past += begin < tonight.begin_tai_ns
            now += tonight.contains(begin)
            future += begin >= tonight.end_tai_ns
    return ExposureCounts(past=past, tonight=now, future=future, ambiguous=tuple(ambiguous))


def shadows(segments: Segments, keys: Iterable[Key], timespan: Timespan, *, apart_from: str) -> dict[str, Timespan]:
    """Return the other collections that hold something for the same data IDs and time, with the first overlap."""
    found: dict[str, Timespan] = {}
    for key in keys:
        for placed in segments.of(*key).placed:
            shared = placed.timespan.intersection(timespan)
            if placed.member.name != apart_from and shared is not None:
                found.setdefault(placed.member.name, shared)
    return found


def _ids(found: KeySegments, timespan: Timespan) -> tuple[str, ...]:
    return tuple(placed.row.dataset_id for placed in found.winners(timespan))


def _signature(before: KeySegments, after: KeySegments) -> tuple[object, object]:
    """Return what two look-ups depend on, with datasets numbered by first appearance."""
    numbers: dict[str, int] = {}

    def marked(found: KeySegments) -> tuple[object, ...]:
        ranks = {order: rank for rank, order in enumerate(sorted({one.order for one in found.owners if one}))}
        owners = tuple(
            (ranks[one.order], numbers.setdefault(one.row.dataset_id, len(numbers))) if one else None
            for one in found.owners
        )
        return (found.begins, owners)

    return marked(before), marked(after)


def _edges(pair: tuple[KeySegments, KeySegments]) -> set[Timespan]:
    """Return an instant around every boundary: exposures across it may change even where no stretch does."""
    inner = {begin for found in pair for begin in found.begins if MIN_TAI_NS < begin < MAX_TAI_NS}
    return {Timespan(begin - 1, begin + 1) for begin in inner}


class _Steps:
    """Where the answers change in time: an exposure between two boundaries needs no look-up."""

    def __init__(self, pairs: Sequence[tuple[KeySegments, KeySegments]]) -> None:
        self._edges = sorted({begin for pair in pairs for found in pair for begin in found.begins} | {MAX_TAI_NS})
        self._is_changed = [
            any(_owner(old, begin) != _owner(new, begin) for old, new in pairs) for begin in self._edges
        ]

    def within(self, begin_tai_ns: int, end_tai_ns: int) -> bool | None:
        """Tell whether a time gets another answer; None when a boundary is inside it."""
        at = bisect_right(self._edges, begin_tai_ns)
        if at < len(self._edges) and self._edges[at] < end_tai_ns:
            return None
        return self._is_changed[at - 1]


def _owner(found: KeySegments, tai_ns: int) -> str:
    owner = found.at(tai_ns)
    return owner.row.dataset_id if owner else ""


def _touched(uow: "UnitOfWork", instrument: str, spans: Iterable[Timespan]) -> Iterator[tuple[int, int, int]]:
    """Yield (id, begin, end) of the exposures that share an instant with some ranges."""
    merged = _merged(sorted(spans))
    if not merged:
        return
    begins = [one.begin_tai_ns for one in merged]
    whole = Timespan(begins[0], merged[-1].end_tai_ns)
    for exposure in uow.associations.spans(instrument, whole):
        last = bisect_left(begins, exposure[2]) - 1
        if last >= 0 and merged[last].end_tai_ns > exposure[1]:
            yield exposure


def _merged(spans: Sequence[Timespan]) -> list[Timespan]:
    merged: list[Timespan] = []
    for timespan in spans:
        if merged and timespan.begin_tai_ns <= merged[-1].end_tai_ns:
            merged[-1] = Timespan(merged[-1].begin_tai_ns, max(merged[-1].end_tai_ns, timespan.end_tai_ns))
        else:
            merged.append(timespan)
    return merged


def _unreachable(before: Segments, after: Segments) -> tuple[tuple[str, int], ...]:
    lost: dict[str, int] = {}
    for alike in pairs_alike(before, after):
        winning = {_entry(owner) for owner in alike.after.owners if owner}
        present = {_entry(placed) for placed in alike.after.placed}
        for entry in {_entry(owner) for owner in alike.before.owners if owner}:
            if entry in present and entry not in winning:
                lost[entry[0]] = lost.get(entry[0], 0) + len(alike.data_keys)
    return tuple(sorted(lost.items()))


def _entry(placed: Placed) -> tuple[str, str, Timespan]:
    return (placed.member.name, placed.row.dataset_id, placed.timespan)


def _counted(data_keys: Sequence[str]) -> str:
    if len(data_keys) == 1:
        detector = DataId.parse(data_keys[0]).get("detector")
        return f"detector {detector}" if detector is not None else data_keys[0]
    return f"{len(data_keys)} detectors"
