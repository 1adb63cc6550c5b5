"""Collections: the four types, what a name may look like, and the nearest name to a misspelled one."""

import difflib
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from calibstore.errors import UserInputError

LONG_NAME: Final = 64
"""Nominal longest collection name of the Butler [characters]; longer ones work but are warned about."""
COLLECTION_GRAMMAR: Final = "letters, digits and . _ ~ + - in parts separated by single slashes"

_PART = re.compile(r"[A-Za-z0-9._~+-]+")
_WORDS = re.compile(r"[A-Za-z]{4,}")


class CollectionType(StrEnum):
    """What a collection holds."""

    RUN = "RUN"
    """The datasets born there; each dataset has exactly one RUN for ever."""
    TAGGED = "TAGGED"
    """Links to datasets, one per dataset type and data ID; never used for processing."""
    CHAINED = "CHAINED"
    """An ordered list of other collections; look-up takes the first match."""
    CALIBRATION = "CALIBRATION"
    """Links to datasets, each with a validity timespan."""


def validate_collection_name(name: str) -> tuple[str, ...]:
    """Check the grammar of a collection name.

    Parameters
    ----------
    name : str
        The name as given.

    Returns
    -------
    tuple of str
        Warnings, empty when there is nothing to say.

    Raises
    ------
    UserInputError
        If the name is empty, has an empty or dots-only part, or a character outside the grammar.
    """
    if not name:
        raise UserInputError("a collection needs a name", hint=f"use {COLLECTION_GRAMMAR}", code="E-COLLNAME")
    for part in name.split("/"):
        if not part:
            raise _bad_name(name, "it has an empty part (a slash at the start, at the end or doubled)")
        if part in (".", ".."):
            raise _bad_name(name, f"a part may not be '{part}'")
        if not _PART.fullmatch(part):
            odd = sorted({character for character in part if not _PART.fullmatch(character)})
            raise _bad_name(name, f"it contains {', '.join(repr(character) for character in odd)}")
    if len(name) > LONG_NAME:
        return (f"collection name '{name}' has {len(name)} characters; some tools cut names at {LONG_NAME}",)
    return ()


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate nearest to a misspelled name, or None.

    Parameters
    ----------
    name : str
        What was typed.
    candidates : iterable of str
        Names that exist. One that differs in case alone wins.
    """
    known = sorted(set(candidates))
    same_but_for_case = [candidate for candidate in known if candidate.lower() == name.lower()]
    if same_but_for_case:
        return same_but_for_case[0]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return nearest[0] if nearest else None


def near_duplicates(name: str, existing: Iterable[str]) -> tuple[str, ...]:
    """Return the names that a new one could be a slip of: other case or punctuation, or one letter of a word.

    Parameters
    ----------
    name : str
        The new name.
    existing : iterable of str
        Names that exist; the name itself is passed over.

    Notes
    -----
    Numbers, reruns and bands tell collections of one kind apart (``DM-48520`` and ``DM-48521``, ``flat-g`` and
    ``flat-r``), so only words of four letters and more are compared letter by letter.
    """
    plain, words = _plain(name), _WORDS.findall(name)
    rest = _WORDS.sub("*", name)
    return tuple(
        sorted(
            other
            for other in set(existing)
            if other != name
            and (_plain(other) == plain or (_WORDS.sub("*", other) == rest and _is_slip(words, _WORDS.findall(other))))
        )
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_slip(words: list[str], others: list[str]) -> bool:
    different = [pair for pair in zip(words, others, strict=True) if pair[0] != pair[1]]
    return len(different) == 1 and _is_one_letter_off(*different[0])


def _is_one_letter_off(one: str, other: str) -> bool:
    """Tell whether a letter is wrong, missing, doubled or swapped with its neighbour."""
    if len(one) < len(other):
        one, other = other, one
    at = next((i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(other))
    if len(one) == len(other) + 1:
        return one[at + 1 :] == other[at:]
    if len(one) != len(other):
        return False
    is_swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    return one[at + 1 :] == other[at + 1 :] or is_swapped


def _bad_name(name: str, why: str) -> UserInputError:
    return UserInputError(f"collection name '{name}': {why}", hint=f"use {COLLECTION_GRAMMAR}", code="E-COLLNAME")
