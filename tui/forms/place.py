"""The place of a form: ``do`` and the words of its command, so that a link, a restart and `q` come back to it."""

from collections.abc import Callable, Mapping
from typing import Final

from calibstore.commands.fields import registered
from calibstore.commands.lines import TypedLine, read_line, words_for
from calibstore.errors import UserInputError
from tui.places import Place

_VIEWS: Final[Mapping[str, Callable[[TypedLine], Place]]] = {
    "campaign show": lambda said: _named("checklist", said, "ticket"),
    "campaign list": lambda _said: Place("home"),
    "jobs": lambda said: _named("jobs", said, "job"),
    "journal": lambda said: _named("journal", said, "ticket"),
}
"""Looks that have a view of their own."""


def place_of(verb: str, given: Mapping[str, object], *, reason: str = "") -> Place:
    """Return the place of a command's form.

    Parameters
    ----------
    verb : str
        Such as ``campaign new``.
    given : mapping
        Field name to raw value; half a command will do.
    reason : str
        For the journal.

    Raises
    ------
    UserInputError
        If there is no such verb.
    """
    cls = registered().get(verb)
    if cls is None:
        raise UserInputError(f"no verb {verb!r}", hint="cabstand --help")
    return Place("do", tuple(words_for(cls, given, reason=reason)))


def place_of_line(line: str) -> "Place | None":
    """Return where a proposed line leads: the view that shows it, or its form; None for another repository's.

    Parameters
    ----------
    line : str
        A ``cabstand ...`` line, with or without a comment. A comment alone leads nowhere.

    Raises
    ------
    UserInputError
        If it is no line of Cabstand.
    """
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    said = read_line(line)
    if said.repository:
        return None
    if said.cls.verb == "generate" and said.given.get("graph"):
        return _graph(said)
    is_change = said.cls.verb == "jobs" and bool(said.given.get("resume") or said.given.get("cancel"))
    if said.cls.verb in _VIEWS and not is_change:
        return _VIEWS[said.cls.verb](said)
    return place_of(said.cls.verb, said.given, reason=said.reason)


def _graph(said: TypedLine) -> Place:
    ticket = str(said.given.get("of_ticket") or said.given.get("ticket") or "")
    calib_type = str(said.given.get("calib_type") or "")
    options = {
        "ticket": ticket,
        "at": str(said.given.get("at") or ""),
        "instrument": said.given.get("instrument") or "",
    }
    return Place("graph", (calib_type,) if calib_type else (), {k: str(v) for k, v in options.items() if v})


def _named(view: str, said: TypedLine, field: str) -> Place:
    name = said.given.get(field)
    return Place(view, (str(name),) if name else ())
