"""What a simulation is asked for: a camera, a seed and a list of exposures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from calibstore.datastore.raw_writer import PixelType
from calibstore.model.camera import Camera
from kernels.simulate import COSMIC_RAY_RATE_PER_PX_S, BadExposure, FailingAmplifier
from kernels.simulate_effects import SimulatedEffects

OLD_SEQUENCER: Final = {
    "SEQNAME": "FP_ITL_2s_ir2_v25.seq",
    "SEQFILE": "FP_ITL_2s_ir2_v25.seq",
    "SEQCKSUM": "980618532",
}
NEW_SEQUENCER: Final = {
    "SEQNAME": "FP_ITL_2s_ir2_v26.seq",
    "SEQFILE": "FP_ITL_2s_ir2_v26.seq",
    "SEQCKSUM": "1477162166",
}
_VOLTAGES: Final = {"ODP": "26.9", "AP0_RC": "6.0", "TEMP_SET": "-94.15"}


def state_cards(camera: Camera, sequencer: Mapping[str, str]) -> dict[str, str]:
    """Return the state keywords a camera records, under one sequencer.

    Parameters
    ----------
    camera : Camera
        Tells which keywords it records.
    sequencer : mapping of str to str
        `OLD_SEQUENCER` or `NEW_SEQUENCER`.
    """
    state = {**sequencer, **_VOLTAGES}
    return {keyword: state[keyword] for keyword in camera.state_keywords if keyword in state}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSources:
    """Point sources of an exposure, as many in every amplifier."""

    n_per_amp: int
    light_e: tuple[float, float]
    """Least and greatest light of a star, or level of a spot [electron]."""
    size_px: float
    """Sigma of a star, or radius of a spot [pixel]."""
    is_spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedExposure:
    """One exposure to simulate."""

    day_obs: int
    seq_num: int
    observation_type: str
    """bias, dark, flat or science."""
    exposure_time_s: float = 0.0
    physical_filter: str = ""
    reason: str = ""
    program: str = ""
    target_name: str = ""
    begin_tai_ns: int
    camera_state: dict[str, str] = field(default_factory=dict)
    illumination_e: float = 0.0
    """Mean charge from light in a pixel of a flat or science frame [electron]."""
    fault: BadExposure | None = None
    """Planted in every detector of this exposure."""
    sources: SimulatedSources | None = None
    light_gradient: tuple[float, float] = (0.0, 0.0)
    """Rise of the light to the far (y, x) edges of each detector [1]."""
    gain_epoch: int = 0
    """Restarts of the electronics before this exposure."""
    warmer_k: float = 0.0
    """Temperature above the nominal one [K]."""
    photodiode_current_a: float = 0.0
    """Current of the photodiode while the lamp is on; 0: no reading is written [A]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """What to simulate, from which seed, and where to."""

    camera: Camera
    seed: int
    directory: Path
    exposures: tuple[SimulatedExposure, ...]
    failing_amplifiers: dict[int, tuple[FailingAmplifier, ...]] = field(default_factory=dict)
    """By detector number."""
    pixel_type: PixelType = "int32"
    """``uint16`` simulates a converter of 16 bits, ``int32`` one of 18."""
    cosmic_ray_rate_per_px_s: float = COSMIC_RAY_RATE_PER_PX_S
    effects: Mapping[str, SimulatedEffects] = field(default_factory=dict)
    """By kind of detector (``ITL``, ``E2V``, empty for a camera without vendors); kinds not named have none."""
