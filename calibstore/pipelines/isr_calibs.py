"""The calibrations signature removal applies: opened once, checked against the step that takes them, and named."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import read_header
from calibstore.errors import ConflictError, StoreError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import KEY_OF_TYPE
from calibstore.pipelines.detector_frames import ELECTRON, placements_of
from calibstore.pipelines.isr_flags import CALIB_STEPS, GAIN_STEP, GainSource, IsrFlags
from calibstore.pipelines.isr_images import CalibPlane
from calibstore.pipelines.isr_tables import TABLE_STEPS, IsrTables, load_table
from calibstore.pipelines.quantum import CalibInput
from kernels.isr_pixels import reciprocal_flat

if TYPE_CHECKING:
    from kernels.arrays import Cube

DATASET_ID_KEY: Final = "CAB DATASET ID"
UNITS_KEY: Final = "LSST ISR UNITS"
IMAGE_STEPS: Final = ("bias", "dark", "flat")
STEPS_BEFORE: Final = ("gain_correction", "crosstalk", "linearize", "cti")
"""Steps before the bias: an image calibration that lacks one was taken of other numbers than the image it corrects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedCalib:
    """One calibration in use, as its own file names it."""

    calib: CalibInput
    header: dict[str, CardValue] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name in ``LSST CALIB UUID <name>``: that of the final product for a bootstrap."""
        kind = self.calib.dataset_type.removesuffix("Bootstrap")
        return KEY_OF_TYPE.get(kind, kind.upper())

    @property
    def dataset_id(self) -> str:
        """UUID of its own header, else the recorded one."""
        return str(self.header.get(DATASET_ID_KEY) or self.calib.dataset_id)


@dataclass(slots=True, kw_only=True)
class IsrCalibs:
    """Everything signature removal of one detector takes from files."""

    used: dict[str, AppliedCalib] = field(default_factory=dict)
    """By step of `CALIB_STEPS`, and `GAIN_STEP`."""
    tables: IsrTables = field(default_factory=IsrTables)
    images: dict[str, CalibPlane] = field(default_factory=dict)
    """Images of `IMAGE_STEPS`; the flat as its reciprocal."""
    masks: dict[str, CalibPlane] = field(default_factory=dict)
    variances: dict[str, CalibPlane] = field(default_factory=dict)
    dark_time_s: float = 1.0
    """Time the dark stands for [s]."""

    def close(self) -> None:
        """Close the images."""
        for planes in (self.images, self.masks, self.variances):
            for plane in planes.values():
                plane.close()

    def mismatches(self) -> list[str]:
        """Say where an image calibration was corrected otherwise than the image it is applied to."""
        told = []
        for step in IMAGE_STEPS:
            if step not in self.used or not self.used[step].header:
                continue
            for before in STEPS_BEFORE:
                name = CALIB_STEPS[before][0]
                stated = self.used[step].header.get(f"LSST ISR {name} APPLIED")
                if stated is not None and stated is not (before in self.used):
                    kind = self.used[step].calib.dataset_type
                    told.append(f"{kind} was made {'with' if stated else 'without'} {CALIB_STEPS[before][1][0]}")
        return told

    def state_mismatches(self, state: dict[str, str], keywords: Sequence[str]) -> list[str]:
        """Return the keys of calibrations taken under another camera state.

        Parameters
        ----------
        state : dict of str to str
            Keywords of the exposure.
        keywords : sequence of str
            Those that are compared.
        """
        return [
            used.key
            for used in self.used.values()
            if any(
                used.header.get(key) not in (None, "") and key in state and str(used.header[key]) != state[key]
                for key in keywords
            )
        ]


def open_calibs(detector: Detector, calibs: Sequence[CalibInput], flags: IsrFlags) -> IsrCalibs:
    """Open the calibrations that the flags ask for; others are left alone.

    Parameters
    ----------
    detector : Detector
        The detector they must fit.
    calibs : sequence of CalibInput
        What is at hand.
    flags : IsrFlags
        Steps that are on.

    Raises
    ------
    ConflictError
        If one is of another shape, or in a unit the step cannot take (exit 4).
    StoreError
        If a file is missing or damaged.
    UserInputError
        If a needed one is not there.
    """
    opened = IsrCalibs()
    try:
        for step in wanted_steps(flags):
            calib = find_calib(calibs, step)
            if calib is not None:
                _open_step(step, AppliedCalib(calib=calib, header=_header(calib)), detector, flags, opened)
            elif step in flags.needs:
                raise _missing(step, detector)
    except BaseException:
        opened.close()
        raise
    return opened


def wanted_steps(flags: IsrFlags) -> list[str]:
    """Return the steps that take a calibration and are on, with the source of the gains first."""
    wants_ptc = flags.gain_source is GainSource.PTC and not flags.is_bootstrap
    return [GAIN_STEP] * wants_ptc + [step for step in CALIB_STEPS if getattr(flags, step)]


def types_of(step: str) -> tuple[str, ...]:
    """Return the dataset types that serve a step, the usual one first."""
    return (GAIN_STEP,) if step == GAIN_STEP else CALIB_STEPS[step][1]


def find_calib(calibs: Sequence[CalibInput], step: str) -> CalibInput | None:
    """Return the calibration that serves a step: the first of its types that is there."""
    for dataset_type in types_of(step):
        for calib in calibs:
            if calib.dataset_type == dataset_type:
                return calib
    return None


def _open_step(step: str, used: AppliedCalib, detector: Detector, flags: IsrFlags, opened: IsrCalibs) -> None:
    path = Path(used.calib.path)
    if step in IMAGE_STEPS:
        _check_unit(step, used, flags)
        places = placements_of(detector)
        opened.images[step] = CalibPlane(path, detector, places, transform=_reciprocal if step == "flat" else None)
        for name, planes in (("MASK", opened.masks), ("VARIANCE", opened.variances)):
            with suppress(StoreError):  # an image product may come without these planes
                planes[step] = CalibPlane(path, detector, places, name)
        if step == "dark":
            stated = used.header.get("DARKTIME")
            opened.dark_time_s = float(stated) if isinstance(stated, int | float) and stated > 0 else 1.0
    elif step in TABLE_STEPS:
        load_table(step, path, detector, opened.tables)
    else:
        return
    opened.used[step] = used


def _reciprocal(cube: "Cube") -> None:
    reciprocal_flat(cube, out=cube)


def _header(calib: CalibInput) -> dict[str, CardValue]:
    """Return the cards of a product: of the primary header, or the metadata of an ECSV table."""
    path = Path(calib.path)
    if path.suffix == ".ecsv":
        from calibstore.datastore.calib_tables import read_calib_tables

        return {str(key).upper(): value for key, value in read_calib_tables(path).metadata.items()}
    return read_header(path)


def _check_unit(step: str, used: AppliedCalib, flags: IsrFlags) -> None:
    """Refuse a bias or dark in another unit than the image: each by its own header."""
    if step == "flat":
        return  # relative
    found = str(used.header.get(UNITS_KEY) or "not stated")
    if found != flags.units:
        better = "a final product" if flags.units == ELECTRON else "a bootstrap"
        raise ConflictError(
            f"{used.calib.path}: {used.calib.dataset_type} {used.dataset_id} is in {found}, the image is in "
            f"{flags.units} where it is subtracted",
            hint=f"take {better}; a bootstrap in adu is never certified",
            code="E-UNITS",
        )


def _missing(step: str, detector: Detector) -> UserInputError:
    kind = types_of(step)[0]
    return UserInputError(
        f"detector {detector.full_name}: no {kind} to apply, and nothing is silently left uncorrected",
        hint=f"generate and certify a {kind}: cabstand generate {kind} TICKET",
        code="E-INPUTS",
    )
