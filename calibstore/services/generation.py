"""Building a calibration: everything is checked and resolved before the job is submitted."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.fields import to_line
from calibstore.commands.generation import Generate, Spot
from calibstore.errors import UserInputError
from calibstore.model.calib_recipes import Setting
from calibstore.model.calib_types import CalibType, as_record, catalogue, dataset_types, find_calib_type
from calibstore.model.camera import Camera, Detector
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.counting import counted
from calibstore.model.engine_spec import BPS
from calibstore.model.exposure import Exposure
from calibstore.model.job_records import QuantumRecord
from calibstore.model.name_grammar import check_part
from calibstore.pipelines.clip_rule import check_clip
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.batch_native import BUILD_TEMPLATES, batch_lines
from calibstore.services.bps_submission import Submission, submission_plan
from calibstore.services.context import Context
from calibstore.services.engine_choice import chosen_engine
from calibstore.services.graph_answer import graph_effect
from calibstore.services.inputs import ChosenExposures, Coverage, choose_exposures, cover_detectors
from calibstore.services.job_plans import JobPlan
from calibstore.services.native_campaign import selection_variable, template_of
from calibstore.services.parameter_answer import parameters_effect
from calibstore.services.prerequisites import Occasion, Prerequisites, find_prerequisites
from calibstore.services.products import choose_generation_run
from calibstore.services.recipe_plans import Build, recipe_plan
from calibstore.services.recorded_bands import recorded_bands
from calibstore.services.submission import next_job_id, run_submitted, submit

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

MEDIAN_LIMIT_E: Final = 5.0
"""A combined bias of a camera with overscan has a median closer to zero than this [electron]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a build is of: resolved and checked."""

    made: CalibType
    campaign: CampaignRecord
    camera: Camera
    settings: dict[str, Setting]
    chosen: ChosenExposures | None
    """None for what is made from other products only."""
    coverage: Coverage | None
    physical_filter: str
    prerequisites: Prerequisites
    warnings: tuple[str, ...]

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Exposures it is built from."""
        return self.chosen.exposures if self.chosen is not None else ()

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """Detectors that are built."""
        if self.coverage is not None:
            return self.coverage.detectors
        return tuple(one for one in self.camera.detectors if one.purpose != "GUIDER")


