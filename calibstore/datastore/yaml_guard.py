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
    nesting, n_documents = _Nesting(), 0
    for event in yaml.parse(text, Loader=FastSafeLoader):
        where = f"{name}:{event.start_mark.line + 1 if event.start_mark else 0}"
        n_documents += isinstance(event, yaml.DocumentStartEvent)
        if n_documents > 1:
            raise _refused(f"{where}: a second document begins; one is read")
        tag = getattr(event, "tag", None)
        if tag is not None and tags is not None and tag not in tags:
            raise _refused(f"{where}: tag {tag} is not known; known: {', '.join(sorted(tags))}")
        nesting.take(event, where)


class _Nesting:
    """What is open at one place of a document, and what an alias may repeat."""

    def __init__(self) -> None:
        self._opened: list[_Open] = []
        self._flat: dict[str, bool] = {}
        self._scalars: set[str] = set()

    def take(self, event: Any, where: str) -> None:
        """Follow one event."""
        if isinstance(event, yaml.CollectionStartEvent):
            self._begin(event, where)
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self._opened.pop()
            if closed.anchor:
                self._flat[closed.anchor] = closed.is_flat and closed.n_values <= MAX_ALIASED
        elif isinstance(event, yaml.ScalarEvent):
            self._value(is_scalar=True)
            if event.anchor:
                self._scalars.add(event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._scalars and not self._flat.get(str(event.anchor), False):
                raise _refused(f"{where}: alias *{event.anchor} repeats more than a flat list of {MAX_ALIASED} values")
            self._value(is_scalar=event.anchor in self._scalars)

    def _begin(self, event: Any, where: str) -> None:
        if self._opened:
            self._opened[-1].is_flat = False
        self._opened.append(_Open(event.anchor))
        if len(self._opened) > MAX_DEPTH:
            raise _refused(f"{where}: nested more than {MAX_DEPTH} deep")

    def _value(self, *, is_scalar: bool) -> None:
        if self._opened:
            self._opened[-1].n_values += 1
            self._opened[-1].is_flat &= is_scalar


def _refused(message: str) -> UserInputError:
    return UserInputError(message, hint="write the file anew with butler export-calibs", code="E-YAML")
