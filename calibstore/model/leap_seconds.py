"""TAI - UTC from the table of leap seconds, both ways.

UTC is known here from 1972-01-01 on, when it began to differ from TAI by whole seconds; after the last row the last
difference holds until a later release brings a longer table.
"""

from bisect import bisect_right
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.iso_time import NS_PER_S, date_to_days, ns_to_iso

LEAP_SECONDS: Final = (
    ("1972-01-01", 10),
    ("1972-07-01", 11),
    ("1973-01-01", 12),
    ("1974-01-01", 13),
    ("1975-01-01", 14),
    ("1976-01-01", 15),
    ("1977-01-01", 16),
    ("1978-01-01", 17),
    ("1979-01-01", 18),
    ("1980-01-01", 19),
    ("1981-07-01", 20),
    ("1982-07-01", 21),
    ("1983-07-01", 22),
    ("1985-07-01", 23),
    ("1988-01-01", 24),
    ("1990-01-01", 25),
    ("1991-01-01", 26),
    ("1992-07-01", 27),
    ("1993-07-01", 28),
    ("1994-07-01", 29),
    ("1996-01-01", 30),
    ("1997-07-01", 31),
    ("1999-01-01", 32),
    ("2006-01-01", 33),
    ("2009-01-01", 34),
    ("2012-07-01", 35),
    ("2015-07-01", 36),
    ("2017-01-01", 37),
)
"""UTC date from which on TAI - UTC has the value [s] (IERS Bulletin C)."""

_BEGIN_UTC_NS: Final = tuple(date_to_days(date) * 86_400 * NS_PER_S for date, _ in LEAP_SECONDS)
_BEGIN_TAI_NS: Final = tuple(
    begin + seconds * NS_PER_S for begin, (_, seconds) in zip(_BEGIN_UTC_NS, LEAP_SECONDS, strict=True)
)
FIRST_UTC_TAI_NS: Final = _BEGIN_TAI_NS[0]
"""First instant that has a UTC text here (1972-01-01T00:00:00 UTC) [TAI ns]."""


def tai_minus_utc_s(utc_ns: int) -> int:
    """Return TAI - UTC [s] at an instant of UTC.

    Parameters
    ----------
    utc_ns : int
        Nanoseconds since 1970-01-01 on a UTC clock [ns].

    Raises
    ------
    UserInputError
        Before 1972, when the difference was no whole number of seconds.
    """
    row = bisect_right(_BEGIN_UTC_NS, utc_ns) - 1
    if row < 0:
        raise _before_table(f"{ns_to_iso(utc_ns)} UTC")
    return LEAP_SECONDS[row][1]


def utc_to_tai_ns(utc_ns: int) -> int:
    """Return the TAI count of an instant given on a UTC clock [ns].

    Raises
    ------
    UserInputError
        Before 1972.
    """
    return utc_ns + tai_minus_utc_s(utc_ns) * NS_PER_S


def tai_to_utc_ns(tai_ns: int) -> int:
    """Return the UTC count of an instant of TAI [ns].

    A UTC count has no room for a leap second: its instants get the counts of the second after it. `utc_text` writes
    them as ``:60``.

    Raises
    ------
    UserInputError
        Before 1972.
    """
    return tai_ns - _seconds_at_tai(tai_ns) * NS_PER_S


def is_leap_second(tai_ns: int) -> bool:
    """Tell whether an instant of TAI lies inside a leap second."""
    row = bisect_right(_BEGIN_TAI_NS, tai_ns)
    return 0 < row < len(_BEGIN_TAI_NS) and tai_ns >= _BEGIN_TAI_NS[row] - NS_PER_S


def utc_text(tai_ns: int, decimals: int | None = None) -> str:
    """Return the ISO text of an instant on a UTC clock, ``:60`` inside a leap second.

    Parameters
    ----------
    tai_ns : int
        The instant [TAI ns].
    decimals : int, optional
        As for `calibstore.model.iso_time.ns_to_iso`.

    Raises
    ------
    UserInputError
        Before 1972.
    """
    utc_ns = tai_to_utc_ns(tai_ns)
    if is_leap_second(tai_ns):
        return ns_to_iso(utc_ns - NS_PER_S, decimals).replace("T23:59:59", "T23:59:60")
    return ns_to_iso(utc_ns, decimals)


def _seconds_at_tai(tai_ns: int) -> int:
    row = bisect_right(_BEGIN_TAI_NS, tai_ns) - 1
    if row < 0:
        raise _before_table(f"{ns_to_iso(tai_ns)} TAI")
    return LEAP_SECONDS[row][1]


def _before_table(what: str) -> UserInputError:
    return UserInputError(
        f"{what}: before 1972-01-01 TAI - UTC was no whole number of seconds",
        hint="give the time in TAI, or leave a begin out for an unbounded one",
        code="E-TIMERANGE",
    )
