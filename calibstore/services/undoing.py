"""Undo and redo: what one state did to chains, ranges and tags is taken back in a state of its own.

The same look-ups, gates and questions as for any change: taking back may put something live.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import registered
from calibstore.commands.states import Redo, Undo
from calibstore.errors import NotFoundError, WorkflowError
from calibstore.model.destination_table import HOME
from calibstore.model.records import JournalEntry
from calibstore.model.site_records import DeploymentRecord, DeployStep
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.chains import saved_list
from calibstore.services.context import Context
from calibstore.services.live_gate import require_gain_allowed
from calibstore.services.native_reversal import native_lines
from calibstore.services.previews import Preview, preview_everywhere
from calibstore.services.reversal import Reversal, apply_reversal, read_reversal, why_not
from calibstore.services.roles import require_role
from calibstore.services.state_ledger import REDO, UNDO, UNDOABLE, Ledger, load_ledger

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


_PAST: Final = re.compile(r" \([0-9]+ past exposures get another answer\)$")


def plan_undo(command: Undo, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan taking a state back; see `calibstore.services.actions.Handler`."""
    ledger = load_ledger(uow)
    entry = _entry(uow, command.state) if command.state is not None else _last(uow, ledger)
    _check_undoable(entry, ledger)
    reversal = read_reversal(uow, ledger, entry, base=ledger.effective(entry.state))
    return _plan(UNDO, reversal, command.override, context, uow)


