"""The fields of a form: what each one is, what belongs there, and what stands in it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from calibstore.commands.fields import Asked, Command, asked_fields
from calibstore.errors import CabstandError

Value = str | bool | tuple[str, ...]

REASON: Final = "--reason"
"""Name of the field that every changing command has besides its own."""


class Kind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    CHOICE = "choice"
    FLAG = "yes or no"
    MANY = "many"
    FOLD = "fold"
    """Stands for the fields that are folded away."""


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
    is_rare: bool = False
    """Whether it is folded away until it is asked for."""

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
