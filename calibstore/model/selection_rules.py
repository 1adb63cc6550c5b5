"""What a recipe says of the exposures a calibration is built from, as data, and what rules say of a selection."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from calibstore.errors import UserInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRules:
    """Rules of one calibration type; each is tried where it is set."""

    penalty: str = ""
    """Whose noise penalty is counted: bias or dark."""
    dark_e_per_s: float = 0.02
    """Dark current of the noise penalty of a dark [electron/s]."""
    least: int = 0
    """Usual number of exposures."""
    pairs: int = 0
    """Usual number of pairs; 0: they are not paired."""
    least_pairs: int = 0
    """Pairs below saturation without which nothing can be fitted; 0: it is not known."""
    shortest_s: float = 0.0
    """Usual shortest dark time [s]."""
    no_exposure_time: bool = False
    """Whether the shutter stays closed for no time, as in a bias."""
    same_time: bool = False
    """Whether all have the same exposure time."""
    same_filter: bool = False
    """Whether all are of one physical filter although the product has none."""
    same_reason: bool = False
    """Whether all were taken for the same reason."""
    bands: tuple[str, ...] = ()
    """Bands in which there is something to measure; empty: all."""
    low_e: float = 0.0
    """A level below this is needed, for read noise [electron]."""
    reaches_turnoff: bool = False
    """Whether the brightest level is beyond the expected turnoff."""
    sources: bool = False
    """Whether bright sources are needed."""
    most_saturated: float = 1.0
    """Exposures with a larger part of saturated pixels are proposed to be left out [1]."""
    spared_saturated: int = 0
    """So many saturated levels are kept all the same: they show the turnoff."""
    lamp_off: str = ""
    """What an exposure without light is: refuse or propose."""
    unlike: str = ""
    """How one unlike the others is found: by its level, or by its level for its exposure time (ramp)."""
    after_change: bool = False
    """Whether they are to follow a change of the camera's state."""


_CHOICES = {"penalty": ("bias", "dark"), "lamp_off": ("refuse", "propose"), "unlike": ("level", "ramp")}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about a selection."""

    rule: str
    severity: str
    """refuse, warn or note."""
    text: str
    remedy: str = ""
    """What to type, where the rule knows."""

    def __str__(self) -> str:
        return f"{self.rule} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One exposure that somebody or some rule would leave out."""

    exposure: int
    reason: str
    rule: str
    """Who says so: P-LOOKED (a person), P-APART (its level or noise), P-LAMPOFF (no light), P-SATURATED, P-ODD (in no
    pair), P-BEFORE (left out earlier), P-STATE (camera state)."""

    @property
    def words(self) -> str:
        """What to type to leave it out."""
        return f"--exclude {self.exposure}='{self.reason.replace(chr(39), '')}'"


def read_rules(table: Mapping[str, Any], name: str) -> SelectionRules:
    """Return the rules a recipe has.

    Parameters
    ----------
    table : mapping
        As TOML gives it.
    name : str
        The calibration type.

    Raises
    ------
    UserInputError
        E-RECIPE: an unknown rule, or a value of the wrong kind.
    """
    known: dict[str, Any] = {one.name: one.default for one in fields(SelectionRules)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise _wrong(f"{name}: there is no selection rule {key!r}", f"known: {', '.join(known)}")
        default = known[key]
        if isinstance(default, tuple):
            is_right = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        elif isinstance(default, float):
            is_right = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        else:
            is_right = type(value) is type(default) and (value in ("", *_CHOICES[key]) if key in _CHOICES else True)
        if not is_right:
            choices = f"one of {', '.join(_CHOICES[key])}" if key in _CHOICES else f"as in {key} = {default!r}"
            raise _wrong(f"{name}: selection rule {key} = {value!r}", choices)
        values[key] = tuple(value) if isinstance(default, tuple) else type(default)(value)
    return SelectionRules(**values)


def _wrong(told: str, hint: str) -> UserInputError:
    return UserInputError(told, hint=hint, code="E-RECIPE")
