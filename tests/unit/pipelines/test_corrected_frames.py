"""Corrected frames: every step in the published order, against frames whose truth is written by hand."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.product_fits import create_product, image_planes
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.corrected_frames import open_corrected
from calibstore.pipelines.isr_flags import IsrFlags, flags_for
from calibstore.pipelines.quantum import CalibInput, RawInput
from kernels.arrays import MASK_PLANES

WIDTH, HEIGHT, PRESCAN, SERIAL, PARALLEL = 40, 48, 3, 20, 16
GAINS = (1.1, 1.3, 0.9, 1.7)
LEVELS = (21_000, 39_000, 40_001, 52_345)
UUID = "6f1f7a52-0d5c-5a43-9d2a-0c2d3f0d6c%02d"


def build_detector() -> Detector:
    """Four amplifiers with every kind of flip."""
    amplifiers = tuple(
        Amplifier(
            name=f"C{index}",
            extension=f"Segment{index}",
            raw_width=PRESCAN + WIDTH + SERIAL,
            raw_height=HEIGHT + PARALLEL,
            data=Box(PRESCAN, 0, WIDTH, HEIGHT),
            serial_overscan=Box(PRESCAN + WIDTH, 0, SERIAL, HEIGHT),
            parallel_overscan=Box(PRESCAN, HEIGHT, WIDTH, PARALLEL),
            flip_x=index in (1, 3),
            flip_y=index >= 2,
            detector_x0=(index % 2) * WIDTH,
            detector_y0=(index // 2) * HEIGHT,
            gain_e_per_adu=GAINS[index],
            read_noise_e=5.0,
        )
        for index in range(4)
    )
    return Detector(
        id=3, full_name="R22_S10", raft="R22", name_in_raft="S10", width=80, height=96, amplifiers=amplifiers
    )


def assemble(cube: np.ndarray) -> np.ndarray:
    """Put readout-order amplifiers where the detector shows them."""
    image = np.empty((96, 80), cube.dtype)
    for amplifier, data in zip(build_detector().amplifiers, cube, strict=True):
        turned = data[:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
        image[amplifier.place.slices] = turned
    return image


def write_raw(
    path: Path, data_adu: np.ndarray, *, number: int = 0, parallel_adu: np.ndarray | None = None, dtype=np.uint16
) -> RawInput:
    """Write a frame: level and whole-number row ramp everywhere, column steps, data and parallel overscan as given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.arange(HEIGHT + PARALLEL) // 16
    columns = np.zeros(PRESCAN + WIDTH + SERIAL)
    columns[PRESCAN : PRESCAN + WIDTH] = np.arange(WIDTH) // 10
    hdus: list[fits.hdu.base._BaseHDU] = [fits.PrimaryHDU()]
    for index in range(4):
        raw = LEVELS[index] + rows[:, None] + columns[None, :]
        raw[:HEIGHT, PRESCAN : PRESCAN + WIDTH] += data_adu[index]
        if parallel_adu is not None:
            raw[HEIGHT:, PRESCAN : PRESCAN + WIDTH] += parallel_adu[index]
        hdus.append(fits.ImageHDU(raw.astype(dtype), name=f"Segment{index}"))
    fits.HDUList(hdus).writeto(path)
    return RawInput(
        exposure=2024040100000 + number,
        path=str(path),
        begin_tai_ns=1_712_000_000_000_000_000,
        end_tai_ns=1_712_000_010_000_000_000,
        exposure_time_s=10.0,
        dark_time_s=10.5,
    )


def write_calib(
    folder: Path, kind: str, image: np.ndarray, *, unit: str = "electron", serial: int = 1, **cards
) -> CalibInput:
    """Write an image calibration in the detector's orientation."""
    path = folder / f"{kind}.fits"
    folder.mkdir(parents=True, exist_ok=True)
    own = {"LSST ISR UNITS": unit, "CAB DATASET ID": UUID % serial} | cards
    with create_product(path, height=96, width=80, planes=image_planes(unit, MASK_PLANES), cards=own) as writer:
        writer.write_rows("IMAGE", 0, image)
    return CalibInput(
        dataset_type=kind, dataset_id=UUID % serial, run=f"run/{kind}", path=str(path), created="2024-04-01 10:00:00"
    )


