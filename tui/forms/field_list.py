"""The fields of a form as one widget: a row a value, edited in place; only rows that change are drawn again."""

from collections.abc import Mapping
from typing import Final

from textual import events
from textual.message import Message

from calibstore.errors import CabstandError
from tui.forms.edit import LineEdit
from tui.forms.model import FormField, FormModel, Kind
from tui.forms.paint import edited_value, field_row, fold_row, label_width, row_head, shown_value, value_width
from tui.forms.suggest import Known, completed
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span
from tui.widgets.line_pane import LinePane

FEW_CHOICES: Final = 6
"""Up to this many are turned through; more are chosen from a list."""
FOLD: Final = FormField(name="fold", label="", kind=Kind.FOLD, help="Rarely changed: space or ^t shows them all")
"""Row that stands for the fields folded away."""
_NO_TEXT: Final = (Kind.CHOICE, Kind.FLAG, Kind.FOLD)
EDITING = (
    Entry(id="form.up", keys="up", action="by_rows(-1)", title="Up", help="One row up."),
    Entry(id="form.down", keys="down", action="by_rows(1)", title="Down", help="One row down."),
    Entry(id="form.next", keys="tab", action="by_fields(1)", title="Next field",
          help="The next field; then the effect and the buttons."),
    Entry(id="form.previous", keys="shift+tab", action="by_fields(-1)", title="Field before",
          help="The field before."),
    Entry(id="form.enter", keys="enter", action="enter", title="On",
          help="To the next row; from the last one to the buttons."),
    Entry(id="form.left", keys="left", action="sideways(-1)", title="Left", help="One character or choice back."),
    Entry(id="form.right", keys="right", action="sideways(1)", title="Right",
          help="One character or choice on; at the end takes what is proposed."),
    Entry(id="form.begin", keys="home,ctrl+a", action="edit('to_begin')", title="Begin",
          help="Before the first character."),
    Entry(id="form.end", keys="end,ctrl+e", action="edit('to_end')", title="End",
          help="Behind the last character."),
    Entry(id="form.backspace", keys="backspace", action="rub_out", title="Rub out",
          help="Take the character before the caret out."),
    Entry(id="form.delete", keys="delete", action="edit('without_after')", title="Delete",
          help="Take the character under the caret out."),
    Entry(id="form.word", keys="ctrl+w", action="edit('without_word')", title="Rub out word",
          help="Take the word before the caret out."),
    Entry(id="form.kill_begin", keys="ctrl+u", action="edit('without_begin')", title="Rub out line",
          help="Take everything before the caret out."),
    Entry(id="form.choose", keys="ctrl+o", action="choose", title="Choose from a list", footer="choose",
          help="List what may stand in this field, and take one by typing a part of its name."),
    Entry(id="form.fold", keys="ctrl+t", action="fold", title="Rare fields",
          help="Show the fields that are rarely changed, or fold them away again."),
    Entry(id="form.kill_end", keys="ctrl+k", action="edit('without_end')", title="Rub out rest",
          help="Take everything behind the caret out."),
)  # fmt: skip


