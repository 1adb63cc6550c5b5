"""A form without a screen: the fields of a command, what is in them, what was changed, what is wrong.

Values are raw, as `build` takes them; an empty text means "not given".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from calibstore.commands.fields import Command, asked_fields, build, read_fields
from calibstore.commands.generation import Generate
from calibstore.commands.lines import words_for
from calibstore.errors import UserInputError
from calibstore.model.calib_recipes import Parameter
from tui.forms import recipe_fields
from tui.forms.fields import REASON, FormField, Kind, Value, form_fields

if TYPE_CHECKING:
    from calibstore.model.calib_kinds import CalibType
    from calibstore.services.looks.recipes import RecipesLook

__all__ = ["REASON", "FormField", "FormModel", "Kind", "Value", "draft_key", "form_fields"]

_TICKET: Final = re.compile(r"[A-Z][A-Z0-9]*-\d+")
_PREFERRED: Final = {"detach": True}
"""In the interface a job is always watched from the Jobs view, never waited for."""


class FormModel:
    """What is in a form.

    Parameters
    ----------
    cls : type
        The command.
    given : mapping
        Raw values the form is opened with.
    reason : str
        For the journal.
    """

    def __init__(self, cls: type[Command], given: Mapping[str, object], *, reason: str = "") -> None:
        self.cls = cls
        self.fields = self._own = form_fields(cls)
        self._recipes: RecipesLook | None = None
        self._parameters: dict[str, Parameter] = {}
        self._pending: dict[str, Value] = {}
        """Parameters of a draft, until it is known what the type has."""
        self._adapted_to: tuple[object, ...] = ()
        self._asked = {one.name: one for one in asked_fields(cls)}
        self.base = {one.name: self._opening(one, given.get(one.name)) for one in self.fields}
        if REASON in self.base:
            self.base[REASON] = reason
        self._line = dict(self.base)
        """What the line says that the form was opened with."""
        self.values: dict[str, Value] = dict(self.base)
        self.key = draft_key(cls, given)

    def _opening(self, field: FormField, given: object) -> Value:
        if field.kind is Kind.FLAG:
            return _PREFERRED.get(field.name, False) if given is None else bool(given)
        if field.kind is Kind.MANY:
            items = given if isinstance(given, (tuple, list)) else () if given is None else (given,)
            return tuple(str(item) for item in items)
        if given is not None:
            return str(given)
        default = self._asked[field.name].default if field.name in self._asked else ""
        return str(default) if field.kind is Kind.CHOICE and default else ""

    # What follows from the type chosen.

    def know(self, recipes: "RecipesLook") -> bool:
        """Take what is known of calibration types; return whether the fields are others now."""
        self._recipes, self._adapted_to = recipes, ()
        return self.adapt()

    @property
    def made(self) -> "CalibType | None":
        """The type chosen, as it is made for the ticket; None while it is not known."""
        if self._recipes is None:
            return None
        return self._recipes.find(str(self.values.get("calib_type", "")), str(self.values.get("ticket", "")))

    @property
    def types(self) -> "tuple[CalibType, ...]":
        """Types that may be chosen."""
        return self._recipes.types(str(self.values.get("ticket", ""))) if self._recipes is not None else ()

    def adapt(self) -> bool:
        """Show the fields that belong to the type chosen; return whether they are others now."""
        if self._recipes is None:
            return False
        about = (self.values.get("calib_type"), self.values.get("ticket"))
        if about == self._adapted_to:
            return False
        self._adapted_to = about
        ticket = str(about[1] or "")
        names = recipe_fields.type_names(self._recipes, ticket)
        own = tuple(
            replace(one, choices=names or one.choices) if one.name == "calib_type" and one.kind is Kind.CHOICE else one
            for one in self._own
        )
        before, made = self.fields, self.made if self.cls is Generate else None
        if self.cls is Generate:
            self._take_parameters(made)
        if made is not None:
            own = recipe_fields.generate_fields(own, made, self.values, self._recipes.bands_of(ticket))
        self.fields = own
        return before != own

    def _take_parameters(self, made: "CalibType | None") -> None:
        """Open the fields of a type's parameters; what the line set of them is in them, and nowhere else."""
        known = made.parameters if made is not None else ()
        self._parameters = {recipe_fields.PREFIX + one.name: one for one in known}
        names = {one.name for one in known}
        left = recipe_fields.left_of_line(self._line, names)
        for name, value in left.items():
            if self.values[name] == self.base[name]:
                self.values[name] = value
            self.base[name] = value
        said = recipe_fields.said_by_line(self._line)
        for name, one in self._parameters.items():
            base = said.get(one.name) or recipe_fields.opening_value(one)
            if name not in self.values or self.values[name] == self.base[name]:
                self.values[name] = base
            self.base[name] = base
            if name in self._pending:
                self.values[name] = self._pending[name]
        if made is not None:
            self._pending = {}

    def raw(self) -> dict[str, object]:
        """Return the values for `build`; what is empty is left out."""
        found: dict[str, object] = {}
        for name, value in self.values.items():
            if name == REASON or name.startswith(recipe_fields.PREFIX):
                continue
            kept: object = value
            if isinstance(value, tuple):
                kept = tuple(one.strip() for one in value if one.strip())
            elif isinstance(value, str):
                kept = value.strip()
            if kept not in ("", (), False):
                found[name] = kept
        settings = tuple(
            f"{one.name}={str(self.values[name]).strip()}"
            for name, one in self._parameters.items()
            if not recipe_fields.is_default(one, str(self.values[name]))
        )
        if settings:
            typed = found.get("set_", ())
            found["set_"] = (*(typed if isinstance(typed, tuple) else ()), *settings)
        return found

    @property
    def reason(self) -> str:
        """What is said in the reason field."""
        return str(self.values.get(REASON, "")).strip()

    def problems(self) -> dict[str, UserInputError]:
        """Return what is wrong, field by field."""
        found = read_fields(self.cls, self.raw())[1]
        for name, one in self._parameters.items():
            text = str(self.values[name])
            try:
                if text.strip():
                    one.read(text)
            except UserInputError as problem:
                told = problem.message.removeprefix(f"{one.name}=")
                found[name] = UserInputError(told, hint=problem.hint, code=problem.code)
        for field in self.fields:
            if field.is_required and field.name not in found and not self.values.get(field.name):
                found[field.name] = UserInputError(f"{field.name_in_errors} is missing ({field.help})")
        # In the order of the form, so that the first one is mended first.
        places = {field.name: place for place, field in enumerate(self.fields)}
        return dict(sorted(found.items(), key=lambda one: places.get(one[0], len(places))))

    def build(self) -> Command:
        """Return the command.

        Raises
        ------
        UserInputError
            Naming every field that is missing or wrong.
        """
        return build(self.cls, self.raw())

    def words(self) -> list[str]:
        """Return the words of this form, half filled in or not."""
        return words_for(self.cls, self.raw(), reason=self.reason)

    def is_said(self, field: FormField) -> bool:
        """Tell whether a field says something that its default does not."""
        parameter = self._parameters.get(field.name)
        if parameter is not None:
            return not recipe_fields.is_default(parameter, str(self.values[field.name]))
        return self.values[field.name] not in ("", (), False, field.default)

    def changes(self) -> dict[str, Value]:
        """Return what differs from what the form was opened with."""
        shown = {field.name for field in self.fields}
        changed = {
            name: value
            for name, value in self.values.items()
            if value != self.base[name] and (name in shown or not name.startswith(recipe_fields.PREFIX))
        }
        return {**self._pending, **changed}

    def take_changes(self, kept: Mapping[str, Any]) -> tuple[str, ...]:
        """Take a draft's values over; return the labels of the fields that are now another way.

        A draft of another release may name a field that is gone, or hold a value of another kind: it is left out.
        """
        taken = []
        for field in self.fields:
            if field.name not in kept:
                continue
            value = kept[field.name]
            if field.kind is Kind.MANY and isinstance(value, list):
                value = tuple(str(one) for one in value)
            if type(value) is type(self.base[field.name]) and value != self.base[field.name]:
                self.values[field.name] = value
                taken.append(field.label)
        shown = {field.name for field in self.fields}
        if self.cls is Generate:
            for name, value in kept.items():
                if name.startswith(recipe_fields.PREFIX) and name not in shown and isinstance(value, str):
                    self._pending[name] = value
                    taken.append(name.removeprefix(recipe_fields.PREFIX))
        self.adapt()
        return tuple(taken)

    def clear_changes(self) -> None:
        """Go back to what the form was opened with."""
        self.values = dict(self.base)
        self._pending = {}
        self.adapt()

    def cycle(self, field: FormField, step: int) -> None:
        """Take the next choice, or turn a yes into a no."""
        value = self.values[field.name]
        if field.kind is Kind.FLAG:
            self.values[field.name] = not value
            return
        offered = [*([] if self._must_choose(field) else [""]), *field.choices]
        if value in offered:
            self.values[field.name] = offered[(offered.index(str(value)) + step) % len(offered)]
        else:  # nothing chosen yet, or something that is no choice
            self.values[field.name] = offered[0 if step > 0 else -1]

    def choose_by_letter(self, field: FormField, letter: str) -> bool:
        """Take the next choice that begins with a letter."""
        at = field.choices.index(str(self.values[field.name])) if self.values[field.name] in field.choices else -1
        turned = [*field.choices[at + 1 :], *field.choices[: at + 1]]
        found = next((one for one in turned if one.lower().startswith(letter.lower())), None)
        if found is not None:
            self.values[field.name] = found
        return found is not None

    def _must_choose(self, field: FormField) -> bool:
        """Tell whether there is no such thing as leaving a choice out."""
        parameter = self._parameters.get(field.name)
        if parameter is not None:
            return parameter.default is not None
        asked = self._asked[field.name]
        return field.is_required or bool(asked.default)


def draft_key(cls: type[Command], given: Mapping[str, object]) -> str:
    """Return the name of a form's draft, e.g. ``form/certify-calibrations/DM-48520``.

    It holds the ticket (or else the first argument) and every choice the form is opened with, such as the
    calibration type, so that two steps of one ticket have two drafts.
    """
    asked = asked_fields(cls)
    texts = [str(given[one.name]) for one in asked if isinstance(given.get(one.name), str)]
    ticket = str(given.get("ticket") or "") or next((m[0] for text in texts if (m := _TICKET.search(text))), "")
    chosen = [str(given[one.name]) for one in asked if one.choices and isinstance(given.get(one.name), str)]
    first = ticket or next((text for text in texts if text not in chosen), "new")
    # Where one RUN of a ticket is meant, what was typed about another one is not taken for it.
    about = [str(given["run"]).rpartition("/")[2]] if given.get("ticket") and given.get("run") else []
    return "/".join(["form", cls.verb, first, *chosen, *about])
