"""The observatory's three cameras as tables: LATISS, LSSTComCam, LSSTCam, full size or ``mini``.

The amplifier table is the assembly rule: take the data section, flip it, place it. Gains, read noises and saturations
are the medians of the published camera models, one value for all amplifiers of a kind; a ptc replaces them.
"""

import functools
from dataclasses import dataclass
from typing import Final

from calibstore.errors import NotFoundError
from calibstore.model.camera import Amplifier, Box, Camera, Detector, PhysicalFilter

LSST_CAMERAS: Final = ("LATISS", "LSSTComCam", "LSSTCam")

SEQUENCER_KEYWORDS: Final = ("SEQNAME", "SEQFILE", "SEQCKSUM", "ODP", "AP0_RC")
RAFT_PITCH_MM: Final = 127.0
SENSOR_PITCH_MM: Final = 42.25
ITL_RAFTS: Final = frozenset({"R01", "R02", "R03", "R10", "R20", "R41", "R42", "R43"})
CORNER_QUARTER_TURNS: Final = {"R00": 2, "R04": 3, "R40": 1, "R44": 0}
ADC_MAX_ADU: Final = 262143.0
"""Largest value of the 18-bit converters [adu]."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Shape of one raw amplifier [pixel]."""

    data_width: int
    data_height: int
    prescan: int
    serial_overscan: int
    parallel_overscan: int


@dataclass(frozen=True, slots=True)
class _Electronics:
    """Camera-model numbers of one amplifier kind."""

    gain_e_per_adu: float
    read_noise_e: float
    saturation_e: float | None = None
    saturation_adu: float = ADC_MAX_ADU

    def saturation(self) -> float:
        """Return the saturation level [adu], never above the converter's end."""
        level = self.saturation_adu if self.saturation_e is None else self.saturation_e / self.gain_e_per_adu
        return round(min(level, ADC_MAX_ADU), 1)


_LAYOUTS: Final = {
    "ITL": _Layout(509, 2000, 3, 64, 48),
    "E2V": _Layout(512, 2002, 10, 54, 46),
    "WF": _Layout(509, 2000, 3, 64, 48),
}
# Few imaging pixels but full overscans: with narrow ones the level of a row is so uncertain that good frames fail.
_MINI: Final = {
    "ITL": _Layout(64, 96, 3, 64, 48),
    "E2V": _Layout(64, 96, 10, 54, 46),
    "WF": _Layout(64, 96, 3, 64, 48),
}
_LATISS: Final = _Electronics(1.083, 8.55, saturation_adu=120000.0)
_COMCAM: Final = _Electronics(1.381, 7.9, saturation_e=126000.0)
_LSSTCAM: Final = {
    "ITL": _Electronics(1.671, 6.40, saturation_e=126000.0),
    "E2V": _Electronics(1.476, 5.41, saturation_e=140000.0),
    "GUIDER": _Electronics(1.671, 10.95, saturation_e=126000.0),
    "WAVEFRONT": _Electronics(1.671, 8.31, saturation_e=126000.0),
}


def camera(name: str, *, mini: bool = False, simulated: bool = False) -> Camera:
    """Return one of the observatory's cameras.

    Parameters
    ----------
    name : str
        ``LATISS``, ``LSSTComCam`` or ``LSSTCam``.
    mini : bool
        The small simulated variant: the same amplifiers with 64x96 imaging pixels and overscans of full width.
    simulated : bool
        The full-size camera of a rehearsal, which takes simulated frames only; ``mini`` always is.

    Raises
    ------
    NotFoundError
        If there is no camera of that name.
    """
    if name not in LSST_CAMERAS:
        raise NotFoundError(
            f"no camera is named '{name}'", hint=f"one of {', '.join(LSST_CAMERAS)}, or a camera file", code="E-CAMERA"
        )
    return _camera(name, mini, mini or simulated)


