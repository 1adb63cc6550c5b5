"""Camera files: the shipped one, names, and every fault told at once, each in one line."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from calibstore.datastore.camera_file import load_camera, packaged_cameras, parse_camera
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.camera import Box, Camera
from calibstore.model.codec import from_plain, to_plain
from calibstore.model.profiles import load_profile

AMPLIFIER: dict[str, Any] = {
    "name": "A",
    "extension": "",
    "raw": [40, 34],
    "data": {"x": 4, "y": 0, "width": 32, "height": 30},
    "prescan": {"x": 0, "y": 0, "width": 4, "height": 30},
    "serial_overscan": {"x": 36, "y": 0, "width": 4, "height": 30},
    "parallel_overscan": {"x": 4, "y": 30, "width": 32, "height": 4},
    "flip": "x",
    "place": [0, 0],
    "gain": {"value": 2.0, "unit": "electron/adu"},
    "read_noise": {"value": 10.0, "unit": "electron"},
    "saturation": {"value": 100000, "unit": "electron"},
    "source": "data sheet",
}
GOOD: dict[str, Any] = {
    "instrument": "MyCam",
    "identification": {"INSTRUME": ["MyCam", "MYCAM"]},
    "time": {"card": "DATE-OBS", "scale": "utc", "instant": "middle", "day_obs_offset_h": 12.0, "zone": "Europe/Paris"},
    "exposure_id": {"rule": "day_seq", "sequence_card": "FRAMENO"},
    "observation_type": {"card": "IMAGETYP", "values": {"Bias Frame": "bias", "Light": "science"}},
    "exposure_time": {"card": "EXPTIME", "dark_card": "DARKTIME"},
    "filter": {"card": "FILTER", "missing": "open"},
    "filters": [{"name": "R", "band": "r"}],
    "cards": {"target": "OBJECT", "program": "PROGID"},
    "state_keywords": ["SET-TEMP"],
    "typical_science_exposure_s": 120.0,
    "limits": {"profile": "mycam", "values": {"resid_mean": {"warn": 0.2, "fail": 0.4, "unit": "electron"}}},
    "detectors": [{"id": 0, "name": "S00", "size": [32, 30], "amplifiers": [AMPLIFIER]}],
}


def parsed(**changes: Any) -> Camera:
    return parse_camera(yaml.safe_dump(copy.deepcopy(GOOD) | changes), file="my.yaml")


def faults(content: object) -> list[str]:
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    with pytest.raises(UserInputError) as caught:
        parse_camera(text, file="my.yaml")
    assert caught.value.code == "E-CAMERAFILE"
    assert caught.value.hint
    lines = caught.value.message.split("\n")
    assert all(line.startswith("my.yaml: ") for line in lines)
    return lines


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the good file with one key set, or deleted for None."""
    content = copy.deepcopy(GOOD)
    place: Any = content
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in parents:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return content


def test_a_good_file() -> None:
    found = parsed()
    assert (found.instrument, found.translator, found.variant, found.simulated) == ("MyCam", "generic", "", False)
    assert (found.day_obs_offset_h, found.time_zone, found.typical_science_exposure_s) == (12.0, "Europe/Paris", 120.0)
    assert found.band("R") == "r"
    assert found.has_overscan
    amp = found.detectors[0].amplifiers[0]
    assert (amp.data, amp.serial_overscan, amp.parallel_overscan) == (
        Box(4, 0, 32, 30),
        Box(36, 0, 4, 30),
        Box(4, 30, 32, 4),
    )
    assert (amp.flip_x, amp.flip_y, amp.gain_e_per_adu) == (True, False, 2.0)
    assert (amp.read_noise_e, amp.saturation_adu) == (10.0, 50000.0)
    assert from_plain(Camera, to_plain(found)) == found


def test_units_of_the_electronics_are_converted() -> None:
    amplifier = AMPLIFIER | {
        "read_noise": {"value": 5.0, "unit": "adu"},
        "saturation": {"value": 60000, "unit": "adu"},
    }
    amp = parsed(detectors=[GOOD["detectors"][0] | {"amplifiers": [amplifier]}]).detectors[0].amplifiers[0]
    assert (amp.read_noise_e, amp.saturation_adu) == (10.0, 60000.0)


