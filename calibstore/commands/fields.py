"""Reading a command's declared fields once: raw text to command, command to line, command to JSON.

Every action is a frozen dataclass whose fields carry their help. From them come the verb of the command line, the
exact ``cabstand ...`` line, the journal's JSON and, later, the form.
"""

import dataclasses
import difflib
import shlex
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

from calibstore.errors import UserInputError
from calibstore.model.codec import from_plain, to_plain

_DECLARED: Final = "cabstand"


@dataclasses.dataclass(frozen=True, slots=True)
class Declared:
    """How one field is asked for."""

    help: str
    is_argument: bool = False
    flag: str = ""
    """Option name; by default the field name with dashes."""
    short: str = ""
    choices: tuple[str, ...] = ()
    is_open: bool = False
    """Whether other values than the choices may be given: the action itself knows which."""
    metavar: str = ""
    check: Callable[[Any], object] | None = None
    """Raises UserInputError when the value is wrong; its result is not kept."""
    takes_rest: bool = False
    """All words from its first one on belong to it, options too: it is a line of its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One field of a command, ready for a command line or a form."""

    name: str
    declared: Declared
    type: type
    """str, int, float or bool: of one value."""
    is_many: bool
    is_optional: bool
    """May be left out."""
    default: Any

    @property
    def option(self) -> str:
        """Option name such as ``--begin-date``."""
        return self.declared.flag or "--" + self.name.rstrip("_").replace("_", "-")

    @property
    def label(self) -> str:
        """What an error calls it."""
        return self.shown if self.declared.is_argument else self.option

    @property
    def shown(self) -> str:
        """What its value is called, such as ``TICKET`` or ``ID=REASON``."""
        return (self.declared.metavar or self.name.rstrip("_").upper()).removesuffix("...")

    @property
    def choices(self) -> tuple[str, ...]:
        """Values that may be given; empty for any."""
        return tuple(choice for choice in self.declared.choices if choice)


class Command:
    """Base of every action and every question; subclasses are frozen dataclasses."""

    __slots__ = ()
    verb: ClassVar[str]
    """Words after `cabstand`, e.g. ``campaign new``."""
    writes: ClassVar[bool]
    """Whether it changes the store (and so is journalled and has a dry run)."""
    needs_role: ClassVar[str]
    """Who may use it: one of `ROLES`."""

    @property
    def only_looks(self) -> bool:
        """Whether it changes nothing as it is given, though its verb writes."""
        return False


VIEWER: Final = "viewer"
"""May ask, and look at what a change would do."""
BUILDER: Final = "builder"
"""May make, certify and arrange calibrations."""
VERIFIER: Final = "verifier"
"""May judge them and prove their use."""
BOARD: Final = "board"
"""May record a decision."""
DEPLOYER: Final = "deployer"
"""May bring them to sites, take them back, and act against a gate."""
ROLES: Final = (VIEWER, BUILDER, VERIFIER, BOARD, DEPLOYER)

C = TypeVar("C", bound=Command)
_REGISTRY: dict[str, type[Command]] = {}


def command(verb: str, *, writes: bool, role: str = "") -> Callable[[type[C]], type[C]]:
    """Register a frozen dataclass as the command of a verb.

    Parameters
    ----------
    verb : str
        Words after `cabstand`.
    writes : bool
        Whether it changes the store.
    role : str
        Who may use it; by default builders what writes, viewers what asks.
    """

    def register(cls: type[C]) -> type[C]:
        cls.verb = verb
        cls.writes = writes
        cls.needs_role = role or (BUILDER if writes else VIEWER)
        _REGISTRY[verb] = cls
        return cls

    return register


def registered() -> Mapping[str, type[Command]]:
    """Return every command class by verb."""
    return types.MappingProxyType(_REGISTRY)


def argument(
    help: str,
    *,
    default: Any = dataclasses.MISSING,
    metavar: str = "",
    choices: tuple[str, ...] = (),
    is_open: bool = False,
    check: Callable[[Any], object] | None = None,
    takes_rest: bool = False,
) -> Any:
    """Declare a positional field; with a default it may be left out."""
    declared = Declared(
        help=help,
        is_argument=True,
        metavar=metavar,
        choices=choices,
        is_open=is_open,
        check=check,
        takes_rest=takes_rest,
    )
    return dataclasses.field(default=default, metadata={_DECLARED: declared})


def option(
    help: str,
    *,
    default: Any = dataclasses.MISSING,
    flag: str = "",
    short: str = "",
    choices: tuple[str, ...] = (),
    metavar: str = "",
    check: Callable[[Any], object] | None = None,
) -> Any:
    """Declare a named field; without a default it is required."""
    declared = Declared(help=help, flag=flag, short=short, choices=choices, metavar=metavar, check=check)
    return dataclasses.field(default=default, metadata={_DECLARED: declared})


def asked_fields(cls: type[Command]) -> tuple[Asked, ...]:
    """Return the declared fields of a command, arguments first, in order."""
    hints = typing.get_type_hints(cls)
    asked = []
    for field in dataclasses.fields(typing.cast(Any, cls)):
        hint = hints[field.name]
        is_many = typing.get_origin(hint) is tuple
        single = typing.get_args(hint)[0] if is_many else _without_none(hint)
        asked.append(
            Asked(
                name=field.name,
                declared=field.metadata[_DECLARED],
                type=single,
                is_many=is_many,
                is_optional=field.default is not dataclasses.MISSING,
                default=None if field.default is dataclasses.MISSING else field.default,
            )
        )
    return tuple(sorted(asked, key=lambda one: not one.declared.is_argument))


