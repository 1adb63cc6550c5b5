"""What is valid when, and which one wins: rows and segments of a dataset type, or one line per type."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import did_you_mean
from calibstore.model.names import top_chain_of
from calibstore.model.times import parse_time
from calibstore.model.timespan import MAX_TAI_NS
from calibstore.services.context import Context
from calibstore.services.looks.in_use import certifiable_types
from calibstore.services.looks.timeline_parts import Stretch, TimelineLook, TimelineRow, Track
from calibstore.services.looks.timeline_rows import compared, of_type, overview
from calibstore.services.moments import read_moment, require_collection, require_order
from calibstore.services.segments import load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

__all__ = ["Stretch", "TimelineLook", "TimelineRow", "Track", "exposure_counts", "read_time", "timeline_look"]

_EXPOSURE_DIGITS: Final = 12
"""An exposure id has at least so many."""


def timeline_look(
    context: Context,
    *,
    dataset_type: str = "",
    instrument: str = "",
    detector: int | None = None,
    physical_filter: str = "",
    chain: str = "",
    at: str = "",
    exposure: int = 0,
    begin: str = "",
    end: str = "",
    compare: str = "",
    draft: Sequence[str] | None = None,
    at_state: int | None = None,
) -> TimelineLook:
    """Read a timeline.

    Parameters
    ----------
    context : Context
        The repository and the clock.
    dataset_type : str
        Empty: all types, one line each.
    instrument : str
        By default the first one's.
    detector : int, optional
        By default the first with something to show.
    physical_filter : str
        For types that are looked up by filter; by default the first.
    chain : str
        Where the search begins; by default the top chain.
    at : str
        Where the cursor stands, as people write times or as an exposure id; by default now.
    exposure : int
        The exposure to explain, instead.
    begin, end : str
        Limits of the view.
    compare : str
        Ticket chain to compare with, as if it were put first.
    draft : sequence of str, optional
        Members to compare with, as if they were the chain's list.
    at_state : int, optional
        As the repository was at that state; by default as it is now.

    Raises
    ------
    CabstandError
        If something that is named does not exist, or a time is none.
    """
    now = context.clock()
    with context.unit_of_work() as uow:
        known = uow.repository.instruments()
        if not known:
            raise UserInputError(
                "the repository has no instrument", hint="cabstand init PATH --camera NAME makes one with a camera"
            )
        camera = uow.repository.camera(instrument or known[0])
        top = chain or top_chain_of(camera.instrument)
        moment, last_state = read_moment(uow, at_state), uow.journal.last_state()
        if chain:
            require_collection(uow.associations.tree(at_state=at_state), chain, moment)
        types = certifiable_types(uow)
        if dataset_type and dataset_type not in types:
            near = did_you_mean(dataset_type, types)
            raise NotFoundError(
                f"no timeline of {dataset_type!r}: it is no calibration type that is certified",
                hint=f"did you mean {near}?" if near else f"there are: {', '.join(types)}",
                code="E-DATASETTYPE",
            )
        view = load_view(
            uow,
            [top, *([compare] if compare and draft is None else []), *(draft or ())],
            dataset_types=[dataset_type] if dataset_type else tuple(types),
            at_state=at_state,
        )
        segments = view.segments([top])
        look = TimelineLook(
            dataset_type=dataset_type, instrument=camera.instrument, top=top, detector=detector or 0,
            physical_filter=physical_filter, types=tuple(types), filters=(),
            detectors=tuple(one.id for one in camera.detectors if one.purpose != "GUIDER"),
            rows=(), wins=Track(label="WINS", stretches=()), groups=(), now_tai_ns=now, time_zone=camera.time_zone,
            day_obs_offset_h=camera.day_obs_offset_h, segments=segments,
            at_state=None if at_state is None or at_state >= last_state else at_state, last_state=last_state,
        )  # fmt: skip
        if dataset_type:
            look = of_type(look, camera, detector)
            look = compared(uow, look, view, compare, draft)
        else:
            look = overview(look, types)
        return _placed_in_time(uow, look, camera, at=at, exposure=exposure, begin=begin, end=end)


def read_time(context: Context, text: str, *, instrument: str) -> tuple[int, int]:
    """Return (instant [TAI ns], exposure id or 0) of a time, day_obs, MJD or exposure id as people type it.

    Raises
    ------
    CabstandError
        If it is none of them.
    """
    with context.unit_of_work() as uow:
        camera = uow.repository.camera(instrument)
        return _when(uow, camera, text)


def exposure_counts(
    context: Context, *, instrument: str, begin_tai_ns: int, cell_ns: int, n_cells: int
) -> dict[int, int]:
    """Return how many exposures began in each cell of a time axis that has any."""
    with context.unit_of_work() as uow:
        return uow.exposures.counts_by_cell(instrument, begin_tai_ns, cell_ns, n_cells)


def _placed_in_time(
    uow: "UnitOfWork", look: TimelineLook, camera: Camera, *, at: str, exposure: int, begin: str, end: str
) -> TimelineLook:
    offset = camera.day_obs_offset_h
    first = parse_time(begin, day_obs_offset_h=offset).tai_ns if begin else None
    last = parse_time(end, role="end", day_obs_offset_h=offset).tai_ns if end else None
    if first is not None and last is not None:
        require_order(first, last)
    if exposure:
        instant, found = _exposure(uow, camera, exposure)
    else:
        instant, found = _when(uow, camera, at) if at else (look.now_tai_ns, 0)
    look = replace(look, at_tai_ns=instant, until_tai_ns=instant + 1, begin_tai_ns=first, end_tai_ns=last)
    if not found:
        return look
    record = uow.exposures.by_ids(camera.instrument, [found])[0]
    text = f"{record.observation_type}, {record.physical_filter}" if record.physical_filter else record.observation_type
    return replace(
        look,
        exposure=found,
        exposure_text=text,
        until_tai_ns=record.timespan.end_tai_ns,
    )


def _exposure(uow: "UnitOfWork", camera: Camera, exposure: int) -> tuple[int, int]:
    found = uow.exposures.by_ids(camera.instrument, [exposure])
    if not found:
        raise NotFoundError(
            f"no exposure {exposure} of {camera.instrument}",
            hint="cabstand exposures lists them; a time or a day_obs also does",
            code="E-EXPOSURE",
        )
    return found[0].timespan.begin_tai_ns, found[0].id


def _when(uow: "UnitOfWork", camera: Camera, text: str) -> tuple[int, int]:
    body = text.strip()
    if body.isdigit() and len(body) >= _EXPOSURE_DIGITS:
        return _exposure(uow, camera, int(body))
    parsed = parse_time(body, day_obs_offset_h=camera.day_obs_offset_h)
    return min(parsed.tai_ns, MAX_TAI_NS - 1), 0
