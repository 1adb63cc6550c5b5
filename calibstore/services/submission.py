"""Submitting a job: its rows in the action's own transaction, its runner once they are durable."""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibstore.model.collections import CollectionType
from calibstore.model.job_records import JobRecord
from calibstore.model.times import utc_text
from calibstore.services.actions import Effect
from calibstore.services.context import Context
from calibstore.services.job_files import log_path
from calibstore.services.job_plans import JobPlan, plan_text
from calibstore.services.runner import JobView, require_done, spawn_runner, wait_for

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def next_job_id(uow: "UnitOfWork", context: Context) -> str:
    """Return the id of the next job: today's UTC date and a number."""
    return uow.jobs.next_id(utc_text(context.clock(), 0)[:10].replace("-", ""))


def submit(uow: "UnitOfWork", context: Context, plan: JobPlan, job_id: str, *, state: int) -> None:
    """Write the rows of a submitted job: its RUN, itself and its quanta."""
    doc = f"{plan.kind} {plan.calib_type} for {plan.ticket}"
    uow.collections.register(plan.run, CollectionType.RUN, state=state, doc=doc)
    record = JobRecord(
        id=job_id,
        kind=plan.kind,
        ticket=plan.ticket,
        calib_type=plan.calib_type,
        run=plan.run,
        status="submitted",
        submitted_tai_ns=context.clock(),
        plan_json=plan_text(plan),
    )
    uow.jobs.insert(record, [quantum.label for quantum in plan.quanta], state=state)


def run_submitted(context: Context, done: Effect, *, detach: bool) -> tuple[Effect, JobView | None]:
    """Start the runner of the job an effect submitted and, unless detached, wait for its end.

    Parameters
    ----------
    context : Context
        The repository.
    done : Effect
        ``data["job"]`` is the job.
    detach : bool
        Return at once.

    Returns
    -------
    effect : Effect
        With what to type next while the job runs.
    view : JobView or None
        The job that is done; None while it runs.

    Raises
    ------
    ExecutionError
        If the job ended otherwise than done.
    """
    job_id = str(done.data["job"])
    spawn_runner(context, job_id)
    view = None
    if not detach:
        view = wait_for(context, job_id)
        require_done(view)
        if view.has_ended:
            return replace(done, data={**done.data, "status": view.status}), view
    running = replace(
        done,
        lines=(*done.lines, f"log         {log_path(context, job_id)}"),
        next=(f"cabstand jobs {job_id} --wait", *done.next),
        data={**done.data, "status": view.status if view else "submitted"},
    )
    return running, None
