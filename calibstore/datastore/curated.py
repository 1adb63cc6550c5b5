"""The field's tree of curated calibrations, read unchanged: ``type/[detector/][filter/]YYYYMMDDTHHMMSS.ecsv``.

The date of a file name is UTC and begins its validity, which ends where the next file of the same data ID begins.
Other files (README, tables, notes) are not calibrations and are passed over.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from calibstore.datastore.calib_file_kinds import FILE_KINDS, FileKind, check_cards, wrong_card
from calibstore.datastore.calib_tables import ECSV_SUFFIX, CalibTables, find_card, read_calib_tables
from calibstore.errors import CabstandError, NotFoundError, UserInputError
from calibstore.model.camera import Camera, Detector
from calibstore.model.collections import did_you_mean
from calibstore.model.times import NS_PER_DAY, NS_PER_S, iso_to_ns, utc_to_tai_ns
from calibstore.model.timespan import MAX_TAI_NS, Timespan

POLICY_FOLDERS: Final = {"LATISS": "latiss", "LSSTComCam": "comCam", "LSSTCam": "lsstCam"}
"""Folder of an instrument in the field's data package."""

_STAMP: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")
_WHOLE_SECONDS_NS: Final = iso_to_ns("1972-01-01")
"""From here on TAI - UTC is a whole number of seconds [UTC ns]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CuratedFile:
    """One curated calibration."""

    path: Path
    kind: FileKind
    detector: Detector | None
    physical_filter: str
    stamp: str
    """Date as in the file name."""
    timespan: Timespan
    content: CalibTables


@dataclass(frozen=True, slots=True, kw_only=True)
class CuratedTree:
    """Everything in a folder."""

    folder: Path
    files: tuple[CuratedFile, ...]
    """By type, detector, filter and date."""
    ignored: tuple[str, ...]
    """Other files and folders, relative to the folder."""


def read_curated(folder: Path, camera: Camera) -> CuratedTree:
    """Read a tree of curated calibrations of one instrument.

    Parameters
    ----------
    folder : Path
        The instrument's folder, or the one above it.
    camera : Camera
        The instrument: detectors by name, filters.

    Raises
    ------
    NotFoundError
        E-CURATED: there is no such folder, or nothing curated in it.
    UserInputError
        E-CALIBFILE: a file's metadata contradict its place; E-CURATED: its place fits no detector or filter.
    StoreError
        If a file cannot be read.
    """
    own = folder / POLICY_FOLDERS.get(camera.instrument, camera.instrument)
    folder = own if own.is_dir() else folder
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: no such folder", hint="give the folder of the data package", code="E-CURATED")
    found: list[CuratedFile] = []
    ignored: list[str] = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file() and not one.name.startswith(".")):
        place = path.relative_to(folder)
        kind = FILE_KINDS.get(place.parts[0])
        is_dated = path.suffix == ECSV_SUFFIX and _STAMP.fullmatch(path.stem) is not None
        if kind is None or not kind.is_curated or not is_dated:
            ignored.append(str(place))
            continue
        found.append(_read(path, place, kind, camera))
    if not found:
        raise NotFoundError(
            f"{folder}: holds no curated calibration ({len(ignored)} other files)",
            hint="give a folder with TYPE/[detector/][filter/]YYYYMMDDTHHMMSS.ecsv, such as defects/rxx_s00/...",
            code="E-CURATED",
        )
    return CuratedTree(folder=folder, files=_with_ends(found), ignored=tuple(ignored))


def begin_of(stamp: str) -> int:
    """Return the instant of a file-name date [TAI ns].

    Parameters
    ----------
    stamp : str
        ``YYYYMMDDTHHMMSS``, UTC.

    Raises
    ------
    UserInputError
        If there is no such time, or none that a range may begin with.

    Notes
    -----
    Before 1972 TAI - UTC = 4.21317 s + 0.002592 s/day from 1966-01-01 on (USNO table, valid from 1968-02-01): the
    field's 19700101T000000 is 8.000082 s after the epoch, as astropy and the Butler have it.
    """
    found = _STAMP.fullmatch(stamp)
    if found is None:
        raise UserInputError(f"{stamp} is no date of a curated file", hint="YYYYMMDDTHHMMSS", code="E-CURATED")
    year, month, day, hour, minute, second = found.groups()
    utc_ns = iso_to_ns(f"{year}-{month}-{day}T{hour}:{minute}:{second}")
    if utc_ns >= _WHOLE_SECONDS_NS:
        return utc_to_tai_ns(utc_ns)
    since_1966_ns = utc_ns - iso_to_ns("1966-01-01")
    begin = utc_ns + 4_213_170_000 + since_1966_ns * 2_592_000 // NS_PER_DAY
    Timespan(begin)
    return begin


def _read(path: Path, place: Path, kind: FileKind, camera: Camera) -> CuratedFile:
    levels = [one for one in kind.dimensions if one != "instrument"]
    folders = place.parts[1:-1]
    if len(folders) != len(levels):
        wanted = "/".join([kind.dataset_type, *(f"<{one}>" for one in levels)])
        raise UserInputError(f"{path}: a {kind.dataset_type} stands in {wanted}/", hint="move it", code="E-CURATED")
    by_level = dict(zip(levels, folders, strict=True))
    detector = _detector(path, by_level["detector"], camera) if "detector" in by_level else None
    content = read_calib_tables(path)
    cards = content.metadata
    physical_filter = ""
    if "physical_filter" in by_level:
        # Folders are in lower case; the file itself has the name.
        physical_filter = str(find_card(cards, "FILTER") or "")
        if physical_filter.lower() != by_level["physical_filter"].lower():
            told = f"is {physical_filter}, not {by_level['physical_filter']}" if physical_filter else "is missing"
            raise wrong_card(str(path), "FILTER", told, "it is to be the name of the folder")
    check_cards(
        cards,
        kind,
        camera,
        name=str(path),
        detector=None if detector is None else detector.id,
        physical_filter=physical_filter,
    )
    begin = begin_of(path.stem)
    _check_date(path, find_card(cards, "CALIBDATE"), begin)
    return CuratedFile(
        path=path,
        kind=kind,
        detector=detector,
        physical_filter=physical_filter,
        stamp=path.stem,
        timespan=Timespan(begin, MAX_TAI_NS),
        content=content,
    )


def _detector(path: Path, folder: str, camera: Camera) -> Detector:
    names = {one.full_name.lower(): one for one in camera.detectors}
    if folder.lower() not in names:
        near = did_you_mean(folder.lower(), names)
        raise UserInputError(
            f"{path}: {camera.instrument} has no detector {folder}",
            hint=f"did you mean {near}?" if near else f"known: {', '.join(sorted(names)[:4])} ...",
            code="E-CURATED",
        )
    return names[folder.lower()]


def _check_date(path: Path, stated: object, begin_tai_ns: int) -> None:
    text = "" if stated is None else str(stated).strip()
    if not text:
        raise wrong_card(str(path), "CALIBDATE", "is missing", "it is to be the name's date")
    try:
        plain = re.sub(r"\.\d*$", "", text.replace(" ", "T")).rstrip("Z")
        is_same = begin_of(re.sub(r"[-:]", "", plain)) // NS_PER_S == begin_tai_ns // NS_PER_S
    except CabstandError:
        raise wrong_card(
            str(path), "CALIBDATE", f"is {text}, which is no date", "it is to be that of the name"
        ) from None
    if not is_same:
        raise wrong_card(str(path), "CALIBDATE", f"is {text}, not {path.stem}", "it is to be the name's date")


def _with_ends(found: list[CuratedFile]) -> tuple[CuratedFile, ...]:
    """Return the files with their ranges ended by the next of the same data ID."""

    def data_id(one: CuratedFile) -> tuple[str, int, str]:
        return one.kind.dataset_type, -1 if one.detector is None else one.detector.id, one.physical_filter

    ordered = sorted(found, key=lambda one: (*data_id(one), one.timespan.begin_tai_ns))
    ended = []
    for number, one in enumerate(ordered):
        after = ordered[number + 1] if number + 1 < len(ordered) else None
        if after is not None and data_id(after) == data_id(one):
            one = replace(one, timespan=Timespan(one.timespan.begin_tai_ns, after.timespan.begin_tai_ns))  # noqa: PLW2901
        ended.append(one)
    return tuple(ended)
