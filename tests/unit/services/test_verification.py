"""Verifying: what is measured on what, judged by every tier, and never a pass without a measurement."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.generation import Generate, Jobs
from calibstore.commands.verification import Verify
from calibstore.engines.serial import SerialEngine
from calibstore.errors import NotFoundError
from calibstore.model.codec import from_plain, sha256_of
from calibstore.model.criteria import Profile
from calibstore.pipelines.quantum import Outcome, Quantum
from calibstore.pipelines.run_quantum import run_quantum
from calibstore.services import submission
from calibstore.services.job_work import run_job
from calibstore.services.runner import held_lock

BIASES = "instrument='LATISS' and exposure.observation_type='bias'"
BUILD = f"{BIASES} and exposure.day_obs=20250408"
N_BUILD, N_INDEPENDENT = 6, 3


@pytest.fixture
def built(bias_repo: Callable[..., Any], jobs_here: None) -> Any:
    """A repository with a bias of six exposures and three independent ones."""
    repo = bias_repo(n_build=N_BUILD, n_independent=N_INDEPENDENT)
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=BUILD))
    return repo


def verify(**more: Any) -> Verify:
    return Verify(calib_type="bias", ticket="DM-1", **({"where": BIASES} | more))


def test_the_numbers_tell_which_exposures_built_the_candidate_and_what_was_applied(built: Any) -> None:
    effect = built.do(verify())
    assert effect.data["n_in_build"] == N_BUILD
    assert effect.data["n_independent"] == N_INDEPENDENT
    with built.context.unit_of_work() as uow:
        record = uow.verifications.latest("DM-1", "bias")
        assert record is not None
        metrics = uow.verifications.metrics(record.id)
        candidate = uow.datasets.get(record.candidates[0])
        residuals = uow.datasets.in_run(uow.collections.get(record.verify_run))
    assert candidate.run == record.candidate_run == effect.data["candidate_run"]
    assert record.verify_run == "LATISS/calib/DM-1/test/verifyBias.20250601a"
    assert record.exposures == {one: str(one).startswith("20250408") for one in effect.data["exposures"]}
    assert {one.applied_id for one in metrics} == {candidate.id}
    noise = [one for one in metrics if one.metric == "noise_ratio"]
    assert len(noise) == 16 * (N_BUILD + N_INDEPENDENT)
    assert {one.exposure: one.in_build for one in noise} == record.exposures
    assert [one.dataset_type for one in residuals] == ["verifyBiasResidual8"]


def test_every_tier_judges_with_its_limits_kept_and_the_planted_amplifier_fails(built: Any) -> None:
    effect = built.do(verify(fail_on_verdict=True))
    assert effect.exit_code == 8
    with built.context.unit_of_work() as uow:
        record = uow.verifications.latest("DM-1", "bias")
        assert record is not None
        judgements = {one.profile: one for one in uow.verifications.judgements(record.id)}
    assert set(judgements) == {"peer", "strict"}
    assert effect.data["verdicts"] == {"peer": "FAIL", "strict": "FAIL"}
    for one in judgements.values():
        profile = from_plain(Profile, json.loads(one.profile_json))
        assert profile.sha256 == one.profile_sha256 == sha256_of(profile.criteria)
    failures = [text for texts in judgements["strict"].summary["failures"].values() for text in texts]
    assert any("C04 noise_ratio" in text for text in failures)
    printed = "\n".join(effect.lines)
    assert "16 amplifiers x 6 exposures" in printed
    assert "16 amplifiers x 3 exposures" in printed


def test_in_sample_alone_and_independent_alone_are_warned_of(built: Any) -> None:
    alone = built.do(verify(where=BUILD), dry_run=True)
    assert any(text.startswith("W-NOINDEPENDENT") for text in alone.warnings)
    others = built.do(verify(where=f"{BIASES} and exposure.day_obs=20250411"), dry_run=True)
    assert any(text.startswith("W-NOBUILD") for text in others.warnings)


def test_a_raw_that_vanishes_is_unknown_never_a_pass(built: Any) -> None:
    with built.context.unit_of_work() as uow:
        raw = uow.datasets.raws("LATISS", [2025041100001])[0]
    path = Path(raw.path)
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        effect = built.do(verify())
    finally:
        hidden.rename(path)
    assert any(text.startswith("W-RAWGONE") and path.name in text for text in effect.warnings)
    with built.context.unit_of_work() as uow:
        record = uow.verifications.latest("DM-1", "bias")
        assert record is not None
        lost = [one for one in uow.verifications.metrics(record.id) if one.exposure == 2025041100001]
        strict = {one.profile: one for one in uow.verifications.judgements(record.id)}["strict"]
    assert lost
    assert all(one.value is None and one.note for one in lost)
    line = next(
        one for one in strict.summary["scoreboard"] if one["test"] == "resid_mean" and one["evidence"] == "independent"
    )
    assert line["n_unknown"] == 16
    assert not strict.summary["supports_validity"]


def test_a_failed_quantum_is_unknown_until_it_is_resumed(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(quantum: Quantum) -> Outcome:
        return Outcome(label=quantum.label, is_done=False, error="planted")

    def run(context: Any, job_id: str) -> int:
        with held_lock(context, job_id):
            return run_job(context, job_id, SerialEngine(broken))

    monkeypatch.setattr(submission, "spawn_runner", run)
    effect = built.do(verify(detach=True))
    with built.context.unit_of_work() as uow:
        record = uow.verifications.latest("DM-1", "bias")
        assert record is not None
        assert {one.verdict for one in uow.verifications.judgements(record.id)} == {"UNKNOWN"}
        assert uow.verifications.metrics(record.id) == ()
    built.do(Jobs(resume=effect.data["job"], wait=True))
    with built.context.unit_of_work() as uow:
        again = uow.verifications.latest("DM-1", "bias")
        assert again is not None
        assert again.id == record.id
        assert {one.verdict for one in uow.verifications.judgements(record.id)} == {"FAIL"}


def test_numbers_are_absorbed_once_however_often_the_runner_starts(built: Any) -> None:
    effect = built.do(verify())
    job_id = str(effect.data["job"])

    def count() -> int:
        with built.context.unit_of_work() as uow:
            record = uow.verifications.of_job(job_id)
            return len(uow.verifications.metrics(record.id))

    before = count()
    with held_lock(built.context, job_id):
        assert run_job(built.context, job_id, SerialEngine(run_quantum)) == 0
    assert count() == before > 0


def test_the_newest_rerun_is_the_candidate(built: Any) -> None:
    built.do(Generate(calib_type="bias", ticket="DM-1", where=BUILD, exclude=("2=planted",)))
    effect = built.do(verify())
    assert effect.data["candidate_run"].endswith("biasGen.20250601b")
    assert effect.data["n_in_build"] == N_BUILD - 1
    assert effect.data["n_independent"] == N_INDEPENDENT + 1
    assert any(
        "W-EXCLUDED exposure 2025040800002 was left out of the build (planted)" in one for one in effect.warnings
    )


def test_without_a_product_or_a_selection_there_is_nothing_to_verify(bias_repo: Callable[..., Any]) -> None:
    repo = bias_repo()
    with pytest.raises(NotFoundError) as caught:
        repo.do(verify())
    assert caught.value.code == "E-NOPRODUCT"
    assert "cabstand generate bias DM-1" in caught.value.hint
