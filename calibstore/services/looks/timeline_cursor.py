"""What the timeline says of one instant: what wins, why each other row does not, the changes before and after."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

from calibstore.commands.fields import to_line
from calibstore.commands.store import Explain
from calibstore.model.names import find_name
from calibstore.model.times import mjd_of, ns_to_iso, time_views
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.explaining import AMBIGUOUS, OUTSIDE, SHADOWED, WINS, explain_rows
from calibstore.services.explaining_text import of_instant
from calibstore.services.looks.timeline_parts import Stretch, TimelineLook, Track

__all__ = ["AMBIGUOUS", "OUTSIDE", "SHADOWED", "WINS", "Change", "CursorLook", "Verdict", "cursor_look", "native_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row at an instant."""

    number: int
    collection: str
    run: str
    dataset_id: str
    valid: str
    """The range in days, such as ``[2023-04-25, inf)``."""
    answer: str
    """WINS, SHADOWED, OUTSIDE or AMBIGUOUS."""
    reason: str
    never_wins: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An instant at which another row begins to win."""

    tai_ns: int
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorLook:
    """The instant under the cursor."""

    begin_tai_ns: int
    end_tai_ns: int
    tai: str
    utc: str
    day_obs: int
    mjd: float
    winner: Verdict | None
    verdicts: tuple[Verdict, ...]
    previous: Change | None
    next: Change | None
    of_types: tuple[tuple[str, int], ...] = ()
    """Without a dataset type: number in the legend (0: nothing) by line."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether the look-up fails because it cannot choose."""
        return any(one.answer == AMBIGUOUS for one in self.verdicts)


def cursor_look(look: TimelineLook, begin_tai_ns: int, end_tai_ns: int = 0) -> CursorLook:
    """Explain an instant, or a whole exposure, from what was read already: nothing is asked of the store.

    Parameters
    ----------
    look : TimelineLook
        The timeline.
    begin_tai_ns, end_tai_ns : int
        The instant, or begin and end of the exposure [TAI ns].
    """
    begin = max(MIN_TAI_NS, min(begin_tai_ns, MAX_TAI_NS - 1))
    span = Timespan(begin, max(begin + 1, min(end_tai_ns, MAX_TAI_NS)))
    views = time_views(begin, None, look.day_obs_offset_h, 0)
    verdicts: tuple[Verdict, ...] = ()
    tracks: tuple[Track, ...] = look.tracks
    if look.dataset_type:
        verdicts = _verdicts(look, span)
        tracks = (look.wins,)
    previous, following = changes_around(tracks, begin)
    return CursorLook(
        begin_tai_ns=begin,
        end_tai_ns=span.end_tai_ns,
        tai=views.tai,
        utc=views.utc,
        day_obs=views.day_obs,
        mjd=mjd_of(begin),
        winner=next((one for one in verdicts if one.answer == WINS), None),
        verdicts=verdicts,
        previous=previous,
        next=following,
        of_types=tuple((one.label, row_at(one, begin)) for one in look.tracks),
    )


def row_at(track: Track, tai_ns: int) -> int:
    """Return the row that wins at an instant; 0: nothing."""
    return next((one.row for one in track.stretches if one.begin_tai_ns <= tai_ns < one.end_tai_ns), 0)


def changes_around(tracks: tuple[Track, ...], tai_ns: int) -> tuple[Change | None, Change | None]:
    """Return the last change at or before an instant that is not the instant itself, and the next one after it."""
    found = [change for track in tracks for change in _changes(track.stretches)]
    before = [one for one in found if one.tai_ns < tai_ns]
    after = [one for one in found if one.tai_ns > tai_ns]
    return (
        max(before, key=lambda one: one.tai_ns) if before else None,
        min(after, key=lambda one: one.tai_ns) if after else None,
    )


def _changes(stretches: tuple[Stretch, ...]) -> list[Change]:
    return [
        Change(second.begin_tai_ns, first.row, second.row)
        for first, second in itertools.pairwise(stretches)
        if first.row != second.row
    ]


def _verdicts(look: TimelineLook, span: Timespan) -> tuple[Verdict, ...]:
    numbers = {(row.collection, row.begin_tai_ns, row.end_tai_ns): row for row in look.rows}
    made = []
    for one in explain_rows(look.segments, look.dataset_type, look.data_key, span):
        valid = one.timespan or Timespan()
        row = numbers[one.collection, valid.begin_tai_ns, valid.end_tai_ns]
        made.append(
            Verdict(
                number=row.number,
                collection=one.collection,
                run=one.run,
                dataset_id=one.dataset_id,
                valid=range_text(valid) if one.timespan else "always",
                answer=one.verdict,
                reason=one.reason,
                never_wins=not row.wins,
            )
        )
    # Reasons name other candidates by their place among those of this data ID; people see row numbers.
    places = {place: one.number for place, one in enumerate(made, start=1)}
    is_exposure = span.end_tai_ns - span.begin_tai_ns > 1
    return tuple(_reworded(one, places, is_exposure=is_exposure) for one in made)


def _reworded(one: Verdict, places: dict[int, int], *, is_exposure: bool) -> Verdict:
    if one.answer == SHADOWED:
        numbers = [places.get(int(word[1:]), 0) for word in one.reason.split() if word[:1] == "#"]
        return replace(one, reason=f"valid, shadowed by {numbers[0]}" if numbers else one.reason)
    if is_exposure:
        return one
    return replace(one, reason=of_instant(one.reason))


def range_text(span: Timespan) -> str:
    """Return a range with as much of the times as tells them apart from midnight."""
    begin = f"[{date_text(span.begin_tai_ns)}" if span.is_bounded_begin else "(-inf"
    return f"{begin}, {date_text(span.end_tai_ns) if span.is_bounded_end else 'inf'})"


def date_text(tai_ns: int) -> str:
    """Return an instant as a date, with the time of day where it is not midnight."""
    text = ns_to_iso(tai_ns)[:19]
    return text.removesuffix("T00:00:00").removesuffix(":00") if text.endswith("T00:00:00") else text[:16]


def native_lines(look: TimelineLook, cursor: CursorLook, root: Path) -> tuple[str, ...]:
    """Return the Butler's own call with the same answer, and Cabstand's line where an exposure is shown."""
    if not look.dataset_type:
        return ()
    data_id = f"instrument={look.instrument!r}, detector={look.detector}"
    if look.physical_filter:
        data_id += f", physical_filter={look.physical_filter!r}"
    lines = [
        "from astropy.time import Time",
        "from lsst.daf.butler import Butler, Timespan",
        f"butler = Butler({str(root)!r})",
        f"at = Timespan(Time({cursor.tai!r}, scale='tai'), Time({_end(cursor)!r}, scale='tai'))",
        f"butler.find_dataset({look.dataset_type!r}, {data_id}, collections={look.top!r}, timespan=at)",
    ]
    if look.exposure:
        chain = look.top if find_name(look.top) is None or look.top.count("/") > 1 else ""
        told = Explain(
            exposure=str(look.exposure), detector=look.detector, dataset_type=look.dataset_type, collection=chain
        )
        lines.insert(0, f"# {to_line(told)}")
    return tuple(lines)


def _end(cursor: CursorLook) -> str:
    return ns_to_iso(max(cursor.end_tai_ns, cursor.begin_tai_ns + 1))
