"""Times inside ``T'...'``, in the Butler's formats and scales."""

import re
from fractions import Fraction
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.times import NS_PER_DAY, NS_PER_S, ParsedTime, iso_to_ns, ns_to_iso, parse_time, utc_to_tai_ns
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS

TT_MINUS_TAI_NS: Final = 32_184_000_000
"""Terrestrial Time runs this much ahead of TAI [ns] (IAU 1991)."""
_CXC_EPOCH: Final = "1998-01-01T00:00:00"
"""Zero of the Chandra mission's clock, in TT."""
_JD_OF_MJD_0: Final = Fraction(4_800_001, 2)

_PARTS = re.compile(r"(?:(?P<format>[a-z]\w*)/)?(?P<body>[^/]*?)(?:/(?P<scale>[a-z]\w*))?", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?|-?\.\d+")
_YEAR_DAY = re.compile(r"(?P<year>\d{4}):(?P<day>\d{1,3})(?::(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d*)?)?))?")
_FORMATS: Final = ("iso", "isot", "fits", "yday", "mjd", "jd", "unix", "cxcsec")
_SCALES: Final = ("tai", "utc", "tt")
TIME_HINT: Final = (
    "write T'2025-04-01T20:00:00' (UTC), T'2025-04-01T20:00:00/tai', T'60766.5' (MJD, TAI), T'yday/2025:091', or "
    "T'unix/1743537600'"
)


def read_where_time(text: str) -> ParsedTime:
    """Read what stands inside ``T'...'``.

    Parameters
    ----------
    text : str
        Optional ``format/`` before and ``/scale`` behind. Without a scale ISO forms, yday and unix are UTC, cxcsec is
        TT and the rest TAI, as in the Butler.

    Raises
    ------
    UserInputError
        If it is no time, or outside 1970..2100.
    """
    found = _PARTS.fullmatch(text.strip())
    kind = (found["format"] or "").lower() if found else ""
    scale = (found["scale"] or "").lower() if found else ""
    body = found["body"].strip() if found else text.strip()
    if kind and kind not in _FORMATS:
        raise UserInputError(
            f"there is no time format {kind!r}", hint=f"known: {', '.join(_FORMATS)}", code="E-TIMEFORM"
        )
    if scale and scale not in _SCALES:
        raise UserInputError(
            f"there is no time scale {scale!r} here", hint=f"known: {', '.join(_SCALES)}", code="E-TIMEFORM"
        )
    if kind in ("jd", "unix", "cxcsec"):
        return _echoed(_from_number(kind, body, scale), text)
    if kind == "yday" or _YEAR_DAY.fullmatch(body):
        body = _from_year_day(body)
    elif kind == "fits":
        body = body.removeprefix("+")
    if scale == "tt":
        return _echoed(parse_time(body, default_scale="tai").tai_ns - TT_MINUS_TAI_NS, text)
    named = f"mjd {body}" if kind == "mjd" else body
    return parse_time(f"{named}/{scale}" if scale else named, default_scale="utc")


def _from_number(kind: str, body: str, scale: str) -> int:
    if not _NUMBER.fullmatch(body):
        raise UserInputError(f"{body!r} is no number, as {kind} needs", hint=TIME_HINT, code="E-TIMEFORM")
    value = Fraction(body)
    scale = scale or {"jd": "tai", "unix": "utc", "cxcsec": "tt"}[kind]
    if kind == "jd":
        ns = round((value - _JD_OF_MJD_0 - 40587) * NS_PER_DAY)
    elif kind == "unix":
        ns = round(value * NS_PER_S)
    else:
        ns = iso_to_ns(_CXC_EPOCH) + round(value * NS_PER_S)
    if not MIN_TAI_NS <= ns <= MAX_TAI_NS:
        raise UserInputError(f"{kind} {body} is outside 1970..2100", hint=TIME_HINT, code="E-TIMERANGE")
    return {"tai": ns, "utc": utc_to_tai_ns(ns), "tt": ns - TT_MINUS_TAI_NS}[scale]


def _from_year_day(body: str) -> str:
    found = _YEAR_DAY.fullmatch(body)
    if found is None or not 1 <= int(found["day"]) <= 366:
        raise UserInputError(
            f"{body!r} is no year and day", hint="write T'yday/2025:091' or T'2025:091:20:00:00'", code="E-TIMEFORM"
        )
    first = iso_to_ns(f"{found['year']}-01-01T00:00:00")
    date = ns_to_iso(first + (int(found["day"]) - 1) * NS_PER_DAY)[:10]
    if date[:4] != found["year"]:
        raise UserInputError(f"{found['year']} has no day {found['day']}", hint=TIME_HINT, code="E-TIMEFORM")
    return f"{date}T{found['clock']}" if found["clock"] else date


def _echoed(tai_ns: int, text: str) -> ParsedTime:
    if not MIN_TAI_NS <= tai_ns <= MAX_TAI_NS:
        raise UserInputError(f"{text} is outside 1970..2100", hint=TIME_HINT, code="E-TIMERANGE")
    return parse_time(ns_to_iso(tai_ns), default_scale="tai")
