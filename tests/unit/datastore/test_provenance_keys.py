"""Keys of processed files: FITS with CONTINUE, flat and nested dumps, and files that say nothing or two things."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstore.datastore.camera_file import load_camera
from calibstore.datastore.provenance_keys import (
    UsedCalib,
    detector_of,
    exposure_of,
    read_provenance,
    timespan_of,
)
from calibstore.errors import CabstandError, UserInputError
from calibstore.model.times import parse_time

RUN = "LSSTComCam/calib/DM-48520/DP1/biasGen.20250207a/with/a/name/that/needs/more/than/one/card/20250207T000000Z"
ID = "01a1fb5e-487b-791d-8115-ad001776e666"
DATE = "2025-02-07 01:02:03.000000"
CARDS = {
    "INSTRUME": "LATISS",
    "DAYOBS": "20250401",
    "SEQNUM": 7,
    "LSST CALIB RUN BIAS": RUN,
    "LSST CALIB UUID BIAS": ID,
    "LSST CALIB DATE BIAS": DATE,
    "LSST CALIB UUID CAMERA": "x",
}
EXPECTED = (UsedCalib(dataset_type="bias", uuid=ID, run=RUN, date=DATE),)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_fits_with_continued_keys(tmp_path: Path) -> None:
    header = fits.Header()
    for key, value in CARDS.items():
        header[f"HIERARCH {key}" if len(key) > 8 else key] = value
    assert "CONTINUE" in header.tostring()
    path = tmp_path / "image.fits"
    fits.HDUList([fits.PrimaryHDU(np.zeros((2, 2), np.float32), header)]).writeto(path)
    found = read_provenance(path)
    assert found.calibs == EXPECTED
    assert not found.is_self_check


def test_flat_json_and_yaml(tmp_path: Path) -> None:
    text = json.dumps(CARDS)
    for name in ("a.json", "a.yaml"):
        assert read_provenance(written(tmp_path / name, text)).calibs == EXPECTED


def test_nested_dumps_and_foreign_tags(tmp_path: Path) -> None:
    nested = {"quantum": {"isr": {"metadata": CARDS, "other": [1, 2]}}}
    assert read_provenance(written(tmp_path / "a.json", json.dumps(nested))).calibs == EXPECTED
    lines = "\n".join(f"  {key}: {json.dumps(value)}" for key, value in CARDS.items())
    tagged = f"isr: !<lsst.daf.base.PropertyList>\n{lines}\n"
    assert read_provenance(written(tmp_path / "a.yaml", tagged)).calibs == EXPECTED


def test_values_split_over_continue_entries(tmp_path: Path) -> None:
    head, middle, tail = RUN[:20] + "&", RUN[20:50] + "&", RUN[50:]
    text = (
        f'{{"LSST CALIB RUN BIAS": "{head}", "CONTINUE": "{middle}", "CONTINUE": "{tail}",'
        f' "LSST CALIB UUID BIAS": "{ID}", "LSST CALIB DATE BIAS": "{DATE}"}}'
    )
    assert read_provenance(written(tmp_path / "a.json", text)).calibs == EXPECTED
    assert read_provenance(written(tmp_path / "a.yaml", text)).calibs == EXPECTED
    listed = [
        ["LSST CALIB RUN BIAS", head, "a comment"],
        ["CONTINUE", middle],
        ["CONTINUE", tail],
        ["HIERARCH LSST CALIB UUID BIAS", ID],
        ["LSST CALIB DATE BIAS", DATE],
    ]
    assert read_provenance(written(tmp_path / "b.json", json.dumps(listed))).calibs == EXPECTED
    entries = [{"key": one[0], "value": one[1]} for one in listed]
    assert read_provenance(written(tmp_path / "c.json", json.dumps({"cards": entries}))).calibs == EXPECTED
    numbered = {"LSST CALIB RUN BIAS": head, "CONTINUE": [middle, tail], "LSST CALIB UUID BIAS": ID}
    assert read_provenance(written(tmp_path / "d.json", json.dumps(numbered))).calibs[0].run == RUN


@pytest.mark.parametrize(
    ("mark", "expected"), [(True, True), (False, False), ("T", True), ("F", False), (None, False), (1, True)]
)
def test_the_self_check_mark(tmp_path: Path, mark: object, expected: bool) -> None:
    text = json.dumps({**CARDS, "CAB ISR SELFCHECK": mark})
    assert read_provenance(written(tmp_path / "a.json", text)).is_self_check is expected


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a.json", "{}", "E-NOKEYS"),
        ("a.yaml", "", "E-NOKEYS"),
        ("a.json", '{"LSST CALIB UUID CAMERA": "x"}', "E-NOKEYS"),
        ("a.json", "{", "E-METADATA"),
        ("a.json", "[" * 100_000, "E-METADATA"),
        ("a.yaml", "a: [", "E-YAML"),
        ("a.json", '{"LSST CALIB UUID BIAS": "01a1fb5e-487b"}', "E-METADATA"),
        (
            "a.json",
            '{"a": {"LSST CALIB RUN BIAS": "x"}, "b": {"LSST CALIB RUN BIAS": "y"}}',
            "E-METADATA",
        ),
    ],
)
def test_files_that_prove_nothing_get_one_line(tmp_path: Path, name: str, text: str, code: str) -> None:
    with pytest.raises(UserInputError) as caught:
        read_provenance(written(tmp_path / name, text))
    assert caught.value.code == code
    assert "\n" not in caught.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(b"no fits at all")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    for name in ("a.fits", "b.json", "none.fits", "none.yaml"):
        with pytest.raises(CabstandError) as caught:
            read_provenance(tmp_path / name)
        assert "\n" not in caught.value.message


def test_which_exposure_and_detector() -> None:
    assert exposure_of({"EXPID": "2025040100007"}) == 2025040100007
    assert exposure_of({"DAYOBS": "20250401", "SEQNUM": 7}) == 2025040100007
    assert exposure_of({"OBSID": "AT_O_20250401_000007"}) == 2025040100007
    assert exposure_of({"DAYOBS": "20250401"}) is None
    one, nine = load_camera("LATISS:mini"), load_camera("LSSTComCam:mini")
    assert detector_of({}, one) == 0
    assert detector_of({}, nine) is None
    assert detector_of({"DETECTOR": 4}, nine) == 4
    assert detector_of({"RAFTBAY": "R22", "CCDSLOT": "S11"}, nine) == 4
    assert detector_of({"DET_NAME": "R22_S02"}, nine) == 2
    assert detector_of({"DETECTOR": 99}, nine) is None


def test_when_it_was_taken() -> None:
    cards = {"DATE-BEG": "2025-04-01T01:00:00", "DATE-END": "2025-04-01T01:00:30", "TIMESYS": "TAI"}
    found = timespan_of(cards, name="a")
    assert found is not None
    assert found.begin_tai_ns == parse_time("2025-04-01T01:00:00").tai_ns
    assert found.end_tai_ns - found.begin_tai_ns == 30_000_000_000
    assert timespan_of({}, name="a") is None
    assert timespan_of({**cards, "TIMESYS": "odd"}, name="a") is None
