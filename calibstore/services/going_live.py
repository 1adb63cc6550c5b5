"""What would change if a campaign's ticket chain were put first in the top chain now."""

from typing import TYPE_CHECKING

from calibstore.services.previews import Preview, preview_change
from calibstore.services.segments import load_view
from calibstore.services.standing import Standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def going_live(uow: "UnitOfWork", found: Standing) -> Preview:
    """Return old and new winners through the top chain, and the exposures concerned.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    found : Standing
        The campaign.
    """
    names = found.campaign.names
    before = load_view(uow, [names.top_chain, names.ticket_chain])
    rest = tuple(child for child in before.tree.children.get(names.top_chain, ()) if child != names.ticket_chain)
    after = before.with_children(names.top_chain, (names.ticket_chain, *rest))
    return preview_change(
        uow,
        top=names.top_chain,
        before=before.segments([names.top_chain]),
        after=after.segments([names.top_chain]),
        instrument=found.campaign.instrument,
        now_tai_ns=found.now_tai_ns,
        day_obs_offset_h=found.camera.day_obs_offset_h,
    )