def _plan(command: Generate, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    if command.graph:
        return Plan(effect=graph_effect(command, context, uow))
    if command.parameters:
        return Plan(effect=parameters_effect(command, context, uow))
    if command.submit_to and command.engine != BPS:
        raise UserInputError("--submit-to is for --engine bps", hint="add --engine bps, or leave --submit-to out")
    subject = _subject(command, context, uow)
    made, campaign, chosen = subject.made, subject.campaign, subject.chosen
    name, unusual = choose_generation_run(
        uow, campaign, made.name, given=command.rerun, now_tai_ns=context.clock(), band=command.band
    )
    if command.engine == BPS:
        return submission_plan(
            Submission(
                campaign=campaign,
                calib_type=made.name,
                band=command.band,
                name=name,
                chosen=chosen,
                warnings=(*subject.warnings, *unusual),
            ),
            context,
            uow,
            folder=command.submit_to,
        )
    plan = recipe_plan(
        Build(
            made=made,
            ticket=command.ticket,
            run=name.text(),
            camera=subject.camera,
            detectors=subject.detectors,
            raws=subject.coverage.raws if subject.coverage is not None else {},
            exposures={one.id: one for one in subject.exposures},
            prerequisites=subject.prerequisites,
            settings=subject.settings,
            physical_filter=subject.physical_filter,
            band=command.band,
            created_tai_ns=context.clock(),
            processes=command.processes,
            engine=chosen_engine(context, command.engine, processes=command.processes),
        )
    )
    job_id = next_job_id(uow, context)

    def apply(writing: "UnitOfWork", state: int) -> None:
        if chosen is not None and chosen.to_store is not None:
            writing.campaigns.insert_selection(chosen.to_store, state=state)
        for one in made.all_dataset_types:
            writing.repository.register_dataset_type(as_record(one), state=state)
        submit(writing, context, plan, job_id, state=state)

    def after(done: Effect) -> Effect:
        effect, view = run_submitted(context, done, detach=command.detach)
        if view is None:
            return effect
        flagged = (*effect.warnings, *off_zero(view.quanta, made.name))
        return replace(effect, lines=(*effect.lines, *product_lines(view.quanta)), warnings=flagged)

    effect = replace(
        _effect(command, plan, subject, job_id=job_id, next_lines=_next_lines(command, subject, uow)),
        warnings=(*subject.warnings, *unusual, *_not_applied(made, subject.prerequisites)),
        native=batch_lines(
            campaign,
            context.root,
            template=f"{BUILD_TEMPLATES}/{template_of(made.name, command.band)}",
            selection=(
                selection_variable(made.name, command.band),
                chosen.query if chosen is not None else f"instrument='{campaign.instrument}'",
            ),
            rerun=name.rerun,
            run_number=name.run_number,
        ),
    )
    return Plan(effect=effect, apply=apply, after=after)


def _subject(command: Generate, context: Context, uow: "UnitOfWork") -> _Subject:
    missing = [label for label, value in (("TYPE", command.calib_type), ("TICKET", command.ticket)) if not value]
    if missing:
        raise UserInputError(
            f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing: what to build, and its ticket",
            hint="cabstand generate bias DM-48520; cabstand generate --graph shows what there is to build",
        )
    campaign = uow.campaigns.campaign(command.ticket)
    camera = uow.repository.camera(campaign.instrument)
    made = _made(command, camera, uow)
    settings = made.settings((*_clip_settings(command), *command.set_))
    warnings: tuple[str, ...] = ()
    chosen = coverage = None
    physical_filter = ""
    if made.observation_type:
        chosen = choose_exposures(
            uow,
            campaign,
            calib_type=made.name,
            purpose="build",
            where=command.where,
            exclude=command.exclude,
            band=command.band,
        )
        physical_filter = one_filter(made, camera, chosen.exposures, command.band) if made.has_filter else ""
        if "n_sigma" in settings and "max_iter" in settings and not made.names.has_band:
            check_clip(len(chosen.exposures), float(settings["n_sigma"]), int(settings["max_iter"]))
        coverage = cover_detectors(uow, camera, chosen.exposures)
        warnings = (*chosen.warnings, *coverage.complaints(uow, context))
        coverage.require_files(context)
    elif command.where or command.exclude:
        raise UserInputError(
            f"{made.name} is made from {', '.join(made.needs)}, not from exposures",
            hint="leave --where and --exclude out",
        )
    detectors = (
        coverage.detectors
        if coverage is not None
        else tuple(one for one in camera.detectors if one.purpose != "GUIDER")
    )
    found = find_prerequisites(
        uow,
        Occasion(
            campaign=campaign,
            camera=camera,
            made=made,
            detectors=detectors,
            exposures=chosen.exposures if chosen is not None else (),
            now_tai_ns=context.clock(),
        ),
    )
    return _Subject(
        made=made,
        campaign=campaign,
        camera=camera,
        settings=settings,
        chosen=chosen,
        coverage=coverage,
        physical_filter=physical_filter,
        prerequisites=found,
        warnings=(*warnings, *_unusual_type(campaign, made)),
    )


def _made(command: Generate, camera: Camera, uow: "UnitOfWork") -> CalibType:
    """Return the type that is built, as it is made on the camera.

    Raises
    ------
    UserInputError
        E-CALIBTYPE: there is none of the name, or it is brought in. E-BAND: a band is missing, or too much.
    """
    known = catalogue().find(command.calib_type, camera.instrument, camera.variant)
    if known is not None and not known.is_made:
        raise UserInputError(
            f"{known.name} is not built here: {known.title}", hint=known.bring_line, code="E-CALIBTYPE"
        )
    made = find_calib_type(command.calib_type, camera.instrument, camera.variant)
    if bool(command.band) != made.has_band:
        bands = recorded_bands(uow, camera, made.observation_type) if made.has_band else ()
        told = "is built for one band" if made.has_band else f"has no band, but '{command.band}' was given"
        hint = f"--band {bands[0] if bands else 'g'}" if made.has_band else "leave --band out"
        listed = f" (of {', '.join(bands)})" if made.has_band and bands else ""
        raise UserInputError(f"{made.name} {told}{listed}", hint=hint, code="E-BAND")
    if command.band:
        check_part("band", command.band)
    return made


def _clip_settings(command: Generate) -> tuple[str, ...]:
    found = [f"n_sigma={command.n_sigma!r}"] if command.n_sigma is not None else []
    return (*found, *([f"max_iter={command.max_iter}"] if command.max_iter is not None else []))


def one_filter(made: CalibType, camera: Camera, exposures: tuple[Exposure, ...], band: str) -> str:
    """Return the one physical filter of exposures.

    Raises
    ------
    UserInputError
        E-BAND: there are several, or it is of another band.
    """
    counts: dict[str, int] = {}
    for one in exposures:
        counts[one.physical_filter] = counts.get(one.physical_filter, 0) + 1
    if len(counts) > 1:
        told = ", ".join(f"{name or 'none'} ({count})" for name, count in sorted(counts.items()))
        most = max(counts, key=lambda name: counts[name])
        raise UserInputError(
            f"a {made.name} is of one physical filter; the selection has {told}",
            hint=f"add: and physical_filter='{most}'",
            code="E-BAND",
        )
    found = next(iter(counts))
    if not found or (band and camera.band(found) not in ("", band)):
        raise UserInputError(
            f"these exposures are of the filter {found or 'none'}, band {camera.band(found) or 'none'}",
            hint="select exposures through a filter",
            code="E-BAND",
        )
    return found


def product_lines(quanta: tuple[QuantumRecord, ...]) -> tuple[str, ...]:
    """Return one line for each detector that was built.

    Parameters
    ----------
    quanta : tuple of QuantumRecord
        Of a job that is done.
    """
    lines = []
    units = {one.name: one.unit for one in dataset_types()}
    for quantum in quanta:
        details = quantum.details
        if not {"n_inputs", "units", "n_bad_pixels"} <= set(details):
            lines += _table_lines(quantum)
            continue
        peak = f", {quantum.peak_rss_bytes / 1e6:.0f} MB" if quantum.peak_rss_bytes else ""
        # Of a rate or a ratio the frames are in another unit than the product.
        unit = units.get(quantum.label.partition(":")[0], str(details["units"]))
        median = f"median {details.get('median_of_amplifiers', 0.0):.3f} {unit}".rstrip()
        lines.append(
            f"{quantum.label:<11} {details['n_inputs']} frames, {median}, {details['n_bad_pixels']} bad pixels "
            f"({quantum.wall_s or 0.0:.1f} s{peak})"
        )
        lines += [f"{quantum.label:<11} look at {text}" for text in (*_bad_lines(details), *apart_lines(details))]
    return tuple(lines)


_MOST_TOLD: Final = 5
_NOT_TOLD: Final = ("n_detectors", "shapes", "kept")


def _table_lines(quantum: QuantumRecord) -> list[str]:
    """Return what was measured where a product is no image; nothing of steps on the way and of mosaics."""
    if "." in quantum.label or quantum.label.endswith(":mosaic") or quantum.status != "done":
        return []
    numbers = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in quantum.details.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool) and name not in _NOT_TOLD
    ]
    told = f"{quantum.label:<11} {', '.join(numbers[:_MOST_TOLD])} ({quantum.wall_s or 0.0:.1f} s)"
    return [told, *(f"{quantum.label:<11} look at {text}" for text in _bad_lines(quantum.details))]


