"""A small detector of four amplifiers for tests of simulated frames, and its signals without bias."""

import numpy as np
from numpy.typing import NDArray

from kernels.arrays import Cube
from kernels.simulate import (
    DetectorLayout,
    DetectorTruth,
    FrameConditions,
    FrameLight,
    detector_truth,
    exposure_rng,
    simulated_frame,
    truth_rng,
)
from kernels.simulate_effects import SimulatedEffects
from kernels.simulate_effects_truth import EffectsTruth, effects_truth

NY, NX, PRESCAN, SERIAL, PARALLEL = 100, 120, 4, 64, 16
LAYOUT = DetectorLayout(
    raw_shape=(NY + PARALLEL, PRESCAN + NX + SERIAL),
    data_y0=0,
    data_x0=PRESCAN,
    data_shape=(NY, NX),
    detector_y0=(NY, NY, 0, 0),
    detector_x0=(0, NX, NX, 0),
    flip_y=(True, True, False, False),
    flip_x=(True, True, True, True),
)
GAIN, NOISE_E, FULL_WELL_E = 1.4, 5.0, 120_000.0
SEEDS = (1, 2, 3)
OVERSCAN = np.s_[:, :NY, PRESCAN + NX :]


def make_truth(seed: int = 1, **changes: object) -> DetectorTruth:
    arguments: dict[str, object] = {
        "gain_e_per_adu": [GAIN] * 4,
        "read_noise_e": [NOISE_E] * 4,
        "full_well_e": [FULL_WELL_E] * 4,
        "hot_fraction": 0.0,
        "fixed_pattern_rms_e": 0.01,
    }
    return detector_truth(truth_rng(seed, 0), LAYOUT, **(arguments | changes))  # type: ignore[arg-type]


def make_effects(seed: int, truth: DetectorTruth, effects: SimulatedEffects) -> EffectsTruth:
    return effects_truth(seed, 0, LAYOUT, effects, gain_e_per_adu=truth.gain_e_per_adu, full_well_e=truth.full_well_e)


def raw_signal(truth: DetectorTruth, frame_raw: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return all raw pixels less bias level, ramp and the pattern of the imaging pixels [electron]."""
    signal = frame_raw - truth.bias_level_adu[:, None, None] - truth.row_ramp_adu
    signal[(slice(None), *LAYOUT.data)] -= truth.edge_pattern_adu
    # The last overscan columns hold no charge: what is left there drifts with the rows.
    signal -= np.median(signal[:, :, -48:], axis=2, keepdims=True)
    signal *= truth.gain_e_per_adu[:, None, None]
    return signal


def mean_signal(
    truth: DetectorTruth, effects: EffectsTruth | None, conditions: FrameConditions, n_frames: int = 8
) -> NDArray[np.float64]:
    frames = [simulated_frame(truth, exposure_rng(9, 0, i), conditions, effects) for i in range(n_frames)]
    mean: NDArray[np.float64] = np.mean([raw_signal(truth, frame.raw) for frame in frames], axis=0)
    return mean


def lit(illumination_e: float, **more: object) -> FrameConditions:
    light = FrameLight(illumination_e=illumination_e, **more)  # type: ignore[arg-type]
    return FrameConditions(light=light, cosmic_ray_rate_per_px_s=0.0)


def assemble(cube: Cube) -> NDArray[np.float64]:
    image = np.zeros((2 * NY, 2 * NX))
    for amp in range(4):
        rows, columns = LAYOUT.detector_rows_columns(amp)
        image[np.ix_(rows, columns)] = cube[amp]
    return image
