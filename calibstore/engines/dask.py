"""Quanta through Dask.distributed: workers of this machine, of a scheduler that runs, or jobs of a batch system.

No more quanta are handed to the scheduler than it has threads, so that a worker that is lost takes one with it. A lost
worker's quantum is done again elsewhere; a lost scheduler ends the job, and what was done is kept.
"""

import pickle
import queue
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from calibstore.engines.guard import run_guarded, stop
from calibstore.engines.protocol import RETRIED, RUN_QUANTUM
from calibstore.errors import ExecutionError
from calibstore.pipelines.quantum import Outcome, Quantum

MAX_WORKERS_LOST: Final = 3
"""A quantum that lost so many workers is given up."""

_COUNT_S: Final = 0.5
_TEND_S: Final = 3.0
_CONNECT_S: Final = 20.0


class Cluster(Protocol):
    """Where a scheduler is, and how its workers are kept."""

    @property
    def address(self) -> str:
        """Of the scheduler."""

    @property
    def n_workers(self) -> int:
        """Workers wanted; 0 when that is for others to say."""

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """Ids of its jobs in a batch system."""

    def tend(self) -> None:
        """Replace workers that are gone."""

    def log_tail(self) -> str:
        """Return the end of a worker's log."""

    def close(self) -> None:
        """Let it go."""


@dataclass(slots=True)
class _Flight:
    """A quantum that is with the scheduler."""

    quantum: Quantum
    future: Any
    n_lost: int = 0
    """Workers it lost before."""
    reason: str = ""


