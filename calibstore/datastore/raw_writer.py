"""Simulated raw frames on disk, in the layout of the observatory's own: one FITS file per detector and exposure.

The same exposure and pixels give the same bytes: no card holds the time of writing.
"""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from calibstore.datastore.atomic_files import create_atomically
from calibstore.datastore.fits_structure import BLOCK
from calibstore.errors import UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.model.exposure import Exposure
from calibstore.model.times import mjd_of, ns_to_iso

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PixelType: TypeAlias = Literal["uint16", "int32", "float32"]
CardValue: TypeAlias = str | int | float | bool

SIMULATED_KEYWORD: Final = "CABSIM"
"""True in every frame of the simulated camera."""
_IDENTITY: Final = {
    "LATISS": ("LATISS", "LSST AuxTelescope", "AT"),
    "LSSTComCam": ("comCam", "Simonyi Survey Telescope", "CC"),
    "LSSTCam": ("lsstCam", "Simonyi Survey Telescope", "MC"),
}
"""INSTRUME, TELESCOP and the two letters of OBSID of each instrument."""
_HEADER_RAFT: Final = {"RXX": "R00"}
"""LATISS headers call the one raft R00; the Butler calls it RXX."""
_CCD_TYPE: Final = {"ITL": "3800C", "E2V": "CCD250"}
_IMAGE_TYPE: Final = {"science": "OBJECT"}
_UNSIGNED_ZERO: Final = 32768
_NUMERIC_STATE: Final = frozenset({"ODP", "AP0_RC", "TEMP_SET"})


def observation_id(instrument: str, day_obs: int, seq_num: int) -> str:
    """Return an OBSID such as ``AT_O_20250408_000006``.

    Parameters
    ----------
    instrument : str
        LATISS, LSSTComCam or LSSTCam.
    day_obs : int
        Observing day, yyyymmdd.
    seq_num : int
        Number inside the day.

    Returns
    -------
    str
        The observation id, controller ``O``.

    Raises
    ------
    UserInputError
        If the instrument has no raw layout here.
    """
    return f"{_identity(instrument)[2]}_O_{day_obs:08d}_{seq_num:06d}"


def raw_file_name(exposure: Exposure, detector: Detector) -> str:
    """Return ``<OBSID>_<raft>_<slot>.fits``."""
    return f"{exposure.obs_id}_{_raft(detector)}_{detector.name_in_raft}.fits"


def primary_cards(exposure: Exposure, detector: Detector) -> dict[str, CardValue]:
    """Return the primary header of a raw frame, in writing order.

    Parameters
    ----------
    exposure : Exposure
        What was taken, when, and the camera's state.
    detector : Detector
        Which CCD.

    Returns
    -------
    dict
        Keyword to value; a keyword without a value in the exposure is left out.

    Raises
    ------
    UserInputError
        If the instrument has no raw layout here.
    """
    instrume, telescope, code = _identity(exposure.instrument)
    begin, end = exposure.timespan.begin_tai_ns, exposure.timespan.end_tai_ns
    image_type = _IMAGE_TYPE.get(exposure.observation_type, exposure.observation_type.upper())
    cards: dict[str, CardValue] = {
        SIMULATED_KEYWORD: True,
        "INSTRUME": instrume,
        "TELESCOP": telescope,
        "CAMCODE": code,
        "CONTRLLR": "O",
        "OBSID": exposure.obs_id,
        "DAYOBS": f"{exposure.day_obs:08d}",
        "SEQNUM": exposure.seq_num,
        "IMGTYPE": image_type,
        "OBSTYPE": image_type,
        "TESTTYPE": image_type,
        "REASON": exposure.observation_reason,
        "PROGRAM": exposure.science_program,
        "GROUPID": exposure.group or ns_to_iso(begin, 3),
        "OBJECT": exposure.target_name,
        "EXPTIME": exposure.exposure_time_s,
        "DARKTIME": exposure.dark_time_s,
        "SHUTTIME": exposure.exposure_time_s,
        "TIMESYS": "TAI",
        # The instant of writing is left out on purpose: DATE is the end of the exposure.
        "DATE": ns_to_iso(end, 3),
        "DATE-OBS": ns_to_iso(begin, 3),
        "MJD-OBS": mjd_of(begin),
        "DATE-BEG": ns_to_iso(begin, 3),
        "MJD-BEG": mjd_of(begin),
        "DATE-END": ns_to_iso(end, 3),
        "MJD-END": mjd_of(end),
        "BUNIT": "adu",
        "RAFTBAY": _raft(detector),
        "CCDSLOT": detector.name_in_raft,
        "LSST_NUM": f"{detector.kind or 'SIM'}-{_CCD_TYPE.get(detector.kind, 'SIM')}-{900 + detector.id:03d}",
        "CCD_MANU": detector.kind,
        "CCD_TYPE": _CCD_TYPE.get(detector.kind, ""),
        "DETSIZE": f"[1:{detector.width},1:{detector.height}]",
        **_filter_cards(exposure),
        **{keyword: _state_value(keyword, value) for keyword, value in exposure.camera_state.items()},
        "FILENAME": raw_file_name(exposure, detector),
    }
    return {keyword: value for keyword, value in cards.items() if value != ""}


def amplifier_cards(amplifier: Amplifier, detector: Detector) -> dict[str, CardValue]:
    """Return the sections of one amplifier's image HDU, 1-based and inclusive as FITS has them.

    Parameters
    ----------
    amplifier : Amplifier
        The readout channel.
    detector : Detector
        Its CCD.

    Returns
    -------
    dict
        EXTNAME, DATASEC, BIASSEC, DETSEC, DETSIZE; DETSEC counts down where the amplifier is read mirrored.
    """
    cards: dict[str, CardValue] = {
        "EXTNAME": amplifier.extension,
        "DATASEC": _section(amplifier.data),
        "DETSEC": _section(amplifier.place, flip_x=amplifier.flip_x, flip_y=amplifier.flip_y),
        "DETSIZE": f"[1:{detector.width},1:{detector.height}]",
    }
    if amplifier.serial_overscan is not None:
        cards["BIASSEC"] = _section(amplifier.serial_overscan)
    return cards


