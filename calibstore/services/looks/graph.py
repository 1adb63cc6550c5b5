"""Which calibration is made from which, for the screen: how each stands, what is at work on it, what can be done."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.generation import Generate
from calibstore.model.calib_recipes import Parameter, Step
from calibstore.model.calib_types import catalogue
from calibstore.model.job_records import JobRecord
from calibstore.model.names import find_name
from calibstore.model.times import describe, parse_time
from calibstore.services.context import Context
from calibstore.services.dependency_graph import GraphNode, dependency_graph
from calibstore.services.instruments import one_instrument
from calibstore.services.next_lines import certify_line, job_line
from calibstore.services.runner import is_alive
from calibstore.services.standing import standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_STEPS_S: Final = ((86_400 * 2, 86_400, "d"), (3_600 * 2, 3_600, "h"), (120, 60, "min"))
_UNITS: Final = {"detector": "each detector", "pairs": "pairs of exposures of a detector", "exposure": "each exposure",
                 "instrument": "the whole camera"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWork:
    """A job that makes a type, or failed at it."""

    job: str
    status: str
    """submitted, running, failed or dead."""
    n_done: int
    n_failed: int
    n_quanta: int

    @property
    def is_running(self) -> bool:
        """Whether it goes on by itself."""
        return self.status in ("submitted", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLook:
    """One calibration type."""

    name: str
    title: str
    state: str
    """made, partly, stale or missing."""
    level: int
    needs: tuple[str, ...]
    wants: tuple[str, ...]
    takes: tuple[str, ...]
    existing: tuple[str, ...]
    gives: tuple[str, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    waits: tuple[str, ...]
    """Needed types that there are none of."""
    n_detectors: int
    n_wanted: int
    filters: tuple[str, ...]
    run: str
    """RUN of what applies, or of what is made and not certified; empty where there is none."""
    ticket: str
    """Of the RUN."""
    age: str
    """Since the RUN was begun, e.g. ``3 d``."""
    source: str
    """curated, import or ingest, where it is not built."""
    is_certifiable: bool
    is_to_certify: bool
    """Whether it is made and not certified."""
    work: NodeWork | None
    next: str
    """The line that brings it on; empty where there is none."""
    generate: str
    """The line that builds it, now or again; empty where it is not built, or for no ticket."""
    steps: tuple[str, ...]
    parameters: tuple[str, ...]

    @property
    def parents(self) -> tuple[str, ...]:
        """Types that come before it."""
        return tuple(dict.fromkeys((*self.needs, *self.wants, *self.takes)))

    @property
    def is_ready(self) -> bool:
        """Whether it can be built now."""
        return not self.source and not self.waits


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLook:
    """All types of a camera, parents first."""

    instrument: str
    ticket: str
    tickets: tuple[str, ...]
    """Tickets of the camera, the newest first."""
    scheme: str
    at: str
    """Whose calibrations are meant, in every clock; empty: now."""
    searched: tuple[str, ...]
    nodes: tuple[NodeLook, ...]

    def node(self, name: str) -> NodeLook | None:
        """Return a node; None where there is none of the name."""
        return next((one for one in self.nodes if one.name == name), None)

    @property
    def is_running(self) -> bool:
        """Whether something may change by itself."""
        return any(one.work is not None and one.work.is_running for one in self.nodes)


def graph_look(context: Context, instrument: str, *, ticket: str = "", at: str = "") -> GraphLook:
    """Read how every calibration type of a camera stands.

    Parameters
    ----------
    context : Context
        The repository.
    instrument : str
        Camera; empty for that of the ticket, or the only one.
    ticket : str
        Its chain is searched first, and its bootstraps and jobs count; empty for the top chain alone.
    at : str
        Time whose calibrations are meant; empty for now.

    Raises
    ------
    UserInputError
        If the time is none.
    NotFoundError
        If there is no such ticket or camera.
    """
    with context.unit_of_work() as uow:
        if ticket:
            instrument = uow.campaigns.campaign(ticket).instrument
        instrument = one_instrument(uow, instrument)
        camera = uow.repository.camera(instrument)
        offset = camera.day_obs_offset_h
        at_tai_ns = parse_time(at, day_obs_offset_h=offset).tai_ns if at else context.clock()
        view = dependency_graph(uow, instrument, at_tai_ns=at_tai_ns, ticket=ticket)
        work = _work(uow, context, instrument, ticket)
        certify = _certify_lines(uow, context, ticket, view.nodes)
        nodes = tuple(
            _node(uow, context, one, camera=(instrument, camera.variant), ticket=ticket, work=work, certify=certify)
            for one in view.nodes
        )
        tickets = tuple(one.ticket for one in reversed(uow.campaigns.campaigns()) if one.instrument == instrument)
    return GraphLook(
        instrument=instrument,
        ticket=ticket,
        tickets=tickets,
        scheme=view.scheme,
        at=describe(at_tai_ns, camera.time_zone, offset) if at else "",
        searched=view.searched,
        nodes=nodes,
    )


def work_look(context: Context, look: GraphLook) -> "dict[str, NodeWork]":
    """Read again only what is at work: cheap enough to be asked every second."""
    with context.unit_of_work() as uow:
        return _work(uow, context, look.instrument, look.ticket)


def with_work(look: GraphLook, work: "dict[str, NodeWork]") -> GraphLook:
    """Return a look with what is at work now."""
    return replace(look, nodes=tuple(replace(one, work=work.get(one.name)) for one in look.nodes))


def _work(uow: "UnitOfWork", context: Context, instrument: str, ticket: str) -> dict[str, NodeWork]:
    """Return the newest job of each type, where it runs or ended badly."""
    newest: dict[str, JobRecord] = {}
    for job in uow.jobs.list(ticket=ticket):
        name = find_name(job.run)
        if job.kind == "generate" and name is not None and name.instrument == instrument:
            newest[job.calib_type] = job
    wanted = {one.id for one in newest.values() if one.status not in ("done", "cancelled")}
    counts = uow.jobs.all_counts() if wanted else {}
    found = {}
    for calib_type, job in newest.items():
        if job.id not in wanted:
            continue
        own = counts.get(job.id, {})
        found[calib_type] = NodeWork(
            job=job.id,
            status="dead" if job.is_open and not is_alive(context, job.id) else job.status,
            n_done=own.get("done", 0),
            n_failed=own.get("failed", 0),
            n_quanta=sum(own.values()),
        )
    return found


def _certify_lines(uow: "UnitOfWork", context: Context, ticket: str, nodes: Iterable[GraphNode]) -> dict[str, str]:
    """Return the lines that certify what is made and not certified: what is built next finds it then."""
    fresh = {one.uncertified_run for one in nodes if one.uncertified_run}
    if not ticket or not fresh:
        return {}
    found = standing(uow, ticket, now_tai_ns=context.clock())
    return {
        one.calib_type: certify_line(uow, found, one)
        for one in found.types
        if one.run in fresh and one.products and one.is_certifiable
    }


def _node(
    uow: "UnitOfWork",
    context: Context,
    one: GraphNode,
    *,
    camera: tuple[str, str],
    ticket: str,
    work: dict[str, NodeWork],
    certify: dict[str, str],
) -> NodeLook:
    made = catalogue().find(one.name, *camera)
    run = one.uncertified_run or (one.runs[0] if one.runs else "")
    name = find_name(run) if run else None
    own = work.get(one.name)
    waits = tuple(text for text in one.reasons if text.startswith("waits for "))
    is_to_certify = bool(one.uncertified_run) and made is not None and made.is_certifiable
    generate = ""
    if made is not None and made.is_made and ticket:
        generate = to_line(Generate(calib_type=one.name, ticket=ticket, band="BAND" if made.has_band else ""))
    return NodeLook(
        name=one.name,
        title=one.title,
        state=str(one.state),
        level=one.level,
        needs=one.needs,
        wants=one.wants,
        takes=one.takes,
        existing=one.existing,
        gives=made.gives if made is not None else (),
        reasons=tuple(text for text in one.reasons if text not in waits),
        notes=one.notes,
        waits=tuple(waits[0].removeprefix("waits for ").split(", ")) if waits else (),
        n_detectors=one.n_detectors,
        n_wanted=one.n_wanted,
        filters=one.filters,
        run=run,
        ticket=name.ticket if name is not None else "",
        age=_age(uow, context, run),
        source=one.source,
        is_certifiable=made is not None and made.is_certifiable,
        is_to_certify=is_to_certify,
        work=own,
        next=_next(one, own, certify),
        generate=generate,
        steps=tuple(_step_words(step) for step in made.steps) if made is not None else (),
        parameters=tuple(_parameter_words(each) for each in made.parameters) if made is not None else (),
    )


def _next(one: GraphNode, work: NodeWork | None, certify: dict[str, str]) -> str:
    """Return the line that brings a type on: its job first, then what is made is certified, then it is built."""
    if work is not None:
        return job_line(work.job, resume=not work.is_running)
    if one.uncertified_run and one.name in certify:
        return certify[one.name]
    return one.next


def _age(uow: "UnitOfWork", context: Context, run: str) -> str:
    record = uow.collections.find(run) if run else None
    entry = uow.journal.entry(record.opened_state) if record is not None else None
    if entry is None:
        return ""
    age_s = max(context.clock() - entry.at_tai_ns, 0) / 1e9
    return next((f"{age_s // unit_s:.0f} {unit}" for limit_s, unit_s, unit in _STEPS_S if age_s >= limit_s), "now")


def _step_words(step: Step) -> str:
    return f"{step.name}: {step.task}, for {_UNITS[step.per]}"


def _parameter_words(one: Parameter) -> str:
    return one.text
