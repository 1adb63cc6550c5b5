"""Looking at a YAML document's events before anything is built from it: size, depth, tags, aliases.

What a stranger wrote may be huge, nested without end, or full of aliases that multiply; each is refused in one line.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from calibstore.errors import StoreError, UserInputError

try:
    from yaml import CSafeLoader as FastSafeLoader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader as FastSafeLoader  # type: ignore[assignment]

__all__ = ["MAX_BYTES", "FastSafeLoader", "check_events", "read_text"]

MAX_BYTES: Final = 64 << 20
"""Largest document read [byte]; an export of 945 datasets has 390 kB."""
MAX_DEPTH: Final = 24
MAX_ALIASED: Final = 64
"""Most values inside something that an alias may repeat."""


@dataclass(slots=True)
class _Open:
    """A sequence or mapping that has begun."""

    anchor: str | None
    n_values: int = 0
    is_flat: bool = True


def read_text(path: Path) -> str:
    """Return a text file that is not too large.

    Raises
    ------
    StoreError
        If it cannot be read, is larger than `MAX_BYTES` or is no UTF-8 text.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise StoreError(
                f"{path}: {size} bytes are more than the {MAX_BYTES} that are read",
                hint="export fewer collections at a time",
                code="E-TOOLARGE",
            )
        return path.read_bytes().decode("utf-8")
    except OSError as fault:
        raise StoreError(
            f"{path}: cannot be read: {fault.strerror or fault}",
            hint="check that the file is there and readable: ls -l",
            code="E-READ",
        ) from fault
    except UnicodeDecodeError as fault:
        raise StoreError(
            f"{path}: is no text (byte {fault.start} is no UTF-8)", hint="give the YAML or JSON file", code="E-READ"
        ) from fault


def check_events(text: str, *, name: str, tags: Collection[str] | None) -> None:
    """Refuse a YAML document that is broken, too deep, has other tags, or aliases that could multiply.

    Parameters
    ----------
    text : str
        The document.
    name : str
        How messages call it.
    tags : collection of str or None
        Tags that may occur; None for any (when nothing is built from them).

    Raises
    ------
    UserInputError
        With the line.
    """
    try:
        _check(text, name, tags)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise _refused(f"{where}: is no YAML: {fault.problem or fault.context}") from fault
    except yaml.YAMLError as fault:
        raise _refused(f"{name}: is no YAML: {' '.join(str(fault).split())}") from fault


def _check(text: str, name: str, tags: Collection[str] | None) -> None:
    opened: list[_Open] = []
    repeatable: dict[str, bool] = {}
    n_documents = 0
    for event in yaml.parse(text, Loader=FastSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.DocumentStartEvent):
            n_documents += 1
            if n_documents > 1:
                raise _refused(f"{name}:{line}: a second document begins; one is read")
        tag = getattr(event, "tag", None)
        if tag is not None and tags is not None and tag not in tags:
            raise _refused(f"{name}:{line}: tag {tag} is not known; known: {', '.join(sorted(tags))}")
        if isinstance(event, yaml.AliasEvent):
            _check_alias(event, repeatable, f"{name}:{line}")
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) and opened:
            opened[-1].n_values += 1
        if isinstance(event, yaml.ScalarEvent) and event.anchor:
            repeatable[event.anchor] = True
        if isinstance(event, yaml.CollectionStartEvent):
            if opened:
                opened[-1].is_flat = False
            opened.append(_Open(event.anchor))
            if len(opened) > MAX_DEPTH:
                raise _refused(f"{name}:{line}: nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.CollectionEndEvent):
            closed = opened.pop()
            if closed.anchor:
                repeatable[closed.anchor] = closed.is_flat and closed.n_values <= MAX_ALIASED


def _check_alias(event: Any, repeatable: dict[str, bool], where: str) -> None:
    if not repeatable.get(event.anchor, False):
        raise _refused(
            f"{where}: alias *{event.anchor} repeats more than a flat list or mapping of {MAX_ALIASED} values"
        )


def _refused(message: str) -> UserInputError:
    return UserInputError(message, hint="write the file anew with butler export-calibs", code="E-YAML")
