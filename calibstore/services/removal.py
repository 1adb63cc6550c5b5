"""Removing collections: what stands on them is said first, and nothing that processing uses goes.

Rows are closed and files stay on disk, so that it can be taken back.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibstore.commands.fields import to_line
from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.states import Undo
from calibstore.errors import NotFoundError, UserInputError, WorkflowError
from calibstore.model.collections import CollectionType, did_you_mean
from calibstore.model.counting import counted
from calibstore.model.names import find_name
from calibstore.model.records import CollectionRecord
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.blast_radius import BlastRadius, blast_radius
from calibstore.services.chains import saved_list
from calibstore.services.context import Context
from calibstore.services.live_edge import take_out_line, top_chains
from calibstore.services.native import butler

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_NOT_RUN = (CollectionType.CHAINED, CollectionType.CALIBRATION, CollectionType.TAGGED)


def plan_remove_runs(command: RemoveRuns, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan removing RUNs with their datasets; see `calibstore.services.actions.Handler`."""
    found = _match(uow, command.glob, (CollectionType.RUN,), other_verb="remove-collections")
    radius = blast_radius(uow, [one.name for one in found], now_tai_ns=context.clock())
    warnings = _refuse_live(radius, uow)
    if radius.jobs:
        raise WorkflowError(
            f"job {radius.jobs[0][0]} still writes into {radius.jobs[0][1]}",
            hint=f"wait for it, or stop it: cabstand jobs --cancel {radius.jobs[0][0]}",
            code="E-JOBOPEN",
        )
    if radius.is_protected and not command.force:
        told = "\n  ".join(radius.lines())
        raise WorkflowError(
            f"{_named(found, command.glob)}: other things depend on it ({radius.summary()})\n  {told}",
            hint="take these away first, or remove it all the same: --force --reason TEXT",
            code="E-PROTECTED",
        )
    if command.force and uow.is_write and not context.reason.strip():
        raise WorkflowError(
            f"removing {_named(found, command.glob)} although other things depend on it needs a reason",
            hint="add --reason TEXT",
            code="E-REASON",
        )
    native = butler("remove-runs", context.root, command.glob, "--no-confirm", *(["--force"] if radius.parents else []))
    note = "the Butler's command deletes the files too, and drops every link to them without saying so"
    return _plan(found, radius, command.glob, warnings, (native, note), must_type=command.force, context=context)


def plan_remove_collections(
    command: RemoveCollections, context: Context, uow: "UnitOfWork", _prepared: object = None
) -> Plan:
    """Plan removing other collections with their links; see `calibstore.services.actions.Handler`."""
    found = _match(uow, command.glob, _NOT_RUN, other_verb="remove-runs")
    radius = blast_radius(uow, [one.name for one in found], now_tai_ns=context.clock())
    warnings = _refuse_live(radius, uow)
    if radius.parents and not command.remove_from_parents:
        chains = sorted({chain for _, chain in radius.parents})
        told = "; ".join(f"{chain} lists {name}" for name, chain in radius.parents[:4])
        more = f" and {len(radius.parents) - 4} more" if len(radius.parents) > 4 else ""
        raise WorkflowError(
            f"{_named(found, command.glob)} is in {counted(len(chains), 'chain')}: {told}{more}",
            hint="take it out of them in the same step: --remove-from-parents",
            code="E-INCHAIN",
        )
    option = ["--remove-from-parents"] if radius.parents else []
    native = butler("remove-collections", context.root, command.glob, "--no-confirm", *option)
    note = "datasets stay in their RUNs; only lists and links go"
    is_strict = uow.repository.record().is_strict
    must_type = is_strict and bool(radius.own_links or radius.sites)
    return _plan(found, radius, command.glob, warnings, (native, note), must_type=must_type, context=context)


def _match(
    uow: "UnitOfWork", glob: str, types: tuple[CollectionType, ...], *, other_verb: str
) -> tuple[CollectionRecord, ...]:
    """Return the collections a pattern means.

    Raises
    ------
    UserInputError
        E-COLLECTIONTYPE: what it names is of another type.
    NotFoundError
        E-COLLECTION: nothing matches; the hint has the nearest names.
    """
    found = uow.collections.list(glob=glob, types=types)
    if found:
        return found
    kinds = " or ".join(str(one) for one in types)
    others = uow.collections.list(glob=glob)
    if others:
        raise UserInputError(
            f"{glob}: {others[0].name} is a {others[0].type} collection, not {kinds}"
            + (f" ({len(others) - 1} more match)" if len(others) > 1 else ""),
            hint=f"cabstand {other_verb} {others[0].name} --dry-run",
            code="E-COLLECTIONTYPE",
        )
    names = [one.name for one in uow.collections.list(types=types)]
    near = did_you_mean(glob, names)
    inside = [name for name in names if glob.strip("*?/").lower() in name.lower()][:3]
    hint = f"did you mean {near}?" if near else f"there are {', '.join(inside)}" if inside and glob.strip("*?/") else ""
    raise NotFoundError(
        f"no {kinds} collection matches {glob!r}",
        hint=hint or f"cabstand query-collections lists them; a pattern is 'u/ada/*', not {glob!r}",
        code="E-COLLECTION",
    )


