"""Quanta in processes of this machine: a small pool of spawned workers, one quantum at a time in each.

A worker that is killed costs one attempt of the quantum it had; everything else goes on.
"""

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

from calibstore.engines.protocol import MAX_ATTEMPTS, RETRIED, RUN_QUANTUM
from calibstore.engines.worker import death_reason, work
from calibstore.pipelines.quantum import Outcome, Quantum

_STOP_S: Final = 5.0


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    connection: Connection
    quantum: Quantum | None = None


class LocalEngine:
    """A pool of spawned processes (never forked: a fork copies locks that other threads hold).

    Parameters
    ----------
    n_processes : int
        Most workers at a time; 0 for as many as this process may use cores.
    function : str
        ``module:name`` of the task function.
    """

    def __init__(self, n_processes: int = 0, *, function: str = RUN_QUANTUM) -> None:
        self._n_processes = n_processes or usable_cores()
        self._function = function
        self._context = multiprocessing.get_context("spawn")
        self._waiting: deque[Quantum] = deque()
        self._workers: list[_Worker] = []
        self._attempts: dict[str, int] = {}
        self._retried: dict[str, str] = {}

    def submit(self, quanta: Sequence[Quantum]) -> None:
        """Take quanta that do not depend on one another."""
        self._waiting.extend(quanta)
        self._feed()

    def wait(self, timeout_s: float) -> tuple[Outcome, ...]:
        """Return outcomes that arrived, after at most `timeout_s` [s]; empty when none did."""
        self._feed()
        busy = [worker for worker in self._workers if worker.quantum is not None]
        if not busy:
            return ()
        watched = [source for worker in busy for source in (worker.connection, worker.process.sentinel)]
        ready = set(wait(watched, timeout_s))
        outcomes = []
        for worker in busy:
            if worker.connection in ready or worker.process.sentinel in ready:
                outcome = self._collect(worker)
                if outcome is not None:
                    outcomes.append(outcome)
        self._feed()
        return tuple(outcomes)

    @property
    def running(self) -> tuple[str, ...]:
        """Labels under way now, sorted."""
        return tuple(sorted(worker.quantum.label for worker in self._workers if worker.quantum is not None))

    @property
    def n_open(self) -> int:
        """Quanta submitted whose outcome was not given back yet."""
        return len(self._waiting) + len(self.running)

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """No batch system has a part in it."""
        return ()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(worker.process.pid for worker in self._workers if worker.process.pid is not None)

    def cancel(self) -> None:
        """Stop what runs and drop what waits; no outcome comes of it."""
        self._waiting.clear()
        for worker in self._workers:
            worker.process.terminate()
        self._reap()

    def close(self) -> None:
        """Let the workers go."""
        for worker in self._workers:
            if worker.process.is_alive() and worker.quantum is None:
                with suppress(OSError):  # it may die at this very moment
                    worker.connection.send(None)
            else:
                worker.process.terminate()
        self._reap()

    def _feed(self) -> None:
        for worker in [one for one in self._workers if one.quantum is None and not one.process.is_alive()]:
            self._dismiss(worker)
        idle = [worker for worker in self._workers if worker.quantum is None]
        while self._waiting:
            if not idle and len(self._workers) >= self._n_processes:
                return
            worker = idle.pop() if idle else self._hire()
            quantum = self._waiting.popleft()
            worker.quantum = quantum
            self._attempts[quantum.label] = self._attempts.get(quantum.label, 0) + 1
            try:
                worker.connection.send(quantum)
            except OSError:
                # It died between two quanta; `wait` sees its sentinel and tries again.
                continue

    def _hire(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _collect(self, worker: _Worker) -> Outcome | None:
        """Return the outcome a worker sent; after its death retry once, else say what killed it."""
        quantum = worker.quantum
        assert quantum is not None
        try:
            if worker.connection.poll():
                outcome: Outcome = worker.connection.recv()
                worker.quantum = None
                retried = self._retried.get(quantum.label)
                return replace(outcome, details={**outcome.details, RETRIED: retried}) if retried else outcome
        except (EOFError, OSError):
            pass
        worker.process.join(_STOP_S)
        reason = death_reason(worker.process.exitcode)
        self._dismiss(worker)
        if self._attempts[quantum.label] < MAX_ATTEMPTS:
            self._waiting.append(quantum)
            self._retried[quantum.label] = reason
            print(f"{quantum.label}: {reason}; it is tried once more", file=sys.stderr, flush=True)
            return None
        return Outcome(label=quantum.label, is_done=False, error=f"{reason}, {MAX_ATTEMPTS} times")

    def _dismiss(self, worker: _Worker) -> None:
        worker.connection.close()
        worker.process.join(_STOP_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.process.close()
        self._workers.remove(worker)

    def _reap(self) -> None:
        for worker in list(self._workers):
            self._dismiss(worker)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
