"""Metadata of a processed file: FITS headers, or a YAML or JSON dump of them, flat or nested, as a list of cards.

Repeated keys are kept in order, so that a value split over CONTINUE cards can be joined; nothing is built from a
document but text, numbers, lists and mappings.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from calibstore.datastore.fits_headers import CardValue, read_headers
from calibstore.datastore.yaml_guard import FastSafeLoader, check_events, read_text
from calibstore.errors import StoreError, UserInputError

JSON_SUFFIXES: Final = (".json",)
YAML_SUFFIXES: Final = (".yaml", ".yml")
MAX_DEPTH: Final = 24

_CONTINUE = re.compile(r"CONTINUE(?:[ _]?\d+)?")
_IS_NUMBER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping that keeps repeated keys, in order."""

    items: tuple[tuple[str, Any], ...]


def read_cards(path: Path) -> tuple[tuple[str, CardValue], ...]:
    """Return keyword and value of every card of a file, in order, CONTINUE joined.

    Parameters
    ----------
    path : Path
        FITS (plain, ``.gz``, ``.fz``), YAML or JSON.

    Raises
    ------
    StoreError
        If it cannot be read.
    UserInputError
        If it is no document of its kind.
    """
    suffix = path.suffix.lower()
    if suffix in JSON_SUFFIXES:
        return joined(_cards(_json(path)))
    if suffix in YAML_SUFFIXES:
        return joined(_cards(_yaml(path)))
    headers = read_headers(path)
    return tuple(headers.cards.items())


def joined(cards: Iterator[tuple[str, CardValue]]) -> tuple[tuple[str, CardValue], ...]:
    """Return cards with each CONTINUE added to the value before it, its ``&`` taken off."""
    found: list[tuple[str, CardValue]] = []
    for key, value in cards:
        before = found[-1] if found else ("", None)
        if _CONTINUE.fullmatch(key):
            if isinstance(before[1], str) and before[1].endswith("&") and isinstance(value, str):
                found[-1] = (before[0], before[1][:-1] + value)
            continue
        found.append((key, value))
    return tuple(found)


def _json(path: Path) -> Any:
    try:
        return json.loads(read_text(path), object_pairs_hook=lambda pairs: Pairs(tuple(pairs)))
    except (ValueError, RecursionError) as fault:
        raise UserInputError(
            f"{path.name}: is no JSON: {' '.join(str(fault).split())}", hint="give a metadata dump", code="E-METADATA"
        ) from fault


def _yaml(path: Path) -> Any:
    text = read_text(path)
    # Tags of the observatory's own classes are allowed: nothing is built from them.
    check_events(text, name=path.name, tags=None)
    node = yaml.compose(text, Loader=FastSafeLoader)
    return _plain(node) if node is not None else Pairs(())


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return Pairs(tuple((str(_plain(key)), _plain(value)) for key, value in node.value))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one) for one in node.value]
    text = str(node.value)
    if node.tag == "tag:yaml.org,2002:bool":
        return text.lower() in ("true", "yes", "on", "y")
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag == "tag:yaml.org,2002:int" and _IS_NUMBER.fullmatch(text):
        return int(text)
    return text


def _cards(document: Any, depth: int = 0) -> Iterator[tuple[str, CardValue]]:
    """Yield cards of a document: mappings at any depth, and lists of [key, value, comment] or {key, value}."""
    if depth > MAX_DEPTH:
        raise StoreError(f"metadata nested more than {MAX_DEPTH} deep", hint="give a metadata dump", code="E-METADATA")
    if isinstance(document, Pairs):
        given = dict(document.items)
        key = given.get("key", given.get("keyword"))
        if isinstance(key, str) and "value" in given:
            yield _name(key), _value(given["value"])
            return
        for name, value in document.items:
            if isinstance(value, Pairs):
                yield from _cards(value, depth + 1)
            elif isinstance(value, list):
                yield from _listed(name, value, depth)
            else:
                yield _name(name), _value(value)
    elif isinstance(document, list):
        for one in document:
            if isinstance(one, list) and len(one) in (2, 3) and isinstance(one[0], str):
                yield _name(one[0]), _value(one[1])
            elif isinstance(one, Pairs | list):
                yield from _cards(one, depth + 1)


def _listed(name: str, values: list[Any], depth: int) -> Iterator[tuple[str, CardValue]]:
    plain = [one for one in values if not isinstance(one, Pairs | list)]
    if len(plain) == len(values) and values and not _CONTINUE.fullmatch(_name(name)):
        # A value split into a list of its parts, or repeated.
        parts = [str(one) for one in values]
        if all(part.endswith("&") for part in parts[:-1]) and len(parts) > 1:
            yield _name(name), "".join(part.removesuffix("&") for part in parts)
        else:
            yield _name(name), _value(values[-1])
        return
    if plain and len(plain) == len(values):
        for one in plain:
            yield _name(name), _value(one)
        return
    yield from _cards(values, depth + 1)


def _name(key: str) -> str:
    return " ".join(key.upper().removeprefix("HIERARCH ").split())


def _value(value: Any) -> CardValue:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
