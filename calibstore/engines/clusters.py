"""Dask clusters of every kind an engine may name; dask is imported when one is opened."""

import importlib
import importlib.util
import os
import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from calibstore.engines.batch_jobs import TOOLS, living_jobs
from calibstore.engines.local import usable_cores
from calibstore.engines.worker import THREAD_VARIABLES
from calibstore.errors import CabstandError, ExecutionError
from calibstore.model.engine_spec import EngineSpec

INSTALL: Final = "pip install 'cabstand[dask]'"
BATCH_WORKERS: Final = 4
"""Workers on a batch system, when the configuration names no number."""
_STARTS: Final = 3
"""A batch job that ended without a fault of ours is submitted again so many times for each worker."""
_TAIL_LINES: Final = 15


def require_dask(spec: EngineSpec) -> None:
    """Refuse an engine whose parts are not installed here.

    Raises
    ------
    ExecutionError
        E-NODASK: Dask, dask-jobqueue or the batch system's own tools are absent.
    """
    if not spec.needs_dask:
        return
    wanted = ("distributed", "dask_jobqueue") if spec.is_batch else ("distributed",)
    absent = [one for one in wanted if importlib.util.find_spec(one) is None]
    if absent:
        raise ExecutionError(
            f"engine {spec.text} needs {' and '.join(absent)}, not installed here", hint=INSTALL, code="E-NODASK"
        )
    tool = TOOLS.get(spec.kind, "")
    if tool and shutil.which(tool) is None:
        raise ExecutionError(
            f"engine {spec.text} submits with {tool}, which is not on the PATH here",
            hint="run this on a machine of the cluster, or take --engine local",
            code="E-NODASK",
        )


def configure_dask() -> None:
    """Set what all our clusters rely on."""
    import dask.config

    dask.config.set(
        {
            # We count ourselves how often a quantum lost its worker, and say so in the log.
            "distributed.scheduler.allowed-failures": 0,
            # A lost batch job is found in the queue and submitted again; this would cancel one that is coming back.
            "distributed.deploy.lost-worker-timeout": "10 days",
            # An outcome left with a worker that died is waited for so long, then made again.
            "distributed.comm.timeouts.connect": "10s",
            "distributed.nanny.pre-spawn-environ": dict.fromkeys(THREAD_VARIABLES, 1),
        }
    )


class LocalCluster:
    """Dask workers of this machine."""

    def __init__(self, spec: EngineSpec) -> None:
        import distributed

        self.n_workers = spec.workers or usable_cores()
        make: Any = distributed.LocalCluster
        self._cluster: Any = make(
            n_workers=self.n_workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            # the scheduler's web server starts in any case; on the usual port it would meet another cluster's
            scheduler_kwargs={"dashboard": False, "dashboard_address": ":0"},
            silence_logs=50,
        )

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._cluster.scheduler_address)

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """No batch system has a part in it."""
        return ()

    def tend(self) -> None:
        """Dead workers are started again by Dask itself."""

    def log_tail(self) -> str:
        """Return nothing: its workers print to the job's log."""
        return ""

    def close(self) -> None:
        """End the workers and the scheduler."""
        self._cluster.close(timeout=10)


class RemoteCluster:
    """Workers of a scheduler that somebody else runs."""

    def __init__(self, spec: EngineSpec) -> None:
        self.address = spec.address
        self.n_workers = spec.workers

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """None of ours."""
        return ()

    def tend(self) -> None:
        """Leave them to their owner."""

    def log_tail(self) -> str:
        """Return nothing: their logs are their owner's."""
        return ""

    def close(self) -> None:
        """Leave them."""


