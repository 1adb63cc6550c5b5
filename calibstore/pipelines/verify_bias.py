"""Verifies a combined bias of one detector: subtracts it from exposures and measures what is left.

One exposure is in memory at a time. A raw that cannot be read gives rows without values and the reason, never fewer
rows. Nothing is judged here.
"""

import math
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.errors import CabstandError, UserInputError
from calibstore.model.camera import Amplifier, Detector
from calibstore.model.noise_penalty import KAPPA, Statistic, bias_noise_penalty
from calibstore.model.verdicts import Measured
from calibstore.pipelines.binned_images import write_fits_image, write_thumbnail
from calibstore.pipelines.corrected_frames import AmplifierState, CorrectedFrame
from calibstore.pipelines.detector_frames import ELECTRON, AmplifierLevels
from calibstore.pipelines.isr_calibs import IsrCalibs, open_calibs, types_of
from calibstore.pipelines.isr_flags import GainSource, IsrFlags
from calibstore.pipelines.quantum import Outcome, OutputFile, Quantum, RawInput, WrittenFile
from calibstore.pipelines.verify_candidate import UNITS_KEY, Candidate, read_candidate
from kernels.arrays import BoolImage, Image
from kernels.binning import bin_mean
from kernels.overscan import PARALLEL, SERIAL, OverscanRule
from kernels.residuals import NOISE_CLIP_SIGMA, amplifier_statistics
from kernels.statistics import DISTRIBUTION_PERCENTS, percentiles
from kernels.verify_bias import (
    HALF_METRICS,
    METRIC_UNITS,
    add_residual,
    exposure_metrics,
    half_metrics,
    stability_metrics,
)
from kernels.verify_noise import NoiseModel, residual_factor

RESIDUAL_FACTOR: Final = 8
"""Binning of the residual picture."""


def verify_bias(quantum: Quantum) -> Outcome:
    """Measure the residuals of exposures after subtracting a combined bias.

    Parameters
    ----------
    quantum : Quantum
        ``calibs[0]`` is the candidate, the others are those it was made with: frames are corrected alike before it is
        subtracted, and one of them that is missing is an error. Each raw tells by ``in_build`` whether it was used to
        build the candidate. Outputs show the residual of the worst exposure in 8 x 8 blocks, as a thumbnail where the
        path ends in ``.png``, else as FITS; without any readable exposure there is none. Parameters: ``statistic``
        (mean, clipped_mean or median: how the candidate was combined; clipped_mean), ``verify_checksums`` (bool;
        false).

    Returns
    -------
    Outcome
        Metric rows, each with the UUID read from the candidate's own header; details with what could not be read,
        the steps the candidate lacks, calibrations that are not those it was made with, and the worst exposure.

    Raises
    ------
    ConflictError
        If the candidate is not in electrons or does not fit the detector.
    StoreError
        If the candidate cannot be read or the picture not written.
    UserInputError
        If the quantum lacks a detector, a candidate, or names an unknown statistic.
    """
    if quantum.detector is None or not quantum.calibs:
        raise UserInputError(f"{quantum.label}: verification needs a detector and a candidate", hint="plan it again")
    statistic = str(quantum.parameters.get("statistic", Statistic.CLIPPED_MEAN))
    if statistic not in KAPPA:
        raise UserInputError(f"{quantum.label}: unknown statistic {statistic!r}", hint=f"one of {', '.join(KAPPA)}")
    candidate = read_candidate(quantum.calibs[0], quantum.detector)
    flags = candidate.flags(quantum.instrument)
    with closing(open_calibs(quantum.detector, quantum.calibs[1:], flags)) as opened:
        bench = _Bench(
            quantum=quantum,
            detector=quantum.detector,
            candidate=candidate,
            statistic=Statistic(statistic),
            flags=flags,
            opened=opened,
        )
        for raw in sorted(quantum.raws, key=lambda raw: (raw.exposure, raw.path)):
            bench.measure(raw)
    bench.measure_product()
    return Outcome(
        label=quantum.label,
        is_done=True,
        files=tuple(file for output in quantum.outputs if (file := _write_residual(output, bench)) is not None),
        metrics=tuple(bench.rows),
        details=bench.details(),
    )


