"""Reading export.yaml: three tags, known blocks, and one line for whatever is wrong.

Every field is checked; nothing of the file is trusted to be of the right kind.
"""

import re
import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from calibstore.datastore.yaml_guard import FastSafeLoader, check_events, read_text
from calibstore.errors import CabstandError, UserInputError
from calibstore.model.collections import CollectionType, validate_collection_name
from calibstore.model.data_id import DataId
from calibstore.model.iso_time import iso_to_ns
from calibstore.model.records import DatasetTypeRecord
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from calibstore.sites.butler_exchange import (
    DetectorRow,
    Exchange,
    ExchangeCollection,
    ExchangeDataset,
    ExchangeTags,
    FilterRow,
    InstrumentRow,
    check_exchange,
    grouped_ranges,
    required_dimensions,
    sorted_collections,
)
from calibstore.sites.butler_yaml import TIME_TAG, TIMESPAN_TAG, UNIVERSE_NAMESPACE, UUID_TAG

_VERSION = re.compile(r"1\.0(\.\d+)?")
_TYPE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_DIMENSION = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STORAGE_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
_LONGEST_NAME: Final = 1024
_LONGEST_PROSE: Final = 1 << 16
_LONGEST_OF: Final = {
    "instrument": 32,
    "full_name": 32,
    "raft": 32,
    "name_in_raft": 32,
    "purpose": 32,
    "band": 32,
}
"""Longest values the Butler and the store take [characters]."""
_LARGEST: Final = (1 << 63) - 1
_HINT: Final = "write the file anew with butler export-calibs"


class _Loader(FastSafeLoader):
    """Safe YAML plus the three tags of an export."""


def _uuid_of(loader: Any, node: Any) -> uuid.UUID:
    text = loader.construct_scalar(node)
    try:
        return uuid.UUID(text)
    except ValueError as fault:
        raise _wrong(f"line {node.start_mark.line + 1}", f"{_short(text)} is no UUID") from fault


def _time_of(loader: Any, node: Any) -> int:
    return iso_to_ns(loader.construct_scalar(node).strip().replace(" ", "T"))


def _timespan_of(loader: Any, node: Any) -> Timespan:
    where = f"line {node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(
            where, f"timespan {_short(loader.construct_scalar(node))} holds no instant; nothing can be valid in it"
        )
    return _limits(loader.construct_mapping(node), where)


_Loader.add_constructor(UUID_TAG, _uuid_of)
_Loader.add_constructor(TIME_TAG, _time_of)
_Loader.add_constructor(TIMESPAN_TAG, _timespan_of)


def read_export(path: Path) -> Exchange:
    """Read an export file.

    Parameters
    ----------
    path : Path
        Such as ``DIR/export.yaml``.

    Raises
    ------
    StoreError
        If it cannot be read.
    UserInputError
        If it is no export of version 1.0, or a part of it is wrong; one line with the place.
    """
    return parse_export(read_text(path), name=path.name)


def parse_export(text: str, *, name: str = "export.yaml") -> Exchange:
    """Read the text of an export; see `read_export`."""
    check_events(text, name=name, tags=(UUID_TAG, TIMESPAN_TAG, TIME_TAG))
    try:
        document = yaml.load(text, Loader=_Loader)
        return _Reader(name).read(document)
    except yaml.YAMLError as fault:
        raise _wrong(name, f"is no YAML: {' '.join(str(fault).split())}") from fault
    except (ValueError, TypeError, OverflowError, RecursionError) as fault:
        raise _wrong(name, f"cannot be read: {fault}") from fault
    except CabstandError as fault:
        if fault.message.startswith(name):
            raise
        raise UserInputError(_shown(f"{name}: {fault.message}"), hint=fault.hint or _HINT, code=fault.code) from fault


def check_path(path: str) -> str:
    """Return a file's relative path unchanged.

    Raises
    ------
    UserInputError
        If it is absolute, a URI, leaves its folder, or has an odd character.
    """
    parts = PurePosixPath(path).parts
    why = ""
    if not path or not path.isprintable() or "\\" in path:
        why = "is empty or has an odd character"
    elif "://" in path:
        why = "is a URI; files must lie in the folder of the export"
    elif path.startswith(("/", "~")):
        why = "is absolute; files must lie in the folder of the export"
    elif ".." in parts or parts[:1] == (".",) or len(path) > 1024:
        why = "leaves the folder of the export" if ".." in parts else "is not a plain relative path"
    if why:
        raise UserInputError(f"path {_short(path)} {why}", hint=_HINT, code="E-PATH")
    return path


