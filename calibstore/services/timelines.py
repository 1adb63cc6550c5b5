"""The timeline as text: certifications in search order, where each wins, and what was in use when."""

import itertools
from collections.abc import Sequence
from typing import Final

from calibstore.commands.views import Timeline
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.layout import counted, date_text, folded, number_ranges, range_text
from calibstore.services.looks.timeline import timeline_look
from calibstore.services.looks.timeline_cursor import Change, changes_around, row_at
from calibstore.services.looks.timeline_parts import Stretch, TimelineLook, TimelineRow, Track
from calibstore.services.moments import read_moment

_BAR: Final = 60
"""Cells of a WINS line."""
_MARKS: Final = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MANY: Final = "#"
"""Several changes in one cell."""
_NOTHING: Final = "!"
_BEYOND: Final = "+"
"""A row with a number too high for a mark."""


def timeline(command: Timeline, context: Context) -> Answer:
    """Answer what is valid when."""
    with context.unit_of_work() as uow:
        moment = read_moment(uow, command.at_state, command.as_of)
    look = timeline_look(
        context,
        dataset_type=command.dataset_type,
        instrument=command.instrument,
        detector=command.detector,
        physical_filter=command.filter,
        chain=command.collection,
        begin=command.begin,
        end=command.end,
        at_state=moment.at_state,
    )
    view = Timespan(
        MIN_TAI_NS if look.begin_tai_ns is None else look.begin_tai_ns,
        MAX_TAI_NS if look.end_tai_ns is None else look.end_tai_ns,
    )
    lines = _of_type(look, view) if look.dataset_type else _overview(look, view)
    return Answer(lines=(*moment.lines(), *lines), data=_data(look, view) | {"state": moment.number})


def _of_type(look: TimelineLook, view: Timespan) -> list[str]:
    named = f"{look.dataset_type} {look.physical_filter}".strip()
    lines = folded(f"{named} of {look.instrument}, searched from {look.top}", hanging="  ")
    lines += [_agreement(look), ""]
    rows = [row for row in look.rows if _span(row).overlaps(view)]
    if not rows:
        lines.append(f"nothing is certified for detector {look.detector}" + (" in this time" if look.rows else ""))
        return lines
    for row in rows:
        lines += _row_lines(row, look)
    hidden = len(look.rows) - len(rows)
    if hidden:
        lines.append(f"  {counted(hidden, 'range')} outside the time asked for")
    axis = _axis(look, view, [look.wins, *look.groups])
    lines += ["", *_ruler(axis), _bar_line("WINS", look.wins.stretches, axis)]
    lines.append(
        f"      each cell is {_length(axis)}; {_NOTHING} nothing is valid, {_MANY} several changes in one cell"
    )
    lines += ["", *_group_lines(look, axis)] if len(look.groups) > 1 else []
    lines += ["", *_gap_lines(look, view), *_now_lines(look)]
    return lines


def _agreement(look: TimelineLook) -> str:
    n_all = len(look.detectors)
    shown = f"detector {look.detector} is shown"
    if n_all == 1:
        return f"  detector {look.detector}, the only one"
    if look.n_agreeing == n_all:
        return f"  {shown}: all {n_all} detectors agree"
    return f"  {shown}: {look.n_agreeing} of {n_all} detectors agree with it, see below"


def _row_lines(row: TimelineRow, look: TimelineLook) -> list[str]:
    valid = "always valid" if row.is_always else f"valid {range_text(_span(row))}"
    lines = [f"#{row.number:<3} {row.collection}"]
    wins = [Timespan(begin, end) for begin, end in row.wins]
    others = ", ".join(f"#{one}" for one in _covering(row, look))
    if not wins:
        return [*lines, *folded(f"{valid}; NEVER WINS: covered by {others}", "     ", "  ")]
    if wins == [_span(row)]:
        return [*lines, *folded(f"{valid}; wins all the time", "     ", "  ")]
    won = ", ".join(range_text(one) for one in wins)
    lost = ", ".join(range_text(one) for one in _rest(_span(row), wins))
    return [
        *lines,
        f"     {valid}",
        *folded(f"wins      {won}", "       ", "          "),
        *folded(f"shadowed  {lost} by {others}", "       ", "          "),
    ]


