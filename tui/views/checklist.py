"""The checklist: every campaign, and one as a wizard that leads from the ticket to the proof of use."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from tui.paint import checklist as paint
from tui.places import Place, parse_place
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, fitted, line
from tui.views.base import View
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.checklist import CampaignsLook, ChecklistLook, ItemLook
    from calibstore.services.looks.spot import SpotLook
    from calibstore.services.looks.steps import Step
    from calibstore.services.looks.waivers import WaiversLook
    from tui.dialogs.spot import Seen

RAIL_WIDTH: Final = 36
WATCH_JOB_S: Final = 2.0
"""How often a running job is asked for its progress [s]."""
_CAMPAIGN_COLUMNS: Final = (
    Column(name="TICKET", width=11),
    Column(name="INSTRUMENT", width=10),
    Column(name="TAG", width=14, from_width=110),
    Column(name="STAGE", width=13, from_width=95),
    Column(name="DONE", width=6),
    Column(name="BOARD", width=8),
    Column(name="WAITS AT", width=26),
    Column(name="FOR", width=0),
)
_STEP_COLUMNS: Final = (Column(name="", width=3), Column(name="", width=0))


class ChecklistView(View):
    """Campaigns in a table; one of them item by item, each with what can be done now."""

    NAME = "checklist"
    TITLE = "Checklist"
    SHORT = "Chck"
    KEY = "7"
    HELP_TEXT = (
        "Every calibration goes through the nine published items, from the ticket to the proof that a site uses it. "
        "Nothing is ticked by hand: what is done is read from the store, with who and when."
        "\n\n"
        "The table shows one campaign (one construction ticket) a row, and what each waits for. Enter opens one, n "
        "begins a new one."
        "\n\n"
        "In a campaign [ and ] change the item. Below the text stands what can be done: what the item waits for "
        "first, marked now. Enter opens a form that is filled in already and shows the effect before anything is "
        "written. Nothing is live before the board Adopted it: the stop sign says so."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(
            id="checklist.do",
            keys="enter",
            action="do",
            title="Do the step",
            footer="do it",
            help="Open the form, screen or dialog of the step under the cursor; in the table, open the campaign.",
        ),
        Entry(
            id="checklist.next",
            keys="right_square_bracket,right",
            action="turn(1)",
            title="Next item",
            footer="next item",
            help="Show the next item of the checklist.",
        ),
        Entry(
            id="checklist.before",
            keys="left_square_bracket,left",
            action="turn(-1)",
            title="Item before",
            footer="before",
            help="Show the item before.",
        ),
        Entry(
            id="checklist.open",
            keys="o",
            action="open_item",
            title="Where it waits",
            footer="open one",
            word="waiting",
            help="Go to the item where something can be done now.",
        ),
        Entry(
            id="checklist.spot",
            keys="s",
            action="spot",
            title="Spot check",
            footer="spot",
            word="spot-check",
            help="Look at the newest product and say ok or not ok.",
        ),
        Entry(
            id="checklist.explain",
            keys="e",
            action="explain",
            title="Explain",
            footer="explain",
            help="Show all of the help on the item, or its first sentence only.",
        ),
        Entry(
            id="checklist.new",
            keys="n",
            action="new",
            title="New campaign",
            footer="new",
            word="new-campaign",
            help="Open the form of a new campaign: instrument, ticket, tag.",
        ),
        Entry(
            id="checklist.campaigns",
            keys="c",
            action="campaigns",
            title="All campaigns",
            help="Show the table of every campaign.",
        ),
        Entry(
            id="checklist.raws",
            keys="x",
            action="raws",
            title="Choose in Raws",
            help="Choose the exposures of this item on the Raws screen, with a live count.",
        ),
        Entry(
            id="checklist.data",
            keys="d",
            action="elsewhere('data')",
            title="Pictures",
            help="Show the newest product on the Data screen.",
        ),
        Entry(
            id="checklist.metrics",
            keys="m",
            action="elsewhere('metrics')",
            title="Metrics",
            help="Show the newest verification on the Metrics screen.",
        ),
        Entry(
            id="checklist.timeline",
            keys="t",
            action="elsewhere('timeline')",
            title="Timeline",
            help="Show what is valid when on the Timeline.",
        ),
        Entry(
            id="checklist.pane",
            keys="tab",
            action="app.focus_next",
            title="Other pane",
            help="Go between the steps and the text.",
        ),
    )
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = f"""
    ChecklistView #board {{ height: 1fr; width: 1fr; }}
    ChecklistView #campaigns {{ height: 1fr; }}
    ChecklistView #about {{ height: 8; }}
    ChecklistView #wizard {{ layout: vertical; height: 1fr; width: 1fr; }}
    ChecklistView #rail {{ height: 2; width: 1fr; }}
    ChecklistView #right {{ height: 1fr; width: 1fr; }}
    ChecklistView #alarms {{ height: 0; }}
    ChecklistView #item {{ height: 1fr; }}
    ChecklistView #steps {{ height: 3; }}
    ChecklistView #chosen {{ height: 3; }}
    ChecklistView.wide #wizard {{ layout: horizontal; }}
    ChecklistView.wide #rail {{ height: 1fr; width: {RAIL_WIDTH}; }}
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: ChecklistLook | None = None
        self._campaigns: CampaignsLook | None = None
        self._key = ""
        self._filter = ""
        self._is_whole = False
        self._is_sought = False
        self._timer: Timer | None = None

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount the table and the wizard; one of them is shown."""
        with Vertical(id="board"):
            yield LineTable(_CAMPAIGN_COLUMNS, title="CAMPAIGNS", id="campaigns")
            yield _still(TextPane(id="about"))
        with Horizontal(id="wizard"):
            yield _still(TextPane(id="rail"))
            with Vertical(id="right"):
                yield _still(TextPane(id="alarms"))
                yield TextPane(title="ITEM", id="item")
                yield LineTable(_STEP_COLUMNS, title="WHAT CAN BE DONE", has_heads=False, id="steps")
                yield _still(TextPane(id="chosen"))

    def on_mount(self) -> None:
        """Begin with nothing shown."""
        self._choose_half(None)

    @property
    def _steps(self) -> LineTable:
        return self.query_one("#steps", LineTable)

    @property
    def _table(self) -> LineTable:
        return self.query_one("#campaigns", LineTable)

    @property
    def _item(self) -> "ItemLook | None":
        return self._look.item(self._key) if self._look is not None else None

    @property
    def _step(self) -> "Step | None":
        item = self._item
        if item is None or not item.steps:
            return None
        known = {_step_key(one): one for one in item.steps}
        return known.get(self._steps.cursor_key) or item.steps[0]

    # Places.

    def open(self, place: Place) -> None:
        """Read every campaign, or one."""
        self._is_sought = place.option("item") != self._key
        instrument = self.frame.instrument

        def question(context: "Context") -> "CampaignsLook | ChecklistLook":
            return paint.look(context, place, instrument)

        self.read(question, self._take)

    def crumb(self) -> str:
        """Return ticket, tag and item."""
        if self._look is None or self._item is None:
            return ""
        return f"{self._look.ticket} {self._look.tag} > {self._item.label}"

    @property
    def help_text(self) -> str:
        """The prose for F1: of the item shown, else of the screen."""
        item = self._item
        return f"{item.label}\n\n{paint.help_text(item)}\n\n{self.HELP_TEXT}" if item is not None else self.HELP_TEXT

    def thing(self) -> str:
        """Return the exact line of the step under the cursor, or the ticket."""
        if self._look is None:
            return self._table.cursor_key
        step = self._step
        return step.line if step is not None and step.line else self._look.ticket

    def native(self) -> tuple[str, ...]:
        """Return the shell variables that the published procedure sets for the campaign."""
        return self._look.native if self._look is not None else ()

    def filtered(self, text: str) -> None:
        """Show only campaigns holding a text."""
        self._filter = text
        self._show_campaigns()

    def current_filter(self) -> str:
        """Return the filter of the table."""
        return self._filter if self._look is None else ""

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        width, height = self.size.width, self.size.height
        if self._look is None:
            return paint.campaign_lines(self._campaigns, width)[:height] if self._campaigns is not None else ()
        item = self._look.item(self._key)
        rows: list[Line] = [*paint.rail_lines(self._look, self._key, width), *paint.alarm_lines(self._look, width)]
        rows.append(line(Span(paint.item_title(item), Role.TITLE)))
        rows += paint.item_lines(self._look, item, width)
        return tuple(fitted(row, width) for row in rows[:height])

    # Answers.

    def _take(self, found: "CampaignsLook | ChecklistLook") -> None:
        with self.app.batch_update():
            if paint.is_table(found):
                self._look, self._key = None, ""
                self._campaigns = cast("CampaignsLook", found)
                self._choose_half("board")
                self._show_campaigns()
                self._table.focus()
                self.frame.moved(self.place)
                return
            self._take_campaign(cast("ChecklistLook", found))

    def _take_campaign(self, found: "ChecklistLook") -> None:
        before = self._look if self._look is not None and self._look.ticket == found.ticket else None
        key = found.item(found.shown_key).key if found.shown_key else found.open_key
        if before is not None and not self._is_sought and self._key == before.open_key == key:
            # Whoever follows the work is led on when an item is done; whoever looks around stays.
            key = found.open_key if found.open_key != key and found.item(key).mark in "xw-" else key
            if key != self._key:
                done, now = before.item(self._key), found.item(key)
                self.say(f"{done.label} is done; on to {now.label}")
        is_other = before is None or key != self._key
        self._look, self._key = found, key
        self._choose_half("wizard")
        self._show_item(keep_place=not is_other)
        if is_other and not self._is_within("item"):
            self._steps.focus()
        self._note_place()
        self._watch_job()

    def _choose_half(self, name: str | None) -> None:
        for known in ("board", "wizard"):
            half = self.query_one(f"#{known}")
            half.display = known == name
            # A pane that is not seen must not take the focus.
            half.disabled = known != name

    def _is_within(self, name: str) -> bool:
        focused = self.app.focused
        return focused is not None and focused.id == name

    def _note_place(self) -> None:
        if self._look is not None:
            self.moved(Place(self.NAME, (self._look.ticket,), {"item": self._key}))

    def _watch_job(self) -> None:
        """Ask again soon while a job runs; the store's state does not change before it ends."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._look is not None and self._look.is_running:
            self._timer = self.set_timer(WATCH_JOB_S, self._ask_again)

    def _ask_again(self) -> None:
        if self.frame.place.view == self.NAME and self._look is not None:
            self._is_sought = False
            self.refresh_look()
        else:
            self._watch_job()

    # Painting.

    def _show_campaigns(self) -> None:
        looked = self._campaigns
        if looked is None:
            return
        wanted = self._filter.lower()
        rows = [
            Row(row.ticket, paint.campaign_cells(row))
            for row in looked.rows
            if not wanted or wanted in " ".join((row.ticket, row.instrument, row.tag, row.waits_at)).lower()
        ]
        empty = paint.empty_lines(looked.hint, max(20, self.size.width - 2))
        self._table.show_rows(rows, empty=(line(f"no campaign holds {self._filter!r}"),) if wanted else empty)
        self._show_about()

    def _show_about(self) -> None:
        pane = self.query_one("#about", TextPane)
        pane.display = self.size.height >= 14
        rows = {row.ticket: row for row in self._campaigns.rows} if self._campaigns is not None else {}
        row = rows.get(self._table.cursor_key)
        pane.show(paint.about_lines(row, max(20, self.size.width - 1)) if row is not None else ())

    def _show_item(self, *, keep_place: bool) -> None:
        looked, item = self._look, self._item
        if looked is None or item is None:
            return
        steps = self._steps
        rows = [Row(_step_key(one), (paint.step_mark(one), paint.step_cell(one))) for one in item.steps]
        steps.show_rows(rows, cursor_key=steps.cursor_key if keep_place else "")
        if not keep_place:
            steps.move_to(0)
        self._lay_out(keep_place=keep_place)

    def _lay_out(self, *, keep_place: bool = True) -> None:
        """Give every pane its share of the height, and paint for the widths they get."""
        looked, item = self._look, self._item
        if looked is None or item is None:
            return
        width, height = self.size.width, self.size.height
        is_wide = width >= paint.NARROW
        self.set_class(is_wide, "wide")
        inner = width - RAIL_WIDTH - 1 if is_wide else width
        alarms = paint.alarm_lines(looked, max(10, inner))
        left = height - (0 if is_wide else 2) - len(alarms)
        chosen_rows = 0 if left < 9 else 4 if left > 24 else 3
        step_rows = 1 + max(1, min(len(item.steps), 3 if left < 14 else 6 if left <= 24 else 10))
        for name, rows in (("#alarms", len(alarms)), ("#steps", step_rows), ("#chosen", chosen_rows)):
            pane = self.query_one(name)
            pane.styles.height = rows
            pane.display = rows > 0
        self.query_one("#alarms", TextPane).show(alarms)
        rail = (
            paint.rail_column(looked, self._key, RAIL_WIDTH - 1)
            if is_wide
            else paint.rail_lines(looked, self._key, width)
        )
        self.query_one("#rail", TextPane).show(rail)
        text = paint.item_lines(looked, item, max(10, inner - 1), is_whole=True)
        room = left - step_rows - chosen_rows - 1
        if not self._is_whole and len(text) > room:
            text = paint.item_lines(looked, item, max(10, inner - 1))
        self.query_one("#item", TextPane).show(text, title=paint.item_title(item), keep_place=keep_place)
        self._show_chosen()

    def _show_chosen(self) -> None:
        pane = self.query_one("#chosen", TextPane)
        rows = int(pane.styles.height.value) if pane.styles.height is not None else 3
        width = self.size.width - (RAIL_WIDTH + 1 if self.has_class("wide") else 0)
        pane.show(paint.chosen_lines(self._step, max(10, width - 1), max(1, rows)))

    def on_resize(self) -> None:
        """Paint for the new size."""
        if self._look is None:
            self._show_about()
        self._lay_out()

    def on_line_list_row_highlighted(self, event: LineTable.RowHighlighted) -> None:
        """Show the line of the step under the cursor."""
        event.stop()
        if event.control is self._steps:
            self._show_chosen()
        elif event.control is self._table:
            self._show_about()

    def on_line_list_row_selected(self, event: LineTable.RowSelected) -> None:
        """Open the campaign, or do the step."""
        event.stop()
        self.action_do()

    # Actions.

    def action_do(self) -> None:
        """Open the campaign under the cursor, or do the step under it."""
        if self._look is None:
            if self._table.cursor_key:
                self.go(Place(self.NAME, (self._table.cursor_key,)))
            return
        step = self._step
        if step is not None:
            _DO[str(step.kind)](self, step)

    def action_turn(self, by: int) -> None:
        """Show another item."""
        if self._look is not None:
            keys = [item.key for item in self._look.items]
            self._turn_to(keys[(keys.index(self._key) + by) % len(keys)])

    def action_open_item(self) -> None:
        """Show the item where something can be done."""
        if self._look is not None:
            self._turn_to(self._look.open_key)

    def action_explain(self) -> None:
        """Show all of the help on the item, or its first sentence."""
        self._is_whole = not self._is_whole
        self._lay_out(keep_place=False)

    def action_new(self) -> None:
        """Open the form of a new campaign."""
        self.fill_in("campaign new", {"instrument": self.frame.instrument} if self.frame.instrument else {})

    def action_campaigns(self) -> None:
        """Show the table of every campaign."""
        self.go(Place(self.NAME))

    def action_raws(self) -> None:
        """Choose the exposures of this item on the Raws screen."""
        if self._look is None:
            self.go(Place("raws"))
            return
        purpose = "verify" if self._key == "verify" else "build"
        calib_type = self._look.calib_types[-1]
        self.go(Place("raws", (), {"ticket": self._look.ticket, "type": calib_type, "purpose": purpose}))

    def action_spot(self) -> None:
        """Open the spot check of the newest product."""
        if self._look is not None:
            steps = [one for item in self._look.items for one in item.steps if one.kind == "spot"]
            self._spot(steps[0].target if steps else self._look.calib_types[-1])

    def action_elsewhere(self, view: str) -> None:
        """Show the campaign's product on another screen."""
        if self._look is None:
            self.go(Place(view))
            return
        steps = [one for item in self._look.items for one in item.steps if one.kind == "place"]
        target = next((one.target for one in steps if one.target.split()[0] == view), "")
        if target:
            self.go(parse_place(shlex.split(target)))
        elif view == "timeline":
            self.go(Place(view, (self._look.calib_types[-1],)))
        else:
            self.say(f"nothing to show on {view} yet: item {self._look.item(self._look.open_key).label} waits")

    def _turn_to(self, key: str) -> None:
        if key == self._key:
            return
        self._key = key
        with self.app.batch_update():
            self._show_item(keep_place=False)
            self._note_place()

    # What steps do.

    def _do_form(self, step: "Step") -> None:
        self.fill_in(step.verb, cast("Mapping[str, object]", dict(step.given)))

    def _do_place(self, step: "Step") -> None:
        self.go(parse_place(shlex.split(step.target)))

    def _do_item(self, step: "Step") -> None:
        self._turn_to(step.target)

    def _do_copy(self, step: "Step") -> None:
        self.frame.copy(step.line)

    def _do_spot(self, step: "Step") -> None:
        self._spot(step.target)

    def _do_read(self, step: "Step") -> None:
        looked, name = self._look, step.target
        assert looked is not None

        def question(context: "Context") -> tuple[str, ...]:
            from calibstore.services.looks.stored_texts import stored_text

            return stored_text(context, looked.ticket, name)

        def then(lines: tuple[str, ...]) -> None:
            from tui.dialogs.stored_text import StoredTextDialog

            self._push(StoredTextDialog(f"{name.upper()} of {looked.ticket}", lines), lambda _nothing: None)

        self.read(question, then, group="dialog")

    def _do_decide(self, step: "Step") -> None:
        looked = self._look
        assert looked is not None

        def question(context: "Context") -> "WaiversLook":
            from calibstore.services.looks.waivers import waivers_look

            return waivers_look(context, looked.ticket)

        def then(found: "WaiversLook") -> None:
            from tui.dialogs.waivers import WaiversDialog

            self._push(WaiversDialog(found), decided)

        def decided(waivers: "tuple[str, ...] | None") -> None:
            if waivers is not None:
                outcome = "adopt_with_waivers" if waivers else ""
                given = {name: value for name, value in step.given if name not in ("waive", "outcome")}
                self.fill_in("decide", given | {"outcome": outcome, "waive": waivers})

        self.read(question, then, group="dialog")

    def _spot(self, calib_type: str) -> None:
        looked = self._look
        assert looked is not None

        def question(context: "Context") -> "SpotLook":
            from calibstore.services.looks.spot import spot_look

            return spot_look(context, looked.ticket, calib_type)

        def then(found: "SpotLook") -> None:
            from tui.dialogs.spot import SpotDialog

            self._push(SpotDialog(found), seen)

        def seen(answer: "Seen | None") -> None:
            if answer is None:
                return
            given: dict[str, Any] = {"calib_type": calib_type, "ticket": looked.ticket}
            if answer.is_ok:
                self.fill_in("spot", given | {"ok": True})
            else:
                self.fill_in("spot", given | {"not_ok": True, "redo_without": answer.redo_without})

        self.read(question, then, group="dialog")

    def _push(self, dialog: Any, then: Any) -> None:
        if len(self.app.screen_stack) == 1 and self.frame.place.view == self.NAME:
            self.app.push_screen(dialog, then)


_DO: Final = {
    "form": ChecklistView._do_form,
    "place": ChecklistView._do_place,
    "item": ChecklistView._do_item,
    "copy": ChecklistView._do_copy,
    "spot": ChecklistView._do_spot,
    "read": ChecklistView._do_read,
    "decide": ChecklistView._do_decide,
}
"""What choosing a step does, by its kind."""


def _step_key(step: "Step") -> str:
    return f"{step.kind}:{step.line or step.target}"


def _still(pane: TextPane) -> TextPane:
    """Return a pane that only shows: tab goes past it."""
    pane.can_focus = False
    return pane
