"""The steps of signature removal on one band of raw rows: from the serial overscan to the flat, in readout order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.detector_frames import ELECTRON, DetectorFrame, Regions, placements_of
from calibstore.pipelines.isr_amplifiers import AmplifierState, KnownAmplifiers
from calibstore.pipelines.isr_calibs import IsrCalibs
from calibstore.pipelines.isr_defects import DefectRows
from calibstore.pipelines.isr_flags import IsrFlags
from kernels.arrays import Cube, Image, Mask, Vector, plane_bit
from kernels.isr_pixels import divide_flat, flag_missing, flag_saturation, photon_variance

CROSSTALK_FLAG_E: Final = 1.0
"""Crosstalk that differs by more from that of the background sets CROSSTALK [electron]."""

_SAMPLED_ROWS: Final = 16


@dataclass(frozen=True, slots=True)
class Rows:
    """Imaging rows y0..y1-1 of some amplifiers, from 0 at the readout side."""

    indices: Sequence[int]
    y0: int
    y1: int


class BandSteps:
    """The steps of one exposure; `attach` gives it the frame, whose overscans it corrects first.

    Parameters
    ----------
    detector : Detector
        Geometry.
    calibs : IsrCalibs
        Opened calibrations.
    known : KnownAmplifiers
        What they say of the amplifiers.
    flags : IsrFlags
        Steps that are on.
    """

    def __init__(self, detector: Detector, calibs: IsrCalibs, known: KnownAmplifiers, flags: IsrFlags) -> None:
        self._detector = detector
        self._calibs = calibs
        self._known = known
        self._flags = flags
        self._placements = placements_of(detector)
        self._crosstalk_floor: Vector | None = None
        self._matrix: NDArray[np.float32] | None = None
        self._scratch: Cube | None = None
        self._defects: DefectRows | None = None
        self._frame: DetectorFrame
        self._states: tuple[AmplifierState, ...]

    def attach(self, frame: DetectorFrame, states: tuple[AmplifierState, ...]) -> None:
        """Take the exposure whose bands are corrected."""
        self._frame, self._states = frame, states

    @property
    def _gains(self) -> Vector:
        return self._known.gains

    @property
    def _dark_factor(self) -> float:
        return self._frame.raw.dark_seconds / self._calibs.dark_time_s

    def until_defects(self, rows: Rows, image: Cube, mask: Mask) -> None:
        """Do the steps from the serial overscan to the defects."""
        self._until_crosstalk(rows, image, mask)
        tables, flags = self._calibs.tables, self._flags
        is_in_electron = flags.units == ELECTRON
        for number, index in enumerate(rows.indices):
            pixels = image[number]
            columns = self._frame.column_offset(index)
            if columns is not None:
                np.subtract(pixels, columns, out=pixels)
            if flags.linearize and tables.linearity:
                self._linearize(index, pixels)
            if is_in_electron:
                pixels *= np.float32(self._gains[index])
            if flags.cti and tables.cti:
                self._bring_back_charge(index, pixels, scale=1.0 if is_in_electron else float(self._gains[index]))
        if (bias := self._calibs.images.get("bias")) is not None:
            np.subtract(image, bias.read_band(rows.indices, rows.y0, rows.y1), out=image)
        if (dark := self._calibs.images.get("dark")) is not None and self._dark_factor:
            charge = dark.read_band(rows.indices, rows.y0, rows.y1)
            self._scratch = scratch = matching(self._scratch, image)
            np.multiply(charge, np.float32(self._dark_factor), out=scratch)
            np.subtract(image, scratch, out=image)
        for step in ("bias", "dark"):
            self._take_flags(step, rows, mask)
        self._flag_amplifiers(rows, image, mask)

    def _until_crosstalk(self, rows: Rows, image: Cube, mask: Mask) -> None:
        for number, index in enumerate(rows.indices):
            row = self._placements[index].data_y0
            self._frame.read_data(index, row + rows.y0, row + rows.y1, out=image[number], with_columns=False)
        if self._flags.saturation:
            self._flag_saturation(rows, image, mask)
        if self._known.crosstalk is None:
            return
        from kernels.crosstalk import apply_matrix, crosstalk_matrix

        if len(rows.indices) != len(self._placements):
            require_one_size(self._detector)
        before = image.copy() if self._flags.is_plain else None
        if self._matrix is None:
            self._matrix = crosstalk_matrix(len(rows.indices), *self._known.crosstalk, bad=self._known.is_bad)
        apply_matrix(image, self._matrix, out=image)
        if before is not None:
            self._flag_crosstalk(before, image, mask)

    def _flag_saturation(self, rows: Rows, image: Cube, mask: Mask) -> None:
        states = [self._states[index] for index in rows.indices]
        lowest = min(min(state.saturation_adu, state.suspect_adu) for state in states)
        # fmax passes over NaN; for nearly every band one look at all amplifiers says that nothing is to be done
        if not np.fmax.reduce(image, axis=None) >= lowest:
            return
        for state, pixels, bits in zip(states, image, mask, strict=True):
            flag_saturation(pixels, bits, saturation=state.saturation_adu, suspect=state.suspect_adu)

    def _flag_crosstalk(self, before: Cube, after: Cube, mask: Mask) -> None:
        if self._crosstalk_floor is None:
            self._crosstalk_floor = self._background_crosstalk()
        np.subtract(before, after, out=before)
        before -= self._crosstalk_floor[:, None, None].astype(np.float32)
        np.abs(before, out=before)
        limits = np.nan_to_num(CROSSTALK_FLAG_E / self._gains, nan=np.inf).astype(np.float32)
        for pixels, limit, bits in zip(before, limits, mask, strict=True):
            if np.fmax.reduce(pixels, axis=None) >= limit:
                bits[pixels >= limit] |= plane_bit("CROSSTALK")

    def _background_crosstalk(self) -> Vector:
        """Return the crosstalk of the median of each amplifier, from a few rows spread over the image [adu]."""
        medians = np.zeros(len(self._placements))
        for index, place in enumerate(self._placements):
            rows = np.unique(np.linspace(0, place.height - 1, _SAMPLED_ROWS).astype(int))
            out = np.empty((1, place.width), np.float32)
            sample = [
                self._frame.read_data(
                    index, place.data_y0 + y, place.data_y0 + y + 1, out=out, with_columns=False
                ).copy()
                for y in rows.tolist()
            ]
            found = float(np.median(np.concatenate(sample)))
            medians[index] = found if math.isfinite(found) and not self._known.reasons[index] else 0.0
        linear, quadratic = self._known.crosstalk or (np.zeros((medians.size, medians.size)), None)
        floor: Vector = np.nan_to_num(linear).T @ medians
        if quadratic is not None:
            floor += np.nan_to_num(quadratic).T @ medians**2
        return floor

    def uncross_regions(self, regions: Regions) -> None:
        """Take the crosstalk off the parallel overscans, before their levels are found."""
        from kernels.crosstalk import apply_crosstalk

        found = [region for region in regions if region is not None]
        if len(found) != len(regions) or len({region.shape for region in found}) != 1 or self._known.crosstalk is None:
            return
        cube = np.stack(found)
        apply_crosstalk(cube, *self._known.crosstalk, bad=self._known.is_bad, out=cube)
        for region, pixels in zip(found, cube, strict=True):
            region[...] = pixels

    def _linearize(self, index: int, pixels: Image) -> None:
        from kernels.linearity import apply_linearity

        table = self._calibs.tables.linearity[index]
        if table is not None:
            apply_linearity(pixels, table, out=pixels)

    def _bring_back_charge(self, index: int, pixels: Image, *, scale: float) -> None:
        from kernels.deferred_charge import correct_deferred_charge

        model = self._calibs.tables.cti[index]
        if model is None:
            return
        if scale != 1.0:
            pixels *= np.float32(scale)
        correct_deferred_charge(pixels, model, n_prescan=self._detector.amplifiers[index].data.x0, out=pixels)
        if scale != 1.0:
            pixels *= np.float32(1.0 / scale)

    def _take_flags(self, step: str, rows: Rows, mask: Mask) -> None:
        plane = self._calibs.masks.get(step)
        if plane is not None and (bits := plane.read_flags(rows.indices, rows.y0, rows.y1)) is not None:
            mask |= bits

    def _flag_amplifiers(self, rows: Rows, image: Cube, mask: Mask) -> None:
        """Flag defects and whole bad amplifiers; those of an exposure to be looked at lose their values."""
        if self._flags.defects and self._calibs.tables.defects:
            self._defect_rows().flag(mask, rows.indices, rows.y0, rows.y1, plane_bit("BAD"))
        for number, index in enumerate(rows.indices):
            if self._states[index].is_bad:
                mask[number] |= plane_bit("BAD")
                if self._flags.is_plain:
                    image[number] = np.nan

    def _defect_rows(self) -> DefectRows:
        if self._defects is None:
            # an amplifier that is bad is flagged whole
            pairs = zip(self._states, self._calibs.tables.defects, strict=True)
            left = [defects[:0] if state.is_bad else defects for state, defects in pairs]
            self._defects = DefectRows.of(left, [place.width for place in self._placements])
        return self._defects

    def write_variance(self, rows: Rows, image: Cube, variance: Cube) -> None:
        """Write the variance of light, read noise, bias and dark [square of the unit]."""
        is_in_electron = self._flags.units == ELECTRON
        states = [self._states[index] for index in rows.indices]
        gains = np.array([1.0 if is_in_electron else state.gain_e_per_adu for state in states])[:, None, None]
        noise = np.array([state.read_noise_e for state in states])[:, None, None]
        photon_variance(image, gain_e_per_adu=gains, read_noise_e=noise, out=variance)
        for step, factor in (("bias", 1.0), ("dark", self._dark_factor**2)):
            if (plane := self._calibs.variances.get(step)) is not None:
                variance += plane.read_band(rows.indices, rows.y0, rows.y1) * np.float32(factor)

    def divide_flat(self, rows: Rows, image: Cube, mask: Mask, variance: Cube | None) -> None:
        """Divide by the flat, variance too, where there is a flat; flag what is missing after everything."""
        plane = self._calibs.images.get("flat")
        if plane is None:
            flag_missing(image, mask)
            return
        spread = self._calibs.variances.get("flat") if variance is not None else None
        divide_flat(
            image,
            plane.read_band(rows.indices, rows.y0, rows.y1),
            variance=variance,
            flat_variance=None if spread is None else spread.read_band(rows.indices, rows.y0, rows.y1),
        )
        self._take_flags("flat", rows, mask)
        flag_missing(image, mask)


def matching(scratch: Cube | None, image: Cube) -> Cube:
    """Return memory of the shape of a band: that there is, or new."""
    return scratch if scratch is not None and scratch.shape == image.shape else np.empty(image.shape, np.float32)


def require_one_size(detector: Detector) -> None:
    """Refuse a detector whose amplifiers have no common rows.

    Raises
    ------
    UserInputError
        If they are not of one size.
    """
    if len({(place.width, place.height) for place in placements_of(detector)}) != 1:
        raise UserInputError(
            f"detector {detector.full_name}: amplifiers of different sizes have no common rows",
            hint="crosstalk and bands of all amplifiers need amplifiers of one size",
            code="E-GEOMETRY",
        )
