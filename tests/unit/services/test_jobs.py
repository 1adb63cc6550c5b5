"""Jobs: who is alive is told by the lock, and what a resume or a cancel leaves behind."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.generation import Generate, Jobs
from calibstore.engines.serial import SerialEngine
from calibstore.errors import ConflictError, ExecutionError, NotFoundError, UserInputError
from calibstore.pipelines.quantum import Outcome, Quantum
from calibstore.pipelines.run_quantum import run_quantum
from calibstore.services import runner, submission
from calibstore.services.job_work import run_job
from calibstore.services.runner import held_lock, is_alive, view_job, wait_for

WHERE = "instrument='LATISS' and exposure.observation_type='bias'"


class Watched:
    """A task that counts what it carries out and does something at one label."""

    def __init__(self, at: str = "", then: Callable[[], None] | None = None) -> None:
        self.done: list[str] = []
        self._at, self._then = at, then

    def __call__(self, quantum: Quantum) -> Outcome:
        if quantum.label == self._at and self._then is not None:
            self._then()
        self.done.append(quantum.label)
        return run_quantum(quantum)


class PowerCut(BaseException):
    """Stands for a runner that is gone: no handler of errors catches it."""


def cut() -> None:
    raise PowerCut


@pytest.fixture
def submitted(bias_repo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """A repository with a submitted bias of LATISS (two quanta) that no runner has."""
    repo = bias_repo()
    monkeypatch.setattr(submission, "spawn_runner", lambda _context, _job: 0)
    effect = repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE, detach=True))
    return repo, str(effect.data["job"])


def work(repo: Any, job_id: str, task: Callable[[Quantum], Outcome] = run_quantum) -> int:
    with held_lock(repo.context, job_id):
        return run_job(repo.context, job_id, SerialEngine(task))


def listed(repo: Any) -> dict[str, Any]:
    (only,) = repo.do(Jobs()).data["jobs"]
    return dict(only)


def states(repo: Any) -> int:
    with repo.context.unit_of_work() as uow:
        return int(uow.journal.last_state())


def test_a_job_without_its_lock_is_dead_and_with_it_alive(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    assert listed(repo)["status"] == "dead"
    assert "dead: runner died" in "\n".join(repo.do(Jobs()).lines)
    with held_lock(repo.context, job_id):
        assert is_alive(repo.context, job_id)
        assert listed(repo)["status"] == "submitted"
        with pytest.raises(ConflictError), held_lock(repo.context, job_id):
            pass
    assert not is_alive(repo.context, job_id)


def test_looking_writes_no_journal_entry_and_resuming_writes_one(submitted: tuple[Any, str], jobs_here: None) -> None:
    repo, job_id = submitted
    before = states(repo)
    repo.do(Jobs())
    repo.do(Jobs(job=job_id, log=True))
    assert states(repo) == before
    with held_lock(repo.context, job_id), pytest.raises(ConflictError) as caught:
        repo.do(Jobs(resume=job_id))
    assert caught.value.code == "E-JOBRUNS"
    effect = repo.do(Jobs(resume=job_id, wait=True))
    assert effect.data["status"] == "done"
    assert states(repo) == before + 1
    with pytest.raises(ConflictError) as caught:
        repo.do(Jobs(resume=job_id))
    assert caught.value.code == "E-JOBDONE"


def test_a_resumed_job_keeps_what_was_done(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    first = Watched("bias:mosaic", cut)
    with pytest.raises(PowerCut):
        work(repo, job_id, first)
    view = view_job(repo.context, job_id)
    assert (view.status, view.n_done) == ("dead", 1)
    product = next((repo.root / "data").rglob("bias_LATISS*.fits"))
    kept = product.stat()
    second = Watched()
    assert work(repo, job_id, second) == 0
    assert second.done == ["bias:mosaic"]
    assert (product.stat().st_ino, product.stat().st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
    assert view_job(repo.context, job_id).status == "done"


def test_a_product_that_was_deleted_is_made_again_with_the_same_bytes(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    assert work(repo, job_id) == 0
    product = next((repo.root / "data").rglob("bias_LATISS*.fits"))
    content = product.read_bytes()
    product.unlink()
    again = Watched()
    assert work(repo, job_id, again) == 0
    assert again.done == ["bias:0"]
    assert product.read_bytes() == content


def test_a_termination_between_two_quanta_cancels_cleanly(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    assert work(repo, job_id, Watched("bias:0", lambda: os.kill(os.getpid(), signal.SIGTERM))) == 6
    view = view_job(repo.context, job_id)
    assert (view.status, view.n_done) == ("cancelled", 1)
    assert [quantum.status for quantum in view.quanta] == ["done", "waiting"]
    assert repo.do(Jobs(job=job_id, wait=True)).exit_code == ExecutionError.exit_code
    assert work(repo, job_id) == 0


def test_a_fault_of_ours_ends_the_job_with_one_line(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted

    def broken() -> None:
        raise ZeroDivisionError("planted")

    assert work(repo, job_id, Watched("bias:0", broken)) == ExecutionError.exit_code
    view = view_job(repo.context, job_id)
    assert (view.status, view.record.error) == ("failed", "ZeroDivisionError: planted")
    assert work(repo, job_id) == 0


def test_cancelling_a_dead_job_ends_it_and_an_ended_one_is_refused(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    effect = repo.do(Jobs(cancel=job_id))
    assert effect.data["status"] == "cancelled"
    with pytest.raises(ExecutionError) as broken:
        runner.require_done(view_job(repo.context, job_id))
    assert broken.value.code == "E-JOBCANCELLED"
    with pytest.raises(ConflictError) as caught:
        repo.do(Jobs(cancel=job_id))
    assert caught.value.code == "E-JOBENDED"


def test_unfinished_files_of_a_killed_worker_are_swept(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    assert work(repo, job_id) == 0
    product = next((repo.root / "data").rglob("bias_LATISS*.fits"))
    left = product.with_name(product.name + ".cabstand-tmp-1")
    left.write_bytes(b"half")
    work(repo, job_id)
    assert not left.exists()


def test_a_key_press_ends_the_waiting_not_the_job(submitted: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    repo, job_id = submitted
    told: list[str] = []
    context = replace(repo.context, narrate=told.append)

    def press(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.time, "sleep", press)
    with held_lock(repo.context, job_id):
        view = wait_for(context, job_id)
        runner.require_done(view)
        assert not view.has_ended
    assert f"job {job_id} submitted 0/2" in told[0]
    assert "goes on without you" in told[-1]


def test_a_dead_job_is_an_error_that_says_how_to_go_on(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    with pytest.raises(ExecutionError) as caught:
        runner.require_done(wait_for(repo.context, job_id))
    assert caught.value.code == "E-JOBDEAD"
    assert f"cabstand jobs --resume {job_id}" in caught.value.hint


def test_a_failed_job_is_an_error_too(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    view = view_job(repo.context, job_id)
    with pytest.raises(ExecutionError) as caught:
        runner.require_done(replace(view, record=replace(view.record, status="failed", error="no disk")))
    assert caught.value.code == "E-JOBFAILED"


def test_a_runner_elsewhere_or_one_that_does_not_stop_is_told(
    submitted: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, job_id = submitted

    def claim(uow: Any, _state: int) -> None:
        uow.jobs.update(job_id, host="elsewhere", status="running")

    with monkeypatch.context() as patched:
        patched.setattr("calibstore.services.jobs.stop_runner", lambda _context, _job: False)
        with held_lock(repo.context, job_id), pytest.raises(ExecutionError) as stubborn:
            repo.do(Jobs(cancel=job_id))
    assert stubborn.value.code == "E-NOSTOP"
    repo.write(claim)
    with held_lock(repo.context, job_id), pytest.raises(ConflictError) as caught:
        repo.do(Jobs(cancel=job_id))
    assert caught.value.code == "E-OTHERHOST"


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (Jobs(resume="a", cancel="b"), UserInputError),
        (Jobs(wait=True), UserInputError),
        (Jobs(job="20250101-0001"), NotFoundError),
        (Jobs(resume="20250101-0001"), NotFoundError),
    ],
)
def test_wrong_wishes_are_told(strict_repo: Any, command: Jobs, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        strict_repo.do(command)


def test_ids_of_a_day_count_up_and_sort(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    ids = [job_id]
    command = Generate(calib_type="bias", ticket="DM-1", where=WHERE, detach=True)
    ids += [str(repo.do(command).data["job"]) for _ in range(2)]
    assert ids == ["20250601-0001", "20250601-0002", "20250601-0003"]
    assert _ids(repo.do(Jobs()).data["jobs"]) == ids


def _ids(jobs: Sequence[dict[str, Any]]) -> list[str]:
    return [str(job["id"]) for job in jobs]


def test_the_engine_of_a_job_is_shown_and_a_resume_may_take_another(
    submitted: tuple[Any, str], jobs_here: None
) -> None:
    repo, job_id = submitted
    assert "engine      local" in repo.do(Jobs(job=job_id)).lines
    with pytest.raises(UserInputError, match="needs --resume"):
        repo.do(Jobs(job=job_id, engine="dask"))
    with pytest.raises(UserInputError) as caught:
        repo.do(Jobs(resume=job_id, engine="nowhere"))
    assert caught.value.code == "E-ENGINE"
    (repo.root / "cabstand.toml").write_text('[engines.three]\nkind = "local"\nworkers = 3\n', encoding="utf-8")
    effect = repo.do(Jobs(resume=job_id, engine="three", wait=True))
    assert "on three (local): 0 of 2 quanta are done and kept, 2 are run" in effect.summary
    assert "engine      three (local)" in repo.do(Jobs(job=job_id)).lines


def test_the_log_of_one_unit_is_shown(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted

    def failing(quantum: Quantum) -> Outcome:
        from pathlib import Path

        Path(quantum.log_path).parent.mkdir(parents=True, exist_ok=True)
        Path(quantum.log_path).write_text("first\nthe reason\n")
        return Outcome(label=quantum.label, is_done=False, error="planted")

    assert work(repo, job_id, failing) == ExecutionError.exit_code
    assert repo.do(Jobs(job=job_id, unit="bias:0")).lines[-1] == "the reason"
    assert repo.do(Jobs(job=job_id, unit="bias:mosaic")).lines[-1].startswith("log  ")
    with pytest.raises(NotFoundError) as caught:
        repo.do(Jobs(job=job_id, unit="bias:9"))
    assert caught.value.code == "E-UNIT"
    assert caught.value.hint.endswith("--unit bias:0")
    with pytest.raises(UserInputError, match="need a job"):
        repo.do(Jobs(unit="bias:0"))
