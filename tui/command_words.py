"""What is typed behind ``:``: a view, a thing to do, or a verb of the command line."""

import difflib
import inspect
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from calibstore.commands import registered
from calibstore.errors import NotFoundError, UserInputError
from tui.catalogue import BY_NAME, VIEWS, check_place
from tui.frame_entries import FRAME_ENTRIES
from tui.places import Place, parse_place
from tui.registry import Entry

if TYPE_CHECKING:
    from tui.frame_actions import ActingFrame

NO_FORM = ("init", "rehearse")
"""Verbs that make another repository: for the shell."""


def known_words() -> list[str]:
    """Return what may stand first behind ``:``."""
    views = [one.name for one in VIEWS if one.name != "do"]
    return [*views, *(one.word for one in FRAME_ENTRIES if one.word), *(verb for verb, _help in verb_rows())]


def verb_rows() -> list[tuple[str, str]]:
    """Return the verbs of the command line with their first sentences."""
    return [
        (verb, (inspect.getdoc(cls) or "").split("\n", maxsplit=1)[0])
        for verb, cls in sorted(registered().items())
        if verb not in NO_FORM
    ]


def understand(text: str, entries: Sequence[Entry]) -> "Entry | Place | Callable[[ActingFrame], None]":
    """Return what a typed line means.

    Raises
    ------
    UserInputError
        If quotes are not closed, or a view is given what it does not take.
    NotFoundError
        If the first word is nothing known; the nearest one is named.
    """
    try:
        words = shlex.split(text)
    except ValueError as problem:
        raise UserInputError(f"{text}: {problem}", hint="close the quotes", code="E-QUOTES") from problem
    if words[:1] == ["cabstand"]:
        words = words[1:]
    if words[:1] == ["ui"]:
        words = words[1:]
    if not words:
        return Place("home")
    first = words[0]
    if first == "theme" and len(words) > 1:
        return lambda app: app.take_theme(words[1])
    if first == "instrument" and len(words) > 1:
        return lambda app: app.take_instrument(words[1])
    if first in BY_NAME and not (first in registered() and len(words) > 1 and words[1].startswith("--resume")):
        place = parse_place(words)
        check_place(place)
        return place
    for entry in entries:
        if entry.word == first and len(words) == 1:
            return entry
    if any(verb.split()[0] == first for verb, _help in verb_rows()):
        return Place("do", tuple(words))
    if first in ("q", "quit", "exit"):
        return next(one for one in FRAME_ENTRIES if one.id == "frame.quit")
    near = difflib.get_close_matches(first, known_words(), n=1)
    raise NotFoundError(
        f"nothing is called {first!r}",
        hint=f"did you mean {near[0]}?" if near else "? lists keys, ctrl+p finds anything",
        code="E-WORD",
    )
