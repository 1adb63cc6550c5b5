"""Master bias and dark of real frames of a camera without overscan, against a plain float64 reference."""

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.camera_file import load_camera
from calibstore.datastore.product_fits import read_plane
from calibstore.model.camera import Camera
from calibstore.pipelines.combine import combine
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def folder() -> Path:
    root = os.environ.get("CABSTAND_REALDATA")
    if not root or not (Path(root) / "sbig_stl1001").is_dir():
        pytest.skip("real frames absent: set CABSTAND_REALDATA to the folder that holds sbig_stl1001")
    return Path(root) / "sbig_stl1001"


def read(paths: list[Path]) -> np.ndarray:
    frames = []
    for path in paths:
        with fits.open(path, memmap=False) as hdus:
            frames.append(next(hdu.data for hdu in hdus if hdu.data is not None).astype(float))
    return np.stack(frames)


def reference(frames: np.ndarray, n_sigma: float = 3.0, smallest: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Return the clipped mean and count by the written rule, all in float64."""
    low, center, high = np.percentile(frames, (25, 50, 75), axis=0)
    width = 0.7413 * (high - low)
    for _ in range(3):
        kept = np.abs(frames - center) <= n_sigma * np.maximum(width, smallest)
        count = kept.sum(axis=0)
        center = np.where(kept, frames, 0).sum(axis=0) / count
        width = np.sqrt(np.where(kept, (frames - center) ** 2, 0).sum(axis=0) / count)
    return center, count


def build(camera: Camera, product: str, paths: list[Path], out: Path, calibs=(), **parameters: object) -> np.ndarray:
    raws = tuple(
        RawInput(
            exposure=number,
            path=str(path),
            begin_tai_ns=number,
            end_tai_ns=number + 1,
            exposure_time_s=1.0,
            dark_time_s=1.0,
        )
        for number, path in enumerate(paths)
    )
    quantum = Quantum(
        label=product,
        task="combine",
        instrument=camera.instrument,
        detector=camera.detectors[0],
        raws=raws,
        calibs=tuple(calibs),
        outputs=(OutputFile(dataset_type=product, dataset_id=product, run="r", path=str(out / f"{product}.fits")),),
        parameters={"product": product} | parameters,
    )
    assert combine(quantum).is_done
    return read_plane(out / f"{product}.fits").astype(float)


def assert_equal(found: np.ndarray, count: np.ndarray, wanted: np.ndarray, n_wanted: np.ndarray) -> None:
    # a sample of whole adu may lie on the very limit, where the last bit of a float32 decides: one in ten thousand
    same = count == n_wanted
    assert same.mean() > 0.9999
    # there a sample more or less in ten frames moves the mean by a third of the clip at most: still within the figure
    assert np.abs(found - wanted).max() < 0.3
    assert np.abs(found - wanted)[same].max() < 0.3 / 100
    assert np.median(np.abs(found - wanted)) < 1e-3


def test_master_bias_and_dark_of_the_sbig(folder: Path, tmp_path: Path) -> None:
    camera = load_camera("sbig_stl1001")
    biases, darks = (sorted(folder.glob(pattern)) for pattern in ("biases-*", "darks-*"))
    bias = build(camera, "biasBootstrap", biases, tmp_path)
    wanted_bias, n_bias = reference(read(biases))
    assert_equal(bias, read_plane(tmp_path / "biasBootstrap.fits", "COUNT"), wanted_bias, n_bias)
    calib = CalibInput(dataset_type="biasBootstrap", dataset_id="b", run="r", path=str(tmp_path / "biasBootstrap.fits"))
    dark = build(camera, "darkBootstrap", darks, tmp_path, (calib,), mask_cosmic_rays=False)
    wanted_dark, n_dark = reference(read(darks) - bias)
    assert_equal(dark, read_plane(tmp_path / "darkBootstrap.fits", "COUNT"), wanted_dark, n_dark)
    # in one second some fifty pixels of rays fall; masking them and two pixels around changes no more than that, and
    # keeps the hot pixels, of which one in a hundred is above a ray's height
    masked = build(camera, "darkBootstrap", darks, tmp_path, (calib,))
    assert (np.abs(masked - dark) < 0.3).mean() > 0.997
    hot = dark > 100
    np.testing.assert_allclose(masked[hot], dark[hot], rtol=0.1)
