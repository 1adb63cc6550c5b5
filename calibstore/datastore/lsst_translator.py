"""Headers of LATISS, LSSTComCam and LSSTCam, of all years, to exposures.

What the headers leave open is decided here once:

- *Time scale*: TIMESYS; without that card (before late 2019, and test stands longer) TAI, as the Butler's records of
  these exposures have it. The files cannot decide it: their MJD and DATE cards agree whatever the scale.
- *Begin*: DATE-BEG, else DATE-OBS. LATISS of late 2019 wrote 1970 there: then DATE, when the file was written, so the
  begin is late by about the exposure time.
- *End*: DATE-END where it leaves room for the exposure, else begin + max(exposure time, dark time).
- *Exposure time*: EXPTIME; a bias without the card has 0 s. A readout of unknown type without it has 0 s too, if it
  states its dark time: nothing was exposed on purpose. Anything else is refused.
- *Dark time*: DARKTIME, never less than the exposure time (LATISS wrote 0 for years).
- *Type*: OBSTYPE before IMGTYPE for LATISS, IMGTYPE else; LATISS of 2019 had it in GROUPID. No card: ``unknown``,
  which no calibration selects.
"""

import re
from collections.abc import Mapping
from typing import Final

from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.header_values import SCALES, seconds_of, state_of, text_of, time_of, timespan_of
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.times import NS_PER_S, day_obs_of, iso_to_ns
from calibstore.model.timespan import Timespan

INSTRUMENTS: Final = {
    "latiss": "LATISS",
    "lsst_atiss": "LATISS",
    "comcam": "LSSTComCam",
    "lsstcomcam": "LSSTComCam",
    "lsstcam": "LSSTCam",
}
TEST_STANDS: Final = ("archon", "lsst-ts", "lsst-ucd", "ts3", "ts8")
CONTROLLERS: Final = "OCHPQS"
"""The index of a controller times 1000 years is added to the day in the exposure id, until it became unique alone."""
LAST_OFFSET_DAY: Final = {"C": 20231004, "P": 20250417, "Q": 20250417, "S": 20250417}
"""First observing day (yyyymmdd) on which a controller's ids are no longer moved."""
MAX_SEQ_NUM: Final = 99999
FIRST_SANE_NS: Final = iso_to_ns("1990-01-01")
SIMULATED_CARD: Final = "CABSIM"

_GROUP_TYPE = re.compile(r"(?P<type>bias|dark|flat|focus)\b|(?P<long>bias|dark|flat|focus)_", re.IGNORECASE)
_EMPTY_FILTER = re.compile(r"empty_?\d*", re.IGNORECASE)


def translate_cards(
    cards: Mapping[str, CardValue], camera: Camera, *, name: str, observation_type: str | None = None
) -> tuple[Exposure, int]:
    """Translate the cards of one raw.

    Parameters
    ----------
    cards : mapping
        Keyword to value.
    camera : Camera
        The camera of the repository.
    name : str
        File name for messages.
    observation_type : str, optional
        What the operator says it is.

    Raises
    ------
    UserInputError
        If it is no exposure of this camera; the message says which of the reasons it is.
    """
    instrument = identify(cards, name=name)
    if instrument != camera.instrument:
        raise UserInputError(
            f"{name}: wrong camera: the file is of {instrument}, this repository of {camera.instrument}",
            hint=f"ingest it into a repository of {instrument}",
            code="E-RAW-WRONGCAMERA",
        )
    _check_simulated(cards, camera, name)
    _check_guider(cards, name)
    exposure = _exposure(cards, camera, name, observation_type)
    return exposure, _detector(cards, camera, name)


def identify(cards: Mapping[str, CardValue], *, name: str) -> str:
    """Return the instrument a header is of.

    Raises
    ------
    UserInputError
        If that is a test stand, a simulation or no camera of the observatory.
    """
    instrume = text_of(cards, "INSTRUME")
    stand = text_of(cards, "TSTAND")
    lowered = instrume.lower()
    is_simulated = (
        lowered.endswith("sim")
        or text_of(cards, "CONTRLLR") == "S"
        or any(mark in text_of(cards, "TESTTYPE", "CREATOR").lower() for mark in ("phosim", "imsim"))
    )
    if is_simulated and cards.get(SIMULATED_CARD) is not True:
        signs = [f"{key} {value}" for key in ("INSTRUME", "TESTTYPE", "CREATOR") if (value := text_of(cards, key))]
        raise _unknown_camera(name, f"the file is simulated ({signs[0]})")
    if lowered in INSTRUMENTS:
        return INSTRUMENTS[lowered]
    if lowered.startswith(TEST_STANDS) or (not instrume and stand):
        stated = ", ".join(f"{key} {value}" for key in ("INSTRUME", "TSTAND") if (value := text_of(cards, key)))
        raise _unknown_camera(name, f"the file is from a test stand ({stated})")
    raise _unknown_camera(name, f"INSTRUME is {instrume}" if instrume else "the header names no instrument")


