"""What headers of the observatory's cameras mean: ids, types, filters, times, and who is refused why."""

from typing import Any

import pytest

from calibstore.datastore.lsst_translator import exposure_id, identify, translate_cards
from calibstore.errors import UserInputError
from calibstore.model.exposure import Exposure
from calibstore.model.lsst_cameras import camera
from calibstore.model.times import NS_PER_S, iso_to_ns

BASE: dict[str, Any] = {
    "INSTRUME": "lsstCam",
    "RAFTBAY": "R22",
    "CCDSLOT": "S11",
    "CONTRLLR": "O",
    "DAYOBS": "20250609",
    "SEQNUM": 578,
    "OBSID": "MC_O_20250609_000578",
    "IMGTYPE": "DARK",
    "EXPTIME": 30.0,
    "DARKTIME": 30.9,
    "TIMESYS": "TAI",
    "DATE-BEG": "2025-06-10T07:31:55.280",
    "DATE-END": "2025-06-10T07:32:26.229",
    "FILTER": "y_10",
}


def header(**changes: Any) -> dict[str, Any]:
    cards = BASE | {key.replace("__", "-"): value for key, value in changes.items()}
    return {key: value for key, value in cards.items() if value is not None}


def translated(instrument: str = "LSSTCam", **changes: Any) -> Exposure:
    return translate_cards(header(**changes), camera(instrument), name="x.fits")[0]


def latiss(**changes: Any) -> Exposure:
    return translated("LATISS", **({"INSTRUME": "LATISS", "RAFTBAY": "R00", "CCDSLOT": "S00"} | changes))


def refusal(instrument: str = "LSSTCam", **changes: Any) -> UserInputError:
    with pytest.raises(UserInputError) as caught:
        translated(instrument, **changes)
    assert caught.value.message.startswith("x.fits: ")
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_modern_header() -> None:
    exposure, detector = translate_cards(
        header(REASON="Daily_PTC", PROGRAM="BLOCK-T434", GROUPID="2025-06-10T07:31:26.692", OBJECT="dome"),
        camera("LSSTCam"),
        name="x.fits",
    )
    assert detector == 94
    assert (exposure.id, exposure.obs_id) == (2025060900578, "MC_O_20250609_000578")
    assert (exposure.day_obs, exposure.seq_num) == (20250609, 578)
    assert (exposure.observation_type, exposure.observation_reason) == ("dark", "daily_ptc")
    assert (exposure.science_program, exposure.group) == ("BLOCK-T434", "2025-06-10T07:31:26.692")
    assert (exposure.physical_filter, exposure.target_name) == ("y_10", "dome")
    assert exposure.timespan.begin_tai_ns == iso_to_ns("2025-06-10T07:31:55.280")
    assert exposure.timespan.end_tai_ns == iso_to_ns("2025-06-10T07:32:26.229")


@pytest.mark.parametrize(
    ("day_obs", "controller", "expected"),
    [
        (20241208, "O", 2024120800696),
        (20230621, "C", 3023062100696),
        (20231003, "C", 3023100300696),
        (20231004, "C", 2023100400696),
        (20100217, "H", 4010021700696),
        (20240117, "P", 5024011700696),
        (20240117, "Q", 6024011700696),
        (20240321, "S", 7024032100696),
        (20250416, "S", 7025041600696),
        (20250417, "S", 2025041700696),
    ],
)
def test_exposure_ids_of_all_controllers(day_obs: int, controller: str, expected: int) -> None:
    assert exposure_id(day_obs, 696, controller) == expected


