"""`--dry-run` of every writing verb: it tells the effect and the native lines, and leaves every byte as it was."""

from collections.abc import Callable
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

# stage of the walk, what is typed, words of the effect, words of the native lines ("" where the observatory has
# none; None where they are told by the steps only)
TABLE = [
    ("new", "init TMP/another --camera LATISS:mini --kind test", "LATISS", "butler create"),
    ("new", "ingest RAWS", "10 files", "butler ingest-raws"),
    ("new", "ingest RAWS --transfer copy", "10 files", "butler ingest-raws"),
    ("raws", "campaign new LATISS DM-1 first", RUN, "export TICKET=DM-1"),
    ("opened", f'campaign inputs DM-1 bias --where "{WHERE}"', "10 exposures", "export SELECTION_BIAS="),
    ("inputs", "generate bias DM-1", RUN, "bps submit"),
    ("inputs", "generate bias DM-1 --detach", RUN, "bps submit"),
    ("generated", "generate --graph --ticket DM-1", "made and not certified", ""),
    ("generated", "generate bias --parameters", "n_sigma=3.0 [sigma]", ""),
    ("generated", "spot bias DM-1", RUN, "butler retrieve-artifacts"),
    ("generated", "spot bias DM-1 --ok", RUN, "butler retrieve-artifacts"),
    ("generated", "spot bias DM-1 --not-ok --comment dark --redo-without 2", "biasGen.20261120b", "butler retrieve"),
    ("generated", "jobs", "20261120-0001", ""),
    ("generated", "jobs 20261120-0001 --wait", "20261120-0001", ""),
    ("chosen", "verify bias DM-1", "verifyBias.20261120a", "bps submit"),
    ("verified", "report DM-1", "report of DM-1", "cpv_report.py"),
    ("reported", "report DM-1 --overwrite", "report of DM-1", "cpv_report.py"),
    ("reported", f"certify-calibrations {RUN} {CERTIFIED} bias --begin-date 20250408", CERTIFIED,
     "butler certify-calibrations"),
    ("certified", f"decertify {CERTIFIED} bias --begin-date 20250501", CERTIFIED, "registry.decertify("),
    ("certified", f"recertify {CERTIFIED} bias --end-date 20250501", CERTIFIED, "r.certify("),
    ("certified", f"remove-collections {CERTIFIED} --remove-from-parents", CERTIFIED, "butler remove-collections"),
    ("certified", f"remove-runs {RUN} --force", RUN, "butler remove-runs"),
    ("certified", f"collection-chain {BASE} {CERTIFIED} --mode remove", CERTIFIED, "butler collection-chain"),
    ("certified", f"collection-chain {BASE} --mode pop", CERTIFIED, f"--mode remove {BASE}"),
    ("certified", f"associate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type bias --create", "1 dataset",
     "butler associate"),
    ("certified", "register-collection some/chain chained", "some/chain", "collections.register("),
    ("certified", "register-dataset-type flat ExposureF instrument detector physical_filter --is-calibration", "flat",
     "butler register-dataset-type"),
    ("certified", "write-curated-calibrations LATISS CURATED --label DM-7", "LATISS/calib/DM-7",
     "butler write-curated-calibrations"),
    ("certified", "ingest-files electroBfDistortionMatrix LATISS/calib/DM-7/made/run1 MATRIX --detector 0", "run1",
     "butler ingest-files"),
    ("certified", "ingest-photodiode LATISS LAMP", "2 readings", "butler ingest-photodiode"),
    ("curated", f"edit-product {NEWEST_DEFECTS} --ticket DM-1 --from EDITED", "+ x0=7 y0=8 width=9 height=10",
     "butler ingest-files"),
    ("certified", "campaign ticket DM-1 deployment DM-2", "DM-2", ""),
    ("linked", "hail DM-1 TAXICAB-3", "TAXICAB-3", ""),
    ("hailed", "decide DM-1 defer --people 'A. Chair'", "DEFER", ""),
    ("decided", "deploy home DM-1", "LATISS/calib", "butler collection-chain"),
    ("decided", f"collection-chain LATISS/calib {BASE} --mode prepend", BASE, "butler collection-chain"),
    ("decided", f"export-calibs TMP/bundle {BASE}", "bundle", "butler export-calibs"),
    ("live", f"collection-chain LATISS/calib {BASE} --mode remove", BASE, "butler collection-chain"),
    ("live", "deploy tts-LATISS DM-1 --location OTHER", BASE, None),
    ("live", "process 2025041100001 0", "bias", "pipetask"),
    ("live", "-R OTHER import BUNDLE", CERTIFIED, "butler import"),
    ("live", "prove home DM-1 PROCESSED", "self-check", "butler query-datasets"),
    ("live", "undo", BASE, "butler collection-chain"),
    ("live", "restore LATISS/calib --to-state 1", BASE, "butler collection-chain"),
    ("live", "rollback LATISS", BASE, "butler collection-chain"),
    ("tagged", "disassociate LATISS/calib_tagged/DM-1 --dataset-type bias", "1 dataset", "butler prune-datasets"),
    ("live", "doctor --repair", "nothing to repair", ""),
    ("new", "rehearse TMP/rehearsal", "", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def places(
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    simulated_biases: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Raws, a bundle, a second repository and a file processed here."""
    folder = tmp_path_factory.mktemp("places")
    live = kept_stage("live")
    for line in (
        f"cabstand init {folder}/other --camera LATISS:mini --kind rehearsal",
        f"cabstand export-calibs {folder}/bundle {BASE}",
        f"cabstand process 2025041100001 0 --out {folder}/processed",
    ):
        said = typed(line, live)
        assert said.code == 0, said
    processed = next((folder / "processed").rglob("*.fits"))
    return {
        "RAWS": str(simulated_biases("LATISS:mini", 6, 4)),
        "BUNDLE": f"{folder}/bundle",
        "OTHER": f"{folder}/other",
        "PROCESSED": str(processed),
        "CURATED": str(latiss_tree(folder / "package")),
        "MATRIX": str(matrix_file(folder / "matrix.fits")),
        "LAMP": str(reading_files(folder / "lamp", 20250411, 1)),
        "EDITED": str(put(folder, "edited.ecsv", boxes_text(*EDITED))),
    }


@pytest.mark.parametrize(("at", "line", "effect", "native"), TABLE, ids=[f"{row[0]}-{row[1][:80]}" for row in TABLE])
def test_a_dry_run_tells_and_writes_nothing(
    *,
    at: str,
    line: str,
    effect: str,
    native: str | None,
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    content_of: Callable[[Path], dict[str, str]],
    places: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spawned(*_args: object) -> None:
        raise AssertionError("a dry run started a job")

    monkeypatch.setattr("calibstore.services.submission.spawn_runner", spawned)
    monkeypatch.setattr("calibstore.services.jobs.spawn_runner", spawned)
    home, other = kept_stage(at), Path(places["OTHER"])
    for word, place in {**places, "TMP": str(tmp_path)}.items():
        line = line.replace(word, place)
    before = content_of(home), content_of(tmp_path), content_of(other), content_of(other.parent / "bundle")
    said = typed(f"cabstand {line} --dry-run", home)
    after = content_of(home), content_of(tmp_path), content_of(other), content_of(other.parent / "bundle")
    assert said.code == 0, said
    assert effect in said.out
    if native is not None:
        assert native in said.err
        assert ("Native lines that do the same:" in said.err) == bool(native)
    assert after == before
    if "rehearse" not in line:
        assert said.out.startswith("Would: ")
        assert "Dry run: nothing was written." in said.err
        assert "Next:" not in said.err


def test_every_writing_verb_is_tried() -> None:
    tried = {row[1].removeprefix("-R OTHER ") for row in TABLE}
    writing = {verb for verb, command in registered().items() if command.writes}
    # What has nothing to do on this walk is tried where it has: after an undo, beside a Butler, on an older schema.
    elsewhere = {"redo", "observe", "acknowledge", "migrate"}
    assert {verb for verb in writing if not any(line.startswith(verb) for line in tried)} == elsewhere


def test_a_person_is_asked_before_anything_is_written(
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    content_of: Callable[[Path], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = kept_stage("hailed")
    before = content_of(home)
    monkeypatch.setattr("click.confirm", lambda *_args, **_more: False)
    said = typed("cabstand decide DM-1 defer --people 'A. Chair'", home, at_a_terminal=True)
    assert said.code == 5
    assert "Nothing is written yet." in said.err
    assert "Dry run" not in said.err
    assert "you said no" in said.err
    monkeypatch.setattr("click.prompt", lambda *_args, **_more: "yes")
    said = typed("cabstand deploy home DM-1", kept_stage("decided"), at_a_terminal=True)
    assert said.code == 5
    assert "typing 'LATISS/calib'" in said.err
    assert content_of(home) == before
