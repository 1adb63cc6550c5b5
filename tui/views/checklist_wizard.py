"""One campaign as panes: the rail of items, the item's text, what can be done, and the exact line of it."""

from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from tui.paint import checklist as paint
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.looks.checklist import ChecklistLook, ItemLook
    from calibstore.services.looks.steps import Step

RAIL_WIDTH: Final = 36
_STEP_COLUMNS: Final = (Column(name="", width=3), Column(name="", width=0))


def step_key(step: "Step") -> str:
    """Return what tells a step from the others of its item."""
    return f"{step.kind}:{step.line or step.target}"


def waited_for(item: "ItemLook") -> tuple[str, ...]:
    """Return the keys of the steps an item waits for."""
    return tuple(step_key(one) for one in item.steps if one.is_next)


def still(pane: TextPane) -> TextPane:
    """Return a pane that only shows: tab goes past it."""
    pane.can_focus = False
    return pane


class Wizard(Widget):
    """The panes of one campaign; wide ones have the rail on the left, narrow ones on top."""

    DEFAULT_CSS = f"""
    Wizard {{ layout: vertical; height: 1fr; width: 1fr; }}
    Wizard #rail {{ height: 2; width: 1fr; }}
    Wizard #right {{ height: 1fr; width: 1fr; }}
    Wizard #alarms {{ height: 0; }}
    Wizard #item {{ height: 1fr; }}
    Wizard #steps {{ height: 3; }}
    Wizard #chosen {{ height: 3; }}
    Wizard.wide {{ layout: horizontal; }}
    Wizard.wide #rail {{ height: 1fr; width: {RAIL_WIDTH}; }}
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: ChecklistLook | None = None
        self._key = ""
        self._is_whole = False

    def compose(self) -> ComposeResult:
        """Mount the panes."""
        yield still(TextPane(id="rail"))
        with Vertical(id="right"):
            yield still(TextPane(id="alarms"))
            yield TextPane(title="ITEM", id="item")
            yield LineTable(_STEP_COLUMNS, title="WHAT CAN BE DONE", has_heads=False, id="steps")
            yield still(TextPane(id="chosen"))

    @property
    def step(self) -> "Step | None":
        """The step under the cursor."""
        steps = self._look.item(self._key).steps if self._look is not None else ()
        known = {step_key(one): one for one in steps}
        return known.get(self._steps.cursor_key) or (steps[0] if steps else None)

    @property
    def is_reading(self) -> bool:
        """Whether the text has the focus."""
        return self.query_one("#item").has_focus

    @property
    def _steps(self) -> LineTable:
        return self.query_one("#steps", LineTable)

    def take_focus(self) -> None:
        """Give the focus to what can be done."""
        self._steps.focus()

    def explain(self) -> None:
        """Show all of the help on the item, or its first sentence."""
        self._is_whole = not self._is_whole
        self._lay_out(keep_place=False)

    def show(self, looked: "ChecklistLook", key: str, *, keep_place: bool, keep_step: bool) -> None:
        """Show an item.

        Parameters
        ----------
        looked : ChecklistLook
            The campaign.
        key : str
            Item.
        keep_place : bool
            Stay at the row of the text scrolled to.
        keep_step : bool
            Stay on the step under the cursor; else go to what is waited for.
        """
        self._look, self._key = looked, key
        item, steps = looked.item(key), self._steps
        rows = [Row(step_key(one), (paint.step_mark(one), paint.step_cell(one))) for one in item.steps]
        steps.show_rows(rows)
        if not keep_step:
            steps.move_to(0)
        self._lay_out(keep_place=keep_place)

    def _lay_out(self, *, keep_place: bool = True) -> None:
        """Give every pane its share of the height, and paint for the widths they get."""
        looked = self._look
        if looked is None:
            return
        item = looked.item(self._key)
        width, height = self.size.width, self.size.height
        is_wide = width >= paint.NARROW
        self.set_class(is_wide, "wide")
        inner = width - RAIL_WIDTH - 1 if is_wide else width
        alarms = paint.alarm_lines(looked, max(10, inner))
        rail_rows = 0 if height < 8 else height if is_wide else 2
        left = height - (0 if is_wide else rail_rows) - len(alarms)
        chosen_rows = 0 if left < 9 else 4 if left > 24 else 3
        # The table of destinations needs the room more than the rest of a long list.
        most = 3 if left < 14 else 10 if left > 24 else 4 if item.key == "distribute" else 6
        step_rows = 1 + max(1, min(len(item.steps), most))
        for name, rows in (("#alarms", len(alarms)), ("#steps", step_rows), ("#chosen", chosen_rows)):
            pane = self.query_one(name)
            pane.styles.height = rows
            pane.display = rows > 0
        self.query_one("#rail").display = rail_rows > 0
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
        pane.show(paint.chosen_lines(self.step, max(10, width - 1), max(1, rows)))

    def on_resize(self) -> None:
        """Paint for the new size."""
        self._lay_out()

    def on_line_list_row_highlighted(self, event: LineTable.RowHighlighted) -> None:
        """Show the line of the step under the cursor."""
        event.stop()
        self._show_chosen()
