"""A real E2V frame, assembled by the camera table, is its published assembled image, pixel for pixel."""

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.raw_headers import translate
from calibstore.model.camera import Detector
from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.detector_frames import placements_of
from kernels.assembly import place_amplifier

FOLDER = os.environ.get("CABSTAND_REALDATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not FOLDER, reason="real frames are not shipped: set CABSTAND_REALDATA to the folder that holds assembly"
    ),
]


def assembled(path: Path, detector: Detector) -> np.ndarray:
    out = np.full((detector.height, detector.width), np.nan, np.float32)
    with fits.open(path) as hdus:
        for amp, placement in zip(detector.amplifiers, placements_of(detector), strict=True):
            place_amplifier(hdus[amp.extension].data[amp.data.slices], placement, out=out)
    return out


def test_the_table_assembles_the_real_frame_exactly() -> None:
    path = Path(FOLDER, "assembly", "e2v_spot.fits.gz")
    exposure, number = translate(path, camera("LSSTCam"))
    assert (number, exposure.observation_type) == (94, "spot")
    expected = fits.getdata(Path(FOLDER, "assembly", "e2v_expected_assembled.fits.gz"))
    image = assembled(path, camera("LSSTCam").detector(number))
    assert image.dtype == expected.dtype.newbyteorder("=") == np.float32
    np.testing.assert_array_equal(image, expected)


def test_the_expected_image_tells_the_other_vendors_flips() -> None:
    path = Path(FOLDER, "assembly", "e2v_spot.fits.gz")
    expected = fits.getdata(Path(FOLDER, "assembly", "e2v_expected_assembled.fits.gz"))
    itl = camera("LSSTCam").detector(0)
    e2v = camera("LSSTCam").detector(94)
    told = []
    with fits.open(path) as hdus:
        for amp, other in zip(e2v.amplifiers, itl.amplifiers, strict=True):
            box = amp.data
            data = hdus[amp.extension].data[box.y0 : box.y1, box.x0 : box.x1]
            part = expected[
                amp.detector_y0 : amp.detector_y0 + box.height, amp.detector_x0 : amp.detector_x0 + box.width
            ]
            wrong = data[:: -1 if other.flip_y else 1, :: -1 if other.flip_x else 1]
            told += [amp.name] if not np.array_equal(wrong, part) else []
    assert set(told) == {f"C0{ix}" for ix in range(8)}