def _bad_lines(details: dict[str, object]) -> list[str]:
    """Return one line for each amplifier without a value, and for each left out of a single exposure."""
    bad = details.get("bad_amplifiers") or details.get("defective_amplifiers")
    listed = bad.items() if isinstance(bad, dict) else ((one, "") for one in (bad if isinstance(bad, list) else []))
    left_out = details.get("amplifiers_left_out")
    return [
        *(f"{name}{reason and f': {reason}'}" for name, reason in listed),
        *(
            f"{one['amplifier']} of exposure {one['exposure']}: {one['reason']}"
            for one in (left_out if isinstance(left_out, list) else [])
        ),
    ]


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
    made = find_calib_type(calib_type)
    if not made.is_certifiable or made.observation_type != "bias":
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


def _next_lines(command: Generate, subject: _Subject, uow: "UnitOfWork") -> tuple[str, ...]:
    """Return what to type next; a selection is spelled out where none is stored."""
    made, ticket = subject.made, command.ticket
    spot = to_line(Spot(calib_type=made.name, ticket=ticket, band=command.band))
    spot += "  # look at the mosaic, say whether it is ok" if made.companions else "  # say whether it is ok"
    if made.name == "bias":
        line = f"cabstand verify {made.name} {ticket}"
        return spot, line + _selection_text(uow, subject, made, "verify")
    if made.names.is_bootstrap:
        following = _following(made, subject)
        if following is None:
            return (spot,)
        return spot, f"cabstand generate {following.name} {ticket}" + _selection_text(uow, subject, following, "build")
    return (spot, f"cabstand campaign show {ticket}  # the line that certifies it, so that later steps find it")


def _following(made: CalibType, subject: _Subject) -> CalibType | None:
    """Return what is built after a bootstrap: the next bootstrap or defects of the campaign, else its bias."""
    own = subject.campaign.calib_types
    camera = subject.camera
    for name in (*(one for one in made.gives if one in own), "bias"):
        found = catalogue().find(name, camera.instrument, camera.variant)
        if found is not None and found.is_made:
            return found
    return None


