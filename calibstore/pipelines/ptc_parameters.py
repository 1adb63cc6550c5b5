"""Parameters of quanta that measure and fit flat pairs: fields of the kernels' rules, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from calibstore.errors import UserInputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Rule = TypeVar("Rule", bound=DataclassInstance)
else:
    Rule = TypeVar("Rule")


def rule_of(default: Rule, given: Mapping[str, object], label: str) -> Rule:
    """Return a rule with the fields that a quantum's parameters hold.

    Parameters
    ----------
    default : dataclass instance
        Values of what is not given.
    given : mapping of str to object
        Plain values by field name; keys that are no field are left alone.
    label : str
        Of the quantum, for messages.

    Raises
    ------
    UserInputError
        If a value is of the wrong kind.
    """
    changes: dict[str, Any] = {}
    for item in fields(default):
        if item.name not in given:
            continue
        value, known = given[item.name], getattr(default, item.name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if isinstance(known, (bool, str)):
            fits = isinstance(value, type(known)) or (isinstance(known, str) and isinstance(value, str))
        elif isinstance(known, int):
            fits = is_number and float(str(value)).is_integer()
        else:
            fits = is_number
        if not fits:
            kind = {bool: "true or false", str: "a word", int: "a whole number"}.get(type(known), "a number")
            raise UserInputError(
                f"{label}: parameter {item.name} is {value!r}", hint=f"give {kind}", code="E-PARAMETER"
            )
        changes[item.name] = int(float(str(value))) if type(known) is int else value
    return replace(default, **changes)


def names_of(given: Mapping[str, object], key: str) -> tuple[str, ...]:
    """Return a list of names among parameters; empty when there is none."""
    found = given.get(key, ())
    return tuple(str(name) for name in found) if isinstance(found, Sequence) and not isinstance(found, str) else ()
