"""Questions about collections, datasets and look-up."""

import fnmatch
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.store import Explain, QueryCollections, QueryDatasets
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.exposure import Exposure
from calibstore.model.lives import LinkLife
from calibstore.model.names import top_chain_of
from calibstore.model.search_path import Association
from calibstore.model.times import ns_to_iso, parse_time, timespan_text
from calibstore.model.timespan import MAX_TAI_NS, Timespan
from calibstore.services.actions import Answer
from calibstore.services.chain_listing import listed_rows, listed_under, parents_of
from calibstore.services.context import Context
from calibstore.services.dataset_pages import certified_ranges, first_page
from calibstore.services.dataset_selection import DatasetFilter
from calibstore.services.explaining import (
    EMPTY,
    REMOVED,
    Boundary,
    Candidate,
    Explanation,
    explain_lookup,
)
from calibstore.services.explaining_text import describe_candidate, of_instant
from calibstore.services.instruments import one_instrument
from calibstore.services.layout import folded
from calibstore.services.moments import read_moment, require_collection
from calibstore.services.rejections import STILL_IN_USE, rejected_datasets

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_DAY_OBS_DIGITS: Final = 8
_EMPTY_JOINED: Final = 3
"""So many collections in a row without anything of the type are told in one line."""


def query_collections(command: QueryCollections, context: Context) -> Answer:
    """List collections."""
    types = tuple(CollectionType(one.upper()) for one in command.collection_type)
    with context.unit_of_work() as uow:
        moment = read_moment(uow, command.at_state, command.as_of)
        tree = uow.associations.tree(at_state=moment.at_state)
        records = {one.name: one for one in uow.collections.list()}
    names = [
        name
        for name in sorted(tree.types)
        if fnmatch.fnmatchcase(name, command.glob) and (not types or tree.types[name] in types)
    ]
    if not names and not any(character in command.glob for character in "*?["):
        require_collection(tree, command.glob, moment)
    rows = listed_rows(tree, names, command.chains)
    if command.chains == "flatten":
        names = [name for _depth, name in rows]
    width = max((2 * depth + len(name) for depth, name in rows), default=4)
    lines = [*moment.lines(), f"{'NAME':<{width}}  TYPE"]
    for depth, name in rows:
        own = f"{'  ' * depth + name:<{width}}  {tree.types[name]}"
        lines += [own, *(f"  {under}" for under in listed_under(tree, name, command.chains))]
    if not rows:
        lines = [f"no collection matches {command.glob!r}"]
    data = [
        {
            "name": name,
            "type": str(tree.types[name]),
            "children": list(tree.children.get(name, ())),
            "parents": list(parents_of(tree, name)),
            # What is gone has no record any more; both stay with a collection as long as it lives.
            "origin": records[name].origin if name in records else None,
            "doc": records[name].doc if name in records else None,
        }
        for name in names
    ]
    return Answer(lines=tuple(lines), data=data)


