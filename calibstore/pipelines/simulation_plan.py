"""What a simulation is asked for: a camera, a seed and a list of exposures."""

from dataclasses import dataclass, field
from pathlib import Path

from calibstore.datastore.raw_writer import PixelType
from calibstore.model.camera import Camera
from kernels.simulate import COSMIC_RAY_RATE_PER_PX_S, BadExposure, FailingAmplifier


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
