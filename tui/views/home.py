"""Home: what is in use now, alarms, open work, and what changed."""

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult

from calibstore.model.times import time_views
from tui.paint import home as painter
from tui.paint.home import Item
from tui.places import Place, parse_place
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, fitted, padded, text_of, without
from tui.views.base import View
from tui.widgets.ask_line import AskLine
from tui.widgets.line_list import LineList

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.home import HomeLook


class HomeLines(LineList):
    """The painted lines; the cursor goes from one thing to the next."""

    DEFAULT_CSS = "HomeLines { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: tuple[Item, ...] = ()

    @property
    def item(self) -> Item | None:
        """What is under the cursor."""
        found = self._items[self._cursor_row] if self._cursor_row < len(self._items) else None
        return found if found is not None and found.key else None

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines as they are drawn."""
        return tuple(self.row_line(index, self.size.width) for index in range(len(self._items)))

    def show(self, items: tuple[Item, ...]) -> None:
        """Draw other lines; the cursor stays on its thing."""
        wanted = self.cursor_key if self._items else ""
        is_first = not self._items
        self._items = items
        places = [index for index, one in enumerate(items) if one.key]
        at = next((index for index in places if items[index].key == wanted), places[0] if places else 0)
        self.reset_rows(at, keep_place=not is_first)

    def row_total(self) -> int:
        """Return how many lines there are."""
        return len(self._items)

    def row_key(self, index: int) -> str:
        """Return the key of the thing in a line; empty for a line that is none."""
        return self._items[index].key if index < len(self._items) else ""

    def cells_line(self, index: int, width: int) -> Line:
        """Draw a line."""
        del width
        return self._items[index].line

    def row_line(self, index: int, width: int) -> Line:
        """Draw a line with the pointer on its thing."""
        item = self._items[index]
        if index != self._cursor_row or not item.key:
            return item.line
        role = Role.CURSOR if self.has_focus else Role.CURSOR_IDLE
        own = item.own_cells or width
        text = ">" + text_of(fitted(item.line, own))[1:]
        return (Span(padded(text, own), role), *without(item.line, own))

    def move_rows(self, delta: int) -> None:
        """Move to the next or previous thing; lines beyond the last one are scrolled to."""
        places = [index for index, one in enumerate(self._items) if one.key]
        if abs(delta) > 1 or not places:
            self.scroll_rows_to(self._top_row + delta)
            return
        further = [index for index in places if (index > self._cursor_row if delta > 0 else index < self._cursor_row)]
        if further:
            self.move_to(further[0] if delta > 0 else further[-1])
            if delta < 0 and self._cursor_row == places[0]:
                self.scroll_rows_to(0)
        else:
            self.scroll_rows_to(self._top_row + delta)


class HomeView(View):
    """The first screen."""

    NAME = "home"
    TITLE = "Home"
    SHORT = "Home"
    KEY = "1"
    HELP_TEXT = (
        "The table shows which calibration processing finds now, by dataset type: its ticket, the certified "
        "collection, since when it is valid, the verdict of its verification when it was certified, and at how many "
        "sites its use is proved. A type without any is a FAIL and stands first. Below are the alarms, the campaigns "
        "with the item of the checklist each waits at, and what changed: the last change of the top chain, what last "
        "night's exposures used, the camera's state, ranges that end soon. What has no data says so. Enter on a row "
        "of the table explains why it is this one; enter on open work goes on with its checklist."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="home.open", keys="enter", action="open_item", title="Open", footer="open",
              help="Explain the row of the table, look into the alarm, or go on with the checklist."),
        Entry(id="home.timeline", keys="t", action="timeline", title="Timeline", footer="timeline",
              help="Show what is valid when for the type under the cursor, or for all types."),
        Entry(id="home.metrics", keys="m", action="metrics", title="Metrics", footer="metrics",
              help="Show the verification of the ticket under the cursor."),
        Entry(id="home.view", keys="v", action="picture", title="View", footer="view",
              help="Show the picture of the calibration under the cursor."),
        Entry(id="home.graph", keys="b", action="graph", title="Build order", footer="order",
              help="Show what is made from what: what is made, missing, stale or in work."),
        Entry(id="home.new", keys="n", action="new_campaign", title="New checklist", footer="new",
              help="Open a campaign: one ticket, its tag and the calibrations to make."),
        Entry(id="home.date", keys="d", action="ask_date", title="Other date", footer="date", word="date",
              help="Show what would be found at another date; an empty one is now."),
    )  # fmt: skip
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = "HomeView { layout: vertical; }"

    look: "HomeLook | None" = None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._filter = ""

    def compose(self) -> ComposeResult:
        """Lay out the lines and the field for a date."""
        yield HomeLines(id="home-lines")
        yield AskLine(id="home-date")

    @property
    def lines(self) -> HomeLines:
        """The body."""
        return self.query_one(HomeLines)

    def open(self, place: Place) -> None:
        """Read and show the first screen."""
        self.place = place
        instrument = self.frame.instrument

        def whole(context: "Context") -> "HomeLook":
            return painter.look(context, place, instrument)

        def quick(context: "Context") -> "HomeLook":
            return painter.quick_look(context, place, instrument)

        def take_quick(look: "HomeLook") -> None:
            if look.is_whole or self.look is None:
                self._take(look)
            if not look.is_whole:
                self.read(whole, self._take)

        self.read(quick, take_quick)

    def instrument(self) -> str:
        """Return the camera whose data are shown."""
        return self.look.instrument if self.look is not None else ""

    def crumb(self) -> str:
        """Return the date shown, when it is another than now."""
        if self.look is None or self.look.is_now:
            return ""
        views = time_views(self.look.at_tai_ns)
        return f"at {views.tai} TAI" + (f" = {views.utc} UTC" if views.utc else "")

    def thing(self) -> str:
        """Return what is under the cursor."""
        item = self.lines.item
        return item.thing if item is not None else ""

    def native(self) -> tuple[str, ...]:
        """Return the Butler's lines that list the chain and what is certified below it."""
        if self.look is None:
            return ()
        root = str(self.frame.link.root)
        from calibstore.services.native import butler

        lines = [butler("query-collections", root, self.look.top, "--chains", "tree")]
        item = self.lines.item
        if item is not None and item.dataset_type:
            words = (item.dataset_type, "--collections", self.look.top, "--find-first")
            lines.append(butler("query-datasets", root, *words))
        return tuple(lines)

    def filtered(self, text: str) -> None:
        """Show only things that hold a text."""
        self._filter = text
        self._paint()

    def current_filter(self) -> str:
        """Return the filter in force."""
        return self._filter

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is seen, for the next start."""
        if self.look is None or self._filter:
            return ()
        lines = self.lines.lines
        return lines[self.lines.top_row : self.lines.top_row + max(1, self.size.height)]

    def on_resize(self, _event: events.Resize) -> None:
        """Paint for the new width."""
        self._paint()

    def _take(self, look: "HomeLook") -> None:
        self.look = look
        self._paint()
        self.say(painter.status(look))

    def _paint(self) -> None:
        if self.look is None or not self.size.width:
            return
        items = painter.items(self.look, self.size.width)
        wanted = self._filter.lower()
        if wanted:
            items = tuple(one for one in items if one.key and wanted in text_of(one.line).lower())
        self.lines.show(items or (Item((Span(f"nothing holds {self._filter!r}; Esc shows all", Role.DIM),)),))

    @on(LineList.RowSelected)
    def _chosen(self, event: LineList.RowSelected) -> None:
        event.stop()
        self.action_open_item()

    def action_open_item(self) -> None:
        """Go where the thing under the cursor leads."""
        item = self.lines.item
        if item is None or not item.place_text:
            self.say("nothing to open here")
            return
        self.go(parse_place(item.place_text.split()))

    def action_timeline(self) -> None:
        """Show the timeline of the type under the cursor."""
        item = self.lines.item
        kind = (item.dataset_type,) if item is not None and item.dataset_type else ()
        at = self.place.option("at")
        self.go(Place("timeline", kind, {"at": at} if at else {}))

    def action_metrics(self) -> None:
        """Show the metrics of the ticket under the cursor."""
        item = self.lines.item
        self.go(Place("metrics", (item.ticket,) if item is not None and item.ticket else ()))

    def action_picture(self) -> None:
        """Show the picture of the calibration under the cursor."""
        item = self.lines.item
        if item is None or not item.run:
            self.say("put the cursor on a calibration of the table first")
            return
        self.go(Place("data", (item.dataset_type,), {"run": item.run}))

    def action_graph(self) -> None:
        """Show what is made from what; for the ticket under the cursor where there is one."""
        item = self.lines.item
        kind = (item.dataset_type,) if item is not None and item.dataset_type else ()
        options = {"ticket": item.ticket} if item is not None and item.ticket else {}
        self.go(Place("graph", kind, options))

    def action_new_campaign(self) -> None:
        """Open the form of a new campaign."""
        self.fill_in("campaign new", {"instrument": self.look.instrument} if self.look is not None else {})

    def action_ask_date(self) -> None:
        """Begin to type a date."""
        former = self.place.option("at")
        self.query_one(AskLine).ask("date", "at", former, placeholder="date, day_obs or MJD; empty: now")

    @on(AskLine.PutAway)
    def _stay(self, event: AskLine.PutAway) -> None:
        event.stop()
        self.lines.focus()

    @on(AskLine.Given)
    def _take_date(self, event: AskLine.Given) -> None:
        event.stop()
        self.query_one(AskLine).close()
        self.lines.focus()
        options = {key: value for key, value in self.place.options.items() if key != "at"}
        if event.text.strip():
            options["at"] = event.text.strip()
        place = Place(self.NAME, self.place.words, options)
        self.moved(place)
        self.open(place)
