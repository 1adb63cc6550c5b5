"""Generating a bias: what is refused before any work, and what stands in the store after it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.commands.generation import Generate, Jobs
from calibstore.datastore.checksums import sha256_of_file
from calibstore.datastore.product_fits import read_header, read_plane
from calibstore.errors import CabstandError, ConflictError, ExecutionError, NotFoundError, UserInputError, WorkflowError
from calibstore.model.job_records import QuantumRecord
from calibstore.services.generation import off_zero, product_lines
from calibstore.services.products import products

BIASES = "instrument='LATISS' and exposure.observation_type='bias'"
FIRST = 2025040800001


def generate(calib_type: str = "bias", **more: Any) -> Generate:
    return Generate(calib_type=calib_type, ticket="DM-1", **({"where": BIASES} | more))


def refusal(repo: Any, command: Generate, **told: Any) -> CabstandError:
    """Return the error of a dry run, having checked that the state did not change."""
    with pytest.raises(CabstandError) as caught:
        repo.do(command, dry_run=True, **told)
    return caught.value


def rows(repo: Any) -> tuple[int, int, int]:
    with repo.context.unit_of_work() as uow:
        return uow.journal.last_state(), len(uow.jobs.list()), len(uow.collections.list())


@pytest.mark.usefixtures("jobs_here")
def test_a_built_bias_is_in_the_store_with_its_inputs_and_on_disk_with_its_sums(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    effect = repo.do(generate())
    run = "LATISS/calib/DM-1/test/biasGen.20250601a"
    assert effect.data["run"] == run
    assert effect.data["status"] == "done"
    with repo.context.unit_of_work() as uow:
        collection = uow.collections.get(run)
        found = {one.dataset_type: one for one in uow.datasets.in_run(collection)}
        inputs = uow.datasets.inputs(found["bias"].id)
        raws = uow.datasets.raws("LATISS", effect.data["exposures"])
        entry = uow.journal.entries(ticket="DM-1")[-1]
        product = products(uow, "DM-1", "bias")
    assert set(found) == {"bias", "biasBin8", "biasBin64", "biasMosaic8", "biasMosaic64", "biasThumbnail"}
    assert {record.opened_state for record in (collection,)} == {effect.state}
    assert sorted(identity for identity, role in inputs if role == "raw") == sorted(raw.id for raw in raws)
    for record in found.values():
        path = repo.root / record.path
        assert not Path(record.path).is_absolute()
        assert sha256_of_file(path) == record.sha256
        assert path.stat().st_size == record.size_bytes
    bias = found["bias"]
    assert bias.path == (f"data/{run}/bias/bias_LATISS_RXX_S00_LATISS_calib_DM-1_test_biasGen_20250601a.fits")
    assert bias.unit == "electron"
    assert bias.provenance["gain_source"] == "CAMERA"
    assert "LINEARIZER" in bias.provenance["steps_not_applied"]
    assert bias.provenance["exposures"] == effect.data["exposures"]
    assert product.exposures == tuple(effect.data["exposures"])
    assert entry.after["exposures"] == effect.data["exposures"]
    header = read_header(repo.root / bias.path)
    assert header["CAB DATASET ID"] == bias.id
    assert header["CALIB_CREATION_DATETIME"] == "2025-06-01T11:59:23"  # UTC; the clock stands at 12:00:00 TAI
    assert float(np.median(read_plane(repo.root / bias.path))) == pytest.approx(0.0, abs=5.0)


@pytest.mark.usefixtures("jobs_here")
def test_two_builds_of_the_same_inputs_have_the_same_content(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    contents = []
    for _ in range(2):
        run = repo.do(generate()).data["run"]
        with repo.context.unit_of_work() as uow:
            found = uow.datasets.in_run(uow.collections.get(run))
            contents.append({one.dataset_type: one.content_sha256 for one in found})
    assert contents[0] == contents[1]


@pytest.mark.usefixtures("jobs_here")
def test_a_bootstrap_is_in_adu_and_its_run_ends_with_a_number(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    run = repo.do(generate("biasBootstrap")).data["run"]
    assert run == "LATISS/calib/DM-1/test/biasBootstrapGen.20250601a/run1"
    with repo.context.unit_of_work() as uow:
        assert {one.unit for one in uow.datasets.in_run(uow.collections.get(run), dataset_type="biasBootstrap")} == {
            "adu"
        }


def test_a_dry_run_says_everything_and_writes_nothing(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    before = rows(repo)
    effect = repo.do(generate(), dry_run=True)
    assert rows(repo) == before
    assert not (repo.root / "jobs").exists()
    assert effect.native[-1] == "bps submit $CP_PIPE_DIR/bps/templates/bps_bias.yaml"
    assert "export RERUN=20250601a" in effect.native
    assert any(text.startswith("W-NOTAPPLIED") and "linearizer" in text for text in effect.warnings)
    assert any(text.startswith("W-COUNT 6 frames") for text in effect.warnings)


@pytest.mark.parametrize(
    ("command", "kind", "code", "told"),
    [
        (generate(where=f"{BIASES} and exposure.day_obs=20240101"), UserInputError, "E-EMPTY", "no exposure fits"),
        (generate(where="instrument='LATISS'"), UserInputError, "E-OBSTYPE", "dark"),
        (generate(where=f"{BIASES} and exposure in (2025040800001..2025040800003)"), UserInputError, "E-CLIP", "3 fr"),
        (generate(where=""), NotFoundError, "E-NOSELECTION", "no build selection"),
        (generate(exclude=("1",)), UserInputError, "E-EXCLUDE", "reason"),
        (generate(rerun="2025"), UserInputError, "", "2025"),
        (Generate(calib_type="bias", ticket="DM-9", where=BIASES), NotFoundError, "E-CAMPAIGN", "DM-9"),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_with_the_reason(
    bias_repo: Callable[..., Any], command: Generate, kind: type[CabstandError], code: str, told: str
) -> None:
    problem = refusal(bias_repo(n_darks=1), command)
    assert isinstance(problem, kind)
    assert told in problem.message
    assert not code or problem.code == code


def test_a_clip_that_can_never_reject_names_the_frames_it_takes(bias_repo: Callable[..., Any]) -> None:
    problem = refusal(bias_repo(), generate(where=f"{BIASES} and exposure in (2025040800001..2025040800003)"))
    assert "select at least 4 exposures" in problem.hint


@pytest.mark.usefixtures("jobs_here")
def test_a_run_that_exists_proposes_the_next_letter(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    repo.do(generate(rerun="20250601a"))
    with pytest.raises(ConflictError) as caught:
        repo.do(generate(rerun="20250601a"))
    assert caught.value.code == "E-RUNEXISTS"
    assert "20250601b" in caught.value.hint
    assert str(repo.do(generate(), dry_run=True).data["run"]).endswith("biasGen.20250601b")


def test_a_missing_raw_is_named_and_refused_unless_a_reason_is_given(
    bias_repo: Callable[..., Any], simulated_biases: Callable[..., Path]
) -> None:
    repo = bias_repo("LSSTComCam:mini", n_build=5)
    command = Generate(calib_type="bias", ticket="DM-1", where="instrument='LSSTComCam'")
    with repo.context.unit_of_work() as uow:
        raw = next(one for one in uow.datasets.raws("LSSTComCam", [FIRST]) if one.detector == 4)

    def close(uow: Any, state: int) -> None:
        uow._connection.exec_driver_sql("UPDATE dataset SET closed_state = ? WHERE id = ?", (state, raw.id))

    repo.write(close)
    problem = refusal(repo, command)
    assert isinstance(problem, WorkflowError)
    assert problem.code == "E-INCOMPLETE"
    assert "detector 4 (R22_S11) lacks 2025040800001" in problem.message
    effect = repo.do(command, dry_run=True, reason="shutter test, frame lost")
    assert any("detector 4 (R22_S11)" in text for text in effect.warnings)


def test_a_raw_file_that_is_gone_is_refused_by_name(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    with repo.context.unit_of_work() as uow:
        raw = uow.datasets.raws("LATISS", [FIRST])[0]
    path = Path(raw.path)
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        problem = refusal(repo, generate())
    finally:
        hidden.rename(path)
    assert problem.code == "E-RAWGONE"
    assert path.name in problem.message


@pytest.mark.usefixtures("jobs_here")
def test_a_stored_selection_is_used_again_and_a_new_exclusion_is_stored(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    repo.do(generate(exclude=("6=last one is noisy",)))
    again = repo.do(generate(where="", exclude=("2=jump in level",)))
    assert again.data["exposures"] == [FIRST, FIRST + 2, FIRST + 3, FIRST + 4]
    with repo.context.unit_of_work() as uow:
        stored = uow.campaigns.selection("DM-1", "bias", "build")
        assert stored is not None
        assert len(uow.campaigns.selections("DM-1", calib_type="bias")) == 2
    assert dict(stored.exclusions) == {FIRST + 6: "last one is noisy", FIRST + 1: "jump in level"}
    assert again.data["run"] != repo.do(generate(where="")).data["run"]


@pytest.mark.usefixtures("jobs_here")
def test_a_quantum_that_fails_fails_the_job_and_keeps_the_others(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo("LSSTComCam:mini", n_build=5)
    with repo.context.unit_of_work() as uow:
        raw = next(one for one in uow.datasets.raws("LSSTComCam", [FIRST]) if one.detector == 2)
    path = Path(raw.path)
    whole = path.read_bytes()
    command = Generate(calib_type="bias", ticket="DM-1", where="instrument='LSSTComCam'")
    path.write_bytes(whole[: len(whole) // 2])
    try:
        with pytest.raises(ExecutionError) as caught:
            repo.do(command)
    finally:
        path.write_bytes(whole)
    assert caught.value.exit_code == 6
    assert "bias:2" in caught.value.message
    listed = repo.do(Jobs()).data["jobs"][0]
    assert (listed["status"], listed["n_done"], listed["n_quanta"]) == ("failed", 8, 10)
    mosaic = next(one for one in listed["quanta"] if one["label"] == "bias:mosaic")
    assert mosaic["status"] == "waiting"
    resumed = repo.do(Jobs(resume=listed["id"], wait=True))
    assert resumed.data["status"] == "done"
    with repo.context.unit_of_work() as uow:
        assert len(products(uow, "DM-1", "bias").datasets) == 9
    assert json.dumps(resumed.data)


def test_a_bias_far_from_zero_is_flagged_where_there_is_an_overscan() -> None:
    def quantum(number: int, median: float, *, has_overscan: bool) -> QuantumRecord:
        details: dict[str, object] = {"median_of_amplifiers": median, "has_overscan": has_overscan}
        return QuantumRecord(label=f"bias:{number}", position=number, status="done", details=details)

    quanta = (
        quantum(0, 4.9, has_overscan=True),
        quantum(1, -5.1, has_overscan=True),
        quantum(2, 990.0, has_overscan=False),
        QuantumRecord(label="bias:mosaic", position=3, status="done"),
    )
    (warning,) = off_zero(quanta, "bias")
    assert warning.startswith("W-MEDIAN bias:1: median -5.1 electron")
    assert off_zero(quanta, "biasBootstrap") == ()


def test_amplifiers_without_a_value_are_told() -> None:
    details: dict[str, object] = {
        "n_inputs": 20,
        "units": "electron",
        "n_bad_pixels": 6144,
        "median_of_amplifiers": 0.1,
        "bad_amplifiers": {"C03": "overscan noise of 0.00 adu"},
        "amplifiers_left_out": [{"exposure": 7, "amplifier": "C05", "reason": "overscan noise of 0.01 adu"}],
    }
    lines = product_lines((QuantumRecord(label="bias:0", position=0, status="done", details=details),))
    assert [line.split("look at ")[1] for line in lines[1:]] == [
        "C03: overscan noise of 0.00 adu",
        "C05 of exposure 7: overscan noise of 0.01 adu",
    ]
