"""Simulated raw frames from a plan: kernels give the pixels, datastore writes them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from calibstore.datastore.raw_writer import observation_id, write_raw
from calibstore.datastore.truth_writer import write_truth
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.model.exposure import Exposure
from calibstore.model.iso_time import NS_PER_S
from calibstore.model.times import day_obs_of
from calibstore.model.timespan import Timespan
from calibstore.pipelines.rehearsal_plan import rehearsal_plan
from calibstore.pipelines.simulation_plan import SimulatedExposure, SimulationPlan
from kernels.simulate import (
    ADC_MAX_16_BIT,
    ADC_MAX_18_BIT,
    DetectorLayout,
    DetectorTruth,
    SimulatedFrame,
    bias_frame,
    dark_frame,
    detector_truth,
    exposure_rng,
    flat_frame,
    truth_rng,
)

__all__ = [
    "Progress",
    "SimulatedExposure",
    "SimulationPlan",
    "detector_layout",
    "rehearsal_plan",
    "simulate_raws",
    "simulated_truth",
]

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with frames done, frames in all, and the name of the file just written."""

_SHUTTER_OVERHEAD_S = 0.24
_LIT_TYPES = frozenset({"flat", "science"})


def simulate_raws(plan: SimulationPlan, progress: Progress | None = None) -> list[Path]:
    """Write the raw frames of a plan, and the truth of each detector beside them.

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
        _write_truth(plan, detector, truth)
        for exposure, planned in zip(exposures, plan.exposures, strict=True):
            frame = _simulate(plan, detector, truth, exposure, planned)
            paths.append(
                write_raw(
                    plan.directory, exposure=exposure, detector=detector, amps=frame.raw, pixel_type=plan.pixel_type
                )
            )
            if progress is not None:
                progress(len(paths), total, paths[-1].name)
    return paths


def simulated_truth(plan: SimulationPlan, detector: Detector) -> DetectorTruth:
    """Return what a plan injects into one detector.

    Parameters
    ----------
    plan : SimulationPlan
        Seed, planted faults and converter.
    detector : Detector
        One of the camera's.

    Returns
    -------
    DetectorTruth
        The same for every call.

    Raises
    ------
    UserInputError
        If the amplifiers differ in size, or a planted fault names an amplifier that is not there.
    """
    amplifiers = detector.amplifiers
    try:
        return detector_truth(
            truth_rng(plan.seed, detector.id),
            detector_layout(detector),
            gain_e_per_adu=[amp.gain_e_per_adu for amp in amplifiers],
            read_noise_e=[amp.read_noise_e for amp in amplifiers],
            full_well_e=[amp.saturation_adu * amp.gain_e_per_adu for amp in amplifiers],
            adc_max_adu=ADC_MAX_16_BIT if plan.pixel_type == "uint16" else ADC_MAX_18_BIT,
            failing=plan.failing_amplifiers.get(detector.id, ()),
        )
    except ValueError as fault:
        raise UserInputError(f"{detector.full_name}: {fault}", hint="correct the simulation plan") from fault


def detector_layout(detector: Detector) -> DetectorLayout:
    """Return a detector's geometry as the simulation kernel wants it.

    Parameters
    ----------
    detector : Detector
        With amplifiers of one size.

    Returns
    -------
    DetectorLayout
        Raw size, imaging box and places of the amplifiers.

    Raises
    ------
    UserInputError
        If the amplifiers differ in size.
    """
    amplifiers = detector.amplifiers
    sizes = {(amp.raw_height, amp.raw_width, amp.data) for amp in amplifiers}
    if len(sizes) != 1:
        raise UserInputError(
            f"{detector.full_name}: amplifiers of {len(sizes)} different sizes cannot be simulated",
            hint="simulate LATISS or LSSTComCam",
        )
    raw_height, raw_width, data = next(iter(sizes))
    return DetectorLayout(
        raw_shape=(raw_height, raw_width),
        data_y0=data.y0,
        data_x0=data.x0,
        data_shape=(data.height, data.width),
        detector_y0=tuple(amp.detector_y0 for amp in amplifiers),
        detector_x0=tuple(amp.detector_x0 for amp in amplifiers),
        flip_y=tuple(amp.flip_y for amp in amplifiers),
        flip_x=tuple(amp.flip_x for amp in amplifiers),
    )


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
        id=planned.day_obs * 100_000 + planned.seq_num,
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
    plan: SimulationPlan, detector: Detector, truth: DetectorTruth, exposure: Exposure, planned: SimulatedExposure
) -> SimulatedFrame:
    rng = exposure_rng(plan.seed, detector.id, exposure.id)
    rate, fault = plan.cosmic_ray_rate_per_px_s, planned.fault
    if planned.observation_type in _LIT_TYPES:
        return flat_frame(
            truth,
            rng,
            illumination_e=planned.illumination_e,
            dark_time_s=exposure.dark_time_s,
            cosmic_ray_rate_per_px_s=rate,
            fault=fault,
        )
    if planned.observation_type == "dark":
        return dark_frame(truth, rng, dark_time_s=exposure.dark_time_s, cosmic_ray_rate_per_px_s=rate, fault=fault)
    return bias_frame(truth, rng, cosmic_ray_rate_per_px_s=rate, fault=fault)


def _write_truth(plan: SimulationPlan, detector: Detector, truth: DetectorTruth) -> None:
    """Keep the injected values: arrays in HDU order, and a summary people can read."""
    write_truth(
        plan.directory,
        detector.full_name,
        arrays={
            "bias_structure_e": truth.bias_structure_e,
            "bias_level_adu": truth.bias_level_adu,
            "row_ramp_adu": truth.row_ramp_adu,
            "gain_e_per_adu": truth.gain_e_per_adu,
            "read_noise_e": truth.read_noise_e,
            "full_well_e": truth.full_well_e,
            "hot_pixel": truth.hot_pixel,
            "hot_rate_e_per_s": truth.hot_rate_e_per_s,
            "response": truth.response,
            "is_dead": truth.is_dead,
        },
        summary={
            "instrument": plan.camera.instrument,
            "variant": plan.camera.variant,
            "detector": detector.full_name,
            "seed": plan.seed,
            "dark_current_e_per_s": truth.dark_current_e_per_s,
            "n_hot_pixels": len(truth.hot_pixel),
            "amplifiers": [
                {
                    "name": amp.name,
                    "bias_level_adu": float(truth.bias_level_adu[index]),
                    "gain_e_per_adu": float(truth.gain_e_per_adu[index]),
                    "read_noise_e": float(truth.read_noise_e[index]),
                    "is_dead": bool(truth.is_dead[index]),
                }
                for index, amp in enumerate(detector.amplifiers)
            ],
            "failing_amplifiers": [
                detector.amplifiers[fault.amp].name for fault in plan.failing_amplifiers.get(detector.id, ())
            ],
            "bad_exposures": {
                str(planned.day_obs * 100_000 + planned.seq_num): asdict(planned.fault)
                for planned in plan.exposures
                if planned.fault is not None
            },
        },
    )
