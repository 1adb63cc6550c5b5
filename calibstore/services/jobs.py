"""Looking at jobs, waiting for them, starting dead ones again and stopping running ones."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.commands.fields import BUILDER, quoted
from calibstore.commands.generation import Jobs
from calibstore.errors import ConflictError, ExecutionError, NotFoundError, UserInputError
from calibstore.model.times import utc_text
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.context import Context
from calibstore.services.engine_choice import batch_jobs, chosen_engine
from calibstore.services.job_files import log_end, log_path, quantum_log
from calibstore.services.job_plans import plan_text, read_plan
from calibstore.services.roles import require_role
from calibstore.services.runner import (
    JobView,
    is_alive,
    require_done,
    spawn_runner,
    stop_runner,
    view_job,
    wait_for,
)

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

LOG_LINES = 40
"""Lines of a log that are shown."""


@dataclass(frozen=True, slots=True)
class _Waited:
    """The waiting is done before the transaction: one that waits would keep the runner from writing."""

    def discard(self) -> None:
        """Nothing was made."""


def _prepare(command: Jobs, context: Context, dry_run: bool) -> _Waited:
    if (command.resume or command.cancel) and not dry_run:
        require_role(context, BUILDER, what="jobs --resume and --cancel")
    wished = [name for name in ("resume", "cancel") if getattr(command, name)]
    if len(wished) == 2 or (wished and command.job):
        raise UserInputError(
            "jobs shows a job, resumes one or cancels one, not two of these at once", hint="give one job id only"
        )
    if (command.log or command.unit) and not command.job:
        raise UserInputError("jobs --log and --unit need a job", hint="cabstand jobs lists them")
    if command.engine and not command.resume:
        raise UserInputError("jobs --engine says where to go on: it needs --resume", hint="cabstand jobs --resume ID")
    if command.wait and not wished and not dry_run:
        if not command.job:
            raise UserInputError("jobs --wait needs a job", hint="cabstand jobs lists them")
        wait_for(context, command.job)
    return _Waited()


def _plan(command: Jobs, context: Context, uow: "UnitOfWork", _prepared: _Waited) -> Plan:
    if command.resume:
        return _resume(command, context, uow)
    if command.cancel:
        return _cancel(command, context, uow)
    if command.job:
        return Plan(effect=_detail(command, context, _view(uow, context, command.job)))
    return Plan(effect=_listing(context, uow))


def _view(uow: "UnitOfWork", context: Context, job_id: str) -> JobView:
    return JobView(record=uow.jobs.get(job_id), quanta=uow.jobs.quanta(job_id), is_alive=is_alive(context, job_id))


def _listing(context: Context, uow: "UnitOfWork") -> Effect:
    views = [
        JobView(record=record, quanta=uow.jobs.quanta(record.id), is_alive=is_alive(context, record.id))
        for record in uow.jobs.list()
    ]
    head: tuple[str, ...] = ("job", "kind", "type", "ticket", "status", "heartbeat", "run")
    rows = [head, *(_row(view, context) for view in views)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{view.record.id}: {_trouble(view)}" for view in views if view.status in ("failed", "dead")]
    dead = [view.record.id for view in views if view.status in ("dead", "failed")]
    return Effect(
        summary=f"{len(views)} job{'' if len(views) == 1 else 's'}",
        lines=tuple(lines) if views else (),
        next=tuple(f"cabstand jobs --resume {job_id}" for job_id in dead[-3:]),
        data={"jobs": [job_data(view, context) for view in views]},
    )


def _row(view: JobView, context: Context) -> tuple[str, ...]:
    record = view.record
    return (
        record.id,
        record.kind,
        record.calib_type,
        record.ticket,
        "dead: runner died" if view.status == "dead" else view.progress,
        _age(view, context),
        record.run,
    )


def _age(view: JobView, context: Context) -> str:
    if view.record.heartbeat_tai_ns is None or (view.has_ended and view.status != "dead"):
        return "-"
    return f"{max(context.clock() - view.record.heartbeat_tai_ns, 0) / 1e9:.0f} s ago"


def _trouble(view: JobView) -> str:
    if view.status == "dead":
        return (
            f"its runner died after {view.n_done} of {len(view.quanta)} quanta; what was done is kept: "
            f"cabstand jobs --resume {view.record.id}"
        )
    failed = [f"{one.label}: {one.error}" for one in view.quanta if one.status == "failed"]
    return "; ".join(failed[:3]) or view.record.error


def _detail(command: Jobs, context: Context, view: JobView) -> Effect:
    record = view.record
    times = [
        f"{name:<12}{utc_text(instant, 0)} UTC"
        for name, instant in (
            ("submitted", record.submitted_tai_ns),
            ("started", record.started_tai_ns),
            ("finished", record.finished_tai_ns),
        )
        if instant is not None
    ]
    lines = [
        f"run         {record.run}",
        f"engine      {_engine_text(view, context)}",
        f"runner      {'pid ' + str(record.pid) + ' on ' if record.pid else ''}{record.host or 'none yet'}"
        f"{'' if view.is_alive else ' (not running)'}; heartbeat {_age(view, context)}",
        *times,
    ]
    for quantum in view.quanta:
        wall = f"{quantum.wall_s:.1f} s" if quantum.wall_s is not None else ""
        peak = f"{quantum.peak_rss_bytes / 1e6:.0f} MB" if quantum.peak_rss_bytes else ""
        lines.append(f"{quantum.label:<22}{quantum.status:<9}{wall:>8}{peak:>9}  {quantum.error}".rstrip())
    if view.status in ("failed", "dead"):
        lines.append(_trouble(view))
    if command.unit:
        lines += [
            f"log         {quantum_log(context, record.id, command.unit)}",
            *unit_log(context, view, command.unit),
        ]
    if command.log:
        lines += [f"log         {log_path(context, record.id)}", *log_tail(context, record.id)]
    is_bad = view.has_ended and view.status != "done"
    return Effect(
        summary=f"job {record.id} ({record.kind} {record.calib_type} for {record.ticket}): {view.progress}",
        lines=tuple(lines),
        next=(f"cabstand jobs --resume {record.id}",) if is_bad else (),
        data=job_data(view, context),
        exit_code=ExecutionError.exit_code if command.wait and is_bad else 0,
    )


def log_tail(context: Context, job_id: str, n_lines: int = LOG_LINES) -> tuple[str, ...]:
    """Return the last lines of a job's log; none when there is no log."""
    return log_end(log_path(context, job_id), n_lines)


