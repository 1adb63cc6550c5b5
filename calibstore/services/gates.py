"""Workflow gates: what must be there before the next step, and the one way round them.

Not live until Adopted: the decision covers exactly the content it was taken on, wherever the ticket chain is.
"""

from typing import TYPE_CHECKING

from calibstore.commands.fields import DEPLOYER
from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.names import NameKind, find_name
from calibstore.services.checklist import rows_of
from calibstore.services.checklist_gates import hail_gates
from calibstore.services.context import Context
from calibstore.services.fingerprinting import Fingerprint, fingerprint, fingerprint_of
from calibstore.services.roles import require_role
from calibstore.services.segments import View
from calibstore.services.standing import Standing, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def require_adopted(
    uow: "UnitOfWork", ticket_chain: str, *, override: str, context: Context, view: View | None = None
) -> DecisionRecord | None:
    """Refuse to make a ticket's calibrations live unless the board Adopted exactly what the chain holds.

    Parameters
    ----------
    uow : UnitOfWork
        The repository in which the change is made; an imported decision counts like one taken here.
    ticket_chain : str
        Ticket chain, or a certified collection of it.
    override : str
        What was typed to act against the gate: the ticket's name; empty for no override.
    context : Context
        Who acts, why, and when.
    view : View, optional
        What the chain would hold; by default what it holds.

    Returns
    -------
    DecisionRecord or None
        The decision; None when the gate was overridden, which the caller shows and journals.

    Raises
    ------
    WorkflowError
        E-NOTADOPTED, E-REJECTED, E-DECISIONSTALE or E-WAIVEREXPIRED, with the next line; E-ROLE or E-REASON for an
        override that is not allowed.
    UserInputError
        If the override names another ticket.
    """
    name = find_name(ticket_chain)
    ticket = name.ticket if name is not None else ""
    if override:
        _check_override(ticket or ticket_chain, override, context)
        return None
    if name is None or not ticket or name.kind not in (NameKind.TICKET_CHAIN, NameKind.CERTIFIED):
        raise WorkflowError(
            f"{ticket_chain} is no ticket chain: no decision can cover it",
            hint="certify into a ticket chain and hail the board with it",
            code="E-NOTADOPTED",
        )
    if name.user_prefix:
        raise WorkflowError(
            f"{ticket_chain} is private ({name.user_prefix}): it cannot go into an official chain",
            hint="make it again under official names",
            code="E-USERCOL",
        )
    decisions = uow.campaigns.decisions(ticket)
    decision = decisions[-1] if decisions else None
    if decision is None or not decision.is_adopted:
        raise _not_adopted(uow, ticket, ticket_chain, decision, context)
    chain = ticket_chain if name.kind is NameKind.TICKET_CHAIN else ticket_chain.rsplit("/", maxsplit=2)[0]
    _check_content(uow, decision, chain, ticket_chain, view)
    expired = [waiver for waiver in decision.waivers if waiver.is_expired(context.clock())]
    if expired:
        raise WorkflowError(
            f"{ticket} was Adopted with a waiver that has expired: {expired[0].text()}",
            hint=f"ask the board again: cabstand campaign show {ticket}",
            code="E-WAIVEREXPIRED",
        )
    return decision


def _check_override(ticket: str, override: str, context: Context) -> None:
    if override != ticket:
        raise UserInputError(
            f"--override must be the ticket {ticket}, not {override!r}",
            hint=f"--override {ticket} --reason TEXT",
            code="E-OVERRIDE",
        )
    if not context.reason.strip():
        raise WorkflowError(
            f"acting against the board's gate for {ticket} needs a reason", hint="add --reason TEXT", code="E-REASON"
        )
    require_role(context, DEPLOYER)


def _check_content(uow: "UnitOfWork", decision: DecisionRecord, chain: str, given: str, view: View | None) -> None:
    def fingerprint_in(name: str) -> Fingerprint | None:
        if view is not None:
            return fingerprint_of(view, name) if name in view.tree.types else None
        return fingerprint(uow, name) if uow.collections.find(name) is not None else None

    ticket = decision.ticket
    found = fingerprint_in(chain)
    now = found.effective if found is not None else ""
    decided = str(decision.subject.get("effective", ""))
    if not decided or now != decided:
        raise WorkflowError(
            f"{chain} changed since it was Adopted: fingerprint {now[:12] or 'none'}, Adopted was {decided[:12]}",
            hint=f"ask the board again, or take the change back: cabstand journal {ticket}",
            code="E-DECISIONSTALE",
        )
    certified = decision.subject.get("certified")
    if given != chain and (not isinstance(certified, list) or given not in certified):
        raise WorkflowError(
            f"{given} is not what was Adopted under {ticket}", hint=f"prepend {chain} instead", code="E-NOTADOPTED"
        )
    # Alone, a member would also apply where the board saw another member of the chain apply.
    alone = fingerprint_in(given) if given != chain else None
    if given != chain and (found is None or alone is None or dict(found.members).get(given) != alone.effective):
        raise WorkflowError(
            f"{given} alone would apply where {chain}, as it was Adopted, applies something else",
            hint=f"prepend {chain} instead",
            code="E-NOTADOPTED",
        )


def _not_adopted(
    uow: "UnitOfWork", ticket: str, ticket_chain: str, decision: DecisionRecord | None, context: Context
) -> WorkflowError:
    code = "E-REJECTED" if decision is not None and decision.is_rejected else "E-NOTADOPTED"
    said = f"its last decision is {decision.outcome} ({decision.status})" if decision else "the board has not decided"
    if uow.campaigns.find_campaign(ticket) is None:
        hint = f"import a bundle that brings the decision on {ticket}, or decide where its campaign is"
        return WorkflowError(f"{ticket_chain} may not go live: {said}", hint=hint, code=code)
    found = standing(uow, ticket, now_tai_ns=context.clock())
    missing = hail_gates(found)
    also = f"; still missing: {'; '.join(missing)}" if missing else ""
    return WorkflowError(f"{ticket_chain} may not go live: {said}{also}", hint=next_line(uow, found), code=code)


def require_ready_to_hail(uow: "UnitOfWork", found: Standing) -> None:
    """Refuse to hail the board before everything it needs is there.

    Raises
    ------
    WorkflowError
        E-GATE naming everything that is missing, with the next line.
    """
    missing = hail_gates(found)
    if missing:
        raise WorkflowError(
            f"{found.ticket} cannot be hailed yet: {'; '.join(missing)}", hint=next_line(uow, found), code="E-NOTREADY"
        )


def next_line(uow: "UnitOfWork", found: Standing) -> str:
    """Return the line that brings a campaign one step further."""
    for row in rows_of(uow, found):
        if row.next and row.item.key not in ("deployment", "distribute"):
            return row.next[0]
    return f"cabstand campaign show {found.ticket}"