@pytest.mark.parametrize(
    ("instrume", "expected"),
    [("LATISS", "LATISS"), ("LSST_ATISS", "LATISS"), ("comCam", "LSSTComCam"), ("COMCAM", "LSSTComCam"),
     ("LSSTComCam", "LSSTComCam"), ("lsstCam", "LSSTCam"), ("LSSTCam", "LSSTCam")],
)  # fmt: skip
def test_instrument_names_of_all_years(instrume: str, expected: str) -> None:
    assert identify({"INSTRUME": instrume}, name="x") == expected


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"INSTRUME": "ArchonCCDController", "TSTAND": "BNL-TS3-2-Janeway"}, "E-RAW-CAMERA", "test stand"),
        ({"INSTRUME": "LSST-TS8", "TSTAND": "TS8"}, "E-RAW-CAMERA", "test stand"),
        ({"INSTRUME": "LSST-UCDCam-ITL"}, "E-RAW-CAMERA", "test stand"),
        ({"INSTRUME": None, "TSTAND": "TS8"}, "E-RAW-CAMERA", "test stand"),
        ({"INSTRUME": "LSSTCamSim"}, "E-RAW-CAMERA", "simulated"),
        ({"CONTRLLR": "S"}, "E-RAW-CAMERA", "simulated"),
        ({"INSTRUME": None, "TESTTYPE": "PHOSIM"}, "E-RAW-CAMERA", "simulated"),
        ({"INSTRUME": None, "TESTTYPE": "IMSIM"}, "E-RAW-CAMERA", "simulated"),
        ({"INSTRUME": "WFCAM"}, "E-RAW-CAMERA", "INSTRUME is WFCAM"),
        ({"INSTRUME": None}, "E-RAW-CAMERA", "names no instrument"),
        ({"INSTRUME": "LATISS"}, "E-RAW-WRONGCAMERA", "of LATISS, this repository of LSSTCam"),
        ({"N_STAMPS": 92, "IMGTYPE": "UNKNOWN", "CCDSLOT": "SG0"}, "E-RAW-GUIDER", "guider"),
        ({"ROICOLS": 50}, "E-RAW-GUIDER", "guider"),
        ({"CABSIM": True}, "E-RAW-SIMULATED", "simulated"),
        ({"EXPTIME": None}, "E-RAW-EXPTIME", "exposure time is missing"),
        ({"EXPTIME": -1.0}, "E-RAW-EXPTIME", "negative"),
        ({"EXPTIME": "long"}, "E-RAW-CARD", "'long' is not a number"),
        ({"RAFTBAY": "R99"}, "E-RAW-DETECTOR", "R99_S11"),
        ({"RAFTBAY": None}, "E-RAW-DETECTOR", "_S11"),
        ({"TIMESYS": "GPS"}, "E-RAW-TIME", "GPS"),
        ({"DATE__BEG": "yesterday"}, "E-RAW-TIME", "yesterday"),
        ({"DATE__BEG": "2025-13-10T00:00:00"}, "E-RAW-TIME", "DATE-BEG"),
        ({"DATE__BEG": None}, "E-RAW-TIME", "no time"),
        ({"DATE__BEG": "2199-01-01T00:00:00"}, "E-RAW-TIME", "1970-01-01..2100-01-01"),
        ({"DAYOBS": "2025-6-9"}, "E-RAW-TIME", "DAYOBS"),
        ({"DAYOBS": "20251309"}, "E-RAW-TIME", "DAYOBS"),
        ({"SEQNUM": 123456}, "E-RAW-SEQNUM", "123456"),
        ({"SEQNUM": None, "OBSID": None}, "E-RAW-SEQNUM", "sequence number"),
    ],
)
def test_refusals_name_their_reason(changes: dict[str, Any], code: str, said: str) -> None:
    problem = refusal(**changes)
    assert (problem.code, said in problem.message) == (code, True), problem.message


@pytest.mark.parametrize(
    ("instrument", "cards", "expected"),
    [
        ("LSSTCam", {"IMGTYPE": "BIAS"}, "bias"),
        ("LSSTCam", {"IMGTYPE": "SKYEXP"}, "science"),
        ("LSSTCam", {"IMGTYPE": "OBJECT"}, "science"),
        ("LSSTCam", {"IMGTYPE": "ACQ"}, "acq"),
        ("LSSTCam", {"IMGTYPE": "UNKNOWN"}, "unknown"),
        ("LSSTCam", {"IMGTYPE": None}, "unknown"),
        ("LSSTCam", {"IMGTYPE": "BIAS", "OBSTYPE": "FLAT"}, "bias"),
        ("LATISS", {"IMGTYPE": "BIAS", "OBSTYPE": "FLAT"}, "flat"),
        ("LATISS", {"IMGTYPE": None, "GROUPID": "bias"}, "bias"),
        ("LATISS", {"IMGTYPE": None, "GROUPID": "dark_0001_0002"}, "dark"),
        ("LATISS", {"IMGTYPE": None, "GROUPID": "biased opinion"}, "unknown"),
        ("LSSTCam", {"IMGTYPE": None, "GROUPID": "bias"}, "unknown"),
    ],
)
def test_observation_types(instrument: str, cards: dict[str, Any], expected: str) -> None:
    found = latiss(**cards) if instrument == "LATISS" else translated(**cards)
    assert found.observation_type == expected


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"FILTER": "SDSSr_65mm", "GRATING": "empty_1"}, "SDSSr_65mm~empty"),
        ({"FILTER": "empty_2", "GRATING": "ronchi90lpmm"}, "empty~ronchi90lpmm"),
        ({"FILTER": None}, "unknown~unknown"),
    ],
)
def test_latiss_filters(cards: dict[str, Any], expected: str) -> None:
    assert latiss(**cards).physical_filter == expected


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"FILTER": "r_57"}, "r_57"),
        ({"FILTER": None}, "unknown"),
        ({"FILTER": "SDSSi", "FILTER2": "ND_OD0.5"}, "SDSSi~ND_OD0.5"),
    ],
)
def test_filters_of_the_other_cameras(cards: dict[str, Any], expected: str) -> None:
    assert translated(**cards).physical_filter == expected


