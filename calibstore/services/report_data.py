"""What the verification report of one calibration type shows, read from the store."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from calibstore.commands.campaigns import CampaignInputs
from calibstore.commands.fields import to_line
from calibstore.model.noise_penalty import bias_noise_penalty
from calibstore.model.times import describe, timespan_text
from calibstore.reports.verification_report import ReportData, ReportExposure, ReportProduct, ReportStep
from calibstore.services import next_lines as lines
from calibstore.services.context import Context
from calibstore.services.going_live import going_live
from calibstore.services.judged import judgements_of
from calibstore.services.standing import Standing, TypeStanding

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

REPORTS_FOLDER = "reports"
"""Inside the repository: reports and hailing texts, a folder a ticket."""
_STATISTIC = "clipped_mean"
_PICTURES = ("Thumbnail", "Mosaic8", "Mosaic64")


def report_data(uow: "UnitOfWork", found: Standing, one: TypeStanding, context: Context) -> ReportData:
    """Return the data of a report.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    found : Standing
        The campaign.
    one : TypeStanding
        A verified type of it.
    context : Context
        Clock, user, repository.
    """
    assert one.verification is not None
    product = next(iter(one.products.values()))
    ranges = sorted({row.timespan for row in one.certified})
    n_inputs = len(one.built_from)
    return ReportData(
        instrument=found.campaign.instrument,
        calib_type=one.calib_type,
        ticket=found.ticket,
        tag=found.campaign.tag,
        judgements=judgements_of(uow, one.verification, found.camera),
        generated=describe(context.clock()),
        tool_version=version("cabstand"),
        requested_decision="",
        what_changes=going_live(uow, found).lines() if one.is_certified else (),
        proposed_validity=", ".join(timespan_text(timespan) + " TAI" for timespan in ranges),
        provenance=_provenance(found, one, context),
        exposures=_exposures(uow, found, one),
        statistic=_STATISTIC,
        n_inputs=n_inputs,
        noise_penalty=bias_noise_penalty(n_inputs, _STATISTIC) if n_inputs else None,
        unit=product.unit,
        gain_source=str(product.provenance.get("gain_source") or ""),
        steps=_steps(one),
        products=_products(uow, found, one),
        images=_images(uow, one),
        commands=_commands(found, one),
        native_commands=tuple(
            line for entry in found.journal.values() if entry.verb in _MAKING for line in entry.native
        ),
    )


_MAKING = ("campaign inputs", "generate", "verify", "certify-calibrations")


def _provenance(found: Standing, one: TypeStanding, context: Context) -> dict[str, str]:
    assert one.verification is not None
    record = found.repository
    told = {
        "Repository": f"{record.name} ({record.kind}, {record.site})",
        "Written by": f"{context.user} on {context.host}",
        "Tickets": ", ".join([found.ticket, *(f"{role} {link.key}" for role, link in sorted(found.links.items()))]),
        "Candidate RUN": one.run,
        "Verification RUN": one.verification.verify_run,
        "Ticket chain": found.campaign.names.ticket_chain,
    }
    for certified in sorted({row.collection for row in one.certified}):
        told["Certified in"] = certified
    return told


def _exposures(uow: "UnitOfWork", found: Standing, one: TypeStanding) -> tuple[ReportExposure, ...]:
    assert one.verification is not None
    excluded = dict(one.left_out)
    if one.verify is not None:
        excluded |= dict(one.verify.exclusions)
    roles = dict.fromkeys(excluded, "excluded")
    roles |= dict.fromkeys(one.built_from, "build")
    roles |= {
        exposure: "build" if is_in_build else "independent"
        for exposure, is_in_build in one.verification.exposures.items()
    }
    return tuple(
        ReportExposure(
            exposure=known.id,
            day_obs=known.day_obs,
            seq_num=known.seq_num,
            role=roles[known.id],
            reason=excluded.get(known.id, ""),
        )
        for known in uow.exposures.by_ids(found.campaign.instrument, list(roles))
    )


def _steps(one: TypeStanding) -> tuple[ReportStep, ...]:
    told: dict[str, ReportStep] = {}
    for product in one.products.values():
        steps = product.provenance.get("steps_not_applied")
        for step in steps if isinstance(steps, list) else ():
            told[str(step)] = ReportStep(name=str(step), is_applied=False)
    return tuple(told.values())


def _products(uow: "UnitOfWork", found: Standing, one: TypeStanding) -> tuple[ReportProduct, ...]:
    told = []
    for detector, product in sorted(one.products.items()):
        inputs = dict(uow.datasets.inputs(product.id))
        known = uow.datasets.by_ids(inputs)
        parents = tuple(
            input_id for input_id in sorted(inputs) if input_id in known and known[input_id].exposure is None
        )
        told.append(
            ReportProduct(
                dataset_type=one.calib_type,
                detector=found.camera.detector(detector).full_name,
                dataset_id=product.id,
                run=product.run,
                parents=parents,
            )
        )
    return tuple(told)


def _images(uow: "UnitOfWork", one: TypeStanding) -> dict[str, str]:
    run = uow.collections.get(one.run)
    return {
        dataset.dataset_type: dataset.path
        for suffix in _PICTURES
        for dataset in uow.datasets.in_run(run, dataset_type=f"{one.calib_type}{suffix}")
    }


def _commands(found: Standing, one: TypeStanding) -> tuple[str, ...]:
    told = [
        to_line(
            CampaignInputs(
                ticket=selection.ticket,
                calib_type=selection.calib_type,
                where=selection.where,
                purpose=selection.purpose,
                exclude=tuple(f"{exposure}={reason}" for exposure, reason in selection.exclusions),
            )
        )
        for selection in (one.build, one.verify)
        if selection is not None
    ]
    made = [entry.line for entry in found.journal.values() if entry.verb in ("generate", "verify")]
    return (*told, *made, lines.report_line(found))
