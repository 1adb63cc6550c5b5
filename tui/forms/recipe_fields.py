"""Fields of a form that follow from the calibration type chosen: its parameters, its band, what it is built from."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.errors import UserInputError
from calibstore.model.calib_kinds import CalibType
from calibstore.model.calib_recipes import Parameter, Setting
from tui.forms.fields import REASON, FormField, Kind, Value

if TYPE_CHECKING:
    from calibstore.services.looks.recipes import RecipesLook

PREFIX: Final = "set:"
"""Before the name of a parameter where fields are named."""
BY_CAMERA: Final = "as the camera asks for"
"""What a parameter without a default is called: its task has one."""
_GRAPH_ONLY: Final = ("graph", "of_ticket", "at", "parameters", "instrument")
_OF_EXPOSURES: Final = ("where", "exclude")
_SETTINGS: Final = ("n_sigma", "max_iter", "set_")
"""Fields of the command that parameters stand for."""
_OWN_OPTIONS: Final = ("n_sigma", "max_iter")
"""Parameters with an option of the command's own."""
_RARE: Final = ("processes", "engine", "submit_to")
_LAST: Final = ("rerun", "detach", REASON)


def parameter_field(one: Parameter) -> FormField:
    """Return the field of a parameter, with its default, its unit and its limits."""
    unit = f" {one.unit}" if one.unit else ""
    about = [f"{one.help}{f' [{one.unit}]' if one.unit else ''}"]
    limits = [f"at least {one.minimum:g}"] if one.minimum is not None else []
    limits += [f"at most {one.maximum:g}"] if one.maximum is not None else []
    if limits:
        about.append(", ".join(limits))
    kinds = {"float": Kind.NUMBER, "int": Kind.WHOLE, "flag": Kind.CHOICE}
    choices = ("true", "false") if one.kind == "flag" else one.choices
    return FormField(
        name=f"{PREFIX}{one.name}",
        label=one.name,
        kind=Kind.CHOICE if choices else kinds.get(one.kind, Kind.TEXT),
        help="; ".join(about),
        example="VALUE",
        choices=choices,
        default=f"{default_text(one)}{unit}" if one.default is not None else BY_CAMERA,
        name_in_errors=one.name,
        is_rare=not one.is_usual,
    )


def default_text(one: Parameter) -> str:
    """Return a parameter's default as people type it; empty where its task has one."""
    return "" if one.default is None else spelled(one.default)


def spelled(value: Setting) -> str:
    """Return a value as people type it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def opening_value(one: Parameter) -> str:
    """Return what stands in the field of a parameter that nobody touched: a choice stands there, a number is told."""
    return default_text(one) if one.choices or one.kind == "flag" else ""


def is_default(one: Parameter, text: str) -> bool:
    """Tell whether a text says the same as leaving it out."""
    if not text.strip():
        return True
    try:
        return one.read(text) == one.default
    except UserInputError:
        return False


def said_by_line(line: Mapping[str, Value]) -> dict[str, str]:
    """Return what a line's fields say of parameters, by their names."""
    given = line.get("set_", ())
    parts = [text.partition("=") for text in (given if isinstance(given, tuple) else ())]
    said = {name: str(line[name]) for name in _OWN_OPTIONS if line.get(name)}
    return said | {name.strip(): value.strip() for name, equals, value in parts if equals}


def left_of_line(line: Mapping[str, Value], parameters: set[str]) -> dict[str, Value]:
    """Return what stays in the command's own fields when parameters have fields of theirs."""
    given = line.get("set_", ())
    texts = given if isinstance(given, tuple) else ()
    kept = tuple(text for text in texts if "=" not in text or text.partition("=")[0].strip() not in parameters)
    return {"set_": kept, **{name: "" if name in parameters else line.get(name, "") for name in _OWN_OPTIONS}}


def type_names(look: "RecipesLook", ticket: str, *, is_certified: bool = False) -> tuple[str, ...]:
    """Return the types that may be chosen for a ticket, those that are built first come first."""
    return tuple(one.name for one in look.types(ticket) if one.is_certifiable or not is_certified)


def about_type(made: CalibType) -> str:
    """Return what a type is and what it is made with, in a line."""
    parts = [made.title]
    parts += [f"needs {', '.join(made.needs)}"] if made.needs else []
    parts += [f"better with {', '.join(made.wants)}"] if made.wants else []
    return "; ".join(parts)


def generate_fields(
    own: tuple[FormField, ...], made: CalibType, values: dict[str, Value], bands: tuple[str, ...]
) -> tuple[FormField, ...]:
    """Return the fields of a build of a type: what it is, from what, its parameters, the attempt; rare ones marked.

    Parameters
    ----------
    own : tuple of FormField
        Fields of the command.
    made : CalibType
        As it is made on the camera.
    values : dict
        What is in the fields: one that holds something is never hidden.
    bands : tuple of str
        Of the camera.
    """
    hidden = {*_GRAPH_ONLY, *_SETTINGS}
    hidden |= set() if made.has_band else {"band"}
    hidden |= set() if made.observation_type else set(_OF_EXPOSURES)
    first: list[FormField] = []
    last: list[FormField] = []
    for field in own:
        if field.name in hidden and not values.get(field.name):
            continue
        shown = field
        if field.name == "calib_type":
            shown = replace(field, help=f"what to build. {about_type(made)}", is_required=True)
        elif field.name == "ticket":
            shown = replace(field, is_required=True)
        elif field.name == "band" and made.has_band:
            shown = replace(
                field,
                is_required=True,
                kind=Kind.CHOICE if bands else field.kind,
                choices=bands,
                help=f"{made.name} is built for one band at a time",
            )
        elif field.name == "where":
            shown = replace(field, default="the selection stored for the ticket")
        elif field.name in _RARE:
            shown = replace(field, is_rare=True)
        (last if field.name in _LAST else first).append(shown)
    return (*first, *(parameter_field(one) for one in made.parameters), *last)
