"""With Dask, a runner that is killed and a scheduler that is lost: what was done is kept, a resume does the rest."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from calibstore.commands.generation import Generate, Jobs
from calibstore.services.job_files import log_path
from calibstore.services.runner import JobView, view_job, wait_for

DEADLINE_S = 120.0
PAUSE = threading.Event()

pytestmark = [pytest.mark.slow, pytest.mark.dask]


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of a condition, looked at again and again."""
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE_S:g} s"
        PAUSE.wait(0.005)
    return found


def begun(repo: Any, engine: str, n_done: int) -> tuple[str, JobView]:
    """Submit a bias of nine detectors; return the job once so many quanta are done."""
    where = "instrument='LSSTComCam' and exposure.observation_type='bias'"
    command = Generate(calib_type="bias", ticket="DM-1", where=where, engine=engine, processes=2, detach=True)
    job_id = str(repo.do(command).data["job"])

    def look() -> JobView | None:
        view = view_job(repo.context, job_id)
        assert not view.has_ended, log_path(repo.context, job_id).read_text()
        return view if view.n_done >= n_done else None

    return job_id, until(look, f"{n_done} quanta done")


def labels_done(repo: Any, job_id: str) -> list[str]:
    words = [line.split() for line in log_path(repo.context, job_id).read_text().splitlines()]
    return [line[2] for line in words if len(line) > 4 and line[3:5] == ["done", "in"]]


def is_running(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def test_a_killed_runner_leaves_no_worker_and_a_resume_does_the_rest(bias_repo: Callable[..., Any]) -> None:
    pytest.importorskip("distributed")
    repo = bias_repo("LSSTComCam:mini", n_build=12)
    job_id, view = begun(repo, "dask", 2)
    assert view.record.pid is not None
    family = psutil.Process(view.record.pid).children(recursive=True)
    assert len(family) >= 4  # two Dask workers, each with the process that does its quanta
    os.kill(view.record.pid, signal.SIGKILL)
    until(lambda: not [one for one in family if is_running(one)], "workers and their processes ended")
    assert view_job(repo.context, job_id).status == "dead"
    assert repo.do(Jobs(resume=job_id, wait=True)).data["status"] == "done"
    done = labels_done(repo, job_id)
    assert len(set(done)) == len(done)


def test_a_lost_scheduler_ends_the_job_and_it_goes_on_elsewhere(bias_repo: Callable[..., Any]) -> None:
    distributed = pytest.importorskip("distributed")
    repo = bias_repo("LSSTComCam:mini", n_build=12)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    try:
        (repo.root / "cabstand.toml").write_text(
            f'[engines.shared]\nkind = "dask-address"\naddress = "{cluster.scheduler_address}"\n', encoding="utf-8"
        )
        job_id, _ = begun(repo, "shared", 2)
    finally:
        cluster.close()
    ended = wait_for(repo.context, job_id)
    assert ended.status == "failed"
    assert "[E-ENGINELOST]" in ended.record.error
    kept = {one.label for one in ended.quanta if one.status == "done"}
    assert len(kept) >= 2
    assert repo.do(Jobs(resume=job_id, engine="local", wait=True)).data["status"] == "done"
    done = labels_done(repo, job_id)
    assert len(set(done)) == len(done)
    assert kept <= set(done)
