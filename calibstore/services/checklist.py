"""The checklist of a campaign, derived from the store: nobody ticks anything by hand."""

from typing import TYPE_CHECKING

from calibstore.model.workflow import ROWS, Stage
from calibstore.reports.checklist_text_view import ChecklistHead, ItemView
from calibstore.services.checklist_items import view_item
from calibstore.services.standing import Standing, standing
from calibstore.services.take_out import rejected_alarm, take_out_lines

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def checklist(uow: "UnitOfWork", ticket: str, *, now_tai_ns: int | None = None) -> tuple[ItemView, ...]:
    """Return the rows of a ticket's checklist: the nine items, and certify between report and hail.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    ticket : str
        Construction ticket.
    now_tai_ns : int, optional
        The present instant; by default that of the newest journal entry [TAI ns].

    Raises
    ------
    NotFoundError
        If there is no such campaign.
    """
    return rows_of(uow, standing(uow, ticket, now_tai_ns=now_tai_ns))


def rows_of(uow: "UnitOfWork", found: Standing) -> tuple[ItemView, ...]:
    """Return the rows of the checklist of a campaign that was read already."""
    return tuple(view_item(uow, found, item) for item in ROWS)


def stage_of(rows: tuple[ItemView, ...]) -> Stage:
    """Return the stage a campaign is in: that of the first row not settled."""
    return next((row.item.stage for row in rows if not row.state.is_settled), Stage.DISTRIBUTION)


def head_of(found: Standing, rows: tuple[ItemView, ...]) -> ChecklistHead:
    """Return what stands above the rows."""
    campaign = found.campaign
    title = f"{campaign.ticket} {campaign.tag}: {campaign.instrument} {', '.join(campaign.calib_types)}"
    if campaign.title:
        title += f" - {campaign.title}"
    facts = (
        f"stage {stage_of(rows)}; hailing ticket {found.state}; {campaign.why.replace('_', ' ')}",
        f"ticket chain {campaign.names.ticket_chain}, top chain {campaign.names.top_chain}",
    )
    alarm = rejected_alarm(found)
    return ChecklistHead(
        title=title, facts=facts, alarms=(alarm,) if alarm else (), remedies=take_out_lines(found) if alarm else ()
    )