def exposure_id(day_obs: int, seq_num: int, controller: str = "O") -> int:
    """Return the exposure id of an observing day (yyyymmdd), a sequence number and a controller."""
    offset_years = 0
    if controller in CONTROLLERS and day_obs < LAST_OFFSET_DAY.get(controller, 99999999):
        offset_years = 1000 * CONTROLLERS.index(controller) if controller else 0
    return (day_obs + offset_years * 10000) * (MAX_SEQ_NUM + 1) + seq_num


def _unknown_camera(name: str, reason: str) -> UserInputError:
    return UserInputError(
        f"{name}: unknown camera: {reason}",
        hint="frames of LATISS, LSSTComCam and LSSTCam are taken; another camera needs a camera file",
        code="E-RAW-CAMERA",
    )


def _check_simulated(cards: Mapping[str, CardValue], camera: Camera, name: str) -> None:
    is_simulated = cards.get(SIMULATED_CARD) is True
    if is_simulated and not camera.simulated:
        raise UserInputError(
            f"{name}: the frame is simulated ({SIMULATED_CARD} = T), this repository is of the real {camera.label}",
            hint="simulated frames go into a rehearsal repository: cabstand rehearse",
            code="E-RAW-SIMULATED",
        )
    if camera.simulated and not is_simulated:
        raise UserInputError(
            f"{name}: the frame is real (no {SIMULATED_CARD} card), this repository is of the simulated {camera.label}",
            hint=f"make a repository of the real camera: cabstand init --camera {camera.instrument}",
            code="E-RAW-SIMULATED",
        )


def _check_guider(cards: Mapping[str, CardValue], name: str) -> None:
    if any(key in cards for key in ("N_STAMPS", "ROICOLS", "ROISEG")):
        raise UserInputError(
            f"{name}: guider stamps ({text_of(cards, 'RAFTBAY')}_{text_of(cards, 'CCDSLOT')}), not a full frame",
            hint="calibrations are made of full frames; leave guider files out",
            code="E-RAW-GUIDER",
        )


def _exposure(cards: Mapping[str, CardValue], camera: Camera, name: str, observation_type: str | None) -> Exposure:
    kind = observation_type or _observation_type(cards, camera.instrument)
    exposure_time_s, dark_time_s = _durations(cards, kind, name)
    timespan = _timespan(cards, exposure_time_s, dark_time_s, name)
    day_obs = _day_obs(cards, timespan.begin_tai_ns, camera.day_obs_offset_h, name)
    seq_num = _seq_num(cards, name)
    number = exposure_id(day_obs, seq_num, text_of(cards, "CONTRLLR") or "O")
    return Exposure(
        instrument=camera.instrument,
        id=number,
        obs_id=text_of(cards, "OBSID", "IMGNAME") or str(number),
        day_obs=day_obs,
        seq_num=seq_num,
        physical_filter=_physical_filter(cards, camera.instrument),
        observation_type=kind,
        observation_reason=text_of(cards, "REASON", "TESTTYPE").lower(),
        science_program=text_of(cards, "PROGRAM", "RUNNUM"),
        exposure_time_s=exposure_time_s,
        dark_time_s=dark_time_s,
        timespan=timespan,
        target_name=text_of(cards, "OBJECT"),
        group=text_of(cards, "GROUPID") or str(number),
        camera_state=state_of(cards, camera.state_keywords),
    )


def _observation_type(cards: Mapping[str, CardValue], instrument: str) -> str:
    keys = ("OBSTYPE", "IMGTYPE") if instrument == "LATISS" else ("IMGTYPE", "OBSTYPE")
    kind = text_of(cards, *keys).lower()
    if not kind and instrument == "LATISS" and (found := _GROUP_TYPE.match(text_of(cards, "GROUPID"))):
        kind = (found["type"] or found["long"]).lower()
    return "science" if kind in {"skyexp", "object"} else kind or "unknown"


