"""Putting a campaign before the board: the text of the hailing ticket, stored and Flagged."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import Hail
from calibstore.commands.fields import to_line
from calibstore.commands.store import CollectionChain
from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import WorkflowError
from calibstore.model.calib_types import find_calib_type
from calibstore.model.campaign_records import HailingRecord
from calibstore.model.hailing import BOARD_ZONE, HailingState, HailingStep, next_board_slot, next_state
from calibstore.model.names import validate_ticket
from calibstore.model.site_records import SiteState
from calibstore.model.times import describe, ns_to_iso, time_views
from calibstore.model.timespan import Timespan
from calibstore.reports.hailing_text import HailedType, HailingData, hailing_text, title_of
from calibstore.services import next_lines as lines
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.checklist_gates import evidence_warnings
from calibstore.services.context import Context
from calibstore.services.deciding import decide
from calibstore.services.gates import require_ready_to_hail
from calibstore.services.going_live import going_live
from calibstore.services.judged import judgements_of
from calibstore.services.native import butler
from calibstore.services.report_data import REPORTS_FOLDER
from calibstore.services.standing import Standing, TypeStanding, standing
from calibstore.services.waiver_proposals import proposed_waivers

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

_REASONS = {
    "routine": "routine",
    "camera_change": "change of the camera; the begin is tied to it, the end stays open",
    "historical": "historical; the end is known",
}


def _hail(command: Hail, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    found = standing(uow, command.ticket, now_tai_ns=context.clock())
    validate_ticket(command.key)
    _check_state(found)
    require_ready_to_hail(uow, found)
    assert found.report is not None
    slot = next_board_slot(context.clock())
    data = _data(uow, found, command.key, slot, context)
    record = HailingRecord(
        ticket=found.ticket, key=command.key, report_id=found.report.id, text=hailing_text(data), slot_tai_ns=slot
    )
    link = found.links.get("hailing")
    path = context.root / REPORTS_FOLDER / found.ticket / f"hailing.{command.key}.md"
    warnings = list(data.warnings)
    if not command.key.startswith("TAXICAB-"):
        warnings.append(f"W-TICKET {command.key} does not look like a hailing ticket")
    effect = Effect(
        summary=f"{command.key}: {title_of(data)} is {HailingState.FLAGGED} for {data.meeting}",
        lines=tuple(record.text.rstrip("\n").split("\n")),
        warnings=tuple(warnings),
        next=(f"# paste {path} into {command.key}", _decide_line(found, data)),
        data={
            "ticket": found.ticket,
            "key": command.key,
            "title": title_of(data),
            "state": str(HailingState.FLAGGED),
            "slot_tai_ns": slot,
            "meeting": data.meeting,
            "report_sha256": found.report.sha256,
            "text": record.text,
            "file": str(path),
        },
        ticket=found.ticket,
        before={"state": str(found.state), "hailing": link.key if link else None},
        after={"state": str(HailingState.FLAGGED), "hailing": command.key, "report_sha256": found.report.sha256},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        if link is None or link.key != command.key:
            uow.campaigns.insert_link(found.ticket, "hailing", command.key, state=state)
        uow.campaigns.insert_hailing(record, state=state)
        # Before the commit, and kept when it fails: the same text is written again by the next try.
        write_atomically(path, record.text.encode())

    return Plan(effect=effect, apply=apply)


def _check_state(found: Standing) -> None:
    """Refuse to hail what is decided: the same content is not decided on twice."""
    state, decision = found.state, found.decision
    ids = {product.id for one in found.certifiable for product in one.products.values()}
    decided = decision.subject.get("dataset_ids") if decision is not None else None
    is_same = isinstance(decided, list) and bool(ids) and set(decided) == ids
    if state is HailingState.ADOPTED and is_same and found.is_decision_fresh:
        raise WorkflowError(
            f"{found.ticket} is Adopted already",
            hint=lines.deploy_line(found, "home"),
            code="E-DECIDED",
        )
    if state is HailingState.REJECTED and is_same:
        raise WorkflowError(
            f"{found.ticket}: the board rejected this very product",
            hint=" ; ".join(lines.rerun_line(found, one) for one in found.certifiable),
            code="E-REJECTED",
        )
    steps = {
        HailingState.DRAFT: (HailingStep.HAIL, HailingStep.SCHEDULE),
        HailingState.ADOPTED: (),
        HailingState.FLAGGED: (),
        HailingState.HAILED: (HailingStep.SCHEDULE,),
        HailingState.REJECTED: (HailingStep.RESTART, HailingStep.HAIL, HailingStep.SCHEDULE),
    }
    for step in steps.get(state, (HailingStep.HAIL, HailingStep.SCHEDULE)):
        state = next_state(state, step)


def _data(uow: "UnitOfWork", found: Standing, key: str, slot_tai_ns: int, context: Context) -> HailingData:
    assert found.report is not None
    ranges = sorted({(row.collection, row.timespan) for one in found.certifiable for row in one.certified})
    begin = min(timespan.begin_tai_ns for _, timespan in ranges)
    bounded = [timespan for _, timespan in ranges if timespan.is_bounded_begin]
    deployment = found.links.get("deployment")
    warnings = [warning for one in found.verifiable for warning in evidence_warnings(one)]
    if deployment is None:
        warnings.append(f"W-DEPLOYMENT no deployment ticket is linked: {lines.link_line(found, 'deployment')}")
    types = tuple(_hailed(uow, found, one) for one in found.verifiable)
    return HailingData(
        instrument=found.campaign.instrument,
        tag=found.campaign.tag,
        calib_types=tuple(one.calib_type for one in found.certifiable),
        valid_from=f"{ns_to_iso(begin)} TAI" if len(bounded) == len(ranges) else "always (unbounded begin)",
        tickets={
            "construction": found.ticket,
            "hailing": key,
            "deployment": deployment.key if deployment else "",
        },
        report=found.report.path,
        report_sha256=found.report.sha256,
        collections=_collections(found),
        validity=tuple(line for collection, timespan in ranges for line in _validity(collection, timespan, found)),
        reason=_REASONS[found.campaign.why] + (f"; {found.campaign.title}" if found.campaign.title else ""),
        replaced=going_live(uow, found).lines(),
        dependants=tuple(f"{given} (uses {one.calib_type})" for one in found.certifiable for given in _gives(one)),
        types=types,
        software=_software(found),
        exposures=tuple(line for one in found.verifiable for line in _exposures(one)),
        destinations=_destinations(found),
        rollback=_rollback(found, context),
        warnings=tuple(warnings),
        requested="adopt with waivers" if any(one.proposed_waivers for one in types) else "adopt",
        meeting=f"{time_views(slot_tai_ns, BOARD_ZONE).local} ({ns_to_iso(slot_tai_ns, 0)} TAI)",
    )


def _validity(collection: str, timespan: Timespan, found: Standing) -> tuple[str, ...]:
    zone, offset_h = found.camera.time_zone, found.camera.day_obs_offset_h
    begin, end = (describe(at, zone, offset_h) for at in (timespan.begin_tai_ns, timespan.end_tai_ns))
    return (f"{collection} begins {begin}", f"{collection} ends {end}")


def _collections(found: Standing) -> tuple[tuple[str, str], ...]:
    told = []
    for one in found.types:
        told.append((f"{one.calib_type} generation", one.run))
        if one.is_verifiable and one.verification is not None:
            told.append((f"{one.calib_type} verification", one.verification.verify_run))
        told += [
            (f"{one.calib_type} certified", collection)
            for collection in sorted({row.collection for row in one.certified})
        ]
    return (*told, ("ticket chain", found.campaign.names.ticket_chain))


def _gives(one: TypeStanding) -> tuple[str, ...]:
    return find_calib_type(one.calib_type).gives


def _hailed(uow: "UnitOfWork", found: Standing, one: TypeStanding) -> HailedType:
    assert one.verification is not None
    judgements = judgements_of(uow, one.verification, found.camera)
    proposed = proposed_waivers(judgements[0], now_tai_ns=found.now_tai_ns) if judgements else ()
    return HailedType(calib_type=one.calib_type, judgements=judgements, proposed_waivers=proposed)


def _software(found: Standing) -> tuple[str, ...]:
    told = [f"Cabstand {version('cabstand')}, its own kernels; a released version, no ticket branch"]
    for one in found.certifiable:
        product = next(iter(one.products.values()))
        steps = product.provenance.get("steps_not_applied")
        told.append(
            f"{one.calib_type}: unit {product.unit}, gains from {product.provenance.get('gain_source', 'unknown')}"
        )
        if isinstance(steps, list) and steps:
            told.append(f"{one.calib_type}: steps not applied: {', '.join(str(step) for step in steps)}")
    return tuple(told)


def _exposures(one: TypeStanding) -> tuple[str, ...]:
    assert one.verification is not None
    told = [f"{one.calib_type} built from {len(one.built_from)} exposures"]
    told += [f"excluded {exposure}: {reason}" for exposure, reason in one.left_out]
    extra = sorted(exposure for exposure, is_in_build in one.verification.exposures.items() if not is_in_build)
    shown = ", ".join(str(exposure) for exposure in extra[:8]) + (
        f" and {len(extra) - 8} more" if len(extra) > 8 else ""
    )
    told.append(f"verified on {one.verification.n_in_build} of them and {len(extra)} others: {shown or 'none'}")
    return tuple(told)


def _destinations(found: Standing) -> tuple[str, ...]:
    return tuple(
        f"{view.destination.name} ({view.destination.site} {view.destination.repository}, {view.destination.method}): "
        f"{view.state}"
        for view in found.destinations
        if view.state is not SiteState.NOT_APPLICABLE
    )


def _rollback(found: Standing, context: Context) -> tuple[str, ...]:
    names = found.campaign.names
    remove = to_line(CollectionChain(parent=names.top_chain, children=(names.ticket_chain,), mode="remove"))
    native = butler("collection-chain", context.root, "--mode", "remove", names.top_chain, names.ticket_chain)
    return (f"here: {remove}", f"here, without Cabstand: {native}", "at every other repository the same two lines")


def _decide_line(found: Standing, data: HailingData) -> str:
    waivers = tuple(waiver for one in data.types for waiver in one.proposed_waivers)
    return lines.decide_line(found, "adopt_with_waivers" if waivers else "adopt", waivers)


HANDLERS = {"hail": Handler(plan=_hail), "decide": Handler(plan=decide)}
