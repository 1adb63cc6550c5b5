"""What an import would change: every part of a bundle held against the repository before anything is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from calibstore.datastore.bundle import EXPORT_FILE
from calibstore.errors import CabstandError
from calibstore.model.camera import Camera
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.codec import to_plain
from calibstore.model.collections import CollectionType
from calibstore.model.counting import counted
from calibstore.model.records import CertificationRecord, DatasetRecord, DatasetTypeRecord
from calibstore.model.times import timespan_text
from calibstore.model.timespan import Timespan
from calibstore.services.import_source import Source, dataset_record
from calibstore.sites.butler_exchange import Exchange, ExchangeCollection, FilterRow

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(slots=True)
class Differences:
    """What is new, what is there already, and what contradicts it."""

    conflicts: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    n_same: int = 0
    dataset_types: list[DatasetTypeRecord] = field(default_factory=list)
    filters: list[FilterRow] = field(default_factory=list)
    collections: list[ExchangeCollection] = field(default_factory=list)
    """New ones, a child chain before its parents."""
    datasets: list[DatasetRecord] = field(default_factory=list)
    certified: list[tuple[str, Timespan, DatasetRecord]] = field(default_factory=list)
    """(collection, timespan, dataset)."""
    tagged: list[tuple[str, DatasetRecord]] = field(default_factory=list)
    """(TAGGED collection, dataset)."""
    redefined: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    """Chain that is here to (its members here, its members in the bundle); only those that were asked for."""
    decisions: list[DecisionRecord] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is new."""
        return not any(
            (
                self.dataset_types,
                self.filters,
                self.collections,
                self.datasets,
                self.certified,
                self.tagged,
                self.redefined,
                self.decisions,
            )
        )

    def refuse(self, conflict: str, hint: str = "") -> None:
        """Note something that stands against the import."""
        self.conflicts.append(conflict)
        if hint and hint not in self.hints:
            self.hints.append(hint)

    def lines(self) -> tuple[str, ...]:
        """Return what is new, one line each."""
        lines = [f"new dataset type  {one.name} {', '.join(one.dimensions)}" for one in self.dataset_types]
        lines += [f"new filter        {one.name} (band {one.band})" for one in self.filters]
        lines += [f"new {one.type:<14}{one.name}" for one in self.collections]
        lines += [f"new dataset       {one.dataset_type} {one.data_key} in {one.run}" for one in self.datasets]
        ranges: dict[tuple[str, Timespan], int] = {}
        for collection, timespan, _ in self.certified:
            ranges[collection, timespan] = ranges.get((collection, timespan), 0) + 1
        lines += [
            f"new range         {collection} {timespan_text(timespan)}: {counted(n, 'dataset')}"
            for (collection, timespan), n in ranges.items()
        ]
        lines += [
            f"new tags          {name}: {counted(sum(other == name for other, _ in self.tagged), 'dataset')}"
            for name in dict.fromkeys(name for name, _ in self.tagged)
        ]
        for name, (ours, theirs) in self.redefined.items():
            lines += [f"redefined chain   {name}", f"             here  {', '.join(ours) or 'nothing'}"]
            lines += [f"             then  {', '.join(theirs) or 'nothing'}"]
        lines += [f"new decision      {one.ticket} {one.status} by {', '.join(one.people)}" for one in self.decisions]
        lines.append(f"same              {self.n_same} parts are here already")
        return tuple(lines)


def compare(
    uow: "UnitOfWork", source: Source, *, transfer: str, now_tai_ns: int, redefine: Collection[str] = ()
) -> Differences:
    """Hold a bundle against the repository.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    source : Source
        The bundle.
    transfer : str
        copy or direct.
    now_tai_ns : int
        The present [TAI ns].
    redefine : collection of str
        Chains whose list here may be replaced.
    """
    found = Differences(warnings=list(source.exchange.warnings))
    cameras = _compare_cameras(uow, source, found)
    _compare_dimensions(source, cameras, uow, found)
    _compare_types(uow, source.exchange, found)
    _compare_collections(uow, source.exchange, found, redefine)
    if not found.conflicts:
        rows = _compare_datasets(uow, source, cameras, found, transfer=transfer, now_tai_ns=now_tai_ns)
        _compare_ranges(uow, source.exchange, rows, found)
        _compare_tags(uow, source.exchange, rows, found)
        _compare_decisions(uow, source, found)
    return found


