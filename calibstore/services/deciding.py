"""Recording what the board decided: people, outcome, waivers with scope, and exactly what it was decided on."""

import re
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import Decide
from calibstore.commands.fields import BOARD
from calibstore.errors import UserInputError, WorkflowError
from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.codec import to_plain
from calibstore.model.hailing import DecisionOutcome, HailingState, next_state
from calibstore.model.times import describe
from calibstore.model.waivers import WAIVER_FORM, Waiver
from calibstore.services import next_lines as lines
from calibstore.services.actions import Effect, Plan
from calibstore.services.context import Context
from calibstore.services.gates import require_ready_to_hail
from calibstore.services.judged import judgements_of
from calibstore.services.roles import require_role
from calibstore.services.standing import Standing, standing
from calibstore.services.take_out import still_in_use, take_out_lines
from calibstore.services.waiver_proposals import (
    against_lines,
    covers,
    proposed_waivers,
    require_statements,
    standing_against,
)

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_ADOPTING = (DecisionOutcome.ADOPT, DecisionOutcome.ADOPT_WITH_WAIVERS)
_NEED_REASON = (DecisionOutcome.REJECT_REBUILD, DecisionOutcome.REQUEST_PROCESSING)


def decide(command: Decide, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    """Plan the record of a decision.

    Raises
    ------
    WorkflowError
        If there is nothing to decide, the report is stale, or failures remain without a waiver.
    UserInputError
        If people, a waiver or a reason are missing or wrong.
    """
    require_role(context, BOARD)
    outcome = DecisionOutcome(command.outcome.upper())
    found = standing(uow, command.ticket, now_tai_ns=context.clock())
    people = tuple(" ".join(name.split()) for name in command.people if name.strip())
    if not people:
        raise UserInputError("a decision names the people present", hint="--people NAME, once for each")
    waivers = _waivers(command, outcome, context)
    if outcome in _NEED_REASON and not context.reason.strip():
        raise UserInputError(f"{command.outcome} needs a reason", hint="add --reason TEXT", code="E-REASON")
    if found.hailing is None and outcome is not DecisionOutcome.WITHDRAW:
        require_ready_to_hail(uow, found)
        raise WorkflowError(
            f"{found.ticket} was not put before the board yet", hint=lines.hail_line(found), code="E-NOTHAILED"
        )
    status = next_state(found.state, outcome)
    warnings: list[str] = []
    if outcome in _ADOPTING:
        _check_fresh(uow, found)
        warnings += _check_results(uow, found, waivers, context)
    record = DecisionRecord(
        ticket=found.ticket,
        outcome=str(outcome),
        status=str(status),
        people=people,
        objections=command.objections.strip(),
        report_sha256=found.report.sha256 if found.report else "",
        reason=context.reason,
        subject=_subject(found),
        decided_tai_ns=context.clock(),
        waivers=waivers,
    )
    effect = _effect(found, record, warnings)
    return Plan(effect=effect, apply=lambda uow, state: _insert(uow, record, state))


def _insert(uow: "UnitOfWork", record: DecisionRecord, state: int) -> None:
    uow.campaigns.insert_decision(record, state=state)


def subject_of(found: Standing) -> dict[str, object]:
    """Return what a decision taken now is about: names, dataset ids and the effective fingerprint."""
    return {
        "ticket_chain": found.campaign.names.ticket_chain,
        "effective": found.fingerprint,
        "certified": list(found.members),
        "dataset_ids": sorted(product.id for one in found.certifiable for product in one.products.values()),
        "runs": [one.run for one in found.certifiable if one.run],
    }


def _subject(found: Standing) -> dict[str, object]:
    # What was Adopted is what is rejected later, also when newer products wait in the ticket by then.
    if found.state is HailingState.ADOPTED and found.decision is not None:
        return found.decision.subject
    return subject_of(found)


def _waivers(command: Decide, outcome: DecisionOutcome, context: Context) -> tuple[Waiver, ...]:
    waivers = tuple(Waiver.parse(text) for text in command.waive)
    if waivers and outcome is not DecisionOutcome.ADOPT_WITH_WAIVERS:
        raise UserInputError(
            f"{command.outcome} takes no waivers", hint="the outcome is adopt_with_waivers", code="E-WAIVER"
        )
    if outcome is DecisionOutcome.ADOPT_WITH_WAIVERS and not waivers:
        raise UserInputError(
            "adopt_with_waivers without a waiver", hint="add --waive for each, or adopt", code="E-WAIVER"
        )
    for waiver in waivers:
        _check_written(waiver)
        if waiver.is_expired(context.clock()):
            raise UserInputError(
                f"the waiver of {waiver.test} expired on {waiver.expires} already",
                hint="give a day to come: expires=YYYY-MM-DD",
                code="E-WAIVER",
            )
    return waivers


def _check_written(waiver: Waiver) -> None:
    """Refuse what is no test, and the placeholders of a proposed line: the decision would carry them for ever."""
    if not re.fullmatch(r"\w+", waiver.test):
        raise UserInputError(
            f"test={waiver.test} of a waiver is no name of a test",
            hint=f"write a waiver as: {WAIVER_FORM}",
            code="E-WAIVER",
        )
    for key, value, placeholder in (
        ("reason", waiver.reason, "WHY"),
        ("who", waiver.who, "NAME"),
        ("instead_of", waiver.instead_of, "WHAT WAS LOOKED AT"),
    ):
        if value == placeholder:
            raise UserInputError(
                f"the waiver of {waiver.test} still says {key}={placeholder}, a placeholder",
                hint=f"write what belongs there: {key}=...",
                code="E-PLACEHOLDER",
            )


def _check_fresh(uow: "UnitOfWork", found: Standing) -> None:
    require_ready_to_hail(uow, found)
    if found.state is HailingState.FLAGGED and not found.is_hailing_fresh:
        raise WorkflowError(
            f"{found.ticket}: the board was sent an older report than the newest",
            hint=lines.hail_line(found),
            code="E-STALE",
        )
    # The text the board was sent lists ranges and members: what came later it has not seen.
    chain = uow.collections.get(found.campaign.names.ticket_chain)
    ranges = [row.opened_state for one in found.types for row in (*one.certified, *one.certified_otherwise)]
    if found.hailing is not None and max(*ranges, uow.collections.last_change(chain)) > found.hailing.opened_state:
        raise WorkflowError(
            f"{found.ticket}: what {chain.name} holds changed after the board was sent its text",
            hint=lines.hail_line(found),
            code="E-STALE",
        )


def _check_results(
    uow: "UnitOfWork", found: Standing, waivers: tuple[Waiver, ...], context: Context
) -> tuple[str, ...]:
    """Refuse to adopt over failed or unknown results without a waiver; return warnings."""
    against: list[str] = []
    proposals: list[str] = []
    used: set[Waiver] = set()
    for one in found.verifiable:
        assert one.verification is not None
        now = context.clock()
        bare = judgements_of(uow, one.verification, found.camera)[0]
        require_statements(bare, waivers)
        used |= {waiver for waiver in waivers for row in standing_against(bare) if covers(waiver, row)}
        judged = judgements_of(uow, one.verification, found.camera, waivers=waivers, now_tai_ns=now)[0]
        against += against_lines(standing_against(judged))
        proposals += proposed_waivers(judged, now_tai_ns=now)
    if against:
        kept = tuple(waiver.text() for waiver in waivers if waiver in used)
        raise WorkflowError(
            f"{found.ticket} cannot be adopted over results without a waiver: {'; '.join(against)}",
            hint=lines.decide_line(found, "adopt_with_waivers", (*kept, *proposals)),
            code="E-UNWAIVED",
        )
    return tuple(
        f"W-WAIVER nothing that failed lies in its scope: {waiver.text()}" for waiver in waivers if waiver not in used
    )


def _effect(found: Standing, record: DecisionRecord, warnings: list[str]) -> Effect:
    told = [
        f"people       {', '.join(record.people)}",
        *([f"objections   {record.objections}"] if record.objections else []),
        *([f"reason       {record.reason}"] if record.reason else []),
        *(f"waiver       {waiver.text()}" for waiver in record.waivers),
        f"report       SHA-256 {record.report_sha256 or 'none'}",
        f"decided on   {record.subject['ticket_chain']}, effective fingerprint {found.fingerprint[:16] or 'none'}",
        f"at           {describe(record.decided_tai_ns)}",
    ]
    if record.is_adopted:
        following: tuple[str, ...] = (lines.deploy_line(found, "home"),)
        if "deployment" not in found.links:
            following = (lines.link_line(found, "deployment"), *following)
            warnings.append("W-DEPLOYMENT no deployment ticket is linked")
        told.append("this also counts as the review of the construction ticket: no code of a branch was used")
    elif record.is_rejected:
        following = tuple(lines.rerun_line(found, one) for one in found.certifiable if one.products)
        if found.in_use_at:
            warnings.append(f"W-REJECTEDLIVE {still_in_use(found)}")
            told += [f"take it out  {line}" for line in take_out_lines(found)]
            following = (*take_out_lines(found), *following)
    else:
        following = (f"cabstand campaign show {found.ticket}",)
    return Effect(
        summary=f"{found.ticket}: {record.outcome}, now {record.status}",
        lines=tuple(told),
        warnings=tuple(warnings),
        next=following,
        ask=True,
        data={
            "ticket": found.ticket,
            "outcome": record.outcome,
            "status": record.status,
            "people": list(record.people),
            "waivers": [waiver.text() for waiver in record.waivers],
            "subject": record.subject,
            "report_sha256": record.report_sha256,
        },
        ticket=found.ticket,
        before={"state": str(found.state)},
        after={"decision": to_plain(record)},
    )
