"""Under which conditions a simulated frame is taken: its light, its times and the state of the electronics."""

from dataclasses import dataclass, field

from kernels.simulate_charge import COSMIC_RAY_RATE_PER_PX_S
from kernels.simulate_light import PointSources


@dataclass(frozen=True, slots=True, kw_only=True)
class BadExposure:
    """A planted fault of one exposure: light leak, pick-up stripes and a jump of the baseline.

    The leak and the stripes stay after overscan correction, so that a person sees them in the residual; the jump
    shows in the overscan level.
    """

    light_leak_e: float = 60.0
    """Glow in the corner of the detector at row 0, column 0 [electron]."""
    light_leak_scale: float = 0.35
    """Distance over which the glow falls to 1/e, in units of the detector's diagonal [1]."""
    pickup_adu: float = 6.0
    """Amplitude of the stripes, the same in all amplifiers [adu]."""
    pickup_period_px: float = 23.3
    """Period of the stripes in readout time [pixel]."""
    baseline_jump_adu: float = 40.0
    """Rise of the bias level, overscan included, in the second half of the readout [adu]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLight:
    """What light falls on the focal plane."""

    illumination_e: float = 0.0
    """Mean charge from even light in a pixel [electron]."""
    band: str = ""
    is_sky: bool = False
    """The sky's narrow lines make fringes, a lamp does not."""
    gradient: tuple[float, float] = (0.0, 0.0)
    """Rise of the light from the middle of the detector to its far edges along (y, x) [1]."""
    sources: PointSources | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameBefore:
    """The exposure before this one, whose charge is released late."""

    light: FrameLight
    gap_s: float
    """From its end to the begin of this one [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameConditions:
    """Everything about one frame that is not the detector's."""

    light: FrameLight = field(default_factory=FrameLight)
    dark_time_s: float = 0.0
    """Time the charge collects; 0 for a bias [s]."""
    cosmic_ray_rate_per_px_s: float = COSMIC_RAY_RATE_PER_PX_S
    fault: BadExposure | None = None
    gain_epoch: int = 0
    """Restarts of the electronics since the first frame."""
    warmer_k: float = 0.0
    """Temperature above the nominal one [K]."""
    before: FrameBefore | None = None
