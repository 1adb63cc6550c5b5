"""The exposures of a rehearsal: nights to build from, to judge with and to look up, and what is planted in them."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from calibstore.model.camera import Camera
from calibstore.model.iso_time import NS_PER_S
from calibstore.model.times import day_obs_timespan
from calibstore.pipelines.simulation_plan import (
    NEW_SEQUENCER,
    OLD_SEQUENCER,
    SimulatedExposure,
    SimulationPlan,
    state_cards,
)
from kernels.simulate import COSMIC_RAY_RATE_PER_PX_S, BadExposure, FailingAmplifier

OLD_NIGHT: Final = 20250401
"""Under the old sequencer."""
BUILD_NIGHT: Final = 20250408
"""Biases to build from; the first night of the new sequencer."""
INDEPENDENT_NIGHT: Final = 20250411
"""Biases that no build uses."""
LATER_NIGHT: Final = 20250420
"""Science frames for look-ups."""
N_BUILD_BIASES: Final = 25
N_INDEPENDENT_BIASES: Final = 6
BAD_BIAS_SEQ_NUM: Final = 6
"""The planted bad exposure: "not ok, redo without exposure 6"."""
FAILING_AMPLIFIER: Final = "C04"
"""The planted failing amplifier: read noise of 20 e."""
FAILING_NOISE_E: Final = 20.0

_CALIB_PROGRAM: Final = "BLOCK-T17"
_SCIENCE_PROGRAM: Final = "BLOCK-306"
_CALIB_BEGIN_S: Final = 2 * 3600
_SCIENCE_BEGIN_S: Final = 12 * 3600
_READOUT_S: Final = 3.0
_DARK_TIME_S: Final = 30.0
_SLOT_S: Final = _DARK_TIME_S + _READOUT_S
"""Long enough for a dark, so that no two exposures overlap."""
_SKY_E: Final = 400.0
_MINI_COSMIC_RAY_FACTOR: Final = 50.0


def rehearsal_plan(camera: Camera, seed: int, directory: Path) -> SimulationPlan:
    """Return the exposures of a rehearsal repository.

    Parameters
    ----------
    camera : Camera
        LATISS or LSSTComCam, mini or full size.
    seed : int
        Seed of the simulation.
    directory : Path
        Where the frames will be written.

    Returns
    -------
    SimulationPlan
        A night under an old sequencer; after its change a night of 25 biases, the sixth of them planted bad; six
        independent biases a few nights later; darks and science frames around them. One amplifier is planted failing.
    """
    filter_name = camera.filters[0].name if camera.filters else ""
    old = state_cards(camera, OLD_SEQUENCER)
    new = state_cards(camera, NEW_SEQUENCER)
    exposures = (
        *_biases(OLD_NIGHT, 3, old, filter_name),
        *_darks(OLD_NIGHT, 4, 1, old, filter_name),
        *_science(OLD_NIGHT, 5, 2, old, filter_name),
        *_biases(BUILD_NIGHT, N_BUILD_BIASES, new, filter_name, bad_seq_num=BAD_BIAS_SEQ_NUM),
        *_darks(BUILD_NIGHT, N_BUILD_BIASES + 1, 3, new, filter_name),
        *_science(BUILD_NIGHT, N_BUILD_BIASES + 4, 2, new, filter_name),
        *_biases(INDEPENDENT_NIGHT, N_INDEPENDENT_BIASES, new, filter_name),
        *_science(INDEPENDENT_NIGHT, N_INDEPENDENT_BIASES + 1, 2, new, filter_name),
        *_science(LATER_NIGHT, 1, 2, new, filter_name),
    )
    # The detector in the middle of the list: the only one of LATISS, the central one of LSSTComCam.
    detector = camera.detectors[len(camera.detectors) // 2]
    failing = next(index for index, amp in enumerate(detector.amplifiers) if amp.name == FAILING_AMPLIFIER)
    is_mini = camera.variant == "mini"
    return SimulationPlan(
        camera=camera,
        seed=seed,
        directory=directory,
        exposures=exposures,
        failing_amplifiers={detector.id: (FailingAmplifier(amp=failing, read_noise_e=FAILING_NOISE_E),)},
        pixel_type="uint16" if is_mini else "int32",
        # On a small detector the natural rate would leave nothing to see.
        cosmic_ray_rate_per_px_s=COSMIC_RAY_RATE_PER_PX_S * (_MINI_COSMIC_RAY_FACTOR if is_mini else 1.0),
    )


def _biases(
    day_obs: int, n_exposures: int, state: dict[str, str], filter_name: str, *, bad_seq_num: int | None = None
) -> list[SimulatedExposure]:
    first = SimulatedExposure(
        day_obs=day_obs,
        seq_num=1,
        observation_type="bias",
        physical_filter=filter_name,
        reason="bias",
        program=_CALIB_PROGRAM,
        begin_tai_ns=_begin(day_obs, _CALIB_BEGIN_S, 1),
        camera_state=state,
    )
    biases = _repeated(first, n_exposures)
    return [replace(one, fault=BadExposure()) if one.seq_num == bad_seq_num else one for one in biases]


def _darks(
    day_obs: int, first_seq_num: int, n_exposures: int, state: dict[str, str], filter_name: str
) -> list[SimulatedExposure]:
    first = SimulatedExposure(
        day_obs=day_obs,
        seq_num=first_seq_num,
        observation_type="dark",
        exposure_time_s=_DARK_TIME_S,
        physical_filter=filter_name,
        reason="dark",
        program=_CALIB_PROGRAM,
        begin_tai_ns=_begin(day_obs, _CALIB_BEGIN_S, first_seq_num),
        camera_state=state,
    )
    return _repeated(first, n_exposures)


def _science(
    day_obs: int, first_seq_num: int, n_exposures: int, state: dict[str, str], filter_name: str
) -> list[SimulatedExposure]:
    first = SimulatedExposure(
        day_obs=day_obs,
        seq_num=first_seq_num,
        observation_type="science",
        exposure_time_s=_DARK_TIME_S,
        physical_filter=filter_name,
        reason="field_survey_science",
        program=_SCIENCE_PROGRAM,
        target_name="simulated field",
        begin_tai_ns=_begin(day_obs, _SCIENCE_BEGIN_S, first_seq_num),
        camera_state=state,
        illumination_e=_SKY_E,
    )
    return _repeated(first, n_exposures)


def _repeated(first: SimulatedExposure, n_exposures: int) -> list[SimulatedExposure]:
    """Return an exposure and those that follow it, one a slot."""
    slot_ns = round(_SLOT_S * NS_PER_S)
    return [
        replace(first, seq_num=first.seq_num + after, begin_tai_ns=first.begin_tai_ns + after * slot_ns)
        for after in range(n_exposures)
    ]


def _begin(day_obs: int, begin_s: int, seq_num: int) -> int:
    """Return when the exposure of a number begins if the slots are counted from `begin_s` after the day's start."""
    return day_obs_timespan(day_obs).begin_tai_ns + round((begin_s + seq_num * _SLOT_S) * NS_PER_S)
