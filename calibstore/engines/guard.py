"""What runs inside a Dask worker: hands each quantum to a process of its own, and tells what became of that process."""

import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection

from calibstore.engines.protocol import MAX_ATTEMPTS, RETRIED
from calibstore.engines.worker import THREAD_VARIABLES, death_reason
from calibstore.pipelines.quantum import Outcome, Quantum

_STOP_S = 5.0


@dataclass(slots=True)
class _Child:
    process: "subprocess.Popen[bytes]"
    connection: Connection
    lifeline: int
    """Our end of a pipe whose other end ends the child when this process is gone."""

    def end(self) -> str:
        """Let the process go, or kill it; return why it ended."""
        self.connection.close()
        with suppress(OSError):
            os.close(self.lifeline)
        try:
            exit_code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            exit_code = self.process.wait()
        return death_reason(exit_code)


@dataclass(slots=True)
class _Pool:
    """Processes of one job in this worker: as many as it has threads at work."""

    idle: list[_Child] = field(default_factory=list)
    busy: list[_Child] = field(default_factory=list)
    is_stopped: bool = False


_pools: dict[str, _Pool] = {}
_lock = threading.Lock()


def run_guarded(job: str, function: str, pickled: bytes) -> Outcome:
    """Carry out a quantum in a process of its own; one that is killed is tried once more.

    Parameters
    ----------
    job : str
        Name of the job, for `stop`.
    function : str
        ``module:name`` of the task function.
    pickled : bytes
        The quantum.
    """
    quantum: Quantum = pickle.loads(pickled)
    reason = ""
    for _ in range(MAX_ATTEMPTS):
        child = _take(job, function)
        if child is None:
            return Outcome(label=quantum.label, is_done=False, error="cancelled")
        try:
            child.connection.send(quantum)
            outcome: Outcome = child.connection.recv()
        except (EOFError, OSError):
            with _lock:
                _pools[job].busy.remove(child)
            reason = child.end()
            continue
        with _lock:
            pool = _pools[job]
            pool.busy.remove(child)
            pool.idle.append(child)
        return replace(outcome, details={**outcome.details, RETRIED: reason}) if reason else outcome
    return Outcome(label=quantum.label, is_done=False, error=f"{reason}, {MAX_ATTEMPTS} times")


def stop(job: str) -> None:
    """End the processes of a job in this worker; what it is still to run there ends as cancelled."""
    with _lock:
        pool = _pools.setdefault(job, _Pool())
        pool.is_stopped = True
        idle, pool.idle = pool.idle, []
        for child in pool.busy:
            child.process.kill()
    for child in idle:
        child.process.kill()
        child.end()


def _take(job: str, function: str) -> _Child | None:
    with _lock:
        pool = _pools.setdefault(job, _Pool())
        if pool.is_stopped:
            return None
        while pool.idle and pool.idle[-1].process.poll() is not None:
            pool.idle.pop().end()  # it had nothing to do for long
        child = pool.idle.pop() if pool.idle else _start(function, os.environ)
        pool.busy.append(child)
        return child


def _start(function: str, environment: Mapping[str, str]) -> _Child:
    ours, theirs = socket.socketpair()
    watched, lifeline = os.pipe()
    words = [sys.executable, "-P", "-m", "calibstore.engines.guarded", str(theirs.fileno()), str(watched), function]
    more = dict.fromkeys(THREAD_VARIABLES, "1") | {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    try:
        # Not multiprocessing: a Dask worker is a daemon, which may have no children of that kind.
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), watched),
            env={**environment, **more},
        )
    except OSError:
        os.close(lifeline)
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(watched)
    return _Child(process, Connection(ours.detach()), lifeline)
