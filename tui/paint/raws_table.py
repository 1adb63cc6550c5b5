"""The rows of raw exposures: cells of the table on the screen, and the table as text for pages without one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tui.spans import Line, Role, Span, line, padded, width_of

if TYPE_CHECKING:
    from calibstore.services.looks.raws_records import FrameStatistics, RawsLook
    from calibstore.services.looks.raws_rows import ExposureRow

HEADS: Final = ("", "exposure", "start TAI", "exp s", "type", "day_obs", "cam", "mean e", "noise", "filter", "note")
ALIGNS: Final = ("<", "<", "<", ">", "<", "<", "<", ">", ">", "<", "<")


def row_cells(
    row: "ExposureRow",
    excluded: Mapping[int, str],
    proposed: Mapping[int, str],
    statistics: "Mapping[int, FrameStatistics]",
) -> tuple[str | Span, ...]:
    """Return the cells of a row, one for each of `HEADS`."""
    reason, proposal = excluded.get(row.exposure, ""), proposed.get(row.exposure, "")
    mark = Span("×", Role.SELECTED) if reason else Span("?", Role.ACCENT) if proposal else Span(" ")
    role = Role.DIM if reason else Role.PLAIN
    found = statistics.get(row.exposure)
    note = Span("")
    if reason:
        note = Span(f"out: {reason}", Role.SELECTED)
    elif proposal:
        note = Span(f"out? {proposal}", Role.ACCENT)
    elif row.changes:
        note = Span("; ".join(row.changes), Role.WARN)
    return (
        mark,
        Span(str(row.exposure), role),
        Span(row.begin[5:], role),
        Span(f"{row.exposure_time_s:g}", role),
        Span(row.observation_type, role),
        Span(str(row.day_obs), role),
        Span("▲" + row.state, Role.WARN) if row.changes else Span(" " + row.state, role),
        Span(f"{found.mean_e:+.2f}" if found else "", role),
        Span(f"{100 * found.noise_excess:+.1f}%" if found else "", role),
        Span(row.physical_filter, role),
        note,
    )


def table_page(look: "RawsLook", excluded: Mapping[int, str], proposed: Mapping[int, str], width: int) -> list[Line]:
    """Return the first and the last rows; how many lie between is said."""
    if not look.first_rows:
        return []

    def cells(row: "ExposureRow") -> tuple[str | Span, ...]:
        return row_cells(row, excluded, proposed, look.statistics)

    first, last = [cells(row) for row in look.first_rows], [cells(row) for row in look.last_rows]
    texts = [[_text(cell) for cell in row] for row in (HEADS, *first, *last)]
    widths = [max(width_of(row[place]) for row in texts) for place in range(len(HEADS))]
    # What does not fit is left out from the least telling column on: the filter, then the day, then the start.
    widths[-1] = min(widths[-1], 14)
    for place in (9, 5, 2):
        if sum(widths) + len(widths) > width:
            widths[place] = 0
    widths[-1] = max(4, width - sum(widths[:-1]) - sum(one > 0 for one in widths))
    head = plain_row([Span(name, Role.HEAD) for name in HEADS], widths, ALIGNS)
    between = look.n_matched - len(first) - len(last)
    lines = [head, *(plain_row(row, widths, ALIGNS) for row in first)]
    if between:
        lines.append(line(Span(f"  ... {between} more ...", Role.DIM)))
    return [*lines, *(plain_row(row, widths, ALIGNS) for row in last)]


def _text(cell: str | Span) -> str:
    return cell.text if isinstance(cell, Span) else cell


def plain_row(cells: Sequence[str | Span], widths: Sequence[int], aligns: Sequence[str]) -> Line:
    """Return cells in columns, without Textual."""
    spans: list[Span] = []
    for cell, width, align in zip(cells, widths, aligns, strict=True):
        if not width:
            continue
        span = cell if isinstance(cell, Span) else Span(cell)
        spans += [Span(padded(span.text, width, align=align), span.role), Span(" ")]
    return tuple(spans)
