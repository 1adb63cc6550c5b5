"""Restoring a chain: its list becomes what it was at an earlier state, whoever changed it since."""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibstore.commands.states import Restore
from calibstore.commands.store import CollectionChain
from calibstore.errors import NotFoundError, UserInputError
from calibstore.model.chain_lists import change_between
from calibstore.model.collections import did_you_mean
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.chains import plan_collection_chain
from calibstore.services.context import Context

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def plan_restore(command: Restore, context: Context, uow: "UnitOfWork", _prepared: object = None) -> Plan:
    """Plan restoring a list; see `calibstore.services.actions.Handler`."""
    return restored(uow, context, command.chain, command.to_state, override=command.override, verb="restore")


def restored(uow: "UnitOfWork", context: Context, chain: str, to_state: int, *, override: str = "", verb: str) -> Plan:
    """Plan the one change that makes a chain's list what it was.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    context : Context
        Who acts, and why.
    chain : str
        Its name.
    to_state : int
        State whose list it gets.
    override : str
        Ticket typed to act against the gate.
    verb : str
        What the summary calls it.

    Raises
    ------
    NotFoundError
        E-NOPARENT: there is or was no such chain. E-GONE: a member of then exists no more.
    UserInputError
        E-STATE: there is no such state.
    """
    now, then = chain_at(uow, chain, None), chain_at(uow, chain, to_state)
    gone = [name for name in then if uow.collections.find(name) is None]
    if gone:
        raise NotFoundError(
            f"{chain} listed {', '.join(gone)} at state {to_state}, which exists no more",
            hint=f"undo its removal first: cabstand history {gone[0]}",
            code="E-GONE",
        )
    change = change_between(now, then)
    data = {"chain": list(then), "to_state": to_state}
    if change is None:
        told = f"nothing to do: {chain} lists {', '.join(now) or 'nothing'}, as at state {to_state}"
        return Plan(effect=Effect(summary=told, data=data | {"is_same": True}))
    line = CollectionChain(
        parent=chain, children=change.children, mode=change.mode, drop=change.drop, override=override
    )
    plan = plan_collection_chain(line, context, uow)
    effect = replace(
        plan.effect,
        summary=f"{verb} the list of {chain} as at state {to_state}: {plan.effect.summary}",
        data={**plan.effect.data, **data},
        after={**plan.effect.after, "to_state": to_state},
    )
    return replace(plan, effect=effect)


def chain_at(uow: "UnitOfWork", chain: str, state: int | None) -> tuple[str, ...]:
    """Return a chain's list now, or at a state.

    Raises
    ------
    NotFoundError
        E-NOPARENT: there is or was no such chain.
    UserInputError
        E-STATE: there is no such state.
    """
    last = uow.journal.last_state()
    if state is not None and not 1 <= state <= last:
        raise UserInputError(
            f"the repository has no state {state}",
            hint=f"it has 1 to {last}: cabstand journal lists them",
            code="E-STATE",
        )
    tree = uow.associations.tree(at_state=state)
    found = tree.children.get(chain)
    if found is None:
        when = "" if state is None else f" at state {state}"
        near = did_you_mean(chain, list(tree.children))
        hint = f"did you mean {near}?" if near else "cabstand query-collections --collection-type chained lists them"
        raise NotFoundError(f"there is no chain {chain!r}{when}", hint=hint, code="E-NOPARENT")
    return found


HANDLERS = {"restore": Handler(plan=plan_restore)}
