"""The screen of raw exposures: a selection under work, what the rules say of it, and both sets of a ticket.

Nothing is written here; the selection is stored by `campaign inputs`.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from calibstore.errors import CabstandError, UserInputError
from calibstore.model.calib_types import find_calib_type
from calibstore.model.campaign_records import CampaignRecord, SelectionRecord
from calibstore.model.exposure import Exposure
from calibstore.model.selection_rules import Finding
from calibstore.model.times import describe
from calibstore.model.where import parse_where
from calibstore.model.where_quick import TEXT_FIELDS, quick_fields
from calibstore.services.context import Context
from calibstore.services.looks.raws_proposals import proposals
from calibstore.services.looks.raws_records import (
    EventLook,
    FieldChoices,
    FrameStatistics,
    RawsLook,
    RawsQuestion,
    SetLook,
)
from calibstore.services.looks.raws_rows import ExposureRow, Fault, count_where, exposure_rows, fault_of
from calibstore.services.native import butler
from calibstore.services.native_campaign import selection_lines
from calibstore.services.next_lines import proposed_inputs
from calibstore.services.selection import (
    ResolvedSelection,
    empty_selection,
    resolve_selection,
)
from calibstore.services.standing import standing

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

MOST_JUDGED: Final = 5_000
"""Larger selections are counted and shown, but no rule is tried on them."""
SAMPLE_ROWS: Final = 12
"""First rows that come with the look."""
LAST_ROWS: Final = 3
"""Last rows that come with the look."""
MOST_VALUES: Final = 200
"""Values offered for one field."""
PURPOSES: Final = ("build", "verify")


def raws_look(context: Context, question: RawsQuestion) -> RawsLook:
    """Read a selection, its counts, what the rules say, and the sets of the ticket.

    Parameters
    ----------
    context : Context
        The repository.
    question : RawsQuestion
        What to look at.

    Raises
    ------
    NotFoundError
        If the ticket or the instrument does not exist.
    UserInputError
        If the type of calibration or the purpose does not exist.
    """
    with context.unit_of_work() as uow:
        work = _begin(uow, question)
        counted = count_where(context, work.instrument, work.where)
        n_all = uow.exposures.count(work.instrument)
        resolved, fault, findings = _resolve(uow, work, counted.n) if counted.fault is None else (None, None, ())
        known = uow.exposures.by_ids(work.instrument, resolved.matched) if resolved else ()
        inside = tuple(one for one in work.exclude if one[0] in work.inside)
        sets, n_shared, set_findings = _sets(uow, work, resolved)
        camera = uow.repository.camera(work.instrument)
        statistics, statistics_of = _statistics(uow, work)
        proposed = (
            proposals(
                uow,
                known,
                camera,
                ticket=work.ticket,
                calib_type=work.calib_type,
                ruled=resolved.proposals if resolved else (),
            )
            if work.calib_type
            else ()
        )
        events = _events(uow, work.instrument, known)
    kept = resolved.exposures if resolved else ()
    fault = counted.fault or fault
    first, last = _samples(context, work, counted.n if fault is None else 0)
    return RawsLook(
        instrument=work.instrument,
        ticket=work.ticket,
        tickets=work.tickets,
        calib_type=work.calib_type,
        calib_types=work.calib_types,
        purpose=question.purpose,
        where=work.where,
        source=work.source,
        is_as_stored=_is_as_stored(work),
        quick=None if counted.fault is not None else quick_fields(work.where),
        n_all=n_all,
        n_matched=counted.n,
        fault=fault,
        excluded=inside,
        excluded_elsewhere=tuple(one for one in work.exclude if one not in inside),
        findings=(*findings, *set_findings),
        proposals=proposed,
        kinds=tuple(sorted(Counter(one.observation_type for one in kept).items())),
        sets=sets,
        n_shared=n_shared,
        events=events,
        statistics=statistics,
        statistics_of=statistics_of,
        first_rows=first,
        last_rows=last,
        exports=_exports(work, resolved),
        native=() if counted.fault is not None else (_native(context, work, inside),),
    )


def field_choices(context: Context, instrument: str) -> tuple[FieldChoices, ...]:
    """Return the values that occur in the quick fields, days last.

    Raises
    ------
    NotFoundError
        If the repository has no such instrument.
    """
    with context.unit_of_work() as uow:
        uow.repository.camera(instrument)
        found = [
            FieldChoices(
                field=field,
                values=tuple(
                    one
                    for one in uow.exposures.text_values(name, instrument, limit=MOST_VALUES)
                    if one and "'" not in one
                ),
            )
            for field, name in TEXT_FIELDS.items()
            if field != "instrument"
        ]
        days = tuple(str(one) for one in uow.exposures.nights(instrument))
    return (*found, FieldChoices(field="day_from", values=days), FieldChoices(field="day_to", values=days))


@dataclass(slots=True, kw_only=True)
class _Work:
    """A question with its gaps filled."""

    instrument: str
    campaign: CampaignRecord | None
    tickets: tuple[str, ...]
    calib_type: str
    calib_types: tuple[str, ...]
    purpose: str
    stored: dict[str, SelectionRecord]
    """By purpose."""
    where: str
    source: str
    exclude: tuple[tuple[int, str], ...]
    inside: frozenset[int] = frozenset()
    """Excluded exposures that the selection finds."""

    @property
    def ticket(self) -> str:
        return self.campaign.ticket if self.campaign is not None else ""


def _begin(uow: "UnitOfWork", question: RawsQuestion) -> _Work:
    if question.purpose not in PURPOSES:
        raise UserInputError(f"no purpose {question.purpose!r}", hint="a selection is to build or to verify")
    campaign = uow.campaigns.campaign(question.ticket) if question.ticket else None
    instrument = (
        campaign.instrument if campaign else question.instrument or next(iter(uow.repository.instruments()), "")
    )
    uow.repository.camera(instrument)
    campaigns = [one for one in uow.campaigns.campaigns() if one.instrument == instrument]
    if campaign is None and campaigns:
        campaign = max(campaigns, key=lambda one: (one.opened_state, one.ticket))
    calib_types = campaign.calib_types if campaign else ()
    calib_type = find_calib_type(question.calib_type).name if question.calib_type else ""
    selections = uow.campaigns.selections(campaign.ticket) if campaign else ()
    present = {(one.calib_type, one.purpose): one for one in selections if one.closed_state is None}
    if not calib_type and calib_types:
        open_types = [one for one in calib_types if (one, question.purpose) not in present]
        calib_type = (open_types or list(calib_types[-1:]))[0]
    stored = {one: present[calib_type, one] for one in PURPOSES if (calib_type, one) in present}
    work = _Work(
        instrument=instrument,
        campaign=campaign,
        tickets=tuple(one.ticket for one in sorted(campaigns, key=lambda one: -one.opened_state)),
        calib_type=calib_type,
        calib_types=tuple(dict.fromkeys((*calib_types, *([calib_type] if calib_type else [])))),
        purpose=question.purpose,
        stored=stored,
        where=question.where or "",
        source="typed",
        exclude=question.exclude,
    )
    if question.where is None:
        _take_default(uow, work)
    return work


def _take_default(uow: "UnitOfWork", work: _Work) -> None:
    """Begin with what is stored for the ticket, else with what is proposed to it, else with every exposure."""
    if (stored := work.stored.get(work.purpose)) is not None:
        work.where, work.exclude, work.source = stored.where, stored.exclusions, "stored"
    elif work.campaign is not None and work.calib_type in work.campaign.calib_types:
        command = proposed_inputs(uow, standing(uow, work.ticket), work.calib_type, work.purpose)
        split = (text.partition("=") for text in command.exclude)
        work.where, work.source = command.where, "proposed"
        work.exclude = tuple((int(name), reason) for name, _, reason in split)
    else:
        work.where, work.source = f"instrument='{work.instrument}'", "everything"


def _resolve(
    uow: "UnitOfWork", work: _Work, n_matched: int
) -> tuple[ResolvedSelection | None, Fault | None, tuple[Finding, ...]]:
    """Apply exclusions and rules; what forbids the selection as a whole is a fault, what a rule says a finding."""
    expression = parse_where(work.where)  # checked when it was counted
    if not n_matched:
        return None, fault_of(empty_selection(uow, expression, work.where, work.instrument)), ()
    work.inside = frozenset(uow.exposures.fitting(expression, [one for one, _ in work.exclude]))
    if n_matched > MOST_JUDGED:
        told = f"{n_matched} exposures: no rule is tried on more than {MOST_JUDGED}; narrow the selection"
        return None, None, (Finding("W-LARGE", "warn", told),)
    try:
        found = resolve_selection(
            uow,
            instrument=work.instrument,
            where=work.where,
            exclude=[f"{one}={reason}" for one, reason in work.exclude if one in work.inside],
            calib_type=work.calib_type,
            purpose=work.purpose,
        )
    except CabstandError as problem:
        return None, None, (Finding(problem.code, "refuse", problem.message),)
    return found, None, found.findings


def _sets(
    uow: "UnitOfWork", work: _Work, resolved: ResolvedSelection | None
) -> tuple[tuple[SetLook, ...], int | None, tuple[Finding, ...]]:
    looks: list[SetLook] = []
    ids: dict[str, frozenset[int]] = {}
    for purpose in PURPOSES:
        stored = work.stored.get(purpose)
        if purpose == work.purpose:
            exposures: tuple[Exposure, ...] = resolved.exposures if resolved else ()
            n_excluded = len(work.inside)
        elif stored is not None:
            exposures = uow.exposures.by_ids(work.instrument, stored.exposures)
            n_excluded = len(stored.exclusions)
        else:
            continue
        ids[purpose] = frozenset(one.id for one in exposures)
        looks.append(
            SetLook(
                purpose=purpose,
                n_exposures=len(exposures),
                n_excluded=n_excluded,
                days=tuple(sorted({one.day_obs for one in exposures})),
                is_edited=purpose == work.purpose,
            )
        )
    if len(looks) < 2 or resolved is None:
        return tuple(looks), None, ()
    shared = ids["build"] & ids["verify"]
    return tuple(looks), len(shared), _overlap_findings(len(shared), len(ids["verify"] - shared))


def _overlap_findings(n_shared: int, n_independent: int) -> tuple[Finding, ...]:
    """Judge what build and verify set have in common: both kinds of evidence are wanted."""
    found = []
    if not n_shared:
        told = "no exposure is in both sets; the published procedure wants build exposures among those verified on"
        found.append(Finding("W-NOBUILD", "warn", told))
    if not n_independent:
        told = "every exposure to verify on was used in the build: in-sample alone supports no validity range"
        found.append(Finding("W-NOINDEPENDENT", "warn", told))
    if not found:
        told = f"{n_shared} exposures are in both sets (wanted), {n_independent} to verify on are independent (wanted)"
        found.append(Finding("N-SHARED", "note", told))
    return tuple(found)


def _events(uow: "UnitOfWork", instrument: str, known: tuple[Exposure, ...]) -> tuple[EventLook, ...]:
    if not known:
        return ()
    camera = uow.repository.camera(instrument)
    begin, end = known[0].timespan.begin_tai_ns, known[-1].timespan.begin_tai_ns
    by_instant: dict[int, list[str]] = {}
    neighbours: dict[int, tuple[int, int]] = {}
    for one in uow.exposures.camera_events(instrument):
        if begin < one.at_tai_ns <= end:
            by_instant.setdefault(one.at_tai_ns, []).append(f"{one.keyword} {one.old_value} → {one.new_value}")
            neighbours[one.at_tai_ns] = (one.exposure_before, one.exposure_after)
    return tuple(
        EventLook(
            at=describe(at, camera.time_zone, camera.day_obs_offset_h),
            changes=tuple(changes),
            exposure_before=neighbours[at][0],
            exposure_after=neighbours[at][1],
        )
        for at, changes in by_instant.items()
    )


def _statistics(uow: "UnitOfWork", work: _Work) -> tuple[dict[int, FrameStatistics], str]:
    latest = uow.verifications.latest(work.ticket, work.calib_type) if work.ticket else None
    if latest is None:
        return {}, ""
    means = uow.verifications.exposure_medians(latest.id, "resid_mean")
    noises = uow.verifications.exposure_medians(latest.id, "noise_ratio")
    found = {
        exposure: FrameStatistics(mean_e=mean, noise_excess=noises[exposure])
        for exposure, mean in means.items()
        if exposure in noises
    }
    return found, latest.verify_run


def _is_as_stored(work: _Work) -> bool:
    stored = work.stored.get(work.purpose)
    return stored is not None and (stored.where, dict(stored.exclusions)) == (work.where, dict(work.exclude))


def _samples(context: Context, work: _Work, n: int) -> tuple[tuple[ExposureRow, ...], tuple[ExposureRow, ...]]:
    if not n:
        return (), ()

    def window(offset: int, limit: int) -> tuple[ExposureRow, ...]:
        return exposure_rows(context, work.instrument, work.where, offset=offset, limit=limit, n_total=n)

    first = window(0, SAMPLE_ROWS)
    n_last = min(LAST_ROWS, n - len(first))
    return first, window(n - n_last, n_last) if n_last else ()


def _native(context: Context, work: _Work, inside: tuple[tuple[int, str], ...]) -> str:
    return butler("query-dimension-records", context.root, "exposure", "--where", _query(work, inside))


def _query(work: _Work, inside: tuple[tuple[int, str], ...]) -> str:
    if not inside:
        return work.where
    return f"({work.where}) and exposure not in ({', '.join(str(exposure) for exposure, _ in inside)})"


def _exports(work: _Work, resolved: ResolvedSelection | None) -> tuple[str, ...]:
    """Return the variables of both sets for the observatory's templates: the one under work as it is now."""
    if not work.calib_type:
        return ()
    lines: list[str] = []
    for purpose in PURPOSES:
        record = work.stored.get(purpose)
        if purpose == work.purpose:
            record = _record(work, resolved) if resolved is not None else None
        lines += selection_lines(record) if record is not None else ()
    return tuple(lines)


def _record(work: _Work, resolved: ResolvedSelection) -> SelectionRecord:
    return SelectionRecord(
        ticket=work.ticket,
        calib_type=work.calib_type,
        purpose=work.purpose,
        where=work.where,
        exposures=resolved.ids,
        exclusions=resolved.excluded,
    )


def ticket_and_type(context: Context, question: RawsQuestion) -> tuple[str, str, str]:
    """Return (instrument, ticket, type of calibration) that a question is about, its gaps filled.

    Raises
    ------
    NotFoundError
        If the ticket or the instrument does not exist.
    """
    with context.unit_of_work() as uow:
        work = _begin(uow, replace(question, where=""))
    return work.instrument, work.ticket, work.calib_type
