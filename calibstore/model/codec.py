"""Dataclasses to plain JSON values and back: commands, quanta and cameras travel and are stored this way.

The law: ``from_plain(cls, to_plain(value)) == value`` for every dataclass of the project.
"""

import dataclasses
import enum
import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """Return a value as JSON-ready dicts, lists, strings, numbers, booleans and None.

    Parameters
    ----------
    value : object
        A dataclass instance, or anything built of them and plain values.

    Raises
    ------
    TypeError
        If a value has no plain form.
    """
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    raise TypeError(f"no plain form for {type(value).__name__}: {value!r}")


def from_plain(cls: type[T], plain: Any) -> T:
    """Build a dataclass from its plain form.

    Parameters
    ----------
    cls : type
        The dataclass.
    plain : mapping
        What `to_plain` gave; unknown keys are refused.

    Raises
    ------
    TypeError
        If the plain value does not fit the declared fields.
    """
    return cast(T, _decode(cls, plain))


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no blanks, plain ASCII."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def sha256_of(value: object) -> str:
    """Return the hex SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _decode(hint: Any, plain: Any) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any or hint is object:
        return plain
    if origin in (typing.Union, types.UnionType):
        return _decode_union(hint, plain)
    if origin is tuple:
        return _decode_tuple(typing.get_args(hint), plain)
    if origin is list:
        return [_decode(typing.get_args(hint)[0], item) for item in plain]
    if origin is not None and issubclass(origin, Mapping):
        value_hint = typing.get_args(hint)[1]
        return {key: _decode(value_hint, item) for key, item in plain.items()}
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(hint, plain)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(plain)
    if hint is Path:
        return Path(plain)
    if hint is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if isinstance(hint, type) and not isinstance(plain, hint):
        raise TypeError(f"expected {hint.__name__}, got {plain!r}")
    return plain


def _decode_union(hint: Any, plain: Any) -> Any:
    options = typing.get_args(hint)
    if plain is None and type(None) in options:
        return None
    problems = []
    for option in options:
        if option is type(None):
            continue
        try:
            return _decode(option, plain)
        except (TypeError, ValueError, KeyError) as problem:
            problems.append(str(problem))
    raise TypeError("; ".join(problems))


def _decode_tuple(args: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_decode(args[0], item) for item in plain)
    return tuple(_decode(arg, item) for arg, item in zip(args, plain, strict=True))


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode_dataclass(cls: Any, plain: Any) -> Any:
    hints = _hints(cls)
    unknown = set(plain) - set(hints)
    if unknown:
        raise TypeError(f"{cls.__name__} has no field {', '.join(sorted(unknown))}")
    return cls(**{name: _decode(hints[name], item) for name, item in plain.items()})
