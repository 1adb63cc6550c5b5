"""Refusals and warnings as typed: each with its stable id, one line and a remedy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/first/biasGen.20261120a"
CERTIFIED = f"{BASE}/first/bias.20261120a"
FIRST = "2025040800001"
WHERE = "instrument='LATISS' and exposure.observation_type='bias'"

# stage of the walk, what is typed, id
TABLE = [
    ("generated", "jobs 20261120-0099", "E-JOB"),
    ("generated", "jobs --resume 20261120-0001", "E-JOBDONE"),
    ("generated", "hail DM-1 TAXICAB-3", "E-NOTREADY"),
    ("generated", "import TMP/nowhere", "E-NOBUNDLE"),
    ("generated", "import TMP", "E-NOBUNDLE"),
    ("generated", "ingest TMP", "E-NOFILES"),
    ("generated", f"export-calibs TMP/no/where {BASE}/first", "E-COLLECTION"),
    ("certified", f"export-calibs TMP/no/where {CERTIFIED}", "E-NOFOLDER"),
    ("certified", f"export-calibs TMP/closed/bundle {CERTIFIED}", "W-PERMISSION"),
    ("generated", "collect", "E-USAGE"),
    ("generated", "jobs --nonsense", "E-USAGE"),
    ("generated", "verify bias DM-1 --where \"instrument='LATISS' and exposure.seq_num=9999\"", "E-EMPTY"),
    ("generated", f'generate bias DM-1 --rerun 20250101a --where "{WHERE}"', "W-RERUN"),
    ("live", "deploy tts-LATISS DM-1 --location HOME", "E-ITSELF"),
    ("live", "deploy summit-LATISS DM-1 --location OTHER", "W-RUCIO"),
    ("live", f"remove-runs {RUN}", "E-LIVE"),
    ("certified", "campaign ticket DM-1 hailing DM-77", "W-TICKET"),
    ("certified", "campaign ticket DM-1 deployment TAXICAB-77", "W-TICKET"),
    ("hailed", "decide DM-1 defer --people NAME", "E-PLACEHOLDER"),
]


@pytest.mark.parametrize(("at", "line", "rule"), TABLE, ids=[f"{row[2]}-{row[1][:60]}" for row in TABLE])
def test_what_is_said_has_its_id(
    *,
    at: str,
    line: str,
    rule: str,
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    simulated_biases: Callable[..., Path],
    tmp_path: Path,
) -> None:
    home = kept_stage(at)
    (tmp_path / "closed").mkdir(mode=0o700)
    if "OTHER" in line:
        assert typed(f"cabstand init {tmp_path}/other --camera LATISS:mini --kind rehearsal", home).code == 0
    places = {"TMP": tmp_path, "HOME": home, "OTHER": tmp_path / "other", "RAWS": simulated_biases("LATISS:mini", 6, 4)}
    for word, place in places.items():
        line = line.replace(word, str(place))
    said = typed(f"cabstand {line} --dry-run", home)
    told = said.err.replace("\n", " ")
    if rule.startswith("W-"):
        assert f"warning: {rule} " in told, said
        return
    assert said.code
    assert f"error [{rule}]: " in told, said
    assert " -- " in told


def _cut(path: Path) -> None:
    path.write_bytes(b"no FITS at all")


def _other_content(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("change", "options", "rule"),
    [
        (_cut, "", "E-NOTFITS"),
        (_other_content, "", "E-RAW-CONTENT"),
        (lambda _path: None, "--observation-type dark", "E-OVERRULE"),
        (lambda _path: None, "--observation-type dark --reason odd", "E-USED"),
    ],
)
def test_a_refused_frame_has_its_id(
    *,
    change: Callable[[Path], object],
    options: str,
    rule: str,
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    simulated_biases: Callable[..., Path],
    tmp_path: Path,
) -> None:
    source = min(simulated_biases("LATISS:mini", 6, 4).rglob("*.fits"))
    shutil.copy(source, tmp_path / "a.fits")
    change(tmp_path / "a.fits")
    said = typed(f"cabstand ingest {tmp_path} {options} --dry-run --json", kept_stage("generated"))
    assert f'"{rule}"' in json.dumps(json.loads(said.out)), said


def test_no_is_an_answer(kept_stage: Callable[[str], Path], typed: Callable[..., Any], monkeypatch: Any) -> None:
    monkeypatch.setattr("click.confirm", lambda *_args, **_more: False)
    said = typed("cabstand decide DM-1 defer --people 'A. Chair'", kept_stage("hailed"), at_a_terminal=True)
    assert "[E-DECLINED]" in said.err


def test_an_interruption_is_told(
    kept_stage: Callable[[str], Path], typed: Callable[..., Any], monkeypatch: Any
) -> None:
    def stopped(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("calibstore.services.doors.ask", stopped)
    said = typed("cabstand journal", kept_stage("raws"))
    assert said.err.startswith("error [E-INTERRUPTED]")
    assert said.code


def test_the_rules_as_typed(kept_stage: Callable[[str], Path], typed: Callable[..., Any]) -> None:
    home = kept_stage("raws")
    said = typed("cabstand doctor --rules E-NOMODE", home)
    assert said.out.startswith("E-NOMODE")
    assert "refuse (a rehearsal repository)" in said.out
    assert "[E-NOTFOUND]" in typed("cabstand doctor E-NOMODO", home).err
    listed = typed("cabstand doctor --rules", home)
    assert max(map(len, listed.out.splitlines())) <= 80
    assert "[E-INPUT]" in typed("cabstand doctor --checksums --repair", home).err
    assert "nothing to repair" in typed("cabstand doctor --repair --dry-run", home).out
