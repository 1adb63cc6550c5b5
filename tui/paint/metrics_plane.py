"""The focal plane as lines: tiles with numbers for one detector, one character an amplifier for more."""

from typing import TYPE_CHECKING, NamedTuple

from tui.paint.metrics_words import tally_text
from tui.spans import Line, Role, Span, line, padded

if TYPE_CHECKING:
    from calibstore.services.looks.metrics_plane import PlaneCell, PlaneMap

RAMP = ".:-=+*#%@"
"""Steps from 4 robust standard deviations below the median to 4 above."""
GLYPHS = {"FAIL": "X", "UNKNOWN": "?", "WARN": "!", "WAIVED": "w"}
"""What stands instead of a step of the ramp."""
_ROLES = {"FAIL": Role.FAIL, "UNKNOWN": Role.WARN, "WARN": Role.WARN, "WAIVED": Role.ACCENT}


class Spot(NamedTuple):
    """Where a cell of the map is drawn."""

    row: int
    column: int
    n_rows: int
    width: int


def plane_spots(drawn: "PlaneMap", width: int, *, is_multi: bool) -> tuple[Spot, ...]:
    """Return where each cell of a map stands, in the order of its cells."""
    if not is_multi and drawn.n_columns * 5 <= width:
        tile = min(9, width // drawn.n_columns)
        return tuple(Spot(2 * cell.row, tile * cell.column, 2, tile) for cell in drawn.cells)
    is_single = drawn.n_rows * drawn.n_columns == 1
    across = 1 + max(cell.detector_column for cell in drawn.cells)
    cell_width = 2 if across * (drawn.n_columns * 2 + 1) <= width else 1
    pitch = drawn.n_columns * cell_width + (0 if is_single else 1)
    return tuple(
        Spot(
            cell.detector_row * drawn.n_rows + cell.row,
            cell.detector_column * pitch + cell.column * cell_width,
            1,
            cell_width,
        )
        for cell in drawn.cells
    )


def plane_lines(
    drawn: "PlaneMap", width: int, *, is_multi: bool, cursor: int = -1, is_active: bool = True
) -> tuple[tuple[Line, ...], tuple[Spot, ...]]:
    """Return a map and where its cells stand.

    Parameters
    ----------
    drawn : PlaneMap
        The map.
    width : int
        Cells of the screen.
    is_multi : bool
        Whether there is more than one detector: no room for numbers.
    cursor : int
        Index of the cell under the cursor; -1: none.
    is_active : bool
        Whether the pane has the focus.
    """
    spots = plane_spots(drawn, width, is_multi=is_multi)
    pieces: dict[int, list[tuple[int, str, Role]]] = {}
    for place, (cell, spot) in enumerate(zip(drawn.cells, spots, strict=True)):
        is_here = place == cursor
        role = _ROLES.get(str(cell.verdict), Role.PLAIN)
        role = (Role.CURSOR if is_active else Role.CURSOR_IDLE) if is_here else role
        if spot.n_rows == 2:
            name = cell.amplifier + GLYPHS.get(str(cell.verdict), "")
            number = "-" if cell.value is None else _short(cell.value, spot.width - 1)
            for row, text in ((spot.row, _tile(name, spot.width, is_here)), (spot.row + 1, padded(number, spot.width))):
                pieces.setdefault(row, []).append((spot.column, text, role))
        else:
            glyph = GLYPHS.get(str(cell.verdict), RAMP[cell.level] if cell.level >= 0 else " ")
            pieces.setdefault(spot.row, []).append((spot.column, glyph * spot.width, role))
    lines = []
    for row in range(max(pieces) + 1):
        spans: list[Span] = []
        used = 0
        for column, text, role in sorted(pieces.get(row, ())):
            spans += [Span(" " * (column - used))] if column > used else []
            spans.append(Span(text, role))
            used = column + len(text)
        lines.append(line(*spans))
    return tuple(lines), spots


def cell_line(cell: "PlaneCell", unit: str) -> Line:
    """Return what is under the cursor: name, worst value, results against it."""
    verdict = str(cell.verdict)
    value = "not measured" if cell.value is None else f"{cell.value:.3g} {unit}".rstrip()
    return line(
        Span(f"{cell.name} ", Role.STRONG),
        Span(f"{value} ", Role.PLAIN),
        Span(verdict, _ROLES.get(verdict, Role.OK)),
        Span(f" {tally_text(cell.tally)} against", Role.DIM),
    )


def legend_line(drawn: "PlaneMap", *, is_multi: bool) -> Line:
    """Return what the characters mean."""
    marks = "X fail ! warn ? unknown w waived"
    if not is_multi or drawn.center is None or drawn.sigma is None:
        return line(Span(marks, Role.DIM))
    low, high = drawn.center - 4 * drawn.sigma, drawn.center + 4 * drawn.sigma
    return line(Span(f"{low:.3g} {RAMP} {high:.3g}  {marks}", Role.DIM))


def _tile(text: str, width: int, has_cursor: bool) -> str:
    return padded(f">{text}" if has_cursor and len(text) < width - 1 else text, width)


def _short(value: float, width: int) -> str:
    """Return a number in at most so many characters."""
    shown = [f"{value:.{digits}g}" for digits in (3, 2)] + [f"{value:.{digits}f}" for digits in (2, 1, 0)]
    for text in (one.replace("0.", ".", 1) if one.lstrip("-").startswith("0.") else one for one in shown):
        if len(text) <= width and "e" not in text:
            return text if text.strip("-.0") or value == 0 else "~0"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")[:width]
