"""Simulated raw frames from a plan: kernels give the pixels, datastore writes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.photodiode_file import write_photodiode
from calibstore.datastore.raw_writer import observation_id, write_raw
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.model.exposure import Exposure
from calibstore.model.iso_time import NS_PER_S
from calibstore.model.times import day_obs_of
from calibstore.model.timespan import Timespan
from calibstore.pipelines.rehearsal_plan import rehearsal_plan
from calibstore.pipelines.simulation_plan import SimulatedExposure, SimulationPlan
from calibstore.pipelines.simulation_truth import (
    detector_layout,
    exposure_number,
    keep_truth,
    simulated_effects,
    simulated_truth,
)
from kernels.arrays import Cube
from kernels.simulate import (
    DetectorLayout,
    DetectorTruth,
    FrameConditions,
    FrameLight,
    SimulatedFrame,
    exposure_rng,
    simulated_frame,
)
from kernels.simulate_conditions import FrameBefore
from kernels.simulate_effects_truth import EffectsTruth
from kernels.simulate_light import photodiode_trace, random_sources

__all__ = [
    "Progress",
    "SimulatedExposure",
    "SimulationPlan",
    "detector_layout",
    "rehearsal_plan",
    "simulate_raws",
    "simulated_effects",
    "simulated_truth",
]

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with frames done, frames in all, and the name of the file just written."""

_SHUTTER_OVERHEAD_S = 0.24
_LIT_TYPES = frozenset({"flat", "science"})
_SOURCES_STREAM: Final = 5
_PHOTODIODE_STREAM: Final = 6


def simulate_raws(plan: SimulationPlan, progress: Progress | None = None) -> list[Path]:
    """Write the raw frames of a plan; beside them the truth of each detector and the readings of the photodiode.

    Parameters
    ----------
    plan : SimulationPlan
        Camera, seed, exposures.
    progress : callable, optional
        Called after each frame with (done, total, file name).

    Returns
    -------
    list of Path
        The raw files, detector by detector, exposures in plan order.

    Raises
    ------
    UserInputError
        If the plan contradicts itself or the camera has no raw layout.
    StoreError
        If a file cannot be written.

    Notes
    -----
    Each frame has its own generator of (seed, detector, exposure): any part of a plan gives the same files as the
    whole. Files of the same names are replaced.
    """
    _check_plan(plan)
    exposures = [_exposure(plan.camera.instrument, planned) for planned in plan.exposures]
    paths: list[Path] = []
    total = len(exposures) * len(plan.camera.detectors)
    for detector in plan.camera.detectors:
        truth = simulated_truth(plan, detector)
        effects = simulated_effects(plan, detector, truth)
        keep_truth(plan, detector, truth, effects)
        for exposure, planned in zip(exposures, plan.exposures, strict=True):
            pixels = _pixels(_simulate(plan, detector, truth, effects, planned), truth, plan)
            paths.append(
                write_raw(plan.directory, exposure=exposure, detector=detector, amps=pixels, pixel_type=plan.pixel_type)
            )
            if progress is not None:
                progress(len(paths), total, paths[-1].name)
    for exposure, planned in zip(exposures, plan.exposures, strict=True):
        if planned.photodiode_current_a:
            rng = np.random.default_rng([plan.seed, _PHOTODIODE_STREAM, exposure.id])
            time_s, current_a = photodiode_trace(
                rng, current_a=planned.photodiode_current_a, exposure_time_s=planned.exposure_time_s
            )
            write_photodiode(plan.directory, exposure=exposure, time_s=time_s, current_a=current_a)
    return paths


def _check_plan(plan: SimulationPlan) -> None:
    if plan.seed < 0:
        raise UserInputError(f"seed {plan.seed} is negative", hint="give a seed of 0 or more")
    seen: set[tuple[int, int]] = set()
    for planned in plan.exposures:
        identity = (planned.day_obs, planned.seq_num)
        if identity in seen:
            raise UserInputError(f"exposure {identity} is planned twice", hint="give each its own seq_num")
        seen.add(identity)
        day_obs = day_obs_of(planned.begin_tai_ns, plan.camera.day_obs_offset_h)
        if day_obs != planned.day_obs:
            raise UserInputError(
                f"exposure {identity} begins on day_obs {day_obs}", hint="an observing day begins at 12:00 TAI"
            )
        if planned.observation_type not in {"bias", "dark", *_LIT_TYPES}:
            raise UserInputError(
                f"exposure {identity}: observation type {planned.observation_type!r} cannot be simulated",
                hint="bias, dark, flat or science",
            )


