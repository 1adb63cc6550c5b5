"""Times as people give and read them: TAI, UTC, day_obs, MJD and local time, all one TAI count.

A time without a zone is TAI (UTC where the caller says so, as inside ``T'...'``); what was understood is echoed with
the other scale. Nothing here reads a clock.
"""

import datetime
import re
import zoneinfo
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from calibstore.errors import UserInputError
from calibstore.model.iso_time import EPOCH_ORDINAL, NS_PER_DAY, NS_PER_S, days_to_date, iso_to_ns, ns_to_iso
from calibstore.model.leap_seconds import (
    FIRST_UTC_TAI_NS,
    LEAP_SECONDS,
    tai_minus_utc_s,
    tai_to_utc_ns,
    utc_text,
    utc_to_tai_ns,
)
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan

__all__ = [
    "LEAP_SECONDS",
    "NS_PER_DAY",
    "NS_PER_S",
    "ParsedTime",
    "TimeViews",
    "begin_text",
    "day_obs_of",
    "day_obs_timespan",
    "describe",
    "end_text",
    "iso_to_ns",
    "mjd_of",
    "ns_to_iso",
    "parse_time",
    "tai_minus_utc_s",
    "tai_to_utc_ns",
    "time_views",
    "timespan_text",
    "utc_text",
    "utc_to_tai_ns",
]

Scale = Literal["tai", "utc"]
Role = Literal["begin", "end"]

DAY_OBS_OFFSET_H: Final = 12.0
"""Hours after TAI midnight at which an observing day begins, unless the camera says otherwise."""
UNBOUNDED: Final = "unbounded"
MJD_OF_EPOCH: Final = 40587
TIME_HINT: Final = (
    "give TAI (2025-04-01T20:30:00), UTC (2025-04-01T20:30:00Z or +02:00), day_obs (20250401) or MJD (mjd 60766.5)"
)

