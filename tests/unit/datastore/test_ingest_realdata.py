"""Real frames and header dumps of many years: each one translates as listed, or is refused for the reason listed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from calibstore.datastore.camera_file import load_camera
from calibstore.datastore.lsst_translator import identify
from calibstore.datastore.raw_headers import read_headers, translate, translate_header
from calibstore.errors import StoreError, UserInputError
from calibstore.model.exposure import Exposure

FOLDER = os.environ.get("CABSTAND_REALDATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not FOLDER, reason="real frames are not shipped: set CABSTAND_REALDATA to the folder that holds lsst_raw"
    ),
]

Row = tuple[str, int, int, str, str, float]
"""Instrument, exposure, detector, type, filter, exposure time [s]."""

RAW: dict[str, Row | tuple[str, str]] = {
    "201607220607067-R071-S00-det071.fits": ("E-RAW-CAMERA", "test stand"),
    "201807241028453-RTM-010-S11-det067.fits": ("E-RAW-CAMERA", "test stand"),
    "201811151255111-R433-S00-det433.fits": ("E-RAW-CAMERA", "test stand"),
    "2023103100227-R21-S01-det010.fits": ("E-RAW-CAMERA", "test stand"),
    "3018092000065-det000.fits": ("LATISS", 3018092000065, 0, "unknown", "unknown~unknown", 27.0),
    "3019031900001-R10-S02-det029.fits": ("LSSTCam", 3019031900001, 29, "bias", "unknown", 0.0),
    # An ITL engineering raft stood in R22, where the camera has E2V ever since.
    "3019031900001-R22-S21-det097.fits": ("E-RAW-GEOMETRY", "ITL in the file, E2V in the camera"),
    "3019032200002-R10-S22-det035.fits": ("LSSTCam", 3019032200002, 35, "flat", "SDSSi~ND_OD0.5", 1.0),
    "3019053000001-R22-S00-det000.fits": ("LSSTComCam", 3019053000001, 0, "bias", "unknown", 0.0),
    "30211212000310-R22-S22-det098.fits": ("LSSTCam", 3021121200310, 98, "flat", "SDSSi~empty", 7.83172),
    "3023073000237-R22-S01-det001.fits": ("E-RAW-CAMERA", "test stand"),
    "7024032100720-R22-S11-det094.fits.fz": ("E-RAW-CAMERA", "simulated"),
    "CC_S_20240404_000780_R22_S01.fits": ("E-RAW-CAMERA", "simulated"),
    "MC_C_20230616_000013_R04_SG0.fits": ("E-RAW-GUIDER", "guider"),
    "MC_C_20240918_000013_R00_SG0_guider.fits": ("E-RAW-GUIDER", "guider"),
}

HEADERS: dict[str, Row | tuple[str, str]] = {
    "UCD-E2V-CCD250-TS_C_20231031_000227_R21_S01.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "UCD-ITL-3800C-TS_C_20230730_000237_R22_S01.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "comCam-CC_C_20190530_000001_R22_S00.yaml": ("LSSTComCam", 3019053000001, 0, "bias", "unknown", 0.0),
    "comCam-CC_H_20100217_006001_R22_S00.yaml": ("LSSTComCam", 4010021706001, 0, "science", "g_01", 1.0),
    "comCamSim-CC_S_20240321_000093_R22_S22.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "comCamSim-IM_P_20240117_000000_R22_S00.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "imsim-dark-lsst_a_4010003_R11_S11.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "imsim-flats-lsst_a_5000007_R11_S20_i.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "latiss-2018-09-20-05700065-det000.yaml": ("LATISS", 3018092000065, 0, "unknown", "unknown~unknown", 27.0),
    # A readout nobody asked for: no exposure time, a dark time of nine minutes.
    "latiss-AT_C_20220426_000004_R00_S00.yaml": ("LATISS", 3022042600004, 0, "unknown", "unknown~unknown", 0.0),
    "latiss-AT_O_20190329_000022-ats-wfs_ccd.yaml": ("LATISS", 2019032900022, 0, "bias", "unknown~unknown", 0.0),
    "latiss-AT_O_20190915_000037.yaml": ("LATISS", 2019091500037, 0, "bias", "unknown~unknown", 0.0),
    "latiss-AT_O_20191104_000003.yaml": ("LATISS", 2019110400003, 0, "science", "unknown~unknown", 3.0),
    "latiss-AT_O_20191113_000061.yaml": ("LATISS", 2019111300061, 0, "science", "empty~ronchi90lpmm", 0.5),
    "latiss-AT_O_20200121_000045.yaml": ("LATISS", 2020012100045, 0, "science", "blank_bk7_wg05~empty", 100.0),
    "latiss-AT_O_20200128_000335.yaml": ("LATISS", 2020012800335, 0, "engtest", "blank_bk7_wg05~ronchi90lpmm", 7.5),
    "latiss-AT_O_20210210_000011.yaml": ("LATISS", 2021021000011, 0, "engtest", "RG610~ronchi90lpmm", 1.0),
    "latiss-AT_O_20210212_000006.yaml": ("LATISS", 2021021200006, 0, "engtest", "RG610~ronchi90lpmm", 1.0),
    "latiss-AT_O_20220405_000349.yaml": ("LATISS", 2022040500349, 0, "science", "SDSSr~empty", 30.0),
    "latiss-AT_O_20230321_000053.yaml": ("LATISS", 2023032100053, 0, "dark", "empty~empty", 30.0),
    "latiss-AT_O_20240624_000106_R00_S00-patched.yaml": (
        "LATISS", 2024062400106, 0, "science", "SDSSr_65mm~empty", 30.0,
    ),
    "latiss-AT_O_20240624_000106_R00_S00.yaml": ("LATISS", 2024062400106, 0, "cwfs", "SDSSr_65mm~empty", 30.0),
    "latiss-future-bad.yaml": ("E-RAW-EXPTIME", "the exposure time is missing"),
    "latiss-future.yaml": ("LATISS", 2020032900022, 0, "bias", "unknown~unknown", 0.0),
    "lsstCam-MC_C_20190319_000001_R22_S21.yaml": ("LSSTCam", 3019031900001, 97, "bias", "unknown", 0.0),
    "lsstCam-MC_C_20190322_000002_R10_S22.yaml": ("LSSTCam", 3019032200002, 35, "flat", "SDSSi~ND_OD0.5", 1.0),
    "lsstCam-MC_C_20231107_000078_R01_S01.json": ("LSSTCam", 2023110700078, 1, "bias", "ph_05", 0.0),
    "lsstCam-MC_C_20250425_000031_R01_S01.yaml": ("LSSTCam", 2025042500031, 1, "unknown", "unknown", 2.767),
    "lsstCam-MC_O_20250415_000060_R01_S01.yaml": ("LSSTCam", 2025041500060, 1, "acq", "i_39", 15.0),
    "lsstCam-MC_O_20250415_000228_R10_S20.yaml": ("LSSTCam", 2025041500228, 33, "acq", "i_39", 30.0),
    "lsstCam-MC_O_20250609_000578_R01_S01.yaml": ("LSSTCam", 2025060900578, 1, "science", "y_10", 30.0),
    "lsstCam-MC_O_20251121_000156_R44_SW0.json": ("LSSTCam", 2025112100156, 203, "science", "i_39", 30.0),
    "lsstCam-faked-future-ccs.yaml": ("LSSTCam", 2029031900001, 29, "bias", "unknown", 0.0),
    "lsstCamSim-MC_S_20240321_000720_R22_S11.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "phosim-hdu0-lsst_a_204595_f3_R11_S02_E000.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "phosim-hdu1-lsst_a_204595_f3_R11_S02_E000.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts3-E2V-CCD250-411_lambda_flat_1000_025_20181115075559.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts3-ITL-3800C-098_lambda_flat_1000_067_20160722020740.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts8-E2V-CCD250-200-Dev_lambda_flat_0700_6006D_20180724102845.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts8-E2V-CCD250-220_fe55_fe55_094_6288_20171215114006.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts8-TS_C_20230512_000021_R22_S02-fixed.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts8-TS_C_20230512_000021_R22_S02.yaml": ("E-RAW-CAMERA", "unknown camera"),
    "ts8-TS_C_20230525_000041_R22_S00.yaml": ("E-RAW-CAMERA", "unknown camera"),
}  # fmt: skip


class PropertyListLoader(yaml.SafeLoader):
    """Reads the observatory's tagged header dumps: [name, type, value(s), comment] each."""