class BatchCluster:
    """Dask workers that are jobs of Slurm or HTCondor; the scheduler is in this process."""

    def __init__(self, spec: EngineSpec, *, name: str, log_folder: Path) -> None:
        self._spec = spec
        self.n_workers = spec.workers or BATCH_WORKERS
        self._log_folder = log_folder
        self._n_jobs = -(-self.n_workers // spec.cores)
        self._n_started = 0
        self._seen: list[str] = []
        log_folder.mkdir(parents=True, exist_ok=True)
        self._cluster = self._open(name)
        try:
            self._grow()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._cluster.scheduler_address)

    @property
    def batch_jobs(self) -> tuple[str, ...]:
        """Ids of all jobs that were submitted, in that order."""
        for job in list(self._cluster.workers.values()):
            if job.job_id and job.job_id not in self._seen:
                self._seen.append(job.job_id)
        return tuple(self._seen)

    def tend(self) -> None:
        """Submit jobs again that have left the queue.

        Raises
        ------
        ExecutionError
            E-ENGINELOST: they end again and again.
        """
        own = {name: job.job_id for name, job in list(self._cluster.workers.items()) if job.job_id}
        living = living_jobs(self._spec.kind, list(own.values()))
        if living is None:
            return
        gone = {name: job_id for name, job_id in own.items() if job_id not in living}
        if not gone:
            return
        told = f"job {', '.join(gone.values())} left the queue and is submitted again"
        if self._n_started + len(gone) > self._n_jobs * (1 + _STARTS):
            raise ExecutionError(
                f"workers of {self._spec.text} end again and again: {self._n_started} jobs so far",
                hint=f"look at {self._log_folder}, then: cabstand jobs --resume",
                code="E-ENGINELOST",
            )
        print(f"{self._spec.name}: {told}", file=sys.stderr, flush=True)
        tail = self.log_tail()
        if tail:
            print(tail, file=sys.stderr, flush=True)
        self._cluster.sync(self._forget, list(gone))
        self._grow()

    def log_tail(self) -> str:
        """Return the end of the log written last."""
        with suppress(OSError):
            logs = sorted(self._log_folder.iterdir(), key=lambda one: one.stat().st_mtime_ns)
            if logs:
                lines = logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
                return "\n".join(f"    {logs[-1].name}: {line}" for line in lines)
        return ""

    def close(self) -> None:
        """Take the jobs out of the queue; end the scheduler."""
        self._cluster.close(timeout=20)

    async def _forget(self, names: list[str]) -> None:
        for name in names:
            job = self._cluster.workers.pop(name, None)
            if job is not None:
                job.status = type(job.status).closed

    async def _forget_refused(self) -> None:
        """Drop jobs that never came to be: closing the cluster trips over them."""
        for name, job in list(self._cluster.workers.items()):
            if not job.job_id:
                del self._cluster.workers[name]
                job.status = type(job.status).closed

    def _grow(self) -> None:
        """Submit what is missing; a refusal of the batch system is told."""
        while len(self._cluster.worker_spec) < self._n_jobs:
            self._cluster.worker_spec.update(self._cluster.new_worker_spec())
        self._n_started += self._n_jobs - len(self._cluster.workers)
        try:
            # Not `scale`: it submits in the background and only logs what the batch system refuses.
            self._cluster.sync(self._cluster._correct_state)
        except (RuntimeError, OSError, ValueError) as problem:
            self._cluster.sync(self._forget_refused)
            lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
            told = " ".join(lines[lines.index("stderr:") + 1 :] if "stderr:" in lines else lines)
            raise ExecutionError(
                f"engine {self._spec.text}: {TOOLS[self._spec.kind]} refuses: {told}",
                hint=f"mend [engines.{self._spec.name}] in cabstand.toml or the user's configuration",
                code="E-ENGINE",
            ) from problem

    def _open(self, name: str) -> Any:
        jobqueue: Any = importlib.import_module("dask_jobqueue")
        spec = self._spec
        scheduler: dict[str, object] = {"dashboard": False, "dashboard_address": ":0"}
        prologue = [*spec.prologue, *(f"export {variable}=1" for variable in THREAD_VARIABLES)]
        prologue.append("export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__OMP_NUM_THREADS=1")
        prologue.append(f"export PYTHONPATH={shlex.quote(os.pathsep.join(one for one in sys.path if one))}")
        options: dict[str, object] = {
            "cores": spec.cores,
            "processes": spec.cores,
            "memory": spec.memory,
            "python": spec.python or sys.executable,
            "job_name": name,
            "log_directory": str(self._log_folder),
            "job_script_prologue": prologue,
            "death_timeout": 60,
            "scheduler_options": scheduler,
        }
        if spec.interface:
            options["interface"] = spec.interface
        if spec.kind == "dask-slurm":
            options |= {"queue": spec.queue or None, "account": spec.account or None, "walltime": spec.walltime}
            options["job_extra_directives"] = list(spec.directives)
            return jobqueue.SLURMCluster(**options)
        return jobqueue.HTCondorCluster(disk=spec.disk, **options)


def open_cluster(spec: EngineSpec, *, name: str, log_folder: Path) -> "LocalCluster | RemoteCluster | BatchCluster":
    """Start the cluster of an engine, or name the one that runs.

    Parameters
    ----------
    spec : EngineSpec
        An engine of a Dask kind.
    name : str
        Of the batch jobs.
    log_folder : Path
        Takes the logs of batch jobs.

    Raises
    ------
    ExecutionError
        E-NODASK: a part is not installed. E-ENGINE: the cluster does not start.
    """
    require_dask(spec)
    configure_dask()
    try:
        if spec.is_batch:
            return BatchCluster(spec, name=name, log_folder=log_folder)
        return RemoteCluster(spec) if spec.address else LocalCluster(spec)
    except CabstandError:
        raise
    except Exception as problem:  # whatever a library of clusters raises
        told = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise ExecutionError(
            f"engine {spec.text} does not start: {told}", hint="take --engine local", code="E-ENGINE"
        ) from problem
