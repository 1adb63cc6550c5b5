"""Verifying the newest product of a ticket: measured by a job, judged by every tier when the job has ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from calibstore.commands.verification import Verify
from calibstore.errors import WorkflowError
from calibstore.model.calib_types import find_calib_type
from calibstore.model.camera import Camera, Detector
from calibstore.model.counting import counted
from calibstore.model.names import NameKind
from calibstore.model.records import DatasetRecord, DatasetTypeRecord
from calibstore.model.verdicts import Overall
from calibstore.model.verification_records import JudgementRecord, VerificationRecord
from calibstore.pipelines.quantum import Quantum
from calibstore.services.actions import Effect, Handler, Plan
from calibstore.services.batch_native import VERIFY_TEMPLATES, batch_lines
from calibstore.services.context import Context
from calibstore.services.engine_choice import chosen_engine
from calibstore.services.inputs import ChosenExposures, Coverage, choose_exposures, cover_detectors
from calibstore.services.job_plans import JobPlan, calib_input, output_of, raw_inputs
from calibstore.services.judgements import scoreboard_lines
from calibstore.services.products import ProductRun, choose_rerun, products
from calibstore.services.submission import next_job_id, run_submitted, submit

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

VERDICT_EXIT_CODE = 8
"""Of `--fail-on-verdict`."""

_PASSING = (Overall.PASS, Overall.PASS_WITH_WAIVERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is verified and on what."""

    product: ProductRun
    chosen: ChosenExposures
    coverage: Coverage
    camera: Camera

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """Detectors with a product and with raw frames."""
        return tuple(one for one in self.coverage.detectors if one.id in self.product.by_detector)

    @property
    def n_in_build(self) -> int:
        """Exposures the product was built from."""
        return len(set(self.chosen.ids) & set(self.product.exposures))

    @property
    def n_independent(self) -> int:
        """Other exposures."""
        return len(self.chosen.ids) - self.n_in_build


def _plan(command: Verify, context: Context, uow: "UnitOfWork", _prepared: object) -> Plan:
    campaign = uow.campaigns.campaign(command.ticket)
    camera = uow.repository.camera(campaign.instrument)
    product = products(uow, command.ticket, command.calib_type)
    chosen = choose_exposures(
        uow, campaign, calib_type=command.calib_type, purpose="verify", where=command.where, exclude=command.exclude
    )
    subject = _Subject(
        product=product, chosen=chosen, coverage=cover_detectors(uow, camera, chosen.exposures), camera=camera
    )
    warnings = [*chosen.warnings, *_complaints(subject, uow, context), *_left_out(command, subject, uow)]
    rerun, unusual = choose_rerun(
        uow, campaign, command.calib_type, NameKind.VERIFICATION, given=command.rerun, now_tai_ns=context.clock()
    )
    run = campaign.names.verification(command.calib_type, rerun)
    plan = _job_plan(command, context, uow, subject, run)
    job_id = next_job_id(uow, context)
    record = VerificationRecord(
        ticket=command.ticket,
        calib_type=command.calib_type,
        candidate_run=product.run.name,
        verify_run=run,
        job_id=job_id,
        candidates={detector: one.id for detector, one in product.by_detector.items()},
        exposures={one: one in set(product.exposures) for one in chosen.ids},
    )

    def apply(writing: "UnitOfWork", state: int) -> None:
        if chosen.to_store is not None:
            writing.campaigns.insert_selection(chosen.to_store, state=state)
        writing.repository.register_dataset_type(_residual_type(command.calib_type), state=state)
        submit(writing, context, plan, job_id, state=state)
        writing.verifications.insert(record, state=state)

    def after(done: Effect) -> Effect:
        effect, view = run_submitted(context, done, detach=command.detach)
        return effect if view is None else _with_verdicts(command, context, effect)

    native = batch_lines(
        campaign,
        context.root,
        template=f"{VERIFY_TEMPLATES}/bps_verify_{command.calib_type}.yaml",
        selection=(f"SELECTION_{command.calib_type.upper()}_V", chosen.query),
        rerun=rerun,
    )
    effect = replace(
        _effect(command, subject, plan, job_id),
        warnings=(*warnings, *unusual),
        native=native,
    )
    return Plan(effect=effect, apply=apply, after=after)


def _complaints(subject: _Subject, uow: "UnitOfWork", context: Context) -> list[str]:
    """Return what is missing: products, raw frames, and either kind of evidence."""
    warnings = subject.coverage.complaints(uow, context)
    wanted = [one for one in subject.camera.detectors if one.purpose != "GUIDER"]
    lacking = [one for one in wanted if one.id not in subject.product.by_detector]
    if lacking:
        told = ", ".join(f"{one.id} ({one.full_name})" for one in lacking[:10])
        if uow.repository.record().is_strict and not context.reason:
            raise WorkflowError(
                f"{subject.product.run.name} has no product for detector {told}",
                hint="resume its job (cabstand jobs), or say why it is right: --reason TEXT",
                code="E-INCOMPLETE",
            )
        warnings.append(f"W-INCOMPLETE no product for detector {told}")
    gone = subject.coverage.gone(context)
    if gone:
        warnings.append(
            f"W-RAWGONE {counted(len(gone), 'raw file')} gone ({', '.join(gone[:3])}): they will be UNKNOWN"
        )
    if not subject.n_in_build:
        warnings.append("W-NOBUILD none of the build exposures is among these; the published procedure wants them")
    if not subject.n_independent:
        warnings.append("W-NOINDEPENDENT no independent exposure is among these: they support no validity range")
    return warnings


