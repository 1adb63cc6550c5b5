"""A real Butler repository, read by its public interface only; nothing is ever written to it.

This is the one module that imports `lsst`, and only once a repository is opened.
"""

import contextlib
import gc
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from calibstore.errors import CabstandError, NotFoundError, StoreError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.exposure import Exposure
from calibstore.model.records import DatasetTypeRecord
from calibstore.model.timespan import Timespan
from calibstore.sites.butler_reading import (
    ButlerReading,
    FoundCollection,
    FoundDataset,
    FoundDetector,
    FoundInstrument,
    FoundRange,
    FoundTag,
)

if TYPE_CHECKING:
    from types import TracebackType

INSTALL: Final = "pip install 'cabstand[butler]'"
_SEARCHED: Final = frozenset({"instrument", "detector", "physical_filter", "band"})
"""Dimensions of the calibrations that a look-up for an exposure and a detector can name."""
_CHUNK: Final = 5000


class ButlerRepository:
    """An opened repository; use it in a ``with`` block, and in one thread.

    Parameters
    ----------
    place : str
        Folder, URI or registered name of the repository.

    Raises
    ------
    StoreError
        If the Butler is not installed, or refuses to open the repository.
    NotFoundError
        If there is none.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        made = _butler_class()
        with self._told("open it"):
            self._butler = made.from_config(place, writeable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._butler.close()

    def read(self) -> ButlerReading:
        """Read everything but the exposures.

        Raises
        ------
        StoreError
            If the Butler fails.
        """
        findings: list[str] = []
        with self._told("read it"), _without_collector():
            collections = self._collections()
            types = [one for one in self._butler.registry.queryDatasetTypes(...) if one.isCalibration()]
            known = {one.name: one.type for one in collections}
            searched = [one.name for one in collections if one.type is not CollectionType.CHAINED]
            links = _Links(known, findings)
            records = []
            for one in types:
                required = tuple(one.dimensions.required)
                if not {"instrument"} <= set(required) <= _SEARCHED:
                    findings.append(f"W-NOTSHOWN dataset type {one.name} is per {', '.join(required)}: not shown")
                    continue
                records.append(
                    DatasetTypeRecord(
                        name=one.name, dimensions=required, storage_class=one.storageClass_name, is_calibration=True
                    )
                )
                links.add(one.name, required, self._rows(one, searched))
            links.leave_overlaps_out()
            links.tell()
            instruments = tuple(self._instruments())
        return ButlerReading(
            instruments=instruments,
            collections=collections,
            dataset_types=tuple(records),
            datasets=frozenset(links.datasets),
            ranges=frozenset(links.ranges),
            tags=frozenset(links.tags),
            findings=tuple(findings),
        )

    def exposures(self, instrument: str, *, after: int | None = None) -> tuple[tuple[Exposure, ...], int]:
        """Return exposures of an instrument, and how many were left out because they have no time.

        Parameters
        ----------
        instrument : str
            Whose.
        after : int, optional
            Only those with a greater id.
        """
        given: dict[str, Any] = {"instrument": instrument, "limit": None}
        if after is not None:
            given |= {"where": "exposure > after", "bind": {"after": after}}
        with self._told("read its exposures"):
            records = self._butler.query_dimension_records("exposure", explain=False, **given)
        timed = [one for one in records if one.timespan is not None and not one.timespan.isEmpty()]
        return tuple(_exposure(one) for one in timed), len(records) - len(timed)

    def files(self, ids: Iterable[str]) -> dict[str, str]:
        """Return where datasets lie, by id: a path, or a URI elsewhere; those without a file are left out."""
        import uuid

        wanted = [uuid.UUID(one) for one in ids]
        found: dict[str, str] = {}
        with self._told("locate its files"):
            for start in range(0, len(wanted), _CHUNK):
                refs = self._butler.get_many_datasets(wanted[start : start + _CHUNK])
                for ref, uris in self._butler.get_many_uris(refs, allow_missing=True).items():
                    place = uris.primaryURI
                    if place is not None:
                        found[str(ref.id)] = place.ospath if place.isLocal else str(place)
        return found

    def _collections(self) -> tuple[FoundCollection, ...]:
        return tuple(
            FoundCollection(
                name=one.name,
                type=CollectionType(one.type.name),
                doc=one.doc or "",
                children=tuple(one.children),
            )
            for one in self._butler.collections.query_info("*", include_doc=True)
        )

    def _rows(self, dataset_type: Any, collections: list[str]) -> Iterator[Mapping[str, Any]]:
        # The same query as Registry.queryDatasetAssociations, without making an object of each data ID.
        if not collections:
            return
        with self._butler.query() as query:
            fields = {dataset_type.name: {"dataset_id", "collection", "timespan"}}
            joined = query.join_dataset_search(dataset_type, collections)
            yield from joined.general(dataset_type.dimensions, dataset_fields=fields, find_first=False)

    def _instruments(self) -> Iterator[FoundInstrument]:
        def records(element: str, **given: str) -> Any:
            return self._butler.query_dimension_records(element, explain=False, limit=None, **given)

        for one in sorted(records("instrument"), key=lambda record: str(record.name)):
            detectors = sorted(records("detector", instrument=one.name), key=lambda record: int(record.id))
            with self._butler.query() as query:
                n_exposures = query.dimension_records("exposure").where(instrument=one.name).count()
            yield FoundInstrument(
                name=one.name,
                class_name=one.class_name or "",
                detectors=tuple(
                    FoundDetector(
                        id=each.id,
                        full_name=each.full_name,
                        raft=each.raft or "",
                        name_in_raft=each.name_in_raft or "",
                        purpose=each.purpose or "",
                    )
                    for each in detectors
                ),
                filters=tuple(
                    sorted((each.name, each.band or "") for each in records("physical_filter", instrument=one.name))
                ),
                n_exposures=n_exposures,
            )

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Say in one line what the Butler says in many."""
        try:
            yield
        except CabstandError:
            raise
        except Exception as problem:
            raise _mapped(self.place, doing, problem) from problem


