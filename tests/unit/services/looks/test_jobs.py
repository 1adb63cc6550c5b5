"""What the jobs screen reads: a runner that died is called dead, and nothing differs unless something happened."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from calibstore.commands.generation import Generate
from calibstore.engines.serial import SerialEngine
from calibstore.errors import NotFoundError
from calibstore.pipelines.run_quantum import run_quantum
from calibstore.services import submission
from calibstore.services.job_work import run_job
from calibstore.services.looks.jobs import TAIL_LINES, jobs_look, log_lines
from calibstore.services.runner import held_lock, job_folder

WHERE = "instrument='LATISS' and exposure.observation_type='bias'"


@pytest.fixture
def submitted(bias_repo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """A repository with a submitted bias of LATISS (two quanta) that no runner has."""
    repo = bias_repo()
    monkeypatch.setattr(submission, "spawn_runner", lambda _context, _job: 0)
    effect = repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE, detach=True))
    return repo, str(effect.data["job"])


def test_a_job_without_a_runner_is_dead_and_says_what_is_kept(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted

    (row,) = jobs_look(repo.context).rows

    assert (row.id, row.status, row.words) == (job_id, "dead", "runner died")
    assert (row.n_done, row.n_quanta) == (0, 2)
    assert (row.can_resume, row.can_cancel, row.is_active) == (True, True, False)
    assert "what was done is kept" in row.trouble


def test_a_job_whose_lock_is_held_is_under_way(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted

    with held_lock(repo.context, job_id):
        look = jobs_look(repo.context)

    assert look.is_active
    assert look.rows[0].words == "starting"
    assert not look.rows[0].can_resume


def test_a_done_job_shows_its_quanta_with_numbers(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    with held_lock(repo.context, job_id):
        run_job(repo.context, job_id, SerialEngine(run_quantum))

    detail = jobs_look(repo.context, job_id).detail

    assert detail is not None
    assert (detail.row.status, detail.row.n_done) == ("done", 2)
    assert [one.detector for one in detail.quanta] == [0, None]
    assert all(one.wall_s is not None for one in detail.quanta)
    assert any("bps submit" in line for line in detail.native)


def test_a_failed_quantum_is_named_in_the_list(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted

    def fail(uow: Any, _state: int) -> None:
        first = uow.jobs.quanta(job_id)[0]
        uow.jobs.set_quantum(job_id, replace(first, status="failed", error="disk \x1b[2Jfull"))
        uow.jobs.update(job_id, status="failed")

    repo.write(fail)
    look = jobs_look(repo.context, job_id)

    assert look.rows[0].trouble.startswith("bias:0: disk")
    assert look.detail is not None
    assert "\x1b" not in look.detail.quanta[0].error


def test_the_same_answer_comes_while_nothing_happens(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    now = repo.context.clock()
    repo.write(lambda uow, _state: uow.jobs.update(job_id, status="running", heartbeat_tai_ns=now))

    with held_lock(repo.context, job_id):
        answers = [
            jobs_look(replace(repo.context, clock=lambda late=late: now + late * 10**9), job_id) for late in (0, 9, 16)
        ]

    assert answers[0] == answers[1]
    assert [one.rows[0].heartbeat for one in answers] == ["now", "now", "over 15 s"]


def test_a_log_is_read_from_its_end(submitted: tuple[Any, str]) -> None:
    repo, job_id = submitted
    job_folder(repo.context, job_id).mkdir(parents=True, exist_ok=True)
    log = job_folder(repo.context, job_id) / "log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)) + "torn \x1b[31mred\n")

    tail = log_lines(repo.context, job_id, TAIL_LINES)

    assert (len(tail), tail[-1], tail[-2]) == (TAIL_LINES, "torn  [31mred", "line 9999")
    assert len(log_lines(repo.context, job_id)) == 10_001
    log.unlink()
    assert log_lines(repo.context, job_id) == ()


def test_an_unknown_job_is_an_error_with_a_remedy(strict_repo: Any) -> None:
    assert jobs_look(strict_repo.context).rows == ()
    with pytest.raises(NotFoundError) as caught:
        jobs_look(strict_repo.context, "20250101-0001")
    assert caught.value.hint