class DaskEngine:
    """Hands quanta to a Dask scheduler.

    Parameters
    ----------
    open_cluster : callable
        Starts the cluster; called when the first quanta come.
    function : str
        ``module:name`` of the task function.
    """

    def __init__(self, open_cluster: Callable[[], Cluster], *, function: str = RUN_QUANTUM) -> None:
        self._open_cluster = open_cluster
        self._function = function
        self._job = secrets.token_hex(8)
        self._cluster: Cluster | None = None
        self._client: Any = None
        self._waiting: deque[_Flight] = deque()
        self._flying: dict[str, _Flight] = {}
        self._arrived: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._n_threads = 0
        self._counted_at = self._tended_at = 0.0
        self._n_sent = 0
        self._jobs_at_close: tuple[str, ...] = ()

    def submit(self, quanta: Sequence[Quantum]) -> None:
        """Take quanta that do not depend on one another.

        Raises
        ------
        ExecutionError
            E-NODASK, E-ENGINE: the cluster does not start.
        """
        self._waiting.extend(_Flight(quantum, None) for quantum in quanta)
        if self._waiting and self._client is None:
            self._connect()
        self._feed()

    def wait(self, timeout_s: float) -> tuple[Outcome, ...]:
        """Return outcomes that arrived, after at most `timeout_s` [s]; empty when none did.

        Raises
        ------
        ExecutionError
            E-ENGINELOST: the scheduler is gone, or batch jobs end again and again.
        """
        if not self.n_open:
            return ()
        self._feed()
        outcomes = []
        keys = self._keys(timeout_s)
        for key in keys:
            outcome = self._collect(self._flying.pop(key))
            if outcome is not None:
                outcomes.append(outcome)
        self._require_scheduler()
        if keys:
            self._feed()
        return tuple(outcomes)

    @property
    def running(self) -> tuple[str, ...]:
        """Labels with the scheduler now, sorted: no more than it has threads."""
        return tuple(sorted(flight.quantum.label for flight in self._flying.values()))

    @property
    def n_open(self) -> int:
        """Quanta submitted whose outcome was not given back yet."""
        return len(self._waiting) + len(self._flying)

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """Ids of its jobs in a batch system."""
        return self._cluster.batch_jobs if self._cluster is not None else self._jobs_at_close

    def cancel(self) -> None:
        """Stop what runs and drop what waits; no outcome comes of it."""
        self._waiting.clear()
        self._flying.clear()
        self.close()

    def close(self) -> None:
        """Let the workers go; those of a scheduler of somebody else's lose only our processes."""
        client, cluster = self._client, self._cluster
        if cluster is not None:
            self._jobs_at_close = cluster.batch_jobs
        self._client = self._cluster = None
        if client is not None and client.status == "running":
            # A thread of a worker cannot be stopped, but the process it waits for can.
            with suppress(Exception):
                client.run(stop, self._job, on_error="ignore")
        with suppress(Exception):
            if client is not None:
                client.close(timeout=2)
        with suppress(Exception):
            if cluster is not None:
                cluster.close()

    def _connect(self) -> None:
        self._cluster = self._open_cluster()
        import distributed

        make: Any = distributed.Client
        try:
            self._client = make(self._cluster.address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as problem:
            raise ExecutionError(
                f"no Dask scheduler answers at {self._cluster.address}: {' '.join(str(problem).split())}",
                hint="start it, or take --engine local",
                code="E-ENGINE",
            ) from problem

    def _feed(self) -> None:
        if self._client is None:
            return
        self._count()
        while self._waiting and len(self._flying) < self._n_threads:
            flight = self._waiting.popleft()
            self._n_sent += 1
            key = f"{flight.quantum.label}-{self._job}-{self._n_sent}"
            flight.future = self._client.submit(
                run_guarded, self._job, self._function, pickle.dumps(flight.quantum), key=key, pure=False
            )
            self._flying[key] = flight
            flight.future.add_done_callback(lambda _future, key=key: self._arrived.put(key))

    def _count(self) -> None:
        """Learn how many threads there are; have lost workers replaced."""
        now = time.monotonic()
        if now - self._counted_at >= _COUNT_S or not self._n_threads:
            self._require_scheduler()
            try:
                found = sum(self._client.nthreads().values())
            except Exception as problem:  # a library of networks raises what it likes
                raise self._lost(str(problem)) from problem
            wanted = self._cluster.n_workers if self._cluster is not None else 0
            self._n_threads = min(found, wanted) if wanted else found
            self._counted_at = now
        if self._cluster is not None and now - self._tended_at >= _TEND_S:
            self._cluster.tend()
            self._tended_at = time.monotonic()

    def _keys(self, timeout_s: float) -> list[str]:
        """Return the keys of quanta that ended."""
        keys = []
        with suppress(queue.Empty):
            keys.append(self._arrived.get(timeout=timeout_s))
            while True:
                keys.append(self._arrived.get_nowait())
        return [key for key in keys if key in self._flying]

    def _collect(self, flight: _Flight) -> Outcome | None:
        label, future = flight.quantum.label, flight.future
        if future.status == "cancelled":
            raise self._lost("it forgot a quantum that was under way")
        try:
            outcome: Outcome = future.result()
        except Exception as fault:  # what Dask or unpickling raises
            problem: Any = fault
        else:
            if not flight.reason or not outcome.is_done:
                return outcome
            return replace(outcome, details={**outcome.details, RETRIED: flight.reason})
        finally:
            flight.future = None
        if type(problem).__name__ != "KilledWorker":
            told = " ".join(f"{type(problem).__name__}: {problem}".split())
            return Outcome(label=label, is_done=False, error=told)
        n_lost = flight.n_lost + 1
        self._n_threads = 0  # counted anew, so that no other quantum joins one that may kill its worker too
        reason = f"its worker {problem.last_worker.address} was lost"
        tail = self._cluster.log_tail() if self._cluster is not None else ""
        print(f"{label}: {reason}" + (f"\n{tail}" if tail else ""), file=sys.stderr, flush=True)
        if n_lost >= MAX_WORKERS_LOST:
            return Outcome(label=label, is_done=False, error=f"worker killed or lost, {n_lost} times (out of memory?)")
        print(f"{label}: it is tried again", file=sys.stderr, flush=True)
        self._waiting.append(_Flight(flight.quantum, None, n_lost, reason))
        return None

    def _require_scheduler(self) -> None:
        if self._client is not None and self._client.status != "running":
            raise self._lost("the connection broke")

    def _lost(self, told: str) -> ExecutionError:
        address = self._cluster.address if self._cluster is not None else ""
        return ExecutionError(
            f"the Dask scheduler at {address} is lost: {' '.join(told.split())}",
            hint="what was done is kept; go on: cabstand jobs --resume",
            code="E-ENGINELOST",
        )
