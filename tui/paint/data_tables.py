"""Table products as lines: the rows of their table, plots with axes, grids of numbers, what a row says in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tui.paint.picture import picture_rows, scale_line, short_unit
from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, padded, width_of

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from calibstore.services.looks.data import DataLook
    from calibstore.services.looks.data_tables import Grid, PageWish, PlotCells, Room, TableLook, ValueColumn, ValueRow

LOG: Final = "log"
"""What a place says for logarithmic axes."""
AXIS_CELLS: Final = 8
"""Cells left of a plot: numbers and the axis."""
SIDE_WIDTHS: Final = {True: 54, False: 44}
"""Cells of the table on a wide and on a narrow screen."""
_STATE_CELLS: Final = 4
_INKS: Final = {
    "p": Role.ACCENT,
    "l": Role.PLAIN,
    "o": Role.DIM,
    "d": Role.DIM,
    "t": Role.DIM,
    "m": Role.WARN,
    "x": Role.BEYOND,
}
_ERRORS: Final = ("err", "error")
"""Columns told behind the number they belong to."""
_STATES: Final = {"ok": Role.OK, "WARN": Role.WARN, "FAIL": Role.FAIL}


def page_wish(place: Place, room: "Room | None") -> "PageWish":
    """Return what a place wants to see of a table: page, row, kind of axes."""
    from calibstore.services.looks.data_tables import PageWish

    return PageWish(
        page=place.option("page"), selected=place.option("row"), is_log=place.option("axes") == LOG, room=room
    )


def plot_room(width: int, height: int) -> tuple[int, int]:
    """Return cells for plots and pictures left of the table, on a body of some size; none on a narrow one."""
    side = SIDE_WIDTHS[width >= 100] if width >= 60 else 0
    # One row is the title, one below tells what the cursor stands on.
    return max(1, width - side - 1), max(1, height - 2)


def plot_lines(cells: "PlotCells") -> list[Line]:
    """Return a plot with its title and axes."""
    ticks = dict(cells.y_ticks)
    lines = [line(Span(f" {cells.title}", Role.LABEL))]
    for row, (text, inks) in enumerate(zip(cells.rows, cells.inks, strict=True)):
        edge = "┤" if row in ticks else "│"
        head = f"{ticks.get(row, ''):>{AXIS_CELLS - 2}} {edge}"
        lines.append(line(Span(head, Role.DIM), *_inked(text, inks)))
    width = len(cells.rows[0]) if cells.rows else 0
    lines.append(line(Span(" " * (AXIS_CELLS - 1) + "└" + "─" * width, Role.DIM)))
    lines.append(line(Span(" " * AXIS_CELLS + _ticks(cells, width), Role.DIM)))
    return lines


def grid_lines(grid: "Grid") -> list[Line]:
    """Return a grid of numbers with its title; without heads, names stand over numbers."""
    rows = [line(Span(f" {grid.title}", Role.LABEL))]
    size = max((width_of(text) for row in (grid.heads, *grid.rows) for text in row), default=0)
    if grid.heads:
        rows.append(line(Span(_columns(grid.heads, size), Role.HEAD)))
    for index, row in enumerate(grid.rows):
        if grid.heads:
            rows.append(line(Span(f" {row[0]:>4}", Role.HEAD), _columns(row[1:], size, first=0)))
        else:
            text = " " + "".join(f"{one:>{size}} " for one in row).rstrip()
            rows.append(line(Span(text, Role.DIM if index % 2 == 0 else Role.PLAIN)))
    return rows


def panel_lines(look: "TableLook") -> list[Line]:
    """Return all plots and grids."""
    lines: list[Line] = []
    for panel in look.panels:
        lines += plot_lines(panel) if is_plot(panel) else grid_lines(panel)
    return lines


def is_plot(panel: "PlotCells | Grid") -> "TypeIs[PlotCells]":
    """Tell a plot from a grid, without the classes, which would bring numpy along."""
    return hasattr(panel, "inks")


def head_line(looked: "DataLook", width: int) -> Line:
    """Return what is shown and which page of it."""
    table = looked.table
    if table is None:
        return ()
    spans = [Span("── ", Role.DIM), Span(table.title.upper(), Role.TITLE)]
    for page in table.pages if len(table.pages) > 1 else ():
        spans += [Span(" "), Span(f"[{page}]", Role.ACCENT) if page == table.page else Span(page, Role.DIM)]
    words = ["less the other" if table.is_difference else "", "log" if table.is_log and table.can_log else ""]
    spans += [Span(f"  {word}", Role.WARN) for word in words if word]
    used = sum(width_of(span.text) for span in spans)
    return line(*spans, Span(" " + "─" * max(0, width - used - 1), Role.DIM))


def column_names(table: "TableLook") -> tuple[str, str]:
    """Return the heads of the first and the last column of a table."""
    first = "pair" if ">" in (table.rows[0].key if table.rows else "") else "box" if table.page == "boxes" else "amp"
    return first, "state"


def key_width(table: "TableLook") -> int:
    """Return cells for the names of rows."""
    return min(12, max((width_of(row.key) for row in table.rows[:400]), default=4))


def value_text(value: object, column: "ValueColumn", *, is_difference: bool) -> str:
    """Return a number as its column writes it; differences with their sign."""
    if value is None:
        return "-"
    if isinstance(value, str) or not column.spec:
        return str(value)
    spec = column.spec if column.spec.startswith("+") or not is_difference else f"+{column.spec}"
    text = f"{value:{spec}}"
    whole, point, _ = text.partition(".")
    if spec.endswith("f") and point and width_of(whole) <= column.width < width_of(text):  # a sign costs a decimal
        text = f"{value:{spec[: spec.index('.')]}.{max(0, column.width - width_of(whole) - 1)}f}"
    return text


def state_span(row: "ValueRow") -> Span:
    """Return the state of a row: words, never a colour alone."""
    return Span(row.state, _STATES.get(row.state, Role.PLAIN))


def told_line(looked: "DataLook", row: "ValueRow | None", width: int) -> Line:
    """Return the row under the cursor in words: why it is not ok, else its numbers with their units."""
    table = looked.table
    if table is None or row is None:
        return ()
    if row.reason:
        text = cut(f" {row.reason}", max(1, width - width_of(row.key) - width_of(row.state) - 2))
        return line(Span(row.key, Role.STRONG), " ", state_span(row), text)
    words: list[str] = []
    before = ""
    for column, value in zip(table.columns, row.values, strict=True):
        if value is not None:
            number = value_text(value, column, is_difference=table.is_difference)
            label = "" if column.name == column.unit else f"{column.name} "
            unit = "" if column.unit == before else short_unit(column.unit)
            if column.name in _ERRORS and words:
                told, _, last = words[-1].rpartition(" ")
                words[-1] = f"{told}±{number} {last}"
            else:
                words.append(f"{label}{number} {unit}".rstrip())
            before = column.unit
    while len(words) > 1 and width_of(row.key) + sum(width_of(word) + 2 for word in words) > width:
        words.pop()  # rather one number less than half a number
    return line(Span(row.key, Role.STRONG), cut("  " + "  ".join(words), max(1, width - width_of(row.key))))


def facts_lines(table: "TableLook", width: int) -> list[Line]:
    """Return what is to be known of the whole product."""
    return [line(Span(f"{name:<10}", Role.LABEL), cut(text, max(1, width - 10))) for name, text in table.facts]


def table_lines(table: "TableLook", width: int) -> list[Line]:
    """Return the table as text."""
    columns = [one for one in table.columns if width >= one.from_width]
    places = [table.columns.index(one) for one in columns]
    size = key_width(table)
    heads = " ".join(padded(one.name, one.width, align=_align(one)) for one in columns)
    rows = [line(Span(f"{column_names(table)[0]:<{size}} {heads} state", Role.HEAD))]
    for row in table.rows:
        texts = " ".join(
            padded(value_text(row.values[at], one, is_difference=table.is_difference), one.width, align=_align(one))
            for at, one in zip(places, columns, strict=True)
        )
        before = f"{row.key:<{size}} {texts} "
        told = cut(f" {row.reason}", max(1, width - width_of(before) - _STATE_CELLS)) if row.reason else ""
        rows.append(line(before, state_span(row), told))
    return rows


def table_page(table: "TableLook", compared: Sequence[Line], width: int) -> list[Line]:
    """Return a table product as text: facts, rows, picture in characters, plots of the selected row."""
    rows = [title(f"{table.title.upper()} {table.page}", width), *facts_lines(table, width), *compared]
    rows += [(), *table_lines(table, width), ()]
    if table.picture is not None:
        rows += [line(text) for text in picture_rows(table.picture)]
        before, after, _ = scale_line(table.picture, table.unit, width)
        rows += [(*before, *after), ()]
    return rows + panel_lines(table)


def title(text: str, width: int) -> Line:
    """Return the title row of a section."""
    return line(Span(f"── {text} " + "─" * max(0, width - width_of(text) - 4), Role.TITLE))


def _align(column: "ValueColumn") -> str:
    return ">" if column.spec else "<"


def _columns(texts: Sequence[str], size: int, *, first: int = 5) -> str:
    if first:
        return f" {texts[0]:>4}" + "".join(f" {text:>{size}}" for text in texts[1:])
    return "".join(f" {text:>{size}}" for text in texts)


def _inked(text: str, inks: str) -> list[Span]:
    spans: list[Span] = []
    for character, ink in zip(text, inks, strict=True):
        role = _INKS.get(ink, Role.PLAIN)
        if spans and spans[-1].role is role:
            spans[-1] = Span(spans[-1].text + character, role)
        else:
            spans.append(Span(character, role))
    return spans


def _ticks(cells: "PlotCells", width: int) -> str:
    text = ""
    room = width - (width_of(cells.x_unit) + 1 if cells.x_unit else 0)
    for column, label in cells.x_ticks:
        at = min(column, width - width_of(label))
        if at >= len(text) and at + width_of(label) <= room:
            text += " " * (at - len(text)) + label + " "
    return padded(text, room) + f" {cells.x_unit}" if cells.x_unit else text.rstrip()
