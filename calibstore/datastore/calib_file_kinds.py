"""What the files of each calibration type say of themselves: class, OBSTYPE, and whose they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from calibstore.datastore.calib_tables import CLASS_KEY, find_card
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.lsst_translator import INSTRUMENTS
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.records import DatasetTypeRecord

_I: Final = ("instrument",)
_ID: Final = ("instrument", "detector")
_IP: Final = ("instrument", "physical_filter")
_IDP: Final = ("instrument", "detector", "physical_filter")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileKind:
    """A type whose files come from outside: curated, or made by other tools."""

    dataset_type: str
    dimensions: tuple[str, ...]
    storage_class: str
    classes: tuple[str, ...] = ()
    """Last parts of the CALIBCLS its files may have; none for images."""
    obstypes: tuple[str, ...] = ()
    """OBSTYPE its files may have, in lower case, besides the name of the type."""
    is_curated: bool = False
    """Whether it stands in the tree of curated calibrations."""
    is_kept_as_text: bool = False
    """Whether its files stay ECSV: curves, whose FITS form in the field is no table. Other tables are kept as FITS,
    which the Butler's formatters read; they read no ECSV."""

    @property
    def record(self) -> DatasetTypeRecord:
        """The dataset type as the store registers it."""
        return DatasetTypeRecord(
            name=self.dataset_type,
            dimensions=self.dimensions,
            storage_class=self.storage_class,
            is_calibration=True,
        )


def _curve(name: str, dimensions: tuple[str, ...], class_: str) -> FileKind:
    return FileKind(
        dataset_type=name,
        dimensions=dimensions,
        storage_class="TransmissionCurve",
        classes=(f"Intermediate{class_}TransmissionCurve",),
        is_curated=True,
        is_kept_as_text=True,
    )


FILE_KINDS: Final[Mapping[str, FileKind]] = {
    kind.dataset_type: kind
    for kind in (
        FileKind(
            dataset_type="defects", dimensions=_ID, storage_class="Defects", classes=("Defects",), is_curated=True
        ),
        FileKind(
            dataset_type="manual_defects",
            dimensions=_ID,
            storage_class="Defects",
            classes=("Defects",),
            is_curated=True,
        ),
        FileKind(
            dataset_type="crosstalk",
            dimensions=_ID,
            storage_class="CrosstalkCalib",
            classes=("CrosstalkCalib",),
            is_curated=True,
        ),
        FileKind(
            dataset_type="linearizer",
            dimensions=_ID,
            storage_class="Linearizer",
            classes=("Linearizer",),
            is_curated=True,
        ),
        FileKind(
            dataset_type="bfk",
            dimensions=_ID,
            storage_class="BrighterFatterKernel",
            classes=("BrighterFatterKernel",),
            is_curated=True,
        ),
        FileKind(
            dataset_type="qe_curve",
            dimensions=_ID,
            storage_class="QECurve",
            classes=("AmpCurve", "DetectorCurve", "ImageCurve"),
            is_curated=True,
            is_kept_as_text=True,
        ),
        _curve("transmission_optics", _I, "Optics"),
        _curve("transmission_filter", _IP, "Filter"),
        _curve("transmission_filter_detector", _IDP, "FilterDetector"),
        _curve("transmission_sensor", _ID, "Sensor"),
        _curve("transmission_atmosphere", _I, "Atmosphere"),
        _curve("transmission_system", _IDP, "System"),
        FileKind(
            dataset_type="ptc",
            dimensions=_ID,
            storage_class="PhotonTransferCurveDataset",
            classes=("PhotonTransferCurveDataset",),
        ),
        FileKind(dataset_type="cti", dimensions=_ID, storage_class="IsrCalib", classes=("DeferredChargeCalib",)),
        FileKind(
            dataset_type="gain_correction",
            dimensions=_ID,
            storage_class="IsrCalib",
            classes=("GainCorrection",),
            obstypes=("gaincorrection",),
        ),
        FileKind(
            dataset_type="electroBfDistortionMatrix",
            dimensions=_ID,
            storage_class="IsrCalib",
            classes=("ElectrostaticBrighterFatterDistortionMatrix",),
            obstypes=("bf_distortion_matrix",),
        ),
        FileKind(
            dataset_type="flat_gradient_reference",
            dimensions=_IP,
            storage_class="IsrCalib",
            classes=("FlatGradient",),
            obstypes=("flatgradient",),
        ),
        FileKind(
            dataset_type="pdCorrection",
            dimensions=_I,
            storage_class="IsrCalib",
            classes=("PhotodiodeCorrection",),
            obstypes=("photodiode_correction",),
        ),
        FileKind(dataset_type="illuminationCorrection", dimensions=_IDP, storage_class="ExposureF"),
    )
}
"""Types that need not be made here, by name."""


