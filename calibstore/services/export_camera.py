"""Cameras by name, by camera file, or from the dimension rows of an export, which know no pixels."""

from dataclasses import replace
from pathlib import Path

from calibstore.datastore.camera_file import load_camera
from calibstore.errors import UserInputError
from calibstore.model import lsst_cameras
from calibstore.model.camera import NO_RAWS, Camera, Detector, PhysicalFilter
from calibstore.sites.butler_exchange import DetectorRow
from calibstore.sites.butler_yaml_reader import read_export

_EXPORT_KEYS = ("data:", "universe_version:")


def find_camera(name_or_path: str) -> Camera:
    """Return the camera of a name, of a camera file, or of a Butler's export.yaml.

    Parameters
    ----------
    name_or_path : str
        As `load_camera` takes it, or the path of an export file.

    Raises
    ------
    NotFoundError
        If there is no such camera or file.
    UserInputError
        If the file is wrong, or an export of no camera or several.
    """
    path = Path(name_or_path).expanduser()
    return camera_of_export(path) if _is_export(path) else load_camera(name_or_path)


def camera_of_export(path: Path) -> Camera:
    """Return a camera with the detectors and filters that an export lists, beside those the house knows of it.

    A detector that the export alone lists has no amplifiers: it holds calibrations and answers look-ups, and takes no
    raw frames.

    Raises
    ------
    UserInputError
        If the file is no export, is of no camera or several, or names a known detector otherwise.
    """
    exchange = read_export(path)
    if len(exchange.instruments) != 1 or not exchange.detectors:
        names = ", ".join(one.name for one in exchange.instruments) or "none"
        raise UserInputError(
            f"{path}: lists {len(exchange.detectors)} detectors of instruments {names}; one instrument is wanted",
            hint="give an export of one instrument, a camera file, or a name: LATISS, LSSTComCam, LSSTCam",
            code="E-CAMERA",
        )
    (instrument,) = exchange.instruments
    known = lsst_cameras.camera(instrument.name) if instrument.name in lsst_cameras.LSST_CAMERAS else None
    detectors = {one.id: one for one in known.detectors} if known else {}
    for row in exchange.detectors:
        if row.id not in detectors:
            detectors[row.id] = _bare_detector(row)
        elif detectors[row.id].full_name != row.full_name:
            raise UserInputError(
                f"{path}: {instrument.name} detector {row.id} is {row.full_name}, known as "
                f"{detectors[row.id].full_name}",
                hint="the export is of another camera of that name; give a camera file",
                code="E-CAMERA",
            )
    filters = {one.name: one for one in known.filters} if known else {}
    for band in exchange.filters:
        filters.setdefault(band.name, PhysicalFilter(name=band.name, band=band.band))
    base = known or Camera(
        instrument=instrument.name,
        class_name=instrument.class_name,
        detectors=(),
        translator=NO_RAWS,
        visit_max=instrument.visit_max,
        exposure_max=instrument.exposure_max,
    )
    return replace(
        base, detectors=tuple(detectors[number] for number in sorted(detectors)), filters=tuple(filters.values())
    )


def _bare_detector(row: DetectorRow) -> Detector:
    return Detector(
        id=row.id,
        full_name=row.full_name,
        raft=row.raft,
        name_in_raft=row.name_in_raft,
        purpose=row.purpose,
        width=0,
        height=0,
        amplifiers=(),
    )


def _is_export(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            lines = file.read(4096).decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith(_EXPORT_KEYS) for line in lines)
