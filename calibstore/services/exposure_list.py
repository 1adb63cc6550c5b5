"""What `cabstand exposures` shows: a selection with its findings, or the changes of the camera's state."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from calibstore.commands.raws import ShowExposures
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.counting import counted
from calibstore.model.exposure import Exposure
from calibstore.model.times import describe, time_views
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.instruments import one_instrument
from calibstore.services.selection import ResolvedSelection, named_instrument, resolve_selection

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_WIDTH: Final = 80


def _show(command: ShowExposures, context: Context) -> Answer:
    if command.limit < 0:
        raise UserInputError(f"--limit {command.limit} is below zero", hint="--limit 0 shows counts only")
    with context.unit_of_work() as uow:
        instrument = one_instrument(uow, command.instrument or _meant(uow, command.where))
        if command.events:
            return _events(uow, instrument)
        where = command.where or f"instrument='{instrument}'"
        selection = resolve_selection(
            uow, instrument=instrument, where=where, exclude=command.exclude, calib_type=command.for_
        )
        camera = uow.repository.camera(instrument)
    refused = any(one.severity == "refuse" for one in selection.findings)
    return Answer(
        lines=tuple(_lines(selection, command.limit)), data=_data(selection, camera), exit_code=2 if refused else 0
    )


def _meant(uow: "UnitOfWork", where: str) -> str:
    """Return the instrument a selection names where the repository has it."""
    named = named_instrument(where) if where else ""
    return named if named in uow.repository.instruments() else ""


def _lines(selection: ResolvedSelection, limit: int) -> Iterator[str]:
    counts = Counter(one.observation_type for one in selection.exposures)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    n_kept = len(selection.exposures)
    left_out = f", {len(selection.excluded)} of {selection.n_matched} excluded" if selection.excluded else ""
    yield f"{n_kept} exposure{'' if n_kept == 1 else 's'} ({kinds}){left_out}"
    numbers = {exposure_id: number for number, exposure_id in enumerate(selection.matched, start=1)}
    shown = selection.exposures[:limit]
    if shown:
        yield from _rows(shown, numbers)
    if len(shown) < n_kept:
        yield f"... {n_kept - len(shown)} more; --limit {n_kept} shows all"
    told = [f"excluded #{numbers[exposure_id]} {exposure_id}: {reason}" for exposure_id, reason in selection.excluded]
    words = {"refuse": "REFUSED", "warn": "warning", "note": "note"}
    told += [f"{words[one.severity]}: {one}" for one in selection.findings]
    for text in told:
        yield from _wrapped(text)
    yield from (f"proposed: {one.words}" for one in selection.proposals)


def _wrapped(text: str) -> Iterator[str]:
    """Yield lines of at most 80 characters; a number stays with its percent sign."""
    joined = text.replace(" %", "\N{NO-BREAK SPACE}%")
    for line in textwrap.wrap(joined, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False):
        yield line.replace("\N{NO-BREAK SPACE}", " ")


def _data(selection: ResolvedSelection, camera: Camera) -> dict[str, object]:
    return {
        "instrument": selection.instrument,
        "where": selection.where,
        "n_matched": selection.n_matched,
        "exposures": [
            {
                "id": one.id,
                "obs_id": one.obs_id,
                "day_obs": one.day_obs,
                "seq_num": one.seq_num,
                "observation_type": one.observation_type,
                "physical_filter": one.physical_filter,
                "exposure_time_s": one.exposure_time_s,
                "begin": describe(one.timespan.begin_tai_ns, camera.time_zone, camera.day_obs_offset_h),
                "begin_tai_ns": one.timespan.begin_tai_ns,
                "end_tai_ns": one.timespan.end_tai_ns,
                "camera_state": one.camera_state,
            }
            for one in selection.exposures
        ],
        "excluded": [{"exposure": exposure_id, "reason": reason} for exposure_id, reason in selection.excluded],
        "findings": [{"rule": one.rule, "severity": one.severity, "text": one.text} for one in selection.findings],
        "proposed": [{"exposure": one.exposure, "rule": one.rule, "reason": one.reason} for one in selection.proposals],
    }


def _rows(shown: Sequence[Exposure], numbers: Mapping[int, int]) -> Iterator[str]:
    """Yield a table whose columns are as wide as their values need."""
    cells = [
        ("#", "exposure", "day_obs", "seq", "type", "filter", "s"),
        *(
            (
                str(numbers[one.id]),
                str(one.id),
                str(one.day_obs),
                str(one.seq_num),
                one.observation_type,
                one.physical_filter,
                f"{one.exposure_time_s:g}",
            )
            for one in shown
        ),
    ]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    to_the_right = {0, 3, 6}
    for row in cells:
        yield "  ".join(
            cell.rjust(width) if place in to_the_right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()


def _events(uow: "UnitOfWork", instrument: str) -> Answer:
    camera = uow.repository.camera(instrument)
    events = uow.exposures.camera_events(instrument)
    by_instant = {
        at: [one for one in events if one.at_tai_ns == at] for at in dict.fromkeys(e.at_tai_ns for e in events)
    }
    head = f"{counted(len(by_instant), 'change')} of the state of {instrument}"
    keywords = ", ".join(camera.state_keywords)
    lines = [head, *textwrap.wrap(f"(header keywords {keywords or 'none: its camera file names none'})", _WIDTH)]
    for at_tai_ns, together in by_instant.items():
        views = time_views(at_tai_ns, camera.time_zone, camera.day_obs_offset_h)
        lines += [
            f"{views.tai} TAI  day_obs {views.day_obs}",
            *([f"    = {views.utc} UTC"] if views.utc else []),
            *([f"    = {views.local}"] if views.local else []),
            *(
                line
                for event in together
                for line in textwrap.wrap(
                    f"{event.keyword}: {event.old_value} -> {event.new_value}",
                    _WIDTH,
                    initial_indent="    ",
                    subsequent_indent="      ",
                )
            ),
            f"    old state last seen in {together[0].exposure_before}, new one first in {together[0].exposure_after}",
        ]
    data = [
        {
            "at": describe(event.at_tai_ns, camera.time_zone, camera.day_obs_offset_h),
            "at_tai_ns": event.at_tai_ns,
            "keyword": event.keyword,
            "old": event.old_value,
            "new": event.new_value,
            "exposure_before": event.exposure_before,
            "exposure_after": event.exposure_after,
        }
        for event in events
    ]
    return Answer(lines=tuple(lines), data=data)


QUESTIONS = {"exposures": _show}
