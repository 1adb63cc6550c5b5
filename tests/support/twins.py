"""A repository of ours and one of the real Butler that are told the same, and what each of them says of it."""

import hashlib
import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibstore.commands import Command
from calibstore.commands.store import QueryCollections
from calibstore.errors import CabstandError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId, dataset_uuid
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.timespan import Timespan
from calibstore.services.lookup import explain_lookup
from tests.support import real_butler
from tests.support.butler_worlds import open_butler, timespan

INSTRUMENT = "LSSTComCam"
FILTERS = ("r_03", "i_06")
DIMENSIONS = {
    "bias": ("instrument", "detector"),
    "flat": ("instrument", "detector", "physical_filter"),
}
_OURS_TO_BLAME = (AttributeError, TypeError, NameError, KeyError)
"""Faults of a test; of the Butler an assertion may be a refusal, such as ranges taken out of a chain."""


class _TakenBackError(Exception):
    """Ends a transaction that was only a trial."""


@dataclass(frozen=True)
class Outcome:
    """What became of an operation."""

    is_done: bool
    rule: str = ""
    """Code of our refusal; ``nothing`` when there was nothing to do; name of the Butler's exception."""


class Twins:
    """Both repositories; the Butler is held open."""

    def __init__(self, repo: Any, folder: Path) -> None:
        self.repo = repo
        with repo.context.unit_of_work() as uow:
            camera = uow.repository.camera(INSTRUMENT)
            present = uow.collections.list()
        bands = [(INSTRUMENT, name, name[0]) for name in FILTERS]
        real_butler.make_butler(folder, [camera], bands)
        self.folder = folder
        self.butler = open_butler(folder)
        self._register_types(bands)
        for one in present:
            self.butler.collections.register(one.name, self.butler_type(one.type))
        self.refs: dict[str, list[Any]] = {}

    @staticmethod
    def butler_type(type_: str) -> Any:
        """Return a type of the Butler's by its name."""
        from lsst.daf.butler import CollectionType as Theirs

        return Theirs.from_name(str(type_).upper())

    def _register_types(self, bands: list[tuple[str, str, str]]) -> None:
        from lsst.daf.butler import DatasetType

        def change(uow: Any, state: int) -> None:
            for name, dimensions in DIMENSIONS.items():
                kind = DatasetTypeRecord(
                    name=name, dimensions=dimensions, storage_class="ExposureF", is_calibration=True
                )
                if name not in uow.repository.dataset_types():
                    uow.repository.register_dataset_type(kind, state=state)
            for instrument, name, band in bands:
                uow.repository.register_filter(instrument, name, band)

        self.repo.write(change)
        for name, dimensions in DIMENSIONS.items():
            group = self.butler.dimensions.conform(dimensions)
            self.butler.registry.registerDatasetType(DatasetType(name, group, "ExposureF", isCalibration=True))

    def insert(self, run: str, dataset_type: str, data_ids: Iterable[dict[str, Any]]) -> None:
        """Put datasets into a RUN of both; the reproducible ids are the same."""
        from lsst.daf.butler import DatasetIdGenEnum

        given = list(data_ids)
        records = [_record(run, dataset_type, one) for one in given]
        for one in records:
            path = self.repo.context.absolute(one.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(one.id.encode())

        def change(uow: Any, state: int) -> None:
            into = uow.collections.register(run, CollectionType.RUN, state=state)
            uow.datasets.insert(into, records, state=state)

        self.repo.write(change)
        self.butler.collections.register(run)
        refs = self.butler.registry.insertDatasets(
            dataset_type, given, run=run, idGenerationMode=DatasetIdGenEnum.DATAID_TYPE_RUN
        )
        assert {str(ref.id) for ref in refs} == {record.id for record in records}
        self.refs.setdefault(run, []).extend(refs)

    def ours(self, command: Command) -> Outcome:
        """Tell ours to do something, and confirm what must be confirmed."""
        try:
            effect = self.repo.do(command, dry_run=True)
            effect = self.repo.do(command, confirmed=effect.confirm, reason="a test")
        except CabstandError as refusal:
            return Outcome(False, refusal.code)
        return Outcome(True, "" if effect.state else "nothing")

    def theirs(self, action: Callable[[Any], object], *, is_trial: bool = False) -> Outcome:
        """Tell the Butler to do something; a trial is taken back."""
        try:
            with self.butler.transaction():
                action(self.butler)
                if is_trial:
                    raise _TakenBackError
        except _TakenBackError:
            self.butler.registry.refresh()
        except _OURS_TO_BLAME:
            raise
        except Exception as refusal:  # the Butler has no common base of what it refuses
            self.butler.registry.refresh()
            return Outcome(False, type(refusal).__name__)
        return Outcome(True)

    def find_ours(self, dataset_type: str, data_id: dict[str, Any], collection: str, span: Timespan | None) -> str:
        """Return the id that is found, ``none`` or ``ambiguous``."""
        with self.repo.context.unit_of_work() as uow:
            found = explain_lookup(
                uow,
                dataset_type=dataset_type,
                instrument=INSTRUMENT,
                detector=data_id["detector"],
                timespan=span,
                collections=[collection],
                physical_filter=data_id.get("physical_filter", ""),
            )
        if found.is_ambiguous:
            return "ambiguous"
        return str(found.winner.dataset_id) if found.winner is not None else "none"

    def find_theirs(self, dataset_type: str, data_id: dict[str, Any], collection: str, span: Timespan | None) -> str:
        """Return the same from the Butler."""
        from lsst.daf.butler import CalibrationLookupError

        when = timespan(span.begin_tai_ns, span.end_tai_ns) if span is not None else None
        try:
            found = self.butler.find_dataset(dataset_type, data_id, collections=[collection], timespan=when)
        except CalibrationLookupError:
            return "ambiguous"
        return str(found.id) if found is not None else "none"

    def all_ours(self) -> dict[str, Any]:
        """Return collections, lists, flattened lists, ranges and tags of ours."""
        with self.repo.context.unit_of_work() as uow:
            records = uow.collections.list()
            lists = {
                one.name: [child.name for child in uow.collections.children(one)]
                for one in records
                if one.type is CollectionType.CHAINED
            }
            ranges = {
                (row.collection, row.dataset_id, row.timespan.begin_tai_ns, row.timespan.end_tai_ns)
                for row in uow.certifications.in_collections(records)
            }
            tags = {
                (one.name, tag.dataset_id)
                for one in records
                if one.type is CollectionType.TAGGED
                for tag in uow.tags.in_collection(one)
            }
        flat = {
            name: [one["name"] for one in self.repo.ask(QueryCollections(glob=name, chains="flatten")).data]
            for name in lists
        }
        types = {one.name: str(one.type) for one in records}
        return {"types": types, "lists": lists, "flat": flat, "ranges": ranges, "tags": tags}

    def all_theirs(self) -> dict[str, Any]:
        """Return the same of the Butler."""
        infos = {one.name: one for one in self.butler.collections.query_info("*")}
        lists = {name: list(one.children) for name, one in infos.items() if one.type.name == "CHAINED"}
        ranges, tags = set(), set()
        for dataset_type in DIMENSIONS:
            for link in self.butler.registry.queryDatasetAssociations(dataset_type, "*", flattenChains=False):
                if infos[link.collection].type.name == "CALIBRATION":
                    ranges.add((link.collection, str(link.ref.id), *link.timespan.nsec))
                elif infos[link.collection].type.name == "TAGGED":
                    tags.add((link.collection, str(link.ref.id)))
        flat = {name: list(self.butler.collections.query(name, flatten_chains=True)) for name in lists}
        types = {name: one.type.name for name, one in infos.items()}
        return {"types": types, "lists": lists, "flat": flat, "ranges": ranges, "tags": tags}


def _record(run: str, dataset_type: str, given: dict[str, Any]) -> DatasetRecord:
    data_id = DataId.of(**given)
    key = dataset_uuid(dataset_type, run, data_id)
    return DatasetRecord(
        id=key,
        dataset_type=dataset_type,
        run=run,
        data_key=str(data_id),
        instrument=INSTRUMENT,
        detector=given["detector"],
        physical_filter=given.get("physical_filter"),
        unit="electron" if dataset_type == "bias" else "",
        # Equal pixels: nothing is measured between them.
        content_sha256="0" * 64,
        path=f"{run}/{key}.fits",
        size_bytes=len(key),
        sha256=hashlib.sha256(key.encode()).hexdigest(),
    )


def change_chain(mode: str, parent: str, children: Iterable[str], *, flatten: bool = False) -> Callable[[Any], object]:
    """Return what the Butler's `collection-chain` does, in a repository that is open already."""

    def change(butler: Any) -> None:
        from lsst.daf.butler import CollectionType as Theirs
        from lsst.daf.butler import MissingCollectionError

        # The package gives its function the name of the module.
        script = importlib.import_module("lsst.daf.butler.script.collectionChain")
        names = tuple(children)
        try:
            butler.collections.get_info(parent)
        except MissingCollectionError:
            if mode in ("remove", "pop"):
                raise
            butler.collections.register(parent, Theirs.CHAINED)
        if flatten:
            names = tuple(butler.collections.query(names, flatten_chains=True))
        script._modify_collection_chain(butler, mode, parent, names)

    return change