def check_cards(
    cards: Mapping[str, CardValue],
    kind: FileKind,
    camera: Camera,
    *,
    name: str,
    detector: int | None,
    physical_filter: str,
) -> None:
    """Hold what a file says of itself against what it is taken for.

    Parameters
    ----------
    cards : mapping
        Metadata of the file.
    kind : FileKind
        Type it is to be of.
    camera : Camera
        Instrument it is to be of.
    name : str
        Of the file, for messages.
    detector : int or None
        Number; None for types without one.
    physical_filter : str
        Empty for types without one.

    Raises
    ------
    UserInputError
        E-CALIBFILE, with the file and the first card that contradicts or is missing.
    """
    obstype, wanted = _text(cards, "OBSTYPE"), (kind.dataset_type.lower(), *kind.obstypes)
    if kind.classes and not obstype:
        raise wrong_card(name, "OBSTYPE", "is missing", f"it is to say {kind.dataset_type}")
    if obstype and obstype.lower() not in wanted:
        raise wrong_card(name, "OBSTYPE", f"is {obstype}, not {kind.dataset_type}", "give the type that it is")
    class_ = _text(cards, CLASS_KEY)
    if kind.classes and class_ and class_.rpartition(".")[2] not in kind.classes:
        raise wrong_card(name, CLASS_KEY, f"is {class_}, not {kind.classes[0]}", "give the type that it is")
    instrume = _text(cards, "INSTRUME")
    if INSTRUMENTS.get(instrume.lower(), instrume).lower() != camera.instrument.lower():
        told = f"is {instrume}, not {camera.instrument}" if instrume else "is missing"
        raise wrong_card(name, "INSTRUME", told, f"give a file of {camera.instrument}")
    if detector is not None and "detector" in kind.dimensions:
        _check_detector(cards, name, detector)
    stated = _text(cards, "FILTER")
    if physical_filter and stated.lower() != physical_filter.lower():
        told = f"is {stated}, not {physical_filter}" if stated else "is missing"
        raise wrong_card(name, "FILTER", told, "give the file of this filter, or the filter of this file")


def wrong_card(name: str, card: str, told: str, hint: str) -> UserInputError:
    """Return the error for a file whose metadata say something else."""
    return UserInputError(f"{name}: {card} {told}", hint=hint, code="E-CALIBFILE")


def _check_detector(cards: Mapping[str, CardValue], name: str, detector: int) -> None:
    stated = find_card(cards, "DETECTOR")
    try:
        number = int(str(stated))
    except ValueError:
        told = "is missing" if stated in (None, "") else f"is {stated}, which is no number"
        raise wrong_card(name, "DETECTOR", told, f"it is to say {detector}") from None
    if number != detector:
        raise wrong_card(name, "DETECTOR", f"is {number}, not {detector}", "give the file of this detector")


def _text(cards: Mapping[str, CardValue], key: str) -> str:
    value = find_card(cards, key)
    return "" if value is None else str(value).strip()
