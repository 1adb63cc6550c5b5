"""Pixels for a picture: products of some detectors as binned images, placed on the focal plane.

Full frames are read only of a few detectors, in bands; the pictures that building left (Bin8, Bin64, Mosaic8,
Mosaic64) are used where they are.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.product_fits import read_plane
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.pipelines.binned_images import binned_product
from kernels.arrays import Image
from kernels.display_layout import Place, drawn_together
from kernels.mosaic import Tile, focal_plane_mosaic

BINS: Final = (8, 64)
_MOST_PIXELS: Final = 3_000_000
_MOST_WHOLE: Final = 9
"""Products read whole, band by band, where no binned picture was made of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorImage:
    """Where the pixels of one detector are."""

    detector: Detector
    path: Path
    """The product."""
    binned: Mapping[int, Path]
    """Pictures made of it, by block side [pixel]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a picture shows."""

    images: tuple[DetectorImage, ...]
    pixel_size_mm: float
    mosaics: Mapping[int, Path]
    """Mosaics of exactly these detectors, by block side [pixel]."""
    is_upright: bool = False
    """One detector as read out, not turned as it lies on the focal plane."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Binned pixels and where they lie."""

    image: Image
    footprint: NDArray[np.bool_]
    """Where a detector is, with or without values."""
    block: int
    places: tuple[Place, ...]
    shrink: tuple[float, float]
    pixel_size_mm: float


def load_plane(scene: Scene, *, columns: int, rows: int, block: int = 0) -> Plane:
    """Read and place the pixels of a scene.

    Parameters
    ----------
    scene : Scene
        What to show.
    columns, rows : int
        Cells of the screen, two pixels each: as fine as these need, and no finer.
    block : int
        Block side, where it must be that of another picture [pixel].

    Raises
    ------
    StoreError
        If a file is missing or damaged.
    UserInputError
        If nothing can be drawn: no detector, too many without binned pictures, or pixels of another camera.
    """
    if not scene.images:
        raise UserInputError("there is no detector to draw", hint="build the product first: cabstand generate")
    turns = tuple(0 if scene.is_upright else one.detector.quarter_turns for one in scene.images)
    places = tuple(_place(one.detector, turn, scene) for one, turn in zip(scene.images, turns, strict=True))
    shrink = drawn_together(places, pixel_size_mm=scene.pixel_size_mm)
    block = block or _block(scene, places, shrink, columns, rows)
    made = _tiles(scene, turns, shrink, lambda one: np.ones((one.height // block, one.width // block), np.float32))
    footprint = np.isfinite(focal_plane_mosaic(made, factor=block, pixel_size_mm=scene.pixel_size_mm))
    if shrink == (1.0, 1.0) and block in scene.mosaics and not scene.is_upright:
        path = scene.mosaics[block]
        image = _read_mosaic(path, stamp(path))
        if image.shape == footprint.shape:
            return Plane(image, footprint, block, places, shrink, scene.pixel_size_mm)
    if len(scene.images) > _MOST_WHOLE and any(block not in one.binned for one in scene.images):
        raise UserInputError(
            f"no binned pictures of {len(scene.images)} detectors", hint="look at one detector: press enter"
        )
    files = {one.detector.id: one for one in scene.images}
    tiles = _tiles(scene, turns, shrink, lambda one: _binned(files[one.id], block))
    image = focal_plane_mosaic(tiles, factor=block, pixel_size_mm=scene.pixel_size_mm)
    if image.shape != footprint.shape:
        raise UserInputError(
            f"{scene.images[0].path}: pixels of another size than the camera's", hint="check the file: cabstand doctor"
        )
    return Plane(image, footprint, block, places, shrink, scene.pixel_size_mm)


def _tiles(
    scene: Scene, turns: Sequence[int], shrink: tuple[float, float], image_of: Callable[[Detector], Image]
) -> list[Tile]:
    return [
        Tile(
            image=image_of(one.detector),
            center_x_mm=one.detector.center_x_mm * shrink[0],
            center_y_mm=one.detector.center_y_mm * shrink[1],
            width=one.detector.width,
            height=one.detector.height,
            quarter_turns=turn,
        )
        for one, turn in zip(scene.images, turns, strict=True)
    ]


def _place(detector: Detector, turns: int, scene: Scene) -> Place:
    width, height = (detector.height, detector.width) if turns % 2 else (detector.width, detector.height)
    center = (0.0, 0.0) if scene.is_upright else (detector.center_x_mm, detector.center_y_mm)
    return Place(center_x_mm=center[0], center_y_mm=center[1], width=width, height=height)


def _extent(places: Sequence[Place], shrink: tuple[float, float], pixel_size_mm: float) -> tuple[float, float]:
    x = [(one.center_x_mm / pixel_size_mm * shrink[0], one.width / 2) for one in places]
    y = [(one.center_y_mm / pixel_size_mm * shrink[1], one.height / 2) for one in places]
    return (
        max(center + half for center, half in x) - min(center - half for center, half in x),
        max(center + half for center, half in y) - min(center - half for center, half in y),
    )


def _block(scene: Scene, places: Sequence[Place], shrink: tuple[float, float], columns: int, rows: int) -> int:
    """Return the coarsest binning that is still finer than the screen, or the finest that fits in memory."""
    width, height = _extent(places, shrink, scene.pixel_size_mm)
    coarse, fine = max(BINS), min(BINS)
    is_enough = width / coarse >= columns and height / coarse >= 2 * rows
    wanted, other = (coarse, fine) if is_enough or width * height / fine**2 > _MOST_PIXELS else (fine, coarse)
    # Better a coarse picture than a full frame to bin.
    is_made = {block: block in scene.mosaics or all(block in one.binned for one in scene.images) for block in BINS}
    return other if is_made[other] and not is_made[wanted] else wanted


def _binned(one: DetectorImage, block: int) -> Image:
    path = one.binned.get(block)
    if path is None:
        return _read_whole(one.path, block, stamp(one.path))
    return (_read_coarse if block == max(BINS) else _read_fine)(path, stamp(path))


def _read(path: Path, _stamp: int) -> Image:
    return read_plane(path, "").astype(np.float32, copy=False)


# Kept by size: a mosaic has megabytes, a coarse detector kilobytes.
_read_mosaic = functools.lru_cache(maxsize=3)(_read)
_read_fine = functools.lru_cache(maxsize=20)(_read)
_read_coarse = functools.lru_cache(maxsize=400)(_read)


@functools.lru_cache(maxsize=9)
def _read_whole(path: Path, block: int, _stamp: int) -> Image:
    return binned_product(path, block)


def stamp(path: Path) -> int:
    """Return a number that changes when a file does; 0 for one that is missing, which reading will say."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def scene_key(scene: Scene) -> tuple[object, ...]:
    """Return something equal for equal scenes of unchanged files."""
    return (*((str(one.path), stamp(one.path)) for one in scene.images), scene.is_upright)