_SUFFIX = re.compile(r"(?P<body>.*?\S)(?:\s*/\s*|\s+)(?P<scale>tai|utc)", re.IGNORECASE)
_ZONE = re.compile(r"(?P<body>.*\d{2}:\d{2}\S*?)\s*(?P<sign>[+-])(?P<hours>\d{2})(?::?(?P<minutes>\d{2}))?")
_DAY_OBS = re.compile(r"(?:day_obs\s*[= ]?\s*)?(?P<day>\d{8})", re.IGNORECASE)
_MJD = re.compile(r"(?:mjd\s*[=/ ]?\s*(?P<named>\d{1,6}(?:\.\d*)?)|(?P<bare>\d{5}(?:\.\d*)?))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedTime:
    """An instant and how its text was read."""

    tai_ns: int
    understood_as: str
    """Such as ``2025-04-01T00:00:37 TAI (= 2025-04-01T00:00:00 UTC; day_obs 20250331)``."""


@dataclass(frozen=True, slots=True)
class TimeViews:
    """One instant in every form people ask for."""

    tai: str
    utc: str
    """Empty before 1972."""
    day_obs: int
    local: str
    """With offset and zone name; empty without a zone."""

    def text(self) -> str:
        """Return one line with all of them."""
        parts = [f"{self.tai} TAI"]
        parts += [f"{self.utc} UTC"] if self.utc else []
        parts += [self.local] if self.local else []
        return f"{' = '.join(parts)}; day_obs {self.day_obs}"


def parse_time(
    text: str, *, default_scale: Scale = "tai", role: Role = "begin", day_obs_offset_h: float = DAY_OBS_OFFSET_H
) -> ParsedTime:
    """Read a time as people write it.

    Parameters
    ----------
    text : str
        ISO with an optional scale (``TAI``, ``/tai``, ``UTC``, ``/utc``, ``Z``, ``+02:00``), day_obs (``20250401``),
        MJD (``60766.5`` or ``mjd 60766.5``, TAI unless ``/utc``), or ``unbounded``.
    default_scale : {"tai", "utc"}
        Scale of an ISO time without one.
    role : {"begin", "end"}
        A day_obs means its start as a begin, and "through that day" as an end.
    day_obs_offset_h : float
        Hours after TAI midnight at which an observing day begins [h].

    Returns
    -------
    ParsedTime
        The instant and its echo.

    Raises
    ------
    UserInputError
        If the text is no time, names a day or hour that does not exist, or is outside 1970..2100.
    """
    body = text.strip()
    if body.lower() == UNBOUNDED:
        tai_ns = MIN_TAI_NS if role == "begin" else MAX_TAI_NS
        return ParsedTime(tai_ns, begin_text(tai_ns) if role == "begin" else end_text(tai_ns))
    scale, zone_minutes, body = _take_scale(body, text)
    if (day := _DAY_OBS.fullmatch(body)) is not None:
        if scale is not None:
            raise UserInputError(
                f"'{text}': a day_obs has no time scale",
                hint=f"give the day_obs alone: {day['day']}",
                code="E-TIMEFORM",
            )
        return _parse_day_obs(int(day["day"]), role, day_obs_offset_h)
    if (mjd := _MJD.fullmatch(body)) is not None:
        ns, default_scale = _mjd_to_ns(mjd["named"] or mjd["bare"], text), "tai"
    elif re.match(r"\d{4}-\d\d-\d\d", body):
        ns = iso_to_ns(body) - zone_minutes * 60 * NS_PER_S
    else:
        raise UserInputError(f"'{text}' is not a time", hint=TIME_HINT, code="E-TIMEFORM")
    _require_range(ns, text)
    tai_ns = utc_to_tai_ns(ns) if (scale or default_scale) == "utc" else ns
    _require_range(tai_ns, text)
    return ParsedTime(tai_ns, _echo(tai_ns, role, day_obs_offset_h))


def day_obs_timespan(day_obs: int, offset_h: float = DAY_OBS_OFFSET_H) -> Timespan:
    """Return the range of an observing day: [D + offset, D + offset + 24 h) TAI.

    Parameters
    ----------
    day_obs : int
        Observing day, yyyymmdd.
    offset_h : float
        Hours after TAI midnight [h].

    Raises
    ------
    UserInputError
        If there is no such day, or it is outside 1970..2100.
    """
    text = f"{day_obs:08d}"
    try:
        ordinal = datetime.datetime.strptime(text, "%Y%m%d").toordinal()  # noqa: DTZ007  a day has no zone
    except ValueError:
        raise UserInputError(
            f"there is no day_obs {text}", hint="a day_obs is yyyymmdd, such as 20250401", code="E-NODAY"
        ) from None
    begin_ns = (ordinal - EPOCH_ORDINAL) * NS_PER_DAY + round(offset_h * 3600) * NS_PER_S
    for limit_ns in (begin_ns, begin_ns + NS_PER_DAY):
        _require_range(limit_ns, f"day_obs {text}")
    return Timespan(begin_ns, begin_ns + NS_PER_DAY)


def day_obs_of(tai_ns: int, offset_h: float = DAY_OBS_OFFSET_H) -> int:
    """Return the observing day (yyyymmdd) of an instant.

    Parameters
    ----------
    tai_ns : int
        The instant [TAI ns].
    offset_h : float
        Hours after TAI midnight at which an observing day begins [h].
    """
    return int(days_to_date((tai_ns - round(offset_h * 3600) * NS_PER_S) // NS_PER_DAY).replace("-", ""))


def time_views(
    tai_ns: int, time_zone: str | None = None, day_obs_offset_h: float = DAY_OBS_OFFSET_H, decimals: int | None = None
) -> TimeViews:
    """Return one instant as TAI, UTC, day_obs and local time.

    Parameters
    ----------
    tai_ns : int
        The instant [TAI ns].
    time_zone : str, optional
        IANA zone of the site.
    day_obs_offset_h : float
        Hours after TAI midnight at which an observing day begins [h].
    decimals : int, optional
        Decimals of the seconds of TAI and UTC, cut off; by default as many as needed.

    Raises
    ------
    UserInputError
        If the zone is unknown.
    """
    utc, local = "", ""
    if tai_ns >= FIRST_UTC_TAI_NS:
        utc = utc_text(tai_ns, decimals)
        if time_zone is not None:
            since = datetime.timedelta(seconds=tai_to_utc_ns(tai_ns) // NS_PER_S)
            moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + since
            local = f"{moment.astimezone(_zone(time_zone)).isoformat()} {time_zone}"
    return TimeViews(ns_to_iso(tai_ns, decimals), utc, day_obs_of(tai_ns, day_obs_offset_h), local)


def describe(tai_ns: int, time_zone: str | None = None, day_obs_offset_h: float = DAY_OBS_OFFSET_H) -> str:
    """Return one line with an instant in TAI, UTC, local time and day_obs; the limits read as unbounded."""
    if tai_ns in (MIN_TAI_NS, MAX_TAI_NS):
        return begin_text(tai_ns) if tai_ns == MIN_TAI_NS else end_text(tai_ns)
    return time_views(tai_ns, time_zone, day_obs_offset_h).text()


def mjd_of(tai_ns: int) -> float:
    """Return the modified Julian date of an instant [d], TAI; a double tells about a microsecond."""
    return MJD_OF_EPOCH + tai_ns / NS_PER_DAY


def begin_text(tai_ns: int) -> str:
    """Return a begin as ISO TAI text; the smallest reads ``unbounded (always was)``."""
    return f"{UNBOUNDED} (always was)" if tai_ns <= MIN_TAI_NS else ns_to_iso(tai_ns)


def end_text(tai_ns: int) -> str:
    """Return an end as ISO TAI text; the largest reads ``unbounded (until further notice)``."""
    return f"{UNBOUNDED} (until further notice)" if tai_ns >= MAX_TAI_NS else ns_to_iso(tai_ns)


def timespan_text(timespan: Timespan) -> str:
    """Return a range in the Butler's notation, such as ``[2024-01-02T00:00:00, ∞)``."""
    begin = f"[{ns_to_iso(timespan.begin_tai_ns)}" if timespan.is_bounded_begin else "(-∞"
    end = ns_to_iso(timespan.end_tai_ns) if timespan.is_bounded_end else "∞"
    return f"{begin}, {end})"


def _take_scale(body: str, text: str) -> tuple[Scale | None, int, str]:
    """Return scale, zone offset [min] and the rest of a time text."""
    scale: Scale | None = None
    if (suffix := _SUFFIX.fullmatch(body)) is not None:
        scale = "tai" if suffix["scale"].lower() == "tai" else "utc"
        body = suffix["body"]
    minutes, has_zone = 0, False
    if body[-1:] in ("Z", "z"):
        body, has_zone = body[:-1].rstrip(), True
    elif (zone := _ZONE.fullmatch(body)) is not None:
        hours, rest = int(zone["hours"]), int(zone["minutes"] or 0)
        if hours > 14 or rest > 59:
            raise UserInputError(f"'{text}': no zone is that far from UTC", hint=TIME_HINT, code="E-TIMEFORM")
        body, has_zone = zone["body"], True
        minutes = (hours * 60 + rest) * (-1 if zone["sign"] == "-" else 1)
    if has_zone and scale == "tai":
        raise UserInputError(f"'{text}' gives both a zone and TAI", hint="leave one of them out", code="E-TIMEFORM")
    return ("utc" if has_zone else scale), minutes, body


def _parse_day_obs(day_obs: int, role: Role, offset_h: float) -> ParsedTime:
    day = day_obs_timespan(day_obs, offset_h)
    tai_ns, meaning = (day.begin_tai_ns, "start of") if role == "begin" else (day.end_tai_ns, "through")
    return ParsedTime(tai_ns, _echo(tai_ns, role, offset_h, f"{meaning} day_obs {day_obs}"))


def _mjd_to_ns(number: str, text: str) -> int:
    ns = (Fraction(number) - MJD_OF_EPOCH) * NS_PER_DAY
    if ns.denominator != 1:
        raise UserInputError(
            f"'{text}' is finer than a nanosecond", hint="give fewer decimals of the MJD", code="E-TIMEFORM"
        )
    return int(ns)


def _require_range(ns: int, text: str) -> None:
    if not MIN_TAI_NS <= ns <= MAX_TAI_NS:
        raise UserInputError(
            f"'{text}' is outside 1970-01-01..2100-01-01 TAI",
            hint="leave the begin or end out for an unbounded range",
            code="E-TIMERANGE",
        )


def _echo(tai_ns: int, role: Role, offset_h: float, day_text: str = "") -> str:
    if role == "begin" and tai_ns == MIN_TAI_NS:
        return begin_text(tai_ns)
    if role == "end" and tai_ns == MAX_TAI_NS:
        return end_text(tai_ns)
    views = time_views(tai_ns, None, offset_h)
    utc = f"= {views.utc} UTC; " if views.utc else ""
    return f"{views.tai} TAI ({utc}{day_text or f'day_obs {views.day_obs}'})"


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UserInputError(
            f"unknown time zone '{name}'", hint="give an IANA name such as America/Santiago", code="E-ZONE"
        ) from None
