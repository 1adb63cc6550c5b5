"""Raw exposures of one detector corrected in the published order, in bands of raw rows of all amplifiers.

The order is that of generation.md 2.1: serial overscan, saturation, gain, crosstalk, overscan checks, parallel
overscan, linearity, charge transfer, bias, dark, defects, missing values, brighter-fatter, variance, flat,
interpolation. Levels of the overscans are found first, from those pixels alone (the parallel ones after the crosstalk
has been taken off them); afterwards any band can be read in any order, so that memory is a few rows of each frame.

One shortcut is taken, and it is exact: the image is kept in adu until after the linearity, with crosstalk coefficients
turned from electron/electron into adu/adu (``c g_source / g_target``) and the linearity in adu, and the gain is
multiplied in then. Every step between is the published one with its unit changed by a constant of the amplifier.
Without crosstalk and linearity the result is also bit for bit what the overscan and gain alone give.

Where the published code starts the variance plane at one and adds to it, nothing is there before here. The limits of
the parallel overscan are in adu, as they are defined, also where gains are applied.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.scratch_cube import ScratchCube
from calibstore.model.camera import Detector
from calibstore.pipelines.corrected_cards import isr_cards, measured_cards
from calibstore.pipelines.detector_frames import ELECTRON, DetectorFrame, placements_of
from calibstore.pipelines.isr_amplifiers import (
    AmplifierState,
    amplifier_states,
    known_amplifiers,
    require_dark_time,
    require_powered,
    require_usable,
)
from calibstore.pipelines.isr_bands import BandSteps, Rows, require_one_size
from calibstore.pipelines.isr_calibs import IsrCalibs, open_calibs
from calibstore.pipelines.isr_flags import GAIN_STEP, GainSource, IsrFlags
from calibstore.pipelines.quantum import CalibInput, RawInput
from kernels.arrays import Cube, Image, Mask, plane_bit
from kernels.assembly import oriented
from kernels.isr_pixels import flag_missing
from kernels.isr_repair import repair_rows

__all__ = ["AmplifierState", "CorrectedFrame", "open_corrected", "without_steps"]

READ_ROWS: Final = 16
"""Rows of all amplifiers worked on at once: their memory stays in the cache of the processor."""


class CorrectedFrame:
    """One exposure of a detector, open for reading, corrected as its flags say.

    Not made directly: see `open_corrected`.
    """

    def __init__(
        self,
        detector: Detector,
        raw: RawInput,
        calibs: IsrCalibs,
        *,
        flags: IsrFlags,
        instrument: str,
        verify_checksum: bool = False,
        is_strict: bool = False,
    ) -> None:
        self.raw = raw
        self.flags = flags
        self.calibs = calibs
        self._detector = detector
        self._placements = placements_of(detector)
        if flags.check_unprocessable:
            require_powered(raw, flags)
        if "dark" in flags.needs:
            require_dark_time(raw)
        self._known = known_amplifiers(detector, calibs, flags)
        self._steps = BandSteps(detector, calibs, self._known, flags)
        self._spool: tuple[ScratchCube, ScratchCube] | None = None
        self._measured: dict[str, CardValue] = {}
        self._frame = DetectorFrame(
            detector,
            raw,
            instrument=instrument,
            verify_checksum=verify_checksum,
            before_parallel=None if self._known.crosstalk is None else self._steps.uncross_regions,
            is_lenient=not is_strict,
            is_dithered=flags.dither,
        )
        try:
            self.amplifiers = amplifier_states(detector, self._frame, self._known, calibs, flags)
            self._steps.attach(self._frame, self.amplifiers)
            require_usable(detector, raw, self.amplifiers, flags)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the files."""
        self._frame.close()
        for scratch in self._spool or ():
            scratch.close()

    @property
    def gain_source(self) -> GainSource:
        """Where the gains came from in fact."""
        return self._known.gain_source

    @property
    def is_quantised(self) -> bool:
        """Whether the stored values are whole numbers of adu."""
        return self._frame.is_quantised

    @property
    def band_height(self) -> int:
        """Imaging rows of an amplifier."""
        return self._placements[0].height

    @property
    def band_width(self) -> int:
        """Imaging columns of an amplifier."""
        return self._placements[0].width

    @property
    def bad_amplifiers(self) -> dict[str, str]:
        """Amplifiers that are not to be used, and why."""
        return {state.name: state.reason for state in self.amplifiers if state.is_bad}

    def read_band(self, y0: int, y1: int, *, out: Cube | None = None, mask: Mask | None = None) -> tuple[Cube, Mask]:
        """Read imaging rows of all amplifiers, corrected, in readout order.

        Parameters
        ----------
        y0, y1 : int
            Half-open range of imaging rows, from 0 at the readout side of each amplifier.
        out : ndarray of shape (n_amp, y1 - y0, width), float32, optional
            Written and returned.
        mask : ndarray of the same shape, int32, optional
            Likewise.

        Returns
        -------
        image : ndarray of shape (n_amp, y1 - y0, width), float32
            In `flags.units`.
        mask : ndarray of the same shape, int32
            Bits of `kernels.arrays.MASK_PLANES`.

        Raises
        ------
        StoreError
            If a file cannot be read in full.
        UserInputError
            If the amplifiers are not of one size.
        """
        require_one_size(self._detector)
        return self._corrected(Rows(range(len(self._placements)), y0, y1), out, mask=mask)

    def read_band_variance(
        self,
        y0: int,
        y1: int,
        *,
        out: Cube | None = None,
        variance: Cube | None = None,
        mask: Mask | None = None,
    ) -> tuple[Cube, Mask, Cube]:
        """Read imaging rows of all amplifiers with their variance, as `read_band` otherwise.

        Parameters
        ----------
        y0, y1 : int
            Half-open range of imaging rows.
        out, variance, mask : ndarray of shape (n_amp, y1 - y0, width), optional
            Written and returned.
        """
        require_one_size(self._detector)
        shape = (len(self._placements), y1 - y0, self.band_width)
        wanted = np.empty(shape, np.float32) if variance is None else variance
        image, bits = self._corrected(Rows(range(len(self._placements)), y0, y1), out, wanted, mask)
        return image, bits, wanted

    def read_amplifier(self, index: int) -> tuple[Image, Mask]:
        """Read all imaging pixels of one amplifier, corrected, in readout order.

        Parameters
        ----------
        index : int
            Number of the amplifier in the detector.

        Returns
        -------
        image : ndarray of shape (height, width), float32
            In `flags.units`.
        mask : ndarray of shape (height, width), int32
            Bits of `kernels.arrays.MASK_PLANES`.
        """
        place = self._placements[index]
        image = np.empty((place.height, place.width), np.float32)
        mask = np.empty(image.shape, np.int32)
        indices = range(len(self._placements)) if self._known.crosstalk is not None else [index]
        number = indices.index(index)
        for y0 in range(0, place.height, READ_ROWS):
            y1 = min(y0 + READ_ROWS, place.height)
            cube, bits = self._corrected(Rows(indices, y0, y1), None)
            image[y0:y1], mask[y0:y1] = cube[number], bits[number]
        return image, mask

    def read_assembled(self) -> tuple[Image, Mask, Image]:
        """Read the whole exposure, corrected, as the detector shows it.

        Returns
        -------
        image : ndarray of shape (height, width), float32
            In `flags.units`; NaN where there is no amplifier.
        mask : ndarray of shape (height, width), int32
            Bits of `kernels.arrays.MASK_PLANES`; NO_DATA where there is no amplifier.
        variance : ndarray of shape (height, width), float32
            In the square of `flags.units`.
        """
        shape = (self._detector.height, self._detector.width)
        variance = np.full(shape, np.nan, np.float32)
        image, mask = self._assemble(variance)
        if self.flags.interpolate:
            repair_rows(image, mask)
            self._empty_bad_amplifiers(image, mask)
        self._measured = measured_cards(self._detector, self.flags, image, mask)
        return image, mask, variance

    def read_image(self) -> Image:
        """Read the whole exposure as `read_assembled` does, without variance, interpolation and statistics."""
        return self._assemble(None)[0]

    def cards(self) -> dict[str, CardValue]:
        """Return the provenance and state cards of generation.md 2.3; statistics after `read_assembled` only."""
        cards = isr_cards(self.raw, self.flags, self.gain_source, self.amplifiers, self.calibs)
        return cards | self._measured

    def _empty_bad_amplifiers(self, image: Image, mask: Mask) -> None:
        """Take back what a narrow amplifier was filled with: its neighbours say nothing of it."""
        for amplifier, state in zip(self._detector.amplifiers, self.amplifiers, strict=True):
            if state.is_bad:
                image[amplifier.place.slices] = np.nan
                mask[amplifier.place.slices] &= np.int32(~plane_bit("INTRP"))

    def _assemble(self, variance: Image | None) -> tuple[Image, Mask]:
        shape = (self._detector.height, self._detector.width)
        image = np.full(shape, np.nan, np.float32)
        mask = np.full(shape, plane_bit("NO_DATA"), np.int32)
        groups: dict[tuple[int, int], list[int]] = {}
        for index, place in enumerate(self._placements):
            groups.setdefault((place.height, place.width), []).append(index)
        for (height, width), indices in groups.items():
            rows = min(READ_ROWS, height)
            shape_of_band = (len(indices), rows, width)
            cube, flags = np.empty(shape_of_band, np.float32), np.empty(shape_of_band, np.int32)
            spread = None if variance is None else np.empty_like(cube)
            for y0 in range(0, height, rows):
                n = min(rows, height - y0)
                part = None if spread is None else spread[:, :n]
                pixels, bits = self._corrected(Rows(indices, y0, y0 + n), cube[:, :n], part, flags[:, :n])
                for number, index in enumerate(indices):
                    self._place(index, y0, pixels[number], image)
                    self._place(index, y0, bits[number], mask)
                    if variance is not None and part is not None:
                        self._place(index, y0, part[number], variance)
        return image, mask

    def _place(self, index: int, y0: int, block: Image | Mask, out: Image | Mask) -> None:
        place, n = self._placements[index], block.shape[0]
        first = place.detector_y0 + (place.height - y0 - n if place.is_flipped_y else y0)
        out[first : first + n, place.detector_columns] = oriented(
            block, is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y
        )

    def _corrected(
        self, rows: Rows, out: Cube | None, variance: Cube | None = None, mask: Mask | None = None
    ) -> tuple[Cube, Mask]:
        """Return rows of some amplifiers, all steps done; the variance is written where it is asked for."""
        shape = (len(rows.indices), rows.y1 - rows.y0, self._placements[rows.indices[0]].width)
        image = np.empty(shape, np.float32) if out is None else out
        bits = np.empty(shape, np.int32) if mask is None else mask
        bits.fill(0)
        if self.flags.brighter_fatter and "brighter_fatter" in self.calibs.used:
            self._read_spool(rows, image, bits)
        else:
            self._steps.until_defects(rows, image, bits)
        if variance is not None:
            self._steps.write_variance(rows, image, variance)
        self._steps.divide_flat(rows, image, bits, variance)
        return image, bits

    def _read_spool(self, rows: Rows, image: Cube, mask: Mask) -> None:
        """Read what the brighter-fatter correction left: it needs the neighbours of every pixel, so it is done once."""
        if self._spool is None:
            self._spool = self._correct_brighter_fatter()
        for number, index in enumerate(rows.indices):
            for scratch, plane in zip(self._spool, (image[number], mask[number]), strict=True):
                block = np.empty(plane.shape, plane.dtype)
                scratch.read(index, rows.y0, rows.y1, out=block)
                plane[...] = block

    def _correct_brighter_fatter(self) -> tuple[ScratchCube, ScratchCube]:
        from kernels.brighter_fatter import correct_brighter_fatter

        require_one_size(self._detector)
        n_amps, height, width = len(self._placements), self.band_height, self.band_width
        shape = (self._detector.height, self._detector.width)
        image, mask = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int32)
        for y0 in range(0, height, READ_ROWS):
            y1 = min(y0 + READ_ROWS, height)
            cube, bits = np.empty((n_amps, y1 - y0, width), np.float32), np.zeros((n_amps, y1 - y0, width), np.int32)
            self._steps.until_defects(Rows(range(n_amps), y0, y1), cube, bits)
            flag_missing(cube, bits)
            for index in range(n_amps):
                self._place(index, y0, cube[index], image)
                self._place(index, y0, bits[index], mask)
        kernel = self.calibs.tables.kernel
        if kernel is not None:
            gain = 1.0 if self.flags.units == ELECTRON else float(np.nanmedian(self._known.gains))
            repaired, flagged = image * np.float32(gain), mask.copy()
            repair_rows(repaired, flagged)
            corrected, _ = correct_brighter_fatter(repaired, kernel)
            corrected -= repaired
            image += corrected / np.float32(gain)
        scratch = ScratchCube((n_amps, height, width), "f4"), ScratchCube((n_amps, height, width), "i4")
        for index, place in enumerate(self._placements):
            rows = slice(place.detector_y0, place.detector_y0 + height)
            for target, plane in zip(scratch, (image, mask), strict=True):
                part = plane[rows, place.detector_columns]
                target.write(index, oriented(part, is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y))
        return scratch