def _compare_cameras(uow: "UnitOfWork", source: Source, found: Differences) -> dict[str, Camera]:
    cameras = {}
    for name in sorted({str(one.data_id.get("instrument", "")) for one in source.exchange.datasets}):
        try:
            camera = uow.repository.camera(name)
        except CabstandError as fault:
            found.refuse(fault.message, fault.hint)
            continue
        cameras[name] = camera
        theirs = source.cameras.get(name)
        if theirs is None:
            if camera.simulated:
                found.refuse(
                    f"{name} is simulated here, the bundle does not say that it is",
                    "import it into a repository of the real camera",
                )
        elif (bool(theirs.get("simulated")), str(theirs.get("variant", ""))) != (camera.simulated, camera.variant):
            other = " ".join(part for part in (str(theirs.get("variant", "")), name) if part)
            kind = "simulated" if theirs.get("simulated") else "real"
            found.refuse(
                f"the bundle is of the {kind} {other}, this repository of {camera.label}",
                "import it into a repository of the same camera: cabstand init PATH --camera NAME",
            )
        elif theirs.get("sha256") != uow.repository.camera_sha256(name):
            found.warnings.append(f"W-CAMERA {name} is described differently there (gains, boxes or limits)")
    return cameras


def _compare_dimensions(source: Source, cameras: dict[str, Camera], uow: "UnitOfWork", found: Differences) -> None:
    exchange = source.exchange
    theirs = {(one.instrument, one.id): one.full_name for one in exchange.detectors}
    used = {(str(one.data_id.get("instrument")), one.data_id.get("detector")) for one in exchange.datasets}
    for name, camera in cameras.items():
        ours = {detector.id: detector.full_name for detector in camera.detectors}
        for instrument, number in sorted((key for key in used if key[1] is not None), key=str):
            if instrument != name or not isinstance(number, int):
                continue
            if number not in ours:
                found.refuse(
                    f"{name} has no detector {number} ({theirs.get((name, number), 'unnamed')}) here",
                    f"this repository's camera has {counted(len(ours), 'detector')}; make one with every detector of "
                    "the bundle: "
                    f"cabstand init PATH --camera {source.folder / EXPORT_FILE}",
                )
            elif theirs.get((name, number), ours[number]) != ours[number]:
                found.refuse(f"{name} detector {number} is {ours[number]} here, {theirs[name, number]} in the bundle")
            else:
                found.n_same += 1
        known = dict(uow.repository.filters(name))
        for one in (one for one in exchange.filters if one.instrument == name):
            if one.name not in known:
                found.filters.append(one)
            elif known[one.name] != one.band:
                found.refuse(f"filter {one.name} has band {known[one.name]} here, {one.band} in the bundle")
            else:
                found.n_same += 1


def _compare_types(uow: "UnitOfWork", exchange: Exchange, found: Differences) -> None:
    known = uow.repository.dataset_types()
    for one in exchange.dataset_types:
        ours = known.get(one.name)
        if ours is None:
            found.dataset_types.append(one)
        elif replace(ours, dimensions=tuple(sorted(ours.dimensions))) != replace(
            one, dimensions=tuple(sorted(one.dimensions))
        ):
            found.refuse(
                f"dataset type {one.name} is {', '.join(ours.dimensions)} {ours.storage_class} here, "
                f"{', '.join(one.dimensions)} {one.storage_class} in the bundle"
            )
        else:
            found.n_same += 1