@functools.cache
def _camera(name: str, mini: bool, simulated: bool) -> Camera:
    build = {"LATISS": _latiss, "LSSTComCam": _comcam, "LSSTCam": _lsstcam}[name]
    class_name, detectors, filters, state, compared = build(mini)
    return Camera(
        instrument=name,
        class_name=class_name,
        variant="mini" if mini else "",
        detectors=detectors,
        filters=filters,
        translator="lsst",
        time_zone="America/Santiago",
        state_keywords=state,
        compared_keywords=compared,
        typical_science_exposure_s=30.0,
        simulated=simulated,
    )


_Parts = tuple[str, tuple[Detector, ...], tuple[PhysicalFilter, ...], tuple[str, ...], tuple[str, ...]]


def _latiss(mini: bool) -> _Parts:
    detector = _detector(0, "RXX", "S00", kind="ITL", electronics=_LATISS, mini=mini, source=_source("LATISS"))
    names = [f"{band}_65mm" for band in ("SDSSg", "SDSSr", "SDSSi", "SDSSz", "SDSSy")]
    filters = [PhysicalFilter(name=f"{name}~empty", band=name[4]) for name in names]
    filters += [PhysicalFilter(name=f"empty~{name}", band=name[4]) for name in names]
    filters += [PhysicalFilter(name=f"SDSS{band}~empty", band=band) for band in "gri"]
    filters += [
        PhysicalFilter(name="empty~empty", band="white"),
        PhysicalFilter(name="unknown~unknown", band="unknown"),
    ]
    state = (*SEQUENCER_KEYWORDS, "TEMP_SET")
    return "lsst.obs.lsst.Latiss", (detector,), tuple(filters), state, state


def _comcam(mini: bool) -> _Parts:
    source = _source("LSSTComCam")
    detectors = tuple(
        _detector(number, "R22", slot, kind="ITL", electronics=_COMCAM, mini=mini, source=source)
        for number, slot in enumerate(_SCIENCE_SLOTS)
    )
    names = ("u_02", "u_05", "u_06", "g_01", "g_07", "r_03", "i_06", "z_02", "z_03", "y_04")
    # The ISR compares no camera keyword for this camera; its events are still worth knowing.
    return "lsst.obs.lsst.LsstComCam", detectors, _filters(names), SEQUENCER_KEYWORDS, ()


def _lsstcam(mini: bool) -> _Parts:
    source = _source("LSSTCam")
    detectors: list[Detector] = []
    for raft in _SCIENCE_RAFTS:
        kind = "ITL" if raft in ITL_RAFTS else "E2V"
        for slot in _SCIENCE_SLOTS:
            number = len(detectors)
            detectors.append(
                _detector(number, raft, slot, kind=kind, electronics=_LSSTCAM[kind], mini=mini, source=source)
            )
    for raft, turns in CORNER_QUARTER_TURNS.items():
        for slot in ("SG0", "SG1", "SW0", "SW1"):
            purpose = "GUIDER" if slot.startswith("SG") else "WAVEFRONT"
            detectors.append(
                _detector(
                    len(detectors),
                    raft,
                    slot,
                    kind="ITL",
                    purpose=purpose,
                    quarter_turns=turns,
                    electronics=_LSSTCAM[purpose],
                    mini=mini,
                    source=source,
                )
            )
    names = ("u_24", "g_6", "r_57", "i_39", "z_20", "y_10")
    white = tuple(PhysicalFilter(name=name, band="white") for name in ("ph_5", "ph_05", "ef_43", "empty", "none"))
    return "lsst.obs.lsst.LsstCam", tuple(detectors), (*_filters(names), *white), SEQUENCER_KEYWORDS, SEQUENCER_KEYWORDS


_SCIENCE_SLOTS: Final = tuple(f"S{row}{col}" for row in range(3) for col in range(3))
_SCIENCE_RAFTS: Final = tuple(
    f"R{row}{col}" for row in range(5) for col in range(5) if f"R{row}{col}" not in CORNER_QUARTER_TURNS
)


def _filters(names: tuple[str, ...]) -> tuple[PhysicalFilter, ...]:
    return (
        *(PhysicalFilter(name=name, band=name[0]) for name in names),
        PhysicalFilter(name="unknown", band="unknown"),
    )


