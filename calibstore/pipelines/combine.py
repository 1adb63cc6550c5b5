"""Combined images of one detector: the bootstraps in adu, and bias, dark and flat in electrons.

Raw frames and the calibrations to apply in, one product file with image, mask, variance and count planes out, and its
binned images and thumbnail. A bias without calibrations takes the short way: overscan and gain alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.bad_amplifiers import BadAmplifiers, dead_amplifiers
from calibstore.pipelines.bias_header import (
    STEPS,
    combined_cards,
    differing_state,
    distribution_cards,
    merged_state,
    uncorrected_state,
)
from calibstore.pipelines.binned_images import BINNINGS, write_derived
from calibstore.pipelines.combine_parameters import CombinedKind, CombineParameters, Scaling
from calibstore.pipelines.combined_bands import combined_bands
from calibstore.pipelines.combined_product import fill_bad_pixels, mask_vignetted, summed_up, write_bands
from calibstore.pipelines.corrected_bands import CorrectedStack, corrected_bands, corrected_faults
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.dark_cosmic_rays import FrameRays, find_rays
from calibstore.pipelines.detector_frames import DetectorFrame, open_frames
from calibstore.pipelines.flat_levels import dark_amplifiers, usable_level
from calibstore.pipelines.flat_scales import read_flat_scales
from calibstore.pipelines.isr_amplifiers import require_dark_time
from calibstore.pipelines.isr_flags import flags_for
from calibstore.pipelines.kept_outputs import kept_file
from calibstore.pipelines.quantum import CalibInput, Outcome, OutputFile, Quantum, WrittenFile
from kernels.arrays import MASK_PLANES, Vector, plane_bit
from kernels.combine import Combined
from kernels.statistics import stands_apart

SCALES_SUFFIX: Final = "Scales"
"""A calibration whose type ends so is a table of `flat_scales`, not something to apply."""

_FRAME_APART: Final = {Scaling.UNITY: 2.0, Scaling.DARK_TIME: 0.2, Scaling.LEVEL: 0.02}
"""Smallest distance of a frame's mean from the others that is told to people [unit of the product]."""


