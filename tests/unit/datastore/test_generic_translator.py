"""Headers of any camera by the rules of its camera file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from calibstore.datastore.camera_file import load_camera
from calibstore.datastore.generic_translator import translate_cards
from calibstore.datastore.raw_headers import translate
from calibstore.errors import UserInputError
from calibstore.model.camera import Camera
from calibstore.model.exposure import Exposure
from calibstore.model.times import NS_PER_S, iso_to_ns, ns_to_iso

SBIG = load_camera("sbig_stl1001")
CARDS: dict[str, Any] = {
    "INSTRUME": "SBIG STL-1001 3 CCD Camera",
    "DATE-OBS": "2019-02-03T20:45:08.464",
    "IMAGETYP": "Bias Frame",
    "EXPTIME": 0.0,
    "FILTER": "Visible",
    "SET-TEMP": -5.0,
}


def with_rules(**rules: Any) -> Camera:
    return dataclasses.replace(SBIG, header_rules=SBIG.header_rules | rules)


def translated(found: Camera = SBIG, /, **changes: Any) -> Exposure:
    cards = CARDS | {key.replace("__", "-"): value for key, value in changes.items()}
    return translate_cards(cards, found, name="x.fits")[0]


def refusal(found: Camera = SBIG, /, **changes: Any) -> UserInputError:
    with pytest.raises(UserInputError, match=r"^x\.fits: ") as caught:
        translated(found, **changes)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_frame_by_the_date_rule() -> None:
    found = translated()
    assert found.id == 20190203204508464
    assert found.day_obs == 20190203
    # 20:45:08.464 UTC is 8 h 45 min 45.464 s after 12:00 TAI.
    assert found.seq_num == (8 * 3600 + 45 * 60 + 45) * 1000 + 464
    assert found.timespan.begin_tai_ns == iso_to_ns("2019-02-03T20:45:45.464")
    assert found.timespan.end_tai_ns == found.timespan.begin_tai_ns + 1
    assert (found.observation_type, found.physical_filter) == ("bias", "Visible")
    assert found.camera_state == {"SET-TEMP": "-5.0"}


@given(begin_ms=st.integers(0, 40 * 365 * 86_400_000), gap_ms=st.integers(1, 10**9))
def test_ids_by_date_grow_with_time(begin_ms: int, gap_ms: int) -> None:
    epoch = iso_to_ns("2000-01-01")
    one, other = (translated(DATE__OBS=ns_to_iso(epoch + ms * 1_000_000, 3)) for ms in (begin_ms, begin_ms + gap_ms))
    assert one.id < other.id < 2**63
    assert 0 <= one.seq_num < 86_400_000
    assert (one.day_obs, one.seq_num) < (other.day_obs, other.seq_num)


@pytest.mark.parametrize(("instant", "shift_s"), [("begin", 0), ("middle", 30), ("end", 60)])
def test_the_instant_of_the_date_card(instant: str, shift_s: int) -> None:
    rule = {"card": "DATE-OBS", "scale": "tai", "instant": instant}
    span = translated(with_rules(time=rule), EXPTIME=60.0).timespan
    assert span.begin_tai_ns == iso_to_ns("2019-02-03T20:45:08.464") - shift_s * NS_PER_S
    assert span.end_tai_ns - span.begin_tai_ns == 60 * NS_PER_S


@pytest.mark.parametrize(("scale", "shift_s"), [("tai", 0.0), ("utc", 37.0), ("tt", -32.184)])
def test_time_scales(scale: str, shift_s: float) -> None:
    rule = {"card": "DATE-OBS", "scale": scale, "instant": "begin"}
    begin = translated(with_rules(time=rule)).timespan.begin_tai_ns
    assert begin - iso_to_ns("2019-02-03T20:45:08.464") == round(shift_s * NS_PER_S)


def test_the_other_id_rules() -> None:
    by_day = with_rules(exposure_id={"rule": "day_seq", "sequence_card": "FRAME"})
    assert (translated(by_day, FRAME=7).id, translated(by_day, FRAME="7").seq_num) == (2019020300007, 7)
    by_card = with_rules(exposure_id={"rule": "card", "id_card": "FRAME"})
    found = translated(by_card, FRAME=9_007_199_254_740_993)
    assert (found.id, found.seq_num) == (9_007_199_254_740_993, 40993)
    for bad in (None, "seven", 1.5, -1, 100000):
        assert refusal(by_day, FRAME=bad).code in {"E-RAW-SEQNUM", "E-RAW-CARD"}


def test_optional_cards() -> None:
    found = translated(
        with_rules(cards={"target": "OBJECT", "reason": "WHY", "obs_id": "NAME"}), OBJECT="M31", WHY="Test"
    )
    assert (found.target_name, found.observation_reason, found.obs_id) == ("M31", "test", str(found.id))


def test_a_detector_by_its_card() -> None:
    found = with_rules(detector={"card": "CHIP", "values": {"left": 0, "right": 1}})
    assert translate_cards(CARDS | {"CHIP": "right"}, found, name="x")[1] == 1
    assert refusal(found, CHIP="middle").code == "E-RAW-DETECTOR"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"INSTRUME": "lsstCam"}, "E-RAW-CAMERA", "'lsstCam'"),
        ({"INSTRUME": None}, "E-RAW-CAMERA", "INSTRUME is ''"),
        ({"IMAGETYP": "Tricolor Image"}, "E-RAW-TYPE", "'Tricolor Image'"),
        ({"IMAGETYP": None}, "E-RAW-TYPE", "IMAGETYP"),
        ({"EXPTIME": None}, "E-RAW-EXPTIME", "missing"),
        ({"EXPTIME": -3.0}, "E-RAW-EXPTIME", "negative"),
        ({"DATE__OBS": None}, "E-RAW-TIME", "no time"),
        ({"DATE__OBS": "08/09/17"}, "E-RAW-TIME", "08/09/17"),
        ({"DATE__OBS": "1960-01-01T00:00:00"}, "E-RAW-TIME", "1972"),
    ],
)
def test_refusals_name_their_reason(changes: dict[str, Any], code: str, said: str) -> None:
    problem = refusal(**changes)
    assert (problem.code, said in problem.message) == (code, True), problem.message


def test_the_operator_can_say_the_type_the_header_does_not_know() -> None:
    cards = CARDS | {"IMAGETYP": "Light Frame"}
    assert translate_cards(cards, SBIG, name="x")[0].observation_type == "science"
    assert translate_cards(cards, SBIG, name="x", observation_type="flat")[0].observation_type == "flat"


@pytest.mark.parametrize("suffix", [".fits", ".fits.gz", ".fits.fz"])
def test_frames_on_disk_with_the_image_in_any_place(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bias{suffix}"
    pixels = np.full((1024, 1024), 990, np.uint16)
    header = fits.Header(CARDS)
    if suffix.endswith("fz"):
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, header)]).writeto(path)
    else:
        fits.PrimaryHDU(pixels, header).writeto(path)
    exposure, detector = translate(path, SBIG)
    assert (exposure.id, detector) == (20190203204508464, 0)


def test_a_binned_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binned.fits"
    fits.PrimaryHDU(np.zeros((512, 512), np.uint16), fits.Header(CARDS)).writeto(path)
    with pytest.raises(UserInputError, match="512x512 pixels in the file, 1024x1024"):
        translate(path, SBIG)
