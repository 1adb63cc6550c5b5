"""A form without a screen: the fields of a command, what is in them, what was changed, what is wrong.

Values are raw, as `build` takes them; an empty text means "not given".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from calibstore.commands.fields import Asked, Command, asked_fields, build, read_fields
from calibstore.commands.lines import words_for
from calibstore.errors import CabstandError, UserInputError

Value = str | bool | tuple[str, ...]

REASON: Final = "--reason"
"""Name of the field that every changing command has besides its own."""

_TICKET: Final = re.compile(r"[A-Z][A-Z0-9]*-\d+")
_PREFERRED: Final = {"detach": True}
"""In the interface a job is always watched from the Jobs view, never waited for."""


class Kind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    CHOICE = "choice"
    FLAG = "yes or no"
    MANY = "many"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field as a form shows it."""

    name: str
    label: str
    kind: Kind
    help: str
    example: str = ""
    """What a value is called, such as ``ID=REASON``."""
    choices: tuple[str, ...] = ()
    default: str = ""
    """What counts when nothing is typed."""
    is_required: bool = False
    name_in_errors: str = ""
    """What `build` calls it, such as ``--begin-date``."""

    def said(self, problem: CabstandError) -> str:
        """Return what is wrong with it, without its name."""
        if problem.message.startswith(f"{self.name_in_errors} is missing ("):
            return "needed"
        return problem.message.removeprefix(f"{self.name_in_errors}: ")


def form_fields(cls: type[Command]) -> tuple[FormField, ...]:
    """Return the fields of a command's form, the reason last."""
    fields = tuple(_field(one) for one in asked_fields(cls))
    if not cls.writes:
        return fields
    about = "why this is done; kept in the journal, and needed where a rule is overridden"
    return (*fields, FormField(name=REASON, label="reason", kind=Kind.TEXT, help=about, example="TEXT"))


def _field(one: Asked) -> FormField:
    kinds = {bool: Kind.FLAG, int: Kind.WHOLE, float: Kind.NUMBER}
    kind = Kind.MANY if one.is_many else kinds.get(one.type, Kind.CHOICE if one.choices else Kind.TEXT)
    default = ""
    if one.default not in (None, "", (), False) and kind is not Kind.CHOICE:
        default = ", ".join(map(str, one.default)) if one.is_many else str(one.default)
    return FormField(
        name=one.name,
        label=one.option.removeprefix("--"),
        kind=kind,
        help=one.declared.help,
        example=one.shown,
        choices=one.choices,
        default=default,
        is_required=not one.is_optional,
        name_in_errors=one.label,
    )


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
        self.fields = form_fields(cls)
        self._asked = {one.name: one for one in asked_fields(cls)}
        self.base = {one.name: self._opening(one, given.get(one.name)) for one in self.fields}
        if REASON in self.base:
            self.base[REASON] = reason
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

    def raw(self) -> dict[str, object]:
        """Return the values for `build`; what is empty is left out."""
        found: dict[str, object] = {}
        for name, value in self.values.items():
            if name == REASON:
                continue
            kept: object = value
            if isinstance(value, tuple):
                kept = tuple(one.strip() for one in value if one.strip())
            elif isinstance(value, str):
                kept = value.strip()
            if kept not in ("", (), False):
                found[name] = kept
        return found

    @property
    def reason(self) -> str:
        """What is said in the reason field."""
        return str(self.values.get(REASON, "")).strip()

    def problems(self) -> dict[str, UserInputError]:
        """Return what is wrong, field by field."""
        return read_fields(self.cls, self.raw())[1]

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

    def changes(self) -> dict[str, Value]:
        """Return what differs from what the form was opened with."""
        return {name: value for name, value in self.values.items() if value != self.base[name]}

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
        return tuple(taken)

    def clear_changes(self) -> None:
        """Go back to what the form was opened with."""
        self.values = dict(self.base)

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