@dataclass(slots=True, kw_only=True)
class _Bench:
    """What is kept between exposures."""

    quantum: Quantum
    detector: Detector
    candidate: Candidate
    statistic: Statistic
    flags: IsrFlags
    opened: IsrCalibs
    known: dict[str, Amplifier] = field(default_factory=dict)
    """Amplifiers with the gain and read noise of the last exposure."""
    rows: list[Measured] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)
    levels_adu: dict[str, list[float]] = field(default_factory=dict)
    totals: list[Image] = field(default_factory=list)
    """Sums of the build residuals of even and of odd place."""
    n_halves: list[int] = field(default_factory=lambda: [0, 0])
    worst: tuple[float, int, Image] | None = None
    """Score, exposure and binned residual of the worst exposure."""

    def measure(self, raw: RawInput) -> None:
        """Measure one exposure, or say why not."""
        try:
            residual, states = self._corrected(raw)
        except CabstandError as fault:
            self.unreadable[raw.exposure] = fault.message
            for amplifier in self.detector.amplifiers:
                self._add_exposure_rows(raw, amplifier, dict.fromkeys(METRIC_UNITS, math.nan), fault.message)
            return
        residual -= self.candidate.image
        score = 0.0
        used = np.zeros(residual.shape, np.bool_)
        for amplifier, state in zip(self.detector.amplifiers, states, strict=True):
            known = self.known[amplifier.name] = _as_corrected(amplifier, state, self.flags)
            score = max(score, self._measure_amplifier(raw, known, residual, used, state.levels))
        if raw.in_build:
            self._add_to_half(residual, used)
        if self.quantum.outputs and (self.worst is None or score > self.worst[0]):
            self.worst = (score, raw.exposure, bin_mean(residual, RESIDUAL_FACTOR))

    def _corrected(self, raw: RawInput) -> tuple[Image, tuple[AmplifierState, ...]]:
        frame = CorrectedFrame(
            self.detector,
            raw,
            self.opened,
            flags=self.flags,
            instrument=self.quantum.instrument,
            verify_checksum=bool(self.quantum.parameters.get("verify_checksums", False)),
            is_strict=True,
        )
        with closing(frame):
            return frame.read_image(), frame.amplifiers

    def measure_product(self) -> None:
        """Measure what belongs to the candidate itself or to all exposures together."""
        for amplifier in self.detector.amplifiers:
            box = amplifier.place.slices
            image = np.where(self.candidate.bad[box], np.float32(np.nan), self.candidate.image[box])
            levels = percentiles(image)
            for percent, value in zip(DISTRIBUTION_PERCENTS, levels, strict=True):
                self._add(f"DIST_{percent}", float(value), ELECTRON, amplifier.name, note="no good pixel")
            median = float(levels[DISTRIBUTION_PERCENTS.index(50)])
            self._add("calib_median", median, ELECTRON, amplifier.name, note="no good pixel")
            known = self.known.get(amplifier.name, amplifier)
            self._add_stability(known)
            self._add_halves(known)
        n_inputs = self.candidate.n_inputs
        penalty = bias_noise_penalty(n_inputs, self.statistic) if n_inputs else math.nan
        self._add("eff_noise_penalty", penalty, "1", note="the number of inputs is not recorded")

    def details(self) -> dict[str, object]:
        """Return plain values for people."""
        return {
            "applied_id": self.candidate.dataset_id,
            "applied_before": {types_of(step)[0]: one.dataset_id for step, one in self.opened.used.items()},
            "not_its_parents": self.candidate.other_parents(self.opened),
            "gain_source": self.candidate.gain_source,
            "n_build_exposures": sum(raw.in_build for raw in self.quantum.raws),
            "n_exposures": len(self.quantum.raws),
            "n_independent_exposures": sum(not raw.in_build for raw in self.quantum.raws),
            "n_inputs": self.candidate.n_inputs,
            "steps_not_applied": sorted(name for name, applied in self.candidate.steps.items() if not applied),
            "unit": ELECTRON,
            "unreadable": {str(exposure): reason for exposure, reason in sorted(self.unreadable.items())},
            "worst_exposure": None if self.worst is None else self.worst[1],
        }

    def _measure_amplifier(
        self, raw: RawInput, amplifier: Amplifier, residual: Image, used: BoolImage, levels: AmplifierLevels
    ) -> float:
        box = amplifier.place.slices
        found, good = amplifier_statistics(
            residual[box],
            bad=self.candidate.bad[box],
            is_readout_right=amplifier.flip_x,
            is_readout_top=amplifier.flip_y,
        )
        used[box] = good & (np.abs(residual[box]) <= NOISE_CLIP_SIGMA * found.noise_e)
        factor, note = self._factor(raw)
        values = exposure_metrics(
            found,
            shape=(amplifier.data.height, amplifier.data.width),
            noise=noise_model(amplifier),
            factor=factor,
            gain_e_per_adu=amplifier.gain_e_per_adu,
            overscan_noise_adu=math.nan if levels.serial is None else levels.serial.residual_stdev,
        )
        self._add_exposure_rows(raw, amplifier, values, "no good pixel" if found.n_good == 0 else note)
        self.levels_adu.setdefault(amplifier.name, []).append(values["level_drift"])
        # Only ranks exposures for the picture: how far mean and noise are off, in read noises.
        off = (abs(found.clean_mean_e), abs(found.noise_e - amplifier.read_noise_e))
        finite = [value / (amplifier.read_noise_e or 1.0) for value in off if math.isfinite(value)]
        return max(finite, default=0.0)

    def _factor(self, raw: RawInput) -> tuple[float, str]:
        n_inputs = self.candidate.n_inputs
        if not n_inputs:
            return math.nan, "the number of inputs is not recorded"
        factor = residual_factor(n_inputs, is_in_build=raw.in_build, variance_factor=KAPPA[self.statistic])
        return factor, f"a build of {n_inputs} explains itself" if math.isnan(factor) else "no overscan"

    def _add_exposure_rows(self, raw: RawInput, amplifier: Amplifier, values: dict[str, float], note: str) -> None:
        for metric, value in values.items():
            self._add(metric, value, METRIC_UNITS[metric], amplifier.name, raw=raw, note=note)

    def _add_to_half(self, residual: Image, used: BoolImage) -> None:
        if not self.totals:
            self.totals = [np.zeros_like(residual), np.zeros_like(residual)]
        half = sum(self.n_halves) % 2
        add_residual(self.totals[half], residual, used)
        self.n_halves[half] += 1

    def _add_stability(self, amplifier: Amplifier) -> None:
        noise = noise_model(amplifier)
        error_e = noise.mean_sigma_e(amplifier.data.height, amplifier.data.width)
        values = stability_metrics(
            self.levels_adu.get(amplifier.name, []), level_error_adu=error_e / amplifier.gain_e_per_adu
        )
        for metric, value in values.items():
            self._add(metric, value, "adu", amplifier.name, note="fewer than three exposures were measured")

    def _add_halves(self, amplifier: Amplifier) -> None:
        values = dict.fromkeys(HALF_METRICS, math.nan)
        if self.totals:
            even, odd = (total[amplifier.place.slices] for total in self.totals)
            values = half_metrics(even, self.n_halves[0], odd, self.n_halves[1], noise=noise_model(amplifier))
        for metric, value in values.items():
            self._add(metric, value, "1", amplifier.name, note="fewer than four build exposures were measured")

    def _add(
        self, metric: str, value: float, unit: str, amplifier: str = "", *, raw: RawInput | None = None, note: str
    ) -> None:
        is_measured = math.isfinite(value)
        self.rows.append(
            Measured(
                metric=metric,
                value=value if is_measured else None,
                unit=unit,
                detector=self.detector.id,
                amplifier=amplifier,
                exposure=None if raw is None else raw.exposure,
                in_build=None if raw is None else raw.in_build,
                applied_id=self.candidate.dataset_id,
                note="" if is_measured else note,
            )
        )


