"""Where calibrations go: the table of destinations, and how far a ticket is at each.

A home that is live is read from its top chain, not from what was once recorded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.camera import Camera
from calibstore.model.collections import did_you_mean
from calibstore.model.destination_table import DESTINATIONS, HOME
from calibstore.model.names import top_chain_of
from calibstore.model.records import RepositoryRecord
from calibstore.model.site_records import DeploymentRecord, DeployStep, DestinationRecord, ProofRecord, SiteState

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

ANYWHERE = "*"
"""Destination of a bundle that was written for no place in particular."""

_OF_STEP = {
    DeployStep.EXPORTED: SiteState.EXPORTED,
    DeployStep.IMPORTED: SiteState.IMPORTED,
    DeployStep.LIVE: SiteState.LIVE,
    DeployStep.REMOVED: SiteState.REMOVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationView:
    """How far a ticket is at one destination."""

    destination: DestinationRecord
    state: SiteState
    why: str
    """One line: what was done, or why nothing can or need be."""
    location: str = ""
    """Folder of its Cabstand repository, as last given."""
    proof: ProofRecord | None = None
    """The newest proof since it went live there."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do there."""
        return self.state in (SiteState.NOT_APPLICABLE, SiteState.PROVED)


def seed_destinations(
    uow: "UnitOfWork", repository: RepositoryRecord, cameras: tuple[Camera, ...], *, state: int
) -> None:
    """Store the destinations of a new repository: itself as home, and the published table.

    Parameters
    ----------
    uow : UnitOfWork
        Write transaction of the new store.
    repository : RepositoryRecord
        The new repository; a row of the table with its name and site is home itself.
    cameras : tuple of Camera
        Its cameras.
    state : int
        State that opens the rows.
    """
    home = DestinationRecord(
        name=HOME,
        site=repository.site,
        repository=repository.name,
        instruments=tuple(camera.instrument for camera in cameras),
        method="chain",
        is_home=True,
        priority=0,
    )
    uow.sites.insert_destination(home, state=state)
    for known in DESTINATIONS:
        if (known.name, known.site.lower()) != (repository.name, repository.site.lower()):
            uow.sites.insert_destination(known, state=state)


def destination(uow: "UnitOfWork", name: str, *, instrument: str = "") -> DestinationRecord:
    """Return a destination by its name, or by its site where that means one for the instrument.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    name : str
        Such as ``embargo``, ``summit-LATISS`` or ``summit``.
    instrument : str
        Instrument that decides between several repositories of a site.

    Raises
    ------
    NotFoundError
        If the table has no such destination.
    UserInputError
        If a site has several that fit.
    """
    exact = uow.sites.find_destination(name)
    if exact is not None:
        return exact
    known = uow.sites.destinations()
    fitting = [one for one in known if one.site.lower() == name.lower() and not one.is_home]
    fitting = [one for one in fitting if not instrument or instrument in one.instruments] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserInputError(
            f"{name} has several repositories: {', '.join(one.name for one in fitting)}",
            hint=f"name one of them, such as {fitting[0].name}",
            code="E-DESTINATION",
        )
    names = [one.name for one in known]
    near = did_you_mean(name, names)
    raise NotFoundError(
        f"destination {name!r} is not in the table of sites ({', '.join(names)})",
        hint=f"did you mean {near}?" if near else "a new one joins the table with --location PATH of its repository",
        code="E-DESTINATION",
    )


def destination_or_new(uow: "UnitOfWork", name: str, *, instrument: str, location: str) -> DestinationRecord:
    """Return a destination, or the row a new one would get.

    Raises
    ------
    NotFoundError
        If it is not in the table and no location is given, or the name is nearly one that is.
    UserInputError
        If a site has several that fit, or the name of a new one is not plain.
    """
    try:
        return destination(uow, name, instrument=instrument)
    except NotFoundError:
        if not location or did_you_mean(name, [one.name for one in uow.sites.destinations()]):
            raise
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or len(name) > 64:
        raise UserInputError(
            f"destination name {name!r} is not plain", hint="letters, digits, - and _, at most 64", code="E-DESTINATION"
        )
    return DestinationRecord(
        name=name, site=name, repository=location, location=location, instruments=(instrument,), method="copy"
    )


def is_new(uow: "UnitOfWork", record: DestinationRecord) -> bool:
    """Tell whether a destination is not in the table yet."""
    return uow.sites.find_destination(record.name) is None