def query_datasets(command: QueryDatasets, context: Context) -> Answer:
    """List datasets with RUN, and the collections and ranges in which they are certified."""
    if command.limit < 1:
        raise UserInputError(f"--limit {command.limit} is less than 1", hint="leave it out for 200 rows")
    with context.unit_of_work() as uow:
        known = uow.repository.dataset_types()
        types = [name for name in known if fnmatch.fnmatchcase(name, command.dataset_type)]
        if not types:
            near = did_you_mean(command.dataset_type, known)
            raise NotFoundError(
                f"no dataset type matches {command.dataset_type!r}",
                hint=f"did you mean {near}?" if near else f"known: {', '.join(sorted(known))}",
                code="E-DATASETTYPE",
            )
        moment = read_moment(uow, command.at_state, command.as_of)
        tree = uow.associations.tree(at_state=moment.at_state)
        for name in command.collections:
            require_collection(tree, name, moment)
        if command.collections or command.where or moment.is_past:
            searched = [member.name for member in tree.walk(command.collections or sorted(tree.types))]
            rows = uow.associations.rows(searched, tree, dataset_types=types, at_state=moment.at_state)
            rows.read_facts(link[3] for name in searched for link in rows.links(name))
            found = _distinct(_fitting(uow, types, command.where, rows), searched)
            shown, n_found = found[: command.limit], len(found)
        else:
            shown, n_found = first_page(uow, tree, types, command.limit)
        certified = certified_ranges(uow, tree, shown, moment)
        records = uow.datasets.by_ids((row.dataset_id for row in shown), also_removed=moment.is_past)
    lines = [*moment.lines(), *_dataset_lines(shown, certified)]
    if n_found > len(shown):
        lines.append(f"{len(shown)} of {n_found} shown; --limit {n_found} shows all")
    if not n_found:
        where = f" in {', '.join(command.collections)}" if command.collections else ""
        fits = " that fits the selection" if command.where else ""
        lines.append(f"no {command.dataset_type} dataset{where}{fits}")
    data = [
        {
            "id": row.dataset_id,
            "dataset_type": row.dataset_type,
            "data_id": row.data_key,
            "run": row.run,
            "unit": records[row.dataset_id].unit if row.dataset_id in records else None,
            "content_sha256": row.content_sha256,
            "path": records[row.dataset_id].path if row.dataset_id in records else None,
            "certified": [_certified_data(one) for one in certified.get(row.dataset_id, ())],
        }
        for row in shown
    ]
    return Answer(lines=tuple(lines), data=data)


def explain(command: Explain, context: Context) -> Answer:
    """Tell which calibration applies to an exposure or an instant, and why every other one lost."""
    with context.unit_of_work() as uow:
        instrument = one_instrument(uow, command.instrument)
        camera = uow.repository.camera(instrument)
        moment = read_moment(uow, command.at_state, command.as_of)
        subject = _subject(uow, camera, command.exposure, command.filter)
        if command.detector not in {one.id for one in camera.detectors}:
            numbers = [one.id for one in camera.detectors]
            raise NotFoundError(
                f"{instrument} has no detector {command.detector}",
                hint=f"it has {min(numbers)} to {max(numbers)}" if len(numbers) > 1 else f"it has {min(numbers)} only",
            )
        top = command.collection or top_chain_of(instrument)
        found = explain_lookup(
            uow,
            dataset_type=command.dataset_type,
            instrument=instrument,
            detector=command.detector,
            timespan=subject.timespan,
            collections=[top],
            physical_filter=subject.physical_filter,
            with_elsewhere=True,
            at_state=moment.at_state,
        )
        rejected = rejected_datasets(uow)
    if subject.exposure is None:
        found = replace(
            found,
            candidates=tuple(replace(one, reason=of_instant(one.reason)) for one in found.candidates),
            elsewhere=tuple(replace(one, reason=of_instant(one.reason)) for one in found.elsewhere),
        )
    lines = [
        f"{command.dataset_type} for {subject.text} of {instrument}, detector {command.detector}",
        *folded(subject.detail, "  ", "  "),
        f"  search begins at {top}",
        *(f"  {line}" for line in moment.lines()),
        "",
        *_verdict_lines(found, top),
        *_boundary_lines(found),
        *([""] if found.candidates else []),
    ]
    lines += _candidate_lines(found.candidates)
    for title, chosen in (
        ("Not searched:", [one for one in found.elsewhere if one.verdict != REMOVED]),
        ("No longer certified:", [one for one in found.elsewhere if one.verdict == REMOVED]),
    ):
        if chosen:
            lines += ["", title, *(line for candidate in chosen for line in describe_candidate(candidate))]
    data = {
        "exposure": subject.exposure,
        "begin_tai_ns": subject.timespan.begin_tai_ns,
        "end_tai_ns": subject.timespan.end_tai_ns,
        "detector": command.detector,
        "instrument": instrument,
        "dataset_type": command.dataset_type,
        "collection": top,
        "state": moment.number,
        "winner": _candidate_data(found.winner) if found.winner else None,
        "rejected_by": rejected.get(found.winner.dataset_id) if found.winner else None,
        "is_ambiguous": found.is_ambiguous,
        "boundaries": [_boundary_data(one) for one in found.boundaries],
        "candidates": [_candidate_data(one) for one in found.candidates],
        "elsewhere": [_candidate_data(one) for one in found.elsewhere],
    }
    return Answer(lines=tuple(lines), data=data, warnings=_rejection_told(found.winner, rejected, top))


