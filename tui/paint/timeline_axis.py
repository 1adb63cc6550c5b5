"""A time axis of cells: zoom steps, fitting, tick labels, and the glyph of a row or WINS line in each cell.

Everything is drawn from stretches and boundaries; no instant is looked up.
"""

import datetime
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.iso_time import EPOCH_ORDINAL, NS_PER_DAY
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS
from tui.spans import Line, Role, Span

if TYPE_CHECKING:
    from calibstore.services.looks.timeline_parts import Stretch, TimelineRow

HOUR_NS: Final = NS_PER_DAY // 24
STEPS: Final = (
    (HOUR_NS, "1 h"),
    (NS_PER_DAY, "1 d"),
    (3 * NS_PER_DAY, "3 d"),
    (7 * NS_PER_DAY, "1 week"),
    (10 * NS_PER_DAY, "10 d"),
    (30 * NS_PER_DAY, "1 month"),
    (91 * NS_PER_DAY, "3 months"),
    (365 * NS_PER_DAY, "1 year"),
)
"""Lengths of a cell [ns], and how they are called."""

Cell = tuple[str, Role]
"""One glyph and its meaning."""

BLANK: Final[Cell] = (" ", Role.PLAIN)
_SYMBOLS: Final = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OVER_CURSOR: Final = {" ": "┊", "━": "╋", "╌": "┼"}


def symbol(row: int) -> str:
    """Return the one glyph of a row's number: 1 to 9, a to z, A to Z, then +; ! for nothing, N for a new one."""
    if row < 0:
        return "N"
    if row == 0:
        return "!"
    return _SYMBOLS[row - 1] if row <= len(_SYMBOLS) else "+"


@dataclass(frozen=True, slots=True)
class Axis:
    """Cells of equal length."""

    begin_tai_ns: int
    step: int
    """Place in `STEPS`."""
    n_cells: int

    @property
    def cell_ns(self) -> int:
        """Length of a cell [ns]."""
        return STEPS[self.step][0]

    @property
    def end_tai_ns(self) -> int:
        """First instant after the last cell."""
        return self.begin_tai_ns + self.n_cells * self.cell_ns

    def cell_of(self, tai_ns: int) -> int:
        """Return the cell that holds an instant; may lie outside the axis."""
        return (tai_ns - self.begin_tai_ns) // self.cell_ns

    def shows(self, tai_ns: int) -> bool:
        """Tell whether an instant is in view."""
        return self.begin_tai_ns <= tai_ns < self.end_tai_ns

    def around(self, tai_ns: int, step: int) -> "Axis":
        """Return the axis with another cell length, an instant staying in its cell."""
        step = max(0, min(step, len(STEPS) - 1))
        place = min(max(self.cell_of(tai_ns), 0), max(0, self.n_cells - 1))
        return replace(self, begin_tai_ns=_floor(tai_ns, STEPS[step][0]) - place * STEPS[step][0], step=step)

    def moved(self, cells: int) -> "Axis":
        """Return the axis some cells later."""
        return replace(self, begin_tai_ns=self.begin_tai_ns + cells * self.cell_ns)

    def resized(self, n_cells: int) -> "Axis":
        """Return the axis with more or fewer cells, its begin staying."""
        return replace(self, n_cells=max(1, n_cells))


def _floor(tai_ns: int, cell_ns: int) -> int:
    return tai_ns // cell_ns * cell_ns


