"""What an export of some collections holds: gathered from the rows, with what Cabstand knows beyond the Butler.

A chain brings its members; a CALIBRATION or TAGGED member brings the datasets it links to and their RUNs, a RUN brings
the calibrations born there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from calibstore.datastore.bundle import FileCopy
from calibstore.errors import StoreError, UserInputError
from calibstore.model.codec import to_plain
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.names import NameKind, find_name
from calibstore.model.records import CertificationRecord, CollectionRecord, DatasetRecord
from calibstore.services.fingerprinting import fingerprint
from calibstore.sites.butler_exchange import (
    FORMATTERS,
    DetectorRow,
    Exchange,
    ExchangeCollection,
    ExchangeDataset,
    ExchangeTags,
    FilterRow,
    InstrumentRow,
    grouped_ranges,
    sorted_collections,
    template_path,
)

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

FACTS_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportContent:
    """Everything a bundle will hold."""

    exchange: Exchange
    copies: tuple[FileCopy, ...]
    facts: dict[str, object]
    """What cabstand.json says."""
    collections: tuple[str, ...]
    instruments: tuple[str, ...]
    ticket: str
    """The one ticket of the collections, or empty."""
    warnings: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of the files [byte]."""
        return sum(one.size_bytes for one in self.copies)


def gather(uow: "UnitOfWork", root: Path, names: Sequence[str], *, with_facts: bool = True) -> ExportContent:
    """Return what an export of some collections holds.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    root : Path
        Folder of the repository.
    names : sequence of str
        CHAINED or CALIBRATION collections.
    with_facts : bool
        Gather `facts` too; what goes into export.yaml does not need them.

    Raises
    ------
    NotFoundError
        If there is no such collection.
    UserInputError
        If a collection is of another type, or nothing is certified in any.
    StoreError
        If a certified dataset is not in the store.
    """
    given = [uow.collections.get(name) for name in dict.fromkeys(names)]
    for one in given:
        if one.type not in (CollectionType.CHAINED, CollectionType.CALIBRATION):
            raise UserInputError(
                f"{one.name} is a {one.type} collection; what is certified is exported",
                hint="give a ticket chain, or a CALIBRATION collection",
                code="E-COLLECTIONTYPE",
            )
    found: dict[str, tuple[CollectionRecord, tuple[str, ...]]] = {}
    for one in given:
        _expand(uow, one, found)
    certified = [record for record, _ in found.values() if record.type is CollectionType.CALIBRATION]
    rows = uow.certifications.in_collections(certified)
    members = _members(uow, [record for record, _ in found.values()])
    datasets = _datasets(uow, rows, members)
    if not datasets:
        raise UserInputError(
            f"nothing to export: no calibration is in {', '.join(one.name for one in given)}",
            hint="cabstand query-collections shows what is there",
            code="E-EMPTY",
        )
    tickets = {parsed.ticket for one in given if (parsed := find_name(one.name)) is not None and parsed.ticket}
    exchange, paths = _exchange(uow, found, datasets, rows, members)
    return ExportContent(
        exchange=exchange,
        copies=tuple(
            FileCopy(source=root / one.path, path=paths[one.id], size_bytes=one.size_bytes, sha256=one.sha256)
            for one in datasets
        ),
        facts={**_facts(uow, given, found, datasets), "partial": sorted(members.left_out)} if with_facts else {},
        collections=tuple(one.name for one in given),
        instruments=tuple(sorted({one.instrument for one in datasets})),
        ticket=tickets.pop() if len(tickets) == 1 else "",
        warnings=_warnings(given, [record for record, _ in found.values()], members),
    )


def _expand(
    uow: "UnitOfWork", at: CollectionRecord, found: dict[str, tuple[CollectionRecord, tuple[str, ...]]]
) -> None:
    if at.name in found:
        return
    children = uow.collections.children(at)
    found[at.name] = (at, tuple(one.name for one in children))
    for child in children:
        _expand(uow, child, found)


@dataclass(frozen=True, slots=True)
class _Members:
    """What RUN and TAGGED members hold."""

    born: tuple[DatasetRecord, ...]
    tagged: dict[str, tuple[str, ...]]
    """TAGGED collection to the ids of its calibrations."""
    left_out: dict[str, tuple[str, ...]]
    """Collection to the dataset types in it that are no calibrations, and stay behind."""


