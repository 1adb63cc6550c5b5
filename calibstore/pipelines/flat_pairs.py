"""Flat pairs of one detector as corrected frames, amplifier by amplifier, one pair at a time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from calibstore.datastore.calib_tables import find_card, read_calib_tables
from calibstore.datastore.scratch_cube import ScratchCube
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.corrected_frames import READ_ROWS, CorrectedFrame, open_corrected
from calibstore.pipelines.isr_flags import IsrFlags, flags_for
from calibstore.pipelines.quantum import CalibInput, Quantum
from kernels.arrays import BoolImage, Image, Vector, plane_bit
from kernels.errors import KernelError
from kernels.photodiode import integrated_charge
from kernels.ptc_pairs import PairMeasurement, PairRule, measure_pair, nothing_measured

UNUSABLE_PLANES: Final = ("SUSPECT", "BAD", "NO_DATA", "SAT", "UNMASKEDNAN")
"""Pixels under them take no part."""

PHOTODIODE: Final = "photodiode"
_MJD_OF_1970: Final = 40_587.0
_NS_PER_DAY: Final = 86_400e9

FramePair: TypeAlias = tuple[CorrectedFrame, CorrectedFrame]


def pairs_of(quantum: Quantum) -> list[tuple[int, int]]:
    """Return the exposure pairs of a quantum: parameter ``pairs``, else neighbours among its raws.

    Raises
    ------
    UserInputError
        If there is none, one names an exposure that is not there, or the raws are odd in number.
    """
    known = sorted(raw.exposure for raw in quantum.raws)
    given = quantum.parameters.get("pairs")
    if given is None:
        pairs = list(zip(known[::2], known[1::2], strict=len(known) % 2 == 0))
    else:
        try:
            pairs = [(int(one), int(other)) for one, other in given]  # type: ignore[attr-defined]
        except (TypeError, ValueError) as fault:
            raise UserInputError(
                f"{quantum.label}: pairs are {given!r}", hint="give a list of two exposures each", code="E-PARAMETER"
            ) from fault
    if quantum.detector is None or not pairs:
        raise UserInputError(f"{quantum.label}: no pair of flats", hint="select flats in pairs", code="E-EMPTY")
    missing = sorted({number for pair in pairs for number in pair} - set(known))
    if missing:
        raise UserInputError(
            f"{quantum.label}: no raw of exposure {missing[0]}", hint="select both flats of a pair", code="E-EMPTY"
        )
    return pairs


def pair_flags(product: str, instrument: str, detector: Detector) -> IsrFlags:
    """Return the steps for the flats of a product; a camera without overscan needs a bias to have a zero."""
    flags = flags_for(product, instrument)
    if all(amplifier.serial_overscan is not None for amplifier in detector.amplifiers):
        return flags
    return replace(flags, bias=True, needs=flags.needs | {"bias"})


@contextmanager
def open_pairs(quantum: Quantum, pairs: Sequence[tuple[int, int]], flags: IsrFlags) -> Iterator[list[FramePair]]:
    """Open the frames of pairs.

    Parameters
    ----------
    quantum : Quantum
        Detector, raws, calibrations; parameter ``verify_checksums``.
    pairs : sequence of tuple of int
        Exposures.
    flags : IsrFlags
        Steps that are on.

    Yields
    ------
    list of tuple of CorrectedFrame
        In the order of `pairs`.
    """
    wanted = {number for pair in pairs for number in pair}
    assert quantum.detector is not None
    with open_corrected(
        quantum.detector,
        [raw for raw in quantum.raws if raw.exposure in wanted],
        applied_calibs(quantum.calibs),
        flags=flags,
        instrument=quantum.instrument,
        verify_checksums=bool(quantum.parameters.get("verify_checksums", False)),
    ) as frames:
        by_exposure = {frame.raw.exposure: frame for frame in frames}
        yield [(by_exposure[one], by_exposure[other]) for one, other in pairs]


def applied_calibs(calibs: Sequence[CalibInput]) -> list[CalibInput]:
    """Return the calibrations signature removal may use: not the light meter's readings."""
    return [calib for calib in calibs if calib.dataset_type != PHOTODIODE]


@contextmanager
def amplifier_reader(frame: CorrectedFrame, *, is_kept: bool | None = None) -> Iterator["AmplifierReader"]:
    """Give a frame amplifier by amplifier.

    Parameters
    ----------
    frame : CorrectedFrame
        Open exposure.
    is_kept : bool, optional
        Whether all amplifiers are read at once and kept in a file meanwhile. By default where crosstalk is taken off:
        each of them then needs all the others.
    """
    with ExitStack() as stack:
        yield AmplifierReader(frame, stack, is_kept="crosstalk" in frame.calibs.used if is_kept is None else is_kept)