def _refuse_live(radius: BlastRadius, uow: "UnitOfWork") -> list[str]:
    """Refuse what processing uses, on strict repositories; return warnings elsewhere.

    Raises
    ------
    WorkflowError
        E-LIVE, with the line that takes it out of use first.
    """
    if not radius.live:
        return []
    name, chain = radius.live[0]
    names = {one.name for one in radius.collections}
    told = f"{chain} leads to {name}" if chain != name else f"{name} is searched by processing"
    if name not in names:
        told += f", which links datasets of {min(names)}"
    if uow.repository.record().is_strict:
        tree = uow.associations.tree()
        leave = f"cabstand collection-chain {chain} MEMBER --mode remove"
        hint = f"such a chain stays; what it lists can be taken out: {leave}" if chain in names else ""
        lines = "\n  ".join(radius.lines())
        raise WorkflowError(
            f"{told}: it is live, and what is live is not removed\n  {lines}",
            hint=hint or f"take it out of the chain first: {take_out_line(tree, name, chain)}",
            code="E-LIVE",
        )
    return [f"W-LIVE {told}: {counted(radius.n_taken, 'exposure')} already taken would get another answer"]


def _plan(
    found: tuple[CollectionRecord, ...],
    radius: BlastRadius,
    glob: str,
    warnings: list[str],
    native_and_note: tuple[str, str],
    *,
    must_type: bool,
    context: Context,
) -> Plan:
    native, note = native_and_note
    if radius.sites:
        for ticket in sorted({one[0] for one in radius.sites}):
            where = ", ".join(one for brought, one, _ in radius.sites if brought == ticket)
            warnings = [
                *warnings,
                f"W-SITES {ticket} was brought to {where}: it stays there, with nothing here behind it",
            ]
    ranges = [told for preview in radius.previews for told in preview.warnings()]
    tickets = {parsed.ticket for one in found if (parsed := find_name(one.name)) is not None and parsed.ticket}
    n_datasets = sum(n for _, _, n, _ in radius.held)
    n_links = sum(one.n for one in (*radius.links, *radius.own_links))
    what = [counted(n_datasets, "dataset")] if n_datasets else []
    what += [counted(n_links, "link")] if n_links else []
    effect = Effect(
        summary=f"remove {_named(found, glob)}" + (f" with {' and '.join(what)}" if what else ""),
        lines=(*radius.lines(), note, "the rows are closed and stay in the history; no file is deleted"),
        warnings=(*warnings, *ranges),
        native=(native,),
        next=("cabstand journal --last 1", "cabstand doctor"),
        confirm=(found[0].name if len(found) == 1 else glob) if must_type else "",
        ask=True,
        data=radius.data,
        ticket=tickets.pop() if len(tickets) == 1 else "",
        before={
            "collections": [{"name": one.name, "type": str(one.type)} for one in found],
            "parents": [list(one) for one in radius.parents],
            "links": n_links,
            "datasets": n_datasets,
        },
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        going = {one.name for one in found}
        touched = {chain for _, chain in radius.parents} | going
        for top in sorted(touched.intersection(top_chains(uow))):
            old = [one.name for one in uow.collections.children(uow.collections.get(top))]
            saved_list(context, top, old, state=state, line=f"the removal of {', '.join(sorted(going))}")
        uow.removals.close(found, state=state)

    def after(done: Effect) -> Effect:
        return replace(done, inverse=(to_line(Undo(state=done.state)),))

    return Plan(effect=effect, apply=apply, after=after)


def _named(found: tuple[CollectionRecord, ...], glob: str) -> str:
    kinds = {str(one.type) for one in found}
    if len(found) == 1:
        return f"{found[0].type} {found[0].name}"
    return f"{len(found)} {'/'.join(sorted(kinds))} collections that match {glob!r}"


HANDLERS = {
    "remove-runs": Handler(plan=plan_remove_runs),
    "remove-collections": Handler(plan=plan_remove_collections),
}
