"""Validity ranges as people type them: read, echoed in every scale, and held against the exposures."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.times import (
    NS_PER_DAY,
    UNBOUNDED,
    begin_text,
    day_obs_of,
    day_obs_timespan,
    end_text,
    ns_to_iso,
    parse_time,
    time_views,
)
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

FAR_FUTURE_NS: Final = 10 * 365 * NS_PER_DAY
"""An end later than this from now is taken for "until superseded"."""


@dataclass(frozen=True, slots=True)
class RangeView:
    """A range with what stands around it."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...]
    data: dict[str, object] = field(default_factory=dict)


def read_range(begin_date: str, end_date: str, camera: Camera, *, kept: Timespan | None = None) -> Timespan:
    """Read a begin and an end.

    Parameters
    ----------
    begin_date, end_date : str
        As typed; empty for unbounded. A day_obs means its start as a begin, and through that day as an end.
    camera : Camera
        Tells when its observing day begins.
    kept : Timespan, optional
        A range that is changed: it gives the side that is left out.

    Raises
    ------
    UserInputError
        If one is no time, outside 1970..2100, or the begin is not before the end.
    """
    offset_h = camera.day_obs_offset_h
    begin_label, end_label = f"--begin-date {begin_date or UNBOUNDED}", f"--end-date {end_date or UNBOUNDED}"
    if kept is not None and not begin_date:
        begin_date, begin_label = begin_option(kept), "the begin that is kept"
    if kept is not None and not end_date:
        end_date, end_label = end_option(kept), "the end that is kept"
    begin = parse_time(begin_date or UNBOUNDED, role="begin", day_obs_offset_h=offset_h)
    end = parse_time(end_date or UNBOUNDED, role="end", day_obs_offset_h=offset_h)
    if begin.tai_ns >= end.tai_ns:
        relation = "is the same instant as" if begin.tai_ns == end.tai_ns else "is after"
        raise UserInputError(
            f"{begin_label} ({begin.understood_as}) {relation} {end_label} ({end.understood_as})",
            hint="the begin is inside the range, the end is the first instant after it; leave the end out to keep it "
            "open",
            code="E-TIMEORDER",
        )
    return Timespan(begin.tai_ns, end.tai_ns)


def view_range(uow: "UnitOfWork", camera: Camera, timespan: Timespan, *, now_tai_ns: int) -> RangeView:
    """Return begin and end in TAI, UTC, local time and day_obs, with the exposures around them."""
    lines: list[str] = []
    warnings: list[str] = []
    data: dict[str, object] = {}
    for name, instant in (("begin", timespan.begin_tai_ns), ("end", timespan.end_tai_ns)):
        data[f"{name}_tai_ns"] = instant
        if instant in (MIN_TAI_NS, MAX_TAI_NS):
            lines.append(f"{name:<5}  {begin_text(instant) if name == 'begin' else end_text(instant)}")
            continue
        views = time_views(instant, camera.time_zone, camera.day_obs_offset_h)
        last = day_obs_of(instant - 1, camera.day_obs_offset_h)
        # The first instant of a day ends a range that holds the whole day before.
        day = f"through day_obs {last}" if name == "end" and last != views.day_obs else f"day_obs {views.day_obs}"
        lines.append(f"{name:<5}  {views.tai} TAI; {day}")
        lines.append(f"       {' = '.join(part for part in (f'{views.utc} UTC', views.local) if part)}")
        data[name] = {"tai": views.tai, "utc": views.utc, "local": views.local, "day_obs": views.day_obs}
        around = uow.exposures.around(camera.instrument, instant)
        before, cut, after = around
        lines.append(f"       before it  {_told(before)}")
        lines += [f"       cut by it  {_told(exposure)}" for exposure in cut]
        lines.append(f"       after it   {_told(after)}")
        data[f"{name}_exposures"] = {
            "before": before.id if before else None,
            "cut": [exposure.id for exposure in cut],
            "after": after.id if after else None,
        }
        warnings += _boundary_warnings(name, instant, camera, around)
    if timespan.is_bounded_end and timespan.end_tai_ns - now_tai_ns > FAR_FUTURE_NS:
        warnings.append(
            f"W-FAREND the end {ns_to_iso(timespan.end_tai_ns)} is far in the future: if it means 'until superseded', "
            "leave --end-date out; a newer calibration placed first takes over by itself"
        )
    return RangeView(tuple(lines), tuple(warnings), data)


def begin_option(timespan: Timespan) -> str:
    """Return a begin as `--begin-date` takes it; empty for unbounded."""
    return ns_to_iso(timespan.begin_tai_ns) if timespan.is_bounded_begin else ""


def end_option(timespan: Timespan) -> str:
    """Return an end as `--end-date` takes it; empty for open."""
    return ns_to_iso(timespan.end_tai_ns) if timespan.is_bounded_end else ""


def explicit_dates(timespan: Timespan) -> tuple[str, str]:
    """Return begin and end for a command that keeps what is left out."""
    return begin_option(timespan) or UNBOUNDED, end_option(timespan) or UNBOUNDED


def date_words(timespan: Timespan) -> list[str]:
    """Return the date options of a line; unbounded sides are left out."""
    begin, end = begin_option(timespan), end_option(timespan)
    return [*(["--begin-date", begin] if begin else []), *(["--end-date", end] if end else [])]


def _boundary_warnings(
    name: str,
    instant: int,
    camera: Camera,
    around: tuple[Exposure | None, tuple[Exposure, ...], Exposure | None],
) -> list[str]:
    before, cut, after = around
    warnings = []
    if cut:
        ids = ", ".join(str(exposure.id) for exposure in cut)
        warnings.append(
            f"W-STRADDLE the {name} cuts exposure {ids} in two: with a neighbouring range in the same collection its "
            "look-up would be ambiguous"
        )
    night = day_obs_timespan(day_obs_of(instant, camera.day_obs_offset_h), camera.day_obs_offset_h)
    is_inside = before is not None and night.contains(before.timespan.begin_tai_ns) and instant != night.begin_tai_ns
    if name == "begin" and is_inside and before is not None:
        follows = f"exposure {after.id} is the first after it" if after else "no exposure follows it yet"
        warnings.append(
            f"W-NIGHT the begin is inside the observing night {before.day_obs}: exposure {before.id} is the last "
            f"before it, {follows}; to take the whole night, begin at --begin-date {before.day_obs}"
        )
    return warnings


def _told(exposure: Exposure | None) -> str:
    if exposure is None:
        return "no exposure"
    begin, end = (ns_to_iso(ns, 0) for ns in (exposure.timespan.begin_tai_ns, exposure.timespan.end_tai_ns))
    until = f" to {end[11:]}" if end != begin else ""
    return f"exposure {exposure.id} {exposure.observation_type}, {begin}{until} TAI"
