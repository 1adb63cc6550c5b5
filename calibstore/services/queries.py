"""Questions about collections, datasets, look-up and fingerprints."""

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.store import Explain, Fingerprint, QueryCollections, QueryDatasets
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.exposure import Exposure
from calibstore.model.names import top_chain_of
from calibstore.model.search_path import Association
from calibstore.model.times import ns_to_iso, timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.actions import Answer
from calibstore.services.chain_listing import listed_rows, listed_under, parents_of
from calibstore.services.context import Context
from calibstore.services.explaining import Candidate, Explanation, describe_candidate, explain_lookup
from calibstore.services.fingerprinting import Fingerprint as Hashes
from calibstore.services.fingerprinting import fingerprint, first_difference
from calibstore.services.instruments import one_instrument

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def query_collections(command: QueryCollections, context: Context) -> Answer:
    """List collections."""
    types = tuple(CollectionType(one.upper()) for one in command.collection_type)
    with context.unit_of_work() as uow:
        found = uow.collections.list(glob=command.glob, types=types)
        every = uow.collections.list()
        tree = uow.associations.tree()
    names = [one.name for one in found]
    if not names and not any(character in command.glob for character in "*?["):
        raise _no_collection(command.glob, [one.name for one in every])
    rows = listed_rows(tree, names, command.chains)
    if command.chains == "flatten":
        names = [name for _depth, name in rows]
    width = max((2 * depth + len(name) for depth, name in rows), default=4)
    lines = [f"{'NAME':<{width}}  TYPE"]
    for depth, name in rows:
        own = f"{'  ' * depth + name:<{width}}  {tree.types[name]}"
        lines += [own, *(f"  {under}" for under in listed_under(tree, name, command.chains))]
    if not rows:
        lines = [f"no collection matches {command.glob!r}"]
    records = {one.name: one for one in every}
    data = [
        {
            "name": name,
            "type": str(tree.types[name]),
            "children": list(tree.children.get(name, ())),
            "parents": list(parents_of(tree, name)),
            "origin": records[name].origin,
            "doc": records[name].doc,
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
        for name in command.collections:
            uow.collections.get(name)
        tree = uow.associations.tree()
        searched = [member.name for member in tree.walk(command.collections or sorted(tree.types))]
        rows = uow.associations.rows(searched, tree, dataset_types=types)
        everywhere = uow.associations.rows(
            [name for name, type_ in tree.types.items() if type_ is CollectionType.CALIBRATION],
            tree,
            dataset_types=types,
        )
        found = _distinct(rows, searched)
        shown = found[: command.limit]
        records = uow.datasets.by_ids(row.dataset_id for row in shown)
    certified: dict[str, list[Association]] = {}
    for certifications in everywhere.values():
        for one in certifications:
            certified.setdefault(one.dataset_id, []).append(one)
    lines = _dataset_lines(shown, certified)
    if len(found) > len(shown):
        lines.append(f"{len(shown)} of {len(found)} shown; --limit {len(found)} shows all")
    if not found:
        where = f" in {', '.join(command.collections)}" if command.collections else ""
        lines.append(f"no {command.dataset_type} dataset{where}")
    data = [
        {
            "id": row.dataset_id,
            "dataset_type": row.dataset_type,
            "data_id": row.data_key,
            "run": row.run,
            "unit": records[row.dataset_id].unit,
            "content_sha256": row.content_sha256,
            "path": records[row.dataset_id].path,
            "certified": [_certified_data(one) for one in certified.get(row.dataset_id, ())],
        }
        for row in shown
    ]
    return Answer(lines=tuple(lines), data=data)


def explain(command: Explain, context: Context) -> Answer:
    """Tell which calibration applies to an exposure, and why every other one lost."""
    with context.unit_of_work() as uow:
        instrument = one_instrument(uow, command.instrument)
        exposure = _find_exposure(uow, instrument, command.exposure)
        camera = uow.repository.camera(instrument)
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
            timespan=exposure.timespan,
            collections=[top],
            physical_filter=exposure.physical_filter,
            with_elsewhere=True,
        )
    lines = [
        f"{command.dataset_type} for exposure {exposure.id} of {instrument}, detector {command.detector}",
        f"  {exposure.observation_type}, {_from_to(exposure.timespan)} TAI, day_obs {exposure.day_obs}",
        f"  search begins at {top}",
        "",
        *_verdict_lines(found, top),
        *([""] if found.candidates else []),
    ]
    lines += [line for candidate in found.candidates for line in describe_candidate(candidate)]
    if found.elsewhere:
        lines += ["", "Not searched:"]
        lines += [line for candidate in found.elsewhere for line in describe_candidate(candidate)]
    data = {
        "exposure": exposure.id,
        "detector": command.detector,
        "instrument": instrument,
        "dataset_type": command.dataset_type,
        "collection": top,
        "winner": _candidate_data(found.winner) if found.winner else None,
        "is_ambiguous": found.is_ambiguous,
        "candidates": [_candidate_data(one) for one in found.candidates],
        "elsewhere": [_candidate_data(one) for one in found.elsewhere],
    }
    return Answer(lines=tuple(lines), data=data)


def show_fingerprint(command: Fingerprint, context: Context) -> Answer:
    """Hash chains, and compare them with another repository's."""
    with context.unit_of_work() as uow:
        tops = [top_chain_of(instrument) for instrument in uow.repository.instruments()]
        names = [command.collection] if command.collection else tops
        ours = {name: fingerprint(uow, name) for name in names}
    lines = [line for name, found in ours.items() for line in _fingerprint_lines(name, found)]
    data: dict[str, object] = {"fingerprints": {name: _fingerprint_data(found) for name, found in ours.items()}}
    exit_code = 0
    if command.against:
        theirs = _other(command.against, names, context)
        differences = {name: first_difference(ours[name], theirs[name]) for name in names}
        is_same = all(ours[name].effective == theirs[name].effective for name in names)
        lines += [f"against {command.against}:"]
        for name in names:
            effective = "same" if ours[name].effective == theirs[name].effective else "DIFFERENT"
            structural = "same" if ours[name].structural == theirs[name].structural else "different"
            lines.append(f"  {name}: what applies {effective}, lists {structural}")
            lines += [f"    first difference: {differences[name]}"] if differences[name] else []
        data["against"] = {
            "path": command.against,
            "is_same": is_same,
            "differences": differences,
            "fingerprints": {name: _fingerprint_data(found) for name, found in theirs.items()},
        }
        exit_code = 0 if is_same else 4
    return Answer(lines=tuple(lines), data=data, exit_code=exit_code)


def _no_collection(name: str, known: list[str]) -> NotFoundError:
    near = did_you_mean(name, known)
    hint = f"did you mean {near}?" if near else "cabstand query-collections lists them"
    return NotFoundError(f"no collection {name!r}", hint=hint, code="E-COLLECTION")


def _distinct(rows: dict[str, tuple[Association, ...]], order: list[str]) -> list[Association]:
    """Return every dataset once, RUNs in the order they were found."""
    found: dict[str, Association] = {}
    for name in order:
        for row in rows.get(name, ()):
            found.setdefault(row.dataset_id, row)
    return sorted(found.values(), key=lambda row: (row.dataset_type, row.run, row.data_key))


def _dataset_lines(shown: list[Association], certified: dict[str, list[Association]]) -> list[str]:
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


def _certified_data(one: Association) -> dict[str, object]:
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
        return [f"Ambiguous: the look-up fails, because {numbers} of one collection both touch the exposure"]
    if not found.candidates:
        return [f"Nothing applies: {top} leads to no collection with datasets"]
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


def _fingerprint_lines(name: str, found: Hashes) -> list[str]:
    return [
        name,
        f"  structural  {found.structural}",
        f"  effective   {found.effective}",
        *(f"  {place:>4}  {digest[:12]}  {member}" for place, (member, digest) in enumerate(found.members, start=1)),
    ]


def _fingerprint_data(found: Hashes) -> dict[str, object]:
    return {
        "structural": found.structural,
        "effective": found.effective,
        "members": [{"collection": name, "sha256": digest} for name, digest in found.members],
    }


def _other(path: str, names: list[str], context: Context) -> dict[str, Hashes]:
    from dataclasses import replace

    configured = context.config.repositories.get(path, path)
    other = replace(context, root=Path(configured).expanduser().absolute(), is_read_only=True)
    with other.unit_of_work() as uow:
        known = {one.name for one in uow.collections.list()}
        missing = [name for name in names if name not in known]
        if missing:
            raise NotFoundError(
                f"{other.root} has no collection {', '.join(missing)}",
                hint=f"cabstand -R {other.root} query-collections lists what it has; name one that both have",
                code="E-COLLECTION",
            )
        return {name: fingerprint(uow, name) for name in names}


QUESTIONS = {
    "query-collections": query_collections,
    "query-datasets": query_datasets,
    "explain": explain,
    "fingerprint": show_fingerprint,
}