def test_the_cameras_own_limits_reach_the_profile() -> None:
    profile = load_profile(camera=parsed())
    test = next(found for found in profile.criteria if found.test == "resid_mean")
    assert (profile.tier, test.warn, test.fail) == ("strict", (0.2,), (0.4,))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("instrument", "My Cam/1", "instrument: 'My Cam/1' is not a name of letters"),
        ("identification", {}, "identification: '{}' is not at least one card"),
        ("identification/INSTRUME", "MyCam", "identification.INSTRUME: 'MyCam' is not a list of texts"),
        ("time/scale", "gps", "time.scale: 'gps' is not one of utc, tai, tt"),
        ("time/instant", "start", "time.instant: 'start' is not one of begin, middle, end"),
        ("time/day_obs_offset_h", 24, "time.day_obs_offset_h: 24 is not a number from 0 to below 24"),
        ("time/zone", "Mars/Olympus", "time.zone: 'Mars/Olympus' is not an IANA time zone"),
        ("time/card", "date of obs", "time.card: 'date of obs' is not a FITS keyword"),
        ("exposure_id/rule", "random", "exposure_id.rule: 'random' is not one of date_ms, day_seq, card"),
        ("exposure_id/sequence_card", None, "exposure_id.sequence_card: missing; expected a text"),
        ("observation_type/values/Light", "light", "observation_type.values.Light: 'light' is not one of acq, bias"),
        ("observation_type/values", None, "observation_type.values: missing"),
        ("exposure_time", None, "exposure_time: missing; expected a mapping"),
        ("state_keywords", None, "state_keywords: missing; expected a list of FITS keywords"),
        ("state_keywords", ["set temp"], "state_keywords: 'set temp' is not a FITS keyword"),
        ("typical_science_exposure_s", "long", "typical_science_exposure_s: 'long' is not a number from 0"),
        ("limits/values/no_such_test", 3, "limits:"),
        ("limits/values/resid_mean/unit", "adu", "limits:"),
        ("detectors", [], "detectors: [] is not a list with at least one entry"),
        ("detectors/0/id", -1, "detectors[0].id: -1 is not a whole number from 0"),
        ("detectors/0/size", [32], "detectors[0].size: [32] is not [columns, rows], whole numbers from 1"),
        ("detectors/0/size", [33, 30], "detectors[0].size: [33, 30] is not as many pixels"),
        ("detectors/0/amplifiers/0/flip", "z", "detectors[0].amplifiers[0].flip: 'z' is not one of none, x, y, xy"),
        ("detectors/0/amplifiers/0/data/width", 40, "is not inside the raw array of 40 columns and 34 rows"),
        ("detectors/0/amplifiers/0/data/width", "wide", "data.width: 'wide' is not a whole number from 1"),
        ("detectors/0/amplifiers/0/data", "none", "data: 'none' is not a box"),
        ("detectors/0/amplifiers/0/prescan", None, "prescan: missing; expected a box {x, y, width, height} or none"),
        ("detectors/0/amplifiers/0/serial_overscan/height", 10, "is not the rows of data (y 0, height 30)"),
        ("detectors/0/amplifiers/0/parallel_overscan/x", 5, "is not the columns of data (x 4, width 32)"),
        ("detectors/0/amplifiers/0/place", [1, 0], "place: [1, 0] is not a place where 32x30 pixels fit"),
        ("detectors/0/amplifiers/0/gain/unit", "adu/electron", "gain.unit: 'adu/electron' is not one of electron/adu"),
        ("detectors/0/amplifiers/0/gain/value", 0, "gain.value: 0.0 is not above 0"),
        ("detectors/0/amplifiers/0/gain", 2.0, "gain: 2.0 is not a mapping"),
        ("detectors/0/amplifiers/0/source", None, "source: missing; expected a text"),
        ("detectors/0/amplifiers/0/colour", "red", "'colour' is not a key here; known: data, extension"),
        ("obervation_type", {}, "'obervation_type' is not a key here"),
    ],
)
def test_a_fault_names_file_key_value_and_what_is_allowed(path: str, value: object, said: str) -> None:
    lines = faults(changed(path, value))
    assert len(lines) == 1, lines
    assert said in lines[0]


def test_all_faults_are_told_at_once() -> None:
    content = changed("time/scale", "gps")
    content["instrument"] = ""
    del content["filter"]
    content["detectors"][0]["amplifiers"][0]["flip"] = "sideways"
    assert len(faults(content)) == 4


@pytest.mark.parametrize("content", ["", "just text", "- a\n- list", "a: b: c", "key: [1, 2"])
def test_what_is_no_camera_file_is_refused(content: str) -> None:
    assert faults(content)


