"""`generate TYPE --parameters`: what a build can be given, with defaults, units and help."""

from typing import TYPE_CHECKING, Final

from calibstore.commands.generation import Generate
from calibstore.errors import UserInputError
from calibstore.model.calib_recipes import Parameter
from calibstore.model.calib_types import find_calib_type
from calibstore.model.counting import counted
from calibstore.services.actions import Effect
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.layout import folded

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_INDENT: Final = "    "


def parameters_effect(command: Generate, context: Context, uow: "UnitOfWork") -> Effect:
    """Return the parameters of a type as an effect that changes nothing.

    Raises
    ------
    UserInputError
        If no type is given, or there is none of the name that is built here.
    NotFoundError
        If there is no such ticket or instrument.
    """
    if not command.calib_type:
        raise UserInputError(
            "TYPE is missing: whose parameters are meant",
            hint="cabstand generate bias --parameters; cabstand generate --graph shows what there is to build",
        )
    ticket = command.ticket or command.of_ticket
    given = command.instrument or (uow.campaigns.campaign(ticket).instrument if ticket else "")
    camera = uow.repository.camera(one_instrument(uow, given))
    made = find_calib_type(command.calib_type, camera.instrument, camera.variant)
    return Effect(
        summary=f"{made.name} of {camera.instrument}: {counted(len(made.parameters), 'parameter')}, each for --set",
        lines=tuple(line for one in made.parameters for line in _lines(one)),
        data={
            "calib_type": made.name,
            "instrument": camera.instrument,
            "parameters": [_plain(one) for one in made.parameters],
        },
        ticket=ticket,
    )


def _lines(one: Parameter) -> list[str]:
    default = str(one.default).lower() if isinstance(one.default, bool) else str(one.default)
    told = f"{one.name}={default}" if one.default is not None else f"{one.name} (by default as the camera asks for)"
    limits = [f"at least {one.minimum:g}"] if one.minimum is not None else []
    limits += [f"at most {one.maximum:g}"] if one.maximum is not None else []
    limits += [f"one of {', '.join(one.choices)}"] if one.choices else []
    unit = f" [{one.unit}]" if one.unit else ""
    limited = f" ({'; '.join(limits)})" if limits else ""
    return [f"{told}{unit}", *folded(f"{one.help}{limited}", _INDENT, _INDENT)]


def _plain(one: Parameter) -> dict[str, object]:
    return {
        "name": one.name,
        "kind": one.kind,
        "default": one.default,
        "unit": one.unit,
        "minimum": one.minimum,
        "maximum": one.maximum,
        "choices": list(one.choices),
        "help": one.help,
    }
