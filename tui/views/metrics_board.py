"""The panes of one verification: verdicts, tests, focal plane, places, series, distribution, exposures."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.chrome import LineStrip
from tui.paint import metrics as paint
from tui.paint.metrics_words import value_text
from tui.paint.plots import histogram_lines, plot_size, series_lines
from tui.spans import Line, Role, Span, line
from tui.views.metrics_parts import EXPOSURE_COLUMNS, PLACE_COLUMNS, VALUE_COLUMNS, WIDE, test_columns
from tui.widgets.line_table import LineTable, Row
from tui.widgets.plane_pane import PlanePane
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.looks.metrics_records import AmplifierLook, Board, TestLook

Place = tuple[int, str]
"""Detector and amplifier."""


class BoardPanes(Vertical):
    """Everything of a verification but one amplifier's own page."""

    DEFAULT_CSS = """
    BoardPanes { height: 1fr; width: 1fr; }
    BoardPanes #m-tests { height: 1fr; }
    BoardPanes #m-lower { height: 8; width: 1fr; }
    BoardPanes #m-left { width: 42; height: 1fr; }
    BoardPanes #m-right { width: 1fr; height: 1fr; padding: 0 0 0 1; }
    BoardPanes.-wide #m-lower { height: 18; }
    BoardPanes.-wide #m-left { width: 58; }
    BoardPanes.-wide #m-plane { height: 10; }
    BoardPanes.-wide.-whole #m-plane { height: 1fr; }
    BoardPanes.-wide #m-plot, BoardPanes.-wide #m-histogram { height: 10; }
    BoardPanes.-low #m-lower { display: none; }
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.board: Board | None = None
        self.test: TestLook | None = None
        self.only_failing = False
        self.by_margin = False
        self.narrowed = ""
        self._is_wide = False
        self._is_list = False
        self._pane = 0
        self._map = 0

    def compose(self) -> ComposeResult:
        """Mount every pane; which ones are seen depends on the room."""
        yield LineStrip(id="m-verdict")
        yield LineStrip(id="m-counted")
        yield LineStrip(id="m-evidence")
        yield LineTable((), title="TESTS", empty=(line(Span("no test here: f shows all, / clears")),), id="m-tests")
        yield LineStrip(id="m-summary")
        with Horizontal(id="m-lower"):
            with Vertical(id="m-left"):
                yield PlanePane(id="m-plane")
                yield LineTable(PLACE_COLUMNS, title="PLACES, WORST FIRST", id="m-places")
            with Vertical(id="m-right"):
                yield still(TextPane(title="IN TIME", id="m-plot"))
                yield still(TextPane(title="DISTRIBUTION", id="m-histogram"))
                yield LineTable(
                    EXPOSURE_COLUMNS,
                    title="EXPOSURES WITH A RESULT AGAINST THEM",
                    empty=(line(Span("none")),),
                    id="m-exposures",
                )

    # What is there.

    @property
    def tests(self) -> LineTable:
        """The table of tests."""
        return self.query_one("#m-tests", LineTable)

    @property
    def places(self) -> LineTable:
        """The list of amplifiers."""
        return self.query_one("#m-places", LineTable)

    @property
    def exposures(self) -> LineTable:
        """The list of exposures."""
        return self.query_one("#m-exposures", LineTable)

    @property
    def plane(self) -> PlanePane:
        """The map."""
        return self.query_one(PlanePane)

    @property
    def is_overview(self) -> bool:
        """Whether the map shows detectors of a camera whose amplifiers have maps of their own."""
        return self.test is not None and len(self.test.maps) > 1 and self._map == 0

    @property
    def series_size(self) -> tuple[int, int]:
        """Cells of a series."""
        pane = self.query_one("#m-plot", TextPane)
        return plot_size(pane.size.width, pane.page_rows)

    @property
    def histogram_size(self) -> tuple[int, int]:
        """Cells of the distribution; also while it is not seen."""
        across, down = self.query_one("#m-right").size
        # Before the first layout there is no size yet; the widths are those of the style sheet.
        across = across or self.app.size.width - (59 if self._is_wide else 43)
        return plot_size(across, 9 if self._is_wide else (down or 8) - 1)

    def place_meant(self) -> tuple[int | None, str]:
        """Return detector and amplifier under the cursor of map or list; none where a whole test is meant."""
        if self.plane.has_focus and self.plane.cell is not None:
            return self.plane.cell.detector, self.plane.cell.amplifier
        if self.places.has_focus and self.places.cursor_key:
            return place_of(self.places.cursor_key)
        return None, ""

    # What is drawn.

    def show_board(self, board: "Board") -> None:
        """Draw verdicts and tests."""
        if board is not self.board:
            self.board, self.test = board, None
        width = max(20, self.size.width or self.app.size.width)
        for name, one in zip(("verdict", "counted", "evidence"), paint.verdict_lines(board, width), strict=True):
            self.query_one(f"#m-{name}", LineStrip).show(one)
        self.draw_tests()

    def draw_tests(self) -> None:
        """Draw the tests, filtered and sorted as asked for."""
        board = self.board
        if board is None:
            return
        is_narrow, is_multi = (self.size.width or self.app.size.width) < WIDE, board.n_detectors > 1
        rows = [row for row in board.tests if self.narrowed in row.test]
        if self.only_failing:
            rows = [row for row in rows if str(row.verdict) != "PASS"]
        if self.by_margin:
            rows.sort(key=lambda row: (row.margin is None, row.margin or 0.0))
        self.tests.set_columns(test_columns(is_narrow=is_narrow, is_multi=is_multi))
        self.tests.show_rows(
            [Row(row.test, paint.test_cells(row, is_multi=is_multi, is_narrow=is_narrow)) for row in rows]
        )
        order = "by margin" if self.by_margin else "worst first"
        only = ", passed ones left out" if self.only_failing else ""
        self.tests.pane_title = f"TESTS of {board.calib_type}, {order}{only}"

    def show_waiting(self, test: str) -> None:
        """Say that a test is being read."""
        self.query_one("#m-summary", LineStrip).show(line(Span(f"{test}: reading ...", Role.DIM)))

    def show_test(self, test: "TestLook") -> Place | None:
        """Draw a test in every place; return the place to look at first."""
        self.test = test
        self.query_one("#m-summary", LineStrip).show(paint.summary_line(test))
        histogram = histogram_lines(test.histogram) if test.histogram is not None else (line(Span("nothing measured")),)
        self.query_one("#m-histogram", TextPane).show(histogram)
        self.draw_lists()
        if not test.maps:
            self.plane.clear()
            return None
        detector, amplifier = test.row.worst_detector, test.row.worst_amplifier
        if detector < 0:
            detector, amplifier = test.places[0].detector, test.places[0].amplifier
        self._map = self._map_of(detector)
        self._draw_map(detector, amplifier)
        return detector, amplifier

    def draw_lists(self) -> None:
        """Fill the lists; rows are made only of what is seen, for a large camera has thousands of amplifiers."""
        if self.test is None:
            return
        places = [one for one in self.test.places if self.narrowed in one.name] or self.test.places
        exposures = self.test.exposures

        def place_row(at: int) -> Row:
            return Row(f"{places[at].detector} {places[at].amplifier}", paint.place_cells(places[at]))

        def exposure_row(at: int) -> Row:
            return Row(str(exposures[at].exposure), paint.exposure_cells(exposures[at]))

        self.places.show_source(len(places), _windows(place_row, len(places)), cursor=0)
        self.exposures.show_source(len(exposures), _windows(exposure_row, len(exposures)), cursor=0)

    def show_series(self, found: "AmplifierLook") -> None:
        """Draw one amplifier over the nights."""
        self.query_one("#m-plot", TextPane).show(series_of(found), title=f"{found.name} {found.test} IN TIME")

    # What can be changed.

    def fit_room(self, *, is_wide: bool) -> None:
        """Show the panes that there is room for."""
        self._is_wide = is_wide
        if is_wide and self._pane == 2:
            self._pane = 0
        self.plane.display = is_wide or not self._is_list
        is_whole = is_wide and self.is_overview
        self.set_class(is_whole, "-whole")
        self.places.display = (is_wide and not is_whole) or self._is_list
        self.query_one("#m-plot").display = self._pane == 0
        self.query_one("#m-histogram").display = self._pane == 1
        self.exposures.display = is_wide or self._pane == 2

    def next_pane(self) -> None:
        """Show the next pane on the right."""
        self._pane = (self._pane + 1) % (2 if self._is_wide else 3)
        self.fit_room(is_wide=self._is_wide)

    def next_group(self) -> Place | None:
        """Go on from detectors to amplifiers to the list of places; return another place to look at, if any."""
        test, cell, place = self.test, self.plane.cell, None
        if test is None or cell is None:
            return None
        if self.is_overview and not self._is_list:
            place = self.open_detector(cell.detector)
        elif self._is_wide or self._is_list:
            self._is_list = False
            self.fit_room(is_wide=self._is_wide)
            if len(test.maps) > 1:
                self._map = 0
                self._draw_map(cell.detector, "")
        else:
            self._is_list = True
            self.fit_room(is_wide=self._is_wide)
        (self.places if self._is_list else self.plane).focus()
        return place

    def open_detector(self, detector: int) -> Place:
        """Show the amplifiers of a detector's raft, the cursor on its worst one; return that."""
        places = self.test.places if self.test is not None else ()
        amplifier = next((one.amplifier for one in places if one.detector == detector), "")
        self._map = self._map_of(detector)
        self._draw_map(detector, amplifier)
        return detector, amplifier

    def _draw_map(self, detector: int, amplifier: str) -> None:
        if self.test is not None and self.board is not None and self.test.maps:
            self.plane.show_map(
                self.test.maps[self._map],
                unit=self.test.row.unit,
                is_multi=self.board.n_detectors > 1,
                detector=detector,
                amplifier=amplifier,
            )
            self.fit_room(is_wide=self._is_wide)

    def _map_of(self, detector: int) -> int:
        """Return the map that shows a detector's amplifiers."""
        maps = self.test.maps if self.test is not None else ()
        for place, drawn in enumerate(maps):
            if (place or len(maps) == 1) and any(cell.detector == detector for cell in drawn.cells):
                return place
        return 0


