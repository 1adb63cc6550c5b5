"""The work of a runner: feeds an engine stage by stage and writes every outcome in its own short transaction.

A quantum is done when its rows are committed, together with its datasets or numbers: whatever happens before that
leaves files without rows, which are written again, never rows without files.
"""

import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from calibstore.config import Config
from calibstore.datastore.atomic_files import TEMPORARY_MARK
from calibstore.engines.protocol import RETRIED, Engine
from calibstore.errors import CabstandError, ExecutionError, StoreError
from calibstore.model.data_id import DataId
from calibstore.model.job_records import JobRecord, QuantumRecord
from calibstore.model.records import CollectionRecord, DatasetRecord
from calibstore.model.times import utc_text, utc_to_tai_ns
from calibstore.pipelines.quantum import Outcome, Quantum, WrittenFile
from calibstore.services.context import Context
from calibstore.services.engine_choice import cancel_left_jobs, make_engine, note_batch_jobs
from calibstore.services.job_files import log_end, quantum_log
from calibstore.services.job_plans import JobPlan, created_text, data_id_of, placed, read_plan
from calibstore.services.judgements import judge_job

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

HEARTBEAT_NS: Final = 2_000_000_000
_WAIT_S: Final = 0.25
_LOG_LINES: Final = 20
"""Lines of a failed quantum's log that the job's log repeats."""
_LISTED_EXPOSURES: Final = "exposures"


def system_context(root: Path) -> Context:
    """Return the surroundings of a runner: this machine's clock and name; it narrates to its log."""
    import time

    def clock() -> int:
        return utc_to_tai_ns(time.time_ns())

    def narrate(text: str) -> None:
        print(f"{utc_text(clock(), 0)} UTC {text}", flush=True)

    return Context(
        root=root,
        clock=clock,
        user="runner",
        host=socket.gethostname(),
        config=Config(data_dir=root, state_dir=root),
        narrate=narrate,
    )


def run_job(context: Context, job_id: str, engine: Engine | None = None) -> int:
    """Do what a job still has to do; the caller holds its lock.

    Parameters
    ----------
    context : Context
        The repository; `narrate` writes the log.
    job_id : str
        The job.
    engine : Engine, optional
        Where quanta run; by default the one the plan names.

    Returns
    -------
    int
        0 when everything is done, 6 when something failed or the job was cancelled, 7 when the store failed.
    """
    with context.unit_of_work() as uow:
        job = uow.jobs.get(job_id)
    plan = read_plan(job.plan_json)
    made = engine or make_engine(plan.engine.with_workers(plan.processes), context, job_id)
    work = _Work(context=context, job=job, plan=plan, engine=made)
    previous = signal.signal(signal.SIGTERM, work.on_terminate)
    try:
        return work.run()
    except CabstandError as problem:
        context.narrate(f"error [{problem.code}]: {problem.message}")
        work.engine.cancel()  # first: who sees the job ended may resume it at once
        work.end("failed", f"[{problem.code}] {problem.message}")
        return problem.exit_code
    except Exception as problem:  # a fault of ours: its traceback is for the log, one line for people
        traceback.print_exc()
        work.engine.cancel()  # first: who sees the job ended may resume it at once
        work.end("failed", " ".join(f"{type(problem).__name__}: {problem}".split()))
        return ExecutionError.exit_code
    finally:
        signal.signal(signal.SIGTERM, previous)
        work.engine.cancel()