def _left_out(command: Verify, subject: _Subject, uow: "UnitOfWork") -> list[str]:
    """Name exposures that were kept out of the build for a reason and are judged here all the same."""
    stored = uow.campaigns.selection(command.ticket, command.calib_type, "build")
    chosen = set(subject.chosen.ids) - set(subject.product.exposures)
    return [
        f"W-EXCLUDED exposure {exposure} was left out of the build ({reason}); here it counts as independent"
        for exposure, reason in (stored.exclusions if stored else ())
        if exposure in chosen
    ]


def _parents(uow: "UnitOfWork", candidate: DatasetRecord) -> tuple[DatasetRecord, ...]:
    """Return the calibrations a product was made with: what it is verified on is corrected alike."""
    return tuple(uow.datasets.get(found[1]) for found in uow.datasets.calibration_inputs([candidate.id]))


def _job_plan(command: Verify, context: Context, uow: "UnitOfWork", subject: _Subject, run: str) -> JobPlan:
    exposures = {one.id: one for one in subject.chosen.exposures}
    quanta = []
    inputs = {}
    for detector in subject.detectors:
        candidate = subject.product.by_detector[detector.id]
        listed = candidate.provenance.get("exposures", [])
        build = frozenset(listed if isinstance(listed, list) else [])
        raws = subject.coverage.raws[detector.id]
        parents = _parents(uow, candidate)
        label = f"verify {command.calib_type}:{detector.id}"
        quanta.append(
            Quantum(
                label=label,
                task=f"verify_{command.calib_type}",
                instrument=subject.camera.instrument,
                detector=detector,
                raws=raw_inputs(raws, exposures, build=build),
                calibs=tuple(calib_input(one) for one in (candidate, *parents)),
                outputs=(output_of(_residual_type(command.calib_type).name, run, subject.camera.instrument, detector),),
                parameters={"statistic": "clipped_mean"},
            )
        )
        inputs[label] = (
            *((raw.id, "raw") for raw in raws),
            (candidate.id, command.calib_type),
            *((one.id, one.dataset_type) for one in parents),
        )
    return JobPlan(
        kind="verify",
        ticket=command.ticket,
        calib_type=command.calib_type,
        instrument=subject.camera.instrument,
        run=run,
        processes=command.processes,
        engine=chosen_engine(context, command.engine, processes=command.processes),
        created_tai_ns=context.clock(),
        stages=(tuple(quanta),),
        inputs=inputs,
        units={_residual_type(command.calib_type).name: find_calib_type(command.calib_type).dataset_type.unit},
    )


def _residual_type(calib_type: str) -> DatasetTypeRecord:
    """Return the dataset type of the picture of the worst residual."""
    name = f"verify{calib_type[0].upper()}{calib_type[1:]}Residual8"
    return DatasetTypeRecord(
        name=name, dimensions=("instrument", "detector"), storage_class="ImageF", is_calibration=False
    )


def _effect(command: Verify, subject: _Subject, plan: JobPlan, job_id: str) -> Effect:
    chosen = subject.chosen
    facts: dict[str, object] = {
        "job": job_id,
        "run": plan.run,
        "candidate_run": subject.product.run.name,
        "exposures": list(chosen.ids),
        "excluded": [[exposure, reason] for exposure, reason in chosen.excluded],
        "n_in_build": subject.n_in_build,
        "n_independent": subject.n_independent,
    }
    return Effect(
        summary=f"verify {command.calib_type} of {command.ticket}: {counted(len(subject.detectors), 'detector')}, "
        f"{subject.n_in_build} build and {subject.n_independent} independent exposures",
        lines=(
            f"candidate   {subject.product.run.name}",
            f"run         {plan.run}",
            f"exposures   {len(chosen.ids)}: {chosen.span}",
            *(f"excluded    {exposure}: {reason}" for exposure, reason in chosen.excluded),
            f"job         {job_id}",
            *(f"note        {text}" for text in chosen.notes),
        ),
        ticket=command.ticket,
        next=(f"cabstand report {command.ticket}",),
        data=facts,
        after=facts,
    )


def _with_verdicts(command: Verify, context: Context, effect: Effect) -> Effect:
    with context.unit_of_work() as uow:
        verification = uow.verifications.of_job(str(effect.data["job"]))
        judgements = uow.verifications.judgements(verification.id) if verification else ()
    lines = [line for record in judgements for line in scoreboard_lines(record)]
    exit_code = VERDICT_EXIT_CODE if command.fail_on_verdict and not has_passed(judgements) else 0
    data = {**effect.data, "verdicts": {record.profile: record.verdict for record in judgements}}
    return replace(effect, lines=(*effect.lines, *lines), data=data, exit_code=exit_code)


def has_passed(judgements: Sequence[JudgementRecord]) -> bool:
    """Tell whether the tier that decides (the camera's own, not the peers') says pass.

    Parameters
    ----------
    judgements : sequence of JudgementRecord
        Of one verification.
    """
    deciding = [record for record in judgements if record.summary.get("tier") != "peer"]
    return bool(deciding) and all(record.verdict in _PASSING for record in deciding)


HANDLERS = {"verify": Handler(plan=_plan)}