def unit_log(context: Context, view: JobView, label: str, n_lines: int = LOG_LINES) -> tuple[str, ...]:
    """Return the last lines that the worker of a unit of work printed; none when it printed nothing.

    Raises
    ------
    NotFoundError
        E-UNIT: the job has no such unit.
    """
    labels = [one.label for one in view.quanta]
    if label not in labels:
        likely = [one.label for one in view.quanta if one.status == "failed"] or labels
        raise NotFoundError(
            f"job {view.record.id} has no unit {label!r}",
            hint=f"cabstand jobs {view.record.id} --unit {quoted(likely[0])}",
            code="E-UNIT",
        )
    return log_end(quantum_log(context, view.record.id, label), n_lines)


def _engine_text(view: JobView, context: Context) -> str:
    ids = batch_jobs(context, view.record.id)
    listed = f"; batch jobs {', '.join(ids[-8:])}" if ids else ""
    return read_plan(view.record.plan_json).engine.text + listed


def job_data(view: JobView, context: Context) -> dict[str, object]:
    """Return a job for scripts."""
    record = view.record
    return {
        "id": record.id,
        "kind": record.kind,
        "ticket": record.ticket,
        "calib_type": record.calib_type,
        "run": record.run,
        "status": view.status,
        "is_alive": view.is_alive,
        "error": record.error,
        "host": record.host,
        "pid": record.pid,
        "n_done": view.n_done,
        "n_quanta": len(view.quanta),
        "batch_jobs": list(batch_jobs(context, record.id)),
        "submitted_tai_ns": record.submitted_tai_ns,
        "started_tai_ns": record.started_tai_ns,
        "heartbeat_tai_ns": record.heartbeat_tai_ns,
        "finished_tai_ns": record.finished_tai_ns,
        "log": str(log_path(context, record.id)),
        "quanta": [
            {
                "label": one.label,
                "status": one.status,
                "error": one.error,
                "wall_s": one.wall_s,
                "peak_rss_bytes": one.peak_rss_bytes,
            }
            for one in view.quanta
        ],
    }