def plan_redo(command: Redo, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan doing again what was undone last; see `calibstore.services.actions.Handler`."""
    ledger = load_ledger(uow)
    state = ledger.next_redo()
    if state is None:
        raise WorkflowError(
            "there is nothing to do again: nothing was undone, or something else was done since",
            hint="cabstand journal shows what was done; repeat its line",
            code="E-NOREDO",
        )
    reversal = read_reversal(uow, ledger, _entry(uow, state), base=ledger.effective(state))
    return _plan(REDO, reversal, command.override, context, uow)


def _entry(uow: "UnitOfWork", state: int) -> JournalEntry:
    found = uow.journal.entry(state)
    if found is None:
        raise NotFoundError(
            f"the repository has no state {state}",
            hint=f"it has 1 to {uow.journal.last_state()}: cabstand journal lists them",
            code="E-STATE",
        )
    return found


def _last(uow: "UnitOfWork", ledger: Ledger) -> JournalEntry:
    for state in reversed(ledger.done):
        if not ledger.is_undone(state) and not why_not(True, uow.states.summaries([state])[state]):
            return _entry(uow, state)
    raise WorkflowError(
        "there is nothing to undo: no change of chains, ranges or tags is left",
        hint="cabstand journal shows what was done",
        code="E-NOUNDO",
    )


def _check_undoable(entry: JournalEntry, ledger: Ledger) -> None:
    if entry.verb in (UNDO, REDO):
        about = ledger.about(entry.state)
        line = "cabstand redo" if entry.verb == UNDO else f"cabstand undo {about}"
        raise WorkflowError(
            f"state {entry.state} is itself the {entry.verb} of state {about}",
            hint=f"the other way: {line}",
            code="E-NOUNDO",
        )
    if entry.verb not in UNDOABLE:
        raise WorkflowError(
            f"state {entry.state} ({entry.verb} by {entry.user}) cannot be undone: {why_not_verb(entry.verb)}",
            hint=f"undo takes back changes of chains, ranges, tags and collections: {', '.join(sorted(UNDOABLE))}",
            code="E-NOUNDO",
        )
    by = ledger.undone_by(entry.state)
    if by is not None:
        raise WorkflowError(
            f"state {entry.state} is undone already, by state {by}", hint="cabstand redo", code="E-UNDONE"
        )


def why_not_verb(verb: str) -> str:
    """Return why nothing that a verb did can be taken back."""
    return f"{verb} is no change of chains, ranges or tags"


def _plan(verb: str, reversal: Reversal, override: str, context: Context, uow: "UnitOfWork") -> Plan:
    is_strict = uow.repository.record().is_strict
    warnings = require_gain_allowed(uow, reversal, override=override, context=context) if is_strict else []
    previews = _previews(uow, reversal, context)
    native = native_lines(uow, reversal, context)
    effect = replace(_effect(verb, reversal, context, warnings, previews, is_strict=is_strict), native=native)
    steps = _steps(uow, reversal)
    if steps:
        told = ", ".join(f"{one.step} at {one.destination}" for one in steps)
        effect = replace(effect, lines=(*effect.lines, f"{steps[0].ticket} is then recorded as {told}"))

    def apply(uow: "UnitOfWork", state: int) -> None:
        # What only some may do, only they may take back; anybody may look at what it would be.
        require_role(context, registered()[reversal.entry.verb].needs_role, what=f"{verb} of {reversal.entry.verb}")
        for top in set(reversal.tops) & set(reversal.former):
            saved_list(context, top, reversal.former[top], state=state, line=f"cabstand {verb}")
        apply_reversal(uow, reversal, state=state)
        for one in steps:
            uow.sites.insert_deployment(one, state=state)

    return Plan(effect=effect, apply=apply)


def _previews(uow: "UnitOfWork", reversal: Reversal, context: Context) -> tuple[Preview, ...]:
    found: dict[str, Preview] = {}
    for name in reversal.touched:
        for one in preview_everywhere(uow, reversal.before, reversal.after, changed=name, now_tai_ns=context.clock()):
            if one.is_live or one.changes or one.counts.ambiguous:
                found.setdefault(one.top, one)
    return tuple(sorted(found.values(), key=lambda one: one.is_live))


def _effect(
    verb: str,
    reversal: Reversal,
    context: Context,
    warnings: Sequence[str],
    previews: Sequence[Preview],
    *,
    is_strict: bool,
) -> Effect:
    entry, rows = reversal.entry, reversal.rows
    taken = sum(one.counts.taken for one in previews if one.is_live)
    is_marked = bool(taken) or any(one.rejected for one in previews)
    told = [*warnings, *(line for one in previews for line in one.warnings())]
    if taken:
        told.append(f"W-PAST {taken} exposures already taken get another answer")
    if entry.user != context.user:
        told.append(f"W-OTHERS state {entry.state} was done by {entry.user}, not by {context.user}")
    past = f" ({taken} past exposures get another answer)" if taken else ""
    # What it did to past exposures then is not what taking it back does to them now.
    what = _PAST.sub("", " ".join(entry.summary.split())) or entry.line
    return Effect(
        summary=f"{verb} state {entry.state}, {what}{past}",
        lines=(
            f"state {entry.state}, {entry.verb} by {entry.user}: {entry.line}",
            *_told(reversal),
            *(line for one in previews for line in one.lines()),
        ),
        warnings=tuple(told),
        inverse=("cabstand redo",) if verb == UNDO else (f"cabstand undo {entry.state}",),
        next=tuple(f"cabstand fingerprint {name}" for name in reversal.tops if name in reversal.before.tree.types)[:1],
        confirm=(entry.ticket or reversal.touched[0]) if is_marked and is_strict else "",
        ask=True,
        data={
            "about": entry.state,
            "closed": sum(len(ids) for ids in reversal.closing.values()),
            "opened": len(rows.closed),
            "chains": {name: list(children) for name, children in reversal.lists.items()},
            "past_exposures_changed": taken,
            "previews": [one.data for one in previews],
        },
        ticket=entry.ticket,
        before={"chains": {name: list(children) for name, children in reversal.former.items()}},
        after={
            "about": entry.state,
            "line": entry.line,
            "chains": {name: list(children) for name, children in reversal.lists.items()},
            "closed": sum(len(ids) for ids in reversal.closing.values()),
            "opened": len(rows.closed),
        },
    )


def _told(reversal: Reversal) -> list[str]:
    rows = reversal.rows
    lines = []
    for name, children in reversal.lists.items():
        former = reversal.former.get(name, ())
        lines.append(f"{name} would list, in search order:" if children else f"{name} would be empty")
        lines += [
            f"  {place:>2}  {child}{'' if child in former else '  (again)'}" for place, child in enumerate(children, 1)
        ]
        lines += [f"   -  {child}  (out)" for child in former if child not in children]
    for verb, links in (("taken out of", rows.opened), ("again in", rows.closed)):
        groups: dict[tuple[str, str], int] = {}
        for one in links:
            groups[one.collection, one.dataset_type] = groups.get((one.collection, one.dataset_type), 0) + 1
        lines += [f"{n} {kind} {verb} {name}" for (name, kind), n in sorted(groups.items())]
    lines += [f"{one.name} goes: it was made then" for one in rows.made]
    lines += [f"{one.name} is there again ({one.type})" for one in rows.removed]
    return lines


def _steps(uow: "UnitOfWork", reversal: Reversal) -> tuple[DeploymentRecord, ...]:
    """Return the steps at home that are over, or are so again."""
    if not reversal.entry.ticket or "deployment" not in reversal.rows.others:
        return ()
    other = {DeployStep.LIVE: DeployStep.REMOVED, DeployStep.REMOVED: DeployStep.LIVE}
    return tuple(
        replace(one, id=0, step=other[one.step], opened_state=0)
        for one in uow.sites.deployments(reversal.entry.ticket, HOME)
        if one.opened_state == reversal.rows.state and one.step in other
    )


HANDLERS = {"undo": Handler(plan=plan_undo), "redo": Handler(plan=plan_redo)}
