"""Where nothing applies: stretches of time without a calibration for some detector, and the exposures in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.commands.views import Gaps
from calibstore.model.camera import Camera
from calibstore.model.names import top_chain_of
from calibstore.model.times import parse_time
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.layout import counted, folded, listed, number_ranges, range_text
from calibstore.services.looks.in_use import keys_of
from calibstore.services.moments import read_moment, require_order
from calibstore.services.segments import KeySegments, Segments, load_view, unlike
from calibstore.services.shadows import tops_asked, types_asked

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_EXPOSURES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch without an answer, the same for some detectors."""

    dataset_type: str
    physical_filter: str
    """Empty for types without one."""
    timespan: Timespan
    detectors: tuple[int, ...]
    exposures: tuple[int, ...]
    """Those whose look-up finds nothing for these detectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapReport:
    """What is lacking below one collection, for one instrument."""

    top: str
    instrument: str
    n_detectors: int
    """Of the camera, guiders left out."""
    gaps: tuple[Gap, ...]
    """In order of type, filter and time."""
    never: tuple[tuple[str, str, tuple[int, ...]], ...]
    """(dataset type, filter, detectors that have nothing at any time)."""
    unknown: tuple[str, ...]
    """Dataset types of which nothing at all is found."""
    n_types: int
    """Dataset types asked about."""


def gaps_of(found: KeySegments) -> tuple[Timespan, ...]:
    """Return the stretches in which nothing applies, in time order."""
    ends = (*found.begins[1:], MAX_TAI_NS)
    return tuple(
        Timespan(begin, end)
        for begin, end, owner in zip(found.begins, ends, found.owners, strict=True)
        if owner is None and begin < end
    )


def gap_report(
    uow: "UnitOfWork",
    segments: Segments,
    camera: Camera,
    *,
    top: str,
    dataset_types: tuple[str, ...],
    begin_tai_ns: int | None = None,
    end_tai_ns: int | None = None,
) -> GapReport:
    """Return the stretches in which look-ups find nothing.

    Parameters
    ----------
    uow : UnitOfWork
        Gives the exposures.
    segments : Segments
        Of the search.
    camera : Camera
        Whose detectors need calibrations; guiders do not.
    top : str
        Where the search begins, for the text.
    dataset_types : tuple of str
        Only these.
    begin_tai_ns : int, optional
        By default the first certified instant of each type and filter.
    end_tai_ns : int, optional
        By default without end.
    """
    expected = [one.id for one in camera.detectors if one.purpose != "GUIDER"]
    gaps: list[Gap] = []
    never: list[tuple[str, str, tuple[int, ...]]] = []
    unknown: list[str] = []
    for dataset_type in sorted(dataset_types):
        by_filter = keys_of(segments, dataset_type, camera.instrument)
        if not by_filter:
            unknown.append(dataset_type)
        for physical_filter, by_detector in sorted(by_filter.items()):
            lacking = tuple(one for one in expected if one not in by_detector)
            never += [(dataset_type, physical_filter, lacking)] if lacking else []
            begin = _first(by_detector) if begin_tai_ns is None else begin_tai_ns
            end = MAX_TAI_NS if end_tai_ns is None else end_tai_ns
            if begin >= end:
                continue
            within = Timespan(begin, end)
            groups: dict[Timespan, dict[Timespan, list[int]]] = {}
            found = {id(one.pattern): gaps_of(one) for one in unlike(by_detector.values())}
            for detector in expected:
                for gap in found[id(by_detector[detector].pattern)] if detector in by_detector else ():
                    shared = gap.intersection(within)
                    if shared is not None:
                        groups.setdefault(shared, {}).setdefault(gap, []).append(detector)
            gaps += [
                Gap(
                    dataset_type=dataset_type,
                    physical_filter=physical_filter,
                    timespan=shared,
                    detectors=tuple(sorted(detector for alike in wholes.values() for detector in alike)),
                    exposures=_unanswered(
                        uow,
                        camera.instrument,
                        physical_filter,
                        shared,
                        [by_detector[alike[0]] for alike in wholes.values()],
                    ),
                )
                for shared, wholes in sorted(groups.items())
            ]
    return GapReport(
        top=top,
        instrument=camera.instrument,
        n_detectors=len(expected),
        gaps=tuple(gaps),
        never=tuple(never),
        unknown=tuple(unknown),
        n_types=len(dataset_types),
    )


def _first(by_detector: Mapping[int, KeySegments]) -> int:
    return min(placed.timespan.begin_tai_ns for one in unlike(by_detector.values()) for placed in one.placed)


def _unanswered(
    uow: "UnitOfWork", instrument: str, physical_filter: str, gap: Timespan, differing: Sequence[KeySegments]
) -> tuple[int, ...]:
    # An exposure that reaches out of the gap is answered by what it touches there; detectors whose gaps have the
    # same two ends need no looking at one by one.
    return tuple(
        exposure.id
        for exposure in uow.exposures.in_timespan(instrument, gap)
        if (not physical_filter or exposure.physical_filter == physical_filter)
        and not all(found.winners(exposure.timespan) for found in differing)
    )


def gaps(command: Gaps, context: Context) -> Answer:
    """Answer where nothing applies."""
    reports: list[GapReport] = []
    with context.unit_of_work() as uow:
        moment = read_moment(uow, command.at_state, command.as_of)
        tree = uow.associations.tree(at_state=moment.at_state)
        tops = tops_asked(uow, tree, command.collection, moment)
        types = types_asked(uow, command.dataset_type)
        view = load_view(uow, tops, dataset_types=types, at_state=moment.at_state)
        for top in tops:
            segments = view.segments([top])
            for instrument in uow.repository.instruments():
                if not command.collection and top != top_chain_of(instrument):
                    continue
                camera = uow.repository.camera(instrument)
                begin, end = _limits(command, camera)
                report = gap_report(
                    uow, segments, camera, top=top, dataset_types=types, begin_tai_ns=begin, end_tai_ns=end
                )
                is_its_own = top == top_chain_of(instrument) or len(report.unknown) < len(types)
                reports += [report] if is_its_own or len(uow.repository.instruments()) == 1 else []
    lines = [*moment.lines()]
    for report in reports:
        lines += [*([""] if lines else []), *_lines(report, is_all=bool(command.begin))]
    if not reports:
        lines.append("no top chain exists yet: every look-up finds nothing")
    return Answer(lines=tuple(lines), data={"state": moment.number, "through": [_data(one) for one in reports]})


def _limits(command: Gaps, camera: Camera) -> tuple[int | None, int | None]:
    offset = camera.day_obs_offset_h
    begin = parse_time(command.begin, day_obs_offset_h=offset).tai_ns if command.begin else None
    end = parse_time(command.end, role="end", day_obs_offset_h=offset).tai_ns if command.end else None
    if begin is not None and end is not None:
        require_order(begin, end)
    return begin, end


def _lines(report: GapReport, *, is_all: bool) -> list[str]:
    n_hit = len({exposure for gap in report.gaps for exposure in gap.exposures})
    since = "" if is_all else " since the first begin"
    lines = [f"through {report.top}, {counted(report.n_detectors, 'detector')} of {report.instrument}"]
    if not report.gaps and not report.never and report.n_types > len(report.unknown):
        lines.append(f"  no gap{since}: what is certified follows on without a break")
    for gap in report.gaps:
        lines += folded(f"{_named(gap.dataset_type, gap.physical_filter)}  {range_text(gap.timespan)}", "  ", "  ")
        whose = (
            f"all {report.n_detectors} detectors"
            if len(gap.detectors) == report.n_detectors > 1
            else f"detector{'' if len(gap.detectors) == 1 else 's'} {number_ranges(gap.detectors)}"
        )
        ids = f": {listed(gap.exposures, _EXPOSURES_SHOWN)}" if gap.exposures else ""
        lines += folded(f"{whose}; {counted(len(gap.exposures), 'exposure')} without an answer{ids}", "    ", "  ")
    for dataset_type, physical_filter, detectors in report.never:
        lines += folded(
            f"{_named(dataset_type, physical_filter)}: detector{'' if len(detectors) == 1 else 's'} "
            f"{number_ranges(detectors)} never had any",
            "  ",
            "  ",
        )
    if report.unknown:
        lines += folded(f"nothing at all is found of: {', '.join(report.unknown)}", "  ", "  ")
    if n_hit:
        lines.append(f"  {counted(n_hit, 'exposure')} taken inside gaps in all")
    return lines


def _named(dataset_type: str, physical_filter: str) -> str:
    return f"{dataset_type} {physical_filter}".strip()


def _data(report: GapReport) -> dict[str, object]:
    return {
        "through": report.top,
        "instrument": report.instrument,
        "gaps": [
            {
                "dataset_type": gap.dataset_type,
                "physical_filter": gap.physical_filter or None,
                "begin_tai_ns": gap.timespan.begin_tai_ns,
                "end_tai_ns": gap.timespan.end_tai_ns,
                "detectors": list(gap.detectors),
                "exposures": list(gap.exposures),
            }
            for gap in report.gaps
        ],
        "never": [
            {"dataset_type": dataset_type, "physical_filter": physical_filter or None, "detectors": list(detectors)}
            for dataset_type, physical_filter, detectors in report.never
        ],
        "nothing_of": list(report.unknown),
    }


QUESTIONS = {"gaps": gaps}
