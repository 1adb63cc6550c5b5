"""The rollback drill: the previous list of a top chain here, the lines for each site, and what to process again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from calibstore.commands.fields import to_line
from calibstore.commands.states import Rollback
from calibstore.commands.store import CollectionChain
from calibstore.errors import WorkflowError
from calibstore.model.chain_lists import change_between
from calibstore.model.exposure import Exposure
from calibstore.model.names import top_chain_of
from calibstore.model.records import JournalEntry
from calibstore.model.site_records import DeployStep, DestinationRecord
from calibstore.model.times import describe
from calibstore.model.timespan import Timespan
from calibstore.services import next_lines
from calibstore.services.actions import Handler, Plan
from calibstore.services.context import Context
from calibstore.services.layout import counted
from calibstore.services.native_reversal import list_lines
from calibstore.services.restoring import chain_at, restored

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """A destination where something of the present list is live."""

    destination: DestinationRecord
    location: str
    tickets: tuple[str, ...]


def plan_rollback(command: Rollback, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan the drill; see `calibstore.services.actions.Handler`."""
    chain = top_chain_of(command.chain) if command.chain in uow.repository.instruments() else command.chain
    now = chain_at(uow, chain, None)
    state = command.to_state if command.to_state is not None else _previous(uow, chain)
    plan = restored(uow, context, chain, state, override=command.override, verb="roll back")
    if plan.apply is None:
        return plan
    then = chain_at(uow, chain, state)
    since = _live_since(uow, chain, state, {name for name in now if name not in then})
    sites = _sites(uow, chain, now, then)
    taken, exposures = _exposures(uow, chain, since, context.clock())
    site_lines, native = _site_lines(sites, chain, now, then)
    effect = replace(
        plan.effect,
        lines=(*plan.effect.lines, *site_lines, *taken),
        native=(*plan.effect.native, *native),
        warnings=(
            *plan.effect.warnings,
            *(
                f"W-OBSERVING {one.destination.name} is observing: agree on the moment with {one.destination.site}"
                for one in sites
                if one.destination.is_observing
            ),
        ),
        data={
            **plan.effect.data,
            "live_since_state": since.state if since else None,
            "sites": [
                {"destination": one.destination.name, "location": one.location, "tickets": list(one.tickets)}
                for one in sites
            ],
            "exposures": exposures,
        },
        after={**plan.effect.after, "exposures": sum(len(one["ids"]) for one in exposures.values())},
    )
    return replace(plan, effect=effect)


def _previous(uow: "UnitOfWork", chain: str) -> int:
    """Return the newest state at which the list was another one."""
    changed = uow.collections.changed_states(chain, after=0)
    now = chain_at(uow, chain, None)
    for state in reversed(changed):
        before = uow.associations.tree(at_state=state - 1).children.get(chain)
        if before is None:
            break
        if before != now:
            return state - 1
    raise WorkflowError(f"{chain} never had another list", hint=f"cabstand history {chain}", code="E-NOUNDO")


def _live_since(uow: "UnitOfWork", chain: str, state: int, going: set[str]) -> JournalEntry | None:
    """Return the first change that listed one of the members that go; where only places change, the first one since.

    An undo and a redo in between do not shorten the time in which it may have been used.
    """
    for number in uow.collections.changed_states(chain, after=0) if going else ():
        if going & set(uow.associations.tree(at_state=number).children.get(chain, ())):
            return uow.journal.entry(number)
    changed = uow.collections.changed_states(chain, after=state)
    return uow.journal.entry(changed[0]) if changed else None


