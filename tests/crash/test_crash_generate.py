"""Workers, runners and single writes of `generate` killed: nothing finished is lost, nothing is half-written."""

import contextlib
import dataclasses
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from calibstore.commands.generation import Generate, Jobs
from calibstore.datastore.atomic_files import is_temporary
from calibstore.datastore.checksums import sha256_of_file
from calibstore.db.unit_of_work import UnitOfWork
from calibstore.errors import CabstandError, StoreError
from calibstore.services.context import forget_engines
from calibstore.services.job_work import run_job
from calibstore.services.runner import JobView, held_lock, log_path, view_job, wait_for
from tests.support.write_points import in_a_child

DEADLINE_S = 120.0
PAUSE = threading.Event()
N_BUILD = 5
"""Fewest frames whose variance comes from their spread."""

pytestmark = pytest.mark.slow


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of a condition, looked at again and again."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {DEADLINE_S:g} s"
        PAUSE.wait(0.005)
    return found


def generate(instrument: str, **more: Any) -> Generate:
    where = f"instrument='{instrument}' and exposure.observation_type='bias'"
    return Generate(calib_type="bias", ticket="DM-1", where=where, **more)


def check_rows_and_files(repo: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """Check that every row has its file, whole, and that no final file is half-written; return the sums."""
    sums = {}
    with repo.context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
        records = [one for one in uow.datasets.all_with_files() if one.dataset_type != "raw"]
    for record in records:
        path = repo.root / record.path
        assert path.stat().st_size == record.size_bytes
        assert sha256_of_file(path) == record.sha256
        sums[record.dataset_type, record.data_key] = (record.content_sha256, record.sha256)
    return sums


def children_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def still_running(family: list[psutil.Process], *, timeout_s: float) -> list[psutil.Process]:
    """Return the processes that have not ended; one that ended and waits for its parent to notice has."""
    _, left = psutil.wait_procs(family, timeout=timeout_s)
    running = []
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running


def workers_of(pid: int) -> list[psutil.Process]:
    """Return the worker processes of a runner; the interpreter's own helper is left out."""
    return [one for one in children_of(pid) if "spawn_main" in " ".join(one.cmdline())]


@pytest.fixture
def running(bias_repo: Callable[..., Any]) -> Iterator[tuple[Any, str]]:
    """A repository of nine detectors whose bias a detached runner with two workers is building."""
    repo = bias_repo("LSSTComCam:mini", n_build=12)
    job_id = str(repo.do(generate("LSSTComCam", detach=True, processes=2)).data["job"])
    yield repo, job_id
    pid = view_job(repo.context, job_id).record.pid
    if pid is not None and view_job(repo.context, job_id).is_alive:
        os.kill(pid, signal.SIGKILL)


def begun(repo: Any, job_id: str, n_done: int) -> JobView:
    """Return the job once it runs and so many quanta are done."""

    def look() -> JobView | None:
        view = view_job(repo.context, job_id)
        assert not view.has_ended, log_path(repo.context, job_id).read_text()
        has_pid = view.record.pid is not None and bool(workers_of(view.record.pid))
        return view if has_pid and view.n_done >= n_done else None

    found: JobView = until(look, f"{n_done} quanta done")
    return found


def test_a_killed_worker_costs_its_quantum_one_more_attempt(running: tuple[Any, str]) -> None:
    repo, job_id = running
    view = begun(repo, job_id, 0)
    assert view.record.pid is not None
    workers_of(view.record.pid)[0].kill()
    ended = wait_for(repo.context, job_id)
    assert ended.status == "done"
    assert "worker killed by signal 9" in log_path(repo.context, job_id).read_text()
    assert sum("retried" in quantum.details for quantum in ended.quanta) == 1
    assert len(check_rows_and_files(repo)) == 9 * 3 + 3
    assert not unfinished_files(repo)


def test_a_killed_runner_leaves_no_worker_and_what_was_done_is_kept(running: tuple[Any, str]) -> None:
    repo, job_id = running
    view = begun(repo, job_id, 2)
    assert view.record.pid is not None
    family = children_of(view.record.pid)
    assert family
    os.kill(view.record.pid, signal.SIGKILL)
    assert still_running(family, timeout_s=2.0) == []
    dead = view_job(repo.context, job_id)
    assert dead.status == "dead"
    assert "dead: runner died" in "\n".join(repo.do(Jobs()).lines)
    kept = check_rows_and_files(repo)
    places = {path: path.stat() for path in _products(repo)}
    assert len(kept) == 3 * dead.n_done >= 6
    effect = repo.do(Jobs(resume=job_id, wait=True))
    assert effect.data["status"] == "done"
    after = check_rows_and_files(repo)
    assert len(after) == 9 * 3 + 3
    assert {key: after[key] for key in kept} == kept
    for path, before in places.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not unfinished_files(repo)


def test_cancelling_stops_runner_and_workers_and_keeps_what_was_done(running: tuple[Any, str]) -> None:
    repo, job_id = running
    view = begun(repo, job_id, 1)
    assert view.record.pid is not None
    family = children_of(view.record.pid)
    repo = dataclasses.replace(repo, context=dataclasses.replace(repo.context, host=view.record.host))
    effect = repo.do(Jobs(cancel=job_id))
    assert effect.data["status"] == "cancelled"
    assert still_running(family, timeout_s=2.0) == []
    assert len(check_rows_and_files(repo)) >= 3
    assert not unfinished_files(repo)
    assert repo.do(Jobs(resume=job_id, wait=True)).data["status"] == "done"


def test_a_job_goes_on_when_the_terminal_is_closed(bias_repo: Callable[..., Any], tmp_path: Path) -> None:
    repo = bias_repo("LSSTComCam:mini", n_build=12)
    words = [sys.executable, "-m", "calibstore.cli", "-R", str(repo.root), "generate", "bias", "DM-1"]
    words += ["--where", "instrument='LSSTComCam' and exposure.observation_type='bias'", "--processes", "2"]
    environment = os.environ | {"CABSTAND_CONFIG": str(tmp_path / "none.toml"), "XDG_STATE_HOME": str(tmp_path)}
    front = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, env=environment, text=True)
    try:
        job_id = until(lambda: _only_job(repo), "the job submitted")
        runner = until(lambda: _runner_of(repo, job_id), "the runner at work")
        # However busy the machine is, the work is not over before the terminal closes.
        os.kill(runner, signal.SIGSTOP)
    finally:
        # What a closed terminal does to everything that belongs to it.
        os.killpg(front.pid, signal.SIGHUP)
        _, narration = front.communicate()
    os.kill(runner, signal.SIGCONT)
    assert front.returncode == -signal.SIGHUP, narration
    assert wait_for(repo.context, job_id).status == "done"
    assert len(check_rows_and_files(repo)) == 9 * 3 + 3


