"""Showing the journal: who did what, when and why; as Markdown for a ticket; and checking its seals."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from calibstore.commands.repository import ShowJournal
from calibstore.errors import NotFoundError, StoreError, UserInputError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.records import JournalEntry
from calibstore.model.times import describe, ns_to_iso
from calibstore.reports.journal_markdown import JournalData, JournalJob, JournalSelection, journal_markdown
from calibstore.services.acknowledging import outside_marks
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.journal_check import check_journal
from calibstore.services.layout import counted

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_SHOWN: Final = 5


def _journal(command: ShowJournal, context: Context) -> Answer:
    if command.last is not None and command.last < 1:
        raise UserInputError(f"--last {command.last}: give a number from 1 on")
    if command.replay:
        from calibstore.services.replaying import replay

        return replay(context, command.replay)
    with context.unit_of_work() as uow:
        if command.verify:
            return _verify(uow)
        entries = uow.journal.entries(ticket=command.ticket, last=command.last)
        if command.ticket and not entries:
            uow.campaigns.campaign(command.ticket)
            raise NotFoundError(f"the journal has no entry of {command.ticket}", hint="cabstand journal")
        marks = outside_marks(uow)
        data = [_plain(entry) | {"outside": marks.get(entry.state, "")} for entry in entries]
        if command.markdown:
            text = journal_markdown(_markdown_data(uow, command.ticket, entries))
            return Answer(lines=tuple(text.rstrip("\n").split("\n")), data=data)
    return Answer(lines=_table(entries, marks), data=data)


def _verify(uow: "UnitOfWork") -> Answer:
    entries = uow.journal.entries()
    faults = check_journal(uow)
    if faults:
        told = "; ".join(f"state {one.state}: {one.what}" for one in faults[:_SHOWN])
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise StoreError(
            f"the journal does not hold from state {faults[0].state} on: {told}{more}",
            hint="compare with a backup of the store; what follows this state cannot be trusted",
            code="E-JOURNAL",
        )
    last = entries[-1].hash if entries else ""
    lines = (f"{counted(len(entries), 'entry', 'entries')}, none altered", f"last seal {last}")
    return Answer(lines=lines, data={"entries": len(entries), "first_altered": None, "last_hash": last})


def _table(entries: tuple[JournalEntry, ...], marks: Mapping[int, str]) -> tuple[str, ...]:
    if not entries:
        return ("the journal is empty",)
    lines = []
    for entry in entries:
        ticket = f" [{entry.ticket}]" if entry.ticket else ""
        lines.append(f"{entry.state:>5}  {ns_to_iso(entry.at_tai_ns, 0)} TAI  {entry.user}{ticket}")
        lines.append(f"       {' '.join(entry.summary.split())}")
        if entry.state in marks:
            lines.append(f"       {marks[entry.state]}")
            lines += [f"         {one}" for one in cast("list[str]", entry.after.get("lines", []))]
        if entry.reason:
            lines.append(f"       because: {' '.join(entry.reason.split())}")
        lines.append(f"       $ {entry.line}")
    return tuple(lines)


def _plain(entry: JournalEntry) -> dict[str, object]:
    return {
        "state": entry.state,
        "at_tai_ns": entry.at_tai_ns,
        "at": describe(entry.at_tai_ns),
        "user": entry.user,
        "host": entry.host,
        "verb": entry.verb,
        "line": entry.line,
        "reason": entry.reason,
        "ticket": entry.ticket,
        "summary": entry.summary,
        "before": entry.before,
        "after": entry.after,
        "native": list(entry.native),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def _markdown_data(uow: "UnitOfWork", ticket: str, entries: tuple[JournalEntry, ...]) -> JournalData:
    if not ticket or uow.campaigns.find_campaign(ticket) is None:
        decisions = uow.campaigns.decisions(ticket) if ticket else ()
        title = f"Journal of {ticket}" if ticket else "Journal"
        return JournalData(title=title, entries=entries, decisions=_decisions(decisions))
    campaign = uow.campaigns.campaign(ticket)
    return JournalData(
        title=f"Journal of {ticket}: {campaign.instrument} {', '.join(campaign.calib_types)} {campaign.tag}",
        entries=entries,
        selections=tuple(
            JournalSelection(
                calib_type=one.calib_type,
                purpose=one.purpose,
                where=one.where,
                n_exposures=len(one.exposures),
                exclusions=one.exclusions,
                is_replaced=one.closed_state is not None,
            )
            for one in uow.campaigns.selections(ticket)
        ),
        jobs=tuple(
            JournalJob(job=job.id, kind=job.kind, run=job.run, status=job.status, error=job.error)
            for job in uow.jobs.list(ticket=ticket)
        ),
        verdicts=_verdicts(uow, ticket),
        decisions=_decisions(uow.campaigns.decisions(ticket)),
    )


def _verdicts(uow: "UnitOfWork", ticket: str) -> tuple[str, ...]:
    return tuple(
        f"{verification.verify_run} of {verification.candidate_run}: {judged.profile} {judged.verdict} "
        f"({verification.n_in_build} build, {verification.n_independent} independent exposures)"
        for verification in uow.verifications.list(ticket)
        for judged in uow.verifications.judgements(verification.id)
    )


def _decisions(decisions: tuple[DecisionRecord, ...]) -> tuple[str, ...]:
    told = []
    for one in decisions:
        origin = "" if one.origin == "here" else f", {one.origin}"
        told.append(f"{one.outcome} ({one.status}) by {', '.join(one.people)}, {describe(one.decided_tai_ns)}{origin}")
        told += [f"reason: {one.reason}"] if one.reason else []
        told += [f"objections: {one.objections}"] if one.objections else []
        told += [f"waiver: {waiver.text()}" for waiver in one.waivers]
        told.append(f"decided on {one.subject.get('ticket_chain')}, fingerprint {one.subject.get('effective')}")
        told.append(f"report SHA-256 {one.report_sha256}")
    return tuple(told)


QUESTIONS = {"journal": _journal}
