"""The states of the repository: what each changed, taking one back, giving a chain an earlier list again."""

from collections.abc import Callable
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
    from calibstore.errors import CabstandError
    from calibstore.services.context import Context
    from calibstore.services.looks.states import ListThen, StateRow, StatesLook

_LEAST_ROWS: Final = 12
_COLUMNS: Final = (
    Column(name="STATE", width=6, align=">"),
    Column(name="TIME TAI", width=19, from_width=90),
    Column(name="WHO", width=10, from_width=90),
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
        Entry(id="states.undo", keys="u", action="undo", title="Undo", footer="undo", writes=True, word="undo-state",
              help="Open the form that takes the state under the cursor back."),
        Entry(id="states.redo", keys="ctrl+r", action="redo", title="Redo", footer="redo", writes=True,
              help="Open the form that does again what was undone last."),
        Entry(id="states.restore", keys="R", action="restore", title="Restore the list", footer="restore", writes=True,
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
        self._of = ""
        self._shown: tuple[StateRow, ListThen | None] | None = None

    def compose(self) -> ComposeResult:
        """Mount the table and the details."""
        yield LineTable(_COLUMNS, title="STATES", id="states")
        yield TextPane(title="STATE", id="state")

    def open(self, place: Place) -> None:
        """Show all states, or those of a collection."""
        of = self._of = place.option("of")

        def question(context: "Context") -> "StatesLook":
            from calibstore.services.looks.states import states_look

            return states_look(context, of=of)

        self.read(question, self._arrived, failed=self._failed)

    def crumb(self) -> str:
        """Return the collection shown."""
        return f"of {self._of}" if self._of else ""

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
        self._table.show_source(look.n_states, self._fetch, empty=paint.empty_lines(look.of))
        self.follow()

    def _failed(self, problem: "CabstandError") -> None:
        """Show nothing of others under the name of a collection that is not there."""
        self._look = self._shown = None
        self._table.show_rows([], empty=())
        self._pane.show([])
        self.frame.report(problem)

    def _fetch(self, offset: int, limit: int, deliver: Deliver) -> None:
        of = self._of

        def question(context: "Context") -> "tuple[StateRow, ...]":
            from calibstore.services.looks.states import states_window

            return states_window(context, offset, limit, of=of)

        def then(rows: "tuple[StateRow, ...]") -> None:
            deliver([Row(str(one.entry.state), paint.row_cells(one)) for one in rows])
            if self._shown is None:
                self.follow()

        self.read(question, then, group=f"window {offset}")

    def follow(self) -> None:
        """Read the row under the cursor."""
        self._read_state(lambda _row, _then: self._paint_state())

    def _read_state(self, act: "Callable[[StateRow, ListThen | None], None]") -> None:
        """Act on the state under the cursor, with the list that it left."""
        at, of, look = self._table.cursor_row, self._of, self._look
        if look is None or not look.n_states:
            return
        is_chain = look.is_chain

        def question(context: "Context") -> "tuple[StateRow, ListThen | None] | None":
            from calibstore.errors import NotFoundError
            from calibstore.services.looks.states import list_then, states_window

            found = states_window(context, at, 1, of=of)
            if not found:
                return None
            chain = of if is_chain else next(iter(found[0].chains), "")
            try:
                return found[0], list_then(context, chain, found[0].entry.state) if chain else None
            except NotFoundError:  # the chain, or a member of that time, is no more
                return found[0], None

        def then(shown: "tuple[StateRow, ListThen | None] | None") -> None:
            self._shown = shown
            if shown is not None:
                act(*shown)

        self.read(question, then, group="state")

    def _paint_state(self) -> None:
        if self._shown is not None and self._pane.display:
            row, then = self._shown
            self._pane.show(paint.state_lines(row, then, self._pane.content_width))

    # Actions.

    def action_undo(self) -> None:
        """Open the form that takes a state back."""

        def act(row: "StateRow", _then: "ListThen | None") -> None:
            if row.is_undoable:
                self.fill_in("undo", {"state": row.entry.state})
            else:
                self.say(f"state {row.entry.state} cannot be undone: {row.why_not}")

        self._read_state(act)

    def action_redo(self) -> None:
        """Open the form that does again what was undone last."""
        if self._look is not None and self._look.next_redo:
            self.fill_in("redo", {})
        else:
            self.say("nothing was undone last")

    def action_restore(self) -> None:
        """Open the form that gives a chain an earlier list."""

        def act(row: "StateRow", then: "ListThen | None") -> None:
            chain = self._chain_of(row)
            if not chain:
                self.say("this state changed no chain's list")
            elif then is None:
                self.say(f"{chain}, or a member it had then, is no more: undo the state that removed it first")
            elif then.then == then.now:
                self.say(f"{chain} has that list now")
            else:
                self.fill_in("restore", {"chain": chain, "to_state": row.entry.state})

        self._read_state(act)

    def action_only_chain(self) -> None:
        """Show the states of one chain, or all."""
        if self._of:
            self.go(Place(self.NAME))
            return

        def act(row: "StateRow", _then: "ListThen | None") -> None:
            if self._chain_of(row):
                self.go(Place(self.NAME, (), {"of": self._chain_of(row)}))
            else:
                self.say("this state changed no chain's list")

        self._read_state(act)

    def action_timeline(self) -> None:
        """Show the timeline as it was."""
        if self._table.cursor_key:
            self.go(Place("timeline", (), {"state": self._table.cursor_key}))

    def action_entry(self) -> None:
        """Read the journal entry."""
        if self._table.cursor_key:
            self.go(Place("journal", (self._table.cursor_key,), {"show": "entry"}))

    def _chain_of(self, row: "StateRow") -> str:
        if self._look is not None and self._look.is_chain:
            return self._of
        return next(iter(row.chains), "")