class AmplifierPanes(Vertical):
    """One test of one amplifier: series, results, the same in other verifications."""

    DEFAULT_CSS = """
    AmplifierPanes { height: 1fr; width: 1fr; }
    AmplifierPanes #m-amp-plot { height: 8; }
    AmplifierPanes #m-history { height: 4; }
    AmplifierPanes.-wide #m-amp-plot { height: 13; }
    AmplifierPanes.-wide #m-history { height: 7; }
    AmplifierPanes.-low #m-amp-plot, AmplifierPanes.-low #m-history { display: none; }
    """

    def compose(self) -> ComposeResult:
        """Mount the panes."""
        yield LineStrip(id="m-amp-head")
        yield still(TextPane(title="IN TIME", id="m-amp-plot"))
        yield LineTable(VALUE_COLUMNS, title="RESULTS, IN TIME ORDER", id="m-values")
        yield still(TextPane(title="THE SAME IN OTHER VERIFICATIONS", id="m-history"))

    @property
    def values(self) -> LineTable:
        """The table of results."""
        return self.query_one("#m-values", LineTable)

    @property
    def series_size(self) -> tuple[int, int]:
        """Cells of the series."""
        pane = self.query_one("#m-amp-plot", TextPane)
        return plot_size(pane.size.width, pane.page_rows)

    def show_amplifier(self, found: "AmplifierLook") -> None:
        """Draw everything."""
        self.query_one("#m-amp-head", LineStrip).show(paint.amplifier_head(found))
        plot = self.query_one("#m-amp-plot", TextPane)
        plot.show(series_of(found), title=f"{found.name} {found.test} IN TIME")
        rows = [Row(str(one.exposure or "product"), paint.value_cells(one)) for one in found.values]
        self.values.show_rows(rows)
        width = max(20, self.size.width)
        self.query_one("#m-history", TextPane).show(paint.history_lines(found, width))


def still(pane: TextPane) -> TextPane:
    """Return a pane that the tab key passes by: it is small and follows the cursor of others."""
    pane.can_focus = False
    return pane


def place_of(key: str) -> Place:
    """Return the place a row of the list stands for."""
    detector, _, amplifier = key.partition(" ")
    return int(detector), amplifier


def series_of(found: "AmplifierLook") -> tuple[Line, ...]:
    """Return a series, or why there is none."""
    if found.plot is not None:
        return series_lines(found.plot)
    if len(found.values) > 1:
        return (line(Span("nothing to draw, or no room", Role.DIM)),)
    value = value_text(found.values[0].value if found.values else None)
    return (line(Span(f"one value, no series: {value} {found.unit}".rstrip())),)


def _windows(row_of: Callable[[int], Row], count: int) -> "Callable[[int, int, Callable[[Sequence[Row]], None]], None]":
    def fetch(offset: int, limit: int, deliver: Callable[[Sequence[Row]], None]) -> None:
        deliver([row_of(at) for at in range(offset, min(count, offset + limit))])

    return fetch
