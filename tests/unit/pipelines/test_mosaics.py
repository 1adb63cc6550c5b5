"""Binned detectors to a focal-plane mosaic file and thumbnail."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibstore.datastore.product_fits import read_header, read_plane, write_image
from calibstore.errors import UserInputError
from calibstore.model.camera import Detector
from calibstore.model.codec import to_plain
from calibstore.pipelines.mosaics import mosaic
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum


@pytest.fixture
def quantum(tmp_path: Path) -> Quantum:
    detectors = [
        Detector(
            id=number,
            full_name=f"R22_S0{number}",
            raft="R22",
            name_in_raft=f"S0{number}",
            width=128,
            height=64,
            center_x_mm=1.44 * number,
            amplifiers=(),
        )
        for number in range(2)
    ]
    calibs = []
    for factor in (8, 64):
        for detector in detectors:
            path = tmp_path / f"{detector.id}-{factor}.fits"
            image = np.full((64 // factor, 128 // factor), detector.id + 1, np.float32)
            write_image(path, image, cards={"OBSTYPE": "bias", "LSST ISR UNITS": "electron"})
            calibs.append(CalibInput(dataset_type=f"biasBin{factor}", dataset_id="i", run="r", path=str(path)))
    names = {"biasMosaic8": "m8.fits", "biasMosaic64": "m64.fits", "biasThumbnail": "t.png"}
    outputs = tuple(
        OutputFile(dataset_type=kind, dataset_id=kind, run="r", path=str(tmp_path / name))
        for kind, name in names.items()
    )
    return Quantum(
        label="biasMosaic",
        task="mosaic",
        instrument="LSSTComCam",
        calibs=tuple(calibs),
        outputs=outputs,
        parameters={"detectors": to_plain(detectors), "calib_creation_date": "2024-01-01"},
    )


def test_detectors_are_placed_and_written(quantum: Quantum, tmp_path: Path) -> None:
    outcome = mosaic(quantum)
    plane = read_plane(tmp_path / "m8.fits")
    assert plane.shape == (8, 34)
    assert (plane[:, :16] == 1).all()
    assert (plane[:, 18:] == 2).all()
    assert np.isnan(plane[:, 16:18]).all()
    header = read_header(tmp_path / "m64.fits")
    assert (header["BINNING"], header["LSST ISR UNITS"], header["CALIB_CREATION_DATE"]) == (
        64,
        "electron",
        "2024-01-01",
    )
    assert [file.dataset_type for file in outcome.files] == ["biasMosaic8", "biasMosaic64", "biasThumbnail"]
    assert outcome.details["shapes"] == {"biasMosaic8": [8, 34], "biasMosaic64": [1, 4], "biasThumbnail": [8, 34]}


def test_a_second_run_keeps_what_is_there(quantum: Quantum, tmp_path: Path) -> None:
    first = mosaic(quantum)
    stamp = (tmp_path / "m8.fits").stat().st_mtime_ns
    existing = {file.dataset_type: file.sha256 for file in first.files}
    second = mosaic(replace(quantum, parameters=quantum.parameters | {"existing": existing}))
    assert second.files == first.files
    assert (tmp_path / "m8.fits").stat().st_mtime_ns == stamp


def test_a_missing_detector_is_refused(quantum: Quantum) -> None:
    with pytest.raises(UserInputError, match="1 products binned by 8 for 2 detectors") as caught:
        mosaic(replace(quantum, calibs=quantum.calibs[1:]))
    assert caught.value.code == "E-MOSAIC"
