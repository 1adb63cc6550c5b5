"""The states of the repository: what each changed, taking one back, giving a chain an earlier list again."""

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult

from tui.paint import states as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line
from tui.views.following import FollowingView
from tui.widgets.line_table import Column, Deliver, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.states import ListThen, StateRow, StatesLook

_LEAST_ROWS: Final = 12
_COLUMNS: Final = (
    Column(name="STATE", width=6, align=">"),
    Column(name="TIME TAI", width=19, from_width=90),
    Column(name="WHO", width=10, from_width=70),
    Column(name="VERB", width=20),
    Column(name="CHANGED", width=12),
    Column(name="UNDO", width=6),
    Column(name="SUMMARY"),
)


class StatesView(FollowingView):
    """A table of states that reads windows, and the one under the cursor."""

    NAME = "states"
    TITLE = "States"
    SHORT = "Stat"
    KEY = ""
    HELP_TEXT = (
        "Every change of the repository is a numbered state, and every earlier state can still be read. The column "
        "UNDO says which changes of chains and ranges can be taken back: u opens the form that does it, in a new state "
        "of its own, so that nothing is lost. It is refused where somebody changed the same thing since; the refusal "
        "says who and what."
        "\n\n"
        "For the states of one chain the pane below shows the list as that state left it; R gives the chain that list "
        "again, whoever changed it since. t shows the timeline as it was at that state."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="states.undo", keys="u", action="undo", title="Undo", footer="undo", word="undo-state",
              help="Open the form that takes the state under the cursor back."),
        Entry(id="states.redo", keys="ctrl+r", action="redo", title="Redo", footer="redo",
              help="Open the form that does again what was undone last."),
        Entry(id="states.restore", keys="R", action="restore", title="Restore the list", footer="restore",
              help="Open the form that gives the chain the list it had after the state under the cursor."),
        Entry(id="states.chain", keys="o", action="only_chain", title="Only this chain", footer="chain",
              help="Show only states that changed the chain under the cursor, then all again."),
        Entry(id="states.timeline", keys="t", action="timeline", title="Timeline then", footer="timeline",
              help="Show the timeline as it was at the state under the cursor."),
        Entry(id="states.entry", keys="enter", action="entry", title="Entry", footer="open",
              help="Read the journal entry of the state under the cursor."),
    )  # fmt: skip
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    StatesView { layout: vertical; }
    StatesView #states { height: 1fr; }
    StatesView #state { height: 45%; }
    StatesView.low #state { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: StatesLook | None = None
        self._chain = ""
        self._shown: tuple[StateRow, ListThen | None] | None = None

    def compose(self) -> ComposeResult:
        """Mount the table and the details."""
        yield LineTable(_COLUMNS, title="STATES", id="states")
        yield TextPane(title="STATE", id="state")

    def open(self, place: Place) -> None:
        """Show all states, or those of a chain."""
        self._chain = place.option("chain")
        chain = self._chain

        def question(context: "Context") -> "StatesLook":
            from calibstore.services.looks.states import states_look

            return states_look(context, chain=chain)

        self.read(question, self._arrived)

    def crumb(self) -> str:
        """Return the chain shown."""
        return f"of {self._chain}" if self._chain else ""

    def thing(self) -> str:
        """Return the number of the state under the cursor."""
        return self._table.cursor_key

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        return (*self._table.lines_seen(), *self._pane.lines_seen()) if self._look is not None else ()

    def on_resize(self) -> None:
        """Lay out for the new size."""
        self.set_class(self.size.height < _LEAST_ROWS, "low")
        self.call_after_refresh(self._paint_state)

    def on_text_pane_refitted(self, event: TextPane.Refitted) -> None:
        """Paint the details for the width they now have."""
        event.stop()
        self._paint_state()

    def on_line_list_row_selected(self, event: LineTable.RowSelected) -> None:
        """Read the journal entry."""
        event.stop()
        self.action_entry()

    @property
    def _table(self) -> LineTable:
        return self.query_one("#states", LineTable)

    @property
    def _pane(self) -> TextPane:
        return self.query_one("#state", TextPane)

    def _arrived(self, look: "StatesLook") -> None:
        self._look = look
        self._table.pane_title = paint.title(look)
        self._table.show_source(look.n_states, self._fetch, empty=paint.empty_lines(look.chain))
        self.follow()

    def _fetch(self, offset: int, limit: int, deliver: Deliver) -> None:
        chain = self._chain

        def question(context: "Context") -> "tuple[StateRow, ...]":
            from calibstore.services.looks.states import states_window

            return states_window(context, offset, limit, chain=chain)

        def then(rows: "tuple[StateRow, ...]") -> None:
            deliver([Row(str(one.entry.state), paint.row_cells(one)) for one in rows])
            if self._shown is None:
                self.follow()

        self.read(question, then, group=f"window {offset}")

    def follow(self) -> None:
        """Read the row under the cursor."""
        at, chain = self._table.cursor_row, self._chain
        if self._look is None or not self._look.n_states:
            return

        def question(context: "Context") -> "tuple[StateRow, ListThen | None] | None":
            from calibstore.services.looks.states import list_then, states_window

            found = states_window(context, at, 1, chain=chain)
            if not found:
                return None
            changed = chain or next(iter(found[0].chains), "")
            return found[0], list_then(context, changed, found[0].entry.state) if changed else None

        def then(shown: "tuple[StateRow, ListThen | None] | None") -> None:
            self._shown = shown
            self._paint_state()

        self.read(question, then, group="state", failed=lambda _problem: None)

    def _paint_state(self) -> None:
        if self._shown is not None and self._pane.display:
            row, then = self._shown
            self._pane.show(paint.state_lines(row, then, self._pane.content_width))

    # Actions.

    def action_undo(self) -> None:
        """Open the form that takes a state back."""
        if self._shown is None:
            return
        row = self._shown[0]
        if row.is_undoable:
            self.fill_in("undo", {"state": row.entry.state})
        else:
            self.say(f"state {row.entry.state} cannot be undone: {row.why_not}")

    def action_redo(self) -> None:
        """Open the form that does again what was undone last."""
        if self._look is not None and self._look.next_redo:
            self.fill_in("redo", {})
        else:
            self.say("nothing was undone last")

    def action_restore(self) -> None:
        """Open the form that gives a chain an earlier list."""
        chain = self._chain_here()
        if not chain or self._shown is None:
            self.say("this state changed no chain's list")
        elif self._shown[1] is not None and self._shown[1].then == self._shown[1].now:
            self.say(f"{chain} has that list now")
        else:
            self.fill_in("restore", {"chain": chain, "to_state": self._shown[0].entry.state})

    def action_only_chain(self) -> None:
        """Show the states of one chain, or all."""
        chain = "" if self._chain else self._chain_here()
        if not chain and not self._chain:
            self.say("this state changed no chain's list")
            return
        self.go(Place(self.NAME, (), {"chain": chain} if chain else {}))

    def action_timeline(self) -> None:
        """Show the timeline as it was."""
        if self._shown is not None:
            self.go(Place("timeline", (), {"state": str(self._shown[0].entry.state)}))

    def action_entry(self) -> None:
        """Read the journal entry."""
        if self._table.cursor_key:
            self.go(Place("journal", (self._table.cursor_key,), {"show": "entry"}))

    def _chain_here(self) -> str:
        return self._chain or (next(iter(self._shown[0].chains), "") if self._shown is not None else "")
