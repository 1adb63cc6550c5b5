"""What is to be deployed where, and what stands against it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.commands.sites import Deploy
from calibstore.errors import NotFoundError, UserInputError, WorkflowError
from calibstore.model.collections import CollectionType
from calibstore.model.names import NameKind, find_name, top_chain_of
from calibstore.model.site_records import DestinationRecord, SiteState
from calibstore.services.context import Context
from calibstore.services.destinations import destination_or_new, destination_views, location_of
from calibstore.services.fingerprinting import Fingerprint, fingerprint
from calibstore.services.gates import require_adopted
from calibstore.services.importing import SKIPS
from calibstore.services.native import butler

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketChain:
    """A ticket's chain in a repository."""

    ticket: str
    instrument: str
    name: str

    @property
    def top(self) -> str:
        """The instrument's top chain."""
        return top_chain_of(self.instrument)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A ticket on its way to another place, all gates passed."""

    chain: TicketChain
    destination: DestinationRecord
    location: str
    fingerprint: Fingerprint
    """Of the ticket chain at home."""
    warnings: tuple[str, ...]


def ticket_chain(uow: "UnitOfWork", ticket: str) -> TicketChain:
    """Return the chain of a ticket, of a campaign here or imported.

    Raises
    ------
    NotFoundError
        If nothing was certified under the ticket here.
    UserInputError
        If several instruments have one.
    """
    campaign = uow.campaigns.find_campaign(ticket)
    if campaign is not None and uow.collections.find(campaign.names.ticket_chain) is not None:
        return TicketChain(ticket=ticket, instrument=campaign.instrument, name=campaign.names.ticket_chain)
    found = [
        (parsed, one.name)
        for one in uow.collections.list(types=(CollectionType.CHAINED,))
        if (parsed := find_name(one.name)) is not None
        and (parsed.kind, parsed.ticket, parsed.user_prefix) == (NameKind.TICKET_CHAIN, ticket, "")
    ]
    if not found:
        raise NotFoundError(
            f"nothing is certified under {ticket} here",
            hint=f"cabstand campaign show {ticket}",
            code="E-TICKET",
        )
    if len(found) > 1:
        raise UserInputError(
            f"{ticket} has several chains: {', '.join(name for _, name in found)}",
            hint="use one ticket for each instrument",
            code="E-TICKET",
        )
    ((parsed, name),) = found
    return TicketChain(ticket=ticket, instrument=parsed.instrument, name=name)


def gate_warnings(uow: "UnitOfWork", chain: TicketChain, *, override: str, context: Context) -> tuple[str, ...]:
    """Hold a ticket against the board's decision; return warnings where rules only warn.

    Raises
    ------
    WorkflowError
        On a main or rehearsal repository, if it is not Adopted as it is.
    """
    try:
        decision = require_adopted(uow, chain.name, override=override, context=context)
    except WorkflowError as problem:
        if uow.repository.record().is_strict:
            raise
        return (f"W-NOTADOPTED {problem.message}",)
    if decision is None:
        return (f"W-OVERRIDE {chain.ticket} goes live against the board's gate: {context.reason}",)
    return ()


def target(uow: "UnitOfWork", command: Deploy, context: Context) -> Target:
    """Return what goes where, or refuse.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction of this repository.
    command : Deploy
        The command, not for home.
    context : Context
        Its surroundings.

    Raises
    ------
    NotFoundError
        If the ticket or the destination is unknown.
    UserInputError
        If the destination holds no data of the instrument, or its folder is not known.
    WorkflowError
        If it is not Adopted, or not live at home yet.
    """
    chain = ticket_chain(uow, command.ticket)
    record = destination_or_new(uow, command.destination, instrument=chain.instrument, location=command.location)
    if chain.instrument not in record.instruments:
        raise UserInputError(
            f"{record.name} is not applicable: no {chain.instrument} there",
            hint=f"cabstand campaign show {command.ticket} lists the destinations",
            code="E-NOTAPPLICABLE",
        )
    warnings = list(gate_warnings(uow, chain, override=command.override, context=context))
    home = next(
        view
        for view in destination_views(uow, command.ticket, chain.instrument, chain.name)
        if view.destination.is_home
    )
    if home.state not in (SiteState.LIVE, SiteState.PROVED):
        raise WorkflowError(
            f"{command.ticket} is not live at home yet: home comes first",
            hint=f"cabstand deploy home {command.ticket}",
            code="E-HOMEFIRST",
        )
    location = command.location or location_of(uow, record)
    if not location:
        raise _no_location(record, chain)
    if uow.sites.find_destination(record.name) is None:
        warnings.append(f"W-NOTINTABLE {record.name} is not in the table of sites: added with {location}")
    if record.is_observing:
        warnings.append(f"W-OBSERVING {record.site} is observing: choose the moment with the observers")
    if record.method == "rucio":
        warnings.append("W-RUCIO the files go by copy: rucio is not part of this release")
    return Target(
        chain=chain,
        destination=record,
        location=location,
        fingerprint=fingerprint(uow, chain.name),
        warnings=tuple(warnings),
    )


def _no_location(record: DestinationRecord, chain: TicketChain) -> UserInputError:
    by_hand = " && ".join(
        (
            butler("import", record.repository, "DIR", "--transfer", "copy", *SKIPS),
            butler("collection-chain", record.repository, "--mode", "prepend", chain.top, chain.name),
        )
    )
    why = "rucio is not part of this release" if record.method == "rucio" else "its folder is not known"
    return UserInputError(
        f"{record.name} ({record.repository}) cannot be reached from here: {why}",
        hint=f"--location PATH if it is a Cabstand repository; else export-calibs, and there: {by_hand}",
        code="E-NOLOCATION",
    )
