"""Jobs for the screen: how far each one is, what is wrong with it, and one of them in detail with the end of its log.

Cheap enough to be asked every second: no plans and no details of quanta are read, and ages come in steps, so that an
answer differs from the one before only when something happened.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.job_records import JobRecord, QuantumRecord
from calibstore.model.times import utc_text
from calibstore.services.context import Context
from calibstore.services.job_files import log_end, log_path, quantum_log
from calibstore.services.looks.job_progress import StageRow, left_s, rounded_s, stage_rows
from calibstore.services.runner import is_alive

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

TAIL_LINES: Final = 40
"""Lines of a log that are shown beside a job."""
_FIRST: Final = {"failed": 0, "running": 1}
"""Order of quanta by status; the others follow as they are."""
WHOLE_LOG_BYTES: Final = 1_000_000
"""Bytes read of a long log, from its end."""
_AGES_S: Final = (
    (86_400, "over a day"),
    (3_600, "over an hour"),
    (300, "over 5 min"),
    (60, "over 1 min"),
    (15, "over 15 s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job."""

    id: str
    kind: str
    """generate or verify."""
    calib_type: str
    ticket: str
    run: str
    """RUN its products go to."""
    status: str
    """submitted, running, done, failed, cancelled, or dead: it should have a runner and has none."""
    n_done: int
    n_failed: int
    n_running: int
    n_quanta: int
    started: str
    """UTC, or empty."""
    finished: str
    """UTC, or empty."""
    duration_s: float | None
    """From start to end, when it has both [s]."""
    heartbeat: str
    """Age of the last sign of life, in steps; empty when none is expected."""
    trouble: str
    """What is wrong; empty when nothing is."""

    @property
    def is_active(self) -> bool:
        """Whether a runner is at it."""
        return self.status in ("submitted", "running")

    @property
    def can_resume(self) -> bool:
        """Whether it can be started again."""
        return self.status in ("dead", "failed", "cancelled")

    @property
    def can_cancel(self) -> bool:
        """Whether there is something to stop."""
        return self.status in ("submitted", "running", "dead")

    @property
    def words(self) -> str:
        """The status in words."""
        return {"submitted": "starting", "dead": "runner died"}.get(self.status, self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantumRow:
    """One unit of a job's work."""

    label: str
    detector: int | None
    status: str
    wall_s: float | None
    peak_rss_bytes: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """One job with everything about it."""

    row: JobRow
    runner: str
    """Where it runs or ran, in words."""
    submitted: str
    """UTC."""
    stages: tuple[StageRow, ...]
    quanta: tuple[QuantumRow, ...]
    """Those that failed first, then those at work, then the others in their order."""
    so_far_s: float | None
    """Since it was started, in steps while it runs [s]."""
    left_s: float | None
    """About how long it still takes; None when nothing tells [s]."""
    log_path: str
    log_tail: tuple[str, ...]
    native: tuple[str, ...]
    """The observatory's own lines that were journalled with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsLook:
    """The jobs of a repository, the newest first."""

    rows: tuple[JobRow, ...]
    detail: JobDetail | None
    """The job asked for; else None."""

    @property
    def is_active(self) -> bool:
        """Whether something may change by itself."""
        return any(one.is_active for one in self.rows)


def jobs_look(context: Context, job_id: str = "") -> JobsLook:
    """Read all jobs and, when asked, one in detail.

    Parameters
    ----------
    context : Context
        The repository.
    job_id : str
        The job to read in detail; empty for none.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    with context.unit_of_work() as uow:
        records = uow.jobs.list()
        # Asked before the counts are read: a runner that ends in between has written them already.
        alive = {one.id: one.is_open and is_alive(context, one.id) for one in records}
        counts = uow.jobs.all_counts()
        rows = {one.id: _row(uow, context, one, alive[one.id], counts.get(one.id, {})) for one in reversed(records)}
        detail = None
        if job_id:
            # The list is searched first: a plan, which `get` reads, may be megabytes.
            record = next((one for one in records if one.id == job_id), None) or uow.jobs.get(job_id)
            detail = _detail(uow, context, record, rows[job_id])
    return JobsLook(rows=tuple(rows.values()), detail=detail)


def log_lines(context: Context, job_id: str, n_lines: int = 0) -> tuple[str, ...]:
    """Return the end of a job's log; none when there is no log.

    Parameters
    ----------
    context : Context
        The repository.
    job_id : str
        The job.
    n_lines : int
        Lines from the end; 0 for all that is read of a long log.
    """
    size = 200 * n_lines if n_lines else WHOLE_LOG_BYTES
    try:
        with log_path(context, job_id).open("rb") as log:
            end = log.seek(0, 2)
            log.seek(max(end - size, 0))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    if end > size and lines:
        lines = lines[1:]  # the first one is cut
    return tuple(_printable(one) for one in (lines[-n_lines:] if n_lines else lines))


def quantum_log_lines(context: Context, job_id: str, label: str, n_lines: int = TAIL_LINES) -> tuple[str, ...]:
    """Return the end of what the worker of a quantum printed; else the lines of the job's log that name it.

    Parameters
    ----------
    context : Context
        The repository.
    job_id : str
        The job.
    label : str
        The quantum.
    n_lines : int
        Lines from the end.
    """
    own = log_end(quantum_log(context, job_id, label), n_lines)
    if not own:
        named = [one for one in log_lines(context, job_id) if f"{label} " in one or f"{label}:" in one]
        own = tuple(named[-n_lines:])
    return tuple(_printable(one) for one in own)


def _row(uow: "UnitOfWork", context: Context, record: JobRecord, has_runner: bool, counts: dict[str, int]) -> JobRow:
    status = "dead" if record.is_open and not has_runner else record.status
    begin, end = record.started_tai_ns, record.finished_tai_ns
    n_quanta, n_done = sum(counts.values()), counts.get("done", 0)
    row = JobRow(
        id=record.id,
        kind=record.kind,
        calib_type=record.calib_type,
        ticket=record.ticket,
        run=record.run,
        status=status,
        n_done=n_done,
        n_failed=counts.get("failed", 0),
        n_running=counts.get("running", 0) if has_runner else 0,
        n_quanta=n_quanta,
        started=_utc(begin),
        finished=_utc(end),
        duration_s=(end - begin) / 1e9 if begin is not None and end is not None and end >= begin else None,
        heartbeat=_age_words(context, record, status),
        trouble=f"its runner died after {n_done} of {n_quanta} quanta; what was done is kept"
        if status == "dead"
        else "",
    )
    if status == "failed" or row.n_failed:
        return _with_trouble(uow, row, record)
    return row


def _with_trouble(uow: "UnitOfWork", row: JobRow, record: JobRecord) -> JobRow:
    failed = [f"{one.label}: {one.error}" for one in uow.jobs.progress(row.id) if one.status == "failed"]
    more = f"; and {len(failed) - 2} more" if len(failed) > 2 else ""
    told = "; ".join(failed[:2]) + more
    return replace(row, trouble="; ".join(part for part in (row.trouble, told or record.error) if part))


def _age_words(context: Context, record: JobRecord, status: str) -> str:
    """Return the age of the last heartbeat in steps: exact seconds would be news every second."""
    if record.heartbeat_tai_ns is None or status not in ("submitted", "running", "dead"):
        return ""
    age_s = max(context.clock() - record.heartbeat_tai_ns, 0) / 1e9
    return next((words for limit_s, words in _AGES_S if age_s >= limit_s), "now")


def _detail(uow: "UnitOfWork", context: Context, record: JobRecord, row: JobRow) -> JobDetail:
    submitted = uow.journal.entry(record.opened_state)
    records = [_settled(one, row) for one in uow.jobs.progress(row.id)]
    stages = stage_rows(uow, str(context.root), record, records)
    return JobDetail(
        row=row,
        runner=_runner_words(record, row),
        submitted=_utc(record.submitted_tai_ns),
        stages=stages,
        quanta=tuple(_quantum(one) for one in sorted(records, key=lambda one: _FIRST.get(one.status, 2))),
        so_far_s=_so_far_s(context, record, row),
        left_s=left_s(stages) if row.status == "running" else None,
        log_path=str(log_path(context, row.id)),
        log_tail=log_lines(context, row.id, TAIL_LINES),
        native=submitted.native if submitted is not None else (),
    )


def _runner_words(record: JobRecord, row: JobRow) -> str:
    where = f"pid {record.pid} on {record.host}" if record.pid else record.host
    if row.is_active:
        return f"runner {where}" if where else "its runner is starting"
    if row.status == "dead":
        return f"its runner ({where}) is gone" if where else "it never had a runner"
    return f"ran on {record.host}" if record.host else "never ran"


def _so_far_s(context: Context, record: JobRecord, row: JobRow) -> float | None:
    if row.duration_s is not None or record.started_tai_ns is None or not row.is_active:
        return row.duration_s
    return rounded_s(max(0, context.clock() - record.started_tai_ns) / 1e9)


def _settled(record: QuantumRecord, row: JobRow) -> QuantumRecord:
    """Return a quantum as it is: one under way when its runner died is under way no longer."""
    return replace(record, status="waiting") if record.status == "running" and not row.is_active else record


def _quantum(record: QuantumRecord) -> QuantumRow:
    number = next((part for part in record.label.split(":")[1:] if part.isdigit()), "")
    return QuantumRow(
        label=record.label,
        detector=int(number) if number else None,
        status=record.status,
        wall_s=record.wall_s,
        peak_rss_bytes=record.peak_rss_bytes,
        error=_printable(record.error),
    )


def _utc(tai_ns: int | None) -> str:
    return utc_text(tai_ns, 0) if tai_ns is not None else ""


def _printable(text: str) -> str:
    """Return a text that cannot move a terminal's cursor."""
    return "".join(one if one.isprintable() else " " for one in text)