class _Links:
    """Sorts the rows of associations into datasets, ranges and tags."""

    def __init__(self, types: Mapping[str, CollectionType], findings: list[str]) -> None:
        self._types, self._findings = types, findings
        self.datasets: list[FoundDataset] = []
        self.ranges: list[FoundRange] = []
        self.tags: list[FoundTag] = []
        self._empty: dict[tuple[str, str], int] = {}
        self._unnamed: dict[str, int] = {}

    def add(self, name: str, required: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
        of_id, of_collection, of_timespan = f"{name}.dataset_id", f"{name}.collection", f"{name}.timespan"
        keys: dict[tuple[Any, ...], str] = {}
        for row in rows:
            values = tuple(row[dimension] for dimension in required)
            key = keys.get(values)
            if key is None:
                key = keys[values] = _data_key(required, values)
            collection, dataset_id = row[of_collection], str(row[of_id])
            if not key:
                self._unnamed[collection] = self._unnamed.get(collection, 0) + 1
                continue
            type_ = self._types.get(collection)
            if type_ is CollectionType.RUN:
                self.datasets.append(FoundDataset(dataset_id, name, collection, key))
            elif type_ is CollectionType.TAGGED:
                self.tags.append(FoundTag(collection, name, dataset_id))
            elif type_ is CollectionType.CALIBRATION:
                begin, end = row[of_timespan].nsec
                if begin >= end:
                    self._empty[collection, name] = self._empty.get((collection, name), 0) + 1
                else:
                    self.ranges.append(FoundRange(collection, name, dataset_id, begin, end))

    def leave_overlaps_out(self) -> None:
        """Keep the first of two ranges that one batch certified over each other: a store of ours takes no such rows."""
        keys = {one.id: one.data_key for one in self.datasets}
        kept: list[FoundRange] = []
        last: tuple[str, str, str] | None = None
        end_tai_ns, counts = 0, dict[tuple[str, str], int]()
        for one in sorted(self.ranges, key=lambda one: (one[0], one[1], keys.get(one[2], ""), one[3], one[4], one[2])):
            place = (one.collection, one.dataset_type, keys.get(one.dataset_id, ""))
            if place == last and one.begin_tai_ns < end_tai_ns:
                counts[place[:2]] = counts.get(place[:2], 0) + 1
                continue
            last, end_tai_ns = place, one.end_tai_ns
            kept.append(one)
        self.ranges = kept
        self._findings += [
            f"W-OVERLAP {collection} certifies {n} {name} over ranges it certifies already, so the Butler's look-ups "
            "fail there; shown is the one that begins first"
            for (collection, name), n in sorted(counts.items())
        ]

    def tell(self) -> None:
        self._findings += [
            f"W-EMPTYRANGE {collection} certifies {n} {name} for an empty range (begin after end): they can never match"
            for (collection, name), n in sorted(self._empty.items())
        ]
        self._findings += [
            f"W-NOTSHOWN {collection} holds {n} datasets whose data ID has characters outside the rules: not shown"
            for collection, n in sorted(self._unnamed.items())
        ]


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector out of a read: rows by the hundred thousand, none of them garbage, cost it half."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _data_key(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    try:
        return str(DataId(tuple(zip(names, values, strict=True))))
    except UserInputError:
        return ""


def _exposure(record: Any) -> Exposure:
    begin, end = record.timespan.nsec
    return Exposure(
        instrument=record.instrument,
        id=record.id,
        obs_id=record.obs_id,
        day_obs=record.day_obs,
        seq_num=record.seq_num or 0,
        physical_filter=record.physical_filter or "",
        observation_type=(record.observation_type or "").lower(),
        observation_reason=record.observation_reason or "",
        science_program=record.science_program or "",
        exposure_time_s=record.exposure_time or 0.0,
        dark_time_s=record.dark_time or 0.0,
        timespan=Timespan(begin, end),
        target_name=record.target_name or "",
        group=record.group or "",
    )


def _butler_class() -> Any:
    try:
        from lsst.daf.butler import Butler
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] != "lsst":
            raise
        raise StoreError(
            "opening a Butler repository needs the Butler itself, which is not installed", hint=INSTALL, code="E-EXTRA"
        ) from problem
    # It logs what it also raises; without a handler Python would print that onto the screen.
    log = logging.getLogger("lsst")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return Butler


def _mapped(place: str, doing: str, problem: Exception) -> CabstandError:
    told = " ".join(str(problem).split("\n(Background", 1)[0].split())[:300]
    name = type(problem).__name__
    if isinstance(problem, FileNotFoundError):
        return NotFoundError(
            f"no Butler repository at {place}",
            hint="give the folder that holds butler.yaml: -R butler:PATH",
            code="E-BUTLER",
        )
    if name in ("IncompatibleVersionError", "MissingManagerError", "ManagerMismatchError"):
        return StoreError(
            f"the Butler repository at {place} has another schema than the installed Butler reads: {told}",
            hint=f"install the release of lsst-daf-butler it was made with, or: {INSTALL} --upgrade",
            code="E-BUTLERVERSION",
        )
    is_database = any(one.__name__ == "SQLAlchemyError" for one in type(problem).__mro__)
    if is_database:
        hint = "check that its database is there, whole, and may be read: butler query-collections"
        return StoreError(f"the Butler repository at {place}: its database fails: {told}", hint=hint, code="E-BUTLER")
    return StoreError(
        f"the Butler repository at {place}: could not {doing}: {name}: {told}",
        hint=f"see whether the Butler itself can: butler query-collections {place}",
        code="E-BUTLER",
    )