class AmplifierReader:
    """The amplifiers of one frame. Not made directly: see `amplifier_reader`."""

    def __init__(self, frame: CorrectedFrame, stack: ExitStack, *, is_kept: bool) -> None:
        self._frame = frame
        self._image: ScratchCube | None = None
        if not is_kept:
            return
        shape = (len(frame.amplifiers), frame.band_height, frame.band_width)
        self._image, self._used = ScratchCube(shape, "f4"), ScratchCube(shape, "i4")
        stack.callback(self._image.close)
        stack.callback(self._used.close)
        for y0 in range(0, frame.band_height, READ_ROWS):
            cube, mask = frame.read_band(y0, min(y0 + READ_ROWS, frame.band_height))
            for index in range(len(frame.amplifiers)):
                self._image.write(index, cube[index], y0=y0)
                self._used.write(index, mask[index], y0=y0)

    def read(self, index: int) -> tuple[Image, BoolImage]:
        """Return the pixels of an amplifier and which of them are usable."""
        if self._image is None:
            image, mask = self._frame.read_amplifier(index)
        else:
            shape = (self._frame.band_height, self._frame.band_width)
            image, mask = np.empty(shape, np.float32), np.empty(shape, np.int32)
            self._image.read(index, 0, shape[0], out=image)
            self._used.read(index, 0, shape[0], out=mask)
        return image, (mask & unusable_bits()) == 0


def unusable_bits() -> int:
    """Return the bits of `UNUSABLE_PLANES`."""
    return sum(plane_bit(name) for name in UNUSABLE_PLANES)


def measured_amplifiers(pair: FramePair, rule: PairRule) -> list[PairMeasurement]:
    """Measure every amplifier of one pair; a bad one gives its reason."""
    first, second = pair
    found = []
    with amplifier_reader(first) as one, amplifier_reader(second) as other:
        for index, state in enumerate(first.amplifiers):
            reason = state.reason or second.amplifiers[index].reason
            if reason or state.is_bad or second.amplifiers[index].is_bad:
                found.append(nothing_measured(rule, reason or "marked bad"))
                continue
            (image_1, used_1), (image_2, used_2) = one.read(index), other.read(index)
            noise = read_noise_adu(pair, index)
            found.append(measure_pair(image_1, image_2, used_1 & used_2, rule=rule, read_noise_adu=noise))
    return found


def overscan_noise_adu(pair: FramePair, index: int) -> float:
    """Return the mean noise of the two serial overscans [adu]; NaN without one."""
    levels = [frame.amplifiers[index].levels.serial for frame in pair]
    return float(np.mean([math.nan if level is None else level.residual_stdev for level in levels]))


def read_noise_adu(pair: FramePair, index: int) -> float:
    """Return the read noise of an amplifier: of the overscans, else what is known of it [adu]."""
    measured, state = overscan_noise_adu(pair, index), pair[0].amplifiers[index]
    return measured if math.isfinite(measured) else state.read_noise_e / state.gain_e_per_adu


def overscan_median_adu(pair: FramePair, index: int) -> float:
    """Return the mean of the medians of the two serial overscans [adu]; NaN without one."""
    found = []
    for frame in pair:
        levels = frame.amplifiers[index].levels
        found.append(math.nan if levels.serial is None else levels.serial.median + levels.zero_adu)
    return float(np.mean(found))


def mjd_start(pair: FramePair) -> float:
    """Return the begin of the first exposure, TAI [day]."""
    return pair[0].raw.begin_tai_ns / _NS_PER_DAY + _MJD_OF_1970


def photo_charges(quantum: Quantum) -> dict[int, float]:
    """Return the light of exposures by the photodiode [C].

    Parameters
    ----------
    quantum : Quantum
        Parameter ``photo_charges`` (exposure to charge), and calibs of type ``photodiode``, whose metadata DAY_OBS and
        SEQ_NUM say which exposure they belong to.
    """
    given = quantum.parameters.get("photo_charges", {})
    found = {int(key): float(value) for key, value in given.items()} if isinstance(given, Mapping) else {}
    exposure_times = {raw.exposure: raw.exposure_time_s for raw in quantum.raws}
    method = str(quantum.parameters.get("integration", "TRIMMED_SUM"))
    for calib in quantum.calibs:
        if calib.dataset_type != PHOTODIODE:
            continue
        content = read_calib_tables(Path(calib.path))
        columns = content.tables[0].columns
        day_obs, seq_num = (find_card(content.metadata, key) for key in ("DAY_OBS", "SEQ_NUM"))
        if not isinstance(day_obs, int) or not isinstance(seq_num, int) or not {"TIME", "CURRENT"} <= set(columns):
            continue
        number = day_obs * 100_000 + seq_num
        time_s: Vector = np.asarray(columns["TIME"], np.float64)
        current: Vector = np.asarray(columns["CURRENT"], np.float64)
        try:
            found.setdefault(
                number,
                integrated_charge(time_s, current, method=method, exposure_time_s=exposure_times.get(number, math.nan)),
            )
        except KernelError as fault:
            raise UserInputError(f"{calib.path}: {fault}", hint="leave this reading out", code="E-PARAMETER") from fault
    return found
