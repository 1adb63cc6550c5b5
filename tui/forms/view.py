"""A command as a form: fields above, its effect below, worked out anew after each change; run by a button.

Every key goes to the draft. A dry run shows what would be done; what asks first, asks in a dialog.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult

from calibstore.commands.lines import read_line
from calibstore.errors import CabstandError, UserInputError
from tui.dialogs.pick import PickDialog
from tui.forms import paint
from tui.forms.effect_pane import EffectPane
from tui.forms.field_help import field_help
from tui.forms.field_list import FieldList
from tui.forms.kept import Kept, keep_draft, take_draft, title_text, with_draft
from tui.forms.keys import ASK, BACK, COPY, ENTRIES, RUN
from tui.forms.live_effect import LiveEffect
from tui.forms.model import FormModel
from tui.forms.place import place_of_line
from tui.forms.running import FormRun, question_of
from tui.forms.suggest import Known, known_things
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Role, Span
from tui.views.base import View
from tui.widgets.buttons import ButtonRow
from tui.widgets.line_list import LineList
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.actions import Answer, Effect
    from calibstore.services.looks.recipes import RecipesLook


class FormView(View):
    """One command, from its fields to its result."""

    NAME = "do"
    TITLE = "Form"
    SHORT = "Form"
    KEY = ""
    HELP_TEXT = "A command as a form."
    ENTRIES: ClassVar[tuple[Entry, ...]] = ENTRIES
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    FormView { layout: vertical; height: 1fr; width: 1fr; }
    FormView #next { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._form: FormModel | None = None
        self._opened = ""
        self._live = LiveEffect(self)
        self._kept: Kept | None = None
        self._run: FormRun | None = None
        self._done: Effect | None = None

    def compose(self) -> ComposeResult:
        """Mount fields, note, effect, what comes next, and buttons."""
        yield FieldList(id="fields")
        note = TextPane(id="note")
        note.can_focus = False
        yield note
        yield EffectPane(id="effect")
        yield LineTable((Column(name="next"),), title="NEXT", has_heads=False, id="next")
        yield ButtonRow((BACK, COPY, RUN), id="buttons")

    # What the frame asks.

    def open(self, place: Place) -> None:
        """Show the form of a place; one that is open already keeps what was typed."""
        if place.text == self._opened and self._form is not None and self._done is None:
            self.refresh_look()
            return
        self._opened, self._form, self._done, self._run = "", None, None, None
        self._kept = None
        self._live.forget()
        said = read_line(place.words)
        if said.repository:
            raise UserInputError(
                f"this line is for another repository: {said.repository}",
                hint=f"open it there: cabstand -R {said.repository} ui {place.text}",
            )
        self._opened = place.text
        self._form = FormModel(said.cls, said.given, reason=said.reason)
        self._show_form()
        form = self._form
        self.read(
            known_things,
            lambda known: self._knows(form, *known),
            group="known",
            failed=lambda problem: self._knows(form, {}, None, problem),
        )

    def refresh_look(self) -> None:
        """Work the effect out again: the store may have another state."""
        if self._form is not None and self.is_open(self._form):
            self._live.work_out(self._form)

    def is_open(self, form: FormModel) -> bool:
        """Tell whether a form is the one being filled in, with nothing under way."""
        return form is self._form and self._done is None and self._run is None

    def with_draft_told(self, effect: "Effect") -> "Effect":
        """Add where the draft and what is proposed now went apart; that is asked about before it is done."""
        return effect if self._form is None or self._kept is None else with_draft(effect, self._kept, self._form)

    def crumb(self) -> str:
        """Return the verb, and whether there is a draft."""
        if self._form is None:
            return ""
        return self._form.cls.verb

    def thing(self) -> str:
        """Return the line of the shell."""
        return self.pasteable(self._line_text())

    def native(self) -> tuple[str, ...]:
        """Return the native lines of the effect."""
        shown = self._done or self._live.known
        return shown.native if shown is not None else ()

    @property
    def help_text(self) -> str:
        """Prose on the field the cursor is in, for F1."""
        if self._form is None:
            return self.HELP_TEXT
        is_in_field = self._done is None and self.query_one(FieldList).has_focus
        return field_help(self._form.cls, self.query_one(FieldList).here if is_in_field else None)

    # Opening and drafts.

    def _show_form(self) -> None:
        assert self._form is not None
        for name in ("#fields", "#note"):
            self.query_one(name).display = True
        self.query_one("#next").display = False
        is_question = not self._form.cls.writes
        self.query_one(ButtonRow).show((BACK, COPY, ASK if is_question else RUN), chosen=ASK if is_question else RUN)
        self.query_one(ButtonRow).note("")
        if self.frame.repository is not None:
            self._take_draft()
        self.query_one(FieldList).show(self._form, field=self._kept.field if self._kept else "")
        self._fit()
        self._after_change(is_typing=False)
        self.query_one(FieldList).focus()

    def _knows(
        self, form: FormModel, known: Known, recipes: "RecipesLook | None", problem: CabstandError | None = None
    ) -> None:
        if form is not self._form:
            return
        fields = self.query_one(FieldList)
        fields.know(known)
        is_other = recipes is not None and form.know(recipes)
        if is_other and self.is_open(form):
            fields.relay()
            self._after_change(is_typing=False)
        if self._kept is None and not form.changes() and self._take_draft():
            fields.show(form, field=self._kept.field if self._kept else "")
            self._after_change(is_typing=False)
        self._show_note()
        if problem is not None:
            self.frame.report(problem)

    def _take_draft(self) -> bool:
        """Take the draft of this form over, if there is one."""
        assert self._form is not None
        self._kept = take_draft(self.frame.drafts, self._form)
        if self._kept is not None:
            labels = ", ".join(self._kept.labels)
            self.say(f"draft of {self._kept.at} taken up: {labels}; ^x goes back to what was proposed")
        return self._kept is not None

    def action_clear_draft(self) -> None:
        """Go back to what was proposed."""
        if self._form is None or self._done is not None:
            return
        self._form.clear_changes()
        self._kept = None
        self.frame.drafts.discard(self._form.key)
        fields = self.query_one(FieldList)
        fields.show(self._form, field=fields.here.name if fields.here else "")
        self._after_change(is_typing=False)
        self.say("draft thrown away; the fields are as they were proposed")

    # Changes and their effect.

    def on_field_list_changed(self, event: FieldList.Changed) -> None:
        """Keep the draft, check, and work the effect out once typing rests."""
        event.stop()
        if self._form is not None:
            here = self.query_one(FieldList).here
            field = here.name if here is not None else ""
            keep_draft(self.frame.drafts, self._form, field=field, now_tai_ns=self.frame.clock())
            self._after_change(is_typing=True)

    def on_field_list_moved(self, event: FieldList.Moved) -> None:
        """Tell what belongs into the field."""
        event.stop()
        self._show_note()

    def on_field_list_choice_asked(self, event: FieldList.ChoiceAsked) -> None:
        """List what may stand in the field, with what each thing is."""
        event.stop()
        fields = self.query_one(FieldList)
        field = fields.here
        if self._form is None or field is None:
            return
        names = field.choices or fields.known_here
        if not names:
            self.say(f"{field.label}: nothing to choose from; what belongs here stands below")
            return
        titles = {one.name: one.title for one in self._form.types}
        width = max(map(len, names))
        rows = [f"{name:<{width}}  {titles.get(name, '')}".rstrip() for name in names]

        def take(row: str | None) -> None:
            if row is not None and fields.here is not None and fields.here.name == field.name:
                fields.take(names[rows.index(row)])

        self.app.push_screen(PickDialog(field.label or field.name, rows), take)

    def on_field_list_finished(self, event: FieldList.Finished) -> None:
        """Go on to the buttons."""
        event.stop()
        self.query_one(ButtonRow).focus()

    def _after_change(self, *, is_typing: bool) -> None:
        assert self._form is not None
        problems = self._form.problems()
        self.query_one(FieldList).mark(problems)
        self._fit()
        self._show_title(problems)
        self._show_note()
        if self._run is not None and not self._run.is_doing:
            self._run = None  # what was to be done is not what is in the fields now
        if is_typing:
            self._live.after_quiet(self._form)
        else:
            self._live.work_out(self._form)

    @property
    def _pane(self) -> EffectPane:
        return self.query_one(EffectPane)

    # Running.

    def action_run(self) -> None:
        """Do it, after asking where it must be asked."""
        form = self._form
        if form is None or self._done is not None:
            return
        if self._run is not None:
            self.say(f"{form.cls.verb} is being done already")
            return
        problems = form.problems()
        if problems:
            self._mend(problems)
            return
        if not form.cls.writes:
            self._ask()
        elif self.frame.is_read_only:
            text = self._line_text()
            self._pane.paint(lambda width: paint.refusal_lines(text, width), "READ-ONLY")
        else:
            run = self._run = FormRun(self, form.build(), form.reason, form.key)
            effect = self._live.of(run.command, run.reason)
            if effect is not None:
                run.go_on(effect)
            else:
                self._live.find(form, run.go_on, run.fail)

    def _mend(self, problems: Mapping[str, CabstandError]) -> None:
        assert self._form is not None
        first = next(field for field in self._form.fields if field.name in problems)
        fields = self.query_one(FieldList)
        fields.focus()
        fields.go_to(first.name)
        self._show_note()
        self.say(
            f"not run: {len(problems)} field{'s' if len(problems) > 1 else ''} to mend, the first is {first.label}"
        )

    def _ask(self) -> None:
        assert self._form is not None
        command = self._form.build()
        self._pane.pane_title = "ANSWER: being looked up"

        def then(answer: "Answer") -> None:
            self._pane.paint(lambda width: paint.answer_lines(answer, width), "ANSWER")
            self._pane.focus()

        def failed(problem: CabstandError) -> None:
            self._pane.paint(lambda width: paint.error_lines(problem, width), "ANSWER: none")
            self.frame.report(problem)

        self.read(question_of(command), then, group="effect", failed=failed)

    def entries_now(self) -> tuple[Entry, ...]:
        """Return the keys of a form, or of its result: what is done is not run again."""
        after = ("form.copy", "form.effect_down")
        return self.ENTRIES if self._done is None else tuple(one for one in self.ENTRIES if one.id in after)

    def run_ended(self, run: FormRun, problem: CabstandError | None = None) -> None:
        """Take the form back after a run that did nothing."""
        if run is not self._run:
            return
        self._run = None
        self.query_one(ButtonRow).note("")
        if problem is not None:
            self._pane.paint(lambda width: paint.error_lines(problem, width), run.undone_text)
            self._live.forget()
        else:
            self.refresh_look()

    def look_anew(self, run: FormRun) -> None:
        """Work out what is left of a run to be done, and ask for it."""
        if run is self._run and self._form is not None:
            self.query_one(ButtonRow).note("")
            self.say(f"{run.command.verb}: the first steps are done; the next one must be confirmed")
            self._live.forget()
            self._live.find(self._form, run.go_on, run.fail)

    def run_note(self, run: FormRun, text: str) -> None:
        """Say on the row of buttons what is going on."""
        if run is self._run:
            self.query_one(ButtonRow).note(text, Role.ACCENT)

    def run_done(self, run: FormRun, effect: "Effect") -> None:
        """Show the result in place of the fields."""
        if run is not self._run:
            return
        self._run, self._done = None, effect
        for name in ("#fields", "#note"):
            self.query_one(name).display = False
        state = f" · state {effect.state} of the repository" if effect.state is not None else ""
        text = run.line_text
        self._pane.paint(lambda width: paint.effect_lines(effect, width, line_text=text, is_done=True), f"DONE{state}")
        self.query_one(ButtonRow).show((BACK, COPY), chosen=BACK)
        self.query_one(ButtonRow).note("")
        table = self.query_one("#next", LineTable)
        rows = [Row(one, (Span(one, Role.DIM if one.lstrip().startswith("#") else Role.CODE),)) for one in effect.next]
        table.show_rows(rows)
        table.display = bool(rows)
        self._fit()
        (table if rows else self.query_one(ButtonRow)).focus()

    def on_line_list_row_selected(self, event: LineList.RowSelected) -> None:
        """Open what comes next."""
        event.stop()
        place = place_of_line(event.key)
        if place is None:
            self.frame.copy(self.pasteable(event.key))
        else:
            done = self.frame.place
            self.frame.go(place)
            if self.frame.history[-1:] == [done]:  # what is done is not gone back to
                self.frame.history.pop()

    # Buttons and copying.

    def on_button_row_pressed(self, event: ButtonRow.Pressed) -> None:
        """Do what the button says."""
        event.stop()
        if event.label == BACK:
            self.frame.back()
        elif event.label == COPY:
            self.action_copy_lines()
        else:
            self.action_run()

    def action_copy_lines(self) -> None:
        """Copy the native lines and the line of the shell."""
        if self._form is None:
            return
        self.frame.copy("\n".join([*self.native(), self.thing()]))

    def action_effect_pages(self, pages: int) -> None:
        """Move the effect."""
        self._pane.action_by_pages(pages)

    def _line_text(self) -> str:
        if self._form is None:
            return ""
        from calibstore.commands.fields import quoted

        return " ".join(quoted(word) for word in ("cabstand", *self._form.words()))

    # Layout.

    def on_resize(self) -> None:
        """Share the rows out again."""
        self._fit()
        if self._form is not None and self._done is None:
            self._show_note()

    def _fit(self) -> None:
        """Give the fields at most half of the rows."""
        height = self.size.height
        note_rows = 2 if height >= 14 else 1
        fields = self.query_one(FieldList)
        wanted = fields.row_total() + 1
        fields.styles.height = max(2, min(wanted, height // 2 - note_rows))
        self.query_one("#note").styles.height = note_rows
        table = self.query_one("#next", LineTable)
        table.styles.height = max(2, min(table.row_total() + 1, height // 2))

    def _show_title(self, problems: Mapping[str, CabstandError]) -> None:
        assert self._form is not None
        self.query_one(FieldList).pane_title = title_text(self._form, self._kept, len(problems))

    def _show_note(self) -> None:
        if self._form is None:
            return
        fields, note = self.query_one(FieldList), self.query_one("#note", TextPane)
        if fields.here is None:
            note.show(())
            return
        problem = self._form.problems().get(fields.here.name)
        height = 2 if self.size.height >= 14 else 1
        known = fields.known_here[:4]
        note.show(paint.note_lines(fields.here, max(40, self.size.width), height, problem=problem, known=known))
