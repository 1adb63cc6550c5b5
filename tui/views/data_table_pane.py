"""A product that is a table: plots and pictures of one row on the left, all rows on the right, facts below them."""

from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Resize
from textual.message import Message
from textual.widget import Widget

from tui.chrome import LineStrip
from tui.paint import data_tables as paint
from tui.spans import Line, line
from tui.widgets.line_list import LineList
from tui.widgets.line_table import Column, Deliver, LineTable, Row
from tui.widgets.mosaic import Mosaic
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.looks.data import DataLook
    from calibstore.services.looks.data_tables import TableLook, ValueRow

_STATE: Final = Column(name="", width=4)
_FACTS_FROM: Final = 28
"""From this many rows on, facts stand below the table."""


class TablePane(Widget):
    """Plots, picture and rows of a product; the cursor of the table says which row is drawn.

    `show` takes a `calibstore.services.looks.data.DataLook` with a table.
    """

    DEFAULT_CSS = """
    TablePane { layout: vertical; width: 1fr; height: 1fr; }
    TablePane Horizontal { height: 1fr; }
    TablePane #table-left { width: 1fr; height: 1fr; }
    TablePane #table-right { height: 1fr; }
    TablePane #table-facts { height: 1fr; }
    """

    class Pointed(Message):
        """The cursor stands on another row."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Roomed(Message):
        """There is another room for plots: draw them again for `room`."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: TableLook | None = None
        self._shown_rows: tuple[ValueRow, ...] = ()
        self._has_facts = False
        self._drawn_room = (0, 0)

    def compose(self) -> ComposeResult:
        """Mount title, picture, plots, table and facts."""
        yield LineStrip(id="table-head")
        with Horizontal():
            with Vertical(id="table-left"):
                yield Mosaic(id="table-mosaic")
                plots = TextPane(id="table-plots")
                plots.can_focus = False
                yield plots
            with Vertical(id="table-right"):
                yield LineTable((), id="table-rows")
                facts = TextPane(title="FACTS", id="table-facts")
                facts.can_focus = False
                yield facts

    @property
    def room(self) -> tuple[int, int]:
        """Columns and rows for plots and pictures."""
        columns, rows = paint.plot_room(self.size.width, self.size.height + 1)
        return columns, rows

    @property
    def mosaic(self) -> Mosaic:
        """The picture."""
        return self.query_one("#table-mosaic", Mosaic)

    @property
    def rows(self) -> LineTable:
        """The table."""
        return self.query_one("#table-rows", LineTable)

    @property
    def pointed(self) -> "ValueRow | None":
        """The row under the cursor."""
        at = self.rows.cursor_row
        return self._shown_rows[at] if self._look is not None and at < len(self._shown_rows) else None

    def show(self, looked: "DataLook", *, text: str = "", facts: tuple[Line, ...] = (), at: str = "") -> None:
        """Show a product, or another page or row of it.

        Parameters
        ----------
        looked : DataLook
            With a table.
        text : str
            Only rows that hold it, in any case.
        facts : tuple of Line
            Said of the product besides what the table says.
        at : str
            Row of the cursor; by default the one that is drawn.
        """
        table = looked.table
        if table is None:
            return
        at = at if table.row(at) is not None else table.selected
        self.query_one("#table-head", LineStrip).show(paint.head_line(looked, self.size.width))
        is_same = self._look is not None and self._look.rows == table.rows and self._look.columns == table.columns
        had_filter = self._shown_rows != self._look.rows if self._look is not None else False
        self._look = table
        if not is_same or text or had_filter:
            self._show_rows(table, text, at)
        elif at and self.rows.cursor_key != at:
            self.rows.move_to(next((number for number, row in enumerate(self._shown_rows) if row.key == at), 0))
        self._show_drawings(table, at)
        side = paint.SIDE_WIDTHS[self.size.width >= 100] - 2
        told = [*paint.facts_lines(table, side), *facts]
        self.query_one("#table-facts", TextPane).show([line(" ", *one) for one in told], keep_place=True)
        self._lay_out()

    def move(self, delta: int) -> None:
        """Go to the next row or the one before."""
        if self._shown_rows:
            self.rows.move_to((self.rows.cursor_row + delta) % len(self._shown_rows))

    def toggle_facts(self) -> bool:
        """Show facts instead of plots and rows, or these again; tell whether there is no room for both."""
        self._has_facts = not self._has_facts
        self._lay_out()
        return self.size.height < _FACTS_FROM

    def on_line_list_row_highlighted(self, event: LineList.RowHighlighted) -> None:
        """Tell which row the cursor stands on, and point at its place."""
        event.stop()
        row = self.pointed
        if row is not None:
            self.mosaic.point(row.place or row.key)
            self.post_message(self.Pointed(row.key))

    def on_mosaic_pointed(self, event: Mosaic.Pointed) -> None:
        """Put the cursor of the table on what is pointed at in the picture."""
        event.stop()
        here = self.pointed
        name = event.box.name
        if here is None or name != (here.place or here.key):
            at = next((at for at, row in enumerate(self._shown_rows) if name == (row.place or row.key)), None)
            if at is not None:
                self.rows.move_to(at)

    def on_mosaic_roomed(self, event: Mosaic.Roomed) -> None:
        """The picture's room is the pane's."""
        event.stop()

    def on_mosaic_chosen(self, event: Mosaic.Chosen) -> None:
        """There is nothing to open."""
        event.stop()

    def on_resize(self, _event: Resize) -> None:
        """Ask for plots of the new size."""
        if self.room != self._drawn_room and self.size.width > 1:
            self._drawn_room = self.room
            self.post_message(self.Roomed())
        self._lay_out()

    def lines_seen(self) -> tuple[Line, ...]:
        """Return the rows seen now."""
        return self.rows.lines_seen()

    def _show_rows(self, table: "TableLook", text: str, chosen: str) -> None:
        wanted = text.casefold()
        self._shown_rows = tuple(row for row in table.rows if not wanted or wanted in _text_of(row).casefold())
        size = paint.key_width(table)
        self.rows.set_columns(
            (
                Column(name=paint.column_names(table)[0], width=size),
                *(
                    Column(name=one.name, width=one.width, align=">" if one.spec else "<", from_width=one.from_width)
                    for one in table.columns
                ),
                _STATE,
            )
        )
        at = next((at for at, row in enumerate(self._shown_rows) if row.key == chosen), 0)
        shown, is_difference = self._shown_rows, table.is_difference

        def fetch(offset: int, limit: int, deliver: Deliver) -> None:
            deliver(
                [
                    Row(
                        row.key,
                        (
                            row.key,
                            *(
                                paint.value_text(value, column, is_difference=is_difference)
                                for value, column in zip(row.values, table.columns, strict=True)
                            ),
                            paint.state_span(row),
                        ),
                    )
                    for row in shown[offset : offset + limit]
                ]
            )

        self.rows.show_source(len(shown), fetch, cursor=at, empty=(line("nothing to list"),))

    def _show_drawings(self, table: "TableLook", chosen: str) -> None:
        picture, mosaic = table.picture, self.mosaic
        row = table.row(chosen)
        mosaic.show(picture, unit=table.unit, note="", at=(row.place or row.key) if row else "")
        mosaic.display = picture is not None
        # The picture has areas to point at, or is looked at only.
        mosaic.can_focus = picture is not None and bool(picture.boxes)
        plots = self.query_one("#table-plots", TextPane)
        lines = paint.panel_lines(table)
        if picture is not None:
            mosaic.styles.height = picture.rows + 1 if lines else "1fr"
        plots.show(lines)

    def _lay_out(self) -> None:
        width, height = self.size.width, self.size.height
        if not width or self._look is None:
            return
        is_wide = width >= 60
        left, right = self.query_one("#table-left"), self.query_one("#table-right")
        facts, plots = self.query_one("#table-facts", TextPane), self.query_one("#table-plots", TextPane)
        only_facts = self._has_facts and height < _FACTS_FROM
        left.display = is_wide and not only_facts
        right.styles.width = paint.SIDE_WIDTHS[width >= 100] if is_wide and not only_facts else "1fr"
        facts.display = only_facts or height >= _FACTS_FROM
        self.rows.display = not only_facts
        n_head = 1 if self._look.columns else 0
        most = max(4, height // 2)
        self.rows.styles.height = min(len(self._shown_rows) + n_head, most) if facts.display else "1fr"
        plots.display = bool(self._look.panels) or self._look.picture is None
        facts.can_focus = only_facts
        focused = self.screen.focused
        if only_facts and focused is not facts:
            facts.focus()
        elif focused is None or not focused.focusable or not _is_shown(focused):
            self.rows.focus()


def _is_shown(widget: Widget) -> bool:
    """Tell whether a widget and all it stands in are displayed: the picture of before is hidden with its pane."""
    return all(one.display for one in widget.ancestors_with_self if isinstance(one, Widget))


def _text_of(row: "ValueRow") -> str:
    return " ".join([row.key, row.state, row.reason, *(str(value) for value in row.values if value is not None)])
