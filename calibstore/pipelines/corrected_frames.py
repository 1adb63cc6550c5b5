"""Raw exposures of one detector corrected in the published order, in bands of raw rows of all amplifiers.

The order is that of generation.md 2.1: serial overscan, saturation, gain, crosstalk, parallel overscan, linearity,
charge transfer, bias, dark, defects, missing values, brighter-fatter, flat. Levels of the overscans are found first,
from those pixels alone; afterwards any band can be read in any order, so that memory is a few rows of each frame.

One shortcut is taken, and it is exact: until the linearity the image is kept in adu, with crosstalk coefficients
turned from electron/electron into adu/adu (``c g_source / g_target``), and the gain is multiplied in after the
parallel overscan. Every step between is linear in the pixel with the gain a constant of the amplifier, so that the
result is that of the published order; without crosstalk it is also bit for bit what the overscan alone gives.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import UserInputError
from calibstore.model.camera import Amplifier, Detector
from calibstore.pipelines.corrected_cards import isr_cards
from calibstore.pipelines.detector_frames import ELECTRON, AmplifierLevels, DetectorFrame, placements_of
from calibstore.pipelines.isr_calibs import IsrCalibs, open_calibs
from calibstore.pipelines.isr_flags import GainSource, IsrFlags
from calibstore.pipelines.quantum import CalibInput, RawInput
from kernels.arrays import Cube, Image, Mask, plane_bit
from kernels.assembly import oriented

READ_ROWS = 20
"""Rows of all amplifiers worked on at once: their memory stays in the cache of the processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierState:
    """What is known of one amplifier in one exposure."""

    index: int
    name: str
    gain_e_per_adu: float
    """Gain of signature removal [electron/adu]; 1 is never written here for adu."""
    read_noise_e: float
    saturation_adu: float
    suspect_adu: float
    is_bad: bool
    reason: str
    """Why it is bad; empty when it is not."""
    levels: AmplifierLevels
    noise_e: float
    """Of the serial overscan after its correction [electron]; NaN without one."""


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
    ) -> None:
        self.raw = raw
        self.flags = flags
        self._detector = detector
        self._calibs = calibs
        self._placements = placements_of(detector)
        self._frame = DetectorFrame(
            detector, raw, instrument=instrument, verify_checksum=verify_checksum, is_lenient=True
        )
        self.gain_source = GainSource.CAMERA
        self.amplifiers = tuple(self._state(index, amplifier) for index, amplifier in enumerate(detector.amplifiers))

    def close(self) -> None:
        """Close the file."""
        self._frame.close()

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

    def read_band(self, y0: int, y1: int, *, out: Cube | None = None) -> tuple[Cube, Mask]:
        """Read imaging rows of all amplifiers, corrected, in readout order.

        Parameters
        ----------
        y0, y1 : int
            Half-open range of imaging rows, from 0 at the readout side of each amplifier.
        out : ndarray of shape (n_amp, y1 - y0, width), float32, optional
            Written and returned.

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
        if len({(place.width, place.height) for place in self._placements}) != 1:
            raise UserInputError(
                f"detector {self._detector.full_name}: amplifiers of different sizes have no common rows",
                hint="read amplifier by amplifier",
                code="E-GEOMETRY",
            )
        return self._correct(range(len(self._placements)), y0, y1, out)

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
        image = np.empty((1, place.height, place.width), np.float32)
        mask = np.empty(image.shape, np.int32)
        for y0 in range(0, place.height, READ_ROWS):
            y1 = min(y0 + READ_ROWS, place.height)
            image[:, y0:y1], mask[:, y0:y1] = self._correct([index], y0, y1, None)
        return image[0], mask[0]

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
        image = np.full(shape, np.nan, np.float32)
        mask = np.full(shape, plane_bit("NO_DATA"), np.int32)
        variance = np.full(shape, np.nan, np.float32)
        for index, place in enumerate(self._placements):
            pixels, bits = self.read_amplifier(index)
            state = self.amplifiers[index]
            rows = slice(place.detector_y0, place.detector_y0 + place.height)
            for plane, values in ((image, pixels), (mask, bits), (variance, self._variance(pixels, state))):
                plane[rows, place.detector_columns] = oriented(
                    values, is_flipped_x=place.is_flipped_x, is_flipped_y=place.is_flipped_y
                )
        return image, mask, variance

    def cards(self) -> dict[str, CardValue]:
        """Return the provenance and state cards of generation.md 2.3."""
        return isr_cards(self.raw, self.flags, self.gain_source, self.amplifiers, self._calibs.used)

    def _state(self, index: int, amplifier: Amplifier) -> AmplifierState:
        levels = self._frame.levels[index]
        gain, reason = amplifier.gain_e_per_adu, self._frame.faults.get(amplifier.name, "")
        noise = float("nan") if levels.serial is None else levels.serial.residual_stdev * gain
        return AmplifierState(
            index=index,
            name=amplifier.name,
            gain_e_per_adu=gain,
            read_noise_e=amplifier.read_noise_e or noise,
            saturation_adu=amplifier.saturation_adu,
            suspect_adu=amplifier.saturation_adu,
            is_bad=bool(reason),
            reason=reason,
            levels=levels,
            noise_e=noise,
        )

    def _correct(self, indices: Sequence[int], y0: int, y1: int, out: Cube | None) -> tuple[Cube, Mask]:
        places = [self._placements[index] for index in indices]
        image = np.empty((len(places), y1 - y0, places[0].width), np.float32) if out is None else out
        mask = np.zeros(image.shape, np.int32)
        for index, place, pixels in zip(indices, places, image, strict=True):
            self._frame.read_data(index, place.data_y0 + y0, place.data_y0 + y1, out=pixels)
        if self.flags.units == ELECTRON:
            image *= np.array([self.amplifiers[i].gain_e_per_adu for i in indices], np.float32)[:, None, None]
        if (bias := self._calibs.planes.get("bias")) is not None:
            image -= bias.read_band(indices, y0, y1)
        if (dark := self._calibs.planes.get("dark")) is not None:
            image -= dark.read_band(indices, y0, y1) * np.float32(self.raw.dark_time_s)
        if (flat := self._calibs.planes.get("flat")) is not None:
            image /= flat.read_band(indices, y0, y1)
        mask[~np.isfinite(image)] |= plane_bit("UNMASKEDNAN")
        mask[[self.amplifiers[i].is_bad for i in indices]] |= plane_bit("BAD")
        return image, mask

    def _variance(self, image: Image, state: AmplifierState) -> Image:
        scale = 1.0 if self.flags.units == ELECTRON else state.gain_e_per_adu
        variance: Image = np.maximum(image, np.float32(0.0))
        variance /= np.float32(scale)
        variance += np.float32((state.read_noise_e / scale) ** 2)
        return variance


@contextmanager
def open_corrected(
    detector: Detector,
    raws: Sequence[RawInput],
    calibs: Sequence[CalibInput],
    *,
    flags: IsrFlags,
    instrument: str,
    verify_checksums: bool = False,
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

    Yields
    ------
    list of CorrectedFrame
        Sorted by exposure, so that a result never depends on the order of selection.

    Raises
    ------
    ConflictError
        If a calibration does not fit the detector or the unit.
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
                detector, raw, opened, flags=flags, instrument=instrument, verify_checksum=verify_checksums
            )
            stack.callback(frame.close)
            frames.append(frame)
        yield frames


def without_steps(flags: IsrFlags, steps: Sequence[str]) -> IsrFlags:
    """Return flags with some steps off, and none of them needed."""
    off: dict[str, bool] = dict.fromkeys(steps, False)
    return replace(flags, needs=flags.needs - set(steps), **off)  # type: ignore[arg-type]