def _members(uow: "UnitOfWork", collections: Sequence[CollectionRecord]) -> _Members:
    kinds = uow.repository.dataset_types()
    born: list[DatasetRecord] = []
    tagged: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    for one in collections:
        if one.type is CollectionType.RUN:
            inside = uow.datasets.in_run(one)
            born += [record for record in inside if kinds[record.dataset_type].is_calibration]
            present = {record.dataset_type for record in inside}
        elif one.type is CollectionType.TAGGED:
            rows = uow.tags.in_collection(one)
            tagged[one.name] = tuple(sorted(row.dataset_id for row in rows if kinds[row.dataset_type].is_calibration))
            present = {row.dataset_type for row in rows}
        else:
            continue
        others = tuple(sorted(name for name in present if not kinds[name].is_calibration))
        if others:
            left_out[one.name] = others
    return _Members(tuple(born), tagged, left_out)


def _datasets(uow: "UnitOfWork", rows: Sequence[CertificationRecord], members: _Members) -> tuple[DatasetRecord, ...]:
    wanted = {row.dataset_id: row.collection for row in rows}
    wanted |= {one: name for name, ids in members.tagged.items() for one in ids}
    known = uow.datasets.by_ids(wanted)
    for dataset_id, collection in wanted.items():
        if dataset_id not in known:
            raise StoreError(
                f"{collection} refers to dataset {dataset_id}, which is not in the store",
                hint="cabstand doctor",
            )
    known |= {one.id: one for one in members.born}
    return tuple(sorted(known.values(), key=lambda one: (one.dataset_type, one.run, one.detector or 0, one.data_key)))


def _exchange(
    uow: "UnitOfWork",
    found: dict[str, tuple[CollectionRecord, tuple[str, ...]]],
    datasets: Sequence[DatasetRecord],
    rows: Sequence[CertificationRecord],
    members: _Members,
) -> tuple[Exchange, dict[str, str]]:
    """Return the exchange and the path of every dataset's file in the bundle."""
    cameras = {name: uow.repository.camera(name) for name in sorted({one.instrument for one in datasets})}
    bands = {(name, physical): band for name in cameras for physical, band in uow.repository.filters(name)}
    types = uow.repository.dataset_types()
    exported: list[ExchangeDataset] = []
    detectors: dict[tuple[str, int], DetectorRow] = {}
    filters: dict[tuple[str, str], FilterRow] = {}
    for one in datasets:
        detector_name, band = "", ""
        if one.detector is not None:
            detector = cameras[one.instrument].detector(one.detector)
            detector_name = detector.full_name
            detectors[one.instrument, one.detector] = DetectorRow(
                instrument=one.instrument,
                id=detector.id,
                full_name=detector.full_name,
                raft=detector.raft,
                name_in_raft=detector.name_in_raft,
                purpose=detector.purpose,
            )
        if one.physical_filter is not None:
            band = bands.get((one.instrument, one.physical_filter), "")
            filters[one.instrument, one.physical_filter] = FilterRow(
                instrument=one.instrument, name=one.physical_filter, band=band
            )
        exported.append(
            ExchangeDataset(
                id=one.id,
                dataset_type=one.dataset_type,
                run=one.run,
                data_id=DataId.parse(one.data_key),
                path=template_path(
                    run=one.run,
                    dataset_type=one.dataset_type,
                    instrument=one.instrument,
                    detector_name=detector_name,
                    band=band,
                    physical_filter=one.physical_filter or "",
                    suffix="".join(PurePosixPath(one.path).suffixes[-1:]),
                ),
                formatter=FORMATTERS.get(types[one.dataset_type].storage_class, ""),
            )
        )
    exchange = Exchange(
        instruments=tuple(
            InstrumentRow(
                name=name,
                visit_max=camera.visit_max,
                exposure_max=camera.exposure_max,
                detector_max=max(detector.id for detector in camera.detectors) + 1,
                class_name=camera.class_name,
            )
            for name, camera in cameras.items()
        ),
        detectors=tuple(detectors[key] for key in sorted(detectors)),
        filters=tuple(filters[key] for key in sorted(filters)),
        collections=_collections(uow, found, datasets),
        dataset_types=tuple(types[name] for name in sorted({one.dataset_type for one in datasets})),
        datasets=tuple(exported),
        ranges=grouped_ranges(tuple((row.collection, row.timespan, row.dataset_id) for row in rows)),
        tags=tuple(ExchangeTags(collection=name, dataset_ids=ids) for name, ids in sorted(members.tagged.items())),
    )
    return exchange, {one.id: one.path for one in exported}


