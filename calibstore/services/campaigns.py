"""Opening a campaign, choosing its exposures, linking its tickets, and showing how far it is."""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import CampaignInputs, CampaignList, CampaignNew, CampaignShow, CampaignTicket
from calibstore.commands.fields import to_line
from calibstore.commands.generation import Generate
from calibstore.errors import ConflictError, UserInputError
from calibstore.model.calib_types import find_calib_name, find_calib_type
from calibstore.model.campaign_records import CampaignRecord, SelectionRecord
from calibstore.model.codec import to_plain
from calibstore.model.collections import validate_collection_name
from calibstore.model.names import validate_ticket
from calibstore.model.selection_rules import Finding
from calibstore.reports.checklist_text_view import ItemView, checklist_lines, first_open
from calibstore.services import next_lines as lines
from calibstore.services.actions import Answer, Effect, Handler, Plan
from calibstore.services.checklist import head_of, rows_of, stage_of
from calibstore.services.context import Context
from calibstore.services.inputs import of_band, selected_for, without_band
from calibstore.services.native_campaign import environment_lines, selection_lines
from calibstore.services.recorded_bands import recorded_bands
from calibstore.services.selection import ResolvedSelection, resolve_selection
from calibstore.services.standing import Standing, standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

HAILING_PROJECT = "TAXICAB"


