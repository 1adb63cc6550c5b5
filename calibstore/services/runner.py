"""Jobs and their detached runners: starting one, seeing whether it lives, waiting for it.

A runner is a process in its own session that holds a file lock for life: the lock, not the process id, says that it
is alive. This module is also what the runner process starts from (`python -m calibstore.services.runner`), and what
its workers import again; it therefore imports nothing heavy.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibstore.errors import CabstandError, ConflictError, ExecutionError
from calibstore.model.job_records import JobRecord, QuantumRecord
from calibstore.services.context import Context
from calibstore.services.job_files import job_folder, log_path

POLL_S: Final = 0.2
"""How often a waiting front end looks at the store [s]."""

_LOCK_PATIENCE_S: Final = 2.0
_STOP_PATIENCE_S: Final = 45.0
_NARRATE_NS: Final = 15_000_000_000
_ENDED: Final = {"failed": "E-JOBFAILED", "cancelled": "E-JOBCANCELLED", "dead": "E-JOBDEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as people see it."""

    record: JobRecord
    quanta: tuple[QuantumRecord, ...]
    is_alive: bool
    """Whether a runner holds its lock."""

    @property
    def status(self) -> str:
        """submitted, running, done, failed, cancelled, or dead: it should have a runner and has none."""
        return "dead" if self.record.is_open and not self.is_alive else self.record.status

    @property
    def n_done(self) -> int:
        """Quanta done."""
        return sum(quantum.status == "done" for quantum in self.quanta)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen without somebody's doing."""
        return self.status not in ("submitted", "running")

    @property
    def progress(self) -> str:
        """Such as ``running 3/9``."""
        return f"{self.status} {self.n_done}/{len(self.quanta)}"


def view_job(context: Context, job_id: str) -> JobView:
    """Return a job with its quanta and whether its runner lives.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    # Asked before the rows: a runner that ends in between has written them already.
    alive = is_alive(context, job_id)
    with context.unit_of_work() as uow:
        return JobView(record=uow.jobs.get(job_id), quanta=uow.jobs.quanta(job_id), is_alive=alive)


def is_alive(context: Context, job_id: str) -> bool:
    """Tell whether a runner holds a job's lock."""
    try:
        descriptor = os.open(job_folder(context, job_id) / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared, so that two who look do not take each other for the runner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def held_lock(context: Context, job_id: str) -> Iterator[int]:
    """Hold a job's lock; the descriptor may be handed on to a runner, which then holds it.

    Raises
    ------
    ConflictError
        If a runner holds it.
    """
    folder = job_folder(context, job_id)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Somebody who only looks holds it for an instant.
                if time.monotonic() > deadline:
                    raise ConflictError(
                        f"job {job_id} has a runner", hint=f"cabstand jobs {job_id} --wait", code="E-JOBRUNS"
                    ) from None
                time.sleep(0.01)
        yield descriptor
    finally:
        os.close(descriptor)


def spawn_runner(context: Context, job_id: str) -> int:
    """Start the runner of a job in its own session; return its process id.

    Parameters
    ----------
    context : Context
        The repository.
    job_id : str
        A job that no runner has.

    Raises
    ------
    ConflictError
        If a runner has it.
    ExecutionError
        If the process cannot be started.
    """
    with held_lock(context, job_id) as lock:
        words = [sys.executable, "-P", "-m", "calibstore.services.runner", job_id]
        words += ["--repo", str(context.root), "--lock", str(lock)]
        try:
            with log_path(context, job_id).open("ab") as log:
                # The lock travels with the descriptor: there is no instant at which a started job looks dead.
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    start_new_session=True,
                    cwd=context.root,
                )
        except OSError as fault:
            raise ExecutionError(
                f"the runner of job {job_id} cannot be started: {fault}", hint=f"cabstand jobs --resume {job_id}"
            ) from fault
    # Reaped in the background, so that a runner that ends before its front end leaves no zombie behind.
    threading.Thread(target=process.wait, name=f"runner {job_id}", daemon=True).start()
    return process.pid