def _as_corrected(amplifier: Amplifier, state: AmplifierState, flags: IsrFlags) -> Amplifier:
    """Return an amplifier with the gain and read noise its frames were corrected with."""
    if flags.gain_source is GainSource.CAMERA:
        return amplifier
    return replace(amplifier, gain_e_per_adu=state.gain_e_per_adu, read_noise_e=state.read_noise_e)


def noise_model(amplifier: Amplifier) -> NoiseModel:
    """Return the noise one frame of an amplifier should have, from the camera file and the overscans used.

    Parameters
    ----------
    amplifier : Amplifier
        Read noise and overscan boxes.
    """
    serial, parallel = amplifier.serial_overscan, amplifier.parallel_overscan
    return NoiseModel(
        read_noise_e=amplifier.read_noise_e,
        n_serial=0 if serial is None else _n_used(serial.width, SERIAL),
        n_parallel=0 if parallel is None else _n_used(parallel.height, PARALLEL),
    )


def _n_used(n_pixels: int, rule: OverscanRule) -> int:
    return max(n_pixels - rule.leading_skip - rule.trailing_skip, 0)


def _write_residual(output: OutputFile, bench: _Bench) -> WrittenFile | None:
    if bench.worst is None:
        return None
    _, exposure, image = bench.worst
    if output.path.endswith(".png"):
        return write_thumbnail(output, image)
    cards: dict[str, CardValue] = {
        "OBSTYPE": "bias",
        "INSTRUME": bench.quantum.instrument,
        "DETECTOR": bench.detector.id,
        "EXPOSURE": exposure,
        "BINNING": RESIDUAL_FACTOR,
        UNITS_KEY: ELECTRON,
        "LSST CALIB UUID BIAS": bench.candidate.dataset_id,
    }
    return write_fits_image(output, image, cards)
