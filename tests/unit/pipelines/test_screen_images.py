"""Pictures of products: what was planted stands where it was planted, from whichever files there are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import write_image
from calibstore.errors import ConflictError, StoreError, UserInputError
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.screen_images import MODES, Picture, Wish, draw_picture, save_picture
from calibstore.pipelines.screen_planes import DetectorImage, Scene
from kernels.mosaic import Tile, focal_plane_mosaic

WISH = Wish(columns=60, rows=30)


@pytest.fixture
def scene_of(tmp_path: Path) -> Callable[..., Scene]:
    """Make a scene of binned detectors; `values` by detector, amplifier C04 of `bright` much brighter."""

    def make(
        name: str,
        values: dict[int, float],
        *,
        bright: int = -1,
        block: int = 8,
        turned: bool = True,
        noise: float = 0.1,
    ) -> Scene:
        rng = np.random.default_rng(1)
        known = camera(name, mini=True)
        images = []
        for number, value in values.items():
            detector = known.detector(number)
            if not turned:
                detector = replace(detector, quarter_turns=0)
            pixels = rng.normal(value, noise, (detector.height // block, detector.width // block)).astype(np.float32)
            if number == bright:
                box = next(one for one in detector.amplifiers if one.name == "C04").place
                pixels[box.y0 // block : box.y1 // block, box.x0 // block : box.x1 // block] += 50
            path = tmp_path / f"{name}-{number}-{value}-{block}.fits"
            write_image(path, pixels, cards={})
            images.append(DetectorImage(detector=detector, path=path, binned={block: path}))
        return Scene(images=tuple(images), pixel_size_mm=0.01, mosaics={})

    return make


def shown(picture: Picture, name: str) -> set[int]:
    """Return the steps drawn inside a box."""
    box = next(one for one in picture.boxes if one.name == name)
    steps: set[int] = set()
    for row in range(box.y0, box.y1):
        for x in range(box.x0, box.x1):
            cell = row * picture.columns + x
            glyph, ink, paper = picture.glyphs[cell], picture.inks[cell], picture.papers[cell]
            steps |= {" ": {paper}, "█": {ink}, "▀": {ink, paper}, "▄": {ink, paper}}[glyph]
    return steps


def test_each_detector_is_drawn_in_its_box(scene_of: Callable[..., Scene]) -> None:
    picture = draw_picture(scene_of("LSSTComCam", {number: float(number) for number in range(9)}), WISH)
    assert [box.name for box in picture.boxes][:2] == ["R22_S00", "R22_S01"]
    levels = [min(shown(picture, box.name)) for box in picture.boxes]
    assert levels == sorted(levels)
    assert levels[0] < levels[4] < levels[8]
    # S00 is the lower left one, S22 the upper right one.
    first, last = picture.boxes[0], picture.boxes[8]
    assert first.x0 == 0
    assert first.y1 == picture.rows
    assert last.x1 == picture.columns
    assert last.y0 == 0


def test_a_missing_detector_is_a_gap_and_one_without_values_is_not(scene_of: Callable[..., Scene]) -> None:
    values = {number: float(number) for number in range(9)}
    values[4] = float("nan")
    del values[2]
    picture = draw_picture(scene_of("LSSTComCam", values), replace(WISH, mode="ramp"))
    rows = [picture.glyphs[at : at + picture.columns] for at in range(0, len(picture.glyphs), picture.columns)]
    middle = next(box for box in picture.boxes if box.name == "R22_S11")
    assert {cell for row in rows[middle.y0 : middle.y1] for cell in row[middle.x0 : middle.x1]} == {"x"}
    assert "R22_S02" not in {box.name for box in picture.boxes}
    assert rows[-1][-3] == " "
    assert picture.n_blocks == 7 * 24 * 64


def test_an_upright_detector_shows_its_amplifiers(scene_of: Callable[..., Scene]) -> None:
    scene = replace(scene_of("LSSTComCam", {4: 1.0}, bright=4), is_upright=True)
    picture = draw_picture(scene, replace(WISH, stretch="linear"))
    assert len(picture.boxes) == 16
    brightest = {box.name: min(shown(picture, box.name)) for box in picture.boxes}
    assert max(brightest, key=lambda name: brightest[name]) == "C04"
    assert {box.detector for box in picture.boxes} == {4}


def test_numbers_are_those_of_the_pixels(scene_of: Callable[..., Scene]) -> None:
    picture = draw_picture(scene_of("LATISS", {0: 7.0}, bright=0), WISH)
    assert picture.block == 8
    assert picture.n_blocks == 24 * 64
    assert sum(picture.histogram) + picture.n_below + picture.n_above == picture.n_blocks
    assert 96 <= picture.n_above <= 100  # the bright amplifier has 12 x 8 blocks
    assert picture.median == pytest.approx(7.0, abs=0.02)
    assert picture.mad == pytest.approx(0.0674, rel=0.15)
    assert picture.low < 7 < picture.high < 8
    assert picture.ticks[0] == picture.low
    assert picture.ticks[4] == pytest.approx(picture.high)


def test_a_difference_is_symmetric_about_zero_and_of_equal_shapes_only(scene_of: Callable[..., Scene]) -> None:
    one, other = scene_of("LATISS", {0: 7.0}), scene_of("LATISS", {0: 9.0})
    picture = draw_picture(one, WISH, minus=other)
    assert picture.median == pytest.approx(-2.0, abs=0.01)
    assert picture.low == -picture.high
    assert picture.color_map == "diverging"
    small = replace(scene_of("LSSTComCam", {0: 1.0, 1: 1.0}))
    with pytest.raises(ConflictError, match="differ in size"):
        draw_picture(one, WISH, minus=small)


def test_a_stored_mosaic_is_used_where_it_fits_the_detectors(scene_of: Callable[..., Scene], tmp_path: Path) -> None:
    close = scene_of("LSSTComCam", {0: 1.0, 1: 2.0})
    close = replace(close, pixel_size_mm=42.25 / 512)  # so large that they touch: nothing is drawn together
    tiles = [
        Tile(
            image=np.full((24, 64), 5.0 * (number + 1), np.float32),
            center_x_mm=one.detector.center_x_mm,
            center_y_mm=one.detector.center_y_mm,
            width=512,
            height=192,
        )
        for number, one in enumerate(close.images)
    ]
    path = tmp_path / "mosaic.fits"
    write_image(path, focal_plane_mosaic(tiles, factor=8, pixel_size_mm=close.pixel_size_mm), cards={})
    with_mosaic = replace(close, mosaics={8: path})
    assert draw_picture(with_mosaic, WISH).largest == 10.0
    write_image(tmp_path / "other.fits", np.zeros((3, 3), np.float32), cards={})
    assert draw_picture(replace(close, mosaics={8: tmp_path / "other.fits"}), WISH).largest < 3.0


@pytest.mark.parametrize("mode", MODES)
def test_every_way_to_draw_fills_its_cells(scene_of: Callable[..., Scene], mode: str) -> None:
    picture = draw_picture(scene_of("LATISS", {0: 7.0}, bright=0), replace(WISH, mode=mode, columns=30, rows=20))
    assert len(picture.glyphs) == picture.columns * picture.rows
    assert picture.columns == 30
    is_colored = mode in ("palette", "truecolor", "grey")
    assert len(picture.inks) == (len(picture.glyphs) if is_colored else 0)
    assert bool(picture.colors) == is_colored


def test_products_without_binned_pictures_are_read_only_where_they_are_few(scene_of: Callable[..., Scene]) -> None:
    many = scene_of("LSSTCam", dict.fromkeys(range(12), 1.0))
    with pytest.raises(UserInputError, match="no binned pictures of 12 detectors"):
        draw_picture(replace(many, images=tuple(replace(one, binned={}) for one in many.images)), WISH)
    with pytest.raises(UserInputError, match="no detector"):
        draw_picture(replace(many, images=()), WISH)


def test_a_lost_file_is_named(scene_of: Callable[..., Scene]) -> None:
    scene = scene_of("LATISS", {0: 7.0})
    draw_picture(scene, WISH)
    scene.images[0].path.unlink()
    with pytest.raises(StoreError, match=scene.images[0].path.name):
        draw_picture(scene, WISH)


def test_noise_stays_below_the_bytes_of_a_slow_line(scene_of: Callable[..., Scene]) -> None:
    picture = draw_picture(scene_of("LSSTComCam", dict.fromkeys(range(9), 0.0)), WISH)
    n_bytes = len(picture.glyphs.encode())
    for row in range(picture.rows):
        pen: tuple[int, ...] = (-1, -1)
        for cell in range(row * picture.columns, (row + 1) * picture.columns):
            steps = (picture.inks[cell], picture.papers[cell])
            now = tuple(picture.colors[step] if step < 254 else 0 for step in steps)
            codes = [f"8;5;{one}" for one, before in zip(now, pen, strict=True) if one != before]
            n_bytes += len(f"\x1b[3{';4'.join(codes)}m") if codes else 0
            pen = now
    assert picture.columns * picture.rows == 1800
    assert n_bytes <= 17_000


def test_a_png_has_the_pixels_enlarged(scene_of: Callable[..., Scene], tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "picture.png"
    size = save_picture(path, scene_of("LATISS", {0: 7.0}, bright=0), replace(WISH, stretch="linear"))
    assert size == (512, 192)
    with Image.open(path) as image:
        assert image.size == size
        yellow = image.convert("RGB").getpixel((8 * 36, 150))  # C04 is read out at the bottom
    assert yellow[0] > 200
    assert yellow[2] < 100
