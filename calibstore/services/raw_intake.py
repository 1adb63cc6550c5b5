"""What files turn out to be before a repository is asked: found, recognised by a camera, and hashed."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.fits_headers import RawHeaders, read_headers
from calibstore.datastore.raw_headers import check_geometry, translate_header
from calibstore.errors import CabstandError, NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure, RawFile

SUFFIXES: Final = (".fits", ".fits.fz", ".fits.gz", ".fit", ".fts")
"""Ends of the names that a search of a folder takes, in any case."""

_NO_CAMERA_OF_OURS: Final = frozenset({"E-RAW-CAMERA", "E-RAW-WRONGCAMERA"})
_PLAIN_TYPES: Final = ("bias", "dark", "flat")


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Files that may be raw frames."""

    files: tuple[Path, ...]
    """Absolute, each once, in order."""
    fruitless: tuple[str, ...]
    """Folders and patterns that gave none, as typed."""


def find_files(given: Sequence[str]) -> FoundFiles:
    """Return the files meant by names, folders (searched) and patterns.

    Parameters
    ----------
    given : sequence of str
        As typed. A name that is not there is returned too, so that it is refused by name like any other file.

    Raises
    ------
    NotFoundError
        If there is no file at all.
    """
    found: dict[Path, None] = {}
    fruitless: list[str] = []
    for text in given:
        path = _expanded(text)
        if path.is_dir():
            files = sorted(one for one in path.rglob("*") if one.name.lower().endswith(SUFFIXES))
        elif not os.path.lexists(path) and any(mark in text for mark in "*?["):
            files = sorted(Path(one) for one in glob.glob(str(path), recursive=True))  # noqa: PTH207  folders too
        else:
            files = [path]
        if not files:
            fruitless.append(text)
        found.update(dict.fromkeys(_absolute(one) for one in files))
    if not found:
        raise NotFoundError(
            f"no FITS files in {', '.join(given)}", hint=f"names end in {', '.join(SUFFIXES)}", code="E-NOFILES"
        )
    return FoundFiles(tuple(found), tuple(fruitless))


def read_raw(path: Path, cameras: Sequence[Camera], *, observation_type: str = "", reason: str = "") -> RawFile:
    """Recognise one file and take its size and checksum.

    Parameters
    ----------
    path : Path
        The file.
    cameras : sequence of Camera
        Cameras of the repository.
    observation_type : str
        What the operator says the frame is; empty for what its header says.
    reason : str
        Why, as the operator said it; with one a header that says bias, dark or flat is overruled.

    Raises
    ------
    CabstandError
        With one line beginning with the file's name; of several cameras' reasons the most telling one.
    """
    _check_place(path)
    headers = read_headers(path)
    exposure, detector = recognise(headers, cameras, observation_type)
    if observation_type and not reason:
        _check_overruled(headers, cameras, observation_type)
    try:
        size_bytes = path.stat().st_size
    except OSError as fault:
        raise UserInputError(f"{path.name}: cannot be read ({fault.strerror or fault})") from fault
    return RawFile(
        exposure=exposure, detector=detector, path=str(path), size_bytes=size_bytes, sha256=sha256_of_file(path)
    )


def printable(text: str) -> str:
    """Return a path so that it can be printed and stored whatever bytes it has."""
    if text.isprintable() and _is_utf8(text):
        return text
    shown = text.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def recognise(headers: RawHeaders, cameras: Sequence[Camera], observation_type: str = "") -> tuple[Exposure, int]:
    """Translate a file's headers by the camera they are of.

    Parameters
    ----------
    headers : RawHeaders
        Of the file.
    cameras : sequence of Camera
        Cameras of the repository.
    observation_type : str
        As for `read_raw`.

    Raises
    ------
    UserInputError
        If the file fits none of them.
    """
    name = headers.path.name
    problems: list[tuple[int, CabstandError]] = []
    # The observatory's cameras name themselves in the header; a camera file may be less choosy.
    for camera in sorted(cameras, key=lambda one: one.translator != "lsst"):
        try:
            exposure, detector = translate_header(
                headers.cards, camera, name=name, observation_type=observation_type or None
            )
            check_geometry(headers, camera, detector)
        except CabstandError as problem:
            problems.append((_telling(problem, camera), problem))
        else:
            return exposure, detector
    rank, told = max(problems, key=lambda one: one[0])
    if len(cameras) > 1 and (rank == 0 or told.code == "E-RAW-WRONGCAMERA"):
        known = ", ".join(camera.instrument for camera in cameras)
        raise UserInputError(f"{told.message}; the repository knows {known}", hint=told.hint, code=told.code) from told
    raise told


_RECOGNISED: Final = 2


def _telling(problem: CabstandError, camera: Camera) -> int:
    """Rank a camera's reason: one that knows the frame as its own says more than one that does not know it."""
    if problem.code not in _NO_CAMERA_OF_OURS:
        return _RECOGNISED
    return 1 if camera.translator == "lsst" else 0


def _check_overruled(headers: RawHeaders, cameras: Sequence[Camera], observation_type: str) -> None:
    """Refuse to call a frame whose header says bias, dark or flat something else.

    Software labels frames "Light Frame" for want of better; one that says "bias" mostly is a bias.
    """
    try:
        said = recognise(headers, cameras)[0].observation_type
    except CabstandError:
        return  # the header's own type is unknown: nothing to overrule
    if said in _PLAIN_TYPES and said != observation_type:
        raise UserInputError(
            f"{headers.path.name}: its header says {said}, not {observation_type}; to overrule it give --reason",
            hint=f'repeat with --reason "why these are {observation_type} frames"',
            code="E-OVERRULE",
        )


def _check_place(path: Path) -> None:
    if str(path).isprintable() and _is_utf8(str(path)):
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserInputError(f"{path.name}: is no regular file", hint="leave it out", code="E-RAW-READ")
        return
    raise UserInputError(
        f"{printable(path.name)}: its path has characters that cannot be stored or printed",
        hint="rename the file",
        code="E-RAW-NAME",
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)  # "~name" of nobody: refused by name as a file that is not there


def _absolute(path: Path) -> Path:
    # Links stay as typed; only a path with ".." must be resolved to mean the same for ever.
    return path.resolve() if ".." in path.parts else path.absolute()
