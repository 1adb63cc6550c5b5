"""The later rows of the checklist: before the board, and out to the sites."""

from typing import TYPE_CHECKING, Final

from calibstore.model.hailing import BOARD_ZONE, HailingState
from calibstore.model.site_records import SiteState
from calibstore.model.times import time_views
from calibstore.model.verdicts import Overall
from calibstore.model.workflow import ChecklistItem, ItemState
from calibstore.reports.checklist_text_view import ItemView
from calibstore.services import next_lines as lines
from calibstore.services.checklist_gates import gated, waits, when
from calibstore.services.destinations import DestinationView
from calibstore.services.judged import in_order, judgements_of
from calibstore.services.standing import IN_USE, Standing
from calibstore.services.take_out import take_out_lines
from calibstore.services.waiver_proposals import proposed_waivers

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

NO_CLEANING: Final = "n/a: no automatic cleaning at this site"


def hail_row(uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    """Return the row of the board's ticket and decision."""
    done, missing, notes, following = [], [], [], []
    hailing, decision, state = standing.hailing, standing.decision, standing.state
    if hailing is not None:
        slot = time_views(hailing.slot_tai_ns, BOARD_ZONE).local
        done.append(f"{hailing.key} {state}, board of {slot} ({when(standing, hailing.opened_state)})")
    if decision is not None:
        origin = "" if decision.origin == "here" else f", {decision.origin}"
        by = when(standing, decision.opened_state)
        done.append(f"{decision.outcome} by {', '.join(decision.people)} ({by}{origin})")
        done += [f"waiver: {waiver.text()}" for waiver in decision.waivers]
        notes += [f"waiver expired: {one.text()}" for one in decision.waivers if one.is_expired(standing.now_tai_ns)]
    is_of_products = decision is not None and _is_of_products(standing)
    if state is HailingState.ADOPTED and is_of_products and standing.is_decision_fresh:
        return ItemView(item=item, state=ItemState.DONE, done=tuple(done), notes=tuple(notes))
    is_stale = state is HailingState.ADOPTED or (state is HailingState.FLAGGED and not standing.is_hailing_fresh)
    if state is HailingState.ADOPTED:
        missing.append("Adopted was other content than the newest product and the ticket chain have now")
    elif state is HailingState.FLAGGED and is_stale:
        missing.append("the board was sent an older report than the newest")
    elif state is HailingState.FLAGGED:
        missing.append("the board's decision")
        following.append(_decide_line(uow, standing))
    elif state is HailingState.REJECTED and is_of_products:
        missing.append("the newest product was rejected: build it again")
        following += [*take_out_lines(standing), *(lines.rerun_line(standing, one) for one in standing.certifiable)]
        return ItemView(
            item=item, state=ItemState.READY, done=tuple(done), missing=tuple(missing), next=tuple(following)
        )
    elif state is HailingState.WITHDRAWN:
        missing.append("withdrawn: open a new ticket to propose it again")
        return ItemView(item=item, state=ItemState.BLOCKED, done=tuple(done), missing=tuple(missing))
    else:
        missing.append("not hailed yet")
    if not following:
        following.append(lines.hail_line(standing))
    gates = waits(standing, "generate", "verify", "report", "certify")
    return gated(item, gates, done, missing, following, notes=notes, is_stale=is_stale)


def _decide_line(uow: "UnitOfWork", standing: Standing) -> str:
    """Return the line that adopts, with the waivers that would be needed."""
    proposals: list[str] = []
    for one in standing.verifiable:
        records = in_order(one.judgements, standing.camera, one.calib_type)
        if one.verification is not None and records and records[0].verdict in (Overall.FAIL, Overall.UNKNOWN):
            judged = judgements_of(uow, one.verification, standing.camera)[0]
            proposals += proposed_waivers(judged, now_tai_ns=standing.now_tai_ns)
    return lines.decide_line(standing, "adopt_with_waivers" if proposals else "adopt", tuple(proposals))


def _is_of_products(standing: Standing) -> bool:
    decided = standing.decision.subject.get("dataset_ids") if standing.decision else None
    ids = {product.id for one in standing.certifiable for product in one.products.values()}
    return isinstance(decided, list) and set(decided) == ids


def deployment_row(_uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    """Return the row of the deployment ticket."""
    link = standing.links.get("deployment")
    if link is not None:
        done = f"{link.key} linked ({when(standing, link.opened_state)})"
        return ItemView(item=item, state=ItemState.DONE, done=(done,))
    return ItemView(
        item=item,
        state=ItemState.READY,
        missing=("no deployment ticket linked",),
        next=(lines.link_line(standing, "deployment"),),
    )


def distribute_row(_uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    """Return the row of going live, here and elsewhere."""
    told: dict[tuple[bool, str], list[str]] = {}
    following = []
    for view in standing.destinations:
        name = view.destination.name
        told.setdefault((view.is_closed, _state_text(view)), []).append(name)
        if view.state is SiteState.LIVE:
            following.append(lines.prove_line(standing, name))
        elif view.state is not SiteState.NOT_APPLICABLE and not view.is_closed and _can_deploy(standing, view):
            location = "" if view.location or view.destination.is_home else "PATH"
            following.append(lines.deploy_line(standing, name, location))
    done = [f"{', '.join(names)}: {state}" for (is_closed, state), names in told.items() if is_closed]
    missing = [f"{', '.join(names)}: {state}" for (is_closed, state), names in told.items() if not is_closed]
    is_adopted = standing.state is HailingState.ADOPTED and standing.is_decision_fresh
    gates = () if is_adopted else ("item 6, TAXICAB ticket: the board's decision Adopted",)
    return gated(item, gates, done, missing, following, is_missing_shown=True)


def _state_text(view: DestinationView) -> str:
    return view.why if view.why.startswith(str(view.state)) else f"{view.state}, {view.why}"


def _can_deploy(standing: Standing, view: DestinationView) -> bool:
    """Tell whether a line for a destination is of use now: home first, then copies."""
    if view.destination.is_home:
        return True
    return view.destination.method == "copy" and _is_live_at_home(standing)


def _is_live_at_home(standing: Standing) -> bool:
    return any(view.destination.is_home and view.state in IN_USE for view in standing.destinations)


def tagging_row(_uow: "UnitOfWork", standing: Standing, item: ChecklistItem) -> ItemView:
    """Return the row of keeping files where they are cleaned away."""
    cleaning = [
        view
        for view in standing.destinations
        if view.destination.has_cleaning and view.state is not SiteState.NOT_APPLICABLE
    ]
    held = [view for view in cleaning if view.state in (SiteState.IMPORTED, *IN_USE)]
    if not held:
        names = ", ".join(view.destination.name for view in cleaning)
        notes = (f"where files are cleaned away, tag them once imported: {names}",) if cleaning else ()
        return ItemView(item=item, state=ItemState.NOT_APPLICABLE, done=(NO_CLEANING,), notes=notes)
    protection = standing.campaign.names.protection
    missing = tuple(
        f"{view.destination.name}: butler associate {view.destination.repository} {protection} "
        f"-d {one.calib_type} --collections {one.run}"
        for view in held
        for one in standing.certifiable
    )
    return ItemView(item=item, state=ItemState.READY, missing=missing)
