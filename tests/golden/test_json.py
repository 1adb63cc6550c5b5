"""`--json` of every verb: standard output is one JSON document whose keys stay; people's words go to standard error."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands import registered
from tests.support.curated_files import EDITED, NEWEST_DEFECTS, boxes_text, latiss_tree, matrix_file, put
from tests.support.photodiode_files import reading_files

BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/first/biasGen.20261120a"
CERTIFIED = f"{BASE}/first/bias.20261120a"
WHERE = "instrument='LATISS' and exposure.observation_type='bias'"
FIRST = "2025040800001"

QUESTIONS = [
    f'exposures --where "{WHERE}" --for bias --exclude {FIRST}=bad',
    "exposures --events",
    "campaign show DM-1",
    "campaign show DM-1 --explain",
    "campaign list",
    "query-collections",
    "query-collections --chains table",
    "query-collections --chains flatten",
    "query-collections --chains inverse-tree",
    "query-datasets bias",
    "query-datasets bias --where \"instrument='LATISS' and glob(run, '*Gen*')\"",
    "query-dimension-records detector",
    f"explain {FIRST} 0 bias",
    f"fingerprint {BASE}",
    "fingerprint",
    "fingerprint --lines",
    "timeline",
    "timeline bias",
    "whatif collection-chain some/chain LATISS/raw/all --mode prepend",
    "whatif --rejected-out",
    "shadowed",
    "gaps",
    "diff --from-state 1",
    f"history {BASE}",
    "history detector=0 --dataset-type bias",
    "journal",
    "journal DM-1 --markdown",
    "journal --verify",
    "doctor",
    "doctor --rules",
    "doctor --rules E-NOMODE",
    f"show-product {NEWEST_DEFECTS}",
]

# A walk of one's own, every action of it told as JSON.
ACTIONS = [
    "init HOME --camera LATISS:mini --kind rehearsal",
    "ingest RAWS",
    "campaign new LATISS DM-1 first",
    f'campaign inputs DM-1 bias --where "{WHERE} and exposure.day_obs=20250408"',
    "generate bias DM-1",
    "jobs",
    "jobs 20261120-0001 --log",
    "spot bias DM-1",
    "spot bias DM-1 --ok",
    f'campaign inputs DM-1 bias --purpose verify --where "{WHERE}"',
    "verify bias DM-1",
    "report DM-1",
    f"certify-calibrations {RUN} {CERTIFIED} bias --begin-date 2025-04-08T14:00:00",
    "campaign ticket DM-1 deployment DM-2",
    "hail DM-1 TAXICAB-3",
    "DECIDE",
    "deploy home DM-1 --confirm LATISS/calib",
    "process 2025041100001 0 --out TMP/processed",
    "prove home DM-1 PROCESSED",
    f"export-calibs TMP/bundle {BASE}",
    "-R TMP/other init TMP/other --camera LATISS:mini --kind rehearsal",
    "-R TMP/other import TMP/bundle",
    "migrate",
    "doctor --repair",
    f"collection-chain LATISS/calib {BASE} --mode remove --confirm LATISS/calib",
    f"decertify {CERTIFIED} bias --begin-date 2025-05-01",
    f"associate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type bias --create",
    f"disassociate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type bias",
    f"recertify {CERTIFIED} bias --end-date 2025-06-01",
    f"-R TMP/other remove-collections {CERTIFIED} --remove-from-parents --confirm {CERTIFIED}",
    f"-R TMP/other remove-runs {RUN} --force --reason mistaken --confirm {RUN}",
    "register-collection some/chain chained --doc tried",
    "undo",
    "redo",
    "restore LATISS/calib --to-state 1",
    "register-dataset-type flat ExposureF instrument detector physical_filter --is-calibration",
    "write-curated-calibrations LATISS CURATED --label DM-7",
    "ingest-files electroBfDistortionMatrix LATISS/calib/DM-7/made/run1 MATRIX --detector 0",
    "ingest-photodiode LATISS LAMP",
    f"edit-product {NEWEST_DEFECTS} --ticket DM-1 --from EDITED --reason 'a hot column'",
]
KEYS_OF_AN_ACTION = {
    "dry_run", "summary", "data", "lines", "warnings", "native", "inverse", "next", "confirm", "state", "line",
}  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep a walk's folder for the module."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("json")
        patch.setattr("platformdirs.PlatformDirs.user_state_path", folder / "state")
        patch.setattr("platformdirs.PlatformDirs.user_data_path", folder / "data")
        yield folder


@pytest.fixture(scope="module")
def documents(
    state: Path,
    works_here: None,
    typed: Callable[..., Any],
    decision: Callable[[Path], str],
    simulated_biases: Callable[..., Path],
) -> dict[str, tuple[Any, Any]]:
    """What every line of the walk, then every question, said: the raw answer, and the document."""
    home = state / "home"
    raws = str(simulated_biases("LATISS:mini", 6, 4))
    places = {
        "CURATED": str(latiss_tree(state / "package")),
        "MATRIX": str(matrix_file(state / "matrix.fits")),
        "LAMP": str(reading_files(state / "lamp", 20250411, 1)),
        "EDITED": str(put(state, "edited.ecsv", boxes_text(*EDITED))),
    }
    said = {}
    for line in [*ACTIONS, *QUESTIONS]:
        full = line
        if line == "DECIDE":
            full = decision(home).removeprefix("cabstand ")
        if "PROCESSED" in line:
            full = line.replace("PROCESSED", str(next((state / "processed").rglob("*.fits"))))
        for word, path in places.items():
            full = full.replace(word, path)
        full = full.replace("HOME", str(home)).replace("RAWS", raws).replace("TMP", str(state))
        answer = typed(f"cabstand {full} --json", home)
        assert answer.code == 0, (full, answer)
        said[line] = (answer, json.loads(answer.out))
    return said


def _keys(value: object, depth: int = 3) -> Iterator[str]:
    if isinstance(value, dict) and depth:
        for key in sorted(value):
            # Names of things (paths, uuids, amplifiers) are values of ours, not keys of the format.
            yield key
            yield from (f"{key}.{inner}" for inner in _keys(value[key], depth - 1))
    elif isinstance(value, list):
        yield from sorted({f"[].{inner}" for one in value for inner in _keys(one, depth)})


def test_standard_output_is_one_document_on_one_line(documents: dict[str, tuple[Any, Any]]) -> None:
    for line, (answer, _document) in documents.items():
        assert answer.out.count("\n") == 1, line
        assert answer.out.endswith("\n"), line
        assert "NaN" not in answer.out, line


def test_an_action_has_the_same_keys_whatever_it_does(documents: dict[str, tuple[Any, Any]]) -> None:
    for line in ACTIONS:
        assert set(documents[line][1]) == KEYS_OF_AN_ACTION, line
        assert documents[line][1]["data"] is not None, line


def test_the_keys_stay(documents: dict[str, tuple[Any, Any]], golden: Callable[[str, str], None], state: Path) -> None:
    told = []
    for line, (_answer, document) in documents.items():
        told.append(line)
        told += [f"  {key}" for key in _keys(document["data"] if line in ACTIONS else document)]
    golden("json_keys.txt", "\n".join(told).replace(str(state), "DIR") + "\n")


def test_every_verb_is_asked() -> None:
    asked = [line.removeprefix("-R TMP/other ").replace("DECIDE", "decide DM-1") for line in [*ACTIONS, *QUESTIONS]]
    left = {verb for verb in registered() if not any(line.startswith(verb) for line in asked)}
    assert left == {"rehearse", "observe", "acknowledge", "rollback"}


def test_a_rehearsal_as_json_is_one_document_too(typed: Callable[..., Any], state: Path) -> None:
    answer = typed(f"cabstand rehearse {state}/rehearsal --prepare-only --json", state / "home")
    assert answer.code == 0
    assert isinstance(json.loads(answer.out), dict)


@pytest.mark.parametrize("line", [
    "explain x", "nosuchverb", "campaign", "campaign show DM-99", "query-datasets --nosuch", "ingest /nowhere/x.fits",
    "generate bias DM-99", "exposures --where 'a ='", "decide DM-1 adopt", "import /nowhere", "-R /nowhere journal",
])  # fmt: skip
def test_an_error_is_one_document_too(line: str, kept_stage: Callable[[str], Path], typed: Callable[..., Any]) -> None:
    answer = typed(f"cabstand {line} --json", kept_stage("certified"))
    assert answer.code not in (0, 1)
    assert isinstance(json.loads(answer.out), dict)


def test_a_dry_run_says_so(kept_stage: Callable[[str], Path], typed: Callable[..., Any]) -> None:
    document = json.loads(typed("cabstand hail DM-1 TAXICAB-3 --dry-run --json", kept_stage("linked")).out)
    assert (document["dry_run"], document["state"]) == (True, None)
    assert document["line"] == "cabstand hail DM-1 TAXICAB-3"
