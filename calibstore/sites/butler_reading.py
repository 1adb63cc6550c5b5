"""What is read of a Butler repository, in our own nouns."""

from dataclasses import dataclass
from typing import NamedTuple

from calibstore.model.collections import CollectionType
from calibstore.model.records import DatasetTypeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCollection:
    """A collection of the Butler."""

    name: str
    type: CollectionType
    doc: str
    children: tuple[str, ...] = ()
    """In search order; chains only."""


class FoundDataset(NamedTuple):
    """A calibration, in the RUN it was born in."""

    id: str
    dataset_type: str
    run: str
    data_key: str


class FoundRange(NamedTuple):
    """A certified dataset; the limits of `Timespan` where the Butler has no bound."""

    collection: str
    dataset_type: str
    dataset_id: str
    begin_tai_ns: int
    end_tai_ns: int


class FoundTag(NamedTuple):
    """A dataset in a TAGGED collection."""

    collection: str
    dataset_type: str
    dataset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDetector:
    """A detector record."""

    id: int
    full_name: str
    raft: str
    name_in_raft: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInstrument:
    """An instrument with its detectors and filters."""

    name: str
    class_name: str
    detectors: tuple[FoundDetector, ...]
    filters: tuple[tuple[str, str], ...]
    """(physical filter, band)."""
    n_exposures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ButlerReading:
    """What a Butler repository holds of calibrations, at one moment."""

    instruments: tuple[FoundInstrument, ...]
    collections: tuple[FoundCollection, ...]
    dataset_types: tuple[DatasetTypeRecord, ...]
    """Calibration types."""
    datasets: frozenset[FoundDataset]
    ranges: frozenset[FoundRange]
    tags: frozenset[FoundTag]
    findings: tuple[str, ...] = ()
    """What cannot be shown as it is, each in one line with its rule id."""
