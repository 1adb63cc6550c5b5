"""How calibrations are made, as data: what a type needs, its parameters and the steps that build it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from calibstore.errors import UserInputError

Setting = float | int | str | bool
"""Value of a parameter."""


class Granularity(StrEnum):
    """What one unit of work of a step is."""

    DETECTOR = "detector"
    PAIRS = "pairs"
    """Some pairs of exposures of one detector: a killed worker loses these only."""
    EXPOSURE = "exposure"
    """One exposure of one detector."""
    INSTRUMENT = "instrument"
    """All detectors together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number or word that a build can be given."""

    name: str
    kind: str
    """float, int, text or flag."""
    default: Setting | None
    """None: the task has its own, which may depend on the camera."""
    unit: str = ""
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_usual: bool = False
    """Whether people choose it now and then; the others are for who knows why."""

    def read(self, text: str) -> Setting:
        """Return the value a text means.

        Raises
        ------
        UserInputError
            E-SETTING: it is no such value, or out of range.
        """
        try:
            value = self._converted(text.strip())
        except ValueError:
            raise self._wrong(text, f"is not {_KINDS[self.kind]}") from None
        return self.checked(value)

    def checked(self, value: Setting) -> Setting:
        """Return a value that fits.

        Raises
        ------
        UserInputError
            E-SETTING: it has another type or is out of range.
        """
        kinds = {"float": (float, int), "int": (int,), "text": (str,), "flag": (bool,)}[self.kind]
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.kind != "flag"):
            raise self._wrong(value, f"is not {_KINDS[self.kind]}")
        if self.choices and value not in self.choices:
            raise self._wrong(value, f"is not one of {', '.join(self.choices)}")
        if self.kind in ("float", "int"):
            number = float(value)
            if not math.isfinite(number):
                raise self._wrong(value, "is no number to work with")
            if self.minimum is not None and number < self.minimum:
                raise self._wrong(value, f"is below {self.minimum:g}")
            if self.maximum is not None and number > self.maximum:
                raise self._wrong(value, f"is above {self.maximum:g}")
        return float(value) if self.kind == "float" else value

    @property
    def text(self) -> str:
        """Name, default and help in one line."""
        unit = f" {self.unit}" if self.unit else ""
        if self.default is None:
            return f"{self.name}{unit and f' [{self.unit}]'} (by default as the camera asks for): {self.help}"
        default = str(self.default).lower() if isinstance(self.default, bool) else f"{self.default}"
        return f"{self.name}={default}{unit}: {self.help}"

    def _converted(self, text: str) -> Setting:
        if self.kind == "flag":
            if text.lower() not in ("true", "false", "yes", "no"):
                raise ValueError(text)
            return text.lower() in ("true", "yes")
        if self.kind == "text":
            return text
        return int(text) if self.kind == "int" else float(text)

    def _wrong(self, value: object, told: str) -> UserInputError:
        return UserInputError(f"{self.name}={value} {told}", hint=f"--set {self.text}", code="E-SETTING")


_KINDS = {"float": "a number", "int": "a whole number", "text": "text", "flag": "true or false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a recipe: a pipeline task over detectors, pairs, exposures or the whole instrument."""

    name: str
    task: str
    per: Granularity
    raws: bool = False
    """Whether it reads raw frames."""
    reason: str = ""
    """Only raw frames of this observation reason; ``{name}`` is the value of a parameter."""
    calibs: bool = False
    """Whether it is given the calibrations of other types."""
    inputs: tuple[str, ...] = ()
    """Dataset types that earlier steps made."""
    outputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    """Parameters of the type that the task is given."""
    renamed: tuple[tuple[str, str], ...] = ()
    """(parameter of the type, name the task knows it by)."""
    fixed: tuple[tuple[str, Setting], ...] = ()
    """Parameters nobody chooses."""
    geometry: bool = False
    """Whether a step of the whole instrument is told where its detectors are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parents:
    """What other calibrations a type is built with."""

    needs: tuple[str, ...] = ()
    """Without them it cannot be built."""
    wants: tuple[str, ...] = ()
    """Applied when there are some; when not, the step is recorded as not applied and a warning says so."""
    takes: tuple[str, ...] = ()
    """Used when there are some; nothing is said when not."""

    existing: tuple[str, ...] = ()
    """As wanted ones, but curated before anything is made: they do not order the types."""

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys((*self.ordering, *self.existing)))

    @property
    def ordering(self) -> tuple[str, ...]:
        """Those that are made before."""
        return tuple(dict.fromkeys((*self.needs, *self.wants, *self.takes)))


def topological(parents: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the nodes of a graph, parents first; among equals in the order given.

    Parameters
    ----------
    parents : mapping
        Node to its parents; parents that are no nodes are left out.

    Raises
    ------
    UserInputError
        E-RECIPE: there is a cycle, which is named.
    """
    done: dict[str, None] = {}
    path: list[str] = []

    def visit(node: str) -> None:
        if node in done:
            return
        if node in path:
            cycle = [*path[path.index(node) :], node]
            raise UserInputError(
                f"calibration types need each other in a circle: {' <- '.join(cycle)}",
                hint="take one of these needs or wants out",
                code="E-RECIPE",
            )
        path.append(node)
        for parent in parents[node]:
            if parent in parents:
                visit(parent)
        path.pop()
        done[node] = None

    for node in parents:
        visit(node)
    return tuple(done)
