"""ISO-8601 text to integer nanoseconds and back, without a time scale.

A count here is what a clock with days of 86 400 s shows since 1970-01-01; whether that clock keeps TAI or UTC is the
caller's knowledge. Everything is integer arithmetic, so no nanosecond is lost.
"""

import datetime
import re
from typing import Final

from calibstore.errors import UserInputError

NS_PER_S: Final = 1_000_000_000
NS_PER_DAY: Final = 86_400 * NS_PER_S
EPOCH_ORDINAL: Final = datetime.date(1970, 1, 1).toordinal()
ISO_HINT: Final = "write a time as 2025-04-01T20:30:00 or 2025-04-01"

_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?)?"
)


def iso_to_ns(text: str) -> int:
    """Return nanoseconds since 1970-01-01 on the clock of the text.

    Parameters
    ----------
    text : str
        ``YYYY-MM-DD``, optionally ``T`` or a blank and ``HH:MM[:SS[.fraction]]``; at most nine decimals, no zone.

    Returns
    -------
    int
        Nanoseconds [ns]; negative before 1970.

    Raises
    ------
    UserInputError
        If the text has another form, names a day or hour that does not exist, is a leap second (``:60``), or has
        more than nine decimals.
    """
    found = _ISO.fullmatch(text.strip())
    if found is None:
        raise UserInputError(f"'{text}' is not a time", hint=ISO_HINT, code="E-TIMEFORM")
    day = date_to_days(found["date"])
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if second == 60:
        raise UserInputError(
            f"'{text}' is inside a leap second",
            hint="give the second before it (:59), or the same instant in TAI",
            code="E-LEAPSECOND",
        )
    for name, value, limit in (("hour", hour, 23), ("minute", minute, 59), ("second", second, 59)):
        if value > limit:
            raise UserInputError(
                f"'{text}': {name} {value} is not in 0..{limit}",
                hint="midnight at the end of a day is T00:00:00 of the next day",
                code="E-TIMEFORM",
            )
    fraction = found["fraction"] or ""
    if len(fraction) > 9:
        raise UserInputError(
            f"'{text}' has {len(fraction)} decimals of a second",
            hint="give at most nine (nanoseconds)",
            code="E-TIMEFORM",
        )
    return day * NS_PER_DAY + (hour * 3600 + minute * 60 + second) * NS_PER_S + int(fraction.ljust(9, "0") or 0)


def date_to_days(text: str) -> int:
    """Return days since 1970-01-01 of a ``YYYY-MM-DD`` date.

    Raises
    ------
    UserInputError
        If there is no such day.
    """
    try:
        return datetime.date.fromisoformat(text).toordinal() - EPOCH_ORDINAL
    except ValueError:
        raise UserInputError(
            f"there is no day {text}", hint="check month and day; the order is year-month-day", code="E-NODAY"
        ) from None


def ns_to_iso(ns: int, decimals: int | None = None) -> str:
    """Return the ISO text of a count of nanoseconds.

    Parameters
    ----------
    ns : int
        Nanoseconds since 1970-01-01 [ns].
    decimals : int, optional
        Decimals of the second, 0 to 9; later digits are cut off, not rounded, so that the text never names a later
        second or day. By default as many as an exact text needs.

    Returns
    -------
    str
        ``YYYY-MM-DDTHH:MM:SS[.fraction]``.
    """
    days, rest = divmod(ns, NS_PER_DAY)
    seconds, fraction_ns = divmod(rest, NS_PER_S)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    digits = f"{fraction_ns:09d}"
    digits = digits.rstrip("0") if decimals is None else digits[:decimals]
    return f"{days_to_date(days)}T{clock}" + (f".{digits}" if digits else "")


def days_to_date(days: int) -> str:
    """Return the ``YYYY-MM-DD`` date of a count of days since 1970-01-01."""
    return datetime.date.fromordinal(days + EPOCH_ORDINAL).isoformat()
