"""Reading single cards: text, numbers, times, each refused in one line that names file, card and value."""

import math
import re
from collections.abc import Mapping
from typing import Final

from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import UserInputError
from calibstore.model.times import iso_to_ns, utc_to_tai_ns
from calibstore.model.timespan import Timespan

SCALES: Final = ("utc", "tai", "tt")
TT_MINUS_TAI_NS: Final = 32_184_000_000
_SLASHED_DATE = re.compile(r"\d{4}/\d{2}/\d{2}.*")


def text_of(cards: Mapping[str, CardValue], *keys: str) -> str:
    """Return the first of these cards that says something, as text; empty when none does."""
    for key in keys:
        value = cards.get(key)
        if value is None or isinstance(value, bool):
            continue
        if shown := str(value).strip():
            return shown
    return ""


def number_of(cards: Mapping[str, CardValue], key: str, *, name: str) -> float | None:
    """Return a card as a finite number, None where it is missing or blank.

    Raises
    ------
    UserInputError
        If it is there and no number.
    """
    value = cards.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserInputError(
            f"{name}: card {key} = {value!r} is not a number", hint="mend the card in a copy", code="E-RAW-CARD"
        )
    return number


def seconds_of(cards: Mapping[str, CardValue], key: str, *, name: str) -> float | None:
    """Return a card as a duration [s], None where it is missing.

    Raises
    ------
    UserInputError
        If it is no number or negative.
    """
    seconds = number_of(cards, key, name=name)
    if seconds is not None and seconds < 0:
        raise UserInputError(
            f"{name}: card {key} = {seconds:g} s is negative", hint="mend the card in a copy", code="E-RAW-EXPTIME"
        )
    return seconds


def time_of(cards: Mapping[str, CardValue], key: str, scale: str, *, name: str) -> int | None:
    """Return a date card [TAI ns], None where it is missing.

    Parameters
    ----------
    cards : mapping
        The header.
    key : str
        A card such as ``DATE-OBS``.
    scale : str
        One of `SCALES`; a trailing ``Z`` in the card overrules it with UTC.
    name : str
        File name for messages.

    Raises
    ------
    UserInputError
        If the card is no time.
    """
    clock = clock_of(cards, key, scale, name=name)
    if clock is None:
        return None
    ns, scale = clock
    try:
        return utc_to_tai_ns(ns) if scale == "utc" else ns - (TT_MINUS_TAI_NS if scale == "tt" else 0)
    except UserInputError as problem:
        raise _not_a_time(name, key, problem) from problem


def clock_of(cards: Mapping[str, CardValue], key: str, scale: str, *, name: str) -> tuple[int, str] | None:
    """Return a date card as its clock shows it [ns since 1970] and its scale, None where it is missing.

    Raises
    ------
    UserInputError
        If the card is no time.
    """
    text = text_of(cards, key)
    if not text:
        return None
    if text.endswith("Z"):
        text, scale = text[:-1], "utc"
    if _SLASHED_DATE.fullmatch(text):
        text = text.replace("/", "-")
    try:
        return iso_to_ns(text), scale
    except UserInputError as problem:
        raise _not_a_time(name, key, problem) from problem


def timespan_of(begin_tai_ns: int, end_tai_ns: int, *, name: str) -> Timespan:
    """Return the range of an exposure.

    Raises
    ------
    UserInputError
        If it is outside 1970..2100.
    """
    try:
        return Timespan(begin_tai_ns, end_tai_ns)
    except UserInputError as problem:
        raise UserInputError(
            f"{name}: {problem.message}", hint="mend the date cards in a copy", code="E-RAW-TIME"
        ) from problem


def _not_a_time(name: str, key: str, problem: UserInputError) -> UserInputError:
    return UserInputError(f"{name}: card {key}: {problem.message}", hint="mend the card in a copy", code="E-RAW-TIME")


def state_of(cards: Mapping[str, CardValue], keywords: tuple[str, ...]) -> dict[str, str]:
    """Return the camera-state cards that are there, as text (logicals as T and F)."""
    state: dict[str, str] = {}
    for key in keywords:
        value = cards.get(key)
        if isinstance(value, bool):
            state[key] = "T" if value else "F"
        elif value is not None and (shown := str(value).strip()):
            state[key] = shown
    return state