def _property_list(loader: PropertyListLoader, node: yaml.SequenceNode) -> dict[str, Any]:
    rows = loader.construct_sequence(node, deep=True)
    return {row[0]: row[2][0] if isinstance(row[2], list) else row[2] for row in rows}


PropertyListLoader.add_constructor("lsst.daf.base.PropertyList", _property_list)


def dumped_cards(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    cards: dict[str, Any] = (
        json.loads(text) if path.suffix == ".json" else yaml.load(text, PropertyListLoader)  # derives from SafeLoader
    )
    return cards


def row(exposure: Exposure, detector: int) -> Row:
    return (
        exposure.instrument,
        exposure.id,
        detector,
        exposure.observation_type,
        exposure.physical_filter,
        exposure.exposure_time_s,
    )


def refusal_of(problem: UserInputError, name: str) -> str:
    assert problem.message.startswith(f"{name}: ")
    assert "\n" not in problem.message
    return problem.code


def test_the_lists_are_of_the_whole_folders() -> None:
    assert sorted(path.name for path in Path(FOLDER, "lsst_raw").iterdir()) == sorted(RAW)
    assert sorted(path.name for path in Path(FOLDER, "lsst_headers").iterdir()) == sorted(HEADERS)


@pytest.mark.parametrize("name", RAW)
def test_a_raw_file_ingests_or_is_refused_with_its_reason(name: str) -> None:
    path = Path(FOLDER, "lsst_raw", name)
    expected = RAW[name]
    if len(expected) == 6:
        camera = load_camera(identify(read_headers(path).cards, name=name))
        assert row(*translate(path, camera)) == expected
        return
    code, said = expected
    with pytest.raises(UserInputError) as caught:
        translate(path, load_camera("LSSTCam"))
    assert refusal_of(caught.value, name) == code
    assert said in caught.value.message


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_dump_translates_or_is_refused_with_its_reason(name: str) -> None:
    cards = dumped_cards(Path(FOLDER, "lsst_headers", name))
    expected = HEADERS[name]
    if len(expected) == 6:
        assert row(*translate_header(cards, name=name)) == expected
        return
    code, said = expected
    with pytest.raises(UserInputError) as caught:
        translate_header(cards, name=name)
    assert refusal_of(caught.value, name) == code
    assert said in caught.value.message


def test_only_one_dump_is_refused_for_its_exposure_time() -> None:
    assert [name for name, expected in HEADERS.items() if expected[0] == "E-RAW-EXPTIME"] == ["latiss-future-bad.yaml"]


def test_a_latiss_repository_refuses_the_other_cameras() -> None:
    with pytest.raises(UserInputError, match="of LSSTCam, this repository of LATISS"):
        translate(Path(FOLDER, "lsst_raw", "30211212000310-R22-S22-det098.fits"), load_camera("LATISS"))
    with pytest.raises(UserInputError, match="the frame is real"):
        translate(Path(FOLDER, "lsst_raw", "3018092000065-det000.fits"), load_camera("LATISS:mini"))


def test_every_sbig_frame_ingests() -> None:
    camera = load_camera("sbig_stl1001")
    found: dict[str, list[Exposure]] = {"bias": [], "dark": [], "science": []}
    for path in sorted(Path(FOLDER, "sbig_stl1001").iterdir()):
        exposure, detector = translate(path, camera)
        assert detector == 0
        found[exposure.observation_type].append(exposure)
    assert {kind: len(exposures) for kind, exposures in found.items()} == {"bias": 10, "dark": 10, "science": 8}
    assert {exposure.exposure_time_s for exposure in found["dark"]} == {60.0}
    everything = [exposure for exposures in found.values() for exposure in exposures]
    assert len({exposure.id for exposure in everything}) == 28
    assert len({exposure.seq_num for exposure in everything}) == 28
    assert {exposure.day_obs for exposure in everything} == {20170908}
    assert {exposure.camera_state["SET-TEMP"] for exposure in everything} == {"-5.0"}
    assert found["bias"][0].id == 20170908204508464


def test_the_operator_calls_the_sbig_light_frames_flats() -> None:
    flats = sorted(Path(FOLDER, "sbig_stl1001").glob("flat*"))
    kinds = {
        translate(path, load_camera("sbig_stl1001"), observation_type="flat")[0].observation_type for path in flats
    }
    assert kinds == {"flat"}


def test_a_real_frame_cut_short_is_named(tmp_path: Path) -> None:
    source = Path(FOLDER, "sbig_stl1001", "biases-Neg5-Vis.00000000.BIAS.fits.fz").read_bytes()
    for keep in (1000, 3000, len(source) // 2, len(source) - 5000):
        path = tmp_path / f"cut{keep}.fits.fz"
        path.write_bytes(source[:keep])
        with pytest.raises(StoreError, match=rf"^cut{keep}\.fits\.fz: ") as caught:
            translate(path, load_camera("sbig_stl1001"))
        assert caught.value.code == "E-TRUNCATED"