def _compare_collections(uow: "UnitOfWork", exchange: Exchange, found: Differences, redefine: Collection[str]) -> None:
    described = {one.name for one in exchange.collections}
    filled = {one.run for one in exchange.datasets}
    for one in exchange.collections:
        ours = uow.collections.find(one.name)
        strangers = [name for name in one.children if name not in described and uow.collections.find(name) is None]
        if strangers:
            found.refuse(
                f"chain {one.name} lists {strangers[0]}, which is neither in the bundle nor here",
                "a Butler exports no RUN or TAGGED members: bring it here first, or export a chain without it",
            )
        if ours is None:
            found.collections.append(one)
            if one.type is CollectionType.RUN and one.name not in filled:
                _refuse_coming_back(one.name, uow, found)
        elif ours.type is not one.type:
            found.refuse(f"{one.name} is {ours.type} here, {one.type} in the bundle")
        elif one.type is CollectionType.CHAINED:
            members = tuple(row.name for row in uow.collections.children(ours))
            if one.name in redefine and members != one.children:
                found.redefined[one.name] = (members, one.children)
            else:
                _compare_chain(members, one, found)
        else:
            found.n_same += 1
        if ours is not None and one.doc and ours.doc != one.doc:
            found.warnings.append(f"W-DOC {one.name} keeps its text here; the bundle's is {one.doc.strip()!r}")


def _compare_chain(ours: tuple[str, ...], one: ExchangeCollection, found: Differences) -> None:
    if ours == one.children:
        found.n_same += 1
        return
    fresh = [name for name in one.children if name not in ours]
    members = " ".join(fresh or one.children)
    how = f"cabstand collection-chain {one.name} {members} --mode prepend"
    if fresh:
        how = f"import the new members alone (cabstand export-calibs DIR {' '.join(fresh)} there), then {how}"
    found.refuse(
        f"chain {one.name} lists {', '.join(ours) or 'nothing'} here, {', '.join(one.children) or 'nothing'} in the "
        "bundle; a chain is never redefined unasked",
        how,
    )


def _compare_datasets(
    uow: "UnitOfWork",
    source: Source,
    cameras: dict[str, Camera],
    found: Differences,
    *,
    transfer: str,
    now_tai_ns: int,
) -> dict[str, DatasetRecord]:
    known = uow.datasets.by_ids(one.id for one in source.exchange.datasets)
    removed = uow.datasets.removed(one.id for one in source.exchange.datasets if one.id not in known)
    bands = {(one.instrument, one.name): one.band for one in source.exchange.filters}
    in_runs: dict[str, dict[tuple[str, str], str]] = {}
    rows: dict[str, DatasetRecord] = {}
    places: dict[str, str] = {}
    for one in source.exchange.datasets:
        if one.id not in source.datasets:
            # Its file is not as it should be, which stands against the import by itself.
            continue
        instrument = str(one.data_id.get("instrument", ""))
        band = bands.get((instrument, str(one.data_id.get("physical_filter", ""))), "")
        record = dataset_record(one, source, cameras[instrument], band, transfer=transfer, now_tai_ns=now_tai_ns)
        rows[one.id] = record
        if places.setdefault(record.path, one.id) != one.id:
            found.refuse(f"datasets {places[record.path]} and {one.id} would have the same file {record.path}")
        ours = known.get(one.id)
        if ours is not None:
            same = (ours.dataset_type, ours.run, ours.data_key, ours.sha256)
            if same == (record.dataset_type, record.run, record.data_key, record.sha256):
                found.n_same += 1
            else:
                found.refuse(f"dataset {one.id} is {ours.dataset_type} {ours.data_key} of {ours.run} here, and differs")
            continue
        if one.id in removed:
            found.refuse(
                f"dataset {one.id} ({record.dataset_type} {record.data_key} of {one.run}) was removed here in state "
                f"{removed[one.id]}",
                "bring it back where it was removed: cabstand undo; an id is not given twice",
            )
            continue
        if one.run not in in_runs:
            run = uow.collections.find(one.run)
            present = uow.datasets.in_run(run) if run is not None else ()
            in_runs[one.run] = {(row.dataset_type, row.data_key): row.id for row in present}
            if run is None:
                _refuse_coming_back(one.run, uow, found)
        taken = in_runs[one.run].setdefault((one.dataset_type, record.data_key), one.id)
        if taken != one.id:
            found.refuse(f"{one.run} has another {one.dataset_type} {record.data_key} ({taken}, not {one.id})")
        found.datasets.append(record)
    return rows


def _refuse_coming_back(run: str, uow: "UnitOfWork", found: Differences) -> None:
    """Refuse to open a removed RUN again by the way: what was in it would come back beside what the bundle has."""
    back = uow.removals.coming_back(run)
    if back:
        found.refuse(
            f"RUN {run} was removed here with {counted(back, 'dataset')}, which would come back with it",
            f"bring it back first, by cabstand undo or: cabstand register-collection {run} RUN",
        )


