"""Cameras as data: detectors, amplifiers, their boxes, gains and limits profile."""

from dataclasses import dataclass, field
from typing import Final

NO_RAWS: Final = "none"
"""Header translator of a camera that is known by the rows of an export alone."""


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open pixel box in the raw amplifier array, 0-based, x along rows (serial)."""

    x0: int
    y0: int
    width: int
    height: int

    @property
    def x1(self) -> int:
        """First column after the box."""
        return self.x0 + self.width

    @property
    def y1(self) -> int:
        """First row after the box."""
        return self.y0 + self.height

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the box in an array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def overlaps(self, other: "Box") -> bool:
        """Tell whether two boxes share a pixel."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclass(frozen=True, slots=True, kw_only=True)
class Amplifier:
    """One readout channel of a detector."""

    name: str
    """Name such as ``C10``."""
    extension: str
    """EXTNAME of its raw image HDU (``Segment10``), or ``""`` for the first HDU that holds an image."""
    raw_width: int
    """Columns of the raw array [pixel]."""
    raw_height: int
    """Rows of the raw array [pixel]."""
    data: Box
    """Imaging pixels in the raw array."""
    prescan: Box | None = None
    serial_overscan: Box | None = None
    """Serial overscan beside the imaging rows (same rows as `data`, more columns)."""
    parallel_overscan: Box | None = None
    """Parallel overscan above the imaging columns (same columns as `data`, more rows)."""
    flip_x: bool = False
    """Reverse columns when assembling."""
    flip_y: bool = False
    """Reverse rows when assembling."""
    detector_x0: int = 0
    """Column of the assembled detector where this amplifier's data begin."""
    detector_y0: int = 0
    """Row of the assembled detector where this amplifier's data begin."""
    gain_e_per_adu: float = 1.0
    read_noise_e: float = 0.0
    saturation_adu: float = 65535.0
    source: str = ""
    """Where gain, read noise and saturation come from."""

    @property
    def place(self) -> Box:
        """Pixels of the assembled detector that this amplifier shows."""
        return Box(self.detector_x0, self.detector_y0, self.data.width, self.data.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One CCD: identity, place on the focal plane and amplifiers in HDU order."""

    id: int
    full_name: str
    """Name such as ``R22_S11``."""
    raft: str
    name_in_raft: str
    purpose: str = "SCIENCE"
    """SCIENCE, GUIDER or WAVEFRONT."""
    kind: str = ""
    """Vendor: ITL, E2V, or empty."""
    width: int
    """Columns of the assembled image [pixel]."""
    height: int
    """Rows of the assembled image [pixel]."""
    center_x_mm: float = 0.0
    center_y_mm: float = 0.0
    quarter_turns: int = 0
    """Counter-clockwise quarter turns from detector to focal-plane axes."""
    amplifiers: tuple[Amplifier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalFilter:
    """A filter (or filter~grating pair) and its band."""

    name: str
    band: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """An instrument as the repository knows it; stored whole so that a repository needs no other file."""

    instrument: str
    """Butler instrument name: LATISS, LSSTComCam, LSSTCam, ..."""
    class_name: str = ""
    """Python class the Butler knows the instrument by (written to exports)."""
    variant: str = ""
    """Empty for the real camera, ``mini`` for the small simulated one."""
    detectors: tuple[Detector, ...]
    filters: tuple[PhysicalFilter, ...] = ()
    translator: str
    """Header translator: ``lsst``, ``generic`` for a camera file, or `NO_RAWS`."""
    header_rules: dict[str, object] = field(default_factory=dict)
    """What the generic translator needs (see datastore.camera_file); empty for ``lsst``."""
    day_obs_offset_h: float = 12.0
    """Hours after TAI midnight at which an observing day begins."""
    time_zone: str = "UTC"
    """IANA zone of the site, for local times in previews."""
    state_keywords: tuple[str, ...] = ()
    """Header keywords whose change is a camera event; ingested for every exposure."""
    compared_keywords: tuple[str, ...] = ()
    """Those of them the ISR compares between exposure and calibration (none for LSSTComCam)."""
    typical_science_exposure_s: float = 30.0
    """T_sci of the noise penalty [s]."""
    limits_profile: str = "strict"
    """Name of the acceptance profile; a camera file may bring its own."""
    limits: dict[str, object] = field(default_factory=dict)
    """Overrides of acceptance limits by test id (see model.criteria)."""
    pixel_size_mm: float = 0.01
    visit_max: int = 6050123199999
    exposure_max: int = 6050123199999
    simulated: bool = False
    """Its raws are simulated: only a rehearsal or test repository takes them."""

    @property
    def has_overscan(self) -> bool:
        """Whether every amplifier has a serial overscan."""
        return all(amp.serial_overscan is not None for det in self.detectors for amp in det.amplifiers)

    @property
    def label(self) -> str:
        """Instrument name with what is special about it, for messages."""
        notes = [note for note in (self.variant, "simulated" if self.simulated else "") if note]
        return f"{self.instrument} ({', '.join(notes)})" if notes else self.instrument

    def band(self, physical_filter: str) -> str:
        """Return the band of a filter, ``""`` for one the camera does not list."""
        return next((known.band for known in self.filters if known.name == physical_filter), "")

    def detector(self, detector_id: int) -> Detector:
        """Return one detector.

        Parameters
        ----------
        detector_id : int
            Its number.

        Raises
        ------
        KeyError
            If the camera has no such detector.
        """
        for found in self.detectors:
            if found.id == detector_id:
                return found
        raise KeyError(detector_id)