@dataclass(slots=True, kw_only=True)
class _Work:
    context: Context
    job: JobRecord
    plan: JobPlan
    engine: Engine
    is_cancelled: bool = False
    last_heartbeat_ns: int = 0
    shown: tuple[str, ...] = ()
    batch_jobs: tuple[str, ...] = ()
    failed: list[str] = field(default_factory=list)

    def on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        """Remember that the job is to stop; looked at between two outcomes."""
        self.is_cancelled = True

    def run(self) -> int:
        """Work through the stages; return the exit code."""
        self._begin()
        left = cancel_left_jobs(self.context, self.job.id)
        if left:
            self.context.narrate(f"taken out of the batch system, left by a runner that died: {', '.join(left)}")
        remove_unfinished(self.plan, self.context.root)
        for stage in self.plan.stages:
            self._run_stage(stage)
            if self.is_cancelled or self.failed:
                break
        if self.is_cancelled:
            self.engine.cancel()
            remove_unfinished(self.plan, self.context.root)
            self.end("cancelled", "cancelled")
            return 6
        self.engine.close()
        self.end("failed" if self.failed else "done", "; ".join(self.failed[:3]))
        return 6 if self.failed else 0

    def end(self, status: str, error: str) -> None:
        """Write how the job ended; a verification is judged by what was measured."""
        with self.context.unit_of_work(write=True) as uow:
            uow.jobs.mark_running(self.job.id, ())
            if self.plan.kind == "verify" and status in ("done", "failed"):
                judge_job(uow, self.job)
            now = self.context.clock()
            uow.jobs.update(
                self.job.id, status=status, error=error, pid=None, finished_tai_ns=now, heartbeat_tai_ns=now
            )
            uow.commit()
        self.context.narrate(f"job {self.job.id} {status}{': ' + error if error else ''}")

    def _begin(self) -> None:
        now = self.context.clock()
        with self.context.unit_of_work(write=True) as uow:
            uow.jobs.update(
                self.job.id,
                status="running",
                error="",
                host=self.context.host,
                boot_id=boot_id(),
                pid=os.getpid(),
                started_tai_ns=now,
                heartbeat_tai_ns=now,
                finished_tai_ns=None,
            )
            uow.jobs.mark_running(self.job.id, ())
            uow.commit()
        self.last_heartbeat_ns = now
        self.context.narrate(f"job {self.job.id}: {self.plan.kind} {self.plan.calib_type} into {self.plan.run}")

    def _run_stage(self, stage: tuple[Quantum, ...]) -> None:
        waiting = self._not_done(stage)
        for quantum in waiting:
            Path(quantum.log_path).unlink(missing_ok=True)
        self.engine.submit(waiting)
        while self.engine.n_open and not self.is_cancelled:
            for outcome in self.engine.wait(_WAIT_S):
                self._absorb(next(quantum for quantum in stage if quantum.label == outcome.label), outcome)
            self._beat()

    def _not_done(self, stage: tuple[Quantum, ...]) -> list[Quantum]:
        """Return the quanta of a stage to carry out: not done, or done and a file of theirs is gone."""
        root = self.context.root
        with self.context.unit_of_work() as uow:
            done = {one.label for one in uow.jobs.quanta(self.job.id) if one.status == "done"}
            run = uow.collections.get(self.plan.run)
            known = {record.id: record for record in uow.datasets.in_run(run)}
        todo = []
        for quantum in stage:
            records = [known[output.dataset_id] for output in quantum.outputs if output.dataset_id in known]
            if quantum.label in done and all(_is_there(record, root) for record in records):
                continue
            existing = {record.dataset_type: record.sha256 for record in records}
            log = quantum_log(self.context, self.job.id, quantum.label)
            todo.append(placed(_with_sums(quantum, known), root, existing, log=str(log)))
        if len(todo) < len(stage):
            self.context.narrate(f"{len(stage) - len(todo)} of {len(stage)} quanta are done already and kept")
        return todo

    def _absorb(self, quantum: Quantum, outcome: Outcome) -> None:
        """Write what a quantum came to: its datasets, numbers and status, all or nothing."""
        try:
            with self.context.unit_of_work(write=True) as uow:
                if outcome.is_done:
                    self._write_rows(uow, quantum, outcome)
                uow.jobs.set_quantum(self.job.id, _quantum_record(outcome))
                uow.commit()
        except StoreError:
            raise
        except CabstandError as problem:
            outcome = Outcome(label=outcome.label, is_done=False, error=f"[{problem.code}] {problem.message}")
            with self.context.unit_of_work(write=True) as uow:
                uow.jobs.set_quantum(self.job.id, _quantum_record(outcome))
                uow.commit()
        if outcome.is_done:
            self.context.narrate(f"{outcome.label} done in {outcome.wall_s:.1f} s")
        else:
            self.failed.append(f"{outcome.label}: {outcome.error}")
            self.context.narrate(f"{outcome.label} FAILED: {outcome.error}")
            for line in log_end(quantum_log(self.context, self.job.id, outcome.label), _LOG_LINES):
                self.context.narrate(f"{outcome.label} | {line}")

    def _write_rows(self, uow: "UnitOfWork", quantum: Quantum, outcome: Outcome) -> None:
        run = uow.collections.get(self.plan.run)
        records = [self._record(run, quantum, outcome, file) for file in outcome.files]
        if records:
            uow.datasets.insert(run, records, state=self.job.opened_state)
        verification = uow.verifications.of_job(self.job.id) if outcome.metrics else None
        if verification is not None:
            uow.verifications.insert_metrics(verification.id, outcome.metrics)

    def _record(self, run: CollectionRecord, quantum: Quantum, outcome: Outcome, file: WrittenFile) -> DatasetRecord:
        plan = self.plan
        provenance: dict[str, object] = {
            **{name: value for name, value in outcome.details.items() if name != RETRIED},
            "created": created_text(plan.created_tai_ns),
            "task": quantum.task,
        }
        if quantum.raws:
            provenance[_LISTED_EXPOSURES] = [raw.exposure for raw in quantum.raws]
        key = plan.data_keys.get(file.dataset_id)
        data_id = DataId.parse(key) if key else data_id_of(plan.instrument, quantum.detector)
        detector, exposure = data_id.get("detector"), data_id.get("exposure")
        physical_filter = data_id.get("physical_filter")
        return DatasetRecord(
            id=file.dataset_id,
            dataset_type=file.dataset_type,
            run=run.name,
            data_key=str(data_id),
            instrument=plan.instrument,
            detector=None if detector is None else int(detector),
            exposure=None if exposure is None else int(exposure),
            physical_filter=None if physical_filter is None else str(physical_filter),
            unit=plan.units.get(file.dataset_type, ""),
            content_sha256=file.content_sha256,
            provenance=provenance,
            job_id=self.job.id,
            created_tai_ns=plan.created_tai_ns,
            path=str(Path(file.path).relative_to(self.context.root)),
            transfer="written",
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            inputs=plan.inputs.get(quantum.label, ()),
        )

    def _beat(self) -> None:
        if self.engine.batch_jobs != self.batch_jobs:
            self.batch_jobs = self.engine.batch_jobs
            note_batch_jobs(self.context, self.job.id, self.plan.engine, self.batch_jobs)
            self.context.narrate(f"batch jobs {', '.join(self.batch_jobs)}")
        now = self.context.clock()
        running = self.engine.running
        if running == self.shown and now - self.last_heartbeat_ns < HEARTBEAT_NS:
            return
        try:
            with self.context.unit_of_work(write=True) as uow:
                uow.jobs.update(self.job.id, heartbeat_tai_ns=now)
                uow.jobs.mark_running(self.job.id, running)
                uow.commit()
        except StoreError as problem:
            # The lock tells that the runner lives; a missed heartbeat only makes it look old.
            print(f"heartbeat missed: {problem.message}", file=sys.stderr, flush=True)
        self.last_heartbeat_ns, self.shown = now, running