def _exposure(instrument: str, planned: SimulatedExposure) -> Exposure:
    open_s = planned.exposure_time_s + _SHUTTER_OVERHEAD_S
    return Exposure(
        instrument=instrument,
        id=exposure_number(planned),
        obs_id=observation_id(instrument, planned.day_obs, planned.seq_num),
        day_obs=planned.day_obs,
        seq_num=planned.seq_num,
        physical_filter=planned.physical_filter,
        observation_type=planned.observation_type,
        observation_reason=planned.reason,
        science_program=planned.program,
        exposure_time_s=planned.exposure_time_s,
        dark_time_s=open_s if planned.exposure_time_s > 0 else 0.0,
        timespan=Timespan(planned.begin_tai_ns, planned.begin_tai_ns + round(open_s * NS_PER_S)),
        target_name=planned.target_name,
        camera_state=planned.camera_state,
    )


def _simulate(
    plan: SimulationPlan,
    detector: Detector,
    truth: DetectorTruth,
    effects: EffectsTruth | None,
    planned: SimulatedExposure,
) -> SimulatedFrame:
    """Simulate one frame from its own generator."""
    exposure = _exposure(plan.camera.instrument, planned)
    conditions = FrameConditions(
        light=_light(plan, detector, truth.layout, planned),
        dark_time_s=exposure.dark_time_s,
        cosmic_ray_rate_per_px_s=plan.cosmic_ray_rate_per_px_s,
        fault=planned.fault,
        gain_epoch=planned.gain_epoch,
        warmer_k=planned.warmer_k,
        before=_before(plan, detector, truth.layout, exposure) if effects and effects.effects.persistence else None,
    )
    return simulated_frame(truth, exposure_rng(plan.seed, detector.id, exposure.id), conditions, effects)


def _light(plan: SimulationPlan, detector: Detector, layout: DetectorLayout, planned: SimulatedExposure) -> FrameLight:
    if planned.observation_type not in _LIT_TYPES:
        return FrameLight()
    sources = None
    if planned.sources is not None:
        rng = np.random.default_rng([plan.seed, detector.id, _SOURCES_STREAM, exposure_number(planned)])
        wanted = planned.sources
        sources = random_sources(
            rng,
            layout,
            n_per_amp=wanted.n_per_amp,
            light_e=wanted.light_e,
            size_px=wanted.size_px,
            is_spot=wanted.is_spot,
        )
    return FrameLight(
        illumination_e=planned.illumination_e,
        band=plan.camera.band(planned.physical_filter),
        is_sky=planned.observation_type == "science",
        gradient=planned.light_gradient,
        sources=sources,
    )


def _before(plan: SimulationPlan, detector: Detector, layout: DetectorLayout, exposure: Exposure) -> FrameBefore | None:
    """Return the exposure that ended last before this one begins."""
    ended = [
        (other, planned)
        for planned in plan.exposures
        if (other := _exposure(exposure.instrument, planned)).timespan.end_tai_ns <= exposure.timespan.begin_tai_ns
    ]
    if not ended:
        return None
    other, planned = max(ended, key=lambda one: one[0].timespan.end_tai_ns)
    gap_ns = exposure.timespan.begin_tai_ns - other.timespan.end_tai_ns
    return FrameBefore(light=_light(plan, detector, layout, planned), gap_s=gap_ns / NS_PER_S)


def _pixels(frame: SimulatedFrame, truth: DetectorTruth, plan: SimulationPlan) -> NDArray[np.int32] | Cube:
    """Return the pixels as they are stored; only floating point can hold an amplifier that is not a number."""
    if plan.pixel_type != "float32":
        return frame.raw
    pixels: Cube = frame.raw.astype(np.float32)
    pixels[truth.is_nan] = np.nan
    return pixels
