"""Fringes of one filter and detector: sky frames less their sky, by their sky, combined."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.scratch_cube import ScratchCube
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.assembled_product import product_outputs, with_derived, write_assembled
from calibstore.pipelines.bias_header import STEPS, combined_cards, differing_state, merged_state
from calibstore.pipelines.clip_rule import frame_combiner
from calibstore.pipelines.corrected_bands import corrected_faults
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.ptc_parameters import rule_of
from calibstore.pipelines.quantum import Outcome, Quantum, RawInput
from calibstore.pipelines.sky_frames import sky_frames, source_rule
from kernels.arrays import Image
from kernels.combine import MIN_FRAMES_FOR_SPREAD, Combined
from kernels.errors import NotEnoughDataError
from kernels.fringe import FringeRule, fringe_amplitude, sky_fraction
from kernels.sky_sources import SourceRule

_BAND_ROWS: Final = 64


def combine_fringe(quantum: Quantum) -> Outcome:
    """Build the fringe pattern of one detector and filter, as a fraction of the sky.

    Parameters
    ----------
    quantum : Quantum
        `detector`; `raws`: dithered exposures of the sky through one filter; calibs: bias and flat, and what else there
        is. Outputs: the product, and its Bin8, Bin64, Thumbnail where asked for. Parameters: ``product`` (fringe),
        ``n_sigma`` (3; None: plain mean) and ``max_iter`` (3) of the combination, ``detection_n_sigma`` (5),
        ``psf_sigma_px`` (1), ``grow_px`` (3), ``block_px`` (64: of the sky between sources), the fields of
        `kernels.fringe.FringeRule` but its clip, ``verify_checksums``, ``existing``.

    Returns
    -------
    Outcome
        details: n_inputs, units, gain_source, steps_not_applied, sky_levels, n_detected and amplitudes by exposure (how
        much of the pattern each frame shows: 1 where its fringes are as strong as the others'), n_bad_pixels,
        amplifiers, state_differs, kept.

    Raises
    ------
    UserInputError
        If there is no raw, the outputs do not fit, a needed calibration is missing, or the clip could reject nothing.
    ExecutionError
        If an exposure shows no sky, or no pixel has a value.
    StoreError, ConflictError
        As `open_corrected`.
    """
    detector = quantum.detector
    if detector is None or not quantum.raws:
        raise UserInputError(
            f"{quantum.label}: no sky frames to combine", hint="select exposures first", code="E-EMPTY"
        )
    product, outputs, files = product_outputs(quantum, "fringe")
    details: dict[str, object] = {"kept": sorted(files)}
    if product not in files:
        with ExitStack() as stack:
            work = _Work(stack, quantum, detector)
            cards = combined_cards(quantum, detector, work.raws, obstype="fringe", scales=work.levels)
            cards |= {**work.state, **work.bad.cards()}
            files[product], told = write_assembled(
                outputs[product], detector, work.bands(), obstype="fringe", cards=cards
            )
            details |= told | work.bad.details() | work.facts()
    return Outcome(
        label=quantum.label, is_done=True, files=with_derived(quantum.outputs, product, files), details=details
    )


class _Work:
    """Sky frames as fractions of their sky, in a file, on their way to one image."""

    def __init__(self, stack: ExitStack, quantum: Quantum, detector: Detector) -> None:
        given = quantum.parameters
        frames = stack.enter_context(
            open_corrected(
                detector,
                quantum.raws,
                quantum.calibs,
                flags=flags_for("fringe", quantum.instrument),
                instrument=quantum.instrument,
                verify_checksums=bool(given.get("verify_checksums", False)),
            )
        )
        n_sigma = given.get("n_sigma", 3.0)
        # asked for before any frame is read
        self._combiner = frame_combiner(
            len(frames),
            n_sigma=None if n_sigma is None else float(str(n_sigma)),
            max_iter=int(str(given.get("max_iter", 3))),
        )
        clip_apart = {key: value for key, value in given.items() if key != "n_sigma"}
        self._rule = rule_of(FringeRule(), clip_apart, quantum.label)
        self._cube = ScratchCube((len(frames), detector.height, detector.width), "f4")
        stack.callback(self._cube.close)
        self._shape = (detector.height, detector.width)
        self._variance = np.zeros(self._shape, np.float32) if len(frames) < MIN_FRAMES_FOR_SPREAD else None
        self.bad = corrected_faults(frames)
        self.bad.require_some(detector)
        self.raws: list[RawInput] = [frame.raw for frame in frames]
        self.levels: list[float] = []
        self._n_detected: list[int] = []
        self._pattern = np.full(self._shape, np.nan, np.float32)
        self._fill(frames, source_rule(quantum, SourceRule()))
        self.state: dict[str, CardValue] = merged_state([frame.cards() for frame in frames])

    def _fill(self, frames: list[CorrectedFrame], rule: SourceRule) -> None:
        for number, sky in enumerate(sky_frames(frames, rule)):
            try:
                fraction, level = sky_fraction(sky.image, sky.excluded)
            except NotEnoughDataError as fault:
                raise sky.dark(fault) from fault
            self._cube.write(number, fraction)
            self.levels.append(level)
            self._n_detected.append(sky.n_detected)
            if self._variance is not None:
                self._variance += sky.variance / np.float32(level**2 * len(frames))

    def bands(self) -> Iterator[tuple[int, Combined]]:
        """Yield first row and combined rows; the image is kept, to be measured in the frames."""
        height, width = self._shape
        for y0 in range(0, height, _BAND_ROWS):
            y1 = min(y0 + _BAND_ROWS, height)
            samples = np.empty((len(self.raws), y1 - y0, width), np.float32)
            for number, rows in enumerate(samples):
                self._cube.read(number, y0, y1, out=rows)
            spread = None if self._variance is None else self._variance[y0:y1]
            combined = self._combiner.combine(list(samples), frame_variance=spread)
            self._pattern[y0:y1] = combined.mean
            yield y0, combined

    def facts(self) -> dict[str, object]:
        """Return what people want to know, once all bands are written."""
        return {
            "n_inputs": len(self.raws),
            "units": self.state["LSST ISR UNITS"],
            "gain_source": self.state.get("LSST ISR GAIN SOURCE"),
            "steps_not_applied": [step for step in STEPS if self.state.get(f"LSST ISR {step} APPLIED") is not True],
            "sky_levels": self._by_exposure(self.levels),
            "n_detected": self._by_exposure(self._n_detected),
            "amplitudes": self._by_exposure([self._amplitude(number) for number in range(len(self.raws))]),
            "state_differs": differing_state(self.raws),
        }

    def _amplitude(self, number: int) -> float | None:
        image: Image = np.empty(self._shape, np.float32)
        self._cube.read(number, 0, self._shape[0], out=image)
        seed = self.raws[number].exposure
        try:
            found = fringe_amplitude(image, self._pattern, np.zeros(self._shape, np.bool_), seed=seed, rule=self._rule)
        except NotEnoughDataError:
            return None
        return found.amplitude

    def _by_exposure(self, values: Sequence[float | int | None]) -> dict[str, float | int | None]:
        return {str(raw.exposure): value for raw, value in zip(self.raws, values, strict=True)}
