"""Headers are read from plain, gzip and tile-compressed files; a broken file is named with its fault."""

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from calibstore.datastore.fits_cards import parse_cards
from calibstore.datastore.raw_headers import check_geometry, read_headers, translate, translate_header
from calibstore.datastore.raw_pixels import PixelReader
from calibstore.datastore.raw_writer import write_raw
from calibstore.errors import CabstandError, StoreError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.lsst_cameras import camera
from calibstore.model.times import iso_to_ns
from calibstore.model.timespan import Timespan

BEGIN = iso_to_ns("2025-04-09T01:02:03.400")
EXPOSURE = Exposure(
    instrument="LSSTComCam",
    id=2025040800006,
    obs_id="CC_O_20250408_000006",
    day_obs=20250408,
    seq_num=6,
    physical_filter="r_03",
    observation_type="dark",
    observation_reason="calibration",
    science_program="BLOCK-1",
    exposure_time_s=30.0,
    dark_time_s=30.5,
    timespan=Timespan(BEGIN, BEGIN + 30_500_000_000),
    target_name="nothing",
    group="2025-04-09T01:02:00.000",
    camera_state={"SEQNAME": "fast.seq", "SEQCKSUM": "0012"},
)


def mini(name: str = "LSSTComCam") -> Camera:
    return camera(name, mini=True)


AMP = mini().detectors[0].amplifiers[0]
PADDING = -AMP.raw_width * AMP.raw_height * 4 % 2880
"""Bytes that fill the last block of an amplifier's int32 pixels."""


def write_frame(folder: Path, *, detector: int = 4, exposure: Exposure = EXPOSURE) -> Path:
    found = mini(exposure.instrument).detector(detector)
    amp = found.amplifiers[0]
    pixels = np.full((len(found.amplifiers), amp.raw_height, amp.raw_width), 1000, np.int32)
    return write_raw(folder, exposure=exposure, detector=found, amps=pixels)


def test_what_the_simulator_writes_comes_back(tmp_path: Path) -> None:
    exposure, detector = translate(write_frame(tmp_path), mini())
    assert detector == 4
    assert exposure == EXPOSURE


def test_latiss_filter_pairs_come_back(tmp_path: Path) -> None:
    import dataclasses

    shot = dataclasses.replace(
        EXPOSURE, instrument="LATISS", obs_id="AT_O_20250408_000006", physical_filter="SDSSr_65mm~empty"
    )
    exposure, detector = translate(write_frame(tmp_path, detector=0, exposure=shot), mini("LATISS"))
    assert (exposure, detector) == (shot, 0)


def test_gzip_and_tile_compression_read_alike(tmp_path: Path) -> None:
    plain = write_frame(tmp_path)
    packed = tmp_path / "frame.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    tiled = tmp_path / "frame.fits.fz"
    with fits.open(plain) as hdus:
        compressed = [fits.CompImageHDU(hdu.data, hdu.header, compression_type="RICE_1") for hdu in hdus[1:]]
        fits.HDUList([hdus[0], *compressed]).writeto(tiled)
    expected = translate(plain, mini())
    assert translate(packed, mini()) == expected
    assert translate(tiled, mini()) == expected
    facts = read_headers(tiled).images
    assert len(facts) == 16
    assert all(hdu.is_compressed for hdu in facts)
    assert {(hdu.width, hdu.height) for hdu in facts} == {(AMP.raw_width, AMP.raw_height)}


def test_cards_of_a_compressed_simple_image_are_found(tmp_path: Path) -> None:
    path = tmp_path / "simple.fits.fz"
    header = fits.Header({"INSTRUME": "MyCam", "EXPTIME": 2.5})
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((8, 8), np.int16), header)]).writeto(path)
    found = read_headers(path)
    assert "INSTRUME" not in found.primary
    assert (found.cards["INSTRUME"], found.cards["EXPTIME"]) == ("MyCam", 2.5)


@pytest.mark.parametrize("keep", [0, 100, 1000, 2880, 3000, 9000, -1, -2000])
def test_a_file_cut_anywhere_is_named_with_its_fault(tmp_path: Path, keep: int) -> None:
    whole = write_frame(tmp_path).read_bytes()
    path = tmp_path / "cut.fits"
    # The last data unit has padding, which may honestly be missing.
    path.write_bytes(whole[: keep - PADDING] if keep < 0 else whole[:keep])
    with pytest.raises(StoreError, match=r"^cut\.fits: ") as caught:
        translate(path, mini())
    assert "\n" not in caught.value.message


def test_missing_padding_at_the_end_is_forgiven(tmp_path: Path) -> None:
    path = write_frame(tmp_path)
    path.write_bytes(path.read_bytes()[:-PADDING])
    assert translate(path, mini())[1] == 4


def test_a_missing_amplifier_is_named(tmp_path: Path) -> None:
    path = write_frame(tmp_path)
    with fits.open(path) as hdus:
        fits.HDUList(hdus[:-1]).writeto(tmp_path / "short.fits")
    with pytest.raises(UserInputError, match="Segment00") as caught:
        translate(tmp_path / "short.fits", mini())
    assert caught.value.code == "E-RAW-GEOMETRY"


@pytest.mark.parametrize("content", [b"", b"no FITS at all", b"\x1f\x8b broken gzip", b"\x00" * 5000])
def test_what_is_no_fits_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.fits"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"^junk\.fits: ") as caught:
        read_headers(path)
    assert "\n" not in caught.value.message


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "frame.fits.gz"
    path.write_bytes(gzip.compress(write_frame(tmp_path).read_bytes())[:-200])
    with pytest.raises(StoreError, match="truncated"):
        read_headers(path)


