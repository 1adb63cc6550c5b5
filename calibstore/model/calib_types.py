"""Calibration types as data: what the pipelines make, and how every published type is named.

Names are irregular (``defects`` is made by ``defectGen``), so they are a table and never built from the type by rule.
"""

from dataclasses import dataclass
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.collections import did_you_mean
from calibstore.model.records import DatasetTypeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibName:
    """Name parts of one calibration type in the collections of DMTN-222."""

    dataset_type: str
    stem: str = ""
    """Of the generation collection, without band and rerun; empty: never generated."""
    certified: str = ""
    """Of the CALIBRATION collection; empty: never certified."""
    verification: str = ""
    """Of the verification collection; empty: none published."""
    has_band: bool = False
    """Whether collections carry a band suffix (``flatGen-g``)."""
    is_bootstrap: bool = False
    """Whether the generation collection ends with ``/run<N>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetType:
    """A dataset type as the Butler registers it."""

    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    is_calibration: bool = False
    """Only calibration types can be certified."""
    unit: str = ""
    """Of the pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibType:
    """A calibration type that `generate` makes."""

    dataset_type: DatasetType
    names: CalibName
    companions: tuple[DatasetType, ...]
    """Made in the same job for looking at: binned images, mosaics, thumbnails."""
    observation_type: str
    """Of the exposures it is built from."""
    needs: tuple[str, ...] = ()
    """Calibrations without which it cannot be built."""
    wants: tuple[str, ...] = ()
    """Calibrations applied when there are some; when not, the step is recorded as not applied."""
    gives: tuple[str, ...] = ()
    """Calibrations that become stale when this one changes."""
    title: str = ""

    @property
    def name(self) -> str:
        """Name of the dataset type."""
        return self.dataset_type.name

    @property
    def is_certifiable(self) -> bool:
        """Whether it has a certified collection."""
        return bool(self.names.certified)


CALIB_NAMES: Final = tuple(
    CalibName(
        dataset_type=dataset_type,
        stem=stem,
        certified=certified,
        verification=verification,
        has_band=has_band,
        is_bootstrap=is_bootstrap,
    )
    for dataset_type, stem, certified, verification, has_band, is_bootstrap in (
        ("biasBootstrap", "biasBootstrapGen", "", "", False, True),
        ("darkBootstrap", "darkBootstrapGen", "", "", False, True),
        ("flatBootstrap", "flatBootstrapGen", "", "", False, True),
        ("defects", "defectGen", "defects", "verifyDefects", False, False),
        ("linearizer", "linearizerGen", "linearizer", "verifyLinearizer", False, False),
        ("cti", "ctiGen", "cti", "", False, False),
        ("ptc", "ptcGen", "ptc", "verifyPtc", False, False),
        ("bfk", "bfkGen", "bfk", "verifyBfk", False, False),
        ("bias", "biasGen", "bias", "verifyBias", False, False),
        ("dark", "darkGen", "dark", "verifyDark", False, False),
        ("flat", "flatGen", "flat", "verifyFlat", True, False),
        ("crosstalk", "crosstalkGen", "crosstalk", "verifyCrosstalk", False, False),
        ("fringe", "fringeGen", "fringe", "", False, False),
        ("sky", "skyGen", "sky", "", False, False),
        ("science", "", "", "verifyScience", False, False),
    )
)
"""Every type whose names are published, ours or not (generation.md 1, requirements.md row 19)."""


def find_calib_name(dataset_type: str) -> CalibName:
    """Return the name parts of a calibration type.

    Raises
    ------
    UserInputError
        If no such type is known.
    """
    for known in CALIB_NAMES:
        if known.dataset_type == dataset_type:
            return known
    raise _unknown(dataset_type, [known.dataset_type for known in CALIB_NAMES])


BINS: Final = (8, 64)
"""Bin sizes of the images and mosaics made for looking at [pixel]."""


def _companions(name: str, unit: str) -> tuple[DatasetType, ...]:
    per_detector, whole = ("instrument", "detector"), ("instrument",)
    binned = tuple(
        DatasetType(name=f"{name}Bin{size}", dimensions=per_detector, storage_class="ExposureF", unit=unit)
        for size in BINS
    )
    mosaics = tuple(
        DatasetType(name=f"{name}Mosaic{size}", dimensions=whole, storage_class="ImageF", unit=unit) for size in BINS
    )
    thumbnail = DatasetType(name=f"{name}Thumbnail", dimensions=whole, storage_class="Thumbnail")
    return (*binned, *mosaics, thumbnail)


def _image_type(
    name: str, unit: str, *, needs: tuple[str, ...], wants: tuple[str, ...], gives: tuple[str, ...], title: str
) -> CalibType:
    return CalibType(
        dataset_type=DatasetType(
            name=name, dimensions=("instrument", "detector"), storage_class="ExposureF", is_calibration=True, unit=unit
        ),
        names=find_calib_name(name),
        companions=_companions(name, unit),
        observation_type="bias",
        needs=needs,
        wants=wants,
        gives=gives,
        title=title,
    )


CALIB_TYPES: Final = (
    _image_type(
        "biasBootstrap",
        "adu",
        needs=(),
        wants=("crosstalk",),
        gives=("darkBootstrap", "flatBootstrap", "defects"),
        title="first bias in adu, a step towards defects; never certified",
    ),
    _image_type(
        "bias",
        "electron",
        needs=(),
        wants=("ptc", "linearizer", "crosstalk"),
        gives=("dark", "flat"),
        title="combined bias in electrons, after gains",
    ),
)
"""Types that `generate` makes, in the order in which they are built."""

RAW: Final = DatasetType(name="raw", dimensions=("instrument", "detector", "exposure"), storage_class="Exposure")
POST_ISR_IMAGE: Final = DatasetType(
    name="post_isr_image",
    dimensions=("instrument", "detector", "exposure"),
    storage_class="Exposure",
    unit="electron",
)
"""What `process` writes."""

DATASET_TYPES: Final = (
    RAW,
    POST_ISR_IMAGE,
    *(one for known in CALIB_TYPES for one in (known.dataset_type, *known.companions)),
)
"""Every dataset type a new repository registers."""


def all_dataset_types() -> tuple[DatasetTypeRecord, ...]:
    """Return the dataset types a new repository registers, as the store keeps them."""
    return tuple(
        DatasetTypeRecord(
            name=one.name,
            dimensions=one.dimensions,
            storage_class=one.storage_class,
            is_calibration=one.is_calibration,
        )
        for one in DATASET_TYPES
    )


def find_calib_type(name: str) -> CalibType:
    """Return a calibration type that `generate` makes.

    Raises
    ------
    UserInputError
        If it makes no such type.
    """
    for known in CALIB_TYPES:
        if known.name == name:
            return known
    raise _unknown(name, [known.name for known in CALIB_TYPES])


def _unknown(name: str, known: list[str]) -> UserInputError:
    nearest = did_you_mean(name, known)
    guess = f"did you mean '{nearest}'? " if nearest else ""
    return UserInputError(
        f"unknown calibration type '{name}'", hint=f"{guess}known: {', '.join(known)}", code="E-CALIBTYPE"
    )
