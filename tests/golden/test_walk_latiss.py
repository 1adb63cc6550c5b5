"""The whole checklist of a simulated LATISS bias through the command line, twice: same inputs, same fingerprint."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.simulate_raws import rehearsal_plan, simulate_raws

NIGHTS = "instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs"
TOP, CHAIN = "LATISS/calib", "LATISS/calib/DM-42"
NAMES = "LATISS/calib/DM-42/seq26"


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raws")
    simulate_raws(rehearsal_plan(camera("LATISS", mini=True), 8, folder))
    return folder


def _build_and_judge(cabstand: Any, raws: Path, folder: Path) -> None:
    """From an empty folder to a board that must decide."""
    cabstand(f"cabstand init {folder}/home --camera LATISS:mini --kind rehearsal --site base")
    cabstand(f"cabstand ingest {raws}")
    cabstand("cabstand exposures --events")
    cabstand("cabstand campaign new LATISS DM-42 seq26 --why camera_change")
    cabstand(f'cabstand campaign inputs DM-42 bias --where "{NIGHTS}=20250408"')
    cabstand("cabstand generate bias DM-42")
    assert "2025040800006" in cabstand("cabstand spot bias DM-42").partition("apart")[2]
    cabstand("cabstand spot bias DM-42 --not-ok --comment 'light leak' --redo-without 6")
    cabstand("cabstand generate bias DM-42 --exclude '2025040800006=light leak' --rerun 20261120b")
    cabstand("cabstand spot bias DM-42 --ok")
    cabstand(
        f'cabstand campaign inputs DM-42 bias --purpose verify --where "{NIGHTS} in (20250408, 20250411)" '
        "--exclude '2025040800006=light leak'"
    )
    cabstand("cabstand verify bias DM-42 --fail-on-verdict", code=8)
    cabstand("cabstand report DM-42")
    cabstand(
        f"cabstand certify-calibrations {NAMES}/biasGen.20261120b {NAMES}/bias.20261120a bias "
        "--begin-date 2025-04-08T14:00:00"
    )


def _adopt(cabstand: Any) -> None:
    cabstand("cabstand campaign ticket DM-42 deployment DM-43")
    cabstand("cabstand hail DM-42 TAXICAB-5")
    cabstand("cabstand decide DM-42 adopt --people 'A. Chair'", code=5)
    proposed = re.findall(r"--waive \"?'?(test=[^\"'\s]*)", cabstand.said[-1])
    assert {re.search("amp=([^,]*)", one)[1] for one in proposed} == {"C04"}
    filled = [one.replace("reason=WHY", "reason=known noisy").replace("who=NAME", "who=A. Chair") for one in proposed]
    waivers = " ".join(f"--waive '{one}'" for one in filled)
    cabstand(f"cabstand decide DM-42 adopt_with_waivers --people 'A. Chair' --people 'B. Reviewer' {waivers}")


@pytest.mark.slow
def test_the_checklist_from_raw_frames_to_use_at_two_sites(
    terminal: Any, raws: Path, golden: Callable[[str, str], None], tmp_path: Path
) -> None:
    cabstand = terminal
    _build_and_judge(cabstand, raws, tmp_path)

    cabstand("cabstand deploy home DM-42", code=5)  # nobody has decided
    cabstand(f"cabstand collection-chain {TOP} {CHAIN} --mode prepend", code=5)  # nor is there a way round
    _adopt(cabstand)
    cabstand("cabstand deploy home DM-42 --dry-run")
    cabstand(f"cabstand deploy home DM-42 --confirm {TOP}")
    assert _winner(cabstand, 2025042000001) == f"{NAMES}/bias.20261120a"
    assert _winner(cabstand, 2025040100005) is None  # before the begin: under the old sequencer

    summit = f"cabstand -R {tmp_path}/summit"
    cabstand(f"cabstand init {tmp_path}/summit --camera LATISS:mini --kind rehearsal --site Summit")
    cabstand(f"{summit} ingest {raws}")
    cabstand(f"cabstand export-calibs {tmp_path}/bundle {CHAIN}")
    cabstand(f"{summit} import {tmp_path}/bundle --dry-run")
    cabstand(f"{summit} import {tmp_path}/bundle")
    cabstand(f"{summit} import {tmp_path}/bundle")  # a second time changes nothing
    cabstand(
        f"cabstand deploy summit-rehearsal DM-42 --location {tmp_path}/summit --bundle {tmp_path}/bundle "
        f"--confirm {TOP}"
    )
    at_home, there = _fingerprint(cabstand, ""), _fingerprint(cabstand, f"-R {tmp_path}/summit")
    assert at_home["effective"] == there["effective"]

    cabstand("cabstand process 2025042000001 0")
    for place, repository in (("home", "home"), ("summit-rehearsal", "summit")):
        dump = _site_header(cabstand, tmp_path / repository, tmp_path / f"{repository}.json")
        cabstand(f"cabstand prove {place} DM-42 {dump}")
    wrong = tmp_path / "wrong.json"
    wrong.write_text(dump.read_text().replace(_header_uuid(dump), "0" * 8 + _header_uuid(dump)[8:]))
    cabstand(f"cabstand prove summit-rehearsal DM-42 {wrong}", code=4)
    cabstand("cabstand campaign show DM-42")
    cabstand("cabstand journal --verify")
    cabstand("cabstand journal DM-42 --markdown")
    cabstand("cabstand doctor --checksums")
    cabstand.said.pop()  # speaks of this machine
    golden("walk_latiss.txt", cabstand.transcript.replace(str(raws), "RAWS"))


@pytest.mark.slow
def test_two_walks_of_the_same_inputs_end_in_the_same_effective_fingerprint(
    terminal: Any, raws: Path, tmp_path: Path
) -> None:
    found = []
    for place in ("one", "two"):
        cabstand = type(terminal)(tmp_path / place)
        _build_and_judge(cabstand, raws, tmp_path / place)
        _adopt(cabstand)
        cabstand(f"cabstand deploy home DM-42 --confirm {TOP}")
        found.append(_fingerprint(cabstand, ""))
    assert found[0]["effective"] == found[1]["effective"]
    assert found[0]["structural"] == found[1]["structural"]


def _winner(cabstand: Any, exposure: int) -> str | None:
    winner = json.loads(cabstand(f"cabstand explain {exposure} 0 bias --json", code=None))["winner"]
    return winner["collection"] if winner else None


def _fingerprint(cabstand: Any, where: str) -> dict[str, str]:
    return json.loads(cabstand(f"cabstand {where} fingerprint {TOP} --json"))["fingerprints"][TOP]


def _site_header(cabstand: Any, repository: Path, path: Path) -> Path:
    """What the header of a file made by the site's own software would say."""
    winner = json.loads(cabstand(f"cabstand -R {repository} explain 2025042000001 0 bias --json"))["winner"]
    path.write_text(json.dumps({
        "INSTRUME": "LATISS", "DAYOBS": "20250420", "SEQNUM": 1, "EXPID": 2025042000001, "DETECTOR": 0,
        "LSST ISR BIAS APPLIED": True, "LSST ISR UNITS": "electron", "LSST CALIB RUN BIAS": winner["run"],
        "LSST CALIB UUID BIAS": winner["dataset_id"], "LSST CALIB DATE BIAS": "Unknown Unknown",
    }))  # fmt: skip
    return path


def _header_uuid(path: Path) -> str:
    return json.loads(path.read_text())["LSST CALIB UUID BIAS"]
