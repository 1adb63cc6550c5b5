"""A table that holds only the rows near what is seen: 100,000 rows open as fast as a hundred."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tui.spans import Line, Role, Span, fitted, length_of, padded
from tui.widgets.line_list import GUTTER, LineList

Cell: TypeAlias = str | Span | Line
"""What stands in a column."""

WINDOW_ROWS: Final = 200
"""Rows asked for at once."""
KEPT_WINDOWS: Final = 8
"""Windows kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table or tree."""

    name: str
    width: int = 0
    """Cells; 0: all that the other columns leave (one column of a table)."""
    align: str = "<"
    keep: str = "begin"
    """What stays of a text that is cut: ``begin``, ``end`` or ``ends``."""
    from_width: int = 0
    """The column is drawn only in panes at least this wide."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row."""

    key: str
    """Says which row it is, whatever the order."""
    cells: tuple[Cell, ...]
    """One per column, also for columns that are not drawn now."""


Deliver: TypeAlias = Callable[[Sequence[Row]], None]
Fetch: TypeAlias = Callable[[int, int, Deliver], None]
"""Asks for rows: offset, limit, and who gets them on the event loop, now or later."""


def cell_line(cell: Cell, column: Column, width: int, role: Role = Role.PLAIN) -> Line:
    """Return a cell in exactly `width` cells of the screen."""
    if isinstance(cell, str):
        return (Span(padded(cell, width, align=column.align, keep=column.keep), role),)
    if isinstance(cell, Span):
        return (Span(padded(cell.text, width, align=column.align, keep=column.keep), cell.role),)
    missing = width - length_of(cell)
    if column.align == ">" and missing > 0:
        return (Span(" " * missing), *cell)
    return fitted(cell, width)


def column_widths(columns: Sequence[Column], width: int) -> tuple[tuple[int, Column, int], ...]:
    """Return which columns are drawn in `width` cells: place in the row, column, its cells."""
    drawn = [(place, one) for place, one in enumerate(columns) if width + GUTTER >= one.from_width]
    left = width - sum(one.width for _, one in drawn) - max(0, len(drawn) - 1)
    return tuple((place, one, one.width or max(1, left)) for place, one in drawn)


