"""Building a combined calibration: everything is checked and resolved before the job is submitted."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.generation import Generate
from calibstore.model.calib_types import find_calib_type
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.counting import counted
from calibstore.model.job_records import QuantumRecord
from calibstore.pipelines.clip_rule import check_clip
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.batch_native import BUILD_TEMPLATES, batch_lines
from calibstore.services.context import Context
from calibstore.services.inputs import ChosenExposures, Coverage, choose_exposures, cover_detectors
from calibstore.services.job_plans import JobPlan, bias_plan
from calibstore.services.products import choose_generation_run
from calibstore.services.submission import next_job_id, run_submitted, submit

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

MEDIAN_LIMIT_E: Final = 5.0
"""A combined bias of a camera with overscan has a median closer to zero than this [electron]."""


def _plan(command: Generate, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    campaign = uow.campaigns.campaign(command.ticket)
    camera = uow.repository.camera(campaign.instrument)
    chosen = choose_exposures(
        uow, campaign, calib_type=command.calib_type, purpose="build", where=command.where, exclude=command.exclude
    )
    check_clip(len(chosen.exposures), command.n_sigma, command.max_iter)
    coverage = cover_detectors(uow, camera, chosen.exposures)
    missing = coverage.complaints(uow, context)
    coverage.require_files(context)
    name, unusual = choose_generation_run(
        uow, campaign, command.calib_type, given=command.rerun, now_tai_ns=context.clock()
    )
    plan = bias_plan(
        calib_type=command.calib_type,
        ticket=command.ticket,
        run=name.text(),
        camera=camera,
        detectors=coverage.detectors,
        raws=coverage.raws,
        exposures={one.id: one for one in chosen.exposures},
        n_sigma=command.n_sigma,
        max_iter=command.max_iter,
        processes=command.processes,
        created_tai_ns=context.clock(),
    )
    job_id = next_job_id(uow, context)
    warnings = (
        *chosen.warnings,
        *missing,
        *_unusual_type(campaign, command.calib_type),
        *unusual,
        *_not_applied(command.calib_type),
    )

    def apply(writing: "UnitOfWork", state: int) -> None:
        if chosen.to_store is not None:
            writing.campaigns.insert_selection(chosen.to_store, state=state)
        submit(writing, context, plan, job_id, state=state)

    def after(done: Effect) -> Effect:
        effect, view = run_submitted(context, done, detach=command.detach)
        if view is None:
            return effect
        flagged = (*effect.warnings, *off_zero(view.quanta, command.calib_type))
        return replace(effect, lines=(*effect.lines, *product_lines(view.quanta)), warnings=flagged)

    effect = replace(
        _effect(command, plan, chosen, coverage, job_id=job_id, next_lines=_next_lines(command, campaign, uow)),
        warnings=warnings,
        native=batch_lines(
            campaign,
            context.root,
            template=f"{BUILD_TEMPLATES}/bps_{command.calib_type}.yaml",
            selection=(_selection_variable(command.calib_type), chosen.query),
            rerun=name.rerun,
            run_number=name.run_number,
        ),
    )
    return Plan(effect=effect, apply=apply, after=after)


def product_lines(quanta: tuple[QuantumRecord, ...]) -> tuple[str, ...]:
    """Return one line for each detector that was built.

    Parameters
    ----------
    quanta : tuple of QuantumRecord
        Of a job that is done.
    """
    lines = []
    for quantum in quanta:
        details = quantum.details
        if "n_inputs" not in details:
            continue
        peak = f", {quantum.peak_rss_bytes / 1e6:.0f} MB" if quantum.peak_rss_bytes else ""
        lines.append(
            f"{quantum.label:<12}{details['n_inputs']} frames, median {details.get('median_of_amplifiers', 0.0):.3f} "
            f"{details['units']}, {details['n_bad_pixels']} bad pixels ({quantum.wall_s or 0.0:.1f} s{peak})"
        )
        lines += [f"{quantum.label:<12}look at {text}" for text in apart_lines(details)]
    return tuple(lines)


def apart_lines(details: dict[str, object]) -> list[str]:
    """Return one line for each frame whose level is unlike that of the others.

    Parameters
    ----------
    details : dict
        Of a build: its ``frames_apart``.
    """
    apart = details.get("frames_apart")
    return [
        f"exposure {one['exposure']}: mean {one['mean_adu']:.1f} adu, the others {one['median_adu']:.1f}"
        for one in (apart if isinstance(apart, list) else [])
    ]


def off_zero(quanta: tuple[QuantumRecord, ...], calib_type: str) -> tuple[str, ...]:
    """Return a warning for each detector whose bias is not about zero although it has an overscan.

    Parameters
    ----------
    quanta : tuple of QuantumRecord
        Of a job that is done.
    calib_type : str
        What was built; a bootstrap in adu is let pass.
    """
    if not find_calib_type(calib_type).is_certifiable:
        return ()
    medians = {
        one.label: float(str(one.details["median_of_amplifiers"])) for one in quanta if one.details.get("has_overscan")
    }
    return tuple(
        f"W-MEDIAN {label}: median {median:.1f} electron; after overscan correction a bias is within "
        f"{MEDIAN_LIMIT_E:g} of zero"
        for label, median in medians.items()
        if abs(median) > MEDIAN_LIMIT_E
    )


def _next_lines(command: Generate, campaign: CampaignRecord, uow: "UnitOfWork") -> tuple[str, ...]:
    """Return what to type next; a selection is spelled out where none is stored."""
    is_final = find_calib_type(command.calib_type).is_certifiable
    verb, calib_type, purpose = ("verify", command.calib_type, "verify") if is_final else ("generate", "bias", "build")
    line = f"cabstand {verb} {calib_type} {command.ticket}"
    if uow.campaigns.selection(command.ticket, calib_type, purpose) is None:
        observed = find_calib_type(calib_type).observation_type
        line += f" --where \"instrument='{campaign.instrument}' and exposure.observation_type='{observed}'\""
    spot = f"cabstand spot {command.calib_type} {command.ticket}  # look at the mosaic, say whether it is ok"
    return spot, line


def _effect(
    command: Generate,
    plan: JobPlan,
    chosen: ChosenExposures,
    coverage: Coverage,
    *,
    job_id: str,
    next_lines: tuple[str, ...],
) -> Effect:
    n_detectors, n_exposures = len(coverage.detectors), len(chosen.exposures)
    facts: dict[str, object] = {
        "job": job_id,
        "run": plan.run,
        "exposures": list(chosen.ids),
        "excluded": [[exposure, reason] for exposure, reason in chosen.excluded],
        "detectors": [one.id for one in coverage.detectors],
        "n_sigma": command.n_sigma,
        "max_iter": command.max_iter,
    }
    return Effect(
        summary=f"generate {command.calib_type} for {command.ticket}: {counted(n_detectors, 'detector')}, "
        f"{counted(n_exposures, 'exposure')}",
        lines=(
            f"run         {plan.run}",
            f"exposures   {n_exposures}: {chosen.span}",
            *(f"excluded    {exposure}: {reason}" for exposure, reason in chosen.excluded),
            f"detectors   {', '.join(one.full_name for one in coverage.detectors)}",
            f"clip        {command.n_sigma:g} sigma, {command.max_iter} times",
            f"job         {job_id}",
            *(f"note        {text}" for text in chosen.notes),
        ),
        ticket=command.ticket,
        next=next_lines,
        data=facts,
        after=facts,
    )


def _unusual_type(campaign: CampaignRecord, calib_type: str) -> tuple[str, ...]:
    if calib_type in campaign.calib_types or find_calib_type(calib_type).names.is_bootstrap:
        return ()
    return (f"W-TYPE {campaign.ticket} was opened for {', '.join(campaign.calib_types)}, not {calib_type}",)


def _not_applied(calib_type: str) -> tuple[str, ...]:
    """Name the corrections this product should have and cannot have yet."""
    wants = find_calib_type(calib_type).wants
    gains = "" if find_calib_type(calib_type).names.is_bootstrap else "; gain and read noise are the camera file's"
    return (f"W-NOTAPPLIED no {', '.join(wants)} yet: recorded as not applied{gains}",) if wants else ()


def _selection_variable(calib_type: str) -> str:
    return "SELECTION_BIAS_BOOTSTRAP" if find_calib_type(calib_type).names.is_bootstrap else "SELECTION_BIAS"


HANDLERS = {"generate": Handler(plan=_plan)}