def _selection_text(uow: "UnitOfWork", subject: _Subject, made: CalibType, purpose: str) -> str:
    if not made.observation_type or uow.campaigns.selection(subject.campaign.ticket, made.name, purpose) is not None:
        return ""
    instrument = subject.campaign.instrument
    return f" --where \"instrument='{instrument}' and exposure.observation_type='{made.observation_type}'\""


def _effect(command: Generate, plan: JobPlan, subject: _Subject, *, job_id: str, next_lines: tuple[str, ...]) -> Effect:
    made, chosen = subject.made, subject.chosen
    n_detectors, n_exposures = len(subject.detectors), len(subject.exposures)
    excluded = chosen.excluded if chosen is not None else ()
    applied = subject.prerequisites.all
    facts: dict[str, object] = {
        "job": job_id,
        "run": plan.run,
        "exposures": [one.id for one in subject.exposures],
        "excluded": [[exposure, reason] for exposure, reason in excluded],
        "detectors": [one.id for one in subject.detectors],
        **subject.settings,
    }
    if subject.physical_filter:
        facts |= {"physical_filter": subject.physical_filter, "band": command.band}
    if applied:
        facts["applied"] = [
            {"dataset_type": one.dataset_type, "detector": one.detector, "id": one.id, "run": one.run}
            for one in applied
        ]
    of_band = f" {command.band}" if command.band else ""
    return Effect(
        summary=f"generate {made.name}{of_band} for {command.ticket}: {counted(n_detectors, 'detector')}, "
        f"{counted(n_exposures, 'exposure')}",
        lines=(
            f"run         {plan.run}",
            *((f"exposures   {n_exposures}: {chosen.span}",) if chosen is not None else ()),
            *((f"filter      {subject.physical_filter}",) if subject.physical_filter else ()),
            *(f"excluded    {exposure}: {reason}" for exposure, reason in excluded),
            f"detectors   {', '.join(one.full_name for one in subject.detectors)}",
            *_applied_lines(subject),
            *_setting_lines(subject),
            *_stage_lines(subject, plan),
            f"job         {job_id}",
            *(f"note        {text}" for text in (chosen.notes if chosen is not None else ())),
        ),
        ticket=command.ticket,
        next=next_lines,
        data=facts,
        after=facts,
    )


def _applied_lines(subject: _Subject) -> list[str]:
    """Return one line for each RUN whose calibrations are applied."""
    counts: dict[tuple[str, str], int] = {}
    for one in subject.prerequisites.all:
        counts[one.dataset_type, one.run] = counts.get((one.dataset_type, one.run), 0) + 1
    return [f"with        {name} of {run} ({counted(count, 'dataset')})" for (name, run), count in counts.items()]


def _setting_lines(subject: _Subject) -> list[str]:
    settings = dict(subject.settings)
    lines = []
    if {"n_sigma", "max_iter"} <= set(settings):
        lines.append(f"clip        {settings.pop('n_sigma'):g} sigma, {settings.pop('max_iter')} times")
    units = {one.name: one.unit for one in subject.made.parameters}
    lines += [f"parameter   {name} = {value} {units[name]}".rstrip() for name, value in settings.items()]
    return lines


def _stage_lines(subject: _Subject, plan: JobPlan) -> list[str]:
    """Return how the work is divided, where it is more than one step and its pictures."""
    steps = [
        (step, len(stage)) for step, stage in zip(subject.made.steps, plan.stages, strict=True) if step.task != "mosaic"
    ]
    if len(steps) < 2:
        return []
    return [f"step        {step.name}: {counted(count, 'unit')} ({step.task})" for step, count in steps]


def _unusual_type(campaign: CampaignRecord, made: CalibType) -> tuple[str, ...]:
    if made.name in campaign.calib_types or made.names.is_bootstrap:
        return ()
    return (f"W-TYPE {campaign.ticket} was opened for {', '.join(campaign.calib_types)}, not {made.name}",)


def _not_applied(made: CalibType, found: Prerequisites) -> tuple[str, ...]:
    """Name the corrections this product should have and cannot have yet."""
    told = []
    if found.absent:
        is_final = not made.names.is_bootstrap and "ptc" in found.absent
        gains = "; gain and read noise are the camera file's" if is_final else ""
        told.append(f"W-NOTAPPLIED no {', '.join(found.absent)} yet: recorded as not applied{gains}")
    for name, detectors in found.partly:
        listed = ", ".join(str(one) for one in detectors[:12]) + (" ..." if len(detectors) > 12 else "")
        told.append(f"W-NOTAPPLIED no {name} for detector {listed}: recorded there as not applied")
    return tuple(told)


HANDLERS = {"generate": Handler(plan=_plan)}