def _covering(row: TimelineRow, look: TimelineLook) -> list[int]:
    span = _span(row)
    found = {
        one.row
        for one in look.wins.stretches
        if one.row not in (0, row.number) and one.begin_tai_ns < span.end_tai_ns and span.begin_tai_ns < one.end_tai_ns
    }
    return sorted(found)


def _rest(span: Timespan, taken: Sequence[Timespan]) -> list[Timespan]:
    left = [span]
    for one in taken:
        left = [piece for part in left for piece in part.difference(one)]
    return left


def _group_lines(look: TimelineLook, axis: Timespan) -> list[str]:
    lines = ["detectors differ:"]
    for group in look.groups:
        own = " (shown above)" if look.detector in group.detectors else ""
        lines += folded(
            f"{counted(len(group.detectors), 'detector')}: {number_ranges(group.detectors)}{own}", "  ", "  "
        )
        lines.append(_bar_line("", group.stretches, axis))
    return lines


def _gap_lines(look: TimelineLook, view: Timespan) -> list[str]:
    gaps = _gaps(look.wins, view)
    if not gaps:
        return ["gaps: none"]
    line = "cabstand gaps" if all(one.is_bounded_begin for one in gaps) else "cabstand gaps --from unbounded"
    return folded(f"gaps: {', '.join(range_text(one) for one in gaps)} ({line} tells the exposures)", hanging="  ")


def _gaps(track: Track, view: Timespan) -> list[Timespan]:
    found = []
    for one in track.stretches:
        shared = Timespan(one.begin_tai_ns, one.end_tai_ns).intersection(view) if not one.row else None
        found += [shared] if shared else []
    return found


def _now_lines(look: TimelineLook) -> list[str]:
    now = look.now_tai_ns
    previous, following = changes_around((look.wins,), now)
    at = row_at(look.wins, now)
    lines = [f"now ({date_text(now)[:10]}): {_row_name(at)}"]
    lines.append(f"  last change: {_change_text(previous)}")
    lines.append(f"  next change: {_change_text(following)}")
    return lines


def _change_text(change: Change | None) -> str:
    if change is None:
        return "none"
    return f"{date_text(change.tai_ns)}, from {_row_name(change.before)} to {_row_name(change.after)}"


def _row_name(row: int) -> str:
    return f"#{row}" if row else "nothing"


def _overview(look: TimelineLook, view: Timespan) -> list[str]:
    lines = [f"what was in use when, {look.instrument}, searched from {look.top}", ""]
    tracks = [one for one in look.tracks if any(stretch.row for stretch in one.stretches)]
    empty = [one.label for one in look.tracks if one not in tracks]
    if tracks:
        axis = _axis(look, view, tracks)
        width = max(len(one.label) for one in tracks)
        lines += _ruler(axis, width)
        for track in tracks:
            lines.append(_bar_line(track.label, track.stretches, axis, width))
            lines += [f"{'':<{width}}  {track.note}"] if track.note else []
        lines.append(f"{'':<{width}}  each cell is {_length(axis, _cells(width))}")
        lines += ["", *(f"  {_mark(number)}  {name}" for number, name in enumerate(look.legend, start=1))]
        lines += [f"  {_NOTHING}  nothing is valid", f"  {_MANY}  several changes in one cell"]
    if empty:
        lines += folded(f"never any: {', '.join(empty)}", hanging="  ")
    return lines


