"""The table of raw exposures as text, for pages without a screen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.paint.raws import HEADS, plain_row, row_cells
from tui.spans import Line, Role, Span, line, width_of

if TYPE_CHECKING:
    from calibstore.services.looks.raws_records import RawsLook
    from calibstore.services.looks.raws_rows import ExposureRow

ALIGNS = ("<", "<", "<", ">", "<", "<", "<", ">", ">", "<", "<")


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
