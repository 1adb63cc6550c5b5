"""FITS header cards to values: strings with CONTINUE, long HIERARCH keywords, numbers, logicals.

A small parser of its own, because ingest must name an unparsable card without a warning.
"""

import re
from collections.abc import Iterator
from typing import Final

CARD: Final = 80
"""Length of a card [byte]."""

CardValue = str | int | float | bool | None
Cards = dict[str, CardValue]

_STRING = re.compile(r"\s*'(?P<text>(?:[^']|'')*)'\s*(?:/.*)?")
_LOGICAL = re.compile(r"\s*(?P<text>[TF])\s*(?:/.*)?")
_NUMBER = re.compile(r"\s*(?P<text>[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?)\s*(?:/.*)?")
_COMPLEX = re.compile(r"\s*(?P<text>\([^()]*,[^()]*\))\s*(?:/.*)?")
_EMPTY = re.compile(r"\s*(?:/.*)?")
_COMMENTARY: Final = frozenset({"", "COMMENT", "HISTORY", "END"})


def parse_cards(text: str) -> Cards:
    """Return keyword and value of every value card; the first of a repeated keyword.

    Parameters
    ----------
    text : str
        Header text, a multiple of 80 characters.

    Raises
    ------
    ValueError
        With the offending card, if a value cannot be parsed.
    """
    cards: Cards = {}
    open_key = ""
    for card in split_cards(text):
        if card.startswith("CONTINUE") and open_key:
            value, previous = _string(card, 8), cards[open_key]
            if value is None or not isinstance(previous, str):
                raise ValueError(card.rstrip())
            cards[open_key] = previous[:-1] + value
            open_key = open_key if value.endswith("&") else ""
            continue
        found = _key_and_value(card)
        if found is None:
            continue
        key, value_text = found
        value_parsed = parse_value(value_text, card)
        if key in cards:
            open_key = ""
            continue
        cards[key] = value_parsed
        open_key = key if isinstance(value_parsed, str) and value_parsed.endswith("&") else ""
    return cards


def parse_value(text: str, card: str) -> CardValue:
    """Return the value of a card's value field.

    Raises
    ------
    ValueError
        With the card, if the field is no string, number, logical or blank.
    """
    if (found := _STRING.fullmatch(text)) is not None:
        return found["text"].replace("''", "'").rstrip()
    if _EMPTY.fullmatch(text) is not None:
        return None
    if (found := _LOGICAL.fullmatch(text)) is not None:
        return found["text"] == "T"
    if (found := _NUMBER.fullmatch(text)) is not None:
        digits = found["text"].upper().replace("D", "E")
        return float(digits) if any(mark in digits for mark in ".E") else int(digits)
    if (found := _COMPLEX.fullmatch(text)) is not None:
        return found["text"]
    raise ValueError(card.rstrip())


def split_cards(text: str) -> Iterator[str]:
    """Yield the cards of a header text."""
    for start in range(0, len(text), CARD):
        yield text[start : start + CARD]


def _string(card: str, start: int) -> str | None:
    found = _STRING.fullmatch(card[start:])
    return None if found is None else found["text"].replace("''", "'").rstrip()


def _key_and_value(card: str) -> tuple[str, str] | None:
    """Return keyword and value field, None for a card without a value."""
    if card.startswith("HIERARCH ") and "=" in card:
        key, _, rest = card[9:].partition("=")
        return key.strip().upper(), rest
    key = card[:8].strip().upper()
    if key in _COMMENTARY or card[8:10] not in {"= ", "="}:
        return None
    return key, card[10:]