def _resume(command: Jobs, context: Context, uow: "UnitOfWork") -> Plan:
    view = _view(uow, context, command.resume)
    job_id = view.record.id
    plan = read_plan(view.record.plan_json)
    if command.engine:
        plan = replace(plan, engine=chosen_engine(context, command.engine, processes=plan.processes))
    if view.is_alive:
        raise ConflictError(f"job {job_id} is {view.progress}", hint=f"cabstand jobs {job_id} --wait", code="E-JOBRUNS")
    if view.status == "done":
        raise ConflictError(f"job {job_id} is done", hint="nothing is left to do", code="E-JOBDONE")

    def apply(writing: "UnitOfWork", _state: int) -> None:
        for one in view.quanta:
            if one.status != "done":
                writing.jobs.set_quantum(job_id, replace(one, status="waiting", error=""))
        # The dead runner's process id may belong to somebody else by now.
        writing.jobs.update(
            job_id, status="submitted", error="", pid=None, finished_tai_ns=None, plan_json=plan_text(plan)
        )

    def after(done: Effect) -> Effect:
        spawn_runner(context, job_id)
        if not command.wait:
            return done
        ended = wait_for(context, job_id)
        require_done(ended)
        return replace(done, lines=(*done.lines, f"job {job_id} {ended.progress}"), data=job_data(ended, context))

    effect = Effect(
        summary=f"resume job {job_id} on {plan.engine.text}: {view.n_done} of {len(view.quanta)} quanta are done and "
        f"kept, {len(view.quanta) - view.n_done} are run",
        ticket=view.record.ticket,
        next=(f"cabstand jobs {job_id} --wait",),
        data=job_data(view, context),
        before={"status": view.status, "n_done": view.n_done},
        after={"status": "submitted"},
    )
    return Plan(effect=effect, apply=apply, after=after)


def _cancel(command: Jobs, context: Context, uow: "UnitOfWork") -> Plan:
    view = _view(uow, context, command.cancel)
    job_id = view.record.id
    if view.status in ("done", "failed", "cancelled"):
        raise ConflictError(
            f"job {job_id} has ended: {view.progress}", hint=f"cabstand jobs {job_id}", code="E-JOBENDED"
        )

    def apply(writing: "UnitOfWork", _state: int) -> None:
        if not view.is_alive:
            writing.jobs.mark_running(job_id, ())
            now = context.clock()
            writing.jobs.update(job_id, status="cancelled", error="cancelled", pid=None, finished_tai_ns=now)

    def after(done: Effect) -> Effect:
        if not stop_runner(context, job_id):
            raise ExecutionError(
                f"the runner of job {job_id} does not stop", hint=f"cabstand jobs {job_id} --log", code="E-NOSTOP"
            )
        ended = view_job(context, job_id)
        return replace(done, lines=(f"job {job_id} {ended.progress}",), data=job_data(ended, context))

    effect = Effect(
        summary=f"cancel job {job_id}; what it has done ({view.n_done} of {len(view.quanta)} quanta) is kept",
        ticket=view.record.ticket,
        inverse=(f"cabstand jobs --resume {job_id}",),
        ask=True,
        data=job_data(view, context),
        before={"status": view.status},
        after={"status": "cancelled"},
    )
    return Plan(effect=effect, apply=apply, after=after)


HANDLERS = {"jobs": Handler(plan=_plan, prepare=_prepare)}
