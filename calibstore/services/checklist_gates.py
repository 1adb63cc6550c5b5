"""What the rows of the checklist and the gates share: what is missing, by whom and when the rest was done."""

from calibstore.model.names import find_name
from calibstore.model.times import ns_to_iso
from calibstore.model.workflow import ChecklistItem, ItemState, find_item
from calibstore.reports.checklist_text_view import ItemView
from calibstore.services.judged import in_order
from calibstore.services.standing import Standing, TypeStanding


def when(standing: Standing, state: int) -> str:
    """Return who made a state, and when."""
    entry = standing.journal.get(state)
    if entry is None:
        return f"state {state}"
    return f"{entry.user}, {ns_to_iso(entry.at_tai_ns, 0)} TAI"


def verdicts_text(standing: Standing, one: TypeStanding) -> str:
    """Return the verdict of every tier, the deciding one first."""
    records = in_order(one.judgements, standing.camera, one.calib_type)
    return ", ".join(f"{record.profile} {record.verdict}" for record in records) or "not judged"


def short(standing: Standing, collection: str) -> str:
    """Return a collection's name without the instrument, ticket and tag that the head of the checklist tells."""
    campaign = standing.campaign
    return collection.removeprefix(f"{campaign.names.ticket_chain}/").removeprefix(f"{campaign.tag}/")


def waits(standing: Standing, *keys: str) -> tuple[str, ...]:
    """Name the rows that must be done first and are not."""
    is_done = {
        "generate": not product_gates(standing),
        "verify": not verification_gates(standing),
        "report": standing.is_report_fresh,
        "certify": all(one.is_certified for one in standing.certifiable),
    }
    items = [find_item(key) for key in keys if not is_done[key]]
    return tuple(f"item {item.number}, {item.title}" if item.number else item.title for item in items)


def product_gates(standing: Standing) -> tuple[str, ...]:
    """Name what the products still lack: a RUN, detectors, a spot check."""
    return tuple(gate for _, gate in product_gates_by_type(standing))


def product_gates_by_type(standing: Standing) -> list[tuple[TypeStanding, str]]:
    """Name what each product lacks, beside its type."""
    found = []
    for one in standing.types:
        if not one.products:
            found.append((one, f"{one.calib_type}: no product yet"))
        elif one.missing_detectors:
            found.append((one, f"{one.run}: no product of detector {_numbers(one.missing_detectors)}"))
        elif one.spot is None:
            found.append((one, f"{one.run}: nobody has looked at it (spot check)"))
        elif not one.spot.is_ok:
            said = f" ({one.spot.comment})" if one.spot.comment else ""
            found.append((one, f"{one.run}: the spot check says not ok{said}"))
    return found


def verification_gates(standing: Standing) -> tuple[str, ...]:
    """Name what is not verified."""
    return tuple(
        f"{one.run or one.calib_type}: the newest product is not verified"
        for one in standing.verifiable
        if not one.is_verified
    )


def hail_gates(standing: Standing) -> tuple[str, ...]:
    """Name everything that must be there before the board is asked."""
    missing = [*product_gates(standing), *verification_gates(standing)]
    if standing.report is None:
        missing.append("no report")
    elif not standing.is_report_fresh and not missing:
        missing.append("the report is older than the newest verification")
    missing += [
        f"{one.run or one.calib_type}: not certified in {standing.campaign.names.ticket_chain}"
        for one in standing.certifiable
        if not one.is_certified
    ]
    missing += [
        f"{collection} would apply a {dataset_type} that was never verified or was rejected: cabstand decertify "
        f"{collection} {dataset_type}"
        for collection, dataset_type in standing.unseen
    ]
    return tuple(missing)


def evidence_warnings(one: TypeStanding) -> list[str]:
    """Warn where a verification lacks one of the two kinds of exposures."""
    if one.verification is None:
        return []
    found = []
    if not one.verification.n_in_build:
        found.append(f"W-NOBUILD {one.calib_type}: none of the build exposures was verified")
    if not one.verification.n_independent:
        found.append(f"W-INSAMPLE {one.calib_type}: no independent exposures; that supports no validity range")
    return found


def gated(
    item: ChecklistItem,
    gates: tuple[str, ...] | list[str],
    done: list[str],
    missing: list[str],
    following: list[str],
    *,
    notes: list[str] | None = None,
    is_stale: bool = False,
    is_running: bool = False,
    is_missing_shown: bool = False,
) -> ItemView:
    """Return a row whose state follows from its gates and from what is missing.

    Parameters
    ----------
    item : ChecklistItem
        The row.
    gates : sequence of str
        Rows that must be done first.
    done, missing, following : list of str
        What the store holds, what it lacks, and the lines to type.
    notes : list of str, optional
        Warnings.
    is_stale, is_running : bool
        Whether something is out of date, or a job works on it.
    is_missing_shown : bool
        Tell what is missing even while the row waits for another one.
    """
    if is_running:
        state = ItemState.RUNNING
    elif not missing and done and not gates:
        state = ItemState.DONE
    else:
        state = ItemState.BLOCKED if gates else ItemState.READY
    is_open = state in (ItemState.READY, ItemState.RUNNING)
    return ItemView(
        item=item,
        state=state,
        is_stale=is_stale,
        done=tuple(done),
        # A row that waits for another one says just that, unless something of it is out of date.
        missing=tuple(dict.fromkeys([*gates, *(missing if not gates or is_stale or is_missing_shown else ())])),
        notes=tuple(notes or ()),
        next=tuple(following) if is_open else (),
    )


def rerun_of(run: str) -> str:
    """Return the rerun in a collection's name, or the name itself."""
    name = find_name(run)
    return name.rerun if name is not None and name.rerun else run


def _numbers(values: tuple[int, ...]) -> str:
    return ", ".join(str(value) for value in values)