def _collections(
    uow: "UnitOfWork",
    found: dict[str, tuple[CollectionRecord, tuple[str, ...]]],
    datasets: Sequence[DatasetRecord],
) -> tuple[ExchangeCollection, ...]:
    described = {
        name: ExchangeCollection(name=name, type=record.type, children=children, doc=record.doc)
        for name, (record, children) in found.items()
    }
    for run in sorted({one.run for one in datasets}):
        doc = uow.collections.get(run).doc
        described.setdefault(run, ExchangeCollection(name=run, type=CollectionType.RUN, doc=doc))
    return sorted_collections(tuple(described.values()))


def _facts(
    uow: "UnitOfWork",
    given: Sequence[CollectionRecord],
    found: dict[str, tuple[CollectionRecord, tuple[str, ...]]],
    datasets: Sequence[DatasetRecord],
) -> dict[str, object]:
    record = uow.repository.record()
    types = uow.repository.dataset_types()
    inputs = uow.datasets.inputs_of(one.id for one in datasets)
    prints = {one.name: fingerprint(uow, one.name) for one in given}
    tickets = sorted(
        parsed.ticket
        for name in found
        if (parsed := find_name(name)) is not None and parsed.kind is NameKind.TICKET_CHAIN
    )
    latest = [decisions[-1] for ticket in tickets if (decisions := uow.campaigns.decisions(ticket))]
    return {
        "format": FACTS_FORMAT,
        "repository": {"id": record.id, "name": record.name, "kind": record.kind, "site": record.site},
        "state": uow.journal.last_state(),
        "collections": [one.name for one in given],
        "fingerprints": {
            name: {"structural": one.structural, "effective": one.effective} for name, one in prints.items()
        },
        "cameras": {
            name: {
                "variant": camera.variant,
                "simulated": camera.simulated,
                "sha256": uow.repository.camera_sha256(name),
            }
            for name in sorted({one.instrument for one in datasets})
            for camera in (uow.repository.camera(name),)
        },
        "dataset_types": [to_plain(types[name]) for name in sorted({one.dataset_type for one in datasets})],
        "datasets": [
            {
                "id": one.id,
                "sha256": one.sha256,
                "size_bytes": one.size_bytes,
                "content_sha256": one.content_sha256,
                "unit": one.unit,
                "created_tai_ns": one.created_tai_ns,
                "provenance": one.provenance,
                "inputs": [list(pair) for pair in inputs.get(one.id, ())],
            }
            for one in datasets
        ],
        "decisions": [to_plain(one) for one in latest],
    }


def _warnings(
    given: Sequence[CollectionRecord], collections: Sequence[CollectionRecord], members: _Members
) -> tuple[str, ...]:
    warnings = []
    single = [one.name for one in given if one.type is CollectionType.CALIBRATION]
    if single:
        parsed = find_name(single[0])
        chain = f"{parsed.instrument}/calib/{parsed.ticket}" if parsed is not None and parsed.ticket else "ticket chain"
        warnings.append(
            f"W-SINGLE {', '.join(single)} exported without its ticket chain: export {chain} so that the other site "
            "gets the same chain"
        )
    beyond = [one.name for one in collections if one.type in (CollectionType.RUN, CollectionType.TAGGED)]
    if beyond:
        warnings.append(
            f"W-RUNMEMBER {', '.join(beyond)}: the Butler's own export leaves RUN and TAGGED members out, and then no "
            "Butler takes the chain; this one brings them"
        )
    warnings += [
        f"W-RUNMEMBER {name}: its {', '.join(types)} are no calibrations and stay behind"
        for name, types in members.left_out.items()
    ]
    return tuple(warnings)
