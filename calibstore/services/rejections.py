"""Products the board rejected: where processing still finds them, whatever name they are certified under.

Look-up takes no notice of decisions; so this is told wherever people look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.hailing import HailingState
from calibstore.model.names import top_chain_of
from calibstore.services.segments import Segments, load_view

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

STILL_IN_USE: Final = "REJECTED BUT STILL IN USE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedInUse:
    """A rejected product that processing finds."""

    ticket: str
    """Whose decision rejected it."""
    top: str
    collection: str
    dataset_type: str
    n_data_ids: int

    def text(self) -> str:
        """Return the alarm in one line."""
        return (
            f"{self.dataset_type} of {self.ticket} is {STILL_IN_USE}: {self.top} finds {self.n_data_ids} of it in "
            f"{self.collection}"
        )

    def coming_up(self) -> str:
        """Return the same of a change that is not made yet."""
        return (
            f"{self.n_data_ids} {self.dataset_type} of {self.collection}, which the board Rejected ({self.ticket}), "
            f"would apply through {self.top} where it does not now: take it out too"
        )


def rejected_of(decisions: Iterable[DecisionRecord]) -> set[str]:
    """Return the datasets that a ticket's decisions reject, the oldest decision first; adopting takes that back."""
    rejected: set[str] = set()
    for decision in decisions:
        listed = decision.subject.get("dataset_ids")
        about = {str(one) for one in listed} if isinstance(listed, list) else set()
        if decision.is_rejected:
            rejected |= about
        elif decision.is_adopted:
            rejected -= about
    return rejected


def rejected_datasets(uow: "UnitOfWork") -> dict[str, str]:
    """Return the ticket that rejected it by dataset id, of every rejected product."""
    found: dict[str, str] = {}
    for ticket in uow.campaigns.tickets_with(HailingState.REJECTED):
        found |= dict.fromkeys(rejected_of(uow.campaigns.decisions(ticket)), ticket)
    return found


def rejected_in_use(uow: "UnitOfWork", instruments: Sequence[str] = ()) -> tuple[RejectedInUse, ...]:
    """Return the rejected products that the top chains lead to, by ticket and collection.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    instruments : sequence of str
        Only of these; by default of all.
    """
    rejected = rejected_datasets(uow)
    if not rejected:
        return ()
    counts: dict[tuple[str, str, str, str], set[str]] = {}
    for instrument in instruments or uow.repository.instruments():
        top = top_chain_of(instrument)
        for (kind, key), found in load_view(uow, [top]).segments([top]).by_key.items():
            for _, owner in found.stretches():
                if owner.row.dataset_id in rejected:
                    ticket = rejected[owner.row.dataset_id]
                    counts.setdefault((ticket, top, owner.member.name, kind), set()).add(key)
    return tuple(
        RejectedInUse(ticket=ticket, top=top, collection=name, dataset_type=kind, n_data_ids=len(keys))
        for (ticket, top, name, kind), keys in sorted(counts.items())
    )


def newly_rejected(uow: "UnitOfWork", top: str, before: Segments, after: Segments) -> tuple[RejectedInUse, ...]:
    """Return the rejected products that would apply for a time for which they do not yet.

    Parameters
    ----------
    uow : UnitOfWork
        Knows the decisions.
    top : str
        Where both searches begin.
    before, after : Segments
        As it is, and as it would become.
    """
    rejected = rejected_datasets(uow)
    counts: dict[tuple[str, str, str], set[str]] = {}
    for (kind, key), found in after.by_key.items() if rejected else ():
        for timespan, owner in found.stretches():
            if owner.row.dataset_id not in rejected:
                continue
            left = [timespan]
            for held, other in before.of(kind, key).stretches():
                if other.row.dataset_id == owner.row.dataset_id:
                    left = [piece for one in left for piece in one.difference(held)]
            if left:
                ticket = rejected[owner.row.dataset_id]
                counts.setdefault((ticket, owner.member.name, kind), set()).add(key)
    return tuple(
        RejectedInUse(ticket=ticket, top=top, collection=name, dataset_type=kind, n_data_ids=len(keys))
        for (ticket, name, kind), keys in sorted(counts.items())
    )