def _durations(cards: Mapping[str, CardValue], kind: str, name: str) -> tuple[float, float]:
    """Return exposure time and dark time [s]."""
    exposure_time_s = seconds_of(cards, "EXPTIME", name=name)
    dark_time_s = seconds_of(cards, "DARKTIME", name=name)
    if exposure_time_s is None and (kind == "bias" or (kind == "unknown" and dark_time_s is not None)):
        exposure_time_s = 0.0
    if exposure_time_s is None:
        raise UserInputError(
            f"{name}: the exposure time is missing (no EXPTIME, type {kind})",
            hint="write EXPTIME [s] into a copy of the file and ingest the copy",
            code="E-RAW-EXPTIME",
        )
    return exposure_time_s, max(exposure_time_s, dark_time_s or 0.0)


def _timespan(cards: Mapping[str, CardValue], exposure_time_s: float, dark_time_s: float, name: str) -> Timespan:
    scale = text_of(cards, "TIMESYS").lower() or "tai"
    if scale not in SCALES:
        raise UserInputError(
            f"{name}: TIMESYS is {scale.upper()}", hint="TAI, UTC and TT are understood", code="E-RAW-TIME"
        )
    times = {key: time_of(cards, key, scale, name=name) for key in ("DATE-BEG", "DATE-OBS", "DATE-END")}
    begin = next(
        (ns for key in ("DATE-BEG", "DATE-OBS") if (ns := times[key]) is not None and ns > FIRST_SANE_NS), None
    )
    if begin is None:
        begin = time_of(cards, "DATE", scale, name=name)
    if begin is None:
        raise UserInputError(
            f"{name}: the header has no time (no DATE-BEG, DATE-OBS or DATE)",
            hint="write DATE-BEG and TIMESYS into a copy of the file and ingest the copy",
            code="E-RAW-TIME",
        )
    shortest = begin + max(1, round(exposure_time_s * NS_PER_S))
    end = times["DATE-END"]
    # Shutter and clock are rounded apart: a millisecond less than the exposure time is still an honest end.
    if end is None or end <= begin or end + 1_000_000 < shortest:
        end = max(shortest, begin + round(dark_time_s * NS_PER_S))
    return timespan_of(begin, end, name=name)


def _day_obs(cards: Mapping[str, CardValue], begin_tai_ns: int, offset_h: float, name: str) -> int:
    text = text_of(cards, "DAYOBS").replace("-", "")
    if not text:
        return day_obs_of(begin_tai_ns, offset_h)
    if not (text.isdigit() and len(text) == 8 and "01" <= text[4:6] <= "12" and "01" <= text[6:] <= "31"):
        raise UserInputError(
            f"{name}: DAYOBS is '{text}', not a day like 20250401", hint="mend the card in a copy", code="E-RAW-TIME"
        )
    return int(text)


def _seq_num(cards: Mapping[str, CardValue], name: str) -> int:
    text = text_of(cards, "SEQNUM") or text_of(cards, "OBSID").rpartition("_")[2]
    if not (text.isdigit() and int(text) <= MAX_SEQ_NUM):
        raise UserInputError(
            f"{name}: the sequence number is '{text}', not in 0..{MAX_SEQ_NUM} (SEQNUM, or the end of OBSID)",
            hint="mend the card in a copy",
            code="E-RAW-SEQNUM",
        )
    return int(text)


def _physical_filter(cards: Mapping[str, CardValue], instrument: str) -> str:
    if instrument == "LATISS":
        parts = [text_of(cards, key) or "unknown" for key in ("FILTER", "GRATING")]
        return "~".join("empty" if _EMPTY_FILTER.fullmatch(part) else part for part in parts)
    parts = [part for key in ("FILTER", "FILTER1", "FILTER2") if (part := text_of(cards, key))]
    return "~".join("empty" if _EMPTY_FILTER.fullmatch(part) else part for part in parts) or "unknown"


def _detector(cards: Mapping[str, CardValue], camera: Camera, name: str) -> int:
    if len(camera.detectors) == 1:
        return camera.detectors[0].id
    full_name = f"{text_of(cards, 'RAFTBAY')}_{text_of(cards, 'CCDSLOT')}"
    for detector in camera.detectors:
        if detector.full_name == full_name:
            return detector.id
    raise UserInputError(
        f"{name}: {camera.instrument} has no detector '{full_name}' (cards RAFTBAY and CCDSLOT)",
        hint=f"detectors are named like {camera.detectors[0].full_name}",
        code="E-RAW-DETECTOR",
    )
