"""What is injected into simulated frames, drawn for a plan and kept beside them as arrays and as a summary."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.truth_writer import write_truth
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera, Detector
from calibstore.pipelines.simulation_plan import SimulatedExposure, SimulationPlan
from kernels.simulate import ADC_MAX_16_BIT, ADC_MAX_18_BIT, DetectorLayout, DetectorTruth, detector_truth, truth_rng
from kernels.simulate_brighter_fatter import quarter_matrix
from kernels.simulate_effects import SimulatedEffects
from kernels.simulate_effects_truth import DEFECT_KINDS, EffectsTruth, effects_truth
from kernels.simulate_light import FocalPlace

Arrays = dict[str, NDArray[Any]]

_WELL_STREAM: Final = 4
_N_NONLINEARITY: Final = 600
_FULL_SIZE_MM: Final = 40.0


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
    full_well_e = np.array([amp.saturation_adu * amp.gain_e_per_adu for amp in amplifiers])
    effects = plan.effects.get(detector.kind, SimulatedEffects())
    if effects.full_well_scatter:
        rng = np.random.default_rng([plan.seed, detector.id, _WELL_STREAM])
        full_well_e *= 1 + effects.full_well_scatter * rng.uniform(-1, 1, size=len(amplifiers))
    try:
        return detector_truth(
            truth_rng(plan.seed, detector.id),
            detector_layout(detector),
            gain_e_per_adu=[amp.gain_e_per_adu for amp in amplifiers],
            read_noise_e=[amp.read_noise_e for amp in amplifiers],
            full_well_e=full_well_e.tolist(),
            adc_max_adu=ADC_MAX_16_BIT if plan.pixel_type == "uint16" else ADC_MAX_18_BIT,
            edge_scale_px=effects.edge_scale_px,
            gain_scatter=effects.gain_scatter,
            read_noise_scatter=effects.read_noise_scatter,
            failing=plan.failing_amplifiers.get(detector.id, ()),
        )
    except ValueError as fault:
        raise UserInputError(f"{detector.full_name}: {fault}", hint="correct the simulation plan") from fault


def simulated_effects(plan: SimulationPlan, detector: Detector, truth: DetectorTruth) -> EffectsTruth | None:
    """Return what the effects of a plan are on one detector, None where it has none.

    Parameters
    ----------
    plan : SimulationPlan
        Strengths by kind of detector.
    detector : Detector
        One of the camera's.
    truth : DetectorTruth
        Its truth without effects, see `simulated_truth`.
    """
    effects = plan.effects.get(detector.kind)
    if effects is None:
        return None
    return effects_truth(
        plan.seed,
        detector.id,
        truth.layout,
        effects,
        gain_e_per_adu=truth.gain_e_per_adu,
        full_well_e=truth.full_well_e,
        place=_place(plan.camera, detector),
    )


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


def keep_truth(plan: SimulationPlan, detector: Detector, truth: DetectorTruth, effects: EffectsTruth | None) -> None:
    """Write the injected values of one detector: arrays in HDU order, and a summary people can read.

    Parameters
    ----------
    plan : SimulationPlan
        What is simulated, and where to.
    detector : Detector
        One of the camera's.
    truth : DetectorTruth
        Its truth.
    effects : EffectsTruth or None
        What the effects are on it.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    arrays: Arrays = {
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
        "is_saturated": truth.is_saturated,
        "is_nan": truth.is_nan,
    }
    summary = _summary(plan, detector, truth)
    if effects is not None:
        bands = {plan.camera.band(planned.physical_filter) for planned in plan.exposures if planned.illumination_e > 0}
        arrays |= effect_arrays(truth, effects, bands=sorted(bands))
        summary |= _effect_summary(plan, effects)
    write_truth(plan.directory, detector.full_name, arrays=arrays, summary=summary)


