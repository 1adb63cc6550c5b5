"""The focal plane of 189 full-size detectors from binned pictures in memory to the cells of a terminal."""

import gc
import time
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import write_image
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.screen_images import Wish, draw_picture
from calibstore.pipelines.screen_planes import DetectorImage, Scene

pytestmark = pytest.mark.bench

BLOCK, GOAL_MS = 64, 60
GATE = 0.65
"""Shared machines are noisy: the assertion asks for this share of the figure, the figure itself is printed."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder, rng = tmp_path_factory.mktemp("bins"), np.random.default_rng(0)
    images = []
    for detector in camera("LSSTCam").detectors:
        if detector.purpose != "SCIENCE":
            continue
        path: Path = folder / f"{detector.id}.fits"
        pixels = rng.normal(detector.id % 7, 1, (detector.height // BLOCK, detector.width // BLOCK))
        write_image(path, pixels.astype(np.float32), cards={"OBSTYPE": "bias"})
        images.append(DetectorImage(detector=detector, path=path, binned={BLOCK: path}))
    return Scene(images=tuple(images), pixel_size_mm=0.01, mosaics={})


@pytest.mark.parametrize("mode", ["palette", "truecolor"])
def test_a_focal_plane_is_drawn_before_one_notices(scene: Scene, mode: str) -> None:
    assert len(scene.images) == 189
    wish = Wish(columns=160, rows=45, mode=mode)
    picture = draw_picture(scene, wish)  # reads the files: what follows is what moving about costs
    drawn_ms = copy_ms = np.inf
    plane = np.zeros((1000, 1000), np.float32)
    for _ in range(7):
        gc.collect()
        begin = time.process_time()
        draw_picture(scene, wish)
        drawn_ms = min(drawn_ms, (time.process_time() - begin) * 1e3)
        begin = time.process_time()
        plane.copy()
        copy_ms = min(copy_ms, (time.process_time() - begin) * 1e3)
    print(
        f"\n189 detectors -> {picture.columns} x {picture.rows} cells ({mode}): {drawn_ms:.0f} ms (goal {GOAL_MS}); "
        f"{drawn_ms / copy_ms:.0f} times copying the plane; limited by resampling it to cells and choosing colours"
    )
    assert picture.n_blocks > 0.9 * 189 * 62 * 62
    assert drawn_ms <= GOAL_MS / GATE
