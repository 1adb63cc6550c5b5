"""Reads the calibration under test and what its own header says of it: identity, unit, inputs, steps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import ConflictError
from calibstore.model.camera import Detector
from calibstore.pipelines.calib_identity import KEY_OF_TYPE
from calibstore.pipelines.isr_calibs import STEPS_BEFORE, IsrCalibs, types_of
from calibstore.pipelines.isr_flags import CALIB_STEPS, GAIN_STEP, GainSource, IsrFlags, flags_for
from calibstore.pipelines.quantum import CalibInput
from kernels.arrays import BoolImage, Image, plane_bit

DATASET_ID_KEY: Final = "CAB DATASET ID"
UNITS_KEY: Final = "LSST ISR UNITS"
GAIN_SOURCE_KEY: Final = "LSST ISR GAIN SOURCE"
EXCLUDED_PLANES: Final = ("BAD", "NO_DATA", "DETECTED")
"""Pixels with these planes take no part in any statistic."""

STEPS_BEFORE_BIAS: Final = tuple(CALIB_STEPS[step][0] for step in STEPS_BEFORE)
"""Steps before the bias is subtracted: one the bias itself lacks is one later frames must lack too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The calibration under test."""

    dataset_id: str
    """UUID its own header gives; empty when it gives none."""
    image: Image
    """Pixels, shape (height, width), float32 [electron]."""
    bad: BoolImage
    """Pixels left out, and those that are not finite."""
    n_inputs: int
    """Exposures combined in it; 0 when neither its header nor the plan tells."""
    gain_source: str
    steps: dict[str, bool]
    """`STEPS_BEFORE_BIAS` by name: whether the header says they were applied."""
    parents: Mapping[str, str] = field(default_factory=dict)
    """UUID of each calibration its header says it was made with, by dataset type."""

    def flags(self, instrument: str) -> IsrFlags:
        """Return the steps that frames need to be corrected as those it was made of: all of them needed.

        Parameters
        ----------
        instrument : str
            Butler name.
        """
        applied = {step: self.steps[CALIB_STEPS[step][0]] for step in STEPS_BEFORE}
        source = GainSource(self.gain_source) if self.gain_source in set(GainSource) else GainSource.CAMERA
        needs = {step for step, is_applied in applied.items() if is_applied}
        needs |= {GAIN_STEP} if source is GainSource.PTC else set()
        flags = replace(flags_for("bias", instrument), gain_source=source, needs=frozenset(needs))
        return replace(flags, **applied)  # type: ignore[arg-type]  # the keys are field names, all bool

    def other_parents(self, opened: IsrCalibs) -> dict[str, str]:
        """Return the calibrations in use that are not those it was made with: dataset type to UUID.

        Parameters
        ----------
        opened : IsrCalibs
            What the frames are corrected with.
        """
        used = {types_of(step)[0]: one.dataset_id for step, one in opened.used.items()}
        return {kind: found for kind, found in used.items() if self.parents.get(kind, found) != found}


def read_candidate(calib: CalibInput, detector: Detector) -> Candidate:
    """Read the calibration under test.

    Parameters
    ----------
    calib : CalibInput
        Where it is and what the plan says of it.
    detector : Detector
        The detector it must fit.

    Raises
    ------
    ConflictError
        If it is not in electrons, or of another shape.
    StoreError
        If the file is missing or damaged.
    """
    path = Path(calib.path)
    header = read_header(path)
    units = str(header.get(UNITS_KEY) or "not stated")
    if units != "electron":
        raise ConflictError(
            f"{calib.path}: {calib.dataset_type} {calib.dataset_id} is in {units}, verification works in electron",
            hint="verify a final bias; a bootstrap in adu is never certified: cabstand generate --type bias",
            code="E-UNITS",
        )
    image = read_plane(path, "IMAGE").astype(np.float32, copy=False)
    if image.shape != (detector.height, detector.width):
        raise ConflictError(
            f"{calib.path}: {image.shape[1]} x {image.shape[0]} pixels, detector {detector.full_name} has "
            f"{detector.width} x {detector.height}",
            hint="check the detector of the product",
            code="E-GEOMETRY",
        )
    mask = read_plane(path, "MASK").astype(np.int32, copy=False)
    excluded = sum(plane_bit(name) for name in EXCLUDED_PLANES)
    return Candidate(
        dataset_id=str(header.get(DATASET_ID_KEY) or ""),
        image=image,
        bad=((mask & np.int32(excluded)) != 0) | ~np.isfinite(image),
        n_inputs=calib.n_inputs or sum(re.fullmatch(r"CPP_INPUT_\d+", key) is not None for key in header),
        gain_source=str(header.get(GAIN_SOURCE_KEY) or ""),
        steps={step: header.get(f"LSST ISR {step} APPLIED") is True for step in STEPS_BEFORE_BIAS},
        parents=_parents(header),
    )


def _parents(header: Mapping[str, CardValue]) -> dict[str, str]:
    found = {kind: header.get(f"LSST CALIB UUID {key}") for kind, key in KEY_OF_TYPE.items()}
    return {kind: str(value) for kind, value in found.items() if value}
