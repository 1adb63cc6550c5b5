"""The checklist on real frames of a camera without overscan: ten biases whose level drifts by 1.3 adu."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

RUN = "SBIG-STL1001/calib/DM-77/first/biasGen.20261120"
CERTIFIED = "SBIG-STL1001/calib/DM-77/first/bias.20261120a"


@pytest.fixture
def frames() -> Path:
    folder = os.environ.get("CABSTAND_REALDATA")
    if not folder or not (Path(folder) / "sbig_stl1001").is_dir():
        pytest.skip("real frames absent: set CABSTAND_REALDATA to the folder that holds sbig_stl1001")
    return Path(folder) / "sbig_stl1001"


@pytest.mark.realdata
@pytest.mark.slow
def test_the_sbig_biases_from_raw_to_live(terminal: Any, frames: Path, tmp_path: Path) -> None:
    cabstand = terminal
    cabstand(f"cabstand init {tmp_path}/home --camera sbig_stl1001 --kind main --site observatory")
    cabstand(f"cabstand ingest '{frames}/biases-*' --transfer copy")
    where = "instrument='SBIG-STL1001' and exposure.observation_type='bias'"
    cabstand("cabstand campaign new SBIG-STL1001 DM-77 first --title 'first bias of the STL-1001'")
    cabstand(f'cabstand campaign inputs DM-77 bias --where "{where}"')
    assert "(red)" in terminal.said[-1]
    cabstand("cabstand generate bias DM-77")
    cabstand("cabstand spot bias DM-77 --ok")
    cabstand(f'cabstand campaign inputs DM-77 bias --purpose verify --where "{where}"')

    # The level rises by 1.3 adu over the ten frames: the first and the last are too far from the mean.
    verified = json.loads(cabstand("cabstand verify bias DM-77 --json"))
    assert verified["data"]["verdicts"] == {"sbig_stl1001": "FAIL", "peer": "PASS"}
    assert any(line.strip().startswith("level_drift: 2 of 10 failed") for line in verified["lines"])

    # The last frame is the worst: out with it, under the next letter.
    cabstand("cabstand spot bias DM-77 --not-ok --comment 'level 0.8 adu above the others' --redo-without 10")
    cabstand("cabstand generate bias DM-77 --exclude '10=level 0.8 adu above the others'")
    cabstand("cabstand spot bias DM-77 --ok")
    cabstand(
        f'cabstand campaign inputs DM-77 bias --purpose verify --where "{where}" '
        "--exclude '10=level 0.8 adu above the others'"
    )
    cabstand("cabstand verify bias DM-77 --fail-on-verdict", code=8)
    cabstand("cabstand report DM-77")
    begin = json.loads(cabstand(f'cabstand exposures --where "{where}" --json'))["exposures"][0]["begin_tai_ns"]
    assert begin == 1_504_903_508_464_000_000 + 37_000_000_000 + 0  # 2017-09-08T20:45:08.464 UTC
    cabstand(f"cabstand certify-calibrations {RUN}b {CERTIFIED} bias --begin-date 2017-09-08T20:45:08Z")
    cabstand("cabstand deploy home DM-77", code=5)
    cabstand("cabstand campaign ticket DM-77 deployment DM-78")
    cabstand("cabstand hail DM-77 TAXICAB-7")
    cabstand("cabstand decide DM-77 adopt --people 'A. Chair'", code=5)
    proposal = _proposed_waivers(terminal)
    # Without the last frame the drift is within its limit; nine frames are too few all the same.
    assert {one.partition(",")[0] for one in proposal} == {"test=eff_noise_penalty"}
    said = "reason=ten frames are all there is,who=A. Chair"
    waivers = " ".join(f"--waive '{one.replace('reason=WHY,who=NAME', said)}'" for one in proposal)
    cabstand(f"cabstand decide DM-77 adopt_with_waivers --people 'A. Chair' {waivers}")
    cabstand("cabstand deploy home DM-77 --confirm SBIG-STL1001/calib")
    winner = json.loads(cabstand("cabstand explain 20170908204508464 0 bias --json"))["winner"]
    assert winner["collection"] == CERTIFIED
    cabstand("cabstand journal --verify")


def _proposed_waivers(terminal: Any) -> list[str]:
    import re

    return re.findall(r"--waive \"?'?(test=[^\"'\s]*)", terminal.said[-1])