def _sites(uow: "UnitOfWork", chain: str, now: Sequence[str], then: Sequence[str]) -> tuple[_Site, ...]:
    """Return the destinations where a member that goes, or moves, was made live and not taken out since."""
    moved = {name for name in now if name not in then} | set(_heads(now, then))
    last: dict[str, dict[str, DeployStep]] = {}
    for one in uow.sites.deployments():
        if one.step in (DeployStep.LIVE, DeployStep.REMOVED):
            last.setdefault(one.destination, {})[one.ticket] = one.step
    found = []
    for place in uow.sites.destinations():
        live = {ticket for ticket, step in last.get(place.name, {}).items() if step is DeployStep.LIVE}
        tickets = tuple(sorted(ticket for ticket in live if f"{chain}/{ticket}" in moved))
        if tickets and not place.is_home:
            found.append(_Site(destination=place, location=uow.sites.last_location(place.name), tickets=tickets))
    return tuple(found)


def _heads(now: Sequence[str], then: Sequence[str]) -> tuple[str, ...]:
    change = change_between(now, then)
    return change.children if change is not None else ()


def _site_lines(
    sites: Sequence[_Site], chain: str, now: tuple[str, ...], then: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Return what to do at each site, for people, and the native lines with the site's name behind them."""
    change = change_between(now, then)
    lines: list[str] = []
    native: list[str] = []
    if not sites:
        lines.append("no other site has these tickets live, as far as is recorded here")
    for one in sites:
        name = one.destination.name
        root = one.location or one.destination.repository
        lines.append(f"at {name} ({one.destination.site}), where {', '.join(one.tickets)} is live:")
        own = list_lines(root, chain, now, then)
        native += [f"{line}  # {name}" for line in own]
        if one.location and change is not None:
            there = CollectionChain(parent=chain, children=change.children, mode=change.mode, drop=change.drop)
            lines.append(f"  {next_lines.at_repository(to_line(there), one.location)}")
        lines += [f"  {line}" for line in own]
    return lines, native


def _exposures(
    uow: "UnitOfWork", chain: str, live: JournalEntry | None, now: int
) -> tuple[list[str], dict[str, dict[str, list[int]]]]:
    """Return the exposures taken or processed since an entry, by night, with those known to be processed."""
    if live is None:
        return [], {}
    processed = _processed(uow, live.state)
    by_night: dict[int, dict[int, Exposure]] = {}
    for instrument in uow.repository.instruments():
        if top_chain_of(instrument) != chain:
            continue
        span = Timespan(live.at_tai_ns, max(now, live.at_tai_ns + 1))
        for one in (*uow.exposures.in_timespan(instrument, span), *uow.exposures.by_ids(instrument, processed)):
            by_night.setdefault(one.day_obs, {})[one.id] = one
    total = sum(len(night) for night in by_night.values())
    whole_s = live.at_tai_ns - live.at_tai_ns % 1_000_000_000
    lines = [f"taken or processed since state {live.state}, {describe(whole_s)}: {counted(total, 'exposure')}"]
    if total:
        lines.append("process again what was processed with it:")
    found: dict[str, dict[str, list[int]]] = {}
    for day_obs, night in sorted(by_night.items()):
        ids = sorted(night)
        done = [one for one in ids if one in set(processed)]
        known = f"; known to be processed: {_some(done)}" if done else ""
        lines.append(f"  {day_obs}: {counted(len(ids), 'exposure')}, {_some(ids)}{known}")
        found[str(day_obs)] = {"ids": ids, "processed": done}
    return lines, found


def _processed(uow: "UnitOfWork", since: int) -> list[int]:
    """Return the exposures that the store knows were processed after a state: by a proof, or by itself."""
    found = {one.exposure for one in uow.sites.proofs() if one.opened_state > since}
    for state in uow.journal.states_of_verbs(("process",)):
        entry = uow.journal.entry(state) if state > since else None
        fields: Any = entry.command.get("fields", {}) if entry is not None else {}
        if isinstance(fields.get("exposure"), int):
            found.add(fields["exposure"])
    return sorted(found)


def _some(ids: Sequence[int]) -> str:
    return ", ".join(str(one) for one in ids[:_SHOWN]) + (" ..." if len(ids) > _SHOWN else "")


HANDLERS = {"rollback": Handler(plan=plan_rollback)}
