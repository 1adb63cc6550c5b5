"""Everything that can be done about a row of the checklist: what it waits for first, then what else is possible."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from calibstore.commands.campaigns import CampaignInputs, Decide
from calibstore.commands.fields import to_line
from calibstore.commands.generation import Jobs
from calibstore.commands.sites import ExportCalibs
from calibstore.commands.store import Decertify
from calibstore.model.hailing import HailingState
from calibstore.model.site_records import SiteState
from calibstore.model.verdicts import Overall
from calibstore.model.workflow import ItemState
from calibstore.reports.checklist_text_view import ItemView
from calibstore.services import next_lines as lines
from calibstore.services.judged import in_order
from calibstore.services.looks.steps import DESTINATION, FOLDER, OUTCOME, Step, StepKind, product_words, step_of
from calibstore.services.looks.stored_texts import HAILING, REPORT
from calibstore.services.standing import IN_USE, Standing, TypeStanding
from calibstore.services.take_out import take_out_lines

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork


def steps_of(uow: "UnitOfWork", found: Standing, row: ItemView) -> tuple[Step, ...]:
    """Return the steps of a row, each line once.

    Parameters
    ----------
    uow : UnitOfWork
        A transaction.
    found : Standing
        Where the campaign stands.
    row : ItemView
        The row, with the lines it proposes.
    """
    proposed = [step_of(line) for line in (*row.next, *_elsewhere(row))]
    steps: list[Step] = []
    seen: set[tuple[str, str, str]] = set()
    for step in (*proposed, *_ALSO[row.item.key](uow, found)):
        # Looking and saying ok are one dialog.
        same = ("", step.kind, step.target) if step.kind is StepKind.SPOT else (step.line, step.kind, step.target)
        if same not in seen:
            seen.add(same)
            steps.append(step)
    return tuple(steps)


def first_steps(row: ItemView, following: ItemView) -> tuple[Step, ...]:
    """Return the way to what must be done first, for a row that waits for another one.

    Parameters
    ----------
    row : ItemView
        The row.
    following : ItemView
        First row where something can be done.
    """
    if row.state is not ItemState.BLOCKED or following.item.key == row.item.key:
        return ()
    item = following.item
    name = f"item {item.number}, {item.title}" if item.number else item.title
    return (
        Step(
            title=f"Go to what must be done first: {name}",
            help="This item waits; there something can be done now.",
            kind=StepKind.ITEM,
            target=item.key,
            is_next=True,
        ),
    )


def _elsewhere(row: ItemView) -> list[str]:
    """Return the lines of another tool among what is missing, the place behind each."""
    told = [text.partition(": ") for text in row.missing]
    return [f"{line}  # {where}" for where, _, line in told if line.startswith("butler ")]


def reselect_step(calib_types: tuple[str, ...]) -> Step:
    """Return the way back from a product that is not good enough to its exposures."""
    return Step(
        title="Back to item 2: choose other exposures and build again",
        help=f"Not good enough? Reselect the inputs of the {', '.join(product_words(one) for one in calib_types)}.",
        kind=StepKind.ITEM,
        target="inputs",
    )


def _ticket(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    return [step_of(lines.link_line(found, role), is_next=False) for role in ("hailing", "deployment")]


def _inputs(uow: "UnitOfWork", found: Standing) -> list[Step]:
    steps = []
    for one in found.types:
        steps.append(_raws_step(found, one.calib_type, "build"))
        if one.build is not None:
            steps.append(_again(found, one, "build"))
    return steps


def _raws_step(found: Standing, calib_type: str, purpose: str) -> Step:
    return Step(
        title=f"Choose them on the Raws screen, with a live count ({calib_type}, to {purpose})",
        help="Build the expression step by step, see each exposure, leave single ones out.",
        kind=StepKind.PLACE,
        target=f"raws --ticket {found.ticket} --type {calib_type} --purpose {purpose}",
    )


def _again(found: Standing, one: TypeStanding, purpose: str) -> Step:
    chosen = one.build if purpose == "build" else one.verify
    assert chosen is not None
    line = to_line(
        CampaignInputs(
            ticket=found.ticket,
            calib_type=one.calib_type,
            where=chosen.where,
            purpose=purpose,
            exclude=tuple(f"{exposure}={reason}" for exposure, reason in chosen.exclusions),
        )
    )
    return replace(
        step_of(line, is_next=False),
        title=f"Change the choice of exposures to {purpose} {one.calib_type}",
        help="The form begins with the present choice; the old one stays in the history.",
    )


def _generate(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    steps: list[Step] = []
    if len(found.types) > 1:
        steps.append(
            Step(
                title="See what is made from what: the build order",
                help="Every type with what it needs, what waits for what, and what is stale.",
                kind=StepKind.PLACE,
                target=f"graph --ticket {found.ticket}",
            )
        )
    for one in found.types:
        steps += _job_steps(one, "generate")
        if not one.products:
            continue
        steps.append(
            Step(
                title=f"Look at the picture of the {product_words(one.calib_type)} again",
                help="See it once more; what you say replaces what was said before.",
                kind=StepKind.SPOT,
                target=one.calib_type,
            )
        )
        steps.append(_data_step(found, one))
        if one.generate_job is None or not one.generate_job.is_open:
            again = step_of(lines.rerun_line(found, one), is_next=False)
            if len(found.types) > 1:
                again = replace(
                    again, title=again.title.replace("Build it", f"Build the {product_words(one.calib_type)}")
                )
            steps.append(again)
        if one.spot is not None and not one.spot.is_ok:
            steps.append(reselect_step((one.calib_type,)))
    return steps


def _data_step(found: Standing, one: TypeStanding) -> Step:
    return Step(
        title=f"Open the {product_words(one.calib_type)} on the Data screen",
        help="Mosaic, amplifiers, stretch, and the difference against the one in use.",
        kind=StepKind.PLACE,
        target=f"data {one.calib_type} --run {one.run}",
    )


def _job_steps(one: TypeStanding, kind: str) -> list[Step]:
    job = one.generate_job if kind == "generate" else one.verify_job
    if job is None:
        return []
    steps = []
    if job.status != "done":
        steps.append(step_of(lines.job_line(job.id), is_next=False))
    if job.is_open:
        steps.append(step_of(to_line(Jobs(cancel=job.id)), is_next=False))
        steps.append(step_of(lines.job_line(job.id, resume=True), is_next=False))
    elif job.status in ("failed", "cancelled"):
        steps.append(step_of(lines.job_line(job.id, resume=True), is_next=False))
    return steps


def is_verdict_bad(found: Standing, one: TypeStanding) -> bool:
    """Tell whether the deciding tier found the newest verification of a type to fail, or could not judge it."""
    records = in_order(one.judgements, found.camera, one.calib_type)
    return bool(records) and records[0].verdict in (Overall.FAIL, Overall.UNKNOWN)


def _metrics_step(found: Standing, one: TypeStanding) -> Step:
    return Step(
        title=f"See the metrics of {one.calib_type}: tests, limits, failures",
        help="By amplifier and by exposure, build and independent ones apart.",
        kind=StepKind.PLACE,
        target=f"metrics {found.ticket} --type {one.calib_type}",
    )


def _ways_back(found: Standing) -> list[Step]:
    """Return where to go from a verdict that is bad: to what failed, or back to the exposures."""
    bad = [one for one in found.verifiable if is_verdict_bad(found, one)]
    if not bad:
        return []
    return [*(_metrics_step(found, one) for one in bad), reselect_step(tuple(one.calib_type for one in bad))]


def _verify(uow: "UnitOfWork", found: Standing) -> list[Step]:
    steps: list[Step] = []
    for one in found.verifiable:
        steps += _job_steps(one, "verify")
        if not one.products:
            continue
        if one.verification is not None:
            steps.append(_metrics_step(found, one))
        steps.append(_raws_step(found, one.calib_type, "verify"))
        if one.verify is not None:
            steps.append(_again(found, one, "verify"))
            steps.append(step_of(lines.verify_line(found, one.calib_type), is_next=False))
        else:
            steps.append(step_of(lines.inputs_line(uow, found, one.calib_type, "verify"), is_next=False))
    return [*steps, *_ways_back(found)]


def _report(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    if found.report is None:
        return _ways_back(found)
    read = Step(
        title="Read the report",
        help="As it was written for the board; y copies where it is.",
        kind=StepKind.READ,
        target=REPORT,
    )
    return [read, step_of(f"{lines.report_line(found)} --overwrite", is_next=False), *_ways_back(found)]


def _certify(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    steps = _ways_back(found) if not all(one.is_certified for one in found.certifiable) else []
    for one in found.certifiable:
        ranges = sorted({row.collection for row in (*one.certified, *one.certified_otherwise)})
        for collection in ranges:
            line = to_line(Decertify(collection=collection, dataset_type=one.calib_type))
            steps.append(step_of(line, is_next=False))
        if ranges:
            steps.append(
                Step(
                    title=f"See the range of {one.calib_type} on the Timeline",
                    help="What wins when, through the top chain; a certified one shows there once it is live.",
                    kind=StepKind.PLACE,
                    target=f"timeline {one.calib_type}",
                )
            )
    return steps


def _hail(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    steps = []
    if found.hailing is not None:
        steps.append(
            Step(
                title="Read the text of the TAXICAB ticket, and copy it",
                help="What goes into the ticket: y copies all of it.",
                kind=StepKind.READ,
                target=HAILING,
            )
        )
        if found.state is not HailingState.WITHDRAWN:
            other = step_of(
                to_line(Decide(ticket=found.ticket, outcome=OUTCOME, people=(lines.PERSON,))), is_next=False
            )
            title = "Record another decision: rejected, more processing, deferred, withdrawn"
            steps.append(replace(other, title=title, help="Choose the outcome in the form; a reason says why."))
            if found.state is HailingState.FLAGGED:
                steps.append(step_of(lines.hail_line(found), is_next=False))
    steps.append(step_of(lines.link_line(found, "hailing"), is_next=False))
    if found.state is HailingState.REJECTED:
        steps.append(reselect_step(tuple(one.calib_type for one in found.certifiable)))
    return steps


def _deployment(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    return [step_of(lines.link_line(found, "deployment"), is_next=False)]


def _distribute(_uow: "UnitOfWork", found: Standing) -> list[Step]:
    if found.state is not HailingState.ADOPTED or not found.is_decision_fresh:
        return []
    chain = found.campaign.names.ticket_chain
    steps = [step_of(to_line(ExportCalibs(directory=FOLDER, collections=(chain,))), is_next=False)]
    if any(view.destination.is_home and view.state in IN_USE for view in found.destinations):
        steps.append(step_of(lines.deploy_line(found, DESTINATION, "PATH"), is_next=False))
    steps += [
        step_of(lines.deploy_line(found, view.destination.name, view.location or "PATH"), is_next=False)
        for view in found.destinations
        if view.destination.method == "rucio" and view.state is SiteState.IMPORTED
    ]
    steps += [
        step_of(lines.prove_line(found, view.destination.name), is_next=False)
        for view in found.destinations
        if view.state in IN_USE
    ]
    steps += [step_of(line, is_next=False) for line in take_out_lines(found)]
    return steps


def _tagging(_uow: "UnitOfWork", _found: Standing) -> list[Step]:
    return []


_ALSO: Final[dict[str, "Callable[[UnitOfWork, Standing], list[Step]]"]] = {
    "ticket": _ticket,
    "inputs": _inputs,
    "generate": _generate,
    "verify": _verify,
    "report": _report,
    "certify": _certify,
    "hail": _hail,
    "deployment": _deployment,
    "distribute": _distribute,
    "tagging": _tagging,
}
