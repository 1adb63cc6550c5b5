"""The checklist: every campaign, and one as a wizard that leads from the ticket to the proof of use."""

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.timer import Timer

from tui.paint import checklist as paint
from tui.places import Place, parse_place
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, fitted, line
from tui.views.base import View
from tui.views.checklist_doing import do_step, spot_check
from tui.views.checklist_keys import ENTRIES
from tui.views.checklist_wizard import Wizard, still, waited_for
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.errors import CabstandError
    from calibstore.services.context import Context
    from calibstore.services.looks.campaigns import CampaignsLook
    from calibstore.services.looks.checklist import ChecklistLook, ItemLook

R = TypeVar("R")

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
    ENTRIES = ENTRIES
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    ChecklistView #board { height: 1fr; width: 1fr; }
    ChecklistView #campaigns { height: 1fr; }
    ChecklistView #about { height: 8; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: ChecklistLook | None = None
        self._campaigns: CampaignsLook | None = None
        self._key = ""
        self._filter = ""
        self._is_sought = False
        self._is_arriving = False
        self._timer: Timer | None = None

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount the table and the wizard; one of them is shown."""
        with Vertical(id="board"):
            yield LineTable(_CAMPAIGN_COLUMNS, title="CAMPAIGNS", id="campaigns")
            yield still(TextPane(id="about"))
        yield Wizard(id="wizard")

    def on_mount(self) -> None:
        """Begin with nothing shown."""
        self._choose_half(None)

    @property
    def _wizard(self) -> Wizard:
        return self.query_one(Wizard)

    @property
    def _table(self) -> LineTable:
        return self.query_one("#campaigns", LineTable)

    @property
    def _item(self) -> "ItemLook | None":
        return self._look.item(self._key) if self._look is not None else None

    # Places.

    def open(self, place: Place) -> None:
        """Read every campaign, or one."""
        self._is_arriving = True
        self._is_sought = place.option("item") != self._key
        self._ask(place)

    def refresh_look(self) -> None:
        """Read again what is shown; the cursor stays where it is."""
        self._is_sought = False
        self._ask(self.place)

    def _ask(self, place: Place) -> None:
        instrument = self.frame.instrument

        def question(context: "Context") -> "CampaignsLook | ChecklistLook":
            return paint.look(context, place, instrument)

        def failed(problem: "CabstandError") -> None:
            self.frame.report(problem)
            if self._look is None and self._campaigns is None and place.words:
                self._ask(Place(self.NAME))  # rather every campaign than nothing

        self.read(question, self._take, failed=failed)

    def instrument(self) -> str:
        """Return the camera whose data are shown."""
        return self._look.instrument if self._look is not None and self.place.words else ""

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

    def entries_now(self) -> tuple[Entry, ...]:
        """Return the wizard's keys, or those of the table of campaigns."""
        if self._look is not None:
            return self.ENTRIES
        return tuple(one for one in self.ENTRIES if one.id in ("checklist.do", "checklist.new"))

    def thing(self) -> str:
        """Return the exact line of the step under the cursor, or the ticket."""
        if self._look is None:
            return self._table.cursor_key
        step = self._wizard.step
        return self.pasteable(step.line) if step is not None and step.line else self._look.ticket

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
                if self._is_arriving:
                    self._table.focus()
                    self.say(paint.count_text(self._campaigns))
                self._is_arriving = False
                self._note_place()
                return
            self._take_campaign(cast("ChecklistLook", found))

    def _take_campaign(self, found: "ChecklistLook") -> None:
        before = self._look if self._look is not None and self._look.ticket == found.ticket else None
        key = found.item(found.shown_key).key if found.shown_key else found.open_key
        is_led = False
        if before is not None and not self._is_sought and self._key == before.open_key == key:
            # Whoever follows the work is led on when an item is done; whoever looks around stays.
            is_led = found.open_key != key and found.item(key).mark in "xw-"
            if is_led:
                key = found.open_key
                done, now = before.item(self._key), found.item(key)
                self.say(f"{done.label} is done; on to {now.label}")
        is_other = before is None or key != self._key
        is_arriving, self._is_arriving = self._is_arriving, False
        if is_arriving and not is_led:
            self.say(found.title)
        self._look, self._key = found, key
        self._choose_half("wizard")
        # What is waited for now is led to; whoever only looks keeps the cursor.
        is_new_work = before is not None and waited_for(before.item(key)) != waited_for(found.item(key))
        self._wizard.show(found, key, keep_place=not is_other, keep_step=not is_other and not is_new_work)
        if is_arriving or (is_other and not self._wizard.is_reading):
            self._wizard.take_focus()
        self._note_place()
        self._watch_job()

    def _choose_half(self, name: str | None) -> None:
        for known in ("board", "wizard"):
            half = self.query_one(f"#{known}")
            half.display = known == name
            # A pane that is not seen must not take the focus.
            half.disabled = known != name

    def _note_place(self) -> None:
        place = Place(self.NAME, (self._look.ticket,), {"item": self._key}) if self._look is not None else self.place
        self.place = place
        if self.frame.place.view == self.NAME:  # an answer may come when another screen is shown
            self.moved(place)

    def _watch_job(self) -> None:
        """Ask again soon while a job runs; the store's state does not change before it ends."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if self._look is not None and self._look.is_running:
            self._timer = self.set_timer(WATCH_JOB_S, self._ask_again)

    def _ask_again(self) -> None:
        if self.frame.place.view == self.NAME and self._look is not None:
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

    def on_resize(self) -> None:
        """Paint for the new size."""
        if self._look is None:
            self._show_about()

    def on_line_list_row_highlighted(self, event: LineTable.RowHighlighted) -> None:
        """Tell about the campaign under the cursor."""
        event.stop()
        if event.control is self._table:
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
        step = self._wizard.step
        if step is not None:
            do_step(self, self._look, step)

    def action_turn(self, by: int) -> None:
        """Show another item."""
        if self._look is not None:
            keys = [item.key for item in self._look.items]
            self.turn_to(keys[(keys.index(self._key) + by) % len(keys)])

    def action_open_item(self) -> None:
        """Show the item where something can be done."""
        if self._look is not None:
            self.turn_to(self._look.open_key)

    def action_explain(self) -> None:
        """Show all of the help on the item, or its first sentence."""
        self._wizard.explain()

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
            spot_check(self, self._look, steps[0].target if steps else self._look.calib_types[-1])

    def action_graph(self) -> None:
        """Show what is made from what, for the ticket."""
        options = {"ticket": self._look.ticket} if self._look is not None else {}
        self.go(Place("graph", (), options))

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

    def turn_to(self, key: str) -> None:
        """Show another item."""
        if key == self._key:
            return
        self._key = key
        if self._look is not None:
            with self.app.batch_update():
                self._wizard.show(self._look, key, keep_place=False, keep_step=False)
                self._note_place()

    def over(self, dialog: "ModalScreen[R]", then: "Callable[[R | None], None]") -> None:
        """Open a dialog, unless the user went elsewhere meanwhile."""
        if len(self.app.screen_stack) == 1 and self.frame.place.view == self.NAME:
            self.app.push_screen(dialog, then)