@contextmanager
def open_corrected(
    detector: Detector,
    raws: Sequence[RawInput],
    calibs: Sequence[CalibInput],
    *,
    flags: IsrFlags,
    instrument: str,
    verify_checksums: bool = False,
    is_strict: bool = False,
) -> Iterator[list[CorrectedFrame]]:
    """Open exposures of one detector for corrected reading; calibrations are opened once and shared.

    Parameters
    ----------
    detector : Detector
        Geometry, gains of the camera file.
    raws : sequence of RawInput
        Files.
    calibs : sequence of CalibInput
        Calibrations at hand; only those the flags ask for are used.
    flags : IsrFlags
        Steps that are on (`calibstore.pipelines.isr_flags.flags_for`).
    instrument : str
        Butler name.
    verify_checksums : bool
        Whether to compare recorded SHA-256 sums.
    is_strict : bool
        Whether an amplifier without a usable overscan is an error; else it is bad, and missing in the image.

    Yields
    ------
    list of CorrectedFrame
        Sorted by exposure, so that a result never depends on the order of selection.

    Raises
    ------
    ConflictError
        If a calibration does not fit the detector or the unit.
    ExecutionError
        If no amplifier of an exposure to be processed can be used, or, when strict, an overscan cannot.
    StoreError
        If a file is missing, damaged or changed.
    UserInputError
        If a needed calibration is not there.
    """
    with ExitStack() as stack:
        opened = open_calibs(detector, calibs, flags)
        stack.callback(opened.close)
        frames = []
        for raw in sorted(raws, key=lambda item: (item.exposure, item.path)):
            frame = CorrectedFrame(
                detector,
                raw,
                opened,
                flags=flags,
                instrument=instrument,
                verify_checksum=verify_checksums,
                is_strict=is_strict,
            )
            stack.callback(frame.close)
            frames.append(frame)
        yield frames


def without_steps(flags: IsrFlags, steps: Sequence[str]) -> IsrFlags:
    """Return flags with some steps off and not needed; without ``ptc`` the gains are those of the camera file."""
    off: dict[str, bool] = {step: False for step in steps if step != GAIN_STEP}
    changed = replace(flags, needs=flags.needs - set(steps), **off)  # type: ignore[arg-type]
    return replace(changed, gain_source=GainSource.CAMERA) if GAIN_STEP in steps else changed
