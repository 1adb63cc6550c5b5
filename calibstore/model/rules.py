"""The rules with their ids: what each refuses or warns of, how severe it is where, and the way out.

The table is `rules_data.txt`; tests hold it against the source and against what repositories of both kinds do.
"""

import difflib
import functools
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Final

from calibstore.errors import NotFoundError

KINDS: Final = ("main", "user", "test", "rehearsal")
"""Kinds of repositories."""

_STRICT: Final = ("main", "rehearsal")


class Severity(StrEnum):
    """What a rule does to a step that breaks it."""

    REFUSE = "refuse"
    """Nothing is done."""
    ASK = "ask"
    """A name must be typed first."""
    WARN = "warn"
    """It is done, and said."""
    OFF = "off"
    """It does not occur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule."""

    id: str
    """Stable, such as ``E-NOMODE``."""
    group: str
    """What it is about."""
    severities: tuple[Severity, ...]
    """One for each of `KINDS`."""
    what: str
    """What is refused or warned of, in plain words."""
    why: str
    remedy: str

    def severity(self, kind: str) -> Severity:
        """Return how severe it is in a kind of repository."""
        return self.severities[KINDS.index(kind)]

    @property
    def severity_text(self) -> str:
        """One word, or a word for each kind, such as ``refuse (main, rehearsal), warn (user, test)``."""
        words = list(dict.fromkeys(self.severities))
        if len(words) == 1:
            return str(words[0])
        told = []
        for word in words:
            kinds = [kind for kind, one in zip(KINDS, self.severities, strict=True) if one is word]
            told.append(f"{word} ({', '.join(kinds)})")
        return ", ".join(told)


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, by group."""
    text = resources.files("calibstore.model").joinpath("rules_data.txt").read_text(encoding="utf-8")
    found: list[Rule] = []
    group = reason = ""
    for line in text.splitlines():
        if line.startswith("["):
            group, _, reason = line[1:].partition("] ")
        elif line and not line.startswith("#"):
            id_, severity, what, remedy, *why = line.split(" | ")
            found.append(
                Rule(
                    id=id_,
                    group=group,
                    severities=_severities(severity),
                    what=what,
                    why=why[0] if why else reason,
                    remedy=remedy,
                )
            )
    return tuple(found)


def group_reasons() -> dict[str, str]:
    """Return every group of rules with the reason for it, in order."""
    text = resources.files("calibstore.model").joinpath("rules_data.txt").read_text(encoding="utf-8")
    heads = (line[1:].partition("] ") for line in text.splitlines() if line.startswith("["))
    return {group: reason for group, _, reason in heads}


def rule(id_: str) -> Rule:
    """Return one rule by its id; upper and lower case are the same, and the E- or W- may be left out.

    Raises
    ------
    NotFoundError
        E-NOTFOUND, with the nearest id.
    """
    wanted = id_.strip().upper()
    known = {one.id: one for one in rules()}
    for name in (wanted, f"E-{wanted}", f"W-{wanted}"):
        if name in known:
            return known[name]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "cabstand doctor --rules lists them"
    raise NotFoundError(f"no rule {id_!r}", hint=hint)


def _severities(text: str) -> tuple[Severity, ...]:
    words = [Severity(word) for word in text.split("/")]
    if len(words) == len(KINDS):
        return tuple(words)
    return tuple(words[0] if kind in _STRICT else words[-1] for kind in KINDS)