def build(cls: type[C], raw: Mapping[str, object]) -> C:
    """Make a command from raw values, reporting every bad field at once.

    Parameters
    ----------
    cls : type
        The command.
    raw : mapping
        Field name to text, number, boolean or sequence of texts; None and missing mean "not given".

    Raises
    ------
    UserInputError
        Naming every field that is missing or wrong.
    """
    values, by_field = read_fields(cls, raw)
    problems = list(by_field.values())
    if problems:
        raise UserInputError(
            "; ".join(problem.message for problem in problems),
            hint="; ".join(problem.hint for problem in problems if problem.hint) or f"cabstand {cls.verb} --help",
            code=problems[0].code if len(problems) == 1 else "",
        )
    return cls(**values)


def read_fields(cls: type[Command], raw: Mapping[str, object]) -> tuple[dict[str, object], dict[str, UserInputError]]:
    """Convert raw values field by field, for a form that says beside each field what is wrong with it.

    Parameters
    ----------
    cls : type
        The command.
    raw : mapping
        As for `build`.

    Returns
    -------
    values : dict
        Field name to converted value, of the good ones.
    problems : dict
        Field name to what is wrong; a name that is no field is under itself.
    """
    fields = {one.name: one for one in asked_fields(cls)}
    values: dict[str, object] = {}
    problems = {name: UserInputError(f"{cls.verb} has no field {name}") for name in sorted(set(raw) - set(fields))}
    for name, one in fields.items():
        given = raw.get(name)
        if given is None or (one.is_many and not given):
            if not one.is_optional:
                problems[name] = UserInputError(f"{one.label} is missing ({one.declared.help})")
            continue
        try:
            values[name] = _converted(one, given)
            if one.declared.check is not None:
                one.declared.check(values[name])
        except UserInputError as problem:
            problems[name] = problem
    return values, problems


def to_argv(command: Command) -> list[str]:
    """Return the words after `cabstand` that give this command again; defaults are left out."""
    positional: list[str] = []
    named: list[str] = []
    for one in asked_fields(type(command)):
        value = getattr(command, one.name)
        if one.is_optional and value == one.default:
            continue
        texts = [_text(item) for item in (value if one.is_many else (value,))]
        if one.declared.is_argument:
            positional += texts
        elif one.type is bool:
            named.append(one.option)
        else:
            # The = form keeps a value that begins with a dash a value.
            for text in texts:
                named += [f"{one.option}={text}"] if text.startswith("-") else [one.option, text]
    return in_order(type(command), positional, named)


def in_order(cls: type[Command], positional: list[str], named: list[str]) -> list[str]:
    """Return the words of a line: verb, arguments and options in the order in which they are read back."""
    verb = cls.verb.split()
    if any(one.declared.takes_rest for one in asked_fields(cls)):
        is_option = positional[:1] and positional[0].startswith("-")
        return [*verb, *named, *(["--"] if is_option else []), *positional]
    # Names first reads best; behind `--` a word that begins with a dash is no option, so there it must be last.
    if any(text.startswith("-") for text in positional):
        return [*verb, *named, "--", *positional]
    return [*verb, *positional, *named]


def to_line(command: Command, *, reason: str = "") -> str:
    """Return the exact ``cabstand ...`` line of a command."""
    words = to_argv(command)
    if reason:
        at = words.index("--") if "--" in words else len(words)
        words[at:at] = [f"--reason={reason}"] if reason.startswith("-") else ["--reason", reason]
    return " ".join(quoted(word) for word in ("cabstand", *words))


def quoted(word: str) -> str:
    """Quote a word for a shell so that people can read it: a selection's own quotes stand inside double ones.

    A waiver is quoted too: who fills in its reason writes blanks into it.
    """
    if ("'" in word or ",reason=" in word) and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def to_json(command: Command) -> dict[str, object]:
    """Return a command as JSON-ready values, with its verb."""
    return {"verb": command.verb, "fields": to_plain(command)}


def from_json(plain: Mapping[str, Any]) -> Command:
    """Make a command from `to_json`'s values.

    Raises
    ------
    UserInputError
        If the verb is unknown.
    """
    cls = _REGISTRY.get(plain["verb"])
    if cls is None:
        raise UserInputError(f"no verb {plain['verb']!r} in this Cabstand")
    return from_plain(cls, plain["fields"])


def _without_none(hint: Any) -> type:
    options = [one for one in typing.get_args(hint) if one is not type(None)]
    return typing.cast(type, options[0] if options else hint)


def _converted(one: Asked, given: object) -> object:
    if one.is_many:
        items = [given] if isinstance(given, str) else list(typing.cast(Any, given))
        return tuple(_one_value(one, item) for item in items)
    return _one_value(one, given)


def _one_value(one: Asked, given: object) -> object:
    if one.declared.choices and not one.declared.is_open and given not in one.declared.choices:
        near = difflib.get_close_matches(str(given), one.choices, n=1)
        raise UserInputError(
            f"{one.label}: {given!r} is not one of {', '.join(one.choices)}",
            hint=f"did you mean {near[0]}?" if near else "",
        )
    try:
        value = given if isinstance(given, one.type) else one.type(given)
    except (TypeError, ValueError) as problem:
        kind = {"int": "a whole number", "float": "a number"}.get(one.type.__name__, one.type.__name__)
        raise UserInputError(f"{one.label}: {given!r} is not {kind}") from problem
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UserInputError(
            f"{one.label}: {given} is too large", hint="whole numbers have at most 18 digits here: is a blank missing?"
        )
    return value


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
