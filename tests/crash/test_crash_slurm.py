"""A bias on a real Slurm whose worker job and runner are killed: nothing finished is lost, the result is the same."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.generation import Generate, Jobs
from calibstore.services.job_files import job_folder, log_path
from calibstore.services.runner import view_job, wait_for
from tests.support import slurm as slurm_support

DEADLINE_S = 240.0
PAUSE = threading.Event()
ENGINES = """
engine = "night"
[engines.night]
kind = "dask-slurm"
queue = "all"
memory = "400MB"
workers = 2
walltime = "00:30:00"
interface = "lo"
"""

pytestmark = [pytest.mark.slow, pytest.mark.slurm, pytest.mark.dask]


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of a condition, looked at again and again."""
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE_S:g} s"
        PAUSE.wait(0.02)
    return found


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm_support.Slurm]:
    pytest.importorskip("dask_jobqueue")
    reason = slurm_support.missing_part()
    if reason:
        pytest.skip(reason)
    with slurm_support.running_slurm(tmp_path_factory.mktemp("slurm") / "cluster") as found:
        yield found


def content_of(repo: Any) -> dict[tuple[str, str], str]:
    """Return the content checksum of every product, by type and data ID."""
    with repo.context.unit_of_work() as uow:
        records = [one for one in uow.datasets.all_with_files() if one.dataset_type != "raw"]
    return {(one.dataset_type, one.data_key): one.content_sha256 for one in records}


def generate(**more: Any) -> Generate:
    where = "instrument='LSSTComCam' and exposure.observation_type='bias'"
    return Generate(calib_type="bias", ticket="DM-1", where=where, **more)


def done_in_log(repo: Any, job_id: str) -> list[str]:
    """Return the labels of quanta the runner's log says are done, once for each time one was."""
    words = [line.split() for line in log_path(repo.context, job_id).read_text().splitlines()]
    return [line[2] for line in words if len(line) > 4 and line[3:5] == ["done", "in"]]


def test_a_bias_on_slurm_outlives_a_cancelled_worker_job_and_a_killed_runner(
    slurm: slurm_support.Slurm, bias_repo: Callable[..., Any]
) -> None:
    expected_repo = bias_repo("LSSTComCam:mini", n_build=5)
    assert expected_repo.do(generate(engine="local", processes=2)).data["status"] == "done"
    expected = content_of(expected_repo)

    repo = bias_repo("LSSTComCam:mini", n_build=5, name="on_slurm")
    (repo.root / "cabstand.toml").write_text(ENGINES, encoding="utf-8")
    job_id = str(repo.do(generate(detach=True)).data["job"])

    def n_done() -> int:
        view = view_job(repo.context, job_id)
        assert view.status in ("submitted", "running"), log_path(repo.context, job_id).read_text()
        return view.n_done

    until(lambda: n_done() >= 2, "two quanta done")
    first = slurm.running_jobs()
    slurm.tell("scancel", first[0])
    until(lambda: n_done() >= 4, "two more quanta done")
    runner = view_job(repo.context, job_id).record.pid
    assert runner is not None
    os.kill(runner, signal.SIGKILL)
    dead = until(lambda: (view := view_job(repo.context, job_id)).status == "dead" and view, "the job is dead")
    kept = {one.label for one in dead.quanta if one.status == "done"}
    assert len(kept) >= 4
    shown = "\n".join(repo.do(Jobs(job=job_id)).lines)
    assert "engine      night (dask-slurm); batch jobs" in shown
    left = set(slurm.jobs())
    assert left <= set(repo.do(Jobs(job=job_id)).data["batch_jobs"])

    effect = repo.do(Jobs(resume=job_id, wait=True))
    assert effect.data["status"] == "done"
    log = log_path(repo.context, job_id).read_text()
    if left:
        assert "left by a runner that died" in log
    ended = view_job(repo.context, job_id)
    counts = done_in_log(repo, job_id)
    # Each quantum was finished once, whatever was killed meanwhile: what was done was not run again. (A runner that is
    # killed between its rows and its log leaves one of them untold.)
    assert len(set(counts)) == len(counts)
    assert set(counts) | kept == {one.label for one in ended.quanta}
    assert content_of(repo) == expected
    until(lambda: not slurm.jobs(), "no job of ours is left")


def test_a_failed_unit_tells_why_in_its_own_log_and_goes_on_elsewhere(
    slurm: slurm_support.Slurm, bias_repo: Callable[..., Any]
) -> None:
    repo = bias_repo("LSSTComCam:mini", n_build=5)
    (repo.root / "cabstand.toml").write_text(ENGINES, encoding="utf-8")
    raw = _raw_of_detector(repo, 4)
    whole = raw.read_bytes()
    job_id = str(repo.do(generate(detach=True)).data["job"])
    raw.write_bytes(whole[: len(whole) // 2])
    ended = wait_for(repo.context, job_id)
    assert ended.status == "failed"
    failed = [one.label for one in ended.quanta if one.status == "failed"]
    assert failed == ["bias:4"]
    raw.write_bytes(whole)
    effect = repo.do(Jobs(resume=job_id, engine="local", wait=True))
    assert effect.data["status"] == "done"
    n_done = sum(one.status == "done" for one in ended.quanta)
    assert f"on local: {n_done} of {len(ended.quanta)} quanta are done and kept" in effect.summary
    assert done_in_log(repo, job_id).count("bias:3") == 1
    assert not slurm.jobs()
    assert (job_folder(repo.context, job_id) / "batch").is_dir()


def _raw_of_detector(repo: Any, detector: int) -> Path:
    with repo.context.unit_of_work() as uow:
        raws = [one for one in uow.datasets.all_with_files() if one.dataset_type == "raw"]
    return Path(repo.root / next(one.path for one in raws if one.detector == detector))