def test_utc_headers_become_tai_by_the_table() -> None:
    begin = translated(TIMESYS="UTC").timespan.begin_tai_ns
    assert begin - iso_to_ns("2025-06-10T07:31:55.280") == 37 * NS_PER_S
    early = {"TIMESYS": "UTC", "DATE__BEG": "2015-06-30T00:00:00", "DATE__END": None}
    assert translated(**early).timespan.begin_tai_ns - iso_to_ns("2015-06-30T00:00:00") == 35 * NS_PER_S


def test_a_header_without_time_scale_is_tai() -> None:
    found = translated(TIMESYS=None, DATE__BEG=None, DATE__OBS="2019-03-19T15:50:28.145", DATE__END=None)
    assert found.timespan.begin_tai_ns == iso_to_ns("2019-03-19T15:50:28.145")


def test_a_1970_date_falls_back_to_the_date_of_writing() -> None:
    found = latiss(
        DATE__BEG="1970-01-01T00:00:08.000", DATE__END="1970-01-01T00:00:08.000", DATE="2019-11-04T19:42:47.130"
    )
    assert found.timespan.begin_tai_ns == iso_to_ns("2019-11-04T19:42:47.130")
    assert found.timespan.end_tai_ns - found.timespan.begin_tai_ns == 30_900_000_000


@pytest.mark.parametrize("end", [None, "2025-06-10T07:31:50.000", "2025-06-10T07:31:55.280", "2025-06-10T07:32:00.000"])
def test_an_end_that_leaves_no_room_for_the_exposure_is_not_believed(end: str | None) -> None:
    span = translated(DATE__END=end).timespan
    assert span.end_tai_ns - span.begin_tai_ns == 30_900_000_000


def test_a_bias_lasts_at_least_a_nanosecond() -> None:
    span = translated(IMGTYPE="BIAS", EXPTIME=0.0, DARKTIME=None, DATE__END=None).timespan
    assert span.end_tai_ns - span.begin_tai_ns == 1


def test_dark_time_is_never_less_than_the_exposure_time() -> None:
    assert translated(DARKTIME=0.0).dark_time_s == 30.0
    assert translated(DARKTIME=None).dark_time_s == 30.0
    assert translated().dark_time_s == 30.9


def test_missing_exposure_times_that_are_known() -> None:
    assert translated(IMGTYPE="BIAS", EXPTIME=None).exposure_time_s == 0.0
    unknown = translated(IMGTYPE="UNKNOWN", EXPTIME=None, DARKTIME=537.4, DATE__END=None)
    assert (unknown.exposure_time_s, unknown.dark_time_s) == (0.0, 537.4)
    assert refusal(IMGTYPE="UNKNOWN", EXPTIME=None, DARKTIME=None).code == "E-RAW-EXPTIME"


def test_day_and_number_from_elsewhere() -> None:
    found = translated(DAYOBS=None, SEQNUM=None)
    assert (found.day_obs, found.seq_num) == (20250609, 578)
    assert translated(DAYOBS="2025-06-09").day_obs == 20250609


def test_camera_state_is_what_the_header_has() -> None:
    state = {"SEQNAME": "a.seq", "SEQCKSUM": "0012", "ODP": 26.9, "AP0_RC": True, "TEMP_SET": -94.15}
    assert translated(**state).camera_state == {"SEQNAME": "a.seq", "SEQCKSUM": "0012", "ODP": "26.9", "AP0_RC": "T"}
    assert latiss(**state).camera_state["TEMP_SET"] == "-94.15"
    assert translated(SEQNAME="  ").camera_state == {}


def test_the_operator_overrules_the_header() -> None:
    found = translate_cards(header(), camera("LSSTCam"), name="x", observation_type="flat")[0]
    assert found.observation_type == "flat"
