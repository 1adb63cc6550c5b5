"""The timeline as lines: bars in search order, the WINS line, and what the instant under the cursor comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.model.counting import counted
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS
from tui.paint.timeline_axis import (
    STEPS,
    Axis,
    Cell,
    as_spans,
    between,
    count_cells,
    fit,
    row_cells,
    symbol,
    ticks,
    wins_cells,
    with_cursor,
)
from tui.paint.timeline_panel import panel, range_words
from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.timeline_cursor import CursorLook
    from calibstore.services.looks.timeline_parts import TimelineLook, TimelineRow, Track

DRAFT: Final = "draft"
"""Compares with the chain's draft instead of a ticket chain."""
WIDE: Final = 100
"""From this width on rows of the panel become a table."""
_NOBODY: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a timeline is looked at."""

    axis: Axis
    cursor_tai_ns: int | None = None
    row: int = 0
    """Number of the row under the cursor; 0: none."""
    first_row: int = 0
    """Rows scrolled past."""
    is_utc: bool = False
    with_groups: bool = False
    """One WINS line per group of detectors."""
    without_losers: bool = False
    """Leave rows out that never win."""


def look(context: "Context", place: Place, instrument: str, *, draft: Sequence[str] | None = None) -> "TimelineLook":
    """Read what a place names, with the drafted list of its chain where it is compared with that."""
    from calibstore.errors import UserInputError
    from calibstore.services.looks.timeline import timeline_look

    numbers: dict[str, int | None] = {"exposure": None, "detector": None, "state": None}
    for name in numbers:
        text = place.option(name)
        if text and not text.isdigit():
            raise UserInputError(f"--{name} {text} is no number", hint=f"such as --{name} 0", code="E-PLACE")
        numbers[name] = int(text) if text else None
    return timeline_look(
        context,
        dataset_type=place.word(0),
        instrument=place.option("instrument") or instrument,
        detector=numbers["detector"],
        physical_filter=place.option("filter"),
        chain=place.option("chain"),
        at=place.option("at"),
        exposure=numbers["exposure"] or 0,
        begin=place.option("from"),
        end=place.option("to"),
        compare=place.option("with") if place.option("with") != DRAFT else "",
        draft=draft,
        at_state=numbers["state"],
    )


def page(look: "TimelineLook", width: int) -> tuple[Line, ...]:
    """Return the whole timeline as text."""
    from calibstore.services.looks.timeline_cursor import cursor_look

    width = max(60, width)
    shown = Shown(
        axis=first_axis(look, chart_width(look, width)),
        cursor_tai_ns=look.at_tai_ns,
        with_groups=len(look.groups) > 1,
    )
    at = cursor_look(look, look.at_tai_ns, look.until_tai_ns)
    past = past_text(look)
    head = line(Span(title(look), Role.TITLE), Span(f"  {past}" if past else "", Role.WARN))
    return (head, *body(look, shown, at, width=width, height=0), *wrapped(summary(look), width, role=Role.DIM))


def title(look: "TimelineLook") -> str:
    """Return what is shown, for the breadcrumb."""
    if not look.dataset_type:
        return f"{look.top} > all types"
    with_filter = f" {look.physical_filter}" if look.physical_filter else ""
    return f"{look.top} > {look.dataset_type}{with_filter}  det {look.detector}"


def past_text(look: "TimelineLook") -> str:
    """Return which earlier state is shown; empty: the present."""
    return f"PAST: state {look.at_state} of {look.last_state}" if look.at_state is not None else ""


def first_axis(look: "TimelineLook", n_cells: int) -> Axis:
    """Return the view a timeline opens with: the one asked for, else everything, with the cursor in it."""
    if look.begin_tai_ns is not None or look.end_tai_ns is not None:
        begin = look.begin_tai_ns if look.begin_tai_ns is not None else min(instants(look), default=MIN_TAI_NS)
        end = look.end_tai_ns if look.end_tai_ns is not None else max(look.now_tai_ns, begin + STEPS[1][0])
        return between(begin, end, n_cells)
    return fit((*instants(look), look.at_tai_ns), n_cells)


def instants(look: "TimelineLook") -> tuple[int, ...]:
    """Return the boundaries a fitted view shows, and now; dates far ahead would make everything else small."""
    limit = look.now_tai_ns + 2 * STEPS[-1][0]
    tracks = (look.wins, *look.tracks)
    found = {edge for row in look.rows for edge in (row.begin_tai_ns, row.end_tai_ns)}
    found |= {one.begin_tai_ns for track in tracks for one in track.stretches}
    return tuple(sorted({one for one in found if MIN_TAI_NS < one < min(limit, MAX_TAI_NS)} | {look.now_tai_ns}))


def label_width(look: "TimelineLook", width: int) -> int:
    """Return the cells left of the chart."""
    n_all = len(look.detectors)
    labels = [f"{row.label} (99 det)" if len(row.detectors) < n_all else row.label for row in look.rows]
    labels += [track.label for track in (*look.tracks, *look.groups)]
    longest = max((len(one) for one in labels), default=0) + 4
    return max(14, min(longest, 28 if width < WIDE else 38, width // 3))


def chart_width(look: "TimelineLook", width: int) -> int:
    """Return the cells of the chart."""
    return max(1, width - label_width(look, width))


def seen_rows(look: "TimelineLook", shown: Shown) -> tuple["TimelineRow", ...]:
    """Return the rows that are drawn, before scrolling."""
    return tuple(row for row in look.rows if row.wins or not shown.without_losers)


def rows_room(look: "TimelineLook", shown: Shown, *, width: int, height: int) -> int:
    """Return how many bars fit, the panel keeping its lines; no limit for a height of 0."""
    rows = len(seen_rows(look, shown))
    if not height:
        return rows
    fixed = 2 + 1 + (look.then is not None) + (len(look.groups) if shown.with_groups else 0) + 1
    wanted = 6 if width < WIDE else 9
    return max(1, min(rows, max(height - fixed - wanted - 1, height // 3)))


def body(
    look: "TimelineLook",
    shown: Shown,
    at: "CursorLook | None",
    *,
    width: int,
    height: int,
    counts: dict[int, int] | None = None,
) -> tuple[Line, ...]:
    """Return the chart with its panel.

    Parameters
    ----------
    look : TimelineLook
        What was read.
    shown : Shown
        Zoom, cursor, options.
    at : CursorLook or None
        What the instant under the cursor comes to.
    width, height : int
        Cells; a height of 0 is as much as it takes.
    counts : dict of int to int, optional
        Exposures by cell.
    """
    if look.dataset_type and not look.rows and not look.then:
        return _nothing(look, width)[: height or None]
    lines = list(chart(look, shown, width=width, height=height, counts=counts))
    lines.append(line(Span("─" * width, Role.DIM)))
    legend = _legend(look, shown, width)
    room = 0 if not height else max(1, height - len(lines) - len(legend))
    if at is not None:
        lines += panel(look, at, width=width, height=room, is_utc=shown.is_utc)
    if height:
        lines = lines[: height - len(legend)] if len(lines) + len(legend) > height > 8 else lines
    return (*lines, *legend)[: height or None]


def chart(
    look: "TimelineLook", shown: Shown, *, width: int, height: int = 0, counts: dict[int, int] | None = None
) -> tuple[Line, ...]:
    """Return axis, bars and WINS lines."""
    left = label_width(look, width)
    axis = shown.axis.resized(max(1, width - left))
    cursor = axis.cell_of(shown.cursor_tai_ns) if shown.cursor_tai_ns is not None else None
    labels, marks = ticks(axis)
    rows = seen_rows(look, shown)
    room = rows_room(look, shown, width=width, height=height)
    scale = "UTC" if shown.is_utc else "TAI"
    if room < len(rows):
        scale += f"  rows {shown.first_row + 1}-{min(len(rows), shown.first_row + room)} of {len(rows)}"
    marked: list[Cell] = [(glyph, Role.DIM) for span in marks for glyph in span.text]
    if cursor is not None and 0 <= cursor < len(marked):
        marked[cursor] = ("╂", Role.CURSOR)
    lines = [
        (Span(_label(left, f"1 cell = {STEPS[axis.step][1]}", f"cell {STEPS[axis.step][1]}"), Role.DIM), *labels),
        (Span(padded(scale, left), Role.DIM), *as_spans(marked)),
    ]
    lines += [
        _bar(row, axis, cursor, left, is_selected=row.number == shown.row, n_all=len(look.detectors))
        for row in rows[shown.first_row : shown.first_row + room]
    ]
    tracks: list[tuple[str, Track]] = []
    if look.dataset_type:
        tracks.append(("WINS (row number)" if left >= 18 else "WINS", look.wins))
        tracks += [(look.then.label, look.then)] if look.then else []
        tracks += [(f"  {one.label}", one) for one in look.groups] if shown.with_groups else []
    else:
        first = min(shown.first_row, max(0, len(look.tracks) - 1))
        most = len(look.tracks) if not height else max(1, height - 8)
        tracks += [
            (f"{'>' if number == shown.row else ' '}{one.label}", one)
            for number, one in list(enumerate(look.tracks, start=1))[first : first + most]
        ]
    for label, track in tracks:
        cells = with_cursor(wins_cells(axis, track.stretches), cursor)
        lines.append((Span(padded(label, left), Role.LABEL), *as_spans(cells)))
    if counts is not None and (not height or height > 22):
        cells = with_cursor(count_cells(axis, counts), cursor)
        greatest = max(counts.values(), default=0)
        notes = (f"exposures (at most {greatest})", f"exp., max {greatest}") if greatest else ("exposures: none",)
        lines.append((Span(_label(left, *notes), Role.DIM), *as_spans(cells)))
    return tuple(lines)


def _label(width: int, *texts: str) -> str:
    """Return the first text that fits, else the last one cut."""
    return padded(next((text for text in texts if width_of(text) < width), texts[-1]), width)


def _bar(row: "TimelineRow", axis: Axis, cursor: int | None, left: int, *, is_selected: bool, n_all: int) -> Line:
    cells = with_cursor(row_cells(axis, row), cursor)
    some = f" ({len(row.detectors)} det)" if len(row.detectors) < n_all else ""
    text = f"{'>' if is_selected else ' '}{symbol(row.number)} "
    label = cut(row.label, max(1, left - len(text) - len(some) - 1), keep="ends") + some
    role = Role.STRONG if is_selected else Role.PLAIN if row.wins else Role.DIM
    return (Span(padded(text + label, left), role), *as_spans(cells))


def _legend(look: "TimelineLook", shown: Shown, width: int) -> tuple[Line, ...]:
    if not look.dataset_type:
        told = [f"{symbol(number)} {ticket}" for number, ticket in enumerate(look.legend, start=1)]
        return tuple(wrapped("   ".join([*told, "! nothing valid"]), width, role=Role.DIM))
    parts: list[str | Span] = [
        Span(" ┣━", Role.OK), " wins  ", Span("├╌", Role.DIM), " valid, shadowed  ", "▶ open end  ◀ began before  ",
        Span("!", Role.FAIL), " nothing valid",
    ]  # fmt: skip
    if width >= WIDE:
        parts += ["  ", Span("#", Role.WARN), " several changes: + zooms in"]
    if look.compared:
        parts += ["  N new"]
    return (line(*parts),)


def summary(look: "TimelineLook") -> str:
    """Return one line of numbers."""
    if not look.dataset_type:
        differ = [track.label for track in look.tracks if track.note]
        told = f"; detectors differ in {', '.join(differ)}" if differ else ""
        n_types, n_tickets = counted(len(look.tracks), "type"), counted(len(look.legend), "ticket")
        return f"{n_types}, {n_tickets}{told}; enter opens a type"
    losers = [symbol(row.number) for row in look.rows if not row.wins]
    n_changes = max(0, len(look.wins.stretches) - 1)
    parts = [
        f"{len(look.rows)} certification{'' if len(look.rows) == 1 else 's'}",
        f"{n_changes} change{'' if n_changes == 1 else 's'}",
    ]
    if losers:
        parts.append(f"{len(losers)} never win{'s' if len(losers) == 1 else ''} ({', '.join(losers)})")
    if gaps := gaps_of(look):
        parts.append(f"{len(gaps)} gap{'' if len(gaps) == 1 else 's'}: {range_words(*gaps[0])}")
    n_all = len(look.detectors)
    if n_all > 1:
        agree = f"all {n_all} detectors agree" if len(look.groups) == 1 else f"{look.n_agreeing} of {n_all} agree (d)"
        parts.append(f"det {look.detector} shown; {agree}")
    return " · ".join(parts)


def gaps_of(look: "TimelineLook") -> tuple[tuple[int, int], ...]:
    """Return the stretches after the first certification in which nothing is valid."""
    return tuple(
        (one.begin_tai_ns, one.end_tai_ns)
        for one in look.wins.stretches
        if one.row == 0 and one.begin_tai_ns > MIN_TAI_NS
    )


def _nothing(look: "TimelineLook", width: int) -> tuple[Line, ...]:
    lines = [line(Span(f"! no {look.dataset_type} is certified in {look.top} for detector {look.detector}", Role.FAIL))]
    if look.pending:
        lines += wrapped(f"not live: {', '.join(look.pending)} (c compares)", width)
    return (*lines, *wrapped("7 opens the checklist of a ticket; 2 shows what the chain lists", width, role=Role.DIM))


def proposed(
    look: "TimelineLook", begin_tai_ns: int, end_tai_ns: int, width: int, *, collection: str = ""
) -> tuple[Line, ...]:
    """Return a new range in the place it would get, for the form that certifies it.

    Parameters
    ----------
    look : TimelineLook
        Of the chain in which it would be put first.
    begin_tai_ns, end_tai_ns : int
        The new range [TAI ns].
    width : int
        Cells.
    collection : str
        The CALIBRATION collection it goes into; an overlap inside it is refused.
    """
    from calibstore.services.looks.timeline_parts import Stretch, TimelineRow

    left = label_width(look, width)
    axis = fit((*instants(look), begin_tai_ns, end_tai_ns), max(1, width - left))
    new = TimelineRow(
        number=_NOBODY, collection=collection, label="proposed", ticket="", run="", begin_tai_ns=begin_tai_ns,
        end_tai_ns=end_tai_ns, wins=((begin_tai_ns, end_tai_ns),), detectors=frozenset(look.detectors),
    )  # fmt: skip
    labels, marks = ticks(axis)
    lines: list[Line] = [
        (Span(_label(left, f"1 cell = {STEPS[axis.step][1]}", f"cell {STEPS[axis.step][1]}"), Role.DIM), *labels),
        (Span(padded("TAI", left), Role.DIM), *marks),
        (Span(padded(" N proposed", left), Role.ACCENT), *as_spans(row_cells(axis, new))),
    ]
    touched = []
    for row in look.rows:
        rest = _less(row.wins, begin_tai_ns, end_tai_ns)
        cells = as_spans(row_cells(axis, row, rest))
        lines.append((Span(padded(f" {symbol(row.number)} {row.label}", left, keep="begin")), *cells))
        if row.begin_tai_ns < end_tai_ns and begin_tai_ns < row.end_tai_ns:
            touched.append(row)
    after = [
        Stretch(first, last, one.row)
        for one in look.wins.stretches
        for first, last in _less(((one.begin_tai_ns, one.end_tai_ns),), begin_tai_ns, end_tai_ns)
    ]
    won = sorted([*after, Stretch(begin_tai_ns, end_tai_ns, _NOBODY)], key=lambda one: one.begin_tai_ns)
    lines.append((Span(padded("WINS then", left), Role.LABEL), *as_spans(wins_cells(axis, won))))
    lines += _touched_lines(touched, collection, width)
    return tuple(lines)


def _touched_lines(touched: "Sequence[TimelineRow]", collection: str, width: int) -> list[Line]:
    lines: list[Line] = []
    for row in touched:
        span = range_words(row.begin_tai_ns, row.end_tai_ns)
        if collection and row.collection == collection:
            text = f"OVERLAP with {span} in the same collection: this is refused (harmless, but end that range first)"
            lines += wrapped(text, width, role=Role.FAIL, first="! ", rest="  ")
        else:
            text = f"SHADOWS row {symbol(row.number)} {row.collection} {span}"
            lines += wrapped(text, width, role=Role.WARN, first="! ", rest="  ")
    return lines or wrapped("shadows nothing", width, role=Role.DIM)


def _less(spans: Sequence[tuple[int, int]], begin: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return stretches without a range."""
    pieces = ((first, min(last, begin)) for first, last in spans)
    others = ((max(first, end), last) for first, last in spans)
    return tuple(sorted((first, last) for first, last in (*pieces, *others) if first < last))


def instant_text(tai_ns: int) -> str:
    """Return an instant as a place names it."""
    return ns_to_iso(tai_ns)
