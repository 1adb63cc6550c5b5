"""Calibration types as data: what the pipelines make, and how every published type is named.

Names are irregular (``defects`` is made by ``defectGen``), so they are a table and never built from the type by rule.
How each type is made is in ``recipes/*.toml``, read when it is first asked for; a repository's and a user's
configuration may change it and declare further types.
"""

from contextvars import ContextVar
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.calib_kinds import CALIB_NAMES, GENERATED, CalibName, CalibType, DatasetType
from calibstore.model.catalogue import Catalogue, shipped
from calibstore.model.collections import did_you_mean
from calibstore.model.records import DatasetTypeRecord

__all__ = [
    "CALIB_NAMES",
    "GENERATED",
    "POST_ISR_IMAGE",
    "RAW",
    "CalibName",
    "CalibType",
    "DatasetType",
    "all_dataset_types",
    "as_record",
    "calib_names",
    "calib_types",
    "catalogue",
    "dataset_types",
    "find_calib_name",
    "find_calib_type",
    "use_catalogue",
]

RAW: Final = DatasetType(name="raw", dimensions=("instrument", "detector", "exposure"), storage_class="Exposure")
POST_ISR_IMAGE: Final = DatasetType(
    name="post_isr_image",
    dimensions=("instrument", "detector", "exposure"),
    storage_class="Exposure",
    unit="electron",
)
"""What `process` writes."""

_AT_FIRST: Final = ("biasBootstrap", "bias")
_CURRENT: ContextVar[Catalogue | None] = ContextVar("catalogue", default=None)


def catalogue() -> Catalogue:
    """Return the types of the repository at work: the shipped ones and what configurations say."""
    found = _CURRENT.get()
    return shipped() if found is None else found


def use_catalogue(declared: Catalogue | None) -> None:
    """Let a repository's own types be known in this thread from now on; None for the shipped ones."""
    _CURRENT.set(declared)


def calib_names() -> tuple[CalibName, ...]:
    """Return the names of every type, declared ones last."""
    found = _CURRENT.get()
    return CALIB_NAMES if found is None else (*CALIB_NAMES, *found.declared_names)


def find_calib_name(dataset_type: str) -> CalibName:
    """Return the name parts of a calibration type.

    Raises
    ------
    UserInputError
        If no such type is known.
    """
    for known in calib_names():
        if known.dataset_type == dataset_type:
            return known
    raise _unknown(dataset_type, [known.dataset_type for known in calib_names()])


def calib_types() -> tuple[CalibType, ...]:
    """Return the types that `generate` makes, in the order in which they are built."""
    return catalogue().types


def dataset_types() -> tuple[DatasetType, ...]:
    """Return every dataset type that occurs, each once."""
    found = {one.name: one for one in (RAW, POST_ISR_IMAGE)}
    for known in catalogue().all_types:
        for one in known.all_dataset_types:
            found.setdefault(one.name, one)
    return tuple(found.values())


def as_record(one: DatasetType) -> DatasetTypeRecord:
    """Return a dataset type as the store keeps it."""
    return DatasetTypeRecord(
        name=one.name,
        dimensions=one.dimensions,
        storage_class=one.storage_class,
        is_calibration=one.is_calibration,
    )


def all_dataset_types() -> tuple[DatasetTypeRecord, ...]:
    """Return the dataset types a new repository registers, as the store keeps them.

    They are those of raw frames and biases; the job that first makes another type registers it, as the Butler does.
    """
    found = {one.name: one for one in (RAW, POST_ISR_IMAGE)}
    for name in _AT_FIRST:
        for one in find_calib_type(name).all_dataset_types:
            found[one.name] = one
    return tuple(as_record(one) for one in found.values())


def find_calib_type(name: str, instrument: str = "", variant: str = "") -> CalibType:
    """Return a calibration type that `generate` makes.

    Parameters
    ----------
    name : str
        Its name.
    instrument, variant : str
        The camera it is made for; without one, what holds for all.

    Raises
    ------
    UserInputError
        If it makes no such type.
    """
    found = catalogue().find(name, instrument, variant)
    if found is None or not found.is_made:
        raise _unknown(name, [known.name for known in calib_types()])
    return found


def _unknown(name: str, known: list[str]) -> UserInputError:
    nearest = did_you_mean(name, known)
    guess = f"did you mean '{nearest}'? " if nearest else ""
    return UserInputError(
        f"unknown calibration type '{name}'", hint=f"{guess}known: {', '.join(known)}", code="E-CALIBTYPE"
    )
