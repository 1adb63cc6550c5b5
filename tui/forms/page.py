"""A command's form as text: its fields with what belongs in them, and the effect it would have."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.lines import read_line
from calibstore.errors import CabstandError
from tui.forms.model import FormModel
from tui.forms.paint import effect_lines, error_lines, hollow, label_width, mending_lines, shown_value
from tui.places import Place
from tui.spans import Line, Role, Span, cut, line, padded, wrapped

if TYPE_CHECKING:
    from calibstore.services.actions import Effect
    from calibstore.services.context import Context

LABEL = 18


@dataclass(frozen=True, slots=True)
class FormPage:
    """A form as a page: nothing is written."""

    model: FormModel
    effect: "Effect | None" = None
    line_text: str = ""
    refused: CabstandError | None = None


def look(context: "Context", place: Place, instrument: str) -> FormPage:
    """Fill the form in, and ask for the effect where it can be had.

    Raises
    ------
    UserInputError
        If the place names no verb.
    """
    del instrument
    said = read_line(list(place.words))
    model = FormModel(said.cls, said.given, reason=said.reason)
    from calibstore.services.looks.recipes import recipes_look

    model.know(recipes_look(context))
    if model.problems() or not said.cls.writes:
        return FormPage(model)
    from calibstore.services.doors import execute

    try:
        command = model.build()
        effect = execute(command, context, dry_run=True)
    except CabstandError as problem:
        return FormPage(model, refused=problem)
    return FormPage(model, effect, to_line(command, reason=model.reason))


def page(form: FormPage, width: int) -> tuple[Line, ...]:
    """Return the fields, then what is missing, what is refused, or the effect."""
    model = form.model
    lines: list[Line] = [line(Span(f"cabstand {model.cls.verb}", Role.TITLE))]
    room = max(LABEL, label_width(model.fields) + 2)
    for field in sorted(model.fields, key=lambda one: one.is_rare):
        value = model.values[field.name]
        shown = "; ".join(value) if isinstance(value, tuple) else shown_value(field, value)
        lines.append(line(Span(padded(field.label, room), Role.LABEL), shown or cut(hollow(field), width - room)))
        lines += wrapped(field.help, width - 1, role=Role.DIM, first=" " * LABEL, rest=" " * LABEL)
    lines.append(())
    if form.refused is not None:
        return (*lines, *error_lines(form.refused, width))
    if form.effect is not None:
        return (*lines, *effect_lines(form.effect, width, line_text=form.line_text))
    return (*lines, *(mending_lines(model, model.problems(), width) if model.problems() else ()))
