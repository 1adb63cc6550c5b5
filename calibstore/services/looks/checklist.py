"""One campaign of the checklist screen, item by item."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.model.checklist_text import find_help
from calibstore.model.hailing import HailingState
from calibstore.model.verdicts import Overall
from calibstore.model.workflow import CHECKLIST_VERSION, ItemState
from calibstore.reports.checklist_text_view import ItemView, checklist_lines, first_open
from calibstore.services.checklist import head_of, rows_of
from calibstore.services.context import Context
from calibstore.services.destinations import ANYWHERE
from calibstore.services.jobs import log_tail
from calibstore.services.judged import in_order
from calibstore.services.looks.checklist_steps import first_steps, steps_of
from calibstore.services.looks.checklist_turns import TurnRow, turn_rows
from calibstore.services.looks.steps import Step, step_of
from calibstore.services.native_campaign import environment_lines
from calibstore.services.next_lines import today_of
from calibstore.services.runner import JobView, is_alive
from calibstore.services.standing import IN_USE, Standing, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.model.site_records import DeploymentRecord

SHORT_TITLES: Final = {
    "ticket": "ticket",
    "inputs": "inputs",
    "generate": "generate",
    "verify": "verify",
    "report": "report",
    "certify": "certify",
    "hail": "taxicab",
    "deployment": "deploy",
    "distribute": "distrib",
    "tagging": "tagging",
}
"""Titles for the rail of two lines, at most eight letters."""
MARKS: Final = {
    ItemState.DONE: "x",
    ItemState.WAIVED: "w",
    ItemState.NOT_APPLICABLE: "-",
    ItemState.RUNNING: "~",
    ItemState.READY: ">",
    ItemState.BLOCKED: " ",
    ItemState.TODO: " ",
}
TAIL_LINES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLook:
    """A job that works on an item, or failed at it."""

    id: str
    kind: str
    calib_type: str
    status: str
    n_done: int
    n_quanta: int
    error: str
    tail: tuple[str, ...]
    """Last lines of its log."""

    @property
    def is_running(self) -> bool:
        """Whether it goes on by itself."""
        return self.status in ("submitted", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRow:
    """How far the ticket is at one destination; each step says yes, no or why neither."""

    name: str
    site: str
    repository: str
    exported: str
    imported: str
    live: str
    proved: str
    fingerprint: str
    """equal, DIFFERS, or empty while there is nothing to compare."""
    state: str
    why: str
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLook:
    """One row of the checklist with all that can be done about it."""

    key: str
    number: int
    """0 for the step between report and hail."""
    title: str
    short: str
    stage: str
    state: str
    mark: str
    is_stale: bool
    done: tuple[str, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    help: tuple[tuple[str, str], ...]
    """(What / Why / Look at / Goes wrong, prose)."""
    steps: tuple[Step, ...]
    jobs: tuple[JobLook, ...] = ()
    turns: tuple[TurnRow, ...] = ()
    """Types of the ticket in the order in which they are built, of the item that builds them."""

    @property
    def label(self) -> str:
        """Number and title, e.g. ``3 Generate``."""
        return f"{self.number or '-'} {self.title}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistLook:
    """One campaign."""

    ticket: str
    tag: str
    instrument: str
    calib_types: tuple[str, ...]
    title: str
    """One line: ticket, tag, instrument, types, title."""
    facts: tuple[str, ...]
    alarms: tuple[str, ...]
    remedies: tuple[Step, ...]
    """Against the alarms."""
    items: tuple[ItemLook, ...]
    open_key: str
    """Item where something can be done now; the last one when nothing is left."""
    destinations: tuple[DestinationRow, ...]
    verdict_note: str
    """What the deciding tier says where it is not a pass; empty else."""
    stop: str
    """The stop sign before what makes it live; empty once it is live at home."""
    text: tuple[str, ...]
    """The whole checklist as the command line prints it, with the help."""
    verbatim: str
    """Edition of the published list."""
    native: tuple[str, ...]
    """Shell variables that name everything of the campaign, as the published procedure sets them."""
    shown_key: str = ""
    """Item that was asked for, by key or number."""

    def item(self, key: str) -> ItemLook:
        """Return an item by key or number; the open one when there is none such."""
        known = {name: one for one in self.items for name in (one.key, str(one.number))}
        return known.get(key) or known[self.open_key]

    @property
    def is_running(self) -> bool:
        """Whether a job works on it: it is worth reading again soon."""
        return any(job.is_running for item in self.items for job in item.jobs)


def checklist_look(context: Context, ticket: str) -> ChecklistLook:
    """Read one campaign item by item.

    Parameters
    ----------
    context : Context
        Repository and clock.
    ticket : str
        Construction ticket.

    Raises
    ------
    NotFoundError
        If there is no such campaign.
    """
    with context.unit_of_work() as uow:
        found = standing(uow, ticket, now_tai_ns=context.clock())
        rows = rows_of(uow, found)
        following = first_open(rows) or next((row for row in rows if not row.state.is_settled), rows[-1])
        items = tuple(_item(uow, context, found, row, following) for row in rows)
        deployments = uow.sites.deployments(ticket)
    head = head_of(found, rows)
    remedies = tuple(step_of(line) for line in head.remedies)
    items = tuple(_with_remedies(item, remedies) for item in items)
    campaign = found.campaign
    return ChecklistLook(
        ticket=ticket,
        tag=campaign.tag,
        instrument=campaign.instrument,
        calib_types=campaign.calib_types,
        title=head.title,
        facts=head.facts,
        alarms=head.alarms,
        remedies=remedies,
        items=items,
        open_key=following.item.key,
        destinations=tuple(_destination(found, number, deployments) for number in range(len(found.destinations))),
        verdict_note=_verdict_note(found),
        stop=stop_text(found),
        text=checklist_lines(head, rows, explain=True),
        verbatim=CHECKLIST_VERSION,
        native=environment_lines(campaign, context.root, rerun=_rerun(found)),
    )


def stop_text(found: Standing) -> str:
    """Return what stands between proposed and live; empty once it is live at home.

    Parameters
    ----------
    found : Standing
        The campaign.
    """
    if any(view.destination.is_home and view.state in IN_USE for view in found.destinations):
        return ""
    top = found.campaign.names.top_chain
    if found.state is not HailingState.ADOPTED:
        return f"STOP: not live until Adopted (now {found.state}). {top} does not list it."
    if not found.is_decision_fresh:
        return f"STOP: other content was Adopted. {top} does not list it before the board decides again."
    return f"STOP: Adopted, not live yet. Making it live changes what {top} answers: read the preview."


def _verdict_note(found: Standing) -> str:
    told = []
    for one in found.verifiable:
        records = in_order(one.judgements, found.camera, one.calib_type)
        if one.is_verified and records and records[0].verdict not in (Overall.PASS, Overall.PASS_WITH_WAIVERS):
            told.append(f"{one.calib_type} {records[0].verdict}")
    if not told:
        return ""
    return (
        f"the verdict is {', '.join(told)}: look at what failed (item 4), choose other exposures (item 2), or let the "
        "board waive it"
    )


def _rerun(found: Standing) -> str:
    names = [one.name for one in found.types if one.name is not None and one.name.rerun]
    return names[-1].rerun if names else f"{today_of(found.now_tai_ns)}a"


def _item(uow: "UnitOfWork", context: Context, found: Standing, row: ItemView, following: ItemView) -> ItemLook:
    item = row.item
    is_table = item.key == "distribute"  # its destinations are a table of their own
    prose = find_help(item.key)
    jobs = _jobs(uow, context, found, item.key)
    return ItemLook(
        key=item.key,
        number=item.number,
        title=item.title,
        short=SHORT_TITLES[item.key],
        stage=str(item.stage),
        state="STALE" if row.is_stale else row.state.replace("_", " "),
        mark="!" if row.is_stale else MARKS[row.state],
        is_stale=row.is_stale,
        done=() if is_table else row.done,
        missing=tuple(text for text in row.missing if text.startswith("item ")) if is_table else row.missing,
        notes=row.notes,
        help=(
            ("What", prose.what),
            ("Why", prose.why),
            ("Look at", prose.look_at),
            ("Goes wrong", prose.goes_wrong),
        ),
        steps=(*first_steps(row, following), *_with_jobs(steps_of(uow, found, row), jobs)),
        jobs=jobs,
        turns=turn_rows(uow, found) if item.key == "generate" else (),
    )


def _with_remedies(item: ItemLook, remedies: tuple[Step, ...]) -> ItemLook:
    """Return an item with the lines against an alarm first, whatever else there is to do."""
    if not remedies:
        return item
    known = {step.line for step in remedies}
    return replace(item, steps=(*remedies, *(step for step in item.steps if step.line not in known)))


def _with_jobs(steps: tuple[Step, ...], jobs: tuple[JobLook, ...]) -> list[Step]:
    """Return the steps with those about jobs as these are now: a running one is not resumed, a dead one first."""
    running = {job.id for job in jobs if job.is_running}
    dead = {job.id for job in jobs if job.status == "dead"}
    kept = [step for step in steps if not (_resumed(step) and _resumed(step) in running)]
    first = [replace(step, is_next=True) for step in kept if _resumed(step) and _resumed(step) in dead]
    return [*first, *(step for step in kept if not (_resumed(step) and _resumed(step) in dead))]


def _resumed(step: Step) -> str:
    return str(dict(step.given).get("resume", "")) if step.verb == "jobs" else ""


def _jobs(uow: "UnitOfWork", context: Context, found: Standing, key: str) -> tuple[JobLook, ...]:
    """Return the newest job of each type that works on an item, or ended badly at it."""
    if key not in ("generate", "verify"):
        return ()
    told = []
    for one in found.types:
        record = one.generate_job if key == "generate" else one.verify_job
        if record is None:
            continue
        # Asked before the rows: a runner that ends in between has written them already.
        alive = is_alive(context, record.id)
        view = JobView(record=uow.jobs.get(record.id), quanta=uow.jobs.quanta(record.id), is_alive=alive)
        if view.status == "done" or (view.status == "cancelled" and one.products):
            continue
        troubles = [f"{quantum.label}: {quantum.error}" for quantum in view.quanta if quantum.error]
        told.append(
            JobLook(
                id=record.id,
                kind=record.kind,
                calib_type=record.calib_type,
                status=view.status,
                n_done=view.n_done,
                n_quanta=len(view.quanta),
                error=next(iter(troubles), view.record.error),
                tail=log_tail(context, record.id, TAIL_LINES),
            )
        )
    return tuple(told)


def _destination(found: Standing, number: int, deployments: "tuple[DeploymentRecord, ...]") -> DestinationRow:
    view = found.destinations[number]
    one = view.destination
    if view.is_closed and view.proof is None:
        exported = imported = live = proved = "n/a"
    else:
        own = [row for row in deployments if row.destination == one.name]
        steps = {str(row.step) for row in own}
        anywhere = {str(row.step) for row in deployments if row.destination == ANYWHERE}
        is_live = view.state in IN_USE
        is_there = is_live or "imported" in steps
        exported = "here" if one.is_home else "yes" if is_there or "exported" in steps | anywhere else "-"
        imported = "here" if one.is_home else "yes" if is_there else "-"
        live = "yes" if is_live else "out" if view.state == "removed" else "-"
        proved = "yes" if view.proof is not None else "-"
    prints = [row.details.get("fingerprint") for row in deployments if row.destination == one.name]
    known = next((text for text in reversed(prints) if isinstance(text, str)), "")
    same = "equal" if known == found.fingerprint else "DIFFERS"
    return DestinationRow(
        name=one.name,
        site=one.site,
        repository=one.repository,
        exported=exported,
        imported=imported,
        live=live,
        proved=proved,
        fingerprint=same if known and live == "yes" else "",
        state=str(view.state),
        why=view.why,
        is_closed=view.is_closed,
    )
