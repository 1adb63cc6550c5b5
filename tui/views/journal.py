"""Who did what, when and why: every state of the repository, the newest first."""

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult

from tui.paint import journal as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line
from tui.views.following import FollowingView
from tui.widgets.line_table import Column, Deliver, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.journal import EntryLook, EntryRow, JournalLook, SealLook

_LEAST_ROWS: Final = 12
_COLUMNS: Final = (
    Column(name="STATE", width=6, align=">"),
    Column(name="TIME TAI", width=19, from_width=70),
    Column(name="WHO", width=10, from_width=95),
    Column(name="VERB", width=15),
    Column(name="TICKET", width=10, from_width=60),
    Column(name="SUMMARY"),
)
_WIDE_COLUMNS: Final = tuple(Column(name=one.name, width=20) if one.name == "VERB" else one for one in _COLUMNS)
_WIDE: Final = 110


class JournalView(FollowingView):
    """A table of entries that reads windows, and the entry under the cursor whole."""

    NAME = "journal"
    TITLE = "Journal"
    SHORT = "Jrnl"
    KEY = "9"
    HELP_TEXT = (
        "Every change of the repository is one entry with a number, its state: who, when, the exact line, the reason, "
        "what was before and after, and the lines of the observatory's own tools that do the same. Nothing is ever "
        "changed or taken out."
        "\n\n"
        "Each entry seals the one before it: v checks every seal. / narrows to entries that hold some words, o to "
        "those of the ticket under the cursor. y copies the line, Y the native lines."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="journal.open", keys="enter", action="open_entry", title="Entry", footer="open",
              help="Read the entry under the cursor whole."),
        Entry(id="journal.ticket", keys="o", action="only_ticket", title="Only this ticket", footer="ticket",
              help="Show only the entries of the ticket under the cursor, then all again."),
        Entry(id="journal.verify", keys="v", action="verify", title="Check seals", footer="verify",
              word="verify-journal", help="Check that no entry was altered or taken out."),
        Entry(id="journal.states", keys="s", action="states", title="States", footer="states",
              help="Show which states can be undone, and the lists chains had."),
        Entry(id="journal.campaign", keys="c", action="campaign", title="Its checklist", footer="checklist",
              help="Show the checklist of the entry's ticket."),
    )  # fmt: skip
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    JournalView { layout: vertical; }
    JournalView #entries { height: 1fr; }
    JournalView #entry { height: 50%; }
    JournalView.low #entry { display: none; }
    JournalView.reading #entries { display: none; }
    JournalView.reading #entry { display: block; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: JournalLook | None = None
        self._entry: EntryLook | None = None
        self._filter = ""
        self._ticket = ""

    def compose(self) -> ComposeResult:
        """Mount the table and the entry."""
        yield LineTable(_COLUMNS, title="JOURNAL", id="entries")
        yield TextPane(title="ENTRY", id="entry")

    def open(self, place: Place) -> None:
        """Show the newest entries, or those around the one a place names."""
        if "filter" in place.options:
            self._filter = place.option("filter")
        if "ticket" in place.options:
            self._ticket = place.option("ticket")
        is_reading = place.option("show") == "entry"
        if is_reading != self.has_class("reading"):
            self.set_class(is_reading, "reading")
            self.call_after_refresh((self._pane if is_reading else self._table).focus)
        state = paint.state_of(place)
        holding, ticket = self._filter, self._ticket

        def question(context: "Context") -> "JournalLook":
            from calibstore.services.looks.journal import journal_look

            return journal_look(context, holding=holding, ticket=ticket, state=state)

        self.read(question, self._arrived)

    def crumb(self) -> str:
        """Return the ticket shown."""
        return f"only {self._ticket}" if self._ticket else ""

    def thing(self) -> str:
        """Return the line of the entry."""
        return self.pasteable(self._entry.line) if self._entry is not None else ""

    def native(self) -> tuple[str, ...]:
        """Return the entry's native lines."""
        return self._entry.native if self._entry is not None else ()

    def filtered(self, text: str) -> None:
        """Show only entries that hold some words."""
        self._filter = text
        self.open(Place(self.NAME, (), {"filter": text}))

    def current_filter(self) -> str:
        """Return the filter in force."""
        return self._filter

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        if self._look is None:
            return ()
        pane = self._pane.lines_seen()
        if self.has_class("reading"):
            return pane
        rows = self._table.lines_seen()
        return (*rows, *([()] * max(0, self._table.size.height - len(rows))), *pane)

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self.set_class(self.size.height < _LEAST_ROWS, "low")
        self._table.set_columns(_WIDE_COLUMNS if self.size.width >= _WIDE else _COLUMNS)
        self.call_after_refresh(self._paint_entry)

    def on_text_pane_refitted(self, event: TextPane.Refitted) -> None:
        """Paint the details for the width they now have."""
        event.stop()
        self._paint_entry()

    def on_line_list_row_selected(self, event: LineTable.RowSelected) -> None:
        """Read the entry whole."""
        event.stop()
        self.action_open_entry()

    @property
    def _table(self) -> LineTable:
        return self.query_one("#entries", LineTable)

    @property
    def _pane(self) -> TextPane:
        return self.query_one("#entry", TextPane)

    @property
    def _ticket_here(self) -> str:
        row = self._table.row_at(self._table.cursor_row)
        return paint.ticket_of(row.cells) if row is not None else ""

    def _arrived(self, look: "JournalLook") -> None:
        self._look, self._entry = look, look.detail
        self._table.pane_title = (
            f"JOURNAL {look.n_entries}" if look.n_entries == look.n_all else f"JOURNAL {look.n_entries} of {look.n_all}"
        )
        narrowed = look.holding or look.ticket
        self._table.show_source(look.n_entries, self._fetch, cursor=look.place, empty=paint.empty_lines(narrowed))
        self._paint_entry()

    def _fetch(self, offset: int, limit: int, deliver: Deliver) -> None:
        holding, ticket = self._filter, self._ticket

        def question(context: "Context") -> "tuple[EntryRow, ...]":
            from calibstore.services.looks.journal import journal_window

            return journal_window(context, offset, limit, holding=holding, ticket=ticket)

        def then(rows: "tuple[EntryRow, ...]") -> None:
            deliver([Row(str(one.state), paint.row_cells(one)) for one in rows])

        self.read(question, then, group=f"window {offset}")

    def follow(self) -> None:
        """Read the row under the cursor."""
        key = self._table.cursor_key
        if not key or (self._entry is not None and self._entry.row.state == int(key)):
            return
        options = {name: value for name, value in self.place.options.items() if name in ("show", "ticket")}
        self.moved(Place(self.NAME, (key,), options))
        self._read_entry(int(key))

    def _read_entry(self, state: int) -> None:
        def question(context: "Context") -> "EntryLook | None":
            from calibstore.services.looks.journal import entry_look

            return entry_look(context, state)

        def then(entry: "EntryLook | None") -> None:
            self._entry = entry
            self._paint_entry()

        self.read(question, then, group="entry")

    def _paint_entry(self) -> None:
        if self._look is None or not self._pane.display:
            return
        lines = paint.entry_lines(self._entry, self._pane.content_width) if self._entry is not None else []
        self._pane.show(lines)

    # Actions.

    def action_open_entry(self) -> None:
        """Read the entry under the cursor alone."""
        key = self._table.cursor_key
        if key and not self.has_class("reading"):
            self.go(Place(self.NAME, (key,), {"show": "entry"}))

    def action_only_ticket(self) -> None:
        """Show the entries of one ticket, or of all."""
        ticket = "" if self._ticket else self._ticket_here
        if not ticket and not self._ticket:
            self.say("this entry belongs to no ticket")
            return
        key = self._table.cursor_key
        self.go(Place(self.NAME, (key,) if key else (), {"ticket": ticket}))

    def action_verify(self) -> None:
        """Check every seal."""

        def question(context: "Context") -> "SealLook":
            from calibstore.services.looks.journal import seal_look

            return seal_look(context)

        def then(seal: "SealLook") -> None:
            if seal.is_whole:
                self.say(f"ok: {seal.text}")
                return
            from calibstore.errors import StoreError

            self.frame.report(StoreError(seal.text, hint="cabstand journal --verify", code="E-JOURNAL"))

        self.say("checking the seals of all entries")
        self.read(question, then, group="seals")

    def action_states(self) -> None:
        """Show the states."""
        self.go(Place("states"))

    def action_campaign(self) -> None:
        """Show the checklist of the entry's ticket."""
        ticket = self._ticket_here
        if ticket:
            self.go(Place("checklist", (ticket,)))
        else:
            self.say("this entry belongs to no ticket")
