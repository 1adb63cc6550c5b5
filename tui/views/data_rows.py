"""What the keys of the Data screen do with products that are tables."""

from typing import TYPE_CHECKING, Final

from tui.chrome import LineStrip
from tui.paint import data as paint
from tui.paint.data_tables import LOG, SIDE_WIDTHS, told_line
from tui.views.data_table_pane import TablePane
from tui.views.following import RestingView

if TYPE_CHECKING:
    from calibstore.services.looks.data import DataLook

WIDE: Final = 100


class TableKeys(RestingView):
    """Pages, rows and axes of a table; the view says how it reads and where it goes."""

    look: "DataLook | None" = None
    _row: str = ""
    """Row of a table under the cursor."""
    _filter: str = ""

    def ask(self) -> None:
        """Read what the place shows."""
        raise NotImplementedError

    def move_to(self, **options: str) -> None:
        """Show the same with other options."""
        raise NotImplementedError

    def step_picture(self, delta: int) -> None:
        """Move the cursor of a picture."""
        raise NotImplementedError

    def action_page(self) -> None:
        """Show the next page of a table."""
        table = self.look.table if self.look is not None else None
        if table is None:
            self.say("pages are for tables: ptc, linearizer, crosstalk, defects")
        elif len(table.pages) < 2:
            self.say(f"{table.title} has one page")
        else:
            at = (table.pages.index(table.page) + 1) % len(table.pages)
            self.move_to(page=table.pages[at] if at else "", row=self._row)

    def action_axes(self) -> None:
        """Make axes logarithmic, or linear again."""
        table = self.look.table if self.look is not None else None
        if table is None or not table.can_log:
            self.say("there is no curve here")
        else:
            self.move_to(axes="" if table.is_log else LOG, row=self._row)

    def action_row(self, delta: int) -> None:
        """Go to the next amplifier, or row, of a table; on a picture, to the next amplifier."""
        if self.look is not None and self.look.table is not None:
            self._table.move(delta)
        else:
            self.step_picture(delta)

    def action_facts(self) -> None:
        """Show what there is to know of a table where there is no room for it."""
        if self.look is None or self.look.table is None:
            self.say("the facts stand beside the picture")
        elif not self._table.toggle_facts():
            self.say("the facts stand below the table")

    def on_table_pane_pointed(self, event: TablePane.Pointed) -> None:
        """Tell the row under the cursor at once; draw it once the cursor rests."""
        event.stop()
        self._row = event.key
        self._tell_row()
        table = self.look.table if self.look is not None else None
        if table is not None and event.key != table.selected:
            self.when_resting(self._draw_row)

    def on_table_pane_roomed(self, event: TablePane.Roomed) -> None:
        """Draw for the new size."""
        event.stop()
        if self._table.display:
            self.ask()

    @property
    def _table(self) -> TablePane:
        return self.query_one("#data-table", TablePane)

    def _show_table(self) -> None:
        look = self.look
        if look is None or look.table is None:
            return
        side = SIDE_WIDTHS[self.size.width >= WIDE] - 2
        facts = [*paint.difference_lines(look, side), *paint.dataset_lines(look, side)]
        self._table.show(look, text=self._filter, facts=tuple(facts), at=self._row)
        if look.picture_fault:
            self.say(look.picture_fault)
        self._tell_row()

    def _tell_row(self) -> None:
        look = self.look
        row = look.table.row(self._row) if look is not None and look.table is not None else None
        if look is not None:
            self.query_one("#data-cursor", LineStrip).show(told_line(look, row, self.size.width))

    def _draw_row(self) -> None:
        self.move_to(row=self._row)
