"""Metrics: tests with their limits, where they fail, one amplifier over the nights."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult

from tui.paint import metrics as paint
from tui.paint.metrics_words import value_text
from tui.places import Place
from tui.registry import bindings
from tui.spans import Line, Span, line, text_of
from tui.views.metrics_board import AmplifierPanes, BoardPanes, place_of
from tui.views.metrics_forms import MetricsForms
from tui.views.metrics_parts import CHOICE_COLUMNS, ENTRIES, HELP_TEXT, HIGH, LOW, WIDE
from tui.widgets.line_list import LineList
from tui.widgets.line_table import LineTable, Row
from tui.widgets.plane_pane import PlanePane
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from textual import events

    from calibstore.services.context import Context
    from calibstore.services.looks.metrics_records import AmplifierLook, Board, Choice, TestLook


class MetricsView(MetricsForms):
    """The Metrics screen: verifications to choose from, one of them, one amplifier, or why."""

    NAME = "metrics"
    TITLE = "Metrics"
    SHORT = "Metr"
    KEY = "6"
    HELP_TEXT = HELP_TEXT
    ENTRIES = ENTRIES
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = "MetricsView { layout: vertical; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._board_key: tuple[str, ...] = ()
        self._choices: tuple[Choice, ...] = ()
        self._tests: dict[str, TestLook] = {}

    def compose(self) -> ComposeResult:
        """Mount all modes; one is shown."""
        yield LineTable(CHOICE_COLUMNS, title="VERIFICATIONS, NEWEST FIRST", id="m-choices")
        yield BoardPanes(id="m-board")
        yield AmplifierPanes(id="m-drill")
        yield TextPane(id="m-why")

    def on_mount(self) -> None:
        """Begin with nothing: what is empty is known only after the first answer."""
        for name in ("board", "drill", "why"):
            self.query_one(f"#m-{name}").display = False

    # Places.

    def open(self, place: Place) -> None:
        """Show what a place names; a verification that is there already is not read again."""
        self.place = place
        if not place.word(0):
            self._show_mode("choices")
            self.read(self._ask_choices(), self._have_choices, group="main")
            return
        key = (place.word(0), *(place.option(name) for name in ("type", "run", "tier")))
        if self._board is not None and key == self._board_key:
            self._show_place()
            return
        self._tests = {}
        self.read(lambda context: _board(context, key), lambda board: self._have_board(key, board), group="main")

    def refresh_look(self) -> None:
        """Read again."""
        self._board_key = ()
        self.open(self.place)

    def _ask_choices(self) -> "Callable[[Context], tuple[Choice, ...]]":
        instrument = self.frame.instrument

        def ask(context: "Context") -> "tuple[Choice, ...]":
            from calibstore.services.looks.metrics import verification_choices

            return verification_choices(context, instrument)

        return ask

    def _have_choices(self, choices: "tuple[Choice, ...]") -> None:
        self._choices = choices
        narrowed = self._panes.narrowed
        rows = [
            Row(one.verify_run, paint.choice_cells(one))
            for one in choices
            if narrowed in f"{one.ticket} {one.calib_type} {one.rerun}"
        ]
        empty = paint.NO_VERIFICATION if not choices else ("none holds that text: / changes the filter",)
        self._list.show_rows(rows, empty=[line(Span(text)) for text in empty])

    def _have_board(self, key: tuple[str, ...], board: "Board") -> None:
        self._board, self._board_key = board, key
        self._panes.show_board(board)
        self._show_place()

    def _show_place(self) -> None:
        """Show what the place names of the verification that is there."""
        board, place = self._board, self.place
        if board is None:
            return
        known = [row.test for row in board.tests]
        test = place.option("test")
        if test and test not in known:
            self.say(f"the {board.tier.tier} tier has no test {test}")
        test = test if test in known else known[0]
        if self._panes.tests.cursor_key != test:
            self._panes.tests.move_to_key(test)
        if place.option("why"):
            self._show_mode("why")
            row = next(row for row in board.tests if row.test == test)
            self.query_one("#m-why", TextPane).show(paint.why_lines(board, row, max(20, self.size.width)))
        elif place.option("amp") or place.option("detector"):
            self._show_mode("drill")
            detector = place.option("detector")
            # The plot needs the room that the panes have once they are laid out.
            self.call_after_refresh(
                self._ask_amplifier, test, int(detector) if detector.isdecimal() else 0, place.option("amp")
            )
        else:
            self._show_mode("board")
            self._want_test(test)

    def instrument(self) -> str:
        """Return the camera whose data are shown."""
        return self._board.instrument if self._board is not None else ""

    def crumb(self) -> str:
        """Return ticket, verification, test, amplifier."""
        place, board = self.place, self._board
        if not place.word(0):
            return ""
        if board is None:
            return place.word(0)
        words = [board.ticket, f"{board.calib_type} {board.rerun}", board.tier.profile]
        words += [place.option("test")] if self._mode in ("drill", "why") else []
        words += [self._found.name] if self._mode == "drill" and self._found is not None else []
        return " > ".join(word for word in words if word)

    def thing(self) -> str:
        """Return the result under the cursor in words."""
        if self._mode == "choices":
            return self._list.cursor_key
        if self._mode == "drill" and self._found is not None:
            return text_of(paint.amplifier_head(self._found))
        row = self._row()
        if row is None:
            return ""
        return f"{row.test} {row.verdict}: worst {row.worst_name} {value_text(row.worst)}, limit {row.limit_text}"

    def native(self) -> tuple[str, ...]:
        """Return the observatory's lines that measure the same."""
        return self._board.native if self._board is not None and self._mode != "choices" else ()

    def filtered(self, text: str) -> None:
        """Narrow tests and places to those that hold a text."""
        self._panes.narrowed = text
        if self._mode == "choices":
            self._have_choices(self._choices)
        else:
            self._panes.draw_tests()
            self._panes.draw_lists()

    def current_filter(self) -> str:
        """Return the filter."""
        return self._panes.narrowed if self.is_mounted else ""

    def body_lines(self) -> tuple[Line, ...]:
        """Return verdicts and tests for the next start."""
        width = max(60, self.size.width)
        if self._board is None or self._mode == "choices":
            return ()
        return (*paint.verdict_lines(self._board, width), *paint.test_lines(self._board, width))

    # Room.

    def on_resize(self, event: "events.Resize") -> None:
        """Take the layout that fits."""
        is_wide = event.size.width >= WIDE and event.size.height >= HIGH
        for panes in (self._panes, self._drill):
            panes.set_class(is_wide, "-wide")
            panes.set_class(event.size.height < LOW, "-low")
        self._panes.fit_room(is_wide=is_wide)
        self.call_after_refresh(self._fit)

    def on_text_pane_refitted(self, event: TextPane.Refitted) -> None:
        """Ask again for what was asked while a pane had no width yet."""
        event.stop()
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Paint again for another width; plots are read again for another size."""
        if self._board is None or self._mode == "choices":
            return
        self._panes.show_board(self._board)
        if self._found is not None and self._mode in ("board", "drill"):
            self._ask_amplifier(self._found.test, self._found.detector, self._found.amplifier)

    def _show_mode(self, mode: str) -> None:
        self._mode = mode
        for name in ("choices", "board", "drill", "why"):
            self.query_one(f"#m-{name}").display = name == mode
        shown = self.query_one(f"#m-{mode}")
        focus = {"board": self._panes.tests, "drill": self._drill.values}.get(mode, shown)
        focused = self.app.focused
        if focused is None or (shown not in focused.ancestors_with_self and self in focused.ancestors):
            focus.focus()
        self.frame.moved(self.place)

    # Reading.

    def _want_test(self, test: str) -> None:
        """Show a test, read once."""
        board, shown = self._board, self._panes.test
        if board is None or (shown is not None and shown is self._tests.get(test)):
            return
        if test in self._tests:
            self._have_test(self._tests[test])
            return
        size = self._panes.histogram_size

        def ask(context: "Context") -> "TestLook":
            from calibstore.services.looks.metrics import metrics_test

            return metrics_test(context, board, test, size=size)

        self._panes.show_waiting(test)
        self.read(ask, self._have_test, group="test")

    def _have_test(self, test: "TestLook") -> None:
        self._tests[test.row.test] = test
        place = self._panes.show_test(test)
        if place is not None:
            self._ask_amplifier(test.row.test, *place)

    def _ask_amplifier(self, test: str, detector: int, amplifier: str) -> None:
        board = self._board
        if board is None:
            return
        size = (self._drill if self._mode == "drill" else self._panes).series_size

        def ask(context: "Context") -> "AmplifierLook":
            from calibstore.services.looks.metrics_amplifier import metrics_amplifier

            return metrics_amplifier(context, board, test, detector, amplifier, size=size)

        self.read(ask, self._have_amplifier, group="amplifier")

    def _have_amplifier(self, found: "AmplifierLook") -> None:
        self._found = found
        if self._mode == "drill":
            self._drill.show_amplifier(found)
            self.frame.moved(self.place)
        else:
            self._panes.show_series(found)

    # What the panes say. Textual gives a message to the handlers of its base classes too: opening a row is no move.

    @on(LineList.RowSelected, "#m-choices")
    def _choice_selected(self, event: LineList.RowSelected) -> None:
        event.stop()
        chosen = next((one for one in self._choices if one.verify_run == event.key), None)
        if chosen is not None:
            self.go(Place(self.NAME, (chosen.ticket,), {"type": chosen.calib_type, "run": chosen.rerun}))

    @on(LineList.RowHighlighted, "#m-tests")
    def _test_highlighted(self, event: LineList.RowHighlighted) -> None:
        event.stop()
        if event.key and self._mode == "board" and not isinstance(event, LineList.RowSelected):
            self.moved(self._place(test=event.key))
            self._want_test(event.key)

    @on(LineList.RowSelected, "#m-tests")
    def _test_selected(self, event: LineList.RowSelected) -> None:
        event.stop()
        row = self._row()
        if row is not None and row.worst_detector >= 0:
            self._open_amplifier(row.worst_detector, row.worst_amplifier)

    @on(LineList.RowHighlighted, "#m-places")
    def _place_highlighted(self, event: LineList.RowHighlighted) -> None:
        event.stop()
        test, is_move = self._panes.test, not isinstance(event, LineList.RowSelected)
        if event.key and test is not None and is_move and self._panes.places.has_focus:
            self._ask_amplifier(test.row.test, *place_of(event.key))

    @on(LineList.RowSelected, "#m-places")
    def _place_selected(self, event: LineList.RowSelected) -> None:
        event.stop()
        if event.key:
            self._open_amplifier(*place_of(event.key))

    @on(PlanePane.CellHighlighted)
    def _cell_highlighted(self, event: PlanePane.CellHighlighted) -> None:
        event.stop()
        test = self._panes.test
        if test is not None and not isinstance(event, PlanePane.CellSelected) and not self._panes.is_overview:
            self._ask_amplifier(test.row.test, event.cell.detector, event.cell.amplifier)

    @on(PlanePane.CellSelected)
    def _cell_selected(self, event: PlanePane.CellSelected) -> None:
        event.stop()
        test = self._panes.test
        if self._panes.is_overview and test is not None:
            self._ask_amplifier(test.row.test, *self._panes.open_detector(event.cell.detector))
        else:
            self._open_amplifier(event.cell.detector, event.cell.amplifier)

    # What can be done.

    def action_only_failing(self) -> None:
        """Show only tests that did not pass, or all."""
        self._panes.only_failing = not self._panes.only_failing
        self._panes.draw_tests()

    def action_sort(self) -> None:
        """Sort by margin, or worst first."""
        self._panes.by_margin = not self._panes.by_margin
        self._panes.draw_tests()

    def action_next_tier(self) -> None:
        """Judge by the next tier."""
        board = self._shown()
        if board is not None:
            names = [one.profile for one in board.tiers]
            following = names[(names.index(board.tier.profile) + 1) % len(names)]
            self.moved(self._place(tier=following, test="", detector="", amp="", why=""))
            self.open(self.place)

    def action_next_pane(self) -> None:
        """Show the next pane on the right."""
        self._panes.next_pane()
        self._fit()

    def action_group(self) -> None:
        """Go on from detectors to amplifiers to the list of places."""
        test = self._panes.test
        if self._mode == "board" and test is not None:
            place = self._panes.next_group()
            if place is not None:
                self._ask_amplifier(test.row.test, *place)

    def action_why(self) -> None:
        """Tell formula, limits and source."""
        row = self._row()
        if row is not None and self._mode in ("board", "drill"):
            self.go(self._place(test=row.test, why="1"))

    def action_choose_another(self) -> None:
        """List the verifications."""
        self.go(Place(self.NAME))

    # Small things.

    @property
    def _list(self) -> LineTable:
        return self.query_one("#m-choices", LineTable)

    def _open_amplifier(self, detector: int, amplifier: str) -> None:
        row = self._row()
        if row is not None:
            self.go(self._place(test=row.test, detector=str(detector), amp=amplifier))


def _board(context: "Context", key: tuple[str, ...]) -> "Board":
    from calibstore.services.looks.metrics import metrics_board

    ticket, calib_type, run, tier = key
    return metrics_board(context, ticket, calib_type=calib_type, run=run, tier=tier)
