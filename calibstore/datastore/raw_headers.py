"""From a raw file, or a dump of its header, to an exposure and a detector number, or one line saying why not."""

from collections.abc import Mapping
from pathlib import Path

from calibstore.datastore import generic_translator, lsst_translator
from calibstore.datastore.fits_cards import CardValue
from calibstore.datastore.fits_headers import HduFacts, RawHeaders, read_headers
from calibstore.errors import UserInputError
from calibstore.model import lsst_cameras
from calibstore.model.camera import NO_RAWS, Camera
from calibstore.model.exposure import Exposure

__all__ = ["OBSERVATION_TYPES", "HduFacts", "RawHeaders", "read_headers", "translate", "translate_header"]

OBSERVATION_TYPES = (
    "acq", "bias", "cwfs", "dark", "engtest", "fe55", "flat", "focus", "science", "spot", "stuttered", "unknown",
)  # fmt: skip
"""What an operator may say a frame is."""


def translate(path: Path, camera: Camera, *, observation_type: str | None = None) -> tuple[Exposure, int]:
    """Translate one raw file.

    Parameters
    ----------
    path : Path
        The file, plain, ``.gz`` or ``.fz``.
    camera : Camera
        The camera of the repository.
    observation_type : str, optional
        What the operator says the frame is, against what its header says (flats labelled "Light Frame").

    Returns
    -------
    Exposure
        The exposure, times in TAI.
    int
        The detector number.

    Raises
    ------
    StoreError
        If the file is unreadable, truncated or has an unparsable card.
    UserInputError
        If the file is no raw frame of this camera or lacks what an exposure needs; the message is one line that begins
        with the file's name.
    """
    check_observation_type(observation_type)  # before the file is read: it is wrong for every file
    headers = read_headers(path)
    exposure, detector = translate_header(headers.cards, camera, name=path.name, observation_type=observation_type)
    check_geometry(headers, camera, detector)
    return exposure, detector


def translate_header(
    cards: Mapping[str, CardValue],
    camera: Camera | None = None,
    *,
    name: str = "header",
    observation_type: str | None = None,
) -> tuple[Exposure, int]:
    """Translate the cards of a header without its file; the geometry is not checked.

    Parameters
    ----------
    cards : mapping
        Keyword to value.
    camera : Camera, optional
        The camera; by default the observatory's camera the header names.
    name : str
        How messages call it.
    observation_type : str, optional
        As for `translate`.

    Raises
    ------
    UserInputError
        As for `translate`.
    """
    check_observation_type(observation_type)
    if camera is not None and camera.translator == NO_RAWS:
        raise UserInputError(
            f"{name}: {camera.instrument} is known here by the rows of an export alone, so no raw frame can be read",
            hint="make a repository with its camera file: cabstand init PATH --camera FILE",
            code="E-RAW-WRONGCAMERA",
        )
    if camera is None:
        camera = lsst_cameras.camera(lsst_translator.identify(cards, name=name))
    if camera.translator == "lsst":
        return lsst_translator.translate_cards(cards, camera, name=name, observation_type=observation_type)
    return generic_translator.translate_cards(cards, camera, name=name, observation_type=observation_type)


def check_observation_type(observation_type: str | None) -> None:
    """Refuse a type nobody knows.

    Raises
    ------
    UserInputError
        If it is given and not in `OBSERVATION_TYPES`.
    """
    if observation_type is not None and observation_type not in OBSERVATION_TYPES:
        raise UserInputError(
            f"observation type '{observation_type}' is not known",
            hint=f"one of {', '.join(OBSERVATION_TYPES)}",
            code="E-RAW-TYPE",
        )


def check_geometry(headers: RawHeaders, camera: Camera, detector_id: int) -> None:
    """Compare the image HDUs of a file with the amplifiers of its detector.

    Raises
    ------
    UserInputError
        If an amplifier is missing, has another size, or its header names another data section.
    """
    detector = camera.detector(detector_id)
    by_name = {hdu.name: hdu for hdu in headers.images}
    for amplifier in detector.amplifiers:
        hdu = by_name.get(amplifier.extension) if amplifier.extension else next(iter(headers.images), None)
        where = f"{headers.path.name}: {detector.full_name} {amplifier.name}"
        if hdu is None:
            raise _geometry(f"{where}: the file has no image HDU {amplifier.extension or '(none at all)'}", camera)
        if (hdu.width, hdu.height) != (amplifier.raw_width, amplifier.raw_height):
            raise _geometry(
                f"{where} is {hdu.width}x{hdu.height} pixels in the file, {amplifier.raw_width}x{amplifier.raw_height}"
                f" in camera {camera.label}",
                camera,
            )
        box = amplifier.data
        expected = f"[{box.x0 + 1}:{box.x1},{box.y0 + 1}:{box.y1}]"
        if hdu.data_section and hdu.data_section.replace(" ", "") != expected:
            vendor = f" ({headers.cards.get('CCD_MANU')} in the file, {detector.kind} in the camera)"
            raise _geometry(
                f"{where} has data section {hdu.data_section}, camera {camera.label} expects {expected}"
                + (vendor if detector.kind and headers.cards.get("CCD_MANU") else ""),
                camera,
            )


def _geometry(message: str, camera: Camera) -> UserInputError:
    return UserInputError(
        message,
        hint=f"frames of another geometry need a camera file of their own; {camera.instrument} cannot hold them",
        code="E-RAW-GEOMETRY",
    )
