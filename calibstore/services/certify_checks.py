"""What a certification must fulfil: source, name, unit, no overlap, every detector, the campaign's own terms."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.ranges import Recertify
from calibstore.errors import ConflictError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.calib_types import calib_names, dataset_types
from calibstore.model.camera import Camera
from calibstore.model.collections import CollectionType, did_you_mean, validate_collection_name
from calibstore.model.data_id import DataId
from calibstore.model.names import CollectionName, NameKind, find_name
from calibstore.model.records import CertificationRecord, CollectionRecord, DatasetRecord
from calibstore.model.times import ns_to_iso, timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.certified_rows import SHOWN, overlap, place
from calibstore.services.ranges import explicit_dates
from calibstore.services.rejections import rejected_datasets

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_TYPO: Final = 0.9
"""Names more alike than this (of 1) are one typed wrongly."""

"""Pixel unit of each final type; a product in another one is no such calibration."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where calibrations are certified into."""

    name: str
    parsed: CollectionName | None
    """None for a name outside the patterns (user and test repositories)."""
    warnings: tuple[str, ...]

    @property
    def ticket(self) -> str:
        """Construction ticket; empty when the name tells none."""
        return self.parsed.ticket if self.parsed else ""

    @property
    def ticket_chain(self) -> str:
        """Chain of the ticket; empty when the name tells none."""
        if self.parsed is None:
            return ""
        return CollectionName(
            kind=NameKind.TICKET_CHAIN,
            instrument=self.parsed.instrument,
            ticket=self.parsed.ticket,
            user_prefix=self.parsed.user_prefix,
        ).text()


def find_source(uow: "UnitOfWork", name: str) -> CollectionRecord:
    """Return the RUN whose datasets are certified.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    UserInputError
        If it is no RUN.
    """
    found = uow.collections.get(name)
    if found.type is CollectionType.RUN:
        return found
    runs = [member.name for _, member in uow.collections.walk(found) if member.type is CollectionType.RUN]
    told = f"it leads to RUN {', '.join(runs[:3])}" if runs else "cabstand query-collections --collection-type run"
    raise UserInputError(
        f"{name} is a {found.type} collection; certified is what was born in one RUN",
        hint=f"name the RUN itself: {told}",
        code="E-NOTRUN",
    )


def check_dataset_type(uow: "UnitOfWork", dataset_type: str) -> None:
    """Refuse types that are never certified.

    Raises
    ------
    NotFoundError
        If the type is unknown.
    UserInputError
        If it is no calibration type, or a bootstrap.
    """
    known = uow.repository.dataset_types()
    if dataset_type not in known:
        near = did_you_mean(dataset_type, known)
        raise NotFoundError(
            f"no dataset type {dataset_type!r}",
            hint=f"did you mean {near}?" if near else f"known: {', '.join(sorted(known))}",
            code="E-DATASETTYPE",
        )
    if any(one.is_bootstrap and one.dataset_type == dataset_type for one in calib_names()):
        raise UserInputError(
            f"{dataset_type} is a step towards other calibrations and is never certified",
            hint="certify the final type that is built after it, such as bias",
            code="E-UNITS",
        )
    if not known[dataset_type].is_calibration:
        raise UserInputError(
            f"{dataset_type} is no calibration type: only those have validity ranges",
            hint=f"certifiable here: {', '.join(name for name, one in known.items() if one.is_calibration)}",
            code="E-NOTCALIB",
        )


def check_target(uow: "UnitOfWork", name: str, dataset_type: str, *, is_strict: bool) -> Target:
    """Hold the name of the CALIBRATION collection against the patterns of DMTN-222.

    Raises
    ------
    UserInputError
        If the grammar is broken, or on a strict repository the pattern.
    ConflictError
        If the name belongs to a collection of another type.
    """
    warnings = [f"W-LONGNAME {told}" for told in validate_collection_name(name)]
    known = uow.collections.find(name)
    if known is not None and known.type is not CollectionType.CALIBRATION:
        raise ConflictError(
            f"{name} is a {known.type} collection, not CALIBRATION",
            hint="choose another name; a collection keeps its type",
            code="E-COLLECTIONTYPE",
        )
    parsed = find_name(name)
    problem = ""
    if parsed is None or parsed.kind is not NameKind.CERTIFIED:
        problem = f"{name} is not named like a certified collection"
    elif parsed.calib_type != dataset_type:
        problem = f"{name} is named for {parsed.calib_type}, not for {dataset_type}"
    if problem:
        if is_strict:
            raise UserInputError(
                problem,
                hint=f"<instrument>/calib/<ticket>/<tag>/{dataset_type}.<rerun>, such as "
                f"LATISS/calib/DM-48520/DP1/{dataset_type}.20250207a",
                code="E-NAME",
            )
        warnings.append(f"W-NAME {problem}")
    if known is None and problem:
        others = [one.name for one in uow.collections.list(types=(CollectionType.CALIBRATION,))]
        near = difflib.get_close_matches(name, others, n=1, cutoff=_TYPO)
        warnings += [f"W-NEARNAME {name} is new, and {near[0]} exists: was that meant?"] if near else []
    is_patterned = parsed is not None and parsed.kind is NameKind.CERTIFIED
    return Target(name, parsed if is_patterned else None, tuple(warnings))


