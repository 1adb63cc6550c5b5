"""What an export holds, as the Butler exchanges it: dimensions, collections, dataset types, datasets, ranges.

The same content stands behind our own bundles and those of a real Butler. Nothing here reads a file or a row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from calibstore.errors import ConflictError, UserInputError
from calibstore.model.collections import CollectionType
from calibstore.model.data_id import DataId
from calibstore.model.records import DatasetTypeRecord
from calibstore.model.timespan import Timespan

_FITS_EXPOSURE: Final = "lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter"
_FITS_IMAGE: Final = "lsst.obs.base.formatters.fitsExposure.FitsImageFormatter"
_FITS_GENERIC: Final = "lsst.obs.base.formatters.fitsGeneric.FitsGenericFormatter"
FORMATTERS: Final = {
    "Exposure": _FITS_EXPOSURE,
    "ExposureF": _FITS_EXPOSURE,
    "ExposureI": _FITS_EXPOSURE,
    "ImageF": _FITS_IMAGE,
    "IsrCalib": _FITS_GENERIC,
    "Defects": _FITS_GENERIC,
    "PhotonTransferCurveDataset": _FITS_GENERIC,
    "Linearizer": _FITS_GENERIC,
    "BrighterFatterKernel": _FITS_GENERIC,
    "CrosstalkCalib": _FITS_GENERIC,
    "TransmissionCurve": _FITS_GENERIC,
    "Camera": _FITS_GENERIC,
    "QECurve": _FITS_GENERIC,
}
"""Storage class to the class that reads its files; without it the Butler's import fails half-way."""

_DIMENSION_ORDER: Final = ("instrument", "detector", "exposure", "group", "physical_filter", "band", "day_obs")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRow:
    """An instrument as a dimension record."""

    name: str
    visit_max: int = 0
    exposure_max: int = 0
    detector_max: int = 0
    class_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRow:
    """A detector as a dimension record."""

    instrument: str
    id: int
    full_name: str
    raft: str = ""
    name_in_raft: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRow:
    """A physical filter as a dimension record."""

    instrument: str
    name: str
    band: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCollection:
    """A collection of an export."""

    name: str
    type: CollectionType
    children: tuple[str, ...] = ()
    """Of a chain, in search order."""
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeDataset:
    """A dataset of an export and its file."""

    id: str
    dataset_type: str
    run: str
    data_id: DataId
    path: str
    """Relative to the folder of the export."""
    formatter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRange:
    """Datasets of a CALIBRATION collection that share one timespan."""

    collection: str
    timespan: Timespan
    dataset_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeTags:
    """Datasets of a TAGGED collection."""

    collection: str
    dataset_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Everything an export.yaml says."""

    instruments: tuple[InstrumentRow, ...] = ()
    detectors: tuple[DetectorRow, ...] = ()
    filters: tuple[FilterRow, ...] = ()
    collections: tuple[ExchangeCollection, ...] = ()
    dataset_types: tuple[DatasetTypeRecord, ...] = ()
    datasets: tuple[ExchangeDataset, ...] = ()
    ranges: tuple[ExchangeRange, ...] = ()
    tags: tuple[ExchangeTags, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What was left aside when it was read."""

    def collection(self, name: str) -> ExchangeCollection | None:
        """Return a collection of the export, or None."""
        return next((one for one in self.collections if one.name == name), None)


def check_exchange(exchange: Exchange) -> None:
    """Refuse an export whose parts do not fit together.

    Raises
    ------
    UserInputError
        Naming the first id, RUN, type or member that is missing, or occurs twice with another meaning.
    """
    _check_dimensions(exchange)
    collections = {one.name: one for one in exchange.collections}
    if len(collections) < len(exchange.collections):
        names = [one.name for one in exchange.collections]
        raise _unfit(f"collection {_first_repeated(names)} is described twice")
    ids = _check_datasets(exchange, collections)
    linked: tuple[ExchangeRange | ExchangeTags, ...] = (*exchange.ranges, *exchange.tags)
    calibrations = {one.name for one in exchange.dataset_types if one.is_calibration}
    for links in linked:
        expected = CollectionType.CALIBRATION if isinstance(links, ExchangeRange) else CollectionType.TAGGED
        holder = collections.get(links.collection)
        if holder is None or holder.type is not expected:
            raise _unfit(f"associations name {links.collection}, which is no {expected} collection of the export")
        for one in links.dataset_ids:
            if one not in ids:
                raise _unfit(f"{links.collection} refers to dataset {one}, which the export does not list")
            if expected is CollectionType.CALIBRATION and ids[one] not in calibrations:
                raise _unfit(f"{links.collection} certifies dataset {one}, but {ids[one]} is no calibration type")


def _check_dimensions(exchange: Exchange) -> None:
    for what, keys in (
        ("instrument", [one.name for one in exchange.instruments]),
        ("detector", [f"{one.instrument} {one.id}" for one in exchange.detectors]),
        ("detector", [f"{one.instrument} {one.full_name}" for one in exchange.detectors]),
        ("filter", [f"{one.instrument} {one.name}" for one in exchange.filters]),
    ):
        if len(set(keys)) < len(keys):
            raise _unfit(f"{what} {_first_repeated(keys)} is described twice")


