"""The first rows of the checklist: what the store says is done, what is missing, what to type next."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from calibstore.model.times import timespan_text
from calibstore.model.workflow import ChecklistItem, ItemState
from calibstore.reports.checklist_text_view import ItemView
from calibstore.services import next_lines as lines
from calibstore.services.build_turns import BuildTurn, build_turns
from calibstore.services.checklist_board import deployment_row, distribute_row, hail_row, tagging_row
from calibstore.services.checklist_gates import (
    evidence_warnings,
    gated,
    product_gates_by_type,
    short,
    verdicts_text,
    waits,
    when,
)
from calibstore.services.standing import Standing, TypeStanding

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def view_item(uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    """Return one row of a campaign's checklist.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    standing : Standing
        Where the campaign stands.
    item : ChecklistItem
        The row.
    """
    return _ITEMS[item.key](uow, standing, item)


def _shortened(standing: Standing, one: TypeStanding, text: str) -> str:
    return text.replace(one.run, short(standing, one.run)) if one.run else text


def _ticket(_uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    campaign = standing.campaign
    done = [f"{campaign.ticket} opened by {when(standing, campaign.opened_state)}"]
    done.append(f"names: {campaign.names.ticket_chain}/{campaign.tag}/...")
    done += [f"{role} ticket {link.key}" for role, link in sorted(standing.links.items())]
    return ItemView(item=item, state=ItemState.DONE, done=tuple(done))


def _inputs(uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    done, missing, notes, following = [], [], [], []
    for turn in build_turns(uow, standing):
        one = turn.standing
        if not turn.is_from_exposures:
            done.append(f"{one.calib_type}: made from other products")
            continue
        if one.build is None:
            missing.append(f"{one.calib_type}: no exposures chosen")
            following.append(lines.inputs_line(uow, standing, one.calib_type))
            continue
        done.append(
            f"{one.calib_type}: {len(one.build.exposures)} exposures, {len(one.build.exclusions)} excluded "
            f"({when(standing, one.build.opened_state)})"
        )
        done += [f"excluded {exposure}: {reason}" for exposure, reason in one.build.exclusions]
        notes += [f"{rule} {text}" for rule, severity, text in one.build.findings if severity != "note"]
    state = ItemState.READY if missing else ItemState.DONE
    return ItemView(
        item=item, state=state, done=tuple(done), missing=tuple(missing), notes=tuple(notes), next=tuple(following)
    )


def _generate(uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    done, missing, following = [], [], []
    is_running, is_stale = False, False
    turns = build_turns(uow, standing)
    for turn in turns:
        one = turn.standing
        job = one.generate_job
        if job is not None and job.is_open:
            is_running = True
            missing.append(f"{one.calib_type}: job {job.id} is {job.status} ({short(standing, job.run)})")
            following.append(lines.job_line(job.id))
            continue
        if job is not None and job.status == "failed" and job.run not in one.runs[:-1]:
            missing.append(f"{one.calib_type}: job {job.id} failed: {job.error}")
            following.append(lines.job_line(job.id, resume=True))
            continue
        if one.is_outdated:
            is_stale = True
            run = short(standing, one.run)
            missing.append(f"{one.calib_type}: other exposures were chosen after {run} was begun")
            following.append(lines.rerun_line(standing, one))
            continue
        if one.products:
            by = when(standing, one.began_state)
            n_exposures = len(one.built_from) or (len(one.build.exposures) if one.build is not None else 0)
            of = f" of {n_exposures} exposures" if n_exposures else ""
            done.append(f"{short(standing, one.run)}{of} ({by})")
        if one.is_spot_ok and one.spot is not None:
            said = f": {one.spot.comment}" if one.spot.comment else ""
            done.append(f"spot check ok{said} ({when(standing, one.spot.opened_state)})")
        if turn.waits:
            missing.append(f"{one.calib_type}: {turn.waits}")
            continue
        if turn.is_to_certify:
            missing.append(f"{one.calib_type}: not certified, so that {', '.join(turn.feeds)} cannot find it")
            following.append(lines.certify_line(uow, standing, one))
        following += _generate_next(standing, turn)
    told = {known.split(":")[0] for known in missing}
    missing += [
        _shortened(standing, one, gate) for one, gate in product_gates_by_type(standing) if one.calib_type not in told
    ]
    state = ItemState.RUNNING if is_running else ItemState.READY if missing else ItemState.DONE
    # What can be built need not wait for the exposures of the others.
    if not is_running and not following and any(not one.is_chosen and not one.standing.products for one in turns):
        state = ItemState.BLOCKED
        missing = ["item 2, Inputs"]
    return ItemView(
        item=item, state=state, is_stale=is_stale, done=tuple(done), missing=tuple(missing), next=tuple(following)
    )


def _generate_next(standing: Standing, turn: BuildTurn) -> tuple[str, ...]:
    one = turn.standing
    if not one.products:
        return (lines.generate_line(standing, one.calib_type),) if turn.is_chosen else ()
    if one.missing_detectors:
        return (lines.rerun_line(standing, one),)
    if one.spot is None:
        return lines.spot_lines(standing, one)
    if one.spot.is_ok:
        return ()
    reason = one.spot.comment or "spot check not ok"
    return (lines.rerun_line(standing, one, tuple((exposure, reason) for exposure in one.spot.redo_without)),)


def _verify(uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    done, missing, notes, following = [], [], [], []
    is_running, is_stale = False, False
    for one in standing.verifiable:
        verification = one.verification
        if verification is not None and one.is_verified:
            by = when(standing, verification.opened_state)
            done.append(f"{short(standing, verification.verify_run)}: {verdicts_text(standing, one)} ({by})")
            done.append(f"on {verification.n_in_build} build and {verification.n_independent} independent exposures")
            notes += evidence_warnings(one)
            continue
        if one.verify_job is not None and one.verify_job.is_open:
            is_running = True
            missing.append(f"{one.calib_type}: job {one.verify_job.id} is {one.verify_job.status}")
            following.append(lines.job_line(one.verify_job.id))
            continue
        if verification is not None and one.products:
            is_stale = True
            old = f"{short(standing, verification.verify_run)} is of {short(standing, verification.candidate_run)}"
            missing.append(f"{short(standing, one.run)} is not verified; {old}")
        elif one.products:
            missing.append(f"{short(standing, one.run)} is not verified")
        if not lines.has_tests(one.calib_type):
            missing.append(f"{one.calib_type}: this release has no tests of it")
            continue
        if one.verify is None:
            missing.append(f"{one.calib_type}: no exposures chosen to verify on (build ones and other nights)")
            following.append(lines.inputs_line(uow, standing, one.calib_type, "verify"))
        following.append(lines.verify_line(standing, one.calib_type))
    gates = waits(standing, "generate")
    return gated(item, gates, done, missing, following, notes=notes, is_stale=is_stale, is_running=is_running)


def _report(_uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    report = standing.report
    done, missing, following = [], [], []
    is_stale = report is not None and not standing.is_report_fresh
    if report is not None:
        told = ", ".join(f"{key} {verdict}" for key, verdict in report.verdicts.items())
        text = f"{report.path}: {told}; SHA-256 {report.sha256[:12]} ({when(standing, report.opened_state)})"
        if is_stale:
            missing.append(f"older than the newest product or verification: {text}")
        else:
            done.append(text)
    else:
        missing.append("no report yet")
    if missing:
        following.append(lines.report_line(standing))
    gates = waits(standing, "generate", "verify")
    return gated(item, gates, done, missing, following, is_stale=is_stale)


def _certify(uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    done, missing, following = [], [], []
    is_stale = False
    for one in standing.certifiable:
        if one.is_certified:
            ranges = sorted({(row.collection, row.timespan, row.opened_state) for row in one.certified})
            done += [
                f"{short(standing, name)} valid {timespan_text(timespan)} TAI ({when(standing, state)})"
                for name, timespan, state in ranges
            ]
            continue
        if one.certified_otherwise and one.products:
            is_stale = True
            old = sorted({short(standing, row.collection) for row in one.certified_otherwise})
            missing.append(f"{short(standing, one.run)} is not certified; {', '.join(old)} holds an older product")
        elif one.products:
            missing.append(f"{short(standing, one.run)} is not certified")
        if one.products:
            following.append(lines.certify_line(uow, standing, one))
    return gated(item, waits(standing, "generate"), done, missing, following, is_stale=is_stale)


_ITEMS: Final[dict[str, "Callable[[UnitOfWork, Standing, ChecklistItem], ItemView]"]] = {
    "ticket": _ticket,
    "inputs": _inputs,
    "generate": _generate,
    "verify": _verify,
    "report": _report,
    "certify": _certify,
    "hail": hail_row,
    "deployment": deployment_row,
    "distribute": distribute_row,
    "tagging": tagging_row,
}