def wait_for(context: Context, job_id: str) -> JobView:
    """Wait until a job has ended, telling how it goes; a key press leaves it running.

    Parameters
    ----------
    context : Context
        `narrate` takes the progress.
    job_id : str
        The job.

    Returns
    -------
    JobView
        As it is at the end; `has_ended` is false when the waiting was broken off.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    told, told_at = "", 0
    try:
        while True:
            view = view_job(context, job_id)
            text = _progress_text(view)
            now = context.clock()
            if text != told or now - told_at > _NARRATE_NS:
                context.narrate(text)
                told, told_at = text, now
            if view.has_ended:
                return view
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        context.narrate(f"job {job_id} goes on without you; cabstand jobs {job_id} --wait watches it again")
        return view_job(context, job_id)


def require_done(view: JobView) -> None:
    """Raise unless a job that has ended is done.

    Raises
    ------
    ExecutionError
        Naming what failed.
    """
    if view.status == "done" or not view.has_ended:
        return
    failed = [f"{one.label}: {one.error}" for one in view.quanta if one.status == "failed"]
    died = "its runner died" if view.status == "dead" else ""
    told = view.record.error or "; ".join(failed[:3]) or died
    job_id = view.record.id
    raise ExecutionError(
        f"job {job_id} {view.progress}: {told}",
        hint=f"what was done is kept; look: cabstand jobs {job_id} --log; go on: cabstand jobs --resume {job_id}",
        code=_ENDED[view.status],
    )


def stop_runner(context: Context, job_id: str) -> bool:
    """Ask a job's runner to stop and wait until it has; false when it does not.

    Raises
    ------
    ConflictError
        If the runner is on another machine.
    """
    view = view_job(context, job_id)
    if not view.is_alive:
        return True
    if view.record.host and view.record.host != context.host:
        raise ConflictError(
            f"the runner of job {job_id} is on {view.record.host}, this is {context.host}",
            hint=f"on {view.record.host}: cabstand jobs --cancel {job_id}",
            code="E-OTHERHOST",
        )
    deadline = time.monotonic() + _STOP_PATIENCE_S
    while is_alive(context, job_id):
        pid = view_job(context, job_id).record.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _progress_text(view: JobView) -> str:
    running = [quantum.label for quantum in view.quanta if quantum.status == "running"]
    failed = sum(quantum.status == "failed" for quantum in view.quanta)
    parts = [
        f"job {view.record.id} {view.progress} done"
        if view.status == "running"
        else f"job {view.record.id} {view.progress}"
    ]
    if running and not view.has_ended:
        parts.append(f"at work: {', '.join(running[:4])}{' ...' if len(running) > 4 else ''}")
    if failed:
        parts.append(f"{failed} failed")
    return "; ".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job to its end: the runner process."""
    parser = argparse.ArgumentParser(prog="python -m calibstore.services.runner")
    parser.add_argument("job")
    parser.add_argument("--repo", required=True, type=Path)
    parser.add_argument("--lock", type=int, help="descriptor that holds the job's lock already")
    given = parser.parse_args(arguments)
    from calibstore.services.job_work import run_job, system_context

    context = system_context(given.repo)
    try:
        if given.lock is not None:
            # Workers must not inherit the lock: one that outlives the runner would keep it alive in name.
            os.set_inheritable(given.lock, False)
            try:
                return run_job(context, given.job)
            finally:
                # Not at the end of the process: libraries take their time to leave, and the job may be resumed by now.
                os.close(given.lock)
        with held_lock(context, given.job):
            return run_job(context, given.job)
    except CabstandError as problem:
        print(f"error [{problem.code}]: {problem.message} -- {problem.hint}", file=sys.stderr, flush=True)
        return problem.exit_code


if __name__ == "__main__":
    sys.exit(main())
