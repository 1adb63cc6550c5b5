"""The gate of the live edge for changes that are not one chain's: what wins through a top chain that did not before."""

from typing import TYPE_CHECKING, Protocol

from calibstore.services.context import Context
from calibstore.services.fingerprinting import fingerprint_of
from calibstore.services.gates import require_adopted
from calibstore.services.segments import View

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


class Changed(Protocol):
    """A change of what look-ups see."""

    @property
    def before(self) -> View:
        """As it is."""
        ...

    @property
    def after(self) -> View:
        """As it would become."""
        ...

    @property
    def tops(self) -> tuple[str, ...]:
        """Top chains."""
        ...


def require_gain_allowed(uow: "UnitOfWork", change: Changed, *, override: str, context: Context) -> list[str]:
    """Refuse what would make something live that the board did not adopt as it would be; return warnings.

    Parameters
    ----------
    uow : UnitOfWork
        The transaction.
    change : Changed
        What look-ups see before and after.
    override : str
        Ticket typed to act against the gate.
    context : Context
        Who acts, and why.

    Raises
    ------
    WorkflowError
        As `calibstore.services.gates.require_adopted`.
    """
    return [
        f"W-OVERRIDE {name} goes live against the board's gate: {context.reason}"
        for name in _gaining(change)
        if require_adopted(uow, name, override=override, context=context, view=change.after) is None
    ]


def _gaining(change: Changed) -> tuple[str, ...]:
    """Return the members of official chains that come in, move forward, or can win more than they could."""
    found: dict[str, None] = {}
    for top in change.tops:
        for chain in (top, *change.after.tree.chains_above(top)):
            old, new = change.before.tree.children.get(chain, ()), change.after.tree.children.get(chain, ())
            for place, name in enumerate(new):
                if name in change.tops:
                    continue
                later = set(old[old.index(name) :]) if name in old else set(old)
                is_forward = bool(set(new[place:]) & set(old) - later)
                if (name not in old or is_forward or _wins_more(change, name)) and _holds(change, name):
                    found[name] = None
    return tuple(found)


def _wins_more(change: Changed, name: str) -> bool:
    before, after = fingerprint_of(change.before, name), fingerprint_of(change.after, name)
    return before.effective != after.effective and not set(after.lines) <= set(before.lines)


def _holds(change: Changed, name: str) -> bool:
    return any(change.after.rows.get(member.name) for member in change.after.tree.walk([name]))