def test_two_detectors_need_a_card_that_tells_them_apart() -> None:
    one = GOOD["detectors"][0]
    other = one | {"id": 1, "name": "S01"}
    assert any("detector_card: missing" in line for line in faults(GOOD | {"detectors": [one, other]}))
    good = [one | {"header_value": "left"}, other | {"header_value": "right"}]
    found = parsed(detectors=good, detector_card="CCDNAME")
    assert found.header_rules["detector"] == {"card": "CCDNAME", "values": {"left": 0, "right": 1}}
    twice = [one | {"header_value": "left"}, one | {"header_value": "right"}]
    assert any("no other detector has" in line for line in faults(GOOD | {"detectors": twice, "detector_card": "C"}))


def test_names_paths_and_variants(tmp_path: Path) -> None:
    assert load_camera("LSSTComCam").variant == ""
    assert load_camera("LATISS:mini").variant == "mini"
    assert load_camera("LATISS:mini").simulated
    assert load_camera("LSSTComCam:simulated").label == "LSSTComCam (simulated)"
    assert load_camera("sbig_stl1001").instrument == "SBIG-STL1001"
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    assert load_camera(path) == load_camera(str(path)) == parsed()


@pytest.mark.parametrize("name", ["latiss", "nowhere/cam.yaml", "sbig_stl1001:mini", "LATISS:big", ""])
def test_an_unknown_camera_lists_the_known_ones(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_camera(name)
    assert "LATISS" in caught.value.hint
    assert "sbig_stl1001" in caught.value.hint


def test_a_binary_file_is_no_camera_file(tmp_path: Path) -> None:
    path = tmp_path / "cam.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotFoundError, match="UTF-8"):
        load_camera(path)


@pytest.mark.parametrize("name", packaged_cameras())
def test_every_shipped_camera_file_loads_and_survives_storage(name: str) -> None:
    found = load_camera(name)
    assert from_plain(Camera, to_plain(found)) == found
    assert all(amp.source for detector in found.detectors for amp in detector.amplifiers)


def test_the_sbig_has_no_overscan_and_a_drift_limit() -> None:
    found = load_camera("sbig_stl1001")
    assert not found.has_overscan
    amp = found.detectors[0].amplifiers[0]
    assert (amp.gain_e_per_adu, round(amp.read_noise_e, 3)) == (1.95, 13.065)
    tests = {criterion.test: criterion for criterion in load_profile(camera=found).criteria}
    assert tests["level_drift"].fail == (0.5,)
    assert "resid_mean" not in tests


def _two_amplifiers(**changes: Any) -> dict[str, Any]:
    second = {**copy.deepcopy(AMPLIFIER), "name": "B", "extension": "B", "place": [32, 0], **changes}
    detector = {"id": 0, "name": "S00", "size": [64, 30], "amplifiers": [{**AMPLIFIER, "extension": "A"}, second]}
    return changed("detectors", [detector])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "A"}, "detectors[0].amplifiers[1].name: 'A' is not a name no other amplifier has"),
        ({"place": [16, 0]}, "detectors[0].amplifiers[1].place: [16, 0] is not a place free of amplifier A"),
        (
            {"extension": "A"},
            "detectors[0].amplifiers[1].data: {'height': 30, 'width': 32, 'x': 4, 'y': 0} is not"
            " other pixels of 'A' than amplifier A's",
        ),
    ],
)
def test_amplifiers_share_neither_name_nor_pixels(changes: dict[str, Any], told: str) -> None:
    assert parse_camera(yaml.safe_dump(_two_amplifiers()), file="my.yaml")
    assert f"my.yaml: {told}" in faults(_two_amplifiers(**changes))


@pytest.mark.parametrize("kind", ["prescan", "serial_overscan", "parallel_overscan"])
def test_overscans_and_prescan_lie_outside_the_data(kind: str) -> None:
    content = changed(f"detectors/0/amplifiers/0/{kind}", copy.deepcopy(AMPLIFIER["data"]))
    told = "outside the imaging pixels (columns 4..35, rows 0..29)"
    assert any(f"amplifiers[0].{kind}: " in line and told in line for line in faults(content))


def test_two_detectors_need_two_header_values() -> None:
    content = copy.deepcopy(GOOD)
    first = content["detectors"][0]
    content["detector_card"] = "CCDNAME"
    content["detectors"] = [
        {**copy.deepcopy(first), "header_value": "same"},
        {**copy.deepcopy(first), "id": 1, "name": "S01", "header_value": "same"},
    ]
    assert "my.yaml: detectors[1].header_value: 'same' is not a value no other detector has" in faults(content)
    content["detectors"][1]["header_value"] = "other"
    content["detectors"][1]["name"] = "S00"
    assert "my.yaml: detectors[1].name: 'S00' is not a name no other detector has" in faults(content)