def fit(instants: Iterable[int], n_cells: int) -> Axis:
    """Return the axis on which some instants are seen as large as possible, with room at both sides."""
    found = sorted(one for one in instants if MIN_TAI_NS < one < MAX_TAI_NS)
    n_cells = max(1, n_cells)
    if not found:
        return Axis(MIN_TAI_NS, len(STEPS) - 1, n_cells)
    room = max(1, n_cells * 4 // 5)
    step = len(STEPS) - 1
    for place, (cell_ns, _) in enumerate(STEPS):
        if (found[-1] - found[0]) // cell_ns + 1 <= room:
            # An hour a cell is for looking at a night: a fit begins at a day.
            step = max(1, place)
            break
    cell_ns = STEPS[step][0]
    first = _floor(found[0], cell_ns)
    spare = n_cells - ((found[-1] - first) // cell_ns + 1)
    return Axis(first - max(0, min(spare, max(2, spare // 3))) * cell_ns, step, n_cells)


def between(begin_tai_ns: int, end_tai_ns: int, n_cells: int) -> Axis:
    """Return the axis that shows a range from its begin on."""
    n_cells = max(1, n_cells)
    length = max(1, end_tai_ns - begin_tai_ns)
    step = next((place for place, (cell, _) in enumerate(STEPS) if cell * n_cells >= length), len(STEPS) - 1)
    return Axis(_floor(begin_tai_ns, STEPS[step][0]), step, n_cells)


def ticks(axis: Axis) -> tuple[Line, Line]:
    """Return the labels of the axis and the axis itself."""
    labels = [" "] * axis.n_cells
    marks = ["─"] * axis.n_cells
    free = 0
    for tai_ns, label in _ticks(axis):
        at = axis.cell_of(tai_ns)
        if not 0 <= at < axis.n_cells:
            continue
        marks[at] = "┬"
        if at >= free and at + len(label) <= axis.n_cells:
            labels[at : at + len(label)] = label
            free = at + len(label) + 1
    return (Span("".join(labels), Role.DIM),), (Span("".join(marks), Role.DIM),)


def _ticks(axis: Axis) -> list[tuple[int, str]]:
    if axis.cell_ns < NS_PER_DAY:
        step = 12 * HOUR_NS
        first = -(-axis.begin_tai_ns // step) * step
        every = range(first, axis.end_tai_ns, step)
        return [(tai_ns, _day(tai_ns)[5:] + ("T12" if tai_ns % NS_PER_DAY else "")) for tai_ns in every]
    if axis.cell_ns < 3 * NS_PER_DAY:
        step = 14 * NS_PER_DAY
        first = -(-axis.begin_tai_ns // step) * step
        return [(tai_ns, _day(tai_ns)) for tai_ns in range(first, axis.end_tai_ns, step)]
    months = next(
        (one for one in (1, 3, 6, 12, 24, 60, 120) if one * 30 * NS_PER_DAY >= 9 * axis.cell_ns),
        240,
    )
    made: list[tuple[int, str]] = []
    year = max(1970, int(_day(max(0, axis.begin_tai_ns))[:4]))
    month = 0
    while True:
        date = datetime.date(year + month // 12, month % 12 + 1, 1)
        tai_ns = (date.toordinal() - EPOCH_ORDINAL) * NS_PER_DAY
        if tai_ns >= min(axis.end_tai_ns, MAX_TAI_NS):
            return made
        if tai_ns >= axis.begin_tai_ns and ((date.year - 1970) * 12 + date.month - 1) % months == 0:
            made.append((tai_ns, f"{date.year}-{date.month:02d}" if months < 12 else str(date.year)))
        month += 1


def _day(tai_ns: int) -> str:
    days = min(max(0, tai_ns), MAX_TAI_NS) // NS_PER_DAY
    return datetime.date.fromordinal(EPOCH_ORDINAL + days).isoformat()


def row_cells(axis: Axis, row: "TimelineRow", wins: Sequence[tuple[int, int]] | None = None) -> list[Cell]:
    """Return the bar of a row: solid where it wins, dashed where another row stands before it.

    Parameters
    ----------
    axis : Axis
        The cells.
    row : TimelineRow
        The certification.
    wins : sequence of (int, int), optional
        Where it wins, instead of the row's own [TAI ns].
    """
    won = row.wins if wins is None else wins
    begin, end = row.begin_tai_ns, row.end_tai_ns
    starts = [one for one, _ in won]
    edges = sorted({edge for pair in won for edge in pair} - {begin, end})

    def is_won(tai_ns: int) -> bool:
        place = bisect_right(starts, tai_ns) - 1
        return place >= 0 and tai_ns < won[place][1]

    cells: list[Cell] = []
    for number in range(axis.n_cells):
        first = axis.begin_tai_ns + number * axis.cell_ns
        after = first + axis.cell_ns
        if end <= first or begin >= after:
            cells.append(BLANK)
            continue
        begins, ends = first <= begin, end <= after
        n_edges = bisect_right(edges, after - 1) - bisect_right(edges, first)
        seen_at = begin if begins else end - 1 if ends else after - 1
        role = Role.OK if is_won(seen_at) else Role.DIM
        if begins + ends + n_edges > 1:
            cells.append(("#", Role.WARN))
        elif begins:
            cells.append(("┣" if role is Role.OK else "├", role))
        elif ends:
            cells.append(("┫" if role is Role.OK else "┤", role))
        else:
            cells.append(("━" if role is Role.OK else "╌", role))
    return _with_ends(axis, cells, begin, end)


def _with_ends(axis: Axis, cells: list[Cell], begin: int, end: int) -> list[Cell]:
    """Mark a bar that began before the view or goes on after it."""
    if cells and cells[0][0] in "━╌" and begin < axis.begin_tai_ns:
        cells[0] = ("◀", cells[0][1])
    if cells and cells[-1][0] in "━╌" and end > axis.end_tai_ns:
        cells[-1] = ("▶" if end >= MAX_TAI_NS else "›", cells[-1][1])
    return cells


def wins_cells(axis: Axis, stretches: Sequence["Stretch"]) -> list[Cell]:
    """Return the WINS line: the row's symbol in each cell, ! where nothing is valid, # for several changes."""
    begins = [one.begin_tai_ns for one in stretches]
    cells: list[Cell] = []
    for number in range(axis.n_cells):
        first = axis.begin_tai_ns + number * axis.cell_ns
        after = first + axis.cell_ns
        if after <= MIN_TAI_NS or first >= MAX_TAI_NS or not stretches:
            cells.append(BLANK)
            continue
        seen = stretches[max(0, bisect_right(begins, first) - 1) : max(1, bisect_right(begins, after - 1))]
        # A gap in a cell is an alarm, unless it is only the time before anything was certified.
        has_gap = any(one.row == 0 and (one.begin_tai_ns > MIN_TAI_NS or len(seen) == 1) for one in seen)
        if has_gap:
            cells.append(("!", Role.FAIL))
        elif len([one for one in seen if one.row]) > 2:
            cells.append(("#", Role.WARN))
        else:
            cells.append((symbol(seen[-1].row), Role.STRONG))
    return cells


def count_cells(axis: Axis, counts: dict[int, int]) -> list[Cell]:
    """Return eighths of a cell for numbers, the greatest one full."""
    greatest = max(counts.values(), default=0)
    eighths = " ▁▂▃▄▅▆▇█"
    cells: list[Cell] = []
    for number in range(axis.n_cells):
        n = counts.get(number, 0)
        cells.append((eighths[max(1, min(7, -(-7 * n // greatest)))], Role.DIM) if n else BLANK)
    return cells


def with_cursor(cells: list[Cell], at: int | None) -> list[Cell]:
    """Return cells with the cursor's vertical line in one of them."""
    if at is None or not 0 <= at < len(cells):
        return cells
    glyph = cells[at][0]
    return [*cells[:at], (_OVER_CURSOR.get(glyph, glyph), Role.CURSOR), *cells[at + 1 :]]


def as_spans(cells: Iterable[Cell]) -> list[Span]:
    """Return cells as spans, neighbours of one meaning together."""
    spans: list[Span] = []
    for glyph, role in cells:
        if spans and spans[-1].role is role:
            spans[-1] = Span(spans[-1].text + glyph, role)
        else:
            spans.append(Span(glyph, role))
    return spans
