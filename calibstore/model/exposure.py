"""Exposures and their raw files, as translated from headers."""

from dataclasses import dataclass, field

from calibstore.model.timespan import Timespan


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One exposure of an instrument: the Butler's exposure record and the camera's state."""

    instrument: str
    id: int
    obs_id: str
    day_obs: int
    """Observing day, yyyymmdd."""
    seq_num: int
    physical_filter: str
    observation_type: str
    """bias, dark, flat, science, ... (lower case)."""
    observation_reason: str = ""
    science_program: str = ""
    exposure_time_s: float
    dark_time_s: float
    timespan: Timespan
    target_name: str = ""
    group: str = ""
    camera_state: dict[str, str] = field(default_factory=dict)
    """Values of the camera's state keywords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """One raw file: one detector of one exposure."""

    exposure: Exposure
    detector: int
    path: str
    """Absolute path where the file was found."""
    size_bytes: int
    sha256: str