class FieldList(LinePane, can_focus=True, inherit_bindings=False):
    """Rows of a `FormModel`; tells when a value changed and when the cursor went to another field."""

    DEFAULT_CSS = "FieldList { width: 1fr; }"
    BINDINGS = bindings(EDITING)
    ENTRIES = EDITING
    TAKES_TEXT = True

    class Changed(Message):
        """A value is another one."""

    class Moved(Message):
        """The cursor is in another row."""

    class ChoiceAsked(Message):
        """The user wants to see what may stand in the field of the cursor."""

    class Finished(Message):
        """Enter on the last row."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(title="FORM", id=id)
        self._model: FormModel | None = None
        self._rows: list[tuple[FormField, int]] = []
        self._at = 0
        self._edit = LineEdit()
        self._was_typed = False
        self._problems: Mapping[str, CabstandError] = {}
        self._known: Known = {}
        self._actions: dict[str, str] = {}
        self._is_unfolded = False

    # What is shown.

    def show(self, model: FormModel, *, field: str = "") -> None:
        """Show a form, the cursor in a field or in the first one that is needed and empty."""
        if model is not self._model:
            self._is_unfolded = False
        self._model = model
        self._problems = model.problems()
        self._lay_out()
        wanted = field or next((one.name for one, _ in self._rows if one.name in self._problems), "")
        self._at = next((index for index, (one, _) in enumerate(self._rows) if one.name == wanted), 0)
        self._top_row = 0
        self._begin_edit()
        self._into_view()
        self.refresh()

    def relay(self) -> None:
        """Show the fields anew: there may be others; the cursor stays in its field."""
        if self._model is None:
            return
        here = (self.here.name, self._rows[self._at][1]) if self.here is not None else ("", 0)
        top = self._top_row
        is_editing, edit, was_typed = self._is_text(), self._edit, self._was_typed
        self._lay_out(keep=here[1])
        found = next((index for index, (one, row) in enumerate(self._rows) if (one.name, row) == here), None)
        self._at = found if found is not None else min(self._at, max(0, len(self._rows) - 1))
        self._begin_edit()
        if found is not None and is_editing and self._is_text() and edit.text == self._edit.text:
            self._edit, self._was_typed = edit, was_typed
        self._top_row = max(0, min(top, len(self._rows) - self.page_rows))
        self._into_view()
        self.refresh()

    def take(self, text: str) -> None:
        """Put a text that was chosen into the field of the cursor."""
        if self._model is None or self.here is None:
            return
        if self._is_text():
            self._take(LineEdit(text, len(text)))
        else:
            self._model.values[self.here.name] = text
            self._changed()

    def mark(self, problems: Mapping[str, CabstandError]) -> None:
        """Show what is wrong with which field."""
        if {name: one.message for name, one in problems.items()} != {
            name: one.message for name, one in self._problems.items()
        }:
            self._problems = dict(problems)
            self.refresh()

    def know(self, known: Known) -> None:
        """Take values that may be completed."""
        self._known = known
        self.refresh_row(self._at)

    @property
    def here(self) -> FormField | None:
        """The field the cursor is in."""
        return self._rows[self._at][0] if self._rows else None

    @property
    def known_here(self) -> tuple[str, ...]:
        """Values known for the field the cursor is in."""
        return self._known.get(self.here.name, ()) if self.here is not None else ()

    def go_to(self, name: str) -> None:
        """Put the cursor into a field."""
        names = [one.name for one, _ in self._rows]
        if name not in names and not self._is_unfolded:
            self.action_fold()
            names = [one.name for one, _ in self._rows]
        if name in names:
            self._go(names.index(name))

    def row_total(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def row_line(self, index: int, width: int) -> Line:
        """Draw a row; the one under the cursor with its caret."""
        field, number = self._rows[index]
        assert self._model is not None
        if field.kind is Kind.FOLD:
            return fold_row(
                self._folded(), width, is_open=self._is_unfolded, is_here=index == self._at and self.has_focus
            )
        value = self._model.values[field.name]
        problem = self._problems.get(field.name) if number == 0 else None
        said = field.said(problem) if problem is not None else ""
        is_changed = number == 0 and value != self._model.base[field.name]
        labels = label_width(self._model.fields)
        if index == self._at and self.has_focus:
            head = row_head(field, number, labels, problem=said, is_changed=is_changed, is_here=True)
            return (*head, *self._edited(field, value_width(width, labels)))
        return field_row(field, value, number, width, labels, problem=said, is_changed=is_changed)

    def _edited(self, field: FormField, room: int) -> tuple[Span, ...]:
        """Draw the value being edited, scrolled so that the caret is seen."""
        if field.kind in (Kind.CHOICE, Kind.FLAG):
            assert self._model is not None
            return (Span(shown_value(field, self._model.values[field.name]), Role.CURSOR),)
        text, at = self._edit.text, self._edit.at
        behind = ""
        if not text and field.default:
            behind = f" left empty: {field.default}"
        elif self._proposed:
            behind = f"  → {self._proposed}"
        return edited_value(text, at, room, behind=behind)

    @property
    def _proposed(self) -> str:
        """What the arrow to the right would make of the text; only of one that was typed here."""
        if not self._was_typed or self._edit.at < len(self._edit.text):
            return ""
        return completed(self._known, self._rows[self._at][0].name, self._edit.text)

    # Typing.

    async def on_key(self, event: events.Key) -> None:
        """Take a key: what is printable, and the editing keys.

        Bindings are looked up by the application after a key has travelled up to it, and letters typed ahead over a
        slow line would overtake them: the keys of this widget are therefore carried out here, in their order.
        """
        if not self._rows:
            return
        action = self._actions.get(event.key)
        if action is None and (not event.is_printable or event.character is None):
            return
        event.stop()
        event.prevent_default()
        if action is not None:
            await self.run_action(action)
        elif event.character is not None:
            self._type(event.character)

    def _type(self, character: str) -> None:
        field = self._rows[self._at][0]
        assert self._model is not None
        if field.kind is Kind.FOLD:
            if character in " xynXYN":
                self.action_fold()
        elif field.kind is Kind.CHOICE and character == " " and len(field.choices) > FEW_CHOICES:
            self.action_choose()
        elif field.kind is Kind.FLAG or (field.kind is Kind.CHOICE and character == " "):
            if character in " xynXYN":
                self._turn(1)
        elif field.kind is Kind.CHOICE:
            if self._model.choose_by_letter(field, character):
                self._changed()
        else:
            self._take(self._without_placeholder().insert(character))

    def _without_placeholder(self) -> LineEdit:
        """Return the text to type into: a word such as NAME that only holds the place gives way."""
        problem = self._problems.get(self._rows[self._at][0].name)
        assert self._model is not None
        field, number = self._rows[self._at]
        proposed = shown_value(field, self._model.base[field.name], number)
        is_word = proposed.isupper() and " " not in proposed and self._edit.text == proposed
        return LineEdit() if problem is not None and problem.code == "E-PLACEHOLDER" and is_word else self._edit

    def on_paste(self, event: events.Paste) -> None:
        """Take a text; several lines become several values where there may be several."""
        event.stop()
        field = self.here
        if field is None or field.kind in _NO_TEXT:
            return
        lines = [one for one in event.text.splitlines() if one.strip()]
        if field.kind is not Kind.MANY:
            self._take(self._without_placeholder().insert(" ".join(lines)))
            return
        for number, one in enumerate(lines):
            if number:
                self._go(self._at + 1)
            self._take(self._without_placeholder().insert(one))

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Tell the key sheet that letters are typed here."""
        del key
        return character is not None and character.isprintable()

    def action_choose(self) -> None:
        """Ask for the list of what may stand here."""
        self.post_message(self.ChoiceAsked())

    def action_fold(self) -> None:
        """Show what is rarely changed, or fold it away."""
        if self._model is not None and any(one.is_rare for one in self._model.fields):
            self._is_unfolded = not self._is_unfolded
            self.relay()

    def action_edit(self, how: str) -> None:
        """Change the text, or move in it."""
        if self._is_text():
            self._take(getattr(self._edit, how)())

    def action_rub_out(self) -> None:
        """Take the character before the caret out; in an empty row of many, the row."""
        if not self._rows:
            return
        field, number = self._rows[self._at]
        if field.kind is Kind.MANY and number and not self._edit.text:
            self._drop_row(field, number)
        elif self._is_text():
            self._take(self._edit.without_before())

    def action_sideways(self, step: int) -> None:
        """Move the caret, or turn a choice."""
        if not self._is_text():
            self._turn(step)
            return
        proposed = self._proposed
        if step > 0 and proposed:
            self._take(LineEdit(proposed, len(proposed)))
        else:
            self._take(self._edit.moved(step))

    def action_by_fields(self, step: int) -> None:
        """Go to the next field; beyond the last or the first to the next pane."""
        here = self.here
        index = self._at
        while 0 <= index < len(self._rows) and self._rows[index][0] is here:
            index += step
        if step < 0 and index >= 0:  # to the first row of the field before
            while index and self._rows[index - 1][0] is self._rows[index][0]:
                index -= 1
        if 0 <= index < len(self._rows):
            self._go(index)
        elif step > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def action_enter(self) -> None:
        """Go on; from the last row to the buttons."""
        if self._at + 1 < len(self._rows):
            self._go(self._at + 1)
        else:
            self.post_message(self.Finished())

    def move_rows(self, delta: int) -> None:
        """Move the cursor."""
        self._go(max(0, min(len(self._rows) - 1, self._at + delta)))

    def on_focus(self) -> None:
        """Show the caret; look the keys up as they are mapped."""
        active = self.screen.active_bindings
        self._actions = {key: one.binding.action for key, one in active.items() if one.node is self}
        self.refresh()

    def on_blur(self) -> None:
        """Hide the caret."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Go to the row clicked; a click on a choice turns it."""
        index = self._top_row + event.y - self._head_rows()
        if event.y < self._head_rows() or index >= len(self._rows):
            return
        if index == self._at and not self._is_text():
            self._turn(1)
        self._go(index)

    # Inside.

    def _is_text(self) -> bool:
        return self._at < len(self._rows) and self._rows[self._at][0].kind not in _NO_TEXT

    def _turn(self, step: int) -> None:
        if not self._rows:  # keys may be faster than the form
            return
        assert self._model is not None
        if self._rows[self._at][0].kind is Kind.FOLD:
            self.action_fold()
            return
        self._model.cycle(self._rows[self._at][0], step)
        self._changed()

    def _take(self, edit: LineEdit) -> None:
        is_other, self._edit = edit.text != self._edit.text, edit
        self._was_typed = self._was_typed or is_other
        if not is_other:
            self.refresh_row(self._at)
            return
        assert self._model is not None
        field, number = self._rows[self._at]
        if field.kind is Kind.MANY:
            values = list(self._texts(field))
            values[number : number + 1] = [edit.text]
            while values and not values[-1]:
                values.pop()
            self._model.values[field.name] = tuple(values)
            before = len(self._rows)
            self._lay_out(keep=number)
            if len(self._rows) != before:
                self.refresh()
        else:
            self._model.values[field.name] = edit.text
        self._changed()

    def _changed(self) -> None:
        assert self._model is not None
        if self._model.adapt():
            self.relay()
        self.refresh_row(self._at)
        self.post_message(self.Changed())

    def _drop_row(self, field: FormField, number: int) -> None:
        assert self._model is not None
        values = [text for place, text in enumerate(self._texts(field)) if place != number]
        self._model.values[field.name] = tuple(values)
        self._go(self._at - 1)
        self._lay_out()
        self.refresh()
        self._changed()

    def _texts(self, field: FormField) -> tuple[str, ...]:
        assert self._model is not None
        value = self._model.values[field.name]
        return value if isinstance(value, tuple) else ()

    def _lay_out(self, keep: int = 0) -> None:
        """Lay the rows out; a field of many values has an empty row behind its last one."""
        assert self._model is not None
        here = self._rows[self._at][0] if self._at < len(self._rows) else None
        self._rows = []
        folded = [] if self._is_unfolded else self._folded(here)
        rare = [field for field in self._model.fields if field.is_rare and field not in folded]
        usual = [field for field in self._model.fields if not field.is_rare]
        fold = [FOLD] if any(field.is_rare for field in self._model.fields) and (folded or self._is_unfolded) else []
        changed = [] if self._is_unfolded else rare
        for field in (*usual, *changed, *fold, *(rare if self._is_unfolded else ())):
            count = 1
            if field.kind is Kind.MANY:
                count = max(
                    len(self._texts(field)) + 1, keep + 1 if here is not None and field.name == here.name else 1
                )
            self._rows += [(field, number) for number in range(count)]

    def _folded(self, here: FormField | None = None) -> list[FormField]:
        """Return the rare fields in which nothing was changed."""
        assert self._model is not None
        model = self._model
        return [
            one
            for one in model.fields
            if one.is_rare
            and one.name != getattr(here, "name", "")
            and (self._is_unfolded or not (one.name in self._problems or model.is_said(one)))
        ]

    def _go(self, index: int) -> None:
        if index == self._at:
            return
        before, self._at = self._at, index
        self._begin_edit()
        self.refresh_row(before)
        self.refresh_row(index)
        self._into_view()
        self.post_message(self.Moved())

    def _begin_edit(self) -> None:
        self._was_typed = False
        if not self._is_text():
            self._edit = LineEdit()
            return
        assert self._model is not None
        field, number = self._rows[self._at]
        text = shown_value(field, self._model.values[field.name], number)
        self._edit = LineEdit(text, len(text))

    def _into_view(self) -> None:
        if self._at < self._top_row:
            self.scroll_rows_to(self._at)
        elif self._at >= self._top_row + self.page_rows:
            self.scroll_rows_to(self._at - self.page_rows + 1)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        super().on_resize()
        self._into_view()
