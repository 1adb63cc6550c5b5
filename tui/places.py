"""A place in the application: what a deep link names, what a restart comes back to, what `q` returns to.

``timeline bias --at 2024-10-24`` is the same text on the shell (after ``cabstand ui``), behind ``:`` and on disk.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A view and what it shows."""

    view: str
    """Name of a view, e.g. ``timeline``."""
    words: tuple[str, ...] = ()
    """Positional words, e.g. the dataset type."""
    options: Mapping[str, str] = field(default_factory=dict)
    """``--at 2024-10-24`` as ``{"at": "2024-10-24"}``."""

    @property
    def text(self) -> str:
        """The words after ``cabstand ui`` that come back here."""
        named = [word for key, value in self.options.items() for word in (f"--{key}", value) if value]
        return shlex.join([self.view, *self.words, *named])

    def option(self, name: str, default: str = "") -> str:
        """Return an option's text."""
        return self.options.get(name, default)

    def word(self, index: int, default: str = "") -> str:
        """Return a positional word."""
        return self.words[index] if index < len(self.words) else default


def parse_place(words: tuple[str, ...] | list[str]) -> Place:
    """Read the words of a place: ``--name value`` and ``--name=value`` are options, the rest stands by position.

    After ``do`` come the words of a command, which are kept as they are.
    """
    if words and words[0] == "do":
        return Place("do", tuple(words[1:]))
    positional: list[str] = []
    options: dict[str, str] = {}
    waiting = ""
    for word in words:
        if waiting:
            options[waiting], waiting = word, ""
        elif word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if equals:
                options[name] = value
            else:
                waiting = name
        else:
            positional.append(word)
    if waiting:
        options[waiting] = ""
    return Place(positional[0] if positional else "", tuple(positional[1:]), options)