def _new(command: CampaignNew, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    uow.repository.camera(command.instrument)
    known = uow.campaigns.find_campaign(command.ticket)
    if known is not None:
        raise ConflictError(
            f"{command.ticket} is a campaign already: {known.instrument} {known.tag}",
            hint=f"cabstand campaign show {command.ticket}",
            code="E-EXISTS",
        )
    record = CampaignRecord(
        ticket=validate_ticket(command.ticket),
        instrument=command.instrument,
        tag=command.tag,
        title=command.title,
        why=command.why,
        calib_types=_types(command.calib_type),
        user_prefix=command.user_prefix,
    )
    is_strict = uow.repository.record().is_strict
    if command.user_prefix and is_strict:
        raise UserInputError(
            f"a {uow.repository.record().kind} repository takes official names only, not {command.user_prefix}...",
            hint="leave --user-prefix out, or work in a user repository",
            code="E-USERPREFIX",
        )
    rerun = f"{lines.today_of(context.clock())}a"
    named = _names_of(record, rerun, uow)
    warnings = [warning for _, name in named for warning in validate_collection_name(name)]
    if command.user_prefix:
        warnings.append(f"W-USERCOL {command.user_prefix}... names are private: they cannot go into an official chain")
    existing = [
        one.name
        for glob in (record.names.ticket_chain, f"{record.names.ticket_chain}/*")
        for one in uow.collections.list(glob=glob)
    ]
    if existing:
        warnings.append(f"W-NAMES {len(existing)} collections of this ticket exist already: {', '.join(existing[:5])}")
    effect = Effect(
        summary=f"campaign {record.ticket} {record.tag}: {record.instrument} {', '.join(record.calib_types)}",
        lines=(
            "names that will be used (the date is today's, the letter counts attempts):",
            *(f"  {what:<13} {name}" for what, name in named),
            "nothing exists under these names yet" if not existing else f"{len(existing)} of this ticket exist already",
        ),
        warnings=tuple(warnings),
        native=environment_lines(record, context.root, rerun=rerun),
        next=(
            *(
                lines.inputs_line(uow, _bare(record, uow, context), name)
                for name in record.calib_types
                if find_calib_type(name).observation_type
            ),
            to_line(CampaignShow(ticket=record.ticket, explain=True)),
        ),
        data={"ticket": record.ticket, "names": [{"what": what, "name": name} for what, name in named]},
        ticket=record.ticket,
        after={"campaign": to_plain(record)},
    )
    return Plan(effect=effect, apply=lambda uow, state: uow.campaigns.insert_campaign(record, state=state))


def _types(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the calibration types in the order in which they are built, each once."""
    from calibstore.model.calib_types import calib_types

    wanted = {find_calib_type(name).name for name in given}
    return tuple(known.name for known in calib_types() if known.name in wanted)


def _names_of(record: CampaignRecord, rerun: str, uow: "UnitOfWork") -> list[tuple[str, str]]:
    names = record.names
    found = []
    for calib_type in record.calib_types:
        parts = find_calib_name(calib_type)
        made = find_calib_type(calib_type)
        bands: tuple[str, ...] = ("",)
        if parts.has_band:
            bands = recorded_bands(uow, uow.repository.camera(record.instrument), made.observation_type) or ("g",)
        for band in bands:
            found.append(("generation", names.generation(calib_type, rerun, band=band)))
            if parts.verification:
                found.append(("verification", names.verification(calib_type, rerun, band=band)))
            if parts.certified:
                found.append(("certified", names.certified(calib_type, rerun, band=band)))
    return [*found, ("ticket chain", names.ticket_chain), ("top chain", names.top_chain)]


def _bare(record: CampaignRecord, uow: "UnitOfWork", context: Context) -> Standing:
    """Return the standing of a campaign that is not stored yet."""
    return Standing(
        campaign=record,
        repository=uow.repository.record(),
        camera=uow.repository.camera(record.instrument),
        types=(),
        links={},
        report=None,
        hailing=None,
        decision=None,
        fingerprint="",
        members=(),
        unseen=(),
        destinations=(),
        journal={},
        now_tai_ns=context.clock(),
    )


def _inputs(command: CampaignInputs, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    campaign = uow.campaigns.campaign(command.ticket)
    if command.calib_type not in campaign.calib_types:
        raise UserInputError(
            f"{campaign.ticket} makes {', '.join(campaign.calib_types)}, not {command.calib_type}",
            hint="the types of a campaign are given when it is opened; open another ticket for more",
            code="E-CALIBTYPE",
        )
    made = find_calib_type(command.calib_type)
    if command.band and not made.has_band:
        raise UserInputError(
            f"{made.name} has no band, but '{command.band}' was given", hint="leave --band out", code="E-BAND"
        )
    subject = selected_for(command.calib_type, command.band)
    found = resolve_selection(
        uow,
        instrument=campaign.instrument,
        where=of_band(command.where, command.band),
        exclude=command.exclude,
        calib_type=command.calib_type,
        purpose=command.purpose,
    )
    found.refuse()
    if made.has_band and not command.band:
        camera = uow.repository.camera(campaign.instrument)
        bands = sorted({camera.band(one.physical_filter) for one in found.exposures} - {"", "unknown"})
        raise UserInputError(
            f"{made.name} is built for one band; these exposures are of {', '.join(bands) or 'none'}",
            hint=f"--band {bands[0] if len(bands) == 1 else 'BAND'}",
            code="E-BAND",
        )
    if campaign.why == "camera_change":
        found = replace(found, findings=tuple(_eased(one) for one in found.findings))
    before = uow.campaigns.selection(campaign.ticket, subject, command.purpose)
    record = SelectionRecord(
        ticket=campaign.ticket,
        calib_type=subject,
        purpose=command.purpose,
        where=found.where,
        exposures=found.ids,
        exclusions=found.excluded,
        findings=tuple((one.rule, one.severity, one.text) for one in found.findings),
    )
    evidence_lines, evidence = _evidence(uow, command, found)
    findings = (*found.findings, *evidence)
    nights = sorted({one.day_obs for one in found.exposures})
    effect = Effect(
        summary=f"{len(record.exposures)} exposures to {command.purpose} {command.calib_type} of {campaign.ticket}",
        lines=(
            f"where       {found.where}",
            f"exposures   {len(record.exposures)} of {found.n_matched}, "
            f"{record.exposures[0]} to {record.exposures[-1]}, night{'s' if len(nights) > 1 else ''} "
            f"{', '.join(str(night) for night in nights)}",
            *(f"excluded    {exposure}: {reason}" for exposure, reason in record.exclusions),
            *(f"note        {one}" for one in findings if one.severity == "note"),
            *(f"proposed    {one.words}" for one in found.proposals),
            *evidence_lines,
            *(
                (f"replaces    {len(before.exposures)} exposures; the old choice stays in the history",)
                if before
                else ()
            ),
        ),
        warnings=tuple(str(one) for one in findings if one.severity == "warn"),
        native=selection_lines(record),
        inverse=(_again(before),) if before else (),
        next=_inputs_next(uow, command, context),
        data={
            "ticket": record.ticket,
            "calib_type": record.calib_type,
            "purpose": record.purpose,
            "where": record.where,
            "exposures": list(record.exposures),
            "excluded": [{"exposure": exposure, "reason": reason} for exposure, reason in record.exclusions],
            "findings": [{"rule": one.rule, "severity": one.severity, "text": one.text} for one in findings],
            "proposed": [{"exposure": one.exposure, "rule": one.rule, "reason": one.reason} for one in found.proposals],
        },
        ticket=campaign.ticket,
        before={"selection": to_plain(before) if before else None},
        after={"selection": to_plain(record)},
    )
    return Plan(effect=effect, apply=lambda uow, state: uow.campaigns.insert_selection(record, state=state))


def _eased(finding: Finding) -> Finding:
    """Return what a rule says of a known camera change: few inputs are all there is."""
    if finding.rule != "W-COUNT":
        return finding
    text = f"{finding.text}; a known camera change: few inputs are expected, so watch the monitoring metrics afterwards"
    return replace(finding, severity="note", text=text)


def _evidence(
    uow: "UnitOfWork", command: CampaignInputs, found: ResolvedSelection
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Tell build from independent exposures of a selection to verify on."""
    if command.purpose != "verify":
        return (), ()
    build = uow.campaigns.selection(command.ticket, selected_for(command.calib_type, command.band), "build")
    if build is None:
        return (), (Finding("W-NOBUILD", "warn", "no build exposures are chosen yet: none can be told from others"),)
    used = set(build.exposures)
    independent = [one for one in found.exposures if one.id not in used]
    n_build = len(found.exposures) - len(independent)
    n_nights = len({one.day_obs for one in independent})
    told = f"{n_build} of the {len(used)} build exposures, {len(independent)} independent ones of {n_nights} nights"
    findings = []
    bad = dict(build.exclusions)
    spoiled = [f"{one.id} ({bad[one.id]})" for one in independent if one.id in bad]
    if spoiled:
        text = f"left out of the build, but counted as independent here: {', '.join(spoiled)}"
        findings.append(Finding("W-EXCLUDED", "warn", text))
    if not n_build:
        findings.append(Finding("W-NOBUILD", "warn", "none of the build exposures is in it; they are wanted too"))
    if not independent:
        findings.append(Finding("W-INSAMPLE", "warn", "build exposures only: alone they support no validity range"))
    return (f"evidence    {told}",), tuple(findings)


def _again(record: SelectionRecord) -> str:
    calib_type, _, band = record.calib_type.partition("-")
    return to_line(
        CampaignInputs(
            ticket=record.ticket,
            calib_type=calib_type,
            band=band,
            where=without_band(record.where, band),
            purpose=record.purpose,
            exclude=tuple(f"{exposure}={reason}" for exposure, reason in record.exclusions),
        )
    )


def _inputs_next(uow: "UnitOfWork", command: CampaignInputs, context: Context) -> tuple[str, ...]:
    found = standing(uow, command.ticket, now_tai_ns=context.clock())
    of_type = [one for one in found.types if one.calib_type == command.calib_type]
    # The first selection of a band is not stored yet: nothing stands for it.
    unmade = replace(of_type[0], band=command.band, products={})
    one = next((one for one in of_type if one.band == command.band), unmade)
    if command.purpose == "verify":
        return (lines.verify_line(found, command.calib_type),) if one.products else ()
    if one.products:
        fresh = replace(one, build=None)
        return (lines.rerun_line(found, fresh),)
    return (to_line(Generate(calib_type=command.calib_type, ticket=command.ticket, band=command.band)),)


def _ticket(command: CampaignTicket, _context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    campaign = uow.campaigns.campaign(command.ticket)
    validate_ticket(command.key)
    if command.key == campaign.ticket:
        raise UserInputError(
            f"{command.key} is the construction ticket itself; the {command.role} ticket is another one",
            hint="file it, then link its key",
            code="E-TICKET",
        )
    warnings = []
    if (command.key.split("-")[0] == HAILING_PROJECT) != (command.role == "hailing"):
        warnings.append(f"W-TICKET {command.key} does not look like a {command.role} ticket")
    links = uow.campaigns.links(campaign.ticket)
    before = links.get(command.role)
    if before is not None and before.key == command.key:
        return Plan(effect=Effect(summary=f"{command.key} is the {command.role} ticket of {campaign.ticket} already"))
    if any(link.key == command.key for role, link in links.items() if role != command.role):
        raise ConflictError(f"{command.key} is linked to {campaign.ticket} in another role", code="E-TICKET")
    inverse = replace(command, key=before.key) if before else None
    effect = Effect(
        summary=f"{command.role} ticket of {campaign.ticket}: {command.key}"
        + (f", instead of {before.key}" if before else ""),
        warnings=tuple(warnings),
        inverse=(to_line(inverse),) if inverse else (),
        next=(to_line(CampaignShow(ticket=campaign.ticket)),),
        data={"ticket": campaign.ticket, "role": command.role, "key": command.key},
        ticket=campaign.ticket,
        before={command.role: before.key if before else None},
        after={command.role: command.key},
    )

    def apply(uow: "UnitOfWork", state: int) -> None:
        uow.campaigns.insert_link(campaign.ticket, command.role, command.key, state=state)

    return Plan(effect=effect, apply=apply)


def _show(command: CampaignShow, context: Context) -> Answer:
    with context.unit_of_work() as uow:
        found = standing(uow, command.ticket, now_tai_ns=context.clock())
        rows = rows_of(uow, found)
    head = head_of(found, rows)
    following = first_open(rows)
    data = {
        "ticket": found.ticket,
        "instrument": found.campaign.instrument,
        "tag": found.campaign.tag,
        "title": found.campaign.title,
        "why": found.campaign.why,
        "calib_types": list(found.campaign.calib_types),
        "ticket_chain": found.campaign.names.ticket_chain,
        "top_chain": found.campaign.names.top_chain,
        "fingerprint": found.fingerprint,
        "stage": str(stage_of(rows)),
        "hailing_state": str(found.state),
        "links": {role: link.key for role, link in found.links.items()},
        "alarms": list(head.alarms),
        "remedies": list(head.remedies),
        "items": [_item_data(row) for row in rows],
        "next": list(following.next) if following else [],
    }
    return Answer(lines=checklist_lines(head, rows, explain=command.explain), data=data, warnings=())


def _item_data(row: ItemView) -> dict[str, object]:
    return {
        "number": row.item.number,
        "key": row.item.key,
        "title": row.item.title,
        "stage": str(row.item.stage),
        "state": str(row.state),
        "is_stale": row.is_stale,
        "done": list(row.done),
        "missing": list(row.missing),
        "notes": list(row.notes),
        "next": list(row.next),
    }


def _list(_command: CampaignList, context: Context) -> Answer:
    told, data = [], []
    with context.unit_of_work() as uow:
        for campaign in uow.campaigns.campaigns():
            found = standing(uow, campaign.ticket, now_tai_ns=context.clock())
            rows = rows_of(uow, found)
            waiting = next((row for row in rows if not row.state.is_settled), None)
            at = f"{waiting.item.number or '-'}. {waiting.item.title}" if waiting else "complete"
            told.append((campaign.ticket, campaign.instrument, campaign.tag, str(found.state), at))
            data.append(
                {
                    "ticket": campaign.ticket,
                    "instrument": campaign.instrument,
                    "tag": campaign.tag,
                    "hailing_state": str(found.state),
                    "stage": str(stage_of(rows)),
                    "waits_at": waiting.item.key if waiting else "",
                    "alarms": list(head_of(found, rows).alarms),
                }
            )
    if not told:
        hint = to_line(CampaignNew(instrument="INSTRUMENT", ticket="DM-NUMBER", tag="TAG"))
        return Answer(lines=(f"no campaign yet; open one: {hint}",), data=[])
    rows_text = [("ticket", "instrument", "tag", "board", "waits at"), *told]
    widths = [max(len(row[column]) for row in rows_text) for column in range(5)]
    return Answer(
        lines=tuple(
            "  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True)).rstrip() for row in rows_text
        ),
        data=data,
    )


HANDLERS = {
    "campaign new": Handler(plan=_new),
    "campaign inputs": Handler(plan=_inputs),
    "campaign ticket": Handler(plan=_ticket),
}
QUESTIONS = {"campaign show": _show, "campaign list": _list}
