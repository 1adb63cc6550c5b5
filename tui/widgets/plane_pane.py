"""A map of the focal plane with a cursor on one amplifier or detector."""

from typing import TYPE_CHECKING

from textual.message import Message

from tui.paint.metrics_plane import Spot, cell_line, legend_line, plane_lines, plane_spots
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, line
from tui.widgets.line_pane import MOVES, LinePane

if TYPE_CHECKING:
    from textual import events

    from calibstore.services.looks.metrics_plane import PlaneCell, PlaneMap

SIDES = (
    Entry(id="plane.left", keys="left,h", action="aside(-1)", title="Left", help="The cell to the left."),
    Entry(id="plane.right", keys="right,l", action="aside(1)", title="Right", help="The cell to the right."),
    Entry(id="plane.choose", keys="enter", action="choose", title="Open", help="Open the cell under the cursor."),
)


class PlanePane(LinePane):
    """Cells where detectors and amplifiers stand; the arrows go to the nearest cell on that side."""

    DEFAULT_CSS = "PlanePane { width: 1fr; height: 1fr; }"
    BINDINGS = bindings(SIDES)
    ENTRIES = (*MOVES, *SIDES)

    class CellHighlighted(Message):
        """The cursor stands on another cell."""

        def __init__(self, control: "PlanePane", cell: "PlaneCell") -> None:
            super().__init__()
            self.pane = control
            self.cell = cell

        @property
        def control(self) -> "PlanePane":
            """The map."""
            return self.pane

    class CellSelected(CellHighlighted):
        """Enter, or a click on the cell under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(title="FOCAL PLANE", id=id)
        self._map: PlaneMap | None = None
        self._unit = ""
        self._is_multi = False
        self._cursor = 0
        self._painted: tuple[tuple[Line, ...], tuple[Spot, ...]] = ((), ())
        self._painted_for: tuple[object, ...] = ()

    def show_map(self, drawn: "PlaneMap", *, unit: str, is_multi: bool, detector: int, amplifier: str) -> None:
        """Show a map with the cursor on a place; where the map has no such place, on its first cell."""
        self._map, self._unit, self._is_multi = drawn, unit, is_multi
        wanted = (detector, amplifier)
        places = [place for place, cell in enumerate(drawn.cells) if wanted in ((cell.detector, cell.amplifier),)] or [
            place for place, cell in enumerate(drawn.cells) if cell.detector == detector
        ]
        self._cursor = places[0] if places else 0
        self._painted_for = ()
        self._title()
        self._top_row = 0
        self.refresh()
        self._follow()

    def on_resize(self) -> None:
        """Keep the cursor in view, and the marks explained."""
        super().on_resize()
        self._title()
        self._follow()

    def _title(self) -> None:
        """Tell what the marks mean where the last row, which does, is not seen."""
        if self._map is not None:
            marks = " X fail ! warn ? unkn" if self.row_total() > self.page_rows else ""
            self.pane_title = f"{'' if marks else 'FOCAL PLANE '}{self._map.title}{marks}"

    def clear(self) -> None:
        """Show nothing."""
        self._map = None
        self._painted_for = ()
        self.refresh()

    @property
    def cell(self) -> "PlaneCell | None":
        """What is under the cursor."""
        return self._map.cells[self._cursor] if self._map is not None else None

    # What a pane gives.

    def row_total(self) -> int:
        """Return how many rows the map has, with its legend."""
        return len(self._lines()) if self._map is not None else 0

    def row_line(self, index: int, width: int) -> Line:
        """Draw one row."""
        del width
        return self._lines()[index]

    def head_line(self, width: int) -> Line | None:
        """Tell what is under the cursor."""
        del width
        return cell_line(self.cell, self._unit) if self.cell is not None else line()

    def blank_line(self, offset: int, width: int) -> Line:
        """Say that there is nothing yet."""
        del width
        return line(Span("···", Role.DIM)) if self._map is None and offset == 0 else ()

    # Moving.

    def move_rows(self, delta: int) -> None:
        """Go to the nearest cell above or below."""
        self._go(0, 1 if delta > 0 else -1)

    def action_aside(self, delta: int) -> None:
        """Go to the nearest cell to the left or right."""
        self._go(delta, 0)

    def action_choose(self) -> None:
        """Open the cell."""
        if self.cell is not None:
            self.post_message(self.CellSelected(self, self.cell))

    def on_focus(self) -> None:
        """Draw the cursor in its strong colour."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor in its weak colour."""
        self.refresh()

    def on_click(self, event: "events.Click") -> None:
        """Go to the cell clicked; a click on the cursor opens."""
        y = event.y - self._head_rows() + self._top_row
        self._lines()
        for place, spot in enumerate(self._painted[1]):
            if spot.row <= y < spot.row + spot.n_rows and spot.column <= event.x < spot.column + spot.width:
                if place == self._cursor:
                    self.action_choose()
                else:
                    self._move_to(place)
                return

    def _go(self, across: int, down: int) -> None:
        if self._map is None:
            return
        spots = plane_spots(self._map, max(1, self.size.width), is_multi=self._is_multi)
        here = spots[self._cursor]
        best, least = None, 0.0
        for place, spot in enumerate(spots):
            x, y = spot.column - here.column, spot.row - here.row
            ahead, beside = (x * across, abs(y)) if across else (y * down, abs(x))
            if ahead <= 0 or (across and beside):
                continue
            cost = ahead * (1 if across else 4) + beside
            if best is None or cost < least:
                best, least = place, cost
        if best is not None:
            self._move_to(best)

    def _move_to(self, place: int) -> None:
        self._cursor = place
        self.refresh()
        self._follow()
        if self.cell is not None:
            self.post_message(self.CellHighlighted(self, self.cell))

    def _follow(self) -> None:
        """Bring the cursor into view."""
        if self._map is None or not self.size.height:
            return
        spot = plane_spots(self._map, max(1, self.size.width), is_multi=self._is_multi)[self._cursor]
        if spot.row < self._top_row:
            self.scroll_rows_to(spot.row)
        elif spot.row + spot.n_rows > self._top_row + self.page_rows:
            self.scroll_rows_to(spot.row + spot.n_rows - self.page_rows)

    def _lines(self) -> tuple[Line, ...]:
        if self._map is None:
            return ()
        key = (id(self._map), self.size.width, self._cursor, self.has_focus)
        if key != self._painted_for:
            lines, spots = plane_lines(
                self._map,
                max(1, self.size.width),
                is_multi=self._is_multi,
                cursor=self._cursor,
                is_active=self.has_focus,
            )
            self._painted = ((*lines, legend_line(self._map, is_multi=self._is_multi)), spots)
            self._painted_for = key
        return self._painted[0]