def check_same_ticket(target: Target, run: str, *, is_strict: bool) -> Target:
    """Hold the collection's ticket against the RUN's: a digit mistyped would end in another ticket's chain.

    Raises
    ------
    UserInputError
        On a strict repository, with the name that was probably meant.
    """
    source = find_name(run)
    if source is None or target.parsed is None:
        return target
    if (source.ticket, source.user_prefix) == (target.parsed.ticket, target.parsed.user_prefix):
        ours, theirs = (source.tag, source.rerun), (target.parsed.tag, target.parsed.rerun)
        if ours == theirs:
            return target
        told = f"W-OTHERRERUN {run} is {'.'.join(ours)}, {target.name} {'.'.join(theirs)}: they are mostly named alike"
        return replace(target, warnings=(*target.warnings, told))
    told = f"{run} is of ticket {source.ticket}, {target.name} of {target.parsed.ticket}"
    if is_strict:
        meant = replace(target.parsed, ticket=source.ticket, tag=source.tag, user_prefix=source.user_prefix)
        raise UserInputError(told, hint=f"was {meant.text()} meant?", code="E-OTHERTICKET")
    return replace(target, warnings=(*target.warnings, f"W-OTHERTICKET {told}"))


def find_certifiable(uow: "UnitOfWork", run: CollectionRecord, dataset_type: str) -> tuple[DatasetRecord, ...]:
    """Return a RUN's datasets of a type.

    Raises
    ------
    NotFoundError
        If it holds none.
    ConflictError
        E-UNITS: one is not in the unit of the final type. Also if two share a data ID.
    """
    found = uow.datasets.in_run(run, dataset_type=dataset_type)
    if not found:
        types = ", ".join(uow.datasets.types_in(run)) or "nothing"
        raise NotFoundError(
            f"{run.name} holds no {dataset_type} (it holds {types})",
            hint=f"cabstand query-datasets {dataset_type} shows where it is",
            code="E-NODATASETS",
        )
    wanted = next((one.unit for one in dataset_types() if one.name == dataset_type and one.is_calibration), "")
    wrong = [one for one in found if wanted and one.unit != wanted]
    if wrong:
        listed = ", ".join(f"{place(one.data_key)} [{one.unit or 'no unit'}]" for one in wrong[:SHOWN])
        raise ConflictError(
            f"a final {dataset_type} is in {wanted}; in {run.name} are: {listed}",
            hint=f"build it as {dataset_type} (with gains), not as a bootstrap",
            code="E-UNITS",
        )
    return found


def of_some_detectors(
    batch: tuple[DatasetRecord, ...], detectors: Collection[int], run: str
) -> tuple[DatasetRecord, ...]:
    """Return the datasets of some detectors; all when none is named.

    Raises
    ------
    NotFoundError
        E-NODATASETS: a detector named has none in the RUN.
    """
    if not detectors:
        return batch
    held = {one.detector for one in batch}
    lacking = sorted(set(detectors) - held)
    if lacking:
        told = ", ".join(str(one) for one in sorted(one for one in held if one is not None)[:12])
        raise NotFoundError(
            f"{run} holds no {batch[0].dataset_type} of detector {', '.join(str(one) for one in lacking)}",
            hint=f"it holds detector {told}" + (" ..." if len(held) > 12 else ""),
            code="E-NODATASETS",
        )
    return tuple(one for one in batch if one.detector in detectors)


def check_not_rejected(uow: "UnitOfWork", batch: Iterable[DatasetRecord], *, is_strict: bool) -> tuple[str, ...]:
    """Hold products against what the board rejected; return warnings.

    Raises
    ------
    WorkflowError
        E-REJECTED, on a strict repository.
    """
    rejected = rejected_datasets(uow)
    tickets: dict[str, list[DatasetRecord]] = {}
    for one in batch:
        if one.id in rejected:
            tickets.setdefault(rejected[one.id], []).append(one)
    warnings = []
    for ticket, found in sorted(tickets.items()):
        told = f"the board Rejected {found[0].dataset_type} of {found[0].run} ({ticket}, {place(found[0].data_key)}"
        told += f" and {len(found) - 1} more)" if len(found) > 1 else ")"
        if is_strict:
            raise WorkflowError(
                f"{told}: it gets no further validity",
                hint=f"build it again under the next rerun letter: cabstand campaign show {ticket}",
                code="E-REJECTED",
            )
        warnings.append(f"W-REJECTED {told}")
    return tuple(warnings)


