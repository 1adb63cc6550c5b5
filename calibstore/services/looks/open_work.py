"""Campaigns with something left to do, and what each waits for; cheap enough for the first screen."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.model.calib_types import find_calib_type
from calibstore.model.hailing import HailingState
from calibstore.model.workflow import ROWS, ChecklistItem
from calibstore.services.checklist_items import view_item
from calibstore.services.standing import Standing, standing
from calibstore.services.take_out import rejected_alarm

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork
    from calibstore.model.campaign_records import CampaignRecord

MOST: Final = 8
"""Campaigns looked at, those worked on last; the others are counted."""
_JOURNAL_ENTRIES: Final = 400
"""So far back in the journal is looked for who works on what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A campaign that is not finished."""

    ticket: str
    tag: str
    title: str
    calib_types: tuple[str, ...]
    number: int
    """Item of the checklist it waits at, 1 to 9; 0 for certify."""
    item: str
    """Its title."""
    key: str
    waits: str
    """What is missing."""
    level: str = "ok"
    """fail where a job failed or a rejected calibration is in use; warn where something is out of date."""
    board: str = ""
    """State of the hailing ticket."""
    alarm: str = ""

    @property
    def place_text(self) -> str:
        """Where it goes on."""
        return f"checklist {self.ticket}"


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What is under way."""

    works: tuple[Work, ...]
    alarms: tuple[tuple[str, str], ...]
    """(ticket, text) of rejected calibrations that are still in use somewhere."""
    n_unread: int
    """Older campaigns that were not looked at."""
    is_whole: bool = True
    """False where reading it was put off."""


def open_work(uow: "UnitOfWork", *, instrument: str, now_tai_ns: int, n_at_once: int | None = None) -> OpenWork:
    """Return the campaigns of an instrument that have something left to do, those worked on last first.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    instrument : str
        Whose campaigns.
    now_tai_ns : int
        The present instant [TAI ns].
    n_at_once : int, optional
        Give up where more campaigns would have to be read.
    """
    recent = uow.journal.recent_tickets(_JOURNAL_ENTRIES)
    campaigns = sorted(
        (one for one in uow.campaigns.campaigns() if one.instrument == instrument),
        key=lambda one: (-recent.get(one.ticket, one.opened_state), one.ticket),
    )
    statuses = uow.campaigns.newest_decisions()
    # A rejected calibration in use must be seen, however long ago it was worked on.
    seen = [one for place, one in enumerate(campaigns) if place < MOST or _is_rejected(statuses, one)]
    if n_at_once is not None and len(seen) > n_at_once:
        return OpenWork((), (), len(campaigns), is_whole=False)
    works, alarms = [], []
    for campaign in seen:
        found = standing(uow, campaign.ticket, now_tai_ns=now_tai_ns)
        alarm = rejected_alarm(found)
        if alarm:
            alarms.append((campaign.ticket, alarm))
        work = _work(uow, found, alarm)
        if work is not None:
            works.append(work)
    return OpenWork(tuple(works), tuple(alarms), len(campaigns) - len(seen))


def _is_rejected(statuses: dict[str, str], campaign: "CampaignRecord") -> bool:
    return statuses.get(campaign.ticket) == HailingState.REJECTED


def _work(uow: "UnitOfWork", found: Standing, alarm: str) -> Work | None:
    if found.state is HailingState.WITHDRAWN and not found.in_use_at:
        return None
    for item in ROWS:
        waits = waits_at(uow, found, item)
        if waits is None:
            continue
        text, level = waits
        campaign = found.campaign
        return Work(
            ticket=campaign.ticket,
            tag=campaign.tag,
            title=campaign.title,
            calib_types=campaign.calib_types,
            number=item.number,
            item=item.title,
            key=item.key,
            waits=text,
            level="fail" if alarm else level,
            board=str(found.state),
            alarm=alarm,
        )
    return None


def waits_at(uow: "UnitOfWork", found: Standing, item: ChecklistItem) -> tuple[str, str] | None:
    """Return (what a row of the checklist waits for, level); None where it is settled.

    Notes
    -----
    Rows whose full view would read every exposure or judge every number again are told from what is known already.
    """
    if item.key == "inputs":
        lacking = [
            one.calib_type
            for one in found.types
            if one.build is None and find_calib_type(one.calib_type).observation_type
        ]
        return (f"exposures to build {', '.join(lacking)} from", "ok") if lacking else None
    if item.key == "verify":
        return _verify_waits(found)
    if item.key == "hail" and found.state is HailingState.FLAGGED and found.is_hailing_fresh:
        key = found.hailing.key if found.hailing else found.ticket
        return f"the board's decision on {key}", "ok"
    row = view_item(uow, found, item)
    if row.state.is_settled:
        return None
    text = row.missing[0] if row.missing else str(row.state)
    more = f" (and {len(row.missing) - 1} more)" if len(row.missing) > 1 else ""
    return f"{text}{more}", "fail" if " failed" in text else "warn" if row.is_stale else "ok"


def _verify_waits(found: Standing) -> tuple[str, str] | None:
    lacking = [one for one in found.verifiable if not one.is_verified]
    if not lacking:
        return None
    one = lacking[0]
    if one.verify_job is not None and one.verify_job.is_open:
        return f"{one.calib_type}: job {one.verify_job.id} is {one.verify_job.status}", "ok"
    if one.verify_job is not None and one.verify_job.status == "failed":
        return f"{one.calib_type}: job {one.verify_job.id} failed: {one.verify_job.error}", "fail"
    if one.verify is None:
        return f"exposures to verify {one.calib_type} on", "ok"
    is_stale = one.verification is not None
    return f"the newest {one.calib_type} is not verified", "warn" if is_stale else "ok"
