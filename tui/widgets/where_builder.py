"""The quick fields of a selection as a list: left and right go through what occurs, Enter types a value."""

from collections.abc import Mapping, Sequence

from textual.message import Message

from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, cut, line, padded, width_of
from tui.widgets.line_list import LineList

BUILDING = (
    Entry(id="fields.before", keys="left,h", action="step(-1)", title="Value before",
          help="Take the value before this one; before the first stands any."),
    Entry(id="fields.after", keys="right,l", action="step(1)", title="Next value",
          help="Take the next value that occurs."),
    Entry(id="fields.any", keys="backspace,delete", action="clear_field", title="Any",
          help="Ask nothing of this field."),
    Entry(id="fields.type", keys="enter", action="choose", title="Type a value", help="Type the value, e.g. a day."),
    Entry(id="fields.close", keys="escape,q,b", action="put_away", title="Done", help="Back to the exposures."),
)  # fmt: skip


class WhereBuilder(LineList):
    """Fields with their values.

    Parameters
    ----------
    fields : mapping
        Field -> name shown, in order.
    """

    DEFAULT_CSS = "WhereBuilder { width: 1fr; height: 7; display: none; }"
    BINDINGS = bindings(BUILDING)
    ENTRIES = (*LineList.ENTRIES, *BUILDING)

    class Changed(Message):
        """A field got another value; empty for any."""

        def __init__(self, field: str, value: str) -> None:
            super().__init__()
            self.field, self.value = field, value

    class AskedToType(Changed):
        """A value is to be typed; `value` is the present one."""

    class PutAway(Message):
        """The fields are done with."""

    def __init__(self, fields: Mapping[str, str], *, id: str | None = None) -> None:
        super().__init__(title="FIELDS  ←→ value  enter type  del any  esc done", id=id)
        self.disabled = True
        self._fields = tuple(fields.items())
        self._chosen: dict[str, str] = {}
        self._choices: dict[str, tuple[str, ...]] = {}

    def open(self) -> None:
        """Show the list and take the focus."""
        self.display, self.disabled = True, False
        self.focus()

    def close(self) -> None:
        """Hide the list."""
        self.display, self.disabled = False, True  # what is not seen must not take the focus

    def show_fields(self, chosen: Mapping[str, str]) -> None:
        """Show the values in force."""
        self._chosen = dict(chosen)
        self.refresh()

    def show_choices(self, choices: Mapping[str, Sequence[str]]) -> None:
        """Show what occurs in each field."""
        self._choices = {field: tuple(values) for field, values in choices.items()}
        self.refresh()

    @property
    def field(self) -> str:
        """The field under the cursor."""
        return self._fields[self.cursor_row][0]

    def row_total(self) -> int:
        """Return how many fields there are."""
        return len(self._fields)

    def row_key(self, index: int) -> str:
        """Return the field of a row."""
        return self._fields[index][0]

    def cells_line(self, index: int, width: int) -> Line:
        """Draw a field: its value, and what else occurs."""
        field, name = self._fields[index]
        value, values = self._chosen.get(field, ""), self._choices.get(field, ())
        before = line(
            Span(f"{name:<9}", Role.LABEL), Span("‹ ", Role.DIM), Span(padded(value or "any", 18), Role.STRONG)
        )
        place = f"{values.index(value) + 1} of {len(values)}" if value in values else f"{len(values)} occur"
        others = " · ".join(one for one in values if one != value)
        room = width - sum(width_of(span.text) for span in before) - len(place) - 6
        shown = f"{place}: {cut(others, room)}" if others and room > 8 else place
        return (*before, Span(" ›  ", Role.DIM), Span(shown, Role.DIM))

    def action_step(self, step: int) -> None:
        """Take the value before or after this one."""
        field = self.field
        values = ("", *self._choices.get(field, ()))
        value = self._chosen.get(field, "")
        # A value that does not occur stands between its neighbours.
        here = values.index(value) if value in values else sum(one < value for one in values) - (step > 0)
        place = here + step
        if 0 <= place < len(values) and values[place] != value:
            self._take(field, values[place])

    def action_clear_field(self) -> None:
        """Ask nothing of this field."""
        if self._chosen.get(self.field):
            self._take(self.field, "")

    def action_choose(self) -> None:
        """Ask for a value."""
        self.post_message(self.AskedToType(self.field, self._chosen.get(self.field, "")))

    def action_put_away(self) -> None:
        """Go back to the exposures."""
        self.post_message(self.PutAway())

    def _take(self, field: str, value: str) -> None:
        self._chosen[field] = value
        self.refresh_row(self.cursor_row)
        self.post_message(self.Changed(field, value))
