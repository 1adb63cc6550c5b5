"""What was used last night against what would be used now.

Used then: the look-up as the repository was at the end of the night, at the times of the night's exposures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.model.camera import Camera
from calibstore.model.names import find_name, top_chain_of
from calibstore.model.times import day_obs_timespan
from calibstore.model.timespan import Timespan
from calibstore.services.looks.in_use import certifiable_types, keys_of
from calibstore.services.segments import KeySegments, Segments, load_view, unlike

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class NightChange:
    """Exposures of last night whose calibration is not the one in use now."""

    dataset_type: str
    physical_filter: str
    used: str
    """Collection that won for them; empty: nothing applied."""
    now: str
    n_exposures: int
    n_detectors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastNight:
    """The last night with exposures."""

    day_obs: int
    n_exposures: int
    state: int
    """State of the repository at its end; 0 when it did not exist yet."""
    changes: tuple[NightChange, ...]


def last_night(uow: "UnitOfWork", segments: Segments, camera: Camera, *, now_tai_ns: int) -> LastNight | None:
    """Compare the look-up of last night's exposures, as it was then, with the look-up at an instant.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    segments : Segments
        Of the top chain as it is now.
    camera : Camera
        Whose exposures.
    now_tai_ns : int
        The present instant [TAI ns].

    Returns
    -------
    LastNight or None
        None without exposures.
    """
    last = uow.exposures.last_begin(camera.instrument, now_tai_ns)
    if last is None:
        return None
    night = day_obs_timespan(last[1], camera.day_obs_offset_h)
    exposures = uow.exposures.begun_in(camera.instrument, night)
    state = uow.journal.state_at(max((one.end_tai_ns for one, _ in exposures), default=0))
    if not state:
        return LastNight(day_obs=last[1], n_exposures=len(exposures), state=0, changes=())
    top = top_chain_of(camera.instrument)
    then = load_view(uow, [top], at_state=state).segments([top])
    changes: list[NightChange] = []
    for dataset_type, has_filter in certifiable_types(uow).items():
        changes += _changes(
            dataset_type,
            keys_of(then, dataset_type, camera.instrument),
            keys_of(segments, dataset_type, camera.instrument),
            [one for one in exposures if one[1] or not has_filter],
            has_filter=has_filter,
            now_tai_ns=now_tai_ns,
        )
    return LastNight(day_obs=last[1], n_exposures=len(exposures), state=state, changes=tuple(changes))


def _changes(
    dataset_type: str,
    then: dict[str, dict[int, KeySegments]],
    now: dict[str, dict[int, KeySegments]],
    exposures: Sequence[tuple[Timespan, str]],
    *,
    has_filter: bool,
    now_tai_ns: int,
) -> list[NightChange]:
    counts: dict[tuple[str, str, str], dict[int, int]] = {}
    for physical_filter in sorted({*then, *now}):
        spans = [span for span, used in exposures if not has_filter or used == physical_filter]
        old, new = then.get(physical_filter, {}), now.get(physical_filter, {})
        used_by = {id(one.pattern): _used(one, spans) for one in unlike(old.values())}
        for detector in sorted({*old, *new}):
            present = new[detector].at(now_tai_ns) if detector in new else None
            used = _datasets(old[detector], used_by) if detector in old else [("", "", len(spans))][: len(spans)]
            for collection, dataset, n in used:
                if dataset == (present.row.dataset_id if present else ""):
                    continue
                key = (physical_filter, collection, present.member.name if present else "")
                counts.setdefault(key, {})[detector] = n
    return [
        NightChange(
            dataset_type=dataset_type,
            physical_filter=physical_filter,
            used=used,
            now=present,
            n_exposures=max(by_detector.values()),
            n_detectors=len(by_detector),
        )
        for (physical_filter, used, present), by_detector in counts.items()
    ]


def _used(found: KeySegments, spans: Sequence[Timespan]) -> dict[int, int]:
    """Return how many exposures each of what is held won for, by its place; -1 where nothing did."""
    counts: dict[int, int] = {}
    places = {id(one): place for place, one in enumerate(found.placed)}
    for span in spans:
        # Several winners are an ambiguity: that look-up failed, so nothing was used.
        winners = found.winners(span)
        place = places[id(winners[0])] if len(winners) == 1 else -1
        counts[place] = counts.get(place, 0) + 1
    return counts


def _datasets(found: KeySegments, used_by: dict[int, dict[int, int]]) -> list[tuple[str, str, int]]:
    """Return (collection, dataset id, number of exposures) of what won for some exposures."""
    counts: dict[tuple[str, str], int] = {}
    for place, n in used_by[id(found.pattern)].items():
        owner = found.placed[place] if place >= 0 else None
        key = (owner.member.name, owner.row.dataset_id) if owner is not None else ("", "")
        counts[key] = counts.get(key, 0) + n
    return [(collection, dataset, n) for (collection, dataset), n in counts.items()]


def told(collection: str) -> str:
    """Return a certified collection as people say it: its last part and the ticket."""
    if not collection:
        return "nothing"
    name = find_name(collection)
    leaf = collection.rsplit("/", maxsplit=1)[-1]
    return f"{leaf} ({name.ticket})" if name is not None and name.ticket else leaf
