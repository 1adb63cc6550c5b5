"""Every campaign, and what each one waits for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.fields import to_line
from calibstore.model.workflow import CHECKLIST
from calibstore.reports.checklist_text_view import first_open
from calibstore.services.checklist import head_of, rows_of, stage_of
from calibstore.services.context import Context
from calibstore.services.looks.steps import Step, step_of
from calibstore.services.standing import Standing, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRow:
    """One campaign in the table."""

    ticket: str
    instrument: str
    tag: str
    stage: str
    n_settled: int
    """Published items with nothing left to do."""
    n_items: int
    """Nine."""
    waits_key: str
    """Item it waits at; empty when nothing is left."""
    waits_at: str
    waits_for: str
    """First thing missing there, or what can be done."""
    board_state: str
    alarm: str
    title: str
    """Ticket, tag, instrument, types, and what it is for."""
    step: Step | None
    """What to do next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignsLook:
    """Every campaign, those of the instrument first."""

    rows: tuple[CampaignRow, ...]
    hint: str
    """What to type where there is none."""


def campaigns_look(context: Context, instrument: str = "") -> CampaignsLook:
    """Read every campaign, those of an instrument first, the newest first.

    Parameters
    ----------
    context : Context
        Repository and clock.
    instrument : str
        Instrument shown in the frame; empty for no preference.
    """
    with context.unit_of_work() as uow:
        known = sorted(uow.campaigns.campaigns(), key=lambda one: (one.instrument != instrument, -one.opened_state))
        rows = [_campaign_row(uow, standing(uow, one.ticket, now_tai_ns=context.clock())) for one in known]
        names = uow.repository.instruments()
    wanted = instrument or (names[0] if names else "INSTRUMENT")
    return CampaignsLook(rows=tuple(rows), hint=to_line(CampaignNew(instrument=wanted, ticket="DM-NUMBER", tag="TAG")))


def _campaign_row(uow: "UnitOfWork", found: Standing) -> CampaignRow:
    rows = rows_of(uow, found)
    numbered = [row for row in rows if row.item.number]
    waiting = first_open(rows) or next((row for row in rows if not row.state.is_settled), None)
    head = head_of(found, rows)
    why = next(iter(waiting.missing), "") if waiting else ""
    return CampaignRow(
        ticket=found.ticket,
        instrument=found.campaign.instrument,
        tag=found.campaign.tag,
        stage=str(stage_of(rows)),
        n_settled=sum(row.state.is_settled for row in numbered),
        n_items=len(CHECKLIST),
        waits_key=waiting.item.key if waiting else "",
        waits_at=f"{waiting.item.number or '-'} {waiting.item.title}" if waiting else "nothing",
        waits_for=why.replace(f"{found.campaign.names.ticket_chain}/", ""),
        board_state=str(found.state),
        alarm="; ".join(head.alarms),
        title=head.title,
        step=step_of(waiting.next[0]) if waiting and waiting.next else None,
    )
