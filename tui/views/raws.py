"""The raw exposures: an expression built by fields or by hand, the rows it finds, what the rules say of it."""

from typing import TYPE_CHECKING, Any, Final

from calibstore.errors import CabstandError
from calibstore.model.where_quick import with_quick_field
from tui.paint import raws as paint
from tui.places import Place
from tui.registry import bindings
from tui.spans import Role, Span, line
from tui.views.raws_draft import SelectionDraft
from tui.views.raws_keys import ENTRIES, HELP_TEXT
from tui.views.raws_selection import TYPING_ROWS, SelectionView
from tui.widgets.ask_line import AskLine
from tui.widgets.line_list import LineList
from tui.widgets.text_pane import TextPane
from tui.widgets.where_builder import WhereBuilder

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.raws_rows import WhereCount

COUNT_AFTER_S: Final = 0.2
"""Pause in typing after which the expression is counted [s]."""


class RawsView(SelectionView):
    """A selection of exposures: expression, rows, rules, both sets of the ticket."""

    NAME = "raws"
    TITLE = "Raws"
    SHORT = "Raws"
    KEY = "4"
    HELP_TEXT = HELP_TEXT
    ENTRIES = ENTRIES
    BINDINGS = bindings(ENTRIES)

    # The expression.

    def action_edit(self) -> None:
        """Edit the expression."""
        if self._look is None:
            return
        self.remove_class("choosing")
        self._builder.close()
        begun = self._draft.typing
        text = begun or self._look.where
        self._ask.ask("where", "where", text, former=tuple(self._draft.former))
        self.query_one("#raws-fault").display = True
        self._counted = None
        self._paint()
        self._count(text)
        if begun:
            self.say("this is what you had begun to type; Enter takes it, Esc leaves it")

    def on_ask_line_typed(self, event: AskLine.Typed) -> None:
        """Keep what is typed, and count it after a pause."""
        event.stop()
        if event.topic != "where":
            return
        self._draft.typing = event.text
        self._keep()
        text = event.text
        self._after(COUNT_AFTER_S, lambda: self._count(text))

    def _count(self, text: str) -> None:
        look = self._look
        if look is None:
            return
        instrument = look.instrument

        def question(context: "Context") -> "WhereCount":
            from calibstore.services.looks.raws_rows import count_where

            return count_where(context, instrument, text)

        self.read(question, self._take_count, group="count")

    def _take_count(self, counted: "WhereCount") -> None:
        if not self._ask.is_open or self._ask.topic != "where" or self._look is None:
            return
        self._counted = counted
        width = self.size.width
        if counted.fault is not None:
            lines = paint.fault_lines(counted.fault, counted.where, width)[:TYPING_ROWS]
        else:
            role = Role.OK if counted.n else Role.WARN
            word = "ok  " if counted.n else "WARN"
            found = f"{word} {counted.n} of {self._look.n_all} exposures"
            lines = [(), line(Span(found, role), Span("   Enter takes it, Esc leaves it as it was", Role.DIM))]
        self.query_one("#raws-fault", TextPane).show(lines)

    def on_ask_line_given(self, event: AskLine.Given) -> None:
        """Take an expression, a reason, or a field's value."""
        event.stop()
        if event.topic == "where":
            self._take_typed(event.text)
        elif event.topic == "reason":
            self._leave_out(event.text)
        else:
            self._take_field(event.topic, event.text)

    def _take_typed(self, text: str) -> None:
        counted = self._counted
        if counted is None or counted.where != text:
            # Enter came before the answer: it is asked now, and taken when it is without fault.
            self._count_then_take(text)
        elif counted.fault is None:
            self._close_ask()
            self._take_where(text)
        else:
            self.say("the expression has a fault: mend it, or Esc (it is kept; e goes on with it)")

    def _count_then_take(self, text: str) -> None:
        look = self._look
        if look is None:
            return
        instrument = look.instrument

        def question(context: "Context") -> "WhereCount":
            from calibstore.services.looks.raws_rows import count_where

            return count_where(context, instrument, text)

        def then(counted: "WhereCount") -> None:
            self._take_count(counted)
            if self._ask.is_open and self._ask.text == text:
                self._take_typed(text)

        self.read(question, then, group="count")

    def on_ask_line_put_away(self, event: AskLine.PutAway) -> None:
        """Leave things as they were; what was typed is kept."""
        event.stop()
        look = self._look
        if event.topic == "where" and look is not None:
            self._draft.typing = "" if event.text == look.where else event.text
            self._keep()
            if self._draft.typing:
                self.say("left as it was; what you typed is kept: e goes on with it")
        self._close_ask()

    def _close_ask(self) -> None:
        self._ask.close()
        self.query_one("#raws-fault").display = False
        (self._builder if self._builder.display else self._rows).focus()
        self._paint()

    def _take_where(self, where: str) -> None:
        look = self._look
        if look is None:
            return
        if self._draft.exclude is None:
            self._draft.exclude = self._excluded
        self._draft.take_where(look.where, where)
        self._keep()
        self._read_look()

    # The quick fields.

    def action_fields(self) -> None:
        """Open the quick fields."""
        look = self._look
        if look is None:
            return
        if look.quick is None:
            self.say("the expression cannot be taken apart while it has a fault: e mends it, X begins anew")
            return
        self.set_class(self.size.height < 30, "choosing")
        self._builder.open()
        self._paint()

    def on_where_builder_changed(self, event: WhereBuilder.Changed) -> None:
        """Write the expression with another value, and read after a pause."""
        event.stop()
        self._take_field(event.field, event.value, is_soon=True)

    def on_where_builder_asked_to_type(self, event: WhereBuilder.AskedToType) -> None:
        """Ask for a value."""
        event.stop()
        hint = "yyyymmdd" if event.field.startswith("day") else "empty for any"
        self._ask.ask(event.field, paint.FIELD_NAMES[event.field], event.value, placeholder=hint)

    def on_where_builder_put_away(self, event: WhereBuilder.PutAway) -> None:
        """Go back to the rows."""
        event.stop()
        self.remove_class("choosing")
        self._builder.close()
        self._rows.focus()
        self._paint()

    def _take_field(self, field: str, value: str, *, is_soon: bool = False) -> None:
        look = self._look
        if look is None:
            return
        before = self._draft.where or look.where
        try:
            where = with_quick_field(before, field, value)
        except CabstandError as problem:
            self.say(f"[{problem.code}] {problem.message}: {problem.hint}")
            return
        if self._ask.is_open:
            self._close_ask()
        if self._draft.exclude is None:
            self._draft.exclude = self._excluded
        self._draft.take_where(before, where)
        self._keep()
        head = self.query_one("#raws-head", TextPane)
        head.show([*head.shown[:1], *paint.where_lines(where, self.size.width, most=max(1, len(head.shown) - 1))])
        self._read_look(is_soon=is_soon)

    # Exclusions.

    def action_exclude(self) -> None:
        """Leave the exposure under the cursor out, or take it back."""
        row, look = self._cursor, self._look
        if row is None or look is None:
            return
        if row.exposure in self._excluded:
            self._set_excluded({one: why for one, why in self._excluded.items() if one != row.exposure})
            self.say(f"{row.exposure} is taken back")
            self._rows.move_to(self._rows.cursor_row + 1)
            return
        self._asked_about = row.exposure
        proposed = next((one.reason for one in look.proposals if one.exposure == row.exposure), "")
        reasons = tuple(dict.fromkeys(self._excluded.values()))
        label = f"why is {row.exposure} left out?"
        self._ask.ask("reason", label, proposed, placeholder="what is wrong with it", former=reasons)

    def _leave_out(self, reason: str) -> None:
        if not reason.strip():
            self.say("an exclusion needs a reason: write what is wrong with the exposure, or Esc")
            return
        self._close_ask()
        self._set_excluded({**self._excluded, self._asked_about: " ".join(reason.split())})
        self._rows.move_to(self._rows.cursor_row + 1)

    def action_take_proposed(self) -> None:
        """Leave out what is proposed."""
        look = self._look
        if look is None:
            return
        proposed = [(one, why) for one, why in paint.open_proposals(look) if one not in self._excluded]
        if not proposed:
            self.say("nothing is proposed to be left out")
            return
        self._set_excluded({**self._excluded, **dict(proposed)})
        self.say(f"{len(proposed)} left out, each with its reason; space takes one back")

    def _set_excluded(self, excluded: dict[int, str]) -> None:
        look = self._look
        if look is None:
            return
        self._draft.exclude = excluded
        if self._draft.where is None:
            self._draft.where = look.where
        self._keep()
        self._show_rows()
        self._read_look()

    # Other sets, types, tickets.

    def action_use(self) -> None:
        """Open the form that stores the selection."""
        look = self._look
        if look is None:
            return
        if self._is_behind:  # the last choice is not in what was read: the form would store the one before it
            self._use_when_read = True
            self._read_look()
            return
        if look.fault is not None:
            self.say(f"[{look.fault.code}] {look.fault.what}")
            return
        given: dict[str, Any] = {"calib_type": look.calib_type, "where": look.where, "purpose": look.purpose}
        given["ticket"] = look.ticket
        given["exclude"] = tuple(f"{one}={reason}" for one, reason in look.excluded)
        self.fill_in("campaign inputs", {name: value for name, value in given.items() if value})

    def action_other_purpose(self) -> None:
        """Go to the other set of the ticket."""
        if self._look is not None:
            self._go_to(purpose="verify" if self._look.purpose == "build" else "build")

    def action_other_type(self) -> None:
        """Select for the next type of the ticket."""
        look = self._look
        if look is None or len(look.calib_types) < 2:
            self.say("the ticket makes one type of calibration")
            return
        place = look.calib_types.index(look.calib_type) + 1
        self._go_to(calib_type=look.calib_types[place % len(look.calib_types)])

    def action_other_ticket(self) -> None:
        """Select for the next ticket."""
        look = self._look
        if look is None or len(look.tickets) < 2:
            self.say("there is no other ticket of this instrument")
            return
        place = look.tickets.index(look.ticket) + 1
        self.go(Place(self.NAME, (), {"ticket": look.tickets[place % len(look.tickets)], "purpose": look.purpose}))

    def _go_to(self, *, calib_type: str = "", purpose: str = "") -> None:
        look = self._look
        assert look is not None
        options = {"ticket": look.ticket, "for": calib_type or look.calib_type, "purpose": purpose or look.purpose}
        self._say_reading(f"reading the {options['purpose']} set ...")
        self.go(Place(self.NAME, (), {name: value for name, value in options.items() if value}))

    def action_next_marked(self, step: int) -> None:
        """Go to the next marked row, among the rows that have been read."""
        look = self._look
        if look is None:
            return
        ahead = self._rows.find_marked({*self._excluded, *(one.exposure for one in look.proposals)}, step)
        if ahead is not None:
            self._rows.move_to(ahead)
        else:
            self.say("no marked exposure further on" if step > 0 else "no marked exposure before")

    def action_anew(self) -> None:
        """Throw the draft away."""
        if self._look is None:
            return
        if self._draft.is_empty:
            self.say("there is no draft: this is what is stored, or proposed")
            return
        # The expression thrown away can be brought back by up in the edit line.
        former = SelectionDraft(former=self._draft.former)
        former.take_where(self._look.where, "")
        self._draft = SelectionDraft(former=former.former)
        self.frame.drafts.discard(self._key)
        self.say("the draft is thrown away; e and then up brings its expression back")
        self._read_look()

    def action_checklist(self) -> None:
        """Show the checklist of the ticket."""
        if self._look is not None and self._look.ticket:
            self.go(Place("checklist", (self._look.ticket,), {"item": "inputs"}))

    def on_line_list_row_highlighted(self, event: LineList.RowHighlighted) -> None:
        """Show the exposure under the cursor."""
        event.stop()
        if event.list is self._rows:
            self._paint_foot()
        elif event.list is self._builder and self._builder.display:
            self._paint()

    def on_line_list_row_selected(self, event: LineList.RowSelected) -> None:
        """Use the selection."""
        event.stop()
        if event.list is self._rows:
            self.action_use()
