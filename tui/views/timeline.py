"""Timeline: what is valid when, which one wins, and why."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events, on
from textual.app import ComposeResult

from calibstore.model.times import describe
from tui.paint import timeline as painter
from tui.paint.timeline_axis import Axis, fit
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line
from tui.views.timeline_choices import TimelineChoices
from tui.views.timeline_keys import TIMELINE_ENTRIES, TIMELINE_HELP
from tui.widgets.ask_line import AskLine
from tui.widgets.timeline_chart import TimelineChart

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.timeline_cursor import CursorLook
    from calibstore.services.looks.timeline_parts import TimelineLook, TimelineRow

_FEW_KEYS: Final = 0.15
"""Exposures are counted once no key came for so long [s]."""
_ROOMY: Final = 30
"""From this height on groups of detectors that differ are shown at once."""


class TimelineView(TimelineChoices):
    """Bars in search order on a time axis, the WINS line, and the instant under the cursor explained."""

    NAME = "timeline"
    TITLE = "Timeline"
    SHORT = "Time"
    KEY = "3"
    HELP_TEXT = TIMELINE_HELP
    ENTRIES: ClassVar[tuple[Entry, ...]] = TIMELINE_ENTRIES
    BINDINGS = bindings(ENTRIES)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = painter.Shown(axis=Axis(0, 1, 1))
        self._at: CursorLook | None = None
        self._is_fitted = True
        self._read_place: Place | None = None
        self._counts: dict[int, int] | None = None
        self._counted: Axis | None = None
        self._timer_is_on = False
        self._is_row_chosen = False

    def compose(self) -> ComposeResult:
        """Lay out the chart and the line for a date."""
        yield TimelineChart(id="chart")
        yield AskLine(id="goto")

    @property
    def chart(self) -> TimelineChart:
        """The lines."""
        return self.query_one(TimelineChart)

    # What the frame asks.

    def open(self, place: Place) -> None:
        """Read and show a timeline."""
        self.place = place
        instrument, drafts = self.frame.instrument, self.frame.drafts
        is_drafted = place.option("with") == painter.DRAFT

        def question(context: "Context") -> "TimelineLook":
            kept = drafts.load(f"chain/{place.option('chain')}") if is_drafted else None
            names = kept.content.get("draft") if kept is not None else None
            return painter.look(context, place, instrument, draft=names if isinstance(names, list) else None)

        self.read(question, self._take)

    def instrument(self) -> str:
        """Return the camera whose data are shown."""
        return self.look.instrument if self.look is not None else ""

    def crumb(self) -> str:
        """Return what is shown."""
        return painter.title(self.look) if self.look else " ".join(self.place.words)

    def past(self) -> str:
        """Return the state shown, where it is an earlier one."""
        return painter.past_text(self.look) if self.look is not None else ""

    def thing(self) -> str:
        """Return the collection of the chosen row, else of the winner."""
        row = self._row()
        if row is not None:
            return row.collection
        return self._at.winner.collection if self._at is not None and self._at.winner is not None else ""

    def native(self) -> tuple[str, ...]:
        """Return the Butler's call with the same answer."""
        if self.look is None or self._at is None:
            return ()
        from calibstore.services.looks.timeline_cursor import native_lines

        return native_lines(self.look, self._at, self.frame.link.root)

    def body_lines(self) -> tuple[Line, ...]:
        """Return the chart as it is."""
        return self.chart.shown if self.look is not None else ()

    # Showing.

    def _take(self, look: "TimelineLook") -> None:
        before, self.look = self.look, look
        cells = painter.chart_width(look, self.size.width)
        is_other = before is None or (before.dataset_type, before.instrument) != (look.dataset_type, look.instrument)
        has_asked = look.begin_tai_ns is not None or look.end_tai_ns is not None
        axis = self._state.axis.resized(cells)
        if is_other or has_asked or self._is_fitted or not axis.shows(look.at_tai_ns):
            axis = painter.first_axis(look, cells)
            self._is_fitted = not has_asked
        with_groups = self._state.with_groups
        if is_other:
            with_groups = len(look.groups) > 1 and self.size.height >= _ROOMY
        self._is_row_chosen = False
        self._state = replace(self._state, axis=axis, with_groups=with_groups, row=0, first_row=0)
        self._counted = None
        self._put_cursor(look.at_tai_ns, look.until_tai_ns, is_new=True)
        self.say(painter.summary(look))

    def _put_cursor(self, begin_tai_ns: int, end_tai_ns: int = 0, *, is_new: bool = False) -> None:
        look = self.look
        if look is None:
            return
        from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS
        from calibstore.services.looks.timeline_cursor import cursor_look

        begin = max(MIN_TAI_NS, min(begin_tai_ns, MAX_TAI_NS - 1))
        axis = self._state.axis
        if not axis.shows(begin):
            cell = axis.cell_of(begin)
            back = axis.n_cells // 4
            axis = axis.moved(cell - back if cell < 0 else cell - axis.n_cells + 1 + back)
            self._is_fitted = False
        self._at = cursor_look(look, begin, end_tai_ns)
        row = self._state.row
        if look.dataset_type and not self._is_row_chosen:
            row = self._at.winner.number if self._at.winner is not None else 0
        elif is_new and not look.dataset_type:
            row = 1
        self._state = replace(self._state, cursor_tai_ns=begin, axis=axis, row=row)
        if not is_new:
            self._tell_place()
        self._paint()

    def _tell_place(self) -> None:
        look, at = self.look, self._at
        if look is None or at is None:
            return
        options = {key: value for key, value in self.place.options.items() if key not in ("at", "exposure")}
        if look.exposure and at.begin_tai_ns == look.at_tai_ns:
            options["exposure"] = str(look.exposure)
        else:
            options["at"] = painter.instant_text(at.begin_tai_ns)
        self.moved(Place(self.NAME, self.place.words, options))

    def _paint(self) -> None:
        look = self.look
        if look is None or not self.size.width:
            return
        width, height = self.size.width, self.chart.size.height or self.size.height
        rows = painter.seen_rows(look, self._state)
        room = painter.rows_room(look, self._state, width=width, height=height)
        place = next((at for at, row in enumerate(rows) if row.number == self._state.row), self._state.first_row)
        first = min(max(self._state.first_row, place - room + 1), place) if rows else self._state.first_row
        self._state = replace(self._state, first_row=max(0, first))
        counts = self._counts if self._counted == self._state.axis else {}
        self.chart.show(painter.body(look, self._state, self._at, width=width, height=height, counts=counts))
        if self._counted != self._state.axis and height > 22 and not self._timer_is_on:
            self._timer_is_on = True
            self.set_timer(_FEW_KEYS, self._count)

    def _count(self) -> None:
        """Ask how many exposures lie in each cell, when the keys have come to rest."""
        self._timer_is_on = False
        look, axis = self.look, self._state.axis
        if look is None or axis == self._counted or not self.is_mounted:
            return

        def question(context: "Context") -> dict[int, int]:
            from calibstore.services.looks.timeline import exposure_counts

            return exposure_counts(
                context,
                instrument=look.instrument,
                begin_tai_ns=axis.begin_tai_ns,
                cell_ns=axis.cell_ns,
                n_cells=axis.n_cells,
            )

        def then(counts: dict[int, int]) -> None:
            self._counts, self._counted = counts, axis
            self._paint()

        self.read(question, then, group="counts")

    def on_resize(self, _event: events.Resize) -> None:
        """Fit the chart to the new width."""
        if self.look is None:
            return
        cells = painter.chart_width(self.look, self.size.width)
        axis = painter.first_axis(self.look, cells) if self._is_fitted else self._state.axis.resized(cells)
        self._state = replace(self._state, axis=axis)
        if self._at is not None and not axis.shows(self._at.begin_tai_ns):
            self._put_cursor(self._at.begin_tai_ns, self._at.end_tai_ns)
        self.call_after_refresh(self._paint)

    # Keys.

    def _moved_to(self, tai_ns: int) -> None:
        self._put_cursor(tai_ns)

    def action_cells(self, cells: int) -> None:
        """Move by cells."""
        if self._at is not None:
            self._moved_to(self._at.begin_tai_ns + cells * self._state.axis.cell_ns)

    def action_days(self, days: int) -> None:
        """Move by days."""
        from calibstore.model.iso_time import NS_PER_DAY

        if self._at is not None:
            self._moved_to(self._at.begin_tai_ns + days * NS_PER_DAY)

    def action_change(self, way: int) -> None:
        """Go to the next or previous change."""
        if self._at is None:
            return
        change = self._at.next if way > 0 else self._at.previous
        if change is None:
            self.say("no change after the cursor" if way > 0 else "no change before the cursor")
        else:
            self._moved_to(change.tai_ns)

    def action_zoom(self, steps: int) -> None:
        """Make cells shorter or longer about the cursor."""
        if self._at is None:
            return
        axis = self._state.axis
        self._is_fitted = False
        self._state = replace(self._state, axis=axis.around(self._at.begin_tai_ns, axis.step + steps))
        self._paint()

    def action_fit(self) -> None:
        """Show every change."""
        if self.look is not None:
            self._is_fitted = True
            cells = painter.chart_width(self.look, self.size.width)
            at = (self._at.begin_tai_ns,) if self._at is not None else ()
            self._state = replace(self._state, axis=fit((*painter.instants(self.look), *at), cells))
            self._paint()

    def action_pan(self, way: int) -> None:
        """Show half a view earlier or later; the cursor keeps its cell."""
        if self._at is None:
            return
        axis = self._state.axis
        cells = way * max(1, axis.n_cells // 2)
        self._is_fitted = False
        self._state = replace(self._state, axis=axis.moved(cells))
        self._moved_to(self._at.begin_tai_ns + cells * axis.cell_ns)

    def action_now(self) -> None:
        """Go to the present instant."""
        self._moved_to(self.frame.clock())

    def action_row(self, way: int) -> None:
        """Choose another row."""
        look = self.look
        if look is None:
            return
        if look.dataset_type:
            numbers = [row.number for row in painter.seen_rows(look, self._state)]
        else:
            numbers = list(range(1, len(look.tracks) + 1))
        if not numbers:
            return
        self._is_row_chosen = True
        at = numbers.index(self._state.row) + way if self._state.row in numbers else 0
        number = numbers[max(0, min(at, len(numbers) - 1))]
        first = self._state.first_row if look.dataset_type else max(0, min(self._state.first_row, number - 1))
        self._state = replace(self._state, row=number, first_row=first)
        self._paint()

    def action_open_row(self) -> None:
        """Open the dataset of the row, or the type."""
        look = self.look
        if look is None or self._at is None:
            return
        if not look.dataset_type:
            track = look.tracks[min(max(self._state.row, 1), len(look.tracks)) - 1] if look.tracks else None
            if track is not None:
                self.other(words=(track.dataset_type,))
            return
        row = self._row()
        verdict = next((one for one in self._at.verdicts if row is not None and one.number == row.number), None)
        if verdict is not None:
            self.go(Place("data", (look.dataset_type,), {"run": verdict.run, "detector": str(look.detector)}))

    def action_groups(self) -> None:
        """Show or hide the groups of detectors."""
        if self.look is None:
            return
        self._state = replace(self._state, with_groups=not self._state.with_groups)
        if len(self.look.groups) == 1:
            self.say(f"all {len(self.look.detectors)} detectors agree")
        self._paint()

    def action_losers(self) -> None:
        """Hide or show rows that never win."""
        self._state = replace(self._state, without_losers=not self._state.without_losers, first_row=0)
        self.say("rows that never win are hidden" if self._state.without_losers else "all rows are shown")
        self._paint()

    def action_scale(self) -> None:
        """Change between TAI and UTC."""
        self._state = replace(self._state, is_utc=not self._state.is_utc)
        self._paint()

    def action_ask_time(self) -> None:
        """Begin to type a date."""
        self.query_one(AskLine).ask("goto", "go to", placeholder="date, day_obs, MJD or exposure id")

    @on(AskLine.PutAway)
    def _stay(self, event: AskLine.PutAway) -> None:
        event.stop()
        self.chart.focus()

    @on(AskLine.Given)
    def _go_to(self, event: AskLine.Given) -> None:
        event.stop()
        self.query_one(AskLine).close()
        self.chart.focus()
        text, look = event.text.strip(), self.look
        if not text or look is None:
            return

        def question(context: "Context") -> tuple[int, int]:
            from calibstore.services.looks.timeline import read_time

            return read_time(context, text, instrument=look.instrument)

        def then(found: tuple[int, int]) -> None:
            tai_ns, exposure = found
            if exposure:
                self.other(options={"exposure": str(exposure)})
            else:
                self._moved_to(tai_ns)
                self.say(f"{text} is {describe(tai_ns, None, look.day_obs_offset_h)}")

        self.read(question, then, group="goto")

    def other(self, words: tuple[str, ...] | None = None, options: Mapping[str, str] | None = None) -> None:
        """Show another type, detector, filter, chain or exposure, at the same instant."""
        options = options or {}
        kept = {key: value for key, value in self.place.options.items() if key not in ("from", "to")}
        is_at_exposure = bool(kept.get("exposure")) and self._at is not None
        if self._at is not None and "exposure" not in options and not is_at_exposure:
            kept["at"] = painter.instant_text(self._at.begin_tai_ns)
            kept.pop("exposure", None)
        if "exposure" in options:
            kept.pop("at", None)
        kept = {key: value for key, value in {**kept, **options}.items() if value}
        place = Place(self.NAME, self.place.words if words is None else words, kept)
        self.moved(place)
        self.open(place)

    def _row(self) -> "TimelineRow | None":
        if self.look is None:
            return None
        return next((row for row in self.look.rows if row.number == self._state.row), None)