def _axis(look: TimelineLook, view: Timespan, tracks: Sequence[Track]) -> Timespan:
    """Return the time that is drawn: what was asked for, else all changes and the present with some room."""
    edges = [one.begin_tai_ns for track in tracks for one in track.stretches if one.begin_tai_ns > MIN_TAI_NS]
    inside = [edge for edge in (*edges, look.now_tai_ns) if view.contains(edge)]
    begin, end = (min(inside), max(inside)) if inside else (look.now_tai_ns, look.now_tai_ns)
    room = max((end - begin) // 20, 86_400_000_000_000)
    first = view.begin_tai_ns if view.is_bounded_begin else max(MIN_TAI_NS, begin - room)
    last = view.end_tai_ns if view.is_bounded_end else min(MAX_TAI_NS, end + room)
    return Timespan(first, last) if first < last else Timespan(first, min(MAX_TAI_NS, first + room))


def _cells(label_width: int = 4) -> int:
    return min(_BAR, 78 - label_width)


def _ruler(axis: Timespan, label_width: int = 4) -> list[str]:
    first, last = date_text(axis.begin_tai_ns)[:10], date_text(axis.end_tai_ns)[:10]
    n_cells = _cells(label_width)
    middle = date_text((axis.begin_tai_ns + axis.end_tai_ns) // 2)[:10]
    text = f"{first:<{n_cells // 2}}{middle:<{n_cells - n_cells // 2 - len(last)}}{last}"
    return [f"{'':<{label_width}}  {text}"]


def _bar_line(label: str, stretches: Sequence[Stretch], axis: Timespan, label_width: int = 4) -> str:
    return f"{label:<{label_width}}  {bar(stretches, axis, _cells(label_width))}"


def bar(stretches: Sequence[Stretch], axis: Timespan, n_cells: int) -> str:
    """Return a WINS line: in each cell the mark of the row that wins at its begin.

    Parameters
    ----------
    stretches : sequence of Stretch
        Of all time, in order.
    axis : Timespan
        What is drawn.
    n_cells : int
        Characters.

    Notes
    -----
    A cell with one change shows what wins after it, so that no stretch of at least a cell is lost.
    """
    length = axis.end_tai_ns - axis.begin_tai_ns
    edges = [axis.begin_tai_ns + length * cell // n_cells for cell in range(n_cells + 1)]
    marks = []
    for begin, end in itertools.pairwise(edges):
        inside = [one for one in stretches if one.begin_tai_ns < max(end, begin + 1) and begin < one.end_tai_ns]
        marks.append(_mark(inside[-1].row) if len(inside) <= 2 else _MANY)
    return "".join(marks)


def _mark(row: int) -> str:
    if not row:
        return _NOTHING
    return _MARKS[row - 1] if row <= len(_MARKS) else _BEYOND


def _length(axis: Timespan, n_cells: int = _BAR) -> str:
    days = (axis.end_tai_ns - axis.begin_tai_ns) / n_cells / 86_400e9
    return f"{days:.1f} d" if days >= 1 else f"{days * 24:.1f} h"


def _span(row: TimelineRow) -> Timespan:
    return Timespan(row.begin_tai_ns, row.end_tai_ns)


def _data(look: TimelineLook, view: Timespan) -> dict[str, object]:
    data: dict[str, object] = {"instrument": look.instrument, "through": look.top, "now_tai_ns": look.now_tai_ns}
    if not look.dataset_type:
        data["legend"] = list(look.legend)
        data["types"] = [
            {"label": one.label, "dataset_type": one.dataset_type, "note": one.note, "wins": _stretch_data(one)}
            for one in look.tracks
        ]
        return data
    previous, following = changes_around((look.wins,), look.now_tai_ns)
    return data | {
        "dataset_type": look.dataset_type,
        "physical_filter": look.physical_filter or None,
        "detector": look.detector,
        "rows": [
            {
                "number": row.number,
                "collection": row.collection,
                "run": row.run,
                "begin_tai_ns": row.begin_tai_ns,
                "end_tai_ns": row.end_tai_ns,
                "is_always": row.is_always,
                "wins": [list(one) for one in row.wins],
                "detectors": sorted(row.detectors),
            }
            for row in look.rows
        ],
        "wins": _stretch_data(look.wins),
        "groups": [{"detectors": list(one.detectors), "wins": _stretch_data(one)} for one in look.groups],
        "gaps": [[one.begin_tai_ns, one.end_tai_ns] for one in _gaps(look.wins, view)],
        "previous_change": _change_data(previous),
        "next_change": _change_data(following),
    }


def _stretch_data(track: Track) -> list[dict[str, int]]:
    return [{"begin_tai_ns": one.begin_tai_ns, "end_tai_ns": one.end_tai_ns, "row": one.row} for one in track.stretches]


def _change_data(change: Change | None) -> dict[str, int] | None:
    return {"tai_ns": change.tai_ns, "before": change.before, "after": change.after} if change else None


QUESTIONS = {"timeline": timeline}