def remove_unfinished(plan: JobPlan, root: Path) -> None:
    """Remove what killed workers of a job left under temporary names; nobody writes them any more."""
    for quantum in plan.quanta:
        for output in quantum.outputs:
            path = root / output.path
            for left in path.parent.glob(f"{path.name}{TEMPORARY_MARK}*"):
                left.unlink(missing_ok=True)


def boot_id() -> str:
    """Return the kernel's id of this start of the machine; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _with_sums(quantum: Quantum, known: Mapping[str, DatasetRecord]) -> Quantum:
    """Return a quantum with the sums of what earlier stages made: it was planned before there were any."""
    calibs = tuple(
        replace(calib, sha256=known[calib.dataset_id].sha256) if calib.dataset_id in known else calib
        for calib in quantum.calibs
    )
    return replace(quantum, calibs=calibs)


def _is_there(record: DatasetRecord, root: Path) -> bool:
    try:
        return (root / record.path).stat().st_size == record.size_bytes
    except OSError:
        return False


def _quantum_record(outcome: Outcome) -> QuantumRecord:
    return QuantumRecord(
        label=outcome.label,
        position=0,
        status="done" if outcome.is_done else "failed",
        error=outcome.error,
        wall_s=outcome.wall_s,
        peak_rss_bytes=outcome.peak_rss_bytes,
        details=dict(outcome.details),
    )