class _Reader:
    """Takes the blocks of one document apart."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._instruments: list[InstrumentRow] = []
        self._detectors: list[DetectorRow] = []
        self._filters: list[FilterRow] = []
        self._collections: list[ExchangeCollection] = []
        self._types: dict[str, DatasetTypeRecord] = {}
        self._datasets: list[ExchangeDataset] = []
        self._ranges: list[tuple[str, Timespan, str]] = []
        self._tags: list[ExchangeTags] = []
        self._warnings: list[str] = []

    def read(self, document: Any) -> Exchange:
        """Return the content of a document."""
        top = _mapping(document, "the document")
        version = str(top.get("version", ""))
        if not _VERSION.fullmatch(version):
            raise UserInputError(
                f"{self._name}: version {_short(version) if version else '(none)'} of the export format is not read; "
                "1.0 is",
                hint="export with a Butler that writes version 1.0",
                code="E-EXPORTVERSION",
            )
        namespace = top.get("universe_namespace", UNIVERSE_NAMESPACE)
        if namespace != UNIVERSE_NAMESPACE:
            raise UserInputError(
                f"{self._name}: dimensions of {_short(namespace)} are not read; those of {UNIVERSE_NAMESPACE} are",
                hint="export from a Butler repository with the default dimensions",
                code="E-EXPORTVERSION",
            )
        readers: dict[str, Callable[[dict[str, Any], str], None]] = {
            "dimension": self._dimension,
            "collection": self._collection,
            "run": self._collection,
            "dataset_type": self._dataset_type,
            "dataset": self._dataset,
            "associations": self._associations,
        }
        for i, plain in enumerate(_sequence(top.get("data"), "data")):
            block = _mapping(plain, f"data[{i}]")
            kind = _text(block, "type", f"data[{i}]")
            if kind not in readers:
                raise _wrong(f"data[{i}]", f"block type {_short(kind)} is not known")
            readers[kind](block, f"data[{i}] {kind}")
        exchange = Exchange(
            instruments=tuple(self._instruments),
            detectors=tuple(self._detectors),
            filters=tuple(self._filters),
            collections=sorted_collections(tuple(self._collections)),
            dataset_types=tuple(self._types[name] for name in sorted(self._types)),
            datasets=tuple(sorted(self._datasets, key=lambda one: (one.dataset_type, one.run, one.data_id.pairs))),
            ranges=grouped_ranges(tuple(self._ranges)),
            tags=tuple(self._tags),
            warnings=tuple(self._warnings),
        )
        check_exchange(exchange)
        return exchange

    def _dimension(self, block: dict[str, Any], where: str) -> None:
        element = _text(block, "element", where)
        for i, plain in enumerate(_sequence(block.get("records"), f"{where}: records")):
            at = f"{where} {element}[{i}]"
            row = _mapping(plain, at)
            if element == "instrument":
                self._instruments.append(
                    InstrumentRow(
                        name=_text(row, "name", at),
                        visit_max=_number(row, "visit_max", at, default=0),
                        exposure_max=_number(row, "exposure_max", at, default=0),
                        detector_max=_number(row, "detector_max", at, default=0),
                        class_name=_text(row, "class_name", at, default=""),
                    )
                )
            elif element == "detector":
                self._detectors.append(
                    DetectorRow(
                        instrument=_text(row, "instrument", at),
                        id=_number(row, "id", at),
                        full_name=_text(row, "full_name", at),
                        raft=_text(row, "raft", at, default=""),
                        name_in_raft=_text(row, "name_in_raft", at, default=""),
                        purpose=_text(row, "purpose", at, default=""),
                    )
                )
            elif element == "physical_filter":
                self._filters.append(
                    FilterRow(
                        instrument=_text(row, "instrument", at),
                        name=_text(row, "name", at),
                        band=_text(row, "band", at, default=""),
                    )
                )
        if element not in ("instrument", "detector", "physical_filter"):
            self._warnings.append(f"W-DIMENSION rows of {element} are left aside: calibrations do not need them")

    def _collection(self, block: dict[str, Any], where: str) -> None:
        name = _text(block, "name", where)
        validate_collection_name(name)
        kind = "RUN" if block["type"] == "run" else _text(block, "collection_type", where)
        if kind not in CollectionType.__members__:
            raise _wrong(where, f"collection type {_short(kind)} is not known")
        children = _sequence(block.get("children"), f"{where}: children") if kind == "CHAINED" else []
        for child in children:
            validate_collection_name(child if isinstance(child, str) else "")
        if len(set(children)) < len(children):
            raise _wrong(where, f"chain {name} lists a member twice")
        self._collections.append(
            ExchangeCollection(
                name=name,
                type=CollectionType(kind),
                children=tuple(children),
                doc=_text(block, "doc", where, default="", is_prose=True),
            )
        )

    def _dataset_type(self, block: dict[str, Any], where: str) -> None:
        name, storage_class = _text(block, "name", where), _text(block, "storage_class", where)
        if not _TYPE_NAME.fullmatch(name) or not _STORAGE_CLASS.fullmatch(storage_class):
            raise _wrong(where, f"dataset type {_short(name)} with storage class {_short(storage_class)} is not plain")
        dimensions = _sequence(block.get("dimensions"), f"{where}: dimensions")
        if not all(isinstance(one, str) and _DIMENSION.fullmatch(one) for one in dimensions):
            raise _wrong(where, f"dimensions {_short(dimensions)} are no names")
        if len(set(dimensions)) < len(dimensions):
            raise _wrong(where, f"dimensions {_short(dimensions)} name one twice")
        record = DatasetTypeRecord(
            name=name,
            dimensions=required_dimensions(tuple(dimensions)),
            storage_class=storage_class,
            is_calibration=block.get("is_calibration") is True,
        )
        if self._types.setdefault(name, record) != record:
            raise _wrong(where, f"dataset type {name} is described twice, differently")

    def _dataset(self, block: dict[str, Any], where: str) -> None:
        dataset_type, run = _text(block, "dataset_type", where), _text(block, "run", where)
        for i, plain in enumerate(_sequence(block.get("records"), f"{where}: records")):
            at = f"{where} {dataset_type}[{i}]"
            record = _mapping(plain, at)
            ids, data_ids = _listed(record.get("dataset_id")), _listed(record.get("data_id"))
            if len(ids) != 1 or len(data_ids) != 1:
                raise _wrong(at, f"{len(ids)} ids and {len(data_ids)} data IDs in one file; one of each is read")
            path = check_path(_text(record, "path", at))
            data_id = _mapping(data_ids[0], f"{at}: data_id")
            required = {str(name): value for name, value in data_id.items() if name != "band"}
            if any(isinstance(value, int) and value > _LARGEST for value in required.values()):
                raise _wrong(at, f"data ID {_short(required)} has a number that no detector or exposure has")
            self._datasets.append(
                ExchangeDataset(
                    id=_id(ids[0], at),
                    dataset_type=dataset_type,
                    run=run,
                    data_id=DataId(tuple(required.items())),
                    path=path,
                    formatter=_text(record, "formatter", at, default=""),
                )
            )

    def _associations(self, block: dict[str, Any], where: str) -> None:
        collection = _text(block, "collection", where)
        if _text(block, "collection_type", where) == "TAGGED":
            ids = tuple(_id(one, where) for one in _sequence(block.get("dataset_ids"), f"{where}: dataset_ids"))
            self._tags.append(ExchangeTags(collection=collection, dataset_ids=ids))
            return
        seen = {timespan for name, timespan, _ in self._ranges if name == collection}
        for i, plain in enumerate(_sequence(block.get("validity_ranges"), f"{where}: validity_ranges")):
            at = f"{where} {collection}[{i}]"
            entry = _mapping(plain, at)
            timespan = entry["timespan"] if "timespan" in entry else _limits(entry, at)
            if not isinstance(timespan, Timespan):
                raise _wrong(at, f"timespan {_short(timespan)} has no tag {TIMESPAN_TAG}")
            if timespan in seen:
                self._warnings.append(
                    f"W-REPEATEDRANGE {collection} lists one timespan twice; a Butler would keep the last entry only"
                )
            seen.add(timespan)
            ids_here = _sequence(entry.get("dataset_ids"), f"{at}: dataset_ids")
            self._ranges.extend((collection, timespan, _id(one, at)) for one in ids_here)


def _limits(plain: dict[Any, Any], where: str) -> Timespan:
    begin, end = plain.get("begin"), plain.get("end")
    for value in (begin, end):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise _wrong(where, f"time {_short(value)} has no tag {TIME_TAG}")
    return Timespan(MIN_TAI_NS if begin is None else begin, MAX_TAI_NS if end is None else end)


def _id(value: Any, where: str) -> str:
    if not isinstance(value, uuid.UUID):
        raise _wrong(where, f"dataset id {_short(value)} has no tag {UUID_TAG}")
    return str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, f"{_short(value)} is no mapping")
    return value


def _sequence(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(where, f"{_short(value)} is no list")
    return value


def _text(plain: dict[str, Any], key: str, where: str, *, default: str | None = None, is_prose: bool = False) -> str:
    """Return a text of a mapping: one that cannot steer a terminal, and that a column holds."""
    value = plain.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise _wrong(where, f"{key} is {_short(value)}, not text")
    limit = _LONGEST_PROSE if is_prose else _LONGEST_OF.get(key, _LONGEST_NAME)
    if len(value) > limit:
        raise _wrong(where, f"{key} has {len(value)} characters, more than {limit}: {_short(value)}")
    odd = {one for one in value if not one.isprintable()} - ({"\n", "\t"} if is_prose else set())
    if odd:
        raise _wrong(where, f"{key} {_short(value)} has the odd character {min(odd)!r}")
    return value


def _number(plain: dict[str, Any], key: str, where: str, *, default: int | None = None) -> int:
    value = plain.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise _wrong(where, f"{key} is {_short(value)}, not a whole number from 0 on")
    return value


def _shown(text: str) -> str:
    """Return a message in which nothing steers a terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _wrong(where: str, what: str) -> UserInputError:
    return UserInputError(f"{where}: {what}", hint=_HINT, code="E-EXPORT")
