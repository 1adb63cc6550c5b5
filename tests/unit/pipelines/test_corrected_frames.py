"""Corrected frames: every step in the published order, against frames whose truth is written by hand."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.product_fits import create_product, image_planes, read_header
from calibstore.datastore.provenance_keys import read_provenance
from calibstore.errors import ConflictError, ExecutionError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.pipelines.corrected_frames import CorrectedFrame, open_corrected
from calibstore.pipelines.isr_calibs import AppliedCalib, IsrCalibs
from calibstore.pipelines.isr_flags import GainSource, IsrFlags, flags_for
from calibstore.pipelines.isr_tables import CrosstalkNumbers, IsrTables, PtcNumbers
from calibstore.pipelines.process_exposure import process_exposure
from calibstore.pipelines.quantum import CalibInput, OutputFile, Quantum, RawInput
from kernels.arrays import MASK_PLANES, plane_bit
from kernels.brighter_fatter import correct_brighter_fatter
from kernels.deferred_charge import CtiAmplifier, correct_deferred_charge
from kernels.linearity import linearity_table

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
    path: Path, data_adu: np.ndarray, *, parallel_adu: np.ndarray | None = None, dtype=np.uint16, noise_adu: int = 0
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
        raw += np.random.default_rng(index).integers(-noise_adu, noise_adu + 1, raw.shape)
        hdus.append(fits.ImageHDU(raw.astype(dtype), name=f"Segment{index}"))
    fits.HDUList(hdus).writeto(path)
    return RawInput(
        exposure=2024040100000,
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


def hand_made(detector: Detector, **tables) -> IsrCalibs:
    """Tables as they come out of their files, without the files."""
    opened = IsrCalibs(tables=IsrTables(**tables))
    kinds = {
        "ptc": "ptc",
        "crosstalk": "crosstalk",
        "linearity": "linearize",
        "cti": "cti",
        "kernel": "brighter_fatter",
    }
    for name, step in kinds.items():
        if name in tables:
            opened.used[step] = AppliedCalib(
                calib=CalibInput(dataset_type=step, dataset_id=UUID % 9, run="run/x", path="")
            )
    return opened


RATIOS = np.array([[0, 2e-3, 0, 1e-3], [1e-3, 0, 0, 0], [0, 3e-3, 0, 0], [0, 0, 2e-3, 0]])
QUADRATIC = np.array([[0, 1e-8, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2e-8], [0, 0, 0, 0]])


@pytest.mark.parametrize("units", ["electron", "adu"])
def test_crosstalk_is_taken_off_before_the_parallel_overscan_from_uncorrected_images(
    tmp_path: Path, units: str
) -> None:
    """Against the published order written out in float64: gain, crosstalk on the whole array, parallel overscan."""
    data = truth()
    streaks = np.zeros((4, PARALLEL, WIDTH))
    streaks[0, :, 7] = 900.0  # bleeds through its own overscan, and so into that of others
    raw = write_raw(tmp_path / "raw.fits", data, parallel_adu=streaks)
    detector, gains = build_detector(), np.array(GAINS)[:, None, None]
    opened = hand_made(detector, crosstalk=CrosstalkNumbers(ratios=RATIOS, quadratic=QUADRATIC))
    flags = IsrFlags(crosstalk=True, crosstalk_quadratic=True, gain_source=GainSource.CAMERA, units=units)
    with closing(CorrectedFrame(detector, raw, opened, flags=flags, instrument="LATISS")) as frame:
        band, _ = frame.read_band(0, HEIGHT)
    steps = np.arange(WIDTH) // 10
    electrons = np.concatenate([data + steps, streaks + steps], axis=1) * gains
    crossed = np.einsum("st,syx->tyx", RATIOS, electrons) + np.einsum("st,syx->tyx", QUADRATIC, electrons**2)
    electrons -= crossed
    level = np.median(electrons[:, HEIGHT + 3 : -3], axis=1, keepdims=True)
    wanted = electrons[:, :HEIGHT] - level
    # column 7 of amplifier 0 is over the limit of its own overscan, so its level comes from its neighbours
    columns = np.arange(WIDTH) != 7
    scale = 1.0 if units == "electron" else gains
    np.testing.assert_allclose((band * scale)[:, :, columns], wanted[:, :, columns], atol=5e-3)
    np.testing.assert_allclose((band * scale)[1:, :, 7], wanted[1:, :, 7], atol=5e-3)


def test_linearity_and_late_charge_are_undone_after_the_overscans(tmp_path: Path) -> None:
    data = truth()
    detector, raw = build_detector(), write_raw(tmp_path / "raw.fits", data)
    table = linearity_table("Polynomial", [1e-5])
    drift = CtiAmplifier(drift_scale=1e-3, decay_time=2.0)
    opened = hand_made(detector, linearity=(table,) * 4, cti=(drift, drift, None, drift))
    flags = IsrFlags(linearize=True, cti=True, gain_source=GainSource.CAMERA)
    with closing(CorrectedFrame(detector, raw, opened, flags=flags, instrument="LSSTComCam")) as frame:
        band, _ = frame.read_band(0, HEIGHT)
        assert frame.bad_amplifiers == {"C2": "no model in a table"}
    electrons = ((data + 1e-5 * data**2) * np.array(GAINS)[:, None, None]).astype(np.float32)
    wanted = np.stack([correct_deferred_charge(one, drift, n_prescan=PRESCAN) for one in electrons])
    np.testing.assert_allclose(band[[0, 1, 3]], wanted[[0, 1, 3]], atol=0.05)


def test_the_late_charge_of_a_frame_in_adu_is_moved_in_electrons(tmp_path: Path) -> None:
    detector, raw = build_detector(), write_raw(tmp_path / "raw.fits", truth())
    drift = CtiAmplifier(drift_scale=1e-3, decay_time=2.0)
    found = {}
    for units in ("adu", "electron"):
        opened = hand_made(detector, cti=(drift,) * 4)
        flags = IsrFlags(cti=True, units=units, gain_source=GainSource.CAMERA)
        with closing(CorrectedFrame(detector, raw, opened, flags=flags, instrument="LSSTCam")) as frame:
            found[units] = frame.read_band(0, HEIGHT)[0]
    np.testing.assert_allclose(found["adu"] * np.array(GAINS)[:, None, None], found["electron"], rtol=1e-5)


def test_gains_noise_and_levels_come_from_the_curve_and_bad_ones_are_named(tmp_path: Path) -> None:
    data = truth()
    data[1, 3, 4] = 8_000.0
    detector, raw = build_detector(), write_raw(tmp_path / "raw.fits", data)
    opened = hand_made(
        detector,
        ptc=PtcNumbers(
            gain=np.array([1.2, 1.4, np.nan, 1.8]),
            noise_e=np.array([6.0, np.nan, 6.0, 6.0]),
            turnoff_adu=np.full(4, 7_000.0),
            overscan_adu=np.full(4, np.nan),
            overscan_sigma_adu=np.full(4, np.nan),
        ),
        gain_ratio=np.array([1.0, 1.0, 1.0, 1.01]),
    )
    flags = IsrFlags(gain_correction=True, saturation=True)
    with closing(CorrectedFrame(detector, raw, opened, flags=flags, instrument="LSSTCam")) as frame:
        image, mask, variance = frame.read_assembled()
        cards = frame.cards()
        assert frame.bad_amplifiers == {"C2": "gain is nan"}
    assert cards["LSST ISR GAIN SOURCE"] == "PTC"
    assert [cards[f"LSST ISR GAIN C{i}"] for i in (0, 1, 3)] == pytest.approx([1.2, 1.4, 1.818])
    assert cards["LSST ISR READNOISE C0"] == 6.0
    assert cards["LSST ISR READNOISE C1"] == 5.0
    assert cards["LSST ISR PTCTURNOFF C0"] == pytest.approx(8_400.0)
    assert cards["LSST ISR MASK SAT C1"] == 1
    assert np.isnan(image[detector.amplifiers[2].place.slices]).all()
    assert (mask[detector.amplifiers[2].place.slices] & plane_bit("BAD")).all()
    first = detector.amplifiers[0].place.slices
    np.testing.assert_allclose(image[first], data[0] * 1.2, rtol=1e-5)
    np.testing.assert_allclose(variance[first], data[0] * 1.2 + 36.0, rtol=1e-5)


def test_flats_without_light_give_no_value_and_masks_of_calibrations_are_taken_over(tmp_path: Path) -> None:
    data = truth()
    flat = np.ones((4, HEIGHT, WIDTH), np.float32)
    flat[3] = 1.25
    flat[0, 0, 0] = 0.0
    detector, raw = build_detector(), write_raw(tmp_path / "raw.fits", data)
    calib = write_calib(tmp_path, "flat", assemble(flat), unit="1")
    mask = np.zeros((4, HEIGHT, WIDTH), np.int32)
    mask[1, 5, 6] = plane_bit("BAD")
    with fits.open(calib.path, mode="update") as hdus:
        hdus["MASK"].data[...] = assemble(mask)
        hdus["VARIANCE"].data[...] = 1e-4
    image, bits, variance, cards, _ = corrected(detector, raw, [calib], flat=True, gain_source=GainSource.CAMERA)
    place = [one.place.slices for one in detector.amplifiers]
    np.testing.assert_allclose(image[place[3]][::-1, ::-1], data[3] * 1.7 / 1.25, rtol=1e-5)
    assert np.isnan(image[place[0]][0, 0])
    assert bits[place[0]][0, 0] == plane_bit("UNMASKEDNAN")
    assert bits[place[1]][5, WIDTH - 1 - 6] == plane_bit("BAD")
    light = data[3] * 1.7
    expected = (light + 25.0) / 1.25**2 + light**2 * 1e-4 / 1.25**4
    np.testing.assert_allclose(variance[place[3]][::-1, ::-1], expected, rtol=1e-4)
    assert cards["LSST ISR FLAT APPLIED"] is True


def test_the_brighter_fatter_correction_is_that_of_the_whole_detector_in_any_band(tmp_path: Path) -> None:
    data = truth()
    detector, raw = build_detector(), write_raw(tmp_path / "raw.fits", data)
    kernel = -1e-7 / (1 + np.hypot(*np.mgrid[-3:4, -3:4]) ** 2)
    flags = IsrFlags(brighter_fatter=True, gain_source=GainSource.CAMERA)
    with closing(
        CorrectedFrame(detector, raw, hand_made(detector, kernel=kernel), flags=flags, instrument="LATISS")
    ) as frame:
        image, _, _ = frame.read_assembled()
        band, _ = frame.read_band(9, 14)
        assert frame.cards()["LSST ISR BF CORR METHOD"] == "COULTON18"
    plain = assemble((data * np.array(GAINS)[:, None, None]).astype(np.float32))
    wanted, _ = correct_brighter_fatter(plain, kernel)
    assert np.abs(wanted - plain).max() > 0.5
    np.testing.assert_allclose(image, wanted, atol=5e-3)
    turned = image[detector.amplifiers[3].place.slices][::-1, ::-1]
    np.testing.assert_array_equal(band[3], turned[9:14])


def test_an_amplifier_without_a_value_is_missing_and_the_others_are_not(tmp_path: Path) -> None:
    data = truth()
    data[2] = np.nan
    raw = write_raw(tmp_path / "raw.fits", data, dtype=np.float32)
    with fits.open(raw.path, mode="update") as hdus:
        hdus["Segment2"].data[...] = np.nan
    image, mask, _, cards, amplifiers = corrected(build_detector(), raw, gain_source=GainSource.CAMERA)
    assert amplifiers[2].is_bad
    assert amplifiers[2].reason
    assert cards["CAB ISR BAD C2"] == amplifiers[2].reason
    assert np.isnan(image[build_detector().amplifiers[2].place.slices]).all()
    assert np.isfinite(image).sum() == 3 * HEIGHT * WIDTH
    assert ((mask & plane_bit("UNMASKEDNAN")) != 0).sum() == HEIGHT * WIDTH


def test_a_detector_without_bias_voltage_is_refused_only_when_asked(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw.fits", truth())
    fits.setval(raw.path, "BSSVBS", value=0.4)
    corrected(build_detector(), raw, gain_source=GainSource.CAMERA)
    with pytest.raises(ExecutionError, match=r"no bias voltage \(BSSVBS 0\.4") as caught:
        corrected(build_detector(), raw, gain_source=GainSource.CAMERA, check_unprocessable=True)
    assert caught.value.code == "E-NOVOLTAGE"


def test_other_camera_states_and_other_steps_are_told(tmp_path: Path) -> None:
    raw = replace(write_raw(tmp_path / "raw.fits", truth()), header_state={"SEQNAME": "v26", "ODP": "26.9"})
    blank = np.zeros((96, 80), np.float32)
    own = {"SEQNAME": "v25", "ODP": "26.9", "LSST ISR LINEARIZER APPLIED": True}
    calibs = [write_calib(tmp_path, "bias", blank, **own)]
    flags = IsrFlags(bias=True, gain_source=GainSource.CAMERA, compared_keywords=("SEQNAME", "ODP"))
    with open_corrected(build_detector(), [raw], calibs, flags=flags, instrument="LSSTCam") as (frame,):
        assert frame.cards()["ISR BIAS SEQUENCER MISMATCH"] is True
        assert frame.calibs.mismatches() == ["bias was made with linearizer"]
    same = replace(flags, compared_keywords=("ODP",))
    with open_corrected(build_detector(), [raw], calibs, flags=same, instrument="LSSTCam") as (frame,):
        assert "ISR BIAS SEQUENCER MISMATCH" not in frame.cards()


def test_upstream_defect_14_raft_and_slot_have_a_keyword_each_and_the_keys_are_read_back(tmp_path: Path) -> None:
    """A processed file: every calibration with run, UUID and date, through HIERARCH and CONTINUE, and back."""
    raw = write_raw(tmp_path / "raw.fits", truth(), noise_adu=6)
    blank = np.zeros((96, 80), np.float32)
    long = "u/someone/LSSTComCam/calib/DM-48520/a.very.long.collection.name/biasGen.20250408a/20250408T120000Z"
    bias = replace(write_calib(tmp_path, "bias", blank), run=long)
    dark = replace(write_calib(tmp_path, "dark", blank, serial=2), dataset_id="recorded otherwise")
    flat = write_calib(tmp_path, "flat", blank + 1, unit="1", serial=3)
    out = tmp_path / "out.fits"
    outcome = process_exposure(
        Quantum(
            label="process",
            task="process",
            instrument="LSSTComCam",
            detector=build_detector(),
            raws=(raw,),
            calibs=(bias, dark, flat),
            outputs=(OutputFile(dataset_type="post_isr_image", dataset_id="", run="", path=str(out)),),
            parameters={"without": ["cti"]},
        )
    )
    header = read_header(out)
    assert (header["RAFTNAME"], header["SLOTNAME"]) == ("R22", "S10")
    found = read_provenance(out)
    assert found.is_self_check
    assert {one.dataset_type: (one.uuid, one.run, one.date) for one in found.calibs} == {
        "bias": (UUID % 1, long, "2024-04-01 10:00:00"),
        "dark": (UUID % 2, "run/dark", "2024-04-01 10:00:00"),
        "flat": (UUID % 3, "run/flat", "2024-04-01 10:00:00"),
    }
    assert [one["type"] for one in outcome.details["not_applied"]] == [
        "cti", "ptc", "gain_correction", "crosstalk", "linearizer", "defects", "bfk",
    ]  # fmt: skip
