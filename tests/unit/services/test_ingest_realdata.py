"""Every real frame is recorded, or refused in one line by the camera that knows it."""

import os
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.raws import Ingest, ShowExposures
from calibstore.commands.repository import Init
from calibstore.config import Config
from calibstore.services.context import Context, forget_engines
from calibstore.services.doors import ask, execute

FOLDER = os.environ.get("CABSTAND_REALDATA", "")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not FOLDER,
        reason="real frames are not shipped: set CABSTAND_REALDATA to the folder that holds lsst_raw and sbig_stl1001",
    ),
]

RECORDED = {
    "3018092000065-det000.fits": ("LATISS", 3018092000065, 0, "unknown"),
    "3019031900001-R10-S02-det029.fits": ("LSSTCam", 3019031900001, 29, "bias"),
    "3019032200002-R10-S22-det035.fits": ("LSSTCam", 3019032200002, 35, "flat"),
    "3019053000001-R22-S00-det000.fits": ("LSSTComCam", 3019053000001, 0, "bias"),
    "30211212000310-R22-S22-det098.fits": ("LSSTCam", 3021121200310, 98, "flat"),
}
_STAND = "unknown camera: the file is from a test stand"
REFUSED = {
    "201607220607067-R071-S00-det071.fits": f"{_STAND} (INSTRUME ArchonCCDController, TSTAND BNL-TS3-2-Janeway)",
    "201807241028453-RTM-010-S11-det067.fits": f"{_STAND} (TSTAND TS8)",
    "201811151255111-R433-S00-det433.fits": f"{_STAND} (INSTRUME ArchonCCDController, TSTAND BNL-TS3-2-Janeway)",
    "2023103100227-R21-S01-det010.fits": f"{_STAND} (INSTRUME LSST-UCDCam, TSTAND LSST_Beam_Simulator)",
    "3019031900001-R22-S21-det097.fits": (
        "R22_S21 C10 has data section [4:512,1:2000], camera LSSTCam expects [11:522,1:2002] "
        "(ITL in the file, E2V in the camera)"
    ),
    "3023073000237-R22-S01-det001.fits": f"{_STAND} (INSTRUME LSST-UCDCam-ITL, TSTAND LSST_Beam_Simulator)",
    "7024032100720-R22-S11-det094.fits.fz": "unknown camera: the file is simulated (INSTRUME LSSTCamSim)",
    "CC_S_20240404_000780_R22_S01.fits": "unknown camera: the file is simulated (INSTRUME ComCamSim)",
    "MC_C_20230616_000013_R04_SG0.fits": "guider stamps (R04_SG0), not a full frame",
    "MC_C_20240918_000013_R00_SG0_guider.fits": "guider stamps (R00_SG0), not a full frame",
}


def repository(path: Path, *cameras: str) -> Context:
    context = Context(
        root=path,
        clock=lambda: 1_800_000_000_000_000_000,
        user="ada",
        host="here",
        config=Config(data_dir=path.parent, state_dir=path.parent),
    )
    execute(Init(path=str(path), camera=cameras, kind="test"), context)
    return context


def types(context: Context) -> Counter[str]:
    return Counter(one["observation_type"] for one in ask(ShowExposures(), context).data["exposures"])


@pytest.mark.parametrize("more", [(), ("sbig_stl1001",)], ids=["observatory", "with another camera"])
def test_every_lsst_file_is_recorded_or_refused_by_name(tmp_path: Path, more: tuple[str, ...]) -> None:
    context = repository(tmp_path / "repo", "LATISS", "LSSTComCam", "LSSTCam", *more)
    files = sorted(path.name for path in Path(FOLDER, "lsst_raw").iterdir())
    assert files == sorted([*RECORDED, *REFUSED])
    effect = execute(Ingest(paths=(str(Path(FOLDER, "lsst_raw")),)), context)
    recorded: dict[str, tuple[Any, ...]] = {
        Path(one["path"]).name: (one["instrument"], one["exposure"], one["detector"], one["observation_type"])
        for one in effect.data["recorded"]  # type: ignore[attr-defined]  # JSON
    }
    assert recorded == RECORDED
    assert {one["file"]: one["reason"] for one in effect.data["refused"]} == REFUSED  # type: ignore[attr-defined]
    assert effect.exit_code == 2
    again = execute(Ingest(paths=(str(Path(FOLDER, "lsst_raw")),)), context)
    assert (again.state, again.summary) == (None, "0 files recorded, 5 known already, 10 refused")
    forget_engines()


def test_the_sbig_frames_and_what_the_operator_says_of_the_flats(tmp_path: Path) -> None:
    context = repository(tmp_path / "repo", "sbig_stl1001")
    folder = Path(FOLDER, "sbig_stl1001")
    effect = execute(Ingest(paths=(str(folder),)), context)
    assert effect.summary == "28 files recorded (10 bias, 10 dark, 8 science)"
    assert effect.exit_code == 0
    flats = (str(folder / "flat*"),)
    effect = execute(Ingest(paths=flats, observation_type="flat"), context)
    assert effect.summary == "0 files recorded, 8 known already, 8 exposures now flat"
    assert types(context) == {"bias": 10, "dark": 10, "flat": 8}
    effect = execute(Ingest(paths=(str(folder / "bias*"),), observation_type="flat"), context)
    assert effect.summary == "0 files recorded, 10 refused"
    assert types(context) == {"bias": 10, "dark": 10, "flat": 8}
    forget_engines()


def test_the_sbig_flats_said_at_once(tmp_path: Path) -> None:
    context = repository(tmp_path / "repo", "sbig_stl1001")
    flats = (str(Path(FOLDER, "sbig_stl1001", "flat*")),)
    effect = execute(Ingest(paths=flats, observation_type="flat", transfer="copy"), context)
    assert effect.summary == "8 files recorded (8 flat)"
    assert execute(Ingest(paths=flats), context).state is None
    assert types(context) == {"flat": 8}
    with sqlite3.connect(context.store_path) as connection:
        assert connection.execute("select distinct is_type_by_operator from exposure").fetchall() == [(1,)]
    forget_engines()


def test_the_sbig_biases_by_the_rules(tmp_path: Path) -> None:
    context = repository(tmp_path / "repo", "sbig_stl1001")
    execute(Ingest(paths=(str(Path(FOLDER, "sbig_stl1001")),)), context)
    where = "instrument='SBIG-STL1001' and exposure.observation_type='bias'"
    answer = ask(ShowExposures(where=where, for_="bias"), context)
    assert [one["rule"] for one in answer.data["findings"]] == ["W-COUNT"]
    assert "10 frames" in answer.data["findings"][0]["text"]
    assert "5.21 % (red)" in answer.data["findings"][0]["text"]
    assert max(map(len, answer.lines)) <= 80
    forget_engines()