def write_raw(
    directory: Path,
    *,
    exposure: Exposure,
    detector: Detector,
    amps: "NDArray[np.int32] | NDArray[np.float32]",
    pixel_type: PixelType = "int32",
) -> Path:
    """Write one raw frame, whole or not at all.

    Parameters
    ----------
    directory : Path
        Where the file goes; made where it is missing.
    exposure : Exposure
        What the header tells.
    detector : Detector
        Which CCD; its amplifiers are written in their order.
    amps : ndarray of shape (n_amp, raw_ny, raw_nx), int32 or float32
        Pixels [adu].
    pixel_type : {"uint16", "int32", "float32"}
        Pixels on disk; ``uint16`` is stored with BZERO = 32768, ``float32`` can hold pixels that are not a number.

    Returns
    -------
    Path
        The written file; one of the same name is replaced.

    Raises
    ------
    UserInputError
        If the arrays do not fit the detector or the pixel type.
    StoreError
        If the file cannot be written.
    """

    shapes = {(amp.raw_height, amp.raw_width) for amp in detector.amplifiers}
    if len(amps) != len(detector.amplifiers) or shapes != {amps.shape[1:]}:
        raise UserInputError(
            f"{detector.full_name}: pixels of shape {amps.shape} for {len(detector.amplifiers)} amplifiers of {shapes}",
            hint="give one array of the raw size per amplifier, in HDU order",
        )
    if pixel_type != "float32":
        _require_fitting(detector, pixel_type, float(amps.min()), float(amps.max()))
    path = directory / raw_file_name(exposure, detector)
    with create_atomically(path) as descriptor, os.fdopen(os.dup(descriptor), "wb") as stream:
        stream.write(_primary_header(primary_cards(exposure, detector)))
        for header, pixels in zip(_amplifier_headers(detector, pixel_type), amps, strict=True):
            stream.write(header)
            stream.write(_stored(pixels, pixel_type))
    return path


def _primary_header(cards: dict[str, CardValue]) -> bytes:
    from astropy.io import fits

    header = fits.PrimaryHDU().header
    header.extend([fits.Card(keyword, value) for keyword, value in cards.items()], end=True)
    text: str = header.tostring()
    return text.encode("ascii")


# Of a camera's detectors: a card costs as much as ten thousand pixels.
@functools.lru_cache(maxsize=256)
def _amplifier_headers(detector: Detector, pixel_type: PixelType) -> tuple[bytes, ...]:
    """Return the header of each amplifier's HDU, in order."""
    import numpy as np
    from astropy.io import fits

    headers = []
    for amplifier in detector.amplifiers:
        pixels = np.broadcast_to(np.zeros((), pixel_type), (amplifier.raw_height, amplifier.raw_width))
        header = fits.ImageHDU(pixels).header
        header.extend(
            [fits.Card(keyword, value) for keyword, value in amplifier_cards(amplifier, detector).items()], end=True
        )
        headers.append(header.tostring().encode("ascii"))
    return tuple(headers)


def _stored(pixels: "NDArray[np.int32] | NDArray[np.float32]", pixel_type: PixelType) -> bytes:
    """Return pixels as they lie in the file: big-endian, unsigned ones less 32768, filled up to whole blocks."""
    if pixel_type == "uint16":
        body = (pixels - _UNSIGNED_ZERO).astype(">i2").tobytes()
    else:
        body = pixels.astype(">i4" if pixel_type == "int32" else ">f4").tobytes()
    return body + bytes(-len(body) % BLOCK)


def _require_fitting(detector: Detector, pixel_type: PixelType, low: float, high: float) -> None:
    import numpy as np

    limits = np.iinfo(np.dtype(pixel_type))
    # Written so that a pixel that is not a number does not pass.
    if not (low >= limits.min and high <= limits.max):
        raise UserInputError(
            f"{detector.full_name}: values {low:g}..{high:g} adu do not fit {pixel_type} ({limits.min}..{limits.max})",
            hint="write int32, or simulate a converter of 16 bits",
        )


def _identity(instrument: str) -> tuple[str, str, str]:
    if instrument not in _IDENTITY:
        raise UserInputError(
            f"no raw layout for instrument {instrument!r}", hint=f"simulate one of {', '.join(_IDENTITY)}"
        )
    return _IDENTITY[instrument]


def _raft(detector: Detector) -> str:
    return _HEADER_RAFT.get(detector.raft, detector.raft)


def _filter_cards(exposure: Exposure) -> dict[str, CardValue]:
    """Return FILTER, and GRATING where the physical filter has two elements (LATISS)."""
    name, separator, grating = exposure.physical_filter.partition("~")
    return {"FILTER": name, **({"GRATING": grating} if separator else {})}


def _state_value(keyword: str, value: str) -> CardValue:
    """Return voltages, currents and temperatures as numbers, names and checksums as text."""
    return float(value) if keyword in _NUMERIC_STATE and value else value


def _section(box: Box, *, flip_x: bool = False, flip_y: bool = False) -> str:
    x = (box.x1, box.x0 + 1) if flip_x else (box.x0 + 1, box.x1)
    y = (box.y1, box.y0 + 1) if flip_y else (box.y0 + 1, box.y1)
    return f"[{x[0]}:{x[1]},{y[0]}:{y[1]}]"
