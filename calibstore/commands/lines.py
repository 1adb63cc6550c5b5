"""From a line back to a command: what stands behind ``cabstand``, read without click, whole or half.

A half line is welcome: it fills in a form. What is read are raw values; `build` judges them.
"""

import difflib
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from calibstore.commands.fields import Asked, Command, asked_fields, build, in_order, registered
from calibstore.errors import UserInputError

RawValue = str | bool | tuple[str, ...]
"""A value as typed: a flag is a boolean, a field of many values a tuple."""

_TAKES_TEXT: Final = {"-R": "repository", "--repo": "repository", "--reason": "reason", "--confirm": "confirm"}
_FLAGS: Final = {
    "--json": "is_json",
    "--dry-run": "is_dry_run",
    "--read-only": "is_read_only",
    "-y": "is_yes",
    "--yes": "is_yes",
    "-h": "wants_help",
    "--help": "wants_help",
}
GLOBAL_OPTIONS: Final = (*_TAKES_TEXT, *_FLAGS)
"""Options that every verb shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedLine:
    """What a line says."""

    cls: type[Command]
    given: dict[str, RawValue] = field(default_factory=dict)
    """Field name to raw value; what was not given is absent."""
    reason: str = ""
    repository: str = ""
    confirm: str = ""
    is_json: bool = False
    is_dry_run: bool = False
    is_read_only: bool = False
    is_yes: bool = False
    wants_help: bool = False

    def build(self) -> Command:
        """Return the command.

        Raises
        ------
        UserInputError
            Naming every field that is missing or wrong.
        """
        return build(self.cls, self.given)


def read_line(line: "str | Sequence[str]") -> TypedLine:
    """Read a ``cabstand VERB ...`` line, or its words.

    Parameters
    ----------
    line : str or sequence of str
        With or without the leading ``cabstand``; a comment behind ``#`` is left out. An argument may also be given
        by name (``--ticket DM-1``), which a half line needs when an earlier argument is missing.

    Raises
    ------
    UserInputError
        For a verb or an option that does not exist (with the nearest spelling), an option without its value, a
        word too many, or a quote that is not closed.
    """
    words = words_of_line(line) if isinstance(line, str) else list(line)
    if words[:1] == ["cabstand"]:
        words = words[1:]
    told: dict[str, object] = {}
    while words and words[0].startswith("-"):
        words = _read_option(words, {}, {}, told)
    cls, words = _read_verb(words)
    fields = {one.name: one for one in asked_fields(cls)}
    named = _names(fields.values())
    collected: dict[str, list[str]] = {}
    positional: list[str] = []
    takes_rest = any(one.declared.takes_rest for one in fields.values())
    while words:
        if words[0] == "--" or (takes_rest and not words[0].startswith("-")):
            positional += words[words[0] == "--" :]
            break
        if len(words[0]) > 1 and words[0].startswith("-"):
            words = _read_option(words, named, collected, told, cls.verb)
        else:
            positional.append(words[0])
            words = words[1:]
    _place(cls, [one for one in fields.values() if one.declared.is_argument], positional, collected)
    given = {name: _raw(fields[name], texts) for name, texts in collected.items()}
    return TypedLine(cls=cls, given=given, **told)  # type: ignore[arg-type]  # names of _TAKES_TEXT and _FLAGS only


def words_for(cls: type[Command], given: Mapping[str, object], *, reason: str = "") -> list[str]:
    """Return the words behind ``cabstand`` for raw values, of a half line too; `read_line` reads them again.

    Parameters
    ----------
    cls : type
        The command.
    given : mapping
        Field name to raw value; None and empty values are left out.
    reason : str
        For ``--reason``.
    """
    positional: list[str] = []
    named: list[str] = []
    has_gap = False
    for one in asked_fields(cls):
        value = given.get(one.name)
        if value is None or value is False or value in ("", ()):
            has_gap = has_gap or one.declared.is_argument
            continue
        if one.type is bool:
            named.append(one.option)
            continue
        texts = [value] if isinstance(value, str) else [str(item) for item in _items(value)]
        if one.declared.is_argument and not has_gap:
            positional += texts
        else:
            named += [word for text in texts for word in _option_words(one.option, text)]
    if reason:
        named += _option_words("--reason", reason)
    return in_order(cls, positional, named)


def words_of_line(line: str) -> list[str]:
    """Split a line as a shell does, without what stands behind a ``#``.

    Raises
    ------
    UserInputError
        If a quote is not closed.
    """
    stream = io.StringIO(line)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""  # in a shell only a word that begins with # begins a comment
    words: list[str] = []
    try:
        while not line[stream.tell() :].lstrip(" \t\r\n").startswith("#"):
            word = lexer.get_token()
            if word is None:
                break
            words.append(word)
    except ValueError as problem:
        raise UserInputError(f"{line}: a quote is not closed", hint="close it with ' or \"") from problem
    return words


def find_verb(words: Sequence[str]) -> "type[Command] | None":
    """Return the command whose verb the words begin with; the longest verb wins."""
    for size in (2, 1):
        cls = registered().get(" ".join(words[:size]))
        if cls is not None and len(words) >= size:
            return cls
    return None


def _read_verb(words: list[str]) -> tuple[type[Command], list[str]]:
    words = _switch_first(words)
    cls = find_verb(words)
    if cls is not None:
        return cls, words[len(cls.verb.split()) :]
    if not words:
        raise UserInputError("no verb is given", hint="such as: campaign show TICKET")
    family = [verb for verb in registered() if verb.split()[0] == words[0]]
    if family:
        said = " ".join(words[:2])
        near = difflib.get_close_matches(said, family, n=1)
        raise UserInputError(
            f"no verb {said!r}: after {words[0]} comes {', '.join(verb.split()[1] for verb in family)}",
            hint=f"did you mean {near[0]}?" if len(words) > 1 and near else f"such as: {family[0]}",
        )
    near = difflib.get_close_matches(words[0], {verb.split()[0] for verb in registered()}, n=1)
    raise UserInputError(f"no verb {words[0]!r}", hint=f"did you mean {near[0]}?" if near else "cabstand --help")


def _switch_first(words: list[str]) -> list[str]:
    """Return the words of a line with the option that makes another verb of it behind the first one."""
    for verb in registered():
        head, _, switch = verb.partition(" ")
        if switch.startswith("-") and words[:1] == [head] and switch in words:
            return [head, switch, *(word for word in words[1:] if word != switch)]
    return words


def _names(fields: Iterable[Asked]) -> dict[str, Asked]:
    named: dict[str, Asked] = {}
    for one in fields:
        named[one.option] = one
        if one.declared.short:
            named[one.declared.short] = one
    return named


def _read_option(
    words: list[str],
    named: Mapping[str, Asked],
    collected: dict[str, list[str]],
    told: dict[str, object],
    verb: str = "",
) -> list[str]:
    """Take one option off the words; return the rest."""
    name, has_equals, value = words[0].partition("=")
    rest = words[1:]
    if not words[0].startswith("--"):
        name, value = words[0][:2], words[0][2:]
        if value and (name in _FLAGS or (name in named and named[name].type is bool)):
            rest, value = [f"-{value}", *rest], ""  # -yh is -y -h
        has_equals = "=" if value else ""
    one = named.get(name)
    if one is None and name not in GLOBAL_OPTIONS:
        near = difflib.get_close_matches(name, [*named, *GLOBAL_OPTIONS], n=1)
        where = f"{verb} has no option {name}" if verb else f"no option {name} before the verb"
        raise UserInputError(where, hint=f"did you mean {near[0]}?" if near else f"cabstand {verb} --help")
    if name in _FLAGS or (one is not None and one.type is bool):
        if has_equals:
            raise UserInputError(f"{name} takes no value, but {value!r} was given", hint=f"write {name} alone")
        if one is not None:
            collected[one.name] = ["true"]
        else:
            told[_FLAGS[name]] = True
        return rest
    if not has_equals:
        if not rest:
            raise UserInputError(f"{name} needs a value", hint=f"{name} {one.shown if one else 'TEXT'}")
        value, rest = rest[0], rest[1:]
    if one is None:
        told[_TAKES_TEXT[name]] = value
    elif one.is_many:
        collected.setdefault(one.name, []).append(value)
    else:
        collected[one.name] = [value]
    return rest


def _place(cls: type[Command], arguments: list[Asked], positional: list[str], collected: dict[str, list[str]]) -> None:
    """Give positional words to the arguments that were not named, left to right."""
    left = list(positional)
    for one in arguments:
        if one.name in collected or not left:
            continue
        taken = len(left) if one.is_many else 1
        collected[one.name], left = left[:taken], left[taken:]
    if left:
        usage = " ".join(one.shown for one in arguments) or "no words"
        raise UserInputError(
            f"{cls.verb}: {' '.join(left)!r} is too much; it takes {usage}",
            hint="put quotes around a value that holds blanks",
        )


def _raw(one: Asked, texts: list[str]) -> RawValue:
    if one.type is bool:
        return True
    return tuple(texts) if one.is_many else texts[-1]


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _option_words(name: str, text: str) -> list[str]:
    # The = form keeps a value that begins with a dash a value.
    return [f"{name}={text}"] if text.startswith("-") else [name, text]
