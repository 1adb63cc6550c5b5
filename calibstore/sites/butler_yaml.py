"""Writing export.yaml as the Butler's `export-calibs` does: block order, tags, keys."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from calibstore.model.collections import CollectionType
from calibstore.model.iso_time import ns_to_iso
from calibstore.model.timespan import Timespan
from calibstore.sites.butler_exchange import Exchange, ordered_data_id, sorted_collections, written_dimensions

VERSION: Final = "1.0.2"
UNIVERSE_VERSION: Final = 8
UNIVERSE_NAMESPACE: Final = "daf_butler"
UUID_TAG: Final = "!uuid"
TIMESPAN_TAG: Final = "!lsst.daf.butler.Timespan"
TIME_TAG: Final = "!butler_time/tai/iso"
_VISIT_SYSTEM: Final = 2


class _Uuid(str):
    """A dataset id, written with its tag."""

    __slots__ = ()


class _Time(str):
    """A TAI time, written with its tag."""

    __slots__ = ()


try:
    from yaml import CSafeDumper as _FastSafeDumper
except ImportError:  # PyYAML without libyaml
    from yaml import SafeDumper as _FastSafeDumper  # type: ignore[assignment]


class _Dumper(_FastSafeDumper):
    """Safe YAML with the three tags of an export and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        # Docstring inherited.
        return True


_Dumper.add_representer(_Uuid, lambda dumper, value: dumper.represent_scalar(UUID_TAG, str(value), style="'"))
_Dumper.add_representer(_Time, lambda dumper, value: dumper.represent_scalar(TIME_TAG, str(value), style="'"))
_Dumper.add_representer(
    Timespan,
    lambda dumper, value: dumper.represent_mapping(
        TIMESPAN_TAG,
        {
            "begin": _time(value.begin_tai_ns) if value.is_bounded_begin else None,
            "end": _time(value.end_tai_ns) if value.is_bounded_end else None,
        }.items(),
    ),
)


def export_text(exchange: Exchange) -> str:
    """Return the text of export.yaml.

    Parameters
    ----------
    exchange : Exchange
        What to write; datasets keep their order within type and RUN.

    Raises
    ------
    ConflictError
        If a chain contains itself.
    """
    document = {
        "description": "Butler Data Repository Export",
        "version": VERSION,
        "universe_version": UNIVERSE_VERSION,
        "universe_namespace": UNIVERSE_NAMESPACE,
        "data": list(_blocks(exchange)),
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _blocks(exchange: Exchange) -> Iterator[dict[str, object]]:
    yield from _dimension_blocks(exchange)
    for one in sorted_collections(exchange.collections):
        block: dict[str, object] = {"type": "collection", "collection_type": str(one.type), "name": one.name}
        if one.type is CollectionType.RUN:
            # The importer insists on these three keys.
            block |= {"host": None, "timespan_begin": None, "timespan_end": None}
        if one.type is CollectionType.CHAINED:
            block["children"] = list(one.children)
        if one.doc:
            block["doc"] = one.doc
        yield block
    yield from _dataset_blocks(exchange)
    yield from _by_collection(exchange)
    for tags in sorted(exchange.tags, key=lambda one: one.collection):
        yield {
            "type": "associations",
            "collection": tags.collection,
            "collection_type": str(CollectionType.TAGGED),
            "dataset_ids": _uuids(tags.dataset_ids),
        }


def _dimension_blocks(exchange: Exchange) -> Iterator[dict[str, object]]:
    instruments = [
        {
            "name": one.name,
            "visit_max": one.visit_max,
            "visit_system": _VISIT_SYSTEM,
            "exposure_max": one.exposure_max,
            "detector_max": one.detector_max,
            "class_name": one.class_name,
        }
        for one in sorted(exchange.instruments, key=lambda one: one.name)
    ]
    detectors = [
        {
            "instrument": one.instrument,
            "id": one.id,
            "full_name": one.full_name,
            "name_in_raft": one.name_in_raft,
            "raft": one.raft,
            "purpose": one.purpose,
        }
        for one in sorted(exchange.detectors, key=lambda one: (one.instrument, one.id))
    ]
    filters = [
        {"instrument": one.instrument, "name": one.name, "band": one.band}
        for one in sorted(exchange.filters, key=lambda one: (one.instrument, one.name))
    ]
    for element, records in (("instrument", instruments), ("detector", detectors), ("physical_filter", filters)):
        if records:
            yield {"type": "dimension", "element": element, "records": records}


def _dataset_blocks(exchange: Exchange) -> Iterator[dict[str, object]]:
    for known in sorted(exchange.dataset_types, key=lambda one: one.name):
        yield {
            "type": "dataset_type",
            "name": known.name,
            "dimensions": list(written_dimensions(known.dimensions)),
            "storage_class": known.storage_class,
            "is_calibration": known.is_calibration,
        }
        of_type = [one for one in exchange.datasets if one.dataset_type == known.name]
        for run in sorted({one.run for one in of_type}):
            records = []
            for one in (one for one in of_type if one.run == run):
                record: dict[str, object] = {
                    "dataset_id": [_Uuid(one.id)],
                    "data_id": [ordered_data_id(one.data_id)],
                    "path": one.path,
                }
                if one.formatter:
                    record["formatter"] = one.formatter
                records.append(record)
            yield {"type": "dataset", "dataset_type": known.name, "run": run, "records": records}


def _by_collection(exchange: Exchange) -> Iterator[dict[str, object]]:
    for name in sorted({one.collection for one in exchange.ranges}):
        own = sorted((one for one in exchange.ranges if one.collection == name), key=lambda one: one.timespan)
        yield {
            "type": "associations",
            "collection": name,
            "collection_type": str(CollectionType.CALIBRATION),
            "validity_ranges": [{"timespan": one.timespan, "dataset_ids": _uuids(one.dataset_ids)} for one in own],
        }


def _uuids(ids: Iterable[str]) -> list[str]:
    return [_Uuid(one) for one in ids]


def _time(tai_ns: int) -> str:
    return _Time(ns_to_iso(tai_ns, 9).replace("T", " "))