class LineTable(LineList):
    """Rows in columns, in memory (`show_rows`) or read by windows (`show_source`).

    Parameters
    ----------
    columns : sequence of Column
        At most one without width.
    title : str
        Title row; empty: none.
    empty : sequence of Line
        Shown where there are no rows: what to do next.
    can_mark : bool
        Space marks rows; else the key is left to the view.
    has_heads : bool
        Draw the names of the columns.

    Examples
    --------
    A view feeds windows from the store::

        def fetch(offset, limit, deliver):
            self.read(
                lambda context: journal_window(context, offset, limit),
                lambda rows: deliver(table_rows(rows)),
                group=f"window {offset}",
            )


        table.show_source(look.n_entries, fetch)
    """

    DEFAULT_CSS = "LineTable { width: 1fr; height: 1fr; }"

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        title: str = "",
        empty: Sequence[Line] = (),
        can_mark: bool = False,
        has_heads: bool = True,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, can_mark=can_mark, id=id, classes=classes)
        self._columns = tuple(columns)
        self._has_heads = has_heads
        self._empty_lines = tuple(empty)
        self._fixed_rows: tuple[Row, ...] = ()
        self._n_rows = 0
        self._fetch: Fetch | None = None
        self._windows: OrderedDict[int, tuple[Row, ...]] = OrderedDict()
        self._asked: set[int] = set()
        self._generation = 0

    def show_rows(self, rows: Sequence[Row], *, cursor_key: str = "", empty: Sequence[Line] | None = None) -> None:
        """Show rows that are all in memory.

        The cursor goes to `cursor_key`, else stays on the row with the same key, else at the top.
        """
        wanted = cursor_key or self.cursor_key
        if empty is not None:
            self._empty_lines = tuple(empty)
        self._forget()
        self._fixed_rows, self._n_rows = tuple(rows), len(rows)
        place = next((index for index, row in enumerate(self._fixed_rows) if row.key == wanted), None)
        self.reset_rows(place or 0, keep_place=place is not None)

    def show_source(
        self, count: int, fetch: Fetch, *, cursor: int | None = None, empty: Sequence[Line] | None = None
    ) -> None:
        """Show `count` rows that `fetch` reads by windows; the cursor stays at its row, or goes to `cursor`."""
        if empty is not None:
            self._empty_lines = tuple(empty)
        self._forget()
        self._fixed_rows, self._n_rows, self._fetch = (), count, fetch
        self.reset_rows(self._cursor_row if cursor is None else cursor, keep_place=cursor is None)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns of the same cells."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self.refresh()

    def row_at(self, index: int) -> Row | None:
        """Return a row; None while it is on its way."""
        if self._fetch is None:
            return self._fixed_rows[index] if 0 <= index < self._n_rows else None
        window = self._windows.get(index // WINDOW_ROWS)
        place = index % WINDOW_ROWS
        return window[place] if window is not None and place < len(window) else None

    def row_total(self) -> int:
        """Return how many rows there are."""
        return self._n_rows

    def row_key(self, index: int) -> str:
        """Return the key of a row; empty while it is on its way."""
        row = self.row_at(index)
        return row.key if row else ""

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on the row with a key, if it is in memory."""
        rows = range(self._n_rows) if self._fetch is None else self._held()
        found = next((index for index in rows if self.row_key(index) == key), None)
        if found is not None:
            self.move_to(found)
        return found is not None

    def head_line(self, width: int) -> Line | None:
        """Draw the names of the columns."""
        if not self._has_heads:
            return None
        spans = [Span(" " * GUTTER, Role.HEAD)]
        for _, column, cells in column_widths(self._columns, width - GUTTER):
            spans.append(Span(padded(column.name, cells, align=column.align) + " ", Role.HEAD))
        return fitted((*spans[:-1], Span(spans[-1].text[:-1], Role.HEAD)), width)

    def cells_line(self, index: int, width: int) -> Line:
        """Draw the cells of a row; dots while it is on its way."""
        row = self.row_at(index)
        if row is None:
            return (Span("···", Role.DIM),)
        spans: list[Span] = []
        for place, column, cells in column_widths(self._columns, width):
            spans += [Span(" ")] if spans else []
            spans += cell_line(row.cells[place] if place < len(row.cells) else "", column, cells)
        return tuple(spans)

    def rows_seen(self) -> None:
        """Ask for the windows seen, and for the next page."""
        fetch = self._fetch
        if fetch is None or not self._n_rows:
            return
        page = self.page_rows
        first = max(0, self._top_row - page) // WINDOW_ROWS
        last = min(self._n_rows - 1, self._top_row + 2 * page) // WINDOW_ROWS
        near = range(first, last + 1)
        self._asked.intersection_update(near)  # what went out of view may be asked for again when it comes back
        for number in near:
            if number in self._windows:
                self._windows.move_to_end(number)
            elif number not in self._asked:
                self._asked.add(number)
                offset = number * WINDOW_ROWS
                fetch(offset, min(WINDOW_ROWS, self._n_rows - offset), self._taker(number))

    def _taker(self, number: int) -> Deliver:
        generation = self._generation

        def deliver(rows: Sequence[Row]) -> None:
            if generation != self._generation:
                return  # an answer to what was shown before
            self._asked.discard(number)
            self._windows[number] = tuple(rows)
            self._windows.move_to_end(number)
            while len(self._windows) > KEPT_WINDOWS:
                self._windows.popitem(last=False)
            first = number * WINDOW_ROWS
            if first < self._top_row + self.page_rows and first + WINDOW_ROWS > self._top_row:
                self.refresh()
            if first <= self._cursor_row < first + WINDOW_ROWS:
                self.tell_cursor()

        return deliver

    def _forget(self) -> None:
        self._generation += 1
        self._windows.clear()
        self._asked.clear()
        self._fetch = None

    def _held(self) -> list[int]:
        return [
            number * WINDOW_ROWS + place for number, rows in sorted(self._windows.items()) for place in range(len(rows))
        ]
