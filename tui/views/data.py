"""Pictures of calibrations: the focal plane or a detector in cells, beside it what there is to know in numbers."""

from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize

from tui.chrome import LineStrip
from tui.paint import data as paint
from tui.paint.data_tables import page_wish, plot_room
from tui.paint.picture import COLOR_MAPS, MODE_NAMES, MODES, STRETCH_NAMES, STRETCHES, histogram_lines
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, line
from tui.views.data_keys import ENTRIES, HELP_TEXT, OF_TABLES, TABLE_KEYS
from tui.views.data_rows import WIDE, TableKeys
from tui.views.data_table_pane import TablePane
from tui.widgets.mosaic import Mosaic
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.errors import CabstandError
    from calibstore.services.context import Context
    from calibstore.services.looks.data import DataLook

NARROWEST: Final = 60
"""Below this many columns only the picture is shown."""
TALL: Final = 28
"""From this many rows on the histogram stands below the picture."""
_SIDE_WIDTHS: Final = {True: 50, False: 42}
_UNDER_ROWS: Final = 7


class DataView(TableKeys):
    """A product as a picture, with its numbers."""

    NAME = "data"
    TITLE = "Data"
    SHORT = "Data"
    KEY = "5"
    HELP_TEXT = HELP_TEXT
    ENTRIES = ENTRIES
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    DataView { layout: vertical; }
    DataView #data-body { height: 1fr; }
    DataView #data-left { width: 1fr; height: 1fr; }
    DataView #data-side { height: 1fr; }
    DataView #data-under { height: 7; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.look: DataLook | None = None
        self._mode = ""
        self._filter = ""
        self._has_histogram: bool | None = None
        self._cursor = ""
        self._row = ""
        """Row of a table under the cursor."""
        self._is_awaited = False
        """The status line says what is being drawn."""

    def compose(self) -> ComposeResult:
        """Mount picture, facts and the lines below."""
        with Horizontal(id="data-body"):
            with Vertical(id="data-left"):
                yield Mosaic(id="data-mosaic")
                under = TextPane(id="data-under")
                under.can_focus = False
                yield under
            yield TextPane(id="data-side")
        table = TablePane(id="data-table")
        table.display = False  # pictures are more
        yield table
        yield LineStrip(id="data-cursor")
        yield LineStrip(id="data-difference")

    # Places.

    def open(self, place: Place) -> None:
        """Show a place; what was shown stays until the picture is there."""
        self.place = place
        self._row = place.option("row")
        if self._table.display or (self._mosaic.size.width > 1 and self._mosaic.size.height > 1):
            self.ask()

    def instrument(self) -> str:
        """Return the camera whose data are shown."""
        return self.look.instrument if self.look is not None else ""

    def crumb(self) -> str:
        """Return type, ticket, rerun and what of it."""
        return paint.crumb(self.look) if self.look else self.place.word(0)

    def entries_now(self) -> tuple[Entry, ...]:
        """Return keys that do something for what is shown, pages and rows of a table first."""
        if self.look is None or self.look.table is None:
            return tuple(one for one in self.ENTRIES if one.id not in OF_TABLES)
        known = {one.id: one for one in self.ENTRIES}
        return tuple(known[name] for name in TABLE_KEYS)

    def thing(self) -> str:
        """Return the id of the dataset under the cursor."""
        if self.look is None:
            return ""
        box = self._mosaic.pointed if self.look.table is None else None
        row = self.look.detector_row(box.detector if box else self.look.detector)
        return row.dataset_id if row else ""

    def native(self) -> tuple[str, ...]:
        """Return the lines that copy the pictures out of a Butler."""
        return self.look.native if self.look else ()

    def filtered(self, text: str) -> None:
        """Keep rows of the table that hold a text."""
        self._filter = text
        self._paint()

    def current_filter(self) -> str:
        """Return the filter."""
        return self._filter

    def body_lines(self) -> tuple[Line, ...]:
        """Return facts and table for the next start."""
        if self.look is None or self.look.missing:
            return ()
        width = max(NARROWEST, self.size.width - 2)
        if self.look.table is not None:
            return tuple(paint.page(self.look, width))
        return tuple(paint.side_lines(self.look, width, at=self._cursor))

    # What keys do.

    def action_stretch(self) -> None:
        """Take the next stretch."""
        self._turn("stretch", STRETCHES)

    def action_colors(self) -> None:
        """Take the next colour map."""
        self._turn("map", COLOR_MAPS)

    def action_graphics(self) -> None:
        """Take the next way to draw."""
        if self.frame.is_ascii:
            self.say("ASCII only: pictures are drawn in characters")
            return
        now = self._mode or self._mosaic.mode
        self._mode = MODES[(MODES.index(now) + 1) % len(MODES)]
        self.say(f"drawn as {MODE_NAMES[self._mode]}")
        self.ask()

    def action_difference(self) -> None:
        """Show the difference, or the product again."""
        if "compare" in self.place.options:
            self.move_to(compare="")
        elif self.look is not None and self.look.compared is not None:
            compared = self.look.compared
            if compared.fault or not compared.run:
                self.say(f"no difference: {compared.fault or compared.relation}")
            else:
                self.move_to(compare=paint.IN_USE)

    def action_step(self, delta: int) -> None:
        """Go to the next detector, or on a camera with one to the next amplifier."""
        look = self.look
        if look is None:
            return
        if look.table is not None and len(look.detectors) < 2:
            self._table.move(delta)
            return
        made = [row.detector for row in look.detectors if row.dataset_id]
        if not look.is_one_detector or len(made) < 2:
            self._mosaic.step(delta)
        else:
            at = made.index(look.detector) if look.detector in made else 0
            self.move_to(detector=str(made[(at + delta) % len(made)]))

    def action_attempt(self, delta: int) -> None:
        """Show the RUN made before or after."""
        look = self.look
        if look is None or look.run not in look.runs:
            self.say("no other RUN of this type")
            return
        at = look.runs.index(look.run) + delta
        if not 0 <= at < len(look.runs):
            self.say(f"{look.rerun or look.run} is the {'newest' if delta > 0 else 'oldest'} RUN shown here")
            return
        self.move_to(run=look.runs[at], ticket="", collection="")

    def action_histogram(self) -> None:
        """Show or hide the histogram below the picture."""
        self._has_histogram = not self._shows_histogram
        self._lay_out()

    def action_save(self) -> None:
        """Write a PNG in the store thread and say where it is."""
        which = paint.asked(self.place, self.frame.instrument)
        style = paint.style_of(self.place)

        def question(context: "Context") -> str:
            from calibstore.services.looks.data import Wish, save_png

            path, width, height = save_png(context, Wish(columns=1, rows=1, **style), **which)
            return f"{width} x {height} px saved: {path}"

        self.read(question, self.say, group="save")

    def action_spot(self) -> None:
        """Open the form of the spot check."""
        if self.look is not None and self.look.ticket:
            looked = {"calib_type": self.look.dataset_type, "ticket": self.look.ticket, "run": self.look.run}
            self.fill_in("spot", looked)

    def action_metrics(self) -> None:
        """Show the metrics of the product."""
        if self.look is not None and self.look.ticket:
            self.go(Place("metrics", (self.look.ticket, self.look.dataset_type)))

    def on_mosaic_chosen(self, event: Mosaic.Chosen) -> None:
        """Show the detector under the cursor."""
        event.stop()
        if self.look is not None and not self.look.is_one_detector:
            options = {**self.place.options, "detector": str(event.box.detector)}
            self.go(Place(self.NAME, self.place.words, options))

    def on_mosaic_pointed(self, event: Mosaic.Pointed) -> None:
        """Show the numbers of what the cursor stands on."""
        event.stop()
        self._cursor = event.box.name
        self._paint(keep_place=True)

    def on_mosaic_roomed(self, event: Mosaic.Roomed) -> None:
        """Draw for the new size."""
        event.stop()
        self.ask()

    def on_resize(self, _event: Resize) -> None:
        """Fold panes away where there is no room."""
        self._lay_out()

    # Reading and painting.

    @property
    def _mosaic(self) -> Mosaic:
        return self.query_one("#data-mosaic", Mosaic)

    @property
    def _shows_histogram(self) -> bool:
        is_roomy = self.size.height >= TALL
        return is_roomy if self._has_histogram is None else self._has_histogram and self.size.height >= 2 * _UNDER_ROWS

    def _lay_out(self) -> None:
        if not self.size.width:  # hidden: panes would fold away and come back
            return
        side = self.query_one("#data-side", TextPane)
        side.display = self.size.width >= NARROWEST
        side.styles.width = _SIDE_WIDTHS[self.size.width >= WIDE]
        self.query_one("#data-under", TextPane).display = self._shows_histogram
        self._show_kind(is_table=self.look is not None and self.look.table is not None)
        self._paint(keep_place=True)

    def _turn(self, name: str, known: tuple[str, ...]) -> None:
        now = self.place.option(name)
        at = known.index(now) if now in known else 0
        following = known[(at + 1) % len(known)]
        # Said at once: the picture needs a moment, and longer on a slow line.
        self.say(f"{STRETCH_NAMES.get(following, following)} ...")
        self._is_awaited = True
        self.move_to(**{name: "" if following == known[0] else following})

    def move_to(self, **options: str) -> None:
        """Show the same with other options."""
        merged = {key: value for key, value in {**self.place.options, **options}.items() if value}
        self.moved(Place(self.NAME, self.place.words, merged))
        self.ask()

    def step_picture(self, delta: int) -> None:
        """Move the cursor of a picture."""
        self._mosaic.step(delta)

    def ask(self) -> None:
        """Read what the place shows, for the room there is."""
        columns, rows = self._mosaic.room
        wide, high = plot_room(self.size.width, self.size.height)
        which = paint.asked(self.place, self.frame.instrument)
        style = paint.style_of(self.place)
        mode = self._mode or self._mosaic.mode
        place, row = self.place, self._row

        def question(context: "Context") -> "DataLook":
            from calibstore.services.looks.data import Wish, data_look
            from calibstore.services.looks.data_tables import Room

            wish = Wish(columns=columns, rows=rows, mode=mode, **style)
            room = Room(columns=wide, rows=high, mode=mode, color_map=wish.color_map)
            return data_look(context, **which, wish=wish, page=page_wish(place, room))

        self.read(question, lambda look: self._arrived(look, row), failed=self._failed)

    def _arrived(self, look: "DataLook", row_before: str) -> None:
        self.look = look
        self._show_kind(is_table=look.table is not None)
        if look.table is not None:
            if self._row == row_before or look.table.row(self._row) is None:
                self._row = look.table.selected
            else:  # the cursor went on since: what is drawn follows it, not it what is drawn
                self.when_resting(self._draw_row)
            self._show_table()
            self._settled()
            return
        note = f"{look.missing}. {look.advice}." if look.missing else look.picture_fault
        self._mosaic.show(look.picture, unit=look.unit, note=note, flagged=look.flagged, at=self._cursor)
        pointed = self._mosaic.pointed
        self._cursor = pointed.name if pointed else ""
        self._paint(keep_place=True)
        self._settled()

    def _settled(self) -> None:
        if self._is_awaited:
            self.say("")
            self._is_awaited = False
        self.moved(self.place)

    def _show_kind(self, *, is_table: bool) -> None:
        """Let a picture or a table have the screen."""
        self._table.display = is_table
        self.query_one("#data-body").display = not is_table
        self.query_one("#data-difference", LineStrip).display = not is_table and self.size.height >= 10

    def _failed(self, fault: "CabstandError") -> None:
        self.look = None
        self._show_kind(is_table=False)
        self._mosaic.show(None, note=f"{fault.message} ({fault.hint})" if fault.hint else fault.message)
        self._paint()
        self.frame.report(fault)

    def _paint(self, *, keep_place: bool = False) -> None:
        side, under = self.query_one("#data-side", TextPane), self.query_one("#data-under", TextPane)
        cursor, difference = self.query_one("#data-cursor", LineStrip), self.query_one("#data-difference", LineStrip)
        look, width = self.look, self.size.width
        if look is not None and look.table is not None:
            self._show_table()
            return
        if look is None or look.missing:
            for pane in (side, under):
                pane.show(())
            for strip in (cursor, difference):
                strip.show(())
            return
        room = max(10, _SIDE_WIDTHS[width >= WIDE] - 1)
        painter = paint.side_lines if self.size.height >= TALL and width >= WIDE else paint.small_side_lines
        rows = painter(look, room, at=self._cursor, text=self._filter)
        side.show([line(Span(" ", Role.PLAIN), *row) for row in rows], keep_place=keep_place)
        at = next((index for index, row in enumerate(rows) if row and row[0].text == "> "), 0)
        if not side.top_row <= at < side.top_row + side.page_rows:
            side.scroll_rows_to(at - side.page_rows // 2)
        if look.picture is None:
            under.show(())
        elif self._shows_histogram:
            left = max(10, width - (room + 1 if side.display else 0))
            drawn = paint.display_brief(look, left)
            under.show([*drawn, *histogram_lines(look.picture, look.unit, left - 1, height=3)])
        cursor.show(paint.pointed_line(look, self._mosaic.pointed, width))
        lines = paint.difference_lines(look, width)
        difference.show(lines[0] if lines else ())