def location_of(uow: "UnitOfWork", record: DestinationRecord) -> str:
    """Return the folder of a destination's Cabstand repository as last given, or empty."""
    return uow.sites.last_location(record.name) or record.location


def destination_views(
    uow: "UnitOfWork", ticket: str, instrument: str, ticket_chain: str
) -> tuple[DestinationView, ...]:
    """Return how far a ticket is at every destination, in the order in which they are served.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    ticket : str
        Construction ticket.
    instrument : str
        Its instrument.
    ticket_chain : str
        Its chain, such as ``LATISS/calib/DM-48520``.
    """
    deployments, proofs = uow.sites.deployments(ticket), uow.sites.proofs(ticket)
    is_strict = uow.repository.record().is_strict
    is_live_here = _is_in_top_chain(uow, instrument, ticket_chain)
    return tuple(
        _view(
            replace(one, location=location_of(uow, one)),
            [row for row in deployments if row.destination in (one.name, ANYWHERE)],
            [row for row in proofs if row.destination == one.name],
            instrument=instrument,
            is_strict=is_strict,
            is_live_here=is_live_here,
        )
        for one in uow.sites.destinations()
    )


def proving(proofs: Iterable[ProofRecord], *, is_strict: bool, since_state: int = 0) -> ProofRecord | None:
    """Return the proof that closes the deployment gate, or None.

    The newest one decides: a file that shows another calibration opens the gate again, whatever was proved before. A
    self-check counts for nothing on a main or rehearsal repository, and neither does a proof from before the change of
    the chain.
    """
    told = [one for one in proofs if one.opened_state >= since_state and not (one.is_self_check and is_strict)]
    return told[-1] if told and told[-1].is_same else None


def _is_in_top_chain(uow: "UnitOfWork", instrument: str, ticket_chain: str) -> bool:
    top, member = uow.collections.find(top_chain_of(instrument)), uow.collections.find(ticket_chain)
    return top is not None and member is not None and member.id in {one.id for one in uow.collections.children(top)}


def _view(
    one: DestinationRecord,
    deployments: list[DeploymentRecord],
    proofs: list[ProofRecord],
    *,
    instrument: str,
    is_strict: bool,
    is_live_here: bool,
) -> DestinationView:
    if instrument not in one.instruments:
        return DestinationView(destination=one, state=SiteState.NOT_APPLICABLE, why=f"no {instrument} there")
    own = [row for row in deployments if one.method == "copy" or row.destination == one.name]
    # A later bundle takes away nothing that was done with an earlier one.
    last = next((row for row in reversed(own) if row.step is not DeployStep.EXPORTED), own[-1] if own else None)
    state = _OF_STEP[last.step] if last else SiteState.PENDING
    if one.is_home:
        state = SiteState.LIVE if is_live_here else SiteState.REMOVED if _was_live(own) else SiteState.PENDING
    since = max((row.opened_state for row in own if row.step is DeployStep.LIVE), default=0)
    proof = proving(proofs, is_strict=is_strict, since_state=since)
    if proof is not None and state is not SiteState.REMOVED and (is_live_here or not one.is_home):
        state = SiteState.PROVED
    return DestinationView(
        destination=one, state=state, why=_why(one, state, proofs), location=one.location, proof=proof
    )


def _was_live(rows: list[DeploymentRecord]) -> bool:
    steps = [row.step for row in rows if row.step in (DeployStep.LIVE, DeployStep.REMOVED)]
    return bool(steps) and steps[-1] is DeployStep.LIVE


def _why(one: DestinationRecord, state: SiteState, proofs: list[ProofRecord]) -> str:
    if state is SiteState.PENDING and one.method == "rucio":
        return "rucio is not part of this release"
    if state is SiteState.LIVE and proofs:
        last = proofs[-1]
        kind = "self-check" if last.is_self_check else "file"
        return f"use not proved: the last {kind} {'agrees' if last.is_same else 'differs'}"
    words = {
        SiteState.PENDING: "nothing done yet",
        SiteState.EXPORTED: "a bundle is written",
        SiteState.IMPORTED: "imported, not live",
        SiteState.LIVE: "live, use not proved",
        SiteState.REMOVED: "was live, taken out again",
        SiteState.PROVED: "used there",
    }
    return words[state]