def combine(quantum: Quantum) -> Outcome:
    """Build a combined image of one detector and what is derived from it.

    Parameters
    ----------
    quantum : Quantum
        `detector` and `raws` set; `calibs`: those to apply, and for a flat of a focal plane the table of `flat_scales`
        (a dataset type that ends in ``Scales``). Outputs by dataset type: the product, ``<product>Bin8``,
        ``<product>Bin64``, ``<product>Thumbnail``; only those present are written. Parameters: ``product`` (a key of
        `KINDS`, or any name with ``like``, such a key), ``n_sigma`` (3; None: plain mean), ``max_iter`` (3),
        ``band_rows``, ``verify_checksums``, ``existing`` (dataset type to recorded SHA-256: such an output is kept),
        ``calib_creation_datetime``, ``_date`` and ``_time`` (header only). Of a dark: ``mask_cosmic_rays`` (true),
        ``cr_n_sigma`` (6), ``cr_minimum_e`` (150), ``cr_most_pixels`` (10000). Of a flat: ``vignetted_mm`` (two radii
        or null; LSSTCam 350 and 317), ``pixel_size_mm`` (0.01).

    Returns
    -------
    Outcome
        Files in the order of the outputs; details: n_inputs, units, gain_source, steps_not_applied, n_bad_pixels,
        scales (by exposure), state_differs, frames_apart (exposures whose mean level is unlike the others'),
        bad_amplifiers (those without a value, with the reason), amplifiers_left_out (those of single exposures),
        cosmic_rays (exposure, n_pixels, is_given_up), n_vignetted_pixels, amplifiers (median and 16-84 per cent half
        width), kept (dataset types not made again).

    Raises
    ------
    UserInputError
        If there is no raw, an unknown product, a needed calibration missing, or a clip that could
        never reject anything.
    ConflictError
        If a calibration does not fit, or a scale is missing.
    StoreError
        If a raw is missing, truncated or changed, or an output cannot be written.
    ExecutionError
        If no pixel has a valid input, an overscan is unusable, a frame has no light or no dark time.
    """
    parameters = CombineParameters.of(quantum)
    detector = quantum.detector
    if detector is None or not quantum.raws:
        raise UserInputError(
            f"{quantum.label}: no raw frames to combine", hint="select exposures first", code="E-EMPTY"
        )
    outputs = {output.dataset_type: output for output in quantum.outputs}
    known = {parameters.product, f"{parameters.product}Thumbnail", *(parameters.product + name for name in BINNINGS)}
    if parameters.product not in outputs or set(outputs) - known:
        raise UserInputError(
            f"{quantum.label}: outputs {sorted(outputs)} do not fit product {parameters.product}", code="E-OUTPUTS"
        )
    main = outputs[parameters.product]
    details: dict[str, object] = {}
    found = {name: kept_file(output, parameters.existing) for name, output in outputs.items()}
    files = {name: file for name, file in found.items() if file is not None}
    details["kept"] = sorted(files)
    if main.dataset_type not in files:
        files[main.dataset_type] = _write_product(quantum, detector, parameters, main, details)
    for name, output in outputs.items():
        if name not in files:
            files[name] = write_derived(output, Path(main.path), parameters.product)
    return Outcome(
        label=quantum.label, is_done=True, files=tuple(files[o.dataset_type] for o in quantum.outputs), details=details
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """Open frames on their way to one image."""

    frames: Sequence[DetectorFrame | CorrectedFrame]
    bands: Iterator[tuple[int, Combined]]
    state: Mapping[str, CardValue]
    """Cards of the corrections."""
    scales: Sequence[float]
    stack: CorrectedStack | None = None
    rays: Sequence[FrameRays] = ()
    bad: BadAmplifiers

    def means(self) -> Vector:
        """Return the mean of each scaled frame, once all bands are read [unit of the product]."""
        if self.stack is not None:
            return np.array(self.stack.frame_means)
        return np.array([frame.mean_so_far_adu for frame in self.frames if isinstance(frame, DetectorFrame)])

    @property
    def adu_per_unit(self) -> float:
        """What turns a mean of the product into adu of a typical frame."""
        return self.stack.adu_per_unit if self.stack is not None else 1.0


def _write_product(
    quantum: Quantum,
    detector: Detector,
    parameters: CombineParameters,
    output: OutputFile,
    details: dict[str, object],
) -> WrittenFile:
    obstype = parameters.kind.obstype
    flags = flags_for(parameters.like, quantum.instrument)
    field_mm = parameters.vignetted
    is_edge = field_mm is not None and field_mm.reaches(detector)
    with ExitStack() as stack:
        calibs = tuple(calib for calib in quantum.calibs if not calib.dataset_type.endswith(SCALES_SUFFIX))
        is_short = obstype == "bias" and not calibs
        work = (_short_work if is_short else _work)(stack, quantum, detector, parameters, calibs)
        cards = combined_cards(
            quantum, detector, [frame.raw for frame in work.frames], obstype=obstype, scales=work.scales
        )
        cards |= {**work.state, **work.bad.cards()}
        cards |= {"CAB DATASET ID": output.dataset_id, "CAB RUN": output.run}
        holes = distribution_cards(detector, obstype, {}, {})
        with create_product(
            Path(output.path),
            height=detector.height,
            width=detector.width,
            planes=image_planes(parameters.kind.unit.format(flags.units), MASK_PLANES),
            cards=cards | holes,
        ) as writer:
            incomplete = write_bands(writer, work.bands)
            n_bad = fill_bad_pixels(writer, detector, incomplete, str(output.path))
            n_dark = mask_vignetted(writer, detector, field_mm) if field_mm is not None and is_edge else 0
            distributions, told = summed_up(writer, detector, obstype, n_bad, has_holes=n_dark > 0)
            writer.complete_header(cards | distributions)
            sums = writer.checksums()
        details |= told | work.bad.details() | _facts(work, parameters.kind)
        details |= {"n_bad_pixels": sum(n_bad.values()), "n_vignetted_pixels": n_dark}
    return output.written(sums)


def _short_work(
    stack: ExitStack,
    quantum: Quantum,
    detector: Detector,
    parameters: CombineParameters,
    _calibs: Sequence[CalibInput],
) -> _Work:
    """Open frames from which only overscans are taken; the gain is applied to the result."""
    units = flags_for(parameters.like, quantum.instrument).units
    frames = stack.enter_context(
        open_frames(detector, quantum.raws, instrument=quantum.instrument, verify_checksums=parameters.verify_checksums)
    )
    bad = dead_amplifiers(detector, frames)
    bad.require_some(detector)
    bands = combined_bands(
        detector,
        frames,
        units=units,
        n_sigma=parameters.n_sigma,
        max_iter=parameters.max_iter,
        band_rows=parameters.band_rows or 32,
        bad=bad,
    )
    state = uncorrected_state(detector, frames, units)
    return _Work(frames=frames, bands=bands, state=state, scales=[1.0] * len(frames), bad=bad)


def _work(
    stack: ExitStack,
    quantum: Quantum,
    detector: Detector,
    parameters: CombineParameters,
    calibs: Sequence[CalibInput],
) -> _Work:
    """Open corrected frames and find what each is divided by, and its cosmic rays."""
    frames = stack.enter_context(
        open_corrected(
            detector,
            quantum.raws,
            calibs,
            flags=flags_for(parameters.like, quantum.instrument),
            instrument=quantum.instrument,
            verify_checksums=parameters.verify_checksums,
        )
    )
    kind = parameters.kind
    corrected_faults(frames).require_some(detector)
    scales = [_SCALE_OF[kind.scaling](frame, _given_scales(quantum)) for frame in frames]
    rays = find_rays(frames, parameters.finding) if parameters.finding is not None else []
    excluded = sum(plane_bit(name) for name in kind.excluded)
    is_lit = kind.scaling is Scaling.LEVEL
    bad = corrected_faults(frames, dark_amplifiers(detector, frames, scales, parameters.vignetted) if is_lit else {})
    bad.require_some(detector)
    samples = CorrectedStack(detector, frames, scales=scales, excluded=excluded, rays=rays, bad=bad)
    bands = corrected_bands(
        samples, n_sigma=parameters.n_sigma, max_iter=parameters.max_iter, band_rows=parameters.band_rows or 16
    )
    state = merged_state([frame.cards() for frame in frames])
    return _Work(frames=frames, bands=bands, state=state, scales=scales, stack=samples, rays=rays, bad=bad)


def _given_scales(quantum: Quantum) -> dict[int, float]:
    tables = [calib for calib in quantum.calibs if calib.dataset_type.endswith(SCALES_SUFFIX)]
    if len(tables) > 1:
        raise ConflictError(f"{quantum.label}: {len(tables)} tables of scales are given", code="E-INPUTS")
    return read_flat_scales(Path(tables[0].path)) if tables else {}


def _unity(_frame: CorrectedFrame, _given: Mapping[int, float]) -> float:
    return 1.0


def _dark_time(frame: CorrectedFrame, _given: Mapping[int, float]) -> float:
    return require_dark_time(frame.raw)


def _level(frame: CorrectedFrame, given: Mapping[int, float]) -> float:
    if not given:
        return usable_level(frame)
    scale = given.get(frame.raw.exposure, float("nan"))
    if not scale > 0:
        raise ConflictError(
            f"{frame.raw.path}: exposure {frame.raw.exposure} has no scale ({len(given)} are given)",
            hint=f"leave exposure {frame.raw.exposure} out, or solve the scales with it",
            code="E-LEVEL",
        )
    return scale


_SCALE_OF: Final = {Scaling.UNITY: _unity, Scaling.DARK_TIME: _dark_time, Scaling.LEVEL: _level}


def _facts(work: _Work, kind: CombinedKind) -> dict[str, object]:
    raws = [frame.raw for frame in work.frames]
    means = work.means()
    facts: dict[str, object] = {
        "n_inputs": len(raws),
        "units": work.state["LSST ISR UNITS"],
        "gain_source": work.state.get("LSST ISR GAIN SOURCE"),
        "steps_not_applied": [step for step in STEPS if work.state.get(f"LSST ISR {step} APPLIED") is not True],
        "has_overscan": _has_overscan(work.frames[0]),
        "state_differs": differing_state(raws),
        "frames_apart": [
            {
                "exposure": raws[i].exposure,
                "mean_adu": float(means[i] * work.adu_per_unit),
                "median_adu": float(np.nanmedian(means) * work.adu_per_unit),
            }
            for i in np.flatnonzero(stands_apart(means, least=_FRAME_APART[kind.scaling]))
        ],
    }
    if kind.scaling is not Scaling.UNITY:
        facts["scales"] = {str(raw.exposure): scale for raw, scale in zip(raws, work.scales, strict=True)}
    if work.rays:
        facts["cosmic_rays"] = [
            {"exposure": found.exposure, "n_pixels": found.n_found, "is_given_up": found.is_given_up}
            for found in work.rays
        ]
    return facts


def _has_overscan(frame: DetectorFrame | CorrectedFrame) -> bool:
    levels = frame.levels if isinstance(frame, DetectorFrame) else [state.levels for state in frame.amplifiers]
    return all(one.serial is not None for one in levels)
