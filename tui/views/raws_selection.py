"""A selection on the screen: its draft, what is read of it, and how that is painted; keys come in `RawsView`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer

from tui.paint import raws as paint
from tui.places import Place
from tui.spans import Line, fitted
from tui.views.base import View
from tui.views.raws_draft import SelectionDraft, draft_key, draft_of
from tui.views.raws_windows import RowWindows
from tui.widgets.ask_line import AskLine
from tui.widgets.text_pane import TextPane
from tui.widgets.where_builder import WhereBuilder

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.raws_records import FieldChoices, RawsLook
    from calibstore.services.looks.raws_rows import ExposureRow, WhereCount

LOOK_AFTER_S: Final = 0.3
"""Pause in choosing after which everything is read again [s]."""
SIDE_FROM: Final = 110
"""Columns from which rules and sets stand beside the rows."""
SIDE_WIDTH: Final = 38
TYPING_ROWS: Final = 5
"""Rows kept for the fault while an expression is typed."""


class SelectionView(View):
    """Head, rows and what is said of them, of one selection."""

    DEFAULT_CSS = f"""
    SelectionView #raws-head {{ height: 2; }}
    SelectionView #raws-fault {{ height: {TYPING_ROWS}; display: none; }}
    SelectionView #raws-middle {{ height: 1fr; width: 1fr; }}
    SelectionView #raws-rows {{ height: 1fr; width: 1fr; }}
    SelectionView #raws-side {{ height: 1fr; width: {SIDE_WIDTH}; margin-left: 1; display: none; }}
    SelectionView #raws-foot {{ height: 8; }}
    SelectionView.wide #raws-side {{ display: block; }}
    SelectionView.low #raws-foot {{ display: none; }}
    SelectionView.choosing #raws-foot {{ height: 4; }}
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: RawsLook | None = None
        self._draft = SelectionDraft()
        self._key = ""
        self._filter = ""
        self._is_waiting = False
        self._n_changes = 0
        """Changes of the draft so far."""
        self._read_after = 0
        """How many of them what was read knows of."""
        self._use_when_read = False
        self._timer: Timer | None = None
        self._counted: WhereCount | None = None
        self._asked_about = 0

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount head, lines that ask, fields, rows, and what is said of them."""
        yield _still(TextPane(id="raws-head"))
        yield AskLine(id="raws-ask")
        yield _still(TextPane(id="raws-fault"))
        yield WhereBuilder(paint.FIELD_NAMES, id="raws-fields")
        with Horizontal(id="raws-middle"):
            yield RowWindows(self.read, id="raws-rows")
            yield TextPane(title="RULES AND SETS", id="raws-side")
        yield TextPane(title="RULES AND SETS", id="raws-foot")

    def on_resize(self) -> None:
        """Put the rules beside the rows where there is room."""
        self.set_class(self.size.width >= SIDE_FROM, "wide")
        self.set_class(self.size.height < 14, "low")
        if self._look is not None:
            self.call_after_refresh(self._paint)

    @property
    def _ask(self) -> AskLine:
        return self.query_one(AskLine)

    @property
    def _builder(self) -> WhereBuilder:
        return self.query_one(WhereBuilder)

    @property
    def _rows(self) -> RowWindows:
        return self.query_one(RowWindows)

    @property
    def _cursor(self) -> "ExposureRow | None":
        """The exposure under the cursor, once it has been read."""
        return self._rows.cursor

    @property
    def _is_behind(self) -> bool:
        """Whether what was read is of an earlier choice than the draft."""
        return self._read_after != self._n_changes

    @property
    def _excluded(self) -> dict[int, str]:
        if self._draft.exclude is not None:
            return self._draft.exclude
        return dict((*self._look.excluded, *self._look.excluded_elsewhere)) if self._look is not None else {}

    # Places.

    def open(self, place: Place) -> None:
        """Read the selection of a place: its draft, else what is stored, else what is proposed."""
        del place
        self._read_look()

    def refresh_look(self) -> None:
        """Read everything again, rows too."""
        self._rows.forget_rows()
        self._read_look()

    def instrument(self) -> str:
        """Return the camera whose data are shown."""
        return self._look.instrument if self._look is not None else ""

    def crumb(self) -> str:
        """Return whose selection it is."""
        look = self._look
        if look is None:
            return ""
        state = "as stored" if look.is_as_stored else "draft" if not self._draft.is_empty else look.source
        about = f"{look.ticket} {look.calib_type} > {look.purpose} set" if look.ticket else look.instrument
        return f"{about} ({state})"

    def thing(self) -> str:
        """Return the id of the exposure under the cursor."""
        row = self._cursor
        return str(row.exposure) if row is not None else ""

    def native(self) -> tuple[str, ...]:
        """Return the variables of both sets and the line that lists the exposures with the Butler."""
        return (*self._look.exports, *self._look.native) if self._look is not None else ()

    def filtered(self, text: str) -> None:
        """Show only exposures holding a text."""
        if text == self._filter:
            return
        self._filter = text
        self._show_rows()

    def current_filter(self) -> str:
        """Return the filter in force."""
        return self._filter

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        if self._look is None:
            return ()
        width = self.size.width
        return tuple(fitted(one, width) for one in paint.page(self._look, width)[: self.size.height])

    # Reading.

    def action_use(self) -> None:
        """Use the selection, once it is read."""

    def _read_look(self, *, is_soon: bool = False) -> None:
        """Read everything about the selection, at once or after a pause."""
        if is_soon:
            self._after(LOOK_AFTER_S, self._read_look)
            return
        asked, drafts = paint.question_of(self.place, self.frame.instrument), self.frame.drafts
        known, n_changes = (self._key, self._draft), self._n_changes

        def question(context: "Context") -> "tuple[RawsLook, str, SelectionDraft]":
            from calibstore.services.looks.raws import raws_look, ticket_and_type

            instrument, ticket, calib_type = ticket_and_type(context, asked)
            key = draft_key(instrument, ticket, calib_type, asked.purpose)
            kept = None if key == known[0] else drafts.load(key)
            draft = known[1] if key == known[0] else draft_of(kept.content if kept is not None else {})
            where = draft.where if asked.where is None else asked.where
            at_work = replace(asked, instrument=instrument, ticket=ticket, calib_type=calib_type, where=where)
            if draft.exclude is not None:
                at_work = replace(at_work, exclude=tuple(draft.exclude.items()))
            return raws_look(context, at_work), key, draft

        def then(found: "tuple[RawsLook, str, SelectionDraft]") -> None:
            look, self._key, self._draft = found
            self._read_after = n_changes
            if asked.where is not None:
                self._draft.take_where(self._draft.where or "", asked.where)
                self._keep()
                self._read_after = self._n_changes
            self._take(look)
            if self._use_when_read and not self._is_behind:
                self._use_when_read = False
                self.action_use()

        self.read(question, then, group="look")

    def _take(self, look: "RawsLook") -> None:
        is_first, self._look = self._look is None, look
        if self._is_waiting:
            self._is_waiting = False
            self.say("")
        if look.is_as_stored and not self._draft.typing and not self._draft.is_empty and not self._is_behind:
            # What was drafted is stored now: nothing is left to keep but earlier expressions.
            self._draft = SelectionDraft(former=self._draft.former)
            self._keep()
            self._read_after = self._n_changes
        with self.app.batch_update():
            self._paint()
            self._show_rows()
        options = {"ticket": look.ticket, "for": look.calib_type, "purpose": look.purpose}
        self.moved(Place(self.NAME, (), {key: value for key, value in options.items() if value}))
        if is_first:
            self._read_choices()

    def _say_reading(self, text: str) -> None:
        """Answer a key at once whose effect takes a while."""
        self._is_waiting = True
        self.say(text)

    def _read_choices(self) -> None:
        instrument = self._look.instrument if self._look is not None else self.frame.instrument

        def question(context: "Context") -> "tuple[FieldChoices, ...]":
            from calibstore.services.looks.raws import field_choices

            return field_choices(context, instrument)

        def then(found: "tuple[FieldChoices, ...]") -> None:
            self._builder.show_choices({one.field: one.values for one in found})

        self.read(question, then, group="choices")

    def _show_rows(self) -> None:
        """Show the rows of the selection: those read before stay, when it is the same selection."""
        look = self._look
        if look is not None:
            self._rows.show(look, self._excluded, self._filter)

    # Painting.

    def _paint(self) -> None:
        look = self._look
        if look is None or not self.is_mounted:
            return
        width = self.size.width
        active = self._builder.field if self._builder.display else ""
        head = [paint.fields_line(look, width, active=active)]
        if not self._ask.is_open or self._ask.topic != "where":
            head += paint.where_lines(look.where, width, most=1 if self.size.height < 24 else 2)
            head += paint.fault_lines(look.fault, look.where, width)
        pane = self.query_one("#raws-head", TextPane)
        pane.styles.height = len(head)
        pane.show(head)
        self._rows.pane_title = "".join(span.text for span in paint.count_line(look))
        if look.quick is not None:
            chosen = {field: getattr(look.quick, field) for field in paint.FIELD_NAMES}
            self._builder.show_fields({field: str(value) if value else "" for field, value in chosen.items()})
        side = self.query_one("#raws-side", TextPane)
        side.show(paint.side_lines(look, SIDE_WIDTH - 1), keep_place=True)
        self._paint_foot()

    def _paint_foot(self) -> None:
        look = self._look
        if look is None:
            return
        width = self.size.width
        lines = paint.cursor_lines(self._cursor, look, self._excluded, width)
        foot = self.query_one("#raws-foot", TextPane)
        if self.has_class("wide"):
            foot.show([*lines, *paint.written_lines(look, width)], title="EXPOSURE, AND WHAT IS WRITTEN (Y copies)")
        else:
            foot.show(
                [*paint.side_lines(look, width), *lines, *paint.written_lines(look, width)], title="RULES AND SETS"
            )

    # Drafts and pauses.

    def _keep(self) -> None:
        self._n_changes += 1
        if not self._key:
            return
        if self._draft.is_empty and not self._draft.former:
            self.frame.drafts.discard(self._key)
        else:
            self.frame.drafts.save(self._key, self._draft.content())

    def _after(self, seconds: float, then: Any) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(seconds, then)


def _still(pane: TextPane) -> TextPane:
    """Take a pane out of the round of tab."""
    pane.can_focus = False
    return pane