@pytest.mark.parametrize("name", ["absent.fits", "."])
def test_an_unreadable_path_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError) as caught:
        read_headers(tmp_path / name)
    assert caught.value.code == "E-RAW-READ"


@pytest.mark.parametrize("bad", ["EXPTIME =              3,2E-05", "OBJECT  = 'no end quote", "OBJECT  = M31"])
def test_an_unparsable_card_is_shown(tmp_path: Path, bad: str) -> None:
    key = bad.split(maxsplit=1)[0]
    raw = write_frame(tmp_path).read_bytes()
    start = raw.index(key.ljust(8).encode() + b"= ")
    path = tmp_path / "bad.fits"
    path.write_bytes(raw[:start] + bad.ljust(80).encode() + raw[start + 80 :])
    with pytest.raises(StoreError, match=r"^bad\.fits: ") as caught:
        translate(path, mini())
    assert bad.strip() in caught.value.message
    assert caught.value.code == "E-RAW-CARD"


def test_the_geometry_of_another_size_is_refused(tmp_path: Path) -> None:
    path = write_frame(tmp_path)
    full = camera("LSSTComCam")
    with pytest.raises(
        UserInputError, match=rf"{AMP.raw_width}x{AMP.raw_height} pixels in the file, 576x2048"
    ) as caught:
        check_geometry(read_headers(path), full, 4)
    assert caught.value.code == "E-RAW-GEOMETRY"


def test_another_vendors_data_section_is_refused(tmp_path: Path) -> None:
    path = write_frame(tmp_path)
    with fits.open(path, mode="update") as hdus:
        hdus["Segment03"].header["DATASEC"] = "[11:74,1:96]"
    with pytest.raises(UserInputError, match=r"C03 has data section \[11:74,1:96\]") as caught:
        translate(path, mini())
    assert caught.value.code == "E-RAW-GEOMETRY"


def test_simulated_and_real_frames_keep_apart(tmp_path: Path) -> None:
    path = write_frame(tmp_path)
    with pytest.raises(UserInputError, match="simulated") as caught:
        translate(path, camera("LSSTComCam"))
    assert caught.value.code == "E-RAW-SIMULATED"
    with fits.open(path, mode="update") as hdus:
        del hdus[0].header["CABSIM"]
    with pytest.raises(UserInputError, match="the frame is real") as caught:
        translate(path, mini())
    assert caught.value.code == "E-RAW-SIMULATED"


def test_the_operator_says_what_a_frame_is(tmp_path: Path) -> None:
    path = write_frame(tmp_path)
    assert translate(path, mini(), observation_type="flat")[0].observation_type == "flat"
    with pytest.raises(UserInputError, match="'flats' is not known") as caught:
        translate(path, mini(), observation_type="flats")
    assert "bias" in caught.value.hint


def test_a_header_alone_finds_its_camera() -> None:
    cards = {"INSTRUME": "LATISS", "DAYOBS": "20250408", "SEQNUM": 6, "IMGTYPE": "BIAS", "EXPTIME": 0.0,
             "DATE-BEG": "2025-04-09T01:02:03.4", "TIMESYS": "TAI"}  # fmt: skip
    exposure, detector = translate_header(cards)
    assert (exposure.instrument, exposure.id, detector) == ("LATISS", 2025040800006, 0)


def test_cards_of_every_kind_parse() -> None:
    cards = [
        "SIMPLE  =                    T / standard",
        "NAME    = 'O''Hara  '          / quotes doubled",
        "EMPTY   = ''",
        "UNSET   =                      / no value",
        "WHOLE   =                  -12",
        "REAL    =              1.5D+03 / old exponent",
        "PAIR    =           (1.0, 2.0)",
        "HIERARCH LONG KEY WORD = 'yes' / hierarch",
        "LONGSTR = 'begins &'",
        "CONTINUE  'and ends'",
        "COMMENT = is not a value",
        "WHOLE   =                   13 / the first one counts",
        "END",
    ]
    found = parse_cards("".join(card.ljust(80) for card in cards))
    assert found == {
        "SIMPLE": True, "NAME": "O'Hara", "EMPTY": "", "UNSET": None, "WHOLE": -12, "REAL": 1500.0,
        "PAIR": "(1.0, 2.0)", "LONG KEY WORD": "yes", "LONGSTR": "begins and ends",
    }  # fmt: skip


@given(
    value=st.one_of(
        st.booleans(),
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=150).map(str.rstrip),
    )
)
def test_cards_read_as_astropy_wrote_them(value: bool | int | float | str) -> None:
    header = fits.Header()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header["CARD"] = value
        expected = fits.Header.fromstring(header.tostring())["CARD"]
        text = header.tostring()
    assert parse_cards(text)["CARD"] == expected


@given(junk=st.binary(max_size=6000))
def test_no_content_raises_anything_but_our_errors(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("junk", numbered=True) / "x.fits"
    path.write_bytes(b"SIMPLE  =                    T".ljust(80) + junk)
    for read, shown in ((read_headers, "x.fits"), (PixelReader, str(path))):
        message = ""
        try:
            read(path)
        except CabstandError as problem:
            message = problem.message
        assert not message or message.startswith(f"{shown}: ")


def test_a_header_cut_after_its_end_card_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "cut.fits"
    path.write_bytes(fits.PrimaryHDU().header.tostring().encode()[:1000])
    with pytest.raises(StoreError, match="truncated"):
        read_headers(path)
