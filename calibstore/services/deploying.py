"""Making a ticket live: at home by its top chain, elsewhere by bundle, import, chain and equal fingerprints.

Elsewhere every step is an action of its own, journalled where it happens; a step that fails leaves the earlier ones
done and recorded, and the same line goes on from there.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from calibstore.commands.sites import Deploy, ExportCalibs, Import
from calibstore.commands.store import CollectionChain
from calibstore.errors import CabstandError, ConflictError, WorkflowError
from calibstore.model.destination_table import HOME
from calibstore.model.site_records import DeploymentRecord, DeployStep
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.chains import plan_collection_chain
from calibstore.services.context import Context
from calibstore.services.deploy_target import Target, TicketChain, gate_warnings, target, ticket_chain
from calibstore.services.destinations import is_new
from calibstore.services.doors import execute
from calibstore.services.exporting import fresh_folder
from calibstore.services.fingerprinting import Fingerprint, fingerprint, fingerprint_of, first_difference
from calibstore.services.foreign import other_repository
from calibstore.services.segments import load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

BUNDLES = "bundles"
"""Folder of the repository for bundles that `deploy` writes."""


@dataclass(slots=True)
class _Journey:
    """What was done on the way to a destination, or would be."""

    target: Target
    steps: list[tuple[DeployStep, dict[str, object]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    native: list[str] = field(default_factory=list)
    inverse: list[str] = field(default_factory=list)
    confirm: str = ""
    problem: CabstandError | None = None

    def discard(self) -> None:
        """Leave what was done elsewhere: it is journalled there, and a repeat goes on from it."""

    def take(self, title: str, effect: Effect) -> None:
        """Add the effect of one step."""
        self.lines += [f"{title}: {effect.summary}", *(f"  {line}" for line in effect.lines)]
        self.warnings += effect.warnings
        self.native += effect.native


def _prepare(command: Deploy, context: Context, dry_run: bool) -> _Journey | None:
    if command.destination == HOME:
        return None
    with context.unit_of_work() as uow:
        there = target(uow, command, context)
    journey = _Journey(target=there, warnings=list(there.warnings))
    other = other_repository(context, there.location)
    try:
        _travel(command, context, other, journey, dry_run=dry_run)
    except CabstandError as problem:
        if dry_run or not journey.steps:
            raise
        journey.problem = problem
    return journey


def _travel(command: Deploy, context: Context, other: Context, journey: _Journey, *, dry_run: bool) -> None:
    chain, ours = journey.target.chain, journey.target.fingerprint
    theirs = _fingerprint_at(other, chain.name)
    if theirs is None or theirs.effective != ours.effective:
        _bring(command, context, other, journey, dry_run=dry_run)
        theirs = theirs if dry_run else _fingerprint_at(other, chain.name)
    else:
        journey.lines.append(f"export, import: not needed, {other.root} answers the same for {chain.name}")
    if not _is_live(other, chain):
        _chain_there(command, context, other, journey, is_there=theirs is not None, dry_run=dry_run)
    else:
        journey.lines.append(f"chain: {chain.top} lists {chain.name} there already")
    if theirs is None or (dry_run and theirs.effective != ours.effective):
        journey.lines.append("fingerprint: compared after the import")
        return
    difference = first_difference(ours, theirs) if ours.effective != theirs.effective else ""
    if difference:
        raise ConflictError(
            f"{chain.name} answers otherwise at {journey.target.destination.name}: {difference}",
            hint=f"cabstand fingerprint {chain.name} --against {other.root}",
            code="E-FINGERPRINT",
        )
    journey.lines.append(f"fingerprint: equal, {ours.effective[:12]} for {chain.name} here and there")
    if not dry_run:
        details = _details(journey, other) | {"top": _effective_at(other, chain.top)}
        journey.steps.append((DeployStep.LIVE, details))


def _bring(command: Deploy, context: Context, other: Context, journey: _Journey, *, dry_run: bool) -> None:
    """Export here and import there."""
    chain = journey.target.chain
    bundle = Path(command.bundle).expanduser().absolute() if command.bundle else None
    if bundle is None:
        parent = context.root / BUNDLES
        if not dry_run:
            parent.mkdir(exist_ok=True)
        bundle = fresh_folder(parent, chain.instrument, context.clock())
        if dry_run and not parent.exists():
            journey.lines.append(f"export: {chain.name} to {bundle}")
        else:
            export = ExportCalibs(directory=str(bundle), collections=(chain.name,))
            journey.take("export", execute(export, replace(context, seen=None), dry_run=dry_run))
        if dry_run:
            journey.lines.append(f"import: the bundle into {other.root}")
            return
        journey.steps.append((DeployStep.EXPORTED, _details(journey, other) | {"bundle": str(bundle)}))
    journey.take("import", execute(Import(directory=str(bundle)), other, dry_run=dry_run))
    if not dry_run:
        journey.steps.append((DeployStep.IMPORTED, _details(journey, other) | {"bundle": str(bundle)}))


def _chain_there(
    command: Deploy, context: Context, other: Context, journey: _Journey, *, is_there: bool, dry_run: bool
) -> None:
    chain = journey.target.chain
    prepend = CollectionChain(parent=chain.top, children=(chain.name,), mode="prepend", override=command.override)
    if not is_there:
        journey.lines.append(f"chain: prepend {chain.name} to {chain.top} in {other.root}")
        return
    preview = execute(prepend, other, dry_run=True)
    if dry_run:
        journey.take("chain", preview)
        journey.confirm = preview.confirm
        return
    if preview.confirm and context.confirmed != preview.confirm:
        raise WorkflowError(
            f"at {journey.target.destination.name}: {preview.summary}: this must be confirmed by typing "
            f"{preview.confirm!r}",
            hint=f"look at it with --dry-run, then repeat with --confirm {preview.confirm}",
            code="E-CONFIRM",
        )
    done = execute(prepend, replace(other, confirmed=context.confirmed))
    journey.take("chain", done)
    journey.inverse += [f"cabstand -R {other.root} {line.removeprefix('cabstand ')}" for line in done.inverse]


def _details(journey: _Journey, other: Context) -> dict[str, object]:
    return {"location": str(other.root), "fingerprint": journey.target.fingerprint.effective}


def _fingerprint_at(other: Context, name: str) -> Fingerprint | None:
    with other.unit_of_work() as uow:
        return fingerprint(uow, name) if uow.collections.find(name) is not None else None


def _effective_at(other: Context, name: str) -> str:
    found = _fingerprint_at(other, name)
    return found.effective if found is not None else ""


def _is_live(other: Context, chain: TicketChain) -> bool:
    with other.unit_of_work() as uow:
        top = uow.collections.find(chain.top)
        return top is not None and chain.name in [one.name for one in uow.collections.children(top)]


def _plan(command: Deploy, context: Context, uow: "UnitOfWork", journey: _Journey | None) -> Plan:
    return _plan_home(command, context, uow) if journey is None else _plan_elsewhere(command, uow, journey)


def _plan_elsewhere(command: Deploy, uow: "UnitOfWork", journey: _Journey) -> Plan:
    there, chain = journey.target.destination, journey.target.chain
    recorded = uow.sites.deployments(command.ticket, there.name)
    last = {row.step: row.details for row in recorded}
    fresh = [(step, details) for step, details in journey.steps if last.get(step) != details]
    problem = journey.problem
    done = ", ".join(str(step) for step, _ in fresh) or "nothing to do"
    effect = Effect(
        summary=f"deploy {command.ticket} to {there.name}" + (f": {done}" if uow.is_write else ""),
        lines=tuple(journey.lines),
        warnings=tuple(dict.fromkeys(journey.warnings)),
        native=tuple(journey.native),
        inverse=tuple(journey.inverse),
        next=(f"cabstand prove {there.name} {command.ticket} FILE   # a file of that site's own ISR",),
        confirm="" if uow.is_write else journey.confirm,
        ask=True,
        data={
            "destination": there.name,
            "location": journey.target.location,
            "ticket_chain": chain.name,
            "fingerprint": journey.target.fingerprint.effective,
            "steps": [str(step) for step, _ in fresh],
            "problem": problem.message if problem is not None else "",
        },
        ticket=command.ticket,
        after={"destination": there.name, "steps": [[str(step), details] for step, details in fresh]},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        if is_new(uow, there):
            uow.sites.insert_destination(there, state=state)
        for step, details in fresh:
            record = DeploymentRecord(ticket=command.ticket, destination=there.name, step=step, details=details)
            uow.sites.insert_deployment(record, state=state)

    def after(done: Effect) -> Effect:
        if problem is not None:
            raise problem
        return done

    return Plan(effect=effect, apply=apply if fresh or not uow.is_write else None, after=after)


def _plan_home(command: Deploy, context: Context, uow: "UnitOfWork") -> Plan:
    chain = ticket_chain(uow, command.ticket)
    warnings = gate_warnings(uow, chain, override=command.override, context=context)
    before = fingerprint(uow, chain.top).effective
    present = tuple(one.name for one in uow.collections.children(uow.collections.get(chain.top)))
    prepend = CollectionChain(parent=chain.top, children=(chain.name,), mode="prepend", override=command.override)
    is_live = chain.name in present
    view = load_view(uow, [chain.top, chain.name])
    after_list = present if is_live else (chain.name, *present)
    after = fingerprint_of(view.with_children(chain.top, after_list), chain.top).effective
    details: dict[str, object] = {"fingerprint": fingerprint(uow, chain.name).effective, "before": before, "top": after}
    rows = [row for row in uow.sites.deployments(command.ticket, HOME) if row.step is DeployStep.LIVE]
    if is_live and rows:
        told = f"nothing to do: {chain.top} lists {chain.name} already"
        return Plan(effect=Effect(summary=told, ticket=command.ticket, data={"is_same": True}))
    # A chain that was prepended by hand stays where it is; only the record is made up for.
    plan = (
        Plan(effect=Effect(summary=f"{chain.top} lists {chain.name} already"), apply=lambda _uow, _state: None)
        if is_live
        else plan_collection_chain(prepend, context, uow)
    )
    effect = replace(
        plan.effect,
        summary=f"deploy {command.ticket} at home: {plan.effect.summary}",
        lines=(*plan.effect.lines, f"fingerprint of {chain.top}: {before[:12]} -> {after[:12]}"),
        warnings=tuple(dict.fromkeys((*warnings, *plan.effect.warnings))),
        next=(
            f"cabstand prove home {command.ticket} FILE   # a file of the site's own ISR",
            f"cabstand deploy DESTINATION {command.ticket}   # the other sites",
        ),
        ticket=command.ticket,
        before={**plan.effect.before, "fingerprint": before},
        after={**plan.effect.after, "fingerprint": after},
        data={**plan.effect.data, "fingerprint_before": before, "fingerprint_after": after},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        if plan.apply is not None:
            plan.apply(uow, state)
        record = DeploymentRecord(ticket=command.ticket, destination=HOME, step=DeployStep.LIVE, details=details)
        uow.sites.insert_deployment(record, state=state)

    return Plan(effect=effect, apply=apply, after=plan.after)


HANDLERS = {"deploy": Handler(plan=_plan, prepare=_prepare)}
