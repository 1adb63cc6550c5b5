"""Grammar of the parts that DMTN-222 collection names are built of."""

import re
from typing import Final

from calibstore.errors import UserInputError

PART: Final = r"[A-Za-z0-9._~+-]+"
GRAMMARS: Final = {
    "instrument": (r"[A-Za-z0-9][A-Za-z0-9._+-]{0,31}", "1 to 32 letters, digits and . _ + -, such as LATISS"),
    "ticket": (r"[A-Z]+-\d+", "capital letters, a hyphen and digits, such as DM-48520"),
    "tag": (rf"(?!\.\.?$){PART}", "a short reason without slash or blank, such as newSequencer"),
    "rerun": (r"\d{8}[a-z]", "YYYYMMDD and a letter, such as 20250401a"),
    "band": (r"[A-Za-z0-9]+", "the band, such as g"),
}
"""Parts of a name: pattern, and the same in words."""


def check_part(part: str, value: str) -> str:
    """Return a part of a name unchanged.

    Parameters
    ----------
    part : str
        instrument, ticket, tag, rerun or band.
    value : str
        As given.

    Raises
    ------
    UserInputError
        If the value breaks the grammar of the part.
    """
    pattern, grammar = GRAMMARS[part]
    if not re.fullmatch(pattern, value):
        raise UserInputError(f"{part} '{value}' is not well formed", hint=f"give {grammar}", code="E-NAME")
    return value


def validate_ticket(ticket: str) -> str:
    """Return a ticket key unchanged.

    Raises
    ------
    UserInputError
        If it is not capital letters, a hyphen and digits.
    """
    return check_part("ticket", ticket)


def validate_user_prefix(user_prefix: str) -> str:
    """Return a user prefix unchanged.

    Raises
    ------
    UserInputError
        If it is neither empty nor parts that each end with a slash, or a part is ``calib``.
    """
    if user_prefix and not user_prefix.endswith("/"):
        raise UserInputError(
            f"user prefix '{user_prefix}' has no slash at its end",
            hint=f"give '{user_prefix}/': it is put before the instrument as it is",
            code="E-NAME",
        )
    if not re.fullmatch(rf"(?:{PART}/)*", user_prefix) or "calib" in user_prefix.split("/"):
        raise UserInputError(
            f"'{user_prefix}' is no user prefix", hint="give empty text, or such as u/someone/", code="E-NAME"
        )
    return user_prefix
