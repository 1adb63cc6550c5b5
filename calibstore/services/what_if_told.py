"""A preview told stretch by stretch: who is touched, and how many exposures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.model.data_id import DataId
from calibstore.model.times import day_obs_of, day_obs_timespan
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.services.layout import counted, data_keys_text, folded, listed, range_text

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 20
"""Stretches told one by one; the rest is counted, and complete in the data."""


@dataclass(frozen=True, slots=True)
class Told:
    """A stretch with the exposures that touch it."""

    change: dict[str, object]
    past: int
    tonight: int
    future: int


def preview_data(preview: dict[str, object], touched: Sequence[Told]) -> dict[str, object]:
    """Return a preview for scripts, each stretch with its exposures."""
    changes = [
        {**one.change, "exposures": {"past": one.past, "tonight": one.tonight, "future": one.future}} for one in touched
    ]
    return {**preview, "changes": changes}


def preview_lines(preview: dict[str, object], touched: Sequence[Told]) -> list[str]:
    """Return a look-up effect for people: one block for each stretch of time."""
    lines = f"through {preview['through']}".split("\n")
    if not touched:
        return [*lines, "  nothing changes"]
    for one in touched[:_SHOWN]:
        change = one.change
        span = Timespan(_int(change["begin_tai_ns"]), _int(change["end_tai_ns"]))
        keys = _strings(change["data_ids"])
        lines += folded(f"{change['dataset_type']}, {data_keys_text(keys)}, {range_text(span)}", "  ", "  ")
        lines += [
            f"    now   {change['before'] or 'nothing'}",
            f"    then  {change['after'] or 'nothing'}",
            *folded(f"exposures in it: {one.past} past, {one.tonight} of tonight, {one.future} future", "    "),
        ]
    if len(touched) > _SHOWN:
        lines.append(f"  and {len(touched) - _SHOWN} more stretches; --json lists all")
    counts = preview["exposures"]
    if isinstance(counts, dict):
        lines.append(
            f"  exposures with another answer: {counts['past']} past, {counts['tonight']} of tonight, "
            f"{counts['future']} future"
        )
    unreachable = preview["unreachable"]
    if isinstance(unreachable, list):
        for one in unreachable:
            lines += folded(
                f"can no longer win: {counted(one['entries'], 'entry', 'entries')} of {one['collection']}", "  ", "  "
            )
    ambiguous = preview["ambiguous"]
    if isinstance(ambiguous, list) and ambiguous:
        lines += folded(
            f"the look-up of {counted(len(ambiguous), 'exposure')} would fail, across a boundary inside one "
            f"collection: {listed(ambiguous, 6)}",
            "  ",
            "  ",
        )
    return lines


def touched_keys(uow: "UnitOfWork", preview: dict[str, object], now_tai_ns: int) -> list[Told]:
    """Return each stretch of a preview with how many exposures touch it."""
    changes = preview["changes"]
    assert isinstance(changes, (list, tuple))
    seen: dict[tuple[str, str, int, int], tuple[int, int, int]] = {}
    told = []
    for change in changes:
        data_id = DataId.parse(change["data_ids"][0])
        instrument, physical_filter = str(data_id["instrument"]), str(data_id.get("physical_filter", ""))
        key = (instrument, physical_filter, change["begin_tai_ns"], change["end_tai_ns"])
        if key not in seen:
            offset_h = uow.repository.camera(instrument).day_obs_offset_h
            tonight = day_obs_timespan(day_obs_of(now_tai_ns, offset_h), offset_h)
            seen[key] = _counts(uow, instrument, physical_filter, Timespan(key[2], key[3]), tonight)
        told.append(Told(change, *seen[key]))
    return told


def _counts(
    uow: "UnitOfWork", instrument: str, physical_filter: str, span: Timespan, tonight: Timespan
) -> tuple[int, int, int]:
    """Return how many exposures that touch a stretch are past, of tonight, and future."""
    parts = [
        Timespan(MIN_TAI_NS, tonight.begin_tai_ns),
        tonight,
        Timespan(tonight.end_tai_ns, MAX_TAI_NS),
    ]
    _, cut, _ = uow.exposures.around(instrument, span.begin_tai_ns) if span.is_bounded_begin else (None, (), None)
    counts = []
    for part in parts:
        shared = part.intersection(span)
        n = 0
        if shared is not None and physical_filter:
            n = sum(one == physical_filter for _, one in uow.exposures.begun_in(instrument, shared))
        elif shared is not None:
            n = uow.exposures.count_begun(instrument, shared)
        n += sum(
            part.contains(one.timespan.begin_tai_ns)
            and one.timespan.begin_tai_ns < span.begin_tai_ns
            and physical_filter in ("", one.physical_filter)
            for one in cut
        )
        counts.append(n)
    return counts[0], counts[1], counts[2]


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _strings(value: object) -> list[str]:
    assert isinstance(value, (list, tuple))
    return [str(one) for one in value]
