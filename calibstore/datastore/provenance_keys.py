"""Which calibrations a processed file says it was made with: the keys LSST CALIB RUN, UUID and DATE of its header."""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.datastore.fits_headers import CardValue
from calibstore.datastore.header_values import time_of
from calibstore.datastore.lsst_translator import INSTRUMENTS, exposure_id
from calibstore.datastore.metadata_dump import read_cards
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.timespan import Timespan

DATASET_TYPES: Final = {
    "BIAS": "bias",
    "DARK": "dark",
    "FLAT": "flat",
    "DEFECTS": "defects",
    "LINEARIZER": "linearizer",
    "CROSSTALK": "crosstalk",
    "PTC": "ptc",
    "BFKERNEL": "bfk",
    "DEFERREDCHARGECALIB": "cti",
    "GAINCORRECTION": "gain_correction",
    "ELECTROBFDISTORTIONMATRIX": "electroBfDistortionMatrix",
}
"""Name in the keys to dataset type (generation.md 2.3)."""
NOT_CALIBRATIONS: Final = frozenset({"CAMERA", "CCDEXPOSURE"})
"""Inputs that have the same keys and no validity range."""
SELF_CHECK_KEY: Final = "CAB ISR SELFCHECK"
"""Mark of a file made by Cabstand's own signature removal."""

_KEY = re.compile(r"LSST CALIB (?P<what>RUN|UUID|DATE) (?P<kind>[A-Z0-9_]+)")
_OBS_ID = re.compile(r"[A-Z]{2}_(?P<controller>[A-Z])_(?P<day>\d{8})_(?P<seq>\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedCalib:
    """One calibration a file says it was made with."""

    dataset_type: str
    uuid: str = ""
    run: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a processed file says of itself."""

    name: str
    """Of the file."""
    calibs: tuple[UsedCalib, ...]
    is_self_check: bool
    cards: Mapping[str, CardValue]
    """Every card, the first of a repeated one."""


def read_provenance(path: Path) -> Provenance:
    """Read which calibrations a file was made with.

    Parameters
    ----------
    path : Path
        FITS, YAML or JSON.

    Raises
    ------
    StoreError
        If it cannot be read.
    UserInputError
        If it has none of the keys, says two things for one of them, or a UUID that is none.
    """
    return provenance_of(read_cards(path), name=path.name)


def provenance_of(cards: Iterable[tuple[str, CardValue]], *, name: str) -> Provenance:
    """Return what cards say; see `read_provenance`."""
    first: dict[str, CardValue] = {}
    found: dict[tuple[str, str], str] = {}
    for key, value in cards:
        first.setdefault(key, value)
        known = _KEY.fullmatch(key)
        text = "" if value is None else str(value).strip()
        if known is None or known["kind"] in NOT_CALIBRATIONS or not text:
            continue
        before = found.setdefault((known["kind"], known["what"]), text)
        if before != text:
            raise UserInputError(
                f"{name}: {key} is {before} and {text}", hint="give the metadata of one image", code="E-METADATA"
            )
    if not found:
        raise UserInputError(
            f"{name}: has no LSST CALIB keys: it does not say which calibrations were used",
            hint="give a file written by the site's ISR (post_isr_image, or its metadata)",
            code="E-NOKEYS",
        )
    return Provenance(
        name=name,
        calibs=tuple(_used(kind, found, name) for kind in sorted({kind for kind, _ in found})),
        is_self_check=first.get(SELF_CHECK_KEY) not in (None, False, "", "F", "False", "false", 0),
        cards=first,
    )


def exposure_of(cards: Mapping[str, CardValue]) -> int | None:
    """Return the exposure a file was made from, as far as it says: EXPID, DAYOBS and SEQNUM, or OBSID."""
    for key in ("EXPID", "EXPOSURE_ID"):
        number = _whole(cards.get(key))
        if number is not None:
            return number
    day, seq = _whole(cards.get("DAYOBS")), _whole(cards.get("SEQNUM"))
    if day is not None and seq is not None:
        return exposure_id(day, seq, str(cards.get("CONTRLLR") or "O"))
    parsed = _OBS_ID.fullmatch(str(cards.get("OBSID") or "").strip())
    return exposure_id(int(parsed["day"]), int(parsed["seq"]), parsed["controller"]) if parsed is not None else None


def instrument_of(cards: Mapping[str, CardValue]) -> str:
    """Return the observatory's instrument a file names, empty for none of them."""
    return INSTRUMENTS.get(str(cards.get("INSTRUME") or "").strip().lower(), "")


def timespan_of(cards: Mapping[str, CardValue], *, name: str) -> Timespan | None:
    """Return when the exposure was taken by DATE-BEG and DATE-END, None where they are missing.

    Raises
    ------
    UserInputError
        If they are no times, or in the wrong order.
    """
    scale = str(cards.get("TIMESYS") or "tai").strip().lower()
    begin = time_of(cards, "DATE-BEG", scale, name=name) if scale in ("tai", "utc", "tt") else None
    end = time_of(cards, "DATE-END", scale, name=name) if begin is not None else None
    return None if begin is None or end is None else Timespan(begin, max(end, begin + 1))


def detector_of(cards: Mapping[str, CardValue], camera: Camera) -> int | None:
    """Return the detector a file was made from, as far as it says, in the camera's numbers."""
    known = {one.id for one in camera.detectors}
    number = _whole(cards.get("DETECTOR"))
    if number in known:
        return number
    raft, slot = str(cards.get("RAFTBAY") or "").strip(), str(cards.get("CCDSLOT") or "").strip()
    names = {f"{raft}_{slot}", *(str(cards.get(key) or "").strip() for key in ("DET_NAME", "DETNAME"))}
    for one in camera.detectors:
        if one.full_name in names:
            return one.id
    return camera.detectors[0].id if len(camera.detectors) == 1 else None


def _used(kind: str, found: Mapping[tuple[str, str], str], name: str) -> UsedCalib:
    text = found.get((kind, "UUID"), "")
    try:
        plain = str(uuid.UUID(text)) if text else ""
    except ValueError as fault:
        raise UserInputError(
            f"{name}: LSST CALIB UUID {kind} is {text!r}, which is no UUID",
            hint="the value may be cut: give the whole header, with its CONTINUE cards",
            code="E-METADATA",
        ) from fault
    return UsedCalib(
        dataset_type=DATASET_TYPES.get(kind, kind.lower()),
        uuid=plain,
        run=found.get((kind, "RUN"), ""),
        date=found.get((kind, "DATE"), ""),
    )


def _whole(value: CardValue) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    text = str(value).strip()
    return int(text) if text.isdecimal() and len(text) < 19 else None
