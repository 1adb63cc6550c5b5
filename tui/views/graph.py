"""The dependency graph: what is made from what, what is stale and why, what is at work, what can be built now."""

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.timer import Timer

from calibstore.commands.lines import read_line
from tui.paint import graph as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, cut, line
from tui.views.following import RestingView
from tui.widgets.line_list import LineList
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.graph import GraphLook, NodeLook, NodeWork

WATCH_S: Final = 2.0
"""How often what is at work is asked for [s]."""
NO_TICKET: Final = "(no ticket: what is live)"
_LOW: Final = 12
"""Below this many rows there is no room for the details."""
_REST: Final = (
    Column(name="STATE", width=15),
    Column(name="WHERE, OR WAITS FOR"),
    Column(name="BEGUN", width=7, align=">", from_width=100),
)
_NARROW: Final = (Column(name="   TYPE", width=35), *_REST)
_WIDE: Final = (Column(name="   TYPE", width=45), *_REST)
_BRINGERS: Final = {"curated": "write-curated-calibrations", "import": "ingest-files", "ingest": "ingest-photodiode"}
"""Verb that brings a type in which is not built, by where it comes from."""


class GraphView(RestingView):
    """Types in the order in which they are made; the one under the cursor with its reasons."""

    NAME = "graph"
    TITLE = "Graph"
    SHORT = "Grph"
    KEY = ""
    HELP_TEXT = (
        "Calibrations are made from one another: a dark is made with a bias, defects with three bootstraps. The table "
        "has every type in the order in which they are made, further in the further down the way. The arrows before "
        "the names are those of the type under the cursor: from what it is made with, and on to what is made with it; "
        "a broken line means better with, not needed."
        "\n\n"
        "ok made: it applies, and it was made with what applies today. WARN stale: something it was made with is "
        "another one today; the reasons stand below. WARN to certify: it is made, and what is built next finds it only "
        "once it has its range in the ticket's chain. missing: none applies; it waits for others, or can be built now. "
        "With a ticket its own chain is searched first and its bootstraps count; o chooses one."
        "\n\n"
        "Which order holds is the scheme: new or legacy, from the repository's configuration. e shows what it is "
        "about, and how the type under the cursor is made, step by step, with every parameter."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="graph.open", keys="enter", action="open_node", title="Build it", footer="build",
              help="Open the form that builds the type under the cursor; where a job is at work, show the job."),
        Entry(id="graph.next", keys="n", action="next", title="What is next", footer="next",
              help="Open the form of what brings the type on: certify what is made, rerun what failed, or build it."),
        Entry(id="graph.todo", keys="w", action="only_open", title="What is to do", footer="to do", word="to-do",
              help="Show only types that are not made, or stale; again shows all."),
        Entry(id="graph.explain", keys="e", action="explain", title="Explain", footer="explain",
              help="Show the scheme, and how the type is made: its steps and parameters."),
        Entry(id="graph.ticket", keys="o", action="choose_ticket", title="Other ticket", footer="ticket",
              word="of-ticket", help="Choose the ticket whose chain is searched first, or none."),
        Entry(id="graph.checklist", keys="c", action="checklist", title="Checklist", footer="checklist",
              help="Show the checklist of the ticket."),
        Entry(id="graph.timeline", keys="t", action="timeline", title="Timeline",
              help="Show what of the type under the cursor is valid when."),
        Entry(id="graph.data", keys="v", action="picture", title="Picture",
              help="Show the newest product of the type under the cursor on the Data screen."),
        Entry(id="graph.pane", keys="tab", action="app.focus_next", title="Other pane",
              help="Go between the table and the details."),
    )  # fmt: skip
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    GraphView { layout: vertical; height: 1fr; width: 1fr; }
    GraphView #nodes { height: 1fr; }
    GraphView #node { height: 45%; }
    GraphView.high #node { height: 10; }
    GraphView.low #node { display: none; }
    GraphView.whole #nodes { height: 30%; }
    GraphView.whole #node { height: 70%; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: GraphLook | None = None
        self._filter = ""
        self._is_only_open = False
        self._is_whole = False
        self._timer: Timer | None = None
        self._arrows_of = ""
        """Type the arrows were drawn of last."""

    def compose(self) -> ComposeResult:
        """Mount the table and the details."""
        yield LineTable(_NARROW, title="GRAPH", id="nodes")
        yield TextPane(title="TYPE", id="node")

    def on_unmount(self) -> None:
        """Ask no more."""
        self._stop()

    @property
    def _table(self) -> LineTable:
        return self.query_one("#nodes", LineTable)

    @property
    def _node(self) -> "NodeLook | None":
        return self._look.node(self._table.cursor_key) if self._look is not None else None

    # Places.

    def open(self, place: Place) -> None:
        """Read the graph of a camera, or of a ticket."""
        instrument = self.frame.instrument

        def question(context: "Context") -> "GraphLook":
            return paint.look(context, place, instrument)

        self.read(question, lambda found: self._take(found, place.word(0)), group="look")

    def refresh_look(self) -> None:
        """Read again; the cursor stays."""
        self.open(self.place)

    def instrument(self) -> str:
        """Return the camera shown."""
        return self._look.instrument if self._look is not None else ""

    def crumb(self) -> str:
        """Return the ticket, the scheme and the type under the cursor."""
        if self._look is None:
            return ""
        key = self._table.cursor_key
        return f"{self._look.ticket or 'what is live'}, {self._look.scheme} scheme" + (f" > {key}" if key else "")

    def past(self) -> str:
        """Return the time shown, when it is another than now."""
        return f"AT {self.place.option('at')}" if self.place.option("at") else ""

    def thing(self) -> str:
        """Return the line that brings the type under the cursor on, or its name."""
        node = self._node
        if node is None:
            return ""
        text = node.next or node.generate
        return self.pasteable(text) if text else node.name

    def filtered(self, text: str) -> None:
        """Show only types holding a text."""
        self._filter = text
        self._is_only_open = self._is_only_open and bool(text)
        self._paint()

    def current_filter(self) -> str:
        """Return the filter in force."""
        return " ".join(part for part in (self._filter, "to do only" if self._is_only_open else "") if part)

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        if self._look is None:
            return ()
        return (*self._table.lines_seen(), *self.query_one("#node", TextPane).lines_seen())

    # Answers.

    def _take(self, found: "GraphLook", wanted: str = "") -> None:
        is_first = self._look is None or (self._look.ticket, self._look.instrument) != (found.ticket, found.instrument)
        self._look = found
        with self.app.batch_update():
            self._paint(wanted)
        if is_first:
            self._table.focus()
            self.say(paint.title(found))
        self._watch()

    def _watch(self) -> None:
        """Ask what is at work again soon, while something is."""
        is_running = self._look is not None and self._look.is_running
        if is_running and self._timer is None:
            self._timer = self.set_interval(WATCH_S, self._ask_work)
        elif not is_running:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _ask_work(self) -> None:
        look = self._look
        if look is None or self.frame.view is not self:
            self._stop()
            return

        def question(context: "Context") -> "dict[str, NodeWork]":
            from calibstore.services.looks.graph import work_look

            return work_look(context, look)

        self.read(question, self._take_work, group="work")

    def _take_work(self, found: "dict[str, NodeWork]") -> None:
        from calibstore.services.looks.graph import with_work

        before = self._look
        if before is None:
            return
        running = {one.name for one in before.nodes if one.work is not None and one.work.is_running}
        if any(name not in found or not found[name].is_running for name in running):
            self.refresh_look()  # a job ended: what there is may be another thing now
            return
        after = with_work(before, found)
        if after != before:
            self._look = after
            with self.app.batch_update():
                self._paint()

    # Painting.

    def _paint(self, wanted: str = "", *, is_move: bool = False) -> None:
        look = self._look
        if look is None or not self.is_mounted:
            return
        nodes = [one for one in look.nodes if not self._is_only_open or paint.words(one) != "made"]
        text = self._filter.lower()
        if text:
            nodes = [one for one in nodes if text in f"{one.name} {paint.words(one)} {paint.where(one)}".lower()]
        names = [one.name for one in nodes]
        chosen = wanted if wanted in names else self._table.cursor_key
        if chosen not in names:
            chosen = next((one.name for one in nodes if paint.words(one) != "made" and one.is_ready), "")
            chosen = chosen or (names[0] if names else "")
        rows = [Row(one.name, paint.cells(look, one, chosen, self.size.width)) for one in nodes]
        empty = (line(Span("no type holds the filter: Esc, w show all", Role.DIM)),)
        told = f"GRAPH · {look.scheme} scheme · {paint.counts_text(look)}"
        self._table.pane_title = cut(told, max(8, self.size.width - 20))
        self._table.set_columns(_WIDE if self.size.width >= paint.WIDE else _NARROW)
        self._arrows_of = chosen
        self._table.show_rows(rows, cursor_key=chosen, empty=empty)
        if is_move:
            self.when_resting(self._paint_node)
        else:
            self._paint_node()
        self._note_place()

    def _paint_node(self) -> None:
        pane, node = self.query_one("#node", TextPane), self._node
        if self._look is None or node is None:
            pane.show((), title="TYPE")
            return
        is_same = pane.pane_title == node.name
        lines = paint.about_lines(self._look, node, max(20, self.size.width - 1), is_whole=self._is_whole)
        if not is_same or tuple(lines) != pane.shown:
            pane.show(lines, title=node.name, keep_place=is_same)

    def _note_place(self) -> None:
        if self._look is None or self.frame.place.view != self.NAME:
            return
        options = {
            key: value for key, value in self.place.options.items() if key in ("at", "instrument", "ticket") and value
        }
        key = self._table.cursor_key
        self.moved(Place(self.NAME, (key,) if key else (), options))

    def on_resize(self) -> None:
        """Lay out for the new size."""
        height = self.size.height
        self.set_class(height < _LOW, "low")
        self.set_class(height > 28, "high")
        self.call_after_refresh(self._paint)

    def on_line_list_row_highlighted(self, event: LineList.RowHighlighted) -> None:
        """Draw the arrows of the type under the cursor; tell about it once the cursor rests."""
        event.stop()
        if self._look is not None and event.key and self._arrows_of != event.key:
            with self.app.batch_update():
                self._paint(event.key, is_move=True)

    def on_line_list_row_selected(self, event: LineList.RowSelected) -> None:
        """Build the type."""
        event.stop()
        self.action_open_node()

    # Keys.

    def action_open_node(self) -> None:
        """Open the form that builds the type, or show the job at work on it."""
        node = self._node
        if node is None or self._look is None:
            return
        if node.work is not None:
            self.go(Place("jobs", (node.work.job,)))
        elif node.source:
            self.say(f"{node.name} is not built here: it is brought in ({node.source})")
            self.fill_in(_BRINGERS.get(node.source, "ingest-files"), {})
        else:
            ticket = {"ticket": self._look.ticket} if self._look.ticket else {}
            self.fill_in("generate", {"calib_type": node.name, **ticket})

    def action_next(self) -> None:
        """Open what brings the type on."""
        node = self._node
        if node is None:
            return
        is_own = not node.next or "--help" in node.next or node.next.startswith("cabstand generate ")
        said = None if is_own else read_line(node.next)
        if said is None or (said.cls.verb == "jobs" and not said.given.get("resume")):
            self.action_open_node()
        else:
            self.fill_in(said.cls.verb, said.given)

    def action_only_open(self) -> None:
        """Show only what is to do, or everything."""
        self._is_only_open = not self._is_only_open
        self._paint()

    def action_explain(self) -> None:
        """Show the scheme and how the type is made, or only how it stands."""
        self._is_whole = not self._is_whole
        self.set_class(self._is_whole, "whole")
        self._paint_node()
        self.call_after_refresh(self._keep_cursor_seen)

    def _keep_cursor_seen(self) -> None:
        """Scroll the table, whose height changed, to its cursor."""
        self._table.move_to(self._table.cursor_row)

    def action_choose_ticket(self) -> None:
        """Choose the ticket whose chain is searched first."""
        if self._look is None:
            return
        from tui.dialogs.pick import PickDialog

        key = self._table.cursor_key

        def take(chosen: str | None) -> None:
            if chosen is not None:
                ticket = "" if chosen == NO_TICKET else chosen
                options = {name: text for name, text in self.place.options.items() if name != "ticket"}
                self.go(Place(self.NAME, (key,) if key else (), options | ({"ticket": ticket} if ticket else {})))

        self.app.push_screen(PickDialog("ticket", [*self._look.tickets, NO_TICKET]), take)

    def action_checklist(self) -> None:
        """Show the checklist of the ticket."""
        node = self._node
        ticket = self._look.ticket if self._look is not None else ""
        ticket = ticket or (node.ticket if node is not None else "")
        self.go(Place("checklist", (ticket,) if ticket else (), {"item": "generate"} if ticket else {}))

    def action_timeline(self) -> None:
        """Show what of the type is valid when."""
        node = self._node
        if node is not None:
            self.go(Place("timeline", (node.name,)))

    def action_picture(self) -> None:
        """Show the newest product."""
        node = self._node
        if node is None or not node.run:
            self.say("nothing of it is made yet")
        else:
            self.go(Place("data", (node.name,), {"run": node.run}))