def split_batch(
    batch: Sequence[DatasetRecord], timespan: Timespan, existing: Iterable[CertificationRecord], *, into: str
) -> tuple[tuple[DatasetRecord, ...], tuple[DatasetRecord, ...]]:
    """Return (to be certified, certified exactly so already).

    Parameters
    ----------
    batch : sequence of DatasetRecord
        Of one dataset type.
    timespan : Timespan
        The new range.
    existing : iterable of CertificationRecord
        Open rows of the collection that overlap it.
    into : str
        The collection, for the message.

    Raises
    ------
    ConflictError
        E-VALIDITY: a data ID has another entry that overlaps, or occurs twice in the batch; all are named.
    """
    seen: dict[str, DatasetRecord] = {}
    rows: list[str] = []
    for one in batch:
        if one.data_key in seen:
            rows.append(f"{place(one.data_key)}: {seen[one.data_key].id[:8]} and {one.id[:8]} are both in this batch")
        seen.setdefault(one.data_key, one)
    same: set[str] = set()
    in_the_way = {one.data_key for one in batch if seen[one.data_key] is not one}
    is_of_itself = not in_the_way  # all that overlaps is the same dataset, once: it wants another range
    old: set[Timespan] = set()
    for row in existing:
        new = seen.get(row.data_key)
        if new is None:
            continue
        if row.dataset_id == new.id and row.timespan == timespan:
            same.add(new.data_key)
            continue
        is_of_itself = is_of_itself and row.dataset_id == new.id and row.data_key not in in_the_way
        in_the_way.add(row.data_key)
        old.add(row.timespan)
        rows.append(
            f"{place(row.data_key)}: {row.dataset_id[:8]} is certified for {timespan_text(row.timespan)}, "
            f"{new.id[:8]} would be for {timespan_text(timespan)}"
        )
    if rows:
        began = f" --begin-date {ns_to_iso(timespan.begin_tai_ns)}" if timespan.is_bounded_begin else ""
        hint = (
            f"end the old range first: cabstand decertify {into} {batch[0].dataset_type}{began}; or certify "
            "into a collection of its own, which is then searched first"
        )
        if is_of_itself:
            begin, end = explicit_dates(timespan)
            line = Recertify(
                collection=into,
                dataset_type=batch[0].dataset_type,
                begin_date=begin,
                end_date=end,
                of_begin=explicit_dates(old.pop())[0] if len(old) == 1 else "",
            )
            hint = f"they are the same datasets, which want another range: {to_line(line)}"
        raise overlap(rows, into=into, n_in_the_way=len(in_the_way), n_asked=len(seen), hint=hint)
    return tuple(one for one in batch if one.data_key not in same), tuple(one for one in batch if one.data_key in same)


def missing_detectors(camera: Camera, present: Iterable[str]) -> tuple[int, ...]:
    """Return the detectors that take science data and have no calibration in a batch; guiders are not expected."""
    found = {DataId.parse(key).get("detector") for key in present}
    return tuple(one.id for one in camera.detectors if one.purpose != "GUIDER" and one.id not in found)


def check_campaign(uow: "UnitOfWork", ticket: str, timespan: Timespan, instrument: str) -> tuple[str, ...]:
    """Hold a range against why its campaign was opened; return warnings.

    Raises
    ------
    UserInputError
        E-ENDREQUIRED: a historical campaign without an end.
    """
    record = uow.campaigns.find_campaign(ticket) if ticket else None
    if record is None:
        return ()
    if record.why == "historical" and not timespan.is_bounded_end:
        raise UserInputError(
            f"campaign {ticket} is historical: its calibrations have a known end",
            hint="give --end-date, e.g. the day_obs of the last night they fit",
            code="E-ENDREQUIRED",
        )
    if record.why != "camera_change":
        return ()
    warnings = []
    if timespan.is_bounded_end:
        warnings.append(
            f"W-OPENEND campaign {ticket} follows a camera change: leave --end-date out, the next one takes over"
        )
    events = uow.exposures.camera_events(instrument)
    begin = timespan.begin_tai_ns
    starts = {
        one.at_tai_ns: max(
            (e.timespan.end_tai_ns for e in uow.exposures.by_ids(instrument, [one.exposure_before])), default=0
        )
        for one in events
    }
    if not any(before <= begin <= at for at, before in starts.items()):
        near = min(starts, key=lambda at: abs(at - begin), default=None)
        told = f"; the nearest is --begin-date {ns_to_iso(near)}" if near is not None else "; none is known here"
        warnings.append(f"W-NOEVENT campaign {ticket} follows a camera change, but the begin is at no such event{told}")
    return tuple(warnings)