def _only_job(repo: Any) -> str:
    jobs = repo.do(Jobs()).data["jobs"]
    return str(jobs[0]["id"]) if jobs else ""


def _runner_of(repo: Any, job_id: str) -> int | None:
    view = view_job(repo.context, job_id)
    assert not view.has_ended, log_path(repo.context, job_id).read_text()
    return view.record.pid if view.is_alive else None


def _products(repo: Any) -> list[Path]:
    with repo.context.unit_of_work() as uow:
        return [repo.root / one.path for one in uow.datasets.all_with_files() if one.dataset_type == "bias"]


class WritePoints:
    """Counts every write of a file, every rename and sync, and both sides of every commit; acts at one of them."""

    def __init__(self, at: int, act: Callable[[str], None]) -> None:
        self.n = 0
        self.names: list[str] = []
        self._at, self._act = at, act

    def pass_by(self, name: str) -> None:
        self.n += 1
        self.names.append(name)
        if self.n == self._at:
            self._act(name)

    @contextmanager
    def watched(self) -> Iterator[None]:
        plain = {name: getattr(os, name) for name in ("pwrite", "fsync", "replace", "fchmod", "ftruncate")}
        commit = UnitOfWork.commit

        def counted(name: str) -> Callable[..., Any]:
            def call(*words: Any) -> Any:
                self.pass_by(name)
                return plain[name](*words)

            return call

        def counted_commit(uow: UnitOfWork) -> None:
            self.pass_by("before commit")
            commit(uow)
            self.pass_by("after commit")

        patch = pytest.MonkeyPatch()
        for name in plain:
            patch.setattr(os, name, counted(name))
        patch.setattr(UnitOfWork, "commit", counted_commit)
        try:
            yield
        finally:
            patch.undo()