def _rejection_told(winner: Candidate | None, rejected: Mapping[str, str], top: str) -> tuple[str, ...]:
    """Tell that the board rejected what applies; the look-up itself takes no notice of that."""
    if winner is None or winner.dataset_id not in rejected:
        return ()
    told = f"{STILL_IN_USE}: the board Rejected {winner.dataset_id[:8]} ({rejected[winner.dataset_id]})"
    return (f"W-REJECTEDLIVE {told}, and {top} leads to it in {winner.collection}",)


def _candidate_lines(candidates: Sequence[Candidate]) -> list[str]:
    """Return the candidates for people; a ticket's other collections hold nothing of the type, one line tells that."""
    lines: list[str] = []
    for is_empty, group in itertools.groupby(candidates, lambda one: one.verdict == EMPTY):
        some = list(group)
        if is_empty and len(some) >= _EMPTY_JOINED:
            numbers = f"{some[0].order}-{some[-1].order}"
            lines.append(f"{numbers:>2}  {EMPTY}  {len(some)} collections that hold nothing of this type")
        else:
            lines += [line for one in some for line in describe_candidate(one)]
    return lines


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a calibration is looked up for."""

    text: str
    detail: str
    timespan: Timespan
    physical_filter: str
    exposure: int | None


def _subject(uow: "UnitOfWork", camera: Camera, text: str, physical_filter: str) -> _Subject:
    """Read an exposure id, or else a time; an id that is stored is never taken for a day_obs."""
    body = text.strip()
    if body.isdigit() and (len(body) != _DAY_OBS_DIGITS or uow.exposures.by_ids(camera.instrument, [int(body)])):
        exposure = _find_exposure(uow, camera.instrument, int(body))
        if physical_filter and physical_filter != exposure.physical_filter:
            raise UserInputError(
                f"exposure {exposure.id} was taken with {exposure.physical_filter or 'no filter'}, "
                f"not {physical_filter}",
                hint="leave --filter out: the exposure tells it",
            )
        detail = f"{exposure.observation_type}, {_from_to(exposure.timespan)} TAI, day_obs {exposure.day_obs}"
        return _Subject(f"exposure {exposure.id}", detail, exposure.timespan, exposure.physical_filter, exposure.id)
    try:
        parsed = parse_time(body, day_obs_offset_h=camera.day_obs_offset_h)
    except UserInputError as problem:
        raise UserInputError(
            f"EXPOSURE: {text!r} is neither an exposure id nor a time",
            hint=f"cabstand exposures lists ids; for a look-up without exposure {problem.hint}",
            code=problem.code,
        ) from problem
    begin = min(parsed.tai_ns, MAX_TAI_NS - 1)
    return _Subject(f"{ns_to_iso(begin)} TAI", parsed.understood_as, Timespan(begin, begin + 1), physical_filter, None)


def _boundary_lines(found: Explanation) -> list[str]:
    """Name both calibrations at each boundary inside the exposure."""
    lines: list[str] = []
    for one in found.boundaries:
        lines += folded(f"A boundary lies inside the exposure, at {ns_to_iso(one.tai_ns)} TAI:", hanging="  ")
        for label, row in (("before", one.before), ("after", one.after)):
            told = f"{row.dataset_id[:8]} of {row.collection}" if row else "nothing"
            lines.append(f"  {label:<6}  {told}")
    if found.boundaries and found.winner is not None:
        lines += folded("The first in search order that touches the exposure applies to all of it.", "  ")
    elif found.is_ambiguous:
        lines += folded("Both are of one collection: let their ranges meet between two exposures.", "  ")
    return lines


def _boundary_data(one: Boundary) -> dict[str, object]:
    return {
        "tai_ns": one.tai_ns,
        "before": {"dataset_id": one.before.dataset_id, "collection": one.before.collection} if one.before else None,
        "after": {"dataset_id": one.after.dataset_id, "collection": one.after.collection} if one.after else None,
    }


def _fitting(
    uow: "UnitOfWork", types: Sequence[str], where: str, rows: Mapping[str, tuple[Association, ...]]
) -> Mapping[str, tuple[Association, ...]]:
    if not where:
        return rows
    kept = set(DatasetFilter(uow, types, where).kept(row for held in rows.values() for row in held))
    return {name: tuple(row for row in held if row in kept) for name, held in rows.items()}


def _distinct(rows: Mapping[str, tuple[Association, ...]], order: list[str]) -> list[Association]:
    """Return every dataset once, RUNs in the order they were found."""
    found: dict[str, Association] = {}
    for name in order:
        for row in rows.get(name, ()):
            found.setdefault(row.dataset_id, row)
    return sorted(found.values(), key=lambda row: (row.dataset_type, row.run, row.data_key))


def _dataset_lines(shown: list[Association], certified: dict[str, list[LinkLife]]) -> list[str]:
    """Return rows under headings that say what they share: type, RUN, and where they are certified."""
    lines: list[str] = []
    heading: tuple[str, ...] = ()
    for row in shown:
        told = tuple(
            line
            for one in certified.get(row.dataset_id, ())
            for line in (
                f"  certified {timespan_text(one.timespan) if one.timespan else ''}",
                f"    in {one.collection}",
            )
        )
        if (row.dataset_type, row.run, *told) != heading:
            heading = (row.dataset_type, row.run, *told)
            lines += [f"{row.dataset_type} in RUN {row.run}", *told]
        lines.append(f"    {row.dataset_id[:8]}  {row.data_key}")
    return lines


def _certified_data(one: LinkLife) -> dict[str, object]:
    return {
        "collection": one.collection,
        "begin_tai_ns": one.timespan.begin_tai_ns if one.timespan else None,
        "end_tai_ns": one.timespan.end_tai_ns if one.timespan else None,
    }


def _find_exposure(uow: "UnitOfWork", instrument: str, exposure_id: int) -> Exposure:
    found = uow.exposures.by_ids(instrument, [exposure_id])
    if not found:
        raise NotFoundError(
            f"no exposure {exposure_id} of {instrument}",
            hint="cabstand exposures lists them; cabstand ingest takes new ones in",
            code="E-EXPOSURE",
        )
    return found[0]


def _from_to(timespan: Timespan) -> str:
    begin, end = ns_to_iso(timespan.begin_tai_ns, 0), ns_to_iso(timespan.end_tai_ns, 0)
    return begin if begin == end else f"{begin} to {end}"


def _verdict_lines(found: Explanation, top: str) -> list[str]:
    if found.winner is not None:
        winner = found.winner
        return [f"Applies: {winner.dataset_id} (#{winner.order})", f"  from {winner.collection}"]
    if found.is_ambiguous:
        numbers = ", ".join(f"#{one.order}" for one in found.candidates if one.verdict == "AMBIGUOUS")
        told = f"Ambiguous: the look-up fails, because {numbers} of one collection both touch the exposure"
        return folded(told, hanging="  ")
    if not found.candidates:
        return folded(f"Nothing applies: {top} leads to no collection with datasets", hanging="  ")
    return ["Nothing applies: every candidate below misses, each for its own reason"]


def _candidate_data(one: Candidate) -> dict[str, object]:
    return {
        "order": one.order,
        "path": list(one.path),
        "collection": one.collection,
        "collection_type": one.collection_type,
        "dataset_id": one.dataset_id or None,
        "run": one.run or None,
        "data_id": one.data_key,
        "begin_tai_ns": one.timespan.begin_tai_ns if one.timespan else None,
        "end_tai_ns": one.timespan.end_tai_ns if one.timespan else None,
        "verdict": one.verdict,
        "reason": one.reason,
    }


QUESTIONS = {
    "query-collections": query_collections,
    "query-datasets": query_datasets,
    "explain": explain,
}