def truth(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(50, 3000, (4, HEIGHT, WIDTH)).astype(float)


def corrected(detector: Detector, raw: RawInput, calibs=(), **flags):
    with open_corrected(detector, [raw], calibs, flags=IsrFlags(**flags), instrument="LSSTComCam") as (frame,):
        return (*frame.read_assembled(), frame.cards(), frame.amplifiers)


def test_bands_amplifiers_and_the_whole_are_the_same_pixels(tmp_path: Path) -> None:
    data = truth()
    detector, raw = build_detector(), write_raw(tmp_path / "raw.fits", data)
    bias = np.random.default_rng(2).normal(0, 3, (4, HEIGHT, WIDTH)).astype(np.float32)
    dark = np.random.default_rng(3).uniform(0, 1, (4, HEIGHT, WIDTH)).astype(np.float32)
    calibs = [
        write_calib(tmp_path, "bias", assemble(bias)),
        write_calib(tmp_path, "dark", assemble(dark), serial=2),
    ]
    wanted = data * np.array(GAINS)[:, None, None] - bias - dark * 10.5
    with open_corrected(detector, [raw], calibs, flags=IsrFlags(bias=True, dark=True), instrument="LSSTComCam") as (
        frame,
    ):
        band, mask = frame.read_band(7, 19)
        np.testing.assert_allclose(band, wanted[:, 7:19], atol=2e-3)
        assert mask.dtype == np.int32
        assert not mask.any()
        again = np.empty((4, 5, WIDTH), np.float32)
        assert frame.read_band(40, 45, out=again)[0] is again
        np.testing.assert_allclose(again, wanted[:, 40:45], atol=2e-3)
        amplifier, _ = frame.read_amplifier(3)
        np.testing.assert_array_equal(amplifier[7:19], band[3])
        image, _, variance = frame.read_assembled()
        np.testing.assert_allclose(image, assemble(wanted), atol=2e-3)
        assert variance.min() >= 25.0
        cards = frame.cards()
    assert cards["LSST CALIB UUID DARK"] == UUID % 2
    assert cards["LSST CALIB RUN BIAS"] == "run/bias"
    assert cards["LSST ISR BIAS APPLIED"] is True
    assert cards["LSST ISR FLAT APPLIED"] is False


def test_upstream_defect_1_the_bias_is_applied_to_the_inputs_of_a_bootstrap_dark(tmp_path: Path) -> None:
    data = truth()
    bias = np.random.default_rng(2).normal(0, 3, (4, HEIGHT, WIDTH)).astype(np.float32)
    raw = write_raw(tmp_path / "raw.fits", data)
    calib = write_calib(tmp_path, "biasBootstrap", assemble(bias), unit="adu")
    flags = flags_for("darkBootstrap", "LSSTCam")
    with open_corrected(build_detector(), [raw], [calib], flags=flags, instrument="LSSTCam") as (frame,):
        band, _ = frame.read_band(0, HEIGHT)
        assert frame.cards()["LSST ISR BIAS APPLIED"] is True
    np.testing.assert_allclose(band, data - bias, atol=1e-3)
    with (
        pytest.raises(UserInputError, match="no bias"),
        open_corrected(build_detector(), [raw], [], flags=flags, instrument="LSSTCam"),
    ):
        pass


def test_upstream_defect_15_the_unit_of_a_dark_is_read_from_the_dark(tmp_path: Path) -> None:
    """The bias is in electron as it must be; only the dark is not."""
    raw = write_raw(tmp_path / "raw.fits", truth())
    blank = np.zeros((96, 80), np.float32)
    calibs = [write_calib(tmp_path, "bias", blank), write_calib(tmp_path, "dark", blank, unit="adu", serial=2)]
    with pytest.raises(ConflictError, match=r"dark .*02 is in adu") as caught:
        corrected(build_detector(), raw, calibs, bias=True, dark=True)
    assert caught.value.exit_code == 4


def test_values_beyond_a_signed_16_bit_number_keep_their_value(tmp_path: Path) -> None:
    data = np.full((4, HEIGHT, WIDTH), 12_000.0)
    image, *_ = corrected(build_detector(), write_raw(tmp_path / "raw.fits", data), units="adu")
    np.testing.assert_allclose(image, 12_000.0, atol=1e-3)


def test_flags_of_products_and_instruments() -> None:
    assert flags_for("flat", "LATISS").brighter_fatter
    assert not flags_for("flat", "LATISS").cti
    assert flags_for("bias", "LSSTComCam").cti
    assert not flags_for("bias", "LSSTCam").cti
    assert flags_for("ptcUnadjusted").units == "adu"
    with pytest.raises(UserInputError, match="no signature removal"):
        flags_for("banana")
