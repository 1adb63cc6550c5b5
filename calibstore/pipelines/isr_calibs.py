"""The calibrations signature removal applies: opened once, checked against the step that takes them, and named."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import read_header
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.detector_frames import placements_of
from calibstore.pipelines.isr_flags import CALIB_STEPS, IsrFlags
from calibstore.pipelines.isr_images import CalibPlane
from calibstore.pipelines.quantum import CalibInput

DATASET_ID_KEY: Final = "CAB DATASET ID"
UNITS_KEY: Final = "LSST ISR UNITS"
IMAGE_STEPS: Final = ("bias", "dark", "flat")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedCalib:
    """One calibration in use, as its own file names it."""

    calib: CalibInput
    header: dict[str, CardValue] = field(default_factory=dict)

    @property
    def dataset_id(self) -> str:
        """UUID of its own header, else the recorded one."""
        return str(self.header.get(DATASET_ID_KEY) or self.calib.dataset_id)


@dataclass(slots=True, kw_only=True)
class IsrCalibs:
    """Everything signature removal of one detector takes from files."""

    used: dict[str, AppliedCalib] = field(default_factory=dict)
    """By step of `CALIB_STEPS` (``ptc`` for gains and read noise)."""
    planes: dict[str, CalibPlane] = field(default_factory=dict)
    """Images of `IMAGE_STEPS`."""

    def close(self) -> None:
        """Close the images."""
        for plane in self.planes.values():
            plane.close()


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
        for step in CALIB_STEPS:
            calib = find_calib(calibs, step) if getattr(flags, step) else None
            if calib is None:
                if step in flags.needs:
                    raise _missing(step, detector)
                continue
            used = AppliedCalib(calib=calib, header=_header(calib))
            if step in IMAGE_STEPS:
                _check_unit(step, used, flags)
                opened.planes[step] = CalibPlane(Path(calib.path), detector, placements_of(detector))
                opened.used[step] = used
    except BaseException:
        opened.close()
        raise
    return opened


def find_calib(calibs: Sequence[CalibInput], step: str) -> CalibInput | None:
    """Return the calibration that serves a step: the first type of `CALIB_STEPS` that is there."""
    for dataset_type in CALIB_STEPS[step][2]:
        for calib in calibs:
            if calib.dataset_type == dataset_type:
                return calib
    return None


def _header(calib: CalibInput) -> dict[str, CardValue]:
    return read_header(Path(calib.path))


def _check_unit(step: str, used: AppliedCalib, flags: IsrFlags) -> None:
    """Refuse a bias or dark in another unit than the image: each by its own header."""
    if step == "flat":
        return  # relative
    found = str(used.header.get(UNITS_KEY) or "not stated")
    if found != flags.units:
        raise ConflictError(
            f"{used.calib.path}: {used.calib.dataset_type} {used.dataset_id} is in {found}, the image is in "
            f"{flags.units} where it is subtracted",
            hint="use a final product for electrons, a bootstrap for adu; a bootstrap is never certified",
            code="E-UNITS",
        )


def _missing(step: str, detector: Detector) -> UserInputError:
    kind = CALIB_STEPS[step][2][0]
    return UserInputError(
        f"detector {detector.full_name}: no {kind} to apply, and nothing is silently left uncorrected",
        hint=f"generate and certify a {kind}: cabstand generate {kind} TICKET",
        code="E-INPUTS",
    )
