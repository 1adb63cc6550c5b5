"""How far a job is, stage by stage: what is done, at work, failed and waiting, and about how long it still takes."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.model.calib_types import catalogue
from calibstore.model.job_records import JobRecord, QuantumRecord

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_KEPT: Final = 32
_ROUNDED_S: Final = ((120, 5), (600, 30), (7_200, 60))
"""Below so many seconds a time is told to so many: exact ones would be news every second."""
_COARSEST_S: Final = 600
_KNOWN: "OrderedDict[tuple[str, str], tuple[tuple[str, int], ...]]" = OrderedDict()
"""(repository, job) to its stages: a plan never changes, and may be megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage of a job: it begins when the one before is done."""

    name: str
    n_done: int
    n_running: int
    n_failed: int
    n_waiting: int
    mean_s: float | None
    """Of a quantum that is done [s]."""

    @property
    def n_quanta(self) -> int:
        """All its quanta."""
        return self.n_done + self.n_running + self.n_failed + self.n_waiting


def stage_rows(
    uow: "UnitOfWork", repository: str, record: JobRecord, quanta: Sequence[QuantumRecord]
) -> tuple[StageRow, ...]:
    """Count the quanta of each stage of a job.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    repository : str
        Tells the jobs of one repository from those of another.
    record : JobRecord
        The job, with or without its plan.
    quanta : sequence of QuantumRecord
        In their order; one that runs no longer is a waiting one.
    """
    rows = []
    begin = 0
    for name, size in _stages(uow, repository, record, len(quanta)):
        own = quanta[begin : begin + size]
        begin += size
        counts = {status: sum(1 for one in own if one.status == status) for status in ("done", "running", "failed")}
        walls = [one.wall_s for one in own if one.status == "done" and one.wall_s is not None]
        rows.append(
            StageRow(
                name=name,
                n_done=counts["done"],
                n_running=counts["running"],
                n_failed=counts["failed"],
                n_waiting=len(own) - sum(counts.values()),
                mean_s=sum(walls) / len(walls) if walls else None,
            )
        )
    return tuple(rows)


def left_s(stages: Sequence[StageRow]) -> float | None:
    """Return about how long a running job still takes [s], rounded; None while nothing tells.

    What is left of each stage takes the mean time of its quanta that are done, else that of the stages before; as many
    are done at a time as run now, and at most as many as the stage has.
    """
    known = [one.mean_s for one in stages if one.mean_s is not None]
    n_running = max(1, sum(one.n_running for one in stages))
    if not known:
        return None
    total_s, mean_s = 0.0, known[0]
    for one in stages:
        mean_s = one.mean_s if one.mean_s is not None else mean_s
        n_left = one.n_waiting + 0.5 * one.n_running
        total_s += mean_s * n_left / min(n_running, max(1, one.n_quanta))
    return rounded_s(total_s)


def rounded_s(seconds: float) -> float:
    """Return a time in steps, the coarser the longer it is [s]."""
    step_s = next((step for limit, step in _ROUNDED_S if seconds < limit), _COARSEST_S)
    return float(round(seconds / step_s) * step_s)


def _stages(uow: "UnitOfWork", repository: str, record: JobRecord, n_quanta: int) -> tuple[tuple[str, int], ...]:
    """Return name and size of each stage; a plan that does not tell is one stage."""
    key = (repository, record.id)
    if key not in _KNOWN:
        plan = json.loads(uow.jobs.get(record.id).plan_json)
        sizes = [(str(stage[0].get("task", "")), len(stage)) for stage in plan.get("stages", ()) if stage]
        made = catalogue().find(record.calib_type) if record.kind == "generate" else None
        names = [step.name for step in made.steps] if made is not None else []
        if len(names) == len(sizes):  # an instrument may have other steps: then tasks are named
            sizes = [(name, size) for name, (_, size) in zip(names, sizes, strict=True)]
        _KNOWN[key] = tuple(sizes)
        while len(_KNOWN) > _KEPT:
            _KNOWN.popitem(last=False)
    known = _KNOWN[key]
    return known if sum(size for _, size in known) == n_quanta else (("all", n_quanta),)