def kill(_name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_here(context: Any, job_id: str) -> int:
    from calibstore.engines.serial import SerialEngine

    with held_lock(context, job_id):
        run_job(context, job_id, SerialEngine())
    return 0


def completed(repo: Any, command: Generate) -> None:
    """Bring a job that stopped somewhere to its end: submit it if it never was, else resume it."""
    jobs = repo.do(Jobs()).data["jobs"]
    if not jobs:
        assert repo.do(command).data["status"] == "done"
    elif jobs[0]["status"] != "done":
        assert repo.do(Jobs(resume=jobs[0]["id"], wait=True)).data["status"] == "done"


@pytest.fixture
def template(bias_repo: Callable[..., Any], jobs_here: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    repo = bias_repo(n_build=N_BUILD)
    forget_engines()
    return repo


def fresh_copy(repo: Any, name: str) -> Any:
    path = repo.root.parent / name
    forget_engines()
    shutil.copytree(repo.root, path)
    return dataclasses.replace(repo, context=dataclasses.replace(repo.context, root=path))


class Clean:
    """What a run without a crash gives, and the names of its write points."""

    def __init__(self, template: Any) -> None:
        repo = fresh_copy(template, "clean")
        points = WritePoints(0, kill)
        with points.watched():
            repo.do(generate("LATISS"))
        self.rows = check_rows_and_files(repo)
        self.files = final_files(repo)
        self.names = points.names

    def check(self, repo: Any, where: str) -> None:
        """Check that a repository after a crash holds nothing but whole pieces, and is brought to the same end."""
        check_rows_and_files(repo)
        for path, sha256 in final_files(repo).items():
            assert self.files[path] == sha256, f"{where}: {path} is half-written"
        completed(repo, generate("LATISS"))
        assert check_rows_and_files(repo) == self.rows, where
        assert final_files(repo) == self.files, where
        assert not unfinished_files(repo), where


def final_files(repo: Any) -> dict[str, str]:
    """Return the SHA-256 of every file that has its final name."""
    files = [one for one in (repo.root / "data").rglob("*") if one.is_file() and not is_temporary(one)]
    return {str(one.relative_to(repo.root)): sha256_of_file(one) for one in files}


def unfinished_files(repo: Any) -> list[Path]:
    return [one for one in (repo.root / "data").rglob("*") if is_temporary(one)]


def test_killed_at_any_write_a_build_is_resumed_to_the_same_result(template: Any) -> None:
    clean = Clean(template)
    assert {"pwrite", "fsync", "replace", "before commit", "after commit"} <= set(clean.names)
    for at, name in enumerate(clean.names, start=1):
        repo = fresh_copy(template, "killed")

        def build(repo: Any = repo, at: int = at) -> None:
            with WritePoints(at, kill).watched():
                repo.do(generate("LATISS"))

        where = f"killed at write {at} of {len(clean.names)} ({name})"
        assert os.WIFSIGNALED(in_a_child(build)), f"{where}: not reached"
        clean.check(repo, where)
        shutil.rmtree(repo.root)


def test_failed_at_any_write_a_build_names_the_fault_and_is_resumed(template: Any) -> None:
    clean = Clean(template)

    def fail(name: str) -> None:
        if "commit" in name:
            raise StoreError("no space left for the store", code="E-DISKFULL")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    silent = []
    for at, name in enumerate(clean.names, start=1):
        if name == "after commit":
            continue
        repo = fresh_copy(template, "failed")
        where = f"failed at write {at} of {len(clean.names)} ({name})"
        problem = None
        try:
            with WritePoints(at, fail).watched():
                repo.do(generate("LATISS"))
        except CabstandError as fault:
            problem = fault
        if problem is None:
            silent.append(name)
        else:
            assert "space left" in problem.message, where
        clean.check(repo, where)
        shutil.rmtree(repo.root)
    # Only a heartbeat may be missed without anybody's being told.
    assert set(silent) <= {"before commit"}
    assert len(silent) <= 3
