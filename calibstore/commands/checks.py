"""Checks of single values that a command declares for its fields."""

import math
from collections.abc import Callable

from calibstore.errors import UserInputError


def at_least(minimum: int, name: str) -> Callable[[int], None]:
    """Return a check that a whole number is not below a minimum."""

    def check(value: int) -> None:
        if value < minimum:
            raise UserInputError(f"{name} {value} is below {minimum}", hint=f"give a whole number from {minimum} on")

    return check


def finite(name: str) -> Callable[[float], None]:
    """Return a check that a number is neither infinite nor "not a number"."""

    def check(value: float) -> None:
        if not math.isfinite(value):
            raise UserInputError(f"{name} {value} is no number to work with", hint="give a finite number, such as 3")

    return check


def filled_in(name: str, placeholder: str) -> Callable[[str | tuple[str, ...]], None]:
    """Return a check that the placeholder of a proposed line was replaced before the line was run."""

    def check(value: str | tuple[str, ...]) -> None:
        if placeholder in ((value,) if isinstance(value, str) else value):
            raise UserInputError(
                f"{name} {placeholder} is only a placeholder of the proposed line",
                hint=f"write what belongs there instead of {placeholder}",
                code="E-PLACEHOLDER",
            )

    return check