def _source(name: str) -> str:
    return f"median of the published {name} camera model, one value for all amplifiers of a kind"


def _detector(
    number: int,
    raft: str,
    slot: str,
    *,
    kind: str,
    electronics: _Electronics,
    mini: bool,
    source: str,
    purpose: str = "SCIENCE",
    quarter_turns: int = 0,
) -> Detector:
    is_half = purpose == "WAVEFRONT"
    layout = (_MINI if mini else _LAYOUTS)["WF" if is_half else kind]
    n_rows = 1 if is_half else 2
    center_x_mm, center_y_mm = _center_mm(raft, slot, quarter_turns)
    return Detector(
        id=number,
        full_name=f"{raft}_{slot}",
        raft=raft,
        name_in_raft=slot,
        purpose=purpose,
        kind=kind,
        width=8 * layout.data_width,
        height=n_rows * layout.data_height,
        center_x_mm=center_x_mm,
        center_y_mm=center_y_mm,
        quarter_turns=quarter_turns,
        amplifiers=_amplifiers(layout, kind, electronics, source, is_half=is_half),
    )


def _amplifiers(
    layout: _Layout, kind: str, electronics: _Electronics, source: str, *, is_half: bool
) -> tuple[Amplifier, ...]:
    """Return amplifiers in HDU order: C10..C17, then (whole detectors) C07..C00."""
    top = [_amplifier(layout, electronics, source, f"C1{ix}", ix=7 - ix if is_half else ix, iy=0 if is_half else 1,
                      flip_x=True, flip_y=True) for ix in range(8)]  # fmt: skip
    if is_half:
        return tuple(top)
    bottom = [
        _amplifier(layout, electronics, source, f"C0{ix}", ix=ix, iy=0, flip_x=kind == "ITL", flip_y=False)
        for ix in range(7, -1, -1)
    ]
    return (*top, *bottom)


def _amplifier(
    layout: _Layout,
    electronics: _Electronics,
    source: str,
    name: str,
    *,
    ix: int,
    iy: int,
    flip_x: bool,
    flip_y: bool,
) -> Amplifier:
    width, height, x0 = layout.data_width, layout.data_height, layout.prescan
    return Amplifier(
        name=name,
        extension=f"Segment{name[1:]}",
        raw_width=x0 + width + layout.serial_overscan,
        raw_height=height + layout.parallel_overscan,
        data=Box(x0, 0, width, height),
        prescan=Box(0, 0, x0, height),
        serial_overscan=Box(x0 + width, 0, layout.serial_overscan, height),
        parallel_overscan=Box(x0, height, width, layout.parallel_overscan),
        flip_x=flip_x,
        flip_y=flip_y,
        detector_x0=ix * width,
        detector_y0=iy * height,
        gain_e_per_adu=electronics.gain_e_per_adu,
        read_noise_e=electronics.read_noise_e,
        saturation_adu=electronics.saturation(),
        source=source,
    )


_CORNER_OFFSETS_MM: Final = {
    "SG0": (-SENSOR_PITCH_MM / 2, SENSOR_PITCH_MM),
    "SG1": (SENSOR_PITCH_MM, -SENSOR_PITCH_MM / 2),
    "SW0": (0.0, -10.625),
    "SW1": (0.0, 10.625),
}
"""Of raft R44, approximate: they place corner sensors in pictures and nothing else."""


def _center_mm(raft: str, slot: str, quarter_turns: int) -> tuple[float, float]:
    """Return the centre on the focal plane [mm]."""
    if raft == "RXX":
        return 0.0, 0.0
    if slot in _CORNER_OFFSETS_MM:
        dx, dy = _CORNER_OFFSETS_MM[slot]
        for _ in range(quarter_turns):
            dx, dy = -dy, dx
    else:
        dx, dy = SENSOR_PITCH_MM * (int(slot[2]) - 1), SENSOR_PITCH_MM * (int(slot[1]) - 1)
    return RAFT_PITCH_MM * (int(raft[2]) - 2) + dx, RAFT_PITCH_MM * (int(raft[1]) - 2) + dy