def _check_datasets(exchange: Exchange, collections: Mapping[str, ExchangeCollection]) -> dict[str, str]:
    """Return the dataset types by id."""
    types = {one.name: set(one.dimensions) for one in exchange.dataset_types}
    ids: dict[str, str] = {}
    for one in exchange.datasets:
        if one.id in ids:
            raise _unfit(f"dataset {one.id} is listed twice")
        ids[one.id] = one.dataset_type
        run = collections.get(one.run)
        if run is None or run.type is not CollectionType.RUN:
            raise _unfit(f"dataset {one.id} is in RUN {one.run}, which the export does not describe")
        if one.dataset_type not in types:
            raise _unfit(f"dataset {one.id} is a {one.dataset_type}, a type the export does not describe")
        if set(one.data_id) != types[one.dataset_type]:
            raise _unfit(
                f"dataset {one.id} has the dimensions {', '.join(one.data_id)}; {one.dataset_type} needs "
                f"{', '.join(sorted(types[one.dataset_type]))}"
            )
    return ids


def _first_repeated(names: Sequence[str]) -> str:
    return next(name for name, n in Counter(names).items() if n > 1)


def sorted_collections(collections: tuple[ExchangeCollection, ...]) -> tuple[ExchangeCollection, ...]:
    """Return collections as an export lists them: by name, then chains, a child chain before its parents.

    Raises
    ------
    ConflictError
        If a chain contains itself.
    """
    plain = sorted((one for one in collections if one.type is not CollectionType.CHAINED), key=lambda one: one.name)
    chains = {one.name: one for one in collections if one.type is CollectionType.CHAINED}
    done: dict[str, ExchangeCollection] = {}
    for name in sorted(chains):
        _visit(name, chains, done, ())
    return (*plain, *done.values())


def _visit(
    name: str, chains: dict[str, ExchangeCollection], done: dict[str, ExchangeCollection], path: tuple[str, ...]
) -> None:
    if name in done:
        return
    if name in path:
        raise ConflictError(
            f"chain {name} contains itself: {' > '.join((*path, name))}", hint="mend the export", code="E-CYCLE"
        )
    for child in chains[name].children:
        if child in chains:
            _visit(child, chains, done, (*path, name))
    done[name] = chains[name]


def grouped_ranges(rows: tuple[tuple[str, Timespan, str], ...]) -> tuple[ExchangeRange, ...]:
    """Return (collection, timespan, dataset id) rows with one entry per collection and timespan.

    The Butler keeps the last of two entries with the same timespan, so there must not be two.
    """
    grouped: dict[tuple[str, Timespan], list[str]] = {}
    for collection, timespan, dataset_id in rows:
        grouped.setdefault((collection, timespan), []).append(dataset_id)
    return tuple(
        ExchangeRange(collection=collection, timespan=timespan, dataset_ids=tuple(sorted(set(ids))))
        for (collection, timespan), ids in sorted(grouped.items())
    )


def required_dimensions(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Return dimensions in the house's order without the implied band, which follows from the filter."""
    kept = {one for one in dimensions if not (one == "band" and "physical_filter" in dimensions)}
    known = [one for one in _DIMENSION_ORDER if one in kept]
    return (*known, *sorted(kept - set(known)))


def written_dimensions(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Return dimensions as the Butler writes them, with the implied band first."""
    required = required_dimensions(dimensions)
    return ("band", *required) if "physical_filter" in required and "band" not in required else required


def ordered_data_id(data_id: DataId) -> dict[str, str | int]:
    """Return a data ID as the Butler writes it: instrument first."""
    return {name: data_id[name] for name in required_dimensions(data_id.dimensions)}


def template_path(
    *, run: str, dataset_type: str, instrument: str, detector_name: str, band: str, physical_filter: str, suffix: str
) -> str:
    """Return the place of a dataset's file by the Butler's default template.

    Parameters
    ----------
    run, dataset_type, instrument : str
        Where the dataset is born, what it is, and of which instrument.
    detector_name : str
        Full name such as ``R22_S11``; empty for a dataset of the whole instrument.
    band, physical_filter : str
        Empty unless the type has a filter.
    suffix : str
        File name ending with its dot, such as ``.fits``.
    """
    flat_run = run.replace("/", "_").replace(".", "_")
    parts = [dataset_type, instrument, band, physical_filter, detector_name, flat_run]
    name = "_".join(_folder(part) for part in parts if part) + suffix
    folders = [_folder(part) for part in (band, physical_filter) if part]
    return str(PurePosixPath(run, dataset_type, *folders, name))


def _folder(part: str) -> str:
    """Return a value as one folder name, which cannot lead anywhere else."""
    flat = "".join(one if one.isprintable() and one not in "/\\" else "_" for one in part)
    return flat.replace(".", "_") if set(flat) == {"."} else flat


def _unfit(message: str) -> UserInputError:
    return UserInputError(f"the export contradicts itself: {message}", hint="export again", code="E-EXPORT")