def effect_arrays(truth: DetectorTruth, effects: EffectsTruth, *, bands: list[str]) -> Arrays:
    """Return what a perfect product of each kind would hold, in HDU order.

    Parameters
    ----------
    truth : DetectorTruth
        The detector.
    effects : EffectsTruth
        Its effects.
    bands : list of str
        Bands to give the response of.

    Returns
    -------
    dict of str to ndarray
        Empty effects are left out. ``flat_<band>`` is the response to even light, relative to the middle of the focal
        plane; ``a_matrix`` is [serial lag, parallel lag]; ``nonlinearity_adu`` is S at ``nonlinearity_x_adu``.
    """
    signal = np.linspace(0.0, 1.05 * float(effects.turnoff_adu.max()), _N_NONLINEARITY)
    n_amps = truth.layout.n_amps
    kind = effects.defect_kind.copy()
    kind[truth.is_hot & (kind == 0)] = DEFECT_KINDS.index("hot pixel")
    arrays: Arrays = {
        "dark_rate_e_per_s": truth.dark_rate_e_per_s + effects.extra_dark_e_per_s,
        "defect_kind": kind,
        "gain_epochs": effects.gain_epochs,
        "nonlinearity_x_adu": signal,
        "nonlinearity_adu": np.stack([effects.nonlinearity_adu(amp, signal) for amp in range(n_amps)]),
        "turnoff_adu": effects.turnoff_adu,
    }
    for band in bands:
        arrays[f"flat_{band}"] = effects.band_response(truth.response, band)
        amplitude = effects.effects.fringe_by_band.get(band)
        if amplitude and effects.fringe is not None:
            arrays[f"fringe_{band}"] = np.float32(amplitude) * effects.fringe
    if effects.distortion is not None:
        arrays["a_matrix"] = quarter_matrix(effects.distortion)
        arrays["distortion_matrix"] = effects.distortion
    if effects.crosstalk is not None:
        arrays["crosstalk"] = effects.crosstalk
    if effects.crosstalk_quadratic is not None:
        arrays["crosstalk_quadratic_per_e"] = effects.crosstalk_quadratic
    if effects.cti is not None:
        arrays["global_cti"] = np.array([amp.global_cti for amp in effects.cti])
        arrays["drift_scale"] = np.array([amp.drift_scale for amp in effects.cti])
        arrays["decay_time_px"] = np.array([amp.decay_time for amp in effects.cti])
    return arrays


def _summary(plan: SimulationPlan, detector: Detector, truth: DetectorTruth) -> dict[str, object]:
    return {
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
            str(exposure_number(planned)): asdict(planned.fault)
            for planned in plan.exposures
            if planned.fault is not None
        },
    }


def _effect_summary(plan: SimulationPlan, effects: EffectsTruth) -> dict[str, object]:
    """Return the strengths, the meaning of the defects' numbers, and the light and state of each exposure."""
    strengths = {name: dict(value) if name.endswith("_by_band") else value for name, value in _fields(effects).items()}
    return {
        "effects": strengths,
        "defect_kinds": list(DEFECT_KINDS),
        "exposures": {
            str(exposure_number(planned)): {
                "illumination_e": planned.illumination_e,
                "gain_epoch": planned.gain_epoch,
                "warmer_k": planned.warmer_k,
                "photodiode_charge_c": planned.photodiode_current_a * planned.exposure_time_s,
            }
            for planned in plan.exposures
        },
    }


def _fields(effects: EffectsTruth) -> dict[str, Any]:
    # asdict would copy the mappings, which read-only ones refuse.
    return {name: getattr(effects.effects, name) for name in type(effects.effects).__dataclass_fields__}


def exposure_number(planned: SimulatedExposure) -> int:
    """Return the exposure id of a planned exposure."""
    return planned.day_obs * 100_000 + planned.seq_num


def _place(camera: Camera, detector: Detector) -> FocalPlace:
    """Return where the detector lies; the few pixels of a mini camera cover its whole place."""
    is_mini = camera.variant == "mini"
    share = 0.5 if detector.purpose == "WAVEFRONT" else 1.0
    return FocalPlace(
        center_x_mm=detector.center_x_mm,
        center_y_mm=detector.center_y_mm,
        pixel_x_mm=_FULL_SIZE_MM / detector.width if is_mini else camera.pixel_size_mm,
        pixel_y_mm=_FULL_SIZE_MM * share / detector.height if is_mini else camera.pixel_size_mm,
        quarter_turns=detector.quarter_turns,
    )
