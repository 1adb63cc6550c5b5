"""Raw frames are written whole, in the observatory's layout, with the same bytes every time."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from calibstore.datastore import raw_writer
from calibstore.datastore.raw_writer import (
    amplifier_cards,
    observation_id,
    primary_cards,
    raw_file_name,
    write_raw,
)
from calibstore.datastore.truth_writer import write_truth
from calibstore.errors import StoreError, UserInputError
from calibstore.model.camera import Amplifier, Box, Detector
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan

NY, NX, RAW_NY, RAW_NX = 6, 8, 8, 15
STATE = {"SEQNAME": "a.seq", "SEQCKSUM": "0012", "ODP": "26.9", "TEMP_SET": "-94.15"}


def amplifier(name: str, *, ix: int, iy: int, flip_x: bool, flip_y: bool) -> Amplifier:
    return Amplifier(
        name=f"C{name}",
        extension=f"Segment{name}",
        raw_width=RAW_NX,
        raw_height=RAW_NY,
        data=Box(3, 0, NX, NY),
        serial_overscan=Box(11, 0, 4, NY),
        parallel_overscan=Box(3, NY, NX, 2),
        flip_x=flip_x,
        flip_y=flip_y,
        detector_x0=ix * NX,
        detector_y0=iy * NY,
    )


DETECTOR = Detector(
    id=0,
    full_name="RXX_S00",
    raft="RXX",
    name_in_raft="S00",
    kind="ITL",
    width=2 * NX,
    height=2 * NY,
    amplifiers=(
        amplifier("10", ix=0, iy=1, flip_x=True, flip_y=True),
        amplifier("11", ix=1, iy=1, flip_x=True, flip_y=True),
        amplifier("01", ix=1, iy=0, flip_x=True, flip_y=False),
        amplifier("00", ix=0, iy=0, flip_x=False, flip_y=False),
    ),
)


def make_exposure(**changes: object) -> Exposure:
    begin = 1_744_120_800_123_456_789  # 2025-04-08T14:00:00.123456789 TAI
    values: dict[str, object] = {
        "instrument": "LATISS",
        "id": 2025040800006,
        "obs_id": "AT_O_20250408_000006",
        "day_obs": 20250408,
        "seq_num": 6,
        "physical_filter": "SDSSr_65mm~empty",
        "observation_type": "dark",
        "observation_reason": "daily",
        "science_program": "BLOCK-1",
        "exposure_time_s": 30.0,
        "dark_time_s": 30.24,
        "timespan": Timespan(begin, begin + 30_240_000_000),
        "camera_state": STATE,
    }
    return Exposure(**(values | changes))  # type: ignore[arg-type]


def make_pixels(high: int = 65_535) -> NDArray[np.int32]:
    return np.random.default_rng(1).integers(0, high, size=(4, RAW_NY, RAW_NX), endpoint=True, dtype=np.int32)


def test_the_header_tells_the_exposure_in_the_cameras_keywords(tmp_path: Path) -> None:
    path = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels())
    assert path.name == "AT_O_20250408_000006_R00_S00.fits"
    header = fits.getheader(path)
    expected = {
        "CABSIM": True,
        "INSTRUME": "LATISS",
        "TELESCOP": "LSST AuxTelescope",
        "CONTRLLR": "O",
        "OBSID": "AT_O_20250408_000006",
        "DAYOBS": "20250408",
        "SEQNUM": 6,
        "IMGTYPE": "DARK",
        "OBSTYPE": "DARK",
        "TESTTYPE": "DARK",
        "REASON": "daily",
        "PROGRAM": "BLOCK-1",
        "GROUPID": "2025-04-08T14:00:00.123",
        "EXPTIME": 30.0,
        "DARKTIME": 30.24,
        "SHUTTIME": 30.0,
        "TIMESYS": "TAI",
        "DATE-OBS": "2025-04-08T14:00:00.123",
        "DATE-BEG": "2025-04-08T14:00:00.123",
        "DATE-END": "2025-04-08T14:00:30.363",
        "RAFTBAY": "R00",
        "CCDSLOT": "S00",
        "CCD_MANU": "ITL",
        "CCD_TYPE": "3800C",
        "FILTER": "SDSSr_65mm",
        "GRATING": "empty",
        "SEQNAME": "a.seq",
        "SEQCKSUM": "0012",
        "ODP": 26.9,
        "TEMP_SET": -94.15,
    }
    assert {keyword: header[keyword] for keyword in expected} == expected
    assert header["MJD-BEG"] == pytest.approx(60773 + 14 / 24, abs=1e-5)
    assert header["MJD-END"] - header["MJD-BEG"] == pytest.approx(30.24 / 86_400, abs=1e-9)


def test_amplifiers_follow_the_hdu_order_with_their_sections(tmp_path: Path) -> None:
    path = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels())
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["Segment10", "Segment11", "Segment01", "Segment00"]
        assert [hdu.header["DATASEC"] for hdu in hdus[1:]] == ["[4:11,1:6]"] * 4
        assert [hdu.header["BIASSEC"] for hdu in hdus[1:]] == ["[12:15,1:6]"] * 4
        detsec = [hdu.header["DETSEC"] for hdu in hdus[1:]]
        assert detsec == ["[8:1,12:7]", "[16:9,12:7]", "[16:9,1:6]", "[1:8,1:6]"]
        assert {hdu.header["DETSIZE"] for hdu in hdus} == {"[1:16,1:12]"}
        assert not any(isinstance(hdu, fits.CompImageHDU) for hdu in hdus)


@pytest.mark.parametrize(("pixel_type", "bitpix", "high"), [("uint16", 16, 65_535), ("int32", 32, 262_143)])
def test_pixels_come_back_exactly(tmp_path: Path, pixel_type: str, bitpix: int, high: int) -> None:
    pixels = make_pixels(high)
    assert pixels.max() > 32_767
    path = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=pixels, pixel_type=pixel_type)  # type: ignore[arg-type]
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        assert {hdu.header["BITPIX"] for hdu in hdus[1:]} == {bitpix}
        assert {hdu.header.get("BZERO", 0) for hdu in hdus[1:]} == ({32_768} if bitpix == 16 else {0})
    with fits.open(path) as hdus:
        for hdu, expected in zip(hdus[1:], pixels, strict=True):
            assert_array_equal(hdu.data.astype(np.int64), expected)


def test_writing_twice_gives_the_same_bytes_and_no_other_file(tmp_path: Path) -> None:
    first = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels()).read_bytes()
    second = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels()).read_bytes()
    assert first == second
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("instrument", "instrume", "code"), [("LSSTComCam", "comCam", "CC"), ("LSSTCam", "lsstCam", "MC")]
)
def test_other_instruments_have_their_own_names(instrument: str, instrume: str, code: str) -> None:
    obs_id = observation_id(instrument, 20250408, 6)
    assert obs_id == f"{code}_O_20250408_000006"
    cards = primary_cards(make_exposure(instrument=instrument, obs_id=obs_id, physical_filter="r_03"), DETECTOR)
    assert (cards["INSTRUME"], cards["FILTER"]) == (instrume, "r_03")
    assert "GRATING" not in cards


def test_empty_values_leave_no_card() -> None:
    cards = primary_cards(make_exposure(observation_reason="", observation_type="science", camera_state={}), DETECTOR)
    assert not {"REASON", "OBJECT", "SEQNAME"} & set(cards)
    assert cards["IMGTYPE"] == "OBJECT"


def test_an_amplifier_without_overscan_has_no_biassec() -> None:
    bare = Amplifier(name="C00", extension="Segment00", raw_width=8, raw_height=6, data=Box(0, 0, 8, 6))
    assert "BIASSEC" not in amplifier_cards(bare, DETECTOR)


def test_values_that_do_not_fit_are_refused_not_wrapped(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="do not fit uint16") as fault:
        write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels(70_000), pixel_type="uint16")
    assert "int32" in fault.value.hint
    with pytest.raises(UserInputError, match="4 amplifiers"):
        write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels()[:3])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_instrument_is_refused() -> None:
    with pytest.raises(UserInputError, match="no raw layout for instrument 'HSC'"):
        primary_cards(make_exposure(instrument="HSC"), DETECTOR)


def test_a_folder_that_cannot_be_made_is_a_store_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_raw(tmp_path / "file" / "raws", exposure=make_exposure(), detector=DETECTOR, amps=make_pixels())


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / raw_file_name(make_exposure(), DETECTOR)
    path.write_bytes(b"old")

    stored = raw_writer._stored
    written: list[int] = []

    def fail_after_half(pixels: NDArray[np.int32], pixel_type: raw_writer.PixelType) -> bytes:
        written.append(1)
        if len(written) > 2:
            raise OSError(28, "No space left on device")
        return stored(pixels, pixel_type)

    monkeypatch.setattr(raw_writer, "_stored", fail_after_half)
    with pytest.raises(StoreError, match="No space left on device"):
        write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=make_pixels())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("pixel_type", ["uint16", "int32", "float32"])
def test_the_bytes_are_those_astropy_would_write(tmp_path: Path, pixel_type: raw_writer.PixelType) -> None:
    pixels = make_pixels()
    path = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=pixels, pixel_type=pixel_type)
    primary = fits.PrimaryHDU()
    primary.header.update(raw_writer.primary_cards(make_exposure(), DETECTOR))
    expected = fits.HDUList([primary])
    for amplifier, values in zip(DETECTOR.amplifiers, pixels, strict=True):
        hdu = fits.ImageHDU(values.astype(pixel_type))
        hdu.header.update(raw_writer.amplifier_cards(amplifier, DETECTOR))
        expected.append(hdu)
    expected.writeto(tmp_path / "astropy.fits")
    assert path.read_bytes() == (tmp_path / "astropy.fits").read_bytes()


def test_floating_point_keeps_what_is_not_a_number(tmp_path: Path) -> None:
    pixels = make_pixels().astype(np.float32)
    pixels[1] = np.nan
    with pytest.raises(UserInputError, match="do not fit int32"):
        write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=pixels)
    path = write_raw(tmp_path, exposure=make_exposure(), detector=DETECTOR, amps=pixels, pixel_type="float32")
    with fits.open(path) as hdus:
        assert [bool(np.isnan(hdu.data).all()) for hdu in hdus[1:]] == [False, True, False, False]


def test_truth_comes_back_and_is_reproducible(tmp_path: Path) -> None:
    gain = np.array([1.1, 1.2])
    arrays, summary = write_truth(tmp_path, "RXX_S00", arrays={"gain_e_per_adu": gain}, summary={"seed": 3})
    first = arrays.read_bytes(), summary.read_bytes()
    with np.load(arrays) as stored:
        assert_array_equal(stored["gain_e_per_adu"], gain)
    assert summary.read_text(encoding="utf-8") == '{\n "seed": 3\n}\n'
    write_truth(tmp_path, "RXX_S00", arrays={"gain_e_per_adu": gain}, summary={"seed": 3})
    assert (arrays.read_bytes(), summary.read_bytes()) == first