def _compare_ranges(uow: "UnitOfWork", exchange: Exchange, rows: dict[str, DatasetRecord], found: Differences) -> None:
    ours: dict[str, tuple[CertificationRecord, ...]] = {}
    placed: dict[tuple[str, str, str], list[tuple[Timespan, str]]] = {}
    for one in exchange.ranges:
        if one.collection not in ours:
            collection = uow.collections.find(one.collection)
            ours[one.collection] = uow.certifications.in_collections([collection]) if collection is not None else ()
            for row in ours[one.collection]:
                key = (row.collection, row.dataset_type, row.data_key)
                placed.setdefault(key, []).append((row.timespan, row.dataset_id))
        for dataset_id in one.dataset_ids:
            if dataset_id not in rows:
                continue
            record = rows[dataset_id]
            there = placed.setdefault((one.collection, record.dataset_type, record.data_key), [])
            if (one.timespan, dataset_id) in there:
                found.n_same += 1
                continue
            clash = next((other for other in there if other[0].overlaps(one.timespan)), None)
            if clash is not None:
                found.refuse(
                    f"{one.collection}: {record.dataset_type} {record.data_key} {timespan_text(one.timespan)} overlaps "
                    f"{timespan_text(clash[0])} of dataset {clash[1]}",
                    "a CALIBRATION collection holds one dataset at a time: decertify one of them",
                )
            there.append((one.timespan, dataset_id))
            found.certified.append((one.collection, one.timespan, record))


def _compare_tags(uow: "UnitOfWork", exchange: Exchange, rows: dict[str, DatasetRecord], found: Differences) -> None:
    for one in exchange.tags:
        collection = uow.collections.find(one.collection)
        present = uow.tags.in_collection(collection) if collection is not None else ()
        placed = {(row.dataset_type, row.data_key): row.dataset_id for row in present}
        for dataset_id in dict.fromkeys(one.dataset_ids):
            if dataset_id not in rows:
                continue
            record = rows[dataset_id]
            other = placed.setdefault((record.dataset_type, record.data_key), "")
            if other == dataset_id:
                found.n_same += 1
            elif other:
                found.refuse(
                    f"{one.collection}: {record.dataset_type} {record.data_key} is dataset {other} already, not "
                    f"{dataset_id}",
                    "a TAGGED collection holds one dataset of a data ID: disassociate one of them",
                )
            else:
                placed[record.dataset_type, record.data_key] = dataset_id
                found.tagged.append((one.collection, record))


def _compare_decisions(uow: "UnitOfWork", source: Source, found: Differences) -> None:
    for one in source.decisions:
        ours = uow.campaigns.decisions(one.ticket)
        if _bare(one) in [_bare(known) for known in ours]:
            found.n_same += 1
        elif any(known.decided_tai_ns > one.decided_tai_ns for known in ours):
            # The last row is what holds: an old bundle must not take a later decision back.
            found.warnings.append(
                f"W-OLDDECISION {one.ticket} {one.status} was decided before {ours[-1].status}, which is known here: "
                "left out"
            )
        else:
            found.decisions.append(one)


def _bare(decision: DecisionRecord) -> object:
    return to_plain(replace(decision, id=0, origin="", opened_state=0))


def told(problems: Sequence[str], found: Differences, *, limit: int | None = 50) -> str:
    """Return a refusal: how many things stand against an import, each of them on a line, and what else there is.

    Parameters
    ----------
    problems : sequence of str
        Files that are not as they should be.
    found : Differences
        Everything else.
    limit : int or None
        Most lines; None for all.
    """
    every = [*problems, *found.conflicts]
    if len(every) == 1:
        return f"1 thing stands against the import: {every[0]}"
    more = [f"  ... and {len(every) - limit} more; --dry-run lists all"] if limit and len(every) > limit else []
    rest = (
        f"  otherwise {counted(len(found.datasets), 'new dataset')}, {counted(len(found.certified), 'new range')} and "
        f"{counted(len(found.collections), 'new collection')}; {counted(found.n_same, 'part')} here already"
    )
    head = f"{len(every)} things stand against the import"
    return "\n".join([head, *(f"  {one}" for one in every[:limit]), *more, rest])
